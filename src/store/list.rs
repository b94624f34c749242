//! Lists.

use std::collections::VecDeque;

use super::Bytes;

/// A list: elements can be added and taken at both ends at constant cost.
pub type List = VecDeque<Bytes>;
