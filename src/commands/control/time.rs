//! Times as a test writes them.

use crate::spec::Error;
use std::time::Duration;

/// The units, in microseconds.
const UNITS: [(&str, u64); 5] =
    [("ms", 1_000), ("s", 1_000_000), ("m", 60_000_000), ("h", 3_600_000_000), ("d", 86_400_000_000)];

/// A number of milliseconds, or a number, optionally with a fraction, and a unit: `500`, `500ms`, `1.5s`, `5m`, `2h`,
/// `1d`.
///
/// # Errors
///
/// It is neither; the error names the valid forms.
pub fn duration(text: &[u8]) -> Result<Duration, Error> {
    let is_known = || {
        let text = str::from_utf8(text).ok()?;
        let end = text.find(|letter: char| !letter.is_ascii_digit() && letter != '.').unwrap_or(text.len());
        let (number, unit) = text.split_at(end);
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        let unit = match unit {
            "" if whole.len() == number.len() => 1_000,
            unit => UNITS.iter().find(|(known, _)| unit.eq_ignore_ascii_case(known))?.1,
        };
        let micros = whole.parse::<u64>().ok()?.saturating_mul(unit);
        // Digits after the twelfth are less than a microsecond, even of days.
        let digits = fraction.get(..fraction.len().min(12))?;
        let scale = 10_u64.pow(u32::try_from(digits.len()).ok()?);
        let part = if digits.is_empty() { 0 } else { digits.parse::<u64>().ok()? };
        let part = u128::from(part) * u128::from(unit) / u128::from(scale);
        Some(Duration::from_micros(micros.saturating_add(u64::try_from(part).ok()?)))
    };
    is_known().ok_or_else(|| {
        Error::quoting(
            "ERR '",
            text,
            "' is no time: a whole number of milliseconds is, and a number with a unit, such as 500ms, 1.5s, 5m, 2h or 1d",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_a_number_of_milliseconds_or_has_a_unit() {
        let micros = |text: &str| duration(text.as_bytes()).ok().map(|time| time.as_micros());
        for (text, expected) in [
            ("0", 0),
            ("30", 30_000),
            ("30ms", 30_000),
            ("0.5ms", 500),
            ("1.5s", 1_500_000),
            ("1.s", 1_000_000),
            ("30S", 30_000_000),
            ("5m", 300_000_000),
            ("2h", 7_200_000_000),
            ("1d", 86_400_000_000),
            ("0.0000000000009d", 0),
        ] {
            assert_eq!(micros(text), Some(expected), "{text}");
        }
        for text in
            ["", "1.5", "s", ".5s", "-1", "-1s", "+1", "1 s", "1.2.3s", "1w", "1e3", "18446744073709551616"]
        {
            assert_eq!(micros(text), None, "{text}");
        }
        assert_eq!(micros("18446744073709551615d"), Some(u64::MAX.into()), "later than any clock goes");
    }
}
