//! What the author of a test does with a [`minibroker::Broker`]: starts it anywhere, connects by every way, waits
//! for the moment, looks inside, lets it go; and what holds whoever is connected.

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
