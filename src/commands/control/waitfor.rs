//! MINIBROKER WAITFOR: the answer comes when a state is there.

use std::time::Duration;

use super::super::numbers::{self, is_option};
use super::super::{Context, Error, Wait};
use super::{Answered, faults};
use crate::resp::Args;
use crate::store::condition::{Condition, DEFAULT_WAIT};
use crate::store::waiters::Reason;

/// Why nothing can be waited for that the journal would tell.
const NOTHING_RECORDED: Error = Error::constant("ERR this broker records nothing");

/// What is waited for, and how long. Keys are those of this database.
pub fn condition(args: Args<'_>, database: usize) -> Result<(Condition, Duration), Error> {
    let kind = args.get(2).unwrap_or_default();
    let is = |word| is_option(kind, word);
    // Names stand between the word and the count.
    let names = if is("CLIENTS") { 0 } else { 1 + usize::from(is("PENDING")) };
    let known = [
        "SUBSCRIBERS",
        "PATTERNSUBSCRIBERS",
        "BLOCKED",
        "PUBLISHED",
        "CLIENTS",
        "PENDING",
        "LENGTH",
        "FAULT",
    ];
    let given = args.len().saturating_sub(3);
    if !known.iter().any(|word| is(word)) || !(names + 1..=names + 2).contains(&given) {
        return Err(Error::subcommand_syntax(kind, "MINIBROKER"));
    }
    let name = |index: usize| args.get(3 + index).unwrap_or_default().to_vec();
    let count = numbers::count(args.get(3 + names).unwrap_or_default())?;
    let within = match args.get(4 + names) {
        Some(millis) => Duration::from_millis(numbers::count(millis)? as u64),
        None => DEFAULT_WAIT,
    };
    let condition = if is("SUBSCRIBERS") {
        Condition::Subscribers { channel: name(0), count }
    } else if is("PATTERNSUBSCRIBERS") {
        Condition::PatternSubscribers { pattern: name(0), count }
    } else if is("BLOCKED") {
        Condition::Blocked { key: name(0), count }
    } else if is("PUBLISHED") {
        Condition::Published { channel: name(0), count }
    } else if is("PENDING") {
        Condition::Pending { stream: name(0), group: name(1), count }
    } else if is("FAULT") {
        let fault = faults::number(&name(0))?;
        Condition::Fault { fault, words: fault.number().to_string(), count }
    } else if is("LENGTH") {
        Condition::Length { database, key: name(0), count }
    } else {
        Condition::Clients { count }
    };
    Ok((condition, within))
}

/// `MINIBROKER WAITFOR what [name ...] count [milliseconds]`
pub fn waitfor(ctx: &mut Context<'_>) -> Answered {
    let (condition, within) = condition(ctx.args, ctx.store.db)?;
    if matches!(condition, Condition::Published { .. }) && !ctx.store.journal.is_on() {
        return Err(NOTHING_RECORDED);
    }
    if condition.is_met(ctx.store) {
        ctx.reply.ok();
    } else if ctx.may_block && !within.is_zero() {
        let wait = Wait { reason: Reason::Condition, keys: Vec::new(), deadline: None, request: None };
        ctx.wait = Some(Box::new(wait));
    } else {
        let seen = condition.seen(ctx.store).text;
        return Err(Error::new(format!("ERR waited {within:?} for {condition}, saw {seen}")));
    }
    Ok(None)
}
