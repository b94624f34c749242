//! A client without a library, so that it can misbehave.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use minibroker::{Broker, Value};

/// How long a broken broker may keep a test waiting. A working one answers in microseconds.
pub const TIMEOUT: Duration = Duration::from_secs(60);

/// One connection.
pub struct Peer {
    stream: TcpStream,
    /// What has been read but is not yet a complete reply.
    read: Vec<u8>,
}

impl Peer {
    pub fn connect(broker: &Broker) -> Self {
        let stream = TcpStream::connect(broker.addr().expect("it listens")).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(TIMEOUT)).unwrap();
        stream.set_write_timeout(Some(TIMEOUT)).unwrap();
        Self { stream, read: Vec::new() }
    }

    /// The same connection for another thread.
    pub fn try_clone(&self) -> Self {
        Self { stream: self.stream.try_clone().unwrap(), read: Vec::new() }
    }

    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).unwrap();
    }

    /// Sends as much as possible before the broker closes the connection, if it does.
    pub fn send_until_closed(&mut self, bytes: impl AsRef<[u8]>) {
        match self.stream.write_all(bytes.as_ref()) {
            Ok(()) => {}
            Err(error) => assert!(is_cut(&error), "{error}"),
        }
    }

    /// The next reply.
    pub fn reply(&mut self) -> Value {
        let mut chunk = vec![0; 64 * 1024];
        loop {
            if let Some((value, length)) = Value::read(&self.read) {
                self.read.drain(..length);
                return value;
            }
            let count = self.stream.read(&mut chunk).unwrap();
            assert!(count > 0, "the connection has ended after \"{}\"", self.read.escape_ascii());
            self.read.extend_from_slice(&chunk[..count]);
        }
    }

    /// Sends a command and waits for its reply.
    pub fn command<const N: usize>(&mut self, arguments: [&str; N]) -> Value {
        self.send(encode(&arguments));
        self.reply()
    }

    /// Reads these bytes.
    pub fn expect(&mut self, bytes: &[u8]) {
        let mut received = vec![0; bytes.len()];
        self.stream.read_exact(&mut received).unwrap();
        assert!(received == bytes, "{}", received.escape_ascii());
    }

    /// Reads everything up to the end of the connection.
    pub fn read_to_end(mut self) -> Vec<u8> {
        let mut all = std::mem::take(&mut self.read);
        match self.stream.read_to_end(&mut all) {
            Ok(_) => {}
            Err(error) => assert!(is_cut(&error), "{error}"),
        }
        all
    }

    /// Closes the connection for writing.
    pub fn finish(&mut self) {
        self.stream.shutdown(Shutdown::Write).unwrap();
    }

    /// Closes the connection, and waits until the broker has seen it.
    pub fn leave(mut self) {
        self.finish();
        self.read_to_end();
    }
}

fn is_cut(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe)
}

/// A request as clients send it.
pub fn encode<A: AsRef<[u8]>>(arguments: &[A]) -> Vec<u8> {
    let mut out = format!("*{}\r\n", arguments.len()).into_bytes();
    for argument in arguments {
        out.extend_from_slice(format!("${}\r\n", argument.as_ref().len()).as_bytes());
        out.extend_from_slice(argument.as_ref());
        out.extend_from_slice(b"\r\n");
    }
    out
}

/// Another client, which must not be affected.
pub struct OtherClient(Peer);

impl OtherClient {
    pub fn connect(broker: &Broker) -> Self {
        Self(Peer::connect(broker))
    }

    pub fn is_served(&mut self) {
        assert_eq!(self.0.command(["PING"]), Value::Simple("PONG".into()));
    }

    /// It is still served, and when it has disconnected nothing is left: no client, no waiter, no subscription.
    pub fn disconnect_as_last(mut self, broker: &Broker) {
        self.is_served();
        let clients = broker.command(["CLIENT", "LIST"]).unwrap();
        assert_eq!(clients.as_str().unwrap().lines().count(), 1, "{clients}");
        self.0.leave();
        assert_eq!(info(broker, "connected_clients"), 0);
        assert_eq!(info(broker, "blocked_clients"), 0);
        assert_eq!(info(broker, "total_blocking_keys"), 0);
        assert_eq!(info(broker, "watching_clients"), 0);
        assert_eq!(info(broker, "pubsub_clients"), 0);
        for what in ["CHANNELS", "SHARDCHANNELS"] {
            assert_eq!(broker.command(["PUBSUB", what]).unwrap(), Value::Array(Vec::new()));
        }
        assert_eq!(broker.command(["PUBSUB", "NUMPAT"]).unwrap(), 0);
    }
}

/// A field of INFO that is a number.
pub fn info(broker: &Broker, field: &str) -> u64 {
    let info = broker.command(["INFO", "everything"]).unwrap();
    let text = info.as_str().unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    line.unwrap_or_else(|| panic!("no {field} in {text}")).parse().unwrap()
}

/// The resident memory of this process, in bytes; 0 where the system does not report it.
pub fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok());
    kilobytes.unwrap_or_default() * 1024
}

/// Held by a test that measures the memory of the process, so that they run one at a time.
pub static MEMORY: std::sync::Mutex<()> = std::sync::Mutex::new(());

/// Repeating `round` does not take more memory than running it once.
pub fn repeat_without_growing(mut round: impl FnMut()) {
    const ALLOWED: u64 = 64 * 1024 * 1024;
    let _alone = MEMORY.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    round();
    let before = resident();
    for _ in 0..4 {
        round();
    }
    let grown = resident().saturating_sub(before);
    assert!(grown < ALLOWED, "the process has grown by {grown} bytes");
}
