//! Scripts: the commands that they run, their replies, and the state that they leave behind.
//!
//! An input is a line of words and then scripts, separated by lines `---`. The words are the arguments of all scripts;
//! up to two of them are keys. The first byte of a script says how it is sent:
//!
//! - `7`: a new broker is used, with the version Redis 7.0; `8`: with Redis 8.0;
//! - `3`: the client uses RESP3 from here on; `2`: RESP2;
//! - `r`: with EVAL_RO; `m`: in a transaction; `n`: by its SHA-1; `f`: as a function of a library; `l`: as a library;
//! - `e`: with EVAL.
//!
//! There are three other clients: a subscriber, a monitor, and one that waits for keys.

use minibroker::internal::clients::{Address, ClientKey, Close};
use minibroker::internal::config::{Config, Version};
use minibroker::internal::data::Time;
use minibroker::internal::engine::{Engine, Flow};
use minibroker::internal::resp::{Parser, Protocol};

use super::{invariants, judge, requests};

/// The number of instructions after which a script is ended. Each can be a command with an argument as large as the
/// memory limit.
const INSTRUCTIONS: u64 = 10_000;
/// How many bytes the scripts of a broker may hold.
const MEMORY: usize = 1024 * 1024;
/// More scripts than this make a run slow and find nothing new.
const SCRIPTS_MAX: usize = 8;
/// How many of the words are keys at most.
const KEYS_MAX: usize = 2;
/// The time of all requests.
const NOW_MILLIS: i64 = 1_700_000_000_000;

/// A script that shows after each script that the interpreter is intact, and its reply if so.
const PROBE: &[u8] =
    b"return {type(redis.call), redis.call('ping').ok, redis.sha1hex(''), cjson.encode({1}), #KEYS, ARGV[1]}";
const PROBE_REPLY: &[u8] = b"*6\r\n$8\r\nfunction\r\n$4\r\nPONG\r\n$40\r\n\
    da39a3ee5e6b4b0d3255bfef95601890afd80709\r\n$3\r\n[1]\r\n:1\r\n$1\r\na\r\n";

/// A broker, the client that sends the scripts, and the other clients.
struct Run {
    engine: Engine,
    now: Time,
    key: ClientKey,
    protocol: Protocol,
    /// Each with its protocol.
    others: Vec<(ClientKey, Protocol)>,
    decoded: usize,
}

/// Checks one input; returns how many replies and pushes have been decoded.
#[must_use]
pub fn run(input: &[u8]) -> usize {
    let (words, scripts) = input.split_at(input.iter().position(|byte| *byte == b'\n').unwrap_or(0));
    let words = requests::split_inline(words).unwrap_or_default();
    let mut run = Run::new(Version::default());
    let mut decoded = 0;
    for script in sections(scripts).into_iter().take(SCRIPTS_MAX) {
        let Some((&how, text)) = script.split_first() else { continue };
        match how {
            b'7' | b'8' => {
                let version = if how == b'7' { Version::Redis7_0 } else { Version::Redis8_0 };
                decoded += std::mem::replace(&mut run, Run::new(version)).end();
            }
            b'2' => run.set_protocol(Protocol::Resp2),
            b'3' => run.set_protocol(Protocol::Resp3),
            _ => run.script(how, text, &words),
        }
    }
    decoded + run.end()
}

/// The parts between lines of `---`.
fn sections(text: &[u8]) -> Vec<Vec<u8>> {
    let mut sections = vec![Vec::new()];
    for line in text.split(|byte| *byte == b'\n').skip(1) {
        match sections.last_mut() {
            Some(section) if line != b"---" => {
                if !section.is_empty() {
                    section.push(b'\n');
                }
                section.extend_from_slice(line);
            }
            _ => sections.push(Vec::new()),
        }
    }
    sections
}

impl Run {
    fn new(version: Version) -> Self {
        let now = Time::from_millis(NOW_MILLIS);
        let config = Config {
            compat: version,
            // No command may fill the memory of the machine.
            proto_max_bulk_len: 64 * 1024,
            ..Config::default()
        };
        let mut engine = Engine::new(config, 1, now);
        engine.bound_scripts(INSTRUCTIONS, MEMORY);
        let mut connect = || engine.connect(Address::default(), now).expect("there are few clients");
        let key = connect();
        let [subscriber, monitor, waiter] = [connect(), connect(), connect()];
        let others =
            vec![(subscriber, Protocol::Resp3), (monitor, Protocol::Resp2), (waiter, Protocol::Resp2)];
        let mut run = Self { engine, now, key, protocol: Protocol::Resp2, others, decoded: 0 };
        run.request(key, &["CONFIG", "SET", "notify-keyspace-events", "KEA"]);
        run.request(subscriber, &["HELLO", "3"]);
        run.request(subscriber, &["PSUBSCRIBE", "*"]);
        run.request(monitor, &["MONITOR"]);
        run.wait();
        run
    }

    /// Sends a request, and takes the output of the client.
    fn request<A: AsRef<[u8]>>(&mut self, key: ClientKey, request: &[A]) -> Vec<u8> {
        let bytes = requests::encode(request);
        let (run, flow) = self.engine.feed(key, &mut Parser::new(), &bytes, self.now);
        assert_eq!((run, flow), (bytes.len(), Flow::Continue), "\"{}\"", bytes.escape_ascii());
        self.take(key)
    }

    fn take(&mut self, key: ClientKey) -> Vec<u8> {
        let mut bytes = Vec::new();
        assert_eq!(self.engine.take_output(key, &mut bytes).close, Close::No);
        bytes
    }

    /// Makes the last of the others wait for keys, if it does not already.
    fn wait(&mut self) {
        let Some(&(waiter, _)) = self.others.last() else { return };
        if self.engine.client(waiter).is_some_and(|waiter| waiter.blocked.is_none()) {
            let bytes = requests::encode(&["BLPOP", "list", "k", "0"]);
            self.engine.feed(waiter, &mut Parser::new(), &bytes, self.now);
        }
    }

    /// The client uses this protocol from here on.
    fn set_protocol(&mut self, protocol: Protocol) {
        self.request(self.key, &["HELLO", if protocol == Protocol::Resp2 { "2" } else { "3" }]);
        self.protocol = protocol;
    }

    /// Sends a script, with these words as its arguments.
    fn script(&mut self, how: u8, text: &[u8], words: &[Vec<u8>]) {
        let keys = words.len().min(KEYS_MAX).to_string();
        let with = |command: &[&[u8]]| {
            let command = command.iter().map(|word| word.to_vec());
            command.chain([keys.clone().into_bytes()]).chain(words.iter().cloned()).collect::<Vec<_>>()
        };
        match how {
            b'r' => self.check(&with(&[b"EVAL_RO", text])),
            b'm' => {
                self.check(&[&b"MULTI"[..]]);
                self.check(&with(&[b"EVAL", text]));
                self.check(&[&b"SELECT"[..], b"0"]);
                self.check(&[&b"EXEC"[..]]);
            }
            b'n' => {
                let loaded = self.request(self.key, &[&b"SCRIPT"[..], b"LOAD", text]);
                // `$40`, the name, and a line end each.
                let name = loaded.get(5..45).unwrap_or(b"no");
                self.check(&with(&[b"EVALSHA", name]));
            }
            b'f' => {
                let library =
                    [b"#!lua name=l\nredis.register_function('f', function(KEYS, ARGV) ", text, b"\nend)"];
                self.check(&[&b"FUNCTION"[..], b"LOAD", b"REPLACE", &library.concat()]);
                self.check(&with(&[b"FCALL", b"f"]));
            }
            b'l' => {
                self.check(&[&b"FUNCTION"[..], b"LOAD", b"REPLACE", text]);
                self.check(&[&b"FUNCTION"[..], b"LIST", b"WITHCODE"]);
                self.check(&with(&[b"FCALL_RO", b"f"]));
            }
            _ => self.check(&with(&[b"EVAL", text])),
        }
        let probe = self.request(self.key, &[&b"EVAL"[..], PROBE, b"1", b"k", b"a"]);
        assert_eq!(probe.escape_ascii().to_string(), PROBE_REPLY.escape_ascii().to_string());
        self.wait();
    }

    /// Sends a request that gets one reply, and checks the output of the others and the engine afterwards.
    fn check<A: AsRef<[u8]>>(&mut self, request: &[A]) {
        let reply = self.request(self.key, request);
        assert_eq!(judge::count(&reply), Some(1), "\"{}\"", reply.escape_ascii());
        self.decoded += 1;
        self.check_others();
    }

    /// Checks the output of the others, and the engine.
    fn check_others(&mut self) {
        for (key, protocol) in self.others.clone() {
            let bytes = self.take(key);
            match judge::replies(&bytes, protocol) {
                Ok(count) => self.decoded += count,
                Err(error) => panic!("{error}"),
            }
        }
        invariants::between_requests(self.engine.state());
        let client = self.engine.client(self.key).expect("the client stays");
        assert_eq!((client.db, client.protocol), (0, self.protocol), "the script has changed its client");
        assert!(self.engine.state().busy.is_none(), "no script runs");
    }

    /// All clients disconnect.
    fn end(mut self) -> usize {
        for key in self.others.iter().map(|(key, _)| *key).chain([self.key]) {
            self.engine.disconnect(key, self.now);
        }
        invariants::of_emptiness(self.engine.state());
        invariants::of_values(&mut self.engine, self.now);
        self.decoded
    }
}
