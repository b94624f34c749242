//! Pub/Sub: a message is sent once for every subscription that exists when it is published, to all clients in the order
//! in which messages were published.

use super::clients::SubscriptionKind;
use super::{Model, Reply};

/// Programs only use patterns that are a prefix, or one class of letters, and a star.
fn matches(pattern: &str, channel: &str) -> bool {
    let Some(beginning) = pattern.strip_suffix('*') else { return false };
    match beginning.strip_prefix('[').and_then(|class| class.strip_suffix(']')) {
        Some(class) => channel.starts_with(|first| class.contains(first)),
        None => channel.starts_with(beginning),
    }
}

impl Model {
    fn subscriptions(&mut self, client: usize, kind: SubscriptionKind) -> &mut Vec<String> {
        let client = &mut self.clients[client];
        match kind {
            SubscriptionKind::Channel => &mut client.channels,
            SubscriptionKind::Pattern => &mut client.patterns,
        }
    }

    pub(super) fn subscribe(&mut self, client: usize, kind: SubscriptionKind, names: &[&str]) -> Reply {
        let word = if kind == SubscriptionKind::Channel { "subscribe" } else { "psubscribe" };
        let mut confirmations = Vec::new();
        for name in names {
            let all = self.subscriptions(client, kind);
            if !all.iter().any(|other| other == name) {
                all.push((*name).to_owned());
            }
            confirmations.push(self.confirmation(client, word, Some(name)));
        }
        Reply::Several(confirmations)
    }

    /// Ends these subscriptions, or all of a kind if none are named.
    pub(super) fn unsubscribe(&mut self, client: usize, kind: SubscriptionKind, names: &[&str]) -> Reply {
        let word = if kind == SubscriptionKind::Channel { "unsubscribe" } else { "punsubscribe" };
        let mut names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        if names.is_empty() {
            names.clone_from(self.subscriptions(client, kind));
        }
        if names.is_empty() {
            return Reply::Several(vec![self.confirmation(client, word, None)]);
        }
        let mut confirmations = Vec::new();
        for name in &names {
            self.subscriptions(client, kind).retain(|other| other != name);
            confirmations.push(self.confirmation(client, word, Some(name)));
        }
        Reply::Several(confirmations)
    }

    /// The confirmation of a change: the word, the name, and the number of subscriptions.
    fn confirmation(&self, client: usize, word: &str, name: Option<&str>) -> Reply {
        let name = name.map_or(Reply::Null, Reply::text);
        let count = Reply::count(self.clients[client].subscriptions());
        Reply::Push(vec![Reply::text(word), name, count])
    }

    /// Sends a message; returns how many times.
    pub(super) fn publish(&mut self, channel: &str, message: &str) -> usize {
        let mut sent = 0;
        for client in 0..self.clients.len() {
            if self.clients[client].channels.iter().any(|name| name == channel) {
                self.push(client, ["message", channel, message].map(Reply::text).into());
                sent += 1;
            }
            let patterns = self.clients[client].patterns.iter();
            let patterns: Vec<String> =
                patterns.filter(|pattern| matches(pattern, channel)).cloned().collect();
            for pattern in patterns {
                self.push(client, ["pmessage", &pattern, channel, message].map(Reply::text).into());
                sent += 1;
            }
        }
        sent
    }
}
