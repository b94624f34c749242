//! Hashes.

use super::{Bytes, Map};

/// A hash: fields in the order in which they came, as redis-server keeps small ones.
pub type Hash = Map<Bytes, Bytes>;
