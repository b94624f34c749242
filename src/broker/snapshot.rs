//! All data of a broker at one moment, for other brokers to start with.

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use super::Broker;
use crate::config::Config;
use crate::data::Time;
use crate::data::dump::file::FileError;
use crate::keyspace::Dataset;
use crate::server::Shared;

/// The data of a broker at one moment, or of an RDB file: the keys of all databases with their values and expiries, and
/// the libraries of functions. Brokers start with it by [`Builder::from_snapshot`](super::Builder::from_snapshot).
/// Cloning it is cheap.
///
/// Expiries are points in time: whether a key has expired depends on the clock of the broker that starts with it.
///
/// Clients, users, settings, subscriptions, cached scripts, the journal and faults are not part of it.
///
/// A history from staging as a fixture: `redis-cli --rdb history.rdb` or SAVE has written the file.
///
/// ```
/// use minibroker::{Broker, Snapshot};
///
/// # let staging = Broker::start()?;
/// # staging.command(["RPUSH", "history", "ann: hello"])?;
/// # let folder = std::env::temp_dir().join(format!("snapshot-{}", std::process::id()));
/// # std::fs::create_dir_all(&folder)?;
/// # let file = folder.join("history.rdb");
/// # std::fs::write(&file, staging.snapshot().to_rdb())?;
/// let history = Snapshot::from_rdb(std::fs::read(&file)?)?;
/// let broker = Broker::builder().from_snapshot(&history).start()?;
/// assert_eq!(broker.command(["LLEN", "history"])?, 1);
/// # std::fs::remove_dir_all(&folder)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Snapshot(Arc<Content>);

enum Content {
    /// Of a broker, with its settings and its time.
    Data(Dataset, Box<Config>, Time),
    /// A file that was checked. It is read again for each broker, whose settings say which encodings values get.
    File(Vec<u8>),
}

impl Snapshot {
    /// The data of an RDB file, as Redis writes it up to version 8.2 (versions 1 to 12 of the format) and Valkey up to
    /// version 9.1 (version 80): by SAVE, BGSAVE or `redis-cli --rdb`.
    ///
    /// Values get the encodings that the settings of the broker give. Data of modules are not read.
    ///
    /// # Errors
    ///
    /// The file is not well formed: what is wrong, and at which byte. Whether libraries of functions can be loaded shows
    /// when a broker starts.
    pub fn from_rdb(file: impl Into<Vec<u8>>) -> Result<Self, SnapshotError> {
        let file = file.into();
        let config = Config { databases: usize::MAX, ..Config::default() };
        Dataset::read(&file, &config, SystemTime::now().into()).map_err(SnapshotError)?;
        Ok(Self(Arc::new(Content::File(file))))
    }

    /// The data as an RDB file, in the format of the version of Redis that the broker emulates: see
    /// [`Builder::compat`](super::Builder::compat). What was read from a file is that file.
    ///
    /// ```
    /// let broker = minibroker::Broker::builder().compat(minibroker::Version::Redis7_0).start()?;
    /// broker.command(["SADD", "online", "ann", "bob"])?;
    /// let file = broker.snapshot().to_rdb();
    /// assert!(file.starts_with(b"REDIS0010"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn to_rdb(&self) -> Vec<u8> {
        match &*self.0 {
            Content::Data(data, config, now) => data.file(config, *now),
            Content::File(file) => file.clone(),
        }
    }

    /// Loads it into a broker that starts.
    pub(super) fn load_into(&self, shared: &Shared) -> Result<(), String> {
        shared.change(|engine, now| match &*self.0 {
            Content::Data(data, ..) => engine.load_dataset(data.copied(), now),
            Content::File(file) => engine.load_file(file, now),
        })
    }
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Snapshot");
        match &*self.0 {
            Content::Data(data, ..) => shown.field("keys", &data.keys()),
            Content::File(file) => shown.field("bytes", &file.len()),
        };
        shown.finish_non_exhaustive()
    }
}

/// Why an RDB file is refused.
#[derive(Clone, PartialEq, Eq)]
pub struct SnapshotError(FileError);

impl SnapshotError {
    /// The position of the byte at which reading the file has stopped, counted from 0.
    #[must_use]
    pub fn position(&self) -> usize {
        self.0.at
    }
}

impl fmt::Display for SnapshotError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The text itself, as a test that fails by `unwrap` or `?` shows it.
impl fmt::Debug for SnapshotError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl std::error::Error for SnapshotError {}

impl Broker {
    /// A copy of all data at this moment. No command runs while it is taken: for a million small keys about 80 ms, and
    /// a broker that starts with them takes as long. One that starts with a file of them takes 0.7 s.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let shared = &self.server.shared;
        let (data, config, now) = shared.change(|engine, now| {
            (engine.dataset(), Box::new(engine.state().config.clone()), engine.time(now))
        });
        Snapshot(Arc::new(Content::Data(data, config, now)))
    }
}
