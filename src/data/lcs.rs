//! The longest common subsequence of two strings.

use crate::data::present;
use std::ops::Range;

/// The lengths of the longest common subsequences of all prefixes of two strings.
pub struct Lcs<'a> {
    one: &'a [u8],
    other: &'a [u8],
    /// For each prefix of `one` the lengths with all prefixes of `other`, row by row.
    lengths: Vec<u32>,
}

/// A part of the subsequence that is contiguous in both strings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Match {
    /// Where it starts in the first string.
    pub one: usize,
    /// Where it starts in the second string.
    pub other: usize,
    /// Its length.
    pub len: usize,
}

impl Match {
    /// The position in the first string.
    #[must_use]
    pub fn range(&self) -> Range<usize> {
        self.one..self.one + self.len
    }
}

impl<'a> Lcs<'a> {
    /// How many bytes the table for two strings of these lengths takes.
    #[must_use]
    pub fn memory(one: usize, other: usize) -> Option<usize> {
        one.checked_add(1)?.checked_mul(other.checked_add(1)?)?.checked_mul(size_of::<u32>())
    }

    /// Compares two strings of less than 2^32 bytes.
    #[must_use]
    pub fn new(one: &'a [u8], other: &'a [u8]) -> Self {
        let width = other.len() + 1;
        let mut lengths = vec![0_u32; (one.len() + 1) * width];
        let (mut above, mut rows) = lengths.split_at_mut(width);
        for byte in one {
            let (row, rest) = rows.split_at_mut(width);
            let mut left = 0;
            for ((cell, pair), second) in row[1..].iter_mut().zip(above.windows(2)).zip(other) {
                left = if byte == second { pair[0] + 1 } else { pair[1].max(left) };
                *cell = left;
            }
            (above, rows) = (row, rest);
        }
        Self { one, other, lengths }
    }

    fn at(&self, one: usize, other: usize) -> u32 {
        present(self.lengths.get(one * (self.other.len() + 1) + other)).copied().unwrap_or_default()
    }

    /// The length of the subsequence.
    #[must_use]
    pub fn len(&self) -> usize {
        self.at(self.one.len(), self.other.len()) as usize
    }

    /// True if the strings have nothing in common.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The parts of the subsequence, the last first. Of several subsequences of the same length, it is the one
    /// that redis-server finds.
    #[must_use]
    pub fn matches(&self) -> Vec<Match> {
        let mut matches = Vec::new();
        let mut current: Option<Match> = None;
        let (mut one, mut other) = (self.one.len(), self.other.len());
        while one > 0 && other > 0 {
            if self.one[one - 1] == self.other[other - 1] {
                (one, other) = (one - 1, other - 1);
                let len = current.map_or(0, |current| current.len) + 1;
                current = Some(Match { one, other, len });
            } else {
                matches.extend(current.take());
                if self.at(one - 1, other) > self.at(one, other - 1) {
                    one -= 1;
                } else {
                    other -= 1;
                }
            }
        }
        matches.extend(current);
        matches
    }

    /// The subsequence itself.
    #[must_use]
    pub fn subsequence(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.len());
        for piece in self.matches().iter().rev() {
            bytes.extend_from_slice(present(self.one.get(piece.range())).unwrap_or_default());
        }
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_found_from_the_end() {
        let lcs = Lcs::new(b"ohmytext", b"mynewtext");
        assert_eq!(lcs.subsequence(), b"mytext");
        let matches = [Match { one: 4, other: 5, len: 4 }, Match { one: 2, other: 0, len: 2 }];
        assert_eq!((lcs.matches().as_slice(), lcs.len()), (matches.as_slice(), 6));
        assert!(Lcs::new(b"", b"a").is_empty() && Lcs::new(b"ab", b"").subsequence().is_empty());
    }
}
