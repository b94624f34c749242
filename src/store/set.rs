//! Sets.

use super::{Bytes, IndexSet};

/// A set.
#[derive(Debug, Clone, Default)]
pub struct Set {
    members: IndexSet<Bytes>,
}

impl Set {
    /// The number of members.
    #[must_use]
    pub fn len(&self) -> usize {
        self.members.len()
    }
}
