//! Listpacks: integers and short strings in one block of bytes.
//!
//! A header of six bytes says how long the block is and how many elements it has. An element is its encoding, its
//! bytes, and then the length of both, so that it can be read backwards. A byte of 255 ends the block.

use super::Element;
use super::reader::Reader;
use crate::data::present;
use crate::resp::parse_integer;

const HEADER: usize = 6;
const END: u8 = 0xff;
/// More elements than this are not counted in the header.
const UNCOUNTED: u16 = u16::MAX;

/// A listpack that has been checked.
#[derive(Debug, Clone)]
pub(super) struct Listpack<'a> {
    elements: &'a [u8],
    len: usize,
}

impl<'a> Listpack<'a> {
    /// Checks a whole listpack.
    pub(super) fn new(block: &'a [u8]) -> Option<Self> {
        let mut reader = Reader::new(block);
        if usize::try_from(reader.u32()?).ok()? != block.len() {
            return None;
        }
        let counted = reader.u16()?;
        let elements = block.get(HEADER..block.len().checked_sub(1)?)?;
        let mut reader = Reader::new(elements);
        let mut len = 0usize;
        while !reader.is_empty() {
            element(&mut reader)?;
            len += 1;
        }
        let agrees = counted == UNCOUNTED || usize::from(counted) == len;
        (agrees && block.last() == Some(&END)).then_some(Self { elements, len })
    }

    /// The number of elements.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// The elements.
    pub(super) fn iter(&self) -> Elements<'a> {
        Elements(Reader::new(self.elements))
    }
}

/// The elements of a listpack from some position on.
#[derive(Debug, Clone)]
pub(super) struct Elements<'a>(Reader<'a>);

impl Elements<'_> {
    /// True if there are no more.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<'a> Iterator for Elements<'a> {
    type Item = Element<'a>;

    fn next(&mut self) -> Option<Element<'a>> {
        element(&mut self.0)
    }
}

/// Reads one element and the length after it.
fn element<'a>(reader: &mut Reader<'a>) -> Option<Element<'a>> {
    let before = reader.left();
    let first = reader.byte()?;
    let text = |reader: &mut Reader<'a>, length: usize| reader.bytes(length).map(Element::Bytes);
    let element = match first {
        0..=0x7f => Element::Integer(first.into()),
        0x80..=0xbf => text(reader, usize::from(first & 0x3f))?,
        0xc0..=0xdf => {
            let value = i64::from(first & 0x1f) << 8 | i64::from(reader.byte()?);
            Element::Integer(if value < 1 << 12 { value } else { value - (1 << 13) })
        }
        0xe0..=0xef => {
            let length = usize::from(first & 0x0f) << 8 | usize::from(reader.byte()?);
            text(reader, length)?
        }
        0xf0 => {
            let length = usize::try_from(reader.u32()?).ok()?;
            text(reader, length)?
        }
        0xf1 => Element::Integer(i16::from_le_bytes(reader.array()?).into()),
        0xf2 => {
            let [low, middle, high] = reader.array()?;
            Element::Integer((i32::from_le_bytes([0, low, middle, high]) >> 8).into())
        }
        0xf3 => Element::Integer(i32::from_le_bytes(reader.array()?).into()),
        0xf4 => Element::Integer(reader.i64()?),
        _ => return None,
    };
    let length = before - reader.left();
    let fits = |reader: &mut Reader<'a>, groups| {
        let mut back = [0; BACK_MAX];
        let back = back_length(length, groups, &mut back);
        let mut ahead = reader.clone();
        let fits = ahead.bytes(back.len()) == Some(back);
        if fits {
            *reader = ahead;
        }
        fits
    };
    // The greatest length of each width takes one byte less with Valkey.
    let fits = fits(reader, back_groups(length)) || fits(reader, back_groups(length.saturating_sub(1)));
    fits.then_some(element)
}

/// The most bytes of a length that is read backwards.
const BACK_MAX: usize = 5;

/// In how many groups of seven bits a length is written.
fn back_groups(length: usize) -> usize {
    match length {
        ..=0x7f => 1,
        0x80..=0x3ffe => 2,
        0x3fff..=0x1f_fffe => 3,
        0x1f_ffff..=0x0fff_fffe => 4,
        _ => BACK_MAX,
    }
}

/// A length in `groups` groups of seven bits, the highest first; the top bit of all but the first says that another
/// group comes before.
#[allow(clippy::cast_possible_truncation)]
fn back_length(length: usize, groups: usize, buffer: &mut [u8; BACK_MAX]) -> &[u8] {
    for (index, byte) in buffer.iter_mut().take(groups).enumerate() {
        let shift = 7 * (groups - 1 - index);
        *byte = (length >> shift) as u8 & 0x7f | if index == 0 { 0 } else { 0x80 };
    }
    present(buffer.get(..groups)).unwrap_or_default()
}

/// A listpack that is being written.
#[derive(Debug)]
pub(super) struct Builder {
    block: Vec<u8>,
    len: usize,
}

impl Default for Builder {
    fn default() -> Self {
        Self { block: vec![0; HEADER], len: 0 }
    }
}

impl Builder {
    /// The number of elements.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Adds a text, as an integer if it looks like one.
    pub(super) fn text(&mut self, text: &[u8]) {
        match parse_integer(text) {
            Some(integer) => self.integer(integer),
            None => self.bytes_of(text),
        }
    }

    /// Adds a number of elements.
    pub(super) fn count(&mut self, count: usize) {
        self.integer(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// Adds an integer.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    pub(super) fn integer(&mut self, integer: i64) {
        let start = self.block.len();
        if (0..=0x7f).contains(&integer) {
            self.block.push(integer as u8);
        } else if (-0x1000..0x1000).contains(&integer) {
            self.block.extend_from_slice(&(0xc000 | integer as u16 & 0x1fff).to_be_bytes());
        } else if let Ok(integer) = i16::try_from(integer) {
            self.block.push(0xf1);
            self.block.extend_from_slice(&integer.to_le_bytes());
        } else if (-0x80_0000..0x80_0000).contains(&integer) {
            self.block.push(0xf2);
            self.block.extend_from_slice(&integer.to_le_bytes()[..3]);
        } else if let Ok(integer) = i32::try_from(integer) {
            self.block.push(0xf3);
            self.block.extend_from_slice(&integer.to_le_bytes());
        } else {
            self.block.push(0xf4);
            self.block.extend_from_slice(&integer.to_le_bytes());
        }
        self.end_element(start);
    }

    #[allow(clippy::cast_possible_truncation)]
    fn bytes_of(&mut self, text: &[u8]) {
        let start = self.block.len();
        let length = text.len();
        match length {
            ..=0x3f => self.block.push(0x80 | length as u8),
            0x40..=0xfff => self.block.extend_from_slice(&(0xe000 | length as u16).to_be_bytes()),
            _ => {
                self.block.push(0xf0);
                self.block.extend_from_slice(&(length as u32).to_le_bytes());
            }
        }
        self.block.extend_from_slice(text);
        self.end_element(start);
    }

    fn end_element(&mut self, start: usize) {
        let mut back = [0; BACK_MAX];
        let length = self.block.len() - start;
        self.block.extend_from_slice(back_length(length, back_groups(length), &mut back));
        self.len += 1;
    }

    /// The block.
    #[allow(clippy::cast_possible_truncation)]
    pub(super) fn finish(mut self) -> Vec<u8> {
        self.block.push(END);
        let bytes = self.block.len() as u32;
        let len = u16::try_from(self.len).unwrap_or(UNCOUNTED);
        self.block[..4].copy_from_slice(&bytes.to_le_bytes());
        self.block[4..HEADER].copy_from_slice(&len.to_le_bytes());
        self.block
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_at_the_boundaries_of_every_width_are_read_back() {
        let mut builder = Builder::default();
        let mut expected = Vec::new();
        for bits in 0..64 {
            for integer in [
                (1i64 << bits).wrapping_sub(1),
                1 << bits,
                (1i64 << bits).wrapping_neg(),
                (1i64 << bits).wrapping_neg().wrapping_sub(1),
            ] {
                builder.integer(integer);
                expected.push(Element::Integer(integer));
            }
        }
        let texts: Vec<Vec<u8>> =
            [0, 1, 63, 64, 125, 126, 4095, 4096, 16377, 16378, 70_000, 2_097_145, 2_097_146, 2_097_147]
                .map(|length| vec![b'a'; length])
                .into();
        for text in &texts {
            builder.text(text);
            expected.push(Element::Bytes(text));
        }
        let block = builder.finish();
        let Some(listpack) = Listpack::new(&block) else { panic!("not read") };
        assert_eq!(listpack.len(), expected.len());
        assert!(listpack.iter().eq(expected));
        for cut in 0..60 {
            assert!(Listpack::new(&block[..cut]).is_none());
        }
    }
}
