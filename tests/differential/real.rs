//! Plays programs on a real server.

use std::io::{self, ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use minibroker::Version;
use minibroker::internal::resp::request_bytes;

use crate::play::{Received, Stage, Stop, Transcript, play};
use crate::program::{Moment, Program};
use crate::servers::{self, Server};

/// How long a server may take to answer a command that does not block.
const TIMEOUT: Duration = Duration::from_secs(60);
/// How long a server that has closed all connections may take to end.
const CRASH: Duration = Duration::from_secs(3);
/// The least that a server reads in one turn of its loop.
const PIECE: usize = 8 * 1024;
/// The settings of all servers: timers fire within two milliseconds, and all keyspace events are published.
/// FLUSHALL replies at once instead of waiting until the memory is freed.
const SETTINGS: [&str; 8] = [
    "--hz",
    "500",
    "--dynamic-hz",
    "no",
    "--notify-keyspace-events",
    "KEA",
    "--lazyfree-lazy-user-flush",
    "yes",
];

/// A server of this machine, with its own socket.
pub struct Real {
    server: Server,
    socket: PathBuf,
    control: UnixStream,
}

impl Real {
    /// Starts it.
    pub fn start(program: &Path) -> Result<Self, String> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let socket =
            std::env::temp_dir().join(format!("minibroker-differential-{}-{number}", std::process::id()));
        let start_error = |error: io::Error| format!("{} does not start: {error}", program.display());
        let mut settings: Vec<String> = SETTINGS.map(str::to_owned).to_vec();
        settings.extend(["--unixsocket".into(), socket.display().to_string()]);
        let server = servers::start(program, &settings).map_err(start_error)?;
        let control = UnixStream::connect(&socket).map_err(start_error)?;
        control.set_read_timeout(Some(TIMEOUT)).map_err(start_error)?;
        Ok(Self { server, socket, control })
    }

    pub fn name(&self) -> &str {
        &self.server.name
    }

    pub fn version(&self) -> Version {
        self.server.version()
    }

    /// Plays a program on the empty server.
    pub fn play(&mut self, program: &Program, unit: u64) -> Result<Transcript, Stop> {
        match self.play_on(program, unit) {
            Err(Stop::Broken(why)) => {
                // A server that crashes writes a report before it ends.
                let until = Instant::now() + CRASH;
                while self.server.is_running() && Instant::now() < until {
                    thread::sleep(Duration::from_millis(10));
                }
                Err(if self.server.is_running() { Stop::Broken(why) } else { Stop::Crashed })
            }
            other => other,
        }
    }

    fn play_on(&mut self, program: &Program, unit: u64) -> Result<Transcript, Stop> {
        let may_be_late = program.is_timed().then(|| Duration::from_millis(unit / 4));
        let mut stage = self.stage(program.clients, may_be_late, program.has_scripts())?;
        play(program, unit, &mut stage)
    }

    /// The empty server with this number of clients, that may be late by so much; without functions if `has_scripts`.
    pub fn stage(
        &mut self,
        clients: usize,
        may_be_late: Option<Duration>,
        has_scripts: bool,
    ) -> Result<RealStage<'_>, Stop> {
        self.ask(&["CLIENT", "UNPAUSE"])?;
        self.ask(&["FLUSHALL"])?;
        if has_scripts {
            self.ask(&["SCRIPT", "FLUSH", "SYNC"])?;
            self.ask(&["FUNCTION", "FLUSH", "SYNC"])?;
        }
        self.barrier(1)?;
        let clients = std::iter::repeat_with(|| None).take(clients).collect();
        Ok(RealStage { real: self, clients, began: Instant::now(), may_be_late })
    }

    fn ask<A: AsRef<[u8]>>(&mut self, request: &[A]) -> io::Result<Vec<u8>> {
        self.control.write_all(&request_bytes(request))?;
        line(&mut self.control)
    }

    /// Returns when the server has answered PING this many times.
    fn barrier(&mut self, times: usize) -> io::Result<()> {
        for _ in 0..times {
            self.control.write_all(b"PING\r\n")?;
            let mut pong = [0; 7];
            self.control.read_exact(&mut pong)?;
            if &pong != b"+PONG\r\n" {
                return Err(io::Error::other(format!("the server answers {} to PING", pong.escape_ascii())));
            }
        }
        Ok(())
    }
}

impl Drop for Real {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.socket);
    }
}

/// Reads a line.
fn line(stream: &mut UnixStream) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        bytes.extend_from_slice(&byte);
    }
    Ok(bytes)
}

/// A connection, which is closed on drop even while a thread that starts another server has just forked: its child has
/// all files of this process until it executes the server, and until then the server would not notice that one is closed.
struct Connection(UnixStream);

impl Drop for Connection {
    fn drop(&mut self) {
        // It fails if the server has closed it.
        let _ = self.0.shutdown(Shutdown::Both);
    }
}

/// A server with the clients of a program.
pub struct RealStage<'a> {
    real: &'a mut Real,
    clients: Vec<Option<Connection>>,
    began: Instant,
    may_be_late: Option<Duration>,
}

impl Stage for RealStage<'_> {
    fn connect(&mut self, client: usize) -> Result<u64, Stop> {
        let mut stream = UnixStream::connect(&self.real.socket)?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        stream.write_all(&request_bytes(&["CLIENT", "ID"]))?;
        let answer = line(&mut stream)?;
        let number =
            std::str::from_utf8(&answer).ok().and_then(|line| line.trim().strip_prefix(':')?.parse().ok());
        let number =
            number.ok_or_else(|| Stop::Broken(format!("CLIENT ID answers {}", answer.escape_ascii())))?;
        stream.set_nonblocking(true)?;
        self.clients[client] = Some(Connection(stream));
        Ok(number)
    }

    fn send(&mut self, client: usize, bytes: &[u8]) -> Result<(), Stop> {
        match self.clients[client].as_mut().map(|connection| connection.0.write_all(bytes)) {
            Some(Err(error))
                if !matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset) =>
            {
                Err(error.into())
            }
            _ => Ok(()),
        }
    }

    fn disconnect(&mut self, client: usize) -> Result<(), Stop> {
        self.clients[client] = None;
        Ok(())
    }

    fn pass_a_millisecond(&mut self) {
        thread::sleep(Duration::from_millis(1));
    }

    fn pass_a_slot(&mut self, now: Moment, _: &mut [Received]) -> Result<(), Stop> {
        let then = self.began + Duration::from_millis(now.millis());
        thread::sleep(then.saturating_duration_since(Instant::now()));
        Ok(())
    }

    fn settle(&mut self, sent: usize, now: Moment, received: &mut [Received]) -> Result<(), Stop> {
        // A server writes the answers of one turn of its loop in any order, so the first PONG may overtake some.
        self.real.barrier(2 + sent / PIECE)?;
        let mut buffer = [0; 16 * 1024];
        for (slot, received) in self.clients.iter_mut().zip(received) {
            let Some(connection) = slot else { continue };
            loop {
                match connection.0.read(&mut buffer) {
                    Ok(0) => received.closed = true,
                    Ok(read) => {
                        received.bytes.extend_from_slice(&buffer[..read]);
                        continue;
                    }
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                    Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                    Err(_) => received.closed = true,
                }
                break;
            }
            if received.closed {
                *slot = None;
            }
        }
        let late = self.began.elapsed().saturating_sub(Duration::from_millis(now.millis()));
        if self.may_be_late.is_some_and(|most| late > most) { Err(Stop::Late) } else { Ok(()) }
    }
}
