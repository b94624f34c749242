//! The deadlines of hash fields: each database lists its hashes by their first deadline.

use std::collections::BTreeSet;

use crate::data::{Bytes, Hash, Typed, Value};

/// The hashes of a database with fields that expire, in the order of their first deadlines. A hash whose first
/// deadline has been moved to a later time, or removed, may keep its place: it is then checked too early once.
#[derive(Clone, Debug, Default)]
pub struct FieldDeadlines(BTreeSet<(i64, Bytes)>);

impl FieldDeadlines {
    /// The number of hashes.
    #[must_use]
    pub fn hashes(&self) -> usize {
        self.0.len()
    }

    /// When a hash is to be checked next, in milliseconds since the Unix epoch.
    #[must_use]
    pub fn next(&self) -> Option<i64> {
        self.0.first().map(|(at, _)| *at)
    }

    /// Adds a value that is new in the keyspace. A copied hash is marked as filed although it is not.
    pub(super) fn add(&mut self, key: &[u8], value: &mut Value) {
        if let Some(hash) = Hash::of_mut(value) {
            hash.unfile();
            self.update(key, hash);
        }
    }

    /// Updates the place of a hash whose first deadline may have changed.
    pub(crate) fn update(&mut self, key: &[u8], hash: &mut Hash) {
        let (from, to) = hash.file();
        if from == to {
            return;
        }
        let filed = from.and_then(|from| self.0.take(&(from, key.into())));
        if let Some(to) = to {
            self.0.insert((to, filed.map_or_else(|| key.into(), |(_, key)| key)));
        }
    }

    /// Removes a value that leaves the keyspace.
    pub(super) fn remove(&mut self, key: &[u8], value: &mut Value) {
        if let Some(at) = Hash::of_mut(value).and_then(Hash::unfile) {
            self.0.remove(&(at, key.into()));
        }
    }

    pub(crate) fn take_first(&mut self, now: i64) -> Option<Bytes> {
        self.next().filter(|at| *at <= now)?;
        self.0.pop_first().map(|(_, key)| key)
    }
}
