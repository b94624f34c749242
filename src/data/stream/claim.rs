//! Entries that are delivered to a consumer: new ones, its own pending ones again, and those claimed from
//! another.

use crate::data::present;
use std::ops::Bound;

use super::{ConsumerKey, Entry, Pending, Stream, StreamId, find, range};

/// How a consumer takes over pending entries.
#[derive(Clone, Copy, Debug)]
pub struct Claim {
    /// The consumer that takes them. Even without one, deleted entries are removed from the pending entries.
    pub consumer: Option<ConsumerKey>,
    /// Only those that were delivered at least this many milliseconds ago; with 0 or less, all of them.
    pub min_idle: i64,
    /// The time, in milliseconds since the Unix epoch.
    pub now: i64,
    /// The delivery time to set.
    pub delivered: i64,
    /// The number of deliveries to set.
    pub deliveries: Deliveries,
    /// Entries that are not pending become pending.
    pub force: bool,
}

impl Claim {
    /// Whether the claim applies to an entry with this pending state.
    fn is_of(&self, pending: Option<&Pending>) -> bool {
        match pending {
            None => self.force,
            Some(old) => self.min_idle <= 0 || self.now.saturating_sub(old.delivered) >= self.min_idle,
        }
    }
}

/// How often an entry counts as delivered after it was claimed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deliveries {
    /// As before.
    Same,
    /// Once more than before.
    OneMore,
    /// This many times.
    Set(u64),
}

/// The result of a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claimed {
    /// The entry belongs to the claimant now.
    Yes,
    /// Nothing changes.
    No,
    /// The entry was pending, but it is deleted, so it is not pending any more.
    Vanished,
}

impl Stream {
    /// Delivers the first `count` entries that a group has not read yet to a consumer, one by one; `keep` makes
    /// them pending. Each is passed to `show`.
    pub fn deliver(
        &mut self,
        group: &[u8],
        consumer: ConsumerKey,
        count: usize,
        now: i64,
        keep: bool,
        mut show: impl FnMut(Entry<'_>),
    ) {
        let counting = self.counting();
        let Some(group) = present(self.groups.get_mut(group)) else { return };
        let Some(start) = group.last_id.next() else { return };
        for entry in range(&self.nodes, start, StreamId::MAX).take(count) {
            group.entries_read = counting.entries_read(group, entry.id);
            group.last_id = entry.id;
            if keep {
                group.set_pending(entry.id, Pending { consumer, delivered: now, deliveries: 1 });
                if let Some(consumer) = group.consumer_mut(consumer) {
                    consumer.active = Some(now);
                }
            }
            show(entry);
        }
    }

    /// Delivers the first `count` pending entries of a consumer after `after` again. Each is passed to `show`;
    /// of a deleted entry, only the id.
    pub fn deliver_again(
        &mut self,
        name: &[u8],
        consumer: ConsumerKey,
        after: StreamId,
        count: usize,
        now: i64,
        mut show: impl FnMut(StreamId, Option<Entry<'_>>),
    ) {
        let mut last = after;
        for _ in 0..count {
            let Some(group) = present(self.groups.get_mut(name)) else { return };
            let behind = (Bound::Excluded(last), Bound::Unbounded);
            let Some((id, pending)) = group.pending_of(Some(consumer), behind).next() else { return };
            last = id;
            let entry = find(&self.nodes, id);
            if entry.is_some() {
                let deliveries = pending.deliveries.wrapping_add(1);
                group.set_pending(id, Pending { delivered: now, deliveries, ..pending });
            }
            show(id, entry);
        }
    }

    /// True if a consumer may claim this entry and it exists.
    #[must_use]
    pub fn may_claim(&self, group: &[u8], id: StreamId, claim: &Claim) -> bool {
        let pending = self.groups.get(group).and_then(|group| group.pending().get(&id));
        self.contains(id) && claim.is_of(pending)
    }

    /// A consumer claims an entry.
    pub fn claim(&mut self, group: &[u8], id: StreamId, claim: &Claim) -> Claimed {
        let exists = self.contains(id);
        let Some(group) = present(self.groups.get_mut(group)) else { return Claimed::No };
        let old = group.pending().get(&id).copied();
        if !exists {
            return if group.acknowledge(id) { Claimed::Vanished } else { Claimed::No };
        }
        if !claim.is_of(old.as_ref()) {
            return Claimed::No;
        }
        // An entry that becomes pending has been delivered once.
        let before = old.map_or(1, |old| old.deliveries);
        let deliveries = match claim.deliveries {
            Deliveries::Same => before,
            Deliveries::OneMore => before.wrapping_add(1),
            Deliveries::Set(times) => times,
        };
        let Claim { consumer: Some(consumer), delivered, .. } = *claim else { return Claimed::No };
        group.set_pending(id, Pending { consumer, delivered, deliveries });
        if let Some(consumer) = group.consumer_mut(consumer) {
            consumer.active = Some(claim.now);
        }
        Claimed::Yes
    }
}
