//! The shell: tokio accepts, reads, writes and waits for deadlines. No rule of Redis is implemented here.
//!
//! [`Shared`] is what all parts share: the engine behind its one lock, the connections, the clock, and the
//! [waits](Waits) for a state of the broker. A connection is a task over any [`Transport`]; one
//! [in memory](ClientStream) is run by its client too.

mod availability;
mod clock;
mod connection;
mod data_file;
mod direct;
mod in_memory;
mod listener;
mod long_scripts;
mod process;
mod serving;
#[cfg(feature = "tls")]
mod tls;
mod wait;

pub use availability::ListenError;
pub use clock::Clock;
pub use connection::{Connection, Transport};
use connection::{Dirty, TURN, with_read_buffer};
pub use data_file::{DataFile, replace};
pub use in_memory::ClientStream;
pub use listener::Listener;
pub use process::Process;
#[cfg(feature = "tls")]
pub use tls::{Certificates, Pem, Unusable};
use wait::Notification;
pub use wait::{Added, Awaited, Panicked, Waits};

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use dashmap::DashMap;
use parking_lot::{MappedMutexGuard, Mutex, MutexGuard};
use tokio::sync::Notify;

use crate::clients::ClientKey;
use crate::data::Time;
use crate::engine::{Engine, Stopwatch};
use crate::state::State;

/// What the connections, the timer and the handle share.
#[derive(Debug)]
pub struct Shared {
    engine: Mutex<Engine>,
    connections: DashMap<ClientKey, Arc<Connection>, foldhash::fast::RandomState>,
    clock: Clock,
    /// The waits for a state of the broker.
    pub waits: Waits,
    /// The deadline for which the timer sleeps, in microseconds of the shell's time; `u64::MAX` for none.
    armed: AtomicU64,
    earlier_deadline: Notify,
    /// Some outbox is to be written.
    dirty: Notify,
    /// The writer has been notified, and the outboxes have not all been written since. It is read and changed with the
    /// engine's lock held.
    is_dirty: AtomicBool,
    listening: availability::Listening,
    long_scripts: long_scripts::LongScripts,
    process: Process,
}

/// How many connections are written to before others have their turn: it cuts the latency of other clients while a
/// message goes to a thousand subscribers.
const WRITES_IN_A_ROW: usize = 64;

impl Shared {
    /// True in a child that was forked from the process with the broker: there it must not be touched.
    #[must_use]
    pub fn is_forked(&self) -> bool {
        self.process.is_another()
    }

    /// A shell around an engine.
    #[must_use]
    pub fn new(mut engine: Engine, clock: Clock) -> Self {
        let (stopwatch, started) = (clock.clone(), clock.instant());
        engine.set_stopwatch(Stopwatch::new(move || stopwatch.instant().saturating_duration_since(started)));
        Self {
            engine: Mutex::new(engine),
            connections: DashMap::default(),
            clock,
            process: Process::this(),
            waits: Waits::default(),
            armed: AtomicU64::new(u64::MAX),
            earlier_deadline: Notify::new(),
            dirty: Notify::new(),
            is_dirty: AtomicBool::new(false),
            listening: availability::Listening::default(),
            long_scripts: long_scripts::LongScripts::default(),
        }
    }

    /// The engine, for as long as the guard lives; no client is served meanwhile. A caller that has changed something
    /// calls [`Shared::finish_batch`] with the guard.
    #[inline]
    pub fn engine(&self) -> MappedMutexGuard<'_, Engine> {
        match self.engine.try_lock() {
            Some(engine) => MutexGuard::map(engine, |engine| engine),
            None => self.wait_for_engine(),
        }
    }

    /// Reads the state, from any thread.
    ///
    /// # Panics
    ///
    /// Within the predicate of a wait, which holds the lock already.
    pub fn with_state<R>(&self, read: impl FnOnce(&State) -> R) -> R {
        wait::assert_not_in_predicate();
        read(self.engine().state())
    }

    /// The shell's time.
    #[must_use]
    pub fn now(&self) -> Time {
        self.clock.now()
    }

    /// The broker's time.
    #[must_use]
    pub fn time(&self) -> Time {
        wait::assert_not_in_predicate();
        let engine = self.engine();
        engine.time(self.now())
    }

    /// The number of connections.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.connections.len()
    }

    /// Publishes every change of the engine: outboxes with new output will be written, connections are accepted or
    /// refused, waits are completed, the timer is set. Waits are completed after the lock has been released, because
    /// that runs code of the embedding program.
    pub fn finish_batch(&self, engine: MappedMutexGuard<'_, Engine>) {
        let met = self.publish_changes(&engine);
        drop(engine);
        for tell in met {
            tell();
        }
    }

    /// As [`Shared::finish_batch`], but the caller completes the waits, when it holds no lock any more.
    #[must_use]
    fn publish_changes(&self, engine: &Engine) -> Vec<Notification> {
        if engine.has_dirty() && !self.is_dirty.load(Ordering::Relaxed) {
            self.is_dirty.store(true, Ordering::Relaxed);
            self.dirty.notify_one();
        }
        self.listening.apply(engine);
        let met = self.waits.check(engine.state());
        if let Some(deadline) = engine.next_deadline()
            && deadline.micros() < self.armed.load(Ordering::Relaxed)
        {
            self.armed.store(deadline.micros(), Ordering::Relaxed);
            self.earlier_deadline.notify_one();
        }
        met
    }

    /// Writes the outboxes, as soon as one has content, for ever. The task of this runs after those of all connections
    /// that have something to read: all that they add to an outbox is sent with one write.
    pub async fn write_outboxes(&self) {
        let mut dirty = Vec::new();
        // Turns are limited here; tokio's own budget would stop in the middle.
        tokio::task::coop::unconstrained(async {
            let mut in_a_row = 0;
            loop {
                self.take_some_dirty(&mut dirty);
                if dirty.is_empty() {
                    in_a_row = 0;
                    self.dirty.notified().await;
                }
                for client in dirty.drain(..) {
                    if in_a_row == WRITES_IN_A_ROW {
                        in_a_row = 0;
                        tokio::task::yield_now().await;
                    }
                    in_a_row += 1;
                    if let Some(connection) = self.connection(client) {
                        connection.flush(self);
                    }
                }
            }
        })
        .await;
    }

    /// Takes the clients whose outboxes are to be written, after those that continue after a wait have run what they
    /// sent meanwhile. If that takes long, the tasks of the rest run it when they have been written to.
    fn take_some_dirty(&self, into: &mut Vec<ClientKey>) {
        let mut continuing = VecDeque::new();
        let mut started = None;
        loop {
            let mut engine = self.engine();
            engine.take_some_dirty(into, &mut continuing, WRITES_IN_A_ROW);
            let is_clock_stopped = engine.is_clock_stopped();
            if into.is_empty() {
                self.is_dirty.store(false, Ordering::Relaxed);
            }
            drop(engine);
            let Some(client) = continuing.pop_front() else { return };
            let now = self.clock.instant();
            let started = *started.get_or_insert(now);
            if !is_clock_stopped && now.saturating_duration_since(started) >= TURN {
                return;
            }
            if let Some(connection) = self.connection(client) {
                // A task that is woken meanwhile must not run the connection, which is locked.
                with_read_buffer(|_| connection.run_sent_while_waiting(self, None));
            }
        }
    }

    /// As [`Shared::take_some_dirty`], for connections in memory: sockets, and all that exceeds a turn, are left to the
    /// writer's task. `own` is one of the connections.
    fn take_dirty_in_memory(&self, engine: &mut Engine, own: &Arc<Connection>, into: &mut Dirty) {
        engine.take_dirty_found(&mut into.connections, &mut into.continuing, WRITES_IN_A_ROW, |client| {
            if client == own.client() {
                return Some(Arc::clone(own));
            }
            self.connection(client).filter(|other| other.is_in_memory())
        });
    }

    fn connection(&self, client: ClientKey) -> Option<Arc<Connection>> {
        self.connections.get(&client).map(|entry| Arc::clone(&entry))
    }

    /// Changes the engine from outside of any connection, from any thread.
    ///
    /// # Panics
    ///
    /// Within the predicate of a wait, which holds the lock already.
    pub fn change<R>(&self, change: impl FnOnce(&mut Engine, Time) -> R) -> R {
        wait::assert_not_in_predicate();
        let mut engine = self.engine();
        let started = self.clock.instant();
        let result = change(&mut engine, self.clock.at(started));
        engine.record_durations(self.clock.instant().saturating_duration_since(started));
        self.finish_batch(engine);
        result
    }

    /// Sleeps until the engine's next deadline, has it do what is due, and repeats this for ever.
    pub async fn keep_time(&self) {
        loop {
            let deadline = {
                let engine = self.engine();
                let deadline = engine.next_deadline();
                self.armed.store(deadline.map_or(u64::MAX, Time::micros), Ordering::Relaxed);
                deadline
            };
            let earlier = self.earlier_deadline.notified();
            match deadline {
                None => earlier.await,
                Some(deadline) => {
                    let left = deadline.since(self.now());
                    if !left.is_zero() && tokio::time::timeout(left, earlier).await.is_ok() {
                        continue;
                    }
                }
            }
            if self.change(Engine::tick_for_a_while) {
                tokio::task::yield_now().await;
            }
        }
    }

    /// Writes all outboxes, as far as the sockets take it, and removes the connections; their sockets close with their
    /// tasks, which end.
    pub fn close_all(&self) {
        let connections: Vec<_> = self.connections.iter().map(|entry| Arc::clone(&entry)).collect();
        for connection in connections {
            connection.finish(self);
            connection.cut();
        }
        self.connections.clear();
    }
}
