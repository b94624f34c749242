//! States that a test waits for by counting: subscribers, blocked clients, messages.

use std::fmt::{self, Write};
use std::time::Duration;

use crate::clients::FaultId;

/// How long a test waits for a state unless it sets another time.
pub const DEFAULT_WAIT: Duration = Duration::from_secs(5);

/// A state that can be waited for. A count of 0 waits until there is none; any other until there are that many or
/// more.
#[derive(Clone, PartialEq, Eq)]
pub enum Condition {
    /// `count` clients are subscribed to the channel itself.
    #[allow(missing_docs)]
    Subscribers { channel: Vec<u8>, count: usize },
    /// `count` clients are subscribed to the pattern.
    #[allow(missing_docs)]
    PatternSubscribers { pattern: Vec<u8>, count: usize },
    /// `count` clients wait for the key.
    #[allow(missing_docs)]
    Blocked { key: Vec<u8>, count: usize },
    /// The journal contains `count` messages of the channel.
    #[allow(missing_docs)]
    Published { channel: Vec<u8>, count: usize },
    /// `count` clients are connected.
    #[allow(missing_docs)]
    Clients { count: usize },
    /// `count` entries of the stream are pending in the group.
    #[allow(missing_docs)]
    Pending { stream: Vec<u8>, group: Vec<u8>, count: usize },
    /// The key has `count` elements.
    #[allow(missing_docs)]
    Length { database: usize, key: Vec<u8>, count: usize },
    /// The fault, described by `words`, has hit `count` times.
    #[allow(missing_docs)]
    Fault { fault: FaultId, words: String, count: usize },
}

/// The actual state in place of the one that was waited for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// How many there were, if the condition counts something.
    pub count: Option<usize>,
    /// The same in words, with a hint at the cause.
    pub text: String,
}

impl Condition {
    fn wanted(&self) -> usize {
        match self {
            Self::Subscribers { count, .. }
            | Self::PatternSubscribers { count, .. }
            | Self::Blocked { count, .. }
            | Self::Published { count, .. }
            | Self::Clients { count }
            | Self::Pending { count, .. }
            | Self::Length { count, .. }
            | Self::Fault { count, .. } => *count,
        }
    }

    /// True if `count` meets the condition.
    #[must_use]
    pub fn is_met_by(&self, count: usize) -> bool {
        if self.wanted() == 0 { count == 0 } else { count >= self.wanted() }
    }
}

/// How many names a hint shows.
pub const NAMES_SHOWN: usize = 5;

/// ` (other channels: "chta" 1)`, or nothing.
#[must_use]
pub fn others<'a>(what: &str, names: impl Iterator<Item = (&'a [u8], usize)>) -> String {
    let mut text = String::new();
    for (index, (name, count)) in names.enumerate() {
        if index == NAMES_SHOWN {
            text.push_str(", ...");
            break;
        }
        let comma = if index == 0 { "" } else { ", " };
        // Writing into a string does not fail.
        let _ = write!(text, "{comma}\"{}\" {count}", name.escape_ascii());
    }
    if text.is_empty() { text } else { format!(" (other {what}: {text})") }
}

/// How many commands a hint names.
const COMMANDS_SHOWN: usize = 10;

/// ` (commands since: INCRBY 2)`: the commands that a fault did not hit.
#[must_use]
pub fn commands(names: &[(String, usize)]) -> String {
    if names.is_empty() {
        return " (no client has sent a command since)".to_owned();
    }
    let shown =
        names.iter().take(COMMANDS_SHOWN).map(|(name, count)| format!("{} {count}", name.escape_debug()));
    let more = if names.len() > COMMANDS_SHOWN { ", ..." } else { "" };
    format!(" (commands since: {}{more})", shown.collect::<Vec<_>>().join(", "))
}

/// The condition in words.
impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (count, one, more, name) = match self {
            Self::Subscribers { channel, count } => {
                (*count, "subscriber of channel", "subscribers of channel", channel)
            }
            Self::PatternSubscribers { pattern, count } => {
                (*count, "subscriber of pattern", "subscribers of pattern", pattern)
            }
            Self::Blocked { key, count } => (*count, "client blocked on key", "clients blocked on key", key),
            Self::Published { channel, count } => {
                (*count, "message published on channel", "messages published on channel", channel)
            }
            Self::Fault { words, count, .. } => {
                let hits = if *count == 1 { "hit" } else { "hits" };
                return write!(f, "{count} {hits} of the fault `{words}`");
            }
            Self::Length { key, count, .. } => (*count, "element in key", "elements in key", key),
            Self::Clients { count } => {
                return write!(f, "{count} {}", if *count == 1 { "client" } else { "clients" });
            }
            Self::Pending { stream, group, count } => {
                let entries = if *count == 1 { "entry" } else { "entries" };
                let (stream, group) = (stream.escape_ascii(), group.escape_ascii());
                return write!(f, "{count} pending {entries} of group \"{group}\" of stream \"{stream}\"");
            }
        };
        let what = if count == 1 { one } else { more };
        write!(f, "{count} {what} \"{}\"", name.escape_ascii())
    }
}

impl fmt::Debug for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
