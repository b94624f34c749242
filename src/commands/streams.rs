//! Streams.

mod ids;
mod trim;

use super::{Context, Error, Outcome, numbers};
use crate::resp::{OwnedRequest, Reply};
use crate::store::stream::{AddError, Entry, NewId, NodeLimits};
use crate::store::value::Type;
use crate::store::{Class, Stream, StreamId, Typed};

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
    let config = &ctx.store.config;
    let limits = NodeLimits { bytes: config.stream_node_max_bytes, entries: config.stream_node_max_entries };
    let options = trim::read_xadd(ctx.args, limits.entries, || Error::arity("xadd"))?;
    if options.id == NewId::Exact(StreamId::MIN) {
        return Err(Error::new("ERR The ID specified in XADD must be greater than 0-0"));
    }
    let key = &ctx.args[1];
    let fields = ctx.args.from(options.fields);
    let now = ctx.store.now.millis();
    let mut new = None;
    let stream = match ctx.store.get_mut::<Stream>(key)? {
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
        ctx.store.insert(key, stream.into_value(), None);
    }
    ctx.store.modified(Class::STREAM, "xadd", key);
    if trimmed > 0 {
        ctx.store.event(Class::STREAM, "xtrim", key);
    }
    ctx.store.waiters.ready(ctx.store.db, key);
    ids::write(&mut ctx.reply, id);
    Ok(())
}

/// `XTRIM`
///
/// # Errors
///
/// The options or the type of the value are wrong.
pub fn xtrim(ctx: &mut Context<'_>) -> Outcome {
    let trim = trim::read_xtrim(ctx.args, ctx.store.config.stream_node_max_entries)?;
    let key = &ctx.args[1];
    let removed = ctx.store.get_mut::<Stream>(key)?.map_or(0, |stream| stream.trim(&trim));
    if removed > 0 {
        ctx.store.modified(Class::STREAM, "xtrim", key);
        ctx.store.stats.dirty += removed as u64 - 1;
    }
    ctx.reply.count(removed);
    Ok(())
}

/// `XDEL`
///
/// # Errors
///
/// The type of the value is wrong, or something is not an id.
pub fn xdel(ctx: &mut Context<'_>) -> Outcome {
    let key = &ctx.args[1];
    let Some(stream) = ctx.store.get_mut::<Stream>(key)? else {
        ctx.reply.integer(0);
        return Ok(());
    };
    // All of them are read before the first is deleted: a wrong one at the end must change nothing.
    let ids = ctx.args.from(2).iter().map(|text| ids::strict(text, 0)).collect::<Result<Vec<_>, Error>>()?;
    let deleted = ids.into_iter().filter(|id| stream.delete(*id)).count();
    if deleted > 0 {
        ctx.store.modified(Class::STREAM, "xdel", key);
        ctx.store.stats.dirty += deleted as u64 - 1;
    }
    ctx.reply.count(deleted);
    Ok(())
}

/// `XLEN`
///
/// # Errors
///
/// The type of the value is wrong.
pub fn xlen(ctx: &mut Context<'_>) -> Outcome {
    let len = ctx.store.get::<Stream>(&ctx.args[1])?.map_or(0, Stream::len);
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
            Some(value) if option.eq_ignore_ascii_case(b"COUNT") => {
                // A negative one is 0.
                count = Some(usize::try_from(numbers::integer(value)?).unwrap_or_default());
            }
            _ => return Err(Error::SYNTAX),
        }
    }
    let Some(stream) = ctx.store.get::<Stream>(&args[1])? else {
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

/// `XREAD`
///
/// # Errors
///
/// The options, an id or the type of a value are wrong.
pub fn xread(ctx: &mut Context<'_>) -> Outcome {
    let args = ctx.args;
    let options = ReadOptions::read(ctx)?;
    let (keys, texts) = (args.range(options.streams, options.ids), args.from(options.ids));
    let after = keys.iter().zip(texts.iter()).map(|(key, id)| start_of_reading(ctx, key, id));
    let after = after.collect::<Result<Vec<_>, Error>>()?;

    let start = ctx.reply.position();
    let mut found = 0;
    for (key, after) in keys.iter().zip(&after) {
        let Some(stream) = ctx.store.get::<Stream>(key)? else { continue };
        let Some(first) = after.next() else { continue };
        let mut entries = stream.range(first, StreamId::MAX).peekable();
        if entries.peek().is_none() {
            continue;
        }
        found += 1;
        if !ctx.reply.is_resp3() {
            ctx.reply.array(2);
        }
        ctx.reply.bulk(key);
        write_entries(&mut ctx.reply, entries.take(options.count));
    }
    if found > 0 {
        if ctx.reply.is_resp3() {
            ctx.reply.insert_map(start, found);
        } else {
            ctx.reply.insert_array(start, found);
        }
        return Ok(());
    }
    if !options.block {
        ctx.reply.null_array();
        return Ok(());
    }
    ctx.block(Type::Stream, keys.iter(), options.deadline);
    if let Some(wait) = &mut ctx.wait
        && texts.iter().any(|id| ids::is_sign(id, b'$'))
    {
        // When the command is run again, `$` would mean what has arrived meanwhile.
        let mut buffer = [0; StreamId::TEXT_MAX];
        let mut request: Vec<Vec<u8>> = args.range(0, options.ids).iter().map(<[u8]>::to_vec).collect();
        for (id, after) in texts.iter().zip(&after) {
            let id = if ids::is_sign(id, b'$') { after.print(&mut buffer) } else { id };
            request.push(id.to_vec());
        }
        wait.request = Some(OwnedRequest::new(request));
    }
    Ok(())
}

/// What stands before the streams of XREAD.
struct ReadOptions {
    /// How many entries of each stream at most.
    count: usize,
    /// It waits if there is nothing to read.
    block: bool,
    /// Until when it waits, in milliseconds since the Unix epoch; for ever, if none.
    deadline: Option<i64>,
    /// Where the keys begin.
    streams: usize,
    /// Where the ids begin.
    ids: usize,
}

impl ReadOptions {
    fn read(ctx: &Context<'_>) -> Result<Self, Error> {
        let args = ctx.args;
        let mut count = usize::MAX;
        let (mut block, mut deadline) = (false, None);
        let mut at = 1;
        while at < args.len() {
            let option = &args[at];
            let is = |name: &str| option.eq_ignore_ascii_case(name.as_bytes());
            match args.get(at + 1) {
                Some(millis) if is("BLOCK") => {
                    (block, deadline) = (true, numbers::deadline_from_millis(millis, ctx.store.now)?);
                    at += 2;
                }
                Some(text) if is("COUNT") => {
                    // 0 and less are no limit.
                    count = match usize::try_from(numbers::integer(text)?) {
                        Ok(0) | Err(_) => usize::MAX,
                        Ok(count) => count,
                    };
                    at += 2;
                }
                Some(_) if is("STREAMS") => {
                    let streams = at + 1;
                    let given = args.len() - streams;
                    if !given.is_multiple_of(2) {
                        return Err(Error::new(
                            "ERR Unbalanced 'xread' list of streams: for each stream key an ID, '+', or '$' \
                             must be specified.",
                        ));
                    }
                    return Ok(Self { count, block, deadline, streams, ids: streams + given / 2 });
                }
                Some(_) if is("GROUP") && at + 2 < args.len() => {
                    return Err(Error::new(
                        "ERR The GROUP option is only supported by XREADGROUP. You called XREAD instead.",
                    ));
                }
                _ if is("NOACK") => {
                    return Err(Error::new(
                        "ERR The NOACK option is only supported by XREADGROUP. You called XREAD instead.",
                    ));
                }
                _ => return Err(Error::SYNTAX),
            }
        }
        Err(Error::SYNTAX)
    }
}

/// The id behind which XREAD begins: `$` is the last one that was ever given, `+` the one before the last entry.
fn start_of_reading(ctx: &mut Context<'_>, key: &[u8], id: &[u8]) -> Result<StreamId, Error> {
    let stream = ctx.store.get::<Stream>(key)?;
    if ids::is_sign(id, b'$') {
        Ok(stream.map_or(StreamId::MIN, Stream::last_id))
    } else if ids::is_sign(id, b'+') {
        let last = stream.and_then(Stream::last);
        Ok(last.and_then(|entry| entry.id.previous()).unwrap_or_default())
    } else if ids::is_sign(id, b'>') {
        Err(Error::new(
            "ERR The > ID can be specified only when calling XREADGROUP using the GROUP <group> <consumer> option.",
        ))
    } else {
        ids::strict(id, 0)
    }
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
