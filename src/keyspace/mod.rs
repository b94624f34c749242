//! The databases: keys with their values, when they expire, and how often they are used.

pub mod access;
mod database;
mod dataset;
mod deadlines;
mod encoding;
mod field_deadlines;

pub use access::Access;
pub use database::{Database, Entry};
pub use dataset::{Dataset, write_file};
