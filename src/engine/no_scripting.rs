//! Scripts when the feature `scripting` is off: their commands, which return an error.

use std::sync::Arc;

use super::command_life::Finished;
use super::{Engine, Shell};
use crate::clients::ClientKey;
use crate::resp::Args;
use crate::spec::Error;
use crate::spec::{Command, Flags, Script};

const NOT_BUILT: Error = Error::constant(&"ERR minibroker was built without the feature `scripting`");

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

    /// There are no libraries.
    #[allow(clippy::unused_self)] // As with scripts.
    pub(super) fn library_texts(&self) -> impl Iterator<Item = &[u8]> {
        std::iter::empty()
    }

    /// Libraries of functions are refused.
    #[allow(clippy::unused_self)] // As with scripts.
    pub(super) fn load_libraries(&mut self, texts: &[Vec<u8>], _: bool, _: bool) -> Result<(), Error> {
        if texts.is_empty() { Ok(()) } else { Err(NOT_BUILT) }
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
        Err(NOT_BUILT)
    }
}
