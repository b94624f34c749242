//! The pattern matcher, compared with the `glob` crate where both have the same syntax, and with a naive
//! implementation of redis-server's rules.

use minibroker::internal::data::pattern::matches;

/// Naive matching is exponential in the number of `*`.
const NAIVE_STARS_MAX: usize = 5;
/// The longest text that is matched naively.
const NAIVE_TEXT_MAX: usize = 40;

/// redis-server's rules, by trying everything.
#[must_use]
pub fn naive(pattern: &[u8], text: &[u8], nocase: bool) -> bool {
    let only_stars = |pattern: &[u8]| pattern.iter().all(|byte| *byte == b'*');
    let Some((&byte, rest)) = text.split_first() else { return pattern.is_empty() };
    match pattern {
        [] => false,
        [b'*', after @ ..] => {
            only_stars(after) || (0..text.len()).any(|taken| naive(after, &text[taken..], nocase))
        }
        _ => {
            let (set, length) = element(pattern, nocase);
            let after = &pattern[length..];
            set[usize::from(byte)]
                && if rest.is_empty() { only_stars(after) } else { naive(after, rest, nocase) }
        }
    }
}

/// The bytes that the first element of a pattern matches, and its length.
fn element(pattern: &[u8], nocase: bool) -> ([bool; 256], usize) {
    let mut set = [false; 256];
    let add = |set: &mut [bool; 256], member: u8| {
        for byte in 0..=255u8 {
            set[usize::from(byte)] |= byte == member || nocase && byte.eq_ignore_ascii_case(&member);
        }
    };
    match pattern {
        [b'?', ..] => return ([true; 256], 1),
        [b'[', ..] => {}
        [b'\\', escaped, ..] => {
            add(&mut set, *escaped);
            return (set, 2);
        }
        [first, ..] => {
            add(&mut set, *first);
            return (set, 1);
        }
        [] => return (set, 0),
    }
    let negated = pattern.get(1) == Some(&b'^');
    let mut at = if negated { 2 } else { 1 };
    loop {
        match &pattern[at..] {
            [] => break,
            [b'\\', escaped, ..] => {
                // An escaped member matches itself only, even if case is ignored.
                set[usize::from(*escaped)] = true;
                at += 2;
            }
            [b']', ..] => {
                at += 1;
                break;
            }
            [one, b'-', other, ..] => {
                add_range(&mut set, *one, *other, nocase);
                at += 3;
            }
            [member, ..] => {
                add(&mut set, *member);
                at += 1;
            }
        }
    }
    if negated {
        set = set.map(|found| !found);
    }
    (set, at)
}

/// A range of a class: of signed bytes, put in order before letters are converted to lower case.
fn add_range(set: &mut [bool; 256], one: u8, other: u8, nocase: bool) {
    let small = |byte: u8| (if nocase { byte.to_ascii_lowercase() } else { byte }).cast_signed();
    let (from, to) = if one.cast_signed() > other.cast_signed() { (other, one) } else { (one, other) };
    for byte in 0..=255u8 {
        set[usize::from(byte)] |= small(from) <= small(byte) && small(byte) <= small(to);
    }
}

/// True for a pattern that means the same to `glob`: letters and other plain characters, `?`, single `*`, and
/// classes of plain members and ranges that are in order. Both match whole ASCII texts that are not empty.
#[must_use]
pub fn is_shared(pattern: &[u8], text: &[u8]) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b" :._,;@#".contains(&byte);
    if text.is_empty() || !text.is_ascii() {
        return false;
    }
    let mut rest = pattern;
    loop {
        rest = match rest {
            [] => return true,
            [b'*', b'*', ..] => return false,
            [b'*' | b'?', after @ ..] => after,
            [b'[', class @ ..] => {
                let Some(end) = class.iter().position(|byte| *byte == b']') else { return false };
                let mut members = &class[..end];
                if members.is_empty() {
                    return false;
                }
                while let Some((member, after)) = members.split_first() {
                    members = match after {
                        [b'-', high, after @ ..] if high >= member && plain(*high) => after,
                        after => after,
                    };
                    if !plain(*member) {
                        return false;
                    }
                }
                &class[end + 1..]
            }
            [byte, after @ ..] if plain(*byte) => after,
            _ => return false,
        };
    }
}

/// The result of `glob` for a shared pattern.
#[must_use]
pub fn by_glob(pattern: &[u8], text: &[u8], nocase: bool) -> Option<bool> {
    let (pattern, text) = (std::str::from_utf8(pattern).ok()?, std::str::from_utf8(text).ok()?);
    let options = glob::MatchOptions {
        case_sensitive: !nocase,
        require_literal_separator: false,
        require_literal_leading_dot: false,
    };
    Some(glob::Pattern::new(pattern).ok()?.matches_with(text, options))
}

/// Matches a text and compares the result with those of the judges, where they have the same syntax.
pub fn compare(pattern: &[u8], text: &[u8], nocase: bool) {
    let found = matches(pattern, text, nocase);
    let shown = || format!("\"{}\" \"{}\" nocase {nocase}", pattern.escape_ascii(), text.escape_ascii());
    let stars = pattern.split(|byte| *byte == b'*').count() - 1;
    if stars <= NAIVE_STARS_MAX && text.len() <= NAIVE_TEXT_MAX {
        assert_eq!(found, naive(pattern, text, nocase), "naively {}", shown());
    }
    // glob has other rules for ranges if case is ignored.
    let folds_ranges = nocase && pattern.contains(&b'[');
    if is_shared(pattern, text)
        && !folds_ranges
        && let Some(judged) = by_glob(pattern, text, nocase)
    {
        assert_eq!(found, judged, "by glob {}", shown());
    }
}

/// Checks one input: a byte of flags, the pattern up to a line feed, the text.
pub fn check(data: &[u8]) {
    let Some((flags, data)) = data.split_first() else { return };
    let mut parts = data.splitn(2, |byte| *byte == b'\n');
    let (pattern, text) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let nocase = flags & 1 == 1;
    compare(pattern, text, nocase);
    // Matching has to end for long ones as well.
    if pattern.len() <= 64 && text.len() <= 64 {
        let _ = matches(&pattern.repeat(20), &text.repeat(20), nocase);
    }
}
