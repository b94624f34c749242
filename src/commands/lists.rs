//! The family lists.

use super::{Context, Error, Outcome};

/// BLMOVE
pub fn blmove(ctx: &mut Context<'_>) -> Outcome {
    let _ = ctx;
    Err(Error::new("ERR not there yet"))
}

/// BLMPOP
pub fn blmpop(ctx: &mut Context<'_>) -> Outcome {
    let _ = ctx;
    Err(Error::new("ERR not there yet"))
}

/// BLPOP
pub fn blpop(ctx: &mut Context<'_>) -> Outcome {
    let _ = ctx;
    Err(Error::new("ERR not there yet"))
}

/// BRPOP
pub fn brpop(ctx: &mut Context<'_>) -> Outcome {
    let _ = ctx;
    Err(Error::new("ERR not there yet"))
}

/// BRPOPLPUSH
pub fn brpoplpush(ctx: &mut Context<'_>) -> Outcome {
    let _ = ctx;
    Err(Error::new("ERR not there yet"))
}

/// LINDEX
pub fn lindex(ctx: &mut Context<'_>) -> Outcome {
    let _ = ctx;
    Err(Error::new("ERR not there yet"))
}

/// LINSERT
pub fn linsert(ctx: &mut Context<'_>) -> Outcome {
    let _ = ctx;
    Err(Error::new("ERR not there yet"))
}

/// LLEN
pub fn llen(ctx: &mut Context<'_>) -> Outcome {
    let _ = ctx;
    Err(Error::new("ERR not there yet"))
}

/// LMOVE
pub fn lmove(ctx: &mut Context<'_>) -> Outcome {
    let _ = ctx;
    Err(Error::new("ERR not there yet"))
}

/// LMPOP
pub fn lmpop(ctx: &mut Context<'_>) -> Outcome {
    let _ = ctx;
    Err(Error::new("ERR not there yet"))
}

/// LPOP
pub fn lpop(ctx: &mut Context<'_>) -> Outcome {
    let _ = ctx;
    Err(Error::new("ERR not there yet"))
}

/// LPOS
pub fn lpos(ctx: &mut Context<'_>) -> Outcome {
    let _ = ctx;
    Err(Error::new("ERR not there yet"))
}

/// LPUSH
pub fn lpush(ctx: &mut Context<'_>) -> Outcome {
    let _ = ctx;
    Err(Error::new("ERR not there yet"))
}

/// LPUSHX
pub fn lpushx(ctx: &mut Context<'_>) -> Outcome {
    let _ = ctx;
    Err(Error::new("ERR not there yet"))
}

/// LRANGE
pub fn lrange(ctx: &mut Context<'_>) -> Outcome {
    let _ = ctx;
    Err(Error::new("ERR not there yet"))
}

/// LREM
pub fn lrem(ctx: &mut Context<'_>) -> Outcome {
    let _ = ctx;
    Err(Error::new("ERR not there yet"))
}

/// LSET
pub fn lset(ctx: &mut Context<'_>) -> Outcome {
    let _ = ctx;
    Err(Error::new("ERR not there yet"))
}

/// LTRIM
pub fn ltrim(ctx: &mut Context<'_>) -> Outcome {
    let _ = ctx;
    Err(Error::new("ERR not there yet"))
}

/// RPOP
pub fn rpop(ctx: &mut Context<'_>) -> Outcome {
    let _ = ctx;
    Err(Error::new("ERR not there yet"))
}

/// RPOPLPUSH
pub fn rpoplpush(ctx: &mut Context<'_>) -> Outcome {
    let _ = ctx;
    Err(Error::new("ERR not there yet"))
}

/// RPUSH
pub fn rpush(ctx: &mut Context<'_>) -> Outcome {
    let _ = ctx;
    Err(Error::new("ERR not there yet"))
}

/// RPUSHX
pub fn rpushx(ctx: &mut Context<'_>) -> Outcome {
    let _ = ctx;
    Err(Error::new("ERR not there yet"))
}
