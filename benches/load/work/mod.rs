//! What the servers are loaded with.

mod connections;
mod hand_off;
mod pubsub;
mod requests;

use std::io;
use std::time::{Duration, Instant};

use crate::report::Figure;
use crate::server::{Program, Server};
pub use requests::Command;

/// How much of everything.
pub struct Effort {
    /// How long a server is loaded at a time.
    pub slice: Duration,
    /// How many clients send requests.
    pub clients: usize,
    /// The most subscribers, and the number of idle connections whose memory is measured.
    pub crowd: usize,
    /// How long idle connections are left alone before their memory is measured: servers give back what a client
    /// no longer needs after some seconds.
    pub idle: Duration,
}

/// What is sent: a line of a chat.
const MESSAGE: &str = "a message of the usual length: hi";

/// One kind of work.
pub enum Work {
    /// Many clients that send a command again and again, so many at a time.
    Requests(Command, usize),
    /// A publisher, and so many subscribers.
    FanOut(usize),
    /// Somebody who sends PING while messages go to a crowd.
    Bystander,
    /// Elements that go to clients that wait in BLPOP.
    HandOff,
    /// Connect, PING, close.
    Connect,
    /// The start of the process.
    Start,
    /// Connections that do nothing.
    Idle,
}

/// What a slice came to, or why it failed.
pub type Outcome = io::Result<Vec<(Figure, f64)>>;

impl Work {
    pub fn all() -> Vec<Self> {
        let requests = Command::ALL
            .into_iter()
            .flat_map(|command| [1, 16, 64].map(|pipeline| Self::Requests(command, pipeline)));
        let fan_out = [1, 10, 100, 1000].map(Self::FanOut);
        let others = [Self::Bystander, Self::HandOff, Self::Connect, Self::Start, Self::Idle];
        requests.chain(fan_out).chain(others).collect()
    }

    pub fn name(&self) -> String {
        match self {
            Self::Requests(command, 1) => format!("{}, no pipeline", command.name()),
            Self::Requests(command, pipeline) => format!("{}, pipeline {pipeline}", command.name()),
            Self::FanOut(1) => "fan-out to 1 subscriber".into(),
            Self::FanOut(subscribers) => format!("fan-out to {subscribers} subscribers"),
            Self::Bystander => "bystander's PING during fan-out to a crowd".into(),
            Self::HandOff => "BLPOP hand-off".into(),
            Self::Connect => "connect, PING, close".into(),
            Self::Start => "process start to first PONG".into(),
            Self::Idle => "idle connection".into(),
        }
    }

    /// Loads a server for a slice.
    pub fn run(&self, program: &Program, server: &Server, effort: &Effort) -> Outcome {
        match self {
            Self::Requests(command, pipeline) => requests::run(server, effort, *command, *pipeline),
            Self::FanOut(subscribers) => pubsub::fan_out(server, effort, *subscribers),
            Self::Bystander => pubsub::bystander(server, effort),
            Self::HandOff => hand_off::run(server, effort),
            Self::Connect => connections::connect(server, effort),
            Self::Start => {
                let started = program.start().map_err(io::Error::other)?;
                Ok(vec![(Figure::Milliseconds, started.started_in.as_secs_f64() * 1e3)])
            }
            Self::Idle => connections::idle(program, effort),
        }
    }
}

/// Work that is measured while it goes on.
trait Load {
    /// Sends the first requests.
    fn begin(&mut self) -> io::Result<()> {
        Ok(())
    }

    /// Goes one round, and returns how much the server did in it.
    fn step(&mut self) -> io::Result<u64>;

    /// Reads what is still under way, and returns how much that was.
    fn finish(&mut self) -> io::Result<u64> {
        Ok(0)
    }
}

/// Loads a server for a slice, or until it has done `max`: how much it did, and in which time.
fn drive(effort: &Effort, max: u64, load: &mut impl Load) -> io::Result<(u64, Duration)> {
    let started = Instant::now();
    let mut done = 0;
    load.begin()?;
    while started.elapsed() < effort.slice && done < max {
        done += load.step()?;
    }
    done += load.finish()?;
    Ok((done, started.elapsed()))
}

/// Loads a server for a slice: its rate, and its CPU time for one.
fn measure(server: &Server, effort: &Effort, max: u64, load: &mut impl Load) -> Outcome {
    server.settle();
    let before = server.cpu();
    let (done, elapsed) = drive(effort, max, load)?;
    // The system counts a thread's time up to its last sleep.
    server.settle();
    let used = server.cpu().zip(before).map(|(after, before)| after.saturating_sub(before));
    #[allow(clippy::cast_precision_loss)]
    let done = done as f64;
    let mut figures = vec![(Figure::PerSecond, done / elapsed.as_secs_f64())];
    figures.extend(used.map(|used| (Figure::CpuMicros, used.as_secs_f64() * 1e6 / done)));
    Ok(figures)
}
