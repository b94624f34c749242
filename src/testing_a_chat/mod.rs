#![doc = include_str!("before.md")]
//!
//! ```
//! # fn main() {}
#![doc = include_str!("service.rs")]
//! ```
#![doc = include_str!("after.md")]
