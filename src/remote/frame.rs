//! Where a reply ends, for bytes that arrive piece by piece and from anybody.

use super::RemoteError;

/// How deep replies stand in each other at most. Redis's own stand in each other a few levels deep; beyond that a
/// program that reads them would overflow its stack.
const DEEPEST: usize = 64;

/// Looks for the end of the reply at the beginning of a buffer. Nothing that has been looked at is looked at again.
#[derive(Debug, Default)]
pub struct Scanner {
    at: usize,
    /// How far a line's end has been looked for in vain.
    searched: usize,
    /// How many values are still to come, of each reply that has begun.
    open: Vec<u64>,
}

impl Scanner {
    /// The length of the reply, once it is complete.
    pub fn scan(&mut self, bytes: &[u8]) -> Result<Option<usize>, RemoteError> {
        loop {
            let Some(kind) = bytes.get(self.at) else { return Ok(None) };
            if !b"+-:_#,($=*~>%".contains(kind) {
                return Err(RemoteError::NotRedis);
            }
            let from = self.searched.max(self.at);
            let rest = bytes.get(from..).unwrap_or_default();
            let Some(end) = rest.windows(2).position(|pair| pair == b"\r\n").map(|end| from + end) else {
                // The last byte may be the first of the two.
                self.searched = bytes.len().saturating_sub(1);
                return Ok(None);
            };
            let line = bytes.get(self.at + 1..end).unwrap_or_default();
            let number = || crate::resp::parse_integer(line).ok_or(RemoteError::NotRedis);
            let mut after = end + 2;
            let mut values = 0;
            match kind {
                b'$' | b'=' => {
                    if let Ok(length) = usize::try_from(number()?) {
                        after = after
                            .checked_add(length)
                            .and_then(|end| end.checked_add(2))
                            .ok_or(RemoteError::NotRedis)?;
                    }
                }
                b'*' | b'~' | b'>' => values = u64::try_from(number()?).unwrap_or_default(),
                b'%' => values = u64::try_from(number()?).unwrap_or_default().saturating_mul(2),
                _ => {}
            }
            if bytes.len() < after {
                return Ok(None);
            }
            (self.at, self.searched) = (after, after);
            if values > 0 {
                if self.open.len() == DEEPEST {
                    return Err(RemoteError::NotRedis);
                }
                self.open.push(values);
                continue;
            }
            // This value is complete, and whatever it was the last of.
            while let Some(left) = self.open.last_mut() {
                *left -= 1;
                if *left > 0 {
                    break;
                }
                self.open.pop();
            }
            if self.open.is_empty() {
                return Ok(Some(std::mem::take(self).at));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_ends_where_it_ends_however_it_arrives() {
        let replies: [&[u8]; 12] = [
            b"+OK\r\n",
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
            b">2\r\n+a\r\n~1\r\n#t\r\n",
        ];
        for reply in replies {
            let mut bytes = reply.to_vec();
            bytes.extend_from_slice(b"+NEXT\r\n");
            assert_eq!(Scanner::default().scan(&bytes), Ok(Some(reply.len())), "{reply:?}");
            let mut scanner = Scanner::default();
            for length in 0..reply.len() {
                assert_eq!(scanner.scan(&reply[..length]), Ok(None), "{reply:?}, {length}");
            }
            assert_eq!(scanner.scan(reply), Ok(Some(reply.len())), "{reply:?}");
            let read = crate::resp::Value::read(reply).map(|(_, length)| length);
            assert_eq!(read, Some(reply.len()), "{reply:?}");
        }
    }

    #[test]
    fn what_is_no_reply_is_told() {
        let deep = b"*1\r\n".repeat(DEEPEST + 1);
        for bytes in
            [&b"HTTP/1.1 400 Bad Request\r\n"[..], b"$x\r\n", b"*1x\r\n", b"$9223372036854775807\r\n", &deep]
        {
            let told = Scanner::default().scan(bytes);
            // A length that nobody can have is one that never arrives.
            assert!(matches!(told, Err(RemoteError::NotRedis) | Ok(None)), "{told:?}");
        }
        assert_eq!(Scanner::default().scan(b"HTTP"), Err(RemoteError::NotRedis));
        assert_eq!(Scanner::default().scan(&deep), Err(RemoteError::NotRedis));
    }
}
