//! A handle for a real server: the same tests run against it.

mod blocking_query;
mod claim;
mod client;
mod observer;
mod polling;
mod server;
mod shared_connection;

pub use blocking_query::BlockingQuery;

use std::env::{self, VarError};
use std::future::Future;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};

use tokio::io::DuplexStream;
use tokio::runtime::Handle;
use tokio::sync::Notify;

use super::builder::OwnRuntime;
use super::goal::{Goal, Outcome};
use super::{AnyServer, Broker, CommandError, StartError};
use crate::clients::Filter;
use crate::remote::{RemoteError, Target, Transport, without_login};
use crate::resp::{OwnedRequest, Value};
use crate::server::Process;
use crate::testing::journal::Message;
use server::Server;

/// The environment variable that names the server for [`Broker::from_env`].
pub const URL_VARIABLE: &str = "MINIBROKER_URL";

/// The environment variable that allows [`Broker::from_env`], with `1`, to empty a database that it
/// has not chosen itself.
pub const FLUSH_VARIABLE: &str = "MINIBROKER_FLUSH";

impl Broker<AnyServer> {
    /// The broker that the environment selects: an embedded one, as by [`Broker::start`], unless `MINIBROKER_URL` is
    /// set to the URL of a server; then that server, as by [`Broker::attach`]. So one suite of tests runs on minibroker
    /// at every commit, and on a real Redis or Valkey every night:
    ///
    /// ```
    /// use minibroker::Broker;
    ///
    /// let broker = Broker::from_env()?;
    /// let mut connection = redis::Client::open(broker.url())?.get_connection()?;
    /// let mut chat = connection.as_pubsub();
    /// chat.subscribe("chat")?;
    /// broker.wait_for_subscribers("chat", 1).blocking()?;
    /// broker.command(["PUBLISH", "chat", "hello"])?;
    /// assert_eq!(chat.get_message()?.get_payload::<String>()?, "hello");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// A database that the URL names, or that is the only one of the server, is emptied before and after the test if
    /// `MINIBROKER_FLUSH` is `1`, and never otherwise. Tests that share it have to run one after another.
    ///
    /// # Errors
    ///
    /// The broker does not start, or the server cannot be attached to.
    pub fn from_env() -> Result<Self, StartError> {
        let url = match env::var(URL_VARIABLE) {
            Err(VarError::NotPresent) => return Ok(Broker::start()?.into()),
            Ok(url) if url.is_empty() => return Ok(Broker::start()?.into()),
            Ok(url) => url,
            Err(VarError::NotUnicode(_)) => {
                let (url, reason) = (format!("what {URL_VARIABLE} names"), "it is not UTF-8".to_owned());
                return Err(StartError::Attach { url, reason });
            }
        };
        let flushes = env::var_os(FLUSH_VARIABLE).is_some_and(|value| value == "1");
        Ok(Attached::new(&url, flushes)?.into())
    }

    /// Attaches to a running server: Redis, Valkey, or another one with the same protocol. The URL is one that clients
    /// take: `redis://[[user]:password@]host[:port][/database]`, `rediss://` for TLS (with the feature `tls`;
    /// `#insecure` after it accepts any certificate), `unix:///path?db=1&pass=s3cret`.
    ///
    /// **A database for each test.** If the URL names no database, the broker takes an empty one for itself, from 1 on,
    /// and [`Broker::url`] names it. A key in database 0 shows other users of minibroker that it is taken. If tests
    /// have taken all of them this waits until one is free, for a minute. When the broker is dropped, even by a panic
    /// of the test, the clients in that database are cut off, the database is emptied and released. A database left by
    /// a test that was killed is emptied by a later test, 30 seconds later at the earliest. Other databases are not
    /// changed. If the URL names a database, or there is no other than 0, that one is used as it is, and nothing is
    /// emptied.
    ///
    /// **Channels** are one name space over all databases of a server. Tests that run at the same time need channels
    /// with different names, as by [`Broker::unique`].
    ///
    /// **What works** is all that a server can be asked for: all waits, [`Broker::command`], [`Broker::published`],
    /// [`Broker::watch_commands`], [`Broker::kill_clients`], [`Broker::connect`]. Waits query the server every few
    /// milliseconds. Clients are those in the database of the test, without the broker's own. To which pattern a client
    /// is subscribed, and on which key it is blocked, is known from MONITOR since the broker was attached. On a Unix
    /// socket all clients have one address: there every client counts that may match. If MONITOR is refused this is
    /// unknown: then every client counts that is subscribed to any pattern, or blocked on any key.
    ///
    /// **What does not work** is not a method of [`Broker<AnyServer>`]: faults, the clock, stopping, the journal. A
    /// test that needs them uses [`Broker::embedded`].
    ///
    /// **A cluster** behind one address works as far as one connection does: one node is queried, only database 0
    /// exists, and commands about keys of another node are answered with `MOVED`.
    ///
    /// # Errors
    ///
    /// The server cannot be reached, is not a Redis server, or refuses the login; or none of its databases is empty.
    ///
    /// ```
    /// use minibroker::Broker;
    ///
    /// // As if it were a real server.
    /// let server = Broker::start()?;
    ///
    /// let (ann, bob) = (Broker::attach(&server.url())?, Broker::attach(&server.url())?);
    /// ann.command(["SET", "mood", "good"])?;
    /// assert_eq!(ann.command(["GET", "mood"])?, "good");
    /// assert_eq!(bob.command(["GET", "mood"])?, minibroker::Value::Null);
    /// assert_ne!(ann.url(), bob.url());
    ///
    /// let refused = Broker::attach("redis://127.0.0.1:1").unwrap_err().to_string();
    /// assert!(refused.starts_with("cannot attach to redis://127.0.0.1:1: "));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn attach(url: &str) -> Result<Self, StartError> {
        Ok(Attached::new(url, false)?.into())
    }
}

/// A real server, and the thread that communicates with it.
pub struct Attached {
    server: Arc<Server>,
    addr: Option<SocketAddr>,
    runner: Runner,
    prints_on_panic: AtomicBool,
}

/// A thread with a runtime, which ends when this is dropped.
struct Runner {
    runtime: Handle,
    stop: Arc<Notify>,
    thread: Option<JoinHandle<()>>,
    process: Process,
}

impl Runner {
    fn start() -> Result<Self, StartError> {
        let runtime = OwnRuntime::new()?;
        let handle = runtime.get().handle().clone();
        let stop = Arc::new(Notify::new());
        let stopped = Arc::clone(&stop);
        let thread = std::thread::Builder::new()
            .name("minibroker:attached".to_owned())
            .spawn(move || runtime.get().block_on(stopped.notified()))
            .map_err(StartError::Thread)?;
        Ok(Self { runtime: handle, stop, thread: Some(thread), process: Process::this() })
    }

    /// Runs a future on that runtime, and waits for it in the calling thread.
    fn run<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, RemoteError>> + Send + 'static,
    ) -> Result<T, RemoteError> {
        wait_here(&self.runtime, work).unwrap_or(Err(RemoteError::Closed))
    }
}

/// Runs a future on a runtime, and waits for it in this thread. None if the runtime has ended.
fn wait_here<T: Send + 'static>(
    runtime: &Handle,
    work: impl Future<Output = T> + Send + 'static,
) -> Option<T> {
    let (sender, receiver) = mpsc::channel();
    runtime.spawn(async move {
        // The receiver waits for this.
        let _ = sender.send(work.await);
    });
    receiver.recv().ok()
}

impl Drop for Runner {
    fn drop(&mut self) {
        if self.process.is_another() {
            std::mem::forget(self.thread.take());
            return;
        }
        self.stop.notify_one();
        if let Some(thread) = self.thread.take() {
            // A panic of that thread has been reported there.
            let _ = thread.join();
        }
    }
}

impl Attached {
    /// The part of names that makes them this test's own.
    pub fn token(&self) -> &str {
        self.server.token()
    }

    fn new(url: &str, flushes: bool) -> Result<Self, StartError> {
        let cannot = |url: String, error: &RemoteError| StartError::Attach { url, reason: error.to_string() };
        let parsed = url.parse::<Target>();
        let target = parsed.map_err(|error| cannot(without_login(url).to_owned(), &error.into()))?;
        let named = target.to_string();
        let runner = Runner::start()?;
        let server = runner.run(Server::attach(target, flushes)).map_err(|error| cannot(named, &error))?;
        let server = Arc::new(server);
        runner.runtime.spawn(Arc::clone(&server).keep());
        let addr = server.addr;
        Ok(Self { server, addr, runner, prints_on_panic: AtomicBool::new(false) })
    }

    /// Runs a future, and panics if the server does not answer.
    #[track_caller]
    fn expect_server<T: Send + 'static>(
        &self,
        what: &str,
        work: impl Future<Output = Result<T, RemoteError>> + Send + 'static,
    ) -> T {
        match self.runner.run(work) {
            Ok(value) => value,
            Err(error) => panic!("`{what}`: {}: {error}", self.server.target()),
        }
    }

    pub(super) fn url(&self) -> String {
        self.server.target().url(self.server.database())
    }

    pub(super) fn addr(&self) -> Option<SocketAddr> {
        self.addr
    }

    pub(super) fn unix_socket(&self) -> Option<&Path> {
        match &self.server.target().transport {
            Transport::Unix(path) => Some(path),
            Transport::Tcp { .. } => None,
        }
    }

    pub(super) fn connect(&self, mut stream: DuplexStream) {
        let server = Arc::clone(&self.server);
        self.runner.runtime.spawn(async move {
            // If it cannot be reached, the stream ends.
            if let Ok(connection) = server.connect().await {
                let _ = tokio::io::copy_bidirectional(&mut connection.into_stream(), &mut stream).await;
            }
        });
    }

    #[track_caller]
    pub(super) fn send_commands(&self, stream: DuplexStream) {
        let server = Arc::clone(&self.server);
        self.expect_server("watch_commands", async move { server.send_commands(stream).await });
    }

    pub(super) fn command(&self, request: OwnedRequest) -> Result<Value, CommandError> {
        wait_here(&self.runner.runtime, ask(Arc::clone(&self.server), request)).unwrap_or_else(|| {
            let server = self.server.target().to_string();
            Err(CommandError::Connection { server, reason: RemoteError::Closed.to_string() })
        })
    }

    /// The same without blocking this thread.
    pub(super) fn begin_command(
        &self,
        request: OwnedRequest,
    ) -> tokio::task::JoinHandle<Result<Value, CommandError>> {
        self.runner.runtime.spawn(ask(Arc::clone(&self.server), request))
    }

    #[track_caller]
    pub(super) fn published(&self, channel: &[u8]) -> Vec<Message> {
        let (server, channel) = (Arc::clone(&self.server), channel.to_vec());
        self.expect_server("published", async move { server.published(&channel).await })
    }

    /// The channels on which messages were published, and how many on each.
    pub(super) fn channels(&self) -> Vec<(Vec<u8>, usize)> {
        self.server.channels()
    }

    pub(super) fn prints_on_panic(&self) -> &AtomicBool {
        &self.prints_on_panic
    }

    /// Prints the last commands on standard error, if the test wants that.
    pub(super) fn print_if_wanted(&self) {
        if self.prints_on_panic.load(Ordering::Relaxed) {
            eprint!("{}", self.server.last_commands());
        }
    }

    #[track_caller]
    pub(super) fn now(&self) -> SystemTime {
        let server = Arc::clone(&self.server);
        self.expect_server("now", async move { server.time().await })
    }

    #[track_caller]
    pub(super) fn kill_clients(&self, filter: &Filter) -> usize {
        let (server, filter) = (Arc::clone(&self.server), filter.clone());
        self.expect_server("kill_clients", async move { server.kill_clients(&filter).await })
    }

    pub(super) fn begin_wait(&self, goal: Goal, within: Duration) -> tokio::task::JoinHandle<Outcome> {
        let server = Arc::clone(&self.server);
        self.runner.runtime.spawn(polling::wait(server, goal, within))
    }

    pub(super) fn wait(&self, goal: Goal, within: Duration) -> Outcome {
        let work = polling::wait(Arc::clone(&self.server), goal, within);
        let gone = || Outcome::Unavailable("the broker has gone".to_owned());
        wait_here(&self.runner.runtime, work).unwrap_or_else(gone)
    }
}

/// Runs a command of the test.
async fn ask(server: Arc<Server>, request: OwnedRequest) -> Result<Value, CommandError> {
    match server.command(request).await {
        Ok(Value::Error(text)) | Err(RemoteError::Refused(text)) => Err(CommandError::reply(text)),
        Ok(value) => Ok(value),
        Err(error) => {
            let server = server.target().to_string();
            Err(CommandError::Connection { server, reason: error.to_string() })
        }
    }
}

impl Drop for Attached {
    fn drop(&mut self) {
        if self.runner.process.is_another() {
            // Its sockets are the parent's: closing them here would end the parent's wait for them.
            std::mem::forget(Arc::clone(&self.server));
            return;
        }
        if std::thread::panicking() {
            self.print_if_wanted();
        }
        let server = Arc::clone(&self.server);
        if let Err(error) = self.runner.run(async move { server.release().await }) {
            let (target, database) = (self.server.target(), self.server.database());
            eprintln!("minibroker: database {database} of {target} was not emptied: {error}");
        }
    }
}
