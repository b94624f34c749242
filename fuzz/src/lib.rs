//! What is done with the bytes that a fuzzer makes up. Nothing here knows the fuzzer: `tests/properties` runs the
//! same over the seeds and over what proptest makes up.

pub mod commands;
pub mod engine;
pub mod judge;
pub mod patterns;
pub mod requests;
