//! Fields that expire: HEXPIRE and its relatives, HTTL and its relatives, HPERSIST, HGETEX, HSETEX.

use super::{field_list, finish_removal};
use crate::config::Class;
use crate::data::hash::{Deadline, HashLimits};
use crate::data::{Hash, Time};
use crate::resp::Args;
use crate::spec::numbers::{self, ExpiryCondition, ExpiryForm, integer, is_option};
use crate::spec::{Context, Error, Outcome};

/// The latest deadline of a field: redis-server keeps 46 bits of it.
const LATEST: i64 = (1 << 46) - 1;

/// The reply of HTTL and its relatives for a field that does not exist.
const NO_FIELD: i64 = -2;
/// Their reply for a field that does not expire.
const NO_EXPIRY: i64 = -1;

/// The reply of HEXPIRE for a field whose condition is not met.
const NOT_MET: i64 = 0;
/// Its reply for a field whose deadline is set.
const SET: i64 = 1;
/// Its reply for a field that is removed at once.
const REMOVED: i64 = 2;

/// Reads a time of expiry of fields.
fn read_deadline(text: &[u8], form: ExpiryForm, now: Time, command: &str) -> Result<i64, Error> {
    let value = integer(text)?;
    if value < 0 {
        return Err(Error::new("ERR invalid expire time, must be >= 0"));
    }
    let deadline = form.deadline(value, now).filter(|at| *at <= LATEST);
    deadline.ok_or_else(|| Error::invalid_expire_time(command))
}

/// `HEXPIRE key seconds [NX|XX|GT|LT] FIELDS numfields field [field ...]`
pub fn hexpire(ctx: &mut Context<'_>) -> Outcome {
    set_deadlines(ctx, ExpiryForm::EX)
}

/// `HPEXPIRE key milliseconds [NX|XX|GT|LT] FIELDS numfields field [field ...]`
pub fn hpexpire(ctx: &mut Context<'_>) -> Outcome {
    set_deadlines(ctx, ExpiryForm::PX)
}

/// `HEXPIREAT key unix-time-seconds [NX|XX|GT|LT] FIELDS numfields field [field ...]`
pub fn hexpireat(ctx: &mut Context<'_>) -> Outcome {
    set_deadlines(ctx, ExpiryForm::EXAT)
}

/// `HPEXPIREAT key unix-time-milliseconds [NX|XX|GT|LT] FIELDS numfields field [field ...]`
pub fn hpexpireat(ctx: &mut Context<'_>) -> Outcome {
    set_deadlines(ctx, ExpiryForm::PXAT)
}

fn set_deadlines(ctx: &mut Context<'_>, form: ExpiryForm) -> Outcome {
    let (args, now) = (ctx.args, ctx.state.now);
    let key = &args[1];
    let hash: Option<&mut Hash> = ctx.state.get_mut(key)?;
    let deadline = read_deadline(&args[2], form, now, ctx.command.name)?;
    let condition = ExpiryCondition::by_option(&args[3]);
    let fields = field_list(args, if condition.is_some() { 4 } else { 3 }, &Error::FIELDS_TO_EXPIRE)?;
    ctx.reply.array(fields.len());
    let Some(hash) = hash else {
        (0..fields.len()).for_each(|_| ctx.reply.integer(NO_FIELD));
        return Ok(());
    };
    hash.expect_deadlines();
    let (mut set, mut removed) = (0, 0);
    for field in fields.iter() {
        let old = hash.deadline(field);
        let outcome = if !hash.contains(field) {
            NO_FIELD
        } else if condition.is_some_and(|condition| !condition.is_met(old, deadline)) {
            NOT_MET
        } else if deadline <= now.millis() {
            hash.remove(field);
            removed += 1;
            REMOVED
        } else {
            hash.set_deadline(field, Some(deadline));
            set += 1;
            SET
        };
        ctx.reply.integer(outcome);
    }
    finish(ctx, key, set, removed);
    Ok(())
}

/// Counts the changes and sends the notifications after the deadlines of `set` fields have been set, and
/// `removed` fields have been removed because their deadline has passed.
fn finish(ctx: &mut Context<'_>, key: &[u8], set: usize, removed: usize) {
    if set > 0 {
        ctx.state.modified_by(set, Class::HASH, "hexpire", key);
        ctx.state.file_fields(key);
    }
    if removed > 0 {
        ctx.state.stats.expired_fields += removed as u64;
        finish_removal(ctx.state, key, removed);
    }
}

/// `HTTL key FIELDS numfields field [field ...]`
pub fn httl(ctx: &mut Context<'_>) -> Outcome {
    let now = ctx.state.now.millis();
    tell_deadlines(ctx, |at| seconds(at - now))
}

/// `HPTTL key FIELDS numfields field [field ...]`
pub fn hpttl(ctx: &mut Context<'_>) -> Outcome {
    let now = ctx.state.now.millis();
    tell_deadlines(ctx, |at| at - now)
}

/// `HEXPIRETIME key FIELDS numfields field [field ...]`
pub fn hexpiretime(ctx: &mut Context<'_>) -> Outcome {
    tell_deadlines(ctx, seconds)
}

/// `HPEXPIRETIME key FIELDS numfields field [field ...]`
pub fn hpexpiretime(ctx: &mut Context<'_>) -> Outcome {
    tell_deadlines(ctx, |at| at)
}

/// Milliseconds as seconds, rounded up.
fn seconds(millis: i64) -> i64 {
    (millis + 999) / 1000
}

fn tell_deadlines(ctx: &mut Context<'_>, tell: impl Fn(i64) -> i64) -> Outcome {
    let hash: Option<&Hash> = ctx.state.get(&ctx.args[1])?;
    let fields = field_list(ctx.args, 2, &Error::NUMBER_OF_FIELDS)?;
    ctx.reply.array(fields.len());
    for field in fields.iter() {
        let hash = hash.filter(|hash| hash.contains(field));
        ctx.reply.integer(hash.map_or(NO_FIELD, |hash| hash.deadline(field).map_or(NO_EXPIRY, &tell)));
    }
    Ok(())
}

/// `HPERSIST key FIELDS numfields field [field ...]`
pub fn hpersist(ctx: &mut Context<'_>) -> Outcome {
    let key = &ctx.args[1];
    let mut hash: Option<&mut Hash> = ctx.state.get_mut(key)?;
    let fields = field_list(ctx.args, 2, &Error::NUMBER_OF_FIELDS)?;
    ctx.reply.array(fields.len());
    let mut persisted = 0;
    for field in fields.iter() {
        let outcome = match hash.as_mut().filter(|hash| hash.contains(field)) {
            None => NO_FIELD,
            Some(hash) => {
                let changed = persist(hash, field);
                persisted += usize::from(changed);
                if changed { SET } else { NO_EXPIRY }
            }
        };
        ctx.reply.integer(outcome);
    }
    if persisted > 0 {
        ctx.state.modified_by(persisted, Class::HASH, "hpersist", key);
    }
    Ok(())
}

/// Removes the deadline of a field; false if it has none.
fn persist(hash: &mut Hash, field: &[u8]) -> bool {
    let expires = hash.deadline(field).is_some();
    if expires {
        hash.set_deadline(field, None);
    }
    expires
}

/// What HGETEX does to the fields that it reads.
#[derive(Clone, Copy)]
enum Change {
    Nothing,
    Persist,
    Expire(i64),
}

/// `HGETEX key [EX seconds|PX milliseconds|EXAT time|PXAT time|PERSIST] FIELDS numfields field [field ...]`
pub fn hgetex(ctx: &mut Context<'_>) -> Outcome {
    let (args, now) = (ctx.args, ctx.state.now);
    let key = &args[1];
    let mut hash: Option<&mut Hash> = ctx.state.get_mut(key)?;
    let (change, at) = if let Some(form) = ExpiryForm::by_option(&args[2]) {
        let deadline = read_deadline(&args[3], form, now, ctx.command.name)?;
        if args.len() < 6 {
            return Err(Error::arity(ctx.command.name));
        }
        (Change::Expire(deadline), 4)
    } else if is_option(&args[2], "PERSIST") {
        (Change::Persist, 3)
    } else {
        (Change::Nothing, 2)
    };
    let fields = field_list(args, at, &Error::NUMBER_OF_FIELDS)?;
    if let Some(hash) = &mut hash
        && !matches!(change, Change::Nothing)
    {
        hash.expect_deadlines();
    }
    ctx.reply.array(fields.len());
    let (mut set, mut removed, mut persisted) = (0, 0, 0);
    for field in fields.iter() {
        let Some(hash) = hash.as_mut().filter(|hash| hash.contains(field)) else {
            ctx.reply.null();
            continue;
        };
        ctx.reply.bulk_or_null(hash.get(field));
        match change {
            Change::Nothing => {}
            Change::Persist => persisted += usize::from(persist(hash, field)),
            Change::Expire(at) if at <= now.millis() => {
                hash.remove(field);
                removed += 1;
            }
            Change::Expire(at) => {
                hash.set_deadline(field, Some(at));
                set += 1;
            }
        }
    }
    if persisted > 0 {
        ctx.state.modified_by(persisted, Class::HASH, "hpersist", key);
    }
    finish(ctx, key, set, removed);
    Ok(())
}

/// The options before FIELDS in HSETEX.
#[derive(Default)]
struct SetOptions {
    /// `FXX`: all fields must exist. `FNX`: none may exist.
    must_exist: Option<bool>,
    keep: bool,
    deadline: Option<i64>,
}

/// Reads HSETEX up to its fields and values, and returns these.
fn read_set<'a>(args: Args<'a>, now: Time, command: &str) -> Result<(SetOptions, Args<'a>), Error> {
    let mut options = SetOptions::default();
    let mut at = 2;
    while let Some(option) = args.get(at) {
        let form = ExpiryForm::by_option(option);
        if is_option(option, "FIELDS") {
            const MOST: usize = i32::MAX as usize;
            if at + 3 >= args.len() {
                break;
            }
            let number = numbers::at_least(&args[at + 1], 1).filter(|number| *number <= MOST);
            let number = number.ok_or(Error::new("ERR invalid number of fields"))?;
            let pairs = args.from(at + 2);
            if pairs.len() != number * 2 {
                break;
            }
            return Ok((options, pairs));
        } else if is_option(option, "FXX") || is_option(option, "FNX") {
            if options.must_exist.is_some() {
                return Err(Error::new("ERR Only one of FXX or FNX arguments can be specified"));
            }
            options.must_exist = Some(is_option(option, "FXX"));
        } else if is_option(option, "KEEPTTL") || form.is_some() {
            if options.keep || options.deadline.is_some() {
                let text = "ERR Only one of EX, PX, EXAT, PXAT or KEEPTTL arguments can be specified";
                return Err(Error::new(text));
            }
            if let Some(form) = form {
                at += 1;
                let Some(time) = args.get(at) else { break };
                options.deadline = Some(read_deadline(time, form, now, command)?);
            } else {
                options.keep = true;
            }
        } else {
            return Err(Error::quoting("ERR unknown argument: ", option, ""));
        }
        at += 1;
    }
    Err(Error::arity(command))
}

/// `HSETEX key [FNX|FXX] [EX seconds|PX milliseconds|EXAT time|PXAT time|KEEPTTL] FIELDS numfields field value
/// [field value ...]`: 1, or 0 if the condition is not met.
pub fn hsetex(ctx: &mut Context<'_>) -> Outcome {
    let (key, now) = (&ctx.args[1], ctx.state.now);
    let (options, pairs) = read_set(ctx.args, now, ctx.command.name)?;
    let limits = HashLimits::of(&ctx.state.config);
    let hash: Option<&mut Hash> = ctx.state.get_mut(key)?;
    let number = pairs.len() / 2;
    let fields = || (0..number).map(|nth| &pairs[2 * nth]);
    if let Some(wanted) = options.must_exist {
        let contains = |field: &[u8]| hash.as_ref().is_some_and(|hash| hash.contains(field));
        if fields().any(|field| contains(field) != wanted) {
            ctx.reply.integer(0);
            return Ok(());
        }
    }
    let hash: &mut Hash = ctx.state.get_or_create(key)?;
    hash.expect(number, limits);
    let kept = if options.keep { Deadline::Keep } else { Deadline::Clear };
    for nth in 0..number {
        hash.set_with(&pairs[2 * nth], &pairs[2 * nth + 1], kept, limits);
    }
    let (mut set, mut removed) = (0, 0);
    if let Some(at) = options.deadline {
        hash.expect_deadlines();
        for field in fields() {
            if at > now.millis() {
                hash.set_deadline(field, Some(at));
                set += 1;
            } else {
                removed += usize::from(hash.remove(field).is_some());
            }
        }
    }
    ctx.state.modified_by(number, Class::HASH, "hset", key);
    // The change has been counted already.
    if set > 0 {
        ctx.state.modified_by(0, Class::HASH, "hexpire", key);
        ctx.state.file_fields(key);
    }
    if removed > 0 {
        ctx.state.stats.expired_fields += removed as u64;
        finish_removal(ctx.state, key, 0);
    }
    ctx.reply.integer(1);
    Ok(())
}
