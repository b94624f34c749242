//! Numbers as redis-server reads and prints them.

use super::grisu;

/// Reads a signed 64-bit integer as redis-server's `string2ll`: decimal digits with an optional `-`, no
/// white space, no `+`, no leading zeros, nothing out of range.
#[must_use]
pub fn parse_integer(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        all => (false, all),
    };
    match digits {
        [b'0'] if !negative => return Some(0),
        [b'1'..=b'9', ..] if digits.len() <= 19 => {}
        _ => return None,
    }
    let mut value: u64 = 0;
    for digit in digits {
        if !digit.is_ascii_digit() {
            return None;
        }
        value = value * 10 + u64::from(digit - b'0');
    }
    if negative { 0i64.checked_sub_unsigned(value) } else { i64::try_from(value).ok() }
}

/// Reads a floating-point number as redis-server reads scores and increments (C's `strtod` over the whole text):
/// decimal and hexadecimal notation and infinities; no white space at either end, no NaN, and nothing so great or
/// so small that it would be rounded to infinity or 0.
#[must_use]
pub fn parse_double(text: &[u8]) -> Option<f64> {
    let (negative, unsigned) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        all => (false, all),
    };
    if let [b'0', b'x' | b'X', digits @ ..] = unsigned {
        let (mantissa, sticky, exponent) = parse_hexadecimal(digits)?;
        let value = rounded(mantissa, sticky, exponent)?;
        return Some(if negative { -value } else { value });
    }
    let value = parse_decimal(text)?;
    let too_great = value.is_infinite() && text.iter().any(u8::is_ascii_digit);
    let too_small = value == 0.0 && {
        let mut mantissa = text.iter().take_while(|byte| !matches!(byte, b'e' | b'E'));
        mantissa.any(|byte| matches!(byte, b'1'..=b'9'))
    };
    (!too_great && !too_small).then_some(value)
}

/// Reads a floating-point number as redis-server reads the bounds of a range of scores: as [`parse_double`], but
/// without hexadecimal notation, and numbers that are too great or too small are infinity or 0.
#[must_use]
pub fn parse_decimal(text: &[u8]) -> Option<f64> {
    // The standard library reads exactly this, and NaN.
    let value: f64 = std::str::from_utf8(text).ok()?.parse().ok()?;
    (!value.is_nan()).then_some(value)
}

/// `strtod`'s hexadecimal notation: `1f`, `1.8`, `1p-3`, after the `0x`. The value is the mantissa (a little more
/// if the second part is true) times two to the power of the third part.
pub(super) fn parse_hexadecimal(text: &[u8]) -> Option<(u128, bool, i64)> {
    let (mut mantissa, mut sticky, mut exponent) = (0u128, false, 0i64);
    let (mut digits, mut point) = (false, false);
    let mut rest = text;
    while let [byte, behind @ ..] = rest {
        if let Some(digit) = char::from(*byte).to_digit(16) {
            digits = true;
            if mantissa >> 124 == 0 {
                mantissa = mantissa << 4 | u128::from(digit);
                exponent -= if point { 4 } else { 0 };
            } else {
                sticky |= digit != 0;
                exponent += if point { 0 } else { 4 };
            }
        } else if *byte == b'.' && !point {
            point = true;
        } else {
            break;
        }
        rest = behind;
    }
    if !digits {
        return None;
    }
    match rest {
        [] => {}
        [b'p' | b'P', power @ ..] => {
            let (negative, power) = match power {
                [b'-', power @ ..] => (true, power),
                [b'+', power @ ..] => (false, power),
                _ => (false, power),
            };
            if power.is_empty() || !power.iter().all(u8::is_ascii_digit) {
                return None;
            }
            let add = |sum: i64, digit: &u8| sum.saturating_mul(10).saturating_add(i64::from(digit - b'0'));
            let power = power.iter().fold(0, add);
            exponent = exponent.saturating_add(if negative { -power } else { power });
        }
        _ => return None,
    }
    Some((mantissa, sticky, exponent))
}

/// The double nearest to `mantissa` times two to the power of `exponent`, ties to even; `sticky` says that the
/// mantissa is a little more. `None` if it would be infinite, or 0 with a mantissa that is not 0.
fn rounded(mantissa: u128, sticky: bool, exponent: i64) -> Option<f64> {
    const FRACTION_BITS: u64 = 52;
    if mantissa == 0 {
        return Some(0.0);
    }
    let shift = mantissa.leading_zeros();
    let shifted = mantissa << shift;
    // 64 bits and the sticky bit are enough for a double.
    let mantissa = u64::try_from(shifted >> 64).unwrap_or(u64::MAX);
    let sticky = sticky || shifted << 64 != 0;
    // The exponent of the highest bit.
    let exponent = exponent.saturating_add(127 - i64::from(shift));
    if exponent > 1023 {
        return None;
    }
    // How many bits are lost: 11, and more below the normal doubles.
    let lost = u32::try_from(11 + (-1022 - exponent).max(0)).ok().filter(|lost| *lost <= 64)?;
    let kept = mantissa.checked_shr(lost).unwrap_or_default();
    // The lost part as a fraction of one unit, in 64 bits.
    let fraction = mantissa << (64 - lost);
    let half = 1 << 63;
    let up = fraction > half || fraction == half && (sticky || kept & 1 == 1);
    // The highest bit of a normal double is implicit: the addition carries it over into the exponent.
    let biased = u64::try_from(exponent + 1022).unwrap_or_default();
    let value = f64::from_bits((biased << FRACTION_BITS) + kept + u64::from(up));
    (value.is_finite() && value != 0.0).then_some(value)
}

/// Appends a double as redis-server prints it in replies: whole numbers as integers, digits that read back the
/// same otherwise, exponents as in C (`1e+23`), `inf`, `-inf`, `nan`.
pub fn print_double(out: &mut Vec<u8>, value: f64) {
    if value.is_nan() {
        return out.extend_from_slice(b"nan");
    }
    if value.is_infinite() {
        return out.extend_from_slice(if value > 0.0 { b"inf" } else { b"-inf" });
    }
    if value == 0.0 {
        return out.extend_from_slice(if value.is_sign_negative() { b"-0" } else { b"0" });
    }
    // Whole numbers up to half the range of `i64` are printed as integers, as redis-server's `double2ll`.
    #[allow(clippy::cast_possible_truncation, clippy::cast_precision_loss)]
    if value.abs() <= (i64::MAX / 2) as f64 && value.fract() == 0.0 {
        return out.extend_from_slice(itoa::Buffer::new().format(value as i64).as_bytes());
    }
    if value < 0.0 {
        out.push(b'-');
    }
    let decimal = grisu::digits(value.abs());
    layout(out, decimal.digits(), decimal.last);
}

/// Appends a double with up to 17 digits, as C's `%.17g`: as redis-server prints scores that are not stored as
/// text.
pub fn print_double_in_full(out: &mut Vec<u8>, value: f64) {
    const DIGITS: i32 = 17;
    // Whole numbers look the same either way, as long as all their digits are printed.
    let is_whole = value.abs() < 1e15 && value.fract() == 0.0;
    if is_whole || !value.is_finite() {
        if value.is_nan() && value.is_sign_negative() {
            out.push(b'-');
        }
        return print_double(out, value);
    }
    let text = format!("{:.16e}", value.abs());
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or_default();
    let digits: Vec<u8> = mantissa.bytes().filter(u8::is_ascii_digit).collect();
    let len = digits.iter().rposition(|digit| *digit != b'0').map_or(1, |last| last + 1);
    let digits = digits.get(..len).unwrap_or_default();
    if value < 0.0 {
        out.push(b'-');
    }
    let zeros = |count: i32| std::iter::repeat_n(b'0', usize::try_from(count).unwrap_or_default());
    // How many digits are before the point.
    let whole = usize::try_from(exponent + 1).unwrap_or_default();
    if !(-4..DIGITS).contains(&exponent) {
        let (first, others) = digits.split_at(1.min(len));
        out.extend_from_slice(first);
        if !others.is_empty() {
            out.push(b'.');
            out.extend_from_slice(others);
        }
        out.extend_from_slice(if exponent < 0 { b"e-" } else { b"e+" });
        out.extend(zeros(i32::from(exponent.abs() < 10)));
        out.extend_from_slice(itoa::Buffer::new().format(exponent.abs()).as_bytes());
    } else if exponent < 0 {
        out.extend_from_slice(b"0.");
        out.extend(zeros(-exponent - 1));
        out.extend_from_slice(digits);
    } else if whole >= len {
        out.extend_from_slice(digits);
        out.extend(std::iter::repeat_n(b'0', whole - len));
    } else {
        let (before, behind) = digits.split_at(whole);
        out.extend_from_slice(before);
        out.push(b'.');
        out.extend_from_slice(behind);
    }
}

/// Formats digits of which the last is at this power of ten, as fpconv does, which redis-server uses.
fn layout(out: &mut Vec<u8>, digits: &[u8], last: i32) {
    let count = i32::try_from(digits.len()).unwrap_or(i32::MAX);
    // The power of ten of the first digit.
    let exponent = last + count - 1;
    if last >= 0 && exponent.abs() < count + 7 {
        out.extend_from_slice(digits);
        out.extend(std::iter::repeat_n(b'0', usize::try_from(last).unwrap_or_default()));
    } else if last < 0 && (last > -7 || exponent.abs() < 4) {
        if exponent < 0 {
            out.extend_from_slice(b"0.");
            let zeros = usize::try_from(-exponent - 1).unwrap_or_default();
            out.extend(std::iter::repeat_n(b'0', zeros));
            out.extend_from_slice(digits);
        } else {
            let (whole, fraction) = digits.split_at(usize::try_from(exponent + 1).unwrap_or_default());
            out.extend_from_slice(whole);
            out.push(b'.');
            out.extend_from_slice(fraction);
        }
    } else {
        let (first, others) = digits.split_at(count.min(1).cast_unsigned() as usize);
        out.extend_from_slice(first);
        if !others.is_empty() {
            out.push(b'.');
            out.extend_from_slice(others);
        }
        out.push(b'e');
        out.push(if exponent < 0 { b'-' } else { b'+' });
        out.extend_from_slice(itoa::Buffer::new().format(exponent.abs()).as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn printed(value: f64) -> String {
        let mut out = Vec::new();
        print_double(&mut out, value);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn doubles_in_full_have_17_digits_as_in_c() {
        let cases = [
            (0.1, "0.10000000000000001"),
            (-4.1, "-4.0999999999999996"),
            (3.5, "3.5"),
            (1e16, "10000000000000000"),
            (123_456_789_012_345_680.0, "1.2345678901234568e+17"),
            (1e300, "1.0000000000000001e+300"),
            (1e22, "1e+22"),
            (0.0001, "0.0001"),
            (0.00012, "0.00012"),
            (1e-5, "1.0000000000000001e-05"),
            (1e-7, "9.9999999999999995e-08"),
            (5e-324, "4.9406564584124654e-324"),
            (-0.0, "-0"),
            (f64::NEG_INFINITY, "-inf"),
            (f64::NAN, "nan"),
            (-f64::NAN, "-nan"),
        ];
        for (value, expected) in cases {
            let mut out = Vec::new();
            print_double_in_full(&mut out, value);
            assert_eq!(String::from_utf8_lossy(&out), expected);
        }
    }

    proptest! {
        #[test]
        fn doubles_in_full_are_read_back(value in any::<f64>().prop_filter("a number", |value| value.is_finite())) {
            let mut out = Vec::new();
            print_double_in_full(&mut out, value);
            prop_assert_eq!(parse_decimal(&out), Some(value));
        }
    }

    #[test]
    fn doubles_are_printed_as_redis_8_prints_them() {
        for (value, text) in [
            (0.0, "0"),
            (-0.0, "-0"),
            (-1.0, "-1"),
            (0.1, "0.1"),
            (-1.5, "-1.5"),
            (1e15, "1000000000000000"),
            (1e22, "1e+22"),
            (4_611_686_018_427_387_904.0, "4611686018427387904"),
            (1e23, "99999999999999990000000"),
            (123_456_789_012_345_678_901_234_567_890.0, "1.2345678901234568e+29"),
            (1e-7, "1e-7"),
            (0.000_015, "0.000015"),
            (0.000_001_5, "1.5e-6"),
            (f64::MAX, "1.7976931348623157e+308"),
            (5e-324, "5e-324"),
            (f64::INFINITY, "inf"),
            (f64::NEG_INFINITY, "-inf"),
            (f64::NAN, "nan"),
            // For these, Grisu2 does not find the shortest digits, or not the nearest ones.
            (7.039_164_752_059_34e9, "7.0391647520593395e+9"),
            (2.710_178_841_292_778e-3, "0.0027101788412927782"),
            (6.762_066_406_174_768e-198, "6.762066406174769e-198"),
        ] {
            assert_eq!(printed(value), text);
        }
    }

    #[test]
    fn scores_are_read_as_strtod_reads_them() {
        for (text, value) in [
            ("+5", 5.0),
            (".5", 0.5),
            ("5.", 5.0),
            ("-.5e1", -5.0),
            ("1e+3", 1000.0),
            ("00012", 12.0),
            ("0e99999999999", 0.0),
            ("3e-324", 5e-324),
            ("iNf", f64::INFINITY),
            ("+Infinity", f64::INFINITY),
            ("-inf", f64::NEG_INFINITY),
            ("0x10", 16.0),
            ("-0X1.8P+1", -3.0),
            ("0x.8", 0.5),
            ("0x0p99999999999999999999", 0.0),
            ("0x1p-1074", 5e-324),
            // Halfway between two doubles, and a little more.
            ("0x1.fffffffffffff8p0", 2.0),
            ("0x1.00000000000008p0", 1.0),
            ("0x1.000000000000080000000001p0", 1.000_000_000_000_000_2),
        ] {
            assert_eq!(parse_double(text.as_bytes()), Some(value), "{text}");
        }
        for text in [
            "",
            " 1",
            "1 ",
            "\t1",
            "1\n",
            "1\0",
            ".",
            "+",
            "--1",
            "+-1",
            "e5",
            "1e",
            "1e+",
            "1_000",
            "1f",
            "nan",
            "-NaN",
            "nan(1)",
            "infinit",
            "i",
            "0x",
            "0x.",
            "0x1p",
            "0x1p+",
            "0x1 ",
            "0b1",
            "1e400",
            "-1e400",
            "1e-400",
            "2e-324",
            "0x1p1024",
            "0x1p-1075",
            "0x1p-99999999999999999999",
        ] {
            assert_eq!(parse_double(text.as_bytes()), None, "{text:?}");
        }
    }

    #[test]
    fn bounds_are_read_without_hexadecimals_and_without_limits() {
        for (text, value) in [("1e400", f64::INFINITY), ("-1e400", f64::NEG_INFINITY), ("1e-400", 0.0)] {
            assert_eq!(parse_decimal(text.as_bytes()), Some(value), "{text}");
        }
        for text in ["0x10", "nan", "", " 1"] {
            assert_eq!(parse_decimal(text.as_bytes()), None, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_printed_reads_back_the_same(value: f64) {
            prop_assert_eq!(parse_double(printed(value).as_bytes()), Some(value));
        }

        #[test]
        fn hexadecimal_notation_reads_back_the_same(value: f64) {
            let bits = value.abs().to_bits();
            let (whole, exponent) = match bits >> 52 {
                0 => (0, -1022),
                exponent => (1, i64::try_from(exponent).unwrap() - 1023),
            };
            let text = format!("0x{whole}.{:013x}p{exponent}", bits & ((1 << 52) - 1));
            prop_assert_eq!(parse_double(text.as_bytes()), Some(value.abs()));
        }
    }
}
