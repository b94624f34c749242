//! The end of a client's wait, and of all that a client is in the middle of.

use crate::clients::waiters::{Answer, Blocked, Reason};
use crate::clients::{ClientKey, Close};
use crate::resp::Reply;
use crate::state::State;
use crate::testing::journal::Wakeup;

impl State {
    /// Ends the wait of a client; what it waited for is returned. It goes on with its requests when that has been seen to,
    /// which [`Clients::mark_resumed`](crate::clients::Clients::mark_resumed) tells.
    pub fn resume(&mut self, client: ClientKey) -> Option<Box<Blocked>> {
        let owner = self.clients.get_mut(client)?;
        let blocked = owner.blocked.take()?;
        owner.resumed = true;
        self.waiters.remove(client, &blocked);
        Some(blocked)
    }

    /// Ends the wait of a client with an answer; false if it does not wait, or only for the end of a pause or delay, or
    /// as a tester, of whom CLIENT UNBLOCK knows nothing.
    pub fn unblock(&mut self, client: ClientKey, answer: Answer) -> bool {
        let waits = self.clients.get(client).and_then(|owner| owner.blocked.as_ref());
        let Some(reason) = waits
            .map(|blocked| blocked.reason)
            .filter(|reason| !matches!(reason, Reason::Pause | Reason::Delay | Reason::Condition))
        else {
            return false;
        };
        self.resume(client);
        self.clients.mark_resumed(client);
        let Some(owner) = self.clients.get_mut(client) else { return false };
        owner.commands += 1;
        self.stats.commands += 1;
        // The command counts now, as it does where it is run again.
        if let Some(index) = owner.last_command {
            let stats = self.stats.command(index);
            stats.calls += 1;
            stats.failed += u64::from(answer == Answer::Unblocked);
        }
        let (muted, protocol) = (owner.is_muted(), owner.protocol);
        owner.end_reply();
        if self.journal.is_on() {
            let wakeup = if answer == Answer::TimedOut { Wakeup::TimedOut } else { Wakeup::Unblocked };
            self.journal.unblocked(owner, &wakeup, self.now);
        }
        let start = owner.outbox.len();
        let mut reply = Reply::new(&mut owner.outbox, protocol);
        match answer {
            Answer::TimedOut if muted => {}
            Answer::TimedOut => match reason {
                Reason::Replicas => reply.integer(0),
                Reason::Disks => {
                    reply.array(2);
                    reply.integer(0);
                    reply.integer(0);
                }
                Reason::Key(_) | Reason::Group | Reason::Pause | Reason::Condition | Reason::Delay => {
                    reply.null_array();
                }
            },
            Answer::Unblocked => {
                let text = b"UNBLOCKED client unblocked via CLIENT UNBLOCK";
                self.stats.error(text);
                if !muted {
                    reply.error(text);
                }
            }
        }
        if self.journal.is_on() {
            self.journal.reply(owner, &owner.outbox[start..], self.now);
        }
        if owner.strike.is_some() {
            self.lose_reply(client, start);
        }
        true
    }

    /// Ends everything that a client is in the middle of: subscriptions, watches, waits, its transaction.
    pub fn release(&mut self, client: ClientKey) {
        self.unsubscribe_from_all(client);
        self.unwatch(client);
        let Some(owner) = self.clients.get_mut(client) else { return };
        owner.transaction = None;
        if let Some(blocked) = owner.blocked.take() {
            self.waiters.remove(client, &blocked);
        }
    }

    /// Cuts a client off at once; from now on it gets nothing and takes nothing.
    pub fn kill(&mut self, client: ClientKey) {
        self.release(client);
        self.clients.close(client, Close::Now);
    }
}
