//! Parts of sorted sets, chosen by rank, by score or by the members' bytes: one parser and one selection for all
//! commands that have ranges.

use crate::spec::{Context, Error, Outcome};
use std::ops::{Bound, Range};

use crate::commands::sorted_sets::{Listing, remove, store};
use crate::config::Version;
use crate::data::sorted_set::{LexBound, LexRange, Limits, ScoreRange};
use crate::data::{SortedSet, present};
use crate::resp::{Args, up_to_nul};
use crate::spec::numbers::{self, is_option};

/// What members are selected by.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Rank,
    Score,
    Lex,
}

/// The bounds between which members are selected.
#[derive(Clone, Copy, Debug)]
enum Span<'a> {
    /// From one rank to another, both included, negative ones counted from the end.
    Rank(i64, i64),
    Score(ScoreRange),
    Lex(LexRange<'a>),
}

impl<'a> Span<'a> {
    fn parse(kind: Kind, min: &'a [u8], max: &'a [u8], version: Version) -> Result<Self, Error> {
        Ok(match kind {
            Kind::Rank => Self::Rank(numbers::integer(min)?, numbers::integer(max)?),
            Kind::Score => Self::Score(score_range(min, max, version)?),
            Kind::Lex => Self::Lex(lex_range(min, max)?),
        })
    }

    /// The ranks of the members in the span. If `reverse`, rank bounds count from the end.
    fn ranks(&self, set: &SortedSet, reverse: bool) -> Range<usize> {
        match self {
            Self::Rank(start, stop) => {
                let len = set.len();
                let ranks = numbers::range(*start, *stop, len);
                if reverse { len - ranks.end..len - ranks.start } else { ranks }
            }
            Self::Score(range) => set.ranks_by_score(range),
            Self::Lex(range) => set.ranks_by_lex(range, reverse, 0),
        }
    }
}

/// A range of scores: `1`, `(1` without 1 itself, `-inf`.
fn score_range(min: &[u8], max: &[u8], version: Version) -> Result<ScoreRange, Error> {
    let bound = |text| {
        // An empty number is 0, as redis-server does not parse it at all.
        let number =
            |text: &[u8]| if text.is_empty() { Some(0.0) } else { numbers::loose_float(text, version) };
        match up_to_nul(text) {
            [b'(', text @ ..] => number(text).map(Bound::Excluded),
            text => number(text).map(Bound::Included),
        }
    };
    let error = || Error::new("ERR min or max is not a float");
    Ok(ScoreRange { min: bound(min).ok_or_else(error)?, max: bound(max).ok_or_else(error)? })
}

/// A range of members: `[a`, `(a` without a itself, `-` and `+` for the ends.
fn lex_range<'a>(min: &'a [u8], max: &'a [u8]) -> Result<LexRange<'a>, Error> {
    let bound = |text: &'a [u8]| match text {
        [b'-'] | [b'-', 0, ..] => Some(LexBound::Lowest),
        [b'+'] | [b'+', 0, ..] => Some(LexBound::Highest),
        [b'[', member @ ..] => Some(LexBound::Included(member)),
        [b'(', member @ ..] => Some(LexBound::Excluded(member)),
        _ => None,
    };
    let error = || Error::new("ERR min or max not valid string range item");
    Ok(LexRange { min: bound(min).ok_or_else(error)?, max: bound(max).ok_or_else(error)? })
}

/// The arguments of a command of the ZRANGE family.
#[derive(Clone, Copy, Debug)]
struct Query<'a> {
    span: Span<'a>,
    reverse: bool,
    /// How many members of the span are skipped.
    offset: i64,
    /// The maximum number of members; no limit if it is negative.
    count: i64,
    with_scores: bool,
}

impl<'a> Query<'a> {
    /// Reads the bounds and the options after the key. Options cannot repeat what the name of the command says,
    /// and only a reply can have scores.
    fn parse(
        args: Args<'a>,
        kind: Option<Kind>,
        reverse: Option<bool>,
        is_reply: bool,
        version: Version,
    ) -> Result<Self, Error> {
        let (mut kind, mut reverse) = (kind, reverse);
        let (mut offset, mut count, mut with_scores) = (0, -1, false);
        let mut at = 2;
        while let Some(option) = args.get(at) {
            let is = |name: &str| is_option(option, name);
            if is("WITHSCORES") && is_reply {
                with_scores = true;
            } else if is("LIMIT") && at + 2 < args.len() {
                offset = numbers::integer(&args[at + 1])?;
                count = numbers::integer(&args[at + 2])?;
                at += 2;
            } else if is("REV") && reverse.is_none() {
                reverse = Some(true);
            } else if is("BYSCORE") && kind.is_none() {
                kind = Some(Kind::Score);
            } else if is("BYLEX") && kind.is_none() {
                kind = Some(Kind::Lex);
            } else {
                return Err(Error::SYNTAX);
            }
            at += 1;
        }
        let (kind, reverse) = (kind.unwrap_or(Kind::Rank), reverse.unwrap_or(false));
        if kind == Kind::Rank && count != -1 {
            return Err(Error::new(
                "ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX",
            ));
        }
        if kind == Kind::Lex && with_scores {
            return Err(Error::new("ERR syntax error, WITHSCORES not supported in combination with BYLEX"));
        }
        if offset < 0 && (version < Version::Redis7_4 || version >= Version::Redis8_2) {
            // The range is empty; the versions between count from its end, in large sets.
            count = 0;
        }
        let (one, other) =
            (present(args.get(0)).unwrap_or_default(), present(args.get(1)).unwrap_or_default());
        // Rank bounds count from the end; of other bounds, the greater one comes first.
        let (min, max) = if reverse && kind != Kind::Rank { (other, one) } else { (one, other) };
        let span = Span::parse(kind, min, max, version)?;
        Ok(Self { span, reverse, offset, count, with_scores })
    }

    /// The ranks of the selected members.
    fn ranks(&self, set: &SortedSet) -> Range<usize> {
        let ranks = self.span.ranks(set, self.reverse);
        let (ranks, skipped) = match (&self.span, usize::try_from(self.offset)) {
            // For ranks, a LIMIT that was accepted has no effect.
            (Span::Rank(..), _) => return ranks,
            (Span::Lex(range), offset) if set.is_compact() => {
                (set.ranks_by_lex(range, self.reverse, offset.unwrap_or(usize::MAX)), 0)
            }
            (_, Ok(offset)) => (ranks, offset),
            // Redis 7.2 to 8.0 counts a negative offset from the end of the span, but only in large sets.
            (_, Err(_)) if set.is_compact() => (ranks, usize::MAX),
            (_, Err(_)) => {
                let from_end = usize::try_from(self.offset.unsigned_abs()).unwrap_or(usize::MAX);
                let skipped = ranks.len().checked_sub(from_end).unwrap_or(usize::MAX);
                (ranks, skipped)
            }
        };
        let skipped = skipped.min(ranks.len());
        let left = ranks.len() - skipped;
        let count = usize::try_from(self.count).map_or(left, |count| count.min(left));
        if self.reverse {
            let end = ranks.end - skipped;
            end - count..end
        } else {
            let start = ranks.start + skipped;
            start..start + count
        }
    }
}

impl Query<'_> {
    /// Calls `take` for the members of these ranks, in the requested order.
    fn each(&self, set: &SortedSet, ranks: Range<usize>, mut take: impl FnMut(&[u8], f64)) {
        let members = set.range(ranks);
        if self.reverse {
            members.rev().for_each(|(member, score)| take(member, score));
        } else {
            members.for_each(|(member, score)| take(member, score));
        }
    }
}

/// Replies with the selected members.
fn read(ctx: &mut Context<'_>, kind: Option<Kind>, reverse: Option<bool>) -> Outcome {
    let query = Query::parse(ctx.args.from(2), kind, reverse, true, ctx.state.config.compat)?;
    let Some(set) = ctx.state.get::<SortedSet>(&ctx.args[1])? else {
        ctx.reply.array(0);
        return Ok(());
    };
    let ranks = query.ranks(set);
    let listing = Listing::begin(&mut ctx.reply, ranks.len(), query.with_scores);
    query.each(set, ranks, |member, score| listing.write(&mut ctx.reply, member, score));
    Ok(())
}

/// `ZRANGE key start stop [BYSCORE | BYLEX] [REV] [LIMIT offset count] [WITHSCORES]`
pub fn zrange(ctx: &mut Context<'_>) -> Outcome {
    read(ctx, None, None)
}

/// `ZREVRANGE key start stop [WITHSCORES]`
pub fn zrevrange(ctx: &mut Context<'_>) -> Outcome {
    read(ctx, Some(Kind::Rank), Some(true))
}

/// `ZRANGEBYSCORE key min max [WITHSCORES] [LIMIT offset count]`
pub fn zrangebyscore(ctx: &mut Context<'_>) -> Outcome {
    read(ctx, Some(Kind::Score), Some(false))
}

/// `ZREVRANGEBYSCORE key max min [WITHSCORES] [LIMIT offset count]`
pub fn zrevrangebyscore(ctx: &mut Context<'_>) -> Outcome {
    read(ctx, Some(Kind::Score), Some(true))
}

/// `ZRANGEBYLEX key min max [LIMIT offset count]`
pub fn zrangebylex(ctx: &mut Context<'_>) -> Outcome {
    read(ctx, Some(Kind::Lex), Some(false))
}

/// `ZREVRANGEBYLEX key max min [LIMIT offset count]`
pub fn zrevrangebylex(ctx: &mut Context<'_>) -> Outcome {
    read(ctx, Some(Kind::Lex), Some(true))
}

/// `ZRANGESTORE dst src min max [BYSCORE | BYLEX] [REV] [LIMIT offset count]`
pub fn zrangestore(ctx: &mut Context<'_>) -> Outcome {
    let args = ctx.args;
    let query = Query::parse(args.from(3), None, None, false, ctx.state.config.compat)?;
    let limits = Limits::from(&ctx.state.config);
    let mut stored = SortedSet::default();
    if let Some(set) = ctx.state.get::<SortedSet>(&args[2])? {
        let ranks = query.ranks(set);
        if matches!(query.span, Span::Rank(..)) {
            // Only for ranks, redis-server knows the number of members beforehand.
            stored.expect(ranks.len(), limits);
        }
        query.each(set, ranks, |member, score| {
            stored.insert(member, score, limits);
        });
    }
    store(ctx, &args[1], stored, "zrangestore");
    Ok(())
}

/// Replies with the number of members in the range.
fn count(ctx: &mut Context<'_>, kind: Kind) -> Outcome {
    let args = ctx.args;
    let span = Span::parse(kind, &args[2], &args[3], ctx.state.config.compat)?;
    let set: Option<&SortedSet> = ctx.state.get(&args[1])?;
    ctx.reply.count(set.map_or(0, |set| span.ranks(set, false).len()));
    Ok(())
}

/// `ZCOUNT key min max`
pub fn zcount(ctx: &mut Context<'_>) -> Outcome {
    count(ctx, Kind::Score)
}

/// `ZLEXCOUNT key min max`
pub fn zlexcount(ctx: &mut Context<'_>) -> Outcome {
    count(ctx, Kind::Lex)
}

/// Removes the members in the range.
fn remove_range(ctx: &mut Context<'_>, kind: Kind, event: &str) -> Outcome {
    let args = ctx.args;
    let span = Span::parse(kind, &args[2], &args[3], ctx.state.config.compat)?;
    remove(ctx, event, |set| {
        let ranks = span.ranks(set, false);
        set.remove_range(ranks.clone());
        ranks.len()
    })
}

/// `ZREMRANGEBYSCORE key min max`
pub fn zremrangebyscore(ctx: &mut Context<'_>) -> Outcome {
    remove_range(ctx, Kind::Score, "zremrangebyscore")
}

/// `ZREMRANGEBYLEX key min max`
pub fn zremrangebylex(ctx: &mut Context<'_>) -> Outcome {
    remove_range(ctx, Kind::Lex, "zremrangebylex")
}

/// `ZREMRANGEBYRANK key start stop`
pub fn zremrangebyrank(ctx: &mut Context<'_>) -> Outcome {
    remove_range(ctx, Kind::Rank, "zremrangebyrank")
}
