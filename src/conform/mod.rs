//! Cases: conversations of clients with a server, each played on any server, and what real servers answered.
//!
//! The cases and their format are in `tests/comparison`. [`run`] plays one on a server and returns what every connection
//! received; [`markers`] decides which answers count as the same.

pub mod answers;
pub mod control;
pub mod differences;
mod link;
pub mod markers;
pub mod outcome;
pub mod run;
pub mod script;
pub mod wire;
