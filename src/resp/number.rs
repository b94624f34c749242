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
/// decimal and hexadecimal notation and infinities; no white space at either end, no NaN, and nothing so great
/// or so small that a double can only hold infinity or 0 for it.
#[must_use]
pub fn parse_double(text: &[u8]) -> Option<f64> {
    let (negative, unsigned) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        all => (false, all),
    };
    if let [b'0', b'x' | b'X', digits @ ..] = unsigned {
        let value = parse_hexadecimal(digits)?;
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
/// without hexadecimal notation, and what is too great or too small is infinity or 0.
#[must_use]
pub fn parse_decimal(text: &[u8]) -> Option<f64> {
    // The standard library reads exactly this, and NaN.
    let value: f64 = std::str::from_utf8(text).ok()?.parse().ok()?;
    (!value.is_nan()).then_some(value)
}

/// `strtod`'s hexadecimal notation: `1f`, `1.8`, `1p-3`, after the `0x`.
fn parse_hexadecimal(text: &[u8]) -> Option<f64> {
    // The value is the mantissa, and a little more if `sticky`, times two to the power of `exponent`.
    let (mut mantissa, mut sticky, mut exponent) = (0u64, false, 0i64);
    let (mut digits, mut point) = (false, false);
    let mut rest = text;
    while let [byte, behind @ ..] = rest {
        if let Some(digit) = char::from(*byte).to_digit(16) {
            digits = true;
            if mantissa >> 60 == 0 {
                mantissa = mantissa << 4 | u64::from(digit);
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
    rounded(mantissa, sticky, exponent)
}

/// The double nearest to `mantissa` times two to the power of `exponent`, ties to even; `sticky` tells that the
/// mantissa is a little more. None if it would be infinite, or 0 though the mantissa is not.
fn rounded(mantissa: u64, sticky: bool, exponent: i64) -> Option<f64> {
    const FRACTION_BITS: u64 = 52;
    if mantissa == 0 {
        return Some(0.0);
    }
    let shift = mantissa.leading_zeros();
    let mantissa = mantissa << shift;
    // Of the highest bit.
    let exponent = exponent.saturating_add(63 - i64::from(shift));
    if exponent > 1023 {
        return None;
    }
    // How many bits are lost: 11, and more below the normal doubles.
    let lost = u32::try_from(11 + (-1022 - exponent).max(0)).ok().filter(|lost| *lost <= 64)?;
    let kept = mantissa.checked_shr(lost).unwrap_or_default();
    // What is lost as a fraction of one unit, in 64 bits.
    let fraction = mantissa << (64 - lost);
    let half = 1 << 63;
    let up = fraction > half || fraction == half && (sticky || kept & 1 == 1);
    // A normal double has its highest bit only in the exponent: the addition carries it over there.
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
    // Whole numbers up to half of what 64 bits hold are printed as integers, as redis-server's `double2ll`.
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

/// Lays out digits of which the last stands at this power of ten, in the manner of fpconv, which redis-server
/// uses.
fn layout(out: &mut Vec<u8>, digits: &[u8], last: i32) {
    let count = i32::try_from(digits.len()).unwrap_or(i32::MAX);
    // Where the first digit stands.
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
