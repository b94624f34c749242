//! Keys, elements, members: texts that are mostly short.

use std::borrow::Borrow;
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Deref;

use crate::data::short::Short;

/// The longest text that is stored without an allocation. With one byte more, a [`Bytes`] would take another
/// word.
const SHORT_MAX: usize = 22;

/// A key, an element or a member: any bytes. Read it through `Deref`.
///
/// Short texts are stored inline: most keys and most chat messages need no allocation, and are found without
/// following a pointer.
#[derive(Clone)]
pub struct Bytes(Kept);

#[derive(Clone)]
enum Kept {
    Short(Short<SHORT_MAX>),
    Long(Box<[u8]>),
}

impl Bytes {
    /// How many bytes a text of this length has allocated.
    #[must_use]
    pub const fn memory_of(len: usize) -> usize {
        if len > SHORT_MAX { len } else { 0 }
    }

    #[inline]
    fn short(bytes: &[u8]) -> Option<Self> {
        Short::new(bytes).map(|short| Self(Kept::Short(short)))
    }
}

impl Default for Bytes {
    fn default() -> Self {
        Self(Kept::Short(Short::default()))
    }
}

impl Deref for Bytes {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        match &self.0 {
            Kept::Short(text) => text,
            Kept::Long(text) => text,
        }
    }
}

impl From<&[u8]> for Bytes {
    #[inline]
    fn from(bytes: &[u8]) -> Self {
        Self::short(bytes).unwrap_or_else(|| Self(Kept::Long(bytes.into())))
    }
}

impl<const N: usize> From<[u8; N]> for Bytes {
    fn from(bytes: [u8; N]) -> Self {
        Self::from(&bytes[..])
    }
}

impl From<Vec<u8>> for Bytes {
    fn from(bytes: Vec<u8>) -> Self {
        Self::short(&bytes).unwrap_or_else(|| Self(Kept::Long(bytes.into())))
    }
}

impl From<Bytes> for Vec<u8> {
    fn from(bytes: Bytes) -> Self {
        match bytes.0 {
            Kept::Long(text) => text.into(),
            Kept::Short(_) => bytes.to_vec(),
        }
    }
}

impl FromIterator<u8> for Bytes {
    fn from_iter<I: IntoIterator<Item = u8>>(bytes: I) -> Self {
        Vec::from_iter(bytes).into()
    }
}

impl Borrow<[u8]> for Bytes {
    #[inline]
    fn borrow(&self) -> &[u8] {
        self
    }
}

impl AsRef<[u8]> for Bytes {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

/// Hashed like the bytes, because tables are searched with a slice.
impl Hash for Bytes {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        (**self).hash(state);
    }
}

impl PartialEq for Bytes {
    #[inline]
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Bytes {}

impl PartialOrd for Bytes {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Bytes {
    fn cmp(&self, other: &Self) -> Ordering {
        (**self).cmp(&**other)
    }
}

impl fmt::Debug for Bytes {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "\"{}\"", self.escape_ascii())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_and_long_bytes_compare_equal_to_slices() {
        for len in [0, 1, SHORT_MAX - 1, SHORT_MAX, SHORT_MAX + 1, 300] {
            let text = vec![b'x'; len];
            let bytes = Bytes::from(&text[..]);
            assert_eq!(*bytes, *text);
            assert_eq!(bytes, Bytes::from(text.clone()));
            assert_eq!(Vec::from(bytes.clone()), text);
            let mut set = std::collections::HashSet::new();
            set.insert(bytes.clone());
            assert!(set.contains(&text[..]));
            assert_eq!(matches!(bytes.0, Kept::Long(_)), Bytes::memory_of(len) > 0, "{len}");
        }
        assert!(Bytes::from(*b"ab") < Bytes::from(*b"b"));
        assert!(Bytes::from(vec![b'a'; 40]) < Bytes::from(*b"b"));
    }

    #[test]
    fn it_takes_three_words() {
        assert_eq!(size_of::<Bytes>(), 24);
        assert_eq!(size_of::<Option<Bytes>>(), 24);
    }
}
