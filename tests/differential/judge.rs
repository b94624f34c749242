//! Whether a broker and a real server have sent the same bytes, except for what differs by nature, see [`rules`], and
//! what is listed in `tests/comparison/differences.md`.

use minibroker::internal::conform::wire;
use minibroker::internal::session::Argument;
use minibroker::internal::session::conversation::{Conversation, FrameKind, Request};
use minibroker::internal::session::frame::Frame;
use minibroker::internal::session::rules::{self, Pairs};

use crate::listed::{self, Listed};
use crate::play::{Received, Transcript};
use crate::program::{Moment, Program, Step, encoded};

/// The first difference.
#[derive(Clone, Debug)]
pub struct Difference {
    /// The step and the client that it belongs to.
    pub step: usize,
    pub client: usize,
    /// What the client has received in that step, as a diff: `-` from the real server, `+` from the broker.
    pub diff: Vec<String>,
}

/// The result of a comparison.
#[derive(Clone, Debug)]
pub enum Verdict {
    Same,
    /// The same up to a listed difference, which changes everything after it.
    SameUntilListed,
    Different(Difference),
}

/// One thing that a client receives.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Item {
    Frame(Frame),
    Bytes(Vec<u8>),
    Closed,
}

/// What a client sent in a step.
#[derive(Clone, Debug)]
pub struct Sent {
    pub client: usize,
    /// It connected first.
    pub connected: bool,
    /// Requests, as far as they can be read.
    pub requests: Vec<Vec<Argument>>,
}

/// Compares what the clients of a program have received from a server of this name and from a broker.
pub fn compare(program: &Program, server: &str, real: &Transcript, ours: &Transcript) -> Verdict {
    let received = |transcript: &Transcript| {
        transcript.iter().map(|outcome| outcome.received.clone()).collect::<Vec<_>>()
    };
    let sent = program.steps.iter().zip(ours).map(|(step, outcome)| {
        let Step::Send { client, requests, .. } = step else { return None };
        let requests = requests.iter().map(|request| encoded(request, Moment::first(2), |_| None));
        // An empty line is not a request.
        let requests = requests.filter(|(bytes, _)| bytes != b"\r\n");
        let words =
            requests.map(|(_, words)| words.unwrap_or_default().into_iter().map(Into::into).collect());
        Some(Sent { client: *client, connected: outcome.connected, requests: words.collect() })
    });
    let sent: Vec<_> = sent.collect();
    match compare_received(program.clients, &sent, server, &received(real), &received(ours)) {
        // tracking, "in a script": it tracks other keys.
        Verdict::Different(_) if server == "redis-7.0" && program.tracks() && program.has_scripts() => {
            Verdict::SameUntilListed
        }
        verdict => verdict,
    }
}

/// Compares what clients have received from a server of this name and from a broker, step by step.
pub fn compare_received(
    clients: usize,
    sent: &[Option<Sent>],
    server: &str,
    all_real: &[Vec<Received>],
    all_ours: &[Vec<Received>],
) -> Verdict {
    if all_real == all_ours {
        return Verdict::Same;
    }
    let mut conversations = vec![Conversation::default(); clients];
    let mut pairs = Pairs::default();
    let kills = sent
        .iter()
        .flatten()
        .flat_map(|sent| &sent.requests)
        .any(|request| request.windows(2).any(|two| two[0].is("CLIENT") && two[1].is("KILL")));
    for (number, sent) in sent.iter().enumerate() {
        if let Some(Sent { client, connected, requests }) = sent {
            let conversation = &mut conversations[*client];
            if *connected {
                *conversation = Conversation::default();
            }
            for request in requests {
                conversation.send(Request::new(request, number));
            }
            // transactions, "REPLY in a transaction": Valkey 9 refuses it, here with an error that is not sent.
            let ends = requests.iter().any(|request| request.first().is_some_and(|name| name.is("EXEC")));
            if server.starts_with("valkey-9") && ends && conversation.queues_unseen("client|reply") {
                return Verdict::SameUntilListed;
            }
        }
        let mut first = None;
        for (client, conversation) in conversations.iter_mut().enumerate() {
            let (real, ours) = (&all_real[number][client], &all_ours[number][client]);
            match matches(conversation, &mut pairs, (server, kills), real, ours) {
                Match::Same => {}
                Match::Another => return Verdict::SameUntilListed,
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

fn shown(received: &Received) -> Vec<String> {
    let mut lines = wire::show(&received.bytes);
    if received.closed {
        lines.push("(closed)".into());
    }
    lines
}

/// How what a client has received compares.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Match {
    Same,
    /// It has a listed difference, which changes everything after it.
    Another,
    Different,
}

fn matches(
    conversation: &mut Conversation,
    pairs: &mut Pairs,
    (server, kills): (&str, bool),
    real_bytes: &Received,
    our_bytes: &Received,
) -> Match {
    let mut real = split(real_bytes);
    let mut ours: Vec<(FrameKind, Item)> = split(our_bytes)
        .into_iter()
        .map(|item| {
            let kind = match &item {
                Item::Frame(frame) => conversation.receive(frame),
                Item::Bytes(_) | Item::Closed => FrameKind::Push,
            };
            (kind, item)
        })
        .collect();
    order_names(&mut ours, &mut real);
    let all = all_alike(&ours, &real, pairs, server);
    if all != Match::Different {
        return all;
    }
    if is_listed_end(server, kills, conversation, (&ours, &real)) {
        return Match::Another;
    }
    if server != "redis-7.0" {
        return all;
    }
    // blocking, "keyspace notifications to the waiter itself", and hashes, "keyspace events": 7.0 writes a push to the
    // client itself before the reply, or into it; tracking, "a redirection to the client that writes": likewise.
    let receives_its_own = [&b"message\r\n"[..], b"invalidate\r\n"]
        .iter()
        .any(|word| our_bytes.bytes.windows(word.len()).any(|bytes| bytes == *word));
    if receives_its_own && lines(real_bytes) == lines(our_bytes) { Match::Same } else { all }
}

/// Whether a difference in what a client receives last is listed.
fn is_listed_end(
    server: &str,
    kills: bool,
    conversation: &Conversation,
    (ours, real): (&[(FrameKind, Item)], &[Item]),
) -> bool {
    let alike = ours.iter().zip(real).take_while(|((_, ours), real)| ours == *real).count();
    let starts = |item: Option<&(FrameKind, Item)>, text: &[u8]| matches!(item, Some((_, Item::Frame(frame))) if frame.text().is_some_and(|line| line.starts_with(text)));
    // Whether a client that is disconnected receives its pending output depends on timing.
    if ours.last().is_some_and(|(_, item)| *item == Item::Closed) && real.last() == Some(&Item::Closed) {
        return kills && alike + 1 == real.len();
    }
    // streams, "an entry that is trimmed at once wakes no client" and "added and removed within one transaction": 7.0 wakes the
    // waiter with an empty list of entries.
    if server == "redis-7.0"
        && let Some(Item::Frame(frame)) = real.get(alike)
        && ours.get(alike).is_none_or(|(kind, _)| is_answer_of(kind, &["xread", "xreadgroup"]))
    {
        let mut is_empty = false;
        frame.each(&mut |part| is_empty |= *part == Frame::Nest { kind: b'*', items: Vec::new() });
        return is_empty;
    }
    // protocol, "invalid bytes behind a blocked request": Redis 8 reads it when more arrives.
    let refuses = starts(ours.get(alike), b"ERR Protocol error")
        || conversation.keeps_back("") && matches!(ours.get(alike), Some((_, Item::Closed)));
    server.starts_with("redis-8.") && alike == real.len() && refuses
}

fn is_answer_of(kind: &FrameKind, names: &[&str]) -> bool {
    matches!(kind, FrameKind::Answer(request) if names.contains(&request.name.as_str()))
}

/// All lines, sorted, without ids made from the clock and the id of the client in HELLO.
fn lines(received: &Received) -> Vec<&[u8]> {
    let mut lines: Vec<&[u8]> = Vec::new();
    let mut is_number = false;
    for line in received.bytes.split(|byte| *byte == b'\n') {
        let made = rules::is_made_id(line.strip_suffix(b"\r").unwrap_or(line));
        if !made && !std::mem::replace(&mut is_number, line == b"id\r") {
            lines.push(line);
        }
    }
    lines.sort_unstable();
    lines
}

fn all_alike(ours: &[(FrameKind, Item)], real: &[Item], pairs: &mut Pairs, server: &str) -> Match {
    for ((kind, ours), real) in ours.iter().zip(real) {
        match (ours, real) {
            (Item::Frame(one), Item::Frame(other)) => {
                if rules::compare(kind, one, other, pairs) != rules::Equality::Different {
                    continue;
                }
                match listed::difference(server, kind, one, other) {
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

fn split(received: &Received) -> Vec<Item> {
    let mut items = Vec::new();
    let mut rest = received.bytes.as_slice();
    while let Some((_, after)) = wire::frame(rest) {
        let bytes = &rest[..rest.len() - after.len()];
        items.push(match Frame::read(bytes) {
            None => Item::Bytes(bytes.to_vec()),
            Some(mut frame) => {
                hide_made_ids(&mut frame);
                Item::Frame(frame)
            }
        });
        rest = after;
    }
    if !rest.is_empty() {
        items.push(Item::Bytes(rest.to_vec()));
    }
    if received.closed {
        items.push(Item::Closed);
    }
    items
}

/// Ids that a server made from its clock are all equal: how many of them fall into one millisecond differs, and so do
/// the streams that have the same ids.
fn hide_made_ids(frame: &mut Frame) {
    match frame {
        Frame::Text { text, .. } if rules::is_made_id(text) => *text = b"an id".to_vec(),
        Frame::Nest { items, .. } => items.iter_mut().for_each(hide_made_ids),
        _ => {}
    }
}

/// What depends on a hash table has any order: the patterns by which a client gets a message, and the confirmations of
/// a client that unsubscribes from everything. Where the broker has such a run the names are sorted.
fn order_names(ours: &mut [(FrameKind, Item)], real: &mut [Item]) {
    let run = |(kind, item): &(FrameKind, Item)| -> Option<Vec<Frame>> {
        let Item::Frame(frame) = item else { return None };
        let items = frame.items();
        let one_by_one = matches!(kind, FrameKind::Answer(request)
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
            order(ours[first..end].iter_mut().map(|(_, item)| item));
            order(real[first..end].iter_mut());
        }
        first = end;
    }
}

fn order<'a>(run: impl Iterator<Item = &'a mut Item>) {
    let mut names: Vec<&mut Frame> = run
        .filter_map(|item| match item {
            Item::Frame(Frame::Nest { items, .. }) => items.get_mut(1),
            _ => None,
        })
        .collect();
    let mut ordered: Vec<Frame> = names.iter().map(|name| (**name).clone()).collect();
    ordered.sort();
    for (name, ordered) in names.iter_mut().zip(ordered) {
        **name = ordered;
    }
}
