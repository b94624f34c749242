//! DEBUG: what the test suites of clients use of it. It is always allowed, as this broker runs in tests.

// All subcommands are called in one way.
#![allow(clippy::unnecessary_wraps)]

use std::fmt::Write;
use std::time::Duration;

use super::config::parse_memory;
use super::help::help;
use super::object::is_shared;
use crate::resp::{parse_decimal, up_to_nul};
use crate::spec::numbers::{is_option, lenient_integer};
use crate::spec::{Context, Error, Outcome};
use crate::state::Lookup;

/// `DEBUG subcommand [argument ...]`, but for RELOAD, which the engine runs.
///
/// # Errors
///
/// A subcommand that does not exist, or not with this number of arguments, and what the subcommand says.
pub fn debug(ctx: &mut Context<'_>) -> Outcome {
    type Subcommand = (&'static str, std::ops::RangeInclusive<usize>, fn(&mut Context<'_>) -> Outcome);
    const SUBCOMMANDS: &[Subcommand] = &[
        ("CHANGE-REPL-ID", 2..=2, change_repl_id),
        ("ERROR", 3..=3, error),
        ("HELP", 2..=2, help),
        ("LISTPACK", 3..=3, listpack),
        ("LOG", 3..=3, ok),
        ("OBJECT", 3..=4, object),
        ("PROTOCOL", 3..=3, protocol),
        ("QUICKLIST-PACKED-THRESHOLD", 3..=3, quicklist_packed_threshold),
        ("SET-ACTIVE-EXPIRE", 3..=3, set_active_expire),
        ("SLEEP", 3..=3, sleep),
    ];
    let name = &ctx.args[1];
    let count = ctx.args.len();
    let found =
        SUBCOMMANDS.iter().find(|(known, counts, _)| is_option(name, known) && counts.contains(&count));
    let (_, _, run) = found.ok_or_else(|| Error::subcommand_syntax(name, "DEBUG"))?;
    run(ctx)
}

fn ok(ctx: &mut Context<'_>) -> Outcome {
    ctx.reply.ok();
    Ok(())
}

/// `DEBUG SLEEP seconds`: no client is served for this time; a text that is not a number counts as 0. The reply is
/// sent at the end.
fn sleep(ctx: &mut Context<'_>) -> Outcome {
    let text = up_to_nul(&ctx.args[2]).trim_ascii_start();
    // As C's `strtod` does: the longest prefix that is a number.
    let number = (0..=text.len()).rev().find_map(|end| parse_decimal(text.get(..end)?));
    let micros = number.unwrap_or_default() * 1e6;
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let micros = micros.max(0.0) as u64;
    if micros > 0 && ctx.state.clock_stands_still && ctx.state.config.control {
        // The client that could move the clock would sleep as well.
        return Err(Error::new(
            "ERR the clock stands still, and no client could move it by MINIBROKER ADVANCE meanwhile",
        ));
    }
    if micros > 0 {
        let duration = Duration::from_micros(micros);
        ctx.state.asleep_until = Some(ctx.state.now + duration);
        ctx.state.slept += duration;
    }
    ok(ctx)
}

/// `DEBUG SET-ACTIVE-EXPIRE 0|1`: whether expired keys are removed without being accessed.
fn set_active_expire(ctx: &mut Context<'_>) -> Outcome {
    ctx.state.active_expire = lenient_integer(&ctx.args[2]) != 0;
    ok(ctx)
}

/// `DEBUG CHANGE-REPL-ID`: does nothing here, as there are no replicas.
fn change_repl_id(ctx: &mut Context<'_>) -> Outcome {
    ok(ctx)
}

/// `DEBUG QUICKLIST-PACKED-THRESHOLD size`: list elements from this size on have a node of their own; 0: as
/// `list-max-listpack-size` says.
fn quicklist_packed_threshold(ctx: &mut Context<'_>) -> Outcome {
    const MAX: i64 = 1 << 32;
    let size = parse_memory(&ctx.args[2]).ok().filter(|size| (0..=MAX).contains(size));
    let size =
        size.ok_or(Error::new("ERR argument must be a memory value bigger than 1 and smaller than 4gb"))?;
    ctx.state.config.quicklist_packed_threshold = usize::try_from(size).unwrap_or(usize::MAX);
    ok(ctx)
}

/// `DEBUG ERROR text`: replies with this error.
fn error(ctx: &mut Context<'_>) -> Outcome {
    Err(Error::from_bytes(ctx.args[2].to_vec()))
}

/// `DEBUG OBJECT key [fast]`: what is known of a value. `serializedlength` is its size in memory, as it is not
/// serialized here.
fn object(ctx: &mut Context<'_>) -> Outcome {
    if ctx.args.get(3).is_some_and(|option| !is_option(option, "fast")) {
        return Err(Error::subcommand_syntax(&ctx.args[1], "DEBUG"));
    }
    let key = &ctx.args[2];
    let now = ctx.state.now;
    let version = ctx.state.config.compat;
    let entry = ctx.state.lookup(key, Lookup::Uncounted).ok_or(Error::NO_SUCH_KEY)?;
    let (value, access) = (&entry.value, entry.access);
    let count = if is_shared(value, version) { i32::MAX } else { 1 };
    // A real address would differ from run to run.
    let mut text =
        format!("Value at:0x7f0000000000 refcount:{count} encoding:{}", entry.encoding(key, version));
    if ctx.args.len() == 3 {
        // Writing to a String cannot fail.
        let _ = write!(text, " serializedlength:{}", value.memory(usize::MAX));
    }
    let _ = write!(text, " lru:{} lru_seconds_idle:{}", access.bits(), access.idle(now));
    ctx.reply.simple(&text);
    Ok(())
}

/// `DEBUG LISTPACK key`: redis-server prints the listpack on its terminal.
fn listpack(ctx: &mut Context<'_>) -> Outcome {
    let version = ctx.state.config.compat;
    let entry = ctx.state.lookup(&ctx.args[2], Lookup::Uncounted).ok_or(Error::NO_SUCH_KEY)?;
    if entry.value.encoding(version) != "listpack" {
        return Err(Error::new("ERR Not a listpack encoded object."));
    }
    ctx.reply.simple("Listpack structure printed on stdout");
    Ok(())
}

/// `DEBUG PROTOCOL type`: a reply of this type.
fn protocol(ctx: &mut Context<'_>) -> Outcome {
    const TYPES: &str = "string|integer|double|bignum|null|array|set|map|attrib|push|verbatim|true|false";
    let reply = &mut ctx.reply;
    let numbers = 0..3;
    match ctx.args[2].to_ascii_lowercase().as_slice() {
        b"string" => reply.bulk(b"Hello World"),
        b"integer" => reply.integer(12345),
        // The number that redis-server replies with, not a more precise one.
        #[allow(clippy::approx_constant)]
        b"double" => reply.double(3.141),
        b"bignum" => reply.big_number("1234567999999999999999999999999999999"),
        b"null" => reply.null(),
        b"array" => {
            reply.array(3);
            numbers.for_each(|number| reply.integer(number));
        }
        b"set" => {
            reply.set(3);
            numbers.for_each(|number| reply.integer(number));
        }
        b"map" => {
            reply.map(3);
            for number in numbers {
                reply.integer(number);
                reply.boolean(number == 1);
            }
        }
        b"attrib" => {
            if reply.is_resp3() {
                reply.attribute(1);
                reply.bulk(b"key-popularity");
                reply.array(2);
                reply.bulk(b"key:123");
                reply.integer(90);
            }
            reply.bulk(b"Some real reply following the attribute");
        }
        b"push" => {
            if !reply.is_resp3() {
                return Err(Error::new("ERR RESP2 is not supported by this command"));
            }
            reply.push(2);
            reply.bulk(b"server-cpu-usage");
            reply.integer(42);
        }
        b"true" => reply.boolean(true),
        b"false" => reply.boolean(false),
        b"verbatim" => reply.verbatim("txt", b"This is a verbatim\nstring"),
        _ => {
            let problem = "ERR Wrong protocol type name. Please use one of the following: ";
            return Err(Error::new(format!("{problem}{TYPES}")));
        }
    }
    Ok(())
}
