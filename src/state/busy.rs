//! A script that has run for longer than `busy-reply-threshold`, and the error that other clients get meanwhile.

use std::time::Duration;

use crate::clients::ClientKey;
use crate::resp::OwnedRequest;
use crate::testing::faults::SimulatedState;

/// The script that keeps the broker busy.
#[derive(Clone, Debug)]
pub struct Busy {
    /// The client that has sent it.
    pub client: ClientKey,
    /// The function that runs, with the command that has called it; none if it is a script of EVAL.
    pub function: Option<(Vec<u8>, OwnedRequest)>,
    /// It has written: only the end of the broker may end it.
    pub has_written: bool,
    /// SCRIPT KILL or FUNCTION KILL has ended it; the script has not noticed yet.
    pub killed: bool,
    /// For how long it has run.
    pub lasted: Duration,
}

impl Busy {
    /// The error that other clients get.
    #[must_use]
    pub fn error(&self) -> &'static str {
        if self.function.is_some() {
            "BUSY Redis is busy running a script. You can only call FUNCTION KILL or SHUTDOWN NOSAVE."
        } else {
            SimulatedState::Busy.error()
        }
    }
}
