//! Bytes on their way through the proxy: they are passed on first and then recorded.
//!
//! Both directions of a connection are one future that stores only what could not be passed on at once, and all
//! connections read into the same buffer: the cost of a piece beyond one read and one write is a copy and a list
//! entry.

use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};
use std::time::Instant;

use parking_lot::{Condvar, Mutex};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use crate::remote::Socket;

/// How many bytes may wait to be recorded before senders have to wait.
pub(super) const BEHIND_MAX: usize = 64 * 1024 * 1024;
/// How many bytes are read at once.
const PIECE: usize = 64 * 1024;

thread_local! {
    /// Shared, because what is read is passed on before anything else is read.
    static BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; PIECE]);
}

/// The direction of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    Up,
    Down,
}

/// What happened on a connection.
#[derive(Clone, Copy, Debug)]
pub(super) enum What {
    Connect,
    /// A number of bytes passed.
    Pass(Way, usize),
    /// One end was closed: the client's (`Up`) or the server's.
    End(Way),
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Note {
    pub(super) connection: usize,
    pub(super) at: Instant,
    pub(super) what: What,
}

/// What has passed and is not recorded yet.
#[derive(Default)]
pub(super) struct Notes {
    pub(super) list: Vec<Note>,
    pub(super) bytes: Vec<u8>,
    pub(super) over: bool,
    /// The recording cannot be written any more, and nothing is noted.
    pub(super) failed: bool,
    /// The tasks that wait for the writer to catch up.
    waiting: Vec<Waker>,
}

/// What the proxy and the writer thread share.
#[derive(Default)]
pub(super) struct Shared {
    pub(super) notes: Mutex<Notes>,
    /// Wakes the writer because a connection has ended, or because it is far behind.
    pub(super) hurry: Condvar,
}

impl Shared {
    /// Notes what has happened. Returns true if the writer is far behind.
    pub(super) fn note(&self, connection: usize, what: What, bytes: &[u8]) -> bool {
        let mut notes = self.notes.lock();
        if notes.failed {
            return false;
        }
        notes.list.push(Note { connection, at: Instant::now(), what });
        notes.bytes.extend_from_slice(bytes);
        if notes.bytes.len() <= BEHIND_MAX / 2 {
            return false;
        }
        self.hurry.notify_one();
        notes.bytes.len() > BEHIND_MAX
    }

    /// Whether the writer is far behind. If so, the caller's task is woken when it has caught up.
    fn is_behind(&self, context: &Context<'_>) -> bool {
        let mut notes = self.notes.lock();
        let is_behind = !notes.failed && notes.bytes.len() > BEHIND_MAX;
        if is_behind && !notes.waiting.iter().any(|waker| waker.will_wake(context.waker())) {
            notes.waiting.push(context.waker().clone());
        }
        is_behind
    }
}

impl Notes {
    /// Takes all notes, and wakes the tasks that waited for that.
    pub(super) fn take(&mut self) -> (Vec<Note>, Vec<u8>) {
        self.waiting.drain(..).for_each(Waker::wake);
        (std::mem::take(&mut self.list), std::mem::take(&mut self.bytes))
    }
}

/// A connection through the proxy, until both ends are closed.
pub(super) struct Passing {
    client: TcpStream,
    server: Socket,
    up: Flow,
    down: Flow,
}

impl Passing {
    pub(super) fn new(client: TcpStream, server: Socket, number: usize, shared: Arc<Shared>) -> Self {
        let up = Flow::new(number, Way::Up, Arc::clone(&shared));
        Self { client, server, up, down: Flow::new(number, Way::Down, shared) }
    }
}

impl Future for Passing {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let Self { client, server, up, down } = self.get_mut();
        BUFFER.with_borrow_mut(|buffer| {
            let up = up.poll(client, server, buffer, context);
            let down = down.poll(server, client, buffer, context);
            if up.is_ready() && down.is_ready() { Poll::Ready(()) } else { Poll::Pending }
        })
    }
}

/// One direction of a connection.
struct Flow {
    number: usize,
    way: Way,
    shared: Arc<Shared>,
    /// What was read and could not be passed on yet, from `passed` on.
    rest: Vec<u8>,
    passed: usize,
    /// Lower layers may still hold unsent bytes.
    flushing: bool,
    /// The writer was far behind.
    held: bool,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    /// One end was closed; the other is closed too.
    Ending,
    Ended,
}

impl Flow {
    fn new(number: usize, way: Way, shared: Arc<Shared>) -> Self {
        let (rest, state) = (Vec::new(), State::Open);
        Self { number, way, shared, rest, passed: 0, flushing: false, held: false, state }
    }

    /// Passes on what is read, and notes it, until one end is closed.
    fn poll(
        &mut self,
        from: &mut (impl AsyncRead + Unpin),
        to: &mut (impl AsyncWrite + Unpin),
        buffer: &mut [u8],
        context: &mut Context<'_>,
    ) -> Poll<()> {
        while self.state == State::Open {
            if !self.rest.is_empty() {
                let rest = self.rest.get(self.passed..).unwrap_or_default();
                match ready!(Pin::new(&mut *to).poll_write(context, rest)) {
                    Ok(written @ 1..) => self.passed += written,
                    Ok(0) | Err(_) => self.end(self.way.other()),
                }
                if self.passed >= self.rest.len() {
                    (self.rest, self.passed) = (Vec::new(), 0);
                }
                continue;
            }
            if self.flushing {
                if ready!(Pin::new(&mut *to).poll_flush(context)).is_err() {
                    self.end(self.way.other());
                }
                self.flushing = false;
            } else if self.held && self.shared.is_behind(context) {
                return Poll::Pending;
            } else {
                ready!(self.piece(from, to, buffer, context));
            }
        }
        if self.state == State::Ending {
            // The other end may be closed already.
            let _ = ready!(Pin::new(to).poll_shutdown(context));
            self.state = State::Ended;
        }
        Poll::Ready(())
    }

    /// Reads once and passes on the bytes.
    fn piece(
        &mut self,
        from: &mut (impl AsyncRead + Unpin),
        to: &mut (impl AsyncWrite + Unpin),
        buffer: &mut [u8],
        context: &mut Context<'_>,
    ) -> Poll<()> {
        let mut buffer = ReadBuf::new(buffer);
        let read = ready!(Pin::new(from).poll_read(context, &mut buffer));
        let piece = buffer.filled();
        // An end that cannot be read any more counts as closed.
        if read.is_err() || piece.is_empty() {
            self.end(self.way);
            return Poll::Ready(());
        }
        // The bytes are sent before they are noted, and noted before an answer to them can be.
        let written = match Pin::new(to).poll_write(context, piece) {
            Poll::Ready(Ok(written)) => Some(written),
            Poll::Ready(Err(_)) => None,
            Poll::Pending => Some(0),
        };
        self.held = self.shared.note(self.number, What::Pass(self.way, piece.len()), piece);
        match written {
            None => self.end(self.way.other()),
            Some(written) => {
                self.flushing = true;
                self.rest.extend_from_slice(piece.get(written..).unwrap_or_default());
            }
        }
        Poll::Ready(())
    }

    fn end(&mut self, closed: Way) {
        self.shared.note(self.number, What::End(closed), b"");
        self.state = State::Ending;
    }
}

impl Way {
    fn other(self) -> Self {
        match self {
            Self::Up => Self::Down,
            Self::Down => Self::Up,
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn a_sender_waits_for_a_writer_that_is_far_behind() -> std::io::Result<()> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let mut ann = TcpStream::connect(listener.local_addr()?).await?;
        let (client, _) = listener.accept().await?;
        let server = Socket::Tcp(TcpStream::connect(listener.local_addr()?).await?);
        let (mut redis, _) = listener.accept().await?;
        let shared = Arc::<Shared>::default();
        let passing = tokio::spawn(Passing::new(client, server, 0, Arc::clone(&shared)));
        let all = 2 * BEHIND_MAX + 7;
        let sending = tokio::spawn(async move {
            let piece = vec![b'x'; PIECE];
            let mut left = all;
            while left > 0 {
                let next = left.min(PIECE);
                ann.write_all(&piece[..next]).await?;
                left -= next;
            }
            ann.shutdown().await?;
            ann.read_to_end(&mut Vec::new()).await
        });
        let reading = tokio::spawn(async move {
            let (mut piece, mut got) = (vec![0; PIECE], 0);
            loop {
                match redis.read(&mut piece).await? {
                    0 => return Ok::<usize, std::io::Error>(got),
                    read => got += read,
                }
            }
        });
        let ends = |list: &[Note]| list.iter().filter(|note| matches!(note.what, What::End(_))).count();
        let (mut noted, mut ended) = (0, 0);
        while noted < all {
            while shared.notes.lock().waiting.is_empty() && noted + shared.notes.lock().bytes.len() < all {
                tokio::task::yield_now().await;
            }
            let (list, bytes) = shared.notes.lock().take();
            assert!(bytes.len() <= BEHIND_MAX + PIECE, "{}", bytes.len());
            (noted, ended) = (noted + bytes.len(), ended + ends(&list));
        }
        assert_eq!(reading.await??, all);
        assert_eq!(sending.await??, 0);
        passing.await?;
        assert_eq!(ended + ends(&shared.notes.lock().list), 2);
        Ok(())
    }
}
