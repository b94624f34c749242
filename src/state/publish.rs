//! Subscriptions, and the delivery of messages to subscribers.

use crate::clients::pubsub::{Kind, Subscribers};
use crate::clients::{ClientKey, Encoded, SHARED_ABOVE};
use crate::data::pattern;
use crate::data::present;
use crate::resp::{Protocol, Reply};
use crate::state::State;
use crate::testing::faults::Delivery;
use crate::testing::journal::Publishing;
use crate::testing::{Faults, Recorder};

/// Up to this many patterns are tried one by one, which is faster than an index lookup.
const FEW_PATTERNS: usize = 8;

/// The maximum length of the header of a part of a push, with its line end: a sign, 20 digits, CR LF twice.
const HEADER_MAX: usize = 25;

/// A buffer for pushes that has grown beyond this is freed.
const ENCODED_KEPT: usize = 64 * 1024;

impl State {
    /// Subscribes a client; false if it was subscribed already.
    pub fn subscribe(&mut self, key: ClientKey, kind: Kind, name: &[u8]) -> bool {
        let Some(client) = present(self.clients.get_mut(key)) else { return false };
        if !kind.of_mut(client.subscriptions.get_or_insert_default()).insert(name.into()) {
            return false;
        }
        self.journal.record(|journal| journal.subscription(client, true, kind, name, self.now));
        let table = self.pubsub.table_mut(kind);
        if let Some(subscribers) = table.get_mut(name) {
            return subscribers.insert(key);
        }
        table.entry(name.into()).or_default().insert(key);
        if kind == Kind::Pattern {
            self.pubsub.index.insert(name);
        }
        true
    }

    /// Ends a subscription; false if there was none.
    pub fn unsubscribe(&mut self, key: ClientKey, kind: Kind, name: &[u8]) -> bool {
        let removed = self
            .clients
            .get_mut(key)
            .and_then(|client| client.subscriptions.as_mut())
            .is_some_and(|subscriptions| kind.of_mut(subscriptions).swap_remove(name));
        if removed {
            self.drop_on_the_way(key, kind, name);
            self.unregister(key, kind, name);
        }
        removed
    }

    fn unregister(&mut self, key: ClientKey, kind: Kind, name: &[u8]) {
        let client = self.clients.get(key);
        self.journal
            .record(|journal| client.map(|client| journal.subscription(client, false, kind, name, self.now)));
        let table = self.pubsub.table_mut(kind);
        if let Some(subscribers) = table.get_mut(name) {
            subscribers.swap_remove(&key);
            if subscribers.is_empty() {
                table.swap_remove(name);
                if kind == Kind::Pattern {
                    self.pubsub.index.remove(name);
                }
            }
        }
    }

    /// Ends all subscriptions of a client, without notifying it.
    pub fn unsubscribe_from_all(&mut self, key: ClientKey) {
        let Some(client) = present(self.clients.get_mut(key)) else { return };
        let Some(mut subscriptions) = client.subscriptions.take() else { return };
        for kind in [Kind::Channel, Kind::Pattern, Kind::Shard] {
            for name in std::mem::take(kind.of_mut(&mut subscriptions)) {
                self.unregister(key, kind, &name);
            }
        }
    }

    /// Delivers a message to all subscribers of a channel, then to those of every pattern that matches it, in
    /// the order in which the patterns were first subscribed to; returns how many deliveries that made.
    pub fn publish(&mut self, channel: &[u8], message: &[u8]) -> usize {
        let recorded = self.begin_publishing(Kind::Channel, channel, message);
        let mut receivers = self.publish_to(Kind::Channel, b"message", channel, message, recorded);
        if self.pubsub.patterns.len() <= FEW_PATTERNS {
            for index in 0..self.pubsub.patterns.len() {
                receivers += self.publish_by_pattern(index, channel, message, recorded);
            }
        } else {
            let mut indices = self.pubsub.take_matching(channel);
            for index in indices.drain(..) {
                receivers += self.publish_by_pattern(index, channel, message, recorded);
            }
            self.pubsub.matching = indices;
        }
        if let Some(recorded) = recorded {
            self.journal.published(recorded, receivers);
        }
        receivers
    }

    /// Delivers a message to the subscribers of the pattern at an index of the table, if it matches.
    fn publish_by_pattern(
        &mut self,
        index: usize,
        channel: &[u8],
        message: &[u8],
        recorded: Option<Publishing>,
    ) -> usize {
        let Self { pubsub, encoded, clients, faults, journal, config, now, .. } = self;
        let Some((pattern, subscribers)) = present(pubsub.patterns.get_index(index)) else { return 0 };
        if !pattern::matches(pattern, channel, false) {
            return 0;
        }
        let parts: [&[u8]; 4] = [b"pmessage", pattern, channel, message];
        let push = Push::new(Kind::Pattern, &parts, encoded);
        let mut push = Push { recorded, pattern: Some(pattern), ..push };
        push.deliver_to_all(subscribers, (clients, faults), journal, config, *now);
        subscribers.len()
    }

    /// Records a message in the journal, if it is on.
    fn begin_publishing(&mut self, kind: Kind, channel: &[u8], message: &[u8]) -> Option<Publishing> {
        self.journal.record(|journal| {
            let client = journal.answering().and_then(|client| self.clients.get(client));
            journal.publishing(client, kind, channel, message, self.now)
        })
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

/// A push that is encoded at most once per protocol version.
struct Push<'a> {
    /// By a subscription of this kind.
    kind: Kind,
    parts: &'a [&'a [u8]],
    encoded: &'a mut [Vec<u8>; 2],
    /// The encoded push, if it is long enough to be shared.
    shared: [Option<bytes::Bytes>; 2],
    /// The message in the journal, if there is one.
    recorded: Option<Publishing>,
    pattern: Option<&'a [u8]>,
}

impl<'a> Push<'a> {
    /// A push that is encoded into these buffers, whose content is discarded.
    fn new(kind: Kind, parts: &'a [&'a [u8]], encoded: &'a mut [Vec<u8>; 2]) -> Self {
        encoded.iter_mut().for_each(Vec::clear);
        Self { kind, parts, encoded, shared: [None, None], recorded: None, pattern: None }
    }

    /// The bytes for a client with this protocol version.
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

    /// True if it is shared by the clients that get it.
    fn is_shared(&self) -> bool {
        self.parts.iter().map(|part| part.len()).sum::<usize>() > SHARED_ABOVE
    }

    /// As [`Push::encoded`], for a push that may be shared.
    fn encoded_for_all(&mut self, protocol: Protocol) -> Encoded<'_> {
        if !self.is_shared() {
            return Encoded::Copied(self.encoded(protocol));
        }
        let version = usize::from(protocol == Protocol::Resp3);
        if self.shared[version].is_none() {
            // Reserved, so that it does not grow in steps: its capacity is kept until the last client has read it.
            let headers = HEADER_MAX * (1 + self.parts.len());
            let length = self.parts.iter().map(|part| part.len()).sum::<usize>() + headers;
            self.encoded[version].reserve_exact(length);
            self.encoded(protocol);
            self.shared[version] = Some(std::mem::take(&mut self.encoded[version]).into());
        }
        self.shared[version].as_ref().map_or(Encoded::Copied(&[]), Encoded::Shared)
    }

    fn deliver_to_all(
        &mut self,
        subscribers: &Subscribers,
        (clients, faults): (&mut crate::clients::Clients, &mut Faults),
        journal: &mut Recorder,
        config: &crate::config::Config,
        now: crate::data::Time,
    ) {
        if faults.are_of_messages() {
            for subscriber in subscribers {
                self.deliver_with_faults((clients, faults), journal, *subscriber, config, now);
            }
        } else {
            let is_shared = self.is_shared();
            for subscriber in subscribers {
                self.deliver(clients, journal, *subscriber, is_shared, config, now);
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
        clients: &mut crate::clients::Clients,
        journal: &mut Recorder,
        to: ClientKey,
        is_shared: bool,
        config: &crate::config::Config,
        now: crate::data::Time,
    ) {
        let recorded = self.recorded;
        let end = if is_shared {
            clients.deliver_shared(to, |protocol| self.encoded_for_all(protocol), config, now)
        } else {
            clients.deliver_encoded(to, |protocol| self.encoded(protocol), config, now)
        };
        if let Some(message) = recorded
            && let Some(client) = clients.get(to)
        {
            journal.delivered((to, client), message, self.pattern, end, now);
        }
    }

    /// As [`Push::deliver`] while there are faults on messages.
    // Out of line, as most deliveries meet no faults.
    #[cold]
    fn deliver_with_faults(
        &mut self,
        (clients, faults): (&mut crate::clients::Clients, &mut Faults),
        journal: &mut Recorder,
        to: ClientKey,
        config: &crate::config::Config,
        now: crate::data::Time,
    ) {
        let channel = present(self.parts.iter().nth_back(1)).copied().unwrap_or_default();
        let (kind, message, pattern) = (self.kind, self.recorded, self.pattern);
        let Some(protocol) = present(clients.get(to)).map(|client| client.protocol) else { return };
        let encoded = self.encoded_for_all(protocol);
        let delivery = Delivery { to, kind, channel, encoded, message, pattern };
        State::deliver_with_faults((faults, clients), journal, delivery, config, now);
    }
}
