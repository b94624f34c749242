//! MINIBROKER: a test client causes faults on a broker while other clients use it.
//!
//! An input is a program of lines. `0` to `2`: that client sends the command that is generated from the rest of the
//! line, see [`commands`]; `m`: the test client sends `MINIBROKER` with words that are generated from it; `t`: a
//! number of milliseconds pass; `x` and a digit: that client disconnects. At the end the test client sends RESET,
//! which must leave nothing behind.

use std::time::Duration;

use minibroker::internal::clients::ClientKey;
use minibroker::internal::clients::pubsub::Kind;
use minibroker::internal::clients::{Address, Close};
use minibroker::internal::config::Config;
use minibroker::internal::data::Time;
use minibroker::internal::engine::{Engine, Flow};
use minibroker::internal::keyspace::Database;
use minibroker::internal::resp::{OwnedRequest, Parser, Protocol};
use minibroker::internal::testing::journal::Recorder;

use super::{commands, judge, requests};

/// How many clients there are besides the test client.
const CLIENTS: usize = 3;
/// More lines than this make a run slow and find nothing new.
const LINES_MAX: usize = 200;
/// How many events the journal keeps.
const JOURNAL_LIMIT: usize = 64 * 1024;

/// Each is one of the forms of the arguments of a subcommand; `#` is a number, `?` a name.
const SUBCOMMANDS: [&str; 26] = [
    "FAULT ADD COMMAND % ? #",
    "FAULT ADD CLIENT # NTH # DISCONNECT",
    "FAULT ADD COMMAND % DISCONNECTAFTER",
    "FAULT ADD COMMAND % EVERY # DISCONNECTINREPLY #",
    "FAULT ADD COMMAND % PROBABILITY 0.5 DELAY #",
    "FAULT ADD KEY list:* ERROR ?",
    "FAULT ADD CHANNEL ? DROP",
    "FAULT ADD CHANNELS * DUPLICATE",
    "FAULT ADD CHANNEL ? DELAY #",
    "FAULT ADD LOADING",
    "FAULT ADD READONLY",
    "FAULT ADD NOAUTH",
    "FAULT END ALL",
    "FAULT END #",
    "FAULT LIST",
    "KILL ID #",
    "KILL ALL",
    "HOLD READING ALL",
    "HOLD WRITING ALL",
    "RELEASE",
    "STOP",
    "RESTART",
    "ADVANCE #",
    "JOURNAL COUNT #",
    "WAITFOR SUBSCRIBERS ? # #",
    "PUBLISHED ? FULL",
];
const NAMES: [&str; 6] = ["BLPOP", "PUBLISH", "LPUSH", "EXEC", "XREAD", "GET"];
const TEXTS: [&str; 4] = ["chat", "news", "DELAY", "ERROR"];
const NUMBERS: [&str; 7] = ["0", "1", "2", "3", "100", "100000", "9223372036854775807"];

struct Client {
    key: ClientKey,
    parser: Parser,
    left: Vec<u8>,
    blocked: bool,
}

struct Run {
    engine: Engine,
    now: Time,
    /// The test client is the last of them.
    clients: Vec<Option<Client>>,
}

/// Checks one input.
pub fn run(program: &[u8]) {
    let config = Config { proto_max_bulk_len: 64 * 1024, control: true, ..Config::default() };
    let now = Time::from_millis(1_700_000_000_000);
    let mut engine = Engine::new(config, 1, now);
    engine.state_mut().journal = Recorder::new(JOURNAL_LIMIT, now);
    let mut run = Run { engine, now, clients: Vec::new() };
    for _ in 0..=CLIENTS {
        let client = run.connect();
        run.clients.push(client);
    }
    for line in program.split(|byte| *byte == b'\n').take(LINES_MAX) {
        let Some((&what, rest)) = line.split_first() else { continue };
        match what {
            b'0'..=b'2' => run.send(usize::from(what - b'0'), &requests::encode(&commands::make(rest))),
            b'm' => run.send(CLIENTS, &made_command(rest)),
            b't' => run.pass(rest.first().copied().unwrap_or_default()),
            b'x' => run.disconnect(usize::from(rest.first().copied().unwrap_or_default()) % CLIENTS),
            _ => continue,
        }
        run.settle();
    }
    run.end();
}

/// `MINIBROKER` with generated words.
fn made_command(bytes: &[u8]) -> Vec<u8> {
    let mut choices = bytes.iter().map(|byte| usize::from(*byte));
    let mut next = || choices.next().unwrap_or_default();
    let words = SUBCOMMANDS[next() % SUBCOMMANDS.len()].split(' ').map(|word| match word {
        "%" => NAMES[next() % NAMES.len()],
        "?" => TEXTS[next() % TEXTS.len()],
        "#" => NUMBERS[next() % NUMBERS.len()],
        word => word,
    });
    let words: Vec<Vec<u8>> = ["MINIBROKER"].into_iter().chain(words).map(Into::into).collect();
    requests::encode(&words)
}

impl Run {
    fn connect(&mut self) -> Option<Client> {
        let key = self.engine.connect(Address::default(), self.now).ok()?;
        Some(Client { key, parser: Parser::new(), left: Vec::new(), blocked: false })
    }

    fn send(&mut self, number: usize, bytes: &[u8]) {
        match &mut self.clients[number] {
            Some(client) => client.left.extend_from_slice(bytes),
            None => self.clients[number] = self.connect(),
        }
        self.feed(number);
    }

    fn feed(&mut self, number: usize) {
        let Some(client) = self.clients[number].as_mut().filter(|client| !client.blocked) else { return };
        let (taken, flow) = self.engine.feed(client.key, &mut client.parser, &client.left, self.now);
        client.left.drain(..taken);
        client.blocked = flow == Flow::Blocked;
    }

    fn pass(&mut self, millis: u8) {
        self.now = self.now + Duration::from_millis(u64::from(millis) * 100);
        self.engine.tick(self.now);
        let next = self.engine.next_deadline();
        assert!(next.is_none_or(|next| next > self.now), "a timer that was due has not fired");
    }

    /// Writes the output of all clients, as the shell does.
    fn settle(&mut self) {
        let mut dirty = Vec::new();
        loop {
            if let Some(until) = self.engine.state().asleep_until {
                self.now = self.now.max(until);
                self.engine.tick(self.now);
            }
            self.engine.take_dirty(&mut dirty);
            if dirty.is_empty() {
                return;
            }
            for key in std::mem::take(&mut dirty) {
                let is = |client: &Option<Client>| client.as_ref().is_some_and(|client| client.key == key);
                if let Some(number) = self.clients.iter().position(is) {
                    self.write(number);
                }
            }
        }
    }

    fn write(&mut self, number: usize) {
        let Some(client) = &mut self.clients[number] else { return };
        let output = self.engine.take_output(client.key, &mut Vec::new());
        self.engine.set_in_flight(client.key, 0);
        if output.close != Close::No {
            self.disconnect(number);
        } else if output.resumed {
            client.blocked = false;
            self.feed(number);
        }
    }

    fn disconnect(&mut self, number: usize) {
        if let Some(client) = self.clients[number].take() {
            self.engine.disconnect(client.key, self.now);
        }
    }

    /// After RESET the state is that of a new engine.
    fn end(mut self) {
        self.disconnect(CLIENTS);
        self.settle();
        // Connections may be refused or too many, so the others are closed first.
        for number in 0..CLIENTS {
            self.disconnect(number);
        }
        let config = &mut self.engine.state_mut().config;
        (config.maxclients, config.requirepass) = (CLIENTS, Vec::new());
        let tester = self.connect().expect("a client can connect");
        let mut reply = Vec::new();
        for line in ["MINIBROKER RESET", "MINIBROKER HELP"] {
            let request = OwnedRequest::new(line.split(' '));
            self.engine.execute(tester.key, request.args(), self.now);
            reply.clear();
            self.engine.take_output(tester.key, &mut reply);
            assert!(judge::replies(&reply, Protocol::Resp2).is_ok(), "{line}: {}", reply.escape_ascii());
        }
        let state = self.engine.state();
        assert_eq!(state.clients.len(), 1);
        assert_eq!(state.waiters.blocked() + state.waiters.keys() + state.waiters.timeouts(), 0);
        assert_eq!((state.faults.rules().count(), state.faults.on_the_way()), (0, 0));
        assert!(state.databases.iter().all(Database::is_empty));
        assert!(state.availability.accepts() && state.watches.is_empty());
        for kind in [Kind::Channel, Kind::Pattern, Kind::Shard] {
            assert_eq!(state.pubsub.names(kind).len(), 0);
        }
        assert!(state.journal.events().is_empty());
    }
}
