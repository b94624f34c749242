//! Work that Lua's hook does not see. The hook counts instructions, but one call of a function may take as long as
//! millions of instructions.

use std::cell::Cell;
use std::sync::Arc;

use mlua::Lua;

/// A script is checked after this many instructions or steps, as in redis-server.
pub(super) const STEP: u32 = 100_000;

type Check = dyn Fn(&Lua, u64) -> mlua::Result<()> + Send + Sync;

/// Checks the running script, which has run for this many more instructions. An error ends the script.
#[derive(Clone)]
pub(super) struct Watch(pub Arc<Check>);

thread_local! {
    /// The steps since the last check of the script that runs on this thread.
    static DONE: Cell<usize> = const { Cell::new(0) };
}

/// A script begins.
pub(super) fn begin() {
    DONE.set(0);
}

/// A function has taken some steps, each of which takes about as long as an instruction.
pub(super) fn count(lua: &Lua, steps: usize) -> mlua::Result<()> {
    let done = DONE.get().saturating_add(steps);
    if done < STEP as usize {
        DONE.set(done);
        return Ok(());
    }
    begin();
    let watch = lua.app_data_ref::<Watch>().map(|watch| Watch::clone(&watch));
    watch.map_or(Ok(()), |watch| (watch.0)(lua, u64::try_from(done).unwrap_or(u64::MAX)))
}
