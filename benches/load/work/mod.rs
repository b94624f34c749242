//! What the servers are loaded with.

mod connections;
mod fairness;
mod hand_off;
mod in_memory;
mod memory;
mod pubsub;
mod readers;
mod requests;

use std::io;
use std::time::{Duration, Instant};

use crate::report::Figure;
use crate::servers::{Kind, Program, Server};
pub use in_memory::Placement;
pub use requests::Command;

/// How much work is done.
pub struct Effort {
    /// How long a server is loaded at a time.
    pub slice: Duration,
    /// How many clients send requests.
    pub clients: usize,
    /// The most subscribers, and idle connections.
    pub crowd: usize,
    /// How many keys, or elements of a list, are created to measure their memory.
    pub items: usize,
    /// How long idle connections are left alone before their memory is measured: servers free what a client no
    /// longer needs after some seconds.
    pub idle: Duration,
}

/// The message if the size does not matter: a line of a chat.
const MESSAGE: &str = "a message of the usual length: hi";

/// Sizes of values: a very short value, and a long message.
pub const SMALL: usize = 3;
pub const LARGE: usize = 1024;

/// One kind of work.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Work {
    /// Many clients that repeat a command: how many requests at a time, and how long a value is.
    Requests(Command, usize, usize),
    /// A publisher, and a number of subscribers.
    FanOut(usize),
    /// A publisher, and a number of subscribers of a pattern.
    PatternFanOut(usize),
    /// Elements for clients that block in BLPOP.
    HandOff,
    /// This many clients that wait in XREAD for the same entries.
    Readers(usize),
    /// Connect, PING, close.
    Connect,
    /// The start of the process.
    Start,
    /// One client that waits for each answer before it sends the next request; minibroker over the stream in memory.
    InMemoryPing(Placement),
    /// One publisher that waits until its one subscriber has the message; minibroker over the stream in memory.
    InMemoryPublish(Placement),
    /// A client that sends PING while messages go to many subscribers.
    Bystander,
    /// A client that sends PING while another sends an endless pipeline.
    EndlessPipeline,
    /// A client that sends PING while a publisher's subscriber does not read.
    SlowSubscriber,
    /// This many connections that do nothing.
    Idle(usize),
    /// Small keys.
    Keys,
    /// The elements of a list.
    Items,
    /// Scripts that are kept.
    Scripts,
}

/// The figures of a slice, or why it failed.
pub type Outcome = io::Result<Vec<(Figure, f64)>>;

impl Work {
    pub fn all() -> Vec<Self> {
        let requests = Command::ALL.into_iter().chain(Command::SCRIPTS).flat_map(|command| {
            let of_size = move |size| [1, 16, 64].map(|pipeline| Self::Requests(command, pipeline, size));
            command.sizes().iter().flat_map(move |size| of_size(*size))
        });
        let fan_out = [1, 10, 100, 1000].map(Self::FanOut);
        let others = [
            Self::PatternFanOut(100),
            Self::HandOff,
            Self::Readers(100),
            Self::Connect,
            Self::Start,
            Self::InMemoryPing(Placement::Thread),
            Self::InMemoryPing(Placement::Runtime),
            Self::InMemoryPublish(Placement::Thread),
            Self::InMemoryPublish(Placement::Runtime),
            Self::Bystander,
            Self::EndlessPipeline,
            Self::SlowSubscriber,
            Self::Idle(1000),
            Self::Idle(5000),
            Self::Keys,
            Self::Items,
            Self::Scripts,
        ];
        requests.chain(fan_out).chain(others).collect()
    }

    pub fn name(&self) -> String {
        match self {
            Self::Requests(command, pipeline, size) => {
                let of_size = if *size == LARGE { " of 1 KB" } else { "" };
                match pipeline {
                    1 => format!("{}{of_size}, no pipeline", command.name()),
                    _ => format!("{}{of_size}, pipeline {pipeline}", command.name()),
                }
            }
            Self::FanOut(1) => "fan-out to 1 subscriber".into(),
            Self::FanOut(subscribers) => format!("fan-out to {subscribers} subscribers"),
            Self::PatternFanOut(subscribers) => format!("fan-out to {subscribers} subscribers of a pattern"),
            Self::HandOff => "BLPOP hand-off".into(),
            Self::Readers(readers) => format!("XADD to {readers} in XREAD BLOCK"),
            Self::Connect => "connect, PING, close".into(),
            Self::Start => "process start to first PONG".into(),
            Self::InMemoryPing(placement) => format!("PING one at a time, minibroker {}", placement.name()),
            Self::InMemoryPublish(placement) => {
                format!("PUBLISH to one subscriber, minibroker {}", placement.name())
            }
            Self::Bystander => "bystander's PING during fan-out to a crowd".into(),
            Self::EndlessPipeline => "bystander's PING beside an endless pipeline".into(),
            Self::SlowSubscriber => "bystander's PING beside a subscriber that does not read".into(),
            Self::Idle(connections) => format!("idle connection, one of {connections}"),
            Self::Keys => "small key".into(),
            Self::Items => "element of a list".into(),
            Self::Scripts => "kept script".into(),
        }
    }

    /// The targets: a figure, and its ratio to the best of the real servers.
    pub fn aims(&self) -> Vec<(Figure, f64)> {
        match self {
            Self::Requests(Command::EvalSha(_) | Command::FCall(_), ..) => vec![(Figure::CpuMicros, 1.0)],
            Self::Requests(_, 1, _) => vec![(Figure::CpuMicros, 0.95)],
            Self::Requests(_, 16, _) => vec![(Figure::CpuMicros, 0.75)],
            Self::Requests(..) => vec![(Figure::CpuMicros, 0.50), (Figure::PerSecond, 2.5)],
            Self::FanOut(1) => vec![(Figure::PerSecond, 1.2)],
            Self::FanOut(10) => vec![(Figure::PerSecond, 1.8)],
            Self::FanOut(100) => vec![(Figure::PerSecond, 1.9)],
            Self::FanOut(_) => vec![(Figure::PerSecond, 1.4)],
            Self::HandOff => vec![(Figure::CpuMicros, 0.80)],
            Self::Connect => vec![(Figure::PerSecond, 1.1)],
            Self::Start => vec![(Figure::Milliseconds, 0.5)],
            Self::InMemoryPing(_) | Self::InMemoryPublish(_) => vec![(Figure::PerSecond, 20.0)],
            Self::Bystander => vec![(Figure::P50, 0.25)],
            Self::Idle(_) => vec![(Figure::Bytes, 0.35)],
            _ => vec![],
        }
    }

    /// The line of the summary that the work belongs to.
    pub fn family(&self) -> Option<String> {
        let Self::Requests(command, pipeline, size) = self else { return None };
        if Command::SCRIPTS.contains(command) {
            return None;
        }
        let pipeline = if *pipeline == 1 { "no pipeline".into() } else { format!("pipeline {pipeline}") };
        let size = if *size == LARGE { "values of 1 KB" } else { "small values" };
        Some(format!("{pipeline}, {size}"))
    }

    /// The most rounds that make sense: memory is the same every time, and takes a while to measure.
    pub fn rounds_max(&self) -> usize {
        match self {
            Self::Idle(_) | Self::Keys | Self::Items | Self::Scripts => 1,
            _ => usize::MAX,
        }
    }

    /// True if it measures the loop without a server.
    pub fn is_for(&self, kind: Kind) -> bool {
        match self {
            Self::Idle(_) | Self::Keys | Self::Items | Self::Scripts => kind != Kind::Bare,
            _ => true,
        }
    }

    /// Loads a server for a slice.
    pub fn run(&self, program: &Program, server: &Server, effort: &Effort) -> Outcome {
        match self {
            Self::Requests(command, pipeline, size) => {
                requests::run(server, effort, *command, *pipeline, *size)
            }
            Self::FanOut(subscribers) => pubsub::fan_out(server, effort, *subscribers, false),
            Self::PatternFanOut(subscribers) => pubsub::fan_out(server, effort, *subscribers, true),
            Self::HandOff => hand_off::run(server, effort),
            Self::Readers(readers) => readers::run(server, effort, *readers),
            Self::Connect => connections::connect(server, effort),
            Self::Start => {
                let started = program.start().map_err(io::Error::other)?;
                Ok(vec![(Figure::Milliseconds, started.started_in.as_secs_f64() * 1e3)])
            }
            Self::InMemoryPing(placement) => in_memory::ping(server, effort, *placement),
            Self::InMemoryPublish(placement) => in_memory::publish(server, effort, *placement),
            Self::Bystander => fairness::during_fan_out(server, effort),
            Self::EndlessPipeline => fairness::endless_pipeline(server, effort),
            Self::SlowSubscriber => fairness::slow_subscriber(server, effort),
            Self::Idle(connections) => memory::idle(program, effort, *connections),
            Self::Keys => memory::keys(program, effort),
            Self::Items => memory::items(program, effort),
            Self::Scripts => memory::scripts(program, effort),
        }
    }
}

/// Work that is measured while it runs.
trait Load {
    /// Sends the first requests.
    fn begin(&mut self) -> io::Result<()> {
        Ok(())
    }

    /// Runs one round, and returns how much the server did in it.
    fn step(&mut self) -> io::Result<u64>;

    /// Reads the outstanding replies, and returns their number.
    fn finish(&mut self) -> io::Result<u64> {
        Ok(0)
    }

    /// How long a client waited for an answer, each time.
    fn take_times(&mut self) -> Vec<Duration> {
        Vec::new()
    }
}

/// Loads a server for a slice, or until it has done `max`: how much it did, and in what time.
fn drive(slice: Duration, max: u64, load: &mut impl Load) -> io::Result<(u64, Duration)> {
    let started = Instant::now();
    let mut done = 0;
    load.begin()?;
    while started.elapsed() < slice && done < max {
        done += load.step()?;
    }
    done += load.finish()?;
    Ok((done, started.elapsed()))
}

/// Loads a server for a slice: its rate, its CPU time for one, and how long clients waited.
fn measure(server: &Server, effort: &Effort, max: u64, load: &mut impl Load) -> Outcome {
    server.settle();
    let before = server.cpu();
    let (done, elapsed) = drive(effort.slice, max, load)?;
    // The system counts a thread's time up to its last sleep.
    server.settle();
    let used = server.cpu().zip(before).map(|(after, before)| after.saturating_sub(before));
    #[allow(clippy::cast_precision_loss)]
    let done = done as f64;
    let mut figures = vec![(Figure::PerSecond, done / elapsed.as_secs_f64())];
    figures.extend(used.map(|used| (Figure::CpuMicros, used.as_secs_f64() * 1e6 / done)));
    figures.extend(percentiles(load.take_times()));
    Ok(figures)
}

/// The median, and what one in a hundred exceeds.
fn percentiles(mut times: Vec<Duration>) -> Vec<(Figure, f64)> {
    times.sort_unstable();
    let at = |share: usize| times.get(times.len() * share / 100).map(|time| time.as_secs_f64() * 1e6);
    let of = |figure, share| at(share).map(|micros| (figure, micros));
    [of(Figure::P50, 50), of(Figure::P99, 99)].into_iter().flatten().collect()
}
