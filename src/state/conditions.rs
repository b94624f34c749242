//! Conditions that a test waits for, checked against the state; and the state in words.

use crate::clients::condition::{Condition, NAMES_SHOWN, Seen, commands, others};
use crate::clients::pubsub::Kind;
use crate::data::Stream;
use crate::state::State;
use std::fmt::Write;

use crate::data::Typed;

impl State {
    /// The present count for a condition.
    fn count(&self, condition: &Condition) -> usize {
        match condition {
            Condition::Subscribers { channel, .. } => self.pubsub.subscribers(Kind::Channel, channel),
            Condition::PatternSubscribers { pattern, .. } => self.pubsub.subscribers(Kind::Pattern, pattern),
            Condition::Blocked { key, .. } => self.waiters.count(key),
            Condition::Published { channel, .. } => self.journal.messages(channel),
            Condition::Clients { .. } => self.clients.len(),
            Condition::Pending { stream, group, .. } => pending(self, stream, group).unwrap_or_default(),
            Condition::Length { database, key, .. } => {
                let entry =
                    self.databases.get(*database).and_then(|keys| keys.get_live(key, self.now.millis()));
                entry.map_or(0, |entry| entry.value.len())
            }
            Condition::Fault { fault, .. } => {
                usize::try_from(self.faults.hits(*fault).unwrap_or_default()).unwrap_or(usize::MAX)
            }
        }
    }

    /// True if a condition is met now.
    #[must_use]
    pub fn meets(&self, condition: &Condition) -> bool {
        condition.is_met_by(self.count(condition))
    }

    /// The present state for a condition. If the count is 0, a hint names similar things that may have been meant.
    #[must_use]
    pub fn seen(&self, condition: &Condition) -> Seen {
        let count = self.count(condition);
        let hint = if count == 0 { self.hint(condition) } else { String::new() };
        Seen { count: Some(count), text: format!("{count}{hint}") }
    }

    fn hint(&self, condition: &Condition) -> String {
        let pubsub = &self.pubsub;
        let subscribers = |kind| pubsub.names(kind).map(move |name| (name, pubsub.subscribers(kind, name)));
        match condition {
            Condition::Subscribers { .. } => others("channels", subscribers(Kind::Channel)),
            Condition::PatternSubscribers { .. } => others("patterns", subscribers(Kind::Pattern)),
            Condition::Published { .. } => others("channels", self.journal.channels()),
            Condition::Pending { stream, group, .. } if pending(self, stream, group).is_none() => {
                " (there is no such group)".to_owned()
            }
            Condition::Fault { fault, .. } => match self.faults.since(*fault) {
                Some(since) if self.journal.is_on() => commands(&self.journal.commands_since(since)),
                _ => String::new(),
            },
            _ => String::new(),
        }
    }
}

/// How many pending entries a group of a stream has, in all databases; none if there is no such group.
#[must_use]
pub fn pending(state: &State, stream: &[u8], group: &[u8]) -> Option<usize> {
    let now = state.now.millis();
    let groups = state.databases.iter().filter_map(|database| {
        let entry = database.get_live(stream, now)?;
        Some(Stream::of(&entry.value)?.groups().get(group)?.pending().len())
    });
    groups.reduce(|all, more| all + more)
}

/// The state in a line: `2 clients, 1 blocked; 3 keys; subscribers: "chat" 2`.
#[must_use]
pub fn summary(state: &State) -> String {
    let now = state.now.millis();
    let keys: usize = state
        .databases
        .iter()
        .map(|database| {
            database.iter().filter(|(_, entry)| entry.expires().is_none_or(|at| at > now)).count()
        })
        .sum();
    let mut text =
        format!("{} clients, {} blocked; {keys} keys", state.clients.len(), state.waiters.blocked());
    for (kind, what) in [(Kind::Channel, "subscribers"), (Kind::Pattern, "pattern subscribers")] {
        let pubsub = &state.pubsub;
        let names = pubsub.names(kind).map(|name| (name, pubsub.subscribers(kind, name)));
        let counts: Vec<_> = names
            .take(NAMES_SHOWN)
            .map(|(name, count)| format!("\"{}\" {count}", name.escape_ascii()))
            .collect();
        if !counts.is_empty() {
            let more = if pubsub.names(kind).len() > NAMES_SHOWN { ", ..." } else { "" };
            let _ = write!(text, "; {what}: {}{more}", counts.join(", "));
        }
    }
    text
}
