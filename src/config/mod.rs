//! The settings that change the behaviour of the engine, with redis-server's defaults.

mod event_class;
mod policy;
#[cfg(feature = "tls")]
mod tls;
mod version;

pub use event_class::Class;
pub use policy::Policy;
#[cfg(feature = "tls")]
pub use tls::{AuthClients, Tls};
pub use version::{UnknownVersion, Version};

use crate::resp::parse::BULK_MAX;

/// The limits of the output buffer for one class of clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct OutputLimit {
    /// More bytes than this close the connection at once; 0: no limit.
    pub hard: usize,
    /// More bytes than this for `soft_seconds` close the connection; 0: no limit.
    pub soft: usize,
    /// How long the soft limit may be exceeded.
    pub soft_seconds: u64,
}

/// All settings. Names and units are those of redis.conf.
#[derive(Clone, Debug)]
pub struct Config {
    /// `databases`.
    pub databases: usize,
    /// `requirepass`; empty: none.
    pub requirepass: Vec<u8>,
    /// `acl-pubsub-default`: whether a new user may use all channels.
    pub acl_all_channels: bool,
    /// `acllog-max-len`: how many denials ACL LOG keeps.
    pub acllog_max_len: usize,
    /// `aclfile`: the path of the file of users; empty: none.
    pub aclfile: String,
    /// `dir`: the folder of the file of the data.
    pub dir: String,
    /// `dbfilename`: the name of that file; empty: there is none.
    pub dbfilename: String,
    /// `maxclients`.
    pub maxclients: usize,
    /// The maximum of `maxclients`: as many connections as the process may have.
    pub maxclients_possible: usize,
    /// `timeout`: seconds after which an idle client is closed; 0: never.
    pub timeout: u64,
    /// `proto-max-bulk-len` in bytes.
    pub proto_max_bulk_len: u64,
    /// `client-query-buffer-limit` in bytes.
    pub client_query_buffer_limit: usize,
    /// `client-output-buffer-limit normal`.
    pub output_limit_normal: OutputLimit,
    /// `client-output-buffer-limit replica`: there are no replicas; kept so that CONFIG GET returns what was set.
    pub output_limit_replica: OutputLimit,
    /// `client-output-buffer-limit pubsub`.
    pub output_limit_pubsub: OutputLimit,
    /// `notify-keyspace-events`.
    pub notify_keyspace_events: Class,
    /// `set-max-intset-entries`.
    pub set_max_intset_entries: usize,
    /// `set-max-listpack-entries`.
    pub set_max_listpack_entries: usize,
    /// `set-max-listpack-value`.
    pub set_max_listpack_value: usize,
    /// `hash-max-listpack-entries`.
    pub hash_max_listpack_entries: usize,
    /// `hash-max-listpack-value`.
    pub hash_max_listpack_value: usize,
    /// `zset-max-listpack-entries`.
    pub zset_max_listpack_entries: usize,
    /// `zset-max-listpack-value`.
    pub zset_max_listpack_value: usize,
    /// `hll-sparse-max-bytes`.
    pub hll_sparse_max_bytes: usize,
    /// `list-max-listpack-size`.
    pub list_max_listpack_size: i64,
    /// DEBUG QUICKLIST-PACKED-THRESHOLD: list elements from this many bytes have a node of their own; 0: as by
    /// `list-max-listpack-size`.
    pub quicklist_packed_threshold: usize,
    /// `stream-node-max-bytes`.
    pub stream_node_max_bytes: usize,
    /// `stream-node-max-entries`.
    pub stream_node_max_entries: usize,
    /// `maxmemory-policy`: what is recorded about accesses to keys.
    pub maxmemory_policy: Policy,
    /// `lfu-log-factor`: the more often a key was used, the less another use counts.
    pub lfu_log_factor: u32,
    /// `lfu-decay-time`: the minutes after which the counter decreases by one; 0: never.
    pub lfu_decay_time: u32,
    /// `busy-reply-threshold`: after how many milliseconds a script is busy; 0: never.
    pub busy_reply_threshold: u64,
    /// `tracking-table-max-keys`: how many keys clients may have read and track; 0: any number.
    pub tracking_table_max_keys: usize,
    /// `slowlog-log-slower-than`: the microseconds from which on a command is logged; a negative number: none is.
    pub slowlog_log_slower_than: i64,
    /// `slowlog-max-len`: how many commands the slow log keeps.
    pub slowlog_max_len: usize,
    /// `latency-monitor-threshold`: the milliseconds from which on an event is sampled; 0: none is.
    pub latency_monitor_threshold: u64,
    /// `latency-tracking`: whether the durations of each command are kept.
    pub latency_tracking: bool,
    /// `latency-tracking-info-percentiles`: the percentiles of the durations that INFO shows.
    pub latency_percentiles: Vec<f64>,
    /// The version of Redis that is emulated.
    pub compat: Version,
    /// Whether a client may control the broker with MINIBROKER.
    pub control: bool,
    /// The port that CONFIG GET and INFO report.
    pub port: u16,
    /// The addresses that CONFIG GET returns.
    pub bind: String,
    /// The path of the Unix socket; empty: none.
    pub unixsocket: String,
    /// The settings of TLS.
    #[cfg(feature = "tls")]
    pub tls: Tls,
}

/// The class of a client for `client-output-buffer-limit`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OutputClass {
    /// All other clients.
    Normal,
    /// A client with a subscription, in RESP2 or RESP3.
    Pubsub,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            databases: 16,
            requirepass: Vec::new(),
            acl_all_channels: false,
            acllog_max_len: 128,
            aclfile: String::new(),
            dir: String::new(),
            dbfilename: String::new(),
            maxclients: 10_000,
            maxclients_possible: usize::MAX,
            timeout: 0,
            proto_max_bulk_len: BULK_MAX,
            client_query_buffer_limit: 1024 * 1024 * 1024,
            output_limit_normal: OutputLimit::default(),
            output_limit_replica: OutputLimit {
                hard: 256 * 1024 * 1024,
                soft: 64 * 1024 * 1024,
                soft_seconds: 60,
            },
            output_limit_pubsub: OutputLimit {
                hard: 32 * 1024 * 1024,
                soft: 8 * 1024 * 1024,
                soft_seconds: 60,
            },
            notify_keyspace_events: Class::default(),
            set_max_intset_entries: 512,
            set_max_listpack_entries: 128,
            set_max_listpack_value: 64,
            hash_max_listpack_entries: 512,
            hash_max_listpack_value: 64,
            zset_max_listpack_entries: 128,
            zset_max_listpack_value: 64,
            hll_sparse_max_bytes: 3000,
            list_max_listpack_size: -2,
            quicklist_packed_threshold: 0,
            stream_node_max_bytes: 4096,
            stream_node_max_entries: 100,
            maxmemory_policy: Policy::default(),
            lfu_log_factor: 10,
            lfu_decay_time: 1,
            busy_reply_threshold: 5000,
            tracking_table_max_keys: 1_000_000,
            slowlog_log_slower_than: 10_000,
            slowlog_max_len: 128,
            latency_monitor_threshold: 0,
            latency_tracking: true,
            latency_percentiles: vec![50.0, 99.0, 99.9],
            compat: Version::default(),
            control: false,
            port: 0,
            bind: "127.0.0.1".into(),
            unixsocket: String::new(),
            #[cfg(feature = "tls")]
            tls: Tls::default(),
        }
    }
}

impl Config {
    /// The limit of the outbox of a class.
    #[must_use]
    pub fn output_limit(&self, class: OutputClass) -> OutputLimit {
        match class {
            OutputClass::Normal => self.output_limit_normal,
            OutputClass::Pubsub => self.output_limit_pubsub,
        }
    }
}
