//! HELP of all commands that have subcommands: the help texts of their rows.

use crate::config::Version;
use crate::spec::{Context, Outcome};

/// The help text of HELP itself, and the one before Redis 7.2.
const OF_HELP: &str = "    Print this help.";
const OF_HELP_IN_7_0: &str = "    Prints this help.";

/// The HELP of a container, or of a command that reads its subcommands itself.
///
/// # Errors
///
/// None: all commands have this return type.
pub fn help(ctx: &mut Context<'_>) -> Outcome {
    let command = ctx.command.container().unwrap_or(ctx.command);
    let is_old = ctx.state.config.compat < Version::Redis7_4;
    let name = command.name.to_uppercase();
    let first = format!("{name} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:");
    let last = ["HELP", if is_old { OF_HELP_IN_7_0 } else { OF_HELP }];
    ctx.reply.array(1 + command.help.len() + last.len());
    ctx.reply.simple(&first);
    for line in command.help.iter().chain(&last) {
        ctx.reply.simple(line);
    }
    Ok(())
}
