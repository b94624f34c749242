//! Clients that wait for a key, or for the end of CLIENT PAUSE.
//!
//! After a request, the keys that it has made ready are served in the order in which they became ready. The clients that
//! wait for such a key run their requests again in their order of arrival. A client that finds nothing, because another
//! was first, continues to wait with its old deadline.

use super::{Model, Reply, Value};

/// What a client waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WaitKind {
    List,
    SortedSet,
    /// Entries of a stream.
    Stream,
    /// Entries for a group, or the end of the group.
    Group,
    PauseEnd,
}

/// What a command has to wait for.
#[derive(Debug)]
pub(super) struct Wait {
    pub kind: WaitKind,
    pub keys: Vec<String>,
    /// In milliseconds; without a deadline it waits until it is served.
    pub deadline: Option<i64>,
    /// The answer in EXEC, where no client waits.
    pub otherwise: Reply,
    /// The request that is run again, if it is not the one that was sent.
    pub request: Option<String>,
}

impl Wait {
    pub fn new(kind: WaitKind, keys: &[&str], deadline: Option<i64>, otherwise: Reply) -> Self {
        let keys = keys.iter().map(|key| (*key).to_owned()).collect();
        Self { kind, keys, deadline, otherwise, request: None }
    }
}

/// A client that waits.
pub(super) struct Waiter {
    pub client: usize,
    pub arrival: u64,
    pub kind: WaitKind,
    pub keys: Vec<String>,
    pub deadline: Option<i64>,
    pub request: String,
}

/// CLIENT PAUSE.
#[derive(Clone, Copy)]
pub(super) struct Pause {
    pub until: i64,
    pub writes_only: bool,
}

impl Model {
    /// True if a client waits: what it sends until then runs afterwards.
    pub fn waits(&self, client: usize) -> bool {
        self.waiters.iter().any(|waiter| waiter.client == client)
    }

    /// A deadline from a timeout; `None` for the timeout 0.
    pub(super) fn deadline(&self, millis: i64) -> Option<i64> {
        (millis > 0).then(|| self.millis() + millis)
    }

    pub(super) fn wait(&mut self, client: usize, request: &str, wait: Wait) {
        self.arrivals += 1;
        self.waiters.push(Waiter {
            client,
            arrival: self.arrivals,
            kind: wait.kind,
            keys: wait.keys,
            deadline: wait.deadline,
            request: wait.request.unwrap_or_else(|| request.to_owned()),
        });
    }

    fn end_wait(&mut self, client: usize) -> Option<Waiter> {
        let index = self.waiters.iter().position(|waiter| waiter.client == client)?;
        Some(self.waiters.remove(index))
    }

    /// A key may be ready.
    pub(super) fn may_serve(&mut self, key: &str) {
        let is_waited_for = self.waiters.iter().any(|waiter| waiter.keys.iter().any(|other| other == key));
        if is_waited_for && !self.ready.iter().any(|other| other == key) {
            self.ready.push_back(key.to_owned());
        }
    }

    /// Serves the clients that wait for ready keys.
    pub(super) fn serve(&mut self) {
        while let Some(key) = self.ready.pop_front() {
            // Clients that begin to wait from now on have seen the key already.
            let latest = self.arrivals;
            let mut last = 0;
            while let Some((arrival, client)) = self.next_to_serve(&key, last, latest) {
                last = arrival;
                self.retry(client);
            }
        }
    }

    fn next_to_serve(&mut self, key: &str, after: u64, latest: u64) -> Option<(u64, usize)> {
        let kind = match self.value(key) {
            Some(Value::List(_)) => Some(WaitKind::List),
            Some(Value::SortedSet(_)) => Some(WaitKind::SortedSet),
            Some(Value::Stream(_)) => Some(WaitKind::Stream),
            Some(Value::String(_)) | None => None,
        };
        let next = self.waiters.iter().find(|waiter| {
            waiter.arrival > after
                && waiter.arrival <= latest
                && (Some(waiter.kind) == kind || waiter.kind == WaitKind::Group)
                && waiter.keys.iter().any(|other| other == key)
        })?;
        Some((next.arrival, next.client))
    }

    /// Runs the request of a client that waits again.
    fn retry(&mut self, client: usize) {
        let Some(waiter) = self.end_wait(client) else { return };
        let words: Vec<&str> = waiter.request.split(' ').collect();
        if self.must_pause(client, &words) {
            return self.wait_for_pause(client, &waiter.request);
        }
        self.run(client, &waiter.request);
        if let Some(still) = self.waiters.iter_mut().find(|still| still.client == client) {
            still.deadline = waiter.deadline;
        }
    }

    /// The next timeout: when, the number of arrival, and the client.
    pub(super) fn next_timeout(&self) -> Option<(i64, u64, usize)> {
        self.waiters.iter().filter_map(|one| Some((one.deadline?, one.arrival, one.client))).min()
    }

    /// The wait of a client times out.
    pub(super) fn time_out(&mut self, client: usize) {
        self.end_wait(client);
        self.answer(client, &Reply::NullArray);
    }

    pub(super) fn client_unblock(&mut self, id: &str, with_error: bool) -> Reply {
        let client = self.by_id(id);
        let waits = |client: &usize| {
            self.waiters.iter().any(|one| one.client == *client && one.kind != WaitKind::PauseEnd)
        };
        let Some(client) = client.filter(waits) else { return Reply::Integer(0) };
        self.end_wait(client);
        self.answer(
            client,
            &if with_error {
                Reply::Error("UNBLOCKED client unblocked via CLIENT UNBLOCK".into())
            } else {
                Reply::NullArray
            },
        );
        Reply::Integer(1)
    }

    // CLIENT PAUSE.

    pub(super) fn is_paused(&self) -> bool {
        self.pause.is_some_and(|pause| pause.until > self.millis())
    }

    /// True if a request is kept until the pause is over.
    pub(super) fn must_pause(&self, client: usize, words: &[&str]) -> bool {
        let queued = || self.clients[client].transaction.iter().flat_map(|all| &all.requests);
        let writes =
            || writes(words) || words == ["EXEC"] && queued().any(|request| writes(&[word(request)]));
        self.is_paused() && self.pause.is_some_and(|pause| !pause.writes_only || writes())
    }

    pub(super) fn wait_for_pause(&mut self, client: usize, request: &str) {
        self.wait(client, request, Wait::new(WaitKind::PauseEnd, &[], None, Reply::Null));
    }

    /// Of two pauses, the later end and the stricter mode apply.
    pub(super) fn client_pause(&mut self, millis: i64, writes_only: bool) -> Reply {
        let until = self.millis() + millis;
        let before = self.pause.filter(|_| self.is_paused());
        self.pause = Some(Pause {
            until: before.map_or(until, |before| before.until.max(until)),
            writes_only: writes_only && before.is_none_or(|before| before.writes_only),
        });
        Reply::OK
    }

    pub(super) fn client_unpause(&mut self) -> Reply {
        let now = self.millis();
        if let Some(pause) = &mut self.pause {
            pause.until = now;
        }
        Reply::OK
    }

    pub(super) fn end_pause_if_over(&mut self) {
        if self.pause.is_some() && !self.is_paused() {
            self.end_pause();
        }
    }

    /// Requests that were held run in their order of arrival.
    pub(super) fn end_pause(&mut self) {
        self.pause = None;
        self.keeps_expired = false;
        let kept = self.waiters.iter().filter(|waiter| waiter.kind == WaitKind::PauseEnd);
        for client in kept.map(|waiter| waiter.client).collect::<Vec<_>>() {
            if let Some(waiter) = self.end_wait(client) {
                self.dispatch(client, &waiter.request);
                self.serve();
            }
        }
    }
}

fn word(request: &str) -> &str {
    request.split(' ').next().unwrap_or_default()
}

/// True if a request may change a key or publish a message.
fn writes(words: &[&str]) -> bool {
    matches!(
        words[0],
        "SET"
            | "INCR"
            | "FLUSHALL"
            | "DEL"
            | "PEXPIRE"
            | "PERSIST"
            | "PUBLISH"
            | "LPUSH"
            | "RPUSH"
            | "LPOP"
            | "RPOP"
            | "LMOVE"
            | "LMPOP"
            | "BLPOP"
            | "BRPOP"
            | "BLMOVE"
            | "BLMPOP"
            | "ZADD"
            | "ZPOPMIN"
            | "ZPOPMAX"
            | "BZPOPMIN"
            | "BZPOPMAX"
            | "XADD"
            | "XDEL"
            | "XGROUP"
            | "XREADGROUP"
            | "XACK"
            | "XCLAIM"
            | "XAUTOCLAIM"
    )
}
