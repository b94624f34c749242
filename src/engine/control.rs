//! MINIBROKER: the commands of a test that runs in another process.

use super::admission::check_allowed;
use super::command_life::WaitEnd;
use super::{Direction, Engine};
use crate::clients::ClientKey;
use crate::clients::condition::Condition;
use crate::clients::waiters::Reason;
use crate::commands::control::{self, Order};
use crate::data::Time;
use crate::data::present;
use crate::resp::{Args, Reply};
use crate::spec::{Context, Wait};
use crate::state::State;
use crate::table::CONTROL;
use std::time::Duration;

/// The orders of test clients that last until they are undone.
#[derive(Debug, Default)]
pub(super) struct LastingOrders {
    held: Vec<(Vec<ClientKey>, Direction)>,
    /// STOP, while it lasts.
    stop: Option<Until>,
    /// REFUSE, while it lasts.
    refusal: Option<Until>,
}

/// When a STOP or REFUSE ends by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Until {
    /// At this time of the shell's clock: the broker's may stand still.
    Time(Time),
    /// When this test client has disconnected.
    Gone(ClientKey),
}

impl Until {
    fn new(test_client: ClientKey, lasts: Option<Duration>, now: Time) -> Self {
        lasts.map_or(Self::Gone(test_client), |lasts| Self::Time(now + lasts))
    }

    fn time(self) -> Option<Time> {
        if let Self::Time(time) = self { Some(time) } else { None }
    }
}

impl Engine {
    /// Answers a test client. None of this is recorded or counted: it is not what the test is about.
    pub(super) fn control(&mut self, key: ClientKey, args: Args<'_>, may_block: bool) {
        let State { clients, users, .. } = &mut *self.state;
        let Some(client) = present(clients.get(key)) else { return };
        if let Err(refusal) = check_allowed(client, users, (&CONTROL, args), |_| false) {
            let error = self.error_of(key, (&CONTROL, args), refusal);
            return self.refuse_command(key, None, args, &error);
        }
        let (database, muted) = (client.db, client.is_muted());
        // The embedding program is not a connection that could wait.
        let may_block = may_block && !client.internal;
        let Some((mut out, client)) = present(clients.take_outbox(key)) else { return };
        let protocol = client.protocol;
        let start = out.len();
        let reply = Reply::new(&mut out, protocol);
        let state = &mut self.state;
        state.db = database;
        let mut context =
            Context { args, reply, state, client: key, command: &CONTROL, may_block, wait: None };
        let outcome = control::minibroker(&mut context);
        let waits = context.wait.is_some();
        let order = outcome.unwrap_or_else(|error| {
            out.truncate(start);
            Reply::new(&mut out, protocol).error(error.text());
            None
        });
        if muted {
            out.truncate(start);
        }
        let State { clients, config, now, .. } = &mut *self.state;
        clients.put_reply(key, out, start, config, *now);
        if waits {
            self.wait_for_condition(key, args);
        }
        if let Some(order) = order {
            self.carry_out(key, order);
        }
    }

    /// Carries out the order of a test client, which is itself exempt: it sends further requests.
    fn carry_out(&mut self, test_client: ClientKey, order: Order) {
        let now = self.state.real_now;
        match order {
            Order::MoveClock(time) => {
                // It was checked before that the clock can be moved there.
                if self.set_target_time(time, now).is_ok() {
                    self.move_clock(now);
                }
            }
            Order::EndFaults(faults) => {
                for fault in faults {
                    self.end_fault(fault, now);
                }
            }
            // The shell closes their connections, as it sees that they are cut off.
            Order::Kill(filter) => drop(self.kill_clients(&filter, now)),
            Order::Stop(lasts) => {
                drop(self.stop_but(Some(test_client), now));
                self.lasting_orders.stop = Some(Until::new(test_client, lasts, now));
            }
            Order::Restart { keeps_data } => {
                self.lasting_orders.stop = None;
                drop(self.restart_but(Some(test_client), keeps_data, now));
            }
            Order::Hold { filter, writing } => {
                let direction = if writing { Direction::Writing } else { Direction::Reading };
                let held = self.hold_connections(&filter, direction, now);
                self.lasting_orders.held.push((held, direction));
            }
            Order::Release => {
                for (held, direction) in std::mem::take(&mut self.lasting_orders.held) {
                    self.resume_connections(&held, direction, now);
                }
            }
            Order::Refuse(lasts) => {
                if self.lasting_orders.refusal.replace(Until::new(test_client, lasts, now)).is_none() {
                    self.state.availability.refuse();
                }
            }
            Order::Accept => self.end_refusing(),
            Order::Reset => {
                let faults = self.state.faults.rules().map(|(fault, ..)| fault).collect();
                for order in [Order::EndFaults(faults), Order::Release, Order::Accept] {
                    self.carry_out(test_client, order);
                }
                self.lasting_orders.stop = None;
                self.restart_but(Some(test_client), false, now);
                self.state.journal.clear();
            }
        }
    }

    fn end_refusing(&mut self) {
        if self.lasting_orders.refusal.take().is_some() {
            self.state.availability.end_refusing();
        }
    }

    /// Lets clients connect again when the time that test clients gave has passed, or when the test client `gone`,
    /// which could have ended the order, has disconnected: no other client can connect to do so.
    pub(super) fn end_orders(&mut self, gone: Option<ClientKey>) {
        let now = self.state.real_now;
        if self.state.has_busy_script() {
            // Nothing restarts in the middle of a script. The timer does it when the script has ended.
            for until in
                [&mut self.lasting_orders.stop, &mut self.lasting_orders.refusal].into_iter().flatten()
            {
                if matches!(until, Until::Gone(test_client) if Some(*test_client) == gone) {
                    *until = Until::Time(now);
                }
            }
            return;
        }
        let is_over = |until: &Until| match until {
            Until::Time(time) => *time <= now,
            Until::Gone(test_client) => Some(*test_client) == gone,
        };
        if self.lasting_orders.refusal.as_ref().is_some_and(is_over) {
            self.end_refusing();
        }
        if self.lasting_orders.stop.take_if(|until| is_over(until)).is_some()
            && self.state.availability.is_stopped()
        {
            drop(self.restart_but(None, true, now));
        }
    }

    /// The next time at which an order of a test client ends by itself, in the shell's time.
    pub(super) fn next_end_of_orders(&self) -> Option<Time> {
        [self.lasting_orders.stop, self.lasting_orders.refusal]
            .into_iter()
            .flatten()
            .filter_map(Until::time)
            .min()
    }

    fn wait_for_condition(&mut self, key: ClientKey, args: Args<'_>) {
        let Some(client) = present(self.state.clients.get_mut(key)) else { return };
        let Some((condition, within)) = present(control::condition(args, client.db).ok()) else { return };
        let until = self.state.real_now + within;
        self.wait(key, args, Wait::without_keys(Reason::Condition, None));
        self.state.waiters.add_condition_waiter(key, condition, until);
    }

    /// Answers MINIBROKER WAITFOR for each condition that is met. To be called after every change.
    pub(super) fn notify_condition_waiters(&mut self) {
        if self.state.waiters.has_condition_waiters() {
            self.serve_conditions();
        }
    }

    /// Answers the test clients whose condition is met.
    fn serve_conditions(&mut self) {
        let state = &self.state;
        let is_met = |(_, condition): &(ClientKey, &Condition)| state.meets(condition);
        let met: Vec<ClientKey> =
            state.waiters.condition_waiters().filter(is_met).map(|(test_client, _)| test_client).collect();
        for test_client in met {
            // The next request of a test client that was answered may have changed the state.
            if self.state.waiters.awaited(test_client).is_some_and(|condition| self.state.meets(condition)) {
                self.end_wait(test_client, WaitEnd::Condition);
            }
        }
    }

    /// Answers test clients whose wait has timed out with the current count. They wait in the shell's time: the
    /// broker's may stand still.
    pub(super) fn end_conditions(&mut self) {
        for client in self.state.waiters.expired_waits(self.state.real_now) {
            self.end_wait(client, WaitEnd::Condition);
        }
    }
}
