//! The system's clock, read here and nowhere else.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::store::Time;

/// The wall clock at the start, from then on moved by the monotonic one: it never jumps.
#[derive(Debug, Clone)]
pub struct Clock {
    start: Time,
    started: Instant,
}

impl Default for Clock {
    fn default() -> Self {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let micros = u64::try_from(since_epoch.as_micros()).unwrap_or_default();
        Self { start: Time::from_micros(micros), started: Instant::now() }
    }
}

impl Clock {
    /// The time.
    #[must_use]
    pub fn now(&self) -> Time {
        self.at(Instant::now())
    }

    /// The time at an instant.
    #[must_use]
    pub fn at(&self, instant: Instant) -> Time {
        self.start + instant.saturating_duration_since(self.started)
    }
}
