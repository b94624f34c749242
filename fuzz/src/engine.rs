//! The engine: several clients, their bytes interleaved, time moved, connections cut.
//!
//! An input is a program of lines:
//!
//! - `0` to `3`: that client sends the rest of the line as an inline request;
//! - `a` to `d`: client 0 to 3 sends the command that is made up from the rest of the line, see [`commands`];
//! - `A` to `D`: client 0 to 3 sends the rest of the line as it is, with `|` for `\r\n`;
//! - `k`: the embedding program runs the rest of the line as a command;
//! - `t`: a number of milliseconds pass;
//! - `x` and a digit: that client disconnects, and connects again.
//!
//! Each program is run three times: every request for itself, all bytes of a line at once, byte by byte. All three
//! have to write the same bytes. After each line everything that could go unnoticed is looked at.

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
/// More lines than this make a run slow and teach nothing.
const LINES_MAX: usize = 200;
/// Lines up to this length are run in all three ways.
const LINE_MAX: usize = 2048;
/// When it all begins.
const START_MILLIS: i64 = 1_700_000_000_000;

/// How bytes are handed over.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Delivery {
    /// Every request for itself, so that it is known in which protocol each byte was written.
    Request,
    /// All bytes of a line.
    Line,
    /// One byte after the other.
    Byte,
}

/// One connection, as the shell keeps it.
// Each is a state of its own.
#[allow(clippy::struct_excessive_bools)]
struct Connection {
    key: ClientKey,
    parser: Parser,
    /// What could not be run yet.
    left: Vec<u8>,
    blocked: bool,
    closed: bool,
    /// Up to where the outbox has been written in which protocol, in the order of writing; as long as the client
    /// spoke one protocol it is one entry.
    spoken: Vec<(Protocol, usize)>,
    /// HELLO is among the commands of its transaction, which then answers in both protocols.
    hello_queued: bool,
    /// CLIENT REPLY is among the commands of its transaction: as with redis-server, EXEC then announces replies
    /// that do not come.
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
        for (client, (one, other)) in by_request.iter().zip(&written).enumerate() {
            assert!(
                one == other,
                "client {client}, {delivery:?}:\n{}\ninstead of:\n{}",
                other.escape_ascii(),
                one.escape_ascii()
            );
        }
    }
    decoded
}

impl Run {
    fn new(delivery: Delivery) -> Self {
        // No single command may fill the machine's memory.
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
        for client in 0..CLIENTS {
            let connection = run.connect(client);
            run.connections.push(connection);
        }
        run
    }

    fn connect(&mut self, client: usize) -> Connection {
        let address = Address { peer: format!("127.0.0.1:{}", 50_000 + client).into(), ..Address::default() };
        // No client may lock the others out.
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
        for client in 0..CLIENTS {
            self.disconnect(client);
        }
        invariants::of_emptiness(self.engine.state());
        invariants::of_values(&mut self.engine, self.now);
        (self.written, self.decoded)
    }

    /// A client sends bytes.
    fn send(&mut self, client: usize, bytes: &[u8]) {
        if self.connections[client].closed {
            return self.reconnect(client);
        }
        let pieces = if self.delivery == Delivery::Byte { 1 } else { bytes.len().max(1) };
        for piece in bytes.chunks(pieces) {
            self.connections[client].left.extend_from_slice(piece);
            self.feed(client);
        }
    }

    /// Hands over what a client has sent, as far as it may be run.
    fn feed(&mut self, client: usize) {
        loop {
            let connection = &mut self.connections[client];
            if connection.closed {
                return;
            }
            if connection.blocked {
                // As the shell does, which continues to read.
                self.engine.check_query_limit(connection.key, connection.left.len());
                return;
            }
            let left = std::mem::take(&mut connection.left);
            let length = match self.delivery {
                Delivery::Request => self.first_request(client, &left),
                Delivery::Line | Delivery::Byte => left.len(),
            };
            let connection = &mut self.connections[client];
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
    fn first_request(&self, client: usize, bytes: &[u8]) -> usize {
        let connection = &self.connections[client];
        let config = &self.engine.state().config;
        let owner = self.engine.client(connection.key);
        let authenticated = owner.is_some_and(|owner| !owner.must_authenticate(config));
        let limits = Limits { bulk: config.proto_max_bulk_len, authenticated };
        match Parser::new().parse(bytes, &limits) {
            Ok(Some(length)) => length,
            _ => bytes.len(),
        }
    }

    /// Remembers who has been written to in which protocol.
    fn note_protocols(&mut self) {
        for connection in &mut self.connections {
            let Some(owner) = self.engine.client(connection.key) else { continue };
            let queued = |words: &[&[u8]]| {
                owner.transaction.as_ref().is_some_and(|transaction| {
                    transaction.queue.iter().any(|request| {
                        let args = request.args();
                        words.iter().enumerate().all(|(at, word)| args[at].eq_ignore_ascii_case(word))
                    })
                })
            };
            connection.hello_queued |= queued(&[b"hello"]);
            connection.reply_queued |= queued(&[b"client", b"reply"]);
            let end = owner.outbox.len();
            connection.spoken.retain(|(_, until)| *until <= end);
            match connection.spoken.last_mut() {
                Some((protocol, until)) if *protocol == owner.protocol => *until = end,
                _ => connection.spoken.push((owner.protocol, end)),
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
        // Not more than a hundred years at once.
        let millis = digits.parse::<u64>().unwrap_or(1).min(100 * 366 * 24 * 3_600_000);
        self.now = self.now + Duration::from_millis(millis);
        self.engine.tick(self.now);
        if let Some(next) = self.engine.next_deadline() {
            assert!(next > self.now, "what was due at {next:?} has not been done at {:?}", self.now);
        }
        if self.delivery == Delivery::Request {
            self.note_protocols();
        }
    }

    fn reconnect(&mut self, client: usize) {
        self.disconnect(client);
        self.connections[client] = self.connect(client);
    }

    fn disconnect(&mut self, client: usize) {
        let key = self.connections[client].key;
        self.engine.disconnect(key, self.now);
        self.connections[client].closed = true;
        assert!(self.engine.client(key).is_none());
        self.settle();
    }

    /// Does what the shell does after a batch: marked clients are written to, and clients that no longer wait
    /// continue.
    fn settle(&mut self) {
        let mut dirty = Vec::new();
        loop {
            // As long as the broker sleeps no client is written to: the sleep ends at once.
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
            for key in std::mem::take(&mut dirty) {
                let client = self.connections.iter().position(|connection| connection.key == key);
                if let Some(client) = client.filter(|_| self.engine.client(key).is_some()) {
                    self.write(client);
                }
            }
        }
        // No client may have output left that it was not marked for.
        for (client, connection) in self.connections.iter().enumerate() {
            let Some(owner) = self.engine.client(connection.key) else { continue };
            let nothing = owner.outbox.is_empty() && !owner.resumed;
            assert!(nothing, "client {client} is not marked: \"{}\"", owner.outbox.escape_ascii());
            let waits = owner.blocked.is_some();
            assert_eq!(
                connection.blocked, waits,
                "client {client} waits without anybody knowing, or the reverse"
            );
            assert!(connection.closed || owner.close == Close::No, "client {client} is to be closed");
        }
    }

    /// Writes what a client's outbox holds.
    fn write(&mut self, client: usize) {
        let connection = &mut self.connections[client];
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
            self.engine.client(connection.key).is_some_and(|owner| owner.transaction.is_some());
        connection.hello_queued &= in_transaction;
        let cut_short = connection.reply_queued;
        connection.reply_queued &= in_transaction;
        if self.delivery == Delivery::Request {
            let whole = spoken.last().map_or(0, |(_, end)| *end);
            assert_eq!(whole, bytes.len(), "client {client} has got bytes outside of any request");
            let mut from = 0;
            for (protocol, until) in &spoken {
                // The reply to HELLO and RESET stands in one protocol, what came before it in the other.
                let part = &bytes[from..*until];
                match judge::replies(part, *protocol) {
                    Ok(count) => self.decoded += count,
                    Err(error) => {
                        assert!(cut_short || mixed && judge::is_mixed(part), "client {client}: {error}");
                    }
                }
                from = *until;
            }
        }
        self.written[client].extend_from_slice(&bytes);
        if output.resumed {
            self.connections[client].blocked = false;
            self.feed(client);
        }
    }
}
