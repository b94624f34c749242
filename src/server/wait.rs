//! Waiting for a state of the broker, with events instead of polling.

use std::any::Any;
use std::cell::Cell;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use parking_lot::Mutex;

use crate::clients::condition::{Condition, Seen};
use crate::state::State;
use crate::state::conditions::summary;

/// A condition on the state. It is evaluated with the engine's lock held, in the thread that has changed something.
pub type Predicate = Box<dyn FnMut(&State) -> bool + Send>;

/// What a wait is for.
pub enum Awaited {
    /// A number of clients, subscribers or messages.
    Count(Condition),
    /// A predicate of the embedding program.
    Until(Predicate),
}

impl Awaited {
    fn is_met(&mut self, state: &State) -> bool {
        match self {
            Self::Count(condition) => state.meets(condition),
            Self::Until(predicate) => {
                let _end = InPredicate::begin();
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
    static IN_PREDICATE: Cell<bool> = const { Cell::new(false) };
}

/// Panics where waiting for the engine's lock would be a deadlock.
///
/// # Panics
///
/// This thread is in the predicate of a wait.
pub fn assert_not_in_predicate() {
    assert!(
        !IN_PREDICATE.get(),
        "the predicate of `wait_until` has used the broker, which waits for it: it may only look at the state that it \
         is given"
    );
}

/// True if code of the embedding program runs in this thread with the engine's lock held.
pub fn is_in_predicate() -> bool {
    IN_PREDICATE.get()
}

/// A predicate is running in this thread, or is being dropped. One may be nested in another, of another broker.
struct InPredicate {
    before: bool,
}

impl InPredicate {
    fn begin() -> Self {
        Self { before: IN_PREDICATE.replace(true) }
    }
}

impl Drop for InPredicate {
    fn drop(&mut self) {
        IN_PREDICATE.set(self.before);
    }
}

/// Drops, with the engine's lock held, what an embedding program has captured, or what may wake its code.
fn drop_locked<T>(captured: T) {
    let _end = InPredicate::begin();
    drop(captured);
}

type Notify = Box<dyn FnOnce(Result<(), Panicked>) + Send>;

/// Completes a wait. Not to be called with a lock held: it runs code of the embedding program.
pub type Notification = Box<dyn FnOnce() + Send>;

struct Waiting {
    id: u64,
    awaited: Awaited,
    notify: Notify,
}

/// All waits of the embedding program.
#[derive(Default)]
pub struct Waits {
    waiting: Mutex<Vec<Waiting>>,
    /// How many there are, so that a batch costs one comparison if there are none.
    count: AtomicUsize,
    last_id: AtomicU64,
}

impl fmt::Debug for Waits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Waits").field("count", &self.count).finish_non_exhaustive()
    }
}

/// The result of [`Waits::add`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Added {
    /// The condition is met already; nothing is called.
    Met,
    /// The wait was added, under a number for [`Waits::cancel`].
    Waiting(u64),
}

impl Waits {
    /// Has `notify` called once the condition is met, or its predicate has panicked. To be called with the engine's
    /// lock held, so that no change can come in between.
    pub fn add(
        &self,
        state: &State,
        awaited: Awaited,
        notify: impl FnOnce(Result<(), Panicked>) + Send + 'static,
    ) -> Added {
        let _end = InPredicate::begin();
        // Dropped before the guard, whether it is met at once or panics.
        let mut awaited = awaited;
        if awaited.is_met(state) {
            return Added::Met;
        }
        let id = self.last_id.fetch_add(1, Ordering::Relaxed);
        let mut waiting = self.waiting.lock();
        waiting.push(Waiting { id, awaited, notify: Box::new(notify) });
        self.count.store(waiting.len(), Ordering::Release);
        Added::Waiting(id)
    }

    /// Removes the waits whose condition is met, in the order in which they were added. The notifications are to be
    /// called when no lock is held any more. A predicate that panics ends its own wait and nothing else.
    #[must_use]
    pub fn check(&self, state: &State) -> Vec<Notification> {
        if self.count.load(Ordering::Acquire) == 0 {
            return Vec::new();
        }
        let mut completed: Vec<Notification> = Vec::new();
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
            let Waiting { awaited, notify, .. } = waiting.remove(at);
            drop_locked(awaited);
            completed.push(Box::new(move || notify(outcome)));
        }
        self.count.store(waiting.len(), Ordering::Release);
        completed
    }

    /// Removes a wait and returns the current state; none if its condition was met or its predicate has panicked.
    pub fn cancel(&self, state: &State, id: u64) -> Option<Seen> {
        let mut waiting = self.waiting.lock();
        let index = waiting.iter().position(|wait| wait.id == id)?;
        let wait = waiting.remove(index);
        self.count.store(waiting.len(), Ordering::Release);
        let seen = wait.awaited.seen(state);
        drop_locked(wait);
        Some(seen)
    }
}
