//! Writing a payload: lengths and strings.

use super::Encoding;
use super::lzf::Compressor;
use crate::resp::parse_integer;

/// Only longer strings are compressed.
const COMPRESSED_ABOVE: usize = 20;
/// Longer strings are not written as integers.
const INTEGER_TEXT_MAX: usize = 11;

/// A payload that is being written.
#[derive(Debug, Default)]
pub(super) struct Writer {
    bytes: Vec<u8>,
    compressor: Compressor,
}

impl Writer {
    /// What was written.
    pub(super) fn finish(self) -> Vec<u8> {
        self.bytes
    }

    pub(super) fn byte(&mut self, byte: u8) {
        self.bytes.push(byte);
    }

    /// Writes bytes as they are.
    pub(super) fn raw(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Writes a number in the form of lengths.
    #[allow(clippy::cast_possible_truncation)]
    pub(super) fn number(&mut self, number: u64) {
        if number <= 0x3f {
            self.byte(number as u8);
        } else if number <= 0x3fff {
            self.raw(&(0x4000 | number as u16).to_be_bytes());
        } else if let Ok(number) = u32::try_from(number) {
            self.byte(0x80);
            self.raw(&number.to_be_bytes());
        } else {
            self.byte(0x81);
            self.raw(&number.to_be_bytes());
        }
    }

    /// Writes how many bytes or elements follow.
    pub(super) fn length(&mut self, length: usize) {
        self.number(length as u64);
    }

    /// Writes a string in the shortest encoding: as an integer, compressed, or as it is.
    pub(super) fn text(&mut self, text: &[u8]) {
        if text.len() <= INTEGER_TEXT_MAX
            && let Some(integer) = parse_integer(text).and_then(|integer| i32::try_from(integer).ok())
        {
            self.integer(integer);
        } else if text.len() > COMPRESSED_ABOVE
            && let Some(compressed) = self.compressor.compress(text)
        {
            self.byte(Encoding::MARK | Encoding::LZF);
            self.length(compressed.len());
            self.length(text.len());
            self.raw(&compressed);
        } else {
            self.length(text.len());
            self.raw(text);
        }
    }

    fn integer(&mut self, integer: i32) {
        if let Ok(integer) = i8::try_from(integer) {
            self.byte(Encoding::MARK | Encoding::INT8);
            self.raw(&integer.to_le_bytes());
        } else if let Ok(integer) = i16::try_from(integer) {
            self.byte(Encoding::MARK | Encoding::INT16);
            self.raw(&integer.to_le_bytes());
        } else {
            self.byte(Encoding::MARK | Encoding::INT32);
            self.raw(&integer.to_le_bytes());
        }
    }
}
