//! DEBUG SLEEP: while it lasts no client is served.
//!
//! A redis-server that sleeps does nothing at all. Here the lock of the engine stays free: requests stay unread,
//! outboxes stay unwritten, no key expires by itself and no wait times out. The embedding program can still use
//! the broker; clients see no difference.

use super::Engine;
use crate::clients::ClientKey;

impl Engine {
    /// True if the broker sleeps now; it wakes when its sleep has ended.
    #[inline]
    pub(super) fn sleeps(&mut self) -> bool {
        let Some(until) = self.state.asleep_until else { return false };
        let sleeps = until > self.state.now;
        if !sleeps {
            self.wake();
            self.serve_ready();
        }
        sleeps
    }

    /// Clients that have sent something during the sleep are served.
    #[cold]
    pub(super) fn wake(&mut self) {
        self.state.asleep_until = None;
        let clients = &mut self.state.clients;
        let stalled: Vec<ClientKey> =
            clients.iter().filter(|(_, client)| client.stalled).map(|(key, _)| key).collect();
        for key in stalled {
            if let Some(client) = clients.get_mut(key) {
                client.stalled = false;
                client.resumed = true;
            }
            clients.mark(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clients::Address;
    use crate::config::Config;
    use crate::data::Time;
    use crate::engine::Flow;
    use crate::resp::{OwnedRequest, Parser};
    use crate::spec::Error;

    #[test]
    fn a_waiter_for_what_exec_adds_before_a_sleep_is_served_after_it() -> Result<(), Error> {
        for (lives, served) in [(1, &b""[..]), (2000, b"*2\r\n$1\r\nl\r\n$1\r\nx\r\n")] {
            let start = Time::from_millis(0);
            let mut engine = Engine::new(Config::default(), 1, start);
            let waiter = engine.connect(Address::default(), start)?;
            engine.feed(waiter, &mut Parser::new(), b"BLPOP l 0\r\n", start);
            let sleeper = engine.connect(Address::default(), start)?;
            let requests = format!("MULTI\r\nRPUSH l x\r\nPEXPIRE l {lives}\r\nDEBUG SLEEP 1\r\nEXEC\r\n");
            engine.feed(sleeper, &mut Parser::new(), requests.as_bytes(), start);
            let mut reply = Vec::new();
            engine.take_output(waiter, &mut reply);
            assert_eq!(reply, b"", "the broker sleeps");
            // Another client is the first to notice that the sleep has ended.
            engine.feed(sleeper, &mut Parser::new(), b"PING\r\n", Time::from_millis(1000));
            engine.take_output(waiter, &mut reply);
            assert_eq!(reply, served, "a key that lives for {lives} ms");
        }
        Ok(())
    }

    #[test]
    fn while_it_lasts_only_the_embedding_program_is_served() -> Result<(), Error> {
        let start = Time::from_millis(0);
        let mut engine = Engine::new(Config::default(), 1, start);
        let sleeper = engine.connect(Address::default(), start)?;
        let other = engine.connect(Address::default(), start)?;
        let mut parser = Parser::new();
        let asleep = b"DEBUG SLEEP 1\r\nPING\r\n";
        assert_eq!(engine.feed(sleeper, &mut parser, asleep, start), (15, Flow::Blocked));
        let later = Time::from_millis(500);
        assert_eq!(engine.feed(other, &mut Parser::new(), b"PING\r\n", later), (0, Flow::Blocked));
        assert!(!engine.has_dirty());
        let mut reply = Vec::new();
        engine.command(&OwnedRequest::new(["ECHO", "x"]), later, &mut reply);
        assert_eq!(reply, b"$1\r\nx\r\n");
        assert_eq!(engine.next_deadline(), Some(Time::from_millis(1000)));
        engine.tick(Time::from_millis(1000));
        assert!(engine.has_dirty());
        reply.clear();
        assert!(engine.take_output(sleeper, &mut reply).resumed);
        assert!(engine.take_output(other, &mut reply).resumed);
        assert_eq!(reply, b"+OK\r\n");
        assert_eq!(
            engine.feed(other, &mut parser, b"PING\r\n", Time::from_millis(1000)),
            (6, Flow::Continue)
        );
        Ok(())
    }
}
