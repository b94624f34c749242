//! The server itself: the number of its keys, its time, its monitors.

use super::connection::database;
use crate::spec::numbers::integer_of_32_bits;
use crate::spec::{Context, Error, Outcome};

/// `DBSIZE`.
///
/// # Errors
///
/// None: all commands have this return type.
pub fn dbsize(ctx: &mut Context<'_>) -> Outcome {
    ctx.reply.count(ctx.state.database().len());
    Ok(())
}

/// `FLUSHALL [ASYNC | SYNC]`.
///
/// # Errors
///
/// Another option.
pub fn flushall(ctx: &mut Context<'_>) -> Outcome {
    check_flush_type(ctx)?;
    for db in 0..ctx.state.databases.len() {
        ctx.state.flush(db);
    }
    ctx.state.invalidate_all();
    ctx.reply.ok();
    Ok(())
}

/// `FLUSHDB [ASYNC | SYNC]`.
///
/// # Errors
///
/// Another option.
pub fn flushdb(ctx: &mut Context<'_>) -> Outcome {
    check_flush_type(ctx)?;
    ctx.state.flush(ctx.state.db);
    ctx.state.invalidate_all();
    ctx.reply.ok();
    Ok(())
}

/// ASYNC and SYNC say when memory is freed, not when the keys are gone: for the client they are the same.
fn check_flush_type(ctx: &Context<'_>) -> Result<(), Error> {
    let known = ctx
        .args
        .get(1)
        .is_none_or(|how| how.eq_ignore_ascii_case(b"async") || how.eq_ignore_ascii_case(b"sync"));
    if known && ctx.args.len() <= 2 { Ok(()) } else { Err(Error::SYNTAX) }
}

/// `ROLE`: a master that has no replicas and has written nothing for them.
///
/// # Errors
///
/// None: all commands have this return type.
pub fn role(ctx: &mut Context<'_>) -> Outcome {
    ctx.reply.array(3);
    ctx.reply.bulk(b"master");
    ctx.reply.integer(0);
    ctx.reply.array(0);
    Ok(())
}

/// `LASTSAVE`: the moment of the last save, before the first that of the start, in seconds since the Unix epoch.
///
/// # Errors
///
/// None: all commands have this return type.
pub fn lastsave(ctx: &mut Context<'_>) -> Outcome {
    ctx.reply.integer(ctx.state.saves.last.seconds());
    Ok(())
}

/// `MONITOR`: from now on the connection receives every command. A second MONITOR has no reply, as in
/// redis-server.
///
/// # Errors
///
/// In a transaction.
pub fn monitor(ctx: &mut Context<'_>) -> Outcome {
    if !ctx.may_block {
        return Err(Error::new("ERR MONITOR isn't allowed for DENY BLOCKING client"));
    }
    let client = ctx.client()?;
    if client.monitor {
        return Ok(());
    }
    client.monitor = true;
    ctx.state.clients.monitors.push(ctx.client);
    ctx.reply.ok();
    Ok(())
}

/// `SWAPDB index1 index2`.
///
/// # Errors
///
/// Not a number, or there is no such database.
pub fn swapdb(ctx: &mut Context<'_>) -> Outcome {
    let first = integer_of_32_bits(&ctx.args[1]).map_err(|_| Error::new("ERR invalid first DB index"))?;
    let second = integer_of_32_bits(&ctx.args[2]).map_err(|_| Error::new("ERR invalid second DB index"))?;
    let (first, second) = (database(ctx, first)?, database(ctx, second)?);
    if first != second {
        ctx.state.swap(first, second);
    }
    ctx.state.stats.dirty += 1;
    ctx.reply.ok();
    Ok(())
}

/// `TIME`: seconds since the Unix epoch, and microseconds within the second.
///
/// # Errors
///
/// None: all commands have this return type.
pub fn time(ctx: &mut Context<'_>) -> Outcome {
    let micros = ctx.state.now.micros();
    ctx.reply.array(2);
    for part in [micros / 1_000_000, micros % 1_000_000] {
        ctx.reply.bulk_integer(i64::try_from(part).unwrap_or(i64::MAX));
    }
    Ok(())
}
