//! Conversations with `minibroker` and with real servers, compared byte by byte.
//!
//! A file in `cases/` holds the conversations of one family of commands. Every scenario runs on fresh
//! connections against an empty server, once in RESP2 and once in RESP3. The answers of Redis 7.0, 8.0 and 8.2 and
//! Valkey 9 are recorded in `answers/`, and every machine compares `minibroker` with them. After every step, everything
//! that all connections have received must be the same. `minibroker` speaks the version of the server if it supports
//! it, and Redis 8.0 for Valkey 9; `differences.md` lists the remaining differences, and a row there without a difference
//! fails the test too.
//!
//! Real servers that this machine has are compared as well: `redis-server` from PATH, and `redis8-server`,
//! `redis82-server` and `valkey9-server` from the folder `$MINIBROKER_PEERS` or `/opt/peers`. A server of the recorded
//! version must answer as recorded; one of another version is compared with `minibroker`. Without any, the tests report
//! it, or fail with `MINIBROKER_REQUIRE_SERVERS=1`.
//!
//! # Recording
//!
//! A new or changed scenario has no recorded answers, and fails. This records all four servers, which must be
//! installed:
//!
//! ```text
//! RECORD=1 cargo test --test comparison answer
//! ```
//!
//! With `COMPARISON_ONLY=words`, it records only these scenarios again; with the name of a test, only this family. The
//! format of the files is described in `src/conform/answers.rs`.
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
//! A ~waits=B: SCRIPT KILL               then waits until the server has sent B something
//! A ~sleeps=50: CLIENT PAUSE 20         takes 50 ms at least
//! A ~gone=k: SET k 1 PX 1               ends when the key k has expired, as the server says
//! A opens                               connects; else a client connects when it is first named
//! A closes                              closes its end, waits until the server has noticed
//! A waits                               waits until the server has sent it something
//! sleep 5                               waits 5 ms without a request
//! ```
//!
//! Expected answers are not written: they come from the real servers. In arguments `{A.id}` and `{A.addr}` stand for
//! the id and address of client A, `{server}` for the server's address, `{now+10}` and `{nowms-5}` for times,
//! `{ab*100}` for a hundred times `ab`. CONFIG SET is undone after the scenario.
//!
//! Markers before the colon allow a difference, for everything received in that step:
//!
//! ```text
//! ~unordered      arrays, sets and maps may have any order, at every depth
//! ~pairs          a flat array of pairs may have any order of pairs
//! ~frames         several replies or pushes may come in any order
//! ~within=50ms    integers may differ by that much time, `50s` in seconds, and by what the scenario took until then
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
//! what Redis 7.0 answered, `COMPARISON_ROWS=1` a row for `differences.md` for each difference, `COMPARISON_MAX=100` reports more differences than 20 per family.

mod commands;
mod delays;
mod dump;
mod programs;
#[path = "../recordings/mod.rs"]
mod recordings;
#[path = "../scripts/mod.rs"]
mod scripts;
mod servers;
#[path = "../skipped/mod.rs"]
mod skipped;

use std::{
    collections::BTreeMap,
    env,
    fmt::Write,
    fs,
    path::{Path, PathBuf},
    sync::atomic::Ordering,
};

use minibroker::{
    Version,
    internal::conform::{
        answers::{Answers, Reference},
        control::Control,
        differences::{self, Difference},
        markers,
        outcome::Outcome,
        run::Runner,
        script::{self, Protocol, Scenario, Step},
        wire,
    },
};
use servers::Server;

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
    users_answer_as_redis_server_does: "acl",
    bitmaps_answer_as_redis_server_does: "bitmaps",
    the_library_bit_answers_as_redis_server_does: "bit",
    busy_scripts_answer_as_redis_server_does: "busy_scripts",
    lists_blocking_answers_as_redis_server_does: "lists_blocking",
    sorted_sets_pop_answers_as_redis_server_does: "sorted_sets_pop",
    client_answers_as_redis_server_does: "client",
    connections_answer_as_redis_server_does: "connection",
    debugging_answers_as_redis_server_does: "debug",
    hashes_expiry_answers_as_redis_server_does: "hashes_expiry",
    functions_answer_as_redis_server_does: "functions",
    geo_answers_as_redis_server_does: "geo",
    hashes_answer_as_redis_server_does: "hashes",
    hyperloglog_answers_as_redis_server_does: "hyperloglog",
    keys_answer_as_redis_server_does: "keys",
    latency_answers_as_redis_server_does: "latency",
    lists_answer_as_redis_server_does: "lists",
    object_answers_as_redis_server_does: "object",
    protocol_errors_answer_as_redis_server_does: "protocol",
    pubsub_answers_as_redis_server_does: "pubsub",
    serialized_values_answer_as_redis_server_does: "serialization",
    scripts_answer_as_redis_server_does: "scripting",
    scripts_and_others_answer_as_redis_server_does: "scripts_and_others",
    server_commands_answer_as_redis_server_does: "server",
    sets_answer_as_redis_server_does: "sets",
    sorted_sets_answer_as_redis_server_does: "sorted_sets",
    sort_answers_as_redis_server_does: "sort",
    streams_answer_as_redis_server_does: "streams",
    streams_groups_answer_as_redis_server_does: "streams_groups",
    streams_references_answer_as_redis_server_does: "streams_references",
    strings_answer_as_redis_server_does: "strings",
    the_library_cjson_answers_as_redis_server_does: "cjson",
    the_library_cmsgpack_answers_as_redis_server_does: "cmsgpack",
    the_library_struct_answers_as_redis_server_does: "struct",
    slow_log_answers_as_redis_server_does: "slow_log",
    tracking_answers_as_redis_server_does: "tracking",
    transactions_answer_as_redis_server_does: "transactions",
}

/// Differences in the order of the lines: the line, and its description.
type Found = BTreeMap<usize, (String, Vec<String>)>;

/// The command that makes the recordings.
const RECORD: &str = "RECORD=1 cargo test --test comparison answer";

/// The cases of a family, and their recorded answers.
struct Family {
    name: String,
    file: String,
    scenarios: Vec<Scenario>,
    answers: Answers,
}

impl Family {
    fn read(name: &str) -> Result<Self, String> {
        let file = format!("cases/{name}.txt");
        let scenarios = script::read(&file, &read(&file)?)?;
        let recording = format!("answers/{name}.txt");
        let answers = match fs::exists(folder().join(&recording)) {
            Ok(false) => Answers::default(),
            _ => Answers::read(&recording, &read(&recording)?)?,
        };
        Ok(Self { name: name.to_owned(), file, scenarios, answers })
    }

    /// An error for a scenario that is recorded and no longer a case.
    fn has_all_that_is_recorded(&self) -> Result<(), String> {
        let is_there = |title: &str| self.scenarios.iter().any(|scenario| scenario.title == title);
        let recorded = script::read("the recording", &self.answers.cases())?;
        match recorded.iter().find(|scenario| !is_there(&scenario.title)) {
            None => Ok(()),
            Some(gone) => Err(format!("{}: {:?} is recorded, but no case: {RECORD}", self.file, gone.title)),
        }
    }

    /// Plays scenarios on real servers and records the answers. Scenarios that are not selected stay as they are.
    fn record(&self, only: Option<&str>) -> Result<(), String> {
        let servers = servers::all_recorded()?;
        let reference =
            |server: &Server| Reference { name: server.name.clone(), release: server.release.clone() };
        let mut answers = Answers::of(servers.iter().map(reference).collect());
        let rows =
            differences::read("differences.md", &read("differences.md")?, &self.name, &servers::RECORDED)?;
        let mut runners = servers.iter().map(connect).collect::<Result<Vec<_>, _>>()?;
        for scenario in &self.scenarios {
            for (index, runner) in runners.iter_mut().enumerate() {
                for &protocol in &scenario.protocols {
                    let before = self.answers.outcomes(scenario, index, protocol);
                    let is_chosen = only.is_none_or(|only| scenario.title.contains(only));
                    let outcomes = match &before {
                        Some(before) if !is_chosen => {
                            before.iter().map(|outcome| (*outcome).clone()).collect()
                        }
                        _ => {
                            let outcomes = runner.run(scenario, protocol, None);
                            outcomes.map_err(|error| format!("{}: {error}", self.file))?
                        }
                    };
                    answers.add(scenario, (index, protocol), &outcomes, before.as_deref(), &rows)?;
                }
            }
        }
        let head = format!("# What real servers answer to {}. Made by {RECORD}.\n", self.file);
        let path = folder().join(format!("answers/{}.txt", self.name));
        fs::write(&path, head + &answers.to_string()).map_err(|error| format!("{}: {error}", path.display()))
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/comparison")
}

fn read(name: &str) -> Result<String, String> {
    fs::read_to_string(folder().join(name)).map_err(|error| format!("{name}: {error}"))
}

fn connect(server: &Server) -> Result<Runner, String> {
    let runner = Control::connect(server.addr).and_then(|control| Runner::new(&server.name, control));
    runner.map_err(|error| format!("no connection to a server: {error}"))
}

fn compare_family(family: &str) -> Result<(), String> {
    let family = Family::read(family)?;
    let only = env::var("COMPARISON_ONLY").ok();
    if servers::is_recording() {
        return family.record(only.as_deref());
    }
    family.has_all_that_is_recorded()?;
    let most = env::var("COMPARISON_MAX").ok().and_then(|most| most.parse().ok()).unwrap_or(20);
    let real = servers::real().collect::<Result<Vec<_>, _>>()?;
    if real.is_empty() {
        skipped::missing("a server beside the recorded answers");
    }
    let mut comparison = Comparison::new(&family, &real)?;
    for scenario in &family.scenarios {
        if only.as_ref().is_some_and(|only| !scenario.title.contains(only.as_str())) {
            comparison.whole = false;
            continue;
        }
        for &protocol in &scenario.protocols {
            if !comparison.compare(scenario, protocol)? {
                return Err(comparison.report(most));
            }
        }
        if comparison.found.len() >= most {
            return Err(comparison.report(most));
        }
    }
    comparison.find_rows_without_difference();
    if comparison.found.is_empty() { Ok(()) } else { Err(comparison.report(most)) }
}

/// The answers of each server to a scenario: its name, and the outcome of each step.
type References<'a> = Vec<(&'a str, Vec<Outcome>)>;

/// The comparison of a family.
struct Comparison<'a> {
    family: &'a Family,
    /// The rows of `differences.md`.
    rows: Vec<Difference>,
    real: &'a [Server],
    /// A runner for each real server.
    live: Vec<Runner>,
    /// A runner for each version of `minibroker`.
    subjects: Vec<(Version, Runner)>,
    _brokers: Vec<Server>,
    found: Found,
    /// Whether all scenarios were compared.
    whole: bool,
}

impl<'a> Comparison<'a> {
    fn new(family: &'a Family, real: &'a [Server]) -> Result<Self, String> {
        let recorded = family.answers.references.iter().map(|reference| reference.name.as_str());
        let names: Vec<&str> = recorded.chain(real.iter().map(|server| server.name.as_str())).collect();
        let rows = differences::read("differences.md", &read("differences.md")?, &family.name, &names)?;
        // Each server is compared with a minibroker of its version.
        let mut versions: Vec<Version> = names.iter().map(|name| servers::version_of(name)).collect();
        versions.sort_unstable_by(|one, other| other.cmp(one));
        versions.dedup();
        let brokers = versions.iter().map(|version| servers::minibroker(*version));
        let brokers = brokers.collect::<Result<Vec<_>, _>>()?;
        let live = real.iter().map(connect).collect::<Result<Vec<_>, _>>()?;
        let subjects =
            versions.iter().zip(&brokers).map(|(version, broker)| Ok((*version, connect(broker)?)));
        let subjects = subjects.collect::<Result<Vec<_>, String>>()?;
        Ok(Self { family, rows, real, live, subjects, _brokers: brokers, found: Found::new(), whole: true })
    }

    /// Compares all servers in a scenario, and returns whether the comparison can continue.
    fn compare(&mut self, scenario: &Scenario, protocol: Protocol) -> Result<bool, String> {
        let mut references = self.recorded(scenario, protocol);
        self.ask_live(scenario, protocol, &mut references)?;
        if let Some((_, outcomes)) = references.first().filter(|_| env::var_os("COMPARISON_SHOW").is_some()) {
            print_scenario(&self.family.file, scenario, protocol, outcomes);
        }
        for index in 0..self.subjects.len() {
            let (version, ref mut subject) = self.subjects[index];
            let compared = references.iter().filter(|(name, _)| servers::version_of(name) == version);
            let hint = compared.clone().next().map(|(_, answers)| answers.as_slice());
            match subject.run(scenario, protocol, hint) {
                Ok(outcomes) => {
                    for (name, answers) in compared {
                        self.hold_against(scenario, protocol, (name, answers), &outcomes)?;
                    }
                }
                Err(error) => {
                    let recovered = subject.recover();
                    let text = format!("{}: {error}", self.family.file);
                    self.found.entry(scenario.line()).or_insert((text, Vec::new()));
                    self.whole = false;
                    if let Err(error) = recovered {
                        self.found.insert(usize::MAX, (format!("given up: {error}"), Vec::new()));
                        return Ok(false);
                    }
                }
            }
        }
        Ok(true)
    }

    /// The recorded answers of the servers.
    fn recorded(&mut self, scenario: &Scenario, protocol: Protocol) -> References<'a> {
        let answers = &self.family.answers;
        let mut references = References::new();
        for (index, reference) in answers.references.iter().enumerate() {
            if let Some(recorded) = answers.outcomes(scenario, index, protocol) {
                references.push((&reference.name, recorded.into_iter().cloned().collect()));
            }
        }
        if references.len() < servers::RECORDED.len() {
            let (file, line, title) = (&self.family.file, scenario.line(), &scenario.title);
            let text = format!("{file}:{line}: the answers to \"{title}\" are not recorded: {RECORD}");
            self.found.insert(line, (text, Vec::new()));
            self.whole = false;
        }
        references
    }

    /// Plays a scenario on the real servers. A server of a recorded release must answer as recorded; the answers of
    /// another one are added to the references.
    fn ask_live(
        &mut self,
        scenario: &Scenario,
        protocol: Protocol,
        references: &mut References<'a>,
    ) -> Result<(), String> {
        let answers = &self.family.answers;
        for (index, server) in self.real.iter().enumerate() {
            let hint = references.iter().find(|(name, _)| *name == server.name);
            let outcomes =
                self.live[index].run(scenario, protocol, hint.map(|(_, answers)| answers.as_slice()));
            let outcomes = outcomes.map_err(|error| format!("{}: {error}", self.family.file))?;
            let is_this =
                |reference: &Reference| reference.name == server.name && reference.release == server.release;
            let recorded = answers.references.iter().position(is_this);
            let recorded = recorded.and_then(|index| answers.outcomes(scenario, index, protocol));
            let Some(recorded) = recorded else {
                references.push((&server.name, outcomes));
                continue;
            };
            for ((step, recorded), outcome) in scenario.steps.iter().zip(recorded).zip(&outcomes) {
                // Answers that are listed as unordered differ from process to process.
                let allowed = differences::allowed(&self.rows, &server.name, &scenario.title, step)?;
                if !allowed.same(recorded, outcome) {
                    let source = format!(
                        "{} {} no longer answers as recorded (+ now), in {protocol:?}: {RECORD}",
                        server.name, server.release
                    );
                    self.note(scenario, step, source, (recorded, outcome));
                }
            }
        }
        Ok(())
    }

    /// Compares the answers of `minibroker` with those of this server.
    fn hold_against(
        &mut self,
        scenario: &Scenario,
        protocol: Protocol,
        (server, answers): (&str, &[Outcome]),
        outcomes: &[Outcome],
    ) -> Result<(), String> {
        for ((step, answer), outcome) in scenario.steps.iter().zip(answers).zip(outcomes) {
            if self.is_known(server, scenario, step, (answer, outcome))? {
                continue;
            }
            if env::var_os("COMPARISON_ROWS").is_some() {
                let (family, title) = (&self.family.name, &scenario.title);
                println!("ROW | `{server}` | `{family}` | `{title}` | `{}` | TODO |", step.text);
            }
            self.note(scenario, step, format!("against {server} in {protocol:?}"), (answer, outcome));
        }
        Ok(())
    }

    /// Whether two outcomes of a step are the same, or differ as listed in `differences.md`.
    fn is_known(
        &self,
        server: &str,
        scenario: &Scenario,
        step: &Step,
        (expected, outcome): (&Outcome, &Outcome),
    ) -> Result<bool, String> {
        Ok(step.markers.same(expected, outcome)
            || differences::known(&self.rows, server, &scenario.title, step, (expected, outcome))?)
    }

    /// Adds a difference; further ones at the same line are only counted.
    fn note(
        &mut self,
        scenario: &Scenario,
        step: &Step,
        source: String,
        (expected, outcome): (&Outcome, &Outcome),
    ) {
        let file = &self.family.file;
        let (_, sources) = self.found.entry(step.line).or_insert_with(|| {
            let mut text = format!("{file}:{} in \"{}\"\n    {}\n", step.line, scenario.title, step.text);
            for line in wire::diff(&markers::show(expected), &markers::show(outcome)) {
                let _ = writeln!(text, "    {line}");
            }
            (text, Vec::new())
        });
        sources.push(source);
    }

    /// Adds the rows of `differences.md` that hide no difference, if everything was compared.
    fn find_rows_without_difference(&mut self) {
        if !self.whole || !self.found.is_empty() {
            return;
        }
        for row in self.rows.iter().filter(|row| !row.needed.load(Ordering::Relaxed)) {
            let text = format!("differences.md:{}: no longer needed, nothing differs there: {row}", row.line);
            self.found.insert(usize::MAX - 1_000_000 + row.line, (text, Vec::new()));
        }
    }

    fn report(&self, most: usize) -> String {
        let (family, count) = (&self.family.name, self.found.len());
        let mut text = format!("{family}: {count} lines differ (- the real server, + minibroker)\n");
        for (line, sources) in self.found.values().take(most) {
            let _ = writeln!(text, "\n{line}    {}", sources.join(", "));
        }
        text
    }
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
