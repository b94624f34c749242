//! Writing lines.

use std::fmt::Write as _;

use super::read::is_bare;
use super::{Action, Argument, PASSWORD};
use crate::session::frame::Frame;

/// Where lines are wrapped.
const WIDTH: usize = 110;
const INDENT: &str = "    ";

/// Writes an event, with a newline at the end. Long ones are wrapped.
pub(crate) fn write_event<'a>(out: &mut String, action: &Action, name: impl Fn(usize) -> &'a str) {
    let mut line = Wrapped { column: 0, first: true, prefix: String::new(), out };
    match action {
        Action::Pause(time) => line.words(&["pause", &time.as_millis().to_string()]),
        Action::Idle(time) => line.words(&["idle", &time.as_millis().to_string()]),
        Action::Connect(number) => line.words(&[name(*number), "connect"]),
        Action::Close(number) => line.words(&[name(*number), "close"]),
        Action::Closed(number) => line.words(&[name(*number), "closed"]),
        Action::Wait(number) => line.words(&[name(*number), "wait"]),
        Action::Send(number, arguments) => {
            line.words(&[name(*number), ">"]);
            for argument in arguments {
                line.argument(argument);
            }
        }
        Action::SendBytes(number, bytes) => {
            line.words(&[name(*number), ">>"]);
            line.quoted(bytes);
        }
        Action::Answer(number, frame) => {
            line.words(&[name(*number), "<"]);
            line.frame(frame);
        }
        Action::AnswerBytes(number, bytes) => {
            line.words(&[name(*number), "<<"]);
            line.quoted(bytes);
        }
    }
    out.push('\n');
}

/// A line that is wrapped where it gets too long.
struct Wrapped<'a> {
    out: &'a mut String,
    column: usize,
    first: bool,
    /// The text directly before the next word.
    prefix: String,
}

impl Wrapped<'_> {
    fn words(&mut self, words: &[&str]) {
        for word in words {
            self.word(word);
        }
    }

    fn word(&mut self, word: &str) {
        let length = self.prefix.len() + word.len();
        if !self.first {
            if self.column + 1 + length > WIDTH && self.column > INDENT.len() {
                self.out.push('\n');
                self.out.push_str(INDENT);
                self.column = INDENT.len();
            } else {
                self.out.push(' ');
                self.column += 1;
            }
        }
        self.first = false;
        self.out.push_str(&self.prefix);
        self.prefix.clear();
        self.out.push_str(word);
        self.column += length;
    }

    fn argument(&mut self, argument: &Argument) {
        match argument {
            Argument::Password => self.word(PASSWORD),
            Argument::Bytes(bytes) if may_stand_bare(bytes) => self.word(&String::from_utf8_lossy(bytes)),
            Argument::Bytes(bytes) => self.quoted(bytes),
            Argument::Named { before, placeholder, after } => {
                let quoted = |bytes: &[u8]| if bytes.is_empty() { String::new() } else { quote(bytes) };
                self.word(&format!("{}{placeholder}{}", quoted(before), quoted(after)));
            }
        }
    }

    fn frame(&mut self, frame: &Frame) {
        match frame {
            Frame::Text { kind: b'$', text } => self.quoted(text),
            Frame::Text { kind, text } => {
                self.prefix.push(char::from(*kind));
                let bare = match kind {
                    b'_' => text.is_empty(),
                    b':' => crate::resp::parse_integer(text).is_some(),
                    b'=' | b'!' => false,
                    _ => !text.is_empty() && text.iter().all(|byte| is_bare(*byte)),
                };
                if bare {
                    self.word(&String::from_utf8_lossy(text));
                } else {
                    self.quoted(text);
                }
            }
            Frame::Null { kind } => self.word(&format!("{}-1", char::from(*kind))),
            Frame::Placeholder(placeholder) => self.word(&placeholder.to_string()),
            Frame::Nest { kind, items } => {
                if *kind != b'*' {
                    self.prefix.push(char::from(*kind));
                }
                self.prefix.push('[');
                for item in items {
                    self.frame(item);
                }
                if items.is_empty() {
                    self.word("]");
                } else {
                    self.out.push(']');
                    self.column += 1;
                }
            }
        }
    }

    /// A string; a long one continues in the next line after a backslash.
    fn quoted(&mut self, bytes: &[u8]) {
        let quoted = quote(bytes);
        if quoted.len() <= WIDTH {
            return self.word(&quoted);
        }
        let mut piece = String::new();
        let mut column = self.column;
        let mut chars = quoted.chars().peekable();
        while let Some(char) = chars.next() {
            piece.push(char);
            column += 1;
            // An escape is not split.
            if char == '\\'
                && let Some(escaped) = chars.next()
            {
                piece.push(escaped);
                column += 1;
                if escaped == 'x' {
                    for digit in [chars.next(), chars.next()].into_iter().flatten() {
                        piece.push(digit);
                        column += 1;
                    }
                }
            }
            if column >= WIDTH && chars.peek().is_some_and(|next| *next != '"') {
                piece.push_str("\\\n");
                piece.push_str(INDENT);
                column = INDENT.len();
                // Spaces at the beginning of a line would be taken for the indent.
                if chars.next_if_eq(&' ').is_some() {
                    piece.push_str("\\x20");
                    column += 4;
                }
            }
        }
        if !self.first {
            self.out.push(' ');
        }
        self.first = false;
        self.out.push_str(&self.prefix);
        self.prefix.clear();
        self.out.push_str(&piece);
        self.column = column;
    }
}

/// Whether an argument needs no quotes.
fn may_stand_bare(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().all(|byte| byte.is_ascii_graphic() && !b"\"'\\<".contains(byte))
}

/// A string in double quotes, as redis-cli shows it; text in UTF-8 stays readable.
pub(crate) fn quote(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len() + 2);
    out.push('"');
    let ascii = |out: &mut String, byte: u8| match byte {
        b'\r' => out.push_str("\\r"),
        b'\n' => out.push_str("\\n"),
        b'\t' => out.push_str("\\t"),
        b'"' | b'\\' => out.extend(['\\', char::from(byte)]),
        b' '..=b'~' => out.push(char::from(byte)),
        _ => {
            let _ = write!(out, "\\x{byte:02x}");
        }
    };
    match std::str::from_utf8(bytes) {
        Ok(text) => {
            for char in text.chars() {
                match u8::try_from(char) {
                    Ok(byte) if byte.is_ascii() => ascii(&mut out, byte),
                    _ if char.is_control() || matches!(char, '\u{2028}' | '\u{2029}') => {
                        for byte in char.encode_utf8(&mut [0; 4]).bytes() {
                            ascii(&mut out, byte);
                        }
                    }
                    _ => out.push(char),
                }
            }
        }
        Err(_) => bytes.iter().for_each(|byte| ascii(&mut out, *byte)),
    }
    out.push('"');
    out
}
