//! The sans-IO core: requests in, bytes out.
//!
//! An [`Engine`] gets a client, a request and the time, and appends bytes to the outboxes of the clients concerned. It
//! knows no socket, no thread and no clock, so the same calls in the same order always give the same bytes.

mod admission;
mod availability;
mod clock;
mod command_life;
mod control;
mod durations;
mod faults;
mod monitor;
mod narrowed;
mod pipeline;
mod saving;
#[cfg(feature = "scripting")]
mod scripting;
#[cfg(not(feature = "scripting"))]
#[path = "no_scripting.rs"]
mod scripting;
mod shell;
mod sleeping;
mod timers;
mod tracking;
mod transactions;

pub use availability::Direction;
pub use clock::Unreachable;
pub use durations::Stopwatch;
pub use monitor::WATCH_LIMIT;
use pipeline::Pipeline;
pub use shell::{Lent, Shell};

use std::collections::VecDeque;

use crate::clients::ClientKey;
use crate::clients::{Address, Client, Close, FIXED_OUTPUT, Segments};
use crate::config::{Config, Version};
use crate::data::{Time, present};
use crate::resp::{Args, Limits, OwnedRequest, Parser, ProtocolError, Reply};
use crate::spec::Error;
use crate::state::State;

/// How many bytes of a client that has not logged in may wait to run: `readQueryFromClient` of redis-server has the
/// same limit since 7.2.
const QUERY_BUFFER_BEFORE_LOGIN: usize = 1024 * 1024;

/// How many bytes redis-server reads at a time (`PROTO_IOBUF_LEN`); after each it checks `client-query-buffer-limit`.
const READ_AT_ONCE: usize = 16 * 1024;

/// The length from which redis-server reads an argument into a buffer of its own, its `PROTO_MBULK_BIG_ARG`.
const LONG_ARGUMENT: usize = 32 * 1024;

/// What a client may do after a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Flow {
    /// Send the next request.
    Continue,
    /// Wait: its next request is run after [`Output::resumed`] was seen.
    Blocked,
    /// Nothing more: its connection is closed as [`Output::close`] says.
    Closed,
    /// Write its output, and feed again what is left; see [`Engine::feed_bounded`].
    Again,
}

/// What is to be done for a client, see [`Engine::take_output`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Output {
    /// Whether the connection stays.
    pub close: Close,
    /// It no longer waits: requests that have arrived are to be fed.
    pub resumed: bool,
    /// It is not to be read from.
    pub reading_stopped: bool,
    /// What was taken counts as pending until [`Engine::set_in_flight`] reports it as written. Otherwise only what
    /// could not be written is to be reported.
    pub counted: bool,
}

/// A broker without a network. All times that it is given are the caller's, from which its own clock may differ, see
/// [`Engine::stop_clock`] and [`Engine::move_clock`].
///
/// ```
/// use minibroker::internal::config::Config;
/// use minibroker::internal::data::Time;
/// use minibroker::internal::engine::Engine;
/// use minibroker::internal::resp::Parser;
///
/// let now = Time::from_millis(1_700_000_000_000);
/// let mut engine = Engine::new(Config::default(), 1, now);
/// let client = engine.connect(Default::default(), now)?;
/// engine.feed(client, &mut Parser::new(), b"*1\r\n$4\r\nPING\r\n", now);
/// let mut written = Vec::new();
/// engine.take_output(client, &mut written);
/// assert_eq!(written, b"+PONG\r\n");
/// # Ok::<(), minibroker::internal::spec::Error>(())
/// ```
#[derive(Debug)]
pub struct Engine {
    /// Boxed: a script moves the engine into the slot where its functions find it.
    state: Box<State>,
    clock: clock::Clock,
    lasting_orders: control::LastingOrders,
    #[cfg(feature = "scripting")]
    scripts: Box<scripting::Scripts>,
    durations: durations::Durations,
}

/// How many requests of a turn run before the clock is read, which says whether the turn is over: reading it takes half as
/// long as a short request.
const FIRST_CLOCK_READING: u32 = 8;

/// The most requests that run between two readings of the clock.
const LATER_CLOCK_READINGS: u32 = 32;

impl Engine {
    /// A broker without data, whose random choices follow from `seed`.
    #[must_use]
    pub fn new(config: Config, seed: u64, now: Time) -> Self {
        Self {
            state: Box::new(State::new(config, seed, now)),
            clock: clock::Clock::default(),
            lasting_orders: control::LastingOrders::default(),
            #[cfg(feature = "scripting")]
            scripts: Box::default(),
            durations: durations::Durations::default(),
        }
    }

    /// The whole state, to read.
    #[must_use]
    pub fn state(&self) -> &State {
        &self.state
    }

    /// The whole state, to change from outside of any command.
    pub fn state_mut(&mut self) -> &mut State {
        &mut self.state
    }

    /// A client connects.
    ///
    /// # Errors
    ///
    /// There are `maxclients` already; the error is that of redis-server before it closes the connection.
    pub fn connect(&mut self, address: Address, now: Time) -> Result<ClientKey, Error> {
        if self.state.clients.len() >= self.state.config.maxclients {
            return Err(self.refuse(now));
        }
        self.take_time(now);
        self.state.stats.connections += 1;
        let key = self.state.clients.connect(address, false, self.state.now);
        self.state.log_out(key);
        let State { journal, clients, now, .. } = &mut *self.state;
        let client = clients.get(key);
        journal.record(|journal| client.map(|client| journal.connected(client, *now)));
        self.notify_condition_waiters();
        Ok(key)
    }

    /// Counts a connection that is not served: there are `maxclients` already, or the process has no file descriptor
    /// left for it. The error is that of redis-server before it closes the connection.
    pub fn refuse(&mut self, now: Time) -> Error {
        self.take_time(now);
        self.state.stats.connections += 1;
        self.state.stats.rejected_connections += 1;
        Error::new("ERR max number of clients reached")
    }

    /// A task of the embedding program begins to observe all commands.
    pub fn connect_observer(&mut self, now: Time) -> ClientKey {
        self.take_time(now);
        let client = self.state.clients.connect(Address::default(), true, self.state.now);
        self.state.clients.monitors.push(client);
        client
    }

    /// A client has disconnected.
    pub fn disconnect(&mut self, key: ClientKey, now: Time) {
        self.take_time(now);
        let State { journal, clients, now, .. } = &mut *self.state;
        let listed = clients.get(key).filter(|client| client.is_listed());
        journal.record(|journal| listed.map(|client| journal.disconnected(client, *now)));
        // What was taken for it and is lost with its connection has not been sent.
        let lost = clients.get(key).map_or(0, |client| client.in_flight as u64);
        self.state.stats.net_output = self.state.stats.net_output.saturating_sub(lost);
        self.state.end_activities(key);
        self.state.faults.forget_client(key);
        self.state.clients.remove(key);
        self.end_orders(Some(key));
        self.notify_condition_waiters();
    }

    /// Runs a request of the embedding program and appends the reply (RESP3) to `out`. It has no connection: it may not
    /// wait, and no client is left behind.
    pub fn command(&mut self, request: &OwnedRequest, now: Time, out: &mut Vec<u8>) {
        self.take_time(now);
        let key = self.state.clients.connect(Address::default(), true, self.state.now);
        if let Some(client) = self.state.clients.get_mut(key) {
            client.protocol = crate::resp::Protocol::Resp3;
        }
        self.execute(key, request.args(), now);
        self.take_output(key, out);
        self.disconnect(key, now);
    }

    /// Runs all complete requests at the beginning of `bytes` and returns how many bytes they took. The rest is to be
    /// fed again, with more after it; after [`Flow::Blocked`] once the client is resumed.
    pub fn feed(&mut self, key: ClientKey, parser: &mut Parser, bytes: &[u8], now: Time) -> (usize, Flow) {
        self.feed_bounded(key, parser, bytes, usize::MAX, now, || false)
    }

    /// As [`Engine::feed`], but it stops with [`Flow::Again`] when it has added more than `much` to the client's
    /// outbox, or when `is_over` says that others are to have their turn: short requests may have long replies, and
    /// take long. `is_over` is called when [`FIRST_CLOCK_READING`] requests have run and more have arrived, and then less
    /// and less often, at last once for [`LATER_CLOCK_READINGS`] requests. While the clock stands still no turn takes
    /// long: the same requests give the same bytes, even on a busy machine.
    pub fn feed_bounded(
        &mut self,
        key: ClientKey,
        parser: &mut Parser,
        bytes: &[u8],
        much: usize,
        now: Time,
        is_over: impl FnMut() -> bool,
    ) -> (usize, Flow) {
        self.count_for(key, |engine| engine.feed_turn(key, parser, bytes, much, now, is_over))
    }

    /// Runs something for a client, and counts the commands that have run as its own. It may run amid the requests of
    /// another client, as the end of a wait does.
    pub(super) fn count_for<R>(&mut self, key: ClientKey, run: impl FnOnce(&mut Self) -> R) -> R {
        let others = self.state.stats.commands_of_client();
        self.state.stats.commands_before = self.state.stats.commands;
        let result = run(self);
        let State { stats, clients, .. } = &mut *self.state;
        if let Some(client) = clients.get_mut(key) {
            client.commands += stats.commands_of_client();
        }
        stats.commands_before = stats.commands.wrapping_sub(others);
        result
    }

    /// See [`Engine::feed_bounded`].
    fn feed_turn(
        &mut self,
        key: ClientKey,
        parser: &mut Parser,
        bytes: &[u8],
        much: usize,
        now: Time,
        mut is_over: impl FnMut() -> bool,
    ) -> (usize, Flow) {
        self.take_time(now);
        let (mut until_reading, mut between) = (FIRST_CLOCK_READING, FIRST_CLOCK_READING);
        let most = self.client(key).map_or(0, |client| client.outbox.len()).saturating_add(much);
        let queues =
            self.client(key).is_some_and(|client| client.transaction.is_some() && client.blocked.is_none());
        if queues && self.check_query_limit(key, bytes.len().min(READ_AT_ONCE)) {
            return (bytes.len(), Flow::Closed);
        }
        let mut consumed = 0;
        // Simple requests that run one after another, and whether any may; unknown after any other request.
        let (mut pipeline, mut may_begin) = (None::<Pipeline>, None);
        let mut limits = Limits::default();
        loop {
            let output = if let Some(pipeline) = &pipeline {
                pipeline.output()
            } else {
                let asleep = self.sleeps();
                let State { clients, config, .. } = &mut *self.state;
                let Some(client) = clients.get_mut(key) else { return (consumed, Flow::Closed) };
                if client.close != Close::No || client.ignored {
                    return (bytes.len(), Flow::Closed);
                }
                let asleep = asleep || client.reading_stops > 0;
                if client.blocked.is_some() || asleep {
                    client.stalled = asleep;
                    client.query_buffer = bytes.len() - consumed;
                    return (consumed, Flow::Blocked);
                }
                limits =
                    Limits { bulk: config.proto_max_bulk_len, authenticated: !client.must_authenticate() };
                client.outbox.len()
            };
            if consumed < bytes.len() {
                let mut stops = output > most;
                if until_reading == 0 {
                    between = LATER_CLOCK_READINGS.min(2 * between);
                    until_reading = between;
                    stops |= !self.clock.is_stopped() && is_over();
                }
                if stops {
                    self.end_pipeline(pipeline);
                    self.set_waiting_input(key, bytes.len() - consumed);
                    return (consumed, Flow::Again);
                }
            }
            let rest = present(bytes.get(consumed..)).unwrap_or_default();
            match parser.parse(rest, &limits) {
                Ok(None) => {
                    self.end_pipeline(pipeline);
                    if self.check_query_limit(key, rest.len()) {
                        return (bytes.len(), Flow::Closed);
                    }
                    return (consumed, Flow::Continue);
                }
                Ok(Some(length)) => {
                    consumed += length;
                    until_reading -= 1;
                    let args = parser.args(rest);
                    let simple = if length > LONG_ARGUMENT { None } else { self.simple_command(args) };
                    if let Some(command) = simple
                        && *may_begin.get_or_insert_with(|| self.may_begin_pipeline(key))
                    {
                        if pipeline.is_none() {
                            pipeline = self.begin_pipeline(key);
                        }
                        if let Some(running) = &mut pipeline {
                            if !self.run_simple(running, command, args, length) {
                                self.end_pipeline(pipeline.take());
                                may_begin = None;
                            }
                            continue;
                        }
                    }
                    self.end_pipeline(pipeline.take());
                    may_begin = None;
                    let State { clients, stats, .. } = &mut *self.state;
                    stats.net_input += length as u64;
                    if let Some(client) = clients.get_mut(key) {
                        client.net_input += length as u64;
                        // A request counts as waiting while it runs, however it has arrived.
                        client.query_buffer = length;
                    }
                    if length > LONG_ARGUMENT && self.check_long_arguments(key, args) {
                        return (bytes.len(), Flow::Closed);
                    }
                    if args.is_empty() {
                        self.pass_empty_request(key);
                    } else {
                        self.receive(key, args, now);
                    }
                }
                Err(error) => {
                    self.end_pipeline(pipeline);
                    self.set_waiting_input(key, 0);
                    self.protocol_error(key, error);
                    return (bytes.len(), Flow::Closed);
                }
            }
        }
    }

    /// An empty request is not answered. Before Redis 8 it counts as the one whose reply CLIENT REPLY SKIP suppresses.
    #[cold]
    fn pass_empty_request(&mut self, key: ClientKey) {
        if self.state.config.compat < Version::Redis8_0
            && let Some(client) = self.state.clients.get_mut(key)
        {
            client.end_reply();
        }
    }

    /// Cuts a client off that has sent more than `client-query-buffer-limit` bytes that cannot run yet; true if so.
    /// From Redis 7.2 on the queue of a transaction counts, when more arrives, and before login the limit is at most
    /// [`QUERY_BUFFER_BEFORE_LOGIN`].
    pub fn check_query_limit(&mut self, key: ClientKey, bytes: usize) -> bool {
        self.set_waiting_input(key, bytes);
        let config = &self.state.config;
        let mut limit = config.client_query_buffer_limit;
        let mut waiting = bytes;
        if bytes > 0
            && config.compat >= Version::Redis7_4
            && let Some(client) = self.state.clients.get(key)
        {
            waiting = waiting.saturating_add(client.transaction.as_ref().map_or(0, |all| all.bytes));
            if client.must_authenticate() {
                limit = limit.min(QUERY_BUFFER_BEFORE_LOGIN);
            }
        }
        let exceeded = waiting > limit;
        if exceeded {
            self.state.stats.query_limit_disconnections += 1;
            self.state.kill(key);
        }
        exceeded
    }

    /// As [`Engine::check_query_limit`], for a complete request: redis-server has checked the limit when the last byte
    /// of a long argument arrived, which by then is alone in its buffer, with its line end.
    #[cold]
    fn check_long_arguments(&mut self, key: ClientKey, args: Args<'_>) -> bool {
        let longest = args.iter().map(<[u8]>::len).max().unwrap_or_default();
        let running = self.client(key).map_or(0, |client| client.query_buffer);
        let exceeded = longest >= LONG_ARGUMENT && self.check_query_limit(key, longest + 2);
        self.set_waiting_input(key, running);
        exceeded
    }

    /// Notes how many bytes of a client cannot run yet.
    fn set_waiting_input(&mut self, key: ClientKey, bytes: usize) {
        if let Some(client) = self.state.clients.get_mut(key) {
            client.query_buffer = bytes;
        }
    }

    fn protocol_error(&mut self, key: ClientKey, error: ProtocolError) {
        let mut text = b"ERR Protocol error: ".to_vec();
        error.write(&mut text);
        self.state.stats.error(&text);
        let Some(client) = present(self.state.clients.get_mut(key)) else { return };
        if client.is_muted() {
            // redis-server closes the connection after what it writes; if that is nothing it reads no more and waits
            // for the client to disconnect.
            if client.outbox.is_empty() && client.in_flight == 0 {
                client.ignored = true;
            } else {
                self.state.clients.close(key, Close::AfterReply);
            }
            return;
        }
        let protocol = client.protocol;
        let start = client.outbox.len();
        Reply::new(&mut client.outbox, protocol).error(&text);
        self.state.journal.record(|journal| journal.reply(client, &client.outbox[start..], self.state.now));
        self.state.clients.close(key, Close::AfterReply);
    }

    /// Runs one request of a client, serves the clients that waited for its effects, and marks those with new output.
    pub fn execute(&mut self, key: ClientKey, args: Args<'_>, now: Time) {
        self.receive(key, args, now);
    }

    /// Appends the outbox of a client to `into`, and returns what else is to be done. If `into` is empty, the buffers
    /// are swapped, not copied.
    pub fn take_output(&mut self, key: ClientKey, into: &mut Vec<u8>) -> Output {
        let (output, segments) = self.take_output_in_segments(key, into);
        if let Some(mut segments) = segments {
            while let Some(segment) = segments.pop() {
                into.extend_from_slice(&segment);
            }
        }
        output
    }

    /// As [`Engine::take_output`], but if any output is in segments, all is returned so, and `into` stays as it is.
    #[inline]
    pub fn take_output_in_segments(
        &mut self,
        key: ClientKey,
        into: &mut Vec<u8>,
    ) -> (Output, Option<Box<Segments>>) {
        let clients = &mut self.state.clients;
        let Some(client) = clients.get_mut(key) else {
            return (Output { close: Close::Now, ..Output::default() }, None);
        };
        let reading_stopped = client.reading_stops > 0;
        if client.writing_stops > 0 && client.close != Close::Now {
            // Even a client that closes after a reply stays until that reply can be written.
            let resumed = std::mem::take(&mut client.resumed);
            return (Output { resumed, reading_stopped, ..Output::default() }, None);
        }
        let mut taken = std::mem::take(&mut client.outbox);
        let segments = client.segments.take();
        let in_segments = segments.as_ref().map_or(0, |segments| segments.bytes());
        let length = in_segments + taken.len();
        // While the clock stands still it may be moved before much is written, whether it can be or not: a client over
        // its soft limit stays over it.
        let counted = self.clock.is_stopped() && length > FIXED_OUTPUT;
        if client.in_flight > 0 {
            // All earlier output has been written since then.
            client.last_interaction = self.state.now;
        }
        // Nothing of what is taken from a client that is cut off is written.
        client.in_flight = if counted || client.close == Close::Now { length } else { 0 };
        if length > 0 {
            client.last_interaction = self.state.now;
        }
        client.net_output += taken.len() as u64;
        let output = Output {
            close: client.close,
            resumed: std::mem::take(&mut client.resumed),
            reading_stopped,
            counted,
        };
        self.state.stats.net_output += length as u64;
        if let Some(mut segments) = segments {
            segments.push(taken.into());
            return (output, Some(segments));
        }
        if into.is_empty() {
            std::mem::swap(&mut taken, into);
        } else {
            into.append(&mut taken);
        }
        clients.put_spare(taken);
        (output, None)
    }

    /// Takes the outbox of a client whose connection is full, if it has at least `least` bytes, to be written after
    /// what was taken before.
    pub fn take_part(&mut self, key: ClientKey, least: usize) -> Option<Segments> {
        let client = self.state.clients.get_mut(key)?;
        // A part wastes little of its capacity.
        if client.close == Close::Now || client.outbox.len() < least.max(client.outbox.capacity() / 2) {
            return None;
        }
        let taken = std::mem::take(&mut client.outbox);
        client.in_flight += taken.len();
        client.net_output += taken.len() as u64;
        let mut segments = client.segments.take().map_or_else(Segments::default, |segments| *segments);
        segments.push(taken.into());
        self.state.stats.net_output += segments.bytes() as u64;
        Some(segments)
    }

    /// The state of a client whose outbox cannot be taken yet, because its connection is full.
    #[must_use]
    pub fn closing(&self, key: ClientKey) -> Close {
        self.state.clients.get(key).map_or(Close::Now, |client| client.close)
    }

    /// True if the client may continue with its requests, since the last call or since its output was taken.
    pub fn take_resumed(&mut self, key: ClientKey) -> bool {
        self.state.clients.get_mut(key).is_some_and(|client| std::mem::take(&mut client.resumed))
    }

    /// The shell reports how many of the bytes that it took are still to be written.
    pub fn set_in_flight(&mut self, key: ClientKey, bytes: usize) {
        if let Some(client) = self.state.clients.get_mut(key) {
            let bytes = bytes + client.segments.as_ref().map_or(0, |segments| segments.bytes());
            if bytes < client.in_flight {
                client.last_interaction = self.state.now;
            }
            client.in_flight = bytes;
        }
    }

    /// True if something is to be done for a client; never while DEBUG SLEEP lasts.
    #[must_use]
    pub fn has_dirty(&self) -> bool {
        let State { asleep_until, clients, tracked, .. } = &*self.state;
        asleep_until.is_none() && (clients.has_dirty() || tracked.has_changes())
    }

    /// Appends the clients for which something is to be done since the last call.
    pub fn take_dirty(&mut self, into: &mut Vec<ClientKey>) {
        self.take_some_dirty(into, &mut VecDeque::new(), usize::MAX);
    }

    /// As [`Engine::take_dirty`], but at most `max` of the clients without a reply of their own to write. Those that
    /// continue after a wait are appended to `continuing` as well: as in redis-server, what they have sent meanwhile
    /// runs before anything is written, in the order in which their waits have ended.
    pub fn take_some_dirty(
        &mut self,
        into: &mut Vec<ClientKey>,
        continuing: &mut VecDeque<ClientKey>,
        max: usize,
    ) {
        if self.state.asleep_until.is_none() {
            self.end_batch(continuing.is_empty());
            self.state.clients.take_dirty(into, continuing, max);
        }
    }

    /// Before anything is written, clients that track prefixes are notified of the keys that the batch has changed. As in
    /// redis-server, what clients have sent while they waited belongs to the batch: `none_left_to_run` if none of them is
    /// still to run.
    #[inline]
    fn end_batch(&mut self, none_left_to_run: bool) {
        if self.state.tracked.has_changes() && none_left_to_run && !self.state.clients.has_resumed() {
            self.state.broadcast_invalidations();
        }
    }

    /// As [`Engine::take_some_dirty`], but takes only those that `find` finds. The others stay, in their order.
    pub fn take_dirty_found<T: Clone>(
        &mut self,
        into: &mut Vec<T>,
        continuing: &mut VecDeque<T>,
        max: usize,
        find: impl Fn(ClientKey) -> Option<T>,
    ) {
        if self.state.asleep_until.is_none() {
            self.end_batch(continuing.is_empty());
            self.state.clients.take_dirty_found(into, continuing, max, find);
        }
    }

    /// Whether the clock stands still: then no turn takes long, see [`Engine::feed_bounded`].
    #[must_use]
    pub fn is_clock_stopped(&self) -> bool {
        self.clock.is_stopped()
    }

    /// The client with this key.
    #[must_use]
    pub fn client(&self, key: ClientKey) -> Option<&Client> {
        self.state.clients.get(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn while_the_clock_stands_still_no_turn_takes_long() -> Result<(), Error> {
        let now = Time::from_millis(0);
        let mut engine = Engine::new(Config::default(), 1, now);
        engine.stop_clock();
        let client = engine.connect(Address::default(), now)?;
        let requests = b"INCR n\r\n".repeat(100);
        let (ran, flow) =
            engine.feed_bounded(client, &mut Parser::new(), &requests, usize::MAX, now, || true);
        assert_eq!((ran, flow), (requests.len(), Flow::Continue));
        Ok(())
    }

    #[test]
    fn a_turn_ends_when_the_shell_says_so_and_the_rest_runs_in_the_next() -> Result<(), Error> {
        const REQUESTS: usize = 100;
        let now = Time::from_millis(0);
        let mut engine = Engine::new(Config::default(), 1, now);
        let client = engine.connect(Address::default(), now)?;
        let (mut parser, request) = (Parser::new(), b"INCR n\r\n");
        let requests = request.repeat(REQUESTS);
        let mut left = &requests[..];
        let mut turns = 0;
        while !left.is_empty() {
            let (ran, flow) = engine.feed_bounded(client, &mut parser, left, usize::MAX, now, || true);
            let expected = (FIRST_CLOCK_READING as usize * request.len()).min(left.len());
            assert_eq!(ran, expected, "the turn is over at the first reading of the clock");
            left = &left[ran..];
            turns += 1;
            assert_eq!(flow, if left.is_empty() { Flow::Continue } else { Flow::Again });
        }
        assert_eq!(turns, REQUESTS.div_ceil(FIRST_CLOCK_READING as usize));

        let mut asked = 0;
        let is_over = || {
            asked += 1;
            asked == 4
        };
        let (ran, flow) = engine.feed_bounded(client, &mut parser, &requests, usize::MAX, now, is_over);
        let (first, later) = (FIRST_CLOCK_READING as usize, LATER_CLOCK_READINGS as usize);
        assert_eq!((ran / request.len(), flow), (first + 2 * first + 2 * later, Flow::Again));

        // No request follows the last one that could wait for its turn.
        let mut asked = 0;
        engine.feed_bounded(client, &mut parser, request, usize::MAX, now, || {
            asked += 1;
            true
        });
        assert_eq!(asked, 0);
        Ok(())
    }
}
