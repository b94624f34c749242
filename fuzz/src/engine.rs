//! The engine: several clients, their bytes interleaved, time passes, connections end.
//!
//! An input is a program of lines:
//!
//! - `0` to `3`: that client sends the rest of the line as an inline request;
//! - `a` to `d`: client 0 to 3 sends the command that is generated from the rest of the line, see [`commands`];
//! - `A` to `D`: client 0 to 3 sends the rest of the line as it is, with `|` for `\r\n`;
//! - `k`: the embedding program runs the rest of the line as a command;
//! - `t`: a number of milliseconds pass;
//! - `x` and a digit: that client disconnects, and connects again.
//!
//! Each program is run three times: one request at a time, all bytes of a line at once, byte by byte. All three
//! have to write the same bytes. After each line the invariants of the engine are checked.

use std::time::Duration;

use minibroker::internal::clients::ClientKey;
use minibroker::internal::clients::{Address, Close};
use minibroker::internal::config::Config;
use minibroker::internal::data::Time;
use minibroker::internal::engine::{Engine, Flow};
use minibroker::internal::resp::{Limits, OwnedRequest, Parser, Protocol};

use super::{commands, invariants, judge, requests};

/// How many clients there are.
const CLIENTS: usize = 4;
/// More lines than this make a run slow and find nothing new.
const LINES_MAX: usize = 200;
/// Lines up to this length are run in all three ways.
const LINE_MAX: usize = 2048;
/// The time at which a run begins.
const START_MILLIS: i64 = 1_700_000_000_000;

/// How bytes are passed to the engine.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Delivery {
    /// One request at a time, so that it is known in which protocol each byte was written.
    Request,
    /// All bytes of a line.
    Line,
    /// One byte at a time.
    Byte,
}

/// One connection, as the shell keeps it.
// The bools are independent of each other.
#[allow(clippy::struct_excessive_bools)]
struct Connection {
    key: ClientKey,
    parser: Parser,
    /// What could not be run yet.
    left: Vec<u8>,
    blocked: bool,
    closed: bool,
    /// The protocols in which the outbox was written, each with the end of its part, in order; one entry if the
    /// client used one protocol.
    spoken: Vec<(Protocol, usize)>,
    /// HELLO is among the commands of its transaction, which then answers in both protocols.
    hello_queued: bool,
    /// CLIENT REPLY is among the commands of its transaction: as with redis-server, EXEC then announces replies
    /// that are not sent.
    reply_queued: bool,
}

/// A broker and its clients, driven by a program.
struct Run {
    engine: Engine,
    now: Time,
    delivery: Delivery,
    connections: Vec<Connection>,
    /// All that was written, by client.
    written: Vec<Vec<u8>>,
    /// Replies and pushes that were decoded.
    decoded: usize,
}

/// Checks one input; returns how many replies and pushes have been decoded.
#[must_use]
pub fn run(program: &[u8]) -> usize {
    let (by_request, decoded) = Run::new(Delivery::Request).program(program);
    for delivery in [Delivery::Line, Delivery::Byte] {
        let (written, _) = Run::new(delivery).program(program);
        for (number, (one, other)) in by_request.iter().zip(&written).enumerate() {
            assert!(
                one == other,
                "client {number}, {delivery:?}:\n{}\ninstead of:\n{}",
                other.escape_ascii(),
                one.escape_ascii()
            );
        }
    }
    decoded
}

impl Run {
    fn new(delivery: Delivery) -> Self {
        // No command may fill the memory of the machine.
        let config = Config { proto_max_bulk_len: 64 * 1024, ..Config::default() };
        let now = Time::from_millis(START_MILLIS);
        let mut run = Self {
            engine: Engine::new(config, 1, now),
            now,
            delivery,
            connections: Vec::new(),
            written: vec![Vec::new(); CLIENTS],
            decoded: 0,
        };
        for number in 0..CLIENTS {
            let connection = run.connect(number);
            run.connections.push(connection);
        }
        run
    }

    fn connect(&mut self, number: usize) -> Connection {
        let address = Address { peer: format!("127.0.0.1:{}", 50_000 + number).into(), ..Address::default() };
        // A client may have lowered the limit.
        self.engine.state_mut().config.maxclients = Config::default().maxclients;
        let key = self.engine.connect(address, self.now).expect("there are few clients");
        Connection {
            key,
            parser: Parser::new(),
            left: Vec::new(),
            blocked: false,
            closed: false,
            spoken: Vec::new(),
            hello_queued: false,
            reply_queued: false,
        }
    }

    fn program(mut self, program: &[u8]) -> (Vec<Vec<u8>>, usize) {
        for line in program.split(|byte| *byte == b'\n').take(LINES_MAX) {
            let Some((&what, rest)) = line.split_first() else { continue };
            if rest.len() > LINE_MAX {
                continue;
            }
            match what {
                b'0'..=b'3' => self.send(usize::from(what - b'0'), &[rest, b"\r\n"].concat()),
                b'A'..=b'D' => {
                    let bytes = rest.split(|byte| *byte == b'|').collect::<Vec<_>>().join(&b"\r\n"[..]);
                    self.send(usize::from(what - b'A'), &bytes);
                }
                b'a'..=b'd' => {
                    let request = requests::encode(&commands::make(rest));
                    self.send(usize::from(what - b'a'), &request);
                }
                b'k' => self.command(rest),
                b't' => self.pass(rest),
                b'x' => match rest.first() {
                    Some(digit @ b'0'..=b'3') => self.reconnect(usize::from(digit - b'0')),
                    _ => continue,
                },
                _ => continue,
            }
            self.settle();
            invariants::between_requests(self.engine.state());
        }
        for number in 0..CLIENTS {
            self.disconnect(number);
        }
        invariants::of_emptiness(self.engine.state());
        invariants::of_values(&mut self.engine, self.now);
        (self.written, self.decoded)
    }

    /// A client sends bytes.
    fn send(&mut self, number: usize, bytes: &[u8]) {
        if self.connections[number].closed {
            return self.reconnect(number);
        }
        let pieces = if self.delivery == Delivery::Byte { 1 } else { bytes.len().max(1) };
        for piece in bytes.chunks(pieces) {
            self.connections[number].left.extend_from_slice(piece);
            self.feed(number);
        }
    }

    /// Feeds what a client has sent to the engine, as far as it may be run.
    fn feed(&mut self, number: usize) {
        loop {
            let connection = &mut self.connections[number];
            if connection.closed {
                return;
            }
            if connection.blocked {
                // As in the shell, which continues to read.
                self.engine.check_query_limit(connection.key, connection.left.len());
                return;
            }
            let left = std::mem::take(&mut connection.left);
            let length = match self.delivery {
                Delivery::Request => self.first_request(number, &left),
                Delivery::Line | Delivery::Byte => left.len(),
            };
            let connection = &mut self.connections[number];
            let (run, flow) =
                self.engine.feed(connection.key, &mut connection.parser, &left[..length], self.now);
            assert!(run <= length, "took {run} of {length} bytes");
            connection.left = left[run..].to_vec();
            connection.blocked = flow == Flow::Blocked;
            connection.closed = flow == Flow::Closed;
            if self.delivery == Delivery::Request {
                self.note_protocols();
            }
            if run == 0 || self.delivery != Delivery::Request {
                return;
            }
        }
    }

    /// The length of the first request, or of everything if there is no complete one.
    fn first_request(&self, number: usize, bytes: &[u8]) -> usize {
        let connection = &self.connections[number];
        let config = &self.engine.state().config;
        let client = self.engine.client(connection.key);
        let authenticated = client.is_some_and(|client| !client.must_authenticate());
        let limits = Limits { bulk: config.proto_max_bulk_len, authenticated };
        match Parser::new().parse(bytes, &limits) {
            Ok(Some(length)) => length,
            _ => bytes.len(),
        }
    }

    /// Records in which protocol the output of each client was written.
    fn note_protocols(&mut self) {
        for connection in &mut self.connections {
            let Some(client) = self.engine.client(connection.key) else { continue };
            let queued = |words: &[&[u8]]| {
                client.transaction.as_ref().is_some_and(|transaction| {
                    transaction.queue.iter().any(|request| {
                        let args = request.args();
                        words.iter().enumerate().all(|(at, word)| args[at].eq_ignore_ascii_case(word))
                    })
                })
            };
            connection.hello_queued |= queued(&[b"hello"]);
            connection.reply_queued |= queued(&[b"client", b"reply"]);
            let end = client.outbox.len();
            connection.spoken.retain(|(_, until)| *until <= end);
            match connection.spoken.last_mut() {
                Some((protocol, until)) if *protocol == client.protocol => *until = end,
                _ => connection.spoken.push((client.protocol, end)),
            }
        }
    }

    fn command(&mut self, line: &[u8]) {
        let Some(arguments) = requests::split_inline(line).filter(|all| !all.is_empty()) else { return };
        let mut reply = Vec::new();
        self.engine.command(&OwnedRequest::new(&arguments), self.now, &mut reply);
        if let Err(error) = judge::replies(&reply, Protocol::Resp3) {
            panic!("\"{}\": {error}", line.escape_ascii());
        }
        if self.delivery == Delivery::Request {
            self.note_protocols();
        }
    }

    /// Time passes.
    fn pass(&mut self, millis: &[u8]) {
        let digits = std::str::from_utf8(millis).unwrap_or_default();
        // At most a hundred years at a time.
        let millis = digits.parse::<u64>().unwrap_or(1).min(100 * 366 * 24 * 3_600_000);
        self.now = self.now + Duration::from_millis(millis);
        self.engine.tick(self.now);
        if let Some(next) = self.engine.next_deadline() {
            assert!(next > self.now, "a timer that was due at {next:?} has not fired at {:?}", self.now);
        }
        if self.delivery == Delivery::Request {
            self.note_protocols();
        }
    }

    fn reconnect(&mut self, number: usize) {
        self.disconnect(number);
        self.connections[number] = self.connect(number);
    }

    fn disconnect(&mut self, number: usize) {
        let key = self.connections[number].key;
        self.engine.disconnect(key, self.now);
        self.connections[number].closed = true;
        assert!(self.engine.client(key).is_none());
        self.settle();
    }

    /// Does what the shell does after a batch: output is written to marked clients, and clients that no longer
    /// wait continue.
    fn settle(&mut self) {
        let mut dirty = Vec::new();
        loop {
            // As long as the broker sleeps, no output is written: the sleep ends at once.
            if let Some(until) = self.engine.state().asleep_until {
                self.now = self.now.max(until);
                self.engine.tick(self.now);
                if self.delivery == Delivery::Request {
                    self.note_protocols();
                }
            }
            self.engine.take_dirty(&mut dirty);
            if dirty.is_empty() {
                break;
            }
            // What clients that track prefixes are sent after a batch.
            if self.delivery == Delivery::Request {
                self.note_protocols();
            }
            for key in std::mem::take(&mut dirty) {
                let number = self.connections.iter().position(|connection| connection.key == key);
                if let Some(number) = number.filter(|_| self.engine.client(key).is_some()) {
                    self.write(number);
                }
            }
        }
        // No client may have output without being marked.
        for (number, connection) in self.connections.iter().enumerate() {
            let Some(client) = self.engine.client(connection.key) else { continue };
            let nothing = client.outbox.is_empty() && !client.resumed;
            assert!(nothing, "client {number} is not marked: \"{}\"", client.outbox.escape_ascii());
            let waits = client.blocked.is_some();
            assert_eq!(
                connection.blocked, waits,
                "the engine and the shell differ on whether client {number} waits"
            );
            assert!(connection.closed || client.close == Close::No, "client {number} is to be closed");
        }
    }

    /// Writes what a client's outbox holds.
    fn write(&mut self, number: usize) {
        let connection = &mut self.connections[number];
        let mut bytes = Vec::new();
        let output = self.engine.take_output(connection.key, &mut bytes);
        if output.close != Close::No {
            connection.closed = true;
            connection.blocked = false;
            connection.left.clear();
        }
        let spoken = std::mem::take(&mut connection.spoken);
        let mixed = connection.hello_queued || spoken.len() > 1;
        let in_transaction =
            self.engine.client(connection.key).is_some_and(|client| client.transaction.is_some());
        connection.hello_queued &= in_transaction;
        let cut_short = connection.reply_queued;
        connection.reply_queued &= in_transaction;
        if self.delivery == Delivery::Request {
            let whole = spoken.last().map_or(0, |(_, end)| *end);
            assert_eq!(whole, bytes.len(), "client {number} has received bytes outside of any request");
            let mut from = 0;
            for (protocol, until) in &spoken {
                // The replies to HELLO and RESET are in one protocol, those before them in the other.
                let part = &bytes[from..*until];
                match judge::replies(part, *protocol) {
                    Ok(count) => self.decoded += count,
                    Err(error) => {
                        assert!(cut_short || mixed && judge::is_mixed(part), "client {number}: {error}");
                    }
                }
                from = *until;
            }
        }
        self.written[number].extend_from_slice(&bytes);
        if output.resumed {
            self.connections[number].blocked = false;
            self.feed(number);
        }
    }
}
