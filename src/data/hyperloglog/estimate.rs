//! The number of elements that the registers stand for: the estimator of Otmar Ertl, "New cardinality estimation
//! algorithms for HyperLogLog sketches", 2017, as redis-server has it. The order of the operations decides the last
//! bit.

use super::{REGISTERS, VALUE_BITS};
use crate::data::present;

/// How many registers have each value.
pub(super) struct Histogram([u32; 64]);

impl Default for Histogram {
    fn default() -> Self {
        Self([0; 64])
    }
}

impl Histogram {
    /// Counts registers of a value.
    pub(super) fn add(&mut self, value: u8, registers: usize) {
        if let Some(slot) = present(self.0.get_mut(usize::from(value))) {
            *slot += u32::try_from(registers).unwrap_or_default();
        }
    }

    /// The estimated number of different elements.
    #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    pub(super) fn estimate(&self) -> u64 {
        // 1 / (2 ln 2)
        const ALPHA: f64 = 0.721_347_520_444_481_7;
        let all = REGISTERS as f64;
        let greatest = VALUE_BITS as usize + 1;
        let mut sum = all * tau((all - f64::from(self.0[greatest])) / all);
        for registers in self.0[1..greatest].iter().rev() {
            sum += f64::from(*registers);
            sum *= 0.5;
        }
        sum += all * sigma(f64::from(self.0[0]) / all);
        (ALPHA * all * all / sum).round() as u64
    }
}

#[allow(clippy::float_cmp)]
fn sigma(mut x: f64) -> f64 {
    if x == 1.0 {
        return f64::INFINITY;
    }
    let (mut y, mut z) = (1.0, x);
    loop {
        x *= x;
        let before = z;
        z += x * y;
        y += y;
        if z == before {
            return z;
        }
    }
}

#[allow(clippy::float_cmp)]
fn tau(mut x: f64) -> f64 {
    if x == 0.0 || x == 1.0 {
        return 0.0;
    }
    let (mut y, mut z) = (1.0, 1.0 - x);
    loop {
        x = x.sqrt();
        let before = z;
        y *= 0.5;
        z -= (1.0 - x) * (1.0 - x) * y;
        if z == before {
            return z / 3.0;
        }
    }
}
