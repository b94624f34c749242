//! Connections that a fault ends, and replies that are lost with them.

use crate::clients::ClientKey;
use crate::clients::Close;
use crate::clients::waiters::Reason;
use crate::clients::{Consequence, FaultId};
use crate::data::Deadline;
use crate::data::present;
use crate::state::State;
use crate::testing::faults::Scope;

impl State {
    /// Records that a rule hits a client: it is counted and added to the journal.
    pub fn note_fault(&mut self, key: ClientKey, rule: FaultId) {
        self.faults.hit(rule);
        self.journal.record(|journal| {
            if let (Some(client), Some(rule)) = (self.clients.get(key), self.faults.rule(rule)) {
                journal.fault_hit(client, &rule.to_string(), self.now);
            }
        });
    }

    /// Closes a connection after the replies that it has so far. From now on the client gets nothing and takes nothing.
    pub fn disconnect_by_fault(&mut self, key: ClientKey, rule: FaultId) {
        self.note_fault(key, rule);
        self.end_activities(key);
        if let Some(client) = self.clients.get_mut(key) {
            client.cut_by_fault = true;
            client.pending_fault = None;
        }
        self.clients.close(key, Close::AfterReply);
    }

    /// Loses the reply of a client if a fault is to do so; the reply is complete and begins at `start` in the outbox.
    pub fn lose_reply(&mut self, key: ClientKey, start: usize) {
        let Some(client) = present(self.clients.get_mut(key)) else { return };
        let pending = client.pending_fault.take();
        if let Some((rule, Consequence::LoseReply(bytes))) = pending.and_then(|pending| pending.then) {
            client.outbox.truncate(start.saturating_add(bytes));
            self.disconnect_by_fault(key, rule);
        }
    }

    /// Ends a rule: the messages that it holds back arrive, its effects on replies are cancelled, and the commands that
    /// it delays are due. Returns the clients of these, in the order in which they came.
    pub fn end_fault(&mut self, rule: FaultId) -> Vec<ClientKey> {
        self.faults.remove(rule);
        self.deliver_held_by(rule);
        let concerned: Vec<ClientKey> = self
            .clients
            .iter()
            .filter(|(_, client)| client.pending_fault.is_some())
            .map(|(key, _)| key)
            .collect();
        let mut held = Vec::new();
        for key in concerned {
            let Some(client) = present(self.clients.get_mut(key)) else { continue };
            let Some(pending) = present(client.pending_fault.as_mut()) else { continue };
            if pending.hold.as_ref().is_some_and(|(holder, _)| *holder == rule)
                && let Some(blocked) = &mut client.blocked
            {
                self.waiters.set_deadline(key, blocked, Some(Deadline::at_once(self.now)));
                held.push((blocked.arrival, key));
            }
            pending.forget(rule);
            // For a command that waits for the end of a pause, it stays noted that faults have been checked.
            let is_paused = client.blocked.as_ref().is_some_and(|blocked| blocked.reason == Reason::Pause);
            if pending.is_nothing() && !is_paused {
                client.pending_fault = None;
            }
        }
        held.sort_unstable();
        held.into_iter().map(|(_, key)| key).collect()
    }

    /// Cuts off at once all clients that would get a message on one of the channels of a scope; returns how many.
    pub fn kill_subscribers(&mut self, scope: &Scope) -> usize {
        let wanted = |client: &crate::clients::Client| {
            let Some(all) = &client.subscriptions else { return false };
            let named = all.channels.iter().chain(&all.shard_channels);
            client.close == Close::No
                && scope.includes_client(client)
                && (named.into_iter().any(|name| scope.includes_message(name, client))
                    || all.patterns.iter().any(|pattern| scope.meets_pattern(pattern)))
        };
        let doomed: Vec<ClientKey> =
            self.clients.iter().filter(|(_, client)| wanted(client)).map(|(key, _)| key).collect();
        for key in &doomed {
            if let Some(client) = self.clients.get_mut(*key) {
                client.cut_by_fault = true;
            }
            self.kill(*key);
        }
        doomed.len()
    }
}
