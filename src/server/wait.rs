//! Waiting for a state of the broker, by events and not by polling.

use std::fmt;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use parking_lot::Mutex;

use crate::store::Store;
use crate::store::pubsub::Kind;

/// A state that can be waited for. A count of 0 waits until there is none; any other until there are so many or
/// more.
#[derive(Clone, Debug, PartialEq, Eq)]
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
}

impl Condition {
    /// How many there are now.
    fn seen(&self, store: &Store) -> usize {
        match self {
            Self::Subscribers { channel, .. } => store.pubsub.subscribers(Kind::Channel, channel),
            Self::PatternSubscribers { pattern, .. } => store.pubsub.subscribers(Kind::Pattern, pattern),
            Self::Blocked { key, .. } => store.waiters.count(key),
        }
    }

    fn wanted(&self) -> usize {
        let (Self::Subscribers { count, .. }
        | Self::PatternSubscribers { count, .. }
        | Self::Blocked { count, .. }) = self;
        *count
    }

    fn is_met(&self, seen: usize) -> bool {
        if self.wanted() == 0 { seen == 0 } else { seen >= self.wanted() }
    }
}

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
        };
        let what = if count == 1 { one } else { more };
        write!(f, "{count} {what} \"{}\"", name.escape_ascii())
    }
}

type Tell = Box<dyn FnOnce() + Send>;

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

impl Waits {
    /// Has `tell` called once the condition is met, at once if it is already; otherwise returns a number for
    /// [`Waits::give_up`]. To be called with the engine's lock held, so that nothing happens in between.
    pub fn add(
        &self,
        store: &Store,
        condition: Condition,
        tell: impl FnOnce() + Send + 'static,
    ) -> Option<u64> {
        if condition.is_met(condition.seen(store)) {
            tell();
            return None;
        }
        let id = self.last_id.fetch_add(1, Ordering::Relaxed);
        let mut waiting = self.waiting.lock();
        waiting.push(Waiting { id, condition, tell: Box::new(tell) });
        self.count.store(waiting.len(), Ordering::Release);
        Some(id)
    }

    /// Tells those whose condition is met.
    pub fn check(&self, store: &Store) {
        if self.count.load(Ordering::Acquire) == 0 {
            return;
        }
        let mut waiting = self.waiting.lock();
        let met = |wait: &mut Waiting| wait.condition.is_met(wait.condition.seen(store));
        for wait in waiting.extract_if(.., met) {
            (wait.tell)();
        }
        self.count.store(waiting.len(), Ordering::Release);
    }

    /// Ends a wait and returns how many there are now; none if it has been told already.
    pub fn give_up(&self, store: &Store, id: u64) -> Option<usize> {
        let mut waiting = self.waiting.lock();
        let index = waiting.iter().position(|wait| wait.id == id)?;
        let wait = waiting.remove(index);
        self.count.store(waiting.len(), Ordering::Release);
        Some(wait.condition.seen(store))
    }
}
