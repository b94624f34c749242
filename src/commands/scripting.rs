//! The script commands that need no interpreter. EVAL and the others are in `crate::engine`, as scripts run other
//! commands.

use crate::spec::{Context, Error, Outcome};

/// SCRIPT DEBUG YES|SYNC|NO
pub fn debug(ctx: &mut Context<'_>) -> Outcome {
    if !ctx.reply.is_first() {
        return Err(Error::new("ERR SCRIPT DEBUG must be called outside a pipeline"));
    }
    let mode = ctx.args[2].to_ascii_lowercase();
    match &*mode {
        b"no" => ctx.reply.ok(),
        b"yes" | b"sync" => return Err(Error::new("ERR minibroker has no debugger of scripts")),
        _ => return Err(Error::new("ERR Use SCRIPT DEBUG YES/SYNC/NO")),
    }
    Ok(())
}
