//! The lines of MONITOR.

use std::time::Duration;

/// The sender of a command.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Source {
    /// A client with an address of its own.
    Client(String),
    /// One of the clients of a Unix socket: all have the same address.
    Unix,
    /// A script.
    Script,
}

/// A command that was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MonitoredCommand {
    /// The server's time, since 1970.
    pub time: Duration,
    /// The database of the sender.
    pub database: usize,
    /// The sender.
    pub source: Source,
    /// The command and its arguments.
    pub arguments: Vec<Vec<u8>>,
}

impl MonitoredCommand {
    /// Reads a line: `1700000000.123456 [0 127.0.0.1:5000] "publish" "chat" "hello"`. `None` if it is not
    /// such a line.
    #[must_use]
    pub fn parse(line: &str) -> Option<Self> {
        let (time, rest) = line.split_once(" [")?;
        let (seconds, micros) = time.split_once('.')?;
        let micros: u64 =
            seconds.parse::<u64>().ok()?.checked_mul(1_000_000)?.checked_add(micros.parse().ok()?)?;
        let (database, rest) = rest.split_once(' ')?;
        let (address, rest) = rest.split_once("] \"")?;
        let source = match address {
            "lua" => Source::Script,
            _ if address.starts_with("unix:") => Source::Unix,
            _ => Source::Client(address.to_owned()),
        };
        let mut arguments = Vec::new();
        let mut argument = Vec::new();
        let mut bytes = rest.bytes();
        while let Some(byte) = bytes.next() {
            match byte {
                b'"' => {
                    arguments.push(std::mem::take(&mut argument));
                    // A space and a quotation mark come before the next argument.
                    match bytes.next() {
                        None => break,
                        Some(_) => bytes.next()?,
                    };
                }
                b'\\' => argument.push(match bytes.next()? {
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    b'a' => 7,
                    b'b' => 8,
                    b'x' => {
                        let digits = [bytes.next()?, bytes.next()?];
                        u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?
                    }
                    other => other,
                }),
                other => argument.push(other),
            }
        }
        let database = database.parse().ok()?;
        Some(Self { time: Duration::from_micros(micros), database, source, arguments })
    }

    /// The command, in lower case.
    #[must_use]
    pub fn name(&self) -> String {
        self.arguments.first().map(|name| String::from_utf8_lossy(name).to_lowercase()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_monitor_is_read() {
        let line = r#"1700000000.000007 [3 127.0.0.1:5000] "publish" "chat" "a \"b\"\r\n\x00\xff\\" """#;
        let sent = MonitoredCommand::parse(line).expect("it is one");
        assert_eq!(sent.time, Duration::from_micros(1_700_000_000_000_007));
        assert_eq!((sent.database, sent.name().as_str()), (3, "publish"));
        assert_eq!(sent.source, Source::Client("127.0.0.1:5000".into()));
        assert_eq!(sent.arguments[1..], [&b"chat"[..], b"a \"b\"\r\n\0\xff\\", b""]);
        let source = |line| MonitoredCommand::parse(line).map(|sent| sent.source);
        assert_eq!(source(r#"1.5 [0 lua] "publish" "a" "b""#), Some(Source::Script));
        assert_eq!(source(r#"1.5 [0 unix:/tmp/a b] "ping""#), Some(Source::Unix));
        for line in ["OK", "", "1.5 [0 lua]", "x.5 [0 lua] \"ping\"", r#"1.5 [0 lua] "a\x0"#] {
            assert_eq!(MonitoredCommand::parse(line), None, "{line}");
        }
    }
}
