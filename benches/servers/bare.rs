//! The bare loop: epoll, one read and one write, and nothing between them.
//!
//! It is the lower bound for every server that uses sockets in this way: a separate process that does not parse
//! requests. A setup request tells each connection how long its requests are and what their answers are (see
//! [`Answer`]); then bytes are counted and answers copied.

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};

use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::fd::OwnedFd;
use slab::Slab;

use super::client::{Buffer, Connection, bulk, request};

/// The argument that makes the bench's own program the loop; the port follows.
pub const FLAG: &str = "--bare-loop";
/// The size of a pipeline of 64 requests with values of 1 KB.
const READ_SIZE: usize = 64 * 1024;
const LISTENER: u64 = u64::MAX;
/// The first byte of a setup request. Its length follows, in `LENGTH_DIGITS` digits, and its body.
const SETUP: u8 = b'!';
const LENGTH_DIGITS: usize = 8;

/// What the loop does with one request.
#[derive(Clone, Default)]
pub struct Answer {
    /// How many bytes the request has.
    pub request: usize,
    /// The reply to its sender.
    pub reply: Vec<u8>,
    /// The push to each connection of this group.
    pub push: Option<(String, Vec<u8>)>,
}

impl Answer {
    pub fn new(request: &[u8], reply: impl Into<Vec<u8>>) -> Self {
        Self { request: request.len(), reply: reply.into(), push: None }
    }

    fn ping() -> Self {
        Self::new(&request(["PING"]), "+PONG\r\n")
    }

    /// As four bulk strings.
    fn encode(&self) -> Vec<u8> {
        let (group, push) = self.push.clone().unwrap_or_default();
        let parts = [self.request.to_string().into_bytes(), self.reply.clone(), group.into_bytes(), push];
        parts.iter().flat_map(|part| bulk(&String::from_utf8_lossy(part))).collect()
    }
}

impl Connection {
    /// Sets the answers on this connection, in turn, and the group that the connection is in.
    pub fn set_up(&mut self, group: &str, answers: &[Answer], buffer: &mut Buffer) -> io::Result<()> {
        let mut body = bulk(group);
        body.extend(answers.iter().flat_map(Answer::encode));
        let mut setup = format!("{}{:0LENGTH_DIGITS$}", char::from(SETUP), body.len()).into_bytes();
        setup.extend(body);
        self.ask(&setup, 1, buffer)
    }
}

/// Reads a setup request: the group, and the answers.
fn decode(mut body: &[u8]) -> Option<(String, Vec<Answer>)> {
    let mut next = move || {
        let end = body.iter().position(|byte| *byte == b'\n')?;
        let length: usize = std::str::from_utf8(body.get(1..end - 1)?).ok()?.parse().ok()?;
        let part = body.get(end + 1..end + 1 + length)?.to_vec();
        body = body.get(end + 1 + length + 2..)?;
        Some(part)
    };
    let group = String::from_utf8(next()?).ok()?;
    let mut answers = Vec::new();
    while let Some(length) = next() {
        let request = String::from_utf8(length).ok()?.parse().ok()?;
        let reply = next()?;
        let (to, push) = (String::from_utf8(next()?).ok()?, next()?);
        answers.push(Answer { request, reply, push: (!to.is_empty()).then_some((to, push)) });
    }
    Some((group, answers))
}

/// Serves on this port until the process is killed.
pub fn serve(port: u16) -> io::Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
    listener.set_nonblocking(true)?;
    let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    epoll::add(&epoll, &listener, EventData::new_u64(LISTENER), EventFlags::IN)?;
    let mut peers = Peers { epoll, all: Slab::new(), groups: HashMap::new() };
    let mut events = Vec::with_capacity(128);
    let mut buffer = vec![0; READ_SIZE];
    loop {
        epoll::wait(&peers.epoll, spare_capacity(&mut events), None)?;
        for epoll::Event { flags, data } in events.drain(..) {
            if data.u64() == LISTENER {
                let Ok((stream, _)) = listener.accept() else { continue };
                peers.add(stream)?;
            } else if let Ok(key) = usize::try_from(data.u64()) {
                peers.turn(key, flags.intersects(!EventFlags::OUT), &mut buffer)?;
            }
        }
    }
}

struct Peers {
    epoll: OwnedFd,
    all: Slab<Peer>,
    groups: HashMap<String, Vec<usize>>,
}

impl Peers {
    fn add(&mut self, stream: TcpStream) -> io::Result<()> {
        stream.set_nonblocking(true)?;
        stream.set_nodelay(true)?;
        let entry = self.all.vacant_entry();
        epoll::add(&self.epoll, &stream, EventData::new_u64(entry.key() as u64), EventFlags::IN)?;
        entry.insert(Peer::new(stream));
        Ok(())
    }

    /// Handles what epoll has reported for a connection.
    fn turn(&mut self, key: usize, is_readable: bool, buffer: &mut [u8]) -> io::Result<()> {
        let Some(peer) = self.all.get_mut(key) else { return Ok(()) };
        let mut pushed = Vec::new();
        let joined = peer.group.is_some();
        if (is_readable && !peer.receive(buffer, &mut pushed)) || !peer.flush(&self.epoll, key)? {
            return self.remove(key);
        }
        if let (false, Some(group)) = (joined, &peer.group) {
            self.groups.entry(group.clone()).or_default().push(key);
        }
        for (group, bytes, times) in pushed {
            let members = self.groups.get(&group).cloned().unwrap_or_default();
            for key in members {
                let Some(member) = self.all.get_mut(key) else { continue };
                (0..times).for_each(|_| member.out.extend_from_slice(&bytes));
                if !member.flush(&self.epoll, key)? {
                    self.remove(key)?;
                }
            }
        }
        Ok(())
    }

    fn remove(&mut self, key: usize) -> io::Result<()> {
        if let Some(Peer { stream, group, .. }) = self.all.try_remove(key) {
            epoll::delete(&self.epoll, &stream)?;
            if let Some(members) = group.and_then(|group| self.groups.get_mut(&group)) {
                members.retain(|member| *member != key);
            }
        }
        Ok(())
    }
}

/// A group, the bytes that are sent to it, and how many times.
type Push = (String, Vec<u8>, usize);

struct Peer {
    stream: TcpStream,
    group: Option<String>,
    answers: Vec<Answer>,
    /// The next answer.
    at: usize,
    /// How many bytes of the next request have been received.
    received: usize,
    /// What has been received of a setup request.
    setup: Vec<u8>,
    out: Vec<u8>,
    sent: usize,
    /// True if epoll reports when there is room to write.
    waits_for_room: bool,
}

impl Peer {
    fn new(stream: TcpStream) -> Self {
        Self {
            stream,
            group: None,
            answers: vec![Answer::ping()],
            at: 0,
            received: 0,
            setup: Vec::new(),
            out: Vec::new(),
            sent: 0,
            waits_for_room: false,
        }
    }

    /// One read, and its answers; false if the connection has ended.
    fn receive(&mut self, buffer: &mut [u8], pushed: &mut Vec<Push>) -> bool {
        let count = match self.stream.read(buffer) {
            Ok(0) => return false,
            Ok(count) => count,
            Err(error) => return error.kind() == io::ErrorKind::WouldBlock,
        };
        let is_setup = !self.setup.is_empty() || (self.received == 0 && buffer[0] == SETUP);
        if is_setup {
            self.setup.extend_from_slice(&buffer[..count]);
            self.apply_setup();
            return true;
        }
        self.received += count;
        while let Some(answer) = self.answers.get(self.at).filter(|answer| answer.request <= self.received) {
            self.received -= answer.request;
            self.at = (self.at + 1) % self.answers.len();
            self.out.extend_from_slice(&answer.reply);
            if let Some((group, bytes)) = &answer.push {
                match pushed.last_mut().filter(|(last, ..)| last == group) {
                    Some((.., times)) => *times += 1,
                    None => pushed.push((group.clone(), bytes.clone(), 1)),
                }
            }
        }
        true
    }

    /// Carries out a setup request as soon as all of it has been received.
    fn apply_setup(&mut self) {
        let Some((head, body)) = self.setup.split_at_checked(1 + LENGTH_DIGITS) else { return };
        let length = std::str::from_utf8(&head[1..]).ok().and_then(|digits| digits.parse().ok());
        if length.is_some_and(|length: usize| body.len() < length) {
            return;
        }
        match decode(body) {
            Some((group, answers)) => {
                (self.answers, self.at) = (answers, 0);
                self.group = (!group.is_empty()).then_some(group);
                self.out.extend_from_slice(b"+OK\r\n");
            }
            None => self.out.extend_from_slice(b"-ERR setup not understood\r\n"),
        }
        self.setup.clear();
    }

    /// Writes the pending output; false if the connection has ended.
    fn flush(&mut self, epoll: &OwnedFd, key: usize) -> io::Result<bool> {
        while self.sent < self.out.len() {
            match self.stream.write(&self.out[self.sent..]) {
                Ok(count) => self.sent += count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(_) => return Ok(false),
            }
        }
        let left_over = self.sent < self.out.len();
        if !left_over {
            self.out.clear();
            self.sent = 0;
        }
        if left_over != self.waits_for_room {
            let room = if left_over { EventFlags::OUT } else { EventFlags::empty() };
            epoll::modify(epoll, &self.stream, EventData::new_u64(key as u64), EventFlags::IN | room)?;
            self.waits_for_room = left_over;
        }
        Ok(true)
    }
}
