//! How `redis-protocol` reads bytes that we have read or written: an independent implementation.

use minibroker::internal::resp::Protocol;
use redis_protocol::resp2::types::OwnedFrame as Resp2;

/// As [`request`], for any bytes: `None` for bytes that could exhaust `redis-protocol`, which recurses into arrays
/// and allocates what a header announces.
#[must_use]
pub fn request_among(bytes: &[u8]) -> Option<(Vec<Vec<u8>>, usize)> {
    const ELEMENTS_MAX: usize = 1024;
    const ARRAYS_MAX: usize = 32;
    let line = bytes.strip_prefix(b"*")?.split(|byte| *byte == b'\r').next()?;
    let elements: usize = std::str::from_utf8(line).ok()?.parse().ok()?;
    let arrays = bytes.split(|byte| *byte == b'*').count() - 1;
    if elements > ELEMENTS_MAX || arrays > ARRAYS_MAX {
        return None;
    }
    request(bytes)
}

/// The arguments of a request as `redis-protocol` reads them, and its length; `None` if it is not a complete array of
/// bulk strings.
#[must_use]
pub fn request(bytes: &[u8]) -> Option<(Vec<Vec<u8>>, usize)> {
    let Ok(Some((Resp2::Array(elements), length))) = redis_protocol::resp2::decode::decode(bytes) else {
        return None;
    };
    let arguments = elements.into_iter().map(|element| match element {
        Resp2::BulkString(argument) => Some(argument),
        _ => None,
    });
    Some((arguments.collect::<Option<_>>()?, length))
}

/// How many complete replies and pushes these bytes are.
///
/// # Errors
///
/// The position of the first incomplete reply, and the reason.
pub fn replies(bytes: &[u8], protocol: Protocol) -> Result<usize, String> {
    // Errors and simple strings may hold any bytes; redis-protocol requires UTF-8.
    let ascii: Vec<u8> = bytes.iter().map(|byte| if byte.is_ascii() { *byte } else { b'?' }).collect();
    let (mut at, mut count) = (0, 0);
    while at < ascii.len() {
        let rest = &ascii[at..];
        let length = match protocol {
            Protocol::Resp2 => {
                redis_protocol::resp2::decode::decode(rest).map(|frame| frame.map(|(_, length)| length))
            }
            Protocol::Resp3 => redis_protocol::resp3::decode::complete::decode(rest)
                .map(|frame| frame.map(|(_, length)| length)),
        };
        match length {
            Ok(Some(length)) if length > 0 => at += length,
            // redis-protocol cannot hold sets of maps, as COMMAND answers.
            Err(error) if error.details().contains("Invalid hash key") => {
                at += self::length(rest).ok_or("incomplete")?;
            }
            other => {
                let shown = &rest[..rest.len().min(400)];
                return Err(format!("{protocol:?}: {other:?} at \"{}\"", shown.escape_ascii()));
            }
        }
        count += 1;
    }
    Ok(count)
}

/// How many replies these bytes are, of either protocol, if they are complete. The content of scalars is not checked:
/// a script can give a verbatim string and a big number any content.
#[must_use]
pub fn count(bytes: &[u8]) -> Option<usize> {
    let (mut rest, mut count) = (bytes, 0);
    while !rest.is_empty() {
        rest = &rest[length(rest)?..];
        count += 1;
    }
    Some(count)
}

/// True if these are complete replies of either protocol, one after the other, or one within the other, as in the
/// reply to EXEC when HELLO is among its commands.
#[must_use]
pub fn is_mixed(bytes: &[u8]) -> bool {
    count(bytes).is_some()
}

/// The length of the reply at the beginning of `bytes`, in either protocol.
fn length(bytes: &[u8]) -> Option<usize> {
    let end = bytes.windows(2).position(|pair| pair == b"\r\n")?;
    let (kind, mut at) = (*bytes.first()?, end + 2);
    let number = || std::str::from_utf8(&bytes[1..end]).ok()?.parse::<i64>().ok();
    match kind {
        b'+' | b'-' | b':' | b'_' | b'#' | b',' | b'(' => {}
        b'$' | b'=' => {
            if let Ok(length) = usize::try_from(number()?) {
                at += length + 2;
                bytes.get(..at)?;
            }
        }
        b'*' | b'~' | b'>' | b'%' => {
            let elements = number()? * if kind == b'%' { 2 } else { 1 };
            for _ in 0..elements {
                at += length(bytes.get(at..)?)?;
            }
        }
        _ => return None,
    }
    Some(at)
}
