//! A publisher and its subscribers.

use std::io;

use super::{Effort, Load, MESSAGE, Outcome, measure};
use crate::servers::{Answer, Buffer, Connection, Kind, Server, lines, request};

const CHANNEL: &str = "load";
const PATTERN: &str = "lo*";
/// How many messages the publisher sends at once.
const BATCH: usize = 64;
pub const DELIVERIES_MAX: u64 = 20_000_000;

pub fn fan_out(server: &Server, effort: &Effort, subscribers: usize, of_pattern: bool) -> Outcome {
    let mut load = FanOut::new(server, subscribers.min(effort.crowd), of_pattern)?;
    measure(server, effort, DELIVERIES_MAX, &mut load)
}

/// Two batches are in transit at any time, so that the server has work while one is being read.
pub struct FanOut {
    publisher: Connection,
    subscribers: Vec<Connection>,
    batch: Vec<u8>,
    /// How many lines a message has.
    lines: usize,
    buffer: Buffer,
}

impl FanOut {
    pub fn new(server: &Server, subscribers: usize, of_pattern: bool) -> io::Result<Self> {
        let mut buffer = Buffer::new();
        let publish = request(["PUBLISH", CHANNEL, MESSAGE]);
        let (subscribe, message) = if of_pattern {
            (request(["PSUBSCRIBE", PATTERN]), request(["pmessage", PATTERN, CHANNEL, MESSAGE]))
        } else {
            (request(["SUBSCRIBE", CHANNEL]), request(["message", CHANNEL, MESSAGE]))
        };
        let mut publisher = Connection::open(server.address)?;
        let bare = server.kind == Kind::Bare;
        let mut subscriber = || {
            let mut subscriber = Connection::open(server.address)?;
            if bare {
                subscriber.set_up(CHANNEL, &[], &mut buffer)?;
            } else {
                subscriber.ask(&subscribe, 6, &mut buffer)?;
            }
            Ok(subscriber)
        };
        let subscribers = (0..subscribers).map(|_| subscriber()).collect::<io::Result<_>>()?;
        let lines = lines(&message);
        if bare {
            let push = Some((CHANNEL.into(), message));
            publisher.set_up("", &[Answer { push, ..Answer::new(&publish, ":1\r\n") }], &mut buffer)?;
        }
        Ok(Self { publisher, subscribers, batch: publish.repeat(BATCH), lines, buffer })
    }
}

impl Load for FanOut {
    fn begin(&mut self) -> io::Result<()> {
        self.publisher.send(&self.batch)
    }

    fn step(&mut self) -> io::Result<u64> {
        self.publisher.send(&self.batch)?;
        self.finish()
    }

    fn finish(&mut self) -> io::Result<u64> {
        for subscriber in &mut self.subscribers {
            subscriber.read_lines(self.lines * BATCH, &mut self.buffer)?;
        }
        self.publisher.read_lines(BATCH, &mut self.buffer)?;
        Ok((BATCH * self.subscribers.len()) as u64)
    }
}
