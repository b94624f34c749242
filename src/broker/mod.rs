//! The handle of a test: [`Broker`], started by a [`Builder`], with [`Wait`]s for actions of its clients and a
//! [`Journal`] of them.

mod arguments;
mod attached;
mod availability;
mod builder;
#[cfg(feature = "tls")]
mod certificates;
mod clock;
mod error;
mod faults;
mod goal;
mod journal;
mod on_runtime;
mod server;
mod snapshot;
mod state;
#[cfg(feature = "tls")]
mod tls;
mod wait;
mod watch;

pub use crate::clients::Filter;
pub use crate::clients::condition::DEFAULT_WAIT;
pub use crate::testing::journal::{Ending, Event, EventKind, Message, Peer, Wakeup};
pub use arguments::{Argument, IntoArguments};
pub use attached::{FLUSH_VARIABLE, URL_VARIABLE};
pub use availability::{PauseGuard, RefuseGuard};
pub use builder::Builder;
pub use error::{CommandError, ErrorReply, StartError};
pub use faults::{Anything, Commands, Fault, Faults, Messages};
pub use journal::{DEFAULT_JOURNAL_LIMIT, Journal};
pub use server::{AnyServer, Embedded, Server};
pub use snapshot::{Snapshot, SnapshotError};
pub use state::State;
#[cfg(feature = "tls")]
pub use tls::ClientCertificate;
pub use wait::{Wait, WaitError};
pub use watch::{Watch, WatchedCommand};

use std::future::Future;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};

use crate::clients::Address;
use crate::clients::condition::Condition;
use crate::remote::{percent_encoded, percent_encoded_path};
use crate::resp::{OwnedRequest, Value};
use crate::server::{ClientStream, Shared};
use server::Backend;

/// How many bytes wait in each direction of an in-memory connection before its writer has to wait, like the buffers of
/// a socket.
const STREAM_BUFFER: usize = 64 * 1024;

/// A running broker. It lives on a thread of its own, so a test that blocks its runtime does not stop it;
/// dropping it frees the port, cuts all clients and joins the thread.
///
/// ```
/// use minibroker::Broker;
///
/// let broker = Broker::start()?;
/// let mut connection = redis::Client::open(broker.url())?.get_connection()?;
/// let length: i64 = redis::cmd("RPUSH").arg("chat_queue").arg("hello").query(&mut connection)?;
/// assert_eq!(length, 1);
/// assert_eq!(broker.command(["LRANGE", "chat_queue", "0", "-1"])?.to_string(), r#"["hello"]"#);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// `Broker` is a broker in this process, and has all features. A test that is to run on a real server as well starts
/// with [`Broker::from_env`] or [`Broker::attach`]: they return a [`Broker<AnyServer>`], which has the features of real
/// servers, and [`embedded`](Broker::embedded) for the rest.
pub struct Broker<S = Embedded> {
    server: S,
}

impl Broker {
    /// Starts a broker on a free port of 127.0.0.1. When this returns it is listening. It needs no runtime, and
    /// may be called from within one.
    ///
    /// # In a test with paused time
    ///
    /// With `#[tokio::test(start_paused = true)]` or `tokio::time::pause`, tokio moves its clock to the next timer as
    /// soon as no task of the runtime can run. That is so while a client waits for a reply over TCP: the reply comes
    /// from outside of the runtime. So the client's own timeout (redis-rs has one of 500 ms for replies) fires at once,
    /// although no time has passed; the same happens with a redis-server. There are three solutions:
    /// - To move only the time of the broker, use [`Builder::manual_clock`] and [`advance`](Broker::advance), and do
    ///   not pause tokio's clock.
    /// - To move both, start the broker on the runtime of the test by [`Builder::start_on_this_runtime`], whose time is
    ///   tokio's, and connect by [`Broker::connect`]: then no reply comes from outside.
    /// - Give the client no timeouts.
    ///
    /// # Errors
    ///
    /// The system provides no port or no thread.
    pub fn start() -> Result<Self, StartError> {
        Self::builder().start()
    }

    /// Settings for a broker that is not the default one.
    ///
    /// ```
    /// use minibroker::Broker;
    ///
    /// let broker = Broker::builder().password("s3cret").databases(1).start()?;
    /// assert_eq!(broker.url(), format!("redis://default:s3cret@127.0.0.1:{}", broker.port()));
    /// # Ok::<(), minibroker::StartError>(())
    /// ```
    #[must_use]
    pub fn builder() -> Builder {
        Builder::default()
    }
}

/// Methods that work with a real server as well.
impl<S: Server> Broker<S> {
    /// The URL for clients: `redis://127.0.0.1:41233`, with the password if there is one. For a broker that listens
    /// only on a Unix socket it is that of the socket: `unix:///run/chat.sock`.
    ///
    /// # Panics
    ///
    /// The broker does not listen, as after [`Builder::start_on_this_runtime`]; check [`Broker::addr`] before.
    #[must_use]
    #[track_caller]
    pub fn url(&self) -> String {
        match self.server.backend() {
            Backend::Embedded(broker) => match broker.url() {
                Some(url) => url,
                None => panic!("{}", listens_nowhere("url")),
            },
            Backend::Attached(server) => server.url(),
        }
    }

    /// The address for clients on this machine: the first on which the broker listens, with the loopback address in
    /// place of "all addresses". None if it listens on no TCP port: only on a Unix socket, or nowhere, as after
    /// [`Builder::start_on_this_runtime`] without a [`serve_listener`](Broker::serve_listener).
    #[must_use]
    pub fn addr(&self) -> Option<SocketAddr> {
        match self.server.backend() {
            Backend::Embedded(broker) => broker.addr(),
            Backend::Attached(server) => server.addr(),
        }
    }

    /// The port on which the broker listens.
    ///
    /// # Panics
    ///
    /// The broker listens on no TCP port; check [`Broker::addr`] before.
    #[must_use]
    #[track_caller]
    pub fn port(&self) -> u16 {
        match self.addr() {
            Some(addr) => addr.port(),
            None => panic!("{}", listens_nowhere("port")),
        }
    }

    /// The path of the Unix socket, if there is one.
    #[must_use]
    pub fn unix_socket(&self) -> Option<&std::path::Path> {
        match self.server.backend() {
            Backend::Embedded(broker) => broker.unix_socket.as_deref(),
            Backend::Attached(server) => server.unix_socket(),
        }
    }

    /// A connection without any socket, for clients that take a stream. It counts as a client like any other. While the
    /// broker is [stopped](Broker::stop) or [refuses connections](Broker::refuse_connections) it ends at once.
    ///
    /// Requests run as they are written, in the thread that writes them, see [`ClientStream`].
    ///
    /// ```
    /// use tokio::io::{AsyncReadExt, AsyncWriteExt};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let broker = minibroker::Broker::start()?;
    /// let mut stream = broker.connect();
    /// stream.write_all(b"PING\r\n").await?;
    /// let mut answer = [0; 7];
    /// stream.read_exact(&mut answer).await?;
    /// assert_eq!(&answer, b"+PONG\r\n");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// If the broker is [attached](Broker::attach), the stream is relayed to a connection to the server, logged in and
    /// in the database of the test. If the server cannot be reached it ends at once.
    #[must_use]
    pub fn connect(&self) -> ClientStream {
        match self.server.backend() {
            Backend::Embedded(broker) => {
                let (stream, driver) = broker.shared.connect(broker.address_in_memory(), STREAM_BUFFER);
                if let Some(driver) = driver {
                    broker.runtime.spawn(driver);
                }
                stream
            }
            Backend::Attached(server) => {
                let (ours, theirs) = tokio::io::duplex(STREAM_BUFFER);
                server.connect(theirs);
                ClientStream::of_pipe(ours)
            }
        }
    }

    /// Every command as it arrives, from now on, including those that MONITOR omits. The reader does not count as a
    /// client. Up to a megabyte of unread commands is kept; when reading continues,
    /// [`left_out`](WatchedCommand::left_out) is the number of missing commands.
    ///
    /// For past commands there is the [`journal`](Broker::journal), which also contains the replies.
    ///
    /// If the broker is [attached](Broker::attach) this is the output of MONITOR for clients in the database of the
    /// test; on a Unix socket it includes the broker's own queries.
    ///
    /// # Panics
    ///
    /// The broker is a real server that refuses MONITOR.
    ///
    /// ```
    /// let broker = minibroker::Broker::start()?;
    /// let mut commands = broker.watch_commands();
    /// broker.command(["SADD", "online", "ann"])?;
    /// let command = commands.blocking_next().expect("the broker is there");
    /// assert_eq!(command.arguments, ["SADD", "online", "ann"]);
    /// assert_eq!(command.database, 0);
    /// println!("{command}"); // 1700000000.123456 [0 ] "SADD" "online" "ann"
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn watch_commands(&self) -> Watch {
        let (ours, theirs) = tokio::io::duplex(STREAM_BUFFER);
        match self.server.backend() {
            Backend::Embedded(broker) => {
                broker.runtime.spawn(Arc::clone(&broker.shared).send_commands(theirs));
            }
            Backend::Attached(server) => server.send_commands(theirs),
        }
        Watch::new(ours)
    }

    /// Runs a command in the engine, without a connection, as the default user in database 0. It never waits: a
    /// blocking command that finds nothing returns as after its timeout. Calls are independent: MULTI, WATCH and SELECT
    /// have no effect after it returns; a transaction needs a connection. It also works on the data of a broker that is
    /// [stopped](Broker::stop).
    ///
    /// The command is an array, slice or vector of texts or bytes, or a tuple with numbers among them.
    ///
    /// If the broker is [attached](Broker::attach) the command is sent to the server, in the database of the test, and
    /// this thread waits for the reply. In async code [`command_async`](Broker::command_async) lets other tasks run
    /// meanwhile.
    ///
    /// # Errors
    ///
    /// The server has answered with an error; or the connection to a real server was lost.
    ///
    /// ```
    /// let broker = minibroker::Broker::start()?;
    /// broker.command(["SADD", "users", "jhon", "marry"])?;
    /// assert_eq!(broker.command(["SCARD", "users"])?, 2);
    /// broker.command(("SET", "attempts", 3))?;
    /// let error = broker.command(["LPUSH", "users", "x"]).unwrap_err();
    /// assert_eq!(error.code(), Some("WRONGTYPE"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn command(&self, arguments: impl IntoArguments) -> Result<Value, CommandError> {
        let request = arguments::request(arguments);
        match self.server.backend() {
            Backend::Embedded(broker) => answer(&broker.shared, &request),
            Backend::Attached(server) => server.command(request),
        }
    }

    /// As [`Broker::command`], but the command runs on the broker's thread, or on the real server, while other tasks of
    /// the test's runtime continue. Use it in async code if a reply may take time: on a real server, or for commands
    /// that read or write much. A command that was sent may run even if the future is dropped.
    ///
    /// # Errors
    ///
    /// As [`Broker::command`].
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let broker = minibroker::Broker::from_env()?;
    /// broker.command_async(("RPUSH", "history", 1, 2, 3)).await?;
    /// assert_eq!(broker.command_async(["LLEN", "history"]).await?, 3);
    /// # Ok(())
    /// # }
    /// ```
    pub fn command_async(
        &self,
        arguments: impl IntoArguments,
    ) -> impl Future<Output = Result<Value, CommandError>> + Send {
        let request = arguments::request(arguments);
        let running = match self.server.backend() {
            Backend::Embedded(broker) => {
                let shared = Arc::clone(&broker.shared);
                broker.runtime.spawn(async move { answer(&shared, &request) })
            }
            Backend::Attached(server) => server.begin_command(request),
        };
        async move {
            match running.await {
                Ok(answer) => answer,
                Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
                // The broker has ended meanwhile.
                Err(error) => Err(CommandError::Connection {
                    server: "the broker".to_owned(),
                    reason: error.to_string(),
                }),
            }
        }
    }

    /// Waits until `count` clients or more are subscribed to the channel itself; with 0 until none is.
    ///
    /// A test puts this between subscribing and publishing, in place of a sleep. Async code awaits the result, a
    /// synchronous test calls [`Wait::blocking`].
    ///
    /// ```
    /// let broker = minibroker::Broker::start()?;
    /// let url = broker.url();
    /// let subscriber = std::thread::spawn(move || -> redis::RedisResult<String> {
    ///     let mut connection = redis::Client::open(url)?.get_connection()?;
    ///     let mut pubsub = connection.as_pubsub();
    ///     pubsub.subscribe("chat")?;
    ///     pubsub.get_message()?.get_payload()
    /// });
    /// broker.wait_for_subscribers("chat", 1).blocking()?;
    /// broker.command(["PUBLISH", "chat", "hello"])?;
    /// assert_eq!(subscriber.join().unwrap()?, "hello");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn wait_for_subscribers(&self, channel: impl AsRef<[u8]>, count: usize) -> Wait<'_> {
        Wait::new(self.server.backend(), Condition::Subscribers { channel: channel.as_ref().to_vec(), count })
    }

    /// Waits until `count` clients or more are subscribed to exactly this pattern; with 0 until none is.
    #[track_caller]
    pub fn wait_for_pattern_subscribers(&self, pattern: impl AsRef<[u8]>, count: usize) -> Wait<'_> {
        Wait::new(
            self.server.backend(),
            Condition::PatternSubscribers { pattern: pattern.as_ref().to_vec(), count },
        )
    }

    /// Waits until `count` clients or more are blocked on the key, in any database, by BLPOP, XREAD BLOCK and
    /// similar commands; with 0 until none is.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use std::time::Duration;
    ///
    /// let broker = minibroker::Broker::start()?;
    /// let wait = broker.wait_for_blocked("chat_queue", 1).within(Duration::from_millis(1)).await;
    /// assert!(wait.unwrap_err().to_string().contains("saw 0"));
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    pub fn wait_for_blocked(&self, key: impl AsRef<[u8]>, count: usize) -> Wait<'_> {
        Wait::new(self.server.backend(), Condition::Blocked { key: key.as_ref().to_vec(), count })
    }

    /// Waits until `count` messages or more have been published on the channel since the start, with or without
    /// receivers: until [`Broker::published`] returns that many.
    ///
    /// # Panics
    ///
    /// Nothing is recorded, see [`Builder::journal_limit`].
    ///
    /// ```
    /// let broker = minibroker::Broker::start()?;
    /// let client = redis::Client::open(broker.url())?;
    /// std::thread::spawn(move || -> redis::RedisResult<()> {
    ///     let mut connection = client.get_connection()?;
    ///     redis::cmd("PUBLISH").arg("chat").arg("hello").exec(&mut connection)
    /// });
    /// broker.wait_for_published("chat", 1).blocking()?;
    /// assert_eq!(broker.published("chat")[0].payload, "hello");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn wait_for_published(&self, channel: impl AsRef<[u8]>, count: usize) -> Wait<'_> {
        if let Backend::Embedded(broker) = self.server.backend() {
            broker.assert_recording();
        }
        Wait::new(self.server.backend(), Condition::Published { channel: channel.as_ref().to_vec(), count })
    }

    /// Waits until `count` clients or more are connected; with 0 until none is.
    #[track_caller]
    pub fn wait_for_clients(&self, count: usize) -> Wait<'_> {
        Wait::new(self.server.backend(), Condition::Clients { count })
    }

    /// Waits until `count` entries of the stream or more are pending in the group, delivered and not acknowledged, in
    /// all databases together; with 0 until none is. A group that does not exist has none.
    ///
    /// ```
    /// let broker = minibroker::Broker::start()?;
    /// broker.command(["XGROUP", "CREATE", "chat", "workers", "$", "MKSTREAM"])?;
    /// broker.command(["XADD", "chat", "*", "text", "hello"])?;
    /// broker.command(["XREADGROUP", "GROUP", "workers", "ann", "STREAMS", "chat", ">"])?;
    /// broker.wait_for_pending("chat", "workers", 1).blocking()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn wait_for_pending(
        &self,
        stream: impl AsRef<[u8]>,
        group: impl AsRef<[u8]>,
        count: usize,
    ) -> Wait<'_> {
        let (stream, group) = (stream.as_ref().to_vec(), group.as_ref().to_vec());
        Wait::new(self.server.backend(), Condition::Pending { stream, group, count })
    }

    /// Waits until a predicate on the state is true. It is evaluated at once and after every change, between two
    /// commands, while no client is served: it should be quick, and may use only the state that it gets. If it panics,
    /// the wait panics too.
    ///
    /// # Panics
    ///
    /// The predicate uses a broker: the wait panics.
    ///
    /// ```
    /// let broker = minibroker::Broker::start()?;
    /// let client = redis::Client::open(broker.url())?;
    /// std::thread::spawn(move || -> redis::RedisResult<()> {
    ///     let mut connection = client.get_connection()?;
    ///     redis::cmd("SADD").arg("online").arg("ann").exec(&mut connection)?;
    ///     redis::cmd("RPUSH").arg("history").arg("ann: hello").exec(&mut connection)
    /// });
    /// broker
    ///     .wait_until(|state| state.has_member("online", "ann") && state.length("history") == 1)
    ///     .blocking()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn wait_until(&self, question: impl FnMut(State<'_>) -> bool + Send + 'static) -> Wait<'_> {
        Wait::new(self.server.backend(), goal::Goal::Until(Box::new(question)))
    }
}

/// The panic message if there is no address.
fn listens_nowhere(what: &str) -> String {
    format!(
        "`{what}`: this broker listens nowhere; its clients are connected by `connect`, `serve_connection` or \
         `serve_listener`"
    )
}

/// Runs a command of the test.
fn answer(shared: &Shared, request: &OwnedRequest) -> Result<Value, CommandError> {
    let mut reply = Vec::new();
    shared.change(|engine, now| engine.command(request, now, &mut reply));
    match Value::read(&reply) {
        Some((Value::Error(text), _)) => Err(CommandError::reply(text)),
        Some((value, _)) => Ok(value),
        // Only a command that closes its connection without a reply returns nothing.
        None => Ok(Value::Null),
    }
}

impl Embedded {
    fn addr(&self) -> Option<SocketAddr> {
        let addr = self.addr.get()?;
        let ip = match addr.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
            ip => ip,
        };
        Some(SocketAddr::new(ip, addr.port()))
    }

    /// `None` if it does not listen.
    fn url(&self) -> Option<String> {
        let password = self.password.as_deref().map(percent_encoded);
        if let Some(addr) = self.addr() {
            // With the user's name, because redis-cli takes an empty one for a user that does not exist.
            let password = password.map(|password| format!("default:{password}@"));
            let scheme = if self.encrypted { "rediss" } else { "redis" };
            return Some(format!("{scheme}://{}{addr}", password.unwrap_or_default()));
        }
        let path = percent_encoded_path(self.unix_socket.as_ref()?);
        let password = password.map(|password| format!("?pass={password}"));
        Some(format!("unix://{path}{}", password.unwrap_or_default()))
    }

    /// The address that is shown for a connection without one.
    fn address_in_memory(&self) -> Address {
        let local = self.addr.get().copied().unwrap_or(builder::NO_ADDRESS);
        Address { peer: "memory:0".into(), local: local.to_string().into(), unix: false }
    }

    fn serve_connection(
        &self,
        stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    ) -> impl Future<Output = ()> + Send + 'static {
        Arc::clone(&self.shared).serve(stream, self.address_in_memory())
    }
}

/// Where it listens, without its data and its password.
impl<S: Server> std::fmt::Debug for Broker<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut shown = f.debug_struct("Broker");
        match self.addr() {
            Some(addr) => shown.field("addr", &addr),
            None => shown.field("addr", &format_args!("none")),
        };
        shown.finish_non_exhaustive()
    }
}
