//! Connections that are opened and closed.

use std::io;

use super::{Effort, Load, Outcome, measure};
use crate::servers::{Buffer, Connection, Server, request};

/// The maximum number of connections: each leaves one of some thirty thousand ports unusable for a minute.
const CONNECTS_MAX: u64 = 600;

/// One after the other: connect, PING, close.
pub fn connect(server: &Server, effort: &Effort) -> Outcome {
    let load = &mut Connect { server, ping: request(["PING"]), buffer: Buffer::new() };
    measure(server, effort, CONNECTS_MAX, load)
}

struct Connect<'a> {
    server: &'a Server,
    ping: Vec<u8>,
    buffer: Buffer,
}

impl Load for Connect<'_> {
    fn step(&mut self) -> io::Result<u64> {
        Connection::open(self.server.address)?.ask(&self.ping, 1, &mut self.buffer)?;
        Ok(1)
    }
}
