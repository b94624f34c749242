//! Hashes.

use super::{Context, Error, Outcome};
use crate::store::hash::HashLimits;
use crate::store::{Class, Hash};

/// `HSET key field value [field value ...]`: how many of the fields are new.
///
/// # Errors
///
/// A field without a value, or the key holds another type.
pub fn hset(ctx: &mut Context<'_>) -> Outcome {
    if !ctx.args.len().is_multiple_of(2) {
        return Err(Error::arity(&ctx.command.full_name()));
    }
    let key = &ctx.args[1];
    let pairs = (ctx.args.len() - 2) / 2;
    let limits = HashLimits::of(&ctx.store.config);
    let hash: &mut Hash = ctx.store.get_or_create(key)?;
    hash.expect(pairs, limits);
    let mut created = 0;
    for pair in 0..pairs {
        let at = 2 + 2 * pair;
        created += usize::from(hash.set(&ctx.args[at], &ctx.args[at + 1], limits));
    }
    ctx.store.modified_by(pairs, Class::HASH, "hset", key);
    ctx.reply.count(created);
    Ok(())
}

/// `HGET key field`.
///
/// # Errors
///
/// The key holds another type.
pub fn hget(ctx: &mut Context<'_>) -> Outcome {
    let hash: Option<&Hash> = ctx.store.get(&ctx.args[1])?;
    ctx.reply.bulk_or_null(hash.and_then(|hash| hash.get(&ctx.args[2])));
    Ok(())
}

/// `HMGET key field [field ...]`.
///
/// # Errors
///
/// The key holds another type.
pub fn hmget(ctx: &mut Context<'_>) -> Outcome {
    let hash: Option<&Hash> = ctx.store.get(&ctx.args[1])?;
    let fields = ctx.args.from(2);
    ctx.reply.array(fields.len());
    for field in fields.iter() {
        ctx.reply.bulk_or_null(hash.and_then(|hash| hash.get(field)));
    }
    Ok(())
}

/// `HGETALL key`.
///
/// # Errors
///
/// The key holds another type.
pub fn hgetall(ctx: &mut Context<'_>) -> Outcome {
    let Some(hash) = ctx.store.get::<Hash>(&ctx.args[1])? else {
        ctx.reply.map(0);
        return Ok(());
    };
    ctx.reply.map(hash.seen());
    for (field, value) in hash.iter() {
        ctx.reply.bulk(field);
        ctx.reply.bulk(value);
    }
    Ok(())
}

/// `HDEL key field [field ...]`: how many of the fields there were.
///
/// # Errors
///
/// The key holds another type.
pub fn hdel(ctx: &mut Context<'_>) -> Outcome {
    let key = &ctx.args[1];
    let mut removed = 0;
    if let Some(hash) = ctx.store.get_mut::<Hash>(key)? {
        let fields = ctx.args.from(2);
        removed = fields.iter().filter(|field| hash.remove(field).is_some()).count();
        let emptied = hash.is_empty();
        if removed > 0 {
            ctx.store.modified_by(removed, Class::HASH, "hdel", key);
        }
        if emptied {
            ctx.store.remove_empty(key);
        }
    }
    ctx.reply.count(removed);
    Ok(())
}
