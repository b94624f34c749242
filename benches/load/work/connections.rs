//! Connections that come and go, and those that stay and do nothing.

use std::{io, thread};

use super::{Effort, Load, Outcome, measure};
use crate::client::{Buffer, Connection, request};
use crate::report::Figure;
use crate::server::{Program, Server};

/// Each leaves one of the machine's some thirty thousand ports unusable for a minute.
const CONNECTS_MAX: u64 = 1_000;

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

/// The memory of a connection that has sent one PING, measured on a server of its own.
pub fn idle(program: &Program, effort: &Effort) -> Outcome {
    let server = program.start().map_err(io::Error::other)?;
    let (ping, mut buffer) = (request(["PING"]), Buffer::new());
    let mut open = |_| {
        let mut connection = Connection::open(server.address)?;
        connection.ask(&ping, 1, &mut buffer)?;
        Ok::<_, io::Error>(connection)
    };
    // What the first connections make a server allocate once and for all is not theirs.
    let first: Vec<_> = (0..2).map(&mut open).collect::<Result<_, _>>()?;
    let before = server.memory();
    let crowd: Vec<_> = (0..effort.crowd).map(&mut open).collect::<Result<_, _>>()?;
    thread::sleep(effort.idle);
    let after = server.memory();
    drop((first, crowd));
    #[allow(clippy::cast_precision_loss)]
    let each = |(before, after): (u64, u64)| after.saturating_sub(before) as f64 / effort.crowd as f64;
    Ok(before.zip(after).map(|both| (Figure::Bytes, each(both))).into_iter().collect())
}
