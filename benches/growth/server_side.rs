//! Many clients and large collections on real servers: the CPU time of one request or delivery, and the memory of one
//! more connection, subscription or element.
//!
//! Each case has its own process of each server, in which it grows from size to size.

use std::io;
use std::time::{Duration, Instant};

use crate::servers::{Buffer, Connection, Program, Server, allow_files, lines, request};

const MESSAGE: &str = "a message of the usual length: hi";
/// How many requests are sent at once where they are cheap.
const PIPELINE: usize = 64;
/// How many subscriptions or elements one request adds.
const IN_ONE: usize = 100;
/// How many messages are published at once, to few subscribers as to many.
const MESSAGES: usize = 8;
/// Each size is measured this many times; the median counts.
const SLICES: usize = 5;

/// What grows, and the requests that are measured.
trait Case {
    /// Makes it larger.
    fn grow(&mut self, server: &Server, from: usize, to: usize) -> io::Result<()>;

    /// Sends requests once; returns how much the server did.
    fn step(&mut self, size: usize) -> io::Result<u64>;
}

type New = Box<dyn Fn(&Server) -> io::Result<Box<dyn Case>>>;

struct Kind {
    name: String,
    sizes: &'static [usize],
    /// The thing whose memory is measured.
    one: &'static str,
    new: New,
}

const CROWDS: [usize; 4] = [10, 100, 1_000, 10_000];
const CHANNELS: [usize; 4] = [100, 1_000, 10_000, 100_000];
const ITEMS: [usize; 4] = [1_000, 10_000, 100_000, 1_000_000];
/// The sizes of a short run.
const SMOKE_SIZES: [usize; 2] = [20, 100];

/// Patterns that do not match the channel `load`: those of a chat, and those that begin with a star.
const PATTERNS: [(&str, &str); 2] = [("room:{}:*", "that begin alike"), ("*:room:{}", "that begin with *")];

/// The commands on a collection, and the number of lines of their replies. `{new}` is a number that grows, `{any}` is
/// an entry that exists, and `{last}` the tenth from the end.
type Operation = (&'static str, usize);

const QUEUE: Operation = ("RPUSH k {message} ; LPOP k", 3);
const STREAM: [Operation; 4] = [
    ("XADD k {new}-0 field value ; XDEL k {new}-0", 3),
    // Each entry has eight lines.
    ("XRANGE k {any}-0 + COUNT 10", 81),
    ("XREVRANGE k + - COUNT 10", 81),
    ("XREAD COUNT 10 STREAMS k {last}-0", 85),
];

fn kinds() -> Vec<Kind> {
    let mut kinds = vec![
        Kind {
            name: "PUBLISH, per delivery, by subscribers".into(),
            sizes: &CROWDS,
            one: "subscriber",
            new: Box::new(|server| {
                Ok(Box::new(Subscribers { publisher: Client::open(server)?, subscribers: vec![] }))
            }),
        },
        Kind {
            name: "PUBLISH to one subscriber, by other channels".into(),
            sizes: &CHANNELS,
            one: "channel",
            new: Box::new(|server| Others::open(server, "SUBSCRIBE", "room:{}")),
        },
    ];
    kinds.extend(PATTERNS.map(|(pattern, kind)| Kind {
        name: format!("PUBLISH to one subscriber, by other patterns {kind}"),
        sizes: &CROWDS,
        one: "pattern",
        new: Box::new(move |server| Others::open(server, "PSUBSCRIBE", pattern)),
    }));
    kinds.push(Kind {
        name: "PING of one client, by idle connections".into(),
        sizes: &CROWDS,
        one: "connection",
        new: Box::new(|server| Ok(Box::new(Idle { busy: Client::open(server)?, idle: vec![] }))),
    });
    kinds.push(collection("queue", "RPUSH k", |_| MESSAGE.replace(' ', "_"), QUEUE));
    kinds.extend(STREAM.map(|operation| collection("stream", "", |_| String::new(), operation)));
    kinds
}

fn collection(name: &str, fill: &'static str, element: fn(usize) -> String, operation: Operation) -> Kind {
    let new: New = Box::new(move |server| {
        let client = Client::open(server)?;
        Ok(Box::new(Collection {
            client,
            fill,
            element,
            operation,
            random: fastrand::Rng::with_seed(1),
            new: 0,
            ids: Vec::new(),
        }))
    });
    Kind { name: format!("{name}: {}", operation.0), sizes: &ITEMS, one: "element", new }
}

/// Measures what is selected, on all servers.
pub fn run(is_selected: impl Fn(&str) -> bool, smoke: bool) -> io::Result<()> {
    allow_files();
    let programs = Program::all();
    let slice = Duration::from_millis(if smoke { 5 } else { 100 });
    for kind in kinds().iter().filter(|kind| is_selected(&kind.name)) {
        let sizes = if smoke { &SMOKE_SIZES } else { kind.sizes };
        head(&kind.name, sizes, kind.one);
        for program in &programs {
            let (times, bytes) = measure(kind, sizes, program, slice)
                .map_err(|error| io::Error::other(format!("{}: {}: {error}", program.name, kind.name)))?;
            line(&program.name, &times, bytes);
        }
    }
    Ok(())
}

fn head(name: &str, sizes: &[usize], one: &str) {
    let sizes = sizes.iter().map(|size| format!("{size:>10}")).collect::<Vec<_>>().concat();
    println!("\n{name}\n{:<20}{sizes}    CPU µs, growth, bytes per {one}", "");
}

fn line(server: &str, times: &[f64], bytes: Option<f64>) {
    let growth = times[times.len() - 1] / times[0];
    let times = times.iter().map(|time| format!("{time:>10.3}")).collect::<Vec<_>>().concat();
    let bytes = bytes.map_or("-".into(), |bytes| format!("{bytes:.0}"));
    println!("{server:<20}{times}    {growth:>5.1} {bytes:>10}");
}

/// The CPU time at each size, and the memory of one more connection, subscription or element.
#[allow(clippy::cast_precision_loss)]
fn measure(
    kind: &Kind,
    sizes: &[usize],
    program: &Program,
    slice: Duration,
) -> io::Result<(Vec<f64>, Option<f64>)> {
    let server = program.start().map_err(io::Error::other)?;
    let mut case = (kind.new)(&server)?;
    let (mut times, mut memory, mut from) = (Vec::new(), Vec::new(), 0);
    for size in sizes {
        case.grow(&server, from, *size)?;
        from = *size;
        memory.push(server.memory());
        let mut slices = Vec::new();
        for _ in 0..SLICES {
            server.settle();
            let before = server.cpu();
            let (mut done, started) = (0, Instant::now());
            while started.elapsed() < slice {
                done += case.step(*size)?;
            }
            server.settle();
            let used = server.cpu().zip(before).map(|(after, before)| after.saturating_sub(before));
            slices.push(used.unwrap_or_default().as_secs_f64() * 1e6 / done as f64);
        }
        slices.sort_by(f64::total_cmp);
        times.push(slices[SLICES / 2]);
    }
    let [.., Some(before), Some(after)] = memory[..] else { return Ok((times, None)) };
    let [.., fewer, more] = sizes else { return Ok((times, None)) };
    Ok((times, Some((after.saturating_sub(before)) as f64 / (more - fewer) as f64)))
}

struct Client {
    connection: Connection,
    buffer: Buffer,
}

impl Client {
    fn open(server: &Server) -> io::Result<Self> {
        Ok(Self { connection: Connection::open(server.address)?, buffer: Buffer::new() })
    }

    fn ask(&mut self, bytes: &[u8], lines: usize) -> io::Result<()> {
        self.connection.ask(bytes, lines, &mut self.buffer)
    }
}

fn message_lines() -> usize {
    lines(&request(["message", "load", MESSAGE]))
}

/// A publisher, and the subscribers that get each of its messages.
struct Subscribers {
    publisher: Client,
    subscribers: Vec<Connection>,
}

impl Case for Subscribers {
    fn grow(&mut self, server: &Server, from: usize, to: usize) -> io::Result<()> {
        for _ in from..to {
            let mut subscriber = Connection::open(server.address)?;
            subscriber.ask(&request(["SUBSCRIBE", "load"]), 6, &mut self.publisher.buffer)?;
            self.subscribers.push(subscriber);
        }
        Ok(())
    }

    fn step(&mut self, size: usize) -> io::Result<u64> {
        self.publisher.connection.send(&request(["PUBLISH", "load", MESSAGE]).repeat(MESSAGES))?;
        for subscriber in &mut self.subscribers {
            subscriber.read_lines(message_lines() * MESSAGES, &mut self.publisher.buffer)?;
        }
        self.publisher.connection.read_lines(MESSAGES, &mut self.publisher.buffer)?;
        Ok((size * MESSAGES) as u64)
    }
}

/// A publisher and one subscriber, besides a client with many other subscriptions.
struct Others {
    publisher: Client,
    subscriber: Connection,
    other: Connection,
    subscribe: &'static str,
    name: &'static str,
}

impl Others {
    fn open(server: &Server, subscribe: &'static str, name: &'static str) -> io::Result<Box<dyn Case>> {
        let mut publisher = Client::open(server)?;
        let mut subscriber = Connection::open(server.address)?;
        subscriber.ask(&request(["SUBSCRIBE", "load"]), 6, &mut publisher.buffer)?;
        let other = Connection::open(server.address)?;
        Ok(Box::new(Self { publisher, subscriber, other, subscribe, name }))
    }
}

impl Case for Others {
    fn grow(&mut self, _: &Server, from: usize, to: usize) -> io::Result<()> {
        for first in (from..to).step_by(IN_ONE) {
            let names: Vec<String> = (first..to.min(first + IN_ONE))
                .map(|number| self.name.replace("{}", &number.to_string()))
                .collect();
            let mut command = vec![self.subscribe];
            command.extend(names.iter().map(String::as_str));
            self.other.ask(&request(&command), 6 * names.len(), &mut self.publisher.buffer)?;
        }
        Ok(())
    }

    fn step(&mut self, _: usize) -> io::Result<u64> {
        let batch = request(["PUBLISH", "load", MESSAGE]).repeat(PIPELINE);
        self.publisher.ask(&batch, PIPELINE)?;
        self.subscriber.read_lines(message_lines() * PIPELINE, &mut self.publisher.buffer)?;
        Ok(PIPELINE as u64)
    }
}

/// One client that sends requests, and many that are idle.
struct Idle {
    busy: Client,
    idle: Vec<Connection>,
}

impl Case for Idle {
    fn grow(&mut self, server: &Server, from: usize, to: usize) -> io::Result<()> {
        for _ in from..to {
            let mut connection = Connection::open(server.address)?;
            connection.ask(&request(["PING"]), 1, &mut self.busy.buffer)?;
            self.idle.push(connection);
        }
        Ok(())
    }

    fn step(&mut self, _: usize) -> io::Result<u64> {
        let ping = request(["PING"]);
        (0..PIPELINE).try_for_each(|_| self.busy.ask(&ping, 1))?;
        Ok(PIPELINE as u64)
    }
}

/// A list or a stream.
struct Collection {
    client: Client,
    /// The command that fills a list, with many elements at once; nothing for a stream.
    fill: &'static str,
    element: fn(usize) -> String,
    operation: Operation,
    random: fastrand::Rng,
    new: usize,
    /// The entries of a stream.
    ids: Vec<usize>,
}

impl Case for Collection {
    fn grow(&mut self, _: &Server, from: usize, to: usize) -> io::Result<()> {
        for first in (from..to).step_by(IN_ONE) {
            let numbers = first..to.min(first + IN_ONE);
            if self.fill.is_empty() {
                let mut bytes = Vec::new();
                for _ in numbers.clone() {
                    self.new += 1;
                    self.ids.push(self.new);
                    bytes.extend(request(["XADD", "k", &format!("{}-0", self.new), "field", "value"]));
                }
                // An identifier in two lines.
                self.client.ask(&bytes, 2 * numbers.len())?;
            } else {
                let mut words: Vec<String> = self.fill.split(' ').map(str::to_owned).collect();
                words.extend(numbers.map(self.element));
                self.client.ask(&request(&words), 1)?;
            }
        }
        Ok(())
    }

    fn step(&mut self, size: usize) -> io::Result<u64> {
        let mut bytes = Vec::new();
        let id = |at: usize| self.ids.get(at).copied().unwrap_or_default().to_string();
        let last = id(size - 11);
        for _ in 0..PIPELINE {
            self.new += 1;
            // Ten entries follow it.
            let any = id(self.random.usize(..=size - 10));
            let text = self.operation.0.replace("{any}", &any).replace("{new}", &self.new.to_string());
            let text = text.replace("{last}", &last);
            for command in text.split(" ; ") {
                let words = command.split(' ').map(|word| if word == "{message}" { MESSAGE } else { word });
                bytes.extend(request(words.collect::<Vec<_>>()));
            }
        }
        self.client.ask(&bytes, self.operation.1 * PIPELINE)?;
        Ok((PIPELINE * self.operation.0.split(" ; ").count()) as u64)
    }
}
