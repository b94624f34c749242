//! The memory that scripts may use.

use mlua::Lua;

use super::errors::Thrown;

/// How much memory all scripts together may use: the default maximum length of a string (`proto-max-bulk-len`).
pub(super) const MEMORY: usize = 512 * 1024 * 1024;

/// The error that Lua throws when memory is exhausted.
pub(super) fn exhausted() -> mlua::Error {
    Thrown::Text(b"not enough memory".to_vec()).into()
}

/// An upper bound of the bytes of memory that a byte of a reply or a request takes as a value of Lua: a status of four
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
