//! Lists.

use super::listpack::{Builder, Listpack};
use super::reader::Reader;
use super::writer::Writer;
use super::{Element, Form, ziplist::Ziplist};
use crate::store::List;

/// A node that is one long element.
const PLAIN: usize = 1;
/// A node that is a listpack.
const PACKED: usize = 2;

/// How redis-server groups the elements of a list.
#[derive(Debug, Clone, Copy)]
struct NodeLimits {
    /// The greatest node, and the greatest element in a node with others.
    bytes: usize,
    /// The most elements of a node.
    elements: usize,
}

impl NodeLimits {
    /// What a node may weigh whose elements are counted.
    const BYTES_OF_COUNTED: usize = 8192;
    /// What an element is reckoned with beside its text.
    const OVERHEAD: usize = 8;

    /// From `list-max-listpack-size`: a positive number counts elements, a negative one chooses a size.
    fn of(list_size: i64) -> Self {
        match usize::try_from(list_size) {
            Ok(elements) => Self { bytes: Self::BYTES_OF_COUNTED, elements: elements.max(1) },
            Err(_) => {
                let size = list_size.unsigned_abs().min(5) - 1;
                Self { bytes: 4096 << size, elements: usize::MAX }
            }
        }
    }
}

/// A node that is being written.
enum Node<'a> {
    Plain(&'a [u8]),
    Packed(Vec<u8>),
}

/// Writes a list as nodes of listpacks, filled one after the other as if its elements had been added at the end.
pub(super) fn write(writer: &mut Writer, list: &List, list_size: i64) {
    let limits = NodeLimits::of(list_size);
    let mut nodes = Vec::new();
    let mut open = Builder::default();
    for element in list {
        let large = element.len() > limits.bytes;
        // The first node is that of a small list, which grows until it is too great: nothing is reckoned in
        // advance.
        let overhead = if nodes.is_empty() { 0 } else { NodeLimits::OVERHEAD };
        let full = open.len() >= limits.elements || open.bytes() + element.len() + overhead > limits.bytes;
        if open.len() > 0 && (large || full) {
            nodes.push(Node::Packed(std::mem::take(&mut open).finish()));
        }
        if large {
            nodes.push(Node::Plain(element));
        } else {
            open.text(element);
        }
    }
    if open.len() > 0 {
        nodes.push(Node::Packed(open.finish()));
    }
    writer.byte(Form::LIST_QUICKLIST_2);
    writer.length(nodes.len());
    for node in nodes {
        match node {
            Node::Plain(element) => {
                writer.length(PLAIN);
                writer.text(element);
            }
            Node::Packed(block) => {
                writer.length(PACKED);
                writer.text(&block);
            }
        }
    }
}

/// Reads a list in one of its forms.
pub(super) fn read(form: u8, reader: &mut Reader<'_>) -> Option<List> {
    let mut list = List::default();
    match form {
        Form::LIST => {
            for _ in 0..reader.count(1)? {
                list.push_back(reader.text()?.as_ref().into());
            }
        }
        Form::LIST_ZIPLIST => read_ziplist(reader, &mut list)?,
        Form::LIST_QUICKLIST => {
            for _ in 0..reader.count(1)? {
                read_ziplist(reader, &mut list)?;
            }
        }
        _ => {
            for _ in 0..reader.count(2)? {
                let container = reader.length()?;
                let text = reader.text()?;
                match container {
                    PLAIN => list.push_back(text.as_ref().into()),
                    PACKED => list.extend(Listpack::new(&text)?.iter().map(Element::into_bytes)),
                    _ => return None,
                }
            }
        }
    }
    (!list.is_empty()).then_some(list)
}

fn read_ziplist(reader: &mut Reader<'_>, list: &mut List) -> Option<()> {
    list.extend(Ziplist::new(&reader.text()?)?.iter().map(Element::into_bytes));
    Some(())
}
