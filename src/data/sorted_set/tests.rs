//! The sorted set against a sorted vector.

use std::collections::HashSet;
use std::ops::Bound;

use proptest::prelude::*;

use super::*;

/// So small that both forms occur.
const LIMITS: Limits = Limits { entries: 12, value: 3 };

type Model = Vec<(f64, Vec<u8>)>;

#[derive(Clone, Debug)]
enum Step {
    Insert(Vec<u8>, f64),
    Remove(Vec<u8>),
    RemoveRange(usize, usize),
    ByScore(ScoreRange),
}

fn member() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        8 => (0..40u8).prop_map(|number| number.to_string().into_bytes()),
        1 => prop::collection::vec(any::<u8>(), 0..5),
    ]
}

fn score() -> impl Strategy<Value = f64> {
    prop_oneof![
        4 => (-3..4i8).prop_map(f64::from),
        1 => prop::sample::select(vec![-0.0, 0.5, f64::INFINITY, f64::NEG_INFINITY, f64::MIN_POSITIVE]),
    ]
}

fn bound() -> impl Strategy<Value = Bound<f64>> {
    prop_oneof![score().prop_map(Bound::Included), score().prop_map(Bound::Excluded), Just(Bound::Unbounded),]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (member(), score()).prop_map(|(member, score)| Step::Insert(member, score)),
        2 => member().prop_map(Step::Remove),
        1 => (0..40usize, 0..4usize).prop_map(|(start, count)| Step::RemoveRange(start, start + count)),
        1 => (bound(), bound()).prop_map(|(min, max)| Step::ByScore(ScoreRange { min, max })),
    ]
}

fn sort(model: &mut Model) {
    model.sort_by(|(score, member), (other_score, other)| order(*score, member, *other_score, other));
}

fn same(set: &SortedSet, model: &Model) {
    assert_eq!(set.len(), model.len());
    assert_eq!(set.bytes, model.iter().map(|(_, member)| member.len()).sum());
    let all = model.iter().map(|(score, member)| (member.as_slice(), *score));
    assert!(set.range(0..usize::MAX).eq(all.clone()));
    assert!(set.range(0..model.len()).rev().eq(all.rev()));
    for (rank, (score, member)) in model.iter().enumerate() {
        assert_eq!(set.rank(member), Some(rank));
        assert_eq!(set.score(member), Some(*score));
        assert_eq!(set.at(rank), Some((member.as_slice(), *score)));
    }
    if let Form::Indexed(indexed) = &set.form {
        let mut indices: Vec<usize> = indexed.order.range(0..usize::MAX).map(|scored| scored.index).collect();
        indices.sort_unstable();
        assert!(indices.into_iter().eq(0..model.len()));
    }
}

fn run(set: &mut SortedSet, model: &mut Model, step: &Step) {
    let rank = |model: &Model, member: &[u8]| model.iter().position(|(_, other)| other == member);
    match step {
        Step::Insert(member, score) => {
            let expected = match rank(model, member) {
                #[allow(clippy::float_cmp)]
                Some(at) if model[at].0 == *score => Inserted::Unchanged,
                Some(at) => {
                    model[at].0 = *score;
                    Inserted::Updated
                }
                None => {
                    model.push((*score, member.clone()));
                    Inserted::Added
                }
            };
            sort(model);
            assert_eq!(set.insert(member, *score, LIMITS), expected);
        }
        Step::Remove(member) => {
            let expected = rank(model, member).map(|at| model.remove(at).0);
            assert_eq!(set.remove(member), expected);
        }
        Step::RemoveRange(start, end) => {
            let end = (*end).min(model.len());
            model.drain((*start).min(end)..end);
            set.remove_range(*start..end);
        }
        Step::ByScore(range) => {
            let within = |score: f64| range.min_allows(score) && range.max_allows(score);
            let expected: Vec<&(f64, Vec<u8>)> = model.iter().filter(|(score, _)| within(*score)).collect();
            let ranks = set.ranks_by_score(range);
            assert_eq!(ranks.len(), expected.len());
            assert!(set.range(ranks).eq(expected.iter().map(|(score, member)| (member.as_slice(), *score))));
        }
    }
}

fn lex_bound() -> impl Strategy<Value = (u8, Vec<u8>)> {
    (0..6u8, member())
}

fn lex((kind, member): &(u8, Vec<u8>)) -> LexBound<'_> {
    match kind {
        0 => LexBound::Lowest,
        1 => LexBound::Highest,
        2 | 3 => LexBound::Included(member),
        _ => LexBound::Excluded(member),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, ..ProptestConfig::default() })]

    #[test]
    fn it_is_a_sorted_vector(steps in prop::collection::vec(step(), 0..100)) {
        let (mut set, mut model) = (SortedSet::default(), Model::new());
        for step in steps {
            run(&mut set, &mut model, &step);
            same(&set, &model);
        }
    }

    #[test]
    fn members_of_one_score_are_found_by_their_bytes(
        members in prop::collection::btree_set(member(), 0..30),
        min in lex_bound(),
        max in lex_bound(),
    ) {
        let mut set = SortedSet::default();
        for member in &members {
            set.insert(member, 1.0, LIMITS);
        }
        let range = LexRange { min: lex(&min), max: lex(&max) };
        let within = |member: &&Vec<u8>| range.min.at_or_below(member) && range.max.at_or_above(member);
        let expected: Vec<&[u8]> = members.iter().filter(within).map(Vec::as_slice).collect();
        for from_end in [false, true] {
            let ranks = set.ranks_by_lex(&range, from_end, 0);
            prop_assert_eq!(ranks.len(), expected.len());
            prop_assert!(set.range(ranks).map(|(member, _)| member).eq(expected.iter().copied()));
        }
    }
}

#[test]
fn the_compact_form_is_given_up_for_a_long_member_or_too_many() {
    let mut set = SortedSet::default();
    for number in 0..12u8 {
        set.insert(&[number], 0.0, LIMITS);
    }
    assert!(set.is_compact());
    set.insert(&[12], 0.0, LIMITS);
    assert!(!set.is_compact());

    let mut set = SortedSet::default();
    set.insert(b"abc", 0.0, LIMITS);
    assert!(set.is_compact());
    set.insert(b"abcd", 0.0, LIMITS);
    assert!(!set.is_compact());
}

#[test]
fn only_large_sets_know_a_negative_zero() {
    let mut set = SortedSet::default();
    set.insert(b"a", -0.0, LIMITS);
    set.insert(b"long", -0.0, LIMITS);
    assert_eq!(set.score(b"a").map(f64::is_sign_negative), Some(false));
    assert_eq!(set.score(b"long").map(f64::is_sign_negative), Some(true));
}

#[test]
fn scan_returns_every_member_that_stays_and_none_twice() {
    for seed in 0..200 {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut set = SortedSet::default();
        let name = |number: usize| number.to_string().into_bytes();
        let total = random.usize(13..90);
        for number in 0..total {
            set.insert(&name(number), random.f64(), LIMITS);
        }
        let mut staying: HashSet<Vec<u8>> = (0..total).map(name).collect();
        let (mut returned, mut gone) = (HashSet::new(), HashSet::new());
        let mut cursor = 0;
        loop {
            let (next, members) = set.scan(cursor, random.u64(1..12));
            for (member, _) in members {
                assert!(
                    returned.insert(member.to_vec()) || gone.contains(member),
                    "seed {seed}: returned twice"
                );
            }
            if next == 0 {
                break;
            }
            cursor = next;
            for (rank, (member, score)) in set.range(0..usize::MAX).enumerate() {
                assert_eq!((set.rank(member), set.score(member)), (Some(rank), Some(score)), "seed {seed}");
            }
            for _ in 0..random.u8(0..8) {
                let member = name(random.usize(0..total * 2));
                if random.bool() {
                    set.insert(&member, random.f64(), LIMITS);
                } else {
                    set.remove(&member);
                    staying.remove(&member);
                    gone.insert(member);
                }
            }
        }
        assert!(staying.is_subset(&returned), "seed {seed}");
    }
}

#[test]
fn a_sample_has_different_ranks_and_every_rank_can_be_in_it() {
    let mut random = fastrand::Rng::with_seed(1);
    for len in [1, 7, 12, 13, 100] {
        let mut set = SortedSet::default();
        for number in 0..len {
            set.insert(number.to_string().as_bytes(), 0.0, LIMITS);
        }
        let mut seen = HashSet::new();
        for round in 0..2_000 {
            let count = round % (len + 2);
            let ranks = set.sample(count, &mut random);
            let different: HashSet<usize> = ranks.iter().copied().collect();
            assert_eq!((different.len(), ranks.len()), (count.min(len), count.min(len)));
            assert!(ranks.iter().all(|rank| *rank < len));
            assert!(!set.is_compact() || ranks.is_sorted());
            if count == 1 {
                seen.extend(ranks);
            }
        }
        assert!(len > 13 || seen.len() == len, "{seen:?}");
    }
}

#[test]
fn a_difference_is_the_same_whichever_way_is_shorter() {
    let of = |numbers: Range<usize>| {
        let mut set = SortedSet::default();
        for number in numbers {
            set.insert(number.to_string().as_bytes(), 1.0, LIMITS);
        }
        set
    };
    let first = of(0..10);
    // Members that are looked up in one large set, and removed by many small ones.
    let many: Vec<SortedSet> = (5..10).map(|number| of(number..number + 1)).collect();
    let large = of(5..500);
    let source = |set| combine::Source { members: combine::Members::SortedSet(set), weight: 1.0 };
    let by_lookup = combine::difference(&[source(&first), source(&large)]);
    let sources: Vec<_> = std::iter::once(&first).chain(&many).map(source).collect();
    let by_removal = combine::difference(&sources);
    assert_eq!(by_lookup, by_removal);
    let names: Vec<&[u8]> = by_lookup.iter().map(|(_, member)| &**member).collect();
    assert_eq!(names, [b"0", b"1", b"2", b"3", b"4"]);
}
