//! Keys of any type.

use super::connection::database;
use super::scan::{self, Options, Over};
use crate::config::Class;
use crate::keyspace::Entry;
use crate::resp::up_to_nul;
use crate::spec::numbers::{self, ExpiryCondition, ExpiryForm, integer, integer_of_32_bits, is_option};
use crate::spec::{Context, Error, Outcome};
use crate::state::Lookup;

/// `DEL key [key ...]`: how many of the keys existed.
pub fn del(ctx: &mut Context<'_>) -> Outcome {
    let mut removed = 0;
    for key in ctx.args.from(1).iter() {
        if ctx.state.remove(key).is_some() {
            ctx.state.modified(Class::GENERIC, "del", key);
            removed += 1;
        }
    }
    ctx.reply.integer(removed);
    Ok(())
}

/// `UNLINK key [key ...]`: as [`del`]: nothing here is so large that it has to be freed in the background.
pub fn unlink(ctx: &mut Context<'_>) -> Outcome {
    del(ctx)
}

/// `EXISTS key [key ...]`: how many of the keys exist; a key that is named twice counts twice.
pub fn exists(ctx: &mut Context<'_>) -> Outcome {
    let found = ctx.args.from(1).iter().filter(|key| ctx.state.lookup(key, Lookup::Hit).is_some()).count();
    ctx.reply.count(found);
    Ok(())
}

/// `TOUCH key [key ...]`: how many of the keys exist; their last use is now.
pub fn touch(ctx: &mut Context<'_>) -> Outcome {
    let found = ctx.args.from(1).iter().filter(|key| ctx.state.lookup(key, Lookup::Use).is_some()).count();
    ctx.reply.count(found);
    Ok(())
}

/// `TYPE key`.
pub fn type_(ctx: &mut Context<'_>) -> Outcome {
    let entry = ctx.state.lookup(&ctx.args[1], Lookup::Hit);
    ctx.reply.simple(entry.map_or("none", |entry| entry.value.kind().name()));
    Ok(())
}

/// `EXPIRE key seconds [NX|XX|GT|LT]`: 1 if the expiry was set.
///
/// # Errors
///
/// Invalid options or options that do not fit together, a time that is not an integer or is out of range.
pub fn expire(ctx: &mut Context<'_>) -> Outcome {
    set_expiry(ctx, ExpiryForm::EX)
}

/// `PEXPIRE key milliseconds [NX|XX|GT|LT]`.
///
/// # Errors
///
/// As [`expire`].
pub fn pexpire(ctx: &mut Context<'_>) -> Outcome {
    set_expiry(ctx, ExpiryForm::PX)
}

/// `EXPIREAT key unix-time-seconds [NX|XX|GT|LT]`.
///
/// # Errors
///
/// As [`expire`].
pub fn expireat(ctx: &mut Context<'_>) -> Outcome {
    set_expiry(ctx, ExpiryForm::EXAT)
}

/// `PEXPIREAT key unix-time-milliseconds [NX|XX|GT|LT]`.
///
/// # Errors
///
/// As [`expire`].
pub fn pexpireat(ctx: &mut Context<'_>) -> Outcome {
    set_expiry(ctx, ExpiryForm::PXAT)
}

/// Reads the conditions under which an expiry is set; all of them have to be met.
fn conditions(ctx: &Context<'_>) -> Result<Vec<ExpiryCondition>, Error> {
    use ExpiryCondition::{Later, None, Sooner};
    let read = |option| {
        let unknown = || Error::from_bytes([b"ERR Unsupported option ", up_to_nul(option)].concat());
        ExpiryCondition::by_option(option).ok_or_else(unknown)
    };
    let conditions = ctx.args.from(3).iter().map(read).collect::<Result<Vec<_>, _>>()?;
    if conditions.contains(&None) && conditions.iter().any(|condition| *condition != None) {
        let text = "ERR NX and XX, GT or LT options at the same time are not compatible";
        return Err(Error::new(text));
    }
    if conditions.contains(&Later) && conditions.contains(&Sooner) {
        return Err(Error::new("ERR GT and LT options at the same time are not compatible"));
    }
    Ok(conditions)
}

fn set_expiry(ctx: &mut Context<'_>, form: ExpiryForm) -> Outcome {
    let key = &ctx.args[1];
    let conditions = conditions(ctx)?;
    let value = integer(&ctx.args[2])?;
    let at = form.deadline(value, ctx.state.now);
    let at = at.ok_or_else(|| Error::invalid_expire_time(&ctx.command.full_name()))?;
    ctx.state.touch(key);
    let old = ctx.state.lookup(key, Lookup::Uncounted).map(Entry::expires);
    let allowed = old.is_some_and(|old| conditions.iter().all(|condition| condition.is_met(old, at)));
    if allowed && at <= ctx.state.now.millis() {
        ctx.state.remove(key);
        ctx.state.modified(Class::GENERIC, "del", key);
    } else if allowed {
        ctx.state.set_expiry(key, Some(at));
        ctx.state.modified(Class::GENERIC, "expire", key);
    }
    ctx.reply.integer(i64::from(allowed));
    Ok(())
}

/// `EXPIRETIME key`: in seconds since the Unix epoch; -1 if the key does not expire, -2 if there is none.
pub fn expiretime(ctx: &mut Context<'_>) -> Outcome {
    answer_expiry(ctx, |at, _| rounded_seconds(at));
    Ok(())
}

/// `PEXPIRETIME key`: as [`expiretime`], in milliseconds.
pub fn pexpiretime(ctx: &mut Context<'_>) -> Outcome {
    answer_expiry(ctx, |at, _| at);
    Ok(())
}

/// `TTL key`: seconds until the key expires; -1 if it does not, -2 if there is none.
pub fn ttl(ctx: &mut Context<'_>) -> Outcome {
    answer_expiry(ctx, |at, now| rounded_seconds((at - now).max(0)));
    Ok(())
}

/// `PTTL key`: as [`ttl`], in milliseconds.
pub fn pttl(ctx: &mut Context<'_>) -> Outcome {
    answer_expiry(ctx, |at, now| (at - now).max(0));
    Ok(())
}

fn rounded_seconds(millis: i64) -> i64 {
    millis / 1000 + i64::from(millis % 1000 >= 500)
}

fn answer_expiry(ctx: &mut Context<'_>, tell: impl Fn(i64, i64) -> i64) {
    let now = ctx.state.now.millis();
    let answer = match ctx.state.lookup(&ctx.args[1], Lookup::Hit).map(Entry::expires) {
        None => -2,
        Some(None) => -1,
        Some(Some(at)) => tell(at, now),
    };
    ctx.reply.integer(answer);
}

/// `PERSIST key`: 1 if the key had an expiry.
pub fn persist(ctx: &mut Context<'_>) -> Outcome {
    let key = &ctx.args[1];
    let persisted = ctx.state.touch(key) && ctx.state.set_expiry(key, None).is_some();
    if persisted {
        ctx.state.modified(Class::GENERIC, "persist", key);
    }
    ctx.reply.integer(i64::from(persisted));
    Ok(())
}

/// `COPY source destination [DB destination-db] [REPLACE]`: 1 if the key was copied.
///
/// # Errors
///
/// Invalid options, there is no such database, or both are the same key.
pub fn copy(ctx: &mut Context<'_>) -> Outcome {
    let args = ctx.args;
    let (from, to) = (&args[1], &args[2]);
    let (mut db, mut replaces) = (ctx.state.db, false);
    let mut at = 3;
    while let Some(option) = args.get(at) {
        at += 1;
        if is_option(option, "REPLACE") {
            replaces = true;
        } else if is_option(option, "DB")
            && let Some(index) = args.get(at)
        {
            db = database(ctx, integer_of_32_bits(index)?)?;
            at += 1;
        } else {
            return Err(Error::SYNTAX);
        }
    }
    if db == ctx.state.db && from == to {
        return Err(Error::SAME_OBJECT);
    }
    let copies = ctx.state.lookup(from, Lookup::Use).is_some()
        && (!ctx.state.in_database(db, |state| state.touch(to)) || replaces);
    let version = ctx.state.config.compat;
    if copies && let Some(entry) = ctx.state.lookup_mut(from, Lookup::Uncounted) {
        entry.keep_encoding(from, version);
        let (value, expires) = (entry.value.clone(), entry.expires());
        ctx.state.in_database(db, |state| {
            // Removed first: the copy is a new key even if it replaces one.
            let before = state.remove(to).map(|old| old.value.kind());
            let kind = value.kind();
            state.insert(to, value, expires);
            state.modified(Class::GENERIC, "copy_to", to);
            if let Some(before) = before {
                state.replaced(to, before, kind);
            }
        });
    }
    ctx.reply.integer(i64::from(copies));
    Ok(())
}

/// `MOVE key db`: 1 if the key was moved.
///
/// # Errors
///
/// There is no such database, or it is the current one.
pub fn move_(ctx: &mut Context<'_>) -> Outcome {
    let key = &ctx.args[1];
    let db = integer_of_32_bits(&ctx.args[2])?;
    let db = database(ctx, db)?;
    if db == ctx.state.db {
        return Err(Error::SAME_OBJECT);
    }
    let moves = ctx.state.touch(key) && !ctx.state.in_database(db, |state| state.touch(key));
    if moves && let Some(entry) = ctx.state.remove(key) {
        let expires = entry.expires();
        ctx.state.in_database(db, |state| {
            state.insert(key, entry.value, expires);
            state.key_changed(key);
        });
        ctx.state.modified(Class::GENERIC, "move_from", key);
        ctx.state.in_database(db, |state| state.event(Class::GENERIC, "move_to", key));
    }
    ctx.reply.integer(i64::from(moves));
    Ok(())
}

/// `RANDOMKEY`: the name of some key.
pub fn randomkey(ctx: &mut Context<'_>) -> Outcome {
    let key = ctx.state.random_key();
    ctx.reply.bulk_or_null(key.as_deref());
    Ok(())
}

/// `KEYS pattern`.
pub fn keys(ctx: &mut Context<'_>) -> Outcome {
    let wanted = &ctx.args[1];
    let now = ctx.state.now.millis();
    let start = ctx.reply.position();
    let mut found = 0;
    for (key, entry) in ctx.state.database().iter() {
        if scan::matches(wanted, key) && entry.expires().is_none_or(|at| at > now) {
            ctx.reply.bulk(key);
            found += 1;
        }
    }
    ctx.reply.insert_array(start, found);
    Ok(())
}

/// `SCAN cursor [MATCH pattern] [COUNT count] [TYPE type]`.
///
/// # Errors
///
/// An invalid cursor, unknown options, or an invalid count.
pub fn scan(ctx: &mut Context<'_>) -> Outcome {
    let args = ctx.args;
    let version = ctx.state.config.compat;
    let cursor = numbers::cursor(&args[1], version)?;
    let options = Options::read(args.from(2), Over::Keys, version)?;
    let (next, indices) = ctx.state.scan(cursor, options.count);
    let (database, now) = (ctx.state.database(), ctx.state.now.millis());
    scan::answer(&mut ctx.reply, next, |reply| {
        let mut found = 0;
        for (key, entry) in indices.filter_map(|index| database.at(index)) {
            let is_of_kind = |kind| is_option(kind, entry.value.kind().name());
            // Expired keys are removed already, unless CLIENT PAUSE keeps them.
            let is_there = entry.expires().is_none_or(|at| at > now);
            if is_there && options.kind.is_none_or(is_of_kind) && options.wants(key) {
                reply.bulk(key);
                found += 1;
            }
        }
        found
    });
    Ok(())
}

/// `RENAME key newkey`.
///
/// # Errors
///
/// There is no such key.
pub fn rename(ctx: &mut Context<'_>) -> Outcome {
    let (from, to) = (&ctx.args[1], &ctx.args[2]);
    if !ctx.state.contains(from) {
        return Err(Error::NO_SUCH_KEY);
    }
    if from != to {
        ctx.state.rename(from, to);
    }
    ctx.reply.ok();
    Ok(())
}

/// `RENAMENX key newkey`
pub fn renamenx(ctx: &mut Context<'_>) -> Outcome {
    let (from, to) = (&ctx.args[1], &ctx.args[2]);
    if !ctx.state.contains(from) {
        return Err(Error::NO_SUCH_KEY);
    }
    let renamed = !ctx.state.contains(to) && ctx.state.rename(from, to);
    ctx.reply.integer(i64::from(renamed));
    Ok(())
}
