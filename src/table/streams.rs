//! Streams.

use crate::commands::help::help;
use crate::commands::streams;
use crate::spec::{Begin, Categories, Command, Flags, Group, KeySpec, Run, Varies};

/// What the rows have in common.
const STREAM: Command = Command { group: Group::Stream, categories: Categories::STREAM, ..Command::EMPTY };

/// The rows.
pub const COMMANDS: &[Command] = &[
    Command {
        name: "xadd",
        arity: -5,
        flags: Flags::WRITE.or(Flags::DENYOOM).or(Flags::FAST).or(Flags::EVENTS_FIRST_SINCE_7_2),
        keys: &[KeySpec::one(1, "RW update").note("trimming removes entries, too")],
        since: "5.0.0",
        summary: "Appends an entry, creating the stream if need be.",
        complexity: "O(1), O(N) when trimming",
        syntax: "key:key [NOMKSTREAM^6.2.0] [condition(KEEPREF|DELREF|ACKED)~8.2.0] [trim{strategy(MAXLEN|MINID^6.2.0) [operator(equal:'='|approximately:'~')] threshold [LIMIT count:integer^6.2.0]}] id-selector(auto-id:'*'|id) data{field value}...",
        tips: "nondeterministic_output",
        varies: Some(Varies::EntryId),
        run: Run::Command(streams::xadd),
        ..STREAM
    },
    Command {
        name: "xread",
        arity: -4,
        flags: Flags::READONLY.or(Flags::BLOCKING),
        keys: &[KeySpec::first_half_after("STREAMS", "RO access")],
        find_tracked: Some(streams::xread_keys),
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
        name: "xdelex",
        arity: -5,
        flags: Flags::WRITE.or(Flags::FAST),
        keys: &[KeySpec::one(1, "RW delete")],
        since: "8.2.0",
        summary: "Removes entries by id, depending on the groups that have them pending or have still to read them.",
        complexity: "O(G log N) per id for G groups",
        syntax: "key:key [condition(KEEPREF|DELREF|ACKED)] IDS ids{numids:integer id...}",
        run: Run::Command(streams::xdelex),
        ..STREAM
    },
    Command {
        name: "xtrim",
        arity: -4,
        flags: Flags::WRITE.or(Flags::EVENTS_FIRST),
        keys: &[KeySpec::one(1, "RW delete")],
        since: "5.0.0",
        summary: "Removes the oldest entries.",
        complexity: "O(N)",
        syntax: "key:key trim{strategy(MAXLEN|MINID^6.2.0) [operator(equal:'='|approximately:'~')] threshold [LIMIT count:integer^6.2.0] [condition(KEEPREF|DELREF|ACKED)~8.2.0]}",
        tips: "nondeterministic_output",
        varies: Some(Varies::Nothing),
        run: Run::Command(streams::xtrim),
        ..STREAM
    },
    Command {
        name: "xsetid",
        arity: -3,
        flags: Flags::WRITE.or(Flags::DENYOOM).or(Flags::FAST),
        keys: &[KeySpec::one(1, "RW update")],
        since: "5.0.0",
        summary: "Sets the last id and the counters of a stream.",
        complexity: "O(1)",
        syntax: "key:key last-id [ENTRIESADDED entries-added:integer^7.0.0] [MAXDELETEDID max-deleted-id^7.0.0]",
        run: Run::Command(streams::xsetid),
        ..STREAM
    },
    Command {
        name: "xreadgroup",
        arity: -7,
        flags: Flags::WRITE.or(Flags::BLOCKING),
        keys: &[KeySpec {
            begin: Begin::Keyword("STREAMS", 4),
            ..KeySpec::first_half_after("STREAMS", "RO access")
        }],
        since: "5.0.0",
        summary: "Reads new entries for a consumer of a group, waiting for them if asked to, or what the consumer has not acknowledged.",
        complexity: "O(M)",
        syntax: "GROUP group-block{group consumer} [COUNT count:integer] [BLOCK milliseconds:integer] [NOACK] STREAMS streams{key:key... id...}",
        run: Run::Command(streams::xreadgroup),
        ..STREAM
    },
    Command {
        name: "xack",
        arity: -4,
        flags: Flags::WRITE.or(Flags::FAST),
        keys: &[KeySpec::one(1, "RW update")],
        since: "5.0.0",
        summary: "Acknowledges entries: a group need not keep them as pending any more.",
        complexity: "O(log N) per id",
        syntax: "key:key group id...",
        run: Run::Command(streams::xack),
        ..STREAM
    },
    Command {
        name: "xackdel",
        arity: -6,
        flags: Flags::WRITE.or(Flags::FAST),
        keys: &[KeySpec::one(1, "RW update delete")],
        since: "8.2.0",
        summary: "Acknowledges entries and removes them.",
        complexity: "O(G log N) per id for G groups",
        syntax: "key:key group [condition(KEEPREF|DELREF|ACKED)] IDS ids{numids:integer id...}",
        run: Run::Command(streams::xackdel),
        ..STREAM
    },
    Command {
        name: "xpending",
        arity: -3,
        flags: Flags::READONLY,
        keys: &[KeySpec::one(1, "RO access")],
        since: "5.0.0",
        summary: "Returns the pending entries of a group.",
        complexity: "O(log N + M)",
        syntax: "key:key group [filters{[IDLE min-idle-time:integer^6.2.0] start end count:integer [consumer]}]",
        tips: "nondeterministic_output",
        varies: Some(Varies::Each(&Varies::At(2, &Varies::Time))),
        run: Run::Command(streams::xpending),
        ..STREAM
    },
    Command {
        name: "xclaim",
        arity: -6,
        flags: Flags::WRITE.or(Flags::FAST),
        keys: &[KeySpec::one(1, "RW update")],
        since: "5.0.0",
        summary: "Makes a consumer the owner of pending entries.",
        complexity: "O(log N) per id",
        syntax: "key:key group consumer min-idle-time id... [IDLE ms:integer] [TIME unix-time-milliseconds:unix-time] [RETRYCOUNT count:integer] [FORCE] [JUSTID] [LASTID lastid]",
        tips: "nondeterministic_output",
        varies: Some(Varies::Nothing),
        run: Run::Command(streams::xclaim),
        ..STREAM
    },
    Command {
        name: "xautoclaim",
        arity: -6,
        flags: Flags::WRITE.or(Flags::FAST),
        keys: &[KeySpec::one(1, "RW delete")],
        since: "6.2.0",
        summary: "Makes a consumer the owner of entries that have been pending for too long.",
        complexity: "O(1) if COUNT is small",
        syntax: "key:key group consumer min-idle-time start [COUNT count:integer] [JUSTID]",
        tips: "nondeterministic_output",
        varies: Some(Varies::Nothing),
        run: Run::Command(streams::xautoclaim),
        ..STREAM
    },
    Command {
        name: "xgroup",
        arity: -2,
        categories: Categories::NONE,
        since: "5.0.0",
        summary: "Everything about consumer groups.",
        complexity: "that of the subcommand",
        subcommands: XGROUP_SUBCOMMANDS,
        help: &[
            "CREATE <key> <groupname> <id|$> [option]",
            "    Create a new consumer group. Options are:",
            "    * MKSTREAM",
            "      Create the empty stream if it does not exist.",
            "    * ENTRIESREAD entries_read",
            "      Set the group's entries_read counter (internal use).",
            "CREATECONSUMER <key> <groupname> <consumer>",
            "    Create a new consumer in the specified group.",
            "DELCONSUMER <key> <groupname> <consumer>",
            "    Remove the specified consumer.",
            "DESTROY <key> <groupname>",
            "    Remove the specified group.",
            "SETID <key> <groupname> <id|$> [ENTRIESREAD entries_read]",
            "    Set the current group ID and entries_read counter.",
        ],
        ..STREAM
    },
    Command {
        name: "xinfo",
        arity: -2,
        categories: Categories::NONE,
        since: "5.0.0",
        summary: "Returns information about streams, groups and consumers.",
        complexity: "that of the subcommand",
        subcommands: XINFO_SUBCOMMANDS,
        help: &[
            "CONSUMERS <key> <groupname>",
            "    Show consumers of <groupname>.",
            "GROUPS <key>",
            "    Show the stream consumer groups.",
            "STREAM <key> [FULL [COUNT <count>]",
            "    Show information about the stream.",
        ],
        ..STREAM
    },
];

/// The subcommands of `XGROUP`.
const XGROUP_SUBCOMMANDS: &[Command] = &[
    Command {
        name: "create",
        arity: -5,
        flags: Flags::WRITE.or(Flags::DENYOOM),
        keys: &[KeySpec::one(2, "RW insert")],
        since: "5.0.0",
        summary: "Makes a group.",
        complexity: "O(1)",
        syntax: "key:key group id-selector(id|new-id:'$') [MKSTREAM] [ENTRIESREAD entriesread\"entries-read\":integer]",
        run: Run::Command(streams::create),
        ..STREAM
    },
    Command {
        name: "createconsumer",
        arity: 5,
        flags: Flags::WRITE.or(Flags::DENYOOM),
        keys: &[KeySpec::one(2, "RW insert")],
        since: "6.2.0",
        summary: "Adds a consumer to a group.",
        complexity: "O(1)",
        syntax: "key:key group consumer",
        run: Run::Command(streams::create_consumer),
        ..STREAM
    },
    Command {
        name: "delconsumer",
        arity: 5,
        flags: Flags::WRITE,
        keys: &[KeySpec::one(2, "RW delete")],
        since: "5.0.0",
        summary: "Removes a consumer from a group, with all that was delivered to it.",
        complexity: "O(N) for N pending entries",
        syntax: "key:key group consumer",
        run: Run::Command(streams::delete_consumer),
        ..STREAM
    },
    Command {
        name: "destroy",
        arity: 4,
        flags: Flags::WRITE,
        keys: &[KeySpec::one(2, "RW delete")],
        since: "5.0.0",
        summary: "Removes a group.",
        complexity: "O(N) for N pending entries",
        syntax: "key:key group",
        run: Run::Command(streams::destroy),
        ..STREAM
    },
    Command {
        name: "help",
        arity: 2,
        flags: Flags::ANYTIME,
        since: "5.0.0",
        summary: "Lists the subcommands.",
        complexity: "O(1)",
        run: Run::Command(help),
        ..STREAM
    },
    Command {
        name: "setid",
        arity: -5,
        flags: Flags::WRITE,
        keys: &[KeySpec::one(2, "RW update")],
        since: "5.0.0",
        summary: "Sets behind which entry a group reads on.",
        complexity: "O(1)",
        syntax: "key:key group id-selector(id|new-id:'$') [ENTRIESREAD entriesread\"entries-read\":integer]",
        run: Run::Command(streams::set_group_id),
        ..STREAM
    },
];

/// The idle and inactive times of a consumer. -1 stands for never.
const IDLE_TIMES: &[(&str, Varies)] = &[
    ("idle", Varies::Time),
    ("inactive", Varies::Number),
    ("seen-time", Varies::Time),
    ("active-time", Varies::Number),
];

/// The subcommands of `XINFO`.
const XINFO_SUBCOMMANDS: &[Command] = &[
    Command {
        name: "consumers",
        arity: 4,
        flags: Flags::READONLY,
        keys: &[KeySpec::one(2, "RO access")],
        since: "5.0.0",
        summary: "Returns information about the consumers of a group.",
        complexity: "O(N) for N consumers",
        syntax: "key:key group",
        tips: "nondeterministic_output",
        varies: Some(Varies::Fields(IDLE_TIMES)),
        run: Run::Command(streams::consumers),
        ..STREAM
    },
    Command {
        name: "groups",
        arity: 3,
        flags: Flags::READONLY,
        keys: &[KeySpec::one(2, "RO access")],
        since: "5.0.0",
        summary: "Returns information about the groups of a stream.",
        complexity: "O(N) for N groups",
        syntax: "key:key",
        varies: Some(Varies::Fields(IDLE_TIMES)),
        run: Run::Command(streams::groups),
        ..STREAM
    },
    Command {
        name: "help",
        arity: 2,
        flags: Flags::ANYTIME,
        since: "5.0.0",
        summary: "Lists the subcommands.",
        complexity: "O(1)",
        run: Run::Command(help),
        ..STREAM
    },
    Command {
        name: "stream",
        arity: -3,
        flags: Flags::READONLY,
        keys: &[KeySpec::one(2, "RO access")],
        since: "5.0.0",
        summary: "Returns information about a stream, with FULL also about its groups and entries.",
        complexity: "O(1), with FULL O(N) for N entries shown",
        syntax: "key:key [full-block{full:FULL [COUNT count:integer]}]",
        varies: Some(Varies::Fields(IDLE_TIMES)),
        run: Run::Command(streams::stream),
        ..STREAM
    },
];
