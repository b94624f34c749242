//! The family pubsub.

use super::{Context, Error, Outcome};

/// PSUBSCRIBE
pub fn psubscribe(ctx: &mut Context<'_>) -> Outcome {
    let _ = ctx;
    Err(Error::new("ERR not there yet"))
}

/// PUBLISH
pub fn publish(ctx: &mut Context<'_>) -> Outcome {
    let _ = ctx;
    Err(Error::new("ERR not there yet"))
}

/// PUNSUBSCRIBE
pub fn punsubscribe(ctx: &mut Context<'_>) -> Outcome {
    let _ = ctx;
    Err(Error::new("ERR not there yet"))
}

/// SPUBLISH
pub fn spublish(ctx: &mut Context<'_>) -> Outcome {
    let _ = ctx;
    Err(Error::new("ERR not there yet"))
}

/// SSUBSCRIBE
pub fn ssubscribe(ctx: &mut Context<'_>) -> Outcome {
    let _ = ctx;
    Err(Error::new("ERR not there yet"))
}

/// SUBSCRIBE
pub fn subscribe(ctx: &mut Context<'_>) -> Outcome {
    let _ = ctx;
    Err(Error::new("ERR not there yet"))
}

/// SUNSUBSCRIBE
pub fn sunsubscribe(ctx: &mut Context<'_>) -> Outcome {
    let _ = ctx;
    Err(Error::new("ERR not there yet"))
}

/// UNSUBSCRIBE
pub fn unsubscribe(ctx: &mut Context<'_>) -> Outcome {
    let _ = ctx;
    Err(Error::new("ERR not there yet"))
}

/// PUBSUB_CHANNELS
pub fn pubsub_channels(ctx: &mut Context<'_>) -> Outcome {
    let _ = ctx;
    Err(Error::new("ERR not there yet"))
}

/// PUBSUB_NUMSUB
pub fn pubsub_numsub(ctx: &mut Context<'_>) -> Outcome {
    let _ = ctx;
    Err(Error::new("ERR not there yet"))
}

/// PUBSUB_NUMPAT
pub fn pubsub_numpat(ctx: &mut Context<'_>) -> Outcome {
    let _ = ctx;
    Err(Error::new("ERR not there yet"))
}

/// PUBSUB_SHARDCHANNELS
pub fn pubsub_shardchannels(ctx: &mut Context<'_>) -> Outcome {
    let _ = ctx;
    Err(Error::new("ERR not there yet"))
}

/// PUBSUB_SHARDNUMSUB
pub fn pubsub_shardnumsub(ctx: &mut Context<'_>) -> Outcome {
    let _ = ctx;
    Err(Error::new("ERR not there yet"))
}

/// PUBSUB_HELP
pub fn pubsub_help(ctx: &mut Context<'_>) -> Outcome {
    let _ = ctx;
    Err(Error::new("ERR not there yet"))
}
