//! The time, as it is passed to the engine.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A moment, in microseconds since the Unix epoch.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct Time(u64);

impl Time {
    /// How far a clock can be moved: to the end of the year 9999, the last that ISO 8601 writes with four digits.
    /// Deadlines after it can still be distinguished, and every system's time type can hold it.
    pub const LAST: Self = Self(253_402_300_799_999_000);

    /// The time this many microseconds after the Unix epoch.
    #[must_use]
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// The time this many milliseconds after the Unix epoch; a negative number counts as the epoch.
    #[must_use]
    pub fn from_millis(millis: i64) -> Self {
        Self(u64::try_from(millis).unwrap_or_default().saturating_mul(1000))
    }

    /// Microseconds since the Unix epoch.
    #[must_use]
    pub const fn micros(self) -> u64 {
        self.0
    }

    /// Milliseconds since the Unix epoch, the unit of every expiry.
    #[must_use]
    pub fn millis(self) -> i64 {
        i64::try_from(self.0 / 1000).unwrap_or(i64::MAX)
    }

    /// The first whole millisecond that is not earlier, since the Unix epoch: when what is due at this moment is done.
    #[must_use]
    pub fn whole_millis(self) -> i64 {
        i64::try_from(self.0.div_ceil(1000)).unwrap_or(i64::MAX)
    }

    /// Seconds since the Unix epoch.
    #[must_use]
    pub fn seconds(self) -> i64 {
        i64::try_from(self.0 / 1_000_000).unwrap_or(i64::MAX)
    }

    /// How long after `earlier` this is; zero if it is not later.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

/// When a wait is over: a moment in milliseconds since the Unix epoch, the unit of redis-server's timeouts.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Deadline(i64);

impl Deadline {
    /// This many milliseconds after the Unix epoch.
    #[must_use]
    pub const fn at_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// At the current millisecond: the deadline is due already.
    #[must_use]
    pub fn at_once(now: Time) -> Self {
        Self(now.millis())
    }

    /// At the first whole millisecond that is not earlier than this time.
    #[must_use]
    pub fn not_before(time: Time) -> Self {
        Self(time.whole_millis())
    }

    /// True if the deadline has passed.
    #[must_use]
    pub fn is_due(self, now: Time) -> bool {
        self.0 <= now.millis()
    }

    /// The same as a time; a deadline beyond the last time counts as the last.
    #[must_use]
    pub fn time(self) -> Time {
        Time::from_millis(self.0)
    }

    /// The same as a time; `None` if it is after [`Time::LAST`], to which the clock can be moved.
    #[must_use]
    pub fn reachable_time(self) -> Option<Time> {
        let time = self.time();
        (time.millis() >= self.0).then_some(time)
    }
}

/// Before the Unix epoch counts as the epoch.
impl From<SystemTime> for Time {
    fn from(time: SystemTime) -> Self {
        Self(0) + time.duration_since(UNIX_EPOCH).unwrap_or_default()
    }
}

/// A time that the system's time cannot hold counts as the epoch.
impl From<Time> for SystemTime {
    fn from(time: Time) -> Self {
        UNIX_EPOCH.checked_add(Duration::from_micros(time.0)).unwrap_or(UNIX_EPOCH)
    }
}

impl std::ops::Add<Duration> for Time {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)))
    }
}
