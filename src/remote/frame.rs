//! Where a reply ends, for bytes that arrive piece by piece and from anybody.

use super::RemoteError;
use crate::resp::parse_integer;

/// How deep replies stand in each other at most. Redis's own stand in each other a few levels deep; beyond that a
/// program that reads them would overflow its stack.
pub const DEEPEST: usize = 64;
/// The longest line that announces a length: a sign and as many digits as 64 bits have.
const LONGEST_LENGTH: usize = 32;

/// The bytes are no reply of Redis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoReply;

impl From<NoReply> for RemoteError {
    fn from(_: NoReply) -> Self {
        Self::NotRedis
    }
}

/// Looks for the end of the reply at the beginning of a buffer, in either version of the protocol. Nothing that has been
/// looked at is looked at again. An attribute in front of a reply is found as one of its own.
#[derive(Clone, Debug, Default)]
pub struct Scanner {
    at: usize,
    /// How far a line's end has been looked for in vain.
    searched: usize,
    /// What has begun and not ended.
    open: Vec<Open>,
}

/// An array, a map or an attribute.
#[derive(Clone, Copy, Debug)]
struct Open {
    /// How many values of it are still to come.
    left: u64,
    /// It is a value itself. An attribute stands before the value that it tells of, and is none.
    counts: bool,
}

impl Scanner {
    /// Goes on with the reply at the beginning of `bytes`, which are the same as before and more. `Some(n)`: it is
    /// complete and has n bytes.
    pub fn scan(&mut self, bytes: &[u8]) -> Result<Option<usize>, NoReply> {
        loop {
            let Some(kind) = bytes.get(self.at) else { return Ok(None) };
            let has_length = b"$=!*~>%|".contains(kind);
            if !has_length && !b"+-:,#(_".contains(kind) {
                return Err(NoReply);
            }
            let Some(end) = line_end(bytes, self.searched.max(self.at)) else {
                // The last byte may be the first of the two.
                self.searched = bytes.len().saturating_sub(1);
                let is_endless = has_length && bytes.len() - self.at > LONGEST_LENGTH;
                return if is_endless { Err(NoReply) } else { Ok(None) };
            };
            let mut after = end + 2;
            let mut values = 0;
            if has_length {
                let line = bytes.get(self.at + 1..end).unwrap_or_default();
                // Below zero it is a null.
                let length = u64::try_from(parse_integer(line).ok_or(NoReply)?).ok();
                match (kind, length) {
                    (_, None) => {}
                    (b'$' | b'=' | b'!', Some(length)) => {
                        let length = usize::try_from(length).map_err(|_| NoReply)?;
                        let close = after.checked_add(length).ok_or(NoReply)?;
                        match bytes.get(close..close.checked_add(2).ok_or(NoReply)?) {
                            // The line is short: it may be read again.
                            None => return Ok(None),
                            Some(b"\r\n") => after = close + 2,
                            Some(_) => return Err(NoReply),
                        }
                    }
                    (b'%' | b'|', Some(pairs)) => values = pairs.checked_mul(2).ok_or(NoReply)?,
                    (_, Some(elements)) => values = elements,
                }
            }
            (self.at, self.searched) = (after, after);
            let mut counts = *kind != b'|';
            if values > 0 {
                if self.open.len() == DEEPEST {
                    return Err(NoReply);
                }
                self.open.push(Open { left: values, counts });
                continue;
            }
            // This value is complete, and whatever it was the last of.
            while let Some(open) = self.open.last_mut() {
                open.left -= u64::from(counts);
                if open.left > 0 {
                    break;
                }
                counts = open.counts;
                self.open.pop();
            }
            if self.open.is_empty() {
                self.searched = 0;
                return Ok(Some(std::mem::take(&mut self.at)));
            }
        }
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
    fn what_is_no_reply_is_told() {
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
            assert_eq!(Scanner::default().scan(bytes), Err(NoReply), "{}", bytes.escape_ascii());
        }
        assert_eq!(Scanner::default().scan(&deep[4..]), Ok(None));
        // A length that nobody can have is one that never arrives.
        assert_eq!(Scanner::default().scan(b"$9223372036854775807\r\n"), Ok(None));
    }
}
