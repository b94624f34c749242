//! What becomes of messages: dropped, sent twice, sent later.

use std::time::Duration;

use super::{Action, FaultId, Faults};
use crate::store::journal::Publishing;
use crate::store::pubsub::Kind;
use crate::store::{Bytes, Client, ClientKey, Store, Time};

/// What the rules do to one delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MessageFate {
    /// It is not sent.
    Dropped(FaultId),
    /// It is sent.
    Sent {
        /// Once, and once more for each of these rules.
        duplicated: Vec<FaultId>,
        /// Not before so much time has passed.
        delayed: Option<(FaultId, Duration)>,
    },
}

/// A message that has been sent and not arrived.
#[derive(Debug)]
pub struct OnTheWay {
    /// The rule that holds it back.
    pub rule: FaultId,
    to: ClientKey,
    encoded: Vec<u8>,
    message: Option<Publishing>,
    /// By which subscription it is delivered.
    kind: Kind,
    name: Bytes,
}

impl OnTheWay {
    fn pattern(&self) -> Option<&[u8]> {
        (self.kind == Kind::Pattern).then_some(&*self.name)
    }
}

/// A delivery as Pub/Sub makes it.
#[derive(Clone, Copy, Debug)]
pub struct Delivery<'a> {
    /// To whom.
    pub to: ClientKey,
    /// By a subscription of this kind.
    pub kind: Kind,
    /// The channel on which it was published.
    pub channel: &'a [u8],
    /// The push.
    pub encoded: &'a [u8],
    /// The message in the journal, if there is one.
    pub message: Option<Publishing>,
    /// The pattern by which it is delivered; none if by its channel.
    pub pattern: Option<&'a [u8]>,
}

impl Faults {
    /// What the rules do to a message for a client: it is dropped if one of them says so, delayed for the longest time
    /// that one says, duplicated by each that says so. All that concern it count it.
    pub fn strike_message(&mut self, channel: &[u8], to: &Client) -> MessageFate {
        let mut dropped = None;
        let (mut duplicated, mut delayed) = (Vec::new(), None);
        for active in &mut self.rules {
            if !active.rule.action.is_of_messages()
                || !active.rule.scope.includes_message(channel, to)
                || !active.strikes(&mut self.random)
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

    fn send_later(&mut self, at: Time, message: OnTheWay) {
        self.sent += 1;
        self.on_the_way.insert((at.whole_millis(), self.sent), message);
    }

    /// When the next message arrives that was delayed, in milliseconds since the Unix epoch.
    #[must_use]
    pub fn next_arrival(&self) -> Option<i64> {
        self.on_the_way.first_key_value().map(|((at, _), _)| *at)
    }

    /// How many messages have been sent and not arrived.
    #[must_use]
    pub fn on_the_way(&self) -> usize {
        self.on_the_way.len()
    }

    /// Messages to a client that has gone are lost.
    pub fn forget_client(&mut self, client: ClientKey) {
        if !self.on_the_way.is_empty() {
            self.on_the_way.retain(|_, message| message.to != client);
        }
    }
}

impl Store {
    /// The first delayed message that has arrived at `millis` goes to its subscriber; false if there is none.
    pub fn deliver_delayed(&mut self, millis: i64) -> bool {
        if self.faults.next_arrival().is_none_or(|at| at > millis) {
            return false;
        }
        if let Some((_, message)) = self.faults.on_the_way.pop_first() {
            self.arrive(&message);
        }
        true
    }

    /// All messages that a rule holds back arrive now, in their order.
    pub(in crate::store) fn deliver_held_by(&mut self, rule: FaultId) {
        let held = |message: &OnTheWay| message.rule == rule;
        let places: Vec<_> =
            self.faults.on_the_way.iter().filter(|(_, message)| held(message)).map(|(at, _)| *at).collect();
        for place in places {
            if let Some(message) = self.faults.on_the_way.remove(&place) {
                self.arrive(&message);
            }
        }
    }

    fn arrive(&mut self, message: &OnTheWay) {
        let Self { clients, journal, config, now, .. } = self;
        let to = message.to;
        let end = clients.deliver(to, &message.encoded, config, *now);
        if let Some(recorded) = message.message
            && let Some(client) = clients.get(to)
        {
            journal.delivered((to, client), recorded, message.pattern(), end, *now);
        }
    }

    /// What is on the way by a subscription that ends never arrives: nothing may come behind the confirmation.
    pub(in crate::store) fn drop_on_the_way(&mut self, client: ClientKey, kind: Kind, name: &[u8]) {
        if self.faults.on_the_way.is_empty() {
            return;
        }
        let Self { faults, journal, clients, now, .. } = self;
        let Some(owner) = clients.get(client) else { return };
        faults.on_the_way.retain(|_, message| {
            let ends = message.to == client && message.kind == kind && *message.name == *name;
            if ends && let Some(recorded) = message.message {
                journal.dropped_by_fault(owner, recorded, message.pattern(), *now);
            }
            !ends
        });
    }

    /// A delivery as long as there are rules about messages. Whoever publishes has counted it already.
    pub(in crate::store) fn deliver_with_faults(
        (faults, clients): (&mut Faults, &mut crate::store::Clients),
        journal: &mut crate::store::Recorder,
        delivery: Delivery<'_>,
        config: &crate::store::Config,
        now: Time,
    ) {
        let Delivery { to, kind, channel, encoded, message, pattern } = delivery;
        let Some(client) = clients.get(to) else { return };
        let fate = faults.strike_message(channel, client);
        let mut note = |rule: FaultId| {
            faults.hit(rule);
            if journal.is_on()
                && let Some(rule) = faults.rule(rule)
            {
                journal.fault_struck(client, &rule.to_string(), now);
            }
        };
        let (times, delayed) = match fate {
            MessageFate::Dropped(rule) => {
                note(rule);
                if let Some(message) = message {
                    journal.dropped_by_fault(client, message, pattern, now);
                }
                return;
            }
            MessageFate::Sent { duplicated, delayed } => {
                let times = 1 + duplicated.len();
                for rule in duplicated.into_iter().chain(delayed.map(|(rule, _)| rule)) {
                    note(rule);
                }
                (times, delayed)
            }
        };
        for _ in 0..times {
            if let Some((rule, delay)) = delayed {
                if let Some(message) = message
                    && let Some(client) = clients.get(to)
                {
                    journal.delayed_by_fault(client, message, pattern, now);
                }
                let (encoded, name) = (encoded.to_vec(), pattern.unwrap_or(channel).into());
                faults.send_later(now + delay, OnTheWay { rule, to, encoded, message, kind, name });
                continue;
            }
            let end = clients.deliver(to, encoded, config, now);
            if let Some(message) = message
                && let Some(client) = clients.get(to)
            {
                journal.delivered((to, client), message, pattern, end, now);
            }
        }
    }
}
