//! The public names: adding or removing one is a decision.

use std::collections::BTreeSet;

/// All names that `src/lib.rs` makes public, in order. A change of it belongs in CHANGELOG.md.
const PUBLIC: &[&str] = &[
    "AnyFault",
    "AnyServer",
    "Argument",
    "Broker",
    "Builder",
    "ByteString",
    "ClientCertificate",
    "ClientStream",
    "CommandError",
    "CommandFaults",
    "DEFAULT_JOURNAL_LIMIT",
    "DEFAULT_WAIT",
    "Embedded",
    "Ending",
    "ErrorReply",
    "Event",
    "EventKind",
    "FLUSH_VARIABLE",
    "Fault",
    "Faults",
    "Filter",
    "IntoArguments",
    "Journal",
    "Message",
    "MessageFaults",
    "PauseGuard",
    "Peer",
    "RefuseGuard",
    "Server",
    "Snapshot",
    "SnapshotError",
    "StartError",
    "State",
    "SubscriptionKind",
    "URL_VARIABLE",
    "UnknownVersion",
    "Value",
    "Version",
    "Wait",
    "WaitError",
    "Wakeup",
    "Watch",
    "WatchedCommand",
    "differences",
    "sans_io",
    "testing_a_chat",
];

const LIB: &str = include_str!("../src/lib.rs");

/// The names of `pub mod` and `pub use`, but for the module that is hidden.
fn public_names() -> BTreeSet<String> {
    let (api, _) = LIB.split_once("\npub mod internal").expect("there is one hidden module, at the end");
    let items = api.split(';').filter_map(|item| {
        let item = item.replace('\n', " ");
        let start = item.rfind("pub ")?;
        Some(item[start + "pub ".len()..].to_owned())
    });
    let mut names = BTreeSet::new();
    for item in items {
        if let Some(name) = item.strip_prefix("mod ") {
            names.insert(name.trim().to_owned());
            continue;
        }
        let Some(path) = item.strip_prefix("use ") else { panic!("`pub {item}`: neither `mod` nor `use`") };
        let list = path.split_once('{').map_or(path, |(_, list)| list.trim_end_matches('}'));
        for name in list.split(',').map(str::trim).filter(|name| !name.is_empty()) {
            let name = name.rsplit(" as ").next().unwrap_or(name);
            names.insert(name.rsplit("::").next().unwrap_or(name).trim().to_owned());
        }
    }
    names
}

#[test]
fn the_public_names_are_those_of_the_list() {
    let expected: BTreeSet<String> = PUBLIC.iter().map(|name| (*name).to_owned()).collect();
    assert_eq!(public_names(), expected);
}

#[test]
fn the_front_page_names_all_that_is_public() {
    let front: String = LIB.lines().filter(|line| line.starts_with("//!")).collect();
    for name in public_names() {
        assert!(front.contains(&format!("[`{name}`]")), "{name}");
    }
}
