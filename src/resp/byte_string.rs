//! Bytes that are mostly text.

use std::borrow::{Borrow, Cow};
use std::fmt;
use std::ops::Deref;

/// A string of Redis: any bytes, and nearly always text. It compares with texts and bytes, prints as text, and is a
/// slice of bytes.
///
/// ```
/// let broker = minibroker::Broker::start()?;
/// broker.command(["PUBLISH", "chat", "hello"])?;
/// let published = broker.published("chat");
/// assert_eq!(published[0].payload, "hello");
/// assert_eq!(published[0].payload, b"hello");
/// assert_eq!(published[0].payload.len(), 5);
/// assert_eq!(published[0].payload.to_string(), "hello");
/// assert_eq!(format!("{:?}", published[0].payload), "\"hello\"");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ByteString(Vec<u8>);

impl ByteString {
    /// The text, if it is UTF-8.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        std::str::from_utf8(&self.0).ok()
    }

    /// The text; what is not UTF-8 is replaced by replacement characters.
    #[must_use]
    pub fn to_text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.0)
    }

    /// The bytes.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}

impl Deref for ByteString {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl AsRef<[u8]> for ByteString {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Borrow<[u8]> for ByteString {
    fn borrow(&self) -> &[u8] {
        &self.0
    }
}

impl From<Vec<u8>> for ByteString {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }
}

impl From<&[u8]> for ByteString {
    fn from(bytes: &[u8]) -> Self {
        Self(bytes.to_vec())
    }
}

impl From<String> for ByteString {
    fn from(text: String) -> Self {
        Self(text.into_bytes())
    }
}

impl From<&str> for ByteString {
    fn from(text: &str) -> Self {
        Self(text.as_bytes().to_vec())
    }
}

impl From<ByteString> for Vec<u8> {
    fn from(text: ByteString) -> Self {
        text.0
    }
}

/// Compares with other types that have bytes, in both directions.
macro_rules! compares_with {
    ($($other:ty),+) => {$(
        impl PartialEq<$other> for ByteString {
            fn eq(&self, other: &$other) -> bool {
                let other: &[u8] = other.as_ref();
                self.0 == other
            }
        }

        impl PartialEq<ByteString> for $other {
            fn eq(&self, other: &ByteString) -> bool {
                other == self
            }
        }
    )+};
}

compares_with!(str, &str, String, [u8], &[u8], Vec<u8>);

impl<const N: usize> PartialEq<[u8; N]> for ByteString {
    fn eq(&self, other: &[u8; N]) -> bool {
        self.0 == other
    }
}

impl<const N: usize> PartialEq<&[u8; N]> for ByteString {
    fn eq(&self, other: &&[u8; N]) -> bool {
        self.0 == *other
    }
}

/// As text; what is not UTF-8 is replaced by replacement characters.
impl fmt::Display for ByteString {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.to_text())
    }
}

/// In quotes, with escapes.
impl fmt::Debug for ByteString {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.as_str() {
            Some(text) => fmt::Debug::fmt(text, f),
            None => write!(f, "\"{}\"", self.0.escape_ascii()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::ByteString;

    #[test]
    fn bytes_that_are_no_text_compare_and_print() {
        let bytes = ByteString::from(&b"a\xff"[..]);
        assert_eq!(bytes, b"a\xff");
        assert_ne!(bytes, "a");
        assert_eq!(bytes.as_str(), None);
        assert_eq!(bytes.to_string(), "a\u{fffd}");
        assert_eq!(format!("{bytes:?}"), r#""a\xff""#);
        assert_eq!(&*bytes, b"a\xff");
    }

    #[test]
    fn text_compares_with_texts_and_bytes_in_both_directions() {
        let text = ByteString::from("hé");
        let owned = "hé".to_owned();
        assert_eq!(text, "hé");
        assert_eq!("hé", text);
        assert_eq!(text, owned);
        assert_eq!(owned, text);
        assert_eq!(text, owned.as_bytes());
        assert_eq!(text, owned.clone().into_bytes());
        assert_eq!(format!("{text:>4}|{text:?}"), "  hé|\"hé\"");
    }
}
