//! The reply writer: every type that redis-server sends, in both versions of the protocol.

use super::{Protocol, number};

/// Writes the parts of a reply to the end of a buffer, in the version of the protocol that the client speaks.
///
/// Aggregates announce how many elements follow; the caller must write exactly as many.
pub struct Reply<'a> {
    out: &'a mut Vec<u8>,
    protocol: Protocol,
    /// Doubles have up to 17 digits.
    in_full: bool,
}

impl<'a> Reply<'a> {
    /// True if there is no earlier output that is not sent yet.
    #[must_use]
    pub fn is_first(&self) -> bool {
        self.out.is_empty()
    }

    /// A writer at the end of `out`.
    pub fn new(out: &'a mut Vec<u8>, protocol: Protocol) -> Self {
        Self { out, protocol, in_full: false }
    }

    /// Doubles will have up to 17 digits if `in_full`, as servers before Redis 7.2 write them, otherwise the fewest
    /// that read back the same.
    #[must_use]
    pub fn with_doubles_in_full(mut self, in_full: bool) -> Self {
        self.in_full = in_full;
        self
    }

    /// The version that is being written.
    #[must_use]
    pub fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// Writes another version from here on, as `HELLO` does within its own reply.
    pub fn set_protocol(&mut self, protocol: Protocol) {
        self.protocol = protocol;
    }

    /// True if RESP3 is being written.
    #[must_use]
    pub fn is_resp3(&self) -> bool {
        self.protocol == Protocol::Resp3
    }

    /// Where the next byte will be written, to be used with [`Reply::truncate`] and [`Reply::insert_array`].
    #[must_use]
    pub fn position(&self) -> usize {
        self.out.len()
    }

    /// Removes everything written since `position`.
    pub fn truncate(&mut self, position: usize) {
        self.out.truncate(position);
    }

    /// Announces an array of `len` elements that have already been written from `position` on. For replies whose
    /// length is known only at their end; this moves what was written.
    pub fn insert_array(&mut self, position: usize, len: usize) {
        self.insert_header(position, b'*', len);
    }

    /// As [`Reply::insert_array`], for a map of `pairs` keys and values.
    pub fn insert_map(&mut self, position: usize, pairs: usize) {
        if self.is_resp3() {
            self.insert_header(position, b'%', pairs);
        } else {
            self.insert_header(position, b'*', pairs * 2);
        }
    }

    /// Moves what was written from `from` on to `position`, before everything between them. For a part that is
    /// known only after the one that follows it.
    pub fn move_to(&mut self, from: usize, position: usize) {
        let from = from.min(self.out.len());
        let moved = self.out.len() - from;
        self.out[position.min(from)..].rotate_right(moved);
    }

    fn insert_header(&mut self, position: usize, kind: u8, len: usize) {
        let position = position.min(self.out.len());
        let end = self.out.len();
        self.header(kind, len);
        let header = self.out.len() - end;
        self.out[position..].rotate_right(header);
    }

    /// `+text`, a simple string. The text has no line breaks.
    pub fn simple(&mut self, text: &str) {
        self.line(b'+', text.as_bytes());
    }

    /// `+OK`.
    pub fn ok(&mut self) {
        self.out.extend_from_slice(b"+OK\r\n");
    }

    /// `-text`, an error; `text` begins with its code, as in `ERR syntax error`. Line breaks become spaces, and
    /// those at the end are removed, as in redis-server.
    pub fn error(&mut self, text: &[u8]) {
        self.out.push(b'-');
        let end = text.iter().rposition(|byte| !matches!(byte, b'\r' | b'\n')).map_or(0, |last| last + 1);
        let text = text.get(..end).unwrap_or_default();
        self.out.extend(text.iter().map(|byte| if matches!(byte, b'\r' | b'\n') { b' ' } else { *byte }));
        self.out.extend_from_slice(b"\r\n");
    }

    /// `:value`.
    pub fn integer(&mut self, value: i64) {
        self.number(b':', value);
    }

    /// A count or length as an integer.
    pub fn count(&mut self, value: usize) {
        self.integer(i64::try_from(value).unwrap_or(i64::MAX));
    }

    /// A bulk string.
    pub fn bulk(&mut self, bytes: &[u8]) {
        self.header(b'$', bytes.len());
        self.out.extend_from_slice(bytes);
        self.out.extend_from_slice(b"\r\n");
    }

    /// An integer as a bulk string.
    pub fn bulk_integer(&mut self, value: i64) {
        self.bulk(itoa::Buffer::new().format(value).as_bytes());
    }

    /// A bulk string, or null if it is `None`.
    pub fn bulk_or_null(&mut self, bytes: Option<&[u8]>) {
        match bytes {
            Some(bytes) => self.bulk(bytes),
            None => self.null(),
        }
    }

    /// Null: `_` in RESP3, the null bulk string in RESP2.
    pub fn null(&mut self) {
        self.out.extend_from_slice(if self.is_resp3() { b"_\r\n" } else { b"$-1\r\n" });
    }

    /// Null in place of an array: `_` in RESP3, the null array in RESP2.
    pub fn null_array(&mut self) {
        self.out.extend_from_slice(if self.is_resp3() { b"_\r\n" } else { b"*-1\r\n" });
    }

    /// An array; `len` elements follow.
    pub fn array(&mut self, len: usize) {
        self.header(b'*', len);
    }

    /// A map; `pairs` keys and values follow. In RESP2 an array of twice as many.
    pub fn map(&mut self, pairs: usize) {
        if self.is_resp3() {
            self.header(b'%', pairs);
        } else {
            self.header(b'*', pairs * 2);
        }
    }

    /// A set; `len` elements follow. In RESP2 an array.
    pub fn set(&mut self, len: usize) {
        let kind = if self.is_resp3() { b'~' } else { b'*' };
        self.header(kind, len);
    }

    /// A push; `len` elements follow. In RESP2 an array.
    pub fn push(&mut self, len: usize) {
        let kind = if self.is_resp3() { b'>' } else { b'*' };
        self.header(kind, len);
    }

    /// A double; in RESP2 a bulk string.
    pub fn double(&mut self, value: f64) {
        let print = if self.in_full { number::print_double_in_full } else { number::print_double };
        let position = self.out.len();
        if self.is_resp3() {
            self.out.push(b',');
            print(self.out, value);
        } else {
            print(self.out, value);
            self.insert_header(position, b'$', self.out.len() - position);
        }
        self.out.extend_from_slice(b"\r\n");
    }

    /// A double that has been printed already; in RESP2 a bulk string.
    pub fn printed_double(&mut self, text: &[u8]) {
        if self.is_resp3() {
            self.line(b',', text);
        } else {
            self.bulk(text);
        }
    }

    /// Bytes of a reply that were written elsewhere.
    pub fn written(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }

    /// Announces an attribute of `pairs` names and values, which describe the reply after it; RESP3 only.
    pub fn attribute(&mut self, pairs: usize) {
        if self.is_resp3() {
            self.header(b'|', pairs);
        }
    }

    /// A boolean; in RESP2 the integer 1 or 0.
    pub fn boolean(&mut self, value: bool) {
        self.out.extend_from_slice(match (self.protocol, value) {
            (Protocol::Resp3, true) => b"#t\r\n",
            (Protocol::Resp3, false) => b"#f\r\n",
            (Protocol::Resp2, true) => b":1\r\n",
            (Protocol::Resp2, false) => b":0\r\n",
        });
    }

    /// A text with a three-letter format, such as `txt`; in RESP2 a bulk string.
    pub fn verbatim(&mut self, format: &str, text: &[u8]) {
        if self.is_resp3() {
            self.header(b'=', text.len() + format.len() + 1);
            self.out.extend_from_slice(format.as_bytes());
            self.out.push(b':');
            self.out.extend_from_slice(text);
            self.out.extend_from_slice(b"\r\n");
        } else {
            self.bulk(text);
        }
    }

    /// A number of any size, in decimal digits; in RESP2 a bulk string.
    pub fn big_number(&mut self, digits: &str) {
        if self.is_resp3() {
            self.line(b'(', digits.as_bytes());
        } else {
            self.bulk(digits.as_bytes());
        }
    }

    fn line(&mut self, kind: u8, text: &[u8]) {
        self.out.push(kind);
        self.out.extend_from_slice(text);
        self.out.extend_from_slice(b"\r\n");
    }

    fn header(&mut self, kind: u8, len: usize) {
        self.number(kind, i64::try_from(len).unwrap_or(i64::MAX));
    }

    #[inline]
    fn number(&mut self, kind: u8, value: i64) {
        // Most numbers on the wire have one digit.
        if let Ok(small @ 0..=9) = u8::try_from(value) {
            self.out.extend_from_slice(&[kind, b'0' + small, b'\r', b'\n']);
        } else {
            self.line(kind, itoa::Buffer::new().format(value).as_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(protocol: Protocol, write: impl Fn(&mut Reply<'_>)) -> String {
        let mut out = Vec::new();
        write(&mut Reply::new(&mut out, protocol));
        String::from_utf8_lossy(&out).into_owned()
    }

    #[test]
    fn types_of_resp3_have_their_place_in_resp2() {
        type Write<'a> = &'a dyn Fn(&mut Reply<'_>);
        let all: [(Write<'_>, &str, &str); 6] = [
            (&|reply| reply.boolean(true), "#t\r\n", ":1\r\n"),
            (&|reply| reply.boolean(false), "#f\r\n", ":0\r\n"),
            (
                &|reply| reply.big_number("-12345678901234567890"),
                "(-12345678901234567890\r\n",
                "$21\r\n-12345678901234567890\r\n",
            ),
            (&|reply| reply.verbatim("txt", b"hi"), "=6\r\ntxt:hi\r\n", "$2\r\nhi\r\n"),
            (&|reply| reply.map(2), "%2\r\n", "*4\r\n"),
            (&|reply| reply.push(12), ">12\r\n", "*12\r\n"),
        ];
        for (write, resp3, resp2) in all {
            assert_eq!(written(Protocol::Resp3, write), resp3);
            assert_eq!(written(Protocol::Resp2, write), resp2);
        }
    }
}
