//! Values in serialized form.

use crate::commands::serialization;
use crate::spec::{Categories, Command, Flags, Group, KeySpec, Run, Varies};

/// What the rows have in common.
const KEYSPACE: Command =
    Command { group: Group::Generic, categories: Categories::KEYSPACE, since: "2.6.0", ..Command::EMPTY };

/// The rows.
pub const COMMANDS: &[Command] = &[
    Command {
        name: "dump",
        arity: 2,
        flags: Flags::READONLY,
        keys: &[KeySpec::one(1, "RO access")],
        summary: "Returns a value as bytes that RESTORE reads.",
        complexity: "O(N)",
        syntax: "key:key",
        tips: "nondeterministic_output",
        varies: Some(Varies::Nothing),
        run: Run::Command(serialization::dump),
        ..KEYSPACE
    },
    Command {
        name: "restore",
        arity: -4,
        flags: Flags::WRITE.or(Flags::DENYOOM),
        keys: &[KeySpec::one(1, "OW update")],
        categories: KEYSPACE.categories.or(Categories::DANGEROUS),
        summary: "Sets a key to a value that DUMP has returned.",
        complexity: "O(N)",
        syntax: "key:key ttl:integer serialized-value [REPLACE^3.0.0] [ABSTTL^5.0.0] \
                 [IDLETIME seconds:integer^5.0.0] [FREQ frequency:integer^5.0.0]",
        run: Run::Command(serialization::restore),
        ..KEYSPACE
    },
];
