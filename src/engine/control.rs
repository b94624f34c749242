//! MINIBROKER: the commands of a test that is not in this process.

use super::Engine;
use super::dispatch::permit;
use crate::commands::table::CONTROL;
use crate::commands::{Context, control};
use crate::resp::{Args, Reply};
use crate::store::waiters::Reason;
use crate::store::{ClientKey, Store};

/// True for the command of a tester; whether it may be used is a setting.
pub(super) fn is_control(args: Args<'_>) -> bool {
    args[0].eq_ignore_ascii_case(control::NAME.as_bytes())
}

impl Engine {
    /// Answers a tester. Nothing of this is recorded or counted: it is not what the test is about.
    pub(super) fn control(&mut self, client: ClientKey, args: Args<'_>, may_block: bool) {
        let Store { clients, config, .. } = &mut self.store;
        let Some(owner) = clients.get(client) else { return };
        if let Err(error) = permit(owner, config, &CONTROL, |_| false) {
            return self.reject(client, None, args, &error);
        }
        let database = owner.db;
        let Some((mut out, protocol)) = clients.take_outbox(client) else { return };
        let start = out.len();
        let reply = Reply::new(&mut out, protocol);
        let store = &mut self.store;
        store.db = database;
        let mut context = Context { args, reply, store, client, command: &CONTROL, may_block, wait: None };
        let outcome = control::minibroker(&mut context);
        let waits = context.wait.is_some();
        if let Err(error) = outcome {
            out.truncate(start);
            Reply::new(&mut out, protocol).error(error.text());
        }
        let Store { clients, config, now, .. } = &mut self.store;
        clients.put_reply(client, out, start, config, *now);
        if waits {
            self.wait_for_condition(client, args);
        }
    }

    fn wait_for_condition(&mut self, client: ClientKey, args: Args<'_>) {
        let Some(owner) = self.store.clients.get_mut(client) else { return };
        let Ok((_, within)) = control::condition(args, owner.db) else { return };
        let until = self.store.real_now + within;
        let waiters = &mut self.store.waiters;
        owner.blocked =
            Some(waiters.add(client, Reason::Condition, owner.db, Vec::new(), None, args.to_owned()));
        waiters.set_patience(client, until);
    }

    /// Who waits for a state by MINIBROKER WAITFOR is answered if it is there. To be called after every change.
    pub(super) fn tell_testers(&mut self) {
        if self.store.waiters.has_testers() {
            self.serve_conditions();
        }
    }

    /// Answers the testers whose state is there.
    fn serve_conditions(&mut self) {
        for client in self.store.waiters.testers() {
            let met = self.store.clients.get(client).and_then(|owner| owner.blocked.as_ref()).is_some_and(
                |blocked| {
                    control::condition(blocked.request.args(), blocked.db)
                        .is_ok_and(|(condition, _)| condition.is_met(&self.store))
                },
            );
            if met {
                self.end_condition(client);
            }
        }
    }

    /// Tells testers that wait in vain what there is instead. They wait in the shell's time: the broker's may stand
    /// still.
    pub(super) fn end_conditions(&mut self) {
        for client in self.store.waiters.impatient(self.store.real_now) {
            self.end_condition(client);
        }
    }

    fn end_condition(&mut self, client: ClientKey) {
        if let Some(blocked) = self.store.resume(client) {
            self.control(client, blocked.request.args(), false);
        }
    }
}
