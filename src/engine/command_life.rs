//! The life of a command, from its arrival to its reply, in the order in which it happens:
//!
//! 1. it [arrives](Engine::receive),
//! 2. is [admitted](Engine::admit), or [refused](Engine::refuse_command),
//! 3. is [held](Engine::hold_command) by a fault or by CLIENT PAUSE,
//! 4. is [queued or run](Engine::run_or_queue),
//! 5. [waits](Engine::wait) if it finds nothing, until its [wait ends](Engine::end_wait) and it
//!    [runs again](Engine::run_again) or [gives up](Engine::give_up),
//! 6. is [accounted for](Engine::account_for), and
//! 7. its [reply](Engine::reply) is put into the client's output buffer.
//!
//! EXEC, scripts, faults, timers and test clients use these steps too, and no others. The rules of waiting are
//! redis-server's. A key becomes ready when a command gives it a value. After that command, where EXEC as a whole
//! counts as one, its waiters are served in the order in which they came, each by running its command again; keys that
//! this makes ready are served next. So an element goes to one waiter only, and none is lost to one that has
//! disconnected. For readers of a consumer group, a key also becomes ready when it is deleted or replaced: run again,
//! the command returns an error.

use std::time::Duration;

use super::Engine;
use super::admission::{
    Refusal, check_allowed, check_permission, explain_unknown, is_control, is_from_browser, refuses, subject,
};
use super::monitor::record_command;
use super::narrowed::narrowed;
use crate::clients::waiters::{Answer, Blocked, Reason};
use crate::clients::{Client, ClientKey, Close, Consequence, PendingFault};
use crate::commands::client;
use crate::config::Version;
use crate::data::Deadline;
use crate::data::Time;
use crate::data::present;
use crate::data::value::Type;
use crate::resp::{Args, OwnedRequest, Protocol, Reply};
use crate::spec::{Command, Context, Error, Flags, Outcome, Run, Wait};
use crate::state::State;
use crate::table::TABLE;
use crate::testing::journal::Wakeup;

/// What redis-server counts for each queued argument besides its bytes: a pointer.
const COUNTED_ARGUMENT: usize = 8;

/// What runs a command.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Origin {
    /// The client, with a request.
    Request,
    /// The client, whose wait for a key has ended. Monitors were shown the command when it arrived.
    AfterWait,
    /// EXEC.
    Transaction,
    /// A script, which gets the reply.
    #[cfg_attr(not(feature = "scripting"), allow(dead_code))]
    Script,
}

/// The state of the client that has sent a command, as it was before the command ran.
#[derive(Clone, Copy)]
#[allow(clippy::struct_excessive_bools)] // Each is a state of its own.
pub(super) struct Caller {
    pub(super) client: ClientKey,
    pub(super) origin: Origin,
    pub(super) protocol: Protocol,
    pub(super) database: usize,
    muted: bool,
    /// Nothing follows the reply after which the connection is closed, as when EXEC runs CLIENT KILL.
    closing: bool,
    no_touch: bool,
    internal: bool,
}

impl Caller {
    #[inline]
    pub(super) fn new(key: ClientKey, origin: Origin, client: &Client) -> Self {
        Self {
            client: key,
            origin,
            protocol: client.protocol,
            database: client.db,
            muted: client.is_muted(),
            closing: client.close != Close::No,
            no_touch: client.no_touch,
            internal: client.internal,
        }
    }

    /// The same, but the reply is in the protocol version that a script has asked for.
    #[cfg(feature = "scripting")]
    pub(super) fn with_protocol(self, protocol: Protocol) -> Self {
        Self { protocol, ..self }
    }

    /// Whether a command that finds nothing waits. The embedding program is not a connection that could.
    #[inline]
    fn may_block(&self) -> bool {
        match self.origin {
            Origin::Request => !self.internal,
            Origin::AfterWait => true,
            Origin::Transaction | Origin::Script => false,
        }
    }
}

/// A reply that is being written.
struct Answering {
    /// The client's output buffer, in which the reply begins at `start`.
    out: Vec<u8>,
    start: usize,
    /// Whose reply is being written around this one, for the journal.
    outer: Option<ClientKey>,
}

/// The result of a script that has run.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Finished {
    /// There is an error in its result.
    pub failed: bool,
    /// The error that has ended it is in the statistics already.
    pub counted: bool,
}

/// How the wait of a client ends.
#[derive(Clone, Copy, Debug)]
pub(super) enum WaitEnd<'a> {
    /// This key may have what the client waits for. The client has this position among those that wait for the key.
    Ready { key: &'a [u8], arrival: u64 },
    /// CLIENT PAUSE is over.
    PauseOver,
    /// The delay by a fault is over.
    DelayOver,
    /// The condition of a test client is met, or its wait has timed out.
    Condition,
    /// It has timed out, or CLIENT UNBLOCK has ended it.
    GivenUp(Answer),
}

impl Engine {
    /// A request arrives: it runs, and then the clients that waited for the keys that it made ready are served.
    // From here to the command's function all is inlined into one function: arguments that are passed on the stack are
    // read there before they have been written, which costs as much as a short command.
    #[inline(always)]
    #[allow(clippy::inline_always)]
    pub(super) fn receive(&mut self, key: ClientKey, args: Args<'_>, now: Time) {
        self.take_time(now);
        self.admit(key, args, true);
        self.serve_after_request();
        if self.state.waiters.pause.is_some() || self.state.waiters.has_condition_waiters() {
            self.end_pause_if_over();
            self.notify_condition_waiters();
        }
    }

    /// Serves the clients that waited for the keys that a request has made ready.
    #[inline]
    pub(super) fn serve_after_request(&mut self) {
        // If EXEC has run DEBUG SLEEP they are served when that ends: a key that has expired by then serves nobody.
        if self.state.waiters.has_ready() && self.state.asleep_until.is_none() {
            self.serve_ready();
        }
    }

    /// The first steps of a request, in the order of redis-server's `processCommand`; `arrives` unless it has been held.
    /// A command that may run is queued or run, after a fault or CLIENT PAUSE that holds it; any other request is answered
    /// with an error.
    #[inline(always)]
    #[allow(clippy::inline_always)] // See `receive`.
    fn admit(&mut self, key: ClientKey, args: Args<'_>, arrives: bool) {
        if arrives && self.state.tracked.clients() > 0 {
            self.end_caching(key);
            self.state.limit_tracked_keys();
        }
        let paused = self.is_paused();
        let State { clients, users, config, now, keeps_expired, faults, waiters, busy, journal, .. } =
            &mut *self.state;
        let Some((client, spare)) = present(clients.with_spare(key)) else { return };
        let command = TABLE.find(args, config.compat);
        if arrives {
            journal.record(|journal| record_command(journal, (client, config, *now), command, args));
        }
        client.last_interaction = *now;
        *keeps_expired = paused && !client.internal;
        let Some(command) = command else { return self.refuse_unknown(key, args) };
        client.last_command = Some(command.index());
        if !command.accepts_in(config.compat, args.len()) {
            return self.refuse_command(key, Some(command), args, &Error::arity(&command.full_name()));
        }
        if busy.is_some() {
            return self.run_while_busy(key, command, args);
        }
        if faults.are_of_commands() {
            return self.admit_with_faults(key, command, args);
        }
        if let Err(refusal) = check_allowed(client, users, (command, args), |_| false) {
            return self.refuse_admission(key, command, args, refusal);
        }
        if client.transaction.is_some() || waiters.pause.is_some() {
            return self.hold_or_run(key, command, args);
        }
        // As `begin_reply`, with the client that has been found already.
        let (caller, out) = (Caller::new(key, Origin::Request, client), client.take_outbox(spare));
        let outer = journal.record(|journal| journal.begin_answer(key)).flatten();
        self.run_with_reply(caller, Answering { start: out.len(), out, outer }, command, args);
    }

    /// As [`Engine::admit`] while there are faults, for a command that exists and has as many arguments as it needs.
    /// Their effects on it are noted with the client.
    // Out of line, as most commands meet no faults.
    #[cold]
    #[inline(never)]
    fn admit_with_faults(&mut self, key: ClientKey, command: &'static Command, args: Args<'_>) {
        // After the end of a pause the command is admitted once more, and faults are checked then.
        let paused = self.must_pause(key, command, args);
        let flags = self.flags_of(command, args);
        let queued = self.flags_of_queued(key, command);
        let State { clients, users, faults, .. } = &mut *self.state;
        let Some(client) = present(clients.get(key)) else { return };
        let exempt = paused || client.internal;
        let subject = subject(client, command, args);
        let mut simulated = None;
        let allowed = check_allowed(client, users, (command, args), |state| {
            if !exempt && refuses(state, flags, &queued) {
                simulated = faults.simulates(state, &subject);
            }
            simulated.is_some()
        });
        if let Err(refusal) = allowed {
            if let Some(fault) = simulated {
                self.state.note_fault(key, fault);
            }
            return self.refuse_admission(key, command, args, refusal);
        }
        let pending = if exempt { PendingFault::default() } else { faults.apply(&subject) };
        if !pending.is_nothing()
            && let Some(client) = clients.get_mut(key)
        {
            client.pending_fault = Some(Box::new(pending));
        }
        self.hold_or_run(key, command, args);
    }

    /// Answers a request that names no command.
    #[cold]
    #[inline(never)]
    fn refuse_unknown(&mut self, key: ClientKey, args: Args<'_>) {
        if is_from_browser(&args[0]) {
            return self.state.kill(key);
        }
        let busy = self.state.busy.as_ref().map(|busy| busy.error());
        let is_control = is_control(&self.state.config, args);
        if is_control && busy.is_none() {
            return self.control(key, args, true);
        }
        if let Some(client) = self.state.clients.get_mut(key) {
            client.last_command = None;
        }
        let error = match busy {
            Some(busy) if is_control => Error::new(busy),
            _ => explain_unknown(args, self.state.config.compat),
        };
        self.refuse_command(key, None, args, &error);
    }

    /// Answers a command that may not run.
    #[cold]
    #[inline(never)]
    pub(super) fn refuse_admission(
        &mut self,
        key: ClientKey,
        command: &'static Command,
        args: Args<'_>,
        refusal: Refusal,
    ) {
        let error = self.error_of(key, (command, args), refusal);
        self.refuse_command(key, Some(command), args, &error);
    }

    /// Answers a command that does not run. In a transaction EXEC will refuse; EXEC itself ends it.
    #[cold]
    #[inline(never)]
    pub(super) fn refuse_command(
        &mut self,
        key: ClientKey,
        command: Option<&Command>,
        args: Args<'_>,
        error: &Error,
    ) {
        self.feed_monitors(key, command, args, false);
        let mut text = error.text().to_vec();
        if let Some(command) = command {
            self.state.stats.command(command.index()).rejected += 1;
        }
        if command.is_some_and(|command| matches!(command.run, Run::Exec)) {
            self.discard(key);
            let cause = String::from_utf8_lossy(text.strip_prefix(b"ERR ").unwrap_or(&text)).into_owned();
            text = format!("EXECABORT Transaction discarded because of: {cause}").into_bytes();
        }
        if let Some(client) = self.state.clients.get_mut(key)
            && let Some(transaction) = &mut client.transaction
        {
            transaction.failed = true;
        }
        self.state.stats.error(&text);
        self.reply(key, Origin::Request, |_, caller, out| {
            if !caller.muted {
                Reply::new(out, caller.protocol).error(&text);
            }
        });
    }

    /// What follows the admission of a command that may not run at once, and what follows a delay or a pause.
    #[inline(never)]
    pub(super) fn hold_or_run(&mut self, key: ClientKey, command: &'static Command, args: Args<'_>) {
        if self.hold_command(key, command, args) || self.end_by_fault(key, command, args) {
            return;
        }
        self.run_or_queue(key, command, args);
    }

    /// A fault delays a command, and then CLIENT PAUSE makes it wait, even if it would only be queued; true if so.
    fn hold_command(&mut self, key: ClientKey, command: &'static Command, args: Args<'_>) -> bool {
        let now = self.state.now;
        let Some(client) = present(self.state.clients.get_mut(key)) else { return false };
        let pending = client.pending_fault.as_mut();
        let delay = pending.and_then(|pending| {
            pending.held_since = pending.hold.map(|_| now);
            pending.hold
        });
        let (reason, deadline) = if let Some((fault, delay)) = delay {
            self.state.note_fault(key, fault);
            (Reason::Delay, Some(Deadline::not_before(now + delay)))
        } else if self.must_pause(key, command, args) {
            (Reason::Pause, None)
        } else {
            return false;
        };
        self.wait(key, args, Wait::without_keys(reason, deadline));
        true
    }

    /// True if CLIENT PAUSE makes this command wait. Monitors do not wait, as they count as replicas.
    fn must_pause(&self, key: ClientKey, command: &Command, args: Args<'_>) -> bool {
        let Some(pause) = self.state.waiters.pause else { return false };
        let exempt = self.state.clients.get(key).is_some_and(|client| client.internal || client.monitor);
        !pause.until.is_due(self.state.now)
            && !exempt
            && (!pause.writes_only || self.may_write(key, command, args))
    }

    /// True if a command writes, publishes, or runs a transaction that does.
    fn may_write(&self, key: ClientKey, command: &Command, args: Args<'_>) -> bool {
        let queued = self.flags_of_queued(key, command).into_iter();
        std::iter::once(self.flags_of(command, args)).chain(queued).any(Flags::may_write)
    }

    /// The flags of a command, or those that the script or function that it runs declares.
    fn flags_of(&self, command: &Command, args: Args<'_>) -> Flags {
        match command.run {
            Run::Script(kind) => self.script_flags(kind, command, args),
            _ => command.flags,
        }
    }

    /// The flags of the commands that EXEC would run.
    fn flags_of_queued(&self, key: ClientKey, command: &Command) -> Vec<Flags> {
        let State { clients, config, .. } = &*self.state;
        let transaction = clients.get(key).and_then(|client| client.transaction.as_ref());
        let transaction = transaction.filter(|_| matches!(command.run, Run::Exec));
        let queue = transaction.into_iter().flat_map(|transaction| transaction.queue.iter());
        let flags = |request: &OwnedRequest| {
            let command = TABLE.find(request.args(), config.compat)?;
            Some(self.flags_of(command, request.args()))
        };
        queue.filter_map(flags).collect()
    }

    /// A fault refuses a command that is not delayed, or no longer, or closes the connection; true if so. Its effect on
    /// the reply happens when the reply is complete.
    fn end_by_fault(&mut self, key: ClientKey, command: &'static Command, args: Args<'_>) -> bool {
        let Some(client) = present(self.state.clients.get_mut(key)) else { return true };
        match client.pending_fault.take().and_then(|pending| pending.then) {
            None => false,
            Some((fault, Consequence::Error(text))) => {
                self.state.note_fault(key, fault);
                self.refuse_command(key, Some(command), args, &Error::from_bytes(text.into()));
                true
            }
            Some((fault, Consequence::Disconnect)) => {
                self.state.disconnect_by_fault(key, fault);
                true
            }
            lost @ Some((_, Consequence::LoseReply(_))) => {
                client.pending_fault = Some(Box::new(PendingFault { then: lost, ..PendingFault::default() }));
                false
            }
        }
    }

    /// Between MULTI and EXEC a command is queued; else it runs.
    fn run_or_queue(&mut self, key: ClientKey, command: &'static Command, args: Args<'_>) {
        let in_transaction = self.state.clients.get(key).is_some_and(|client| client.transaction.is_some());
        if !in_transaction || command.flags.contains(Flags::RUNS_IN_MULTI) {
            return self.run_request(key, Origin::Request, command, args);
        }
        self.reply(key, Origin::Request, |engine, caller, out| {
            if let Some(client) = engine.state.clients.get_mut(key)
                && let Some(transaction) = &mut client.transaction
            {
                transaction.bytes += args.bytes() + args.len() * COUNTED_ARGUMENT;
                transaction.queue.push(args.to_owned());
            }
            if !caller.muted {
                Reply::new(out, caller.protocol).simple("QUEUED");
            }
        });
    }

    /// Runs a command of a client that is not in the middle of EXEC, and makes the client wait if it finds nothing.
    #[inline(always)]
    #[allow(clippy::inline_always)] // See `receive`.
    fn run_request(&mut self, key: ClientKey, origin: Origin, command: &'static Command, args: Args<'_>) {
        if let Some((caller, answer)) = self.begin_reply(key, origin) {
            self.run_with_reply(caller, answer, command, args);
        }
    }

    /// As [`Engine::run_request`], with a reply that has begun.
    #[inline(always)]
    #[allow(clippy::inline_always)] // See `receive`.
    fn run_with_reply(
        &mut self,
        caller: Caller,
        mut answer: Answering,
        command: &'static Command,
        args: Args<'_>,
    ) {
        if let Some(wait) = self.run(caller, command, args, &mut answer.out) {
            self.wait(caller.client, args, *wait);
        }
        self.end_reply(caller.client, answer);
    }

    /// As [`Engine::run`], for a command of EXEC or of a script.
    #[inline(never)]
    pub(super) fn run_within(
        &mut self,
        caller: Caller,
        command: &'static Command,
        args: Args<'_>,
        out: &mut Vec<u8>,
    ) {
        let wait = self.run(caller, command, args, out);
        debug_assert!(wait.is_none(), "nothing waits in a transaction or script");
    }

    /// Runs a command and appends its reply to `out`; returns the wait that it begins, if any.
    #[inline(always)]
    #[allow(clippy::inline_always)] // See `receive`.
    fn run(
        &mut self,
        caller: Caller,
        command: &'static Command,
        args: Args<'_>,
        out: &mut Vec<u8>,
    ) -> Option<Box<Wait>> {
        let Caller { client, protocol, .. } = caller;
        self.state.db = caller.database;
        self.state.caller = client;
        self.state.in_script = caller.origin == Origin::Script;
        self.state.in_transaction = caller.origin == Origin::Transaction;
        // TOUCH records the use of a key, even with CLIENT NO-TOUCH.
        self.state.touches = !caller.no_touch || command.flags.contains(Flags::COUNTS_AS_USE);
        if self.state.tracked.clients() > 0 {
            self.state.events_first = self.has_events_first(command);
        }
        let start = out.len();
        let began = if self.is_measured(command, args) { Some(self.begin_measuring()) } else { None };
        let (mut wait, mut is_script) = (None, false);
        let (outcome, script) = if let Run::Command(function) = command.run {
            let in_full = self.state.config.compat < Version::Redis7_4;
            let reply = Reply::new(out, protocol).with_doubles_in_full(in_full);
            let (state, may_block) = (&mut self.state, caller.may_block());
            let mut context = Context { args, reply, state, client, command, may_block, wait: None };
            let outcome = function(&mut context);
            wait = context.wait;
            (outcome, Finished::default())
        } else {
            is_script = matches!(command.run, Run::Script(_));
            self.run_with_engine(client, protocol, command, args, out)
        };
        if self.state.tracked.clients() > 0 {
            self.note_reads(client, caller.origin, command, args);
            if self.state.events_first {
                self.state.invalidate_postponed();
            }
            if self.state.tracked.has_deferred()
                && !matches!(caller.origin, Origin::Transaction | Origin::Script)
            {
                self.state.notify_deferred();
            }
        }
        if wait.is_none() {
            self.account_for(caller, command, (outcome, script), (start, out));
            if is_script {
                self.put_pushes_before(client, (start, out));
            }
            if began.is_none() {
                self.count_run(command);
            }
        }
        if !self.state.clients.monitors.is_empty() {
            match caller.origin {
                Origin::Request | Origin::Transaction => {
                    self.feed_monitors(client, Some(command), args, true);
                }
                Origin::Script => self.show_command_of_script(client, command, args),
                Origin::AfterWait => {}
            }
        }
        if let Some(began) = began
            && wait.is_none()
        {
            self.end_measuring(began, (client, caller.origin), command, args);
        }
        wait
    }

    /// Runs a command that runs others, or ends the wait of another client.
    // Out of line: what it needs on the stack is not there for the other commands.
    #[inline(never)]
    fn run_with_engine(
        &mut self,
        client: ClientKey,
        protocol: Protocol,
        command: &'static Command,
        args: Args<'_>,
        out: &mut Vec<u8>,
    ) -> (Outcome, Finished) {
        let mut script = Finished::default();
        let outcome = match command.run {
            Run::Exec => self.exec(client, out),
            Run::Unblock => self.unblock(args, &mut Reply::new(out, protocol)),
            Run::Script(kind) => self.script_command(kind, client, (command, args), (out, &mut script)),
            Run::Saving(kind) => self.saving_command(kind, client, (command, args), (protocol, out)),
            Run::Container | Run::Command(_) => Err(Error::arity(&command.full_name())),
        };
        (outcome, script)
    }

    /// Before Redis 7.2 what a script sends to its own client precedes its reply, which begins at `start`.
    #[inline(never)]
    fn put_pushes_before(&mut self, client: ClientKey, (start, out): (usize, &mut Vec<u8>)) {
        let State { clients, config, .. } = &mut *self.state;
        if config.compat < Version::Redis7_4
            && let Some(client) = clients.get_mut(client)
            && !client.is_muted()
        {
            out.splice(start..start, std::mem::take(&mut client.outbox));
        }
    }

    /// Accounts for a command that has run or given up: it is counted, and its reply, which begins at `start` in the
    /// output, is finished for the client.
    #[inline(always)]
    #[allow(clippy::inline_always)] // See `receive`.
    pub(super) fn account_for(
        &mut self,
        caller: Caller,
        command: &Command,
        (outcome, script): (Outcome, Finished),
        (start, out): (usize, &mut Vec<u8>),
    ) {
        let nested = caller.origin == Origin::Script;
        self.state.stats.commands += 1;
        let mut muted = false;
        // No other command changes whether its client is answered.
        if !nested && (caller.muted || command.effect.is_some()) {
            muted = self.state.clients.get(caller.client).is_some_and(Client::is_muted);
        }
        let stats = self.state.stats.command(command.index());
        stats.calls += 1;
        // Confirmations of subscriptions are pushes, which CLIENT REPLY does not suppress. The output of EXEC has been
        // suppressed already, for each of its commands.
        let is_sent = || command.flags.contains(Flags::PUSH_REPLY) || matches!(command.run, Run::Exec);
        if let Err(error) = outcome {
            stats.failed += 1;
            if !script.counted {
                self.state.stats.error(error.text());
            }
            out.truncate(start);
            if !muted {
                Reply::new(out, caller.protocol).error(error.text());
            }
        } else {
            stats.failed += u64::from(script.failed);
            if muted && !is_sent() {
                out.truncate(start);
            }
        }
        if caller.closing && !nested {
            out.truncate(start);
        }
    }

    /// A client waits from now on; the command is run when the wait ends.
    #[cold]
    #[inline(never)]
    pub(super) fn wait(&mut self, key: ClientKey, args: Args<'_>, wait: Wait) {
        let Wait { reason, keys, deadline, request, wanted } = wait;
        let State { clients, waiters, journal, now, .. } = &mut *self.state;
        let Some(client) = present(clients.get_mut(key)) else { return };
        // A delay by a fault or a wait of a test client is recorded elsewhere.
        if !matches!(reason, Reason::Delay | Reason::Condition) {
            journal.record(|journal| journal.blocked(client, reason, &keys, deadline, *now));
        }
        let request = request.unwrap_or_else(|| args.to_owned());
        let mut blocked = waiters.add(key, reason, client.db, keys, deadline, request);
        blocked.wanted = wanted;
        client.blocked = Some(blocked);
    }

    /// Serves the clients that wait for keys which have got a value.
    pub(super) fn serve_ready(&mut self) {
        // Keys that a script has made ready are not served before the script ends.
        if self.state.has_busy_script() {
            return;
        }
        while let Some((db, key)) = self.state.waiters.take_ready() {
            let until = self.state.waiters.last_arrival();
            let mut last = 0;
            while let Some((arrival, client)) = self.state.next_to_serve(db, &key, last, until) {
                last = arrival;
                self.end_wait(client, WaitEnd::Ready { key: &key, arrival });
            }
        }
    }

    /// Ends the wait of a client: its command runs, runs again, or is answered without running. Then the client's next
    /// requests are run, unless it waits again.
    pub(super) fn end_wait(&mut self, client_key: ClientKey, end: WaitEnd<'_>) {
        let Some(blocked) = self.state.resume(client_key) else { return };
        self.note_wakeup(client_key, end);
        self.count_for(client_key, |engine| match end {
            WaitEnd::Ready { key, arrival } => engine.run_again(client_key, *blocked, (key, arrival)),
            WaitEnd::PauseOver | WaitEnd::DelayOver => {
                engine.run_held(client_key, blocked.request.args(), end);
            }
            WaitEnd::Condition => engine.control(client_key, blocked.request.args(), false),
            WaitEnd::GivenUp(answer) => engine.give_up(client_key, &blocked, answer),
        });
        let Some(client) = present(self.state.clients.get_mut(client_key)) else { return };
        client.resumed = client.blocked.is_none();
        if client.resumed {
            self.state.clients.mark_resumed(client_key);
        }
    }

    /// Records in the journal, if there is one, why a wait has ended.
    fn note_wakeup(&mut self, client_key: ClientKey, end: WaitEnd<'_>) {
        let State { journal, clients, now, .. } = &mut *self.state;
        journal.record(|journal| {
            let Some(client) = present(clients.get(client_key)) else { return };
            let wakeup = match end {
                WaitEnd::Ready { key, .. } => Wakeup::Key(key.into()),
                WaitEnd::PauseOver => Wakeup::PauseOver,
                WaitEnd::DelayOver => Wakeup::DelayOver,
                WaitEnd::GivenUp(Answer::TimedOut) => Wakeup::TimedOut,
                WaitEnd::GivenUp(Answer::Unblocked) => Wakeup::Unblocked,
                WaitEnd::Condition => return,
            };
            journal.unblocked(client, &wakeup, *now);
        });
    }

    /// Runs a command that a fault or CLIENT PAUSE has delayed, for the first time.
    fn run_held(&mut self, key: ClientKey, args: Args<'_>, end: WaitEnd<'_>) {
        let after_delay = matches!(end, WaitEnd::DelayOver);
        let paused = self.is_paused();
        let Some(client) = present(self.state.clients.get_mut(key)) else { return };
        client.resumed = false;
        if after_delay {
            // The delay is over, whatever the command waits for next.
            let pending = client.pending_fault.get_or_insert_default();
            pending.hold = None;
            let held_since = pending.held_since.take();
            self.durations.delayed = held_since.map_or(Duration::ZERO, |then| self.state.now.since(then));
            self.state.keeps_expired = paused;
        }
        // Faults that have been checked are not checked again; but while a script is busy every command is checked.
        if client.pending_fault.is_none() || self.state.busy.is_some() {
            self.admit(key, args, false);
        } else if let Some(command) = present(TABLE.find(args, self.state.config.compat)) {
            self.hold_or_run(key, command, args);
        }
        self.durations.delayed = Duration::ZERO;
    }

    /// Runs the command of a client that waits for a key again, after CLIENT PAUSE if there is one. If it still finds
    /// nothing, it continues to wait, with the same deadline.
    fn run_again(&mut self, client_key: ClientKey, blocked: Blocked, (key, arrival): (&[u8], u64)) {
        let Blocked { request, deadline, reason, keys, wanted, .. } = blocked;
        let version = self.state.config.compat;
        let Some(command) = present(TABLE.find(request.args(), version)) else { return };
        let is_old = version < Version::Redis7_4;
        let narrowed =
            if is_old { narrowed(command, request.args(), (reason, keys.len()), key) } else { None };
        let args = narrowed.as_ref().unwrap_or(&request).args();
        // Before Redis 7.2 a pause does not keep a waiter from being served.
        if !is_old && self.must_pause(client_key, command, args) {
            // Faults were checked when the command arrived.
            if let Some(client) = self.state.clients.get_mut(client_key) {
                client.pending_fault.get_or_insert_default();
            }
            return self.wait(client_key, args, Wait::without_keys(Reason::Pause, None));
        }
        // Nor are the rights of its user checked again.
        if !is_old
            && let Some(client) = self.state.clients.get(client_key)
            && let Err(denial) = check_permission(client, &self.state.users, command, args)
        {
            return self.refuse_admission(client_key, command, args, Refusal::Denied(denial));
        }
        let looked_up = (self.state.stats.keyspace_hits, self.state.stats.keyspace_misses);
        self.state.takes_element = is_old && reason == Reason::Key(Type::List);
        self.run_request(client_key, Origin::AfterWait, command, args);
        self.state.takes_element = false;
        if is_old {
            // Nor are keys counted that are found for waiters.
            (self.state.stats.keyspace_hits, self.state.stats.keyspace_misses) = looked_up;
        }
        let State { clients, waiters, .. } = &mut *self.state;
        let Some(client) = present(clients.get_mut(client_key)) else { return };
        let Some(blocked) = &mut client.blocked else { return };
        if narrowed.is_some() {
            // It continues to wait for all keys that it named.
            if let Some(blocked) = client.blocked.take() {
                waiters.remove(client_key, &blocked);
            }
            let args = request.args();
            self.wait(client_key, args, Wait { reason, keys, deadline, request: None, wanted });
        } else {
            waiters.set_deadline(client_key, blocked, deadline);
        }
        // Clients that were passed over keep their positions.
        let State { clients, waiters, .. } = &mut *self.state;
        if let Some(blocked) = clients.get_mut(client_key).and_then(|client| client.blocked.as_mut())
            && blocked.wanted.is_some()
        {
            waiters.keep_position(client_key, blocked, key, arrival);
        }
    }

    /// Answers the command of a client whose wait has ended without a result.
    fn give_up(&mut self, key: ClientKey, blocked: &Blocked, answer: Answer) {
        let command = TABLE.find(blocked.request.args(), self.state.config.compat);
        let Some(command) = present(command) else { return };
        self.reply(key, Origin::AfterWait, |engine, caller, out| {
            let start = out.len();
            let mut reply = Reply::new(out, caller.protocol);
            let outcome = match (answer, blocked.reason) {
                (Answer::Unblocked, _) => Err(Error::new("UNBLOCKED client unblocked via CLIENT UNBLOCK")),
                (Answer::TimedOut, Reason::Replicas) => {
                    reply.integer(0);
                    Ok(())
                }
                (Answer::TimedOut, Reason::Disks) => {
                    reply.array(2);
                    reply.integer(0);
                    reply.integer(0);
                    Ok(())
                }
                (Answer::TimedOut, _) => {
                    reply.null_array();
                    Ok(())
                }
            };
            engine.account_for(caller, command, (outcome, Finished::default()), (start, out));
        });
        // Before Redis 7.2 the slow log has no commands that have given up.
        if self.state.config.compat >= Version::Redis7_4 {
            let began = self.elapsed();
            self.end_measuring(began, (key, Origin::AfterWait), command, blocked.request.args());
        }
    }

    /// CLIENT UNBLOCK, which makes another client give up.
    fn unblock(&mut self, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
        let (id, answer) = client::unblock(args)?;
        let clients = &self.state.clients;
        let waits = |key: &ClientKey| {
            let blocked = clients.get(*key).and_then(|client| client.blocked.as_ref());
            blocked.is_some_and(|blocked| blocked.reason.is_of_command())
        };
        let found = id.and_then(|id| clients.by_id(id)).filter(waits);
        if let Some(key) = found {
            self.end_wait(key, WaitEnd::GivenUp(answer));
        }
        reply.integer(found.is_some().into());
        Ok(())
    }

    /// Whether a fault delays a command of this client.
    pub(super) fn is_delayed(&self, key: ClientKey) -> bool {
        let blocked = self.state.clients.get(key).and_then(|client| client.blocked.as_ref());
        blocked.is_some_and(|blocked| blocked.reason == Reason::Delay)
    }

    /// Lets `write` append to the client's output buffer, and does what follows every reply.
    fn reply(&mut self, key: ClientKey, origin: Origin, write: impl FnOnce(&mut Self, Caller, &mut Vec<u8>)) {
        let Some((caller, mut answer)) = self.begin_reply(key, origin) else { return };
        write(self, caller, &mut answer.out);
        self.end_reply(key, answer);
    }

    /// Takes the client's output buffer, for a reply to be appended to it.
    // Not a function that takes a closure: the closure would be compiled once, and called, for all that run a command.
    #[inline(always)]
    #[allow(clippy::inline_always)] // See `receive`.
    fn begin_reply(&mut self, key: ClientKey, origin: Origin) -> Option<(Caller, Answering)> {
        let State { clients, journal, .. } = &mut *self.state;
        let (out, client) = present(clients.take_outbox(key))?;
        let caller = Caller::new(key, origin, client);
        let start = out.len();
        let outer = journal.record(|journal| journal.begin_answer(key)).flatten();
        Some((caller, Answering { out, start, outer }))
    }

    /// Returns the output buffer, and does what follows every reply, see
    /// [`put_reply`](crate::clients::Clients::put_reply); then the reply is lost if a fault says so.
    #[inline(always)]
    #[allow(clippy::inline_always)] // See `receive`.
    fn end_reply(&mut self, key: ClientKey, Answering { out, start, outer }: Answering) {
        let State { clients, config, now, journal, faults, .. } = &mut *self.state;
        journal.record(|journal| {
            let client = clients.get(key).filter(|client| client.close != Close::Now);
            journal.end_answer(outer, client, (&out[start..], out.len()), *now);
        });
        clients.put_reply(key, out, start, config, *now);
        if faults.are_of_commands() {
            self.lose_reply(key, start);
        }
    }

    /// Cuts off the reply of a client if a fault says so, once the reply is complete.
    #[cold]
    #[inline(never)]
    fn lose_reply(&mut self, key: ClientKey, start: usize) {
        let client = self.state.clients.get(key);
        if client.is_some_and(|client| client.blocked.is_none() && client.pending_fault.is_some()) {
            self.state.lose_reply(key, start);
        }
    }
}
