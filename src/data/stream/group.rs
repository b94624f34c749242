//! Consumer groups: which entries were delivered to which consumer and are not acknowledged yet.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeBounds;

use slab::Slab;

use super::StreamId;
use crate::data::Bytes;

/// Identifies a consumer of a group, as long as the group has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConsumerKey(usize);

/// A consumer of a group.
#[derive(Debug, Clone)]
pub struct Consumer {
    name: Bytes,
    /// When it last asked for something, in milliseconds since the Unix epoch.
    pub seen: i64,
    /// When it last received entries, in milliseconds since the Unix epoch; `None` if it never did.
    pub active: Option<i64>,
    /// The ids of its pending entries; the rest of each is stored in the group.
    pending: BTreeSet<StreamId>,
}

impl Consumer {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &[u8] {
        &self.name
    }

    /// The ids of the entries that were delivered to it and are not acknowledged, in their order.
    #[must_use]
    pub fn pending(&self) -> &BTreeSet<StreamId> {
        &self.pending
    }
}

/// An entry that was delivered and is not acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pending {
    /// The consumer that it was delivered to.
    pub consumer: ConsumerKey,
    /// When it was delivered last, in milliseconds since the Unix epoch.
    pub delivered: i64,
    /// How often it was delivered.
    pub deliveries: u64,
}

/// A consumer group of a stream.
#[derive(Debug, Clone, Default)]
pub struct Group {
    /// The id of the last entry that was delivered.
    pub last_id: StreamId,
    /// How many of all entries ever added come before or at the last delivered one; `None` if that is not
    /// known.
    pub entries_read: Option<i64>,
    pending: BTreeMap<StreamId, Pending>,
    consumers: Slab<Consumer>,
    by_name: BTreeMap<Bytes, usize>,
}

impl Group {
    /// A group without consumers, to which the entries after `last_id` will be delivered.
    #[must_use]
    pub fn new(last_id: StreamId, entries_read: Option<i64>) -> Self {
        Self { last_id, entries_read, ..Self::default() }
    }

    /// The entries that were delivered and are not acknowledged.
    #[must_use]
    pub fn pending(&self) -> &BTreeMap<StreamId, Pending> {
        &self.pending
    }

    /// The consumers in the order of their names.
    #[must_use]
    pub fn consumers(&self) -> impl ExactSizeIterator<Item = (ConsumerKey, &Consumer)> {
        self.by_name.values().map(|index| (ConsumerKey(*index), &self.consumers[*index]))
    }

    /// The consumer of this name.
    #[must_use]
    pub fn find(&self, name: &[u8]) -> Option<ConsumerKey> {
        self.by_name.get(name).map(|index| ConsumerKey(*index))
    }

    /// A consumer.
    #[must_use]
    pub fn consumer(&self, key: ConsumerKey) -> Option<&Consumer> {
        self.consumers.get(key.0)
    }

    /// A consumer, to change when it was seen.
    pub fn consumer_mut(&mut self, key: ConsumerKey) -> Option<&mut Consumer> {
        self.consumers.get_mut(key.0)
    }

    /// Adds a consumer, seen at `now`; `None` if there is one of this name already.
    pub fn add_consumer(&mut self, name: &[u8], now: i64) -> Option<ConsumerKey> {
        if self.by_name.contains_key(name) {
            return None;
        }
        let consumer = Consumer { name: name.into(), seen: now, active: None, pending: BTreeSet::new() };
        let index = self.consumers.insert(consumer);
        self.by_name.insert(name.into(), index);
        Some(ConsumerKey(index))
    }

    /// Removes a consumer with its pending entries, and returns the number of those; `None` if there is no
    /// such consumer.
    pub fn remove_consumer(&mut self, name: &[u8]) -> Option<usize> {
        let index = self.by_name.remove(name)?;
        let consumer = self.consumers.try_remove(index)?;
        for id in &consumer.pending {
            self.pending.remove(id);
        }
        Some(consumer.pending.len())
    }

    /// Whether the group has this entry pending, or has still to read it.
    #[must_use]
    pub fn refers_to(&self, id: StreamId) -> bool {
        self.last_id < id || self.pending.contains_key(&id)
    }

    /// Acknowledges an entry; false if it was not pending.
    pub fn acknowledge(&mut self, id: StreamId) -> bool {
        let Some(pending) = self.pending.remove(&id) else { return false };
        if let Some(consumer) = self.consumers.get_mut(pending.consumer.0) {
            consumer.pending.remove(&id);
        }
        true
    }

    /// Makes an entry pending; this replaces its earlier pending state.
    pub fn set_pending(&mut self, id: StreamId, pending: Pending) {
        let old = self.pending.insert(id, pending).map(|old| old.consumer);
        if old == Some(pending.consumer) {
            return;
        }
        if let Some(old) = old.and_then(|old| self.consumers.get_mut(old.0)) {
            old.pending.remove(&id);
        }
        if let Some(new) = self.consumers.get_mut(pending.consumer.0) {
            new.pending.insert(id);
        }
    }

    /// The pending entries whose ids lie in `ids`, of one consumer or of all.
    pub fn pending_of(
        &self,
        consumer: Option<ConsumerKey>,
        ids: impl RangeBounds<StreamId> + Clone,
    ) -> impl Iterator<Item = (StreamId, Pending)> {
        let all = consumer.is_none().then(|| self.pending.range(ids.clone()));
        let one = consumer.and_then(|key| self.consumers.get(key.0)).map(|one| one.pending.range(ids));
        let all = all.into_iter().flatten().map(|(id, pending)| (*id, *pending));
        all.chain(one.into_iter().flatten().filter_map(|id| Some((*id, *self.pending.get(id)?))))
    }

    /// How many bytes the group takes.
    pub(super) fn memory(&self) -> usize {
        let consumer = |consumer: &Consumer| {
            size_of::<Consumer>()
                + size_of::<(Bytes, usize)>()
                + 2 * consumer.name.len()
                + consumer.pending.len() * size_of::<StreamId>()
        };
        size_of::<Self>()
            + self.pending.len() * size_of::<(StreamId, Pending)>()
            + self.consumers.iter().map(|(_, one)| consumer(one)).sum::<usize>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pending_entry_belongs_to_the_one_consumer_that_knows_it() {
        let mut random = fastrand::Rng::with_seed(1);
        let mut group = Group::default();
        for _ in 0..5000 {
            let id = StreamId { ms: random.u64(0..30), seq: 0 };
            let name = [random.u8(b'a'..=b'd')];
            match random.u8(0..8) {
                0 => {
                    let known = group.pending.contains_key(&id);
                    assert_eq!(group.acknowledge(id), known);
                }
                1 => {
                    let pending = group.find(&name).map(|key| group.pending_of(Some(key), ..).count());
                    assert_eq!(group.remove_consumer(&name), pending);
                    assert_eq!(group.find(&name), None);
                }
                _ => {
                    let known = group.find(&name);
                    let added = group.add_consumer(&name, 1);
                    assert_eq!(added.is_none(), known.is_some());
                    let Some(consumer) = known.or(added) else { panic!("no consumer") };
                    group.set_pending(id, Pending { consumer, delivered: 0, deliveries: 1 });
                }
            }
            let mut all: Vec<_> =
                group.consumers().flat_map(|(key, _)| group.pending_of(Some(key), ..)).collect();
            all.sort_unstable_by_key(|(id, _)| *id);
            assert!(all.iter().map(|(id, pending)| (id, pending)).eq(&group.pending));
            let names: Vec<_> = group.consumers().map(|(_, consumer)| consumer.name()).collect();
            assert!(names.is_sorted());
            for (key, consumer) in group.consumers() {
                assert!(consumer.pending.iter().all(|id| group.pending[id].consumer == key));
            }
        }
    }
}
