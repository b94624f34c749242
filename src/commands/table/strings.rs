//! Strings.

use super::{Categories, Command, Flags, Group, KeySpec, Run};
use crate::commands::strings;

/// What the rows have in common.
const STRING: Command = Command { group: Group::String, categories: Categories::STRING, ..Command::EMPTY };

/// The rows.
pub const COMMANDS: &[Command] = &[
    Command {
        name: "set",
        arity: -3,
        flags: Flags::WRITE.or(Flags::DENYOOM),
        keys: &[KeySpec::one(1, "RW access update variable_flags").note("reads the old value only with GET")],
        since: "1.0.0",
        summary: "Stores a string, whatever was there before.",
        complexity: "O(1)",
        syntax: "key:key value [condition(NX|XX)^2.6.12] [GET^6.2.0] [expiration(EX seconds:integer^2.6.12|PX milliseconds:integer^2.6.12|EXAT unix-time-seconds:unix-time^6.2.0|PXAT unix-time-milliseconds:unix-time^6.2.0|KEEPTTL^6.0.0)]",
        run: Run::Command(strings::set),
        ..STRING
    },
    Command {
        name: "get",
        arity: 2,
        flags: Flags::READONLY.or(Flags::FAST),
        keys: &[KeySpec::one(1, "RO access")],
        since: "1.0.0",
        summary: "Reads a string.",
        complexity: "O(1)",
        syntax: "key:key",
        run: Run::Command(strings::get),
        ..STRING
    },
    Command {
        name: "mget",
        arity: -2,
        flags: Flags::READONLY.or(Flags::FAST),
        keys: &[KeySpec::range(1, -1, 1, "RO access")],
        since: "1.0.0",
        summary: "Reads several strings at once.",
        complexity: "O(N)",
        syntax: "key:key...",
        tips: "request_policy:multi_shard",
        run: Run::Command(strings::mget),
        ..STRING
    },
    Command {
        name: "mset",
        arity: -3,
        flags: Flags::WRITE.or(Flags::DENYOOM),
        keys: &[KeySpec::range(1, -1, 2, "OW update")],
        since: "1.0.1",
        summary: "Stores several strings at once.",
        complexity: "O(N)",
        syntax: "data{key:key value}...",
        tips: "request_policy:multi_shard response_policy:all_succeeded",
        run: Run::Command(strings::mset),
        ..STRING
    },
    Command {
        name: "incr",
        arity: 2,
        flags: Flags::WRITE.or(Flags::DENYOOM).or(Flags::FAST),
        keys: &[KeySpec::one(1, "RW access update")],
        since: "1.0.0",
        summary: "Adds one to a number.",
        complexity: "O(1)",
        syntax: "key:key",
        run: Run::Command(strings::incr),
        ..STRING
    },
    Command {
        name: "decr",
        arity: 2,
        flags: Flags::WRITE.or(Flags::DENYOOM).or(Flags::FAST),
        keys: &[KeySpec::one(1, "RW access update")],
        since: "1.0.0",
        summary: "Takes one from a number.",
        complexity: "O(1)",
        syntax: "key:key",
        run: Run::Command(strings::decr),
        ..STRING
    },
    Command {
        name: "incrby",
        arity: 3,
        flags: Flags::WRITE.or(Flags::DENYOOM).or(Flags::FAST),
        keys: &[KeySpec::one(1, "RW access update")],
        since: "1.0.0",
        summary: "Adds to a number.",
        complexity: "O(1)",
        syntax: "key:key increment:integer",
        run: Run::Command(strings::incrby),
        ..STRING
    },
    Command {
        name: "append",
        arity: 3,
        flags: Flags::WRITE.or(Flags::DENYOOM).or(Flags::FAST),
        keys: &[KeySpec::one(1, "RW insert")],
        since: "2.0.0",
        summary: "Adds to the end of a string, creating it if need be.",
        complexity: "O(1)",
        syntax: "key:key value",
        run: Run::Command(strings::append),
        ..STRING
    },
    Command {
        name: "strlen",
        arity: 2,
        flags: Flags::READONLY.or(Flags::FAST),
        keys: &[KeySpec::one(1, "RO")],
        since: "2.2.0",
        summary: "Tells the length of a string.",
        complexity: "O(1)",
        syntax: "key:key",
        run: Run::Command(strings::strlen),
        ..STRING
    },
    Command {
        name: "getdel",
        arity: 2,
        flags: Flags::WRITE.or(Flags::FAST),
        keys: &[KeySpec::one(1, "RW access delete")],
        since: "6.2.0",
        summary: "Reads a string and removes its key.",
        complexity: "O(1)",
        syntax: "key:key",
        run: Run::Command(strings::getdel),
        ..STRING
    },
    Command {
        name: "getex",
        arity: -2,
        flags: Flags::WRITE.or(Flags::FAST),
        keys: &[KeySpec::one(1, "RW access update").note("writes only the time of expiry")],
        since: "6.2.0",
        summary: "Reads a string and changes when it expires.",
        complexity: "O(1)",
        syntax: "key:key [expiration(EX seconds:integer|PX milliseconds:integer|EXAT unix-time-seconds:unix-time|PXAT unix-time-milliseconds:unix-time|PERSIST)]",
        run: Run::Command(strings::getex),
        ..STRING
    },
];
