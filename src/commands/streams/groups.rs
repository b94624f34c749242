//! XGROUP and XACK: groups, their consumers, and acknowledgements.

use super::ids;
use crate::config::{Class, Version};
use crate::data::stream::{ConsumerKey, Group};
use crate::data::{Stream, StreamId, Typed, WrongType, present};
use crate::resp::{Args, up_to_nul};
use crate::spec::numbers::{self, is_option};
use crate::spec::{Context, Error, Outcome};
use crate::state::State;

/// The stream or its group does not exist.
pub(super) fn no_group(key: &[u8], group: &[u8], where_said: &str) -> Error {
    let texts: [&[u8]; 6] = [
        b"NOGROUP No such key '",
        up_to_nul(key),
        b"' or consumer group '",
        up_to_nul(group),
        b"'",
        where_said.as_bytes(),
    ];
    Error::from_bytes(texts.concat())
}

/// The stream exists, but not its group.
pub(super) fn no_group_of(key: &[u8], group: &[u8]) -> Error {
    let texts: [&[u8]; 5] =
        [b"NOGROUP No such consumer group '", up_to_nul(group), b"' for key name '", up_to_nul(key), b"'"];
    Error::from_bytes(texts.concat())
}

/// The consumer that runs the command, created if the group does not have it; `None` without the group.
pub(super) fn consumer_for(
    state: &mut State,
    key: &[u8],
    group: &[u8],
    name: &[u8],
) -> Result<Option<ConsumerKey>, WrongType> {
    let now = state.now.millis();
    let Some(stream) = state.get_mut::<Stream>(key)? else { return Ok(None) };
    let Some(group) = stream.groups_mut().get_mut(group) else { return Ok(None) };
    if let Some(consumer) = group.add_consumer(name, now) {
        consumer_created(state, key);
        return Ok(Some(consumer));
    }
    let known = group.find(name);
    if let Some(consumer) = known.and_then(|consumer| group.consumer_mut(consumer)) {
        consumer.seen = now;
    }
    Ok(known)
}

fn consumer_created(state: &mut State, key: &[u8]) {
    state.stats.dirty += 1;
    state.event(Class::STREAM, "xgroup-createconsumer", key);
}

/// The options after the id of `XGROUP CREATE` and `XGROUP SETID`.
#[derive(Default)]
struct Options {
    make_stream: bool,
    entries_read: Option<i64>,
}

impl Options {
    fn read(args: Args<'_>, may_create: bool) -> Result<Self, Error> {
        let mut found = Self::default();
        let mut options = args.from(5).iter();
        while let Some(option) = options.next() {
            if may_create && is_option(option, "MKSTREAM") {
                found.make_stream = true;
            } else if is_option(option, "ENTRIESREAD")
                && let Some(value) = options.next()
            {
                let value = numbers::integer(value)?;
                if value < -1 {
                    return Err(Error::new("ERR value for ENTRIESREAD must be positive or -1"));
                }
                found.entries_read = Some(value).filter(|value| *value >= 0);
            } else {
                return Err(Error::subcommand_syntax(&args[1], "XGROUP"));
            }
        }
        Ok(found)
    }

    /// ENTRIESREAD, which since Redis 8.2 is no more than were ever added to the stream.
    fn entries_read_of(&self, stream: &Stream, version: Version) -> Option<i64> {
        let most = if version >= Version::Redis8_2 { stream.entries_added() } else { u64::MAX };
        self.entries_read.map(|read| read.min(i64::try_from(most).unwrap_or(i64::MAX)))
    }
}

const NO_STREAM: &str = "ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may \
                         want to use the MKSTREAM option to create an empty stream automatically.";

/// The group that a subcommand works on.
fn group<'s>(ctx: &'s mut Context<'_>) -> Result<&'s mut Group, Error> {
    let (key, name) = (&ctx.args[2], &ctx.args[3]);
    let stream = ctx.state.get_mut::<Stream>(key)?.ok_or(Error::new(NO_STREAM))?;
    stream.groups_mut().get_mut(name).ok_or_else(|| no_group_of(key, name))
}

/// `XGROUP CREATE`
///
/// # Errors
///
/// The options or the id are wrong, the key is missing or holds another type, or the group exists already.
pub fn create(ctx: &mut Context<'_>) -> Outcome {
    let args = ctx.args;
    let options = Options::read(args, true)?;
    let (key, name) = (&args[2], &args[3]);
    let version = ctx.state.config.compat;
    let stream = ctx.state.get_mut::<Stream>(key)?;
    if stream.is_none() && !options.make_stream {
        return Err(Error::new(NO_STREAM));
    }
    // The number of words of both options; repeated options are not refused.
    if args.len() > 8 {
        return Err(Error::subcommand_syntax(&args[1], "XGROUP"));
    }
    let last = stream.as_ref().map_or(StreamId::MIN, |stream| stream.last_id());
    let id = if ids::is_sign(&args[4], b'$') { last } else { ids::strict(&args[4], 0)? };
    let created = stream.is_none();
    let mut new = None;
    let stream = match stream {
        Some(stream) => stream,
        None => new.insert(Stream::default()),
    };
    if stream.groups().contains_key(name) {
        return Err(Error::new("BUSYGROUP Consumer Group name already exists"));
    }
    let entries_read = options.entries_read_of(stream, version);
    stream.groups_mut().insert(name.into(), Group::new(id, entries_read));
    if let Some(stream) = new {
        ctx.state.insert(key, stream.into_value(), None);
    }
    // Watchers do not notice a new group, but they do notice a new stream.
    if created {
        ctx.state.modified(Class::STREAM, "xgroup-create", key);
    } else {
        ctx.state.stats.dirty += 1;
        ctx.state.event(Class::STREAM, "xgroup-create", key);
    }
    ctx.reply.ok();
    Ok(())
}

/// `XGROUP SETID`
///
/// # Errors
///
/// The options or the id are wrong, or the stream or its group does not exist.
pub fn set_id(ctx: &mut Context<'_>) -> Outcome {
    let args = ctx.args;
    let options = Options::read(args, false)?;
    group(ctx)?;
    if args.len() > 7 {
        return Err(Error::subcommand_syntax(&args[1], "XGROUP"));
    }
    let key = &args[2];
    let version = ctx.state.config.compat;
    let Some(stream) = present(ctx.state.get_mut::<Stream>(key)?) else { return Err(Error::new(NO_STREAM)) };
    let id = if ids::is_sign(&args[4], b'$') { stream.last_id() } else { ids::loose(&args[4], 0)? };
    let entries_read = options.entries_read_of(stream, version);
    let group = group(ctx)?;
    group.last_id = id;
    group.entries_read = entries_read;
    ctx.state.stats.dirty += 1;
    ctx.state.event(Class::STREAM, "xgroup-setid", key);
    ctx.reply.ok();
    Ok(())
}

/// `XGROUP DESTROY`
///
/// # Errors
///
/// The key is missing or holds another type.
pub fn destroy(ctx: &mut Context<'_>) -> Outcome {
    let (key, name) = (&ctx.args[2], &ctx.args[3]);
    let stream = ctx.state.get_mut::<Stream>(key)?.ok_or(Error::new(NO_STREAM))?;
    let destroyed = stream.groups_mut().remove(name).is_some();
    if destroyed {
        ctx.state.stats.dirty += 1;
        ctx.state.event(Class::STREAM, "xgroup-destroy", key);
        // Clients that wait for the group get the error that it no longer exists.
        ctx.state.waiters.ready(ctx.state.db, key);
    }
    ctx.reply.count(destroyed.into());
    Ok(())
}

/// `XGROUP CREATECONSUMER`
///
/// # Errors
///
/// The stream or its group does not exist.
pub fn create_consumer(ctx: &mut Context<'_>) -> Outcome {
    let args = ctx.args;
    let now = ctx.state.now.millis();
    let created = group(ctx)?.add_consumer(&args[4], now).is_some();
    if created {
        consumer_created(ctx.state, &args[2]);
    }
    ctx.reply.count(created.into());
    Ok(())
}

/// `XGROUP DELCONSUMER`
///
/// # Errors
///
/// The stream or its group does not exist.
pub fn delete_consumer(ctx: &mut Context<'_>) -> Outcome {
    let args = ctx.args;
    let pending = group(ctx)?.remove_consumer(&args[4]);
    if pending.is_some() {
        ctx.state.stats.dirty += 1;
        ctx.state.event(Class::STREAM, "xgroup-delconsumer", &args[2]);
    }
    ctx.reply.count(pending.unwrap_or_default());
    Ok(())
}

/// `XACK`
///
/// # Errors
///
/// The key holds another type, or something is not an id.
pub fn xack(ctx: &mut Context<'_>) -> Outcome {
    let args = ctx.args;
    // Looked up for reading, which counts as a hit or a miss.
    ctx.state.get::<Stream>(&args[1])?;
    let stream = ctx.state.get_mut::<Stream>(&args[1])?;
    let Some(group) = stream.and_then(|stream| stream.groups_mut().get_mut(&args[2])) else {
        ctx.reply.integer(0);
        return Ok(());
    };
    let ids = args.from(3).iter().map(|text| ids::strict(text, 0)).collect::<Result<Vec<_>, Error>>()?;
    let acknowledged = ids.into_iter().filter(|id| group.acknowledge(*id)).count();
    ctx.state.stats.dirty += acknowledged as u64;
    ctx.reply.count(acknowledged);
    Ok(())
}
