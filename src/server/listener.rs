//! Listening sockets.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
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
    /// A Unix socket, with its path.
    #[cfg(unix)]
    Unix(tokio::net::UnixListener, PathBuf),
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

impl Listener {
    /// Accepts connections and serves each in a task of its own, for ever.
    pub async fn accept(self, shared: Arc<Shared>) {
        loop {
            let accepted = match &self {
                Self::Tcp(listener) => accept_tcp(listener, &shared).await,
                #[cfg(unix)]
                Self::Unix(listener, path) => accept_unix(listener, path, &shared).await,
            };
            if accepted.is_err() {
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn accept_tcp(listener: &TcpListener, shared: &Arc<Shared>) -> io::Result<()> {
    let (stream, peer) = listener.accept().await?;
    // Small replies must not wait for more. What fails here is this connection's end, not the listener's.
    let (Ok(()), Ok(local)) = (stream.set_nodelay(true), stream.local_addr()) else { return Ok(()) };
    let address = Address { peer: peer.to_string(), local: local.to_string(), unix: false };
    tokio::spawn(Arc::clone(shared).serve(stream, address));
    Ok(())
}

#[cfg(unix)]
async fn accept_unix(
    listener: &tokio::net::UnixListener,
    path: &std::path::Path,
    shared: &Arc<Shared>,
) -> io::Result<()> {
    let (stream, _) = listener.accept().await?;
    let name = format!("{}:0", path.display());
    let address = Address { peer: name.clone(), local: name, unix: true };
    tokio::spawn(Arc::clone(shared).serve(stream, address));
    Ok(())
}
