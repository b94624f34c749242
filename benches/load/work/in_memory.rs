//! One client that waits for each answer: minibroker over the stream in memory, the others over loopback, which a
//! test would use otherwise.

use std::io;
use std::time::Instant;

use minibroker::{Broker, ClientStream};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{Effort, Load, MESSAGE, Outcome, measure};
use crate::report::Figure;
use crate::servers::{Answer, Buffer, Connection, Kind, Server, lines, request};

const CHANNEL: &str = "load";
/// How often the clock is read.
const AT_ONCE: u64 = 100;

/// Where the broker of a test runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Placement {
    /// On its own thread: two threads wake each other for each request.
    Thread,
    /// On the runtime of the test.
    Runtime,
}

impl Placement {
    pub fn name(self) -> &'static str {
        match self {
            Self::Thread => "in memory",
            Self::Runtime => "in memory on the test's runtime",
        }
    }

    fn start(self) -> io::Result<Broker> {
        let started = match self {
            Self::Thread => Broker::start(),
            Self::Runtime => Broker::builder().start_on_this_runtime(),
        };
        started.map_err(io::Error::other)
    }
}

pub fn ping(server: &Server, effort: &Effort, placement: Placement) -> Outcome {
    let ping = request(["PING"]);
    if server.kind == Kind::Ours {
        return in_memory(effort, placement, &ping, "+PONG\r\n".len(), None);
    }
    let client = Connection::open(server.address)?;
    measure(
        server,
        effort,
        u64::MAX,
        &mut OneClient { client, request: ping, subscriber: None, buffer: Buffer::new() },
    )
}

pub fn publish(server: &Server, effort: &Effort, placement: Placement) -> Outcome {
    let publish = request(["PUBLISH", CHANNEL, MESSAGE]);
    let message = request(["message", CHANNEL, MESSAGE]);
    if server.kind == Kind::Ours {
        return in_memory(effort, placement, &publish, ":1\r\n".len(), Some(message.len()));
    }
    let mut buffer = Buffer::new();
    let (mut client, mut subscriber) = (Connection::open(server.address)?, Connection::open(server.address)?);
    let lines = lines(&message);
    if server.kind == Kind::Bare {
        subscriber.set_up(CHANNEL, &[], &mut buffer)?;
        let push = Some((CHANNEL.into(), message));
        client.set_up("", &[Answer { push, ..Answer::new(&publish, ":1\r\n") }], &mut buffer)?;
    } else {
        subscriber.ask(&request(["SUBSCRIBE", CHANNEL]), 6, &mut buffer)?;
    }
    let subscriber = Some((subscriber, lines));
    measure(server, effort, u64::MAX, &mut OneClient { client, request: publish, subscriber, buffer })
}

struct OneClient {
    client: Connection,
    request: Vec<u8>,
    /// The subscriber that gets a message each time, and the number of lines of a message.
    subscriber: Option<(Connection, usize)>,
    buffer: Buffer,
}

impl Load for OneClient {
    fn step(&mut self) -> io::Result<u64> {
        self.client.ask(&self.request, 1, &mut self.buffer)?;
        if let Some((subscriber, lines)) = &mut self.subscriber {
            subscriber.read_lines(*lines, &mut self.buffer)?;
        }
        Ok(1)
    }
}

/// Sends a request, reads the bytes of the answer, and those of a message.
fn in_memory(
    effort: &Effort,
    placement: Placement,
    request: &[u8],
    answer: usize,
    message: Option<usize>,
) -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let broker = placement.start()?;
        let (mut client, mut subscriber) = (broker.connect(), broker.connect());
        if message.is_some() {
            let confirmation = crate::servers::request(["subscribe", CHANNEL]).len() + ":1\r\n".len();
            subscriber.write_all(&crate::servers::request(["SUBSCRIBE", CHANNEL])).await?;
            read(&mut subscriber, confirmation).await?;
        }
        let (mut done, started) = (0, Instant::now());
        while started.elapsed() < effort.slice {
            for _ in 0..AT_ONCE {
                client.write_all(request).await?;
                read(&mut client, answer).await?;
                if let Some(message) = message {
                    read(&mut subscriber, message).await?;
                }
            }
            done += AT_ONCE;
        }
        #[allow(clippy::cast_precision_loss)]
        Ok(vec![(Figure::PerSecond, done as f64 / started.elapsed().as_secs_f64())])
    })
}

async fn read(stream: &mut ClientStream, count: usize) -> io::Result<()> {
    let mut bytes = [0; 256];
    stream.read_exact(&mut bytes[..count]).await.map(drop)
}
