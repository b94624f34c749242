//! Actions of a test on connections and on the whole broker: disconnect clients, stop, restart, refuse connections,
//! stop reading or writing.

use std::fmt;
use std::sync::Arc;

use super::server::Backend;
use super::{Broker, Embedded, Server, StartError};
use crate::clients::{ClientKey, Filter};
use crate::engine::Direction;
use crate::server::Shared;

impl<S: Server> Broker<S> {
    /// Disconnects the clients that the filter selects, as CLIENT KILL does, and returns how many they were. When this
    /// returns their sockets are closed, they are subscribed to nothing and blocked on nothing, and waits for clients
    /// do not count them. Their earlier output has been written, as far as their sockets took it; input that the broker
    /// has not read is lost. The [journal](Broker::journal) calls it [`Ending::Killed`](super::Ending::Killed).
    ///
    /// The broker still accepts connections: a client may reconnect by itself. Clients that have not connected yet, as
    /// far as the broker knows, are not disconnected; [`wait_for_clients`](Broker::wait_for_clients) and other waits
    /// show when they have.
    ///
    /// If the broker is [attached](Broker::attach), these are clients in the database of the test. MONITOR has to
    /// complete what such a server reports about its clients: for a client on a Unix socket, and if MONITOR is refused,
    /// it is not certain what it is subscribed to or blocked on. Addresses are those that the server sees.
    ///
    /// # Panics
    ///
    /// The broker is a real server that does not answer or refuses CLIENT LIST or CLIENT KILL.
    ///
    /// A worker loses its connection while it waits for work. It has to come back, and no job may be lost:
    ///
    /// ```
    /// use minibroker::{Broker, Filter};
    ///
    /// let broker = Broker::start()?;
    /// let client = redis::Client::open(broker.url())?;
    /// let worker = std::thread::spawn(move || -> redis::RedisResult<(String, String)> {
    ///     loop {
    ///         let mut connection = client.get_connection()?;
    ///         match redis::cmd("BLPOP").arg("chat_queue").arg(0).query(&mut connection) {
    ///             Err(error) if error.is_connection_dropped() => {}
    ///             job => return job,
    ///         }
    ///     }
    /// });
    /// broker.wait_for_blocked("chat_queue", 1).blocking()?;
    /// assert_eq!(broker.kill_clients(Filter::blocked_on("chat_queue")), 1);
    ///
    /// broker.wait_for_blocked("chat_queue", 1).blocking()?; // it is back
    /// broker.command(["RPUSH", "chat_queue", "hello"])?;
    /// assert_eq!(worker.join().unwrap()?.1, "hello");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    // So that a filter can be written in the call.
    #[allow(clippy::needless_pass_by_value)]
    #[track_caller]
    pub fn kill_clients(&self, filter: Filter) -> usize {
        match self.server.backend() {
            Backend::Embedded(broker) => broker.shared.kill_clients(&filter),
            Backend::Attached(server) => server.kill_clients(&filter),
        }
    }
}

impl Broker {
    /// Stops the broker, as if a redis-server had crashed: when this returns, all clients are disconnected, and the
    /// system refuses new connections. Earlier output of clients has been written, as far as their sockets took it.
    /// Stopping it again has no effect.
    ///
    /// The port stays reserved for the broker until this is dropped. The file of a Unix socket remains, without a
    /// listener. Streams of [`Broker::connect`] end at once. The test itself continues to work with the broker:
    /// [`Broker::command`] works on the data, keys expire when they are due, [waits](super::Wait) continue, the
    /// [journal](Broker::journal) is kept and records [`Stopped`](super::EventKind::Stopped).
    ///
    /// A publisher has to show its user that the chat cannot be reached:
    ///
    /// ```
    /// let broker = minibroker::Broker::start()?;
    /// let client = redis::Client::open(broker.url())?;
    /// let mut publisher = client.get_connection()?;
    /// broker.stop()?;
    /// let lost = redis::cmd("PUBLISH").arg("chat").arg("hello").exec(&mut publisher).unwrap_err();
    /// assert!(lost.is_connection_dropped());
    /// assert!(client.get_connection().err().unwrap().is_connection_refusal());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// The system does not let the broker keep an address while it does not listen there. It is stopped nevertheless.
    pub fn stop(&self) -> Result<(), StartError> {
        Ok(self.server.shared.stop()?)
    }

    /// Restarts the broker on the same port with its data, as a redis-server that persists everything; if it was not
    /// [stopped](Broker::stop), it is stopped first. When this returns clients can connect.
    ///
    /// As after a restart of redis-server, connections are closed and all their state is lost: subscriptions, MONITOR,
    /// blocked commands, transactions, WATCH. INFO counts from 0 and shows another `run_id`; the effects of CONFIG SET,
    /// CLIENT PAUSE and DEBUG are reset. Keys keep their deadlines, and those that were due while the broker was
    /// stopped have expired.
    ///
    /// The state of the test remains: the [journal](Broker::journal), which records
    /// [`Restarted`](super::EventKind::Restarted), [`published`](Broker::published), waits, the commands of
    /// [`watch_commands`](Broker::watch_commands), [refused connections](Broker::refuse_connections). Ids of clients
    /// (CLIENT ID) continue to count up, so that an id means one client in the whole journal; redis-server begins with
    /// 1 again.
    ///
    /// # Errors
    ///
    /// The system does not let the broker listen any more. Then it is stopped.
    ///
    /// A subscriber has to subscribe again when the broker is back:
    ///
    /// ```
    /// let broker = minibroker::Broker::start()?;
    /// let client = redis::Client::open(broker.url())?;
    /// let subscriber = std::thread::spawn(move || -> redis::RedisResult<String> {
    ///     loop {
    ///         let mut connection = client.get_connection()?;
    ///         let mut chat = connection.as_pubsub();
    ///         chat.subscribe("chat")?;
    ///         match chat.get_message() {
    ///             Err(error) if error.is_connection_dropped() => {}
    ///             message => return message?.get_payload(),
    ///         }
    ///     }
    /// });
    /// broker.wait_for_subscribers("chat", 1).blocking()?;
    /// broker.restart()?;
    /// broker.wait_for_subscribers("chat", 1).blocking()?;
    /// broker.command(["PUBLISH", "chat", "welcome back"])?;
    /// assert_eq!(subscriber.join().unwrap()?, "welcome back");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn restart(&self) -> Result<(), StartError> {
        Ok(self.server.shared.restart(true)?)
    }

    /// As [`Broker::restart`], but all data is lost, as in a redis-server that persists nothing.
    ///
    /// # Errors
    ///
    /// The system does not let the broker listen any more. Then it is stopped.
    ///
    /// Clients have to announce their presence again when the broker has lost it:
    ///
    /// ```
    /// let broker = minibroker::Broker::start()?;
    /// broker.command(["SADD", "online", "jhon", "marry"])?;
    /// broker.restart_empty()?;
    /// assert_eq!(broker.command(["SCARD", "online"])?, 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn restart_empty(&self) -> Result<(), StartError> {
        Ok(self.server.shared.restart(false)?)
    }

    /// Refuses new connections until the returned guard is dropped; existing ones continue. After this has returned the
    /// system refuses connections as without a listener; a stream of [`Broker::connect`] ends at once.
    ///
    /// Several guards may exist at a time: connections are accepted again when the last one is dropped, in any order.
    /// They stay in force after [`Broker::restart`]: while one exists the restarted broker cannot be reached.
    ///
    /// ```
    /// let broker = minibroker::Broker::start()?;
    /// let client = redis::Client::open(broker.url())?;
    /// let mut ann = client.get_connection()?;
    ///
    /// let refused = broker.refuse_connections();
    /// assert!(client.get_connection().err().unwrap().is_connection_refusal());
    /// redis::cmd("PUBLISH").arg("chat").arg("I am still here").exec(&mut ann)?;
    /// drop(refused);
    /// client.get_connection()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn refuse_connections(&self) -> RefuseGuard {
        let shared = &self.server.shared;
        shared.refuse_connections();
        RefuseGuard { shared: Arc::clone(shared) }
    }

    /// Handles no input of these clients until the returned guard is dropped, like a server that hangs: their
    /// connections stay, their requests fill the buffers of the system, and then they cannot write any more. Messages
    /// are still sent to them as usual. Afterwards all their input is handled in order; nothing is lost.
    ///
    /// It affects clients that are connected now and match the filter now: later ones are served. So a test sees a
    /// client give up the connection that hangs and open a new one. That a client has closed its connection is only
    /// noticed afterwards.
    ///
    /// A client that wants its reply in time needs a timeout of its own:
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use minibroker::{Broker, Filter};
    ///
    /// let broker = Broker::start()?;
    /// let mut ann = redis::Client::open(broker.url())?.get_connection()?;
    /// redis::cmd("CLIENT").arg("SETNAME").arg("ann").exec(&mut ann)?;
    /// ann.set_read_timeout(Some(Duration::from_millis(20)))?;
    ///
    /// let paused = broker.stop_reading(Filter::name("ann"));
    /// assert_eq!(paused.clients(), 1);
    /// let gave_up = redis::cmd("RPUSH").arg("chat_queue").arg("hello").exec(&mut ann);
    /// assert!(gave_up.unwrap_err().is_timeout());
    /// assert_eq!(broker.command(["LLEN", "chat_queue"])?, 0);
    ///
    /// drop(paused); // what it has sent is handled now
    /// broker.wait_until(|state| state.length("chat_queue") == 1).blocking()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    // So that a filter can be written in the call.
    #[allow(clippy::needless_pass_by_value)]
    pub fn stop_reading(&self, filter: Filter) -> PauseGuard {
        self.server.pause(&filter, Direction::Reading)
    }

    /// Writes nothing to these clients until the returned guard is dropped: all replies and messages for them are kept,
    /// exactly as if they did not read and the buffers of the system were full. Afterwards they are written in order.
    /// Input of the clients is handled as usual. Their earlier output has been written, as far as their sockets took
    /// it.
    ///
    /// With this a test makes a subscriber too slow: once its output exceeds `client-output-buffer-limit` it is cut
    /// off, as by redis-server.
    ///
    /// It affects clients that are connected now and match the filter now: later ones are written to.
    ///
    /// ```
    /// use minibroker::{Broker, Ending, EventKind, Filter};
    ///
    /// let broker = Broker::builder().subscriber_output_limit(64 * 1024).start()?;
    /// let mut slow = redis::Client::open(broker.url())?.get_connection()?;
    /// let mut chat = slow.as_pubsub();
    /// chat.subscribe("chat")?;
    ///
    /// let _paused = broker.stop_writing(Filter::subscribed_to("chat"));
    /// while broker.command(["PUBLISH", "chat", &"x".repeat(10_000)])? == 1 {}
    /// broker.wait_for_clients(0).blocking()?;
    /// let cut_off = EventKind::Disconnected(Ending::OutputLimit);
    /// assert!(broker.journal().iter().any(|event| event.kind == cut_off));
    /// assert!(chat.get_message().unwrap_err().is_connection_dropped());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    // So that a filter can be written in the call.
    #[allow(clippy::needless_pass_by_value)]
    pub fn stop_writing(&self, filter: Filter) -> PauseGuard {
        self.server.pause(&filter, Direction::Writing)
    }
}

impl Embedded {
    fn pause(&self, filter: &Filter, direction: Direction) -> PauseGuard {
        let held = self.shared.hold_connections(filter, direction);
        PauseGuard { shared: Arc::clone(&self.shared), held, direction }
    }
}

/// While this guard exists new connections are refused, see [`Broker::refuse_connections`]. It may outlive the broker.
#[must_use = "connections are taken again when this is dropped"]
pub struct RefuseGuard {
    shared: Arc<Shared>,
}

impl fmt::Debug for RefuseGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RefuseGuard").finish_non_exhaustive()
    }
}

impl Drop for RefuseGuard {
    fn drop(&mut self) {
        if !self.shared.is_forked() {
            self.shared.end_refusing();
        }
    }
}

/// While this guard exists some clients are not read from, or not written to, see [`Broker::stop_reading`] and
/// [`Broker::stop_writing`]. With several guards, a client continues when the last is dropped. The guard may outlive
/// its clients and the broker.
#[must_use = "the broker continues when this is dropped"]
pub struct PauseGuard {
    shared: Arc<Shared>,
    held: Vec<ClientKey>,
    direction: Direction,
}

impl PauseGuard {
    /// How many clients the filter selected.
    #[must_use]
    pub fn clients(&self) -> usize {
        self.held.len()
    }
}

impl fmt::Debug for PauseGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let clients = self.held.len();
        f.debug_struct("PauseGuard")
            .field("direction", &self.direction)
            .field("clients", &clients)
            .finish_non_exhaustive()
    }
}

impl Drop for PauseGuard {
    fn drop(&mut self) {
        if !self.shared.is_forked() {
            self.shared.resume_connections(&self.held, self.direction);
        }
    }
}
