//! Preparation of the text of a script for the interpreter.

use std::{borrow::Cow, collections::BTreeSet};

/// Changes a text in which `[[` is nested in a long string or comment that begins with `[[`: the interpreter's build
/// refuses it, that of redis-server does not. Such a string gets longer brackets, which change nothing else.
pub(super) fn with_brackets_nested(text: &[u8]) -> Cow<'_, [u8]> {
    let mut changed: Option<Vec<u8>> = None;
    // The end of the part that is in `changed`, and of the part that has been read.
    let (mut copied, mut at) = (0, 0);
    while let Some(byte) = text.get(at) {
        match byte {
            b'\'' | b'"' => at = end_of_string(text, at),
            b'-' if text[at..].starts_with(b"--") => {
                at += 2;
                if opening(&text[at..]).is_none() {
                    at = text[at..].iter().position(|byte| *byte == b'\n').map_or(text.len(), |end| at + end);
                }
            }
            b'[' => {
                let Some(level) = opening(&text[at..]) else {
                    at += 1;
                    continue;
                };
                let start = at + level + 2;
                let close = bracket(b']', level);
                let content = find(&text[start..], &close);
                let end = content.map_or(text.len(), |length| start + length);
                let inside = &text[start..end];
                if level == 0 && find(inside, b"[[").is_some() {
                    let other = unused_level(inside);
                    let out = changed.get_or_insert_default();
                    out.extend_from_slice(&text[copied..at]);
                    out.extend_from_slice(&bracket(b'[', other));
                    out.extend_from_slice(inside);
                    if content.is_some() {
                        out.extend_from_slice(&bracket(b']', other));
                    }
                    copied = (end + 2).min(text.len());
                }
                at = (end + close.len()).min(text.len());
            }
            _ => at += 1,
        }
    }
    match changed {
        Some(mut out) => {
            out.extend_from_slice(&text[copied..]);
            Cow::Owned(out)
        }
        None => Cow::Borrowed(text),
    }
}

/// The number of equals signs in a bracket that begins a long string, if this is one.
fn opening(text: &[u8]) -> Option<usize> {
    let rest = text.strip_prefix(b"[")?;
    let level = rest.iter().take_while(|byte| **byte == b'=').count();
    (rest.get(level) == Some(&b'[')).then_some(level)
}

/// The number of equals signs in the shortest brackets, except `[[`, that a text does not contain.
fn unused_level(text: &[u8]) -> usize {
    let mut used = BTreeSet::new();
    let mut before = None;
    for (at, byte) in text.iter().enumerate() {
        match (byte, before) {
            (b'[' | b']', Some((start, start_byte))) if start_byte == *byte => {
                used.insert(at - start - 1);
                before = Some((at, *byte));
            }
            (b'[' | b']', _) => before = Some((at, *byte)),
            (b'=', _) => {}
            _ => before = None,
        }
    }
    // Of one more level than the text contains, one is unused.
    (1..=used.len() + 1).find(|level| !used.contains(level)).unwrap_or(1)
}

fn bracket(byte: u8, level: usize) -> Vec<u8> {
    let mut text = vec![b'='; level + 2];
    (text[0], text[level + 1]) = (byte, byte);
    text
}

fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    text.windows(wanted.len()).position(|part| part == wanted)
}

/// The index after a short string; the interpreter reports one that does not end.
fn end_of_string(text: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while let Some(byte) = text.get(at) {
        match byte {
            b'\\' => at += 1,
            b'\n' | b'\r' => return at,
            byte if *byte == text[start] => return at + 1,
            _ => {}
        }
        at += 1;
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::with_brackets_nested;

    #[test]
    fn brackets_within_long_strings_get_a_level_of_their_own() {
        let all = [
            ("return [[a]]", "return [[a]]"),
            ("return [[a [[ b]] .. [[c]]", "return [=[a [[ b]=] .. [[c]]"),
            ("return [[a [[ ]=] b]]", "return [==[a [[ ]=] b]==]"),
            ("--[[ [[ ]] return 1", "--[=[ [[ ]=] return 1"),
            ("-- [[ [[ \n return t[t[1]]", "-- [[ [[ \n return t[t[1]]"),
            ("return '[[ [[' .. \"\\\"[[ [[\"", "return '[[ [[' .. \"\\\"[[ [[\""),
            ("return [=[ [[ [[ ]] ]=]", "return [=[ [[ [[ ]] ]=]"),
            ("return [[ [[", "return [=[ [["),
            ("t[[[a [[]]]", "t[=[[a [[]=]]"),
        ];
        for (text, wanted) in all {
            assert_eq!(String::from_utf8_lossy(&with_brackets_nested(text.as_bytes())), wanted, "{text}");
        }
    }
}
