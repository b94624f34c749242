//! Connections: clients, protocol and database.

use crate::commands::help::help;
use crate::commands::{client, connection, tracking};
use crate::spec::{Categories, Command, Deprecated, Effect, Flags, Group, Run, Varies};

/// What the rows have in common.
const CONNECTION: Command =
    Command { group: Group::Connection, categories: Categories::CONNECTION, ..Command::EMPTY };

/// Needed to log in: allowed before AUTH and at any time.
const HANDSHAKE: Flags =
    Flags::NOSCRIPT.or(Flags::ANYTIME).or(Flags::FAST).or(Flags::NO_AUTH).or(Flags::ALLOW_BUSY);

/// The rows.
pub const COMMANDS: &[Command] = &[
    Command {
        name: "auth",
        arity: -2,
        flags: HANDSHAKE.or(Flags::OF_CONNECTION),
        since: "1.0.0",
        summary: "Logs the connection in with a password, or with a user name and a password.",
        complexity: "O(N)",
        syntax: "[username^6.0.0] password",
        effect: Some(Effect::LogsIn),
        run: Run::Command(connection::auth),
        is_secret: Some(connection::is_secret_of_auth),
        ..CONNECTION
    },
    Command {
        name: "echo",
        arity: 2,
        flags: Flags::ANYTIME.or(Flags::FAST),
        since: "1.0.0",
        summary: "Answers with the given text.",
        complexity: "O(1)",
        syntax: "message",
        run: Run::Command(connection::echo),
        ..CONNECTION
    },
    Command {
        name: "hello",
        arity: -1,
        flags: HANDSHAKE.or(Flags::OF_CONNECTION),
        since: "6.0.0",
        summary: "Chooses the protocol version, and may log in and name the connection on the way.",
        complexity: "O(1)",
        syntax: "[arguments{protover:integer [AUTH auth{username password}] [SETNAME clientname]}]",
        varies: Some(Varies::Fields(&[
            ("id", Varies::ClientId),
            ("server", Varies::AllButType),
            ("version", Varies::AllButType),
            ("modules", Varies::AllButType),
        ])),
        effect: Some(Effect::ChoosesProtocol),
        run: Run::Command(connection::hello),
        is_secret: Some(connection::is_secret_of_hello),
        ..CONNECTION
    },
    Command {
        name: "ping",
        arity: -1,
        flags: Flags::FAST.or(Flags::ALLOWED_SUBSCRIBED),
        since: "1.0.0",
        summary: "Answers PONG, or with the given text: the connection is alive.",
        complexity: "O(1)",
        syntax: "[message]",
        tips: "request_policy:all_shards response_policy:all_succeeded",
        run: Run::Command(connection::ping),
        ..CONNECTION
    },
    Command {
        name: "quit",
        arity: -1,
        flags: HANDSHAKE.or(Flags::ALLOWED_SUBSCRIBED).or(Flags::RUNS_IN_MULTI).or(Flags::OF_CONNECTION),
        since: "1.0.0",
        summary: "Has the server close the connection.",
        complexity: "O(1)",
        deprecated: Some(Deprecated { since: "7.2.0", instead: "closing the connection from the client" }),
        run: Run::Command(connection::quit),
        ..CONNECTION
    },
    Command {
        name: "reset",
        arity: 1,
        flags: HANDSHAKE.or(Flags::ALLOWED_SUBSCRIBED).or(Flags::RUNS_IN_MULTI).or(Flags::OF_CONNECTION),
        since: "6.2.0",
        summary: "Puts the connection back into the state in which it was opened.",
        complexity: "O(1)",
        effect: Some(Effect::Resets),
        run: Run::Command(connection::reset),
        ..CONNECTION
    },
    Command {
        name: "select",
        arity: 2,
        flags: Flags::ANYTIME.or(Flags::FAST).or(Flags::OF_CONNECTION),
        since: "1.0.0",
        summary: "Moves the connection to another database.",
        complexity: "O(1)",
        syntax: "index:integer",
        effect: Some(Effect::SelectsDatabase),
        run: Run::Command(connection::select),
        ..CONNECTION
    },
    Command {
        name: "client",
        arity: -2,
        flags: Flags::OF_CONNECTION.or(Flags::KEEPS_CACHING),
        categories: Categories::NONE,
        since: "2.4.0",
        summary: "Everything about connections.",
        complexity: "that of the subcommand",
        effect: Some(Effect::TakesClientIds),
        subcommands: CLIENT_SUBCOMMANDS,
        help: &[
            "CACHING (YES|NO)",
            "    Track the keys of the next command or not, in the modes OPTIN and OPTOUT.",
            "GETNAME",
            "    Show the name of this connection.",
            "GETREDIR",
            "    Show the number of the connection that is notified instead of this one.",
            "ID",
            "    Show the number of this connection.",
            "INFO",
            "    Describe this connection.",
            "KILL <ip:port>",
            "    Close the connection that comes from this address.",
            "KILL <option> <value> [<option> <value> [...]]",
            "    Close all connections that match:",
            "    * ADDR (<ip:port>|<unixsocket>:0)",
            "      those that come from this address",
            "    * LADDR (<ip:port>|<unixsocket>:0)",
            "      those that go to this address",
            "    * TYPE (NORMAL|MASTER|REPLICA|PUBSUB)",
            "      those of this kind",
            "    * USER <username>",
            "      those of this user",
            "    * ID <client-id>",
            "      the one of this number",
            "    * MAXAGE <seconds>",
            "      those that have been open for as long",
            "    * SKIPME (YES|NO)",
            "      whether this connection stays (default: yes)",
            "LIST [TYPE (NORMAL|MASTER|REPLICA|PUBSUB) | ID <client-id> [<client-id> ...]]",
            "    Describe all connections, or those of a kind or of some numbers.",
            "NO-EVICT (ON|OFF)",
            "    Spare this connection when memory for clients runs out.",
            "NO-TOUCH (ON|OFF)",
            "    Do not count the commands of this connection as use of a key.",
            "PAUSE <milliseconds> [WRITE|ALL]",
            "    Hold back all commands, or those that write.",
            "REPLY (ON|OFF|SKIP)",
            "    Choose whether this connection is answered.",
            "SETINFO <option> <value>",
            "    Note something about the client:",
            "    * LIB-NAME: the name of its library",
            "    * LIB-VER: the version of its library",
            "SETNAME <name>",
            "    Name this connection.",
            "TRACKING (ON|OFF) [REDIRECT <client-id>] [BCAST] [PREFIX <prefix> [...]]",
            "         [OPTIN] [OPTOUT] [NOLOOP]",
            "    Be notified when keys change that this connection has read, or keys with a prefix.",
            "TRACKINGINFO",
            "    Show what this connection tracks.",
            "UNBLOCK <client-id> [TIMEOUT|ERROR]",
            "    End the waiting of a client as if its time were up, or with an error.",
            "UNPAUSE",
            "    End PAUSE.",
        ],
        ..CONNECTION
    },
];

/// The subcommands of `CLIENT`.
const CLIENT_SUBCOMMANDS: &[Command] = &[
    Command {
        name: "id",
        arity: 2,
        flags: Flags::NOSCRIPT.or(Flags::ANYTIME),
        since: "5.0.0",
        summary: "Returns the id of this connection.",
        complexity: "O(1)",
        varies: Some(Varies::ClientId),
        run: Run::Command(client::id),
        ..CONNECTION
    },
    Command {
        name: "info",
        arity: 2,
        flags: Flags::NOSCRIPT.or(Flags::ANYTIME),
        since: "6.2.0",
        summary: "Describes this connection.",
        complexity: "O(1)",
        tips: "nondeterministic_output",
        run: Run::Command(client::info),
        ..CONNECTION
    },
    Command {
        name: "list",
        arity: -2,
        flags: Flags::ADMIN.or(Flags::NOSCRIPT).or(Flags::ANYTIME),
        since: "2.4.0",
        summary: "Describes all connections, or those asked for.",
        complexity: "O(N)",
        syntax: "[TYPE client-type(NORMAL|MASTER|REPLICA|PUBSUB)^5.0.0] [ID client-id:integer...^6.2.0]",
        tips: "nondeterministic_output",
        run: Run::Command(client::list),
        ..CONNECTION
    },
    Command {
        name: "setname",
        arity: 3,
        flags: Flags::NOSCRIPT.or(Flags::ANYTIME),
        since: "2.6.9",
        summary: "Names this connection.",
        complexity: "O(1)",
        syntax: "connection-name",
        tips: "request_policy:all_nodes response_policy:all_succeeded",
        run: Run::Command(client::setname),
        ..CONNECTION
    },
    Command {
        name: "getname",
        arity: 2,
        flags: Flags::NOSCRIPT.or(Flags::ANYTIME),
        since: "2.6.9",
        summary: "Returns the name of this connection.",
        complexity: "O(1)",
        run: Run::Command(client::getname),
        ..CONNECTION
    },
    Command {
        name: "setinfo",
        arity: 4,
        flags: Flags::NOSCRIPT.or(Flags::ANYTIME),
        since: "7.2.0",
        summary: "Notes which library the client uses.",
        complexity: "O(1)",
        syntax: "attr(LIB-NAME libname|LIB-VER libver)",
        tips: "request_policy:all_nodes response_policy:all_succeeded",
        // Libraries send it even to servers that do not have it.
        varies: Some(Varies::All),
        run: Run::Command(client::setinfo),
        ..CONNECTION
    },
    Command {
        name: "tracking",
        arity: -3,
        flags: Flags::NOSCRIPT.or(Flags::ANYTIME),
        since: "6.0.0",
        summary: "Chooses whether this connection is notified of changed keys.",
        complexity: "O(1), O(N) with prefixes",
        syntax: "status(ON|OFF) [REDIRECT client-id:integer] [PREFIX prefix...+] [BCAST] [OPTIN] [OPTOUT] [NOLOOP]",
        run: Run::Command(tracking::tracking),
        ..CONNECTION
    },
    Command {
        name: "caching",
        arity: 3,
        flags: Flags::NOSCRIPT.or(Flags::ANYTIME),
        since: "6.0.0",
        summary: "Chooses whether the keys of the next command are tracked.",
        complexity: "O(1)",
        syntax: "mode(YES|NO)",
        run: Run::Command(tracking::caching),
        ..CONNECTION
    },
    Command {
        name: "getredir",
        arity: 2,
        flags: Flags::NOSCRIPT.or(Flags::ANYTIME),
        since: "6.0.0",
        summary: "Returns the id of the client that is notified instead.",
        complexity: "O(1)",
        varies: Some(Varies::ClientId),
        run: Run::Command(tracking::getredir),
        ..CONNECTION
    },
    Command {
        name: "trackinginfo",
        arity: 2,
        flags: Flags::NOSCRIPT.or(Flags::ANYTIME),
        since: "6.2.0",
        summary: "Returns what this connection tracks.",
        complexity: "O(1)",
        varies: Some(Varies::Fields(&[("redirect", Varies::ClientId)])),
        run: Run::Command(tracking::trackinginfo),
        ..CONNECTION
    },
    Command {
        name: "kill",
        arity: -3,
        flags: Flags::ADMIN.or(Flags::NOSCRIPT).or(Flags::ANYTIME),
        since: "2.4.0",
        summary: "Closes the connections that match.",
        complexity: "O(N)",
        syntax: "filter(old-format\"ip:port\"!2.8.12|new-format([ID client-id:integer^2.8.12]|[TYPE client-type(NORMAL|MASTER^3.2.0|SLAVE|REPLICA^5.0.0|PUBSUB)^2.8.12]|[USER username]|[ADDR addr\"ip:port\"]|[LADDR laddr\"ip:port\"^6.2.0]|[SKIPME skipme(YES|NO)]|[MAXAGE maxage:integer^7.4.0])...)",
        run: Run::Command(client::kill),
        ..CONNECTION
    },
    Command {
        name: "unblock",
        arity: -3,
        flags: Flags::ADMIN.or(Flags::NOSCRIPT).or(Flags::ANYTIME),
        since: "5.0.0",
        summary: "Ends the waiting of a blocked client.",
        complexity: "O(log(N))",
        syntax: "client-id:integer [unblock-type(TIMEOUT|ERROR)]",
        run: Run::Unblock,
        ..CONNECTION
    },
    Command {
        name: "pause",
        arity: -3,
        flags: Flags::ADMIN.or(Flags::NOSCRIPT).or(Flags::ANYTIME),
        since: "3.0.0",
        summary: "Holds commands of all clients back for a while.",
        complexity: "O(1)",
        syntax: "timeout:integer [mode(WRITE|ALL)^6.2.0]",
        run: Run::Command(client::pause),
        ..CONNECTION
    },
    Command {
        name: "unpause",
        arity: 2,
        flags: Flags::ADMIN.or(Flags::NOSCRIPT).or(Flags::ANYTIME),
        since: "6.2.0",
        summary: "Lets held back commands go on.",
        complexity: "O(N)",
        run: Run::Command(client::unpause),
        ..CONNECTION
    },
    Command {
        name: "reply",
        arity: 3,
        flags: Flags::NOSCRIPT.or(Flags::ANYTIME),
        since: "3.2.0",
        summary: "Chooses whether this connection is answered.",
        complexity: "O(1)",
        syntax: "action(ON|OFF|SKIP)",
        effect: Some(Effect::ChoosesReplies),
        run: Run::Command(client::reply),
        ..CONNECTION
    },
    Command {
        name: "no-evict",
        arity: 3,
        flags: Flags::ADMIN.or(Flags::NOSCRIPT).or(Flags::ANYTIME),
        since: "7.0.0",
        summary: "Spares this connection when memory for clients runs out.",
        complexity: "O(1)",
        syntax: "enabled(ON|OFF)",
        run: Run::Command(client::no_evict),
        ..CONNECTION
    },
    Command {
        name: "no-touch",
        arity: 3,
        flags: Flags::NOSCRIPT.or(Flags::ANYTIME),
        since: "7.2.0",
        summary: "Chooses whether commands of this connection count as use of a key.",
        complexity: "O(1)",
        syntax: "enabled(ON|OFF)",
        run: Run::Command(client::no_touch),
        ..CONNECTION
    },
    Command {
        name: "help",
        arity: 2,
        flags: Flags::ANYTIME,
        since: "5.0.0",
        summary: "Explains the subcommands.",
        complexity: "O(1)",
        run: Run::Command(help),
        ..CONNECTION
    },
];
