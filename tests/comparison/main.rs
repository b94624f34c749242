//! Conversations with `minibroker` and with real servers, compared byte by byte.
//!
//! A file in `cases/` holds the conversations of one family of commands. Every scenario runs on fresh
//! connections against an empty server, once in RESP2 and once in RESP3, on `minibroker` and on every
//! real server that this machine has: `redis-server` from PATH, and `redis8-server` and `valkey9-server`
//! from the folder `$MINIBROKER_PEERS` or `/opt/peers`. After every step all that all connections have
//! received must be the same. `minibroker` speaks the version of the server where it knows it, with Redis 7.0 that
//! of 7.0, and Redis 8.0 else; `differences.md` says what remains, and a row there that hides nothing fails the test
//! too.
//!
//! Without any real server the tests are skipped, or fail where `MINIBROKER_REQUIRE_SERVERS=1`.
//!
//! # The format of a case file
//!
//! ```text
//! # a comment, on a line of its own
//! == a scenario's title                 a suffix [resp2] or [resp3] limits it to that protocol
//! A: SET k "a b\x00"                    client A sends; quoting as in redis-cli
//! A pipeline: SET k 1 ; GET k           several requests in one write
//! A raw: "*1\r\n$4\r\nPI" 'NG'          bytes as they are, the pieces joined
//! A ~blocks: BLPOP k 0                  then waits until the server reports one more blocked client
//! A ~waits: BLPOP k 0.01                then waits until the server has sent A something
//! A opens                               connects; else a client connects when it is first named
//! A closes                              closes its end, waits until the server has noticed
//! A waits                               waits until the server has sent it something
//! gone k                                waits until the key k has expired, by asking for it
//! sleep 5                               lets 5 ms pass without touching anything
//! ```
//!
//! Nothing else is needed to say what is expected: the real server says it. In arguments `{A.id}` and
//! `{A.addr}` stand for what the server knows client A by, `{server}` for the server's address, `{now+10}`
//! and `{nowms-5}` for times, `{ab*100}` for a hundred times `ab`. CONFIG SET is undone after the scenario.
//!
//! Markers before the colon allow a difference, for everything received in that step:
//!
//! ```text
//! ~unordered      arrays, sets and maps may have any order, at every depth
//! ~pairs          a flat array of pairs may have any order of pairs
//! ~frames         several replies or pushes may come in any order
//! ~within=50      integers may differ by that much
//! ~number         anything numeric is as good as any other number
//! ~digits         any run of digits is as good as any other (ids, times, addresses)
//! ~fields=a,b     of CLIENT LIST and INFO only these fields, and not the harness's own connection
//! ~monitor        lines of MONITOR: without time and address, and without the harness's own commands
//! ~hello          of HELLO not the version, the client's id and the modules
//! ~any            only the type
//! ```
//!
//! # For debugging
//!
//! `COMPARISON_ONLY=words` runs only scenarios with these words in their title, `COMPARISON_SHOW=1` prints
//! what the reference answers, `COMPARISON_ROWS=1` a row for `differences.md` for each difference, `COMPARISON_MAX=100` reports more differences than 20 per family.

mod commands;
mod dump;
mod programs;
#[path = "../recordings/mod.rs"]
mod recordings;
mod servers;
#[path = "../skipped/mod.rs"]
mod skipped;

use std::{collections::BTreeMap, env, fmt::Write, fs, path::Path};

use minibroker::{
    Version,
    internal::conform::{
        control::Control,
        differences, markers,
        run::{Outcome, Runner},
        script::{self, Protocol, Scenario, Step},
        wire,
    },
};

macro_rules! families {
    ($($test:ident: $family:literal,)*) => {
        $(
            #[test]
            fn $test() {
                if let Err(report) = compare_family($family) {
                    panic!("{report}");
                }
            }
        )*
    };
}

families! {
    bitmaps_answer_as_redis_server_does: "bitmaps",
    the_library_bit_answers_as_redis_server_does: "bit",
    blocking_commands_answer_as_redis_server_does: "blocking",
    blocking_sorted_sets_answer_as_redis_server_does: "blocking_sorted_sets",
    client_answers_as_redis_server_does: "client",
    connections_answer_as_redis_server_does: "connection",
    debugging_answers_as_redis_server_does: "debug",
    fields_expire_as_with_redis_server: "field_expiry",
    geo_answers_as_redis_server_does: "geo",
    hashes_answer_as_redis_server_does: "hashes",
    hyperloglog_answers_as_redis_server_does: "hyperloglog",
    keys_answer_as_redis_server_does: "keys",
    lists_answer_as_redis_server_does: "lists",
    objects_answer_as_redis_server_does: "objects",
    protocol_errors_answer_as_redis_server_does: "protocol",
    pubsub_answers_as_redis_server_does: "pubsub",
    serialized_values_answer_as_redis_server_does: "serialization",
    scripts_answer_as_redis_server_does: "scripting",
    server_commands_answer_as_redis_server_does: "server",
    sets_answer_as_redis_server_does: "sets",
    sorted_sets_answer_as_redis_server_does: "sorted_sets",
    sorting_answers_as_redis_server_does: "sorting",
    streams_answer_as_redis_server_does: "streams",
    stream_groups_answer_as_redis_server_does: "stream_groups",
    strings_answer_as_redis_server_does: "strings",
    the_library_struct_answers_as_redis_server_does: "struct",
    transactions_answer_as_redis_server_does: "transactions",
}

/// Differences, kept in the order of the lines: where, and what is told about it.
type Found = BTreeMap<usize, (String, Vec<String>)>;

fn compare_family(family: &str) -> Result<(), String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/comparison");
    let file = format!("cases/{family}.txt");
    let text = |name: &str| fs::read_to_string(folder.join(name)).map_err(|error| format!("{name}: {error}"));
    let scenarios = script::read(&file, &text(&file)?)?;
    let only = env::var("COMPARISON_ONLY").ok();
    let show = env::var_os("COMPARISON_SHOW").is_some();
    let rows_wanted = env::var_os("COMPARISON_ROWS").is_some();
    let most = env::var("COMPARISON_MAX").ok().and_then(|most| most.parse().ok()).unwrap_or(20);

    let real = servers::real().collect::<Result<Vec<_>, _>>()?;
    if real.is_empty() {
        skipped::missing("redis-server");
        return Ok(());
    }
    // Each real server is compared with a minibroker that speaks its version.
    let mut versions: Vec<Version> = real.iter().map(servers::Server::version).collect();
    versions.sort_unstable_by(|one, other| other.cmp(one));
    versions.dedup();
    let brokers =
        versions.iter().map(|version| servers::minibroker(*version)).collect::<Result<Vec<_>, _>>()?;
    let names: Vec<&str> = real.iter().map(|server| server.name.as_str()).collect();
    let rows = differences::read("differences.md", &text("differences.md")?, family, &names)?;

    let connect = |server: &servers::Server| {
        let runner = Control::connect(server.addr).and_then(|control| Runner::new(&server.name, control));
        runner.map_err(|error| format!("no connection to a server: {error}"))
    };
    let mut references = real.iter().map(connect).collect::<Result<Vec<_>, _>>()?;
    let subjects = versions.iter().zip(&brokers).map(|(version, broker)| Ok((*version, connect(broker)?)));
    let mut subjects = subjects.collect::<Result<Vec<_>, String>>()?;
    let mut found = Found::new();
    let mut whole = only.is_none();
    for scenario in &scenarios {
        if only.as_ref().is_some_and(|only| !scenario.title.contains(only.as_str())) {
            continue;
        }
        for &protocol in &scenario.protocols {
            let mut answers: Vec<Vec<Outcome>> = Vec::new();
            for reference in &mut references {
                answers.push(
                    reference.run(scenario, protocol, None).map_err(|error| format!("{file}: {error}"))?,
                );
            }
            if show {
                print_scenario(&file, scenario, protocol, &answers[0]);
            }
            for (version, subject) in &mut subjects {
                let compared = real.iter().zip(&answers).filter(|(server, _)| server.version() == *version);
                let hint = compared.clone().next().map(|(_, answers)| answers.as_slice());
                match subject.run(scenario, protocol, hint) {
                    Ok(outcomes) => {
                        for (server, answers) in compared {
                            for ((step, answer), outcome) in scenario.steps.iter().zip(answers).zip(&outcomes)
                            {
                                let (name, title) = (&server.name, &scenario.title);
                                if step.markers.same(answer, outcome)
                                    || differences::known(&rows, name, title, step, (answer, outcome))?
                                {
                                    continue;
                                }
                                if rows_wanted {
                                    println!(
                                        "ROW | `{name}` | `{family}` | `{title}` | `{}` | TODO |",
                                        step.text
                                    );
                                }
                                let place = format!("against {name} in {protocol:?}");
                                let (real, ours) = (markers::show(answer), markers::show(outcome));
                                note(&mut found, &file, scenario, step, place, &real, &ours);
                            }
                        }
                    }
                    Err(error) => {
                        let line = scenario.steps.first().map_or(0, |step| step.line);
                        found.entry(line).or_insert_with(|| (format!("{file}: {error}"), Vec::new()));
                        whole = false;
                        if let Err(error) = subject.recover() {
                            found.insert(usize::MAX, (format!("given up: {error}"), Vec::new()));
                            return Err(report(family, &found, most));
                        }
                    }
                }
            }
        }
        if found.len() >= most {
            return Err(report(family, &found, most));
        }
    }
    if whole && found.is_empty() {
        for row in rows.iter().filter(|row| !row.needed.get()) {
            let text = format!("differences.md:{}: no longer needed, nothing differs there: {row}", row.line);
            found.insert(usize::MAX - 1_000_000 + row.line, (text, Vec::new()));
        }
    }
    if found.is_empty() { Ok(()) } else { Err(report(family, &found, most)) }
}

/// Adds a difference; what differs at the same line already is only counted.
fn note(
    found: &mut Found,
    file: &str,
    scenario: &Scenario,
    step: &Step,
    place: String,
    real: &[String],
    ours: &[String],
) {
    let (_, places) = found.entry(step.line).or_insert_with(|| {
        let mut text = format!("{file}:{} in \"{}\"\n    {}\n", step.line, scenario.title, step.text);
        for line in wire::diff(real, ours) {
            let _ = writeln!(text, "    {line}");
        }
        (text, Vec::new())
    });
    places.push(place);
}

fn report(family: &str, found: &Found, most: usize) -> String {
    let mut text = format!("{family}: {} lines differ (- the real server, + minibroker)\n", found.len());
    for (line, places) in found.values().take(most) {
        let _ = writeln!(text, "\n{line}    {}", places.join(", "));
    }
    text
}

fn print_scenario(file: &str, scenario: &Scenario, protocol: Protocol, outcomes: &[Outcome]) {
    println!("== {} ({protocol:?})", scenario.title);
    for (step, outcome) in scenario.steps.iter().zip(outcomes) {
        println!("{file}:{}  {}", step.line, step.text);
        for line in markers::show(outcome) {
            println!("        {line}");
        }
    }
}
