//! Hashes: fields set, read, counted and removed.

mod expiry;
mod sampling;

pub use expiry::{
    hexpire, hexpireat, hexpiretime, hgetex, hpersist, hpexpire, hpexpireat, hpexpiretime, hpttl, hsetex,
    httl,
};
pub use sampling::{hrandfield, hscan};

use crate::config::Class;
use crate::data::Hash;
use crate::data::hash::{Deadline, HashLimits};
use crate::resp::{Args, LongDouble, parse_integer};
use crate::spec::numbers::{at_least, integer, is_option};
use crate::spec::{Context, Error, Outcome};
use crate::state::State;

/// `HSET key field value [field value ...]`: how many of the fields are new.
pub fn hset(ctx: &mut Context<'_>) -> Outcome {
    let created = set_pairs(ctx)?;
    ctx.reply.count(created);
    Ok(())
}

/// `HMSET key field value [field value ...]`: as [`hset`], with another reply.
pub fn hmset(ctx: &mut Context<'_>) -> Outcome {
    set_pairs(ctx)?;
    ctx.reply.ok();
    Ok(())
}

/// Sets the fields that the command names and returns how many are new.
fn set_pairs(ctx: &mut Context<'_>) -> Result<usize, Error> {
    if !ctx.args.len().is_multiple_of(2) {
        return Err(Error::arity(&ctx.command.full_name()));
    }
    let key = &ctx.args[1];
    let pairs = (ctx.args.len() - 2) / 2;
    let limits = HashLimits::of(&ctx.state.config);
    let hash: &mut Hash = ctx.state.get_or_create(key)?;
    hash.expect(pairs, limits);
    let mut created = 0;
    for pair in 0..pairs {
        let at = 2 + 2 * pair;
        created += usize::from(hash.set(&ctx.args[at], &ctx.args[at + 1], limits));
    }
    ctx.state.modified_by(pairs, Class::HASH, "hset", key);
    Ok(created)
}

/// `HSETNX key field value`: 1 if the field did not exist and is set.
pub fn hsetnx(ctx: &mut Context<'_>) -> Outcome {
    let (key, field) = (&ctx.args[1], &ctx.args[2]);
    let limits = HashLimits::of(&ctx.state.config);
    let hash: &mut Hash = ctx.state.get_or_create(key)?;
    let is_new = !hash.contains(field);
    if is_new {
        hash.expect(1, limits);
        hash.set(field, &ctx.args[3], limits);
        ctx.state.modified(Class::HASH, "hset", key);
    }
    ctx.reply.integer(i64::from(is_new));
    Ok(())
}

/// `HINCRBY key field increment`: the sum. The field keeps its deadline.
pub fn hincrby(ctx: &mut Context<'_>) -> Outcome {
    let (key, field) = (&ctx.args[1], &ctx.args[2]);
    let increment = integer(&ctx.args[3])?;
    let limits = HashLimits::of(&ctx.state.config);
    let hash: &mut Hash = ctx.state.get_or_create(key)?;
    let old = hash.get(field).map_or(Some(0), parse_integer);
    let old = old.ok_or(Error::new("ERR hash value is not an integer"))?;
    let sum = old.checked_add(increment).ok_or(Error::new("ERR increment or decrement would overflow"))?;
    hash.set_with(field, itoa::Buffer::new().format(sum).as_bytes(), Deadline::Keep, limits);
    ctx.state.modified(Class::HASH, "hincrby", key);
    ctx.reply.integer(sum);
    Ok(())
}

/// `HGET key field`.
pub fn hget(ctx: &mut Context<'_>) -> Outcome {
    let hash: Option<&Hash> = ctx.state.get(&ctx.args[1])?;
    ctx.reply.bulk_or_null(hash.and_then(|hash| hash.get(&ctx.args[2])));
    Ok(())
}

/// `HMGET key field [field ...]`.
pub fn hmget(ctx: &mut Context<'_>) -> Outcome {
    let hash: Option<&Hash> = ctx.state.get(&ctx.args[1])?;
    let fields = ctx.args.from(2);
    ctx.reply.array(fields.len());
    for field in fields.iter() {
        ctx.reply.bulk_or_null(hash.and_then(|hash| hash.get(field)));
    }
    Ok(())
}

/// `HGETALL key`.
pub fn hgetall(ctx: &mut Context<'_>) -> Outcome {
    let Some(hash) = ctx.state.get::<Hash>(&ctx.args[1])? else {
        ctx.reply.map(0);
        return Ok(());
    };
    ctx.reply.map(hash.seen());
    for (field, value) in hash.iter() {
        ctx.reply.bulk(field);
        ctx.reply.bulk(value);
    }
    Ok(())
}

/// `HINCRBYFLOAT key field increment`: the sum, in the 80-bit arithmetic of redis-server on x86-64.
pub fn hincrbyfloat(ctx: &mut Context<'_>) -> Outcome {
    let (key, field) = (&ctx.args[1], &ctx.args[2]);
    let increment = LongDouble::parse(&ctx.args[3]).ok_or(Error::NOT_FLOAT)?;
    if !increment.is_finite() {
        return Err(Error::new("ERR value is NaN or Infinity"));
    }
    let limits = HashLimits::of(&ctx.state.config);
    let hash: &mut Hash = ctx.state.get_or_create(key)?;
    let old = LongDouble::parse(hash.get(field).unwrap_or(b"0"));
    let old = old.ok_or(Error::new("ERR hash value is not a float"))?;
    let sum = (old + increment).filter(|sum| sum.is_finite());
    let mut text = Vec::new();
    sum.ok_or(Error::new("ERR increment would produce NaN or Infinity"))?.print(&mut text);
    hash.set_with(field, &text, Deadline::Keep, limits);
    ctx.state.modified(Class::HASH, "hincrbyfloat", key);
    ctx.reply.bulk(&text);
    Ok(())
}

/// `HKEYS key`
pub fn hkeys(ctx: &mut Context<'_>) -> Outcome {
    let hash: Option<&Hash> = ctx.state.get(&ctx.args[1])?;
    ctx.reply.array(hash.map_or(0, Hash::seen));
    hash.iter().flat_map(|hash| hash.iter()).for_each(|(field, _)| ctx.reply.bulk(field));
    Ok(())
}

/// `HVALS key`
pub fn hvals(ctx: &mut Context<'_>) -> Outcome {
    let hash: Option<&Hash> = ctx.state.get(&ctx.args[1])?;
    ctx.reply.array(hash.map_or(0, Hash::seen));
    hash.iter().flat_map(|hash| hash.iter()).for_each(|(_, value)| ctx.reply.bulk(value));
    Ok(())
}

/// `HLEN key`
pub fn hlen(ctx: &mut Context<'_>) -> Outcome {
    let hash: Option<&Hash> = ctx.state.get(&ctx.args[1])?;
    ctx.reply.count(hash.map_or(0, Hash::len));
    Ok(())
}

/// `HSTRLEN key field`: the length of the value, 0 if there is no field.
pub fn hstrlen(ctx: &mut Context<'_>) -> Outcome {
    let hash: Option<&Hash> = ctx.state.get(&ctx.args[1])?;
    ctx.reply.count(hash.and_then(|hash| hash.get(&ctx.args[2])).map_or(0, <[u8]>::len));
    Ok(())
}

/// `HEXISTS key field`
pub fn hexists(ctx: &mut Context<'_>) -> Outcome {
    let hash: Option<&Hash> = ctx.state.get(&ctx.args[1])?;
    ctx.reply.integer(i64::from(hash.is_some_and(|hash| hash.contains(&ctx.args[2]))));
    Ok(())
}

/// `HDEL key field [field ...]`: how many of the fields existed.
pub fn hdel(ctx: &mut Context<'_>) -> Outcome {
    let key = &ctx.args[1];
    let mut removed = 0;
    if let Some(hash) = ctx.state.get_mut::<Hash>(key)? {
        let fields = ctx.args.from(2);
        removed = fields.iter().filter(|field| hash.remove(field).is_some()).count();
        if removed > 0 {
            finish_removal(ctx.state, key, removed);
        }
    }
    ctx.reply.count(removed);
    Ok(())
}

/// `HGETDEL key FIELDS numfields field [field ...]`: the values of the fields, which are removed.
pub fn hgetdel(ctx: &mut Context<'_>) -> Outcome {
    let key = &ctx.args[1];
    let mut hash: Option<&mut Hash> = ctx.state.get_mut(key)?;
    let fields = field_list(ctx.args, 2, &Error::NUMBER_OF_FIELDS)?;
    ctx.reply.array(fields.len());
    let mut removed = 0;
    for field in fields.iter() {
        let value = hash.as_mut().and_then(|hash| hash.remove(field));
        ctx.reply.bulk_or_null(value.as_deref());
        removed += usize::from(value.is_some());
    }
    if removed > 0 {
        finish_removal(ctx.state, key, removed);
    }
    Ok(())
}

/// Notifies of fields that have been removed, of which `changes` count as changes.
fn finish_removal(state: &mut State, key: &[u8], changes: usize) {
    state.modified_by(changes, Class::HASH, "hdel", key);
    let emptied = matches!(state.get_mut::<Hash>(key), Ok(Some(hash)) if hash.is_empty());
    if emptied {
        state.remove_empty(key);
    } else {
        state.file_fields(key);
    }
}

/// The fields after `FIELDS numfields`, which is at the argument `at`; the fields end the command. `number` is
/// the error for an invalid number.
fn field_list<'a>(args: Args<'a>, at: usize, number: &Error) -> Result<Args<'a>, Error> {
    if !args.get(at).is_some_and(|word| is_option(word, "FIELDS")) {
        return Err(Error::new("ERR Mandatory argument FIELDS is missing or not at the right position"));
    }
    let wanted = at_least(&args[at + 1], 1).ok_or_else(|| number.clone())?;
    let fields = args.from(at + 2);
    if fields.len() != wanted {
        return Err(Error::new("ERR The `numfields` parameter must match the number of arguments"));
    }
    Ok(fields)
}
