//! A client that sends a request from time to time, while others keep the server as busy as they can.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::pubsub::{DELIVERIES_MAX, FanOut};
use super::{Effort, Load, MESSAGE, Outcome, drive, percentiles};
use crate::servers::{Answer, Buffer, Connection, Kind, Server, lines, request};

/// The interval between the PINGs of the bystander.
const PING_EVERY: Duration = Duration::from_millis(1);
/// So many slices that one in a hundred PINGs is several of them.
const SLICES: u32 = 4;
/// How many requests the endless pipeline has in one write, and how many of those writes are in transit: more than a
/// server reads at once.
const PIPELINE: usize = 500;
const UNDER_WAY: usize = 8;
/// The size of the messages to the subscriber that does not read, and how many are published at once.
const LARGE_MESSAGE: usize = 1024;
const BATCH: usize = 64;
/// After this many bytes there is a new subscriber: servers have disconnected the last one, after 32 MB beyond the
/// socket buffers.
const RENEWED_AFTER: usize = 48 * 1024 * 1024;

/// While messages are published to many subscribers.
pub fn during_fan_out(server: &Server, effort: &Effort) -> Outcome {
    bystander(server, effort, FanOut::new(server, effort.crowd, false)?)
}

/// While a client sends requests without end.
pub fn endless_pipeline(server: &Server, effort: &Effort) -> Outcome {
    let mut buffer = Buffer::new();
    let mut connection = Connection::open(server.address)?;
    let set = request(["SET", "load", MESSAGE]);
    if server.kind == Kind::Bare {
        connection.set_up("", &[Answer::new(&set, "+OK\r\n")], &mut buffer)?;
    }
    bystander(server, effort, Pipeline { connection, batch: set.repeat(PIPELINE), buffer })
}

/// While a publisher runs at full speed and its subscriber does not read.
pub fn slow_subscriber(server: &Server, effort: &Effort) -> Outcome {
    let channel = "load";
    let message = "x".repeat(LARGE_MESSAGE);
    let publish = request(["PUBLISH", channel, &message]);
    let mut publisher = Connection::open(server.address)?;
    let mut buffer = Buffer::new();
    if server.kind == Kind::Bare {
        let push = Some((channel.into(), request(["message", channel, &message])));
        publisher.set_up("", &[Answer { push, ..Answer::new(&publish, ":1\r\n") }], &mut buffer)?;
    }
    let mut load =
        Slow { server, publisher, subscriber: None, sent: 0, batch: publish.repeat(BATCH), buffer };
    load.renew()?;
    bystander(server, effort, load)
}

/// How long a client that has nothing to do with the others waits for PONG.
fn bystander(server: &Server, effort: &Effort, mut load: impl Load) -> Outcome {
    let mut bystander = Connection::open(server.address)?;
    let over = AtomicBool::new(false);
    let (busy, times) = std::thread::scope(|scope| {
        let pings = scope.spawn(|| pings(&mut bystander, &over));
        let busy = drive(effort.slice * SLICES, DELIVERIES_MAX, &mut load);
        over.store(true, Ordering::Relaxed);
        (busy, pings.join())
    });
    busy?;
    Ok(percentiles(times.map_err(|_| io::Error::other("the bystander panicked"))??))
}

/// Sends PING at fixed times. The times that pass while a client waits for an answer count as well, as if a PING had
/// been sent at each: slow answers do not reduce the number of measurements.
fn pings(bystander: &mut Connection, over: &AtomicBool) -> io::Result<Vec<Duration>> {
    let (ping, mut buffer) = (request(["PING"]), Buffer::new());
    let mut times = Vec::new();
    let mut due = Instant::now();
    loop {
        bystander.ask(&ping, 1, &mut buffer)?;
        let answered = Instant::now();
        while due < answered {
            times.push(answered - due);
            due += PING_EVERY;
        }
        if over.load(Ordering::Relaxed) {
            return Ok(times);
        }
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
    }
}

struct Pipeline {
    connection: Connection,
    batch: Vec<u8>,
    buffer: Buffer,
}

impl Load for Pipeline {
    fn begin(&mut self) -> io::Result<()> {
        (1..UNDER_WAY).try_for_each(|_| self.connection.send(&self.batch))
    }

    fn step(&mut self) -> io::Result<u64> {
        self.connection.send(&self.batch)?;
        self.connection.read_lines(PIPELINE, &mut self.buffer)?;
        Ok(PIPELINE as u64)
    }

    fn finish(&mut self) -> io::Result<u64> {
        self.connection.read_lines(PIPELINE * (UNDER_WAY - 1), &mut self.buffer)?;
        Ok((PIPELINE * (UNDER_WAY - 1)) as u64)
    }
}

struct Slow<'a> {
    server: &'a Server,
    publisher: Connection,
    subscriber: Option<Connection>,
    /// How many bytes were sent to the subscriber.
    sent: usize,
    batch: Vec<u8>,
    buffer: Buffer,
}

impl Slow<'_> {
    fn renew(&mut self) -> io::Result<()> {
        let mut subscriber = Connection::open(self.server.address)?;
        if self.server.kind == Kind::Bare {
            subscriber.set_up("load", &[], &mut self.buffer)?;
        } else {
            let confirmation = lines(&request(["subscribe", "load"])) + 1;
            subscriber.ask(&request(["SUBSCRIBE", "load"]), confirmation, &mut self.buffer)?;
        }
        self.subscriber = Some(subscriber);
        self.sent = 0;
        Ok(())
    }
}

impl Load for Slow<'_> {
    fn begin(&mut self) -> io::Result<()> {
        self.publisher.send(&self.batch)
    }

    fn step(&mut self) -> io::Result<u64> {
        if self.sent > RENEWED_AFTER {
            self.subscriber = None;
            self.renew()?;
        }
        self.publisher.send(&self.batch)?;
        self.sent += self.batch.len();
        self.finish()
    }

    fn finish(&mut self) -> io::Result<u64> {
        self.publisher.read_lines(BATCH, &mut self.buffer)?;
        Ok(BATCH as u64)
    }
}
