//! Actions on connections and on the whole broker from outside of any connection: clients are cut off, the broker
//! stops and restarts, it refuses connections, it does not read or write.
//!
//! Here this is state, which the shell follows. A client that is cut off here is removed at once from all lists of
//! clients and for all waits, and the journal records it, though its connection is closed a moment later.

use super::Engine;
use crate::clients::ClientKey;
use crate::clients::{Client, Filter};
use crate::data::Time;
use crate::state::State;

/// The direction of a connection that is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// What it sends is not read.
    Reading,
    /// Its output is not written.
    Writing,
}

impl Direction {
    /// How many callers hold this direction of a client.
    fn stops(self, client: &mut Client) -> &mut u32 {
        match self {
            Self::Reading => &mut client.reading_stops,
            Self::Writing => &mut client.writing_stops,
        }
    }
}

impl Engine {
    /// Cuts off the clients that match. They are returned: their connections are still to be closed.
    pub fn kill_clients(&mut self, filter: &Filter, now: Time) -> Vec<ClientKey> {
        self.take_time(now);
        let killed = self.state.clients_of(filter);
        for client in &killed {
            self.cut(*client);
        }
        self.notify_condition_waiters();
        killed
    }

    /// Removes a client from all lists and waits.
    fn cut(&mut self, key: ClientKey) {
        self.state.kill(key);
        let State { journal, clients, now, .. } = &mut *self.state;
        let client = clients.get(key);
        journal.record(|journal| client.map(|client| journal.disconnected(client, *now)));
        clients.forget(key);
    }

    /// Stops the broker: all clients are cut off, and no connections are accepted until [`Engine::restart`]. The
    /// clients that were cut off are returned. A broker that is stopped already stays so.
    pub fn stop(&mut self, now: Time) -> Vec<ClientKey> {
        self.stop_but(None, now)
    }

    /// As [`Engine::stop`], but one client stays.
    pub(super) fn stop_but(&mut self, exempt: Option<ClientKey>, now: Time) -> Vec<ClientKey> {
        self.take_time(now);
        if self.state.availability.is_stopped() {
            return Vec::new();
        }
        self.state.availability.stop();
        self.state.end_pauses();
        self.state.journal.record(|journal| journal.stopped(self.state.now));
        let others = self.state.clients.iter().filter(|(key, _)| Some(*key) != exempt);
        let others: Vec<ClientKey> = others.map(|(key, _)| key).collect();
        let exempt = exempt.and_then(|exempt| self.client(exempt)).map(|exempt| Filter::id(exempt.id));
        let meant = exempt.into_iter().fold(Filter::all(), Filter::except);
        let mut cut = self.kill_clients(&meant, now);
        // Clients that were being cut off already are removed as well.
        for client in others {
            if self.client(client).is_some_and(Client::is_listed) {
                self.cut(client);
                cut.push(client);
            }
        }
        cut
    }

    /// Restarts the broker, after a stop if it was running; with its data if `keeps_data`.
    /// The clients that were cut off are returned.
    pub fn restart(&mut self, keeps_data: bool, now: Time) -> Vec<ClientKey> {
        self.restart_but(None, keeps_data, now)
    }

    /// As [`Engine::restart`], but one client stays.
    pub(super) fn restart_but(
        &mut self,
        exempt: Option<ClientKey>,
        keeps_data: bool,
        now: Time,
    ) -> Vec<ClientKey> {
        let cut = self.stop_but(exempt, now);
        self.state.restart(keeps_data);
        #[cfg(feature = "scripting")]
        self.scripts.restart(keeps_data, &mut self.state);
        self.state.availability.restart();
        self.state.journal.record(|journal| journal.restarted(keeps_data, self.state.now));
        cut
    }

    /// Stops reading from the clients that match, or writing to them, until each is
    /// [resumed](Engine::resume_connections).
    pub fn hold_connections(&mut self, filter: &Filter, direction: Direction, now: Time) -> Vec<ClientKey> {
        self.take_time(now);
        let mut held = Vec::new();
        for key in self.state.clients_of(filter) {
            if let Some(client) = self.state.clients.get_mut(key) {
                *direction.stops(client) += 1;
                held.push(key);
            }
            self.state.clients.mark(key);
        }
        held
    }

    /// True if a client is not to be written to. One that is being cut off gets nothing in any case.
    #[must_use]
    pub fn is_writing_stopped(&self, key: ClientKey) -> bool {
        self.client(key).is_some_and(|client| client.writing_stops > 0)
    }

    /// True if a client is not to be read from.
    #[must_use]
    pub fn is_reading_stopped(&self, key: ClientKey) -> bool {
        self.client(key).is_some_and(|client| client.reading_stops > 0)
    }

    /// Resumes reading from these clients, or writing to them, unless they have disconnected or another hold stops it.
    pub fn resume_connections(&mut self, held: &[ClientKey], direction: Direction, now: Time) {
        self.take_time(now);
        for key in held {
            let Some(client) = self.state.clients.get_mut(*key) else { continue };
            let stops = direction.stops(client);
            *stops = stops.saturating_sub(1);
            if client.reading_stops == 0 && std::mem::take(&mut client.stalled) {
                client.resumed = true;
            }
            self.state.clients.mark(*key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clients::{Address, Close};
    use crate::config::Config;
    use crate::engine::Flow;
    use crate::resp::{OwnedRequest, Parser};
    use crate::spec::Error;

    const START: Time = Time::from_micros(0);

    fn engine() -> Engine {
        Engine::new(Config::default(), 1, START)
    }

    fn ask(engine: &mut Engine, request: &[&str], now: Time) -> String {
        let mut reply = Vec::new();
        engine.command(&OwnedRequest::new(request), now, &mut reply);
        String::from_utf8_lossy(&reply).into_owned()
    }

    #[test]
    fn a_client_that_is_cut_off_is_gone_at_once_and_its_index_is_kept() -> Result<(), Error> {
        let mut engine = engine();
        let [one, two] =
            [engine.connect(Address::default(), START)?, engine.connect(Address::default(), START)?];
        assert_eq!(engine.kill_clients(&Filter::id(1), START), [one]);
        assert_eq!(engine.kill_clients(&Filter::id(1), START), []);
        assert_eq!(engine.state().clients.len(), 1);
        assert_eq!(engine.take_output(one, &mut Vec::new()).close, Close::Now);
        // A later client is not mistaken for this one when its connection is closed.
        let three = engine.connect(Address::default(), START)?;
        engine.disconnect(one, START);
        assert_eq!(engine.state().clients.len(), 2);
        assert!(engine.client(two).is_some() && engine.client(three).is_some());
        Ok(())
    }

    #[test]
    fn a_restart_keeps_the_data_the_ids_and_a_refusal_of_connections() -> Result<(), Error> {
        for keeps_data in [true, false] {
            let mut engine = engine();
            engine.connect(Address::default(), START)?;
            ask(&mut engine, &["SET", "kept", "x"], START);
            ask(&mut engine, &["SET", "short", "x", "PX", "10"], START);
            ask(&mut engine, &["CONFIG", "SET", "maxclients", "5", "notify-keyspace-events", "KEA"], START);
            ask(&mut engine, &["CLIENT", "PAUSE", "1000000"], START);
            ask(&mut engine, &["DEBUG", "SET-ACTIVE-EXPIRE", "0"], START);
            let run_id = engine.state().stats.run_id.clone();
            engine.state_mut().availability.refuse();
            let later = Time::from_millis(20);
            assert_eq!(engine.stop(later).len(), 1);
            assert_eq!(engine.stop(later), []);
            assert!(engine.restart(keeps_data, later).is_empty());
            let state = engine.state();
            assert!(!state.availability.accepts() && !state.availability.is_stopped());
            assert_eq!((state.stats.connections, state.stats.started), (0, later));
            assert_ne!(state.stats.run_id, run_id);
            assert_eq!(state.config.maxclients, Config::default().maxclients);
            assert_eq!(state.waiters.pause, None);
            assert_eq!(engine.next_deadline(), keeps_data.then_some(Time::from_millis(10)));
            engine.tick(later);
            assert_eq!(ask(&mut engine, &["DBSIZE"], later), if keeps_data { ":1\r\n" } else { ":0\r\n" });
            engine.state_mut().availability.end_refusing();
            assert!(engine.state().availability.accepts());
            let client = engine.connect(Address::default(), later)?;
            assert_eq!(engine.client(client).map(|client| client.id), Some(2));
        }
        Ok(())
    }

    #[test]
    fn what_is_not_written_piles_up_and_then_goes_out_in_order() -> Result<(), Error> {
        let mut engine = engine();
        let client = engine.connect(Address::default(), START)?;
        let [first, second] =
            [(); 2].map(|()| engine.hold_connections(&Filter::all(), Direction::Writing, START));
        engine.feed(client, &mut Parser::new(), b"ECHO 1\r\nECHO 2\r\nQUIT\r\n", START);
        let mut written = Vec::new();
        for held in [first, second] {
            assert_eq!(engine.take_output(client, &mut written).close, Close::No);
            assert_eq!(written, b"");
            engine.resume_connections(&held, Direction::Writing, START);
        }
        assert_eq!(engine.take_output(client, &mut written).close, Close::AfterReply);
        assert_eq!(written, b"$1\r\n1\r\n$1\r\n2\r\n+OK\r\n");
        Ok(())
    }

    #[test]
    fn what_is_not_read_is_run_afterwards() -> Result<(), Error> {
        let mut engine = engine();
        let client = engine.connect(Address::default(), START)?;
        let held = engine.hold_connections(&Filter::id(1), Direction::Reading, START);
        let mut parser = Parser::new();
        assert_eq!(engine.feed(client, &mut parser, b"PING\r\n", START), (0, Flow::Blocked));
        assert!(engine.take_output(client, &mut Vec::new()).reading_stopped);
        engine.resume_connections(&held, Direction::Reading, START);
        let output = engine.take_output(client, &mut Vec::new());
        assert!(output.resumed && !output.reading_stopped);
        assert_eq!(engine.feed(client, &mut parser, b"PING\r\n", START), (6, Flow::Continue));
        Ok(())
    }

    #[test]
    fn another_client_in_the_same_slot_is_not_released() -> Result<(), Error> {
        let mut engine = engine();
        let client = engine.connect(Address::default(), START)?;
        let old = engine.hold_connections(&Filter::all(), Direction::Reading, START);
        engine.disconnect(client, START);
        let next = engine.connect(Address::default(), START)?;
        assert_eq!(next.index(), client.index());
        assert!(next != client && engine.client(client).is_none());
        engine.hold_connections(&Filter::all(), Direction::Reading, START);
        engine.resume_connections(&old, Direction::Reading, START);
        assert!(engine.take_output(next, &mut Vec::new()).reading_stopped);
        Ok(())
    }
}
