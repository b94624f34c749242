//! What all clients see in the chats of `programs/`, recorded from redis-server: a file in `expected/` for each chat.
//!
//! `RECORD=1 cargo test --test documents recorded` writes the files again.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use crate::person::Seen;
use crate::server::Kind;
use crate::stage::{Python, Stage, Tools};

/// Plays a chat on minibroker, and on redis-server if this machine has it: on both, all clients see what was recorded.
pub fn as_recorded(python: Python, name: &str, chat: fn(&Stage) -> Vec<Seen>) {
    let Some(tools) = Tools::find(python, &["redis-py"]) else {
        return;
    };
    let expected = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/documents/expected/{name}.txt"));
    if let Some(tools) = tools.and("redis-server") {
        let seen = shown(&chat(&Stage::new(tools, Kind::Redis)));
        if std::env::var_os("RECORD").is_some() {
            fs::write(&expected, &seen).expect("the file can be written");
        }
        assert_same(&expected, &seen, "redis-server");
    }
    assert_same(&expected, &shown(&chat(&Stage::new(&tools, Kind::Minibroker))), "minibroker");
}

#[track_caller]
fn assert_same(expected: &Path, seen: &str, server: &str) {
    let recorded = fs::read_to_string(expected).unwrap_or_default();
    assert!(
        recorded == seen,
        "{} has\n{recorded}\nbut with {server} everybody sees\n{seen}\n\
         RECORD=1 cargo test --test documents recorded",
        expected.display(),
    );
}

/// The file's text.
fn shown(people: &[Seen]) -> String {
    let mut text = String::new();
    for Seen { name, out, err } in people {
        let _ = write!(text, "== {name}\n{out}");
        if !err.is_empty() {
            let _ = write!(text, "-- standard error\n{err}");
        }
    }
    text
}
