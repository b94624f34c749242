//! A proxy that records what passes through it.
//!
//! Bytes are passed on as they arrive. The recording is made from a copy of them, by its own thread, so that clients
//! do not wait for it.

use std::collections::HashMap;
use std::future::Future;
use std::io::{self, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::conversation::effect_of_name;
use super::format::{Action, Argument, write_event};
use super::pass::{BEHIND_MAX, Note, Passing, Shared, Way, What};
use super::server::{Received, Server, ServerError, split};
use crate::remote::{LARGEST_REPLY, LONGEST_BULK, Scanner, Socket, Target};
use crate::resp::{Limits, Parser, request_bytes};
use crate::spec::Effect;

/// How often the recording is written to the file.
const TICK: Duration = Duration::from_millis(100);
/// The shortest silence that is recorded: shorter ones are processing time, not people.
const SILENCE: Duration = Duration::from_millis(100);

/// A proxy for a server that records what its clients send and receive, until `ended`.
/// `ready` is called with the address as soon as clients can connect.
///
/// # Errors
///
/// The server cannot be reached or refuses the login (`out` has not been called then), it is not possible to listen at
/// the address, or the recording cannot be written; in the last case the error is returned at the end, because the
/// clients continue.
pub async fn record<W: Write + Send + 'static>(
    upstream: &Target,
    listen: &str,
    out: impl FnOnce() -> io::Result<W>,
    ready: impl FnOnce(std::net::SocketAddr),
    ended: impl Future<Output = ()>,
) -> Result<(), RecordError> {
    // Checks that the server can be reached and accepts the login before anything is created.
    match Server::connect(upstream, 0).await {
        Ok(_) => {}
        // Clients may know the password that we have not been given.
        Err(ServerError::Refused { text, .. })
            if upstream.password.is_none() && text.starts_with("NOAUTH") => {}
        Err(error) => return Err(error.into()),
    }
    let listener = TcpListener::bind(listen)
        .await
        .map_err(|source| RecordError::Listen { address: listen.to_owned(), source })?;
    let address =
        listener.local_addr().map_err(|source| RecordError::Listen { address: listen.to_owned(), source })?;
    let out = out().map_err(RecordError::Write)?;
    let shared = Arc::<Shared>::default();
    let writer = {
        let (shared, upstream) = (Arc::clone(&shared), upstream.to_string());
        std::thread::spawn(move || write_down(&shared, &upstream, out))
    };
    ready(address);
    tokio::select! {
        () = accept(&listener, upstream, &shared) => {}
        () = ended => {}
    }
    {
        let mut notes = shared.notes.lock();
        notes.over = true;
        shared.hurry.notify_one();
    }
    match writer.join() {
        Ok(written) => written.map_err(RecordError::Write),
        Err(_) => Err(RecordError::Write(io::Error::other("the writer has failed"))),
    }
}

/// Why a session cannot be recorded.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The server cannot be used.
    #[error(transparent)]
    Server(#[from] ServerError),
    /// It is not possible to listen there.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address.
        address: String,
        /// The error of the system.
        source: io::Error,
    },
    /// The recording cannot be written.
    #[error("cannot write the recording: {0}")]
    Write(#[source] io::Error),
}

async fn accept(listener: &TcpListener, upstream: &Target, shared: &Arc<Shared>) {
    let mut connections = 0;
    loop {
        let Ok((client, _)) = listener.accept().await else {
            // Too many files are open: some will be closed.
            tokio::time::sleep(TICK).await;
            continue;
        };
        let number = connections;
        connections += 1;
        shared.note(number, What::Connect, b"");
        let (upstream, shared) = (upstream.clone(), Arc::clone(shared));
        tokio::spawn(async move {
            // A single byte may complete a push, so writes are not delayed.
            let _ = client.set_nodelay(true);
            if connect_up(client, number, &upstream, &shared).await.is_none() {
                shared.note(number, What::End(Way::Down), b"");
            }
        });
    }
}

/// Connects to the server and passes on bytes in both directions. `None` if it cannot be reached.
async fn connect_up(client: TcpStream, number: usize, upstream: &Target, shared: &Arc<Shared>) -> Option<()> {
    let mut server = Socket::dial(upstream).await.ok()?;
    log_in(&mut server, upstream).await?;
    Passing::new(client, server, number, Arc::clone(shared)).await;
    Some(())
}

/// Logs in for the client, and selects the database.
async fn log_in(server: &mut (impl AsyncRead + AsyncWrite + Unpin), upstream: &Target) -> Option<()> {
    let mut requests = Vec::new();
    if let Some(password) = &upstream.password {
        let words = [Some("AUTH"), upstream.user.as_deref(), Some(password)];
        requests.push(request_bytes(&words.into_iter().flatten().collect::<Vec<_>>()));
    }
    if let Some(database @ 1..) = upstream.database {
        requests.push(request_bytes(&["SELECT", &database.to_string()]));
    }
    for request in requests {
        server.write_all(&request).await.ok()?;
        server.flush().await.ok()?;
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n") {
            answer.push(server.read_u8().await.ok()?);
        }
        if !answer.starts_with(b"+") {
            return None;
        }
    }
    Some(())
}

/// The thread that writes.
fn write_down(shared: &Shared, upstream: &str, mut out: impl Write) -> io::Result<()> {
    let mut recording = Recording::default();
    let mut text =
        format!("# A session with {upstream}, recorded by minibroker {}.\n", env!("CARGO_PKG_VERSION"));
    loop {
        let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
        text.clear();
        let mut notes = shared.notes.lock();
        if let Err(error) = written {
            // The clients continue without a recording.
            notes.failed = true;
            notes.take();
            return Err(error);
        }
        if !notes.over && notes.bytes.len() <= BEHIND_MAX / 2 {
            shared.hurry.wait_for(&mut notes, TICK);
        }
        let over = notes.over;
        let (list, bytes) = notes.take();
        drop(notes);
        recording.add(&list, &bytes, &mut text);
        if over && list.is_empty() {
            recording.end(&mut text);
            out.write_all(text.as_bytes())?;
            return out.flush();
        }
    }
}

/// What is known of the connections that are recorded.
#[derive(Default)]
struct Recording {
    connections: HashMap<usize, Talk>,
    last: Option<Instant>,
}

/// One connection.
struct Talk {
    up: BytesMut,
    down: BytesMut,
    parser: Option<Parser>,
    scanner: Option<Scanner>,
    ended: bool,
}

impl Talk {
    fn new() -> Self {
        Self {
            up: BytesMut::new(),
            down: BytesMut::new(),
            parser: Some(Parser::new()),
            scanner: Some(Scanner::default()),
            ended: false,
        }
    }
}

impl Recording {
    fn add(&mut self, notes: &[Note], mut bytes: &[u8], text: &mut String) {
        for note in notes {
            let number = note.connection;
            let silence = self.last.map_or(Duration::ZERO, |last| note.at.saturating_duration_since(last));
            self.last = Some(note.at);
            if silence >= SILENCE {
                write(text, number, &Action::Idle(silence));
            }
            let talk = self.connections.entry(number).or_insert_with(Talk::new);
            match note.what {
                What::Connect => write(text, number, &Action::Connect(number)),
                What::Pass(way, length) => {
                    let (piece, rest) = bytes.split_at(length.min(bytes.len()));
                    bytes = rest;
                    match way {
                        Way::Up => talk.says(piece, number, text),
                        Way::Down => talk.receive(piece, number, text),
                    }
                }
                What::End(_) if talk.ended => {
                    // Both ends are closed: nothing more arrives.
                    self.connections.remove(&number);
                }
                What::End(way) => {
                    talk.ended = true;
                    talk.end(number, text);
                    write(
                        text,
                        number,
                        &if way == Way::Up { Action::Close(number) } else { Action::Closed(number) },
                    );
                }
            }
        }
    }

    /// Writes the incomplete requests and answers that are left.
    fn end(&mut self, text: &mut String) {
        let mut open: Vec<_> = self.connections.iter_mut().filter(|(_, talk)| !talk.ended).collect();
        open.sort_by_key(|(number, _)| **number);
        for (number, talk) in open {
            talk.end(*number, text);
        }
    }
}

impl Talk {
    fn says(&mut self, piece: &[u8], number: usize, text: &mut String) {
        if self.ended {
            return;
        }
        self.up.extend_from_slice(piece);
        let limits = Limits { bulk: LONGEST_BULK, authenticated: true };
        while let Some(parser) = &mut self.parser {
            match parser.parse(&self.up, &limits) {
                Ok(None) if self.up.len() as u64 <= LARGEST_REPLY => return,
                Ok(Some(length)) => {
                    let arguments: Vec<&[u8]> = parser.args(&self.up).iter().collect();
                    let bytes = self.up.get(..length).unwrap_or_default();
                    // A request that is not written as client libraries write it is recorded as bytes.
                    let is_usual = !arguments.is_empty() && request_bytes(&arguments) == bytes;
                    let action = if is_usual || is_login(&arguments) {
                        Action::Send(number, without_password(&arguments))
                    } else {
                        Action::SendBytes(number, bytes.to_vec())
                    };
                    write(text, number, &action);
                    self.up.advance(length);
                }
                // It is not a request, or larger than a request may be.
                Ok(None) | Err(_) => self.parser = None,
            }
        }
        if !self.up.is_empty() {
            write(text, number, &Action::SendBytes(number, self.up.split().to_vec()));
        }
    }

    fn receive(&mut self, piece: &[u8], number: usize, text: &mut String) {
        // A client that has closed its end does not receive this.
        if self.ended {
            return;
        }
        self.down.extend_from_slice(piece);
        split(&mut self.down, &mut self.scanner, |received| {
            write(
                text,
                number,
                &match received {
                    Received::Frame(frame) => Action::Answer(number, frame),
                    Received::Bytes(bytes) => Action::AnswerBytes(number, bytes),
                    Received::Closed => Action::Closed(number),
                },
            );
        });
    }

    /// Writes the incomplete rest.
    fn end(&mut self, number: usize, text: &mut String) {
        if !self.up.is_empty() {
            write(text, number, &Action::SendBytes(number, self.up.split().to_vec()));
        }
        if !self.down.is_empty() {
            write(text, number, &Action::AnswerBytes(number, self.down.split().to_vec()));
        }
    }
}

fn write(text: &mut String, number: usize, action: &Action) {
    let name = format!("c{}", number + 1);
    write_event(text, action, |_| &name);
}

/// Whether the request has a password.
fn is_login(arguments: &[&[u8]]) -> bool {
    without_password(arguments).contains(&Argument::Password)
}

/// The arguments; with the passwords of AUTH and HELLO replaced.
fn without_password(arguments: &[&[u8]]) -> Vec<Argument> {
    let password = match arguments.first().and_then(|name| effect_of_name(name)) {
        Some(Effect::LogsIn) => arguments.len().checked_sub(1).filter(|last| *last > 0),
        Some(Effect::ChoosesProtocol) => {
            let option = arguments.iter().skip(1).position(|argument| argument.eq_ignore_ascii_case(b"AUTH"));
            option.map(|at| at + 3)
        }
        _ => None,
    };
    let all = arguments.iter().enumerate();
    all.map(
        |(index, argument)| {
            if Some(index) == password { Argument::Password } else { Argument::Bytes(argument.to_vec()) }
        },
    )
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recorded(pieces: &[(Way, &[u8])]) -> String {
        let (mut recording, mut text) = (Recording::default(), String::new());
        let at = Instant::now();
        let passed = pieces.iter().map(|(way, bytes)| What::Pass(*way, bytes.len()));
        let notes: Vec<Note> =
            [What::Connect].into_iter().chain(passed).map(|what| Note { connection: 0, at, what }).collect();
        let bytes: Vec<&[u8]> = pieces.iter().map(|(_, bytes)| *bytes).collect();
        recording.add(&notes, &bytes.concat(), &mut text);
        recording.end(&mut text);
        text
    }

    #[test]
    fn what_is_no_request_or_answer_stays_as_it_is() {
        let text = recorded(&[
            (Way::Up, b"PING\r\n*1\r\n$4\r\nPI"),
            (Way::Down, b"+PO"),
            (Way::Down, b"NG\r\n"),
            (Way::Up, b"NG\r\n*1\r\n+no\r\nmore"),
            (Way::Down, b"what\r\n"),
            (Way::Down, b":1\r\n"),
        ]);
        let wanted = "c1 connect\nc1 >> \"PING\\r\\n\"\nc1 < +PONG\nc1 > PING\nc1 >> \"*1\\r\\n+no\\r\\nmore\"\nc1 << \"what\\r\\n\"\nc1 << \":1\\r\\n\"\n";
        assert_eq!(text, wanted);
    }

    #[test]
    fn what_is_larger_than_redis_has_it_is_written_as_it_comes() {
        let (mut recording, mut text) = (Recording::default(), String::new());
        let mut pass = |way, bytes: &[u8]| {
            let note = Note { connection: 0, at: Instant::now(), what: What::Pass(way, bytes.len()) };
            recording.add(&[note], bytes, &mut text);
            let talk = &recording.connections[&0];
            assert!(talk.up.is_empty() && talk.down.is_empty());
        };
        pass(Way::Up, b"*1\r\n$536870913\r\n");
        pass(Way::Up, b"abc");
        pass(Way::Down, b"$536870913\r\n");
        pass(Way::Down, b"abc");
        let wanted =
            "c1 >> \"*1\\r\\n$536870913\\r\\n\"\nc1 >> \"abc\"\nc1 << \"$536870913\\r\\n\"\nc1 << \"abc\"\n";
        assert_eq!(text, wanted);
    }

    #[test]
    fn passwords_do_not_get_into_the_recording() {
        let text = recorded(&[
            (Way::Up, &request_bytes(&["AUTH", "s3cret"])),
            (Way::Up, &request_bytes(&["auth", "ann", "s3cret"])),
            (Way::Up, &request_bytes(&["HELLO", "3", "SETNAME", "x", "AUTH", "ann", "s3cret"])),
            (Way::Up, b"AUTH s3cret\r\n"),
        ]);
        assert!(!text.contains("s3cret"), "{text}");
        assert!(text.contains("c1 > HELLO 3 SETNAME x AUTH ann <password>\n"), "{text}");
    }
}
