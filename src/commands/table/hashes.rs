//! Hashes.

use super::{Categories, Command, Flags, Group, KeySpec, Run};
use crate::commands::hashes;

/// What the rows have in common.
const HASH: Command = Command { group: Group::Hash, categories: Categories::HASH, ..Command::EMPTY };

/// The rows.
pub const COMMANDS: &[Command] = &[
    Command {
        name: "hset",
        arity: -4,
        flags: Flags::WRITE.or(Flags::DENYOOM).or(Flags::FAST),
        keys: &[KeySpec::one(1, "RW update")],
        since: "2.0.0",
        summary: "Sets fields of a hash, creating it if need be.",
        complexity: "O(N)",
        syntax: "key:key data{field value}...",
        run: Run::Command(hashes::hset),
        ..HASH
    },
    Command {
        name: "hget",
        arity: 3,
        flags: Flags::READONLY.or(Flags::FAST),
        keys: &[KeySpec::one(1, "RO access")],
        since: "2.0.0",
        summary: "Reads a field.",
        complexity: "O(1)",
        syntax: "key:key field",
        run: Run::Command(hashes::hget),
        ..HASH
    },
    Command {
        name: "hgetall",
        arity: 2,
        flags: Flags::READONLY,
        keys: &[KeySpec::one(1, "RO access")],
        since: "2.0.0",
        summary: "Reads all fields with their values.",
        complexity: "O(N)",
        syntax: "key:key",
        tips: "nondeterministic_output_order",
        run: Run::Command(hashes::hgetall),
        ..HASH
    },
    Command {
        name: "hdel",
        arity: -3,
        flags: Flags::WRITE.or(Flags::FAST),
        keys: &[KeySpec::one(1, "RW delete")],
        since: "2.0.0",
        summary: "Removes fields, and the hash with its last one.",
        complexity: "O(N)",
        syntax: "key:key field...",
        run: Run::Command(hashes::hdel),
        ..HASH
    },
    Command {
        name: "hmget",
        arity: -3,
        flags: Flags::READONLY.or(Flags::FAST),
        keys: &[KeySpec::one(1, "RO access")],
        since: "2.0.0",
        summary: "Reads several fields.",
        complexity: "O(N)",
        syntax: "key:key field...",
        run: Run::Command(hashes::hmget),
        ..HASH
    },
];
