//! The progress of a group: the number of entries that it has read, and of those that it has not.
//!
//! Both are known only as long as no entry after the last delivered one was deleted, as entries do not store
//! their number. Like redis-server, this derives what it can from a few numbers of the stream.

use super::{Group, StreamId};

/// What is known of a stream without looking at its entries.
#[derive(Clone, Copy, Debug)]
pub(super) struct Counting {
    pub len: usize,
    pub first_id: StreamId,
    pub last_id: StreamId,
    pub max_deleted_id: StreamId,
    pub added: u64,
}

impl Counting {
    /// True if an entry from `start` on may have been deleted while older ones are still there.
    fn has_gap_from(&self, start: StreamId) -> bool {
        self.len > 0
            && self.max_deleted_id != StreamId::MIN
            && self.first_id <= self.max_deleted_id
            && start <= self.max_deleted_id
    }

    /// The number of the entry with this id among all that were ever added.
    pub(super) fn number_of(&self, id: StreamId) -> Option<i64> {
        // Signed, as in redis-server: XSETID may set the counter to more.
        let added = self.added.cast_signed();
        let len = i64::try_from(self.len).unwrap_or(i64::MAX);
        if self.added == 0 {
            return Some(0);
        }
        if self.len == 0 && id < self.last_id {
            return Some(added);
        }
        if id == self.last_id {
            return Some(added);
        }
        if id > self.last_id {
            return None;
        }
        if self.max_deleted_id != StreamId::MIN && self.max_deleted_id >= self.first_id {
            return None;
        }
        match id.cmp(&self.first_id) {
            std::cmp::Ordering::Less => Some(added.wrapping_sub(len)),
            std::cmp::Ordering::Equal => Some(added.wrapping_sub(len).wrapping_add(1)),
            std::cmp::Ordering::Greater => None,
        }
    }

    /// How many entries a group that has read up to `group.last_id` has read once `id` is delivered to it.
    pub(super) fn entries_read(&self, group: &Group, id: StreamId) -> Option<i64> {
        match group.entries_read {
            Some(read) if group.last_id >= self.first_id && !self.has_gap_from(group.last_id) => {
                Some(read.wrapping_add(1))
            }
            read if self.added == 0 => read,
            _ => self.number_of(id),
        }
    }

    /// How many entries a group still has to read.
    pub(super) fn lag(&self, group: &Group) -> Option<i64> {
        if self.added == 0 || self.len == 0 {
            return Some(0);
        }
        if group.last_id < self.first_id && self.max_deleted_id < self.first_id {
            return i64::try_from(self.len).ok();
        }
        let read = group.entries_read.filter(|_| !self.has_gap_from(group.last_id));
        let read = read.or_else(|| self.number_of(group.last_id))?;
        Some(self.added.cast_signed().wrapping_sub(read))
    }
}
