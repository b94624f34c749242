//! Scripts that run long: other clients are served meanwhile, and can end them.
//!
//! The interpreter calls the host at regular intervals. Once a script has run for `busy-reply-threshold` the engine is
//! lent: a thread that needs it locks the slot between two calls of the script, see [`Lent`].

use std::sync::Arc;
use std::time::Duration;

use parking_lot::{MappedMutexGuard, MutexGuard};

use super::host::{Bounds, Called, Checked, Run, Slot};
use crate::clients::ClientKey;
use crate::engine::admission::check_allowed;
use crate::engine::{Engine, Lent, Shell};
use crate::resp::{Args, Reply};
use crate::spec::Error;
use crate::spec::{Command, Flags};
use crate::state::State;
use crate::state::busy::Busy;
use crate::testing::faults::SimulatedState;

impl Lent for Slot<Engine> {
    fn lock(&self) -> Option<MappedMutexGuard<'_, Engine>> {
        let busy = MutexGuard::try_map(Self::lock(self), |inside| {
            let is_busy = inside.host.state.busy.is_some();
            is_busy.then_some(&mut inside.host)
        });
        busy.ok()
    }
}

impl Engine {
    /// Sets the shell, which serves other clients while a script runs long. Without one a script ends after a fixed
    /// number of instructions.
    pub fn set_shell(&mut self, shell: Arc<dyn Shell>) {
        self.scripts.shell = Some(shell);
    }

    /// Sets the limits of scripts: the number of instructions if no shell measures their time, and the bytes that they
    /// may use together. For tests, before the first script runs.
    pub fn bound_scripts(&mut self, instructions: u64, memory: usize) {
        self.scripts.bounds = Bounds { instructions, memory };
    }

    /// Checks a script that runs.
    pub(super) fn check_script(&mut self, run: &mut Run, called: &Called) -> Checked {
        let Some(shell) = &self.scripts.shell else {
            let limit = run.instructions_max;
            return if run.instructions < limit {
                Checked::Continue
            } else if run.loads {
                Checked::End("ERR FUNCTION LOAD timeout".to_owned())
            } else {
                Checked::End(format!("ERR Script ended by minibroker after {limit} instructions"))
            };
        };
        let uptime = shell.uptime();
        let lasted = uptime.saturating_sub(*run.started.get_or_insert(uptime));
        if self.state.busy.as_ref().is_some_and(|busy| busy.killed) {
            return Checked::End("ERR Script killed by user with SCRIPT KILL...".to_owned());
        }
        if shell.is_ending() {
            return Checked::End(
                "ERR Script ended by minibroker, which stops or closes its client".to_owned(),
            );
        }
        let threshold = Duration::from_millis(self.state.config.busy_reply_threshold);
        if let Some(longest) = shell.longest(threshold)
            && lasted >= longest
        {
            let longest = longest.as_millis();
            return Checked::End(format!(
                "ERR Script ended by minibroker after {longest} ms: it keeps the thread of its client"
            ));
        }
        if threshold.is_zero() || lasted < threshold {
            return Checked::Continue;
        }
        let busy = self.state.busy.get_or_insert_with(|| {
            let function = called.function();
            Box::new(Busy {
                client: run.client,
                function,
                has_written: run.has_written,
                killed: false,
                lasted,
            })
        });
        busy.lasted = lasted;
        Checked::ServeOthers(Arc::clone(shell))
    }

    /// Ends the state of a busy script.
    pub(super) fn end_busy(&mut self) {
        if let Some(busy) = self.state.busy.take() {
            // Requests that its client has sent meanwhile have not been read yet.
            self.state.clients.mark(busy.client);
        }
    }

    /// SCRIPT KILL, and FUNCTION KILL.
    pub(super) fn kill_script(&mut self, is_function: bool, reply: &mut Reply<'_>) -> Result<(), Error> {
        let Some(busy) = &mut self.state.busy else {
            return Err(Error::new("NOTBUSY No scripts in execution right now."));
        };
        if busy.has_written {
            return Err(Error::new(
                "UNKILLABLE Sorry the script already executed write commands against the dataset. You can \
                 either wait the script termination or kill the server in a hard way using the SHUTDOWN NOSAVE \
                 command.",
            ));
        }
        if busy.function.is_some() != is_function {
            return Err(Error::new(busy.error()));
        }
        busy.killed = true;
        reply.ok();
        Ok(())
    }

    /// Runs a command of a client while a script is busy, if that is allowed.
    #[cold]
    #[inline(never)]
    pub(in crate::engine) fn run_while_busy(
        &mut self,
        key: ClientKey,
        command: &'static Command,
        args: Args<'_>,
    ) {
        // The journal entry of the script's own command is not complete.
        let aside = self.state.journal.set_aside();
        let State { clients, users, busy, .. } = &mut *self.state;
        if let (Some(client), Some(busy)) = (clients.get(key), &*busy) {
            let mut is_refused = false;
            let allowed = check_allowed(client, users, (command, args), |state| {
                is_refused |= state == SimulatedState::Busy && !command.flags.contains(Flags::ALLOW_BUSY);
                is_refused
            });
            match allowed {
                Ok(()) => self.hold_or_run(key, command, args),
                Err(_) if is_refused => {
                    let error = Error::new(busy.error());
                    self.refuse_command(key, Some(command), args, &error);
                }
                Err(refusal) => self.refuse_admission(key, command, args, refusal),
            }
        }
        self.state.journal.restore(aside);
    }
}
