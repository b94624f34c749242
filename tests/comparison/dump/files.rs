//! The same values in RDB files: those that real servers save are loaded by `minibroker`, and those that `minibroker`
//! writes are loaded by them. All databases, expiries and libraries of functions go with them.
//!
//! Small files that real servers have saved are recorded in `files.txt` beside this file, for machines without servers:
//!
//! ```text
//! == redis-8.0            the server that has saved it
//! 524544495330...         its bytes
//! ```

use std::{collections::BTreeMap, fmt::Write as _, fs, path::PathBuf};

use minibroker::internal::{conform::control::Control, session::Frame};
use minibroker::{Broker, Snapshot, Version};

use super::{Case, bulk, cases, is_error, judge, read_out, typed};
use crate::{
    servers::{self, Server},
    skipped,
};

/// The values of the recorded files: each type in each of its forms.
const RECORDED: &[&str] = &[
    "SET of 10 equal bytes",
    "SET of 65 equal bytes",
    "SET of 65 noise",
    "SET of -129",
    "SET of 65535",
    "RPUSH of 64 noise",
    "three elements, one of 253 noise",
    "127 integers in a list",
    "SADD of 64 noise",
    "SADD of 65 noise",
    "127 integers in a set",
    "HSET of 64 noise",
    "HSET of 65 noise, a field",
    "ZADD of 64 noise",
    "ZADD of 65 noise",
    "score 0.1, small",
    "score -inf, large",
    "XADD of 22 noise",
    "a stream of which entries are deleted",
    "a stream emptied",
    "a stream with other counters",
    "groups with consumers and pending entries",
    "a group with a consumer",
    "a consumer that never got anything",
    "a small hash of which fields expire",
    "a large hash of which fields expire",
];

/// A library of functions.
const LIBRARY: &str = "#!lua name=kept\nredis.register_function('kept', function() return 'kept' end)";
/// A key that expires, and when: far in the future.
const EXPIRES: (&str, &str) = ("expires", "4000000000123");
/// A database other than the first.
const OTHER_DATABASE: &str = "3";

/// Values by the names of their cases, as they are read out; and what belongs to no case.
type Values = BTreeMap<String, Vec<Frame>>;

fn ask(control: &mut Control, command: &[impl AsRef<[u8]>]) -> Result<Frame, String> {
    let answer = control.command(command).map_err(|error| error.to_string())?;
    if is_error(&answer) {
        let command: Vec<_> = command.iter().map(|word| word.as_ref().escape_ascii().to_string()).collect();
        return Err(format!("{}: {answer:?}", command.join(" ")));
    }
    Ok(answer)
}

fn tell(control: &mut Control, line: &str) -> Result<Frame, String> {
    ask(control, &typed(line))
}

fn connect(addr: Option<std::net::SocketAddr>) -> Result<Control, String> {
    Control::connect(addr.ok_or("it does not listen")?).map_err(|error| error.to_string())
}

/// Makes the value of each case that the server can have, under the name of the case, and the rest.
fn fill<'a>(control: &mut Control, cases: impl IntoIterator<Item = &'a Case>) -> Result<(), String> {
    tell(control, "FLUSHALL")?;
    tell(control, "FUNCTION FLUSH")?;
    for case in cases {
        let is_refused = |command: &Vec<Vec<u8>>| {
            control.command(command).map(|answer| is_error(&answer)).map_err(|error| error.to_string())
        };
        let refused = case.commands.iter().map(is_refused).collect::<Result<Vec<_>, _>>()?;
        if refused.contains(&true) {
            tell(control, "DEL k")?;
        } else {
            ask(control, &["RENAME", "k", &case.name])?;
        }
    }
    ask(control, &["FUNCTION", "LOAD", LIBRARY])?;
    let (key, at) = EXPIRES;
    tell(control, &format!("SET {key} x PXAT {at}"))?;
    tell(control, &format!("SELECT {OTHER_DATABASE}"))?;
    tell(control, "SADD other 1 2")?;
    tell(control, "SELECT 0")?;
    Ok(())
}

/// Reads everything.
fn read_all(control: &mut Control) -> Result<Values, String> {
    let mut values = Values::new();
    let Frame::Nest { items: keys, .. } = tell(control, "KEYS *")? else { return Err("no keys".to_owned()) };
    for key in keys.iter().filter_map(bulk) {
        let key = String::from_utf8_lossy(key).into_owned();
        let value = read_out(control, &key)?;
        values.insert(key, value);
    }
    let (key, _) = EXPIRES;
    values.insert("when it expires".to_owned(), vec![tell(control, &format!("PEXPIRETIME {key}"))?]);
    let Frame::Nest { items, .. } = tell(control, "FUNCTION LIST WITHCODE")? else {
        return Err("no libraries".to_owned());
    };
    values.insert("the libraries of functions".to_owned(), items);
    tell(control, &format!("SELECT {OTHER_DATABASE}"))?;
    let other = read_out(control, "other")?;
    values.insert("another database".to_owned(), other);
    tell(control, "SELECT 0")?;
    Ok(values)
}

fn encodings(control: &mut Control, values: &Values) -> Result<BTreeMap<String, Frame>, String> {
    let mut found = BTreeMap::new();
    for key in values.keys() {
        let encoding = control.command(&["OBJECT", "ENCODING", key]).map_err(|error| error.to_string())?;
        found.insert(key.clone(), encoding);
    }
    Ok(found)
}

/// What is not the same, in a few words.
fn differences<T: std::fmt::Debug + PartialEq>(
    what: &str,
    expected: &BTreeMap<String, T>,
    found: &BTreeMap<String, T>,
) -> Vec<String> {
    let shown = |value: Option<&T>| format!("{value:?}").chars().take(300).collect::<String>();
    let keys = expected.keys().chain(found.keys().filter(|key| !expected.contains_key(*key)));
    keys.filter(|key| expected.get(*key) != found.get(*key))
        .map(|key| {
            format!("{what}: {key}\n    - {}\n    + {}", shown(expected.get(key)), shown(found.get(key)))
        })
        .collect()
}

/// All cases but those of long integers, of which there are many.
fn compared() -> Vec<Case> {
    const DIGITS: usize = 7;
    let is_long =
        |name: &str| name.len() - name.trim_end_matches(|end: char| end.is_ascii_digit()).len() > DIGITS;
    cases().into_iter().filter(|case| !is_long(&case.name)).collect()
}

/// The file in which a server saves.
fn file_of(control: &mut Control) -> Result<PathBuf, String> {
    let mut setting = |name: &str| {
        let value = control.config(name).map_err(|error| error.to_string())?;
        String::from_utf8(value.unwrap_or_default()).map_err(|error| error.to_string())
    };
    Ok(PathBuf::from(setting("dir")?).join(setting("dbfilename")?))
}

/// The file that a server saves of these values, and what it shows of them.
fn saved(control: &mut Control, cases: &[Case]) -> Result<(Vec<u8>, Values), String> {
    fill(control, cases)?;
    let values = read_all(control)?;
    tell(control, "SAVE")?;
    let file = file_of(control)?;
    let bytes = fs::read(&file).map_err(|error| format!("{}: {error}", file.display()))?;
    Ok((bytes, values))
}

/// What `minibroker` has after it has loaded a file.
fn load(file: &[u8], version: Version) -> Result<(Broker, Control, Values), String> {
    let snapshot = Snapshot::from_rdb(file).map_err(|error| error.to_string())?;
    let broker = Broker::builder().compat(version).from_snapshot(&snapshot).start();
    let broker = broker.map_err(|error| error.to_string())?;
    let mut control = connect(broker.addr())?;
    let values = read_all(&mut control)?;
    Ok((broker, control, values))
}

/// The version of the format of a file that this server reads, and that has the most.
fn version_for(server: &Server) -> Version {
    if server.name.starts_with("valkey") { Version::Redis7_0 } else { server.version() }
}

fn compare(server: &Server, cases: &[Case]) -> Result<Vec<String>, String> {
    let name = &server.name;
    let mut theirs = connect(Some(server.addr))?;
    let mut found = Vec::new();
    for policy in ["noeviction", "allkeys-lfu", "allkeys-lru"] {
        tell(&mut theirs, &format!("CONFIG SET maxmemory-policy {policy}"))?;
        let (file, expected) = saved(&mut theirs, cases)?;
        let (_broker, mut ours, values) = load(&file, server.version())?;
        found.extend(differences(&format!("a file of {name}, {policy}"), &expected, &values));
        // Some encodings are others after a file was loaded.
        tell(&mut theirs, "DEBUG RELOAD NOSAVE")?;
        if ["redis-7.0", "redis-8.0"].contains(&name.as_str()) {
            let expected = encodings(&mut theirs, &expected)?;
            let encodings = encodings(&mut ours, &values)?;
            found.extend(differences(&format!("encodings after a file of {name}"), &expected, &encodings));
        }

        let broker = Broker::builder()
            .compat(version_for(server))
            .config("maxmemory-policy", policy)
            .start()
            .map_err(|error| error.to_string())?;
        let mut ours = connect(broker.addr())?;
        let reads =
            |case: &&Case| case.only.is_none_or(|only| only.iter().any(|only| name.starts_with(only)));
        fill(&mut ours, cases.iter().filter(reads))?;
        let expected = read_all(&mut ours)?;
        let place = file_of(&mut theirs)?;
        fs::write(&place, broker.snapshot().to_rdb()).map_err(|error| error.to_string())?;
        tell(&mut theirs, "DEBUG RELOAD NOSAVE")
            .map_err(|error| format!("{name} does not load it: {error}"))?;
        let values = read_all(&mut theirs)?;
        found.extend(differences(&format!("a file for {name}, {policy}"), &expected, &values));
    }
    tell(&mut theirs, "CONFIG SET maxmemory-policy noeviction")?;
    Ok(found)
}

#[test]
fn files_of_real_servers_are_loaded_and_they_load_ours() {
    let compare_all = || {
        let real = servers::real().collect::<Result<Vec<_>, _>>()?;
        if real.is_empty() {
            skipped::missing("redis-server");
        }
        let cases = compared();
        let found = real.iter().map(|server| compare(server, &cases)).collect::<Result<Vec<_>, _>>()?;
        Ok(found.concat())
    };
    judge(compare_all());
}

fn recording() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/comparison/dump/files.txt")
}

fn recorded_cases() -> Vec<Case> {
    let cases: Vec<Case> =
        cases().into_iter().filter(|case| RECORDED.contains(&case.name.as_str())).collect();
    assert_eq!(cases.len(), RECORDED.len(), "each is the name of a case");
    cases
}

fn record() -> Result<(), String> {
    /// Bytes on a line.
    const WIDTH: usize = 60;
    let mut text =
        "# What real servers save of some values of dump/mod.rs; dump/files.rs describes the format.\n\
                    # RECORD=1 cargo test --test comparison dump\n"
            .to_owned();
    for server in servers::all_recorded()? {
        let (file, _) = saved(&mut connect(Some(server.addr))?, &recorded_cases())?;
        let _ = writeln!(text, "== {}", server.name);
        for line in file.chunks(WIDTH) {
            for byte in line {
                let _ = write!(text, "{byte:02x}");
            }
            text.push('\n');
        }
    }
    fs::write(recording(), text).map_err(|error| error.to_string())
}

fn recorded_files() -> Result<BTreeMap<String, Vec<u8>>, String> {
    let text = fs::read_to_string(recording()).map_err(|error| error.to_string())?;
    let mut files: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    let mut name = "";
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        if let Some(server) = line.strip_prefix("== ") {
            name = server;
            continue;
        }
        let bytes = line.as_bytes().chunks(2).map(|digits| {
            let digits = std::str::from_utf8(digits).map_err(|error| error.to_string())?;
            u8::from_str_radix(digits, 16).map_err(|error| format!("{digits}: {error}"))
        });
        files.entry(name.to_owned()).or_default().extend(bytes.collect::<Result<Vec<_>, _>>()?);
    }
    Ok(files)
}

/// Removes the times of the recording.
fn hide_time(frame: &mut Frame) {
    /// Such a number is a time in milliseconds.
    const DIGITS: usize = 13;
    match frame {
        Frame::Text { kind: b':', text } if text.len() == DIGITS => text.clear(),
        Frame::Nest { items, .. } => items.iter_mut().for_each(hide_time),
        _ => {}
    }
}

/// Loads the recorded files; each must have the values that `minibroker` makes of the same commands.
fn compare_with_recorded() -> Result<Vec<String>, String> {
    let files = recorded_files()?;
    let names: Vec<&str> = files.keys().map(String::as_str).collect();
    if names != servers::RECORDED {
        return Err(format!("of {names:?} there are files: {}", servers::HOW_TO_RECORD));
    }
    let mut found = Vec::new();
    for (server, file) in &files {
        let version = servers::version_of(server);
        let own = Broker::builder().compat(version).start().map_err(|error| error.to_string())?;
        let mut own = connect(own.addr()).and_then(|mut control| {
            fill(&mut control, &recorded_cases())?;
            read_all(&mut control)
        })?;
        let (broker, _, mut values) = load(file, version)?;
        // Where servers differ the values were compared with the server's.
        own.retain(|key, _| values.contains_key(key));
        if own.len() + 4 < RECORDED.len() {
            found.push(format!("{server}: only {} values", own.len()));
        }

        // What is written again is the same data.
        let (_, _, again) = load(&broker.snapshot().to_rdb(), version)?;
        found.extend(differences(&format!("the file of {server} written again"), &values, &again));
        [&mut own, &mut values].into_iter().flat_map(BTreeMap::values_mut).flatten().for_each(hide_time);
        found.extend(differences(&format!("the recorded file of {server}"), &own, &values));
        let is_cut_off = (0..file.len()).all(|end| Snapshot::from_rdb(&file[..end]).is_err());
        if !is_cut_off {
            found.push(format!("{server}: a part of the file is loaded"));
        }
    }
    Ok(found)
}

#[test]
fn recorded_files_of_real_servers_are_loaded_and_written_again() {
    if servers::is_recording() {
        record().unwrap_or_else(|error| panic!("{error}"));
    }
    judge(compare_with_recorded());
}
