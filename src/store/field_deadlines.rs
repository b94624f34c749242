//! When fields of hashes expire: each database files its hashes by their first deadline.

use std::collections::BTreeSet;

use super::{Bytes, Class, Hash, Store, Typed, Value};

/// The hashes of a database with fields that expire, in the order in which the first of them does. A hash whose
/// first deadline has moved to a later time, or has gone, may stay where it was: it is looked at too early once.
#[derive(Debug, Default)]
pub struct FieldDeadlines(BTreeSet<(i64, Bytes)>);

impl FieldDeadlines {
    /// The number of hashes.
    #[must_use]
    pub fn hashes(&self) -> usize {
        self.0.len()
    }

    /// When there is something to look at, in milliseconds since the Unix epoch.
    #[must_use]
    pub fn next(&self) -> Option<i64> {
        self.0.first().map(|(at, _)| *at)
    }

    /// A value that is new in the keyspace. A copy thinks that it is filed already.
    pub(super) fn add(&mut self, key: &[u8], value: &mut Value) {
        if let Some(hash) = Hash::of_mut(value) {
            hash.unfile();
            self.follow(key, hash);
        }
    }

    /// The first deadline of a hash may have changed.
    fn follow(&mut self, key: &[u8], hash: &mut Hash) {
        let (from, to) = hash.file();
        if from == to {
            return;
        }
        let filed = from.and_then(|from| self.0.take(&(from, key.into())));
        if let Some(to) = to {
            self.0.insert((to, filed.map_or_else(|| key.into(), |(_, key)| key)));
        }
    }

    /// A value leaves the keyspace.
    pub(super) fn remove(&mut self, key: &[u8], value: &mut Value) {
        if let Some(at) = Hash::of_mut(value).and_then(Hash::unfile) {
            self.0.remove(&(at, key.into()));
        }
    }

    fn take_first(&mut self, now: i64) -> Option<Bytes> {
        self.next().filter(|at| *at <= now)?;
        self.0.pop_first().map(|(_, key)| key)
    }
}

impl Store {
    /// A command may have moved the first deadline in a hash to an earlier time, or has removed fields with
    /// deadlines.
    pub fn file_fields(&mut self, key: &[u8]) {
        let database = &mut self.databases[self.db];
        let (value, deadlines) = database.value_and_field_deadlines(key);
        if let Some(hash) = value.and_then(Hash::of_mut) {
            deadlines.follow(key, hash);
            let next = deadlines.next();
            self.note_expiry(next);
        }
    }

    /// Removes the fields of a hash that have passed their time; while CLIENT PAUSE lasts they are only hidden.
    /// True if the hash is still there.
    #[cold]
    pub(super) fn hide_or_expire_fields(&mut self, key: &[u8]) -> bool {
        if !self.keeps_expired {
            return self.expire_fields(self.db, key);
        }
        let now = self.now.millis();
        let (value, _) = self.databases[self.db].value_and_field_deadlines(key);
        if let Some(hash) = value.and_then(Hash::of_mut) {
            hash.hide_due(now);
        }
        true
    }

    /// Removes the fields of a hash that have passed their time, with what redis-server tells about it, and the
    /// hash with its last field. True if the hash is still there.
    fn expire_fields(&mut self, db: usize, key: &[u8]) -> bool {
        let now = self.now.millis();
        let (value, deadlines) = self.databases[db].value_and_field_deadlines(key);
        let Some(hash) = value.and_then(Hash::of_mut) else { return true };
        let removed = hash.remove_due(now);
        let emptied = hash.is_empty();
        deadlines.follow(key, hash);
        if removed == 0 {
            return true;
        }
        self.stats.expired_fields += removed as u64;
        let seen = std::mem::replace(&mut self.db, db);
        self.watches.touch(&mut self.clients, db, key);
        self.event(Class::HASH, "hexpired", key);
        if emptied {
            self.remove_empty(key);
        }
        self.db = seen;
        !emptied
    }

    /// Removes every field whose time has come.
    pub(super) fn expire_due_fields(&mut self) {
        let now = self.now.millis();
        for db in 0..self.databases.len() {
            while let Some(key) = self.databases[db].field_deadlines_mut().take_first(now) {
                if let Some(hash) =
                    self.databases[db].value_and_field_deadlines(&key).0.and_then(Hash::of_mut)
                {
                    hash.unfile();
                }
                self.expire_fields(db, &key);
            }
        }
    }
}
