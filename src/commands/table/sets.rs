//! Sets.

use super::{Categories, Command, Flags, Group, KeySpec, Run};
use crate::commands::sets;

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
        summary: "Tells whether something is in the set.",
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
        summary: "Tells of each of several things whether it is in the set.",
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
];
