//! WATCH: which clients watch which keys.

use crate::data::present;
use std::collections::HashMap;

use foldhash::fast::RandomState;

use crate::clients::{ClientKey, Clients};
use crate::data::Bytes;
use crate::keyspace::Database;

/// The watched keys of every database.
#[derive(Debug)]
pub struct Watches {
    by_key: Vec<HashMap<Bytes, Vec<ClientKey>, RandomState>>,
    /// How many keys are watched in all, so that the common case costs one comparison.
    count: usize,
}

impl Watches {
    /// No watches, for this number of databases.
    #[must_use]
    pub fn new(databases: usize) -> Self {
        Self { by_key: std::iter::repeat_with(HashMap::default).take(databases).collect(), count: 0 }
    }

    /// A client watches a key.
    pub fn add(&mut self, db: usize, key: &[u8], client: ClientKey) {
        let watchers = self.by_key[db].entry(key.into()).or_default();
        watchers.push(client);
        self.count += 1;
    }

    /// A client no longer watches a key.
    pub fn remove(&mut self, db: usize, key: &[u8], client: ClientKey) {
        let Some(watchers) = present(self.by_key[db].get_mut(key)) else { return };
        if let Some(index) = watchers.iter().position(|watcher| *watcher == client) {
            watchers.swap_remove(index);
            self.count -= 1;
        }
        if watchers.is_empty() {
            self.by_key[db].remove(key);
        }
    }

    /// A key has changed: the transactions of its watchers will fail.
    pub fn touch(&mut self, clients: &mut Clients, db: usize, key: &[u8]) {
        if self.count == 0 {
            return;
        }
        for watcher in self.by_key[db].get(key).into_iter().flatten() {
            if let Some(client) = clients.get_mut(*watcher) {
                client.watched_key_changed = true;
            }
        }
    }

    /// A key has been removed because it has expired: the transactions of its watchers will fail, except those for
    /// which it had already expired at the time of WATCH. These now watch a key that does not exist.
    pub fn expired(&mut self, clients: &mut Clients, db: usize, key: &[u8]) {
        if self.count == 0 {
            return;
        }
        for watcher in self.by_key[db].get(key).into_iter().flatten() {
            let Some(client) = present(clients.get_mut(*watcher)) else { continue };
            let watched = client.watched.as_mut();
            match watched.and_then(|keys| keys.get_mut(&(db, Bytes::from(key)))) {
                Some(had_expired) if *had_expired => *had_expired = false,
                _ => client.watched_key_changed = true,
            }
        }
    }

    /// All keys of a database are replaced at `now` (milliseconds since the Unix epoch), or removed, as by FLUSHDB:
    /// watchers of a key that existed or exists now fail, unless it was and is missing or expired.
    pub fn replaced(
        &mut self,
        clients: &mut Clients,
        db: usize,
        before: &Database,
        after: Option<&Database>,
        now: i64,
    ) {
        for (key, watchers) in &self.by_key[db] {
            let was_there = before.has(key);
            let is_there = after.is_some_and(|after| after.has(key));
            let expired_now = after.is_some_and(|after| after.expired(key, now));
            if !was_there && !is_there {
                continue;
            }
            for watcher in watchers {
                let Some(client) = present(clients.get_mut(*watcher)) else { continue };
                let watched = client.watched.as_mut();
                let Some(had_expired) = watched.and_then(|keys| keys.get_mut(&(db, key.clone()))) else {
                    continue;
                };
                let was_gone = *had_expired || !was_there;
                if was_gone && (!is_there || expired_now) {
                    *had_expired = expired_now;
                } else {
                    client.watched_key_changed = true;
                }
            }
        }
    }

    /// How many keys clients watch: INFO's `total_watched_keys`.
    #[must_use]
    pub fn keys(&self) -> usize {
        self.by_key.iter().map(HashMap::len).sum()
    }

    /// How many watches there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.count
    }

    /// True if nothing is watched.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }
}
