//! The common parts of playing a session on one server and on two.

use std::collections::HashSet;
use std::io::{self, Write};
use std::time::Duration;

use super::conversation::{Conversation, FrameKind, Request, effect_of};
use super::format::{Action, Argument, Event, Session, write_event};
use super::frame::Frame;
use super::rules::{self, Pairs, is_made_id};
use super::server::{Received, Server, ServerError};
use crate::Version;
use crate::remote::Target;
use crate::spec::Effect;

/// Frames that take more than a line are compared line by line, with this many lines around a difference.
const CONTEXT: usize = 3;
/// How many requests of a step are shown with a difference that answers none of them.
const SHOWN: usize = 5;

/// How a session is played.
#[derive(Clone, Debug)]
// Each is a flag of the program.
#[allow(clippy::struct_excessive_bools)]
pub struct Options {
    /// The session's name in the output, such as the path of its file.
    pub title: String,
    /// Continues after the first difference.
    pub all: bool,
    /// Prints everything that is sent and received, with placeholders for what differs by nature.
    pub verbose: bool,
    /// Lets as much time pass as passed when the session was recorded.
    pub idle: bool,
    /// Empties the databases that the session uses before it begins.
    pub flush: bool,
    /// How long an expected answer may take.
    pub timeout: Duration,
    /// The version of Redis that minibroker speaks in a comparison; if `None`, the nearest to the other server.
    pub compat: Option<Version>,
}

/// The result of playing a session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// How many requests were sent.
    pub requests: usize,
    /// How many replies and pushes were compared.
    pub answers: usize,
    /// How many of them differed by nature.
    pub by_nature: usize,
    /// How many differed otherwise.
    pub differences: usize,
    /// The version of Redis that minibroker spoke in a comparison.
    pub compat: Option<Version>,
}

/// Why a session was not played to its end.
#[derive(Debug, thiserror::Error)]
pub enum PlayError {
    /// The broker could not be started.
    #[error(transparent)]
    Start(#[from] crate::StartError),
    /// The server cannot be used.
    #[error(transparent)]
    Server(#[from] ServerError),
    /// The server was lost while the session was played.
    #[error("line {line}: {source}")]
    At {
        /// The line of the session.
        line: usize,
        /// What has happened.
        source: ServerError,
    },
    /// The databases that the session uses are not empty.
    #[error("{server} is not empty: database {databases} has keys, which --flush would remove")]
    NotEmpty {
        /// The server.
        server: String,
        /// The numbers of the databases.
        databases: String,
    },
    /// The program was interrupted.
    #[error("interrupted")]
    Interrupted,
}

/// The session as it can be played on this server: without a password AUTH is left out, and HELLO does not log in.
pub(super) fn playable(session: &Session, target: &Target) -> Session {
    if target.password.is_some() {
        return session.clone();
    }
    let mut conversations = vec![Conversation::default(); session.names.len()];
    let mut left_out = HashSet::new();
    let mut events = Vec::with_capacity(session.events.len());
    for (index, event) in session.events.iter().enumerate() {
        let mut event = event.clone();
        match &mut event.action {
            Action::Connect(number) => conversations[*number] = Conversation::default(),
            Action::Send(number, arguments) => {
                let request = Request::new(arguments, index);
                let logs_in = arguments.contains(&Argument::Password);
                let leave_out = logs_in && request.effect() == Some(Effect::LogsIn);
                conversations[*number].send(request);
                if leave_out {
                    left_out.insert(index);
                    continue;
                }
                if logs_in && let Some(at) = arguments.iter().position(|argument| argument.is("AUTH")) {
                    arguments.drain(at..(at + 3).min(arguments.len()));
                }
            }
            Action::Answer(number, frame) => {
                if let FrameKind::Answer(request) = conversations[*number].receive(frame)
                    && left_out.contains(&request.event)
                {
                    continue;
                }
            }
            _ => {}
        }
        events.push(event);
    }
    Session { names: session.names.clone(), events }
}

/// Whether the connection that is opened for the event at `index` logs in itself.
pub(super) fn logs_in_itself(session: &Session, index: usize, number: usize, target: &Target) -> bool {
    let first = session.events.iter().skip(index).find_map(|event| match &event.action {
        Action::Send(at, arguments) if *at == number => Some(Some(arguments)),
        Action::SendBytes(at, _) | Action::Close(at) | Action::Closed(at) if *at == number => Some(None),
        _ => None,
    });
    target.database.unwrap_or(0) == 0
        && first.flatten().is_some_and(|arguments| match effect_of(arguments) {
            Some(Effect::LogsIn) => true,
            Some(Effect::ChoosesProtocol) => arguments.iter().any(|argument| argument.is("AUTH")),
            _ => false,
        })
}

/// The arguments, with the values of the session replaced by those of the server.
pub(super) fn expanded(arguments: &[Argument], pairs: &Pairs, server: &Server) -> Vec<Vec<u8>> {
    let about_clients = effect_of(arguments) == Some(Effect::TakesClientIds);
    let password = || server.target().password.clone().unwrap_or_default().into_bytes();
    let is_named = |name: &[u8]| arguments.iter().any(|argument| argument.bytes() == Some(name));
    let mut out: Vec<Vec<u8>> = arguments
        .iter()
        .map(|argument| match argument {
            Argument::Bytes(bytes) if is_made_id(bytes) => {
                pairs.id(bytes, is_named).unwrap_or_else(|| bytes.clone())
            }
            Argument::Bytes(bytes) if about_clients => pairs.client(bytes).unwrap_or(bytes).clone(),
            Argument::Bytes(bytes) => bytes.clone(),
            Argument::Password => password(),
            Argument::Named { before, placeholder, after } => {
                let name = placeholder.name.as_deref().unwrap_or_default();
                let value = pairs.named(name).map(Vec::as_slice).unwrap_or_default();
                [before, value, after].concat()
            }
        })
        .collect();
    // The embedded broker knows the default user only.
    let password_at = arguments.iter().position(|argument| *argument == Argument::Password);
    if let (true, Some(user)) = (server.is_embedded(), password_at.and_then(|at| at.checked_sub(1)))
        && user > 0
        && let Some(user) = out.get_mut(user)
    {
        *user = b"default".to_vec();
    }
    out
}

/// Whether a later request may need a value of the answer.
pub(super) fn is_of_use(kind: &FrameKind, frame: &Frame) -> bool {
    let mut found = matches!(kind, FrameKind::Answer(request) if rules::varies(request).has_client_id());
    frame.each(&mut |frame| {
        found |= match frame {
            Frame::Placeholder(placeholder) => placeholder.name.is_some(),
            frame => frame.text().is_some_and(is_made_id),
        }
    });
    found
}

/// Whether the request needs an earlier answer.
pub(super) fn needs_an_answer(arguments: &[Argument]) -> bool {
    let about_clients = effect_of(arguments) == Some(Effect::TakesClientIds);
    about_clients
        || arguments.iter().any(|argument| match argument {
            Argument::Bytes(bytes) => is_made_id(bytes),
            Argument::Named { .. } => true,
            Argument::Password => false,
        })
}

/// Prints the events and the differences.
pub(super) struct Report<'a> {
    pub(super) session: &'a Session,
    pub(super) options: &'a Options,
    /// What the first and the second side are called.
    pub(super) sides: [String; 2],
    pub(super) out: &'a mut dyn Write,
    pub(super) outcome: Outcome,
}

impl Report<'_> {
    fn text(&self, action: &Action) -> String {
        let mut text = String::new();
        write_event(&mut text, action, |number| self.session.names.get(number).map_or("?", String::as_str));
        text
    }

    /// Prints an event, with `--verbose`.
    pub(super) fn show(&mut self, action: impl FnOnce() -> Action) {
        if self.options.verbose {
            let text = self.text(&action());
            // Ignored: the output may be closed.
            let _ = self.out.write_all(text.as_bytes());
        }
    }

    /// Prints a difference: what one client should have received and what it received, with what was sent. True if
    /// playing should stop.
    pub(super) fn differ(
        &mut self,
        event: usize,
        number: usize,
        sent: &[usize],
        left: Option<&Received>,
        right: Option<&Received>,
    ) -> bool {
        self.outcome.differences += 1;
        // The output may be closed: the exit status gives the result as well.
        let _ = self.print(event, number, sent, left, right);
        !self.options.all
    }

    fn print(
        &mut self,
        event: usize,
        number: usize,
        sent: &[usize],
        left: Option<&Received>,
        right: Option<&Received>,
    ) -> io::Result<()> {
        let line = self.session.events.get(event).map_or(0, |event: &Event| event.line);
        let name = self.session.names.get(number).map_or("?", String::as_str).to_owned();
        if self.outcome.differences == 1 {
            writeln!(self.out, "--- {}\n+++ {}", self.sides[0], self.sides[1])?;
        }
        writeln!(self.out, "@@ {}:{line}: what {name} gets @@", self.options.title)?;
        if let Some(more) = sent.len().checked_sub(SHOWN).filter(|more| *more > 0) {
            writeln!(self.out, "  # {more} requests more")?;
        }
        for event in sent.iter().skip(sent.len().saturating_sub(SHOWN)) {
            if let Some(event) = self.session.events.get(*event) {
                for line in self.text(&event.action).lines() {
                    writeln!(self.out, "  {line}")?;
                }
            }
        }
        let long = [left, right].into_iter().flatten().any(|received| self.is_long(number, received));
        for line in diff(&self.lines(number, left, long), &self.lines(number, right, long)) {
            writeln!(self.out, "{line}")?;
        }
        self.out.flush()
    }

    /// Whether it takes more than a line.
    fn is_long(&self, number: usize, received: &Received) -> bool {
        match received {
            Received::Frame(frame) => self.text(&Action::Answer(number, frame.clone())).lines().count() > 1,
            Received::Bytes(_) | Received::Closed => false,
        }
    }

    fn lines(&self, number: usize, received: Option<&Received>, long: bool) -> Vec<String> {
        let action = match received {
            None => {
                return vec![format!(
                    "# nothing for {}",
                    self.session.names.get(number).map_or("?", String::as_str)
                )];
            }
            Some(Received::Frame(frame)) => {
                let text = self.text(&Action::Answer(number, frame.clone()));
                if !long || frame.items().is_empty() {
                    return text.lines().map(str::to_owned).collect();
                }
                let name = self.session.names.get(number).map_or("?", String::as_str);
                let mut lines = Vec::new();
                expand(frame, 0, &mut lines);
                if let Some(first) = lines.first_mut() {
                    *first = format!("{name} < {first}");
                }
                return lines;
            }
            Some(Received::Bytes(bytes)) => Action::AnswerBytes(number, bytes.clone()),
            Some(Received::Closed) => Action::Closed(number),
        };
        self.text(&action).lines().map(str::to_owned).collect()
    }
}

/// A frame with one element a line.
fn expand(frame: &Frame, depth: usize, lines: &mut Vec<String>) {
    let indent = "    ".repeat(depth);
    match frame {
        Frame::Nest { kind, items } if !items.is_empty() => {
            let kind = if *kind == b'*' { String::new() } else { char::from(*kind).to_string() };
            lines.push(format!("{indent}{kind}["));
            for item in items {
                expand(item, depth + 1, lines);
            }
            lines.push(format!("{indent}]"));
        }
        leaf => {
            let mut text = String::new();
            write_event(&mut text, &Action::Answer(0, leaf.clone()), |_| "");
            let text = text.trim_start_matches(" < ").trim_end();
            lines.extend(text.lines().map(|line| format!("{indent}{line}")));
        }
    }
}

/// Two texts as a diff: lines only in `left` with `-`, lines only in `right` with `+`.
fn diff(left: &[String], right: &[String]) -> Vec<String> {
    let head = left.iter().zip(right).take_while(|(one, other)| one == other).count();
    let (left_rest, right_rest) = (&left[head..], &right[head..]);
    let tail =
        left_rest.iter().rev().zip(right_rest.iter().rev()).take_while(|(one, other)| one == other).count();
    let (same, left_only) = left_rest.split_at(left_rest.len() - tail);
    let (same, left_only) = (left_only, same);
    let right_only = &right_rest[..right_rest.len() - tail];
    let mut lines = Vec::new();
    if let Some(hidden) = head.checked_sub(CONTEXT).filter(|hidden| *hidden > 0) {
        lines.push(format!("  # {hidden} lines"));
    }
    lines.extend(left[head.saturating_sub(CONTEXT)..head].iter().map(|line| format!("  {line}")));
    lines.extend(left_only.iter().map(|line| format!("- {line}")));
    lines.extend(right_only.iter().map(|line| format!("+ {line}")));
    lines.extend(same.iter().take(CONTEXT).map(|line| format!("  {line}")));
    if let Some(hidden) = same.len().checked_sub(CONTEXT).filter(|hidden| *hidden > 0) {
        lines.push(format!("  # {hidden} lines"));
    }
    lines
}
