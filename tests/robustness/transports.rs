//! Connections that behave in the worst possible way.

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

use super::peer::{OtherClient, TIMEOUT};

/// A connection whose reads return given input in pieces, and which accepts writes or blocks them.
struct TestConnection {
    /// What the client sends.
    input: Vec<u8>,
    /// How much of it has been read.
    read: usize,
    /// How many bytes a read returns at most.
    piece: usize,
    /// The input is repeated without end.
    endless: bool,
    /// The client closes the connection after the input.
    ends: bool,
    /// Otherwise the connection is always full.
    accepts_writes: bool,
    /// How many bytes have been written.
    written: Arc<AtomicUsize>,
    /// The longest write.
    longest_write: Arc<AtomicUsize>,
}

impl AsyncRead for TestConnection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.read == self.input.len() && self.endless {
            self.read = 0;
        }
        if self.read == self.input.len() {
            // The client sends nothing more.
            return if self.ends { Poll::Ready(Ok(())) } else { Poll::Pending };
        }
        let end = self.input.len().min(self.read + self.piece.min(into.remaining()));
        into.put_slice(&self.input[self.read..end]);
        self.read = end;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for TestConnection {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.longest_write.fetch_max(bytes.len(), Ordering::Relaxed);
        if !self.accepts_writes {
            return Poll::Pending;
        }
        self.written.fetch_add(bytes.len(), Ordering::Relaxed);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

fn test_connection(input: impl Into<Vec<u8>>) -> TestConnection {
    TestConnection {
        input: input.into(),
        read: 0,
        piece: usize::MAX,
        endless: false,
        ends: false,
        accepts_writes: true,
        written: Arc::default(),
        longest_write: Arc::default(),
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

/// Sends PING over a new connection and waits for the answer.
async fn ping(shared: &Arc<Shared>) {
    let (mut ours, theirs) = tokio::io::duplex(1024);
    tokio::spawn(Arc::clone(shared).serve(theirs, Address::default()));
    ours.write_all(b"PING\r\n").await.unwrap();
    let mut answer = [0; 7];
    ours.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"+PONG\r\n");
}

#[tokio::test]
async fn a_client_that_sends_without_end_does_not_starve_others() {
    let shared = shared(Config::default());
    for piece in [100, usize::MAX] {
        let connection = TestConnection { endless: true, piece, ..test_connection("PING\r\n".repeat(1000)) };
        let written = Arc::clone(&connection.written);
        let connection = tokio::spawn(Arc::clone(&shared).serve(connection, Address::default()));
        tokio::time::timeout(TIMEOUT, ping(&shared)).await.expect("another client is served");
        assert!(written.load(Ordering::Relaxed) > 0);
        connection.abort();
    }
}

#[tokio::test]
async fn long_answers_are_written_before_more_requests_are_read() {
    const LONG: usize = 100_000;
    const REQUESTS_PER_READ: usize = 50;
    // Far less than the answers to the requests of one read.
    const LONGEST_WRITE_MAX: usize = 10 * LONG;
    let shared = shared(Config::default());
    let set = OwnedRequest::new([b"SET".to_vec(), b"long".to_vec(), vec![b'x'; LONG]]);
    shared.change(|engine, now| engine.command(&set, now, &mut Vec::new()));
    let request = b"GET long\r\n";
    let connection = TestConnection {
        ends: true,
        piece: request.len() * REQUESTS_PER_READ,
        ..test_connection(request.repeat(2000))
    };
    let (written, longest_write) = (Arc::clone(&connection.written), Arc::clone(&connection.longest_write));
    let served = tokio::spawn(Arc::clone(&shared).serve(connection, Address::default()));
    tokio::time::timeout(TIMEOUT, served).await.expect("it is still there").unwrap();
    let answer = b"$100000\r\n\r\n".len() + LONG;
    assert_eq!(written.load(Ordering::Relaxed), answer * 2000);
    let longest_write = longest_write.load(Ordering::Relaxed);
    assert!(longest_write < LONGEST_WRITE_MAX, "{longest_write}");
}

#[tokio::test]
async fn a_client_that_closes_after_its_last_request_gets_its_answers() {
    let shared = shared(Config::default());
    let connection = TestConnection { ends: true, piece: 600, ..test_connection("PING\r\n".repeat(1000)) };
    let written = Arc::clone(&connection.written);
    let served = tokio::spawn(Arc::clone(&shared).serve(connection, Address::default()));
    tokio::time::timeout(TIMEOUT, served).await.expect("it is still there").unwrap();
    assert_eq!(written.load(Ordering::Relaxed), b"+PONG\r\n".len() * 1000);
}

#[tokio::test]
async fn a_full_client_is_cut_off_at_its_limit_without_reading() {
    // The first 16 KB of what is waiting do not count, see `Client::output_in_blocks`.
    let limit = OutputLimit { hard: 10_000, ..OutputLimit::default() };
    let shared = shared(Config { output_limit_normal: limit, ..Config::default() });
    let connection =
        TestConnection { accepts_writes: false, piece: 20_000, ..test_connection("ECHO x\r\n".repeat(5000)) };
    let served = tokio::spawn(Arc::clone(&shared).serve(connection, Address::default()));
    tokio::time::timeout(TIMEOUT, served).await.expect("it is still there").unwrap();
    assert!(shared.engine().state().clients.is_empty());
}

#[tokio::test]
async fn a_million_small_arguments_are_read_in_small_pieces() {
    const ARGUMENTS: usize = 1_000_000;
    let shared = shared(Config::default());
    let mut request = format!("*{ARGUMENTS}\r\n$3\r\nDEL\r\n").into_bytes();
    request.extend(b"$1\r\na\r\n".repeat(ARGUMENTS - 1));
    let many = TestConnection { piece: 100, ..test_connection(request) };
    let written = Arc::clone(&many.written);
    let many = tokio::spawn(Arc::clone(&shared).serve(many, Address::default()));
    while written.load(Ordering::Relaxed) == 0 {
        // Each PING is a turn of another client.
        ping(&shared).await;
    }
    assert_eq!(written.load(Ordering::Relaxed), b":0\r\n".len());
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
    let other_client = tokio::task::spawn_blocking({
        let other_client = OtherClient::connect(&broker);
        move || other_client
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
    other_client.await.unwrap().disconnect_as_last(&broker);
}
