//! XCLAIM and XAUTOCLAIM: entries that another consumer has not acknowledged.

use super::groups::{consumer_for, no_group};
use super::{ids, write_entry};
use crate::config::Version;
use crate::data::stream::{Claim, Claimed, Deliveries};
use crate::data::value::Typed;
use crate::data::{Stream, StreamId, present};
use crate::resp::parse_integer;
use crate::spec::numbers::{at_least, is_option};
use crate::spec::{Context, Error, Outcome};
use crate::state::State;

/// How many pending entries XAUTOCLAIM examines for each that it may return.
const ATTEMPTS: usize = 10;
/// The greatest COUNT of XAUTOCLAIM: redis-server's, so that the size of its ids, 16 bytes each, fits in 63 bits.
const COUNT_MAX: u64 = (1 << 59) - 1;
/// A greater COUNT of XAUTOCLAIM is more than redis-server has memory for: 16 bytes each do not fit in the 47 bits
/// of addresses that a process has.
const COUNT_THAT_FITS: u64 = 1 << 43;

/// An argument that must be an integer, or the error that names it.
fn number(text: &[u8], what: &str) -> Result<i64, Error> {
    parse_integer(text).ok_or_else(|| Error::new(format!("ERR Invalid {what} argument for XCLAIM")))
}

/// Before Redis 7.2, XCLAIM and XAUTOCLAIM create the consumer only if there is something to claim.
fn makes_consumers_always(ctx: &Context<'_>) -> bool {
    ctx.state.config.compat >= Version::Redis7_4
}

fn stream_there<'a>(state: &'a State, key: &[u8]) -> Option<&'a Stream> {
    state.lookup_shared(key).and_then(|entry| Stream::of(&entry.value))
}

/// What follows the ids of XCLAIM.
struct Options {
    /// The delivery time to set, if given.
    delivered: Option<i64>,
    deliveries: Option<i64>,
    force: bool,
    just_id: bool,
    last_id: StreamId,
}

impl Options {
    fn read(ctx: &Context<'_>, at: usize) -> Result<Self, Error> {
        let (args, now) = (ctx.args, ctx.state.now.millis());
        let mut found =
            Self { delivered: None, deliveries: None, force: false, just_id: false, last_id: StreamId::MIN };
        let mut options = args.from(at).iter();
        while let Some(option) = options.next() {
            let is = |name: &str| is_option(option, name);
            if is("FORCE") {
                found.force = true;
            } else if is("JUSTID") {
                found.just_id = true;
            } else {
                match options.next() {
                    Some(value) if is("IDLE") => {
                        found.delivered = Some(now.wrapping_sub(number(value, "IDLE option")?));
                    }
                    Some(value) if is("TIME") => found.delivered = Some(number(value, "TIME option")?),
                    Some(value) if is("RETRYCOUNT") => {
                        found.deliveries = Some(number(value, "RETRYCOUNT option")?);
                    }
                    Some(value) if is("LASTID") => found.last_id = ids::strict(value, 0)?,
                    _ => return Err(Error::quoting("ERR Unrecognized XCLAIM option '", option, "'")),
                }
            }
        }
        Ok(found)
    }
}

/// `XCLAIM`
///
/// # Errors
///
/// The options are wrong, the key holds another type, or the stream or its group does not exist.
pub fn xclaim(ctx: &mut Context<'_>) -> Outcome {
    let args = ctx.args;
    let (key, name) = (&args[1], &args[2]);
    let stream = ctx.state.get::<Stream>(key)?;
    if stream.is_none_or(|stream| !stream.groups().contains_key(name)) {
        return Err(no_group(key, name, ""));
    }
    let min_idle = number(&args[4], "min-idle-time")?;
    // The first argument that is not an id is the first option.
    let claimed: Vec<StreamId> = args.from(5).iter().map_while(|text| ids::strict(text, 0).ok()).collect();
    let options = Options::read(ctx, 5 + claimed.len())?;

    let now = ctx.state.now.millis();
    let mut changes = 0;
    if let Some(stream) = ctx.state.get_mut::<Stream>(key)?
        && let Some(group) = stream.groups_mut().get_mut(name)
        && options.last_id > group.last_id
    {
        group.last_id = options.last_id;
        changes = 1;
    }
    let mut claim = Claim {
        consumer: None,
        min_idle,
        now,
        // An invalid time, such as one in the future, counts as now.
        delivered: options.delivered.filter(|at| (0..=now).contains(at)).unwrap_or(now),
        deliveries: match options.deliveries.and_then(|times| u64::try_from(times).ok()) {
            Some(times) => Deliveries::Set(times),
            None if options.just_id => Deliveries::Same,
            None => Deliveries::OneMore,
        },
        force: options.force,
    };
    let finds = |stream: &Stream| claimed.iter().any(|id| stream.may_claim(name, *id, &claim));
    if makes_consumers_always(ctx) || stream_there(ctx.state, key).is_some_and(finds) {
        claim.consumer = consumer_for(ctx.state, key, name, &args[3])?;
    }
    let begin = ctx.reply.position();
    let mut len = 0;
    let mut done = 0;
    let Some(stream) = present(ctx.state.get_mut::<Stream>(key)?) else { return Ok(()) };
    for id in claimed {
        match stream.claim(name, id, &claim) {
            Claimed::No => continue,
            Claimed::Vanished => {}
            Claimed::Yes if options.just_id => {
                len += 1;
                ids::write(&mut ctx.reply, id);
            }
            Claimed::Yes => {
                len += 1;
                if let Some(entry) = stream.get(id) {
                    write_entry(&mut ctx.reply, entry);
                }
            }
        }
        done += 1;
    }
    ctx.reply.insert_array(begin, len);
    // A new last id counts as a change only if no entry was claimed.
    ctx.state.stats.dirty += if done > 0 { done } else { changes };
    Ok(())
}

/// `XAUTOCLAIM`
///
/// # Errors
///
/// The options are wrong, the key holds another type, or the stream or its group does not exist.
pub fn xautoclaim(ctx: &mut Context<'_>) -> Outcome {
    let args = ctx.args;
    let min_idle =
        parse_integer(&args[4]).ok_or(Error::new("ERR Invalid min-idle-time argument for XAUTOCLAIM"))?;
    let start = ids::range_start(&args[5])?;
    let (mut count, mut just_id) = (100, false);
    let mut options = args.from(6).iter();
    while let Some(option) = options.next() {
        if is_option(option, "JUSTID") {
            just_id = true;
            continue;
        }
        match options.next() {
            Some(value) if is_option(option, "COUNT") => {
                let value = at_least(value, 1).filter(|count| *count as u64 <= COUNT_MAX);
                count = value.ok_or(Error::new("ERR COUNT must be > 0"))?;
            }
            _ => return Err(Error::SYNTAX),
        }
    }
    let (key, name) = (&args[1], &args[2]);
    let stream = ctx.state.get::<Stream>(key)?;
    if stream.is_none_or(|stream| !stream.groups().contains_key(name)) {
        return Err(no_group(key, name, ""));
    }
    if count as u64 > COUNT_THAT_FITS {
        return Err(Error::new(
            "ERR Insufficient memory, failed allocating transient memory, COUNT too high.",
        ));
    }
    let now = ctx.state.now.millis();
    let deliveries = if just_id { Deliveries::Same } else { Deliveries::OneMore };
    let mut claim = Claim { consumer: None, min_idle, now, delivered: now, deliveries, force: false };
    let next_from = |stream: &Stream, from: StreamId| {
        let group = stream.groups().get(name)?;
        group.pending().range(from..).next().map(|(id, _)| *id)
    };
    let finds = |stream: &Stream| {
        let looked_at =
            stream.groups().get(name).into_iter().flat_map(|group| group.pending().range(start..));
        let mut ids = looked_at.map(|(id, _)| *id).take(count.saturating_mul(ATTEMPTS));
        let mut vanished = 0;
        ids.find(|id| {
            vanished += usize::from(!stream.contains(*id));
            vanished == count || stream.may_claim(name, *id, &claim)
        })
        .is_some_and(|id| stream.may_claim(name, id, &claim))
    };
    if makes_consumers_always(ctx) || stream_there(ctx.state, key).is_some_and(finds) {
        claim.consumer = consumer_for(ctx.state, key, name, &args[3])?;
    }

    let reply = &mut ctx.reply;
    let Some(stream) = present(ctx.state.get_mut::<Stream>(key)?) else { return Ok(()) };
    reply.array(3);
    let begin = reply.position();
    let (mut len, mut vanished) = (0, Vec::new());
    let mut next = next_from(stream, start);
    for _ in 0..count.saturating_mul(ATTEMPTS) {
        let Some(id) = next.filter(|_| len + vanished.len() < count) else { break };
        match stream.claim(name, id, &claim) {
            Claimed::No => {}
            Claimed::Vanished => vanished.push(id),
            Claimed::Yes => {
                len += 1;
                match stream.get(id).filter(|_| !just_id) {
                    Some(entry) => write_entry(reply, entry),
                    None => ids::write(reply, id),
                }
            }
        }
        next = id.next().and_then(|from| next_from(stream, from));
    }
    reply.insert_array(begin, len);
    // The cursor comes before the entries.
    let end = reply.position();
    ids::write(reply, next.unwrap_or_default());
    reply.move_to(end, begin);
    reply.array(vanished.len());
    for id in &vanished {
        ids::write(reply, *id);
    }
    ctx.state.stats.dirty += (len + vanished.len()) as u64;
    Ok(())
}
