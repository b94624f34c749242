//! Bits of strings. The first bit is the highest of the first byte.

use std::ops::Range;

/// The bit at an index; 0 past the end.
#[must_use]
pub fn get(bytes: &[u8], at: u64) -> bool {
    let byte = usize::try_from(at / 8).ok().and_then(|index| bytes.get(index)).copied();
    byte.unwrap_or_default() >> (7 - at % 8) & 1 == 1
}

/// Changes the bit at an index, if the string has it; returns the old bit.
pub fn set(bytes: &mut [u8], at: u64, bit: bool) -> bool {
    let old = get(bytes, at);
    if let Some(byte) = usize::try_from(at / 8).ok().and_then(|index| bytes.get_mut(index)) {
        let mask = 0x80 >> (at % 8);
        *byte = if bit { *byte | mask } else { *byte & !mask };
    }
    old
}

/// Eight bytes as one number, so that the loops below take eight at a time.
fn words(bytes: &[u8]) -> (impl Iterator<Item = u64>, &[u8]) {
    let (chunks, rest) = bytes.as_chunks::<8>();
    (chunks.iter().map(|chunk| u64::from_be_bytes(*chunk)), rest)
}

/// The bytes that contain a range of bits, with masks of the range's bits in the first and the last byte.
fn edges(bits: &Range<u64>) -> (Range<usize>, u8, u8) {
    let index = |bit: u64| usize::try_from(bit).unwrap_or(usize::MAX);
    let first = 0xff_u8.checked_shr(u32::try_from(bits.start % 8).unwrap_or_default()).unwrap_or_default();
    let last = !0xff_u8.checked_shr(u32::try_from(bits.end % 8).unwrap_or_default()).unwrap_or_default();
    let last = if bits.end.is_multiple_of(8) { 0xff } else { last };
    (index(bits.start / 8)..index(bits.end.div_ceil(8)), first, last)
}

/// How many bits of a range are set.
#[must_use]
pub fn count(bytes: &[u8], bits: Range<u64>) -> u64 {
    let (range, first, last) = edges(&bits);
    let Some(bytes) = bytes.get(range).filter(|_| bits.start < bits.end) else { return 0 };
    let (words, rest) = words(bytes);
    let all: u64 = words.map(|word| u64::from(word.count_ones())).sum::<u64>()
        + rest.iter().map(|byte| u64::from(byte.count_ones())).sum::<u64>();
    let outside = bytes.first().map_or(0, |byte| (byte & !first).count_ones())
        + bytes.last().map_or(0, |byte| (byte & !last).count_ones());
    all - u64::from(outside)
}

/// The first bit of a range that equals `bit`.
#[must_use]
pub fn position(bytes: &[u8], bits: Range<u64>, bit: bool) -> Option<u64> {
    let (range, first, last) = edges(&bits);
    let bytes = bytes.get(range).filter(|_| bits.start < bits.end)?;
    // The bits that are looked for become ones.
    let flip = |byte: u8| if bit { byte } else { !byte };
    let end = bytes.len() - 1;
    let masked = |index: usize| {
        let mask = if index == 0 { first } else { 0xff } & if index == end { last } else { 0xff };
        flip(bytes.get(index).copied().unwrap_or_default()) & mask
    };
    let found = |index: usize| {
        let byte = masked(index);
        (byte != 0).then(|| (bits.start / 8 + index as u64) * 8 + u64::from(byte.leading_zeros()))
    };
    if let Some(found) = found(0) {
        return Some(found);
    }
    let skip = if bit { 0 } else { u64::MAX };
    let skipped = words(bytes.get(1..end).unwrap_or_default()).0.take_while(|word| *word == skip).count() * 8;
    (1 + skipped..=end).find_map(found)
}

/// How strings are combined bit by bit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Operation {
    And,
    Or,
    Xor,
    Not,
    /// The bits of the first that no other has.
    Diff,
    /// The bits of the others that the first does not have.
    Diff1,
    /// The bits of the first that another has, too.
    AndOr,
    /// The bits that exactly one has.
    One,
}

/// How many bytes of all strings are combined at a time: the same string may be named many times, and this much of it
/// stays in the cache.
const PIECE: usize = 4096;

/// Combines strings bit by bit. The result is as long as the longest; shorter ones are padded with zeros. NOT uses
/// only the first.
#[must_use]
pub fn join(operation: Operation, strings: &[&[u8]]) -> Vec<u8> {
    let Some((first, others)) = strings.split_first() else { return Vec::new() };
    if operation == Operation::Not {
        return first.iter().map(|byte| !byte).collect();
    }
    let len = strings.iter().map(|string| string.len()).max().unwrap_or_default();
    let mut result = Vec::with_capacity(len);
    result.extend_from_slice(first);
    result.resize(len, 0);
    // The bits that any of the others has, or of ONE those that two have.
    let mut more = vec![0; len.min(PIECE)];
    for (at, piece) in result.chunks_mut(PIECE).enumerate() {
        more.fill(0);
        for other in others {
            let other = other.get(at * PIECE..).unwrap_or_default();
            let pairs = piece.iter_mut().zip(other);
            match operation {
                Operation::And => {
                    pairs.for_each(|(byte, other)| *byte &= other);
                    piece.iter_mut().skip(other.len()).for_each(|byte| *byte = 0);
                }
                Operation::Or => pairs.for_each(|(byte, other)| *byte |= other),
                Operation::Xor | Operation::Not => pairs.for_each(|(byte, other)| *byte ^= other),
                Operation::Diff => pairs.for_each(|(byte, other)| *byte &= !other),
                Operation::Diff1 | Operation::AndOr => {
                    more.iter_mut().zip(other).for_each(|(byte, other)| *byte |= other);
                }
                Operation::One => pairs.zip(&mut more).for_each(|((byte, other), twice)| {
                    *twice |= *byte & other;
                    *byte |= other;
                }),
            }
        }
        let pairs = piece.iter_mut().zip(&more);
        match operation {
            Operation::Diff1 => pairs.for_each(|(byte, others)| *byte = !*byte & others),
            Operation::AndOr => pairs.for_each(|(byte, others)| *byte &= others),
            Operation::One => pairs.for_each(|(byte, twice)| *byte &= !twice),
            _ => {}
        }
    }
    result
}

/// An integer of up to 64 bits within a string.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// Whether it has a sign.
    pub signed: bool,
    /// From 1 to 63, or 64 with a sign.
    pub bits: u32,
}

/// What happens to an integer that is too great or too small for its field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Overflow {
    /// Its lowest bits are kept.
    #[default]
    Wrap,
    /// It becomes the greatest or the smallest.
    Saturate,
    /// It is not written.
    Fail,
}

impl Field {
    /// The integer at a bit of the string; past the end there are zeros.
    #[must_use]
    pub fn get(self, bytes: &[u8], at: u64) -> i64 {
        let value =
            (0..u64::from(self.bits)).fold(0, |value, bit| value << 1 | u64::from(get(bytes, at + bit)));
        self.wrapped(value)
    }

    /// Writes an integer at a bit of the string, which must be long enough.
    pub fn set(self, bytes: &mut [u8], at: u64, value: i64) {
        for bit in 0..u64::from(self.bits) {
            let shift = u64::from(self.bits) - 1 - bit;
            set(bytes, at + bit, value >> shift & 1 == 1);
        }
    }

    /// The lowest bits of a value as the field reads them.
    fn wrapped(self, value: u64) -> i64 {
        let shift = 64 - self.bits;
        let high = (value << shift).cast_signed();
        if self.signed { high >> shift } else { (high.cast_unsigned() >> shift).cast_signed() }
    }

    /// The sum of a value and an increment, as it is written to the field; `None` if it does not fit and the overflow
    /// is `Fail`. To write a value alone, the increment is 0.
    #[must_use]
    pub fn sum(self, value: i64, increment: i64, overflow: Overflow) -> Option<i64> {
        let (above, below, max, min) = if self.signed {
            let max = i64::MAX >> (64 - self.bits);
            let min = -max - 1;
            // The differences wrap around, as in redis-server, even where that gives a wrong overflow.
            let narrow = self.bits != 64;
            let above = value > max
                || narrow && increment > max.wrapping_sub(value)
                || value >= 0 && increment > 0 && increment > max.wrapping_sub(value);
            let below = value < min
                || narrow && increment < min.wrapping_sub(value)
                || value < 0 && increment < 0 && increment < min.wrapping_sub(value);
            (above, below, max, min)
        } else {
            let max = i64::MAX >> (63 - self.bits);
            let above = value < 0 || value > max || increment > 0 && increment > max.wrapping_sub(value);
            let below = increment < 0 && increment < value.wrapping_neg();
            (above, below, max, 0)
        };
        let wrapped = self.wrapped(value.wrapping_add(increment).cast_unsigned());
        match overflow {
            _ if !above && !below => Some(wrapped),
            Overflow::Wrap => Some(wrapped),
            Overflow::Saturate => Some(if above { max } else { min }),
            Overflow::Fail => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn ranges_of_bits_are_counted_and_searched(bytes: Vec<u8>, start in 0..300_u64, end in 0..300_u64, bit: bool) {
            let len = bytes.len() as u64 * 8;
            let bits = start.min(len)..end.min(len);
            let naive = bits.clone().filter(|at| get(&bytes, *at)).count() as u64;
            prop_assert_eq!(count(&bytes, bits.clone()), naive);
            let naive = bits.clone().find(|at| get(&bytes, *at) == bit);
            prop_assert_eq!(position(&bytes, bits, bit), naive);
        }

        #[test]
        fn every_operation_is_that_of_each_bit(seed: u64, longest in 0..10_000_usize, count in 1..5_usize) {
            let mut random = fastrand::Rng::with_seed(seed);
            let mut string = |_| (0..random.usize(0..=longest)).map(|_| random.u8(..)).collect::<Vec<u8>>();
            let strings: Vec<Vec<u8>> = (0..count).map(&mut string).collect();
            let views: Vec<&[u8]> = strings.iter().map(Vec::as_slice).collect();
            let len = views.iter().map(|view| view.len()).max().unwrap_or_default() as u64 * 8;
            for (operation, rule) in [
                (Operation::And, (|first, others, count| first && others + 1 == count) as fn(bool, usize, usize) -> bool),
                (Operation::Or, |first, others, _| first || others > 0),
                (Operation::Xor, |first, others, _| (usize::from(first) + others) % 2 == 1),
                (Operation::Diff, |first, others, _| first && others == 0),
                (Operation::Diff1, |first, others, _| !first && others > 0),
                (Operation::AndOr, |first, others, _| first && others > 0),
                (Operation::One, |first, others, _| usize::from(first) + others == 1),
            ] {
                let result = join(operation, &views);
                prop_assert_eq!(result.len() as u64 * 8, len);
                for at in (0..len).step_by(7) {
                    let others = views[1..].iter().filter(|view| get(view, at)).count();
                    prop_assert_eq!(get(&result, at), rule(get(views[0], at), others, count), "{:?} {}", operation, at);
                }
            }
        }

        #[test]
        fn what_is_written_to_a_field_is_read_back(value: i64, at in 0..100_u64, bits in 1..64_u32, signed: bool) {
            let field = Field { signed, bits };
            let value = field.wrapped(value.cast_unsigned());
            let mut bytes = vec![0x5a; 24];
            field.set(&mut bytes, at, value);
            prop_assert_eq!(field.get(&bytes, at), value);
            prop_assert_eq!(field.sum(value, 0, Overflow::Fail), Some(value));
        }
    }
}
