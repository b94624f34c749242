//! Ids of entries as clients write them.

use crate::data::StreamId;
use crate::data::stream::NewId;
use crate::resp::{Reply, parse_integer, up_to_nul};
use crate::spec::Error;

const INVALID: &str = "ERR Invalid stream ID specified as stream command argument";

/// Longer ids are invalid.
const LENGTH_MAX: usize = 127;

/// True if an argument is this one special character. Redis-server reads no further than a NUL here.
pub(super) fn is_sign(text: &[u8], sign: u8) -> bool {
    up_to_nul(text) == [sign]
}

/// An id, but not `-` or `+`. `missing_seq` completes an id without a sequence number.
///
/// # Errors
///
/// It is not an id.
pub(super) fn strict(text: &[u8], missing_seq: u64) -> Result<StreamId, Error> {
    let (ms, seq) = split(text).ok_or(Error::new(INVALID))?;
    parse(ms, seq, missing_seq).ok_or(Error::new(INVALID))
}

/// An id as [`strict`], or `-` for the smallest and `+` for the greatest.
///
/// # Errors
///
/// It is not an id.
pub(super) fn loose(text: &[u8], missing_seq: u64) -> Result<StreamId, Error> {
    match text {
        _ if is_sign(text, b'-') => Ok(StreamId::MIN),
        _ if is_sign(text, b'+') => Ok(StreamId::MAX),
        _ => strict(text, missing_seq),
    }
}

/// The id that XADD gives to an entry, where `<ms>-*` leaves the sequence number to the server.
///
/// # Errors
///
/// It is not an id.
pub(super) fn new_id(text: &[u8]) -> Result<NewId, Error> {
    if is_sign(text, b'*') {
        return Ok(NewId::Auto);
    }
    let (ms, seq) = split(text).ok_or(Error::new(INVALID))?;
    let id = match seq {
        Some(b"*") => unsigned(ms).map(NewId::Millisecond),
        _ => parse(ms, seq, 0).map(NewId::Exact),
    };
    id.ok_or(Error::new(INVALID))
}

/// The first id of a range: `-`, `+`, an id, or an id after `(`, which is excluded.
///
/// # Errors
///
/// It is not an id, or no id comes after it.
pub(super) fn range_start(text: &[u8]) -> Result<StreamId, Error> {
    match bound(text, 0)? {
        (id, true) => id.next().ok_or(Error::new("ERR invalid start ID for the interval")),
        (id, false) => Ok(id),
    }
}

/// The last id of a range, as [`range_start`]. An id without a sequence number includes all of its
/// millisecond.
///
/// # Errors
///
/// It is not an id, or no id comes before it.
pub(super) fn range_end(text: &[u8]) -> Result<StreamId, Error> {
    match bound(text, u64::MAX)? {
        (id, true) => id.previous().ok_or(Error::new("ERR invalid end ID for the interval")),
        (id, false) => Ok(id),
    }
}

/// An id and whether it is excluded.
fn bound(text: &[u8], missing_seq: u64) -> Result<(StreamId, bool), Error> {
    match text {
        [b'(', id @ ..] if !id.is_empty() => Ok((strict(id, missing_seq)?, true)),
        _ => Ok((loose(text, missing_seq)?, false)),
    }
}

/// The parts before and after the first dash.
fn split(text: &[u8]) -> Option<(&[u8], Option<&[u8]>)> {
    if text.len() > LENGTH_MAX {
        return None;
    }
    let mut parts = up_to_nul(text).splitn(2, |byte| *byte == b'-');
    Some((parts.next()?, parts.next()))
}

fn parse(ms: &[u8], seq: Option<&[u8]>, missing_seq: u64) -> Option<StreamId> {
    Some(StreamId { ms: unsigned(ms)?, seq: seq.map_or(Some(missing_seq), unsigned)? })
}

/// An unsigned number as redis-server's `string2ull` reads it: a text that is not a canonical signed number
/// is parsed as by C's `strtoull`, which accepts white space, signs (`-1` is the greatest number) and leading
/// zeros.
fn unsigned(text: &[u8]) -> Option<u64> {
    if let Some(value) = parse_integer(text) {
        return u64::try_from(value).ok();
    }
    let is_space = |byte: &&u8| matches!(byte, b' ' | b'\t'..=b'\r');
    let text = text.get(text.iter().take_while(is_space).count()..)?;
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] | digits => (false, digits),
    };
    if digits.is_empty() {
        return None;
    }
    let value = digits.iter().try_fold(0u64, |value, digit| {
        let digit = digit.is_ascii_digit().then(|| digit - b'0')?;
        value.checked_mul(10)?.checked_add(digit.into())
    })?;
    Some(if negative { value.wrapping_neg() } else { value })
}

/// Writes an id as a bulk string.
pub(super) fn write(reply: &mut Reply<'_>, id: StreamId) {
    reply.bulk(id.print(&mut [0; StreamId::TEXT_MAX]));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_strtoull_reads_them_where_they_are_no_integers() {
        let read = |text: &str| unsigned(text.as_bytes());
        assert_eq!(read("18446744073709551615"), Some(u64::MAX));
        assert_eq!(read("18446744073709551616"), None);
        assert_eq!(read("007"), Some(7));
        assert_eq!(read(" \t+7"), Some(7));
        assert_eq!(read("-7"), None);
        assert_eq!(read(" -7"), Some(u64::MAX - 6));
        assert_eq!(read("-0"), Some(0));
        assert_eq!(read("7 "), None);
        assert_eq!(read("+ 7"), None);
        assert_eq!(read(""), None);
        assert_eq!(read("-"), None);
    }
}
