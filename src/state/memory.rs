//! How many bytes things take: an estimate, computed on demand.
//!
//! It counts the bytes requested from the allocator for keys, values, connections, subscriptions and watches: the bytes
//! of every text and buffer, the size of the structures around them, and the overhead of a table per entry. It does not
//! count the allocator's overhead, the free part of a table that has shrunk, and the program itself.

use crate::clients::ClientKey;
use crate::clients::pubsub::Kind;
use crate::clients::{Client, Subscriptions};
use crate::data::set::Member;
use crate::data::{Bytes, Hash, IndexSet, List, Set, Stream, Value};
use crate::keyspace::{Database, Entry};
use crate::state::State;

/// The overhead of a hash table for an entry: its hash, an index in the table, and space to grow.
const TABLE_ENTRY: usize = 24;

/// How many bytes the broker's data takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// Values, with their keys.
    pub dataset: usize,
    /// Connections, with their outboxes and what they have declared.
    pub clients: usize,
    /// Channels and patterns with subscribers.
    pub pubsub: usize,
}

impl Memory {
    /// All of it.
    #[must_use]
    pub fn total(&self) -> usize {
        self.dataset + self.clients + self.pubsub
    }
}

impl State {
    /// How many bytes everything takes. This visits every key and every client.
    #[must_use]
    pub fn memory(&self) -> Memory {
        let channels = [Kind::Channel, Kind::Pattern, Kind::Shard].into_iter().flat_map(|kind| {
            let names = self.pubsub.names(kind);
            names.map(move |name| {
                let subscribers = self.pubsub.subscribers(kind, name);
                table_entry::<(Bytes, IndexSet<ClientKey>)>(name.len())
                    + subscribers * table_entry::<ClientKey>(0)
            })
        });
        Memory {
            dataset: self.databases.iter().map(Database::memory).sum(),
            clients: self.clients.iter().map(|(_, client)| client.memory()).sum(),
            pubsub: channels.sum(),
        }
    }
}

/// An entry of a hash table with a text of `bytes` bytes.
fn table_entry<T>(text: usize) -> usize {
    size_of::<T>() + TABLE_ENTRY + Bytes::memory_of(text)
}

impl Database {
    fn memory(&self) -> usize {
        self.iter().map(|(key, entry)| entry_memory(key, entry, usize::MAX)).sum()
    }

    /// How many bytes a key and its value take. Of a collection `samples` elements are measured.
    #[must_use]
    pub fn memory_of(&self, key: &[u8], samples: usize) -> Option<usize> {
        self.get(key).map(|entry| entry_memory(key, entry, samples))
    }
}

fn entry_memory(key: &[u8], entry: &Entry, samples: usize) -> usize {
    let deadline = if entry.expires().is_some() { size_of::<(i64, usize)>() } else { 0 };
    table_entry::<(Bytes, Entry)>(key.len()) + deadline + entry.value.memory(samples)
}

impl Value {
    /// The bytes beyond the entry of the keyspace. Of a collection `samples` elements are measured, and the others are
    /// assumed to be like them.
    #[must_use]
    pub fn memory(&self, samples: usize) -> usize {
        match self {
            Self::String(string) => string.memory(),
            Self::List(list) => {
                let elements =
                    list.iter().map(|element| size_of_val(element) + Bytes::memory_of(element.len()));
                size_of::<List>() + sampled(elements, list.len(), samples)
            }
            Self::Set(set) => size_of::<Set>() + sampled(set.iter().map(member_memory), set.len(), samples),
            Self::Hash(hash) => {
                let fields = hash.iter().map(|(field, value)| {
                    table_entry::<(Bytes, Bytes)>(field.len()) + Bytes::memory_of(value.len())
                });
                size_of::<Hash>() + hash.deadlines_memory() + sampled(fields, hash.len(), samples)
            }
            Self::SortedSet(set) => set.memory(),
            Self::Stream(stream) => size_of::<Stream>() + stream.memory(),
        }
    }
}

/// The sum over all elements, estimated from the first ones.
fn sampled(elements: impl Iterator<Item = usize>, len: usize, samples: usize) -> usize {
    let sum: usize = elements.take(samples).sum();
    sum * len / len.min(samples).max(1)
}

fn member_memory(member: Member<'_>) -> usize {
    match member {
        Member::Integer(member) => size_of_val(&member),
        Member::Bytes(member) => table_entry::<Bytes>(member.len()),
    }
}

impl Client {
    /// How many bytes the connection takes: CLIENT LIST's `tot-mem`.
    #[must_use]
    pub fn memory(&self) -> usize {
        let own = [
            size_of::<Self>(),
            self.output_memory(),
            self.query_buffer,
            size_of_val(&*self.address),
            self.address.peer.len(),
            Bytes::memory_of(self.name.len()),
            Bytes::memory_of(self.library.len()),
            Bytes::memory_of(self.library_version.len()),
        ];
        let watched = self
            .watched
            .iter()
            .flat_map(|keys| keys.keys())
            .map(|(_, key)| table_entry::<(usize, Bytes)>(key.len()));
        let queue = self.transaction.iter().flat_map(|transaction| &transaction.queue);
        let queued = queue.map(|request| size_of_val(request) + request.args().bytes());
        let waiting = self.blocked.iter().map(|blocked| {
            let keys: usize =
                blocked.keys.iter().map(|key| size_of_val(key) + Bytes::memory_of(key.len())).sum();
            size_of_val(&**blocked) + blocked.request.args().bytes() + keys
        });
        let subscriptions = self.subscriptions.iter().map(|all| subscriptions_memory(all));
        let prefixes = self.tracking.iter().flat_map(|tracking| &tracking.prefixes);
        let prefixes = prefixes.map(|prefix| size_of_val(prefix) + Bytes::memory_of(prefix.len()));
        own.into_iter().sum::<usize>()
            + prefixes.sum::<usize>()
            + watched.sum::<usize>()
            + queued.sum::<usize>()
            + waiting.sum::<usize>()
            + subscriptions.sum::<usize>()
    }
}

fn subscriptions_memory(all: &Subscriptions) -> usize {
    let sets = [&all.channels, &all.patterns, &all.shard_channels];
    let names = sets.into_iter().flatten();
    size_of_val(all) + names.map(|name| table_entry::<Bytes>(name.len())).sum::<usize>()
}
