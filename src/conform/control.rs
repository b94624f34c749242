//! The player's own connection to a server: the barrier, questions about clients, cleaning up.

use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::thread;
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;

use super::link::{self, Arrived, Link};
use crate::remote::{NoReply, RemoteError, Scanner, Target};
use crate::resp::request_bytes;
use crate::session::frame::Frame;

/// How long something that must happen may take before it counts as missing. Only an upper bound, for a busy machine.
pub const TIMEOUT: Duration = Duration::from_secs(60);

/// How long an event may take if it is not known whether it happens. If it does not, because a server deviates, this is
/// also how long the step takes.
const EVENT: Duration = Duration::from_millis(1500);
/// How long an event may take that the reference has reported: only an upper bound, for a busy machine.
const EXPECTED: Duration = Duration::from_secs(10);
/// How long to wait for an event that the reference has not reported.
const UNEXPECTED: Duration = Duration::from_millis(500);
/// How long an event may take on a server that has missed [`MISSED`] events and reported none: perhaps it reports none
/// at all.
const UNREPORTED: Duration = Duration::from_millis(20);
/// How many events a server may miss before it counts as one that reports none.
const MISSED: u32 = 3;

/// A connection that no scenario uses.
#[derive(Debug)]
pub struct Control {
    target: Target,
    link: Link,
    runtime: Rc<Runtime>,
    /// The address of the client's end, as the server writes it.
    pub addr: String,
    /// The server's address, where it has one.
    pub server: Option<SocketAddr>,
    reported: u32,
    missed: u32,
}

impl Control {
    /// Connects to a server without a password.
    ///
    /// # Errors
    ///
    /// There is no server.
    pub fn connect(server: SocketAddr) -> io::Result<Self> {
        let target: Target = format!("redis://{server}").parse().map_err(io::Error::other)?;
        Self::dial(&target).map_err(io::Error::other)
    }

    /// Connects and logs in.
    ///
    /// # Errors
    ///
    /// There is no server, or it refuses the login.
    pub fn dial(target: &Target) -> Result<Self, RemoteError> {
        let runtime = link::runtime()?;
        let link = open(&runtime, target)?;
        Ok(Self::new(target.clone(), runtime, link, 0, 0))
    }

    fn new(target: Target, runtime: Rc<Runtime>, link: Link, reported: u32, missed: u32) -> Self {
        let addr = link.local_addr().map(|addr| addr.to_string()).unwrap_or_default();
        let server = link.server();
        Self { target, link, runtime, addr, server, reported, missed }
    }

    /// Connects again after the connection was lost.
    ///
    /// # Errors
    ///
    /// The server is gone.
    pub fn reconnect(&mut self) -> io::Result<()> {
        let link = open(&self.runtime, &self.target).map_err(io::Error::other)?;
        let runtime = Rc::clone(&self.runtime);
        *self = Self::new(self.target.clone(), runtime, link, self.reported, self.missed);
        Ok(())
    }

    /// Another connection to the same server, logged in.
    pub(super) fn another(&self) -> io::Result<Link> {
        open(&self.runtime, &self.target).map_err(io::Error::other)
    }

    /// Sends a command and waits for its reply.
    ///
    /// # Errors
    ///
    /// The server is gone, does not reply in time, or sends something that is not a reply.
    pub fn command<T: AsRef<[u8]>>(&mut self, arguments: &[T]) -> io::Result<Frame> {
        match once(&mut self.link, arguments) {
            // A scenario may kill all clients, including this one.
            Err(error)
                if error.kind() != io::ErrorKind::TimedOut && error.kind() != io::ErrorKind::InvalidData =>
            {
                self.reconnect()?;
                once(&mut self.link, arguments)
            }
            other => other,
        }
    }

    /// Two round trips. A server writes the replies of one turn of its loop in any order, so the first
    /// may overtake what the turn wrote to others; the second cannot.
    ///
    /// # Errors
    ///
    /// As [`command`](Self::command).
    pub fn barrier(&mut self) -> io::Result<()> {
        for _ in 0..2 {
            self.command(&["PING", "barrier"])?;
        }
        Ok(())
    }

    /// Checks that the server speaks the protocol, and replies to a client that has not logged in.
    ///
    /// # Errors
    ///
    /// It does not, or replies with an error.
    pub(super) fn ping(&mut self) -> Result<(), RemoteError> {
        match once(&mut self.link, &["PING"]).map_err(server_error)? {
            Frame::Text { kind: b'-', text } => {
                Err(RemoteError::Refused(String::from_utf8_lossy(&text).into_owned()))
            }
            _ => Ok(()),
        }
    }

    /// How many keys all databases have; `None` if the server does not say.
    pub(super) fn keys(&mut self) -> io::Result<Option<u64>> {
        let size = match self.command(&["DBSIZE"])? {
            Frame::Text { kind: b':', text } => str::from_utf8(&text).ok().and_then(|size| size.parse().ok()),
            _ => None,
        };
        // db0:keys=1,expires=0,avg_ttl=0
        let keyspace = self.info("keyspace")?;
        let sizes = keyspace
            .lines()
            .filter_map(|line| line.split_once(":keys=")?.1.split(',').next()?.trim().parse::<u64>().ok());
        Ok(size.map(|size: u64| size.max(sizes.sum())))
    }

    fn text<T: AsRef<[u8]>>(&mut self, arguments: &[T]) -> io::Result<String> {
        match self.command(arguments)? {
            Frame::Text { kind, text } if kind != b'-' => Ok(String::from_utf8_lossy(&text).into_owned()),
            _ => Ok(String::new()),
        }
    }

    /// A section of INFO; empty if the server does not have it.
    ///
    /// # Errors
    ///
    /// As [`command`](Self::command).
    pub fn info(&mut self, section: &str) -> io::Result<String> {
        self.text(&["INFO", section])
    }

    /// How many clients the server says are blocked.
    ///
    /// # Errors
    ///
    /// As [`command`](Self::command).
    pub fn blocked(&mut self) -> io::Result<u64> {
        let info = self.info("clients")?;
        let count = info.lines().find_map(|line| line.strip_prefix("blocked_clients:")?.trim().parse().ok());
        Ok(count.unwrap_or(0))
    }

    /// The id of the client with this address.
    ///
    /// # Errors
    ///
    /// As [`command`](Self::command).
    pub fn client_id(&mut self, addr: &str) -> io::Result<Option<String>> {
        let wanted = format!("addr={addr}");
        let list = self.text(&["CLIENT", "LIST"])?;
        let line = list.lines().find(|line| line.split(' ').any(|field| field == wanted));
        Ok(line
            .and_then(|line| line.split(' ').find_map(|field| field.strip_prefix("id=")))
            .map(str::to_owned))
    }

    /// The number of clients.
    ///
    /// # Errors
    ///
    /// As [`command`](Self::command).
    pub fn clients(&mut self) -> io::Result<usize> {
        Ok(self.text(&["CLIENT", "LIST"])?.lines().count())
    }

    /// A configuration parameter.
    ///
    /// # Errors
    ///
    /// As [`command`](Self::command).
    pub fn config(&mut self, name: &str) -> io::Result<Option<Vec<u8>>> {
        let answer = self.command(&["CONFIG", "GET", name])?;
        Ok(answer.items().get(1).and_then(Frame::text).map(<[u8]>::to_vec))
    }

    /// Repeats `asks` until it returns true; returns false if it did not in time. `expected` is the result of the
    /// reference, if there is one.
    ///
    /// # Errors
    ///
    /// The error of `asks`.
    pub fn until(
        &mut self,
        expected: Option<bool>,
        mut asks: impl FnMut(&mut Self) -> io::Result<bool>,
    ) -> io::Result<bool> {
        let limit = match expected {
            _ if self.reported == 0 && self.missed >= MISSED => UNREPORTED,
            Some(true) => EXPECTED,
            Some(false) => UNEXPECTED,
            None => EVENT,
        };
        let deadline = Instant::now() + limit;
        let mut is_late = false;
        while !asks(self)? {
            is_late = true;
            if Instant::now() > deadline {
                self.missed += 1;
                return Ok(false);
            }
            thread::yield_now();
        }
        // If the first question succeeds, that does not show that the server reports events.
        self.reported += u32::from(is_late);
        Ok(true)
    }
}

/// Connects and logs in.
fn open(runtime: &Rc<Runtime>, target: &Target) -> Result<Link, RemoteError> {
    let mut link = Link::dial(runtime, target)?;
    if let Some(password) = &target.password {
        let user = target.user.as_deref();
        let login: Vec<&str> = ["AUTH"].into_iter().chain(user).chain([password.as_str()]).collect();
        let answer = once(&mut link, &login).map_err(server_error)?;
        if let Frame::Text { kind: b'-', text } = answer {
            return Err(RemoteError::Refused(String::from_utf8_lossy(&text).into_owned()));
        }
    }
    Ok(link)
}

fn server_error(error: io::Error) -> RemoteError {
    match error.kind() {
        io::ErrorKind::TimedOut => RemoteError::Silent,
        io::ErrorKind::InvalidData => RemoteError::NotRedis,
        io::ErrorKind::FileTooLarge => RemoteError::TooLarge,
        io::ErrorKind::UnexpectedEof => RemoteError::Closed,
        _ => error.into(),
    }
}

/// Sends a command and waits for its reply.
pub(super) fn once<T: AsRef<[u8]>>(link: &mut Link, arguments: &[T]) -> io::Result<Frame> {
    link.write(&request_bytes(arguments), TIMEOUT)?;
    let (mut bytes, mut scanner) = (Vec::new(), Scanner::default());
    loop {
        if link.read(&mut bytes, TIMEOUT)? == Arrived::End {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let refused = |reason: NoReply| match reason {
            NoReply::Malformed => io::ErrorKind::InvalidData,
            NoReply::TooLarge => io::ErrorKind::FileTooLarge,
        };
        let no_reply = || io::Error::new(io::ErrorKind::InvalidData, RemoteError::NotRedis);
        if let Some(length) = scanner.scan(&bytes).map_err(refused)? {
            return bytes.get(..length).and_then(Frame::read).ok_or_else(no_reply);
        }
    }
}
