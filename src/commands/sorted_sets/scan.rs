//! ZSCAN.

use crate::commands::scan::{self, Options, Over};
use crate::commands::{Context, Outcome, numbers};
use crate::resp::{print_double, print_double_in_full};
use crate::store::SortedSet;

/// `ZSCAN key cursor [MATCH pattern] [COUNT count]`
pub fn zscan(ctx: &mut Context<'_>) -> Outcome {
    let args = ctx.args;
    let cursor = numbers::cursor(&args[2])?;
    let Some(set) = ctx.store.get::<SortedSet>(&args[1])? else {
        scan::answer_nothing(&mut ctx.reply);
        return Ok(());
    };
    let options = Options::read(args.from(3), Over::Members)?;
    let is_compact = set.is_compact();
    let (next, members) = set.scan(cursor, options.count);
    scan::answer(&mut ctx.reply, next, |reply| {
        let (mut found, mut text) = (0, Vec::new());
        for (member, score) in members.filter(|(member, _)| options.wants(member)) {
            text.clear();
            // The two encodings of redis-server print differently, and neither as a double of RESP3.
            if is_compact {
                print_double(&mut text, score);
            } else {
                print_double_in_full(&mut text, score);
            }
            reply.bulk(member);
            reply.bulk(&text);
            found += 2;
        }
        found
    });
    Ok(())
}
