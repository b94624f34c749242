//! Unions, intersections and differences of sorted sets. A set counts as a sorted set whose members all have the
//! score 1.

use std::borrow::Cow;
use std::ops::ControlFlow;

use super::{SortedSet, order};
use crate::data::set::Member;
use crate::data::{Map, Set, Value};

/// The members of an operand.
#[derive(Clone, Copy, Debug)]
pub enum Members<'a> {
    /// A key that does not exist.
    None,
    /// A set.
    Set(&'a Set),
    /// A sorted set.
    SortedSet(&'a SortedSet),
}

/// An operand, and the factor by which its scores are multiplied.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    /// The members.
    pub members: Members<'a>,
    /// The factor.
    pub weight: f64,
}

/// How the scores of one member in several sources are combined.
#[derive(Clone, Copy, Debug, Default)]
pub enum Aggregate {
    /// They are added up.
    #[default]
    Sum,
    /// The lowest counts.
    Min,
    /// The highest counts.
    Max,
}

/// Members with their scores, in the order of a sorted set.
pub type Combined<'a> = Vec<(f64, Cow<'a, [u8]>)>;

impl<'a> Members<'a> {
    /// The members of a value, if it is a set or a sorted set.
    #[must_use]
    pub fn of(value: &'a Value) -> Option<Self> {
        match value {
            Value::Set(set) => Some(Self::Set(set)),
            Value::SortedSet(set) => Some(Self::SortedSet(set)),
            _ => None,
        }
    }

    fn len(self) -> usize {
        match self {
            Self::None => 0,
            Self::Set(set) => set.len(),
            Self::SortedSet(set) => set.len(),
        }
    }

    fn score(self, member: &[u8]) -> Option<f64> {
        match self {
            Self::None => None,
            Self::Set(set) => set.contains(member).then_some(1.0),
            Self::SortedSet(set) => set.score(member),
        }
    }

    fn iter(self) -> impl Iterator<Item = (Cow<'a, [u8]>, f64)> {
        let (set, sorted) = match self {
            Self::None => (None, None),
            Self::Set(set) => (Some(set), None),
            Self::SortedSet(set) => (None, Some(set)),
        };
        let of_set = set.into_iter().flat_map(Set::iter).map(|member| match member {
            Member::Integer(integer) => Cow::Owned(itoa::Buffer::new().format(integer).as_bytes().to_vec()),
            Member::Bytes(bytes) => Cow::Borrowed(bytes),
        });
        let of_sorted = sorted.into_iter().flat_map(|set| set.range(0..usize::MAX));
        of_set
            .map(|member| (member, 1.0))
            .chain(of_sorted.map(|(member, score)| (Cow::Borrowed(member), score)))
    }
}

impl Aggregate {
    /// Adds one more score. The sum of the two infinities is 0.
    fn add(self, total: &mut f64, score: f64) {
        *total = match self {
            Self::Sum => not_nan(*total + score),
            // Written this way, a NaN score changes nothing.
            Self::Min if score < *total => score,
            Self::Max if score > *total => score,
            Self::Min | Self::Max => *total,
        }
    }
}

fn not_nan(score: f64) -> f64 {
    if score.is_nan() { 0.0 } else { score }
}

/// Puts members into their order.
fn sorted<'a>(members: impl Iterator<Item = (Cow<'a, [u8]>, f64)>) -> Combined<'a> {
    let mut all: Combined<'a> = members.map(|(member, score)| (score, member)).collect();
    all.sort_unstable_by(|(score, member), (other_score, other)| order(*score, member, *other_score, other));
    all
}

/// The members that any of the sources has.
#[must_use]
pub fn union<'a>(sources: &[Source<'a>], aggregate: Aggregate) -> Combined<'a> {
    let mut all: Map<Cow<'a, [u8]>, f64> = Map::default();
    for source in smallest_first(sources) {
        for (member, score) in source.members.iter() {
            let score = not_nan(score * source.weight);
            all.entry(member).and_modify(|total| aggregate.add(total, score)).or_insert(score);
        }
    }
    sorted(all.into_iter())
}

/// The members that all of the sources have.
#[must_use]
pub fn intersection<'a>(sources: &[Source<'a>], aggregate: Aggregate) -> Combined<'a> {
    let mut all = Vec::new();
    let _: ControlFlow<()> = each_common(sources, aggregate, |member, score| {
        all.push((member, score));
        ControlFlow::Continue(())
    });
    sorted(all.into_iter())
}

/// How many members all of the sources have, counted up to `limit`.
#[must_use]
pub fn intersection_len(sources: &[Source<'_>], limit: usize) -> usize {
    let mut found = 0;
    let _: ControlFlow<()> = each_common(sources, Aggregate::Sum, |_, _| {
        found += 1;
        if found < limit { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    });
    found
}

/// Calls `take` for every member that all of the sources have, until it breaks.
fn each_common<'a>(
    sources: &[Source<'a>],
    aggregate: Aggregate,
    mut take: impl FnMut(Cow<'a, [u8]>, f64) -> ControlFlow<()>,
) -> ControlFlow<()> {
    let sources = smallest_first(sources);
    let Some((smallest, others)) = sources.split_first() else { return ControlFlow::Continue(()) };
    'members: for (member, score) in smallest.members.iter() {
        let mut total = not_nan(score * smallest.weight);
        for other in others {
            let Some(score) = other.members.score(&member) else { continue 'members };
            aggregate.add(&mut total, score * other.weight);
        }
        take(member, total)?;
    }
    ControlFlow::Continue(())
}

/// The members of the first source that no other has. Weights do not count.
#[must_use]
pub fn difference<'a>(sources: &[Source<'a>]) -> Combined<'a> {
    let Some((first, others)) = sources.split_first() else { return Vec::new() };
    let lookups = first.members.len().saturating_mul(others.len());
    let removals: usize = others.iter().map(|other| other.members.len()).sum();
    if lookups <= removals {
        let absent = |member: &[u8]| others.iter().all(|other| other.members.score(member).is_none());
        return sorted(first.members.iter().filter(|(member, _)| absent(member)));
    }
    let mut left: Map<Cow<'a, [u8]>, f64> = first.members.iter().collect();
    for other in others {
        for (member, _) in other.members.iter() {
            left.swap_remove(&member);
        }
    }
    sorted(left.into_iter())
}

/// The order in which redis-server adds up, which the last digit of a sum may depend on.
fn smallest_first<'a>(sources: &[Source<'a>]) -> Vec<Source<'a>> {
    let mut sources = sources.to_vec();
    sources.sort_by_key(|source| source.members.len());
    sources
}
