//! Passwords, of which only the SHA-256 is kept.

use std::fmt::Write;

use sha2::{Digest, Sha256};

/// How many digits a hash has.
const DIGITS: usize = 64;

/// The hash of a password, in hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Hash(String);

impl Hash {
    /// The hash of a password.
    pub fn of(password: &[u8]) -> Self {
        let mut digits = String::with_capacity(DIGITS);
        for byte in Sha256::digest(password) {
            let _ = write!(digits, "{byte:02x}");
        }
        Self(digits)
    }

    /// A hash as it is written in rules: 64 digits, letters in lower case.
    pub fn read(text: &[u8]) -> Option<Self> {
        let is_digit = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        let valid = text.len() == DIGITS && text.iter().all(is_digit);
        valid.then(|| Self(String::from_utf8_lossy(text).into_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether both are equal, in a time that does not depend on where they differ.
    pub fn is(&self, other: &Self) -> bool {
        let pairs = self.0.bytes().zip(other.0.bytes());
        pairs.fold(0, |differing, (one, other)| differing | (one ^ other)) == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_sha_256_in_lower_case() {
        // FIPS 180-2, appendix B.1.
        let of_abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(Hash::of(b"abc").as_str(), of_abc);
        assert_eq!(Hash::read(of_abc.as_bytes()), Some(Hash::of(b"abc")));
        assert!(Hash::of(b"abc").is(&Hash::of(b"abc")) && !Hash::of(b"abc").is(&Hash::of(b"abd")));
        assert_eq!(Hash::read(of_abc.to_uppercase().as_bytes()), None);
        assert_eq!(Hash::read(&of_abc.as_bytes()[1..]), None);
    }
}
