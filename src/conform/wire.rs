//! The wire as a client sees it: arguments in redis-cli's quoting, replies and how to show them.

use crate::remote::Scanner;
pub use crate::resp::request_bytes as request;
use crate::session::format::quote;
pub use crate::session::format::words as split;
use crate::session::frame::Frame;

/// All whole replies at the beginning of `bytes`, and what follows them.
#[must_use]
pub fn frames(bytes: &[u8]) -> (Vec<Frame>, &[u8]) {
    let mut found = Vec::new();
    let mut rest = bytes;
    while let Some((value, after)) = frame(rest) {
        found.push(value);
        rest = after;
    }
    (found, rest)
}

/// The whole reply at the beginning of `bytes`, and what follows it. Bytes that differ from how the reply would be
/// written are not a reply.
#[must_use]
pub fn frame(bytes: &[u8]) -> Option<(Frame, &[u8])> {
    let length = Scanner::default().scan(bytes).ok()??;
    let (reply, rest) = bytes.split_at_checked(length)?;
    let frame = Frame::read(reply)?;
    (frame.bytes() == reply).then_some((frame, rest))
}

/// Bytes in readable form, one line for every element of every reply.
#[must_use]
pub fn show(bytes: &[u8]) -> Vec<String> {
    let (values, rest) = frames(bytes);
    show_frames(&values, rest)
}

/// Replies in readable form, one line for every element of each, and the bytes that are not a reply.
#[must_use]
pub fn show_frames(frames: &[Frame], rest: &[u8]) -> Vec<String> {
    let mut lines = Vec::new();
    for frame in frames {
        show_value(frame, 0, &mut lines);
    }
    if !rest.is_empty() {
        lines.push(format!("(no whole reply) {}", escape(rest)));
    }
    lines
}

/// Appends a reply in readable form, at this depth within others.
pub fn show_value(value: &Frame, depth: usize, lines: &mut Vec<String>) {
    let indent = "  ".repeat(depth);
    match value {
        Frame::Text { kind, text } => lines.push(format!("{indent}{} {}", char::from(*kind), escape(text))),
        Frame::Null { kind } => lines.push(format!("{indent}{}-1", char::from(*kind))),
        Frame::Placeholder(placeholder) => lines.push(format!("{indent}{placeholder}")),
        Frame::Nest { kind, items } => {
            let is_map = matches!(kind, b'%' | b'|');
            let length = if is_map { items.len() / 2 } else { items.len() };
            lines.push(format!("{indent}{}{length}", char::from(*kind)));
            for item in items {
                show_value(item, depth + 1, lines);
            }
        }
    }
}

/// Bytes as a quoted string; very long ones are cut in the middle.
#[must_use]
pub fn escape(bytes: &[u8]) -> String {
    let Some((head, tail)) = bytes.split_at_checked(200).filter(|_| bytes.len() > 400) else {
        return quote(bytes);
    };
    let tail = tail.get(tail.len() - 40..).unwrap_or_default();
    let (head, tail) = (quote(head), quote(tail));
    let (head, tail) = (head.strip_suffix('"').unwrap_or(&head), tail.strip_prefix('"').unwrap_or(&tail));
    format!("{head} ...{} bytes... {tail}", bytes.len() - 240)
}

/// Bytes as a quoted string, however long they are.
#[must_use]
pub fn quoted(bytes: &[u8]) -> String {
    quote(bytes)
}

/// Two texts as a diff: lines only in `left` with `-`, lines only in `right` with `+`.
#[must_use]
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
