//! The command table: all properties of each command, in one place.
//!
//! Arity checks, the flags that determine what is allowed when, key positions, ACL categories, `COMMAND
//! INFO`, `COMMAND DOCS`, the hints of redis-cli and the list of commands in the README are all derived from
//! these rows, one file per family.
//!
//! The rows are built at compile time: a broker that starts in microseconds has no time to build tables.
//! Commands that describe the rows access them through their own row.

use crate::spec::{Command, Names, Table};

mod acl;
mod bitmaps;
mod connection;
mod control;
mod geo;
mod hashes;
mod hyperloglog;
mod keys;
mod lists;
mod pubsub;
mod scripting;
mod serialization;
mod server;
mod sets;
mod sorted_sets;
mod streams;
mod strings;
mod transactions;

pub use control::CONTROL;

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
const COUNT: usize = count();

/// All rows; the subcommands of a container follow it. They refer to each other and to the table.
static ROWS: [Command; COUNT] = rows(&ROWS);

/// Their names.
static NAMES: Names = Names::of(&ROWS);

/// The table.
pub static TABLE: Table = Table::new(&ROWS, &NAMES);

const fn count() -> usize {
    let (mut count, mut family) = (0, 0);
    while family < FAMILIES.len() {
        let mut row = 0;
        while row < FAMILIES[family].len() {
            count += 1 + FAMILIES[family][row].subcommands.len();
            row += 1;
        }
        family += 1;
    }
    count
}

// Runs only in the compiler.
#[allow(clippy::large_stack_arrays)]
const fn rows(table: &'static [Command; COUNT]) -> [Command; COUNT] {
    let mut rows = [Command::EMPTY; COUNT];
    let (mut placed, mut family) = (0, 0);
    while family < FAMILIES.len() {
        let mut row = 0;
        while row < FAMILIES[family].len() {
            let command = FAMILIES[family][row];
            let container = &table[placed];
            let (_, behind) = table.split_at(placed + 1);
            let (subcommands, _) = behind.split_at(command.subcommands.len());
            rows[placed] = command.placed(&TABLE, placed, None, subcommands);
            placed += 1;
            let mut subcommand = 0;
            while subcommand < command.subcommands.len() {
                rows[placed] = command.subcommands[subcommand].placed(&TABLE, placed, Some(container), &[]);
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
        for (index, row) in TABLE.all().iter().enumerate() {
            assert_eq!(row.index(), index);
            let name = row.full_name();
            for name in [name.to_lowercase(), name.to_uppercase()] {
                let found = TABLE.lookup_full(name.as_bytes()).map(Command::index);
                assert_eq!(found, Some(index), "{name}");
            }
        }
    }

    #[test]
    fn nothing_else_is_found() {
        let others: &[&[u8]] =
            &[b"", b"ge", b"gett", b"G\x05T", b"\xff", b"|", b"client|", b"get|x", b"client|id|x"];
        for name in others {
            assert!(TABLE.lookup_full(name).is_none(), "{}", name.escape_ascii());
        }
    }

    #[test]
    fn names_of_a_family_stand_once() {
        let mut names: Vec<_> = TABLE.all().iter().map(Command::full_name).collect();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), COUNT);
    }

    #[test]
    fn help_explains_every_subcommand() {
        for row in TABLE.all().iter().filter(|row| row.name != "help") {
            let Some(container) = row.container() else { continue };
            let name = row.name.to_uppercase();
            let is_usage = |line: &&str| line.split(' ').next() == Some(&*name);
            assert!(container.help.iter().any(is_usage), "{}", row.full_name());
        }
    }

    #[test]
    fn commands_are_named_as_they_are_typed() {
        for (name, wanted) in
            [("blpop", "BLPOP"), ("Config  set", "CONFIG SET"), ("client|list", "CLIENT LIST")]
        {
            let found = TABLE.named(name).map(|command| (command.name, command.indices.len()));
            assert_eq!(found, Some((wanted.to_owned(), 1)), "{name}");
        }
        let config = TABLE.named("CONFIG").map_or(0, |command| command.indices.len());
        assert!(config > 4);
        for name in ["", "BLPOPP", "CONFIG STE", "GET x", "CONFIG SET x"] {
            assert_eq!(TABLE.named(name), None, "{name}");
        }
    }
}
