//! The embedding API, [`minibroker::Broker`]: how it is started, connected to, waited for, inspected and dropped; and
//! what is true for all clients of a broker.

mod availability;
#[cfg(feature = "scripting")]
mod busy_scripts;
mod clock;
mod commands;
mod compat;
mod control;
mod determinism;
mod faults;
#[cfg(unix)]
mod forked;
mod journal;
mod lost;
mod memory;
mod on_runtime;
mod order;
mod restart;
#[cfg(feature = "scripting")]
mod scripts;
mod settings;
mod slow_commands;
mod snapshots;
mod start_and_drop;
mod streams;
mod users;
mod waits;
mod wire;

/// What a test returns.
type Outcome = Result<(), Box<dyn std::error::Error>>;
