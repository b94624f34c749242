//! Strings, which know how redis-server would keep them.

use std::fmt;
use std::ops::Deref;

use crate::data::short::Short;
use crate::resp::parse_integer;

/// The longest string that redis-server keeps in one piece with its header: `embstr`.
pub const EMBEDDED_MAX: usize = 44;

/// The longest string that is stored inline in the keyspace: with one byte more, every entry would be larger.
const SHORT_MAX: usize = 15;

/// The length of the longest integer of 64 bits, with its sign.
const LONGEST_INTEGER: usize = 20;

/// As [`parse_integer`], at no cost for texts that are too long.
#[inline]
fn read_integer(bytes: &[u8]) -> Option<i64> {
    if bytes.len() <= LONGEST_INTEGER { parse_integer(bytes) } else { None }
}

/// A string: any bytes, or an integer stored as one. What a command writes as a whole is an integer if it
/// reads like one; what a command changes in place is `raw` from then on, however short.
#[derive(Clone)]
pub struct ByteString(Kept);

#[derive(Clone)]
enum Kept {
    Integer(i64),
    /// As [`Kept::Plain`], without an allocation.
    Short(Short<SHORT_MAX>),
    /// Written as a whole: the length distinguishes `embstr` from `raw`.
    Plain(Vec<u8>),
    /// Changed in place and not longer than [`EMBEDDED_MAX`]. Boxed, as a second vector would make every entry
    /// of the keyspace larger.
    #[allow(clippy::box_collection)]
    ShortRaw(Box<Vec<u8>>),
}

impl ByteString {
    /// A string as most commands write it: integers are stored as such.
    #[must_use]
    pub fn new(bytes: &[u8]) -> Self {
        if let Some(integer) = read_integer(bytes) {
            return Self(Kept::Integer(integer));
        }
        Self(Short::new(bytes).map_or_else(|| Kept::Plain(bytes.into()), Kept::Short))
    }

    /// A string as INCRBYFLOAT writes it: never an integer.
    #[must_use]
    pub fn text(bytes: Vec<u8>) -> Self {
        Self(Kept::Plain(bytes))
    }

    /// A string that has been built in place.
    #[must_use]
    pub fn raw(bytes: Vec<u8>) -> Self {
        Self(if bytes.len() > EMBEDDED_MAX { Kept::Plain(bytes) } else { Kept::ShortRaw(Box::new(bytes)) })
    }

    /// The bytes.
    #[must_use]
    pub fn bytes(&self) -> View<'_> {
        match &self.0 {
            Kept::Integer(value) => View::integer(*value),
            Kept::Short(bytes) => View::Bytes(bytes),
            Kept::Plain(bytes) => View::Bytes(bytes),
            Kept::ShortRaw(bytes) => View::Bytes(bytes),
        }
    }

    /// The number of bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.bytes().len()
    }

    /// True if there are no bytes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The integer that the string reads as, however it is kept.
    #[must_use]
    pub fn integer(&self) -> Option<i64> {
        match &self.0 {
            Kept::Integer(value) => Some(*value),
            Kept::Short(bytes) => parse_integer(bytes),
            Kept::Plain(bytes) => parse_integer(bytes),
            Kept::ShortRaw(bytes) => parse_integer(bytes),
        }
    }

    /// The encoding, as OBJECT ENCODING names it.
    #[must_use]
    pub fn encoding(&self) -> &'static str {
        match &self.0 {
            Kept::Integer(_) => "int",
            Kept::Short(_) => "embstr",
            Kept::Plain(bytes) if bytes.len() <= EMBEDDED_MAX => "embstr",
            Kept::Plain(_) | Kept::ShortRaw(_) => "raw",
        }
    }

    /// Becomes `raw`, if it is not an integer.
    pub fn make_raw(&mut self) {
        if !matches!(self.0, Kept::Integer(_)) {
            self.edit(|_| ());
        }
    }

    /// The bytes that the string has allocated.
    #[must_use]
    pub fn memory(&self) -> usize {
        match &self.0 {
            Kept::Integer(_) | Kept::Short(_) => 0,
            Kept::Plain(bytes) => bytes.capacity(),
            Kept::ShortRaw(bytes) => size_of_val(&**bytes) + bytes.capacity(),
        }
    }

    /// Becomes an integer.
    pub fn set_integer(&mut self, value: i64) {
        self.0 = Kept::Integer(value);
    }

    /// Becomes [`ByteString::new`] of these bytes. The memory is reused, unless it is far too much.
    pub fn set(&mut self, bytes: &[u8]) {
        match &mut self.0 {
            Kept::Plain(old)
                if (bytes.len()..=bytes.len() * 2 + 64).contains(&old.capacity())
                    && read_integer(bytes).is_none() =>
            {
                old.clear();
                old.extend_from_slice(bytes);
            }
            _ => *self = Self::new(bytes),
        }
    }

    /// Changes the bytes in place.
    pub fn edit<R>(&mut self, change: impl FnOnce(&mut Vec<u8>) -> R) -> R {
        let result;
        match &mut self.0 {
            Kept::ShortRaw(bytes) => {
                result = change(bytes);
                if bytes.len() > EMBEDDED_MAX {
                    self.0 = Kept::Plain(std::mem::take(bytes));
                }
            }
            Kept::Plain(bytes) => {
                result = change(bytes);
                if bytes.len() <= EMBEDDED_MAX {
                    self.0 = Kept::ShortRaw(Box::new(std::mem::take(bytes)));
                }
            }
            Kept::Integer(_) | Kept::Short(_) => {
                let mut bytes = self.bytes().to_vec();
                result = change(&mut bytes);
                *self = Self::raw(bytes);
            }
        }
        result
    }
}

impl Default for ByteString {
    fn default() -> Self {
        Self(Kept::Plain(Vec::new()))
    }
}

impl fmt::Debug for ByteString {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} \"{}\"", self.encoding(), self.bytes().escape_ascii())
    }
}

/// The bytes of a string: borrowed, or the digits of an integer.
pub enum View<'a> {
    /// Borrowed from the string.
    Bytes(&'a [u8]),
    /// An integer that has been printed.
    Digits {
        /// The digits and the unused bytes after them.
        text: [u8; LONGEST_INTEGER],
        /// How many there are, with the sign.
        len: usize,
    },
}

impl View<'_> {
    fn integer(value: i64) -> Self {
        let mut buffer = itoa::Buffer::new();
        let digits = buffer.format(value).as_bytes();
        let mut text = [0; LONGEST_INTEGER];
        text[..digits.len()].copy_from_slice(digits);
        Self::Digits { text, len: digits.len() }
    }
}

impl Deref for View<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Bytes(bytes) => bytes,
            Self::Digits { text, len } => &text[..*len],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Value;

    #[test]
    fn a_string_knows_how_redis_server_would_keep_it() {
        for (text, encoding) in [
            ("", "embstr"),
            ("0", "int"),
            ("-0", "embstr"),
            ("01", "embstr"),
            ("-9223372036854775808", "int"),
            ("9223372036854775808", "embstr"),
            (&"x".repeat(44), "embstr"),
            (&"x".repeat(45), "raw"),
        ] {
            let mut string = ByteString::new(text.as_bytes());
            assert_eq!((string.encoding(), &*string.bytes()), (encoding, text.as_bytes()));
            string.edit(|_| ());
            assert_eq!((string.encoding(), &*string.bytes()), ("raw", text.as_bytes()));
            string.edit(|bytes| bytes.resize(45, b'y'));
            string.edit(|bytes| bytes.truncate(4));
            assert_eq!(string.encoding(), "raw");
            string.set(text.as_bytes());
            assert_eq!((string.encoding(), &*string.bytes()), (encoding, text.as_bytes()));
        }
    }

    #[test]
    fn an_entry_of_the_keyspace_is_not_longer_for_it() {
        assert_eq!(size_of::<Value>(), size_of::<Vec<u8>>());
    }
}
