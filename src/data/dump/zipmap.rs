//! Zipmaps, in which the oldest servers kept small hashes: names and values alternately, each after its length; a
//! value may be followed by unused bytes, whose number precedes it.

use super::reader::Reader;

const END: u8 = 0xff;
/// Instead of a length of one byte: the length follows in four bytes.
const LONG: u8 = 0xfe;

/// Reads a whole zipmap.
pub(super) fn read(block: &[u8]) -> Option<Vec<(&[u8], &[u8])>> {
    let mut reader = Reader::new(block);
    let counted = reader.byte()?;
    let mut pairs = Vec::new();
    while let Some(length) = length(&mut reader)? {
        let name = reader.bytes(length)?;
        let length = self::length(&mut reader)??;
        let unused = reader.byte()?;
        let value = reader.bytes(length)?;
        reader.bytes(unused.into())?;
        pairs.push((name, value));
    }
    let agrees = counted == LONG || usize::from(counted) == pairs.len();
    (agrees && reader.is_empty()).then_some(pairs)
}

/// Reads a length; `Some(None)` if the block ends here.
#[allow(clippy::option_option)]
fn length(reader: &mut Reader<'_>) -> Option<Option<usize>> {
    match reader.byte()? {
        END => Some(None),
        LONG => usize::try_from(reader.u32()?).ok().map(Some),
        short => Some(Some(short.into())),
    }
}
