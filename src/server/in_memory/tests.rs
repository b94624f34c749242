//! The client and the driver of a stream run in all orders, polled by hand.

use std::sync::atomic::AtomicUsize;

use super::*;
use crate::config::Config;
use crate::engine::Engine;
use crate::server::{Clock, Connection};

/// How often the task was woken.
#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// A stream whose driver is polled by hand.
struct ByHand {
    shared: Arc<Shared>,
    stream: ClientStream,
    driver: Pin<Box<dyn Future<Output = ()> + Send>>,
    slot: Arc<TaskSlot>,
    count: Arc<Count>,
}

impl ByHand {
    fn new() -> Self {
        let clock = Clock::default();
        let shared = Arc::new(Shared::new(Engine::new(Config::default(), 1, clock.start()), clock));
        let (stream, driver) = shared.connect(Address::default(), 1024);
        let slot = stream.client.as_ref().map(|client| Arc::clone(&client.slot)).expect("it is served");
        let driver = Box::pin(driver.expect("it is served"));
        Self { shared, stream, driver, slot, count: Arc::default() }
    }

    fn drive(&mut self) -> Poll<()> {
        let waker = Waker::from(Arc::clone(&self.count));
        self.driver.as_mut().poll(&mut Context::from_waker(&waker))
    }

    /// How often the driver was woken since the last call.
    fn woken(&self) -> usize {
        self.count.0.swap(0, Ordering::SeqCst)
    }

    fn write(&mut self, bytes: &[u8]) {
        let mut context = Context::from_waker(Waker::noop());
        let written = Pin::new(&mut self.stream).poll_write(&mut context, bytes);
        assert!(matches!(written, Poll::Ready(Ok(count)) if count == bytes.len()), "{written:?}");
    }

    /// Writes into the pipe without running the connection.
    fn put(&mut self, bytes: &[u8]) {
        let mut context = Context::from_waker(Waker::noop());
        assert!(Pin::new(&mut self.stream.pipe).poll_write(&mut context, bytes).is_ready());
    }

    fn read(&mut self) -> Vec<u8> {
        let mut space = [0; 2048];
        let mut buffer = ReadBuf::new(&mut space);
        let mut context = Context::from_waker(Waker::noop());
        let read = Pin::new(&mut self.stream).poll_read(&mut context, &mut buffer);
        assert!(matches!(read, Poll::Ready(Ok(()))), "{read:?}");
        buffer.filled().to_vec()
    }
}

#[test]
fn the_driver_sleeps_while_the_client_runs_its_requests() {
    let mut one = ByHand::new();
    one.write(b"PING\r\n");
    assert_eq!(one.read(), b"+PONG\r\n");
    assert!(one.drive().is_pending());
    for _ in 0..10 {
        one.write(b"PING\r\n");
        assert_eq!(one.read(), b"+PONG\r\n");
    }
    assert_eq!(one.woken(), 0);
}

#[test]
fn the_driver_is_woken_once_for_all_that_happens_before_its_turn() {
    let mut one = ByHand::new();
    // The runtime always polls it a first time.
    one.slot.wakes.wake_by_ref();
    assert!(one.drive().is_pending());
    assert_eq!(one.woken(), 0);
    one.slot.wakes.wake_by_ref();
    one.slot.wakes.wake_by_ref();
    assert_eq!(one.woken(), 1);
    assert!(one.drive().is_pending());
    one.slot.wakes.wake_by_ref();
    assert_eq!(one.woken(), 1);
    // A check by the client in between cancels no later wake.
    one.write(b"PING\r\n");
    one.slot.wakes.wake_by_ref();
    assert_eq!(one.woken(), 1);
}

#[test]
fn a_wake_while_the_client_runs_a_request_reaches_the_driver_afterwards() {
    let mut one = ByHand::new();
    assert!(one.drive().is_pending());
    let held = Held::new(&one.slot.wakes);
    one.slot.wakes.wake_by_ref();
    one.slot.wakes.wake_by_ref();
    assert_eq!(one.woken(), 0);
    drop(held);
    assert_eq!(one.woken(), 1);
    assert!(one.drive().is_pending());
    drop(Held::new(&one.slot.wakes));
    assert_eq!(one.woken(), 0);
}

#[test]
fn a_driver_that_finds_the_task_locked_is_woken_when_it_is_free() {
    let mut one = ByHand::new();
    let slot = Arc::clone(&one.slot);
    let held = Held::new(&slot.wakes);
    let task = slot.task.lock();
    assert!(one.drive().is_pending());
    assert_eq!(one.woken(), 0);
    drop(task);
    drop(held);
    assert_eq!(one.woken(), 1);
    // The client has just cleared `HELD`: the driver looks again by itself.
    let task = slot.task.lock();
    assert!(one.drive().is_pending());
    assert_eq!(one.woken(), 1);
    drop(task);
    assert!(one.drive().is_pending());
    assert_eq!(one.woken(), 0);
}

#[test]
fn the_driver_continues_with_what_the_client_does_not_take() {
    let mut one = ByHand::new();
    assert!(one.drive().is_pending());
    one.write(format!("ECHO {}\r\n", "x".repeat(900)).as_bytes());
    one.write(format!("ECHO {}\r\n", "y".repeat(900)).as_bytes());
    assert_eq!(one.read().len(), 1024);
    assert_eq!(one.woken(), 1);
    assert!(one.drive().is_pending());
    assert_eq!(one.read().len(), 2 * "$900\r\n\r\n".len() + 2 * 900 - 1024);
}

#[test]
fn a_served_client_with_requests_left_over_runs_them_before_it_is_written_to() {
    let mut one = ByHand::new();
    assert!(one.drive().is_pending());
    let mut context = Context::from_waker(Waker::noop());
    let (mut other, _driver) = one.shared.connect(Address::default(), 1024);
    let served = b"*2\r\n$4\r\njobs\r\n$1\r\nx\r\n";
    for (request, left_over) in [("BLPOP jobs 0\r\n", &b""[..]), ("BLPOP jobs 0\r\nPING\r\n", b"+PONG\r\n")] {
        one.write(request.as_bytes());
        let written = Pin::new(&mut other).poll_write(&mut context, b"RPUSH jobs x\r\n");
        assert!(written.is_ready());
        assert_eq!(one.read(), [served, left_over].concat());
        assert_eq!(one.woken(), 0, "its driver has nothing to do");
        one.write(b"ECHO x\r\n");
        assert_eq!(one.read(), b"$1\r\nx\r\n");
    }
}

#[test]
fn a_served_client_that_has_not_read_runs_what_it_has_left_over_when_it_has() {
    let mut one = ByHand::new();
    assert!(one.drive().is_pending());
    for _ in 0..2 {
        one.write(format!("ECHO {}\r\n", "x".repeat(900)).as_bytes());
    }
    one.write(b"BLPOP jobs 0\r\nPING\r\n");
    let mut context = Context::from_waker(Waker::noop());
    let (mut other, _driver) = one.shared.connect(Address::default(), 1024);
    let written = Pin::new(&mut other).poll_write(&mut context, b"RPUSH jobs x\r\n");
    assert!(written.is_ready());
    assert_eq!(one.read().len(), 1024);
    assert_eq!(one.woken(), 1);
    assert!(one.drive().is_pending());
    assert!(one.read().ends_with(b"x\r\n*2\r\n$4\r\njobs\r\n$1\r\nx\r\n"));
    one.write(b"ECHO x\r\n");
    assert_eq!(one.read(), b"+PONG\r\n$1\r\nx\r\n");
}

#[test]
fn the_driver_has_nothing_left_to_drive_when_the_client_has_gone() {
    let mut one = ByHand::new();
    assert!(one.drive().is_pending());
    let ByHand { shared, stream, mut driver, count, .. } = one;
    drop(stream);
    assert_eq!(shared.connections(), 0);
    assert_eq!(count.0.load(Ordering::SeqCst), 1);
    assert!(driver.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready());
}

#[test]
fn the_end_of_a_client_is_seen_behind_unread_output() {
    let mut one = ByHand::new();
    assert!(one.drive().is_pending());
    // As when the broker has not read for a while; it has no reply, which would also find the client disconnected.
    one.put(b"half a request");
    let ByHand { shared, stream, .. } = one;
    drop(stream);
    assert_eq!(shared.connections(), 0);
}

#[test]
fn what_is_written_amid_other_requests_is_left_to_the_driver() {
    let mut one = ByHand::new();
    assert!(one.drive().is_pending());
    one.write(b"PING\r\n");
    assert_eq!(one.read(), b"+PONG\r\n");
    assert!(with_read_buffer(|_| one.write(b"ECHO x\r\n")).is_some());
    assert_eq!(one.woken(), 1);
    assert!(one.drive().is_pending());
    one.write(b"PING\r\n");
    assert_eq!(one.read(), b"$1\r\nx\r\n+PONG\r\n");
}

/// Drops a stream when it is woken.
struct Drops(Mutex<Option<ClientStream>>);

impl Wake for Drops {
    fn wake(self: Arc<Self>) {
        let stream = self.0.lock().take();
        drop(stream);
    }
}

impl ByHand {
    fn connection(&self) -> Arc<Connection> {
        self.shared.connections.iter().next().map(|entry| Arc::clone(&entry)).expect("it is there")
    }

    /// Has the stream dropped by the task that writes to it or closes it.
    fn drop_when_woken(&mut self) -> Arc<Drops> {
        let drops = Arc::new(Drops(Mutex::new(None)));
        let waker = Waker::from(Arc::clone(&drops));
        let mut space = [0; 1];
        let mut buffer = ReadBuf::new(&mut space);
        let read = Pin::new(&mut self.stream).poll_read(&mut Context::from_waker(&waker), &mut buffer);
        assert!(read.is_pending());
        let (empty, _) = tokio::io::duplex(1);
        let stream = std::mem::replace(&mut self.stream, ClientStream::of_pipe(empty));
        *drops.0.lock() = Some(stream);
        drops
    }
}

#[test]
fn a_task_woken_by_the_rest_of_a_long_reply_may_drop_the_stream() {
    let mut one = ByHand::new();
    one.write(format!("ECHO {}\r\n", "x".repeat(900)).as_bytes());
    one.write(format!("ECHO {}\r\n", "y".repeat(900)).as_bytes());
    assert_eq!(one.read().len(), 1024);
    let drops = one.drop_when_woken();
    one.connection().flush(&one.shared);
    assert!(drops.0.lock().is_none());
    assert!(one.drive().is_ready());
    assert_eq!(one.shared.connections(), 0);
}

#[test]
fn a_task_woken_by_the_end_of_a_connection_may_drop_the_stream() {
    let mut one = ByHand::new();
    assert!(one.drive().is_pending());
    one.put(b"QUIT\r\n");
    assert!(one.drive().is_pending());
    one.connection().flush(&one.shared);
    assert_eq!(one.read(), b"+OK\r\n");
    let drops = one.drop_when_woken();
    assert!(one.drive().is_ready());
    assert!(drops.0.lock().is_none());
    assert_eq!(one.shared.connections(), 0);
}

#[test]
fn without_its_driver_a_connection_ends() {
    let mut one = ByHand::new();
    one.write(b"PING\r\n");
    one.driver = Box::pin(std::future::ready(()));
    assert_eq!(one.shared.connections(), 0);
    assert_eq!(one.read(), b"+PONG\r\n");
    assert_eq!(one.read(), b"");
}
