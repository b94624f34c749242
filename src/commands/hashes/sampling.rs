//! HSCAN and HRANDFIELD: some of the fields.

use crate::commands::random::{Choice, Count};
use crate::commands::scan::{self, Options, Over};
use crate::data::{Hash, sample};
use crate::resp::Reply;
use crate::spec::{Context, Outcome, numbers};

/// `HSCAN key cursor [MATCH pattern] [COUNT count] [NOVALUES]`
pub fn hscan(ctx: &mut Context<'_>) -> Outcome {
    let args = ctx.args;
    let version = ctx.state.config.compat;
    let cursor = numbers::cursor(&args[2], version)?;
    let Some(hash) = ctx.state.get_to_walk::<Hash>(&args[1])? else {
        scan::answer_nothing(&mut ctx.reply);
        return Ok(());
    };
    let options = Options::read(args.from(3), Over::Fields, version)?;
    let (next, indices) = hash.scan(cursor, options.count);
    scan::answer(&mut ctx.reply, next, |reply| {
        let mut found = 0;
        for (field, value) in indices.filter_map(|index| hash.at(index)) {
            if options.wants(field) {
                reply.bulk(field);
                found += 1;
                if options.with_values {
                    reply.bulk(value);
                    found += 1;
                }
            }
        }
        found
    });
    Ok(())
}

/// `HRANDFIELD key [count [WITHVALUES]]`
pub fn hrandfield(ctx: &mut Context<'_>) -> Outcome {
    let mut random = ctx.state.random.fork();
    if ctx.args.len() == 2 {
        let hash: Option<&Hash> = ctx.state.get(&ctx.args[1])?;
        let seen = hash.filter(|hash| hash.seen() > 0).map(Seen::of);
        let field = seen.and_then(|seen| seen.at(random.usize(..seen.len())));
        ctx.reply.bulk_or_null(field.map(|(field, _)| field));
        return Ok(());
    }
    let (count, with_values) = Count::read_with(ctx.args.from(2), "WITHVALUES")?;
    let Some(hash) = ctx.state.get::<Hash>(&ctx.args[1])?.filter(|hash| hash.seen() > 0) else {
        ctx.reply.array(0);
        return Ok(());
    };
    let seen = Seen::of(hash);
    let choice = count.choose(seen.len())?;
    let total = choice.count(seen.len());
    // RESP3 replies are pairs, RESP2 replies one flat list.
    let nested = with_values && ctx.reply.is_resp3();
    ctx.reply.array(if with_values && !nested { total * 2 } else { total });
    let mut write =
        |(field, value): (&[u8], &[u8])| write_field(&mut ctx.reply, field, value, with_values, nested);
    match choice {
        Choice::Repeated(count) => {
            (0..count).filter_map(|_| seen.at(random.usize(..seen.len()))).for_each(&mut write);
        }
        // In their order: redis-server samples a small hash in one pass.
        Choice::Different(count) => sample::in_order(seen.len(), count, &mut random)
            .into_iter()
            .filter_map(|nth| seen.at(nth))
            .for_each(&mut write),
        Choice::All => hash.iter().for_each(&mut write),
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

/// The visible fields of a hash, by their number.
struct Seen<'a> {
    hash: &'a Hash,
    /// The indices of the visible fields, if some are hidden.
    indices: Option<Vec<usize>>,
}

impl<'a> Seen<'a> {
    fn of(hash: &'a Hash) -> Self {
        let indices = || (0..hash.len()).filter(|index| hash.at(*index).is_some()).collect();
        Self { hash, indices: (hash.seen() < hash.len()).then(indices) }
    }

    fn len(&self) -> usize {
        self.hash.seen()
    }

    fn at(&self, nth: usize) -> Option<(&'a [u8], &'a [u8])> {
        let index = self.indices.as_ref().map_or(Some(nth), |indices| indices.get(nth).copied());
        self.hash.at(index?)
    }
}
