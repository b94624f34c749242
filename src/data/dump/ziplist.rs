//! Ziplists, which older servers used instead of listpacks.
//!
//! A header says how long the block is, where its last element begins and how many elements it has. An element is
//! the length of the one before it, its encoding and its bytes. A byte of 255 ends the block.

use super::Element;
use super::reader::Reader;

const HEADER: usize = 10;
const END: u8 = 0xff;
/// More elements than this are not counted in the header.
const UNCOUNTED: u16 = u16::MAX;
/// Instead of a length of one byte: the length follows in four bytes.
const LONG: u8 = 0xfe;

/// A ziplist that has been checked.
#[derive(Debug, Clone)]
pub(super) struct Ziplist<'a> {
    elements: &'a [u8],
    len: usize,
}

impl<'a> Ziplist<'a> {
    /// Checks a whole ziplist.
    pub(super) fn new(block: &'a [u8]) -> Option<Self> {
        let mut reader = Reader::new(block);
        if usize::try_from(reader.u32()?).ok()? != block.len() {
            return None;
        }
        let tail = usize::try_from(reader.u32()?).ok()?;
        let counted = reader.u16()?;
        let elements = block.get(HEADER..block.len().checked_sub(1)?)?;
        let mut reader = Reader::new(elements);
        let (mut len, mut last, mut before) = (0usize, HEADER, 0);
        while !reader.is_empty() {
            last = HEADER + elements.len() - reader.left();
            let start = reader.left();
            let (length_before, _) = element(&mut reader)?;
            if length_before != before {
                return None;
            }
            before = start - reader.left();
            len += 1;
        }
        let agrees = counted == UNCOUNTED || usize::from(counted) == len;
        (agrees && tail == last && block.last() == Some(&END)).then_some(Self { elements, len })
    }

    /// The number of elements.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// The elements.
    pub(super) fn iter(&self) -> impl Iterator<Item = Element<'a>> + use<'a> {
        let mut reader = Reader::new(self.elements);
        std::iter::from_fn(move || element(&mut reader).map(|(_, element)| element))
    }
}

/// Reads one element; returns the length of the one before it, too.
fn element<'a>(reader: &mut Reader<'a>) -> Option<(usize, Element<'a>)> {
    let before = match reader.byte()? {
        LONG => usize::try_from(reader.u32()?).ok()?,
        END => return None,
        short => short.into(),
    };
    let first = reader.byte()?;
    let low = usize::from(first & 0x3f);
    let text = |reader: &mut Reader<'a>, length: usize| reader.bytes(length).map(Element::Bytes);
    let element = match first {
        0..=0x3f => text(reader, low)?,
        0x40..=0x7f => {
            let length = low << 8 | usize::from(reader.byte()?);
            text(reader, length)?
        }
        0x80 => {
            let length = usize::try_from(u32::from_be_bytes(reader.array()?)).ok()?;
            text(reader, length)?
        }
        0xc0 => Element::Integer(i16::from_le_bytes(reader.array()?).into()),
        0xd0 => Element::Integer(i32::from_le_bytes(reader.array()?).into()),
        0xe0 => Element::Integer(reader.i64()?),
        0xf0 => {
            let [low, middle, high] = reader.array()?;
            Element::Integer((i32::from_le_bytes([0, low, middle, high]) >> 8).into())
        }
        0xfe => Element::Integer(i8::from_le_bytes(reader.array()?).into()),
        0xf1..=0xfd => Element::Integer(i64::from(first & 0x0f) - 1),
        _ => return None,
    };
    Some((before, element))
}
