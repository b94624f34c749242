//! What has happened, in order: a ring of events with a bound on its memory.
//!
//! Events are written one after the other into chunks of bytes, which costs a copy and no allocation; the oldest chunk
//! is dropped when all chunks together exceed the limit. They become [`Event`]s when they are read.

mod event;
mod lost;
mod record;

pub use event::{Ending, Event, EventKind, Message, Peer, Wakeup};
pub use lost::{Fate, Lost};

use crate::data::Deadline;
use std::collections::VecDeque;
use std::sync::Arc;

use crate::clients::pubsub::Kind;
use crate::clients::waiters::Reason;
use crate::clients::{Client, ClientKey};
use crate::data::{Bytes, Map, Time};
use record::Tag;

/// The number of chunks. With more of them, dropping the oldest loses less.
const CHUNKS: usize = 16;
/// The bounds for the size of a chunk, which follows from the limit.
const CHUNK_SIZES: std::ops::RangeInclusive<usize> = 256..=64 * 1024;
/// A record is longer than the texts in it by about this many bytes.
const RECORD_OVERHEAD: usize = 64;

/// Records of consecutive numbers.
#[derive(Clone, Debug, Default)]
struct Chunk {
    /// The number of the first record.
    first: u64,
    /// How many there are.
    events: u64,
    bytes: Vec<u8>,
    /// The positions of the messages among them, and their numbers.
    messages: Vec<(usize, u64)>,
}

/// A message that is being delivered.
#[derive(Clone, Copy, Debug)]
pub struct Publishing {
    /// Its number among the events.
    pub number: u64,
    chunk: u64,
    /// The position of the number of its receivers.
    receivers_at: usize,
}

/// A delivery to the client whose command is running, which receives it after its reply.
#[derive(Clone, Debug)]
struct Own {
    message: u64,
    pattern: Option<Bytes>,
    end: u64,
}

/// The recorder of a broker. It is off if its limit is 0.
#[derive(Clone, Debug, Default)]
pub struct Recorder {
    limit: usize,
    chunk_size: usize,
    full: VecDeque<Chunk>,
    /// The bytes of all full chunks.
    full_bytes: usize,
    current: Chunk,
    /// The last chunk that was dropped, kept to reuse its memory.
    spare: Option<Chunk>,
    /// The number of the next event.
    next: u64,
    dropped: u64,
    started: Time,
    /// How many messages of each channel are kept.
    messages: Map<Bytes, usize>,
    /// Whose command is running.
    answering: Option<ClientKey>,
    own: Vec<Own>,
}

/// The state of a command that waits while another runs.
#[derive(Debug)]
pub struct Aside {
    answering: Option<ClientKey>,
    own: Vec<Own>,
}

impl Recorder {
    /// A recorder that keeps about `limit` bytes of events, with times counted from `started`; off with 0.
    #[must_use]
    pub fn new(limit: usize, started: Time) -> Self {
        let chunk_size = (limit / CHUNKS).clamp(*CHUNK_SIZES.start(), *CHUNK_SIZES.end());
        Self { limit, chunk_size, next: 1, started, ..Self::default() }
    }

    /// Removes all events; the next event has number 1 again.
    pub fn clear(&mut self) {
        *self = Self::new(self.limit, self.started);
    }

    /// True if events are recorded.
    #[must_use]
    #[inline]
    pub fn is_on(&self) -> bool {
        self.limit > 0
    }

    /// Calls `event` if events are recorded; if not, this costs only a comparison.
    #[inline]
    pub fn record<T>(&mut self, event: impl FnOnce(&mut Self) -> T) -> Option<T> {
        self.is_on().then(|| event(self))
    }

    /// How many of the oldest events have been dropped.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// The number of the last event, 0 before the first.
    #[must_use]
    pub fn last_number(&self) -> u64 {
        self.next.saturating_sub(1)
    }

    /// The names of the commands of clients after an event, as far as they are kept, each with the number of its
    /// calls; in the order of the first calls.
    #[must_use]
    pub fn commands_since(&self, number: u64) -> Vec<(String, usize)> {
        let mut names: Map<String, usize> = Map::default();
        for (event, _) in self.records() {
            let is_of_client = event.client.as_ref().is_some_and(|client| !client.is_test());
            if let (true, EventKind::Command(arguments)) =
                (is_of_client && event.number > number, &event.kind)
            {
                let name = arguments.first().map(ToString::to_string).unwrap_or_default();
                *names.entry(name.to_uppercase()).or_default() += 1;
            }
        }
        names.into_iter().collect()
    }

    /// How many messages of a channel are kept.
    #[must_use]
    pub fn messages(&self, channel: &[u8]) -> usize {
        self.messages.get(channel).copied().unwrap_or_default()
    }

    /// The channels that messages are kept of, each with how many.
    pub fn channels(&self) -> impl Iterator<Item = (&[u8], usize)> {
        self.messages.iter().map(|(channel, count)| (&**channel, *count))
    }

    /// Begins a record that holds texts of `bytes` bytes and returns where it begins; `None` if it is too large
    /// to be kept.
    fn begin(&mut self, tag: Tag, now: Time, client: Option<&Client>, bytes: usize) -> Option<usize> {
        if bytes + RECORD_OVERHEAD > self.limit {
            // The numbers in a chunk have no gap.
            self.rotate();
            self.next += 1;
            self.dropped += 1;
            return None;
        }
        if self.current.bytes.len() + bytes > self.chunk_size {
            self.rotate();
        }
        if self.current.events == 0 {
            self.current.first = self.next;
        }
        self.next += 1;
        self.current.events += 1;
        let elapsed = now.since(self.started);
        let micros = u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX);
        let at = self.current.bytes.len();
        record::header(&mut self.current.bytes, tag, micros, client);
        Some(at)
    }

    /// Begins another chunk, and drops the oldest while all of them exceed the limit.
    fn rotate(&mut self) {
        if self.current.events > 0 {
            // The first chunk grows with its events; once it is full, others will be too.
            let bytes = || Vec::with_capacity(self.chunk_size);
            let next = self.spare.take().unwrap_or_else(|| Chunk { bytes: bytes(), ..Chunk::default() });
            let full = std::mem::replace(&mut self.current, next);
            self.full_bytes += full.bytes.len();
            self.full.push_back(full);
        }
        while self.full_bytes + self.chunk_size > self.limit {
            let Some(mut oldest) = self.full.pop_front() else { return };
            self.full_bytes -= oldest.bytes.len();
            self.dropped += oldest.events;
            for (at, _) in &oldest.messages {
                let channel = record::channel_of(&oldest.bytes[*at..]);
                if let Some(count) = self.messages.get_mut(channel) {
                    *count -= 1;
                    if *count == 0 {
                        self.messages.swap_remove(channel);
                    }
                }
            }
            oldest.events = 0;
            oldest.bytes.clear();
            oldest.bytes.shrink_to(self.chunk_size);
            oldest.messages.clear();
            self.spare = Some(oldest);
        }
    }

    fn text(&mut self, text: &[u8]) {
        record::text(&mut self.current.bytes, text);
    }

    fn number(&mut self, number: u64) {
        record::number(&mut self.current.bytes, number);
    }

    /// A client has connected.
    pub fn connected(&mut self, client: &Client, now: Time) {
        self.begin(Tag::Connected, now, Some(client), 0);
    }

    /// A command was received.
    pub fn command<'a>(
        &mut self,
        client: &Client,
        arguments: impl ExactSizeIterator<Item = &'a [u8]> + Clone,
        now: Time,
    ) {
        let bytes = arguments.clone().map(|argument| argument.len() + 1).sum();
        if self.begin(Tag::Command, now, Some(client), bytes).is_some() {
            self.number(arguments.len() as u64);
            for argument in arguments {
                self.text(argument);
            }
        }
    }

    /// A client is sent these bytes as a reply.
    pub fn reply(&mut self, client: &Client, reply: &[u8], now: Time) {
        if !reply.is_empty() && self.begin(Tag::Reply, now, Some(client), reply.len()).is_some() {
            self.text(reply);
        }
    }

    /// The command of a client begins to run: messages are published by this client, and those that it receives itself
    /// are sent after its reply.
    ///
    /// Returns the client whose command is already running (CLIENT UNBLOCK, while it ends the wait of another), for
    /// [`Recorder::end_answer`].
    pub fn begin_answer(&mut self, key: ClientKey) -> Option<ClientKey> {
        self.answering.replace(key)
    }

    /// The command has run. Its reply adds `shift` bytes to what the client's connection was sent before.
    pub fn end_answer(
        &mut self,
        outer: Option<ClientKey>,
        client: Option<&Client>,
        (reply, shift): (&[u8], usize),
        now: Time,
    ) {
        self.answering = outer;
        let Some(client) = client else {
            if outer.is_none() {
                self.own.clear();
            }
            return;
        };
        self.reply(client, reply, now);
        if outer.is_none() && !self.own.is_empty() {
            for own in std::mem::take(&mut self.own) {
                let end = own.end + shift as u64;
                let pattern = own.pattern.as_deref();
                self.delivery(Tag::Delivered, client, own.message, pattern, end, now);
            }
        }
    }

    /// The command that is running waits while another runs, see [`Recorder::restore`].
    pub fn set_aside(&mut self) -> Aside {
        Aside { answering: self.answering.take(), own: std::mem::take(&mut self.own) }
    }

    /// The other command has run.
    pub fn restore(&mut self, Aside { answering, own }: Aside) {
        self.answering = answering;
        self.own = own;
    }

    /// Whose command is running.
    #[must_use]
    pub fn answering(&self) -> Option<ClientKey> {
        self.answering
    }

    /// A message is published. Its deliveries follow, then [`Recorder::published`].
    pub fn publishing(
        &mut self,
        client: Option<&Client>,
        kind: Kind,
        channel: &[u8],
        payload: &[u8],
        now: Time,
    ) -> Publishing {
        let number = self.next;
        let begin = self.begin(Tag::Published, now, client, channel.len() + payload.len());
        let Some(at) = begin else {
            return Publishing { number, chunk: u64::MAX, receivers_at: 0 };
        };
        self.text(channel);
        let receivers_at = self.current.bytes.len();
        self.current.bytes.extend_from_slice(&[0; 4]);
        self.number(u64::from(kind == Kind::Shard));
        self.text(payload);
        self.current.messages.push((at, number));
        match self.messages.get_mut(channel) {
            Some(count) => *count += 1,
            None => drop(self.messages.insert(channel.into(), 1)),
        }
        Publishing { number, chunk: self.current.first, receivers_at }
    }

    /// Sets the number of receivers of a message.
    pub fn published(&mut self, message: Publishing, receivers: usize) {
        let mut chunks = std::iter::once(&mut self.current).chain(self.full.iter_mut().rev());
        let chunk = chunks.find(|chunk| chunk.events > 0 && chunk.first == message.chunk);
        let count = chunk.and_then(|chunk| chunk.bytes.get_mut(message.receivers_at..));
        if let Some(count) = count.and_then(|bytes| bytes.first_chunk_mut()) {
            *count = u32::try_from(receivers).unwrap_or(u32::MAX).to_le_bytes();
        }
    }

    /// A message is sent to a client, by a pattern or by its channel; `end` is the number of all bytes sent to the
    /// client up to its end. It is not sent if the connection is already being closed.
    pub fn delivered(
        &mut self,
        (key, client): (ClientKey, &Client),
        message: Publishing,
        pattern: Option<&[u8]>,
        end: Option<u64>,
        now: Time,
    ) {
        match end {
            Some(end) if self.answering == Some(key) => {
                self.own.push(Own { message: message.number, pattern: pattern.map(Into::into), end });
            }
            Some(end) => self.delivery(Tag::Delivered, client, message.number, pattern, end, now),
            None => self.delivery(Tag::Undelivered, client, message.number, pattern, 0, now),
        }
    }

    /// A fault has dropped a message to a client.
    pub fn dropped_by_fault(
        &mut self,
        client: &Client,
        message: Publishing,
        pattern: Option<&[u8]>,
        now: Time,
    ) {
        self.delivery(Tag::Dropped, client, message.number, pattern, 0, now);
    }

    /// A fault delays a message to a client.
    pub fn delayed_by_fault(
        &mut self,
        client: &Client,
        message: Publishing,
        pattern: Option<&[u8]>,
        now: Time,
    ) {
        self.delivery(Tag::Delayed, client, message.number, pattern, 0, now);
    }

    /// A fault, given as its description, hits a client.
    pub fn fault_hit(&mut self, client: &Client, fault: &str, now: Time) {
        if self.begin(Tag::FaultHit, now, Some(client), fault.len()).is_some() {
            self.text(fault.as_bytes());
        }
    }

    fn delivery(
        &mut self,
        tag: Tag,
        client: &Client,
        message: u64,
        pattern: Option<&[u8]>,
        end: u64,
        now: Time,
    ) {
        if self.begin(tag, now, Some(client), pattern.map_or(0, <[u8]>::len)).is_some() {
            self.number(message);
            self.number(end);
            self.number(u64::from(pattern.is_some()));
            self.text(pattern.unwrap_or_default());
        }
    }

    /// A client has subscribed or unsubscribed.
    pub fn subscription(&mut self, client: &Client, begins: bool, kind: Kind, name: &[u8], now: Time) {
        let tag = if begins { Tag::Subscribed } else { Tag::Unsubscribed };
        if self.begin(tag, now, Some(client), name.len()).is_some() {
            self.current.bytes.push(record::byte_of(kind));
            self.text(name);
        }
    }

    /// A client waits, until `deadline` in milliseconds since the Unix epoch if there is one.
    pub fn blocked(
        &mut self,
        client: &Client,
        reason: Reason,
        keys: &[Bytes],
        deadline: Option<Deadline>,
        now: Time,
    ) {
        let bytes = keys.iter().map(|key| key.len() + 1).sum();
        if self.begin(Tag::Blocked, now, Some(client), bytes).is_some() {
            self.number(u64::from(reason == Reason::Pause));
            let left = deadline.map(|deadline| deadline.time().since(self.started));
            self.number(left.map_or(0, |left| u64::try_from(left.as_micros()).unwrap_or(u64::MAX - 1) + 1));
            self.number(keys.len() as u64);
            for key in keys {
                self.text(key);
            }
        }
    }

    /// A client no longer waits.
    pub fn unblocked(&mut self, client: &Client, wakeup: &Wakeup, now: Time) {
        let (byte, key): (u8, &[u8]) = match wakeup {
            Wakeup::Key(key) => (0, key),
            Wakeup::TimedOut => (1, b""),
            Wakeup::Unblocked => (2, b""),
            Wakeup::PauseOver => (3, b""),
            Wakeup::DelayOver => (4, b""),
        };
        if self.begin(Tag::Unblocked, now, Some(client), key.len()).is_some() {
            self.current.bytes.push(byte);
            self.text(key);
        }
    }

    /// A key has expired.
    pub fn expired(&mut self, database: usize, key: &[u8], now: Time) {
        if self.begin(Tag::Expired, now, None, key.len()).is_some() {
            self.number(database as u64);
            self.text(key);
        }
    }

    /// A client has disconnected.
    pub fn disconnected(&mut self, client: &Client, now: Time) {
        if self.begin(Tag::Disconnected, now, Some(client), 0).is_some() {
            self.current.bytes.push(record::byte_of_ending(Ending::of(client)));
            self.number(client.written());
        }
    }

    /// The broker is stopped.
    pub fn stopped(&mut self, now: Time) {
        self.begin(Tag::Stopped, now, None, 0);
    }

    /// The broker was restarted, with its data or without.
    pub fn restarted(&mut self, kept_data: bool, now: Time) {
        if self.begin(Tag::Restarted, now, None, 0).is_some() {
            self.number(u64::from(kept_data));
        }
    }

    fn chunks(&self) -> impl Iterator<Item = &Chunk> {
        self.full.iter().chain(std::iter::once(&self.current))
    }

    /// All events that are kept.
    #[must_use]
    pub fn events(&self) -> Vec<Event> {
        self.records().into_iter().map(|(event, _)| event).collect()
    }

    /// All events, each with an extra number: the end of a delivery among all bytes for the client, or how many bytes
    /// had been written when a client disconnected.
    fn records(&self) -> Vec<(Event, u64)> {
        let mut messages = Map::default();
        let mut events = Vec::new();
        for chunk in self.chunks() {
            record::read(&chunk.bytes, chunk.first, self.started, &mut messages, &mut events);
        }
        events
    }

    /// The messages of a channel that are kept, or of all channels.
    #[must_use]
    pub fn published_messages(&self, channel: Option<&[u8]>) -> Vec<Message> {
        if channel.is_some_and(|channel| self.messages(channel) == 0) {
            return Vec::new();
        }
        let wanted = |bytes: &[u8]| channel.is_none_or(|channel| record::channel_of(bytes) == channel);
        let (mut messages, mut events) = (Map::default(), Vec::new());
        for chunk in self.chunks() {
            let of_chunk = chunk.messages.iter().map(|(at, number)| (&chunk.bytes[*at..], *number));
            for (bytes, number) in of_chunk.filter(|(bytes, _)| wanted(bytes)) {
                record::read_message(bytes, number, self.started, &mut messages, &mut events);
            }
        }
        messages.into_values().map(Arc::unwrap_or_clone).collect()
    }
}
