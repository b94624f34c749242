//! Commands as they arrive.

use std::fmt;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::SystemTime;

use tokio::io::{AsyncBufReadExt, BufReader, DuplexStream};

use crate::remote::{MonitoredCommand, Source};
use crate::resp::ByteString;

/// A command that a client has sent, from [`Watch`]. It prints as a line of MONITOR.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct WatchedCommand {
    /// When it was run, on the clock of the server.
    pub time: SystemTime,
    /// The database of the client.
    pub database: usize,
    /// The address of the client, such as `127.0.0.1:53211`; none for the test itself, for scripts, and for clients
    /// of a Unix socket, which all have the same.
    pub address: Option<String>,
    /// The command and its arguments. Passwords are `(redacted)`.
    pub arguments: Vec<ByteString>,
    /// How many commands before this one were left out, because they were not read in time.
    pub left_out: u64,
    line: String,
}

impl WatchedCommand {
    /// The command, as it was sent.
    #[must_use]
    pub fn name(&self) -> String {
        self.arguments.first().map(ByteString::to_string).unwrap_or_default()
    }
}

/// A line of MONITOR: `1700000000.123456 [0 127.0.0.1:53211] "PUBLISH" "chat" "hello"`.
impl fmt::Display for WatchedCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.line)
    }
}

impl fmt::Debug for WatchedCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.line)
    }
}

/// Every command as it arrives, from [`Broker::watch_commands`](super::Broker::watch_commands).
#[must_use = "it shows the commands that come while it is there"]
pub struct Watch {
    lines: BufReader<DuplexStream>,
    /// The part of the next line that has been read.
    line: Vec<u8>,
    left_out: u64,
}

impl Watch {
    pub(super) fn new(stream: DuplexStream) -> Self {
        Self { lines: BufReader::new(stream), line: Vec::new(), left_out: 0 }
    }

    /// The next command; none when the broker has ended. Dropping the future loses no command.
    pub async fn next(&mut self) -> Option<WatchedCommand> {
        loop {
            // When the future is dropped, what it has read stays in `line`.
            let read = self.lines.read_until(b'\n', &mut self.line).await.ok()?;
            if read == 0 {
                return None;
            }
            let line = std::mem::take(&mut self.line);
            let line = String::from_utf8_lossy(&line);
            let line = line.trim_start_matches('+').trim_end_matches(['\r', '\n']);
            if let Some(rest) = line.strip_prefix("(left out: ") {
                let count = rest.split_once(' ').and_then(|(count, _)| count.parse::<u64>().ok());
                self.left_out += count.unwrap_or_default();
            } else if let Some(MonitoredCommand { time, database, source, arguments }) =
                MonitoredCommand::parse(line)
            {
                let address = match source {
                    Source::Client(address) if !address.is_empty() => Some(address),
                    _ => None,
                };
                return Some(WatchedCommand {
                    time: SystemTime::UNIX_EPOCH.checked_add(time)?,
                    database,
                    address,
                    arguments: arguments.into_iter().map(ByteString::from).collect(),
                    left_out: std::mem::take(&mut self.left_out),
                    line: line.to_owned(),
                });
            }
        }
    }

    /// As [`Watch::next`], from a synchronous test: waits in this thread. If the broker runs on the runtime of this
    /// thread ([`Builder::start_on_this_runtime`](super::Builder::start_on_this_runtime)), no command can arrive.
    pub fn blocking_next(&mut self) -> Option<WatchedCommand> {
        struct Unpark(Thread);

        impl Wake for Unpark {
            fn wake(self: Arc<Self>) {
                self.0.unpark();
            }
        }

        let waker = Waker::from(Arc::new(Unpark(thread::current())));
        let mut context = Context::from_waker(&waker);
        // The budget of a runtime around this does not apply.
        let mut next = pin!(tokio::task::coop::unconstrained(self.next()));
        loop {
            match next.as_mut().poll(&mut context) {
                Poll::Ready(next) => return next,
                Poll::Pending => thread::park(),
            }
        }
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch").finish_non_exhaustive()
    }
}
