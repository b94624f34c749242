//! ZSCAN.

use crate::commands::keys::is_wanted;
use crate::commands::numbers::{self, is_option};
use crate::commands::{Context, Error, Outcome};
use crate::resp::{print_double, print_double_in_full};
use crate::store::SortedSet;

/// `ZSCAN key cursor [MATCH pattern] [COUNT count]`
pub fn zscan(ctx: &mut Context<'_>) -> Outcome {
    let args = ctx.args;
    let cursor = numbers::cursor(&args[2])?;
    let Some(set) = ctx.store.get::<SortedSet>(&args[1])? else {
        ctx.reply.array(2);
        ctx.reply.bulk_integer(0);
        ctx.reply.array(0);
        return Ok(());
    };
    let (mut count, mut wanted) = (10, None);
    let mut options = args.from(3).iter();
    while let Some(option) = options.next() {
        if is_option(option, "NOVALUES") {
            return Err(Error::new("ERR NOVALUES option can only be used in HSCAN"));
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
    let is_compact = set.is_compact();
    let (next, members) = set.scan(cursor, count);
    ctx.reply.array(2);
    ctx.reply.bulk_integer(i64::try_from(next).unwrap_or(i64::MAX));
    let position = ctx.reply.position();
    let (mut found, mut text) = (0, Vec::new());
    for (member, score) in members.filter(|(member, _)| is_wanted(member, wanted)) {
        text.clear();
        // The two encodings of redis-server print differently, and neither as a double of RESP3.
        if is_compact {
            print_double(&mut text, score);
        } else {
            print_double_in_full(&mut text, score);
        }
        ctx.reply.bulk(member);
        ctx.reply.bulk(&text);
        found += 2;
    }
    ctx.reply.insert_array(position, found);
    Ok(())
}
