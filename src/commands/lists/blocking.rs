//! The commands that wait for an element. The command of a client that waits is run again when one of its keys
//! becomes a list, and then looks at the keys in their order, as the first time.

use super::moving::move_element;
use super::{pop_into, removed};
use crate::commands::many::Many;
use crate::data::Deadline;
use crate::data::List;
use crate::data::list::End;
use crate::data::value::Type;
use crate::spec::{Context, Outcome};

/// `BLPOP key [key ...] timeout`
pub fn blpop(ctx: &mut Context<'_>) -> Outcome {
    pop_one(ctx, End::Left)
}

/// `BRPOP key [key ...] timeout`
pub fn brpop(ctx: &mut Context<'_>) -> Outcome {
    pop_one(ctx, End::Right)
}

fn pop_one(ctx: &mut Context<'_>, end: End) -> Outcome {
    let timeout = ctx.args.len() - 1;
    let keys = ctx.args.range(1, timeout);
    let deadline = ctx.deadline_from_seconds(&ctx.args[timeout])?;
    for key in keys.iter() {
        let Some(list) = ctx.state.get_mut::<List>(key)? else { continue };
        ctx.reply.array(2);
        ctx.reply.bulk(key);
        let left = pop_into(&mut ctx.reply, list, end, 1);
        removed(ctx.state, key, end.popped(), 1, left);
        return Ok(());
    }
    ctx.block(Type::List, keys.iter(), deadline);
    Ok(())
}

/// `BLMPOP timeout numkeys key [key ...] LEFT|RIGHT [COUNT count]`
pub fn blmpop(ctx: &mut Context<'_>) -> Outcome {
    let many = Many::read(ctx.args.from(2), End::read)?;
    let deadline = ctx.deadline_from_seconds(&ctx.args[1])?;
    // What BLMPOP takes is a change by its client in every version.
    ctx.state.takes_element = false;
    if !many.pop(ctx)? {
        ctx.block(Type::List, many.keys.iter(), deadline);
    }
    Ok(())
}

/// `BLMOVE source destination LEFT|RIGHT LEFT|RIGHT timeout`
pub fn blmove(ctx: &mut Context<'_>) -> Outcome {
    let (from, to) = (End::read(&ctx.args[3])?, End::read(&ctx.args[4])?);
    let deadline = ctx.deadline_from_seconds(&ctx.args[5])?;
    move_or_wait(ctx, from, to, deadline)
}

/// `BRPOPLPUSH source destination timeout`
pub fn brpoplpush(ctx: &mut Context<'_>) -> Outcome {
    let deadline = ctx.deadline_from_seconds(&ctx.args[3])?;
    move_or_wait(ctx, End::Right, End::Left, deadline)
}

fn move_or_wait(ctx: &mut Context<'_>, from: End, to: End, deadline: Option<Deadline>) -> Outcome {
    if move_element(ctx, from, to)? {
        return Ok(());
    }
    if ctx.may_block {
        let source = ctx.args.range(1, 2);
        ctx.block(Type::List, source.iter(), deadline);
    } else {
        // Not the null array that is the reply at a timeout.
        ctx.reply.null();
    }
    Ok(())
}
