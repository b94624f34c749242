//! The texts of libraries as FUNCTION DUMP writes them and FUNCTION RESTORE reads them.

use super::reader::Reader;
use super::writer::Writer;
use super::{FOOTER, Version, check_footer, signed};
use crate::data::present;

/// The byte before each library.
pub(super) const LIBRARY: u8 = 0xf5;
/// The same byte before functions were released.
pub(super) const LIBRARY_EARLY: u8 = 0xf6;

/// Why a payload of libraries is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LibrariesError {
    /// The checksum is wrong, or the format is too new.
    Footer,
    /// It holds libraries in a form that was never released.
    Early,
    /// It holds something else.
    Other,
    /// A text is not well formed.
    Malformed,
}

/// Writes libraries, in the format of Redis 8 or of 7.0.
#[must_use]
pub fn dump_libraries<'a>(libraries: impl Iterator<Item = &'a [u8]>, newest: bool) -> Vec<u8> {
    let mut writer = Writer::default();
    for text in libraries {
        writer.byte(LIBRARY);
        writer.text(text);
    }
    let mut payload = writer.finish();
    let version = if newest { Version::NEWEST } else { Version::COMMON };
    payload.extend_from_slice(&version.to_le_bytes());
    signed(payload)
}

/// Reads libraries.
///
/// # Errors
///
/// The payload is not one of libraries.
pub fn restore_libraries(payload: &[u8]) -> Result<Vec<Vec<u8>>, LibrariesError> {
    check_footer(payload).ok_or(LibrariesError::Footer)?;
    let body = present(payload.get(..payload.len() - FOOTER)).unwrap_or_default();
    let mut reader = Reader::new(body);
    let mut libraries = Vec::new();
    while let Some(kind) = reader.byte() {
        match kind {
            LIBRARY => {}
            LIBRARY_EARLY => return Err(LibrariesError::Early),
            _ => return Err(LibrariesError::Other),
        }
        libraries.push(reader.text().ok_or(LibrariesError::Malformed)?.into_owned());
    }
    Ok(libraries)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::dump::CRC64;

    #[test]
    fn libraries_are_read_as_they_were_written() {
        let texts: [&[u8]; 3] = [b"#!lua name=x\n", b"", &[b'x'; 1000]];
        let payload = dump_libraries(texts.into_iter(), true);
        assert_eq!(restore_libraries(&payload), Ok(texts.map(<[u8]>::to_vec).to_vec()));
        let mut wrong = payload;
        wrong[0] = LIBRARY_EARLY;
        assert_eq!(restore_libraries(&wrong), Err(LibrariesError::Footer));
        let end = wrong.len() - 8;
        let checksum = CRC64.checksum(&wrong[..end]);
        wrong[end..].copy_from_slice(&checksum.to_le_bytes());
        assert_eq!(restore_libraries(&wrong), Err(LibrariesError::Early));
    }
}
