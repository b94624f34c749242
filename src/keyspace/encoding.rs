//! The encoding of the value of a key.
//!
//! Since Redis 8.2 a short string lies in one piece with its key and the expiry of the key, if all of them fit.

use super::database::Entry;
use crate::config::Version;
use crate::data::Value;

/// The longest key and string together that redis-server keeps in one piece of 64 bytes.
const EMBEDDED_MAX: usize = 41;
/// What an expiry takes of it.
const EXPIRY: usize = 8;
/// There is always space for the expiry of a key from this length on.
const LONG_KEY: usize = 32;

impl Entry {
    /// The encoding in which this version of redis-server would keep the value, as OBJECT ENCODING gives it.
    #[must_use]
    pub fn encoding(&self, key: &[u8], version: Version) -> &'static str {
        if self.outgrows(key, version) { "raw" } else { self.value.encoding(version) }
    }

    /// Whether this is a string that, with its key, is too long to be embedded.
    fn outgrows(&self, key: &[u8], version: Version) -> bool {
        let Value::String(string) = &self.value else { return false };
        let has_expiry = self.expires().is_some() && key.len() < LONG_KEY;
        let len = key.len() + string.len() + if has_expiry { EXPIRY } else { 0 };
        version >= Version::Redis8_2 && len > EMBEDDED_MAX && string.encoding() == "embstr"
    }

    /// To be called before the entry loses its expiry or gets another key: what is `raw` now stays so.
    pub fn keep_encoding(&mut self, key: &[u8], version: Version) {
        if self.outgrows(key, version)
            && let Value::String(string) = &mut self.value
        {
            string.make_raw();
        }
    }
}
