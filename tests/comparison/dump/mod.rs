//! Values that go from `minibroker` to every real server and back by DUMP and RESTORE.
//!
//! The same commands build a value on all servers. Each dump is restored, from `minibroker` on every real server
//! and from every real server on `minibroker`, and read completely: the content must be the same as at its origin.
//! Unless it depends on chance, the bytes are those of Redis 8, too.
//!
//! What real servers dump and read is [`recorded`], so that `minibroker` can be compared with it on any machine.

mod files;
mod recorded;

use minibroker::internal::{conform::control::Control, session::Frame};

use crate::{
    servers::{self, Server},
    skipped,
};

type Command = Vec<Vec<u8>>;

/// A value.
struct Case {
    name: String,
    commands: Vec<Command>,
    /// `minibroker` writes the same bytes as Redis 8, apart from the form and what follows the value.
    same_bytes: bool,
    /// The servers that read what `minibroker` writes, if not all.
    only: Option<&'static [&'static str]>,
}

/// The names of servers that support consumers which were never active.
const KNOWS_IDLE_CONSUMERS: &[&str] = &["redis-8", "valkey"];
/// The names of servers that support fields which expire, in the format of Redis.
const KNOWS_DEADLINES: &[&str] = &["redis-8"];

fn case(name: impl Into<String>, commands: Vec<Command>) -> Case {
    Case { name: name.into(), commands, same_bytes: true, only: None }
}

fn call<A: AsRef<[u8]>>(name: &str, arguments: impl IntoIterator<Item = A>) -> Command {
    let mut command = vec![name.as_bytes().to_vec(), b"k".to_vec()];
    command.extend(arguments.into_iter().map(|argument| argument.as_ref().to_vec()));
    command
}

/// A command as it is typed.
fn typed(line: &str) -> Command {
    line.split(' ').map(|word| word.as_bytes().to_vec()).collect()
}

/// Bytes that do not repeat.
fn noise(length: usize) -> Vec<u8> {
    let mut state = u32::try_from(length).unwrap_or(u32::MAX) ^ 0x9e37_79b9;
    let next = |_| {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state.to_le_bytes()[1]
    };
    (0..length).map(next).collect()
}

/// Lengths at which some encoding changes: of strings that are compressed, of lengths, of elements of blocks and of
/// their lengths for reading backwards, of elements that have their own node.
const LENGTHS: [usize; 38] = [
    0,
    1,
    10,
    11,
    12,
    20,
    21,
    22,
    44,
    45,
    63,
    64,
    65,
    124,
    125,
    126,
    127,
    128,
    253,
    254,
    255,
    4094,
    4095,
    4096,
    8170,
    8180,
    8186,
    8187,
    8190,
    8192,
    8193,
    16_377,
    16_378,
    16_383,
    16_384,
    65_535,
    65_536,
    1 << 20,
];

/// Integers around every power of two.
fn integers() -> Vec<i64> {
    let around = |bits: u32| {
        let power = 1i64 << bits;
        [power - 1, power, -power, -power - 1]
    };
    let mut all: Vec<i64> = (0..63).flat_map(around).chain([i64::MIN, i64::MAX]).collect();
    all.sort_unstable();
    all.dedup();
    all
}

fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for length in LENGTHS {
        for (kind, text) in [("equal bytes", vec![b'a'; length]), ("noise", noise(length))] {
            let text = text.as_slice();
            let a = b"a".as_slice();
            let mut add = |command: Command, same_bytes| {
                let suffix = if command.len() == 4 && command[2] == text { ", a field" } else { "" };
                let name = format!("{} of {length} {kind}{suffix}", String::from_utf8_lossy(&command[0]));
                cases.push(Case { same_bytes, ..case(name, vec![command]) });
            };
            add(call("SET", [text]), true);
            add(call("RPUSH", [text]), true);
            add(call("SADD", [text]), length > 64);
            add(call("HSET", [a, text]), true);
            add(call("HSET", [text, a]), true);
            add(call("ZADD", [b"1.5", text]), true);
            // The greatest length of two groups is written in three by Redis, and in two by Valkey.
            let only = (length == 16_378).then_some(["redis"].as_slice());
            let stream =
                case(format!("XADD of {length} {kind}"), vec![call("XADD", [b"5-7", text, text, a, a])]);
            cases.push(Case { only, ..stream });
            let list = vec![call("RPUSH", [a]), call("RPUSH", [text]), call("RPUSH", [a])];
            cases.push(case(format!("three elements, one of {length} {kind}"), list));
        }
    }
    for integer in integers() {
        let text = integer.to_string();
        let text = text.as_str();
        let mut add = |command: Command| {
            let name = format!("{} of {integer}", String::from_utf8_lossy(&command[0]));
            cases.push(case(name, vec![command]));
        };
        add(call("SET", [text]));
        add(call("RPUSH", [text]));
        add(call("SADD", [text, "1"]));
        add(call("HSET", [text, text]));
        add(call("ZADD", [text, "m", text, text]));
        add(call("XADD", ["5-7", text, text]));
    }
    for text in ["007", "+7", "-0", "", "1e5", " 1", "9223372036854775808", "-9223372036854775809"] {
        cases.push(case(format!("SET of {text:?}"), vec![call("SET", [text])]));
        cases.push(case(format!("RPUSH of {text:?}"), vec![call("RPUSH", [text])]));
    }
    for score in ["inf", "-inf", "1e300", "-0", "5e18", "4e18", "0.1", "1e-7", "3.0000000001", "1.5e-320"] {
        let long = "m".repeat(100);
        cases.push(case(format!("score {score}, small"), vec![call("ZADD", [score, "m"])]));
        cases.push(case(format!("score {score}, large"), vec![call("ZADD", [score, long.as_str()])]));
    }
    collections(&mut cases);
    streams(&mut cases);
    let deadline = "9000000000000";
    for (name, value) in [("small", "v".to_owned()), ("large", "v".repeat(100))] {
        let commands = vec![
            call("HSET", ["a", "1", "b", "2", "c", value.as_str(), "d", "4"]),
            call("HPEXPIREAT", ["9000000000005", "FIELDS", "1", "c"]),
            call("HPEXPIREAT", [deadline, "FIELDS", "2", "b", "d"]),
        ];
        let name = format!("a {name} hash of which fields expire");
        cases.push(Case { only: Some(KNOWS_DEADLINES), same_bytes: false, ..case(name, commands) });
    }
    cases
}

/// Collections of many elements.
fn collections(cases: &mut Vec<Case>) {
    for count in [2, 127, 128, 129, 511, 512, 513, 10_000] {
        let numbers = || (0..count).map(|number: usize| number.to_string());
        let texts = || numbers().map(|number| format!("m{number}"));
        let pairs = || numbers().flat_map(|number| [format!("{}.25", number.len()), format!("m{number}")]);
        let mut add = |name: &str, command: Command, same_bytes| {
            cases.push(Case { same_bytes, ..case(format!("{count} {name}"), vec![command]) });
        };
        add("integers in a list", call("RPUSH", numbers()), count < 1000);
        add("texts in a list", call("RPUSH", texts()), count < 1000);
        add("integers in a set", call("SADD", numbers()), count <= 512);
        add("texts in a set", call("SADD", texts()), false);
        add("fields of a hash", call("HSET", pairs()), count < 10);
        add("members of a sorted set", call("ZADD", pairs()), true);
    }
    // Elements that fill nodes differently.
    for length in (10..150).step_by(7) {
        let element = |index: usize| call("RPUSH", ["x".repeat(length * 3 + index % 5)]);
        cases.push(case(
            format!("200 elements of about {} bytes", length * 3),
            (0..200).map(element).collect(),
        ));
    }
    let elements = (0..1500).map(|number| call("RPUSH", [number.to_string()]));
    cases.push(case("a list that grows element by element", elements.collect()));
    let all =
        [b"b".to_vec(), noise(9000), b"c".to_vec(), noise(9001), noise(8000), noise(300), b"d".to_vec()];
    cases.push(case("long elements among short ones", all.iter().map(|one| call("RPUSH", [one])).collect()));
    let small_again = vec![
        call("SADD", ["a", "9", "2", "b"]),
        call("SREM", ["a"]),
        call("SADD", ["1"]),
        call("SREM", ["b"]),
    ];
    cases.push(Case { same_bytes: false, ..case("a small set of integers", small_again) });
}

fn streams(cases: &mut Vec<Case>) {
    let add = |number: u64, fields: &[&str]| {
        let id = format!("{}-{}", 1000 + number / 3, number % 3);
        call("XADD", [id.as_str()].iter().chain(fields))
    };
    let entries = |count: u64| {
        (0..count)
            .map(|number| {
                let text = number.to_string();
                if number % 7 == 0 {
                    add(number, &["f", "1", "g", &text])
                } else {
                    add(number, &["f", &text])
                }
            })
            .collect::<Vec<_>>()
    };
    for count in [1, 2, 99, 100, 101, 300] {
        cases.push(case(format!("a stream of {count} entries"), entries(count)));
    }
    let mut changed = entries(300);
    changed.extend(
        (0..300).step_by(4).map(|number| typed(&format!("XDEL k {}-{}", 1000 + number / 3, number % 3))),
    );
    cases.push(case("a stream of which entries are deleted", changed));
    for (name, last) in [
        ("trimmed", "XTRIM k MAXLEN 150"),
        ("emptied", "XTRIM k MAXLEN 0"),
        ("of which the first entry is deleted", "XDEL k 1000-0"),
        ("with other counters", "XSETID k 5000-5 ENTRIESADDED 7000 MAXDELETEDID 4000-3"),
    ] {
        let mut commands = entries(300);
        commands.push(typed(last));
        cases.push(case(format!("a stream {name}"), commands));
    }
    let back = ["XADD k 1-1 a b", "XADD k 2-2 a b", "XDEL k 2-2", "XSETID k 1-1", "XADD k 1-2 a b"];
    // A real server keeps the new entry after the deleted one, which has a greater id.
    let back = case("a stream that was set back", back.map(typed).into());
    cases.push(Case { same_bytes: false, ..back });
    let groups = |commands: &[&str]| {
        let mut all = entries(20);
        all.extend(commands.iter().copied().map(typed));
        all
    };
    let plain = ["XGROUP CREATE k a 0", "XGROUP CREATE k b $", "XGROUP CREATE k c 1002-1 ENTRIESREAD 8"];
    cases.push(case("groups", groups(&plain)));
    let read = [
        "XGROUP CREATE k a 0",
        "XREADGROUP GROUP a one COUNT 3 STREAMS k >",
        "XREADGROUP GROUP a two STREAMS k >",
        "XACK k a 1000-1 1001-2",
        "XDEL k 1000-2",
        "XGROUP CREATE k b 1001-0",
        "XREADGROUP GROUP b three NOACK STREAMS k >",
        "XCLAIM k a three 0 1002-0 RETRYCOUNT 300 TIME 1234567890123",
    ];
    // The groups include the times of deliveries.
    let read = case("groups with consumers and pending entries", groups(&read));
    cases.push(Case { same_bytes: false, only: Some(KNOWS_IDLE_CONSUMERS), ..read });
    let delivered = ["XGROUP CREATE k a 0", "XREADGROUP GROUP a one COUNT 3 STREAMS k >"];
    cases.push(Case { same_bytes: false, ..case("a group with a consumer", groups(&delivered)) });
    let idle = ["XGROUP CREATE k a 0", "XGROUP CREATECONSUMER k a one"];
    let idle = case("a consumer that never got anything", groups(&idle));
    cases.push(Case { same_bytes: false, only: Some(KNOWS_IDLE_CONSUMERS), ..idle });
}

fn bulk(value: &Frame) -> Option<&[u8]> {
    match value {
        Frame::Text { kind: b'$', text } => Some(text),
        _ => None,
    }
}

fn is_error(value: &Frame) -> bool {
    matches!(value, Frame::Text { kind: b'-', .. })
}

/// The content of a value that all servers can show.
fn read_out(control: &mut Control, key: &str) -> Result<Vec<Frame>, String> {
    let mut ask = |line: &str| {
        let command: Vec<&str> = line.split(' ').map(|word| if word == "k" { key } else { word }).collect();
        control.command(&command).map_err(|error| format!("{line}: {error}"))
    };
    let kind = ask("TYPE k")?;
    let Frame::Text { text: name, .. } = &kind else { return Ok(vec![kind]) };
    let questions: &[&str] = match name.as_slice() {
        b"string" => &["GET k"],
        b"list" => &["LRANGE k 0 -1"],
        b"set" => &["SMEMBERS k"],
        b"hash" => &["HGETALL k"],
        b"zset" => &["ZRANGE k 0 -1 WITHSCORES"],
        _ => &["XRANGE k - +", "XINFO STREAM k FULL COUNT 0"],
    };
    let mut answers = vec![kind.clone()];
    for question in questions {
        answers.push(normal(ask(question)?, name));
    }
    if let (b"hash", Some(Frame::Nest { items: pairs, .. })) = (name.as_slice(), answers.get(1)) {
        let fields = pairs.iter().step_by(2).filter_map(bulk);
        let mut command = vec![b"HPEXPIRETIME".to_vec(), key.into(), b"FIELDS".to_vec()];
        command.push((pairs.len() / 2).to_string().into());
        command.extend(fields.map(<[u8]>::to_vec));
        let deadlines = control.command(&command).map_err(|error| error.to_string())?;
        // Redis 7.0 does not have this command: fields do not expire there.
        let Frame::Nest { items: deadlines, .. } = deadlines else { return Ok(answers) };
        let expires = |deadline: &Frame| deadline.text() != Some(b"-1".as_slice());
        if deadlines.iter().any(expires) {
            answers.push(Frame::Nest { kind: b'*', items: deadlines });
        }
    }
    Ok(answers)
}

/// A reply without what other servers may show differently.
fn normal(value: Frame, kind: &[u8]) -> Frame {
    let Frame::Nest { kind: frame, mut items } = value else { return value };
    match kind {
        b"set" => items.sort(),
        b"hash" => {
            let mut pairs: Vec<Vec<Frame>> = items.chunks(2).map(<[Frame]>::to_vec).collect();
            pairs.sort();
            items = pairs.concat();
        }
        b"zset" => {
            // Redis 7.0 prints other digits.
            for score in items.iter_mut().skip(1).step_by(2) {
                if let Frame::Text { text, .. } = score
                    && let Some(number) =
                        std::str::from_utf8(text).ok().and_then(|text| text.parse::<f64>().ok())
                {
                    *text = number.to_string().into();
                }
            }
        }
        _ => {
            let mut kept = Vec::new();
            let mut left = items.into_iter();
            while let Some(item) = left.next() {
                // Redis 7.0 has no second time; Valkey counts the nodes of the radix tree differently.
                if matches!(bulk(&item), Some(b"radix-tree-nodes" | b"active-time")) {
                    left.next();
                } else {
                    kept.push(normal(item, kind));
                }
            }
            items = kept;
        }
    }
    Frame::Nest { kind: frame, items }
}

/// A server with a value on it.
struct Target<'a> {
    server: &'a Server,
    control: Control,
    /// Its dump and its content; `None` if the server cannot have the value.
    value: Option<(Vec<u8>, Vec<Frame>)>,
}

impl<'a> Target<'a> {
    fn new(server: &'a Server) -> Result<Self, String> {
        let control = Control::connect(server.addr).map_err(|error| error.to_string())?;
        Ok(Self { server, control, value: None })
    }

    fn build(&mut self, case: &Case) -> Result<(), String> {
        let control = &mut self.control;
        let mut ask = |command: &[Vec<u8>]| control.command(command).map_err(|error| error.to_string());
        self.value = None;
        ask(&typed("DEL k"))?;
        for command in &case.commands {
            if is_error(&ask(command)?) {
                return Ok(());
            }
        }
        let payload = ask(&typed("DUMP k"))?;
        let payload = bulk(&payload).ok_or_else(|| format!("DUMP answers {payload:?}"))?.to_vec();
        self.value = Some((payload, read_out(control, "k")?));
        Ok(())
    }

    /// Restores the value of another server here; returns what is wrong with it.
    fn take(&mut self, from: &Target<'_>) -> Result<Option<String>, String> {
        let Some((payload, expected)) = &from.value else { return Ok(None) };
        let restore = [b"RESTORE", b"other".as_slice(), b"0", payload, b"REPLACE"];
        let answer = self.control.command(&restore).map_err(|error| error.to_string())?;
        let found = read_out(&mut self.control, "other")?;
        if !is_error(&answer) && found == *expected {
            return Ok(None);
        }
        let start = payload.get(..40).unwrap_or(payload).escape_ascii();
        let shown = |value: &dyn std::fmt::Debug| format!("{value:?}").chars().take(300).collect::<String>();
        Ok(Some(format!(
            "from {} to {}: {answer:?}\n    {start}\n    - {}\n    + {}",
            from.server.name,
            self.server.name,
            shown(expected),
            shown(&found)
        )))
    }
}

/// The value without its form, the version and the checksum.
fn body(payload: &[u8]) -> &[u8] {
    payload.get(1..payload.len().saturating_sub(10)).unwrap_or_default()
}

/// Whether `minibroker`, with the version of this server, writes the same bytes as the server.
fn has_our_bytes(server: &str) -> bool {
    server.starts_with("redis-8")
}

fn other_bytes(name: &str, server: &str, real: &dyn std::fmt::Display, own: &[u8]) -> String {
    let own = own.get(..200).unwrap_or(own).escape_ascii();
    format!("{name}: other bytes than {server}\n    - {real}\n    + {own}")
}

fn compare() -> Result<Vec<String>, String> {
    let real = servers::real().collect::<Result<Vec<_>, _>>()?;
    if real.is_empty() {
        skipped::missing("redis-server");
    }
    let minibroker = servers::minibroker(minibroker::Version::default())?;
    let mut ours = Target::new(&minibroker)?;
    let mut targets = real.iter().map(Target::new).collect::<Result<Vec<_>, _>>()?;
    let recordings = recorded::Recordings::read()?;
    let mut found = Vec::new();
    for case in cases() {
        ours.build(&case)?;
        for theirs in &mut targets {
            theirs.build(&case)?;
            let name = theirs.server.name.clone();
            let kept = recordings.values.get(&case.name).and_then(|value| value.dumps.get(&name));
            if let (true, Some(kept), Some((real, _))) = (case.same_bytes, kept, &theirs.value)
                && !kept.has_body(real)
                && !servers::is_recording()
            {
                found.push(format!(
                    "{}: {name} no longer writes it as recorded: {}",
                    case.name,
                    servers::HOW_TO_RECORD
                ));
            }
            if has_our_bytes(&name) && theirs.value.is_some() != ours.value.is_some() {
                found.push(format!("{}: cannot be built on minibroker, or there only", case.name));
            }
            let reads = case.only.is_none_or(|only| only.iter().any(|only| name.starts_with(only)));
            let mut wrong = vec![ours.take(theirs)?];
            if reads {
                wrong.push(theirs.take(&ours)?);
            }
            found.extend(wrong.into_iter().flatten().map(|wrong| format!("{}: {wrong}", case.name)));
            if let (true, true, Some((real, _)), Some((own, _))) =
                (has_our_bytes(&name), case.same_bytes, &theirs.value, &ours.value)
                && body(real) != body(own)
            {
                let shown = real.get(..200).unwrap_or(real).escape_ascii();
                found.push(other_bytes(&case.name, &name, &shown, own));
            }
        }
    }
    Ok(found)
}

/// Records the dumps and contents of all real servers.
fn record() -> Result<(), String> {
    let real = servers::all_recorded()?;
    let mut targets = real.iter().map(Target::new).collect::<Result<Vec<_>, _>>()?;
    let (cases, mut recordings) = (cases(), recorded::Recordings::default());
    for case in &cases {
        recordings.values.entry(case.name.clone()).or_default();
        for target in &mut targets {
            target.build(case)?;
            if let Some((payload, values)) = &target.value {
                recordings.add(case, &target.server.name, payload, values);
            }
        }
    }
    recordings.write(&cases)
}

/// Restores what was recorded on `minibroker`, and compares its own dumps.
fn compare_with_recorded() -> Result<Vec<String>, String> {
    let recordings = recorded::Recordings::read()?;
    let minibroker = servers::minibroker(minibroker::Version::default())?;
    let mut ours = Target::new(&minibroker)?;
    let mut found = Vec::new();
    for case in cases() {
        let name = &case.name;
        ours.build(&case)?;
        let Some(value) = recordings.values.get(name) else {
            found.push(format!("{name}: is not recorded: {}", servers::HOW_TO_RECORD));
            continue;
        };
        if value.dumps.keys().any(|server| has_our_bytes(server)) != ours.value.is_some() {
            found.push(format!("{name}: cannot be built on minibroker, or there only"));
        }
        let Some((own, _)) = &ours.value else { continue };
        for (server, kept) in &value.dumps {
            if case.same_bytes && has_our_bytes(server) && !kept.has_body(own) {
                found.push(other_bytes(name, server, kept, own));
            }
            let Some(payload) = recordings.payload(server, kept) else { continue };
            let restore = [b"RESTORE", b"other".as_slice(), b"0", &payload, b"REPLACE"];
            let answer = ours.control.command(&restore).map_err(|error| error.to_string())?;
            let values = read_out(&mut ours.control, "other")?;
            let Some(reads) = value.reads.get(server).filter(|reads| !reads.is(&recorded::as_bytes(&values)))
            else {
                continue;
            };
            let shown = format!("{values:?}").chars().take(300).collect::<String>();
            found.push(format!("{name}: from {server}: {answer:?}\n    - {reads}\n    + {shown}"));
        }
    }
    Ok(found)
}

fn judge(found: Result<Vec<String>, String>) {
    match found {
        Ok(found) if found.is_empty() => {}
        Ok(found) => {
            let first: Vec<_> = found.iter().take(20).map(String::as_str).collect();
            panic!("{} values differ\n{}", found.len(), first.join("\n"));
        }
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn values_go_to_real_servers_and_back_by_dump_and_restore() {
    judge(compare());
}

#[test]
fn recorded_dumps_of_real_servers_are_restored_and_written_alike() {
    if servers::is_recording() {
        record().unwrap_or_else(|error| panic!("{error}"));
    }
    judge(compare_with_recorded());
}
