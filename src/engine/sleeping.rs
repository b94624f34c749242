//! DEBUG SLEEP: as long as it lasts no client is served.
//!
//! A redis-server that sleeps does nothing at all. Here the lock of the engine stays free: requests are left where
//! they are, what is in the outboxes stays there, no key expires by itself and nobody's time is up. The embedding
//! program can go on working with the broker; clients cannot tell the difference.

use super::Engine;
use crate::store::{ClientKey, Time};

impl Engine {
    /// True if the broker sleeps at this time; it wakes when its time has come.
    pub(super) fn sleeps(&mut self, now: Time) -> bool {
        let Some(until) = self.store.asleep_until else { return false };
        if until <= now {
            self.wake();
        }
        until > now
    }

    /// Whoever has sent something meanwhile has its turn.
    pub(super) fn wake(&mut self) {
        self.store.asleep_until = None;
        let clients = &mut self.store.clients;
        let stalled: Vec<ClientKey> =
            clients.iter().filter(|(_, client)| client.stalled).map(|(key, _)| key).collect();
        for key in stalled {
            if let Some(client) = clients.get_mut(key) {
                client.stalled = false;
                client.resumed = true;
            }
            clients.mark(key);
        }
    }
}
