//! Hashes.

use std::borrow::Cow;

use super::listpack::{Builder, Listpack};
use super::reader::Reader;
use super::writer::Writer;
use super::ziplist::Ziplist;
use super::{Element, Form, Version, zipmap};
use crate::store::hash::HashLimits;
use crate::store::{Config, Hash, Time};

/// Writes a hash; returns the version of the format that knows its form.
pub(super) fn write(writer: &mut Writer, hash: &Hash) -> u16 {
    if hash.encoding() == "hashtable" {
        writer.byte(Form::HASH);
        writer.length(hash.len());
        for (field, value) in hash.iter() {
            writer.text(field);
            writer.text(value);
        }
    } else {
        let mut builder = Builder::default();
        for (field, value) in hash.iter() {
            builder.text(field);
            builder.text(value);
        }
        writer.byte(Form::HASH_LISTPACK);
        writer.text(&builder.finish());
    }
    Version::COMMON
}

/// Reads a hash in one of its forms.
pub(super) fn read(
    form: u8,
    version: u16,
    reader: &mut Reader<'_>,
    config: &Config,
    now: Time,
) -> Option<Hash> {
    let _ = (version, now);
    let limits = HashLimits::of(config);
    match form {
        Form::HASH => {
            let count = reader.count(2)?;
            let mut hash = Hash::default();
            hash.expect(count, limits);
            for _ in 0..count {
                let (field, value) = (reader.text()?, reader.text()?);
                add(&mut hash, &field, &value, limits)?;
            }
            (!hash.is_empty()).then_some(hash)
        }
        Form::HASH_ZIPMAP => {
            let block = reader.text()?;
            let pairs = zipmap::read(&block)?;
            build(pairs.len(), pairs.into_iter().map(|(field, value)| (field.into(), value.into())), limits)
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
        _ => None,
    }
}

/// Fields and values in turns. Their length is not looked at, as in redis-server.
fn read_block<'a>(
    len: usize,
    mut elements: impl Iterator<Item = Element<'a>>,
    limits: HashLimits,
) -> Option<Hash> {
    if len % 2 != 0 {
        return None;
    }
    let pairs = std::iter::from_fn(|| Some((elements.next()?.text(), elements.next()?.text())));
    build(len / 2, pairs, HashLimits { value: usize::MAX, ..limits })
}

fn build<'a>(
    count: usize,
    pairs: impl Iterator<Item = (Cow<'a, [u8]>, Cow<'a, [u8]>)>,
    limits: HashLimits,
) -> Option<Hash> {
    let mut hash = Hash::default();
    hash.expect(count, limits);
    for (field, value) in pairs {
        add(&mut hash, &field, &value, limits)?;
    }
    (!hash.is_empty()).then_some(hash)
}

/// Adds a field that must not be there yet.
fn add(hash: &mut Hash, field: &[u8], value: &[u8], limits: HashLimits) -> Option<()> {
    hash.set(field, value, limits).then_some(())
}
