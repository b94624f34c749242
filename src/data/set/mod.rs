//! Sets.

mod combine;
mod random;

pub use combine::{difference, intersection, union};

use std::ops::Range;

use crate::config::{Config, Version};
use crate::data::walk::Walks;
use crate::data::{Bytes, IndexSet};
use crate::resp::parse_integer;

/// When a set changes its encoding.
#[derive(Clone, Copy, Debug)]
pub struct SetLimits {
    /// `set-max-intset-entries`.
    integers: usize,
    /// `set-max-listpack-entries`.
    entries: usize,
    /// `set-max-listpack-value`: bytes of a member.
    value: usize,
}

impl SetLimits {
    /// How many members a listpack has at most.
    pub(super) fn entries(self) -> usize {
        self.entries
    }

    /// The most members of redis-server's intsets, whatever the setting says.
    const INTEGERS_MAX: usize = 1 << 30;

    /// The limits that the settings give.
    #[must_use]
    pub fn of(config: &Config) -> Self {
        Self {
            integers: config.set_max_intset_entries,
            // Sets have no listpacks before Redis 7.2.
            entries: if config.compat < Version::Redis7_4 { 0 } else { config.set_max_listpack_entries },
            value: config.set_max_listpack_value,
        }
    }
}

/// A set, kept in one of redis-server's encodings, because clients see the order of the small ones. A set that
/// outgrows the limits changes to a later one of these encodings, and never back.
#[derive(Debug, Clone)]
pub enum Set {
    /// An intset: members that are integers, in ascending order.
    Integers(Vec<i64>),
    /// A listpack: few short members, in the order of insertion.
    Listed(IndexSet<Bytes>),
    /// A hash table: in any order.
    Hashed(Table),
}

/// The members of a set in a hash table.
#[derive(Debug, Clone, Default)]
pub struct Table {
    members: IndexSet<Bytes>,
    /// The walks of SSCAN.
    walks: Walks,
}

impl Table {
    /// Removes the member at an index.
    fn remove_at(&mut self, mut index: usize) -> Option<Bytes> {
        while let Some(from) = self.walks.filler(index) {
            self.members.swap_indices(index, from);
            index = from;
        }
        self.members.swap_remove_index(index)
    }
}

impl From<IndexSet<Bytes>> for Table {
    fn from(members: IndexSet<Bytes>) -> Self {
        Self { members, walks: Walks::default() }
    }
}

/// A member of a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Member<'a> {
    /// An integer, which is written in decimal digits.
    Integer(i64),
    /// Any bytes.
    Bytes(&'a [u8]),
}

impl<'a> Member<'a> {
    /// The text of the member; the digits of an integer are written to the buffer.
    #[must_use]
    pub fn text<'b>(self, digits: &'b mut itoa::Buffer) -> &'b [u8]
    where
        'a: 'b,
    {
        match self {
            Self::Integer(integer) => digits.format(integer).as_bytes(),
            Self::Bytes(bytes) => bytes,
        }
    }
}

impl Default for Set {
    fn default() -> Self {
        Self::Integers(Vec::new())
    }
}

impl Set {
    /// The number of members.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Integers(members) => members.len(),
            Self::Listed(members) | Self::Hashed(Table { members, .. }) => members.len(),
        }
    }

    /// True if there is no member: the set must not stay in the keyspace.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The name of the encoding, as OBJECT ENCODING gives it.
    #[must_use]
    pub fn encoding(&self) -> &'static str {
        match self {
            Self::Integers(_) => "intset",
            Self::Listed(_) => "listpack",
            Self::Hashed(_) => "hashtable",
        }
    }

    /// All members.
    pub fn iter(&self) -> impl Iterator<Item = Member<'_>> {
        let (integers, others) = match self {
            Self::Integers(members) => (members.as_slice(), None),
            Self::Listed(members) | Self::Hashed(Table { members, .. }) => (&[][..], Some(members)),
        };
        let integers = integers.iter().map(|member| Member::Integer(*member));
        integers.chain(others.into_iter().flatten().map(|member| Member::Bytes(member)))
    }

    /// True if it is a member.
    #[must_use]
    pub fn contains(&self, member: &[u8]) -> bool {
        match self {
            Self::Integers(members) => {
                parse_integer(member).is_some_and(|member| members.binary_search(&member).is_ok())
            }
            Self::Listed(members) | Self::Hashed(Table { members, .. }) => members.contains(member),
        }
    }

    /// True if a member of another set is also a member of this one.
    #[must_use]
    pub fn has(&self, member: Member<'_>) -> bool {
        match (self, member) {
            (Self::Integers(members), Member::Integer(integer)) => members.binary_search(&integer).is_ok(),
            _ => self.contains(member.text(&mut itoa::Buffer::new())),
        }
    }

    /// The member at an index from 0 on, in the order of [`Set::iter`].
    #[must_use]
    pub fn at(&self, index: usize) -> Option<Member<'_>> {
        match self {
            Self::Integers(members) => members.get(index).map(|member| Member::Integer(*member)),
            Self::Listed(members) | Self::Hashed(Table { members, .. }) => {
                members.get_index(index).map(|member| Member::Bytes(member))
            }
        }
    }

    /// One step of SSCAN: the cursor of the next step, 0 when all is done, and the indices of the members to
    /// return now. A small set is returned as a whole.
    #[must_use]
    pub fn scan(&mut self, cursor: u64, count: u64) -> (u64, Range<usize>) {
        match self {
            Self::Hashed(table) => table.walks.step(table.members.len(), cursor, count),
            Self::Integers(_) | Self::Listed(_) => (0, 0..self.len()),
        }
    }

    /// Announces that one command is going to add `count` members, possibly the same one several times:
    /// redis-server chooses the encoding by their number, and for a new set by the first of them.
    pub fn expect(&mut self, members: usize, first: &[u8], limits: SetLimits) {
        if self.is_empty() {
            *self = if members <= limits.integers && parse_integer(first).is_some() {
                Self::default()
            } else if members <= limits.entries {
                Self::Listed(IndexSet::default())
            } else {
                Self::Hashed(Table::default())
            };
            return;
        }
        let limit = match self {
            Self::Integers(_) => limits.integers,
            Self::Listed(_) => limits.entries,
            Self::Hashed(_) => return,
        };
        if members > limit {
            self.become_hashed();
        }
    }

    /// Adds a member; true if it is new.
    pub fn add(&mut self, member: &[u8], limits: SetLimits) -> bool {
        if let Self::Integers(members) = self {
            if let Some(integer) = parse_integer(member) {
                let Err(index) = members.binary_search(&integer) else { return false };
                members.insert(index, integer);
                if members.len() > limits.integers.min(SetLimits::INTEGERS_MAX) {
                    self.become_hashed();
                }
                return true;
            }
            let fits = members.len() < limits.entries
                && member.len() <= limits.value
                && longest(members) <= limits.value;
            if fits {
                *self = Self::Listed(self.take_all());
            } else {
                self.become_hashed();
            }
        }
        if let Self::Listed(members) = self {
            if members.contains(member) {
                return false;
            }
            if members.len() >= limits.entries || member.len() > limits.value {
                self.become_hashed();
            }
        }
        match self {
            Self::Listed(members) | Self::Hashed(Table { members, .. }) => {
                // A lookup first, so that nothing is allocated for an existing member.
                !members.contains(member) && members.insert(member.into())
            }
            Self::Integers(_) => false,
        }
    }

    /// Removes a member; false if it is not a member.
    pub fn remove(&mut self, member: &[u8]) -> bool {
        match self {
            Self::Integers(members) => {
                let index = parse_integer(member).and_then(|member| members.binary_search(&member).ok());
                index.map(|index| members.remove(index)).is_some()
            }
            Self::Listed(members) => members.shift_remove(member),
            Self::Hashed(table) if table.walks.is_empty() => table.members.swap_remove(member),
            Self::Hashed(table) => {
                let index = table.members.get_index_of(member);
                index.and_then(|index| table.remove_at(index)).is_some()
            }
        }
    }

    /// Becomes an intset if all members are integers, and there are few enough of them.
    fn become_integers(&mut self, limits: SetLimits) {
        let (Self::Listed(members) | Self::Hashed(Table { members, .. })) = &*self else { return };
        if members.len() > limits.integers.min(SetLimits::INTEGERS_MAX) {
            return;
        }
        let integers: Option<Vec<i64>> = members.iter().map(|member| parse_integer(member)).collect();
        if let Some(mut integers) = integers {
            integers.sort_unstable();
            *self = Self::Integers(integers);
        }
    }

    fn become_hashed(&mut self) {
        *self = Self::Hashed(self.take_all().into());
    }

    /// All members in their order; the set is empty afterwards.
    fn take_all(&mut self) -> IndexSet<Bytes> {
        match std::mem::take(self) {
            Self::Integers(members) => {
                let mut digits = itoa::Buffer::new();
                members.into_iter().map(|member| digits.format(member).as_bytes().into()).collect()
            }
            Self::Listed(members) | Self::Hashed(Table { members, .. }) => members,
        }
    }
}

/// The length of the longest of some integers in ascending order, written in decimal.
fn longest(sorted: &[i64]) -> usize {
    let ends = [sorted.first(), sorted.last()];
    ends.into_iter()
        .flatten()
        .map(|member| itoa::Buffer::new().format(*member).len())
        .max()
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: SetLimits = SetLimits { integers: 4, entries: 3, value: 5 };

    fn set_of(members: &[&str]) -> Set {
        let mut set = Set::default();
        set.expect(1, members.first().unwrap_or(&"").as_bytes(), LIMITS);
        for member in members {
            set.add(member.as_bytes(), LIMITS);
        }
        set
    }

    fn texts(set: &Set) -> Vec<String> {
        let text = |member| match member {
            Member::Integer(integer) => integer.to_string(),
            Member::Bytes(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        };
        set.iter().map(text).collect()
    }

    #[test]
    fn integers_are_sorted_and_others_keep_their_order() {
        let set = set_of(&["10", "-3", "7", "10"]);
        assert_eq!((set.encoding(), texts(&set)), ("intset", vec!["-3".into(), "7".into(), "10".into()]));
        let mut set = set_of(&["9", "2", "b"]);
        assert_eq!((set.encoding(), texts(&set)), ("listpack", vec!["2".into(), "9".into(), "b".into()]));
        assert!(set.remove(b"2") && set.add(b"1", LIMITS));
        assert_eq!(texts(&set), ["9", "b", "1"]);
    }

    #[test]
    fn what_outgrows_a_limit_is_hashed_for_good() {
        for members in
            [&["1", "2", "3", "4", "5"][..], &["1", "2", "3", "b"], &["a", "b", "c", "d"], &["a", "123456"]]
        {
            let mut set = set_of(members);
            assert_eq!(set.encoding(), "hashtable", "{members:?}");
            assert_eq!(set.len(), members.len());
            assert!(members.iter().all(|member| set.contains(member.as_bytes())));
            assert!(members.iter().skip(1).all(|member| set.remove(member.as_bytes())));
            assert_eq!(set.encoding(), "hashtable");
        }
        // Long integers among others.
        assert_eq!(set_of(&["123456", "a"]).encoding(), "hashtable");
        assert_eq!(set_of(&["01", "1"]).encoding(), "listpack");
    }

    #[test]
    fn the_number_of_members_in_one_command_decides_beforehand() {
        let encoding = |count, first: &str| {
            let mut set = Set::default();
            set.expect(count, first.as_bytes(), LIMITS);
            set.encoding()
        };
        assert_eq!(encoding(4, "1"), "intset");
        assert_eq!(encoding(5, "1"), "hashtable");
        assert_eq!(encoding(3, "a"), "listpack");
        assert_eq!(encoding(4, "a"), "hashtable");
        let mut set = set_of(&["1"]);
        set.expect(5, b"1", LIMITS);
        assert_eq!(set.encoding(), "hashtable");
        assert!(set.contains(b"1"));
    }

    fn large(members: usize) -> Set {
        let mut set = Set::default();
        (0..members).for_each(|member| assert!(set.add(format!("m{member}").as_bytes(), LIMITS)));
        assert_eq!(set.encoding(), "hashtable");
        set
    }

    #[test]
    fn a_scan_returns_every_member_that_stays_and_none_twice() {
        for seed in 0..200 {
            let mut random = fastrand::Rng::with_seed(seed);
            let mut set = large(random.usize(50..120));
            let mut staying: std::collections::HashSet<String> = texts(&set).into_iter().collect();
            let mut returned = std::collections::HashSet::new();
            let mut cursor = 0;
            for step in 0.. {
                let (next, indices) = set.scan(cursor, random.u64(1..12));
                for index in indices {
                    let member = set.at(index).unwrap();
                    let text = String::from_utf8_lossy(member.text(&mut itoa::Buffer::new())).into_owned();
                    assert!(returned.insert(text), "seed {seed}: returned twice");
                }
                cursor = next;
                if cursor == 0 {
                    break;
                }
                for change in 0..random.u8(0..4) {
                    let many = random.usize(1..=set.len() / 10 + 1).min(set.len());
                    let popped: Vec<Bytes> = match random.u8(0..8) {
                        0..4 => {
                            set.add(format!("new {step} {change}").as_bytes(), LIMITS);
                            continue;
                        }
                        4 => set.pop(&mut random).into_iter().collect(),
                        5 if set.len() > 80 => set.leave(set.len() - many, &mut random, LIMITS),
                        _ if many < set.len() => set.pop_many(many, &mut random, LIMITS),
                        _ => continue,
                    };
                    for member in popped {
                        staying.remove(&*String::from_utf8_lossy(&member));
                    }
                }
            }
            assert!(staying.is_subset(&returned), "seed {seed}");
        }
    }

    #[test]
    fn what_is_popped_is_gone_and_the_rest_stays() {
        let mut random = fastrand::Rng::with_seed(1);
        for members in
            [&["1", "2", "3", "4"][..], &["a", "3", "c"], &["a", "b", "c", "d", "5", "6", "7", "8", "9"]]
        {
            for count in 1..members.len() {
                let mut set = set_of(members);
                let popped = set.pop_many(count, &mut random, LIMITS);
                assert_eq!(popped.len(), count);
                let mut all = texts(&set);
                all.extend(popped.iter().map(|member| String::from_utf8_lossy(member).into_owned()));
                all.sort();
                let mut expected: Vec<String> = members.iter().map(|member| (*member).to_owned()).collect();
                expected.sort();
                assert_eq!(all, expected);
            }
        }
    }

    #[test]
    fn a_sample_takes_every_place_equally_often() {
        const ROUNDS: usize = 10_000;
        let mut random = fastrand::Rng::with_seed(1);
        let set = large(10);
        let mut taken = [0; 10];
        for _ in 0..ROUNDS {
            let indices = set.sample(3, &mut random);
            assert_eq!(indices.iter().collect::<std::collections::HashSet<_>>().len(), 3);
            for index in indices {
                taken[index] += 1;
            }
        }
        let expected = ROUNDS * 3 / 10;
        assert!(
            taken.iter().all(|count| (expected * 9 / 10..expected * 11 / 10).contains(count)),
            "{taken:?}"
        );
    }
}
