//! Random programs, run on `minibroker` and on a real server.
//!
//! A family of commands defines how its random commands are made ([`Family`]). A program is some dozens of such
//! commands, sent as one pipeline to an empty server, followed by questions that read everything that the program may
//! have left. Every reply has to be the same. A program that finds a difference is shrunk until nothing can be left
//! out, and printed as redis-cli would read it.
//!
//! The judge is Redis of the default version of `minibroker`. Some programs are [`recorded`] with the answers
//! of all servers, and played on any machine.
//!
//! ```text
//! PROGRAMS=100000        how many commands a family runs at least; a few thousand, if not set
//! PROGRAMS_SEED=7        other programs than the usual ones
//! PROGRAMS_AGAINST=redis-7.0      another judge; what it is known to do otherwise is in [`Family::known`]
//! cargo test -q --test comparison programs::sets
//! ```
//!
//! # How a family is written
//!
//! A [`Piece`] makes some arguments. [`words`], [`key`], [`integer`] and the like are pieces, [`maybe`],
//! [`times`] and [`either`] make pieces of pieces, [`call`] makes a command of them:
//!
//! ```text
//! call("LPOS", [key(), element(), maybe(option("RANK", integer())), maybe(option("COUNT", integer()))])
//! ```
//!
//! A family need not make wrong commands: of every hundred commands some lose, repeat, swap or spoil an argument. A
//! command that may block is sent only between MULTI and EXEC, where nothing blocks. Times have to be far away and
//! absolute, and ids of entries explicit. Commands whose replies are unordered or random have the markers of the case
//! files (`marked`).

mod arguments;
mod bitmaps;
mod encodings;
mod everything;
mod geo;
mod hashes;
mod hyperloglog;
mod keys;
mod lists;
mod recorded;
mod scripts;
mod sets;
mod sorted_sets;
mod streams;
mod strings;

use std::{
    cell::Cell,
    env,
    fmt::Write as _,
    io::{Read, Write},
    net::TcpStream,
};

use minibroker::internal::conform::{control::TIMEOUT, markers::Markers, wire};
use proptest::{
    prelude::*,
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};

use crate::{
    servers::{self, Server},
    skipped,
};

/// How many commands a family runs if `PROGRAMS` is not set.
const COMMANDS: usize = 3_000;

/// How many commands a program has at most.
const LONGEST: usize = 50;

/// A request, and how its replies may differ.
#[derive(Clone, Debug)]
pub struct Command {
    arguments: Vec<Vec<u8>>,
    /// The words of the markers.
    words: String,
    markers: Markers,
}

impl Command {
    /// Whether the command may block.
    fn may_wait(&self) -> bool {
        let is = |argument: &[u8], words: &[&str]| {
            words.iter().any(|word| argument.eq_ignore_ascii_case(word.as_bytes()))
        };
        is(&self.arguments[0], WAITING)
            || is(&self.arguments[0], &["XREAD", "XREADGROUP"])
                && self.arguments.iter().any(|argument| is(argument, &["BLOCK"]))
    }
}

/// Commands that block; XREAD and XREADGROUP only with BLOCK.
const WAITING: &[&str] = &[
    "BLPOP",
    "BRPOP",
    "BLMOVE",
    "BRPOPLPUSH",
    "BLMPOP",
    "BZPOPMIN",
    "BZPOPMAX",
    "BZMPOP",
    "WAIT",
    "WAITAOF",
];

/// How a random program of a family is made.
pub struct Family {
    /// Makes a command.
    pub commands: BoxedStrategy<Command>,
    /// The commands that read a key, besides TYPE, its encoding, its expiry and its value, in redis-cli's quoting.
    /// `{key}` is the key; markers such as `~unordered` may come first, as in the case files.
    pub questions: &'static [&'static str],
    /// Whether a difference to a server is known: the name of the server, the request, its answer and ours.
    pub known: fn(&str, &[Vec<u8>], &str, &str) -> bool,
}

/// For families without known differences.
pub fn nothing(_: &str, _: &[Vec<u8>], _: &str, _: &str) -> bool {
    false
}

/// The commands that read any key.
const QUESTIONS: &[&str] = &[
    "TYPE {key}",
    "OBJECT ENCODING {key}",
    "PEXPIRETIME {key}",
    "GET {key}",
    "LRANGE {key} 0 -1",
    "~unordered SMEMBERS {key}",
    "~pairs HGETALL {key}",
    "ZRANGE {key} 0 -1 WITHSCORES",
    "XRANGE {key} - +",
];

macro_rules! families {
    ($($test:ident),* $(,)?) => {
        /// All families, by their names.
        fn all() -> Vec<(&'static str, Family)> {
            vec![
                $((stringify!($test), $test::family()),)*
                ("fields_that_expire", hashes::expiring()),
                ("fields_that_expire_in_small_hashes", hashes::ordered()),
                ("sorted_sets_by_name", sorted_sets::by_name()),
            ]
        }

        $(
            #[test]
            fn $test() {
                if let Err(report) = compare($test::family()) {
                    panic!("{report}");
                }
            }
        )*
    };
}

// A family is a module here and a word in this list.
families! {
    bitmaps,
    encodings,
    everything,
    geo,
    hashes,
    hyperloglog,
    keys,
    lists,
    scripts,
    sets,
    sorted_sets,
    streams,
    strings,
}

#[test]
fn fields_that_expire() {
    if let Err(report) = compare(hashes::expiring()) {
        panic!("{report}");
    }
}

#[test]
fn fields_that_expire_in_small_hashes() {
    if let Err(report) = compare(hashes::ordered()) {
        panic!("{report}");
    }
}

#[test]
fn sorted_sets_by_name() {
    if let Err(report) = compare(sorted_sets::by_name()) {
        panic!("{report}");
    }
}

fn number(name: &str) -> Option<usize> {
    env::var(name).ok().and_then(|text| text.parse().ok())
}

/// The server to compare with, if this machine has it.
pub fn judge() -> Result<Option<Server>, String> {
    let wanted = env::var("PROGRAMS_AGAINST").ok();
    let spoken = format!("redis-{}", minibroker::Version::default());
    let is_wanted = |server: &Server| server.name == *wanted.as_ref().unwrap_or(&spoken);
    let judge = servers::real().find(|server| server.as_ref().map_or(true, is_wanted)).transpose()?;
    if judge.is_none() {
        if wanted.is_some() {
            return Err("PROGRAMS_AGAINST names a server that this machine does not have".into());
        }
        skipped::missing("redis-server 8.2");
    }
    Ok(judge)
}

fn compare(family: Family) -> Result<(), String> {
    let Some(judge) = judge()? else { return Ok(()) };
    let minibroker = servers::minibroker(judge.version())?;
    let questions = read_questions(family.questions)?;
    let commands = number("PROGRAMS").unwrap_or(COMMANDS);
    let seed = number("PROGRAMS_SEED").unwrap_or(0);
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&(seed as u64).to_le_bytes());
    let random = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    // On average, a program has half of its maximum number of commands.
    let cases = u32::try_from(commands.div_ceil(LONGEST / 2)).unwrap_or(u32::MAX);
    let config = Config { cases, failure_persistence: None, max_shrink_iters: 4_000, ..Config::default() };
    let programs = proptest::collection::vec(arguments::spoiled(family.commands), 1..LONGEST);
    let ways = (any::<bool>(), prop::bool::weighted(0.1))
        .prop_map(|(resp3, transaction)| Way { resp3, transaction });
    let ended = Cell::new(false);
    let outcome = TestRunner::new_with_rng(config, random).run(&(programs, ways), |(program, way)| {
        // After the server has ended, the program cannot be shrunk.
        if ended.get() {
            return Ok(());
        }
        let program: Vec<Command> =
            program.into_iter().filter(|command| way.transaction || !command.may_wait()).collect();
        let converse = |server| run_on(server, &program, &questions, way);
        let replies = converse(&judge).and_then(|real| Ok((real, converse(&minibroker)?)));
        let (real, ours) = replies.map_err(|error| {
            ended.set(true);
            let requests: Vec<_> = program.iter().map(|command| shown(&command.arguments)).collect();
            TestCaseError::fail(format!("{error}, {way}:\n    {}", requests.join("\n    ")))
        })?;
        same(&judge.name, (&program, &questions), way, (&real, &ours), family.known)
            .map_err(TestCaseError::fail)
    });
    match outcome {
        Ok(()) => Ok(()),
        // Without the program as proptest shows it: the report has it in redis-cli's words.
        Err(proptest::test_runner::TestError::Fail(reason, _)) => Err(reason.message().to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

fn read_questions(more: &[&str]) -> Result<Vec<Command>, String> {
    let mut questions = Vec::new();
    for key in arguments::KEYS {
        for question in QUESTIONS.iter().chain(more) {
            let mut command =
                Command { arguments: Vec::new(), words: String::new(), markers: Markers::default() };
            for word in wire::split(&question.replace("{key}", key))? {
                match word.strip_prefix(b"~") {
                    Some(marker) => {
                        command.words = String::from_utf8_lossy(marker).into_owned();
                        command.markers.add(&command.words)?;
                    }
                    None => command.arguments.push(word),
                }
            }
            questions.push(command);
        }
    }
    Ok(questions)
}

/// How a program is run.
#[derive(Clone, Copy, Debug)]
struct Way {
    resp3: bool,
    /// Between MULTI and EXEC.
    transaction: bool,
}

impl std::fmt::Display for Way {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let transaction = if self.transaction { ", between MULTI and EXEC" } else { "" };
        write!(out, "in RESP{}{transaction}", 2 + u8::from(self.resp3))
    }
}

/// Reports the first difference between the replies of the judge and of `minibroker`.
fn same(
    judge: &str,
    (program, questions): (&[Command], &[Command]),
    way: Way,
    (real, ours): (&[Vec<u8>], &[Vec<u8>]),
    known: fn(&str, &[Vec<u8>], &str, &str) -> bool,
) -> Result<(), String> {
    let commands: Vec<&Command> = program.iter().chain(questions).collect();
    for (index, (real, ours)) in real.iter().zip(ours).enumerate() {
        let command = commands[index];
        if command.markers.same_bytes(real, ours) {
            continue;
        }
        let (real, ours) = (wire::show(real), wire::show(ours));
        let (all_real, all_ours) = (real.join("\n"), ours.join("\n"));
        if known(judge, &command.arguments, &all_real, &all_ours) {
            continue;
        }
        let mut report = format!("{judge} answers otherwise (- it, + minibroker), {way}:\n");
        // Questions change nothing: only the one with the difference is shown.
        for command in program.iter().take(index).chain([command]) {
            let _ = writeln!(report, "    {}", shown(&command.arguments));
        }
        for line in wire::diff(&real, &ours) {
            let _ = writeln!(report, "        {line}");
        }
        return Err(report);
    }
    Ok(())
}

fn shown(arguments: &[Vec<u8>]) -> String {
    let plain = |argument: &[u8]| {
        !argument.is_empty()
            && argument.iter().all(|byte| byte.is_ascii_graphic() && !b"\"'\\".contains(byte))
    };
    let shown = arguments.iter().map(|argument| {
        if plain(argument) { String::from_utf8_lossy(argument).into_owned() } else { wire::quoted(argument) }
    });
    shown.collect::<Vec<_>>().join(" ")
}

/// The bytes of the reply to each command, on a fresh connection to an emptied server. A command within a transaction
/// has two replies: QUEUED or an error, and its part of the reply to EXEC.
fn run_on(
    server: &Server,
    program: &[Command],
    questions: &[Command],
    way: Way,
) -> Result<Vec<Vec<u8>>, String> {
    let word = |word: &str| vec![word.as_bytes().to_vec()];
    let mut requests = vec![vec![b"HELLO".to_vec(), if way.resp3 { b"3".to_vec() } else { b"2".to_vec() }]];
    requests.push(word("FLUSHALL"));
    requests.extend(way.transaction.then(|| word("MULTI")));
    requests.extend(program.iter().map(|command| command.arguments.clone()));
    requests.extend(way.transaction.then(|| word("EXEC")));
    requests.extend(questions.iter().map(|command| command.arguments.clone()));
    let mut replies = converse(server, &requests)?.split_off(2);
    if way.transaction {
        let read_out = replies.split_off(program.len() + 2);
        let executed = replies.pop().unwrap_or_default();
        let executed = parts(&executed, program.len());
        replies.remove(0);
        for (queued, executed) in replies.iter_mut().zip(executed) {
            queued.extend(executed);
        }
        replies.extend(read_out);
    }
    Ok(replies)
}

/// The bytes of the reply to each request, all of them sent at once on a fresh connection.
fn converse(server: &Server, requests: &[Vec<Vec<u8>>]) -> Result<Vec<Vec<u8>>, String> {
    let told = |error: std::io::Error| format!("{}: {error}", server.name);
    let mut stream = TcpStream::connect(server.addr).map_err(told)?;
    stream.set_nodelay(true).map_err(told)?;
    stream.set_read_timeout(Some(TIMEOUT)).map_err(told)?;
    stream
        .write_all(&requests.iter().flat_map(|request| wire::request(request)).collect::<Vec<_>>())
        .map_err(told)?;
    let (mut bytes, mut replies, mut start) = (Vec::new(), Vec::new(), 0);
    let mut chunk = vec![0; 64 * 1024];
    while replies.len() < requests.len() {
        let no_answer = || format!("{} gives no answer to {}", server.name, shown(&requests[replies.len()]));
        match wire::frame(&bytes[start..]) {
            Some((_, rest)) => {
                let end = bytes.len() - rest.len();
                replies.push(bytes[start..end].to_vec());
                start = end;
            }
            None => match stream.read(&mut chunk) {
                Ok(0) => return Err(no_answer()),
                Ok(read) => bytes.extend_from_slice(&chunk[..read]),
                Err(error) => return Err(format!("{}: {error}", no_answer())),
            },
        }
    }
    Ok(replies)
}

/// The elements of the reply to EXEC; if it is an error, or has another number of elements, the whole reply for each
/// command.
fn parts(executed: &[u8], count: usize) -> Vec<Vec<u8>> {
    let head = executed.windows(2).position(|two| two == b"\r\n").map_or(0, |end| end + 2);
    let (mut parts, mut rest) = (Vec::new(), &executed[head..]);
    while let Some((_, after)) = wire::frame(rest) {
        parts.push(rest[..rest.len() - after.len()].to_vec());
        rest = after;
    }
    if executed.starts_with(b"*") && parts.len() == count { parts } else { vec![executed.to_vec(); count] }
}
