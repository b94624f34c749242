//! Users.

use crate::commands::acl;
use crate::commands::help::help;
use crate::spec::{Command, Flags, Group, Run, Varies};

/// The container.
pub const ACL: Command = Command {
    name: "acl",
    arity: -2,
    group: Group::Server,
    since: "6.0.0",
    summary: "Users, and what each may do.",
    complexity: "that of the subcommand",
    subcommands: SUBCOMMANDS,
    help: &[
        "CAT [<category>]",
        "    Show the categories, or the commands of one.",
        "DELUSER <username> [<username> ...]",
        "    Remove users and close their connections.",
        "DRYRUN <username> <command> [<arg> ...]",
        "    Show whether a user may call a command so, without calling it.",
        "GETUSER <username>",
        "    Show the flags, passwords and rules of a user.",
        "GENPASS [<bits>]",
        "    Make a random password of 256 bits, or of that many.",
        "LIST",
        "    Show all users as they are written in the file of users.",
        "LOAD",
        "    Read the file of users.",
        "LOG [<count> | RESET]",
        "    Show what was denied to clients, or forget it.",
        "SAVE",
        "    Write the file of users.",
        "SETUSER <username> <attribute> [<attribute> ...]",
        "    Add a user, or change one.",
        "USERS",
        "    Show the names of the users.",
        "WHOAMI",
        "    Show the user of this connection.",
    ],
    ..Command::EMPTY
};

/// What the subcommands have in common.
const ROW: Command = Command {
    arity: 2,
    flags: Flags::ADMIN.or(Flags::NOSCRIPT).or(Flags::ANYTIME),
    group: Group::Server,
    since: "6.0.0",
    ..Command::EMPTY
};

/// Not only for operators.
const OPEN: Flags = Flags::NOSCRIPT.or(Flags::ANYTIME);

/// What a cluster would have to do.
const ON_ALL_NODES: &str = "request_policy:all_nodes response_policy:all_succeeded";

const SUBCOMMANDS: &[Command] = &[
    Command {
        name: "cat",
        arity: -2,
        flags: OPEN,
        summary: "Shows the categories of commands, or the commands of one.",
        complexity: "O(1) since the categories and commands are a fixed set.",
        syntax: "[category]",
        run: Run::Command(acl::cat),
        ..ROW
    },
    Command {
        name: "deluser",
        arity: -3,
        summary: "Removes users, and closes their connections.",
        complexity: "O(1) amortized time considering the typical user.",
        syntax: "username...",
        tips: ON_ALL_NODES,
        run: Run::Command(acl::deluser),
        ..ROW
    },
    Command {
        name: "dryrun",
        arity: -4,
        since: "7.0.0",
        summary: "Shows whether a user may call a command so, without calling it.",
        complexity: "O(1).",
        syntax: "username command [arg...]",
        run: Run::Command(acl::dryrun),
        ..ROW
    },
    Command {
        name: "genpass",
        arity: -2,
        flags: OPEN,
        summary: "Makes a random password.",
        complexity: "O(1)",
        syntax: "[bits:integer]",
        varies: Some(Varies::AllButType),
        run: Run::Command(acl::genpass),
        ..ROW
    },
    Command {
        name: "getuser",
        arity: 3,
        summary: "Returns the flags, passwords and rules of a user.",
        complexity: "O(N)",
        syntax: "username",
        run: Run::Command(acl::getuser),
        ..ROW
    },
    Command {
        name: "help",
        flags: Flags::ANYTIME,
        summary: "Explains the subcommands.",
        complexity: "O(1)",
        run: Run::Command(help),
        ..ROW
    },
    Command {
        name: "list",
        summary: "Returns all users as they are written in the file of users.",
        complexity: "O(N)",
        run: Run::Command(acl::list),
        ..ROW
    },
    Command {
        name: "load",
        summary: "Reads the file of users.",
        complexity: "O(N)",
        run: Run::Command(acl::load),
        ..ROW
    },
    Command {
        name: "log",
        arity: -2,
        summary: "Returns what was denied to clients.",
        complexity: "O(N)",
        syntax: "[operation(count:integer|RESET)]",
        varies: Some(Varies::AllButType),
        run: Run::Command(acl::log),
        ..ROW
    },
    Command {
        name: "save",
        summary: "Writes the file of users.",
        complexity: "O(N)",
        tips: ON_ALL_NODES,
        run: Run::Command(acl::save),
        ..ROW
    },
    Command {
        name: "setuser",
        arity: -3,
        summary: "Adds a user, or changes one.",
        complexity: "O(N)",
        syntax: "username [rule...]",
        tips: ON_ALL_NODES,
        is_secret: Some(acl::is_secret_of_setuser),
        run: Run::Command(acl::setuser),
        ..ROW
    },
    Command {
        name: "users",
        summary: "Returns the names of the users.",
        complexity: "O(N)",
        run: Run::Command(acl::names),
        ..ROW
    },
    Command {
        name: "whoami",
        flags: OPEN,
        summary: "Returns the name of the connection's user.",
        complexity: "O(1)",
        run: Run::Command(acl::whoami),
        ..ROW
    },
];
