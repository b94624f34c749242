//! The broker's state, to read.

use std::fmt;

use super::attached::BlockingQuery;
use crate::clients::condition::Condition;
use crate::clients::pubsub::Kind;
use crate::keyspace::Entry;
use crate::resp::Value;
use crate::state::State as EngineState;
use crate::state::conditions::summary;

/// The state of a broker at one moment, between two commands, for the predicate of
/// [`Broker::wait_until`](super::Broker::wait_until). Reading it is not counted: no hit, no access time.
///
/// Keys are those of database 0, see [`State::database`]. An expired key does not exist.
///
/// For a [real server](super::Broker::attach) each query is a command of its own, while other clients run commands:
/// two of them may be answered at different moments. Keys are those of the test's database. The server counts these
/// commands.
#[derive(Clone, Copy)]
pub struct State<'a> {
    view: View<'a>,
    /// The database that was chosen.
    database: Option<usize>,
}

#[derive(Clone, Copy)]
enum View<'a> {
    Engine(&'a EngineState),
    Server(&'a BlockingQuery),
}

impl<'a> State<'a> {
    pub(super) fn new(state: &'a EngineState) -> Self {
        Self { view: View::Engine(state), database: None }
    }

    pub(super) fn of_server(query: &'a BlockingQuery) -> Self {
        Self { view: View::Server(query), database: None }
    }

    /// The same with the keys of another database. A database that does not exist has no keys.
    #[must_use]
    pub fn database(self, database: usize) -> Self {
        Self { database: Some(database), ..self }
    }

    /// Reads the state of an embedded broker, or queries a real server.
    fn either<T>(
        self,
        state: impl FnOnce(&'a EngineState) -> T,
        server: impl FnOnce(&'a BlockingQuery) -> T,
    ) -> T {
        match self.view {
            View::Engine(broker) => state(broker),
            View::Server(query) => server(query),
        }
    }

    fn entry(self, state: &'a EngineState, key: &[u8]) -> Option<&'a Entry> {
        state.databases.get(self.database.unwrap_or_default())?.get_live(key, state.now.millis())
    }

    /// The reply to a command about keys; null for an error, as for a key of another type.
    fn asked<const N: usize>(self, query: &BlockingQuery, arguments: [&[u8]; N]) -> Value {
        match query.ask(self.database, &arguments) {
            Value::Error(_) => Value::Null,
            value => value,
        }
    }

    /// How many clients are connected.
    #[must_use]
    pub fn clients(self) -> usize {
        self.either(|state| state.clients.len(), |query| query.count(Condition::Clients { count: 0 }))
    }

    /// How many clients have this name, by CLIENT SETNAME or HELLO.
    #[must_use]
    pub fn clients_named(self, name: impl AsRef<[u8]>) -> usize {
        let name = name.as_ref();
        self.either(
            |state| state.clients.iter().filter(|(_, client)| *client.name == *name).count(),
            |query| query.clients().iter().filter(|client| client.name.as_bytes() == name).count(),
        )
    }

    /// How many clients are subscribed to the channel itself.
    #[must_use]
    pub fn subscribers(self, channel: impl AsRef<[u8]>) -> usize {
        let channel = channel.as_ref();
        self.either(
            |state| state.pubsub.subscribers(Kind::Channel, channel),
            |query| query.count(Condition::Subscribers { channel: channel.to_vec(), count: 0 }),
        )
    }

    /// How many clients are subscribed to exactly this pattern.
    #[must_use]
    pub fn pattern_subscribers(self, pattern: impl AsRef<[u8]>) -> usize {
        let pattern = pattern.as_ref();
        self.either(
            |state| state.pubsub.subscribers(Kind::Pattern, pattern),
            |query| query.count(Condition::PatternSubscribers { pattern: pattern.to_vec(), count: 0 }),
        )
    }

    /// How many messages of the channel the journal contains; 0 if nothing is recorded.
    #[must_use]
    pub fn published(self, channel: impl AsRef<[u8]>) -> usize {
        let channel = channel.as_ref();
        self.either(
            |state| state.journal.messages(channel),
            |query| query.count(Condition::Published { channel: channel.to_vec(), count: 0 }),
        )
    }

    /// How many clients wait for the key, in any database.
    #[must_use]
    pub fn blocked(self, key: impl AsRef<[u8]>) -> usize {
        let key = key.as_ref();
        self.either(
            |state| state.waiters.count(key),
            |query| query.count(Condition::Blocked { key: key.to_vec(), count: 0 }),
        )
    }

    /// How many clients wait for any key.
    #[must_use]
    pub fn blocked_clients(self) -> usize {
        self.either(
            |state| state.waiters.blocked(),
            |query| query.clients().iter().filter(|client| client.blocked).count(),
        )
    }

    /// How many entries of the stream are pending in the group, delivered and not acknowledged; 0 if there is no such
    /// group.
    #[must_use]
    pub fn pending(self, stream: impl AsRef<[u8]>, group: impl AsRef<[u8]>) -> usize {
        let (stream, group) = (stream.as_ref(), group.as_ref());
        self.either(
            |state| {
                let entry = self.entry(state, stream);
                let stream =
                    entry.and_then(|entry| <crate::data::Stream as crate::data::Typed>::of(&entry.value));
                let group = stream.and_then(|stream| stream.groups().get(group));
                group.map_or(0, |group| group.pending().len())
            },
            |query| {
                let summary = self.asked(query, [b"XPENDING", stream, group]);
                let count = summary.as_slice().and_then(|summary| summary.first()?.as_integer());
                number(count)
            },
        )
    }

    /// All keys, in no particular order.
    #[must_use]
    pub fn keys(self) -> Vec<Vec<u8>> {
        self.either(
            |state| {
                let now = state.now.millis();
                let database = state.databases.get(self.database.unwrap_or_default());
                let keys = database.into_iter().flat_map(crate::keyspace::Database::iter);
                let live = keys.filter(|(_, entry)| entry.expires().is_none_or(|at| at > now));
                live.map(|(key, _)| key.to_vec()).collect()
            },
            |query| {
                let keys = self.asked(query, [b"KEYS", b"*"]);
                let keys = keys.as_slice().unwrap_or_default().iter();
                keys.filter_map(|key| key.as_bytes().map(<[u8]>::to_vec)).collect()
            },
        )
    }

    /// True if the key exists.
    #[must_use]
    pub fn exists(self, key: impl AsRef<[u8]>) -> bool {
        let key = key.as_ref();
        self.either(
            |state| self.entry(state, key).is_some(),
            |query| self.asked(query, [b"EXISTS", key]) == 1,
        )
    }

    /// How many elements, members, fields or entries the key has, or bytes for a string; 0 if it does not exist.
    #[must_use]
    pub fn length(self, key: impl AsRef<[u8]>) -> usize {
        let key = key.as_ref();
        self.either(
            |state| self.entry(state, key).map_or(0, |entry| entry.value.len()),
            |query| {
                let kind = self.asked(query, [b"TYPE", key]);
                let command: &[u8] = match kind.as_str() {
                    Some("string") => b"STRLEN",
                    Some("list") => b"LLEN",
                    Some("set") => b"SCARD",
                    Some("zset") => b"ZCARD",
                    Some("hash") => b"HLEN",
                    Some("stream") => b"XLEN",
                    _ => return 0,
                };
                number(self.asked(query, [command, key]).as_integer())
            },
        )
    }

    /// The string value of the key; [`Value::Null`] if it does not exist or has another type.
    #[must_use]
    pub fn get(self, key: impl AsRef<[u8]>) -> Value {
        let key = key.as_ref();
        self.either(
            |state| match self.entry(state, key).map(|entry| &entry.value) {
                Some(crate::data::Value::String(string)) => Value::Bulk(string.bytes().to_vec()),
                _ => Value::Null,
            },
            |query| self.asked(query, [b"GET", key]),
        )
    }

    /// A field of the hash at the key; [`Value::Null`] if there is none.
    #[must_use]
    pub fn field(self, key: impl AsRef<[u8]>, field: impl AsRef<[u8]>) -> Value {
        let (key, field) = (key.as_ref(), field.as_ref());
        self.either(
            |state| {
                let value = match self.entry(state, key).map(|entry| &entry.value) {
                    Some(crate::data::Value::Hash(hash)) => hash.get(field),
                    _ => None,
                };
                value.map_or(Value::Null, |value| Value::Bulk(value.to_vec()))
            },
            |query| self.asked(query, [b"HGET", key, field]),
        )
    }

    /// True if the set or sorted set at the key has this member.
    #[must_use]
    pub fn has_member(self, key: impl AsRef<[u8]>, member: impl AsRef<[u8]>) -> bool {
        let (key, member) = (key.as_ref(), member.as_ref());
        self.either(
            |state| match self.entry(state, key).map(|entry| &entry.value) {
                Some(crate::data::Value::Set(set)) => set.contains(member),
                Some(crate::data::Value::SortedSet(set)) => set.score(member).is_some(),
                _ => false,
            },
            |query| {
                self.asked(query, [b"SISMEMBER", key, member]) == 1
                    || self.asked(query, [b"ZSCORE", key, member]) != Value::Null
            },
        )
    }
}

fn number(count: Option<i64>) -> usize {
    count.and_then(|count| usize::try_from(count).ok()).unwrap_or_default()
}

/// The state in a line.
impl fmt::Debug for State<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.either(summary, BlockingQuery::summary))
    }
}
