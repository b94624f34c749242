//! Sorted sets.

use super::listpack::{Builder, Listpack};
use super::reader::Reader;
use super::writer::Writer;
use super::ziplist::Ziplist;
use super::{Element, Form};
use crate::config::Config;
use crate::data::SortedSet;
use crate::data::sorted_set::{Inserted, Limits};
use crate::resp::{parse_double, print_double};

/// Written instead of the length of a score as text.
const NOT_A_NUMBER: u8 = 253;
const INFINITE: u8 = 254;
const NEGATIVE_INFINITE: u8 = 255;

/// The form in which a sorted set is written.
pub(super) fn form_of(set: &SortedSet) -> u8 {
    if set.is_compact() { Form::SORTED_SET_LISTPACK } else { Form::SORTED_SET_2 }
}

/// Writes a sorted set: a compact one as a listpack, a large one from the last member to the first.
pub(super) fn write(writer: &mut Writer, set: &SortedSet, form: u8) {
    let members = set.range(0..set.len());
    if form == Form::SORTED_SET_LISTPACK {
        let mut builder = Builder::default();
        let mut score_text = Vec::new();
        for (member, score) in members {
            builder.text(member);
            score_text.clear();
            print_double(&mut score_text, score);
            builder.text(&score_text);
        }
        writer.text(&builder.finish());
    } else {
        writer.length(set.len());
        for (member, score) in members.rev() {
            writer.text(member);
            writer.raw(&score.to_le_bytes());
        }
    }
}

/// Reads a sorted set in one of its forms.
pub(super) fn read(form: u8, reader: &mut Reader<'_>, config: &Config) -> Option<SortedSet> {
    let limits = Limits::from(config);
    match form {
        Form::SORTED_SET | Form::SORTED_SET_2 => read_members(form, reader, limits),
        Form::SORTED_SET_ZIPLIST => {
            let block = reader.text()?;
            let ziplist = Ziplist::new(&block)?;
            read_block(ziplist.len(), ziplist.iter(), limits)
        }
        _ => {
            let block = reader.text()?;
            let listpack = Listpack::new(&block)?;
            read_block(listpack.len(), listpack.iter(), limits)
        }
    }
}

fn read_members(form: u8, reader: &mut Reader<'_>, limits: Limits) -> Option<SortedSet> {
    // A member and its score take at least two bytes.
    let count = reader.count(2)?;
    let mut members = Vec::new();
    for _ in 0..count {
        let member = reader.text()?;
        let score = if form == Form::SORTED_SET_2 {
            f64::from_le_bytes(reader.array()?)
        } else {
            score_from_text(reader)?
        };
        members.push((member.into_owned().into(), score));
    }
    build(members, limits)
}

/// Members and scores alternately. The length of the members is not checked, as in redis-server.
fn read_block<'a>(
    len: usize,
    mut elements: impl Iterator<Item = Element<'a>>,
    limits: Limits,
) -> Option<SortedSet> {
    if !len.is_multiple_of(2) {
        return None;
    }
    let mut members = Vec::with_capacity(len / 2);
    while let Some(member) = elements.next() {
        let score = match elements.next()? {
            #[allow(clippy::cast_precision_loss)]
            Element::Integer(score) => score as f64,
            Element::Bytes(text) => parse_double(text)?,
        };
        members.push((member.into_bytes(), score));
    }
    build(members, Limits { value: usize::MAX, ..limits })
}

fn build(members: Vec<(crate::data::Bytes, f64)>, limits: Limits) -> Option<SortedSet> {
    let mut set = SortedSet::default();
    let longest = members.iter().map(|(member, _)| member.len()).max()?;
    if longest > limits.value {
        // In the large form from the beginning.
        set.expect(usize::MAX, limits);
    }
    set.expect(members.len(), limits);
    for (member, score) in members {
        if score.is_nan() || set.insert(&member, score, limits) != Inserted::Added {
            return None;
        }
    }
    Some(set)
}

/// A score in decimal digits, after the number of digits.
fn score_from_text(reader: &mut Reader<'_>) -> Option<f64> {
    match reader.byte()? {
        NOT_A_NUMBER => None,
        INFINITE => Some(f64::INFINITY),
        NEGATIVE_INFINITE => Some(f64::NEG_INFINITY),
        length => parse_double(reader.bytes(length.into())?),
    }
}
