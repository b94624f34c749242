//! Hashes.

use std::borrow::Cow;

use super::listpack::{Builder, Listpack};
use super::reader::Reader;
use super::writer::Writer;
use super::ziplist::Ziplist;
use super::{Element, Form, Version, zipmap};
use crate::config::Config;
use crate::data::hash::HashLimits;
use crate::data::{Bytes, Hash};

/// The latest deadline of a field, in milliseconds since the Unix epoch.
const DEADLINE_MAX: i64 = (1 << 48) - 1;

/// The form in which a hash is written.
pub(super) fn form_of(hash: &Hash) -> u8 {
    match (hash.next_expiry(), hash.is_small()) {
        (None, true) => Form::HASH_LISTPACK,
        (None, false) => Form::HASH,
        (Some(_), true) => Form::HASH_LISTPACK_EX,
        (Some(_), false) => Form::HASH_METADATA,
    }
}

/// Writes a hash.
pub(super) fn write(writer: &mut Writer, hash: &Hash, form: u8) {
    if let Some(first) = hash.next_expiry() {
        return write_with_deadlines(writer, hash, first);
    }
    let pairs = hash.iter_with_deadlines();
    if form == Form::HASH_LISTPACK {
        let mut builder = Builder::default();
        for (field, value, _) in pairs {
            builder.text(field);
            builder.text(value);
        }
        writer.text(&builder.finish());
    } else {
        writer.length(hash.len());
        for (field, value, _) in pairs {
            writer.text(field);
            writer.text(value);
        }
    }
}

/// Writes a hash of which fields expire, the first of them at `first`.
fn write_with_deadlines(writer: &mut Writer, hash: &Hash, first: i64) {
    let small = hash.is_small();
    writer.raw(&first.to_le_bytes());
    if small {
        let mut builder = Builder::default();
        for (field, value, deadline) in hash.iter_with_deadlines() {
            builder.text(field);
            builder.text(value);
            builder.integer(deadline.unwrap_or_default());
        }
        return writer.text(&builder.finish());
    }
    writer.length(hash.len());
    for (field, value, deadline) in hash.iter_with_deadlines() {
        // Relative to the first one, counted from 1.
        writer.number(deadline.map_or(0, |deadline| deadline.abs_diff(first) + 1));
        writer.text(field);
        writer.text(value);
    }
}

/// Reads a hash in one of its forms.
pub(super) fn read(form: u8, version: u16, reader: &mut Reader<'_>, config: &Config) -> Option<Hash> {
    let limits = HashLimits::of(config);
    match form {
        Form::HASH => {
            let count = reader.count(2)?;
            build(count, || Some((reader.text()?, reader.text()?)), limits)
        }
        Form::HASH_ZIPMAP => {
            let block = reader.text()?;
            let pairs = zipmap::read(&block)?;
            let mut left = pairs.iter().map(|(field, value)| ((*field).into(), (*value).into()));
            build(pairs.len(), || left.next(), limits)
        }
        Form::HASH_ZIPLIST => {
            let block = reader.text()?;
            let ziplist = Ziplist::new(&block)?;
            read_block(ziplist.len(), ziplist.iter(), limits)
        }
        Form::HASH_LISTPACK => {
            let block = reader.text()?;
            let listpack = Listpack::new(&block)?;
            read_block(listpack.len(), listpack.iter(), limits)
        }
        Form::HASH_2 if version == Version::VALKEY => read_of_valkey(reader, limits),
        Form::HASH_METADATA_EARLY => read_metadata(1, reader, limits),
        Form::HASH_METADATA => {
            let first = reader.i64()?;
            read_metadata(first, reader, limits)
        }
        Form::HASH_LISTPACK_EX_EARLY => read_listpack_with_deadlines(reader, limits),
        Form::HASH_LISTPACK_EX => {
            // The first deadline is in the listpack, too.
            reader.i64()?;
            read_listpack_with_deadlines(reader, limits)
        }
        _ => None,
    }
}

/// Fields and values alternately. Their length is not checked, as in redis-server.
fn read_block<'a>(
    len: usize,
    mut elements: impl Iterator<Item = Element<'a>>,
    limits: HashLimits,
) -> Option<Hash> {
    let next = || Some((elements.next()?.text(), elements.next()?.text()));
    if len.is_multiple_of(2) { build(len / 2, next, of_block(limits)) } else { None }
}

fn of_block(limits: HashLimits) -> HashLimits {
    HashLimits { value: usize::MAX, ..limits }
}

/// A hash with this many fields, at least one.
fn build<'a>(
    count: usize,
    mut next: impl FnMut() -> Option<(Cow<'a, [u8]>, Cow<'a, [u8]>)>,
    limits: HashLimits,
) -> Option<Hash> {
    let mut hash = Hash::default();
    hash.expect(count, limits);
    for _ in 0..count {
        let (field, value) = next()?;
        add(&mut hash, &field, &value, limits)?;
    }
    (!hash.is_empty()).then_some(hash)
}

/// Adds a field that must not be there yet.
fn add(hash: &mut Hash, field: &[u8], value: &[u8], limits: HashLimits) -> Option<()> {
    hash.set(field, value, limits).then_some(())
}

/// A valid deadline; `Some(None)` if the field does not expire.
#[allow(clippy::option_option)]
fn deadline(at: i64, none: i64) -> Option<Option<i64>> {
    if at == none {
        return Some(None);
    }
    (0..=DEADLINE_MAX).contains(&at).then_some(Some(at))
}

/// Fields and values, each followed by its time, -1 for none.
fn read_of_valkey(reader: &mut Reader<'_>, limits: HashLimits) -> Option<Hash> {
    // Two texts and a time.
    let count = reader.count(1 + 1 + 8)?;
    let mut hash = Hash::default();
    hash.expect(count, limits);
    for _ in 0..count {
        let (field, value) = (reader.text()?, reader.text()?);
        add(&mut hash, &field, &value, limits)?;
        if let Some(at) = deadline(reader.i64()?, -1)? {
            // The other forms cannot express the time 0. 1 has passed as well.
            hash.set_deadline(&field, Some(at.max(1)));
        }
    }
    (!hash.is_empty()).then_some(hash)
}

/// Fields and values, each after its time, counted from 1 at the time `first`; 0 for none.
fn read_metadata(first: i64, reader: &mut Reader<'_>, limits: HashLimits) -> Option<Hash> {
    let count = reader.count(3)?;
    let mut hash = Hash::default();
    hash.expect_deadlines();
    hash.expect(count, limits);
    for _ in 0..count {
        let at = match reader.number()? {
            0 => None,
            behind => {
                let at = first.checked_add(i64::try_from(behind - 1).ok()?)?;
                Some(at).filter(|at| (1..=DEADLINE_MAX).contains(at) && first > 0).map(Some)?
            }
        };
        let (field, value) = (reader.text()?, reader.text()?);
        add(&mut hash, &field, &value, limits)?;
        if at.is_some() {
            hash.set_deadline(&field, at);
        }
    }
    (!hash.is_empty()).then_some(hash)
}

/// A listpack of fields, values and times, 0 for none.
fn read_listpack_with_deadlines(reader: &mut Reader<'_>, limits: HashLimits) -> Option<Hash> {
    let block = reader.text()?;
    let listpack = Listpack::new(&block)?;
    if !listpack.len().is_multiple_of(3) {
        return None;
    }
    let count = listpack.len() / 3;
    let limits = of_block(limits);
    let mut elements = listpack.iter();
    let mut hash = Hash::default();
    hash.expect_deadlines();
    hash.expect(count, limits);
    let mut deadlines: Vec<(Bytes, i64)> = Vec::new();
    for _ in 0..count {
        let (field, value) = (elements.next()?.text(), elements.next()?.text());
        add(&mut hash, &field, &value, limits)?;
        if let Some(at) = deadline(elements.next()?.integer()?, 0)? {
            deadlines.push((field.as_ref().into(), at));
        }
    }
    // In reverse: of equal deadlines, the one that is set last comes first.
    for (field, at) in deadlines.into_iter().rev() {
        hash.set_deadline(&field, Some(at));
    }
    (!hash.is_empty()).then_some(hash)
}

#[cfg(test)]
mod tests {
    use crate::config::Config;
    use crate::data::dump::{Form, Version, dump, restore, signed};
    use crate::data::{Hash, Typed};

    #[test]
    fn a_time_of_0_from_valkey_stays_a_deadline() {
        let mut payload = vec![Form::HASH_2, 1, 1, b'f', 1, b'v'];
        payload.extend_from_slice(&0i64.to_le_bytes());
        payload.extend_from_slice(&Version::VALKEY.to_le_bytes());
        let config = Config::default();
        let deadline = |payload: &[u8]| {
            let value = restore(payload, &config).ok()?;
            let deadline = Hash::of(&value)?.deadline(b"f")?;
            Some((deadline, dump(&value)))
        };
        let (first, again) = deadline(&signed(payload)).unwrap_or_default();
        assert_eq!((first, deadline(&again).map(|(again, _)| again)), (1, Some(1)));
    }
}
