//! The listening sockets and the connections follow orders from outside of any connection.
//!
//! They do so in the thread that changed the engine: when the change returns, connections are refused or accepted,
//! and the sockets of clients that were cut off are closed. No caller waits for the broker's thread.

use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Waker};

use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::task::coop::unconstrained;

use super::{Listener, Shared};
use crate::clients::ClientKey;
use crate::clients::Filter;
use crate::data::Time;
use crate::engine::{Direction, Engine};
use crate::testing::Availability;

/// Why an address could not be listened on again.
#[derive(Debug)]
pub struct ListenError {
    /// The address, or the path of a Unix socket.
    pub address: String,
    /// The error of the system.
    pub source: io::Error,
}

/// The listening sockets, and the state that was last applied to them.
#[derive(Debug, Default)]
pub(super) struct Listening {
    sockets: Mutex<Option<Sockets>>,
    /// The state that was applied last, as of [`state_of`].
    followed: AtomicU64,
    failed: Mutex<Option<ListenError>>,
}

#[derive(Debug)]
struct Sockets {
    listeners: Vec<Arc<Listener>>,
    runtime: Handle,
}

/// The run of the broker, and whether connections are refused.
fn state_of(availability: Availability) -> u64 {
    u64::from(availability.run()) << 1 | u64::from(!availability.accepts())
}

impl Listening {
    /// Opens or closes the sockets, if that was ordered. The engine is locked meanwhile, so that this happens in the
    /// sequence of the orders.
    pub fn apply(&self, engine: &Engine) {
        let availability = engine.state().availability;
        if state_of(availability) != self.followed.load(Ordering::Relaxed) {
            self.change(availability);
        }
    }

    #[cold]
    fn change(&self, availability: Availability) {
        let before = self.followed.swap(state_of(availability), Ordering::Relaxed);
        let sockets = self.sockets.lock();
        let Some(Sockets { listeners, runtime }) = &*sockets else { return };
        let _context = runtime.enter();
        let same_run = before >> 1 == u64::from(availability.run());
        for listener in listeners {
            let mut outcome = Ok(());
            if !same_run || !availability.accepts() {
                outcome = listener.close(same_run && !availability.is_stopped());
            }
            if availability.accepts() {
                outcome = listener.open(availability.run());
            }
            if let Err(source) = outcome {
                let failed = ListenError { address: listener.endpoint(), source };
                self.failed.lock().get_or_insert(failed);
            }
        }
    }
}

impl Shared {
    /// Accepts connections on these sockets in this runtime, as long as the engine takes any. Called once, before
    /// anything is changed.
    pub fn listen(self: &Arc<Self>, listeners: Vec<Listener>, runtime: Handle) {
        let listeners: Vec<_> = listeners.into_iter().map(Arc::new).collect();
        for listener in &listeners {
            runtime.spawn(Arc::clone(listener).accept(Arc::clone(self)));
        }
        *self.listening.sockets.lock() = Some(Sockets { listeners, runtime });
    }

    /// Accepts the waiting connections, in the middle of a task of the runtime.
    pub(super) fn accept_directly(self: &Arc<Self>) {
        let listeners = match &*self.listening.sockets.lock() {
            Some(Sockets { listeners, .. }) => listeners.clone(),
            None => return,
        };
        for listener in listeners {
            listener.accept_directly(self);
        }
    }

    /// Releases all addresses.
    pub fn stop_listening(&self) {
        if let Some(Sockets { listeners, .. }) = self.listening.sockets.lock().take() {
            for listener in listeners {
                listener.end();
            }
        }
    }

    /// Cuts off the clients that match and returns how many they were. Their earlier output has been written, as far as
    /// their sockets take it. When this returns their sockets are closed.
    pub fn kill_clients(&self, filter: &Filter) -> usize {
        let killed = self.with_state(|state| state.clients_of(filter));
        if killed.iter().any(|client| self.runs_script(*client)) {
            drop(self.end_scripts());
        }
        self.finish(killed);
        self.cut_off(|engine, now| engine.kill_clients(filter, now))
    }

    /// Stops: when this returns, connections are refused and all sockets are closed. The earlier output of clients has
    /// been written, as far as their sockets take it.
    ///
    /// # Errors
    ///
    /// The system does not let an address be kept. The broker is stopped nevertheless.
    pub fn stop(&self) -> Result<(), ListenError> {
        // A script that begins now must not have the engine in the middle of the stop.
        let _ended = self.end_scripts();
        self.finish_all();
        self.listening.failed.lock().take();
        self.cut_off(Engine::stop);
        self.listening.failed.lock().take().map_or(Ok(()), Err)
    }

    /// Restarts, after a stop if there was none: when this returns, connections are accepted.
    ///
    /// # Errors
    ///
    /// An address cannot be listened on any more. Then the broker is stopped.
    pub fn restart(&self, keeps_data: bool) -> Result<(), ListenError> {
        let _ended = self.end_scripts();
        self.finish_all();
        self.listening.failed.lock().take();
        self.cut_off(|engine, now| engine.restart(keeps_data, now));
        let failed = self.listening.failed.lock().take();
        match failed {
            None => Ok(()),
            Some(failed) => {
                // What matters to the caller is why it could not be restarted.
                let _ = self.stop();
                Err(failed)
            }
        }
    }

    /// Stops reading from the clients that match, or writing to them. Their earlier output has been written, as far as
    /// their sockets take it.
    pub fn hold_connections(&self, filter: &Filter, direction: Direction) -> Vec<ClientKey> {
        if direction == Direction::Writing {
            self.finish(self.with_state(|state| state.clients_of(filter)));
        }
        let held = self.change(|engine, now| engine.hold_connections(filter, direction, now));
        if direction == Direction::Writing {
            // A thread that is writing to one of them at this moment finishes.
            for key in &held {
                if let Some(connection) = self.connection(*key) {
                    connection.wait_for_write(self);
                }
            }
        }
        held
    }

    /// Undoes [`Shared::hold_connections`] for these clients.
    pub fn resume_connections(&self, held: &[ClientKey], direction: Direction) {
        self.change(|engine, now| engine.resume_connections(held, direction, now));
    }

    /// Connections are refused until each caller of this has called [`Shared::end_refusing`].
    pub fn refuse_connections(&self) {
        self.change(|engine, _: Time| engine.state_mut().availability.refuse());
    }

    /// Undoes one [`Shared::refuse_connections`].
    pub fn end_refusing(&self) {
        self.change(|engine, _: Time| engine.state_mut().availability.end_refusing());
    }

    fn finish_all(&self) {
        let clients = self.connections.iter().map(|entry| *entry.key()).collect();
        self.finish(clients);
    }

    /// Writes the outboxes of these clients, as far as their sockets take it, before their connections are cut or held.
    /// A broker that sleeps (DEBUG SLEEP) writes nothing.
    fn finish(&self, clients: Vec<ClientKey>) {
        if self.with_state(|state| state.asleep_until.is_some()) {
            return;
        }
        // The caller may be a task of a runtime, whose budget must not end the writes early.
        let finish = unconstrained(async {
            for client in clients {
                if let Some(connection) = self.connection(client) {
                    connection.finish(self);
                }
            }
        });
        let _ = pin!(finish).poll(&mut Context::from_waker(Waker::noop()));
    }

    /// Closes the sockets of the clients that `cut` cuts off, and returns how many they were.
    fn cut_off(&self, cut: impl FnOnce(&mut Engine, Time) -> Vec<ClientKey>) -> usize {
        let (count, connections) = self.change(|engine, now| {
            let clients = cut(engine, now);
            // Looked up while the engine is locked: afterwards one of them may have disconnected, and another client
            // may have its slot.
            let connections: Vec<_> = clients.iter().filter_map(|client| self.connection(*client)).collect();
            (clients.len(), connections)
        });
        for connection in connections {
            connection.cut();
        }
        count
    }
}
