//! Waiting for a state of the broker.

use std::fmt;
use std::future::{Future, IntoFuture, poll_fn};
use std::panic::{Location, resume_unwind};
use std::pin::Pin;
use std::sync::mpsc;
use std::task::Poll;
use std::time::Duration;

use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::goal::{Goal, Outcome};
use super::server::Backend;
use super::{DEFAULT_WAIT, Embedded};
use crate::clients::condition::Seen;
use crate::server::{Added, Panicked, Shared};

/// A wait for a state of the broker: awaited in async code of any runtime, or [`Wait::blocking`] in a synchronous
/// test. It begins only then. It ends by an event, not by polling, and times out after [`DEFAULT_WAIT`] unless
/// [`Wait::within`] sets another time. A [real server](super::Broker::attach) is queried every few milliseconds if it
/// has no event.
///
/// ```
/// use std::time::Duration;
///
/// let broker = minibroker::Broker::start()?;
/// let error = broker.wait_for_subscribers("chat", 2).within(Duration::from_millis(10)).blocking();
/// let text = error.unwrap_err().to_string();
/// assert!(text.starts_with("waited 10ms for 2 subscribers of channel \"chat\", saw 0 (at "));
/// # Ok::<(), minibroker::StartError>(())
/// ```
#[derive(Debug)]
#[must_use = "a wait does nothing unless it is awaited or `.blocking()` is called"]
pub struct Wait<'a> {
    backend: Backend<'a>,
    goal: Goal,
    within: Duration,
    caller: &'static Location<'static>,
}

/// A wait timed out. The text shows the actual state and where the test waited. If the broker is a
/// [real server](super::Broker::attach), it may also not have answered.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[error("{failure} (at {caller}){}", if *starved { STARVED } else { "" })]
pub struct WaitError {
    failure: WaitFailure,
    /// [`Wait::blocking`] has kept a runtime from running anything.
    starved: bool,
    caller: &'static Location<'static>,
}

/// What is added to the error of a wait that may have blocked its own runtime.
const STARVED: &str = "; `.blocking()` has kept the current-thread runtime of this thread from running any task \
                       meanwhile: `.await` the wait, or let the test have a multi-thread runtime";

#[derive(Clone, PartialEq, Eq)]
enum WaitFailure {
    TimedOut { wanted: String, seen: Seen, within: Duration },
    Unavailable { wanted: String, why: String },
}

impl fmt::Display for WaitFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TimedOut { wanted, seen, within } => {
                write!(f, "waited {within:?} for {wanted}, saw {}", seen.text)
            }
            Self::Unavailable { wanted, why } => write!(f, "cannot wait for {wanted}: {why}"),
        }
    }
}

/// The text itself, as a test that fails by `unwrap` or `?` shows it.
impl fmt::Debug for WaitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl WaitError {
    /// The count when the wait timed out; none if nothing is counted, as by
    /// [`wait_until`](super::Broker::wait_until), or if a [real server](super::Broker::attach) could not be queried.
    #[must_use]
    pub fn seen(&self) -> Option<usize> {
        match &self.failure {
            WaitFailure::TimedOut { seen, .. } => seen.count,
            WaitFailure::Unavailable { .. } => None,
        }
    }
}

impl<'a> Wait<'a> {
    #[track_caller]
    pub(super) fn new(backend: Backend<'a>, goal: impl Into<Goal>) -> Self {
        Self { backend, goal: goal.into(), within: DEFAULT_WAIT, caller: Location::caller() }
    }

    /// Times out after this time, which begins with the wait.
    pub fn within(mut self, time: Duration) -> Self {
        self.within = time;
        self
    }

    /// Waits in this thread. It may be called within a runtime as well, whose thread then waits; the broker has its
    /// own. Tasks of the test on a runtime with one thread (`#[tokio::test]`) do not run meanwhile, and so may never
    /// reach the state that is waited for: there `.await` the wait. The error mentions this.
    ///
    /// # Errors
    ///
    /// The wait timed out.
    ///
    /// # Panics
    ///
    /// The predicate of [`wait_until`](super::Broker::wait_until) panics: with its panic.
    pub fn blocking(self) -> Result<(), WaitError> {
        let backend = self.backend;
        let probe = RuntimeProbe::start();
        self.wait_here().map_err(|mut error| {
            error.starved = probe.is_some_and(|probe| !probe.has_run());
            backend.print_if_wanted();
            error
        })
    }

    fn wait_here(self) -> Result<(), WaitError> {
        let broker = match self.backend {
            Backend::Embedded(broker) => broker,
            Backend::Attached(server) => {
                let end = self.end();
                return end(server.wait(self.goal, self.within));
            }
        };
        let (sender, receiver) = mpsc::channel();
        let (within, timed_out) = (self.within, self.timeout_error());
        let Some(registration) = self.register(broker, move |outcome| {
            // The receiver is gone if the wait was dropped.
            let _ = sender.send(outcome);
        }) else {
            return Ok(());
        };
        match receiver.recv_timeout(within) {
            Ok(outcome) => panic_with(outcome),
            Err(_) => match registration.cancel() {
                Some(seen) => return Err(timed_out(seen)),
                // The condition was met at the same moment.
                None => receiver.recv().map_or((), panic_with),
            },
        }
        Ok(())
    }

    async fn wait(self) -> Result<(), WaitError> {
        let backend = self.backend;
        let outcome = self.wait_async().await;
        if outcome.is_err() {
            backend.print_if_wanted();
        }
        outcome
    }

    async fn wait_async(self) -> Result<(), WaitError> {
        let broker = match self.backend {
            Backend::Embedded(broker) => broker,
            Backend::Attached(server) => {
                let end = self.end();
                let mut waiting = Task(server.begin_wait(self.goal, self.within));
                let outcome = poll_fn(|context| Pin::new(&mut waiting.0).poll(context)).await;
                // Only this task ends the other.
                return end(outcome.unwrap_or(Outcome::Unavailable("the broker has gone".to_owned())));
            }
        };
        let (sender, mut receiver) = oneshot::channel();
        let (within, timed_out) = (self.within, self.timeout_error());
        let Some(registration) = self.register(broker, move |outcome| {
            // The receiver is gone if the wait was dropped.
            let _ = sender.send(outcome);
        }) else {
            return Ok(());
        };
        // The timer runs in the broker's runtime: the caller may have none, or a blocked one.
        let mut timer = Task(broker.runtime.spawn(async move { tokio::time::sleep(within).await }));
        let met = poll_fn(|context| {
            if let Poll::Ready(outcome) = Pin::new(&mut receiver).poll(context) {
                return Poll::Ready(Some(outcome));
            }
            Pin::new(&mut timer.0).poll(context).map(|_| None)
        });
        if let Some(outcome) = met.await {
            // The sender is dropped only after it has sent.
            if let Ok(outcome) = outcome {
                panic_with(outcome);
            }
            return Ok(());
        }
        match registration.cancel() {
            Some(seen) => return Err(timed_out(seen)),
            // The condition was met at the same moment.
            None => receiver.await.map_or((), panic_with),
        }
        Ok(())
    }

    /// The error for the state that was seen.
    fn timeout_error(&self) -> impl FnOnce(Seen) -> WaitError + Send + use<> {
        let (wanted, within, caller) = (self.goal.to_string(), self.within, self.caller);
        move |seen| WaitError {
            failure: WaitFailure::TimedOut { wanted, seen, within },
            starved: false,
            caller,
        }
    }

    /// The result for the test when a wait for a real server ends.
    fn end(&self) -> impl FnOnce(Outcome) -> Result<(), WaitError> + Send + use<> {
        let (wanted, caller, timed_out) = (self.goal.to_string(), self.caller, self.timeout_error());
        move |outcome| match outcome {
            Outcome::Met => Ok(()),
            Outcome::TimedOut(seen) => Err(timed_out(seen)),
            Outcome::Unavailable(why) => {
                Err(WaitError { failure: WaitFailure::Unavailable { wanted, why }, starved: false, caller })
            }
            Outcome::Panicked(panic) => resume_unwind(panic),
        }
    }

    /// Registers `notify` to be called when the condition is met; `None` if it is met already.
    fn register(
        self,
        broker: &'a Embedded,
        notify: impl FnOnce(Result<(), Panicked>) + Send + 'static,
    ) -> Option<Registration<'a>> {
        let shared = &*broker.shared;
        let awaited = self.goal.into();
        match shared.with_state(|state| shared.waits.add(state, awaited, notify)) {
            Added::Met => None,
            Added::Waiting(id) => Some(Registration { shared, id }),
        }
    }
}

/// A task on the current-thread runtime that may be running in this thread: it does not run while this thread waits.
struct RuntimeProbe {
    task: JoinHandle<()>,
}

impl RuntimeProbe {
    /// None outside of such a runtime.
    fn start() -> Option<Self> {
        let runtime = Handle::try_current().ok()?;
        let is_current_thread = runtime.runtime_flavor() == RuntimeFlavor::CurrentThread;
        is_current_thread.then(|| Self { task: runtime.spawn(async {}) })
    }

    fn has_run(&self) -> bool {
        self.task.is_finished()
    }
}

impl Drop for RuntimeProbe {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A predicate that panics makes the waiting test panic.
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

/// A registered wait; removed when this is dropped, for example by a `select!` that took another branch.
struct Registration<'a> {
    shared: &'a Shared,
    id: u64,
}

impl Registration<'_> {
    /// Ends the wait and returns the present state, unless the condition was met.
    fn cancel(&self) -> Option<Seen> {
        let engine = self.shared.engine();
        self.shared.waits.cancel(engine.state(), self.id)
    }
}

impl Drop for Registration<'_> {
    fn drop(&mut self) {
        self.cancel();
    }
}

/// A task that is aborted when this is dropped.
struct Task<T>(JoinHandle<T>);

impl<T> Drop for Task<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Broker;

    fn waiting(broker: &Broker) -> String {
        format!("{:?}", broker.server.shared.waits)
    }

    #[test]
    fn a_wait_that_is_given_up_leaves_nothing_behind() {
        let broker = Broker::start().expect("it starts");
        let none = waiting(&broker);
        let mut wait = broker.wait_for_subscribers("chat", 1).into_future();
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        assert!(wait.as_mut().poll(&mut context).is_pending());
        assert_ne!(waiting(&broker), none);
        drop(wait);
        assert_eq!(waiting(&broker), none);
        let timed_out = broker.wait_for_subscribers("chat", 1).within(Duration::ZERO);
        assert!(timed_out.blocking().is_err());
        assert_eq!(waiting(&broker), none);
    }
}
