//! The broker's clock: it follows the shell's time, ahead of it by the time that it was moved, or it stands still until
//! it is moved. All deadlines follow it, except those that are documented to be in the shell's own time,
//! [`State::real_now`](crate::state::State::real_now).

use std::time::Duration;

use super::Engine;
use crate::data::Time;

/// How the broker's time follows from the shell's.
///
/// Moving the clock far may take several turns, between which other clients are served: `aim` is its target, which
/// equals its present value when it is not being moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Clock {
    /// How many microseconds it is ahead of the shell's clock.
    Running { ahead: u64, aim: u64 },
    /// It stands still, at [`State::now`](crate::state::State::now).
    Manual { aim: Time },
}

impl Default for Clock {
    fn default() -> Self {
        Self::Running { ahead: 0, aim: 0 }
    }
}

impl Clock {
    pub(super) fn is_stopped(self) -> bool {
        matches!(self, Self::Manual { .. })
    }
}

/// Why a clock cannot be moved to a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unreachable {
    /// It has passed, by this much.
    Passed(Duration),
    /// The time is later than [`Time::LAST`].
    TooFar,
}

impl Engine {
    /// From now on time stands still except for [`Engine::move_clock`].
    pub fn stop_clock(&mut self) {
        self.state.clock_stands_still = true;
        self.clock = Clock::Manual { aim: self.state.now };
    }

    /// The broker's time when the shell's time is `shell`. It never goes back, even if the shell's clock does.
    #[must_use]
    pub fn time(&self, shell: Time) -> Time {
        match self.clock {
            Clock::Running { ahead, .. } => self.state.now.max(later(shell, ahead)),
            Clock::Manual { .. } => self.state.now,
        }
    }

    /// Sets the shell's time; what follows happens at that time. What was due before happens when [`Engine::tick`] is
    /// called.
    #[inline]
    pub(super) fn take_time(&mut self, shell: Time) {
        // Equal for all requests of a batch but the first.
        if shell != self.state.real_now && !self.state.has_busy_script() {
            self.take_real_time(shell);
            self.set_now(self.time(shell));
        }
    }

    pub(super) fn take_real_time(&mut self, shell: Time) {
        self.state.real_now = self.state.real_now.max(shell);
    }

    pub(super) fn set_now(&mut self, now: Time) {
        self.state.now = self.state.now.max(now);
        self.state.stats.sample(self.state.now);
    }

    /// The shell's time at this time of the broker's clock; none if the clock stands still.
    pub(super) fn shell_time(&self, time: Time) -> Option<Time> {
        match self.clock {
            Clock::Running { ahead, .. } => Some(Time::from_micros(time.micros().saturating_sub(ahead))),
            Clock::Manual { .. } => None,
        }
    }

    /// The time to which the clock is being moved.
    fn aim(&self, shell: Time) -> Time {
        match self.clock {
            Clock::Running { aim, .. } => later(shell, aim),
            Clock::Manual { aim } => aim,
        }
        .max(self.time(shell))
    }

    /// Has the clock moved by this much, once [`Engine::move_clock`] is called. Moves that are under way add up.
    ///
    /// # Errors
    ///
    /// [`Unreachable::TooFar`].
    pub fn move_target_time(&mut self, by: Duration, shell: Time) -> Result<(), Unreachable> {
        self.set_target_time(self.aim(shell) + by, shell)
    }

    /// Has the clock moved to a time, once [`Engine::move_clock`] is called.
    ///
    /// # Errors
    ///
    /// The time has passed, or is later than [`Time::LAST`].
    pub fn set_target_time(&mut self, time: Time, shell: Time) -> Result<(), Unreachable> {
        let now = self.time(shell);
        if time < now {
            return Err(Unreachable::Passed(now.since(time)));
        }
        if time > Time::LAST {
            return Err(Unreachable::TooFar);
        }
        let aim = time.max(self.aim(shell));
        match &mut self.clock {
            Clock::Running { aim: ahead, .. } => *ahead = aim.micros().saturating_sub(shell.micros()),
            Clock::Manual { aim: at } => *at = aim,
        }
        Ok(())
    }

    /// Moves the clock to its target. All that is due until then happens, in the order of the deadlines, and each at
    /// its own time.
    pub fn move_clock(&mut self, shell: Time) {
        while !self.state.has_busy_script() && self.move_clock_for_a_while(shell) {}
    }

    /// As [`Engine::move_clock`], but if very much is due it stops at the time of a deadline in between, so that others
    /// have their turn soon; true if the clock is to be moved further. It is not moved while a script is busy.
    pub fn move_clock_for_a_while(&mut self, shell: Time) -> bool {
        /// At about a microsecond for each.
        const EFFECTS: usize = 500;
        if self.state.has_busy_script() {
            return true;
        }
        self.take_real_time(shell);
        let aim = self.aim(shell);
        let mut left = EFFECTS;
        let arrived = loop {
            let Some(next) = self.next_due().filter(|next| *next <= aim) else { break true };
            if left == 0 {
                break false;
            }
            let keys = left;
            self.fire_next_timer(next, &mut left);
            if left == keys {
                left -= 1;
            }
        };
        if arrived {
            self.set_now(aim);
        }
        if let Clock::Running { ahead, .. } = &mut self.clock {
            *ahead = (*ahead).max(self.state.now.micros().saturating_sub(shell.micros()));
        }
        !arrived
    }
}

fn later(time: Time, micros: u64) -> Time {
    Time::from_micros(time.micros().saturating_add(micros))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clients::Address;
    use crate::clients::ClientKey;
    use crate::config::Config;
    use crate::engine::Flow;
    use crate::resp::{OwnedRequest, Parser};
    use crate::spec::Error;

    const START: Time = Time::from_micros(1_700_000_000_000_000);

    fn after(millis: u64) -> Time {
        START + Duration::from_millis(millis)
    }

    fn engine() -> Result<(Engine, ClientKey), Error> {
        let mut engine = Engine::new(Config::default(), 1, START);
        let client = engine.connect(Address::default(), START)?;
        Ok((engine, client))
    }

    fn run(engine: &mut Engine, key: ClientKey, line: &str, shell: Time) {
        engine.execute(key, OwnedRequest::new(line.split(' ')).args(), shell);
    }

    #[test]
    fn a_running_clock_that_was_moved_stays_ahead_of_the_shells() -> Result<(), Error> {
        let (mut engine, client) = engine()?;
        assert_eq!(engine.move_target_time(Duration::from_secs(60), after(5)), Ok(()));
        engine.move_clock(after(5));
        assert_eq!(engine.state.now, after(60_005));
        assert_eq!(engine.time(after(7)), after(60_007));
        run(&mut engine, client, "SET k v PX 100", after(10));
        assert_eq!(engine.state.now, after(60_010));
        assert_eq!(engine.next_deadline(), Some(after(110)), "in the shell's time");
        engine.tick(after(109));
        assert_eq!(engine.state.database().len(), 1);
        engine.tick(after(110));
        assert_eq!(engine.state.database().len(), 0);
        let passed = Unreachable::Passed(Duration::from_millis(110));
        assert_eq!(engine.set_target_time(after(60_000), after(110)), Err(passed), "it does not go back");
        Ok(())
    }

    #[test]
    fn a_clock_that_stands_still_heeds_no_time_of_the_shell() -> Result<(), Error> {
        let (mut engine, client) = engine()?;
        engine.stop_clock();
        run(&mut engine, client, "SET k v PX 100", after(50));
        engine.tick(after(1_000_000));
        assert_eq!((engine.state.now, engine.state.real_now), (START, after(1_000_000)));
        assert_eq!((engine.state.database().len(), engine.next_deadline()), (1, None));
        assert_eq!(engine.move_target_time(Duration::from_millis(60), START), Ok(()));
        assert_eq!(engine.move_target_time(Duration::from_millis(39), START), Ok(()));
        engine.move_clock(START);
        assert_eq!((engine.state.now, engine.state.database().len()), (after(99), 1));
        assert_eq!(engine.move_target_time(Duration::from_millis(1), START), Ok(()));
        engine.move_clock(START);
        assert_eq!((engine.state.now, engine.state.database().len()), (after(100), 0));
        Ok(())
    }

    #[test]
    fn between_two_turns_of_a_long_way_the_time_is_that_of_what_comes_next() -> Result<(), Error> {
        const KEYS: u64 = 2_000;
        for stopped in [true, false] {
            let (mut engine, client) = engine()?;
            if stopped {
                engine.stop_clock();
            }
            for key in 1..=KEYS {
                run(&mut engine, client, &format!("SET {key} v PX {key}"), START);
            }
            let waiter = engine.connect(Address::default(), START)?;
            run(&mut engine, waiter, "BLPOP list 1.5", START);
            assert_eq!(engine.move_target_time(Duration::from_secs(10), START), Ok(()));
            let mut turns = 1;
            while engine.move_clock_for_a_while(START) {
                turns += 1;
                let passed = engine.state.now.since(START).as_millis();
                assert_eq!(passed, u128::from(KEYS) - engine.state.database().len() as u128);
                let waits = engine.client(waiter).is_some_and(|client| client.blocked.is_some());
                assert!(passed == 1500 || waits == (passed < 1500), "{passed}");
            }
            assert!(turns > 3, "{turns}");
            assert_eq!((engine.state.now, engine.time(START)), (after(10_000), after(10_000)));
        }
        Ok(())
    }

    #[test]
    fn what_is_due_beyond_the_end_of_time_never_comes() -> Result<(), Error> {
        let lines = ["SET k v PX 100", "BLPOP list 1", "CLIENT PAUSE 100 WRITE", "CONFIG SET timeout 5"];
        for stopped in [true, false] {
            // No clock can be moved to this time; the caller's clock may show it.
            let end = Time::from_micros(u64::MAX);
            let mut engine = Engine::new(Config::default(), 1, end);
            if stopped {
                engine.stop_clock();
            }
            for line in lines {
                let client = engine.connect(Address::default(), end)?;
                run(&mut engine, client, line, end);
            }
            engine.tick(end);
            assert_eq!(engine.next_deadline(), None);
        }
        Ok(())
    }

    #[test]
    fn requests_after_one_that_moves_the_clock_see_the_new_time() -> Result<(), Error> {
        for stopped in [true, false] {
            let (mut engine, client) = engine()?;
            engine.state.config.control = true;
            if stopped {
                engine.stop_clock();
            }
            run(&mut engine, client, "SET k v PX 100", START);
            let batch = b"EXISTS k\r\nMINIBROKER ADVANCE 200\r\nEXISTS k\r\nTIME\r\n";
            let (_, flow) = engine.feed(client, &mut Parser::new(), batch, START);
            assert_eq!(flow, Flow::Continue);
            let mut replies = Vec::new();
            engine.take_output(client, &mut replies);
            let replies = String::from_utf8_lossy(&replies);
            assert!(
                replies.ends_with(":1\r\n+OK\r\n:0\r\n*2\r\n$10\r\n1700000000\r\n$6\r\n200000\r\n"),
                "{replies}"
            );
        }
        Ok(())
    }

    #[test]
    fn a_clock_is_moved_to_the_end_of_the_year_9999_at_most() -> Result<(), Error> {
        for stopped in [true, false] {
            let (mut engine, client) = engine()?;
            if stopped {
                engine.stop_clock();
            }
            for by in [
                Duration::MAX,
                Duration::from_millis(u64::MAX),
                Time::LAST.since(after(0)) + Duration::from_millis(1),
            ] {
                assert_eq!(engine.move_target_time(by, START), Err(Unreachable::TooFar));
            }
            assert_eq!(engine.set_target_time(Time::from_millis(i64::MAX), START), Err(Unreachable::TooFar));
            engine.move_clock(START);
            assert_eq!(engine.state.now, START);

            assert_eq!(engine.move_target_time(Duration::from_secs(1), START), Ok(()));
            assert_eq!(
                engine.move_target_time(Time::LAST.since(after(0)), START),
                Err(Unreachable::TooFar),
                "both count"
            );
            assert_eq!(engine.set_target_time(Time::LAST, START), Ok(()));
            engine.move_clock(START);
            assert_eq!(engine.state.now, Time::LAST);
            // Even there keys expire in their time.
            run(&mut engine, client, "SET k v PX 100", START);
            let ttl = OwnedRequest::new(["PTTL", "k"]);
            let mut reply = Vec::new();
            engine.command(&ttl, START, &mut reply);
            assert_eq!(reply, b":100\r\n");
        }
        Ok(())
    }
}
