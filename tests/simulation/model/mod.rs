//! The behaviour of Redis, written as simply as possible.
//!
//! The model gets the same requests in the same order as the broker, and predicts every byte that each client
//! receives. It shares no code with the broker: all keys are in one map, all waiters are in one list, and everything
//! that can be found by iterating over all clients is found in this way.
//!
//! The rules, and where they are:
//!
//! - One request runs at a time; then the clients that waited for its keys are served ([`waiting`]).
//! - An expired key does not exist any more, and its event is published once ([`Model::value`]).
//! - EXEC runs as one request, and not at all if a watched key has changed ([`transactions`]).
//! - A message goes to every subscription of that moment; a client that publishes to itself receives it after the
//!   answer ([`pubsub`]).
//! - An item is in one list at a time ([`lists`]); an entry of a stream goes to one consumer of a group
//!   ([`streams`], [`groups`]).

mod clients;
mod groups;
mod lists;
mod pubsub;
mod reply;
mod sorted_sets;
mod streams;
mod strings;
mod transactions;
mod waiting;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

pub use clients::Closing;
use clients::{Client, SubscriptionKind};
pub use reply::Reply;
use streams::Stream;
use waiting::{Pause, Wait, Waiter};

/// The result of a command.
type Answer = Result<Reply, Stop>;

/// Why a command gives no answer of its own.
#[derive(Debug)]
enum Stop {
    Error(String),
    Wait(Wait),
}

fn error<T>(text: impl Into<String>) -> Result<T, Stop> {
    Err(Stop::Error(text.into()))
}

/// The value of a key.
#[derive(Debug)]
enum Value {
    String(String),
    List(VecDeque<String>),
    SortedSet(BTreeSet<(i64, String)>),
    Stream(Stream),
}

#[derive(Debug)]
struct Key {
    value: Value,
    /// When it expires, in milliseconds.
    expires: Option<i64>,
}

/// A broker as simple as possible.
pub struct Model {
    /// The time, in microseconds.
    now: u64,
    keys: BTreeMap<String, Key>,
    /// By their number in the program.
    clients: Vec<Client>,
    /// How many connections there have been, which is the last CLIENT ID.
    connections: u64,
    /// In the order of arrival.
    waiters: Vec<Waiter>,
    /// How many waits have begun.
    arrivals: u64,
    /// Keys that may serve a waiter, in the order in which they became ready.
    ready: VecDeque<String>,
    pause: Option<Pause>,
    /// During a pause expired keys are hidden but not deleted. This does not yet apply in the transaction that begins
    /// the pause: redis-server crashes if it then writes to such a key.
    keeps_expired: bool,
    /// The client whose request runs.
    running: Option<usize>,
    /// A client that leaves more than this unread is closed.
    output_limit: Option<usize>,
}

impl Model {
    pub fn new(clients: usize, output_limit: Option<usize>, now: u64) -> Self {
        Self {
            now,
            keys: BTreeMap::new(),
            clients: std::iter::repeat_with(Client::absent).take(clients).collect(),
            connections: 0,
            waiters: Vec::new(),
            arrivals: 0,
            ready: VecDeque::new(),
            pause: None,
            keeps_expired: false,
            running: None,
            output_limit,
        }
    }

    fn millis(&self) -> i64 {
        i64::try_from(self.now / 1000).expect("the time fits")
    }

    /// A request of a client has arrived as a whole: its words with one space between each.
    pub fn request(&mut self, client: usize, request: &str) {
        self.dispatch(client, request);
        self.serve();
        self.end_pause_if_over();
    }

    /// Refuses, holds, queues or runs a request.
    fn dispatch(&mut self, client: usize, request: &str) {
        self.keeps_expired = self.is_paused();
        let words: Vec<&str> = request.split(' ').collect();
        if let Some(refusal) = self.refusal(client, &words) {
            let refusal = self.refuse_transaction(client, &words, refusal);
            return self.answer(client, &Reply::Error(refusal));
        }
        if self.must_pause(client, &words) {
            return self.wait_for_pause(client, request);
        }
        if !matches!(words[0], "MULTI" | "EXEC" | "DISCARD" | "WATCH" | "QUIT" | "RESET")
            && let Some(transaction) = &mut self.clients[client].transaction
        {
            transaction.requests.push(request.to_owned());
            return self.answer(client, &Reply::Simple("QUEUED"));
        }
        self.run(client, request);
    }

    /// The error of a request that is not run.
    fn refusal(&self, client: usize, words: &[&str]) -> Option<String> {
        if words == ["NOSUCH"] {
            return Some("ERR unknown command 'NOSUCH', with args beginning with: ".into());
        }
        if words == ["GET"] {
            return Some("ERR wrong number of arguments for 'get' command".into());
        }
        let is_allowed = matches!(
            words[0],
            "SUBSCRIBE" | "UNSUBSCRIBE" | "PSUBSCRIBE" | "PUNSUBSCRIBE" | "PING" | "QUIT" | "RESET"
        );
        let client = &self.clients[client];
        if !client.resp3 && client.is_subscribed() && !is_allowed {
            let name = match words {
                ["CLIENT" | "XGROUP", sub, ..] => format!("{}|{sub}", words[0]).to_lowercase(),
                _ => words[0].to_lowercase(),
            };
            return Some(format!(
                "ERR Can't execute '{name}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are \
                 allowed in this context"
            ));
        }
        None
    }

    /// Runs a request, which gets an answer or begins to wait.
    fn run(&mut self, client: usize, request: &str) {
        let before = self.running.replace(client);
        let words: Vec<&str> = request.split(' ').collect();
        let is_subscription = matches!(words[0], "SUBSCRIBE" | "UNSUBSCRIBE" | "PSUBSCRIBE" | "PUNSUBSCRIBE");
        let answer = self.execute(client, &words);
        self.running = before;
        match answer {
            // The confirmation of a subscription is a push, which CLIENT REPLY does not suppress.
            Ok(reply) if is_subscription => self.answer_always(client, &reply),
            Ok(reply) => self.answer(client, &reply),
            Err(Stop::Error(text)) => self.answer(client, &Reply::Error(text)),
            Err(Stop::Wait(wait)) => {
                self.wait(client, request, wait);
                self.send_deferred(client);
            }
        }
    }

    /// All commands of the model.
    fn execute(&mut self, client: usize, words: &[&str]) -> Answer {
        match *words {
            ["PING"] => Ok(self.ping(client, None)),
            ["PING", text] => Ok(self.ping(client, Some(text))),
            ["QUIT"] => Ok(self.quit(client)),
            ["RESET"] => Ok(self.reset(client)),
            ["CLIENT", "REPLY", mode] => Ok(self.client_reply(client, mode)),
            ["CLIENT", "KILL", "ID", id] => Ok(self.client_kill(client, id)),
            ["CLIENT", "UNBLOCK", id, reason] => Ok(self.client_unblock(id, reason == "ERROR")),
            ["CLIENT", "PAUSE", millis, mode] => Ok(self.client_pause(number(millis), mode == "WRITE")),
            ["CLIENT", "UNPAUSE"] => Ok(self.client_unpause()),

            ["SUBSCRIBE", ref channels @ ..] => {
                Ok(self.subscribe(client, SubscriptionKind::Channel, channels))
            }
            ["PSUBSCRIBE", ref patterns @ ..] => {
                Ok(self.subscribe(client, SubscriptionKind::Pattern, patterns))
            }
            ["UNSUBSCRIBE", ref channels @ ..] => {
                Ok(self.unsubscribe(client, SubscriptionKind::Channel, channels))
            }
            ["PUNSUBSCRIBE", ref patterns @ ..] => {
                Ok(self.unsubscribe(client, SubscriptionKind::Pattern, patterns))
            }
            ["PUBLISH", channel, message] => Ok(Reply::count(self.publish(channel, message))),

            ["MULTI"] => self.multi(client),
            ["EXEC"] => self.exec(client),
            ["DISCARD"] => self.discard(client),
            ["WATCH", ref keys @ ..] => self.watch(client, keys),
            ["UNWATCH"] => Ok(self.unwatch(client)),

            ["SET", key, value] => Ok(self.set(key, value, None)),
            ["SET", key, value, "PX", millis] => Ok(self.set(key, value, Some(number(millis)))),
            ["GET", key] => self.get(key),
            ["INCR", key] => self.incr(key),
            ["DEL", ref keys @ ..] => Ok(self.del(keys)),
            ["FLUSHALL"] => Ok(self.flushall()),
            ["EXISTS", key] => Ok(Reply::count(usize::from(self.value(key).is_some()))),
            ["PEXPIRE", key, millis] => Ok(self.pexpire(key, number(millis))),
            ["PERSIST", key] => Ok(self.persist(key)),
            ["PTTL", key] => Ok(self.pttl(key)),

            [
                "LPUSH" | "RPUSH" | "LPOP" | "RPOP" | "LLEN" | "LRANGE" | "LMOVE" | "LMPOP" | "BLPOP"
                | "BRPOP" | "BLMOVE" | "BLMPOP",
                ..,
            ] => self.list_command(words),

            ["ZADD" | "ZCARD" | "ZPOPMIN" | "ZPOPMAX" | "BZPOPMIN" | "BZPOPMAX", ..] => {
                self.sorted_set_command(words)
            }

            ["XADD" | "XDEL" | "XLEN" | "XRANGE" | "XREAD", ..] => self.stream_command(words),
            ["XGROUP" | "XREADGROUP" | "XACK" | "XPENDING" | "XCLAIM" | "XAUTOCLAIM", ..] => {
                self.group_command(words)
            }
            _ => unreachable!("the model has no {words:?}"),
        }
    }

    // Keys.

    /// The value of a key. An expired key has none, and is deleted with its event.
    fn value(&mut self, key: &str) -> Option<&mut Value> {
        let now = self.millis();
        if self.keys.get(key)?.expires.is_some_and(|at| at <= now) {
            if !self.keeps_expired {
                self.expire(key);
            }
            return None;
        }
        self.keys.get_mut(key).map(|key| &mut key.value)
    }

    /// A key expires.
    fn expire(&mut self, key: &str) {
        self.expired(key);
        self.keys.remove(key);
        self.may_serve(key);
        self.publish("__keyevent@0__:expired", key);
    }

    /// A key gets a new value, without a deadline unless one is given.
    fn put(&mut self, key: &str, value: Value) {
        self.keys.insert(key.to_owned(), Key { value, expires: None });
        self.may_serve(key);
    }

    fn remove(&mut self, key: &str) {
        self.changed(key);
        self.keys.remove(key);
        // Clients that wait for a group of it get an error.
        self.may_serve(key);
    }

    // Time.

    /// Sets the time. What is due is not done yet.
    pub fn set_time(&mut self, now: u64) {
        self.now = now;
    }

    /// Does everything that is due until then, in the order of the deadlines.
    pub fn tick(&mut self, until: u64) {
        while let Some(at) = self.next_due().filter(|at| *at * 1000 <= until) {
            self.now = self.now.max(at * 1000);
            let at = i64::try_from(at).expect("the time fits");
            // What is due at the same time happens in this order.
            if self.next_expiry().is_some_and(|due| due <= at) {
                self.expire_all();
            } else if let Some((_, _, client)) = self.next_timeout().filter(|(due, ..)| *due <= at) {
                self.time_out(client);
            } else {
                self.end_pause();
            }
            self.serve();
        }
        self.now = until;
    }

    /// The next deadline, in milliseconds.
    fn next_due(&self) -> Option<u64> {
        let waiter = self.next_timeout().map(|(at, ..)| at);
        let pause = self.pause.map(|pause| pause.until);
        let due = [self.next_expiry(), waiter, pause].into_iter().flatten().min();
        due.map(|at| u64::try_from(at).expect("the time fits"))
    }

    /// When the next key expires. None does during CLIENT PAUSE.
    fn next_expiry(&self) -> Option<i64> {
        self.keys.values().filter_map(|key| key.expires).min().filter(|_| !self.is_paused())
    }

    fn expire_all(&mut self) {
        let now = self.millis();
        let mut due: Vec<_> =
            self.keys.iter().filter_map(|(name, key)| Some((key.expires?, name.clone()))).collect();
        due.retain(|(at, _)| *at <= now);
        due.sort();
        for (_, key) in due {
            self.expire(&key);
        }
    }
}

fn number(text: &str) -> i64 {
    text.parse().expect("programs have numbers where they belong")
}

fn count_of(text: &str) -> usize {
    text.parse().expect("programs have numbers where they belong")
}

/// Milliseconds from a timeout in seconds, such as `0.05`.
fn millis_of(seconds: &str) -> i64 {
    let (whole, fraction) = seconds.split_once('.').unwrap_or((seconds, ""));
    number(whole) * 1000 + number(&format!("{fraction:0<3}"))
}

fn wrong_type<T>() -> Result<T, Stop> {
    error("WRONGTYPE Operation against a key holding the wrong kind of value")
}
