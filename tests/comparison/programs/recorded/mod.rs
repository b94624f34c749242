//! Random programs with the recorded answers of real servers: a fixed set that is played on any machine.
//!
//! `RECORD=1 cargo test --test comparison recorded_programs` draws programs (of the family that `COMPARISON_ONLY` names, or
//! of all), runs them on all servers, and writes
//! `recorded/FAMILY.txt`; the format is that of [`crate::recordings`]. A program is recorded if its answers are the
//! same each time and it has no known difference. Questions are recorded only if they find something, so that the files
//! stay small; `KEYS` shows which keys exist.

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use minibroker::internal::{
    conform::{markers::Markers, wire},
    session::{
        Action, Argument, Frame, Placeholder, PlaceholderKind, Session,
        conversation::{FrameKind, Request},
        rules::{self, Equality, Pairs},
    },
};
use proptest::{
    strategy::{Strategy, ValueTree},
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};

use super::{Command, Family, Way, all, arguments, converse, read_questions, shown};
use crate::{
    recordings::{self, MarkedSession, Recorded},
    servers::{self, Server},
};

/// How many programs a family has.
const PROGRAMS: usize = 22;
/// How many programs are drawn at most to find them.
const DRAWN_MAX: usize = 300;
/// After this many drawn programs one is also recorded without an older or another server that answers differently.
const DRAWN_FOR_ALL: usize = 60;
/// How many commands a program has at most.
const LONGEST: usize = 30;
/// Longer programs, such as those with long values, are not recorded.
const BYTES_MAX: usize = 8_000;
/// The servers whose version `minibroker` supports; a program on which they differ from it is printed and not recorded.
const MUST_AGREE: &str = "redis-8";

/// Makes a server as it was when it started, as far as programs change it.
const FRESH: [&str; 4] = [
    "FLUSHALL",
    "FUNCTION FLUSH SYNC",
    "SCRIPT FLUSH SYNC",
    "CONFIG SET list-max-listpack-size -2 stream-node-max-entries 100 hll-sparse-max-bytes 3000 \
     proto-max-bulk-len 536870912",
];

fn file(family: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/comparison/programs/recorded/{family}.txt"))
}

/// A request of a program, how its answer may differ, and the answer.
struct Exchange {
    request: Vec<Vec<u8>>,
    markers: String,
    answer: Frame,
}

impl Exchange {
    fn is(&self, name: &str) -> bool {
        self.request[0].eq_ignore_ascii_case(name.as_bytes())
    }

    fn request(&self) -> Request {
        let words: Vec<Argument> = self.request.iter().cloned().map(Argument::from).collect();
        Request::new(&words, 0)
    }
}

/// Whether an answer is as recorded, to the byte except for what the markers of the request allow. Times since a
/// delivery, and others that differ each time, may differ.
fn alike(exchange: &Exchange, answer: &Frame) -> Result<bool, String> {
    let mut markers = Markers::default();
    for word in exchange.markers.split_whitespace() {
        markers.add(word)?;
    }
    let wanted = recordings::bytes(&recordings::filled(&exchange.answer, answer));
    if markers.same_bytes(&wanted, &recordings::bytes(answer)) {
        return Ok(true);
    }
    let request = exchange.request();
    let tells_times = request.name == "xpending" || request.name.starts_with("xinfo|");
    let compared =
        rules::compare(&FrameKind::Answer(request), &exchange.answer, answer, &mut Pairs::default());
    Ok(tells_times && compared != Equality::Different)
}

/// An answer without what differs each time.
fn lasting(request: &[Vec<u8>], markers: &str, answer: Frame) -> Frame {
    let is = |name: &[u8]| request[0].eq_ignore_ascii_case(name);
    let has = |word: &str| markers.split(' ').any(|marker| marker == word);
    let placeholder = |kind| Frame::Placeholder(Placeholder::of(kind));
    // How much is left of a time that is far away depends on the time of the request.
    let left = [b"TTL".as_slice(), b"PTTL", b"HTTL", b"HPTTL"].into_iter().any(is);
    match answer {
        Frame::Text { kind: b'$' | b':' | b'+', .. } if has("any") => placeholder(PlaceholderKind::Any),
        Frame::Text { kind: b':', text } if left && text.len() > 4 => placeholder(PlaceholderKind::Int),
        Frame::Nest { kind, items } if left => {
            let items = items.into_iter().map(|item| lasting(request, markers, item)).collect();
            Frame::Nest { kind, items }
        }
        Frame::Nest { kind, mut items } if has("unordered") && kind != b'%' => {
            items.sort();
            Frame::Nest { kind, items }
        }
        Frame::Nest { kind, items } if has("pairs") || has("unordered") => {
            let mut pairs: Vec<&[Frame]> = items.chunks(2).collect();
            pairs.sort();
            Frame::Nest { kind, items: pairs.concat() }
        }
        answer => answer,
    }
}

/// The exchanges of a program with one server.
fn exchanges(marked: &MarkedSession) -> Result<Vec<Exchange>, String> {
    let mut found: Vec<Exchange> = Vec::new();
    let mut answers = Vec::new();
    for (event, markers) in marked.session.events.iter().zip(&marked.markers) {
        match &event.action {
            Action::Send(_, arguments) => {
                let request = arguments.iter().filter_map(|word| word.bytes().map(<[u8]>::to_vec)).collect();
                found.push(Exchange { request, markers: markers.clone(), answer: Frame::bulk("") });
            }
            Action::Answer(_, answer) => answers.push(answer.clone()),
            other => return Err(format!("a program has no {other:?}")),
        }
    }
    if answers.len() != found.len() {
        return Err(format!("{} requests have {} answers", found.len(), answers.len()));
    }
    for (exchange, answer) in found.iter_mut().zip(answers) {
        exchange.answer = answer;
    }
    Ok(found)
}

/// A report of the first answer that differs, with this heading.
fn difference(exchanges: &[Exchange], answers: &[Frame], heading: &str) -> Result<Option<String>, String> {
    let mut queued: Vec<&Exchange> = Vec::new();
    for (at, (exchange, answer)) in exchanges.iter().zip(answers).enumerate() {
        let is_queued = exchange.answer == Frame::Text { kind: b'+', text: b"QUEUED".to_vec() };
        let parts = answer.items().len() == queued.len() && exchange.answer.items().len() == queued.len();
        let same = if exchange.is("HELLO") {
            true
        } else if exchange.is("EXEC") && parts && answer.kind() == exchange.answer.kind() {
            let mut same = true;
            for ((of, wanted), answer) in queued.iter().zip(exchange.answer.items()).zip(answer.items()) {
                let part = Exchange {
                    request: of.request.clone(),
                    markers: of.markers.clone(),
                    answer: wanted.clone(),
                };
                same &= alike(&part, answer)?;
            }
            same
        } else if is_queued {
            *answer == exchange.answer
        } else {
            alike(exchange, answer)?
        };
        if is_queued {
            queued.push(exchange);
        }
        if !same {
            let mut report = format!("{heading}:\n");
            for exchange in &exchanges[..=at] {
                let _ = writeln!(report, "    {}", shown(&exchange.request));
            }
            let (wanted, answer) = (recordings::bytes(&exchange.answer), recordings::bytes(answer));
            for line in wire::diff(&wire::show(&wanted), &wire::show(&answer)) {
                let _ = writeln!(report, "        {line}");
            }
            return Ok(Some(report));
        }
    }
    Ok(None)
}

/// Sends all requests to a server at once.
fn ask(server: &Server, requests: &[Vec<Vec<u8>>]) -> Result<Vec<Frame>, String> {
    let replies = converse(server, requests)?;
    let frames = replies.iter().map(|reply| {
        Frame::read(reply).ok_or_else(|| format!("{} answers {}", server.name, reply.escape_ascii()))
    });
    frames.collect()
}

/// Plays a program on a new broker of this version.
fn ours(version: minibroker::Version, exchanges: &[Exchange]) -> Result<Vec<Frame>, String> {
    let broker = servers::minibroker(version)?;
    let requests: Vec<_> = exchanges.iter().map(|exchange| exchange.request.clone()).collect();
    ask(&broker, &requests)
}

/// Plays what is recorded of a family.
fn play(family: &str) -> Result<(), String> {
    for program in recordings::read(&file(family))? {
        judge(&program).map_err(|report| format!("{family}, program {}: {report}", program.title))?;
    }
    Ok(())
}

fn judge(program: &Recorded) -> Result<(), String> {
    let mut played: Vec<(minibroker::Version, Vec<Frame>)> = Vec::new();
    for server in &program.servers {
        let exchanges = exchanges(&program.of(server)?)?;
        let version = servers::version_of(server);
        if !played.iter().any(|(of, _)| *of == version) {
            played.push((version, ours(version, &exchanges)?));
        }
        let answers = played.iter().find(|(of, _)| *of == version).map(|(_, answers)| answers.as_slice());
        if let Some(report) = difference(&exchanges, answers.unwrap_or_default(), &from_minibroker(server))? {
            return Err(report);
        }
    }
    Ok(())
}

fn from_minibroker(server: &str) -> String {
    format!("{server} answers otherwise (- it, + minibroker)")
}

/// Plays what is recorded of a server on that server.
fn play_live(server: &Server) -> Result<(), String> {
    for (family, _) in all() {
        for program in recordings::read(&file(family))? {
            if !program.servers.contains(&server.name) {
                continue;
            }
            let exchanges = exchanges(&program.of(&server.name)?)?;
            let words = |line: &str| line.split(' ').map(|word| word.as_bytes().to_vec()).collect();
            let mut requests: Vec<Vec<Vec<u8>>> = FRESH.map(words).to_vec();
            requests.extend(exchanges.iter().map(|exchange| exchange.request.clone()));
            let answers = ask(server, &requests)?.split_off(FRESH.len());
            let heading = format!(
                "{family}, program {}: {} no longer answers as recorded (- recorded, + now; {})",
                program.title,
                server.name,
                servers::HOW_TO_RECORD
            );
            if let Some(report) = difference(&exchanges, &answers, &heading)? {
                return Err(report);
            }
        }
    }
    Ok(())
}

/// The requests of a program, each with its markers.
fn requests(program: &[Command], way: Way, questions: &[Command]) -> Vec<Command> {
    let plain = |line: &str| Command {
        arguments: line.split(' ').map(|word| word.as_bytes().to_vec()).collect(),
        words: String::new(),
        markers: Markers::default(),
    };
    let mut all = vec![plain(if way.resp3 { "HELLO 3" } else { "HELLO 2" })];
    all.extend(way.transaction.then(|| plain("MULTI")));
    all.extend(program.iter().cloned());
    all.extend(way.transaction.then(|| plain("EXEC")));
    all.push(Command { words: "unordered".into(), ..plain("KEYS *") });
    all.extend(questions.iter().cloned());
    all
}

/// Whether a question has found nothing that KEYS does not show.
fn found_nothing(answer: &Frame) -> bool {
    match answer {
        Frame::Null { .. } | Frame::Text { kind: b'_' | b'-', .. } => true,
        Frame::Text { kind: b'+', text } => text == b"OK" || text == b"none",
        Frame::Text { kind: b':', text } => [b"0".as_slice(), b"-1", b"-2"].contains(&text.as_slice()),
        Frame::Nest { items, .. } => items.iter().all(found_nothing),
        _ => false,
    }
}

/// A program as it is recorded, if it is worth recording.
fn recorded(
    title: &str,
    servers: &[Server],
    program: &[Command],
    way: Way,
    questions: &[Command],
    needs_all: bool,
) -> Result<Option<String>, String> {
    let commands = requests(program, way, questions);
    let sent: Vec<_> = commands.iter().map(|command| command.arguments.clone()).collect();
    let (before, read_out) = sent.split_at(sent.len() - questions.len() - 1);
    let mut all_answers: Vec<(&Server, Vec<Frame>)> = Vec::new();
    let mut others = Vec::new();
    for server in servers {
        let flushed: Vec<Vec<Vec<u8>>> = vec![vec![b"FLUSHALL".to_vec()]];
        let answers = match ask(server, &[flushed.clone(), sent.clone()].concat()) {
            Ok(mut answers) => answers.split_off(1),
            Err(error) => {
                let shown: Vec<String> = sent.iter().map(|request| shown(request)).collect();
                return Err(format!("{error}:\n    {}", shown.join("\n    ")));
            }
        };
        // Played once more after a short time: what differs now differs by chance.
        let mut again = ask(server, &[flushed, before.to_vec()].concat())?.split_off(1);
        thread::sleep(Duration::from_millis(3));
        let hello = sent[..1].to_vec();
        again.extend(ask(server, &[hello, read_out.to_vec()].concat())?.split_off(1));
        let queued = |at: usize| {
            let first = usize::from(way.transaction) + 1;
            commands.get(first + at)
        };
        let lasting = |answers: Vec<Frame>| -> Vec<Exchange> {
            let all = answers.into_iter().zip(&commands).map(|(answer, command)| {
                let answer = match answer {
                    Frame::Nest { kind, items } if command.arguments[0] == b"EXEC" && way.transaction => {
                        let items = items.into_iter().enumerate().map(|(at, item)| match queued(at) {
                            Some(of) => lasting(&of.arguments, &of.words, item),
                            None => item,
                        });
                        Frame::Nest { kind, items: items.collect() }
                    }
                    answer => lasting(&command.arguments, &command.words, answer),
                };
                Exchange { request: command.arguments.clone(), markers: command.words.clone(), answer }
            });
            all.collect()
        };
        let exchanges = lasting(answers);
        if difference(&exchanges, &again, "")?.is_some() {
            return Ok(None);
        }
        let heading = from_minibroker(&server.name);
        match difference(&exchanges, &ours(server.version(), &exchanges)?, &heading)? {
            Some(report) => others.push((server.name.clone(), report)),
            None => {
                all_answers.push((server, exchanges.into_iter().map(|exchange| exchange.answer).collect()));
            }
        }
    }
    if let Some((_, report)) = others.iter().find(|(name, _)| name.starts_with(MUST_AGREE)) {
        println!("{title} is not recorded: {report}");
        return Ok(None);
    }
    if needs_all && !others.is_empty() {
        return Ok(None);
    }
    let is_kept =
        |at: usize| at <= before.len() || all_answers.iter().any(|(_, answers)| !found_nothing(&answers[at]));
    let kept: Vec<usize> = (0..commands.len()).filter(|at| is_kept(*at)).collect();
    let markers: Vec<String> = kept.iter().map(|at| commands[*at].words.clone()).collect();
    let sessions = all_answers.iter().map(|(server, answers)| {
        let mut session = Session::default();
        let client = session.connection("a");
        for at in &kept {
            let arguments = commands[*at].arguments.iter().cloned().map(Argument::from).collect();
            session.push(Action::Send(client, arguments));
            let answer = if *at == 0 {
                Frame::Placeholder(Placeholder::of(PlaceholderKind::Any))
            } else {
                answers[*at].clone()
            };
            session.push(Action::Answer(client, answer));
        }
        (server.name.clone(), session)
    });
    let written = recordings::written(title, &sessions.collect::<Vec<_>>(), &markers);
    Ok(written.filter(|text| text.len() <= BYTES_MAX))
}

fn record(name: &str, family: Family, servers: &[Server]) -> Result<(), String> {
    let questions = read_questions(family.questions)?;
    let random = TestRng::from_seed(RngAlgorithm::ChaCha, &[8; 32]);
    let mut runner = TestRunner::new_with_rng(Config::default(), random);
    let programs = proptest::collection::vec(arguments::spoiled(family.commands), 3..LONGEST);
    let mut text = format!(
        "# Random programs with what real servers answer; tests/recordings/mod.rs tells the format.\n\
         # RECORD=1 cargo test --test comparison recorded_programs\n# {name}\n"
    );
    let (mut kept, mut drawn) = (0, 0);
    while kept < PROGRAMS && drawn < DRAWN_MAX {
        drawn += 1;
        // All ways in turn: every sixth is a transaction.
        let way = Way { resp3: drawn % 2 == 0, transaction: drawn % 6 >= 4 && drawn % 12 < 8 };
        let program = programs.new_tree(&mut runner).map_err(|reason| reason.to_string())?.current();
        let program: Vec<Command> =
            program.into_iter().filter(|command| way.transaction || !command.may_wait()).collect();
        let (title, needs_all) = ((kept + 1).to_string(), drawn <= DRAWN_FOR_ALL);
        if let Some(recorded) = recorded(&title, servers, &program, way, &questions, needs_all)? {
            text.push_str(&recorded);
            kept += 1;
        }
    }
    println!("{name}: {kept} of {drawn} programs, {} bytes", text.len());
    fs::write(file(name), text).map_err(|error| format!("{}: {error}", file(name).display()))
}

#[test]
fn recorded_programs_answer_as_real_servers_did() {
    if servers::is_recording() {
        let servers = servers::all_recorded().unwrap_or_else(|error| panic!("{error}"));
        let only = std::env::var("COMPARISON_ONLY").ok();
        for (name, family) in
            all().into_iter().filter(|(name, _)| only.as_ref().is_none_or(|only| only == name))
        {
            record(name, family, &servers).unwrap_or_else(|error| panic!("{name}: {error}"));
        }
    }
    recordings::play_each(all().into_iter().map(|(name, _)| name), play);
}

#[test]
fn real_servers_answer_recorded_programs_as_they_did() {
    if servers::is_recording() {
        return;
    }
    let servers = servers::real().collect::<Result<Vec<_>, _>>().unwrap_or_else(|error| panic!("{error}"));
    if servers.is_empty() {
        crate::skipped::missing("redis-server");
    }
    recordings::play_each(&servers, play_live);
}
