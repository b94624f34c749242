//! A program as a session file, which `minibroker compare` plays.

use std::time::Duration;

use minibroker::internal::conform::wire;
use minibroker::internal::session::rules;
use minibroker::internal::session::{Action, Argument, Frame, Placeholder, PlaceholderKind, Session};

use crate::play::Transcript;
use crate::program::{Moment, Program, Step, encoded, is_array, name};

/// The least number of milliseconds of a slot, so that the session plays to its end on a slow machine too.
pub const UNIT_MIN: u64 = 40;

/// The session of a program, with what was received.
pub fn session(program: &Program, unit: u64, received: &Transcript) -> Session {
    written(program, Moment::first(unit.max(UNIT_MIN)), received, false)
}

/// The same with all answers, with slots of [`UNIT_MIN`]. The actions of one step have no answer and no `pause` between
/// them.
pub fn session_with_answers(program: &Program, received: &Transcript) -> Session {
    written(program, Moment::first(UNIT_MIN), received, true)
}

fn written(program: &Program, mut now: Moment, received: &Transcript, with_answers: bool) -> Session {
    let mut writer =
        SessionWriter { program, session: Session::default(), open: vec![false; program.clients] };
    if !with_answers
        && program.requests().any(|request| request.ends_with("PSUBSCRIBE *") || request.contains("__key"))
    {
        let setter = writer.session.connection("setup");
        let words = ["CONFIG", "SET", "notify-keyspace-events", "KEA"];
        writer.session.push(Action::Send(setter, words.map(Argument::from).to_vec()));
    }
    let mut held_up = vec![Vec::new(); program.clients];
    let mut silent = None;
    for (step, outcome) in program.steps.iter().zip(received) {
        if let Step::Send { client, .. } | Step::Arrive { client } = step
            && silent == Some(*client)
        {
            writer.session.push(Action::Pause(Duration::ZERO));
        }
        match step {
            Step::Send { client, requests, held_up: count } => {
                writer.connect(*client);
                let whole = held_up[*client].is_empty() && *count == 0;
                if whole && requests.iter().all(|request| is_array(request)) {
                    for request in requests {
                        writer.send(*client, request, now);
                    }
                } else {
                    let mut bytes = std::mem::take(&mut held_up[*client]);
                    for request in requests {
                        bytes.extend(encoded(request, now, |_| None).0);
                    }
                    held_up[*client] = bytes.split_off(bytes.len().saturating_sub(*count));
                    writer.send_bytes(*client, bytes);
                }
            }
            Step::Arrive { client } => {
                let bytes = std::mem::take(&mut held_up[*client]);
                if writer.open[*client] {
                    writer.send_bytes(*client, bytes);
                }
            }
            Step::Disconnect { client } => {
                held_up[*client].clear();
                if std::mem::take(&mut writer.open[*client]) {
                    let client = writer.number(*client);
                    writer.session.push(Action::Close(client));
                }
            }
            Step::Pass { slots } => {
                now = now.later(*slots);
                writer.session.push(Action::Pause(Duration::from_millis(slots * now.unit)));
            }
        }
        if with_answers {
            for (client, received) in outcome.received.iter().enumerate() {
                writer.receive(client, &received.bytes);
            }
            let is_silent =
                outcome.received.iter().all(|received| received.bytes.is_empty() && !received.closed);
            silent = match step {
                Step::Send { client, .. } | Step::Arrive { client } if is_silent => Some(*client),
                _ => None,
            };
        }
        for (client, _) in outcome.received.iter().enumerate().filter(|(_, received)| received.closed) {
            held_up[client].clear();
            writer.open[client] = false;
            let client = writer.number(client);
            writer.session.push(Action::Closed(client));
        }
    }
    writer.session
}

struct SessionWriter<'a> {
    program: &'a Program,
    session: Session,
    open: Vec<bool>,
}

impl SessionWriter<'_> {
    fn number(&mut self, client: usize) -> usize {
        self.session.connection(&name(client))
    }

    fn connect(&mut self, client: usize) {
        if std::mem::replace(&mut self.open[client], true) {
            return;
        }
        // A session connects a client with its first action, but another client may need its id before that.
        if self.program.names(client) {
            let number = self.number(client);
            self.session.push(Action::Send(number, ["CLIENT", "ID"].map(Argument::from).to_vec()));
            self.session.push(Action::Answer(number, Frame::Placeholder(id(client))));
        }
    }

    fn send(&mut self, client: usize, request: &str, now: Moment) {
        let number = self.number(client);
        let (_, words) = encoded(request, now, |_| None);
        let words = words.unwrap_or_default().into_iter().zip(request.split(' ')).map(|(bytes, word)| {
            let named = (0..self.program.clients)
                .find(|client| word == format!("{{id:{client}}}") && self.open.get(*client) == Some(&true));
            match named {
                None => Argument::Bytes(bytes),
                Some(client) => {
                    Argument::Named { before: Vec::new(), placeholder: id(client), after: Vec::new() }
                }
            }
        });
        let words = words.collect();
        self.session.push(Action::Send(number, words));
    }

    fn receive(&mut self, client: usize, bytes: &[u8]) {
        let number = self.number(client);
        let mut rest = bytes;
        while let Some((_, after)) = wire::frame(rest) {
            let bytes = &rest[..rest.len() - after.len()];
            rest = after;
            self.session.push(match Frame::read(bytes) {
                None => Action::AnswerBytes(number, bytes.to_vec()),
                Some(frame) => Action::Answer(number, without_made_ids(without_identity(frame))),
            });
        }
        if !rest.is_empty() {
            self.session.push(Action::AnswerBytes(number, rest.to_vec()));
        }
    }

    fn send_bytes(&mut self, client: usize, bytes: Vec<u8>) {
        if !bytes.is_empty() {
            let number = self.number(client);
            self.session.push(Action::SendBytes(number, bytes));
        }
    }
}

/// The placeholder of the id of a client.
fn id(client: usize) -> Placeholder {
    Placeholder { kind: PlaceholderKind::Int, name: Some(name(client)) }
}

/// Ids made from the clock, which differ each time, become placeholders.
fn without_made_ids(frame: Frame) -> Frame {
    match frame {
        Frame::Text { kind: b'$', text } if rules::is_made_id(&text) => {
            Frame::Placeholder(Placeholder::of(PlaceholderKind::Id))
        }
        Frame::Nest { kind, items } => {
            Frame::Nest { kind, items: items.into_iter().map(without_made_ids).collect() }
        }
        frame => frame,
    }
}

/// An answer to HELLO in which the fields that describe the server are placeholders.
fn without_identity(frame: Frame) -> Frame {
    let Frame::Nest { kind, mut items } = frame else { return frame };
    if items.first().and_then(Frame::text) == Some(b"server") {
        for pair in items.chunks_mut(2) {
            let kind = match pair[0].text() {
                Some(b"server" | b"version" | b"modules") => PlaceholderKind::Any,
                Some(b"id") => PlaceholderKind::Int,
                _ => continue,
            };
            if let [_, value] = pair {
                *value = Frame::Placeholder(Placeholder::of(kind));
            }
        }
    }
    Frame::Nest { kind, items }
}
