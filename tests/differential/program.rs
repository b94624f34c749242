//! What several clients do to a server: programs, which are made of steps.
//!
//! Any part of a program is a program: steps can be left out, which is how a failing program is made shorter.

use std::fmt;

use minibroker::internal::resp::request_bytes;

use crate::scripts;

/// The prefix of a request that is sent inline, not as an array.
const INLINE: &str = "inline:";
/// The prefix of bytes that are not a request. `\r`, `\n` and `\\` are escapes.
const RAW: &str = "raw:";
/// An id that no client has.
const UNKNOWN_ID: u64 = 999_999_999;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// A client sends requests in one piece, of which the last `held_up` bytes arrive later. A client that is not
    /// connected connects first.
    Send { client: usize, requests: Vec<String>, held_up: usize },
    /// What was held up arrives.
    Arrive { client: usize },
    /// A client closes its connection, even if something is held up.
    Disconnect { client: usize },
    /// Time passes, see [`Moment`].
    Pass { slots: u64 },
}

/// Requests are words with a space between them. `""` is the empty word, a text with spaces is named, and three things
/// depend on when and where it is played:
///
/// - `{ms:7}` is how many milliseconds are left until slot 7,
/// - `{s:7}` the same in seconds,
/// - `{id:2}` the id of client 2 on the server,
/// - `{script:count}`, `{sha:count}` and `{library:chat}` are texts and names of [`scripts`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    pub clients: usize,
    pub steps: Vec<Step>,
}

impl Program {
    /// Whether the answers depend on time.
    pub fn is_timed(&self) -> bool {
        self.requests().any(is_timed)
    }

    /// Whether servers make ids from their clocks.
    pub fn has_made_ids(&self) -> bool {
        let makes = |request: &str| !request.contains("SUBSCRIBE") && request.contains(" * ");
        self.requests().any(makes)
    }

    /// Whether it uses scripts and functions.
    pub fn has_scripts(&self) -> bool {
        const WORDS: [&str; 4] = ["EVAL", "SCRIPT", "FCALL", "FUNCTION"];
        self.requests().any(|request| WORDS.iter().any(|word| request.contains(word)))
    }

    /// Whether clients track keys.
    pub fn tracks(&self) -> bool {
        self.requests().any(|request| request.contains("CLIENT TRACKING"))
    }

    /// Whether a request has the id of this client.
    pub fn names(&self, client: usize) -> bool {
        let word = format!("{{id:{client}}}");
        self.requests().any(|request| request.contains(&word))
    }

    /// All requests.
    pub fn requests(&self) -> impl Iterator<Item = &str> {
        self.steps.iter().flat_map(Step::requests).map(String::as_str)
    }
}

fn is_timed(request: &str) -> bool {
    request.contains("{ms:") || request.contains("{s:")
}

impl Step {
    fn requests(&self) -> &[String] {
        match self {
            Self::Send { requests, .. } => requests,
            _ => &[],
        }
    }
}

/// A point of a program's own time, which is divided into slots of some milliseconds. Deadlines are at the beginning of
/// a slot, and clients act in the middle of one: so the order is clear even if a server is some milliseconds late.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    pub slot: u64,
    /// How many milliseconds a slot has; an even number.
    pub unit: u64,
}

impl Moment {
    /// The beginning, with slots of this many milliseconds.
    pub fn first(unit: u64) -> Self {
        Self { slot: 0, unit }
    }

    /// How long after the beginning it is, which is in the middle of a slot.
    pub fn millis(self) -> u64 {
        self.slot * self.unit
    }

    pub fn later(self, slots: u64) -> Self {
        Self { slot: self.slot + slots, ..self }
    }

    /// How long it takes until a slot begins; not less than until the next one.
    fn until(self, slot: u64) -> u64 {
        slot.saturating_sub(self.slot).max(1) * self.unit - self.unit / 2
    }
}

/// A request as bytes, and its words; `None` for bytes that are not a request.
pub fn encoded(
    request: &str,
    at: Moment,
    id: impl Fn(usize) -> Option<u64>,
) -> (Vec<u8>, Option<Vec<Vec<u8>>>) {
    if let Some(raw) = request.strip_prefix(RAW) {
        return (unescaped(raw), None);
    }
    let (is_inline, line) = match request.strip_prefix(INLINE) {
        Some(line) => (true, line),
        None => (false, request),
    };
    let word = |word: &str| -> Vec<u8> {
        let number = |name: &str| {
            let inner = word.strip_prefix('{')?.strip_suffix('}')?.strip_prefix(name)?;
            inner.strip_prefix(':')?.parse::<u64>().ok()
        };
        let text = || scripts::text(word.strip_prefix('{')?.strip_suffix('}')?);
        if word == "\"\"" {
            Vec::new()
        } else if let Some(text) = text() {
            text
        } else if let Some(slot) = number("ms") {
            at.until(slot).to_string().into_bytes()
        } else if let Some(slot) = number("s") {
            let millis = at.until(slot);
            format!("{}.{:03}", millis / 1000, millis % 1000).into_bytes()
        } else if let Some(client) = number("id") {
            let client = usize::try_from(client).ok();
            client.and_then(&id).unwrap_or(UNKNOWN_ID).to_string().into_bytes()
        } else {
            word.as_bytes().to_vec()
        }
    };
    let words: Vec<Vec<u8>> = line.split(' ').map(word).collect();
    if is_inline {
        let mut bytes = words.join(&b' ');
        bytes.extend_from_slice(b"\r\n");
        return (bytes, Some(words.into_iter().filter(|word| !word.is_empty()).collect()));
    }
    (request_bytes(&words), Some(words))
}

/// Whether a request is sent as an array of words.
pub fn is_array(request: &str) -> bool {
    !request.starts_with(RAW) && !request.starts_with(INLINE)
}

fn unescaped(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut from = text.bytes();
    while let Some(byte) = from.next() {
        bytes.push(match (byte, byte == b'\\') {
            (_, true) => match from.next() {
                Some(b'r') => b'\r',
                Some(b'n') => b'\n',
                Some(b'0') => 0,
                other => other.unwrap_or(b'\\'),
            },
            (byte, false) => byte,
        });
    }
    bytes
}

impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, step) in self.steps.iter().enumerate() {
            writeln!(f, "{number:>4}  {step}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Send { client, requests, held_up } => {
                write!(f, "{}: {}", name(*client), requests.join(" | "))?;
                if *held_up > 0 { write!(f, "    (but the last {held_up} bytes)") } else { Ok(()) }
            }
            Self::Arrive { client } => write!(f, "{}: (the rest arrives)", name(*client)),
            Self::Disconnect { client } => write!(f, "{} disconnects", name(*client)),
            Self::Pass { slots } => write!(f, "{slots} slots of time pass"),
        }
    }
}

/// The name of a client.
pub fn name(client: usize) -> String {
    const NAMES: [&str; 6] = ["ann", "bob", "eve", "joe", "kim", "sue"];
    NAMES.get(client).map_or_else(|| format!("c{client}"), |name| (*name).to_owned())
}
