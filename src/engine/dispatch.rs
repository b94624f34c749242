//! One request: looked up, checked, queued or run.

use super::Engine;
use super::admission::{check_allowed, find, is_from_browser};
use super::control::is_control;
use crate::clients::ClientKey;
use crate::clients::{Client, Close};
use crate::config::Version;
use crate::resp::{Args, Protocol, Reply};
use crate::spec::{Command, Flags, Run};
use crate::spec::{Context, Error, Wait};
use crate::state::State;

/// What redis-server counts for each queued argument beside its bytes: a pointer.
const COUNTED_ARGUMENT: usize = 8;

/// What is to be known of a script that has run.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Finished {
    /// There is an error in what it has returned.
    pub failed: bool,
    /// The error that has ended it is in the statistics already.
    pub counted: bool,
}

/// What a command heeds of the client that has sent it, as it was before.
#[derive(Clone, Copy)]
#[allow(clippy::struct_excessive_bools)] // Each is a state of its own.
struct Caller {
    client: ClientKey,
    protocol: Protocol,
    database: usize,
    muted: bool,
    /// Nothing follows the reply after which the connection is closed, as when EXEC runs CLIENT KILL.
    closing: bool,
    no_touch: bool,
    internal: bool,
    /// A script runs the command, and gets its reply.
    nested: bool,
}

impl Caller {
    #[inline]
    fn new(client: ClientKey, owner: &Client) -> Self {
        Self {
            client,
            protocol: owner.protocol,
            database: owner.db,
            muted: owner.is_muted(),
            closing: owner.close != Close::No,
            no_touch: owner.no_touch,
            internal: owner.internal,
            nested: false,
        }
    }
}

impl Engine {
    /// Checks and runs one request, in the order of redis-server's `processCommand`.
    // From here to the command's function all is one function: arguments that are handed on by way of the stack are
    // read there before they have been written, which costs as much as a short command.
    #[inline(always)]
    #[allow(clippy::inline_always)]
    pub(super) fn dispatch(&mut self, client: ClientKey, args: Args<'_>) {
        let paused = self.is_paused();
        let State { clients, config, now, keeps_expired, faults, .. } = &mut self.state;
        let Some(owner) = clients.get_mut(client) else { return };
        owner.last_interaction = *now;
        *keeps_expired = paused && !owner.internal;
        let command = match find(args, config.compat) {
            Ok(command) => command,
            Err((None, _)) if is_from_browser(&args[0]) => return self.state.kill(client),
            Err((None, _)) if config.control && is_control(args) => return self.control(client, args, true),
            Err((command, error)) => {
                owner.last_command = command.map(Command::index);
                return self.reject(client, command, args, &error);
            }
        };
        owner.last_command = Some(command.index());
        if faults.are_of_commands() {
            return self.dispatch_with_faults(client, command, args);
        }
        if let Err(error) = check_allowed(owner, config, command, |_| false) {
            return self.reject(client, Some(command), args, &error);
        }
        if owner.transaction.is_some() || self.state.waiters.pause.is_some() {
            return self.proceed(client, command, args);
        }
        self.call(client, command, args);
    }

    /// Runs, queues or pauses a command that may run.
    #[inline(never)]
    pub(super) fn proceed(&mut self, client: ClientKey, command: &'static Command, args: Args<'_>) {
        let in_transaction = self.state.clients.get(client).is_some_and(|owner| owner.transaction.is_some());
        let is_queued = in_transaction && !command.flags.contains(Flags::RUNS_IN_MULTI);
        if self.state.waiters.pause.is_some() && self.must_pause(client, command) {
            return self.wait_for_pause(client, args);
        }
        if is_queued {
            return self.enqueue(client, args);
        }
        self.call(client, command, args);
    }

    /// Answers a command that is not even tried. In a transaction EXEC will refuse; EXEC itself ends it.
    #[cold]
    #[inline(never)]
    pub(super) fn reject(
        &mut self,
        client: ClientKey,
        command: Option<&Command>,
        args: Args<'_>,
        error: &Error,
    ) {
        self.feed_monitors(client, command, args, false);
        let mut text = error.text().to_vec();
        if let Some(command) = command {
            self.state.stats.command(command.index()).rejected += 1;
        }
        if command.is_some_and(|command| matches!(command.run, Run::Exec)) {
            self.discard(client);
            let cause = String::from_utf8_lossy(text.strip_prefix(b"ERR ").unwrap_or(&text)).into_owned();
            text = format!("EXECABORT Transaction discarded because of: {cause}").into_bytes();
        }
        if let Some(owner) = self.state.clients.get_mut(client)
            && let Some(transaction) = &mut owner.transaction
        {
            transaction.failed = true;
        }
        self.state.stats.error(&text);
        self.with_reply(client, |engine, out, protocol| {
            if !engine.is_muted(client) {
                Reply::new(out, protocol).error(&text);
            }
        });
    }

    fn enqueue(&mut self, client: ClientKey, args: Args<'_>) {
        self.with_reply(client, |engine, out, protocol| {
            if let Some(owner) = engine.state.clients.get_mut(client)
                && let Some(transaction) = &mut owner.transaction
            {
                transaction.bytes += args.bytes() + args.len() * COUNTED_ARGUMENT;
                transaction.queue.push(args.to_owned());
            }
            if !engine.is_muted(client) {
                Reply::new(out, protocol).simple("QUEUED");
            }
        });
    }

    fn is_muted(&self, client: ClientKey) -> bool {
        self.state.clients.get(client).is_some_and(Client::is_muted)
    }

    /// Runs a command of a client that is not in the middle of EXEC.
    #[inline(always)]
    #[allow(clippy::inline_always)] // See `dispatch`.
    pub(super) fn call(&mut self, client: ClientKey, command: &'static Command, args: Args<'_>) {
        if self.state.journal.is_on() {
            return self.call_for_journal(client, command, args);
        }
        let Some((mut out, owner)) = self.state.clients.take_outbox(client) else { return };
        let caller = Caller::new(client, owner);
        let start = out.len();
        // The embedding program is no connection that could wait.
        let wait = self.run_here(caller, command, args, !caller.internal, &mut out);
        if !self.state.clients.monitors.is_empty() {
            self.feed_monitors(client, Some(command), args, true);
        }
        if let Some(wait) = wait {
            self.begin_wait(client, args, *wait);
        }
        let State { clients, config, now, .. } = &mut self.state;
        clients.put_reply(client, out, start, config, *now);
    }

    /// As [`Engine::call`], when a journal is kept.
    #[cold]
    #[inline(never)]
    fn call_for_journal(&mut self, client: ClientKey, command: &'static Command, args: Args<'_>) {
        self.with_reply(client, |engine, out, _| {
            let may_block = engine.state.clients.get(client).is_some_and(|owner| !owner.internal);
            if let Some(wait) = engine.run(client, command, args, may_block, out) {
                engine.begin_wait(client, args, *wait);
            }
        });
    }

    /// Runs the command of a client that has waited. Monitors have been shown it when it came.
    pub(super) fn call_again(&mut self, client: ClientKey, command: &'static Command, args: Args<'_>) {
        self.with_reply(client, |engine, out, _| {
            let Some(wait) = engine.run_unseen(client, command, args, true, out) else { return };
            engine.begin_wait(client, args, *wait);
        });
    }

    /// Runs a command, appends its reply to `out` and shows it to monitors; returns what it waits for, if it
    /// does.
    pub(super) fn run(
        &mut self,
        client: ClientKey,
        command: &'static Command,
        args: Args<'_>,
        may_block: bool,
        out: &mut Vec<u8>,
    ) -> Option<Box<Wait>> {
        let wait = self.run_unseen(client, command, args, may_block, out);
        if !self.state.clients.monitors.is_empty() {
            self.feed_monitors(client, Some(command), args, true);
        }
        wait
    }

    fn run_unseen(
        &mut self,
        client: ClientKey,
        command: &'static Command,
        args: Args<'_>,
        may_block: bool,
        out: &mut Vec<u8>,
    ) -> Option<Box<Wait>> {
        let caller = Caller::new(client, self.state.clients.get(client)?);
        self.run_here(caller, command, args, may_block, out)
    }

    #[inline(always)]
    #[allow(clippy::inline_always)] // See `dispatch`.
    fn run_here(
        &mut self,
        caller: Caller,
        command: &'static Command,
        args: Args<'_>,
        may_block: bool,
        out: &mut Vec<u8>,
    ) -> Option<Box<Wait>> {
        let Caller { client, protocol, muted: was_muted, .. } = caller;
        self.state.db = caller.database;
        // TOUCH is what says that a key is used, whoever sends it.
        self.state.touches = !caller.no_touch || command.flags.contains(Flags::COUNTS_AS_USE);
        let start = out.len();
        let mut script = Finished::default();
        let (outcome, wait) = match command.run {
            Run::Command(function) => {
                let in_full = self.state.config.compat < Version::Redis7_4;
                let reply = Reply::new(out, protocol).with_doubles_in_full(in_full);
                let mut context =
                    Context { args, reply, state: &mut self.state, client, command, may_block, wait: None };
                let outcome = function(&mut context);
                (outcome, context.wait)
            }
            Run::Exec => (self.exec(client, out), None),
            Run::Script(kind) => {
                let outcome = self.script_command(kind, client, (command, args), (out, &mut script));
                (outcome, None)
            }
            Run::Container => (Err(Error::arity(&command.full_name())), None),
        };
        if wait.is_some() {
            return wait;
        }
        self.state.stats.commands += 1;
        let mut muted = false;
        if let Some(owner) = self.state.clients.get_mut(client) {
            owner.commands += u64::from(!caller.nested);
            muted = owner.is_muted() && !caller.nested;
        }
        let stats = self.state.stats.command(command.index());
        stats.calls += 1;
        // What a subscription says is a message, which CLIENT REPLY does not keep back. EXEC has written what
        // was not muted when it was written.
        let heard =
            || command.flags.contains(Flags::PUSH_REPLY) || matches!(command.run, Run::Exec) && !was_muted;
        if let Err(error) = outcome {
            stats.failed += 1;
            if !script.counted {
                self.state.stats.error(error.text());
            }
            out.truncate(start);
            if !muted {
                Reply::new(out, protocol).error(error.text());
            }
        } else {
            stats.failed += u64::from(script.failed);
            if muted && !heard() {
                out.truncate(start);
            }
        }
        if caller.closing && !caller.nested {
            out.truncate(start);
        }
        self.count_run(command);
        None
    }

    /// Runs a command of a script, which gets the reply in the version that it has asked for.
    #[cfg(feature = "scripting")]
    #[inline(never)]
    pub(super) fn run_for_script(
        &mut self,
        client: ClientKey,
        protocol: Protocol,
        (command, args): (&'static Command, Args<'_>),
        reply: &mut Vec<u8>,
    ) {
        let Some(owner) = self.state.clients.get(client) else { return };
        let caller = Caller { protocol, nested: true, ..Caller::new(client, owner) };
        if self.state.journal.is_on() {
            self.record_command(client, args);
        }
        self.run_here(caller, command, args, false, reply);
        if !self.state.clients.monitors.is_empty() {
            self.show_command_of_script(client, command, args);
        }
    }

    /// Lets `write` append to the client's outbox, see [`put_reply`](crate::clients::Clients::put_reply) for what follows.
    #[inline]
    fn with_reply(&mut self, client: ClientKey, write: impl FnOnce(&mut Self, &mut Vec<u8>, Protocol)) {
        let Some((mut out, owner)) = self.state.clients.take_outbox(client) else { return };
        let protocol = owner.protocol;
        let start = out.len();
        let recording = self.state.journal.is_on();
        if recording {
            self.state.journal.begin_answer(client);
        }
        write(self, &mut out, protocol);
        let State { clients, config, now, journal, .. } = &mut self.state;
        if recording {
            let owner = clients.get(client).filter(|owner| owner.close != Close::Now);
            journal.end_answer(owner, &out[start..], out.len(), *now);
        }
        clients.put_reply(client, out, start, config, *now);
    }

    #[cold]
    #[inline(never)]
    fn begin_wait(&mut self, client: ClientKey, args: Args<'_>, wait: Wait) {
        let Wait { reason, keys, deadline, request, wanted } = wait;
        self.block(client, reason, keys, deadline, request.unwrap_or_else(|| args.to_owned()));
        if let Some(blocked) = self.state.clients.get_mut(client).and_then(|owner| owner.blocked.as_mut()) {
            blocked.wanted = wanted;
        }
    }
}
