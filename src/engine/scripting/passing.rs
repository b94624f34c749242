//! How results bypass Lua's own functions that catch errors.
//!
//! `pcall`, `xpcall` and `coroutine.resume` of Lua 5.1 put a boolean before the results without reserving stack space.
//! There is always some, but a build of Lua with assertions, which is part of every debug build, aborts the process if
//! there are twenty results or more. So these functions get no results: they are stored before, and taken afterwards.

use std::sync::Arc;

use mlua::{FromLuaMulti, Function, IntoLuaMulti, Lua, MultiValue, Table};
use parking_lot::Mutex;

use super::errors;

/// All in one line, whose place [`errors::visible`] removes. A function that has been returned by `same` has no name in
/// messages, as if C had called it.
const SOURCE: &str = "local store, yield = ... \
    local function same(f) return f end \
    return function(f, ...) store(same(f)(...)) end, \
        function(f) return function(...) store(same(f)(...)) end end, \
        function(...) store(...) return yield() end";

/// `pcall`, `xpcall` and `coroutine.resume` around Lua's own: written in Lua, so that each takes one level of the C
/// stack, as in redis-server. `finish` makes the results from what they return. Errors about the arguments are thrown
/// by a function that has the name under which scripts know it.
const PCALL: &str = "local native, finish, call, select = ... \
    return function(...) \
        if select('#', ...) == 0 then return finish(native(call, true)) end \
        return finish(native(call, ...)) \
    end";
const XPCALL: &str = "local native, finish, storing, select, handler, xpcall = ... \
    return function(...) \
        if select('#', ...) < 2 then return xpcall(...) end \
        local f, h = ... \
        return finish(native(storing(f), handler(h))) \
    end";
const RESUME: &str = "local native, finish, type, resume = ... \
    return function(...) \
        if type((...)) ~= 'thread' then return resume(...) end \
        return finish(native(...)) \
    end";

/// Lua's own functions that those of scripts call.
pub(super) struct Native {
    pub pcall: Function,
    pub xpcall: Function,
    pub resume: Function,
    pub select: Function,
    pub types: Function,
}

impl Native {
    /// `coroutine.resume`: `finish` gets whether it succeeded, and what was thrown; `resume` refuses a value that is
    /// not a coroutine.
    pub fn resume(&self, lua: &Lua, finish: Function, resume: Function) -> mlua::Result<Function> {
        own(lua, RESUME, (&self.resume, finish, &self.types, resume))
    }

    /// Takes them from the globals of Lua.
    pub fn new(globals: &Table) -> mlua::Result<Self> {
        Ok(Self {
            pcall: globals.raw_get("pcall")?,
            xpcall: globals.raw_get("xpcall")?,
            resume: globals.raw_get::<Table>("coroutine")?.raw_get("resume")?,
            select: globals.raw_get("select")?,
            types: globals.raw_get("type")?,
        })
    }
}

/// Functions that store results, and the place where they are stored.
pub(super) struct Passing {
    stored: Stored,
    /// Calls a function with arguments and stores its results.
    pub call: Function,
    /// Makes a function that does so with another.
    pub storing: Function,
    /// Stores its arguments and yields.
    pub yields: Function,
}

/// Contains the results between two functions.
#[derive(Clone, Default)]
pub(super) struct Stored(Arc<Mutex<MultiValue>>);

impl Stored {
    /// Takes what was stored last.
    pub fn take(&self) -> MultiValue {
        std::mem::take(&mut *self.0.lock())
    }
}

impl Passing {
    /// Needs Lua's own `coroutine.yield`.
    pub fn new(lua: &Lua, yields: &Function) -> mlua::Result<Self> {
        let stored = Stored::default();
        let into = stored.clone();
        let store = lua.create_function(move |_, values: MultiValue| {
            *into.0.lock() = values;
            Ok(())
        })?;
        let (call, storing, yields) = own(lua, SOURCE, (store, yields))?;
        Ok(Self { stored, call, storing, yields })
    }

    /// `pcall`: `finish` gets whether it succeeded, and what was thrown.
    pub fn pcall(&self, lua: &Lua, native: &Native, finish: Function) -> mlua::Result<Function> {
        own(lua, PCALL, (&native.pcall, finish, &self.call, &native.select))
    }

    /// The same for `xpcall`; `handler` wraps the handler of a script, and `xpcall` refuses missing arguments.
    pub fn xpcall(
        &self,
        lua: &Lua,
        native: &Native,
        finish: Function,
        (handler, xpcall): (Function, Function),
    ) -> mlua::Result<Function> {
        own(lua, XPCALL, (&native.xpcall, finish, &self.storing, &native.select, handler, xpcall))
    }

    pub fn stored(&self) -> Stored {
        self.stored.clone()
    }
}

/// Runs Lua code of minibroker.
pub(super) fn own<R: FromLuaMulti>(lua: &Lua, text: &str, args: impl IntoLuaMulti) -> mlua::Result<R> {
    lua.load(text).set_name(errors::OWN_SOURCE).call(args)
}
