//! Sorted sets.

use super::{Categories, Command, Deprecated, Flags, Group, KeySpec, Run};
use crate::commands::sorted_sets;

/// What the rows have in common.
const SORTED_SET: Command =
    Command { group: Group::SortedSet, categories: Categories::SORTED_SET, ..Command::EMPTY };

/// The rows.
pub const COMMANDS: &[Command] = &[
    Command {
        name: "zadd",
        arity: -4,
        flags: Flags::WRITE.or(Flags::DENYOOM).or(Flags::FAST),
        keys: &[KeySpec::one(1, "RW update")],
        since: "1.2.0",
        summary: "Adds members with their scores, or changes the scores.",
        complexity: "O(log(N))",
        syntax: "key:key [condition(NX|XX)^3.0.2] [comparison(GT|LT)^6.2.0] [change:CH^3.0.2] [increment:INCR^3.0.2] data{score:double member}...",
        run: Run::Command(sorted_sets::zadd),
        ..SORTED_SET
    },
    Command {
        name: "zscore",
        arity: 3,
        flags: Flags::READONLY.or(Flags::FAST),
        keys: &[KeySpec::one(1, "RO access")],
        since: "1.2.0",
        summary: "Reads the score of a member.",
        complexity: "O(1)",
        syntax: "key:key member",
        run: Run::Command(sorted_sets::zscore),
        ..SORTED_SET
    },
    Command {
        name: "zrem",
        arity: -3,
        flags: Flags::WRITE.or(Flags::FAST),
        keys: &[KeySpec::one(1, "RW delete")],
        since: "1.2.0",
        summary: "Removes members.",
        complexity: "O(M*log(N))",
        syntax: "key:key member...",
        run: Run::Command(sorted_sets::zrem),
        ..SORTED_SET
    },
    Command {
        name: "zcard",
        arity: 2,
        flags: Flags::READONLY.or(Flags::FAST),
        keys: &[KeySpec::one(1, "RO")],
        since: "1.2.0",
        summary: "Counts the members of a sorted set.",
        complexity: "O(1)",
        syntax: "key:key",
        run: Run::Command(sorted_sets::zcard),
        ..SORTED_SET
    },
    Command {
        name: "zrange",
        arity: -4,
        flags: Flags::READONLY,
        keys: &[KeySpec::one(1, "RO access")],
        since: "1.2.0",
        summary: "Reads members by rank, by score or by name.",
        complexity: "O(log(N)+M)",
        syntax: "key:key start stop [sortby(BYSCORE|BYLEX)^6.2.0] [REV^6.2.0] [LIMIT limit{offset:integer count:integer}^6.2.0] [WITHSCORES]",
        run: Run::Command(sorted_sets::zrange),
        ..SORTED_SET
    },
    Command {
        name: "zrangebyscore",
        arity: -4,
        flags: Flags::READONLY,
        keys: &[KeySpec::one(1, "RO access")],
        since: "1.0.5",
        summary: "Reads the members whose scores lie between two bounds.",
        complexity: "O(log(N)+M)",
        deprecated: Some(Deprecated { since: "6.2.0", instead: "ZRANGE ... BYSCORE" }),
        syntax: "key:key min:double max:double [WITHSCORES^2.0.0] [LIMIT limit{offset:integer count:integer}]",
        run: Run::Command(sorted_sets::zrangebyscore),
        ..SORTED_SET
    },
    Command {
        name: "zrevrange",
        arity: -4,
        flags: Flags::READONLY,
        keys: &[KeySpec::one(1, "RO access")],
        since: "1.2.0",
        summary: "Reads members by rank, the highest first.",
        complexity: "O(log(N)+M)",
        deprecated: Some(Deprecated { since: "6.2.0", instead: "ZRANGE ... REV" }),
        syntax: "key:key start:integer stop:integer [WITHSCORES]",
        run: Run::Command(sorted_sets::zrevrange),
        ..SORTED_SET
    },
    Command {
        name: "zremrangebyscore",
        arity: 4,
        flags: Flags::WRITE,
        keys: &[KeySpec::one(1, "RW delete")],
        since: "1.2.0",
        summary: "Removes the members whose scores lie between two bounds.",
        complexity: "O(log(N)+M)",
        syntax: "key:key min:double max:double",
        run: Run::Command(sorted_sets::zremrangebyscore),
        ..SORTED_SET
    },
    Command {
        name: "zcount",
        arity: 4,
        flags: Flags::READONLY.or(Flags::FAST),
        keys: &[KeySpec::one(1, "RO access")],
        since: "2.0.0",
        summary: "Counts the members whose scores lie between two bounds.",
        complexity: "O(log(N))",
        syntax: "key:key min:double max:double",
        run: Run::Command(sorted_sets::zcount),
        ..SORTED_SET
    },
    Command {
        name: "zincrby",
        arity: 4,
        flags: Flags::WRITE.or(Flags::DENYOOM).or(Flags::FAST),
        keys: &[KeySpec::one(1, "RW access update")],
        since: "1.2.0",
        summary: "Adds to the score of a member.",
        complexity: "O(log(N))",
        syntax: "key:key increment:integer member",
        run: Run::Command(sorted_sets::zincrby),
        ..SORTED_SET
    },
];
