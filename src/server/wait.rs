//! Waiting for a state of the broker, by events and not by polling.

use std::any::Any;
use std::cell::Cell;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use parking_lot::Mutex;

use crate::clients::condition::{Condition, Seen};
use crate::state::State;
use crate::state::conditions::summary;

/// A question to the state. It is asked with the engine's lock held, by whoever has changed something.
pub type Predicate = Box<dyn FnMut(&State) -> bool + Send>;

/// What somebody waits for.
pub enum Awaited {
    /// What can be counted.
    Count(Condition),
    /// Whatever the embedding program asks for.
    Until(Predicate),
}

impl Awaited {
    fn is_met(&mut self, state: &State) -> bool {
        match self {
            Self::Count(condition) => state.meets(condition),
            Self::Until(predicate) => {
                let _end = Looking::begin();
                predicate(state)
            }
        }
    }

    fn seen(&self, state: &State) -> Seen {
        match self {
            Self::Count(condition) => state.seen(condition),
            Self::Until(_) => Seen { count: None, text: summary(state) },
        }
    }
}

impl From<Condition> for Awaited {
    fn from(condition: Condition) -> Self {
        Self::Count(condition)
    }
}

/// What is waited for.
impl fmt::Display for Awaited {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count(condition) => fmt::Display::fmt(condition, f),
            Self::Until(_) => f.write_str("a state"),
        }
    }
}

impl fmt::Debug for Awaited {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The predicate of a wait has panicked; what it panicked with.
pub type Panicked = Box<dyn Any + Send>;

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

/// True if code of the embedding program runs in this thread with the engine's lock held.
pub fn is_looking() -> bool {
    LOOKING.get()
}

/// A predicate is running in this thread, or is being dropped. One may lie within another, of another broker.
struct Looking {
    before: bool,
}

impl Looking {
    fn begin() -> Self {
        Self { before: LOOKING.replace(true) }
    }
}

impl Drop for Looking {
    fn drop(&mut self) {
        LOOKING.set(self.before);
    }
}

/// Drops with the engine's lock held what an embedding program has captured, or is woken by.
fn drop_locked<T>(captured: T) {
    let _end = Looking::begin();
    drop(captured);
}

type Tell = Box<dyn FnOnce(Result<(), Panicked>) + Send>;

/// Tells somebody that what it waited for has come. Not to be called with a lock held: what follows is the waiter's
/// own code.
pub type Told = Box<dyn FnOnce() + Send>;

struct Waiting {
    id: u64,
    awaited: Awaited,
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
        state: &State,
        awaited: Awaited,
        tell: impl FnOnce(Result<(), Panicked>) + Send + 'static,
    ) -> Added {
        let _end = Looking::begin();
        // Dropped before that, whether it is met at once or panics.
        let mut awaited = awaited;
        if awaited.is_met(state) {
            return Added::Met;
        }
        let id = self.last_id.fetch_add(1, Ordering::Relaxed);
        let mut waiting = self.waiting.lock();
        waiting.push(Waiting { id, awaited, tell: Box::new(tell) });
        self.count.store(waiting.len(), Ordering::Release);
        Added::Waiting(id)
    }

    /// Takes out those whose condition is met, in the order in which they came; they are to be told when no lock is
    /// held any more. A predicate that panics ends its own wait and nothing else.
    #[must_use]
    pub fn check(&self, state: &State) -> Vec<Told> {
        if self.count.load(Ordering::Acquire) == 0 {
            return Vec::new();
        }
        let mut told: Vec<Told> = Vec::new();
        let mut waiting = self.waiting.lock();
        let mut at = 0;
        while let Some(wait) = waiting.get_mut(at) {
            let outcome = match catch_unwind(AssertUnwindSafe(|| wait.awaited.is_met(state))) {
                Ok(true) => Ok(()),
                Err(panic) => Err(panic),
                Ok(false) => {
                    at += 1;
                    continue;
                }
            };
            let Waiting { awaited, tell, .. } = waiting.remove(at);
            drop_locked(awaited);
            told.push(Box::new(move || tell(outcome)));
        }
        self.count.store(waiting.len(), Ordering::Release);
        told
    }

    /// Ends a wait and returns what there is now; none if its condition was met or its predicate has panicked.
    pub fn give_up(&self, state: &State, id: u64) -> Option<Seen> {
        let mut waiting = self.waiting.lock();
        let index = waiting.iter().position(|wait| wait.id == id)?;
        let wait = waiting.remove(index);
        self.count.store(waiting.len(), Ordering::Release);
        let seen = wait.awaited.seen(state);
        drop_locked(wait);
        Some(seen)
    }
}
