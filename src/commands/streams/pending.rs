//! XPENDING.

use super::groups::no_group;
use super::ids;
use crate::data::{Stream, StreamId};
use crate::resp::Args;
use crate::spec::numbers::{self, is_option};
use crate::spec::{Context, Error, Outcome};

/// The arguments of the longer form of XPENDING.
struct Query<'a> {
    min_idle: i64,
    start: StreamId,
    end: StreamId,
    count: usize,
    consumer: Option<&'a [u8]>,
}

impl<'a> Query<'a> {
    fn read(args: Args<'a>) -> Result<Option<Self>, Error> {
        if args.len() == 3 {
            return Ok(None);
        }
        if !(6..=9).contains(&args.len()) {
            return Err(Error::SYNTAX);
        }
        let (mut min_idle, mut at) = (0, 3);
        if is_option(&args[3], "IDLE") {
            min_idle = numbers::integer(&args[4])?;
            if args.len() < 8 {
                return Err(Error::SYNTAX);
            }
            at = 5;
        }
        // A negative one is 0.
        let count = usize::try_from(numbers::integer(&args[at + 2])?).unwrap_or_default();
        let start = ids::range_start(&args[at])?;
        let end = ids::range_end(&args[at + 1])?;
        Ok(Some(Self { min_idle, start, end, count, consumer: args.get(at + 3) }))
    }
}

/// `XPENDING`
///
/// # Errors
///
/// The options are wrong, the key holds another type, or the stream or its group does not exist.
pub fn xpending(ctx: &mut Context<'_>) -> Outcome {
    let args = ctx.args;
    let query = Query::read(args)?;
    let now = ctx.state.now.millis();
    let stream = ctx.state.get::<Stream>(&args[1])?;
    let group = stream.and_then(|stream| stream.groups().get(&args[2]));
    let group = group.ok_or_else(|| no_group(&args[1], &args[2], ""))?;
    let reply = &mut ctx.reply;
    let Some(query) = query else {
        let ids = group.pending();
        reply.array(4);
        reply.count(ids.len());
        let (Some((first, _)), Some((last, _))) = (ids.first_key_value(), ids.last_key_value()) else {
            reply.null();
            reply.null();
            reply.null_array();
            return Ok(());
        };
        ids::write(reply, *first);
        ids::write(reply, *last);
        let busy = || group.consumers().map(|(_, one)| one).filter(|one| !one.pending().is_empty());
        reply.array(busy().count());
        for consumer in busy() {
            reply.array(2);
            reply.bulk(consumer.name());
            reply.bulk(consumer.pending().len().to_string().as_bytes());
        }
        return Ok(());
    };
    let consumer = match query.consumer {
        None => None,
        Some(name) => match group.find(name) {
            None => {
                reply.array(0);
                return Ok(());
            }
            known => known,
        },
    };
    let begin = reply.position();
    let mut len = 0;
    if query.start <= query.end {
        let all = group.pending_of(consumer, query.start..=query.end);
        let idle = |delivered: i64| now.saturating_sub(delivered);
        let wanted = all.filter(|(_, one)| query.min_idle == 0 || idle(one.delivered) >= query.min_idle);
        for (id, pending) in wanted.take(query.count) {
            len += 1;
            reply.array(4);
            ids::write(reply, id);
            reply.bulk(group.consumer(pending.consumer).map_or(&[], |consumer| consumer.name()));
            reply.integer(idle(pending.delivered).max(0));
            reply.integer(pending.deliveries.cast_signed());
        }
    }
    reply.insert_array(begin, len);
    Ok(())
}
