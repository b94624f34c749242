//! The slow events of each kind that the latency monitor has seen, which LATENCY shows.

use std::collections::VecDeque;
use std::time::Duration;

use crate::data::{Map, Time};

/// How many samples of an event are kept: `LATENCY_TS_LEN` of redis-server.
const SAMPLES_KEPT: usize = 160;

/// The slowest event within one second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// The second, since 1970.
    pub second: i64,
    /// How long it took, in milliseconds.
    pub millis: u64,
}

/// The samples of one kind of event.
#[derive(Clone, Debug, Default)]
pub struct Samples {
    samples: VecDeque<Sample>,
    /// The slowest of all, in milliseconds.
    pub slowest: u64,
}

impl Samples {
    fn add(&mut self, second: i64, millis: u64) {
        self.slowest = self.slowest.max(millis);
        if let Some(last) = self.samples.back_mut().filter(|last| last.second == second) {
            last.millis = last.millis.max(millis);
            return;
        }
        if self.samples.len() == SAMPLES_KEPT {
            self.samples.pop_front();
        }
        self.samples.push_back(Sample { second, millis });
    }

    /// The samples, the oldest first.
    #[must_use]
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Sample> {
        self.samples.iter()
    }

    /// The newest sample.
    #[must_use]
    pub fn last(&self) -> Option<&Sample> {
        self.samples.back()
    }
}

/// The samples by the name of their event: `command`, `fast-command`.
#[derive(Debug, Default)]
pub struct Latencies {
    events: Map<&'static str, Samples>,
}

impl Latencies {
    /// Adds an event.
    pub fn add(&mut self, event: &'static str, at: Time, duration: Duration) {
        let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        self.events.entry(event).or_default().add(at.millis().div_euclid(1000), millis);
    }

    /// All events with their samples, in the order in which they were seen first.
    #[must_use]
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&'static str, &Samples)> {
        self.events.iter().map(|(event, samples)| (*event, samples))
    }

    /// The samples of an event.
    #[must_use]
    pub fn of(&self, event: &[u8]) -> Option<&Samples> {
        self.events.get(str::from_utf8(event).ok()?)
    }

    /// Forgets the samples of an event; true if there were any.
    pub fn forget(&mut self, event: &[u8]) -> bool {
        str::from_utf8(event).is_ok_and(|event| self.events.shift_remove(event).is_some())
    }

    /// Forgets all samples, and returns of how many events.
    pub fn clear(&mut self) -> usize {
        let events = self.events.len();
        self.events.clear();
        events
    }
}
