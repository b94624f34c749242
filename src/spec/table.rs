//! The table: the rows of all commands, found by their names.

use super::Command;
use crate::config::Version;
use crate::resp::Args;
use crate::testing::faults::CommandName;

/// All rows with an index of their names.
pub struct Table {
    rows: &'static [Command],
    names: &'static Names,
}

/// The position of the row for each name: built at compile time, as a broker that starts in microseconds has no time to
/// build tables.
pub struct Names([Slot; SLOT_COUNT]);

impl Table {
    /// The table of a row that is in none.
    pub(super) const EMPTY: &'static Self = &Self::new(&[], &Names([Slot::EMPTY; SLOT_COUNT]));

    /// A table of these rows, each followed by its subcommands.
    #[must_use]
    pub const fn new(rows: &'static [Command], names: &'static Names) -> Self {
        Self { rows, names }
    }

    /// Every command and subcommand in the order of [`Command::index`].
    #[must_use]
    pub const fn all(&self) -> &'static [Command] {
        self.rows
    }

    /// Every command, without subcommands.
    pub fn commands(&self) -> impl Iterator<Item = &'static Command> + use<> {
        self.rows.iter().filter(|row| row.container().is_none())
    }

    /// The command of this name, in either case.
    #[must_use]
    #[inline(always)]
    #[allow(clippy::inline_always)] // Half the cost of a short command otherwise.
    pub fn lookup(&self, name: &[u8]) -> Option<&'static Command> {
        let packed = packed(name);
        let mut at = slot(packed, name.len());
        loop {
            let slot = self.names.0.get(at % SLOT_COUNT)?;
            if slot.packed == packed && usize::from(slot.length) == name.len() {
                // An empty slot contains no row's number.
                let row = self.rows.get(usize::from(slot.row))?;
                if name.len() <= size_of::<u64>() || row.name.as_bytes().eq_ignore_ascii_case(name) {
                    return Some(row);
                }
            } else if slot.length == 0 {
                return None;
            }
            at += 1;
        }
    }

    /// The row that a request names: for a container with an argument after it, the subcommand. None if this version of
    /// Redis does not have it.
    #[must_use]
    #[inline(always)]
    #[allow(clippy::inline_always)] // See `lookup`.
    pub fn find(&self, args: Args<'_>, version: Version) -> Option<&'static Command> {
        let command = self.lookup(&args[0]).filter(|command| command.is_in(version))?;
        match args.get(1) {
            Some(name) if command.is_container() => {
                command.subcommand(name).filter(|found| found.is_in(version))
            }
            _ => Some(command),
        }
    }

    /// The command or subcommand of this full name (`client|list`), in either case.
    #[must_use]
    pub fn lookup_full(&self, name: &[u8]) -> Option<&'static Command> {
        match name.iter().position(|byte| *byte == b'|') {
            Some(bar) => self.lookup(name.get(..bar)?)?.subcommand(name.get(bar + 1..)?),
            None => self.lookup(name),
        }
    }

    /// The command of this name, in either case, for the [scope](crate::testing::faults::Scope) of a fault; `CONFIG SET` (or
    /// `config|set`) names a subcommand, `CONFIG` all of them. None if there is no such command.
    #[must_use]
    pub fn named(&self, name: &str) -> Option<CommandName> {
        let mut words = name.split([' ', '|']).filter(|word| !word.is_empty());
        let mut command = self.lookup(words.next()?.as_bytes())?;
        let mut last = command.index() + command.subcommands.len();
        if let Some(subcommand) = words.next() {
            command = command.subcommand(subcommand.as_bytes())?;
            last = command.index();
        }
        if words.next().is_some() {
            return None;
        }
        let name = command.full_name().replace('|', " ").to_uppercase();
        Some(CommandName { name, indices: command.index()..last + 1 })
    }
}

/// A power of two, several times the number of commands: most names are found in the first slot.
const SLOT_COUNT: usize = 1024;

/// A slot of the table of names.
#[derive(Clone, Copy)]
struct Slot {
    /// See [`packed`].
    packed: u64,
    /// The length of the name; 0 if there is none.
    length: u8,
    /// The number of the row.
    row: u16,
}

impl Slot {
    const EMPTY: Self = Self { packed: 0, length: 0, row: u16::MAX };
}

impl Names {
    /// Each row in the slot of its name, or in the next free one.
    #[must_use]
    pub const fn of(rows: &[Command]) -> Self {
        let mut slots = [Slot::EMPTY; SLOT_COUNT];
        let mut row = 0;
        while row < rows.len() {
            if rows[row].container().is_none() {
                let name = rows[row].name.as_bytes();
                let packed = packed(name);
                let mut at = slot(packed, name.len());
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
        Self(slots)
    }
}

/// A name in lower case as one number, computed without a loop over its bytes. Two names of one length up to eight
/// bytes have the same number only if they are equal; longer ones may have the same number.
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

/// Eight bytes with the letters A to Z converted to lower case.
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

/// The first slot for a name.
#[inline]
const fn slot(packed: u64, length: usize) -> usize {
    /// An odd number without a pattern: the upper half of the product depends on all bytes.
    const MIX: u64 = 0x9e37_79b9_7f4a_7c15;
    let mixed = packed.wrapping_add(length as u64).wrapping_mul(MIX) >> 32;
    // The number is truncated to the bits that are used.
    #[allow(clippy::cast_possible_truncation)]
    let slot = mixed as usize;
    slot % SLOT_COUNT
}
