//! The databases: keys, their values, and when they expire.

use std::ops::Range;

use crate::data::walk::Walks;
use crate::data::{Bytes, Map, Time, Value};
use crate::keyspace::Access;
use crate::keyspace::deadlines;
use crate::keyspace::deadlines::Deadlines;
use crate::keyspace::field_deadlines::FieldDeadlines;

/// A value, when it expires and when it was used.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The value.
    pub value: Value,
    /// When the key expires, in milliseconds since the Unix epoch, or [`NEVER`].
    expires: i64,
    /// The number of the key in the heap of deadlines.
    deadline: u32,
    /// When the key was used.
    pub access: Access,
}

/// No key has this expiry: it would have been removed already.
const NEVER: i64 = i64::MIN;

impl Entry {
    /// A value that is used now, with the time of its expiry in milliseconds since the Unix epoch.
    pub(crate) fn new(value: Value, expires: Option<i64>, access: Access) -> Self {
        Self { value, expires: expires.unwrap_or(NEVER), deadline: deadlines::NONE, access }
    }

    /// When the key expires, in milliseconds since the Unix epoch.
    #[must_use]
    pub fn expires(&self) -> Option<i64> {
        (self.expires != NEVER).then_some(self.expires)
    }

    /// True if the key has expired at `now` (milliseconds since the Unix epoch).
    #[must_use]
    pub fn expired(&self, now: i64) -> bool {
        self.expires <= now && self.expires != NEVER
    }
}

/// One database.
#[derive(Debug, Default)]
pub struct Database {
    entries: Map<Bytes, Entry>,
    /// The keys that expire.
    deadlines: Deadlines,
    /// The hashes with fields that expire.
    field_deadlines: FieldDeadlines,
    /// The walks of SCAN.
    walks: Walks,
}

impl Database {
    /// A copy without the walks of SCAN, whose cursors are those of clients.
    #[must_use]
    pub fn copied(&self) -> Self {
        let Self { entries, deadlines, field_deadlines, walks: _ } = self;
        Self {
            entries: entries.clone(),
            deadlines: deadlines.clone(),
            field_deadlines: field_deadlines.clone(),
            walks: Walks::default(),
        }
    }

    /// All keys and entries.
    pub(crate) fn into_entries(self) -> impl Iterator<Item = (Bytes, Entry)> {
        self.entries.into_iter()
    }

    /// Makes room for this many keys in all.
    pub(super) fn expect(&mut self, keys: usize) {
        self.entries.reserve(keys.saturating_sub(self.entries.len()));
    }

    /// The number of keys, including expired ones that are not removed yet, as DBSIZE counts them.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// True if there is no key.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The number of keys with an expiry.
    #[must_use]
    pub fn expiring(&self) -> usize {
        self.deadlines.len()
    }

    /// The number of hashes with fields that have an expiry.
    #[must_use]
    pub fn with_expiring_fields(&self) -> usize {
        self.field_deadlines.hashes()
    }

    /// The value of a key, expired or not, and the deadlines of the fields of all hashes.
    pub(crate) fn value_and_field_deadlines(
        &mut self,
        key: &[u8],
    ) -> (Option<&mut Value>, &mut FieldDeadlines) {
        (self.entries.get_mut(key).map(|entry| &mut entry.value), &mut self.field_deadlines)
    }

    pub(crate) fn field_deadlines_mut(&mut self) -> &mut FieldDeadlines {
        &mut self.field_deadlines
    }

    /// The mean time to live of the expiring keys in milliseconds, 0 if there are none.
    #[must_use]
    pub fn mean_ttl(&self, now: Time) -> i64 {
        let count = i128::try_from(self.deadlines.len()).unwrap_or(i128::MAX);
        let sum: i128 = self.deadlines.times().map(|at| i128::from((at - now.millis()).max(0))).sum();
        i64::try_from(sum.checked_div(count).unwrap_or_default()).unwrap_or(i64::MAX)
    }

    /// True if the key exists, expired or not.
    #[must_use]
    pub fn has(&self, key: &[u8]) -> bool {
        self.entries.contains_key(key)
    }

    /// True if the key exists and has expired at `now` (milliseconds since the Unix epoch).
    #[must_use]
    pub fn expired(&self, key: &[u8], now: i64) -> bool {
        self.entries.get(key).is_some_and(|entry| entry.expired(now))
    }

    /// The entry of a key that has not expired at `now` (milliseconds since the Unix epoch). Nothing is changed.
    #[must_use]
    pub fn get_live(&self, key: &[u8], now: i64) -> Option<&Entry> {
        self.entries.get(key).filter(|entry| !entry.expired(now))
    }

    /// All keys and entries.
    #[must_use]
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (&Bytes, &Entry)> + ExactSizeIterator {
        self.entries.iter()
    }

    /// The entry of a key, expired or not.
    #[must_use]
    pub fn get(&self, key: &[u8]) -> Option<&Entry> {
        self.entries.get(key)
    }

    /// The entry of a key, expired or not, mutable.
    pub(crate) fn entry_mut(&mut self, key: &[u8]) -> Option<&mut Entry> {
        self.entries.get_mut(key)
    }

    /// The key and entry at an index of the table; see [`Database`].
    #[must_use]
    pub fn at(&self, index: usize) -> Option<(&Bytes, &Entry)> {
        self.entries.get_index(index)
    }

    /// The entry at an index of the table, mutable; its expiry is changed with [`Database::set_expiry`].
    #[inline]
    pub(crate) fn at_mut(&mut self, index: usize) -> Option<&mut Entry> {
        self.entries.get_index_mut(index).map(|(_, entry)| entry)
    }

    /// The entry of a key, expired or not, with its index in the table.
    #[inline]
    pub(crate) fn get_with_index(&self, key: &[u8]) -> Option<(usize, &Entry)> {
        self.entries.get_full(key).map(|(index, _, entry)| (index, entry))
    }

    /// The index of the key that expires first, if that is not later than this, in milliseconds since the Unix epoch.
    pub(crate) fn first_due(&self, until: i64) -> Option<usize> {
        self.deadlines.first().filter(|(at, _)| *at <= until).map(|(_, index)| index)
    }

    /// One step of SCAN, see [`Walks::step`].
    pub(crate) fn walk(&mut self, cursor: u64, count: u64) -> (u64, Range<usize>) {
        self.walks.step(self.entries.len(), cursor, count)
    }

    /// See [`Walks::hold`].
    pub(crate) fn hold_walk(&mut self, end: usize) {
        self.walks.hold(end);
    }

    /// See [`Walks::release`].
    pub(crate) fn release_walk(&mut self) -> usize {
        self.walks.release()
    }

    /// When the first key or field of a hash expires, in milliseconds since the Unix epoch.
    #[must_use]
    pub fn next_expiry(&self) -> Option<i64> {
        let fields = self.field_deadlines.next();
        self.next_key_expiry().into_iter().chain(fields).min()
    }

    pub(crate) fn next_key_expiry(&self) -> Option<i64> {
        self.deadlines.first().map(|(at, _)| at)
    }

    /// Adds a key that does not exist.
    pub(crate) fn add(&mut self, key: &[u8], mut entry: Entry) {
        self.field_deadlines.add(key, &mut entry.value);
        let expires = entry.expires();
        let (index, _) = self.entries.insert_full(key.into(), Entry { deadline: deadlines::NONE, ..entry });
        if let Some(at) = expires {
            self.deadlines.add(at, index, number_in(&mut self.entries));
        }
    }

    /// Replaces the entry at `index`.
    pub(crate) fn replace(&mut self, index: usize, mut entry: Entry) -> Option<Entry> {
        self.set_expiry(index, entry.expires());
        let (key, old) = self.entries.get_index_mut(index)?;
        self.field_deadlines.remove(key, &mut old.value);
        self.field_deadlines.add(key, &mut entry.value);
        let deadline = old.deadline;
        Some(std::mem::replace(old, Entry { deadline, ..entry }))
    }

    pub(crate) fn remove(&mut self, key: &[u8]) -> Option<Entry> {
        let index = self.entries.get_index_of(key)?;
        self.remove_at(index).map(|(_, entry)| entry)
    }

    /// Removes the key at an index; another key takes over the index.
    pub(crate) fn remove_at(&mut self, mut index: usize) -> Option<(Bytes, Entry)> {
        while let Some(from) = self.walks.filler(index) {
            self.entries.swap_indices(index, from);
            if let Some((_, moved)) = self.entries.get_index(index) {
                self.deadlines.set_index(moved.deadline, index);
            }
            index = from;
        }
        let (key, mut entry) = self.entries.swap_remove_index(index)?;
        self.field_deadlines.remove(&key, &mut entry.value);
        if let Some((_, moved)) = self.entries.get_index(index) {
            self.deadlines.set_index(moved.deadline, index);
        }
        self.deadlines.remove(entry.deadline, number_in(&mut self.entries));
        Some((key, entry))
    }

    pub(crate) fn set_expiry(&mut self, index: usize, expires: Option<i64>) -> Option<i64> {
        let (_, entry) = self.entries.get_index_mut(index)?;
        let old = entry.expires();
        if old == expires {
            return old;
        }
        entry.expires = expires.unwrap_or(NEVER);
        let number = entry.deadline;
        match expires {
            Some(at) if old.is_some() => self.deadlines.change(number, at, number_in(&mut self.entries)),
            Some(at) => self.deadlines.add(at, index, number_in(&mut self.entries)),
            None => {
                entry.deadline = deadlines::NONE;
                self.deadlines.remove(number, number_in(&mut self.entries));
            }
        }
        old
    }
}

/// Sets the number in the heap of deadlines of the key at an index.
fn number_in(entries: &mut Map<Bytes, Entry>) -> impl FnMut(usize, u32) {
    |index, number| {
        if let Some((_, entry)) = entries.get_index_mut(index) {
            entry.deadline = number;
        }
    }
}
