//! Sets.

use super::listpack::{Builder, Listpack};
use super::reader::Reader;
use super::writer::Writer;
use super::{Element, Form, intset};
use crate::config::Config;
use crate::data::set::{Member, SetLimits, Table};
use crate::data::{IndexSet, Set};

/// The form in which a set is written. Redis 7.0 has no listpack sets: unless `newest`, such a set is written member by
/// member, and is a listpack again when it is read.
pub(super) fn form_of(set: &Set, newest: bool) -> u8 {
    match set {
        Set::Integers(_) => Form::SET_INTSET,
        Set::Listed(_) if newest => Form::SET_LISTPACK,
        Set::Listed(_) | Set::Hashed(_) => Form::SET,
    }
}

/// Writes a set.
pub(super) fn write(writer: &mut Writer, set: &Set, form: u8) {
    if let Set::Integers(members) = set {
        return writer.text(&intset::write(members));
    }
    if form == Form::SET_LISTPACK {
        let mut builder = Builder::default();
        for member in set.iter() {
            match member {
                Member::Integer(member) => builder.integer(member),
                Member::Bytes(member) => builder.text(member),
            }
        }
        return writer.text(&builder.finish());
    }
    writer.length(set.len());
    for member in set.iter() {
        match member {
            Member::Integer(member) => writer.text(itoa::Buffer::new().format(member).as_bytes()),
            Member::Bytes(member) => writer.text(member),
        }
    }
}

/// Reads a set in one of its forms. A set that exceeds the limits becomes a hash table.
pub(super) fn read(form: u8, reader: &mut Reader<'_>, config: &Config) -> Option<Set> {
    let limits = SetLimits::of(config);
    let set = match form {
        Form::SET => {
            let count = reader.count(1)?;
            let mut set = if count > config.set_max_intset_entries {
                Set::Hashed(Table::default())
            } else {
                Set::default()
            };
            for _ in 0..count {
                if !set.add(&reader.text()?, limits) {
                    return None;
                }
            }
            set
        }
        Form::SET_INTSET => {
            let mut set = Set::Integers(intset::read(&reader.text()?)?);
            let count = set.len();
            set.expect(count, &[], limits);
            set
        }
        _ => {
            let block = reader.text()?;
            let listpack = Listpack::new(&block)?;
            let members: IndexSet<_> = listpack.iter().map(Element::into_bytes).collect();
            if members.len() != listpack.len() {
                return None;
            }
            if members.len() > limits.entries() { Set::Hashed(members.into()) } else { Set::Listed(members) }
        }
    };
    (!set.is_empty()).then_some(set)
}
