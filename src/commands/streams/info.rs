//! XINFO: what is known of streams, groups and consumers.

use super::groups::no_group_of;
use super::{ids, write_entries, write_entry};
use crate::config::Version;
use crate::data::stream::{Consumer, ConsumerKey, Group};
use crate::data::{Stream, StreamId};
use crate::resp::Reply;
use crate::spec::numbers::{self, is_option};
use crate::spec::{Context, Error, Outcome};

/// How many entries and pending entries `XINFO STREAM FULL` shows without COUNT.
const SHOWN: usize = 10;

/// `XINFO STREAM`
///
/// # Errors
///
/// The options are wrong, the key is missing or holds another type.
pub fn stream(ctx: &mut Context<'_>) -> Outcome {
    let args = ctx.args;
    let version = ctx.state.config.compat;
    let stream = ctx.state.get::<Stream>(&args[2])?.ok_or(Error::NO_SUCH_KEY)?;
    let options = args.from(3);
    let full = match options.len() {
        0 => None,
        1 | 3 if is_option(&options[0], "FULL") => match options.get(2) {
            None => Some(SHOWN),
            Some(count) if is_option(&options[1], "COUNT") => {
                // 0 shows all; a negative COUNT counts as the default.
                match usize::try_from(numbers::integer(count)?) {
                    Ok(0) => Some(usize::MAX),
                    Ok(count) => Some(count),
                    Err(_) => Some(SHOWN),
                }
            }
            Some(_) => return Err(Error::subcommand_syntax(&args[1], "XINFO")),
        },
        _ => return Err(Error::subcommand_syntax(&args[1], "XINFO")),
    };
    let reply = &mut ctx.reply;
    reply.map(if full.is_some() { 9 } else { 10 });
    write_count(reply, "length", stream.len());
    write_count(reply, "radix-tree-keys", stream.radix_tree_keys());
    write_count(reply, "radix-tree-nodes", stream.radix_tree_nodes());
    write_id(reply, "last-generated-id", stream.last_id());
    write_id(reply, "max-deleted-entry-id", stream.max_deleted_id());
    write_integer(reply, "entries-added", stream.entries_added().cast_signed());
    write_id(reply, "recorded-first-entry-id", stream.first_id());
    let all = || stream.range(StreamId::MIN, StreamId::MAX);
    if let Some(count) = full {
        reply.bulk(b"entries");
        write_entries(reply, all().take(count));
        reply.bulk(b"groups");
        reply.array(stream.groups().len());
        for (name, group) in stream.groups() {
            write_full_group(reply, stream, name, group, (count, version));
        }
        return Ok(());
    }
    write_count(reply, "groups", stream.groups().len());
    for (name, entry) in [("first-entry", all().next()), ("last-entry", stream.last())] {
        reply.bulk(name.as_bytes());
        match entry {
            Some(entry) => write_entry(reply, entry),
            None => reply.null(),
        }
    }
    Ok(())
}

/// A group as FULL shows it, with at most this number of pending entries.
fn write_full_group(
    reply: &mut Reply<'_>,
    stream: &Stream,
    name: &[u8],
    group: &Group,
    (count, version): (usize, Version),
) {
    reply.map(7);
    reply.bulk(b"name");
    reply.bulk(name);
    write_progress(reply, stream, group);
    write_count(reply, "pel-count", group.pending().len());
    reply.bulk(b"pending");
    reply.array(group.pending().len().min(count));
    for (id, pending) in group.pending().iter().take(count) {
        reply.array(4);
        ids::write(reply, *id);
        reply.bulk(group.consumer(pending.consumer).map_or(&[], Consumer::name));
        reply.integer(pending.delivered);
        reply.integer(pending.deliveries.cast_signed());
    }
    reply.bulk(b"consumers");
    reply.array(group.consumers().len());
    for (key, consumer) in group.consumers() {
        write_full_consumer(reply, group, (key, consumer), count, version);
    }
}

fn write_full_consumer(
    reply: &mut Reply<'_>,
    group: &Group,
    (key, consumer): (ConsumerKey, &Consumer),
    count: usize,
    version: Version,
) {
    let tells_active = version >= Version::Redis7_4;
    reply.map(4 + usize::from(tells_active));
    reply.bulk(b"name");
    reply.bulk(consumer.name());
    write_integer(reply, "seen-time", consumer.seen);
    if tells_active {
        write_integer(reply, "active-time", consumer.active.unwrap_or(-1));
    }
    write_count(reply, "pel-count", consumer.pending().len());
    reply.bulk(b"pending");
    reply.array(consumer.pending().len().min(count));
    for (id, pending) in group.pending_of(Some(key), ..).take(count) {
        reply.array(3);
        ids::write(reply, id);
        reply.integer(pending.delivered);
        reply.integer(pending.deliveries.cast_signed());
    }
}

/// `XINFO GROUPS`
///
/// # Errors
///
/// The key is missing or holds another type.
pub fn groups(ctx: &mut Context<'_>) -> Outcome {
    let stream = ctx.state.get::<Stream>(&ctx.args[2])?.ok_or(Error::NO_SUCH_KEY)?;
    let reply = &mut ctx.reply;
    reply.array(stream.groups().len());
    for (name, group) in stream.groups() {
        reply.map(6);
        reply.bulk(b"name");
        reply.bulk(name);
        write_count(reply, "consumers", group.consumers().len());
        write_count(reply, "pending", group.pending().len());
        write_progress(reply, stream, group);
    }
    Ok(())
}

/// `XINFO CONSUMERS`
///
/// # Errors
///
/// The key or the group is missing, or the key holds another type.
pub fn consumers(ctx: &mut Context<'_>) -> Outcome {
    let (key, name) = (&ctx.args[2], &ctx.args[3]);
    let now = ctx.state.now.millis();
    let tells_active = ctx.state.config.compat >= Version::Redis7_4;
    let stream = ctx.state.get::<Stream>(key)?.ok_or(Error::NO_SUCH_KEY)?;
    let group = stream.groups().get(name).ok_or_else(|| no_group_of(key, name))?;
    let reply = &mut ctx.reply;
    reply.array(group.consumers().len());
    for (_, consumer) in group.consumers() {
        reply.map(3 + usize::from(tells_active));
        reply.bulk(b"name");
        reply.bulk(consumer.name());
        write_count(reply, "pending", consumer.pending().len());
        let since = |then: i64| now.saturating_sub(then).max(0);
        write_integer(reply, "idle", since(consumer.seen));
        if tells_active {
            write_integer(reply, "inactive", consumer.active.map_or(-1, since));
        }
    }
    Ok(())
}

/// The progress of a group.
fn write_progress(reply: &mut Reply<'_>, stream: &Stream, group: &Group) {
    write_id(reply, "last-delivered-id", group.last_id);
    for (name, value) in [("entries-read", group.entries_read), ("lag", stream.lag(group))] {
        if let Some(value) = value {
            write_integer(reply, name, value);
        } else {
            reply.bulk(name.as_bytes());
            reply.null();
        }
    }
}

fn write_count(reply: &mut Reply<'_>, name: &str, value: usize) {
    reply.bulk(name.as_bytes());
    reply.count(value);
}

fn write_integer(reply: &mut Reply<'_>, name: &str, value: i64) {
    reply.bulk(name.as_bytes());
    reply.integer(value);
}

fn write_id(reply: &mut Reply<'_>, name: &str, id: StreamId) {
    reply.bulk(name.as_bytes());
    ids::write(reply, id);
}
