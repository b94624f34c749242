//! A server on which a session is played: its connections, what has come to each, and when it has done all that it
//! was told.

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

/// How long a server may take to answer what it always answers at once; to empty a database takes a while.
pub(super) const TIMEOUT: Duration = Duration::from_secs(10);
/// What a server reads at least in one turn of its loop.
const PIECE: usize = 8 * 1024;
/// How often all tasks of this thread get their turn before it counts as quiet; the longest way from a request to a
/// reader has four.
const TURNS: usize = 8;
/// How long a server that ends may take from its first connection to its last.
const GOING: Duration = Duration::from_millis(200);
const READ_BUFFER: usize = 64 * 1024;
/// How much memory what has come to a connection and was not taken may take: the largest limit that Redis has by
/// default for what waits for a reader, `client-output-buffer-limit replica 256mb`.
const UNTAKEN: u64 = 256 * 1024 * 1024;

/// Why a server cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// No server answers there.
    #[error("cannot connect to {server}: {source}")]
    Unreachable {
        /// Where.
        server: String,
        /// Why not.
        source: RemoteError,
    },
    /// It refuses the login, with this password or without one.
    #[error("{server} refuses: {text}")]
    Refused {
        /// Where.
        server: String,
        /// What it answers.
        text: String,
    },
    /// It has closed the connection, or answers no more.
    #[error("{server} has gone away")]
    Gone {
        /// Where.
        server: String,
    },
}

pub(super) fn unreachable(target: &Target, source: RemoteError) -> ServerError {
    ServerError::Unreachable { server: target.to_string(), source }
}

/// What came on a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Received {
    /// A reply or a push.
    Frame(Frame),
    /// Bytes that are none.
    Bytes(Vec<u8>),
    /// The end.
    Closed,
}

impl Received {
    /// How much memory it takes, about.
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

/// A connection to whatever server.
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
        // With both halves the socket closes.
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
        // One that the server has closed shows in what is received.
        let written = async {
            self.writer.write_all(bytes).await?;
            // TLS holds back what its socket does not take.
            self.writer.flush().await
        };
        let _ = timeout(TIMEOUT, written).await;
    }
}

/// Takes frames from the stream until it ends. When more than `untaken` waits to be taken it counts as ended.
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

/// Takes all whole frames off the front of a buffer; once something is no frame, all bytes. The scanner is there as
/// long as all could be read.
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
    /// A real one, which must be there and let us in.
    pub(super) async fn connect(target: &Target, connections: usize) -> Result<Self, ServerError> {
        let mut server = Self::new(Kind::Real, target, connections);
        let control = server.dial().await?;
        server.control = Some(control);
        server.log_in().await?;
        server.barrier(0).await?;
        Ok(server)
    }

    /// A broker in this thread, which lets the same people in.
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

    /// What a connection sends first; all answer.
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
        // Always one with an answer: then the server knows of the connection before anything else happens.
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

    /// Fails if the server has gone, or is about to go: it cuts its connections one after the other.
    pub(super) async fn is_there(&mut self) -> Result<(), ServerError> {
        self.barrier(0).await?;
        tokio::time::sleep(GOING).await;
        self.barrier(0).await
    }

    /// Returns when the embedded broker has nothing to do but to wait.
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

    /// Connects again; `log_in`: with the password and the database of the target.
    pub(super) async fn open(&mut self, number: usize, log_in: bool) -> Result<(), ServerError> {
        let mut connection = self.dial().await?;
        let requests = if log_in { self.login() } else { vec![vec![b"PING".to_vec()]] };
        let deadline = Instant::now() + TIMEOUT;
        for request in requests {
            connection.send(&request_bytes(&request)).await;
            match received(&connection.inbox, &self.activity, deadline).await {
                Some(Received::Frame(Frame::Text { kind: b'+', .. })) => {}
                // Who logs in itself is not let in before.
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

    /// Closes our end, and waits until the server has seen it.
    pub(super) async fn close(&mut self, number: usize) -> Result<(), ServerError> {
        if let Some(slot) = self.connections.get_mut(number)
            && let Some(mut connection) = slot.take()
        {
            let _ = connection.writer.shutdown().await;
            drop(connection);
            // The reader has to let go of its half.
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

    /// How much has come and has not been taken.
    pub(super) fn waiting(&self, number: usize) -> usize {
        match self.connections.get(number) {
            Some(Some(connection)) => connection.inbox.lock().queue.len(),
            _ => 0,
        }
    }

    /// Takes what has come first.
    pub(super) fn take(&mut self, number: usize) -> Option<Received> {
        match self.connections.get(number) {
            Some(Some(connection)) => connection.inbox.lock().pop(),
            _ => None,
        }
    }

    /// What would be taken.
    pub(super) fn front(&self, number: usize) -> Option<Received> {
        match self.connections.get(number) {
            Some(Some(connection)) => connection.inbox.lock().queue.front().cloned(),
            _ => None,
        }
    }

    /// Takes what comes next, until the deadline.
    pub(super) async fn next(&mut self, number: usize, deadline: Instant) -> Option<Received> {
        let Some(Some(connection)) = self.connections.get(number) else { return None };
        let inbox = Arc::clone(&connection.inbox);
        received(&inbox, &self.activity, deadline).await
    }

    /// Returns when something may have come, or at the deadline with false.
    pub(super) async fn something(&self, deadline: Instant) -> bool {
        timeout_at(deadline, self.activity.changed.notified()).await.is_ok()
    }
}

/// What comes next.
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

    /// What has come when a server that writes this again and again is cut off.
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
            // What one read brings more has no more bytes than that.
            assert!((UNTAKEN..UNTAKEN + READ_BUFFER as u64 * PER_VALUE).contains(&inbox.memory));
            while inbox.pop().is_some() {}
            assert_eq!(inbox.memory, 0);
        }
    }
}
