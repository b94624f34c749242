//! EXEC, which runs commands itself.

use super::Engine;
use super::admission::check_permission;
use super::command_life::{Caller, Origin};
use crate::clients::ClientKey;
use crate::commands::acl;
use crate::data::present;
use crate::resp::{Args, Reply};
use crate::spec::{Command, Error};
use crate::table::TABLE;
use crate::users::{Context as DeniedIn, Denial};

impl Engine {
    /// Ends a transaction without running it.
    pub(super) fn discard(&mut self, key: ClientKey) {
        if let Some(client) = self.state.clients.get_mut(key) {
            client.transaction = None;
        }
        self.state.unwatch(key);
    }

    /// Runs what was queued since MULTI, unless something could not be queued or a watched key has changed.
    pub(super) fn exec(&mut self, key: ClientKey, out: &mut Vec<u8>) -> Result<(), Error> {
        let changed = self.watched_key_expired(key);
        let client = present(self.state.clients.get_mut(key)).ok_or(Error::NO_SUCH_CLIENT)?;
        // CLIENT REPLY within the transaction may change whether replies are on.
        let (protocol, is_muted) = (client.protocol, client.is_muted());
        let changed = changed || client.watched_key_changed;
        let Some(transaction) = client.transaction.take() else {
            return Err(Error::new("ERR EXEC without MULTI"));
        };
        // Inside of EXEC nothing is watched: its own changes do not make it fail.
        self.state.unwatch(key);
        if transaction.failed {
            return Err(Error::new("EXECABORT Transaction discarded because of previous errors."));
        }
        if changed {
            if !is_muted {
                Reply::new(out, protocol).null_array();
            }
            return Ok(());
        }
        if !is_muted {
            Reply::new(out, protocol).array(transaction.queue.len());
        }
        for request in &transaction.queue {
            let args = request.args();
            let command = TABLE.find(args, self.state.config.compat);
            let (Some(command), Some(client)) = (command, self.state.clients.get(key)) else { continue };
            let caller = Caller::new(key, Origin::Transaction, client);
            if let Err(denial) = check_permission(client, &self.state.users, command, args) {
                self.deny_in_exec(key, (command, args), denial, out);
            } else {
                self.run_within(caller, command, args, out);
            }
        }
        self.start_scheduled_save();
        Ok(())
    }

    /// Answers a queued command that the client's user may no longer run.
    #[cold]
    fn deny_in_exec(
        &mut self,
        key: ClientKey,
        (command, args): (&Command, Args<'_>),
        denial: Denial,
        out: &mut Vec<u8>,
    ) {
        acl::deny_command(&mut self.state, key, (command, args), (denial, DeniedIn::Multi));
        let reason = match denial {
            Denial::Command => "no permission to execute the command or subcommand",
            Denial::Key(_) => "no permission to touch the specified keys",
            Denial::Channel(_) => "no permission to access one of the channels used as arguments",
        };
        let error = format!(
            "NOPERM ACLs rules changed between the moment the transaction was accumulated and the EXEC call. This command is \
             no longer allowed for the following reason: {reason}"
        );
        self.state.stats.error(error.as_bytes());
        if let Some(client) = self.state.clients.get(key).filter(|client| !client.is_muted()) {
            Reply::new(out, client.protocol).error(error.as_bytes());
        }
    }

    /// True if a watched key has expired since WATCH, noticed or not. One that had already expired at the time
    /// of WATCH does not count.
    fn watched_key_expired(&mut self, client_key: ClientKey) -> bool {
        let Some(client) = self.state.clients.get(client_key) else { return false };
        let now = self.state.now.millis();
        client
            .watched
            .iter()
            .flat_map(|keys| keys.iter())
            .any(|((db, key), was_expired)| !was_expired && self.state.databases[*db].expired(key, now))
    }
}
