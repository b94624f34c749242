//! Plays a session on an embedded broker and on another server at once, which have to answer the same.

use std::collections::{BTreeSet, VecDeque};
use std::future::Future;
use std::io::Write;
use std::time::Duration;

use bytes::BytesMut;
use tokio::time::Instant;

use super::conversation::{Conversation, FrameKind, Request, Since, effect_of};
use super::format::{Action, Argument, Session};
use super::peer::Peer;
use super::play::{
    Options, Outcome, PlayError, Report, expanded, is_of_use, logs_in_itself, needs_an_answer, playable,
};
use super::rules::{self, Equality, Pairs};
use super::server::{Received, Server, ServerError};
use crate::Broker;
use crate::remote::Target;
use crate::resp::{Limits, Parser, request_bytes};
use crate::spec::Effect;

/// How much is sent in one piece: servers read at least this much in one turn of their loop, so that they process it
/// at once.
const PIECE: usize = 8 * 1024;
/// How long one server may be behind the other before it is asked whether it has run all requests.
const SOON: Duration = Duration::from_millis(100);
/// How long one server may be behind the other when it says that it has.
const LATE: Duration = Duration::from_secs(1);
/// How often to poll for arrivals that nothing signals.
const LOOK: Duration = Duration::from_millis(2);
/// The number of databases of a broker by default.
const DATABASES: usize = 16;

/// Plays a session on an embedded broker and on a server, and prints the first difference to `out`, or all of them.
/// The server's databases that the session uses have to be empty, or are emptied with [`Options::flush`]; they are
/// empty afterwards. `interrupted` ends it early.
///
/// # Errors
///
/// The server cannot be used or ends, its databases are not empty, or playing was interrupted.
pub async fn compare(
    session: &Session,
    target: &Target,
    options: &Options,
    out: &mut dyn Write,
    interrupted: impl Future<Output = ()>,
) -> Result<Outcome, PlayError> {
    let session = playable(session, target);
    let mut right = Server::connect(target, session.names.len()).await?;
    let databases = Databases::of(&session, target);
    databases.prepare(&mut right, options.flush).await?;

    let peer = Peer::of(&mut right).await?;
    let compat = options.compat.unwrap_or(peer.version);
    let most = databases.named.iter().max().map_or(0, |most| *most);
    let broker = Broker::builder()
        .databases(DATABASES.max(most.min(usize::from(u16::MAX)) + 1))
        .password(target.password.clone().unwrap_or_default())
        .journal_limit(0)
        .compat(compat)
        .start_on_this_runtime()?;
    let left = Server::embedded(broker, target, session.names.len());
    let report = Report {
        session: &session,
        options,
        sides: [
            format!("minibroker {} (as Redis {compat})", env!("CARGO_PKG_VERSION")),
            format!("{target} ({})", peer.name),
        ],
        out,
        outcome: Outcome { compat: Some(compat), ..Outcome::default() },
    };
    let mut comparison = Comparison {
        session: &session,
        left,
        right,
        report,
        lines: session.names.iter().map(|_| Connection::default()).collect(),
        pairs: Pairs::default(),
        to_left: Pairs::default(),
        to_right: Pairs::default(),
        recorded: recorded(&session),
        batch: Batch::default(),
        step: Vec::new(),
        at: 0,
        idle: Duration::ZERO,
    };
    let played = tokio::select! {
        played = comparison.play() => played,
        () = interrupted => Err(PlayError::Interrupted),
    };
    let outcome = comparison.report.outcome;
    let cleaned = databases.clean(&mut comparison.right).await;
    played?;
    cleaned?;
    Ok(outcome)
}

/// For each connection, the events that are answers.
fn recorded(session: &Session) -> Vec<Vec<usize>> {
    let mut recorded = vec![Vec::new(); session.names.len()];
    for (index, event) in session.events.iter().enumerate() {
        if let Action::Answer(number, _) = &event.action {
            recorded[*number].push(index);
        }
    }
    recorded
}

/// The databases that a session uses.
struct Databases {
    /// The databases named by the URL and by SELECT.
    named: BTreeSet<usize>,
    /// The session may use any other database as well.
    all: bool,
}

impl Databases {
    fn of(session: &Session, target: &Target) -> Self {
        let mut databases = Self { named: BTreeSet::from([target.database.unwrap_or(0)]), all: false };
        for event in &session.events {
            let Action::Send(_, arguments) = &event.action else { continue };
            let effect = effect_of(arguments);
            if effect == Some(Effect::SelectsDatabase) {
                let number = arguments
                    .get(1)
                    .and_then(Argument::bytes)
                    .and_then(|bytes| std::str::from_utf8(bytes).ok());
                databases.named.extend(number.and_then(|number| number.parse::<usize>().ok()));
            }
            databases.all |= effect == Some(Effect::ChangesOtherDatabases);
        }
        databases
    }

    /// The databases that have keys.
    async fn filled(server: &mut Server) -> Result<BTreeSet<usize>, ServerError> {
        let info = server.ask(&["INFO", "keyspace"]).await?;
        let info = String::from_utf8_lossy(info.text().unwrap_or_default()).into_owned();
        let number = |line: &str| line.strip_prefix("db")?.split_once(':')?.0.parse().ok();
        Ok(info.lines().filter_map(number).collect())
    }

    async fn prepare(&self, server: &mut Server, flush: bool) -> Result<(), PlayError> {
        let filled = Self::filled(server).await?;
        let ours: Vec<usize> =
            filled.into_iter().filter(|number| self.all || self.named.contains(number)).collect();
        if ours.is_empty() {
            return Ok(());
        }
        if !flush {
            let databases: Vec<String> = ours.iter().map(usize::to_string).collect();
            let (server, databases) = (server.target().to_string(), databases.join(", "));
            return Err(PlayError::NotEmpty { server, databases });
        }
        Ok(Self::empty(server, &ours).await?)
    }

    /// Removes what the session has created.
    async fn clean(&self, server: &mut Server) -> Result<(), ServerError> {
        let filled = Self::filled(server).await?;
        let ours: Vec<usize> =
            filled.into_iter().filter(|number| self.all || self.named.contains(number)).collect();
        Self::empty(server, &ours).await
    }

    async fn empty(server: &mut Server, numbers: &[usize]) -> Result<(), ServerError> {
        for number in numbers {
            let answer = server.ask(&["SELECT", &number.to_string()]).await?;
            if answer.kind() == b'+' {
                server.ask(&["FLUSHDB"]).await?;
            }
        }
        Ok(())
    }
}

/// A connection of the session.
#[derive(Default)]
struct Connection {
    conversation: Conversation,
    /// What the embedded broker has sent and the other server has not yet.
    ahead: VecDeque<(Received, FrameKind)>,
    /// The index of the session's next answer in [`Comparison::recorded`].
    next: usize,
    /// How many answers the session has for the connection so far, and how many were received.
    expected: usize,
    matched: usize,
    since: Since,
    closed: bool,
    /// Bytes that it sent and that are not a whole request yet.
    raw: BytesMut,
    parser: Option<Parser>,
}

/// Requests of one client that are sent in one piece.
#[derive(Default)]
struct Batch {
    sender: usize,
    /// The indices of their events.
    events: Vec<usize>,
    left: Vec<u8>,
    right: Vec<u8>,
}

struct Comparison<'a> {
    session: &'a Session,
    left: Server,
    right: Server,
    report: Report<'a>,
    lines: Vec<Connection>,
    /// The values of the other server for those of the embedded broker.
    pairs: Pairs,
    /// The values of each server for those of the session.
    to_left: Pairs,
    to_right: Pairs,
    /// For each connection, the events that are answers.
    recorded: Vec<Vec<usize>>,
    batch: Batch,
    /// The events of the last batch.
    step: Vec<usize>,
    /// The event that is played.
    at: usize,
    /// How long nothing happened when this was recorded, since a client last sent something.
    idle: Duration,
}

/// Why playing stops early.
enum Stop {
    /// There is a difference, and one is enough.
    Difference,
    Server(ServerError),
}

impl From<ServerError> for Stop {
    fn from(error: ServerError) -> Self {
        Self::Server(error)
    }
}

impl Comparison<'_> {
    async fn play(&mut self) -> Result<(), PlayError> {
        match self.events().await {
            Ok(()) | Err(Stop::Difference) => Ok(()),
            Err(Stop::Server(source)) => {
                let line = self.session.events.get(self.at).map_or(0, |event| event.line);
                Err(PlayError::At { line, source })
            }
        }
    }

    async fn events(&mut self) -> Result<(), Stop> {
        for index in 0..self.session.events.len() {
            self.at = index;
            self.event(index).await?;
        }
        self.flush().await?;
        self.right.barrier(0).await?;
        self.gather(None).await
    }

    async fn event(&mut self, index: usize) -> Result<(), Stop> {
        let session = self.session;
        let action = &session.events[index].action;
        if let Action::Pause(_) | Action::Idle(_) | Action::Wait(_) = action {
            self.flush().await?;
            self.report.show(|| action.clone());
        }
        match action {
            Action::Send(number, arguments) => {
                let other = !self.batch.events.is_empty() && self.batch.sender != *number;
                if other
                    || self.batch.right.len() >= PIECE
                    || needs_an_answer(arguments)
                    || !self.is_open(*number)
                {
                    self.flush().await?;
                }
                if !self.is_open(*number) {
                    self.open(index, *number).await?;
                }
                let (left, right) = (
                    expanded(arguments, &self.to_left, &self.left),
                    expanded(arguments, &self.to_right, &self.right),
                );
                self.batch.left.extend(request_bytes(&left));
                self.batch.right.extend(request_bytes(&right));
                self.sent(index, *number);
                self.lines[*number].conversation.send(Request::new(arguments, index));
            }
            Action::SendBytes(number, bytes) => {
                self.flush().await?;
                if !self.is_open(*number) {
                    self.open(index, *number).await?;
                }
                self.batch.left.extend_from_slice(bytes);
                self.batch.right.extend_from_slice(bytes);
                self.sent(index, *number);
                self.lines[*number].send_bytes(bytes, index);
                self.flush().await?;
            }
            Action::Answer(number, _) => {
                let line = &mut self.lines[*number];
                line.expected += 1;
                // The answers to a pipeline are collected when another client acts.
                if self.batch.events.is_empty() || self.batch.sender != *number {
                    self.flush().await?;
                    self.until(|comparison| comparison.has_answers(*number)).await?;
                    self.excuse(*number);
                }
            }
            Action::Connect(number) => {
                self.flush().await?;
                self.close(*number).await?;
                self.open(index, *number).await?;
            }
            Action::Close(number) => {
                self.flush().await?;
                self.close(*number).await?;
                self.report.show(|| action.clone());
            }
            Action::Closed(number) => {
                self.flush().await?;
                self.until(|comparison| comparison.lines[*number].closed).await?;
                self.close(*number).await?;
            }
            Action::Wait(number) => {
                self.flush().await?;
                self.until(|comparison| {
                    let line = &comparison.lines[*number];
                    line.since.has_received(0) || line.closed
                })
                .await?;
            }
            Action::Pause(time) => self.pause(*time).await?,
            Action::Idle(time) => {
                self.idle += *time;
                if self.report.options.idle {
                    self.pause(*time).await?;
                }
            }
            Action::AnswerBytes(..) => {}
        }
        Ok(())
    }

    fn is_open(&self, number: usize) -> bool {
        self.left.is_open(number)
    }

    async fn open(&mut self, index: usize, number: usize) -> Result<(), Stop> {
        let log_in = !logs_in_itself(self.session, index, number, self.right.target());
        self.lines[number] = Connection { next: self.answers_before(index, number), ..Connection::default() };
        self.report.show(|| Action::Connect(number));
        self.left.open(number, log_in).await?;
        self.right.open(number, log_in).await?;
        Ok(())
    }

    async fn close(&mut self, number: usize) -> Result<(), Stop> {
        if self.is_open(number) {
            self.left.close(number).await?;
            self.right.close(number).await?;
            self.gather(None).await?;
        }
        Ok(())
    }

    async fn pause(&mut self, time: Duration) -> Result<(), Stop> {
        self.flush().await?;
        tokio::time::sleep(time).await;
        self.right.barrier(0).await?;
        self.gather(None).await
    }

    fn sent(&mut self, index: usize, number: usize) {
        self.batch.sender = number;
        self.batch.events.push(index);
        self.report.outcome.requests += 1;
        let line = &mut self.lines[number];
        line.since.send(&line.conversation);
        self.idle = Duration::ZERO;
    }

    /// Sends the batch, and collects the answers of both servers.
    async fn flush(&mut self) -> Result<(), Stop> {
        if self.batch.events.is_empty() {
            return Ok(());
        }
        let mut batch = std::mem::take(&mut self.batch);
        self.step.clear();
        self.step.append(&mut batch.events);
        if self.report.options.verbose {
            for index in self.step.clone() {
                let action = &self.session.events[index].action;
                self.report.show(|| action.clone());
            }
        }
        let (number, bytes) = (batch.sender, batch.right.len());
        self.right.send(number, &batch.right).await;
        self.left.send(number, &batch.left).await;
        batch.left.clear();
        batch.right.clear();
        batch.events = Vec::new();
        self.batch = batch;
        self.gather(Some((number, bytes))).await?;
        if !self.has_answers(number) {
            self.until(|comparison| comparison.has_answers(number)).await?;
            self.excuse(number);
        }
        Ok(())
    }

    /// Whether all answers that the session has so far were received.
    fn has_answers(&self, number: usize) -> bool {
        let line = &self.lines[number];
        line.matched >= line.expected || line.closed
    }

    /// Stops waiting for answers that the session has but neither server gives.
    fn excuse(&mut self, number: usize) {
        let next = self.answers_before(self.at + 1, number);
        let line = &mut self.lines[number];
        if line.matched < line.expected {
            line.expected = line.matched;
            line.next = next;
        }
    }

    /// How many answers the session has for the connection before this event.
    fn answers_before(&self, index: usize, number: usize) -> usize {
        self.recorded[number].partition_point(|answer| *answer < index)
    }

    /// Waits until `happened` is true, up to the timeout.
    async fn until(&mut self, happened: impl Fn(&Self) -> bool) -> Result<(), Stop> {
        let deadline = Instant::now() + self.report.options.timeout + self.idle;
        while !happened(self) && Instant::now() < deadline {
            self.right.something(Instant::now() + LOOK).await;
            self.gather(None).await?;
        }
        Ok(())
    }

    /// Collects what both servers have sent and compares it. A server that is behind gets some time.
    async fn gather(&mut self, sent: Option<(usize, usize)>) -> Result<(), Stop> {
        self.listen().await?;
        if let Some((sender, bytes)) = sent
            && self.lines[sender].conversation.unanswered() > 0
        {
            self.right.barrier(bytes).await?;
            self.listen().await?;
        }
        let deadline = Instant::now() + SOON;
        while !self
            .lines
            .iter()
            .enumerate()
            .all(|(number, line)| self.right.waiting(number) >= line.ahead.len())
        {
            if !self.right.something(deadline).await {
                break;
            }
        }
        self.match_all().await?;
        if self.is_even() {
            return Ok(());
        }
        self.right.barrier(sent.map_or(0, |(_, bytes)| bytes)).await?;
        let deadline = Instant::now() + LATE;
        loop {
            self.listen().await?;
            self.match_all().await?;
            if self.is_even() {
                return Ok(());
            }
            if Instant::now() > deadline {
                return self.leftover().await;
            }
            self.right.something(Instant::now() + LOOK).await;
        }
    }

    /// Collects what the embedded broker has sent.
    async fn listen(&mut self) -> Result<(), ServerError> {
        self.left.barrier(0).await?;
        for (number, line) in self.lines.iter_mut().enumerate() {
            while let Some(received) = self.left.take(number) {
                let kind = match &received {
                    Received::Frame(frame) => line.conversation.receive(frame),
                    Received::Bytes(_) | Received::Closed => FrameKind::Push,
                };
                line.ahead.push_back((received, kind));
            }
        }
        Ok(())
    }

    /// True if no client is behind.
    fn is_even(&self) -> bool {
        self.lines
            .iter()
            .enumerate()
            .all(|(number, line)| line.ahead.is_empty() && self.right.waiting(number) == 0)
    }

    /// Compares what both have sent.
    async fn match_all(&mut self) -> Result<(), Stop> {
        for number in 0..self.lines.len() {
            while !self.lines[number].ahead.is_empty() {
                let Some(right) = self.right.take(number) else { break };
                let Some((left, kind)) = self.lines[number].ahead.pop_front() else { break };
                self.matched(number, &kind, left, right).await?;
            }
        }
        Ok(())
    }

    async fn matched(
        &mut self,
        number: usize,
        kind: &FrameKind,
        left: Received,
        right: Received,
    ) -> Result<(), Stop> {
        let line = &mut self.lines[number];
        line.since.receive();
        line.closed |= left == Received::Closed;
        let (one, other) = match (&left, &right) {
            (Received::Frame(one), Received::Frame(other)) => (one, other),
            (left, right) if left == right => {
                self.report.show(|| match left {
                    Received::Bytes(bytes) => Action::AnswerBytes(number, bytes.clone()),
                    Received::Closed | Received::Frame(_) => Action::Closed(number),
                });
                return Ok(());
            }
            _ => return self.differ(number, kind, Some(&left), Some(&right)).await,
        };
        line.matched += 1;
        let recorded = self.recorded[number].get(line.next).and_then(|index| {
            match &self.session.events[*index].action {
                Action::Answer(_, frame) if is_of_use(kind, frame) => Some(frame),
                _ => None,
            }
        });
        line.next += 1;
        if let Some(recorded) = recorded {
            // Pairs the values of the session's answer with those of both servers. It does not matter if the answer
            // differs.
            rules::compare(kind, recorded, one, &mut self.to_left);
            rules::compare(kind, recorded, other, &mut self.to_right);
        }
        self.report.outcome.answers += 1;
        match rules::compare(kind, one, other, &mut self.pairs) {
            Equality::Same => self.report.show(|| Action::Answer(number, one.clone())),
            Equality::ByNature(shown) => {
                self.report.outcome.by_nature += 1;
                self.report.show(|| Action::Answer(number, shown));
            }
            Equality::Different => return self.differ(number, kind, Some(&left), Some(&right)).await,
        }
        Ok(())
    }

    /// Reports what only one of them has sent.
    async fn leftover(&mut self) -> Result<(), Stop> {
        for number in 0..self.lines.len() {
            while let Some((left, kind)) = self.lines[number].ahead.pop_front() {
                self.differ(number, &kind, Some(&left), None).await?;
            }
            while let Some(right) = self.right.take(number) {
                self.differ(number, &FrameKind::Push, None, Some(&right)).await?;
            }
        }
        Ok(())
    }

    async fn differ(
        &mut self,
        number: usize,
        kind: &FrameKind,
        left: Option<&Received>,
        right: Option<&Received>,
    ) -> Result<(), Stop> {
        if right == Some(&Received::Closed) {
            // A server that no longer answers cannot be compared.
            self.right.is_there().await?;
        }
        let answered = match kind {
            FrameKind::Answer(request) => Some(request.event),
            FrameKind::Push | FrameKind::Monitored => None,
        };
        let sent = answered.map_or_else(|| self.step.clone(), |event| vec![event]);
        let event = sent.last().copied().unwrap_or(self.at);
        if self.report.differ(event, number, &sent, left, right) { Err(Stop::Difference) } else { Ok(()) }
    }
}

impl Connection {
    /// Records the requests that are in the bytes.
    fn send_bytes(&mut self, bytes: &[u8], index: usize) {
        self.raw.extend_from_slice(bytes);
        let parser = self.parser.get_or_insert_default();
        loop {
            match parser.parse(&self.raw, &Limits::default()) {
                Ok(None) => return,
                Ok(Some(length)) => {
                    let arguments: Vec<Argument> =
                        parser.args(&self.raw).iter().map(|bytes| Argument::Bytes(bytes.to_vec())).collect();
                    if !arguments.is_empty() {
                        self.conversation.send(Request::new(&arguments, index));
                    }
                    let _ = self.raw.split_to(length);
                }
                Err(_) => {
                    // One answer, then the connection is closed.
                    self.conversation.send(Request::new(&[], index));
                    self.raw.clear();
                    self.parser = None;
                    return;
                }
            }
        }
    }
}
