//! Connections in memory, whose requests are run by the thread that writes them: no thread has to wake another.
//!
//! Two may run the [task](Task) of such a connection, never both at a time. The client does in [`ClientStream`], in its
//! own thread, as soon as it has written something. The [`Driver`], a task on the broker's runtime, does after any
//! other event: the client has read, its wait has ended, it is cut off.
//!
//! # Who is woken
//!
//! Every event of the connection wakes [`Wakes`], which wakes the driver, unless the client has the connection: `HELD`.
//! Then the wake is only noted: `WOKEN`. No wake is lost, because of this invariant: while `WOKEN` is set, either
//! `HELD` is set and the client will check when it clears `HELD`, or the driver has been woken and has not begun its
//! turn.
//!
//! - A wake sets `WOKEN`. If neither was set before, it wakes the driver; if only `WOKEN` was set, the driver has been
//!   woken already.
//! - `WOKEN` is cleared only by the one that has the lock of the task and checks everything right afterwards. An event
//!   during that check sets it again.
//! - The client sets `HELD` before it writes into the pipe and before it asks for the lock. It clears `HELD` after it
//!   has released the lock, and wakes the driver if `WOKEN` is set.
//! - The driver leaves its waker before it tries to lock, and does not wait for the lock: if the client has it, the
//!   driver sets `WOKEN`. Then either `HELD` is set, and the client will wake the driver, or the client has just
//!   cleared `HELD`, and the driver wakes itself.
//! - Before its first turn the driver has left no waker, but its runtime always polls it once.

use std::fmt;
use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll, Wake, Waker, ready};

use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};
use tokio::task::coop::unconstrained;

use super::Shared;
use super::connection::{Dirty, InlineExecution, Step, Task, with_read_buffer};
use super::serving::{Admission, refuse};
use crate::clients::Address;
use crate::testing::Availability;

/// The client has the connection, or is about to.
const HELD: u8 = 1;
/// Something has happened and has not been handled yet.
const WOKEN: u8 = 2;
/// How often the client checks again when something has happened while it ran its requests, before it leaves that to
/// the broker's thread.
const ROUNDS: usize = 4;

/// A connection to a broker in this process, without a socket: what [`Broker::connect`](crate::Broker::connect) gives.
///
/// It is a stream like any other for a client that takes one. What is written to it is run at once, in the thread that
/// writes it: when a write returns, the broker has done what was asked, and the reply can be read. So requests that a
/// test writes to several streams one after the other are run in this order. What they send to other streams, as
/// PUBLISH does, can be read then as well, unless dozens of clients get something at a time: then the broker's thread
/// sends the rest.
///
/// This does not hold where the broker does not run requests: the client waits (BLPOP), the broker is paused (CLIENT
/// PAUSE), sleeps (DEBUG SLEEP), [does not read](crate::Broker::stop_reading), or a [fault](crate::Faults) delays them.
/// They are run later then, in their order.
/// Nor does it hold for a write from a [`Waker`] that the broker wakes, or from the predicate of
/// [`wait_until`](crate::Broker::wait_until): these are left to the broker's thread. A server that the broker is
/// [attached](crate::Broker::attach) to is another process, which answers in its own time. A `Waker` may use streams
/// and [`command`](crate::Broker::command); it must not stop or drop the broker that wakes it, nor cut clients off.
///
/// Like a socket it buffers 64 KiB each way. A client that does not read can be cut off by its output buffer limit.
/// It needs no runtime and can be used from any thread. Each thread that writes keeps buffers for this: 64 KiB for
/// requests, and for replies as much as it has written at a time, up to 256 KiB.
///
/// When it is dropped the client is disconnected before `drop` returns, except in the cases above. After the broker is
/// dropped, reads end and writes fail.
///
/// ```
/// use tokio::io::{AsyncReadExt, AsyncWriteExt};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let broker = minibroker::Broker::start()?;
/// let (mut ann, mut bob) = (broker.connect(), broker.connect());
/// ann.write_all(b"RPUSH chat_queue hello\r\n").await?;
/// bob.write_all(b"LPOP chat_queue\r\n").await?; // ann was first
/// assert_eq!(broker.command(["LLEN", "chat_queue"])?, 0);
///
/// let mut answer = [0; 11];
/// bob.read_exact(&mut answer).await?;
/// assert_eq!(&answer, b"$5\r\nhello\r\n");
/// drop(ann);
/// broker.wait_until(|state| state.clients() == 1).within(std::time::Duration::ZERO).await?;
/// # Ok(())
/// # }
/// ```
pub struct ClientStream {
    pipe: DuplexStream,
    /// None if the other end is not a connection of the broker. It is dropped after the pipe, and finds that closed.
    client: Option<Client>,
}

impl fmt::Debug for ClientStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientStream").finish_non_exhaustive()
    }
}

impl AsyncRead for ClientStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.pipe).poll_read(context, buffer)
    }
}

impl AsyncWrite for ClientStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.send(true, |pipe| pipe.poll_write(context, bytes))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.send(true, |pipe| pipe.poll_write_vectored(context, bytes))
    }

    fn is_write_vectored(&self) -> bool {
        self.pipe.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.pipe).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.send(false, |pipe| pipe.poll_shutdown(context))
    }
}

impl ClientStream {
    /// A stream whose other end is not a connection of the broker.
    pub(crate) fn of_pipe(pipe: DuplexStream) -> Self {
        Self { pipe, client: None }
    }

    /// Writes into the pipe and has it run.
    fn send<R>(
        &mut self,
        comes_again: bool,
        put: impl FnOnce(Pin<&mut DuplexStream>) -> Poll<io::Result<R>>,
    ) -> Poll<io::Result<R>> {
        let pipe = Pin::new(&mut self.pipe);
        let Some(Client { slot, dirty }) = &mut self.client else { return put(pipe) };
        let _held = Held::new(&slot.wakes);
        let done = ready!(put(pipe))?;
        slot.run(comes_again, dirty);
        Poll::Ready(Ok(done))
    }
}

impl Drop for ClientStream {
    /// The end of the pipe need not wake the driver: the client is dropped after the pipe, handles the end and clears
    /// `HELD`.
    fn drop(&mut self) {
        if let Some(client) = &self.client {
            client.slot.wakes.hold();
        }
    }
}

/// The client's part in running its requests.
struct Client {
    slot: Arc<TaskSlot>,
    /// The connections that are to be written to, between running and writing; kept to reuse its memory.
    dirty: Dirty,
}

impl Drop for Client {
    fn drop(&mut self) {
        let _held = Held::new(&self.slot.wakes);
        self.slot.run(false, &mut self.dirty);
    }
}

/// Where the client and the driver find the task.
struct TaskSlot {
    /// None when the connection has ended. It is locked by the thread that runs it.
    task: Mutex<Option<Box<Task>>>,
    wakes: Arc<Wakes>,
    /// That of `wakes`.
    waker: Waker,
}

impl TaskSlot {
    /// Runs what the client has sent, in its thread, and writes the output for it and for others in memory.
    fn run(&self, comes_again: bool, dirty: &mut Dirty) {
        let ran = with_read_buffer(|buffer| {
            // All of it: the budget of the client's own task does not apply.
            let mut running = pin!(unconstrained(std::future::poll_fn(|context| {
                self.run_all(context, buffer, comes_again, dirty);
                Poll::Ready(())
            })));
            let _ = running.as_mut().poll(&mut Context::from_waker(&self.waker));
        });
        if ran.is_none() {
            self.wakes.wake_by_ref();
        }
    }

    fn run_all(&self, context: &mut Context<'_>, buffer: &mut [u8], comes_again: bool, dirty: &mut Dirty) {
        let mut slot = self.task.lock();
        // If something panics, the connection ends.
        let Some(mut task) = slot.take() else { return };
        let mut rounds = 0;
        // All of it, however long the replies are. The loop ends: nothing else is put into the pipe meanwhile.
        loop {
            self.wakes.begin();
            let inline = InlineExecution { dirty, comes_again };
            let step = task.take_turn(context, buffer, Some(inline));
            task.shared().finish_in_memory(dirty);
            match step {
                Step::End => {
                    drop(task);
                    // The driver has nothing left to drive.
                    return self.wakes.wake_by_ref();
                }
                Step::Again | Step::Yield => {}
                Step::Wait if self.wakes.is_woken() && rounds < ROUNDS => rounds += 1,
                Step::Wait => break,
            }
        }
        *slot = Some(task);
    }
}

/// What wakes the driver of the connection, see [the module](self).
#[derive(Default)]
struct Wakes {
    state: AtomicU8,
    driver: Mutex<Option<Waker>>,
}

impl Wakes {
    fn set_driver(&self, waker: &Waker) {
        let mut driver = self.driver.lock();
        if !driver.as_ref().is_some_and(|driver| driver.will_wake(waker)) {
            *driver = Some(waker.clone());
        }
    }

    fn wake_driver(&self) {
        // Woken without the lock, as the waker may run any code.
        let driver = self.driver.lock().clone();
        if let Some(driver) = driver {
            driver.wake();
        }
    }

    fn hold(&self) {
        self.state.fetch_or(HELD, Ordering::AcqRel);
    }

    /// The one that has the task is about to check everything.
    fn begin(&self) {
        self.state.fetch_and(!WOKEN, Ordering::AcqRel);
    }

    fn is_woken(&self) -> bool {
        self.state.load(Ordering::Acquire) & WOKEN != 0
    }
}

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if self.state.fetch_or(WOKEN, Ordering::AcqRel) == 0 {
            self.wake_driver();
        }
    }
}

/// `HELD` is set as long as this lives.
struct Held<'a>(&'a Wakes);

impl<'a> Held<'a> {
    fn new(wakes: &'a Wakes) -> Self {
        wakes.hold();
        Self(wakes)
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        if self.0.state.fetch_and(!HELD, Ordering::AcqRel) & WOKEN != 0 {
            self.0.wake_driver();
        }
    }
}

/// Runs the connection on the broker's runtime whenever the client does not. When it is dropped, the connection ends.
struct Driver(Arc<TaskSlot>);

impl Future for Driver {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let TaskSlot { task, wakes, waker } = &*self.0;
        wakes.set_driver(context.waker());
        let Some(mut slot) = task.try_lock() else {
            if wakes.state.fetch_or(WOKEN, Ordering::AcqRel) & HELD == 0 {
                context.waker().wake_by_ref();
            }
            return Poll::Pending;
        };
        wakes.begin();
        let Some(task) = &mut *slot else { return Poll::Ready(()) };
        match task.drive(&mut Context::from_waker(waker)) {
            Step::Again | Step::Yield => {
                drop(slot);
                pin!(tokio::task::yield_now()).poll(context).map(drop)
            }
            Step::Wait => Poll::Pending,
            Step::End => {
                end(&mut slot);
                Poll::Ready(())
            }
        }
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        end(&mut self.0.task.lock());
    }
}

/// Ends the connection. A task that is woken by that must not run it: it is locked.
fn end(slot: &mut Option<Box<Task>>) {
    let mut task = slot.take();
    with_read_buffer(|_| task = None);
    // If this thread already uses the buffer, that keeps the woken task from running it.
    drop(task);
}

impl Shared {
    /// Runs what those clients have sent while they waited that no longer wait, and then writes to all.
    fn finish_in_memory(&self, dirty: &mut Dirty) {
        while let Some(connection) = dirty.continuing.pop_front() {
            let inline = InlineExecution { dirty: &mut *dirty, comes_again: false };
            connection.run_sent_while_waiting(self, Some(inline));
        }
        for connection in dirty.connections.drain(..) {
            connection.flush(self);
        }
    }

    /// Connects a client in memory: its stream, which buffers `capacity` bytes each way, and the future to spawn that
    /// drives it. When this returns the client counts. A client above `maxclients` reads its error and the end; while
    /// the broker refuses connections, or is stopped, it reads the end.
    ///
    /// # Panics
    ///
    /// Within the predicate of a wait, and if `capacity` is 0.
    pub fn connect(
        self: &Arc<Self>,
        address: Address,
        capacity: usize,
    ) -> (ClientStream, Option<impl Future<Output = ()> + Send + 'static>) {
        let (ours, theirs) = tokio::io::duplex(capacity);
        let wakes = Arc::<Wakes>::default();
        let task_waker = Waker::from(Arc::clone(&wakes));
        let make = |theirs, client| Task::new(Arc::clone(self), theirs, client, Some(task_waker.clone()));
        let task = match self.admit(Availability::accepts, theirs, address, make) {
            Admission::Taken(task) => task,
            Admission::Refused => return (ClientStream::of_pipe(ours), None),
            Admission::Full(theirs, error) => {
                // The pipe has space for it: it is done at once.
                let mut refused = pin!(unconstrained(refuse(theirs, error)));
                let _ = refused.as_mut().poll(&mut Context::from_waker(Waker::noop()));
                return (ClientStream::of_pipe(ours), None);
            }
        };
        let task = Mutex::new(Some(Box::new(task)));
        let slot = Arc::new(TaskSlot { task, wakes, waker: task_waker });
        let client = Client { slot: Arc::clone(&slot), dirty: Dirty::default() };
        (ClientStream { pipe: ours, client: Some(client) }, Some(unconstrained(Driver(slot))))
    }
}

#[cfg(test)]
mod tests;
