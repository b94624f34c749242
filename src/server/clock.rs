//! The system's clock, read here and nowhere else.

use std::time::{Instant, SystemTime};

use tokio::runtime::Handle;

use crate::data::Time;

/// The wall clock at the start, from then on advanced by the monotonic one: it never jumps.
#[derive(Debug, Clone)]
pub struct Clock {
    start: Time,
    started: Instant,
    /// The runtime whose clock is followed, which may be a simulated one.
    runtime: Option<Handle>,
}

impl Default for Clock {
    fn default() -> Self {
        Self::starting_at(SystemTime::now())
    }
}

impl Clock {
    /// A clock that shows this time now.
    #[must_use]
    pub fn starting_at(time: SystemTime) -> Self {
        Self { start: time.into(), started: Instant::now(), runtime: None }
    }

    /// The same, but from then on it follows the clock of a runtime, which stands still while the runtime is paused.
    #[must_use]
    pub fn following(self, runtime: Handle) -> Self {
        let clock = Self { runtime: Some(runtime), ..self };
        Self { started: clock.instant(), ..clock }
    }

    /// The time at which it started.
    #[must_use]
    pub fn start(&self) -> Time {
        self.start
    }

    /// The monotonic clock.
    #[must_use]
    pub fn instant(&self) -> Instant {
        match &self.runtime {
            None => Instant::now(),
            Some(runtime) => {
                // Without this context it would be the system's.
                let _context = runtime.enter();
                tokio::time::Instant::now().into_std()
            }
        }
    }

    /// The time.
    #[must_use]
    pub fn now(&self) -> Time {
        self.at(self.instant())
    }

    /// The time at an instant.
    #[must_use]
    pub fn at(&self, instant: Instant) -> Time {
        self.start + instant.saturating_duration_since(self.started)
    }
}
