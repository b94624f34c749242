//! Sockets that can be used while the runtime is in the middle of a task.
//!
//! tokio reads and writes a socket when the system has reported it as ready, and asks the system between two tasks. In
//! the middle of a task, while a [`Directly`] lives in a thread, a socket is also tried if tokio does not know it to be
//! ready. tokio later finds nothing to read, and waits.

use std::cell::Cell;
use std::io::{self, IoSlice, Read, Write};
use std::pin::Pin;
use std::task::{Context, Poll};

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

thread_local! {
    static DIRECTLY: Cell<bool> = const { Cell::new(false) };
}

/// As long as this lives, sockets are tried without asking tokio in this thread.
pub(super) struct Directly(());

impl Directly {
    pub fn begin() -> Self {
        DIRECTLY.set(true);
        Self(())
    }

    pub fn is_on() -> bool {
        DIRECTLY.get()
    }
}

impl Drop for Directly {
    fn drop(&mut self) {
        DIRECTLY.set(false);
    }
}

/// A socket of the operating system.
#[cfg(unix)]
pub(super) trait Socket: AsyncRead + AsyncWrite + Unpin + std::os::fd::AsFd {}
#[cfg(unix)]
impl<S: AsyncRead + AsyncWrite + Unpin + std::os::fd::AsFd> Socket for S {}
/// A socket of the operating system.
#[cfg(windows)]
pub(super) trait Socket: AsyncRead + AsyncWrite + Unpin + std::os::windows::io::AsSocket {}
#[cfg(windows)]
impl<S: AsyncRead + AsyncWrite + Unpin + std::os::windows::io::AsSocket> Socket for S {}

/// The transport over a socket.
pub(super) struct OverSocket<S>(pub S);

/// The result of a system call; pending if it would block.
fn tried<T>(result: io::Result<T>) -> Poll<io::Result<T>> {
    match result {
        Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {
            Poll::Pending
        }
        result => Poll::Ready(result),
    }
}

impl<S: Socket> AsyncRead for OverSocket<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = Pin::new(&mut self.0).poll_read(context, buffer);
        if read.is_ready() || !Directly::is_on() {
            return read;
        }
        let result = (&*SockRef::from(&self.0)).read(buffer.initialize_unfilled());
        tried(result).map_ok(|count| buffer.advance(count))
    }
}

impl<S: Socket> AsyncWrite for OverSocket<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.0).poll_write(context, bytes);
        if written.is_ready() || !Directly::is_on() {
            return written;
        }
        tried((&*SockRef::from(&self.0)).write(bytes))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.0).poll_write_vectored(context, bytes);
        if written.is_ready() || !Directly::is_on() {
            return written;
        }
        tried((&*SockRef::from(&self.0)).write_vectored(bytes))
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}
