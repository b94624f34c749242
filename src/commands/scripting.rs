//! Scripts, as far as they need no interpreter; EVAL and what else does is in [`crate::engine`], because it calls back
//! into the dispatcher.

use super::{Context, Error, Outcome};

/// SCRIPT DEBUG YES|SYNC|NO
pub fn debug(ctx: &mut Context<'_>) -> Outcome {
    let mode = ctx.args[2].to_ascii_lowercase();
    match &*mode {
        b"no" => ctx.reply.ok(),
        b"yes" | b"sync" => return Err(Error::new("ERR minibroker has no debugger of scripts")),
        _ => return Err(Error::new("ERR Use SCRIPT DEBUG YES/SYNC/NO")),
    }
    Ok(())
}

/// SCRIPT HELP
pub fn help(ctx: &mut Context<'_>) -> Outcome {
    ctx.help(&[
        "SCRIPT <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
        "DEBUG (YES|SYNC|NO)",
        "    Set the debug mode for subsequent scripts executed.",
        "EXISTS <sha1> [<sha1> ...]",
        "    Return information about the existence of the scripts in the script cache.",
        "FLUSH [ASYNC|SYNC]",
        "    Flush the Lua scripts cache. Very dangerous on replicas.",
        "    When called without the optional mode argument, the behavior is determined by the",
        "    lazyfree-lazy-user-flush configuration directive. Valid modes are:",
        "    * ASYNC: Asynchronously flush the scripts cache.",
        "    * SYNC: Synchronously flush the scripts cache.",
        "KILL",
        "    Kill the currently executing Lua script.",
        "LOAD <script>",
        "    Load a script into the scripts cache without executing it.",
        "HELP",
        "    Print this help.",
    ]);
    Ok(())
}
