//! The handle that a test holds: [`Broker`], started by a [`Builder`], with [`Wait`]s for what its clients do and a
//! [`Journal`] of what they did.

mod attached;
mod builder;
mod clock;
mod faults;
mod journal;
mod lifecycle;
mod on_runtime;
mod state;
mod wait;

pub use crate::store::clients::Filter;
pub use crate::store::condition::DEFAULT_WAIT;
pub use crate::store::journal::{Ending, Event, EventKind, Message, Peer, Wakeup};
pub use attached::{FLUSH_VARIABLE, URL_VARIABLE};
pub use builder::Builder;
pub use faults::{Anything, Commands, Fault, Faults, Messages};
pub use journal::{DEFAULT_JOURNAL_LIMIT, Journal};
pub use lifecycle::{Refusal, Stall};
pub use state::State;
pub use wait::{Wait, WaitError};

use std::future::Future;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use tokio::io::{AsyncRead, AsyncWrite, DuplexStream};
use tokio::runtime::Handle;
use tokio::sync::Notify;

use crate::remote::{percent_encoded, percent_encoded_path};
use crate::resp::{OwnedRequest, Value};
use crate::server::{ClientStream, Shared};
use crate::store::clients::Address;
use crate::store::condition::Condition;
use attached::Attached;

/// How many bytes wait in each direction of an in-memory connection before its writer has to wait, as the
/// buffers of a socket.
const STREAM_BUFFER: usize = 64 * 1024;

/// Why a broker could not be started.
#[derive(thiserror::Error)]
pub enum StartError {
    /// The address cannot be listened on: the port is taken, or the address is not this machine's.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address, or the path of a Unix socket.
        address: String,
        /// What the system says.
        source: io::Error,
    },
    /// The thread or its runtime could not be made.
    #[error("cannot start the broker's thread: {0}")]
    Thread(#[source] io::Error),
    /// The server that the test is to use is not there, or does not let it in: see [`Broker::attach`].
    #[error("cannot attach to {url}: {reason}")]
    Attach {
        /// The URL, without its password.
        url: String,
        /// What the server or the system says, or what is wrong with the URL.
        reason: String,
    },
    /// The broker is a real server, which the test neither starts nor stops: see [`Broker::attach`].
    #[error("{0}")]
    Attached(String),
}

/// The text itself: it is what a test shows that fails by `unwrap` or `?`.
impl std::fmt::Debug for StartError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self}")
    }
}

/// Redis's answer to a command that it refuses, such as `WRONGTYPE Operation against a key holding the wrong kind
/// of value`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct CommandError(pub String);

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
/// A broker that was [attached](Broker::attach) is a real server with the same methods; each tells where such a server
/// cannot do the same. [`Broker::is_embedded`] tells which one it is.
pub struct Broker {
    place: Place,
}

/// Where a broker is.
enum Place {
    /// In this process.
    Embedded(Embedded),
    /// It is a server that somebody else has started.
    Attached(Attached),
}

/// A broker in this process.
struct Embedded {
    shared: Arc<Shared>,
    runtime: Handle,
    stop: Arc<Notify>,
    thread: Option<JoinHandle<()>>,
    /// In place of the thread.
    tasks: Option<on_runtime::Tasks>,
    addr: SocketAddr,
    password: Option<String>,
    unix_socket: Option<PathBuf>,
    prints_on_panic: AtomicBool,
}

impl From<Embedded> for Broker {
    fn from(embedded: Embedded) -> Self {
        Self { place: Place::Embedded(embedded) }
    }
}

impl Broker {
    /// Starts a broker on a free port of 127.0.0.1. When this returns it is listening. It needs no runtime, and
    /// may be called from within one.
    ///
    /// # Errors
    ///
    /// The system gives no port or no thread.
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

    /// What a client is opened with: `redis://127.0.0.1:41233`, with the password if there is one. A broker that
    /// listens on a Unix socket only has the URL of that: `unix:///run/chat.sock`.
    #[must_use]
    pub fn url(&self) -> String {
        let broker = match &self.place {
            Place::Embedded(broker) => broker,
            Place::Attached(server) => return server.url(),
        };
        let password = broker.password.as_deref().map(percent_encoded);
        if let (0, Some(path)) = (self.port(), &broker.unix_socket) {
            let path = percent_encoded_path(path);
            let password = password.map(|password| format!("?pass={password}"));
            return format!("unix://{path}{}", password.unwrap_or_default());
        }
        // With the user's name, because redis-cli takes an empty one for a user that is not there.
        let password = password.map(|password| format!("default:{password}@"));
        format!("redis://{}{}", password.unwrap_or_default(), self.addr())
    }

    /// The address for clients on this machine: the first that the broker listens on, where that is "all
    /// addresses" the loopback one.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        match &self.place {
            Place::Embedded(broker) => broker.addr(),
            Place::Attached(server) => server.addr(),
        }
    }

    /// The port that the broker listens on.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.addr().port()
    }

    /// The path of the Unix socket, if the builder gave one.
    #[must_use]
    pub fn unix_socket(&self) -> Option<&std::path::Path> {
        match &self.place {
            Place::Embedded(broker) => broker.unix_socket.as_deref(),
            Place::Attached(server) => server.unix_socket(),
        }
    }

    /// A connection without any socket, for clients that take a stream. It counts as a client like any other. While the
    /// broker is [stopped](Broker::stop) or [refuses connections](Broker::refuse_connections) it ends at once.
    ///
    /// Requests are run while they are written, in the thread that writes them, see [`ClientStream`].
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
    /// If the broker is [attached](Broker::attach), a connection to the server is behind it, logged in and in the
    /// database of the test. What cannot be reached ends at once.
    #[must_use]
    pub fn connect(&self) -> ClientStream {
        match &self.place {
            Place::Embedded(broker) => {
                let (stream, driver) = broker.shared.connect(broker.address_in_memory(), STREAM_BUFFER);
                if let Some(driver) = driver {
                    broker.runtime.spawn(driver);
                }
                stream
            }
            Place::Attached(server) => {
                let (ours, theirs) = tokio::io::duplex(STREAM_BUFFER);
                server.connect(theirs);
                ClientStream::of_pipe(ours)
            }
        }
    }

    /// Every command as it comes, a line each in the format of MONITOR, including those that MONITOR leaves
    /// out. Who reads it is not counted as a client. Of what nobody reads a megabyte is kept; when it is read again a
    /// line tells how many commands were left out.
    ///
    /// To look back there is the [`journal`](Broker::journal), which also knows the answers.
    ///
    /// If the broker is [attached](Broker::attach) it is what MONITOR shows, of clients in the database of the test; on a Unix
    /// socket what the broker asks itself is among it.
    ///
    /// # Panics
    ///
    /// The broker is a real server that refuses MONITOR.
    #[must_use]
    #[track_caller]
    pub fn commands(&self) -> DuplexStream {
        let (ours, theirs) = tokio::io::duplex(STREAM_BUFFER);
        match &self.place {
            Place::Embedded(broker) => {
                broker.runtime.spawn(Arc::clone(&broker.shared).tell_commands(theirs));
            }
            Place::Attached(server) => server.tell_commands(theirs),
        }
        ours
    }

    /// Runs a command through the engine, without a connection, as the default user in database 0. It never
    /// waits: a blocking command that finds nothing answers as if its time were up. Every call stands for itself:
    /// MULTI, WATCH and SELECT are forgotten when it returns; a transaction needs a connection. It works on the data of
    /// a broker that is [stopped](Broker::stop), too.
    ///
    /// # Errors
    ///
    /// The error that Redis answers with.
    ///
    /// ```
    /// let broker = minibroker::Broker::start()?;
    /// broker.command(["SADD", "users", "jhon", "marry"])?;
    /// assert_eq!(broker.command(["SCARD", "users"])?, 2);
    /// let error = broker.command(["LPUSH", "users", "x"]).unwrap_err();
    /// assert!(error.0.starts_with("WRONGTYPE"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn command<A: AsRef<[u8]>>(
        &self,
        arguments: impl IntoIterator<Item = A>,
    ) -> Result<Value, CommandError> {
        let request = OwnedRequest::new(arguments);
        let broker = match &self.place {
            Place::Embedded(broker) => broker,
            Place::Attached(server) => return server.command(request),
        };
        let mut reply = Vec::new();
        broker.shared.change(|engine, now| engine.command(&request, now, &mut reply));
        match Value::read(&reply) {
            Some((Value::Error(text), _)) => Err(CommandError(text)),
            Some((value, _)) => Ok(value),
            // Only a command that ends its connection without a word answers nothing.
            None => Ok(Value::Null),
        }
    }

    /// Waits until `count` clients or more are subscribed to the channel itself; with 0 until nobody is.
    ///
    /// This is what a test puts between subscribing and publishing, in place of a sleep. From async code the
    /// result is awaited, from a synchronous test [`Wait::blocking`] is called.
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
        Wait::new(self, Condition::Subscribers { channel: channel.as_ref().to_vec(), count })
    }

    /// Waits until `count` clients or more are subscribed to this very pattern; with 0 until nobody is.
    #[track_caller]
    pub fn wait_for_pattern_subscribers(&self, pattern: impl AsRef<[u8]>, count: usize) -> Wait<'_> {
        Wait::new(self, Condition::PatternSubscribers { pattern: pattern.as_ref().to_vec(), count })
    }

    /// Waits until `count` clients or more are blocked on the key, in any database: by BLPOP, XREAD BLOCK and
    /// their like; with 0 until nobody is.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use std::time::Duration;
    ///
    /// let broker = minibroker::Broker::start()?;
    /// let nobody = broker.wait_for_blocked("chat_queue", 1).within(Duration::from_millis(1)).await;
    /// assert!(nobody.unwrap_err().to_string().contains("saw 0"));
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    pub fn wait_for_blocked(&self, key: impl AsRef<[u8]>, count: usize) -> Wait<'_> {
        Wait::new(self, Condition::Blocked { key: key.as_ref().to_vec(), count })
    }

    /// Waits until `count` messages or more have been published on the channel since the start, whoever got them: until
    /// [`Broker::published`] returns so many.
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
    /// assert_eq!(broker.published("chat")[0].text(), "hello");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn wait_for_published(&self, channel: impl AsRef<[u8]>, count: usize) -> Wait<'_> {
        if let Place::Embedded(broker) = &self.place {
            broker.assert_recording();
        }
        Wait::new(self, Condition::Published { channel: channel.as_ref().to_vec(), count })
    }

    /// Waits until `count` clients or more are connected; with 0 until nobody is.
    #[track_caller]
    pub fn wait_for_clients(&self, count: usize) -> Wait<'_> {
        Wait::new(self, Condition::Clients { count })
    }

    /// Waits until `count` entries of the stream or more have been delivered to consumers of the group and are not
    /// acknowledged, in all databases together; with 0 until all are. A group that is not there has none.
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
        Wait::new(self, Condition::Pending { stream, group, count })
    }

    /// Waits until a question about the state is answered with yes. It is asked at once and after every change, between
    /// two commands, while nobody else is served: it should be quick, and it may look at nothing but the state that it
    /// is given. If it panics, so does the wait.
    ///
    /// # Panics
    ///
    /// The question uses a broker: the wait panics.
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
        Wait::new(self, wait::Sought::Until(Box::new(question)))
    }

    /// The broker in this process.
    ///
    /// # Panics
    ///
    /// It is a real server: `what` cannot be had.
    #[track_caller]
    fn embedded(&self, what: &str) -> &Embedded {
        match &self.place {
            Place::Embedded(broker) => broker,
            Place::Attached(server) => panic!("{}", server.cannot(what)),
        }
    }
}

impl Embedded {
    fn addr(&self) -> SocketAddr {
        let ip = match self.addr.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
            ip => ip,
        };
        SocketAddr::new(ip, self.addr.port())
    }

    /// What is told of a connection without an address.
    fn address_in_memory(&self) -> Address {
        Address { peer: "memory:0".into(), local: self.addr.to_string().into(), unix: false }
    }

    fn serve_connection(
        &self,
        stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    ) -> impl Future<Output = ()> + Send + 'static {
        Arc::clone(&self.shared).serve(stream, self.address_in_memory())
    }
}

/// Where it listens: not what it holds, and not its password.
impl std::fmt::Debug for Broker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Broker").field("addr", &self.addr()).finish_non_exhaustive()
    }
}

impl Drop for Embedded {
    fn drop(&mut self) {
        if self.prints_on_panic.load(Ordering::Relaxed) && std::thread::panicking() {
            eprint!("{}", self.last_events());
        }
        if let Some(tasks) = self.tasks.take() {
            drop(tasks);
            self.shared.close_all();
        }
        self.stop.notify_one();
        if let Some(thread) = self.thread.take() {
            // A panic of that thread has been reported there; a second one while unwinding would abort.
            let _ = thread.join();
        }
    }
}
