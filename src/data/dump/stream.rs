//! Streams.

use super::listpack::{Builder, Elements, Listpack};
use super::reader::Reader;
use super::writer::Writer;
use super::{Element, Form};
use crate::data::stream::{Group, Node, Pending, SlotKind};
use crate::data::{Map, Stream, StreamId};

/// The flags of an entry that is deleted.
const DELETED: i64 = 1;
/// The flag of an entry whose fields have the names at the beginning of the listpack.
const SAME_NAMES: i64 = 2;

/// Written instead of a number or a time that is not known.
const UNKNOWN: i64 = -1;

/// The form in which a stream is written.
pub(super) fn form_of(stream: &Stream, newest: bool) -> u8 {
    // Redis 7.0 stores when a consumer was last seen, but not when it was last active.
    let mut consumers = stream.groups().values().flat_map(Group::consumers);
    let newer = newest || consumers.any(|(_, consumer)| consumer.active != Some(consumer.seen));
    if newer { Form::STREAM_3 } else { Form::STREAM_2 }
}

/// Writes a stream.
pub(super) fn write(writer: &mut Writer, stream: &Stream, form: u8) {
    let newer = form == Form::STREAM_3;
    let nodes = stream.nodes();
    writer.length(nodes.len());
    for (first, node) in nodes {
        writer.text(&key_of(first));
        writer.text(&node_block(first, node));
    }
    writer.length(stream.len());
    for id in [stream.last_id(), stream.first_id(), stream.max_deleted_id()] {
        write_id(writer, id);
    }
    writer.number(stream.entries_added());
    writer.length(stream.groups().len());
    for (name, group) in stream.groups() {
        writer.text(name);
        write_group(writer, group, newer);
    }
}

/// An id as bytes, which sort as the ids do.
fn key_of(id: StreamId) -> [u8; 16] {
    (u128::from(id.ms) << 64 | u128::from(id.seq)).to_be_bytes()
}

fn id_of(key: [u8; 16]) -> StreamId {
    let [ms, seq] = [64, 0].map(|shift| u128::from_be_bytes(key) >> shift);
    #[allow(clippy::cast_possible_truncation)]
    StreamId { ms: ms as u64, seq: seq as u64 }
}

fn write_group(writer: &mut Writer, group: &Group, newer: bool) {
    write_id(writer, group.last_id);
    writer.number(group.entries_read.unwrap_or(UNKNOWN).cast_unsigned());
    writer.length(group.pending().len());
    for (id, pending) in group.pending() {
        writer.raw(&key_of(*id));
        writer.raw(&pending.delivered.to_le_bytes());
        writer.number(pending.deliveries);
    }
    let consumers = group.consumers();
    writer.length(consumers.len());
    for (_, consumer) in consumers {
        writer.text(consumer.name());
        writer.raw(&consumer.seen.to_le_bytes());
        if newer {
            writer.raw(&consumer.active.unwrap_or(UNKNOWN).to_le_bytes());
        }
        writer.length(consumer.pending().len());
        for id in consumer.pending() {
            writer.raw(&key_of(*id));
        }
    }
}

fn write_id(writer: &mut Writer, id: StreamId) {
    writer.number(id.ms);
    writer.number(id.seq);
}

/// The listpack of a node: counters and names, then the entries, each with the number of its elements at the end.
fn node_block(first: StreamId, node: &Node) -> Vec<u8> {
    let mut builder = Builder::default();
    let slots = node.slots();
    builder.count(node.live());
    builder.count(slots.len() - node.live());
    let names = node.names();
    builder.count(names.len());
    for name in names {
        builder.text(name);
    }
    builder.integer(0);
    for (slot, fields) in slots {
        let before = builder.len();
        let flag = |is: bool, flag| if is { flag } else { 0 };
        builder.integer(flag(slot.deleted, DELETED) | flag(slot.same_names, SAME_NAMES));
        builder.integer(slot.id.ms.wrapping_sub(first.ms).cast_signed());
        builder.integer(slot.id.seq.wrapping_sub(first.seq).cast_signed());
        if !slot.same_names {
            builder.count(fields.len());
        }
        for (name, value) in fields {
            if !slot.same_names {
                builder.text(name);
            }
            builder.text(value);
        }
        builder.count(builder.len() - before);
    }
    builder.finish()
}

/// Reads a stream in one of its forms.
pub(super) fn read(form: u8, reader: &mut Reader<'_>) -> Option<Stream> {
    let mut blocks = Vec::new();
    for _ in 0..reader.count(2)? {
        let first = id_of(reader.text()?.as_ref().try_into().ok()?);
        if blocks.last().is_some_and(|(last, _)| *last >= first) {
            return None;
        }
        blocks.push((first, reader.text()?));
    }
    let mut nodes = Vec::new();
    for (index, (first, block)) in blocks.iter().enumerate() {
        let next = blocks.get(index + 1).map(|(next, _)| *next);
        nodes.push((*first, read_node(*first, next, &Listpack::new(block)?)?));
    }
    let len = reader.length()?;
    let last_id = read_id(reader)?;
    let (mut max_deleted_id, mut entries_added) = (StreamId::MIN, len as u64);
    if form != Form::STREAM {
        // The first id follows from the first entry.
        read_id(reader)?;
        max_deleted_id = read_id(reader)?;
        entries_added = reader.number()?;
    }
    let mut stream = Stream::restored(nodes, last_id, max_deleted_id, entries_added);
    let reached = stream.last().map_or(StreamId::MIN, |entry| entry.id);
    if stream.len() != len || last_id < reached {
        return None;
    }
    // A name, an id and two counts.
    for _ in 0..reader.count(5)? {
        let name = reader.text()?;
        let group = read_group(form, reader, &stream)?;
        if stream.groups_mut().insert(name.as_ref().into(), group).is_some() {
            return None;
        }
    }
    Some(stream)
}

fn read_group(form: u8, reader: &mut Reader<'_>, stream: &Stream) -> Option<Group> {
    let last_id = read_id(reader)?;
    let entries_read = if form == Form::STREAM {
        stream.number_of(last_id)
    } else {
        Some(reader.number()?.cast_signed()).filter(|read| *read != UNKNOWN)
    };
    let mut group = Group::new(last_id, entries_read);
    let mut unowned = Map::default();
    // An id, a time and a count.
    for _ in 0..reader.count(16 + 8 + 1)? {
        let (id, delivered, deliveries) = (id_of(reader.array()?), reader.i64()?, reader.number()?);
        if unowned.insert(id, (delivered, deliveries)).is_some() {
            return None;
        }
    }
    // A name, a time and a count.
    for _ in 0..reader.count(1 + 8 + 1)? {
        let name = reader.text()?;
        let seen = reader.i64()?;
        let active = if form == Form::STREAM_3 { reader.i64()? } else { seen };
        let consumer = group.add_consumer(&name, seen)?;
        group.consumer_mut(consumer)?.active = Some(active).filter(|active| *active != UNKNOWN);
        for _ in 0..reader.count(16)? {
            let id = id_of(reader.array()?);
            let (delivered, deliveries) = unowned.swap_remove(&id)?;
            group.set_pending(id, Pending { consumer, delivered, deliveries });
        }
    }
    // Every pending entry must belong to a consumer.
    unowned.is_empty().then_some(group)
}

fn read_id(reader: &mut Reader<'_>) -> Option<StreamId> {
    Some(StreamId { ms: reader.number()?, seq: reader.number()? })
}

/// An entry in its listpack.
struct Slot<'a> {
    kind: SlotKind,
    fields: usize,
    texts: Elements<'a>,
}

/// A listpack of a stream, read from its beginning.
struct Block<'a> {
    elements: Elements<'a>,
    /// No count is greater.
    len: usize,
}

impl<'a> Block<'a> {
    fn integer(&mut self) -> Option<i64> {
        self.elements.next()?.integer()
    }

    fn count(&mut self) -> Option<usize> {
        usize::try_from(self.integer()?).ok().filter(|count| *count <= self.len)
    }

    /// A number of elements.
    fn texts(&mut self, count: usize) -> Option<Elements<'a>> {
        let texts = self.elements.clone();
        for _ in 0..count {
            self.elements.next()?;
        }
        Some(texts)
    }

    fn slot(&mut self, first: StreamId, names: usize) -> Option<Slot<'a>> {
        let flags = self.integer().filter(|flags| flags & !(DELETED | SAME_NAMES) == 0)?;
        let (ms, seq) = (self.integer()?.cast_unsigned(), self.integer()?.cast_unsigned());
        let id = StreamId { ms: first.ms.wrapping_add(ms), seq: first.seq.wrapping_add(seq) };
        let (deleted, same_names) = (flags & DELETED != 0, flags & SAME_NAMES != 0);
        // Besides the texts there are the flags and the id, and the number of fields if the names differ.
        let (fields, each, own) =
            if same_names { (names, 1, 3) } else { (self.count().filter(|count| *count > 0)?, 2, 4) };
        let texts = self.texts(fields * each)?;
        let kind = SlotKind { id, same_names, deleted };
        (self.count()? == fields * each + own).then_some(Slot { kind, fields, texts })
    }
}

/// Reads the node that is kept under the id `first`; the node after it is kept under `next`.
fn read_node(first: StreamId, next: Option<StreamId>, listpack: &Listpack<'_>) -> Option<Node> {
    let mut block = Block { elements: listpack.iter(), len: listpack.len() };
    let (live, deleted) = (block.count()?, block.count()?);
    let names = block.count().filter(|count| *count > 0)?;
    let mut node = Node::empty(names, block.texts(names)?.take(names).map(Element::text));
    if block.integer()? != 0 {
        return None;
    }
    let mut slots = Vec::new();
    while !block.elements.is_empty() {
        slots.push(block.slot(first, names)?);
    }
    // Ids ascend. Those of deleted entries need not, as XSETID may set the last id back below them.
    let mut behind = next;
    let mut kept = Vec::new();
    for slot in slots.iter().rev() {
        if behind.is_none_or(|behind| slot.kind.id < behind) {
            behind = Some(slot.kind.id);
            kept.push(slot);
        } else if !slot.kind.deleted {
            return None;
        }
    }
    if kept.is_empty() || behind.is_some_and(|lowest| lowest < first) {
        return None;
    }
    for slot in kept.into_iter().rev() {
        let count = if slot.kind.same_names { slot.fields } else { slot.fields * 2 };
        let texts = slot.texts.clone().take(count).map(Element::text);
        if !node.push_again(first, slot.kind, slot.fields, texts) {
            return None;
        }
    }
    let counted = slots.iter().filter(|slot| slot.kind.deleted).count();
    (node.live() == live && counted == deleted).then_some(node)
}
