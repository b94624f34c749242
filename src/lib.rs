//! A broker that speaks the Redis protocol and lives inside your test process.

pub mod commands;
pub mod engine;
pub mod resp;
pub mod store;
