//! A selector: commands that may be called, with the keys and channels that they may name.

use super::commands::Commands;
use super::rule::{CommandNames, Named, RuleError};
use crate::data::{Bytes, pattern};

/// What a selector allows. A user has one selector outside of parentheses and any number in parentheses. A call must be
/// allowed as a whole by one of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selector {
    commands: Commands,
    all_keys: bool,
    keys: Vec<KeyPattern>,
    all_channels: bool,
    channels: Vec<Bytes>,
}

/// Keys that may be read, written, or both.
#[derive(Clone, Debug, PartialEq, Eq)]
struct KeyPattern {
    pattern: Bytes,
    read: bool,
    write: bool,
}

/// A key in a call, and what the command does with its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyUse<'a> {
    /// The argument.
    pub position: usize,
    /// The key.
    pub key: &'a [u8],
    /// The value is returned or copied.
    pub read: bool,
    /// The value is added to, changed or removed.
    pub write: bool,
}

/// The call of a command.
#[derive(Clone, Debug, Default)]
pub struct Call<'a> {
    /// The index of the command.
    pub command: usize,
    /// Every user may call it, as AUTH.
    pub is_open: bool,
    /// The argument after the name.
    pub argument: Option<&'a [u8]>,
    /// The keys.
    pub keys: Vec<KeyUse<'a>>,
    /// The channels, or the patterns, with their positions among the arguments.
    pub channels: Vec<(usize, &'a [u8])>,
    /// The channels are patterns: each must be allowed as it is written.
    pub are_patterns: bool,
}

/// Why a call is not allowed. The later one is reported if selectors have different reasons.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Denial {
    /// The command.
    Command,
    /// The key at this position among the arguments.
    Key(usize),
    /// The channel at this position.
    Channel(usize),
}

impl Selector {
    /// Everything is allowed.
    pub(super) fn unrestricted() -> Self {
        let mut selector = Self { all_keys: true, all_channels: true, ..Self::default() };
        selector.commands.set_all(true);
        selector
    }

    /// Whether everything is allowed.
    #[must_use]
    pub fn is_unrestricted(&self) -> bool {
        self.commands.are_all_allowed() && self.all_keys && self.all_channels
    }

    /// Whether all keys are allowed.
    #[must_use]
    pub fn has_all_keys(&self) -> bool {
        self.all_keys
    }

    /// Whether all channels are allowed.
    #[must_use]
    pub fn has_all_channels(&self) -> bool {
        self.all_channels
    }

    /// The patterns of channels that are allowed if not all are.
    #[must_use]
    pub fn channels(&self) -> &[Bytes] {
        &self.channels
    }

    /// Allows all channels, or none, as `acl-pubsub-default` says.
    pub(super) fn with_all_channels(self, all_channels: bool) -> Self {
        Self { all_channels, ..self }
    }

    /// Applies a rule.
    pub(super) fn apply(&mut self, rule: &[u8], names: &dyn CommandNames) -> Result<(), RuleError> {
        match (rule, rule.to_ascii_lowercase().as_slice()) {
            (_, b"allkeys" | b"~*") => (self.all_keys, self.keys) = (true, Vec::new()),
            (_, b"resetkeys") => (self.all_keys, self.keys) = (false, Vec::new()),
            (_, b"allchannels" | b"&*") => (self.all_channels, self.channels) = (true, Vec::new()),
            (_, b"resetchannels") => (self.all_channels, self.channels) = (false, Vec::new()),
            (_, b"allcommands" | b"+@all") => self.commands.set_all(true),
            (_, b"nocommands" | b"-@all") => self.commands.set_all(false),
            ([b'~' | b'%', ..], _) => self.add_keys(rule)?,
            ([b'&', channels @ ..], _) => self.add_channels(channels)?,
            ([sign @ (b'+' | b'-'), ..], [_, b'@', category @ ..]) => {
                let commands = names.category(category).ok_or(RuleError::Unknown)?;
                self.commands.set(&text_of(&[b"@", category].concat()), commands, *sign == b'+');
            }
            ([b'+', ..], [_, name @ ..]) => self.allow_command(name, names)?,
            ([b'-', ..], [_, name @ ..]) => {
                let command = names.command(name).ok_or(RuleError::Unknown)?;
                self.commands.set(&text_of(name), [command.indices], false);
            }
            _ => return Err(RuleError::Syntax),
        }
        Ok(())
    }

    /// `+command`, `+container|subcommand`, or `+command|argument`.
    fn allow_command(&mut self, name: &[u8], names: &dyn CommandNames) -> Result<(), RuleError> {
        if let Some(Named { indices, .. }) = names.command(name) {
            self.commands.set(&text_of(name), [indices], true);
            return Ok(());
        }
        let bar = name.iter().rposition(|byte| *byte == b'|').ok_or(RuleError::Unknown)?;
        let command = names.command(name.get(..bar).unwrap_or_default()).ok_or(RuleError::Unknown)?;
        if command.is_subcommand {
            return Err(RuleError::ArgumentOfSubcommand);
        }
        let argument = name.get(bar + 1..).unwrap_or_default();
        if argument.is_empty() {
            return Err(RuleError::Syntax);
        }
        if command.is_container {
            return Err(RuleError::Unknown);
        }
        self.commands.allow_argument(&text_of(name), command.indices.start, argument);
        Ok(())
    }

    /// `~pattern`, `%R~pattern`, `%W~pattern` or `%RW~pattern`.
    fn add_keys(&mut self, rule: &[u8]) -> Result<(), RuleError> {
        if self.all_keys {
            return Err(RuleError::AfterAllKeys);
        }
        let (mut read, mut write) = (false, false);
        let mut rest = rule;
        let pattern = loop {
            rest = match rest {
                [b'~', pattern @ ..] if read || write || rest.len() == rule.len() => break pattern,
                [b'%', rest @ ..] if rest.len() + 1 == rule.len() => rest,
                [b'r' | b'R', rest @ ..] if !read => {
                    read = true;
                    rest
                }
                [b'w' | b'W', rest @ ..] if !write => {
                    write = true;
                    rest
                }
                // As redis-server, `%` and `%R` without `~` end here and are a pattern without a name.
                [] if read || write => break rest,
                _ => return Err(RuleError::Syntax),
            };
        };
        if has_spaces(pattern) {
            return Err(RuleError::Syntax);
        }
        if rule.first() == Some(&b'~') {
            (read, write) = (true, true);
        }
        match self.keys.iter_mut().find(|known| *known.pattern == *pattern) {
            Some(known) => (known.read, known.write) = (known.read | read, known.write | write),
            None => self.keys.push(KeyPattern { pattern: pattern.into(), read, write }),
        }
        Ok(())
    }

    /// `&pattern`.
    fn add_channels(&mut self, pattern: &[u8]) -> Result<(), RuleError> {
        if self.all_channels {
            return Err(RuleError::AfterAllChannels);
        }
        if has_spaces(pattern) {
            return Err(RuleError::Syntax);
        }
        if !self.channels.iter().any(|known| **known == *pattern) {
            self.channels.push(pattern.into());
        }
        Ok(())
    }

    /// Checks a call.
    pub(super) fn check(&self, call: &Call<'_>) -> Result<(), Denial> {
        if !call.is_open && !self.commands.allow(call.command, call.argument) {
            return Err(Denial::Command);
        }
        if let Some(key) = call.keys.iter().find(|key| !self.allows_key(key)) {
            return Err(Denial::Key(key.position));
        }
        let channel = call.channels.iter().find(|(_, name)| !self.allows_channel(name, call.are_patterns));
        match channel {
            Some((position, _)) => Err(Denial::Channel(*position)),
            None => Ok(()),
        }
    }

    /// Whether a key may be used so.
    pub(super) fn allows_key(&self, used: &KeyUse<'_>) -> bool {
        self.all_keys
            || self.keys.iter().any(|known| {
                (known.read || !used.read)
                    && (known.write || !used.write)
                    && pattern::matches(&known.pattern, used.key, false)
            })
    }

    /// Whether a command may read all keys.
    pub(super) fn may_read_all_keys(&self, command: usize, argument: Option<&[u8]>) -> bool {
        let has_all = self.all_keys || self.keys.iter().any(|known| known.read && *known.pattern == *b"*");
        has_all && self.commands.allow(command, argument)
    }

    /// Whether a channel, or a pattern of channels, may be named.
    pub(super) fn allows_channel(&self, name: &[u8], is_pattern: bool) -> bool {
        self.all_channels
            || self
                .channels
                .iter()
                .any(|known| if is_pattern { **known == *name } else { pattern::matches(known, name, false) })
    }

    /// The rules for commands.
    #[must_use]
    pub fn command_rules(&self) -> String {
        self.commands.rules()
    }

    /// The rules for keys, separated by spaces.
    #[must_use]
    pub fn key_rules(&self) -> Vec<u8> {
        if self.all_keys {
            return b"~*".to_vec();
        }
        let rule = |known: &KeyPattern| {
            let prefix = match (known.read, known.write) {
                (true, false) => b"%R~".as_slice(),
                (false, true) => b"%W~",
                _ => b"~",
            };
            [prefix, &known.pattern].concat()
        };
        self.keys.iter().map(rule).collect::<Vec<_>>().join(&b' ')
    }

    /// The rules for channels, separated by spaces.
    #[must_use]
    pub fn channel_rules(&self) -> Vec<u8> {
        if self.all_channels {
            return b"&*".to_vec();
        }
        let rules = self.channels.iter().map(|known| [b"&", &**known].concat());
        rules.collect::<Vec<_>>().join(&b' ')
    }

    /// All rules, from which the selector can be made again.
    #[must_use]
    pub fn rules(&self) -> Vec<u8> {
        let mut rules = self.key_rules();
        let mut add = |rule: &[u8]| {
            if !rules.is_empty() && !rule.is_empty() {
                rules.push(b' ');
            }
            rules.extend_from_slice(rule);
        };
        if !self.all_channels {
            add(b"resetchannels");
        }
        add(&self.channel_rules());
        add(self.command_rules().as_bytes());
        rules
    }
}

/// Whether a text has spaces or zero bytes, which names and patterns may not have, as rules are written with spaces between
/// them.
pub(super) fn has_spaces(text: &[u8]) -> bool {
    text.iter().any(|byte| matches!(byte, 0 | b' ' | b'\t'..=b'\r'))
}

/// The name of a command or category, which is ASCII.
fn text_of(name: &[u8]) -> String {
    String::from_utf8_lossy(name).into_owned()
}
