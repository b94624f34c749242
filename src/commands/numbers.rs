//! The readings of arguments that many commands share, with redis-server's errors.

use super::Error;
use crate::resp::{parse_double, parse_integer};
use crate::store::Time;

/// A signed integer of 64 bits.
///
/// # Errors
///
/// [`Error::NOT_INTEGER`].
pub fn integer(text: &[u8]) -> Result<i64, Error> {
    parse_integer(text).ok_or(Error::NOT_INTEGER)
}

/// A signed integer of 32 bits.
///
/// # Errors
///
/// [`Error::NOT_INTEGER`], or that it is out of range.
pub fn integer_of_32_bits(text: &[u8]) -> Result<i32, Error> {
    i32::try_from(integer(text)?).map_err(|_| {
        Error::new(format!("ERR value is out of range, value must between {} and {}", i32::MIN, i32::MAX))
    })
}

/// A number with a fraction; not NaN.
///
/// # Errors
///
/// [`Error::NOT_FLOAT`].
pub fn float(text: &[u8]) -> Result<f64, Error> {
    parse_double(text).ok_or(Error::NOT_FLOAT)
}

/// A deadline in milliseconds since the Unix epoch from a timeout in seconds, as `BLPOP` has it; none for 0.
///
/// # Errors
///
/// Not a number, negative, or beyond what 64 bits of milliseconds hold.
pub fn deadline_from_seconds(text: &[u8], now: Time) -> Result<Option<i64>, Error> {
    const OUT_OF_RANGE: &str = "ERR timeout is out of range";
    let seconds = parse_double(text).ok_or(Error::new("ERR timeout is not a float or out of range"))?;
    let millis = (seconds * 1000.0).ceil();
    // 2^63: the first double that does not fit.
    if millis >= 9_223_372_036_854_775_808.0 {
        return Err(Error::new(OUT_OF_RANGE));
    }
    #[allow(clippy::cast_possible_truncation)]
    deadline(millis as i64, now, OUT_OF_RANGE)
}

/// A deadline from a timeout in whole milliseconds, as `XREAD BLOCK` has it; none for 0.
///
/// # Errors
///
/// Not an integer, negative, or out of range.
pub fn deadline_from_millis(text: &[u8], now: Time) -> Result<Option<i64>, Error> {
    let millis = parse_integer(text).ok_or(Error::new("ERR timeout is not an integer or out of range"))?;
    deadline(millis, now, "ERR timeout is out of range")
}

fn deadline(millis: i64, now: Time, out_of_range: &'static str) -> Result<Option<i64>, Error> {
    if millis < 0 {
        return Err(Error::new("ERR timeout is negative"));
    }
    if millis == 0 {
        return Ok(None);
    }
    let deadline = now.millis().checked_add(millis).ok_or(Error::new(out_of_range))?;
    Ok(Some(deadline))
}

/// The part `start..end` of `len` elements that two indices choose, of which negative ones count from the end:
/// the rule of LRANGE, ZRANGE, LTRIM. Empty if there is nothing between them.
#[must_use]
pub fn range(start: i64, stop: i64, len: usize) -> std::ops::Range<usize> {
    let len = i64::try_from(len).unwrap_or(i64::MAX);
    let start = if start < 0 { start.saturating_add(len).max(0) } else { start };
    let stop = if stop < 0 { stop.saturating_add(len) } else { stop.min(len - 1) };
    if start > stop || start >= len {
        return 0..0;
    }
    let index = |value: i64| usize::try_from(value).unwrap_or_default();
    index(start)..index(stop) + 1
}
