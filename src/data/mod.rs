//! Values and their encodings, their serialized form, patterns, time: plain data without knowledge of keys or
//! clients.

pub mod bits;
mod bytes;
pub mod dump;
pub mod geo;
pub mod hash;
pub mod hyperloglog;
pub mod lcs;
pub mod list;
pub mod partial_sort;
pub mod pattern;
mod present;
mod quoted;
pub mod sample;
pub mod set;
mod short;
pub mod sorted_set;
pub mod stream;
pub mod string;
pub mod time;
pub mod value;
pub(crate) mod walk;

pub use bytes::Bytes;
pub use hash::Hash;
pub use list::List;
pub(crate) use present::present;
pub(crate) use quoted::Quoted;
pub use set::Set;
pub use sorted_set::SortedSet;
pub use stream::{Stream, StreamId};
pub use string::ByteString;
pub use time::{Deadline, Time};
pub use value::{Typed, Value, WrongType};

/// A table that keeps the order of insertion, so that no reply depends on a hash.
pub type Map<K, V> = indexmap::IndexMap<K, V, foldhash::fast::RandomState>;

/// A set that keeps the order of insertion.
pub type IndexSet<K> = indexmap::IndexSet<K, foldhash::fast::RandomState>;
