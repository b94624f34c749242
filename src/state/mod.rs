//! The stored data: the keyspace, values, expiry, the Pub/Sub registry, waiters, watches and clients.
//!
//! Everything here is plain data in one [`State`]; nothing knows a command's syntax, a socket or the
//! system's clock.

pub mod busy;
#[cfg(feature = "tls")]
mod certificates;
pub mod conditions;
mod connections;
mod faults;
mod field_expiry;
mod keys;
pub mod latency;
pub mod memory;
mod message_faults;
mod notify;
mod publish;
mod readers;
pub mod saves;
pub mod slow_log;
pub mod stats;
mod tracking;
mod users;
mod waits;
mod watch;

#[cfg(feature = "tls")]
pub use certificates::Certificates;
pub use keys::Lookup;
pub use latency::Latencies;
pub use saves::Saves;
pub use slow_log::SlowLog;
pub use stats::Stats;

use std::time::Duration;

use crate::clients::{ClientKey, Clients, PubSub, TrackingTable, Waiters, Watches};
use crate::config::{Config, Version};
use crate::data::Time;
use crate::keyspace::Database;
use crate::testing::{Availability, Faults, Recorder};
use crate::users::{Denials, UserFile, Users};

/// All state of a broker.
#[derive(Debug)]
// Each is a state of its own.
#[allow(clippy::struct_excessive_bools)]
pub struct State {
    /// The databases.
    pub databases: Vec<Database>,
    /// No key expires in the databases from this index on: they are not searched after every batch.
    expiring_databases: usize,
    /// The database that the running command sees.
    pub db: usize,
    /// Channels, patterns and their subscribers.
    pub pubsub: PubSub,
    /// Buffers in which pushes are encoded, for each protocol version.
    encoded: [Vec<u8>; 2],
    /// Clients that wait for a key or are paused.
    pub waiters: Waiters,
    /// Keys that clients watch.
    pub watches: Watches,
    /// Keys that clients track.
    pub tracked: TrackingTable,
    /// The client whose command runs, or has run last; [`ClientKey::NONE`] if a timer has fired since.
    pub caller: ClientKey,
    /// The command is one of a script that the client runs.
    pub in_script: bool,
    /// The command is one of a transaction that the client runs.
    pub in_transaction: bool,
    /// Clients that track keys are notified when the command is over, after its keyspace events.
    pub events_first: bool,
    /// Before Redis 7.2: the command is run again for a client that waited for a list. What it takes from the list is no
    /// further change of the key for those that track it.
    pub takes_element: bool,
    /// The connected clients.
    pub clients: Clients,
    /// The settings.
    pub config: Config,
    /// The settings of the start, which every restart restores.
    first_config: Box<Config>,
    /// The users.
    pub users: Users,
    /// The users of the start, which every restart restores.
    first_users: Box<Users>,
    /// Where ACL LOAD and ACL SAVE find the users.
    pub user_file: Option<UserFile>,
    /// The certificates of TLS, if it is spoken.
    #[cfg(feature = "tls")]
    pub certificates: Option<Certificates>,
    /// What was denied to clients, which ACL LOG shows.
    pub denials: Denials,
    /// Whether connections are accepted.
    pub availability: Availability,
    /// The counters that INFO shows.
    pub stats: Stats,
    /// Where the data are saved, and what is known of past saves.
    pub saves: Saves,
    /// The commands that SLOWLOG shows.
    pub slow_log: SlowLog,
    /// The events that LATENCY shows.
    pub latencies: Latencies,
    /// For how long DEBUG SLEEP has let the broker sleep in all.
    pub slept: Duration,
    /// Injected faults.
    pub faults: Faults,
    /// The record of past events, for the embedding program.
    pub journal: Recorder,
    /// The source of everything random.
    pub random: fastrand::Rng,
    /// The time at which the running command happens, by the broker's clock.
    pub now: Time,
    /// The same by the clock of the shell, which continues while the broker's stands still.
    pub real_now: Time,
    /// The broker's clock stands still until it is moved.
    pub clock_stands_still: bool,
    /// CLIENT PAUSE lasts: an expired key is hidden, but it stays until the pause has ended. Nothing may write
    /// meanwhile.
    pub keeps_expired: bool,
    /// The running command records the use of keys. Not so for clients that have sent CLIENT NO-TOUCH.
    pub touches: bool,
    /// Keys are removed when they expire, and not only when a client reads them. DEBUG SET-ACTIVE-EXPIRE changes it.
    pub active_expire: bool,
    /// How many scripts are cached, and the length of their texts.
    pub cached_scripts: (usize, usize),
    /// How many libraries of functions there are, and how many functions in them.
    pub functions: (usize, usize),
    /// DEBUG SLEEP lasts until this time: no client is served.
    pub asleep_until: Option<Time>,
    /// A script has run for long, and still runs: see [`State::has_busy_script`].
    pub busy: Option<Box<busy::Busy>>,
}

impl State {
    /// An empty state at the time `now`, whose random choices follow from `seed`.
    #[must_use]
    pub fn new(config: Config, seed: u64, now: Time) -> Self {
        let databases = config.databases;
        let mut random = fastrand::Rng::with_seed(seed);
        let stats = Stats::new(now, &mut random);
        let mut users = Users::new(config.compat >= Version::Redis7_4);
        users.set_default_password(&config.requirepass);
        Self {
            databases: std::iter::repeat_with(Database::default).take(databases).collect(),
            expiring_databases: 0,
            db: 0,
            pubsub: PubSub::default(),
            encoded: Default::default(),
            waiters: Waiters::new(databases),
            watches: Watches::new(databases),
            tracked: TrackingTable::default(),
            caller: ClientKey::NONE,
            in_script: false,
            in_transaction: false,
            events_first: false,
            takes_element: false,
            clients: Clients::default(),
            first_config: Box::new(config.clone()),
            config,
            first_users: Box::new(users.clone()),
            users,
            user_file: None,
            #[cfg(feature = "tls")]
            certificates: None,
            denials: Denials::default(),
            availability: Availability::default(),
            stats,
            saves: Saves::new(now),
            slow_log: SlowLog::default(),
            latencies: Latencies::default(),
            slept: Duration::ZERO,
            faults: Faults::new(seed),
            journal: Recorder::default(),
            random,
            now,
            clock_stands_still: false,
            real_now: now,
            keeps_expired: false,
            touches: true,
            active_expire: true,
            cached_scripts: (0, 0),
            functions: (0, 0),
            asleep_until: None,
            busy: None,
        }
    }

    /// These users are those of the start, to which a restart returns.
    pub fn keep_users(&mut self) {
        *self.first_users = self.users.clone();
    }

    /// Restarts, as a server that is started again: statistics, settings and the effects of DEBUG and CLIENT PAUSE
    /// are reset to those of the start. No clients but those that control the broker may be connected. Keys stay with
    /// their deadlines if `keeps_data`.
    pub fn restart(&mut self, keeps_data: bool) {
        self.config = (*self.first_config).clone();
        #[cfg(feature = "tls")]
        if let Some(certificates) = &self.certificates
            && !certificates.load(&self.config.tls)
        {
            // The files of the start are gone: those that were read last stay in use.
            certificates.ask(&self.config.tls);
        }
        self.users = (*self.first_users).clone();
        self.denials.clear();
        self.stats = Stats::new(self.now, &mut self.random);
        self.saves.restart(self.now);
        self.slow_log = SlowLog::default();
        self.latencies = Latencies::default();
        self.clients.output_limit_disconnections = 0;
        self.end_pauses();
        self.active_expire = true;
        self.stop_all_tracking();
        if !keeps_data {
            self.databases.fill_with(Database::default);
            self.expiring_databases = 0;
        }
    }

    /// Whether a script has been running for so long that other clients are answered while it runs. Until it ends time
    /// stands still, no timer fires, no wait ends, and nothing restarts.
    #[must_use]
    pub fn has_busy_script(&self) -> bool {
        self.busy.is_some()
    }

    /// Ends CLIENT PAUSE and DEBUG SLEEP; the clients that waited have been disconnected.
    pub fn end_pauses(&mut self) {
        self.waiters.pause = None;
        self.keeps_expired = false;
        self.asleep_until = None;
    }
}
