//! A client connects: it is admitted or refused, and its connection is served until it ends.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::AsyncWriteExt;

use super::Shared;
use super::connection::{Task, Transport};
use crate::clients::{Address, ClientKey};
use crate::resp::{Protocol, Reply};
use crate::spec::Error;
use crate::testing::Availability;

impl Shared {
    /// Accepts a connection and returns the future that serves it until it ends. When this returns the client counts:
    /// it is in all later lists of clients, though nothing has been read yet. A client above `maxclients` gets an
    /// error and is closed. While the broker refuses connections, or is stopped, the connection ends at once.
    pub fn serve(
        self: Arc<Self>,
        transport: impl Transport + 'static,
        address: Address,
    ) -> impl Future<Output = ()> + Send + 'static {
        self.serve_if(Availability::accepts, transport, address)
    }

    /// As [`Shared::serve`], for a connection that was accepted in this run of the broker. It stays, though the broker
    /// may refuse others by now, unless the broker has been stopped.
    pub(super) fn serve_accepted(
        self: Arc<Self>,
        transport: impl Transport + 'static,
        address: Address,
        run: u32,
    ) -> impl Future<Output = ()> + Send + 'static {
        self.serve_if(is_of(run), transport, address)
    }

    /// As [`Shared::serve_accepted`], over TLS. A client above `maxclients` gets nothing, as from redis-server: there was
    /// no handshake yet.
    #[cfg(feature = "tls")]
    pub(super) fn serve_encrypted(
        self: Arc<Self>,
        transport: impl Transport + 'static,
        address: Address,
        run: u32,
    ) -> impl Future<Output = ()> + Send + 'static {
        let shared = Arc::clone(&self);
        let make = |transport, client| Task::new(shared, transport, client, None);
        match self.admit(is_of(run), transport, address, make) {
            Admission::Taken(task) => Service::Client(task.run()),
            Admission::Full(..) | Admission::Refused => Service::Nothing,
        }
    }

    fn serve_if(
        self: Arc<Self>,
        admits: impl FnOnce(Availability) -> bool,
        transport: impl Transport + 'static,
        address: Address,
    ) -> impl Future<Output = ()> + Send + 'static {
        let shared = Arc::clone(&self);
        let make = |transport, client| Task::new(shared, transport, client, None);
        match self.admit(admits, transport, address, make) {
            Admission::Taken(task) => Service::Client(task.run()),
            Admission::Full(transport, error) => Service::Refused(Box::pin(refuse(transport, error))),
            Admission::Refused => Service::Nothing,
        }
    }

    /// Adds a client and makes the task of its connection. Both happen while the engine is locked: whatever is ordered
    /// for the client from then on finds its connection.
    pub(super) fn admit<T: Transport>(
        &self,
        admits: impl FnOnce(Availability) -> bool,
        transport: T,
        address: Address,
        make: impl FnOnce(T, ClientKey) -> Task,
    ) -> Admission<T> {
        self.change(|engine, now| {
            if !admits(engine.state().availability) {
                return Admission::Refused;
            }
            match engine.connect(address, now) {
                Ok(client) => Admission::Taken(make(transport, client)),
                Err(error) => Admission::Full(transport, error),
            }
        })
    }

    /// Sends all commands to the observer at the other end, until it closes the connection.
    pub fn send_commands(
        self: Arc<Self>,
        transport: impl Transport + 'static,
    ) -> impl Future<Output = ()> + Send {
        let shared = Arc::clone(&self);
        let task = self.change(|engine, now| {
            let client = engine.connect_observer(now);
            Task::new(shared, transport, client, None)
        });
        task.run()
    }
}

/// Whether a connection that was accepted in this run of the broker stays.
fn is_of(run: u32) -> impl FnOnce(Availability) -> bool {
    move |now| now.run() == run && !now.is_stopped()
}

/// The result for a client that wants to connect.
pub(super) enum Admission<T> {
    Taken(Task),
    /// There are `maxclients` already; it gets an error.
    Full(T, Error),
    /// No connections are accepted at the moment.
    Refused,
}

/// What serves a connection. It is a type of its own because it lives as long as the connection: an async block would
/// take three times the memory.
enum Service<F> {
    Client(F),
    Refused(Pin<Box<dyn Future<Output = ()> + Send>>),
    Nothing,
}

impl<F: Future<Output = ()> + Unpin> Future for Service<F> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        match self.get_mut() {
            Self::Client(client) => Pin::new(client).poll(context),
            Self::Refused(refusal) => refusal.as_mut().poll(context),
            Self::Nothing => Poll::Ready(()),
        }
    }
}

/// The error for a client above `maxclients`, as bytes.
pub(super) fn refusal(error: &Error) -> Vec<u8> {
    let mut bytes = Vec::new();
    Reply::new(&mut bytes, Protocol::Resp2).error(error.text());
    bytes
}

/// Sends a client above `maxclients` its error.
pub(super) async fn refuse(mut transport: impl Transport, error: Error) {
    // Best effort, as redis-server: the client may have closed the connection.
    let _ = transport.write_all(&refusal(&error)).await;
}
