//! Plays a scenario on one server and returns what every connection receives.

use std::io;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::control::{self, Control, TIMEOUT};
use super::link::{Arrived, Link};
use super::outcome::{Outcome, Received};
use super::script::{Action, Protocol, Scenario, Step};
use super::wire;
use crate::session::frame::Frame;

/// How long to wait for replies that the reference has sent but the server has not.
const LATE: Duration = Duration::from_millis(300);

/// The field of INFO that counts from the start of the server; in the outcomes it counts from the start of the
/// scenario.
const CHANGES: &str = "rdb_changes_since_last_save";

/// The least that a server reads in one turn of its loop.
const PIECE: usize = 8 * 1024;

#[derive(Debug)]
struct Connection {
    client: String,
    link: Link,
    addr: String,
    closed: bool,
    /// What has arrived in this step.
    arrived: Vec<u8>,
}

/// A wait that is not in the scenario.
#[derive(Clone, Copy, Debug)]
pub struct Delay {
    /// At which step.
    pub step: usize,
    /// Between what the step sends and the reading of what arrives; else before the step.
    pub within: bool,
    /// For how long.
    pub time: Duration,
}

/// A server, and the player's own connection to it.
#[derive(Debug)]
pub struct Runner {
    /// The name of the server in reports.
    name: String,
    /// How many clients the server had before.
    others: usize,
    control: Control,
    connections: Vec<Connection>,
    /// The settings to restore with CONFIG SET after the scenario, in reverse order: a setting may have two names.
    changed: Vec<(String, Vec<u8>)>,
    /// The value of [`CHANGES`] when the scenario began, if it asks for this field.
    changes: Option<i64>,
    paused: bool,
    /// Whether the scenario may have loaded functions.
    has_functions: bool,
    /// Whether it may have added users.
    has_users: bool,
    /// Where in each scenario to wait, as a busy machine may make it wait anywhere.
    pub delay: Option<Delay>,
}

impl Runner {
    /// Plays on the server at the other end of this connection.
    ///
    /// # Errors
    ///
    /// The server is gone.
    pub fn new(name: impl Into<String>, mut control: Control) -> io::Result<Self> {
        let (name, others) = (name.into(), control.clients()?);
        let (connections, changed) = (Vec::new(), Vec::new());
        Ok(Self {
            name,
            others,
            control,
            connections,
            changed,
            changes: None,
            paused: false,
            has_functions: false,
            has_users: false,
            delay: None,
        })
    }

    /// The reply of the server to HELLO 3, if it refuses it.
    pub(super) fn refuses_resp3(&mut self) -> io::Result<Option<String>> {
        let mut link = self.control.another()?;
        Ok(match control::once(&mut link, &["HELLO", "3"])? {
            Frame::Text { kind: b'-', text } => Some(String::from_utf8_lossy(&text).into_owned()),
            _ => None,
        })
    }

    /// Runs a scenario. `hint` has the answers of the reference; a server that is late gets a little time to send as
    /// many replies.
    ///
    /// # Errors
    ///
    /// The server is gone, or does not answer the player's own questions. [`recover`](Self::recover) finds out which
    /// it is.
    pub fn run(
        &mut self,
        scenario: &Scenario,
        protocol: Protocol,
        hint: Option<&[Outcome]>,
    ) -> Result<Vec<Outcome>, String> {
        let mut outcomes = Vec::new();
        self.changes = None;
        if scenario.steps.iter().any(|step| step.text.contains(CHANGES)) {
            let info = self.control.info("persistence");
            let info = info.map_err(|error| format!("{} no longer answers: {error}", self.name))?;
            self.changes = info.lines().find_map(changes_of);
        }
        let started = Instant::now();
        for (index, step) in scenario.steps.iter().enumerate() {
            let delay = self.delay.filter(|delay| delay.step == index);
            if let Some(delay) = delay.filter(|delay| !delay.within) {
                thread::sleep(delay.time);
            }
            let within = delay.filter(|delay| delay.within).map(|delay| delay.time);
            let hint = hint.and_then(|hint| hint.get(index));
            let mut outcome = self
                .step(step, protocol, hint, within)
                .map_err(|error| format!("line {}: {} no longer answers: {error}", step.line, self.name))?;
            outcome.elapsed = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
            outcomes.push(outcome);
        }
        self.clean().map_err(|error| format!("after \"{}\": {}: {error}", scenario.title, self.name))?;
        Ok(outcomes)
    }

    /// Takes a step. With `within`, it waits for so long before it reads what has arrived.
    fn step(
        &mut self,
        step: &Step,
        protocol: Protocol,
        hint: Option<&Outcome>,
        within: Option<Duration>,
    ) -> io::Result<Outcome> {
        let mut outcome = Outcome::default();
        let (mut sent, mut waits_for, mut flushes) = (0, None, None);
        for connection in &mut self.connections {
            connection.arrived.clear();
        }
        let expected = hint.map(|hint| hint.note.is_none());
        match &step.action {
            Action::Send { client, requests, blocks, waits } => {
                let index = self.connection(client, protocol)?;
                let mut bytes = Vec::new();
                for request in requests {
                    let arguments = self.expand(request)?;
                    self.remember(&arguments)?;
                    if arguments.first().is_some_and(|name| is_flush(name)) {
                        flushes = Some(index);
                    }
                    bytes.extend_from_slice(&wire::request(&arguments));
                }
                let before = if *blocks { self.control.blocked()? } else { 0 };
                self.send(index, &bytes);
                (sent, waits_for) = (bytes.len(), waits.as_deref().and_then(|waits| self.index_of(waits)));
                if *blocks && !self.control.until(expected, |control| Ok(control.blocked()? > before))? {
                    outcome.note = Some("it does not block".into());
                }
            }
            Action::Raw { client, bytes, waits } => {
                let index = self.connection(client, protocol)?;
                let bytes = self.expand(std::slice::from_ref(bytes))?.concat();
                self.send(index, &bytes);
                (sent, waits_for) = (bytes.len(), waits.as_deref().and_then(|waits| self.index_of(waits)));
            }
            Action::Open { client } => {
                self.connection(client, protocol)?;
            }
            Action::Close { client } => {
                if let Some(index) = self.index_of(client) {
                    let closed = self.connections.remove(index);
                    drop(closed.link);
                    if !self
                        .control
                        .until(expected, |control| Ok(control.client_id(&closed.addr)?.is_none()))?
                    {
                        outcome.note = Some("the server does not notice that it is gone".into());
                    }
                }
            }
            Action::Wait { client } => {
                waits_for = self.index_of(client);
            }
            Action::Sleep { milliseconds } => thread::sleep(Duration::from_millis(*milliseconds)),
        }
        thread::sleep(within.unwrap_or_default() + Duration::from_millis(step.sleeps));
        if let Some(key) = &step.until_gone {
            // What the step has sent may be about to make the key.
            if let Action::Send { client, .. } = &step.action
                && let Some(index) = self.index_of(client)
            {
                self.wait_for(index)?;
            }
            let gone = self.control.until(expected, |control| {
                Ok(control.command(&[b"EXISTS".as_slice(), key.as_slice()])?
                    == Frame::Text { kind: b':', text: b"0".to_vec() })
            })?;
            if !gone {
                outcome.note = Some("it does not expire".into());
            }
        }
        self.collect(&mut outcome, sent, (waits_for, flushes), hint)?;
        outcome.control.clone_from(&self.control.addr);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        outcome.now = i64::try_from(now.as_millis()).unwrap_or(i64::MAX);
        Ok(outcome)
    }

    /// Reads what has arrived on all connections once the server has run all requests.
    fn collect(
        &mut self,
        outcome: &mut Outcome,
        sent: usize,
        (waits_for, flushes): (Option<usize>, Option<usize>),
        hint: Option<&Outcome>,
    ) -> io::Result<()> {
        let was_closed: Vec<bool> = self.connections.iter().map(|connection| connection.closed).collect();
        if let Some(index) = waits_for
            && !self.wait_for(index)?
        {
            outcome.note = Some("nothing came".into());
        }
        self.control.barrier()?;
        // A server reads and writes long texts in pieces, one in every turn of its loop.
        let mut pieces = sent / PIECE;
        loop {
            let before = self.arrived();
            self.read_arrived()?;
            if pieces == 0 && self.arrived() - before < PIECE {
                break;
            }
            pieces = pieces.saturating_sub(1);
            self.control.barrier()?;
        }
        let deadline = Instant::now() + LATE;
        let mut found = self.received(&was_closed);
        let is_late = |found: &[Received]| match (hint, flushes) {
            (Some(hint), _) => owes(found, hint),
            (None, Some(index)) => found.get(index).is_some_and(Received::is_nothing),
            (None, None) => false,
        };
        while is_late(&found) && Instant::now() < deadline {
            self.read_arrived()?;
            thread::yield_now();
            found = self.received(&was_closed);
        }
        found.retain(|found| !found.is_nothing());
        if let Some(before) = self.changes {
            let frames = found.iter_mut().flat_map(|found| &mut found.frames);
            frames.for_each(|frame| count_from(before, frame));
        }
        outcome.received = found;
        Ok(())
    }

    /// Waits until something has arrived on a connection in this step, or it is closed; false if neither happens.
    fn wait_for(&mut self, index: usize) -> io::Result<bool> {
        let Some(connection) = self.connections.get_mut(index) else { return Ok(true) };
        let deadline = Instant::now() + TIMEOUT;
        while connection.arrived.is_empty() && !connection.closed {
            connection.wait(deadline)?;
            if Instant::now() > deadline {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// How many bytes have arrived in this step.
    fn arrived(&self) -> usize {
        self.connections.iter().map(|connection| connection.arrived.len()).sum()
    }

    fn read_arrived(&mut self) -> io::Result<()> {
        self.connections.iter_mut().try_for_each(Connection::read_arrived)
    }

    /// What every connection has received in this step.
    fn received(&self, was_closed: &[bool]) -> Vec<Received> {
        let received = |(connection, was_closed): (&Connection, &bool)| {
            let (frames, rest) = wire::frames(&connection.arrived);
            let closed = connection.closed && !was_closed;
            Received { client: connection.client.clone(), frames, rest: rest.to_vec(), closed }
        };
        self.connections.iter().zip(was_closed).map(received).collect()
    }

    fn send(&mut self, index: usize, bytes: &[u8]) {
        if let Some(connection) = self.connections.get_mut(index) {
            // A server may have closed the connection; this shows in what is received.
            let _ = connection.link.write(bytes, TIMEOUT);
        }
    }

    fn index_of(&self, client: &str) -> Option<usize> {
        self.connections.iter().position(|one| one.client == client)
    }

    /// The client's connection, opened when it is named for the first time.
    fn connection(&mut self, client: &str, protocol: Protocol) -> io::Result<usize> {
        if let Some(index) = self.index_of(client) {
            return Ok(index);
        }
        let mut link = self.control.another()?;
        if protocol == Protocol::Resp3 {
            // Its reply is discarded: the family `connection` compares it.
            control::once(&mut link, &["HELLO", "3"])?;
        }
        let addr = link.local_addr().map(|addr| addr.to_string()).unwrap_or_default();
        let client = client.to_owned();
        self.connections.push(Connection { client, link, addr, closed: false, arrived: Vec::new() });
        // Ensures that the server has accepted the connection before anything else happens.
        self.control.barrier()?;
        Ok(self.connections.len() - 1)
    }

    /// Replaces the placeholders `{A.id}`, `{A.addr}`, `{server}`, `{now+10}`, `{nowms-5}` and `{text*100}`.
    fn expand(&mut self, arguments: &[Vec<u8>]) -> io::Result<Vec<Vec<u8>>> {
        arguments.iter().map(|argument| self.expand_one(argument)).collect()
    }

    fn expand_one(&mut self, argument: &[u8]) -> io::Result<Vec<u8>> {
        let mut out = Vec::new();
        let mut rest = argument;
        while let Some(start) = rest.iter().position(|byte| *byte == b'{') {
            let end = rest[start..].iter().position(|byte| *byte == b'}').map(|end| start + end);
            let inner = end.and_then(|end| std::str::from_utf8(&rest[start + 1..end]).ok());
            let value = match inner {
                Some(inner) => self.placeholder(inner)?,
                None => None,
            };
            if let (Some(value), Some(end)) = (value, end) {
                out.extend_from_slice(&rest[..start]);
                out.extend_from_slice(&value);
                rest = &rest[end + 1..];
            } else {
                out.extend_from_slice(&rest[..=start]);
                rest = &rest[start + 1..];
            }
        }
        out.extend_from_slice(rest);
        Ok(out)
    }

    fn placeholder(&mut self, inner: &str) -> io::Result<Option<Vec<u8>>> {
        if inner == "server" {
            return Ok(self.control.server.map(|server| server.to_string().into_bytes()));
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        for (name, now) in [("nowms", now.as_millis()), ("now", u128::from(now.as_secs()))] {
            if let Some(offset) = inner.strip_prefix(name)
                && let (Ok(offset), Ok(now)) = (offset.parse::<i128>(), i128::try_from(now))
            {
                return Ok(Some((now + offset).to_string().into_bytes()));
            }
        }
        if let Some((text, times)) = inner.rsplit_once('*')
            && let Ok(times) = times.parse()
        {
            return Ok(Some(text.as_bytes().repeat(times)));
        }
        let Some((client, what)) = inner.split_once('.') else { return Ok(None) };
        let Some(connection) = self.connections.iter().find(|one| one.client == client) else {
            return Ok(None);
        };
        let addr = connection.addr.clone();
        match what {
            "addr" => Ok(Some(addr.into_bytes())),
            "id" => Ok(Some(self.control.client_id(&addr)?.unwrap_or_default().into_bytes())),
            _ => Ok(None),
        }
    }

    /// Records what has to be undone after the scenario, before the request is sent.
    fn remember(&mut self, arguments: &[Vec<u8>]) -> io::Result<()> {
        let is = |index: usize, word: &str| {
            arguments.get(index).is_some_and(|one| one.eq_ignore_ascii_case(word.as_bytes()))
        };
        self.paused |= is(0, "CLIENT") && is(1, "PAUSE");
        self.has_functions |= is(0, "FUNCTION");
        self.has_users |= is(0, "ACL");
        if is(0, "CONFIG") && is(1, "SET") {
            for name in arguments[2..].iter().step_by(2) {
                let name = String::from_utf8_lossy(name).to_lowercase();
                if !self.changed.iter().any(|(changed, _)| *changed == name)
                    && !name.contains(['*', '?', '['])
                    && let Some(value) = self.control.config(&name)?
                {
                    self.changed.push((name, value));
                }
            }
        }
        Ok(())
    }

    /// Restores the server: no connections, no keys, no functions, no users, the settings as before.
    fn clean(&mut self) -> io::Result<()> {
        self.connections.clear();
        if std::mem::take(&mut self.paused) {
            self.control.command(&["CLIENT", "UNPAUSE"])?;
        }
        for (name, value) in std::mem::take(&mut self.changed).into_iter().rev() {
            self.control.command(&[b"CONFIG".as_slice(), b"SET", name.as_bytes(), &value])?;
        }
        let others = self.others;
        if !self.control.until(Some(true), |control| Ok(control.clients()? <= others))? {
            return Err(io::Error::other("closed connections stay in CLIENT LIST"));
        }
        self.control.command(&["FLUSHALL"])?;
        if std::mem::take(&mut self.has_functions) {
            self.control.command(&["FUNCTION", "FLUSH"])?;
        }
        if std::mem::take(&mut self.has_users) {
            self.remove_users()?;
        }
        Ok(())
    }

    /// Removes all users but the default one, whose connection asks.
    fn remove_users(&mut self) -> io::Result<()> {
        let users = self.control.command(&["ACL", "USERS"])?;
        let names = users.items().iter().filter_map(Frame::text).filter(|name| *name != b"default");
        let names: Vec<&[u8]> = [b"ACL".as_slice(), b"DELUSER"].into_iter().chain(names).collect();
        if names.len() > 2 {
            self.control.command(&names)?;
        }
        self.control.command(&["ACL", "LOG", "RESET"])?;
        Ok(())
    }

    /// Cleans up after a scenario that could not be finished. After an error the server cannot be used any more.
    ///
    /// # Errors
    ///
    /// The server is gone.
    pub fn recover(&mut self) -> io::Result<()> {
        self.connections.clear();
        self.control.reconnect()?;
        // Clients of others that have connected since then stay.
        self.others = self.others.max(self.control.clients()?);
        self.clean()
    }
}

/// Whether a command removes all keys, which Redis 8 does in another thread: requests that come later may be answered
/// before.
fn is_flush(name: &[u8]) -> bool {
    [b"FLUSHALL".as_slice(), b"FLUSHDB"].iter().any(|flush| name.eq_ignore_ascii_case(flush))
}

fn changes_of(line: &str) -> Option<i64> {
    line.strip_prefix(CHANGES)?.strip_prefix(':')?.trim().parse().ok()
}

/// Makes [`CHANGES`] count from `before`.
fn count_from(before: i64, frame: &mut Frame) {
    if let Frame::Text { text, .. } = frame
        && let Ok(info) = str::from_utf8(text)
        && let Some((line, count)) = info.lines().find_map(|line| Some((line, changes_of(line)?)))
    {
        *text = info.replace(line, &format!("{CHANGES}:{}", count - before)).into_bytes();
    }
}

/// Whether some connection has fewer replies than that of the reference, or is still open although that was closed.
fn owes(found: &[Received], hint: &Outcome) -> bool {
    hint.received.iter().any(|expected| {
        found.iter().find(|found| found.client == expected.client).is_some_and(|found| {
            let is_empty = expected.frames.is_empty() && expected.rest.is_empty();
            (expected.closed && !found.closed)
                || (!found.closed && !is_empty && found.frames.len() < expected.frames.len().max(1))
        })
    })
}

impl Connection {
    /// Appends what has arrived.
    fn read_arrived(&mut self) -> io::Result<()> {
        while !self.closed {
            match self.link.read_arrived(&mut self.arrived)? {
                Arrived::Nothing => break,
                Arrived::Bytes => {}
                Arrived::End => self.closed = true,
            }
        }
        Ok(())
    }

    /// Waits until something arrives, or the deadline.
    fn wait(&mut self, deadline: Instant) -> io::Result<()> {
        match self.link.read(&mut self.arrived, deadline.saturating_duration_since(Instant::now())) {
            Ok(Arrived::End) => self.closed = true,
            Ok(Arrived::Nothing | Arrived::Bytes) => {}
            Err(error) if error.kind() == io::ErrorKind::TimedOut => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }
}
