//! The request parser: input in pieces and in one, compared with `redis-protocol` and with a naive
//! implementation.

use minibroker::internal::resp::{Limits, Parser, ProtocolError};

use super::judge;

/// The result of reading a stream of bytes.
#[derive(Debug, PartialEq, Eq)]
pub struct Reading {
    /// The arguments of each request and how many bytes it took.
    pub requests: Vec<(Vec<Vec<u8>>, usize)>,
    /// How many bytes are left over as the beginning of a request, or why it is not one.
    pub end: Result<usize, ProtocolError>,
}

/// Reads a stream that arrives all at once.
#[must_use]
pub fn at_once(stream: &[u8], limits: &Limits) -> Reading {
    in_pieces(stream, std::iter::once(stream.len()), limits)
}

/// Reads a stream that arrives in pieces of these lengths, and the rest, if any, at once.
#[must_use]
pub fn in_pieces(stream: &[u8], pieces: impl IntoIterator<Item = usize>, limits: &Limits) -> Reading {
    let mut reading = Reading { requests: Vec::new(), end: Ok(0) };
    let mut parser = Parser::new();
    let (mut arrived, mut run) = (0, 0);
    for piece in pieces.into_iter().chain([stream.len()]) {
        arrived = stream.len().min(arrived + piece);
        loop {
            let buffer = &stream[run..arrived];
            match parser.parse(buffer, limits) {
                Ok(None) => break,
                Ok(Some(length)) => {
                    assert!(length > 0 && length <= buffer.len(), "took {length} of {}", buffer.len());
                    let arguments = parser.args(buffer).iter().map(<[u8]>::to_vec).collect();
                    reading.requests.push((arguments, length));
                    run += length;
                }
                Err(error) => {
                    reading.end = Err(error);
                    return reading;
                }
            }
        }
        if arrived == stream.len() {
            break;
        }
    }
    reading.end = Ok(stream.len() - run);
    reading
}

/// A request as clients send it.
#[must_use]
pub fn encode<A: AsRef<[u8]>>(arguments: &[A]) -> Vec<u8> {
    let mut out = format!("*{}\r\n", arguments.len()).into_bytes();
    for argument in arguments {
        out.extend_from_slice(format!("${}\r\n", argument.as_ref().len()).as_bytes());
        out.extend_from_slice(argument.as_ref());
        out.extend_from_slice(b"\r\n");
    }
    out
}

/// Splits an inline request without its line end, as `redis-server` does; `None` if its quotes are not balanced.
#[must_use]
pub fn split_inline(line: &[u8]) -> Option<Vec<Vec<u8>>> {
    enum Within {
        Nothing,
        Plain,
        Double,
        Single,
        Closed,
    }
    let space = |byte: u8| byte.is_ascii_whitespace() || byte == 0x0b;
    let ends_plain = |byte: u8| space(byte) && byte != 0x0b && byte != 0x0c;
    let mut arguments: Vec<Vec<u8>> = Vec::new();
    let mut within = Within::Nothing;
    let mut rest = line;
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if matches!(within, Within::Closed) && !space(byte) {
            return None;
        }
        if matches!(within, Within::Nothing | Within::Closed) {
            if space(byte) {
                within = Within::Nothing;
                continue;
            }
            arguments.push(Vec::new());
            within = Within::Plain;
        }
        let argument = arguments.last_mut()?;
        match within {
            Within::Double => match (byte, after) {
                (b'"', _) => within = Within::Closed,
                (b'\\', [b'x', high, low, after @ ..])
                    if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() =>
                {
                    let digits = [*high, *low];
                    argument.push(u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?);
                    rest = after;
                }
                (b'\\', [escaped, after @ ..]) => {
                    let plain = b"nrtba".iter().position(|letter| letter == escaped);
                    argument.push(plain.map_or(*escaped, |which| b"\n\r\t\x08\x07"[which]));
                    rest = after;
                }
                _ => argument.push(byte),
            },
            Within::Single => match (byte, after) {
                (b'\'', _) => within = Within::Closed,
                (b'\\', [b'\'', after @ ..]) => {
                    argument.push(b'\'');
                    rest = after;
                }
                _ => argument.push(byte),
            },
            _ => match byte {
                b'"' => within = Within::Double,
                b'\'' => within = Within::Single,
                byte if ends_plain(byte) => within = Within::Nothing,
                byte => argument.push(byte),
            },
        }
    }
    (!matches!(within, Within::Double | Within::Single)).then_some(arguments)
}

/// Checks one input: a byte of flags, a byte with the number of lengths of pieces, those lengths, and the stream.
pub fn check(data: &[u8]) {
    let [flags, pieces, data @ ..] = data else { return };
    let (pieces, stream) = data.split_at(data.len().min(usize::from(pieces % 16)));
    let limits = Limits {
        authenticated: flags & 1 == 0,
        bulk: if flags & 2 == 0 { Limits::default().bulk } else { 64 },
    };
    let reading = at_once(stream, &limits);
    let lengths = pieces.iter().map(|length| usize::from(*length));
    assert_eq!(in_pieces(stream, lengths, &limits), reading, "in pieces of {pieces:?}");
    assert_eq!(in_pieces(stream, std::iter::repeat_n(1, stream.len()), &limits), reading, "byte by byte");
    check_against_judges(stream, &reading);
    if limits.authenticated && limits.bulk > stream.len() as u64 {
        check_what_the_judge_takes(stream, &reading);
    }
}

/// What our parser accepts, the judges have to read in the same way.
fn check_against_judges(stream: &[u8], reading: &Reading) {
    let mut at = 0;
    for (arguments, length) in &reading.requests {
        let request = &stream[at..at + length];
        at += length;
        if request[0] != b'*' {
            let line = request.strip_suffix(b"\n").expect("an inline request ends with a line feed");
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            assert_eq!(split_inline(line).as_ref(), Some(arguments), "{}", line.escape_ascii());
        } else if request == encode(arguments) {
            // Bytes that the parser skips, after a `\r` and after an argument, may be invalid for others.
            let judged = judge::request(request);
            assert_eq!(judged.as_ref(), Some(&(arguments.clone(), *length)), "{}", request.escape_ascii());
        }
        if !arguments.is_empty() {
            let again = at_once(&encode(arguments), &Limits::default());
            assert_eq!(again.requests.len(), 1);
            assert_eq!(&again.requests[0].0, arguments);
        }
    }
}

/// Our parser has to accept what a client library can have sent.
fn check_what_the_judge_takes(stream: &[u8], reading: &Reading) {
    let Some((arguments, length)) = judge::request_among(stream) else { return };
    if !arguments.is_empty() && encode(&arguments) == stream[..length] {
        assert_eq!(reading.requests.first(), Some(&(arguments, length)), "{}", stream.escape_ascii());
    }
}
