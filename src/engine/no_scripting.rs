//! What is there of scripts when the feature `scripting` is off: the commands, which say so.

use super::Engine;
use super::life::Finished;
use crate::clients::ClientKey;
use crate::resp::Args;
use crate::spec::Error;
use crate::spec::{Command, Script};

impl Engine {
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
