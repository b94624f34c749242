//! What the broker holds, to look at.

use std::fmt;

use crate::resp::Value;
use crate::store::condition::summary;
use crate::store::pubsub::Kind;
use crate::store::{self, Entry, Store};

/// The state of a broker at one moment, between two commands: what [`Broker::wait_until`](super::Broker::wait_until)
/// asks its questions to. It can be looked at and not changed, and looking counts nowhere: no hit, no access time.
///
/// Keys are those of database 0, see [`State::database`]. A key that has passed its time is not there.
#[derive(Clone, Copy)]
pub struct State<'a> {
    store: &'a Store,
    database: usize,
}

impl<'a> State<'a> {
    pub(super) fn new(store: &'a Store) -> Self {
        Self { store, database: 0 }
    }

    /// The same with the keys of another database. One that is not there has no keys.
    #[must_use]
    pub fn database(self, database: usize) -> Self {
        Self { database, ..self }
    }

    fn entry(self, key: &[u8]) -> Option<&'a Entry> {
        self.store.databases.get(self.database)?.look(key, self.store.now.millis())
    }

    /// How many clients are connected.
    #[must_use]
    pub fn clients(self) -> usize {
        self.store.clients.len()
    }

    /// How many clients have given themselves this name, by CLIENT SETNAME or HELLO.
    #[must_use]
    pub fn clients_named(self, name: impl AsRef<[u8]>) -> usize {
        self.store.clients.iter().filter(|(_, client)| *client.name == *name.as_ref()).count()
    }

    /// How many clients are subscribed to the channel itself.
    #[must_use]
    pub fn subscribers(self, channel: impl AsRef<[u8]>) -> usize {
        self.store.pubsub.subscribers(Kind::Channel, channel.as_ref())
    }

    /// How many clients are subscribed to this very pattern.
    #[must_use]
    pub fn pattern_subscribers(self, pattern: impl AsRef<[u8]>) -> usize {
        self.store.pubsub.subscribers(Kind::Pattern, pattern.as_ref())
    }

    /// How many messages of the channel the journal holds; 0 if nothing is recorded.
    #[must_use]
    pub fn published(self, channel: impl AsRef<[u8]>) -> usize {
        self.store.journal.messages(channel.as_ref())
    }

    /// How many clients wait for the key, in any database.
    #[must_use]
    pub fn blocked(self, key: impl AsRef<[u8]>) -> usize {
        self.store.waiters.count(key.as_ref())
    }

    /// How many clients wait for some key.
    #[must_use]
    pub fn blocked_clients(self) -> usize {
        self.store.waiters.blocked()
    }

    /// How many entries of the stream have been delivered to the group and are not acknowledged; 0 if there is no such
    /// group.
    #[must_use]
    pub fn pending(self, stream: impl AsRef<[u8]>, group: impl AsRef<[u8]>) -> usize {
        let entry = self.entry(stream.as_ref());
        let stream = entry.and_then(|entry| <store::Stream as store::Typed>::of(&entry.value));
        let group = stream.and_then(|stream| stream.groups().get(group.as_ref()));
        group.map_or(0, |group| group.pending().len())
    }

    /// All keys, in no particular order.
    #[must_use]
    pub fn keys(self) -> Vec<Vec<u8>> {
        let now = self.store.now.millis();
        let database = self.store.databases.get(self.database);
        let keys = database.into_iter().flat_map(store::Database::iter);
        let live = keys.filter(|(_, entry)| entry.expires().is_none_or(|at| at > now));
        live.map(|(key, _)| key.to_vec()).collect()
    }

    /// True if the key is there.
    #[must_use]
    pub fn exists(self, key: impl AsRef<[u8]>) -> bool {
        self.entry(key.as_ref()).is_some()
    }

    /// How many elements, members, fields or entries the key holds, of a string how many bytes; 0 if it is not there.
    #[must_use]
    pub fn length(self, key: impl AsRef<[u8]>) -> usize {
        self.entry(key.as_ref()).map_or(0, |entry| entry.value.len())
    }

    /// The string that the key holds; [`Value::Null`] if it is not there or holds something else.
    #[must_use]
    pub fn get(self, key: impl AsRef<[u8]>) -> Value {
        match self.entry(key.as_ref()).map(|entry| &entry.value) {
            Some(store::Value::String(string)) => Value::Bulk(string.bytes().to_vec()),
            _ => Value::Null,
        }
    }

    /// The field of the hash that the key holds; [`Value::Null`] if there is none.
    #[must_use]
    pub fn field(self, key: impl AsRef<[u8]>, field: impl AsRef<[u8]>) -> Value {
        let value = match self.entry(key.as_ref()).map(|entry| &entry.value) {
            Some(store::Value::Hash(hash)) => hash.get(field.as_ref()),
            _ => None,
        };
        value.map_or(Value::Null, |value| Value::Bulk(value.to_vec()))
    }

    /// True if the set or sorted set that the key holds has this member.
    #[must_use]
    pub fn has_member(self, key: impl AsRef<[u8]>, member: impl AsRef<[u8]>) -> bool {
        match self.entry(key.as_ref()).map(|entry| &entry.value) {
            Some(store::Value::Set(set)) => set.contains(member.as_ref()),
            Some(store::Value::SortedSet(set)) => set.score(member.as_ref()).is_some(),
            _ => false,
        }
    }
}

/// The state in a line.
impl fmt::Debug for State<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&summary(self.store))
    }
}
