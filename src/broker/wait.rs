//! Waiting for a state of the broker.

use std::fmt;
use std::future::{Future, IntoFuture, poll_fn};
use std::panic::{Location, resume_unwind};
use std::pin::Pin;
use std::sync::mpsc;
use std::task::Poll;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::{Broker, DEFAULT_WAIT};
use crate::server::{Added, Awaited, Panicked, Shared};
use crate::store::condition::Seen;

/// A wait for a state of the broker: awaited from async code of any runtime, or [`Wait::blocking`] from a
/// synchronous test. Nothing happens before. It ends by an event, not by polling, and gives up after
/// [`DEFAULT_WAIT`] unless [`Wait::within`] says otherwise.
///
/// ```
/// use std::time::Duration;
///
/// let broker = minibroker::Broker::start()?;
/// let in_vain = broker.wait_for_subscribers("chat", 2).within(Duration::from_millis(10)).blocking();
/// let told = in_vain.unwrap_err().to_string();
/// assert!(told.starts_with("waited 10ms for 2 subscribers of channel \"chat\", saw 0 (at "));
/// # Ok::<(), minibroker::StartError>(())
/// ```
#[derive(Debug)]
#[must_use = "a wait does nothing unless it is awaited or `.blocking()` is called"]
pub struct Wait<'a> {
    broker: &'a Broker,
    awaited: Awaited,
    within: Duration,
    caller: &'static Location<'static>,
}

/// Time was up before the state was there. It tells what was there instead, and where the test waited.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[error("waited {within:?} for {wanted}, saw {} (at {caller})", seen.text)]
pub struct WaitError {
    wanted: String,
    seen: Seen,
    within: Duration,
    caller: &'static Location<'static>,
}

/// The text itself: it is what a test shows that fails by `unwrap` or `?`.
impl fmt::Debug for WaitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl WaitError {
    /// How many there were when time was up; 0 where nothing is counted, as by
    /// [`wait_until`](Broker::wait_until).
    #[must_use]
    pub fn seen(&self) -> usize {
        self.seen.count.unwrap_or_default()
    }
}

impl<'a> Wait<'a> {
    #[track_caller]
    pub(super) fn new(broker: &'a Broker, awaited: impl Into<Awaited>) -> Self {
        Self { broker, awaited: awaited.into(), within: DEFAULT_WAIT, caller: Location::caller() }
    }

    /// Gives up after this time, which begins with the wait.
    pub fn within(mut self, time: Duration) -> Self {
        self.within = time;
        self
    }

    /// Waits in this thread. It may be called within a runtime as well, whose thread then waits; the broker has
    /// its own.
    ///
    /// # Errors
    ///
    /// Time was up.
    ///
    /// # Panics
    ///
    /// The predicate of [`wait_until`](Broker::wait_until) panics: with what it has panicked with.
    pub fn blocking(self) -> Result<(), WaitError> {
        let (tell, told) = mpsc::channel();
        let (within, in_vain) = (self.within, self.in_vain());
        let Some(registration) = self.register(move |outcome| {
            // Whoever has stopped waiting does not want to know.
            let _ = tell.send(outcome);
        }) else {
            return Ok(());
        };
        match told.recv_timeout(within) {
            Ok(outcome) => panic_with(outcome),
            Err(_) => match registration.give_up() {
                Some(seen) => return Err(in_vain(seen)),
                // It came in the same moment.
                None => told.recv().map_or((), panic_with),
            },
        }
        Ok(())
    }

    async fn wait(self) -> Result<(), WaitError> {
        let (tell, mut told) = oneshot::channel();
        let (within, in_vain, broker) = (self.within, self.in_vain(), self.broker);
        let Some(registration) = self.register(move |outcome| {
            // Whoever has stopped waiting does not want to know.
            let _ = tell.send(outcome);
        }) else {
            return Ok(());
        };
        // The timer runs in the broker's runtime: whoever awaits may have none, or one that is blocked.
        let mut timer = Timer(broker.runtime.spawn(async move { tokio::time::sleep(within).await }));
        let met = poll_fn(|context| {
            if let Poll::Ready(outcome) = Pin::new(&mut told).poll(context) {
                return Poll::Ready(Some(outcome));
            }
            Pin::new(&mut timer.0).poll(context).map(|_| None)
        });
        if let Some(outcome) = met.await {
            // It is told before its sender goes.
            if let Ok(outcome) = outcome {
                panic_with(outcome);
            }
            return Ok(());
        }
        match registration.give_up() {
            Some(seen) => return Err(in_vain(seen)),
            // It came in the same moment.
            None => told.await.map_or((), panic_with),
        }
        Ok(())
    }

    /// The error for what was seen.
    fn in_vain(&self) -> impl FnOnce(Seen) -> WaitError + Send + use<> {
        let (wanted, within, caller) = (self.awaited.to_string(), self.within, self.caller);
        move |seen| WaitError { wanted, seen, within, caller }
    }

    /// Has `tell` called once the state is there; none if it is there already.
    fn register(self, tell: impl FnOnce(Result<(), Panicked>) + Send + 'static) -> Option<Registration<'a>> {
        let shared = &*self.broker.shared;
        match shared.look(|store| shared.waits.add(store, self.awaited, tell)) {
            Added::Met => None,
            Added::Waiting(id) => Some(Registration { shared, id }),
        }
    }
}

/// A predicate that panics does so in the test that waits.
fn panic_with(outcome: Result<(), Panicked>) {
    if let Err(panic) = outcome {
        resume_unwind(panic);
    }
}

impl<'a> IntoFuture for Wait<'a> {
    type Output = Result<(), WaitError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send + 'a>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.wait())
    }
}

/// The place among those who wait; left when it is dropped, as by a `select!` that took another branch.
struct Registration<'a> {
    shared: &'a Shared,
    id: u64,
}

impl Registration<'_> {
    /// What there is, unless the state was there.
    fn give_up(&self) -> Option<Seen> {
        let engine = self.shared.engine();
        self.shared.waits.give_up(engine.store(), self.id)
    }
}

impl Drop for Registration<'_> {
    fn drop(&mut self) {
        self.give_up();
    }
}

/// A timer that ends with whoever waits for it.
struct Timer(JoinHandle<()>);

impl Drop for Timer {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waiting(broker: &Broker) -> String {
        format!("{:?}", broker.shared.waits)
    }

    #[test]
    fn a_wait_that_is_given_up_leaves_nothing_behind() {
        let broker = Broker::start().expect("it starts");
        let nobody = waiting(&broker);
        let mut wait = broker.wait_for_subscribers("chat", 1).into_future();
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        assert!(wait.as_mut().poll(&mut context).is_pending());
        assert_ne!(waiting(&broker), nobody);
        drop(wait);
        assert_eq!(waiting(&broker), nobody);
        let in_vain = broker.wait_for_subscribers("chat", 1).within(Duration::ZERO);
        assert!(in_vain.blocking().is_err());
        assert_eq!(waiting(&broker), nobody);
    }
}
