//! Choosing at random.

use std::collections::HashMap;

use fastrand::Rng;
use foldhash::fast::RandomState;

/// `count` different numbers below `len` in any order, or all: the beginning of a shuffled sequence, of which only the
/// indices that differ from their number are kept. The cost depends only on `count`.
pub fn in_any_order(len: usize, count: usize, random: &mut Rng) -> Vec<usize> {
    let mut moved: HashMap<usize, usize, RandomState> = HashMap::default();
    let choose = |index: usize| {
        let other = random.usize(index..len);
        let number = moved.get(&other).copied().unwrap_or(other);
        let displaced = moved.get(&index).copied().unwrap_or(index);
        moved.insert(other, displaced);
        number
    };
    (0..count.min(len)).map(choose).collect()
}

/// As [`in_any_order`], in ascending order: redis-server samples small collections in one pass.
pub fn in_order(len: usize, count: usize, random: &mut Rng) -> Vec<usize> {
    let mut numbers = in_any_order(len, count, random);
    numbers.sort_unstable();
    numbers
}
