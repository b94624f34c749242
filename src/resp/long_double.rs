//! The `long double` of x86-64, in which redis-server adds floating-point increments: 64 bits of mantissa and 15 of
//! exponent.

use std::cmp::Ordering;
use std::ops::Add;

use num_bigint::BigUint;

use super::number::parse_hexadecimal;

/// The exponent of the smallest number: its lowest bit stands for two to this power.
const LEAST: i64 = -16445;

/// The exponent of the greatest numbers, for their lowest bit.
const GREATEST: i64 = 16383 - 63;

/// redis-server does not read longer texts.
const LONGEST: usize = 5 * 1024;

/// How many digits redis-server prints after the point.
const DECIMALS: usize = 17;

/// A finite number or an infinity; a NaN is never made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LongDouble {
    negative: bool,
    size: Size,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Size {
    /// `mantissa` times two to the power of `exponent`. The mantissa's highest bit is set, unless the exponent is
    /// the least.
    Finite {
        mantissa: u64,
        exponent: i64,
    },
    Infinite,
}

impl From<i64> for LongDouble {
    fn from(value: i64) -> Self {
        Self { negative: value < 0, size: Size::rounded(value.unsigned_abs().into(), false, 0) }
    }
}

impl Size {
    const ZERO: Self = Self::Finite { mantissa: 0, exponent: LEAST };

    /// The number nearest to `mantissa` times two to the power of `exponent`, ties to even; `sticky` says that the
    /// mantissa is a little more, and then the mantissa has more than 64 bits.
    fn rounded(mantissa: u128, sticky: bool, exponent: i64) -> Self {
        if mantissa == 0 {
            return Self::ZERO;
        }
        let shift = mantissa.leading_zeros();
        let mantissa = mantissa << shift;
        let mut exponent = exponent.saturating_sub(shift.into()).saturating_add(64);
        // 64 bits are lost, and more below the normal numbers.
        let below = u32::try_from((LEAST - exponent).max(0)).unwrap_or(u32::MAX);
        exponent = exponent.max(LEAST);
        let lost = 64_u32.saturating_add(below);
        let kept = mantissa.checked_shr(lost).unwrap_or_default();
        let rest = mantissa - kept.checked_shl(lost).unwrap_or_default();
        let half = match lost {
            64..=128 => rest.cmp(&(1 << (lost - 1))),
            _ => Ordering::Less,
        };
        let up = match half {
            Ordering::Greater => true,
            Ordering::Equal => sticky || kept & 1 == 1,
            Ordering::Less => false,
        };
        let mut kept = kept + u128::from(up);
        if kept >> 64 != 0 {
            kept >>= 1;
            exponent += 1;
        }
        match u64::try_from(kept) {
            Ok(mantissa) if exponent <= GREATEST => Self::Finite { mantissa, exponent },
            _ => Self::Infinite,
        }
    }

    /// The number nearest to `numerator / denominator`.
    fn quotient(numerator: BigUint, denominator: &BigUint) -> Self {
        let bits = |number: &BigUint| i64::try_from(number.bits()).unwrap_or(i64::MAX);
        // Shifted so that the quotient has from 66 to 128 bits.
        let shift = 100 - (bits(&numerator) - bits(denominator));
        let (numerator, denominator) = if shift >= 0 {
            (numerator << shift.unsigned_abs(), denominator.clone())
        } else {
            (numerator, denominator << shift.unsigned_abs())
        };
        let quotient = &numerator / &denominator;
        let sticky = &quotient * &denominator != numerator;
        Self::rounded(u128::try_from(quotient).unwrap_or(u128::MAX), sticky, -shift)
    }

    /// Digits with an optional point and exponent. `None` if it is not such a number, or so great or so small that
    /// it would be rounded to infinity or 0.
    fn parse_decimal(text: &[u8]) -> Option<Self> {
        let end = text.iter().position(|byte| matches!(byte, b'e' | b'E'));
        let (mantissa, power) = text.split_at(end.unwrap_or(text.len()));
        let mut parts = mantissa.splitn(2, |byte| *byte == b'.');
        let (whole, fraction) = (parts.next()?, parts.next().unwrap_or_default());
        let digits = [whole, fraction].concat();
        if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
            return None;
        }
        let power = match power {
            [] => 0,
            [_, b'-', digits @ ..] => -saturating(digits)?,
            [_, b'+', digits @ ..] | [_, digits @ ..] => saturating(digits)?,
        };
        let zeros = digits.iter().take_while(|digit| **digit == b'0').count();
        let digits = &digits[zeros..];
        if digits.is_empty() {
            return Some(Self::ZERO);
        }
        // The positions of the lowest and the highest digit. Far out of range nothing has to be computed.
        let lowest = power.saturating_sub_unsigned(fraction.len() as u64);
        let highest = lowest.saturating_add_unsigned(digits.len() as u64);
        if !(-5000..=5000).contains(&highest) {
            return None;
        }
        let number = BigUint::parse_bytes(digits, 10)?;
        let scale = BigUint::from(10_u8).pow(u32::try_from(lowest.unsigned_abs()).ok()?);
        let size = if lowest >= 0 {
            Self::quotient(number * scale, &BigUint::from(1_u8))
        } else {
            Self::quotient(number, &scale)
        };
        (size != Self::Infinite && size != Self::ZERO).then_some(size)
    }

    /// Hexadecimal notation, after the `0x`.
    fn parse_hexadecimal(text: &[u8]) -> Option<Self> {
        let (mantissa, sticky, exponent) = parse_hexadecimal(text)?;
        let size = Self::rounded(mantissa, sticky, exponent);
        (mantissa == 0 || size != Self::Infinite && size != Self::ZERO).then_some(size)
    }
}

/// Decimal digits, at least one; a number that is too great becomes the greatest.
fn saturating(digits: &[u8]) -> Option<i64> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some(digits.iter().fold(0, |sum: i64, digit| {
        // Not so great that adding the number of digits could overflow.
        sum.saturating_mul(10).saturating_add(i64::from(digit - b'0')).min(i64::MAX / 4)
    }))
}

impl LongDouble {
    /// Reads a number as redis-server does with C's `strtold`: decimal or hexadecimal notation or an infinity, the
    /// whole text, no white space, no NaN, nothing so great or so small that it would be rounded to infinity or 0.
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<Self> {
        if text.len() >= LONGEST {
            return None;
        }
        let (negative, unsigned) = match text {
            [b'-', rest @ ..] => (true, rest),
            [b'+', rest @ ..] => (false, rest),
            all => (false, all),
        };
        let size = match unsigned {
            [b'0', b'x' | b'X', digits @ ..] => Size::parse_hexadecimal(digits)?,
            word if word.eq_ignore_ascii_case(b"inf") || word.eq_ignore_ascii_case(b"infinity") => {
                Size::Infinite
            }
            digits => Size::parse_decimal(digits)?,
        };
        Some(Self { negative, size })
    }

    /// Whether it is finite.
    #[must_use]
    pub fn is_finite(self) -> bool {
        self.size != Size::Infinite
    }

    /// Appends the number as redis-server prints a sum: all digits before the point and up to 17 after it, without
    /// zeros at the end.
    pub fn print(self, out: &mut Vec<u8>) {
        let start = out.len();
        if self.negative {
            out.push(b'-');
        }
        let Size::Finite { mantissa, exponent } = self.size else {
            return out.extend_from_slice(b"inf");
        };
        if exponent >= 0 {
            let whole = BigUint::from(mantissa) << exponent.unsigned_abs();
            return out.extend_from_slice(whole.to_string().as_bytes());
        }
        // In units of the last decimal, of which `lost` bits are after the point: less than 2^121.
        let units = u128::from(mantissa) * 10_u128.pow(17);
        let lost = u32::try_from(exponent.unsigned_abs()).unwrap_or(u32::MAX);
        let kept = units.checked_shr(lost).unwrap_or_default();
        let rest = units - kept.checked_shl(lost).unwrap_or_default();
        let half = 1_u128.checked_shl(lost - 1).unwrap_or(u128::MAX);
        let up = rest > half || rest == half && kept & 1 == 1;
        let units = (kept + u128::from(up)).to_string();
        let digits = format!("{units:0>width$}", width = DECIMALS + 1);
        let (whole, fraction) = digits.split_at(digits.len() - DECIMALS);
        let fraction = fraction.trim_end_matches('0');
        out.extend_from_slice(whole.as_bytes());
        if !fraction.is_empty() {
            out.push(b'.');
            out.extend_from_slice(fraction.as_bytes());
        }
        if out.get(start..) == Some(b"-0") {
            out.remove(start);
        }
    }
}

impl Add for LongDouble {
    type Output = Option<Self>;

    /// The sum, rounded; `None` if infinities of opposite signs are added.
    fn add(self, other: Self) -> Option<Self> {
        let (Size::Finite { mantissa: one, exponent: high }, Size::Finite { mantissa: two, exponent: low }) =
            (self.size, other.size)
        else {
            let infinite = if self.is_finite() { other } else { self };
            let both = !self.is_finite() && !other.is_finite();
            return (!both || self.negative == other.negative).then_some(infinite);
        };
        if high < low {
            return other + self;
        }
        // Two high bits are free for the sum. Of the bits that are shifted out, only whether there are any matters.
        let one = u128::from(one) << 62;
        let shift = u32::try_from(high - low).unwrap_or(u32::MAX);
        let unshifted = u128::from(two) << 62;
        let two = unshifted.checked_shr(shift).unwrap_or_default();
        let sticky = two.checked_shl(shift).unwrap_or_default() != unshifted;
        let exponent = high - 62;
        let (negative, sum) = if self.negative == other.negative {
            (self.negative, one + two)
        } else if one >= two + u128::from(sticky) {
            // A little less than the difference is a little more than the number below it.
            (self.negative, one - two - u128::from(sticky))
        } else {
            (other.negative, two - one)
        };
        let size = Size::rounded(sum, sticky, exponent);
        Some(Self { negative: negative && size != Size::ZERO, size })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn printed(value: LongDouble) -> String {
        let mut out = Vec::new();
        value.print(&mut out);
        String::from_utf8(out).unwrap()
    }

    fn sum(one: &str, two: &str) -> String {
        let [one, two] = [one, two].map(|text| LongDouble::parse(text.as_bytes()).unwrap());
        printed((one + two).unwrap())
    }

    #[test]
    fn sums_are_those_of_80_bits() {
        for (one, two, expected) in [
            ("0.1", "0.2", "0.3"),
            ("3.0e3", "0", "3000"),
            ("-0", "0", "0"),
            ("10.5", "0.1", "10.6"),
            ("1", "-1", "0"),
            ("18446744073709551616", "1", "18446744073709551616"),
            ("18446744073709551615", "1", "18446744073709551616"),
            ("1e-17", "0", "0.00000000000000001"),
            ("1e-4950", "0", "0"),
            ("-1e-4950", "0", "0"),
            ("0x1.8p1", "0X.8", "3.5"),
        ] {
            assert_eq!(sum(one, two), expected, "{one} + {two}");
            assert_eq!(sum(two, one), expected, "{two} + {one}");
        }
        let greatest = LongDouble::parse(b"1.18973149535723176502e+4932").unwrap();
        assert!(!(greatest + greatest).unwrap().is_finite());
        let infinite = LongDouble::parse(b"-inf").unwrap();
        assert_eq!(infinite + greatest, Some(infinite));
        assert_eq!(infinite + LongDouble::parse(b"Infinity").unwrap(), None);
    }

    #[test]
    fn what_no_long_double_holds_is_not_read() {
        for text in [
            "", "1e5000", "1e4933", "-1e4933", "1e-4951", "nan", " 1", "1 ", "1\0", ".", "1e", "e1", "0x",
            "+-1",
        ] {
            assert_eq!(LongDouble::parse(text.as_bytes()), None, "{text:?}");
        }
        assert!(LongDouble::parse(b"4e-4951").is_some());
        assert!(LongDouble::parse(b"0e99999999999999999999999").is_some());
        assert!(LongDouble::parse(&[b'0'; LONGEST]).is_none());
        assert!(LongDouble::parse(&[b'0'; LONGEST - 1]).is_some());
    }

    proptest! {
        #[test]
        fn sums_of_integers_are_exact(one in -(1_i64 << 62)..1 << 62, two in -(1_i64 << 62)..1 << 62) {
            prop_assert_eq!(printed((LongDouble::from(one) + LongDouble::from(two)).unwrap()), (one + two).to_string());
        }

        #[test]
        fn doubles_are_read_exactly(value in 1e-3..1e18) {
            let bits = format!("{value:.60}");
            let exact = LongDouble::parse(bits.as_bytes()).unwrap();
            let negative = LongDouble { negative: true, ..exact };
            prop_assert_eq!(exact + negative, Some(LongDouble { negative: false, size: Size::ZERO }));
            let [one, other] = [printed(exact), format!("{value:.17}")].map(|text| text.parse::<f64>().unwrap());
            prop_assert_eq!(one.to_bits(), other.to_bits());
        }
    }
}
