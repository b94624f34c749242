//! MINIBROKER FAULT: faults that a test causes on purpose.

use super::{Answered, Order, not_understood, time, without_value};
use crate::clients::FaultId;
use crate::resp::{Args, parse_double};
use crate::spec::numbers::{self, is_option};
use crate::spec::{Context, Error, Table};
use crate::testing::faults::{Action, Channel, Rule, Scope, SimulatedState, When};

/// A fault that has ended or never existed.
const NO_FAULT: Error = Error::constant(&"ERR there is no such fault");
/// `EVERY n`: one hit of every `n`.
const NOT_A_COUNT: Error = Error::constant(&"ERR NTH and EVERY count from 1");
/// The action after the scopes is missing.
const NO_ACTION: Error =
    Error::constant(&"ERR syntax error: FAULT ADD needs an action, such as DISCONNECT. Try MINIBROKER HELP.");
/// The actions without a value.
const WITHOUT_VALUE: [(&str, Action); 9] = [
    ("DISCONNECT", Action::Disconnect),
    ("DISCONNECTAFTER", Action::LoseReply(0)),
    ("LOADING", Action::Simulate(SimulatedState::Loading)),
    ("READONLY", Action::Simulate(SimulatedState::ReadOnly)),
    ("OUTOFMEMORY", Action::Simulate(SimulatedState::OutOfMemory)),
    ("NOAUTH", Action::Simulate(SimulatedState::NoAuth)),
    ("BUSY", Action::Simulate(SimulatedState::Busy)),
    ("DROP", Action::Drop),
    ("DUPLICATE", Action::Duplicate),
];
/// The actions that are followed by a value.
const WITH_VALUE: [&str; 4] = ["ERROR", "DELAY", "DELAYMESSAGES", "DISCONNECTINREPLY"];
/// The text is not a probability.
const NOT_A_PROBABILITY: Error = Error::constant(&"ERR a probability is a number from 0 to 1");

/// `MINIBROKER FAULT ADD|LIST|HITS|END ...`
pub fn fault(ctx: &mut Context<'_>) -> Answered {
    let args = ctx.args;
    let word = args.get(2).unwrap_or_default();
    let count = args.len();
    if is_option(word, "ADD") && count > 3 {
        let rule = rule(args, ctx.table())?;
        let fault = ctx.state.faults.add(rule, ctx.state.journal.last_number());
        ctx.reply.integer(i64::try_from(fault.number()).unwrap_or(i64::MAX));
    } else if is_option(word, "LIST") && count == 3 {
        list(ctx);
    } else if is_option(word, "HITS") && count == 4 {
        let hits = ctx.state.faults.hits(number(&args[3])?).ok_or(NO_FAULT)?;
        ctx.reply.integer(i64::try_from(hits).unwrap_or(i64::MAX));
    } else if is_option(word, "END") && count == 4 {
        return end(ctx).map(Some);
    } else {
        return Err(Error::subcommand_syntax(word, "MINIBROKER"));
    }
    Ok(None)
}

/// The number of a fault.
pub fn number(text: &[u8]) -> Result<FaultId, Error> {
    Ok(FaultId::of_number(numbers::count(text)? as u64))
}

fn list(ctx: &mut Context<'_>) {
    let line =
        |(fault, rule, hits): (FaultId, &Rule, u64)| format!("{} {rule} (hits: {hits})", fault.number());
    let lines: Vec<String> = ctx.state.faults.rules().map(line).collect();
    super::write_lines(&mut ctx.reply, &lines);
}

/// `FAULT END number|ALL`: what the fault held back continues.
fn end(ctx: &mut Context<'_>) -> Result<Order, Error> {
    let which = &ctx.args[3];
    let faults: Vec<FaultId> = if is_option(which, "ALL") {
        ctx.state.faults.rules().map(|(fault, ..)| fault).collect()
    } else {
        let fault = number(which)?;
        ctx.state.faults.hits(fault).ok_or(NO_FAULT)?;
        vec![fault]
    };
    ctx.reply.count(faults.len());
    Ok(Order::EndFaults(faults))
}

/// What follows `FAULT ADD`: scopes, times and the action in any order.
fn rule(args: Args<'_>, table: &Table) -> Result<Rule, Error> {
    let (mut scope, mut when) = (Scope::default(), When::Always);
    let mut words = None;
    let mut at = 3;
    while let Some(word) = args.get(at) {
        let is_one_of = |known: &[&str]| known.iter().any(|known| is_option(word, known));
        if is_option(word, "ONCE") {
            when = When::Nth(1);
            at += 1;
            continue;
        }
        if words.is_none() && WITHOUT_VALUE.iter().any(|(known, _)| is_option(word, known)) {
            words = Some(args.range(at, at + 1));
            at += 1;
            continue;
        }
        let value = || args.get(at + 1).ok_or_else(|| without_value(word));
        if is_option(word, "COMMAND") {
            let name = String::from_utf8_lossy(value()?);
            let unknown = || Error::new(format!("ERR there is no command '{name}'"));
            scope.commands.push(table.named(&name).ok_or_else(unknown)?);
        } else if is_option(word, "CLIENT") {
            scope.clients.push(String::from_utf8_lossy(value()?).into_owned());
        } else if is_option(word, "KEY") {
            scope.keys.push(value()?.into());
        } else if is_option(word, "CHANNEL") {
            scope.channels.push(Channel::Named(value()?.into()));
        } else if is_option(word, "CHANNELS") {
            scope.channels.push(Channel::Like(value()?.into()));
        } else if is_option(word, "NTH") {
            when = When::Nth(times(value()?)?);
        } else if is_option(word, "EVERY") {
            when = When::Every(times(value()?)?);
        } else if is_option(word, "PROBABILITY") {
            let probability = parse_double(value()?).filter(|number| (0.0..=1.0).contains(number));
            when = When::Probability(probability.ok_or(NOT_A_PROBABILITY)?);
        } else if words.is_none() && is_one_of(&WITH_VALUE) {
            value()?;
            words = Some(args.range(at, at + 2));
        } else {
            return Err(not_understood(word));
        }
        at += 2;
    }
    let action = action(words.ok_or(NO_ACTION)?, &scope)?.ok_or(NO_ACTION)?;
    Ok(Rule { scope, when, action })
}

fn times(text: &[u8]) -> Result<u64, Error> {
    match numbers::count(text)? {
        0 => Err(NOT_A_COUNT),
        times => Ok(times as u64),
    }
}

/// The action in these words; `None` if they are not an action.
fn action(args: Args<'_>, scope: &Scope) -> Result<Option<Action>, Error> {
    let word = &args[0];
    let found = match WITHOUT_VALUE.into_iter().find(|(known, _)| is_option(word, known)) {
        Some((_, action)) => action,
        None if args.len() == 2 => {
            let value = &args[1];
            let time = || time::duration(value);
            // As in a test: with a channel and no command, a delay is a delay of messages.
            let of_messages =
                !scope.channels.is_empty() && scope.commands.is_empty() && scope.keys.is_empty();
            if is_option(word, "ERROR") {
                Action::Error(value.into())
            } else if is_option(word, "DISCONNECTINREPLY") {
                Action::LoseReply(numbers::count(value)?)
            } else if is_option(word, "DELAYMESSAGES") || is_option(word, "DELAY") && of_messages {
                Action::DelayMessage(time()?)
            } else if is_option(word, "DELAY") {
                Action::Delay(time()?)
            } else {
                return Ok(None);
            }
        }
        None => return Ok(None),
    };
    let of_commands = !scope.commands.is_empty() || !scope.keys.is_empty();
    let is_of_messages = found.is_of_messages();
    if is_of_messages && of_commands || !is_of_messages && !of_commands && !scope.channels.is_empty() {
        let word = String::from_utf8_lossy(word).to_uppercase();
        let of = if is_of_messages {
            "messages, which have a CHANNEL and a CLIENT, but no COMMAND and no KEY"
        } else {
            "commands: CHANNEL needs a COMMAND before it"
        };
        return Err(Error::new(format!("ERR {word} applies to {of}")));
    }
    Ok(Some(found))
}
