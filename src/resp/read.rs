//! Replies read back into values, for a program that runs commands without a socket.

use std::fmt;

/// A reply as a value.
///
/// It prints as an integer, as the text itself, or as an array `["ann", 1]`. With [`Debug`](fmt::Debug), a text at the
/// top level has quotes as well.
///
/// ```
/// let broker = minibroker::Broker::start()?;
/// broker.command(("HSET", "ann", "age", 41, "mood", "good"))?;
/// assert_eq!(broker.command(["HGET", "ann", "mood"])?.to_string(), "good");
/// assert_eq!(broker.command(["HINCRBY", "ann", "age", "1"])?.to_string(), "42");
/// assert_eq!(broker.command(["HKEYS", "ann"])?.to_string(), r#"["age", "mood"]"#);
/// assert_eq!(format!("{:?}", broker.command(["HGET", "ann", "mood"])?), "\"good\"");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub enum Value {
    /// Null, of any kind.
    Null,
    /// A simple string such as `OK`.
    Simple(String),
    /// An error inside of another reply, such as one in the reply to EXEC.
    Error(String),
    /// An integer.
    Integer(i64),
    /// A bulk string.
    Bulk(Vec<u8>),
    /// An array.
    Array(Vec<Value>),
    /// A map, in the order in which it was sent.
    Map(Vec<(Value, Value)>),
    /// A set, in the order in which it was sent.
    Set(Vec<Value>),
    /// A double.
    Double(f64),
    /// A boolean.
    Boolean(bool),
    /// A text with its format, such as the reply to INFO.
    Verbatim(String, Vec<u8>),
    /// An integer of any size, in decimal digits.
    BigNumber(String),
    /// A push, such as a message.
    Push(Vec<Value>),
}

/// How deep nested values are read: a script may return more levels than the stack of a thread has room for.
const DEEPEST: usize = 256;

/// How many bytes the reply at the beginning takes, however deep it is; `None` if it is incomplete or is not a reply.
fn length_of(bytes: &[u8]) -> Option<usize> {
    let (mut at, mut left) = (0, 1_u64);
    while left > 0 {
        let rest = bytes.get(at..)?;
        let end = rest.windows(2).position(|pair| pair == b"\r\n")?;
        let (kind, line) = (*rest.first()?, rest.get(1..end)?);
        let count = || super::parse_integer(line).map(|count| u64::try_from(count).unwrap_or_default());
        at += end + 2;
        match kind {
            b'$' | b'=' | b'!' if line != b"-1" => {
                at = at.checked_add(usize::try_from(count()?).ok()?)?.checked_add(2)?;
            }
            b'*' | b'~' | b'>' => left = left.checked_add(count()?)?,
            b'%' => left = left.checked_add(count()?.checked_mul(2)?)?,
            // The value that the attribute describes follows.
            b'|' => left = left.checked_add(count()?.checked_mul(2)?)?.checked_add(1)?,
            _ => {}
        }
        left -= 1;
    }
    (at <= bytes.len()).then_some(at)
}

impl Value {
    /// Reads the value at the beginning of `bytes` and returns it with its length; `None` if it is
    /// incomplete or is not a reply. What is nested deeper than 256 levels is replaced by an error.
    #[must_use]
    pub fn read(bytes: &[u8]) -> Option<(Self, usize)> {
        Self::read_nested(bytes, 1)
    }

    fn read_nested(bytes: &[u8], level: usize) -> Option<(Self, usize)> {
        if level > DEEPEST {
            let text = format!("ERR nested deeper than {DEEPEST} levels");
            return Some((Self::Error(text), length_of(bytes)?));
        }
        let end = bytes.windows(2).position(|pair| pair == b"\r\n")?;
        let (kind, line) = (*bytes.first()?, bytes.get(1..end)?);
        let text = || String::from_utf8_lossy(line).into_owned();
        let after = end + 2;
        let length = || super::parse_integer(line);
        let elements = |count: i64| {
            let mut at = after;
            let mut values = Vec::new();
            let mut left = count;
            while left > 0 {
                let rest = bytes.get(at..)?;
                let (value, len) = Self::read_nested(rest, level + 1)?;
                at += len;
                // An attribute is left out.
                if rest.first() != Some(&b'|') {
                    values.push(value);
                    left -= 1;
                }
            }
            Some((values, at))
        };
        let value = match kind {
            b'+' => Self::Simple(text()),
            b'-' => Self::Error(text()),
            b':' => Self::Integer(length()?),
            b'_' => Self::Null,
            b'#' => Self::Boolean(line == b"t"),
            b',' => Self::Double(match line {
                b"nan" => f64::NAN,
                line => super::parse_double(line)?,
            }),
            b'(' => Self::BigNumber(text()),
            b'$' | b'=' | b'!' => {
                let Ok(length) = usize::try_from(length()?) else {
                    return Some((Self::Null, after));
                };
                let close = after.checked_add(length)?;
                if bytes.get(close..close.checked_add(2)?)? != b"\r\n" {
                    return None;
                }
                let body = bytes.get(after..close)?;
                let value = match kind {
                    b'=' => {
                        let format = String::from_utf8_lossy(body.get(..3)?).into_owned();
                        Self::Verbatim(format, body.get(4..)?.to_vec())
                    }
                    b'!' => Self::Error(String::from_utf8_lossy(body).into_owned()),
                    _ => Self::Bulk(body.to_vec()),
                };
                return Some((value, close + 2));
            }
            b'*' | b'~' | b'>' => {
                if length()? < 0 {
                    return Some((Self::Null, after));
                }
                let (values, at) = elements(length()?)?;
                let value = match kind {
                    b'*' => Self::Array(values),
                    b'~' => Self::Set(values),
                    _ => Self::Push(values),
                };
                return Some((value, at));
            }
            b'%' => {
                let (values, at) = elements(length()?.checked_mul(2)?)?;
                let mut pairs = Vec::new();
                let mut values = values.into_iter();
                while let (Some(key), Some(value)) = (values.next(), values.next()) {
                    pairs.push((key, value));
                }
                return Some((Self::Map(pairs), at));
            }
            b'|' => {
                // An attribute describes the value that follows and is not a value itself.
                let (_, at) = elements(length()?.checked_mul(2)?)?;
                return Some((Self::Null, at));
            }
            _ => return None,
        };
        Some((value, after))
    }

    /// The bytes of a string of any kind.
    #[must_use]
    pub fn as_bytes(&self) -> Option<&[u8]> {
        match self {
            Self::Bulk(bytes) | Self::Verbatim(_, bytes) => Some(bytes),
            Self::Simple(text) => Some(text.as_bytes()),
            _ => None,
        }
    }

    /// A string of any kind, if it is UTF-8.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        self.as_bytes().and_then(|bytes| std::str::from_utf8(bytes).ok())
    }

    /// The integer.
    #[must_use]
    pub fn as_integer(&self) -> Option<i64> {
        match self {
            Self::Integer(value) => Some(*value),
            _ => None,
        }
    }

    /// The elements of an array, set or push.
    #[must_use]
    pub fn as_slice(&self) -> Option<&[Value]> {
        match self {
            Self::Array(values) | Self::Set(values) | Self::Push(values) => Some(values),
            _ => None,
        }
    }
}

/// Strings equal bulk and simple strings, which makes assertions short.
impl PartialEq<str> for Value {
    fn eq(&self, other: &str) -> bool {
        self.as_bytes() == Some(other.as_bytes())
    }
}

impl PartialEq<&str> for Value {
    fn eq(&self, other: &&str) -> bool {
        self == *other
    }
}

impl PartialEq<String> for Value {
    fn eq(&self, other: &String) -> bool {
        self == other.as_str()
    }
}

impl PartialEq<[u8]> for Value {
    fn eq(&self, other: &[u8]) -> bool {
        self.as_bytes() == Some(other)
    }
}

impl PartialEq<&[u8]> for Value {
    fn eq(&self, other: &&[u8]) -> bool {
        self == *other
    }
}

impl PartialEq<i64> for Value {
    fn eq(&self, other: &i64) -> bool {
        self.as_integer() == Some(*other)
    }
}

/// As text: a string as it is, with replacement characters where it is not UTF-8. In an array, set, map or push,
/// strings have quotes.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bulk(bytes) | Self::Verbatim(_, bytes) => f.pad(&String::from_utf8_lossy(bytes)),
            Self::Simple(text) | Self::BigNumber(text) => f.pad(text),
            Self::Integer(value) => fmt::Display::fmt(value, f),
            other => fmt::Debug::fmt(other, f),
        }
    }
}

/// As redis-cli shows it on one line: strings in quotes, `[...]` for arrays.
impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |f: &mut fmt::Formatter<'_>, values: &[Value]| {
            f.write_str("[")?;
            for (index, value) in values.iter().enumerate() {
                write!(f, "{}{value:?}", if index == 0 { "" } else { ", " })?;
            }
            f.write_str("]")
        };
        match self {
            Self::Null => f.write_str("(nil)"),
            Self::Simple(text) | Self::BigNumber(text) => f.write_str(text),
            Self::Error(text) => write!(f, "(error) {text}"),
            Self::Integer(value) => write!(f, "{value}"),
            Self::Bulk(bytes) | Self::Verbatim(_, bytes) => write!(f, "\"{}\"", bytes.escape_ascii()),
            Self::Array(values) | Self::Set(values) | Self::Push(values) => list(f, values),
            Self::Map(pairs) => {
                f.write_str("{")?;
                for (index, (key, value)) in pairs.iter().enumerate() {
                    write!(f, "{}{key:?}: {value:?}", if index == 0 { "" } else { ", " })?;
                }
                f.write_str("}")
            }
            Self::Double(value) => write!(f, "{value}"),
            Self::Boolean(value) => write!(f, "{value}"),
        }
    }
}
