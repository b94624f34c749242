//! Waiting for a state of the broker.

use std::future::{Future, IntoFuture};
use std::panic::Location;
use std::pin::Pin;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use tokio::sync::oneshot;

use super::{Broker, DEFAULT_WAIT};
use crate::server::{Condition, Outcome};

/// A wait for a state of the broker: awaited from async code, or [`Wait::blocking`] from a synchronous test.
/// Nothing happens before. It ends by an event, not by polling, and gives up after [`DEFAULT_WAIT`] unless
/// [`Wait::within`] says otherwise.
#[derive(Debug)]
#[must_use = "a wait does nothing unless it is awaited or `.blocking()` is called"]
pub struct Wait<'a> {
    broker: &'a Broker,
    condition: Condition,
    within: Duration,
    caller: &'static Location<'static>,
}

/// Time was up before the state was there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("waited {within:?} for {wanted}, saw {seen} (at {caller})")]
pub struct WaitError {
    wanted: String,
    seen: usize,
    within: Duration,
    caller: &'static Location<'static>,
}

impl WaitError {
    /// How many there were when time was up.
    #[must_use]
    pub fn seen(&self) -> usize {
        self.seen
    }
}

impl<'a> Wait<'a> {
    #[track_caller]
    pub(super) fn new(broker: &'a Broker, condition: Condition) -> Self {
        Self { broker, condition, within: DEFAULT_WAIT, caller: Location::caller() }
    }

    /// Gives up after this time.
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
    pub fn blocking(self) -> Result<(), WaitError> {
        let (tell, told) = mpsc::channel();
        self.begin(move |outcome| {
            // Whoever has stopped waiting does not want to know.
            let _ = tell.send(outcome);
        });
        // The sender is dropped untold only when the broker ends, which this borrow of it excludes.
        self.result(told.recv().unwrap_or(Outcome::TimedOut { seen: 0 }))
    }

    /// Registers the wait, and has the broker's runtime end it in time.
    fn begin(&self, tell: impl FnOnce(Outcome) + Send + 'static) {
        let shared = &self.broker.shared;
        let engine = shared.engine();
        let Some(id) = shared.waits.add(engine.store(), self.condition.clone(), tell) else { return };
        drop(engine);
        let (shared, within) = (Arc::clone(shared), self.within);
        self.broker.runtime.spawn(async move {
            tokio::time::sleep(within).await;
            let engine = shared.engine();
            shared.waits.give_up(engine.store(), id);
        });
    }

    fn result(&self, outcome: Outcome) -> Result<(), WaitError> {
        match outcome {
            Outcome::Met => Ok(()),
            Outcome::TimedOut { seen } => Err(WaitError {
                wanted: self.condition.to_string(),
                seen,
                within: self.within,
                caller: self.caller,
            }),
        }
    }
}

impl<'a> IntoFuture for Wait<'a> {
    type Output = Result<(), WaitError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send + 'a>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let (tell, told) = oneshot::channel();
            self.begin(move |outcome| {
                // Whoever has stopped waiting does not want to know.
                let _ = tell.send(outcome);
            });
            let outcome = told.await.unwrap_or(Outcome::TimedOut { seen: 0 });
            self.result(outcome)
        })
    }
}
