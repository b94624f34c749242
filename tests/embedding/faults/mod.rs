//! Faults: what they hit, when, and what a client receives.

mod commands;
mod messages;
mod states;
