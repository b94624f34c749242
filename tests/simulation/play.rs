//! Runs a program on the engine and on the model, and compares everything that a client receives.

use std::collections::VecDeque;
use std::fmt::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use minibroker::internal::clients::ClientKey;
use minibroker::internal::clients::{Address, Close};
use minibroker::internal::config::{Class, Config};
use minibroker::internal::data::Time;
use minibroker::internal::engine::{Engine, Flow};
use minibroker::internal::resp::{Parser, Protocol, Value};

use crate::model::{Closing, Model};
use crate::program::{Program, START, Step, shortened};

/// How much a client's own buffer holds; with a limit of one byte, a client with more than this is closed.
const OUTPUT_MAX: usize = 16 * 1024;

/// How many times the clock is moved at the end, at most, until no timer is left.
const TURNS_TO_THE_END: usize = 200;

/// What a program did.
#[derive(Clone, Copy, Debug, Default)]
pub struct Played {
    pub requests: usize,
    pub bytes: usize,
}

/// The first difference between the model and the engine.
#[derive(Debug, PartialEq, Eq)]
pub struct Failure {
    /// The step in which it occurred.
    pub step: usize,
    pub text: String,
}

/// A connection, as the shell keeps it.
struct Connection {
    key: ClientKey,
    parser: Parser,
    /// What has arrived but has not run.
    arrived: Vec<u8>,
    /// What has been sent but has not arrived.
    held_up: Vec<u8>,
    /// The requests in both that have not run: the length of each, and its words.
    ahead: VecDeque<(usize, String)>,
    blocked: bool,
}

struct Play<'a> {
    program: &'a Program,
    engine: Engine,
    model: Model,
    now: Time,
    connections: Vec<Option<Connection>>,
    /// The client of each slot of the engine.
    clients: Vec<usize>,
    played: Played,
    dirty: Vec<ClientKey>,
}

/// Runs a program.
pub fn play(program: &Program) -> Result<Played, Failure> {
    let mut step = 0;
    let outcome = catch_unwind(AssertUnwindSafe(|| -> Result<Played, String> {
        let mut play = Play::new(program);
        for next in &program.steps {
            play.step(next)?;
            play.settle()?;
            step += 1;
        }
        play.end()?;
        Ok(play.played)
    }));
    match outcome {
        Ok(outcome) => outcome.map_err(|text| Failure { step, text }),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().cloned();
            let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
            Err(Failure { step, text: format!("the broker panics: {}", text.unwrap_or_default()) })
        }
    }
}

impl<'a> Play<'a> {
    fn new(program: &'a Program) -> Self {
        let mut config =
            Config { notify_keyspace_events: Class::KEYEVENT.or(Class::EXPIRED), ..Config::default() };
        if program.output_limit {
            config.output_limit_normal.hard = 1;
            config.output_limit_pubsub.hard = 1;
        }
        let now = Time::from_micros(START);
        let output_limit = program.output_limit.then_some(OUTPUT_MAX);
        Self {
            program,
            engine: Engine::new(config, 1, now),
            model: Model::new(program.clients.len(), output_limit, START),
            now,
            connections: std::iter::repeat_with(|| None).take(program.clients.len()).collect(),
            clients: Vec::new(),
            played: Played::default(),
            dirty: Vec::new(),
        }
    }

    fn step(&mut self, step: &Step) -> Result<(), String> {
        match step {
            Step::Send { client, requests, held_up } => self.send(*client, requests, *held_up),
            Step::Arrive { client } => self.arrive(*client),
            Step::Read { client } => self.read(*client),
            Step::Disconnect { client } => {
                self.disconnect(*client);
                Ok(())
            }
            Step::Pass { micros, late } => {
                self.pass(*micros, *late);
                Ok(())
            }
        }
    }

    fn connect(&mut self, client: usize) {
        let key = self.engine.connect(Address::default(), self.now).expect("there are few clients");
        let resp3 = self.program.clients[client].resp3;
        if resp3 && let Some(client) = self.engine.state_mut().clients.get_mut(key) {
            client.protocol = Protocol::Resp3;
        }
        self.model.set_time(self.now.micros());
        self.model.connect(client, resp3);
        if self.clients.len() <= key.index() {
            self.clients.resize(key.index() + 1, usize::MAX);
        }
        self.clients[key.index()] = client;
        self.connections[client] = Some(Connection {
            key,
            parser: Parser::new(),
            arrived: Vec::new(),
            held_up: Vec::new(),
            ahead: VecDeque::new(),
            blocked: false,
        });
    }

    fn disconnect(&mut self, client: usize) {
        if let Some(connection) = self.connections[client].take() {
            self.engine.disconnect(connection.key, self.now);
            self.model.set_time(self.now.micros());
            self.model.disconnect(client);
        }
    }

    fn send(&mut self, client: usize, requests: &[String], held_up: usize) -> Result<(), String> {
        if self.connections[client].is_none() {
            self.connect(client);
        }
        let Some(connection) = &mut self.connections[client] else { return Ok(()) };
        for request in requests {
            let before = connection.held_up.len();
            encode(request, &mut connection.held_up);
            connection.ahead.push_back((connection.held_up.len() - before, request.clone()));
        }
        let arriving = connection.held_up.len().saturating_sub(held_up);
        connection.arrived.extend(connection.held_up.drain(..arriving));
        self.feed(client)
    }

    fn arrive(&mut self, client: usize) -> Result<(), String> {
        let Some(connection) = &mut self.connections[client] else { return Ok(()) };
        connection.arrived.append(&mut connection.held_up);
        self.feed(client)
    }

    /// Feeds what has arrived to both, and compares how much of it has run.
    fn feed(&mut self, client: usize) -> Result<(), String> {
        let Some(connection) = &mut self.connections[client] else { return Ok(()) };
        if connection.blocked {
            return Ok(());
        }
        let Connection { key, parser, arrived, ahead, .. } = connection;
        let (ran, flow) = self.engine.feed(*key, parser, arrived, self.now);
        self.model.set_time(self.now.micros());
        let mut expected = 0;
        while let Some((length, request)) = ahead.front() {
            let may_run = !self.model.waits(client) && self.model.closing(client) == Closing::No;
            if !may_run || expected + length > arrived.len() {
                break;
            }
            self.model.request(client, request);
            self.played.requests += 1;
            expected += length;
            ahead.pop_front();
        }
        let (expected_flow, expected) = match self.model.closing(client) {
            Closing::No if self.model.waits(client) => (Flow::Blocked, expected),
            Closing::No => (Flow::Continue, expected),
            Closing::AfterReply | Closing::Ignored | Closing::Now => (Flow::Closed, arrived.len()),
        };
        if (ran, flow) != (expected, expected_flow) {
            return Err(format!(
                "of {} bytes of client {client} {ran} ran, after which it is {flow:?}, instead of {expected} and \
                 {expected_flow:?}",
                arrived.len()
            ));
        }
        arrived.drain(..ran);
        connection.blocked = flow == Flow::Blocked;
        Ok(())
    }

    fn pass(&mut self, micros: u64, late: bool) {
        self.now = self.now + Duration::from_micros(micros);
        if !late {
            self.engine.tick(self.now);
            self.model.tick(self.now.micros());
        }
    }

    /// A client reads its output, which must be what the model predicts.
    fn read(&mut self, client: usize) -> Result<(), String> {
        let Some(connection) = &mut self.connections[client] else { return Ok(()) };
        let mut actual = Vec::new();
        let output = self.engine.take_output(connection.key, &mut actual);
        let expected_close = match self.model.closing(client) {
            Closing::No | Closing::Ignored => Close::No,
            Closing::AfterReply => Close::AfterReply,
            Closing::Now => Close::Now,
        };
        let expected = self.model.take_output(client);
        // The pending output of a client that is being closed is not written.
        if output.close != Close::Now || expected_close != Close::Now {
            compare(client, &expected, &actual)?;
        }
        if output.close != expected_close {
            return Err(format!(
                "the connection of client {client} is to be closed: {:?}, instead of {expected_close:?}",
                output.close
            ));
        }
        self.played.bytes += actual.len();
        if output.resumed {
            connection.blocked = false;
        }
        if output.close != Close::No {
            self.disconnect(client);
        } else if output.resumed {
            self.feed(client)?;
        }
        Ok(())
    }

    /// Does what the shell does after a batch: writes output, closes connections, and resumes clients.
    fn settle(&mut self) -> Result<(), String> {
        loop {
            let mut dirty = std::mem::take(&mut self.dirty);
            dirty.clear();
            self.engine.take_dirty(&mut dirty);
            for key in &dirty {
                let client = self.clients[key.index()];
                let is_there = self.connections[client].as_ref().is_some_and(|one| one.key == *key);
                let reads = !self.program.clients[client].slow || self.engine.closing(*key) == Close::Now;
                if is_there && reads {
                    self.read(client)?;
                }
            }
            let is_done = dirty.is_empty();
            self.dirty = dirty;
            if is_done {
                break;
            }
        }
        for (client, connection) in self.connections.iter().enumerate() {
            let Some(connection) = connection else { continue };
            if self.program.clients[client].slow && self.model.closing(client) != Closing::Now {
                continue;
            }
            let is_open = matches!(self.model.closing(client), Closing::No | Closing::Ignored);
            if self.model.has_output(client) || !is_open {
                return Err(format!(
                    "client {client} is not marked, but should receive\n{}",
                    readable(&self.model.take_output(client))
                ));
            }
            if connection.blocked != self.model.waits(client) {
                let (is, should) = (connection.blocked, self.model.waits(client));
                return Err(format!("client {client} waits: {is}, expected {should}"));
            }
        }
        Ok(())
    }

    /// Time passes until no timer is left; then all clients read and disconnect.
    fn end(&mut self) -> Result<(), String> {
        // A client that no longer waits continues with its next requests, which may wait again.
        for _ in 0..TURNS_TO_THE_END {
            self.pass(10_000_000, false);
            self.settle()?;
            for client in 0..self.connections.len() {
                self.read(client)?;
                self.settle()?;
            }
            if self.engine.next_deadline().is_none() {
                break;
            }
        }
        if let Some(due) = self.engine.next_deadline() {
            return Err(format!("at the end of the program a timer is left, which is due at {due:?}"));
        }
        for client in 0..self.connections.len() {
            self.disconnect(client);
        }
        let state = self.engine.state();
        let left = [state.waiters.blocked(), state.waiters.keys(), state.watches.len(), state.clients.len()];
        if left != [0; 4] {
            return Err(format!(
                "disconnected clients have left something behind (waits, keys, watches, clients): {left:?}"
            ));
        }
        Ok(())
    }
}

fn encode(request: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(format!("*{}\r\n", request.split(' ').count()).as_bytes());
    for word in request.split(' ') {
        out.extend_from_slice(format!("${}\r\n{word}\r\n", word.len()).as_bytes());
    }
}

fn compare(client: usize, expected: &[u8], actual: &[u8]) -> Result<(), String> {
    if expected == actual {
        return Ok(());
    }
    if let (Some(expected), Some(actual)) = (values(expected), values(actual))
        && in_one_order(expected) == in_one_order(actual)
    {
        return Ok(());
    }
    Err(format!("client {client} should receive\n{}but receives\n{}", readable(expected), readable(actual)))
}

/// All answers and messages; `None` if there is anything else.
fn values(mut bytes: &[u8]) -> Option<Vec<Value>> {
    let mut values = Vec::new();
    while !bytes.is_empty() {
        let (value, length) = Value::read(bytes)?;
        values.push(value);
        bytes = bytes.get(length..)?;
    }
    Some(values)
}

/// Sorts what has no defined order in Redis: one message by several patterns, keys that expire at the same time, and
/// the confirmations of UNSUBSCRIBE without names, whose counts are returned separately.
fn in_one_order(values: Vec<Value>) -> (Vec<String>, Vec<Value>) {
    let mut texts: Vec<(String, String)> = Vec::new();
    let mut counts = Vec::new();
    for value in values {
        let parts = value.as_slice().unwrap_or_default();
        let words: Vec<&str> = parts.iter().filter_map(Value::as_str).collect();
        let mut text = value.to_string();
        // Neighbours with the same name here may have any order.
        let together = match *words {
            ["message", channel, _] | ["pmessage", _, channel, _] if channel.ends_with(":expired") => {
                channel.to_owned()
            }
            ["pmessage", _, channel, message] => format!("{channel} {message}"),
            ["unsubscribe" | "punsubscribe", name] => {
                counts.extend(parts.last().cloned());
                name.clone_into(&mut text);
                words[0].to_owned()
            }
            _ => String::new(),
        };
        texts.push((together, text));
    }
    for run in texts.chunk_by_mut(|one, next| one.0 == next.0 && !one.0.is_empty()) {
        run.sort();
    }
    (texts.into_iter().map(|(_, text)| text).collect(), counts)
}

fn readable(bytes: &[u8]) -> String {
    let mut text = String::new();
    match values(bytes) {
        Some(values) if values.is_empty() => text.push_str("    nothing\n"),
        Some(values) => {
            for value in values {
                let _ = writeln!(text, "    {}", shortened(&format!("{value:?}")));
            }
        }
        None => {
            let _ = writeln!(text, "    {}", bytes.escape_ascii());
        }
    }
    text
}
