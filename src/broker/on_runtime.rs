//! A broker on the runtime of the test, for simulated time and simulated networks.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::task::AbortHandle;

use super::{Broker, Builder, StartError};
use crate::clients::Address;
use crate::server::Shared;

/// How long accepting pauses when the system refuses.
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);

/// The tasks of a broker on a runtime that is not its own. Dropping this ends them.
pub(super) struct Tasks(Vec<AbortHandle>);

impl Tasks {
    /// Spawns what every broker does besides serving connections.
    pub(super) fn spawn(runtime: &Handle, shared: &Arc<Shared>) -> Self {
        let (timer, writer) = (Arc::clone(shared), Arc::clone(shared));
        let timer = runtime.spawn(async move { timer.keep_time().await });
        let writer = runtime.spawn(async move { writer.write_outboxes().await });
        Self(vec![timer.abort_handle(), writer.abort_handle()])
    }
}

impl Drop for Tasks {
    fn drop(&mut self) {
        for task in &self.0 {
            task.abort();
        }
    }
}

impl Builder {
    /// A broker on the tokio runtime from which this is called, in place of a thread of its own. It does not listen:
    /// connections are passed to it by [`Broker::serve_listener`] and [`Broker::serve_connection`], or made by
    /// [`Broker::connect`]. Addresses, Unix sockets and TLS of the builder are not used.
    ///
    /// Its time is tokio's: with `#[tokio::test(start_paused = true)]`, or within [turmoil](https://docs.rs/turmoil),
    /// an hour passes as soon as no task has anything to do before its end. Together with [`Builder::seed`] and
    /// [`Builder::clock_at`] a whole simulation repeats to the byte.
    ///
    /// Code that waits for it in the same thread has to use `await`: [`Wait::blocking`](super::Wait::blocking), or a
    /// client that is not async, would keep a runtime with one thread from serving any client.
    ///
    /// # Errors
    ///
    /// A setting is unknown or has no such value, see [`Builder::config`].
    ///
    /// # Panics
    ///
    /// It is called from outside of a runtime, or the runtime has no timer.
    ///
    /// ```
    /// use std::time::Duration;
    /// use minibroker::Broker;
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # // As #[tokio::test(start_paused = true)] does.
    /// # let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build()?;
    /// # runtime.block_on(async {
    /// let broker = Broker::builder().start_on_this_runtime()?;
    /// broker.command(["SET", "typing:ann", "1", "EX", "5"])?;
    /// tokio::time::sleep(Duration::from_secs(5)).await; // takes no time at all
    /// assert_eq!(broker.command(["EXISTS", "typing:ann"])?, 0);
    /// # Ok(())
    /// # })
    /// # }
    /// ```
    #[track_caller]
    pub fn start_on_this_runtime(mut self) -> Result<Broker, StartError> {
        let runtime = Handle::current();
        // Panics here without a timer, before a task does.
        drop(tokio::time::sleep(Duration::ZERO));
        self.listen_nowhere();
        self.apply_settings()?;
        let clock = self.shell_clock().following(runtime.clone());
        let mut broker = self.broker(runtime, clock)?;
        broker.tasks = Some(Tasks::spawn(&broker.runtime, &broker.shared));
        Ok(broker.into())
    }
}

impl Broker {
    /// Serves a connection over any stream, until the connection or the broker ends: a socket that the test has
    /// accepted itself, one of a simulated network, TLS, a pipe in memory. It runs in the task that awaits it; the
    /// client counts as connected before.
    ///
    /// ```
    /// use minibroker::Broker;
    /// use tokio::net::TcpListener;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let broker = Broker::builder().start_on_this_runtime()?;
    /// let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// let client = redis::Client::open(format!("redis://{}", listener.local_addr()?))?;
    /// tokio::spawn(async move {
    ///     let (stream, _) = listener.accept().await.expect("somebody comes");
    ///     broker.serve_connection(stream).await;
    /// });
    /// let mut connection = client.get_multiplexed_async_connection().await?;
    /// assert_eq!(redis::cmd("PING").query_async::<String>(&mut connection).await?, "PONG");
    /// # Ok(())
    /// # }
    /// ```
    pub fn serve_connection(
        &self,
        stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    ) -> impl Future<Output = ()> + Send + 'static {
        self.server.serve_connection(stream)
    }
    /// Accepts connections on the test's own listener and serves them on the runtime of the test, until the broker
    /// ends. It runs in the task that awaits it; when this returns the broker has the address of the listener, and
    /// [`url`](Broker::url) names it. For listeners that are not tokio's, such as those of a simulated network, use
    /// [`serve_connection`](Broker::serve_connection) for each connection.
    ///
    /// While the broker is [stopped](Broker::stop) or [refuses connections](Broker::refuse_connections), accepted
    /// connections end at once: the socket is the test's, and the system keeps accepting for it.
    ///
    /// ```
    /// use minibroker::Broker;
    /// use tokio::net::TcpListener;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let broker = Broker::builder().start_on_this_runtime()?;
    /// tokio::spawn(broker.serve_listener(TcpListener::bind("127.0.0.1:0").await?));
    /// let client = redis::Client::open(broker.url())?;
    /// let mut connection = client.get_multiplexed_async_connection().await?;
    /// assert_eq!(redis::cmd("PING").query_async::<String>(&mut connection).await?, "PONG");
    /// # Ok(())
    /// # }
    /// ```
    pub fn serve_listener(&self, listener: TcpListener) -> impl Future<Output = ()> + Send + 'static {
        if let Ok(addr) = listener.local_addr() {
            // The first listener is the one for clients.
            let _ = self.server.addr.set(addr);
        }
        let shared = Arc::clone(&self.server.shared);
        let mut alive = self.server.alive.subscribe();
        async move {
            let mut accepting = pin!(accept(listener, shared));
            let mut ended = pin!(alive.changed());
            poll_fn(|context| match ended.as_mut().poll(context) {
                Poll::Ready(_) => Poll::Ready(()),
                Poll::Pending => accepting.as_mut().poll(context),
            })
            .await;
        }
    }
}

/// Accepts and serves connections for ever.
async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    loop {
        let Ok((stream, peer)) = listener.accept().await else {
            // The process has no file descriptor left; or the client has disconnected, and the next one may be waiting.
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        // If this fails connections are slower, and no worse.
        let _ = stream.set_nodelay(true);
        let local = stream.local_addr().map(|local| local.to_string()).unwrap_or_default();
        let address = Address { peer: peer.to_string().into(), local: local.into(), unix: false };
        tokio::spawn(Arc::clone(&shared).serve(stream, address));
    }
}
