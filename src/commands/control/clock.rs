//! MINIBROKER ADVANCE and SETTIME: the broker's clock is moved.

use super::{Answered, Order, time};
use crate::data::Time;
use crate::spec::numbers;
use crate::spec::{Context, Error};

/// A time that has passed.
const PASSED: Error = Error::constant(&"ERR the time has passed, and the clock never goes back");
/// A time after [`Time::LAST`].
const TOO_FAR: Error = Error::constant(
    &"ERR the clock goes to the end of the year 9999 at most, which is 253402300799999 milliseconds",
);

/// `MINIBROKER ADVANCE time`: all that is due within this time has happened before the reply.
pub fn advance(ctx: &mut Context<'_>) -> Answered {
    let by = time::duration(&ctx.args[2])?;
    move_to(ctx, ctx.state.now + by)
}

/// `MINIBROKER SETTIME milliseconds`, since the Unix epoch.
pub fn settime(ctx: &mut Context<'_>) -> Answered {
    let millis = numbers::count(&ctx.args[2]).ok().and_then(|millis| i64::try_from(millis).ok());
    let millis = millis.ok_or_else(|| {
        Error::quoting(
            "ERR '",
            &ctx.args[2],
            "' is no time: a whole number of milliseconds since the Unix epoch is",
        )
    })?;
    move_to(ctx, Time::from_millis(millis))
}

fn move_to(ctx: &mut Context<'_>, time: Time) -> Answered {
    if time < ctx.state.now {
        return Err(PASSED);
    }
    if time > Time::LAST {
        return Err(TOO_FAR);
    }
    ctx.reply.ok();
    Ok(Some(Order::MoveClock(time)))
}
