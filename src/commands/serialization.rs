//! DUMP and RESTORE: values as bytes that every server of the family reads.

use crate::config::Class;
use crate::data::dump;
use crate::data::dump::RestoreError;
use crate::keyspace::Access;
use crate::spec::numbers::{integer, is_option};
use crate::spec::{Context, Error, Outcome};
use crate::state::Lookup;

/// `DUMP key`.
pub fn dump(ctx: &mut Context<'_>) -> Outcome {
    match ctx.state.lookup(&ctx.args[1], Lookup::Use) {
        Some(entry) => ctx.reply.bulk(&dump::dump(&entry.value)),
        None => ctx.reply.null(),
    }
    Ok(())
}

/// The options of RESTORE.
#[derive(Default)]
struct Options {
    /// `REPLACE`: the key may exist.
    replace: bool,
    /// `ABSTTL`: the expiry is a point in time.
    absolute: bool,
    /// `IDLETIME seconds`.
    idle: Option<i64>,
    /// `FREQ frequency`.
    frequency: Option<u8>,
}

impl Options {
    fn read(ctx: &Context<'_>) -> Result<Self, Error> {
        let mut options = Self::default();
        let mut arguments = ctx.args.from(4).iter();
        while let Some(option) = arguments.next() {
            if is_option(option, "REPLACE") {
                options.replace = true;
            } else if is_option(option, "ABSTTL") {
                options.absolute = true;
            } else if is_option(option, "IDLETIME") && options.frequency.is_none() {
                let idle = integer(arguments.next().ok_or(Error::SYNTAX)?)?;
                if idle < 0 {
                    return Err(Error::new("ERR Invalid IDLETIME value, must be >= 0"));
                }
                options.idle = Some(idle);
            } else if is_option(option, "FREQ") && options.idle.is_none() {
                let frequency = integer(arguments.next().ok_or(Error::SYNTAX)?)?;
                let frequency = u8::try_from(frequency)
                    .map_err(|_| Error::new("ERR Invalid FREQ value, must be >= 0 and <= 255"))?;
                options.frequency = Some(frequency);
            } else {
                return Err(Error::SYNTAX);
            }
        }
        Ok(options)
    }
}

/// `RESTORE key ttl serialized-value [REPLACE] [ABSTTL] [IDLETIME seconds] [FREQ frequency]`.
///
/// # Errors
///
/// Options that are invalid or do not fit together, the key exists, an invalid time to live or payload.
pub fn restore(ctx: &mut Context<'_>) -> Outcome {
    let options = Options::read(ctx)?;
    let key = &ctx.args[1];
    if !options.replace && ctx.state.contains(key) {
        return Err(Error::new("BUSYKEY Target key name already exists."));
    }
    let ttl = integer(&ctx.args[2])?;
    if ttl < 0 {
        return Err(Error::new("ERR Invalid TTL value, must be >= 0"));
    }
    let now = ctx.state.now;
    let expires = match ttl {
        0 => None,
        ttl if options.absolute => Some(ttl),
        // A sum that does not fit in 64 bits is negative, as in redis-server: a time long past.
        ttl => Some(now.millis().wrapping_add(ttl)),
    };
    let value = dump::restore(&ctx.args[3], &ctx.state.config).map_err(|error| {
        Error::new(match error {
            RestoreError::Footer => "ERR DUMP payload version or checksum are wrong",
            RestoreError::Malformed => "ERR Bad data format",
        })
    })?;
    // Removed first: the key is a new one even if it replaces one.
    let removed = ctx.state.remove(key).map(|old| old.value.kind());
    if expires.is_some_and(|at| at <= now.millis()) {
        if removed.is_some() {
            ctx.state.modified(Class::GENERIC, "del", key);
        }
    } else {
        let kind = value.kind();
        ctx.state.insert(key, value, expires);
        let counts = ctx.state.config.maxmemory_policy.counts();
        let access = match (options.idle, options.frequency) {
            (_, Some(frequency)) if counts => Some(Access::counted(frequency, now)),
            (Some(idle), _) if !counts => Some(Access::idle_for(idle, now)),
            _ => None,
        };
        if let (Some(access), Some(entry)) = (access, ctx.state.lookup_mut(key, Lookup::Uncounted)) {
            entry.access = access;
        }
        ctx.state.modified(Class::GENERIC, "restore", key);
        if let Some(before) = removed {
            ctx.state.replaced(key, before, kind);
        }
    }
    ctx.reply.ok();
    Ok(())
}
