//! The rows of `tests/comparison/differences.md` that concern programs, each as narrow as possible.

use minibroker::internal::session::conversation::{FrameKind, Request};
use minibroker::internal::session::frame::Frame;
use minibroker::internal::session::rules::{self, Equality, Pairs};

/// Errors of scripts, and the corresponding ones of Valkey.
const WORDS_OF_ERRORS: [(&str, &str); 6] = [
    ("NOSCRIPT No matching script. Please use EVAL.", "NOSCRIPT No matching script."),
    ("This Redis command is", "This Valkey command is"),
    ("args calling Redis command", "args calling command"),
    ("Unknown Redis command called", "Unknown command called"),
    ("for this redis lib call", "for this call"),
    ("Lua redis lib command arguments", "Command arguments"),
];

/// A difference that is listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listed {
    /// It has no consequences.
    Here,
    /// Everything after it differs.
    FromHereOn,
}

/// How a difference between two answers of a server of this name and of a broker is listed, if it is.
pub fn difference(server: &str, kind: &FrameKind, ours: &Frame, real: &Frame) -> Option<Listed> {
    // transactions, "MULTI in a transaction" and "WATCH in a transaction", client, "REPLY in a transaction": refuses them
    // while queueing, so that EXEC fails.
    let refused = ["multi", "watch", "client|reply"]
        .iter()
        .any(|name| contains(real, &format!("Command '{name}' not allowed inside a transaction")));
    if server.starts_with("valkey-9") && refused {
        return Some(Listed::FromHereOn);
    }
    // scripting, functions: other words, of whatever request it is the answer: where EXEC confirms several channels its reply
    // is longer than it says, and what comes after it is taken for the answers of later requests.
    let is_error = ours.kind() == b'-' && real.kind() == b'-';
    if is_error && server.starts_with("valkey-9") && is_in_valkeys_words(ours, real) {
        return Some(Listed::Here);
    }
    let FrameKind::Answer(request) = kind else { return None };
    if request.name == "exec" && ours.items().len() == real.items().len() {
        let mut listed = None;
        for ((request, ours), real) in request.queued.iter().zip(ours.items()).zip(real.items()) {
            let kind = FrameKind::Answer(request.clone());
            if rules::compare(&kind, ours, real, &mut Pairs::default()) == Equality::Different {
                listed = Some(of_request(server, request, ours, real)?);
            }
        }
        return listed;
    }
    of_request(server, request, ours, real)
}

fn of_request(server: &str, request: &Request, ours: &Frame, real: &Frame) -> Option<Listed> {
    let is_valkey = server.starts_with("valkey-9");
    let is_old = server == "redis-7.0";
    let name = request.name.as_str();
    // stream_groups, "entries read and lag of a group": counts the lag differently if entries were deleted.
    if (is_old || is_valkey) && name == "xinfo|groups" && without_lag(ours) == without_lag(real) {
        return Some(Listed::Here);
    }
    let errors = ours.kind() == b'-' && real.kind() == b'-';
    // streams, "reading": other wording.
    if is_valkey && errors && contains(real, "Unbalanced ") && contains(ours, "Unbalanced ") {
        return Some(Listed::Here);
    }
    // scripting, functions: names no script in errors, and other wording.
    let runs_a_script = name.starts_with("eval") || name.starts_with("fcall");
    if is_valkey && runs_a_script && is_in_valkeys_words(ours, real) {
        return Some(Listed::Here);
    }
    None
}

/// Whether an answer of a script is the same in the words of Valkey.
fn is_in_valkeys_words(ours: &Frame, real: &Frame) -> bool {
    match (ours, real) {
        (Frame::Text { kind: b'-', text: ours }, Frame::Text { kind: b'-', text: real }) => {
            let real = String::from_utf8_lossy(real);
            let mut ours = String::from_utf8_lossy(ours).into_owned();
            if real.starts_with("ERR unknown subcommand '") {
                return ours.starts_with("ERR Unknown Redis command called from script");
            }
            for (redis, valkey) in WORDS_OF_ERRORS {
                ours = ours.replace(redis, valkey);
            }
            // Redis has the name of the script before the position.
            let parts = ours
                .split_once(" script: ")
                .and_then(|(before, named)| Some((before, named.split_once(", on ")?)));
            if let Some((before, (_, position))) = parts {
                ours = format!("{before} script: on {position}");
            }
            ours == real
        }
        (Frame::Nest { kind, items }, Frame::Nest { kind: other, items: others }) => {
            let mut both = items.iter().zip(others);
            kind == other
                && items.len() == others.len()
                && both.all(|(ours, real)| is_in_valkeys_words(ours, real))
        }
        _ => ours == real,
    }
}

fn contains(frame: &Frame, text: &str) -> bool {
    frame.text().is_some_and(|bytes| String::from_utf8_lossy(bytes).contains(text))
}

/// The answer of XINFO GROUPS without what depends on the number of entries that a group has read.
fn without_lag(frame: &Frame) -> Frame {
    let Frame::Nest { kind, items } = frame else { return frame.clone() };
    let mut without = Vec::with_capacity(items.len());
    let mut skips = false;
    for item in items {
        if std::mem::take(&mut skips) {
            continue;
        }
        skips = item.text().is_some_and(|name| name == b"lag" || name == b"entries-read");
        without.push(without_lag(item));
    }
    Frame::Nest { kind: *kind, items: without }
}
