//! The broker without a runtime, sockets, threads or a clock, for a program that drives it itself.
//!
//! A deterministic simulation, another runtime, or a test of a protocol library passes the bytes that clients send and
//! the time, and takes the bytes that they get. The same calls give the same bytes, in the same order. The additions of
//! [`Broker`](crate::Broker) (waits, faults, the journal) are not included.
//!
//! ```
//! use std::time::{Duration, SystemTime};
//! use minibroker::sans_io::Engine;
//! use minibroker::Version;
//!
//! let start = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
//! let mut engine = Engine::new(Version::default(), 1, start);
//! let worker = engine.connect(start)?;
//! let chat = engine.connect(start)?;
//!
//! // The worker waits for two seconds at most.
//! engine.request(worker, b"BLPOP queue 2\r\n", start);
//! assert_eq!(engine.next_deadline(), Some(start + Duration::from_secs(2)));
//!
//! // A request may arrive in pieces.
//! engine.request(chat, b"RPUSH queue hel", start);
//! assert_eq!(engine.ready(), []);
//! engine.request(chat, b"lo\r\n", start);
//! assert_eq!(engine.ready(), [worker, chat]);
//! assert_eq!(engine.output(worker), b"*2\r\n$5\r\nqueue\r\n$5\r\nhello\r\n");
//! assert_eq!(engine.output(chat), b":1\r\n");
//!
//! // This time nothing comes.
//! engine.request(worker, b"BLPOP queue 2\r\n", start);
//! engine.advance(start + Duration::from_secs(2));
//! assert_eq!(engine.output(worker), b"*-1\r\n");
//! # Ok::<(), minibroker::sans_io::Refused>(())
//! ```

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime};

use crate::clients::{Address, ClientKey, Close};
use crate::config::{Config, Version};
use crate::data::Time;
use crate::engine::{self, Flow};
use crate::resp::Parser;

/// A broker that does nothing by itself.
///
/// Calls that take the time take one that is not earlier than in previous calls; an earlier one counts as the last.
#[derive(Debug)]
pub struct Engine {
    core: engine::Engine,
    connections: BTreeMap<Client, Connection>,
    ready: BTreeSet<Client>,
    now: Time,
}

/// A client of an [`Engine`]. The value is never reused for another client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Client(u64);

/// A client was not accepted: there are as many as the setting `maxclients` allows.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", String::from_utf8_lossy(.reply).trim_start_matches('-').trim_end())]
pub struct Refused {
    reply: Vec<u8>,
}

#[derive(Debug)]
struct Connection {
    key: ClientKey,
    parser: Parser,
    /// What the client has sent and has not run: an incomplete request, or what follows a request that waits.
    received: Vec<u8>,
}

impl Client {
    /// The number that `CLIENT ID` returns.
    #[must_use]
    pub const fn id(self) -> u64 {
        self.0
    }
}

impl Refused {
    /// The bytes that redis-server sends before it closes the connection.
    #[must_use]
    pub fn reply(&self) -> &[u8] {
        &self.reply
    }
}

impl Engine {
    /// A broker with no keys and no clients that emulates this version of Redis. `seed` determines all random choices.
    ///
    /// Its settings are the defaults; CONFIG SET changes them.
    #[must_use]
    pub fn new(version: Version, seed: u64, now: SystemTime) -> Self {
        let config = Config { compat: version, ..Config::default() };
        let now = now.into();
        Self {
            core: engine::Engine::new(config, seed, now),
            connections: BTreeMap::new(),
            ready: BTreeSet::new(),
            now,
        }
    }

    /// A client connects.
    ///
    /// # Errors
    ///
    /// There are `maxclients` clients.
    pub fn connect(&mut self, now: SystemTime) -> Result<Client, Refused> {
        let now = self.not_before(now);
        let key = self.core.connect(Address::default(), now).map_err(|error| {
            let reply = [b"-", error.text(), b"\r\n"].concat();
            Refused { reply }
        })?;
        let client = self.client(key).unwrap_or(Client(0));
        debug_assert!(client.0 > 0, "a client that has just connected has a number");
        self.connections.insert(client, Connection { key, parser: Parser::new(), received: Vec::new() });
        Ok(client)
    }

    /// A client has sent these bytes: requests, or a part of one, in RESP or as a line of text. Complete requests are
    /// run. Requests after a command that waits are run when the wait ends.
    ///
    /// Nothing happens if the client is not connected.
    pub fn request(&mut self, client: Client, bytes: &[u8], now: SystemTime) {
        let now = self.not_before(now);
        if let Some(connection) = self.connections.get_mut(&client) {
            connection.received.extend_from_slice(bytes);
        }
        self.run(client, now);
        self.finish(now);
    }

    /// Does all that is due until `now`: keys expire, waits time out, pauses end.
    pub fn advance(&mut self, now: SystemTime) {
        let now = self.not_before(now);
        self.core.tick(now);
        self.finish(now);
    }

    /// When [`Engine::advance`] has something to do next, if no request comes before.
    #[must_use]
    pub fn next_deadline(&self) -> Option<SystemTime> {
        self.core.next_deadline().map(SystemTime::from)
    }

    /// The clients that got output since the last call, or that are to be closed, in the order in which they connected.
    pub fn ready(&mut self) -> Vec<Client> {
        std::mem::take(&mut self.ready).into_iter().collect()
    }

    /// Takes the bytes that are to be sent to a client. They count as sent.
    ///
    /// If the engine closes a connection, as after QUIT, this is the last output, and the client is not
    /// [connected](Engine::is_connected) any longer.
    pub fn output(&mut self, client: Client) -> Vec<u8> {
        let mut bytes = Vec::new();
        let Some(connection) = self.connections.get(&client) else { return bytes };
        let output = self.core.take_output(connection.key, &mut bytes);
        if output.counted {
            self.core.set_in_flight(connection.key, 0);
        }
        if output.close != Close::No {
            self.disconnect_at(client, self.now);
        } else if output.resumed {
            self.run(client, self.now);
            self.finish(self.now);
        }
        bytes
    }

    /// False if the client has disconnected, or if the engine has closed its connection and its last output was taken.
    #[must_use]
    pub fn is_connected(&self, client: Client) -> bool {
        self.connections.contains_key(&client)
    }

    /// The connection of a client has ended. Requests that have not run are discarded, and its waits end.
    pub fn disconnect(&mut self, client: Client, now: SystemTime) {
        let now = self.not_before(now);
        self.disconnect_at(client, now);
    }

    fn disconnect_at(&mut self, client: Client, now: Time) {
        if let Some(connection) = self.connections.remove(&client) {
            self.core.disconnect(connection.key, now);
            self.finish(now);
        }
    }

    fn not_before(&mut self, now: SystemTime) -> Time {
        self.now = self.now.max(now.into());
        self.now
    }

    /// Runs the complete requests of a client, until one waits.
    fn run(&mut self, client: Client, now: Time) {
        let Some(Connection { key, parser, received }) = self.connections.get_mut(&client) else { return };
        let (consumed, flow) = self.core.feed(*key, parser, received, now);
        match flow {
            Flow::Continue | Flow::Blocked | Flow::Again => drop(received.drain(..consumed)),
            Flow::Closed => received.clear(),
        }
        debug_assert_ne!(flow, Flow::Again, "a turn without a limit ends with the requests");
    }

    fn client(&self, key: ClientKey) -> Option<Client> {
        self.core.client(key).map(|client| Client(client.id))
    }

    fn has_output(&self, key: ClientKey) -> bool {
        self.core.client(key).is_some_and(|client| {
            !client.outbox.is_empty() || client.segments.is_some() || client.close != Close::No
        })
    }

    /// Runs the requests of clients whose waits have ended, and notes the clients that have output.
    fn finish(&mut self, now: Time) {
        let mut dirty = Vec::new();
        while self.core.has_dirty() {
            self.core.take_dirty(&mut dirty);
            for key in dirty.drain(..) {
                let Some(client) = self.client(key) else { continue };
                if self.core.take_resumed(key) {
                    self.run(client, now);
                }
                if self.has_output(key) {
                    self.ready.insert(client);
                }
            }
        }
        // The duration of commands is not measured.
        self.core.record_durations(Duration::ZERO);
    }
}
