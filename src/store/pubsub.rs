//! Pub/Sub: who is subscribed to what, and the delivery of messages.

mod patterns;

use patterns::Patterns;

use super::clients::Subscriptions;
use super::faults::{Delivery, Faults};
use super::journal::{Publishing, Recorder};
use super::{Bytes, ClientKey, IndexSet, Map, Store, pattern};
use crate::resp::{Protocol, Reply};

/// The three kinds of subscriptions.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Kind {
    /// To a channel.
    Channel,
    /// To all channels that match a pattern.
    Pattern,
    /// To a shard channel.
    Shard,
}

impl Kind {
    /// The set of a client's subscriptions of this kind.
    #[must_use]
    pub fn of(self, subscriptions: &Subscriptions) -> &IndexSet<Bytes> {
        match self {
            Self::Channel => &subscriptions.channels,
            Self::Pattern => &subscriptions.patterns,
            Self::Shard => &subscriptions.shard_channels,
        }
    }

    fn of_mut(self, subscriptions: &mut Subscriptions) -> &mut IndexSet<Bytes> {
        match self {
            Self::Channel => &mut subscriptions.channels,
            Self::Pattern => &mut subscriptions.patterns,
            Self::Shard => &mut subscriptions.shard_channels,
        }
    }
}

/// Subscribers in the order in which they came, as far as nobody has left.
pub type Subscribers = IndexSet<ClientKey>;

/// The registry.
#[derive(Debug, Default)]
pub struct PubSub {
    channels: Map<Bytes, Subscribers>,
    patterns: Map<Bytes, Subscribers>,
    shard_channels: Map<Bytes, Subscribers>,
    /// The names of `patterns`, to find those that match a channel.
    index: Patterns,
    /// The places of those, while a message is published; empty in between.
    matching: Vec<usize>,
}

/// So many patterns are tried one by one, which is faster than to look for those that may match.
const FEW_PATTERNS: usize = 8;
/// A buffer for pushes that has grown beyond this is given back.
const ENCODED_KEPT: usize = 64 * 1024;

impl PubSub {
    fn table(&self, kind: Kind) -> &Map<Bytes, Subscribers> {
        match kind {
            Kind::Channel => &self.channels,
            Kind::Pattern => &self.patterns,
            Kind::Shard => &self.shard_channels,
        }
    }

    fn table_mut(&mut self, kind: Kind) -> &mut Map<Bytes, Subscribers> {
        match kind {
            Kind::Channel => &mut self.channels,
            Kind::Pattern => &mut self.patterns,
            Kind::Shard => &mut self.shard_channels,
        }
    }

    /// All channels or patterns that somebody is subscribed to.
    #[must_use]
    pub fn names(&self, kind: Kind) -> impl ExactSizeIterator<Item = &[u8]> {
        self.table(kind).keys().map(|name| &**name)
    }

    /// The places of the patterns that may match a channel, in their order.
    fn take_places(&mut self, channel: &[u8]) -> Vec<usize> {
        let mut places = std::mem::take(&mut self.matching);
        let candidates = self.index.candidates(channel);
        places.extend(candidates.filter_map(|pattern| self.patterns.get_index_of(pattern)));
        places.sort_unstable();
        places
    }

    /// How many clients are subscribed to this very channel or pattern.
    #[must_use]
    pub fn subscribers(&self, kind: Kind, name: &[u8]) -> usize {
        self.table(kind).get(name).map_or(0, Subscribers::len)
    }
}

impl Store {
    /// Subscribes a client; false if it was subscribed already.
    pub fn subscribe(&mut self, client: ClientKey, kind: Kind, name: &[u8]) -> bool {
        let Some(owner) = self.clients.get_mut(client) else { return false };
        if !kind.of_mut(owner.subscriptions.get_or_insert_default()).insert(name.into()) {
            return false;
        }
        if self.journal.is_on() {
            self.journal.subscription(owner, true, kind, name, self.now);
        }
        let table = self.pubsub.table_mut(kind);
        if let Some(subscribers) = table.get_mut(name) {
            return subscribers.insert(client);
        }
        table.entry(name.into()).or_default().insert(client);
        if kind == Kind::Pattern {
            self.pubsub.index.insert(name);
        }
        true
    }

    /// Ends a subscription; false if there was none.
    pub fn unsubscribe(&mut self, client: ClientKey, kind: Kind, name: &[u8]) -> bool {
        let removed = self
            .clients
            .get_mut(client)
            .and_then(|owner| owner.subscriptions.as_mut())
            .is_some_and(|subscriptions| kind.of_mut(subscriptions).swap_remove(name));
        if removed {
            self.drop_on_the_way(client, kind, name);
            self.unregister(client, kind, name);
        }
        removed
    }

    fn unregister(&mut self, client: ClientKey, kind: Kind, name: &[u8]) {
        if self.journal.is_on()
            && let Some(owner) = self.clients.get(client)
        {
            self.journal.subscription(owner, false, kind, name, self.now);
        }
        let table = self.pubsub.table_mut(kind);
        if let Some(subscribers) = table.get_mut(name) {
            subscribers.swap_remove(&client);
            if subscribers.is_empty() {
                table.swap_remove(name);
                if kind == Kind::Pattern {
                    self.pubsub.index.remove(name);
                }
            }
        }
    }

    /// Ends all subscriptions of a client, without a word to it.
    pub fn unsubscribe_from_all(&mut self, client: ClientKey) {
        let Some(owner) = self.clients.get_mut(client) else { return };
        let Some(mut subscriptions) = owner.subscriptions.take() else { return };
        for kind in [Kind::Channel, Kind::Pattern, Kind::Shard] {
            for name in std::mem::take(kind.of_mut(&mut subscriptions)) {
                self.unregister(client, kind, &name);
            }
        }
    }

    /// Delivers a message to all subscribers of a channel, then to those of every pattern that matches it, in
    /// the order in which the patterns came; returns how many deliveries that made.
    pub fn publish(&mut self, channel: &[u8], message: &[u8]) -> usize {
        let recorded = self.begin_publishing(Kind::Channel, channel, message);
        let mut receivers = self.publish_to(Kind::Channel, b"message", channel, message, recorded);
        if self.pubsub.patterns.len() <= FEW_PATTERNS {
            for place in 0..self.pubsub.patterns.len() {
                receivers += self.publish_by_pattern(place, channel, message, recorded);
            }
        } else {
            let mut places = self.pubsub.take_places(channel);
            for place in places.drain(..) {
                receivers += self.publish_by_pattern(place, channel, message, recorded);
            }
            self.pubsub.matching = places;
        }
        if let Some(recorded) = recorded {
            self.journal.published(recorded, receivers);
        }
        receivers
    }

    /// Delivers a message to the subscribers of the pattern at a place of the table, if it matches.
    fn publish_by_pattern(
        &mut self,
        place: usize,
        channel: &[u8],
        message: &[u8],
        recorded: Option<Publishing>,
    ) -> usize {
        let Self { pubsub, encoded, clients, faults, journal, config, now, .. } = self;
        let Some((pattern, subscribers)) = pubsub.patterns.get_index(place) else { return 0 };
        if !pattern::matches(pattern, channel, false) {
            return 0;
        }
        let parts: [&[u8]; 4] = [b"pmessage", pattern, channel, message];
        let push = Push::new(Kind::Pattern, &parts, encoded);
        let mut push = Push { recorded, pattern: Some(pattern), ..push };
        push.deliver_to_all(subscribers, (clients, faults), journal, config, *now);
        subscribers.len()
    }

    /// Tells the journal of a message, if there is one.
    fn begin_publishing(&mut self, kind: Kind, channel: &[u8], message: &[u8]) -> Option<Publishing> {
        if !self.journal.is_on() {
            return None;
        }
        let client = self.journal.answering().and_then(|client| self.clients.get(client));
        Some(self.journal.publishing(client, kind, channel, message, self.now))
    }

    /// Delivers a message to all subscribers of a shard channel; returns how many.
    pub fn publish_to_shard(&mut self, channel: &[u8], message: &[u8]) -> usize {
        let recorded = self.begin_publishing(Kind::Shard, channel, message);
        let receivers = self.publish_to(Kind::Shard, b"smessage", channel, message, recorded);
        if let Some(recorded) = recorded {
            self.journal.published(recorded, receivers);
        }
        receivers
    }

    fn publish_to(
        &mut self,
        kind: Kind,
        word: &[u8],
        channel: &[u8],
        message: &[u8],
        recorded: Option<Publishing>,
    ) -> usize {
        let Self { pubsub, encoded, clients, faults, config, now, journal, .. } = self;
        let Some(subscribers) = pubsub.table(kind).get(channel) else {
            return 0;
        };
        let parts = [word, channel, message];
        let mut push = Push { recorded, ..Push::new(kind, &parts, encoded) };
        push.deliver_to_all(subscribers, (clients, faults), journal, config, *now);
        subscribers.len()
    }
}

/// A push that is encoded at most once per version of the protocol.
struct Push<'a> {
    /// By a subscription of this kind.
    kind: Kind,
    parts: &'a [&'a [u8]],
    encoded: &'a mut [Vec<u8>; 2],
    /// The message in the journal, if there is one.
    recorded: Option<Publishing>,
    pattern: Option<&'a [u8]>,
}

impl<'a> Push<'a> {
    /// It is encoded into these buffers. What they hold is as good as gone.
    fn new(kind: Kind, parts: &'a [&'a [u8]], encoded: &'a mut [Vec<u8>; 2]) -> Self {
        encoded.iter_mut().for_each(Vec::clear);
        Self { kind, parts, encoded, recorded: None, pattern: None }
    }

    /// The bytes for a client that speaks this version of the protocol.
    #[inline]
    fn encoded(&mut self, protocol: Protocol) -> &[u8] {
        let encoded = &mut self.encoded[usize::from(protocol == Protocol::Resp3)];
        if encoded.is_empty() {
            let mut reply = Reply::new(encoded, protocol);
            reply.push(self.parts.len());
            for part in self.parts {
                reply.bulk(part);
            }
        }
        encoded
    }

    fn deliver_to_all(
        &mut self,
        subscribers: &Subscribers,
        (clients, faults): (&mut super::Clients, &mut Faults),
        journal: &mut Recorder,
        config: &super::Config,
        now: super::Time,
    ) {
        if faults.are_of_messages() {
            for subscriber in subscribers {
                self.deliver_with_faults((clients, faults), journal, *subscriber, config, now);
            }
        } else {
            for subscriber in subscribers {
                self.deliver(clients, journal, *subscriber, config, now);
            }
        }
        for buffer in &mut *self.encoded {
            if buffer.capacity() > ENCODED_KEPT {
                *buffer = Vec::new();
            }
        }
    }

    fn deliver(
        &mut self,
        clients: &mut super::Clients,
        journal: &mut Recorder,
        to: ClientKey,
        config: &super::Config,
        now: super::Time,
    ) {
        let recorded = self.recorded;
        let end = clients.deliver_encoded(to, |protocol| self.encoded(protocol), config, now);
        if let Some(message) = recorded
            && let Some(client) = clients.get(to)
        {
            journal.delivered((to, client), message, self.pattern, end, now);
        }
    }

    /// As [`Push::deliver`] as long as there are faults that strike messages.
    // Not in the way of deliveries without.
    #[cold]
    fn deliver_with_faults(
        &mut self,
        (clients, faults): (&mut super::Clients, &mut Faults),
        journal: &mut Recorder,
        to: ClientKey,
        config: &super::Config,
        now: super::Time,
    ) {
        let channel = self.parts.iter().nth_back(1).copied().unwrap_or_default();
        let (kind, message, pattern) = (self.kind, self.recorded, self.pattern);
        let Some(protocol) = clients.get(to).map(|client| client.protocol) else { return };
        let encoded = self.encoded(protocol);
        let delivery = Delivery { to, kind, channel, encoded, message, pattern };
        Store::deliver_with_faults((faults, clients), journal, delivery, config, now);
    }
}
