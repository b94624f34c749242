//! Scripts when the feature `scripting` is off: their commands, which return an error.

use std::sync::Arc;

use super::command_life::Finished;
use super::{Engine, Shell};
use crate::clients::ClientKey;
use crate::resp::Args;
use crate::spec::Error;
use crate::spec::{Command, Flags, Script};

impl Engine {
    /// Sets the shell that would serve others while a script runs long.
    pub fn set_shell(&mut self, _: Arc<dyn Shell>) {}

    /// There are no scripts to bound.
    pub fn bound_scripts(&mut self, _: u64, _: usize) {}

    /// No script is ever busy.
    #[allow(clippy::unused_self)] // As with scripts.
    pub(super) fn run_while_busy(&mut self, _: ClientKey, _: &'static Command, _: Args<'_>) {
        debug_assert!(false, "there are no scripts");
    }

    /// No script declares other flags than its command.
    #[allow(clippy::unused_self)] // As with scripts.
    pub(super) fn script_flags(&self, _: Script, command: &Command, _: Args<'_>) -> Flags {
        command.flags
    }

    /// Answers one of the commands for scripts.
    pub(super) fn script_command(
        &mut self,
        _: Script,
        client: ClientKey,
        (command, args): (&'static Command, Args<'_>),
        _: (&mut Vec<u8>, &mut Finished),
    ) -> Result<(), Error> {
        if command.container().is_none() {
            self.show_script(client, command, args);
        }
        Err(Error::new("ERR minibroker was built without the feature `scripting`"))
    }
}
