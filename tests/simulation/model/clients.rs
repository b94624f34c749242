//! Clients: the output of each, and its subscriptions and transaction.

use super::transactions::Transaction;
use super::{Model, Reply};

/// Whether a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closing {
    No,
    /// Nothing that it sends is read any more, but it is closed only after its next output.
    Ignored,
    /// Once its output has been written.
    AfterReply,
    /// At once.
    Now,
}

/// Which requests of a client are answered.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Replies {
    All,
    None,
    /// All but the one to the next request.
    AllButNext,
    /// All but the one to this request.
    AllButThis,
}

/// What can be subscribed to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum SubscriptionKind {
    Channel,
    Pattern,
}

pub(super) struct Client {
    /// The answer to CLIENT ID; 0 while it is not connected.
    pub id: u64,
    pub resp3: bool,
    pub closing: Closing,
    /// The output that it has not read.
    out: Vec<u8>,
    /// Messages that were published while its own request ran; they are written after the answer.
    deferred: Vec<u8>,
    pub replies: Replies,
    pub channels: Vec<String>,
    pub patterns: Vec<String>,
    pub transaction: Option<Transaction>,
    /// The keys that it watches; true for one that had already expired.
    pub watched: Vec<(String, bool)>,
    pub watched_key_changed: bool,
}

impl Client {
    pub fn absent() -> Self {
        Self {
            id: 0,
            resp3: false,
            closing: Closing::No,
            out: Vec::new(),
            deferred: Vec::new(),
            replies: Replies::All,
            channels: Vec::new(),
            patterns: Vec::new(),
            transaction: None,
            watched: Vec::new(),
            watched_key_changed: false,
        }
    }

    pub fn is_subscribed(&self) -> bool {
        self.subscriptions() > 0
    }

    pub fn subscriptions(&self) -> usize {
        self.channels.len() + self.patterns.len()
    }
}

impl Model {
    pub fn connect(&mut self, client: usize, resp3: bool) {
        self.connections += 1;
        self.clients[client] = Client { id: self.connections, resp3, ..Client::absent() };
    }

    /// A connection has ended. Its output is lost, and nothing else.
    pub fn disconnect(&mut self, client: usize) {
        self.release(client);
        self.clients[client] = Client::absent();
    }

    /// Ends the wait, the subscriptions and the transaction of a client.
    pub(super) fn release(&mut self, client: usize) {
        self.waiters.retain(|waiter| waiter.client != client);
        let client = &mut self.clients[client];
        client.channels.clear();
        client.patterns.clear();
        client.transaction = None;
        client.watched.clear();
        client.watched_key_changed = false;
    }

    pub fn closing(&self, client: usize) -> Closing {
        self.clients[client].closing
    }

    /// True if the client has output that it has not read.
    pub fn has_output(&self, client: usize) -> bool {
        !self.clients[client].out.is_empty()
    }

    /// The client reads.
    pub fn take_output(&mut self, client: usize) -> Vec<u8> {
        std::mem::take(&mut self.clients[client].out)
    }

    /// Answers a request, unless CLIENT REPLY suppresses the answer.
    pub(super) fn answer(&mut self, client: usize, reply: &Reply) {
        if matches!(self.clients[client].replies, Replies::None | Replies::AllButThis) {
            self.answer_always(client, &Reply::Several(Vec::new()));
        } else {
            self.answer_always(client, reply);
        }
    }

    pub(super) fn answer_always(&mut self, client: usize, reply: &Reply) {
        let receiver = &mut self.clients[client];
        if receiver.closing != Closing::Now {
            reply.write(receiver.resp3, &mut receiver.out);
        }
        receiver.replies = match receiver.replies {
            Replies::AllButNext => Replies::AllButThis,
            Replies::AllButThis => Replies::All,
            other => other,
        };
        self.send_deferred(client);
    }

    pub(super) fn send_deferred(&mut self, client: usize) {
        let receiver = &mut self.clients[client];
        let deferred = std::mem::take(&mut receiver.deferred);
        receiver.out.extend(deferred);
        self.check_output(client);
    }

    /// Sends a client a message.
    pub(super) fn push(&mut self, client: usize, parts: Vec<Reply>) {
        let receiver = &mut self.clients[client];
        if receiver.closing == Closing::Ignored {
            receiver.closing = Closing::AfterReply;
        }
        if receiver.closing != Closing::No {
            return;
        }
        let out = if self.running == Some(client) { &mut receiver.deferred } else { &mut receiver.out };
        Reply::Push(parts).write(receiver.resp3, out);
        self.check_output(client);
    }

    /// Closes a client that leaves too much unread. It keeps its state until its connection has been closed.
    fn check_output(&mut self, client: usize) {
        let client = &mut self.clients[client];
        if self.output_limit.is_some_and(|limit| client.out.len() > limit) {
            client.closing = Closing::Now;
        }
    }

    pub(super) fn ping(&mut self, client: usize, text: Option<&str>) -> Reply {
        let client = &self.clients[client];
        match text {
            _ if client.is_subscribed() && !client.resp3 => {
                Reply::Array(vec![Reply::text("pong"), Reply::text(text.unwrap_or_default())])
            }
            Some(text) => Reply::text(text),
            None => Reply::Simple("PONG"),
        }
    }

    pub(super) fn quit(&mut self, client: usize) -> Reply {
        let client = &mut self.clients[client];
        let is_muted = matches!(client.replies, Replies::None | Replies::AllButThis);
        client.closing =
            if is_muted && client.out.is_empty() { Closing::Ignored } else { Closing::AfterReply };
        Reply::OK
    }

    pub(super) fn reset(&mut self, client: usize) -> Reply {
        self.release(client);
        let client = &mut self.clients[client];
        client.resp3 = false;
        if client.replies == Replies::None {
            client.replies = Replies::All;
        }
        Reply::Simple("RESET")
    }

    pub(super) fn client_reply(&mut self, client: usize, mode: &str) -> Reply {
        let client = &mut self.clients[client];
        match mode {
            "ON" => {
                client.replies = Replies::All;
                return Reply::OK;
            }
            "OFF" => client.replies = Replies::None,
            _ if client.replies == Replies::None => {}
            _ => client.replies = Replies::AllButNext,
        }
        // This has no answer.
        Reply::Several(Vec::new())
    }

    /// The client with this id.
    pub(super) fn by_id(&self, id: &str) -> Option<usize> {
        let id = id.parse().expect("programs have numbers where they belong");
        self.clients.iter().position(|client| client.id == id && id > 0)
    }

    pub(super) fn client_kill(&mut self, client: usize, id: &str) -> Reply {
        let Some(killed) = self.by_id(id) else { return Reply::Integer(0) };
        // CLIENT KILL by id skips its own client, and a client that is being closed is not found.
        if killed == client || self.clients[killed].closing == Closing::Now {
            return Reply::Integer(0);
        }
        self.release(killed);
        self.clients[killed].closing = Closing::Now;
        Reply::Integer(1)
    }
}
