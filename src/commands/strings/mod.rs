//! Strings.

mod lcs;

use crate::config::Class;
use crate::data::{ByteString, Value};
use crate::resp::LongDouble;
use crate::spec::numbers::{ExpiryForm, integer, is_option, string_range};
use crate::spec::{Context, Error, Outcome};
use crate::state::Lookup;

pub use lcs::lcs;

/// What happens to the expiry of a key.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Expiry<'a> {
    /// No option is given.
    Unsaid,
    /// `KEEPTTL`.
    Keep,
    /// `PERSIST`.
    Persist,
    /// `EX`, `PX`, `EXAT` or `PXAT` with its argument.
    Set(ExpiryForm, &'a [u8]),
}

/// The options of SET and GETEX.
struct Options<'a> {
    if_missing: bool,
    if_there: bool,
    get: bool,
    expiry: Expiry<'a>,
}

impl<'a> Options<'a> {
    /// Reads the options from argument `from` on. SET takes all but `PERSIST`, GETEX only those about the
    /// expiry without `KEEPTTL`.
    fn read(ctx: &Context<'a>, from: usize, of_set: bool) -> Result<Self, Error> {
        let mut options = Self { if_missing: false, if_there: false, get: false, expiry: Expiry::Unsaid };
        let args = ctx.args;
        let mut at = from;
        while let Some(option) = args.get(at) {
            at += 1;
            let expiry = options.expiry;
            if of_set && is_option(option, "NX") && !options.if_there {
                options.if_missing = true;
            } else if of_set && is_option(option, "XX") && !options.if_missing {
                options.if_there = true;
            } else if of_set && is_option(option, "GET") {
                options.get = true;
            } else if of_set
                && is_option(option, "KEEPTTL")
                && matches!(expiry, Expiry::Unsaid | Expiry::Keep)
            {
                options.expiry = Expiry::Keep;
            } else if !of_set
                && is_option(option, "PERSIST")
                && matches!(expiry, Expiry::Unsaid | Expiry::Persist)
            {
                options.expiry = Expiry::Persist;
            } else if let Some(form) = ExpiryForm::by_option(option)
                && let Some(value) = args.get(at)
                && match expiry {
                    Expiry::Unsaid => true,
                    // If the same option is repeated, the last one counts.
                    Expiry::Set(earlier, _) => earlier == form,
                    Expiry::Keep | Expiry::Persist => false,
                }
            {
                options.expiry = Expiry::Set(form, value);
                at += 1;
            } else {
                return Err(Error::SYNTAX);
            }
        }
        Ok(options)
    }
}

/// The time that a value of `EX`, `PX`, `EXAT` or `PXAT` means, in milliseconds since the Unix epoch.
fn deadline(ctx: &Context<'_>, form: ExpiryForm, value: &[u8]) -> Result<i64, Error> {
    let value = integer(value)?;
    let at = form.deadline(value, ctx.state.now).filter(|_| value > 0);
    at.ok_or_else(|| Error::invalid_expire_time(&ctx.command.full_name()))
}

/// `SET key value [NX|XX] [GET] [EX seconds|PX milliseconds|EXAT time|PXAT time|KEEPTTL]`.
///
/// # Errors
///
/// Options that do not fit together, an invalid time; with GET, if the key holds another type.
pub fn set(ctx: &mut Context<'_>) -> Outcome {
    let args = ctx.args;
    let (key, value) = (&args[1], &args[2]);
    if args.len() == 3 {
        ctx.state.set_string(key, value, None);
        ctx.state.modified(Class::STRING, "set", key);
        ctx.reply.ok();
        return Ok(());
    }
    let options = Options::read(ctx, 3, true)?;
    let mut expires = match options.expiry {
        Expiry::Set(form, value) => Some(deadline(ctx, form, value)?),
        _ => None,
    };
    if options.get {
        let old: Option<&ByteString> = ctx.state.get(key)?;
        ctx.reply.bulk_or_null(old.map(ByteString::bytes).as_deref());
    }
    let old = ctx.state.lookup(key, Lookup::Uncounted);
    if options.if_missing && old.is_some() || options.if_there && old.is_none() {
        if !options.get {
            ctx.reply.null();
        }
        return Ok(());
    }
    if options.expiry == Expiry::Keep {
        expires = old.and_then(crate::keyspace::Entry::expires);
    }
    ctx.state.set_string(key, value, expires);
    ctx.state.modified(Class::STRING, "set", key);
    if matches!(options.expiry, Expiry::Set(..)) {
        ctx.state.event(Class::GENERIC, "expire", key);
    }
    if !options.get {
        ctx.reply.ok();
    }
    Ok(())
}

/// `SETEX key seconds value`.
///
/// # Errors
///
/// An invalid time.
pub fn setex(ctx: &mut Context<'_>) -> Outcome {
    set_with_expiry(ctx, ExpiryForm::EX)
}

/// `PSETEX key milliseconds value`.
///
/// # Errors
///
/// An invalid time.
pub fn psetex(ctx: &mut Context<'_>) -> Outcome {
    set_with_expiry(ctx, ExpiryForm::PX)
}

fn set_with_expiry(ctx: &mut Context<'_>, form: ExpiryForm) -> Outcome {
    let (key, time, value) = (&ctx.args[1], &ctx.args[2], &ctx.args[3]);
    let expires = deadline(ctx, form, time)?;
    ctx.state.set_string(key, value, Some(expires));
    ctx.state.modified(Class::STRING, "set", key);
    ctx.state.event(Class::GENERIC, "expire", key);
    ctx.reply.ok();
    Ok(())
}

/// `SETNX key value`: whether the key was set.
pub fn setnx(ctx: &mut Context<'_>) -> Outcome {
    let (key, value) = (&ctx.args[1], &ctx.args[2]);
    let missing = !ctx.state.contains(key);
    if missing {
        ctx.state.set_string(key, value, None);
        ctx.state.modified(Class::STRING, "set", key);
    }
    ctx.reply.integer(missing.into());
    Ok(())
}

/// `GETSET key value`: the old value.
///
/// # Errors
///
/// The key holds another type.
pub fn getset(ctx: &mut Context<'_>) -> Outcome {
    let (key, value) = (&ctx.args[1], &ctx.args[2]);
    let old: Option<&ByteString> = ctx.state.get(key)?;
    ctx.reply.bulk_or_null(old.map(ByteString::bytes).as_deref());
    ctx.state.set_string(key, value, None);
    ctx.state.modified(Class::STRING, "set", key);
    Ok(())
}

/// `GET key`.
///
/// # Errors
///
/// The key holds another type.
pub fn get(ctx: &mut Context<'_>) -> Outcome {
    let value: Option<&ByteString> = ctx.state.get(&ctx.args[1])?;
    ctx.reply.bulk_or_null(value.map(ByteString::bytes).as_deref());
    Ok(())
}

/// `MGET key [key ...]`: null for a key that holds another type.
pub fn mget(ctx: &mut Context<'_>) -> Outcome {
    let keys = ctx.args.from(1);
    ctx.reply.array(keys.len());
    for key in keys.iter() {
        let value = ctx.state.get::<ByteString>(key).unwrap_or_default();
        ctx.reply.bulk_or_null(value.map(ByteString::bytes).as_deref());
    }
    Ok(())
}

/// `MSET key value [key value ...]`.
///
/// # Errors
///
/// A key without a value.
pub fn mset(ctx: &mut Context<'_>) -> Outcome {
    if ctx.args.len().is_multiple_of(2) {
        return Err(Error::arity(&ctx.command.full_name()));
    }
    set_all(ctx);
    ctx.reply.ok();
    Ok(())
}

/// `MSETNX key value [key value ...]`: 1 if the keys were set, which requires that none of them exists.
///
/// # Errors
///
/// A key without a value.
pub fn msetnx(ctx: &mut Context<'_>) -> Outcome {
    let args = ctx.args;
    if args.len().is_multiple_of(2) {
        return Err(Error::arity(&ctx.command.full_name()));
    }
    let missing = args.from(1).iter().step_by(2).all(|key| !ctx.state.contains(key));
    if missing {
        set_all(ctx);
    }
    ctx.reply.integer(missing.into());
    Ok(())
}

fn set_all(ctx: &mut Context<'_>) {
    let args = ctx.args;
    for at in (1..args.len()).step_by(2) {
        let key = &args[at];
        ctx.state.set_string(key, &args[at + 1], None);
        ctx.state.modified(Class::STRING, "set", key);
    }
}

/// `INCR key`.
///
/// # Errors
///
/// The value is not an integer, would be out of range, or the key holds another type.
pub fn incr(ctx: &mut Context<'_>) -> Outcome {
    increment(ctx, 1)
}

/// `DECR key`.
///
/// # Errors
///
/// As [`incr`].
pub fn decr(ctx: &mut Context<'_>) -> Outcome {
    increment(ctx, -1)
}

/// `INCRBY key increment`.
///
/// # Errors
///
/// As [`incr`], or the increment is not an integer.
pub fn incrby(ctx: &mut Context<'_>) -> Outcome {
    let by = integer(&ctx.args[2])?;
    increment(ctx, by)
}

/// `DECRBY key decrement`.
///
/// # Errors
///
/// As [`incr`], or the decrement is not an integer, or the smallest one, which cannot be negated.
pub fn decrby(ctx: &mut Context<'_>) -> Outcome {
    let by = integer(&ctx.args[2])?.checked_neg();
    increment(ctx, by.ok_or(Error::new("ERR decrement would overflow"))?)
}

/// `INCRBYFLOAT key increment`: the sum, with the precision of a long double.
///
/// # Errors
///
/// The value or the increment is not a number, the sum would be infinite, or the key holds another type.
pub fn incrbyfloat(ctx: &mut Context<'_>) -> Outcome {
    let (key, increment) = (&ctx.args[1], &ctx.args[2]);
    let value = ctx.state.get_mut::<ByteString>(key)?;
    let number = |bytes: &[u8]| LongDouble::parse(bytes).ok_or(Error::NOT_FLOAT);
    let old = value.as_deref().map_or(Ok(LongDouble::from(0)), |value| number(&value.bytes()))?;
    let sum = (old + number(increment)?).filter(|sum| sum.is_finite());
    let sum = sum.ok_or(Error::new("ERR increment would produce NaN or Infinity"))?;
    let mut text = Vec::new();
    sum.print(&mut text);
    ctx.reply.bulk(&text);
    let text = ByteString::text(text);
    match value {
        Some(value) => *value = text,
        None => {
            ctx.state.insert(key, Value::String(text), None);
        }
    }
    ctx.state.modified(Class::STRING, "incrbyfloat", key);
    Ok(())
}

fn increment(ctx: &mut Context<'_>, by: i64) -> Outcome {
    let key = &ctx.args[1];
    let sum = if let Some(value) = ctx.state.get_mut::<ByteString>(key)? {
        let sum = value.integer().ok_or(Error::NOT_INTEGER)?.checked_add(by);
        let sum = sum.ok_or(Error::new("ERR increment or decrement would overflow"))?;
        value.set_integer(sum);
        sum
    } else {
        let mut value = ByteString::default();
        value.set_integer(by);
        ctx.state.insert(key, Value::String(value), None);
        by
    };
    ctx.state.modified(Class::STRING, "incrby", key);
    ctx.reply.integer(sum);
    Ok(())
}

/// A string must not become longer than `proto-max-bulk-len`.
fn check_length(before: usize, more: &[u8], max: u64) -> Result<(), Error> {
    let len = before.checked_add(more.len()).filter(|len| *len as u64 <= max);
    let too_long = Error::new("ERR string exceeds maximum allowed size (proto-max-bulk-len)");
    len.map(|_| ()).ok_or(too_long)
}

/// `APPEND key value`: the new length.
///
/// # Errors
///
/// The string would be longer than `proto-max-bulk-len`, or the key holds another type.
pub fn append(ctx: &mut Context<'_>) -> Outcome {
    let (key, more) = (&ctx.args[1], &ctx.args[2]);
    let max = ctx.state.config.proto_max_bulk_len;
    let len = if let Some(value) = ctx.state.get_mut::<ByteString>(key)? {
        check_length(value.len(), more, max)?;
        value.edit(|bytes| {
            bytes.extend_from_slice(more);
            bytes.len()
        })
    } else {
        ctx.state.set_string(key, more, None);
        more.len()
    };
    ctx.state.modified(Class::STRING, "append", key);
    ctx.reply.count(len);
    Ok(())
}

/// `STRLEN key`.
///
/// # Errors
///
/// The key holds another type.
pub fn strlen(ctx: &mut Context<'_>) -> Outcome {
    let value: Option<&ByteString> = ctx.state.get(&ctx.args[1])?;
    ctx.reply.count(value.map_or(0, ByteString::len));
    Ok(())
}

/// `SETRANGE key offset value`: the new length.
///
/// # Errors
///
/// An invalid offset, the string would be longer than `proto-max-bulk-len`, or the key holds another type.
pub fn setrange(ctx: &mut Context<'_>) -> Outcome {
    let (key, part) = (&ctx.args[1], &ctx.args[3]);
    let offset = usize::try_from(integer(&ctx.args[2])?);
    let offset = offset.map_err(|_| Error::new("ERR offset is out of range"))?;
    let max = ctx.state.config.proto_max_bulk_len;
    let value = ctx.state.get_mut::<ByteString>(key)?;
    if part.is_empty() {
        ctx.reply.count(value.map_or(0, |value| value.len()));
        return Ok(());
    }
    check_length(offset, part, max)?;
    let end = offset + part.len();
    let len = if let Some(value) = value {
        value.edit(|bytes| {
            if bytes.len() < end {
                bytes.resize(end, 0);
            }
            bytes[offset..end].copy_from_slice(part);
            bytes.len()
        })
    } else {
        let mut bytes = vec![0; end];
        bytes[offset..].copy_from_slice(part);
        ctx.state.insert(key, Value::String(ByteString::raw(bytes)), None);
        end
    };
    ctx.state.modified(Class::STRING, "setrange", key);
    ctx.reply.count(len);
    Ok(())
}

/// `GETRANGE key start end`, and SUBSTR, its older name.
///
/// # Errors
///
/// Invalid indices, or the key holds another type.
pub fn getrange(ctx: &mut Context<'_>) -> Outcome {
    let (start, end) = (integer(&ctx.args[2])?, integer(&ctx.args[3])?);
    let value = ctx.state.get::<ByteString>(&ctx.args[1])?.map(ByteString::bytes);
    let bytes = value.as_deref().unwrap_or_default();
    let part = string_range(start, end, bytes.len());
    ctx.reply.bulk(bytes.get(part).unwrap_or_default());
    Ok(())
}

/// `GETDEL key`.
///
/// # Errors
///
/// The key holds another type.
pub fn getdel(ctx: &mut Context<'_>) -> Outcome {
    let key = &ctx.args[1];
    let Some(value) = ctx.state.get::<ByteString>(key)? else {
        ctx.reply.null();
        return Ok(());
    };
    ctx.reply.bulk(&value.bytes());
    ctx.state.remove(key);
    ctx.state.modified(Class::GENERIC, "del", key);
    Ok(())
}

/// `GETEX key [EX seconds|PX milliseconds|EXAT time|PXAT time|PERSIST]`.
///
/// # Errors
///
/// Options that do not fit together, the key holds another type, or an invalid time; the time is checked only
/// if the key exists.
pub fn getex(ctx: &mut Context<'_>) -> Outcome {
    let key = &ctx.args[1];
    let options = Options::read(ctx, 2, false)?;
    let Some(value) = ctx.state.get::<ByteString>(key)? else {
        ctx.reply.null();
        return Ok(());
    };
    ctx.reply.bulk(&value.bytes());
    match options.expiry {
        Expiry::Set(form, time) => {
            let at = deadline(ctx, form, time)?;
            if form.is_absolute() && at <= ctx.state.now.millis() {
                ctx.state.remove(key);
                ctx.state.modified(Class::GENERIC, "del", key);
            } else {
                ctx.state.set_expiry(key, Some(at));
                ctx.state.modified(Class::GENERIC, "expire", key);
            }
        }
        Expiry::Persist => {
            if ctx.state.set_expiry(key, None).is_some() {
                ctx.state.modified(Class::GENERIC, "persist", key);
            }
        }
        Expiry::Unsaid | Expiry::Keep => {}
    }
    Ok(())
}
