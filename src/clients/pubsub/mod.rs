//! Pub/Sub: the subscriptions, and the patterns that may match a channel.

mod patterns;

use patterns::Patterns;

use crate::clients::ClientKey;
use crate::clients::Subscriptions;
use crate::data::{Bytes, IndexSet, Map};

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

    pub(crate) fn of_mut(self, subscriptions: &mut Subscriptions) -> &mut IndexSet<Bytes> {
        match self {
            Self::Channel => &mut subscriptions.channels,
            Self::Pattern => &mut subscriptions.patterns,
            Self::Shard => &mut subscriptions.shard_channels,
        }
    }
}

/// Subscribers in the order of their subscription, as long as none has unsubscribed.
pub type Subscribers = IndexSet<ClientKey>;

/// The registry.
#[derive(Debug, Default)]
pub struct PubSub {
    channels: Map<Bytes, Subscribers>,
    pub(crate) patterns: Map<Bytes, Subscribers>,
    shard_channels: Map<Bytes, Subscribers>,
    /// The names of `patterns`, to find those that match a channel.
    pub(crate) index: Patterns,
    /// The indices of the patterns that may match, while a message is published; empty in between.
    pub(crate) matching: Vec<usize>,
}

impl PubSub {
    pub(crate) fn table(&self, kind: Kind) -> &Map<Bytes, Subscribers> {
        match kind {
            Kind::Channel => &self.channels,
            Kind::Pattern => &self.patterns,
            Kind::Shard => &self.shard_channels,
        }
    }

    pub(crate) fn table_mut(&mut self, kind: Kind) -> &mut Map<Bytes, Subscribers> {
        match kind {
            Kind::Channel => &mut self.channels,
            Kind::Pattern => &mut self.patterns,
            Kind::Shard => &mut self.shard_channels,
        }
    }

    /// All channels or patterns with subscribers.
    #[must_use]
    pub fn names(&self, kind: Kind) -> impl ExactSizeIterator<Item = &[u8]> {
        self.table(kind).keys().map(|name| &**name)
    }

    /// The indices of the patterns that may match a channel, in their order.
    pub(crate) fn take_matching(&mut self, channel: &[u8]) -> Vec<usize> {
        let mut indices = std::mem::take(&mut self.matching);
        let candidates = self.index.candidates(channel);
        indices.extend(candidates.filter_map(|pattern| self.patterns.get_index_of(pattern)));
        indices.sort_unstable();
        indices
    }

    /// How many clients are subscribed to exactly this channel or pattern.
    #[must_use]
    pub fn subscribers(&self, kind: Kind, name: &[u8]) -> usize {
        self.table(kind).get(name).map_or(0, Subscribers::len)
    }
}
