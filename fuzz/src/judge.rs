//! What `redis-protocol` says about bytes that we have read or written: a second opinion by other people.

use minibroker::resp::Protocol;
use redis_protocol::resp2::types::OwnedFrame as Resp2;

/// The arguments of a request as `redis-protocol` reads them, and its length; none if it is not a complete array
/// of bulk strings. It recurses into arrays and reserves what a header announces, so bytes that could exhaust it
/// are not shown to it.
#[must_use]
pub fn request(bytes: &[u8]) -> Option<(Vec<Vec<u8>>, usize)> {
    const ELEMENTS_MAX: usize = 1024;
    const ARRAYS_MAX: usize = 32;
    let line = bytes.strip_prefix(b"*")?.split(|byte| *byte == b'\r').next()?;
    let elements: usize = std::str::from_utf8(line).ok()?.parse().ok()?;
    let arrays = bytes.iter().filter(|byte| **byte == b'*').count();
    if elements > ELEMENTS_MAX || arrays > ARRAYS_MAX {
        return None;
    }
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
/// Where they stop being any, and why.
pub fn replies(bytes: &[u8], protocol: Protocol) -> Result<usize, String> {
    // Errors and simple strings may hold any bytes, which only redis-protocol wants to be UTF-8.
    let ascii: Vec<u8> = bytes.iter().map(|byte| if byte.is_ascii() { *byte } else { b'?' }).collect();
    let (mut at, mut count) = (0, 0);
    while at < ascii.len() {
        let rest = &ascii[at..];
        let length = match protocol {
            Protocol::Resp2 => redis_protocol::resp2::decode::decode(rest)
                .map(|frame| frame.map(|(_, length)| length)),
            Protocol::Resp3 => redis_protocol::resp3::decode::complete::decode(rest)
                .map(|frame| frame.map(|(_, length)| length)),
        };
        match length {
            Ok(Some(length)) if length > 0 => at += length,
            other => {
                let shown = &rest[..rest.len().min(400)];
                return Err(format!("{protocol:?}: {other:?} at \"{}\"", shown.escape_ascii()));
            }
        }
        count += 1;
    }
    Ok(count)
}
