//! ZRANDMEMBER.

use super::Listing;
use crate::commands::random::{Choice, Count};
use crate::data::SortedSet;
use crate::spec::{Context, Outcome};

/// `ZRANDMEMBER key [count [WITHSCORES]]`
pub fn zrandmember(ctx: &mut Context<'_>) -> Outcome {
    let mut random = ctx.state.random.fork();
    if ctx.args.len() == 2 {
        let set: Option<&SortedSet> = ctx.state.get(&ctx.args[1])?;
        let member = set.and_then(|set| set.at(random.usize(..set.len())));
        ctx.reply.bulk_or_null(member.map(|(member, _)| member));
        return Ok(());
    }
    let (count, with_scores) = Count::read_with(ctx.args.from(2), "WITHSCORES")?;
    let Some(set) = ctx.state.get::<SortedSet>(&ctx.args[1])? else {
        ctx.reply.array(0);
        return Ok(());
    };
    let len = set.len();
    let choice = count.choose(len)?;
    let listing = Listing::begin(&mut ctx.reply, choice.count(len), with_scores);
    let mut write = |(member, score): (&[u8], f64)| listing.write(&mut ctx.reply, member, score);
    match choice {
        Choice::Repeated(count) => {
            (0..count).filter_map(|_| set.at(random.usize(..len))).for_each(&mut write);
        }
        Choice::Different(count) => {
            set.sample(count, &mut random).into_iter().filter_map(|rank| set.at(rank)).for_each(&mut write);
        }
        // The last first, as redis-server reads them.
        Choice::All => set.range(0..len).rev().for_each(&mut write),
    }
    Ok(())
}
