//! Which commands a selector allows.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::data::Bytes;

/// The commands that a selector allows, and the rules that say so.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Commands {
    /// All are allowed.
    all: bool,
    /// The rules begin with `+@all`: a command that no other rule names is allowed.
    starts_with_all: bool,
    /// A bit for each command that says whether it is allowed; commands beyond are as the first rule says.
    allowed: Vec<u64>,
    /// The first arguments with which commands are allowed that are not allowed otherwise.
    arguments: BTreeMap<usize, Vec<Bytes>>,
    /// The rules after the first, such as `+get` and `-@fast`.
    rules: Vec<String>,
}

impl Commands {
    /// `+@all` or `-@all`.
    pub fn set_all(&mut self, allow: bool) {
        *self = Self { all: allow, starts_with_all: allow, ..Self::default() };
    }

    /// Allows these commands or not, by the rule of this name in lower case.
    pub fn set(&mut self, name: &str, commands: impl IntoIterator<Item = Range<usize>>, allow: bool) {
        for command in commands.into_iter().flatten() {
            self.set_one(command, allow);
        }
        self.add_rule(name, allow);
    }

    fn set_one(&mut self, command: usize, allow: bool) {
        let (index, bit) = (command / 64, 1 << (command % 64));
        if index >= self.allowed.len() {
            self.allowed.resize(index + 1, if self.starts_with_all { u64::MAX } else { 0 });
        }
        if let Some(word) = self.allowed.get_mut(index) {
            *word = if allow { *word | bit } else { *word & !bit };
        }
        self.all &= allow;
        self.arguments.remove(&command);
    }

    /// Allows a command with this first argument, by the rule of this name in lower case.
    pub fn allow_argument(&mut self, name: &str, command: usize, argument: &[u8]) {
        let arguments = self.arguments.entry(command).or_default();
        if !arguments.iter().any(|known| known.eq_ignore_ascii_case(argument)) {
            arguments.push(argument.into());
        }
        self.add_rule(name, true);
    }

    /// The rule replaces those of the same name and of the subcommands of that name.
    fn add_rule(&mut self, name: &str, allow: bool) {
        self.rules.retain(|rule| {
            let rest = rule.get(1..).and_then(|rule| rule.strip_prefix(name));
            !rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('|'))
        });
        self.rules.push((if allow { "+" } else { "-" }).to_owned() + name);
    }

    /// Whether a command may be called with this first argument.
    pub fn allow(&self, command: usize, argument: Option<&[u8]>) -> bool {
        if self.all {
            return true;
        }
        let word = self.allowed.get(command / 64);
        if word.map_or(self.starts_with_all, |word| word & 1 << (command % 64) != 0) {
            return true;
        }
        let allowed = self.arguments.get(&command).zip(argument);
        allowed.is_some_and(|(allowed, argument)| {
            allowed.iter().any(|known| known.eq_ignore_ascii_case(argument))
        })
    }

    /// Whether all commands are allowed, without a look at each.
    pub fn are_all_allowed(&self) -> bool {
        self.all
    }

    /// The rules, as `-@all +get`.
    pub fn rules(&self) -> String {
        let first = if self.starts_with_all { "+@all" } else { "-@all" };
        self.rules.iter().fold(first.to_owned(), |rules, rule| rules + " " + rule)
    }
}
