//! XREAD and XREADGROUP.

use super::groups::{consumer_for, no_group};
use super::{ids, write_entries, write_entry};
use crate::clients::waiters::{Reason, Wanted};
use crate::config::Version;
use crate::data::Deadline;
use crate::data::value::Type;
use crate::data::{Stream, StreamId, Value, present};
use crate::resp::{Args, OwnedRequest, up_to_nul};
use crate::spec::{Context, Error, Outcome, numbers};
use crate::state::Lookup;

/// The streams that a call of XREAD names, for clients that track them. None if an option before them is unknown, or if there
/// are not as many ids: key specs, by which COMMAND GETKEYS goes, ignore both.
#[must_use]
pub fn xread_keys(args: Args<'_>) -> Vec<(usize, &'static str)> {
    let is = |at: usize, word: &str| numbers::is_option(&args[at], word);
    let mut at = 1;
    while at < args.len() && !is(at, "streams") {
        let options = [("block", 1), ("count", 1), ("group", 2), ("noack", 0)];
        let Some((_, values)) = options.into_iter().find(|(word, _)| is(at, word)) else { return Vec::new() };
        at += 1 + values;
    }
    let first = at + 1;
    let words = args.len().saturating_sub(first);
    if words % 2 == 0 { (first..first + words / 2).map(|at| (at, "RO access")).collect() } else { Vec::new() }
}

/// `XREAD`
///
/// # Errors
///
/// The options, an id or the type of a value are wrong.
pub fn xread(ctx: &mut Context<'_>) -> Outcome {
    let options = ReadOptions::read(ctx, false)?;
    let (keys, texts) = options.streams(ctx.args);
    let after = keys.iter().zip(texts.iter()).map(|(key, id)| start_of_reading(ctx, key, id));
    let after = after.collect::<Result<Vec<_>, Error>>()?;

    let start = ctx.reply.position();
    let mut found = 0;
    for (key, after) in keys.iter().zip(&after) {
        let Some(stream) = ctx.state.get::<Stream>(key)? else { continue };
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
    finish(ctx, &options, start, found);
    let Some(wait) = &mut ctx.wait else { return Ok(()) };
    if texts.iter().any(|id| ids::is_sign(id, b'$')) {
        // `$` is replaced by the id: when the command is run again, `$` would skip the new entries.
        let mut buffer = [0; StreamId::TEXT_MAX];
        let mut request: Vec<Vec<u8>> = ctx.args.range(0, options.ids).iter().map(<[u8]>::to_vec).collect();
        for (id, after) in texts.iter().zip(&after) {
            let id = if ids::is_sign(id, b'$') { after.print(&mut buffer) } else { id };
            request.push(id.to_vec());
        }
        wait.request = Some(OwnedRequest::new(request));
    }
    // For `+`, every added entry is the new last entry.
    if !texts.iter().any(|id| ids::is_sign(id, b'+')) {
        wait.wanted = Some(Wanted::After(after));
    }
    Ok(())
}

/// `XREADGROUP`
///
/// # Errors
///
/// The options, an id or the type of a value are wrong, or a stream or its group does not exist.
pub fn xreadgroup(ctx: &mut Context<'_>) -> Outcome {
    let options = ReadOptions::read(ctx, true)?;
    let (group, name) = options.group.ok_or(Error::new("ERR Missing GROUP option for XREADGROUP"))?;
    let (keys, texts) = options.streams(ctx.args);
    let is_old = ctx.state.config.compat < Version::Redis7_4;
    if is_old && ctx.client()?.resumed {
        keys.iter().try_for_each(|key| still_there(ctx, key, group))?;
    }
    let after = keys.iter().zip(texts.iter()).map(|(key, id)| start_of_history(ctx, key, group, id));
    let after = after.collect::<Result<Vec<_>, Error>>()?;

    let now = ctx.state.now.millis();
    let start = ctx.reply.position();
    let mut found = 0;
    for (key, after) in keys.iter().zip(after) {
        // This second lookup counts as a hit.
        ctx.state.get::<Stream>(key)?;
        // Before Redis 7.2 a consumer that gets nothing is not created.
        if is_old && after.is_none() && !has_news(ctx, key, group)? {
            continue;
        }
        let Some(consumer) = consumer_for(ctx.state, key, group, name)? else { continue };
        if after.is_none() && !has_news(ctx, key, group)? {
            continue;
        }
        let Some(stream) = present(ctx.state.get_mut::<Stream>(key)?) else { continue };
        found += 1;
        let reply = &mut ctx.reply;
        if !reply.is_resp3() {
            reply.array(2);
        }
        reply.bulk(key);
        let begin = reply.position();
        let mut len = 0;
        if let Some(after) = after {
            stream.deliver_again(group, consumer, after, options.count, now, |id, entry| {
                len += 1;
                if let Some(entry) = entry {
                    write_entry(reply, entry);
                } else {
                    reply.array(2);
                    ids::write(reply, id);
                    reply.null_array();
                }
            });
        } else {
            stream.deliver(group, consumer, options.count, now, !options.no_ack, |entry| {
                len += 1;
                write_entry(reply, entry);
            });
        }
        reply.insert_array(begin, len);
        // A repeated delivery is not a change.
        ctx.state.stats.dirty += u64::from(after.is_none());
    }
    finish(ctx, &options, start, found);
    if let Some(wait) = &mut ctx.wait {
        // The wait also ends when a key is removed or holds another type.
        wait.reason = Reason::Group;
        wait.wanted = Some(Wanted::New { group: group.into(), consumer: name.into(), found: Vec::new() });
    }
    Ok(())
}

/// The error for a client that has waited, if the stream or the group no longer exists. Before Redis 7.2 the command is
/// not run again.
fn still_there(ctx: &mut Context<'_>, key: &[u8], group: &[u8]) -> Result<(), Error> {
    let Some(Value::Stream(stream)) = ctx.state.lookup(key, Lookup::Uncounted).map(|entry| &entry.value)
    else {
        return Err(Error::new("UNBLOCKED the stream key no longer exists"));
    };
    if !stream.groups().contains_key(group) {
        let text = "NOGROUP the consumer group this client was blocked on no longer exists";
        return Err(Error::new(text));
    }
    Ok(())
}

/// Whether a stream has entries that its group has not read.
fn has_news(ctx: &mut Context<'_>, key: &[u8], group: &[u8]) -> Result<bool, Error> {
    let Some(stream) = present(ctx.state.get_mut::<Stream>(key)?) else { return Ok(false) };
    let read = stream.groups().get(group).map(|group| group.last_id);
    Ok(stream.last().map(|entry| entry.id) > read)
}

/// Ends the reply in which `found` streams were written from `start` on, or waits.
fn finish(ctx: &mut Context<'_>, options: &ReadOptions<'_>, start: usize, found: usize) {
    if found > 0 {
        if ctx.reply.is_resp3() {
            ctx.reply.insert_map(start, found);
        } else {
            ctx.reply.insert_array(start, found);
        }
    } else if options.block {
        let (keys, _) = options.streams(ctx.args);
        ctx.block(Type::Stream, keys.iter(), options.deadline);
    } else {
        ctx.reply.null_array();
    }
}

/// The options before the streams of XREAD and XREADGROUP.
struct ReadOptions<'a> {
    /// Of XREADGROUP: the group and the consumer.
    group: Option<(&'a [u8], &'a [u8])>,
    /// Of XREADGROUP: what is delivered needs no acknowledgement.
    no_ack: bool,
    /// How many entries of each stream at most.
    count: usize,
    /// The client waits if there is nothing to read.
    block: bool,
    /// When the wait ends, in milliseconds since the Unix epoch; never if `None`.
    deadline: Option<Deadline>,
    /// Where the keys begin.
    keys: usize,
    /// Where the ids begin.
    ids: usize,
}

impl<'a> ReadOptions<'a> {
    fn read(ctx: &Context<'a>, for_group: bool) -> Result<Self, Error> {
        let args = ctx.args;
        let mut options = Self {
            group: None,
            no_ack: false,
            count: usize::MAX,
            block: false,
            deadline: None,
            keys: 0,
            ids: 0,
        };
        let mut at = 1;
        while at < args.len() {
            let option = &args[at];
            let is = |name: &str| numbers::is_option(option, name);
            match args.get(at + 1) {
                Some(millis) if is("BLOCK") => {
                    // Later versions reply at once.
                    if ctx.state.in_script && ctx.state.config.compat < Version::Redis7_4 {
                        let text = b" command is not allowed with BLOCK option from scripts";
                        return Err(Error::from_bytes([b"ERR ", up_to_nul(&args[0]), text].concat()));
                    }
                    options.block = true;
                    options.deadline =
                        numbers::deadline_from_millis(millis, ctx.state.now, ctx.state.config.compat)?;
                    at += 2;
                }
                Some(text) if is("COUNT") => {
                    // 0 and less are no limit.
                    options.count = match usize::try_from(numbers::integer(text)?) {
                        Ok(0) | Err(_) => usize::MAX,
                        Ok(count) => count,
                    };
                    at += 2;
                }
                Some(_) if is("STREAMS") => {
                    options.keys = at + 1;
                    let given = args.len() - options.keys;
                    if !given.is_multiple_of(2) {
                        return Err(Error::new(if ctx.state.config.compat < Version::Redis7_4 {
                            "ERR Unbalanced XREAD list of streams: for each stream key an ID or '$' must be specified."
                        } else if for_group {
                            "ERR Unbalanced 'xreadgroup' list of streams: for each stream key an ID or '>' \
                             must be specified."
                        } else {
                            "ERR Unbalanced 'xread' list of streams: for each stream key an ID, '+', or '$' \
                             must be specified."
                        }));
                    }
                    options.ids = options.keys + given / 2;
                    return Ok(options);
                }
                Some(group) if is("GROUP") && at + 2 < args.len() => {
                    if !for_group {
                        return Err(Error::new(
                            "ERR The GROUP option is only supported by XREADGROUP. You called XREAD instead.",
                        ));
                    }
                    options.group = args.get(at + 2).map(|consumer| (group, consumer));
                    at += 3;
                }
                _ if is("NOACK") => {
                    if !for_group {
                        return Err(Error::new(
                            "ERR The NOACK option is only supported by XREADGROUP. You called XREAD instead.",
                        ));
                    }
                    options.no_ack = true;
                    at += 1;
                }
                _ => return Err(Error::SYNTAX),
            }
        }
        Err(Error::SYNTAX)
    }

    /// The keys, and the ids that belong to them.
    fn streams(&self, args: Args<'a>) -> (Args<'a>, Args<'a>) {
        (args.range(self.keys, self.ids), args.from(self.ids))
    }
}

/// The id after which XREAD begins: `$` is the last id that was ever given, `+` the id before the last entry.
fn start_of_reading(ctx: &mut Context<'_>, key: &[u8], id: &[u8]) -> Result<StreamId, Error> {
    let has_plus = ctx.state.config.compat >= Version::Redis7_4;
    let stream = ctx.state.get::<Stream>(key)?;
    if ids::is_sign(id, b'$') {
        Ok(stream.map_or(StreamId::MIN, Stream::last_id))
    } else if has_plus && ids::is_sign(id, b'+') {
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

/// The id after which XREADGROUP begins in the pending entries of the consumer; `None` for `>`, the entries that the
/// group has not read.
fn start_of_history(
    ctx: &mut Context<'_>,
    key: &[u8],
    group: &[u8],
    id: &[u8],
) -> Result<Option<StreamId>, Error> {
    let has_plus = ctx.state.config.compat >= Version::Redis7_4;
    let stream = ctx.state.get::<Stream>(key)?;
    if stream.is_none_or(|stream| !stream.groups().contains_key(group)) {
        return Err(no_group(key, group, " in XREADGROUP with GROUP option"));
    }
    for sign in ['$', '+'] {
        if (sign == '$' || has_plus) && ids::is_sign(id, sign as u8) {
            return Err(Error::new(format!(
                "ERR The {sign} ID is meaningless in the context of XREADGROUP: you want to read the history of \
                 this consumer by specifying a proper ID, or use the > ID to get new messages. The {sign} ID \
                 would just return an empty result set."
            )));
        }
    }
    if ids::is_sign(id, b'>') {
        return Ok(None);
    }
    // No id comes after the greatest one: redis-server treats it as `>`.
    Ok(Some(ids::strict(id, 0)?).filter(|id| *id != StreamId::MAX))
}
