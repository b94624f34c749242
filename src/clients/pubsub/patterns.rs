//! Which of many patterns may match a channel, without trying each.

use crate::data::present;
use std::collections::BTreeMap;

use crate::data::{Bytes, IndexSet, Map};

/// The bytes with a special meaning in a pattern.
const SPECIAL: &[u8] = b"*?[]\\";

/// Patterns by the beginning or end that a channel must have to match them.
///
/// redis-server tries every pattern with every message. Here only those patterns are tried whose beginning the channel
/// has (`room:17:` of `room:17:*`), or whose end it has (`:typing` of `*:typing`), and those that have neither. Only
/// the number of these last ones, and the number of lengths of the beginnings and ends, remain linear.
#[derive(Debug, Default)]
pub struct Patterns {
    by_head: ByPart,
    by_tail: ByPart,
    others: IndexSet<Bytes>,
}

/// Patterns by a part of their text.
#[derive(Debug, Default)]
struct ByPart {
    patterns: Map<Bytes, IndexSet<Bytes>>,
    /// How many different parts there are of each length.
    lengths: BTreeMap<usize, usize>,
}

/// The part by which a pattern is found.
enum Part<'a> {
    Head(&'a [u8]),
    Tail(&'a [u8]),
    Neither,
}

/// The part that every text has that the pattern matches.
fn part(pattern: &[u8]) -> Part<'_> {
    let is_special = |byte: &u8| SPECIAL.contains(byte);
    let head = pattern.iter().position(is_special).unwrap_or(pattern.len());
    if head > 0 {
        return Part::Head(&pattern[..head]);
    }
    // A class that is not closed extends to the end of the pattern.
    let tail = pattern.iter().rposition(is_special).map_or(0, |last| last + 1);
    if tail == pattern.len() || pattern.contains(&b'[') {
        return Part::Neither;
    }
    Part::Tail(&pattern[tail..])
}

impl ByPart {
    fn insert(&mut self, part: &[u8], pattern: &[u8]) {
        if let Some(patterns) = self.patterns.get_mut(part) {
            patterns.insert(pattern.into());
        } else {
            self.patterns.insert(part.into(), IndexSet::from_iter([pattern.into()]));
            *self.lengths.entry(part.len()).or_default() += 1;
        }
    }

    fn remove(&mut self, part: &[u8], pattern: &[u8]) {
        let Some(patterns) = present(self.patterns.get_mut(part)) else { return };
        patterns.swap_remove(pattern);
        if !patterns.is_empty() {
            return;
        }
        self.patterns.swap_remove(part);
        if let Some(count) = self.lengths.get_mut(&part.len()) {
            *count -= 1;
            if *count == 0 {
                self.lengths.remove(&part.len());
            }
        }
    }

    /// All patterns whose part equals the part that `part_of` finds in a channel of this length.
    fn of<'a>(
        &'a self,
        channel_len: usize,
        part_of: impl Fn(usize) -> &'a [u8],
    ) -> impl Iterator<Item = &'a Bytes> {
        let lengths = self.lengths.range(..=channel_len).map(|(length, _)| *length);
        lengths.filter_map(move |length| self.patterns.get(part_of(length))).flatten()
    }
}

impl Patterns {
    /// Adds a pattern that has got its first subscriber.
    pub fn insert(&mut self, pattern: &[u8]) {
        match part(pattern) {
            Part::Head(head) => self.by_head.insert(head, pattern),
            Part::Tail(tail) => self.by_tail.insert(tail, pattern),
            Part::Neither => drop(self.others.insert(pattern.into())),
        }
    }

    /// Removes a pattern without subscribers.
    pub fn remove(&mut self, pattern: &[u8]) {
        match part(pattern) {
            Part::Head(head) => self.by_head.remove(head, pattern),
            Part::Tail(tail) => self.by_tail.remove(tail, pattern),
            Part::Neither => drop(self.others.swap_remove(pattern)),
        }
    }

    /// The patterns that may match a channel, in no particular order.
    pub fn candidates<'a>(&'a self, channel: &'a [u8]) -> impl Iterator<Item = &'a Bytes> {
        let heads = self.by_head.of(channel.len(), |length| &channel[..length]);
        let tails = self.by_tail.of(channel.len(), |length| &channel[channel.len() - length..]);
        heads.chain(tails).chain(&self.others)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::data::pattern::matches;

    proptest! {
        /// Few letters, so that many patterns match.
        #[test]
        fn whatever_matches_is_a_candidate(
            patterns in proptest::collection::vec(r"[ab*?\[\]\\^-]{0,6}", 1..20),
            channel in "[ab*\\]]{0,6}",
            removed in any::<proptest::sample::Index>(),
        ) {
            let mut index = Patterns::default();
            let mut all: IndexSet<Bytes> = IndexSet::default();
            for pattern in &patterns {
                index.insert(pattern.as_bytes());
                all.insert(pattern.as_bytes().into());
            }
            let gone = &patterns[removed.index(patterns.len())];
            index.remove(gone.as_bytes());
            all.swap_remove(gone.as_bytes());
            let candidates: Vec<&Bytes> = index.candidates(channel.as_bytes()).collect();
            prop_assert!(candidates.iter().all(|pattern| all.contains(*pattern)));
            for pattern in all.iter().filter(|pattern| matches(pattern, channel.as_bytes(), false)) {
                prop_assert_eq!(candidates.iter().filter(|other| **other == pattern).count(), 1);
            }
        }
    }

    #[test]
    fn what_begins_or_ends_otherwise_is_not_tried() {
        let mut index = Patterns::default();
        for number in 0..1000 {
            index.insert(format!("room:{number}:*").as_bytes());
            index.insert(format!("*:user:{number}").as_bytes());
        }
        index.insert(b"*");
        assert_eq!(index.candidates(b"room:7:user:9").count(), 3);
        assert_eq!(index.candidates(b"lobby").count(), 1);
        for number in 0..1000 {
            index.remove(format!("room:{number}:*").as_bytes());
        }
        assert!(index.by_head.patterns.is_empty() && index.by_head.lengths.is_empty());
    }
}
