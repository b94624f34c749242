//! A client that shows every byte: it sends lines and compares what it receives.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use minibroker::Broker;

/// A timeout that is not reached even on a busy machine.
pub const TIMEOUT: Duration = Duration::from_secs(60);

/// A connection.
pub struct Wire(pub TcpStream);

impl Wire {
    pub fn connect(broker: &Broker) -> io::Result<Self> {
        let stream = TcpStream::connect(broker.addr().expect("it listens"))?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        stream.set_write_timeout(Some(TIMEOUT))?;
        stream.set_nodelay(true)?;
        Ok(Self(stream))
    }

    /// Sends a line.
    pub fn send(&mut self, line: &str) -> io::Result<()> {
        self.0.write_all(format!("{line}\r\n").as_bytes())
    }

    /// Reads the expected bytes.
    pub fn expect(&mut self, answer: &str) -> io::Result<()> {
        let mut read = vec![0; answer.len()];
        self.0.read_exact(&mut read)?;
        assert_eq!(String::from_utf8_lossy(&read), answer);
        Ok(())
    }

    /// Sends a line and reads the expected answer.
    pub fn ask(&mut self, line: &str, answer: &str) -> io::Result<()> {
        self.send(line)?;
        self.expect(answer)
    }

    /// A message as a RESP2 subscriber gets it.
    pub fn expect_message(&mut self, channel: &str, payload: &str) -> io::Result<()> {
        self.expect(&format!("*3\r\n{}", bulks(&["message", channel, payload])))
    }

    /// Subscribes and reads the confirmation, of the first subscription of this connection.
    pub fn subscribe(&mut self, channel: &str) -> io::Result<()> {
        let confirmation = format!("*3\r\n{}:1\r\n", bulks(&["subscribe", channel]));
        self.ask(&format!("SUBSCRIBE {channel}"), &confirmation)
    }

    /// True if the connection was closed. Any byte before that is an error of the test.
    pub fn is_cut(&mut self) -> bool {
        match self.0.read(&mut [0]) {
            Ok(read) => read == 0,
            // The connection was closed while we were sending.
            Err(error) => {
                matches!(error.kind(), io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe)
            }
        }
    }

    /// Reads until the connection is closed, and returns the number of bytes.
    pub fn read_to_end(&mut self) -> usize {
        let mut buffer = vec![0; 64 * 1024];
        let mut total = 0;
        while let Ok(read @ 1..) = self.0.read(&mut buffer) {
            total += read;
        }
        total
    }

    /// Sends a line and reads one.
    #[cfg(feature = "scripting")]
    pub fn line_of(&mut self, line: &str) -> io::Result<String> {
        self.send(line)?;
        self.line()
    }

    /// Reads a line.
    pub fn line(&mut self) -> io::Result<String> {
        let mut line = Vec::new();
        while !line.ends_with(b"\r\n") {
            let mut byte = [0];
            self.0.read_exact(&mut byte)?;
            line.push(byte[0]);
        }
        Ok(String::from_utf8_lossy(&line).trim_end().to_owned())
    }
}

/// Bulk strings.
pub fn bulks(texts: &[&str]) -> String {
    texts
        .iter()
        .flat_map(|text| ["$", &text.len().to_string(), "\r\n", text, "\r\n"].map(str::to_owned))
        .collect()
}
