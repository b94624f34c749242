//! Channel specs: the channels that a call of a command names, and what it does with them.

use super::Command;
use crate::clients::pubsub::Kind;
use crate::resp::Args;

/// What a command does with the channels that it names.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ChannelAction {
    /// A message is sent to them.
    Publish,
    /// The client is subscribed.
    Subscribe,
    /// The client is unsubscribed; if the call names none, from all.
    Unsubscribe,
}

/// Which arguments of a command are channels.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ChannelSpec {
    /// The first of them (0 is the command's name).
    first: usize,
    /// The following arguments are channels, too.
    all: bool,
    /// What they name: channels, patterns or shard channels.
    pub kind: Kind,
    /// What happens to them.
    pub action: ChannelAction,
}

impl ChannelSpec {
    /// One channel, at this argument.
    pub(crate) const fn one(index: usize, kind: Kind, action: ChannelAction) -> Self {
        Self { first: index, all: false, kind, action }
    }

    /// All arguments from this one on.
    pub(crate) const fn from(index: usize, kind: Kind, action: ChannelAction) -> Self {
        Self { first: index, all: true, kind, action }
    }

    /// The names in a call.
    #[must_use]
    pub fn names<'a>(&self, args: Args<'a>) -> Args<'a> {
        args.range(self.first, if self.all { args.len() } else { self.first + 1 })
    }

    /// The same with their positions.
    pub fn names_with_positions<'a>(&self, args: Args<'a>) -> impl Iterator<Item = (usize, &'a [u8])> {
        (self.first..).zip(self.names(args).iter())
    }
}

impl Command {
    /// The channels and shard channels that a call names; none of a command that takes patterns.
    #[must_use]
    pub fn channel_names<'a>(&self, args: Args<'a>) -> Args<'a> {
        match self.channels.filter(|spec| spec.kind != Kind::Pattern) {
            Some(spec) => spec.names(args),
            None => args.range(0, 0),
        }
    }
}
