//! Tracking: what clients have read is noted, and they are notified of what has changed.

use crate::clients::pubsub::Kind;
use crate::clients::tracking::{BROKEN_REDIRECTION, Changes, INVALIDATIONS, Mode, Tracking};
use crate::clients::{ClientKey, Encoded};
use crate::config::Version;
use crate::data::{Bytes, present};
use crate::resp::{Protocol, Reply};
use crate::state::State;
use crate::testing::faults::Delivery;

/// What clients are to forget, encoded at most once for each way of notifying them.
struct Invalidation<'a> {
    /// These keys; none for all keys, because a database has been flushed.
    keys: Option<&'a [&'a [u8]]>,
    /// As a push of RESP3, and as a message of RESP2.
    encoded: [Vec<u8>; 2],
}

impl<'a> Invalidation<'a> {
    fn of(keys: &'a [&'a [u8]]) -> Self {
        Self { keys: Some(keys), encoded: Default::default() }
    }

    /// The bytes for a client that is notified in this protocol, for one that tracks in the protocol `tracks_in`.
    fn encoded(&mut self, protocol: Protocol, tracks_in: Protocol) -> &[u8] {
        let out = &mut self.encoded[usize::from(protocol == Protocol::Resp2)];
        if self.keys.is_none() {
            // The null is in the protocol of the client that tracks, as in redis-server.
            out.clear();
        }
        if out.is_empty() {
            let mut reply = Reply::new(out, protocol);
            if protocol == Protocol::Resp3 {
                reply.push(2);
                reply.bulk(b"invalidate");
            } else {
                reply.push(3);
                reply.bulk(b"message");
                reply.bulk(INVALIDATIONS);
            }
            match self.keys {
                Some(keys) => {
                    reply.array(keys.len());
                    for key in keys {
                        reply.bulk(key);
                    }
                }
                None => Reply::new(out, tracks_in).null(),
            }
        }
        out
    }
}

impl State {
    /// A client tracks from now on, as it has chosen.
    pub fn start_tracking(&mut self, key: ClientKey, tracking: Tracking) {
        let Some(client) = present(self.clients.get_mut(key)) else { return };
        self.tracked.start(key, client.tracking.as_deref(), &tracking);
        client.tracking = Some(Box::new(tracking));
    }

    /// A client does not track any more, if it did.
    pub fn stop_tracking(&mut self, key: ClientKey) {
        if let Some(tracking) = self.clients.get_mut(key).and_then(|client| client.tracking.take()) {
            self.tracked.stop(key, &tracking);
        }
    }

    /// No client tracks any more.
    pub(super) fn stop_all_tracking(&mut self) {
        for client in self.clients_that_track() {
            self.stop_tracking(client);
        }
        self.tracked.forget_reads();
    }

    /// The clients that track, in the order in which they connected.
    fn clients_that_track(&self) -> Vec<ClientKey> {
        let tracking = self.clients.all().filter(|(_, client)| client.tracking.is_some());
        let mut tracking: Vec<_> = tracking.map(|(key, client)| (client.id, key)).collect();
        tracking.sort_unstable();
        tracking.into_iter().map(|(_, key)| key).collect()
    }

    /// A client that tracks has read these keys.
    pub fn note_reads<'a>(&mut self, client: ClientKey, keys: impl Iterator<Item = &'a [u8]>) {
        for key in keys {
            let connected = || self.clients.all().map(|(client, _)| client).collect();
            self.tracked.read(client, key, connected);
        }
    }

    /// Forgets keys that clients have read until there are no more than `tracking-table-max-keys`, and notifies the
    /// clients. As in redis-server, keys are chosen at random.
    pub fn limit_tracked_keys(&mut self) {
        let max = self.config.tracking_table_max_keys;
        while let Some(key) = self.tracked.key_over_limit(max, &mut self.random) {
            self.invalidate_for_readers(&key, false);
        }
    }

    /// The client whose command changes a key; none if a timer or a script does: redis-server does not take such a change
    /// for one of the client's own in the mode BCAST.
    pub(super) fn changing_client(&self) -> Option<ClientKey> {
        (self.caller != ClientKey::NONE && !self.in_script).then_some(self.caller)
    }

    /// Notifies the clients that track a key that it has changed: those that have read it at once, those that track its
    /// prefix after the batch. `by` is the client that has changed it, see [`State::changing_client`].
    // Out of line, as few clients track.
    #[cold]
    #[inline(never)]
    pub(super) fn invalidate(&mut self, key: &[u8], by: Option<ClientKey>) {
        self.tracked.changed(key, by, self.takes_element);
        if self.events_first {
            self.tracked.postpone(key);
        } else {
            self.invalidate_for_readers(key, true);
        }
    }

    /// Notifies clients of the keys that the command has changed, after its keyspace events.
    pub fn invalidate_postponed(&mut self) {
        self.events_first = false;
        for key in self.tracked.take_postponed() {
            self.invalidate_for_readers(&key, true);
        }
    }

    /// `defers`: the client whose command runs is notified when the command is over.
    fn invalidate_for_readers(&mut self, key: &[u8], defers: bool) {
        let keys = [key];
        let mut invalidation = Invalidation::of(&keys);
        for reader in self.tracked.take_readers(key) {
            let tracking = self.clients.get(reader).and_then(|client| client.tracking.as_ref());
            let is_notified = |tracking: &Tracking| {
                tracking.mode != Mode::Broadcast && !(tracking.no_loop && self.caller == reader)
            };
            if tracking.is_some_and(|tracking| is_notified(tracking)) {
                if defers && self.is_deferred(reader) {
                    self.tracked.defer(Some(key));
                } else {
                    self.notify(reader, &mut invalidation);
                }
            }
        }
    }

    /// Notifies all clients that track that a database has been flushed. As in redis-server, keys are tracked by their
    /// names, whatever the database.
    pub fn invalidate_all(&mut self) {
        if !self.tracked.is_used() {
            return;
        }
        let mut invalidation = Invalidation { keys: None, encoded: Default::default() };
        for client in self.clients_that_track() {
            if self.is_deferred(client) {
                self.tracked.defer(None);
            } else {
                self.notify(client, &mut invalidation);
            }
        }
        self.tracked.forget_reads();
    }

    /// Since Redis 7.2 the client whose command runs is notified after all others, some of which may be notified through it.
    fn is_deferred(&self, client: ClientKey) -> bool {
        client == self.caller && self.config.compat >= Version::Redis7_4
    }

    /// Notifies the client whose command is over of what has been deferred.
    pub fn notify_deferred(&mut self) {
        let caller = self.caller;
        for key in self.tracked.take_deferred() {
            // It may have stopped tracking within the same transaction.
            if self.clients.get(caller).is_some_and(|client| client.tracking.is_some()) {
                let keys: Vec<&[u8]> = key.iter().map(|key| &**key).collect();
                let keys = key.is_some().then_some(&keys[..]);
                self.notify(caller, &mut Invalidation { keys, encoded: Default::default() });
            }
        }
    }

    /// Notifies the clients that track prefixes of the keys that have changed since the last call.
    #[cold]
    pub fn broadcast_invalidations(&mut self) {
        for Changes { clients, keys } in self.tracked.take_changes() {
            let names: Vec<&[u8]> = keys.keys().map(|key: &Bytes| &**key).collect();
            let mut invalidation = Invalidation::of(&names);
            for client in clients {
                let tracking = self.clients.get(client).and_then(|client| client.tracking.as_ref());
                let is_own = |by: &Option<ClientKey>| *by == Some(client);
                if !tracking.is_some_and(|tracking| tracking.no_loop) || !keys.values().any(is_own) {
                    self.notify(client, &mut invalidation);
                    continue;
                }
                let others = keys.iter().filter(|(_, by)| !is_own(by));
                let others: Vec<&[u8]> = others.map(|(key, _)| &**key).collect();
                if !others.is_empty() {
                    self.notify(client, &mut Invalidation::of(&others));
                }
            }
        }
    }

    /// Notifies a client that tracks, or the client that is notified instead. A client of RESP2 is notified only instead
    /// of another, and if it is subscribed to anything.
    fn notify(&mut self, key: ClientKey, invalidation: &mut Invalidation<'_>) {
        let Some(client) = present(self.clients.get(key)) else { return };
        let tracks_in = client.protocol;
        let Some(redirect) = present(client.tracking.as_ref()).map(|tracking| tracking.redirect) else {
            return;
        };
        let to = redirect.map_or(key, |redirect| redirect.client);
        let receiver = self.clients.get(to).filter(|client| redirect.is_none() || client.is_connected());
        let Some(receiver) = receiver else { return self.note_broken_redirection(key) };
        let protocol = receiver.protocol;
        if protocol == Protocol::Resp3 || redirect.is_some() && receiver.is_subscribed() {
            let encoded = Encoded::Copied(invalidation.encoded(protocol, tracks_in));
            let Self { clients, faults, journal, config, now, .. } = self;
            if faults.are_of_messages() {
                let (kind, channel) = (Kind::Channel, INVALIDATIONS);
                let delivery = Delivery { to, kind, channel, encoded, message: None, pattern: None };
                Self::deliver_with_faults((faults, clients), journal, delivery, config, *now);
            } else {
                clients.deliver(to, encoded, config, *now);
            }
        }
    }

    /// The client that is notified instead of this one is gone.
    fn note_broken_redirection(&mut self, key: ClientKey) {
        let Some(client) = present(self.clients.get_mut(key)) else { return };
        let Some(tracking) = present(client.tracking.as_mut()) else { return };
        tracking.is_broken = true;
        let Some(redirect) = tracking.redirect else { return };
        if client.protocol == Protocol::Resp3 {
            let mut push = Vec::new();
            let mut reply = Reply::new(&mut push, Protocol::Resp3);
            reply.push(2);
            reply.bulk(BROKEN_REDIRECTION);
            reply.integer(redirect.shown_id());
            self.clients.deliver(key, Encoded::Copied(&push), &self.config, self.now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clients::Address;
    use crate::config::Config;
    use crate::data::Time;

    fn client_that_tracks(state: &mut State) -> ClientKey {
        let client = state.clients.connect(Address::default(), false, state.now);
        state.clients.get_mut(client).expect("it is connected").protocol = Protocol::Resp3;
        state.start_tracking(client, Tracking::default());
        client
    }

    fn read(state: &mut State, client: ClientKey, key: &str) {
        state.note_reads(client, std::iter::once(key.as_bytes()));
    }

    #[test]
    fn a_key_beyond_the_limit_is_invalidated_and_forgotten() {
        let config = Config { tracking_table_max_keys: 2, ..Config::default() };
        let mut state = State::new(config, 1, Time::from_millis(0));
        let client = client_that_tracks(&mut state);
        for key in ["a", "b", "c"] {
            read(&mut state, client, key);
        }
        state.limit_tracked_keys();
        assert_eq!((state.tracked.keys(), state.tracked.items()), (2, 2));
        let sent =
            String::from_utf8_lossy(&state.clients.get(client).expect("it is connected").outbox).into_owned();
        let keys =
            ["a", "b", "c"].map(|key| sent == format!(">2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\n{key}\r\n"));
        assert_eq!(keys.iter().filter(|is_sent| **is_sent).count(), 1, "{sent}");
    }

    #[test]
    fn readers_that_have_disconnected_are_not_kept_for_ever() {
        let mut state = State::new(Config::default(), 1, Time::from_millis(0));
        for _ in 0..10_000 {
            let client = client_that_tracks(&mut state);
            read(&mut state, client, "a");
            state.end_activities(client);
            state.clients.remove(client);
        }
        assert_eq!((state.tracked.clients(), state.tracked.keys()), (0, 1));
        assert!(state.tracked.items() < 1000, "{} readers", state.tracked.items());
        // The next change removes them all.
        state.key_changed(b"a");
        assert_eq!((state.tracked.keys(), state.tracked.items()), (0, 0));
    }
}
