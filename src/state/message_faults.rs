//! Faults of messages: dropped, sent twice, sent later.

use crate::clients::pubsub::Kind;
use crate::clients::{ClientKey, Encoded, FaultId};
use crate::data::Time;
use crate::data::present;
use crate::state::State;
use crate::testing::Faults;
use crate::testing::faults::{Delivery, MessageFate, OnTheWay};

impl State {
    /// Delivers the delayed message that is due first to its subscriber.
    pub fn deliver_delayed(&mut self) {
        if let Some((_, message)) = self.faults.on_the_way.pop_first() {
            self.arrive(&message);
        }
    }

    /// Delivers all messages that a rule holds back now, in their order.
    pub(crate) fn deliver_held_by(&mut self, rule: FaultId) {
        let held = |message: &OnTheWay| message.rule == rule;
        let keys: Vec<_> =
            self.faults.on_the_way.iter().filter(|(_, message)| held(message)).map(|(at, _)| *at).collect();
        for key in keys {
            if let Some(message) = self.faults.on_the_way.remove(&key) {
                self.arrive(&message);
            }
        }
    }

    fn arrive(&mut self, message: &OnTheWay) {
        let Self { clients, journal, config, now, .. } = self;
        let to = message.to;
        let end = clients.deliver(to, Encoded::from(&message.encoded), config, *now);
        if let Some(recorded) = message.message
            && let Some(client) = clients.get(to)
        {
            journal.delivered((to, client), recorded, message.pattern(), end, *now);
        }
    }

    /// Drops the delayed messages of a subscription that ends: nothing may follow the confirmation.
    pub(crate) fn drop_on_the_way(&mut self, key: ClientKey, kind: Kind, name: &[u8]) {
        if self.faults.on_the_way.is_empty() {
            return;
        }
        let Self { faults, journal, clients, now, .. } = self;
        let Some(client) = present(clients.get(key)) else { return };
        faults.on_the_way.retain(|_, message| {
            let ends = message.to == key && message.kind == kind && *message.name == *name;
            if ends && let Some(recorded) = message.message {
                journal.dropped_by_fault(client, recorded, message.pattern(), *now);
            }
            !ends
        });
    }

    /// A delivery while there are rules about messages. The publisher has counted it already.
    pub(crate) fn deliver_with_faults(
        (faults, clients): (&mut Faults, &mut crate::clients::Clients),
        journal: &mut crate::testing::Recorder,
        delivery: Delivery<'_>,
        config: &crate::config::Config,
        now: Time,
    ) {
        let Delivery { to, kind, channel, encoded, message, pattern } = delivery;
        let Some(client) = present(clients.get(to)) else { return };
        let fate = faults.message_fate(channel, client);
        let mut note = |rule: FaultId| {
            faults.hit(rule);
            let rule = faults.rule(rule);
            journal.record(|journal| rule.map(|rule| journal.fault_hit(client, &rule.to_string(), now)));
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
                let (encoded, name) = (encoded.to_bytes(), pattern.unwrap_or(channel).into());
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
