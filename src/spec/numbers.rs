//! Parsing of arguments that many commands share, with redis-server's errors.

use super::error::Error;
use crate::config::Version;
use crate::data::Deadline;
use crate::data::Time;
use crate::resp::{parse_decimal, parse_double, parse_integer, up_to_nul};

/// A signed integer of 64 bits.
///
/// # Errors
///
/// [`Error::NOT_INTEGER`].
pub fn integer(text: &[u8]) -> Result<i64, Error> {
    parse_integer(text).ok_or(Error::NOT_INTEGER)
}

/// An integer of 64 bits from `least` to `greatest`.
///
/// # Errors
///
/// [`Error::NOT_INTEGER`], or the value is outside.
pub fn integer_between(text: &[u8], least: i64, greatest: i64) -> Result<i64, Error> {
    let value = integer(text)?;
    if (least..=greatest).contains(&value) {
        return Ok(value);
    }
    Err(Error::new(format!("ERR value is out of range, value must between {least} and {greatest}")))
}

/// A signed integer of 32 bits.
///
/// # Errors
///
/// [`Error::NOT_INTEGER`], or the value is out of range.
pub fn integer_of_32_bits(text: &[u8]) -> Result<i32, Error> {
    let value = integer_between(text, i32::MIN.into(), i32::MAX.into())?;
    i32::try_from(value).map_err(|_| Error::NOT_INTEGER)
}

/// A signed integer of 64 bits that can be negated: all but the smallest.
///
/// # Errors
///
/// [`Error::NOT_INTEGER`], or the value is the smallest.
pub fn negatable(text: &[u8]) -> Result<i64, Error> {
    integer_between(text, -i64::MAX, i64::MAX)
}

/// As [`negatable`]. Before Redis 7.2 the smallest is accepted, too: it becomes `smallest`, as its negation overflows.
///
/// # Errors
///
/// As for [`negatable`].
pub fn negated(text: &[u8], smallest: i64, version: Version) -> Result<i64, Error> {
    if version >= Version::Redis7_4 {
        return negatable(text);
    }
    Ok(Some(integer(text)?).filter(|value| *value != i64::MIN).unwrap_or(smallest))
}

/// A number of elements; not negative.
///
/// # Errors
///
/// [`Error::OUT_OF_RANGE`], even for a text that is not a number.
pub fn count(text: &[u8]) -> Result<usize, Error> {
    at_least(text, 0).ok_or(Error::OUT_OF_RANGE)
}

/// An integer of 64 bits that is not below `least`; many commands have their own error for it.
#[must_use]
pub fn at_least(text: &[u8], least: usize) -> Option<usize> {
    let value = usize::try_from(parse_integer(text)?).ok()?;
    (value >= least).then_some(value)
}

/// A number with a fraction; not NaN.
///
/// # Errors
///
/// [`Error::NOT_FLOAT`].
pub fn float(text: &[u8]) -> Result<f64, Error> {
    parse_double(text).ok_or(Error::NOT_FLOAT)
}

/// A number as in the bounds of a range of scores and the weights of SORT: [`parse_decimal`]. Before Redis 7.2 it may
/// be hexadecimal and follow white space, as in C's `strtod`.
#[must_use]
pub fn loose_float(text: &[u8], version: Version) -> Option<f64> {
    if version >= Version::Redis7_4 {
        return parse_decimal(text);
    }
    let text = without_space_in_front(text);
    parse_decimal(text).or_else(|| parse_double(text))
}

/// The text after the white space that C's functions skip.
#[must_use]
pub fn without_space_in_front(text: &[u8]) -> &[u8] {
    let start = text.iter().position(|byte| !matches!(byte, b' ' | 9..=13));
    text.get(start.unwrap_or(text.len())..).unwrap_or_default()
}

const NEGATIVE_TIMEOUT: &str = "ERR timeout is negative";

/// A deadline from a timeout in seconds, as in `BLPOP`; none for 0.
///
/// # Errors
///
/// Not a number, negative, or out of range for 64 bits of milliseconds.
pub fn deadline_from_seconds(text: &[u8], now: Time, version: Version) -> Result<Option<Deadline>, Error> {
    const OUT_OF_RANGE: &str = "ERR timeout is out of range";
    if let Some(millis) = parse_integer(text).and_then(|seconds| seconds.checked_mul(1000)) {
        // Exact, like redis-server's `long double`.
        return deadline(millis, now, version, OUT_OF_RANGE);
    }
    let seconds = seconds(text).ok_or(Error::new("ERR timeout is not a float or out of range"))?;
    let millis = (seconds * 1000.0).ceil();
    // 2^63: the first double that does not fit.
    if millis >= 9_223_372_036_854_775_808.0 {
        if version < Version::Redis7_4 {
            // It is converted nevertheless, and overflows.
            return Err(Error::new(NEGATIVE_TIMEOUT));
        }
        return Err(Error::new(OUT_OF_RANGE));
    }
    #[allow(clippy::cast_possible_truncation)]
    deadline(millis as i64, now, version, OUT_OF_RANGE)
}

/// A number of seconds. redis-server reads it as a `long double` of 80 bits, in which a value that is too great or too
/// small for a double is still a number; infinity and the smallest double have the same effect here.
fn seconds(text: &[u8]) -> Option<f64> {
    const EXPONENTS: std::ops::RangeInclusive<i64> = -4950..=4932;
    parse_double(text).or_else(|| {
        let mut parts = text.splitn(2, |byte| matches!(byte, b'e' | b'E'));
        let value = parse_decimal(parts.next()?).filter(|value| value.is_finite())?;
        let exponent = parts.next()?;
        let exponent = parse_integer(exponent.strip_prefix(b"+").unwrap_or(exponent))?;
        let nearest = if exponent > 0 { f64::INFINITY } else { f64::MIN_POSITIVE };
        EXPONENTS.contains(&exponent).then_some(nearest.copysign(value))
    })
}

/// A deadline from a timeout in whole milliseconds, as in `XREAD BLOCK`; none for 0.
///
/// # Errors
///
/// Not an integer, negative, or out of range.
pub fn deadline_from_millis(text: &[u8], now: Time, version: Version) -> Result<Option<Deadline>, Error> {
    let millis = parse_integer(text).ok_or(Error::new("ERR timeout is not an integer or out of range"))?;
    deadline(millis, now, version, "ERR timeout is out of range")
}

fn deadline(
    millis: i64,
    now: Time,
    version: Version,
    out_of_range: &'static str,
) -> Result<Option<Deadline>, Error> {
    if millis < 0 {
        return Err(Error::new(NEGATIVE_TIMEOUT));
    }
    if millis == 0 {
        return Ok(None);
    }
    match now.millis().checked_add(millis) {
        Some(deadline) => Ok(Some(Deadline::at_millis(deadline))),
        // It overflows, and the deadline is never reached.
        None if version < Version::Redis7_4 => Ok(None),
        None => Err(Error::new(out_of_range)),
    }
}

/// An integer as C's `atoi` reads it: text after the digits is ignored, no digits are 0.
#[must_use]
pub fn lenient_integer(text: &[u8]) -> i32 {
    let text = text.trim_ascii_start();
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    };
    let digits = digits.iter().take_while(|byte| byte.is_ascii_digit()).map(|byte| i64::from(byte - b'0'));
    // With the sign: the least number is one further from 0 than the greatest.
    let value = digits.fold(0_i64, |value, digit| {
        value.saturating_mul(10).saturating_add(if negative { -digit } else { digit })
    });
    // `atoi` converts through `long` and keeps the lower half.
    #[allow(clippy::cast_possible_truncation)]
    let value = value as i32;
    value
}

/// `numkeys` of LMPOP, SINTERCARD and similar commands, at least 1. ZUNION and similar commands have other errors.
///
/// # Errors
///
/// Not a number, or below 1.
pub fn numkeys(text: &[u8]) -> Result<usize, Error> {
    at_least(text, 1).ok_or(Error::new("ERR numkeys should be greater than 0"))
}

/// `LIMIT` of SINTERCARD and ZINTERCARD; 0 means none.
///
/// # Errors
///
/// Not a number, or negative.
pub fn limit(text: &[u8]) -> Result<usize, Error> {
    let limit = at_least(text, 0).ok_or(Error::new("ERR LIMIT can't be negative"))?;
    Ok(if limit == 0 { usize::MAX } else { limit })
}

/// True if an argument is this word, in either case.
#[must_use]
pub fn is_option(text: &[u8], word: &str) -> bool {
    up_to_nul(text).eq_ignore_ascii_case(word.as_bytes())
}

/// The cursor of SCAN and similar commands: an unsigned integer of 64 bits, parsed strictly first and else as by C's
/// `strtoull`, with leading white space and a sign. Before Redis 7.2 it is only parsed as by `strtoull`, without white
/// space, and an empty text is 0.
///
/// # Errors
///
/// It is not a cursor.
pub fn cursor(text: &[u8], version: Version) -> Result<u64, Error> {
    const INVALID: Error = Error::INVALID_CURSOR;
    let text = up_to_nul(text);
    let is_old = version < Version::Redis7_4;
    if is_old && text.is_empty() {
        return Ok(0);
    }
    if let Some(cursor) = parse_integer(text).filter(|_| !is_old) {
        return u64::try_from(cursor).map_err(|_| INVALID);
    }
    let number = without_space_in_front(text);
    if is_old && number.len() < text.len() {
        return Err(INVALID);
    }
    let (negative, digits) = match number {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] | digits => (false, digits),
    };
    // `u64::from_str` would accept another sign.
    let digits = Some(digits).filter(|digits| digits.first().is_some_and(u8::is_ascii_digit));
    let cursor = digits.and_then(|digits| std::str::from_utf8(digits).ok()?.parse::<u64>().ok());
    cursor.map(|cursor| if negative { cursor.wrapping_neg() } else { cursor }).ok_or(INVALID)
}

/// The condition for setting an expiry, of a key or of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExpiryCondition {
    /// `NX`: there is none yet.
    None,
    /// `XX`: there is one.
    Some,
    /// `GT`: the new one is later. No expiry counts as the latest.
    Later,
    /// `LT`: the new one is sooner.
    Sooner,
}

impl ExpiryCondition {
    /// The condition that an option names.
    #[must_use]
    pub fn by_option(option: &[u8]) -> Option<Self> {
        let all = [("NX", Self::None), ("XX", Self::Some), ("GT", Self::Later), ("LT", Self::Sooner)];
        all.into_iter().find(|(name, _)| is_option(option, name)).map(|(_, condition)| condition)
    }

    /// Whether a key or field that expires at `old`, if at all, may be set to expire at `new`.
    #[must_use]
    pub fn is_met(self, old: Option<i64>, new: i64) -> bool {
        match self {
            Self::None => old.is_none(),
            Self::Some => old.is_some(),
            Self::Later => old.is_some_and(|old| new > old),
            Self::Sooner => old.is_none_or(|old| new < old),
        }
    }
}

/// The form in which a time of expiry is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExpiryForm {
    in_seconds: bool,
    absolute: bool,
}

impl ExpiryForm {
    /// Seconds from now: `EXPIRE`, `EX`.
    pub const EX: Self = Self { in_seconds: true, absolute: false };
    /// Milliseconds from now: `PEXPIRE`, `PX`.
    pub const PX: Self = Self { in_seconds: false, absolute: false };
    /// At a time in seconds since the Unix epoch: `EXPIREAT`, `EXAT`.
    pub const EXAT: Self = Self { in_seconds: true, absolute: true };
    /// At a time in milliseconds since the Unix epoch: `PEXPIREAT`, `PXAT`.
    pub const PXAT: Self = Self { in_seconds: false, absolute: true };

    /// The form that an option selects.
    #[must_use]
    pub fn by_option(option: &[u8]) -> Option<Self> {
        let forms = [("EX", Self::EX), ("PX", Self::PX), ("EXAT", Self::EXAT), ("PXAT", Self::PXAT)];
        forms.into_iter().find(|(name, _)| is_option(option, name)).map(|(_, form)| form)
    }

    /// True for a point in time, false for a time from now.
    #[must_use]
    pub fn is_absolute(self) -> bool {
        self.absolute
    }

    /// The time of expiry in milliseconds since the Unix epoch; none if it does not fit into 64 bits.
    #[must_use]
    pub fn deadline(self, value: i64, now: Time) -> Option<i64> {
        let millis = if self.in_seconds { value.checked_mul(1000)? } else { value };
        if self.absolute { Some(millis) } else { millis.checked_add(now.millis()) }
    }
}

/// The part `start..end` of `len` elements that two indices select; negative ones count from the end: the rule of
/// LRANGE, ZRANGE, LTRIM. Empty if there is nothing between them.
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

/// The part of a string that two indices select: the rule of GETRANGE and BITCOUNT. As [`clamped_range`], but empty
/// if both count from the end and are in the wrong order.
#[must_use]
pub fn string_range(start: i64, end: i64, len: usize) -> std::ops::Range<usize> {
    if start < 0 && end < 0 && start > end { 0..0 } else { clamped_range(start, end, len) }
}

/// As [`range`], but an end before the beginning counts as the first element: the rule of BITPOS.
#[must_use]
pub fn clamped_range(start: i64, end: i64, len: usize) -> std::ops::Range<usize> {
    let before = i64::try_from(len).map_or(true, |len| end < len.saturating_neg());
    range(start, if before { 0 } else { end }, len)
}
