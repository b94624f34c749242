//! Transactions. EXEC itself is in `engine`, as it runs other commands.

use crate::spec::{Context, Error, Outcome};

/// `MULTI`
pub fn multi(ctx: &mut Context<'_>) -> Outcome {
    let client = ctx.client()?;
    if client.transaction.is_some() {
        return Err(Error::new("ERR MULTI calls can not be nested"));
    }
    client.transaction = Some(Box::default());
    ctx.reply.ok();
    Ok(())
}

/// `DISCARD`
pub fn discard(ctx: &mut Context<'_>) -> Outcome {
    if ctx.client()?.transaction.take().is_none() {
        return Err(Error::new("ERR DISCARD without MULTI"));
    }
    ctx.state.unwatch(ctx.client);
    ctx.reply.ok();
    Ok(())
}

/// WATCH key...
pub fn watch(ctx: &mut Context<'_>) -> Outcome {
    if ctx.client()?.transaction.is_some() {
        return Err(Error::new("ERR WATCH inside MULTI is not allowed"));
    }
    for key in ctx.args.from(1).iter() {
        ctx.state.watch(ctx.client, key);
    }
    ctx.reply.ok();
    Ok(())
}

/// `UNWATCH`
pub fn unwatch(ctx: &mut Context<'_>) -> Outcome {
    ctx.state.unwatch(ctx.client);
    ctx.reply.ok();
    Ok(())
}
