//! The family client.

use super::{Context, Error, Outcome};

/// ID
pub fn id(ctx: &mut Context<'_>) -> Outcome {
    let _ = ctx;
    Err(Error::new("ERR not there yet"))
}

/// INFO
pub fn info(ctx: &mut Context<'_>) -> Outcome {
    let _ = ctx;
    Err(Error::new("ERR not there yet"))
}

/// LIST
pub fn list(ctx: &mut Context<'_>) -> Outcome {
    let _ = ctx;
    Err(Error::new("ERR not there yet"))
}

/// SETNAME
pub fn setname(ctx: &mut Context<'_>) -> Outcome {
    let _ = ctx;
    Err(Error::new("ERR not there yet"))
}

/// GETNAME
pub fn getname(ctx: &mut Context<'_>) -> Outcome {
    let _ = ctx;
    Err(Error::new("ERR not there yet"))
}

/// SETINFO
pub fn setinfo(ctx: &mut Context<'_>) -> Outcome {
    let _ = ctx;
    Err(Error::new("ERR not there yet"))
}

/// KILL
pub fn kill(ctx: &mut Context<'_>) -> Outcome {
    let _ = ctx;
    Err(Error::new("ERR not there yet"))
}

/// UNBLOCK
pub fn unblock(ctx: &mut Context<'_>) -> Outcome {
    let _ = ctx;
    Err(Error::new("ERR not there yet"))
}

/// PAUSE
pub fn pause(ctx: &mut Context<'_>) -> Outcome {
    let _ = ctx;
    Err(Error::new("ERR not there yet"))
}

/// UNPAUSE
pub fn unpause(ctx: &mut Context<'_>) -> Outcome {
    let _ = ctx;
    Err(Error::new("ERR not there yet"))
}

/// REPLY
pub fn reply(ctx: &mut Context<'_>) -> Outcome {
    let _ = ctx;
    Err(Error::new("ERR not there yet"))
}

/// NO_EVICT
pub fn no_evict(ctx: &mut Context<'_>) -> Outcome {
    let _ = ctx;
    Err(Error::new("ERR not there yet"))
}

/// NO_TOUCH
pub fn no_touch(ctx: &mut Context<'_>) -> Outcome {
    let _ = ctx;
    Err(Error::new("ERR not there yet"))
}

/// HELP
pub fn help(ctx: &mut Context<'_>) -> Outcome {
    let _ = ctx;
    Err(Error::new("ERR not there yet"))
}
