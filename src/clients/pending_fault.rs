//! The pending effects of faults on the command that a client is in the middle of.

use std::time::Duration;

use crate::data::{Bytes, Time};

/// The number of a rule; no number is used twice.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct FaultId(u64);

impl FaultId {
    /// The fault of this number, if there is one.
    #[must_use]
    pub const fn of_number(number: u64) -> Self {
        Self(number)
    }

    /// Its number, from 1 in the order in which the faults were made.
    #[must_use]
    pub const fn number(self) -> u64 {
        self.0
    }
}

/// What happens to a command before it runs, in place of running, or to its reply.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PendingFault {
    /// It is delayed by this rule.
    pub hold: Option<(FaultId, Duration)>,
    /// It is delayed since then.
    pub held_since: Option<Time>,
    /// Afterwards this happens.
    pub then: Option<(FaultId, Consequence)>,
}

impl PendingFault {
    /// True if nothing happens, and nothing has happened that is still to be counted.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        self.hold.is_none() && self.held_since.is_none() && self.then.is_none()
    }

    /// Removes the effects of a rule.
    pub fn forget(&mut self, rule: FaultId) {
        self.hold = self.hold.take().filter(|(id, _)| *id != rule);
        self.then = self.then.take().filter(|(id, _)| *id != rule);
    }
}

/// What happens to a command that is not delayed, or no longer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Consequence {
    /// It is refused.
    Error(Bytes),
    /// The connection is closed.
    Disconnect,
    /// It runs, and the connection is closed after this many bytes of its reply.
    LoseReply(usize),
}
