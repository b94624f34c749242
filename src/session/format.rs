//! Session files: the events of a session, and how they are written and read.

use std::collections::{HashMap, HashSet};
use std::fmt::{self, Write as _};
use std::time::Duration;

use super::frame::{Frame, Placeholder};

/// Where lines are wrapped.
const WIDTH: usize = 110;
const INDENT: &str = "    ";
/// What stands for the password of AUTH and HELLO.
const PASSWORD: &str = "<password>";

/// What several clients said to a server and heard from it, in one order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Session {
    /// The connections by their numbers.
    pub names: Vec<String>,
    /// What happened.
    pub events: Vec<Event>,
}

/// One line of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The number of the line in the file, from 1.
    pub line: usize,
    /// What happened there.
    pub action: Action,
}

/// What happened. Connections are numbers, see [`Session::names`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// `ann connect`: a client connects.
    Connect(usize),
    /// `ann > GET k`: it sends a request.
    Send(usize, Vec<Argument>),
    /// `ann >> "GET k\r\n"`: it sends bytes that are no usual request.
    SendBytes(usize, Vec<u8>),
    /// `ann < "v"`: a reply or a push comes.
    Answer(usize, Frame),
    /// `ann << "..."`: bytes come that are no reply.
    AnswerBytes(usize, Vec<u8>),
    /// `ann close`: it closes its end.
    Close(usize),
    /// `ann closed`: the server has closed the connection.
    Closed(usize),
    /// `ann wait`: nothing else happens before something has come to it since it last sent something.
    Wait(usize),
    /// `pause 100`: milliseconds that have to pass.
    Pause(Duration),
    /// `idle 100`: milliseconds that have passed when this was recorded.
    Idle(Duration),
}

/// An argument of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Argument {
    /// Bytes.
    Bytes(Vec<u8>),
    /// What an answer before was, and what stands around it: `(<id:first>`.
    Named {
        /// In front of it.
        before: Vec<u8>,
        /// The placeholder, which has a name.
        placeholder: Placeholder,
        /// Behind it.
        after: Vec<u8>,
    },
    /// `<password>`: the password of the server on which the session is played.
    Password,
}

impl Argument {
    /// The bytes, of an argument that is nothing else.
    #[must_use]
    pub fn bytes(&self) -> Option<&[u8]> {
        match self {
            Self::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// Whether it is this word, in either case.
    #[must_use]
    pub fn is(&self, word: &str) -> bool {
        self.bytes().is_some_and(|bytes| bytes.eq_ignore_ascii_case(word.as_bytes()))
    }
}

impl<B: Into<Vec<u8>>> From<B> for Argument {
    fn from(bytes: B) -> Self {
        Self::Bytes(bytes.into())
    }
}

/// Where a session file is wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{line}: {text}")]
pub struct FormatError {
    /// The number of the line, from 1.
    pub line: usize,
    /// What is wrong there.
    pub text: String,
}

impl Session {
    /// The number of the connection of this name, which is new if there is none yet.
    pub fn connection(&mut self, name: &str) -> usize {
        if let Some(at) = self.names.iter().position(|known| known == name) {
            return at;
        }
        self.names.push(name.to_owned());
        self.names.len() - 1
    }

    /// Adds an event at the end.
    pub fn push(&mut self, action: Action) {
        self.events.push(Event { line: self.events.len() + 1, action });
    }

    /// Reads the text of a session file.
    ///
    /// # Errors
    ///
    /// A line is not what the format says; the first that is not.
    ///
    /// ```
    /// use minibroker::session::Session;
    ///
    /// let session = Session::read("ann > SUBSCRIBE chat\nbob > PUBLISH chat hello\nbob < :1\n")?;
    /// assert_eq!(session.names, ["ann", "bob"]);
    /// assert_eq!(Session::read("ann > PING\nann < PONG\n").unwrap_err().line, 2);
    /// # Ok::<(), minibroker::session::FormatError>(())
    /// ```
    pub fn read(text: &str) -> Result<Self, FormatError> {
        let mut session = Self::default();
        let mut numbers = HashMap::new();
        let mut named = HashSet::new();
        for (line, text) in logical_lines(text)? {
            let at = |text: String| FormatError { line, text };
            let action = event(&text, |name| {
                *numbers.entry(name.to_owned()).or_insert_with(|| {
                    session.names.push(name.to_owned());
                    session.names.len() - 1
                })
            })
            .map_err(at)?;
            match &action {
                Action::Answer(_, frame) => frame.each(&mut |frame| {
                    if let Frame::Placeholder(Placeholder { name: Some(name), .. }) = frame {
                        named.insert(name.clone());
                    }
                }),
                Action::Send(_, arguments) => {
                    for argument in arguments {
                        if let Argument::Named { placeholder, .. } = argument
                            && !placeholder.name.as_ref().is_some_and(|name| named.contains(name))
                        {
                            return Err(at(format!("no answer before this line is called {placeholder}")));
                        }
                    }
                }
                _ => {}
            }
            session.events.push(Event { line, action });
        }
        Ok(session)
    }
}

impl fmt::Display for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::new();
        for event in &self.events {
            text.clear();
            write_event(&mut text, &event.action, |number| {
                self.names.get(number).map_or("?", String::as_str)
            });
            f.write_str(&text)?;
        }
        Ok(())
    }
}

/// Lines with their continuations, and the number of each.
fn logical_lines(text: &str) -> Result<Vec<(usize, String)>, FormatError> {
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

/// Adds a line to another. True: it ends in a backslash that is not escaped, and the next goes on with its string.
fn join(whole: &mut String, line: &str) -> bool {
    let backslashes = line.bytes().rev().take_while(|byte| *byte == b'\\').count();
    let goes_on = backslashes % 2 == 1;
    whole.push_str(if goes_on { &line[..line.len() - 1] } else { line });
    goes_on
}

fn is_name(name: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
    !name.is_empty() && name.bytes().all(fits)
}

fn event(line: &str, mut connection: impl FnMut(&str) -> usize) -> Result<Action, String> {
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

/// A place in a line.
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
        if depth > super::frame::DEPTH_MAX {
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

/// Whether the byte may stand outside of quotes in an answer.
fn is_bare(byte: u8) -> bool {
    byte.is_ascii_graphic() && !b"\"'\\[]<>".contains(&byte)
}

/// Writes an event, with a newline at the end. Long ones are wrapped.
pub(super) fn write_event<'a>(out: &mut String, action: &Action, name: impl Fn(usize) -> &'a str) {
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
    /// What stands directly before the next word.
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

    /// A string, which goes on in the next line behind a backslash where it is long.
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
            // An escape is not torn.
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
                // Spaces in front would be taken for the indent.
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
pub(super) fn quote(bytes: &[u8]) -> String {
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ALL: &str = concat!(
        "ann connect\n",
        "ann > SET k \"a b\\x00\" \"<id:1>\"\n",
        "ann < +OK\n",
        "ann < -\"ERR no\"\n",
        "ann < [:1 $-1 [] ~[\"a\"] %[\"k\" ,1.5] >[#t] _ (123 =\"txt:x\" *-1 <any>]\n",
        "ann < <id:1>\n",
        "ann > XACK s g <id:1> (<int:1>\n",
        "ann > AUTH <password>\n",
        "ann >> \"PING\\r\\n\"\n",
        "ann << \"\\xff\"\n",
        "ann wait\n",
        "pause 10\n",
        "idle 20\n",
        "ann close\n",
        "ann closed\n",
    );

    #[test]
    fn what_is_read_is_written_again() {
        let text = ALL.replace("(<int:1>", "\"(\"<id:1>");
        assert_eq!(Session::read(&text).expect("a session").to_string(), text);
    }

    #[test]
    fn lines_may_be_wrapped_and_have_comments_between() {
        let session = Session::read(
            "# hello\na > SET k\n  v\n\n  # not part of it\na > SET k 'it''s' \"1 \\\n   2\\x20\\\n   3\"\r\na <\n [:1\n\t:2]\n",
        );
        let session = session.expect("a session");
        let lines: Vec<usize> = session.events.iter().map(|event| event.line).collect();
        assert_eq!(lines, [2, 6, 9]);
        assert_eq!(session.to_string(), "a > SET k v\na > SET k its \"1 2 3\"\na < [:1 :2]\n");
    }

    #[test]
    fn errors_tell_the_line() {
        for (text, line, part) in [
            ("a > GET k\na < OK\n", 2, "an answer is expected"),
            ("a > GET \"k\n", 1, "not closed"),
            ("a < [:1\n", 1, "not closed"),
            ("a < :x\n", 1, "no integer"),
            ("a < %[:1]\n", 1, "as many values"),
            ("\n\na GET\n", 3, "is none of"),
            ("a!\n", 1, "is no name"),
            ("  a > GET\n", 1, "begins with a space"),
            ("a > XACK s g <id:1>\n", 1, "no answer before"),
            ("a > XACK s g <id>\n", 1, "wants the name"),
            ("a < :1 :2\n", 1, "more behind"),
            ("pause soon\n", 1, "milliseconds"),
            ("a >\n", 1, "no command"),
            ("a > SET \"\\xg1\" 1\n", 1, "two hexadecimal"),
        ] {
            let error = Session::read(text).expect_err(text);
            assert_eq!(error.line, line, "{text:?}");
            assert!(error.text.contains(part), "{text:?}: {error}");
        }
    }

    fn frames() -> impl Strategy<Value = Frame> {
        let leaf = prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..300).prop_map(Frame::bulk),
            (proptest::sample::select(&b"+-,#(=!"[..]), "[ -~é]{0,200}")
                .prop_map(|(kind, text)| Frame::Text { kind, text: text.into_bytes() }),
            any::<i64>().prop_map(|number| Frame::Text { kind: b':', text: number.to_string().into_bytes() }),
            Just(Frame::Null { kind: b'*' }),
            Just(Frame::Text { kind: b'_', text: Vec::new() }),
        ];
        leaf.prop_recursive(4, 60, 8, |inner| {
            (proptest::sample::select(&b"*~>"[..]), proptest::collection::vec(inner, 0..8))
                .prop_map(|(kind, items)| Frame::Nest { kind, items })
        })
    }

    proptest! {
        #[test]
        fn every_session_is_read_as_it_was_written(
            frames in proptest::collection::vec(frames(), 1..4),
            arguments in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..200), 1..20),
            texts in proptest::collection::vec("[ \\\\\"'<>a-c\u{e9}\u{2028}\n]{0,300}", 1..5),
        ) {
            let mut session = Session::default();
            let ann = session.connection("ann");
            let arguments = arguments.into_iter().chain(texts.into_iter().map(String::into_bytes));
            let arguments: Vec<Argument> = arguments.map(Argument::from).collect();
            session.push(Action::Send(ann, arguments));
            for frame in frames {
                session.push(Action::Answer(ann, frame));
            }
            let text = session.to_string();
            let read = Session::read(&text).expect(&text);
            let actions = |session: &Session| session.events.iter().map(|event| event.action.clone()).collect::<Vec<_>>();
            prop_assert_eq!(actions(&read), actions(&session));
        }
    }
}
