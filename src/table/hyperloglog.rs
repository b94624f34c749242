//! HyperLogLog.

use crate::commands::hyperloglog;
use crate::spec::{Categories, Command, Flags, Group, KeySpec, Run};

/// What the rows have in common.
const HYPERLOGLOG: Command =
    Command { group: Group::HyperLogLog, categories: Categories::HYPERLOGLOG, ..Command::EMPTY };

/// The rows.
pub const COMMANDS: &[Command] = &[
    Command {
        name: "pfadd",
        arity: -2,
        flags: Flags::WRITE.or(Flags::DENYOOM).or(Flags::FAST),
        keys: &[KeySpec::one(1, "RW insert")],
        since: "2.8.9",
        summary: "Adds elements to a counter, creating it if need be.",
        complexity: "O(1)",
        syntax: "key:key [element...]",
        run: Run::Command(hyperloglog::pfadd),
        ..HYPERLOGLOG
    },
    Command {
        name: "pfcount",
        arity: -2,
        flags: Flags::READONLY.or(Flags::PROPAGATED),
        keys: &[KeySpec::range(1, -1, 1, "RW access").note("notes what was counted")],
        since: "2.8.9",
        summary: "Returns the approximate number of different elements that counters have seen.",
        complexity: "O(N)",
        syntax: "key:key...",
        run: Run::Command(hyperloglog::pfcount),
        ..HYPERLOGLOG
    },
    Command {
        name: "pfmerge",
        arity: -2,
        flags: Flags::WRITE.or(Flags::DENYOOM),
        keys: &[KeySpec::one(1, "RW access insert"), KeySpec::range(2, -1, 1, "RO access")],
        since: "2.8.9",
        summary: "Lets a counter see what others have seen.",
        complexity: "O(N)",
        syntax: "destkey:key [sourcekey:key#1...]",
        run: Run::Command(hyperloglog::pfmerge),
        ..HYPERLOGLOG
    },
    Command {
        name: "pfdebug",
        arity: 3,
        flags: Flags::WRITE.or(Flags::DENYOOM).or(Flags::ADMIN),
        keys: &[KeySpec::one(2, "RW access")],
        since: "2.8.9",
        summary: "Shows how a counter is kept.",
        complexity: "N/A",
        syntax: "subcommand key:key",
        for_operators: true,
        run: Run::Command(hyperloglog::pfdebug),
        ..HYPERLOGLOG
    },
    Command {
        name: "pfselftest",
        arity: 1,
        flags: Flags::ADMIN,
        since: "2.8.9",
        summary: "Checks that counters count.",
        complexity: "N/A",
        for_operators: true,
        run: Run::Command(hyperloglog::pfselftest),
        ..HYPERLOGLOG
    },
];
