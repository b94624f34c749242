//! Values as DUMP writes them and RESTORE reads them: redis-server's own serialization.
//!
//! A payload is the number of a form, the value in that form, the version of the format (two bytes), and a
//! checksum (eight). Values are written in forms that every server reads: those of Redis 7.0, under its version.
//! Only what these cannot express is written in newer forms. All forms that the servers write are read, and the
//! older ones that they still read.
//!
//! A payload is not trusted. Every length is checked against what has arrived before anything is allocated for
//! it, and every block is checked from its first to its last byte before its elements are used.

pub mod file;
mod functions;
mod hash;
mod intset;
mod list;
mod listpack;
mod lzf;
mod reader;
mod set;
mod sorted_set;
mod stream;
mod writer;
mod ziplist;
mod zipmap;

use std::borrow::Cow;

use crate::config::Config;
use crate::data::{ByteString, Bytes, Value};
pub use functions::{LibrariesError, dump_libraries, restore_libraries};
use reader::Reader;
use writer::Writer;

/// The encodings of strings that are not kept as they are.
struct Encoding;

impl Encoding {
    /// The bits that mark such an encoding.
    const MARK: u8 = 0xc0;
    const INT8: u8 = 0;
    const INT16: u8 = 1;
    const INT32: u8 = 2;
    const LZF: u8 = 3;
}

/// The numbers of the forms of values.
struct Form;

impl Form {
    const STRING: u8 = 0;
    const LIST: u8 = 1;
    const SET: u8 = 2;
    /// With scores as text.
    const SORTED_SET: u8 = 3;
    const HASH: u8 = 4;
    /// With scores in binary.
    const SORTED_SET_2: u8 = 5;
    const HASH_ZIPMAP: u8 = 9;
    const LIST_ZIPLIST: u8 = 10;
    const SET_INTSET: u8 = 11;
    const SORTED_SET_ZIPLIST: u8 = 12;
    const HASH_ZIPLIST: u8 = 13;
    /// Ziplists.
    const LIST_QUICKLIST: u8 = 14;
    const STREAM: u8 = 15;
    const HASH_LISTPACK: u8 = 16;
    const SORTED_SET_LISTPACK: u8 = 17;
    /// Listpacks and long elements on their own.
    const LIST_QUICKLIST_2: u8 = 18;
    /// With the first id, the greatest deleted one, and counters.
    const STREAM_2: u8 = 19;
    const SET_LISTPACK: u8 = 20;
    /// With two times for each consumer.
    const STREAM_3: u8 = 21;
    /// Of Valkey 9: fields that expire.
    const HASH_2: u8 = 22;
    /// Of the release candidates of Redis 7.4, with a number that Valkey uses, too: fields that expire.
    const HASH_METADATA_EARLY: u8 = 22;
    const HASH_LISTPACK_EX_EARLY: u8 = 23;
    /// Of Redis 7.4: fields that expire.
    const HASH_METADATA: u8 = 24;
    const HASH_LISTPACK_EX: u8 = 25;

    /// True if values of this form are read.
    fn is_known(form: u8) -> bool {
        matches!(form, Self::STRING..=Self::SORTED_SET_2 | Self::HASH_ZIPMAP..=Self::HASH_LISTPACK_EX)
    }

    /// What is written of hashes with fields that expire.
    const EXPIRING: [u8; 2] = [Self::HASH_METADATA, Self::HASH_LISTPACK_EX];

    /// The first version of the format that has a form which is written.
    fn since(form: u8) -> u16 {
        match form {
            Self::HASH_METADATA | Self::HASH_LISTPACK_EX => Version::NEWEST,
            Self::SET_LISTPACK | Self::STREAM_3 => Version::LISTPACK_SETS,
            _ => Version::COMMON,
        }
    }
}

/// The versions of the format.
struct Version;

impl Version {
    /// Of Redis 7.0, which every server reads.
    const COMMON: u16 = 10;
    /// Of Redis 7.2.
    const LISTPACK_SETS: u16 = 11;
    /// Of Redis 7.4 to 8.2.
    const NEWEST: u16 = 12;
    /// Of Valkey 9.
    const VALKEY: u16 = 80;
}

/// Version and checksum.
const FOOTER: usize = 10;

static CRC64: crc::Crc<u64> = crc::Crc::<u64>::new(&crc::CRC_64_REDIS);

/// Why a payload is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RestoreError {
    /// The checksum is wrong, or the format is too new.
    Footer,
    /// The value is not well formed.
    Malformed,
}

/// Writes a value.
#[must_use]
pub fn dump(value: &Value) -> Vec<u8> {
    let mut writer = Writer::default();
    let form = form_of(value, false);
    writer.byte(form);
    write(&mut writer, value, form);
    let mut payload = writer.finish();
    // Servers before it cannot read these forms; that of a stream has a number which they refuse.
    let version = if Form::EXPIRING.contains(&form) { Version::NEWEST } else { Version::COMMON };
    payload.extend_from_slice(&version.to_le_bytes());
    signed(payload)
}

/// The form in which a value is written: of those that Redis 7.0 reads, if there is one for the value, or if `newest`
/// the one that Redis 8 would write.
fn form_of(value: &Value, newest: bool) -> u8 {
    match value {
        Value::String(_) => Form::STRING,
        Value::List(_) => Form::LIST_QUICKLIST_2,
        Value::Set(set) => set::form_of(set, newest),
        Value::Hash(hash) => hash::form_of(hash),
        Value::SortedSet(set) => sorted_set::form_of(set),
        Value::Stream(stream) => stream::form_of(stream, newest),
    }
}

/// Writes a value in a form that [`form_of`] has chosen, without the number of the form.
fn write(writer: &mut Writer, value: &Value, form: u8) {
    match value {
        Value::String(string) => writer.text(&string.bytes()),
        Value::List(list) => list::write(writer, list),
        Value::Set(set) => set::write(writer, set, form),
        Value::Hash(hash) => hash::write(writer, hash, form),
        Value::SortedSet(set) => sorted_set::write(writer, set, form),
        Value::Stream(stream) => stream::write(writer, stream, form),
    }
}

/// Adds the checksum to a value and the version of its format.
#[must_use]
pub fn signed(mut payload: Vec<u8>) -> Vec<u8> {
    let checksum = CRC64.checksum(&payload);
    payload.extend_from_slice(&checksum.to_le_bytes());
    payload
}

/// Reads a value.
///
/// # Errors
///
/// The footer or the value is wrong.
pub fn restore(payload: &[u8], config: &Config) -> Result<Value, RestoreError> {
    let version = check_footer(payload).ok_or(RestoreError::Footer)?;
    // A truncated value is read on into the footer, as in redis-server.
    let mut reader = Reader::new(payload);
    let form = reader.byte().ok_or(RestoreError::Malformed)?;
    read(form, version, &mut reader, config).ok_or(RestoreError::Malformed)
}

/// The version of the format, if it is known and the checksum right.
fn check_footer(payload: &[u8]) -> Option<u16> {
    let (body, footer) = payload.split_at_checked(payload.len().checked_sub(FOOTER)?)?;
    let mut footer = Reader::new(footer);
    let version = footer.u16()?;
    let known = version <= Version::NEWEST || version == Version::VALKEY;
    let signed = payload.get(..body.len() + size_of::<u16>())?;
    (known && CRC64.checksum(signed) == u64::from_le_bytes(footer.array()?)).then_some(version)
}

/// Reads a value in this form. What follows it is not checked, as in redis-server.
fn read(form: u8, version: u16, reader: &mut Reader<'_>, config: &Config) -> Option<Value> {
    Some(match form {
        Form::STRING => Value::String(ByteString::new(&reader.text()?)),
        form @ (Form::LIST | Form::LIST_ZIPLIST | Form::LIST_QUICKLIST | Form::LIST_QUICKLIST_2) => {
            Value::List(Box::new(list::read(form, reader, config)?))
        }
        form @ (Form::SET | Form::SET_INTSET | Form::SET_LISTPACK) => {
            Value::Set(Box::new(set::read(form, reader, config)?))
        }
        form @ (Form::SORTED_SET
        | Form::SORTED_SET_2
        | Form::SORTED_SET_ZIPLIST
        | Form::SORTED_SET_LISTPACK) => Value::SortedSet(Box::new(sorted_set::read(form, reader, config)?)),
        form @ (Form::STREAM | Form::STREAM_2 | Form::STREAM_3) => {
            Value::Stream(Box::new(stream::read(form, reader)?))
        }
        form => Value::Hash(Box::new(hash::read(form, version, reader, config)?)),
    })
}

/// An element of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Element<'a> {
    Integer(i64),
    Bytes(&'a [u8]),
}

impl<'a> Element<'a> {
    /// The text of the element; of an integer, its digits.
    fn text(self) -> Cow<'a, [u8]> {
        match self {
            Self::Integer(integer) => Cow::Owned(itoa::Buffer::new().format(integer).into()),
            Self::Bytes(bytes) => Cow::Borrowed(bytes),
        }
    }

    fn integer(self) -> Option<i64> {
        match self {
            Self::Integer(integer) => Some(integer),
            Self::Bytes(_) => None,
        }
    }

    fn into_bytes(self) -> Bytes {
        match self {
            Self::Integer(integer) => itoa::Buffer::new().format(integer).as_bytes().into(),
            Self::Bytes(bytes) => bytes.into(),
        }
    }
}
