//! One connection: reads requests and hands all complete ones of a read to the engine under one lock, unless their
//! replies become long. The outboxes are then written by [`Shared::write_outboxes`], with one write for each.
//!
//! The connection's own task continues a write that has stopped because the socket was full or a turn was over. The
//! task of a connection [in memory](super::ClientStream) is also run by its client when it writes.
//!
//! Locks are taken in this order: the task of a connection in memory, the input of a connection, its `Io`, the
//! engine.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::fmt;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use parking_lot::{MappedMutexGuard, Mutex, MutexGuard};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{Shared, wait};
use crate::clients::{ClientKey, Close, Segments};
use crate::engine::{Engine, Flow};
use crate::resp::{Parser, Spans};

/// What a connection runs over: a TCP or Unix socket, a stream in memory, TLS.
pub trait Transport: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Transport for T {}

/// The maximum size of a read, and the number of bytes read after which the turn of a connection is over.
const READ_SIZE: usize = 64 * 1024;
/// After this time other clients have their turn, even if fewer bytes have been read: a short request may take long.
/// Tens of thousands of short ones run in this time, so that a batch of them is not split.
pub(super) const TURN: Duration = Duration::from_millis(5);
/// How many steps a connection takes before others have their turn: a client that sends faster than its requests
/// are read must not keep them waiting.
const STEPS_IN_A_ROW: usize = 16;
/// With more than this in its outbox a client is written to before more of its requests run: requests are short and
/// their replies may be long.
const REPLY_BUDGET: usize = 256 * 1024;
/// After this number of bytes for one connection others have their turn: a client that reads as fast as the broker
/// writes must not keep them waiting for the end of a long reply.
const WRITTEN_IN_A_TURN: usize = 256 * 1024;
/// What cannot be written is taken from the outbox from this size on: a buffer that grew further would be copied again
/// and again, each time twice as much, while all clients wait. Output that must not be written yet stays in the outbox,
/// whatever its size.
const OVERFLOW_MIN: usize = 64 * 1024;
/// Buffers of a thread that have grown beyond this are freed.
const KEPT_CAPACITY: usize = 256 * 1024;

thread_local! {
    /// The buffers of the thread: a connection has one of its own only for what is left over.
    static READ: RefCell<Box<[u8]>> = RefCell::new(vec![0; READ_SIZE].into());
    static WRITE: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    static SPANS: RefCell<Spans> = RefCell::default();
}

/// Passes the buffer to read into, unless this thread already runs requests, writes replies, holds the engine's lock,
/// or ends. All of these may wake a task, which may run any code and so may call this again; while the buffer is in
/// use, that call gets none.
pub(super) fn with_read_buffer<R>(run: impl FnOnce(&mut [u8]) -> R) -> Option<R> {
    let writes = || WRITE.try_with(|buffer| buffer.try_borrow_mut().is_err()).unwrap_or(true);
    if wait::is_in_predicate() || writes() {
        return None;
    }
    READ.try_with(|buffer| buffer.try_borrow_mut().ok().map(|mut buffer| run(&mut buffer))).ok().flatten()
}

/// Passes what the parsers of this thread share, unless the thread ends: a parser then uses its own.
fn with_spans(run: impl FnOnce(&mut Spans)) {
    let _ = SPANS.try_with(|spans| spans.try_borrow_mut().map(|mut spans| run(&mut spans)));
}

/// The broker's end of a connection, to which any thread may write.
pub struct Connection {
    client: ClientKey,
    /// A [`ClientStream`](super::ClientStream) is at the other end: any thread may write to it without delay.
    in_memory: bool,
    input: Mutex<Input>,
    io: Mutex<Io>,
}

struct Io {
    transport: Box<dyn Transport>,
    /// What has been taken from the outbox and not been written, because the socket was full or the turn over.
    pending: Bytes,
    /// What follows `pending`; nothing if that is empty.
    queue: Option<Box<Segments>>,
    writing: Writing,
    /// The connection's task.
    task: Option<Waker>,
    /// The number of written bytes after which a turn is over.
    turn: usize,
    /// Whether the connection ends: the engine closes it, or nothing more can be written or read, which is
    /// [`Close::Now`].
    close: Close,
    requests: Requests,
    /// The task has no request to continue with: it sees that it may when another arrives.
    idle: bool,
    /// The engine allows no reading now.
    reading_stopped: bool,
}

/// How the last write ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Writing {
    /// The transport has passed on all that it took.
    Done,
    /// The transport has not passed on all that was written to it: TLS does so when its socket is full.
    Unflushed,
    /// The turn is over, and the socket would have taken more.
    TurnOver,
}

/// What becomes of requests that have arrived.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Requests {
    /// They run.
    Run,
    /// The engine has stopped because the outbox is long or because the turn is over: it continues with what was left
    /// over.
    Stopped,
    /// They are left over until the command that waits has ended.
    Blocked,
    /// The engine allows them to run again; the task has not seen it yet.
    Resumed,
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("client", &self.client).finish_non_exhaustive()
    }
}

impl Connection {
    pub(super) fn client(&self) -> ClientKey {
        self.client
    }

    pub(super) fn is_in_memory(&self) -> bool {
        self.in_memory
    }

    /// Writes the content of the client's outbox, as far as the socket takes it.
    pub(super) fn flush(&self, shared: &Shared) {
        self.flush_turn(WRITTEN_IN_A_TURN, shared);
    }

    /// Writes the content of the client's outbox as far as the socket takes it, whatever its size.
    pub(super) fn finish(&self, shared: &Shared) {
        self.flush_turn(usize::MAX, shared);
    }

    fn flush_turn(&self, turn: usize, shared: &Shared) {
        // While its script is busy nothing is written to the client; it is written to when the script has ended.
        let Some(mut io) = shared.lock_of(self.client, &self.io) else { return };
        let was_stopped = io.reading_stopped;
        io.turn = turn;
        io.flush(self.client, shared);
        io.turn = WRITTEN_IN_A_TURN;
        if (io.requests == Requests::Resumed && !io.idle
            || was_stopped && !io.reading_stopped
            || io.close != Close::No)
            && let Some(task) = &io.task
        {
            task.wake_by_ref();
        }
    }

    /// Closes the socket; the connection's task ends.
    pub(super) fn cut(&self) {
        let mut io = self.io.lock();
        io.close = Close::Now;
        let transport = std::mem::replace(&mut io.transport, Box::new(tokio::io::empty()));
        if let Some(task) = &io.task {
            task.wake_by_ref();
        }
        drop(io);
        // A task that is woken by the end finds the connection unlocked.
        drop(transport);
    }

    /// Returns when no thread is writing what was taken from the outbox before.
    pub(super) fn wait_for_write(&self, shared: &Shared) {
        drop(shared.lock_of(self.client, &self.io));
    }

    /// Runs what the client has sent while it waited, if it no longer waits. If that cannot be done at once, because
    /// another thread has the connection or its socket is full, its task does it when the client has been written to.
    pub(super) fn run_sent_while_waiting(
        self: &Arc<Self>,
        shared: &Shared,
        inline: Option<InlineExecution<'_>>,
    ) {
        let (Some(mut input), Some(io)) = (self.input.try_lock(), self.io.try_lock()) else { return };
        let may_run = io.close == Close::No && io.pending.is_empty() && !io.reading_stopped;
        if input.left.is_empty() || !may_run || !shared.engine().take_resumed(self.client) {
            return;
        }
        let mut locked = LockedConnection { connection: self, shared, io, inline };
        locked.io.requests = Requests::Run;
        input.taken = 0;
        let step = input.run_left(&mut locked);
        locked.io.idle = input.left.is_empty();
        if step != Step::Again
            && let Some(task) = &locked.io.task
        {
            task.wake_by_ref();
        }
    }

    /// Takes a turn of a socket whose task cannot, because a script keeps the thread busy.
    pub(super) fn take_turn_directly(self: &Arc<Self>, shared: &Shared, buffer: &mut [u8]) {
        if self.in_memory {
            return;
        }
        // The thread that holds a lock takes the turn.
        let (Some(mut input), Some(io)) = (self.input.try_lock(), self.io.try_lock()) else { return };
        let waker = io.task.clone();
        let mut context = Context::from_waker(waker.as_ref().unwrap_or(Waker::noop()));
        let mut locked = LockedConnection { connection: self, shared, io, inline: None };
        let step = input.take_steps(&mut locked, &mut context, buffer);
        if step == Step::End {
            // A client that closes after its last request still gets the reply.
            locked.io.flush(self.client, shared);
            locked.io.close = Close::Now;
            // The other end sees the end now, the engine when the task can run.
            let closed = std::mem::replace(&mut locked.io.transport, Box::new(tokio::io::empty()));
            context.waker().wake_by_ref();
            drop((locked, closed));
        }
    }
}

impl Io {
    /// Nothing more can be written or read.
    fn is_closed(&self) -> bool {
        self.close == Close::Now
    }

    /// Takes and writes the outbox. If the socket is full, it has the waker of the connection's task.
    fn flush(&mut self, client: ClientKey, shared: &Shared) {
        if self.is_closed() {
            return;
        }
        // A write may wake another task, which sees by this that the connection is locked.
        WRITE.with_borrow_mut(|buffer| {
            if !self.pending.is_empty() && !self.write_rest(client, shared) {
                return;
            }
            buffer.clear();
            let (output, segments) = shared.engine().take_output_in_segments(client, buffer);
            match segments {
                None => self.write(client, shared, buffer, output),
                Some(segments) => self.write_segments(client, shared, segments, output),
            }
        });
    }

    /// Continues to write what was left over, if it may be written now; true if nothing is left.
    fn write_rest(&mut self, client: ClientKey, shared: &Shared) -> bool {
        let may_write = !shared.engine().is_writing_stopped(client);
        if may_write && self.write_pending() {
            return true;
        }
        let mut engine = shared.engine();
        engine.set_in_flight(client, self.left());
        if may_write && let Some(part) = engine.take_part(client, OVERFLOW_MIN) {
            self.queue.get_or_insert_default().append(part);
        }
        if engine.closing(client) == Close::Now {
            self.close = Close::Now;
        }
        if engine.take_resumed(client) {
            self.requests = Requests::Resumed;
        }
        self.reading_stopped = engine.is_reading_stopped(client);
        false
    }

    /// Writes what was taken from the outbox; what the socket does not take is kept.
    fn write(
        &mut self,
        client: ClientKey,
        shared: &Shared,
        buffer: &mut Vec<u8>,
        output: crate::engine::Output,
    ) {
        self.note(output);
        let written = self.write_some(buffer, 0);
        if written < buffer.len() && self.is_closed() {
            // What is lost with the connection does not count as written.
            shared.engine().set_in_flight(client, buffer.len() - written);
        } else if written < buffer.len() {
            // A long buffer is not copied again; it would be freed in any case.
            self.pending = if buffer.capacity() > KEPT_CAPACITY {
                Bytes::from(std::mem::take(buffer)).slice(written..)
            } else {
                Bytes::copy_from_slice(&buffer[written..])
            };
            shared.engine().set_in_flight(client, self.pending.len());
        } else if output.counted {
            shared.engine().set_in_flight(client, 0);
        }
        buffer.clear();
        buffer.shrink_to(KEPT_CAPACITY);
    }

    /// As [`Io::write`], of output in segments.
    fn write_segments(
        &mut self,
        client: ClientKey,
        shared: &Shared,
        segments: Box<Segments>,
        output: crate::engine::Output,
    ) {
        self.note(output);
        self.queue = Some(segments);
        if !self.write_pending() || output.counted {
            shared.engine().set_in_flight(client, self.left());
        }
    }

    fn note(&mut self, output: crate::engine::Output) {
        if output.resumed {
            self.requests = Requests::Resumed;
        }
        self.reading_stopped = output.reading_stopped;
        self.close = self.close.max(output.close);
    }

    /// How many bytes were taken from the outbox and not written.
    fn left(&self) -> usize {
        self.pending.len() + self.queue.as_ref().map_or(0, |queue| queue.bytes())
    }

    /// Continues to write what was left over; true if nothing is left.
    fn write_pending(&mut self) -> bool {
        let mut written = 0;
        loop {
            let mut pending = std::mem::take(&mut self.pending);
            let count = self.write_some(&pending, written);
            pending.advance(count);
            if !pending.is_empty() {
                self.pending = pending;
                return false;
            }
            let Some(part) = self.queue.as_mut().and_then(|queue| queue.pop()) else {
                self.queue = None;
                return true;
            };
            self.pending = part;
            written += count;
        }
    }

    /// Writes as much as the socket takes and one turn allows, of which `before` bytes have been used. The connection's
    /// task writes the rest: it is woken when the socket has space, or at once.
    fn write_some(&mut self, bytes: &[u8], before: usize) -> usize {
        let mut written = 0;
        let mut turn_over = false;
        let mut context = Context::from_waker(self.task.as_ref().unwrap_or(Waker::noop()));
        while written < bytes.len() && self.close != Close::Now {
            if before + written >= self.turn {
                turn_over = true;
                context.waker().wake_by_ref();
                break;
            }
            match Pin::new(&mut *self.transport).poll_write(&mut context, &bytes[written..]) {
                Poll::Ready(Ok(count)) if count > 0 => written += count,
                Poll::Ready(_) => self.close = Close::Now,
                Poll::Pending => break,
            }
        }
        if written > 0 {
            // What the transport has not passed on is written when it can write again.
            let flushed = Pin::new(&mut *self.transport).poll_flush(&mut context);
            self.note_flush(&flushed);
        }
        if turn_over {
            // There is more to write, which flushes again.
            self.writing = Writing::TurnOver;
        }
        written
    }

    fn note_flush(&mut self, flushed: &Poll<std::io::Result<()>>) {
        self.writing = if flushed.is_pending() { Writing::Unflushed } else { Writing::Done };
        if matches!(flushed, Poll::Ready(Err(_))) {
            self.close = Close::Now;
        }
    }
}

/// The task of a connection.
pub(super) struct Task {
    shared: Arc<Shared>,
    connection: Arc<Connection>,
}

/// What a connection has received.
struct Input {
    parser: Parser,
    /// What has arrived and could not run yet: the beginning of a request, or all that follows a command that waits.
    left: BytesMut,
    /// How many bytes have been read in this turn.
    taken: usize,
}

/// The result of a step of the task.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// More can be done at once.
    Again,
    /// Nothing to do until woken.
    Wait,
    /// More could be done, but it is the others' turn.
    Yield,
    /// The connection has ended.
    End,
}

impl Drop for Task {
    /// However the task ends, the engine removes the client.
    fn drop(&mut self) {
        let client = self.connection.client;
        // A thread that is about to write to the client takes no more output.
        self.connection.io.lock().close = Close::Now;
        self.shared.connections.remove_if(&client, |_, other| Arc::ptr_eq(other, &self.connection));
        self.shared.change(|engine, now| engine.disconnect(client, now));
    }
}

/// Connections that are to be written to.
#[derive(Default)]
pub(super) struct Dirty {
    pub connections: Vec<Arc<Connection>>,
    /// Those of them that continue after a wait, in the order in which their waits have ended.
    pub continuing: VecDeque<Arc<Connection>>,
}

/// The client itself runs its requests, in the thread in which it has written them.
pub(super) struct InlineExecution<'a> {
    /// Gets the connections in memory that are to be written to afterwards.
    pub dirty: &'a mut Dirty,
    /// The client has written something, and runs its requests again when it writes more: after a read that took
    /// everything no task needs to be woken.
    pub comes_again: bool,
}

impl Task {
    /// From now on all output of the client is written, and when this is dropped it is disconnected. For a stream in
    /// memory there is a waker of the task.
    pub(super) fn new(
        shared: Arc<Shared>,
        transport: impl Transport + 'static,
        client: ClientKey,
        task: Option<Waker>,
    ) -> Self {
        let in_memory = task.is_some();
        let io = Io {
            transport: Box::new(transport),
            pending: Bytes::new(),
            queue: None,
            writing: Writing::Done,
            task,
            turn: WRITTEN_IN_A_TURN,
            close: Close::No,
            requests: Requests::Run,
            idle: false,
            reading_stopped: false,
        };
        let input = Input { parser: Parser::new(), left: BytesMut::new(), taken: 0 };
        let (input, io) = (Mutex::new(input), Mutex::new(io));
        let connection = Arc::new(Connection { client, in_memory, input, io });
        shared.connections.insert(client, Arc::clone(&connection));
        Self { shared, connection }
    }

    pub(super) fn shared(&self) -> &Shared {
        &self.shared
    }

    pub(super) fn run(self) -> impl Future<Output = ()> + Send + Unpin {
        // The task ends with the connection, though the future may still exist.
        let mut task = Some(self);
        // Turns are ended by Step::Yield; tokio's own budget would stop writes to others in the middle.
        tokio::task::coop::unconstrained(std::future::poll_fn(move |context| {
            let Some(running) = &mut task else { return Poll::Ready(()) };
            let step = running.poll(context);
            if step.is_ready() {
                task = None;
            }
            step
        }))
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        match self.drive(context) {
            Step::Again | Step::Yield => {
                // Its next turn comes after all connections that have something to read, including those for which the
                // runtime has not asked the system yet.
                pin!(tokio::task::yield_now()).poll(context).map(drop)
            }
            Step::Wait => Poll::Pending,
            Step::End => Poll::Ready(()),
        }
    }

    /// Takes a turn in the thread of the broker.
    pub(super) fn drive(&mut self, context: &mut Context<'_>) -> Step {
        READ.with_borrow_mut(|buffer| self.take_turn(context, buffer, None))
    }

    /// Takes as many steps as allowed in a row; returns the result of the last.
    pub(super) fn take_turn(
        &mut self,
        context: &mut Context<'_>,
        buffer: &mut [u8],
        inline: Option<InlineExecution<'_>>,
    ) -> Step {
        let step = self.take_steps(context, buffer, inline);
        if step == Step::End {
            // A client that ends after its last request still gets the replies, as far as its socket takes them.
            self.connection.finish(&self.shared);
        }
        step
    }

    fn take_steps(
        &mut self,
        context: &mut Context<'_>,
        buffer: &mut [u8],
        inline: Option<InlineExecution<'_>>,
    ) -> Step {
        let Self { shared, connection } = self;
        let mut input = connection.input.lock();
        let mut locked = LockedConnection { connection, shared, io: connection.io.lock(), inline };
        if !locked.io.task.as_ref().is_some_and(|task| task.will_wake(context.waker())) {
            locked.io.task = Some(context.waker().clone());
        }
        input.take_steps(&mut locked, context, buffer)
    }
}

/// A connection whose lock is held.
struct LockedConnection<'a> {
    connection: &'a Arc<Connection>,
    shared: &'a Shared,
    io: MutexGuard<'a, Io>,
    inline: Option<InlineExecution<'a>>,
}

impl LockedConnection<'_> {
    fn comes_again(&self) -> bool {
        self.inline.as_ref().is_some_and(|client| client.comes_again)
    }

    /// As [`Shared::finish_batch`]; waits are completed without the lock.
    fn finish_batch(&mut self, mut engine: MappedMutexGuard<'_, Engine>) {
        if let Some(InlineExecution { dirty, .. }) = &mut self.inline {
            self.shared.take_dirty_in_memory(&mut engine, self.connection, dirty);
        }
        let met = self.shared.publish_changes(&engine);
        drop(engine);
        if !met.is_empty() {
            MutexGuard::unlocked(&mut self.io, || met.into_iter().for_each(|tell| tell()));
        }
    }
}

impl Input {
    fn take_steps(
        &mut self,
        locked: &mut LockedConnection<'_>,
        context: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Step {
        locked.io.idle = false;
        self.taken = 0;
        let mut step = Step::Again;
        for _ in 0..STEPS_IN_A_ROW {
            step = self.step(locked, context, buffer);
            if step != Step::Again {
                break;
            }
        }
        locked.io.idle = self.left.is_empty();
        step
    }

    fn step(
        &mut self,
        locked: &mut LockedConnection<'_>,
        context: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Step {
        let io = &mut *locked.io;
        if !io.pending.is_empty() {
            io.flush(locked.connection.client, locked.shared);
            // The client runs all that it has written; the task has been woken for the rest of its replies.
            if io.writing == Writing::TurnOver {
                io.writing = Writing::Done;
                if !io.pending.is_empty() && locked.inline.is_none() {
                    return Step::Yield;
                }
            }
        }
        if io.writing == Writing::Unflushed {
            let flushed = Pin::new(&mut *io.transport).poll_flush(context);
            io.note_flush(&flushed);
        }
        match io.close {
            Close::Now => return Step::End,
            Close::AfterReply if io.pending.is_empty() && io.writing != Writing::Unflushed => {
                return Step::End;
            }
            Close::AfterReply => return Step::Wait,
            Close::No => {}
        }
        if io.requests == Requests::Resumed {
            io.requests = Requests::Run;
            if !self.left.is_empty() {
                return self.run_left(locked);
            }
        }
        if io.reading_stopped {
            return Step::Wait;
        }
        if io.requests == Requests::Stopped {
            return self.run_left(locked);
        }
        let mut read = ReadBuf::new(buffer);
        match Pin::new(&mut *io.transport).poll_read(context, &mut read) {
            Poll::Pending => Step::Wait,
            Poll::Ready(Err(_)) => Step::End,
            Poll::Ready(Ok(())) if read.filled().is_empty() => Step::End,
            Poll::Ready(Ok(())) => {
                let is_all = read.remaining() > 0;
                self.taken += read.filled().len();
                match self.take(locked, read.filled()) {
                    Step::Again if is_all && locked.comes_again() => Step::Wait,
                    step => step,
                }
            }
        }
    }

    /// Runs what has arrived after what was left over, as far as it is complete, and keeps the rest.
    fn take(&mut self, locked: &mut LockedConnection<'_>, bytes: &[u8]) -> Step {
        if self.left.is_empty() && locked.io.requests != Requests::Blocked {
            let (consumed, step) = self.feed(locked, bytes);
            self.left.extend_from_slice(&bytes[consumed..]);
            step
        } else {
            self.left.extend_from_slice(bytes);
            self.run_left(locked)
        }
    }

    /// Runs what was left over, as far as it is complete.
    fn run_left(&mut self, locked: &mut LockedConnection<'_>) -> Step {
        let mut left = std::mem::take(&mut self.left);
        let (consumed, step) = self.feed(locked, &left);
        left.advance(consumed);
        // A buffer is freed when it is empty, and when it was made for a request much longer than what is left over
        // now.
        if consumed > KEPT_CAPACITY && left.len() < consumed / 2 {
            self.left.extend_from_slice(&left);
        } else if !left.is_empty() {
            self.left = left;
        }
        step
    }

    /// Hands complete requests to the engine under one lock: all, unless their replies become long. Returns how many
    /// bytes it has taken, and whether others have their turn now.
    fn feed(&mut self, locked: &mut LockedConnection<'_>, bytes: &[u8]) -> (usize, Step) {
        let LockedConnection { connection, shared, .. } = *locked;
        let key = connection.client;
        let step = if self.taken >= READ_SIZE { Step::Yield } else { Step::Again };
        let mut engine = shared.engine();
        if locked.io.requests == Requests::Blocked {
            // Reading continues while a command waits, to see the connection end; the limit still applies.
            if engine.check_query_limit(key, bytes.len()) {
                locked.finish_batch(engine);
            }
            return (0, step);
        }
        let clock = &shared.clock;
        let started = clock.instant();
        with_spans(|spans| self.parser.borrow(spans));
        let is_over = || clock.instant().saturating_duration_since(started) >= TURN;
        let now = clock.at(started);
        let (consumed, flow) = engine.feed_bounded(key, &mut self.parser, bytes, REPLY_BUDGET, now, is_over);
        with_spans(|spans| self.parser.give_back(spans));
        engine.record_durations(clock.instant().saturating_duration_since(started));
        // What is in the outbox is to be written before more is read.
        let much = engine.client(key).is_some_and(|client| client.outbox.len() > REPLY_BUDGET);
        locked.io.requests = match flow {
            Flow::Blocked => Requests::Blocked,
            Flow::Again => Requests::Stopped,
            Flow::Continue | Flow::Closed => Requests::Run,
        };
        locked.finish_batch(engine);
        (consumed, if much || flow == Flow::Again { Step::Yield } else { step })
    }
}
