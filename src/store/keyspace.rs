//! The databases: keys, their values, and when they expire.

use std::collections::BTreeSet;

use super::{ByteString, Bytes, Class, Map, Store, Time, Typed, Value, WrongType};

/// A value and when it ends.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The value.
    pub value: Value,
    /// When the key expires, in milliseconds since the Unix epoch.
    expires: Option<i64>,
}

impl Entry {
    /// A value, with the time of its expiry in milliseconds since the Unix epoch.
    #[must_use]
    pub fn new(value: Value, expires: Option<i64>) -> Self {
        Self { value, expires }
    }

    /// When the key expires, in milliseconds since the Unix epoch.
    #[must_use]
    pub fn expires(&self) -> Option<i64> {
        self.expires
    }
}

/// One database. What is removed leaves its place to the last key, which is what [`Store::scan`] relies on.
#[derive(Debug, Default)]
pub struct Database {
    entries: Map<Bytes, Entry>,
    /// The keys that expire, in the order in which they do.
    deadlines: BTreeSet<(i64, Bytes)>,
}

impl Database {
    /// The number of keys, expired ones that nobody has noticed yet included, as DBSIZE counts them.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// True if there is no key.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The number of keys that expire some day.
    #[must_use]
    pub fn expiring(&self) -> usize {
        self.deadlines.len()
    }

    /// The mean time to live of the expiring keys in milliseconds, 0 if there are none.
    #[must_use]
    pub fn mean_ttl(&self, now: Time) -> i64 {
        let count = i128::try_from(self.deadlines.len()).unwrap_or(i128::MAX);
        let sum: i128 = self.deadlines.iter().map(|(at, _)| i128::from((at - now.millis()).max(0))).sum();
        i64::try_from(sum.checked_div(count).unwrap_or_default()).unwrap_or(i64::MAX)
    }

    /// True if the key is there, expired or not.
    #[must_use]
    pub fn has(&self, key: &[u8]) -> bool {
        self.entries.contains_key(key)
    }

    /// True if the key is there and has passed its time at `now` (milliseconds since the Unix epoch).
    #[must_use]
    pub fn expired(&self, key: &[u8], now: i64) -> bool {
        self.entries.get(key).and_then(Entry::expires).is_some_and(|at| at <= now)
    }

    /// The entry of a key that has not expired at `now` (milliseconds since the Unix epoch). Nothing is changed.
    #[must_use]
    pub fn look(&self, key: &[u8], now: i64) -> Option<&Entry> {
        self.entries.get(key).filter(|entry| entry.expires.is_none_or(|at| at > now))
    }

    /// All keys and entries.
    #[must_use]
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (&Bytes, &Entry)> + ExactSizeIterator {
        self.entries.iter()
    }

    /// The key and entry at a place of the table; see [`Database`].
    #[must_use]
    pub fn at(&self, index: usize) -> Option<(&Bytes, &Entry)> {
        self.entries.get_index(index)
    }

    /// When the first key expires, in milliseconds since the Unix epoch.
    #[must_use]
    pub fn next_expiry(&self) -> Option<i64> {
        self.deadlines.first().map(|(at, _)| *at)
    }

    fn first_expiring_at(&self, at: i64) -> Option<&Bytes> {
        self.deadlines.first().filter(|(first, _)| *first == at).map(|(_, key)| key)
    }

    /// Adds a key that is not there.
    fn add(&mut self, key: &[u8], entry: Entry) {
        move_deadline(&mut self.deadlines, key, None, entry.expires);
        self.entries.insert(key.into(), entry);
    }

    /// Puts another entry in the place of the one at `index`.
    fn replace(&mut self, index: usize, entry: Entry) -> Option<Entry> {
        let (key, place) = self.entries.get_index_mut(index)?;
        move_deadline(&mut self.deadlines, key, place.expires, entry.expires);
        Some(std::mem::replace(place, entry))
    }

    fn remove(&mut self, key: &[u8]) -> Option<Entry> {
        let entry = self.entries.swap_remove(key)?;
        move_deadline(&mut self.deadlines, key, entry.expires, None);
        Some(entry)
    }

    fn set_expiry(&mut self, index: usize, expires: Option<i64>) -> Option<i64> {
        let (key, entry) = self.entries.get_index_mut(index)?;
        move_deadline(&mut self.deadlines, key, entry.expires, expires);
        std::mem::replace(&mut entry.expires, expires)
    }
}

/// Files a key under another deadline. A key that changes its deadline keeps its allocation.
fn move_deadline(deadlines: &mut BTreeSet<(i64, Bytes)>, key: &[u8], from: Option<i64>, to: Option<i64>) {
    if from == to {
        return;
    }
    let mut filed = None;
    if let Some(from) = from {
        filed = deadlines.take(&(from, key.into())).map(|(_, key)| key);
    }
    if let Some(to) = to {
        deadlines.insert((to, filed.unwrap_or_else(|| key.into())));
    }
}

impl Store {
    /// The database that the running command sees.
    #[must_use]
    pub fn database(&self) -> &Database {
        &self.databases[self.db]
    }

    /// The place of a key that has not expired; one that has is removed first, with its event.
    fn live(&mut self, key: &[u8]) -> Option<usize> {
        let (index, _, entry) = self.databases[self.db].entries.get_full(key)?;
        if entry.expires.is_some_and(|at| at <= self.now.millis()) {
            if !self.keeps_expired {
                self.expire(self.db, key);
            }
            return None;
        }
        Some(index)
    }

    /// The entry of a key, without counting it as a hit or miss.
    pub fn peek(&mut self, key: &[u8]) -> Option<&Entry> {
        let index = self.live(key)?;
        self.databases[self.db].entries.get_index(index).map(|(_, entry)| entry)
    }

    /// The entry of a key to change, without counting it as a hit or miss. Its expiry is changed with
    /// [`Store::set_expiry`].
    pub fn peek_mut(&mut self, key: &[u8]) -> Option<&mut Entry> {
        let index = self.live(key)?;
        self.databases[self.db].entries.get_index_mut(index).map(|(_, entry)| entry)
    }

    /// The entry of a key as it is, for commands that look at several at once. Expired keys are not seen, but
    /// they stay.
    #[must_use]
    pub fn glimpse(&self, key: &[u8]) -> Option<&Entry> {
        let entry = self.database().entries.get(key)?;
        entry.expires.is_none_or(|at| at > self.now.millis()).then_some(entry)
    }

    /// True if the key is there.
    pub fn contains(&mut self, key: &[u8]) -> bool {
        self.live(key).is_some()
    }

    /// The entry of a key, for a command that reads: counted as a hit or miss.
    pub fn read(&mut self, key: &[u8]) -> Option<&Entry> {
        let index = self.live(key);
        if index.is_some() {
            self.stats.keyspace_hits += 1;
        } else {
            self.stats.keyspace_misses += 1;
            self.event(Class::KEY_MISS, "keymiss", key);
        }
        self.databases[self.db].entries.get_index(index?).map(|(_, entry)| entry)
    }

    /// The value of a key for a command that reads: counted as a hit or miss.
    ///
    /// # Errors
    ///
    /// The key holds another type.
    pub fn get<T: Typed>(&mut self, key: &[u8]) -> Result<Option<&T>, WrongType> {
        self.read(key).map(|entry| T::of(&entry.value).ok_or(WrongType)).transpose()
    }

    /// The value of a key for a command that changes it if it is there.
    ///
    /// # Errors
    ///
    /// The key holds another type.
    pub fn get_mut<T: Typed>(&mut self, key: &[u8]) -> Result<Option<&mut T>, WrongType> {
        self.peek_mut(key).map(|entry| T::of_mut(&mut entry.value).ok_or(WrongType)).transpose()
    }

    /// The value of a key, made empty if there is none. The caller puts something into it.
    ///
    /// # Errors
    ///
    /// The key holds another type.
    pub fn get_or_create<T: Typed + Default>(&mut self, key: &[u8]) -> Result<&mut T, WrongType> {
        let place = self.live(key);
        if place.is_none() {
            self.put(None, key, Entry { value: T::default().into_value(), expires: None });
        }
        let entries = &mut self.databases[self.db].entries;
        // A new key is the last.
        let place = place.or(entries.len().checked_sub(1)).ok_or(WrongType)?;
        let (_, entry) = entries.get_index_mut(place).ok_or(WrongType)?;
        T::of_mut(&mut entry.value).ok_or(WrongType)
    }

    /// Sets a key to a value, with the time of its expiry in milliseconds since the Unix epoch. Who waits for
    /// the key is served when the command is done, if there was none before. Watchers and events are the caller's, by
    /// [`Store::modified`].
    pub fn insert(&mut self, key: &[u8], value: Value, expires: Option<i64>) -> Option<Entry> {
        let place = self.live(key);
        self.put(place, key, Entry { value, expires })
    }

    /// Sets a key that is at this place, or not there.
    fn put(&mut self, place: Option<usize>, key: &[u8], entry: Entry) -> Option<Entry> {
        self.note_expiry(entry.expires);
        if let Some(index) = place {
            // As in redis-server, a value in the place of another one serves nobody.
            self.waiters.lost(self.db, key);
            return self.databases[self.db].replace(index, entry);
        }
        self.databases[self.db].add(key, entry);
        self.event(Class::NEW, "new", key);
        self.waiters.ready(self.db, key);
        None
    }

    /// Sets a key to [`ByteString::new`] of these bytes, as [`Store::insert`]. A string that is there already
    /// lends its memory.
    pub fn set_string(&mut self, key: &[u8], value: &[u8], expires: Option<i64>) {
        let place = self.live(key);
        if let Some(index) = place
            && let Some((_, entry)) = self.databases[self.db].entries.get_index_mut(index)
            && let Value::String(old) = &mut entry.value
        {
            old.set(value);
            self.databases[self.db].set_expiry(index, expires);
            self.note_expiry(expires);
        } else {
            self.put(place, key, Entry { value: Value::String(ByteString::new(value)), expires });
        }
    }

    /// Removes a key; the caller tells watchers and events by [`Store::modified`].
    pub fn remove(&mut self, key: &[u8]) -> Option<Entry> {
        self.live(key)?;
        let removed = self.databases[self.db].remove(key);
        self.waiters.lost(self.db, key);
        removed
    }

    /// Removes a collection that has become empty, with the event that tells of it.
    pub fn remove_empty(&mut self, key: &[u8]) {
        if self.databases[self.db].remove(key).is_some() {
            self.event(Class::GENERIC, "del", key);
        }
    }

    /// Sets or takes away the expiry of a key, in milliseconds since the Unix epoch; returns the one that it
    /// had.
    pub fn set_expiry(&mut self, key: &[u8], expires: Option<i64>) -> Option<i64> {
        self.note_expiry(expires);
        let database = &mut self.databases[self.db];
        let index = database.entries.get_index_of(key)?;
        database.set_expiry(index, expires)
    }

    /// Gives a key another name, with its expiry, in place of what had that name; false if there is no such
    /// key. One change, with two events.
    pub fn rename(&mut self, from: &[u8], to: &[u8]) -> bool {
        if !self.contains(from) {
            return false;
        }
        let Some(entry) = self.databases[self.db].remove(from) else { return false };
        // Removed first: the new name is a new key even where it was taken.
        self.remove(to);
        self.insert(to, entry.value, entry.expires);
        // Who waits for the new name comes first.
        self.waiters.lost(self.db, from);
        self.watches.touch(&mut self.clients, self.db, from);
        self.touched(to);
        self.event(Class::GENERIC, "rename_from", from);
        self.event(Class::GENERIC, "rename_to", to);
        true
    }

    /// One step of SCAN: the places of `count` keys to return next. Where the range starts is the cursor of the
    /// next step, 0 when all is done; a cursor of 0 begins. Expired keys among them are removed before.
    ///
    /// SCAN promises that a key which is there from beginning to end is returned. The cursor alone keeps that:
    /// it says how many keys are left, and these are the ones at the places below it, as the walk goes from the
    /// end of the table to its beginning. New keys go to the end and move nobody. A removal moves only the last
    /// key, and only to a lower place: one that was returned already may come below the cursor and be returned
    /// twice, which SCAN allows, but one that is still to come stays below it. (With the table shorter than the
    /// cursor says, everything is still to come, and the walk goes on from the end.)
    pub fn scan(&mut self, cursor: u64, count: u64) -> std::ops::Range<usize> {
        let to_index = |value: u64| usize::try_from(value).unwrap_or(usize::MAX);
        let len = self.database().len();
        let end = if cursor == 0 { len } else { to_index(cursor).min(len) };
        let start = end.saturating_sub(to_index(count));
        let expiring = if self.keeps_expired { 0..0 } else { start..end };
        for index in expiring.rev() {
            // Again and again: the key that takes the place may have expired, too.
            while let Some(key) = self.expired_at(index) {
                self.expire(self.db, &key);
            }
        }
        start..end.min(self.database().len())
    }

    /// The key at a place, if its time has come.
    fn expired_at(&self, index: usize) -> Option<Bytes> {
        let (key, entry) = self.database().at(index)?;
        entry.expires.filter(|at| *at <= self.now.millis()).map(|_| key.clone())
    }

    /// Removes a key because its time has come.
    fn expire(&mut self, db: usize, key: &[u8]) {
        if self.databases[db].remove(key).is_some() {
            self.stats.expired_keys += 1;
            if self.journal.is_on() {
                self.journal.expired(db, key, self.now);
            }
            self.waiters.lost(db, key);
            let seen = std::mem::replace(&mut self.db, db);
            self.watches.touch(&mut self.clients, db, key);
            self.event(Class::EXPIRED, "expired", key);
            self.db = seen;
        }
    }

    /// Removes every key whose time has come, in the order of their deadlines.
    pub fn expire_due(&mut self) {
        let next = |store: &Self| {
            let due = store.databases.iter().enumerate();
            due.filter_map(|(db, database)| Some((database.next_expiry()?, db))).min()
        };
        while let Some((at, db)) = next(self).filter(|(at, _)| *at <= self.now.millis()) {
            let Some(key) = self.databases[db].first_expiring_at(at).cloned() else { return };
            self.expire(db, &key);
        }
    }

    /// When the next key of any database expires, in milliseconds since the Unix epoch.
    #[must_use]
    pub fn next_expiry(&self) -> Option<i64> {
        self.databases.iter().take(self.expiring_databases).filter_map(Database::next_expiry).min()
    }

    /// A key of the current database expires some day, or none does.
    fn note_expiry(&mut self, expires: Option<i64>) {
        if expires.is_some() {
            self.expiring_databases = self.expiring_databases.max(self.db + 1);
        }
    }

    /// Empties a database. Watchers of its keys are told.
    pub fn flush(&mut self, db: usize) {
        self.watches.touch_existing(&mut self.clients, db, &self.databases[db]);
        self.stats.dirty += self.databases[db].len() as u64;
        self.databases[db] = Database::default();
        self.waiters.ready_all(db);
    }

    /// Exchanges two databases. Watchers are told, and who waits for a key that is there now is served.
    pub fn swap(&mut self, one: usize, other: usize) {
        for db in [one, other] {
            self.watches.touch_existing(&mut self.clients, db, &self.databases[one]);
            self.watches.touch_existing(&mut self.clients, db, &self.databases[other]);
        }
        self.databases.swap(one, other);
        self.expiring_databases = self.databases.len();
        self.waiters.ready_all(one);
        self.waiters.ready_all(other);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::store::Config;

    #[test]
    fn scan_returns_every_key_that_is_there_from_beginning_to_end() {
        for seed in 0..200 {
            let mut store = Store::new(Config::default(), seed, Time::from_millis(1000));
            let mut random = fastrand::Rng::with_seed(seed);
            let total = random.usize(1..80);
            for key in 0..total {
                let expires = if random.u8(0..8) == 0 { Some(random.i64(1001..1040)) } else { None };
                store.set_string(format!("{key}").as_bytes(), b"", expires);
            }
            let mut staying: HashSet<Bytes> = store.database().iter().map(|(key, _)| key.clone()).collect();
            let mut returned = HashSet::new();
            let mut cursor = 0;
            for step in 0.. {
                let range = store.scan(cursor, random.u64(1..12));
                cursor = range.start as u64;
                for index in range {
                    let Some((key, entry)) = store.database().at(index) else { panic!("no key at {index}") };
                    assert!(entry.expires().is_none_or(|at| at > store.now.millis()));
                    returned.insert(key.clone());
                }
                if cursor == 0 {
                    break;
                }
                for change in 0..random.u8(0..6) {
                    let key = random.usize(0..total).to_string();
                    match random.u8(0..4) {
                        0 => store.set_string(format!("new {step} {change}").as_bytes(), b"", None),
                        1 => {
                            staying.remove(key.as_bytes());
                            store.rename(key.as_bytes(), format!("renamed {step} {change}").as_bytes());
                        }
                        _ => {
                            staying.remove(key.as_bytes());
                            store.remove(key.as_bytes());
                        }
                    }
                }
                store.now = Time::from_millis(store.now.millis() + 1);
            }
            staying.retain(|key| store.contains(key));
            assert!(staying.is_subset(&returned), "seed {seed}");
        }
    }

    #[test]
    fn a_deadline_follows_its_key() {
        let mut store = Store::new(Config::default(), 1, Time::from_millis(1000));
        store.set_string(b"a", b"1", Some(2000));
        store.set_string(b"a", b"1", Some(3000));
        assert_eq!(store.next_expiry(), Some(3000));
        assert!(store.rename(b"a", b"b"));
        assert_eq!((store.next_expiry(), store.database().expiring()), (Some(3000), 1));
        assert_eq!(store.set_expiry(b"b", None), Some(3000));
        assert_eq!(store.next_expiry(), None);
        store.set_string(b"b", b"1", Some(1500));
        store.now = Time::from_millis(1500);
        assert!(!store.contains(b"b"));
        assert_eq!((store.next_expiry(), store.database().len()), (None, 0));
    }
}
