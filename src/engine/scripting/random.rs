//! The generator of `math.random`.
//!
//! redis-server has one of its own, so that scripts see the same numbers everywhere: the 48-bit linear congruential
//! generator of POSIX `drand48`, in its initial state when the server starts.

/// The state.
#[derive(Clone, Copy, Debug)]
pub(super) struct Random(u64);

/// Results are below this.
const MAX: u64 = i32::MAX as u64;
/// The number of bits of the state that are kept.
const MASK: u64 = (1 << 48) - 1;

impl Default for Random {
    fn default() -> Self {
        Self(0x1234_abcd_330e)
    }
}

impl Random {
    /// Restarts the generator from a seed.
    pub fn seed(&mut self, seed: i32) {
        self.0 = u64::from(seed.cast_unsigned()) << 16 | 0x330e;
    }

    /// The next number, from 0 to 1.
    // Both have fewer bits than a double.
    #[allow(clippy::cast_precision_loss)]
    pub fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(0x5_deec_e66d).wrapping_add(0xb) & MASK;
        ((self.0 >> 17) % MAX) as f64 / MAX as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_numbers_are_those_of_redis_server() {
        let mut random = Random::default();
        let first = [random.next(), (random.next() * 10.0).floor(), (random.next() * 5.0).floor()];
        assert_eq!(
            first.map(|number| format!("{number:.14}")),
            ["0.39646477363839", "8.00000000000000", "1.00000000000000"]
        );
        random.seed(7);
        assert_eq!(format!("{:.14}", random.next()), "0.26644419658298");
    }
}
