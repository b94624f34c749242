//! The command table: everything that is known about a command, said once.
//!
//! Arity checks, the flags that decide what is allowed when, key positions, ACL categories, `COMMAND
//! INFO`, `COMMAND DOCS`, the hints of redis-cli and the list of commands in the README are all derived
//! from these rows. The rows stand in one file a family below `table/`.
//!
//! The rows are put together when the program is compiled: a broker that starts in microseconds has no time
//! to build tables.

use std::borrow::Cow;

use super::{Context, Outcome};
use crate::config::Version;

mod bitmaps;
mod connection;
mod control;
mod flags;
mod geo;
mod hashes;
mod hyperloglog;
mod key_spec;
mod keys;
mod lists;
mod named;
mod pubsub;
mod scripting;
mod serialization;
mod server;
mod sets;
mod sorted_sets;
mod streams;
mod strings;
pub mod syntax;
mod transactions;

pub use control::CONTROL;
pub use flags::{Categories, Flags};
pub use key_spec::{Begin, Find, KeySpec, KeysError};
pub use named::named;

/// What runs when a command is called.
#[derive(Clone, Copy)]
pub enum Run {
    /// A function of one of the families.
    Command(fn(&mut Context<'_>) -> Outcome),
    /// EXEC: it calls back into the dispatcher and so is run by the engine.
    Exec,
    /// A command for scripts: they call back into the dispatcher, too.
    Script(Script),
    /// A container such as `CLIENT`, of which only the subcommands run.
    Container,
}

/// The commands for scripts that the engine runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Script {
    /// EVAL and its relatives.
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
    /// SCRIPT KILL and FUNCTION KILL.
    Kill,
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

/// That a command is out of favour.
#[derive(Clone, Copy, Debug)]
pub struct Deprecated {
    /// Since which version of Redis.
    pub since: &'static str,
    /// What is recommended in its place.
    pub instead: &'static str,
}

/// One row of the table.
#[derive(Clone, Copy)]
pub struct Command {
    /// The name in lower case; of a subcommand its own name only (`list`, not `client|list`).
    pub name: &'static str,
    /// The number of arguments with the name; negative: at least so many. A subcommand counts its container.
    pub arity: i32,
    /// The same before Redis 7.2 where it was another one, and else 0.
    pub arity_in_7_0: i32,
    /// What the command is like.
    pub flags: Flags,
    /// The ACL categories. A row gives those that do not follow from the flags; the table has all.
    pub categories: Categories,
    /// Where its keys are.
    pub keys: &'static [KeySpec],
    /// The chapter of the documentation.
    pub group: Group,
    /// The version of Redis that brought it.
    pub since: &'static str,
    /// One sentence, in our own words.
    pub summary: &'static str,
    /// The cost, as in `O(1)`; empty where there is nothing to say.
    pub complexity: &'static str,
    /// Whether it is out of favour.
    pub deprecated: Option<Deprecated>,
    /// For those who work on servers, not for clients, as COMMAND DOCS tells.
    pub for_operators: bool,
    /// The arguments in the notation that `COMMAND DOCS` is derived from (see [`syntax`]).
    pub syntax: &'static str,
    /// The tips of `COMMAND INFO`, such as `nondeterministic_output`, separated by spaces.
    pub tips: &'static str,
    /// What runs.
    pub run: Run,
    /// The subcommands of a container as its row has them; what others see is [`Command::subcommands`].
    subcommands: &'static [Command],
    /// The first of the versions that we speak which has it.
    first: Version,
    /// The place in the table.
    index: usize,
    /// The place of the container in the table, of a subcommand.
    container: Option<usize>,
    /// First key, last key and step, as far as one range can tell.
    legacy_keys: (i32, i32, i32),
}

impl Command {
    /// What a row starts from.
    const EMPTY: Self = Self {
        name: "",
        arity: 1,
        arity_in_7_0: 0,
        flags: Flags::NONE,
        categories: Categories::NONE,
        keys: &[],
        group: Group::Generic,
        since: "1.0.0",
        summary: "",
        complexity: "",
        deprecated: None,
        for_operators: false,
        syntax: "",
        tips: "",
        run: Run::Container,
        subcommands: &[],
        first: Version::Redis7_0,
        index: 0,
        container: None,
        legacy_keys: (0, 0, 0),
    };

    /// The row in its place in the table, with everything that follows from what it says.
    const fn placed(mut self, index: usize, container: Option<usize>) -> Self {
        let (legacy_keys, movable) = Self::legacy_range(self.keys);
        if movable {
            self.flags = self.flags.or(Flags::MOVABLE_KEYS);
        }
        self.categories = self.categories.with_implied(self.flags);
        self.legacy_keys = legacy_keys;
        self.first = Version::having(self.since);
        self.index = index;
        self.container = container;
        self
    }

    /// A number of its own for each command and subcommand, below [`COUNT`].
    #[must_use]
    pub const fn index(&self) -> usize {
        self.index
    }

    /// The name as the server writes it: `get`, and `client|list` of a subcommand.
    #[must_use]
    pub fn full_name(&self) -> Cow<'static, str> {
        match self.container() {
            Some(container) => Cow::Owned(format!("{}|{}", container.name, self.name)),
            None => Cow::Borrowed(self.name),
        }
    }

    /// The container of a subcommand.
    #[must_use]
    pub fn container(&self) -> Option<&'static Self> {
        ROWS.get(self.container?)
    }

    /// The subcommands of a container.
    #[must_use]
    pub fn subcommands(&self) -> &'static [Self] {
        ROWS.get(self.index + 1..=self.index + self.subcommands.len()).unwrap_or_default()
    }

    /// The subcommand of this name, in either case.
    #[must_use]
    pub fn subcommand(&self, name: &[u8]) -> Option<&'static Self> {
        self.subcommands().iter().find(|known| known.name.as_bytes().eq_ignore_ascii_case(name))
    }

    /// Whether this version of Redis has it.
    #[must_use]
    #[inline]
    pub fn is_in(&self, version: Version) -> bool {
        self.first <= version
    }

    /// Whether it writes, or has an effect that a server sends to its replicas. A script may do either.
    #[must_use]
    pub fn may_write(&self) -> bool {
        self.flags.intersects(Flags::WRITE.or(Flags::PROPAGATED))
    }

    /// Whether it has subcommands.
    #[must_use]
    pub const fn is_container(&self) -> bool {
        !self.subcommands.is_empty()
    }

    /// Whether it may be called with so many arguments, its name included.
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

    /// The first key, the last (negative: counted from the end) and the step, as `COMMAND INFO` shows them;
    /// three times 0 if there are none or they have to be found otherwise.
    #[must_use]
    pub const fn legacy_keys(&self) -> (i32, i32, i32) {
        self.legacy_keys
    }
}

/// Whether an arity allows so many arguments.
fn accepts(arity: i32, arguments: usize) -> bool {
    match usize::try_from(arity) {
        Ok(exactly) => arguments == exactly,
        Err(_) => i32::try_from(arguments).is_ok_and(|arguments| arguments >= -arity),
    }
}

/// All families.
const FAMILIES: &[&[Command]] = &[
    strings::COMMANDS,
    bitmaps::COMMANDS,
    hyperloglog::COMMANDS,
    keys::COMMANDS,
    serialization::COMMANDS,
    lists::COMMANDS,
    sets::COMMANDS,
    sorted_sets::COMMANDS,
    geo::COMMANDS,
    hashes::COMMANDS,
    streams::COMMANDS,
    pubsub::COMMANDS,
    transactions::COMMANDS,
    scripting::COMMANDS,
    connection::COMMANDS,
    server::COMMANDS,
];

/// The number of commands and subcommands.
pub const COUNT: usize = count(true);

/// The number of commands without subcommands: what `COMMAND COUNT` answers.
pub const TOP_LEVEL: usize = count(false);

/// All rows; the subcommands of a container follow it.
static ROWS: [Command; COUNT] = rows();

/// Every command and subcommand in the order of [`Command::index`].
#[must_use]
pub fn all() -> &'static [Command] {
    &ROWS
}

/// Every command, without subcommands.
pub fn commands() -> impl Iterator<Item = &'static Command> {
    ROWS.iter().filter(|row| row.container.is_none())
}

/// The command of this name, in either case.
#[must_use]
#[inline(always)]
#[allow(clippy::inline_always)] // Half the cost of a short command otherwise.
pub fn lookup(name: &[u8]) -> Option<&'static Command> {
    let packed = packed(name);
    let mut at = place(packed, name.len());
    loop {
        let slot = SLOTS.get(at % SLOT_COUNT)?;
        if slot.packed == packed && usize::from(slot.length) == name.len() {
            // An empty slot holds no row's number.
            let row = ROWS.get(usize::from(slot.row))?;
            if name.len() <= size_of::<u64>() || row.name.as_bytes().eq_ignore_ascii_case(name) {
                return Some(row);
            }
        } else if slot.length == 0 {
            return None;
        }
        at += 1;
    }
}

/// The command or subcommand of this full name (`client|list`), in either case.
#[must_use]
pub fn lookup_full(name: &[u8]) -> Option<&'static Command> {
    match name.iter().position(|byte| *byte == b'|') {
        Some(bar) => lookup(name.get(..bar)?)?.subcommand(name.get(bar + 1..)?),
        None => lookup(name),
    }
}

/// A power of two, several times the number of commands: most names are found at the first look.
const SLOT_COUNT: usize = 1024;

/// A place in the table of names.
#[derive(Clone, Copy)]
struct Slot {
    /// See [`packed`].
    packed: u64,
    /// The length of the name; 0 where there is none.
    length: u8,
    /// The number of the row.
    row: u16,
}

impl Slot {
    const EMPTY: Self = Self { packed: 0, length: 0, row: u16::MAX };
}

/// Each row at the place that its name gives, or at the next that was free.
static SLOTS: [Slot; SLOT_COUNT] = slots();

/// A name in lower case as one number, which looks at no byte by itself. Two names of one length up to eight bytes
/// have the same number only if they are the same; longer ones may.
#[inline]
const fn packed(name: &[u8]) -> u64 {
    match (name.first_chunk(), name.last_chunk()) {
        (Some(first), Some(last)) => {
            let (first, last) = (u64::from_le_bytes(*first), u64::from_le_bytes(*last));
            lower_case(first)
                ^ if name.len() > size_of::<u64>() { lower_case(last).rotate_left(29) } else { 0 }
        }
        _ => lower_case(packed_short(name)),
    }
}

/// The bytes of a name that is shorter than eight bytes, some of them twice.
#[inline]
const fn packed_short(name: &[u8]) -> u64 {
    match (name.first_chunk(), name.last_chunk()) {
        (Some(first), Some(last)) => {
            (u32::from_le_bytes(*first) as u64) | (u32::from_le_bytes(*last) as u64) << 32
        }
        _ => match *name {
            [one, two, three] => u64::from_le_bytes([one, two, three, 0, 0, 0, 0, 0]),
            [one, two] => u64::from_le_bytes([one, two, 0, 0, 0, 0, 0, 0]),
            [one] => one as u64,
            _ => 0,
        },
    }
}

/// Eight bytes with the letters A to Z among them in lower case.
#[inline]
const fn lower_case(bytes: u64) -> u64 {
    const EACH: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x80 * EACH;
    let low_bits = bytes & !HIGH;
    // The high bit of each byte that is at least `A`, and of each beyond `Z`.
    let from_a = low_bits + (0x80 - b'A' as u64) * EACH;
    let beyond_z = low_bits + (0x7f - b'Z' as u64) * EACH;
    let upper = (from_a ^ beyond_z) & !bytes & HIGH;
    bytes | upper >> 2
}

/// Where a name is looked for.
#[inline]
const fn place(packed: u64, length: usize) -> usize {
    /// An odd number without a pattern: the upper half of the product depends on all bytes.
    const MIX: u64 = 0x9e37_79b9_7f4a_7c15;
    let mixed = packed.wrapping_add(length as u64).wrapping_mul(MIX) >> 32;
    // The number is cut to the bits that are used.
    #[allow(clippy::cast_possible_truncation)]
    let place = mixed as usize;
    place % SLOT_COUNT
}

const fn slots() -> [Slot; SLOT_COUNT] {
    let mut slots = [Slot::EMPTY; SLOT_COUNT];
    let rows = rows();
    let mut row = 0;
    while row < COUNT {
        if rows[row].container.is_none() {
            let name = rows[row].name.as_bytes();
            let packed = packed(name);
            let mut at = place(packed, name.len());
            while slots[at % SLOT_COUNT].length > 0 {
                at += 1;
            }
            // There are fewer rows than slots, and no name is longer than a line.
            #[allow(clippy::cast_possible_truncation)]
            let slot = Slot { packed, length: name.len() as u8, row: row as u16 };
            slots[at % SLOT_COUNT] = slot;
        }
        row += 1;
    }
    slots
}

const fn count(with_subcommands: bool) -> usize {
    let (mut count, mut family) = (0, 0);
    while family < FAMILIES.len() {
        let mut row = 0;
        while row < FAMILIES[family].len() {
            count += 1;
            if with_subcommands {
                count += FAMILIES[family][row].subcommands.len();
            }
            row += 1;
        }
        family += 1;
    }
    count
}

// Runs in the compiler only.
#[allow(clippy::large_stack_arrays)]
const fn rows() -> [Command; COUNT] {
    let mut rows = [Command::EMPTY; COUNT];
    let (mut placed, mut family) = (0, 0);
    while family < FAMILIES.len() {
        let mut row = 0;
        while row < FAMILIES[family].len() {
            let command = FAMILIES[family][row];
            let container = placed;
            rows[placed] = command.placed(placed, None);
            placed += 1;
            let mut subcommand = 0;
            while subcommand < command.subcommands.len() {
                rows[placed] = command.subcommands[subcommand].placed(placed, Some(container));
                placed += 1;
                subcommand += 1;
            }
            row += 1;
        }
        family += 1;
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_found_by_its_name_in_either_case() {
        for (place, row) in all().iter().enumerate() {
            assert_eq!(row.index(), place);
            let name = row.full_name();
            for name in [name.to_lowercase(), name.to_uppercase()] {
                let found = lookup_full(name.as_bytes()).map(Command::index);
                assert_eq!(found, Some(place), "{name}");
            }
        }
        assert_eq!(commands().count(), TOP_LEVEL);
    }

    #[test]
    fn nothing_else_is_found() {
        let others: &[&[u8]] =
            &[b"", b"ge", b"gett", b"G\x05T", b"\xff", b"|", b"client|", b"get|x", b"client|id|x"];
        for name in others {
            assert!(lookup_full(name).is_none(), "{}", name.escape_ascii());
        }
    }

    #[test]
    fn names_of_a_family_stand_once() {
        let mut names: Vec<_> = all().iter().map(Command::full_name).collect();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), COUNT);
    }
}
