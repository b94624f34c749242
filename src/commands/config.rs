//! The family config.

use super::{Context, Error, Outcome};

/// GET
pub fn get(ctx: &mut Context<'_>) -> Outcome {
    let _ = ctx;
    Err(Error::new("ERR not there yet"))
}

/// SET
pub fn set(ctx: &mut Context<'_>) -> Outcome {
    let _ = ctx;
    Err(Error::new("ERR not there yet"))
}

/// RESETSTAT
pub fn resetstat(ctx: &mut Context<'_>) -> Outcome {
    let _ = ctx;
    Err(Error::new("ERR not there yet"))
}

/// HELP
pub fn help(ctx: &mut Context<'_>) -> Outcome {
    let _ = ctx;
    Err(Error::new("ERR not there yet"))
}
