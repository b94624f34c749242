//! LPOS.

use crate::data::{Bytes, List};
use crate::spec::{Context, Error, Outcome, numbers};

/// What to look for.
struct Search<'a> {
    element: &'a [u8],
    /// How many matches are skipped.
    skipped: usize,
    /// How many elements are compared.
    looked_at: usize,
}

impl Search<'_> {
    /// The indices of the matches, in the order of the search.
    fn matches<'l>(&self, elements: impl Iterator<Item = (usize, &'l Bytes)>) -> impl Iterator<Item = usize> {
        elements
            .take(self.looked_at)
            .filter(|(_, element)| ***element == *self.element)
            .map(|(index, _)| index)
            .skip(self.skipped)
    }
}

/// `LPOS key element [RANK rank] [COUNT matches] [MAXLEN elements]`
pub fn lpos(ctx: &mut Context<'_>) -> Outcome {
    let (mut rank, mut count, mut looked_at) = (1, None, 0);
    let mut options = ctx.args.from(3).iter();
    while let Some(option) = options.next() {
        let value = options.next().ok_or(Error::SYNTAX)?;
        if numbers::is_option(option, "RANK") {
            // Before Redis 7.2 the smallest integer counts as -1.
            rank = numbers::negated(value, -1, ctx.state.config.compat)?;
            if rank == 0 {
                return Err(Error::new(
                    "ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... or use \
                     negative to start from the end of the list",
                ));
            }
        } else if numbers::is_option(option, "COUNT") {
            let wanted = numbers::at_least(value, 0).ok_or(Error::new("ERR COUNT can't be negative"))?;
            count = Some(wanted);
        } else if numbers::is_option(option, "MAXLEN") {
            looked_at = numbers::at_least(value, 0).ok_or(Error::new("ERR MAXLEN can't be negative"))?;
        } else {
            return Err(Error::SYNTAX);
        }
    }
    // 0 means no limit.
    let limit = |count| if count == 0 { usize::MAX } else { count };
    let search = Search {
        element: &ctx.args[2],
        skipped: usize::try_from(rank.unsigned_abs() - 1).unwrap_or(usize::MAX),
        looked_at: limit(looked_at),
    };
    let empty = List::default();
    let list = ctx.state.get::<List>(&ctx.args[1])?.unwrap_or(&empty);
    let elements = list.iter().enumerate();
    let mut forwards = search.matches(elements.clone());
    let mut backwards = search.matches(elements.rev());
    let matches: &mut dyn Iterator<Item = usize> = if rank > 0 { &mut forwards } else { &mut backwards };
    let Some(count) = count else {
        match matches.next() {
            Some(index) => ctx.reply.count(index),
            None => ctx.reply.null(),
        }
        return Ok(());
    };
    let position = ctx.reply.position();
    let mut found = 0;
    for index in matches.take(limit(count)) {
        ctx.reply.count(index);
        found += 1;
    }
    ctx.reply.insert_array(position, found);
    Ok(())
}
