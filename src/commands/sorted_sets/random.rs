//! ZRANDMEMBER.

use super::Listing;
use crate::commands::numbers::{self, is_option};
use crate::commands::{Context, Error, Outcome};
use crate::store::SortedSet;

/// The most members with repetitions. redis-server tries to answer with 2^63, and dies.
const MOST: u64 = 1 << 24;

/// `ZRANDMEMBER key [count [WITHSCORES]]`
pub fn zrandmember(ctx: &mut Context<'_>) -> Outcome {
    let mut random = ctx.store.random.fork();
    let Some(count) = ctx.args.get(2) else {
        let set: Option<&SortedSet> = ctx.store.get(&ctx.args[1])?;
        let member = set.and_then(|set| set.at(random.usize(..set.len())));
        ctx.reply.bulk_or_null(member.map(|(member, _)| member));
        return Ok(());
    };
    let (count, with_scores) = (numbers::negatable(count)?, ctx.args.len() > 3);
    if with_scores {
        if ctx.args.len() > 4 || !is_option(&ctx.args[3], "WITHSCORES") {
            return Err(Error::SYNTAX);
        }
        if count.unsigned_abs() > i64::MAX.unsigned_abs() / 2 {
            return Err(Error::new("ERR value is out of range"));
        }
    }
    let Some(set) = ctx.store.get::<SortedSet>(&ctx.args[1])? else {
        ctx.reply.array(0);
        return Ok(());
    };
    if count < 0 && count.unsigned_abs() > MOST {
        return Err(Error::new("ERR value is out of range"));
    }
    let len = set.len();
    let wanted = usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX);
    let total = if count < 0 { wanted } else { wanted.min(len) };
    let listing = Listing::begin(&mut ctx.reply, total, with_scores);
    let mut write = |(member, score): (&[u8], f64)| listing.write(&mut ctx.reply, member, score);
    if count < 0 {
        (0..total).filter_map(|_| set.at(random.usize(..len))).for_each(&mut write);
    } else if total == len {
        // The last first, as redis-server reads them.
        set.range(0..len).rev().for_each(&mut write);
    } else {
        set.sample(total, &mut random).into_iter().filter_map(|rank| set.at(rank)).for_each(&mut write);
    }
    Ok(())
}
