//! Glob patterns as redis-server matches them (`stringmatchlen`): byte by byte, `*`, `?`, `[...]` with `^` and
//! ranges, `\` before any byte.
//!
//! redis-server recurses at every `*`. Here matching only backtracks to the last `*`, which finds the same
//! matches (a later `*` can always match what an earlier one would have had to skip) in at most pattern times
//! text steps.

/// The most `*`, with something else between them, of a pattern that can match: redis-server does not recurse
/// deeper.
const STARS_MAX: usize = 1000;

/// True if the whole text matches the pattern; with `nocase` ASCII letters match in either case.
///
/// ```
/// use minibroker::internal::data::pattern::matches;
///
/// assert!(matches(b"room:*", b"room:chatty", false));
/// assert!(!matches(b"room:[^a-c]?", b"room:b1", false));
/// ```
#[must_use]
pub fn matches(pattern: &[u8], text: &[u8], nocase: bool) -> bool {
    if text.is_empty() {
        // redis-server does not look at the pattern here: `*` does not match the empty text.
        return pattern.is_empty();
    }
    let (mut p, mut t) = (0, 0);
    // Where to backtrack to: after the last `*`, which then matches one more byte of the text.
    let mut last_star: Option<(usize, usize)> = None;
    let mut stars = 0;
    loop {
        if pattern.get(p) == Some(&b'*') {
            while pattern.get(p) == Some(&b'*') {
                p += 1;
            }
            if p == pattern.len() {
                return true;
            }
            stars += 1;
            if stars > STARS_MAX {
                return false;
            }
            last_star = Some((p, t));
            continue;
        }
        match (p < pattern.len(), t < text.len()) {
            (false, false) => return true,
            (true, true) => {
                if let Some(next) = one(&pattern[p..], text[t], nocase) {
                    p += next;
                    t += 1;
                    continue;
                }
            }
            _ => {}
        }
        match last_star {
            Some((after, taken)) if taken < text.len() => {
                p = after;
                t = taken + 1;
                last_star = Some((after, t));
            }
            _ => return false,
        }
    }
}

/// The length of the pattern's first element, if it matches the byte. The pattern is not empty and does not
/// begin with `*`.
fn one(pattern: &[u8], byte: u8, nocase: bool) -> Option<usize> {
    let same = |a: u8, b: u8| a == b || nocase && a.eq_ignore_ascii_case(&b);
    match pattern {
        [b'?', ..] => Some(1),
        [b'[', ..] => class(pattern, byte, nocase),
        // A `\` at the end stands for itself.
        [b'\\', escaped, ..] => same(*escaped, byte).then_some(2),
        [first, ..] => same(*first, byte).then_some(1),
        [] => None,
    }
}

/// The length of the class at the beginning of the pattern, if it contains the byte. A class that is not
/// closed ends with the pattern; a reversed range is swapped. Ranges are those of C's `char`, in which the
/// bytes from 128 on come before all others.
fn class(pattern: &[u8], byte: u8, nocase: bool) -> Option<usize> {
    let fold = |byte: u8| if nocase { byte.to_ascii_lowercase() } else { byte };
    let mut at = 1;
    let negated = pattern.get(at) == Some(&b'^');
    if negated {
        at += 1;
    }
    let mut found = false;
    loop {
        match pattern.get(at..).unwrap_or_default() {
            [b'\\', escaped, ..] => {
                // redis-server compares an escaped byte exactly, whatever the case.
                found |= *escaped == byte;
                at += 2;
            }
            [b']', ..] => {
                at += 1;
                break;
            }
            [] => break,
            [low, b'-', high, ..] => {
                let (low, high) = (low.cast_signed(), high.cast_signed());
                // The bounds are swapped before letters are folded, not after.
                let (low, high) = (low.min(high).cast_unsigned(), low.max(high).cast_unsigned());
                let signed = |byte: u8| fold(byte).cast_signed();
                found |= (signed(low)..=signed(high)).contains(&signed(byte));
                at += 3;
            }
            [member, ..] => {
                found |= fold(*member) == fold(byte);
                at += 1;
            }
        }
    }
    (found != negated).then_some(at)
}
