//! Servers as separate processes, and the connections that load them, for the benches that work over sockets.

mod bare;
mod client;
mod program;

pub use bare::{Answer, FLAG, serve};
pub use client::{Buffer, Connection, bulk, lines, request};
pub use program::{Kind, Program, Server, allow_files};
