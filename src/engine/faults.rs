//! Faults on purpose, as far as they strike commands.
//!
//! A command is looked at when it comes: where redis-server would refuse it in the state that is pretended, it is refused
//! in the same place; what a server would accept may be held, refused or cut off. What is to happen to a reply is
//! remembered with the client until the reply is there, however long the command waits.

use super::Engine;
use super::admission::check_allowed;
use super::blocking::command_of;
use crate::clients::waiters::Reason;
use crate::clients::{ClientKey, Consequence, FaultId, PendingFault, Transaction};
use crate::data::Time;
use crate::resp::Args;
use crate::spec::Error;
use crate::spec::{Command, Flags, Run};
use crate::state::State;
use crate::testing::faults::{Pretence, Rule, Subject};
use crate::testing::journal::Wakeup;

impl Engine {
    /// Puts a fault in force.
    pub fn add_fault(&mut self, rule: Rule) -> FaultId {
        let since = self.state.journal.last_number();
        self.state.faults.add(rule, since)
    }

    /// Ends a fault. What it holds goes on at once, in the order in which it came; replies that it was to cut off are
    /// not.
    pub fn end_fault(&mut self, fault: FaultId, now: Time) {
        self.take_time(now);
        for client in self.state.end_fault(fault) {
            self.end_delay(client);
            self.serve_ready();
        }
        self.tell_testers();
    }

    /// As [`Engine::dispatch`] as long as there are faults, for a command that is there and has as many arguments as it
    /// needs.
    // Not in the way of dispatch without.
    #[cold]
    #[inline(never)]
    pub(super) fn dispatch_with_faults(
        &mut self,
        client: ClientKey,
        command: &'static Command,
        args: Args<'_>,
    ) {
        // After the end of a pause it comes here once more, and is looked at then.
        let paused = self.must_pause(client, command);
        let State { clients, config, faults, .. } = &mut self.state;
        let Some(owner) = clients.get(client) else { return };
        let spared = paused || owner.internal;
        let subject = subject(owner, command, args);
        let mut pretended = None;
        let permitted = check_allowed(owner, config, command, |state| {
            if spared || !refuses(state, command, owner.transaction.as_deref()) {
                return false;
            }
            pretended = faults.pretends(state, &subject);
            pretended.is_some()
        });
        if let Err(error) = permitted {
            if let Some(fault) = pretended {
                self.state.note_fault(client, fault);
            }
            return self.reject(client, Some(command), args, &error);
        }
        if spared {
            return self.proceed(client, command, args);
        }
        let strike = faults.strike(&subject);
        if strike.is_nothing() {
            return self.proceed(client, command, args);
        }
        let Some((fault, delay)) = strike.hold else {
            return self.strike(client, command, args, strike);
        };
        self.state.note_fault(client, fault);
        let until = self.state.now + delay;
        self.hold_command(client, args, strike, until.whole_millis());
    }

    /// Makes a client wait before its command runs.
    fn hold_command(&mut self, client: ClientKey, args: Args<'_>, strike: PendingFault, until: i64) {
        let State { clients, waiters, .. } = &mut self.state;
        let Some(owner) = clients.get_mut(client) else { return };
        owner.strike = Some(Box::new(strike));
        let request = args.to_owned();
        owner.blocked = Some(waiters.add(client, Reason::Delay, owner.db, Vec::new(), Some(until), request));
    }

    /// Lets a command run that a fault has held; false if none has held a command of this client.
    pub(super) fn end_delay(&mut self, client: ClientKey) -> bool {
        let owner = self.state.clients.get(client);
        let blocked = owner.and_then(|owner| owner.blocked.as_ref());
        if blocked.is_none_or(|blocked| blocked.reason != Reason::Delay) {
            return false;
        }
        let Some(blocked) = self.state.resume(client) else { return false };
        self.runs_for_the_first_time(client);
        self.run_delayed(client, blocked.request.args());
        self.end_wait(client);
        true
    }

    /// Runs a command that a fault has held.
    fn run_delayed(&mut self, client: ClientKey, args: Args<'_>) {
        let Some(command) = command_of(args) else { return };
        let Some(owner) = self.state.clients.get_mut(client) else { return };
        // The delay is over, whatever the command waits for next.
        owner.strike.get_or_insert_default().hold = None;
        self.note_wakeup(client, || Wakeup::DelayOver);
        self.state.keeps_expired = self.is_paused();
        self.go_on_after_fault(client, command, args);
    }

    /// Runs a command that was looked at when it came, after CLIENT PAUSE if there is one.
    fn go_on_after_fault(&mut self, client: ClientKey, command: &'static Command, args: Args<'_>) {
        if self.must_pause(client, command) {
            return self.wait_for_pause(client, args);
        }
        let owner = self.state.clients.get_mut(client);
        let strike = owner.and_then(|owner| owner.strike.take()).map(|strike| *strike).unwrap_or_default();
        self.strike(client, command, args, strike);
    }

    /// Runs a command that CLIENT PAUSE has kept. One that was looked at before is not looked at once more.
    pub(super) fn go_on_after_pause(&mut self, client: ClientKey, args: Args<'_>) {
        let looked_at = self.state.clients.get(client).is_some_and(|owner| owner.strike.is_some());
        match command_of(args).filter(|_| looked_at) {
            Some(command) => self.go_on_after_fault(client, command, args),
            None => self.dispatch(client, args),
        }
    }

    /// What happens to a command that is not held, or no longer.
    fn strike(&mut self, client: ClientKey, command: &'static Command, args: Args<'_>, strike: PendingFault) {
        match strike.then {
            None => self.proceed(client, command, args),
            Some((fault, Consequence::Error(text))) => {
                self.state.note_fault(client, fault);
                self.reject(client, Some(command), args, &Error::from_bytes(text.into()));
            }
            Some((fault, Consequence::Disconnect)) => self.state.disconnect_by_fault(client, fault),
            Some((_, Consequence::LoseReply(_))) => {
                if let Some(owner) = self.state.clients.get_mut(client) {
                    owner.strike = Some(Box::new(strike));
                }
                let start = self.outbox_length(client);
                self.proceed(client, command, args);
                self.lose_reply(client, start);
            }
        }
    }

    /// Runs the command of a client that has waited; its reply may be lost.
    pub(super) fn call_again_with_faults(
        &mut self,
        client: ClientKey,
        command: &'static Command,
        args: Args<'_>,
    ) {
        if self.state.clients.get(client).is_none_or(|owner| owner.strike.is_none()) {
            return self.call_again(client, command, args);
        }
        let start = self.outbox_length(client);
        self.call_again(client, command, args);
        self.lose_reply(client, start);
    }

    fn outbox_length(&self, client: ClientKey) -> usize {
        self.state.clients.get(client).map_or(0, |owner| owner.outbox.len())
    }

    /// The reply of a client is lost if a fault says so, once it is there.
    fn lose_reply(&mut self, client: ClientKey, start: usize) {
        if self.state.clients.get(client).is_some_and(|owner| owner.blocked.is_none()) {
            self.state.lose_reply(client, start);
        }
    }
}

impl Engine {
    /// The error of a command inside of a script that a simulated state refuses. What the script has written before it
    /// is not left half done, as in redis-server: then nothing is refused any more.
    #[cfg(feature = "scripting")]
    pub(super) fn refused_in_script(
        &mut self,
        client: ClientKey,
        command: &Command,
        args: Args<'_>,
    ) -> Option<Error> {
        let State { clients, faults, .. } = &mut self.state;
        let owner = clients.get(client).filter(|owner| !owner.internal)?;
        let subject = subject(owner, command, args);
        for state in [Pretence::OutOfMemory, Pretence::ReadOnly] {
            if refuses(state, command, None)
                && let Some(fault) = faults.pretends(state, &subject)
            {
                self.state.note_fault(client, fault);
                return Some(Error::new(state.error()));
            }
        }
        None
    }
}

/// What the scopes of faults are asked about.
fn subject<'a>(owner: &'a crate::clients::Client, command: &Command, args: Args<'a>) -> Subject<'a> {
    let keys = command.keys(args).unwrap_or_default();
    let keys = keys.iter().filter_map(|(place, _)| args.get(*place)).collect();
    let channels: Vec<&[u8]> = match command.name {
        _ if command.container().is_some() => Vec::new(),
        "publish" | "spublish" => args.get(1).into_iter().collect(),
        "subscribe" | "ssubscribe" | "unsubscribe" | "sunsubscribe" => args.from(1).iter().collect(),
        _ => Vec::new(),
    };
    Subject { command: command.index(), client: owner, keys, channels }
}

/// True if redis-server refuses a command in this state. EXEC stands for all that it would run.
fn refuses(state: Pretence, command: &Command, transaction: Option<&Transaction>) -> bool {
    let queued = |test: fn(Flags) -> bool| {
        let queue = transaction.filter(|_| matches!(command.run, Run::Exec)).map(|all| all.queue.iter());
        let flags = |request: &crate::resp::OwnedRequest| command_of(request.args()).map(|row| row.flags);
        queue.into_iter().flatten().filter_map(flags).any(test)
    };
    let with_queue = |test: fn(Flags) -> bool| test(command.flags) || queued(test);
    match state {
        Pretence::NoAuth => !command.flags.contains(Flags::NO_AUTH),
        Pretence::OutOfMemory => with_queue(|flags| flags.contains(Flags::DENYOOM)),
        Pretence::ReadOnly => with_queue(|flags| flags.contains(Flags::WRITE)),
        Pretence::Loading => with_queue(|flags| !flags.contains(Flags::LOADING)),
        Pretence::Busy => !command.flags.contains(Flags::ALLOW_BUSY),
    }
}

#[cfg(test)]
mod tests;
