//! The wire as a client sees it: arguments in redis-cli's quoting, requests, replies and how to show them.

use std::fmt::Write as _;

/// Splits a line into arguments by the rules of redis-cli: `"..."` with escapes, `'...'` without.
pub fn split(line: &str) -> Result<Vec<Vec<u8>>, String> {
    let bytes = line.as_bytes();
    let mut arguments = Vec::new();
    let mut at = 0;
    loop {
        while bytes.get(at).is_some_and(u8::is_ascii_whitespace) {
            at += 1;
        }
        if at >= bytes.len() {
            return Ok(arguments);
        }
        let mut argument = Vec::new();
        while let Some(&byte) = bytes.get(at).filter(|byte| !byte.is_ascii_whitespace()) {
            at = match byte {
                b'"' => double_quoted(bytes, at + 1, &mut argument)?,
                b'\'' => single_quoted(bytes, at + 1, &mut argument)?,
                _ => {
                    argument.push(byte);
                    at + 1
                }
            };
        }
        arguments.push(argument);
    }
}

fn double_quoted(bytes: &[u8], mut at: usize, into: &mut Vec<u8>) -> Result<usize, String> {
    while let Some(&byte) = bytes.get(at) {
        at += 1;
        match byte {
            b'"' => return Ok(at),
            b'\\' => {
                let escape = *bytes.get(at).ok_or("a backslash at the end")?;
                at += 1;
                into.push(match escape {
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    b'b' => 8,
                    b'a' => 7,
                    b'x' => {
                        let digits = bytes.get(at..at + 2).and_then(|two| std::str::from_utf8(two).ok());
                        at += 2;
                        digits
                            .and_then(|two| u8::from_str_radix(two, 16).ok())
                            .ok_or("\\x wants two digits")?
                    }
                    other => other,
                });
            }
            other => into.push(other),
        }
    }
    Err("unbalanced double quotes".into())
}

fn single_quoted(bytes: &[u8], mut at: usize, into: &mut Vec<u8>) -> Result<usize, String> {
    while let Some(&byte) = bytes.get(at) {
        at += 1;
        match byte {
            b'\'' => return Ok(at),
            b'\\' if bytes.get(at) == Some(&b'\'') => {
                into.push(b'\'');
                at += 1;
            }
            other => into.push(other),
        }
    }
    Err("unbalanced single quotes".into())
}

/// A request as every client library sends it: an array of bulk strings.
pub fn request<T: AsRef<[u8]>>(arguments: &[T]) -> Vec<u8> {
    let mut out = format!("*{}\r\n", arguments.len()).into_bytes();
    for argument in arguments {
        let argument = argument.as_ref();
        out.extend_from_slice(format!("${}\r\n", argument.len()).as_bytes());
        out.extend_from_slice(argument);
        out.extend_from_slice(b"\r\n");
    }
    out
}

/// One reply, of either protocol. `kind` is the byte it starts with.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Value {
    /// Text, numbers, errors. `None` is the `$-1` of RESP2.
    Leaf { kind: u8, text: Option<Vec<u8>> },
    /// Arrays, sets, maps (flat: key, value, key, ...) and pushes. `None` is the `*-1` of RESP2.
    Nest { kind: u8, items: Option<Vec<Value>> },
}

/// All whole replies at the beginning of `bytes`, and what follows them.
pub fn frames(bytes: &[u8]) -> (Vec<Value>, &[u8]) {
    let mut found = Vec::new();
    let mut rest = bytes;
    while let Some((value, after)) = frame(rest) {
        found.push(value);
        rest = after;
    }
    (found, rest)
}

/// The whole reply at the beginning of `bytes`, and what follows it.
pub fn frame(bytes: &[u8]) -> Option<(Value, &[u8])> {
    let end = bytes.windows(2).position(|two| two == b"\r\n")?;
    let kind = *bytes.first()?;
    let head = bytes.get(1..end)?;
    let rest = &bytes[end + 2..];
    let length = || std::str::from_utf8(head).ok()?.parse::<i64>().ok();
    match kind {
        b'$' | b'=' | b'!' => {
            let Ok(length) = usize::try_from(length()?) else {
                return Some((Value::Leaf { kind, text: None }, rest));
            };
            let text = rest.get(..length)?.to_vec();
            rest.get(length..length + 2).filter(|two| *two == b"\r\n")?;
            Some((Value::Leaf { kind, text: Some(text) }, &rest[length + 2..]))
        }
        b'*' | b'~' | b'>' | b'%' => {
            let Ok(length) = usize::try_from(length()?) else {
                return Some((Value::Nest { kind, items: None }, rest));
            };
            let count = if kind == b'%' { length * 2 } else { length };
            let mut items = Vec::new();
            let mut rest = rest;
            for _ in 0..count {
                let (item, after) = frame(rest)?;
                items.push(item);
                rest = after;
            }
            Some((Value::Nest { kind, items: Some(items) }, rest))
        }
        b'+' | b'-' | b':' | b'_' | b',' | b'#' | b'(' => {
            Some((Value::Leaf { kind, text: Some(head.to_vec()) }, rest))
        }
        _ => None,
    }
}

/// Bytes in readable form, one line for every element of every reply.
pub fn show(bytes: &[u8]) -> Vec<String> {
    let (values, rest) = frames(bytes);
    let mut lines = Vec::new();
    for value in &values {
        show_value(value, 0, &mut lines);
    }
    if !rest.is_empty() {
        lines.push(format!("(no whole reply) {}", escape(rest)));
    }
    lines
}

/// Adds a value in readable form, so deep in others.
pub fn show_value(value: &Value, depth: usize, lines: &mut Vec<String>) {
    let indent = "  ".repeat(depth);
    match value {
        Value::Leaf { kind, text: Some(text) } => {
            lines.push(format!("{indent}{} {}", *kind as char, escape(text)));
        }
        Value::Leaf { kind, text: None } | Value::Nest { kind, items: None } => {
            lines.push(format!("{indent}{}-1", *kind as char));
        }
        Value::Nest { kind, items: Some(items) } => {
            lines.push(format!("{indent}{}{}", *kind as char, items.len()));
            for item in items {
                show_value(item, depth + 1, lines);
            }
        }
    }
}

/// Bytes as a quoted string; very long ones are cut in the middle.
pub fn escape(bytes: &[u8]) -> String {
    let (head, tail) =
        if bytes.len() > 400 { (&bytes[..200], &bytes[bytes.len() - 40..]) } else { (bytes, &[][..]) };
    let mut out = String::from("\"");
    let mut put = |part: &[u8]| {
        for &byte in part {
            match byte {
                b'\r' => out.push_str("\\r"),
                b'\n' => out.push_str("\\n"),
                b'"' | b'\\' => {
                    out.push('\\');
                    out.push(byte as char);
                }
                b' '..=b'~' => out.push(byte as char),
                _ => {
                    let _ = write!(out, "\\x{byte:02x}");
                }
            }
        }
    };
    put(head);
    if !tail.is_empty() {
        put(format!(" ...{} bytes... ", bytes.len() - 240).as_bytes());
        put(tail);
    }
    out.push('"');
    out
}

/// Two texts as a diff: what only `left` has with `-`, what only `right` has with `+`.
pub fn diff(left: &[String], right: &[String]) -> Vec<String> {
    let same_head = left.iter().zip(right).take_while(|(a, b)| a == b).count();
    let (left_rest, right_rest) = (&left[same_head..], &right[same_head..]);
    let same_tail = left_rest.iter().rev().zip(right_rest.iter().rev()).take_while(|(a, b)| a == b).count();
    let mut lines: Vec<String> = left[..same_head].iter().map(|line| format!("  {line}")).collect();
    lines.extend(left_rest[..left_rest.len() - same_tail].iter().map(|line| format!("- {line}")));
    lines.extend(right_rest[..right_rest.len() - same_tail].iter().map(|line| format!("+ {line}")));
    lines.extend(left_rest[left_rest.len() - same_tail..].iter().map(|line| format!("  {line}")));
    lines
}
