//! MINIBROKER: what a test in another language does with its broker, over any connection to it.
//!
//! It is there only when the broker was started so that it may be controlled; else it is as unknown as to Redis. It
//! stands in no list of commands, in no journal and in no statistics, and MONITOR does not show it.

mod clock;
mod journal;
mod waitfor;

use super::{Context, Error, Outcome};
use crate::commands::numbers::is_option;

pub use journal::is_of_key;
pub use waitfor::condition;

/// The name of the command.
pub const NAME: &str = "minibroker";

type Subcommand = (&'static str, std::ops::RangeInclusive<usize>, fn(&mut Context<'_>) -> Outcome);

/// Each with the numbers of arguments that it takes, both names included.
const SUBCOMMANDS: &[Subcommand] = &[
    ("ADVANCE", 3..=3, clock::advance),
    ("HELP", 2..=2, help),
    ("JOURNAL", 2..=usize::MAX, journal::journal),
    ("LOST", 2..=2, journal::lost),
    ("PUBLISHED", 3..=4, journal::published),
    ("SETTIME", 3..=3, clock::settime),
    ("WAITFOR", 4..=7, waitfor::waitfor),
];

/// `MINIBROKER subcommand [argument ...]`.
pub fn minibroker(ctx: &mut Context<'_>) -> Outcome {
    let name = ctx.args.get(1).ok_or_else(|| Error::arity(NAME))?;
    let count = ctx.args.len();
    let found =
        SUBCOMMANDS.iter().find(|(known, counts, _)| is_option(name, known) && counts.contains(&count));
    let (_, _, run) = found.ok_or_else(|| Error::subcommand_syntax(name, "MINIBROKER"))?;
    run(ctx)
}

/// `MINIBROKER HELP`
#[allow(clippy::unnecessary_wraps)]
fn help(ctx: &mut Context<'_>) -> Outcome {
    ctx.help(HELP);
    Ok(())
}

const HELP: &[&str] = &[
    "MINIBROKER <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
    "ADVANCE <milliseconds>",
    "    Moves the clock ahead. All that this time brings has happened when the answer comes: keys have expired, whoever",
    "    waited too long has been told. --manual-clock has time stand still otherwise.",
    "JOURNAL [CLIENT <id-name-or-address>] [COMMAND <name>] [CHANNEL <channel>] [KEY <key>] [COUNT <count>]",
    "    What has happened, a line each, the oldest first; with COUNT the last so many.",
    "LOST",
    "    The messages that a subscriber should have got and did not, a line each. None: no message was lost.",
    "PUBLISHED <channel> [FULL]",
    "    Every message that was published on the channel: the payloads; with FULL a map for each.",
    "SETTIME <milliseconds since the Unix epoch>",
    "    Moves the clock ahead to this time.",
    "WAITFOR SUBSCRIBERS <channel> <count> [<milliseconds>]",
    "WAITFOR PATTERNSUBSCRIBERS <pattern> <count> [<milliseconds>]",
    "WAITFOR BLOCKED <key> <count> [<milliseconds>]",
    "WAITFOR PUBLISHED <channel> <count> [<milliseconds>]",
    "WAITFOR LENGTH <key> <count> [<milliseconds>]",
    "WAITFOR CLIENTS <count> [<milliseconds>]",
    "WAITFOR PENDING <stream> <group> <count> [<milliseconds>]",
    "    Answers OK as soon as there are so many or more, with a count of 0 as soon as there is none. An error tells",
    "    what there was instead, after 5000 milliseconds unless said. This connection is one of the CLIENTS.",
    "HELP",
    "    This text.",
];
