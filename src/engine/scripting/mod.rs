//! Scripts: EVAL and SCRIPT.
//!
//! A script runs inside the command that has sent it, and its own commands go through the engine as any other. While it
//! runs the engine is in the slot where the functions of the script find it, see [`host::Slot`].

mod api;
mod arguments;
mod bit;
mod cache;
mod call;
mod cjson;
mod cmsgpack;
mod errors;
mod flags;
mod functions;
mod host;
mod interpreter;
mod libraries;
mod long;
mod memory;
mod numbers;
mod passing;
mod patterns;
mod random;
mod replies;
mod running;
mod sandbox;
mod source;
mod strings;
mod structs;
mod work;

use crate::data::present;
use std::sync::Arc;

use parking_lot::Mutex;

use super::admission::check_permission;
use super::command_life::{Caller, Finished, Origin};
use super::monitor::record_command;
use super::{Engine, Lent, Shell};
use crate::clients::ClientKey;
use crate::commands::acl;
use crate::config::{Config, Version};
use crate::data::Time;
use crate::resp::{Args, Protocol, Reply, up_to_nul};
use crate::spec::{Command, Flags, Script as Kind};
use crate::spec::{Error, numbers as command_numbers};
use crate::state::State;
use crate::table::TABLE;
use crate::users::{Context as DeniedIn, Denial};
use cache::Cache;
use flags::ScriptFlags;
use functions::Libraries;
use host::{Access, Bounds, Called, Checked, Failure, Host, Run, Slot};
use interpreter::{Callee, Ended, Interpreter, Purpose, To};
use random::Random;

/// Cannot happen: a script that has been compiled is run by the interpreter that has compiled it.
const NO_INTERPRETER: Error = Error::constant(&"ERR no interpreter");

/// All state of scripts.
#[derive(Default)]
pub(super) struct Scripts {
    interpreter: Option<Box<Interpreter<Engine>>>,
    cache: Cache,
    /// Functions have an interpreter of their own: what scripts set in theirs stays there.
    functions: Option<Box<Interpreter<Engine>>>,
    libraries: Libraries,
    random: Arc<Mutex<Random>>,
    bounds: Bounds,
    /// Contains the engine while a script runs; made with the first interpreter.
    slot: Option<Arc<Slot<Engine>>>,
    shell: Option<Arc<dyn Shell>>,
}

impl std::fmt::Debug for Scripts {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Scripts").field("cache", &self.cache).finish_non_exhaustive()
    }
}

impl Scripts {
    fn interpreter_for(&mut self, purpose: Purpose) -> &mut Option<Box<Interpreter<Engine>>> {
        match purpose {
            Purpose::Scripts => &mut self.interpreter,
            Purpose::Functions => &mut self.functions,
        }
    }

    /// An interpreter, which is made if there is none.
    fn interpreter(&mut self, purpose: Purpose, config: &Config) -> Result<&Interpreter<Engine>, Error> {
        if self.interpreter_for(purpose).is_none() {
            let made = Interpreter::new(self.slot(), config.compat, (&self.random, self.bounds), purpose);
            let made = made.map_err(|error| Error::new(format!("ERR {error}")))?;
            *self.interpreter_for(purpose) = Some(Box::new(made));
        }
        self.interpreter_for(purpose).as_deref().ok_or(NO_INTERPRETER)
    }

    fn slot(&mut self) -> Arc<Slot<Engine>> {
        let slot = self.slot.get_or_insert_with(|| {
            let settings = Config { databases: 1, ..Config::default() };
            let slot = Arc::new(Slot::new(Engine::new(settings, 0, Time::from_micros(0))));
            if let Some(shell) = &self.shell {
                let lent: Arc<dyn Lent> = Arc::<Slot<Engine>>::clone(&slot);
                shell.lend(lent);
            }
            slot
        });
        Arc::clone(slot)
    }

    /// Compiles a text and keeps it; returns its name.
    fn load(&mut self, text: &[u8], keep: bool, state: &mut State) -> Result<cache::Name, Error> {
        let name = cache::name_of(text);
        if if keep { self.cache.keep(&name) } else { self.cache.contains(&name) } {
            return Ok(name);
        }
        let (body, flags) = flags::of_script(text).map_err(Error::from_bytes)?;
        let compiled = self.interpreter(Purpose::Scripts, &state.config)?.compile(body, "@user_script");
        let function = compiled.map_err(|message| {
            Error::from_bytes([b"ERR Error compiling script (new function): ", &*message].concat())
        })?;
        let evicts = state.config.compat >= Version::Redis7_4;
        if self.cache.insert(name, (function, flags, text.len()), keep, evicts) {
            state.stats.evicted_scripts += 1;
        }
        state.cached_scripts = self.cache.size();
        Ok(name)
    }

    /// Restarts the server: functions are lost with the data, scripts always.
    pub(super) fn restart(&mut self, keeps_data: bool, state: &mut State) {
        self.flush(state);
        if !keeps_data {
            self.flush_libraries(state);
        }
    }

    /// Removes all scripts, and what they have left in the interpreter.
    fn flush(&mut self, state: &mut State) {
        self.cache = Cache::default();
        state.cached_scripts = self.cache.size();
        self.interpreter = None;
    }
}

impl Engine {
    /// Runs one of the commands for scripts.
    #[inline(never)]
    pub(super) fn script_command(
        &mut self,
        kind: Kind,
        key: ClientKey,
        (command, args): (&'static Command, Args<'_>),
        (out, finished): (&mut Vec<u8>, &mut Finished),
    ) -> Result<(), Error> {
        let protocol = self.client(key).map_or(Protocol::Resp2, |client| client.protocol);
        match kind {
            Kind::Eval { by_name, read_only } => {
                self.show_script(key, command, args);
                return self.eval(key, args, (by_name, read_only), (protocol, out), finished);
            }
            Kind::Load => {
                let name = self.scripts.load(&args[2], true, &mut self.state)?;
                Reply::new(out, protocol).bulk(&name);
            }
            Kind::Exists => {
                let mut reply = Reply::new(out, protocol);
                reply.array(args.len() - 2);
                for name in args.from(2).iter() {
                    let is_there =
                        cache::given_name(name).is_some_and(|name| self.scripts.cache.contains(&name));
                    reply.integer(i64::from(is_there));
                }
            }
            Kind::Flush => {
                let mode = args.get(2);
                let is_known = |mode: &[u8]| {
                    [&b"sync"[..], b"async"].iter().any(|known| mode.eq_ignore_ascii_case(known))
                };
                if args.len() > 3 || mode.is_some_and(|mode| !is_known(mode)) {
                    return Err(Error::new("ERR SCRIPT FLUSH only support SYNC|ASYNC option"));
                }
                self.scripts.flush(&mut self.state);
                Reply::new(out, protocol).ok();
            }
            Kind::Call { read_only } => {
                self.show_script(key, command, args);
                return self.call_function(key, args, read_only, (protocol, out), finished);
            }
            Kind::Functions(kind) => {
                return self.functions_command(kind, args, &mut Reply::new(out, protocol));
            }
            Kind::Kill { function } => return self.kill_script(function, &mut Reply::new(out, protocol)),
        }
        Ok(())
    }

    /// The flags of a command as the script or function that it runs declares them, or its own if there are none.
    pub(super) fn script_flags(&self, kind: Kind, command: &Command, args: Args<'_>) -> Flags {
        let flags = match kind {
            Kind::Eval { by_name: true, .. } => {
                cache::given_name(&args[1]).and_then(|name| self.scripts.cache.flags(&name))
            }
            Kind::Eval { .. } => flags::of_script(&args[1]).ok().and_then(|(_, flags)| flags),
            Kind::Call { .. } => self.scripts.libraries.function(&args[1]).map(|function| function.flags),
            _ => None,
        };
        flags.map_or(command.flags, |declared| declared.of_command(command.flags))
    }

    /// EVAL, EVALSHA and their read-only variants.
    fn eval(
        &mut self,
        client: ClientKey,
        args: Args<'_>,
        (by_name, read_only): (bool, bool),
        (protocol, out): (Protocol, &mut Vec<u8>),
        finished: &mut Finished,
    ) -> Result<(), Error> {
        const NO_SCRIPT: &str = "NOSCRIPT No matching script. Please use EVAL.";
        let given = if by_name { cache::given_name(&args[1]) } else { None };
        if by_name && given.is_none() {
            return Err(Error::new(NO_SCRIPT));
        }
        let keys = key_count(command_numbers::integer(&args[2])?, args)?;
        if self.scripts.interpreter.is_none() {
            // There is no interpreter yet, or it was lost in a panic: then its scripts are lost too.
            self.scripts.flush(&mut self.state);
        }
        let name = match given {
            Some(name) => name,
            None => self.scripts.load(&args[1], false, &mut self.state)?,
        };
        let script = self.scripts.cache.get(&name).ok_or_else(|| Error::new(NO_SCRIPT))?;
        let access = Access::new(read_only, script.flags)?;
        let function = Arc::clone(&script.function);
        let given = (args.range(3, 3 + keys).iter(), args.from(3 + keys).iter());
        let to = To { protocol, version: self.state.config.compat };
        let ended = self.run_script(Purpose::Scripts, (client, args, access), |interpreter, host, run| {
            interpreter.run(host, &Callee::Script(&function), given, run, (to, out))
        })?;
        self.end_script(ended, &name, finished)
    }

    /// Has an interpreter run a script or function, with the engine as its host.
    fn run_script(
        &mut self,
        purpose: Purpose,
        (key, args, access): (ClientKey, Args<'_>, Access),
        run: impl FnOnce(&Interpreter<Engine>, &mut Self, Run) -> Ended,
    ) -> Result<Ended, Error> {
        // It is taken out while it runs, as the engine is borrowed by the script.
        let interpreter = self.scripts.interpreter_for(purpose).take().ok_or(NO_INTERPRETER)?;
        let database = self.client(key).map_or(0, |client| client.db);
        let ended = run(&interpreter, self, Run { bytes: args.bytes(), ..Run::new(key, access) });
        *self.scripts.interpreter_for(purpose) = Some(interpreter);
        // The database that the script has selected is reset after it.
        if let Some(client) = self.state.clients.get_mut(key) {
            client.db = database;
        }
        self.end_busy();
        Ok(ended)
    }

    fn end_script(&mut self, ended: Ended, name: &[u8], finished: &mut Finished) -> Result<(), Error> {
        match ended {
            Ended::Replied(written) => {
                for error in &written.errors {
                    self.state.stats.error(error);
                }
                finished.failed = written.failed;
                Ok(())
            }
            Ended::Failed(Failure { mut text, counted, place }) => {
                text.truncate(up_to_nul(&text).len());
                if let Some((source, line)) = place {
                    let name = String::from_utf8_lossy(name);
                    text.extend_from_slice(format!(" script: {name}, on {source}:{line}.").as_bytes());
                }
                finished.counted = counted;
                Err(Error::from_bytes(text))
            }
        }
    }
}

impl Access {
    /// The permissions by the command and the script's own flags. A read-only command may not run a script that writes.
    fn new(read_only: bool, flags: Option<ScriptFlags>) -> Result<Self, Error> {
        if read_only && flags.is_some_and(|flags| !flags.no_writes) {
            return Err(Error::new("ERR Can not execute a script with write flag using *_ro command."));
        }
        let flags = flags.unwrap_or_default();
        Ok(Self { read_only: read_only || flags.no_writes, allow_oom: flags.allow_oom })
    }
}

/// How many of the arguments are keys.
fn key_count(keys: i64, args: Args<'_>) -> Result<usize, Error> {
    if usize::try_from(keys).is_ok_and(|keys| keys > args.len() - 3) {
        return Err(Error::new("ERR Number of keys can't be greater than number of args"));
    }
    usize::try_from(keys).map_err(|_| Error::new("ERR Number of keys can't be negative"))
}

impl Host for Engine {
    fn call(&mut self, args: Args<'_>, run: &mut Run, reply: &mut Vec<u8>) -> Result<(), Error> {
        let version = self.state.config.compat;
        let command = match TABLE.find(args, version) {
            Some(command) if command.accepts_in(version, args.len()) => command,
            Some(command) => {
                return Err(self.refuse_in_script(
                    Some(command),
                    "ERR Wrong number of args calling Redis command from script",
                ));
            }
            None => return Err(self.refuse_in_script(None, "ERR Unknown Redis command called from script")),
        };
        let old = version < Version::Redis7_4 && command.flags.contains(Flags::NOSCRIPT_IN_7_0);
        if old || command.flags.contains(Flags::NOSCRIPT) {
            return Err(
                self.refuse_in_script(Some(command), "ERR This Redis command is not allowed from script")
            );
        }
        if let Some(error) = self.denied_in_script(run.client, (command, args)) {
            return Err(error);
        }
        if run.access.read_only && command.may_write() {
            let text = "ERR Write commands are not allowed from read-only scripts.";
            return Err(self.refuse_in_script(Some(command), text));
        }
        if self.state.faults.are_of_commands()
            && !run.has_written
            && let Some(error) = self.refused_in_script((run.client, run.access.allow_oom), command, args)
        {
            self.state.stats.command(command.index()).rejected += 1;
            self.state.stats.error(error.text());
            return Err(error);
        }
        run.has_written |= command.flags.contains(Flags::WRITE);
        if let Some(busy) = &mut self.state.busy {
            busy.has_written = run.has_written;
        }
        let Some(client) = self.state.clients.get(run.client) else { return Ok(()) };
        let caller = Caller::new(run.client, Origin::Script, client).with_protocol(run.protocol);
        let State { journal, clients, config, now, .. } = &mut *self.state;
        journal.record(|journal| {
            let Some(client) = present(clients.get(run.client)) else { return };
            record_command(journal, (client, config, *now), Some(command), args);
        });
        self.run_within(caller, command, args, reply);
        Ok(())
    }

    fn permits(&self, client: ClientKey, args: Args<'_>) -> Option<bool> {
        let command = TABLE.find(args, self.state.config.compat)?;
        let client = self.state.clients.get(client);
        Some(client.is_none_or(|client| check_permission(client, &self.state.users, command, args).is_ok()))
    }

    fn uptime(&self) -> f64 {
        let micros = self.state.now.micros().saturating_sub(self.state.stats.started.micros());
        std::time::Duration::from_micros(micros).as_secs_f64()
    }

    fn version(&self) -> Version {
        self.state.config.compat
    }

    fn check(&mut self, run: &mut Run, called: &Called) -> Checked {
        self.check_script(run, called)
    }
}

impl Engine {
    /// The error of a command in a script that the user of the client may not run.
    fn denied_in_script(
        &mut self,
        key: ClientKey,
        (command, args): (&'static Command, Args<'_>),
    ) -> Option<Error> {
        let client = self.state.clients.get(key)?;
        let denial = check_permission(client, &self.state.users, command, args).err()?;
        let reason = acl::deny_command(&mut self.state, key, (command, args), (denial, DeniedIn::Script));
        let text = if self.state.config.compat >= Version::Redis7_4 {
            [b"ERR ACL failure in script: ", &*reason].concat()
        } else {
            let cannot = match denial {
                Denial::Command => "run this command or subcommand",
                Denial::Key(_) => "access at least one of the keys mentioned in the command arguments",
                Denial::Channel(_) => "publish to the channel mentioned in the command",
            };
            format!("ERR The user executing the script can't {cannot}").into_bytes()
        };
        self.state.stats.command(command.index()).rejected += 1;
        self.state.stats.error(&text);
        Some(Error::from_bytes(text))
    }

    #[cold]
    fn refuse_in_script(&mut self, command: Option<&Command>, text: &'static str) -> Error {
        if let Some(command) = command {
            self.state.stats.command(command.index()).rejected += 1;
        }
        self.state.stats.error(text.as_bytes());
        Error::new(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clients::Address;
    use crate::resp::OwnedRequest;

    fn ask(engine: &mut Engine, client: ClientKey, request: &[&str]) -> String {
        engine.execute(client, OwnedRequest::new(request).args(), Time::from_micros(0));
        let mut reply = Vec::new();
        engine.take_output(client, &mut reply);
        String::from_utf8_lossy(&reply).into_owned()
    }

    #[test]
    fn a_script_that_has_used_all_memory_leaves_enough_for_the_next() -> Result<(), Error> {
        let now = Time::from_micros(0);
        let mut engine = Engine::new(Config::default(), 1, now);
        let client = engine.connect(Address::default(), now)?;
        let greedy = "local s = 'x' for i = 1, 40 do s = s..s end return 1";
        let failed = ask(&mut engine, client, &["EVAL", greedy, "0"]);
        assert_eq!(failed, "-ERR not enough memory\r\n");
        assert_eq!(ask(&mut engine, client, &["EVAL", "return 2", "0"]), ":2\r\n");
        Ok(())
    }

    #[test]
    fn more_scripts_are_kept_than_the_stack_of_lua_has_places() -> Result<(), Error> {
        let now = Time::from_micros(0);
        let mut engine = Engine::new(Config::default(), 1, now);
        let client = engine.connect(Address::default(), now)?;
        let mut name = String::new();
        for number in 0..10_000 {
            let loaded = ask(&mut engine, client, &["SCRIPT", "LOAD", &format!("return {number}")]);
            name = loaded[5..45].to_owned();
        }
        assert_eq!(ask(&mut engine, client, &["EVALSHA", &name, "0"]), ":9999\r\n");
        let many =
            "local keys = {} for i = 1, 7000 do keys[i] = i end return redis.call('EXISTS', unpack(keys))";
        assert_eq!(ask(&mut engine, client, &["EVAL", many, "0"]), ":0\r\n");
        Ok(())
    }

    #[test]
    fn a_restart_forgets_scripts_and_keeps_functions_with_the_data() -> Result<(), Error> {
        let now = Time::from_micros(0);
        for keeps_data in [true, false] {
            let mut engine = Engine::new(Config::default(), 1, now);
            let client = engine.connect(Address::default(), now)?;
            ask(&mut engine, client, &["EVAL", "return 1", "0"]);
            let library = "#!lua name=a\nredis.register_function('f', function() return 2 end)";
            ask(&mut engine, client, &["FUNCTION", "LOAD", library]);
            assert_eq!(ask(&mut engine, client, &["FCALL", "f", "0"]), ":2\r\n");
            engine.restart(keeps_data, now);
            let client = engine.connect(Address::default(), now)?;
            let name = "e0e1f9fabfc9d4800c877a703b823ac0578ff8db";
            assert_eq!(ask(&mut engine, client, &["SCRIPT", "EXISTS", name]), "*1\r\n:0\r\n");
            let called = ask(&mut engine, client, &["FCALL", "f", "0"]);
            assert_eq!(called, if keeps_data { ":2\r\n" } else { "-ERR Function not found\r\n" });
        }
        Ok(())
    }
}
