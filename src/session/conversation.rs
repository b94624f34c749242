//! Which request an answer belongs to: the requests of a client that have no answer yet.

use std::collections::{HashMap, HashSet, VecDeque};

use super::format::Argument;
use super::frame::Frame;
use crate::clients::pubsub::Kind;
use crate::clients::tracking::INVALIDATIONS;
use crate::spec::{ChannelAction, Command, Effect};
use crate::table::TABLE;

/// A request, as far as it matters to its answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// The name in lower case, of a subcommand as in `client|id`.
    pub name: String,
    /// All arguments, the name included; empty for those that are not plain bytes.
    pub arguments: Vec<Vec<u8>>,
    /// The index of its event in the session.
    pub event: usize,
    /// For EXEC, the requests that it executes.
    pub queued: Vec<Request>,
    /// How many confirmations of subscriptions are still outstanding.
    confirmations: Option<usize>,
    /// Its answer is suppressed by CLIENT REPLY.
    kept_back: bool,
}

impl Request {
    /// The request of these arguments.
    #[must_use]
    pub fn new(arguments: &[Argument], event: usize) -> Self {
        let arguments: Vec<Vec<u8>> =
            arguments.iter().map(|argument| argument.bytes().unwrap_or_default().to_vec()).collect();
        let lower = |index: usize| {
            arguments.get(index).map(|name| String::from_utf8_lossy(name).to_lowercase()).unwrap_or_default()
        };
        let mut name = lower(0);
        if arguments.len() > 1 && TABLE.lookup(name.as_bytes()).is_some_and(Command::is_container) {
            name = format!("{name}|{}", lower(1));
        }
        Self { name, arguments, event, queued: Vec::new(), confirmations: None, kept_back: false }
    }

    /// The row of its command.
    pub(super) fn command(&self) -> Option<&'static Command> {
        TABLE.lookup_full(self.name.as_bytes())
    }

    /// The effect of its command on the connection.
    pub(super) fn effect(&self) -> Option<Effect> {
        self.command().and_then(|command| command.effect)
    }

    /// Whether the argument is this word, in either case.
    #[must_use]
    pub fn has(&self, index: usize, word: &str) -> bool {
        self.arguments.get(index).is_some_and(|argument| argument.eq_ignore_ascii_case(word.as_bytes()))
    }
}

/// The effect of the command that these arguments name; of a container, not of its subcommand.
pub(super) fn effect_of(arguments: &[Argument]) -> Option<Effect> {
    arguments.first().and_then(Argument::bytes).and_then(effect_of_name)
}

/// The effect of the command of this name.
pub(super) fn effect_of_name(name: &[u8]) -> Option<Effect> {
    TABLE.lookup(name).and_then(|command| command.effect)
}

/// The kind of a frame that a client receives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FrameKind {
    /// The answer to a request.
    Answer(Request),
    /// A frame that does not answer a request, such as a message.
    Push,
    /// A line of MONITOR.
    Monitored,
}

/// One connection, from its client's side.
#[derive(Clone, Debug, Default)]
pub struct Conversation {
    pending: VecDeque<Request>,
    /// The requests of an open transaction.
    queued: Option<Vec<Request>>,
    subscribed: HashMap<Kind, HashSet<Vec<u8>>>,
    monitors: bool,
    silent: bool,
    /// The next request has no answer.
    skips: bool,
}

/// The first words of messages: to channels, patterns, and channels of a shard.
const MESSAGES: [(&[u8], Kind); 3] =
    [(b"message", Kind::Channel), (b"pmessage", Kind::Pattern), (b"smessage", Kind::Shard)];

/// The error of CLIENT REPLY in subscribed mode of RESP2.
const REPLY_REFUSED: &[u8] = b"ERR Can't execute 'client|reply'";

/// What a command of this name does to subscriptions.
fn subscriptions(name: &[u8]) -> Option<(ChannelAction, Kind)> {
    let command = TABLE.lookup(name).filter(|command| command.name.as_bytes() == name)?;
    let spec = command.channels.filter(|spec| spec.action != ChannelAction::Publish)?;
    Some((spec.action, spec.kind))
}

impl Conversation {
    /// The client sends a request.
    pub fn send(&mut self, mut request: Request) {
        let effect = request.effect();
        if effect == Some(Effect::ChoosesReplies) {
            request.kept_back = true;
            if request.has(2, "off") {
                self.silent = true;
                self.pending.push_back(request);
                return;
            }
            if request.has(2, "on") {
                (self.silent, self.skips) = (false, false);
            } else if request.has(2, "skip") {
                self.skips = !self.silent;
                self.pending.push_back(request);
                return;
            }
        }
        self.silent &= effect != Some(Effect::Resets);
        // The confirmation of a subscription is a push, which is not suppressed.
        let has_names = request.arguments.len() > 1;
        let is_message = subscriptions(request.name.as_bytes())
            .is_some_and(|(action, _)| has_names || action == ChannelAction::Unsubscribe);
        request.kept_back = (std::mem::take(&mut self.skips) || self.silent) && !is_message;
        self.pending.push_back(request);
    }

    /// How many requests have not been answered.
    #[must_use]
    pub fn unanswered(&self) -> usize {
        self.pending.iter().filter(|request| !request.kept_back).count()
    }

    /// The request that is answered next.
    #[must_use]
    pub fn next(&self) -> Option<&Request> {
        self.pending.iter().find(|request| !request.kept_back)
    }

    /// Whether CLIENT REPLY suppresses the answer to a request of this name that has been sent; bytes that are not a
    /// request have an empty name.
    #[must_use]
    pub fn keeps_back(&self, name: &str) -> bool {
        self.pending.iter().any(|request| request.kept_back && request.name == name)
    }

    /// Whether it has sent a request of this name in a transaction whose beginning is not answered, as CLIENT REPLY keeps
    /// it back.
    #[must_use]
    pub fn queues_unseen(&self, name: &str) -> bool {
        let begins = |request: &Request| request.effect() == Some(Effect::BeginsTransaction);
        let mut after = self.pending.iter().skip_while(|request| !(request.kept_back && begins(request)));
        after.any(|request| request.name == name)
    }

    /// The client receives a frame.
    pub fn receive(&mut self, frame: &Frame) -> FrameKind {
        let first = frame.items().first().and_then(Frame::text).unwrap_or_default();
        let may_be_push = matches!(frame.kind(), b'*' | b'>') && !first.is_empty();
        if frame.kind() == b'-' && frame.text().is_some_and(|text| text.starts_with(REPLY_REFUSED)) {
            self.keep_nothing_back();
        }
        if may_be_push && let Some((action, kind)) = subscriptions(first) {
            let asked = self.next().is_some_and(|request| request.name.as_bytes() == first);
            if asked || frame.kind() == b'>' {
                return self.confirmed(kind, action, frame, asked);
            }
        }
        if frame.kind() == b'>' {
            return FrameKind::Push;
        }
        let message = MESSAGES.into_iter().find(|(word, _)| may_be_push && *word == first);
        let subscribed = |kind: &Kind| self.subscribed.get(kind).is_some_and(|names| !names.is_empty());
        if message.is_some_and(|(_, kind)| subscribed(&kind)) {
            return FrameKind::Push;
        }
        // It is sent to a client with any subscription.
        let names_channel = || frame.items().get(1).and_then(Frame::text) == Some(INVALIDATIONS);
        if message.is_some() && names_channel() && self.subscribed.keys().any(subscribed) {
            return FrameKind::Push;
        }
        if self.monitors && frame.kind() == b'+' && frame.text().is_some_and(|text| text.ends_with(b"\"")) {
            return FrameKind::Monitored;
        }
        self.pass_kept_back();
        match self.pending.pop_front() {
            Some(request) => FrameKind::Answer(self.answered(request, frame)),
            None => FrameKind::Push,
        }
    }

    /// CLIENT REPLY has been refused, so the requests after it are answered.
    fn keep_nothing_back(&mut self) {
        let chooses = |request: &Request| request.effect() == Some(Effect::ChoosesReplies);
        let kept = self.pending.iter().position(|request| request.kept_back && chooses(request));
        if let Some(index) =
            kept.filter(|index| self.pending.iter().take(*index).all(|before| before.kept_back))
        {
            self.pending.iter_mut().skip(index).for_each(|request| request.kept_back = false);
            (self.silent, self.skips) = (false, false);
        }
    }

    /// Skips requests whose answers are suppressed.
    fn pass_kept_back(&mut self) {
        while self.pending.front().is_some_and(|request| request.kept_back) {
            self.pending.pop_front();
        }
    }

    /// Applies the effect of an answer.
    fn answered(&mut self, mut request: Request, frame: &Frame) -> Request {
        let failed = frame.kind() == b'-';
        match request.effect() {
            Some(Effect::RunsTransaction) => request.queued = self.queued.take().unwrap_or_default(),
            Some(Effect::DropsTransaction) => self.queued = None,
            // CLIENT REPLY took effect when it was sent, which may be after RESET.
            Some(Effect::Resets) => {
                let (silent, skips) = (self.silent, self.skips);
                *self = Self { pending: std::mem::take(&mut self.pending), silent, skips, ..Self::default() };
            }
            Some(Effect::BeginsTransaction) if !failed && self.queued.is_none() => {
                self.queued = Some(Vec::new());
            }
            Some(Effect::Monitors) if !failed => self.monitors = true,
            _ => {
                if frame.text() == Some(b"QUEUED")
                    && let Some(queued) = &mut self.queued
                {
                    queued.push(request.clone());
                }
            }
        }
        request
    }

    fn confirmed(&mut self, kind: Kind, action: ChannelAction, frame: &Frame, asked: bool) -> FrameKind {
        let name = frame.items().get(1).and_then(Frame::text).map(<[u8]>::to_vec);
        let subscribed = self.subscribed.entry(kind).or_default();
        let before = subscribed.len();
        if let Some(name) = name {
            if action == ChannelAction::Unsubscribe {
                subscribed.remove(&name);
            } else {
                subscribed.insert(name);
            }
        }
        if !asked {
            return FrameKind::Push;
        }
        self.pass_kept_back();
        let Some(request) = self.pending.front_mut() else { return FrameKind::Push };
        let given = request.arguments.len().saturating_sub(1);
        let left = request.confirmations.get_or_insert(if given == 0 { before.max(1) } else { given });
        *left = left.saturating_sub(1);
        let (done, request) = (*left == 0, request.clone());
        if done {
            self.pending.pop_front();
        }
        FrameKind::Answer(request)
    }
}

/// How many frames a client has received since it last sent something, to wait for more than the answers that were
/// outstanding then.
#[derive(Clone, Copy, Debug, Default)]
pub struct Since {
    received: usize,
    outstanding: usize,
}

impl Since {
    /// The client sends something that is not in its conversation yet.
    pub fn send(&mut self, conversation: &Conversation) {
        *self = Self { received: 0, outstanding: conversation.unanswered() };
    }

    /// The client receives a frame.
    pub fn receive(&mut self) {
        self.received += 1;
    }

    /// True if a frame was received that does not answer what the client sent before its last request; `waiting` is
    /// the number of frames that were received but not counted yet.
    #[must_use]
    pub fn has_received(&self, waiting: usize) -> bool {
        self.received + waiting > self.outstanding
    }
}

#[cfg(test)]
mod tests {
    use super::super::format::{Action, Session};
    use super::*;

    /// Plays the lines of one client; returns the name of the request of each answer.
    fn answered(text: &str) -> Vec<String> {
        let session = Session::read(text).expect("a session");
        let mut conversation = Conversation::default();
        let mut answered = Vec::new();
        for (index, event) in session.events.iter().enumerate() {
            match &event.action {
                Action::Send(_, arguments) => conversation.send(Request::new(arguments, index)),
                Action::Answer(_, frame) => answered.push(match conversation.receive(frame) {
                    FrameKind::Answer(request) if !request.queued.is_empty() => {
                        let names: Vec<_> =
                            request.queued.iter().map(|queued| queued.name.as_str()).collect();
                        format!("exec of {}", names.join(","))
                    }
                    FrameKind::Answer(request) => request.name,
                    FrameKind::Push => "push".into(),
                    FrameKind::Monitored => "monitored".into(),
                }),
                _ => {}
            }
        }
        assert_eq!(conversation.unanswered(), 0);
        answered
    }

    #[test]
    fn answers_find_their_requests() {
        let lines = "a > GET k\na > Client ID\na < $-1\na < :1\na > MULTI\na > TIME\na > EXEC\na < +OK\na < +QUEUED\na < [[:1 :2]]\n";
        assert_eq!(answered(lines), ["get", "client|id", "multi", "time", "exec of time"]);
    }

    #[test]
    fn a_dropped_transaction_is_no_part_of_the_next() {
        for name in ["DISCARD", "RESET"] {
            let dropped = format!("a > MULTI\na > GET k\na > {name}\na < +OK\na < +QUEUED\na < +OK\n");
            let run = "a > MULTI\na > TIME\na > EXEC\na < +OK\na < +QUEUED\na < [[:1 :2]]\n";
            let wanted = ["multi", "get", &name.to_lowercase(), "multi", "time", "exec of time"];
            assert_eq!(answered(&(dropped + run)), wanted);
        }
    }

    #[test]
    fn lines_of_monitor_are_distinguished_from_answers() {
        let line = r#"a < +"1700000000.123456 [0 127.0.0.1:50000] \"GET\" \"k\""#;
        let lines = format!("a > MONITOR\na < +OK\na > PING\n{line}\"\na < +PONG\n");
        assert_eq!(answered(&lines), ["monitor", "monitored", "ping"]);
    }

    #[test]
    fn confirmations_and_messages_are_distinguished_from_answers() {
        let lines = concat!(
            "a > SUBSCRIBE x y\na > PSUBSCRIBE z*\n",
            "a < [\"subscribe\" \"x\" :1]\na < [\"message\" \"x\" \"1\"]\na < [\"subscribe\" \"y\" :2]\n",
            "a < [\"psubscribe\" \"z*\" :3]\na < [\"pmessage\" \"z*\" \"z\" \"1\"]\n",
            "a > UNSUBSCRIBE\na > PING\n",
            "a < [\"unsubscribe\" \"y\" :2]\na < [\"unsubscribe\" \"x\" :1]\na < [\"pong\" \"\"]\n",
        );
        let wanted =
            ["subscribe", "push", "subscribe", "psubscribe", "push", "unsubscribe", "unsubscribe", "ping"];
        assert_eq!(answered(lines), wanted);
    }

    #[test]
    fn what_is_not_answered_is_not_waited_for() {
        let lines = concat!(
            "a > CLIENT REPLY OFF\na > GET k\na > SUBSCRIBE x\na > RESET\na > CLIENT REPLY SKIP\na > GET k\n",
            "a > CLIENT REPLY SKIP\na > CLIENT REPLY ON\na > PING\n",
            "a < [\"subscribe\" \"x\" :1]\na < +RESET\na < +OK\na < +PONG\n",
        );
        assert_eq!(answered(lines), ["subscribe", "reset", "client|reply", "ping"]);
    }

    #[test]
    fn where_client_reply_is_refused_nothing_is_kept_back() {
        let lines = concat!(
            "a > SUBSCRIBE x\na < [\"subscribe\" \"x\" :1]\na > CLIENT REPLY OFF\na > UNSUBSCRIBE\na > GET k\n",
            "a < -\"ERR Can't execute 'client|reply': only (P|S)SUBSCRIBE are allowed in this context\"\n",
            "a < [\"unsubscribe\" \"x\" :0]\na < $-1\n",
        );
        assert_eq!(answered(lines), ["subscribe", "client|reply", "unsubscribe", "get"]);
    }

    #[test]
    fn what_is_kept_back_behind_a_reset_is_no_answer() {
        let lines =
            "a > RESET\na > CLIENT REPLY SKIP\na < +RESET\na > PING\na > HELLO\na < [\"server\" \"redis\"]\n";
        assert_eq!(answered(lines), ["reset", "hello"]);
    }

    #[test]
    fn pushes_of_the_newer_protocol_stand_beside_answers() {
        let lines = "a > SUBSCRIBE x\na > GET k\na < >[\"subscribe\" \"x\" :1]\na < >[\"message\" \"x\" \"1\"]\na < _\n";
        assert_eq!(answered(lines), ["subscribe", "push", "get"]);
    }
}
