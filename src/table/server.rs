//! The server itself.

use crate::commands::help::help;
use crate::commands::{command, config, info, latency, lolwut, memory, server, slow_log};
use crate::spec::{Categories, Command, Effect, Flags, Group, KeySpec, Run, Saving, Varies};

/// What the rows have in common.
const SERVER: Command = Command { group: Group::Server, ..Command::EMPTY };

/// The rows.
pub const COMMANDS: &[Command] = &[
    super::acl::ACL,
    Command {
        name: "command",
        arity: -1,
        flags: Flags::ANYTIME,
        categories: Categories::CONNECTION,
        since: "2.8.13",
        summary: "Describes every command.",
        complexity: "O(N)",
        tips: "nondeterministic_output_order",
        run: Run::Command(command::command),
        subcommands: COMMAND_SUBCOMMANDS,
        help: &[
            "(no subcommand)",
            "    Describe every command.",
            "COUNT",
            "    Count the commands.",
            "LIST [FILTERBY (MODULE <name>|ACLCAT <category>|PATTERN <pattern>)]",
            "    Name all commands, or those that the filter lets through.",
            "INFO [<command-name> ...]",
            "    Describe the named commands; every command if none is named.",
            "DOCS [<command-name> ...]",
            "    Document the named commands; every command if none is named.",
            "GETKEYS <full-command>",
            "    Find the keys in a call.",
            "GETKEYSANDFLAGS <full-command>",
            "    Find the keys in a call and show what happens to each.",
        ],
        ..SERVER
    },
    Command {
        name: "config",
        arity: -2,
        since: "2.0.0",
        summary: "Settings and statistics of the server.",
        complexity: "that of the subcommand",
        subcommands: CONFIG_SUBCOMMANDS,
        help: &[
            "GET <pattern> [<pattern> ...]",
            "    Show the settings whose names match, and their values.",
            "SET <directive> <value> [<directive> <value> ...]",
            "    Change settings, all or none.",
            "RESETSTAT",
            "    Set the counters of INFO to 0.",
        ],
        ..SERVER
    },
    Command {
        name: "dbsize",
        arity: 1,
        flags: Flags::READONLY.or(Flags::FAST),
        categories: Categories::KEYSPACE,
        since: "1.0.0",
        summary: "Counts the keys of this database.",
        complexity: "O(1)",
        tips: "request_policy:all_shards response_policy:agg_sum",
        run: Run::Command(server::dbsize),
        ..SERVER
    },
    Command {
        name: "flushall",
        arity: -1,
        flags: Flags::WRITE,
        categories: Categories::KEYSPACE.or(Categories::DANGEROUS),
        since: "1.0.0",
        summary: "Empties every database.",
        complexity: "O(N)",
        syntax: "[flush-type(ASYNC^4.0.0|SYNC^6.2.0)]",
        tips: "request_policy:all_shards response_policy:all_succeeded",
        effect: Some(Effect::ChangesOtherDatabases),
        run: Run::Command(server::flushall),
        ..SERVER
    },
    Command {
        name: "flushdb",
        arity: -1,
        flags: Flags::WRITE,
        categories: Categories::KEYSPACE.or(Categories::DANGEROUS),
        since: "1.0.0",
        summary: "Empties this database.",
        complexity: "O(N)",
        syntax: "[flush-type(ASYNC^4.0.0|SYNC^6.2.0)]",
        tips: "request_policy:all_shards response_policy:all_succeeded",
        run: Run::Command(server::flushdb),
        ..SERVER
    },
    Command {
        name: "info",
        arity: -1,
        flags: Flags::ANYTIME,
        categories: Categories::DANGEROUS,
        since: "1.0.0",
        summary: "Reports on the server, section by section.",
        complexity: "O(1)",
        syntax: "[section...]",
        tips: "nondeterministic_output request_policy:all_shards response_policy:special",
        run: Run::Command(info::info),
        ..SERVER
    },
    Command {
        name: "debug",
        arity: -2,
        flags: Flags::ADMIN.or(Flags::NOSCRIPT).or(Flags::ANYTIME),
        since: "1.0.0",
        summary: "What tests of clients and servers need.",
        complexity: "that of the subcommand",
        for_operators: true,
        run: Run::Saving(Saving::Debug),
        help: &[
            "CHANGE-REPL-ID",
            "    Take another replication id.",
            "ERROR <string>",
            "    Answer with this error.",
            "LISTPACK <key>",
            "    Show whether <key> is kept as a listpack.",
            "LOG <message>",
            "    Accept a message for a log that there is not.",
            "OBJECT <key> [fast]",
            "    Show what is known of the value of <key>.",
            "PROTOCOL <type>",
            "    Answer with a value of this type: string, integer, double, bignum, null,",
            "    array, set, map, attrib, push, verbatim, true, false.",
            "QUICKLIST-PACKED-THRESHOLD <size>",
            "    Give list elements of <size> bytes a node of their own; 0: by the settings.",
            "RELOAD [option ...]",
            "    Save everything and load it again, as a restart does. Options: MERGE, NOFLUSH,",
            "    NOSAVE.",
            "SET-ACTIVE-EXPIRE <0|1>",
            "    Whether keys vanish by themselves when their time has come.",
            "SLEEP <seconds>",
            "    Serve no client for <seconds>. Decimals are allowed.",
        ],
        ..SERVER
    },
    Command {
        name: "lolwut",
        arity: -1,
        flags: Flags::READONLY.or(Flags::FAST),
        since: "5.0.0",
        summary: "Draws a picture and tells the version.",
        syntax: "[VERSION version:integer]",
        run: Run::Command(lolwut::lolwut),
        ..SERVER
    },
    Command {
        name: "memory",
        arity: -2,
        since: "4.0.0",
        summary: "What memory is used for.",
        complexity: "that of the subcommand",
        subcommands: MEMORY_SUBCOMMANDS,
        help: &[
            "DOCTOR",
            "    Report problems with the memory.",
            "MALLOC-STATS",
            "    Show the figures of the allocator.",
            "PURGE",
            "    Give free memory back.",
            "STATS",
            "    Show what memory is used for.",
            "USAGE <key> [SAMPLES <count>]",
            "    Show how many bytes <key> and its value take. Of a collection <count>",
            "    elements are looked at (5 if nothing is said, all with 0).",
        ],
        ..SERVER
    },
    Command {
        name: "monitor",
        arity: 1,
        flags: Flags::ADMIN.or(Flags::NOSCRIPT).or(Flags::ANYTIME).or(Flags::OF_CONNECTION),
        since: "1.0.0",
        summary: "Streams every command that the server runs to this connection.",
        varies: Some(Varies::MonitorLine),
        effect: Some(Effect::Monitors),
        run: Run::Command(server::monitor),
        ..SERVER
    },
    Command {
        name: "latency",
        arity: -2,
        since: "2.8.13",
        summary: "The events that took long.",
        complexity: "that of the subcommand",
        subcommands: LATENCY_SUBCOMMANDS,
        help: &[
            "DOCTOR",
            "    Report on the events that took long.",
            "GRAPH <event>",
            "    Draw the samples of an event.",
            "HISTOGRAM [<command> ...]",
            "    Show how often commands took at most how many microseconds.",
            "HISTORY <event>",
            "    Show the samples of an event, each with its time.",
            "LATEST",
            "    Show the newest sample of each event.",
            "RESET [<event> ...]",
            "    Forget the samples of these events; those of all if none is named.",
        ],
        ..SERVER
    },
    Command {
        name: "slowlog",
        arity: -2,
        since: "2.2.12",
        summary: "The commands that took long.",
        complexity: "that of the subcommand",
        subcommands: SLOWLOG_SUBCOMMANDS,
        help: &[
            "GET [<count>]",
            "    Show the newest commands of the log (10 if nothing is said, all with -1).",
            "    Of each: its number, when it ran, how many microseconds it took, its",
            "    arguments, the address and the name of its client.",
            "LEN",
            "    Count the commands in the log.",
            "RESET",
            "    Forget all commands in the log.",
        ],
        ..SERVER
    },
    Command {
        name: "swapdb",
        arity: 3,
        flags: Flags::WRITE.or(Flags::FAST),
        categories: Categories::KEYSPACE.or(Categories::DANGEROUS),
        since: "4.0.0",
        summary: "Exchanges the contents of two databases.",
        complexity: "O(N)",
        syntax: "index1:integer index2:integer",
        effect: Some(Effect::ChangesOtherDatabases),
        run: Run::Command(server::swapdb),
        ..SERVER
    },
    Command {
        name: "role",
        arity: 1,
        flags: Flags::NOSCRIPT.or(Flags::ANYTIME).or(Flags::FAST),
        categories: Categories::ADMIN.or(Categories::DANGEROUS),
        since: "2.8.12",
        summary: "Returns the role of the server in replication: master.",
        complexity: "O(1)",
        run: Run::Command(server::role),
        ..SERVER
    },
    Command {
        name: "save",
        arity: 1,
        flags: Flags::ADMIN.or(Flags::NOSCRIPT).or(Flags::NO_ASYNC_LOADING).or(Flags::NO_MULTI),
        since: "1.0.0",
        summary: "Saves all databases while nothing else runs.",
        complexity: "O(N)",
        run: Run::Saving(Saving::Save),
        ..SERVER
    },
    Command {
        name: "bgsave",
        arity: -1,
        flags: Flags::ADMIN.or(Flags::NOSCRIPT).or(Flags::NO_ASYNC_LOADING),
        since: "1.0.0",
        summary: "Saves all databases while other commands run.",
        complexity: "O(N)",
        syntax: "[SCHEDULE^3.2.2]",
        run: Run::Saving(Saving::Background),
        ..SERVER
    },
    Command {
        name: "lastsave",
        arity: 1,
        flags: Flags::ANYTIME.or(Flags::FAST),
        categories: Categories::ADMIN.or(Categories::DANGEROUS),
        since: "1.0.0",
        summary: "Returns the time of the last save, before the first that of the start.",
        complexity: "O(1)",
        tips: "nondeterministic_output",
        varies: Some(Varies::Time),
        run: Run::Command(server::lastsave),
        ..SERVER
    },
    Command {
        name: "time",
        arity: 1,
        flags: Flags::ANYTIME.or(Flags::FAST),
        since: "2.6.0",
        summary: "Returns the time of the server.",
        complexity: "O(1)",
        tips: "nondeterministic_output",
        varies: Some(Varies::Each(&Varies::Time)),
        run: Run::Command(server::time),
        ..SERVER
    },
];

/// The subcommands of `COMMAND`.
const COMMAND_SUBCOMMANDS: &[Command] = &[
    Command {
        name: "count",
        arity: 2,
        flags: Flags::ANYTIME,
        categories: Categories::CONNECTION,
        since: "2.8.13",
        summary: "Returns the number of commands.",
        complexity: "O(1)",
        run: Run::Command(command::count),
        ..SERVER
    },
    Command {
        name: "info",
        arity: -2,
        flags: Flags::ANYTIME,
        categories: Categories::CONNECTION,
        since: "2.8.13",
        summary: "Describes the named commands, or all.",
        complexity: "O(N)",
        syntax: "[command-name...]",
        tips: "nondeterministic_output_order",
        run: Run::Command(command::info),
        ..SERVER
    },
    Command {
        name: "docs",
        arity: -2,
        flags: Flags::ANYTIME,
        categories: Categories::CONNECTION,
        since: "7.0.0",
        summary: "Documents the named commands, or all.",
        complexity: "O(N)",
        syntax: "[command-name...]",
        tips: "nondeterministic_output_order",
        run: Run::Command(command::docs),
        ..SERVER
    },
    Command {
        name: "list",
        arity: -2,
        flags: Flags::ANYTIME,
        categories: Categories::CONNECTION,
        since: "7.0.0",
        summary: "Names the commands, all or a selection.",
        complexity: "O(N)",
        syntax: "[FILTERBY filterby(MODULE module-name|ACLCAT category|PATTERN pattern:pattern)]",
        tips: "nondeterministic_output_order",
        run: Run::Command(command::list),
        ..SERVER
    },
    Command {
        name: "getkeys",
        arity: -3,
        arity_in_7_0: -4,
        flags: Flags::ANYTIME,
        categories: Categories::CONNECTION,
        since: "2.8.13",
        summary: "Finds the keys in a call of a command.",
        complexity: "O(N)",
        syntax: "command [arg...]",
        run: Run::Command(command::getkeys),
        ..SERVER
    },
    Command {
        name: "getkeysandflags",
        arity: -3,
        arity_in_7_0: -4,
        flags: Flags::ANYTIME,
        categories: Categories::CONNECTION,
        since: "7.0.0",
        summary: "Finds the keys in a call of a command and tells what happens to them.",
        complexity: "O(N)",
        syntax: "command [arg...]",
        run: Run::Command(command::getkeysandflags),
        ..SERVER
    },
    Command {
        name: "help",
        arity: 2,
        flags: Flags::ANYTIME,
        categories: Categories::CONNECTION,
        since: "5.0.0",
        summary: "Explains the subcommands.",
        complexity: "O(1)",
        run: Run::Command(help),
        ..SERVER
    },
];

/// The settings that depend on the machine of the server.
const OF_THE_MACHINE: &[(&str, Varies)] = &[
    ("port", Varies::AllButType),
    ("bind", Varies::AllButType),
    ("dir", Varies::AllButType),
    ("unixsocket", Varies::AllButType),
    ("logfile", Varies::AllButType),
    ("pidfile", Varies::AllButType),
    ("requirepass", Varies::AllButType),
];

/// The subcommands of `CONFIG`.
const CONFIG_SUBCOMMANDS: &[Command] = &[
    Command {
        name: "get",
        arity: -3,
        flags: Flags::ADMIN.or(Flags::NOSCRIPT).or(Flags::ANYTIME),
        since: "2.0.0",
        summary: "Reads the settings whose names match.",
        complexity: "O(N+M)",
        syntax: "parameter...",
        varies: Some(Varies::Fields(OF_THE_MACHINE)),
        run: Run::Command(config::get),
        ..SERVER
    },
    Command {
        name: "set",
        arity: -4,
        flags: Flags::ADMIN.or(Flags::NOSCRIPT).or(Flags::ANYTIME),
        since: "2.0.0",
        summary: "Changes settings while the server runs.",
        complexity: "O(N)",
        syntax: "data{parameter value}...",
        tips: "request_policy:all_nodes response_policy:all_succeeded",
        run: Run::Command(config::set),
        is_secret: Some(config::is_secret_of_set),
        ..SERVER
    },
    Command {
        name: "resetstat",
        arity: 2,
        flags: Flags::ADMIN.or(Flags::NOSCRIPT).or(Flags::ANYTIME),
        since: "2.0.0",
        summary: "Starts the statistics anew.",
        complexity: "O(1)",
        tips: "request_policy:all_nodes response_policy:all_succeeded",
        run: Run::Command(config::resetstat),
        ..SERVER
    },
    Command {
        name: "help",
        arity: 2,
        flags: Flags::ANYTIME,
        since: "5.0.0",
        summary: "Explains the subcommands.",
        complexity: "O(1)",
        run: Run::Command(help),
        ..SERVER
    },
];

/// The subcommands of `MEMORY`.
/// What the subcommands of LATENCY have in common.
const LATENCY: Command = Command {
    arity: 3,
    flags: Flags::ADMIN.or(Flags::NOSCRIPT).or(Flags::ANYTIME),
    since: "2.8.13",
    complexity: "O(1)",
    tips: "nondeterministic_output request_policy:all_nodes response_policy:special",
    ..SERVER
};

const LATENCY_SUBCOMMANDS: &[Command] = &[
    Command {
        name: "doctor",
        arity: 2,
        summary: "Reports on the events that took long.",
        run: Run::Command(latency::doctor),
        ..LATENCY
    },
    Command {
        name: "graph",
        summary: "Draws the samples of an event.",
        syntax: "event",
        run: Run::Command(latency::graph),
        ..LATENCY
    },
    Command {
        name: "help",
        arity: 2,
        flags: Flags::ANYTIME,
        summary: "Explains the subcommands.",
        tips: "",
        run: Run::Command(help),
        ..LATENCY
    },
    Command {
        name: "histogram",
        arity: -2,
        since: "7.0.0",
        summary: "Returns how often commands took how long.",
        complexity: "O(N)",
        syntax: "[command...]",
        run: Run::Command(latency::histogram),
        ..LATENCY
    },
    Command {
        name: "history",
        summary: "Returns the samples of an event.",
        syntax: "event",
        run: Run::Command(latency::history),
        ..LATENCY
    },
    Command {
        name: "latest",
        arity: 2,
        summary: "Returns the newest sample of each event.",
        run: Run::Command(latency::latest),
        ..LATENCY
    },
    Command {
        name: "reset",
        arity: -2,
        summary: "Forgets the samples of events.",
        syntax: "[event...]",
        tips: "request_policy:all_nodes response_policy:agg_sum",
        run: Run::Command(latency::reset),
        ..LATENCY
    },
];

/// What the subcommands of SLOWLOG have in common.
const SLOWLOG: Command =
    Command { arity: 2, flags: Flags::ADMIN.or(Flags::ANYTIME), since: "2.2.12", ..SERVER };

const SLOWLOG_SUBCOMMANDS: &[Command] = &[
    Command {
        name: "get",
        arity: -2,
        summary: "Returns the newest commands of the log.",
        complexity: "O(N)",
        syntax: "[count:integer]",
        tips: "request_policy:all_nodes nondeterministic_output",
        run: Run::Command(slow_log::get),
        ..SLOWLOG
    },
    Command {
        name: "help",
        flags: Flags::ANYTIME,
        since: "6.2.0",
        summary: "Explains the subcommands.",
        complexity: "O(1)",
        run: Run::Command(help),
        ..SLOWLOG
    },
    Command {
        name: "len",
        summary: "Counts the commands in the log.",
        complexity: "O(1)",
        tips: "request_policy:all_nodes response_policy:agg_sum nondeterministic_output",
        run: Run::Command(slow_log::len),
        ..SLOWLOG
    },
    Command {
        name: "reset",
        summary: "Forgets all commands in the log.",
        complexity: "O(N)",
        tips: "request_policy:all_nodes response_policy:all_succeeded",
        run: Run::Command(slow_log::reset),
        ..SLOWLOG
    },
];

const MEMORY_SUBCOMMANDS: &[Command] = &[
    Command {
        name: "doctor",
        arity: 2,
        since: "4.0.0",
        summary: "Returns a report of problems with memory.",
        complexity: "O(1)",
        tips: "nondeterministic_output request_policy:all_shards response_policy:special",
        run: Run::Command(memory::doctor),
        ..SERVER
    },
    Command {
        name: "help",
        arity: 2,
        flags: Flags::ANYTIME,
        since: "4.0.0",
        summary: "Explains the subcommands.",
        complexity: "O(1)",
        run: Run::Command(help),
        ..SERVER
    },
    Command {
        name: "malloc-stats",
        arity: 2,
        since: "4.0.0",
        summary: "Shows the figures of the allocator.",
        complexity: "O(1)",
        tips: "nondeterministic_output request_policy:all_shards response_policy:special",
        run: Run::Command(memory::malloc_stats),
        ..SERVER
    },
    Command {
        name: "purge",
        arity: 2,
        since: "4.0.0",
        summary: "Gives free memory back.",
        complexity: "O(1)",
        tips: "request_policy:all_shards response_policy:all_succeeded",
        run: Run::Command(memory::purge),
        ..SERVER
    },
    Command {
        name: "stats",
        arity: 2,
        since: "4.0.0",
        summary: "Returns what memory is used for.",
        complexity: "O(N)",
        tips: "nondeterministic_output request_policy:all_shards response_policy:special",
        run: Run::Command(memory::stats),
        ..SERVER
    },
    Command {
        name: "usage",
        arity: -3,
        flags: Flags::READONLY,
        keys: &[KeySpec::one(2, "RO")],
        since: "4.0.0",
        summary: "Estimates how many bytes a key takes.",
        complexity: "O(N)",
        syntax: "key:key [SAMPLES count:integer]",
        run: Run::Command(memory::usage),
        ..SERVER
    },
];
