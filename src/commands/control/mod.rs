//! MINIBROKER: what a test in another language does with its broker, over any connection to it.
//!
//! It is there only when the broker was started so that it may be controlled; else it is as unknown as to Redis. It
//! stands in no list of commands and in no journal, and MONITOR does not show it; INFO counts it only where it is refused.

mod clients;
mod clock;
mod faults;
mod journal;
mod time;
mod waitfor;

use crate::spec::{Context, Error};
use std::time::Duration;

use crate::clients::FaultId;
use crate::clients::Filter;
use crate::data::Time;
use crate::resp::Reply;
use crate::spec::numbers::is_option;

pub use journal::is_of_key;
pub use waitfor::condition;

/// What was not recorded cannot be told.
const NOTHING_RECORDED: Error = Error::constant(&"ERR this broker records nothing");

/// The name of the command.
pub const NAME: &str = "minibroker";

/// What a subcommand wants done by the engine, once its own answer is written.
#[derive(Clone, Debug)]
pub enum Order {
    /// The clock is moved to this time, and all that is due until then happens.
    MoveClock(Time),
    /// These faults end, and what they hold goes on.
    EndFaults(Vec<FaultId>),
    /// These clients are cut off.
    Kill(Filter),
    /// These clients are not read from any more, or not written to.
    #[allow(missing_docs)]
    Hold { filter: Filter, writing: bool },
    /// Nobody is held any more.
    Release,
    /// Connections are refused, for so long or until the tester says otherwise or goes.
    Refuse(Option<Duration>),
    /// Connections are taken.
    Accept,
    /// All but the tester are cut off, and nobody can connect, for so long or until the tester says otherwise or goes.
    Stop(Option<Duration>),
    /// The broker begins anew, but for the tester.
    #[allow(missing_docs)]
    Restart { keeps_data: bool },
    /// The broker is as it was at its start, but for the tester and the clock.
    Reset,
}

/// What a subcommand comes to.
type Answered = Result<Option<Order>, Error>;

type Subcommand = (&'static str, std::ops::RangeInclusive<usize>, fn(&mut Context<'_>) -> Answered);

/// Each with the numbers of arguments that it takes, both names included.
const SUBCOMMANDS: &[Subcommand] = &[
    ("ACCEPT", 2..=2, clients::accept),
    ("ADVANCE", 3..=3, clock::advance),
    ("FAULT", 3..=usize::MAX, faults::fault),
    ("HELP", 2..=2, help),
    ("HOLD", 4..=usize::MAX, clients::hold),
    ("JOURNAL", 2..=usize::MAX, journal::journal),
    ("KILL", 3..=usize::MAX, clients::kill),
    ("LOST", 2..=2, journal::lost),
    ("PUBLISHED", 3..=4, journal::published),
    ("REFUSE", 2..=3, clients::refuse),
    ("RELEASE", 2..=2, clients::release),
    ("RESET", 2..=2, clients::reset),
    ("RESTART", 2..=3, clients::restart),
    ("SETTIME", 3..=3, clock::settime),
    ("STOP", 2..=3, clients::stop),
    ("WAITFOR", 4..=7, waitfor::waitfor),
];

/// `MINIBROKER subcommand [argument ...]`.
///
/// # Errors
///
/// A subcommand that is not there, or not with so many arguments, and what the subcommand says.
pub fn minibroker(ctx: &mut Context<'_>) -> Result<Option<Order>, Error> {
    let name = ctx.args.get(1).ok_or_else(|| Error::arity(NAME))?;
    let count = ctx.args.len();
    let found =
        SUBCOMMANDS.iter().find(|(known, counts, _)| is_option(name, known) && counts.contains(&count));
    let (_, _, run) = found.ok_or_else(|| Error::subcommand_syntax(name, "MINIBROKER"))?;
    run(ctx)
}

/// `MINIBROKER HELP`
#[allow(clippy::unnecessary_wraps)] // As all subcommands.
fn help(ctx: &mut Context<'_>) -> Answered {
    ctx.help(HELP);
    Ok(None)
}

/// A word that has no meaning where it stands.
fn not_understood(word: &[u8]) -> Error {
    Error::quoting("ERR syntax error at '", word, "'. Try MINIBROKER HELP.")
}

/// A word behind which its value is missing.
fn without_value(word: &[u8]) -> Error {
    Error::quoting("ERR syntax error: nothing stands behind '", word, "'. Try MINIBROKER HELP.")
}

fn write_lines(reply: &mut Reply<'_>, lines: &[String]) {
    reply.array(lines.len());
    for line in lines {
        reply.bulk(line.as_bytes());
    }
}

const HELP: &[&str] = &[
    "MINIBROKER <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
    "WAITFOR SUBSCRIBERS <channel> <count> [<time>]",
    "WAITFOR PATTERNSUBSCRIBERS <pattern> <count> [<time>]",
    "WAITFOR BLOCKED <key> <count> [<time>]",
    "WAITFOR PUBLISHED <channel> <count> [<time>]",
    "WAITFOR LENGTH <key> <count> [<time>]",
    "WAITFOR CLIENTS <count> [<time>]",
    "WAITFOR PENDING <stream> <group> <count> [<time>]",
    "WAITFOR FAULT <number> <hits> [<time>]",
    "    Answers OK as soon as there are so many or more, with a count of 0 as soon as there is none. An error tells",
    "    what there was instead, after 5 seconds unless said. This connection is one of the CLIENTS.",
    "PUBLISHED <channel> [FULL]",
    "    Every message that was published on the channel: the payloads; with FULL a map for each.",
    "JOURNAL [CLIENT <id-name-or-address>] [COMMAND <name>] [CHANNEL <channel>] [KEY <key>] [COUNT <count>]",
    "    What has happened, a line each, the oldest first; with COUNT the last so many.",
    "LOST",
    "    The messages that a subscriber should have got and did not, a line each. None: no message was lost.",
    "ADVANCE <time>",
    "    Moves the clock ahead. All that this time brings has happened when the answer comes: keys have expired, whoever",
    "    waited too long has been told. With --manual-clock time stands still otherwise. A time is a whole number of",
    "    milliseconds, or has a unit: 500ms, 1.5s, 5m, 2h, 1d. So it is wherever a time is asked for.",
    "SETTIME <milliseconds since the Unix epoch>",
    "    Moves the clock ahead to this time; it goes to the end of the year 9999.",
    "FAULT ADD [COMMAND <name>] [KEY <pattern>] [CLIENT <id-name-or-address>] [CHANNEL <name>] [CHANNELS <pattern>]",
    "          [NTH <n> | EVERY <n> | ONCE | PROBABILITY <p>] <action>",
    "    Breaks what is named, every time unless said, until it ends; answers the number of the fault. All that stands behind",
    "    ADD may have any order. Actions on commands:",
    "    ERROR <text>, DELAY <time>, DISCONNECT (in place of running it), DISCONNECTAFTER (it has run, the answer is",
    "    lost), DISCONNECTINREPLY <bytes>, LOADING, READONLY, OUTOFMEMORY, NOAUTH, BUSY. Actions on messages: DROP,",
    "    DUPLICATE, DELAY <time> with a channel, DELAYMESSAGES <time> with a client.",
    "FAULT LIST | HITS <number> | END <number>|ALL",
    "    The faults, how often one has struck, the end of it.",
    "KILL ALL | [NAME <name>] [ID <id>] [ADDRESS <ip:port>] [CHANNEL <channel>] [PATTERN <pattern>] [BLOCKED <key>]",
    "    Cuts off the clients that fit all of it, never this connection. Answers how many they were.",
    "HOLD READING|WRITING ALL | [NAME <name>] ...",
    "    Does not read what these clients send, or does not write what they are sent, until RELEASE. Answers how many.",
    "RELEASE",
    "    Goes on with all who were held.",
    "REFUSE [<time>] | ACCEPT",
    "    Refuses new connections; takes them again.",
    "STOP [<time>] | RESTART [EMPTY]",
    "    Cuts off all but this connection and refuses others; begins anew on the same port, with the data or without.",
    "    With a time REFUSE and STOP end by themselves when it has passed, on the clock of the system; without, when the",
    "    connection that has sent them ends, as nobody could connect to end them. After STOP the data is kept.",
    "RESET",
    "    Makes the broker as it was at its start: no data, no other clients, no faults, an empty journal. But the clock",
    "    never goes back: it stays where ADVANCE and SETTIME have brought it.",
    "HELP",
    "    This text.",
];
