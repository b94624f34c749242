//! HSCAN and HRANDFIELD: some of the fields.

use std::collections::BTreeSet;

use crate::commands::keys::is_wanted;
use crate::commands::numbers::{self, is_option};
use crate::commands::{Context, Error, Outcome};
use crate::resp::Reply;
use crate::store::Hash;

/// The most fields with repetitions. redis-server tries to answer with 2^63, and dies.
const MOST: u64 = 1 << 24;

/// `HSCAN key cursor [MATCH pattern] [COUNT count] [NOVALUES]`
pub fn hscan(ctx: &mut Context<'_>) -> Outcome {
    let args = ctx.args;
    let cursor = numbers::cursor(&args[2])?;
    let Some(hash) = ctx.store.get::<Hash>(&args[1])? else {
        ctx.reply.array(2);
        ctx.reply.bulk_integer(0);
        ctx.reply.array(0);
        return Ok(());
    };
    let (mut count, mut wanted, mut with_values) = (10, None, true);
    let mut options = args.from(3).iter();
    while let Some(option) = options.next() {
        if is_option(option, "NOVALUES") {
            with_values = false;
            continue;
        }
        let value = options.next().ok_or(Error::SYNTAX)?;
        if is_option(option, "COUNT") {
            count = u64::try_from(numbers::integer(value)?).unwrap_or_default();
            if count < 1 {
                return Err(Error::SYNTAX);
            }
        } else if is_option(option, "MATCH") {
            wanted = Some(value);
        } else {
            return Err(Error::SYNTAX);
        }
    }
    let (next, places) = hash.scan(cursor, count);
    ctx.reply.array(2);
    ctx.reply.bulk_integer(i64::try_from(next).unwrap_or(i64::MAX));
    let position = ctx.reply.position();
    let mut found = 0;
    for (field, value) in places.filter_map(|place| hash.at(place)) {
        if is_wanted(field, wanted) {
            ctx.reply.bulk(field);
            found += 1;
            if with_values {
                ctx.reply.bulk(value);
                found += 1;
            }
        }
    }
    ctx.reply.insert_array(position, found);
    Ok(())
}

/// `HRANDFIELD key [count [WITHVALUES]]`
pub fn hrandfield(ctx: &mut Context<'_>) -> Outcome {
    let mut random = ctx.store.random.fork();
    let Some(count) = ctx.args.get(2) else {
        let hash: Option<&Hash> = ctx.store.get(&ctx.args[1])?;
        let seen = hash.filter(|hash| hash.seen() > 0).map(Seen::of);
        let field = seen.and_then(|seen| seen.at(random.usize(..seen.len())));
        ctx.reply.bulk_or_null(field.map(|(field, _)| field));
        return Ok(());
    };
    let (count, with_values) = (numbers::negatable(count)?, ctx.args.len() > 3);
    if with_values {
        if ctx.args.len() > 4 || !is_option(&ctx.args[3], "WITHVALUES") {
            return Err(Error::SYNTAX);
        }
        if count.unsigned_abs() > i64::MAX.unsigned_abs() / 2 {
            return Err(Error::new("ERR value is out of range"));
        }
    }
    let Some(hash) = ctx.store.get::<Hash>(&ctx.args[1])?.filter(|hash| hash.seen() > 0) else {
        ctx.reply.array(0);
        return Ok(());
    };
    if count < 0 && count.unsigned_abs() > MOST {
        return Err(Error::new("ERR value is out of range"));
    }
    let seen = Seen::of(hash);
    let wanted = usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX);
    let total = if count < 0 { wanted } else { wanted.min(seen.len()) };
    // RESP3 has pairs, RESP2 one flat list.
    let nested = with_values && ctx.reply.is_resp3();
    ctx.reply.array(if with_values && !nested { total * 2 } else { total });
    let mut write =
        |(field, value): (&[u8], &[u8])| write_field(&mut ctx.reply, field, value, with_values, nested);
    if count < 0 {
        (0..total).filter_map(|_| seen.at(random.usize(..seen.len()))).for_each(&mut write);
    } else if total == seen.len() {
        hash.iter().for_each(&mut write);
    } else {
        sample(seen.len(), total, &mut random)
            .into_iter()
            .filter_map(|nth| seen.at(nth))
            .for_each(&mut write);
    }
    Ok(())
}

fn write_field(reply: &mut Reply<'_>, field: &[u8], value: &[u8], with_values: bool, nested: bool) {
    if nested {
        reply.array(2);
    }
    reply.bulk(field);
    if with_values {
        reply.bulk(value);
    }
}

/// `count` different numbers below `len`, chosen at random, in their order: redis-server chooses from a small
/// hash in passing. At a cost that follows from the count alone (Floyd's algorithm).
fn sample(len: usize, count: usize, random: &mut fastrand::Rng) -> BTreeSet<usize> {
    let mut chosen = BTreeSet::new();
    for last in len - count..len {
        if !chosen.insert(random.usize(..=last)) {
            chosen.insert(last);
        }
    }
    chosen
}

/// The fields of a hash that are seen, by their number.
struct Seen<'a> {
    hash: &'a Hash,
    /// Where they are, if some are hidden.
    places: Option<Vec<usize>>,
}

impl<'a> Seen<'a> {
    fn of(hash: &'a Hash) -> Self {
        let places = || (0..hash.len()).filter(|place| hash.at(*place).is_some()).collect();
        Self { hash, places: (hash.seen() < hash.len()).then(places) }
    }

    fn len(&self) -> usize {
        self.hash.seen()
    }

    fn at(&self, nth: usize) -> Option<(&'a [u8], &'a [u8])> {
        let place = self.places.as_ref().map_or(Some(nth), |places| places.get(nth).copied());
        self.hash.at(place?)
    }
}
