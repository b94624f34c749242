//! Connections that no system would give: their behaviour is the worst that is possible.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use minibroker::Broker;
use minibroker::internal::clients::Address;
use minibroker::internal::config::Config;
use minibroker::internal::config::OutputLimit;
use minibroker::internal::data::Time;
use minibroker::internal::engine::Engine;
use minibroker::internal::resp::OwnedRequest;
use minibroker::internal::server::{Clock, Shared};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};

use super::peer::{Bystander, TIMEOUT};

/// A connection that gives what it is told to give, in pieces, for so many reads, and takes what it is told to take.
struct Odd {
    /// What a client sends.
    sends: Vec<u8>,
    /// How much of it has been read.
    read: usize,
    /// How many bytes a read takes at most.
    piece: usize,
    /// After the last byte the first one comes again.
    endless: bool,
    /// After the last byte comes the end.
    ends: bool,
    /// What is written is taken; otherwise the connection is full for ever.
    takes: bool,
    /// How many bytes have been written.
    taken: Arc<AtomicUsize>,
    /// The most that was offered at once.
    offered: Arc<AtomicUsize>,
}

impl AsyncRead for Odd {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.read == self.sends.len() && self.endless {
            self.read = 0;
        }
        if self.read == self.sends.len() {
            // A client that says nothing more.
            return if self.ends { Poll::Ready(Ok(())) } else { Poll::Pending };
        }
        let end = self.sends.len().min(self.read + self.piece.min(into.remaining()));
        into.put_slice(&self.sends[self.read..end]);
        self.read = end;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Odd {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.offered.fetch_max(bytes.len(), Ordering::Relaxed);
        if !self.takes {
            return Poll::Pending;
        }
        self.taken.fetch_add(bytes.len(), Ordering::Relaxed);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

fn odd(sends: impl Into<Vec<u8>>) -> Odd {
    Odd {
        sends: sends.into(),
        read: 0,
        piece: usize::MAX,
        endless: false,
        ends: false,
        takes: true,
        taken: Arc::default(),
        offered: Arc::default(),
    }
}

/// A broker's shell without its thread: its tasks run in the test's runtime.
fn shared(config: Config) -> Arc<Shared> {
    let clock = Clock::default();
    let engine = Engine::new(config, 1, clock.now());
    let shared = Arc::new(Shared::new(engine, clock));
    let writer = Arc::clone(&shared);
    tokio::spawn(async move { writer.write_outboxes().await });
    shared
}

/// Sends PING over a connection of its own and waits for the answer.
async fn ping(shared: &Arc<Shared>) {
    let (mut ours, theirs) = tokio::io::duplex(1024);
    tokio::spawn(Arc::clone(shared).serve(theirs, Address::default()));
    ours.write_all(b"PING\r\n").await.unwrap();
    let mut answer = [0; 7];
    ours.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"+PONG\r\n");
}

#[tokio::test]
async fn a_client_that_sends_without_end_leaves_others_their_turn() {
    let shared = shared(Config::default());
    for piece in [100, usize::MAX] {
        let flood = Odd { endless: true, piece, ..odd("PING\r\n".repeat(1000)) };
        let taken = Arc::clone(&flood.taken);
        let flood = tokio::spawn(Arc::clone(&shared).serve(flood, Address::default()));
        tokio::time::timeout(TIMEOUT, ping(&shared)).await.expect("nobody else is served");
        assert!(taken.load(Ordering::Relaxed) > 0);
        flood.abort();
    }
}

#[tokio::test]
async fn long_answers_are_written_before_more_is_asked() {
    const LONG: usize = 100_000;
    const ASKED_IN_A_READ: usize = 50;
    // Far less than the answers to what comes with one read.
    const AT_A_TIME: usize = 10 * LONG;
    let shared = shared(Config::default());
    let set = OwnedRequest::new([b"SET".to_vec(), b"long".to_vec(), vec![b'x'; LONG]]);
    shared.change(|engine, now| engine.command(&set, now, &mut Vec::new()));
    let request = b"GET long\r\n";
    let asks = Odd { ends: true, piece: request.len() * ASKED_IN_A_READ, ..odd(request.repeat(2000)) };
    let (taken, offered) = (Arc::clone(&asks.taken), Arc::clone(&asks.offered));
    let served = tokio::spawn(Arc::clone(&shared).serve(asks, Address::default()));
    tokio::time::timeout(TIMEOUT, served).await.expect("it is still there").unwrap();
    let answer = b"$100000\r\n\r\n".len() + LONG;
    assert_eq!(taken.load(Ordering::Relaxed), answer * 2000);
    let offered = offered.load(Ordering::Relaxed);
    assert!(offered < AT_A_TIME, "{offered}");
}

#[tokio::test]
async fn a_client_that_ends_with_its_last_request_is_answered_all_the_same() {
    let shared = shared(Config::default());
    let hasty = Odd { ends: true, piece: 600, ..odd("PING\r\n".repeat(1000)) };
    let taken = Arc::clone(&hasty.taken);
    let served = tokio::spawn(Arc::clone(&shared).serve(hasty, Address::default()));
    tokio::time::timeout(TIMEOUT, served).await.expect("it is still there").unwrap();
    assert_eq!(taken.load(Ordering::Relaxed), b"+PONG\r\n".len() * 1000);
}

#[tokio::test]
async fn a_full_client_is_cut_off_at_its_limit_without_reading() {
    // The first 16 KB of what is waiting do not count, see `Client::output_in_blocks`.
    let limit = OutputLimit { hard: 10_000, ..OutputLimit::default() };
    let shared = shared(Config { output_limit_normal: limit, ..Config::default() });
    let asks = Odd { takes: false, piece: 20_000, ..odd("ECHO x\r\n".repeat(5000)) };
    let served = tokio::spawn(Arc::clone(&shared).serve(asks, Address::default()));
    tokio::time::timeout(TIMEOUT, served).await.expect("it is still there").unwrap();
    assert!(shared.engine().state().clients.is_empty());
}

#[tokio::test]
async fn a_million_small_arguments_are_read_in_small_pieces() {
    const ARGUMENTS: usize = 1_000_000;
    let shared = shared(Config::default());
    let mut request = format!("*{ARGUMENTS}\r\n$3\r\nDEL\r\n").into_bytes();
    request.extend(b"$1\r\na\r\n".repeat(ARGUMENTS - 1));
    let many = Odd { piece: 100, ..odd(request) };
    let taken = Arc::clone(&many.taken);
    let many = tokio::spawn(Arc::clone(&shared).serve(many, Address::default()));
    while taken.load(Ordering::Relaxed) == 0 {
        // Each is a turn of somebody else.
        ping(&shared).await;
    }
    assert_eq!(taken.load(Ordering::Relaxed), b":0\r\n".len());
    many.abort();
}

#[test]
fn a_million_small_arguments_are_read_one_byte_at_a_time() {
    const ARGUMENTS: usize = 1_000_000;
    let now = Time::from_millis(1_700_000_000_000);
    let mut engine = Engine::new(Config::default(), 1, now);
    let client = engine.connect(Address::default(), now).unwrap();
    let mut request = format!("*{ARGUMENTS}\r\n$3\r\nDEL\r\n").into_bytes();
    request.extend(b"$1\r\na\r\n".repeat(ARGUMENTS - 1));
    let mut parser = minibroker::internal::resp::Parser::new();
    for arrived in 1..request.len() {
        assert_eq!(engine.feed(client, &mut parser, &request[..arrived], now).0, 0);
    }
    assert_eq!(engine.feed(client, &mut parser, &request, now).0, request.len());
    let mut reply = Vec::new();
    engine.take_output(client, &mut reply);
    assert_eq!(reply, b":0\r\n");
}

#[tokio::test]
async fn a_stream_in_memory_is_read_one_byte_at_a_time() {
    let broker = Broker::start().unwrap();
    let bystander = tokio::task::spawn_blocking({
        let bystander = Bystander::of(&broker);
        move || bystander
    });
    let mut stream = broker.connect();
    for byte in b"*3\r\n$3\r\nSET\r\n$4\r\nname\r\n$5\r\nhello\r\n".repeat(1000) {
        stream.write_all(&[byte]).await.unwrap();
    }
    let mut answers = vec![0; 5000];
    stream.read_exact(&mut answers).await.unwrap();
    assert_eq!(answers, b"+OK\r\n".repeat(1000));
    stream.shutdown().await.unwrap();
    assert_eq!(stream.read(&mut answers).await.unwrap(), 0);
    bystander.await.unwrap().ends_alone(&broker);
}
