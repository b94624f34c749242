//! Recorded programs with the answers of real servers: they are played on any machine, on a broker whose clock stands
//! still between the steps.
//!
//! `RECORD=1 cargo test --test differential recorded` plays programs on all servers and writes `recorded/*.txt`; the format
//! is that of [`crate::recordings`]. A program is recorded if it has no listed difference.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{fs, thread};

use minibroker::internal::conform::wire;
use minibroker::internal::resp::request_bytes;
use minibroker::internal::session::{Action, Argument, Frame, Placeholder, PlaceholderKind, Session};

use crate::judge::{Sent, Verdict, compare, compare_received};
use crate::ours::Ours;
use crate::play::{Received, Stage, Stop, Transcript};
use crate::program::{Moment, Program};
use crate::real::Real;
use crate::recordings::{self, Recorded};
use crate::servers::{self, RECORDED, version_of};
use crate::text::{UNIT_MIN, session_with_answers};

/// How many programs are recorded, and how many a file has.
const PROGRAMS: usize = 200;
const PER_FILE: usize = 40;
/// Longer programs are not recorded.
const BYTES_MAX: usize = 12_000;
/// How many milliseconds a slot has while it is recorded, and at most, if this machine is slow.
const UNIT: u64 = 20;
const UNIT_MAX: u64 = 320;
/// An id that a server may have made from its clock.
const MADE_ID: &str = "1500000000000-0";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/differential/recorded")
}

/// One step of a session: the actions of a client, and what was received.
#[derive(Debug)]
struct Step<'a> {
    actions: Vec<&'a Action>,
    /// The frames and bytes that clients received, and the connections that were closed.
    received: Vec<&'a Action>,
}

/// Requests of one client with nothing between them are one step.
fn steps(session: &Session) -> Vec<Step<'_>> {
    let mut steps: Vec<Step> = Vec::new();
    let sender = |action: &Action| match action {
        Action::Send(client, _) | Action::SendBytes(client, _) => Some(*client),
        _ => None,
    };
    for event in &session.events {
        let action = &event.action;
        match (action, steps.last_mut()) {
            (Action::Answer(..) | Action::AnswerBytes(..) | Action::Closed(_), Some(last)) => {
                last.received.push(action);
            }
            (_, Some(last))
                if last.received.is_empty()
                    && sender(action).is_some()
                    && last.actions.first().and_then(|first| sender(first)) == sender(action) =>
            {
                last.actions.push(action);
            }
            _ => steps.push(Step { actions: vec![action], received: Vec::new() }),
        }
    }
    steps
}

/// What was played of a session.
struct Played {
    sent: Vec<Option<Sent>>,
    received: Vec<Vec<Received>>,
    /// The answers that have a name.
    named: HashMap<String, Vec<u8>>,
}

/// The complete requests in the bytes that a client has sent; one without words for bytes that are not a request.
fn requests(bytes: &mut Vec<u8>) -> Vec<Vec<Argument>> {
    let mut found = Vec::new();
    while let Some(end) = bytes.iter().position(|byte| *byte == b'\n') {
        let words = if bytes[0] == b'*' {
            let Some((_, rest)) = wire::frame(bytes) else { break };
            let length = bytes.len() - rest.len();
            let frame = Frame::read(&bytes[..length]);
            bytes.drain(..length);
            let items = frame.as_ref().map(Frame::items).unwrap_or_default();
            items.iter().filter_map(|item| item.text().map(<[u8]>::to_vec)).collect()
        } else {
            let line = String::from_utf8_lossy(&bytes[..end]).into_owned();
            bytes.drain(..=end);
            if line.trim().is_empty() {
                continue;
            }
            wire::split(line.trim()).unwrap_or_default()
        };
        found.push(words.into_iter().map(Argument::from).collect());
    }
    found
}

/// Plays a session on a stage with its clients.
fn play(stage: &mut impl Stage, session: &Session) -> Result<Played, Stop> {
    let clients = session.names.len();
    let steps = steps(session);
    let made = |action: &&Action| matches!(action, Action::Send(_, words) if words.iter().any(|word| word.is("*")) && !words[0].is("PSUBSCRIBE"));
    let made_in_bytes = |action: &&Action| {
        let Action::SendBytes(_, bytes) = action else { return false };
        let has = |text: &[u8]| bytes.windows(text.len()).any(|window| window == text);
        (has(b" * ") || has(b"$1\r\n*\r\n")) && [&b"XADD"[..], b"EVAL", b"FCALL"].into_iter().any(has)
    };
    let has_made_ids =
        steps.iter().flat_map(|step| &step.actions).any(|action| made(action) || made_in_bytes(action));
    let mut open = vec![false; clients];
    let mut unread = vec![Vec::new(); clients];
    let mut played = Played { sent: Vec::new(), received: Vec::new(), named: HashMap::new() };
    let mut now = Moment::first(UNIT_MIN);
    for step in &steps {
        let mut received = vec![Received::default(); clients];
        let mut sent = None;
        if has_made_ids {
            stage.pass_a_millisecond();
        }
        let (mut client, mut bytes) = (None, Vec::new());
        for action in &step.actions {
            match action {
                Action::Send(number, words) => {
                    client = Some(*number);
                    bytes.extend(request_bytes(
                        &words.iter().map(|word| expanded(word, &played)).collect::<Vec<_>>(),
                    ));
                }
                Action::SendBytes(number, more) => {
                    client = Some(*number);
                    bytes.extend(more);
                }
                Action::Close(number) => {
                    open[*number] = false;
                    stage.disconnect(*number)?;
                }
                Action::Pause(time) => {
                    for _ in 0..time.as_millis() / u128::from(UNIT_MIN) {
                        now = now.later(1);
                        stage.pass_a_slot(now, &mut received)?;
                        stage.settle(0, now, &mut received)?;
                    }
                }
                other => return Err(Stop::Broken(format!("a program has no {other:?}"))),
            }
        }
        if let Some(client) = client {
            let connected = !std::mem::replace(&mut open[client], true);
            if connected {
                stage.connect(client)?;
                unread[client].clear();
            }
            stage.send(client, &bytes)?;
            unread[client].extend(&bytes);
            sent = Some(Sent { client, connected, requests: requests(&mut unread[client]) });
        }
        stage.settle(bytes.len(), now, &mut received)?;
        for (open, received) in open.iter_mut().zip(&received) {
            *open &= !received.closed;
        }
        // An answer with a name is the only one of its step.
        if let [Action::Answer(client, Frame::Placeholder(placeholder))] = step.received.as_slice()
            && let (Some(name), Some(frame)) = (&placeholder.name, Frame::read(&received[*client].bytes))
        {
            played.named.insert(name.clone(), frame.text().unwrap_or_default().to_vec());
        }
        played.sent.push(sent);
        played.received.push(received);
    }
    Ok(played)
}

fn expanded(word: &Argument, played: &Played) -> Vec<u8> {
    match word {
        Argument::Bytes(bytes) => bytes.clone(),
        Argument::Named { before, placeholder, after } => {
            let named = placeholder.name.as_ref().and_then(|name| played.named.get(name));
            [before.as_slice(), named.map_or(&[][..], Vec::as_slice), after].concat()
        }
        Argument::Password => Vec::new(),
    }
}

/// What was received in the session, with what the broker has sent in place of placeholders.
fn recorded_output(session: &Session, played: &Played) -> Vec<Vec<Received>> {
    let all = steps(session).into_iter().zip(&played.received).map(|(step, ours)| {
        let mut received = vec![Received::default(); session.names.len()];
        let mut rest: Vec<&[u8]> = ours.iter().map(|received| received.bytes.as_slice()).collect();
        for action in step.received {
            match action {
                Action::Answer(client, frame) => {
                    let mut frame = frame.clone();
                    if let Some((_, after)) = wire::frame(rest[*client]) {
                        let actual = Frame::read(&rest[*client][..rest[*client].len() - after.len()]);
                        frame = actual
                            .map_or_else(|| frame.clone(), |actual| recordings::filled(&frame, &actual));
                        rest[*client] = after;
                    }
                    received[*client].bytes.extend(recordings::bytes(&with_id(frame)));
                }
                Action::AnswerBytes(client, bytes) => received[*client].bytes.extend(bytes),
                Action::Closed(client) => received[*client].closed = true,
                _ => {}
            }
        }
        received
    });
    all.collect()
}

/// Any id is accepted if the broker has sent none.
fn with_id(frame: Frame) -> Frame {
    match frame {
        Frame::Placeholder(Placeholder { kind: PlaceholderKind::Id, .. }) => Frame::bulk(MADE_ID),
        Frame::Nest { kind, items } => Frame::Nest { kind, items: items.into_iter().map(with_id).collect() },
        frame => frame,
    }
}

/// Plays a recorded program; the error is the first difference.
fn judge(program: &Recorded, brokers: &[(minibroker::Version, Ours)]) -> Result<(), String> {
    let broken = |stop: Stop| format!("program {}: {stop}", program.title);
    for (version, ours) in brokers {
        let mut played: Option<Played> = None;
        for server in program.servers.iter().filter(|server| version_of(server) == *version) {
            let session = program.of(server)?.session;
            let played = match &mut played {
                Some(played) => played,
                none => {
                    let stage = ours.stage(session.names.len(), false);
                    none.insert(stage.and_then(|mut stage| play(&mut stage, &session)).map_err(broken)?)
                }
            };
            let real = recorded_output(&session, played);
            if let Some(report) = difference(&session, (server, &real), played, "minibroker") {
                return Err(format!("program {} with {server}, as recorded:\n\n{report}", program.title));
            }
        }
    }
    Ok(())
}

/// The first difference between what is recorded of a server and what was received from another one, as a report.
fn difference(
    session: &Session,
    (server, real): (&str, &[Vec<Received>]),
    played: &Played,
    other: &str,
) -> Option<String> {
    let compared = compare_received(session.names.len(), &played.sent, server, real, &played.received);
    let Verdict::Different(difference) = compared else { return None };
    let mut report = String::new();
    for step in &steps(session)[..=difference.step] {
        for action in &step.actions {
            let mut line = Session { names: session.names.clone(), events: Vec::new() };
            line.push((*action).clone());
            let _ = write!(report, "    {line}");
        }
    }
    let name = &session.names[difference.client];
    let _ = writeln!(report, "\n{name} gets (- {server}, + {other}):");
    for line in &difference.diff {
        let _ = writeln!(report, "    {line}");
    }
    Some(report)
}

/// Plays what is recorded of a server on that server, except for programs in which time passes.
fn play_live(server: &mut Real) -> Result<(), String> {
    let name = server.name().to_owned();
    for number in 1..=PROGRAMS / PER_FILE {
        for program in recordings::read(&folder().join(format!("{number}.txt")))? {
            let broken = |stop: Stop| format!("program {} on {name}: {stop}", program.title);
            if !program.servers.contains(&name) {
                continue;
            }
            let session = program.of(&name)?.session;
            if session.events.iter().any(|event| matches!(event.action, Action::Pause(_))) {
                continue;
            }
            let mut stage = server.stage(session.names.len(), None, true).map_err(broken)?;
            let played = play(&mut stage, &session).map_err(broken)?;
            let real = recorded_output(&session, &played);
            if let Some(report) = difference(&session, (&name, &real), &played, "now") {
                return Err(format!(
                    "program {}: {name} no longer answers as recorded ({}):\n\n{report}",
                    program.title,
                    servers::HOW_TO_RECORD
                ));
            }
        }
    }
    Ok(())
}

fn brokers() -> Result<Vec<(minibroker::Version, Ours)>, String> {
    let mut versions: Vec<_> = RECORDED.iter().map(|server| version_of(server)).collect();
    versions.sort_unstable();
    versions.dedup();
    let ours = |version| Ours::new(version, |_| {}).map_err(|error| error.to_string());
    versions.into_iter().map(|version| Ok((version, ours(version)?))).collect()
}

/// The program as it is recorded, if its answers are the same each time.
fn recorded(
    title: &str,
    program: &Program,
    servers: &mut [Real],
    brokers: &[(minibroker::Version, Ours)],
) -> Result<Option<String>, String> {
    let all_received: Vec<Result<Transcript, Stop>> = thread::scope(|scope| {
        let playing: Vec<_> = servers.iter_mut().map(|real| scope.spawn(|| play_on(real, program))).collect();
        let received = playing.into_iter().map(|played| played.join().map_err(|_| Stop::Crashed)?);
        received.collect()
    });
    let mut sessions = Vec::new();
    for (real, received) in servers.iter().zip(all_received) {
        let received = match received {
            Ok(received) => received,
            Err(Stop::Broken(why)) => return Err(why),
            Err(_) => return Ok(None),
        };
        let ours = brokers.iter().find(|(version, _)| *version == real.version());
        let Some(Ok(ours)) = ours.map(|(_, ours)| ours.play(program, UNIT)) else { return Ok(None) };
        if !matches!(compare(program, real.name(), &received, &ours), Verdict::Same) {
            return Ok(None);
        }
        sessions.push((real.name().to_owned(), session_with_answers(program, &received)));
    }
    let Some(text) = recordings::written(title, &sessions, &[]).filter(|text| text.len() <= BYTES_MAX) else {
        return Ok(None);
    };
    // A session cannot express the number of a client in the middle of bytes.
    let is_whole = recordings::parsed(&text)?.iter().all(|program| judge(program, brokers).is_ok());
    Ok(is_whole.then_some(text))
}

fn play_on(real: &mut Real, program: &Program) -> Result<Transcript, Stop> {
    let mut unit = UNIT;
    loop {
        match real.play(program, unit) {
            Err(Stop::Late) if unit < UNIT_MAX => unit *= 2,
            other => return other,
        }
    }
}

fn record() -> Result<(), String> {
    let started = servers::programs().map(|program| Real::start(&program)).collect::<Result<Vec<_>, _>>()?;
    let mut servers: Vec<Real> =
        started.into_iter().filter(|server| RECORDED.contains(&server.name())).collect();
    servers.sort_by_key(|server| RECORDED.iter().position(|name| *name == server.name()));
    if servers.len() != RECORDED.len() {
        return Err(format!("recording needs all of {}", RECORDED.join(", ")));
    }
    let brokers = brokers()?;
    let mut texts: Vec<String> = Vec::new();
    let mut seed = 0;
    while texts.len() < PROGRAMS {
        let program = Program::draw(seed);
        if let Some(text) = recorded(&seed.to_string(), &program, &mut servers, &brokers)? {
            texts.push(text);
        }
        seed += 1;
    }
    println!("{} of {seed} programs, {} bytes", texts.len(), texts.concat().len());
    fs::create_dir_all(folder()).map_err(|error| error.to_string())?;
    for (number, texts) in texts.chunks(PER_FILE).enumerate() {
        let head = "# Programs of several clients with what real servers answer; tests/recordings/mod.rs tells the format.\n\
                    # RECORD=1 cargo test --test differential recorded\n";
        let file = folder().join(format!("{}.txt", number + 1));
        fs::write(&file, format!("{head}{}", texts.concat())).map_err(|error| error.to_string())?;
    }
    Ok(())
}

#[test]
fn recorded_programs_of_several_clients_answer_as_real_servers_did() {
    if servers::is_recording() {
        record().unwrap_or_else(|error| panic!("{error}"));
    }
    let play_file = |number: usize| -> Result<(), String> {
        let brokers = brokers()?;
        let programs = recordings::read(&folder().join(format!("{number}.txt")))?;
        programs.iter().try_for_each(|program| judge(program, &brokers))
    };
    recordings::play_each(1..=PROGRAMS / PER_FILE, play_file);
}

#[test]
fn real_servers_answer_recorded_programs_of_several_clients_as_they_did() {
    if servers::is_recording() {
        return;
    }
    let servers = servers::programs().map(|program| Real::start(&program)).collect::<Result<Vec<_>, _>>();
    let mut servers = servers.unwrap_or_else(|error| panic!("{error}"));
    if servers.is_empty() {
        crate::skipped::missing("redis-server");
    }
    recordings::play_each(&mut servers, play_live);
}
