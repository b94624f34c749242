//! References to entries: a group refers to those that it has not read yet, and to those that it has pending, deleted
//! ones included.
//!
//! redis-server keeps an index from each pending entry to its groups. Here the groups are asked, each in logarithmic time:
//! most streams have few, and nothing has to be kept for those that never ask.

use std::collections::BTreeMap;
use std::ops::Bound;

use super::node::Node;
use super::{Group, Keep, Stream, StreamId};
use crate::data::Bytes;

/// What happens to the references to an entry that is deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum References {
    /// It stays pending in its groups, as with XDEL.
    #[default]
    Keep,
    /// No group has it pending any more.
    Remove,
    /// An entry to which a group refers is not deleted.
    Respect,
}

/// The result of deleting an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deleted {
    /// It is deleted.
    Yes,
    /// There is no such entry.
    NotThere,
    /// It stays, as a group refers to it.
    Referenced,
}

impl References {
    /// Whether an entry may be deleted; its references are removed if they have to be.
    fn allow(self, groups: &mut BTreeMap<Bytes, Group>, id: StreamId) -> bool {
        match self {
            Self::Keep => true,
            Self::Remove => {
                for group in groups.values_mut() {
                    group.acknowledge(id);
                }
                true
            }
            Self::Respect => !groups.values().any(|group| group.refers_to(id)),
        }
    }
}

impl Stream {
    /// Deletes an entry, depending on the references to it. Those of an entry that does not exist are removed as well, and
    /// also keep it from being deleted.
    pub fn delete_with(&mut self, id: StreamId, references: References) -> Deleted {
        if !references.allow(&mut self.groups, id) {
            return Deleted::Referenced;
        }
        if self.delete(id) { Deleted::Yes } else { Deleted::NotThere }
    }

    /// Removes the oldest entries one by one, depending on the references to each, and returns how many.
    pub(super) fn trim_by_references(&mut self, keep: Keep, references: References) -> usize {
        let mut removed = 0;
        let mut from = Bound::Unbounded;
        while let Some((&first, node)) = self.nodes.range_mut::<StreamId, _>((from, Bound::Unbounded)).next()
        {
            let live = node.live();
            let (max, until, whole) = match keep {
                Keep::Newest(keep) if self.len <= keep => break,
                Keep::Newest(keep) => (self.len - keep, StreamId::MAX, self.len - live >= keep),
                Keep::From(id) => (usize::MAX, id, node.last_id() < id),
            };
            let deleted = Node::delete_front(node, max, until, |id| references.allow(&mut self.groups, id));
            self.len -= deleted;
            removed += deleted;
            // As in redis-server, nothing behind a node of which entries are to stay is looked at.
            if !whole {
                break;
            }
            if node.live() == 0 {
                self.remove_node(first);
            }
            from = Bound::Excluded(first);
        }
        removed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::stream::{NewId, NodeLimits, Pending, Trim};
    use crate::resp::OwnedRequest;

    fn id(seq: u64) -> StreamId {
        StreamId { ms: 0, seq }
    }

    fn ids(stream: &Stream) -> Vec<u64> {
        stream.range(StreamId::MIN, StreamId::MAX).map(|entry| entry.id.seq).collect()
    }

    /// A stream of ten entries, all of which one group has read. Those of even numbers are pending.
    fn stream() -> Stream {
        let mut stream = Stream::default();
        let request = OwnedRequest::new(["f", "v"]);
        for seq in 1..=10 {
            let added =
                stream.add(NewId::Exact(id(seq)), request.args(), 0, NodeLimits { bytes: 0, entries: 3 });
            assert_eq!(added, Ok(id(seq)));
        }
        let mut group = Group::new(id(10), None);
        let Some(consumer) = group.add_consumer(b"ann", 0) else { panic!("no consumer") };
        for seq in (2..=10).step_by(2) {
            group.set_pending(id(seq), Pending { consumer, delivered: 0, deliveries: 1 });
        }
        stream.groups_mut().insert(b"g".as_slice().into(), group);
        stream
    }

    fn pending(stream: &Stream) -> Vec<u64> {
        stream.groups().values().flat_map(|group| group.pending().keys().map(|id| id.seq)).collect()
    }

    #[test]
    fn an_entry_is_deleted_as_its_references_allow() {
        let mut stream = stream();
        assert_eq!(stream.delete_with(id(2), References::Respect), Deleted::Referenced);
        assert_eq!(stream.delete_with(id(3), References::Respect), Deleted::Yes);
        assert_eq!(stream.delete_with(id(3), References::Respect), Deleted::NotThere);
        assert_eq!(stream.delete_with(id(11), References::Respect), Deleted::Referenced);
        assert_eq!(stream.delete_with(id(4), References::Keep), Deleted::Yes);
        assert_eq!(pending(&stream), [2, 4, 6, 8, 10]);
        assert_eq!(stream.delete_with(id(4), References::Remove), Deleted::NotThere);
        assert_eq!(stream.delete_with(id(6), References::Remove), Deleted::Yes);
        assert_eq!((ids(&stream), pending(&stream)), (vec![1, 2, 5, 7, 8, 9, 10], vec![2, 8, 10]));
    }

    #[test]
    fn trimming_passes_over_what_is_referenced_up_to_the_first_node_that_stays() {
        let trim = |keep, references| Trim { keep, approximate: false, limit: 0, references };
        let mut acknowledged = stream();
        assert_eq!(acknowledged.trim(&trim(Keep::Newest(0), References::Respect)), 5);
        assert_eq!((ids(&acknowledged), acknowledged.first_id()), (vec![2, 4, 6, 8, 10], id(2)));
        // Without 1, the first node has two entries, which is what may go: the second one is not looked at.
        let mut some = stream();
        assert!(some.delete(id(1)));
        assert_eq!(some.trim(&trim(Keep::Newest(8), References::Respect)), 1);
        assert_eq!(ids(&some), [2, 4, 5, 6, 7, 8, 9, 10]);
        let mut all = stream();
        assert_eq!(all.trim(&trim(Keep::From(id(5)), References::Remove)), 4);
        assert_eq!((ids(&all), pending(&all)), (vec![5, 6, 7, 8, 9, 10], vec![6, 8, 10]));
        let approximate = Trim { approximate: true, ..trim(Keep::Newest(0), References::Remove) };
        assert_eq!(all.trim(&approximate), 0);
    }
}
