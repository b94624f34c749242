//! What a wait is for, and how it ends.

use std::fmt;

use super::State;
use crate::clients::condition::{Condition, Seen};
use crate::server::{Awaited, Panicked};

/// What a test waits for.
pub(super) enum Goal {
    /// A state that can be counted.
    Count(Condition),
    /// A question that is to be answered with true.
    Until(Question),
}

/// A question about the state.
pub(super) type Question = Box<dyn FnMut(State<'_>) -> bool + Send>;

impl From<Condition> for Goal {
    fn from(condition: Condition) -> Self {
        Self::Count(condition)
    }
}

impl From<Goal> for Awaited {
    fn from(goal: Goal) -> Self {
        match goal {
            Goal::Count(condition) => Self::Count(condition),
            Goal::Until(mut question) => Self::Until(Box::new(move |state| question(State::new(state)))),
        }
    }
}

/// The goal in words.
impl fmt::Display for Goal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count(condition) => fmt::Display::fmt(condition, f),
            Self::Until(_) => f.write_str("a state"),
        }
    }
}

impl fmt::Debug for Goal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// How a wait for a real server has ended.
pub(super) enum Outcome {
    Met,
    TimedOut(Seen),
    /// The server could not be queried.
    Unavailable(String),
    /// The question has panicked.
    Panicked(Panicked),
}
