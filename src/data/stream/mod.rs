//! Streams.

mod claim;
mod counting;
mod group;
mod id;
mod node;
mod radix;
mod references;

use std::collections::BTreeMap;

use crate::data::Bytes;
use crate::resp::Args;
pub use claim::{Claim, Claimed, Deliveries};
use counting::Counting;
pub use group::{Consumer, ConsumerKey, Group, Pending};
pub use id::StreamId;
pub use node::{Entry, Fields, NodeLimits};
pub(super) use node::{Node, SlotKind};
pub use references::{Deleted, References};

/// A stream: entries in the order of their ids, which only grow.
#[derive(Debug, Clone, Default)]
pub struct Stream {
    /// The entries, grouped as redis-server groups them; the key is the id of the first entry that was added to
    /// a node, deleted or not.
    nodes: BTreeMap<StreamId, Node>,
    /// How many nodes redis-server's radix tree of `nodes` has, apart from an empty root.
    radix_nodes: usize,
    /// The consumer groups in the order of their names.
    groups: BTreeMap<Bytes, Group>,
    len: usize,
    first_id: StreamId,
    last_id: StreamId,
    max_deleted_id: StreamId,
    entries_added: u64,
}

/// How the id of a new entry is chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NewId {
    /// From the time.
    Auto,
    /// Of this millisecond, with the next free number.
    Millisecond(u64),
    /// This one.
    Exact(StreamId),
}

/// Why an entry cannot be added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddError {
    /// The last id is the greatest possible one.
    Exhausted,
    /// The id is not greater than the last one.
    NotGreater,
    /// Names and values together are longer than 1 GiB.
    TooLarge,
}

/// What trimming keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// The number of the newest entries to keep.
    Newest(usize),
    /// The entries from this id on.
    From(StreamId),
}

/// How a stream is trimmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trim {
    /// What is kept.
    pub keep: Keep,
    /// Only whole nodes are removed, so that more may be kept.
    pub approximate: bool,
    /// The most entries to remove; 0 is no limit.
    pub limit: usize,
    /// What happens to the references to what is removed. As in redis-server, approximate trimming removes nothing unless
    /// it keeps them.
    pub references: References,
}

impl Stream {
    /// The number of entries.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// True if there is no entry.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The id of the first entry, 0-0 if there is none.
    #[must_use]
    pub fn first_id(&self) -> StreamId {
        self.first_id
    }

    /// The last id that was ever given to an entry, 0-0 if none was.
    #[must_use]
    pub fn last_id(&self) -> StreamId {
        self.last_id
    }

    /// The greatest id that XDEL has deleted, 0-0 if it has not deleted any.
    #[must_use]
    pub fn max_deleted_id(&self) -> StreamId {
        self.max_deleted_id
    }

    /// How many entries were ever added.
    #[must_use]
    pub fn entries_added(&self) -> u64 {
        self.entries_added
    }

    /// The nodes with the ids under which they are kept.
    pub(super) fn nodes(&self) -> impl ExactSizeIterator<Item = (StreamId, &Node)> {
        self.nodes.iter().map(|(first, node)| (*first, node))
    }

    /// A stream that was serialized: its nodes, in their order, under ids that are not greater than those of
    /// their entries; the last id, the greatest deleted one, and how many entries were ever added.
    pub(super) fn restored(
        nodes: impl IntoIterator<Item = (StreamId, Node)>,
        last_id: StreamId,
        max_deleted_id: StreamId,
        entries_added: u64,
    ) -> Self {
        let mut stream = Self { last_id, max_deleted_id, entries_added, ..Self::default() };
        for (first, node) in nodes {
            stream.len += node.live();
            stream.radix_nodes += radix::share(&stream.nodes, first);
            stream.nodes.insert(first, node);
        }
        stream.find_first();
        stream
    }

    /// How many groups of entries redis-server keeps: the keys of its radix tree.
    #[must_use]
    pub fn radix_tree_keys(&self) -> usize {
        self.nodes.len()
    }

    /// How many nodes redis-server's radix tree has.
    #[must_use]
    pub fn radix_tree_nodes(&self) -> usize {
        self.radix_nodes.max(1)
    }

    /// The consumer groups.
    #[must_use]
    pub fn groups(&self) -> &BTreeMap<Bytes, Group> {
        &self.groups
    }

    /// The consumer groups, to change.
    pub fn groups_mut(&mut self) -> &mut BTreeMap<Bytes, Group> {
        &mut self.groups
    }

    /// True if there is an entry with this id.
    #[must_use]
    pub fn contains(&self, id: StreamId) -> bool {
        self.get(id).is_some()
    }

    /// The entry with this id.
    #[must_use]
    pub fn get(&self, id: StreamId) -> Option<Entry<'_>> {
        find(&self.nodes, id)
    }

    /// How many entries a group still has to read; `None` if that is not known.
    #[must_use]
    pub fn lag(&self, group: &Group) -> Option<i64> {
        self.counting().lag(group)
    }

    /// The number of the entry with this id among all that were ever added; `None` if it is unknown.
    pub(super) fn number_of(&self, id: StreamId) -> Option<i64> {
        self.counting().number_of(id)
    }

    fn counting(&self) -> Counting {
        Counting {
            len: self.len,
            first_id: self.first_id,
            last_id: self.last_id,
            max_deleted_id: self.max_deleted_id,
            added: self.entries_added,
        }
    }

    /// The last entry.
    #[must_use]
    pub fn last(&self) -> Option<Entry<'_>> {
        self.range(StreamId::MIN, StreamId::MAX).next_back()
    }

    /// How many bytes the entries take.
    pub(crate) fn memory(&self) -> usize {
        let nodes = self.nodes.values().map(|node| size_of::<StreamId>() + node.memory());
        let groups = self.groups.iter().map(|(name, group)| name.len() + group.memory());
        nodes.sum::<usize>() + groups.sum::<usize>()
    }

    /// The entries from `start` to `end`, both included. Finding the first one takes logarithmic time.
    #[must_use]
    pub fn range(
        &self,
        start: StreamId,
        end: StreamId,
    ) -> impl DoubleEndedIterator<Item = Entry<'_>> + use<'_> {
        range(&self.nodes, start, end)
    }

    /// Adds an entry of these fields and values, which alternate, and returns its id. `now` is the time in
    /// milliseconds since the Unix epoch.
    ///
    /// # Errors
    ///
    /// The id is not possible, or the entry is too large; nothing has been added then.
    pub fn add(
        &mut self,
        id: NewId,
        fields: Args<'_>,
        now: i64,
        limits: NodeLimits,
    ) -> Result<StreamId, AddError> {
        let id = self.new_id(id, now)?;
        let bytes = fields.bytes();
        if bytes > node::MAX_BYTES {
            return Err(AddError::TooLarge);
        }
        match self.nodes.last_entry() {
            // XSETID may have set the last id back below entries that are deleted but not removed.
            Some(mut last) if !last.get().is_full(bytes, limits) && last.get().last_id() < id => {
                let first = *last.key();
                last.get_mut().push(first, id, fields);
            }
            last => {
                if let Some(mut last) = last {
                    last.get_mut().close();
                }
                self.remove_node(id);
                self.radix_nodes += radix::share(&self.nodes, id);
                self.nodes.insert(id, Node::new(id, fields));
            }
        }
        self.len += 1;
        self.entries_added = self.entries_added.wrapping_add(1);
        self.last_id = id;
        if self.len == 1 {
            self.first_id = id;
        }
        Ok(id)
    }

    fn new_id(&self, id: NewId, now: i64) -> Result<StreamId, AddError> {
        let last = self.last_id;
        let next = last.next().ok_or(AddError::Exhausted)?;
        let now = u64::try_from(now).unwrap_or_default();
        let id = match id {
            NewId::Auto if now > last.ms => StreamId { ms: now, seq: 0 },
            NewId::Auto => next,
            // When the sequence numbers of the millisecond are used up, `next` is in another one.
            NewId::Millisecond(ms) if ms == last.ms => {
                Some(next).filter(|next| next.ms == ms).ok_or(AddError::NotGreater)?
            }
            NewId::Millisecond(ms) => StreamId { ms, seq: 0 },
            NewId::Exact(id) => id,
        };
        if id > last { Ok(id) } else { Err(AddError::NotGreater) }
    }

    /// Deletes an entry; false if there is none.
    pub fn delete(&mut self, id: StreamId) -> bool {
        let Some((first, node)) = self.nodes.range_mut(..=id).next_back() else { return false };
        if !node.delete(id) {
            return false;
        }
        if node.live() == 0 {
            let first = *first;
            self.remove_node(first);
        }
        self.len -= 1;
        self.max_deleted_id = self.max_deleted_id.max(id);
        if id == self.first_id {
            self.find_first();
        }
        true
    }

    /// Removes the oldest entries and returns how many.
    pub fn trim(&mut self, trim: &Trim) -> usize {
        let removed = match trim.references {
            References::Keep => self.trim_by_nodes(trim),
            _ if trim.approximate => 0,
            references => self.trim_by_references(trim.keep, references),
        };
        if removed > 0 {
            self.find_first();
        }
        removed
    }

    /// Removes whole nodes, and entries of another one if they are counted exactly.
    fn trim_by_nodes(&mut self, trim: &Trim) -> usize {
        let mut removed = 0;
        while let Some(mut first) = self.nodes.first_entry() {
            let first_id = *first.key();
            let node = first.get_mut();
            let live = node.live();
            if matches!(trim.keep, Keep::Newest(keep) if self.len <= keep) {
                break;
            }
            if trim.limit != 0 && removed + live > trim.limit {
                break;
            }
            let whole = match trim.keep {
                Keep::Newest(keep) => self.len - live >= keep,
                Keep::From(id) => node.last_id() < id,
            };
            if whole {
                self.remove_node(first_id);
                self.len -= live;
                removed += live;
                continue;
            }
            if !trim.approximate {
                // The node stays even if nothing is left of it but deleted entries, as in redis-server.
                let deleted = match trim.keep {
                    Keep::Newest(keep) => node.delete_front(self.len - keep, StreamId::MAX, |_| true),
                    Keep::From(id) => node.delete_front(usize::MAX, id, |_| true),
                };
                self.len -= deleted;
                removed += deleted;
            }
            break;
        }
        removed
    }

    fn remove_node(&mut self, first: StreamId) {
        if self.nodes.remove(&first).is_some() {
            self.radix_nodes -= radix::share(&self.nodes, first);
        }
    }

    /// Sets what XADD continues from: the last id, and how many entries were ever added and the greatest id that
    /// was deleted, if given. The caller must check that they fit the entries.
    pub fn set_last_id(&mut self, last: StreamId, added: Option<u64>, max_deleted: Option<StreamId>) {
        self.last_id = last;
        self.entries_added = added.unwrap_or(self.entries_added);
        self.max_deleted_id = max_deleted.unwrap_or(self.max_deleted_id);
    }

    fn find_first(&mut self) {
        let first = self.range(StreamId::MIN, StreamId::MAX).next();
        self.first_id = first.map_or(StreamId::MIN, |entry| entry.id);
    }
}

/// The entry with this id.
fn find(nodes: &BTreeMap<StreamId, Node>, id: StreamId) -> Option<Entry<'_>> {
    let (_, node) = nodes.range(..=id).next_back()?;
    node.range(id, id).next()
}

/// The entries from `start` to `end`, both included, of all nodes.
fn range(
    nodes: &BTreeMap<StreamId, Node>,
    start: StreamId,
    end: StreamId,
) -> impl DoubleEndedIterator<Item = Entry<'_>> + use<'_> {
    let nodes = (start <= end).then(|| {
        let first = nodes.range(..=start).next_back().map_or(start, |(id, _)| *id);
        nodes.range(first..=end)
    });
    nodes.into_iter().flatten().flat_map(move |(_, node)| node.range(start, end))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resp::OwnedRequest;

    const LIMITS: NodeLimits = NodeLimits { bytes: 200, entries: 7 };

    fn id(seq: u64) -> StreamId {
        StreamId { ms: seq / 10, seq: seq % 10 }
    }

    /// Compares with a model that is a plain table.
    fn check(stream: &Stream, model: &BTreeMap<StreamId, Vec<String>>, start: StreamId, end: StreamId) {
        let read = |entry: Entry<'_>| {
            let texts = entry.fields.flat_map(|(name, value)| [name, value]);
            let texts = texts.map(|text| String::from_utf8_lossy(text).into_owned());
            (entry.id, texts.collect::<Vec<_>>())
        };
        let expected = || model.range(start..).take_while(|(id, _)| **id <= end);
        let expected = || expected().map(|(id, texts)| (*id, texts.clone()));
        assert!(stream.range(start, end).map(read).eq(expected()));
        let mut backwards: Vec<_> = stream.range(start, end).rev().map(read).collect();
        backwards.reverse();
        assert!(backwards.into_iter().eq(expected()));
        assert_eq!(stream.len(), model.len());
        assert_eq!(stream.first_id(), model.keys().next().copied().unwrap_or_default());
        assert_eq!(stream.last().map(|entry| entry.id), model.keys().next_back().copied());
        let live: usize = stream.nodes.values().map(Node::live).sum();
        assert_eq!(live, model.len());
    }

    #[test]
    fn entries_are_those_of_a_plain_table() {
        let mut random = fastrand::Rng::with_seed(1);
        for _ in 0..100 {
            let mut stream = Stream::default();
            let mut model = BTreeMap::new();
            let mut top = 0;
            for _ in 0..200 {
                let any = id(random.u64(0..=top + 1));
                match random.u8(0..10) {
                    0..=5 => {
                        top += random.u64(1..4);
                        let fields = random.usize(1..4);
                        let text = |index: usize| match random.u8(0..4) {
                            0 if index % 2 == 1 => "x".repeat(random.usize(0..150)),
                            1 => random.i64(..).to_string(),
                            _ => index.to_string(),
                        };
                        let texts: Vec<String> = (0..fields * 2).map(text).collect();
                        let request = OwnedRequest::new(&texts);
                        let added = stream.add(NewId::Exact(id(top)), request.args(), 0, LIMITS);
                        assert_eq!(added, Ok(id(top)));
                        model.insert(id(top), texts);
                    }
                    6..=7 => assert_eq!(stream.delete(any), model.remove(&any).is_some()),
                    8 => {
                        let keep = random.usize(0..20);
                        stream.trim(&Trim {
                            keep: Keep::Newest(keep),
                            approximate: false,
                            limit: 0,
                            references: References::Keep,
                        });
                        while model.len() > keep {
                            model.pop_first();
                        }
                    }
                    _ => {
                        stream.trim(&Trim {
                            keep: Keep::From(any),
                            approximate: false,
                            limit: 0,
                            references: References::Keep,
                        });
                        model.retain(|id, _| *id >= any);
                    }
                }
                check(&stream, &model, id(random.u64(0..=top + 1)), any);
                check(&stream, &model, StreamId::MIN, StreamId::MAX);
            }
        }
    }

    #[test]
    fn the_weight_of_a_node_is_known_however_often_its_counters_change() {
        let request = OwnedRequest::new(["a", "b"]);
        let limits = NodeLimits { bytes: 0, entries: 0 };
        let mut stream = Stream::default();
        for seq in 1..=300 {
            assert_eq!(stream.add(NewId::Exact(id(seq)), request.args(), 0, limits), Ok(id(seq)));
        }
        let weight = |stream: &Stream| stream.nodes.values().map(Node::weight).collect::<Vec<_>>();
        // From redis-server's DUMP.
        assert_eq!(weight(&stream), [3349]);
        for seq in 1..=200 {
            assert!(stream.delete(id(seq)));
        }
        assert_eq!(weight(&stream), [3349]);
    }
}
