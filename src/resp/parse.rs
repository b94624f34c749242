//! The request parser: arrays of bulk strings and inline commands, resumable at any byte.
//!
//! The caller keeps the bytes of an unfinished request and passes them again, with what has arrived since, at the
//! same position of its buffer; the parser remembers its position, so that a request that arrives byte by byte costs
//! linear work. It copies nothing (except inline commands, where escapes are resolved), does not recurse, and
//! allocates only for arguments that have arrived.

use super::{Args, Span, parse_integer};

/// The longest inline request, and the longest line that announces a length: redis-server's
/// `PROTO_INLINE_MAX_SIZE`.
pub const INLINE_MAX: usize = 64 * 1024;
/// The most arguments of a request: redis-server 7 accepts any 32-bit count.
pub const ARGUMENTS_MAX: i64 = i32::MAX as i64;
/// The longest argument unless `proto-max-bulk-len` says otherwise.
pub const BULK_MAX: u64 = 512 * 1024 * 1024;
/// The most arguments before authentication, as redis-server.
pub const UNAUTHENTICATED_ARGUMENTS_MAX: i64 = 10;
/// The longest argument before authentication, as redis-server.
pub const UNAUTHENTICATED_BULK_MAX: i64 = 16 * 1024;

/// Limits of a request.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The longest argument in bytes (`proto-max-bulk-len`).
    pub bulk: u64,
    /// False as long as a password is required and has not been given.
    pub authenticated: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Self { bulk: BULK_MAX, authenticated: true }
    }
}

/// Why the bytes are not a request. The connection cannot be used afterwards: redis-server answers
/// `-ERR Protocol error: ...` and closes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProtocolError {
    /// The line with the number of arguments is too long.
    #[error("too big mbulk count string")]
    LongArrayHeader,
    /// The number of arguments is not a number or too large.
    #[error("invalid multibulk length")]
    ArrayLength,
    /// More arguments than a client may send before authentication.
    #[error("unauthenticated multibulk length")]
    UnauthenticatedArray,
    /// The line with the length of an argument is too long.
    #[error("too big bulk count string")]
    LongBulkHeader,
    /// An argument is not a bulk string.
    #[error("expected '$', got '{}'", *.0 as char)]
    ExpectedBulk(u8),
    /// The length of an argument is not a number or too large.
    #[error("invalid bulk length")]
    BulkLength,
    /// A longer argument than a client may send before authentication.
    #[error("unauthenticated bulk length")]
    UnauthenticatedBulk,
    /// An inline request is too long.
    #[error("too big inline request")]
    LongInline,
    /// An inline request with a quote that is not closed.
    #[error("unbalanced quotes in request")]
    UnbalancedQuotes,
}

impl ProtocolError {
    /// Appends the text of redis-server, which contains an unexpected byte as it was received.
    pub fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::ExpectedBulk(got) => {
                out.extend_from_slice(b"expected '$', got '");
                out.extend_from_slice(&[*got, b'\'']);
            }
            other => out.extend_from_slice(other.to_string().as_bytes()),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
enum State {
    /// Nothing of a request has been seen.
    #[default]
    Begin,
    /// Within an array: the number of missing arguments.
    Array { left: u32 },
    /// Within an array: the next argument has this length and begins at `at`.
    Bulk { left: u32, length: usize },
}

/// The parser of one connection.
#[derive(Debug, Default)]
pub struct Parser {
    state: State,
    /// How far the request is parsed, from its beginning.
    at: usize,
    /// Up to here the buffer has no end of line.
    searched: usize,
    spans: Spans,
    /// The arguments of an inline request with their escapes resolved; `None` if there was no inline request yet.
    inline: Option<Box<Inline>>,
    is_inline: bool,
}

/// Where a [`Parser`] stores the positions of the arguments. Many parsers can share one, see [`Parser::borrow`].
#[derive(Debug, Default)]
pub struct Spans(Vec<Span>);

/// Boxed: inline requests are rare and every connection has a parser.
#[derive(Debug, Default)]
struct Inline(Vec<u8>);

/// The memory of more spans than this is freed when the next request is parsed.
const SPANS_KEPT: usize = 1024;
/// How many bytes of an inline request's buffer are kept.
const INLINE_KEPT: usize = 1024;

impl Parser {
    /// A parser at the beginning of a request.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Continues with the request at the beginning of `buffer`. `Ok(Some(n))`: it is complete and took n
    /// bytes, its arguments are given by [`Parser::args`] with the same buffer (none for an empty line or array,
    /// which redis-server skips). `Ok(None)`: more bytes are needed; call again with the same bytes and more.
    ///
    /// # Errors
    ///
    /// The bytes are not a request, see [`ProtocolError`].
    ///
    /// ```
    /// use minibroker::internal::resp::{Limits, Parser};
    ///
    /// let mut parser = Parser::new();
    /// let bytes = b"*2\r\n$4\r\nECHO\r\n$2\r\nhi\r\nPING\r\n";
    /// assert_eq!(parser.parse(&bytes[..20], &Limits::default()), Ok(None));
    /// assert_eq!(parser.parse(bytes, &Limits::default()), Ok(Some(22)));
    /// assert_eq!(parser.args(bytes).iter().collect::<Vec<_>>(), [&b"ECHO"[..], b"hi"]);
    /// ```
    pub fn parse(&mut self, buffer: &[u8], limits: &Limits) -> Result<Option<usize>, ProtocolError> {
        if self.is_between_requests() {
            self.spans.0.clear();
            if self.spans.0.capacity() > SPANS_KEPT {
                self.spans.0 = Vec::new();
            }
            if self.inline.as_ref().is_some_and(|inline| inline.0.capacity() > INLINE_KEPT) {
                self.inline = None;
            }
            let Some(&first) = buffer.first() else { return Ok(None) };
            self.is_inline = first != b'*';
            if self.is_inline {
                return self.parse_inline(buffer);
            }
            if let Some(length) = self.parse_whole(buffer, limits) {
                return Ok(Some(self.finish(length)));
            }
            self.spans.0.clear();
        }
        self.parse_array(buffer, limits)
    }

    /// The arguments of the request that [`Parser::parse`] has just completed in this buffer.
    #[must_use]
    #[inline]
    pub fn args<'a>(&'a self, buffer: &'a [u8]) -> Args<'a> {
        let inline = if self.is_inline { &self.inline } else { &None };
        Args::new(inline.as_ref().map_or(buffer, |inline| &inline.0), &self.spans.0)
    }

    fn is_between_requests(&self) -> bool {
        self.state == State::Begin && self.at == 0
    }

    /// Uses `spans` for the next request, unless the parser is in the middle of one. The [arguments](Parser::args) of
    /// the last request become invalid.
    pub fn borrow(&mut self, spans: &mut Spans) {
        if self.is_between_requests() {
            self.spans = std::mem::take(spans);
        }
    }

    /// Gives back what was borrowed, unless the parser is in the middle of a request: an idle connection needs no
    /// memory for spans. The [arguments](Parser::args) of the last request become invalid.
    pub fn give_back(&mut self, spans: &mut Spans) {
        if self.is_between_requests() {
            *spans = std::mem::take(&mut self.spans);
        }
    }

    fn finish(&mut self, consumed: usize) -> usize {
        self.state = State::Begin;
        self.at = 0;
        self.searched = 0;
        consumed
    }

    /// Parses an array that has arrived completely, as most do. Everything unusual is left to
    /// [`Parser::parse_array`], which starts again.
    fn parse_whole(&mut self, buffer: &[u8], limits: &Limits) -> Option<usize> {
        if !limits.authenticated {
            return None;
        }
        let (count, mut at) = header(buffer, b'*').filter(|(count, _)| *count > 0)?;
        for _ in 0..count {
            let (length, line) = header(buffer.get(at..)?, b'$')?;
            let start = at + line;
            let end = start + length;
            at = end + 2;
            if at > buffer.len() || length as u64 > limits.bulk {
                return None;
            }
            self.spans.0.push(Span { start, end });
        }
        Some(at)
    }

    fn parse_array(&mut self, buffer: &[u8], limits: &Limits) -> Result<Option<usize>, ProtocolError> {
        loop {
            match self.state {
                State::Begin => {
                    let Some(line) = self.line(buffer, ProtocolError::LongArrayHeader)? else {
                        return Ok(None);
                    };
                    let count = parse_integer(&buffer[1..line])
                        .filter(|count| *count <= ARGUMENTS_MAX)
                        .ok_or(ProtocolError::ArrayLength)?;
                    if count > UNAUTHENTICATED_ARGUMENTS_MAX && !limits.authenticated {
                        return Err(ProtocolError::UnauthenticatedArray);
                    }
                    self.at = line + 2;
                    // A negative count means no arguments.
                    let left = u32::try_from(count).unwrap_or(0);
                    if left == 0 {
                        return Ok(Some(self.finish(line + 2)));
                    }
                    self.state = State::Array { left };
                }
                State::Array { left: 0 } => return Ok(Some(self.finish(self.at))),
                State::Array { left } => {
                    let Some(line) = self.line(buffer, ProtocolError::LongBulkHeader)? else {
                        return Ok(None);
                    };
                    let kind = buffer[self.at];
                    if kind != b'$' {
                        return Err(ProtocolError::ExpectedBulk(kind));
                    }
                    let length = buffer
                        .get(self.at + 1..line)
                        .and_then(parse_integer)
                        .filter(|length| u64::try_from(*length).is_ok_and(|length| length <= limits.bulk))
                        .ok_or(ProtocolError::BulkLength)?;
                    if length > UNAUTHENTICATED_BULK_MAX && !limits.authenticated {
                        return Err(ProtocolError::UnauthenticatedBulk);
                    }
                    self.at = line + 2;
                    let length = usize::try_from(length).map_err(|_| ProtocolError::BulkLength)?;
                    self.state = State::Bulk { left, length };
                }
                State::Bulk { left, length } => {
                    // The two bytes after an argument are skipped unread, as in redis-server.
                    if buffer.len().saturating_sub(self.at) < length.saturating_add(2) {
                        return Ok(None);
                    }
                    let end = self.at + length;
                    self.spans.0.push(Span { start: self.at, end });
                    self.at = end + 2;
                    self.searched = self.at;
                    self.state = State::Array { left: left - 1 };
                }
            }
        }
    }

    /// The offset of the `\r` that ends the line at `self.at`, once the byte after it has arrived too.
    fn line(&mut self, buffer: &[u8], too_long: ProtocolError) -> Result<Option<usize>, ProtocolError> {
        let from = self.searched.max(self.at);
        let rest = buffer.get(from..).unwrap_or_default();
        // redis-server looks for the line's end with strchr, which stops at a NUL.
        match rest.iter().position(|byte| matches!(byte, b'\r' | 0)) {
            Some(found) if rest[found] == b'\r' => {
                self.searched = from + found;
                Ok((buffer.len() > from + found + 1).then_some(from + found))
            }
            found => {
                self.searched = from + found.unwrap_or(rest.len());
                if buffer.len() - self.at.min(buffer.len()) > INLINE_MAX {
                    return Err(too_long);
                }
                Ok(None)
            }
        }
    }

    fn parse_inline(&mut self, buffer: &[u8]) -> Result<Option<usize>, ProtocolError> {
        let rest = buffer.get(self.searched..).unwrap_or_default();
        let newline = match rest.iter().position(|byte| matches!(byte, b'\n' | 0)) {
            Some(found) if rest[found] == b'\n' => self.searched + found,
            found => {
                self.searched += found.unwrap_or(rest.len());
                if buffer.len() > INLINE_MAX {
                    return Err(ProtocolError::LongInline);
                }
                return Ok(None);
            }
        };
        let line = &buffer[..newline];
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let Inline(inline) = &mut **self.inline.get_or_insert_default();
        inline.clear();
        if !split_quoted(line, inline, &mut self.spans.0) {
            return Err(ProtocolError::UnbalancedQuotes);
        }
        Ok(Some(self.finish(newline + 1)))
    }
}

/// The most digits that [`header`] reads: more are not usual, and these cannot overflow.
const HEADER_DIGITS_MAX: usize = 9;

/// Reads a line such as `$11\r\n` at the beginning of the bytes: its number and its length in bytes, if the line
/// is complete, of this kind, and as clients write it.
#[inline(always)]
#[allow(clippy::inline_always)] // Without it parsing costs half as much again.
fn header(bytes: &[u8], kind: u8) -> Option<(usize, usize)> {
    match *bytes {
        // Most lengths have one digit or two. The `\n` is skipped unread, as in redis-server.
        [first, one @ b'0'..=b'9', b'\r', _, ..] if first == kind => Some((digit(one), 4)),
        [first, ten @ b'1'..=b'9', one @ b'0'..=b'9', b'\r', _, ..] if first == kind => {
            Some((digit(ten) * 10 + digit(one), 5))
        }
        [first, b'1'..=b'9', ..] if first == kind => long_header(&bytes[1..]),
        _ => None,
    }
}

fn long_header(digits: &[u8]) -> Option<(usize, usize)> {
    let mut number = 0;
    for (at, byte) in digits.iter().enumerate().take(HEADER_DIGITS_MAX + 1) {
        match byte {
            b'0'..=b'9' => number = number * 10 + digit(*byte),
            b'\r' if digits.len() > at + 1 => return Some((number, at + 3)),
            _ => return None,
        }
    }
    None
}

fn digit(byte: u8) -> usize {
    usize::from(byte - b'0')
}

/// Splits a line into arguments as redis-server's `sdssplitargs`: white space separates; `"..."` knows
/// `\n \r \t \b \a \xHH` and `\` before any other byte; `'...'` knows `\'`; a closing quote ends the
/// argument. False if a quote stays open or something follows its end directly. A vertical tab or a form feed is
/// white space before an argument and after a quote, but does not end an argument without quotes.
fn split_quoted(line: &[u8], out: &mut Vec<u8>, spans: &mut Vec<Span>) -> bool {
    let space = |byte: u8| matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c);
    let hex = |byte: u8| (byte as char).to_digit(16);
    let mut at = 0;
    loop {
        while line.get(at).is_some_and(|byte| space(*byte)) {
            at += 1;
        }
        if at >= line.len() {
            return true;
        }
        let start = out.len();
        while let Some(&byte) = line.get(at) {
            if matches!(byte, b' ' | b'\t' | b'\n' | b'\r') {
                break;
            }
            at += 1;
            if byte != b'"' && byte != b'\'' {
                out.push(byte);
                continue;
            }
            loop {
                let Some(&inner) = line.get(at) else { return false };
                at += 1;
                if inner == byte {
                    break;
                }
                if inner != b'\\' {
                    out.push(inner);
                    continue;
                }
                let next = line.get(at).copied();
                if byte == b'\'' {
                    if next == Some(b'\'') {
                        out.push(b'\'');
                        at += 1;
                    } else {
                        out.push(b'\\');
                    }
                    continue;
                }
                let digits =
                    (line.get(at + 1).copied().and_then(hex), line.get(at + 2).copied().and_then(hex));
                match (next, digits) {
                    (None, _) => out.push(b'\\'),
                    (Some(b'x'), (Some(high), Some(low))) => {
                        out.push(u8::try_from(high * 16 + low).unwrap_or_default());
                        at += 3;
                    }
                    (Some(escaped), _) => {
                        out.push(match escaped {
                            b'n' => b'\n',
                            b'r' => b'\r',
                            b't' => b'\t',
                            b'b' => 8,
                            b'a' => 7,
                            other => other,
                        });
                        at += 1;
                    }
                }
            }
            if line.get(at).is_some_and(|byte| !space(*byte)) {
                return false;
            }
            break;
        }
        spans.push(Span { start, end: out.len() });
    }
}
