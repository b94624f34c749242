//! Hashes.

use super::{Bytes, Config, Map};

/// When a hash stops being small.
#[derive(Clone, Copy, Debug)]
pub struct HashLimits {
    /// `hash-max-listpack-entries`.
    pub(super) entries: usize,
    /// `hash-max-listpack-value`: bytes of a field or value.
    pub(super) value: usize,
}

impl HashLimits {
    /// The limits that the settings give.
    #[must_use]
    pub fn of(config: &Config) -> Self {
        Self { entries: config.hash_max_listpack_entries, value: config.hash_max_listpack_value }
    }
}

/// A hash. As in redis-server a small one (a listpack) keeps its fields in the order in which they came, and a
/// field that is set again keeps its place. One that has outgrown the limits (a hash table) is in any order, and
/// never becomes small again.
#[derive(Debug, Clone, Default)]
pub struct Hash {
    fields: Map<Bytes, Bytes>,
    hashed: bool,
}

impl Hash {
    /// The number of fields.
    #[must_use]
    pub fn len(&self) -> usize {
        self.fields.len()
    }

    /// True if there is no field: the hash must not stay in the keyspace.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// The name of the encoding, as OBJECT ENCODING gives it.
    #[must_use]
    pub fn encoding(&self) -> &'static str {
        if self.hashed { "hashtable" } else { "listpack" }
    }

    /// The value of a field.
    #[must_use]
    pub fn get(&self, field: &[u8]) -> Option<&[u8]> {
        self.fields.get(field).map(AsRef::as_ref)
    }

    /// All fields with their values.
    #[must_use]
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&[u8], &[u8])> {
        self.fields.iter().map(|(field, value)| (field.as_ref(), value.as_ref()))
    }

    /// Announces that one command is going to set so many fields, which may be the same one again and again:
    /// redis-server chooses by their number.
    pub fn expect(&mut self, fields: usize, limits: HashLimits) {
        self.hashed |= fields > limits.entries;
    }

    /// Sets a field; true if it is new.
    pub fn set(&mut self, field: &[u8], value: &[u8], limits: HashLimits) -> bool {
        self.hashed |= field.len() > limits.value || value.len() > limits.value;
        if let Some(place) = self.fields.get_mut(field) {
            *place = value.into();
            return false;
        }
        self.fields.insert(field.into(), value.into());
        self.hashed |= self.fields.len() > limits.entries;
        true
    }

    /// Removes a field and returns its value.
    pub fn remove(&mut self, field: &[u8]) -> Option<Bytes> {
        if self.hashed { self.fields.swap_remove(field) } else { self.fields.shift_remove(field) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_hash_keeps_its_order_and_a_large_one_stays_large() {
        let limits = HashLimits { entries: 3, value: 5 };
        let mut hash = Hash::default();
        for field in ["a", "b", "c"] {
            assert!(hash.set(field.as_bytes(), b"1", limits));
        }
        assert!(!hash.set(b"b", b"2", limits));
        assert!(hash.remove(b"a").is_some() && hash.set(b"a", b"3", limits));
        let fields: Vec<_> = hash.iter().map(|(field, value)| [field, value].concat()).collect();
        assert_eq!(
            (fields, hash.encoding()),
            (vec![b"b2".to_vec(), b"c1".to_vec(), b"a3".to_vec()], "listpack")
        );
        hash.set(b"d", b"4", limits);
        assert_eq!(hash.encoding(), "hashtable");
        for field in ["a", "b", "c"] {
            assert!(hash.remove(field.as_bytes()).is_some());
        }
        assert_eq!((hash.len(), hash.encoding()), (1, "hashtable"));
    }

    #[test]
    fn a_long_value_or_the_announcement_of_many_fields_makes_it_large() {
        let limits = HashLimits { entries: 3, value: 5 };
        let mut hash = Hash::default();
        hash.set(b"a", b"123456", limits);
        assert_eq!(hash.encoding(), "hashtable");
        let mut hash = Hash::default();
        hash.expect(4, limits);
        assert_eq!(hash.encoding(), "hashtable");
    }
}
