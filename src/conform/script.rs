//! Reads the case files. Their format is described in `tests/comparison/main.rs`.

use super::markers::Markers;
use super::wire;

/// A piece of a conversation, on fresh connections and an empty server.
#[derive(Debug)]
pub struct Scenario {
    /// The text after `==`, without the protocol.
    pub title: String,
    /// The versions of the protocol in which it is played.
    pub protocols: Vec<Protocol>,
    /// The steps in their order.
    pub steps: Vec<Step>,
}

/// How every connection of a scenario begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Protocol {
    /// Nothing is sent: RESP2.
    Resp2,
    /// `HELLO 3` is sent first.
    Resp3,
}

impl Protocol {
    /// The word at the end of the title of a scenario for this version only.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Resp2 => "resp2",
            Self::Resp3 => "resp3",
        }
    }

    /// The version of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        [Self::Resp2, Self::Resp3].into_iter().find(|protocol| protocol.name() == name)
    }
}

impl Scenario {
    /// The title with the protocol, as in the file.
    #[must_use]
    pub fn head(&self) -> String {
        match self.protocols.as_slice() {
            [protocol] => format!("{} [{}]", self.title, protocol.name()),
            _ => self.title.clone(),
        }
    }

    /// The line of its first step in the case file.
    #[must_use]
    pub fn line(&self) -> usize {
        self.steps.first().map_or(0, |step| step.line)
    }
}

/// The title in the text after `==`, and the versions of the protocol in which the scenario is played.
pub(super) fn protocols(head: &str) -> (&str, Vec<Protocol>) {
    let both = [Protocol::Resp2, Protocol::Resp3];
    let only = both.into_iter().find_map(|protocol| {
        let title = head.strip_suffix(']')?.strip_suffix(protocol.name())?.strip_suffix('[')?;
        Some((title.trim(), vec![protocol]))
    });
    only.unwrap_or_else(|| (head.trim(), both.to_vec()))
}

/// One line of a case file.
#[derive(Debug)]
pub struct Step {
    /// The number of the line, from 1.
    pub line: usize,
    /// The line as written, for reports and for the table of differences.
    pub text: String,
    /// What the step does.
    pub action: Action,
    /// The step ends when this key has expired, as the server says when it is asked. What the expiry sends belongs to the
    /// same step, however soon it comes.
    pub until_gone: Option<Vec<u8>>,
    /// How many milliseconds the step takes at least.
    pub sleeps: u64,
    /// How the answers may differ.
    pub markers: Markers,
}

/// What a step does.
#[derive(Debug)]
pub enum Action {
    /// Sends requests in one write. `blocks`: then waits until the server says that the client is blocked.
    /// `waits`: then waits until this client has received something.
    Send { client: String, requests: Vec<Vec<Vec<u8>>>, blocks: bool, waits: Option<String> },
    /// Sends bytes as they are.
    Raw { client: String, bytes: Vec<u8>, waits: Option<String> },
    /// Connects, and sends nothing.
    Open { client: String },
    /// Closes the client's end, and waits until the server has noticed.
    Close { client: String },
    /// Waits until the client has received something.
    Wait { client: String },
    /// Lets time pass without any command.
    Sleep { milliseconds: u64 },
}

/// Reads a case file. `name` is what errors call it.
///
/// # Errors
///
/// A line is not a step; the error names it.
pub fn read(name: &str, text: &str) -> Result<Vec<Scenario>, String> {
    let mut scenarios: Vec<Scenario> = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let (number, line) = (index + 1, line.trim());
        let at = |error: String| format!("{name}:{number}: {error}");
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(title) = line.strip_prefix("==") {
            scenarios.push(scenario(title.trim()));
        } else {
            let step = step(number, line).map_err(at)?;
            scenarios
                .last_mut()
                .ok_or_else(|| at("a step before the first scenario".into()))?
                .steps
                .push(step);
        }
    }
    Ok(scenarios)
}

fn scenario(head: &str) -> Scenario {
    let (title, protocols) = protocols(head);
    Scenario { title: title.to_owned(), protocols, steps: Vec::new() }
}

fn step(line: usize, text: &str) -> Result<Step, String> {
    let (head, payload) = match text.split_once(':') {
        Some((head, payload)) if head.starts_with(|first: char| first.is_ascii_uppercase()) => {
            (head, Some(payload))
        }
        _ => (text, None),
    };
    let mut markers = Markers::default();
    let (mut blocks, mut waits, mut sleeps, mut gone) = (false, None, 0, None);
    let milliseconds = |text: &str| text.parse().map_err(|_| "sleep wants a number of milliseconds");
    let mut words = Vec::new();
    for word in head.split_whitespace() {
        match word.strip_prefix('~') {
            Some("blocks") => blocks = true,
            Some("waits") => waits = head.split_whitespace().next(),
            Some(marker) => match marker.split_once('=') {
                Some(("waits", client)) => waits = Some(client),
                Some(("sleeps", time)) => sleeps = milliseconds(time)?,
                Some(("gone", key)) => gone = Some(key.into()),
                _ => markers.add(marker)?,
            },
            None => words.push(word),
        }
    }
    let client = |name: &str| name.to_owned();
    let waits = waits.map(client);
    let action = match (words.as_slice(), payload) {
        ([name], Some(payload)) => {
            Action::Send { client: client(name), requests: vec![wire::split(payload)?], blocks, waits }
        }
        ([name, "pipeline"], Some(payload)) => {
            let requests = payload.split(" ; ").map(wire::split).collect::<Result<_, _>>()?;
            Action::Send { client: client(name), requests, blocks, waits }
        }
        ([name, "raw"], Some(payload)) => {
            Action::Raw { client: client(name), bytes: wire::split(payload)?.concat(), waits }
        }
        ([name, "opens"], None) => Action::Open { client: client(name) },
        ([name, "closes"], None) => Action::Close { client: client(name) },
        ([name, "waits"], None) => Action::Wait { client: client(name) },
        (["sleep", time], None) => Action::Sleep { milliseconds: milliseconds(time)? },
        _ => return Err(format!("not a step: {text}")),
    };
    if let Action::Send { requests, .. } = &action
        && requests.iter().any(Vec::is_empty)
    {
        return Err("no command".into());
    }
    Ok(Step { line, text: text.to_owned(), action, until_gone: gone, sleeps, markers })
}
