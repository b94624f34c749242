//! Whether a broker and a real server have said the same: every byte, but for what differs by nature, for which
//! [`rules`] stand, and for what is listed in `tests/comparison/differences.md`.

use minibroker::internal::conform::wire;
use minibroker::internal::session::Argument;
use minibroker::internal::session::conversation::{Conversation, Heard as About, Request};
use minibroker::internal::session::frame::Frame;
use minibroker::internal::session::rules::{self, Pairs};

use crate::listed::{self, Listed};
use crate::play::{Heard, Transcript};
use crate::program::{Moment, Program, Step, encoded};

/// The first difference.
#[derive(Clone, Debug)]
pub struct Difference {
    /// The step that it came with, and the client to which it came.
    pub step: usize,
    pub client: usize,
    /// What it has heard in that step, as a diff: `-` of the real server, `+` of the broker.
    pub diff: Vec<String>,
}

/// What comparing has brought.
#[derive(Clone, Debug)]
pub enum Verdict {
    Same,
    /// The same up to a difference that is listed, from where on it is another story.
    SameUpToAListedOne,
    Different(Difference),
}

/// One thing that comes.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Came {
    Frame(Frame),
    Bytes(Vec<u8>),
    Closed,
}

/// What a client did in a step.
#[derive(Clone, Debug)]
pub struct Asked {
    pub client: usize,
    /// It connected before.
    pub connected: bool,
    /// Requests, as far as they can be read.
    pub requests: Vec<Vec<Argument>>,
}

/// Compares what was heard of a program from a server of this name and from a broker.
pub fn compare(program: &Program, server: &str, real: &Transcript, ours: &Transcript) -> Verdict {
    let heard =
        |transcript: &Transcript| transcript.iter().map(|moved| moved.heard.clone()).collect::<Vec<_>>();
    let asked = program.steps.iter().zip(ours).map(|(step, moved)| {
        let Step::Send { client, requests, .. } = step else { return None };
        let requests = requests.iter().map(|request| encoded(request, Moment::first(2), |_| None));
        // An empty line is nothing.
        let requests = requests.filter(|(bytes, _)| bytes != b"\r\n");
        let words =
            requests.map(|(_, words)| words.unwrap_or_default().into_iter().map(Into::into).collect());
        Some(Asked { client: *client, connected: moved.connected, requests: words.collect() })
    });
    compare_heard(program.clients, &asked.collect::<Vec<_>>(), server, &heard(real), &heard(ours))
}

/// Compares what clients heard from a server of this name and from a broker, step by step.
pub fn compare_heard(
    clients: usize,
    asked: &[Option<Asked>],
    server: &str,
    all_real: &[Vec<Heard>],
    all_ours: &[Vec<Heard>],
) -> Verdict {
    if all_real == all_ours {
        return Verdict::Same;
    }
    let mut conversations = vec![Conversation::default(); clients];
    let mut pairs = Pairs::default();
    let kills = asked
        .iter()
        .flatten()
        .flat_map(|asked| &asked.requests)
        .any(|request| request.windows(2).any(|two| two[0].is("CLIENT") && two[1].is("KILL")));
    for (number, asked) in asked.iter().enumerate() {
        if let Some(Asked { client, connected, requests }) = asked {
            let conversation = &mut conversations[*client];
            if *connected {
                *conversation = Conversation::default();
            }
            for request in requests {
                conversation.sends(Request::new(request, number));
            }
        }
        let mut first = None;
        for (client, conversation) in conversations.iter_mut().enumerate() {
            let (real, ours) = (&all_real[number][client], &all_ours[number][client]);
            match matches(conversation, &mut pairs, (server, kills), real, ours) {
                Match::Same => {}
                Match::Another => return Verdict::SameUpToAListedOne,
                Match::Different if first.is_some() => {}
                Match::Different => {
                    let diff = wire::diff(&shown(real), &shown(ours));
                    first = Some(Difference { step: number, client, diff });
                }
            }
        }
        if let Some(difference) = first {
            return Verdict::Different(difference);
        }
    }
    Verdict::Same
}

fn shown(heard: &Heard) -> Vec<String> {
    let mut lines = wire::show(&heard.bytes);
    if heard.closed {
        lines.push("(closed)".into());
    }
    lines
}

/// How what came to a client compares.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Match {
    Same,
    /// It differs in what is listed, from where on it is another story.
    Another,
    Different,
}

fn matches(
    conversation: &mut Conversation,
    pairs: &mut Pairs,
    (server, kills): (&str, bool),
    real_bytes: &Heard,
    our_bytes: &Heard,
) -> Match {
    let mut real = split(real_bytes);
    let mut ours: Vec<(About, Came)> = split(our_bytes)
        .into_iter()
        .map(|came| {
            let about = match &came {
                Came::Frame(frame) => conversation.hears(frame),
                Came::Bytes(_) | Came::Closed => About::Push,
            };
            (about, came)
        })
        .collect();
    order_names(&mut ours, &mut real);
    let all = all_alike(&ours, &real, pairs, server);
    if all != Match::Different {
        return all;
    }
    if is_listed_end(server, kills, &ours, &real) {
        return Match::Another;
    }
    if server != "redis-7.0" {
        return all;
    }
    // blocking, "keyspace notifications to the waiter itself", and hashes, "what is told of hashes": 7.0 writes a push to
    // the client itself in front of the reply, or into it.
    let hears_itself = our_bytes.bytes.windows(9).any(|nine| nine == b"message\r\n");
    if hears_itself && lines(real_bytes) == lines(our_bytes) { Match::Same } else { all }
}

/// What a client hears last may be listed.
fn is_listed_end(server: &str, kills: bool, ours: &[(About, Came)], real: &[Came]) -> bool {
    let alike = ours.iter().zip(real).take_while(|((_, ours), real)| ours == *real).count();
    let starts = |came: Option<&(About, Came)>, text: &[u8]| matches!(came, Some((_, Came::Frame(frame))) if frame.text().is_some_and(|line| line.starts_with(text)));
    // Whether somebody who is cut off gets what has not been written yet is a matter of the moment.
    if ours.last().is_some_and(|(_, came)| *came == Came::Closed) && real.last() == Some(&Came::Closed) {
        return kills && alike + 1 == real.len();
    }
    // streams, "what is trimmed at once wakes nobody" and "added and taken away within one transaction": 7.0 wakes the
    // waiter with an empty list of entries.
    if server == "redis-7.0"
        && let Some(Came::Frame(frame)) = real.get(alike)
        && ours.get(alike).is_none_or(|(about, _)| is_answer_of(about, &["xread", "xreadgroup"]))
    {
        let mut is_empty = false;
        frame.each(&mut |part| is_empty |= *part == Frame::Nest { kind: b'*', items: Vec::new() });
        return is_empty;
    }
    // protocol, "what is no request behind one that waits": Redis 8 looks at it when more comes.
    server.starts_with("redis-8.") && alike == real.len() && starts(ours.get(alike), b"ERR Protocol error")
}

fn is_answer_of(about: &About, names: &[&str]) -> bool {
    matches!(about, About::Answer(request) if names.contains(&request.name.as_str()))
}

/// All lines, in an order of their own, but for ids made from the clock and the number of the client in HELLO.
fn lines(heard: &Heard) -> Vec<&[u8]> {
    let mut lines: Vec<&[u8]> = Vec::new();
    let mut is_number = false;
    for line in heard.bytes.split(|byte| *byte == b'\n') {
        let made = rules::is_made_id(line.strip_suffix(b"\r").unwrap_or(line));
        if !made && !std::mem::replace(&mut is_number, line == b"id\r") {
            lines.push(line);
        }
    }
    lines.sort_unstable();
    lines
}

fn all_alike(ours: &[(About, Came)], real: &[Came], pairs: &mut Pairs, server: &str) -> Match {
    for ((about, ours), real) in ours.iter().zip(real) {
        match (ours, real) {
            (Came::Frame(one), Came::Frame(other)) => {
                if rules::compare(about, one, other, pairs) != rules::Equality::Different {
                    continue;
                }
                match listed::difference(server, about, one, other) {
                    None => return Match::Different,
                    Some(Listed::Here) => {}
                    Some(Listed::FromHereOn) => return Match::Another,
                }
            }
            (ours, real) if ours == real => {}
            _ => return Match::Different,
        }
    }
    if ours.len() == real.len() { Match::Same } else { Match::Different }
}

fn split(heard: &Heard) -> Vec<Came> {
    let mut came = Vec::new();
    let mut rest = heard.bytes.as_slice();
    while let Some((_, after)) = wire::frame(rest) {
        let bytes = &rest[..rest.len() - after.len()];
        came.push(match Frame::read(bytes) {
            None => Came::Bytes(bytes.to_vec()),
            Some(mut frame) => {
                hide_made_ids(&mut frame);
                Came::Frame(frame)
            }
        });
        rest = after;
    }
    if !rest.is_empty() {
        came.push(Came::Bytes(rest.to_vec()));
    }
    if heard.closed {
        came.push(Came::Closed);
    }
    came
}

/// Ids that a server made from its clock are as good as others: how many of them fall into one millisecond differs, and
/// so which streams have the same.
fn hide_made_ids(frame: &mut Frame) {
    match frame {
        Frame::Text { text, .. } if rules::is_made_id(text) => *text = b"an id".to_vec(),
        Frame::Nest { items, .. } => items.iter_mut().for_each(hide_made_ids),
        _ => {}
    }
}

/// What goes through a hash table has any order: to which of its patterns a client is sent a message first, and what it
/// unsubscribes from first that unsubscribes from everything. In the places where the broker has such a run the names are
/// put into an order of their own.
fn order_names(ours: &mut [(About, Came)], real: &mut [Came]) {
    let run = |(about, came): &(About, Came)| -> Option<Vec<Frame>> {
        let Came::Frame(frame) = came else { return None };
        let items = frame.items();
        let one_by_one = matches!(about, About::Answer(request)
            if request.name.ends_with("unsubscribe") && request.arguments.len() > 1);
        match items.first()?.text()? {
            b"pmessage" => Some(items[2..].to_vec()),
            b"unsubscribe" | b"punsubscribe" | b"sunsubscribe" if !one_by_one => Some(items[..1].to_vec()),
            _ => None,
        }
    };
    let mut first = 0;
    while first < ours.len() {
        let of = run(&ours[first]);
        let length =
            if of.is_none() { 1 } else { ours[first..].iter().take_while(|next| run(next) == of).count() };
        let end = first + length;
        if length > 1 && end <= real.len() {
            order(ours[first..end].iter_mut().map(|(_, came)| came));
            order(real[first..end].iter_mut());
        }
        first = end;
    }
}

fn order<'a>(run: impl Iterator<Item = &'a mut Came>) {
    let mut names: Vec<&mut Frame> = run
        .filter_map(|came| match came {
            Came::Frame(Frame::Nest { items, .. }) => items.get_mut(1),
            _ => None,
        })
        .collect();
    let mut ordered: Vec<Frame> = names.iter().map(|name| (**name).clone()).collect();
    ordered.sort();
    for (name, ordered) in names.iter_mut().zip(ordered) {
        **name = ordered;
    }
}
