//! What a test does to connections and to the whole broker.

use super::{Answered, Order, not_understood, time, without_value};
use crate::clients::Filter;
use crate::resp::Args;
use crate::spec::numbers::{self, is_option};
use crate::spec::{Context, Error};

/// `MINIBROKER KILL filter`: disconnects the matching clients; replies with their number.
pub fn kill(ctx: &mut Context<'_>) -> Answered {
    let filter = filter(ctx, ctx.args.from(2))?;
    ctx.reply.count(ctx.state.clients_of(&filter).len());
    Ok(Some(Order::Kill(filter)))
}

/// `MINIBROKER HOLD READING|WRITING filter`: stops reading from the matching clients, or writing to them;
/// replies with their number.
pub fn hold(ctx: &mut Context<'_>) -> Answered {
    let word = &ctx.args[2];
    let writing = is_option(word, "WRITING");
    if !writing && !is_option(word, "READING") {
        return Err(not_understood(word));
    }
    let filter = filter(ctx, ctx.args.from(3))?;
    ctx.reply.count(ctx.state.clients_of(&filter).len());
    Ok(Some(Order::Hold { filter, writing }))
}

/// `MINIBROKER RELEASE`: all held clients continue.
pub fn release(ctx: &mut Context<'_>) -> Answered {
    ordered(ctx, Order::Release)
}

/// `MINIBROKER REFUSE [time]`: connections are refused.
pub fn refuse(ctx: &mut Context<'_>) -> Answered {
    let lasts = ctx.args.get(2).map(time::duration).transpose()?;
    ordered(ctx, Order::Refuse(lasts))
}

/// `MINIBROKER ACCEPT`: connections are accepted again.
pub fn accept(ctx: &mut Context<'_>) -> Answered {
    ordered(ctx, Order::Accept)
}

/// `MINIBROKER STOP [time]`: all but the test client are disconnected, and none can connect.
pub fn stop(ctx: &mut Context<'_>) -> Answered {
    let lasts = ctx.args.get(2).map(time::duration).transpose()?;
    ordered(ctx, Order::Stop(lasts))
}

/// `MINIBROKER RESTART [EMPTY]`: as after a restart of the server, with its data or without.
pub fn restart(ctx: &mut Context<'_>) -> Answered {
    let keeps_data = match ctx.args.get(2) {
        Some(word) if is_option(word, "EMPTY") => false,
        Some(word) => return Err(not_understood(word)),
        None => true,
    };
    ordered(ctx, Order::Restart { keeps_data })
}

/// `MINIBROKER RESET`: removes all traces of the last test.
pub fn reset(ctx: &mut Context<'_>) -> Answered {
    ordered(ctx, Order::Reset)
}

#[allow(clippy::unnecessary_wraps)] // As all subcommands.
fn ordered(ctx: &mut Context<'_>, order: Order) -> Answered {
    ctx.reply.ok();
    Ok(Some(order))
}

/// `ALL`, or pairs of a word and a value that all have to match. The test client never matches.
fn filter(ctx: &mut Context<'_>, words: Args<'_>) -> Result<Filter, Error> {
    let test_client = Filter::id(ctx.client()?.id);
    if words.len() == 1 && is_option(&words[0], "ALL") {
        return Ok(Filter::all().except(test_client));
    }
    let mut all = Filter::all();
    for at in (0..words.len()).step_by(2) {
        let word = &words[at];
        let value = || words.get(at + 1).ok_or_else(|| without_value(word));
        let is = |known| is_option(word, known);
        let one = if is("ID") {
            Filter::id(numbers::count(value()?)? as u64)
        } else if is("NAME") {
            Filter::name(value()?)
        } else if is("ADDRESS") {
            Filter::address(String::from_utf8_lossy(value()?))
        } else if is("CHANNEL") {
            Filter::subscribed_to(value()?)
        } else if is("PATTERN") {
            Filter::subscribed_to_pattern(value()?)
        } else if is("BLOCKED") {
            Filter::blocked_on(value()?)
        } else {
            return Err(not_understood(word));
        };
        all = if at == 0 { one } else { all.and(one) };
    }
    Ok(all.except(test_client))
}
