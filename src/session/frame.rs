//! Replies and pushes on the wire and in the notation of a session file.

use crate::remote::{DEEPEST, line_end};
use crate::resp::parse_integer;

/// One reply or push of either version of the protocol, or an element of one. `kind` is the first byte on the wire.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Frame {
    /// Strings, errors, numbers, booleans and the null of RESP3 (`_`): `text` is what follows the kind; for `$`,
    /// `=` and `!`, the string itself.
    Text {
        /// One of `+ - : $ = ! , # ( _`.
        kind: u8,
        /// The bytes.
        text: Vec<u8>,
    },
    /// The nulls of RESP2: `$-1` and `*-1`.
    Null {
        /// `$` or `*`, or another byte that a server sends.
        kind: u8,
    },
    /// Arrays, sets, maps (key, value, key, ...), pushes and attributes.
    Nest {
        /// One of `* ~ % > |`.
        kind: u8,
        /// The elements.
        items: Vec<Frame>,
    },
    /// Written in a session file in place of a value that differs each time.
    Placeholder(Placeholder),
}

/// `<id>`, `<ms>`, `<int>` or `<any>`, with a name or without: `<id:first>`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Placeholder {
    /// What it stands for.
    pub kind: PlaceholderKind,
    /// The name by which a later request refers to it.
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
    /// Anything, even a whole array.
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

    /// Reads the text between the brackets.
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

    /// Whether the placeholder may stand for this value.
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

    /// The first byte on the wire; `<` for a placeholder.
    #[must_use]
    pub fn kind(&self) -> u8 {
        match self {
            Self::Text { kind, .. } | Self::Null { kind } | Self::Nest { kind, .. } => *kind,
            Self::Placeholder(_) => b'<',
        }
    }

    /// The text of a string, error or number.
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

    /// Calls `visit` with this frame and all within it.
    pub fn each<'a>(&'a self, visit: &mut impl FnMut(&'a Frame)) {
        visit(self);
        for item in self.items() {
            item.each(visit);
        }
    }

    /// The bytes on the wire; none for a placeholder.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.write(&mut out);
        out
    }

    fn write(&self, out: &mut Vec<u8>) {
        out.extend(Some(self.kind()).filter(|kind| *kind != b'<'));
        match self {
            Self::Text { kind: b'$' | b'=' | b'!', text } => {
                out.extend_from_slice(format!("{}\r\n", text.len()).as_bytes());
                out.extend_from_slice(text);
                out.extend_from_slice(b"\r\n");
            }
            Self::Text { text, .. } => {
                out.extend_from_slice(text);
                out.extend_from_slice(b"\r\n");
            }
            Self::Null { .. } => out.extend_from_slice(b"-1\r\n"),
            Self::Nest { kind, items } => {
                // An attribute does not count as an element.
                let elements = items.iter().filter(|item| item.kind() != b'|').count();
                let length = if matches!(kind, b'%' | b'|') { elements / 2 } else { elements };
                out.extend_from_slice(format!("{length}\r\n").as_bytes());
                for item in items {
                    item.write(out);
                }
            }
            Self::Placeholder(_) => {}
        }
    }

    /// Reads a whole frame that takes all of the bytes. `None` if it is nested too deep.
    #[must_use]
    pub fn read(bytes: &[u8]) -> Option<Self> {
        read(bytes, 0).map(|(frame, _)| frame)
    }
}

fn read(bytes: &[u8], depth: usize) -> Option<(Frame, usize)> {
    let end = line_end(bytes, 0)?;
    let (&kind, line) = (bytes.first()?, bytes.get(1..end)?);
    let mut at = end + 2;
    if depth > DEEPEST {
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
                    // An attribute describes the element after it and is not an element.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_nested_too_deep_is_not_read() {
        let nested = |depth| [b"*1\r\n".repeat(depth), b":1\r\n".to_vec()].concat();
        assert!(Frame::read(&nested(DEEPEST)).is_some());
        assert_eq!(Frame::read(&nested(100_000)), None);
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
