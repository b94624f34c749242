//! Faults that a test causes: rules that say which commands and messages are affected, when, and how.
//!
//! A rule is plain data. The engine checks every command and every delivery here as long as there are rules; without
//! rules this costs one branch.

use crate::clients::{Consequence, FaultId, PendingFault};

mod messages;
mod words;

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

pub use messages::{Delivery, MessageFate, OnTheWay};

use crate::clients::Client;
use crate::data::Bytes;
use crate::data::pattern;

/// One fault.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// What can be affected.
    pub scope: Scope,
    /// Which occurrences are affected.
    pub when: When,
    /// What happens to it.
    pub action: Action,
}

/// What can be affected: what matches every list that is not empty. A list matches if one of its entries does.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scope {
    /// These commands.
    pub commands: Vec<CommandName>,
    /// Commands of these clients, or messages to them: by number, name or address.
    pub clients: Vec<String>,
    /// Commands with a key that matches one of these patterns.
    pub keys: Vec<Bytes>,
    /// Messages on these channels, or commands that name one of them.
    pub channels: Vec<Channel>,
}

/// A command, or a container with all its subcommands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandName {
    /// The name as it is shown: `CONFIG SET`.
    pub name: String,
    /// Its indices in the command table.
    pub indices: Range<usize>,
}

/// Channels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Channel {
    /// The one of this name.
    Named(Bytes),
    /// All that match.
    Like(Bytes),
}

impl Channel {
    /// True if this channel matches.
    #[must_use]
    pub fn includes(&self, channel: &[u8]) -> bool {
        match self {
            Self::Named(name) => **name == *channel,
            Self::Like(glob) => pattern::matches(glob, channel, false),
        }
    }
}

/// Which occurrences in the scope are hit, counted since the rule was added.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum When {
    /// All.
    #[default]
    Always,
    /// This one only, from 1.
    Nth(u64),
    /// This one, twice this one, and so on.
    Every(u64),
    /// Each with this probability, from 0 to 1.
    Probability(f64),
}

/// What happens at a hit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// The reply is this error, and the command does not run.
    Error(Bytes),
    /// The command is delayed for this long before it runs.
    Delay(Duration),
    /// The connection is closed before the command runs.
    Disconnect,
    /// The command runs, and the connection is closed after this many bytes of the reply.
    LoseReply(usize),
    /// The reply is that of a server in this state.
    Simulate(SimulatedState),
    /// The message is not sent.
    Drop,
    /// The message is sent twice.
    Duplicate,
    /// The message is sent this much later.
    DelayMessage(Duration),
}

impl Action {
    /// True if the action applies to messages, false if to commands.
    #[must_use]
    pub const fn is_of_messages(&self) -> bool {
        matches!(self, Self::Drop | Self::Duplicate | Self::DelayMessage(_))
    }
}

/// A state in which a server refuses commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SimulatedState {
    /// It asks for a password.
    NoAuth,
    /// Its memory is full.
    OutOfMemory,
    /// It is a replica.
    ReadOnly,
    /// It reads its data set from the disk.
    Loading,
    /// It runs a script that does not end.
    Busy,
}

impl SimulatedState {
    /// The error of redis-server in this state.
    #[must_use]
    pub const fn error(self) -> &'static str {
        match self {
            Self::NoAuth => "NOAUTH Authentication required.",
            Self::OutOfMemory => "OOM command not allowed when used memory > 'maxmemory'.",
            Self::ReadOnly => "READONLY You can't write against a read only replica.",
            Self::Loading => "LOADING Redis is loading the dataset in memory",
            Self::Busy => {
                "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE."
            }
        }
    }
}

/// A command that was received.
#[derive(Debug)]
pub struct Subject<'a> {
    /// Its index in the command table.
    pub command: usize,
    /// The client that has sent it.
    pub client: &'a Client,
    /// Its keys.
    pub keys: Vec<&'a [u8]>,
    /// The channels that it names.
    pub channels: Vec<&'a [u8]>,
}

/// A rule that is in force.
#[derive(Debug)]
struct Active {
    id: FaultId,
    rule: Rule,
    /// The number of the last event before the rule was added.
    since: u64,
    /// How often something in its scope has occurred.
    matches: u64,
    hits: u64,
}

/// All rules that are in force, and the messages that they hold back.
#[derive(Debug)]
pub struct Faults {
    rules: Vec<Active>,
    last_id: u64,
    /// How many rules are about commands.
    of_commands: usize,
    /// How many rules are about messages.
    of_messages: usize,
    /// Separate from that of the commands, so that their random choices stay the same.
    random: fastrand::Rng,
    /// Messages on the way, by when they arrive in milliseconds since the Unix epoch, then in the order in which they
    /// were sent.
    pub(crate) on_the_way: BTreeMap<(i64, u64), OnTheWay>,
    sent: u64,
}

/// Mixed into the seed, so that faults and commands make different random choices with the same seed.
const SEED: u64 = 0x6661_756c_7473;

impl Faults {
    /// No rules; their random choices will follow from `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            rules: Vec::new(),
            last_id: 0,
            of_commands: 0,
            of_messages: 0,
            random: fastrand::Rng::with_seed(seed ^ SEED),
            on_the_way: BTreeMap::new(),
            sent: 0,
        }
    }

    /// True if a rule is about commands.
    #[must_use]
    pub fn are_of_commands(&self) -> bool {
        self.of_commands > 0
    }

    /// True if a rule is about messages.
    #[must_use]
    pub fn are_of_messages(&self) -> bool {
        self.of_messages > 0
    }

    /// Adds a rule, after the event of this number.
    pub fn add(&mut self, rule: Rule, since: u64) -> FaultId {
        self.last_id += 1;
        let id = FaultId::of_number(self.last_id);
        *self.counter(&rule) += 1;
        self.rules.push(Active { id, rule, since, matches: 0, hits: 0 });
        id
    }

    fn counter(&mut self, rule: &Rule) -> &mut usize {
        if rule.action.is_of_messages() { &mut self.of_messages } else { &mut self.of_commands }
    }

    /// Removes a rule, see [`State::end_fault`](crate::state::State::end_fault).
    pub(crate) fn remove(&mut self, id: FaultId) -> Option<Rule> {
        let index = self.rules.iter().position(|active| active.id == id)?;
        let rule = self.rules.remove(index).rule;
        *self.counter(&rule) -= 1;
        Some(rule)
    }

    /// How often a rule has hit; `None` if it is not in force any more.
    #[must_use]
    pub fn hits(&self, id: FaultId) -> Option<u64> {
        self.rules.iter().find(|active| active.id == id).map(|active| active.hits)
    }

    /// The number of the last event before a rule was added; `None` if it is not in force any more.
    #[must_use]
    pub fn since(&self, id: FaultId) -> Option<u64> {
        self.rules.iter().find(|active| active.id == id).map(|active| active.since)
    }

    /// The rules in force, in the order in which they were added, each with its number of hits.
    pub fn rules(&self) -> impl Iterator<Item = (FaultId, &Rule, u64)> {
        self.rules.iter().map(|active| (active.id, &active.rule, active.hits))
    }

    /// The rule of this number.
    #[must_use]
    pub fn rule(&self, id: FaultId) -> Option<&Rule> {
        self.rules.iter().find(|active| active.id == id).map(|active| &active.rule)
    }

    /// A rule has hit.
    pub(crate) fn hit(&mut self, id: FaultId) {
        if let Some(active) = self.rules.iter_mut().find(|active| active.id == id) {
            active.hits += 1;
        }
    }

    /// The first rule that simulates this state for the command, which a server in that state would refuse.
    pub fn simulates(&mut self, state: SimulatedState, subject: &Subject<'_>) -> Option<FaultId> {
        let mut found = None;
        for active in &mut self.rules {
            if active.rule.action == Action::Simulate(state)
                && active.rule.scope.includes_command(subject)
                && active.hits_next(&mut self.random)
                && found.is_none()
            {
                found = Some(active.id);
            }
        }
        found
    }

    /// What the rules do to a command that a server would run. All rules that match count it; the longest delay is
    /// applied first, then the action of the rule that was added first.
    pub fn apply(&mut self, subject: &Subject<'_>) -> PendingFault {
        let mut pending = PendingFault::default();
        for active in &mut self.rules {
            let then = match &active.rule.action {
                Action::Delay(_) => None,
                Action::Error(text) => Some(Consequence::Error(text.clone())),
                Action::Disconnect => Some(Consequence::Disconnect),
                Action::LoseReply(bytes) => Some(Consequence::LoseReply(*bytes)),
                Action::Simulate(_) | Action::Drop | Action::Duplicate | Action::DelayMessage(_) => continue,
            };
            if !active.rule.scope.includes_command(subject) || !active.hits_next(&mut self.random) {
                continue;
            }
            match (&active.rule.action, then) {
                (Action::Delay(delay), _)
                    if pending.hold.as_ref().is_none_or(|(_, longest)| delay > longest) =>
                {
                    pending.hold = Some((active.id, *delay));
                }
                (_, Some(then)) if pending.then.is_none() => pending.then = Some((active.id, then)),
                _ => {}
            }
        }
        pending
    }
}

impl Active {
    /// Counts something that is in the scope; true if the rule hits it.
    fn hits_next(&mut self, random: &mut fastrand::Rng) -> bool {
        self.matches += 1;
        match self.rule.when {
            When::Always => true,
            When::Nth(n) => self.matches == n,
            When::Every(n) => self.matches.is_multiple_of(n),
            When::Probability(probability) => random.f64() < probability,
        }
    }
}

impl Scope {
    fn includes_command(&self, subject: &Subject<'_>) -> bool {
        let any = |keys: &[&[u8]], test: &dyn Fn(&[u8]) -> bool| keys.iter().any(|key| test(key));
        (self.commands.is_empty() || self.commands.iter().any(|name| name.indices.contains(&subject.command)))
            && self.includes_client(subject.client)
            && (self.keys.is_empty()
                || any(&subject.keys, &|key| self.keys.iter().any(|glob| pattern::matches(glob, key, false))))
            && (self.channels.is_empty() || any(&subject.channels, &|channel| self.includes_channel(channel)))
    }

    /// True if the client matches the scope.
    #[must_use]
    pub fn includes_client(&self, client: &Client) -> bool {
        self.clients.is_empty()
            || self.clients.iter().any(|wanted| {
                !wanted.is_empty() && *client.name == *wanted.as_bytes()
                    || *client.address.peer == **wanted
                    || wanted.parse() == Ok(client.id)
            })
    }

    /// True if a subscription to this pattern receives messages of one of the channels.
    #[must_use]
    pub fn meets_pattern(&self, subscribed: &[u8]) -> bool {
        self.channels.is_empty()
            || self.channels.iter().any(|channel| match channel {
                Channel::Named(name) => pattern::matches(subscribed, name, false),
                // Whether two patterns have a channel in common is not checked.
                Channel::Like(glob) => **glob == *subscribed,
            })
    }

    fn includes_channel(&self, name: &[u8]) -> bool {
        self.channels.iter().any(|channel| channel.includes(name))
    }

    /// True if messages on this channel to this client match the scope.
    #[must_use]
    pub fn includes_message(&self, channel: &[u8], to: &Client) -> bool {
        (self.channels.is_empty() || self.includes_channel(channel)) && self.includes_client(to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hits(when: When, seed: u64) -> Vec<u64> {
        let rule = Rule { scope: Scope::default(), when, action: Action::Disconnect };
        let mut active = Active { id: FaultId::of_number(1), rule, since: 0, matches: 0, hits: 0 };
        let mut random = fastrand::Rng::with_seed(seed);
        (1..=10).filter(|_| active.hits_next(&mut random)).collect()
    }

    #[test]
    fn which_of_ten_are_hit() {
        assert_eq!(hits(When::Always, 1).len(), 10);
        assert_eq!(hits(When::Nth(2), 1), [2]);
        assert_eq!(hits(When::Every(3), 1), [3, 6, 9]);
        assert_eq!(hits(When::Every(0), 1), []);
        assert_eq!(hits(When::Probability(0.0), 1), []);
        assert_eq!(hits(When::Probability(1.0), 1).len(), 10);
        let some = hits(When::Probability(0.5), 7);
        assert!(!some.is_empty() && some.len() < 10);
        assert_eq!(some, hits(When::Probability(0.5), 7));
    }
}
