//! The connected clients: what each has declared about itself, its state, and its output buffer.

use crate::config::OutputClass;
use crate::data::present;

pub mod condition;
mod filter;
mod output_limit;
mod pending_fault;
pub mod pubsub;
mod segments;
mod slots;
mod spare;
pub mod tracking;
pub mod waiters;
pub mod watches;

use std::collections::VecDeque;
use std::sync::Arc;

pub use filter::{Candidate, Filter};
pub use output_limit::{FIXED_OUTPUT, OUTPUT_BLOCK};
use output_limit::{Over, check_output_limit, in_blocks, refuse_too_much};
pub use pending_fault::{Consequence, FaultId, PendingFault};
pub use pubsub::PubSub;
use segments::Push;
pub use segments::{Encoded, SHARED_ABOVE, Segments};
use slots::Slots;
pub use spare::Spare;
pub use tracking::{Tracking, TrackingTable};
pub use waiters::Waiters;
pub use watches::Watches;

use crate::clients::waiters::Blocked;
use crate::config::Config;
use crate::data::{Bytes, IndexSet, Map, Time};
use crate::resp::{OwnedRequest, Protocol};
use crate::users::UserKey;

/// A client of the table: its slot there, which is reused after it, and a generation, which tells the clients apart.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct ClientKey(u64);

impl ClientKey {
    /// No client.
    pub const NONE: Self = Self(u64::MAX);

    fn new(index: usize, generation: u32) -> Self {
        debug_assert!(index < u32::MAX as usize, "there are fewer clients");
        Self(u64::from(generation) << 32 | index as u64)
    }

    /// The index of the slot.
    #[must_use]
    #[inline]
    #[allow(clippy::cast_possible_truncation)] // The lower half is the index.
    pub fn index(self) -> usize {
        self.0 as u32 as usize
    }
}

impl Default for ClientKey {
    fn default() -> Self {
        Self::NONE
    }
}

/// Whether the connection stays.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub enum Close {
    /// It stays.
    #[default]
    No,
    /// It is closed when the outbox has been written.
    AfterReply,
    /// It is closed at once and what is in the outbox is lost.
    Now,
}

/// Which replies a client gets (`CLIENT REPLY`): all by default.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ReplyMode {
    /// None.
    pub off: bool,
    /// Not that of one command.
    pub skip: Skip,
}

/// Which reply is skipped.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Skip {
    /// No reply.
    #[default]
    None,
    /// That of the next command. Within EXEC the next command is the one after EXEC.
    Next,
    /// That of this command.
    This,
}

/// What a client may do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Rights {
    /// Everything.
    #[default]
    All,
    /// What the rules of its user allow.
    Limited,
    /// It has to log in first.
    BeforeLogin,
}

/// A transaction between MULTI and EXEC.
#[derive(Debug, Default)]
pub struct Transaction {
    /// The commands that EXEC will run.
    pub queue: Vec<OwnedRequest>,
    /// The bytes of these commands that `client-query-buffer-limit` counts.
    pub bytes: usize,
    /// A command could not be queued: EXEC will refuse.
    pub failed: bool,
}

/// What a client is subscribed to.
#[derive(Debug, Default)]
pub struct Subscriptions {
    /// Channels.
    pub channels: IndexSet<Bytes>,
    /// Patterns.
    pub patterns: IndexSet<Bytes>,
    /// Shard channels.
    pub shard_channels: IndexSet<Bytes>,
}

/// The addresses of both ends of a connection, as CLIENT LIST shows them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Address {
    /// The client's end: `127.0.0.1:53211`, or `/path/of/socket:0`.
    pub peer: Box<str>,
    /// The broker's end.
    pub local: Arc<str>,
    /// A Unix socket.
    pub unix: bool,
}

/// One client.
///
/// What every command and every delivery of a message uses comes first, together: with a thousand subscribers each further
/// line of the cache costs as much as writing the message.
#[derive(Debug, Default)]
#[repr(C)]
#[allow(clippy::struct_excessive_bools)]
pub struct Client {
    /// Its key in the table.
    key: ClientKey,
    /// The output that the shell has not taken, after the segments.
    pub outbox: Vec<u8>,
    /// The output that the shell has not taken, if a part is long and shared with other clients. It counts as in
    /// flight.
    pub segments: Option<Box<Segments>>,
    /// How many bytes have left the outbox and are not written.
    pub in_flight: usize,
    /// Since when the outbox is over its soft limit.
    pub over_soft_limit: Option<Time>,
    /// The subscriptions, if it ever had one.
    pub subscriptions: Option<Box<Subscriptions>>,
    /// The transaction that it is in.
    pub transaction: Option<Box<Transaction>>,
    /// What it waits for.
    pub blocked: Option<Box<Blocked>>,
    /// The pending effects of faults on its command or on the reply.
    pub pending_fault: Option<Box<PendingFault>>,
    /// What it tracks (CLIENT TRACKING).
    pub tracking: Option<Box<Tracking>>,
    /// How many of its commands have run, those of its transactions and scripts included, before the requests that run now.
    pub commands: u64,
    /// Bytes received.
    pub net_input: u64,
    /// Bytes sent.
    pub net_output: u64,
    /// When it last sent a command.
    pub last_interaction: Time,
    /// The version of the protocol.
    pub protocol: Protocol,
    /// Which replies it gets.
    pub reply_mode: ReplyMode,
    /// Whether the connection stays.
    pub close: Close,
    /// A reply is being appended to its outbox, which has been taken for that.
    answering: bool,
    /// In [`Clients::dirty`].
    dirty: bool,
    /// It may continue with its requests; the shell has not seen this yet.
    pub resumed: bool,
    /// All its further input is discarded: it has sent QUIT, or violated the protocol while its replies were off.
    pub ignored: bool,
    /// What it may do. Follows from its user, and from whether it has logged in.
    pub rights: Rights,
    /// Whether it has logged in, or needed not to when it connected.
    pub authenticated: bool,
    /// It receives all commands (MONITOR).
    pub monitor: bool,
    /// Made by the embedding program: neither listed nor counted.
    pub internal: bool,
    /// `CLIENT NO-TOUCH`.
    pub no_touch: bool,
    /// It was cut off, and does not count any more; only its connection is still to be closed.
    gone: bool,
    /// It has sent something that waits for the end of DEBUG SLEEP, or until it is read from again.
    pub stalled: bool,
    /// One of the watched keys has changed.
    pub watched_key_changed: bool,
    /// How often it is in [`Clients::answered`].
    answered: u32,
    /// How many guards stop reading from it.
    pub reading_stops: u32,
    /// How many guards stop writing to it.
    pub writing_stops: u32,
    /// The selected database.
    pub db: usize,
    /// Bytes that have arrived and cannot run yet: CLIENT LIST's `qbuf`.
    pub query_buffer: usize,
    /// The index of its last command in the command table.
    pub last_command: Option<usize>,
    /// Its user.
    pub user: UserKey,
    /// The id that CLIENT ID returns; every connection gets the next one.
    pub id: u64,
    /// The addresses of both ends.
    pub address: Box<Address>,
    /// `CLIENT SETNAME`.
    pub name: Bytes,
    /// `CLIENT SETINFO LIB-NAME`.
    pub library: Bytes,
    /// `CLIENT SETINFO LIB-VER`.
    pub library_version: Bytes,
    /// The keys that it watches, with their databases; those that had expired already at the time of WATCH are marked
    /// and do not make EXEC fail again.
    pub watched: Option<Box<Map<(usize, Bytes), bool>>>,
    /// When it connected.
    pub created: Time,
    /// `CLIENT NO-EVICT`.
    pub no_evict: bool,
    /// A fault has ended its connection.
    pub cut_by_fault: bool,
    /// It was cut off because it did not read its output.
    pub over_output_limit: bool,
    /// How many lines of MONITOR were left out because the client does not read them.
    pub left_out: u64,
}

impl Client {
    /// Takes the outbox, for a reply to be appended to it, see [`Clients::put_reply`].
    #[inline]
    pub fn take_outbox(&mut self, spare: &mut Spare) -> Vec<u8> {
        let outbox = std::mem::take(&mut self.outbox);
        self.answering = true;
        if outbox.capacity() == 0 { spare.take() } else { outbox }
    }

    /// Channels and patterns together: the count in confirmations.
    #[must_use]
    pub fn subscription_count(&self) -> usize {
        self.subscriptions.as_ref().map_or(0, |all| all.channels.len() + all.patterns.len())
    }

    /// The count in confirmations of shard channels.
    #[must_use]
    pub fn shard_subscription_count(&self) -> usize {
        self.subscriptions.as_ref().map_or(0, |all| all.shard_channels.len())
    }

    /// How many keys it watches. Once one has changed no key is watched any more: EXEC will refuse in any case.
    #[must_use]
    pub fn watches(&self) -> usize {
        if self.watched_key_changed { 0 } else { self.watched.as_ref().map_or(0, |keys| keys.len()) }
    }

    /// True if it counts as connected: it is not the embedding program's, and it has not been cut off.
    #[must_use]
    pub fn is_listed(&self) -> bool {
        !self.internal && !self.gone
    }

    /// True if it is listed, and its connection is not about to be cut off.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.is_listed() && self.close != Close::Now
    }

    /// True if it has any subscription.
    #[must_use]
    pub fn is_subscribed(&self) -> bool {
        self.subscription_count() + self.shard_subscription_count() > 0
    }

    /// Its class for the limits of the outbox.
    #[must_use]
    pub fn output_class(&self) -> OutputClass {
        if self.is_subscribed() { OutputClass::Pubsub } else { OutputClass::Normal }
    }

    /// True if it has to log in before it may do anything. A client that connected while a password was required and
    /// has not given it may continue once none is required any more.
    #[must_use]
    pub fn must_authenticate(&self) -> bool {
        self.rights == Rights::BeforeLogin
    }

    /// True if CLIENT REPLY suppresses its replies now. Messages are still sent.
    #[must_use]
    pub fn is_muted(&self) -> bool {
        self.reply_mode.off || self.reply_mode.skip == Skip::This
    }

    /// A reply is complete: CLIENT REPLY SKIP now applies to the next one, or has ended.
    pub fn end_reply(&mut self) {
        self.reply_mode.skip = match self.reply_mode.skip {
            Skip::Next => Skip::This,
            Skip::This | Skip::None => Skip::None,
        };
    }

    /// True if `timeout` closes it when it is idle: not if it waits, subscribes or monitors.
    #[must_use]
    fn may_time_out(&self) -> bool {
        let listens = self.blocked.is_some() || self.is_subscribed() || self.monitor;
        !self.internal && !listens && self.close == Close::No
    }

    /// Bytes of the outbox that have not been written to the connection.
    #[must_use]
    pub fn pending_output(&self) -> usize {
        self.outbox.len() + self.in_flight
    }

    /// How many bytes have been written to the connection.
    #[must_use]
    pub fn written(&self) -> u64 {
        self.net_output.saturating_sub(self.in_flight as u64)
    }

    /// The size of the fixed buffer: large enough for its content, even if the shell has taken that.
    #[must_use]
    pub fn reply_buffer(&self) -> usize {
        self.outbox.capacity().max(self.pending_output()).min(FIXED_OUTPUT)
    }

    /// How much memory its output takes: the actual size, or what redis-server would use for the same bytes if that is
    /// more.
    #[must_use]
    pub fn output_memory(&self) -> usize {
        let (_, blocks) = self.output_in_blocks();
        (self.outbox.capacity() + self.in_flight).max(self.reply_buffer() + blocks * OUTPUT_BLOCK)
    }

    /// How redis-server would store the output that has not been written: the bytes in the client's fixed buffer, and
    /// the number of blocks for the rest.
    #[must_use]
    pub fn output_in_blocks(&self) -> (usize, usize) {
        in_blocks(self.pending_output())
    }
}

/// All clients.
#[derive(Debug, Default)]
pub struct Clients {
    slots: Slots,
    last_id: u64,
    /// Clients with a reply in their outbox, which the shell writes first: a client that has sent a request does not
    /// wait until a message has gone to a thousand others.
    answered: Vec<ClientKey>,
    /// Clients whose outbox, state or connection the shell has to handle.
    dirty: Vec<ClientKey>,
    /// How many clients there are, without those of the embedding program.
    count: usize,
    /// Clients in MONITOR.
    pub monitors: Vec<ClientKey>,
    /// When a client may next have been idle for `timeout`, in milliseconds since the Unix epoch. Never later
    /// than the actual time; `None`: unknown.
    idle_check: Option<i64>,
    /// When a client may have been over the soft limit of its outbox for too long, in milliseconds since the
    /// Unix epoch. Never later than the actual time.
    pub(crate) soft_limit_check: Option<i64>,
    /// `client_output_buffer_limit_disconnections`.
    pub output_limit_disconnections: u64,
    /// Empty buffers for outboxes: a client without output has none.
    spare: Spare,
}

/// Appends a push to a client's output, which may become longer than its limits allow.
#[inline(never)]
fn append_within_limits<P: Push>(
    client: &mut Client,
    push: P,
    spare: &mut Spare,
    config: &Config,
    now: Time,
) -> Over {
    let length = push.length();
    let over = refuse_too_much(client, length, config);
    if over != Over::None {
        return over;
    }
    push.append(client, spare);
    check_output_limit(client, length, config, now)
}

impl Clients {
    /// A client connects.
    pub fn connect(&mut self, address: Address, internal: bool, now: Time) -> ClientKey {
        // Clients of the embedding program take no ids.
        self.last_id += u64::from(!internal);
        self.count += usize::from(!internal);
        let client = Client {
            id: if internal { 0 } else { self.last_id },
            address: Box::new(address),
            authenticated: true,
            created: now,
            last_interaction: now,
            internal,
            ..Client::default()
        };
        self.slots.insert(client)
    }

    /// Removes a client from the table; ending its subscriptions, watches and waits is left to the engine.
    pub fn remove(&mut self, key: ClientKey) -> Option<Client> {
        let client = self.slots.remove(key)?;
        self.count -= usize::from(client.is_listed());
        if client.answered > 0 {
            self.answered.retain(|other| *other != key);
        }
        if client.dirty {
            self.dirty.retain(|other| *other != key);
        }
        self.monitors.retain(|other| *other != key);
        Some(client)
    }

    /// A client that was cut off does not count any more. Its slot stays occupied until its connection has been closed.
    pub fn forget(&mut self, key: ClientKey) {
        if let Some(client) = self.slots.get_mut(key).filter(|client| client.is_listed()) {
            client.gone = true;
            self.count -= 1;
        }
    }

    /// The client with this key.
    #[must_use]
    pub fn get(&self, key: ClientKey) -> Option<&Client> {
        self.slots.get(key)
    }

    /// The client with this key, mutable.
    pub fn get_mut(&mut self, key: ClientKey) -> Option<&mut Client> {
        self.slots.get_mut(key)
    }

    /// The client with this id.
    #[must_use]
    pub fn by_id(&self, id: u64) -> Option<ClientKey> {
        self.iter().find(|(_, client)| client.id == id).map(|(key, _)| key)
    }

    /// All clients, also those of the embedding program.
    pub fn all(&self) -> impl Iterator<Item = (ClientKey, &Client)> {
        self.slots.iter()
    }

    /// All clients of connections, in no particular order.
    pub fn iter(&self) -> impl Iterator<Item = (ClientKey, &Client)> {
        self.slots.iter().filter(|(_, client)| client.is_listed())
    }

    /// The number of connections.
    #[must_use]
    pub fn len(&self) -> usize {
        self.count
    }

    /// True if no client is connected.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Marks a client for the shell to handle.
    pub fn mark(&mut self, key: ClientKey) {
        if let Some(client) = self.slots.get_mut(key)
            && !client.dirty
        {
            client.dirty = true;
            self.dirty.push(key);
        }
    }

    /// Marks a client that continues, after all that continued before: they run what they have sent meanwhile in the
    /// order in which their waits ended.
    pub fn mark_resumed(&mut self, key: ClientKey) {
        if let Some(client) = self.slots.get_mut(key) {
            client.answered += 1;
            self.answered.push(key);
        }
    }

    /// Appends a push to the outbox of a client, and cuts the client off if it has exceeded the limits. Returns how
    /// many bytes it will have been sent after the push; none, and nothing is done, if its connection is being closed
    /// already.
    pub fn deliver(&mut self, key: ClientKey, push: Encoded<'_>, config: &Config, now: Time) -> Option<u64> {
        self.deliver_push(key, |_| push, config, now)
    }

    /// As [`Clients::deliver`], for bytes that depend on the protocol version and are copied.
    #[inline]
    pub fn deliver_encoded<'a>(
        &mut self,
        key: ClientKey,
        encode: impl FnOnce(Protocol) -> &'a [u8],
        config: &Config,
        now: Time,
    ) -> Option<u64> {
        self.deliver_push(key, encode, config, now)
    }

    /// As [`Clients::deliver_encoded`], for bytes that may be shared.
    #[cold]
    pub fn deliver_shared<'a>(
        &mut self,
        key: ClientKey,
        encode: impl FnOnce(Protocol) -> Encoded<'a>,
        config: &Config,
        now: Time,
    ) -> Option<u64> {
        self.deliver_push(key, encode, config, now)
    }

    #[inline]
    fn deliver_push<P: Push>(
        &mut self,
        key: ClientKey,
        encode: impl FnOnce(Protocol) -> P,
        config: &Config,
        now: Time,
    ) -> Option<u64> {
        let client = self.slots.get_mut(key)?;
        if client.close != Close::No {
            return None;
        }
        if client.ignored {
            // As redis-server, which closes it as soon as there is something to write, and writes nothing.
            self.close(key, Close::AfterReply);
            return None;
        }
        let push = encode(client.protocol);
        let length = push.length();
        let end = client.net_output + (client.outbox.len() + length) as u64;
        let over = if client.pending_output() + length <= FIXED_OUTPUT {
            // The usual case: so little does not count for any limit.
            push.append(client, &mut self.spare);
            client.over_soft_limit = None;
            Over::None
        } else {
            append_within_limits(client, push, &mut self.spare, config, now)
        };
        if !client.dirty {
            client.dirty = true;
            self.dirty.push(key);
        }
        if over != Over::None {
            self.note(over);
        }
        Some(end)
    }

    /// Takes the outbox of a client, to append a reply. It is returned with [`Clients::put_reply`].
    #[inline]
    pub fn take_outbox(&mut self, key: ClientKey) -> Option<(Vec<u8>, &mut Client)> {
        let (client, spare) = self.with_spare(key)?;
        Some((client.take_outbox(spare), client))
    }

    /// The client with this key, and what [`Client::take_outbox`] needs.
    #[inline]
    pub fn with_spare(&mut self, key: ClientKey) -> Option<(&mut Client, &mut Spare)> {
        Some((self.slots.get_mut(key)?, &mut self.spare))
    }

    /// Returns an outbox to which a reply was appended from `start` on, and does what follows every reply: CLIENT REPLY
    /// SKIP applies to the next command, messages to the client itself that arrived meanwhile are appended after the
    /// reply (so that they are never inside it), the limit of the outbox is checked, the client is marked for the
    /// shell.
    #[inline]
    pub fn put_reply(&mut self, key: ClientKey, out: Vec<u8>, start: usize, config: &Config, now: Time) {
        let Some(client) = present(self.slots.get_mut(key)) else { return };
        client.answering = false;
        let is_usual = client.outbox.capacity() == 0
            && client.reply_mode == ReplyMode::default()
            && client.close != Close::Now
            && out.len() + client.in_flight <= FIXED_OUTPUT;
        if !is_usual {
            return self.put_unusual_reply(key, out, start, config, now);
        }
        client.outbox = out;
        client.over_soft_limit = None;
        if client.answered == 0 {
            client.answered = 1;
            self.answered.push(key);
        }
    }

    /// As [`Clients::put_reply`] when a message has arrived meanwhile, nothing is to be sent, or a limit is exceeded.
    #[inline(never)]
    fn put_unusual_reply(&mut self, key: ClientKey, out: Vec<u8>, start: usize, config: &Config, now: Time) {
        let Some(client) = present(self.slots.get_mut(key)) else { return };
        if client.blocked.is_none() {
            client.end_reply();
        }
        let pushes = std::mem::replace(&mut client.outbox, out);
        client.outbox.extend_from_slice(&pushes);
        if client.close == Close::Now {
            client.outbox.clear();
        }
        let added = client.outbox.len().saturating_sub(start);
        let over = check_output_limit(client, added, config, now);
        if client.answered == 0 {
            client.answered = 1;
            self.answered.push(key);
        }
        self.note(over);
        if pushes.capacity() > 0 {
            self.put_spare(pushes);
        }
    }

    /// Keeps an empty buffer for the next outbox.
    pub fn put_spare(&mut self, buffer: Vec<u8>) {
        self.spare.put(buffer);
    }

    fn note(&mut self, over: Over) {
        match over {
            Over::None => {}
            Over::Soft { until } => {
                self.soft_limit_check = Some(self.soft_limit_check.map_or(until, |check| check.min(until)));
            }
            Over::Hard => self.output_limit_disconnections += 1,
        }
    }

    /// Cuts off the clients whose outbox has been over its soft limit for too long.
    pub(crate) fn close_slow(&mut self, config: &Config, now: Time) {
        self.soft_limit_check = None;
        let slow = self.slots.iter().filter(|(_, client)| client.over_soft_limit.is_some());
        let slow: Vec<_> = slow.map(|(key, _)| key).collect();
        for key in slow {
            let Some(client) = present(self.slots.get_mut(key)) else { continue };
            let over = check_output_limit(client, 0, config, now);
            if over == Over::Hard {
                self.mark(key);
            }
            self.note(over);
        }
    }

    /// When [`State::check_clients`] may have something to do, in milliseconds since the Unix epoch.
    #[must_use]
    pub fn next_check(&self, config: &Config, now: Time) -> Option<i64> {
        let idle = self.next_idle_check(config, now);
        idle.into_iter().chain(self.soft_limit_check).min()
    }

    /// When a client may have been idle for too long; `None` if no `timeout` is set or no client is connected.
    pub(crate) fn next_idle_check(&self, config: &Config, now: Time) -> Option<i64> {
        if config.timeout == 0 || self.is_empty() {
            return None;
        }
        // A client that connects or sends later is due after the last result.
        self.idle_check.or(Some(now.millis()))
    }

    /// Has the deadlines of idle clients computed again: `timeout` has changed.
    pub fn forget_idle_check(&mut self) {
        self.idle_check = None;
    }

    /// The clients that have been idle for more than `timeout`, in whole seconds as redis-server counts them. This
    /// checks all clients, but is not called before the first of them can be due.
    pub(crate) fn take_idle(&mut self, config: &Config, now: Time) -> Vec<ClientKey> {
        let seconds = i64::try_from(config.timeout).unwrap_or(i64::MAX);
        let due = |since: Time| since.seconds().saturating_add(seconds).saturating_add(1);
        let mut next = due(now);
        let mut idle = Vec::new();
        for (key, client) in self.slots.iter().filter(|(_, client)| client.may_time_out()) {
            let due = due(client.last_interaction);
            if due <= now.seconds() {
                idle.push(key);
            } else {
                next = next.min(due);
            }
        }
        self.idle_check = Some(next.saturating_mul(1000));
        idle
    }

    /// Appends the clients that the shell has to handle: all that were answered or continue, and at most `max` others.
    /// Those that continue after a wait are appended to `continuing` as well, in the order in which their waits have
    /// ended.
    pub fn take_dirty(
        &mut self,
        into: &mut Vec<ClientKey>,
        continuing: &mut VecDeque<ClientKey>,
        max: usize,
    ) {
        for key in self.answered.drain(..) {
            if let Some(client) = last_mention(&mut self.slots, key) {
                into.push(key);
                if client.resumed {
                    continuing.push_back(key);
                }
            }
        }
        let count = self.dirty.len().min(max);
        for key in self.dirty.drain(..count) {
            if let Some(client) = self.slots.get_mut(key) {
                client.dirty = false;
            }
            into.push(key);
        }
    }

    /// Whether a client continues after a wait, and is still to be taken.
    #[must_use]
    pub fn has_resumed(&self) -> bool {
        let resumed = |key: &ClientKey| self.slots.get(*key).is_some_and(|client| client.resumed);
        self.answered.iter().any(resumed)
    }

    /// As [`Clients::take_dirty`], but takes only the clients that `find` finds, and tries at most `max` of those that
    /// were not answered. The others stay where they are.
    pub fn take_dirty_found<T: Clone>(
        &mut self,
        into: &mut Vec<T>,
        continuing: &mut VecDeque<T>,
        max: usize,
        find: impl Fn(ClientKey) -> Option<T>,
    ) {
        let Self { slots, answered, dirty, .. } = self;
        answered.retain(|key| {
            let Some(found) = find(*key) else { return true };
            if let Some(client) = last_mention(slots, *key) {
                if client.resumed {
                    continuing.push_back(found.clone());
                }
                into.push(found);
            }
            false
        });
        let count = dirty.len().min(max);
        let taken = dirty.extract_if(..count, |key| {
            let Some(found) = find(*key) else { return false };
            if let Some(client) = slots.get_mut(*key) {
                client.dirty = false;
            }
            into.push(found);
            true
        });
        taken.for_each(drop);
    }

    /// True if the shell has clients to handle.
    #[must_use]
    pub fn has_dirty(&self) -> bool {
        !self.answered.is_empty() || !self.dirty.is_empty()
    }

    /// Closes the connection of a client.
    pub fn close(&mut self, key: ClientKey, close: Close) {
        if let Some(client) = self.slots.get_mut(key) {
            client.close = client.close.max(close);
            self.mark(key);
        }
    }
}

/// Undoes one mention of a client in [`Clients::answered`]. Returns the client if that was the last.
#[inline]
fn last_mention(slots: &mut Slots, key: ClientKey) -> Option<&Client> {
    let client = slots.get_mut(key)?;
    client.answered -= 1;
    (client.answered == 0).then_some(client)
}
