//! Rules: how they are written, and what is wrong with a wrong one.

use std::ops::Range;

use crate::data::Bytes;

/// Finds commands by their names.
pub trait CommandNames {
    /// The command, or with `container|name` the subcommand, of this name in lower case.
    fn command(&self, name: &[u8]) -> Option<Named>;
    /// The commands of the category of this name in lower case; a container comes with all of its subcommands.
    fn category(&self, name: &[u8]) -> Option<Vec<Range<usize>>>;
}

/// A command that was found by its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// Its index, followed by those of its subcommands. Empty for a command of redis-server that minibroker has not: it may
    /// be named in rules.
    pub indices: Range<usize>,
    /// It has subcommands.
    pub is_container: bool,
    /// It is a subcommand.
    pub is_subcommand: bool,
}

/// What is wrong with a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RuleError {
    /// No such command or category.
    #[error("Unknown command or category name in ACL")]
    Unknown,
    /// No rule looks like that.
    #[error("Syntax error")]
    Syntax,
    /// A pattern of keys where all keys are allowed.
    #[error(
        "Adding a pattern after the * pattern (or the 'allkeys' flag) is not valid and does not have any effect. Try \
         'resetkeys' to start with an empty list of patterns"
    )]
    AfterAllKeys,
    /// A pattern of channels where all channels are allowed.
    #[error(
        "Adding a pattern after the * pattern (or the 'allchannels' flag) is not valid and does not have any effect. Try \
         'resetchannels' to start with an empty list of channels"
    )]
    AfterAllChannels,
    /// The password to remove is none of the user's.
    #[error("The password you are trying to remove from the user does not exist")]
    NoSuchPassword,
    /// Not a hash.
    #[error(
        "The password hash must be exactly 64 characters and contain only lowercase hexadecimal characters"
    )]
    InvalidHash,
    /// `+container|subcommand|argument`.
    #[error("Allowing first-arg of a subcommand is not supported")]
    ArgumentOfSubcommand,
}

/// The rules with those of a selector joined that are several arguments: `(+get` and `~a)`.
///
/// # Errors
///
/// The argument with the parenthesis that is not closed.
pub fn joined<'a>(rules: impl IntoIterator<Item = &'a [u8]>) -> Result<Vec<Bytes>, Bytes> {
    let mut all: Vec<Bytes> = Vec::new();
    let mut open: Option<(&[u8], Vec<u8>)> = None;
    for rule in rules {
        let (first, text) = match open.take() {
            Some((first, mut text)) => {
                text.push(b' ');
                text.extend_from_slice(rule);
                (first, text)
            }
            None if rule.first() == Some(&b'(') => (rule, rule.to_vec()),
            None => {
                all.push(rule.into());
                continue;
            }
        };
        if rule.last() == Some(&b')') {
            all.push(text.into());
        } else {
            open = Some((first, text));
        }
    }
    match open {
        Some((first, _)) => Err(first.into()),
        None => Ok(all),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_selector_may_be_several_arguments() {
        let join = |rules: &str| {
            let joined = joined(rules.split('|').map(str::as_bytes));
            joined.map(|all| {
                all.iter().map(|rule| String::from_utf8_lossy(rule).into_owned()).collect::<Vec<_>>()
            })
        };
        assert_eq!(
            join("on|(+get|~a|&b)|off|()").expect("it is closed"),
            ["on", "(+get ~a &b)", "off", "()"]
        );
        assert_eq!(join("on|(+get|~a").expect_err("it is open").to_vec(), b"(+get");
    }
}
