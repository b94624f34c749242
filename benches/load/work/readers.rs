//! Entries of a stream that many clients wait for.

use std::io;

use super::{Effort, Load, MESSAGE, Outcome, measure};
use crate::servers::{Answer, Buffer, Connection, Kind, Server, bulk, lines, request};

const READS_MAX: u64 = 2_000_000;
/// Identifiers with as many digits as those that servers make from the time.
const FIRST_ID: u64 = 1_700_000_000_000;

/// Two streams with as many readers each: those of one wait while the entry of the other is in transit.
pub fn run(server: &Server, effort: &Effort, readers: usize) -> Outcome {
    let mut load = Readers {
        writer: Connection::open(server.address)?,
        streams: Vec::new(),
        turn: 0,
        buffer: Buffer::new(),
        lines: 0,
    };
    let mut answers = Vec::new();
    for key in ["load:one", "load:two"] {
        let reply = reply(key);
        load.lines = lines(&reply);
        let mut stream = Stream { key, id: FIRST_ID, readers: Vec::new() };
        answers.push(Answer {
            push: Some((key.into(), reply)),
            ..Answer::new(&stream.add(), bulk(&id(FIRST_ID)))
        });
        let waiting = Answer::new(&stream.read(), "");
        for _ in 0..readers.min(effort.crowd) {
            let mut reader = Connection::open(server.address)?;
            if server.kind == Kind::Bare {
                reader.set_up(key, std::slice::from_ref(&waiting), &mut load.buffer)?;
            }
            stream.readers.push(reader);
        }
        if server.kind != Kind::Bare {
            load.writer.ask(&request(["DEL", key]), 1, &mut load.buffer)?;
        }
        load.streams.push(stream);
    }
    if server.kind == Kind::Bare {
        load.writer.set_up("", &answers, &mut load.buffer)?;
    }
    measure(server, effort, READS_MAX, &mut load)
}

fn id(number: u64) -> String {
    format!("{number}-0")
}

/// What a reader gets: an array of streams, of entries, of fields.
fn reply(key: &str) -> Vec<u8> {
    let parts = [bulk(key), b"*1\r\n*2\r\n".to_vec(), bulk(&id(FIRST_ID)), request(["field", MESSAGE])];
    [b"*1\r\n*2\r\n".to_vec(), parts.concat()].concat()
}

struct Readers {
    writer: Connection,
    streams: Vec<Stream>,
    /// The stream whose entry is in transit.
    turn: usize,
    buffer: Buffer,
    /// How many lines a reader gets.
    lines: usize,
}

struct Stream {
    key: &'static str,
    /// The next entry.
    id: u64,
    readers: Vec<Connection>,
}

impl Stream {
    fn add(&self) -> Vec<u8> {
        // The stream does not grow without limit.
        request(["XADD", self.key, "MAXLEN", "~", "1000", &id(self.id), "field", MESSAGE])
    }

    /// The request for the next entry, which may exist already.
    fn read(&self) -> Vec<u8> {
        request(["XREAD", "BLOCK", "0", "STREAMS", self.key, &id(self.id - 1)])
    }

    fn wait(&mut self) -> io::Result<()> {
        let read = self.read();
        self.readers.iter_mut().try_for_each(|reader| reader.send(&read))
    }
}

impl Load for Readers {
    fn begin(&mut self) -> io::Result<()> {
        self.streams.iter_mut().try_for_each(Stream::wait)?;
        self.writer.send(&self.streams[self.turn].add())
    }

    fn step(&mut self) -> io::Result<u64> {
        let now = self.turn;
        self.turn = (now + 1) % self.streams.len();
        self.writer.send(&self.streams[self.turn].add())?;
        // An identifier in two lines.
        self.writer.read_lines(2, &mut self.buffer)?;
        let stream = &mut self.streams[now];
        for reader in &mut stream.readers {
            reader.read_lines(self.lines, &mut self.buffer)?;
        }
        stream.id += 1;
        stream.wait()?;
        Ok(stream.readers.len() as u64)
    }

    fn finish(&mut self) -> io::Result<u64> {
        let stream = &mut self.streams[self.turn];
        self.writer.read_lines(2, &mut self.buffer)?;
        stream.readers.iter_mut().try_for_each(|reader| reader.read_lines(self.lines, &mut self.buffer))?;
        Ok(stream.readers.len() as u64)
    }
}
