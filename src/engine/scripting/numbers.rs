//! Numbers as C reads and prints them.

/// Appends a number as C's `%.{precision}g` prints it.
pub(super) fn print(out: &mut Vec<u8>, number: f64, precision: usize) {
    if !number.is_finite() {
        let text: &[u8] = if number.is_nan() {
            b"nan"
        } else if number < 0.0 {
            b"-inf"
        } else {
            b"inf"
        };
        return out.extend_from_slice(text);
    }
    let precision = precision.max(1);
    let text = format!("{:.*e}", precision - 1, number.abs());
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or_default();
    let digits: Vec<u8> = mantissa.bytes().filter(u8::is_ascii_digit).collect();
    let len = digits.iter().rposition(|digit| *digit != b'0').map_or(1, |last| last + 1);
    let digits = digits.get(..len).unwrap_or_default();
    if number.is_sign_negative() {
        out.push(b'-');
    }
    let whole = usize::try_from(exponent + 1).unwrap_or_default();
    if exponent < -4 || usize::try_from(exponent).is_ok_and(|exponent| exponent >= precision) {
        let (first, others) = digits.split_at(1.min(len));
        out.extend_from_slice(first);
        if !others.is_empty() {
            out.push(b'.');
            out.extend_from_slice(others);
        }
        let sign = if exponent < 0 { '-' } else { '+' };
        out.extend_from_slice(format!("e{sign}{:02}", exponent.abs()).as_bytes());
    } else if exponent < 0 {
        out.extend_from_slice(b"0.");
        out.resize(out.len() + usize::try_from(-exponent - 1).unwrap_or_default(), b'0');
        out.extend_from_slice(digits);
    } else if whole >= len {
        out.extend_from_slice(digits);
        out.resize(out.len() + whole - len, b'0');
    } else {
        let (before, behind) = digits.split_at(whole);
        out.extend_from_slice(before);
        out.push(b'.');
        out.extend_from_slice(behind);
    }
}

/// The number at the beginning of a text, as C's `strtod` reads it, and its length in bytes; none if there is none.
pub(super) fn read(text: &[u8]) -> Option<(f64, usize)> {
    let signed = usize::from(matches!(text.first(), Some(b'-' | b'+')));
    let negative = text.first() == Some(&b'-');
    let rest = text.get(signed..)?;
    let (value, length) =
        read_word(rest).or_else(|| read_hexadecimal(rest)).or_else(|| read_decimal(rest))?;
    Some((if negative { -value } else { value }, signed + length))
}

fn read_word(text: &[u8]) -> Option<(f64, usize)> {
    let starts = |word: &[u8]| text.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word));
    let words: [(&[u8], f64); 3] =
        [(b"infinity", f64::INFINITY), (b"inf", f64::INFINITY), (b"nan", f64::NAN)];
    words.into_iter().find(|(word, _)| starts(word)).map(|(word, value)| (value, word.len()))
}

fn read_decimal(text: &[u8]) -> Option<(f64, usize)> {
    let digits = |from: usize| {
        text.get(from..).unwrap_or_default().iter().take_while(|byte| byte.is_ascii_digit()).count()
    };
    let whole = digits(0);
    let mut end = whole;
    let mut fraction = 0;
    if text.get(end) == Some(&b'.') {
        fraction = digits(end + 1);
        if whole + fraction > 0 {
            end += 1 + fraction;
        }
    }
    if whole + fraction == 0 {
        return None;
    }
    if matches!(text.get(end), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(text.get(end + 1), Some(b'-' | b'+')));
        let exponent = digits(end + 1 + sign);
        if exponent > 0 {
            end += 1 + sign + exponent;
        }
    }
    let value = std::str::from_utf8(text.get(..end)?).ok()?.parse().ok()?;
    Some((value, end))
}

/// `0x1.8p3`. Digits beyond those of a double are cut off, not rounded.
fn read_hexadecimal(text: &[u8]) -> Option<(f64, usize)> {
    if !text.get(..2)?.eq_ignore_ascii_case(b"0x") {
        return None;
    }
    let (mut value, mut digits, mut scale, mut at) = (0_f64, 0, 0_i32, 2);
    let mut point = false;
    while let Some(byte) = text.get(at) {
        match char::from(*byte).to_digit(16) {
            Some(digit) => {
                value = value * 16.0 + f64::from(digit);
                scale -= if point { 4 } else { 0 };
                digits += 1;
            }
            None if *byte == b'.' && !point => point = true,
            None => break,
        }
        at += 1;
    }
    if digits == 0 {
        // The zero before the letter is a number.
        return Some((0.0, 1));
    }
    if matches!(text.get(at), Some(b'p' | b'P')) {
        let negative = text.get(at + 1) == Some(&b'-');
        let sign = usize::from(matches!(text.get(at + 1), Some(b'-' | b'+')));
        let rest = text.get(at + 1 + sign..).unwrap_or_default();
        let count = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if count > 0 {
            let exponent: i32 = rest[..count]
                .iter()
                .fold(0, |all, digit| all.saturating_mul(10).saturating_add(i32::from(digit - b'0')));
            scale = scale.saturating_add(if negative { -exponent } else { exponent });
            at += 1 + sign + count;
        }
    }
    Some((value * 2_f64.powi(scale), at))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_printed_as_by_c() {
        let all = [
            (0.1, 14, "0.1"),
            (1.0 / 3.0, 14, "0.33333333333333"),
            (1e15, 14, "1e+15"),
            (123_456_789_012.0, 14, "123456789012"),
            (1e-5, 14, "1e-05"),
            (-1.5, 14, "-1.5"),
            (-0.0, 14, "-0"),
            (9_007_199_254_740_992.0, 14, "9.007199254741e+15"),
            (100.0, 1, "1e+02"),
            (f64::INFINITY, 14, "inf"),
        ];
        for (number, precision, wanted) in all {
            let mut out = Vec::new();
            print(&mut out, number, precision);
            assert_eq!(String::from_utf8_lossy(&out), wanted);
        }
    }

    #[test]
    fn numbers_are_read_as_by_c() {
        let all: [(&str, Option<(f64, usize)>); 12] = [
            ("1.", Some((1.0, 2))),
            (".5x", Some((0.5, 2))),
            ("1e", Some((1.0, 1))),
            ("1e+", Some((1.0, 1))),
            ("-12e2,", Some((-1200.0, 5))),
            ("0x10", Some((16.0, 4))),
            ("-0x1.8p1", Some((-3.0, 8))),
            ("0x", Some((0.0, 1))),
            ("infinity", Some((f64::INFINITY, 8))),
            ("+inf", Some((f64::INFINITY, 4))),
            ("-", None),
            (".", None),
        ];
        for (text, wanted) in all {
            assert_eq!(read(text.as_bytes()), wanted, "{text}");
        }
    }
}
