//! The keys of the database that the running command sees: lookup, storage, removal, expiry.

use std::collections::BTreeMap;

use crate::config::Class;
use crate::data::value::Type;
use crate::data::{ByteString, Bytes, Typed, Value, WrongType, present};
use crate::keyspace::{Access, Database, Entry};
use crate::state::State;

/// What looking up a key records, as `LOOKUP_NOSTATS` and `LOOKUP_NOTOUCH` of redis-server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lookup {
    /// Nothing.
    Uncounted,
    /// A hit or a miss, for commands that read other things than the value, such as TTL.
    Hit,
    /// A hit or a miss, and that the key was used.
    Use,
}

impl State {
    /// The database that the running command sees.
    #[must_use]
    pub fn database(&self) -> &Database {
        &self.databases[self.db]
    }

    /// The index of a key that has not expired; one that has is removed first, with its event.
    fn live(&mut self, key: &[u8]) -> Option<usize> {
        let (index, entry) = self.databases[self.db].get_with_index(key)?;
        if entry.expired(self.now.millis()) {
            if !self.keeps_expired {
                self.expire(self.db, index);
            }
            return None;
        }
        if let Value::Hash(hash) = &entry.value
            && hash.next_expiry().is_some_and(|at| at <= self.now.millis())
            && !self.hide_or_expire_fields(key)
        {
            return None;
        }
        Some(index)
    }

    /// As [`State::live`], and records that the key is used.
    fn used(&mut self, key: &[u8]) -> Option<usize> {
        let index = self.live(key)?;
        self.use_at(index);
        Some(index)
    }

    fn use_at(&mut self, index: usize) {
        if self.touches
            && let Some(entry) = self.databases[self.db].at_mut(index)
        {
            entry.access.note(&self.config, self.now, &mut self.random);
        }
    }

    /// Records that a key is used; true if it exists. Every command that reads or changes a value does this with the
    /// functions below; those that do not read the value use [`State::lookup`].
    pub fn touch(&mut self, key: &[u8]) -> bool {
        self.used(key).is_some()
    }

    /// The entry of a key that has not expired; `record` selects what the lookup counts.
    pub fn lookup(&mut self, key: &[u8], record: Lookup) -> Option<&Entry> {
        let index = self.index_of(key, record)?;
        self.database().at(index).map(|(_, entry)| entry)
    }

    /// As [`State::lookup`], for a command that changes the entry. Its expiry is changed with [`State::set_expiry`].
    pub fn lookup_mut(&mut self, key: &[u8], record: Lookup) -> Option<&mut Entry> {
        let index = self.index_of(key, record)?;
        self.databases[self.db].at_mut(index)
    }

    fn index_of(&mut self, key: &[u8], record: Lookup) -> Option<usize> {
        let index = self.live(key);
        match record {
            Lookup::Uncounted => {}
            Lookup::Hit | Lookup::Use if index.is_some() => self.stats.keyspace_hits += 1,
            Lookup::Hit | Lookup::Use => {
                self.stats.keyspace_misses += 1;
                self.event(Class::KEY_MISS, "keymiss", key);
            }
        }
        if record == Lookup::Use
            && let Some(index) = index
        {
            self.use_at(index);
        }
        index
    }

    /// The entry of a key, for commands that read several at once. Changes nothing: expired keys are not returned, but
    /// not removed either.
    #[must_use]
    pub fn lookup_shared(&self, key: &[u8]) -> Option<&Entry> {
        self.database().get_live(key, self.now.millis())
    }

    /// True if the key exists.
    pub fn contains(&mut self, key: &[u8]) -> bool {
        self.live(key).is_some()
    }

    /// The name of a random key, all being equally likely.
    pub fn random_key(&mut self) -> Option<Bytes> {
        /// How many expired keys may be found and removed on the way.
        const TRIES: usize = 100;
        let now = self.now.millis();
        for _ in 0..TRIES {
            let len = self.database().len();
            let index = if len > 0 { self.random.usize(0..len) } else { return None };
            let (key, entry) = self.database().at(index)?;
            if !entry.expired(now) {
                return Some(key.clone());
            }
            if !self.keeps_expired {
                self.expire(self.db, index);
            }
        }
        let mut left = self.database().iter().filter(|(_, entry)| !entry.expired(now));
        left.next().map(|(key, _)| key.clone())
    }

    /// The value of a key for a command that reads: counted as a hit or miss.
    ///
    /// # Errors
    ///
    /// The key has another type.
    pub fn get<T: Typed>(&mut self, key: &[u8]) -> Result<Option<&T>, WrongType> {
        self.lookup(key, Lookup::Use).map(|entry| T::of(&entry.value).ok_or(WrongType)).transpose()
    }

    /// As [`State::get`], for a command that walks over the value: it changes nothing but the value's record of walks.
    ///
    /// # Errors
    ///
    /// The key has another type.
    pub fn get_to_walk<T: Typed>(&mut self, key: &[u8]) -> Result<Option<&mut T>, WrongType> {
        let Some(index) = self.index_of(key, Lookup::Use) else { return Ok(None) };
        let entry = self.databases[self.db].at_mut(index);
        entry.map(|entry| T::of_mut(&mut entry.value).ok_or(WrongType)).transpose()
    }

    /// The values of several keys at once, in their order, for a command that reads: each is counted as a hit or miss.
    /// They are not copied, even if a key is named several times.
    ///
    /// # Errors
    ///
    /// One of the keys has another type.
    pub fn get_all<'k, T: Typed>(
        &mut self,
        keys: impl Iterator<Item = &'k [u8]> + Clone,
    ) -> Result<Vec<Option<&T>>, WrongType> {
        for key in keys.clone() {
            self.get::<T>(key)?;
        }
        Ok(self.get_shared(keys))
    }

    /// The values of several keys as in [`State::lookup_shared`]; `None` if a key has another type.
    pub fn get_shared<'k, T: Typed>(&self, keys: impl Iterator<Item = &'k [u8]>) -> Vec<Option<&T>> {
        keys.map(|key| T::of(&self.lookup_shared(key)?.value)).collect()
    }

    /// The value of a key for a command that changes it if it exists.
    ///
    /// # Errors
    ///
    /// The key has another type.
    pub fn get_mut<T: Typed>(&mut self, key: &[u8]) -> Result<Option<&mut T>, WrongType> {
        let Some(index) = self.used(key) else { return Ok(None) };
        let entry = self.databases[self.db].at_mut(index);
        entry.map(|entry| T::of_mut(&mut entry.value).ok_or(WrongType)).transpose()
    }

    /// The value of a key, created empty if there is none. The caller adds to it.
    ///
    /// # Errors
    ///
    /// The key has another type.
    pub fn get_or_create<T: Typed + Default>(&mut self, key: &[u8]) -> Result<&mut T, WrongType> {
        let index = self.used(key);
        if index.is_none() {
            self.put(None, key, T::default().into_value(), None);
        }
        let database = &mut self.databases[self.db];
        // A new key is the last.
        let index = index.or(database.len().checked_sub(1)).ok_or(WrongType)?;
        let entry = present(database.at_mut(index)).ok_or(WrongType)?;
        T::of_mut(&mut entry.value).ok_or(WrongType)
    }

    /// Sets a key to a value, with the time of its expiry in milliseconds since the Unix epoch. If the key did not
    /// exist, the clients that wait for it are served after the command. Watchers, clients that track it and events are
    /// left to the caller, by [`State::modified`].
    pub fn insert(&mut self, key: &[u8], value: Value, expires: Option<i64>) -> Option<Entry> {
        let index = self.used(key);
        self.put(index, key, value, expires)
    }

    /// Sets a key that is at this index, or does not exist.
    fn put(&mut self, index: Option<usize>, key: &[u8], value: Value, expires: Option<i64>) -> Option<Entry> {
        self.note_expiry(expires);
        if let Value::Hash(hash) = &value {
            self.note_expiry(hash.next_expiry());
        }
        let entry = Entry::new(value, expires, Access::first(&self.config, self.now));
        if let Some(index) = index {
            // As in redis-server, a value that replaces another one serves no waiter.
            self.waiters.lost(self.db, key);
            let kind = entry.value.kind();
            let old = self.databases[self.db].replace(index, entry);
            self.replaced(key, old.as_ref().map_or(kind, |old| old.value.kind()), kind);
            return old;
        }
        self.databases[self.db].add(key, entry);
        self.event(Class::NEW, "new", key);
        self.waiters.ready(self.db, key);
        None
    }

    /// Sets a key to [`ByteString::new`] of these bytes, as [`State::insert`]. An existing string is overwritten in
    /// its buffer.
    pub fn set_string(&mut self, key: &[u8], value: &[u8], expires: Option<i64>) {
        let index = self.used(key);
        if let Some(index) = index
            && let Some(entry) = self.databases[self.db].at_mut(index)
            && let Value::String(old) = &mut entry.value
        {
            old.set(value);
            self.databases[self.db].set_expiry(index, expires);
            self.note_expiry(expires);
            self.replaced(key, Type::String, Type::String);
        } else {
            self.put(index, key, Value::String(ByteString::new(value)), expires);
        }
    }

    /// Runs `act` in another database.
    pub fn in_database<R>(&mut self, db: usize, act: impl FnOnce(&mut Self) -> R) -> R {
        let seen = std::mem::replace(&mut self.db, db);
        let result = act(self);
        self.db = seen;
        result
    }

    /// Removes a key; the caller calls [`State::modified`].
    pub fn remove(&mut self, key: &[u8]) -> Option<Entry> {
        self.live(key)?;
        let removed = self.databases[self.db].remove(key);
        self.waiters.lost(self.db, key);
        removed
    }

    /// Removes a collection that has become empty, with its event.
    pub fn remove_empty(&mut self, key: &[u8]) {
        if self.databases[self.db].remove(key).is_some() {
            self.event(Class::GENERIC, "del", key);
        }
    }

    /// Sets or removes the expiry of a key, in milliseconds since the Unix epoch; returns the previous one.
    pub fn set_expiry(&mut self, key: &[u8], expires: Option<i64>) -> Option<i64> {
        self.note_expiry(expires);
        let version = self.config.compat;
        let database = &mut self.databases[self.db];
        let (index, _) = database.get_with_index(key)?;
        if expires.is_none()
            && let Some(entry) = database.at_mut(index)
        {
            entry.keep_encoding(key, version);
        }
        database.set_expiry(index, expires)
    }

    /// Renames a key, with its expiry, replacing a key that had the new name; false if the key does not exist. One
    /// change, with two events.
    pub fn rename(&mut self, from: &[u8], to: &[u8]) -> bool {
        if !self.contains(from) {
            return false;
        }
        let Some(mut entry) = present(self.databases[self.db].remove(from)) else { return false };
        entry.keep_encoding(from, self.config.compat);
        // Removed first: the new name is a new key even if it existed.
        let replaced = self.remove(to).map(|old| old.value.kind());
        let (kind, expires) = (entry.value.kind(), entry.expires());
        self.insert(to, entry.value, expires);
        // Clients that wait for the new name come first.
        self.waiters.lost(self.db, from);
        self.key_changed(from);
        self.touched(to);
        self.event(Class::GENERIC, "rename_from", from);
        self.event(Class::GENERIC, "rename_to", to);
        if let Some(before) = replaced {
            self.replaced(to, before, kind);
        }
        true
    }

    /// One step of SCAN: the cursor of the next step, 0 after the last, and the indices of the keys to return now.
    /// Expired keys among them are removed before.
    pub fn scan(&mut self, cursor: u64, count: u64) -> (u64, std::ops::Range<usize>) {
        let database = &mut self.databases[self.db];
        let (next, indices) = database.walk(cursor, count);
        if self.keeps_expired || database.expiring() == 0 {
            return (next, indices);
        }
        // A key that takes over the index of an expired key is to be one of those that are returned now.
        database.hold_walk(indices.end);
        for index in indices.clone().rev() {
            if self.database().at(index).is_some_and(|(_, entry)| entry.expired(self.now.millis())) {
                self.expire(self.db, index);
            }
        }
        (next, indices.start..self.databases[self.db].release_walk())
    }

    /// Removes the key at an index because it has expired.
    fn expire(&mut self, db: usize, index: usize) {
        if let Some((key, _)) = self.databases[db].remove_at(index) {
            self.stats.expired_keys += 1;
            self.journal.record(|journal| journal.expired(db, &key, self.now));
            self.waiters.lost(db, &key);
            self.in_database(db, |state| {
                state.watches.expired(&mut state.clients, db, &key);
                if state.tracked.is_used() {
                    state.invalidate(&key, None);
                }
                state.event(Class::EXPIRED, "expired", &key);
            });
        }
    }

    /// Removes expired keys and fields of hashes, at most `max` of them; returns how many.
    pub fn expire_due(&mut self, max: usize) -> usize {
        let keys = self.expire_due_keys(max);
        keys + self.expire_due_fields(max - keys)
    }

    /// Removes the keys, in the order of their deadlines.
    fn expire_due_keys(&mut self, max: usize) -> usize {
        let mut left = max;
        while left > 0 {
            let due = || {
                let databases = self.databases.iter().take(self.expiring_databases).enumerate();
                databases.filter_map(|(db, database)| Some((database.next_key_expiry()?, db)))
            };
            let Some((_, db)) = due().min().filter(|(at, _)| *at <= self.now.millis()) else { break };
            let next = due().filter(|(_, other)| *other != db).min();
            let until = next.map_or(self.now.millis(), |(at, _)| at.min(self.now.millis()));
            while let Some(index) = self.databases[db].first_due(until) {
                if left == 0 {
                    break;
                }
                self.expire(db, index);
                left -= 1;
            }
        }
        max - left
    }

    /// When the next key of any database expires by itself, in milliseconds since the Unix epoch.
    #[must_use]
    pub fn next_expiry(&self) -> Option<i64> {
        if !self.active_expire {
            return None;
        }
        self.databases.iter().take(self.expiring_databases).filter_map(Database::next_expiry).min()
    }

    /// Notes that a key or field of the current database expires, if it does.
    pub(super) fn note_expiry(&mut self, expires: Option<i64>) {
        if expires.is_some() {
            self.expiring_databases = self.expiring_databases.max(self.db + 1);
        }
    }

    /// Empties a database. Watchers of its keys are notified; clients that track keys by the caller, see
    /// [`State::invalidate_all`].
    pub fn flush(&mut self, db: usize) {
        let now = self.now.millis();
        self.watches.replaced(&mut self.clients, db, &self.databases[db], None, now);
        self.stats.dirty += self.databases[db].len() as u64;
        self.databases[db] = Database::default();
        self.waiters.ready_all(db);
    }

    /// Replaces all databases, as FLUSHALL and then a file that is loaded: watchers and clients that track keys are
    /// notified of what there was, and there are no keyspace events. It is no change that is to be saved.
    pub fn replace_databases(&mut self, databases: BTreeMap<usize, Database>) {
        let changes = self.stats.dirty;
        for db in 0..self.databases.len() {
            self.flush(db);
        }
        self.invalidate_all();
        self.expiring_databases = 0;
        for (number, database) in databases {
            let Some(place) = present(self.databases.get_mut(number)) else { continue };
            *place = database;
            self.expiring_databases = number + 1;
            self.waiters.ready_all(number);
        }
        self.stats.dirty = changes;
    }

    /// The first key that is here as well as there.
    pub fn first_in_both(&mut self, databases: &BTreeMap<usize, Database>) -> Option<Bytes> {
        databases.iter().find_map(|(number, database)| {
            self.in_database(*number, |state| {
                database.iter().map(|(key, _)| key).find(|key| state.contains(key)).cloned()
            })
        })
    }

    /// Adds the keys of these databases, which replace those of the same names. As in redis-server nobody is notified,
    /// and it is no change that is to be saved.
    pub fn merge_databases(&mut self, databases: BTreeMap<usize, Database>) {
        for (number, database) in databases {
            self.in_database(number, |state| {
                for (key, entry) in database.into_entries() {
                    let (expires, access) = (entry.expires(), entry.access);
                    state.note_expiry(expires);
                    if let Value::Hash(hash) = &entry.value {
                        state.note_expiry(hash.next_expiry());
                    }
                    let entry = Entry::new(entry.value, expires, access);
                    match state.live(&key) {
                        Some(index) => drop(state.databases[number].replace(index, entry)),
                        None => state.databases[number].add(&key, entry),
                    }
                    state.waiters.ready(number, &key);
                }
            });
        }
    }

    /// Exchanges two databases. Watchers are notified, and clients that wait for a key that exists now are served.
    pub fn swap(&mut self, one: usize, other: usize) {
        let now = self.now.millis();
        for (db, by) in [(one, other), (other, one)] {
            let [before, after] = [db, by].map(|db| &self.databases[db]);
            self.watches.replaced(&mut self.clients, db, before, Some(after), now);
        }
        self.databases.swap(one, other);
        if self.expiring_databases > one.min(other) {
            self.expiring_databases = self.expiring_databases.max(one.max(other) + 1);
        }
        self.waiters.ready_all(one);
        self.waiters.ready_all(other);
    }
}

#[cfg(test)]
mod tests {
    use crate::data::Time;
    use std::collections::HashSet;

    use super::*;
    use crate::config::Config;

    #[test]
    fn scan_returns_every_key_that_stays_and_none_twice() {
        for seed in 0..200 {
            let mut state = State::new(Config::default(), seed, Time::from_millis(1000));
            let mut random = fastrand::Rng::with_seed(seed);
            let total = random.usize(1..80);
            for key in 0..total {
                let expires = if random.u8(0..8) == 0 { Some(random.i64(1001..1040)) } else { None };
                state.set_string(format!("{key}").as_bytes(), b"", expires);
            }
            let mut staying: HashSet<Bytes> = state.database().iter().map(|(key, _)| key.clone()).collect();
            let mut returned = HashSet::new();
            let mut cursor = 0;
            for step in 0.. {
                let (next, range) = state.scan(cursor, random.u64(1..12));
                cursor = next;
                for index in range {
                    let Some((key, entry)) = state.database().at(index) else { panic!("no key at {index}") };
                    if entry.expired(state.now.millis()) {
                        continue;
                    }
                    assert!(returned.insert(key.clone()), "seed {seed}: returned twice");
                }
                if cursor == 0 {
                    break;
                }
                for change in 0..random.u8(0..6) {
                    let key = random.usize(0..total).to_string();
                    match random.u8(0..4) {
                        0 => state.set_string(format!("new {step} {change}").as_bytes(), b"", None),
                        1 => {
                            staying.remove(key.as_bytes());
                            state.rename(key.as_bytes(), format!("renamed {step} {change}").as_bytes());
                        }
                        _ => {
                            staying.remove(key.as_bytes());
                            state.remove(key.as_bytes());
                        }
                    }
                }
                state.now = Time::from_millis(state.now.millis() + 1);
            }
            staying.retain(|key| state.contains(key));
            assert!(staying.is_subset(&returned), "seed {seed}");
        }
    }

    #[test]
    fn a_deadline_follows_its_key() {
        let mut state = State::new(Config::default(), 1, Time::from_millis(1000));
        state.set_string(b"a", b"1", Some(2000));
        state.set_string(b"a", b"1", Some(3000));
        assert_eq!(state.next_expiry(), Some(3000));
        assert!(state.rename(b"a", b"b"));
        assert_eq!((state.next_expiry(), state.database().expiring()), (Some(3000), 1));
        assert_eq!(state.set_expiry(b"b", None), Some(3000));
        assert_eq!(state.next_expiry(), None);
        state.set_string(b"b", b"1", Some(1500));
        state.now = Time::from_millis(1500);
        assert!(!state.contains(b"b"));
        assert_eq!((state.next_expiry(), state.database().len()), (None, 0));
    }
}
