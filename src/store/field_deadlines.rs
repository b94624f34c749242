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
            return self.expire_fields(self.db, key, usize::MAX).is_some();
        }
        let now = self.now.millis();
        let (value, _) = self.databases[self.db].value_and_field_deadlines(key);
        if let Some(hash) = value.and_then(Hash::of_mut) {
            hash.hide_due(now);
        }
        true
    }

    /// Removes the fields of a hash that have passed their time, but not more than `max` of them, with what
    /// redis-server tells about it, and the hash with its last field. Returns how many these were, or none if the
    /// hash is gone.
    fn expire_fields(&mut self, db: usize, key: &[u8], max: usize) -> Option<usize> {
        let now = self.now.millis();
        let (value, deadlines) = self.databases[db].value_and_field_deadlines(key);
        let hash = value.and_then(Hash::of_mut)?;
        let removed = hash.remove_due(now, max);
        let emptied = hash.is_empty();
        deadlines.follow(key, hash);
        if removed > 0 {
            self.stats.expired_fields += removed as u64;
            self.in_database(db, |store| {
                store.watches.touch(&mut store.clients, db, key);
                store.event(Class::HASH, "hexpired", key);
                if emptied {
                    store.remove_empty(key);
                }
            });
        }
        (!emptied).then_some(removed)
    }

    /// Removes fields whose time has come, but not more than `max` of them and their hashes; returns how many.
    pub(super) fn expire_due_fields(&mut self, max: usize) -> usize {
        let now = self.now.millis();
        let mut left = max;
        for db in 0..self.databases.len() {
            while left > 0 {
                let Some(key) = self.databases[db].field_deadlines_mut().take_first(now) else { break };
                if let Some(hash) =
                    self.databases[db].value_and_field_deadlines(&key).0.and_then(Hash::of_mut)
                {
                    hash.unfile();
                }
                let removed = self.stats.expired_fields;
                self.expire_fields(db, &key, left);
                let removed = self.stats.expired_fields - removed;
                // A hash that was looked at in vain counts, too.
                left = left.saturating_sub(usize::try_from(removed).unwrap_or(left).max(1));
            }
        }
        max - left
    }
}
