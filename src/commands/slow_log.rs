//! SLOWLOG: the commands that took long.

use crate::spec::{Context, Error, Outcome, numbers};

/// How many commands SLOWLOG GET returns if nothing is said.
const SHOWN: usize = 10;

/// `SLOWLOG GET [count]`: the newest commands of the log; all with -1.
///
/// # Errors
///
/// A count below -1, or more arguments.
pub fn get(ctx: &mut Context<'_>) -> Outcome {
    let count = match (ctx.args.get(2), ctx.args.get(3)) {
        (None, _) => SHOWN,
        (Some(count), None) => match numbers::integer(count) {
            Ok(-1) => usize::MAX,
            Ok(count @ 0..) => usize::try_from(count).unwrap_or(usize::MAX),
            _ => return Err(Error::new("ERR count should be greater than or equal to -1")),
        },
        _ => return Err(Error::subcommand_syntax(&ctx.args[1], "SLOWLOG")),
    };
    let entries = ctx.state.slow_log.iter().take(count);
    let reply = &mut ctx.reply;
    reply.array(entries.len());
    for entry in entries {
        reply.array(6);
        reply.count(entry.id.try_into().unwrap_or(usize::MAX));
        reply.integer(entry.at.millis().div_euclid(1000));
        reply.integer(entry.micros.try_into().unwrap_or(i64::MAX));
        reply.array(entry.args.len());
        entry.args.iter().for_each(|argument| reply.bulk(argument));
        reply.bulk(entry.address.as_bytes());
        reply.bulk(&entry.name);
    }
    Ok(())
}

/// `SLOWLOG LEN`: how many commands are in the log.
pub fn len(ctx: &mut Context<'_>) -> Outcome {
    ctx.reply.count(ctx.state.slow_log.iter().len());
    Ok(())
}

/// `SLOWLOG RESET`: forgets all commands in the log.
pub fn reset(ctx: &mut Context<'_>) -> Outcome {
    ctx.state.slow_log.clear();
    ctx.reply.ok();
    Ok(())
}
