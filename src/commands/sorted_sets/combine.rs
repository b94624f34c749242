//! Unions, intersections and differences.

use crate::spec::{Context, Error, Outcome};
use std::borrow::Cow;

use crate::commands::sorted_sets::{Listing, store};
use crate::data::SortedSet;
use crate::data::sorted_set::Limits;
use crate::data::sorted_set::combine::{
    Aggregate, Combined, Members, Source, difference, intersection, intersection_len, union,
};
use crate::resp::Args;
use crate::spec::numbers::{self, is_option};
use crate::state::{Lookup, State};

/// The operation on the sources.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Operation {
    Union,
    Intersection,
    Difference,
}

impl Operation {
    fn run<'a>(self, sources: &[Source<'a>], aggregate: Aggregate) -> Combined<'a> {
        match self {
            Self::Union => union(sources, aggregate),
            Self::Intersection => intersection(sources, aggregate),
            Self::Difference => difference(sources),
        }
    }
}

/// The use of the result, on which the allowed options depend.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Use {
    Reply,
    State,
    Count,
}

/// The options after the keys.
struct Options<'a> {
    /// One for each key, if given.
    weights: Option<Args<'a>>,
    aggregate: Aggregate,
    with_scores: bool,
    /// How far to count.
    limit: usize,
}

impl<'a> Options<'a> {
    fn read(mut args: Args<'a>, keys: usize, operation: Operation, r#use: Use) -> Result<Self, Error> {
        let mut options =
            Self { weights: None, aggregate: Aggregate::Sum, with_scores: false, limit: usize::MAX };
        let has_scores = operation != Operation::Difference && r#use != Use::Count;
        while let Some(option) = args.get(0) {
            let is = |name| is_option(option, name);
            let taken = if has_scores && is("WEIGHTS") && args.len() > keys {
                let weights = args.range(1, keys + 1);
                weights.iter().try_for_each(|weight| read_weight(weight).map(|_| ()))?;
                options.weights = Some(weights);
                keys + 1
            } else if has_scores && is("AGGREGATE") && args.len() > 1 {
                options.aggregate = read_aggregate(&args[1])?;
                2
            } else if r#use == Use::Reply && is("WITHSCORES") {
                options.with_scores = true;
                1
            } else if r#use == Use::Count && is("LIMIT") && args.len() > 1 {
                options.limit = numbers::limit(&args[1])?;
                2
            } else {
                return Err(Error::SYNTAX);
            };
            args = args.from(taken);
        }
        Ok(options)
    }

    fn weight(&self, index: usize) -> Result<f64, Error> {
        self.weights.as_ref().map_or(Ok(1.0), |weights| read_weight(&weights[index]))
    }
}

fn read_weight(text: &[u8]) -> Result<f64, Error> {
    numbers::float(text).map_err(|_| Error::new("ERR weight value is not a float"))
}

fn read_aggregate(word: &[u8]) -> Result<Aggregate, Error> {
    let known = [("SUM", Aggregate::Sum), ("MIN", Aggregate::Min), ("MAX", Aggregate::Max)];
    let found = known.into_iter().find(|(name, _)| is_option(word, name));
    found.map(|(_, aggregate)| aggregate).ok_or(Error::SYNTAX)
}

/// Reads `numkeys key [key ...] [option ...]`, where `first` is the argument with the number. The keys are
/// looked up before the options are read.
fn read<'a>(
    ctx: &mut Context<'a>,
    first: usize,
    operation: Operation,
    r#use: Use,
) -> Result<(Args<'a>, Options<'a>), Error> {
    let args = ctx.args.from(first);
    let Ok(count @ 1..) = usize::try_from(numbers::integer(&args[0])?) else {
        let name = ctx.command.full_name();
        return Err(Error::new(format!("ERR at least 1 input key is needed for '{name}' command")));
    };
    if count >= args.len() {
        return Err(Error::SYNTAX);
    }
    let keys = args.range(1, count + 1);
    for key in keys.iter() {
        if ctx.state.lookup(key, Lookup::Use).is_some_and(|entry| Members::of(&entry.value).is_none()) {
            return Err(Error::WRONG_TYPE);
        }
    }
    let options = Options::read(args.from(count + 1), count, operation, r#use)?;
    Ok((keys, options))
}

/// The values of the keys.
fn sources<'s>(state: &'s State, keys: Args<'_>, options: &Options<'_>) -> Result<Vec<Source<'s>>, Error> {
    let source = |(index, key)| {
        let entry = state.lookup_shared(key);
        let members = entry.and_then(|entry| Members::of(&entry.value)).unwrap_or(Members::None);
        Ok(Source { members, weight: options.weight(index)? })
    };
    keys.iter().enumerate().map(source).collect()
}

fn answer(ctx: &mut Context<'_>, operation: Operation) -> Outcome {
    let (keys, options) = read(ctx, 1, operation, Use::Reply)?;
    let result = operation.run(&sources(ctx.state, keys, &options)?, options.aggregate);
    let listing = Listing::begin(&mut ctx.reply, result.len(), options.with_scores);
    for (score, member) in &result {
        listing.write(&mut ctx.reply, member, *score);
    }
    Ok(())
}

fn store_result(ctx: &mut Context<'_>, operation: Operation, event: &str) -> Outcome {
    let (keys, options) = read(ctx, 2, operation, Use::State)?;
    let limits = Limits::from(&ctx.state.config);
    let result = operation.run(&sources(ctx.state, keys, &options)?, options.aggregate);
    let owned = |(score, member): (f64, Cow<'_, [u8]>)| (score, member.into_owned().into());
    let set = SortedSet::from_sorted(result.into_iter().map(owned).collect(), limits);
    let args = ctx.args;
    store(ctx, &args[1], set, event);
    Ok(())
}

/// `ZUNION numkeys key [key ...] [WEIGHTS weight [weight ...]] [AGGREGATE SUM | MIN | MAX] [WITHSCORES]`
pub fn zunion(ctx: &mut Context<'_>) -> Outcome {
    answer(ctx, Operation::Union)
}

/// `ZUNIONSTORE destination numkeys key [key ...] [WEIGHTS weight [weight ...]] [AGGREGATE SUM | MIN | MAX]`
pub fn zunionstore(ctx: &mut Context<'_>) -> Outcome {
    store_result(ctx, Operation::Union, "zunionstore")
}

/// `ZINTER numkeys key [key ...] [WEIGHTS weight [weight ...]] [AGGREGATE SUM | MIN | MAX] [WITHSCORES]`
pub fn zinter(ctx: &mut Context<'_>) -> Outcome {
    answer(ctx, Operation::Intersection)
}

/// `ZINTERSTORE destination numkeys key [key ...] [WEIGHTS weight [weight ...]] [AGGREGATE SUM | MIN | MAX]`
pub fn zinterstore(ctx: &mut Context<'_>) -> Outcome {
    store_result(ctx, Operation::Intersection, "zinterstore")
}

/// `ZDIFF numkeys key [key ...] [WITHSCORES]`
pub fn zdiff(ctx: &mut Context<'_>) -> Outcome {
    answer(ctx, Operation::Difference)
}

/// `ZDIFFSTORE destination numkeys key [key ...]`
pub fn zdiffstore(ctx: &mut Context<'_>) -> Outcome {
    store_result(ctx, Operation::Difference, "zdiffstore")
}

/// `ZINTERCARD numkeys key [key ...] [LIMIT limit]`
pub fn zintercard(ctx: &mut Context<'_>) -> Outcome {
    let (keys, options) = read(ctx, 1, Operation::Intersection, Use::Count)?;
    let found = intersection_len(&sources(ctx.state, keys, &options)?, options.limit);
    ctx.reply.count(found);
    Ok(())
}
