//! The commands that take the first or the last members, and those that wait for them. The command of a
//! client that waits is run again when one of its keys becomes a sorted set, and then looks at the keys in
//! their order, as the first time.

use super::Listing;
use crate::commands::many::Many;
use crate::config::Class;
use crate::data::SortedSet;
use crate::data::value::Type;
use crate::resp::Reply;
use crate::spec::numbers::{self, is_option};
use crate::spec::{Context, Error, Outcome};
use crate::state::State;

/// From where members are taken.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Edge {
    Min,
    Max,
}

impl Edge {
    /// The edge that MIN or MAX names.
    fn read(word: &[u8]) -> Result<Self, Error> {
        if is_option(word, "MIN") {
            Ok(Self::Min)
        } else if is_option(word, "MAX") {
            Ok(Self::Max)
        } else {
            Err(Error::SYNTAX)
        }
    }

    /// Takes up to `max` members, the outermost first, and passes them to `write`; returns their number.
    fn pop(self, set: &mut SortedSet, max: usize, mut write: impl FnMut(&[u8], f64)) -> usize {
        let count = max.min(set.len());
        let ranks = match self {
            Self::Min => 0..count,
            Self::Max => set.len() - count..set.len(),
        };
        let members = set.range(ranks.clone());
        match self {
            Self::Min => members.for_each(|(member, score)| write(member, score)),
            Self::Max => members.rev().for_each(|(member, score)| write(member, score)),
        }
        set.remove_range(ranks);
        count
    }

    /// Notifies of members that were removed from this edge.
    fn popped(self, state: &mut State, key: &[u8], count: usize, is_empty: bool) {
        let event = match self {
            Self::Min => "zpopmin",
            Self::Max => "zpopmax",
        };
        state.modified_by(count, Class::SORTED_SET, event, key);
        if is_empty {
            state.remove_empty(key);
        }
    }
}

/// `ZPOPMIN key [count]`
pub fn zpopmin(ctx: &mut Context<'_>) -> Outcome {
    pop(ctx, Edge::Min)
}

/// `ZPOPMAX key [count]`
pub fn zpopmax(ctx: &mut Context<'_>) -> Outcome {
    pop(ctx, Edge::Max)
}

fn pop(ctx: &mut Context<'_>, edge: Edge) -> Outcome {
    if ctx.args.len() > 3 {
        return Err(Error::SYNTAX);
    }
    let key = &ctx.args[1];
    let count = ctx.args.get(2).map(numbers::count).transpose()?;
    let Some(set) = ctx.state.get_mut::<SortedSet>(key)? else {
        ctx.reply.array(0);
        return Ok(());
    };
    let taken = count.unwrap_or(1).min(set.len());
    let reply = &mut ctx.reply;
    if count.is_some() {
        let listing = Listing::begin(reply, taken, true);
        edge.pop(set, taken, |member, score| listing.write(reply, member, score));
    } else {
        reply.array(2);
        edge.pop(set, taken, |member, score| write_flat(reply, member, score));
    }
    let is_empty = set.is_empty();
    if taken > 0 {
        edge.popped(ctx.state, key, taken, is_empty);
    }
    Ok(())
}

fn write_flat(reply: &mut Reply<'_>, member: &[u8], score: f64) {
    reply.bulk(member);
    reply.double(score);
}

/// `BZPOPMIN key [key ...] timeout`
pub fn bzpopmin(ctx: &mut Context<'_>) -> Outcome {
    pop_or_wait(ctx, Edge::Min)
}

/// `BZPOPMAX key [key ...] timeout`
pub fn bzpopmax(ctx: &mut Context<'_>) -> Outcome {
    pop_or_wait(ctx, Edge::Max)
}

fn pop_or_wait(ctx: &mut Context<'_>, edge: Edge) -> Outcome {
    let timeout = ctx.args.len() - 1;
    let keys = ctx.args.range(1, timeout);
    let deadline = ctx.deadline_from_seconds(&ctx.args[timeout])?;
    for key in keys.iter() {
        let Some(set) = ctx.state.get_mut::<SortedSet>(key)? else { continue };
        let reply = &mut ctx.reply;
        reply.array(3);
        reply.bulk(key);
        let count = edge.pop(set, 1, |member, score| write_flat(reply, member, score));
        let is_empty = set.is_empty();
        edge.popped(ctx.state, key, count, is_empty);
        return Ok(());
    }
    ctx.block(Type::SortedSet, keys.iter(), deadline);
    Ok(())
}

/// `ZMPOP numkeys key [key ...] MIN|MAX [COUNT count]`
pub fn zmpop(ctx: &mut Context<'_>) -> Outcome {
    let many = Many::read(ctx.args.from(1), Edge::read)?;
    if !many.pop(ctx)? {
        ctx.reply.null_array();
    }
    Ok(())
}

/// `BZMPOP timeout numkeys key [key ...] MIN|MAX [COUNT count]`
pub fn bzmpop(ctx: &mut Context<'_>) -> Outcome {
    let many = Many::read(ctx.args.from(2), Edge::read)?;
    let deadline = ctx.deadline_from_seconds(&ctx.args[1])?;
    if !many.pop(ctx)? {
        ctx.block(Type::SortedSet, many.keys.iter(), deadline);
    }
    Ok(())
}

impl Many<'_, Edge> {
    /// Takes members from the first sorted set that exists, and replies with its key and the members, as
    /// pairs in both versions of the protocol. False if there is none.
    fn pop(&self, ctx: &mut Context<'_>) -> Result<bool, Error> {
        for key in self.keys.iter() {
            let Some(set) = ctx.state.get_mut::<SortedSet>(key)? else { continue };
            let reply = &mut ctx.reply;
            reply.array(2);
            reply.bulk(key);
            reply.array(self.max.min(set.len()));
            let count = self.from.pop(set, self.max, |member, score| {
                reply.array(2);
                write_flat(reply, member, score);
            });
            let is_empty = set.is_empty();
            self.from.popped(ctx.state, key, count, is_empty);
            return Ok(true);
        }
        Ok(false)
    }
}
