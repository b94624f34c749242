//! Looking back: the journal, the published messages, and assertions on both.

use std::fmt::{self, Write};
use std::ops::Deref;
use std::sync::atomic::Ordering;

use super::server::Backend;
use super::{Broker, Embedded, Server};
use crate::commands::control;
use crate::data::Quoted;
use crate::table::TABLE;
use crate::testing::journal::{Event, Message};

/// The maximum memory of an embedded broker's journal, unless [`Builder::journal_limit`](super::Builder::journal_limit)
/// sets another: enough for tens of thousands of events, and small enough for a thousand brokers in one process. No
/// memory is taken in advance.
pub const DEFAULT_JOURNAL_LIMIT: usize = 4 * 1024 * 1024;

/// How many of the last events are printed when a test fails.
const PRINTED: usize = 100;
/// How many lines of a kind the message of a failed assertion shows.
const LINES: usize = 20;

/// The past events in order: a list of [`Event`]s, from [`Broker::journal`].
///
/// It is a slice of events; the filters below return shorter ones, and it prints with a line for each event.
///
/// ```
/// use minibroker::{Broker, EventKind};
///
/// let broker = Broker::start()?;
/// let mut ann = redis::Client::open(broker.url())?.get_connection()?;
/// redis::cmd("CLIENT").arg("SETNAME").arg("ann").exec(&mut ann)?;
/// redis::cmd("RPUSH").arg("chat_queue").arg("hello").exec(&mut ann)?;
///
/// let of_ann = broker.journal().by_client("ann").of_key("chat_queue");
/// assert_eq!(of_ann.len(), 1);
/// assert!(matches!(&of_ann[0].kind, EventKind::Command(arguments) if arguments[2] == "hello"));
/// println!("{}", broker.journal());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Journal {
    events: Vec<Event>,
    dropped: u64,
}

impl Journal {
    /// How many older events have been dropped because they took more memory than
    /// [`Builder::journal_limit`](super::Builder::journal_limit) allows. The first event in the journal has a
    /// [number](Event::number) greater than this.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// The events that pass a test.
    #[must_use]
    pub fn filter(self, mut test: impl FnMut(&Event) -> bool) -> Self {
        let events = self.events.into_iter().filter(|event| test(event)).collect();
        Self { events, ..self }
    }

    /// The events of a client: the one with this id (CLIENT ID), name (CLIENT SETNAME; since it has been set) or
    /// address.
    #[must_use]
    // So that numbers and texts can be passed directly.
    #[allow(clippy::needless_pass_by_value)]
    pub fn by_client(self, client: impl ToString) -> Self {
        let wanted = client.to_string();
        self.filter(|event| event.is_of_client(&wanted))
    }

    /// The events of the test itself, by [`Broker::command`].
    #[must_use]
    pub fn by_test(self) -> Self {
        self.filter(|event| event.client.as_ref().is_some_and(super::Peer::is_test))
    }

    /// The commands of this name, in upper or lower case; `CONFIG SET` names a subcommand.
    #[must_use]
    pub fn of_command(self, name: impl AsRef<str>) -> Self {
        self.filter(|event| event.is_command(name.as_ref()))
    }

    /// The messages on the channel, their deliveries, and its subscriptions and unsubscriptions.
    #[must_use]
    pub fn on_channel(self, channel: impl AsRef<[u8]>) -> Self {
        self.filter(|event| event.is_on_channel(channel.as_ref()))
    }

    /// The commands that name the key, the waits for it, and its expiry.
    #[must_use]
    pub fn of_key(self, key: impl AsRef<[u8]>) -> Self {
        self.filter(|event| control::is_of_key(event, key.as_ref(), &TABLE))
    }
}

impl Deref for Journal {
    type Target = [Event];

    fn deref(&self) -> &[Event] {
        &self.events
    }
}

impl From<Journal> for Vec<Event> {
    fn from(journal: Journal) -> Self {
        journal.events
    }
}

impl IntoIterator for Journal {
    type Item = Event;
    type IntoIter = std::vec::IntoIter<Event>;

    fn into_iter(self) -> Self::IntoIter {
        self.events.into_iter()
    }
}

impl<'a> IntoIterator for &'a Journal {
    type Item = &'a Event;
    type IntoIter = std::slice::Iter<'a, Event>;

    fn into_iter(self) -> Self::IntoIter {
        self.events.iter()
    }
}

/// A line for each event.
impl fmt::Display for Journal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.iter().try_for_each(|event| writeln!(f, "{event}"))
    }
}

impl Broker {
    /// The events since the broker was started, in order: every connect, command, reply, message, delivery,
    /// subscription, block, unblock, expiry and disconnect, with the client and the time. They take no more memory than
    /// [`Builder::journal_limit`](super::Builder::journal_limit) allows; beyond that the oldest events are dropped and
    /// [counted](Journal::dropped).
    ///
    /// The events are actions of the broker: a client need not have read a recorded reply.
    ///
    /// # Panics
    ///
    /// Nothing is recorded, because the limit is 0.
    ///
    /// ```
    /// let broker = minibroker::Broker::start()?;
    /// broker.command(["SET", "mood", "good"])?;
    /// broker.command(["PUBLISH", "chat", "hello"])?;
    /// let lines: Vec<String> = broker.journal().iter().map(|event| event.kind.to_string()).collect();
    /// assert_eq!(
    ///     lines,
    ///     [
    ///         r#"SET "mood" "good""#,
    ///         "=> OK",
    ///         r#"PUBLISH "chat" "hello""#,
    ///         r#"publishes "hello" on "chat", to 0"#,
    ///         "=> 0",
    ///     ]
    /// );
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    #[track_caller]
    pub fn journal(&self) -> Journal {
        self.server.assert_recording();
        self.server.journal_now()
    }

    /// Asserts that no subscriber has lost a message: that each got every message of its channels and patterns that was
    /// published while it was subscribed, exactly once for each of its subscriptions, and in the order of publication.
    ///
    /// A subscriber has got what has been written to its connection. A message that is still to be written to an open
    /// connection is not lost. It is lost when the connection ends before: cut off by `client-output-buffer-limit`, by
    /// CLIENT KILL, or by the client itself. Messages that a client misses after its QUIT are not lost. Whether the
    /// client's program has read and handled a message is not known here; and messages that were published while a
    /// client was not subscribed (not yet, not any more, or between two connections) were not for it. A message that a
    /// [fault](Broker::faults) has dropped is lost; one that it delays is not, as long as the connection is open.
    ///
    /// # Panics
    ///
    /// A message was lost, with the message, the subscriber and the reason; or the [journal](Broker::journal) does not
    /// contain all events.
    ///
    /// ```
    /// let broker = minibroker::Broker::start()?;
    /// let mut connection = redis::Client::open(broker.url())?.get_connection()?;
    /// let mut chat = connection.as_pubsub();
    /// chat.subscribe("chat")?;
    /// broker.command(["PUBLISH", "chat", "hello"])?;
    /// broker.assert_no_message_lost();
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn assert_no_message_lost(&self) {
        self.server.assert_recording();
        let shared = &self.server.shared;
        let (lost, dropped) =
            shared.with_state(|state| (state.journal.lost_messages(&state.clients), state.journal.dropped()));
        if dropped == 0 && lost.is_empty() {
            return;
        }
        let mut text = match lost.len() {
            0 => "whether a message was lost is unknown".to_owned(),
            1 => "a message was lost".to_owned(),
            count => format!("{count} messages were lost"),
        };
        add_lines(&mut text, "lost", lost.iter().map(ToString::to_string));
        add_dropped(&mut text, dropped);
        panic!("{text}");
    }
}

impl<S: Server> Broker<S> {
    /// Every message that was published on the channel, in order, by PUBLISH, SPUBLISH or as a keyspace notification,
    /// with its publisher and the number of receivers; as far as the [journal](Broker::journal) goes back.
    ///
    /// If the broker is [attached](Broker::attach), these are the messages that clients in the database of the test
    /// have published since then; the last [`DEFAULT_JOURNAL_LIMIT`] bytes of them are kept. Such a server does not
    /// report the number of receivers ([`Message::receivers`] is none), and the publisher only if that client is still
    /// connected and has an address of its own; keyspace notifications are not included. The messages are seen by
    /// MONITOR, so that there is no subscriber that PUBLISH would count. If MONITOR is refused, a subscriber of the
    /// pattern `*` sees the messages of all databases.
    ///
    /// # Panics
    ///
    /// Nothing is recorded, because the limit is 0; or the broker is a real server that does not answer.
    ///
    /// ```
    /// let broker = minibroker::Broker::start()?;
    /// broker.command(["PUBLISH", "chat", "hello"])?;
    /// let published = broker.published("chat");
    /// assert_eq!(published.len(), 1);
    /// assert_eq!(published[0].payload, "hello");
    /// assert_eq!(published[0].receivers, Some(0));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    #[track_caller]
    pub fn published(&self, channel: impl AsRef<[u8]>) -> Vec<Message> {
        match self.server.backend() {
            Backend::Embedded(broker) => {
                broker.assert_recording();
                broker.shared.with_state(|state| state.journal.published_messages(Some(channel.as_ref())))
            }
            Backend::Attached(server) => server.published(channel.as_ref()),
        }
    }

    /// Asserts that this message was published on the channel, to any number of receivers.
    ///
    /// # Panics
    ///
    /// It was not, with the messages that were published there instead; or nothing is recorded, because the limit is 0.
    ///
    /// ```
    /// let broker = minibroker::Broker::start()?;
    /// broker.command(["PUBLISH", "chat", "hello"])?;
    /// broker.assert_published("chat", "hello");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn assert_published(&self, channel: impl AsRef<[u8]>, payload: impl AsRef<[u8]>) {
        let (channel, payload) = (channel.as_ref(), payload.as_ref());
        let published = self.published(channel);
        if published.iter().any(|message| message.payload == payload) {
            return;
        }
        let mut text = format!("{} was not published on channel {}", Quoted(payload), Quoted(channel));
        let by = |message: &Message| match &message.client {
            Some(client) => format!("by {client}"),
            None => "by the broker".to_owned(),
        };
        let embedded = match self.server.backend() {
            Backend::Embedded(broker) => broker,
            Backend::Attached(server) => {
                let lines = published.iter().map(|message| Quoted(&message.payload).to_string());
                add_lines(&mut text, "published there", lines);
                if published.is_empty() {
                    let channels = server.channels().into_iter();
                    let lines = channels.map(|(name, count)| format!("{}: {count}", Quoted(&name)));
                    add_lines(&mut text, "messages on other channels", lines);
                }
                panic!("{text}");
            }
        };
        let lines = published.iter().map(|message| {
            let receivers = message.receivers.unwrap_or_default();
            format!("{}, to {receivers}, {}", Quoted(&message.payload), by(message))
        });
        add_lines(&mut text, "published there", lines);
        if published.is_empty() {
            let (channels, dropped) = embedded.shared.with_state(|state| {
                let journal = &state.journal;
                let channels = journal.channels().map(|(name, count)| format!("{}: {count}", Quoted(name)));
                (channels.collect::<Vec<_>>(), journal.dropped())
            });
            add_lines(&mut text, "messages on other channels", channels.into_iter());
            add_dropped(&mut text, dropped);
        }
        panic!("{text}");
    }

    /// Has the last events of the [journal](Broker::journal) printed on standard error when the test fails: when a
    /// [`Wait`](super::Wait) times out, and when this broker is dropped while its thread panics. Events that were
    /// printed for a wait are not printed again.
    ///
    /// ```
    /// let broker = minibroker::Broker::start()?;
    /// broker.print_journal_on_panic();
    /// # Ok::<(), minibroker::StartError>(())
    /// ```
    ///
    /// If the broker is [attached](Broker::attach), the last commands of MONITOR are printed.
    ///
    /// # Panics
    ///
    /// Nothing is recorded, because the limit is 0.
    #[track_caller]
    pub fn print_journal_on_panic(&self) {
        let prints = match self.server.backend() {
            Backend::Embedded(broker) => {
                broker.assert_recording();
                &broker.prints_on_panic
            }
            Backend::Attached(server) => server.prints_on_panic(),
        };
        prints.store(true, Ordering::Relaxed);
    }
}

impl Embedded {
    /// The events are read from a copy; clients are not delayed.
    fn journal_now(&self) -> Journal {
        let recorder = self.shared.with_state(|state| state.journal.clone());
        Journal { events: recorder.events(), dropped: recorder.dropped() }
    }

    /// Prints the last events on standard error, if the test wants that; those that have been printed before are
    /// omitted.
    pub(super) fn print_if_wanted(&self) {
        if !self.prints_on_panic.load(Ordering::Relaxed) {
            return;
        }
        let journal = self.journal_now();
        let last = journal.last().map_or(0, |event| event.number);
        let printed = self.printed.swap(last, Ordering::Relaxed);
        let new = journal.iter().filter(|event| event.number > printed).count();
        if new > 0 || printed == 0 {
            eprint!("{}", self.text_of_last(&journal, new.min(PRINTED)));
        }
    }

    /// The last events of the journal, a line each.
    fn text_of_last(&self, journal: &Journal, count: usize) -> String {
        let shown = &journal[journal.len().saturating_sub(count)..];
        let address = self.addr().map(|addr| format!(" on {addr}")).unwrap_or_default();
        let mut text = format!("the last events of the broker{address}:\n");
        let before = journal.dropped() + (journal.len() - shown.len()) as u64;
        if before > 0 {
            // Writing into a string does not fail.
            let _ = writeln!(text, "  ... ({before} before)");
        }
        for event in shown {
            let _ = writeln!(text, "{event}");
        }
        text
    }

    /// Panics if nothing is recorded.
    #[track_caller]
    pub(super) fn assert_recording(&self) {
        let is_on = self.shared.with_state(|state| state.journal.is_on());
        assert!(is_on, "this broker records nothing: its builder was given `journal_limit(0)`");
    }
}

/// Adds lines under a heading, up to a limit.
fn add_lines(text: &mut String, heading: &str, mut lines: impl ExactSizeIterator<Item = String>) {
    if lines.len() == 0 {
        return;
    }
    // Writing into a string does not fail.
    let _ = write!(text, "\n{heading}:");
    for line in lines.by_ref().take(LINES) {
        let _ = write!(text, "\n  {line}");
    }
    if lines.len() > 0 {
        let _ = write!(text, "\n  ... and {} more", lines.len());
    }
}

fn add_dropped(text: &mut String, dropped: u64) {
    if dropped > 0 {
        let _ = write!(
            text,
            "\nthe journal has dropped the {dropped} oldest events: `journal_limit` of the builder makes it larger"
        );
    }
}
