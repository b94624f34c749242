//! A publisher and its subscribers.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::{Effort, Load, MESSAGE, Outcome, drive, measure};
use crate::client::{Buffer, Connection, request};
use crate::report::Figure;
use crate::server::Server;

const CHANNEL: &str = "load";
/// How many messages the publisher sends at once.
const BATCH: usize = 64;
const DELIVERIES_MAX: u64 = 20_000_000;
/// How often the bystander asks.
const PING_EVERY: Duration = Duration::from_millis(1);

pub fn fan_out(server: &Server, effort: &Effort, subscribers: usize) -> Outcome {
    let mut load = FanOut::new(server, subscribers.min(effort.crowd))?;
    measure(server, effort, DELIVERIES_MAX, &mut load)
}

/// The median time for which somebody waits for PONG who has nothing to do with the messages.
pub fn bystander(server: &Server, effort: &Effort) -> Outcome {
    let mut load = FanOut::new(server, effort.crowd)?;
    let mut bystander = Connection::open(server.address)?;
    let over = AtomicBool::new(false);
    let (flood, times) = std::thread::scope(|scope| {
        let pings = scope.spawn(|| pings(&mut bystander, &over));
        let flood = drive(effort, DELIVERIES_MAX, &mut load);
        over.store(true, Ordering::Relaxed);
        (flood, pings.join())
    });
    flood?;
    let mut times = times.map_err(|_| io::Error::other("the bystander panicked"))??;
    times.sort_unstable();
    let median = times[times.len() / 2];
    Ok(vec![(Figure::Microseconds, median.as_secs_f64() * 1e6)])
}

/// Sends PING at fixed times and measures from there: whoever is kept waiting asks no less often than others.
fn pings(bystander: &mut Connection, over: &AtomicBool) -> io::Result<Vec<Duration>> {
    let (ping, mut buffer) = (request(["PING"]), Buffer::new());
    let mut times = Vec::new();
    let mut due = Instant::now();
    loop {
        bystander.ask(&ping, 1, &mut buffer)?;
        times.push(due.elapsed());
        due += PING_EVERY;
        if over.load(Ordering::Relaxed) {
            return Ok(times);
        }
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
    }
}

/// Two batches are under way at any time, so that the server has work while one is being read.
struct FanOut {
    publisher: Connection,
    subscribers: Vec<Connection>,
    batch: Vec<u8>,
    buffer: Buffer,
}

impl FanOut {
    fn new(server: &Server, subscribers: usize) -> io::Result<Self> {
        let mut buffer = Buffer::new();
        let subscribe = request(["SUBSCRIBE", CHANNEL]);
        let subscribers: io::Result<Vec<_>> = (0..subscribers)
            .map(|_| {
                let mut subscriber = Connection::open(server.address)?;
                subscriber.ask(&subscribe, 6, &mut buffer)?;
                Ok(subscriber)
            })
            .collect();
        let publisher = Connection::open(server.address)?;
        let batch = request(["PUBLISH", CHANNEL, MESSAGE]).repeat(BATCH);
        Ok(Self { publisher, subscribers: subscribers?, batch, buffer })
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
            // The word `message`, the channel and the message, with a length each.
            subscriber.read_lines(7 * BATCH, &mut self.buffer)?;
        }
        self.publisher.read_lines(BATCH, &mut self.buffer)?;
        Ok((BATCH * self.subscribers.len()) as u64)
    }
}
