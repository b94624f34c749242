//! Recorded programs: the answers of real servers to random programs, so that they can be played on `minibroker`
//! without a real server.
//!
//! A file has many programs. Each is a session in the format of `minibroker::internal::session`, in which a line may begin with
//! marks in brackets: the servers that gave this answer, or how the answer to a request may differ.
//!
//! ```text
//! == 17                                   a program that was played on all servers
//! == 18 [redis-8.0 redis-8.2]             one that was played on these only
//! a > SET k1 1 GET
//! [redis-7.0] a < -"ERR syntax error"     the answer of this server only
//! [redis-8.0 redis-8.2 valkey-9.1] a < _
//! [~unordered] a > SMEMBERS k1            the order of the answer does not matter
//! ```

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::thread;

use minibroker::internal::session::{Action, Frame, Session};

use crate::servers::{HOW_TO_RECORD, RECORDED};

/// Plays each of some things in a thread of its own, and panics with the reports of those that fail.
pub fn play_each<T: Send>(all: impl IntoIterator<Item = T>, play: impl Fn(T) -> Result<(), String> + Sync) {
    let play = &play;
    let reports: Vec<String> = thread::scope(|scope| {
        let playing: Vec<_> = all.into_iter().map(|one| scope.spawn(move || play(one))).collect();
        let played = playing.into_iter().map(|one| one.join().unwrap_or_else(|_| Err("a panic".into())));
        played.filter_map(Result::err).collect()
    });
    assert!(reports.is_empty(), "{}", reports.join("\n"));
}

/// A program with the answers of all servers that it was played on.
#[derive(Debug)]
pub struct Recorded {
    pub title: String,
    pub servers: Vec<String>,
    /// The lines without their marks, and the marks.
    lines: Vec<(Marks, String)>,
}

#[derive(Clone, Debug, Default)]
struct Marks {
    servers: Vec<String>,
    markers: String,
}

/// The requests and answers of one server, and the markers of each event.
pub struct MarkedSession {
    pub session: Session,
    pub markers: Vec<String>,
}

/// Reads the programs of a file.
pub fn read(file: &Path) -> Result<Vec<Recorded>, String> {
    let text =
        fs::read_to_string(file).map_err(|error| format!("{}: {error}; {HOW_TO_RECORD}", file.display()))?;
    parsed(&text).map_err(|error| format!("{}: {error}", file.display()))
}

/// Reads the programs of a text.
pub fn parsed(text: &str) -> Result<Vec<Recorded>, String> {
    let mut all: Vec<Recorded> = Vec::new();
    for line in text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
        if let Some(title) = line.strip_prefix("== ") {
            let (title, servers) = match title.split_once(" [") {
                Some((title, servers)) => (title, servers.trim_end_matches(']')),
                None => (title, ""),
            };
            let servers: Vec<String> = if servers.is_empty() {
                RECORDED.map(str::to_owned).to_vec()
            } else {
                servers.split(' ').map(str::to_owned).collect()
            };
            all.push(Recorded { title: title.to_owned(), servers, lines: Vec::new() });
            continue;
        }
        let wrong = || format!("{line:?} belongs to no program");
        let lines = &mut all.last_mut().ok_or_else(wrong)?.lines;
        if line.starts_with(' ') {
            let (_, before) = lines.last_mut().ok_or_else(wrong)?;
            before.push('\n');
            before.push_str(line);
            continue;
        }
        let (marks, text) = match line.strip_prefix('[').and_then(|line| line.split_once("] ")) {
            Some((marks, text)) => (marks, text),
            None => ("", line),
        };
        let (markers, servers): (Vec<&str>, Vec<&str>) =
            marks.split_whitespace().partition(|mark| mark.starts_with('~'));
        let marks = Marks {
            servers: servers.into_iter().map(str::to_owned).collect(),
            markers: markers.join(" ").replace('~', ""),
        };
        lines.push((marks, text.to_owned()));
    }
    if all.is_empty() { Err(format!("there is no program; {HOW_TO_RECORD}")) } else { Ok(all) }
}

impl Recorded {
    /// The session of a server.
    pub fn of(&self, server: &str) -> Result<MarkedSession, String> {
        let concerned = self
            .lines
            .iter()
            .filter(|(marks, _)| marks.servers.is_empty() || marks.servers.iter().any(|name| name == server));
        let (mut text, mut markers) = (String::new(), Vec::new());
        for (marks, line) in concerned {
            text.push_str(line);
            text.push('\n');
            markers.push(marks.markers.clone());
        }
        let session = Session::read(&text).map_err(|error| format!("program {}: {error}", self.title))?;
        Ok(MarkedSession { session, markers })
    }
}

fn is_answer(action: &Action) -> bool {
    matches!(action, Action::Answer(..) | Action::AnswerBytes(..) | Action::Closed(_))
}

/// The lines of an event.
fn lines(session: &Session, action: &Action) -> String {
    let mut one = Session { names: session.names.clone(), events: Vec::new() };
    one.push(action.clone());
    one.to_string()
}

/// A program as it is recorded: `sessions` are those of the servers of these names, `markers` belong to each event that
/// is not an answer. `None` if the sessions have different requests.
pub fn written(title: &str, sessions: &[(String, Session)], markers: &[String]) -> Option<String> {
    let names: Vec<&str> = sessions.iter().map(|(name, _)| name.as_str()).collect();
    let mut out = format!("== {title}");
    if names != RECORDED {
        let _ = write!(out, " [{}]", names.join(" "));
    }
    out.push('\n');
    let mut at = vec![0; sessions.len()];
    let mut markers = markers.iter();
    loop {
        // The answers of each server up to the next action of a client.
        let mut groups: Vec<(String, Vec<&str>)> = Vec::new();
        for ((name, session), at) in sessions.iter().zip(&mut at) {
            let mut answers = String::new();
            while let Some(event) = session.events.get(*at).filter(|event| is_answer(&event.action)) {
                // Each answer is on its own line, after the marks.
                let _ = write!(answers, "\u{0}{}", lines(session, &event.action));
                *at += 1;
            }
            match groups.iter_mut().find(|(of, _)| *of == answers) {
                Some((_, names)) => names.push(name),
                None => groups.push((answers, vec![name])),
            }
        }
        let is_one = groups.len() == 1;
        for (answers, names) in groups {
            let mark = if is_one { String::new() } else { format!("[{}] ", names.join(" ")) };
            out.push_str(&answers.replace('\u{0}', &mark));
        }
        let mut next = sessions
            .iter()
            .zip(&at)
            .map(|((_, session), at)| session.events.get(*at).map(|event| lines(session, &event.action)));
        let first = next.next()?;
        if next.any(|other| other != first) {
            return None;
        }
        let Some(line) = first else { return Some(out) };
        match markers.next().map(String::as_str) {
            None | Some("") => {}
            Some(words) => {
                let words: Vec<String> = words.split(' ').map(|word| format!("~{word}")).collect();
                let _ = write!(out, "[{}] ", words.join(" "));
            }
        }
        out.push_str(&line);
        for at in &mut at {
            *at += 1;
        }
    }
}

/// The bytes of a frame on the wire; none for a placeholder.
pub fn bytes(frame: &Frame) -> Vec<u8> {
    let mut out = vec![frame.kind()];
    match frame {
        Frame::Null { .. } => out.extend(b"-1\r\n"),
        Frame::Text { kind: b'$' | b'=' | b'!', text } => {
            out.extend(format!("{}\r\n", text.len()).bytes());
            out.extend(text);
            out.extend(b"\r\n");
        }
        Frame::Text { text, .. } => {
            out.extend(text);
            out.extend(b"\r\n");
        }
        Frame::Nest { kind, items } => {
            let count = if matches!(kind, b'%' | b'|') { items.len() / 2 } else { items.len() };
            out.extend(format!("{count}\r\n").bytes());
            out.extend(items.iter().flat_map(bytes));
        }
        Frame::Placeholder(placeholder) => out.extend(format!("{placeholder}\r\n").bytes()),
    }
    out
}

/// A recorded frame with what was received in place of its placeholders.
pub fn filled(recorded: &Frame, actual: &Frame) -> Frame {
    match (recorded, actual) {
        (Frame::Placeholder(placeholder), _) if placeholder.stands_for(actual) => actual.clone(),
        (Frame::Nest { kind, items }, Frame::Nest { items: others, .. }) if items.len() == others.len() => {
            let items = items.iter().zip(others).map(|(item, other)| filled(item, other)).collect();
            Frame::Nest { kind: *kind, items }
        }
        _ => recorded.clone(),
    }
}
