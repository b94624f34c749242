//! Keys, whatever they hold.

use super::numbers::{self, ExpiryForm, integer, is_option, up_to_nul};
use super::{Context, Error, Outcome};
use crate::store::{Class, Entry, pattern};

/// `DEL key [key ...]`: how many of the keys there were.
pub fn del(ctx: &mut Context<'_>) -> Outcome {
    let mut removed = 0;
    for key in ctx.args.from(1).iter() {
        if ctx.store.remove(key).is_some() {
            ctx.store.modified(Class::GENERIC, "del", key);
            removed += 1;
        }
    }
    ctx.reply.integer(removed);
    Ok(())
}

/// `UNLINK key [key ...]`: as [`del`], as nothing here is so large that it had to be freed in the background.
pub fn unlink(ctx: &mut Context<'_>) -> Outcome {
    del(ctx)
}

/// `EXISTS key [key ...]`: how many there are, a key that is named twice counted twice.
pub fn exists(ctx: &mut Context<'_>) -> Outcome {
    let found = ctx.args.from(1).iter().filter(|key| ctx.store.read(key).is_some()).count();
    ctx.reply.count(found);
    Ok(())
}

/// `TYPE key`.
pub fn type_(ctx: &mut Context<'_>) -> Outcome {
    let entry = ctx.store.read(&ctx.args[1]);
    ctx.reply.simple(entry.map_or("none", |entry| entry.value.kind().name()));
    Ok(())
}

/// `EXPIRE key seconds [NX|XX|GT|LT]`: 1 if the expiry was set.
///
/// # Errors
///
/// Options that are none or do not fit together, a time that is no integer or out of range.
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

/// Under which conditions an expiry is set.
#[derive(Default)]
#[allow(clippy::struct_excessive_bools)]
struct Conditions {
    /// `NX`: the key does not expire yet.
    none: bool,
    /// `XX`: the key does expire.
    some: bool,
    /// `GT`: it would expire later than now.
    later: bool,
    /// `LT`: it would expire sooner than now.
    sooner: bool,
}

impl Conditions {
    fn read(ctx: &Context<'_>) -> Result<Self, Error> {
        let mut conditions = Self::default();
        for option in ctx.args.from(3).iter() {
            let known = [
                ("NX", &mut conditions.none),
                ("XX", &mut conditions.some),
                ("GT", &mut conditions.later),
                ("LT", &mut conditions.sooner),
            ];
            let Some((_, flag)) = known.into_iter().find(|(name, _)| is_option(option, name)) else {
                return Err(Error::from_bytes([b"ERR Unsupported option ", up_to_nul(option)].concat()));
            };
            *flag = true;
        }
        if conditions.none && (conditions.some || conditions.later || conditions.sooner) {
            let text = "ERR NX and XX, GT or LT options at the same time are not compatible";
            return Err(Error::new(text));
        }
        if conditions.later && conditions.sooner {
            return Err(Error::new("ERR GT and LT options at the same time are not compatible"));
        }
        Ok(conditions)
    }

    /// Whether a key that expires at `old` may be made to expire at `new`. No expiry counts as never.
    fn allow(&self, old: Option<i64>, new: i64) -> bool {
        let refused = self.none && old.is_some()
            || self.some && old.is_none()
            || self.later && old.is_none_or(|old| new <= old)
            || self.sooner && old.is_some_and(|old| new >= old);
        !refused
    }
}

fn set_expiry(ctx: &mut Context<'_>, form: ExpiryForm) -> Outcome {
    let key = &ctx.args[1];
    let conditions = Conditions::read(ctx)?;
    let value = integer(&ctx.args[2])?;
    let at = form.deadline(value, ctx.store.now);
    let at = at.ok_or_else(|| Error::invalid_expire_time(&ctx.command.full_name()))?;
    let allowed = ctx.store.peek(key).is_some_and(|entry| conditions.allow(entry.expires(), at));
    if allowed && at <= ctx.store.now.millis() {
        ctx.store.remove(key);
        ctx.store.modified(Class::GENERIC, "del", key);
    } else if allowed {
        ctx.store.set_expiry(key, Some(at));
        ctx.store.modified(Class::GENERIC, "expire", key);
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
    millis.saturating_add(500) / 1000
}

fn answer_expiry(ctx: &mut Context<'_>, tell: impl Fn(i64, i64) -> i64) {
    let now = ctx.store.now.millis();
    let answer = match ctx.store.read(&ctx.args[1]).map(Entry::expires) {
        None => -2,
        Some(None) => -1,
        Some(Some(at)) => tell(at, now),
    };
    ctx.reply.integer(answer);
}

/// `PERSIST key`: 1 if the key would have expired.
pub fn persist(ctx: &mut Context<'_>) -> Outcome {
    let key = &ctx.args[1];
    let persisted = ctx.store.contains(key) && ctx.store.set_expiry(key, None).is_some();
    if persisted {
        ctx.store.modified(Class::GENERIC, "persist", key);
    }
    ctx.reply.integer(i64::from(persisted));
    Ok(())
}

/// `KEYS pattern`.
pub fn keys(ctx: &mut Context<'_>) -> Outcome {
    let wanted = Some(&ctx.args[1]);
    let now = ctx.store.now.millis();
    let start = ctx.reply.position();
    let mut found = 0;
    for (key, entry) in ctx.store.database().iter() {
        if is_wanted(key, wanted) && entry.expires().is_none_or(|at| at > now) {
            ctx.reply.bulk(key);
            found += 1;
        }
    }
    ctx.reply.insert_array(start, found);
    Ok(())
}

/// Whether a key matches the pattern of KEYS or SCAN. `*` means all, also the empty key, which the pattern `*`
/// does not match elsewhere.
pub(super) fn is_wanted(key: &[u8], wanted: Option<&[u8]>) -> bool {
    wanted.is_none_or(|wanted| wanted == b"*" || pattern::matches(wanted, key, false))
}

/// `SCAN cursor [MATCH pattern] [COUNT count] [TYPE type]`.
///
/// # Errors
///
/// The cursor is none, unknown options, or a count that is none.
pub fn scan(ctx: &mut Context<'_>) -> Outcome {
    let args = ctx.args;
    let cursor = numbers::cursor(&args[1])?;
    let mut count = 10;
    let mut wanted: Option<&[u8]> = None;
    let mut kind: Option<&[u8]> = None;
    let mut at = 2;
    while let Some(option) = args.get(at) {
        if is_option(option, "NOVALUES") {
            return Err(Error::new("ERR NOVALUES option can only be used in HSCAN"));
        }
        let Some(value) = args.get(at + 1) else { return Err(Error::SYNTAX) };
        if is_option(option, "COUNT") {
            count = u64::try_from(integer(value)?).unwrap_or_default();
            if count < 1 {
                return Err(Error::SYNTAX);
            }
        } else if is_option(option, "MATCH") {
            wanted = Some(value);
        } else if is_option(option, "TYPE") {
            kind = Some(value);
        } else {
            return Err(Error::SYNTAX);
        }
        at += 2;
    }
    let portion = ctx.store.scan(cursor, count);
    ctx.reply.array(2);
    ctx.reply.bulk_integer(i64::try_from(portion.start).unwrap_or(i64::MAX));
    let start = ctx.reply.position();
    let now = ctx.store.now.millis();
    let mut found = 0;
    for (key, entry) in portion.filter_map(|index| ctx.store.database().at(index)) {
        let is_of_kind = |kind| is_option(kind, entry.value.kind().name());
        // Expired keys are gone, unless CLIENT PAUSE keeps them.
        let is_there = entry.expires().is_none_or(|at| at > now);
        if is_there && kind.is_none_or(is_of_kind) && is_wanted(key, wanted) {
            ctx.reply.bulk(key);
            found += 1;
        }
    }
    ctx.reply.insert_array(start, found);
    Ok(())
}

/// `RENAME key newkey`.
///
/// # Errors
///
/// There is no such key.
pub fn rename(ctx: &mut Context<'_>) -> Outcome {
    let (from, to) = (&ctx.args[1], &ctx.args[2]);
    if !ctx.store.contains(from) {
        return Err(Error::NO_SUCH_KEY);
    }
    if from != to {
        ctx.store.rename(from, to);
    }
    ctx.reply.ok();
    Ok(())
}

/// `RENAMENX key newkey`
pub fn renamenx(ctx: &mut Context<'_>) -> Outcome {
    let (from, to) = (&ctx.args[1], &ctx.args[2]);
    if !ctx.store.contains(from) {
        return Err(Error::NO_SUCH_KEY);
    }
    let renamed = !ctx.store.contains(to) && ctx.store.rename(from, to);
    ctx.reply.integer(i64::from(renamed));
    Ok(())
}
