//! Settings of a broker, and its start.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, OnceLock};
use std::time::SystemTime;

use tokio::runtime::{Handle, Runtime};
use tokio::sync::{Notify, watch};

use super::on_runtime::Tasks;
#[cfg(feature = "tls")]
use super::tls::{Encryption, Place, Wanted};
use super::{Broker, DEFAULT_JOURNAL_LIMIT, Embedded, Snapshot, StartError};
use crate::commands::{acl, config};
use crate::config::OutputLimit;
use crate::config::{Config, Version};
use crate::data::Time;
use crate::engine::Engine;
use crate::server::{Clock, DataFile, Listener, Shared, replace};
use crate::state::State;
use crate::table::TABLE;
use crate::testing::Recorder;
use crate::users::UserFile;

/// The broker's end of a connection in CLIENT LIST, if it has no address.
pub(super) const NO_ADDRESS: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// How often another free port is tried until one is free on all addresses.
const ATTEMPTS: usize = 32;

/// Settings for a [`Broker`]; see [`Broker::builder`].
///
/// Names and meanings are those of redis.conf if it has the setting. Settings that can be changed while the broker
/// runs can also be changed with `CONFIG SET`.
#[derive(Clone, Debug)]
pub struct Builder {
    addresses: Vec<IpAddr>,
    port: u16,
    unix_socket: Option<PathBuf>,
    password: Option<String>,
    seed: Option<u64>,
    /// The time at the start, if not the system's.
    time: Option<SystemTime>,
    manual_clock: bool,
    journal_limit: usize,
    config: Config,
    /// Names and values, in the order in which they were given.
    settings: Vec<(String, String)>,
    /// Names and rules, in the order in which they were given.
    users: Vec<(String, String)>,
    user_file: Option<PathBuf>,
    data: Option<Data>,
    data_file: Option<PathBuf>,
    #[cfg(feature = "tls")]
    tls: Wanted,
}

/// What the broker starts with.
#[derive(Clone, Debug)]
enum Data {
    Snapshot(Snapshot),
    /// An RDB file.
    File(PathBuf),
}

impl Default for Builder {
    fn default() -> Self {
        Self {
            addresses: vec![IpAddr::V4(Ipv4Addr::LOCALHOST)],
            port: 0,
            unix_socket: None,
            password: None,
            seed: None,
            time: None,
            manual_clock: false,
            journal_limit: DEFAULT_JOURNAL_LIMIT,
            config: Config::default(),
            settings: Vec::new(),
            users: Vec::new(),
            user_file: None,
            data: None,
            data_file: None,
            #[cfg(feature = "tls")]
            tls: Wanted::default(),
        }
    }
}

/// Adds the users of the start.
fn add_users(state: &mut State, users: &[(String, String)], file: Option<PathBuf>) -> Result<(), StartError> {
    let invalid = |name: &str, value: String, reason: String| {
        Err(StartError::Setting { name: name.to_owned(), value, reason })
    };
    for (name, rules) in users {
        if let Err(reason) = acl::add_user(state, &TABLE, name, rules) {
            // Not the rules, which have passwords.
            return invalid("user", name.clone(), reason);
        }
    }
    let Some(path) = file else { return Ok(()) };
    let shown = path.display().to_string();
    if !users.is_empty() {
        return invalid("aclfile", shown, "users are given by rules as well as by a file".to_owned());
    }
    let added = std::fs::read(&path).map_err(|error| error.to_string());
    if let Err(reason) = added.and_then(|text| acl::add_users(state, &TABLE, &text, &shown)) {
        return invalid("aclfile", shown, reason);
    }
    let written = path.clone();
    state.user_file = Some(UserFile::new(move || std::fs::read(&path), move |text| replace(&written, text)));
    Ok(())
}

/// The folder of the file of the data, without one the working directory.
fn folder(data_file: Option<&Path>) -> PathBuf {
    match data_file.and_then(Path::parent) {
        Some(folder) => folder.to_owned(),
        None => std::env::current_dir().unwrap_or_default(),
    }
}

/// Loads what the broker starts with.
fn load(shared: &Shared, data: Option<Data>, data_file: Option<&DataFile>) -> Result<(), StartError> {
    let failed = |from: String| move |reason| StartError::Load { from, reason };
    let load = |file: &[u8]| shared.change(|engine, now| engine.load_file(file, now));
    match (data, data_file) {
        (Some(Data::Snapshot(snapshot)), _) => {
            snapshot.load_into(shared).map_err(failed("the snapshot".to_owned()))
        }
        (Some(Data::File(path)), _) => {
            let file = std::fs::read(&path).map_err(|error| error.to_string());
            file.and_then(|file| load(&file)).map_err(failed(path.display().to_string()))
        }
        (None, Some(file)) => match std::fs::read(file.path()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            read => {
                let bytes = read.map_err(|error| error.to_string());
                bytes.and_then(|bytes| load(&bytes)).map_err(failed(file.path().display().to_string()))
            }
        },
        (None, None) => Ok(()),
    }
}

impl Builder {
    /// The TCP port; 0, the default, takes a free one.
    #[must_use]
    pub fn port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// The addresses to listen on in place of 127.0.0.1, all on one port. Everyone who can reach them can use the
    /// broker. Without any address only [`Broker::connect`] and the Unix socket remain.
    #[must_use]
    pub fn bind(mut self, addresses: impl IntoIterator<Item = IpAddr>) -> Self {
        self.addresses = addresses.into_iter().collect();
        self
    }

    /// The broker's port speaks TLS in place of plain TCP, and [`Broker::url`] is `rediss://...`. The broker makes an authority
    /// and a certificate for itself, which clients trust by [`Broker::ca_certificate`]. They need no certificate of their
    /// own unless the setting `tls-auth-clients` is `yes`, see [`Broker::client_certificate`].
    ///
    /// With the settings `tls-cert-file` and `tls-key-file` the broker takes its certificate from files, in PEM. Then, as in
    /// redis-server, clients need a certificate of an authority in `tls-ca-cert-file`, unless `tls-auth-clients` is
    /// `no` or `optional`. CONFIG SET of a file, also of the same name, takes its new content for new connections.
    ///
    /// Unix sockets and [`Broker::connect`] stay as they are.
    ///
    /// ```
    /// use minibroker::Broker;
    /// use redis::{Client, TlsCertificates};
    ///
    /// let broker = Broker::builder().tls().start()?;
    /// assert!(broker.url().starts_with("rediss://127.0.0.1:"));
    /// let trusted = TlsCertificates { client_tls: None, root_cert: Some(broker.ca_certificate().into()) };
    /// let mut connection = Client::build_with_tls(broker.url(), trusted)?.get_connection()?;
    /// assert_eq!(redis::cmd("PING").query::<String>(&mut connection)?, "PONG");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn tls(mut self) -> Self {
        self.tls.place = Place::Port;
        self
    }

    /// As [`Builder::tls`], but TLS is spoken on a port of its own (`tls-port`) beside the plain one; 0 takes a free one,
    /// which [`Broker::tls_port`] returns. [`Broker::url`] stays that of the plain port.
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn tls_port(mut self, port: u16) -> Self {
        self.tls.place = Place::Beside(port);
        self
    }

    /// The folder for the certificates that the broker makes, for clients that read files: `ca.crt`, `server.crt`,
    /// `server.key`, `client.crt` and `client.key`. Those that are there already are used and not changed. Without
    /// [`Builder::tls`] or [`Builder::tls_port`] this has no effect.
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn tls_dir(mut self, folder: impl Into<PathBuf>) -> Self {
        self.tls.folder = Some(folder.into());
        self
    }

    /// Listens on a Unix socket at this path as well. The file is removed when the broker ends; a file left by a
    /// broker that was killed is replaced.
    #[cfg(unix)]
    #[must_use]
    pub fn unix_socket(mut self, path: impl Into<PathBuf>) -> Self {
        self.unix_socket = Some(path.into());
        self
    }

    /// The password that clients have to give (`requirepass`); an empty one is none. [`Broker::url`] contains it.
    #[must_use]
    pub fn password(mut self, password: impl Into<String>) -> Self {
        let password = password.into();
        self.config.requirepass = password.clone().into_bytes();
        self.password = (!password.is_empty()).then_some(password);
        self
    }

    /// A user with rules as ACL SETUSER takes them, separated by spaces: who may log in, and which commands, keys and
    /// channels the user may use. With the name `default` it is the user of clients that do not log in. [`Broker::start`]
    /// fails if a rule is wrong.
    ///
    /// ```
    /// use redis::Commands;
    ///
    /// let broker = minibroker::Broker::builder().user("ann", "on >secret ~chat:* &room:* +@read +publish").start()?;
    /// let url = broker.url().replace("redis://", "redis://ann:secret@");
    /// let mut ann = redis::Client::open(url)?.get_connection()?;
    /// assert_eq!(ann.get::<_, Option<String>>("chat:topic")?, None);
    /// let refused = ann.set::<_, _, ()>("chat:topic", "tea").expect_err("writing is not among the rules");
    /// assert_eq!(refused.code(), Some("NOPERM"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn user(mut self, name: impl Into<String>, rules: impl Into<String>) -> Self {
        self.users.push((name.into(), rules.into()));
        self
    }

    /// The file of users (`aclfile`), with a line `user name rules` for each: they are read at the start and by ACL LOAD, and
    /// written by ACL SAVE. Users are given either by this or by [`Builder::user`].
    #[must_use]
    pub fn user_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.user_file = Some(path.into());
        self
    }

    /// Starts with the data of a snapshot: of another broker, or of an RDB file. Keys that have expired by the clock of
    /// this broker are left out. Of this, [`Builder::load`] and the existing file of [`Builder::data_file`] a broker
    /// starts with one: the first two replace each other, and come before the last.
    ///
    /// A thousand tests begin with the same history, each with a copy for itself:
    ///
    /// ```
    /// use minibroker::Broker;
    ///
    /// let staged = Broker::start()?;
    /// staged.command(["RPUSH", "history", "ann: hello", "bob: hi"])?;
    /// let history = staged.snapshot();
    ///
    /// let first = Broker::builder().from_snapshot(&history).start()?;
    /// let second = Broker::builder().from_snapshot(&history).start()?;
    /// first.command(["RPUSH", "history", "ann: how are you?"])?;
    /// assert_eq!(first.command(["LLEN", "history"])?, 3);
    /// assert_eq!(second.command(["LLEN", "history"])?, 2);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    // It is a builder's method, not a conversion.
    #[allow(clippy::wrong_self_convention)]
    #[must_use]
    pub fn from_snapshot(mut self, snapshot: &Snapshot) -> Self {
        self.data = Some(Data::Snapshot(snapshot.clone()));
        self
    }

    /// Starts with the data of an RDB file of Redis or Valkey, which is read and never written. See [`Snapshot`] for
    /// what is loaded. The start fails if there is no such file or it is not well formed.
    #[must_use]
    pub fn load(mut self, file: impl Into<PathBuf>) -> Self {
        self.data = Some(Data::File(file.into()));
        self
    }

    /// The file that SAVE and BGSAVE write, in the format of the emulated version (`dir` and `dbfilename`). The broker
    /// starts with its data if it exists. Without this they keep what they save in memory, for DEBUG RELOAD.
    ///
    /// ```
    /// use minibroker::Broker;
    ///
    /// let file = std::env::temp_dir().join(format!("history-{}.rdb", std::process::id()));
    /// let broker = Broker::builder().data_file(&file).start()?;
    /// broker.command(["RPUSH", "history", "ann: hello"])?;
    /// broker.command(["SAVE"])?;
    /// drop(broker);
    /// let broker = Broker::builder().data_file(&file).start()?;
    /// assert_eq!(broker.command(["LLEN", "history"])?, 1);
    /// std::fs::remove_file(&file)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn data_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.data_file = Some(path.into());
        self
    }

    /// The number of databases for SELECT, by default 16; at least one.
    #[must_use]
    pub fn databases(mut self, databases: usize) -> Self {
        self.config.databases = databases.max(1);
        self
    }

    /// The maximum number of clients at a time (`maxclients`), by default 10,000. Further clients get an error and are
    /// cut off, and so is a client for which the process has no file descriptor left. The broker does not change the
    /// limit of open files of its process.
    #[must_use]
    pub fn max_clients(mut self, clients: usize) -> Self {
        self.config.maxclients = clients;
        self
    }

    /// The maximum for `maxclients` in CONFIG SET, for a process that knows how many connections it can have.
    #[must_use]
    pub fn max_clients_possible(mut self, clients: usize) -> Self {
        self.config.maxclients_possible = clients;
        self
    }

    /// The longest argument in bytes (`proto-max-bulk-len`), by default 512 MB.
    #[must_use]
    pub fn max_bulk_length(mut self, bytes: u64) -> Self {
        self.config.proto_max_bulk_len = bytes;
        self
    }

    /// How many bytes may wait to run for one client (`client-query-buffer-limit`), by default 1 GB.
    #[must_use]
    pub fn query_buffer_limit(mut self, bytes: usize) -> Self {
        self.config.client_query_buffer_limit = bytes;
        self
    }

    /// How many bytes may wait to be sent to a subscriber before it is cut off (`client-output-buffer-limit pubsub`),
    /// by default 32 MB; 0 for no limit. As in redis-server, the first 16 KB do not count, and output beyond them
    /// counts in blocks of 20 KB.
    #[must_use]
    pub fn subscriber_output_limit(mut self, bytes: usize) -> Self {
        self.config.output_limit_pubsub = OutputLimit { hard: bytes, soft: 0, soft_seconds: 0 };
        self
    }

    /// How many bytes of memory the [`journal`](Broker::journal) may take, by default [`DEFAULT_JOURNAL_LIMIT`].
    /// Beyond that the oldest events are dropped. With 0 nothing is recorded, which saves some CPU time of each
    /// command, for measurements of speed.
    ///
    /// ```
    /// let broker = minibroker::Broker::builder().journal_limit(4096).start()?;
    /// for number in 0..1000 {
    ///     broker.command(("SET", "number", number))?;
    /// }
    /// let journal = broker.journal();
    /// assert_eq!(journal.dropped() + journal.len() as u64, 2000);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn journal_limit(mut self, bytes: usize) -> Self {
        self.journal_limit = bytes;
        self
    }

    /// A setting by its name in redis.conf, with a value as CONFIG SET takes it: any setting that CONFIG SET can
    /// change. It lasts like one in redis.conf, even after [`Broker::restart`]. An unknown name or an invalid value is
    /// an error when the broker is started. Of several values for one setting the last counts, and it takes precedence
    /// over the methods of this builder.
    ///
    /// ```
    /// use minibroker::Broker;
    ///
    /// let broker = Broker::builder()
    ///     .config("notify-keyspace-events", "KEA")
    ///     .config("list-max-listpack-size", 4)
    ///     .start()?;
    /// broker.command(["SET", "mood", "good"])?;
    /// assert_eq!(broker.published("__keyevent@0__:set")[0].payload, "mood");
    ///
    /// let error = Broker::builder().config("timeout", "soon").start().unwrap_err();
    /// assert!(error.to_string().starts_with("cannot set `timeout` to \"soon\": "), "{error}");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    // So that numbers and texts can be passed directly.
    #[allow(clippy::needless_pass_by_value)]
    #[must_use]
    pub fn config(mut self, name: impl Into<String>, value: impl ToString) -> Self {
        self.settings.push((name.into(), value.to_string()));
        self
    }

    /// Clients may control the broker with the command MINIBROKER, as a test in another language does: wait for a
    /// state, read the journal. Without this the command is unknown, as in Redis. `MINIBROKER HELP` lists all of it.
    ///
    /// ```
    /// let broker = minibroker::Broker::builder().control().start()?;
    /// let mut connection = redis::Client::open(broker.url())?.get_connection()?;
    /// broker.command(["PUBLISH", "chat", "hello"])?;
    /// let published: Vec<String> =
    ///     redis::cmd("MINIBROKER").arg("PUBLISHED").arg("chat").query(&mut connection)?;
    /// assert_eq!(published, ["hello"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn control(mut self) -> Self {
        self.config.control = true;
        self
    }

    /// The version of Redis that is emulated, by default [`Version::Redis8_2`]: which commands and options exist, what
    /// INFO and HELLO call the server, and how it replies where versions differ. The other differences of 7.0 are
    /// listed in [`differences`](crate::differences).
    ///
    /// ```
    /// use minibroker::{Broker, Version};
    ///
    /// let broker = Broker::builder().compat(Version::Redis7_0).start()?;
    /// let mut connection = redis::Client::open(broker.url())?.get_connection()?;
    /// let refused = redis::cmd("HEXPIRE").arg(&["h", "60", "FIELDS", "1", "f"]).exec(&mut connection);
    /// assert!(refused.unwrap_err().to_string().contains("unknown command"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn compat(mut self, version: Version) -> Self {
        self.config.compat = version;
        self
    }

    /// The seed of everything random; by default it is random itself.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Time stands still, from the system's time in whole milliseconds at the start on, until the test moves it by
    /// [`Broker::advance`] or [`Broker::set_time`]. This is the time of everything: of keys and fields of hashes that
    /// expire, of BLPOP, XREAD BLOCK, WAIT and CLIENT PAUSE, of `timeout` and soft limits, of the ids of streams, of
    /// idle times, TIME and the journal. The duration of commands is not measured: they take no time.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let broker = minibroker::Broker::builder().manual_clock().start()?;
    /// let client = redis::Client::open(broker.url())?;
    /// let worker = std::thread::spawn(move || -> redis::RedisResult<Option<(String, String)>> {
    ///     let mut connection = client.get_connection()?;
    ///     redis::cmd("BLPOP").arg("chat_queue").arg(600).query(&mut connection)
    /// });
    /// broker.wait_for_blocked("chat_queue", 1).blocking()?;
    /// broker.advance(Duration::from_secs(600));
    /// assert_eq!(worker.join().unwrap()?, None);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn manual_clock(mut self) -> Self {
        self.manual_clock = true;
        self
    }

    /// As [`Builder::manual_clock`], but time stands still at `time`.
    #[must_use]
    pub fn manual_clock_at(self, time: SystemTime) -> Self {
        self.clock_at(time).manual_clock()
    }

    /// The clock shows `time` at the start, in place of the system's time, and runs on from there. A time after the
    /// end of the year 9999 is refused when the broker starts.
    ///
    /// ```
    /// use std::time::{Duration, SystemTime};
    ///
    /// let time = SystemTime::UNIX_EPOCH + Duration::from_secs(4_000_000_000);
    /// let broker = minibroker::Broker::builder().clock_at(time).start()?;
    /// let id = broker.command(["XADD", "chat", "*", "text", "hello from 2096"])?.to_string();
    /// assert!(id.starts_with("40000"), "{id}");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn clock_at(mut self, time: SystemTime) -> Self {
        self.time = Some(time);
        self
    }

    /// Starts the broker. When this returns it is listening. It needs no runtime, and may be called from within
    /// one.
    ///
    /// # Errors
    ///
    /// An address cannot be listened on, or the system gives no thread.
    ///
    /// ```
    /// use minibroker::Broker;
    ///
    /// let first = Broker::start()?;
    /// let second = Broker::builder().port(first.port()).start();
    /// let text = second.unwrap_err().to_string();
    /// assert!(text.starts_with(&format!("cannot listen on 127.0.0.1:{}: ", first.port())), "{text}");
    /// # Ok::<(), minibroker::StartError>(())
    /// ```
    pub fn start(mut self) -> Result<Broker, StartError> {
        self.config.bind = self.addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
        self.apply_settings()?;
        #[cfg(feature = "tls")]
        let encryption = self.tls.certificates(&mut self.config.tls, &self.addresses)?;
        let runtime = OwnRuntime::new()?;
        let handle = runtime.get().handle().clone();
        let (listeners, addr) = {
            let _context = handle.enter();
            let listeners = self.listen_on(self.port)?;
            let addr = listeners.first().and_then(Listener::address);
            self.config.port = addr.map_or(0, |addr| addr.port());
            #[cfg(feature = "tls")]
            let listeners = match &encryption {
                Some(encryption) => self.encrypt(listeners, encryption)?,
                None => listeners,
            };
            (self.with_unix_socket(listeners)?, addr)
        };
        // The path stays valid when the program changes its working directory.
        let unix_socket = self.unix_socket.take().map(|path| std::path::absolute(&path).unwrap_or(path));
        self.config.unixsocket =
            unix_socket.as_ref().map(|path| path.display().to_string()).unwrap_or_default();
        let clock = self.shell_clock();
        let mut broker = self.broker(handle, clock)?;
        broker.addr = addr.map_or_else(OnceLock::new, OnceLock::from);
        broker.unix_socket = unix_socket;
        #[cfg(feature = "tls")]
        if let Some(encryption) = encryption {
            broker.encrypted = encryption.place == Place::Port;
            broker.shared.change(|engine, _| engine.state_mut().certificates = Some(encryption.in_state()));
            broker.own_certificates = encryption.own;
        }
        broker.shared.listen(listeners, broker.runtime.clone());
        let thread = std::thread::Builder::new()
            .name(format!("minibroker:{}", addr.map_or(0, |addr| addr.port())))
            .spawn({
                let (shared, stop) = (Arc::clone(&broker.shared), Arc::clone(&broker.stop));
                move || run(&runtime, &shared, &stop)
            })
            .map_err(StartError::Thread)?;
        broker.thread = Some(thread);
        Ok(broker.into())
    }

    /// Removes the addresses that were set.
    pub(super) fn listen_nowhere(&mut self) {
        self.addresses.clear();
        self.unix_socket = None;
        self.config.port = 0;
        self.config.bind.clear();
    }

    /// The clock that drives the broker's.
    pub(super) fn shell_clock(&self) -> Clock {
        Clock::starting_at(self.time.unwrap_or_else(|| {
            let now = SystemTime::now();
            // The broker counts deadlines in whole milliseconds: so a delay of one second does not end a fraction of a
            // millisecond later.
            if self.manual_clock { Time::from_millis(Time::from(now).millis()).into() } else { now }
        }))
    }

    /// Applies what was set by names.
    pub(super) fn apply_settings(&mut self) -> Result<(), StartError> {
        for (name, value) in std::mem::take(&mut self.settings) {
            config::change(&mut self.config, &name, &value).map_err(|reason| StartError::Setting {
                name,
                value,
                reason,
            })?;
        }
        if !self.config.requirepass.is_empty() {
            // The password may have been set by its name in redis.conf.
            self.password = Some(String::from_utf8_lossy(&self.config.requirepass).into_owned());
        }
        Ok(())
    }

    /// A broker without a runtime and without a listener.
    pub(super) fn broker(mut self, runtime: Handle, clock: Clock) -> Result<Embedded, StartError> {
        let seed = self.seed.unwrap_or_else(|| fastrand::u64(..));
        let started = clock.start();
        if started > Time::LAST {
            return Err(StartError::Setting {
                name: "clock_at".to_owned(),
                value: format!("{}s", started.seconds()),
                reason: "the clock goes to the end of the year 9999 at most".to_owned(),
            });
        }
        // The path stays valid when the program changes its working directory.
        let data_file = self.data_file.take().map(|path| std::path::absolute(&path).unwrap_or(path));
        self.config.dir = folder(data_file.as_deref()).display().to_string();
        if let Some(name) = data_file.as_deref().and_then(Path::file_name) {
            self.config.dbfilename = name.display().to_string();
        }
        if let Some(path) = &self.user_file {
            self.config.aclfile = path.display().to_string();
        }
        let mut engine = Engine::new(self.config, seed, started);
        add_users(engine.state_mut(), &self.users, self.user_file)?;
        engine.state_mut().journal = Recorder::new(self.journal_limit, started);
        if self.manual_clock {
            engine.stop_clock();
        }
        let shared = Arc::new(Shared::new(engine, clock));
        shared.watch_scripts();
        let data_file = data_file.map(|path| Arc::new(DataFile::new(path, &shared)));
        load(&shared, self.data, data_file.as_deref())?;
        if let Some(file) = &data_file {
            let file = Arc::clone(file);
            shared.change(|engine, _| engine.state_mut().saves.file = Some(file));
        }
        Ok(Embedded {
            shared,
            runtime,
            stop: Arc::default(),
            thread: None,
            tasks: None,
            addr: OnceLock::new(),
            #[cfg(feature = "tls")]
            own_certificates: None,
            encrypted: false,
            password: self.password,
            unix_socket: None,
            data_file,
            prints_on_panic: AtomicBool::new(false),
            printed: AtomicU64::new(0),
            alive: watch::Sender::default(),
        })
    }

    /// The listeners that speak TLS, and others if it has a port of its own.
    #[cfg(feature = "tls")]
    fn encrypt(
        &mut self,
        mut listeners: Vec<Listener>,
        encryption: &Encryption,
    ) -> Result<Vec<Listener>, StartError> {
        let encrypted = |listener: Listener| listener.encrypted(Arc::clone(&encryption.certificates));
        let Place::Beside(port) = encryption.place else {
            self.config.tls.port = std::mem::take(&mut self.config.port);
            return Ok(listeners.into_iter().map(encrypted).collect());
        };
        let others = self.listen_on(port)?;
        self.config.tls.port = others.first().and_then(Listener::address).map_or(0, |addr| addr.port());
        listeners.extend(others.into_iter().map(encrypted));
        Ok(listeners)
    }

    /// Adds the one of the Unix socket, if that is wanted.
    #[cfg_attr(not(unix), allow(unused_mut, clippy::unused_self))]
    fn with_unix_socket(&self, mut listeners: Vec<Listener>) -> Result<Vec<Listener>, StartError> {
        #[cfg(unix)]
        if let Some(path) = &self.unix_socket {
            let socket = Listener::unix(path)
                .map_err(|source| StartError::Listen { address: path.display().to_string(), source })?;
            listeners.push(socket);
        }
        Ok(listeners)
    }

    /// Listens on a port of all addresses.
    fn listen_on(&self, port: u16) -> Result<Vec<Listener>, StartError> {
        let mut attempts = if port == 0 { ATTEMPTS } else { 1 };
        loop {
            attempts -= 1;
            match self.listen_on_addresses(port) {
                // The port was free on the first address only.
                Err((_, error)) if attempts > 0 && error.kind() == io::ErrorKind::AddrInUse => {}
                Err((address, source)) => {
                    return Err(StartError::Listen { address: address.to_string(), source });
                }
                Ok(listeners) => return Ok(listeners),
            }
        }
    }

    fn listen_on_addresses(&self, port: u16) -> Result<Vec<Listener>, (SocketAddr, io::Error)> {
        let mut listening: Vec<Listener> = Vec::new();
        for ip in &self.addresses {
            // Further addresses get the port that the first has got.
            let first = listening.first().and_then(Listener::address);
            let wanted = SocketAddr::new(*ip, first.map_or(port, |first| first.port()));
            listening.push(Listener::tcp(wanted).map_err(|error| (wanted, error))?);
        }
        Ok(listening)
    }
}

/// The broker's runtime. Dropping a runtime as such within async code panics, and a broker may fail to start
/// there; ending it without waiting for its pool does not, and the pool runs nothing of ours.
pub(super) struct OwnRuntime(Option<Runtime>);

impl OwnRuntime {
    /// For one thread.
    pub(super) fn new() -> Result<Self, StartError> {
        tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .build()
            .map(|runtime| Self(Some(runtime)))
            .map_err(StartError::Thread)
    }

    pub(super) fn get(&self) -> &Runtime {
        self.0.as_ref().expect("it is taken by drop only")
    }
}

impl Drop for OwnRuntime {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

/// The broker's thread: everything runs here until the handle stops it. When the runtime is dropped all tasks end, and
/// their sockets close.
fn run(runtime: &OwnRuntime, shared: &Arc<Shared>, stop: &Notify) {
    shared.drive_in_this_thread();
    runtime.get().block_on(async {
        let _tasks = Tasks::spawn(runtime.get().handle(), shared);
        stop.notified().await;
        // Replies and messages from before the end are still written.
        shared.stop_listening();
        shared.close_all();
    });
}
