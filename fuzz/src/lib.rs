//! The fuzz targets as functions of bytes, independent of the fuzzer: `tests/properties` runs them over the seeds and
//! over what proptest generates.
//!
//! ```text
//! cargo +nightly fuzz run -s none request_parser fuzz/corpus/request_parser fuzz/seeds/request_parser
//! cargo +nightly fuzz run -s none pattern fuzz/corpus/pattern fuzz/seeds/pattern
//! cargo +nightly fuzz run -s none restore fuzz/corpus/restore fuzz/seeds/restore
//! cargo +nightly fuzz run -s none rdb fuzz/corpus/rdb fuzz/seeds/rdb
//! cargo +nightly fuzz run -s none engine fuzz/corpus/engine fuzz/seeds/engine -- -dict=fuzz/engine.dict
//! cargo +nightly fuzz run -s none control fuzz/corpus/control fuzz/seeds/control
//! cargo +nightly fuzz run -s none scripting fuzz/corpus/scripting fuzz/seeds/scripting -- -dict=fuzz/engine.dict
//! ```
//!
//! Nothing here is unsafe, so no sanitizer is needed; without one it is five times as fast.

pub mod commands;
pub mod control;
pub mod engine;
pub mod files;
pub mod invariants;
pub mod judge;
pub mod patterns;
pub mod requests;
pub mod scripts;
pub mod values;
