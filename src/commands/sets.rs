//! Sets.

use super::random::{Choice, Count};
use super::scan;
use crate::config::Class;
use crate::data::set;
use crate::data::set::{Member, SetLimits};
use crate::data::{Set, Typed, WrongType};
use crate::resp::{Args, Reply};
use crate::spec::numbers::{self, is_option};
use crate::spec::{Context, Error, Outcome};
use crate::state::{Lookup, State};

/// `SADD key member [member ...]`: how many of the members are new.
///
/// # Errors
///
/// The key holds another type.
pub fn sadd(ctx: &mut Context<'_>) -> Outcome {
    let key = &ctx.args[1];
    let members = ctx.args.from(2);
    let limits = SetLimits::of(&ctx.state.config);
    let set: &mut Set = ctx.state.get_or_create(key)?;
    set.expect(members.len(), &members[0], limits);
    let added = members.iter().filter(|member| set.add(member, limits)).count();
    if added > 0 {
        ctx.state.modified_by(added, Class::SET, "sadd", key);
    }
    ctx.reply.count(added);
    Ok(())
}

/// `SREM key member [member ...]`: how many of the members existed.
///
/// # Errors
///
/// The key holds another type.
pub fn srem(ctx: &mut Context<'_>) -> Outcome {
    let key = &ctx.args[1];
    let mut removed = 0;
    if let Some(set) = ctx.state.get_mut::<Set>(key)? {
        removed = ctx.args.from(2).iter().filter(|member| set.remove(member)).count();
        let emptied = set.is_empty();
        if removed > 0 {
            ctx.state.modified_by(removed, Class::SET, "srem", key);
        }
        if emptied {
            ctx.state.remove_empty(key);
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
    let set: Option<&Set> = ctx.state.get(&ctx.args[1])?;
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
    let set: Option<&Set> = ctx.state.get(&ctx.args[1])?;
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
    let Some(set) = ctx.state.get::<Set>(&ctx.args[1])? else {
        ctx.reply.set(0);
        return Ok(());
    };
    write_set(&mut ctx.reply, set);
    Ok(())
}

fn write_set(reply: &mut Reply<'_>, set: &Set) {
    reply.set(set.len());
    set.iter().for_each(|member| write(reply, member));
}

fn write(reply: &mut Reply<'_>, member: Member<'_>) {
    match member {
        Member::Integer(integer) => reply.bulk_integer(integer),
        Member::Bytes(bytes) => reply.bulk(bytes),
    }
}

/// `SCARD key`.
///
/// # Errors
///
/// The key holds another type.
pub fn scard(ctx: &mut Context<'_>) -> Outcome {
    let set: Option<&Set> = ctx.state.get(&ctx.args[1])?;
    ctx.reply.count(set.map_or(0, Set::len));
    Ok(())
}

/// `SMOVE source destination member`: 1 if it was a member of the source.
///
/// # Errors
///
/// One of the keys holds another type.
pub fn smove(ctx: &mut Context<'_>) -> Outcome {
    let args = ctx.args;
    let (source, destination, member) = (&args[1], &args[2], &args[3]);
    let limits = SetLimits::of(&ctx.state.config);
    let moved = ctx.state.contains(source) && {
        if let Some(entry) = ctx.state.lookup(destination, Lookup::Uncounted) {
            Set::of(&entry.value).ok_or(WrongType)?;
        }
        let set: Option<&mut Set> = ctx.state.get_mut(source)?;
        set.is_some_and(|set| if source == destination { set.contains(member) } else { set.remove(member) })
    };
    if moved && source != destination {
        ctx.state.modified(Class::SET, "srem", source);
        remove_if_empty(ctx.state, source)?;
        let set: &mut Set = ctx.state.get_or_create(destination)?;
        if set.is_empty() {
            set.expect(1, member, limits);
        }
        if set.add(member, limits) {
            ctx.state.modified(Class::SET, "sadd", destination);
        }
    }
    ctx.reply.integer(i64::from(moved));
    Ok(())
}

fn remove_if_empty(state: &mut State, key: &[u8]) -> Outcome {
    if state.get_mut::<Set>(key)?.is_some_and(|set| set.is_empty()) {
        state.remove_empty(key);
    }
    Ok(())
}

/// `SPOP key [count]`
///
/// # Errors
///
/// The key holds another type, or the count is invalid.
pub fn spop(ctx: &mut Context<'_>) -> Outcome {
    let key = &ctx.args[1];
    if ctx.args.len() > 3 {
        return Err(Error::SYNTAX);
    }
    let count = ctx.args.get(2).map(numbers::count).transpose()?;
    let limits = SetLimits::of(&ctx.state.config);
    let mut random = ctx.state.random.fork();
    let Some(set) = ctx.state.get_mut::<Set>(key)? else {
        match count {
            Some(_) => ctx.reply.set(0),
            None => ctx.reply.null(),
        }
        return Ok(());
    };
    let popped = match count {
        None => {
            let member = set.pop(&mut random);
            ctx.reply.bulk_or_null(member.as_deref());
            1
        }
        Some(count) if count >= set.len() => {
            let set = std::mem::take(set);
            // redis-server looks the set up once more, as SUNION does.
            ctx.state.stats.keyspace_hits += 1;
            write_set(&mut ctx.reply, &set);
            set.len()
        }
        Some(count) => {
            ctx.reply.set(count);
            for member in if count == 0 { Vec::new() } else { set.pop_many(count, &mut random, limits) } {
                ctx.reply.bulk(&member);
            }
            count
        }
    };
    if popped > 0 {
        ctx.state.modified_by(popped, Class::SET, "spop", key);
        remove_if_empty(ctx.state, key)?;
    }
    Ok(())
}

/// `SRANDMEMBER key [count]`
///
/// # Errors
///
/// The key holds another type, or the count is invalid.
pub fn srandmember(ctx: &mut Context<'_>) -> Outcome {
    if ctx.args.len() > 3 {
        return Err(Error::SYNTAX);
    }
    let count = ctx.args.get(2).map(Count::read).transpose()?;
    let mut random = ctx.state.random.fork();
    let set: Option<&Set> = ctx.state.get(&ctx.args[1])?;
    let Some(count) = count else {
        match set.and_then(|set| set.random(&mut random)) {
            Some(member) => write(&mut ctx.reply, member),
            None => ctx.reply.null(),
        }
        return Ok(());
    };
    let Some(set) = set else {
        ctx.reply.array(0);
        return Ok(());
    };
    let choice = count.choose(set.len())?;
    ctx.reply.array(choice.count(set.len()));
    let mut write = |member| write(&mut ctx.reply, member);
    match choice {
        Choice::Repeated(count) => (0..count).filter_map(|_| set.random(&mut random)).for_each(&mut write),
        Choice::Different(count) => {
            set.sample(count, &mut random).into_iter().filter_map(|index| set.at(index)).for_each(&mut write);
        }
        Choice::All => set.iter().for_each(&mut write),
    }
    Ok(())
}

/// Stores a result at the command's first key, or removes the key if the result is empty.
fn store(ctx: &mut Context<'_>, set: Set, event: &str) {
    let len = set.len();
    ctx.state.put_result(&ctx.args[1], set.into_value(), 1, Class::SET, event);
    ctx.reply.count(len);
}

/// `SINTER key [key ...]`
///
/// # Errors
///
/// One of the keys holds another type.
pub fn sinter(ctx: &mut Context<'_>) -> Outcome {
    let sets: Option<Vec<&Set>> = ctx.state.get_all(ctx.args.from(1).iter())?.into_iter().collect();
    let members: Vec<_> = sets.into_iter().flat_map(set::intersection).collect();
    ctx.reply.set(members.len());
    for member in members {
        write(&mut ctx.reply, member);
    }
    Ok(())
}

/// `SINTERSTORE destination key [key ...]`
///
/// # Errors
///
/// One of the keys holds another type; what the destination holds does not matter.
pub fn sinterstore(ctx: &mut Context<'_>) -> Outcome {
    let limits = SetLimits::of(&ctx.state.config);
    let sets: Option<Vec<&Set>> = ctx.state.get_all(ctx.args.from(2).iter())?.into_iter().collect();
    let result = sets.map(|sets| Set::of_intersection(sets, limits)).unwrap_or_default();
    store(ctx, result, "sinterstore");
    Ok(())
}

/// `SINTERCARD numkeys key [key ...] [LIMIT limit]`
///
/// # Errors
///
/// One of the keys holds another type, an invalid number of keys or limit, or other options.
pub fn sintercard(ctx: &mut Context<'_>) -> Outcome {
    let args = ctx.args;
    let keys = numbers::numkeys(&args[1])?;
    if keys > args.len() - 2 {
        return Err(Error::new("ERR Number of keys can't be greater than number of args"));
    }
    let mut limit = usize::MAX;
    let mut options = args.from(2 + keys).iter();
    while let Some(option) = options.next() {
        let value = options.next().filter(|_| is_option(option, "LIMIT")).ok_or(Error::SYNTAX)?;
        limit = numbers::limit(value)?;
    }
    let sets: Option<Vec<&Set>> = ctx.state.get_all(args.range(2, 2 + keys).iter())?.into_iter().collect();
    let members = sets.into_iter().flat_map(set::intersection);
    let count = members.take(limit).count();
    ctx.reply.count(count);
    Ok(())
}

/// The union of the sets at these keys.
fn union(ctx: &mut Context<'_>, keys: Args<'_>) -> Result<Set, Error> {
    let limits = SetLimits::of(&ctx.state.config);
    Ok(set::union(ctx.state.get_all(keys.iter())?.into_iter().flatten(), limits))
}

/// `SUNION key [key ...]`
///
/// # Errors
///
/// One of the keys holds another type.
pub fn sunion(ctx: &mut Context<'_>) -> Outcome {
    let result = union(ctx, ctx.args.from(1))?;
    write_set(&mut ctx.reply, &result);
    Ok(())
}

/// `SUNIONSTORE destination key [key ...]`
///
/// # Errors
///
/// One of the keys holds another type; what the destination holds does not matter.
pub fn sunionstore(ctx: &mut Context<'_>) -> Outcome {
    let result = union(ctx, ctx.args.from(2))?;
    store(ctx, result, "sunionstore");
    Ok(())
}

/// The first of the sets at these keys without the members of the others.
fn difference(ctx: &mut Context<'_>, keys: Args<'_>) -> Result<Set, Error> {
    let limits = SetLimits::of(&ctx.state.config);
    let mut sets = ctx.state.get_all(keys.iter())?.into_iter();
    let Some(first) = sets.next().flatten() else { return Ok(Set::default()) };
    let others: Vec<&Set> = sets.flatten().collect();
    Ok(set::difference(first, &others, limits))
}

/// `SDIFF key [key ...]`
///
/// # Errors
///
/// One of the keys holds another type.
pub fn sdiff(ctx: &mut Context<'_>) -> Outcome {
    let result = difference(ctx, ctx.args.from(1))?;
    write_set(&mut ctx.reply, &result);
    Ok(())
}

/// `SDIFFSTORE destination key [key ...]`
///
/// # Errors
///
/// One of the keys holds another type; what the destination holds does not matter.
pub fn sdiffstore(ctx: &mut Context<'_>) -> Outcome {
    let result = difference(ctx, ctx.args.from(2))?;
    store(ctx, result, "sdiffstore");
    Ok(())
}

/// `SSCAN key cursor [MATCH pattern] [COUNT count]`
///
/// # Errors
///
/// The cursor is invalid, the key holds another type, or the key exists and the options are wrong.
pub fn sscan(ctx: &mut Context<'_>) -> Outcome {
    let args = ctx.args;
    let version = ctx.state.config.compat;
    let cursor = numbers::cursor(&args[2], version)?;
    let Some(set) = ctx.state.get_to_walk::<Set>(&args[1])? else {
        scan::answer_nothing(&mut ctx.reply);
        return Ok(());
    };
    let options = scan::Options::read(args.from(3), scan::Over::Members, version)?;
    let (next, indices) = set.scan(cursor, options.count);
    scan::answer(&mut ctx.reply, next, |reply| {
        let (mut found, mut digits) = (0, itoa::Buffer::new());
        for member in indices.filter_map(|index| set.at(index)) {
            let text = member.text(&mut digits);
            if options.wants(text) {
                reply.bulk(text);
                found += 1;
            }
        }
        found
    });
    Ok(())
}
