//! The load generator: blocking sockets that are served in turn, without epoll and without parsing.
//!
//! All connections have requests in transit at any time. The generator reads the replies of the next connection,
//! which have usually arrived already, and sends its next requests: one read and one write a batch, and the lines of
//! the replies are counted. This costs a fraction of the servers' time, so the servers are the bottleneck.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// A server that does not answer within this time has failed.
const TIMEOUT: Duration = Duration::from_secs(20);
const READ_SIZE: usize = 256 * 1024;

/// One connection to a server.
pub struct Connection {
    stream: TcpStream,
    /// How many lines of answers have been received but not taken yet.
    ahead: usize,
    /// True if the next byte begins a line.
    at_line: bool,
}

/// The buffer that all connections of a thread read into.
pub struct Buffer(Vec<u8>);

impl Buffer {
    pub fn new() -> Self {
        Self(vec![0; READ_SIZE])
    }
}

impl Connection {
    pub fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        stream.set_write_timeout(Some(TIMEOUT))?;
        Ok(Self { stream, ahead: 0, at_line: true })
    }

    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }

    /// Reads a number of lines; errors of the server are errors here.
    pub fn read_lines(&mut self, count: usize, buffer: &mut Buffer) -> io::Result<()> {
        while self.ahead < count {
            let read = self.stream.read(&mut buffer.0)?;
            let bytes = &buffer.0[..read];
            match bytes.first() {
                None => return Err(io::ErrorKind::UnexpectedEof.into()),
                Some(b'-') if self.at_line => {
                    let line = bytes.split(|byte| *byte == b'\r').next().unwrap_or_default();
                    return Err(io::Error::other(String::from_utf8_lossy(line)));
                }
                Some(_) => {
                    self.ahead += lines(bytes);
                    self.at_line = bytes.last() == Some(&b'\n');
                }
            }
        }
        self.ahead -= count;
        Ok(())
    }

    /// Sends a request and reads the lines of its answer.
    pub fn ask(&mut self, request: &[u8], lines: usize, buffer: &mut Buffer) -> io::Result<()> {
        self.send(request)?;
        self.read_lines(lines, buffer)
    }
}

/// A request as clients encode it.
pub fn request<A: AsRef<str>>(arguments: impl AsRef<[A]>) -> Vec<u8> {
    let arguments = arguments.as_ref();
    let mut bytes = format!("*{}\r\n", arguments.len()).into_bytes();
    for argument in arguments {
        bytes.extend_from_slice(&bulk(argument.as_ref()));
    }
    bytes
}

/// A bulk string.
pub fn bulk(text: &str) -> Vec<u8> {
    format!("${}\r\n{text}\r\n", text.len()).into_bytes()
}

/// How many lines there are.
pub fn lines(bytes: &[u8]) -> usize {
    // Compilers vectorize this loop.
    #[allow(clippy::naive_bytecount)]
    bytes.iter().filter(|byte| **byte == b'\n').count()
}
