//! The definition of a command: the row of the table that describes it, and the context of its function.
//!
//! The rows are in [`table`](crate::table), the functions in [`commands`](crate::commands); both use this module.

use std::borrow::Cow;

use crate::config::Version;
use crate::resp::Args;

mod channel_spec;
mod context;
mod effect;
mod error;
mod flags;
mod key_spec;
pub mod numbers;
mod permission;
pub mod syntax;
mod table;
mod varies;

pub use channel_spec::{ChannelAction, ChannelSpec};
pub use context::{Context, Outcome, Wait};
pub use effect::Effect;
pub use error::Error;
pub use flags::{Categories, Flags};
pub use key_spec::{Begin, Find, FindKeys, KeySpec, KeysError};
pub use table::{Names, Table};
pub use varies::Varies;

/// What runs when a command is called.
#[derive(Clone, Copy)]
pub enum Run {
    /// A function of a command group.
    Command(fn(&mut Context<'_>) -> Outcome),
    /// EXEC: it runs other commands, which the engine does.
    Exec,
    /// CLIENT UNBLOCK: it replies to another client, which the engine does.
    Unblock,
    /// A command for scripts, which run other commands as well.
    Script(Script),
    /// A command that saves or loads all data, of which the engine has a part.
    Saving(Saving),
    /// A container such as `CLIENT`, of which only the subcommands run.
    Container,
}

/// The commands that save and load all data.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Saving {
    /// SAVE.
    Save,
    /// BGSAVE.
    Background,
    /// DEBUG, of which RELOAD does both.
    Debug,
}

/// The commands for scripts that the engine runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Script {
    /// EVAL, EVALSHA and their read-only variants.
    Eval {
        /// The script is given by its SHA-1.
        by_name: bool,
        /// It may not write.
        read_only: bool,
    },
    /// SCRIPT LOAD.
    Load,
    /// SCRIPT EXISTS.
    Exists,
    /// SCRIPT FLUSH.
    Flush,
    /// SCRIPT KILL, or FUNCTION KILL.
    Kill {
        /// It ends a function.
        function: bool,
    },
    /// FCALL and FCALL_RO.
    Call {
        /// It may not write.
        read_only: bool,
    },
    /// FUNCTION.
    Functions(Functions),
}

/// The subcommands of FUNCTION that the engine runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
pub enum Functions {
    Load,
    List,
    Delete,
    Dump,
    Restore,
    Flush,
    Stats,
}

/// The group under which the Redis documentation lists a command.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
pub enum Group {
    Generic,
    String,
    List,
    Set,
    SortedSet,
    Hash,
    Pubsub,
    Transactions,
    Connection,
    Server,
    Stream,
    Bitmap,
    HyperLogLog,
    Geo,
    Scripting,
}

impl Group {
    /// The name of the group in `COMMAND DOCS`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Generic => "generic",
            Self::String => "string",
            Self::List => "list",
            Self::Set => "set",
            Self::SortedSet => "sorted-set",
            Self::Hash => "hash",
            Self::Pubsub => "pubsub",
            Self::Transactions => "transactions",
            Self::Connection => "connection",
            Self::Server => "server",
            Self::Stream => "stream",
            Self::Bitmap => "bitmap",
            Self::HyperLogLog => "hyperloglog",
            Self::Geo => "geo",
            Self::Scripting => "scripting",
        }
    }
}

/// The deprecation of a command.
#[derive(Clone, Copy, Debug)]
pub struct Deprecated {
    /// The version of Redis that deprecated it.
    pub since: &'static str,
    /// The recommended replacement.
    pub instead: &'static str,
}

/// One row of the table.
#[derive(Clone, Copy)]
pub struct Command {
    /// The name in lower case; of a subcommand its own name only (`list`, not `client|list`).
    pub name: &'static str,
    /// The number of arguments with the name; negative: at least its absolute value. A subcommand counts its container.
    pub arity: i32,
    /// The same before Redis 7.2 if it was different, and else 0.
    pub arity_in_7_0: i32,
    /// The properties of the command.
    pub flags: Flags,
    /// The ACL categories. A row gives those that do not follow from the flags; the table has all.
    pub categories: Categories,
    /// The positions of its keys.
    pub keys: &'static [KeySpec],
    /// Finds its keys if no spec can.
    pub find_keys: Option<FindKeys>,
    /// Finds the keys that a client tracks by calling it, if others than those.
    pub find_tracked: Option<FindKeys>,
    /// The positions of its channels.
    pub channels: Option<ChannelSpec>,
    /// Whether the argument of this index is a password or belongs to one, which must not be shown.
    pub is_secret: Option<fn(Args<'_>, usize) -> bool>,
    /// The chapter of the documentation.
    pub group: Group,
    /// The version of Redis that introduced it.
    pub since: &'static str,
    /// One sentence, in our own words.
    pub summary: &'static str,
    /// The cost, such as `O(1)`; empty if there is nothing to say.
    pub complexity: &'static str,
    /// Whether it is deprecated.
    pub deprecated: Option<Deprecated>,
    /// For operators of servers, not for clients, as in COMMAND DOCS.
    pub for_operators: bool,
    /// The arguments in the notation that `COMMAND DOCS` is derived from (see [`syntax`]).
    pub syntax: &'static str,
    /// The tips of `COMMAND INFO`, such as `nondeterministic_output`, separated by spaces.
    pub tips: &'static str,
    /// How its reply differs by nature between two servers, if the tips do not tell.
    pub varies: Option<Varies>,
    /// What it does to its connection, for readers of the traffic.
    pub effect: Option<Effect>,
    /// What runs.
    pub run: Run,
    /// The subcommands of a container. A row gives them as they are; in the table they are those of the table.
    pub subcommands: &'static [Command],
    /// The HELP for its subcommands: for each a line of usage, and lines that begin with spaces.
    pub help: &'static [&'static str],
    /// The values that follow from the others, and from the index in the table.
    pub derived: Derived,
}

/// A fast command with fewer arguments takes less than a millisecond.
const MANY_ARGUMENTS: usize = 64;

/// The values that a row does not contain: the table adds them.
#[derive(Clone, Copy)]
pub struct Derived {
    /// The first of the supported versions that has it.
    first: Version,
    /// The index in the table.
    index: usize,
    /// First key, last key and step, as far as one range covers them.
    legacy_keys: (i32, i32, i32),
    /// From how many arguments on it may take long, see [`Command::may_take_long`].
    long_from: usize,
    /// See [`Command::is_simple`].
    is_simple: bool,
    /// The container of a subcommand.
    container: Option<&'static Command>,
    /// The table.
    table: &'static Table,
}

impl Command {
    /// What a row starts from.
    pub const EMPTY: Self = Self {
        name: "",
        arity: 1,
        arity_in_7_0: 0,
        flags: Flags::NONE,
        categories: Categories::NONE,
        keys: &[],
        find_keys: None,
        find_tracked: None,
        channels: None,
        is_secret: None,
        group: Group::Generic,
        since: "1.0.0",
        summary: "",
        complexity: "",
        deprecated: None,
        for_operators: false,
        syntax: "",
        tips: "",
        varies: None,
        effect: None,
        run: Run::Container,
        subcommands: &[],
        help: &[],
        derived: Derived {
            first: Version::Redis7_0,
            index: 0,
            legacy_keys: (0, 0, 0),
            long_from: 0,
            is_simple: false,
            container: None,
            table: Table::EMPTY,
        },
    };

    /// The row with its index in the table, with all derived values. `subcommands` are those in the table.
    #[must_use]
    pub const fn placed(
        mut self,
        table: &'static Table,
        index: usize,
        container: Option<&'static Self>,
        subcommands: &'static [Self],
    ) -> Self {
        let (legacy_keys, movable) = Self::legacy_range(self.keys);
        if movable {
            self.flags = self.flags.or(Flags::MOVABLE_KEYS);
        }
        self.categories = self.categories.with_implied(self.flags);
        self.subcommands = subcommands;
        let first = Version::having(self.since);
        let long_from = match (self.complexity.as_bytes(), self.flags.contains(Flags::FAST)) {
            (b"O(1)", _) => usize::MAX,
            (_, true) => MANY_ARGUMENTS,
            (_, false) => 0,
        };
        let is_simple = container.is_none() && self.is_about_values();
        self.derived = Derived { first, index, legacy_keys, long_from, is_simple, container, table };
        self
    }

    /// Whether it neither waits nor changes its connection or another, nor what the server does with later commands.
    const fn is_about_values(&self) -> bool {
        const MORE: Flags = Flags::BLOCKING
            .or(Flags::OF_CONNECTION)
            .or(Flags::PUSH_REPLY)
            .or(Flags::RUNS_IN_MULTI)
            .or(Flags::NO_MULTI)
            .or(Flags::NOSCRIPT)
            .or(Flags::ADMIN)
            .or(Flags::COUNTS_AS_USE);
        matches!(self.run, Run::Command(_))
            && self.effect.is_none()
            && !self.flags.intersects(MORE)
            && (self.flags.contains(Flags::FAST) || !self.keys.is_empty())
    }

    /// Whether all that it does is to read or change values, or to send a message, and to answer its client. Such
    /// commands of a pipeline share what is the same for all of them.
    #[must_use]
    #[inline]
    pub const fn is_simple(&self) -> bool {
        self.derived.is_simple
    }

    /// A number of its own for each command and subcommand, below the number of all.
    #[must_use]
    pub const fn index(&self) -> usize {
        self.derived.index
    }

    /// Whether it may take a millisecond with this number of arguments, so that it is worth the time to measure it. A fast
    /// command takes long only with many.
    #[must_use]
    #[inline]
    pub const fn may_take_long(&self, arguments: usize) -> bool {
        arguments >= self.derived.long_from
    }

    /// The name as the server writes it: `get`, or `client|list` for a subcommand.
    #[must_use]
    pub fn full_name(&self) -> Cow<'static, str> {
        match self.container() {
            Some(container) => Cow::Owned(format!("{}|{}", container.name, self.name)),
            None => Cow::Borrowed(self.name),
        }
    }

    /// The container of a subcommand.
    #[must_use]
    pub const fn container(&self) -> Option<&'static Self> {
        self.derived.container
    }

    /// The table of this row.
    #[must_use]
    pub const fn table(&self) -> &'static Table {
        self.derived.table
    }

    /// The subcommand of this name, in either case.
    #[must_use]
    pub fn subcommand(&self, name: &[u8]) -> Option<&'static Self> {
        self.subcommands.iter().find(|known| known.name.as_bytes().eq_ignore_ascii_case(name))
    }

    /// Whether this version of Redis has it.
    #[must_use]
    #[inline]
    pub fn is_in(&self, version: Version) -> bool {
        self.derived.first <= version
    }

    /// Whether it writes, or has an effect that a server sends to its replicas. A script may do either.
    #[must_use]
    pub fn may_write(&self) -> bool {
        self.flags.may_write()
    }

    /// Whether it has subcommands.
    #[must_use]
    pub const fn is_container(&self) -> bool {
        !self.subcommands.is_empty()
    }

    /// Whether it may be called with this number of arguments, its name included.
    #[must_use]
    pub fn accepts(&self, arguments: usize) -> bool {
        accepts(self.arity, arguments)
    }

    /// As [`Command::accepts`], in this version of Redis.
    #[must_use]
    #[inline]
    pub fn accepts_in(&self, version: Version, arguments: usize) -> bool {
        accepts(self.arity_in(version), arguments)
    }

    /// The arity in this version of Redis.
    #[must_use]
    #[inline]
    pub fn arity_in(&self, version: Version) -> i32 {
        if version < Version::Redis7_4 && self.arity_in_7_0 != 0 { self.arity_in_7_0 } else { self.arity }
    }

    /// The first key, the last (negative: counted from the end) and the step, as `COMMAND INFO` shows them; three times
    /// 0 if there are none or no range describes them.
    #[must_use]
    pub const fn legacy_keys(&self) -> (i32, i32, i32) {
        self.derived.legacy_keys
    }
}

/// Whether an arity allows this number of arguments.
fn accepts(arity: i32, arguments: usize) -> bool {
    match usize::try_from(arity) {
        Ok(exactly) => arguments == exactly,
        Err(_) => i32::try_from(arguments).is_ok_and(|arguments| arguments >= -arity),
    }
}
