//! The kind of server that a [`Broker`](super::Broker) is, as a type.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;

use tokio::runtime::Handle;
use tokio::sync::{Notify, watch};

use super::attached::Attached;
use super::{Broker, on_runtime};
use crate::server::{DataFile, Shared};

/// The types of [`Broker`]s: only [`Embedded`] and [`AnyServer`]. For functions of a test that take both.
///
/// ```
/// use minibroker::{Broker, Server, WaitError};
///
/// fn wait_for_the_room<S: Server>(broker: &Broker<S>) -> Result<(), WaitError> {
///     broker.wait_for_subscribers(broker.unique("room"), 0).blocking()
/// }
///
/// wait_for_the_room(&Broker::start()?)?;
/// wait_for_the_room(&Broker::from_env()?)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Server: sealed::Sealed {}

pub(super) mod sealed {
    /// Gives access to the server of a broker.
    pub trait Sealed {
        fn backend(&self) -> super::Backend<'_>;
    }
}

/// The server of a broker.
#[derive(Clone, Copy)]
pub enum Backend<'a> {
    /// In this process.
    Embedded(&'a Embedded),
    /// A server that was started elsewhere.
    Attached(&'a Attached),
}

/// A broker in this process: the default of [`Broker`].
pub struct Embedded {
    pub(super) shared: Arc<Shared>,
    pub(super) runtime: Handle,
    pub(super) stop: Arc<Notify>,
    pub(super) thread: Option<JoinHandle<()>>,
    /// In place of the thread.
    pub(super) tasks: Option<on_runtime::Tasks>,
    /// The address on which it listens.
    pub(super) addr: OnceLock<std::net::SocketAddr>,
    /// The certificates that it has made.
    #[cfg(feature = "tls")]
    pub(super) own_certificates: Option<Box<super::certificates::OwnCertificates>>,
    /// Its port speaks TLS.
    pub(super) encrypted: bool,
    pub(super) password: Option<String>,
    pub(super) unix_socket: Option<PathBuf>,
    pub(super) data_file: Option<Arc<DataFile>>,
    pub(super) prints_on_panic: AtomicBool,
    /// The number of the last event that has been printed.
    pub(super) printed: AtomicU64,
    /// Dropped to end its listeners.
    pub(super) alive: watch::Sender<()>,
}

impl Server for Embedded {}

impl sealed::Sealed for Embedded {
    fn backend(&self) -> Backend<'_> {
        Backend::Embedded(self)
    }
}

impl From<Embedded> for Broker {
    fn from(server: Embedded) -> Self {
        Self { server }
    }
}

/// A broker in this process, or a real server, as [`Broker::from_env`] and [`Broker::attach`] return it.
pub struct AnyServer(Either);

enum Either {
    Embedded(Box<Broker>),
    Attached(Box<Attached>),
}

impl Server for AnyServer {}

impl sealed::Sealed for AnyServer {
    fn backend(&self) -> Backend<'_> {
        match &self.0 {
            Either::Embedded(broker) => Backend::Embedded(&broker.server),
            Either::Attached(server) => Backend::Attached(server),
        }
    }
}

impl From<Broker> for Broker<AnyServer> {
    fn from(broker: Broker) -> Self {
        Self { server: AnyServer(Either::Embedded(Box::new(broker))) }
    }
}

impl From<Attached> for Broker<AnyServer> {
    fn from(server: Attached) -> Self {
        Self { server: AnyServer(Either::Attached(Box::new(server))) }
    }
}

impl Broker<AnyServer> {
    /// The broker in this process, with all its features; none if it is a real server.
    ///
    /// ```
    /// let broker = minibroker::Broker::from_env()?;
    /// broker.command(("SET", "session:ann", "there", "EX", 1))?;
    /// if let Some(broker) = broker.embedded() {
    ///     broker.advance(std::time::Duration::from_secs(1));
    /// }
    /// broker.wait_until(|state| !state.exists("session:ann")).blocking()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// A feature of only embedded brokers does not compile without this:
    ///
    /// ```compile_fail
    /// let broker = minibroker::Broker::from_env().unwrap();
    /// broker.advance(std::time::Duration::from_secs(1));
    /// ```
    #[must_use]
    pub fn embedded(&self) -> Option<&Broker> {
        match &self.server.0 {
            Either::Embedded(broker) => Some(broker),
            Either::Attached(_) => None,
        }
    }
}

impl std::fmt::Debug for Embedded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Embedded").field("addr", &self.addr.get()).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for AnyServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let name = match &self.0 {
            Either::Embedded(_) => "Embedded",
            Either::Attached(_) => "Attached",
        };
        f.debug_struct(name).finish_non_exhaustive()
    }
}

impl<S: Server> super::Broker<S> {
    /// A channel name that no other test uses, for tests that run at the same time on one
    /// [real server](Broker::attach): there a suffix is added to the name. An embedded broker has its channels for
    /// itself: there it is the name.
    ///
    /// ```
    /// let broker = minibroker::Broker::start()?;
    /// assert_eq!(broker.unique("chat"), "chat");
    /// # Ok::<(), minibroker::StartError>(())
    /// ```
    #[must_use]
    pub fn unique(&self, name: &str) -> String {
        match self.server.backend() {
            Backend::Embedded(_) => name.to_owned(),
            Backend::Attached(server) => format!("{name}:{}", server.token()),
        }
    }
}

impl Backend<'_> {
    /// Prints the events before a failure, if the test wants that.
    pub(super) fn print_if_wanted(self) {
        match self {
            Self::Embedded(broker) => broker.print_if_wanted(),
            Self::Attached(server) => server.print_if_wanted(),
        }
    }
}

impl std::fmt::Debug for Backend<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Embedded(_) => "Embedded",
            Self::Attached(_) => "Attached",
        })
    }
}

impl Drop for Embedded {
    fn drop(&mut self) {
        if self.shared.is_forked() {
            // It is the parent's. Dropping these would write to its event queue and remove its socket's file.
            std::mem::forget(Arc::clone(&self.shared));
            std::mem::forget((self.thread.take(), self.tasks.take(), std::mem::take(&mut self.alive)));
            return;
        }
        if std::thread::panicking() {
            self.print_if_wanted();
        }
        self.shared.end_scripts_for_ever();
        if let Some(tasks) = self.tasks.take() {
            drop(tasks);
            self.shared.close_all();
        }
        self.stop.notify_one();
        if let Some(thread) = self.thread.take() {
            // A panic of that thread has been reported there; a second one while unwinding would abort.
            let _ = thread.join();
        }
        if let Some(file) = &self.data_file {
            // What was begun is there when the broker has ended.
            file.finish();
        }
    }
}
