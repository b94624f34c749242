//! The embedding API, [`minibroker::Broker`]: how it is started, connected to, waited for, inspected and dropped; and
//! what is true for all clients of a broker.

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
mod lifecycle;
mod lifetime;
mod lost;
mod memory;
mod on_runtime;
mod order;
mod restart;
#[cfg(feature = "scripting")]
mod scripts;
mod settings;
mod streams;
mod waits;
mod wire;

/// What a test returns.
type Outcome = Result<(), Box<dyn std::error::Error>>;
