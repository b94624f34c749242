//! The family transactions.

use super::{Context, Error, Outcome};

/// MULTI
pub fn multi(ctx: &mut Context<'_>) -> Outcome {
    let _ = ctx;
    Err(Error::new("ERR not there yet"))
}

/// DISCARD
pub fn discard(ctx: &mut Context<'_>) -> Outcome {
    let _ = ctx;
    Err(Error::new("ERR not there yet"))
}

/// WATCH
pub fn watch(ctx: &mut Context<'_>) -> Outcome {
    let _ = ctx;
    Err(Error::new("ERR not there yet"))
}

/// UNWATCH
pub fn unwatch(ctx: &mut Context<'_>) -> Outcome {
    let _ = ctx;
    Err(Error::new("ERR not there yet"))
}
