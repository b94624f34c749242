//! Settings of a broker, and its start.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use tokio::runtime::Runtime;
use tokio::sync::Notify;

use super::{Broker, StartError};
use crate::engine::Engine;
use crate::server::{Clock, Listener, Shared, listen};
use crate::store::Config;
use crate::store::config::OutputLimit;

/// Settings for a [`Broker`]; see [`Broker::builder`].
#[derive(Clone, Debug)]
pub struct Builder {
    addresses: Vec<IpAddr>,
    port: u16,
    unix_socket: Option<PathBuf>,
    password: Option<String>,
    seed: Option<u64>,
    config: Config,
}

impl Default for Builder {
    fn default() -> Self {
        Self {
            addresses: vec![IpAddr::V4(Ipv4Addr::LOCALHOST)],
            port: 0,
            unix_socket: None,
            password: None,
            seed: None,
            config: Config::default(),
        }
    }
}

impl Builder {
    /// The TCP port; 0, the default, takes a free one.
    #[must_use]
    pub fn port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// The addresses to listen on in place of 127.0.0.1. Whoever can reach them can use the broker.
    #[must_use]
    pub fn bind(mut self, addresses: impl IntoIterator<Item = IpAddr>) -> Self {
        self.addresses = addresses.into_iter().collect();
        self
    }

    /// Listens on a Unix socket at this path as well. The file is removed when the broker ends.
    #[must_use]
    pub fn unix_socket(mut self, path: impl Into<PathBuf>) -> Self {
        self.unix_socket = Some(path.into());
        self
    }

    /// The password that clients have to give (`requirepass`).
    #[must_use]
    pub fn password(mut self, password: impl Into<String>) -> Self {
        let password = password.into();
        self.config.requirepass = password.clone().into_bytes();
        self.password = (!password.is_empty()).then_some(password);
        self
    }

    /// The number of databases that SELECT chooses from, 16 unless said; at least one.
    #[must_use]
    pub fn databases(mut self, databases: usize) -> Self {
        self.config.databases = databases.max(1);
        self
    }

    /// The most clients at a time (`maxclients`), 10,000 unless said.
    #[must_use]
    pub fn max_clients(mut self, clients: usize) -> Self {
        self.config.maxclients = clients;
        self
    }

    /// The longest argument in bytes (`proto-max-bulk-len`), 512 MB unless said.
    #[must_use]
    pub fn max_bulk_length(mut self, bytes: u64) -> Self {
        self.config.proto_max_bulk_len = bytes;
        self
    }

    /// The most bytes that may wait to be run for one client (`client-query-buffer-limit`), 1 GB unless said.
    #[must_use]
    pub fn query_buffer_limit(mut self, bytes: usize) -> Self {
        self.config.client_query_buffer_limit = bytes;
        self
    }

    /// The most bytes that may wait to be sent to a subscriber before it is cut off
    /// (`client-output-buffer-limit pubsub`), 32 MB unless said; 0 for no limit.
    #[must_use]
    pub fn subscriber_output_limit(mut self, bytes: usize) -> Self {
        self.config.output_limit_pubsub = OutputLimit { hard: bytes, soft: 0, soft_seconds: 0 };
        self
    }

    /// Everything random follows from this number; without one from the system's randomness.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Starts the broker. When this returns it is listening.
    ///
    /// # Errors
    ///
    /// An address cannot be listened on, or the system gives no thread.
    pub fn start(self) -> Result<Broker, StartError> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .build()
            .map_err(StartError::Thread)?;
        let (listeners, addr) = {
            let _context = runtime.enter();
            self.listeners()?
        };
        let mut config = self.config;
        config.port = addr.port();
        config.bind = self.addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
        config.unixsocket =
            self.unix_socket.as_ref().map(|path| path.display().to_string()).unwrap_or_default();
        let clock = Clock::default();
        let seed = self.seed.unwrap_or_else(|| fastrand::u64(..));
        let engine = Engine::new(config, seed, clock.now());
        let shared = Arc::new(Shared::new(engine, clock));
        let stop = Arc::new(Notify::new());
        let handle = runtime.handle().clone();
        let thread = std::thread::Builder::new()
            .name(format!("minibroker:{}", addr.port()))
            .spawn({
                let (shared, stop) = (Arc::clone(&shared), Arc::clone(&stop));
                let unix_socket = self.unix_socket.clone();
                move || {
                    run(runtime, &shared, listeners, &stop);
                    if let Some(path) = unix_socket {
                        // It may have been removed by somebody else, which is as good.
                        let _ = std::fs::remove_file(path);
                    }
                }
            })
            .map_err(StartError::Thread)?;
        Ok(Broker {
            shared,
            runtime: handle,
            stop,
            thread: Some(thread),
            addr,
            password: self.password,
            unix_socket: self.unix_socket,
        })
    }

    fn listeners(&self) -> Result<(Vec<Listener>, SocketAddr), StartError> {
        let mut listeners = Vec::new();
        let mut first = None;
        for ip in &self.addresses {
            // Further addresses get the port that the first has got.
            let port = first.map_or(self.port, |first: SocketAddr| first.port());
            let address = SocketAddr::new(*ip, port);
            let failed = |source| StartError::Listen { address: address.to_string(), source };
            let listener = listen(address).map_err(failed)?;
            first.get_or_insert(listener.local_addr().map_err(failed)?);
            listeners.push(Listener::Tcp(listener));
        }
        #[cfg(unix)]
        if let Some(path) = &self.unix_socket {
            let failed = |source| StartError::Listen { address: path.display().to_string(), source };
            let listener = listen_on_path(path).map_err(failed)?;
            listeners.push(Listener::Unix(listener, path.clone()));
        }
        let addr = first.unwrap_or(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0));
        Ok((listeners, addr))
    }
}

/// Listens on a Unix socket; a file that a broker which was killed has left there is replaced, one that
/// somebody answers on is not.
#[cfg(unix)]
fn listen_on_path(path: &std::path::Path) -> std::io::Result<tokio::net::UnixListener> {
    match tokio::net::UnixListener::bind(path) {
        Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => {
            if std::os::unix::net::UnixStream::connect(path).is_ok() {
                return Err(error);
            }
            std::fs::remove_file(path)?;
            tokio::net::UnixListener::bind(path)
        }
        result => result,
    }
}

/// The broker's thread: everything runs here until the handle says stop.
fn run(runtime: Runtime, shared: &Arc<Shared>, listeners: Vec<Listener>, stop: &Notify) {
    runtime.block_on(async {
        for listener in listeners {
            tokio::spawn(listener.accept(Arc::clone(shared)));
        }
        let timer = Arc::clone(shared);
        tokio::spawn(async move { timer.keep_time().await });
        stop.notified().await;
    });
    shared.close_all();
    // Dropping it here ends all tasks, and with them the sockets.
    drop(runtime);
}
