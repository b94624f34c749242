//! MINIBROKER: what a test in another language does with its broker, over any connection to it.
//!
//! It exists only if the broker was started with control enabled; otherwise it is unknown, as in Redis. It is in no
//! list of commands and in no journal, and MONITOR does not show it; INFO counts it only where it is refused.

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

/// Without a journal there is nothing to list.
const NOTHING_RECORDED: Error = Error::constant(&"ERR this broker records nothing");

/// The name of the command.
pub const NAME: &str = "minibroker";

/// What the engine has to do for a subcommand once its reply is written.
#[derive(Clone, Debug)]
pub enum Order {
    /// The clock is moved to this time, and all that is due until then happens.
    MoveClock(Time),
    /// These faults end, and what they held back continues.
    EndFaults(Vec<FaultId>),
    /// These clients are disconnected.
    Kill(Filter),
    /// These clients are not read from any more, or not written to.
    #[allow(missing_docs)]
    Hold { filter: Filter, writing: bool },
    /// No client is held any more.
    Release,
    /// Connections are refused, for this time or until the test client ends the refusal or disconnects.
    Refuse(Option<Duration>),
    /// Connections are accepted.
    Accept,
    /// All but the test client are disconnected and none can connect, for this time or until the test client ends it
    /// or disconnects.
    Stop(Option<Duration>),
    /// The broker restarts; the test client stays connected.
    #[allow(missing_docs)]
    Restart { keeps_data: bool },
    /// The broker is as it was at its start, except for the test client and the clock.
    Reset,
}

/// The result of a subcommand.
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
/// A subcommand that does not exist, or not with this number of arguments, and what the subcommand says.
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
    super::help::help(ctx)?;
    Ok(None)
}

/// A word that has no meaning at its position.
fn not_understood(word: &[u8]) -> Error {
    Error::quoting("ERR syntax error at '", word, "'. Try MINIBROKER HELP.")
}

/// A word whose value is missing.
fn without_value(word: &[u8]) -> Error {
    Error::quoting("ERR syntax error: '", word, "' needs a value. Try MINIBROKER HELP.")
}

fn write_lines(reply: &mut Reply<'_>, lines: &[String]) {
    reply.array(lines.len());
    for line in lines {
        reply.bulk(line.as_bytes());
    }
}
