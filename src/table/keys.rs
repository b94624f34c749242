//! Keys with values of any type.

use crate::commands::help::help;
use crate::commands::{keys, object, replication, sort};
use crate::spec::{Categories, Command, Effect, Flags, Group, KeySpec, Run, Varies};

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
        summary: "Returns the type of the value of a key.",
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
        summary: "Returns the time at which a key expires, in seconds since the Unix epoch.",
        complexity: "O(1)",
        syntax: "key:key",
        varies: Some(Varies::Expiry),
        run: Run::Command(keys::expiretime),
        ..KEYSPACE
    },
    Command {
        name: "pexpiretime",
        arity: 2,
        flags: Flags::READONLY.or(Flags::FAST),
        keys: &[KeySpec::one(1, "RO access")],
        since: "7.0.0",
        summary: "Returns the time at which a key expires, in milliseconds since the Unix epoch.",
        complexity: "O(1)",
        syntax: "key:key",
        varies: Some(Varies::Expiry),
        run: Run::Command(keys::pexpiretime),
        ..KEYSPACE
    },
    Command {
        name: "ttl",
        arity: 2,
        flags: Flags::READONLY.or(Flags::FAST),
        keys: &[KeySpec::one(1, "RO access")],
        since: "1.0.0",
        summary: "Returns the seconds until a key expires.",
        complexity: "O(1)",
        syntax: "key:key",
        tips: "nondeterministic_output",
        varies: Some(Varies::Expiry),
        run: Run::Command(keys::ttl),
        ..KEYSPACE
    },
    Command {
        name: "pttl",
        arity: 2,
        flags: Flags::READONLY.or(Flags::FAST),
        keys: &[KeySpec::one(1, "RO access")],
        since: "2.6.0",
        summary: "Returns the milliseconds until a key expires.",
        complexity: "O(1)",
        syntax: "key:key",
        tips: "nondeterministic_output",
        varies: Some(Varies::Expiry),
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
        varies: Some(Varies::Cursor),
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
    Command {
        name: "copy",
        arity: -3,
        flags: Flags::WRITE.or(Flags::DENYOOM),
        keys: &[KeySpec::one(1, "RO access"), KeySpec::one(2, "OW update")],
        since: "6.2.0",
        summary: "Copies a key.",
        complexity: "O(N)",
        syntax: "source:key destination:key#1 [DB destination-db:integer] [REPLACE]",
        effect: Some(Effect::ChangesOtherDatabases),
        run: Run::Command(keys::copy),
        ..KEYSPACE
    },
    Command {
        name: "move",
        arity: 3,
        flags: Flags::WRITE.or(Flags::FAST),
        keys: &[KeySpec::one(1, "RW access update")],
        since: "1.0.0",
        summary: "Takes a key out of this database and puts it into another one.",
        complexity: "O(1)",
        syntax: "key:key db:integer",
        effect: Some(Effect::ChangesOtherDatabases),
        run: Run::Command(keys::move_),
        ..KEYSPACE
    },
    Command {
        name: "randomkey",
        arity: 1,
        flags: Flags::READONLY,
        since: "1.0.0",
        summary: "Names some key.",
        complexity: "O(1)",
        tips: "request_policy:all_shards response_policy:special nondeterministic_output",
        run: Run::Command(keys::randomkey),
        ..KEYSPACE
    },
    Command {
        name: "touch",
        arity: -2,
        flags: Flags::READONLY.or(Flags::FAST).or(Flags::COUNTS_AS_USE),
        keys: &[KeySpec::range(1, -1, 1, "RO")],
        since: "3.2.1",
        summary: "Counts how many of the keys exist, which are used by it.",
        complexity: "O(N)",
        syntax: "key:key...",
        tips: "request_policy:multi_shard response_policy:agg_sum",
        run: Run::Command(keys::touch),
        ..KEYSPACE
    },
    Command {
        name: "object",
        arity: -2,
        categories: Categories::NONE,
        since: "2.2.3",
        summary: "What is known of a value besides what it holds.",
        complexity: "that of the subcommand",
        subcommands: OBJECT_SUBCOMMANDS,
        help: &[
            "ENCODING <key>",
            "    Show in which form the value of <key> is kept.",
            "FREQ <key>",
            "    Show how often <key> was used, on a logarithmic scale.",
            "IDLETIME <key>",
            "    Show for how many seconds <key> has not been used.",
            "REFCOUNT <key>",
            "    Show how often the value of <key> is referred to.",
        ],
        ..KEYSPACE
    },
    Command {
        name: "sort",
        arity: -2,
        flags: Flags::WRITE.or(Flags::DENYOOM),
        categories: SORTED,
        keys: &[
            KeySpec::one(1, "RO access"),
            KeySpec::unknown("RO access").note(SORT_BY),
            KeySpec::unknown("OW update").note(SORT_STORE),
        ],
        since: "1.0.0",
        summary: "Sorts the elements of a list, a set or a sorted set.",
        complexity: "O(N+M*log(M))",
        syntax: "key:key [BY by-pattern\"pattern\":pattern#1] [LIMIT limit{offset:integer count:integer}] \
                 [GET get-pattern\"pattern\":pattern#1...+] [order(ASC|DESC)] [sorting:ALPHA] \
                 [STORE destination:key#2]",
        run: Run::Command(sort::sort),
        find_keys: Some(sort::sort_keys),
        ..KEYSPACE
    },
    Command {
        name: "sort_ro",
        arity: -2,
        flags: Flags::READONLY,
        categories: SORTED,
        keys: &[KeySpec::one(1, "RO access"), KeySpec::unknown("RO access").note(SORT_BY)],
        since: "7.0.0",
        summary: "Sorts the elements of a list, a set or a sorted set, and stores nothing.",
        complexity: "O(N+M*log(M))",
        syntax: "key:key [BY by-pattern\"pattern\":pattern#1] [LIMIT limit{offset:integer count:integer}] \
                 [GET get-pattern\"pattern\":pattern#1...+] [order(ASC|DESC)] [sorting:ALPHA]",
        run: Run::Command(sort::sort_ro),
        find_keys: Some(sort::sort_ro_keys),
        ..KEYSPACE
    },
    Command {
        name: "wait",
        arity: 3,
        flags: Flags::BLOCKING.or(Flags::NOSCRIPT_IN_7_0),
        categories: Categories::CONNECTION,
        since: "3.0.0",
        summary: "Waits until replicas have got everything.",
        complexity: "O(1)",
        syntax: "numreplicas:integer timeout:integer",
        tips: "request_policy:all_shards response_policy:agg_min",
        run: Run::Command(replication::wait),
        ..KEYSPACE
    },
    Command {
        name: "waitaof",
        arity: 4,
        flags: Flags::BLOCKING,
        categories: Categories::CONNECTION,
        since: "7.2.0",
        summary: "Waits until disks have got everything.",
        complexity: "O(1)",
        syntax: "numlocal:integer numreplicas:integer timeout:integer",
        tips: "request_policy:all_shards response_policy:agg_min",
        run: Run::Command(replication::waitaof),
        ..KEYSPACE
    },
];

/// The categories of SORT.
const SORTED: Categories =
    Categories::SET.or(Categories::SORTED_SET).or(Categories::LIST).or(Categories::DANGEROUS);

/// The remark of redis-server on the keys that BY and GET name.
const SORT_BY: &str = "For the optional BY/GET keyword. It is marked 'unknown' because the key names derive from the \
                       content of the key we sort";
/// The remark of redis-server on the key that STORE names.
const SORT_STORE: &str = "For the optional STORE keyword. It is marked 'unknown' because the keyword can appear anywhere \
                          in the argument array";

/// A subcommand of OBJECT that inspects a key.
const OF_OBJECT: Command = Command {
    arity: 3,
    flags: Flags::READONLY,
    keys: &[KeySpec::one(2, "RO")],
    since: "2.2.3",
    complexity: "O(1)",
    syntax: "key:key",
    tips: "nondeterministic_output",
    ..KEYSPACE
};

/// The subcommands of `OBJECT`.
const OBJECT_SUBCOMMANDS: &[Command] = &[
    Command {
        name: "encoding",
        summary: "Returns the encoding of a value.",
        run: Run::Command(object::encoding),
        ..OF_OBJECT
    },
    Command {
        name: "freq",
        since: "4.0.0",
        summary: "Returns how often a key was used, on a logarithmic scale.",
        run: Run::Command(object::freq),
        ..OF_OBJECT
    },
    Command {
        name: "help",
        arity: 2,
        flags: Flags::ANYTIME,
        keys: &[],
        since: "6.2.0",
        summary: "Explains the subcommands.",
        syntax: "",
        tips: "",
        run: Run::Command(help),
        ..OF_OBJECT
    },
    Command {
        name: "idletime",
        summary: "Returns the seconds since a key was last used.",
        varies: Some(Varies::Number),
        run: Run::Command(object::idletime),
        ..OF_OBJECT
    },
    Command {
        name: "refcount",
        summary: "Returns the number of references to a value.",
        run: Run::Command(object::refcount),
        ..OF_OBJECT
    },
];
