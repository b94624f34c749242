//! The commands, one file a family, called through the rows of the [`table`](crate::table).
//!
//! A command is a function of a [`Context`](crate::spec::Context): it reads its arguments, changes the state, writes one
//! reply. It returns an [`Error`](crate::spec::Error) instead if redis-server replies with one; then nothing has
//! changed and no part of a reply is left.

// Every command replies with the errors of redis-server, which the comparison suite checks.
#![allow(clippy::missing_errors_doc)]

pub mod acl;
pub mod bitmaps;
pub mod client;
pub mod command;
pub mod config;
pub mod connection;
pub mod control;
pub mod debug;
pub mod geo;
pub mod hashes;
pub mod help;
pub mod hyperloglog;
pub mod info;
pub mod keys;
pub mod latency;
pub mod lists;
pub mod lolwut;
mod many;
pub mod memory;
pub mod object;
pub mod pubsub;
mod random;
pub mod replication;
mod scan;
pub mod scripting;
pub mod serialization;
pub mod server;
pub mod sets;
pub mod slow_log;
pub mod sort;
pub mod sorted_sets;
pub mod streams;
pub mod strings;
pub mod tracking;
pub mod transactions;
