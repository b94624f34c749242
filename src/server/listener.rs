//! Listening sockets. They are open while the engine accepts connections.
//!
//! A socket that is closed keeps its address: beside every listening TCP socket there is another that is bound to the
//! same address and does not listen. The system refuses connections to it, and does not give its port to another
//! process.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use parking_lot::Mutex;
use socket2::SockRef;
use tokio::net::{TcpListener, TcpSocket, TcpStream};

use super::Shared;
use super::direct::OverSocket;
use super::serving::refusal;
#[cfg(feature = "tls")]
use super::tls::{Certificates, OverTls};
use crate::clients::Address;
use crate::engine::Engine;
use crate::spec::Error;

/// How many connections may wait to be accepted: redis-server's `tcp-backlog` is 511; thousands of tests may connect
/// at once.
const BACKLOG: u32 = 1024;
/// Accepted connections inherit `TCP_NODELAY` from the listening socket: true for Linux. It saves a system call for each
/// of them.
const NO_DELAY_IS_INHERITED: bool = cfg!(any(target_os = "linux", target_os = "android"));
/// How many bytes are read from a connection that is refused.
const UNREAD: usize = 4096;
/// How long accepting pauses when the process has no file descriptor left, not even the spare one.
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);

/// A file descriptor in reserve: it is closed for a moment to accept a connection for which there is no other, so that
/// the client gets an error instead of waiting for ever. One is enough for all brokers of the process.
static SPARE: Mutex<Option<TcpSocket>> = Mutex::new(None);

/// Makes sure that there is a spare file descriptor; if none is left, the next call tries again.
fn keep_spare() {
    let mut spare = SPARE.lock();
    if spare.is_none() {
        *spare = TcpSocket::new_v4().ok();
    }
}

/// An address at which connections are accepted or refused.
#[derive(Debug)]
pub struct Listener {
    endpoint: Endpoint,
    /// What CLIENT LIST shows as the broker's end of a connection, if that is always the same.
    local: Option<Arc<str>>,
    /// TLS is spoken, with these certificates.
    #[cfg(feature = "tls")]
    certificates: Option<Arc<Certificates>>,
    state: Mutex<State>,
}

#[derive(Debug)]
enum Endpoint {
    Tcp(SocketAddr),
    #[cfg(unix)]
    Unix(std::path::PathBuf),
}

#[derive(Debug, Default)]
struct State {
    /// Set while connections are accepted.
    socket: Option<Socket>,
    /// Bound to the address and not listening.
    reserved: Option<TcpSocket>,
    /// In which run of the broker the socket was opened.
    run: u32,
    /// Connections that waited when the socket was closed.
    waiting: VecDeque<Stream>,
    /// The task that accepts.
    task: Option<Waker>,
    /// The address has been released.
    ended: bool,
}

#[derive(Debug)]
enum Socket {
    Tcp(TcpListener),
    #[cfg(unix)]
    Unix(tokio::net::UnixListener),
}

#[derive(Debug)]
enum Stream {
    Tcp(TcpStream, SocketAddr),
    #[cfg(unix)]
    Unix(tokio::net::UnixStream),
}

impl Stream {
    /// Writes as many of the bytes as are taken at once, and closes the connection.
    fn send_and_close(self, bytes: &[u8]) {
        match self {
            Self::Tcp(stream, _) => stream.into_std().map_or((), |stream| send_last(stream, bytes)),
            #[cfg(unix)]
            Self::Unix(stream) => stream.into_std().map_or((), |stream| send_last(stream, bytes)),
        }
    }
}

/// Best effort: the client may have closed it. What it has sent is read, as closing with unread bytes resets the
/// connection.
fn send_last(mut stream: impl Read + Write, bytes: &[u8]) {
    let _ = stream.write(bytes);
    let _ = stream.read(&mut [0; UNREAD]);
}

/// A TCP socket that is bound and does not listen.
fn bind(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // Connections that are still ending do not keep a port that was free a moment ago from being bound.
    #[cfg(unix)]
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}

/// Lets a bound socket share its address, or use it exclusively. If this fails nothing changes, and at worst another
/// process that asks for this very port can take it while the broker does not listen.
fn share(socket: &TcpSocket, shared: bool) {
    #[cfg(unix)]
    let _ = socket.set_reuseaddr(shared);
    #[cfg(not(unix))]
    let _ = (socket, shared);
}

/// Another socket that keeps the address of `socket`, which does not listen yet. Linux allows that; elsewhere the address
/// is bound again when the listening socket has been closed.
fn reserve(socket: &TcpSocket) -> Option<TcpSocket> {
    if cfg!(any(target_os = "linux", target_os = "android")) {
        bind(socket.local_addr().ok()?).ok()
    } else {
        None
    }
}

/// Binds a Unix socket and listens. The file left by a broker that was killed is replaced; a socket on which a server
/// answers is not, nor is a file of another kind.
#[cfg(unix)]
fn bind_path(path: &std::path::Path) -> io::Result<tokio::net::UnixListener> {
    use std::os::unix::fs::FileTypeExt;
    use tokio::net::UnixListener;

    match UnixListener::bind(path) {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            let is_socket = std::fs::symlink_metadata(path)?.file_type().is_socket();
            if !is_socket || has_listener(path) {
                return Err(error);
            }
            std::fs::remove_file(path)?;
            UnixListener::bind(path)
        }
        result => result,
    }
}

/// False if there is a Unix socket at the path on which no process listens.
#[cfg(unix)]
fn has_listener(path: &std::path::Path) -> bool {
    let answer = std::os::unix::net::UnixStream::connect(path);
    !answer.is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
}

impl Listener {
    /// Listens on a TCP address. Needs the context of a runtime.
    ///
    /// # Errors
    ///
    /// The port is taken, or the address is not this machine's.
    pub fn tcp(address: SocketAddr) -> io::Result<Self> {
        let socket = bind(address)?;
        let address = socket.local_addr()?;
        let local = (!address.ip().is_unspecified()).then(|| address.to_string().into());
        let state = State { reserved: Some(socket), ..State::default() };
        let listener = Self {
            endpoint: Endpoint::Tcp(address),
            local,
            #[cfg(feature = "tls")]
            certificates: None,
            state: Mutex::new(state),
        };
        listener.open(0)?;
        Ok(listener)
    }

    /// Listens on a Unix socket. The file left by a broker that was killed is replaced; a socket on which a server
    /// answers is not, nor is a file of another kind. The file is removed with the listener. Needs the context of a
    /// runtime.
    ///
    /// # Errors
    ///
    /// The path is taken, or cannot be created.
    #[cfg(unix)]
    pub fn unix(path: &std::path::Path) -> io::Result<Self> {
        let socket = bind_path(path)?;
        // The file is found again even if the program changes its working directory.
        let path = std::path::absolute(path)?;
        let local = Some(format!("{}:0", path.display()).into());
        keep_spare();
        let state = State { socket: Some(Socket::Unix(socket)), ..State::default() };
        Ok(Self {
            endpoint: Endpoint::Unix(path),
            local,
            #[cfg(feature = "tls")]
            certificates: None,
            state: Mutex::new(state),
        })
    }

    /// The connections that it accepts speak TLS.
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn encrypted(mut self, certificates: Arc<Certificates>) -> Self {
        self.certificates = Some(certificates);
        self
    }

    /// The address, or the path of a Unix socket.
    #[must_use]
    pub fn endpoint(&self) -> String {
        match &self.endpoint {
            Endpoint::Tcp(address) => address.to_string(),
            #[cfg(unix)]
            Endpoint::Unix(path) => path.display().to_string(),
        }
    }

    /// The TCP address, with the port that the system has assigned.
    #[must_use]
    pub fn address(&self) -> Option<SocketAddr> {
        match self.endpoint {
            Endpoint::Tcp(address) => Some(address),
            #[cfg(unix)]
            Endpoint::Unix(_) => None,
        }
    }

    /// Accepts connections from now on, unless it does already or has ended. Needs the context of a runtime.
    ///
    /// # Errors
    ///
    /// The system refuses; it stays closed.
    pub(super) fn open(&self, run: u32) -> io::Result<()> {
        let mut state = self.state.lock();
        if state.ended || state.socket.is_some() {
            return Ok(());
        }
        state.socket = Some(match &self.endpoint {
            Endpoint::Tcp(address) => {
                let socket = match state.reserved.take() {
                    Some(reserved) => reserved,
                    None => bind(*address)?,
                };
                share(&socket, true);
                if NO_DELAY_IS_INHERITED {
                    // If this fails connections are slower, and no worse.
                    let _ = socket.set_nodelay(true);
                }
                let reserved = reserve(&socket);
                let listening = socket.listen(BACKLOG);
                state.reserved = reserved;
                if let Some(reserved) = &state.reserved {
                    share(reserved, false);
                }
                Socket::Tcp(listening?)
            }
            #[cfg(unix)]
            Endpoint::Unix(path) => Socket::Unix(bind_path(path)?),
        });
        keep_spare();
        state.run = run;
        if let Some(task) = &state.task {
            task.wake_by_ref();
        }
        Ok(())
    }

    /// Refuses connections from now on, but serves those that are waiting to be accepted if `keeps_waiting`.
    ///
    /// # Errors
    ///
    /// The system cannot keep the address: another process may take it. The socket is closed nevertheless.
    pub(super) fn close(&self, keeps_waiting: bool) -> io::Result<()> {
        let mut state = self.state.lock();
        let State { socket, waiting, task, .. } = &mut *state;
        if !keeps_waiting {
            waiting.clear();
        }
        let Some(socket) = socket.take() else { return Ok(()) };
        if keeps_waiting {
            // Connections that the system has accepted and the broker has not would be reset with the socket.
            take_waiting(socket, waiting);
            if let Some(task) = task {
                task.wake_by_ref();
            }
        } else {
            drop(socket);
        }
        if let (Endpoint::Tcp(address), None) = (&self.endpoint, &state.reserved) {
            state.reserved = Some(bind(*address)?);
        }
        Ok(())
    }

    /// Releases the address.
    pub(super) fn end(&self) {
        let mut state = self.state.lock();
        if state.ended {
            return;
        }
        let was_open = state.socket.is_some();
        *state = State { ended: true, ..State::default() };
        #[cfg(unix)]
        if let Endpoint::Unix(path) = &self.endpoint
            && (was_open || !has_listener(path))
        {
            // It may have been removed already.
            let _ = std::fs::remove_file(path);
        }
        #[cfg(not(unix))]
        let _ = was_open;
    }

    /// Accepts connections and serves each in a task of its own, until the runtime ends.
    pub async fn accept(self: Arc<Self>, shared: Arc<Shared>) {
        loop {
            match poll_fn(|context| self.poll_accept(context)).await {
                Ok((stream, run)) => self.serve(stream, run, &shared),
                // The client has closed the connection already.
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                // There is no file descriptor left for another.
                Err(_) => {
                    let refused = poll_fn(|context| Poll::Ready(self.refuse_one(context, &shared))).await;
                    if !refused {
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                }
            }
        }
    }

    /// Accepts a connection with the spare file descriptor, sends it the error for a client above `maxclients`, and
    /// closes it; false if there was no connection or no spare.
    fn refuse_one(&self, context: &mut Context<'_>, shared: &Shared) -> bool {
        let spare = SPARE.lock().take();
        let was_there = spare.is_some();
        drop(spare);
        let accepted = if was_there { self.poll_accept(context) } else { Poll::Pending };
        let refused = if let Poll::Ready(Ok((stream, _))) = accepted {
            let error = shared.change(Engine::refuse);
            stream.send_and_close(&self.refusal(&error));
            true
        } else {
            false
        };
        keep_spare();
        refused
    }

    /// What a client gets for which there is no file descriptor: nothing where it expects a handshake.
    #[cfg_attr(not(feature = "tls"), allow(clippy::unused_self))]
    fn refusal(&self, error: &Error) -> Vec<u8> {
        #[cfg(feature = "tls")]
        if self.certificates.is_some() {
            return Vec::new();
        }
        refusal(error)
    }

    /// The next connection, and the run of the broker in which it came.
    fn poll_accept(&self, context: &mut Context<'_>) -> Poll<io::Result<(Stream, u32)>> {
        let mut state = self.state.lock();
        if !state.task.as_ref().is_some_and(|task| task.will_wake(context.waker())) {
            state.task = Some(context.waker().clone());
        }
        let run = state.run;
        if let Some(stream) = state.waiting.pop_front() {
            return Poll::Ready(Ok((stream, run)));
        }
        let stream = match &state.socket {
            None => return Poll::Pending,
            Some(Socket::Tcp(socket)) => socket
                .poll_accept(context)
                .map(|accepted| accepted.map(|(stream, peer)| Stream::Tcp(stream, peer))),
            #[cfg(unix)]
            Some(Socket::Unix(socket)) => {
                socket.poll_accept(context).map(|accepted| accepted.map(|(stream, _)| Stream::Unix(stream)))
            }
        };
        stream.map(|stream| stream.map(|stream| (stream, run)))
    }

    /// Accepts all waiting connections, even those that the runtime does not know of.
    pub(super) fn accept_directly(&self, shared: &Arc<Shared>) {
        while let Some((stream, run)) = self.next_directly() {
            self.serve(stream, run, shared);
        }
    }

    fn next_directly(&self) -> Option<(Stream, u32)> {
        let mut state = self.state.lock();
        let run = state.run;
        if let Some(stream) = state.waiting.pop_front() {
            return Some((stream, run));
        }
        let stream = match state.socket.as_ref()? {
            Socket::Tcp(socket) => {
                let (stream, peer) = SockRef::from(socket).accept().ok()?;
                stream.set_nonblocking(true).ok()?;
                Stream::Tcp(TcpStream::from_std(stream.into()).ok()?, peer.as_socket()?)
            }
            #[cfg(unix)]
            Socket::Unix(socket) => {
                let (stream, _) = SockRef::from(socket).accept().ok()?;
                stream.set_nonblocking(true).ok()?;
                Stream::Unix(tokio::net::UnixStream::from_std(stream.into()).ok()?)
            }
        };
        Some((stream, run))
    }

    fn serve(&self, stream: Stream, run: u32, shared: &Arc<Shared>) {
        let shared = Arc::clone(shared);
        match stream {
            Stream::Tcp(stream, peer) => {
                if !NO_DELAY_IS_INHERITED {
                    // If this fails the connection has ended, which the next read reports.
                    let _ = stream.set_nodelay(true);
                }
                let ask = || match stream.local_addr().ok().or(self.address()) {
                    Some(local) => local.to_string().into(),
                    None => Arc::default(),
                };
                let local = self.local.clone().unwrap_or_else(ask);
                let address = Address { peer: peer.to_string().into(), local, unix: false };
                #[cfg(feature = "tls")]
                if let Some(certificates) = &self.certificates {
                    let stream = OverTls::accept(OverSocket(stream), certificates);
                    tokio::spawn(shared.serve_encrypted(stream, address, run));
                    return;
                }
                tokio::spawn(shared.serve_accepted(OverSocket(stream), address, run));
            }
            #[cfg(unix)]
            Stream::Unix(stream) => {
                let local = self.local.clone().unwrap_or_default();
                let address = Address { peer: local.as_ref().into(), local, unix: true };
                tokio::spawn(shared.serve_accepted(OverSocket(stream), address, run));
            }
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.end();
    }
}

/// Accepts all connections that wait already, and closes the socket. It asks the system: the runtime may not know of
/// them yet.
fn take_waiting(socket: Socket, waiting: &mut VecDeque<Stream>) {
    match socket {
        Socket::Tcp(socket) => {
            let Ok(socket) = socket.into_std() else { return };
            while let Ok((stream, peer)) = socket.accept() {
                if stream.set_nonblocking(true).is_ok()
                    && let Ok(stream) = TcpStream::from_std(stream)
                {
                    waiting.push_back(Stream::Tcp(stream, peer));
                }
            }
        }
        #[cfg(unix)]
        Socket::Unix(socket) => {
            let Ok(socket) = socket.into_std() else { return };
            while let Ok((stream, _)) = socket.accept() {
                if stream.set_nonblocking(true).is_ok()
                    && let Ok(stream) = tokio::net::UnixStream::from_std(stream)
                {
                    waiting.push_back(Stream::Unix(stream));
                }
            }
        }
    }
}
