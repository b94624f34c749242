//! The parts, each alone: parser, reply writer, engine, crowds, patterns, the in-memory connection, the start, snapshots.
//!
//! ```text
//! cargo bench --bench parts                 # everything
//! cargo bench --bench parts -- engine       # what has this in its name
//! cargo bench --bench parts -- --quick
//! ```
//!
//! Our parser and writer are compared with redis-protocol in its fastest form, which copies nothing. The load bench
//! measures what a request costs over a socket, compared with real servers.

mod driven;

use std::hint::black_box;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use driven::{Driven, NOW, request};
use minibroker::internal::config::Config;
use minibroker::internal::data::pattern;
use minibroker::internal::engine::Engine;
use minibroker::internal::resp::{Limits, OwnedRequest, Parser, Protocol, Reply};
use minibroker::internal::testing::Recorder;
use minibroker::{Broker, ClientStream, DEFAULT_JOURNAL_LIMIT, Snapshot};
use redis_protocol::resp2;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// How many requests are sent together in a pipeline.
const PIPELINE: usize = 64;
const MESSAGE: &str = "a message of the usual length: hi";

fn parser(c: &mut Criterion) {
    let mut group = c.benchmark_group("parser");
    let long = "x".repeat(1024);
    let many: Vec<_> = std::iter::once("RPUSH").chain(std::iter::repeat_n("element", 100)).collect();
    let requests = [
        ("PING", request(&["PING"])),
        ("SET", request(&["SET", "key", "value"])),
        ("SET of 1 KB", request(&["SET", "key", &long])),
        ("RPUSH of 100", request(&many)),
    ];
    for (name, bytes) in requests {
        group.throughput(Throughput::Bytes(bytes.len() as u64));
        group.bench_function(BenchmarkId::new("minibroker", name), |b| {
            let (mut parser, limits) = (Parser::new(), Limits::default());
            b.iter(|| {
                let length = parser.parse(black_box(&bytes), &limits);
                assert_eq!(length, Ok(Some(bytes.len())));
                parser.args(&bytes).len()
            });
        });
        group.bench_function(BenchmarkId::new("redis-protocol", name), |b| {
            b.iter(|| {
                let frame = resp2::decode::decode_range(black_box(&bytes));
                assert!(matches!(&frame, Ok(Some((_, length))) if *length == bytes.len()));
                frame
            });
        });
    }
    group.finish();
}

fn writer(c: &mut Criterion) {
    use redis_protocol::resp2::types::BorrowedFrame;

    let mut group = c.benchmark_group("writer");
    let parts: [&[u8]; 3] = [b"message", b"chat", MESSAGE.as_bytes()];
    group.bench_function("minibroker/message", |b| {
        let mut out = Vec::with_capacity(1024);
        b.iter(|| {
            out.clear();
            let mut reply = Reply::new(&mut out, Protocol::Resp2);
            reply.push(3);
            for part in black_box(&parts) {
                reply.bulk(part);
            }
            out.len()
        });
    });
    group.bench_function("redis-protocol/message", |b| {
        let mut out = vec![0; 1024];
        b.iter(|| {
            let frames = black_box(&parts).map(BorrowedFrame::BulkString);
            resp2::encode::encode_borrowed(&mut out, &BorrowedFrame::Array(&frames), false)
        });
    });
    group.bench_function("minibroker/integer", |b| {
        let mut out = Vec::with_capacity(1024);
        b.iter(|| {
            out.clear();
            Reply::new(&mut out, Protocol::Resp2).integer(black_box(123_456));
            out.len()
        });
    });
    group.bench_function("redis-protocol/integer", |b| {
        let mut out = vec![0; 1024];
        b.iter(|| {
            resp2::encode::encode_borrowed(&mut out, &BorrowedFrame::Integer(black_box(123_456)), false)
        });
    });
    group.finish();
}

type NewDriven = fn() -> Driven;

/// Without and with the journal that an embedded broker has.
const JOURNALS: [(NewDriven, &str); 2] = [(Driven::new, ""), (recorded, ", recorded")];

fn recorded() -> Driven {
    let mut driven = Driven::new();
    driven.engine.state_mut().journal = Recorder::new(DEFAULT_JOURNAL_LIMIT, NOW);
    driven
}

/// The data before the first command.
const FILL: [&[&str]; 8] = [
    &["SET", "key", MESSAGE],
    &["HSET", "session", "user", MESSAGE, "room", MESSAGE],
    &["SADD", "members", "one", "two", "three"],
    &["ZADD", "scores", "1", "one", "2", "two", "3", "three"],
    &["RPUSH", "list", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"],
    &["XADD", "log", "1-0", "field", MESSAGE],
    &["XADD", "log", "2-0", "field", MESSAGE],
    &["MSET", "one", MESSAGE, "two", MESSAGE, "three", MESSAGE],
];

/// Commands that do not change the size of any value; those of a pair are sent in turns.
const COMMANDS: [(&str, &[&[&str]]); 25] = [
    ("PING", &[&["PING"]]),
    ("SET", &[&["SET", "key", MESSAGE]]),
    ("SET with EX", &[&["SET", "passing", MESSAGE, "EX", "100"]]),
    ("GET", &[&["GET", "key"]]),
    ("INCR", &[&["INCR", "counter"]]),
    ("MGET of 3", &[&["MGET", "one", "two", "three"]]),
    ("MSET of 3", &[&["MSET", "one", MESSAGE, "two", MESSAGE, "three", MESSAGE]]),
    ("EXPIRE", &[&["EXPIRE", "key", "100"]]),
    ("EXISTS", &[&["EXISTS", "key"]]),
    ("DEL of a new key", &[&["SET", "new", MESSAGE], &["DEL", "new"]]),
    ("RPUSH and LPOP", &[&["RPUSH", "queue", MESSAGE], &["LPOP", "queue"]]),
    ("LPUSH and LTRIM", &[&["LPUSH", "history", MESSAGE], &["LTRIM", "history", "0", "99"]]),
    ("LRANGE of 10", &[&["LRANGE", "list", "0", "-1"]]),
    ("HSET", &[&["HSET", "session", "user", MESSAGE]]),
    ("HGET", &[&["HGET", "session", "user"]]),
    ("HGETALL of 2", &[&["HGETALL", "session"]]),
    ("SADD", &[&["SADD", "members", "one"]]),
    ("SADD and SREM", &[&["SADD", "members", "new"], &["SREM", "members", "new"]]),
    ("SISMEMBER", &[&["SISMEMBER", "members", "one"]]),
    ("ZADD", &[&["ZADD", "scores", "1", "one"]]),
    ("ZADD, another score", &[&["ZADD", "scores", "4", "one"], &["ZADD", "scores", "1", "one"]]),
    ("ZRANGE of 3", &[&["ZRANGE", "scores", "0", "-1"]]),
    ("XADD with MAXLEN", &[&["XADD", "stream", "MAXLEN", "~", "100", "*", "field", MESSAGE]]),
    ("XRANGE of 2", &[&["XRANGE", "log", "-", "+"]]),
    ("PUBLISH to nobody", &[&["PUBLISH", "chat", MESSAGE]]),
];

fn engine(c: &mut Criterion) {
    let mut group = c.benchmark_group("engine");
    for (name, requests) in COMMANDS {
        let bytes = requests.iter().map(|arguments| request(arguments)).collect::<Vec<_>>().concat();
        let times = PIPELINE / requests.len();
        let bytes = bytes.repeat(times);
        group.throughput(Throughput::Elements(PIPELINE as u64));
        for (new, recorded) in JOURNALS {
            group.bench_function(format!("{name}, pipeline {PIPELINE}{recorded}"), |b| {
                let mut driven = new();
                let client = driven.connect();
                for arguments in FILL {
                    driven.feed(client, &request(arguments));
                }
                b.iter(|| driven.feed(client, black_box(&bytes)));
            });
        }
    }
    let ping = request(&["PING"]);
    group.throughput(Throughput::Elements(1));
    group.bench_function("PING, no pipeline", |b| {
        let mut driven = Driven::new();
        let client = driven.connect();
        b.iter(|| driven.feed(client, black_box(&ping)));
    });
    group.finish();
}

/// An engine that accepts this many clients.
fn crowd(new: NewDriven, size: usize) -> Driven {
    let mut driven = new();
    driven.engine.state_mut().config.maxclients = size + 10;
    driven
}

/// The cost of a message or an element with many clients that wait for it, and of a channel with many patterns.
fn crowds(c: &mut Criterion) {
    let mut group = c.benchmark_group("crowd");
    let publish = request(&["PUBLISH", "chat", MESSAGE]);
    for subscribers in [1, 10, 100, 1_000, 10_000] {
        group.throughput(Throughput::Elements(subscribers as u64));
        for (new, recorded) in JOURNALS {
            group.bench_function(format!("PUBLISH to {subscribers}{recorded}"), |b| {
                let mut driven = crowd(new, subscribers);
                for _ in 0..subscribers {
                    let subscriber = driven.connect();
                    driven.feed(subscriber, &request(&["SUBSCRIBE", "chat"]));
                }
                let publisher = driven.connect();
                b.iter(|| driven.feed(publisher, black_box(&publish)));
            });
        }
    }
    group.throughput(Throughput::Elements(1));
    // A pattern with a prefix can be skipped by that prefix; one that begins with a star cannot.
    for (kind, other) in [("prefix", "room:{}:*"), ("suffix", "*:room:{}")] {
        for patterns in [1, 10, 100, 1_000, 10_000] {
            group.bench_function(format!("PUBLISH past {patterns} patterns with a {kind}"), |b| {
                let mut driven = Driven::new();
                let subscriber = driven.connect();
                driven.feed(subscriber, &request(&["PSUBSCRIBE", "ch?t"]));
                for number in 0..patterns {
                    let pattern = other.replace("{}", &number.to_string());
                    driven.feed(subscriber, &request(&["PSUBSCRIBE", &pattern]));
                }
                let publisher = driven.connect();
                b.iter(|| driven.feed(publisher, black_box(&publish)));
            });
        }
    }
    for waiters in [1, 10, 100, 1_000, 10_000] {
        group.bench_function(format!("hand-off to the first of {waiters} in BLPOP"), |b| {
            let mut driven = crowd(Driven::new, waiters);
            let producer = driven.connect();
            let consumers: Vec<_> = (0..waiters).map(|_| driven.connect()).collect();
            let pop = request(&["BLPOP", "queue", "0"]);
            for consumer in &consumers {
                driven.feed(*consumer, &pop);
            }
            let push = request(&["RPUSH", "queue", MESSAGE]);
            let mut first = consumers.iter().cycle();
            b.iter(|| {
                let taken = driven.feed(producer, black_box(&push));
                first.next().map(|consumer| driven.feed(*consumer, &pop));
                taken
            });
        });
    }
    group.finish();
}

fn patterns(c: &mut Criterion) {
    let mut group = c.benchmark_group("pattern");
    let cases: [(&str, &str, &str); 5] = [
        ("prefix", "room:*", "room:chatty:42"),
        ("class", "room:[a-f]?*", "room:chatty:42"),
        ("literal", "room:chatty:42", "room:chatty:42"),
        ("miss", "user:*", "room:chatty:42"),
        ("many stars", "a*a*a*a*a*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"),
    ];
    for (name, pattern, text) in cases {
        group.bench_function(name, |b| {
            b.iter(|| pattern::matches(black_box(pattern).as_bytes(), black_box(text).as_bytes(), false));
        });
    }
    group.finish();
}

/// Sends a request over a stream in memory and reads the answers, `lengths` bytes on each of the streams.
async fn ask(stream: &mut ClientStream, bytes: &[u8], length: usize) {
    let mut answer = [0; 1024];
    stream.write_all(bytes).await.expect("the broker reads");
    stream.read_exact(&mut answer[..length]).await.expect("the broker answers");
}

fn in_memory(c: &mut Criterion) {
    let mut group = c.benchmark_group("in memory");
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    group.throughput(Throughput::Elements(1));
    group.bench_function("command()", |b| {
        let broker = Broker::start().expect("it starts");
        b.iter(|| broker.command(["PING"]));
    });
    group.bench_function("PING", |b| {
        let broker = Broker::start().expect("it starts");
        let ping = request(&["PING"]);
        b.iter_custom(|iterations| {
            runtime.block_on(async {
                let mut stream = broker.connect();
                let started = Instant::now();
                for _ in 0..iterations {
                    ask(&mut stream, &ping, 7).await;
                }
                started.elapsed()
            })
        });
    });
    group.bench_function("PUBLISH to one subscriber", |b| {
        let broker = Broker::start().expect("it starts");
        let publish = request(&["PUBLISH", "chat", MESSAGE]);
        let message = request(&["message", "chat", MESSAGE]).len();
        b.iter_custom(|iterations| {
            runtime.block_on(async {
                let (mut publisher, mut subscriber) = (broker.connect(), broker.connect());
                let confirmation = request(&["subscribe", "chat"]).len() + 4;
                ask(&mut subscriber, &request(&["SUBSCRIBE", "chat"]), confirmation).await;
                let started = Instant::now();
                for _ in 0..iterations {
                    ask(&mut publisher, &publish, 4).await;
                    ask(&mut subscriber, b"", message).await;
                }
                started.elapsed()
            })
        });
    });
    group.finish();
}

fn start(c: &mut Criterion) {
    let mut group = c.benchmark_group("start");
    let ping = request(&["PING"]);
    let mut each = Vec::new();
    group.bench_function("Broker::start() to first PONG", |b| {
        // The time that it takes to drop the broker does not count.
        b.iter_custom(|iterations| {
            let mut taken = Duration::ZERO;
            for _ in 0..iterations {
                let started = Instant::now();
                let broker = Broker::start().expect("it starts");
                let mut stream = TcpStream::connect(broker.addr().expect("it listens")).expect("it listens");
                let mut answer = [0; 7];
                stream.write_all(&ping).and_then(|()| stream.read_exact(&mut answer)).expect("it answers");
                let elapsed = started.elapsed();
                taken += elapsed;
                each.push(elapsed);
                assert_eq!(&answer, b"+PONG\r\n");
            }
            taken
        });
    });
    // Other processes on the machine make some of them slow, and with them the mean.
    each.sort_unstable();
    if let Some(median) = each.get(each.len() / 2) {
        println!("the median of {} starts: {median:?}", each.len());
    }
    group.bench_function("Broker::start() and drop", |b| {
        b.iter(|| Broker::start().expect("it starts"));
    });
    group.bench_function("engine", |b| b.iter(|| Engine::new(Config::default(), 1, NOW)));
    group.bench_function("command on an engine", |b| {
        let mut engine = Engine::new(Config::default(), 1, NOW);
        let (ping, mut out) = (OwnedRequest::new(["PING"]), Vec::new());
        b.iter(|| {
            out.clear();
            engine.command(&ping, NOW, &mut out);
        });
    });
    group.finish();
}

/// A million small keys.
fn snapshots(c: &mut Criterion) {
    const KEYS: usize = 1_000_000;
    let mut group = c.benchmark_group("snapshot of a million keys");
    group.sample_size(10);
    let broker = Broker::builder().journal_limit(0).start().expect("it starts");
    for key in 0..KEYS {
        broker.command(["SET", &format!("user:{key}"), "online"]).expect("it answers");
    }
    let snapshot = broker.snapshot();
    let file = snapshot.to_rdb();
    let of_file = Snapshot::from_rdb(file.clone()).expect("it is read");
    let start = |snapshot: &Snapshot| Broker::builder().from_snapshot(snapshot).start().expect("it starts");
    group.bench_function("taken", |b| b.iter_with_large_drop(|| broker.snapshot()));
    group.bench_function("start with it", |b| b.iter_with_large_drop(|| start(&snapshot)));
    group.bench_function("to_rdb", |b| b.iter_with_large_drop(|| snapshot.to_rdb()));
    group.bench_function("from_rdb", |b| b.iter_with_large_drop(|| Snapshot::from_rdb(&*file)));
    group.bench_function("start with a file", |b| b.iter_with_large_drop(|| start(&of_file)));
    group.finish();
}

criterion_group! {
    name = parts;
    // Seconds are enough: the differences that matter here are large.
    config = Criterion::default().measurement_time(Duration::from_secs(2)).warm_up_time(Duration::from_millis(500));
    targets = parser, writer, engine, crowds, patterns, in_memory, start, snapshots
}
criterion_main!(parts);
