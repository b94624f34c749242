//! The events, and how they are printed.

use crate::data::Quoted;
use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::clients::Client;
use crate::clients::Close;
use crate::clients::pubsub::Kind;
use crate::resp::{ByteString, Value};

/// A client, as it was when something happened.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Peer {
    /// The id that CLIENT ID returns; `None` for the test itself.
    pub id: Option<u64>,
    /// Its name from CLIENT SETNAME; empty if it has none.
    pub name: String,
    /// Its end of the connection: `127.0.0.1:53211`; empty for the test itself.
    pub address: String,
}

impl Peer {
    /// The test itself, by [`Broker::command`](crate::Broker::command).
    pub(crate) fn the_test() -> Self {
        Self { id: None, name: String::new(), address: String::new() }
    }

    /// True for the test itself, which acts by [`Broker::command`](crate::Broker::command).
    #[must_use]
    pub fn is_test(&self) -> bool {
        self.id.is_none()
    }
}

/// `#3 worker-1 127.0.0.1:53211`, or `the test`.
impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(id) = self.id else { return f.pad("the test") };
        let space = if self.name.is_empty() { "" } else { " " };
        f.pad(&format!("#{id}{space}{} {}", self.name, self.address))
    }
}

/// A message that was published.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Message {
    /// Its number among all [events](Event::number).
    pub number: u64,
    /// The channel.
    pub channel: ByteString,
    /// What was published.
    pub payload: ByteString,
    /// It went to a shard channel, by SPUBLISH.
    pub shard: bool,
    /// How many clients received it: what PUBLISH returns. Unknown on a [real server](crate::Broker::attach).
    pub receivers: Option<usize>,
    /// The client that published it; `None` for the broker itself, such as when a key expires.
    pub client: Option<Peer>,
    /// How long after the start of the broker, on the broker's clock.
    pub at: Duration,
    /// The same as a time.
    pub time: SystemTime,
}

impl Message {
    /// The payload as text, with replacement characters where it is not UTF-8.
    #[must_use]
    pub fn text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.payload)
    }
}

/// With bytes shown as text, for failed assertions.
impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { number, channel, payload, shard, receivers, client, at, time: _ } = self;
        f.debug_struct("Message")
            .field("number", number)
            .field("channel", &format_args!("{}", Quoted(channel)))
            .field("payload", &format_args!("{}", Quoted(payload)))
            .field("shard", shard)
            .field("receivers", receivers)
            .field("client", client)
            .field("at", at)
            .finish_non_exhaustive()
    }
}

/// `"hello" on "chat"`.
impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} on {}", Quoted(&self.payload), Quoted(&self.channel))
    }
}

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Ending {
    /// The client closed it, or the network did.
    Left,
    /// The broker closed it after a reply: to QUIT, or to bytes that violate the protocol.
    Closed,
    /// The broker closed it: by CLIENT KILL or [`Broker::kill_clients`](crate::Broker::kill_clients), by `timeout`,
    /// for sending too much at once, or when the broker was stopped.
    Killed,
    /// The broker closed it because the client did not read: `client-output-buffer-limit`.
    OutputLimit,
    /// A [fault](crate::Broker::faults) ended it.
    Fault,
}

impl Ending {
    /// How the connection of a client ends if it ends now.
    pub(super) fn of(client: &Client) -> Self {
        match client.close {
            Close::No => Self::Left,
            _ if client.cut_by_fault => Self::Fault,
            Close::AfterReply => Self::Closed,
            Close::Now if client.over_output_limit => Self::OutputLimit,
            Close::Now => Self::Killed,
        }
    }
}

/// `cut off by client-output-buffer-limit` and the like.
impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Left => "the client left",
            Self::Closed => "closed by the broker behind an answer",
            Self::Killed => "cut off by the broker",
            Self::OutputLimit => "cut off by client-output-buffer-limit",
            Self::Fault => "cut off by a fault",
        })
    }
}

/// Why a client no longer waits.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Wakeup {
    /// This key has become ready. If another client has taken the element first, the client blocks again.
    Key(ByteString),
    /// Its timeout has passed, or CLIENT UNBLOCK has ended the wait as a timeout.
    TimedOut,
    /// CLIENT UNBLOCK with ERROR has ended the wait.
    Unblocked,
    /// CLIENT PAUSE is over.
    PauseOver,
    /// The delay by a [fault](crate::Broker::faults) is over.
    DelayOver,
}

/// What has happened.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum EventKind {
    /// The client has connected.
    Connected,
    /// The client has sent a command: its name and its arguments. Passwords are `(redacted)`. The commands that EXEC
    /// runs were recorded before, and are not recorded again.
    Command(Vec<ByteString>),
    /// The client was sent this reply.
    Reply(Value),
    /// The client has published a message, or a key has changed (`notify-keyspace-events`).
    Published(Arc<Message>),
    /// The client was sent a message.
    #[allow(missing_docs)]
    Delivered {
        message: Arc<Message>,
        /// The pattern by which it was; `None` if by its channel.
        pattern: Option<ByteString>,
    },
    /// The client was not sent a message that it was subscribed to, because its connection was being closed already.
    #[allow(missing_docs)]
    Undelivered { message: Arc<Message>, pattern: Option<ByteString> },
    /// The client was not sent a message that it was subscribed to, because a [fault](crate::Broker::faults) has
    /// dropped it.
    #[allow(missing_docs)]
    Dropped { message: Arc<Message>, pattern: Option<ByteString> },
    /// A message to the client is on the way, delayed by a [fault](crate::Broker::faults). When it arrives it is
    /// recorded as delivered.
    #[allow(missing_docs)]
    Delayed { message: Arc<Message>, pattern: Option<ByteString> },
    /// A [fault](crate::Broker::faults) hits the client; its description.
    FaultHit(String),
    /// The client is subscribed from now on.
    #[allow(missing_docs)]
    Subscribed { kind: Kind, name: ByteString },
    /// The client is no longer subscribed.
    #[allow(missing_docs)]
    Unsubscribed { kind: Kind, name: ByteString },
    /// The client waits.
    Blocked {
        /// For one of these keys.
        keys: Vec<ByteString>,
        /// For the end of CLIENT PAUSE.
        paused: bool,
        /// The end of its timeout, counted from the start of the broker.
        until: Option<Duration>,
    },
    /// The client no longer waits.
    Unblocked(Wakeup),
    /// A key has expired. There is no client.
    #[allow(missing_docs)]
    Expired { database: usize, key: ByteString },
    /// The client has disconnected.
    Disconnected(Ending),
    /// The broker was stopped. Its clients are disconnected after this event.
    Stopped,
    /// The broker was restarted.
    Restarted {
        /// Whether it has kept its data.
        kept_data: bool,
    },
}

/// Something that has happened. It prints as one line:
///
/// ```
/// let broker = minibroker::Broker::start()?;
/// broker.command(["SET", "mood", "good"])?;
/// let line = broker.journal()[0].to_string();
/// assert!(line.ends_with(r#"the test  SET "mood" "good""#), "{line}");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Event {
    /// Its number in the order of all events, from 1. Several answers to one command have one number.
    pub number: u64,
    /// How long after the start of the broker, on the broker's clock.
    pub at: Duration,
    /// The same as a time.
    pub time: SystemTime,
    /// The client that the event belongs to; `None` if the broker acts by itself.
    pub client: Option<Peer>,
    /// What it is.
    pub kind: EventKind,
}

impl Event {
    /// True for events of the client with this number, name or address.
    #[must_use]
    pub fn is_of_client(&self, wanted: &str) -> bool {
        self.client.as_ref().is_some_and(|client| {
            let Some(id) = client.id else { return false };
            client.name == wanted || client.address == wanted || id.to_string() == wanted
        })
    }

    /// True for a command of this name, in upper or lower case; `CONFIG SET` names a subcommand.
    #[must_use]
    pub fn is_command(&self, name: &str) -> bool {
        let EventKind::Command(arguments) = &self.kind else { return false };
        let mut arguments = arguments.iter();
        name.split_whitespace().all(|word| {
            arguments.next().is_some_and(|argument| argument.eq_ignore_ascii_case(word.as_bytes()))
        })
    }

    /// True for messages published on the channel, their deliveries, and subscriptions to the channel and their
    /// ends.
    #[must_use]
    pub fn is_on_channel(&self, channel: &[u8]) -> bool {
        match &self.kind {
            EventKind::Published(message)
            | EventKind::Delivered { message, .. }
            | EventKind::Undelivered { message, .. }
            | EventKind::Dropped { message, .. }
            | EventKind::Delayed { message, .. } => message.channel == channel,
            EventKind::Subscribed { name, .. } | EventKind::Unsubscribed { name, .. } => name == channel,
            _ => false,
        }
    }
}

/// How many bytes of a reply a line shows.
const REPLY_SHOWN: usize = 200;

struct List<'a>(&'a [ByteString]);

impl fmt::Display for List<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, text) in self.0.iter().enumerate() {
            write!(f, "{}{}", if index == 0 { "" } else { ", " }, Quoted(text))?;
        }
        Ok(())
    }
}

fn seconds(time: Duration) -> String {
    format!("{}.{:06}", time.as_secs(), time.subsec_micros())
}

/// The name of a subscription of a kind.
pub(super) fn subscription(kind: Kind, name: &[u8]) -> String {
    let word = match kind {
        Kind::Channel => "channel",
        Kind::Pattern => "pattern",
        Kind::Shard => "shard channel",
    };
    format!("{word} {}", Quoted(name))
}

impl fmt::Display for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let by = |pattern: &Option<ByteString>| {
            let pattern = pattern.as_deref();
            pattern.map(|pattern| format!(" by pattern {}", Quoted(pattern))).unwrap_or_default()
        };
        match self {
            Self::Connected => f.write_str("connects"),
            Self::Command(arguments) => {
                for (index, argument) in arguments.iter().enumerate() {
                    match std::str::from_utf8(argument) {
                        Ok(name) if index == 0 && name.bytes().all(|byte| byte.is_ascii_alphanumeric()) => {
                            f.write_str(&name.to_uppercase())?;
                        }
                        _ if index == 0 => write!(f, "{}", Quoted(argument))?,
                        _ => write!(f, " {}", Quoted(argument))?,
                    }
                }
                Ok(())
            }
            Self::Reply(value) => {
                let text = format!("{value:?}");
                let end = text.char_indices().nth(REPLY_SHOWN).map_or(text.len(), |(end, _)| end);
                write!(f, "=> {}{}", &text[..end], if end < text.len() { "..." } else { "" })
            }
            Self::Published(message) => {
                write!(f, "publishes {message}")?;
                message.receivers.map_or(Ok(()), |receivers| write!(f, ", to {receivers}"))
            }
            Self::Delivered { message, pattern } => write!(f, "gets {message}{}", by(pattern)),
            Self::Undelivered { message, pattern } => {
                write!(f, "does not get {message}{}: its connection is being closed", by(pattern))
            }
            Self::Dropped { message, pattern } => {
                write!(f, "does not get {message}{}: dropped by a fault", by(pattern))
            }
            Self::Delayed { message, pattern } => {
                write!(f, "is to get {message}{} later: delayed by a fault", by(pattern))
            }
            Self::FaultHit(fault) => write!(f, "is hit by a fault: {fault}"),
            Self::Subscribed { kind, name } => write!(f, "is subscribed to {}", subscription(*kind, name)),
            Self::Unsubscribed { kind, name } => {
                write!(f, "is no longer subscribed to {}", subscription(*kind, name))
            }
            Self::Blocked { paused: true, .. } => f.write_str("waits for the end of CLIENT PAUSE"),
            Self::Blocked { keys, until, .. } => {
                write!(f, "waits for {}", List(keys))?;
                until.map_or(Ok(()), |until| write!(f, " until {}", seconds(until)))
            }
            Self::Unblocked(Wakeup::Key(key)) => write!(f, "is woken by {}", Quoted(key)),
            Self::Unblocked(Wakeup::TimedOut) => f.write_str("waits no longer: its time is up"),
            Self::Unblocked(Wakeup::Unblocked) => f.write_str("waits no longer: CLIENT UNBLOCK"),
            Self::Unblocked(Wakeup::PauseOver) => f.write_str("continues after CLIENT PAUSE"),
            Self::Unblocked(Wakeup::DelayOver) => f.write_str("continues after the delay by a fault"),
            Self::Expired { database: 0, key } => write!(f, "{} expires", Quoted(key)),
            Self::Expired { database, key } => write!(f, "{} of database {database} expires", Quoted(key)),
            Self::Disconnected(ending) => write!(f, "is gone: {ending}"),
            Self::Stopped => f.write_str("stops"),
            Self::Restarted { kept_data: true } => f.write_str("is restarted with its data"),
            Self::Restarted { kept_data: false } => f.write_str("is restarted without data"),
        }
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>5} {:>10}  ", self.number, seconds(self.at))?;
        match &self.client {
            Some(client) => write!(f, "{client}  {}", self.kind),
            None => write!(f, "the broker  {}", self.kind),
        }
    }
}
