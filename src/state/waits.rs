//! The end of a client's wait, and of all that a client is in the middle of.

use crate::clients::waiters::Blocked;
use crate::clients::{ClientKey, Close};
use crate::data::present;
use crate::state::State;

impl State {
    /// Ends the wait of a client and returns what it waited for. It continues with its requests when that has been
    /// handled, see [`Clients::mark_resumed`](crate::clients::Clients::mark_resumed).
    pub fn resume(&mut self, client: ClientKey) -> Option<Box<Blocked>> {
        let owner = self.clients.get_mut(client)?;
        let blocked = owner.blocked.take()?;
        owner.resumed = true;
        self.waiters.remove(client, &blocked);
        Some(blocked)
    }

    /// Ends everything that a client is in the middle of: subscriptions, watches, waits, its transaction.
    pub fn release(&mut self, client: ClientKey) {
        self.unsubscribe_from_all(client);
        self.unwatch(client);
        let Some(owner) = present(self.clients.get_mut(client)) else { return };
        owner.transaction = None;
        if let Some(blocked) = owner.blocked.take() {
            self.waiters.remove(client, &blocked);
        }
    }

    /// Cuts a client off at once; from now on it gets nothing and takes nothing.
    pub fn kill(&mut self, client: ClientKey) {
        self.release(client);
        self.clients.close(client, Close::Now);
    }
}
