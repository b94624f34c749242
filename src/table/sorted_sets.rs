//! Sorted sets.

use crate::commands::sorted_sets;
use crate::spec::{Categories, Command, Deprecated, Flags, Group, KeySpec, Run, Varies};

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
        flags: Flags::WRITE.or(Flags::FAST).or(Flags::EVENTS_FIRST),
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
    Command {
        name: "zrevrangebyscore",
        arity: -4,
        flags: Flags::READONLY,
        keys: &[KeySpec::one(1, "RO access")],
        since: "2.2.0",
        summary: "Reads the members whose scores lie between two bounds, the highest first.",
        complexity: "O(log(N)+M)",
        deprecated: Some(Deprecated { since: "6.2.0", instead: "ZRANGE ... REV BYSCORE" }),
        syntax: "key:key max:double min:double [WITHSCORES] [LIMIT limit{offset:integer count:integer}]",
        run: Run::Command(sorted_sets::zrevrangebyscore),
        ..SORTED_SET
    },
    Command {
        name: "zrangebylex",
        arity: -4,
        flags: Flags::READONLY,
        keys: &[KeySpec::one(1, "RO access")],
        since: "2.8.9",
        summary: "Reads the members that lie between two names.",
        complexity: "O(log(N)+M)",
        deprecated: Some(Deprecated { since: "6.2.0", instead: "ZRANGE ... BYLEX" }),
        syntax: "key:key min max [LIMIT limit{offset:integer count:integer}]",
        run: Run::Command(sorted_sets::zrangebylex),
        ..SORTED_SET
    },
    Command {
        name: "zrevrangebylex",
        arity: -4,
        flags: Flags::READONLY,
        keys: &[KeySpec::one(1, "RO access")],
        since: "2.8.9",
        summary: "Reads the members that lie between two names, the last first.",
        complexity: "O(log(N)+M)",
        deprecated: Some(Deprecated { since: "6.2.0", instead: "ZRANGE ... REV BYLEX" }),
        syntax: "key:key max min [LIMIT limit{offset:integer count:integer}]",
        run: Run::Command(sorted_sets::zrevrangebylex),
        ..SORTED_SET
    },
    Command {
        name: "zrangestore",
        arity: -5,
        flags: Flags::WRITE.or(Flags::DENYOOM),
        keys: &[KeySpec::one(1, "OW update"), KeySpec::one(2, "RO access")],
        since: "6.2.0",
        summary: "Stores a range of one sorted set under another key.",
        complexity: "O(log(N)+M)",
        syntax: "dst:key src:key#1 min max [sortby(BYSCORE|BYLEX)] [REV] [LIMIT limit{offset:integer count:integer}]",
        run: Run::Command(sorted_sets::zrangestore),
        ..SORTED_SET
    },
    Command {
        name: "zremrangebyrank",
        arity: 4,
        flags: Flags::WRITE,
        keys: &[KeySpec::one(1, "RW delete")],
        since: "2.0.0",
        summary: "Removes the members between two ranks.",
        complexity: "O(log(N)+M)",
        syntax: "key:key start:integer stop:integer",
        run: Run::Command(sorted_sets::zremrangebyrank),
        ..SORTED_SET
    },
    Command {
        name: "zremrangebylex",
        arity: 4,
        flags: Flags::WRITE,
        keys: &[KeySpec::one(1, "RW delete")],
        since: "2.8.9",
        summary: "Removes the members that lie between two names.",
        complexity: "O(log(N)+M)",
        syntax: "key:key min max",
        run: Run::Command(sorted_sets::zremrangebylex),
        ..SORTED_SET
    },
    Command {
        name: "zlexcount",
        arity: 4,
        flags: Flags::READONLY.or(Flags::FAST),
        keys: &[KeySpec::one(1, "RO access")],
        since: "2.8.9",
        summary: "Counts the members that lie between two names.",
        complexity: "O(log(N))",
        syntax: "key:key min max",
        run: Run::Command(sorted_sets::zlexcount),
        ..SORTED_SET
    },
    Command {
        name: "zrank",
        arity: -3,
        arity_in_7_0: 3,
        flags: Flags::READONLY.or(Flags::FAST),
        keys: &[KeySpec::one(1, "RO access")],
        since: "2.0.0",
        summary: "Returns the number of members before a member.",
        complexity: "O(log(N))",
        syntax: "key:key member [WITHSCORE]",
        run: Run::Command(sorted_sets::zrank),
        ..SORTED_SET
    },
    Command {
        name: "zrevrank",
        arity: -3,
        arity_in_7_0: 3,
        flags: Flags::READONLY.or(Flags::FAST),
        keys: &[KeySpec::one(1, "RO access")],
        since: "2.0.0",
        summary: "Returns the number of members after a member.",
        complexity: "O(log(N))",
        syntax: "key:key member [WITHSCORE]",
        run: Run::Command(sorted_sets::zrevrank),
        ..SORTED_SET
    },
    Command {
        name: "zmscore",
        arity: -3,
        flags: Flags::READONLY.or(Flags::FAST),
        keys: &[KeySpec::one(1, "RO access")],
        since: "6.2.0",
        summary: "Reads the scores of several members.",
        complexity: "O(N)",
        syntax: "key:key member...",
        run: Run::Command(sorted_sets::zmscore),
        ..SORTED_SET
    },
    Command {
        name: "zrandmember",
        arity: -2,
        flags: Flags::READONLY,
        keys: &[KeySpec::one(1, "RO access")],
        since: "6.2.0",
        summary: "Reads members that are chosen at random.",
        complexity: "O(N)",
        syntax: "key:key [options{count:integer [WITHSCORES]}]",
        tips: "nondeterministic_output",
        run: Run::Command(sorted_sets::zrandmember),
        ..SORTED_SET
    },
    Command {
        name: "zscan",
        arity: -3,
        flags: Flags::READONLY,
        keys: &[KeySpec::one(1, "RO access")],
        since: "2.8.0",
        summary: "Walks over the members in steps.",
        complexity: "O(1) a step, O(N) for all",
        syntax: "key:key cursor:integer [MATCH pattern:pattern] [COUNT count:integer]",
        tips: "nondeterministic_output",
        varies: Some(Varies::PairCursor { unless: "NOSCORES" }),
        run: Run::Command(sorted_sets::zscan),
        ..SORTED_SET
    },
    Command {
        name: "zpopmin",
        arity: -2,
        flags: Flags::WRITE.or(Flags::FAST).or(Flags::EVENTS_FIRST),
        keys: &[KeySpec::one(1, "RW access delete")],
        since: "5.0.0",
        summary: "Takes the members with the lowest scores.",
        complexity: "O(log(N)*M)",
        syntax: "key:key [count:integer]",
        run: Run::Command(sorted_sets::zpopmin),
        ..SORTED_SET
    },
    Command {
        name: "zpopmax",
        arity: -2,
        flags: Flags::WRITE.or(Flags::FAST).or(Flags::EVENTS_FIRST),
        keys: &[KeySpec::one(1, "RW access delete")],
        since: "5.0.0",
        summary: "Takes the members with the highest scores.",
        complexity: "O(log(N)*M)",
        syntax: "key:key [count:integer]",
        run: Run::Command(sorted_sets::zpopmax),
        ..SORTED_SET
    },
    Command {
        name: "zmpop",
        arity: -4,
        flags: Flags::WRITE.or(Flags::EVENTS_FIRST),
        keys: &[KeySpec::counted(1, "RW access delete")],
        since: "7.0.0",
        summary: "Takes the first or last members of the first sorted set that has any.",
        complexity: "O(K)+O(M*log(N))",
        syntax: "numkeys:integer key:key... where(MIN|MAX) [COUNT count:integer]",
        run: Run::Command(sorted_sets::zmpop),
        ..SORTED_SET
    },
    Command {
        name: "bzpopmin",
        arity: -3,
        flags: Flags::WRITE
            .or(Flags::BLOCKING)
            .or(Flags::FAST)
            .or(Flags::NOSCRIPT_IN_7_0)
            .or(Flags::EVENTS_FIRST),
        keys: &[KeySpec::range(1, -2, 1, "RW access delete")],
        since: "5.0.0",
        summary: "Takes the member with the lowest score of the first sorted set that has one, waiting if none has.",
        complexity: "O(log(N))",
        syntax: "key:key... timeout:double",
        run: Run::Command(sorted_sets::bzpopmin),
        ..SORTED_SET
    },
    Command {
        name: "bzpopmax",
        arity: -3,
        flags: Flags::WRITE
            .or(Flags::BLOCKING)
            .or(Flags::FAST)
            .or(Flags::NOSCRIPT_IN_7_0)
            .or(Flags::EVENTS_FIRST),
        keys: &[KeySpec::range(1, -2, 1, "RW access delete")],
        since: "5.0.0",
        summary: "Takes the member with the highest score of the first sorted set that has one, waiting if none has.",
        complexity: "O(log(N))",
        syntax: "key:key... timeout:double",
        run: Run::Command(sorted_sets::bzpopmax),
        ..SORTED_SET
    },
    Command {
        name: "bzmpop",
        arity: -5,
        flags: Flags::WRITE.or(Flags::BLOCKING).or(Flags::EVENTS_FIRST),
        keys: &[KeySpec::counted(2, "RW access delete")],
        since: "7.0.0",
        summary: "Takes members of the first sorted set that has any, waiting if none has.",
        complexity: "O(K)+O(M*log(N))",
        syntax: "timeout:double numkeys:integer key:key... where(MIN|MAX) [COUNT count:integer]",
        run: Run::Command(sorted_sets::bzmpop),
        ..SORTED_SET
    },
    Command {
        name: "zunion",
        arity: -3,
        flags: Flags::READONLY,
        keys: &[KeySpec::counted(1, "RO access")],
        since: "6.2.0",
        summary: "Reads the members that any of several sets has.",
        complexity: "O(N)+O(M*log(M))",
        syntax: "numkeys:integer key:key... [WEIGHTS weight:integer...] [AGGREGATE aggregate(SUM|MIN|MAX)] [WITHSCORES]",
        run: Run::Command(sorted_sets::zunion),
        ..SORTED_SET
    },
    Command {
        name: "zunionstore",
        arity: -4,
        flags: Flags::WRITE.or(Flags::DENYOOM),
        keys: &[KeySpec::one(1, "OW update"), KeySpec::counted(2, "RO access")],
        since: "2.0.0",
        summary: "Stores the members that any of several sets has.",
        complexity: "O(N)+O(M*log(M))",
        syntax: "destination:key numkeys:integer key:key#1... [WEIGHTS weight:integer...] [AGGREGATE aggregate(SUM|MIN|MAX)]",
        run: Run::Command(sorted_sets::zunionstore),
        ..SORTED_SET
    },
    Command {
        name: "zinter",
        arity: -3,
        flags: Flags::READONLY,
        keys: &[KeySpec::counted(1, "RO access")],
        since: "6.2.0",
        summary: "Reads the members that all of several sets have.",
        complexity: "O(N*K)+O(M*log(M))",
        syntax: "numkeys:integer key:key... [WEIGHTS weight:integer...] [AGGREGATE aggregate(SUM|MIN|MAX)] [WITHSCORES]",
        run: Run::Command(sorted_sets::zinter),
        ..SORTED_SET
    },
    Command {
        name: "zinterstore",
        arity: -4,
        flags: Flags::WRITE.or(Flags::DENYOOM),
        keys: &[KeySpec::one(1, "OW update"), KeySpec::counted(2, "RO access")],
        since: "2.0.0",
        summary: "Stores the members that all of several sets have.",
        complexity: "O(N*K)+O(M*log(M))",
        syntax: "destination:key numkeys:integer key:key#1... [WEIGHTS weight:integer...] [AGGREGATE aggregate(SUM|MIN|MAX)]",
        run: Run::Command(sorted_sets::zinterstore),
        ..SORTED_SET
    },
    Command {
        name: "zintercard",
        arity: -3,
        flags: Flags::READONLY,
        keys: &[KeySpec::counted(1, "RO access")],
        since: "7.0.0",
        summary: "Counts the members that all of several sets have.",
        complexity: "O(N*K)",
        syntax: "numkeys:integer key:key... [LIMIT limit:integer]",
        run: Run::Command(sorted_sets::zintercard),
        ..SORTED_SET
    },
    Command {
        name: "zdiff",
        arity: -3,
        flags: Flags::READONLY,
        keys: &[KeySpec::counted(1, "RO access")],
        since: "6.2.0",
        summary: "Reads the members of the first set that no other has.",
        complexity: "O(L+(N-K)*log(N))",
        syntax: "numkeys:integer key:key... [WITHSCORES]",
        run: Run::Command(sorted_sets::zdiff),
        ..SORTED_SET
    },
    Command {
        name: "zdiffstore",
        arity: -4,
        flags: Flags::WRITE.or(Flags::DENYOOM),
        keys: &[KeySpec::one(1, "OW update"), KeySpec::counted(2, "RO access")],
        since: "6.2.0",
        summary: "Stores the members of the first set that no other has.",
        complexity: "O(L+(N-K)*log(N))",
        syntax: "destination:key numkeys:integer key:key#1...",
        run: Run::Command(sorted_sets::zdiffstore),
        ..SORTED_SET
    },
];
