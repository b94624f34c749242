//! Programs on an embedded broker, whose clock the program moves.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, SystemTime};

use minibroker::internal::resp::request_bytes;
use minibroker::{Broker, ClientStream, EventKind, Version, Wakeup};
use tokio::io::{AsyncRead, AsyncWriteExt, ReadBuf};
use tokio::runtime::Runtime;

use crate::play::{Received, Stage, Stop, Transcript, play};
use crate::program::{Moment, Program};

/// When all programs begin. No real server has this time, so that an id made from it is never the same by chance.
const START: Duration = Duration::from_secs(1_600_000_000);
/// How often all tasks of this thread are polled before the broker counts as idle; the longest way from a request to a
/// reader has four polls.
const TURNS: usize = 8;

/// The runtime for brokers, and how they are prepared.
pub struct Ours {
    runtime: Runtime,
    version: Version,
    /// Prepares every broker before it is used.
    prepare: fn(&Broker),
}

impl Ours {
    pub fn new(version: Version, prepare: fn(&Broker)) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
        Ok(Self { runtime, version, prepare })
    }

    /// Plays a program on a new broker.
    pub fn play(&self, program: &Program, unit: u64) -> Result<Transcript, Stop> {
        play(program, unit, &mut self.stage(program.clients, program.is_timed())?)
    }

    /// A new broker with this number of clients. If `is_timed`, it is an error if two things are due at once.
    pub fn stage(&self, clients: usize, is_timed: bool) -> Result<OurStage<'_>, Stop> {
        let builder =
            Broker::builder().compat(self.version).seed(1).manual_clock_at(SystemTime::UNIX_EPOCH + START);
        let builder = if is_timed { builder } else { builder.journal_limit(0) };
        let broker = {
            let _context = self.runtime.enter();
            builder.start_on_this_runtime().expect("it starts")
        };
        let set = broker.command(["CONFIG", "SET", "notify-keyspace-events", "KEA"]);
        set.map_err(|error| Stop::Broken(error.to_string()))?;
        (self.prepare)(&broker);
        let clients = std::iter::repeat_with(|| None).take(clients).collect();
        Ok(OurStage { runtime: &self.runtime, broker, clients, is_timed })
    }
}

/// A broker with the clients of a program.
pub struct OurStage<'a> {
    runtime: &'a Runtime,
    broker: Broker,
    clients: Vec<Option<ClientStream>>,
    is_timed: bool,
}

/// Reads what has arrived; true if the stream has ended.
fn take(stream: &mut ClientStream, into: &mut Vec<u8>) -> bool {
    let mut space = [0; 4096];
    loop {
        let mut buffer = ReadBuf::new(&mut space);
        match Pin::new(&mut *stream).poll_read(&mut Context::from_waker(Waker::noop()), &mut buffer) {
            Poll::Pending => return false,
            Poll::Ready(Ok(())) if !buffer.filled().is_empty() => into.extend_from_slice(buffer.filled()),
            Poll::Ready(_) => return true,
        }
    }
}

impl OurStage<'_> {
    /// Runs the broker until it is idle.
    fn run_until_idle(&mut self, received: &mut [Received]) {
        let Self { runtime, clients, .. } = self;
        runtime.block_on(tokio::task::coop::unconstrained(async {
            let mut turns = 0;
            while turns < TURNS {
                tokio::task::yield_now().await;
                turns += 1;
                for (slot, received) in clients.iter_mut().zip(&mut *received) {
                    let Some(stream) = slot else { continue };
                    let before = received.bytes.len();
                    received.closed |= take(stream, &mut received.bytes);
                    if received.closed {
                        *slot = None;
                    }
                    if received.closed || received.bytes.len() > before {
                        turns = 0;
                    }
                }
            }
        }));
    }

    /// Moves the clock, and returns the deadlines that have passed.
    fn advance(&self, millis: u64) -> Vec<Duration> {
        let seen = if self.is_timed { self.broker.journal().len() } else { 0 };
        self.broker.advance(Duration::from_millis(millis));
        if !self.is_timed {
            return Vec::new();
        }
        let mut due = Vec::new();
        let mut paused = false;
        for event in self.broker.journal().iter().skip(seen) {
            match event.kind {
                EventKind::Expired { .. } | EventKind::Unblocked(Wakeup::TimedOut) => due.push(event.at),
                // Clients that waited for the end of a pause continue in their order of arrival.
                EventKind::Unblocked(Wakeup::PauseOver) if !paused => {
                    paused = true;
                    due.push(event.at);
                }
                _ => {}
            }
        }
        due
    }
}

impl Stage for OurStage<'_> {
    fn connect(&mut self, client: usize) -> Result<u64, Stop> {
        let stream = {
            let _context = self.runtime.enter();
            self.broker.connect()
        };
        self.clients[client] = Some(stream);
        self.send(client, &request_bytes(&["CLIENT", "ID"]))?;
        let mut received = vec![Received::default(); self.clients.len()];
        self.run_until_idle(&mut received);
        let answer = &received[client].bytes;
        let number =
            std::str::from_utf8(answer).ok().and_then(|line| line.trim().strip_prefix(':')?.parse().ok());
        number.ok_or_else(|| Stop::Broken(format!("CLIENT ID answers {}", answer.escape_ascii())))
    }

    fn send(&mut self, client: usize, bytes: &[u8]) -> Result<(), Stop> {
        if let Some(stream) = &mut self.clients[client] {
            // It fails where the broker has closed the stream.
            let _ = self.runtime.block_on(stream.write_all(bytes));
        }
        Ok(())
    }

    fn disconnect(&mut self, client: usize) -> Result<(), Stop> {
        self.clients[client] = None;
        Ok(())
    }

    fn pass_a_millisecond(&mut self) {
        self.broker.advance(Duration::from_millis(1));
    }

    fn pass_a_slot(&mut self, now: Moment, received: &mut [Received]) -> Result<(), Stop> {
        // If a client was served at the beginning of the slot, its next request runs now.
        if self.advance(now.unit / 2).len() > 1 {
            return Err(Stop::Ambiguous);
        }
        self.run_until_idle(received);
        if !self.advance(now.unit / 2).is_empty() {
            return Err(Stop::Ambiguous);
        }
        Ok(())
    }

    fn settle(&mut self, _: usize, _: Moment, received: &mut [Received]) -> Result<(), Stop> {
        self.run_until_idle(received);
        Ok(())
    }
}
