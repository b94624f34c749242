//! The answers of real servers to the cases of a family, as a file.
//!
//! The file holds the cases, too, without their comments: a scenario begins with `==`, a step with `>`, as in the case file.
//! Below each step are the answers in the notation of sessions; a line that begins with `!` is a note of the player.
//! Where servers or versions of the protocol answer differently, a line that begins with `|` names those that gave the
//! following answers.
//!
//! What the markers of a step allow to differ is removed. In texts, `{x*100}` stands for a hundred times `x`, and `{{}`
//! for a brace. With `~within`, `{now+10}` and `{nowms-5}` stand for times, in seconds and milliseconds from when they
//! were read, and `{end-5}` for a span of time that ends at the last possible time.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};

use super::differences::{self, Difference};
use super::outcome::{Outcome, Received};
use super::script::{Protocol, Scenario};
use crate::session::Action;
use crate::session::format::{event, logical_lines, write_event};
use crate::session::frame::Frame;

/// A server whose answers were recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// Kind and version, as `redis-7.0`.
    pub name: String,
    /// The full version, as `7.0.15`.
    pub release: String,
}

impl fmt::Display for Reference {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.name.starts_with("valkey") { "Valkey" } else { "Redis" };
        write!(out, "{kind} {}", self.release)
    }
}

/// One of the servers by its number, and a version of the protocol.
type Way = (usize, Protocol);

/// The answers of all servers to the cases of a family.
#[derive(Clone, Debug, Default)]
pub struct Answers {
    /// The servers.
    pub references: Vec<Reference>,
    scenarios: Vec<Recorded>,
}

/// The answers of all servers to a scenario.
#[derive(Clone, Debug)]
struct Recorded {
    head: String,
    steps: Vec<RecordedStep>,
}

#[derive(Clone, Debug)]
struct RecordedStep {
    text: String,
    outcomes: BTreeMap<Way, Outcome>,
}

impl Answers {
    /// An empty set of answers of these servers.
    #[must_use]
    pub fn of(references: Vec<Reference>) -> Self {
        Self { references, scenarios: Vec::new() }
    }

    /// Reads a file. `name` is what errors call it.
    ///
    /// # Errors
    ///
    /// A line is not what the format says; the error names it.
    pub fn read(name: &str, text: &str) -> Result<Self, String> {
        let mut reader = Reader { answers: Self::default(), ways: Vec::new(), names: Vec::new() };
        let lines = logical_lines(text).map_err(|error| format!("{name}:{error}"))?;
        for (number, line) in lines {
            reader.line(&line).map_err(|error| format!("{name}:{number}: {error}"))?;
        }
        Ok(reader.answers)
    }

    /// The cases that were played, in the format of the case files.
    #[must_use]
    pub fn cases(&self) -> String {
        let mut text = String::new();
        for scenario in &self.scenarios {
            let _ = writeln!(text, "== {}", scenario.head);
            for step in &scenario.steps {
                let _ = writeln!(text, "{}", step.text);
            }
        }
        text
    }

    /// The answers of a server to each step of a scenario; `None` if the scenario was not played on it, or had other
    /// steps.
    #[must_use]
    pub fn outcomes(
        &self,
        scenario: &Scenario,
        reference: usize,
        protocol: Protocol,
    ) -> Option<Vec<&Outcome>> {
        let recorded = self.scenarios.iter().find(|recorded| recorded.is_of(scenario))?;
        recorded.steps.iter().map(|step| step.outcomes.get(&(reference, protocol))).collect()
    }

    /// Adds the answers of a server to each step of a scenario. An answer in `before` is kept if the markers, or the
    /// known differences of the server, allow the new one to differ.
    ///
    /// # Errors
    ///
    /// A row of the known differences has an unknown marker.
    pub fn add(
        &mut self,
        scenario: &Scenario,
        (reference, protocol): Way,
        outcomes: &[Outcome],
        before: Option<&[&Outcome]>,
        rows: &[Difference],
    ) -> Result<(), String> {
        let name = self.references.get(reference).map_or("", |reference| reference.name.as_str());
        let at = self.scenarios.iter().position(|recorded| recorded.is_of(scenario)).unwrap_or_else(|| {
            self.scenarios.push(Recorded::new(scenario));
            self.scenarios.len() - 1
        });
        let Some(recorded) = self.scenarios.get_mut(at) else { return Ok(()) };
        let steps = recorded.steps.iter_mut().zip(&scenario.steps).zip(outcomes).enumerate();
        for (index, ((into, step), outcome)) in steps {
            let allowed = differences::allowed(rows, name, &scenario.title, step)?;
            // Answers that count as the same are stored once, whether they come from another server or an earlier
            // recording.
            let before = before.and_then(|before| before.get(index)).copied();
            let before = before.filter(|before| allowed.same(before, outcome));
            let kept =
                before.or_else(|| into.outcomes.values().find(|known| step.markers.same(known, outcome)));
            let outcome = kept.cloned().unwrap_or_else(|| allowed.recorded(outcome));
            into.outcomes.insert((reference, protocol), outcome);
        }
        Ok(())
    }
}

impl Recorded {
    fn new(scenario: &Scenario) -> Self {
        let steps = scenario
            .steps
            .iter()
            .map(|step| RecordedStep { text: step.text.clone(), outcomes: BTreeMap::new() });
        Self { head: scenario.head(), steps: steps.collect() }
    }

    fn is_of(&self, scenario: &Scenario) -> bool {
        self.head == scenario.head()
            && self.steps.len() == scenario.steps.len()
            && self.steps.iter().zip(&scenario.steps).all(|(recorded, step)| recorded.text == step.text)
    }
}

/// The state of reading a file.
struct Reader {
    answers: Answers,
    /// The servers and versions of the protocol that gave the following answers.
    ways: Vec<Way>,
    /// The clients by their numbers.
    names: Vec<String>,
}

impl Reader {
    fn line(&mut self, line: &str) -> Result<(), String> {
        let (sign, rest) = line.split_once(' ').unwrap_or((line, ""));
        match sign {
            "servers" => {
                for word in rest.split_whitespace() {
                    let (name, release) = word.split_once('=').ok_or("a server wants name=version")?;
                    self.answers.references.push(Reference { name: name.into(), release: release.into() });
                }
            }
            "==" => self.answers.scenarios.push(Recorded { head: rest.trim().into(), steps: Vec::new() }),
            ">" => {
                let scenario = self.answers.scenarios.last_mut().ok_or("a step before the first scenario")?;
                let (_, protocols) = super::script::protocols(&scenario.head);
                let outcomes = BTreeMap::new();
                scenario.steps.push(RecordedStep { text: rest.trim().into(), outcomes });
                let references = 0..self.answers.references.len();
                self.ways = references
                    .flat_map(|reference| protocols.iter().map(move |protocol| (reference, *protocol)))
                    .collect();
                self.change(|_| ())?;
            }
            "|" => self.separate(rest)?,
            "!" => {
                let note = rest.trim().to_owned();
                self.change(|outcome| outcome.note = Some(note.clone()))?;
            }
            _ => {
                let names = &mut self.names;
                let action = event(line, |name| {
                    names.iter().position(|known| known == name).unwrap_or_else(|| {
                        names.push(name.to_owned());
                        names.len() - 1
                    })
                })?;
                self.answer(action)?;
            }
        }
        Ok(())
    }

    /// Reads a line that names the servers of the following answers.
    fn separate(&mut self, who: &str) -> Result<(), String> {
        let scenario = self.answers.scenarios.last_mut().ok_or("no scenario is before it")?;
        let (_, protocols) = super::script::protocols(&scenario.head);
        self.ways.clear();
        for who in who.split(',') {
            let mut references: Vec<usize> = (0..self.answers.references.len()).collect();
            let mut spoken = protocols.clone();
            for word in who.split_whitespace() {
                match Protocol::named(word) {
                    Some(protocol) => spoken = vec![protocol],
                    None => {
                        references.retain(|at| {
                            self.answers.references.get(*at).is_some_and(|reference| reference.name == word)
                        });
                    }
                }
            }
            if references.is_empty() {
                return Err(format!("{who:?} is none of the servers"));
            }
            self.ways.extend(references.iter().flat_map(|at| spoken.iter().map(move |it| (*at, *it))));
        }
        // The answers before this line are of other servers.
        self.change(|outcome| *outcome = Outcome::default())
    }

    fn answer(&mut self, action: Action) -> Result<(), String> {
        let (Action::Answer(number, _) | Action::AnswerBytes(number, _) | Action::Closed(number)) = action
        else {
            return Err("it is no answer".into());
        };
        let client = self.names.get(number).cloned().unwrap_or_default();
        let mut came = Received::nothing(client);
        match action {
            Action::Answer(_, frame) => came.frames.push(each_text(frame, &unpacked)),
            Action::AnswerBytes(_, bytes) => came.rest = unpacked(&bytes),
            _ => came.closed = true,
        }
        self.change(|outcome| match outcome.received.last_mut().filter(|last| last.client == came.client) {
            Some(last) => {
                last.frames.extend_from_slice(&came.frames);
                last.rest.extend_from_slice(&came.rest);
                last.closed |= came.closed;
            }
            None => outcome.received.push(came.clone()),
        })
    }

    /// Changes the answers of the servers that the line applies to.
    fn change(&mut self, change: impl Fn(&mut Outcome)) -> Result<(), String> {
        let step = self.answers.scenarios.last_mut().and_then(|scenario| scenario.steps.last_mut());
        let step = step.ok_or("an answer before the first step")?;
        for way in &self.ways {
            change(step.outcomes.entry(*way).or_default());
        }
        Ok(())
    }
}

impl fmt::Display for Answers {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let servers: Vec<String> = self
            .references
            .iter()
            .map(|reference| format!("{}={}", reference.name, reference.release))
            .collect();
        writeln!(out, "servers {}", servers.join(" "))?;
        for scenario in &self.scenarios {
            writeln!(out, "\n== {}", scenario.head)?;
            for step in &scenario.steps {
                writeln!(out, "> {}", step.text)?;
                let mut groups: Vec<(&Outcome, Vec<Way>)> = Vec::new();
                for (way, outcome) in &step.outcomes {
                    match groups.iter_mut().find(|(known, _)| *known == outcome) {
                        Some((_, ways)) => ways.push(*way),
                        None => groups.push((outcome, vec![*way])),
                    }
                }
                let (_, protocols) = super::script::protocols(&scenario.head);
                for (outcome, ways) in &groups {
                    if groups.len() > 1 {
                        writeln!(out, "| {}", self.named(ways, &protocols))?;
                    }
                    out.write_str(&lines(outcome))?;
                }
            }
        }
        Ok(())
    }
}

impl Answers {
    fn named(&self, ways: &[Way], protocols: &[Protocol]) -> String {
        for protocol in protocols {
            let all = (0..self.references.len()).map(|reference| (reference, *protocol));
            if protocols.len() > 1 && all.collect::<Vec<_>>() == ways {
                return protocol.name().to_owned();
            }
        }
        let mut names = Vec::new();
        for (index, reference) in self.references.iter().enumerate() {
            let spoken: Vec<Protocol> =
                ways.iter().filter(|(at, _)| *at == index).map(|(_, it)| *it).collect();
            match spoken.as_slice() {
                [] => {}
                [protocol] if protocols.len() > 1 => {
                    names.push(format!("{} {}", reference.name, protocol.name()));
                }
                _ => names.push(reference.name.clone()),
            }
        }
        names.join(", ")
    }
}

/// An outcome as lines of a session.
fn lines(outcome: &Outcome) -> String {
    let mut text = String::new();
    for Received { client, frames, rest, closed } in &outcome.received {
        let mut line = |action: &Action| write_event(&mut text, action, |_| client.as_str());
        for frame in frames {
            line(&Action::Answer(0, each_text(frame.clone(), &packed)));
        }
        if !rest.is_empty() {
            line(&Action::AnswerBytes(0, packed(rest)));
        }
        if *closed {
            line(&Action::Closed(0));
        }
    }
    if let Some(note) = &outcome.note {
        let _ = writeln!(text, "! {note}");
    }
    text
}

fn each_text(frame: Frame, change: &impl Fn(&[u8]) -> Vec<u8>) -> Frame {
    match frame {
        Frame::Text { kind, text } => Frame::Text { kind, text: change(&text) },
        Frame::Nest { kind, items } => {
            Frame::Nest { kind, items: items.into_iter().map(|item| each_text(item, change)).collect() }
        }
        other => other,
    }
}

/// The longest piece whose repetition is packed.
const LONGEST_PIECE: usize = 16;
/// The shortest repetition that is written as `{x*100}`.
const SHORTEST: usize = 64;

/// The text with `{x*100}` in place of repetitions.
fn packed(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let (mut at, mut is_packed) = (0, false);
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        if let Some((piece, times)) = repeated(rest) {
            out.push(b'{');
            out.extend_from_slice(piece);
            out.extend_from_slice(format!("*{times}}}").as_bytes());
            at += piece.len() * times;
            is_packed = true;
        } else {
            out.extend(rest.first());
            if rest.first() == Some(&b'{') {
                out.extend_from_slice(b"{}");
            }
            at += 1;
        }
    }
    if is_packed || has_signs(text) { out } else { text.to_vec() }
}

fn repeated(text: &[u8]) -> Option<(&[u8], usize)> {
    if text.len() < SHORTEST {
        return None;
    }
    (1..=LONGEST_PIECE).find_map(|length| {
        let piece = text.get(..length)?;
        let times = text.chunks_exact(length).take_while(|chunk| *chunk == piece).count();
        let is_plain = !piece.iter().any(|byte| b"{}*".contains(byte));
        (is_plain && times * length >= SHORTEST && times > 3).then_some((piece, times))
    })
}

/// Whether a text could be mistaken for a packed one.
fn has_signs(text: &[u8]) -> bool {
    text.contains(&b'{') && (text.contains(&b'*') || text.windows(3).any(|three| three == b"{{}"))
}

/// The original of a packed text, see [`packed`].
fn unpacked(text: &[u8]) -> Vec<u8> {
    if !has_signs(text) {
        return text.to_vec();
    }
    let mut out = Vec::new();
    let mut rest = text;
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        let inner = after.iter().position(|byte| *byte == b'}').and_then(|end| after.split_at_checked(end));
        let (b'{', Some((inner, end))) = (byte, inner) else {
            out.push(byte);
            continue;
        };
        let star = inner.iter().rposition(|byte| *byte == b'*').and_then(|star| inner.split_at_checked(star));
        let times = star.and_then(|(piece, times)| {
            let times: usize = std::str::from_utf8(times.get(1..)?).ok()?.parse().ok()?;
            Some((piece, times))
        });
        match times {
            Some((piece, times)) => out.extend(piece.repeat(times)),
            None if inner == b"{" => out.push(b'{'),
            None => {
                out.push(byte);
                continue;
            }
        }
        rest = end.get(1..).unwrap_or_default();
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_comes_out_as_it_was() {
        let long = [b"a".repeat(100), b"{x".to_vec(), b"bc".repeat(500)].concat();
        for text in [&b""[..], b"{", b"{a*3}", b"{{}", b"{tag}", b"}{*", &long, &b"{*".repeat(50)] {
            assert_eq!(unpacked(&packed(text)), text, "{}", packed(text).escape_ascii());
        }
        assert_eq!(packed(&long), b"{a*100}{{}x{bc*500}");
        assert_eq!(packed(b"{tag} {now+5}"), b"{tag} {now+5}");
    }

    #[test]
    fn a_file_reads_as_it_is_written() {
        let text = "servers redis-7.0=7.0.15 valkey-9.1=9.1.2\n\n== a title\n> A: PING\nA < +PONG\n> B: GET k\n| resp2\nB < \
                    $-1\n| resp3\nB < _\n> C raw: \"x\"\n| redis-7.0, valkey-9.1 resp2\n! nothing came\n| valkey-9.1 resp3\nA < \
                    :\"{now+5}\"\nA < [\"{x*100}\" \"b\"]\nA << \"x\"\nA closed\n\n== another [resp3]\n> sleep 5\n";
        let answers = Answers::read("it", text).expect("it is well formed");
        assert_eq!(answers.to_string(), text);
        assert_eq!(answers.references[1].to_string(), "Valkey 9.1.2");
        assert_eq!(
            answers.cases(),
            "== a title\nA: PING\nB: GET k\nC raw: \"x\"\n== another [resp3]\nsleep 5\n"
        );
        assert!(Answers::read("it", "A < +OK\n").is_err());
        assert!(Answers::read("it", "== a\n> A: PING\n| redis-1.0\n").is_err());
    }
}
