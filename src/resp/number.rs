//! Numbers as redis-server reads and prints them.

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

/// Reads a floating-point number as redis-server reads scores and increments (`strtod` over the whole
/// text): decimal and hexadecimal notation and infinities; no white space at either end, no NaN.
#[must_use]
pub fn parse_double(text: &[u8]) -> Option<f64> {
    let (sign, unsigned) = match text {
        [b'-', rest @ ..] => (-1.0, rest),
        [b'+', rest @ ..] => (1.0, rest),
        all => (1.0, all),
    };
    let first = *unsigned.first()?;
    let lower = |byte: &u8| byte.to_ascii_lowercase();
    if matches!(first, b'i' | b'I') {
        let word: Vec<u8> = unsigned.iter().take(9).map(lower).collect();
        return (word == b"inf" || word == b"infinity").then_some(sign * f64::INFINITY);
    }
    if let [b'0', b'x' | b'X', hex @ ..] = unsigned {
        return parse_hexadecimal(hex).map(|value| sign * value);
    }
    if !(first.is_ascii_digit() || first == b'.') {
        return None;
    }
    let value: f64 = std::str::from_utf8(unsigned).ok()?.parse().ok()?;
    // A number too great for a double is an error in redis-server (ERANGE), unlike a written infinity.
    value.is_finite().then_some(sign * value)
}

/// `strtod`'s hexadecimal notation: `1f`, `1.8`, `1p-3`, after the `0x`.
fn parse_hexadecimal(text: &[u8]) -> Option<f64> {
    let mut value = 0.0f64;
    let mut digits = 0;
    let mut scale = 0i32;
    let mut at = 0;
    let mut point = false;
    while let Some(&byte) = text.get(at) {
        if let Some(digit) = (byte as char).to_digit(16) {
            value = value * 16.0 + f64::from(digit);
            digits += 1;
            scale -= if point { 4 } else { 0 };
        } else if byte == b'.' && !point {
            point = true;
        } else {
            break;
        }
        at += 1;
    }
    if digits == 0 {
        return None;
    }
    match text.get(at) {
        None => {}
        Some(b'p' | b'P') => {
            let exponent = text.get(at + 1..)?;
            let exponent = exponent.strip_prefix(b"+").unwrap_or(exponent);
            scale = scale.checked_add(i32::try_from(parse_integer(exponent)?).ok()?)?;
        }
        Some(_) => return None,
    }
    let value = value * 2f64.powi(scale);
    value.is_finite().then_some(value)
}

/// Appends a double as redis-server prints it in replies (`%.17g` made short): integers without a point,
/// the shortest digits that read back the same otherwise, exponents as in C (`1e+21`), `inf`, `-inf`, `nan`.
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
    // `{:e}` gives the shortest digits that read back the same: d.ddde-7.
    let text = format!("{:e}", value.abs());
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or_default();
    let digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
    if value < 0.0 {
        out.push(b'-');
    }
    layout(out, digits.as_bytes(), exponent);
}

/// Lays out digits with the decimal point behind the first and this exponent, in the manner of fpconv,
/// which redis-server uses.
fn layout(out: &mut Vec<u8>, digits: &[u8], exponent: i32) {
    let count = i32::try_from(digits.len()).unwrap_or(i32::MAX);
    // Where the last digit stands: value = digits * 10^last.
    let last = exponent - (count - 1);
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
        out.extend_from_slice(&digits[..1]);
        if digits.len() > 1 {
            out.push(b'.');
            out.extend_from_slice(&digits[1..]);
        }
        out.push(b'e');
        out.push(if exponent < 0 { b'-' } else { b'+' });
        out.extend_from_slice(itoa::Buffer::new().format(exponent.abs()).as_bytes());
    }
}
