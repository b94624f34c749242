//! Replies and pushes as they stand on the wire, and in the notation of a session file.

use crate::resp::parse_integer;

/// How deep replies may lie in each other; what is deeper is kept as bytes. Redis's own have no ten levels.
pub(super) const DEPTH_MAX: usize = 64;
/// The longest line that announces a length: a sign and as many digits as 64 bits have.
const LENGTH_LINE_MAX: usize = 32;

/// One reply or push of either version of the protocol, or an element of one. `kind` is the byte that it begins with
/// on the wire.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Frame {
    /// Strings, errors, numbers, booleans and the null of RESP3 (`_`): `text` is what stands behind the kind, for
    /// `$`, `=` and `!` the string itself.
    Text {
        /// One of `+ - : $ = ! , # ( _`.
        kind: u8,
        /// The bytes.
        text: Vec<u8>,
    },
    /// The nulls of RESP2: `$-1` and `*-1`.
    Null {
        /// `$` or `*`, or what a server makes of it.
        kind: u8,
    },
    /// Arrays, sets, maps (key, value, key, ...), pushes and attributes.
    Nest {
        /// One of `* ~ % > |`.
        kind: u8,
        /// The elements.
        items: Vec<Frame>,
    },
    /// Something that is written in a session file in place of a value that differs each time.
    Placeholder(Placeholder),
}

/// `<id>`, `<ms>`, `<int>` or `<any>`, with a name or without: `<id:first>`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Placeholder {
    /// What it stands for.
    pub kind: PlaceholderKind,
    /// What a later request calls it by.
    pub name: Option<String>,
}

/// What a placeholder stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PlaceholderKind {
    /// The id of an entry of a stream, such as `1700000000000-0`.
    Id,
    /// A point or a span of time: digits, as an integer or a string.
    Ms,
    /// An integer, or a string that is one.
    Int,
    /// Anything, also a whole array.
    Any,
}

impl PlaceholderKind {
    const ALL: [(Self, &'static str); 4] =
        [(Self::Id, "id"), (Self::Ms, "ms"), (Self::Int, "int"), (Self::Any, "any")];

    /// The word in the brackets.
    #[must_use]
    pub fn word(self) -> &'static str {
        Self::ALL.iter().find(|(kind, _)| *kind == self).map_or("any", |(_, word)| word)
    }
}

impl Placeholder {
    /// Without a name.
    #[must_use]
    pub const fn of(kind: PlaceholderKind) -> Self {
        Self { kind, name: None }
    }

    /// Reads what stands between the brackets.
    #[must_use]
    pub fn read(inner: &str) -> Option<Self> {
        let (word, name) = match inner.split_once(':') {
            Some((word, name)) => (word, Some(name)),
            None => (inner, None),
        };
        let named =
            |name: &str| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte));
        let kind = PlaceholderKind::ALL.iter().find(|(_, its)| *its == word)?.0;
        if name.is_some_and(|name| name.is_empty() || !named(name)) {
            return None;
        }
        Some(Self { kind, name: name.map(str::to_owned) })
    }

    /// Whether it may stand for this value.
    #[must_use]
    pub fn stands_for(&self, frame: &Frame) -> bool {
        let Frame::Text { kind: b':' | b'$' | b'+', text } = frame else {
            return self.kind == PlaceholderKind::Any;
        };
        match self.kind {
            PlaceholderKind::Any => true,
            PlaceholderKind::Id => stream_id(text).is_some(),
            PlaceholderKind::Ms => !text.is_empty() && text.iter().all(u8::is_ascii_digit),
            PlaceholderKind::Int => parse_integer(text).is_some(),
        }
    }
}

impl std::fmt::Display for Placeholder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let word = self.kind.word();
        match &self.name {
            None => write!(f, "<{word}>"),
            Some(name) => write!(f, "<{word}:{name}>"),
        }
    }
}

/// The two numbers of a stream's id.
#[must_use]
pub fn stream_id(text: &[u8]) -> Option<(u64, u64)> {
    let (ms, sequence) = std::str::from_utf8(text).ok()?.split_once('-')?;
    let number = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok());
    Some((number(ms)??, number(sequence)??))
}

impl Frame {
    /// A bulk string.
    #[must_use]
    pub fn bulk(text: impl Into<Vec<u8>>) -> Self {
        Self::Text { kind: b'$', text: text.into() }
    }

    /// The byte that it begins with on the wire; of a placeholder `<`.
    #[must_use]
    pub fn kind(&self) -> u8 {
        match self {
            Self::Text { kind, .. } | Self::Null { kind } | Self::Nest { kind, .. } => *kind,
            Self::Placeholder(_) => b'<',
        }
    }

    /// What a string, error or number says.
    #[must_use]
    pub fn text(&self) -> Option<&[u8]> {
        match self {
            Self::Text { text, .. } => Some(text),
            _ => None,
        }
    }

    /// The elements of an array, set, map or push.
    #[must_use]
    pub fn items(&self) -> &[Frame] {
        match self {
            Self::Nest { items, .. } => items,
            _ => &[],
        }
    }

    /// Calls `look` with this frame and all within it.
    pub fn each<'a>(&'a self, look: &mut impl FnMut(&'a Frame)) {
        look(self);
        for item in self.items() {
            item.each(look);
        }
    }

    /// Reads a whole frame, such as a [`Scanner`] has found. None: it is nested too deep.
    #[must_use]
    pub fn read(bytes: &[u8]) -> Option<Self> {
        read(bytes, 0).map(|(frame, _)| frame)
    }
}

fn read(bytes: &[u8], depth: usize) -> Option<(Frame, usize)> {
    let end = line_end(bytes, 0)?;
    let (&kind, line) = (bytes.first()?, bytes.get(1..end)?);
    let mut at = end + 2;
    if depth > DEPTH_MAX {
        return None;
    }
    let frame = match kind {
        b'$' | b'=' | b'!' => match usize::try_from(parse_integer(line)?) {
            Err(_) => Frame::Null { kind },
            Ok(length) => {
                let text = bytes.get(at..at.checked_add(length)?)?.to_vec();
                at += length + 2;
                Frame::Text { kind, text }
            }
        },
        b'*' | b'~' | b'>' | b'%' | b'|' => match u64::try_from(parse_integer(line)?) {
            Err(_) => Frame::Null { kind },
            Ok(count) => {
                let mut left = elements(kind, count)?;
                let mut items = Vec::new();
                while left > 0 {
                    let (item, length) = read(bytes.get(at..)?, depth + 1)?;
                    at += length;
                    // An attribute stands before the element that it tells of, and is none itself.
                    left -= u64::from(item.kind() != b'|');
                    items.push(item);
                }
                Frame::Nest { kind, items }
            }
        },
        _ => Frame::Text { kind, text: line.to_vec() },
    };
    Some((frame, at))
}

fn elements(kind: u8, count: u64) -> Option<u64> {
    if matches!(kind, b'%' | b'|') { count.checked_mul(2) } else { Some(count) }
}

/// Where the next CR LF is, searched from `from` on.
fn line_end(bytes: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    loop {
        at += bytes.get(at..)?.iter().position(|byte| *byte == b'\r')?;
        if bytes.get(at + 1)? == &b'\n' {
            return Some(at);
        }
        at += 1;
    }
}

/// The bytes are no replies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unreadable;

/// Finds where a frame ends, without reading any byte twice, however it arrives.
#[derive(Clone, Debug, Default)]
pub struct Scanner {
    /// How far the frame is scanned.
    at: usize,
    /// How far behind `at` the end of a line has been looked for in vain.
    searched: usize,
    /// How many values of the frame are still to come; 0: nothing of it has been seen.
    left: u64,
}

impl Scanner {
    /// Goes on with the frame at the beginning of `buffer`, which holds the same bytes as before and more.
    /// `Some(n)`: it is complete and has n bytes.
    ///
    /// # Errors
    ///
    /// The bytes are not RESP.
    pub fn scan(&mut self, buffer: &[u8]) -> Result<Option<usize>, Unreadable> {
        loop {
            let Some(&kind) = buffer.get(self.at) else { return Ok(None) };
            let Some(end) = line_end(buffer, self.at + self.searched) else {
                self.searched = (buffer.len() - self.at).saturating_sub(1);
                let is_length = b"$=!*~>%|".contains(&kind);
                let known = is_length || b"+-:,#(_".contains(&kind);
                if !known || (is_length && self.searched > LENGTH_LINE_MAX) {
                    return Err(Unreadable);
                }
                return Ok(None);
            };
            let line = buffer.get(self.at + 1..end).ok_or(Unreadable)?;
            let mut next = end + 2;
            let mut inside = 0;
            let mut is_value = true;
            match kind {
                b'$' | b'=' | b'!' => {
                    if let Ok(length) = usize::try_from(parse_integer(line).ok_or(Unreadable)?) {
                        let close = next.checked_add(length).ok_or(Unreadable)?;
                        match buffer.get(close..close.saturating_add(2)) {
                            None => {
                                // The line is short: it may be read again.
                                self.searched = 0;
                                return Ok(None);
                            }
                            Some(b"\r\n") => next = close + 2,
                            Some(_) => return Err(Unreadable),
                        }
                    }
                }
                b'*' | b'~' | b'>' | b'%' | b'|' => {
                    let count = u64::try_from(parse_integer(line).ok_or(Unreadable)?).unwrap_or(0);
                    inside = elements(kind, count).ok_or(Unreadable)?;
                    is_value = kind != b'|' || self.left == 0;
                }
                b'+' | b'-' | b':' | b',' | b'#' | b'(' | b'_' => {}
                _ => return Err(Unreadable),
            }
            let open = if self.left == 0 { 1 } else { self.left };
            self.left = (open - u64::from(is_value)).checked_add(inside).ok_or(Unreadable)?;
            self.at = next;
            self.searched = 0;
            if self.left == 0 {
                *self = Self::default();
                return Ok(Some(next));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WIRE: &[u8] = b">3\r\n$7\r\nmessage\r\n+a\r\n*2\r\n:1\r\n%1\r\n|1\r\n+k\r\n:5\r\n$-1\r\n*-1\r\n";

    #[test]
    fn a_frame_is_found_however_it_arrives() {
        let mut bytes = WIRE.to_vec();
        bytes.extend_from_slice(b"+next\r\n");
        let mut scanner = Scanner::default();
        for end in 0..WIRE.len() {
            assert_eq!(scanner.scan(&bytes[..end]), Ok(None), "{end}");
        }
        assert_eq!(scanner.scan(&bytes), Ok(Some(WIRE.len())));
        assert_eq!(scanner.scan(&bytes[WIRE.len()..]), Ok(Some(7)));
    }

    #[test]
    fn what_is_no_reply_is_refused_and_what_is_too_deep_is_not_read() {
        for bytes in [&b"hello\r\n"[..], b"$x\r\n", b"$1\r\nabc", b"*99999999999999999999999999999999999"] {
            assert_eq!(Scanner::default().scan(bytes), Err(Unreadable), "{}", bytes.escape_ascii());
        }
        let deep = b"*1\r\n".repeat(100_000);
        assert_eq!(Scanner::default().scan(&deep), Ok(None));
        assert_eq!(Frame::read(&[&deep[..], b":1\r\n"].concat()), None);
    }

    #[test]
    fn placeholders_stand_for_what_their_word_says() {
        let id = Placeholder::read("id:first").expect("a placeholder");
        assert_eq!(id.to_string(), "<id:first>");
        assert!(id.stands_for(&Frame::bulk("1-0")));
        assert!(!id.stands_for(&Frame::bulk("1-0x")));
        assert!(Placeholder::of(PlaceholderKind::Any).stands_for(&Frame::Null { kind: b'*' }));
        assert_eq!(Placeholder::read("ids"), None);
        assert_eq!(Placeholder::read("id:"), None);
    }
}
