//! When fields of hashes expire: each database files its hashes by their first deadline.

use std::collections::BTreeSet;

use crate::data::{Bytes, Hash, Typed, Value};

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
            self.update(key, hash);
        }
    }

    /// The first deadline of a hash may have changed.
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

    /// A value leaves the keyspace.
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
