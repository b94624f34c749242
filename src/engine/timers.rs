//! What happens at a deadline: keys expire, waits end, pauses end, clients are cut off.

use super::Engine;
use super::command_life::WaitEnd;
use crate::clients::ClientKey;
use crate::clients::waiters::Answer;
use crate::data::Deadline;
use crate::data::Time;

/// The effects of time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Timer {
    /// DEBUG SLEEP ends. Until then nothing else happens by the broker's clock.
    Wake,
    /// Keys expire.
    Expiry,
    /// A client's wait has timed out, or the delay of its command by a fault has ended.
    Wait,
    /// A message that a fault delays arrives.
    Message,
    /// CLIENT PAUSE ends.
    Pause,
    /// A client may have been idle, or over the soft limit of its output buffer, for too long.
    Clients,
    /// A test client's wait for a state has timed out.
    Condition,
    /// An order of a test client that has a time ends.
    Order,
}

impl Timer {
    /// Those that follow the broker's clock. Of several that are due at once the first fires first.
    const BROKER: [Self; 6] =
        [Self::Wake, Self::Expiry, Self::Wait, Self::Message, Self::Pause, Self::Clients];

    /// Those that follow the clock of the shell, as the broker's may stand still.
    const SHELL: [Self; 2] = [Self::Condition, Self::Order];

    /// When it fires next, by the clock that it follows; none if never.
    fn at(self, engine: &Engine) -> Option<Time> {
        let state = &engine.state;
        let deadline = match self {
            Self::Wake => return state.asleep_until,
            Self::Condition => return state.waiters.next_wait_deadline(),
            Self::Order => return engine.next_end_of_orders(),
            _ if state.asleep_until.is_some() => None,
            // No key expires while CLIENT PAUSE lasts.
            Self::Expiry if engine.is_paused() => None,
            Self::Expiry => state.next_expiry().map(Deadline::at_millis),
            Self::Wait => state.waiters.next_deadline(),
            Self::Message => state.faults.next_arrival().map(Deadline::at_millis),
            Self::Pause => state.waiters.pause.map(|pause| pause.until),
            Self::Clients => state.clients.next_check(&state.config, state.now).map(Deadline::at_millis),
        };
        deadline.and_then(Deadline::reachable_time)
    }

    /// When the first of these fires.
    fn next(timers: impl IntoIterator<Item = Self>, engine: &Engine) -> Option<Time> {
        timers.into_iter().filter_map(|timer| timer.at(engine)).min()
    }
}

impl Engine {
    /// When [`Engine::tick`] has something to do next, in the caller's time. While the clock stands still this is only
    /// the end of the waits and orders of test clients.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Time> {
        if self.state.has_busy_script() {
            return None;
        }
        let due = self.next_due().and_then(|due| self.shell_time(due));
        due.into_iter().chain(Timer::next(Timer::SHELL, self)).min()
    }

    /// The next deadline, by the broker's clock.
    pub(super) fn next_due(&self) -> Option<Time> {
        Timer::next(Timer::BROKER, self)
    }

    /// Does all that is due until `now`, in the order of the deadlines: keys expire, waits time out, a pause ends, idle
    /// and slow clients are cut off.
    pub fn tick(&mut self, now: Time) {
        while self.tick_for_a_while(now) {}
    }

    /// As [`Engine::tick`], but if very many keys expire only some of them are removed, so that others have their turn
    /// soon; true if more is to be done at once. No command sees the keys that remain.
    pub fn tick_for_a_while(&mut self, now: Time) -> bool {
        /// At about a microsecond for each.
        const KEYS: usize = 500;
        if self.state.has_busy_script() {
            return false;
        }
        self.take_real_time(now);
        let now = self.time(now);
        let mut left = KEYS;
        loop {
            let timers = Timer::BROKER.into_iter().filter(|timer| left > 0 || *timer != Timer::Expiry);
            let Some(next) = Timer::next(timers, self).filter(|next| *next <= now) else { break };
            self.fire_next_timer(next, &mut left);
        }
        self.set_now(now);
        for timer in Timer::SHELL {
            if timer.at(self).is_some_and(|at| at <= self.state.real_now) {
                self.fire(timer, &mut left);
            }
        }
        left == 0
    }

    /// Fires the first timer of those that are due at `next`. At most `keys` expired keys are removed, and `keys` is
    /// reduced by their number.
    pub(super) fn fire_next_timer(&mut self, next: Time, keys: &mut usize) {
        self.set_now(next);
        self.state.caller = ClientKey::NONE;
        self.state.in_script = false;
        let is_due = |timer: &Timer| {
            (*keys > 0 || *timer != Timer::Expiry) && timer.at(self).is_some_and(|at| at <= next)
        };
        let due = Timer::BROKER.into_iter().find(is_due);
        debug_assert!(due.is_some(), "something is due");
        self.fire(due.unwrap_or(Timer::Clients), keys);
        self.serve_ready();
        self.notify_condition_waiters();
    }

    fn fire(&mut self, timer: Timer, keys: &mut usize) {
        match timer {
            Timer::Wake => self.wake(),
            Timer::Expiry => *keys -= self.state.expire_due(*keys),
            Timer::Wait => {
                if let Some(client) = self.state.waiters.first_due() {
                    let delayed = self.is_delayed(client);
                    let end = if delayed { WaitEnd::DelayOver } else { WaitEnd::GivenUp(Answer::TimedOut) };
                    self.end_wait(client, end);
                }
            }
            Timer::Message => self.state.deliver_delayed(),
            Timer::Pause => self.end_pause(),
            Timer::Clients => self.state.check_clients(),
            Timer::Condition => self.end_conditions(),
            Timer::Order => self.end_orders(None),
        }
    }

    /// Ends a pause whose deadline has passed, or that CLIENT UNPAUSE has ended early.
    pub(super) fn end_pause_if_over(&mut self) {
        if self.state.waiters.pause.is_some() && !self.is_paused() && !self.state.has_busy_script() {
            self.end_pause();
        }
    }

    /// Runs the requests that CLIENT PAUSE has delayed, once the pause has ended.
    pub fn end_pause(&mut self) {
        self.state.waiters.pause = None;
        self.state.keeps_expired = false;
        for client in self.state.waiters.paused() {
            self.end_wait(client, WaitEnd::PauseOver);
            self.serve_ready();
        }
    }

    /// True as long as CLIENT PAUSE lasts.
    #[inline]
    pub(super) fn is_paused(&self) -> bool {
        self.state.waiters.pause.is_some_and(|pause| !pause.until.is_due(self.state.now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clients::ClientKey;
    use crate::config::Config;
    use crate::resp::OwnedRequest;
    use crate::spec::Command;
    use crate::spec::Error;
    use crate::table::TABLE;

    /// An engine at time 0 with clients that run these commands one after the other, each at its own.
    fn ran(commands: &[&str]) -> Result<(Engine, Vec<ClientKey>), Error> {
        let now = Time::from_millis(0);
        let mut engine = Engine::new(Config::default(), 1, now);
        let mut clients = Vec::new();
        for command in commands {
            let client = engine.connect(crate::clients::Address::default(), now)?;
            engine.execute(client, OwnedRequest::new(command.split(' ')).args(), now);
            clients.push(client);
        }
        Ok((engine, clients))
    }

    fn calls(engine: &mut Engine, name: &str) -> (u64, u64) {
        let index = TABLE.lookup(name.as_bytes()).map_or(0, Command::index);
        let stats = engine.state.stats.command(index);
        (stats.calls, stats.failed)
    }

    #[test]
    fn a_command_that_waits_counts_once_when_it_ends() -> Result<(), Error> {
        let (mut engine, clients) = ran(&["BLPOP k 0", "BLPOP k 1", "BLPOP k 0", "BLPOP k 0", "RPUSH k x"])?;
        assert_eq!(calls(&mut engine, "blpop"), (1, 0));
        engine.tick(Time::from_millis(1000));
        assert_eq!(calls(&mut engine, "blpop"), (2, 0));
        engine.end_wait(clients[2], WaitEnd::GivenUp(Answer::Unblocked));
        assert_eq!(calls(&mut engine, "blpop"), (3, 1));
        engine.disconnect(clients[3], Time::from_millis(1000));
        assert_eq!(calls(&mut engine, "blpop"), (3, 1));
        assert_eq!(engine.state.waiters.blocked(), 0);
        assert_eq!(engine.state.waiters.keys(), 0);
        Ok(())
    }

    #[test]
    fn keys_that_expire_all_at_once_leave_others_their_turn() -> Result<(), Error> {
        const KEYS: usize = 5_000;
        let (mut engine, clients) = ran(&["BLPOP k 0.001", "PING"])?;
        for key in 0..KEYS {
            engine.state.set_string(format!("{key}").as_bytes(), b"", Some(1));
        }
        let now = Time::from_millis(1);
        let mut turns = 1;
        assert!(engine.tick_for_a_while(now));
        let mut reply = Vec::new();
        engine.take_output(clients[0], &mut reply);
        assert_eq!(reply, b"*-1\r\n", "a client that waits is answered in time");
        engine.execute(clients[1], OwnedRequest::new(["EXISTS", "4321", "1234", "1"]).args(), now);
        engine.execute(clients[1], OwnedRequest::new(["RANDOMKEY"]).args(), now);
        reply.clear();
        engine.take_output(clients[1], &mut reply);
        assert_eq!(reply, b"+PONG\r\n:0\r\n$-1\r\n", "what has expired is not seen");
        while engine.tick_for_a_while(now) {
            turns += 1;
        }
        assert!((8..=12).contains(&turns), "{turns}");
        assert_eq!((engine.state.database().len(), engine.state.stats.expired_keys), (0, KEYS as u64));
        assert_eq!(engine.next_deadline(), None);
        Ok(())
    }

    #[test]
    fn a_waiter_that_finds_nothing_keeps_its_deadline() -> Result<(), Error> {
        let (mut engine, clients) = ran(&["XREAD BLOCK 1000 STREAMS s 9-0"])?;
        let later = Time::from_millis(500);
        let writer = engine.connect(crate::clients::Address::default(), later)?;
        engine.execute(writer, OwnedRequest::new(["XADD", "s", "5-0", "f", "v"]).args(), later);
        assert_eq!(engine.next_deadline(), Some(Time::from_millis(1000)));
        engine.tick(Time::from_millis(1000));
        let mut reply = Vec::new();
        engine.take_output(clients[0], &mut reply);
        assert_eq!(reply, b"*-1\r\n");
        Ok(())
    }
}
