//! Streams.

/// A stream.
#[derive(Debug, Clone, Default)]
pub struct Stream {}
