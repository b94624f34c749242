//! The end of a client's wait, and of all that a client is in the middle of.

use crate::clients::waiters::Blocked;
use crate::clients::{ClientKey, Close};
use crate::data::present;
use crate::state::State;

impl State {
    /// Ends the wait of a client and returns it. The client continues with its requests when the end of the wait
    /// has been handled, see [`Clients::mark_resumed`](crate::clients::Clients::mark_resumed).
    pub fn resume(&mut self, key: ClientKey) -> Option<Box<Blocked>> {
        let client = self.clients.get_mut(key)?;
        let blocked = client.blocked.take()?;
        client.resumed = true;
        self.waiters.remove(key, &blocked);
        Some(blocked)
    }

    /// Ends everything that a client is in the middle of: subscriptions, watches, tracking, waits, its
    /// transaction.
    pub fn end_activities(&mut self, key: ClientKey) {
        self.unsubscribe_from_all(key);
        self.unwatch(key);
        self.stop_tracking(key);
        let Some(client) = present(self.clients.get_mut(key)) else { return };
        client.transaction = None;
        if let Some(blocked) = client.blocked.take() {
            self.waiters.remove(key, &blocked);
        }
    }

    /// Cuts a client off at once; from now on it gets nothing and takes nothing.
    pub fn kill(&mut self, key: ClientKey) {
        self.end_activities(key);
        self.clients.close(key, Close::Now);
    }
}
