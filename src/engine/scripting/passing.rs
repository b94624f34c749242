//! How results pass by Lua's own functions that catch errors.
//!
//! `pcall`, `xpcall` and `coroutine.resume` of Lua 5.1 put a boolean before the results for which they have not asked for room.
//! There is always some, but a build of Lua with assertions, which is part of every debug build, ends the process there if
//! there are twenty results or more. So these functions get no results: they are stored before, and taken behind.

use std::sync::Arc;

use mlua::{Function, Lua, MultiValue};
use parking_lot::Mutex;

use super::errors;

/// All in one line, whose place [`errors::visible`] takes away. A function that has been returned by `same` has no name in
/// messages, as if C had called it.
const SOURCE: &str = "local store, xpcall, yield = ... \
    local function same(f) return f end \
    return function(f, ...) store(same(f)(...)) end, \
        function(f) return function(...) store(same(f)(...)) end end, \
        function(...) store(...) return yield() end, \
        function(f, handler) return xpcall(function() return (f()) end, handler) end";

/// Functions that store results, and where.
pub(super) struct Passing {
    stored: Stored,
    /// Calls a function with arguments and stores its results.
    pub call: Function,
    /// Makes a function that does so with another.
    pub storing: Function,
    /// Stores its arguments and yields.
    pub yields: Function,
    /// `xpcall` of which only the first result is needed.
    pub first: Function,
}

/// Where results are between two functions.
#[derive(Clone, Default)]
pub(super) struct Stored(Arc<Mutex<MultiValue>>);

impl Stored {
    /// Takes what was stored last.
    pub fn take(&self) -> MultiValue {
        std::mem::take(&mut *self.0.lock())
    }
}

impl Passing {
    /// Needs Lua's own `xpcall` and `coroutine.yield`.
    pub fn new(lua: &Lua, xpcall: &Function, yields: &Function) -> mlua::Result<Self> {
        let stored = Stored::default();
        let into = stored.clone();
        let store = lua.create_function(move |_, values: MultiValue| {
            *into.0.lock() = values;
            Ok(())
        })?;
        let chunk = lua.load(SOURCE).set_name(errors::OWN_SOURCE);
        let (call, storing, yields, first) = chunk.call((store, xpcall, yields))?;
        Ok(Self { stored, call, storing, yields, first })
    }

    pub fn stored(&self) -> Stored {
        self.stored.clone()
    }
}
