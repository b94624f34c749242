//! Faults of messages: they are dropped, duplicated or delayed.

use std::time::Duration;

use super::{Action, Faults};
use crate::clients::FaultId;
use crate::clients::pubsub::Kind;
use crate::clients::{Client, ClientKey, Encoded};
use crate::data::{Bytes, Time};
use crate::testing::journal::Publishing;

/// What the rules do to one delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MessageFate {
    /// It is not sent.
    Dropped(FaultId),
    /// It is sent.
    Sent {
        /// Once, and once more for each of these rules.
        duplicated: Vec<FaultId>,
        /// Not before this much time has passed.
        delayed: Option<(FaultId, Duration)>,
    },
}

/// A message that has been sent and not arrived.
#[derive(Debug)]
pub struct OnTheWay {
    /// The rule that holds it back.
    pub rule: FaultId,
    pub(crate) to: ClientKey,
    pub(crate) encoded: bytes::Bytes,
    pub(crate) message: Option<Publishing>,
    /// The subscription by which it is delivered.
    pub(crate) kind: Kind,
    pub(crate) name: Bytes,
}

impl OnTheWay {
    pub(crate) fn pattern(&self) -> Option<&[u8]> {
        (self.kind == Kind::Pattern).then_some(&*self.name)
    }
}

/// A delivery as Pub/Sub makes it.
#[derive(Clone, Copy, Debug)]
pub struct Delivery<'a> {
    /// The receiver.
    pub to: ClientKey,
    /// By a subscription of this kind.
    pub kind: Kind,
    /// The channel on which it was published.
    pub channel: &'a [u8],
    /// The push.
    pub encoded: Encoded<'a>,
    /// The message in the journal, if there is one.
    pub message: Option<Publishing>,
    /// The pattern by which it is delivered; `None` if by its channel.
    pub pattern: Option<&'a [u8]>,
}

impl Faults {
    /// What the rules do to a message for a client: it is dropped if any rule drops it, delayed for the longest delay
    /// of any, and duplicated by each rule that duplicates. All matching rules count it.
    pub fn message_fate(&mut self, channel: &[u8], to: &Client) -> MessageFate {
        let mut dropped = None;
        let (mut duplicated, mut delayed) = (Vec::new(), None);
        for active in &mut self.rules {
            if !active.rule.action.is_of_messages()
                || !active.rule.scope.includes_message(channel, to)
                || !active.hits_next(&mut self.random)
            {
                continue;
            }
            match active.rule.action {
                Action::Drop if dropped.is_none() => dropped = Some(active.id),
                Action::Duplicate => duplicated.push(active.id),
                Action::DelayMessage(delay)
                    if delayed.is_none_or(|(_, longest): (_, Duration)| delay > longest) =>
                {
                    delayed = Some((active.id, delay));
                }
                _ => {}
            }
        }
        match dropped {
            Some(rule) => MessageFate::Dropped(rule),
            None => MessageFate::Sent { duplicated, delayed },
        }
    }

    pub(crate) fn send_later(&mut self, at: Time, message: OnTheWay) {
        self.sent += 1;
        self.on_the_way.insert((at.whole_millis(), self.sent), message);
    }

    /// When the next delayed message arrives, in milliseconds since the Unix epoch.
    #[must_use]
    pub fn next_arrival(&self) -> Option<i64> {
        self.on_the_way.first_key_value().map(|((at, _), _)| *at)
    }

    /// How many messages have been sent and have not arrived.
    #[must_use]
    pub fn on_the_way(&self) -> usize {
        self.on_the_way.len()
    }

    /// Messages to a client that has disconnected are lost.
    pub fn forget_client(&mut self, key: ClientKey) {
        if !self.on_the_way.is_empty() {
            self.on_the_way.retain(|_, message| message.to != key);
        }
    }
}
