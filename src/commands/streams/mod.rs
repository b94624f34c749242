//! Streams.

mod claiming;
mod deleting;
mod groups;
mod ids;
mod info;
mod pending;
mod reading;
mod trim;

pub use claiming::{xautoclaim, xclaim};
pub use deleting::{xackdel, xdel, xdelex};
pub use groups::{create, create_consumer, delete_consumer, destroy, set_id as set_group_id, xack};
pub use info::{consumers, groups, stream};
pub use pending::xpending;
pub use reading::{xread, xread_keys, xreadgroup};

use crate::config::{Class, Version};
use crate::data::stream::{AddError, Entry, NewId, NodeLimits};
use crate::data::{Stream, StreamId, Typed};
use crate::resp::Reply;
use crate::spec::{Context, Error, Outcome, numbers};

impl From<AddError> for Error {
    fn from(error: AddError) -> Self {
        Self::new(match error {
            AddError::Exhausted => {
                "ERR The stream has exhausted the last possible ID, unable to add more items"
            }
            AddError::NotGreater => {
                "ERR The ID specified in XADD is equal or smaller than the target stream top item"
            }
            AddError::TooLarge => "ERR Elements are too large to be stored",
        })
    }
}

/// `XADD`
///
/// # Errors
///
/// The options, the id or the type of the value are wrong.
pub fn xadd(ctx: &mut Context<'_>) -> Outcome {
    let config = &ctx.state.config;
    let limits = NodeLimits { bytes: config.stream_node_max_bytes, entries: config.stream_node_max_entries };
    let options = trim::read_xadd(ctx.args, config, || Error::arity("xadd"))?;
    if options.id == NewId::Exact(StreamId::MIN) {
        return Err(Error::new("ERR The ID specified in XADD must be greater than 0-0"));
    }
    let key = &ctx.args[1];
    let fields = ctx.args.from(options.fields);
    let now = ctx.state.now.millis();
    let mut new = None;
    let stream = match ctx.state.get_mut::<Stream>(key)? {
        Some(stream) => stream,
        None if options.no_mkstream => {
            ctx.reply.null();
            return Ok(());
        }
        None => new.insert(Stream::default()),
    };
    let id = stream.add(options.id, fields, now, limits)?;
    let trimmed = options.trim.map_or(0, |trim| stream.trim(&trim));
    if let Some(stream) = new {
        ctx.state.insert(key, stream.into_value(), None);
    }
    ctx.state.modified(Class::STREAM, "xadd", key);
    if trimmed > 0 {
        ctx.state.event(Class::STREAM, "xtrim", key);
    }
    ctx.state.waiters.ready(ctx.state.db, key);
    ids::write(&mut ctx.reply, id);
    Ok(())
}

/// `XSETID`
///
/// # Errors
///
/// The options are wrong or contradict the entries, the key is missing or holds another type.
pub fn xsetid(ctx: &mut Context<'_>) -> Outcome {
    let last = ids::strict(&ctx.args[2], 0)?;
    let (mut added, mut max_deleted) = (None, None);
    let mut options = ctx.args.from(3).iter();
    while let Some(option) = options.next() {
        match options.next() {
            Some(value) if numbers::is_option(option, "ENTRIESADDED") => {
                let value = numbers::integer(value)?;
                added =
                    Some(u64::try_from(value).map_err(|_| Error::new("ERR entries_added must be positive"))?);
            }
            Some(value) if numbers::is_option(option, "MAXDELETEDID") => {
                let id = ids::strict(value, 0)?;
                if last < id {
                    return Err(Error::new(
                        "ERR The ID specified in XSETID is smaller than the provided max_deleted_entry_id",
                    ));
                }
                // 0-0 means no id.
                max_deleted = Some(id).filter(|id| *id != StreamId::MIN);
            }
            _ => return Err(Error::SYNTAX),
        }
    }
    let key = &ctx.args[1];
    // Before Redis 7.2 this is not checked.
    let looks_at_deleted = ctx.state.config.compat >= Version::Redis7_4;
    let stream = ctx.state.get_mut::<Stream>(key)?.ok_or(Error::NO_SUCH_KEY)?;
    if looks_at_deleted && last < stream.max_deleted_id() {
        return Err(Error::new(
            "ERR The ID specified in XSETID is smaller than current max_deleted_entry_id",
        ));
    }
    if let Some(newest) = stream.last() {
        if last < newest.id {
            return Err(Error::new(
                "ERR The ID specified in XSETID is smaller than the target stream top item",
            ));
        }
        if added.is_some_and(|added| added < stream.len() as u64) {
            return Err(Error::new(
                "ERR The entries_added specified in XSETID is smaller than the target stream length",
            ));
        }
    }
    stream.set_last_id(last, added, max_deleted);
    // Watchers do not notice.
    ctx.state.stats.dirty += 1;
    ctx.state.event(Class::STREAM, "xsetid", key);
    ctx.reply.ok();
    Ok(())
}

/// `XTRIM`
///
/// # Errors
///
/// The options or the type of the value are wrong.
pub fn xtrim(ctx: &mut Context<'_>) -> Outcome {
    let trim = trim::read_xtrim(ctx.args, &ctx.state.config)?;
    let key = &ctx.args[1];
    let removed = ctx.state.get_mut::<Stream>(key)?.map_or(0, |stream| stream.trim(&trim));
    if removed > 0 {
        ctx.state.modified(Class::STREAM, "xtrim", key);
        ctx.state.stats.dirty += removed as u64 - 1;
    }
    ctx.reply.count(removed);
    Ok(())
}

/// `XLEN`
///
/// # Errors
///
/// The type of the value is wrong.
pub fn xlen(ctx: &mut Context<'_>) -> Outcome {
    let len = ctx.state.get::<Stream>(&ctx.args[1])?.map_or(0, Stream::len);
    ctx.reply.count(len);
    Ok(())
}

/// `XRANGE`
///
/// # Errors
///
/// The ids, the options or the type of the value are wrong.
pub fn xrange(ctx: &mut Context<'_>) -> Outcome {
    range(ctx, false)
}

/// `XREVRANGE`
///
/// # Errors
///
/// The ids, the options or the type of the value are wrong.
pub fn xrevrange(ctx: &mut Context<'_>) -> Outcome {
    range(ctx, true)
}

fn range(ctx: &mut Context<'_>, reverse: bool) -> Outcome {
    let args = ctx.args;
    let (start, end) = if reverse { (3, 2) } else { (2, 3) };
    let start = ids::range_start(&args[start])?;
    let end = ids::range_end(&args[end])?;
    let mut count = None;
    let mut options = args.from(4).iter();
    while let Some(option) = options.next() {
        match options.next() {
            Some(value) if numbers::is_option(option, "COUNT") => {
                // A negative one is 0.
                count = Some(usize::try_from(numbers::integer(value)?).unwrap_or_default());
            }
            _ => return Err(Error::SYNTAX),
        }
    }
    let Some(stream) = ctx.state.get::<Stream>(&args[1])? else {
        ctx.reply.array(0);
        return Ok(());
    };
    let count = count.unwrap_or(usize::MAX);
    if count == 0 {
        ctx.reply.null_array();
        return Ok(());
    }
    let entries = stream.range(start, end);
    if reverse {
        write_entries(&mut ctx.reply, entries.rev().take(count));
    } else {
        write_entries(&mut ctx.reply, entries.take(count));
    }
    Ok(())
}

fn write_entries<'e>(reply: &mut Reply<'_>, entries: impl Iterator<Item = Entry<'e>>) {
    let start = reply.position();
    let mut len = 0;
    for entry in entries {
        len += 1;
        write_entry(reply, entry);
    }
    reply.insert_array(start, len);
}

fn write_entry(reply: &mut Reply<'_>, entry: Entry<'_>) {
    reply.array(2);
    ids::write(reply, entry.id);
    reply.array(entry.fields.len() * 2);
    for (name, value) in entry.fields {
        reply.bulk(name);
        reply.bulk(value);
    }
}
