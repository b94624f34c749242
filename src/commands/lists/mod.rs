//! The list commands. Those that can wait for an element are in `blocking`.

mod blocking;
mod moving;
mod positions;

pub use blocking::{blmove, blmpop, blpop, brpop, brpoplpush};
pub use moving::{lmove, lmpop, rpoplpush};
pub use positions::lpos;

use crate::config::{Class, Version};
use crate::data::list;
use crate::data::list::{End, ListLimits};
use crate::data::{List, Value};
use crate::resp::Reply;
use crate::spec::{Context, Error, Outcome, numbers};
use crate::state::{Lookup, State};

impl End {
    /// The end that LEFT or RIGHT names.
    fn read(word: &[u8]) -> Result<Self, Error> {
        if numbers::is_option(word, "LEFT") {
            Ok(Self::Left)
        } else if numbers::is_option(word, "RIGHT") {
            Ok(Self::Right)
        } else {
            Err(Error::SYNTAX)
        }
    }

    /// The event of an element that was added at this end.
    fn pushed(self) -> &'static str {
        match self {
            Self::Left => "lpush",
            Self::Right => "rpush",
        }
    }

    /// The event of an element that was taken from this end.
    fn popped(self) -> &'static str {
        match self {
            Self::Left => "lpop",
            Self::Right => "rpop",
        }
    }
}

/// Notifies of `count` elements that were removed from a list, of which `left` are left.
fn removed(state: &mut State, key: &[u8], event: &str, count: usize, left: usize) {
    state.modified_by(count, Class::LIST, event, key);
    if left == 0 {
        return state.remove_empty(key);
    }
    let limits = ListLimits::of(&state.config);
    if let Some(Value::List(list)) = state.lookup_mut(key, Lookup::Uncounted).map(|entry| &mut entry.value) {
        list.update_encoding(limits);
    }
}

/// Takes up to `count` elements from one end of a list and writes each as a bulk string; returns how many are
/// left.
fn pop_into(reply: &mut Reply<'_>, list: &mut List, end: End, count: usize) -> usize {
    for _ in 0..count {
        let Some(element) = list.pop(end) else { break };
        reply.bulk(&element);
    }
    list.len()
}

/// `LPUSH key element [element ...]`
pub fn lpush(ctx: &mut Context<'_>) -> Outcome {
    push(ctx, End::Left, true)
}

/// `RPUSH key element [element ...]`
pub fn rpush(ctx: &mut Context<'_>) -> Outcome {
    push(ctx, End::Right, true)
}

/// `LPUSHX key element [element ...]`
pub fn lpushx(ctx: &mut Context<'_>) -> Outcome {
    push(ctx, End::Left, false)
}

/// `RPUSHX key element [element ...]`
pub fn rpushx(ctx: &mut Context<'_>) -> Outcome {
    push(ctx, End::Right, false)
}

fn push(ctx: &mut Context<'_>, end: End, creates: bool) -> Outcome {
    let key = &ctx.args[1];
    let limits = ListLimits::of(&ctx.state.config);
    let list = if creates { Some(ctx.state.get_or_create(key)?) } else { ctx.state.get_mut::<List>(key)? };
    let Some(list) = list else {
        ctx.reply.integer(0);
        return Ok(());
    };
    let elements = ctx.args.from(2);
    list.expect(elements.iter(), limits);
    for element in elements.iter() {
        list.push(end, element.into(), limits);
    }
    ctx.reply.count(list.len());
    ctx.state.modified_by(elements.len(), Class::LIST, end.pushed(), key);
    Ok(())
}

/// `LPOP key [count]`
pub fn lpop(ctx: &mut Context<'_>) -> Outcome {
    pop(ctx, End::Left)
}

/// `RPOP key [count]`
pub fn rpop(ctx: &mut Context<'_>) -> Outcome {
    pop(ctx, End::Right)
}

fn pop(ctx: &mut Context<'_>, end: End) -> Outcome {
    if ctx.args.len() > 3 {
        return Err(Error::arity(&ctx.command.full_name()));
    }
    let key = &ctx.args[1];
    let count = ctx.args.get(2).map(numbers::count).transpose()?;
    let Some(list) = ctx.state.get_mut::<List>(key)? else {
        if count.is_some() {
            ctx.reply.null_array();
        } else {
            ctx.reply.null();
        }
        return Ok(());
    };
    let taken = count.unwrap_or(1).min(list.len());
    if count.is_some() {
        ctx.reply.array(taken);
    }
    if taken > 0 {
        let left = pop_into(&mut ctx.reply, list, end, taken);
        removed(ctx.state, key, end.popped(), taken, left);
    }
    Ok(())
}

/// `LLEN key`
pub fn llen(ctx: &mut Context<'_>) -> Outcome {
    let list = ctx.state.get::<List>(&ctx.args[1])?;
    ctx.reply.count(list.map_or(0, |list| list.len()));
    Ok(())
}

/// `LRANGE key start stop`
pub fn lrange(ctx: &mut Context<'_>) -> Outcome {
    let (start, stop) = (numbers::integer(&ctx.args[2])?, numbers::integer(&ctx.args[3])?);
    let Some(list) = ctx.state.get::<List>(&ctx.args[1])? else {
        ctx.reply.array(0);
        return Ok(());
    };
    let chosen = numbers::range(start, stop, list.len());
    ctx.reply.array(chosen.len());
    for element in list.range(chosen) {
        ctx.reply.bulk(element);
    }
    Ok(())
}

/// `LINDEX key index`
pub fn lindex(ctx: &mut Context<'_>) -> Outcome {
    let Some(list) = ctx.state.get::<List>(&ctx.args[1])? else {
        ctx.reply.null();
        return Ok(());
    };
    let position = list::resolve_index(numbers::integer(&ctx.args[2])?, list.len());
    let element = position.and_then(|position| list.get(position));
    ctx.reply.bulk_or_null(element.map(|element| &**element));
    Ok(())
}

/// `LSET key index element`
pub fn lset(ctx: &mut Context<'_>) -> Outcome {
    let key = &ctx.args[1];
    let limits = ListLimits::of(&ctx.state.config);
    let version = ctx.state.config.compat;
    let list = ctx.state.get_mut::<List>(key)?.ok_or(Error::NO_SUCH_KEY)?;
    let mut index = numbers::integer(&ctx.args[2])?;
    if version >= Version::Redis7_4 {
        // redis-server from 7.2 on looks at the lower 32 bits only.
        index = (index << 32) >> 32;
    }
    let position = list::resolve_index(index, list.len());
    // The encoding may change even if there is no such element.
    list.expect([&ctx.args[3]], limits);
    if !position.is_some_and(|position| list.replace(position, &ctx.args[3], limits)) {
        return Err(Error::INDEX_OUT_OF_RANGE);
    }
    list.update_encoding(limits);
    ctx.reply.ok();
    ctx.state.modified(Class::LIST, "lset", key);
    Ok(())
}

/// `LINSERT key BEFORE|AFTER pivot element`
pub fn linsert(ctx: &mut Context<'_>) -> Outcome {
    let (key, side) = (&ctx.args[1], &ctx.args[2]);
    let behind = numbers::is_option(side, "AFTER");
    if !behind && !numbers::is_option(side, "BEFORE") {
        return Err(Error::SYNTAX);
    }
    let limits = ListLimits::of(&ctx.state.config);
    let Some(list) = ctx.state.get_mut::<List>(key)? else {
        ctx.reply.integer(0);
        return Ok(());
    };
    let element = &ctx.args[4];
    // The encoding may change even if there is no such pivot.
    list.expect([element], limits);
    if list.insert_beside(&ctx.args[3], behind, element, limits) {
        ctx.reply.count(list.len());
        ctx.state.modified(Class::LIST, "linsert", key);
    } else {
        ctx.reply.integer(-1);
    }
    Ok(())
}

/// `LREM key count element`
pub fn lrem(ctx: &mut Context<'_>) -> Outcome {
    let key = &ctx.args[1];
    let count = numbers::negated(&ctx.args[2], -i64::MAX, ctx.state.config.compat)?;
    let Some(list) = ctx.state.get_mut::<List>(key)? else {
        ctx.reply.integer(0);
        return Ok(());
    };
    let max =
        if count == 0 { usize::MAX } else { usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX) };
    let from = if count < 0 { End::Right } else { End::Left };
    let found = list.remove_equal(&ctx.args[3], max, from);
    ctx.reply.count(found);
    if found > 0 {
        let left = list.len();
        removed(ctx.state, key, "lrem", found, left);
    }
    Ok(())
}

/// `LTRIM key start stop`
pub fn ltrim(ctx: &mut Context<'_>) -> Outcome {
    let key = &ctx.args[1];
    let (start, stop) = (numbers::integer(&ctx.args[2])?, numbers::integer(&ctx.args[3])?);
    if let Some(list) = ctx.state.get_mut::<List>(key)? {
        let kept = numbers::range(start, stop, list.len());
        let count = list.keep(kept);
        let left = list.len();
        // Notified even if there was nothing to remove.
        removed(ctx.state, key, "ltrim", count, left);
    }
    ctx.reply.ok();
    Ok(())
}
