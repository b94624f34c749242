//! Elements for clients that block in BLPOP.

use std::io;

use super::{Effort, Load, MESSAGE, Outcome, measure};
use crate::servers::{Answer, Buffer, Connection, Kind, Server, request};

const HAND_OFFS_MAX: u64 = 1_000_000;

pub fn run(server: &Server, effort: &Effort) -> Outcome {
    let mut buffer = Buffer::new();
    let mut pairs = Vec::new();
    for number in 0..effort.clients {
        let queue = format!("load:{number}");
        let mut pair = Pair {
            producer: Connection::open(server.address)?,
            consumer: Connection::open(server.address)?,
            push: request(["RPUSH", &queue, MESSAGE]),
            pop: request(["BLPOP", &queue, "0"]),
        };
        if server.kind == Kind::Bare {
            let push = Some((queue.clone(), request([&queue, MESSAGE])));
            pair.producer.set_up("", &[Answer { push, ..Answer::new(&pair.push, ":1\r\n") }], &mut buffer)?;
            pair.consumer.set_up(&queue, &[Answer::new(&pair.pop, "")], &mut buffer)?;
        } else {
            pair.producer.ask(&request(["DEL", &queue]), 1, &mut buffer)?;
        }
        pairs.push(pair);
    }
    measure(server, effort, HAND_OFFS_MAX, &mut HandOff { pairs, buffer })
}

struct HandOff {
    pairs: Vec<Pair>,
    buffer: Buffer,
}

struct Pair {
    producer: Connection,
    consumer: Connection,
    push: Vec<u8>,
    pop: Vec<u8>,
}

impl Pair {
    fn receive(&mut self, buffer: &mut Buffer) -> io::Result<()> {
        self.producer.read_lines(1, buffer)?;
        // An array of the queue and the element.
        self.consumer.read_lines(5, buffer)
    }
}

impl HandOff {
    /// Half of the pairs wait while the elements of the other half are in transit: a consumer always waits
    /// long before its element is pushed.
    fn turn(&mut self, at: usize) -> io::Result<()> {
        let count = self.pairs.len();
        let waiting = &mut self.pairs[(at + count / 2) % count];
        waiting.producer.send(&waiting.push)
    }
}

impl Load for HandOff {
    fn begin(&mut self) -> io::Result<()> {
        for pair in &mut self.pairs {
            pair.consumer.send(&pair.pop)?;
        }
        let count = self.pairs.len();
        // The consumers of the first half have their elements; `step` begins with them.
        self.pairs[..count.div_ceil(2)].iter_mut().try_for_each(|pair| pair.producer.send(&pair.push))
    }

    fn step(&mut self) -> io::Result<u64> {
        for at in 0..self.pairs.len() {
            let pair = &mut self.pairs[at];
            pair.receive(&mut self.buffer)?;
            pair.consumer.send(&pair.pop)?;
            self.turn(at)?;
        }
        Ok(self.pairs.len() as u64)
    }

    fn finish(&mut self) -> io::Result<u64> {
        let half = self.pairs.len().div_ceil(2);
        self.pairs[..half].iter_mut().try_for_each(|pair| pair.receive(&mut self.buffer))?;
        Ok(half as u64)
    }
}
