//! Streams.

use super::listpack::{Builder, Elements, Listpack};
use super::reader::Reader;
use super::writer::Writer;
use super::{Element, Form};
use crate::store::stream::{Node, SlotKind};
use crate::store::{Stream, StreamId};

/// The flags of an entry: it only keeps its place.
const DELETED: i64 = 1;
/// Its fields have the names that stand at the beginning of the listpack.
const SAME_NAMES: i64 = 2;

/// Writes a stream.
pub(super) fn write(writer: &mut Writer, stream: &Stream) {
    writer.byte(Form::STREAM_2);
    let nodes = stream.nodes();
    writer.length(nodes.len());
    for (first, node) in nodes {
        let mut key = [0; 16];
        key[..8].copy_from_slice(&first.ms.to_be_bytes());
        key[8..].copy_from_slice(&first.seq.to_be_bytes());
        writer.text(&key);
        writer.text(&node_block(first, node));
    }
    writer.length(stream.len());
    for id in [stream.last_id(), stream.first_id(), stream.max_deleted_id()] {
        write_id(writer, id);
    }
    writer.number(stream.entries_added());
    writer.length(0);
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
        let key = reader.text()?;
        let mut key = Reader::new(&key);
        let first = StreamId { ms: u64::from_be_bytes(key.array()?), seq: u64::from_be_bytes(key.array()?) };
        if !key.is_empty() || blocks.last().is_some_and(|(last, _)| *last >= first) {
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
        // The first id is that of the first entry.
        read_id(reader)?;
        max_deleted_id = read_id(reader)?;
        entries_added = reader.number()?;
    }
    let stream = Stream::restored(nodes, last_id, max_deleted_id, entries_added);
    let reached = stream.last().map_or(StreamId::MIN, |entry| entry.id);
    if stream.len() != len || last_id < reached {
        return None;
    }
    (reader.count(1)? == 0).then_some(stream)
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

    /// So many elements.
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
        // Beside the texts there are flags and id, and the number of fields.
        let (fields, each, own) =
            if same_names { (names, 1, 3) } else { (self.count().filter(|count| *count > 0)?, 2, 4) };
        let texts = self.texts(fields * each)?;
        let kind = SlotKind { id, same_names, deleted };
        (self.count()? == fields * each + own).then_some(Slot { kind, fields, texts })
    }
}

/// Reads the node that is kept under the id `first`; the node behind it is kept under `next`.
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
    // Ids ascend. The places of deleted entries need not: XSETID may go back behind them.
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
