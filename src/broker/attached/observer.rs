//! What a server shows of its clients: the commands by MONITOR, or at least the messages.

use std::collections::{HashMap, HashSet, VecDeque};
use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;
use std::time::{Duration, SystemTime};

use parking_lot::Mutex;
use tokio::io::{AsyncWriteExt, DuplexStream};
use tokio::sync::{Notify, mpsc, oneshot};

use crate::broker::DEFAULT_JOURNAL_LIMIT;
use crate::clients::pubsub::Kind;
use crate::engine::WATCH_LIMIT;
use crate::remote::{Connection, MonitoredCommand, RemoteError, Source, TIMEOUT};
use crate::resp::{OwnedRequest, Value};
use crate::spec::{ChannelAction, ChannelSpec, Command, Effect, Flags};
use crate::table::TABLE;

/// The names of all connections of attached brokers begin with this.
pub const NAME: &str = "minibroker:";

/// The names of the connections of a broker.
#[derive(Clone, Debug)]
pub struct Names {
    /// The name of the connections by which it observes.
    pub ours: String,
    /// The name of the connections that [`Broker::command`](crate::Broker::command) uses.
    pub test: String,
}

impl Names {
    pub fn new(token: &str) -> Self {
        Self { ours: format!("{NAME}attached:{token}"), test: format!("{NAME}test:{token}") }
    }
}

/// The beginning of the PINGs by which the observer finds out how far it has read.
const MARK: &str = "minibroker:mark:";

/// How many of the last commands are kept to be printed.
const LINES: usize = 100;
/// How many bytes a message takes in addition to its channel and payload, roughly.
const OVERHEAD: usize = 128;

/// A message that was observed.
#[derive(Clone, Debug)]
pub struct Published {
    pub number: u64,
    pub channel: Vec<u8>,
    pub payload: Vec<u8>,
    pub shard: bool,
    pub source: Option<Source>,
    pub time: SystemTime,
}

/// What is known of a client from its commands.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    pub channels: HashSet<Vec<u8>>,
    pub patterns: HashSet<Vec<u8>>,
    /// The command in which it may be blocked; of clients that share an address, all of them.
    blocking: HashSet<Vec<Vec<u8>>>,
    /// The number of the last command.
    pub number: u64,
}

impl Facts {
    /// True if one of the commands in which it may be blocked waits for the key.
    pub fn may_wait_for(&self, key: &[u8]) -> bool {
        self.blocking.iter().any(|arguments| {
            let request = OwnedRequest::new(arguments);
            let args = request.args();
            let command = args.get(0).and_then(|name| TABLE.lookup(name));
            let keys = command.and_then(|command| command.keys(args).ok()).unwrap_or_default();
            keys.iter().any(|(index, _)| args.get(*index) == Some(key))
        })
    }
}

/// A reader of all commands, for `watch_commands`.
struct Watcher {
    lines: mpsc::UnboundedSender<String>,
    waiting: Arc<AtomicUsize>,
    left_out: u64,
}

impl Watcher {
    /// False if the reader is closed.
    fn send(&mut self, line: &str) -> bool {
        if self.waiting.load(Ordering::Relaxed) + line.len() > WATCH_LIMIT {
            self.left_out += 1;
            return !self.lines.is_closed();
        }
        let left_out = std::mem::take(&mut self.left_out);
        let mut text = String::new();
        if left_out > 0 {
            text = format!("+(left out: {left_out} commands, because they were not read)\r\n");
        }
        text.extend(["+", line, "\r\n"]);
        self.waiting.fetch_add(text.len(), Ordering::Relaxed);
        self.lines.send(text).is_ok()
    }
}

/// The observed commands and messages.
pub struct Log {
    names: Names,
    /// The database of the test; nothing is kept before it has one.
    database: Option<usize>,
    number: u64,
    messages: VecDeque<Published>,
    bytes: usize,
    lines: VecDeque<String>,
    facts: HashMap<Source, Facts>,
    ours: HashSet<String>,
    test: HashSet<String>,
    watchers: Vec<Watcher>,
    failed: Option<RemoteError>,
}

impl Log {
    fn new(names: Names) -> Self {
        Self {
            names,
            database: None,
            number: 0,
            messages: VecDeque::new(),
            bytes: 0,
            lines: VecDeque::new(),
            facts: HashMap::new(),
            ours: HashSet::new(),
            test: HashSet::new(),
            watchers: Vec::new(),
            failed: None,
        }
    }

    fn take_line(&mut self, line: &str) {
        let Some(sent) = MonitoredCommand::parse(line) else { return };
        let name = sent.name();
        let arguments = sent.arguments.get(1..).unwrap_or_default();
        if let Source::Client(address) = &sent.source {
            if let ("client", [what, name]) = (name.as_str(), arguments)
                && what.eq_ignore_ascii_case(b"setname")
            {
                self.add_client(address, name);
            }
            if self.ours.contains(address) {
                return;
            }
        }
        let is_mark =
            name == "ping" && arguments.first().is_some_and(|text| text.starts_with(MARK.as_bytes()));
        if is_mark {
            return;
        }
        let command = TABLE.lookup(name.as_bytes());
        if self.database != Some(sent.database) {
            // RESET is shown in database 0, which it has selected. Clients of a Unix socket cannot be distinguished.
            let resets = command.is_some_and(|command| command.effect == Some(Effect::Resets));
            if resets && sent.source != Source::Unix {
                self.facts.remove(&sent.source);
            }
            return;
        }
        self.number += 1;
        if self.lines.len() == LINES {
            self.lines.pop_front();
        }
        self.lines.push_back(line.to_owned());
        self.watchers.retain_mut(|watcher| watcher.send(line));
        let channels = command.and_then(|command| command.channels);
        if let Some(ChannelSpec { action: ChannelAction::Publish, kind, .. }) = channels
            && let [channel, payload] = arguments
        {
            self.keep(Published {
                number: self.number,
                channel: channel.clone(),
                payload: payload.clone(),
                shard: kind == Kind::Shard,
                source: Some(sent.source.clone()),
                time: SystemTime::UNIX_EPOCH + sent.time,
            });
        }
        self.learn(command, sent);
    }

    /// A client has set its name: it may be one of ours, or its address may be another client's now.
    fn add_client(&mut self, address: &str, name: &[u8]) {
        for (known, wanted) in [(&mut self.ours, &self.names.ours), (&mut self.test, &self.names.test)] {
            if name == wanted.as_bytes() {
                known.insert(address.to_owned());
            } else {
                known.remove(address);
            }
        }
    }

    /// Takes what a command shows about its client.
    fn learn(&mut self, command: Option<&Command>, sent: MonitoredCommand) {
        let is_shared = match sent.source {
            Source::Script => return,
            Source::Unix => true,
            Source::Client(_) => false,
        };
        let facts = self.facts.entry(sent.source).or_default();
        facts.number = self.number;
        let names = || sent.arguments.iter().skip(1).cloned();
        let none_named = sent.arguments.len() == 1;
        if !is_shared {
            facts.blocking.clear();
        }
        let Some(command) = command else { return };
        match command.channels.map(|spec| (spec.action, spec.kind)) {
            Some((ChannelAction::Subscribe, Kind::Channel)) => facts.channels.extend(names()),
            Some((ChannelAction::Subscribe, Kind::Pattern)) => facts.patterns.extend(names()),
            // A channel that one client has left another with the same address may still have.
            Some((ChannelAction::Unsubscribe, kind)) if !is_shared && kind != Kind::Shard => {
                let left = if kind == Kind::Channel { &mut facts.channels } else { &mut facts.patterns };
                left.retain(|name| !none_named && names().all(|one| one != *name));
            }
            _ if !is_shared && command.effect == Some(Effect::Resets) => {
                facts.channels.clear();
                facts.patterns.clear();
            }
            _ if command.flags.contains(Flags::BLOCKING) => {
                facts.blocking.insert(sent.arguments);
            }
            _ => {}
        }
    }

    fn keep(&mut self, message: Published) {
        self.bytes += message.channel.len() + message.payload.len() + OVERHEAD;
        self.messages.push_back(message);
        while self.bytes > DEFAULT_JOURNAL_LIMIT {
            let Some(oldest) = self.messages.pop_front() else { break };
            self.bytes -= oldest.channel.len() + oldest.payload.len() + OVERHEAD;
        }
    }

    /// Takes a message that a subscriber has got.
    fn take_message(&mut self, reply: &Value) {
        let Some([kind, _, channel, payload]) = reply.as_slice() else { return };
        if *kind != "pmessage" || self.database.is_none() {
            return;
        }
        let bytes = |value: &Value| value.as_bytes().unwrap_or_default().to_vec();
        self.number += 1;
        self.keep(Published {
            number: self.number,
            channel: bytes(channel),
            payload: bytes(payload),
            shard: false,
            source: None,
            time: SystemTime::now(),
        });
    }

    /// The messages of a channel.
    pub fn messages<'a>(&'a self, channel: &'a [u8]) -> impl Iterator<Item = &'a Published> + 'a {
        self.messages.iter().filter(move |message| message.channel == channel)
    }

    /// The channels on which messages were published, and how many on each.
    pub fn channels(&self) -> Vec<(Vec<u8>, usize)> {
        let mut channels: Vec<(Vec<u8>, usize)> = Vec::new();
        for message in &self.messages {
            match channels.iter_mut().find(|(channel, _)| *channel == message.channel) {
                Some((_, count)) => *count += 1,
                None => channels.push((message.channel.clone(), 1)),
            }
        }
        channels
    }

    pub fn is_test(&self, address: &str) -> bool {
        self.test.contains(address)
    }

    /// The facts of the client at this address of CLIENT LIST.
    pub fn facts(&self, address: &str) -> Option<&Facts> {
        // The address of a Unix socket is a path, and the same for all its clients.
        let is_path = address.parse::<SocketAddr>().is_err();
        let source = if is_path { Source::Unix } else { Source::Client(address.to_owned()) };
        self.facts.get(&source)
    }

    pub fn last_commands(&self) -> impl Iterator<Item = &String> {
        self.lines.iter()
    }
}

/// Observes commands and messages, from its creation on.
pub struct Observer {
    log: Arc<Mutex<Log>>,
    /// Something was published.
    pub published: Arc<Notify>,
    /// It observes commands, and not only messages.
    pub sees_commands: bool,
    marks: mpsc::UnboundedSender<oneshot::Sender<()>>,
}

impl Observer {
    /// Begins to observe; to be called on the runtime that is to do it.
    pub async fn new(mut connection: Connection, names: Names) -> Result<Self, RemoteError> {
        let sees_commands = match connection.ask(["MONITOR"]).await? {
            Value::Error(_) => {
                connection.order(["PSUBSCRIBE", "*"]).await?;
                false
            }
            _ => true,
        };
        let (log, published) = (Arc::new(Mutex::new(Log::new(names))), Arc::new(Notify::new()));
        let (marks, asked) = mpsc::unbounded_channel();
        tokio::spawn(watch(connection, Arc::clone(&log), Arc::clone(&published), asked));
        Ok(Self { log, published, sees_commands, marks })
    }

    /// From now on commands and messages in this database are kept.
    pub fn watch_database(&self, database: usize) {
        self.log.lock().database = Some(database);
    }

    /// Reads the log.
    pub fn with_log<T>(&self, read: impl FnOnce(&Log) -> T) -> T {
        read(&self.log.lock())
    }

    /// Returns when everything has been observed that happened before the call.
    pub async fn catch_up(&self) -> Result<(), RemoteError> {
        let (sender, receiver) = oneshot::channel();
        let failed = || self.log.lock().failed.clone().unwrap_or(RemoteError::Closed);
        self.marks.send(sender).map_err(|_| failed())?;
        match tokio::time::timeout(TIMEOUT, receiver).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(failed()),
            Err(_) => Err(RemoteError::Silent),
        }
    }

    /// Writes every command from now on into a stream, until it is closed.
    pub async fn send_commands(&self, mut stream: DuplexStream) -> Result<(), RemoteError> {
        if !self.sees_commands {
            return Err(RemoteError::Refused("the server refuses MONITOR".to_owned()));
        }
        self.catch_up().await?;
        let (lines, mut received) = mpsc::unbounded_channel::<String>();
        let waiting = Arc::new(AtomicUsize::new(0));
        let watcher = Watcher { lines, waiting: Arc::clone(&waiting), left_out: 0 };
        self.log.lock().watchers.push(watcher);
        tokio::spawn(async move {
            while let Some(line) = received.recv().await {
                let written = stream.write_all(line.as_bytes()).await;
                waiting.fetch_sub(line.len(), Ordering::Relaxed);
                if written.is_err() {
                    break;
                }
            }
        });
        Ok(())
    }
}

enum Next {
    /// A request to confirm how far it has read; `None` if there will be none any more.
    Mark(Option<oneshot::Sender<()>>),
    Reply(Result<Value, RemoteError>),
}

async fn watch(
    mut connection: Connection,
    log: Arc<Mutex<Log>>,
    published: Arc<Notify>,
    mut asked: mpsc::UnboundedReceiver<oneshot::Sender<()>>,
) {
    let mut marks: VecDeque<(String, oneshot::Sender<()>)> = VecDeque::new();
    let mut number: u64 = 0;
    let failed = loop {
        let next = {
            let mut reply = pin!(connection.receive());
            poll_fn(|context| match asked.poll_recv(context) {
                Poll::Ready(mark) => Poll::Ready(Next::Mark(mark)),
                Poll::Pending => reply.as_mut().poll(context).map(Next::Reply),
            })
            .await
        };
        match next {
            Next::Mark(None) => return,
            Next::Mark(Some(mark)) => {
                number += 1;
                let text = format!("{MARK}{number}");
                if let Err(error) = connection.send(["PING", &text]).await {
                    break error;
                }
                marks.push_back((text, mark));
            }
            Next::Reply(Ok(Value::Simple(line))) => {
                let mut log = log.lock();
                let before = log.number;
                log.take_line(&line);
                if log.number != before {
                    published.notify_waiters();
                }
            }
            Next::Reply(Ok(reply)) => {
                // The reply to a subscriber is `["pong", text]`.
                let pong = match reply.as_slice() {
                    Some([kind, text]) if *kind == "pong" => text,
                    _ => &reply,
                };
                if marks.front().is_some_and(|(text, _)| *pong == text.as_str()) {
                    let first = marks.pop_front();
                    // The receiver may have timed out.
                    let _ = first.map(|(_, mark)| mark.send(()));
                } else {
                    log.lock().take_message(&reply);
                    published.notify_waiters();
                }
            }
            Next::Reply(Err(error)) => break error,
        }
    };
    log.lock().failed = Some(failed);
    published.notify_waiters();
}

/// The duration between two times.
pub fn since(time: SystemTime, start: SystemTime) -> Duration {
    time.duration_since(start).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reset_of_a_client_in_another_database_ends_its_subscriptions() {
        let mut log = Log::new(Names::new("token"));
        log.database = Some(3);
        log.take_line(r#"1.000000 [3 127.0.0.1:5000] "SUBSCRIBE" "chat""#);
        log.take_line(r#"1.000001 [3 127.0.0.1:5001] "SUBSCRIBE" "chat""#);
        let channels = |log: &Log, address| log.facts(address).map_or(0, |facts| facts.channels.len());
        assert_eq!((channels(&log, "127.0.0.1:5000"), channels(&log, "127.0.0.1:5001")), (1, 1));
        log.take_line(r#"1.000002 [0 127.0.0.1:5000] "RESET""#);
        assert_eq!((channels(&log, "127.0.0.1:5000"), channels(&log, "127.0.0.1:5001")), (0, 1));
    }
}
