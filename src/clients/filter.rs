//! Selecting clients.

use std::fmt;

use super::Client;
use crate::data::Bytes;
use crate::data::Quoted;

/// Selects clients, for [`Broker::kill_clients`](crate::Broker::kill_clients),
/// [`Broker::stop_reading`](crate::Broker::stop_reading) and [`Broker::stop_writing`](crate::Broker::stop_writing).
///
/// A filter selects among the clients that are connected when it is used. Filters are combined with
/// [`and`](Filter::and), [`or`](Filter::or) and [`except`](Filter::except), and print the clients that they select:
///
/// ```
/// use minibroker::Filter;
///
/// let filter = Filter::subscribed_to("chat").except(Filter::name("moderator"));
/// assert_eq!(filter.to_string(), r#"clients subscribed to channel "chat" except those named "moderator""#);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter(Rule);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Rule {
    All,
    Id(u64),
    Name(Bytes),
    Address(String),
    Channel(Bytes),
    Pattern(Bytes),
    BlockedOn(Bytes),
    And(Box<Rule>, Box<Rule>),
    Or(Box<Rule>, Box<Rule>),
    Except(Box<Rule>, Box<Rule>),
}

impl Filter {
    /// Every client.
    #[must_use]
    pub fn all() -> Self {
        Self(Rule::All)
    }

    /// The client with this id: what CLIENT ID returns, and [`Peer::id`](crate::Peer::id).
    #[must_use]
    pub fn id(id: u64) -> Self {
        Self(Rule::Id(id))
    }

    /// The clients with this name (CLIENT SETNAME).
    #[must_use]
    pub fn name(name: impl AsRef<[u8]>) -> Self {
        Self(Rule::Name(name.as_ref().into()))
    }

    /// The client whose end of the connection has this address, such as the `local_addr` of its socket.
    #[must_use]
    // So that an address and its text can both be passed directly.
    #[allow(clippy::needless_pass_by_value)]
    pub fn address(address: impl ToString) -> Self {
        Self(Rule::Address(address.to_string()))
    }

    /// The clients that are subscribed to the channel itself.
    #[must_use]
    pub fn subscribed_to(channel: impl AsRef<[u8]>) -> Self {
        Self(Rule::Channel(channel.as_ref().into()))
    }

    /// The clients that are subscribed to exactly this pattern.
    #[must_use]
    pub fn subscribed_to_pattern(pattern: impl AsRef<[u8]>) -> Self {
        Self(Rule::Pattern(pattern.as_ref().into()))
    }

    /// The clients that are blocked on the key, in any database, by BLPOP, XREAD BLOCK or a similar command.
    #[must_use]
    pub fn blocked_on(key: impl AsRef<[u8]>) -> Self {
        Self(Rule::BlockedOn(key.as_ref().into()))
    }

    /// Those of these clients that `other` selects as well.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self(Rule::And(Box::new(self.0), Box::new(other.0)))
    }

    /// These clients and those that `other` selects.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self(Rule::Or(Box::new(self.0), Box::new(other.0)))
    }

    /// These clients without those that `other` selects.
    #[must_use]
    pub fn except(self, other: Self) -> Self {
        Self(Rule::Except(Box::new(self.0), Box::new(other.0)))
    }

    /// True if the filter selects the client.
    #[must_use]
    pub fn matches(&self, client: &impl Candidate) -> bool {
        self.0.matches(client)
    }
}

/// A client that a [`Filter`] may select: one of this broker or of a real server.
pub trait Candidate {
    /// The id that CLIENT ID returns.
    fn id(&self) -> u64;
    /// Its name from CLIENT SETNAME.
    fn name(&self) -> &[u8];
    /// Its end of the connection.
    fn address(&self) -> &str;
    /// It is subscribed to the channel itself.
    fn has_channel(&self, channel: &[u8]) -> bool;
    /// It is subscribed to exactly this pattern.
    fn has_pattern(&self, pattern: &[u8]) -> bool;
    /// It waits for the key.
    fn waits_for(&self, key: &[u8]) -> bool;
}

impl Candidate for Client {
    fn id(&self) -> u64 {
        self.id
    }

    fn name(&self) -> &[u8] {
        &self.name
    }

    fn address(&self) -> &str {
        &self.address.peer
    }

    fn has_channel(&self, channel: &[u8]) -> bool {
        self.subscriptions.as_deref().is_some_and(|all| all.channels.contains(channel))
    }

    fn has_pattern(&self, pattern: &[u8]) -> bool {
        self.subscriptions.as_deref().is_some_and(|all| all.patterns.contains(pattern))
    }

    fn waits_for(&self, key: &[u8]) -> bool {
        self.blocked.as_ref().is_some_and(|blocked| blocked.keys.iter().any(|one| **one == *key))
    }
}

impl Rule {
    fn matches(&self, client: &impl Candidate) -> bool {
        match self {
            Self::All => true,
            Self::Id(id) => client.id() == *id,
            Self::Name(name) => *client.name() == **name,
            Self::Address(address) => client.address() == address,
            Self::Channel(channel) => client.has_channel(channel),
            Self::Pattern(pattern) => client.has_pattern(pattern),
            Self::BlockedOn(key) => client.waits_for(key),
            Self::And(one, other) => one.matches(client) && other.matches(client),
            Self::Or(one, other) => one.matches(client) || other.matches(client),
            Self::Except(one, other) => one.matches(client) && !other.matches(client),
        }
    }

    /// As a part of another filter: a combination is put in parentheses.
    fn fmt_part(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::And(..) | Self::Or(..) | Self::Except(..) => write!(f, "({self})"),
            _ => write!(f, "{self}"),
        }
    }
}

/// The rule in words: `named "worker-1"`.
impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (one, word, other) = match self {
            Self::All => return f.write_str("of any kind"),
            Self::Id(id) => return write!(f, "with id {id}"),
            Self::Name(name) => return write!(f, "named {}", Quoted(name)),
            Self::Address(address) => return write!(f, "at {address}"),
            Self::Channel(channel) => return write!(f, "subscribed to channel {}", Quoted(channel)),
            Self::Pattern(pattern) => return write!(f, "subscribed to pattern {}", Quoted(pattern)),
            Self::BlockedOn(key) => return write!(f, "blocked on key {}", Quoted(key)),
            Self::And(one, other) => (one, "and", other),
            Self::Or(one, other) => (one, "or", other),
            Self::Except(one, other) => (one, "except those", other),
        };
        one.fmt_part(f)?;
        write!(f, " {word} ")?;
        other.fmt_part(f)
    }
}

/// `all clients`, `clients named "worker-1"`.
impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Rule::All => f.write_str("all clients"),
            Rule::Except(one, other) if **one == Rule::All => {
                f.write_str("all clients except those ")?;
                other.fmt_part(f)
            }
            rule => write!(f, "clients {rule}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clients::Address;
    use crate::clients::pubsub::Kind;
    use crate::clients::waiters::Reason;
    use crate::config::Config;
    use crate::data::Time;
    use crate::data::value::Type;
    use crate::resp::OwnedRequest;
    use crate::state::State;

    #[test]
    fn a_filter_selects_clients_in_the_order_of_their_arrival() {
        let mut state = State::new(Config::default(), 1, Time::from_millis(0));
        let clients: Vec<_> = (0..4)
            .map(|number| {
                let address = Address { peer: format!("127.0.0.1:{number}").into(), ..Address::default() };
                state.clients.connect(address, false, state.now)
            })
            .collect();
        state.clients.connect(Address::default(), true, state.now);
        state.subscribe(clients[0], Kind::Channel, b"chat");
        state.subscribe(clients[1], Kind::Pattern, b"chat");
        state.subscribe(clients[2], Kind::Channel, b"chat");
        let request = OwnedRequest::new(["BLPOP", "queue", "0"]);
        let keys = vec![Bytes::from(&b"queue"[..])];
        let blocked = state.waiters.add(clients[3], Reason::Key(Type::List), 0, keys, None, request);
        if let Some(client) = state.clients.get_mut(clients[3]) {
            client.blocked = Some(blocked);
        }
        if let Some(client) = state.clients.get_mut(clients[2]) {
            client.name = b"ann"[..].into();
        }
        let chosen = |filter: Filter| -> Vec<usize> {
            let keys = state.clients_of(&filter).into_iter();
            keys.filter_map(|key| clients.iter().position(|client| *client == key)).collect()
        };
        let chat = || Filter::subscribed_to("chat");
        assert_eq!(chosen(Filter::all()), [0, 1, 2, 3]);
        assert_eq!(chosen(Filter::id(2)), [1]);
        assert_eq!(chosen(Filter::name("ann")), [2]);
        assert_eq!(chosen(Filter::address("127.0.0.1:3")), [3]);
        assert_eq!(chosen(chat()), [0, 2]);
        assert_eq!(chosen(Filter::subscribed_to_pattern("chat")), [1]);
        assert_eq!(chosen(Filter::blocked_on("queue")), [3]);
        assert_eq!(chosen(chat().and(Filter::name("ann"))), [2]);
        assert_eq!(chosen(chat().or(Filter::id(4))), [0, 2, 3]);
        assert_eq!(chosen(chat().except(Filter::name("ann"))), [0]);
        assert_eq!(chosen(Filter::all().except(chat())), [1, 3]);
        state.kill(clients[1]);
        assert_eq!(state.clients_of(&Filter::all().except(chat())), [clients[3]]);
    }

    #[test]
    fn a_filter_prints_as_what_it_chooses() {
        let chat = || Filter::subscribed_to("chat");
        let texts = [
            (Filter::all(), "all clients"),
            (Filter::id(3), "clients with id 3"),
            (Filter::all().except(Filter::name("a b")), "all clients except those named \"a b\""),
            (
                chat().or(Filter::blocked_on("q")).and(Filter::address("127.0.0.1:1")),
                "clients (subscribed to channel \"chat\" or blocked on key \"q\") and at 127.0.0.1:1",
            ),
        ];
        for (filter, text) in texts {
            assert_eq!(filter.to_string(), text);
        }
    }
}
