//! The table `redis`.

use std::sync::Arc;

use mlua::{Lua, MultiValue, Table, Value};

use super::arguments::Arguments;
use super::call;
use super::errors::{self, refusal, reply_table};
use super::host::{Host, Request, Slot};
use crate::config::Version;
use crate::resp::Protocol;

/// Makes the table.
pub(super) fn table<H: Host>(lua: &Lua, slot: &Arc<Slot<H>>, version: Version) -> mlua::Result<Table> {
    let redis = lua.create_table()?;
    for (name, raises) in [("call", true), ("pcall", false)] {
        redis.raw_set(name, call::function(lua, slot, raises)?)?;
    }
    add(lua, &redis, "error_reply", |lua, args| match (args.len(), args.get(1)) {
        (1, Some(Value::String(text))) => {
            let text = text.as_bytes();
            let text = text.strip_prefix(b"-").unwrap_or(&text);
            reply_table(lua, &errors::with_code(&[b"-", text].concat()), false)
        }
        _ => wrong_reply(lua),
    })?;
    add(lua, &redis, "status_reply", |lua, args| match (args.len(), args.get(1)) {
        (1, Some(Value::String(text))) => {
            let table = lua.create_table()?;
            table.raw_set("ok", text)?;
            Ok(table)
        }
        _ => wrong_reply(lua),
    })?;
    add(lua, &redis, "sha1hex", |_, args| {
        if args.len() != 1 {
            return Err(refusal("wrong number of arguments"));
        }
        // A value that is not text counts as an empty one.
        Ok(super::cache::sha1(&args.text(1).unwrap_or_default()).to_string())
    })?;
    add_log(lua, &redis, version)?;
    let own = Arc::clone(slot);
    add(lua, &redis, "setresp", move |_, args| {
        if args.len() != 1 {
            return Err(refusal("redis.setresp() requires one argument."));
        }
        let protocol = match args.int(1) {
            Ok(2) => Protocol::Resp2,
            Ok(3) => Protocol::Resp3,
            _ => return Err(refusal("RESP version must be 2 or 3.")),
        };
        own.lock().run.protocol = protocol;
        Ok(())
    })?;
    add(lua, &redis, "set_repl", move |_, args| {
        if args.len() != 1 {
            let number = if version < Version::Redis7_4 { "two arguments" } else { "one argument" };
            return Err(refusal(&format!("redis.set_repl() requires {number}.")));
        }
        if !(0..=3).contains(&args.int(1).unwrap_or(0)) {
            return Err(refusal(
                "Invalid replication flags. Use REPL_AOF, REPL_REPLICA, REPL_ALL or REPL_NONE.",
            ));
        }
        Ok(())
    })?;
    let own = Arc::clone(slot);
    add(lua, &redis, "acl_check_cmd", move |_, args| {
        let mut request = Request::default();
        request.fill(&args.into_values(), version).map_err(refusal)?;
        let inside = own.lock();
        let permits = inside.host.permits(inside.run.client, request.args());
        permits.ok_or_else(|| refusal("Invalid command passed to redis.acl_check_cmd()"))
    })?;
    for (name, value) in
        [("REPL_NONE", 0), ("REPL_AOF", 1), ("REPL_SLAVE", 2), ("REPL_REPLICA", 2), ("REPL_ALL", 3)]
    {
        redis.raw_set(name, value)?;
    }
    Ok(redis)
}

/// The functions in `redis` that scripts have and functions have not.
pub(super) fn add_replication_and_debugging(lua: &Lua, redis: &Table) -> mlua::Result<()> {
    add(lua, redis, "replicate_commands", |_, _| Ok(true))?;
    // No debugger is attached to a script here.
    add(lua, redis, "breakpoint", |_, _| Ok(false))?;
    add(lua, redis, "debug", |_, _| Ok(()))
}

/// The table `os`. While a script runs the broker's clock stands still; each further query shows a time one microsecond
/// later, so that a script that waits for a time does not wait for ever.
pub(super) fn os<H: Host>(lua: &Lua, slot: &Arc<Slot<H>>) -> mlua::Result<Table> {
    let os = lua.create_table()?;
    let slot = Arc::clone(slot);
    add(lua, &os, "clock", move |_, _| {
        let mut inside = slot.lock();
        inside.run.times_asked += 1;
        Ok(inside.host.uptime() + f64::from(inside.run.times_asked) / 1e6)
    })?;
    Ok(os)
}

/// The table `redis` for libraries of functions while they are loaded, without the function that registers functions.
pub(super) fn table_for_loading(lua: &Lua, version: Version) -> mlua::Result<Table> {
    let redis = lua.create_table()?;
    add_log(lua, &redis, version)?;
    Ok(redis)
}

/// `redis.log` and its constants.
fn add_log(lua: &Lua, redis: &Table, version: Version) -> mlua::Result<()> {
    add(lua, redis, "log", move |_, args| {
        if args.len() < 2 {
            return Err(refusal("redis.log() requires two arguments or more."));
        }
        if !matches!(args.get(1), Some(Value::Integer(_) | Value::Number(_))) {
            return Err(refusal("First argument must be a number (log level)."));
        }
        if !(0..=3).contains(&args.int(1)?) {
            let old = version < Version::Redis7_4;
            return Err(refusal(if old { "Invalid debug level." } else { "Invalid log level." }));
        }
        // The broker keeps no log.
        Ok(())
    })?;
    for (name, value) in [("LOG_DEBUG", 0), ("LOG_VERBOSE", 1), ("LOG_NOTICE", 2), ("LOG_WARNING", 3)] {
        redis.raw_set(name, value)?;
    }
    let release = version.release();
    redis.raw_set("REDIS_VERSION", release)?;
    // One byte for each part.
    let number =
        release.split('.').filter_map(|part| part.parse::<u32>().ok()).fold(0, |all, part| all << 8 | part);
    redis.raw_set("REDIS_VERSION_NUM", number)
}

fn add<R: mlua::IntoLuaMulti>(
    lua: &Lua,
    table: &Table,
    name: &str,
    function: impl Fn(&Lua, Arguments<'_>) -> mlua::Result<R> + Send + 'static,
) -> mlua::Result<()> {
    let function =
        lua.create_function(move |lua, values: MultiValue| function(lua, Arguments::new(lua, values)))?;
    table.raw_set(name, function)
}

fn wrong_reply(lua: &Lua) -> mlua::Result<Table> {
    reply_table(lua, b"ERR wrong number or type of arguments", false)
}
