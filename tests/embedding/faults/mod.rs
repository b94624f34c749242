//! Faults on purpose: what they strike, when, and what a client sees of it.

mod commands;
mod messages;
mod states;
