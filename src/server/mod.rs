//! The shell: tokio accepts, reads, writes and waits for deadlines. No rule of Redis is here.
//!
//! [`Shared`] is what all of it shares: the engine behind its one lock, the connections, the clock, those who
//! [wait](Waits) for a state of the broker. A connection is a task over any [`Transport`].

mod clock;
mod connection;
mod listener;
mod wait;

pub use clock::Clock;
pub use connection::{Connection, Transport};
pub use listener::{Listener, listen};
#[cfg(unix)]
pub use listener::{UnixSocket, listen_on_path};
pub use wait::{Condition, Waits};

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use dashmap::DashMap;
use parking_lot::{Mutex, MutexGuard};
use tokio::sync::Notify;

use crate::engine::Engine;
use crate::store::{ClientKey, Time};

/// How many connections are written to before others have their turn: it cuts the latency of bystanders while a
/// message goes to a thousand subscribers.
const FLUSHES_IN_A_ROW: usize = 64;

/// What the connections, the timer and the handle share.
#[derive(Debug)]
pub struct Shared {
    engine: Mutex<Engine>,
    connections: DashMap<ClientKey, Arc<Connection>, foldhash::fast::RandomState>,
    clock: Clock,
    /// Who waits for a state of the broker.
    pub waits: Waits,
    /// The deadline for which the timer sleeps, in microseconds; `u64::MAX` for none.
    armed: AtomicU64,
    earlier_deadline: Notify,
}

impl Shared {
    /// Around an engine.
    #[must_use]
    pub fn new(engine: Engine, clock: Clock) -> Self {
        Self {
            engine: Mutex::new(engine),
            connections: DashMap::default(),
            clock,
            waits: Waits::default(),
            armed: AtomicU64::new(u64::MAX),
            earlier_deadline: Notify::new(),
        }
    }

    /// The engine, for as long as the guard lives; nobody is served meanwhile. Whoever has changed something
    /// calls [`Shared::settle`] with the guard.
    pub fn engine(&self) -> MutexGuard<'_, Engine> {
        self.engine.lock()
    }

    /// The time.
    #[must_use]
    pub fn now(&self) -> Time {
        self.clock.now()
    }

    /// The number of connections.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.connections.len()
    }

    /// Follows every change of the engine: those whose outbox has got something are appended to `dirty`, those
    /// who wait for a state of the broker are told, the timer is set. Then the lock is released.
    pub fn settle(&self, mut engine: MutexGuard<'_, Engine>, dirty: &mut Vec<ClientKey>) {
        engine.take_dirty(dirty);
        self.waits.check(engine.store());
        if let Some(deadline) = engine.next_deadline()
            && deadline.micros() < self.armed.load(Ordering::Relaxed)
        {
            self.armed.store(deadline.micros(), Ordering::Relaxed);
            self.earlier_deadline.notify_one();
        }
    }

    /// Writes what these clients' outboxes hold. Must not be called with a connection's or the engine's lock
    /// held.
    fn flush(&self, clients: impl IntoIterator<Item = ClientKey>) {
        for client in clients {
            let connection = self.connections.get(&client).map(|entry| Arc::clone(&entry));
            if let Some(connection) = connection {
                connection.flush(self);
            }
        }
    }

    /// Writes what the outboxes of some of these clients hold, and takes those clients out; true if nobody is
    /// left. If not, others are to have their turn before the next call.
    fn flush_some(&self, clients: &mut Vec<ClientKey>) -> bool {
        let from = clients.len().saturating_sub(FLUSHES_IN_A_ROW);
        self.flush(clients.drain(from..));
        clients.is_empty()
    }

    /// Has the tasks of these clients write what their outboxes hold. For threads other than the broker's.
    pub fn wake(&self, clients: impl IntoIterator<Item = ClientKey>) {
        for client in clients {
            let connection = self.connections.get(&client).map(|entry| Arc::clone(&entry));
            if let Some(connection) = connection {
                connection.wake();
            }
        }
    }

    /// Changes the engine from outside of any connection, from any thread.
    pub fn change<R>(&self, change: impl FnOnce(&mut Engine, Time) -> R) -> R {
        let mut dirty = Vec::new();
        let mut engine = self.engine();
        let started = Instant::now();
        let result = change(&mut engine, self.clock.at(started));
        engine.account(started.elapsed());
        self.settle(engine, &mut dirty);
        self.wake(dirty);
        result
    }

    /// Sleeps until the engine's next deadline, lets it do what is due, and so on for ever.
    pub async fn keep_time(&self) {
        let mut dirty = Vec::new();
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
            {
                let mut engine = self.engine();
                let started = Instant::now();
                engine.tick(self.clock.at(started));
                engine.account(started.elapsed());
                self.settle(engine, &mut dirty);
            }
            // Thousands may have waited for the same moment.
            while !self.flush_some(&mut dirty) {
                tokio::task::yield_now().await;
            }
        }
    }

    /// Writes what all outboxes hold, as far as the sockets take it, and forgets the connections; their sockets
    /// close with their tasks.
    pub fn close_all(&self) {
        let clients: Vec<_> = self.connections.iter().map(|entry| *entry.key()).collect();
        self.flush(clients);
        self.connections.clear();
    }
}
