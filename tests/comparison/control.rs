//! The harness's own connection to a server: the barrier, questions about clients, cleaning up.

use std::{
    io::{self, Read, Write},
    net::{SocketAddr, TcpStream},
    thread,
    time::{Duration, Instant},
};

use crate::wire::{self, Value};

/// How long anything that must happen may take before the harness calls it missing.
pub const PATIENCE: Duration = Duration::from_secs(5);

/// How long an event that a server reports may take. Real servers answer otherwise than they should as well,
/// so this is also what such an answer costs.
const EVENT: Duration = Duration::from_millis(1500);

/// A connection that no scenario uses.
#[derive(Debug)]
pub struct Control {
    server: SocketAddr,
    stream: TcpStream,
    /// Its address as the server writes it.
    pub addr: String,
}

impl Control {
    pub fn connect(server: SocketAddr) -> io::Result<Control> {
        let stream = TcpStream::connect(server)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let addr = stream.local_addr()?.to_string();
        Ok(Control { server, stream, addr })
    }

    /// Sends a command and waits for its reply.
    pub fn command<T: AsRef<[u8]>>(&mut self, arguments: &[T]) -> io::Result<Value> {
        match self.once(arguments) {
            // A scenario may kill every client, this one too.
            Err(error)
                if error.kind() != io::ErrorKind::WouldBlock && error.kind() != io::ErrorKind::TimedOut =>
            {
                *self = Control::connect(self.server)?;
                self.once(arguments)
            }
            other => other,
        }
    }

    fn once<T: AsRef<[u8]>>(&mut self, arguments: &[T]) -> io::Result<Value> {
        self.stream.write_all(&wire::request(arguments))?;
        let mut bytes = Vec::new();
        let mut chunk = [0; 16 * 1024];
        loop {
            match self.stream.read(&mut chunk)? {
                0 => return Err(io::ErrorKind::ConnectionReset.into()),
                read => bytes.extend_from_slice(&chunk[..read]),
            }
            if let Some(value) = wire::frames(&bytes).0.into_iter().next() {
                return Ok(value);
            }
        }
    }

    /// Two round trips. A server writes the replies of one turn of its loop in any order, so the first
    /// may overtake what the turn wrote to others; the second cannot.
    pub fn barrier(&mut self) -> io::Result<()> {
        for _ in 0..2 {
            self.command(&["PING", "barrier"])?;
        }
        Ok(())
    }

    fn text<T: AsRef<[u8]>>(&mut self, arguments: &[T]) -> io::Result<String> {
        match self.command(arguments)? {
            Value::Leaf { text: Some(text), .. } => Ok(String::from_utf8_lossy(&text).into_owned()),
            _ => Ok(String::new()),
        }
    }

    pub fn info(&mut self, section: &str) -> io::Result<String> {
        self.text(&["INFO", section])
    }

    /// How many clients the server says are blocked.
    pub fn blocked(&mut self) -> io::Result<u64> {
        let info = self.info("clients")?;
        let count = info.lines().find_map(|line| line.strip_prefix("blocked_clients:")?.trim().parse().ok());
        Ok(count.unwrap_or(0))
    }

    /// The number of the client with this address.
    pub fn client_id(&mut self, addr: &str) -> io::Result<Option<String>> {
        let wanted = format!("addr={addr}");
        let list = self.text(&["CLIENT", "LIST"])?;
        let line = list.lines().find(|line| line.split(' ').any(|field| field == wanted));
        Ok(line
            .and_then(|line| line.split(' ').find_map(|field| field.strip_prefix("id=")))
            .map(str::to_owned))
    }

    /// How many clients there are.
    pub fn clients(&mut self) -> io::Result<usize> {
        Ok(self.text(&["CLIENT", "LIST"])?.lines().count())
    }

    /// A configuration parameter.
    pub fn config(&mut self, name: &str) -> io::Result<Option<Vec<u8>>> {
        match self.command(&["CONFIG", "GET", name])? {
            Value::Nest { items: Some(items), .. } => match items.into_iter().nth(1) {
                Some(Value::Leaf { text, .. }) => Ok(text),
                _ => Ok(None),
            },
            _ => Ok(None),
        }
    }

    /// Asks until the answer is yes. `false`: it never was.
    pub fn until(&mut self, mut asks: impl FnMut(&mut Control) -> io::Result<bool>) -> io::Result<bool> {
        let deadline = Instant::now() + EVENT;
        while !asks(self)? {
            if Instant::now() > deadline {
                return Ok(false);
            }
            thread::yield_now();
        }
        Ok(true)
    }
}
