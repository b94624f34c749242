//! Transactions: the requests that are queued after MULTI run at EXEC, with nothing in between, or not at all if a
//! watched key has changed since WATCH.

use super::{Answer, Model, Reply, Stop, error};

#[derive(Default)]
pub(super) struct Transaction {
    pub requests: Vec<String>,
    /// A request was refused, so EXEC will be refused.
    pub refused: bool,
}

impl Model {
    pub(super) fn multi(&mut self, client: usize) -> Answer {
        let client = &mut self.clients[client];
        if client.transaction.is_some() {
            return error("ERR MULTI calls can not be nested");
        }
        client.transaction = Some(Transaction::default());
        Ok(Reply::OK)
    }

    pub(super) fn discard(&mut self, client: usize) -> Answer {
        if self.clients[client].transaction.take().is_none() {
            return error("ERR DISCARD without MULTI");
        }
        Ok(self.unwatch(client))
    }

    /// A request was refused, so EXEC will be refused; if it is EXEC itself, it ends the transaction. Returns the
    /// error.
    pub(super) fn refuse_transaction(&mut self, client: usize, words: &[&str], refusal: String) -> String {
        if words == ["EXEC"] {
            self.clients[client].transaction = None;
            self.unwatch(client);
            let cause = refusal.strip_prefix("ERR ").unwrap_or(&refusal);
            return format!("EXECABORT Transaction discarded because of: {cause}");
        }
        if let Some(transaction) = &mut self.clients[client].transaction {
            transaction.refused = true;
        }
        refusal
    }

    pub(super) fn exec(&mut self, client: usize) -> Answer {
        let changed = self.clients[client].watched_key_changed || self.watched_key_has_expired(client);
        let Some(transaction) = self.clients[client].transaction.take() else {
            return error("ERR EXEC without MULTI");
        };
        // In every case nothing is watched any more.
        self.unwatch(client);
        if transaction.refused {
            return error("EXECABORT Transaction discarded because of previous errors.");
        }
        if changed {
            return Ok(Reply::NullArray);
        }
        let mut replies = Vec::new();
        for request in &transaction.requests {
            let words: Vec<&str> = request.split(' ').collect();
            replies.push(match self.execute(client, &words) {
                Ok(reply) => reply,
                Err(Stop::Error(text)) => Reply::Error(text),
                // Commands do not wait within EXEC.
                Err(Stop::Wait(wait)) => wait.otherwise,
            });
        }
        Ok(Reply::Array(replies))
    }

    pub(super) fn watch(&mut self, client: usize, keys: &[&str]) -> Answer {
        if self.clients[client].transaction.is_some() {
            return error("ERR WATCH inside MULTI is not allowed");
        }
        for key in keys {
            let expired = self.has_expired(key);
            let watched = &mut self.clients[client].watched;
            if !watched.iter().any(|(other, _)| other == key) {
                watched.push(((*key).to_owned(), expired));
            }
        }
        Ok(Reply::OK)
    }

    pub(super) fn unwatch(&mut self, client: usize) -> Reply {
        let client = &mut self.clients[client];
        client.watched.clear();
        client.watched_key_changed = false;
        Reply::OK
    }

    /// A key has expired. This changes nothing for a client for which it had expired already at WATCH.
    pub(super) fn expired(&mut self, key: &str) {
        for client in &mut self.clients {
            if let Some((_, was_expired)) = client.watched.iter_mut().find(|(watched, _)| watched == key) {
                client.watched_key_changed |= !std::mem::take(was_expired);
            }
        }
    }

    /// A key is about to change, or has.
    pub(super) fn changed(&mut self, key: &str) {
        for client in &mut self.clients {
            client.watched_key_changed |= client.watched.iter().any(|(watched, _)| watched == key);
        }
    }

    /// True if a key has expired and has not been deleted yet.
    fn has_expired(&self, key: &str) -> bool {
        let now = self.millis();
        self.keys.get(key).is_some_and(|key| key.expires.is_some_and(|at| at <= now))
    }

    fn watched_key_has_expired(&self, client: usize) -> bool {
        self.clients[client].watched.iter().any(|(key, before)| !before && self.has_expired(key))
    }
}
