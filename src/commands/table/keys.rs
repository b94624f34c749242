//! Keys, whatever they hold.

use super::{Categories, Command, Flags, Group, KeySpec, Run};
use crate::commands::keys;

/// What the rows have in common.
const KEYSPACE: Command =
    Command { group: Group::Generic, categories: Categories::KEYSPACE, ..Command::EMPTY };

/// The rows.
pub const COMMANDS: &[Command] = &[
    Command {
        name: "del",
        arity: -2,
        flags: Flags::WRITE,
        keys: &[KeySpec::range(1, -1, 1, "RM delete")],
        since: "1.0.0",
        summary: "Removes keys.",
        complexity: "O(N)",
        syntax: "key:key...",
        tips: "request_policy:multi_shard response_policy:agg_sum",
        run: Run::Command(keys::del),
        ..KEYSPACE
    },
    Command {
        name: "unlink",
        arity: -2,
        flags: Flags::WRITE.or(Flags::FAST),
        keys: &[KeySpec::range(1, -1, 1, "RM delete")],
        since: "4.0.0",
        summary: "Removes keys and frees their memory later.",
        complexity: "O(1) for each key",
        syntax: "key:key...",
        tips: "request_policy:multi_shard response_policy:agg_sum",
        run: Run::Command(keys::unlink),
        ..KEYSPACE
    },
    Command {
        name: "exists",
        arity: -2,
        flags: Flags::READONLY.or(Flags::FAST),
        keys: &[KeySpec::range(1, -1, 1, "RO")],
        since: "1.0.0",
        summary: "Counts how many of the keys exist.",
        complexity: "O(N)",
        syntax: "key:key...",
        tips: "request_policy:multi_shard response_policy:agg_sum",
        run: Run::Command(keys::exists),
        ..KEYSPACE
    },
    Command {
        name: "type",
        arity: 2,
        flags: Flags::READONLY.or(Flags::FAST),
        keys: &[KeySpec::one(1, "RO")],
        since: "1.0.0",
        summary: "Tells what kind of value a key holds.",
        complexity: "O(1)",
        syntax: "key:key",
        run: Run::Command(keys::type_),
        ..KEYSPACE
    },
    Command {
        name: "expire",
        arity: -3,
        flags: Flags::WRITE.or(Flags::FAST),
        keys: &[KeySpec::one(1, "RW update")],
        since: "1.0.0",
        summary: "Lets a key expire after some seconds.",
        complexity: "O(1)",
        syntax: "key:key seconds:integer [condition(NX|XX|GT|LT)^7.0.0]",
        run: Run::Command(keys::expire),
        ..KEYSPACE
    },
    Command {
        name: "pexpire",
        arity: -3,
        flags: Flags::WRITE.or(Flags::FAST),
        keys: &[KeySpec::one(1, "RW update")],
        since: "2.6.0",
        summary: "Lets a key expire after some milliseconds.",
        complexity: "O(1)",
        syntax: "key:key milliseconds:integer [condition(NX|XX|GT|LT)^7.0.0]",
        run: Run::Command(keys::pexpire),
        ..KEYSPACE
    },
    Command {
        name: "expireat",
        arity: -3,
        flags: Flags::WRITE.or(Flags::FAST),
        keys: &[KeySpec::one(1, "RW update")],
        since: "1.2.0",
        summary: "Lets a key expire at a time given in seconds.",
        complexity: "O(1)",
        syntax: "key:key unix-time-seconds:unix-time [condition(NX|XX|GT|LT)^7.0.0]",
        run: Run::Command(keys::expireat),
        ..KEYSPACE
    },
    Command {
        name: "pexpireat",
        arity: -3,
        flags: Flags::WRITE.or(Flags::FAST),
        keys: &[KeySpec::one(1, "RW update")],
        since: "2.6.0",
        summary: "Lets a key expire at a time given in milliseconds.",
        complexity: "O(1)",
        syntax: "key:key unix-time-milliseconds:unix-time [condition(NX|XX|GT|LT)^7.0.0]",
        run: Run::Command(keys::pexpireat),
        ..KEYSPACE
    },
    Command {
        name: "expiretime",
        arity: 2,
        flags: Flags::READONLY.or(Flags::FAST),
        keys: &[KeySpec::one(1, "RO access")],
        since: "7.0.0",
        summary: "Tells in seconds when a key will expire.",
        complexity: "O(1)",
        syntax: "key:key",
        run: Run::Command(keys::expiretime),
        ..KEYSPACE
    },
    Command {
        name: "pexpiretime",
        arity: 2,
        flags: Flags::READONLY.or(Flags::FAST),
        keys: &[KeySpec::one(1, "RO access")],
        since: "7.0.0",
        summary: "Tells in milliseconds when a key will expire.",
        complexity: "O(1)",
        syntax: "key:key",
        run: Run::Command(keys::pexpiretime),
        ..KEYSPACE
    },
    Command {
        name: "ttl",
        arity: 2,
        flags: Flags::READONLY.or(Flags::FAST),
        keys: &[KeySpec::one(1, "RO access")],
        since: "1.0.0",
        summary: "Tells how many seconds a key has left.",
        complexity: "O(1)",
        syntax: "key:key",
        tips: "nondeterministic_output",
        run: Run::Command(keys::ttl),
        ..KEYSPACE
    },
    Command {
        name: "pttl",
        arity: 2,
        flags: Flags::READONLY.or(Flags::FAST),
        keys: &[KeySpec::one(1, "RO access")],
        since: "2.6.0",
        summary: "Tells how many milliseconds a key has left.",
        complexity: "O(1)",
        syntax: "key:key",
        tips: "nondeterministic_output",
        run: Run::Command(keys::pttl),
        ..KEYSPACE
    },
    Command {
        name: "persist",
        arity: 2,
        flags: Flags::WRITE.or(Flags::FAST),
        keys: &[KeySpec::one(1, "RW update")],
        since: "2.2.0",
        summary: "Keeps a key from expiring.",
        complexity: "O(1)",
        syntax: "key:key",
        run: Run::Command(keys::persist),
        ..KEYSPACE
    },
    Command {
        name: "keys",
        arity: 2,
        flags: Flags::READONLY,
        categories: Categories::KEYSPACE.or(Categories::DANGEROUS),
        since: "1.0.0",
        summary: "Names all keys that match a pattern.",
        complexity: "O(N)",
        syntax: "pattern:pattern",
        tips: "request_policy:all_shards nondeterministic_output_order",
        run: Run::Command(keys::keys),
        ..KEYSPACE
    },
    Command {
        name: "scan",
        arity: -2,
        flags: Flags::READONLY,
        since: "2.8.0",
        summary: "Walks through the keys in portions.",
        complexity: "O(1) for each call",
        syntax: "cursor:integer [MATCH pattern:pattern] [COUNT count:integer] [TYPE type^6.0.0]",
        tips: "nondeterministic_output request_policy:special response_policy:special",
        run: Run::Command(keys::scan),
        ..KEYSPACE
    },
    Command {
        name: "rename",
        arity: 3,
        flags: Flags::WRITE,
        keys: &[KeySpec::one(1, "RW access delete"), KeySpec::one(2, "OW update")],
        since: "1.0.0",
        summary: "Gives a key another name, replacing what had it.",
        complexity: "O(1)",
        syntax: "key:key newkey:key#1",
        run: Run::Command(keys::rename),
        ..KEYSPACE
    },
    Command {
        name: "renamenx",
        arity: 3,
        flags: Flags::WRITE.or(Flags::FAST),
        keys: &[KeySpec::one(1, "RW access delete"), KeySpec::one(2, "OW insert")],
        since: "1.0.0",
        summary: "Gives a key another name if that is free.",
        complexity: "O(1)",
        syntax: "key:key newkey:key#1",
        run: Run::Command(keys::renamenx),
        ..KEYSPACE
    },
];
