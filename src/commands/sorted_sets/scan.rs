//! ZSCAN.

use crate::commands::scan::{self, Options, Over};
use crate::config::Version;
use crate::data::SortedSet;
use crate::resp::{print_double, print_double_in_full};
use crate::spec::{Context, Outcome, numbers};

/// Whether a listpack stores a score as an integer.
fn is_kept_as_integer(score: f64) -> bool {
    /// Half of the range of `i64`.
    const GREATEST: f64 = 4_611_686_018_427_387_904.0;
    score.fract() == 0.0 && score.abs() <= GREATEST
}

/// `ZSCAN key cursor [MATCH pattern] [COUNT count]`
pub fn zscan(ctx: &mut Context<'_>) -> Outcome {
    let args = ctx.args;
    let version = ctx.state.config.compat;
    let cursor = numbers::cursor(&args[2], version)?;
    let Some(set) = ctx.state.get_to_walk::<SortedSet>(&args[1])? else {
        scan::answer_nothing(&mut ctx.reply);
        return Ok(());
    };
    let options = Options::read(args.from(3), Over::Members, version)?;
    let is_compact = set.is_compact();
    let (next, members) = set.scan(cursor, options.count);
    scan::answer(&mut ctx.reply, next, |reply| {
        let (mut found, mut text) = (0, Vec::new());
        for (member, score) in members.filter(|(member, _)| options.wants(member)) {
            text.clear();
            // The two encodings print scores differently, and neither as a RESP3 double.
            if is_compact && (version >= Version::Redis7_4 || is_kept_as_integer(score)) {
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
