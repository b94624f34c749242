//! LZF, the compression of strings: literal bytes and references to earlier bytes, alternately.
//!
//! A compressor may choose among several encodings. This one chooses as redis-server's does, so that equal
//! values have equal payloads.
//!
//! A literal run is a byte with its length minus one, below 32, and the bytes. A reference is a byte with the
//! length minus two in the upper three bits (7: another byte follows that is added) and the upper five bits of
//! the distance minus one in the lower bits, and a byte with the rest of the distance.

/// The longest literal run.
const LITERAL_MAX: usize = 1 << 5;
/// The distance of a reference is less than this.
const DISTANCE_END: usize = 1 << 13;
/// The longest reference.
const REFERENCE_MAX: usize = (1 << 8) + (1 << 3);
/// The size of the table of positions by hash, in bits.
const TABLE_BITS: u32 = 16;
/// A compressed byte stands for fewer bytes than this.
const EXPANSION_MAX: usize = REFERENCE_MAX / 3 + 1;

/// The index of three bytes in the table.
fn hash(text: &[u8], at: usize) -> usize {
    let bytes = text.get(at..at + 3).unwrap_or_default();
    let key = bytes.iter().fold(0u32, |key, byte| key << 8 | u32::from(*byte));
    let mixed = (key >> (24 - TABLE_BITS)).wrapping_sub(key.wrapping_mul(5));
    mixed as usize & ((1 << TABLE_BITS) - 1)
}

/// The output, with the literal run that is still open.
struct Output {
    bytes: Vec<u8>,
    /// Where the length of the open run will be written.
    run: usize,
}

impl Output {
    fn literals(&self) -> usize {
        self.bytes.len() - self.run - 1
    }

    fn close_run(&mut self) {
        match self.literals() {
            // No run was needed.
            0 => self.bytes.truncate(self.run),
            #[allow(clippy::cast_possible_truncation)]
            literals => self.bytes[self.run] = literals as u8 - 1,
        }
    }

    fn open_run(&mut self) {
        self.run = self.bytes.len();
        self.bytes.push(0);
    }

    fn literal(&mut self, byte: u8) {
        self.bytes.push(byte);
        if self.literals() == LITERAL_MAX {
            self.close_run();
            self.open_run();
        }
    }

    #[allow(clippy::cast_possible_truncation)]
    fn reference(&mut self, distance: usize, length: usize) {
        self.close_run();
        let (distance, length) = (distance - 1, length - 2);
        let high = (distance >> 8) as u8;
        if length < 7 {
            self.bytes.push((length as u8) << 5 | high);
        } else {
            self.bytes.extend_from_slice(&[7 << 5 | high, (length - 7) as u8]);
        }
        self.bytes.push(distance as u8);
        self.open_run();
    }
}

/// The longest reference with `left` bytes to go. redis-server keeps two bytes of distance to the end, but
/// compares the first 3 or 19 bytes before it checks that.
fn longest_reference(left: usize) -> usize {
    let max = left.saturating_sub(2).min(REFERENCE_MAX);
    max.max(if max > 16 { 19 } else { 3 })
}

/// Compresses strings one after the other, with one table for all of them.
#[derive(Debug, Default)]
pub(super) struct Compressor {
    /// The last position of three bytes with this hash, counted from the beginning of the first string.
    /// Positions before the current string are ignored, so that the table need not be cleared.
    positions: Vec<u32>,
    /// Where the current string begins.
    base: u32,
}

impl Compressor {
    /// Compresses a string; `None` if that does not make it shorter by more than four bytes.
    pub(super) fn compress(&mut self, text: &[u8]) -> Option<Vec<u8>> {
        let length = u32::try_from(text.len()).ok()?;
        let next = self.base.checked_add(length).filter(|_| !self.positions.is_empty());
        if next.is_none() {
            self.positions = vec![0; 1 << TABLE_BITS];
            self.base = 0;
        }
        let compressed = self.compress_at(self.base, text);
        self.base += length;
        compressed
    }

    /// Records a position and returns the previous one with the same hash.
    fn note(&mut self, base: u32, text: &[u8], at: usize) -> Option<usize> {
        let position = self.positions.get_mut(hash(text, at))?;
        let before = std::mem::replace(position, base + u32::try_from(at).ok()?);
        // The first byte is never referred to: its position looks like one that was never written.
        before.checked_sub(base).filter(|before| *before > 0).map(|before| before as usize)
    }

    fn compress_at(&mut self, base: u32, text: &[u8]) -> Option<Vec<u8>> {
        let max = text.len().checked_sub(4).filter(|max| *max > 0)?;
        let mut out = Output { bytes: Vec::new(), run: 0 };
        out.open_run();
        let mut at = 0;
        // The last two bytes begin no reference.
        let end = text.len().saturating_sub(2);
        while at < end {
            let found = self.note(base, text, at).filter(|from| {
                at - from <= DISTANCE_END && text.get(*from..from + 3) == text.get(at..at + 3)
            });
            let Some(from) = found else {
                if out.bytes.len() >= max {
                    return None;
                }
                out.literal(*text.get(at)?);
                at += 1;
                continue;
            };
            // Room for the reference and the run after it.
            let unused = usize::from(out.literals() == 0);
            if out.bytes.len() - unused + 4 >= max {
                return None;
            }
            let longest = longest_reference(text.len() - at);
            let pairs = text.get(from..)?.iter().zip(text.get(at..at + longest)?);
            let length = pairs.take_while(|(one, other)| one == other).count();
            out.reference(at - from, length);
            at += length;
            if at >= end {
                break;
            }
            // Of the skipped bytes, only the last two positions are recorded.
            self.note(base, text, at - 2);
            self.note(base, text, at - 1);
        }
        if out.bytes.len() + 3 > max {
            return None;
        }
        for byte in text.get(at..)? {
            out.literal(*byte);
        }
        out.close_run();
        Some(out.bytes)
    }
}

/// The string of `length` bytes that was compressed; `None` if the compressed bytes are not valid.
pub(super) fn decompress(mut compressed: &[u8], length: usize) -> Option<Vec<u8>> {
    if length == 0 || length / EXPANSION_MAX > compressed.len() {
        return None;
    }
    let mut text = Vec::with_capacity(length);
    while let [control, rest @ ..] = compressed {
        let control = usize::from(*control);
        if control < LITERAL_MAX {
            let (literals, rest) = rest.split_at_checked(control + 1)?;
            text.extend_from_slice(literals);
            compressed = rest;
        } else {
            let (more, rest) = match control >> 5 {
                7 => rest.split_first().map(|(more, rest)| (usize::from(*more), rest))?,
                _ => (0, rest),
            };
            let (low, rest) = rest.split_first()?;
            let count = (control >> 5) + more + 2;
            let distance = ((control & 0x1f) << 8 | usize::from(*low)) + 1;
            let mut from = text.len().checked_sub(distance)?;
            if count <= distance {
                text.extend_from_within(from..from + count);
            } else {
                // The reference may overlap the bytes that it produces.
                for _ in 0..count {
                    text.push(*text.get(from)?);
                    from += 1;
                }
            }
            compressed = rest;
        }
        if text.len() > length {
            return None;
        }
    }
    (text.len() == length).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_compressed_is_read_back() {
        let mut random = fastrand::Rng::with_seed(1);
        let mut shorter = 0;
        let mut compressor = Compressor::default();
        for _ in 0..2000 {
            let letters = random.u8(1..=255);
            let length = random.usize(0..400) * random.usize(1..60);
            let mut text: Vec<u8> = (0..length).map(|_| random.u8(0..letters)).collect();
            if random.bool() {
                text = text.repeat(random.usize(1..5));
            }
            if let Some(compressed) = compressor.compress(&text) {
                shorter += 1;
                assert!(compressed.len() <= text.len() - 4);
                assert_eq!(decompress(&compressed, text.len()).as_deref(), Some(&*text));
                assert_eq!(decompress(&compressed, text.len() + 1), None);
                assert_eq!(decompress(&compressed, text.len() - 1), None);
            }
        }
        assert!(shorter > 500, "{shorter}");
    }

    #[test]
    fn nothing_is_made_up_where_the_compressed_bytes_are_wrong() {
        assert_eq!(decompress(&[0x20, 0], 3), None, "a reference before the beginning");
        assert_eq!(decompress(&[3, b'a'], 4), None, "a run that is cut off");
        assert_eq!(decompress(&[0, b'a', 0xe0], 4), None, "a reference that is cut off");
        assert_eq!(decompress(&[0, b'a'], usize::MAX), None);
        assert_eq!(decompress(&[], 0), None);
        assert_eq!(decompress(&[0, b'a', 0x20, 0], 4).as_deref(), Some(&b"aaaa"[..]));
    }
}
