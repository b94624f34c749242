//! The interpreter: compiles scripts and runs them.

use std::sync::Arc;

use mlua::chunk::ChunkMode;
use mlua::debug::HookTriggers;
use mlua::{Function, Lua, LuaString, MultiValue, Table, Value, VmState};
use parking_lot::Mutex;

use super::arguments::Arguments;
use super::errors::{self, Place, Thrown};
use super::functions::{Registered, Registering};
use super::host::{Access, Bounds, Checked, Failure, Host, Run, Slot};
use super::random::Random;
use super::replies::{self, Writer, Written};
use super::running::{Given, Kept, KeptFunctions, Running};
use super::sandbox::{Sandbox, Shared};
use super::source;
use super::work::{self, STEP, Watch};
use super::{api, bit, cjson, cmsgpack, host, structs};
use crate::clients::ClientKey;
use crate::config::Version;
use crate::resp::{Args, Protocol};

/// This many instructions take about half a second, the time that redis-server gives a library to load.
const LOAD_INSTRUCTIONS: u64 = 50_000_000;

/// What makes a library.
type Library = fn(&Lua) -> mlua::Result<Table>;

/// What scripts run in. It is made for the first script.
pub(super) struct Interpreter<H: Host> {
    sandbox: Sandbox,
    slot: Arc<Slot<H>>,
    bounds: Bounds,
    /// Runs scripts and functions.
    running: Running,
    /// Loads libraries of functions.
    loading: Option<Loading>,
}

/// What an interpreter is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    Scripts,
    Functions,
}

/// The environment in which libraries are loaded.
struct Loading {
    /// What they see in place of the globals.
    globals: Table,
    /// The metatable of the globals, which says where to look names up.
    seen: Option<Table>,
    /// The functions that were registered; none if no library is being loaded.
    registered: Arc<Mutex<Option<Registering>>>,
}

impl Loading {
    fn new(sandbox: &mut Sandbox, kept: &KeptFunctions, version: Version) -> mlua::Result<Self> {
        let registered: Arc<Mutex<Option<Registering>>> = Arc::default();
        let redis = api::table_for_loading(&sandbox.lua, version)?;
        let (into, kept) = (Arc::clone(&registered), kept.clone());
        let register = sandbox.lua.create_function(move |lua, values: MultiValue| {
            let mut all = into.lock();
            let Some(all) = all.as_mut() else {
                let text = "redis.register_function can only be called on FUNCTION LOAD command";
                return Err(errors::refusal(text));
            };
            all.register(lua, &Arguments::new(lua, values), &kept)
        })?;
        redis.raw_set("register_function", register)?;
        let globals = sandbox.lua.create_table()?;
        globals.raw_set("redis", sandbox.strict(redis)?)?;
        let globals = sandbox.strict(globals)?;
        Ok(Self { globals, seen: None, registered })
    }
}

/// How a script has ended.
pub(super) enum Ended {
    /// Its result has been written.
    Replied(Written),
    /// An error has ended it.
    Failed(Failure),
}

/// What an interpreter runs.
pub(super) enum Callee<'a> {
    /// A script, which finds its keys and arguments as globals.
    Script(&'a Kept),
    /// A function of a library, which gets keys and arguments as its own arguments, and the command that calls it.
    Function(&'a Registered, Args<'a>),
}

/// The recipient of the result.
#[derive(Clone, Copy)]
pub(super) struct To {
    pub protocol: Protocol,
    pub version: Version,
}

impl<H: Host> Interpreter<H> {
    /// An interpreter without scripts. The slot contains the host while a script runs.
    pub fn new(
        slot: Arc<Slot<H>>,
        version: Version,
        (random, bounds): (&Arc<Mutex<Random>>, Bounds),
        purpose: Purpose,
    ) -> mlua::Result<Self> {
        let mut sandbox = Sandbox::new(&Shared { random: Arc::clone(random), memory: bounds.memory })?;
        let redis = api::table(&sandbox.lua, &slot, version)?;
        if purpose == Purpose::Scripts {
            api::add_replication_and_debugging(&sandbox.lua, &redis)?;
        }
        sandbox.add("redis", redis)?;
        if version >= Version::Redis7_4 {
            let os = api::os(&sandbox.lua, &slot)?;
            sandbox.add("os", os)?;
        }
        let libraries: [(&str, Library); 4] = [
            ("bit", bit::table),
            ("cjson", cjson::table),
            ("cmsgpack", cmsgpack::table),
            ("struct", structs::table),
        ];
        for (name, table) in libraries {
            let table = table(&sandbox.lua)?;
            sandbox.add(name, table)?;
        }
        let handler = handler(&sandbox, &slot)?;
        check_periodically(&sandbox, &slot, bounds)?;
        let running = Running::new(&sandbox, &handler)?;
        let mut loading = match purpose {
            Purpose::Scripts => None,
            Purpose::Functions => Some(Loading::new(&mut sandbox, running.kept(), version)?),
        };
        sandbox.close(purpose == Purpose::Scripts)?;
        if let Some(loading) = &mut loading {
            loading.seen = sandbox.environment.metatable();
        }
        Ok(Self { sandbox, slot, bounds, running, loading })
    }

    /// Compiles a script, to be kept.
    pub fn compile(&self, text: &[u8], name: &str) -> Result<Kept, Vec<u8>> {
        let text = source::with_brackets_nested(text);
        let chunk = self.sandbox.lua.load(&*text).set_name(name).set_mode(ChunkMode::Text);
        let function = chunk.set_environment(self.sandbox.environment.clone()).into_function();
        function.and_then(|function| self.running.kept().keep(&function)).map_err(|error| match error {
            mlua::Error::SyntaxError { message, .. } => message.into_bytes(),
            other => other.to_string().into_bytes(),
        })
    }

    /// Runs a script or calls a function, and writes its result.
    pub fn run<'a>(
        &self,
        host: &mut H,
        callee: &Callee<'_>,
        (keys, arguments): (impl ExactSizeIterator<Item = &'a [u8]>, impl ExactSizeIterator<Item = &'a [u8]>),
        run: Run,
        (to, out): (To, &mut Vec<u8>),
    ) -> Ended {
        let lua = &self.sandbox.lua;
        let given = Given::new(lua, run.bytes, keys, arguments);
        let named = match callee {
            Callee::Script(_) => None,
            Callee::Function(function, command) => Some((&*function.name, *command)),
        };
        self.begin(run, named);
        let result = given.and_then(|given| {
            let _swapped = Swapped::new(&self.slot, host);
            match callee {
                Callee::Script(script) => self.running.script(script, &given),
                Callee::Function(function, _) => self.running.function(&function.function, &given),
            }
        });
        self.end(result, to, out)
    }

    /// Runs the text of a library; returns the functions that it has registered, or its error.
    pub fn load_library(&self, text: &[u8]) -> Result<Vec<Arc<Registered>>, Vec<u8>> {
        let chunk = self
            .compile(text, "@user_function")
            .map_err(|message| [b"ERR Error compiling function: ", &*message].concat())?;
        let Some((loading, seen)) =
            self.loading.as_ref().and_then(|loading| Some((loading, loading.seen.as_ref()?)))
        else {
            return Ok(Vec::new());
        };
        let mut run = Run::new(ClientKey::NONE, Access::READ);
        run.loads = true;
        self.begin(run, None);
        *loading.registered.lock() = Some(Registering::default());
        let ran = seen.raw_set("__index", &loading.globals);
        let ran = ran.and_then(|()| self.running.script(&chunk, &Given::none()));
        let back = seen.raw_set("__index", &self.sandbox.globals);
        let registered = loading.registered.lock().take().unwrap_or_default().functions;
        let failure = self.slot.lock().run.failure.take();
        let text = match (ran, failure) {
            (Ok((true, _)), _) if back.is_ok() => return Ok(registered),
            (_, Some(failure)) => failure.text,
            (Ok((_, value)), None) => replies::thrown_text(&value).unwrap_or_default().0,
            (Err(error), None) => format!("ERR {}", Thrown::of(&error)).into_bytes(),
        };
        Err([b"ERR Error registering functions: ", &*text].concat())
    }

    fn begin(&self, run: Run, function: Option<(&[u8], Args<'_>)>) {
        let host::Inside { run: inside, called, .. } = &mut *self.slot.lock();
        work::begin();
        *inside = run;
        let instructions = self.bounds.instructions;
        inside.instructions_max =
            if inside.loads { instructions.min(LOAD_INSTRUCTIONS) } else { instructions };
        match function {
            Some((name, command)) => called.set(name, command),
            None => called.clear(),
        }
    }

    /// Collects the garbage of a script that has used much memory: Lua 5.1 does not collect when memory is short, so
    /// that the next script would find none.
    fn collect_much(&self) {
        let Sandbox { lua, .. } = &self.sandbox;
        if lua.used_memory() > self.bounds.memory / 4
            && lua.gc_collect().and_then(|()| lua.gc_collect()).is_err()
        {
            debug_assert!(false, "no finalizer of a script can fail");
        }
    }

    /// Writes what a script has returned, or returns the error that it has thrown.
    fn end(&self, result: mlua::Result<(bool, Value)>, to: To, out: &mut Vec<u8>) -> Ended {
        let (script, failure) = {
            let mut inside = self.slot.lock();
            (inside.run.protocol, inside.run.failure.take())
        };
        let written = result.and_then(|(succeeded, value)| {
            if !succeeded {
                return Ok(Err(value));
            }
            let in_full = to.version < Version::Redis7_4;
            Writer { out, client: to.protocol, script, in_full }.write(value).map(Ok)
        });
        self.collect_much();
        match (written, failure) {
            (Ok(Ok(written)), _) => Ended::Replied(written),
            (Ok(Err(_)), Some(failure)) => Ended::Failed(failure),
            // Thrown without having passed the handler: memory is short.
            (Ok(Err(value)), None) => {
                let (text, counted) = replies::thrown_text(&value).unwrap_or_default();
                Ended::Failed(Failure { text, counted, place: None })
            }
            (Err(error), _) => {
                let text = Thrown::of(&error).to_string();
                Ended::Failed(Failure {
                    text: format!("ERR {text}").into_bytes(),
                    counted: false,
                    place: None,
                })
            }
        }
    }
}

/// Has the host check scripts at regular intervals, which may end a script.
fn check_periodically<H: Host>(sandbox: &Sandbox, slot: &Arc<Slot<H>>, bounds: Bounds) -> mlua::Result<()> {
    let step = u32::try_from(bounds.instructions).unwrap_or(STEP).clamp(1, STEP);
    let asked = Arc::clone(slot);
    let check = move |instructions: u64| {
        let host::Inside { host, run, called, .. } = &mut *asked.lock();
        run.instructions = run.instructions.saturating_add(instructions);
        host.check(run, called)
    };
    let ended = Arc::clone(slot);
    let check = move |lua: &Lua, instructions: u64| {
        let mut checked = check(instructions);
        if let Checked::ServeOthers(shell) = checked {
            shell.serve_others();
            checked = check(0);
        }
        match checked {
            Checked::End(text) => {
                let place = place_of(lua, 0);
                let ended_at = &mut ended.lock().run.ended_at;
                *ended_at = ended_at.take().or(place);
                Err(Thrown::Killed(text.into()).into())
            }
            Checked::Continue | Checked::ServeOthers(_) => Ok(()),
        }
    };
    let check = Arc::new(check);
    sandbox.lua.set_app_data(Watch(check.clone()));
    let triggers = HookTriggers::new().every_nth_instruction(step);
    sandbox.lua.set_global_hook(triggers, move |lua, _| {
        check(lua, u64::from(step))?;
        Ok(VmState::Continue)
    })
}

/// The counterpart of `__redis__err__handler` of redis-server: it records what is thrown, and where.
fn handler<H: Host>(sandbox: &Sandbox, slot: &Arc<Slot<H>>) -> mlua::Result<Function> {
    let slot = Arc::clone(slot);
    let tostring = sandbox.tostring.clone();
    sandbox.lua.create_function(move |lua, thrown: Value| -> mlua::Result<()> {
        let passed_on_at = match &thrown {
            Value::Error(error) => errors::passed_on_at(error),
            _ => None,
        };
        let place = passed_on_at.or_else(|| place_of(lua, 1));
        let thrown = errors::visible(lua, thrown)?;
        let (text, counted) = match &thrown {
            Value::Table(_) => replies::thrown_text(&thrown)?,
            other => {
                let text: LuaString = tostring.call(other)?;
                ([b"ERR ", &*text.as_bytes()].concat(), false)
            }
        };
        let run = &mut slot.lock().run;
        let place = place.or_else(|| run.ended_at.clone());
        run.failure = Some(Failure { text, counted, place });
        Ok(())
    })
}

/// The place of the script: the frame at this level, or the next one if this one is of a C function. Unknown if a
/// script has ended with a call of a function of our Lua code, which leaves no frame of the script.
fn place_of(lua: &Lua, from: usize) -> Option<Place> {
    let (mut is_below_c, mut is_below_own) = (false, false);
    for level in from.. {
        let (is_of_c, place) = lua.inspect_stack(level, frame_place)?;
        if place.0 == errors::OWN_SOURCE {
            is_below_own = true;
            continue;
        }
        // The frames below are those that run the script, and not the script's.
        if is_below_own && (is_of_c || place.0 == "=(tail call)") {
            return None;
        }
        if is_below_c || !is_of_c {
            return Some(place);
        }
        is_below_c = true;
    }
    None
}

/// Whether a frame is of a function that is not Lua's, and its source and line.
fn frame_place(frame: &mlua::debug::Debug<'_>) -> (bool, Place) {
    let source = frame.source();
    let line = frame.current_line().and_then(|line| i64::try_from(line).ok()).unwrap_or(-1);
    (source.what == "C", (source.source.map(std::borrow::Cow::into_owned).unwrap_or_default(), line))
}

/// The slot contains the host as long as this lives, however the script ends.
struct Swapped<'a, H> {
    slot: &'a Slot<H>,
    host: &'a mut H,
}

impl<'a, H> Swapped<'a, H> {
    fn new(slot: &'a Slot<H>, host: &'a mut H) -> Self {
        let host::Inside { host: stand_in, .. } = &mut *slot.lock();
        std::mem::swap(stand_in, host);
        Self { slot, host }
    }
}

impl<H> Drop for Swapped<'_, H> {
    fn drop(&mut self) {
        std::mem::swap(&mut self.slot.lock().host, self.host);
    }
}
