//! Clients that wait: for a key, or for the end of CLIENT PAUSE.
//!
//! Blocking is a state. A command that finds nothing records its keys, its deadline and itself; when one of the
//! keys gets a value, the engine runs the command again, in the order in which the clients began to wait.

use crate::data::Deadline;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};

use foldhash::fast::RandomState;

use crate::clients::condition::Condition;
use crate::clients::{ClientKey, Clients};
use crate::data::stream::ConsumerKey;
use crate::data::value::Type;
use crate::data::{Bytes, StreamId, Time};
use crate::resp::OwnedRequest;

/// Why a client waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// For a key of this type.
    Key(Type),
    /// As a reader of a consumer group: for a stream, or for the key to have no stream any more.
    Group,
    /// For the end of CLIENT PAUSE.
    Pause,
    /// For the end of a delay by a fault. Then the command runs for the first time.
    Delay,
    /// For replicas, of which there are none (WAIT).
    Replicas,
    /// For the disks of replicas (WAITAOF).
    Disks,
    /// For a condition (MINIBROKER WAITFOR).
    Condition,
}

impl Reason {
    /// True for waits of Redis commands, which CLIENT UNBLOCK ends.
    #[must_use]
    pub const fn is_of_command(self) -> bool {
        !matches!(self, Self::Pause | Self::Delay | Self::Condition)
    }
}

/// The settings of CLIENT PAUSE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pause {
    /// When it ends.
    pub until: Deadline,
    /// Only commands that write have to wait.
    pub writes_only: bool,
}

/// How a wait ends without a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The reply of a timeout.
    TimedOut,
    /// `-UNBLOCKED`, as CLIENT UNBLOCK with ERROR orders.
    Unblocked,
}

/// What the reader of a stream waits for.
#[derive(Debug, PartialEq, Eq)]
pub enum Wanted {
    /// Entries with greater ids than these, one for each of its keys.
    After(Vec<StreamId>),
    /// Entries that the group has not read.
    New {
        /// The group.
        group: Bytes,
        /// The consumer that reads for it.
        consumer: Bytes,
        /// The consumer in the group of each key when it was looked up last.
        found: Vec<Option<ConsumerKey>>,
    },
}

/// The wait of a blocked client.
#[derive(Debug)]
pub struct Blocked {
    /// Why it waits.
    pub reason: Reason,
    /// The database of its keys.
    pub db: usize,
    /// Its keys.
    pub keys: Vec<Bytes>,
    /// When it stops waiting; none if never.
    pub deadline: Option<Deadline>,
    /// The request that is run when a key is ready.
    pub request: OwnedRequest,
    /// What it waits for, if it reads streams and waits only for new entries.
    pub wanted: Option<Wanted>,
    /// The position in the order of arrival.
    pub(crate) arrival: u64,
    /// The index of the key for which it has kept an earlier position, and that position.
    kept: Option<(usize, u64)>,
    /// The position in the order of arrival when it began to wait.
    began: u64,
}

impl Blocked {
    /// The position among the clients that wait for a key.
    fn arrival_at(&self, key: &[u8]) -> u64 {
        match self.kept {
            Some((index, arrival)) if self.is_key(index, key) => arrival,
            _ => self.arrival,
        }
    }

    fn is_key(&self, index: usize, key: &[u8]) -> bool {
        self.keys.get(index).is_some_and(|other| **other == *key)
    }

    /// Gives it this position among the clients that wait for this key. For its other keys it keeps its own.
    fn keep(&mut self, key: &[u8], position: u64) {
        let index = self.keys.iter().position(|other| **other == *key);
        self.kept = index.map(|index| (index, position));
    }
}

/// If more than one client in this many moves to the end of a queue, the queue is rebuilt.
const MOVED_ONE_BY_ONE: usize = 4;

/// The clients that wait for a key, in the order of arrival, separated by reason: a value serves only those that
/// wait for its type, and does not check others, however many they are.
#[derive(Debug, Default)]
struct Queues(Vec<(Reason, BTreeMap<u64, ClientKey>)>);

impl Queues {
    fn add(&mut self, reason: Reason, arrival: u64, client: ClientKey) {
        let position = self.0.iter().position(|(other, _)| *other == reason).unwrap_or_else(|| {
            self.0.push((reason, BTreeMap::new()));
            self.0.len() - 1
        });
        self.0[position].1.insert(arrival, client);
    }

    fn remove(&mut self, arrival: u64) {
        self.0.retain_mut(|(_, queue)| {
            queue.remove(&arrival);
            !queue.is_empty()
        });
    }

    /// Moves the clients at these positions to the end, in this order. Their new positions begin with `first`.
    fn move_behind(&mut self, reason: Reason, moved: &[(u64, ClientKey)], first: u64) {
        let Some((_, queue)) = self.0.iter_mut().find(|(other, _)| *other == reason) else { return };
        let again = (first..).zip(moved.iter().map(|(_, client)| *client));
        if moved.len() < queue.len() / MOVED_ONE_BY_ONE {
            for (position, _) in moved {
                queue.remove(position);
            }
            queue.extend(again);
            return;
        }
        let mut positions: Vec<u64> = moved.iter().map(|(position, _)| *position).collect();
        positions.sort_unstable();
        let mut positions = positions.into_iter().peekable();
        let mut stays = |position: u64| {
            while positions.next_if(|moved| *moved < position).is_some() {}
            positions.next_if_eq(&position).is_none()
        };
        let rest = std::mem::take(queue).into_iter().filter(|(position, _)| stays(*position));
        *queue = rest.chain(again).collect();
    }

    fn of(&self, reason: Reason) -> Option<&BTreeMap<u64, ClientKey>> {
        self.0.iter().find(|(other, _)| *other == reason).map(|(_, queue)| queue)
    }

    fn len(&self) -> usize {
        self.0.iter().map(|(_, queue)| queue.len()).sum()
    }
}

type ByKey = HashMap<Bytes, Queues, RandomState>;

/// A client that waits for a state.
#[derive(Debug)]
struct ConditionWaiter {
    condition: Condition,
    /// When it times out.
    until: Time,
}

/// All clients that wait.
#[derive(Debug)]
pub struct Waiters {
    by_key: Vec<ByKey>,
    deadlines: BTreeSet<(Deadline, u64, ClientKey)>,
    paused: BTreeMap<u64, ClientKey>,
    conditions: BTreeMap<ClientKey, ConditionWaiter>,
    arrivals: u64,
    blocked: usize,
    /// How many of the blocked clients read for a consumer group.
    readers_of_groups: usize,
    ready: VecDeque<(usize, Bytes)>,
    is_ready: HashSet<(usize, Bytes), RandomState>,
    /// CLIENT PAUSE, while it lasts.
    pub pause: Option<Pause>,
}

fn blocked(clients: &mut Clients, client: ClientKey) -> Option<&mut Blocked> {
    clients.get_mut(client)?.blocked.as_deref_mut()
}

impl Waiters {
    /// No waiters, for this number of databases.
    #[must_use]
    pub fn new(databases: usize) -> Self {
        Self {
            by_key: std::iter::repeat_with(HashMap::default).take(databases).collect(),
            deadlines: BTreeSet::new(),
            paused: BTreeMap::new(),
            conditions: BTreeMap::new(),
            arrivals: 0,
            blocked: 0,
            readers_of_groups: 0,
            ready: VecDeque::new(),
            is_ready: HashSet::default(),
            pause: None,
        }
    }

    /// A client begins to wait, after all that wait already.
    pub fn add(
        &mut self,
        client: ClientKey,
        reason: Reason,
        db: usize,
        keys: Vec<Bytes>,
        deadline: Option<Deadline>,
        request: OwnedRequest,
    ) -> Box<Blocked> {
        self.arrivals += 1;
        let arrival = self.arrivals;
        if !matches!(reason, Reason::Pause | Reason::Delay) {
            for key in &keys {
                self.by_key[db].entry(key.clone()).or_default().add(reason, arrival, client);
            }
        }
        if let Some(deadline) = deadline {
            self.deadlines.insert((deadline, arrival, client));
        }
        match reason {
            Reason::Pause => {
                self.paused.insert(arrival, client);
            }
            // Neither is one of the waits that Redis counts.
            Reason::Condition | Reason::Delay => {}
            Reason::Key(_) | Reason::Replicas | Reason::Disks => self.blocked += 1,
            Reason::Group => {
                self.blocked += 1;
                self.readers_of_groups += 1;
            }
        }
        let began = arrival;
        Box::new(Blocked { reason, db, keys, deadline, request, wanted: None, arrival, kept: None, began })
    }

    /// Moves clients after all that wait for their keys, except for `key`, for which they keep their positions. They wait
    /// for these keys of a database for this reason; each is given with its position for `key`.
    pub(crate) fn move_behind(
        &mut self,
        (db, reason, keys): (usize, Reason, &[Bytes]),
        key: &[u8],
        moved: &[(u64, ClientKey)],
        clients: &mut Clients,
    ) {
        let first = self.arrivals + 1;
        for other in keys.iter().filter(|other| ***other != *key) {
            let Some(queues) = self.by_key.get_mut(db).and_then(|keys| keys.get_mut(other)) else { continue };
            let mut position =
                |client| blocked(clients, client).map_or(0, |blocked| blocked.arrival_at(other));
            let moved: Vec<_> = moved.iter().map(|(_, client)| (position(*client), *client)).collect();
            queues.move_behind(reason, &moved, first);
        }
        for (position, client) in moved {
            self.arrivals += 1;
            if let Some(blocked) = blocked(clients, *client) {
                blocked.arrival = self.arrivals;
                blocked.keep(key, *position);
            }
        }
    }

    /// Returns a client that has just begun to wait again to its earlier position for this key.
    pub fn keep_position(&mut self, client: ClientKey, blocked: &mut Blocked, key: &[u8], position: u64) {
        if let Some(queues) = self.by_key[blocked.db].get_mut(key)
            && blocked.keys.iter().any(|other| **other == *key)
        {
            queues.remove(blocked.arrival);
            queues.add(blocked.reason, position, client);
            blocked.keep(key, position);
        }
    }

    /// Gives a wait another deadline.
    pub fn set_deadline(&mut self, client: ClientKey, blocked: &mut Blocked, deadline: Option<Deadline>) {
        let old = std::mem::replace(&mut blocked.deadline, deadline);
        if let Some(old) = old {
            self.deadlines.remove(&(old, blocked.began, client));
        }
        if let Some(deadline) = deadline {
            self.deadlines.insert((deadline, blocked.began, client));
        }
    }

    /// A client stops waiting.
    pub fn remove(&mut self, client: ClientKey, blocked: &Blocked) {
        for key in &blocked.keys {
            let waiters = &mut self.by_key[blocked.db];
            if let Some(queues) = waiters.get_mut(key) {
                queues.remove(blocked.arrival_at(key));
                if queues.0.is_empty() {
                    waiters.remove(key);
                }
            }
        }
        if let Some(deadline) = blocked.deadline {
            self.deadlines.remove(&(deadline, blocked.began, client));
        }
        match blocked.reason {
            Reason::Pause => {
                self.paused.remove(&blocked.arrival);
            }
            Reason::Condition => {
                self.conditions.remove(&client);
            }
            Reason::Delay => {}
            Reason::Key(_) | Reason::Replicas | Reason::Disks => self.blocked -= 1,
            Reason::Group => {
                self.blocked -= 1;
                self.readers_of_groups -= 1;
            }
        }
    }

    /// A key may have what a client waits for. It is noted once until the engine takes it.
    pub fn ready(&mut self, db: usize, key: &[u8]) {
        if self.blocked > 0 && self.by_key[db].contains_key(key) && self.is_ready.insert((db, key.into())) {
            self.ready.push_back((db, key.into()));
        }
    }

    /// A key was removed or got another value: readers of a consumer group that wait for it may have lost the
    /// group. It is noted as by [`Waiters::ready`].
    pub fn lost(&mut self, db: usize, key: &[u8]) {
        if self.readers_of_groups > 0
            && self.by_key[db].get(key).is_some_and(|queues| queues.of(Reason::Group).is_some())
        {
            self.ready(db, key);
        }
    }

    /// All keys of a database that clients wait for may have changed.
    pub fn ready_all(&mut self, db: usize) {
        let mut keys: Vec<Bytes> = self.by_key[db].keys().cloned().collect();
        keys.sort_unstable();
        for key in keys {
            self.ready(db, &key);
        }
    }

    /// The next key that may have what a client waits for.
    pub fn take_ready(&mut self) -> Option<(usize, Bytes)> {
        let ready = self.ready.pop_front()?;
        self.is_ready.remove(&ready);
        Some(ready)
    }

    /// True if there may be a client to serve.
    #[must_use]
    pub fn has_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    /// The arrival number of the last client that began to wait.
    #[must_use]
    pub fn last_arrival(&self) -> u64 {
        self.arrivals
    }

    /// The first client that a key of type `kind` serves, or a missing key, among the arrival numbers after `after` and
    /// up to `until`; with its arrival number.
    #[must_use]
    pub fn next_waiter(
        &self,
        db: usize,
        key: &[u8],
        kind: Option<Type>,
        after: u64,
        until: u64,
    ) -> Option<(u64, ClientKey)> {
        let queues = self.by_key[db].get(key)?;
        let reasons = [kind.map(Reason::Key), Some(Reason::Group)].into_iter().flatten();
        let first = |reason| queues.of(reason)?.range(after + 1..).next();
        let next = reasons.filter_map(first).min_by_key(|(arrival, _)| **arrival);
        next.map(|(arrival, client)| (*arrival, *client)).filter(|(arrival, _)| *arrival <= until)
    }

    /// The clients that wait for a key for this reason, with arrival numbers after `after`, in their order.
    pub(crate) fn after(
        &self,
        db: usize,
        key: &[u8],
        reason: Reason,
        after: u64,
    ) -> impl Iterator<Item = (u64, ClientKey)> {
        let queue = self.by_key.get(db).and_then(|keys| keys.get(key)?.of(reason));
        let later = queue.map(|queue| queue.range(after + 1..)).into_iter().flatten();
        later.map(|(arrival, client)| (*arrival, *client))
    }

    /// How many clients wait for a key in any database.
    #[must_use]
    pub fn count(&self, key: &[u8]) -> usize {
        self.by_key.iter().filter_map(|keys| keys.get(key)).map(Queues::len).sum()
    }

    /// How many clients wait because of one of their commands.
    #[must_use]
    pub fn blocked(&self) -> usize {
        self.blocked
    }

    /// How many keys clients wait for: INFO's `total_blocking_keys`.
    #[must_use]
    pub fn keys(&self) -> usize {
        self.by_key.iter().map(HashMap::len).sum()
    }

    /// How many keys readers of consumer groups wait for: INFO's `total_blocking_keys_on_nokey`.
    #[must_use]
    pub fn keys_of_groups(&self) -> usize {
        let all = self.by_key.iter().flat_map(HashMap::values);
        all.filter(|queues| queues.of(Reason::Group).is_some()).count()
    }

    /// How many clients have a deadline: INFO's `clients_in_timeout_table`.
    #[must_use]
    pub fn timeouts(&self) -> usize {
        self.deadlines.len()
    }

    /// The paused clients, in the order of arrival.
    #[must_use]
    pub fn paused(&self) -> Vec<ClientKey> {
        self.paused.values().copied().collect()
    }

    /// A client waits for a condition, until this time of the shell's clock.
    pub fn add_condition_waiter(&mut self, client: ClientKey, condition: Condition, until: Time) {
        self.conditions.insert(client, ConditionWaiter { condition, until });
    }

    /// True if a client waits for a condition.
    #[must_use]
    pub fn has_condition_waiters(&self) -> bool {
        !self.conditions.is_empty()
    }

    /// The clients that wait for a condition, each with its condition.
    pub fn condition_waiters(&self) -> impl Iterator<Item = (ClientKey, &Condition)> {
        self.conditions.iter().map(|(client, waits)| (*client, &waits.condition))
    }

    /// The condition that this client waits for.
    #[must_use]
    pub fn awaited(&self, client: ClientKey) -> Option<&Condition> {
        self.conditions.get(&client).map(|waits| &waits.condition)
    }

    /// The clients whose wait for a condition ends by `now`.
    #[must_use]
    pub fn expired_waits(&self, now: Time) -> Vec<ClientKey> {
        self.conditions.iter().filter(|(_, waits)| waits.until <= now).map(|(client, _)| *client).collect()
    }

    /// When the next wait for a condition times out.
    #[must_use]
    pub fn next_wait_deadline(&self) -> Option<Time> {
        self.conditions.values().map(|waits| waits.until).min()
    }

    /// When the next wait times out.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Deadline> {
        self.deadlines.first().map(|(at, ..)| *at)
    }

    /// The waiter that times out next.
    #[must_use]
    pub fn first_due(&self) -> Option<ClientKey> {
        self.deadlines.first().map(|(.., client)| *client)
    }
}
