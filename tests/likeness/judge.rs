//! Whether a broker and a real server have said the same: every byte, but for what differs by nature, for which
//! [`rules`] stand, and for what is listed in `tests/comparison/differences.md`.

use bytes::{Buf, BytesMut};
use minibroker::session::conversation::{Conversation, Heard as About, Request};
use minibroker::session::frame::{Frame, Scanner};
use minibroker::session::rules::{self, Likeness, Pairs};

use crate::play::{Heard, Transcript};
use crate::program::{Moment, Program, Step, encoded};
use crate::wire;

/// The first difference.
#[derive(Clone, Debug)]
pub struct Difference {
    /// The step that it came with, and the client to which it came.
    pub step: usize,
    pub client: usize,
    /// What it has heard in that step, as a diff: `-` of the real server, `+` of the broker.
    pub diff: Vec<String>,
}

/// One thing that comes.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Came {
    Frame(Frame),
    Bytes(Vec<u8>),
    Closed,
}

/// Compares what was heard of a program from a server of this name and from a broker.
pub fn compare(program: &Program, server: &str, real: &Transcript, ours: &Transcript) -> Option<Difference> {
    let heard = |transcript: &Transcript| transcript.iter().map(|moved| moved.heard.clone()).collect::<Vec<_>>();
    if real.len() == ours.len() && real.iter().zip(ours).all(|(real, ours)| real.heard == ours.heard) {
        return None;
    }
    let (real, all_ours) = (heard(real), heard(ours));
    let mut conversations = vec![Conversation::default(); program.clients];
    let mut pairs = Pairs::default();
    for (number, step) in program.steps.iter().enumerate() {
        if let Step::Send { client, requests, .. } = step {
            let conversation = &mut conversations[*client];
            if ours[number].connected {
                *conversation = Conversation::default();
            }
            for request in requests {
                let (_, words) = encoded(request, Moment::first(2), |_| None);
                let words: Vec<_> = words.unwrap_or_default().into_iter().map(Into::into).collect();
                conversation.sends(Request::new(&words, number));
            }
        }
        for (client, conversation) in conversations.iter_mut().enumerate() {
            let (real, ours) = (&real[number][client], &all_ours[number][client]);
            if !same(conversation, &mut pairs, server, real, ours) {
                let diff = wire::diff(&shown(real), &shown(ours));
                return Some(Difference { step: number, client, diff });
            }
        }
    }
    None
}

fn shown(heard: &Heard) -> Vec<String> {
    let mut lines = wire::show(&heard.bytes);
    if heard.closed {
        lines.push("(closed)".into());
    }
    lines
}

fn same(conversation: &mut Conversation, pairs: &mut Pairs, server: &str, real: &Heard, ours: &Heard) -> bool {
    let (real, ours) = (split(real), split(ours));
    let about: Vec<About> = ours
        .iter()
        .map(|came| match came {
            Came::Frame(frame) => conversation.hears(frame),
            Came::Bytes(_) | Came::Closed => About::Push,
        })
        .collect();
    let mut alike = |(about, ours): (&About, &Came), real: &Came| match (ours, real) {
        (Came::Frame(one), Came::Frame(other)) => {
            rules::compare(about, one, other, pairs) != Likeness::Different || excused(server, about, one, other)
        }
        _ => ours == real,
    };
    let ours: Vec<(&About, &Came)> = about.iter().zip(&ours).collect();
    if ours.len() != real.len() {
        return false;
    }
    if ours.iter().zip(&real).all(|(ours, real)| alike(*ours, real)) {
        return true;
    }
    if server != "redis-7.0" {
        return false;
    }
    // `blocking`, "keyspace notifications to the waiter itself": 7.0 writes a push to the client itself in front of the
    // reply.
    let is_push = |came: &Came| matches!(came, Came::Frame(frame) if frame.kind() == b'>');
    let (real_pushes, real_rest): (Vec<&Came>, Vec<&Came>) = real.iter().partition(|came| is_push(came));
    let (pushes, rest): (Vec<_>, Vec<_>) = ours.into_iter().partition(|(_, came)| is_push(came));
    let both = pushes.into_iter().chain(rest).zip(real_pushes.into_iter().chain(real_rest));
    both.into_iter().all(|(ours, real)| alike(ours, real))
}

fn split(heard: &Heard) -> Vec<Came> {
    let mut came = Vec::new();
    let mut buffer = BytesMut::from(heard.bytes.as_slice());
    let mut scanner = Scanner::default();
    while let Ok(Some(length)) = scanner.scan(&buffer) {
        let bytes = &buffer[..length];
        came.push(Frame::read(bytes).map_or_else(|| Came::Bytes(bytes.to_vec()), Came::Frame));
        buffer.advance(length);
    }
    if !buffer.is_empty() {
        came.push(Came::Bytes(buffer.to_vec()));
    }
    if heard.closed {
        came.push(Came::Closed);
    }
    came
}

/// Whether a difference between two answers is one of those in `differences.md`.
fn excused(server: &str, about: &About, ours: &Frame, real: &Frame) -> bool {
    let _ = (server, about, ours, real);
    false
}
