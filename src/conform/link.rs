//! A connection for a thread that has no runtime running.

use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::runtime::{Builder, Runtime};
use tokio::time::timeout;

use crate::remote::{LARGEST_REPLY, RemoteError, Socket, Target};

/// How many bytes are read at a time.
const READ: usize = 64 * 1024;

/// The result of a read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Arrived {
    /// Nothing yet.
    Nothing,
    /// Bytes.
    Bytes,
    /// The end of the connection.
    End,
}

/// A connection to a server. Its calls block, at most for the time that each is given.
#[derive(Debug)]
pub(super) struct Link {
    socket: Socket,
    runtime: Rc<Runtime>,
}

/// The runtime that drives connections. One is enough for all connections of a thread.
pub(super) fn runtime() -> io::Result<Rc<Runtime>> {
    Ok(Rc::new(Builder::new_current_thread().enable_io().enable_time().build()?))
}

impl Link {
    pub(super) fn dial(runtime: &Rc<Runtime>, target: &Target) -> Result<Self, RemoteError> {
        let socket = runtime.block_on(Socket::dial(target))?;
        Ok(Self { socket, runtime: Rc::clone(runtime) })
    }

    /// The address of the client's end, if it has one.
    pub(super) fn local_addr(&self) -> Option<SocketAddr> {
        self.socket.client()
    }

    /// The address of the server's end, if it has one.
    pub(super) fn server(&self) -> Option<SocketAddr> {
        self.socket.server()
    }

    /// Writes all bytes.
    pub(super) fn write(&mut self, bytes: &[u8], limit: Duration) -> io::Result<()> {
        let socket = &mut self.socket;
        self.runtime.block_on(async {
            let written = async {
                socket.write_all(bytes).await?;
                // TLS buffers what its socket does not accept.
                socket.flush().await
            };
            timeout(limit, written).await.unwrap_or(Err(io::ErrorKind::TimedOut.into()))
        })
    }

    /// Appends what has arrived, without waiting.
    pub(super) fn read_arrived(&mut self, into: &mut Vec<u8>) -> io::Result<Arrived> {
        let socket = &mut self.socket;
        self.runtime.block_on(async {
            // Lets the runtime poll the system for what has arrived.
            tokio::task::yield_now().await;
            read(socket, into, false).await
        })
    }

    /// Waits until something has arrived, and appends it.
    pub(super) fn read(&mut self, into: &mut Vec<u8>, limit: Duration) -> io::Result<Arrived> {
        let socket = &mut self.socket;
        self.runtime.block_on(async {
            timeout(limit, read(socket, into, true)).await.unwrap_or(Err(io::ErrorKind::TimedOut.into()))
        })
    }
}

async fn read(socket: &mut Socket, into: &mut Vec<u8>, waits: bool) -> io::Result<Arrived> {
    // The server does not stop sending, or sends more than any case asks for.
    if into.len() as u64 > LARGEST_REPLY {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    into.reserve(READ);
    let mut reading = pin!(socket.read_buf(into));
    poll_fn(|context| match reading.as_mut().poll(context) {
        Poll::Pending if waits => Poll::Pending,
        Poll::Pending => Poll::Ready(Ok(Arrived::Nothing)),
        // A server that closes with unread input resets the connection: it has closed the connection all the
        // same.
        Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::ConnectionReset => {
            Poll::Ready(Ok(Arrived::End))
        }
        Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
        Poll::Ready(Ok(0)) => Poll::Ready(Ok(Arrived::End)),
        Poll::Ready(Ok(_)) => Poll::Ready(Ok(Arrived::Bytes)),
    })
    .await
}
