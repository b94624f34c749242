//! The memory of connections, keys and elements, each on its own server.

use std::{io, thread};

use super::{Effort, MESSAGE, Outcome};
use crate::report::Figure;
use crate::servers::{Buffer, Connection, Program, Server, request};

/// How many requests that fill a server are sent at once.
const AT_ONCE: usize = 100;

/// Connections that have sent one PING.
pub fn idle(program: &Program, effort: &Effort, connections: usize) -> Outcome {
    let count = connections.min(effort.crowd * 5);
    let server = program.start().map_err(io::Error::other)?;
    let (ping, mut buffer) = (request(["PING"]), Buffer::new());
    let mut open = |_| {
        let mut connection = Connection::open(server.address)?;
        connection.ask(&ping, 1, &mut buffer)?;
        Ok::<_, io::Error>(connection)
    };
    // Memory that a server allocates only once, with its first connections, does not count.
    let first: Vec<_> = (0..2).map(&mut open).collect::<Result<_, _>>()?;
    let before = server.memory();
    let crowd: Vec<_> = (0..count).map(&mut open).collect::<Result<_, _>>()?;
    thread::sleep(effort.idle);
    let outcome = each(before, &server, count);
    drop((first, crowd));
    Ok(outcome)
}

/// Keys with a number in their name and a short value.
pub fn keys(program: &Program, effort: &Effort) -> Outcome {
    fill(program, (effort.items, 1), |number| request(["SET", &format!("key:{number:07}"), "abc"]))
}

/// Elements of one list.
pub fn items(program: &Program, effort: &Effort) -> Outcome {
    fill(program, (effort.items, 1), |_| request(["RPUSH", "queue", MESSAGE]))
}

/// Scripts with one command each.
pub fn scripts(program: &Program, effort: &Effort) -> Outcome {
    /// More scripts than an application has, and enough to be measurable besides the interpreter.
    const SCRIPTS: usize = 10_000;
    fill(program, (effort.items.min(SCRIPTS), 2), |number| {
        request(["SCRIPT", "LOAD", &format!("return redis.call('GET','key:{number:07}')")])
    })
}

/// Sends a number of requests, each with a reply of a number of lines, and returns the memory of one of them.
fn fill(program: &Program, (count, lines): (usize, usize), one: impl Fn(usize) -> Vec<u8>) -> Outcome {
    let server = program.start().map_err(io::Error::other)?;
    let (mut connection, mut buffer) = (Connection::open(server.address)?, Buffer::new());
    connection.ask(&request(["PING"]), 1, &mut buffer)?;
    let before = server.memory();
    for from in (0..count).step_by(AT_ONCE) {
        let bytes: Vec<u8> = (from..from + AT_ONCE).flat_map(&one).collect();
        connection.ask(&bytes, AT_ONCE * lines, &mut buffer)?;
    }
    Ok(each(before, &server, count))
}

fn each(before: Option<u64>, server: &Server, count: usize) -> Vec<(Figure, f64)> {
    #[allow(clippy::cast_precision_loss)]
    let each = |(before, after): (u64, u64)| after.saturating_sub(before) as f64 / count as f64;
    before.zip(server.memory()).map(|both| (Figure::Bytes, each(both))).into_iter().collect()
}
