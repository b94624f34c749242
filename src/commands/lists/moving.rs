//! Elements that move from one list to another, or from the first of several lists to the client.

use super::{pop_into, removed};
use crate::commands::many::Many;
use crate::config::Class;
use crate::data::list::{End, ListLimits};
use crate::data::{List, Typed};
use crate::keyspace::Entry;
use crate::spec::{Context, Error, Outcome};
use crate::state::{Lookup, State};

/// `LMOVE source destination LEFT|RIGHT LEFT|RIGHT`
pub fn lmove(ctx: &mut Context<'_>) -> Outcome {
    let (from, to) = (End::read(&ctx.args[3])?, End::read(&ctx.args[4])?);
    if !move_element(ctx, from, to)? {
        ctx.reply.null();
    }
    Ok(())
}

/// `RPOPLPUSH source destination`
pub fn rpoplpush(ctx: &mut Context<'_>) -> Outcome {
    if !move_element(ctx, End::Right, End::Left)? {
        ctx.reply.null();
    }
    Ok(())
}

/// Moves an element from the list that argument 1 names to the one that argument 2 names, and replies with the
/// element. False if there is none.
pub(super) fn move_element(ctx: &mut Context<'_>, from: End, to: End) -> Result<bool, Error> {
    let (source, destination) = (&ctx.args[1], &ctx.args[2]);
    if length(ctx.state, source)?.is_none() {
        return Ok(false);
    }
    // Checked first, so that no element is taken that cannot be stored.
    length(ctx.state, destination)?;
    let Some(element) = ctx.state.get_mut::<List>(source)?.and_then(|list| list.pop(from)) else {
        return Ok(false);
    };
    ctx.reply.bulk(&element);
    let limits = ListLimits::of(&ctx.state.config);
    let list = ctx.state.get_or_create::<List>(destination)?;
    list.expect([&*element], limits);
    list.push(to, element, limits);
    // One change, with two events. What is added is a change by this client even where its source is the same key.
    let takes_element = std::mem::take(&mut ctx.state.takes_element);
    ctx.state.modified_by(0, Class::LIST, to.pushed(), destination);
    ctx.state.takes_element = takes_element;
    let left = length(ctx.state, source)?.unwrap_or_default();
    removed(ctx.state, source, from.popped(), 1, left);
    Ok(true)
}

/// The length of a list, if there is one; this does not count as use.
fn length(state: &mut State, key: &[u8]) -> Result<Option<usize>, Error> {
    let list = |entry: &Entry| List::of(&entry.value).map(|list| list.len()).ok_or(Error::WRONG_TYPE);
    state.lookup(key, Lookup::Uncounted).map(list).transpose()
}

/// `LMPOP numkeys key [key ...] LEFT|RIGHT [COUNT count]`
pub fn lmpop(ctx: &mut Context<'_>) -> Outcome {
    let many = Many::read(ctx.args.from(1), End::read)?;
    if !many.pop(ctx)? {
        ctx.reply.null_array();
    }
    Ok(())
}

impl Many<'_, End> {
    /// Takes elements from the first list that exists, and replies with its key and the elements. False if
    /// there is none.
    pub(super) fn pop(&self, ctx: &mut Context<'_>) -> Result<bool, Error> {
        for key in self.keys.iter() {
            let Some(list) = ctx.state.get_mut::<List>(key)? else { continue };
            let taken = self.max.min(list.len());
            ctx.reply.array(2);
            ctx.reply.bulk(key);
            ctx.reply.array(taken);
            let left = pop_into(&mut ctx.reply, list, self.from, taken);
            removed(ctx.state, key, self.from.popped(), taken, left);
            return Ok(true);
        }
        Ok(false)
    }
}
