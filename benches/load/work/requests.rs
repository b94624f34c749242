//! Clients that repeat a command.

use std::io;
use std::time::{Duration, Instant};

use super::{Effort, LARGE, Load, Outcome, SMALL, measure};
use crate::servers::{Answer, Buffer, Connection, Kind, Server, bulk, lines, request};

/// A slice sends at most this many requests, however fast the server is.
const REQUESTS_MAX: u64 = 4_000_000;
/// How many bytes a slice may store on a server.
const KEPT_MAX: u64 = 100_000_000;
/// How many elements one command adds when a list is filled.
const FILL: usize = 100;
/// How many members and fields there are to choose from.
const MEMBERS: usize = 64;

/// What a script does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Script {
    /// It returns 1.
    One,
    /// It returns the reply of GET.
    Get,
    /// The same, the last of ten times.
    TenGets,
}

impl Script {
    const ALL: [Self; 3] = [Self::One, Self::Get, Self::TenGets];

    fn text(self) -> &'static str {
        match self {
            Self::One => "return 1",
            Self::Get => "return redis.call('GET',KEYS[1])",
            Self::TenGets => "for i=1,9 do redis.call('GET',KEYS[1]) end return redis.call('GET',KEYS[1])",
        }
    }

    /// The SHA-1 of the text.
    fn sha1(self) -> &'static str {
        match self {
            Self::One => "e0e1f9fabfc9d4800c877a703b823ac0578ff8db",
            Self::Get => "620cd258c2c9c88c9d10db67812ccf663d96bdc6",
            Self::TenGets => "0341863d3d0045e37f6837f6212c5de9ac6c413c",
        }
    }

    /// The name of the function with this script.
    fn function(self) -> &'static str {
        match self {
            Self::One => "one",
            Self::Get => "get",
            Self::TenGets => "ten_gets",
        }
    }

    /// A library with all of these functions.
    fn library() -> String {
        let functions = Self::ALL.map(|script| {
            let (name, text) = (script.function(), script.text());
            format!("redis.register_function('{name}', function(KEYS) {text} end)\n")
        });
        format!("#!lua name=load\n{}", functions.concat())
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Command {
    Ping,
    Set,
    Get,
    LPush,
    RPush,
    /// From a list that does not run out.
    LPop,
    /// RPUSH and LPOP in turn.
    Queue,
    /// Members that exist already, except at first.
    SAdd,
    /// As SADD, with the same scores.
    ZAdd,
    XAdd,
    /// As SADD, with other values.
    HSet,
    /// To a channel without subscribers.
    Publish,
    EvalSha(Script),
    FCall(Script),
}

/// A request, and its answer.
struct Exchange {
    request: Vec<u8>,
    /// The reply of a server, or something with as many bytes and lines.
    answer: Vec<u8>,
}

impl Exchange {
    fn new(arguments: &[&str], answer: impl Into<Vec<u8>>) -> Self {
        Self { request: request(arguments), answer: answer.into() }
    }
}

impl Command {
    pub const ALL: [Self; 12] = [
        Self::Ping,
        Self::Set,
        Self::Get,
        Self::LPush,
        Self::RPush,
        Self::LPop,
        Self::Queue,
        Self::SAdd,
        Self::ZAdd,
        Self::XAdd,
        Self::HSet,
        Self::Publish,
    ];

    /// The commands that run scripts, which are not part of the summary.
    pub const SCRIPTS: [Self; 6] = [
        Self::EvalSha(Script::One),
        Self::EvalSha(Script::Get),
        Self::EvalSha(Script::TenGets),
        Self::FCall(Script::One),
        Self::FCall(Script::Get),
        Self::FCall(Script::TenGets),
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Ping => "PING",
            Self::Set => "SET",
            Self::Get => "GET",
            Self::LPush => "LPUSH",
            Self::RPush => "RPUSH",
            Self::LPop => "LPOP",
            Self::Queue => "RPUSH and LPOP",
            Self::SAdd => "SADD",
            Self::ZAdd => "ZADD",
            Self::XAdd => "XADD",
            Self::HSet => "HSET",
            Self::Publish => "PUBLISH",
            Self::EvalSha(Script::One) => "EVALSHA of return 1",
            Self::EvalSha(Script::Get) => "EVALSHA with one GET",
            Self::EvalSha(Script::TenGets) => "EVALSHA with ten GETs",
            Self::FCall(Script::One) => "FCALL of return 1",
            Self::FCall(Script::Get) => "FCALL with one GET",
            Self::FCall(Script::TenGets) => "FCALL with ten GETs",
        }
    }

    /// The sizes of the values that it is measured with.
    pub fn sizes(self) -> &'static [usize] {
        match self {
            Self::Ping | Self::Queue | Self::EvalSha(_) | Self::FCall(_) => &[SMALL],
            _ => &[SMALL, LARGE],
        }
    }

    /// The requests and answers of a client, in order.
    fn exchanges(self, key: &str, size: usize) -> Vec<Exchange> {
        let value = "x".repeat(size);
        // Of the same size, but all different.
        let member = |number: usize| format!("{number:0>size$}");
        let each = |make: &dyn Fn(&str) -> Exchange| (0..MEMBERS).map(|at| make(&member(at))).collect();
        let push = |name: &str| Exchange::new(&[name, key, &value], ":100\r\n");
        let pop = || Exchange::new(&["LPOP", key], bulk(&value));
        match self {
            Self::Ping => vec![Exchange::new(&["PING"], "+PONG\r\n")],
            Self::Set => vec![Exchange::new(&["SET", key, &value], "+OK\r\n")],
            Self::Get => vec![Exchange::new(&["GET", key], bulk(&value))],
            Self::LPush => vec![push("LPUSH")],
            Self::RPush => vec![push("RPUSH")],
            Self::LPop => vec![pop()],
            Self::Queue => vec![push("RPUSH"), pop()],
            Self::SAdd => each(&|member| Exchange::new(&["SADD", key, member], ":0\r\n")),
            Self::ZAdd => each(&|member| Exchange::new(&["ZADD", key, "1", member], ":0\r\n")),
            Self::XAdd => {
                vec![Exchange::new(&["XADD", key, "*", "field", &value], bulk("1700000000000-0"))]
            }
            Self::HSet => each(&|value| {
                Exchange::new(&["HSET", key, &format!("field{}", &value[size - 2..]), value], ":0\r\n")
            }),
            Self::Publish => vec![Exchange::new(&["PUBLISH", key, &value], ":0\r\n")],
            Self::EvalSha(script) | Self::FCall(script) => {
                let answer = if script == Script::One { b":1\r\n".to_vec() } else { bulk(&value) };
                let call = match self {
                    Self::FCall(_) => ["FCALL", script.function()],
                    _ => ["EVALSHA", script.sha1()],
                };
                vec![Exchange::new(&[call[0], call[1], "1", key], answer)]
            }
        }
    }

    /// How many requests a slice may send, so that what grows does not fill the memory and what shrinks does not
    /// run out.
    fn max(self, effort: &Effort, pipeline: usize, size: usize) -> u64 {
        let large = if size == LARGE { 4 } else { 1 };
        match self {
            // About twice what the servers achieve.
            Self::LPop => {
                let in_second = (100_000 + 16_000 * pipeline as u64) / large;
                in_second * u64::try_from(effort.slice.as_millis()).unwrap_or(u64::MAX) / 1000
            }
            Self::LPush | Self::RPush | Self::XAdd => REQUESTS_MAX.min(KEPT_MAX / size as u64),
            _ => REQUESTS_MAX,
        }
    }
}

pub fn run(server: &Server, effort: &Effort, command: Command, pipeline: usize, size: usize) -> Outcome {
    let max = command.max(effort, pipeline, size);
    let mut load = Requests { clients: Vec::new(), buffer: Buffer::new(), times: Vec::new() };
    for number in 0..effort.clients {
        let key = format!("load:{number}");
        let mut connection = Connection::open(server.address)?;
        let exchanges = command.exchanges(&key, size);
        if server.kind == Kind::Bare {
            let answers = exchanges.iter().map(|it| Answer::new(&it.request, it.answer.clone()));
            connection.set_up("", &answers.collect::<Vec<_>>(), &mut load.buffer)?;
        } else {
            connection.ask(&request(["DEL", &key]), 1, &mut load.buffer)?;
            let value = "x".repeat(size);
            if matches!(command, Command::Get | Command::EvalSha(_) | Command::FCall(_)) {
                connection.ask(&request(["SET", &key, &value]), 1, &mut load.buffer)?;
            }
            match command {
                Command::EvalSha(script) => {
                    connection.ask(&request(["SCRIPT", "LOAD", script.text()]), 2, &mut load.buffer)?;
                }
                Command::FCall(_) => {
                    let library = Script::library();
                    let loading = request(["FUNCTION", "LOAD", "REPLACE", &library]);
                    connection.ask(&loading, 2, &mut load.buffer)?;
                }
                _ => {}
            }
            if command == Command::LPop {
                let each = usize::try_from(max).unwrap_or(usize::MAX) / effort.clients + 2 * pipeline;
                let mut fill = vec!["RPUSH", &key];
                fill.extend(std::iter::repeat_n(value.as_str(), FILL));
                let fill = request(fill);
                (0..each.div_ceil(FILL)).try_for_each(|_| connection.ask(&fill, 1, &mut load.buffer))?;
            }
        }
        load.clients.push(Client::new(connection, &exchanges, pipeline));
    }
    let figures = measure(server, effort, max, &mut load)?;
    if server.kind != Kind::Bare {
        for (number, client) in load.clients.iter_mut().enumerate() {
            client.connection.ask(&request(["DEL", &format!("load:{number}")]), 1, &mut load.buffer)?;
        }
    }
    Ok(figures)
}

struct Requests {
    clients: Vec<Client>,
    buffer: Buffer,
    times: Vec<Duration>,
}

impl Load for Requests {
    fn begin(&mut self) -> io::Result<()> {
        self.clients.iter_mut().try_for_each(Client::send)
    }

    fn step(&mut self) -> io::Result<u64> {
        let mut done = 0;
        for client in &mut self.clients {
            done += client.receive(&mut self.buffer)?;
            self.times.push(client.sent.elapsed());
            client.send()?;
        }
        Ok(done)
    }

    fn finish(&mut self) -> io::Result<u64> {
        self.clients.iter_mut().map(|client| client.receive(&mut self.buffer)).sum()
    }

    fn take_times(&mut self) -> Vec<Duration> {
        std::mem::take(&mut self.times)
    }
}

/// Requests that are sent together.
#[derive(Default)]
struct Batch {
    bytes: Vec<u8>,
    requests: u64,
    /// How many lines the answers have.
    lines: usize,
}

/// A client that sends one batch after the other.
struct Client {
    connection: Connection,
    batches: Vec<Batch>,
    /// The next batch.
    at: usize,
    /// When the last batch was sent.
    sent: Instant,
}

impl Client {
    fn new(connection: Connection, exchanges: &[Exchange], pipeline: usize) -> Self {
        let mut in_turn = exchanges.iter().cycle();
        let batches = std::iter::repeat_with(|| {
            let mut batch = Batch::default();
            for exchange in in_turn.by_ref().take(pipeline) {
                batch.bytes.extend_from_slice(&exchange.request);
                batch.requests += 1;
                batch.lines += lines(&exchange.answer);
            }
            batch
        });
        // So many batches that the last ends with the last exchange.
        let count = (1..=exchanges.len()).find(|count| (count * pipeline).is_multiple_of(exchanges.len()));
        let batches = batches.take(count.unwrap_or(1)).collect();
        Self { connection, batches, at: 0, sent: Instant::now() }
    }

    fn send(&mut self) -> io::Result<()> {
        self.sent = Instant::now();
        self.connection.send(&self.batches[self.at].bytes)
    }

    fn receive(&mut self, buffer: &mut Buffer) -> io::Result<u64> {
        let batch = &self.batches[self.at];
        self.connection.read_lines(batch.lines, buffer)?;
        self.at = (self.at + 1) % self.batches.len();
        Ok(batch.requests)
    }
}
