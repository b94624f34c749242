//! Sorted sets.

/// A sorted set.
#[derive(Debug, Clone, Default)]
pub struct SortedSet {}
