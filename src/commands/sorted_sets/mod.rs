//! Sorted sets: scores are set, read, and removed.

mod combine;
mod pop;
mod random;
mod range;
mod scan;

pub use combine::{zdiff, zdiffstore, zinter, zintercard, zinterstore, zunion, zunionstore};
pub use pop::{bzmpop, bzpopmax, bzpopmin, zmpop, zpopmax, zpopmin};
pub use random::zrandmember;
pub use range::{
    zcount, zlexcount, zrange, zrangebylex, zrangebyscore, zrangestore, zremrangebylex, zremrangebyrank,
    zremrangebyscore, zrevrange, zrevrangebylex, zrevrangebyscore,
};
pub use scan::zscan;

use crate::config::Class;
use crate::data::sorted_set::{Inserted, Limits};
use crate::data::{SortedSet, Typed};
use crate::resp::Reply;
use crate::spec::numbers::{self, is_option};
use crate::spec::{Context, Error, Outcome};
use crate::state::State;

/// The options of ZADD.
#[allow(clippy::struct_excessive_bools)]
#[derive(Clone, Copy, Default)]
pub(super) struct AddOptions {
    pub only_new: bool,
    pub only_existing: bool,
    only_greater: bool,
    only_less: bool,
    pub count_changed: bool,
    increment: bool,
}

impl AddOptions {
    /// Reads one option; false if the word is not an option.
    fn read(&mut self, word: &[u8]) -> bool {
        let options = [
            ("NX", &mut self.only_new),
            ("XX", &mut self.only_existing),
            ("CH", &mut self.count_changed),
            ("INCR", &mut self.increment),
            ("GT", &mut self.only_greater),
            ("LT", &mut self.only_less),
        ];
        let option = options.into_iter().find(|(name, _)| is_option(word, name));
        option.map(|(_, option)| *option = true).is_some()
    }

    /// Whether the options can be combined with each other and with this number of scores.
    fn check(self, scores: usize) -> Result<(), Error> {
        let exclusive = [self.only_new, self.only_greater, self.only_less];
        let error = if self.only_new && self.only_existing {
            "ERR XX and NX options at the same time are not compatible"
        } else if exclusive.into_iter().filter(|option| *option).count() > 1 {
            "ERR GT, LT, and/or NX options at the same time are not compatible"
        } else if self.increment && scores > 1 {
            "ERR INCR option supports a single increment-element pair"
        } else {
            return Ok(());
        };
        Err(Error::new(error))
    }

    /// Whether the effect depends on the old score of a member.
    fn looks(self) -> bool {
        self.only_new || self.only_existing || self.only_greater || self.only_less || self.increment
    }

    /// The new score of a member that had the score `old`; `None` if it does not change.
    fn choose(self, old: Option<f64>, given: f64) -> Result<Option<f64>, Error> {
        let Some(old) = old else { return Ok((!self.only_existing).then_some(given)) };
        if self.only_new {
            return Ok(None);
        }
        let new = if self.increment { old + given } else { given };
        if new.is_nan() {
            return Err(Error::new("ERR resulting score is not a number (NaN)"));
        }
        let unwanted = self.only_greater && new <= old || self.only_less && new >= old;
        Ok((!unwanted).then_some(new))
    }
}

/// `ZADD key [NX | XX] [GT | LT] [CH] [INCR] score member [score member ...]`
pub fn zadd(ctx: &mut Context<'_>) -> Outcome {
    add(ctx, AddOptions::default())
}

/// `ZINCRBY key increment member`
pub fn zincrby(ctx: &mut Context<'_>) -> Outcome {
    // As in redis-server an increment that is spelled like an option of ZADD is a syntax error.
    add(ctx, AddOptions { increment: true, ..AddOptions::default() })
}

fn add(ctx: &mut Context<'_>, mut options: AddOptions) -> Outcome {
    let args = ctx.args;
    let key = &args[1];
    let mut first = 2;
    while args.get(first).is_some_and(|word| options.read(word)) {
        first += 1;
    }
    let pairs = args.from(first);
    if pairs.is_empty() || !pairs.len().is_multiple_of(2) {
        return Err(Error::SYNTAX);
    }
    options.check(pairs.len() / 2)?;
    // All scores are read before anything is changed, and parsed again below: that costs less than keeping them.
    for score in pairs.iter().step_by(2) {
        numbers::float(score)?;
    }

    let pair = |at: usize| Ok((numbers::float(&pairs[at])?, &pairs[at + 1]));
    let added = add_scored(ctx.state, key, options, (0..pairs.len()).step_by(2).map(pair))?;
    if options.increment {
        score_or_null(&mut ctx.reply, added.last_score);
    } else {
        ctx.reply.count(added.counted);
    }
    Ok(())
}

/// What [`add_scored`] has done.
pub(super) struct Added {
    /// The reply of ZADD: how many members were added, with `count_changed` also how many were changed.
    pub counted: usize,
    /// The score that was set last.
    last_score: Option<f64>,
}

/// Adds members with their scores to a sorted set, as far as the options allow. An error in the middle does not undo
/// what was done before.
pub(super) fn add_scored<'m>(
    state: &mut State,
    key: &[u8],
    options: AddOptions,
    members: impl ExactSizeIterator<Item = Result<(f64, &'m [u8]), Error>>,
) -> Result<Added, Error> {
    let limits = Limits::from(&state.config);
    let set: Option<&mut SortedSet> =
        if options.only_existing { state.get_mut(key)? } else { Some(state.get_or_create(key)?) };
    let (mut added, mut updated, mut last_score) = (0, 0, None);
    if let Some(set) = set {
        set.expect(members.len(), limits);
        for member in members {
            let (given, member) = member?;
            let old = if options.looks() { set.score(member) } else { None };
            let Some(new) = options.choose(old, given)? else { continue };
            last_score = Some(new);
            match set.insert(member, new, limits) {
                Inserted::Added => added += 1,
                Inserted::Updated => updated += 1,
                Inserted::Unchanged => {}
            }
        }
    }
    if added + updated > 0 {
        let event = if options.increment { "zincr" } else { "zadd" };
        state.modified_by(added + updated, Class::SORTED_SET, event, key);
    }
    Ok(Added { counted: if options.count_changed { added + updated } else { added }, last_score })
}

fn score_or_null(reply: &mut Reply<'_>, score: Option<f64>) {
    match score {
        Some(score) => reply.double(score),
        None => reply.null(),
    }
}

/// `ZSCORE key member`
pub fn zscore(ctx: &mut Context<'_>) -> Outcome {
    let set: Option<&SortedSet> = ctx.state.get(&ctx.args[1])?;
    score_or_null(&mut ctx.reply, set.and_then(|set| set.score(&ctx.args[2])));
    Ok(())
}

/// `ZMSCORE key member [member ...]`
pub fn zmscore(ctx: &mut Context<'_>) -> Outcome {
    let set: Option<&SortedSet> = ctx.state.get(&ctx.args[1])?;
    let members = ctx.args.from(2);
    ctx.reply.array(members.len());
    for member in members.iter() {
        score_or_null(&mut ctx.reply, set.and_then(|set| set.score(member)));
    }
    Ok(())
}

/// `ZRANK key member [WITHSCORE]`
pub fn zrank(ctx: &mut Context<'_>) -> Outcome {
    rank(ctx, false)
}

/// `ZREVRANK key member [WITHSCORE]`
pub fn zrevrank(ctx: &mut Context<'_>) -> Outcome {
    rank(ctx, true)
}

fn rank(ctx: &mut Context<'_>, reverse: bool) -> Outcome {
    if ctx.args.len() > 4 {
        return Err(Error::arity(&ctx.command.full_name()));
    }
    let with_score = match ctx.args.get(3) {
        Some(option) if is_option(option, "WITHSCORE") => true,
        Some(_) => return Err(Error::SYNTAX),
        None => false,
    };
    let member = &ctx.args[2];
    let set: Option<&SortedSet> = ctx.state.get(&ctx.args[1])?;
    let found = set.and_then(|set| {
        let rank = set.rank(member)?;
        Some((if reverse { set.len() - 1 - rank } else { rank }, set.score(member)?))
    });
    match found {
        Some((rank, score)) if with_score => {
            ctx.reply.array(2);
            ctx.reply.count(rank);
            ctx.reply.double(score);
        }
        Some((rank, _)) => ctx.reply.count(rank),
        None if with_score => ctx.reply.null_array(),
        None => ctx.reply.null(),
    }
    Ok(())
}

/// How members are written, with or without their scores.
#[derive(Clone, Copy)]
struct Listing {
    with_scores: bool,
    in_pairs: bool,
}

impl Listing {
    /// Announces this number of members. In RESP3 those with scores are pairs, in RESP2 they are all in one array.
    fn begin(reply: &mut Reply<'_>, len: usize, with_scores: bool) -> Self {
        let in_pairs = with_scores && reply.is_resp3();
        reply.array(if with_scores && !in_pairs { len.saturating_mul(2) } else { len });
        Self { with_scores, in_pairs }
    }

    fn write(self, reply: &mut Reply<'_>, member: &[u8], score: f64) {
        if self.in_pairs {
            reply.array(2);
        }
        reply.bulk(member);
        if self.with_scores {
            reply.double(score);
        }
    }
}

/// Stores a computed sorted set at the key, or removes the key if the set is empty, and replies with the number of
/// members.
fn store(ctx: &mut Context<'_>, key: &[u8], set: SortedSet, event: &str) {
    let len = set.len();
    ctx.state.put_result(key, set.into_value(), 1, Class::SORTED_SET, event);
    ctx.reply.count(len);
}

/// `ZCARD key`
pub fn zcard(ctx: &mut Context<'_>) -> Outcome {
    let set: Option<&SortedSet> = ctx.state.get(&ctx.args[1])?;
    ctx.reply.count(set.map_or(0, SortedSet::len));
    Ok(())
}

/// `ZREM key member [member ...]`
pub fn zrem(ctx: &mut Context<'_>) -> Outcome {
    let members = ctx.args.from(2);
    remove(ctx, "zrem", |set| members.iter().filter(|member| set.remove(member).is_some()).count())
}

/// Removes members of the sorted set at the command's first key, if it exists, and replies with their number.
fn remove(ctx: &mut Context<'_>, event: &str, from: impl FnOnce(&mut SortedSet) -> usize) -> Outcome {
    let key = &ctx.args[1];
    let Some(set) = ctx.state.get_mut::<SortedSet>(key)? else {
        ctx.reply.count(0);
        return Ok(());
    };
    let removed = from(set);
    let is_empty = set.is_empty();
    if removed > 0 {
        ctx.state.modified_by(removed, Class::SORTED_SET, event, key);
    }
    if is_empty {
        ctx.state.remove_empty(key);
    }
    ctx.reply.count(removed);
    Ok(())
}
