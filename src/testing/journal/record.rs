//! An event as bytes: a tag, the time, the client, then what the event is about.

use std::sync::Arc;
use std::time::Duration;

use super::event::{Ending, Event, EventKind, Message, Peer, Wakeup};
use crate::clients::Client;
use crate::clients::pubsub::Kind;
use crate::data::{Map, Time};
use crate::resp::{ByteString, Value};

/// The kind of a record.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Tag {
    Connected,
    Command,
    Reply,
    Published,
    Delivered,
    Undelivered,
    Subscribed,
    Unsubscribed,
    Blocked,
    Unblocked,
    Expired,
    Disconnected,
    Stopped,
    Restarted,
    Dropped,
    Delayed,
    FaultHit,
}

impl Tag {
    const ALL: [Self; 17] = [
        Self::Connected,
        Self::Command,
        Self::Reply,
        Self::Published,
        Self::Delivered,
        Self::Undelivered,
        Self::Subscribed,
        Self::Unsubscribed,
        Self::Blocked,
        Self::Unblocked,
        Self::Expired,
        Self::Disconnected,
        Self::Stopped,
        Self::Restarted,
        Self::Dropped,
        Self::Delayed,
        Self::FaultHit,
    ];
}

const KINDS: [Kind; 3] = [Kind::Channel, Kind::Pattern, Kind::Shard];
const ENDINGS: [Ending; 5] =
    [Ending::Left, Ending::Closed, Ending::Killed, Ending::OutputLimit, Ending::Fault];

pub(super) fn byte_of(kind: Kind) -> u8 {
    kind as u8
}

pub(super) fn byte_of_ending(ending: Ending) -> u8 {
    ending as u8
}

/// Seven bits a byte, the lowest first.
pub(super) fn number(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        #[allow(clippy::cast_possible_truncation)]
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    #[allow(clippy::cast_possible_truncation)]
    out.push(number as u8);
}

pub(super) fn text(out: &mut Vec<u8>, text: &[u8]) {
    number(out, text.len() as u64);
    out.extend_from_slice(text);
}

const NO_CLIENT: u64 = 0;
const THE_TEST: u64 = 1;
const FIRST_CLIENT: u64 = 2;

/// Writes what every record begins with: the tag, the time since the start in microseconds, the client.
pub(super) fn header(out: &mut Vec<u8>, tag: Tag, micros: u64, client: Option<&Client>) {
    let (number_of_client, name, address): (u64, &[u8], &[u8]) = match client {
        None => (NO_CLIENT, b"", b""),
        Some(client) if client.internal => (THE_TEST, b"", b""),
        Some(client) => {
            (FIRST_CLIENT.saturating_add(client.id), &client.name, client.address.peer.as_bytes())
        }
    };
    // Built in an array of fixed size and appended with one copy, as there are many for each message.
    let mut head = [0; HEAD_MAX];
    head[0] = tag as u8;
    let mut at = 1;
    put_number(&mut head, &mut at, micros);
    put_number(&mut head, &mut at, number_of_client);
    if number_of_client >= FIRST_CLIENT && name.len() + address.len() <= SHORT_TEXTS {
        for text in [name, address] {
            put_number(&mut head, &mut at, text.len() as u64);
            head[at..at + text.len()].copy_from_slice(text);
            at += text.len();
        }
        out.extend_from_slice(&head[..at]);
        return;
    }
    out.extend_from_slice(&head[..at]);
    if number_of_client >= FIRST_CLIENT {
        text(out, name);
        text(out, address);
    }
}

/// The longest name and address together that are copied with the rest.
const SHORT_TEXTS: usize = 64;
/// The size of a tag, two long numbers, two short ones and the texts.
const HEAD_MAX: usize = 1 + 10 + 10 + 1 + 1 + SHORT_TEXTS;

/// As [`number`], into a slice that is long enough.
fn put_number(out: &mut [u8], at: &mut usize, mut number: u64) {
    while number >= 0x80 {
        #[allow(clippy::cast_possible_truncation)]
        let byte = number as u8 | 0x80;
        out[*at] = byte;
        *at += 1;
        number >>= 7;
    }
    #[allow(clippy::cast_possible_truncation)]
    let byte = number as u8;
    out[*at] = byte;
    *at += 1;
}

/// The channel of a message, whose record these bytes begin with.
pub(super) fn channel_of(bytes: &[u8]) -> &[u8] {
    let mut reader = Reader(bytes);
    let mut channel = || {
        reader.header()?;
        reader.text()
    };
    channel().unwrap_or_default()
}

/// Reads what the functions above write.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn byte(&mut self) -> Option<u8> {
        self.take(1).map(|byte| byte[0])
    }

    fn number(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                break;
            }
        }
        Some(value)
    }

    fn length(&mut self) -> Option<usize> {
        usize::try_from(self.number()?).ok()
    }

    fn text(&mut self) -> Option<&'a [u8]> {
        let length = self.length()?;
        self.take(length)
    }

    fn texts(&mut self) -> Option<Vec<ByteString>> {
        let count = self.length()?;
        (0..count).map(|_| self.text().map(ByteString::from)).collect()
    }

    /// What every record begins with.
    fn header(&mut self) -> Option<Header<'a>> {
        let tag = *Tag::ALL.get(usize::from(self.byte()?))?;
        let at = Duration::from_micros(self.number()?);
        let client = self.number()?;
        let (name, address) =
            if client < FIRST_CLIENT { Default::default() } else { (self.text()?, self.text()?) };
        Some(Header { tag, at, client, name, address })
    }
}

struct Header<'a> {
    tag: Tag,
    at: Duration,
    client: u64,
    name: &'a [u8],
    address: &'a [u8],
}

impl Header<'_> {
    fn peer(&self) -> Option<Peer> {
        match self.client {
            NO_CLIENT => None,
            THE_TEST => Some(Peer::the_test()),
            id => Some(Peer {
                id: Some(id - FIRST_CLIENT),
                name: String::from_utf8_lossy(self.name).into_owned(),
                address: String::from_utf8_lossy(self.address).into_owned(),
            }),
        }
    }
}

/// Appends the message that these bytes begin with.
pub(super) fn read_message(
    bytes: &[u8],
    number: u64,
    started: Time,
    messages: &mut Map<u64, Arc<Message>>,
    events: &mut Vec<(Event, u64)>,
) {
    // This cannot fail: the bytes were written above.
    let _ = read_one(&mut Reader(bytes), number, started, messages, events);
    events.clear();
}

/// Appends the events of a chunk, see [`Recorder::records`](super::Recorder::records). A delivery whose message
/// has been dropped is left out.
pub(super) fn read(
    bytes: &[u8],
    first: u64,
    started: Time,
    messages: &mut Map<u64, Arc<Message>>,
    events: &mut Vec<(Event, u64)>,
) {
    let mut reader = Reader(bytes);
    let mut number = first;
    while !reader.0.is_empty() {
        if read_one(&mut reader, number, started, messages, events).is_none() {
            return;
        }
        number += 1;
    }
}

fn read_one(
    reader: &mut Reader<'_>,
    number: u64,
    started: Time,
    messages: &mut Map<u64, Arc<Message>>,
    events: &mut Vec<(Event, u64)>,
) -> Option<()> {
    let header = reader.header()?;
    let (tag, at, client) = (header.tag, header.at, header.peer());
    let time = (started + at).into();
    let mut extra = 0;
    let kind = match tag {
        Tag::Connected => EventKind::Connected,
        Tag::Command => EventKind::Command(reader.texts()?),
        Tag::Reply => {
            // A command may have several replies, such as SUBSCRIBE to several channels.
            let mut answers = reader.text()?;
            while let Some((value, length)) = Value::read(answers) {
                answers = &answers[length..];
                let kind = EventKind::Reply(value);
                events.push((Event { number, at, time, client: client.clone(), kind }, 0));
            }
            return Some(());
        }
        Tag::Published => {
            let channel = reader.text()?.into();
            let receivers = u32::from_le_bytes(*reader.take(4)?.first_chunk()?);
            let shard = reader.number()? == 1;
            let payload = reader.text()?.into();
            let receivers = Some(usize::try_from(receivers).ok()?);
            let message =
                Message { number, channel, payload, shard, receivers, client: client.clone(), at, time };
            let message = Arc::new(message);
            messages.insert(number, Arc::clone(&message));
            EventKind::Published(message)
        }
        Tag::Delivered | Tag::Undelivered | Tag::Dropped | Tag::Delayed => {
            let message = reader.number()?;
            extra = reader.number()?;
            let by_pattern = reader.number()? == 1;
            let pattern = by_pattern.then_some(reader.text()?.into());
            let Some(message) = messages.get(&message).cloned() else { return Some(()) };
            match tag {
                Tag::Delivered => EventKind::Delivered { message, pattern },
                Tag::Dropped => EventKind::Dropped { message, pattern },
                Tag::Delayed => EventKind::Delayed { message, pattern },
                _ => EventKind::Undelivered { message, pattern },
            }
        }
        Tag::Subscribed | Tag::Unsubscribed => {
            let kind = *KINDS.get(usize::from(reader.byte()?))?;
            let name = reader.text()?.into();
            if tag == Tag::Subscribed {
                EventKind::Subscribed { kind, name }
            } else {
                EventKind::Unsubscribed { kind, name }
            }
        }
        Tag::Blocked => {
            let paused = reader.number()? == 1;
            let until = reader.number()?.checked_sub(1).map(Duration::from_micros);
            EventKind::Blocked { keys: reader.texts()?, paused, until }
        }
        Tag::Unblocked => {
            let byte = reader.byte()?;
            let key = reader.text()?.into();
            EventKind::Unblocked(match byte {
                0 => Wakeup::Key(key),
                1 => Wakeup::TimedOut,
                2 => Wakeup::Unblocked,
                3 => Wakeup::PauseOver,
                _ => Wakeup::DelayOver,
            })
        }
        Tag::Expired => EventKind::Expired { database: reader.length()?, key: reader.text()?.into() },
        Tag::Disconnected => {
            let ending = *ENDINGS.get(usize::from(reader.byte()?))?;
            extra = reader.number()?;
            EventKind::Disconnected(ending)
        }
        Tag::Stopped => EventKind::Stopped,
        Tag::Restarted => EventKind::Restarted { kept_data: reader.number()? == 1 },
        Tag::FaultHit => EventKind::FaultHit(String::from_utf8_lossy(reader.text()?).into_owned()),
    };
    events.push((Event { number, at, time, client, kind }, extra));
    Some(())
}
