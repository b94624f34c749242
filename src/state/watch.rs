//! WATCH and UNWATCH.

use crate::clients::ClientKey;
use crate::data::Bytes;
use crate::data::present;
use crate::state::State;
use indexmap::map::Entry;

impl State {
    /// A client watches a key of the current database; repeated calls have no effect.
    pub fn watch(&mut self, client_key: ClientKey, key: &[u8]) {
        let (db, now) = (self.db, self.now.millis());
        let Some(client) = present(self.clients.get_mut(client_key)) else { return };
        if let Entry::Vacant(vacant) = client.watched.get_or_insert_default().entry((db, Bytes::from(key))) {
            vacant.insert(self.databases[db].expired(key, now));
            self.watches.add(db, key, client_key);
        }
    }

    /// Ends all watches of a client, and removes the changes that they have seen.
    pub fn unwatch(&mut self, client_key: ClientKey) {
        let Some(client) = present(self.clients.get_mut(client_key)) else { return };
        client.watched_key_changed = false;
        for ((db, key), _) in client.watched.take().into_iter().flat_map(|keys| *keys) {
            self.watches.remove(db, &key, client_key);
        }
    }
}
