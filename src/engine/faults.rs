//! Injected faults, as tests put them in force and end them. Their effects on commands happen in the steps of a
//! command's life.

use super::Engine;
#[cfg(feature = "scripting")]
use super::admission::{refuses, subject};
use super::command_life::WaitEnd;
use crate::clients::FaultId;
use crate::data::Time;
use crate::testing::faults::Rule;
#[cfg(feature = "scripting")]
use crate::{
    clients::ClientKey,
    resp::Args,
    spec::{Command, Error},
    state::State,
    testing::faults::SimulatedState,
};

impl Engine {
    /// Puts a fault in force.
    pub fn add_fault(&mut self, rule: Rule) -> FaultId {
        let since = self.state.journal.last_number();
        self.state.faults.add(rule, since)
    }

    /// Ends a fault. The commands that it holds continue at once, in the order in which they came; replies that it was
    /// to cut off are sent whole.
    pub fn end_fault(&mut self, fault: FaultId, now: Time) {
        self.take_time(now);
        for client in self.state.end_fault(fault) {
            if self.is_delayed(client) {
                self.end_wait(client, WaitEnd::DelayOver);
            }
            self.serve_ready();
        }
        self.notify_condition_waiters();
    }

    /// The error of a command inside of a script that a simulated state refuses. In redis-server nothing is refused any
    /// more once a script has written, so that its work is not left half done.
    #[cfg(feature = "scripting")]
    pub(super) fn refused_in_script(
        &mut self,
        (key, allow_oom): (ClientKey, bool),
        command: &Command,
        args: Args<'_>,
    ) -> Option<Error> {
        let State { clients, faults, .. } = &mut *self.state;
        let client = clients.get(key).filter(|client| !client.internal)?;
        let subject = subject(client, command, args);
        for state in [SimulatedState::OutOfMemory, SimulatedState::ReadOnly] {
            let is_allowed = state == SimulatedState::OutOfMemory && allow_oom;
            if !is_allowed
                && refuses(state, command.flags, &[])
                && let Some(fault) = faults.simulates(state, &subject)
            {
                self.state.note_fault(key, fault);
                return Some(Error::new(state.error()));
            }
        }
        None
    }
}
