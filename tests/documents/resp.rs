//! A connection that uses RESP2, without a client library.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;

use crate::DEADLINE;

/// What a server sends.
#[derive(Debug, Clone, PartialEq)]
pub enum Reply {
    /// A status such as `OK`.
    Status(String),
    /// An error, its code included.
    Error(String),
    /// A number.
    Integer(i64),
    /// A string.
    Bulk(String),
    /// The null string or the null array.
    Null,
    /// An array.
    Array(Vec<Reply>),
}

impl Reply {
    /// The reply as documents write it: JSON for arrays, `(integer) 1` for a number.
    pub fn shown(&self) -> String {
        match self {
            Reply::Integer(number) => format!("(integer) {number}"),
            other => other.json(),
        }
    }

    fn json(&self) -> String {
        match self {
            Reply::Status(text) => text.clone(),
            Reply::Error(text) => format!("(error) {text}"),
            Reply::Integer(number) => number.to_string(),
            Reply::Bulk(text) => format!("{text:?}"),
            Reply::Null => "null".to_owned(),
            Reply::Array(items) => {
                let items: Vec<String> = items.iter().map(Reply::json).collect();
                format!("[{}]", items.join(", "))
            }
        }
    }

    /// The reply as redis-cli shows it at a terminal.
    pub fn as_redis_cli(&self) -> String {
        let Reply::Array(items) = self else {
            return self.shown();
        };
        let mut text = String::new();
        for (n, item) in items.iter().enumerate() {
            let _ = writeln!(text, "{}) {}", n + 1, item.as_redis_cli());
        }
        text
    }
}

/// One connection.
pub struct Connection {
    stream: BufReader<TcpStream>,
}

impl Connection {
    /// Connects to the server on `port`.
    pub fn open(port: u16) -> std::io::Result<Connection> {
        let stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(DEADLINE))?;
        stream.set_write_timeout(Some(DEADLINE))?;
        Ok(Connection { stream: BufReader::new(stream) })
    }

    /// Sends a command and returns the next reply or message.
    pub fn run<W: AsRef<str>>(&mut self, words: &[W]) -> std::io::Result<Reply> {
        let mut request = format!("*{}\r\n", words.len());
        for word in words {
            let word = word.as_ref();
            let _ = write!(request, "${}\r\n{word}\r\n", word.len());
        }
        self.stream.get_mut().write_all(request.as_bytes())?;
        self.receive()
    }

    /// Waits for the next reply or message.
    pub fn receive(&mut self) -> std::io::Result<Reply> {
        let mut line = String::new();
        self.stream.read_line(&mut line)?;
        let line = line.trim_end_matches("\r\n");
        let Some((kind, rest)) = line.split_at_checked(1) else {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        };
        let number = || rest.parse::<i64>().map_err(std::io::Error::other);
        Ok(match kind {
            "+" => Reply::Status(rest.to_owned()),
            "-" => Reply::Error(rest.to_owned()),
            ":" => Reply::Integer(number()?),
            "$" => match usize::try_from(number()?) {
                Ok(length) => self.bulk(length)?,
                Err(_) => Reply::Null,
            },
            "*" => match usize::try_from(number()?) {
                Ok(length) => Reply::Array((0..length).map(|_| self.receive()).collect::<Result<_, _>>()?),
                Err(_) => Reply::Null,
            },
            _ => {
                return Err(std::io::Error::other(format!("no reply of RESP2: {line:?}")));
            }
        })
    }

    fn bulk(&mut self, length: usize) -> std::io::Result<Reply> {
        let mut bytes = vec![0; length + 2];
        self.stream.read_exact(&mut bytes)?;
        bytes.truncate(length);
        String::from_utf8(bytes).map(Reply::Bulk).map_err(std::io::Error::other)
    }
}
