//! Commands as people name them.

use super::lookup;
use crate::testing::faults::CommandName;

/// The command of this name, in either case, for the [scope](crate::testing::faults::Scope) of a fault; `CONFIG SET` (or
/// `config|set`) names a subcommand, `CONFIG` all of them. None if there is no such command.
#[must_use]
pub fn named(name: &str) -> Option<CommandName> {
    let mut words = name.split([' ', '|']).filter(|word| !word.is_empty());
    let mut command = lookup(words.next()?.as_bytes())?;
    let mut last = command.index() + command.subcommands().len();
    if let Some(subcommand) = words.next() {
        command = command.subcommand(subcommand.as_bytes())?;
        last = command.index();
    }
    if words.next().is_some() {
        return None;
    }
    let name = command.full_name().replace('|', " ").to_uppercase();
    Some(CommandName { name, places: command.index()..last + 1 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_named_as_they_are_typed() {
        for (name, wanted) in
            [("blpop", "BLPOP"), ("Config  set", "CONFIG SET"), ("client|list", "CLIENT LIST")]
        {
            let found = named(name).map(|command| (command.name, command.places.len()));
            assert_eq!(found, Some((wanted.to_owned(), 1)), "{name}");
        }
        let config = named("CONFIG").map_or(0, |command| command.places.len());
        assert!(config > 4);
        for name in ["", "BLPOPP", "CONFIG STE", "GET x", "CONFIG SET x"] {
            assert_eq!(named(name), None, "{name}");
        }
    }
}
