//! States that somebody waits for by counting: subscribers, blocked clients, messages.

use std::fmt::{self, Write};
use std::time::Duration;

use super::faults::FaultId;
use super::pubsub::Kind;
use super::{Store, Stream, Typed};

/// How long a state is waited for unless the test says otherwise.
pub const DEFAULT_WAIT: Duration = Duration::from_secs(5);

/// A state that can be waited for. A count of 0 waits until there is none; any other until there are so many or
/// more.
#[derive(Clone, PartialEq, Eq)]
pub enum Condition {
    /// So many clients are subscribed to the channel itself.
    #[allow(missing_docs)]
    Subscribers { channel: Vec<u8>, count: usize },
    /// So many clients are subscribed to the pattern.
    #[allow(missing_docs)]
    PatternSubscribers { pattern: Vec<u8>, count: usize },
    /// So many clients wait for the key.
    #[allow(missing_docs)]
    Blocked { key: Vec<u8>, count: usize },
    /// The journal holds so many messages of the channel.
    #[allow(missing_docs)]
    Published { channel: Vec<u8>, count: usize },
    /// So many clients are connected.
    #[allow(missing_docs)]
    Clients { count: usize },
    /// So many entries of the stream have been delivered to the group and are not acknowledged.
    #[allow(missing_docs)]
    Pending { stream: Vec<u8>, group: Vec<u8>, count: usize },
    /// The key holds so many elements.
    #[allow(missing_docs)]
    Length { database: usize, key: Vec<u8>, count: usize },
    /// The fault, told in words, has struck so often.
    #[allow(missing_docs)]
    Fault { fault: FaultId, words: String, count: usize },
}

/// What there was in place of what was waited for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// How many there were, where something was to be counted.
    pub count: Option<usize>,
    /// The same in words, with what may explain it.
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

    /// How many there are now.
    fn count(&self, store: &Store) -> usize {
        match self {
            Self::Subscribers { channel, .. } => store.pubsub.subscribers(Kind::Channel, channel),
            Self::PatternSubscribers { pattern, .. } => store.pubsub.subscribers(Kind::Pattern, pattern),
            Self::Blocked { key, .. } => store.waiters.count(key),
            Self::Published { channel, .. } => store.journal.messages(channel),
            Self::Clients { .. } => store.clients.len(),
            Self::Pending { stream, group, .. } => pending(store, stream, group).unwrap_or_default(),
            Self::Length { database, key, .. } => {
                let entry =
                    store.databases.get(*database).and_then(|keys| keys.look(key, store.now.millis()));
                entry.map_or(0, |entry| entry.value.len())
            }
            Self::Fault { fault, .. } => {
                usize::try_from(store.faults.hits(*fault).unwrap_or_default()).unwrap_or(usize::MAX)
            }
        }
    }

    /// True if it is so now.
    #[must_use]
    pub fn is_met(&self, store: &Store) -> bool {
        self.is_met_by(self.count(store))
    }

    /// True if these are as many as wanted.
    #[must_use]
    pub fn is_met_by(&self, count: usize) -> bool {
        if self.wanted() == 0 { count == 0 } else { count >= self.wanted() }
    }

    /// What there is now. Where nothing is, what there is beside it may be what was meant.
    #[must_use]
    pub fn seen(&self, store: &Store) -> Seen {
        let count = self.count(store);
        let hint = if count == 0 { self.hint(store) } else { String::new() };
        Seen { count: Some(count), text: format!("{count}{hint}") }
    }

    fn hint(&self, store: &Store) -> String {
        let pubsub = &store.pubsub;
        let subscribers = |kind| pubsub.names(kind).map(move |name| (name, pubsub.subscribers(kind, name)));
        match self {
            Self::Subscribers { .. } => others("channels", subscribers(Kind::Channel)),
            Self::PatternSubscribers { .. } => others("patterns", subscribers(Kind::Pattern)),
            Self::Published { .. } => others("channels", store.journal.channels()),
            Self::Pending { stream, group, .. } if pending(store, stream, group).is_none() => {
                " (there is no such group)".to_owned()
            }
            Self::Fault { fault, .. } => match store.faults.since(*fault) {
                Some(since) if store.journal.is_on() => commands(&store.journal.commands_since(since)),
                _ => String::new(),
            },
            _ => String::new(),
        }
    }
}

/// How many pending entries a group of a stream has, in all databases; none if there is no such group.
#[must_use]
pub fn pending(store: &Store, stream: &[u8], group: &[u8]) -> Option<usize> {
    let now = store.now.millis();
    let groups = store.databases.iter().filter_map(|database| {
        let entry = database.look(stream, now)?;
        Some(Stream::of(&entry.value)?.groups().get(group)?.pending().len())
    });
    groups.reduce(|all, more| all + more)
}

/// How many names a hint shows.
const NAMES_SHOWN: usize = 5;

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

/// ` (commands since: INCRBY 2)`: what a fault did not strike.
fn commands(names: &[(String, usize)]) -> String {
    if names.is_empty() {
        return " (no client has sent a command since)".to_owned();
    }
    let shown =
        names.iter().take(COMMANDS_SHOWN).map(|(name, count)| format!("{} {count}", name.escape_debug()));
    let more = if names.len() > COMMANDS_SHOWN { ", ..." } else { "" };
    format!(" (commands since: {}{more})", shown.collect::<Vec<_>>().join(", "))
}

/// The state in a line: `2 clients, 1 blocked; 3 keys; subscribers: "chat" 2`.
#[must_use]
pub fn summary(store: &Store) -> String {
    let now = store.now.millis();
    let keys: usize = store
        .databases
        .iter()
        .map(|database| {
            database.iter().filter(|(_, entry)| entry.expires().is_none_or(|at| at > now)).count()
        })
        .sum();
    let mut text =
        format!("{} clients, {} blocked; {keys} keys", store.clients.len(), store.waiters.blocked());
    for (kind, what) in [(Kind::Channel, "subscribers"), (Kind::Pattern, "pattern subscribers")] {
        let pubsub = &store.pubsub;
        let names = pubsub.names(kind).map(|name| (name, pubsub.subscribers(kind, name)));
        let counts: Vec<_> = names
            .take(NAMES_SHOWN)
            .map(|(name, count)| format!("\"{}\" {count}", name.escape_ascii()))
            .collect();
        if !counts.is_empty() {
            let more = if pubsub.names(kind).len() > NAMES_SHOWN { ", ..." } else { "" };
            let _ = write!(text, "; {what}: {}{more}", counts.join(", "));
        }
    }
    text
}

/// What is waited for.
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
                let strikes = if *count == 1 { "strike" } else { "strikes" };
                return write!(f, "{count} {strikes} of the fault `{words}`");
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
