//! Sets.

use super::{Context, Outcome};
use crate::store::set::{Member, SetLimits};
use crate::store::{Class, Set};

/// `SADD key member [member ...]`: how many of the members are new.
///
/// # Errors
///
/// The key holds another type.
pub fn sadd(ctx: &mut Context<'_>) -> Outcome {
    let key = &ctx.args[1];
    let members = ctx.args.from(2);
    let limits = SetLimits::of(&ctx.store.config);
    let set: &mut Set = ctx.store.get_or_create(key)?;
    set.expect(members.len(), &members[0], limits);
    let added = members.iter().filter(|member| set.add(member, limits)).count();
    if added > 0 {
        ctx.store.modified_by(added, Class::SET, "sadd", key);
    }
    ctx.reply.count(added);
    Ok(())
}

/// `SREM key member [member ...]`: how many of the members there were.
///
/// # Errors
///
/// The key holds another type.
pub fn srem(ctx: &mut Context<'_>) -> Outcome {
    let key = &ctx.args[1];
    let mut removed = 0;
    if let Some(set) = ctx.store.get_mut::<Set>(key)? {
        removed = ctx.args.from(2).iter().filter(|member| set.remove(member)).count();
        let emptied = set.is_empty();
        if removed > 0 {
            ctx.store.modified_by(removed, Class::SET, "srem", key);
        }
        if emptied {
            ctx.store.remove_empty(key);
        }
    }
    ctx.reply.count(removed);
    Ok(())
}

/// `SISMEMBER key member`.
///
/// # Errors
///
/// The key holds another type.
pub fn sismember(ctx: &mut Context<'_>) -> Outcome {
    let set: Option<&Set> = ctx.store.get(&ctx.args[1])?;
    let found = set.is_some_and(|set| set.contains(&ctx.args[2]));
    ctx.reply.integer(i64::from(found));
    Ok(())
}

/// `SMISMEMBER key member [member ...]`.
///
/// # Errors
///
/// The key holds another type.
pub fn smismember(ctx: &mut Context<'_>) -> Outcome {
    let set: Option<&Set> = ctx.store.get(&ctx.args[1])?;
    let members = ctx.args.from(2);
    ctx.reply.array(members.len());
    for member in members.iter() {
        let found = set.is_some_and(|set| set.contains(member));
        ctx.reply.integer(i64::from(found));
    }
    Ok(())
}

/// `SMEMBERS key`.
///
/// # Errors
///
/// The key holds another type.
pub fn smembers(ctx: &mut Context<'_>) -> Outcome {
    let Some(set) = ctx.store.get::<Set>(&ctx.args[1])? else {
        ctx.reply.set(0);
        return Ok(());
    };
    ctx.reply.set(set.len());
    for member in set.iter() {
        match member {
            Member::Integer(integer) => ctx.reply.bulk_integer(integer),
            Member::Bytes(bytes) => ctx.reply.bulk(bytes),
        }
    }
    Ok(())
}

/// `SCARD key`.
///
/// # Errors
///
/// The key holds another type.
pub fn scard(ctx: &mut Context<'_>) -> Outcome {
    let set: Option<&Set> = ctx.store.get(&ctx.args[1])?;
    ctx.reply.count(set.map_or(0, Set::len));
    Ok(())
}
