//! HyperLogLog: the number of different elements that were added, within about one percent, in 12 KB. The bytes are
//! those of redis-server, so that GET and SET can move counters between servers.
//!
//! A counter is a header and 16384 registers. The header is `HYLL`, the encoding, three zeros, and the cached count,
//! whose highest bit says that it is out of date. The registers are stored densely, six bits each, or sparsely, as
//! runs.

mod estimate;
mod sparse;

use estimate::Histogram;
pub use sparse::{Run, runs};

/// How many registers there are.
pub const REGISTERS: usize = 1 << INDEX_BITS;

/// How many bits of an element's hash select its register.
const INDEX_BITS: u32 = 14;

/// How many bits are left; the greatest value of a register is one more than this.
const VALUE_BITS: u32 = 64 - INDEX_BITS;

/// The bits of a dense register.
const REGISTER_BITS: usize = 6;

const HEADER: usize = 16;
const DENSE_LEN: usize = HEADER + REGISTERS * REGISTER_BITS / 8;
const MAGIC: &[u8] = b"HYLL";

/// Where the header has the encoding, and its values.
const ENCODING: usize = 4;
const DENSE: u8 = 0;
const SPARSE: u8 = 1;

/// Where the header has the cached count, and the bit that says that it is out of date.
const COUNT: std::ops::Range<usize> = 8..16;
const STALE: u64 = 1 << 63;

/// The runs do not add up to the number of registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Corrupted;

/// The registers of several counters together: the greatest values of each.
pub struct Union(Vec<u8>);

impl Default for Union {
    fn default() -> Self {
        Self(vec![0; REGISTERS])
    }
}

impl Union {
    /// Adds the registers of a counter.
    ///
    /// # Errors
    ///
    /// The counter is corrupted.
    pub fn add(&mut self, counter: &[u8]) -> Result<(), Corrupted> {
        each_run(counter, |run, at| {
            for register in self.0.iter_mut().skip(at).take(run.len) {
                *register = run.value.max(*register);
            }
        })
    }

    /// The estimated number of different elements that the counters have seen.
    #[must_use]
    pub fn count(&self) -> u64 {
        let mut histogram = Histogram::default();
        self.0.iter().for_each(|value| histogram.add(*value, 1));
        histogram.estimate()
    }

    /// Writes the registers into a counter. `sparse_max` is `hll-sparse-max-bytes`.
    ///
    /// # Errors
    ///
    /// The counter is corrupted.
    pub fn write(&self, counter: &mut Vec<u8>, sparse_max: usize) -> Result<(), Corrupted> {
        for (index, value) in self.0.iter().enumerate().filter(|(_, value)| **value > 0) {
            raise(counter, index, *value, sparse_max)?;
        }
        set_stale(counter);
        Ok(())
    }
}

/// True if the header is that of a counter.
#[must_use]
pub fn is_counter(bytes: &[u8]) -> bool {
    bytes.len() >= HEADER
        && bytes.starts_with(MAGIC)
        && match bytes[ENCODING] {
            DENSE => bytes.len() == DENSE_LEN,
            SPARSE => true,
            _ => false,
        }
}

/// A counter that has seen nothing.
#[must_use]
pub fn new() -> Vec<u8> {
    let mut counter = [MAGIC, &[SPARSE], &[0; HEADER - ENCODING - 1]].concat();
    Run::new(0, REGISTERS).push(&mut counter);
    counter
}

/// Whether the counter is dense.
#[must_use]
pub fn is_dense(counter: &[u8]) -> bool {
    counter.get(ENCODING) == Some(&DENSE)
}

/// Adds an element; true if that has changed a register.
///
/// # Errors
///
/// The counter is corrupted.
pub fn add(counter: &mut Vec<u8>, element: &[u8], sparse_max: usize) -> Result<bool, Corrupted> {
    let hash = murmur64a(element);
    let index = usize::try_from(hash % REGISTERS as u64).map_err(|_| Corrupted)?;
    // One more than the zeros at the end; there is a one after the last bit.
    let rest = hash >> INDEX_BITS | 1 << VALUE_BITS;
    let value = u8::try_from(rest.trailing_zeros() + 1).map_err(|_| Corrupted)?;
    raise(counter, index, value, sparse_max)
}

/// Raises a register to a value; false if it is at least as great already.
fn raise(counter: &mut Vec<u8>, index: usize, value: u8, sparse_max: usize) -> Result<bool, Corrupted> {
    if is_dense(counter) {
        return Ok(raise_dense(counter, index, value));
    }
    if let Some(changed) = sparse::raise(counter, index, value, sparse_max)? {
        if changed {
            set_stale(counter);
        }
        return Ok(changed);
    }
    make_dense(counter)?;
    Ok(raise_dense(counter, index, value))
}

/// The index of the two bytes that contain a dense register, and its shift within them.
fn dense_position(index: usize) -> (usize, usize) {
    (HEADER + index * REGISTER_BITS / 8, index * REGISTER_BITS % 8)
}

fn dense_register(counter: &[u8], index: usize) -> u8 {
    let (at, shift) = dense_position(index);
    let byte = |at| u16::from(counter.get(at).copied().unwrap_or_default());
    ((byte(at) | byte(at + 1) << 8) >> shift & 0x3f).to_le_bytes()[0]
}

fn raise_dense(counter: &mut [u8], index: usize, value: u8) -> bool {
    if dense_register(counter, index) >= value {
        return false;
    }
    let (at, shift) = dense_position(index);
    let (mask, value) = ((0x3f_u16 << shift).to_le_bytes(), (u16::from(value) << shift).to_le_bytes());
    for (byte, (mask, value)) in counter.iter_mut().skip(at).zip(mask.into_iter().zip(value)) {
        *byte = *byte & !mask | value;
    }
    true
}

/// Makes the counter dense; true if it was sparse.
///
/// # Errors
///
/// The counter is corrupted.
pub fn make_dense(counter: &mut Vec<u8>) -> Result<bool, Corrupted> {
    if is_dense(counter) {
        return Ok(false);
    }
    let mut dense = counter.get(..HEADER).ok_or(Corrupted)?.to_vec();
    dense[ENCODING] = DENSE;
    dense.resize(DENSE_LEN, 0);
    each_run(counter, |run, at| {
        if run.value > 0 {
            (at..at + run.len).for_each(|index| {
                raise_dense(&mut dense, index, run.value);
            });
        }
    })?;
    *counter = dense;
    Ok(true)
}

/// All registers.
///
/// # Errors
///
/// The counter is corrupted.
pub fn registers(counter: &[u8]) -> Result<Vec<u8>, Corrupted> {
    let mut union = Union::default();
    union.add(counter)?;
    Ok(union.0)
}

/// Calls a function with every run of equal registers and where it starts. Dense registers are runs of one.
fn each_run(counter: &[u8], mut each: impl FnMut(Run, usize)) -> Result<(), Corrupted> {
    if is_dense(counter) {
        for index in 0..REGISTERS {
            each(Run::new(dense_register(counter, index), 1), index);
        }
        return Ok(());
    }
    let mut at = 0;
    for run in runs(counter) {
        if at + run.len > REGISTERS {
            return Err(Corrupted);
        }
        each(run, at);
        at += run.len;
    }
    if at == REGISTERS { Ok(()) } else { Err(Corrupted) }
}

/// The cached count, if it is up to date.
#[must_use]
pub fn cached_count(counter: &[u8]) -> Option<u64> {
    let count = counter.get(COUNT)?.try_into().map(u64::from_le_bytes).ok()?;
    (count & STALE == 0).then_some(count)
}

/// Estimates the number of different elements and caches it.
///
/// # Errors
///
/// The counter is corrupted.
pub fn count(counter: &mut [u8]) -> Result<u64, Corrupted> {
    let mut histogram = Histogram::default();
    each_run(counter, |run, _| histogram.add(run.value, run.len))?;
    let count = histogram.estimate();
    if let Some(cached) = counter.get_mut(COUNT) {
        cached.copy_from_slice(&count.to_le_bytes());
    }
    Ok(count)
}

/// Marks the cached count as out of date.
pub fn set_stale(counter: &mut [u8]) {
    if let Some(byte) = counter.get_mut(COUNT.end - 1) {
        *byte |= 0x80;
    }
}

/// MurmurHash64A with redis-server's seed.
fn murmur64a(bytes: &[u8]) -> u64 {
    const SEED: u64 = 0xadc8_3b19;
    const FACTOR: u64 = 0xc6a4_a793_5bd1_e995;
    let mut hash = SEED ^ (bytes.len() as u64).wrapping_mul(FACTOR);
    let (words, rest) = bytes.as_chunks::<8>();
    for word in words {
        let word = u64::from_le_bytes(*word).wrapping_mul(FACTOR);
        hash = (hash ^ (word ^ word >> 47).wrapping_mul(FACTOR)).wrapping_mul(FACTOR);
    }
    if !rest.is_empty() {
        let mut word = [0; 8];
        word[..rest.len()].copy_from_slice(rest);
        hash = (hash ^ u64::from_le_bytes(word)).wrapping_mul(FACTOR);
    }
    hash = (hash ^ hash >> 47).wrapping_mul(FACTOR);
    hash ^ hash >> 47
}

/// Compares sparse and dense counters of random elements with each other and with the true number; returns what is
/// wrong, if anything.
#[must_use]
pub fn self_test(random: &mut fastrand::Rng) -> Option<String> {
    let (mut sparse, mut dense) = (new(), new());
    if make_dense(&mut dense).is_err() {
        return Some("an empty counter is corrupted".into());
    }
    let (mut added, mut check) = (0_u64, 1_u64);
    while added < 100_000 {
        let element = random.u64(..).to_le_bytes();
        for counter in [&mut sparse, &mut dense] {
            if add(counter, &element, 3000).is_err() {
                return Some(format!("corrupted after {added} elements"));
            }
        }
        added += 1;
        if added < check {
            continue;
        }
        check *= 10;
        let (Ok(one), Ok(other)) = (count(&mut sparse), count(&mut dense)) else {
            return Some(format!("corrupted with {added} elements"));
        };
        if one != other || registers(&sparse) != registers(&dense) {
            return Some(format!("sparse and dense registers differ with {added} elements"));
        }
        // Six times the standard error of 1.04 / sqrt(registers).
        if one.abs_diff(added) * 1000 > added * 49 + 2000 {
            return Some(format!("{added} elements are counted as {one}"));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_right_within_their_error() {
        assert_eq!(self_test(&mut fastrand::Rng::with_seed(1)), None);
    }

    #[test]
    fn whatever_the_runs_are_nothing_panics() {
        let mut random = fastrand::Rng::with_seed(2);
        for _ in 0..500 {
            let mut counter = new();
            counter.truncate(random.usize(HEADER..=HEADER + 2));
            let runs = random.usize(0..40);
            counter.extend(std::iter::repeat_with(|| random.u8(..)).take(runs));
            assert!(is_counter(&counter));
            for element in 0..20_u8 {
                let _ = add(&mut counter, &[element], random.usize(0..60));
            }
            let _ = count(&mut counter);
            let _ = Union::default().add(&counter);
            let _ = make_dense(&mut counter);
        }
    }
}
