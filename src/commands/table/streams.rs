//! Streams.

use super::{Categories, Command, Flags, Group, KeySpec, Run};
use crate::commands::streams;

/// What the rows have in common.
const STREAM: Command = Command { group: Group::Stream, categories: Categories::STREAM, ..Command::EMPTY };

/// The rows.
pub const COMMANDS: &[Command] = &[
    Command {
        name: "xadd",
        arity: -5,
        flags: Flags::WRITE.or(Flags::DENYOOM).or(Flags::FAST),
        keys: &[KeySpec::one(1, "RW update").note("trimming removes entries, too")],
        since: "5.0.0",
        summary: "Appends an entry, creating the stream if need be.",
        complexity: "O(1), O(N) when trimming",
        syntax: "key:key [NOMKSTREAM^6.2.0] [trim{strategy(MAXLEN|MINID^6.2.0) [operator(equal:'='|approximately:'~')] threshold [LIMIT count:integer^6.2.0]}] id-selector(auto-id:'*'|id) data{field value}...",
        tips: "nondeterministic_output",
        run: Run::Command(streams::xadd),
        ..STREAM
    },
    Command {
        name: "xread",
        arity: -4,
        flags: Flags::READONLY.or(Flags::BLOCKING),
        keys: &[KeySpec::first_half_after("STREAMS", "RO access")],
        since: "5.0.0",
        summary: "Reads entries newer than the given ids from several streams, waiting for them if asked to.",
        syntax: "[COUNT count:integer] [BLOCK milliseconds:integer] STREAMS streams{key:key... id...}",
        run: Run::Command(streams::xread),
        ..STREAM
    },
    Command {
        name: "xrange",
        arity: -4,
        flags: Flags::READONLY,
        keys: &[KeySpec::one(1, "RO access")],
        since: "5.0.0",
        summary: "Reads the entries between two ids, oldest first.",
        complexity: "O(N)",
        syntax: "key:key start end [COUNT count:integer]",
        run: Run::Command(streams::xrange),
        ..STREAM
    },
    Command {
        name: "xrevrange",
        arity: -4,
        flags: Flags::READONLY,
        keys: &[KeySpec::one(1, "RO access")],
        since: "5.0.0",
        summary: "Reads the entries between two ids, newest first.",
        complexity: "O(N)",
        syntax: "key:key end start [COUNT count:integer]",
        run: Run::Command(streams::xrevrange),
        ..STREAM
    },
    Command {
        name: "xlen",
        arity: 2,
        flags: Flags::READONLY.or(Flags::FAST),
        keys: &[KeySpec::one(1, "RO")],
        since: "5.0.0",
        summary: "Counts the entries of a stream.",
        complexity: "O(1)",
        syntax: "key:key",
        run: Run::Command(streams::xlen),
        ..STREAM
    },
    Command {
        name: "xdel",
        arity: -3,
        flags: Flags::WRITE.or(Flags::FAST),
        keys: &[KeySpec::one(1, "RW delete")],
        since: "5.0.0",
        summary: "Removes entries by id.",
        complexity: "O(N)",
        syntax: "key:key id...",
        run: Run::Command(streams::xdel),
        ..STREAM
    },
    Command {
        name: "xtrim",
        arity: -4,
        flags: Flags::WRITE,
        keys: &[KeySpec::one(1, "RW delete")],
        since: "5.0.0",
        summary: "Removes the oldest entries.",
        complexity: "O(N)",
        syntax: "key:key trim{strategy(MAXLEN|MINID^6.2.0) [operator(equal:'='|approximately:'~')] threshold [LIMIT count:integer^6.2.0]}",
        tips: "nondeterministic_output",
        run: Run::Command(streams::xtrim),
        ..STREAM
    },
];
