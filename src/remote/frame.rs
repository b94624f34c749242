//! Where a reply ends, for bytes that arrive in pieces and are not trusted.

use super::RemoteError;
use crate::resp::parse_integer;

/// How deep replies are nested at most. Redis's own are nested a few levels deep; a much deeper one would overflow the
/// stack of a program that reads it.
pub const DEEPEST: usize = 64;
/// The longest line that announces a length: a sign and as many digits as 64 bits have.
const LONGEST_LENGTH: usize = 32;
/// The longest bulk string: what Redis accepts from a client by default, `proto-max-bulk-len`.
pub const LONGEST_BULK: u64 = 512 * 1024 * 1024;
/// The longest line. Status replies and errors are short, but a line of MONITOR holds a whole request, each byte as up
/// to four: this has room for 16 MB of any bytes.
const LONGEST_LINE: usize = 64 * 1024 * 1024;
/// How much memory one reply may take: what Redis accepts for a client's requests by default,
/// `client-query-buffer-limit`.
pub const LARGEST_REPLY: u64 = 1024 * 1024 * 1024;
/// How much memory a value takes at most besides its bytes when it is read. The shortest has four bytes on the wire.
pub const PER_VALUE: u64 = 64;

/// Why bytes are not read as a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoReply {
    /// They are not a reply of Redis.
    Malformed,
    /// The reply would take more memory than [`LARGEST_REPLY`], or a part of it is longer than Redis allows.
    TooLarge,
}

impl From<NoReply> for RemoteError {
    fn from(reason: NoReply) -> Self {
        match reason {
            NoReply::Malformed => Self::NotRedis,
            NoReply::TooLarge => Self::TooLarge,
        }
    }
}

/// Looks for the end of the reply at the beginning of a buffer, in either version of the protocol. No byte is scanned
/// twice. An attribute before a reply counts as a reply of its own.
#[derive(Clone, Debug, Default)]
pub struct Scanner {
    at: usize,
    /// Up to here the buffer has no end of line.
    searched: usize,
    /// How many values the reply has so far.
    values: u64,
    /// The aggregates that are not complete yet.
    open: Vec<Open>,
}

/// An array, a map or an attribute.
#[derive(Clone, Copy, Debug)]
struct Open {
    /// How many of its values are still missing.
    left: u64,
    /// Whether it is a value itself. An attribute describes the value after it and is not a value.
    counts: bool,
}

impl Scanner {
    /// Continues with the reply at the beginning of `bytes`, which are the earlier ones and new ones. Returns
    /// `Some(n)` if the reply is complete and has n bytes.
    pub fn scan(&mut self, bytes: &[u8]) -> Result<Option<usize>, NoReply> {
        loop {
            let Some(kind) = bytes.get(self.at) else { return Ok(None) };
            let has_length = b"$=!*~>%|".contains(kind);
            if !has_length && !b"+-:,#(_".contains(kind) {
                return Err(NoReply::Malformed);
            }
            let Some(end) = line_end(bytes, self.searched.max(self.at)) else {
                // The last byte may be the first byte of a CR LF.
                self.searched = bytes.len().saturating_sub(1);
                let length = bytes.len() - self.at;
                return if has_length && length > LONGEST_LENGTH {
                    Err(NoReply::Malformed)
                } else if length > LONGEST_LINE {
                    Err(NoReply::TooLarge)
                } else {
                    Ok(None)
                };
            };
            let mut after = end + 2;
            let mut values = 0;
            if has_length {
                let line = bytes.get(self.at + 1..end).unwrap_or_default();
                // A negative length is a null.
                let length = u64::try_from(parse_integer(line).ok_or(NoReply::Malformed)?).ok();
                match (kind, length) {
                    (_, None) => {}
                    (b'$' | b'=' | b'!', Some(length)) => {
                        if length > LONGEST_BULK {
                            return Err(NoReply::TooLarge);
                        }
                        let length = usize::try_from(length).map_err(|_| NoReply::TooLarge)?;
                        let close = after.checked_add(length).ok_or(NoReply::Malformed)?;
                        match bytes.get(close..close.checked_add(2).ok_or(NoReply::Malformed)?) {
                            // The line is short, so reading it again is cheap.
                            None => {
                                self.check_size(close, 0)?;
                                return Ok(None);
                            }
                            Some(b"\r\n") => after = close + 2,
                            Some(_) => return Err(NoReply::Malformed),
                        }
                    }
                    (b'%' | b'|', Some(pairs)) => values = pairs.checked_mul(2).ok_or(NoReply::Malformed)?,
                    (_, Some(elements)) => values = elements,
                }
            }
            self.check_size(after, values)?;
            self.values += 1;
            (self.at, self.searched) = (after, after);
            let mut counts = *kind != b'|';
            if values > 0 {
                if self.open.len() == DEEPEST {
                    return Err(NoReply::Malformed);
                }
                self.open.push(Open { left: values, counts });
                continue;
            }
            // This value is complete, and so are the aggregates whose last value it was.
            while let Some(open) = self.open.last_mut() {
                open.left -= u64::from(counts);
                if open.left > 0 {
                    break;
                }
                counts = open.counts;
                self.open.pop();
            }
            if self.open.is_empty() {
                (self.searched, self.values) = (0, 0);
                return Ok(Some(std::mem::take(&mut self.at)));
            }
        }
    }

    /// True if a reply with this many bytes and this many more values is within the limits.
    fn check_size(&self, bytes: usize, more: u64) -> Result<(), NoReply> {
        let memory = self.values.saturating_add(more).saturating_mul(PER_VALUE).saturating_add(bytes as u64);
        if memory > LARGEST_REPLY { Err(NoReply::TooLarge) } else { Ok(()) }
    }
}

/// Where the next CR LF is, searched from `from` on.
pub fn line_end(bytes: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    loop {
        at += bytes.get(at..)?.iter().position(|byte| *byte == b'\r')?;
        if bytes.get(at + 1)? == &b'\n' {
            return Some(at);
        }
        at += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_ends_where_it_ends_however_it_arrives() {
        let replies: [&[u8]; 18] = [
            b"+OK\r\n",
            b"-ERR no\r\n",
            b"+a\rb\r\n",
            b":1\r\n",
            b"$5\r\na\r\nbc\r\n",
            b"$-1\r\n",
            b"$0\r\n\r\n",
            b"*0\r\n",
            b"*-1\r\n",
            b"_\r\n",
            b"*2\r\n*1\r\n$1\r\na\r\n:2\r\n",
            b"%1\r\n+a\r\n*2\r\n:1\r\n:2\r\n",
            b"=7\r\ntxt:abc\r\n",
            b"!6\r\nERR no\r\n",
            b"*2\r\n$1\r\na\r\n=7\r\ntxt:abc\r\n",
            b">2\r\n+a\r\n~1\r\n#t\r\n",
            b"*2\r\n|1\r\n+k\r\n:5\r\n:1\r\n|0\r\n*1\r\n|1\r\n+k\r\n*1\r\n:5\r\n,1.5\r\n",
            b">3\r\n$7\r\nmessage\r\n+a\r\n*2\r\n(1\r\n%1\r\n|1\r\n+k\r\n:5\r\n$-1\r\n*-1\r\n",
        ];
        for reply in replies {
            let mut bytes = reply.to_vec();
            bytes.extend_from_slice(b"+NEXT\r\n");
            assert_eq!(Scanner::default().scan(&bytes), Ok(Some(reply.len())), "{}", reply.escape_ascii());
            let mut scanner = Scanner::default();
            for length in 0..reply.len() {
                let part = &reply[..length];
                assert_eq!(scanner.scan(part), Ok(None), "{}, {length}", reply.escape_ascii());
                assert_eq!(crate::resp::Value::read(part), None, "{}, {length}", reply.escape_ascii());
            }
            assert_eq!(scanner.scan(reply), Ok(Some(reply.len())), "{}", reply.escape_ascii());
            let read = crate::resp::Value::read(reply).map(|(_, length)| length);
            assert_eq!(read, Some(reply.len()), "{}", reply.escape_ascii());
            assert_eq!(scanner.scan(b"+NEXT\r\n"), Ok(Some(7)), "after {}", reply.escape_ascii());
        }
    }

    #[test]
    fn a_string_that_does_not_end_in_a_line_end_is_no_value() {
        for bytes in [&b"$1\r\nabc"[..], b"!1\r\nabc", b"=5\r\ntxt:abc", b"$9223372036854775807\r\n"] {
            assert_eq!(crate::resp::Value::read(bytes), None, "{}", bytes.escape_ascii());
        }
    }

    #[test]
    fn an_attribute_in_front_of_a_reply_is_one_of_its_own() {
        assert_eq!(Scanner::default().scan(b"|1\r\n+k\r\n:5\r\n:1\r\n"), Ok(Some(12)));
        assert_eq!(Scanner::default().scan(b"|0\r\n:1\r\n"), Ok(Some(4)));
        let within = b"*2\r\n|1\r\n+k\r\n:5\r\n:1\r\n!3\r\nERR\r\n";
        let value = crate::resp::Value::read(within).map(|(value, _)| value);
        let wanted = [crate::resp::Value::Integer(1), crate::resp::Value::Error("ERR".into())];
        assert_eq!(value, Some(crate::resp::Value::Array(wanted.into())));
    }

    #[test]
    fn invalid_replies_are_errors() {
        let deep = b"*1\r\n".repeat(DEEPEST + 1);
        for bytes in [
            &b"HTTP/1.1 400 Bad Request\r\n"[..],
            b"HTTP",
            b"$x\r\n",
            b"$1\r\nabc",
            b"*1x\r\n",
            b"*99999999999999999999999999999999999",
            b"%9223372036854775808\r\n",
            &deep,
        ] {
            assert_eq!(Scanner::default().scan(bytes), Err(NoReply::Malformed), "{}", bytes.escape_ascii());
        }
        assert_eq!(Scanner::default().scan(&deep[4..]), Ok(None));
    }

    #[test]
    fn a_reply_that_is_too_large_is_refused_before_it_has_arrived() {
        let too_large = Err(NoReply::TooLarge);
        for announced in
            ["$9223372036854775807\r\n", "=536870913\r\n", "!536870913\r\n", "*16777217\r\n", "%8388609\r\n"]
        {
            assert_eq!(Scanner::default().scan(announced.as_bytes()), too_large, "{announced}");
        }
        for possible in ["$536870912\r\n", "*16777215\r\n", "%8388607\r\n"] {
            assert_eq!(Scanner::default().scan(possible.as_bytes()), Ok(None), "{possible}");
        }
        // Values of the same reply that were read before count.
        let mut scanner = Scanner { values: 16_777_000, ..Scanner::default() };
        assert_eq!(scanner.scan(b"*100\r\n"), Ok(None));
        assert_eq!(scanner.scan(b"*100\r\n*1000\r\n"), too_large);
        let mut bytes = b"*2\r\n+OK\r\n$536870912\r\n".to_vec();
        let mut scanner = Scanner::default();
        assert_eq!(scanner.scan(&bytes), Ok(None));
        scanner.values += LARGEST_REPLY / 2 / PER_VALUE;
        bytes.push(b'x');
        assert_eq!(scanner.scan(&bytes), too_large);
    }

    #[test]
    fn a_line_without_an_end_is_refused() {
        let mut line = vec![b'+'; LONGEST_LINE];
        assert_eq!(Scanner { searched: LONGEST_LINE - 1, ..Scanner::default() }.scan(&line), Ok(None));
        line.push(b'+');
        assert_eq!(
            Scanner { searched: LONGEST_LINE - 1, ..Scanner::default() }.scan(&line),
            Err(NoReply::TooLarge)
        );
    }
}
