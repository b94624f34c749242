//! Sets.

use crate::commands::sets;
use crate::spec::{Categories, Command, Flags, Group, KeySpec, Run, Varies};

/// What the rows have in common.
const SET: Command = Command { group: Group::Set, categories: Categories::SET, ..Command::EMPTY };

/// The rows.
pub const COMMANDS: &[Command] = &[
    Command {
        name: "sadd",
        arity: -3,
        flags: Flags::WRITE.or(Flags::DENYOOM).or(Flags::FAST),
        keys: &[KeySpec::one(1, "RW insert")],
        since: "1.0.0",
        summary: "Adds members, creating the set if need be.",
        complexity: "O(N)",
        syntax: "key:key member...",
        run: Run::Command(sets::sadd),
        ..SET
    },
    Command {
        name: "srem",
        arity: -3,
        flags: Flags::WRITE.or(Flags::FAST),
        keys: &[KeySpec::one(1, "RW delete")],
        since: "1.0.0",
        summary: "Removes members.",
        complexity: "O(N)",
        syntax: "key:key member...",
        run: Run::Command(sets::srem),
        ..SET
    },
    Command {
        name: "sismember",
        arity: 3,
        flags: Flags::READONLY.or(Flags::FAST),
        keys: &[KeySpec::one(1, "RO")],
        since: "1.0.0",
        summary: "Returns whether a member is in a set.",
        complexity: "O(1)",
        syntax: "key:key member",
        run: Run::Command(sets::sismember),
        ..SET
    },
    Command {
        name: "smismember",
        arity: -3,
        flags: Flags::READONLY.or(Flags::FAST),
        keys: &[KeySpec::one(1, "RO access")],
        since: "6.2.0",
        summary: "Returns for each of several members whether it is in a set.",
        complexity: "O(N)",
        syntax: "key:key member...",
        run: Run::Command(sets::smismember),
        ..SET
    },
    Command {
        name: "smembers",
        arity: 2,
        flags: Flags::READONLY,
        keys: &[KeySpec::one(1, "RO access")],
        since: "1.0.0",
        summary: "Reads the whole set.",
        complexity: "O(N)",
        syntax: "key:key",
        tips: "nondeterministic_output_order",
        run: Run::Command(sets::smembers),
        ..SET
    },
    Command {
        name: "scard",
        arity: 2,
        flags: Flags::READONLY.or(Flags::FAST),
        keys: &[KeySpec::one(1, "RO")],
        since: "1.0.0",
        summary: "Counts the members of a set.",
        complexity: "O(1)",
        syntax: "key:key",
        run: Run::Command(sets::scard),
        ..SET
    },
    Command {
        name: "spop",
        arity: -2,
        flags: Flags::WRITE.or(Flags::FAST).or(Flags::EVENTS_FIRST),
        keys: &[KeySpec::one(1, "RW access delete")],
        since: "1.0.0",
        summary: "Takes out members at random.",
        complexity: "O(N), N being the count",
        syntax: "key:key [count:integer^3.2.0]",
        tips: "nondeterministic_output",
        run: Run::Command(sets::spop),
        ..SET
    },
    Command {
        name: "srandmember",
        arity: -2,
        flags: Flags::READONLY,
        keys: &[KeySpec::one(1, "RO access")],
        since: "1.0.0",
        summary: "Reads members at random.",
        complexity: "O(N), N being the count",
        syntax: "key:key [count:integer^2.6.0]",
        tips: "nondeterministic_output",
        run: Run::Command(sets::srandmember),
        ..SET
    },
    Command {
        name: "smove",
        arity: 4,
        flags: Flags::WRITE.or(Flags::FAST).or(Flags::EVENTS_FIRST),
        keys: &[KeySpec::one(1, "RW access delete"), KeySpec::one(2, "RW insert")],
        since: "1.0.0",
        summary: "Takes a member out of one set and adds it to another.",
        complexity: "O(1)",
        syntax: "source:key destination:key#1 member",
        run: Run::Command(sets::smove),
        ..SET
    },
    Command {
        name: "sinter",
        arity: -2,
        flags: Flags::READONLY,
        keys: &[KeySpec::range(1, -1, 1, "RO access")],
        since: "1.0.0",
        summary: "Reads what is in all of several sets.",
        complexity: "O(N*M), N being the length of the smallest set and M the number of sets",
        syntax: "key:key...",
        tips: "nondeterministic_output_order",
        run: Run::Command(sets::sinter),
        ..SET
    },
    Command {
        name: "sinterstore",
        arity: -3,
        flags: Flags::WRITE.or(Flags::DENYOOM),
        keys: &[KeySpec::one(1, "OW update"), KeySpec::range(2, -1, 1, "RO access")],
        since: "1.0.0",
        summary: "Stores what is in all of several sets.",
        complexity: "O(N*M), N being the length of the smallest set and M the number of sets",
        syntax: "destination:key key:key#1...",
        run: Run::Command(sets::sinterstore),
        ..SET
    },
    Command {
        name: "sunion",
        arity: -2,
        flags: Flags::READONLY,
        keys: &[KeySpec::range(1, -1, 1, "RO access")],
        since: "1.0.0",
        summary: "Reads what is in any of several sets.",
        complexity: "O(N)",
        syntax: "key:key...",
        tips: "nondeterministic_output_order",
        run: Run::Command(sets::sunion),
        ..SET
    },
    Command {
        name: "sunionstore",
        arity: -3,
        flags: Flags::WRITE.or(Flags::DENYOOM),
        keys: &[KeySpec::one(1, "OW update"), KeySpec::range(2, -1, 1, "RO access")],
        since: "1.0.0",
        summary: "Stores what is in any of several sets.",
        complexity: "O(N)",
        syntax: "destination:key key:key#1...",
        run: Run::Command(sets::sunionstore),
        ..SET
    },
    Command {
        name: "sdiff",
        arity: -2,
        flags: Flags::READONLY,
        keys: &[KeySpec::range(1, -1, 1, "RO access")],
        since: "1.0.0",
        summary: "Reads what is in the first set but not in the others.",
        complexity: "O(N)",
        syntax: "key:key...",
        tips: "nondeterministic_output_order",
        run: Run::Command(sets::sdiff),
        ..SET
    },
    Command {
        name: "sdiffstore",
        arity: -3,
        flags: Flags::WRITE.or(Flags::DENYOOM),
        keys: &[KeySpec::one(1, "OW update"), KeySpec::range(2, -1, 1, "RO access")],
        since: "1.0.0",
        summary: "Stores what is in the first set but not in the others.",
        complexity: "O(N)",
        syntax: "destination:key key:key#1...",
        run: Run::Command(sets::sdiffstore),
        ..SET
    },
    Command {
        name: "sintercard",
        arity: -3,
        flags: Flags::READONLY,
        keys: &[KeySpec::counted(1, "RO access")],
        since: "7.0.0",
        summary: "Counts what is in all of several sets.",
        complexity: "O(N*M), N being the length of the smallest set and M the number of sets",
        syntax: "numkeys:integer key:key... [LIMIT limit:integer]",
        run: Run::Command(sets::sintercard),
        ..SET
    },
    Command {
        name: "sscan",
        arity: -3,
        flags: Flags::READONLY,
        keys: &[KeySpec::one(1, "RO access")],
        since: "2.8.0",
        summary: "Walks through a set in portions.",
        complexity: "O(1) for each call",
        syntax: "key:key cursor:integer [MATCH pattern:pattern] [COUNT count:integer]",
        tips: "nondeterministic_output",
        varies: Some(Varies::Cursor),
        run: Run::Command(sets::sscan),
        ..SET
    },
];
