//! Cases: conversations of clients with a server, each played on any server, and the answers of real servers.
//!
//! The cases and their format are in `tests/comparison`. [`run`] plays one on a server and returns what every connection
//! received; [`markers`] decides which answers count as the same. [`play`] is `minibroker conform`: all cases, on any server.

pub mod answers;
pub mod cli;
pub mod control;
pub mod differences;
mod link;
pub mod markers;
pub mod outcome;
pub mod play;
pub mod recorded;
pub mod run;
pub mod script;
pub mod wire;
