//! Texts that are short enough to be stored inline.

use crate::data::present;
use std::ops::Deref;

/// Up to `N` bytes, without an allocation. Read it through `Deref`.
#[derive(Clone)]
pub struct Short<const N: usize> {
    len: u8,
    text: [u8; N],
}

impl<const N: usize> Short<N> {
    /// These bytes, if they are not too many.
    #[inline]
    pub fn new(bytes: &[u8]) -> Option<Self> {
        let mut text = [0; N];
        text.get_mut(..bytes.len())?.copy_from_slice(bytes);
        // The length is at most `N`.
        let len = u8::try_from(bytes.len()).ok()?;
        Some(Self { len, text })
    }
}

impl<const N: usize> Default for Short<N> {
    fn default() -> Self {
        Self { len: 0, text: [0; N] }
    }
}

impl<const N: usize> Deref for Short<N> {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        present(self.text.get(..usize::from(self.len))).unwrap_or_default()
    }
}
