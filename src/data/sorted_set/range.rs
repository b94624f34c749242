//! Ranges of a sorted set: by score, and by the bytes of the members.

use std::ops::Bound;

/// A range of scores.
#[derive(Clone, Copy, Debug)]
pub struct ScoreRange {
    /// The lower bound.
    pub min: Bound<f64>,
    /// The upper bound.
    pub max: Bound<f64>,
}

impl ScoreRange {
    /// True if the lower bound allows this score.
    #[must_use]
    pub fn min_allows(&self, score: f64) -> bool {
        match self.min {
            Bound::Included(min) => score >= min,
            Bound::Excluded(min) => score > min,
            Bound::Unbounded => true,
        }
    }

    /// True if the upper bound allows this score.
    #[must_use]
    pub fn max_allows(&self, score: f64) -> bool {
        match self.max {
            Bound::Included(max) => score <= max,
            Bound::Excluded(max) => score < max,
            Bound::Unbounded => true,
        }
    }
}

/// A bound of a range of members by their bytes. `Lowest` and `Highest` can each be either bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LexBound<'a> {
    /// Before all members.
    Lowest,
    /// This member is included.
    Included(&'a [u8]),
    /// This member is excluded.
    Excluded(&'a [u8]),
    /// After all members.
    Highest,
}

impl LexBound<'_> {
    /// True if, as a lower bound, it allows this member.
    #[must_use]
    pub fn at_or_below(&self, member: &[u8]) -> bool {
        match self {
            Self::Lowest => true,
            Self::Included(bound) => member >= *bound,
            Self::Excluded(bound) => member > *bound,
            Self::Highest => false,
        }
    }

    /// True if, as an upper bound, it allows this member.
    #[must_use]
    pub fn at_or_above(&self, member: &[u8]) -> bool {
        match self {
            Self::Lowest => false,
            Self::Included(bound) => member <= *bound,
            Self::Excluded(bound) => member < *bound,
            Self::Highest => true,
        }
    }
}

/// A range of members by their bytes.
#[derive(Clone, Copy, Debug)]
pub struct LexRange<'a> {
    /// The lower bound.
    pub min: LexBound<'a>,
    /// The upper bound.
    pub max: LexBound<'a>,
}

impl LexRange<'_> {
    /// True if no member can lie in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        use LexBound::{Excluded, Highest, Included, Lowest};
        match (self.min, self.max) {
            (Highest, _) | (_, Lowest) => true,
            (Lowest, _) | (_, Highest) => false,
            (Included(min), Included(max)) => min > max,
            (Included(min) | Excluded(min), Included(max) | Excluded(max)) => min >= max,
        }
    }
}
