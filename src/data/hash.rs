//! Hashes.

use std::collections::BTreeSet;

use crate::config::Config;
use crate::data::walk::Walks;
use crate::data::{Bytes, Map};

/// When a hash stops being small.
#[derive(Clone, Copy, Debug)]
pub struct HashLimits {
    /// `hash-max-listpack-entries`.
    pub(super) entries: usize,
    /// `hash-max-listpack-value`: bytes of a field or value.
    pub(super) value: usize,
}

impl HashLimits {
    /// The limits that the settings give.
    #[must_use]
    pub fn of(config: &Config) -> Self {
        Self { entries: config.hash_max_listpack_entries, value: config.hash_max_listpack_value }
    }
}

/// A hash. As in redis-server, a small one (a listpack) keeps its fields in the order of insertion, and a field
/// that is set again keeps its position. One that has outgrown the limits (a hash table) is in any order, and never
/// becomes small again.
///
/// Fields can expire individually. Once a field of a small hash has had a deadline, the hash keeps its fields in
/// the order of their deadlines, those without one last (a listpackex).
#[derive(Debug, Clone, Default)]
pub struct Hash {
    fields: Map<Bytes, Bytes>,
    hashed: bool,
    /// Only for hashes with a field that has ever had a deadline: others pay nothing for it.
    expiry: Option<Box<Expiry>>,
    /// The walks of HSCAN over a hash table.
    walks: Walks,
}

/// The deadline of a field that does not expire; every real deadline is smaller.
const NEVER: i64 = i64::MAX;

/// When the fields of a hash expire.
#[derive(Debug, Clone)]
struct Expiry {
    /// The deadline of every field, or [`NEVER`], in the order of the fields. That of a small hash is ascending.
    deadlines: Vec<i64>,
    /// Of a hash table: the deadlines in their order, with the indices of the fields. Empty for a small hash.
    order: BTreeSet<(i64, usize)>,
    /// The deadline under which the keyspace has filed the hash.
    filed: Option<i64>,
    /// Fields with deadlines up to this one exist, but are hidden; see [`Hash::hide_due`].
    hidden_until: i64,
    /// The number of hidden fields.
    hidden: usize,
}

impl Expiry {
    fn of(len: usize) -> Self {
        let order = BTreeSet::new();
        Self { deadlines: vec![NEVER; len], order, filed: None, hidden_until: i64::MIN, hidden: 0 }
    }

    /// Adds the deadline of a field to the order of a hash table, or removes it.
    fn file(&mut self, index: usize, filed: bool) {
        let Some(at) = self.deadlines.get(index).copied().filter(|at| *at != NEVER) else { return };
        if filed {
            self.order.insert((at, index));
        } else {
            self.order.remove(&(at, index));
        }
    }

    fn is_seen(&self, index: usize) -> bool {
        self.hidden == 0 || self.deadlines.get(index).is_none_or(|at| *at > self.hidden_until)
    }

    fn first(&self) -> Option<i64> {
        // If `order` is empty, the hash is small or has no deadline at all.
        let first = self.order.first().map(|(at, _)| *at).or(self.deadlines.first().copied());
        first.filter(|at| *at != NEVER)
    }
}

/// What happens to the deadline of a field that is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deadline {
    /// It stays, as when HINCRBY sets the field.
    Keep,
    /// It is removed, as when HSET sets the field.
    Clear,
}

impl Hash {
    /// The number of fields. Fields that have expired and are not removed yet are counted, as
    /// HLEN does.
    #[must_use]
    pub fn len(&self) -> usize {
        self.fields.len()
    }

    /// The number of visible fields.
    #[must_use]
    pub fn seen(&self) -> usize {
        self.fields.len() - self.expiry.as_ref().map_or(0, |expiry| expiry.hidden)
    }

    /// True if there is no field: the hash must not stay in the keyspace.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// True if the hash is small: a listpack or a listpackex.
    #[must_use]
    pub fn is_small(&self) -> bool {
        !self.hashed
    }

    /// The name of the encoding, as OBJECT ENCODING gives it.
    #[must_use]
    pub fn encoding(&self) -> &'static str {
        match (self.hashed, &self.expiry) {
            (true, _) => "hashtable",
            (false, Some(_)) => "listpackex",
            (false, None) => "listpack",
        }
    }

    /// The value of a field.
    #[must_use]
    pub fn get(&self, field: &[u8]) -> Option<&[u8]> {
        if self.expiry.is_some() {
            let index = self.index_of(field)?;
            return self.fields.get_index(index).map(|(_, value)| value.as_ref());
        }
        self.fields.get(field).map(AsRef::as_ref)
    }

    /// True if there is such a field.
    #[must_use]
    pub fn contains(&self, field: &[u8]) -> bool {
        self.get(field).is_some()
    }

    /// The index of a field that is not hidden.
    fn index_of(&self, field: &[u8]) -> Option<usize> {
        let index = self.fields.get_index_of(field)?;
        self.is_seen(index).then_some(index)
    }

    fn is_seen(&self, index: usize) -> bool {
        self.expiry.as_ref().is_none_or(|expiry| expiry.is_seen(index))
    }

    /// The field and value at an index of the table, if the field is visible.
    #[must_use]
    pub fn at(&self, index: usize) -> Option<(&[u8], &[u8])> {
        let (field, value) = self.fields.get_index(index).filter(|_| self.is_seen(index))?;
        Some((field.as_ref(), value.as_ref()))
    }

    /// All visible fields, with their values: [`Hash::seen`] pairs.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        // In a hash without deadlines nothing is hidden: the branch always goes the same way.
        let pairs = self.fields.iter().enumerate().filter(|(index, _)| self.is_seen(*index));
        pairs.map(|(_, (field, value))| (field.as_ref(), value.as_ref()))
    }

    /// All fields, with their values and deadlines (milliseconds since the Unix epoch).
    pub fn iter_with_deadlines(&self) -> impl Iterator<Item = (&[u8], &[u8], Option<i64>)> {
        let deadline = |index| self.expiry.as_ref().and_then(|expiry| expiry.deadlines.get(index).copied());
        self.fields.iter().enumerate().map(move |(index, (field, value))| {
            (field.as_ref(), value.as_ref(), deadline(index).filter(|at| *at != NEVER))
        })
    }

    /// Announces that one command is going to set `count` fields, possibly the same one several times:
    /// redis-server chooses the encoding by their number.
    pub fn expect(&mut self, fields: usize, limits: HashLimits) {
        if fields > limits.entries {
            self.become_hashed();
        }
    }

    fn become_hashed(&mut self) {
        if !self.hashed {
            self.hashed = true;
            if let Some(expiry) = &mut self.expiry {
                for index in 0..expiry.deadlines.len() {
                    expiry.file(index, true);
                }
            }
        }
    }

    /// Sets a field, which does not expire any more; true if it is new.
    pub fn set(&mut self, field: &[u8], value: &[u8], limits: HashLimits) -> bool {
        self.set_with(field, value, Deadline::Clear, limits)
    }

    /// Sets a field; true if it is new.
    pub fn set_with(&mut self, field: &[u8], value: &[u8], deadline: Deadline, limits: HashLimits) -> bool {
        if field.len() > limits.value || value.len() > limits.value {
            self.become_hashed();
        }
        if let Some(index) = self.fields.get_mut(field) {
            *index = value.into();
            if self.expiry.is_some() && deadline == Deadline::Clear {
                self.set_deadline(field, None);
            }
            return false;
        }
        self.fields.insert(field.into(), value.into());
        if let Some(expiry) = &mut self.expiry {
            expiry.deadlines.push(NEVER);
        }
        if self.fields.len() > limits.entries {
            self.become_hashed();
        }
        true
    }

    /// Removes a field and returns its value.
    pub fn remove(&mut self, field: &[u8]) -> Option<Bytes> {
        if self.expiry.is_some() {
            let index = self.fields.get_index_of(field)?;
            return self.remove_expiring(index);
        }
        if !self.hashed {
            return self.fields.shift_remove(field);
        }
        if self.walks.is_empty() {
            return self.fields.swap_remove(field);
        }
        let mut index = self.fields.get_index_of(field)?;
        while let Some(from) = self.walks.filler(index) {
            self.fields.swap_indices(index, from);
            index = from;
        }
        self.fields.swap_remove_index(index).map(|(_, value)| value)
    }

    /// Removes the field at an index of a hash whose fields can expire.
    fn remove_expiring(&mut self, mut index: usize) -> Option<Bytes> {
        let expiry = self.expiry.as_mut()?;
        if !self.hashed {
            expiry.deadlines.remove(index);
            return self.fields.shift_remove_index(index).map(|(_, value)| value);
        }
        expiry.file(index, false);
        expiry.deadlines[index] = NEVER;
        while let Some(from) = self.walks.filler(index) {
            expiry.file(from, false);
            expiry.deadlines.swap(index, from);
            expiry.file(index, true);
            self.fields.swap_indices(index, from);
            index = from;
        }
        let last = expiry.deadlines.len() - 1;
        expiry.file(last, false);
        expiry.deadlines.swap_remove(index);
        if index != last {
            expiry.file(index, true);
        }
        self.fields.swap_remove_index(index).map(|(_, value)| value)
    }

    /// Prepares for deadlines; a small hash changes its encoding even before any field has one.
    pub fn expect_deadlines(&mut self) {
        let len = self.fields.len();
        self.expiry.get_or_insert_with(|| Box::new(Expiry::of(len)));
    }

    /// When a field expires, in milliseconds since the Unix epoch; `None` also if there is no such field.
    #[must_use]
    pub fn deadline(&self, field: &[u8]) -> Option<i64> {
        let expiry = self.expiry.as_ref()?;
        let at = expiry.deadlines.get(self.index_of(field)?)?;
        Some(*at).filter(|at| *at != NEVER)
    }

    /// Sets or removes the deadline of a field (milliseconds since the Unix epoch). In a small hash the field moves
    /// before those that expire at the same time or later.
    pub fn set_deadline(&mut self, field: &[u8], deadline: Option<i64>) {
        if deadline.is_some() {
            self.expect_deadlines();
        }
        let (Some(index), Some(expiry)) = (self.fields.get_index_of(field), &mut self.expiry) else { return };
        let new = deadline.unwrap_or(NEVER);
        if self.hashed {
            expiry.file(index, false);
            if let Some(at) = expiry.deadlines.get_mut(index) {
                *at = new;
            }
            expiry.file(index, true);
        } else if expiry.deadlines.get(index) != Some(&NEVER) || new != NEVER {
            expiry.deadlines.remove(index);
            let to = if new == NEVER {
                expiry.deadlines.len()
            } else {
                expiry.deadlines.partition_point(|at| *at < new)
            };
            expiry.deadlines.insert(to, new);
            self.fields.move_index(index, to);
        }
    }

    /// When the first field expires, in milliseconds since the Unix epoch.
    #[must_use]
    pub fn next_expiry(&self) -> Option<i64> {
        self.expiry.as_ref()?.first()
    }

    /// Removes the fields whose deadline has passed at `now`, at most `max` of them, and returns how many were
    /// removed.
    pub fn remove_due(&mut self, now: i64, max: usize) -> usize {
        let Some(expiry) = &mut self.expiry else { return 0 };
        (expiry.hidden_until, expiry.hidden) = (i64::MIN, 0);
        if !self.hashed {
            let due = expiry.deadlines.partition_point(|at| *at <= now).min(max);
            expiry.deadlines.drain(..due);
            self.fields.drain(..due);
            return due;
        }
        let mut removed = 0;
        while removed < max {
            let first = self.expiry.as_ref().and_then(|expiry| expiry.order.first());
            let Some((_, index)) = first.copied().filter(|(at, _)| *at <= now) else { break };
            self.remove_expiring(index);
            removed += 1;
        }
        removed
    }

    /// Hides the fields whose deadline has passed at `now`, where they may not be removed yet. They are never seen
    /// again: the next change to the hash comes after [`Hash::remove_due`].
    pub fn hide_due(&mut self, now: i64) {
        let Some(expiry) = &mut self.expiry else { return };
        if now > expiry.hidden_until {
            expiry.hidden_until = now;
            expiry.hidden = if self.hashed {
                expiry.order.range(..=(now, usize::MAX)).count()
            } else {
                expiry.deadlines.partition_point(|at| *at <= now)
            };
        }
    }

    /// Records that the keyspace now files the hash under its first deadline; returns the deadline under which it
    /// was filed before and the new one.
    pub(crate) fn file(&mut self) -> (Option<i64>, Option<i64>) {
        let next = self.next_expiry();
        let Some(expiry) = &mut self.expiry else { return (None, None) };
        (std::mem::replace(&mut expiry.filed, next), next)
    }

    /// Records that the keyspace no longer files the hash; returns the deadline under which it was filed.
    pub(crate) fn unfile(&mut self) -> Option<i64> {
        self.expiry.as_mut()?.filed.take()
    }

    /// One step of HSCAN: the cursor of the next step, 0 when all is done, and the indices of the fields to return
    /// now. A small hash is returned as a whole.
    #[must_use]
    pub fn scan(&mut self, cursor: u64, count: u64) -> (u64, std::ops::Range<usize>) {
        let len = self.fields.len();
        if self.hashed { self.walks.step(len, cursor, count) } else { (0, 0..len) }
    }

    /// How many bytes the deadlines take.
    pub(crate) fn deadlines_memory(&self) -> usize {
        let per_field = |expiry: &Expiry| {
            expiry.deadlines.capacity() * size_of::<i64>() + expiry.order.len() * size_of::<(i64, usize)>()
        };
        self.expiry.as_deref().map_or(0, |expiry| size_of_val(expiry) + per_field(expiry))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_hash_keeps_its_order_and_a_large_one_stays_large() {
        let limits = HashLimits { entries: 3, value: 5 };
        let mut hash = Hash::default();
        for field in ["a", "b", "c"] {
            assert!(hash.set(field.as_bytes(), b"1", limits));
        }
        assert!(!hash.set(b"b", b"2", limits));
        assert!(hash.remove(b"a").is_some() && hash.set(b"a", b"3", limits));
        let fields: Vec<_> = hash.iter().map(|(field, value)| [field, value].concat()).collect();
        assert_eq!(
            (fields, hash.encoding()),
            (vec![b"b2".to_vec(), b"c1".to_vec(), b"a3".to_vec()], "listpack")
        );
        hash.set(b"d", b"4", limits);
        assert_eq!(hash.encoding(), "hashtable");
        for field in ["a", "b", "c"] {
            assert!(hash.remove(field.as_bytes()).is_some());
        }
        assert_eq!((hash.len(), hash.encoding()), (1, "hashtable"));
    }

    #[test]
    fn a_long_value_or_the_announcement_of_many_fields_makes_it_large() {
        let limits = HashLimits { entries: 3, value: 5 };
        let mut hash = Hash::default();
        hash.set(b"a", b"123456", limits);
        assert_eq!(hash.encoding(), "hashtable");
        let mut hash = Hash::default();
        hash.expect(4, limits);
        assert_eq!(hash.encoding(), "hashtable");
    }

    #[test]
    fn deadlines_follow_their_fields() {
        for seed in 0..300 {
            let mut random = fastrand::Rng::with_seed(seed);
            let limits = HashLimits { entries: if seed % 2 == 0 { 1000 } else { 8 }, value: 5 };
            let mut hash = Hash::default();
            let mut model: Map<Vec<u8>, Option<i64>> = Map::default();
            for now in 0..120 {
                let field = random.u8(0..16).to_string().into_bytes();
                let deadline = random.bool().then(|| now + random.i64(1..20));
                match random.u8(0..6) {
                    0 | 1 => {
                        hash.set(&field, b"", limits);
                        model.insert(field, None);
                    }
                    2 => {
                        hash.set_with(&field, b"", Deadline::Keep, limits);
                        model.entry(field).or_insert(None);
                    }
                    3 if model.contains_key(&field) => {
                        hash.set_deadline(&field, deadline);
                        model.insert(field, deadline);
                    }
                    4 => {
                        assert_eq!(hash.remove(&field).is_some(), model.swap_remove(&field).is_some());
                    }
                    _ => {
                        let before = model.len();
                        model.retain(|_, deadline| deadline.is_none_or(|at| at > now));
                        assert_eq!(hash.remove_due(now, usize::MAX), before - model.len());
                    }
                }
                let mut expected: Vec<_> =
                    model.iter().map(|(field, deadline)| (field.as_slice(), *deadline)).collect();
                let mut found: Vec<_> =
                    hash.iter_with_deadlines().map(|(field, _, deadline)| (field, deadline)).collect();
                if hash.is_small() {
                    assert!(found.is_sorted_by_key(|(_, deadline)| deadline.unwrap_or(NEVER)));
                }
                assert!(found.iter().all(|(field, deadline)| hash.deadline(field) == *deadline));
                expected.sort_unstable();
                found.sort_unstable();
                assert_eq!(found, expected, "seed {seed}");
                assert_eq!(hash.next_expiry(), expected.iter().filter_map(|(_, deadline)| *deadline).min());
            }
        }
    }

    #[test]
    fn hidden_fields_are_not_seen() {
        for entries in [1, 100] {
            let limits = HashLimits { entries, value: 5 };
            let mut hash = Hash::default();
            for (field, deadline) in [(b"a", Some(5)), (b"b", None), (b"c", Some(7)), (b"d", Some(9))] {
                hash.set(field, field, limits);
                hash.set_deadline(field, deadline);
            }
            hash.hide_due(7);
            let mut seen: Vec<_> = hash.iter().map(|(field, _)| field).collect();
            seen.sort_unstable();
            assert_eq!(seen, [b"b", b"d"]);
            assert_eq!((hash.seen(), hash.len(), hash.get(b"a"), hash.deadline(b"c")), (2, 4, None, None));
            assert_eq!((hash.remove_due(7, 10), hash.seen(), hash.len()), (2, 2, 2));
        }
    }

    #[test]
    fn scanning_returns_every_field_that_stays_and_none_twice() {
        for seed in 0..200 {
            let limits = HashLimits { entries: 4, value: 5 };
            let mut random = fastrand::Rng::with_seed(seed);
            let total = random.u32(5..80);
            let mut hash = Hash::default();
            for field in 0..total {
                hash.set(field.to_string().as_bytes(), b"", limits);
                let deadline = (random.u8(0..8) == 0).then(|| random.i64(1..40));
                hash.set_deadline(field.to_string().as_bytes(), deadline);
            }
            let mut staying: Vec<Vec<u8>> = hash.iter().map(|(field, _)| field.to_vec()).collect();
            let mut returned: Vec<Vec<u8>> = Vec::new();
            let mut cursor = 0;
            for now in 0.. {
                hash.remove_due(now, usize::MAX);
                staying.retain(|field| hash.contains(field));
                let (next, indices) = hash.scan(cursor, random.u64(1..12));
                for (field, _) in indices.filter_map(|index| hash.at(index)) {
                    assert!(!returned.iter().any(|other| other == field), "seed {seed}: returned twice");
                    returned.push(field.to_vec());
                }
                cursor = next;
                if cursor == 0 {
                    break;
                }
                for change in 0..random.u8(0..6) {
                    if random.bool() {
                        hash.set(format!("{now}-{change}").as_bytes(), b"", limits);
                    } else {
                        let field = random.u32(0..total).to_string();
                        hash.remove(field.as_bytes());
                        staying.retain(|staying| staying != field.as_bytes());
                    }
                }
            }
            assert!(staying.iter().all(|field| returned.contains(field)), "seed {seed}");
        }
    }
}
