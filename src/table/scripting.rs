//! Scripts.

use crate::commands::help::help;
use crate::commands::scripting;
use crate::spec::{Categories, Command, Flags, Functions, Group, KeySpec, Run, Script, Varies};

/// What the rows have in common.
const SCRIPTING: Command =
    Command { group: Group::Scripting, categories: Categories::SCRIPTING, ..Command::EMPTY };

/// Flags of the commands that run a script. Monitors are shown them before the commands of the script.
const RUNS: Flags = Flags::NOSCRIPT.or(Flags::STALE).or(Flags::SKIP_MONITOR).or(Flags::NO_MANDATORY_KEYS);

const NOTE: &str = "We cannot tell how the keys will be used so we assume the worst, RW and UPDATE";
const NOTE_READ_ONLY: &str = "We cannot tell how the keys will be used so we assume the worst, RO and ACCESS";

/// What the commands that run a script have in common.
const EVAL: Command = Command {
    arity: -3,
    flags: RUNS.or(Flags::PROPAGATED),
    keys: &[KeySpec::counted(2, "RW access update")],
    complexity: "that of the script",
    ..SCRIPTING
};

/// The rows.
pub const COMMANDS: &[Command] = &[
    Command {
        name: "eval",
        keys: &[KeySpec::counted(2, "RW access update").note(NOTE)],
        since: "2.6.0",
        summary: "Runs a script.",
        syntax: "script numkeys:integer [key:key...] [arg...]",
        run: Run::Script(Script::Eval { by_name: false, read_only: false }),
        ..EVAL
    },
    Command {
        name: "evalsha",
        since: "2.6.0",
        summary: "Runs a script that was sent before, by its SHA-1.",
        syntax: "sha1 numkeys:integer [key:key...] [arg...]",
        run: Run::Script(Script::Eval { by_name: true, read_only: false }),
        ..EVAL
    },
    Command {
        name: "eval_ro",
        flags: RUNS.or(Flags::READONLY),
        keys: &[KeySpec::counted(2, "RO access").note(NOTE_READ_ONLY)],
        since: "7.0.0",
        summary: "Runs a script that may not write.",
        syntax: "script numkeys:integer [key:key...] [arg...]",
        run: Run::Script(Script::Eval { by_name: false, read_only: true }),
        ..EVAL
    },
    Command {
        name: "evalsha_ro",
        flags: RUNS.or(Flags::READONLY),
        keys: &[KeySpec::counted(2, "RO access")],
        since: "7.0.0",
        summary: "Runs a script that was sent before and may not write, by its SHA-1.",
        syntax: "sha1 numkeys:integer [key:key...] [arg...]",
        run: Run::Script(Script::Eval { by_name: true, read_only: true }),
        ..EVAL
    },
    Command {
        name: "fcall",
        keys: &[KeySpec::counted(2, "RW access update").note(NOTE)],
        since: "7.0.0",
        summary: "Calls a function.",
        complexity: "that of the function",
        syntax: "function numkeys:integer [key:key...] [arg...]",
        run: Run::Script(Script::Call { read_only: false }),
        ..EVAL
    },
    Command {
        name: "fcall_ro",
        flags: RUNS.or(Flags::READONLY),
        keys: &[KeySpec::counted(2, "RO access").note(NOTE_READ_ONLY)],
        since: "7.0.0",
        summary: "Calls a function that does not write.",
        complexity: "that of the function",
        syntax: "function numkeys:integer [key:key...] [arg...]",
        run: Run::Script(Script::Call { read_only: true }),
        ..EVAL
    },
    Command {
        name: "function",
        arity: -2,
        categories: Categories::NONE,
        since: "7.0.0",
        summary: "The libraries of functions that the server keeps.",
        complexity: "that of the subcommand",
        subcommands: FUNCTION_SUBCOMMANDS,
        help: &[
            "LOAD [REPLACE] <FUNCTION CODE>",
            "    Create a new library with the given library name and code.",
            "DELETE <LIBRARY NAME>",
            "    Delete the given library.",
            "LIST [LIBRARYNAME PATTERN] [WITHCODE]",
            "    Return general information on all the libraries:",
            "    * Library name",
            "    * The engine used to run the Library",
            "    * Functions list",
            "    * Library code (if WITHCODE is given)",
            "    It also possible to get only function that matches a pattern using LIBRARYNAME argument.",
            "STATS",
            "    Return information about the current function running:",
            "    * Function name",
            "    * Command used to run the function",
            "    * Duration in MS that the function is running",
            "    If no function is running, return nil",
            "    In addition, returns a list of available engines.",
            "KILL",
            "    Kill the current running function.",
            "FLUSH [ASYNC|SYNC]",
            "    Delete all the libraries.",
            "    When called without the optional mode argument, the behavior is determined by the",
            "    lazyfree-lazy-user-flush configuration directive. Valid modes are:",
            "    * ASYNC: Asynchronously flush the libraries.",
            "    * SYNC: Synchronously flush the libraries.",
            "DUMP",
            "    Return a serialized payload representing the current libraries, can be restored using FUNCTION RESTORE command",
            "RESTORE <PAYLOAD> [FLUSH|APPEND|REPLACE]",
            "    Restore the libraries represented by the given payload, it is possible to give a restore policy to",
            "    control how to handle existing libraries (default APPEND):",
            "    * FLUSH: delete all existing libraries.",
            "    * APPEND: appends the restored libraries to the existing libraries. On collision, abort.",
            "    * REPLACE: appends the restored libraries to the existing libraries, On collision, replace the old",
            "      libraries with the new libraries (notice that even on this option there is a chance of failure",
            "      in case of functions name collision with another library).",
        ],
        ..SCRIPTING
    },
    Command {
        name: "script",
        arity: -2,
        categories: Categories::NONE,
        since: "2.6.0",
        summary: "The scripts that the server keeps.",
        complexity: "that of the subcommand",
        subcommands: SCRIPT_SUBCOMMANDS,
        help: &[
            "DEBUG (YES|SYNC|NO)",
            "    Set the debug mode for subsequent scripts executed.",
            "EXISTS <sha1> [<sha1> ...]",
            "    Return information about the existence of the scripts in the script cache.",
            "FLUSH [ASYNC|SYNC]",
            "    Flush the Lua scripts cache. Very dangerous on replicas.",
            "    When called without the optional mode argument, the behavior is determined by the",
            "    lazyfree-lazy-user-flush configuration directive. Valid modes are:",
            "    * ASYNC: Asynchronously flush the scripts cache.",
            "    * SYNC: Synchronously flush the scripts cache.",
            "KILL",
            "    Kill the currently executing Lua script.",
            "LOAD <script>",
            "    Load a script into the scripts cache without executing it.",
        ],
        ..SCRIPTING
    },
];

const SCRIPT_SUBCOMMANDS: &[Command] = &[
    Command {
        name: "debug",
        arity: 3,
        flags: Flags::NOSCRIPT,
        since: "3.2.0",
        summary: "Asks for the debugger, which there is not.",
        complexity: "O(1)",
        syntax: "mode(YES|SYNC|NO)",
        run: Run::Command(scripting::debug),
        ..SCRIPTING
    },
    Command {
        name: "exists",
        arity: -3,
        flags: Flags::NOSCRIPT,
        since: "2.6.0",
        summary: "Returns for each of several scripts whether the server has it.",
        complexity: "O(N)",
        syntax: "sha1...",
        tips: "request_policy:all_shards response_policy:agg_logical_and",
        run: Run::Script(Script::Exists),
        ..SCRIPTING
    },
    Command {
        name: "flush",
        arity: -2,
        flags: Flags::NOSCRIPT,
        since: "2.6.0",
        summary: "Forgets all scripts.",
        complexity: "O(N)",
        syntax: "[flush-type(ASYNC|SYNC)^6.2.0]",
        tips: "request_policy:all_nodes response_policy:all_succeeded",
        run: Run::Script(Script::Flush),
        ..SCRIPTING
    },
    Command {
        name: "help",
        arity: 2,
        flags: Flags::ANYTIME,
        since: "5.0.0",
        summary: "Explains the subcommands.",
        complexity: "O(1)",
        run: Run::Command(help),
        ..SCRIPTING
    },
    Command {
        name: "kill",
        arity: 2,
        flags: Flags::NOSCRIPT.or(Flags::ALLOW_BUSY),
        since: "2.6.0",
        summary: "Ends the running script.",
        complexity: "O(1)",
        tips: "request_policy:all_shards response_policy:one_succeeded",
        run: Run::Script(Script::Kill { function: false }),
        ..SCRIPTING
    },
    Command {
        name: "load",
        arity: 3,
        flags: Flags::NOSCRIPT.or(Flags::STALE),
        since: "2.6.0",
        summary: "Keeps a script without running it.",
        complexity: "O(N)",
        syntax: "script",
        tips: "request_policy:all_nodes response_policy:all_succeeded",
        run: Run::Script(Script::Load),
        ..SCRIPTING
    },
];

const FUNCTION_SUBCOMMANDS: &[Command] = &[
    Command {
        name: "delete",
        arity: 3,
        flags: Flags::NOSCRIPT.or(Flags::WRITE),
        since: "7.0.0",
        summary: "Removes a library.",
        complexity: "O(1)",
        syntax: "library-name",
        tips: "request_policy:all_shards response_policy:all_succeeded",
        run: Run::Script(Script::Functions(Functions::Delete)),
        ..SCRIPTING
    },
    Command {
        name: "dump",
        arity: 2,
        flags: Flags::NOSCRIPT,
        since: "7.0.0",
        summary: "Writes all libraries into one payload.",
        complexity: "O(N)",
        run: Run::Script(Script::Functions(Functions::Dump)),
        ..SCRIPTING
    },
    Command {
        name: "flush",
        arity: -2,
        flags: Flags::NOSCRIPT.or(Flags::WRITE),
        since: "7.0.0",
        summary: "Removes all libraries.",
        complexity: "O(N)",
        syntax: "[flush-type(ASYNC|SYNC)]",
        tips: "request_policy:all_shards response_policy:all_succeeded",
        run: Run::Script(Script::Functions(Functions::Flush)),
        ..SCRIPTING
    },
    Command {
        name: "help",
        arity: 2,
        flags: Flags::ANYTIME,
        since: "7.0.0",
        summary: "Explains the subcommands.",
        complexity: "O(1)",
        run: Run::Command(help),
        ..SCRIPTING
    },
    Command {
        name: "kill",
        arity: 2,
        flags: Flags::NOSCRIPT.or(Flags::ALLOW_BUSY),
        since: "7.0.0",
        summary: "Ends the running function.",
        complexity: "O(1)",
        tips: "request_policy:all_shards response_policy:one_succeeded",
        run: Run::Script(Script::Kill { function: true }),
        ..SCRIPTING
    },
    Command {
        name: "list",
        arity: -2,
        flags: Flags::NOSCRIPT,
        since: "7.0.0",
        summary: "Returns the libraries.",
        complexity: "O(N)",
        syntax: "[LIBRARYNAME library-name-pattern] [withcode:WITHCODE]",
        tips: "nondeterministic_output_order",
        varies: Some(Varies::LibraryOrder),
        run: Run::Script(Script::Functions(Functions::List)),
        ..SCRIPTING
    },
    Command {
        name: "load",
        arity: -3,
        flags: Flags::NOSCRIPT.or(Flags::WRITE).or(Flags::DENYOOM),
        since: "7.0.0",
        summary: "Loads a library.",
        complexity: "O(1)",
        syntax: "[REPLACE] function-code",
        tips: "request_policy:all_shards response_policy:all_succeeded",
        run: Run::Script(Script::Functions(Functions::Load)),
        ..SCRIPTING
    },
    Command {
        name: "restore",
        arity: -3,
        flags: Flags::NOSCRIPT.or(Flags::WRITE).or(Flags::DENYOOM),
        since: "7.0.0",
        summary: "Takes the libraries of a payload.",
        complexity: "O(N)",
        syntax: "serialized-value [policy(FLUSH|APPEND|REPLACE)]",
        tips: "request_policy:all_shards response_policy:all_succeeded",
        run: Run::Script(Script::Functions(Functions::Restore)),
        ..SCRIPTING
    },
    Command {
        name: "stats",
        arity: 2,
        flags: Flags::NOSCRIPT.or(Flags::ALLOW_BUSY),
        since: "7.0.0",
        summary: "Returns the function that is running, and the number of functions.",
        complexity: "O(1)",
        tips: "nondeterministic_output request_policy:all_shards response_policy:special",
        run: Run::Script(Script::Functions(Functions::Stats)),
        ..SCRIPTING
    },
];
