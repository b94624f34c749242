//! Tracking: CLIENT CACHING, and the keys that commands read.

use super::Engine;
use super::command_life::Origin;
use crate::clients::ClientKey;
use crate::config::Version;
use crate::data::present;
use crate::resp::Args;
use crate::spec::{Command, Flags, Run};
use crate::table::TABLE;

impl Engine {
    /// CLIENT CACHING is for the next command that is not a subcommand of CLIENT, and within a transaction for all. This is
    /// called when a request arrives, while [`Client::last_command`](crate::clients::Client::last_command) is still the one
    /// before.
    #[cold]
    #[inline(never)]
    pub(super) fn end_caching(&mut self, key: ClientKey) {
        let Some(client) = present(self.state.clients.get_mut(key)) else { return };
        let last = client.last_command.and_then(|index| TABLE.all().get(index));
        let container = last.and_then(Command::container);
        let keeps = container.is_some_and(|container| container.flags.contains(Flags::KEEPS_CACHING));
        if let Some(tracking) = &mut client.tracking
            && client.transaction.is_none()
            && !keeps
        {
            tracking.caching = false;
        }
    }

    /// Whether the keyspace events of a command come before the notifications of clients that track its keys.
    pub(super) fn has_events_first(&self, command: &Command) -> bool {
        let since_7_2 = self.state.config.compat >= Version::Redis7_4;
        command.flags.contains(Flags::EVENTS_FIRST)
            || (since_7_2 && command.flags.contains(Flags::EVENTS_FIRST_SINCE_7_2))
    }

    /// Notes the keys of a command that only reads, even if it has failed, for a client that tracks them. A script tracks
    /// what its commands read.
    // Out of line, as few clients track.
    #[cold]
    #[inline(never)]
    pub(super) fn note_reads(
        &mut self,
        client: ClientKey,
        origin: Origin,
        command: &Command,
        args: Args<'_>,
    ) {
        let reads = command.flags.contains(Flags::READONLY) && !matches!(command.run, Run::Script(_));
        let tracking = self.state.clients.get(client).and_then(|client| client.tracking.as_ref());
        // Before Redis 7.2 a command that runs again after a wait is not one that the client has called.
        let is_called = origin != Origin::AfterWait || self.state.config.compat >= Version::Redis7_4;
        if reads && is_called && tracking.is_some_and(|tracking| tracking.tracks_reads()) {
            let keys = match command.find_tracked {
                Some(find) => find(args),
                None => command.keys(args).unwrap_or_default(),
            };
            self.state.note_reads(client, keys.iter().map(|(at, _)| &args[*at]));
        }
    }
}
