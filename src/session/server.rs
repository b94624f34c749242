//! A server on which a session is played: its connections, what each has received, and when the server has run all
//! requests.

use crate::data::present;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::{Buf, BytesMut};
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout, timeout_at};

use super::frame::Frame;
use crate::Broker;
use crate::remote::{PER_VALUE, RemoteError, Scanner, Socket, Target};
use crate::resp::request_bytes;

/// How long a server may take to answer a command that does not block; emptying a database takes a while.
pub(super) const TIMEOUT: Duration = Duration::from_secs(10);
/// The least that a server reads in one turn of its loop.
const PIECE: usize = 8 * 1024;
/// How many turns all tasks of this thread get before it counts as quiet; from a request to its reader, at most
/// four are needed.
const TURNS: usize = 8;
/// How long a server that ends may take to close all its connections.
const GOING: Duration = Duration::from_millis(200);
const READ_BUFFER: usize = 64 * 1024;
/// How much memory the unread input of a connection may take: the largest default limit of Redis for an output
/// buffer, `client-output-buffer-limit replica 256mb`.
const UNTAKEN: u64 = 256 * 1024 * 1024;

/// Why a server cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The server cannot be reached.
    #[error("cannot connect to {server}: {source}")]
    Unreachable {
        /// The server.
        server: String,
        /// The reason.
        source: RemoteError,
    },
    /// The server refuses the login, with this password or without one.
    #[error("{server} refuses: {text}")]
    Refused {
        /// The server.
        server: String,
        /// Its error.
        text: String,
    },
    /// The server has closed the connection, or no longer answers.
    #[error("{server} has gone away")]
    Gone {
        /// The server.
        server: String,
    },
}

pub(super) fn unreachable(target: &Target, source: RemoteError) -> ServerError {
    ServerError::Unreachable { server: target.to_string(), source }
}

/// What a connection has received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Received {
    /// A reply or a push.
    Frame(Frame),
    /// Bytes that are neither.
    Bytes(Vec<u8>),
    /// The end of the connection.
    Closed,
}

impl Received {
    /// About how much memory it takes.
    fn memory(&self) -> u64 {
        match self {
            Self::Frame(frame) => {
                let mut memory = 0;
                frame.each(&mut |part| memory += PER_VALUE + part.text().map_or(0, <[u8]>::len) as u64);
                memory
            }
            Self::Bytes(bytes) => PER_VALUE + bytes.len() as u64,
            Self::Closed => PER_VALUE,
        }
    }
}

/// A connection to any server.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

#[derive(Default)]
struct Inbox {
    queue: VecDeque<Received>,
    /// How much memory the queue takes.
    memory: u64,
    closed: bool,
}

impl Inbox {
    fn push(&mut self, received: Received) {
        self.memory += received.memory();
        self.queue.push_back(received);
    }

    fn pop(&mut self) -> Option<Received> {
        let received = self.queue.pop_front()?;
        self.memory -= received.memory();
        Some(received)
    }

    fn put_back(&mut self, received: Received) {
        self.memory += received.memory();
        self.queue.push_front(received);
    }
}

/// Wakes the task that waits for answers.
#[derive(Default)]
struct Activity {
    count: AtomicUsize,
    changed: Notify,
}

struct Connection {
    writer: WriteHalf<Box<dyn Stream>>,
    inbox: Arc<Mutex<Inbox>>,
    reader: JoinHandle<()>,
}

impl Drop for Connection {
    fn drop(&mut self) {
        // Dropping both halves closes the socket.
        self.reader.abort();
    }
}

impl Connection {
    fn new(stream: Box<dyn Stream>, activity: &Arc<Activity>) -> Self {
        let (reader, writer) = tokio::io::split(stream);
        let inbox = Arc::<Mutex<Inbox>>::default();
        let reader = tokio::spawn(receive(reader, Arc::clone(&inbox), Arc::clone(activity), UNTAKEN));
        Self { writer, inbox, reader }
    }

    async fn send(&mut self, bytes: &[u8]) {
        // If the server has closed the connection, this shows in what is received.
        let written = async {
            self.writer.write_all(bytes).await?;
            // TLS buffers what its socket does not accept.
            self.writer.flush().await
        };
        let _ = timeout(TIMEOUT, written).await;
    }
}

/// Takes frames from the stream until it ends. When more than `untaken` bytes of memory are not taken, the stream
/// counts as ended.
async fn receive(
    mut stream: ReadHalf<Box<dyn Stream>>,
    inbox: Arc<Mutex<Inbox>>,
    activity: Arc<Activity>,
    untaken: u64,
) {
    let mut buffer = BytesMut::new();
    let mut scanner = Some(Scanner::default());
    loop {
        buffer.reserve(READ_BUFFER / 4);
        let read = stream.read_buf(&mut buffer).await.unwrap_or(0);
        let mut inbox = inbox.lock();
        split(&mut buffer, &mut scanner, |received| inbox.push(received));
        let ends = read == 0 || inbox.memory > untaken;
        if ends {
            if !buffer.is_empty() {
                inbox.push(Received::Bytes(buffer.to_vec()));
            }
            inbox.push(Received::Closed);
            inbox.closed = true;
        }
        drop(inbox);
        activity.count.fetch_add(1, Ordering::Relaxed);
        activity.changed.notify_one();
        if ends {
            return;
        }
    }
}

/// Takes all whole frames from the front of a buffer, and all bytes once something is not a frame. The scanner is
/// `Some` as long as everything could be read.
pub(super) fn split(buffer: &mut BytesMut, scanner: &mut Option<Scanner>, mut take: impl FnMut(Received)) {
    while let Some(scanning) = scanner {
        match scanning.scan(buffer) {
            Ok(None) => return,
            Ok(Some(length)) => {
                let frame = buffer.get(..length).and_then(Frame::read);
                take(match frame {
                    Some(frame) => Received::Frame(frame),
                    None => Received::Bytes(buffer.get(..length).unwrap_or_default().to_vec()),
                });
                buffer.advance(length);
            }
            Err(_) => *scanner = None,
        }
    }
    if !buffer.is_empty() {
        take(Received::Bytes(buffer.split().to_vec()));
    }
}

enum Kind {
    Embedded(Broker),
    Real,
}

/// A server with the connections of a session.
pub(super) struct Server {
    kind: Kind,
    target: Target,
    activity: Arc<Activity>,
    control: Option<Connection>,
    connections: Vec<Option<Connection>>,
}

impl Server {
    /// A real server; fails if it cannot be reached or refuses the login.
    pub(super) async fn connect(target: &Target, connections: usize) -> Result<Self, ServerError> {
        let mut server = Self::new(Kind::Real, target, connections);
        let control = server.dial().await?;
        server.control = Some(control);
        server.log_in().await?;
        server.barrier(0).await?;
        Ok(server)
    }

    /// A broker in this thread, which accepts the same login.
    pub(super) fn embedded(broker: Broker, target: &Target, connections: usize) -> Self {
        Self::new(Kind::Embedded(broker), target, connections)
    }

    fn new(kind: Kind, target: &Target, connections: usize) -> Self {
        Self {
            kind,
            target: target.clone(),
            activity: Arc::default(),
            control: None,
            connections: (0..connections).map(|_| None).collect(),
        }
    }

    async fn dial(&self) -> Result<Connection, ServerError> {
        let stream: Box<dyn Stream> = match &self.kind {
            Kind::Embedded(broker) => Box::new(broker.connect()),
            Kind::Real => {
                let dialed = Socket::dial(&self.target).await;
                Box::new(dialed.map_err(|source| unreachable(&self.target, source))?)
            }
        };
        Ok(Connection::new(stream, &self.activity))
    }

    pub(super) fn is_embedded(&self) -> bool {
        matches!(self.kind, Kind::Embedded(_))
    }

    pub(super) fn target(&self) -> &Target {
        &self.target
    }

    fn gone(&self) -> ServerError {
        ServerError::Gone { server: self.target.to_string() }
    }

    /// Logs the control connection in.
    async fn log_in(&mut self) -> Result<(), ServerError> {
        for request in self.login() {
            if let Frame::Text { kind: b'-', text } = self.ask(&request).await? {
                let text = String::from_utf8_lossy(&text).into_owned();
                return Err(ServerError::Refused { server: self.target.to_string(), text });
            }
        }
        Ok(())
    }

    /// The requests that a connection sends first; each has an answer.
    fn login(&self) -> Vec<Vec<Vec<u8>>> {
        let mut requests = Vec::new();
        if let Some(password) = &self.target.password {
            let mut request = vec![b"AUTH".to_vec()];
            if !self.is_embedded() {
                request.extend(self.target.user.as_ref().map(|user| user.as_bytes().to_vec()));
            }
            request.push(password.as_bytes().to_vec());
            requests.push(request);
        }
        // Always one with an answer: then the server has accepted the connection before anything else happens.
        requests.push(vec![b"PING".to_vec()]);
        if let Some(database @ 1..) = self.target.database {
            requests.push(vec![b"SELECT".to_vec(), database.to_string().into_bytes()]);
        }
        requests
    }

    /// Asks on the control connection.
    pub(super) async fn ask<A: AsRef<[u8]>>(&mut self, request: &[A]) -> Result<Frame, ServerError> {
        let bytes = request_bytes(request);
        let deadline = Instant::now() + TIMEOUT;
        let Some(control) = &mut self.control else { return Err(self.gone()) };
        control.send(&bytes).await;
        let inbox = Arc::clone(&control.inbox);
        match received(&inbox, &self.activity, deadline).await {
            Some(Received::Frame(frame)) => Ok(frame),
            Some(Received::Bytes(bytes)) => match Scanner::default().scan(&bytes) {
                Err(reason) => Err(unreachable(&self.target, reason.into())),
                Ok(_) => Err(self.gone()),
            },
            _ => Err(self.gone()),
        }
    }

    /// Returns when the server has run all requests, and has sent what it has written: two round trips,
    /// because it writes the answers of one turn of its loop in any order, and more where `sent` bytes take it
    /// several turns to read.
    pub(super) async fn barrier(&mut self, sent: usize) -> Result<(), ServerError> {
        if self.is_embedded() {
            self.quiet().await;
            return Ok(());
        }
        for _ in 0..2 + sent / PIECE {
            let answer = self.ask(&["PING"]).await?;
            if answer.kind() == b'-' {
                let text = String::from_utf8_lossy(answer.text().unwrap_or_default()).into_owned();
                return Err(ServerError::Refused { server: self.target.to_string(), text });
            }
        }
        Ok(())
    }

    /// Fails if the server has ended, or is about to end: it closes its connections one after the other.
    pub(super) async fn is_there(&mut self) -> Result<(), ServerError> {
        self.barrier(0).await?;
        tokio::time::sleep(GOING).await;
        self.barrier(0).await
    }

    /// Returns when the embedded broker is idle.
    async fn quiet(&self) {
        let mut seen = self.activity.count.load(Ordering::Relaxed);
        let mut turns = 0;
        while turns < TURNS {
            tokio::task::yield_now().await;
            turns += 1;
            let now = self.activity.count.load(Ordering::Relaxed);
            if now != seen {
                (seen, turns) = (now, 0);
            }
        }
    }

    pub(super) fn is_open(&self, number: usize) -> bool {
        self.connections.get(number).is_some_and(Option::is_some)
    }

    /// Connects again; with `log_in`, uses the password and the database of the target.
    pub(super) async fn open(&mut self, number: usize, log_in: bool) -> Result<(), ServerError> {
        let mut connection = self.dial().await?;
        let requests = if log_in { self.login() } else { vec![vec![b"PING".to_vec()]] };
        let deadline = Instant::now() + TIMEOUT;
        for request in requests {
            connection.send(&request_bytes(&request)).await;
            match received(&connection.inbox, &self.activity, deadline).await {
                Some(Received::Frame(Frame::Text { kind: b'+', .. })) => {}
                // A connection that logs in itself is refused until then.
                Some(Received::Frame(frame))
                    if frame.text().is_some_and(|text| text.starts_with(b"NOAUTH")) => {}
                Some(Received::Frame(frame)) if !log_in || frame.kind() != b'-' => {
                    connection.inbox.lock().put_back(Received::Frame(frame));
                    break;
                }
                Some(Received::Frame(frame)) => {
                    let text = String::from_utf8_lossy(frame.text().unwrap_or_default()).into_owned();
                    return Err(ServerError::Refused { server: self.target.to_string(), text });
                }
                Some(_) | None => return Err(self.gone()),
            }
        }
        if let Some(slot) = present(self.connections.get_mut(number)) {
            *slot = Some(connection);
        }
        Ok(())
    }

    /// Closes our end, and waits until the server has noticed.
    pub(super) async fn close(&mut self, number: usize) -> Result<(), ServerError> {
        if let Some(slot) = self.connections.get_mut(number)
            && let Some(mut connection) = slot.take()
        {
            let _ = connection.writer.shutdown().await;
            drop(connection);
            // The reader task has to drop its half.
            tokio::task::yield_now().await;
            self.barrier(0).await?;
        }
        Ok(())
    }

    pub(super) async fn send(&mut self, number: usize, bytes: &[u8]) {
        if let Some(Some(connection)) = self.connections.get_mut(number) {
            connection.send(bytes).await;
        }
    }

    /// How many frames were received and not taken.
    pub(super) fn waiting(&self, number: usize) -> usize {
        match self.connections.get(number) {
            Some(Some(connection)) => connection.inbox.lock().queue.len(),
            _ => 0,
        }
    }

    /// Takes what was received first.
    pub(super) fn take(&mut self, number: usize) -> Option<Received> {
        match self.connections.get(number) {
            Some(Some(connection)) => connection.inbox.lock().pop(),
            _ => None,
        }
    }

    /// What [`take`](Self::take) would return.
    pub(super) fn front(&self, number: usize) -> Option<Received> {
        match self.connections.get(number) {
            Some(Some(connection)) => connection.inbox.lock().queue.front().cloned(),
            _ => None,
        }
    }

    /// Takes what is received next, until the deadline.
    pub(super) async fn next(&mut self, number: usize, deadline: Instant) -> Option<Received> {
        let Some(Some(connection)) = self.connections.get(number) else { return None };
        let inbox = Arc::clone(&connection.inbox);
        received(&inbox, &self.activity, deadline).await
    }

    /// Returns true when something may have been received, or false at the deadline.
    pub(super) async fn something(&self, deadline: Instant) -> bool {
        timeout_at(deadline, self.activity.changed.notified()).await.is_ok()
    }
}

/// What is received next, until the deadline.
async fn received(inbox: &Mutex<Inbox>, activity: &Activity, deadline: Instant) -> Option<Received> {
    loop {
        {
            let mut inbox = inbox.lock();
            let next = inbox.pop();
            if next.is_some() || inbox.closed {
                return next;
            }
        }
        if timeout_at(deadline, activity.changed.notified()).await.is_err() {
            return None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What was received when a server that writes `piece` again and again is disconnected.
    async fn flooded(piece: &'static [u8], untaken: u64) -> (Inbox, usize) {
        let (ours, mut theirs) = tokio::io::duplex(READ_BUFFER);
        let inbox = Arc::<Mutex<Inbox>>::default();
        let (ours, _) = tokio::io::split(Box::new(ours) as Box<dyn Stream>);
        let reading = tokio::spawn(receive(ours, Arc::clone(&inbox), Arc::default(), untaken));
        let mut written = 0;
        while theirs.write_all(piece).await.is_ok() {
            written += piece.len();
        }
        assert!(reading.await.is_ok());
        (std::mem::take(&mut inbox.lock()), written)
    }

    #[tokio::test]
    async fn a_server_that_never_stops_is_cut_off() {
        const UNTAKEN: u64 = 1024 * 1024;
        for piece in [&b"+OK\r\n"[..], b"no reply of Redis", b">2\r\n$2\r\nno\r\n*0\r\n"] {
            let (mut inbox, _) = flooded(piece, UNTAKEN).await;
            assert!(inbox.closed);
            assert_eq!(inbox.queue.back(), Some(&Received::Closed));
            // The last read may exceed the limit by one buffer.
            assert!((UNTAKEN..UNTAKEN + READ_BUFFER as u64 * PER_VALUE).contains(&inbox.memory));
            while inbox.pop().is_some() {}
            assert_eq!(inbox.memory, 0);
        }
    }
}
