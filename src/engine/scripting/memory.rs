//! How much memory scripts may hold.

use mlua::Lua;

use super::errors::Thrown;

/// How much memory all scripts together may hold: as much as one string may be long by default (`proto-max-bulk-len`).
pub(super) const MEMORY: usize = 512 * 1024 * 1024;

/// What Lua throws where there is none left.
pub(super) fn exhausted() -> mlua::Error {
    Thrown::Text(b"not enough memory".to_vec()).into()
}

/// How many bytes of memory a byte of a reply or a request takes at most as a value of Lua, generously: a status of four
/// bytes becomes a table with a field.
const GROWTH: usize = 64;

/// Makes values of Lua from this many bytes. If they fit easily, the limit is lifted meanwhile: under a limit each step of
/// mlua is a protected call, which takes several times as long.
pub(super) fn with_room<R>(
    lua: &Lua,
    bytes: usize,
    make: impl FnOnce() -> mlua::Result<R>,
) -> mlua::Result<R> {
    let limit = lua.set_memory_limit(0)?;
    if lua.used_memory().saturating_add(bytes.saturating_mul(GROWTH)) > limit {
        lua.set_memory_limit(limit)?;
        return make();
    }
    let result = make();
    lua.set_memory_limit(limit)?;
    result
}
