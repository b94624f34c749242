//! Connections that are closed because they are idle or slow, and those that a filter selects.

use crate::clients::{ClientKey, Filter};
use crate::state::State;

impl State {
    /// Closes the connections of clients that have been idle for more than `timeout`, or whose outbox has been over
    /// its soft limit for too long.
    pub fn check_clients(&mut self) {
        let Self { clients, config, now, .. } = self;
        let due = |check: Option<i64>| check.is_some_and(|at| at <= now.millis());
        if due(clients.soft_limit_check) {
            clients.close_slow(config, *now);
        }
        if due(clients.next_idle_check(config, *now)) {
            for client in clients.take_idle(config, *now) {
                self.kill(client);
            }
        }
    }
}

impl State {
    /// The clients that a filter selects, in the order in which they connected. Those that are being cut off already
    /// are excluded.
    #[must_use]
    pub fn clients_of(&self, filter: &Filter) -> Vec<ClientKey> {
        let alive = self.clients.iter().filter(|(_, client)| client.is_connected());
        let mut found: Vec<_> = alive
            .filter(|(_, client)| filter.matches(*client))
            .map(|(key, client)| (client.id, key))
            .collect();
        found.sort_unstable_by_key(|(id, _)| *id);
        found.into_iter().map(|(_, key)| key).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clients::pubsub::Kind;
    use crate::clients::{Address, Close, Encoded, FIXED_OUTPUT, OUTPUT_BLOCK};
    use crate::config::Config;
    use crate::config::OutputLimit;
    use crate::data::Time;

    fn state(config: Config) -> State {
        State::new(config, 1, Time::from_millis(0))
    }

    fn connect(state: &mut State) -> ClientKey {
        state.clients.connect(Address::default(), false, state.now)
    }

    /// Advances to the next check of the clients; returns its time in milliseconds.
    fn check(state: &mut State) -> Option<i64> {
        let next = state.clients.next_check(&state.config, state.now)?;
        state.now = state.now.max(Time::from_millis(next));
        state.check_clients();
        Some(next)
    }

    fn is_cut(state: &State, key: ClientKey) -> bool {
        state.clients.get(key).is_none_or(|client| client.close == Close::Now)
    }

    #[test]
    fn an_idle_client_is_closed_in_the_second_after_its_timeout() {
        let mut state = state(Config { timeout: 5, ..Config::default() });
        let (idle, busy, listener) = (connect(&mut state), connect(&mut state), connect(&mut state));
        state.subscribe(listener, Kind::Channel, b"chat");
        assert_eq!(check(&mut state), Some(0));
        if let Some(client) = state.clients.get_mut(busy) {
            client.last_interaction = Time::from_millis(3999);
        }
        assert_eq!(check(&mut state), Some(6000));
        assert_eq!([idle, busy, listener].map(|client| is_cut(&state, client)), [true, false, false]);
        assert_eq!(check(&mut state), Some(9000));
        assert_eq!([busy, listener].map(|client| is_cut(&state, client)), [true, false]);
    }

    #[test]
    fn without_a_timeout_no_client_is_checked() {
        let mut state = state(Config::default());
        connect(&mut state);
        assert_eq!(check(&mut state), None);
    }

    #[test]
    fn a_slow_reader_is_cut_off_once_the_soft_limit_has_lasted() {
        let limit = OutputLimit { hard: 0, soft: 50_000, soft_seconds: 2 };
        let mut state = state(Config { output_limit_pubsub: limit, ..Config::default() });
        let (slow, quick) = (connect(&mut state), connect(&mut state));
        for client in [slow, quick] {
            state.subscribe(client, Kind::Channel, b"chat");
        }
        // The fixed buffer does not count, and the output beyond it takes whole blocks.
        state.publish(b"chat", "x".repeat(57_000).as_bytes());
        assert_eq!(state.clients.next_check(&state.config, state.now), None);
        state.publish(b"chat", "x".repeat(1_000).as_bytes());
        assert_eq!(state.clients.next_check(&state.config, state.now), Some(3000));
        if let Some(client) = state.clients.get_mut(quick) {
            client.outbox.clear();
        }
        assert_eq!(check(&mut state), Some(3000));
        assert_eq!([slow, quick].map(|client| is_cut(&state, client)), [true, false]);
        assert_eq!(check(&mut state), None);
        assert_eq!(state.clients.output_limit_disconnections, 1);
    }

    #[test]
    fn a_message_over_the_hard_limit_is_not_copied_first() {
        let limit = OutputLimit { hard: 100_000, ..OutputLimit::default() };
        let mut state = state(Config { output_limit_pubsub: limit, ..Config::default() });
        let clients: Vec<_> = (0..10).map(|_| connect(&mut state)).collect();
        for client in &clients {
            state.subscribe(*client, Kind::Channel, b"chat");
        }
        let message = vec![b'x'; 10_000_000];
        let info = allocation_counter::measure(|| {
            assert_eq!(state.publish(b"chat", &message), clients.len());
        });
        assert!(clients.iter().all(|client| is_cut(&state, *client)));
        assert_eq!(state.clients.output_limit_disconnections, 10);
        // The message is encoded once, in a buffer that grows.
        assert!(info.bytes_max < 4 * message.len() as u64, "{} bytes", info.bytes_max);
    }

    #[test]
    fn reported_sizes_of_the_output_are_consistent() {
        let mut state = state(Config::default());
        let key = connect(&mut state);
        let Some(client) = state.clients.get_mut(key) else { panic!("it is there") };
        for pending in [0, 1, 16_000, FIXED_OUTPUT, FIXED_OUTPUT + 1, 100_000, 10_000_000] {
            for in_flight in [0, pending / 2, pending] {
                client.outbox = vec![b'x'; pending - in_flight];
                client.in_flight = in_flight;
                let (fixed, blocks) = client.output_in_blocks();
                assert!(fixed <= client.reply_buffer(), "{pending} {in_flight}");
                assert!(fixed + blocks * OUTPUT_BLOCK >= pending, "{pending} {in_flight}");
                assert!(
                    client.memory() > client.reply_buffer() + blocks * OUTPUT_BLOCK,
                    "{pending} {in_flight}"
                );
            }
        }
    }

    #[test]
    fn one_byte_more_than_the_hard_limit_is_too_many() {
        let limit = OutputLimit { hard: 1, ..OutputLimit::default() };
        let mut state = state(Config { output_limit_normal: limit, ..Config::default() });
        let client = connect(&mut state);
        let full = "x".repeat(FIXED_OUTPUT);
        state.clients.deliver(client, Encoded::Copied(full.as_bytes()), &state.config, state.now);
        assert!(!is_cut(&state, client));
        state.clients.deliver(client, Encoded::Copied(b"x"), &state.config, state.now);
        assert!(is_cut(&state, client));
    }
}
