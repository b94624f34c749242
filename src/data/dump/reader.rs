//! Reading a payload: numbers, lengths and strings from the front of some bytes. Nothing is allocated for more
//! than has arrived, and all methods return `None` if the bytes end too soon.

use std::borrow::Cow;

use super::{Encoding, lzf};

/// The rest of some bytes.
#[derive(Debug, Clone)]
pub(super) struct Reader<'a>(&'a [u8]);

/// A length, or instead of it the encoding of a string.
enum Prefix {
    Length(u64),
    Encoding(u8),
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// How many bytes are left.
    pub(super) fn left(&self) -> usize {
        self.0.len()
    }

    /// True if nothing is left.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn bytes(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, left) = self.0.split_at_checked(count)?;
        self.0 = left;
        Some(taken)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, left) = self.0.split_first_chunk()?;
        self.0 = left;
        Some(*taken)
    }

    pub(super) fn byte(&mut self) -> Option<u8> {
        self.array().map(|[byte]| byte)
    }

    pub(super) fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_le_bytes)
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    pub(super) fn i64(&mut self) -> Option<i64> {
        self.array().map(i64::from_le_bytes)
    }

    fn prefix(&mut self) -> Option<Prefix> {
        let first = self.byte()?;
        let low = first & 0x3f;
        Some(match first >> 6 {
            0 => Prefix::Length(low.into()),
            1 => Prefix::Length(u64::from(low) << 8 | u64::from(self.byte()?)),
            2 => Prefix::Length(match first {
                0x80 => u32::from_be_bytes(self.array()?).into(),
                0x81 => u64::from_be_bytes(self.array()?),
                _ => return None,
            }),
            _ => Prefix::Encoding(low),
        })
    }

    /// A number in the form of lengths.
    pub(super) fn number(&mut self) -> Option<u64> {
        match self.prefix()? {
            Prefix::Length(length) => Some(length),
            Prefix::Encoding(_) => None,
        }
    }

    /// How many bytes or elements follow.
    pub(super) fn length(&mut self) -> Option<usize> {
        usize::try_from(self.number()?).ok()
    }

    /// How many elements of at least `least` bytes each follow; `None` if there are too few bytes for them.
    pub(super) fn count(&mut self, least: usize) -> Option<usize> {
        self.length().filter(|count| *count <= self.left() / least)
    }

    /// A string in any encoding.
    pub(super) fn text(&mut self) -> Option<Cow<'a, [u8]>> {
        let integer = match self.prefix()? {
            Prefix::Length(length) => return self.bytes(usize::try_from(length).ok()?).map(Cow::Borrowed),
            Prefix::Encoding(Encoding::INT8) => i8::from_le_bytes(self.array()?).into(),
            Prefix::Encoding(Encoding::INT16) => i16::from_le_bytes(self.array()?).into(),
            Prefix::Encoding(Encoding::INT32) => i32::from_le_bytes(self.array()?),
            Prefix::Encoding(Encoding::LZF) => {
                let compressed = self.length()?;
                let length = self.length()?;
                return lzf::decompress(self.bytes(compressed)?, length).map(Cow::Owned);
            }
            Prefix::Encoding(_) => return None,
        };
        Some(Cow::Owned(itoa::Buffer::new().format(integer).into()))
    }
}
