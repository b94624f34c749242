//! Waiting for a state of the broker, by events and not by polling.

use std::any::Any;
use std::cell::Cell;
use std::fmt::{self, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use parking_lot::Mutex;

use crate::store::faults::FaultId;
use crate::store::pubsub::Kind;
use crate::store::{Store, Stream, Typed};

/// A question to the state. It is asked with the engine's lock held, by whoever has changed something.
pub type Predicate = Box<dyn FnMut(&Store) -> bool + Send>;

/// A state that can be waited for. A count of 0 waits until there is none; any other until there are so many or
/// more.
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
    /// The fault, told in words, has struck so often.
    #[allow(missing_docs)]
    Fault { fault: FaultId, words: String, count: usize },
    /// Whatever the embedding program asks for.
    Until(Predicate),
}

/// The predicate of a wait has panicked; what it panicked with.
pub type Panicked = Box<dyn Any + Send>;

/// What there was in place of what was waited for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// How many there were, where something was to be counted.
    pub count: Option<usize>,
    /// The same in words, with what may explain it.
    pub text: String,
}

thread_local! {
    static LOOKING: Cell<bool> = const { Cell::new(false) };
}

/// What would wait for the engine's lock for ever panics.
///
/// # Panics
///
/// This thread is in the predicate of a wait.
pub fn assert_not_looking() {
    assert!(
        !LOOKING.get(),
        "the predicate of `wait_until` has used the broker, which waits for it: it may only look at the state that it \
         is given"
    );
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

impl Condition {
    fn wanted(&self) -> usize {
        match self {
            Self::Subscribers { count, .. }
            | Self::PatternSubscribers { count, .. }
            | Self::Blocked { count, .. }
            | Self::Published { count, .. }
            | Self::Clients { count }
            | Self::Pending { count, .. }
            | Self::Fault { count, .. } => *count,
            Self::Until(_) => 0,
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
            Self::Fault { fault, .. } => {
                usize::try_from(store.faults.hits(*fault).unwrap_or_default()).unwrap_or(usize::MAX)
            }
            Self::Until(_) => 0,
        }
    }

    fn is_met(&mut self, store: &Store) -> bool {
        if let Self::Until(predicate) = self {
            let _end = Looking::begin();
            return predicate(store);
        }
        let count = self.count(store);
        if self.wanted() == 0 { count == 0 } else { count >= self.wanted() }
    }

    /// What there is now. Where nothing is, what there is beside it may be what was meant.
    fn seen(&self, store: &Store) -> Seen {
        let count = self.count(store);
        let hint = if count == 0 { self.hint(store) } else { String::new() };
        match self {
            Self::Until(_) => Seen { count: None, text: summary(store) },
            _ => Seen { count: Some(count), text: format!("{count}{hint}") },
        }
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
            _ => String::new(),
        }
    }
}

/// How many names a hint shows.
const NAMES_SHOWN: usize = 5;

/// ` (other channels: "chta" 1)`, or nothing.
fn others<'a>(what: &str, names: impl Iterator<Item = (&'a [u8], usize)>) -> String {
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

/// A predicate is running in this thread.
struct Looking;

impl Looking {
    fn begin() -> Self {
        LOOKING.set(true);
        Self
    }
}

impl Drop for Looking {
    fn drop(&mut self) {
        LOOKING.set(false);
    }
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
            Self::Clients { count } => {
                return write!(f, "{count} {}", if *count == 1 { "client" } else { "clients" });
            }
            Self::Pending { stream, group, count } => {
                let entries = if *count == 1 { "entry" } else { "entries" };
                let (stream, group) = (stream.escape_ascii(), group.escape_ascii());
                return write!(f, "{count} pending {entries} of group \"{group}\" of stream \"{stream}\"");
            }
            Self::Fault { words, count, .. } => {
                let strikes = if *count == 1 { "strike" } else { "strikes" };
                return write!(f, "{count} {strikes} of the fault `{words}`");
            }
            Self::Until(_) => return f.write_str("a state"),
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

type Tell = Box<dyn FnOnce(Result<(), Panicked>) + Send>;

/// Tells somebody that what it waited for has come. Not to be called with a lock held: what follows is the waiter's
/// own code.
pub type Told = Box<dyn FnOnce() + Send>;

struct Waiting {
    id: u64,
    condition: Condition,
    tell: Tell,
}

/// Who waits.
#[derive(Default)]
pub struct Waits {
    waiting: Mutex<Vec<Waiting>>,
    /// How many there are, so that nobody waiting costs one comparison a batch.
    count: AtomicUsize,
    last_id: AtomicU64,
}

impl fmt::Debug for Waits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Waits").field("count", &self.count).finish_non_exhaustive()
    }
}

/// What [`Waits::add`] has found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Added {
    /// The condition is met already; nobody is told.
    Met,
    /// It is waited for, under a number for [`Waits::give_up`].
    Waiting(u64),
}

impl Waits {
    /// Has `tell` called once the condition is met, or its predicate has panicked. To be called with the engine's lock
    /// held, so that nothing happens in between.
    pub fn add(
        &self,
        store: &Store,
        mut condition: Condition,
        tell: impl FnOnce(Result<(), Panicked>) + Send + 'static,
    ) -> Added {
        if condition.is_met(store) {
            return Added::Met;
        }
        let id = self.last_id.fetch_add(1, Ordering::Relaxed);
        let mut waiting = self.waiting.lock();
        waiting.push(Waiting { id, condition, tell: Box::new(tell) });
        self.count.store(waiting.len(), Ordering::Release);
        Added::Waiting(id)
    }

    /// Takes out those whose condition is met, in the order in which they came; they are to be told when no lock is
    /// held any more. A predicate that panics ends its own wait and nothing else.
    #[must_use]
    pub fn check(&self, store: &Store) -> Vec<Told> {
        if self.count.load(Ordering::Acquire) == 0 {
            return Vec::new();
        }
        let mut told: Vec<Told> = Vec::new();
        let mut waiting = self.waiting.lock();
        let mut at = 0;
        while let Some(wait) = waiting.get_mut(at) {
            let outcome = match catch_unwind(AssertUnwindSafe(|| wait.condition.is_met(store))) {
                Ok(true) => Ok(()),
                Err(panic) => Err(panic),
                Ok(false) => {
                    at += 1;
                    continue;
                }
            };
            let tell = waiting.remove(at).tell;
            told.push(Box::new(move || tell(outcome)));
        }
        self.count.store(waiting.len(), Ordering::Release);
        told
    }

    /// Ends a wait and returns what there is now; none if its condition was met or its predicate has panicked.
    pub fn give_up(&self, store: &Store, id: u64) -> Option<Seen> {
        let mut waiting = self.waiting.lock();
        let index = waiting.iter().position(|wait| wait.id == id)?;
        let wait = waiting.remove(index);
        self.count.store(waiting.len(), Ordering::Release);
        Some(wait.condition.seen(store))
    }
}
