//! XDEL, XDELEX and XACKDEL.

use super::ids;
use crate::config::Class;
use crate::data::stream::{Deleted, References};
use crate::data::{Stream, StreamId};
use crate::resp::{Args, Reply};
use crate::spec::numbers::{at_least, is_option};
use crate::spec::{Context, Error, Outcome};

/// What XDELEX and XACKDEL reply for an id that is not there, or not pending.
const NOT_THERE: i64 = -1;
/// For an entry that is deleted.
const DELETED: i64 = 1;
/// For an entry that stays, as a group refers to it.
const REFERENCED: i64 = 2;

/// `XDEL`
///
/// # Errors
///
/// The type of the value is wrong, or something is not an id.
pub fn xdel(ctx: &mut Context<'_>) -> Outcome {
    let key = &ctx.args[1];
    let Some(stream) = ctx.state.get_mut::<Stream>(key)? else {
        ctx.reply.integer(0);
        return Ok(());
    };
    // All of them are read before the first is deleted: a wrong one at the end must change nothing.
    let ids = read(ctx.args.from(2))?;
    let deleted = ids.into_iter().filter(|id| stream.delete(*id)).count();
    if deleted > 0 {
        ctx.state.modified_by(deleted, Class::STREAM, "xdel", key);
    }
    ctx.reply.count(deleted);
    Ok(())
}

/// `XDELEX key [KEEPREF|DELREF|ACKED] IDS count id...`
///
/// # Errors
///
/// The type of the value or the options are wrong, or something is not an id.
pub fn xdelex(ctx: &mut Context<'_>) -> Outcome {
    let key = &ctx.args[1];
    let stream = ctx.state.get_mut::<Stream>(key)?;
    let options = Options::read(ctx.args, 2)?;
    let Some(stream) = stream else {
        none_there(&mut ctx.reply, options.ids.len());
        return Ok(());
    };
    let ids = read(options.ids)?;
    ctx.reply.array(ids.len());
    let mut deleted = 0;
    for id in ids {
        ctx.reply.integer(match stream.delete_with(id, options.references) {
            Deleted::Yes => {
                deleted += 1;
                DELETED
            }
            Deleted::NotThere => NOT_THERE,
            Deleted::Referenced => REFERENCED,
        });
    }
    if deleted > 0 {
        ctx.state.modified_by(deleted, Class::STREAM, "xdel", key);
    }
    Ok(())
}

/// `XACKDEL key group [KEEPREF|DELREF|ACKED] IDS count id...`
///
/// # Errors
///
/// The type of the value or the options are wrong, or something is not an id.
pub fn xackdel(ctx: &mut Context<'_>) -> Outcome {
    let (key, name) = (&ctx.args[1], &ctx.args[2]);
    // Looked up for reading, which counts as a hit or a miss.
    ctx.state.get::<Stream>(key)?;
    let stream = ctx.state.get_mut::<Stream>(key)?;
    let options = Options::read(ctx.args, 3)?;
    let Some(stream) = stream.filter(|stream| stream.groups().contains_key(name)) else {
        none_there(&mut ctx.reply, options.ids.len());
        return Ok(());
    };
    let ids = read(options.ids)?;
    ctx.reply.array(ids.len());
    let (mut acknowledged, mut deleted) = (0, 0);
    for id in ids {
        if !stream.groups_mut().get_mut(name).is_some_and(|group| group.acknowledge(id)) {
            ctx.reply.integer(NOT_THERE);
            continue;
        }
        acknowledged += 1;
        let outcome = stream.delete_with(id, options.references);
        deleted += usize::from(outcome == Deleted::Yes);
        // The entry of an acknowledged id may have been deleted before.
        ctx.reply.integer(if outcome == Deleted::Referenced { REFERENCED } else { DELETED });
    }
    // Acknowledging is the change that counts.
    if deleted > 0 {
        ctx.state.modified_by(acknowledged, Class::STREAM, "xdel", key);
    } else {
        ctx.state.stats.dirty += acknowledged as u64;
    }
    Ok(())
}

/// Replies that none of the ids is there.
fn none_there(reply: &mut Reply<'_>, ids: usize) {
    reply.array(ids);
    for _ in 0..ids {
        reply.integer(NOT_THERE);
    }
}

/// All of these ids.
fn read(texts: Args<'_>) -> Result<Vec<StreamId>, Error> {
    texts.iter().map(|text| ids::strict(text, 0)).collect()
}

/// What the words KEEPREF, DELREF and ACKED mean.
pub(super) fn references(word: &[u8]) -> Option<References> {
    let words =
        [("KEEPREF", References::Keep), ("DELREF", References::Remove), ("ACKED", References::Respect)];
    words.into_iter().find(|(name, _)| is_option(word, name)).map(|(_, references)| references)
}

/// The options of XDELEX and XACKDEL.
struct Options<'a> {
    references: References,
    ids: Args<'a>,
}

impl<'a> Options<'a> {
    /// Reads them from the argument at `at` on. Of several IDS the last counts.
    fn read(args: Args<'a>, mut at: usize) -> Result<Self, Error> {
        let (mut chosen, mut ids) = (None, None);
        while let Some(option) = args.get(at) {
            if let Some(references) = references(option).filter(|_| chosen.is_none()) {
                chosen = Some(references);
                at += 1;
                continue;
            }
            let Some(count) = args.get(at + 1).filter(|_| is_option(option, "IDS")) else {
                return Err(Error::SYNTAX);
            };
            let count =
                at_least(count, 1).ok_or(Error::new("ERR Number of IDs must be a positive integer"))?;
            let start = at + 2;
            if count > args.len() - start {
                return Err(Error::new("ERR The `numids` parameter must match the number of arguments"));
            }
            at = start + count;
            ids = Some(args.range(start, at));
        }
        let ids = ids.ok_or(Error::SYNTAX)?;
        Ok(Self { references: chosen.unwrap_or_default(), ids })
    }
}
