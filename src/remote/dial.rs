//! Connecting to a server.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::{RemoteError, Target, Transport};

/// How long a server may take to accept a connection and to answer a command that does not block.
pub const TIMEOUT: Duration = Duration::from_secs(5);

/// An open connection to a server, before the first request.
#[derive(Debug)]
pub enum Socket {
    /// Over TCP.
    Tcp(TcpStream),
    /// Over TLS.
    #[cfg(feature = "tls")]
    Tls(Box<tokio_rustls::client::TlsStream<TcpStream>>),
    /// Over a Unix socket.
    #[cfg(unix)]
    Unix(tokio::net::UnixStream),
}

impl Socket {
    /// Connects.
    pub async fn dial(target: &Target) -> Result<Self, RemoteError> {
        in_time(async {
            match &target.transport {
                #[cfg(not(feature = "tls"))]
                Transport::Tcp { tls: true, .. } => Err(RemoteError::WithoutTls),
                #[cfg(feature = "tls")]
                Transport::Tcp { host, port, tls: true } => {
                    let stream = tcp(host, *port).await?;
                    Ok(Self::Tls(Box::new(super::tls::connect(stream, host, target.insecure).await?)))
                }
                Transport::Tcp { host, port, tls: false } => Ok(Self::Tcp(tcp(host, *port).await?)),
                #[cfg(unix)]
                Transport::Unix(path) => Ok(Self::Unix(tokio::net::UnixStream::connect(path).await?)),
                #[cfg(not(unix))]
                Transport::Unix(_) => Err(RemoteError::System("this system has no Unix sockets".to_owned())),
            }
        })
        .await
    }

    /// The address of the server's end, if it has one.
    pub fn server(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(stream) => stream.peer_addr().ok(),
            #[cfg(feature = "tls")]
            Self::Tls(stream) => stream.get_ref().0.peer_addr().ok(),
            #[cfg(unix)]
            Self::Unix(_) => None,
        }
    }
}

#[cfg(feature = "cli")]
impl Socket {
    /// The address of the client's end, if it has one.
    pub fn client(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(stream) => stream.local_addr().ok(),
            #[cfg(feature = "tls")]
            Self::Tls(stream) => stream.get_ref().0.local_addr().ok(),
            #[cfg(unix)]
            Self::Unix(_) => None,
        }
    }
}

async fn tcp(host: &str, port: u16) -> Result<TcpStream, RemoteError> {
    let stream = TcpStream::connect((host, port)).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Does the same with any kind of stream.
macro_rules! each {
    ($socket:expr, $stream:ident => $work:expr) => {
        match $socket.get_mut() {
            Socket::Tcp($stream) => $work,
            #[cfg(feature = "tls")]
            Socket::Tls($stream) => $work,
            #[cfg(unix)]
            Socket::Unix($stream) => $work,
        }
    };
}

impl AsyncRead for Socket {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        each!(self, stream => Pin::new(stream).poll_read(context, buffer))
    }
}

impl AsyncWrite for Socket {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        each!(self, stream => Pin::new(stream).poll_write(context, bytes))
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(self, stream => Pin::new(stream).poll_flush(context))
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(self, stream => Pin::new(stream).poll_shutdown(context))
    }
}

/// Limits connecting, and commands that do not block, to [`TIMEOUT`].
pub async fn in_time<T>(work: impl Future<Output = Result<T, RemoteError>>) -> Result<T, RemoteError> {
    tokio::time::timeout(TIMEOUT, work).await.unwrap_or(Err(RemoteError::Silent))
}
