//! A script that runs long keeps its thread busy; other clients are served meanwhile.
//!
//! A thread that needs the engine meanwhile gets it between two calls of the script ([`Shared::engine`]). If the script
//! runs in the broker's own thread, no other task can run there: the runtime is in the middle of one. So the script's
//! hook serves the other clients itself from time to time, see [`Shared::serve_directly`].

use std::pin::pin;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::task::{Context, Poll, Waker};
use std::thread::ThreadId;
use std::time::{Duration, Instant};

use parking_lot::{MappedMutexGuard, Mutex, MutexGuard};
use tokio::task::coop::unconstrained;

use super::Shared;
use super::direct::Directly;
use crate::clients::ClientKey;
use crate::engine::{Engine, Lent, Shell};

/// How often a thread that waits for the engine checks whether a busy script lends it.
const CHECK_INTERVAL: Duration = Duration::from_millis(2);
/// How long a script may continue when the broker is to be stopped.
const GRACE_PERIOD: Duration = Duration::from_millis(100);
/// A script that a client runs in its own thread is ended after this many times `busy-reply-threshold`. If there is no
/// other thread, as in most tests, no client could end it.
const LONGEST: u32 = 2;
/// The same if no script is ever busy.
const LONGEST_WITHOUT: Duration = Duration::from_secs(10);
/// How long the script runs before other clients are served again: at least this long, and this many times as long as
/// serving them took.
const RUN_BETWEEN: (Duration, u32) = (Duration::from_millis(1), 4);
/// How many bytes are read from a connection at a time.
const READ_SIZE: usize = 16 * 1024;

/// The state of scripts that run long.
#[derive(Default)]
pub(super) struct LongScripts {
    /// Lends the engine while a script is busy; set by the first script.
    lent: OnceLock<Arc<dyn Lent>>,
    /// The thread that belongs to the broker.
    own_thread: OnceLock<ThreadId>,
    /// How many callers want scripts to end.
    ending: AtomicU32,
}

impl std::fmt::Debug for LongScripts {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("LongScripts").field("ending", &self.ending).finish_non_exhaustive()
    }
}

/// As long as this lives every script that runs long is ended before it is busy.
#[must_use]
pub(super) struct NoBusyScripts<'a> {
    ending: &'a AtomicU32,
}

impl Drop for NoBusyScripts<'_> {
    fn drop(&mut self) {
        self.ending.fetch_sub(1, Ordering::AcqRel);
    }
}

impl LongScripts {
    /// The engine, if a script keeps it busy.
    pub fn engine(&self) -> Option<MappedMutexGuard<'_, Engine>> {
        self.lent.get().and_then(|lent| lent.lock())
    }
}

/// The shell of an engine, as the engine sees it.
#[derive(Debug)]
struct Watch {
    shared: Weak<Shared>,
    started: Instant,
    /// When other clients are to be served next.
    next: Mutex<Option<Instant>>,
}

impl Watch {
    fn is_own_thread(shared: &Shared) -> bool {
        shared.long_scripts.own_thread.get().is_some_and(|own| *own == std::thread::current().id())
    }
}

impl Shell for Watch {
    fn lend(&self, lent: Arc<dyn Lent>) {
        if let Some(shared) = self.shared.upgrade() {
            let first = shared.long_scripts.lent.set(lent);
            debug_assert!(first.is_ok(), "there is one slot");
        }
    }

    fn uptime(&self) -> Duration {
        self.started.elapsed()
    }

    fn longest(&self, threshold: Duration) -> Option<Duration> {
        let is_own = self.shared.upgrade().is_none_or(|shared| Self::is_own_thread(&shared));
        let longest = if threshold.is_zero() { LONGEST_WITHOUT } else { threshold.saturating_mul(LONGEST) };
        (!is_own).then_some(longest)
    }

    fn is_ending(&self) -> bool {
        let is_ending = |shared: Arc<Shared>| shared.long_scripts.ending.load(Ordering::Acquire) > 0;
        self.shared.upgrade().is_none_or(is_ending)
    }

    fn serve_others(&self) {
        let Some(shared) = self.shared.upgrade().filter(|shared| Self::is_own_thread(shared)) else { return };
        let mut next = self.next.lock();
        let started = Instant::now();
        if next.is_some_and(|next| started < next) {
            return;
        }
        shared.serve_directly();
        *next = Some(Instant::now() + RUN_BETWEEN.0.max(started.elapsed() * RUN_BETWEEN.1));
    }
}

impl Shared {
    /// Has scripts that run long served by this shell.
    pub fn watch_scripts(self: &Arc<Self>) {
        let watch = Watch { shared: Arc::downgrade(self), started: Instant::now(), next: Mutex::new(None) };
        self.engine().set_shell(Arc::new(watch));
    }

    /// The calling thread only drives this broker.
    pub fn drive_in_this_thread(&self) {
        let first = self.long_scripts.own_thread.set(std::thread::current().id());
        debug_assert!(first.is_ok(), "it has one thread");
    }

    /// The engine, as soon as it is free or a script is busy.
    #[cold]
    #[inline(never)]
    pub(super) fn wait_for_engine(&self) -> MappedMutexGuard<'_, Engine> {
        loop {
            if let Some(engine) = self.long_scripts.engine() {
                return engine;
            }
            if let Some(engine) = self.engine.try_lock_for(CHECK_INTERVAL) {
                return MutexGuard::map(engine, |engine| engine);
            }
        }
    }

    /// True if a script of this client is busy.
    pub(super) fn runs_script(&self, client: ClientKey) -> bool {
        let is_of = |engine: MappedMutexGuard<'_, Engine>| {
            engine.state().busy.as_ref().is_some_and(|busy| busy.client == client)
        };
        self.long_scripts.engine().is_some_and(is_of)
    }

    /// Locks a mutex that is locked while the client's script runs; none if that script is busy.
    pub(super) fn lock_of<'a, T>(&self, client: ClientKey, mutex: &'a Mutex<T>) -> Option<MutexGuard<'a, T>> {
        if let Some(guard) = mutex.try_lock() {
            return Some(guard);
        }
        loop {
            if self.runs_script(client) {
                return None;
            }
            if let Some(guard) = mutex.try_lock_for(CHECK_INTERVAL) {
                return Some(guard);
            }
        }
    }

    /// Returns when no script runs. One that still runs after `LONGEST_WITHOUT` is ended.
    pub fn wait_for_scripts(&self) {
        drop(self.end_scripts_after(LONGEST_WITHOUT));
    }

    /// Returns when no script runs: one that does not end soon is ended. No script is busy as long as the guard lives.
    pub(super) fn end_scripts(&self) -> NoBusyScripts<'_> {
        self.end_scripts_after(GRACE_PERIOD)
    }

    fn end_scripts_after(&self, wait: Duration) -> NoBusyScripts<'_> {
        drop(self.engine.try_lock_for(wait));
        let ending = &self.long_scripts.ending;
        ending.fetch_add(1, Ordering::AcqRel);
        let guard = NoBusyScripts { ending };
        drop(self.engine.lock());
        guard
    }

    /// From now on every script that runs long is ended.
    pub fn end_scripts_for_ever(&self) {
        self.long_scripts.ending.fetch_add(1, Ordering::AcqRel);
    }

    /// Does what the tasks of the runtime do, in the middle of one of them: accepts connections, reads and runs what
    /// clients have sent, and writes their output. Sockets are used directly, see [`Directly`].
    fn serve_directly(self: &Arc<Self>) {
        let _directly = Directly::begin();
        self.accept_directly();
        let connections: Vec<_> = self.connections.iter().map(|entry| Arc::clone(&entry)).collect();
        let mut buffer = vec![0; READ_SIZE];
        let mut dirty = Vec::new();
        // Turns are limited here; the task that runs the script has used up its own budget.
        let mut serving = pin!(unconstrained(std::future::poll_fn(|_| {
            for connection in &connections {
                connection.take_turn_directly(self, &mut buffer);
            }
            loop {
                self.take_some_dirty(&mut dirty);
                if dirty.is_empty() {
                    return Poll::Ready(());
                }
                for client in dirty.drain(..) {
                    if let Some(connection) = self.connection(client) {
                        connection.flush(self);
                    }
                }
            }
        })));
        let _ = serving.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    }
}
