//! A node: some neighbouring entries of a stream.
//!
//! redis-server keeps the entries of a stream in listpacks, and approximate trimming removes whole listpacks
//! only. How many entries XADD with `MAXLEN ~` leaves therefore follows from where one listpack ends and the
//! next begins. So entries are grouped here in the same way: a node knows the size of its listpack, to the byte,
//! and an entry that is deleted stays until the whole node is removed.

use crate::data::present;
use std::ops::Range;

use super::StreamId;
use crate::resp::{Args, parse_integer};

/// The greatest size of a node and of the fields and values of an entry, in bytes, whatever the settings say.
pub(super) const MAX_BYTES: usize = 1 << 30;

/// When a node is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NodeLimits {
    /// `stream-node-max-bytes`; 0 is no limit.
    pub bytes: usize,
    /// `stream-node-max-entries`, deleted ones included; 0 is no limit.
    pub entries: usize,
}

/// Where an entry lies in its node.
#[derive(Debug, Clone)]
struct Slot {
    id: StreamId,
    /// Where its data begins.
    start: u32,
    /// Its fields have the names of the node's first entry, which are not repeated.
    same_names: bool,
    deleted: bool,
}

/// How an entry is stored in its node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SlotKind {
    /// Its id.
    pub(crate) id: StreamId,
    /// Its fields have the names of the node's first entry.
    pub(crate) same_names: bool,
    /// It is deleted.
    pub(crate) deleted: bool,
}

/// Neighbouring entries.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    /// In the order of their ids; never empty.
    slots: Vec<Slot>,
    /// The names of the fields of the first entry, then for each entry its values or, if its names differ, the
    /// number of its fields and then names and values alternately. Each text follows its length.
    data: Vec<u8>,
    /// How many fields the first entry has.
    fields: usize,
    /// How many entries are not deleted.
    live: usize,
    /// How many bytes redis-server's listpack of these entries would have.
    weight: usize,
}

impl Node {
    /// A node with one entry of these fields and values, which alternate.
    pub(super) fn new(id: StreamId, fields: Args<'_>) -> Self {
        let mut node = Self::empty(fields.len() / 2, fields.iter().step_by(2));
        node.data.reserve(fields.bytes() + fields.len());
        node.set_live(1);
        node.write(id, id, fields, true);
        node
    }

    /// A node without entries, whose first one has, or had, fields of these names. An entry must be added to it.
    pub(crate) fn empty(fields: usize, names: impl Iterator<Item = impl AsRef<[u8]>>) -> Self {
        let mut data = Vec::new();
        // A header of 6 bytes, the count of entries and of deleted ones, the number of fields and their names, a
        // zero, and a byte at the end.
        let mut weight = 6 + 3 * integer_weight(0) + count_weight(fields) + 1;
        for name in names {
            weight += text_weight(name.as_ref());
            write_text(&mut data, name.as_ref());
        }
        Self { slots: Vec::new(), data, fields, live: 0, weight }
    }

    /// How many bytes the node takes.
    pub(super) fn memory(&self) -> usize {
        size_of::<Self>() + self.slots.capacity() * size_of::<Slot>() + self.data.capacity()
    }

    /// True if an entry with `bytes` bytes of fields and values has to go into a new node.
    pub(super) fn is_full(&self, bytes: usize, limits: NodeLimits) -> bool {
        let max = if limits.bytes == 0 { MAX_BYTES } else { limits.bytes.min(MAX_BYTES) };
        self.weight + bytes >= max || (limits.entries != 0 && self.slots.len() >= limits.entries)
    }

    /// Frees unused memory, as nothing will be added any more.
    pub(super) fn close(&mut self) {
        self.data.shrink_to_fit();
        self.slots.shrink_to_fit();
    }

    /// Adds an entry after the others. `first` is the id of the first entry, deleted or not.
    pub(super) fn push(&mut self, first: StreamId, id: StreamId, fields: Args<'_>) {
        let mut names = Texts(&self.data);
        let same_names = fields.len() / 2 == self.fields
            && fields.iter().step_by(2).all(|name| names.next().is_some_and(|known| known == name));
        self.set_live(self.live + 1);
        self.write(first, id, fields, same_names);
    }

    fn write(&mut self, first: StreamId, id: StreamId, fields: Args<'_>, same_names: bool) {
        let count = fields.len() / 2;
        if same_names {
            self.write_texts(first, id, count, same_names, fields.from(1).iter().step_by(2));
        } else {
            self.write_texts(first, id, count, same_names, fields.iter());
        }
    }

    /// Writes an entry of `count` fields: their values, with the names before them unless these are the node's.
    fn write_texts(
        &mut self,
        first: StreamId,
        id: StreamId,
        count: usize,
        same_names: bool,
        texts: impl Iterator<Item = impl AsRef<[u8]>>,
    ) {
        // This fits: a node with MAX_BYTES takes no more entries, and no entry has more than that.
        let start = u32::try_from(self.data.len()).unwrap_or(u32::MAX);
        let mut weight = integer_weight(0)
            + integer_weight(id.ms.wrapping_sub(first.ms).cast_signed())
            + integer_weight(id.seq.wrapping_sub(first.seq).cast_signed());
        if same_names {
            weight += count_weight(count + 3);
        } else {
            weight += count_weight(count) + count_weight(2 * count + 4);
            write_length(&mut self.data, count);
        }
        for text in texts {
            weight += text_weight(text.as_ref());
            write_text(&mut self.data, text.as_ref());
        }
        self.weight += weight;
        self.slots.push(Slot { id, start, same_names, deleted: false });
    }

    /// Adds an entry of `count` fields after the others, as it was stored in a node: values, with the names before
    /// them unless these are the node's. False if the node cannot take it.
    pub(crate) fn push_again(
        &mut self,
        first: StreamId,
        slot: SlotKind,
        count: usize,
        texts: impl Iterator<Item = impl AsRef<[u8]>>,
    ) -> bool {
        if self.data.len() > MAX_BYTES {
            return false;
        }
        self.set_live(self.live + 1);
        self.write_texts(first, slot.id, count, slot.same_names, texts);
        if slot.deleted {
            self.delete(slot.id);
        }
        true
    }

    /// The names of the fields of the first entry.
    pub(crate) fn names(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        let mut names = Texts(&self.data);
        (0..self.fields).map(move |_| present(names.next()).unwrap_or_default())
    }

    /// All entries, deleted ones included.
    pub(crate) fn slots(&self) -> impl ExactSizeIterator<Item = (SlotKind, Fields<'_>)> {
        self.slots.iter().map(|slot| {
            let Slot { id, same_names, deleted, .. } = *slot;
            (SlotKind { id, same_names, deleted }, self.entry(slot).fields)
        })
    }

    /// How many bytes redis-server's listpack of these entries would have.
    #[cfg(test)]
    pub(super) fn weight(&self) -> usize {
        self.weight
    }

    /// How many entries are not deleted.
    pub(crate) fn live(&self) -> usize {
        self.live
    }

    /// The id of the last entry, deleted or not.
    pub(super) fn last_id(&self) -> StreamId {
        self.slots.last().map_or(StreamId::MIN, |slot| slot.id)
    }

    /// Deletes an entry; false if there is none.
    pub(super) fn delete(&mut self, id: StreamId) -> bool {
        let Ok(index) = self.slots.binary_search_by_key(&id, |slot| slot.id) else { return false };
        let slot = &mut self.slots[index];
        if slot.deleted {
            return false;
        }
        slot.deleted = true;
        self.set_live(self.live - 1);
        true
    }

    /// Deletes entries from the first on, `max` at most and only those before `until` that `may` go, and returns how many.
    pub(super) fn delete_front(
        &mut self,
        max: usize,
        until: StreamId,
        mut may: impl FnMut(StreamId) -> bool,
    ) -> usize {
        let before = self.slots.iter_mut().take_while(|slot| slot.id < until);
        let mut deleted = 0;
        for slot in before.filter(|slot| !slot.deleted && may(slot.id)).take(max) {
            slot.deleted = true;
            deleted += 1;
        }
        self.set_live(self.live - deleted);
        deleted
    }

    /// The entries from `start` to `end`, both included.
    pub(super) fn range(
        &self,
        start: StreamId,
        end: StreamId,
    ) -> impl DoubleEndedIterator<Item = Entry<'_>> + use<'_> {
        let from = self.slots.partition_point(|slot| slot.id < start);
        let to = self.slots.partition_point(|slot| slot.id <= end).max(from);
        self.entries(from..to)
    }

    fn entries(&self, range: Range<usize>) -> impl DoubleEndedIterator<Item = Entry<'_>> + use<'_> {
        let slots = present(self.slots.get(range)).unwrap_or_default();
        slots.iter().filter(|slot| !slot.deleted).map(|slot| self.entry(slot))
    }

    fn entry(&self, slot: &Slot) -> Entry<'_> {
        let mut data = present(self.data.get(slot.start as usize..)).unwrap_or_default();
        let (len, names) = if slot.same_names {
            (self.fields, Some(Texts(&self.data)))
        } else {
            (read_length(&mut data), None)
        };
        Entry { id: slot.id, fields: Fields { len, names, data: Texts(data) } }
    }

    /// Both counters are in the listpack, where greater numbers take more bytes.
    fn set_live(&mut self, live: usize) {
        let weight =
            |live: usize, slots: usize| count_weight(live) + count_weight(slots.saturating_sub(live));
        self.weight -= weight(self.live, self.slots.len());
        // An entry that is being added has no slot yet, but then `live` grows and the deleted ones stay.
        let slots = self.slots.len() + live.saturating_sub(self.live);
        self.weight += weight(live, slots);
        self.live = live;
    }
}

/// An entry of a stream.
#[derive(Debug, Clone)]
pub struct Entry<'a> {
    /// Its id.
    pub id: StreamId,
    /// Its fields.
    pub fields: Fields<'a>,
}

/// The fields of an entry: names and values, in the order in which they were added.
#[derive(Debug, Clone)]
pub struct Fields<'a> {
    len: usize,
    /// The names, if they are not stored before their values.
    names: Option<Texts<'a>>,
    data: Texts<'a>,
}

impl<'a> Iterator for Fields<'a> {
    type Item = (&'a [u8], &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        self.len = self.len.checked_sub(1)?;
        let name = match &mut self.names {
            Some(names) => names.next(),
            None => self.data.next(),
        };
        Some((name?, self.data.next()?))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.len, Some(self.len))
    }
}

impl ExactSizeIterator for Fields<'_> {}

/// Texts that are stored one after the other, each after its length.
#[derive(Debug, Clone)]
struct Texts<'a>(&'a [u8]);

impl<'a> Iterator for Texts<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let length = read_length(&mut self.0);
        let (text, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(text)
    }
}

fn write_text(data: &mut Vec<u8>, text: &[u8]) {
    write_length(data, text.len());
    data.extend_from_slice(text);
}

/// Writes a length in groups of seven bits, the lowest first; the top bit says that another group follows.
#[allow(clippy::cast_possible_truncation)]
fn write_length(data: &mut Vec<u8>, mut length: usize) {
    while length >= 0x80 {
        data.push(length as u8 | 0x80);
        length >>= 7;
    }
    data.push(length as u8);
}

fn read_length(data: &mut &[u8]) -> usize {
    let mut length = 0;
    let mut shift = 0;
    while let Some((byte, rest)) = data.split_first() {
        *data = rest;
        length |= usize::from(byte & 0x7f) << shift;
        shift += 7;
        if byte & 0x80 == 0 || shift >= usize::BITS {
            break;
        }
    }
    length
}

/// The bytes that an integer takes in a listpack.
fn integer_weight(value: i64) -> usize {
    // The bits that the number needs with its sign.
    let bits = 65 - (value ^ (value >> 63)).leading_zeros();
    let bytes = match bits {
        _ if (0..=0x7f).contains(&value) => 1,
        ..=13 => 2,
        14..=16 => 3,
        17..=24 => 4,
        25..=32 => 5,
        33.. => 9,
    };
    // Plus one byte with the length, for reading backwards.
    bytes + 1
}

fn count_weight(count: usize) -> usize {
    integer_weight(i64::try_from(count).unwrap_or(i64::MAX))
}

/// The bytes that a text takes in a listpack, where a text that looks like an integer is stored as one.
fn text_weight(text: &[u8]) -> usize {
    if let Some(integer) = parse_integer(text) {
        return integer_weight(integer);
    }
    let bytes = match text.len() {
        length @ ..=0x3f => 1 + length,
        length @ 0x40..=0xfff => 2 + length,
        length => 5 + length,
    };
    // The length is repeated at the end, in groups of seven bits.
    let back = match bytes {
        ..=0x7f => 1,
        0x80..=0x3ffe => 2,
        0x3fff..=0x1f_fffe => 3,
        0x1f_ffff..=0xfff_fffe => 4,
        _ => 5,
    };
    bytes + back
}
