//! Listening sockets.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket};

use super::Shared;
use crate::store::clients::Address;

/// How many connections may wait to be accepted: redis-server's `tcp-backlog` is 511; thousands of tests that
/// connect at once deserve more.
const BACKLOG: u32 = 1024;
/// How long accepting pauses when the system has no file descriptor left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);

/// A socket that accepts connections.
#[derive(Debug)]
pub enum Listener {
    /// TCP.
    Tcp(TcpListener),
    /// A Unix socket.
    #[cfg(unix)]
    Unix(UnixSocket),
}

/// A Unix socket that accepts connections. Its file goes with it.
#[cfg(unix)]
#[derive(Debug)]
pub struct UnixSocket {
    listener: tokio::net::UnixListener,
    path: std::path::PathBuf,
}

#[cfg(unix)]
impl Drop for UnixSocket {
    fn drop(&mut self) {
        // It may have been removed by somebody else, which is as good.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Listens on a TCP address. Needs the context of a runtime.
///
/// # Errors
///
/// The port is taken, or the address is not this machine's.
pub fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // A port that was free a moment ago is free: connections that are still ending do not hold it.
    #[cfg(unix)]
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Listens on a Unix socket. The file that a broker which was killed has left behind is replaced; a socket that
/// somebody answers on is not, nor is a file of another kind. Needs the context of a runtime.
///
/// # Errors
///
/// The path is taken, or cannot be made.
#[cfg(unix)]
pub fn listen_on_path(path: &std::path::Path) -> io::Result<UnixSocket> {
    use std::os::unix::fs::FileTypeExt;
    use tokio::net::UnixListener;

    let listener = match UnixListener::bind(path) {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            let is_socket = std::fs::symlink_metadata(path)?.file_type().is_socket();
            let answer = std::os::unix::net::UnixStream::connect(path);
            let nobody = answer.is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused);
            if !is_socket || !nobody {
                return Err(error);
            }
            std::fs::remove_file(path)?;
            UnixListener::bind(path)?
        }
        result => result?,
    };
    // The file is found again though the program changes its folder.
    Ok(UnixSocket { listener, path: std::path::absolute(path)? })
}

impl Listener {
    /// Accepts connections and serves each in a task of its own, for ever.
    pub async fn accept(self, shared: Arc<Shared>) {
        loop {
            let accepted = match &self {
                Self::Tcp(listener) => accept_tcp(listener, &shared).await,
                #[cfg(unix)]
                Self::Unix(socket) => accept_unix(socket, &shared).await,
            };
            match accepted {
                Ok(()) => {}
                // Whoever it was has gone again.
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
            }
        }
    }
}

async fn accept_tcp(listener: &TcpListener, shared: &Arc<Shared>) -> io::Result<()> {
    let (stream, peer) = listener.accept().await?;
    // Small replies must not wait for more. Where this fails the connection has ended, which reading it will tell.
    let _ = stream.set_nodelay(true);
    let local = stream.local_addr().or_else(|_| listener.local_addr())?;
    let address = Address { peer: peer.to_string(), local: local.to_string(), unix: false };
    tokio::spawn(Arc::clone(shared).serve(stream, address));
    Ok(())
}

#[cfg(unix)]
async fn accept_unix(socket: &UnixSocket, shared: &Arc<Shared>) -> io::Result<()> {
    let (stream, _) = socket.listener.accept().await?;
    let name = format!("{}:0", socket.path.display());
    let address = Address { peer: name.clone(), local: name, unix: true };
    tokio::spawn(Arc::clone(shared).serve(stream, address));
    Ok(())
}
