//! Transactions.

use crate::commands::transactions;
use crate::spec::{Categories, Command, Effect, Flags, Group, KeySpec, Run, Varies};

/// What the rows have in common.
const TRANSACTION: Command =
    Command { group: Group::Transactions, categories: Categories::TRANSACTION, ..Command::EMPTY };

/// Commands that control a transaction run at any time.
const STEERING: Flags = Flags::NOSCRIPT.or(Flags::ANYTIME).or(Flags::FAST).or(Flags::ALLOW_BUSY);

/// The rows.
pub const COMMANDS: &[Command] = &[
    Command {
        name: "multi",
        arity: 1,
        flags: STEERING.or(Flags::RUNS_IN_MULTI).or(Flags::OF_CONNECTION),
        since: "1.2.0",
        summary: "Starts a transaction: commands are queued from now on.",
        complexity: "O(1)",
        effect: Some(Effect::BeginsTransaction),
        run: Run::Command(transactions::multi),
        ..TRANSACTION
    },
    Command {
        name: "exec",
        arity: 1,
        flags: Flags::NOSCRIPT
            .or(Flags::ANYTIME)
            .or(Flags::SKIP_SLOWLOG)
            .or(Flags::RUNS_IN_MULTI)
            .or(Flags::OF_CONNECTION),
        since: "1.2.0",
        summary: "Runs the queued commands as one.",
        complexity: "that of the queued commands",
        varies: Some(Varies::Queued),
        effect: Some(Effect::RunsTransaction),
        run: Run::Exec,
        ..TRANSACTION
    },
    Command {
        name: "discard",
        arity: 1,
        flags: STEERING.or(Flags::RUNS_IN_MULTI).or(Flags::OF_CONNECTION),
        since: "2.0.0",
        summary: "Forgets the queued commands.",
        complexity: "O(N)",
        effect: Some(Effect::DropsTransaction),
        run: Run::Command(transactions::discard),
        ..TRANSACTION
    },
    Command {
        name: "watch",
        arity: -2,
        flags: STEERING.or(Flags::RUNS_IN_MULTI).or(Flags::OF_CONNECTION),
        keys: &[KeySpec::range(1, -1, 1, "RO")],
        since: "2.2.0",
        summary: "Has the next transaction fail if one of these keys changes before it.",
        complexity: "O(1) for each key",
        syntax: "key:key...",
        run: Run::Command(transactions::watch),
        ..TRANSACTION
    },
    Command {
        name: "unwatch",
        arity: 1,
        flags: STEERING,
        since: "2.2.0",
        summary: "Forgets the watched keys.",
        complexity: "O(1)",
        run: Run::Command(transactions::unwatch),
        ..TRANSACTION
    },
];
