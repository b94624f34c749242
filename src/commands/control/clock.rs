//! MINIBROKER ADVANCE and SETTIME: the broker's clock is moved.

use std::time::Duration;

use super::super::numbers;
use super::super::{Context, Error};
use super::{Answered, Order};
use crate::data::Time;

/// A time that has passed.
const PASSED: Error = Error::constant(&"ERR the time has passed, and the clock never goes back");

/// `MINIBROKER ADVANCE milliseconds`: all that this time brings has happened when the answer comes.
pub fn advance(ctx: &mut Context<'_>) -> Answered {
    let by = Duration::from_millis(numbers::count(&ctx.args[2])? as u64);
    ctx.reply.ok();
    Ok(Some(Order::MoveClock(ctx.store.now + by)))
}

/// `MINIBROKER SETTIME milliseconds`, since the Unix epoch.
pub fn settime(ctx: &mut Context<'_>) -> Answered {
    let millis = i64::try_from(numbers::count(&ctx.args[2])?).map_err(|_| Error::OUT_OF_RANGE)?;
    let time = Time::from_millis(millis);
    if time < ctx.store.now {
        return Err(PASSED);
    }
    ctx.reply.ok();
    Ok(Some(Order::MoveClock(time)))
}
