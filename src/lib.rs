//! A broker that speaks the Redis protocol and lives inside your test process.

pub mod broker;
pub mod commands;
pub mod engine;
pub mod resp;
pub mod server;
pub mod store;

pub use broker::{Broker, Builder, CommandError, StartError, Wait, WaitError};
pub use resp::Value;
