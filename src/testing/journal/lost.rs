//! Which messages did not reach their subscribers.

use crate::clients::Clients;
use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::sync::Arc;

use super::Recorder;
use super::event::{Ending, Event, EventKind, Message, Peer, subscription};
use crate::clients::Close;
use crate::clients::pubsub::Kind;
use crate::data::pattern;
use crate::resp::ByteString;

/// How a message was lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It was never sent to the subscriber.
    NotSent,
    /// The subscriber's connection ended in this way before the whole message had been written to it.
    NotWritten(Ending),
    /// The subscriber's connection was being closed already. Messages after a client's own QUIT are not lost.
    NotSentClosing,
    /// A fault has dropped it.
    Dropped,
    /// It was sent more than once.
    Repeated,
    /// It was sent after one that was published later.
    Late {
        /// The one that was sent first.
        behind: Arc<Message>,
    },
}

/// A message that a subscriber did not receive exactly once and in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lost {
    /// The client that should have received it.
    pub subscriber: Peer,
    /// By a subscription of this kind.
    pub kind: Kind,
    /// The channel or pattern of the subscription.
    pub name: ByteString,
    /// The message that it should have received.
    pub message: Arc<Message>,
    /// What happened instead.
    pub fate: Fate,
}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { subscriber, message, .. } = self;
        let name = subscription(self.kind, &self.name);
        write!(f, "{subscriber} (subscribed to {name}): {message} (event {}) ", message.number)?;
        match &self.fate {
            Fate::NotSent => f.write_str("was never sent"),
            Fate::NotWritten(ending) => write!(f, "was not written before the connection ended: {ending}"),
            Fate::NotSentClosing => f.write_str("was not sent, as the connection was being closed"),
            Fate::Dropped => f.write_str("was dropped by a fault"),
            Fate::Repeated => f.write_str("was sent more than once"),
            Fate::Late { behind } => write!(f, "was sent behind {behind} (event {})", behind.number),
        }
    }
}

type Subscription = (Kind, ByteString);

/// A message that a subscriber must receive by one subscription.
struct Due {
    subscription: Subscription,
    message: Arc<Message>,
    /// The position of its end among all bytes for the client; `None` as long as it has not been sent.
    sent: Option<u64>,
    /// Why it has not been sent.
    unsent: Option<Unsent>,
}

#[derive(Clone, Copy, PartialEq)]
enum Unsent {
    /// The connection is being closed.
    Closing,
    /// A fault has dropped it.
    Dropped,
    /// It is on the way, delayed by a fault.
    Delayed,
}

struct Subscriber {
    peer: Peer,
    subscriptions: BTreeSet<Subscription>,
    due: Vec<Due>,
    /// The index in `due` of each message.
    indices: HashMap<(u64, Subscription), usize>,
    last: Option<Arc<Message>>,
}

impl Subscriber {
    fn new(peer: &Peer) -> Self {
        Self {
            peer: peer.clone(),
            subscriptions: BTreeSet::new(),
            due: Vec::new(),
            indices: HashMap::new(),
            last: None,
        }
    }

    /// A message is published.
    fn expect(&mut self, subscription: Subscription, message: &Arc<Message>) {
        let key = (message.number, subscription.clone());
        self.indices.insert(key, self.due.len());
        self.due.push(Due { subscription, message: Arc::clone(message), sent: None, unsent: None });
    }

    fn lost(&self, due: &Due, fate: Fate) -> Lost {
        let (kind, name) = due.subscription.clone();
        Lost { subscriber: self.peer.clone(), kind, name, message: Arc::clone(&due.message), fate }
    }

    /// A message is sent, up to this position among all bytes, or not.
    fn get(
        &mut self,
        message: &Arc<Message>,
        pattern: Option<&[u8]>,
        sent: Result<u64, Unsent>,
        lost: &mut Vec<Lost>,
    ) {
        let subscription = match pattern {
            Some(pattern) => (Kind::Pattern, pattern.into()),
            None if message.shard => (Kind::Shard, message.channel.clone()),
            None => (Kind::Channel, message.channel.clone()),
        };
        // A client that receives more than it is subscribed to loses nothing.
        let Some(at) = self.indices.get(&(message.number, subscription)).copied() else { return };
        let end = match sent {
            Ok(end) => end,
            Err(reason) => {
                self.due[at].unsent = Some(reason);
                return;
            }
        };
        if self.due[at].sent.replace(end).is_some() {
            lost.push(self.lost(&self.due[at], Fate::Repeated));
            return;
        }
        match &self.last {
            Some(before) if before.number > message.number => {
                let fate = Fate::Late { behind: Arc::clone(before) };
                lost.push(self.lost(&self.due[at], fate));
            }
            _ => self.last = Some(Arc::clone(message)),
        }
    }

    /// Checks all messages that were due, at the end of the records. `ended` says how the connection has ended, if it
    /// has, and how many bytes were written to it.
    fn end(self, ended: Option<(Ending, u64)>, lost: &mut Vec<Lost>) {
        for due in &self.due {
            let fate = match (due.sent, ended) {
                (Some(end), Some((ending, written))) if end > written => Fate::NotWritten(ending),
                (Some(_), _) => continue,
                // The client had sent QUIT.
                (None, Some((Ending::Closed, _))) if due.unsent == Some(Unsent::Closing) => continue,
                (None, _) if due.unsent == Some(Unsent::Closing) => Fate::NotSentClosing,
                (None, _) if due.unsent == Some(Unsent::Dropped) => Fate::Dropped,
                (None, None) if due.unsent == Some(Unsent::Delayed) => continue,
                (None, Some((ending, _))) if due.unsent == Some(Unsent::Delayed) => Fate::NotWritten(ending),
                (None, _) => Fate::NotSent,
            };
            lost.push(self.lost(due, fate));
        }
    }
}

impl Recorder {
    /// The messages that subscribers did not receive exactly once, in the order of publication and while they were
    /// subscribed, as far as the journal goes back. They are listed in the order of the messages.
    ///
    /// What has been written to a connection counts as received, and so does pending output of an open connection.
    #[must_use]
    pub fn lost_messages(&self, clients: &Clients) -> Vec<Lost> {
        let mut lost = Vec::new();
        let mut subscribers: HashMap<u64, Subscriber> = HashMap::new();
        for (Event { client, kind, .. }, extra) in self.records() {
            if let EventKind::Published(message) = &kind {
                for subscriber in subscribers.values_mut() {
                    let by = subscriber.subscriptions.iter().filter(|(kind, name)| match kind {
                        Kind::Channel => !message.shard && *name == message.channel,
                        Kind::Shard => message.shard && *name == message.channel,
                        Kind::Pattern => !message.shard && pattern::matches(name, &message.channel, false),
                    });
                    for subscription in by.cloned().collect::<Vec<_>>() {
                        subscriber.expect(subscription, message);
                    }
                }
                continue;
            }
            let Some(client) = client else { continue };
            // The test itself is subscribed to nothing.
            let Some(id) = client.id else { continue };
            let mut get = |message: &Arc<Message>, pattern: Option<ByteString>, sent| {
                if let Some(subscriber) = subscribers.get_mut(&id) {
                    subscriber.get(message, pattern.as_deref(), sent, &mut lost);
                }
            };
            match kind {
                EventKind::Subscribed { kind, name } => {
                    let subscriber = subscribers.entry(id).or_insert_with(|| Subscriber::new(&client));
                    subscriber.subscriptions.insert((kind, name));
                }
                EventKind::Unsubscribed { kind, name } => {
                    if let Some(subscriber) = subscribers.get_mut(&id) {
                        subscriber.subscriptions.remove(&(kind, name));
                    }
                }
                EventKind::Delivered { message, pattern } => get(&message, pattern, Ok(extra)),
                EventKind::Undelivered { message, pattern } => {
                    get(&message, pattern, Err(Unsent::Closing));
                }
                EventKind::Dropped { message, pattern } => {
                    get(&message, pattern, Err(Unsent::Dropped));
                }
                EventKind::Delayed { message, pattern } => {
                    get(&message, pattern, Err(Unsent::Delayed));
                }
                EventKind::Disconnected(ending) => {
                    if let Some(subscriber) = subscribers.remove(&id) {
                        subscriber.end(Some((ending, extra)), &mut lost);
                    }
                }
                _ => {}
            }
        }
        // The connected clients; some of them may be about to be closed.
        for (_, client) in clients.iter() {
            if let Some(subscriber) = subscribers.remove(&client.id) {
                let ended = match client.close {
                    Close::No => None,
                    Close::AfterReply => Some((Ending::of(client), u64::MAX)),
                    Close::Now => Some((Ending::of(client), client.written())),
                };
                subscriber.end(ended, &mut lost);
            }
        }
        lost.sort_by_key(|lost| (lost.message.number, lost.subscriber.id));
        lost
    }
}

#[cfg(test)]
mod tests {
    use super::super::Publishing;
    use super::*;
    use crate::clients::Address;
    use crate::clients::ClientKey;
    use crate::config::Config;
    use crate::data::Time;
    use crate::state::State;

    const NOW: Time = Time::from_micros(0);

    /// A state with a journal and a subscriber of the channel `chat`, whose messages are sent by hand.
    fn with_subscriber() -> (State, ClientKey) {
        let mut state = State::new(Config::default(), 1, NOW);
        state.journal = Recorder::new(64 * 1024, NOW);
        let client = state.clients.connect(Address::default(), false, NOW);
        state.subscribe(client, Kind::Channel, b"chat");
        (state, client)
    }

    fn publish(state: &mut State, payload: &str) -> Publishing {
        state.journal.publishing(None, Kind::Channel, b"chat", payload.as_bytes(), NOW)
    }

    fn send(state: &mut State, key: ClientKey, message: Publishing) {
        let State { journal, clients, .. } = state;
        if let Some(client) = clients.get(key) {
            journal.delivered((key, client), message, None, Some(1), NOW);
        }
    }

    fn fates(state: &State) -> Vec<(String, Fate)> {
        let lost = state.journal.lost_messages(&state.clients).into_iter();
        lost.map(|lost| (lost.message.text().into_owned(), lost.fate)).collect()
    }

    #[test]
    fn a_message_that_is_never_sent_is_lost() {
        let (mut state, client) = with_subscriber();
        let one = publish(&mut state, "one");
        publish(&mut state, "two");
        send(&mut state, client, one);
        assert_eq!(fates(&state), [("two".to_owned(), Fate::NotSent)]);
        let text = state.journal.lost_messages(&state.clients)[0].to_string();
        assert_eq!(
            text,
            "#1  (subscribed to channel \"chat\"): \"two\" on \"chat\" (event 3) was never sent"
        );
    }

    #[test]
    fn a_message_that_is_sent_twice_is_reported() {
        let (mut state, client) = with_subscriber();
        let one = publish(&mut state, "one");
        send(&mut state, client, one);
        assert_eq!(fates(&state), []);
        send(&mut state, client, one);
        assert_eq!(fates(&state), [("one".to_owned(), Fate::Repeated)]);
    }

    #[test]
    fn a_message_that_is_sent_behind_a_later_one_is_reported() {
        let (mut state, client) = with_subscriber();
        let (one, two) = (publish(&mut state, "one"), publish(&mut state, "two"));
        send(&mut state, client, two);
        send(&mut state, client, one);
        let fates = fates(&state);
        assert!(
            matches!(&fates[..], [(late, Fate::Late { behind })] if late == "one" && behind.text() == "two"),
            "{fates:?}"
        );
    }

    #[test]
    fn a_message_counts_as_got_when_its_last_byte_was_written() {
        for (written, is_lost) in [(0, true), (1, false)] {
            let (mut state, key) = with_subscriber();
            let one = publish(&mut state, "one");
            send(&mut state, key, one);
            let State { journal, clients, .. } = &mut state;
            if let Some(client) = clients.get_mut(key) {
                client.net_output = written;
                journal.disconnected(client, NOW);
            }
            state.clients.remove(key);
            let wanted = [("one".to_owned(), Fate::NotWritten(Ending::Left))];
            assert_eq!(fates(&state), wanted[..usize::from(is_lost)]);
        }
    }
}
