//! Streams in memory run requests at once, in the thread that writes them.

use std::io;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use minibroker::{Broker, ClientStream, Ending, EventKind, Filter};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};

use crate::Outcome;
use crate::wire::{TIMEOUT, Wire};

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// A stream that is used without any runtime.
struct Memory(ClientStream);

impl Memory {
    fn connect(broker: &Broker) -> Self {
        Self(broker.connect())
    }

    /// Writes, and neither waits nor reads.
    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut written = 0;
        while written < bytes.len() {
            let rest = &bytes[written..];
            match Pin::new(&mut self.0).poll_write(&mut Context::from_waker(Waker::noop()), rest) {
                Poll::Ready(count) => written += count?,
                Poll::Pending => return Err(io::ErrorKind::WouldBlock.into()),
            }
        }
        Ok(())
    }

    fn send(&mut self, line: &str) -> io::Result<()> {
        self.put(format!("{line}\r\n").as_bytes())
    }

    /// Reads what has arrived already, as far as there is room.
    fn take(&mut self, space: &mut [u8]) -> Poll<io::Result<usize>> {
        self.poll_take(&mut Context::from_waker(Waker::noop()), space)
    }

    fn poll_take(&mut self, context: &mut Context<'_>, space: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut buffer = ReadBuf::new(space);
        Pin::new(&mut self.0).poll_read(context, &mut buffer).map(|read| read.map(|()| buffer.filled().len()))
    }

    /// Reads an answer that must have arrived already.
    fn has(&mut self, answer: &str) {
        let mut bytes = vec![0; answer.len() + 1];
        match self.take(&mut bytes) {
            Poll::Ready(Ok(count)) => {
                assert_eq!(bytes[..count].escape_ascii().to_string(), answer.escape_debug().to_string());
            }
            other => panic!("{answer:?} has not arrived: {other:?}"),
        }
    }

    fn has_nothing(&mut self) {
        assert!(self.take(&mut [0]).is_pending());
    }

    /// Waits for bytes; 0 at the end.
    fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
        let waker = Waker::from(Arc::new(Unpark(thread::current())));
        let until = Instant::now() + TIMEOUT;
        loop {
            match self.poll_take(&mut Context::from_waker(&waker), space) {
                Poll::Ready(read) => return read,
                Poll::Pending => {
                    let left = until.saturating_duration_since(Instant::now());
                    assert!(!left.is_zero(), "nothing was received");
                    thread::park_timeout(left);
                }
            }
        }
    }

    fn read_exact(&mut self, mut space: &mut [u8]) -> io::Result<()> {
        while !space.is_empty() {
            let count = self.read(space)?;
            if count == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            space = &mut space[count..];
        }
        Ok(())
    }

    /// Waits for this answer.
    fn expect(&mut self, answer: &str) -> io::Result<()> {
        let mut bytes = vec![0; answer.len()];
        self.read_exact(&mut bytes)?;
        assert_eq!(String::from_utf8_lossy(&bytes), answer);
        Ok(())
    }

    fn ask(&mut self, line: &str, answer: &str) -> io::Result<()> {
        self.send(line)?;
        self.expect(answer)
    }

    fn subscribe(&mut self, channel: &str) -> io::Result<()> {
        let length = channel.len();
        self.ask(
            &format!("SUBSCRIBE {channel}"),
            &format!("*3\r\n$9\r\nsubscribe\r\n${length}\r\n{channel}\r\n:1\r\n"),
        )
    }
}

/// A message on the channel `chat`.
fn message(text: &str) -> String {
    format!("*3\r\n$7\r\nmessage\r\n$4\r\nchat\r\n${}\r\n{text}\r\n", text.len())
}

fn number_of_clients(broker: &Broker, count: usize) -> bool {
    broker.wait_until(move |state| state.clients() == count).within(Duration::ZERO).blocking().is_ok()
}

#[test]
fn requests_on_several_streams_run_in_the_order_they_are_written() -> Outcome {
    const REQUESTS: usize = 5000;
    let broker = Broker::start()?;
    let mut streams: Vec<_> = (0..7).map(|_| Memory::connect(&broker)).collect();
    let mut next = numbers(1);
    for number in 0..REQUESTS {
        streams[next() % 7].send(&format!("RPUSH log {number}"))?;
        if number % 100 == 0 {
            assert_eq!(broker.command(["LLEN", "log"])?, i64::try_from(number + 1)?);
        }
    }
    let log = broker.command(["LRANGE", "log", "0", "-1"])?;
    let log: Vec<usize> =
        log.as_slice().unwrap_or_default().iter().filter_map(|item| item.as_str()?.parse().ok()).collect();
    assert!(log.into_iter().eq(0..REQUESTS));
    Ok(())
}

/// Pseudo-random numbers.
fn numbers(seed: u64) -> impl FnMut() -> usize {
    let mut state = seed;
    move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 40).unwrap_or_default()
    }
}

#[test]
fn an_answer_and_a_message_have_arrived_when_the_write_returns() -> Outcome {
    let broker = Broker::start()?;
    let (mut ann, mut bob) = (Memory::connect(&broker), Memory::connect(&broker));
    bob.send("SUBSCRIBE chat")?;
    bob.has("*3\r\n$9\r\nsubscribe\r\n$4\r\nchat\r\n:1\r\n");
    for number in 0..1000 {
        ann.send(&format!("PUBLISH chat {number}"))?;
        ann.has(":1\r\n");
        bob.has(&message(&number.to_string()));
        bob.has_nothing();
    }
    Ok(())
}

#[test]
fn a_message_goes_from_a_stream_to_many_streams_and_sockets() -> Outcome {
    let broker = Broker::start()?;
    let mut streams: Vec<_> = (0..200).map(|_| Memory::connect(&broker)).collect();
    let mut sockets: Vec<_> = (0..100).map(|_| Wire::connect(&broker)).collect::<Result<_, _>>()?;
    for (stream, socket) in streams.iter_mut().zip(&mut sockets) {
        stream.subscribe("chat")?;
        socket.subscribe("chat")?;
    }
    for stream in &mut streams[100..] {
        stream.subscribe("chat")?;
    }
    let mut ann = Memory::connect(&broker);
    for number in 0..50 {
        ann.ask(&format!("PUBLISH chat {number}"), ":300\r\n")?;
    }
    for number in 0..50 {
        for stream in &mut streams {
            stream.expect(&message(&number.to_string()))?;
        }
        for socket in &mut sockets {
            socket.expect_message("chat", &number.to_string())?;
        }
    }
    Ok(())
}

#[test]
fn streams_and_sockets_exchange_jobs() -> Outcome {
    const JOBS: usize = 500;
    let broker = Broker::start()?;
    let (mut memory, mut socket) = (Memory::connect(&broker), Wire::connect(&broker)?);
    let mut second = Memory::connect(&broker);
    for _ in 0..JOBS {
        // The request after the blocked command runs too when the wait ends.
        memory.send("BLPOP jobs 0\r\nINCR done")?;
        memory.has_nothing();
        socket.ask("RPUSH jobs x", ":1\r\n")?;
        memory.expect("*2\r\n$4\r\njobs\r\n$1\r\nx\r\n")?;
        let mut count = [0; 1];
        while count != [b'\n'] {
            memory.read_exact(&mut count)?;
        }
        socket.send("BLPOP jobs 0")?;
        broker.wait_for_blocked("jobs", 1).blocking()?;
        memory.send("RPUSH jobs y")?;
        memory.has(":1\r\n");
        socket.expect("*2\r\n$4\r\njobs\r\n$1\r\ny\r\n")?;

        second.send("BLPOP jobs 0")?;
        memory.send("RPUSH jobs z")?;
        memory.has(":1\r\n");
        second.has("*2\r\n$4\r\njobs\r\n$1\r\nz\r\n");
        second.send("INCR done")?;
        second.read_exact(&mut count)?;
        while count != [b'\n'] {
            second.read_exact(&mut count)?;
        }
    }
    assert_eq!(broker.command(["GET", "done"])?.to_string(), (2 * JOBS).to_string());
    Ok(())
}

#[test]
fn many_threads_work_over_streams_at_the_same_time() -> Outcome {
    const THREADS: usize = 8;
    const EACH: usize = 1000;
    let broker = Broker::start()?;
    let mut listener = Memory::connect(&broker);
    listener.subscribe("chat")?;
    thread::scope(|scope| -> Outcome {
        let threads: Vec<_> = (0..THREADS)
            .map(|thread| {
                let broker = &broker;
                scope.spawn(move || -> io::Result<()> {
                    let mut stream = Memory::connect(broker);
                    let mut other = Memory::connect(broker);
                    for number in 0..EACH {
                        stream.send("INCR count")?;
                        stream.send(&format!("PUBLISH chat {thread}:{number}"))?;
                        other.send(&format!("BLPOP jobs{} 0", thread % 4))?;
                        stream.ask(&format!("RPUSH jobs{} x", thread % 4), "")?;
                        // Either of the two threads may be first.
                        let mut answer = [0; 22];
                        other.read_exact(&mut answer)?;
                        assert!(answer.starts_with(b"*2\r\n$5\r\njobs"), "{}", answer.escape_ascii());
                        let mut answers = [0; 512];
                        let mut lines = 0;
                        while lines < 3 {
                            let count = stream.read(&mut answers)?;
                            lines += answers[..count].split(|byte| *byte == b'\n').count() - 1;
                        }
                        assert_eq!(lines, 3);
                    }
                    Ok(())
                })
            })
            .collect();
        let mut next = [0; THREADS];
        let mut text = String::new();
        let mut space = [0; 4096];
        while next.iter().sum::<usize>() < THREADS * EACH {
            let count = listener.read(&mut space)?;
            text.push_str(std::str::from_utf8(&space[..count])?);
            while let Some((one, rest)) =
                text.split_once("*3\r\n").filter(|(_, rest)| rest.matches("\r\n").count() >= 6)
            {
                assert_eq!(one, "");
                let payload = rest.split("\r\n").nth(5).unwrap_or_default();
                let (thread, number) = payload.split_once(':').ok_or("a message")?;
                let next = &mut next[thread.parse::<usize>()?];
                assert_eq!(number.parse::<usize>()?, *next, "those of each in their order");
                *next += 1;
                let length = one.len() + 4 + rest.match_indices("\r\n").nth(5).map_or(0, |(at, _)| at + 2);
                text.drain(..length);
            }
        }
        for thread in threads {
            thread.join().expect("it does not panic")?;
        }
        Ok(())
    })?;
    assert_eq!(broker.command(["GET", "count"])?.to_string(), (THREADS * EACH).to_string());
    Ok(())
}

#[test]
fn all_that_was_written_is_run_though_long_answers_are_not_read() -> Outcome {
    const LENGTH: usize = 100_000;
    const REQUESTS: usize = 300;
    let broker = Broker::start()?;
    broker.command(["SET", "long", &"x".repeat(LENGTH)])?;
    let mut stream = Memory::connect(&broker);
    stream.put(&[b"GET long\r\n".repeat(REQUESTS), b"INCR after\r\n".to_vec()].concat())?;
    assert_eq!(broker.command(["GET", "after"])?.as_str(), Some("1"));
    stream.send("INCR after")?;
    assert_eq!(broker.command(["GET", "after"])?.as_str(), Some("2"));
    let answer = format!("${LENGTH}\r\n{}\r\n", "x".repeat(LENGTH));
    for _ in 0..REQUESTS {
        stream.expect(&answer)?;
    }
    stream.expect(":1\r\n:2\r\n")?;
    stream.has_nothing();
    Ok(())
}

#[test]
fn a_request_may_come_in_pieces_and_many_requests_at_once() -> Outcome {
    let broker = Broker::start()?;
    let mut stream = Memory::connect(&broker);
    for byte in b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$2\r\nhi\r" {
        stream.put(&[*byte])?;
        stream.has_nothing();
    }
    stream.put(b"\nGET k\r\nPI")?;
    stream.has("+OK\r\n$2\r\nhi\r\n");
    stream.put(b"NG\r\n")?;
    stream.has("+PONG\r\n");
    stream.put(&b"INCR n\r\n".repeat(100_000))?;
    assert_eq!(broker.command(["GET", "n"])?.as_str(), Some("100000"));
    Ok(())
}

#[test]
fn a_client_is_gone_at_once_when_its_stream_is_dropped() -> Outcome {
    let broker = Broker::start()?;
    let mut half = Memory::connect(&broker);
    half.put(b"SET k v\r\n*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$5\r\nh")?;
    let mut blocked = Memory::connect(&broker);
    blocked.send("BLPOP jobs 0")?;
    let mut subscribed = Memory::connect(&broker);
    subscribed.send("SUBSCRIBE chat")?;
    let idle = Memory::connect(&broker);
    assert!(number_of_clients(&broker, 4));
    drop(half);
    assert!(number_of_clients(&broker, 3));
    assert_eq!(broker.command(["GET", "k"])?.as_str(), Some("v"));
    drop(blocked);
    assert_eq!(broker.command(["RPUSH", "jobs", "x"])?, 1);
    assert_eq!(broker.command(["LLEN", "jobs"])?, 1);
    drop(subscribed);
    assert_eq!(broker.command(["PUBLISH", "chat", "x"])?, 0);
    drop(idle);
    assert!(number_of_clients(&broker, 0));
    // A client that has not read all of its answers is removed too.
    broker.command(["SET", "long", &"x".repeat(500_000)])?;
    let mut full = Memory::connect(&broker);
    full.send("GET long")?;
    full.send("QUIT")?;
    drop(full);
    assert!(number_of_clients(&broker, 0));
    Ok(())
}

#[test]
fn a_client_is_gone_when_its_quit_is_written() -> Outcome {
    let broker = Broker::start()?;
    let mut stream = Memory::connect(&broker);
    stream.send("QUIT")?;
    assert!(number_of_clients(&broker, 0));
    stream.expect("+OK\r\n")?;
    assert_eq!(stream.read(&mut [0])?, 0);
    assert!(stream.send("PING").is_err());
    Ok(())
}

#[tokio::test]
async fn a_stream_that_is_shut_down_is_answered_and_ends() -> Outcome {
    let broker = Broker::start()?;
    let mut stream = broker.connect();
    stream.write_all(b"PING\r\n").await?;
    stream.shutdown().await?;
    assert!(number_of_clients(&broker, 0));
    let mut all = String::new();
    stream.read_to_string(&mut all).await?;
    assert_eq!(all, "+PONG\r\n");
    Ok(())
}

#[test]
fn when_the_broker_is_dropped_reads_end_and_writes_fail() -> Outcome {
    let broker = Broker::start()?;
    let mut streams: Vec<_> = (0..10).map(|_| Memory::connect(&broker)).collect();
    streams[0].ask("PING", "+PONG\r\n")?;
    streams[1].send("BLPOP jobs 0")?;
    streams[2].send("ECHO last")?;
    drop(broker);
    streams[2].has("$4\r\nlast\r\n");
    for stream in &mut streams {
        assert!(matches!(stream.take(&mut [0]), Poll::Ready(Ok(0))));
        assert_eq!(stream.send("PING").map_err(|error| error.kind()), Err(io::ErrorKind::BrokenPipe));
    }
    Ok(())
}

#[test]
fn a_broker_is_dropped_while_threads_write() -> Outcome {
    for _ in 0..20 {
        let broker = Broker::start()?;
        let (begun, writes) = std::sync::mpsc::channel();
        let threads: Vec<_> = (0..4)
            .map(|_| {
                let (mut stream, begun) = (Memory::connect(&broker), begun.clone());
                thread::spawn(move || -> io::Result<usize> {
                    stream.ask("PING", "+PONG\r\n")?;
                    let _ = begun.send(());
                    while stream.send("PUBLISH chat x").is_ok() {
                        let mut answer = [0; 64];
                        if stream.read(&mut answer)? == 0 {
                            break;
                        }
                    }
                    stream.read(&mut [0])
                })
            })
            .collect();
        for _ in 0..4 {
            writes.recv()?;
        }
        drop(broker);
        for thread in threads {
            assert_eq!(thread.join().expect("it does not panic")?, 0);
        }
    }
    Ok(())
}

#[test]
fn streams_end_when_the_broker_stops_and_new_ones_work_when_it_is_back() -> Outcome {
    let broker = Broker::start()?;
    let mut old = Memory::connect(&broker);
    old.ask("SET k v", "+OK\r\n")?;
    broker.stop()?;
    assert!(matches!(old.take(&mut [0]), Poll::Ready(Ok(0))));
    assert!(old.send("PING").is_err());
    let mut refused = Memory::connect(&broker);
    assert!(matches!(refused.take(&mut [0]), Poll::Ready(Ok(0))));
    assert!(refused.send("PING").is_err());
    broker.restart()?;
    let mut new = Memory::connect(&broker);
    new.send("GET k")?;
    new.has("$1\r\nv\r\n");
    Ok(())
}

#[test]
fn a_stream_that_does_not_read_is_cut_off() -> Outcome {
    let broker = Broker::builder().subscriber_output_limit(256 * 1024).start()?;
    let mut lazy = Memory::connect(&broker);
    lazy.send("SUBSCRIBE chat")?;
    let mut ann = Memory::connect(&broker);
    let request = format!("PUBLISH chat {}", "x".repeat(10_000));
    for _ in 0..100 {
        ann.send(&request)?;
    }
    broker.wait_for_clients(1).blocking()?;
    broker.wait_for_subscribers("chat", 0).blocking()?;
    let cut_off = EventKind::Disconnected(Ending::OutputLimit);
    assert!(broker.journal().iter().any(|event| event.kind == cut_off));
    let mut space = [0; 4096];
    while lazy.read(&mut space)? > 0 {}
    Ok(())
}

#[test]
fn a_stream_that_is_not_read_fills_and_continues() -> Outcome {
    let broker = Broker::start()?;
    let mut stream = Memory::connect(&broker);
    stream.ask("CLIENT SETNAME ann", "+OK\r\n")?;
    let stall = broker.stop_reading(Filter::name("ann"));
    let mut written = 0;
    while stream.send("INCR count").is_ok() {
        written += 1;
        if written == 100_000 {
            break;
        }
    }
    assert!(written < 100_000, "it does not fill");
    assert_eq!(broker.command(["EXISTS", "count"])?, 0);
    drop(stall);
    broker
        .wait_until(move |state| state.get("count").as_str() == Some(written.to_string().as_str()))
        .blocking()?;
    Ok(())
}

#[test]
fn time_ends_a_wait_in_memory() -> Outcome {
    let broker = Broker::builder().manual_clock().start()?;
    let mut stream = Memory::connect(&broker);
    for _ in 0..100 {
        stream.send("BLPOP jobs 60\r\nPING")?;
        stream.has_nothing();
        broker.advance(Duration::from_secs(60));
        stream.expect("*-1\r\n+PONG\r\n")?;
    }
    Ok(())
}

#[test]
fn an_answer_that_is_read_while_it_is_written_arrives_whole() -> Outcome {
    const LENGTH: usize = 1_000_000;
    const REQUESTS: usize = 50;
    let broker = Broker::start()?;
    broker.command(["SET", "long", &"x".repeat(LENGTH)])?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build()?;
    runtime.block_on(async {
        let (mut reads, mut writes) = tokio::io::split(broker.connect());
        let requests = tokio::spawn(async move {
            for _ in 0..REQUESTS {
                writes.write_all(b"GET long\r\n").await?;
                tokio::task::yield_now().await;
            }
            io::Result::Ok(writes)
        });
        let answer = format!("${LENGTH}\r\n{}\r\n", "x".repeat(LENGTH)).into_bytes();
        let mut read = vec![0; answer.len()];
        for _ in 0..REQUESTS {
            tokio::time::timeout(TIMEOUT, reads.read_exact(&mut read)).await??;
            assert!(read == answer);
        }
        requests.await??;
        Ok(())
    })
}

/// Writes to a stream when it is woken, and drops it then.
struct WritesAndDrops(Mutex<Option<Memory>>);

impl Wake for WritesAndDrops {
    fn wake(self: Arc<Self>) {
        if let Some(mut stream) = self.0.lock().expect("no thread panics").take() {
            // This fails if the stream has ended.
            let _ = stream.send("INCR woken");
            drop(stream);
        }
    }
}

#[test]
fn a_stream_is_used_by_a_task_that_another_wakes() -> Outcome {
    let broker = Broker::start()?;
    for number in 1..=100 {
        let mut bob = Memory::connect(&broker);
        bob.subscribe("chat")?;
        let waker = Waker::from(Arc::new(WritesAndDrops(Mutex::new(Some(Memory::connect(&broker))))));
        assert!(bob.poll_take(&mut Context::from_waker(&waker), &mut [0]).is_pending());
        if number % 2 == 0 {
            Memory::connect(&broker).ask("PUBLISH chat hello", ":1\r\n")?;
        } else {
            broker.command(["PUBLISH", "chat", "hello"])?;
        }
        let woken = number.to_string();
        broker.wait_until(move |state| state.get("woken").as_str() == Some(&woken)).blocking()?;
        bob.expect(&message("hello"))?;
        drop(bob);
        broker.wait_for_clients(0).blocking()?;
    }
    Ok(())
}

/// Writes to a stream when it is woken.
struct Writes(Mutex<Memory>);

impl Wake for Writes {
    fn wake(self: Arc<Self>) {
        self.0.lock().expect("no thread panics").send("INCR woken").expect("there is room");
    }
}

#[test]
fn a_task_writes_to_the_stream_whose_request_has_ended_its_wait() -> Outcome {
    let broker = Broker::start()?;
    for number in 1..=20 {
        let mut ann = Memory::connect(&broker);
        ann.send("BLPOP jobs 0")?;
        ann.send("INCR done")?;
        let waker = Waker::from(Arc::new(Writes(Mutex::new(ann))));
        let count = number.to_string();
        let mut wait =
            pin!(broker.wait_until(move |state| state.get("done").as_str() == Some(&count)).into_future());
        assert!(wait.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        if number % 2 == 0 {
            // The thread of the broker runs what ann has sent.
            Wire::connect(&broker)?.ask("RPUSH jobs x", ":1\r\n")?;
        } else {
            Memory::connect(&broker).ask("RPUSH jobs x", ":1\r\n")?;
        }
        // A task may be woken more than once.
        broker
            .wait_until(move |state| {
                state.get("woken").as_str().and_then(|count| count.parse().ok()) >= Some(number)
            })
            .blocking()?;
    }
    Ok(())
}

#[test]
fn a_stream_is_written_to_and_dropped_by_the_task_it_wakes() -> Outcome {
    let long = "x".repeat(300_000);
    let publish = |broker: &Broker| {
        broker.command(["PUBLISH", "chat", &long]).expect("it is published");
    };
    let actions: [&dyn Fn(Broker) -> Option<Broker>; 6] = [
        &|broker| {
            publish(&broker);
            Some(broker)
        },
        &|broker| {
            Memory::connect(&broker).send("PUBLISH chat hello").expect("there is room");
            Some(broker)
        },
        &|broker| {
            broker.kill_clients(Filter::subscribed_to("chat"));
            Some(broker)
        },
        &|broker| {
            broker.stop().expect("it stops");
            Some(broker)
        },
        &|broker| {
            Memory::connect(&broker).send("CLIENT KILL TYPE pubsub").expect("there is room");
            Some(broker)
        },
        &|broker| {
            drop(broker);
            None
        },
    ];
    for act in actions {
        for is_full in [false, true] {
            let broker = Broker::start()?;
            let mut bob = Memory::connect(&broker);
            bob.subscribe("chat")?;
            if is_full {
                // The thread that runs the rest of this may be the one that wakes.
                publish(&broker);
            }
            let woken = Arc::new(WritesAndDrops(Mutex::new(Some(bob))));
            let waker = Waker::from(Arc::clone(&woken));
            let mut space = vec![0; 100_000];
            if let Some(bob) = &mut *woken.0.lock().expect("no thread panics") {
                while bob.poll_take(&mut Context::from_waker(&waker), &mut space).is_ready() {}
            }
            if let Some(broker) = act(broker) {
                broker.wait_for_subscribers("chat", 0).blocking()?;
            }
        }
    }
    Ok(())
}

#[test]
fn a_stream_that_a_predicate_writes_to_or_drops_blocks_no_task() -> Outcome {
    let broker = Broker::start()?;
    let mut stream = Memory::connect(&broker);
    let mut evaluated = 0;
    let wait = broker.wait_until(move |_| {
        evaluated += 1;
        if evaluated == 1 {
            stream.send("INCR count").expect("there is room");
        }
        evaluated == 2
    });
    wait.blocking()?;
    let mut other = Memory::connect(&broker);
    let timed_out = broker.wait_until(move |_| other.send("INCR count").is_err());
    assert!(timed_out.within(Duration::from_millis(1)).blocking().is_err());
    broker.wait_for_clients(0).blocking()?;
    Ok(())
}

#[test]
fn a_predicate_that_is_true_at_once_or_panics_drops_its_stream() -> Outcome {
    let broker = Broker::start()?;
    let stream = broker.connect();
    let holds = |stream: &ClientStream| !format!("{stream:?}").is_empty();
    broker.wait_until(move |_| holds(&stream)).within(Duration::ZERO).blocking()?;
    broker.wait_for_clients(0).blocking()?;
    let stream = broker.connect();
    let panics = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        broker.wait_until(move |_| !holds(&stream) || panic!("a question that fails")).blocking()
    }));
    assert!(panics.is_err());
    broker.wait_for_clients(0).blocking()?;
    Ok(())
}

#[tokio::test]
async fn a_task_that_sends_without_end_does_not_starve_its_runtime() -> Outcome {
    let broker = Broker::start()?;
    let mut stream = broker.connect();
    let (ran, requests) = (Arc::new(AtomicBool::new(false)), AtomicUsize::new(0));
    let other = tokio::spawn({
        let ran = Arc::clone(&ran);
        async move { ran.store(true, Ordering::Relaxed) }
    });
    let mut answer = [0; 7];
    while !ran.load(Ordering::Relaxed) {
        stream.write_all(b"PING\r\n").await?;
        stream.read_exact(&mut answer).await?;
        assert!(requests.fetch_add(1, Ordering::Relaxed) < 10_000, "no other task runs");
    }
    other.await?;
    Ok(())
}

#[tokio::test]
async fn on_the_runtime_of_a_test_a_stream_is_answered_at_once_too() -> Outcome {
    let broker = Broker::builder().start_on_this_runtime()?;
    let (mut ann, mut bob) = (Memory::connect(&broker), Memory::connect(&broker));
    bob.send("SUBSCRIBE chat")?;
    bob.has("*3\r\n$9\r\nsubscribe\r\n$4\r\nchat\r\n:1\r\n");
    ann.send("PUBLISH chat hello")?;
    ann.has(":1\r\n");
    bob.has(&message("hello"));
    drop(bob);
    assert!(number_of_clients(&broker, 1));
    Ok(())
}
