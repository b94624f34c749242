//! Waiting: who is served when, and what happens when time is up.
//!
//! The rules are redis-server's. A key becomes ready when a command gives it a value. When that command is
//! done, EXEC as a whole counting as one, its waiters are served in the order in which they came, each by
//! running its command again; what that makes ready is served next. So an element goes to one waiter only, and
//! whoever has gone meanwhile loses none. For who reads for a group of a stream, a key becomes ready when it is
//! lost, too: run again, the command says so.

use super::Engine;
use crate::clients::ClientKey;
use crate::clients::waiters::{Answer, Blocked, Reason};
use crate::config::Version;
use crate::data::value::Type;
use crate::data::{Bytes, Time};
use crate::resp::{Args, OwnedRequest};
use crate::spec::{Command, Run};
use crate::state::State;
use crate::table::TABLE;
use crate::testing::journal::Wakeup;

impl Engine {
    /// Makes a client wait.
    pub(super) fn block(
        &mut self,
        client: ClientKey,
        reason: Reason,
        keys: Vec<Bytes>,
        deadline: Option<i64>,
        request: OwnedRequest,
    ) {
        let Some(owner) = self.state.clients.get_mut(client) else { return };
        if self.state.journal.is_on() {
            self.state.journal.blocked(owner, reason, &keys, deadline, self.state.now);
        }
        let blocked = self.state.waiters.add(client, reason, owner.db, keys, deadline, request);
        owner.blocked = Some(blocked);
    }

    /// Serves everybody whose key has got a value.
    pub(super) fn serve_ready(&mut self) {
        while let Some((db, key)) = self.state.waiters.take_ready() {
            let until = self.state.waiters.last_arrival();
            let mut last = 0;
            loop {
                let next = self.state.next_to_serve(db, &key, last, until);
                let Some((arrival, client)) = next else { break };
                last = arrival;
                self.retry(client, &key, arrival);
            }
        }
    }

    /// Runs the command of a client that waits for a key again, after CLIENT PAUSE if there is one. If it finds nothing still,
    /// it waits on, with the deadline that it had.
    fn retry(&mut self, client: ClientKey, key: &[u8], arrival: u64) {
        let Some(blocked) = self.state.resume(client) else { return };
        self.note_wakeup(client, || Wakeup::Key(key.into()));
        let Blocked { request, deadline, reason, keys, wanted, .. } = *blocked;
        let Some(command) = command_of(request.args()) else { return };
        let is_old = self.state.config.compat < Version::Redis7_4;
        let narrowed =
            if is_old { narrowed(command, request.args(), (reason, keys.len()), key) } else { None };
        let args = narrowed.as_ref().unwrap_or(&request).args();
        // Before Redis 7.2 a pause does not keep a waiter from being served.
        if !is_old && self.must_pause(client, command) {
            // Faults have looked at it when it came.
            if let Some(owner) = self.state.clients.get_mut(client) {
                owner.strike.get_or_insert_default();
            }
            self.wait_for_pause(client, args);
        } else {
            self.call_again_with_faults(client, command, args);
        }
        self.end_wait(client);
        let Some(owner) = self.state.clients.get_mut(client) else { return };
        if let Some(blocked) = &mut owner.blocked {
            if narrowed.is_some() && blocked.reason != Reason::Delay {
                // It waits on for all that it has asked for.
                if let Some(blocked) = owner.blocked.take() {
                    self.state.waiters.remove(client, &blocked);
                }
                self.block(client, reason, keys, deadline, request);
                let owner = self.state.clients.get_mut(client);
                if let Some(blocked) = owner.and_then(|owner| owner.blocked.as_mut()) {
                    blocked.wanted = wanted;
                }
            } else if blocked.reason != Reason::Pause {
                self.state.waiters.set_deadline(client, blocked, deadline);
            }
            // Those who were passed over have kept their places.
            let State { clients, waiters, .. } = &mut self.state;
            if let Some(blocked) = clients.get_mut(client).and_then(|owner| owner.blocked.as_mut())
                && blocked.wanted.is_some()
            {
                waiters.keep_place(client, blocked, key, arrival);
            }
        }
    }

    /// Tells the journal, if there is one, why a client waits no longer.
    pub(super) fn note_wakeup(&mut self, client: ClientKey, wakeup: impl FnOnce() -> Wakeup) {
        let State { journal, clients, now, .. } = &mut self.state;
        if journal.is_on()
            && let Some(owner) = clients.get(client)
        {
            journal.unblocked(owner, &wakeup(), *now);
        }
    }

    /// True if CLIENT PAUSE keeps this command waiting, even if it would only be queued. Monitors are not kept
    /// waiting, as they count as replicas.
    pub(super) fn must_pause(&self, client: ClientKey, command: &Command) -> bool {
        let Some(pause) = self.state.waiters.pause else { return false };
        let exempt = self.state.clients.get(client).is_some_and(|owner| owner.internal || owner.monitor);
        pause.until > self.state.now.millis()
            && !exempt
            && (!pause.writes_only || self.may_write(client, command))
    }

    /// True if a command writes, publishes, or runs a transaction that does.
    fn may_write(&self, client: ClientKey, command: &Command) -> bool {
        let owner = self.state.clients.get(client);
        match owner.and_then(|owner| owner.transaction.as_ref()) {
            Some(transaction) if matches!(command.run, Run::Exec) => {
                let mut queue = transaction.queue.iter();
                queue.any(|request| command_of(request.args()).is_some_and(Command::may_write))
            }
            _ => command.may_write(),
        }
    }

    /// Keeps a request until CLIENT PAUSE is over.
    pub(super) fn wait_for_pause(&mut self, client: ClientKey, args: Args<'_>) {
        self.block(client, Reason::Pause, Vec::new(), None, args.to_owned());
    }

    /// Ends a pause whose time has come, or that CLIENT UNPAUSE has cut short.
    pub(super) fn end_pause_if_over(&mut self) {
        if self.state.waiters.pause.is_some() && !self.is_paused() {
            self.end_pause();
        }
    }

    /// Runs the requests that CLIENT PAUSE has kept, once it is over.
    pub fn end_pause(&mut self) {
        self.state.waiters.pause = None;
        self.state.keeps_expired = false;
        for client in self.state.waiters.paused() {
            if let Some(blocked) = self.state.resume(client) {
                self.note_wakeup(client, || Wakeup::PauseOver);
                self.runs_for_the_first_time(client);
                self.go_on_after_pause(client, blocked.request.args());
                self.end_wait(client);
                self.serve_ready();
            }
        }
    }

    /// What a client has waited to run, it has not run before.
    pub(super) fn runs_for_the_first_time(&mut self, client: ClientKey) {
        if let Some(owner) = self.state.clients.get_mut(client) {
            owner.resumed = false;
        }
    }

    /// Lets a client go on whose wait has ended, unless it waits again.
    pub(super) fn end_wait(&mut self, client: ClientKey) {
        let Some(owner) = self.state.clients.get_mut(client) else { return };
        owner.resumed = owner.blocked.is_none();
        if owner.resumed {
            self.state.clients.mark_resumed(client);
        }
    }

    /// True as long as CLIENT PAUSE lasts.
    pub(super) fn is_paused(&self) -> bool {
        self.state.waiters.pause.is_some_and(|pause| pause.until > self.state.now.millis())
    }

    /// When the next key expires, in milliseconds since the Unix epoch. None does while CLIENT PAUSE lasts.
    fn next_expiry(&self) -> Option<i64> {
        if self.is_paused() { None } else { self.state.next_expiry() }
    }

    /// When [`Engine::tick`] has something to do next, in the caller's time. While the clock stands still time brings
    /// nothing but the end of what testers wait for.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Time> {
        let due = self.next_due().and_then(|due| self.shell_time(due));
        due.into_iter().chain(self.state.waiters.next_impatient()).chain(self.next_end_of_orders()).min()
    }

    /// When something happens next, by the broker's clock.
    pub(super) fn next_due(&self) -> Option<Time> {
        if self.state.asleep_until.is_some() {
            return self.state.asleep_until;
        }
        [self.next_expiry(), self.next_due_of_clients()].into_iter().flatten().min().and_then(moment)
    }

    fn next_due_of_clients(&self) -> Option<i64> {
        let pause = self.state.waiters.pause.map(|pause| pause.until);
        let clients = self.state.clients.next_check(&self.state.config, self.state.now);
        let message = self.state.faults.next_arrival();
        [self.state.waiters.next_deadline(), pause, clients, message].into_iter().flatten().min()
    }

    /// Does all that time does until `now`, in the order of the deadlines: keys expire, waiters give up,
    /// a pause ends, idle and slow clients are cut off.
    pub fn tick(&mut self, now: Time) {
        while self.tick_for_a_while(now) {}
    }

    /// As [`Engine::tick`], but if a great many keys expire only some of them are removed, so that others have their
    /// turn soon; true if more is to be done at once. No command sees the keys that are left.
    pub fn tick_for_a_while(&mut self, now: Time) -> bool {
        /// At about a microsecond for each.
        const KEYS: usize = 500;
        self.take_real_time(now);
        let now = self.time(now);
        let mut left = KEYS;
        loop {
            let next = if left > 0 || self.state.asleep_until.is_some() {
                self.next_due()
            } else {
                self.next_due_of_clients().and_then(moment)
            };
            let Some(next) = next.filter(|next| *next <= now) else { break };
            self.let_happen(next, &mut left);
        }
        self.set_now(now);
        self.end_conditions();
        self.end_orders(None);
        left == 0
    }

    /// Lets the first of what is due at `next` happen. Of keys that expire not more than `keys`, which is lessened.
    pub(super) fn let_happen(&mut self, next: Time, keys: &mut usize) {
        self.set_now(next);
        let millis = next.millis();
        if self.state.asleep_until.is_some() {
            self.wake();
        } else if *keys > 0 && self.next_expiry().is_some_and(|at| at <= millis) {
            *keys -= self.state.expire_due(*keys);
        } else if let Some(client) = self.state.waiters.first_due(millis) {
            if !self.end_delay(client) {
                self.state.unblock(client, Answer::TimedOut);
            }
        } else if self.state.deliver_delayed(millis) {
            // And the next in the next turn.
        } else if self.state.waiters.pause.is_some_and(|pause| pause.until <= millis) {
            self.end_pause();
        } else {
            self.state.check_clients();
        }
        self.serve_ready();
        self.tell_testers();
    }
}

/// The moment of a deadline; none if it lies beyond the last that there is, which the clock may be moved to: it never
/// comes.
fn moment(millis: i64) -> Option<Time> {
    let time = Time::from_millis(millis);
    (time.millis() >= millis).then_some(time)
}

/// The request as if it had named this key only; none if it has. So Redis serves a waiter before 7.2: with what has become
/// ready, and not with the first of its keys that holds something.
fn narrowed(
    command: &Command,
    args: Args<'_>,
    (reason, waits_for): (Reason, usize),
    key: &[u8],
) -> Option<OwnedRequest> {
    let keys = command.keys(args).unwrap_or_default();
    if keys.len() < 2 {
        return None;
    }
    match reason {
        // In the place of each of its keys.
        Reason::Key(Type::List | Type::SortedSet) if waits_for > 1 => {
            let is_key = |place: usize| keys.iter().any(|(key, _)| *key == place);
            let only = |(place, argument)| if is_key(place) { key } else { argument };
            Some(OwnedRequest::new(args.iter().enumerate().map(only)))
        }
        // With the first of its ids.
        Reason::Key(Type::Stream) | Reason::Group => {
            let (first, _) = *keys.first()?;
            let place = keys.iter().map(|(place, _)| *place).find(|place| &args[*place] == key)?;
            let id = args.get(place + keys.len())?;
            Some(OwnedRequest::new(args.range(0, first).iter().chain([key, id])))
        }
        _ => None,
    }
}

/// The row for a request that was found good once.
pub(super) fn command_of(args: Args<'_>) -> Option<&'static Command> {
    let command = TABLE.lookup(&args[0])?;
    match args.get(1) {
        Some(name) if !command.subcommands.is_empty() => command.subcommand(name),
        _ => Some(command),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::spec::Error;

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
        engine.state.unblock(clients[2], Answer::Unblocked);
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
        assert_eq!(reply, b"*-1\r\n", "whoever waits is told in time");
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
    fn who_finds_nothing_when_asked_again_keeps_its_deadline() -> Result<(), Error> {
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
