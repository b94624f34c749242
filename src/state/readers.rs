//! Readers of a stream that wait for entries that it does not have yet.
//!
//! redis-server runs the command of each of them again whenever the stream gets an entry, though one reader of a group
//! takes the new entries and the others find nothing. The effects of that are few, and happen here without running the
//! command: thousands of readers of a group would otherwise cost each XADD milliseconds.

use crate::clients::waiters::{Reason, Wanted};
use crate::clients::{Client, ClientKey, Clients};
use crate::config::Version;
use crate::data::stream::{ConsumerKey, Group};
use crate::data::value::Type;
use crate::data::{Bytes, Stream, StreamId, Typed};
use crate::keyspace::Database;
use crate::state::{Lookup, State};

/// How often a command that is run again looks up each of its keys; each lookup counts as a hit or a miss.
const LOOKUPS: u64 = 2;

/// A waiter and its number in the order of arrival.
type Next = (u64, ClientKey);

/// What stopped a walk over the waiters of a stream.
enum Stop {
    /// Its command is to be run.
    Run(Next),
    /// It waits for several keys. Up to this arrival there is no reader of the other kind.
    SeveralKeys(Next, u64),
}

impl State {
    /// The first client whose command is to be run again now that `key` may have what it waits for, among the arrival
    /// numbers after `after` and up to `until`. Readers of a stream that has nothing for them are passed over.
    pub fn next_to_serve(&mut self, db: usize, key: &[u8], after: u64, until: u64) -> Option<Next> {
        self.db = db;
        let kind = self.lookup(key, Lookup::Uncounted).map(|entry| entry.value.kind());
        // While CLIENT PAUSE lasts all clients wait for its end next.
        if kind != Some(Type::Stream) || self.waiters.pause.is_some() {
            return self.waiters.next_waiter(db, key, kind, after, until);
        }
        let mut after = after;
        loop {
            match self.pass_over(db, key, after, until)? {
                Stop::Run(next) => return Some(next),
                Stop::SeveralKeys(next, until) => match self.pass_over_alike(key, next, until) {
                    Err(next) => return Some(next),
                    Ok(last) => after = last,
                },
            }
        }
    }

    /// Passes over readers, up to the first whose other keys have to be checked as well.
    fn pass_over(&mut self, db: usize, key: &[u8], after: u64, until: u64) -> Option<Stop> {
        let runs_again = self.config.compat >= Version::Redis7_4;
        let now = self.now.millis();
        let Self { waiters, clients, databases, stats, .. } = self;
        let mut stream = databases.get_mut(db)?.stream_mut(key, now);
        let newest = stream.as_ref().and_then(|stream| newest(stream));
        let kinds = [Reason::Key(Type::Stream), Reason::Group];
        let [mut readers, mut group_readers] =
            kinds.map(|reason| waiters.after(db, key, reason, after).peekable());
        loop {
            let (first, others) = match (readers.peek(), group_readers.peek()) {
                (Some(one), Some(other)) if one.0 < other.0 => (&mut readers, &mut group_readers),
                (Some(_), None) => (&mut readers, &mut group_readers),
                _ => (&mut group_readers, &mut readers),
            };
            let next = first.next().filter(|(arrival, _)| *arrival <= until)?;
            let client = clients.get_mut(next.1).filter(|client| !(runs_again && tracks(client)));
            let blocked = client.and_then(|client| client.blocked.as_mut());
            let (Some(blocked), Some(stream)) = (blocked, &mut stream) else { return Some(Stop::Run(next)) };
            if runs_again && blocked.keys.len() > 1 {
                let until = others.peek().map_or(until, |(other, _)| until.min(*other));
                return Some(Stop::SeveralKeys(next, until));
            }
            let Some(wanted) = &mut blocked.wanted else { return Some(Stop::Run(next)) };
            // Before Redis 7.2 it is asked for this key only.
            let index = blocked.keys.iter().position(|other| **other == *key).unwrap_or_default();
            if !has_nothing(stream, newest, wanted, index) || runs_again && !mark_seen(stream, wanted, now) {
                return Some(Stop::Run(next));
            }
            if runs_again {
                stats.keyspace_hits += LOOKUPS;
            }
        }
    }

    /// Passes over readers of the same several keys: the first one and those that follow it, up to arrival `until`. Returns
    /// the arrival of the last one, or the first one if its command is to be run. They move to the end of the queues of
    /// their other keys, as in redis-server since 7.2.
    fn pass_over_alike(&mut self, key: &[u8], first: Next, until: u64) -> Result<u64, Next> {
        let now = self.now.millis();
        let Self { waiters, clients, databases, stats, db, .. } = self;
        let Some(database) = databases.get_mut(*db) else { return Err(first) };
        let Some(alike) = Alike::of(clients, database, first.1, now) else { return Err(first) };
        // Those that follow are collected only as far as they are passed over: the next entry may serve each of them.
        let mut readers: Vec<Next> = waiters
            .after(*db, key, alike.reason, first.0 - 1)
            .take_while(|(arrival, client)| *arrival <= until && alike.includes(clients, *client))
            .collect();
        let Alike { keys, group, .. } = &alike;
        if let Some(group) = group {
            for (index, key) in keys.iter().enumerate() {
                let stream = database.stream_mut(key, now);
                let Some(group) = stream.and_then(|stream| stream.groups().get(&**group)) else {
                    return Err(first);
                };
                let known = readers.iter().take_while(|(_, client)| match wanted(clients, *client) {
                    Some(Wanted::New { consumer, found, .. }) => {
                        find(group, consumer, found, index).is_some()
                    }
                    _ => false,
                });
                let known = known.count();
                readers.truncate(known);
            }
        }
        let Some((last, _)) = readers.last() else { return Err(first) };
        if let Some(group) = group {
            for (index, key) in keys.iter().enumerate() {
                let stream = database.stream_mut(key, now);
                let Some(group) = stream.and_then(|stream| stream.groups_mut().get_mut(&**group)) else {
                    continue;
                };
                for (_, client) in &readers {
                    let Some(Wanted::New { found, .. }) = wanted(clients, *client) else { continue };
                    let found = found.get(index).copied().flatten();
                    if let Some(consumer) = found.and_then(|key| group.consumer_mut(key)) {
                        consumer.seen = now;
                    }
                }
            }
        }
        stats.keyspace_hits += LOOKUPS * (keys.len() * readers.len()) as u64;
        waiters.move_behind((*db, alike.reason, keys), key, &readers, clients);
        Ok(*last)
    }
}

/// What readers of several keys have in common if they are passed over together.
struct Alike {
    reason: Reason,
    keys: Vec<Bytes>,
    /// The newest entries of the keys.
    newest: Vec<Option<StreamId>>,
    /// The group for which they read, if any.
    group: Option<Bytes>,
}

impl Alike {
    /// What this reader waits for; `None` if its command is to be run.
    fn of(clients: &Clients, database: &mut Database, reader: ClientKey, now: i64) -> Option<Self> {
        let blocked = clients.get(reader).filter(|client| !tracks(client))?.blocked.as_ref()?;
        let wanted = blocked.wanted.as_ref()?;
        let newest = blocked.keys.iter().enumerate().map(|(index, key)| {
            let stream = database.stream_mut(key, now)?;
            let newest = newest(stream);
            has_nothing(stream, newest, wanted, index).then_some(newest)
        });
        let newest = newest.collect::<Option<_>>()?;
        let group = group_of(wanted).cloned();
        Some(Self { reason: blocked.reason, keys: blocked.keys.clone(), newest, group })
    }

    /// Whether a reader waits for the same, and the streams have nothing for it either.
    fn includes(&self, clients: &Clients, reader: ClientKey) -> bool {
        let client = clients.get(reader).filter(|client| !tracks(client));
        let blocked = client.and_then(|client| client.blocked.as_ref());
        let Some((blocked, wanted)) = blocked.and_then(|blocked| Some((blocked, blocked.wanted.as_ref()?)))
        else {
            return false;
        };
        let is_alike = group_of(wanted) == self.group.as_ref() && blocked.keys == self.keys;
        is_alike
            && match wanted {
                Wanted::After(ids) => {
                    ids.iter().zip(&self.newest).all(|(after, newest)| *newest <= Some(*after))
                }
                // The group has read the same for all of them.
                Wanted::New { .. } => true,
            }
    }
}

/// Whether a reader tracks what it reads. It is not passed over: when it runs again it has read its streams once more.
fn tracks(client: &Client) -> bool {
    client.tracking.as_ref().is_some_and(|tracking| tracking.tracks_reads())
}

fn group_of(wanted: &Wanted) -> Option<&Bytes> {
    match wanted {
        Wanted::After(_) => None,
        Wanted::New { group, .. } => Some(group),
    }
}

fn wanted(clients: &mut Clients, reader: ClientKey) -> Option<&mut Wanted> {
    clients.get_mut(reader)?.blocked.as_mut()?.wanted.as_mut()
}

impl Database {
    /// The stream of a key that has not expired at `now` (milliseconds since the Unix epoch).
    fn stream_mut(&mut self, key: &[u8], now: i64) -> Option<&mut Stream> {
        let entry = self.entry_mut(key).filter(|entry| !entry.expired(now))?;
        Stream::of_mut(&mut entry.value)
    }
}

fn newest(stream: &Stream) -> Option<StreamId> {
    stream.last().map(|entry| entry.id)
}

/// True if a stream with this newest entry has nothing for a reader, for which it is the key at this index.
fn has_nothing(stream: &Stream, newest: Option<StreamId>, wanted: &Wanted, index: usize) -> bool {
    match wanted {
        Wanted::After(ids) => ids.get(index).is_some_and(|after| newest <= Some(*after)),
        Wanted::New { group, .. } => {
            stream.groups().get(&**group).is_some_and(|group| newest <= Some(group.last_id))
        }
    }
}

/// Records that the consumer of a reader of only this key, if any, was seen now; false if its group does not have it.
fn mark_seen(stream: &mut Stream, wanted: &mut Wanted, now: i64) -> bool {
    let Wanted::New { group, consumer, found } = wanted else { return true };
    let Some(group) = stream.groups_mut().get_mut(&**group) else { return false };
    let found = find(group, consumer, found, 0);
    let Some(consumer) = found.and_then(|key| group.consumer_mut(key)) else { return false };
    consumer.seen = now;
    true
}

/// The consumer of a reader in the group of the key at this index. `found` has the results of the last lookups.
fn find(
    group: &Group,
    consumer: &Bytes,
    found: &mut Vec<Option<ConsumerKey>>,
    index: usize,
) -> Option<ConsumerKey> {
    if found.len() <= index {
        found.resize(index + 1, None);
    }
    let found = found.get_mut(index)?;
    let is_it = |key: &ConsumerKey| group.consumer(*key).is_some_and(|other| other.name() == &**consumer);
    *found = found.filter(is_it).or_else(|| group.find(consumer));
    *found
}
