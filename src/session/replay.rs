//! Plays a session on one server, which has to answer as in the session.

use std::io::Write;

use tokio::time::Instant;

use super::conversation::{Conversation, FrameKind, Request, Since};
use super::format::{Action, Session};
use super::frame::Frame;
use super::play::{Options, Outcome, PlayError, Report, expanded, logs_in_itself, playable};
use super::rules::{self, Equality, Pairs};
use super::server::{Received, Server, ServerError};
use crate::remote::Target;
use crate::resp::request_bytes;

/// Plays a session on a server and compares what it sends with the answers in the session. Differences are printed
/// to `out`. An event is played when all events before it have happened.
///
/// # Errors
///
/// The server cannot be used, or ends while the session is played.
pub async fn replay(
    session: &Session,
    target: &Target,
    options: &Options,
    out: &mut dyn Write,
) -> Result<Outcome, PlayError> {
    let session = playable(session, target);
    let mut server = Server::connect(target, session.names.len()).await?;
    if options.flush {
        server.ask(&["FLUSHDB"]).await?;
    }
    let report = Report {
        session: &session,
        options,
        sides: [options.title.clone(), target.to_string()],
        out,
        outcome: Outcome::default(),
    };
    let mut answered = vec![0; session.names.len()];
    for event in &session.events {
        if let Action::Answer(number, _) | Action::AnswerBytes(number, _) | Action::Closed(number) =
            &event.action
        {
            answered[*number] += 1;
        }
    }
    let connections = answered.into_iter().map(|left| Connection { left, ..Connection::default() }).collect();
    let mut replay = Replay {
        session: &session,
        server,
        report,
        connections,
        pairs: Pairs::default(),
        batch: Vec::new(),
        sender: None,
        unconfirmed: 0,
        idle: std::time::Duration::ZERO,
    };
    replay.play().await?;
    Ok(replay.report.outcome)
}

/// A connection of the session.
#[derive(Default)]
struct Connection {
    conversation: Conversation,
    /// How many answers the session still has for the connection.
    left: usize,
    /// Whether the session has any answers for it.
    has_answers: bool,
    /// The server closed the connection where the session has an answer: it is not opened again for the remaining
    /// answers.
    closed: bool,
    /// The index of the event that sent last.
    sent: Option<usize>,
    since: Since,
}

struct Replay<'a> {
    session: &'a Session,
    server: Server,
    report: Report<'a>,
    connections: Vec<Connection>,
    pairs: Pairs,
    /// The bytes that `sender` sends in one piece.
    batch: Vec<u8>,
    sender: Option<usize>,
    /// How many bytes the sender has sent since the server is known to have run all requests.
    unconfirmed: usize,
    /// How long nothing happened when this was recorded, since a client last sent something.
    idle: std::time::Duration,
}

/// Whether to continue.
#[derive(PartialEq, Eq)]
enum Next {
    Continue,
    Enough,
}

impl Replay<'_> {
    async fn play(&mut self) -> Result<(), PlayError> {
        for connection in &mut self.connections {
            connection.has_answers = connection.left > 0;
        }
        for index in 0..self.session.events.len() {
            let line = self.session.events[index].line;
            let next = self.event(index).await.map_err(|source| PlayError::At { line, source })?;
            if next == Next::Enough {
                return Ok(());
            }
        }
        let last = self.session.events.len().saturating_sub(1);
        let line = self.session.events.last().map_or(0, |event| event.line);
        let ended = async {
            self.flush().await?;
            self.server.barrier(self.unconfirmed).await
        };
        ended.await.map_err(|source| PlayError::At { line, source })?;
        for number in 0..self.connections.len() {
            if self.leftover(last, number) == Next::Enough {
                break;
            }
        }
        Ok(())
    }

    async fn event(&mut self, index: usize) -> Result<Next, ServerError> {
        let session = self.session;
        let action = &session.events[index].action;
        if let Action::Pause(_) | Action::Idle(_) | Action::Wait(_) = action {
            self.report.show(|| action.clone());
        }
        match action {
            Action::Pause(time) => {
                self.flush().await?;
                tokio::time::sleep(*time).await;
            }
            Action::Idle(time) => {
                self.idle += *time;
                if self.report.options.idle {
                    self.flush().await?;
                    tokio::time::sleep(*time).await;
                }
            }
            Action::Connect(number) => {
                self.flush().await?;
                if self.server.is_open(*number) {
                    self.server.close(*number).await?;
                    if self.leftover(index, *number) == Next::Enough {
                        return Ok(Next::Enough);
                    }
                }
                self.open(index, *number).await?;
            }
            Action::Send(number, arguments) => {
                self.ready(index, *number).await?;
                let request = Request::new(arguments, index);
                self.batch.extend(request_bytes(&expanded(arguments, &self.pairs, &self.server)));
                self.sent(index, *number);
                self.connections[*number].conversation.send(request);
            }
            Action::SendBytes(number, bytes) => {
                self.ready(index, *number).await?;
                self.batch.extend_from_slice(bytes);
                self.sent(index, *number);
            }
            Action::Answer(number, frame) => return self.answer(index, *number, frame).await,
            Action::AnswerBytes(number, bytes) => return self.bytes(index, *number, bytes).await,
            Action::Closed(number) => {
                self.flush().await?;
                let received = self.next(*number).await;
                self.connections[*number].left -= 1;
                if received != Some(Received::Closed) {
                    return self.differs(index, *number, Some(&Received::Closed), received.as_ref()).await;
                }
                self.report.show(|| action.clone());
                self.server.close(*number).await?;
            }
            Action::Close(number) => {
                self.flush().await?;
                self.wait_for_others(None).await?;
                let next = self.leftover(index, *number);
                self.report.show(|| action.clone());
                self.server.close(*number).await?;
                return Ok(next);
            }
            Action::Wait(number) => {
                self.flush().await?;
                let deadline = Instant::now() + self.report.options.timeout;
                while !self.connections[*number].since.has_received(self.server.waiting(*number))
                    && self.server.front(*number) != Some(Received::Closed)
                {
                    if !self.server.something(deadline).await {
                        return self.differs(index, *number, None, None).await;
                    }
                }
                if self.server.front(*number) == Some(Received::Closed) {
                    self.server.is_there().await?;
                }
            }
        }
        Ok(Next::Continue)
    }

    async fn open(&mut self, index: usize, number: usize) -> Result<(), ServerError> {
        let log_in = !logs_in_itself(self.session, index, number, self.server.target());
        let left = self.connections[number].left;
        let has_answers = self.connections[number].has_answers;
        self.connections[number] = Connection { left, has_answers, ..Connection::default() };
        self.report.show(|| Action::Connect(number));
        self.server.open(number, log_in).await
    }

    /// Before a client sends: the requests of all others have run.
    async fn ready(&mut self, index: usize, number: usize) -> Result<(), ServerError> {
        if self.sender != Some(number) {
            self.flush().await?;
            self.wait_for_others(Some(number)).await?;
        }
        if !self.server.is_open(number) {
            self.flush().await?;
            self.open(index, number).await?;
        }
        self.sender = Some(number);
        Ok(())
    }

    /// Returns when the server has run the requests of all clients but `sender`.
    async fn wait_for_others(&mut self, sender: Option<usize>) -> Result<(), ServerError> {
        if self.unconfirmed > 0 && self.sender != sender {
            self.server.barrier(self.unconfirmed).await?;
            self.unconfirmed = 0;
        }
        Ok(())
    }

    fn sent(&mut self, index: usize, number: usize) {
        self.report.outcome.requests += 1;
        self.connections[number].sent = Some(index);
        let connection = &mut self.connections[number];
        connection.since.send(&connection.conversation);
        self.idle = std::time::Duration::ZERO;
        let action = &self.session.events[index].action;
        self.report.show(|| action.clone());
    }

    async fn flush(&mut self) -> Result<(), ServerError> {
        if let Some(number) = self.sender.filter(|_| !self.batch.is_empty()) {
            self.server.send(number, &self.batch).await;
            self.unconfirmed += self.batch.len();
            self.batch.clear();
        }
        Ok(())
    }

    /// What the client receives next, within the timeout.
    async fn next(&mut self, number: usize) -> Option<Received> {
        let deadline = Instant::now() + self.report.options.timeout + self.idle;
        self.server.next(number, deadline).await
    }

    async fn answer(&mut self, index: usize, number: usize, wanted: &Frame) -> Result<Next, ServerError> {
        if !self.server.is_open(number) && !self.connections[number].closed {
            self.flush().await?;
            self.open(index, number).await?;
        }
        self.flush().await?;
        let received = self.next(number).await;
        let connection = &mut self.connections[number];
        connection.left -= 1;
        connection.since.receive();
        let kind = connection.conversation.receive(wanted);
        // The last outstanding answer shows that all requests have run.
        if self.sender == Some(number)
            && connection.conversation.unanswered() == 0
            && matches!(kind, FrameKind::Answer(_))
        {
            self.unconfirmed = 0;
        }
        let equality = match &received {
            Some(Received::Frame(frame)) => rules::compare(&kind, wanted, frame, &mut self.pairs),
            _ => Equality::Different,
        };
        self.report.outcome.answers += 1;
        match equality {
            Equality::Same => self.report.show(|| Action::Answer(number, wanted.clone())),
            Equality::ByNature(shown) => {
                self.report.outcome.by_nature += 1;
                self.report.show(|| Action::Answer(number, shown));
            }
            Equality::Different => {
                let wanted = Received::Frame(wanted.clone());
                let sent = if let FrameKind::Answer(request) = &kind { Some(request.event) } else { None };
                return self.differs_after(index, number, sent, Some(&wanted), received.as_ref()).await;
            }
        }
        Ok(Next::Continue)
    }

    async fn bytes(&mut self, index: usize, number: usize, wanted: &[u8]) -> Result<Next, ServerError> {
        self.flush().await?;
        let mut bytes = Vec::new();
        let mut last = None;
        while bytes.len() < wanted.len() {
            last = self.next(number).await;
            match &last {
                Some(Received::Bytes(more)) => bytes.extend_from_slice(more),
                _ => break,
            }
        }
        self.connections[number].left -= 1;
        self.report.outcome.answers += 1;
        if bytes == wanted {
            return Ok(Next::Continue);
        }
        let got = if bytes.is_empty() { last } else { Some(Received::Bytes(bytes)) };
        self.differs(index, number, Some(&Received::Bytes(wanted.to_vec())), got.as_ref()).await
    }

    async fn differs(
        &mut self,
        index: usize,
        number: usize,
        left: Option<&Received>,
        right: Option<&Received>,
    ) -> Result<Next, ServerError> {
        self.differs_after(index, number, None, left, right).await
    }

    /// Reports a difference; the request is the one that was answered, or the last that was sent by any client.
    async fn differs_after(
        &mut self,
        index: usize,
        number: usize,
        request: Option<usize>,
        left: Option<&Received>,
        right: Option<&Received>,
    ) -> Result<Next, ServerError> {
        if right == Some(&Received::Closed) || right.is_none() {
            // A server that no longer answers cannot be compared.
            self.server.is_there().await?;
        }
        if right == Some(&Received::Closed) {
            self.connections[number].closed = true;
        }
        let last = self.sender.and_then(|sender| self.connections[sender].sent);
        let sent: Vec<usize> = request.or(last).into_iter().collect();
        let enough = self.report.differ(index, number, &sent, left, right);
        // If there was one answer too many, the next one is the wanted one.
        if !enough && left.is_some() && self.server.front(number).as_ref() == left {
            self.server.take(number);
        }
        Ok(if enough { Next::Enough } else { Next::Continue })
    }

    /// Reports what was received but not expected.
    fn leftover(&mut self, index: usize, number: usize) -> Next {
        while let Some(received) = self.server.take(number) {
            let connection = &self.connections[number];
            // The answers of a client that did not wait for them are not compared.
            let is_asked =
                connection.has_answers && connection.left == 0 && connection.conversation.unanswered() == 0;
            // Of two ends that are closed at once either may have been recorded.
            let is_close =
                matches!(self.session.events.get(index).map(|event| &event.action), Some(Action::Close(_)));
            if !is_asked || (is_close && received == Received::Closed) {
                continue;
            }
            let last = self.sender.and_then(|sender| self.connections[sender].sent);
            let sent: Vec<usize> = last.into_iter().collect();
            if self.report.differ(index, number, &sent, None, Some(&received)) {
                return Next::Enough;
            }
        }
        Next::Continue
    }
}
