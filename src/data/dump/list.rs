//! Lists.

use super::listpack::{Builder, Listpack};
use super::reader::Reader;
use super::writer::Writer;
use super::ziplist::Ziplist;
use super::{Element, Form};
use crate::config::Config;
use crate::data::list::ListLimits;
use crate::data::{Bytes, List, present};

/// A node that is one large element.
const PLAIN: usize = 1;
/// A node that is a listpack.
const PACKED: usize = 2;

/// Writes a list node by node.
pub(super) fn write(writer: &mut Writer, list: &List) {
    let nodes = list.nodes();
    let mut elements = list.iter();
    writer.length(nodes.len());
    for (count, plain) in nodes {
        let mut of_node = elements.by_ref().take(count);
        if plain {
            writer.length(PLAIN);
            writer.text(present(of_node.next()).map(AsRef::as_ref).unwrap_or_default());
        } else {
            let mut builder = Builder::default();
            for element in of_node {
                builder.text(element);
            }
            writer.length(PACKED);
            writer.text(&builder.finish());
        }
    }
}

/// Reads a list in one of its forms.
pub(super) fn read(form: u8, reader: &mut Reader<'_>, config: &Config) -> Option<List> {
    let limits = ListLimits::of(config);
    if form == Form::LIST {
        let mut elements: Vec<Bytes> = Vec::new();
        for _ in 0..reader.count(1)? {
            elements.push(reader.text()?.as_ref().into());
        }
        return (!elements.is_empty()).then(|| List::from_elements(elements, limits));
    }
    let mut nodes = Vec::new();
    match form {
        Form::LIST_ZIPLIST => nodes.push((read_ziplist(reader)?, false)),
        Form::LIST_QUICKLIST => {
            for _ in 0..reader.count(1)? {
                nodes.push((read_ziplist(reader)?, false));
            }
        }
        _ => {
            for _ in 0..reader.count(2)? {
                let container = reader.length()?;
                let text = reader.text()?;
                nodes.push(match container {
                    PLAIN => (vec![text.as_ref().into()], true),
                    PACKED => (Listpack::new(&text)?.iter().map(Element::into_bytes).collect(), false),
                    _ => return None,
                });
            }
        }
    }
    let mut list = List::from_nodes(nodes.into_iter().filter(|(elements, _)| !elements.is_empty()), limits);
    // The oldest form of a block stays a quicklist, as in redis-server.
    if form != Form::LIST_ZIPLIST {
        list.update_restored_encoding(limits);
    }
    (!list.is_empty()).then_some(list)
}

fn read_ziplist(reader: &mut Reader<'_>) -> Option<Vec<Bytes>> {
    Some(Ziplist::new(&reader.text()?)?.iter().map(Element::into_bytes).collect())
}
