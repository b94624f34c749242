//! OBJECT: what is known of a value besides what it holds.

use crate::config::Version;
use crate::data::value::Value;
use crate::keyspace::Entry;
use crate::spec::{Context, Error, Outcome};
use crate::state::Lookup;

/// `OBJECT ENCODING key`: the encoding in which redis-server would keep the value.
pub fn encoding(ctx: &mut Context<'_>) -> Outcome {
    let version = ctx.state.config.compat;
    let args = ctx.args;
    let encoding = look_at(ctx).map(|entry| entry.encoding(&args[2], version));
    ctx.reply.bulk_or_null(encoding.map(str::as_bytes));
    Ok(())
}

/// `OBJECT REFCOUNT key`: values are not shared, except small integers, which redis-server shared and reported as such
/// before 8.2.
pub fn refcount(ctx: &mut Context<'_>) -> Outcome {
    let version = ctx.state.config.compat;
    match look_at(ctx).map(|entry| is_shared(&entry.value, version)) {
        None => ctx.reply.null(),
        Some(true) => ctx.reply.integer(i32::MAX.into()),
        Some(false) => ctx.reply.integer(1),
    }
    Ok(())
}

/// `OBJECT IDLETIME key`: the seconds since the key was used.
///
/// # Errors
///
/// The policy records how often keys are used, not when.
pub fn idletime(ctx: &mut Context<'_>) -> Outcome {
    let now = ctx.state.now;
    let idle = look_at(ctx).map(|entry| entry.access.idle(now));
    answer(ctx, idle, false)
}

/// `OBJECT FREQ key`: how often the key was used, as a logarithm.
///
/// # Errors
///
/// The policy records when keys are used, not how often.
pub fn freq(ctx: &mut Context<'_>) -> Outcome {
    let access = look_at(ctx).map(|entry| entry.access);
    let count = access.map(|access| access.count(&ctx.state.config, ctx.state.now).into());
    answer(ctx, count, true)
}

/// Replies with what is known of accesses; without a key the policy is not checked.
fn answer(ctx: &mut Context<'_>, value: Option<u32>, counts: bool) -> Outcome {
    const LATER: &str = "Please note that when switching between policies at runtime LRU and LFU data will take \
                         some time to adjust.";
    let Some(value) = value else {
        ctx.reply.null();
        return Ok(());
    };
    if ctx.state.config.maxmemory_policy.counts() != counts {
        let text = if counts {
            "ERR An LFU maxmemory policy is not selected, access frequency not tracked."
        } else {
            "ERR An LFU maxmemory policy is selected, idle time not tracked."
        };
        return Err(Error::new(format!("{text} {LATER}")));
    }
    ctx.reply.integer(value.into());
    Ok(())
}

/// The entry of the key, counted as a hit or miss, but without notification and without being used.
fn look_at<'a>(ctx: &'a mut Context<'_>) -> Option<&'a Entry> {
    let key = &ctx.args[2];
    if ctx.state.contains(key) {
        ctx.state.stats.keyspace_hits += 1;
    } else {
        ctx.state.stats.keyspace_misses += 1;
    }
    ctx.state.lookup(key, Lookup::Uncounted)
}

/// True for the integers that this version of redis-server shares.
pub(super) fn is_shared(value: &Value, version: Version) -> bool {
    const SHARED: std::ops::Range<i64> = 0..10_000;
    let Value::String(string) = value else { return false };
    version < Version::Redis8_2
        && string.encoding() == "int"
        && string.integer().is_some_and(|number| SHARED.contains(&number))
}
