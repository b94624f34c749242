//! Sorted sets: members with scores, in the order of the scores, and of the bytes of the members where scores are
//! equal.

pub mod combine;
mod range;
mod ranked;
#[cfg(test)]
mod tests;

pub use range::{LexBound, LexRange, ScoreRange};

use std::cmp::Ordering;
use std::ops::Range;

use crate::config::Config;
use crate::data::walk::Walks;
use crate::data::{Bytes, Map, present, sample};
use ranked::Ranked;

/// A sorted set.
///
/// A small one is a sorted array, searched from its beginning; a large one has a table of its members and a
/// sequence of them by rank. The choice between the two follows redis-server's rules, because `OBJECT ENCODING`
/// shows it. A score is never NaN.
#[derive(Debug, Clone, Default)]
pub struct SortedSet {
    form: Form,
    /// The bytes of all members.
    bytes: usize,
}

#[derive(Debug, Clone)]
enum Form {
    Compact(Vec<(f64, Bytes)>),
    Indexed(Box<Indexed>),
}

impl Default for Form {
    fn default() -> Self {
        Self::Compact(Vec::new())
    }
}

/// The limits up to which a sorted set stays compact.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The most members, `zset-max-listpack-entries`.
    pub entries: usize,
    /// The longest member in bytes, `zset-max-listpack-value`.
    pub value: usize,
}

impl From<&Config> for Limits {
    fn from(config: &Config) -> Self {
        Self { entries: config.zset_max_listpack_entries, value: config.zset_max_listpack_value }
    }
}

/// The result of setting the score of a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inserted {
    /// It is new.
    Added,
    /// Its score has changed.
    Updated,
    /// It had that score already; -0 and 0 are the same.
    Unchanged,
}

impl SortedSet {
    /// A sorted set of distinct members that are in order.
    #[must_use]
    pub fn from_sorted(mut entries: Vec<(f64, Bytes)>, limits: Limits) -> Self {
        let bytes = entries.iter().map(|(_, member)| member.len()).sum();
        let is_small =
            entries.len() <= limits.entries && entries.iter().all(|(_, member)| member.len() <= limits.value);
        let form = if is_small {
            for (score, _) in &mut entries {
                *score = compact_score(*score);
            }
            Form::Compact(entries)
        } else {
            Form::Indexed(Box::new(Indexed::new(entries)))
        };
        Self { form, bytes }
    }

    /// The number of members.
    #[must_use]
    pub fn len(&self) -> usize {
        match &self.form {
            Form::Compact(entries) => entries.len(),
            Form::Indexed(indexed) => indexed.members.len(),
        }
    }

    /// True if there is no member.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// True if it is kept as a sorted array.
    #[must_use]
    pub fn is_compact(&self) -> bool {
        matches!(self.form, Form::Compact(_))
    }

    /// The name of the encoding, as OBJECT ENCODING gives it.
    #[must_use]
    pub fn encoding(&self) -> &'static str {
        if self.is_compact() { "listpack" } else { "skiplist" }
    }

    /// How many bytes it takes, itself included, as an estimate.
    #[must_use]
    pub fn memory(&self) -> usize {
        /// The bytes of a member in a table: its hash and its index, with room to grow.
        const IN_TABLE: usize = 24;
        let each =
            size_of::<(f64, Bytes)>() + if self.is_compact() { 0 } else { IN_TABLE + size_of::<Scored>() };
        size_of::<Self>() + self.len() * each + self.bytes
    }

    /// Prepares for `more` members to be inserted, some of which may exist: gives up the compact form if they alone
    /// are too many for it.
    pub fn expect(&mut self, more: usize, limits: Limits) {
        if more > limits.entries {
            self.index();
        }
    }

    /// Gives up the compact form.
    pub fn index(&mut self) {
        if let Form::Compact(entries) = &mut self.form {
            self.form = Form::Indexed(Box::new(Indexed::new(std::mem::take(entries))));
        }
    }

    /// The score of a member.
    #[must_use]
    pub fn score(&self, member: &[u8]) -> Option<f64> {
        match &self.form {
            Form::Compact(entries) => find(entries, member).map(|(_, score)| score),
            Form::Indexed(indexed) => indexed.members.get(member).copied(),
        }
    }

    /// How many members come before this one.
    #[must_use]
    pub fn rank(&self, member: &[u8]) -> Option<usize> {
        match &self.form {
            Form::Compact(entries) => find(entries, member).map(|(rank, _)| rank),
            Form::Indexed(indexed) => {
                let score = *indexed.members.get(member)?;
                Some(indexed.rank(score, member))
            }
        }
    }

    /// The member of this rank, and its score.
    #[must_use]
    pub fn at(&self, rank: usize) -> Option<(&[u8], f64)> {
        match &self.form {
            Form::Compact(entries) => entries.get(rank).map(|(score, member)| (&**member, *score)),
            Form::Indexed(indexed) => indexed.at(rank),
        }
    }

    /// Adds `member` with this score, which is not NaN, or updates its score.
    pub fn insert(&mut self, member: &[u8], score: f64, limits: Limits) -> Inserted {
        let inserted = match &mut self.form {
            Form::Compact(entries) => match find(entries, member) {
                #[allow(clippy::float_cmp)]
                Some((_, old)) if old == score => Inserted::Unchanged,
                Some((rank, _)) => {
                    let (_, member) = entries.remove(rank);
                    insert_compact(entries, score, member);
                    Inserted::Updated
                }
                None if entries.len() < limits.entries && member.len() <= limits.value => {
                    insert_compact(entries, score, member.into());
                    Inserted::Added
                }
                None => {
                    self.index();
                    return self.insert(member, score, limits);
                }
            },
            Form::Indexed(indexed) => indexed.insert(member, score),
        };
        if inserted == Inserted::Added {
            self.bytes += member.len();
        }
        inserted
    }

    /// Removes a member; returns its score.
    pub fn remove(&mut self, member: &[u8]) -> Option<f64> {
        let score = match &mut self.form {
            Form::Compact(entries) => {
                let (rank, score) = find(entries, member)?;
                entries.remove(rank);
                score
            }
            Form::Indexed(indexed) => {
                let (index, _, score) = indexed.members.get_full(member)?;
                let (score, rank) = (*score, indexed.rank(*score, member));
                indexed.remove(rank, index);
                score
            }
        };
        self.bytes -= member.len();
        Some(score)
    }

    /// Removes the members of these ranks.
    pub fn remove_range(&mut self, ranks: Range<usize>) {
        let end = ranks.end.min(self.len());
        let start = ranks.start.min(end);
        match &mut self.form {
            Form::Compact(entries) => {
                self.bytes -= entries.drain(start..end).map(|(_, member)| member.len()).sum::<usize>();
            }
            Form::Indexed(indexed) => {
                for _ in start..end {
                    if let Some(scored) = indexed.order.get(start) {
                        self.bytes -= indexed.remove(start, scored.index);
                    }
                }
            }
        }
    }

    /// The members of these ranks with their scores, from both ends.
    #[must_use]
    pub fn range(&self, ranks: Range<usize>) -> impl DoubleEndedIterator<Item = (&[u8], f64)> + use<'_> {
        let end = ranks.end.min(self.len());
        let ranks = ranks.start.min(end)..end;
        let (compact, indexed) = match &self.form {
            Form::Compact(entries) => (present(entries.get(ranks)).unwrap_or_default(), None),
            Form::Indexed(indexed) => (Default::default(), Some((indexed, indexed.order.range(ranks)))),
        };
        let indexed = indexed.into_iter().flat_map(|(indexed, scored)| {
            scored.filter_map(|scored| Some((indexed.member(scored)?, scored.score)))
        });
        compact.iter().map(|(score, member)| (&**member, *score)).chain(indexed)
    }

    /// One step of ZSCAN: the cursor of the next step, 0 when all is done, and the members to return now with their
    /// scores. A small sorted set is returned as a whole.
    pub fn scan(&mut self, cursor: u64, count: u64) -> (u64, impl Iterator<Item = (&[u8], f64)>) {
        let (next, compact, indexed) = match &mut self.form {
            Form::Compact(entries) => (0, entries.as_slice(), None),
            Form::Indexed(indexed) => {
                let (next, indices) = indexed.walks.step(indexed.members.len(), cursor, count);
                (next, Default::default(), indexed.members.get_range(indices))
            }
        };
        let compact = compact.iter().map(|(score, member)| (&**member, *score));
        let indexed = indexed.into_iter().flatten().map(|(member, score)| (&**member, *score));
        (next, compact.chain(indexed))
    }

    /// `count` different ranks, chosen at random. Those of a small sorted set are in ascending order, as
    /// redis-server samples it in one pass.
    #[must_use]
    pub fn sample(&self, count: usize, random: &mut fastrand::Rng) -> Vec<usize> {
        if self.is_compact() {
            sample::in_order(self.len(), count, random)
        } else {
            sample::in_any_order(self.len(), count, random)
        }
    }

    /// The ranks of the members whose scores lie in a range.
    #[must_use]
    pub fn ranks_by_score(&self, range: &ScoreRange) -> Range<usize> {
        let count = |before: &dyn Fn(f64) -> bool| match &self.form {
            Form::Compact(entries) => entries.partition_point(|(score, _)| before(*score)),
            Form::Indexed(indexed) => indexed.order.partition_point(|scored| before(scored.score)),
        };
        let start = count(&|score| !range.min_allows(score));
        // With bounds that exclude each other the end would come before the start.
        start..count(&|score| range.max_allows(score)).max(start)
    }

    /// The ranks of the members that lie in a range by their bytes. This is meant for members of equal scores. If
    /// the scores differ, a compact sorted set gives the result of redis-server, which reads from the beginning, or
    /// with `from_end` from the end, up to the first member outside of the range, and skips `skipped` members
    /// before that without comparing them.
    #[must_use]
    pub fn ranks_by_lex(&self, range: &LexRange<'_>, from_end: bool, skipped: usize) -> Range<usize> {
        let len = self.len();
        let reaches = |rank: usize, allows: &dyn Fn(&[u8]) -> bool| {
            self.at(rank).is_some_and(|(member, _)| allows(member))
        };
        let min_allows = |member: &[u8]| range.min.at_or_below(member);
        let max_allows = |member: &[u8]| range.max.at_or_above(member);
        if range.is_empty() || !reaches(len.saturating_sub(1), &min_allows) || !reaches(0, &max_allows) {
            return 0..0;
        }
        match &self.form {
            Form::Indexed(indexed) => {
                let count = |before: &dyn Fn(&[u8]) -> bool| {
                    indexed.order.partition_point(|scored| indexed.member(*scored).is_some_and(before))
                };
                let start = count(&|member| !min_allows(member));
                let end = count(&max_allows).max(start);
                let skipped = skipped.min(end - start);
                if from_end { start..end - skipped } else { start + skipped..end }
            }
            Form::Compact(entries) => {
                let outside = |(_, member): &(f64, Bytes)| !(min_allows(member) && max_allows(member));
                if from_end {
                    let last = entries.iter().rposition(|(_, member)| max_allows(member)).unwrap_or(0);
                    if entries.get(last).is_none_or(outside) {
                        return 0..0;
                    }
                    let (left, _) = entries.split_at((last + 1).saturating_sub(skipped));
                    let below = left.iter().rposition(|(_, member)| !min_allows(member));
                    below.map_or(0, |below| below + 1)..left.len()
                } else {
                    let first = entries.iter().position(|(_, member)| min_allows(member)).unwrap_or(len);
                    if entries.get(first).is_none_or(outside) {
                        return 0..0;
                    }
                    let start = first.saturating_add(skipped).min(len);
                    let (_, left) = entries.split_at(start);
                    let above = left.iter().position(|(_, member)| !max_allows(member));
                    start..above.map_or(len, |above| start + above)
                }
            }
        }
    }
}

fn find(entries: &[(f64, Bytes)], member: &[u8]) -> Option<(usize, f64)> {
    // Similar members, such as numbers, differ most often in their last byte; a full comparison is a function call.
    let last = member.last();
    let rank = entries.iter().position(|(_, other)| other.last() == last && **other == *member)?;
    entries.get(rank).map(|(score, _)| (rank, *score))
}

/// Small sorted sets of redis-server store whole numbers as integers, which have no -0.
fn compact_score(score: f64) -> f64 {
    score + 0.0
}

fn insert_compact(entries: &mut Vec<(f64, Bytes)>, score: f64, member: Bytes) {
    let score = compact_score(score);
    let rank = entries.partition_point(|(other, name)| order(*other, name, score, &member).is_lt());
    entries.insert(rank, (score, member));
}

/// The order of two members.
fn order(score: f64, member: &[u8], other_score: f64, other: &[u8]) -> Ordering {
    score.partial_cmp(&other_score).unwrap_or(Ordering::Equal).then_with(|| member.cmp(other))
}

/// The form of large sorted sets.
#[derive(Debug, Clone)]
struct Indexed {
    /// The score of each member.
    members: Map<Bytes, f64>,
    /// All members in their order.
    order: Ranked<Scored>,
    /// The walks of ZSCAN.
    walks: Walks,
}

/// A member in the order.
#[derive(Debug, Clone, Copy)]
struct Scored {
    score: f64,
    /// Where in the table it is.
    index: usize,
}

impl Indexed {
    /// Made of entries that are in order.
    fn new(entries: Vec<(f64, Bytes)>) -> Self {
        let mut order = Ranked::default();
        for (index, (score, _)) in entries.iter().enumerate() {
            order.insert(index, Scored { score: *score, index });
        }
        let members = entries.into_iter().map(|(score, member)| (member, score)).collect();
        Self { members, order, walks: Walks::default() }
    }

    fn member(&self, scored: Scored) -> Option<&[u8]> {
        self.members.get_index(scored.index).map(|(member, _)| &**member)
    }

    fn at(&self, rank: usize) -> Option<(&[u8], f64)> {
        let scored = self.order.get(rank)?;
        Some((self.member(scored)?, scored.score))
    }

    /// How many members come before this one with this score, whether it exists or not.
    fn rank(&self, score: f64, member: &[u8]) -> usize {
        self.order.partition_point(|scored| match scored.score.partial_cmp(&score) {
            Some(Ordering::Equal) => self.member(*scored) < Some(member),
            order => order == Some(Ordering::Less),
        })
    }

    fn insert(&mut self, member: &[u8], score: f64) -> Inserted {
        let known = self.members.get_full(member).map(|(index, _, old)| (index, *old));
        match known {
            #[allow(clippy::float_cmp)]
            Some((_, old)) if old == score => Inserted::Unchanged,
            Some((index, old)) => {
                self.order.remove(self.rank(old, member));
                self.order.insert(self.rank(score, member), Scored { score, index });
                if let Some((_, stored)) = self.members.get_index_mut(index) {
                    *stored = score;
                }
                Inserted::Updated
            }
            None => {
                let rank = self.rank(score, member);
                let (index, _) = self.members.insert_full(member.into(), score);
                self.order.insert(rank, Scored { score, index });
                Inserted::Added
            }
        }
    }

    /// Removes the member of this rank, which is at `index` of the table; returns how many bytes it had.
    fn remove(&mut self, rank: usize, mut index: usize) -> usize {
        self.order.remove(rank);
        while let Some(from) = self.walks.filler(index) {
            self.takes_over(from, index);
            self.members.swap_indices(index, from);
            index = from;
        }
        let last = self.members.len().saturating_sub(1);
        if index != last {
            self.takes_over(last, index);
        }
        self.members.swap_remove_index(index).map_or(0, |(member, _)| member.len())
    }

    /// Updates the order: the member at `from` of the table moves to `to`.
    fn takes_over(&mut self, from: usize, to: usize) {
        if let Some((member, score)) = self.members.get_index(from) {
            let (score, rank) = (*score, self.rank(*score, member));
            self.order.set(rank, Scored { score, index: to });
        }
    }
}
