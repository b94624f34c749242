//! Clients that send a command again and again.

use std::io;

use super::{Effort, Load, MESSAGE, Outcome, measure};
use crate::client::{Buffer, Connection, request};
use crate::server::Server;

/// No slice does more, however fast the server is: lists grow with it.
const REQUESTS_MAX: u64 = 4_000_000;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Command {
    Ping,
    Set,
    Get,
    LPush,
    /// RPUSH and LPOP in turn.
    Queue,
    /// To a channel that nobody is subscribed to.
    Publish,
}

impl Command {
    pub const ALL: [Self; 6] = [Self::Ping, Self::Set, Self::Get, Self::LPush, Self::Queue, Self::Publish];

    pub fn name(self) -> &'static str {
        match self {
            Self::Ping => "PING",
            Self::Set => "SET",
            Self::Get => "GET",
            Self::LPush => "LPUSH",
            Self::Queue => "RPUSH and LPOP",
            Self::Publish => "PUBLISH",
        }
    }

    /// The requests that a client sends one after the other, each with the number of lines of its answer.
    fn requests(self, key: &str) -> Vec<(Vec<u8>, usize)> {
        match self {
            Self::Ping => vec![(request(["PING"]), 1)],
            Self::Set => vec![(request(["SET", key, MESSAGE]), 1)],
            Self::Get => vec![(request(["GET", key]), 2)],
            Self::LPush => vec![(request(["LPUSH", key, MESSAGE]), 1)],
            Self::Queue => vec![(request(["RPUSH", key, MESSAGE]), 1), (request(["LPOP", key]), 2)],
            Self::Publish => vec![(request(["PUBLISH", key, MESSAGE]), 1)],
        }
    }
}

pub fn run(server: &Server, effort: &Effort, command: Command, pipeline: usize) -> Outcome {
    let mut load = Requests { clients: Vec::new(), buffer: Buffer::new() };
    for number in 0..effort.clients {
        let key = format!("load:{number}");
        let mut connection = Connection::open(server.address)?;
        connection.ask(&request(["DEL", &key]), 1, &mut load.buffer)?;
        if command == Command::Get {
            connection.ask(&request(["SET", &key, MESSAGE]), 1, &mut load.buffer)?;
        }
        load.clients.push(Client::new(connection, &command.requests(&key), pipeline));
    }
    let figures = measure(server, effort, REQUESTS_MAX, &mut load)?;
    for (number, client) in load.clients.iter_mut().enumerate() {
        client.connection.ask(&request(["DEL", &format!("load:{number}")]), 1, &mut load.buffer)?;
    }
    Ok(figures)
}

struct Requests {
    clients: Vec<Client>,
    buffer: Buffer,
}

impl Load for Requests {
    fn begin(&mut self) -> io::Result<()> {
        self.clients.iter_mut().try_for_each(Client::send)
    }

    fn step(&mut self) -> io::Result<u64> {
        let mut done = 0;
        for client in &mut self.clients {
            done += client.receive(&mut self.buffer)?;
            client.send()?;
        }
        Ok(done)
    }

    fn finish(&mut self) -> io::Result<u64> {
        self.clients.iter_mut().map(|client| client.receive(&mut self.buffer)).sum()
    }
}

/// Requests that are sent together.
#[derive(Default)]
struct Batch {
    bytes: Vec<u8>,
    requests: u64,
    /// How many lines the answers have.
    lines: usize,
}

/// A client that sends batch after batch.
struct Client {
    connection: Connection,
    batches: Vec<Batch>,
    /// The batch whose turn it is.
    at: usize,
}

impl Client {
    fn new(connection: Connection, requests: &[(Vec<u8>, usize)], pipeline: usize) -> Self {
        let mut requests_in_turn = requests.iter().cycle();
        let batches = std::iter::repeat_with(|| {
            let mut batch = Batch::default();
            for (bytes, lines) in requests_in_turn.by_ref().take(pipeline) {
                batch.bytes.extend_from_slice(bytes);
                batch.requests += 1;
                batch.lines += lines;
            }
            batch
        });
        // So many that after the last the first fits again.
        let batches = batches.take(requests.len()).collect();
        Self { connection, batches, at: 0 }
    }

    fn send(&mut self) -> io::Result<()> {
        self.connection.send(&self.batches[self.at].bytes)
    }

    fn receive(&mut self, buffer: &mut Buffer) -> io::Result<u64> {
        let batch = &self.batches[self.at];
        self.connection.read_lines(batch.lines, buffer)?;
        self.at = (self.at + 1) % self.batches.len();
        Ok(batch.requests)
    }
}
