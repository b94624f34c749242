//! CLIENT TRACKING: which clients cache which keys, and are notified when one changes.

use std::collections::{BTreeMap, BTreeSet};

use crate::clients::ClientKey;
use crate::data::{Bytes, IndexSet, Map};

/// The channel on which a client of RESP2 is notified.
pub const INVALIDATIONS: &[u8] = b"__redis__:invalidate";

/// The name of the push that says that the client of a redirection is gone.
pub const BROKEN_REDIRECTION: &[u8] = b"tracking-redir-broken";

/// Which keys a client tracks.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Mode {
    /// Those that it has read.
    #[default]
    Read,
    /// Those that it has read by a command right after CLIENT CACHING YES: `OPTIN`.
    OptIn,
    /// Those that it has read, but not by a command right after CLIENT CACHING NO: `OPTOUT`.
    OptOut,
    /// All that begin with one of its prefixes: `BCAST`.
    Broadcast,
}

/// What a client has chosen with CLIENT TRACKING.
#[derive(Clone, Debug, Default)]
pub struct Tracking {
    /// Which keys it tracks.
    pub mode: Mode,
    /// It is not notified of its own changes: `NOLOOP`.
    pub no_loop: bool,
    /// The client that is notified instead: `REDIRECT`.
    pub redirect: Option<Redirection>,
    /// That client was gone when it was to be notified.
    pub is_broken: bool,
    /// CLIENT CACHING has been sent, for the next command or for the transaction.
    pub caching: bool,
    /// The prefixes of [`Mode::Broadcast`].
    pub prefixes: BTreeSet<Bytes>,
}

/// A client that is notified instead of another.
#[derive(Clone, Copy, Debug)]
pub struct Redirection {
    /// Its id, which is shown even when it is gone.
    pub id: u64,
    /// The client.
    pub client: ClientKey,
}

impl Redirection {
    /// The id as it is shown.
    #[must_use]
    pub fn shown_id(self) -> i64 {
        i64::try_from(self.id).unwrap_or(i64::MAX)
    }
}

impl Tracking {
    /// The answer of CLIENT GETREDIR: the id of the client that is notified instead, 0 if there is none, -1 without
    /// tracking.
    #[must_use]
    pub fn shown_redirection(tracking: Option<&Self>) -> i64 {
        tracking.map_or(-1, |tracking| tracking.redirect.map_or(0, Redirection::shown_id))
    }

    /// Whether the keys that the running command reads are tracked.
    #[must_use]
    pub fn tracks_reads(&self) -> bool {
        match self.mode {
            Mode::Read => true,
            Mode::OptIn => self.caching,
            Mode::OptOut => !self.caching,
            Mode::Broadcast => false,
        }
    }
}

/// The keys whose names begin with a prefix, for the clients that track these.
#[derive(Debug, Default)]
struct Prefix {
    clients: IndexSet<ClientKey>,
    /// The keys that have changed since the clients were notified, each with the client that has changed it last; none if
    /// it has expired, or if a script has changed it.
    changed: BTreeMap<Bytes, Option<ClientKey>>,
}

/// What all clients track.
#[derive(Debug, Default)]
pub struct TrackingTable {
    /// How many clients track.
    clients: usize,
    /// The clients that have read a key since it has last changed. Some may not track any more.
    readers: Map<Bytes, IndexSet<ClientKey>>,
    /// How many clients there are in `readers`, over all keys.
    items: usize,
    /// In the order in which redis-server broadcasts.
    prefixes: BTreeMap<Bytes, Prefix>,
    /// There are changed keys to broadcast.
    has_changes: bool,
    /// What the client whose command runs is to be notified of when the command is over: keys, or none for all keys.
    own: Vec<Option<Bytes>>,
    /// The changed keys of which clients are notified when the command is over.
    postponed: Vec<Bytes>,
}

impl TrackingTable {
    /// How many clients track: INFO's `tracking_clients`.
    #[must_use]
    #[inline]
    pub fn clients(&self) -> usize {
        self.clients
    }

    /// How many keys clients have read: INFO's `tracking_total_keys`.
    #[must_use]
    pub fn keys(&self) -> usize {
        self.readers.len()
    }

    /// How many clients have read a key, over all keys: INFO's `tracking_total_items`.
    #[must_use]
    pub fn items(&self) -> usize {
        self.items
    }

    /// How many prefixes are tracked: INFO's `tracking_total_prefixes`.
    #[must_use]
    pub fn prefixes(&self) -> usize {
        self.prefixes.len()
    }

    /// Whether there are changed keys to broadcast.
    #[must_use]
    #[inline]
    pub fn has_changes(&self) -> bool {
        self.has_changes
    }

    /// Whether a change has to be looked up, so that the common case costs two comparisons. What clients have read is kept
    /// after the last of them, as in redis-server.
    #[must_use]
    #[inline]
    pub fn is_used(&self) -> bool {
        self.clients > 0 || !self.readers.is_empty()
    }

    /// Clients are notified of a changed key when the command is over.
    pub fn postpone(&mut self, key: &[u8]) {
        self.postponed.push(key.into());
    }

    /// The keys that were postponed.
    pub fn take_postponed(&mut self) -> Vec<Bytes> {
        std::mem::take(&mut self.postponed)
    }

    /// The client whose command runs is notified of a changed key, or of a flush, after all others.
    pub fn defer(&mut self, key: Option<&[u8]>) {
        self.own.push(key.map(Into::into));
    }

    /// Whether the client whose command runs is to be notified when the command is over.
    #[must_use]
    pub fn has_deferred(&self) -> bool {
        !self.own.is_empty()
    }

    /// What it is to be notified of: keys, or none for all keys.
    pub fn take_deferred(&mut self) -> Vec<Option<Bytes>> {
        std::mem::take(&mut self.own)
    }

    /// A client tracks, with these prefixes, in place of `before`.
    pub fn start(&mut self, key: ClientKey, before: Option<&Tracking>, tracking: &Tracking) {
        self.clients += usize::from(before.is_none());
        for prefix in &tracking.prefixes {
            self.prefixes.entry(prefix.clone()).or_default().clients.insert(key);
        }
    }

    /// A client does not track any more. What it has read is forgotten as the keys change.
    pub fn stop(&mut self, key: ClientKey, tracking: &Tracking) {
        self.clients -= 1;
        for prefix in &tracking.prefixes {
            if let Some(others) = self.prefixes.get_mut(prefix) {
                others.clients.swap_remove(&key);
                if others.clients.is_empty() {
                    self.prefixes.remove(prefix);
                }
            }
        }
    }

    /// A client has read a key. `connected` lists the connected clients; it is called only to remove the others.
    pub fn read(&mut self, client: ClientKey, key: &[u8], connected: impl FnOnce() -> Vec<ClientKey>) {
        /// With more readers than this, those that have disconnected are looked for.
        const MANY: usize = 64;
        if let Some(readers) = self.readers.get_mut(key) {
            if readers.contains(&client) {
                return;
            }
            if readers.len() >= MANY && readers.len() == readers.capacity() {
                let connected: IndexSet<ClientKey> = connected().into_iter().collect();
                self.items -= readers.len();
                readers.retain(|reader| connected.contains(reader));
                self.items += readers.len();
                // So that they are not looked for again before as many have come.
                readers.reserve(readers.len());
            }
            self.items += usize::from(readers.insert(client));
        } else {
            self.readers.insert(key.into(), std::iter::once(client).collect());
            self.items += 1;
        }
    }

    /// The clients that have read a key, which are notified of its change once.
    pub fn take_readers(&mut self, key: &[u8]) -> IndexSet<ClientKey> {
        let readers = self.readers.swap_remove(key).unwrap_or_default();
        self.items -= readers.len();
        readers
    }

    /// Any key that clients have read, if there are more than `max`; 0 is no limit.
    pub fn key_over_limit(&self, max: usize, random: &mut fastrand::Rng) -> Option<Bytes> {
        let is_over = max > 0 && self.readers.len() > max;
        is_over.then(|| random.usize(0..self.readers.len())).and_then(|index| {
            let (key, _) = self.readers.get_index(index)?;
            Some(key.clone())
        })
    }

    /// Forgets what clients have read.
    pub fn forget_reads(&mut self) {
        self.readers.clear();
        self.items = 0;
    }

    /// A client has changed a key, or it has expired: noted for the clients that track its prefixes. `is_again`: if the key
    /// has changed already, it stays the change of that client.
    pub fn changed(&mut self, key: &[u8], by: Option<ClientKey>, is_again: bool) {
        for (begin, prefix) in &mut self.prefixes {
            if key.starts_with(begin) {
                let by = prefix.changed.get(key).filter(|_| is_again).copied().unwrap_or(by);
                prefix.changed.insert(key.into(), by);
                self.has_changes = true;
            }
        }
    }

    /// The changed keys of each prefix, and the clients that are to be notified.
    pub fn take_changes(&mut self) -> Vec<Changes> {
        self.has_changes = false;
        let changed = self.prefixes.values_mut().filter(|prefix| !prefix.changed.is_empty());
        changed
            .map(|prefix| Changes {
                clients: prefix.clients.iter().copied().collect(),
                keys: std::mem::take(&mut prefix.changed),
            })
            .collect()
    }
}

/// The changed keys of a prefix.
#[derive(Debug)]
pub struct Changes {
    /// The clients that are to be notified.
    pub clients: Vec<ClientKey>,
    /// The keys, each with the client that has changed it.
    pub keys: BTreeMap<Bytes, Option<ClientKey>>,
}
