//! Reading lines.

use std::time::Duration;

use super::{Action, Argument, FormatError, PASSWORD};
use crate::remote::DEEPEST;
use crate::session::frame::{Frame, Placeholder};

/// Lines with their continuations, and the number of each.
pub(crate) fn logical_lines(text: &str) -> Result<Vec<(usize, String)>, FormatError> {
    let mut lines: Vec<(usize, String)> = Vec::new();
    let (mut open, mut in_string) = (false, false);
    for (index, line) in text.lines().enumerate() {
        let line = line.strip_suffix('\r').unwrap_or(line);
        if in_string {
            if let Some((_, whole)) = lines.last_mut() {
                in_string = join(whole, line.trim_start());
            }
            continue;
        }
        if line.trim().is_empty() || line.starts_with('#') {
            open = false;
        } else if line.starts_with([' ', '\t']) {
            match lines.last_mut().filter(|_| open) {
                Some((_, whole)) => {
                    whole.push(' ');
                    in_string = join(whole, line.trim_start());
                }
                None if line.trim_start().starts_with('#') => {}
                None => {
                    let text =
                        "it begins with a space as if it went on with a line, but there is none".into();
                    return Err(FormatError { line: index + 1, text });
                }
            }
        } else {
            open = true;
            let mut whole = String::new();
            in_string = join(&mut whole, line);
            lines.push((index + 1, whole));
        }
    }
    Ok(lines)
}

/// Adds a line to another. True if it ends in a backslash that is not escaped: the next line continues its
/// string.
fn join(whole: &mut String, line: &str) -> bool {
    let backslashes = line.bytes().rev().take_while(|byte| *byte == b'\\').count();
    let continues = backslashes % 2 == 1;
    whole.push_str(if continues { &line[..line.len() - 1] } else { line });
    continues
}

fn is_name(name: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
    !name.is_empty() && name.bytes().all(fits)
}

pub(crate) fn event(line: &str, mut connection: impl FnMut(&str) -> usize) -> Result<Action, String> {
    let (name, rest) = line.split_once([' ', '\t']).unwrap_or((line, ""));
    let rest = rest.trim();
    if name == "pause" || name == "idle" {
        let wants = || format!("{name} wants a number of milliseconds");
        let time = Duration::from_millis(rest.parse().map_err(|_| wants())?);
        return Ok(if name == "pause" { Action::Pause(time) } else { Action::Idle(time) });
    }
    if !is_name(name) {
        return Err(format!("{name:?} is no name of a connection: letters, digits, '_', '-' and '.'"));
    }
    let (word, rest) = rest.split_once([' ', '\t']).unwrap_or((rest, ""));
    let rest = rest.trim();
    let number = connection(name);
    match word {
        ">" => {
            let arguments = Cursor::new(rest).arguments()?;
            if arguments.is_empty() {
                return Err("there is no command behind '>'".into());
            }
            return Ok(Action::Send(number, arguments));
        }
        ">>" => return Ok(Action::SendBytes(number, Cursor::new(rest).bytes()?)),
        "<" => return Ok(Action::Answer(number, Cursor::new(rest).whole_frame()?)),
        "<<" => return Ok(Action::AnswerBytes(number, Cursor::new(rest).bytes()?)),
        _ => {}
    }
    if !rest.is_empty() {
        return Err(format!("{word} takes nothing behind it"));
    }
    match word {
        "connect" => Ok(Action::Connect(number)),
        "close" => Ok(Action::Close(number)),
        "closed" => Ok(Action::Closed(number)),
        "wait" => Ok(Action::Wait(number)),
        "" => Err(format!("there is nothing behind {name:?}")),
        _ => Err(format!("{word:?} is none of '>', '<', '>>', '<<', connect, close, closed, wait")),
    }
}

/// Splits a line into arguments as redis-cli does: `"..."` with escapes, `'...'` without.
///
/// # Errors
///
/// A quote is not closed, or an escape is invalid.
pub fn words(line: &str) -> Result<Vec<Vec<u8>>, String> {
    Cursor::new(line).words()
}

/// A position in a line.
struct Cursor<'a> {
    line: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    fn new(line: &'a str) -> Self {
        Self { line: line.as_bytes(), at: 0 }
    }

    fn peek(&self) -> Option<u8> {
        self.line.get(self.at).copied()
    }

    fn skip_space(&mut self) {
        while self.peek().is_some_and(|byte| byte.is_ascii_whitespace()) {
            self.at += 1;
        }
    }

    fn rest(&self) -> &'a [u8] {
        self.line.get(self.at..).unwrap_or_default()
    }

    /// Quoting as in redis-cli: `"..."` with escapes, `'...'` without, and both may be a part of an argument.
    fn arguments(&mut self) -> Result<Vec<Argument>, String> {
        let mut arguments = Vec::new();
        loop {
            self.skip_space();
            if self.peek().is_none() {
                return Ok(arguments);
            }
            arguments.push(self.argument()?);
        }
    }

    /// The same without placeholders.
    fn words(&mut self) -> Result<Vec<Vec<u8>>, String> {
        let mut words = Vec::new();
        loop {
            self.skip_space();
            if self.peek().is_none() {
                return Ok(words);
            }
            let mut text = Vec::new();
            while let Some(byte) = self.peek().filter(|byte| !byte.is_ascii_whitespace()) {
                match byte {
                    b'"' => self.double_quoted(&mut text)?,
                    b'\'' => self.single_quoted(&mut text)?,
                    _ => {
                        text.push(byte);
                        self.at += 1;
                    }
                }
            }
            words.push(text);
        }
    }

    fn argument(&mut self) -> Result<Argument, String> {
        let mut before = Vec::new();
        let mut found = None;
        let mut text = Vec::new();
        while let Some(byte) = self.peek().filter(|byte| !byte.is_ascii_whitespace()) {
            match byte {
                b'"' => self.double_quoted(&mut text)?,
                b'\'' => self.single_quoted(&mut text)?,
                b'<' => {
                    if found.is_none() && self.rest().starts_with(PASSWORD.as_bytes()) && text.is_empty() {
                        self.at += PASSWORD.len();
                        if self.peek().is_some_and(|byte| !byte.is_ascii_whitespace()) {
                            return Err(format!("{PASSWORD} is a whole argument"));
                        }
                        return Ok(Argument::Password);
                    }
                    match self.placeholder() {
                        Some((placeholder, _)) if placeholder.name.is_none() => {
                            return Err(format!(
                                "{placeholder} in a request wants the name of an answer, as in <id:1>; what is meant \
                                 as it stands is put in quotes"
                            ));
                        }
                        Some((placeholder, length)) => {
                            if found.is_some() {
                                return Err("two placeholders in one argument".into());
                            }
                            self.at += length;
                            before = std::mem::take(&mut text);
                            found = Some(placeholder);
                        }
                        None => {
                            text.push(byte);
                            self.at += 1;
                        }
                    }
                }
                _ => {
                    text.push(byte);
                    self.at += 1;
                }
            }
        }
        Ok(match found {
            None => Argument::Bytes(text),
            Some(placeholder) => Argument::Named { before, placeholder, after: text },
        })
    }

    /// The placeholder here, and its length.
    fn placeholder(&self) -> Option<(Placeholder, usize)> {
        let inner = self.rest().strip_prefix(b"<")?;
        let end = inner.iter().position(|byte| *byte == b'>')?;
        let placeholder = Placeholder::read(std::str::from_utf8(inner.get(..end)?).ok()?)?;
        Some((placeholder, end + 2))
    }

    fn double_quoted(&mut self, into: &mut Vec<u8>) -> Result<(), String> {
        self.at += 1;
        while let Some(byte) = self.peek() {
            self.at += 1;
            match byte {
                b'"' => return Ok(()),
                b'\\' => {
                    let escape = self.peek().ok_or("a backslash at the end")?;
                    self.at += 1;
                    into.push(match escape {
                        b'n' => b'\n',
                        b'r' => b'\r',
                        b't' => b'\t',
                        b'b' => 8,
                        b'a' => 7,
                        b'x' => {
                            let digits =
                                self.rest().get(..2).filter(|two| two.iter().all(u8::is_ascii_hexdigit));
                            let digits = digits.and_then(|two| std::str::from_utf8(two).ok());
                            self.at += 2;
                            let byte = digits.and_then(|two| u8::from_str_radix(two, 16).ok());
                            byte.ok_or("\\x wants two hexadecimal digits")?
                        }
                        other => other,
                    });
                }
                other => into.push(other),
            }
        }
        Err("a double quote is not closed".into())
    }

    fn single_quoted(&mut self, into: &mut Vec<u8>) -> Result<(), String> {
        self.at += 1;
        while let Some(byte) = self.peek() {
            self.at += 1;
            match byte {
                b'\'' => return Ok(()),
                b'\\' if self.peek() == Some(b'\'') => {
                    into.push(b'\'');
                    self.at += 1;
                }
                other => into.push(other),
            }
        }
        Err("a single quote is not closed".into())
    }

    /// A string in quotes, or several of them that belong together.
    fn bytes(&mut self) -> Result<Vec<u8>, String> {
        let mut bytes = Vec::new();
        loop {
            self.skip_space();
            match self.peek() {
                Some(b'"') => self.double_quoted(&mut bytes)?,
                Some(b'\'') => self.single_quoted(&mut bytes)?,
                None if self.at > 0 => return Ok(bytes),
                _ => return Err("bytes stand in quotes".into()),
            }
        }
    }

    fn whole_frame(&mut self) -> Result<Frame, String> {
        let frame = self.frame(0)?;
        self.skip_space();
        match self.rest() {
            [] => Ok(frame),
            more => Err(format!("there is more behind the answer: {}", String::from_utf8_lossy(more))),
        }
    }

    fn frame(&mut self, depth: usize) -> Result<Frame, String> {
        if depth > DEEPEST {
            return Err("arrays lie too deep in each other".into());
        }
        self.skip_space();
        let wrong = |cursor: &Self| {
            let rest = String::from_utf8_lossy(cursor.rest()).into_owned();
            let what = if rest.is_empty() { "nothing".into() } else { format!("{rest:?}") };
            format!(
                "an answer is expected, not {what}: \"text\", +OK, -\"ERR no\", :1, $-1, *-1, [...], ~[...], %[...], >[...], \
                 _, #t, ,1.5, (123, =\"txt:...\", <any>"
            )
        };
        let Some(kind) = self.peek() else { return Err(wrong(self)) };
        match kind {
            b'"' => {
                let mut text = Vec::new();
                self.double_quoted(&mut text)?;
                Ok(Frame::Text { kind: b'$', text })
            }
            b'[' => self.nest(b'*', depth),
            b'*' | b'~' | b'%' | b'>' | b'|' | b'$' | b'=' | b'!' if self.rest()[1..].starts_with(b"-1") => {
                self.at += 3;
                Ok(Frame::Null { kind })
            }
            b'~' | b'%' | b'>' | b'|' if self.rest()[1..].starts_with(b"[") => {
                self.at += 1;
                self.nest(kind, depth)
            }
            b'<' => match self.placeholder() {
                Some((placeholder, length)) => {
                    self.at += length;
                    Ok(Frame::Placeholder(placeholder))
                }
                None => Err(wrong(self)),
            },
            b'+' | b'-' | b':' | b',' | b'#' | b'(' | b'_' | b'=' | b'!' => {
                self.at += 1;
                let mut text = Vec::new();
                if self.peek() == Some(b'"') {
                    self.double_quoted(&mut text)?;
                    return Ok(Frame::Text { kind, text });
                }
                while let Some(byte) = self.peek().filter(|byte| is_bare(*byte)) {
                    text.push(byte);
                    self.at += 1;
                }
                if kind == b':' && crate::resp::parse_integer(&text).is_none() {
                    return Err(format!("{:?} is no integer", String::from_utf8_lossy(&text)));
                }
                Ok(Frame::Text { kind, text })
            }
            _ => Err(wrong(self)),
        }
    }

    fn nest(&mut self, kind: u8, depth: usize) -> Result<Frame, String> {
        self.at += 1;
        let mut items = Vec::new();
        loop {
            self.skip_space();
            match self.peek() {
                None => return Err("a '[' is not closed".into()),
                Some(b']') => {
                    self.at += 1;
                    let values = items.iter().filter(|item: &&Frame| item.kind() != b'|').count();
                    if matches!(kind, b'%' | b'|') && values % 2 == 1 {
                        return Err("a map has as many values as keys".into());
                    }
                    return Ok(Frame::Nest { kind, items });
                }
                Some(_) => items.push(self.frame(depth + 1)?),
            }
        }
    }
}

/// Whether an answer may have this byte outside of quotes.
pub(super) fn is_bare(byte: u8) -> bool {
    byte.is_ascii_graphic() && !b"\"'\\[]<>".contains(&byte)
}
