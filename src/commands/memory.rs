//! MEMORY: how much memory is used, as an estimate made on request.

use crate::spec::numbers::{integer, is_option};
use crate::spec::{Context, Error, Outcome};

/// `MEMORY USAGE key [SAMPLES count]`: the bytes that the key and its value take. Of a collection, `count` elements
/// are measured (5 by default, 0 for all), and the others are assumed to be like them.
///
/// # Errors
///
/// Another option, or an invalid count.
pub fn usage(ctx: &mut Context<'_>) -> Outcome {
    let args = ctx.args;
    let mut samples = 5;
    let mut at = 3;
    while let Some(option) = args.get(at) {
        let Some(count) = args.get(at + 1).filter(|_| is_option(option, "SAMPLES")) else {
            return Err(Error::SYNTAX);
        };
        samples = usize::try_from(integer(count)?).map_err(|_| Error::SYNTAX)?;
        at += 2;
    }
    let samples = if samples == 0 { usize::MAX } else { samples };
    match ctx.state.database().memory_of(&args[2], samples) {
        Some(bytes) => ctx.reply.count(bytes),
        None => ctx.reply.null(),
    }
    Ok(())
}

/// `MEMORY DOCTOR`: there is nothing to diagnose.
pub fn doctor(ctx: &mut Context<'_>) -> Outcome {
    let total = ctx.state.memory().total();
    let text = format!("About {total} bytes are held, without a limit. MEMORY STATS shows what for.\n");
    ctx.reply.verbatim("txt", text.as_bytes());
    Ok(())
}

/// `MEMORY STATS`: the fields of redis-server's reply whose values are known here.
pub fn stats(ctx: &mut Context<'_>) -> Outcome {
    let memory = ctx.state.memory();
    let (total, overhead) = (memory.total(), memory.clients + memory.pubsub);
    let keys: usize = ctx.state.databases.iter().map(crate::keyspace::Database::len).sum();
    let fields = [
        ("total.allocated", total),
        ("startup.allocated", 0),
        ("replication.backlog", 0),
        ("clients.slaves", 0),
        ("clients.normal", memory.clients),
        ("cluster.links", 0),
        ("aof.buffer", 0),
        ("overhead.total", overhead),
        ("keys.count", keys),
        ("keys.bytes-per-key", memory.dataset.checked_div(keys).unwrap_or_default()),
        ("dataset.bytes", memory.dataset),
    ];
    ctx.reply.map(fields.len() + 1);
    for (name, value) in fields {
        ctx.reply.bulk(name.as_bytes());
        ctx.reply.count(value);
    }
    ctx.reply.bulk(b"dataset.percentage");
    #[allow(clippy::cast_precision_loss)]
    let percentage = if total > 0 { memory.dataset as f64 * 100.0 / total as f64 } else { 0.0 };
    ctx.reply.double(percentage);
    Ok(())
}

/// `MEMORY PURGE`: free memory has been returned to the allocator already.
pub fn purge(ctx: &mut Context<'_>) -> Outcome {
    ctx.reply.ok();
    Ok(())
}

/// `MEMORY MALLOC-STATS`: the engine knows nothing of the allocator.
pub fn malloc_stats(ctx: &mut Context<'_>) -> Outcome {
    ctx.reply.verbatim("txt", b"Stats not supported for the current allocator");
    Ok(())
}
