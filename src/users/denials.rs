//! What was denied to clients, which ACL LOG shows.

use std::collections::VecDeque;
use std::time::Duration;

use crate::data::{Bytes, Time};

/// Denials of one kind within this time are one entry: redis-server's `ACL_LOG_GROUPING_MAX_TIME_DELTA`.
const TOGETHER: Duration = Duration::from_secs(60);

/// How many of the newest entries are searched for one of the same kind, as in redis-server.
const SEARCHED: usize = 10;

/// What was denied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The command.
    Command,
    /// A key.
    Key,
    /// A channel.
    Channel,
    /// To log in.
    Auth,
}

/// Where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Context {
    /// In a request.
    Toplevel,
    /// In a transaction, or when it ran.
    Multi,
    /// In a script.
    Script,
}

/// Something that was denied, once or more often.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denied {
    /// A number of its own.
    pub id: u64,
    /// How often.
    pub count: u64,
    /// What was denied.
    pub reason: Reason,
    /// Where.
    pub context: Context,
    /// The command, key or channel.
    pub object: Bytes,
    /// The user.
    pub user: Bytes,
    /// When it was denied first.
    pub created: Time,
    /// When it was denied last.
    pub updated: Time,
    /// The last client, as CLIENT LIST shows it.
    pub client: String,
}

/// What was denied, the newest first.
#[derive(Clone, Debug, Default)]
pub struct Denials {
    entries: VecDeque<Denied>,
    next_id: u64,
}

impl Denials {
    /// Adds a denial; its number and count are set here. The oldest ones beyond `max` are forgotten.
    pub fn add(&mut self, denied: Denied, max: usize) {
        let is_same = |known: &Denied| {
            known.reason == denied.reason
                && known.context == denied.context
                && denied.updated.since(known.updated) <= TOGETHER
                && known.object == denied.object
                && known.user == denied.user
        };
        let known = self.entries.iter().take(SEARCHED).position(is_same);
        if let Some(known) = known.and_then(|index| self.entries.remove(index)) {
            let Denied { client, updated, .. } = denied;
            self.entries.push_front(Denied { count: known.count + 1, client, updated, ..known });
            return;
        }
        self.entries.push_front(Denied { id: self.next_id, count: 1, ..denied });
        self.next_id += 1;
        self.entries.truncate(max);
    }

    /// The denials, the newest first.
    #[must_use]
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Denied> {
        self.entries.iter()
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        self.entries.clear();
    }
}
