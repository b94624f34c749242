//! How the interpreter runs the functions that it keeps: by number.
//!
//! mlua has space for about 8,000 references to values of Lua (`LUAI_MAXCSTACK`). Scripts and functions are kept in a
//! table of Lua instead, so that there may be as many as in redis-server.

use std::sync::Arc;

use mlua::{Function, Lua, LuaString, Table, Value};
use parking_lot::Mutex;

use super::sandbox::Sandbox;
use super::{memory, passing};

/// A function that is called returns one result: with more `xpcall` would need stack space that it has not reserved,
/// see [`super::passing`]. A function that has been returned by `same` has no name in messages, as if C had called it.
/// Keys and arguments that are missing become empty tables when a script asks for them, see [`Sandbox::close`].
const SOURCE: &str = "local xpcall, kept, globals, handler = ... \
    local script, f, keys, argv \
    local function same(f) return f end \
    local function run() return (script()) end \
    local function call() return (same(f)(keys, argv)) end \
    return function(number, keys, argv) \
            globals.KEYS, globals.ARGV = keys, argv \
            script = kept[number] \
            return xpcall(run, handler) \
        end, \
        function(number, k, a) \
            f, keys, argv = kept[number], k or {}, a or {} \
            local succeeded, result = xpcall(call, handler) \
            keys, argv = nil \
            return succeeded, result \
        end";

/// Runs functions that are kept.
pub(super) struct Running {
    kept: KeptFunctions,
    script: Function,
    function: Function,
}

impl Running {
    /// The handler sees an error where it is thrown. The globals must still be Lua's own.
    pub fn new(sandbox: &Sandbox, handler: &Function) -> mlua::Result<Self> {
        let Sandbox { lua, globals, .. } = sandbox;
        let xpcall: Function = lua.globals().raw_get("xpcall")?;
        let kept = KeptFunctions { table: lua.create_table()?, numbers: Arc::default() };
        let (script, function) = passing::own(lua, SOURCE, (xpcall, &kept.table, globals, handler))?;
        Ok(Self { kept, script, function })
    }

    pub fn kept(&self) -> &KeptFunctions {
        &self.kept
    }

    /// Runs a script, which finds its keys and arguments as globals: returns whether it has succeeded, and its result
    /// or what it has thrown.
    pub fn script(&self, script: &Kept, given: &Given) -> mlua::Result<(bool, Value)> {
        self.script.call((script.number, &given.keys, &given.arguments))
    }

    /// Calls a function with its keys and arguments; returns the same.
    pub fn function(&self, function: &Kept, given: &Given) -> mlua::Result<(bool, Value)> {
        self.function.call((function.number, &given.keys, &given.arguments))
    }
}

/// The keys and arguments of a script.
pub(super) struct Given {
    keys: Value,
    arguments: Value,
}

impl Given {
    /// No keys and no arguments.
    pub fn none() -> Self {
        Self { keys: Value::Nil, arguments: Value::Nil }
    }

    /// The texts have `bytes` bytes in total.
    pub fn new<'a>(
        lua: &Lua,
        bytes: usize,
        keys: impl ExactSizeIterator<Item = &'a [u8]>,
        arguments: impl ExactSizeIterator<Item = &'a [u8]>,
    ) -> mlua::Result<Self> {
        if keys.len() == 0 && arguments.len() == 0 {
            return Ok(Self::none());
        }
        memory::with_room(lua, bytes, || {
            Ok(Self { keys: texts(lua, keys)?, arguments: texts(lua, arguments)? })
        })
    }
}

/// Texts as a table; nil if there are none.
fn texts<'a>(lua: &Lua, texts: impl ExactSizeIterator<Item = &'a [u8]>) -> mlua::Result<Value> {
    if texts.len() == 0 {
        return Ok(Value::Nil);
    }
    // A `str` becomes a string of Lua at once, any other bytes by way of a reference.
    let texts = texts.map(|text| match std::str::from_utf8(text) {
        Ok(text) => mlua::Either::Left(text),
        Err(_) => mlua::Either::Right(LuaString::wrap(text)),
    });
    lua.create_sequence_from(texts).map(Value::Table)
}

/// The functions that an interpreter keeps.
#[derive(Clone)]
pub(super) struct KeptFunctions {
    table: Table,
    numbers: Arc<Mutex<Numbers>>,
}

/// The numbers under which functions are kept.
#[derive(Debug, Default)]
struct Numbers {
    last: usize,
    free: Vec<usize>,
    /// The numbers of functions that are not needed any more, but still in the table.
    dropped: Vec<usize>,
}

/// A function that is kept until this is dropped.
#[derive(Debug)]
pub(super) struct Kept {
    number: usize,
    numbers: Arc<Mutex<Numbers>>,
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.numbers.lock().dropped.push(self.number);
    }
}

impl KeptFunctions {
    pub fn keep(&self, function: &Function) -> mlua::Result<Kept> {
        let mut numbers = self.numbers.lock();
        while let Some(number) = numbers.dropped.pop() {
            self.table.raw_seti(number, false)?;
            numbers.free.push(number);
        }
        let number = numbers.free.last().copied().unwrap_or(numbers.last + 1);
        self.table.raw_seti(number, function)?;
        if numbers.free.pop().is_none() {
            numbers.last = number;
        }
        Ok(Kept { number, numbers: Arc::clone(&self.numbers) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_a_function_that_is_dropped_is_used_again() -> mlua::Result<()> {
        let lua = Lua::new();
        let kept = KeptFunctions { table: lua.create_table()?, numbers: Arc::default() };
        let function: Function = lua.load("return 1").into_function()?;
        let (first, second) = (kept.keep(&function)?, kept.keep(&function)?);
        assert_eq!((first.number, second.number), (1, 2));
        drop((first, second));
        let third = kept.keep(&function)?;
        let other = 3 - third.number;
        assert!(kept.table.raw_get::<Value>(third.number)?.is_function());
        assert_eq!(kept.table.raw_get::<Value>(other)?, Value::Boolean(false));
        assert_eq!(kept.keep(&function)?.number, other);
        Ok(())
    }
}
