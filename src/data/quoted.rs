//! Bytes as text for people.

use std::fmt;

/// How much of a text a line shows.
const SHOWN: usize = 60;

/// A text in quotes, on one line, shortened to a reasonable length.
pub(crate) struct Quoted<'a>(pub &'a [u8]);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(text) = *self;
        let shown = &text[..text.len().min(SHOWN)];
        match std::str::from_utf8(shown) {
            Ok(shown) => write!(f, "{shown:?}")?,
            Err(_) => write!(f, "\"{}\"", shown.escape_ascii())?,
        }
        if shown.len() < text.len() { write!(f, "... ({} bytes)", text.len()) } else { Ok(()) }
    }
}
