//! Sparse registers: runs of equal ones. `00llllll` is a run of zeros, `01llllll llllllll` a longer one, `1vvvvvll` a
//! short run of a value; lengths and values are stored minus one.

use super::{Corrupted, HEADER, REGISTERS};

/// The greatest value that a run can have.
const VALUE_MAX: u8 = 32;
/// The longest run of a value.
const VALUE_RUN_MAX: usize = 4;
/// The longest run of zeros in one byte.
const SHORT_RUN_MAX: usize = 64;

/// How many runs are checked for neighbours of the same value after a change.
const LOOKED_AT: usize = 5;

/// Registers of the same value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// Their value.
    pub value: u8,
    /// How many there are.
    pub len: usize,
    /// Whether it has the long form of zeros. A counter that a client has set may use it for short runs, too.
    pub long_form: bool,
}

impl Run {
    /// The run at the beginning of these bytes, and how many bytes it takes. A second byte that is missing reads as 0.
    fn read(bytes: &[u8]) -> Option<(Self, usize)> {
        let first = *bytes.first()?;
        let second = bytes.get(1).copied().unwrap_or_default();
        Some(match first >> 6 {
            0 => (Self::new(0, usize::from(first) + 1), 1),
            1 => {
                let len = (usize::from(first & 0x3f) << 8 | usize::from(second)) + 1;
                (Self { value: 0, len, long_form: true }, 2)
            }
            _ => (Self::new((first >> 2 & 0x1f) + 1, usize::from(first & 3) + 1), 1),
        })
    }

    /// A run in its shortest form.
    #[must_use]
    pub(super) fn new(value: u8, len: usize) -> Self {
        Self { value, len, long_form: value == 0 && len > SHORT_RUN_MAX }
    }

    /// Appends the run, unless it is empty.
    pub(super) fn push(self, out: &mut Vec<u8>) {
        let Some(len) = self.len.checked_sub(1).and_then(|len| u16::try_from(len).ok()) else { return };
        let [high, low] = len.to_be_bytes();
        match self.value.checked_sub(1) {
            Some(value) => out.push(0x80 | value << 2 | low),
            None if self.long_form => out.extend([0x40 | high, low]),
            None => out.push(low),
        }
    }
}

/// The runs of a sparse counter.
pub fn runs(counter: &[u8]) -> impl Iterator<Item = Run> {
    let mut rest = counter.get(HEADER..).unwrap_or_default();
    std::iter::from_fn(move || {
        let (run, bytes) = Run::read(rest)?;
        rest = rest.get(bytes..).unwrap_or_default();
        Some(run)
    })
}

/// Raises a register to a value. `None` if the counter has to become dense first, because the value is too great or
/// more than `sparse_max` bytes would be needed; false if the register is at least as great already.
pub(super) fn raise(
    counter: &mut Vec<u8>,
    index: usize,
    value: u8,
    sparse_max: usize,
) -> Result<Option<bool>, Corrupted> {
    if value > VALUE_MAX {
        return Ok(None);
    }
    // The positions of the run that contains the register, and of the one before it.
    let (mut at, mut before, mut first) = (HEADER, HEADER, 0);
    let (run, bytes) = loop {
        let (run, bytes) = counter.get(at..).and_then(Run::read).ok_or(Corrupted)?;
        if index < first + run.len {
            break (run, bytes);
        }
        (before, at, first) = (at, at + bytes, first + run.len);
    };
    if run.value >= value {
        return Ok(Some(false));
    }
    if at + bytes > counter.len() {
        return Err(Corrupted);
    }
    let mut pieces = Vec::with_capacity(5);
    Run::new(run.value, index - first).push(&mut pieces);
    Run::new(value, 1).push(&mut pieces);
    Run::new(run.value, first + run.len - 1 - index).push(&mut pieces);
    if pieces.len() > bytes && counter.len() + pieces.len() - bytes > sparse_max {
        return Ok(None);
    }
    counter.splice(at..at + bytes, pieces);
    join(counter, before);
    Ok(Some(true))
}

/// Merges neighbours of the same value, from a run on.
fn join(counter: &mut Vec<u8>, mut at: usize) {
    for _ in 0..LOOKED_AT {
        let Some(pair) = counter.get(at..) else { return };
        let [one, ..] = pair else { return };
        if *one >> 7 == 0 {
            at += if *one >> 6 == 1 { 2 } else { 1 };
            continue;
        }
        if let [one, other, ..] = pair
            && *other >> 7 == 1
            && one >> 2 == other >> 2
            && let len = usize::from(one & 3) + usize::from(other & 3) + 2
            && len <= VALUE_RUN_MAX
        {
            counter[at + 1] += (*one & 3) + 1;
            counter.remove(at);
        } else {
            at += 1;
        }
    }
}

const _: () = assert!(REGISTERS <= 1 << 14, "the longest run has 14 bits");
