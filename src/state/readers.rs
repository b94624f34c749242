//! Readers of a stream that wait for entries which it does not have.
//!
//! redis-server runs the command of each of them again whenever the stream gets an entry, though one reader of a group
//! takes what is new and the others find nothing. What this changes is little, and is done here without running the command:
//! thousands of readers of a group would otherwise cost each XADD milliseconds.

use crate::clients::ClientKey;
use crate::clients::waiters::{Reason, Wanted};
use crate::config::Version;
use crate::data::stream::ConsumerKey;
use crate::data::value::Type;
use crate::data::{Stream, StreamId, Typed};
use crate::keyspace::Database;
use crate::state::{Lookup, State};

/// How often a command that is run again looks each of its keys up, which counts as a hit or a miss.
const LOOKUPS: u64 = 2;

/// A waiter and its number in the order of arrival.
type Next = (u64, ClientKey);

/// What stopped a walk over the waiters of a stream.
enum Stop {
    /// Its command is to be run.
    Run(Next),
    /// It waits for several keys.
    SeveralKeys(Next),
}

impl State {
    /// The first client whose command is to be run again now that `key` may have what it waits for, among those that came
    /// after arrival `after`, not after `until`. Readers of a stream that has nothing for them are passed over.
    pub fn next_to_serve(&mut self, db: usize, key: &[u8], after: u64, until: u64) -> Option<Next> {
        self.db = db;
        let kind = self.lookup(key, Lookup::Untracked).map(|entry| entry.value.kind());
        // While CLIENT PAUSE lasts it is what all wait for next.
        if kind != Some(Type::Stream) || self.waiters.pause.is_some() {
            return self.waiters.next_waiter(db, key, kind, after, until);
        }
        let mut after = after;
        loop {
            let next = match self.pass_over(db, key, after, until)? {
                Stop::Run(next) => return Some(next),
                Stop::SeveralKeys(next) => next,
            };
            if !self.pass_over_one(next.1, key) {
                return Some(next);
            }
            after = next.0;
        }
    }

    /// Passes over readers of this key alone, up to the first that is something else.
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
            let first = match (readers.peek(), group_readers.peek()) {
                (Some(one), Some(other)) if other.0 < one.0 => &mut group_readers,
                (Some(_), _) => &mut readers,
                (None, _) => &mut group_readers,
            };
            let next = first.next().filter(|(arrival, _)| *arrival <= until)?;
            let blocked = clients.get_mut(next.1).and_then(|client| client.blocked.as_mut());
            let (Some(blocked), Some(stream)) = (blocked, &mut stream) else { return Some(Stop::Run(next)) };
            if blocked.keys.len() > 1 {
                return Some(Stop::SeveralKeys(next));
            }
            let Some(wanted) = &mut blocked.wanted else { return Some(Stop::Run(next)) };
            if !has_nothing(stream, newest, wanted, 0) || runs_again && !see(stream, wanted, now) {
                return Some(Stop::Run(next));
            }
            if runs_again {
                stats.keyspace_hits += LOOKUPS;
            }
        }
    }

    /// Passes over a reader of several keys, if none has anything for it; false if its command is to be run. In the queues
    /// of its other keys it is the last from then on, as redis-server has it since 7.2.
    fn pass_over_one(&mut self, client_key: ClientKey, key: &[u8]) -> bool {
        let runs_again = self.config.compat >= Version::Redis7_4;
        let now = self.now.millis();
        let Self { waiters, clients, databases, stats, db, .. } = self;
        let Some(database) = databases.get_mut(*db) else { return false };
        let Some(blocked) = clients.get_mut(client_key).and_then(|client| client.blocked.as_mut()) else {
            return false;
        };
        let Some(wanted) = &mut blocked.wanted else { return false };
        for (index, other) in blocked.keys.iter().enumerate() {
            // Before Redis 7.2 it is asked for this key only.
            if !runs_again && **other != *key {
                continue;
            }
            let Some(stream) = database.stream_mut(other, now) else { return false };
            let newest = newest(stream);
            if !has_nothing(stream, newest, wanted, index) || runs_again && !knows(stream, wanted) {
                return false;
            }
        }
        if runs_again {
            for other in &blocked.keys {
                if let Some(stream) = database.stream_mut(other, now) {
                    see(stream, wanted, now);
                }
                stats.keyspace_hits += LOOKUPS;
            }
            waiters.move_behind(client_key, blocked, key);
        }
        true
    }
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

/// True if a stream, whose newest entry is this, has nothing for the reader to whom it is the key at this index.
fn has_nothing(stream: &Stream, newest: Option<StreamId>, wanted: &Wanted, index: usize) -> bool {
    match wanted {
        Wanted::After(ids) => ids.get(index).is_some_and(|after| newest <= Some(*after)),
        Wanted::New { group, .. } => {
            stream.groups().get(&**group).is_some_and(|group| newest <= Some(group.last_id))
        }
    }
}

/// True if the group of a reader, if it has one, has its consumer.
fn knows(stream: &Stream, wanted: &Wanted) -> bool {
    match wanted {
        Wanted::After(_) => true,
        Wanted::New { group, consumer, .. } => {
            stream.groups().get(&**group).is_some_and(|group| group.find(consumer).is_some())
        }
    }
}

/// The consumer of a reader, if it has one, was seen now; false if its group does not have it.
fn see(stream: &mut Stream, wanted: &mut Wanted, now: i64) -> bool {
    let Wanted::New { group, consumer: name, found } = wanted else { return true };
    let Some(group) = stream.groups_mut().get_mut(&**group) else { return false };
    let is_it = |key: &ConsumerKey| group.consumer(*key).is_some_and(|consumer| consumer.name() == &**name);
    *found = found.filter(is_it).or_else(|| group.find(name));
    let Some(consumer) = found.and_then(|key| group.consumer_mut(key)) else { return false };
    consumer.seen = now;
    true
}
