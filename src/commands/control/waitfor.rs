//! MINIBROKER WAITFOR: the reply is sent when a condition is met.

use super::{Answered, NOTHING_RECORDED, faults, time};
use crate::spec::{Context, Error, Wait};
use std::time::Duration;

use crate::clients::condition::{Condition, DEFAULT_WAIT};
use crate::clients::waiters::Reason;
use crate::resp::Args;
use crate::spec::numbers::{self, is_option};

/// The arguments between the word and the count.
struct Names<'a> {
    args: Args<'a>,
    /// Where keys are looked for.
    database: usize,
}

impl Names<'_> {
    fn get(&self, index: usize) -> Vec<u8> {
        self.args.get(3 + index).unwrap_or_default().to_vec()
    }

    fn first(&self) -> Vec<u8> {
        self.get(0)
    }
}

/// What is waited for, and how long. Keys are those of this database.
pub fn condition(args: Args<'_>, database: usize) -> Result<(Condition, Duration), Error> {
    /// Makes the condition from the names and the count.
    type Make = fn(Names<'_>, usize) -> Result<Condition, Error>;
    /// Each with the number of names between the word and the count.
    const KINDS: [(&str, usize, Make); 8] = [
        ("SUBSCRIBERS", 1, |names, count| Ok(Condition::Subscribers { channel: names.first(), count })),
        ("PATTERNSUBSCRIBERS", 1, |names, count| {
            Ok(Condition::PatternSubscribers { pattern: names.first(), count })
        }),
        ("BLOCKED", 1, |names, count| Ok(Condition::Blocked { key: names.first(), count })),
        ("PUBLISHED", 1, |names, count| Ok(Condition::Published { channel: names.first(), count })),
        ("CLIENTS", 0, |_, count| Ok(Condition::Clients { count })),
        ("PENDING", 2, |names, count| {
            Ok(Condition::Pending { stream: names.first(), group: names.get(1), count })
        }),
        ("LENGTH", 1, |names, count| {
            Ok(Condition::Length { database: names.database, key: names.first(), count })
        }),
        ("FAULT", 1, |names, count| {
            let fault = faults::number(&names.first())?;
            Ok(Condition::Fault { fault, words: fault.number().to_string(), count })
        }),
    ];
    let word = args.get(2).unwrap_or_default();
    let given = args.len().saturating_sub(3);
    let fits = |names: usize| (names + 1..=names + 2).contains(&given);
    let found = KINDS.into_iter().find(|(known, names, _)| is_option(word, known) && fits(*names));
    let (_, names, make) = found.ok_or_else(|| Error::subcommand_syntax(word, "MINIBROKER"))?;
    let count = numbers::count(args.get(3 + names).unwrap_or_default())?;
    let within = match args.get(4 + names) {
        Some(within) => time::duration(within)?,
        None => DEFAULT_WAIT,
    };
    let condition = make(Names { args, database }, count)?;
    Ok((condition, within))
}

/// `MINIBROKER WAITFOR what [name ...] count [milliseconds]`
pub fn waitfor(ctx: &mut Context<'_>) -> Answered {
    let (condition, within) = condition(ctx.args, ctx.state.db)?;
    if matches!(condition, Condition::Published { .. }) && !ctx.state.journal.is_on() {
        return Err(NOTHING_RECORDED);
    }
    if ctx.state.meets(&condition) {
        ctx.reply.ok();
    } else if ctx.may_block && !within.is_zero() {
        ctx.wait = Some(Box::new(Wait {
            reason: Reason::Condition,
            keys: Vec::new(),
            deadline: None,
            request: None,
            wanted: None,
        }));
    } else {
        let seen = ctx.state.seen(&condition).text;
        return Err(Error::new(format!("ERR waited {within:?} for {condition}, saw {seen}")));
    }
    Ok(None)
}
