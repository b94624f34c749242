//! The commands, and the answers of COMMAND about them, compared with the newest Redis of this machine.
//!
//! `not_built.txt` lists the commands of Redis that `minibroker` does not have, each with a reason.

use std::{collections::BTreeMap, fmt::Write as _, fs, path::Path};

use minibroker::internal::{
    conform::{control::Control, differences, markers::Markers, wire},
    session::Frame,
};

use crate::{programs, servers};

/// One row of `not_built.txt`: `command | reason`, where `**` in the command stands for any text.
struct NotBuilt {
    line: usize,
    command: String,
    needed: bool,
}

fn not_built() -> Result<Vec<NotBuilt>, String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/comparison/not_built.txt");
    let text = fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    let rows = text.lines().enumerate().filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    rows.map(|(index, line)| match line.split_once(" | ") {
        Some((command, reason)) if !reason.trim().is_empty() => {
            Ok(NotBuilt { line: index + 1, command: command.trim().into(), needed: false })
        }
        _ => Err(format!("not_built.txt:{}: wants command | reason", index + 1)),
    })
    .collect()
}

fn text(value: &Frame) -> String {
    String::from_utf8_lossy(value.text().unwrap_or_default()).into_owned()
}

fn items(value: Frame) -> Vec<Frame> {
    match value {
        Frame::Nest { items, .. } => items,
        _ => Vec::new(),
    }
}

/// The names of all commands and subcommands, each with its replies to COMMAND INFO and COMMAND DOCS.
fn commands(server: &servers::Server) -> std::io::Result<BTreeMap<String, (Frame, Frame)>> {
    let mut control = Control::connect(server.addr)?;
    let mut commands = BTreeMap::new();
    for name in items(control.command(&["COMMAND", "LIST"])?) {
        let name = text(&name);
        let info = control.command(&["COMMAND", "INFO", &name])?;
        let docs = control.command(&["COMMAND", "DOCS", &name])?;
        commands.insert(name, (info, docs));
    }
    Ok(commands)
}

/// COMMAND INFO without the subcommands, which are commands of their own in the list.
fn without_subcommands(info: &Frame) -> Frame {
    let mut row = items(info.clone()).pop().map(items).unwrap_or_default();
    row.truncate(row.len().saturating_sub(1));
    Frame::Nest { kind: b'*', items: row }
}

/// Fields whose wording each project chooses.
const WORDS: &[&str] = &["summary", "complexity", "replaced_by", "notes"];

/// A reply to COMMAND without the texts of [`WORDS`], without the history, which is not kept here, and without
/// the subcommands, which are compared separately.
fn facts(value: Frame) -> Frame {
    let Frame::Nest { kind, items } = value else { return value };
    let mut kept: Vec<Frame> = Vec::new();
    let mut items = items.into_iter();
    while let Some(item) = items.next() {
        let name = text(&item);
        match name.as_str() {
            "history" | "subcommands" => drop(items.next()),
            name if WORDS.contains(&name) => {
                items.next();
                kept.push(item);
            }
            _ => kept.push(facts(item)),
        }
    }
    Frame::Nest { kind, items: kept }
}

/// Only what differs, with some context.
fn difference(real: &Frame, ours: &Frame) -> String {
    let lines = |value| {
        let mut lines = Vec::new();
        wire::show_value(value, 0, &mut lines);
        lines
    };
    let lines = wire::diff(&lines(real), &lines(ours));
    let near = |at: usize| {
        lines[at.saturating_sub(2)..(at + 3).min(lines.len())].iter().any(|line| !line.starts_with(' '))
    };
    let kept = lines.iter().enumerate().filter(|(at, _)| near(*at)).take(20);
    kept.fold(String::new(), |text, (_, line)| text + "    " + line + "\n")
}

#[test]
fn every_command_of_redis_server_is_built_or_listed_as_not_built() {
    if let Err(report) = compare_commands() {
        panic!("{report}");
    }
}

fn compare_commands() -> Result<(), String> {
    let Some(judge) = programs::judge()? else { return Ok(()) };
    let told = |error: std::io::Error| format!("{error}");
    let theirs = commands(&judge).map_err(told)?;
    let mut all: Vec<String> = theirs.keys().cloned().collect();
    for other in servers::real() {
        let other = other?;
        if other.name.starts_with("redis-") && other.name != judge.name {
            all.extend(commands(&other).map_err(told)?.into_keys());
        }
    }
    all.sort_unstable();
    all.dedup();
    let ours = commands(&servers::minibroker(judge.version())?).map_err(told)?;
    let mut rows = not_built()?;
    let mut report = String::new();
    for name in all.iter().filter(|name| !ours.contains_key(*name)) {
        let mut found = false;
        for row in rows.iter_mut().filter(|row| differences::matches(&row.command, name)) {
            (row.needed, found) = (true, true);
        }
        if !found {
            let _ = writeln!(report, "{name}: missing, and not in not_built.txt");
        }
    }
    for row in rows.iter().filter(|row| !row.needed) {
        let _ = writeln!(report, "not_built.txt:{}: {} is there", row.line, row.command);
    }
    let mut unordered = Markers::default();
    unordered.add("unordered")?;
    for (name, (info, docs)) in ours {
        let Some((real_info, real_docs)) = theirs.get(&name) else {
            let _ = writeln!(report, "{name}: {} has no such command", judge.name);
            continue;
        };
        let (info, real_info) = (facts(without_subcommands(&info)), facts(without_subcommands(real_info)));
        if !unordered.same_values(&real_info, &info) {
            let _ = writeln!(report, "{name}: COMMAND INFO\n{}", difference(&real_info, &info));
        }
        let (docs, real_docs) = (facts(docs), facts(real_docs.clone()));
        if docs != real_docs {
            let _ = writeln!(report, "{name}: COMMAND DOCS\n{}", difference(&real_docs, &docs));
        }
    }
    if report.is_empty() { Ok(()) } else { Err(report) }
}

#[test]
fn users_may_call_the_same_commands_as_on_a_real_server() {
    if let Err(report) = compare_permissions() {
        panic!("{report}");
    }
}

/// The rules of users, each with the texts that the arguments of all commands are filled with in turn.
fn users() -> Vec<(String, Vec<&'static [&'static str]>)> {
    let mut users: Vec<(String, Vec<&[&str]>)> = Vec::new();
    for (_, category) in minibroker::internal::spec::Categories::NAMES {
        users.push((format!("~* &* +@{category}"), vec![&["1"]]));
        users.push((format!("~* &* +@all -@{category}"), vec![&["1"]]));
    }
    // Some counts of keys are numbers, and some options must be names.
    let keys = [
        &["b"][..],
        &["r"],
        &["w"],
        &["1"],
        &["r", "w"],
        &["w", "r"],
        &["1", "b"],
        &["1", "r"],
        &["b", "1", "x"],
    ];
    users.push(("+@all ~b %R~r %W~w &b".to_owned(), keys.to_vec()));
    users.push(("+@all -@write &* (~w +@write &w)".to_owned(), keys.to_vec()));
    users
}

fn compare_permissions() -> Result<(), String> {
    let Some(judge) = programs::judge()? else { return Ok(()) };
    let told = |error: std::io::Error| format!("{error}");
    let broker = servers::minibroker(judge.version())?;
    // The names, and with how many arguments each is called.
    let calls = commands(&broker).map_err(told)?.into_iter().map(|(name, (info, _))| {
        let row = items(info).pop().map(items).unwrap_or_default();
        let arity = row.get(1).map(text).and_then(|arity| arity.parse::<isize>().ok()).unwrap_or(1);
        (name, arity.unsigned_abs() + 2 * usize::from(arity < 0))
    });
    let calls: Vec<(String, usize)> = calls.collect();
    let mut report = String::new();
    let (mut theirs, mut ours) =
        (Control::connect(judge.addr).map_err(told)?, Control::connect(broker.addr).map_err(told)?);
    let mut ask = |request: &[&str]| -> Result<Frame, String> {
        let (real, own) = (theirs.command(request).map_err(told)?, ours.command(request).map_err(told)?);
        if real != own {
            let _ = writeln!(report, "{}\n{}", request.join(" "), difference(&real, &own));
        }
        Ok(real)
    };
    for (rules, fillings) in users() {
        let mut set = vec!["ACL", "SETUSER", "u", "reset"];
        set.extend(rules.split(' '));
        ask(&set)?;
        for (name, length) in &calls {
            for filling in &fillings {
                let mut call = vec!["ACL", "DRYRUN", "u"];
                call.extend(name.split('|'));
                let more = filling.iter().cycle().take((3 + length).saturating_sub(call.len()));
                call.extend(more);
                ask(&call)?;
            }
        }
    }
    // Each command alone, and all others.
    for (name, _) in &calls {
        for rules in [["nocommands", &format!("+{name}")], ["allcommands", &format!("-{name}")]] {
            ask(&["ACL", "SETUSER", "u", "reset", rules[0], rules[1]])?;
            ask(&["ACL", "GETUSER", "u"])?;
            let mut call = vec!["ACL", "DRYRUN", "u"];
            call.extend(name.split('|'));
            ask(&call)?;
        }
    }
    ask(&["ACL", "DELUSER", "u"])?;
    if report.is_empty() { Ok(()) } else { Err(report) }
}
