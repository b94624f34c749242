//! Tracking: what clients have read is noted, and they are notified of what has changed.

use crate::clients::tracking::{Changes, Mode, Tracking};
use crate::clients::{ClientKey, Encoded};
use crate::data::{Bytes, present};
use crate::resp::{Protocol, Reply};
use crate::state::State;

/// The channel on which a client of RESP2 is notified.
const CHANNEL: &[u8] = b"__redis__:invalidate";

/// What a client is to forget.
enum Invalidated<'a> {
    Keys(&'a [&'a [u8]]),
    /// Every key: a database has been flushed.
    All,
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

    /// A client that tracks has read these keys.
    pub fn note_reads<'a>(&mut self, client: ClientKey, keys: impl Iterator<Item = &'a [u8]>) {
        for key in keys {
            let connected = || self.clients.iter().map(|(client, _)| client).collect();
            self.tracked.read(client, key, connected);
        }
        // redis-server does this before the next command, and also chooses the keys at random.
        while let Some(surplus) = self.tracked.surplus(self.config.tracking_table_max_keys, &mut self.random)
        {
            self.invalidate_for_readers(&surplus);
        }
    }

    /// Notifies the clients that track a key that it has changed: those that have read it at once, those that track its
    /// prefix after the batch. `by` is the client that has changed it; none if it has expired, or if a script has changed
    /// it: in the mode BCAST redis-server does not take such a change for one of the client's own.
    // Out of line, as few clients track.
    #[cold]
    #[inline(never)]
    pub(super) fn invalidate(&mut self, key: &[u8], by: Option<ClientKey>) {
        self.tracked.changed(key, by);
        self.invalidate_for_readers(key);
    }

    fn invalidate_for_readers(&mut self, key: &[u8]) {
        for reader in self.tracked.take_readers(key) {
            let tracking = self.clients.get(reader).and_then(|client| client.tracking.as_ref());
            let is_notified = |tracking: &Tracking| {
                tracking.mode != Mode::Broadcast && !(tracking.no_loop && self.caller == reader)
            };
            if tracking.is_some_and(|tracking| is_notified(tracking)) {
                self.send_invalidation(reader, &Invalidated::Keys(&[key]));
            }
        }
    }

    /// Notifies all clients that track that a database has been flushed. As in redis-server, keys are tracked by their
    /// names, whatever the database.
    pub fn invalidate_all(&mut self) {
        let tracking = self.clients.iter().filter(|(_, client)| client.tracking.is_some());
        let mut tracking: Vec<_> = tracking.map(|(key, client)| (client.id, key)).collect();
        tracking.sort_unstable();
        for (_, client) in tracking {
            self.send_invalidation(client, &Invalidated::All);
        }
        self.tracked.forget_reads();
    }

    /// Notifies the clients that track prefixes of the keys that have changed since the last call.
    #[cold]
    pub fn broadcast_invalidations(&mut self) {
        for Changes { clients, keys } in self.tracked.take_changes() {
            for client in clients {
                let tracking = self.clients.get(client).and_then(|client| client.tracking.as_ref());
                let no_loop = tracking.is_some_and(|tracking| tracking.no_loop);
                let keys = keys.iter().filter(|(_, by)| !(no_loop && **by == Some(client)));
                let keys: Vec<&[u8]> = keys.map(|(key, _): (&Bytes, _)| &**key).collect();
                if !keys.is_empty() {
                    self.send_invalidation(client, &Invalidated::Keys(&keys));
                }
            }
        }
    }

    /// Notifies a client that tracks, or the client that is notified instead. A client of RESP2 is notified only instead
    /// of another, and if it is subscribed to anything.
    fn send_invalidation(&mut self, key: ClientKey, what: &Invalidated<'_>) {
        let Some(client) = present(self.clients.get_mut(key)) else { return };
        let protocol = client.protocol;
        let Some(redirect) = present(client.tracking.as_ref()).map(|tracking| tracking.redirect) else {
            return;
        };
        let to = redirect.map_or(key, |redirect| redirect.client);
        let mut push = Vec::new();
        let Some(receiver) = self.clients.get(to).filter(|client| redirect.is_none() || client.is_listed())
        else {
            return self.note_broken_redirection(key);
        };
        let mut reply = Reply::new(&mut push, receiver.protocol);
        if receiver.protocol == Protocol::Resp3 {
            reply.push(2);
            reply.bulk(b"invalidate");
        } else if redirect.is_some() && receiver.is_subscribed() {
            reply.push(3);
            reply.bulk(b"message");
            reply.bulk(CHANNEL);
        } else {
            return;
        }
        match what {
            Invalidated::Keys(keys) => {
                reply.array(keys.len());
                for key in *keys {
                    reply.bulk(key);
                }
            }
            // In the protocol of the client that tracks, as in redis-server.
            Invalidated::All => Reply::new(&mut push, protocol).null(),
        }
        self.clients.deliver(to, Encoded::Copied(&push), &self.config, self.now);
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
            reply.bulk(b"tracking-redir-broken");
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
        let client = state.clients.connect(Address::default(), true, false, state.now);
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
        // The names of all readers are given up with the next change.
        state.key_changed(b"a");
        assert_eq!((state.tracked.keys(), state.tracked.items()), (0, 0));
    }
}
