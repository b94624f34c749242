//! The environment of scripts: the globals of redis-server's sandbox, none of which can be changed.
//!
//! Lua 5.1 has no read-only tables. A table that must not be changed is hidden behind an empty one whose metatable
//! reads from it and refuses writes; functions that bypass metatables (`rawset`, `next`, `pairs`, `table.insert`, ...)
//! are replaced by functions that treat these tables as read-only.

use std::sync::{Arc, OnceLock};

use mlua::{Function, IntoLua, Lua, LuaOptions, LuaString, MultiValue, StdLib, Table, Value};
use parking_lot::Mutex;

use super::arguments::Arguments;
use super::errors::{self, Thrown};
use super::memory;
use super::passing::{Native, Passing};
use super::patterns::steps_of;
use super::random::Random;
use super::source;
use super::strings;
use super::work;

/// The globals in which a script finds its keys and arguments.
const KEYS: &str = "KEYS";
const ARGV: &str = "ARGV";

const READ_ONLY: &str = "Attempt to modify a readonly table";

/// The globals of the base library that scripts have.
const BASE: [&str; 19] = [
    "_VERSION",
    "assert",
    "collectgarbage",
    "error",
    "gcinfo",
    "getmetatable",
    "ipairs",
    "load",
    "loadstring",
    "next",
    "pairs",
    "pcall",
    "rawequal",
    "rawget",
    "rawset",
    "select",
    "setmetatable",
    "tonumber",
    "tostring",
];

/// The other globals, which do not depend on read-only tables.
const REST: [&str; 3] = ["type", "unpack", "xpcall"];

/// The tables that must not be changed.
#[derive(Default)]
struct Protected {
    /// Each by the empty table in front of it, with the hidden table and the result of `getmetatable`.
    all: Vec<(usize, Table, Option<Table>)>,
    /// The globals, if scripts find their keys and arguments there.
    given: Option<Table>,
}

impl Protected {
    fn find(&self, table: &Table) -> Option<&(usize, Table, Option<Table>)> {
        let pointer = table.to_pointer().addr();
        self.all.iter().find(|(front, ..)| *front == pointer)
    }

    fn contains(&self, table: &Table) -> bool {
        self.find(table).is_some()
    }

    /// The table hidden behind this one, if it is protected.
    fn behind(&self, lua: &Lua, table: &Table) -> Option<&Table> {
        let (_, behind, _) = self.find(table)?;
        if self.given.as_ref() == Some(behind) {
            // If memory is exhausted the script fails before it can miss them.
            let _ = [KEYS, ARGV].map(|name| given(lua, behind, name));
        }
        Some(behind)
    }

    /// The result of `getmetatable` for this table, if it is protected.
    fn metatable(&self, table: &Table) -> Option<Value> {
        let (_, _, shown) = self.find(table)?;
        Some(shown.clone().map_or(Value::Nil, Value::Table))
    }
}

/// The table hidden behind this one, if it is protected, and else the table itself. Scripts cannot access it.
pub(super) fn behind(lua: &Lua, table: &Table) -> Table {
    let protected = lua.app_data_ref::<Arc<OnceLock<Protected>>>();
    let behind = protected.as_ref().and_then(|all| all.get()).and_then(|all| all.behind(lua, table));
    behind.unwrap_or(table).clone()
}

/// An interpreter with its globals.
pub(super) struct Sandbox {
    pub lua: Lua,
    /// The table hidden behind the globals that scripts see.
    pub globals: Table,
    /// The globals that scripts see.
    pub environment: Table,
    /// Lua's own `tostring`.
    pub tostring: Function,
    /// Calls functions so that errors are caught.
    pub passing: Passing,
    memory: usize,
    protected: Arc<OnceLock<Protected>>,
    made: Protected,
}

/// What the libraries share.
pub(super) struct Shared {
    pub random: Arc<Mutex<Random>>,
    /// How many bytes they may use together.
    pub memory: usize,
}

impl Sandbox {
    /// An interpreter with the base library, strings, tables, mathematics and coroutines. Other libraries are added
    /// with [`Sandbox::add`] before [`Sandbox::close`].
    pub fn new(shared: &Shared) -> mlua::Result<Self> {
        let libraries = StdLib::TABLE | StdLib::STRING | StdLib::MATH;
        let lua = Lua::new_with(libraries, LuaOptions::new())?;
        lua.set_memory_limit(shared.memory)?;
        let native = lua.globals();
        let protected: Arc<OnceLock<Protected>> = Arc::default();
        lua.set_app_data(Arc::clone(&protected));
        let globals = lua.create_table()?;
        for name in BASE.into_iter().chain(REST) {
            globals.raw_set(name, native.raw_get::<Value>(name)?)?;
        }
        let environment = lua.create_table()?;
        let mut sandbox = Self {
            passing: Passing::new(&lua, &native.raw_get::<Table>("coroutine")?.raw_get("yield")?)?,
            tostring: native.raw_get("tostring")?,
            memory: shared.memory,
            globals,
            environment,
            protected,
            made: Protected::default(),
            lua,
        };
        sandbox.replace_access(&native)?;
        let own = Native::new(&native)?;
        sandbox.replace_catching(&own)?;
        sandbox.replace_loading(&native)?;
        for name in ["string", "table", "math", "coroutine"] {
            let library: Table = native.raw_get(name)?;
            match name {
                "string" => {
                    sandbox.bound_repetition(&library)?;
                    strings::add(&sandbox.lua, &library, shared.memory)?;
                }
                "table" => sandbox.replace_insertion(&library)?,
                "math" => replace_random(&sandbox.lua, &library, &shared.random)?,
                _ => {
                    sandbox.replace_create(&library)?;
                    sandbox.replace_wrap(&library)?;
                    sandbox.replace_resume(&own, &library)?;
                }
            }
            sandbox.add(name, library)?;
        }
        sandbox.protect_string_metatable()?;
        Ok(sandbox)
    }

    /// Adds a library, which cannot be changed from then on.
    pub fn add(&mut self, name: &str, library: Table) -> mlua::Result<()> {
        let front = self.protect(self.lua.create_table()?, library, None)?;
        self.globals.raw_set(name, front)
    }

    /// Puts an empty table in front of another; `shown` is the result of `getmetatable` for it.
    fn protect(&mut self, front: Table, behind: Table, shown: Option<Table>) -> mlua::Result<Table> {
        let metatable = self.lua.create_table()?;
        metatable.raw_set("__index", &behind)?;
        metatable.raw_set(
            "__newindex",
            self.lua.create_function(|lua, _: MultiValue| -> mlua::Result<()> {
                Err(errors::library(lua, READ_ONLY))
            })?,
        )?;
        front.set_metatable(Some(metatable))?;
        self.made.all.push((front.to_pointer().addr(), behind, shown));
        Ok(front)
    }

    /// Puts an empty table in front of one that cannot be changed, and in which a missing name is an error.
    pub fn strict(&mut self, behind: Table) -> mlua::Result<Table> {
        let metatable = self.lua.create_table()?;
        metatable.raw_set("__index", missing(&self.lua)?)?;
        behind.set_metatable(Some(metatable))?;
        self.protect(self.lua.create_table()?, behind, None)
    }

    /// Completes the globals. A missing name is an error, except for keys and arguments if `has_given`: most scripts
    /// that have none do not ask for them, and two tables for each script would be a fifth of its time.
    pub fn close(&mut self, has_given: bool) -> mlua::Result<()> {
        let missing = missing(&self.lua)?;
        let metatable = self.lua.create_table()?;
        if has_given {
            self.made.given = Some(self.globals.clone());
            let globals = self.globals.clone();
            let index = self.lua.create_function(move |lua, args: MultiValue| match args.get(1) {
                Some(Value::String(name)) if *name == KEYS || *name == ARGV => given(lua, &globals, name),
                _ => Err(no_such_name(lua, args)),
            })?;
            metatable.raw_set("__index", index)?;
        } else {
            metatable.raw_set("__index", &missing)?;
        }
        let shown = self.lua.create_table()?;
        shown.raw_set("__index", &missing)?;
        let shown = self.protect(self.lua.create_table()?, shown, None)?;
        let environment = self.environment.clone();
        self.globals.raw_set("_G", &environment)?;
        self.globals.set_metatable(Some(metatable))?;
        self.protect(environment, self.globals.clone(), Some(shown))?;
        self.lua.set_globals(self.environment.clone())?;
        let made = std::mem::take(&mut self.made);
        self.protected.set(made).map_err(|_| mlua::Error::runtime("the sandbox is closed already"))
    }

    fn protected(&self) -> Arc<OnceLock<Protected>> {
        Arc::clone(&self.protected)
    }

    fn replace(
        &self,
        table: &Table,
        name: &str,
        function: impl Fn(&Lua, Arguments<'_>) -> mlua::Result<MultiValue> + Send + 'static,
    ) -> mlua::Result<()> {
        let function = self
            .lua
            .create_function(move |lua, values: MultiValue| function(lua, Arguments::new(lua, values)))?;
        table.raw_set(name, function)
    }

    /// Replaces the functions that bypass metatables.
    fn replace_access(&self, native: &Table) -> mlua::Result<()> {
        let protected = self.protected();
        let is_protected = move |table: &Table| protected.get().is_some_and(|all| all.contains(table));
        let protected = self.protected();
        let behind =
            move |lua: &Lua, table: Table| match protected.get().and_then(|all| all.behind(lua, &table)) {
                Some(behind) => behind.clone(),
                None => table,
            };
        let next: Function = native.raw_get("next")?;

        let behind_of = behind.clone();
        let own_next = next.clone();
        self.replace(&self.globals, "next", move |lua, args| {
            let table = behind_of(lua, args.table(1)?);
            own_next.call((table, args.value(2))).map_err(|error| Thrown::of(&error).into())
        })?;
        let (front_next, is_front) = (self.globals.raw_get::<Function>("next")?, is_protected.clone());
        self.replace(&self.globals, "pairs", move |lua, args| {
            let table = args.table(1)?;
            let next = if is_front(&table) { &front_next } else { &next };
            lua.pack_multi((next, table, Value::Nil))
        })?;
        self.replace(&self.globals, "rawget", move |lua, args| {
            let table = behind(lua, args.table(1)?);
            lua.pack_multi(table.raw_get::<Value>(args.any(2)?)?)
        })?;
        let is_front = is_protected.clone();
        self.replace(&self.globals, "rawset", move |lua, args| {
            let table = args.table(1)?;
            let (key, value) = (args.any(2)?, args.any(3)?);
            if is_front(&table) {
                return Err(Thrown::Text(READ_ONLY.into()).into());
            }
            table.raw_set(key, value).map_err(|error| mlua::Error::from(Thrown::of(&error)))?;
            lua.pack_multi(table)
        })?;
        let set: Function = native.raw_get("setmetatable")?;
        self.replace(&self.globals, "setmetatable", move |lua, args| {
            let table = args.table(1)?;
            if !matches!(args.get(2), Some(Value::Nil | Value::Table(_))) {
                return Err(args.wrong(2, "nil or table expected"));
            }
            if is_protected(&table) {
                return Err(Thrown::Text(READ_ONLY.into()).into());
            }
            if let Some(metatable) = table.metatable()
                && !metatable.raw_get::<Value>("__metatable")?.is_nil()
            {
                return Err(errors::library(lua, "cannot change a protected metatable"));
            }
            set.call((table, args.value(2)))
        })?;
        let protected = self.protected();
        let get: Function = native.raw_get("getmetatable")?;
        self.replace(&self.globals, "getmetatable", move |lua, args| {
            let value = args.any(1)?;
            if let Value::Table(table) = &value
                && let Some(shown) = protected.get().and_then(|all| all.metatable(table))
            {
                return lua.pack_multi(shown);
            }
            get.call(value)
        })
    }

    /// Replaces the functions that catch errors: our errors are turned into those that redis-server throws.
    fn replace_catching(&self, native: &Native) -> mlua::Result<()> {
        let stored = self.passing.stored();
        let finish = self.lua.create_function(move |lua, mut results: MultiValue| {
            let returned = stored.take();
            if matches!(results.front(), Some(Value::Boolean(false))) {
                let caught = results.pop_back().unwrap_or(Value::Nil);
                if let Some(kill) = errors::kill(&caught) {
                    return Err(kill.into());
                }
                let caught = errors::visible(lua, caught)?;
                // For an error table its text is returned.
                let text = match &caught {
                    Value::Table(table) => Some(table.get::<Value>("err")?),
                    _ => None,
                };
                match text {
                    Some(text @ (Value::String(_) | Value::Integer(_) | Value::Number(_))) => {
                        results.push_back(text);
                    }
                    Some(other) => results.extend([caught, other]),
                    None => results.push_back(caught),
                }
            } else {
                results.extend(returned);
            }
            Ok(results)
        })?;
        self.globals.raw_set("pcall", self.passing.pcall(&self.lua, native, finish)?)?;
        let handler = self.lua.create_function(|lua, handler: Value| {
            lua.create_function(move |lua, thrown: Value| {
                if let Some(kill) = errors::kill(&thrown) {
                    return lua.pack_multi(Value::Error(Box::new(kill.into())));
                }
                let thrown = errors::visible(lua, thrown)?;
                let outcome = match &handler {
                    Value::Function(handler) => handler.call::<MultiValue>(thrown),
                    _ => Err(mlua::Error::runtime("the handler is no function")),
                };
                match outcome {
                    Ok(results) => Ok(results),
                    Err(error) => match Thrown::of(&error) {
                        kill @ Thrown::Killed(_) => lua.pack_multi(Value::Error(Box::new(kill.into()))),
                        // Lua gives up on a handler that fails.
                        _ => lua.pack_multi("error in error handling"),
                    },
                }
            })
        })?;
        let refuse = self.lua.create_function(|lua, args: MultiValue| -> mlua::Result<()> {
            Err(Arguments::new(lua, args).wrong(2, "value expected"))
        })?;
        let stored = self.passing.stored();
        let finish = self.lua.create_function(move |_, mut results: MultiValue| {
            let returned = stored.take();
            if matches!(results.front(), Some(Value::Boolean(false))) {
                if let Some(kill) = results.get(1).and_then(errors::kill) {
                    return Err(kill.into());
                }
                results.truncate(2);
            } else {
                results.extend(returned);
            }
            Ok(results)
        })?;
        self.globals.raw_set("xpcall", self.passing.xpcall(&self.lua, native, finish, (handler, refuse))?)?;
        self.replace(&self.globals, "error", move |lua, args| {
            let level = args.int_or(2, 1)?;
            let thrown = args.value(1);
            let text = match &thrown {
                Value::String(_) | Value::Integer(_) | Value::Number(_) if level > 0 => {
                    lua.coerce_string(thrown.clone())?
                }
                _ => None,
            };
            Err(match text {
                Some(text) => {
                    let place = errors::place_above(lua, level);
                    Thrown::Text([&*place, &*text.as_bytes()].concat())
                }
                None => Thrown::Value(thrown),
            }
            .into())
        })
    }

    fn replace_resume(&self, native: &Native, coroutine: &Table) -> mlua::Result<()> {
        let refuse = self.lua.create_function(|lua, args: MultiValue| -> mlua::Result<()> {
            Err(Arguments::new(lua, args).wrong(1, "coroutine expected"))
        })?;
        let stored = self.passing.stored();
        let finish = self.lua.create_function(move |lua, mut results: MultiValue| {
            let returned = stored.take();
            if matches!(results.front(), Some(Value::Boolean(false))) {
                let caught = results.pop_back().unwrap_or(Value::Nil);
                if let Some(kill) = errors::kill(&caught) {
                    return Err(kill.into());
                }
                results.push_back(errors::visible(lua, caught)?);
            } else {
                results.extend(returned);
            }
            Ok(results)
        })?;
        coroutine.raw_set("resume", native.resume(&self.lua, finish, refuse)?)
    }

    fn replace_create(&self, coroutine: &Table) -> mlua::Result<()> {
        let storing = self.passing.storing.clone();
        self.replace(coroutine, "create", move |lua, args| {
            let Some(Value::Function(function)) = args.get(1).filter(|value| is_of_lua(value)) else {
                return Err(args.wrong(1, "Lua function expected"));
            };
            lua.pack_multi(lua.create_thread(storing.call(function)?)?)
        })?;
        coroutine.raw_set("yield", &self.passing.yields)
    }

    /// Prefixes a text that a coroutine throws with the place at which it was resumed.
    fn replace_wrap(&self, coroutine: &Table) -> mlua::Result<()> {
        let resume: Function = coroutine.raw_get("resume")?;
        let (storing, stored) = (self.passing.storing.clone(), self.passing.stored());
        self.replace(coroutine, "wrap", move |lua, args| {
            let Some(Value::Function(function)) = args.get(1).filter(|value| is_of_lua(value)) else {
                return Err(args.wrong(1, "Lua function expected"));
            };
            let (thread, resume) = (lua.create_thread(storing.call(function)?)?, resume.clone());
            let stored = stored.clone();
            let resumed = lua.create_function(move |lua, mut args: MultiValue| {
                args.push_front(Value::Thread(thread.clone()));
                let mut results: MultiValue = resume.call(args)?;
                let returned = stored.take();
                if results.pop_front() == Some(Value::Boolean(true)) {
                    return Ok(returned);
                }
                let caught = results.pop_back().unwrap_or(Value::Nil);
                if let Some(kill) = errors::kill(&caught) {
                    return Err(kill.into());
                }
                Err(match errors::visible(lua, caught)? {
                    text @ (Value::String(_) | Value::Integer(_) | Value::Number(_)) => {
                        let text = lua.coerce_string(text)?;
                        errors::library(lua, text.map(|text| text.as_bytes().to_vec()).unwrap_or_default())
                    }
                    other => Thrown::Value(other).into(),
                })
            })?;
            lua.pack_multi(resumed)
        })
    }

    /// Scripts may load only texts: compiled code is not checked when it is loaded.
    fn replace_loading(&self, native: &Table) -> mlua::Result<()> {
        /// The first byte of a compiled chunk.
        const COMPILED: u8 = 0x1b;
        let loadstring: Function = native.raw_get("loadstring")?;
        // A leading blank has no meaning in a text, and marks any input as text.
        let load = move |lua: &Lua, text: Vec<u8>, name: LuaString| -> mlua::Result<MultiValue> {
            let is_text = text.first() != Some(&COMPILED);
            let text = if is_text { text } else { [b" ", &*text].concat() };
            loadstring.call((lua.create_string(source::with_brackets_nested(&text))?, name))
        };
        let load_text = load.clone();
        self.replace(&self.globals, "loadstring", move |lua, args| {
            let text = args.text(1)?;
            let name = match args.get(2) {
                None | Some(Value::Nil) => lua.create_string(&text)?,
                Some(_) => lua.create_string(args.text(2)?)?,
            };
            load_text(lua, text, name)
        })?;
        let most = self.memory;
        self.replace(&self.globals, "load", move |lua, args| {
            let name = match args.get(2) {
                None | Some(Value::Nil) => lua.create_string("=(load)")?,
                Some(_) => lua.create_string(args.text(2)?)?,
            };
            let Some(Value::Function(reader)) = args.get(1) else {
                return Err(errors::wrong_type(lua, 1, "function", args.get(1)));
            };
            let mut text = Vec::new();
            loop {
                match reader.call::<Value>(()) {
                    Ok(Value::String(piece)) if !piece.as_bytes().is_empty() => {
                        text.extend_from_slice(&piece.as_bytes());
                        if text.len() > most {
                            return Err(memory::exhausted());
                        }
                    }
                    Ok(Value::Nil | Value::String(_)) => break,
                    Ok(_) => return lua.pack_multi((Value::Nil, "reader function must return a string")),
                    Err(error) => {
                        return match Thrown::of(&error) {
                            kill @ Thrown::Killed(_) => Err(kill.into()),
                            thrown => lua.pack_multi((Value::Nil, thrown.value(lua)?)),
                        };
                    }
                }
            }
            load(lua, text, name)
        })
    }

    /// A string longer than all memory is refused before it is made.
    fn bound_repetition(&self, string: &Table) -> mlua::Result<()> {
        let rep: Function = string.raw_get("rep")?;
        let most = self.memory;
        self.replace(string, "rep", move |lua, args| {
            let text = lua.create_string(args.text(1)?)?;
            let times = args.int(2)?;
            let length = usize::try_from(times).unwrap_or(0).checked_mul(text.as_bytes().len());
            if length.is_none_or(|length| length > most / 2) {
                return Err(memory::exhausted());
            }
            work::count(lua, steps_of(length.unwrap_or(0)))?;
            rep.call((text, times))
        })
    }

    fn replace_insertion(&self, table: &Table) -> mlua::Result<()> {
        let protected = self.protected();
        self.replace(table, "insert", move |lua, args| {
            let table = args.table(1)?;
            let end = i64::try_from(table.raw_len()).unwrap_or(i64::MAX).saturating_add(1);
            let (at, value) = match args.len() {
                2 => (end, args.value(2)),
                3 => {
                    let at = i64::from(args.int(2)?);
                    (at, args.value(3))
                }
                _ => return Err(errors::library(lua, "wrong number of arguments to 'insert'")),
            };
            if protected.get().is_some_and(|all| all.contains(&table)) {
                return Err(Thrown::Text(READ_ONLY.into()).into());
            }
            let mut index = end.max(at);
            while index > at {
                table.raw_set(index, table.raw_get::<Value>(index - 1)?)?;
                index -= 1;
            }
            table.raw_set(at, value)?;
            Ok(MultiValue::new())
        })
    }

    /// Strings have methods; the tables of these cannot be changed either.
    fn protect_string_metatable(&mut self) -> mlua::Result<()> {
        let Some(metatable) = self.lua.type_metatable::<LuaString>() else { return Ok(()) };
        let string: Table = self.globals.raw_get("string")?;
        metatable.raw_set("__index", &string)?;
        let shown = self.lua.create_table()?;
        shown.raw_set("__index", string)?;
        let shown = self.protect(self.lua.create_table()?, shown, None)?;
        metatable.raw_set("__metatable", shown)
    }
}

/// The keys or arguments of a script; an empty table if it was given none.
fn given(lua: &Lua, globals: &Table, name: impl IntoLua + Copy) -> mlua::Result<Value> {
    let given: Value = globals.raw_get(name)?;
    if !given.is_nil() {
        return Ok(given);
    }
    let empty = lua.create_table()?;
    globals.raw_set(name, &empty)?;
    Ok(Value::Table(empty))
}

/// Whether a value is a function that is written in Lua.
fn is_of_lua(value: &Value) -> bool {
    let Value::Function(function) = value else { return false };
    let info = function.info();
    info.what != "C" && info.source.as_deref() != Some(errors::OWN_SOURCE)
}

/// The function that reads a missing name.
fn missing(lua: &Lua) -> mlua::Result<Function> {
    lua.create_function(|lua, args: MultiValue| -> mlua::Result<()> { Err(no_such_name(lua, args)) })
}

/// The error of a function that has been called with a table and a missing name.
fn no_such_name(lua: &Lua, args: MultiValue) -> mlua::Error {
    match Arguments::new(lua, args).text(2) {
        Ok(name) => {
            let start = &b"Script attempted to access nonexistent global variable '"[..];
            errors::library(lua, [start, &name, b"'"].concat())
        }
        Err(_) => {
            errors::library(lua, "Second argument to luaProtectedTableError must be a string or number")
        }
    }
}

/// The generator of redis-server in place of the system's.
fn replace_random(lua: &Lua, math: &Table, random: &Arc<Mutex<Random>>) -> mlua::Result<()> {
    let source = Arc::clone(random);
    let next = lua.create_function(move |lua, values: MultiValue| -> mlua::Result<f64> {
        let args = Arguments::new(lua, values);
        let number = source.lock().next();
        match args.len() {
            0 => Ok(number),
            1 => {
                let upper = args.int(1)?;
                if upper < 1 {
                    return Err(args.wrong(1, "interval is empty"));
                }
                Ok((number * f64::from(upper)).floor() + 1.0)
            }
            2 => {
                let (lower, upper) = (args.int(1)?, args.int(2)?);
                if lower > upper {
                    return Err(args.wrong(2, "interval is empty"));
                }
                // The width is also an integer of 32 bits.
                let width = upper.wrapping_sub(lower).wrapping_add(1);
                Ok((number * f64::from(width)).floor() + f64::from(lower))
            }
            _ => Err(errors::library(lua, "wrong number of arguments")),
        }
    })?;
    math.raw_set("random", next)?;
    let source = Arc::clone(random);
    let seed = lua.create_function(move |lua, values: MultiValue| {
        let seed = Arguments::new(lua, values).int(1)?;
        source.lock().seed(seed);
        Ok(())
    })?;
    math.raw_set("randomseed", seed)
}
