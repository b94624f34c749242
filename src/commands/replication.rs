//! Waiting for replicas, of which there are none.

use crate::clients::waiters::Reason;
use crate::data::Deadline;
use crate::spec::numbers::{self, deadline_from_millis, integer};
use crate::spec::{Context, Error, Outcome, Wait};

/// `WAIT numreplicas timeout`: the number of replicas that have everything, which is 0. The reply is sent at
/// once if 0 are wanted, else at the timeout.
///
/// # Errors
///
/// Invalid numbers, a negative timeout.
pub fn wait(ctx: &mut Context<'_>) -> Outcome {
    let wanted = integer(&ctx.args[1])?;
    let deadline = deadline_from_millis(&ctx.args[2], ctx.state.now, ctx.state.config.compat)?;
    if wanted > 0 && ctx.may_block {
        wait_for(ctx, Reason::Replicas, deadline);
    } else {
        ctx.reply.integer(0);
    }
    Ok(())
}

/// `WAITAOF numlocal numreplicas timeout`: how many of this server's and of the replicas' disks have everything,
/// which are 0 and 0. The reply is sent at once if 0 are wanted, else at the timeout.
///
/// # Errors
///
/// Numbers that are invalid or out of range, a negative timeout, or this server's disk is wanted.
pub fn waitaof(ctx: &mut Context<'_>) -> Outcome {
    let local = numbers::integer_between(&ctx.args[1], 0, 1)?;
    let replicas = numbers::count(&ctx.args[2])?;
    let deadline = deadline_from_millis(&ctx.args[3], ctx.state.now, ctx.state.config.compat)?;
    if local > 0 {
        return Err(Error::new(
            "ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.",
        ));
    }
    if replicas > 0 && ctx.may_block {
        wait_for(ctx, Reason::Disks, deadline);
    } else {
        ctx.reply.array(2);
        ctx.reply.integer(0);
        ctx.reply.integer(0);
    }
    Ok(())
}

fn wait_for(ctx: &mut Context<'_>, reason: Reason, deadline: Option<Deadline>) {
    ctx.wait = Some(Box::new(Wait { reason, keys: Vec::new(), deadline, request: None, wanted: None }));
}
