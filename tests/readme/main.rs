//! The README is right: its programs run, its commands work, its lists of commands and libraries are correct.

mod history;
#[cfg(feature = "tls")]
mod over_tls;
mod programs;
mod section;
#[path = "../skipped/mod.rs"]
mod skipped;
mod ten_lines;

use std::fmt::Write;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use minibroker::internal::spec::Group;
use minibroker::internal::table::TABLE;

const README: &str = include_str!("../../README.md");

/// The code blocks of a language.
fn blocks(language: &str) -> Vec<String> {
    let fence = format!("```{language}\n");
    let parts = README.split(&fence).skip(1);
    parts.map(|part| part.split("```").next().unwrap_or_default().to_owned()).collect()
}

/// The list of commands by family, in the format of the README.
fn command_list() -> String {
    const FAMILIES: [(Group, &str); 14] = [
        (Group::Pubsub, "Pub/Sub"),
        (Group::List, "Lists"),
        (Group::Stream, "Streams"),
        (Group::Set, "Sets"),
        (Group::SortedSet, "Sorted sets"),
        (Group::Geo, "Geo"),
        (Group::String, "Strings"),
        (Group::Bitmap, "Bitmaps"),
        (Group::HyperLogLog, "HyperLogLog"),
        (Group::Hash, "Hashes"),
        (Group::Generic, "Keys"),
        (Group::Transactions, "Transactions"),
        (Group::Scripting, "Scripts"),
        (Group::Connection, "Connection"),
    ];
    let mut list = String::from("| family | commands |\n|---|---|\n");
    let mut listed = 0;
    for (group, family) in FAMILIES.into_iter().chain([(Group::Server, "Server")]) {
        let mut names: Vec<String> = Vec::new();
        for command in TABLE.commands().filter(|command| command.group == group) {
            listed += 1;
            let mut name = command.name.to_uppercase();
            let subcommands: Vec<_> =
                command.subcommands.iter().map(|subcommand| subcommand.name.to_uppercase()).collect();
            if !subcommands.is_empty() {
                name = format!("{name} ({})", subcommands.join(" "));
            }
            names.push(name);
        }
        names.sort();
        let _ = writeln!(list, "| {family} | {} |", names.join(", "));
    }
    assert_eq!(listed, TABLE.commands().count(), "a family is missing from the README's list");
    list
}

#[test]
fn the_readme_lists_the_commands_of_the_table() {
    section::is("commands", &command_list());
}

#[test]
fn the_readmes_rust_tests_are_those_that_are_run_here() {
    let tests = [include_str!("ten_lines.rs"), include_str!("over_tls.rs"), include_str!("history.rs")];
    assert_eq!(blocks("rust"), tests);
}

#[test]
fn the_readmes_session_and_variable_are_the_ones_that_are_read() {
    let sessions = blocks("session");
    assert_eq!(sessions.len(), 1);
    minibroker::internal::session::Session::read(&sessions[0]).expect("it is one");
    let yaml = blocks("yaml").join("");
    assert!(yaml.contains(&format!("env: {{ {}: ", minibroker::URL_VARIABLE)), "{yaml}");
}

#[test]
fn the_readme_names_parts_that_the_script_of_ci_has() {
    let script = include_str!("../../.ci/run");
    let commands = README.split('`').filter_map(|code| code.strip_prefix(".ci/run "));
    let parts: Vec<&str> = commands.flat_map(str::split_whitespace).collect();
    assert!(parts.len() >= 6, "{parts:?}");
    for part in parts {
        assert!(script.contains(&format!("\n{part}() {{\n")), "{part}");
    }
}

#[test]
fn the_readme_names_the_version_that_is_built() {
    let version = format!("{}.{}", env!("CARGO_PKG_VERSION_MAJOR"), env!("CARGO_PKG_VERSION_MINOR"));
    assert!(blocks("toml")[0].contains(&format!("minibroker = {{ version = \"{version}\"")));
}

#[test]
fn the_command_that_runs_the_broker_runs_it() {
    let commands = blocks("sh");
    let arguments =
        commands[0].trim().strip_prefix("cargo run --release -- ").expect("the command that runs it");
    // Tests use free ports only.
    let arguments = arguments.replace("6380", "0");
    let mut broker = Command::new(env!("CARGO_BIN_EXE_minibroker"))
        .args(arguments.split(' '))
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut line = String::new();
    BufReader::new(broker.stdout.take().expect("piped")).read_line(&mut line).expect("a ready line");
    broker.kill().expect("it was running");
    broker.wait().expect("it ended");
    assert!(line.contains("ready on 127.0.0.1:"), "{line}");
}

#[test]
fn the_python_programs_pass_under_the_commands_that_the_readme_gives() {
    let python = std::env::var_os("MINIBROKER_PYTHON_CURRENT").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("target/python/current/bin/python"),
        PathBuf::from,
    );
    if !python.exists() {
        skipped::missing("redis-py");
        return;
    }
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("readme");
    std::fs::create_dir_all(&folder).expect("a folder");
    let commands: Vec<String> =
        blocks("sh").into_iter().filter(|block| block.contains(" -- python ")).collect();
    let programs = blocks("python");
    assert_eq!(commands.len(), programs.len());
    for (command, program) in commands.iter().zip(programs) {
        let words: Vec<&str> = command.split_whitespace().collect();
        let file = words.last().expect("the file stands last");
        std::fs::write(folder.join(file), program).expect("written");
        let mut run = Command::new(env!("CARGO_BIN_EXE_minibroker"));
        for word in words.iter().skip(1) {
            if *word == "python" {
                run.arg(&python)
            } else {
                run.arg(word)
            };
        }
        let status = run.current_dir(&folder).status().expect("it runs");
        assert!(status.success(), "{command}: {status}");
    }
}
