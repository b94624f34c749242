//! The inputs from which the fuzzer starts, run as plain tests.

use std::path::Path;

use super::drivers::{control, engine, patterns, requests, scripts, values};

/// The seeds of a fuzz target with their names.
pub fn seeds(target: &str) -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds").join(target);
    let files = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut seeds: Vec<_> = files
        .map(|file| {
            let path = file.unwrap().path();
            (path.display().to_string(), std::fs::read(&path).unwrap())
        })
        .collect();
    seeds.sort();
    assert!(!seeds.is_empty(), "{} is empty", folder.display());
    seeds
}

#[test]
fn every_seed_of_the_request_parser_is_read_as_the_judges_read_it() {
    for (name, seed) in seeds("request_parser") {
        println!("{name}");
        requests::check(&seed);
    }
}

#[test]
fn every_seed_of_the_pattern_matcher_matches_as_the_judges_say() {
    for (name, seed) in seeds("pattern") {
        println!("{name}");
        patterns::check(&seed);
    }
}

#[test]
fn every_seed_of_the_serialization_is_read_and_written_again() {
    for (name, seed) in seeds("restore") {
        println!("{name}");
        values::check(&seed);
    }
}

#[test]
fn every_seed_of_the_control_target_leaves_nothing_behind() {
    for (name, seed) in seeds("control") {
        println!("{name}");
        control::run(&seed);
    }
}

#[test]
fn every_seed_of_the_engine_is_answered_with_complete_replies() {
    for (name, seed) in seeds("engine") {
        println!("{name}");
        let decoded = engine::run(&seed);
        assert!(decoded > 0, "nothing was answered");
    }
}

#[test]
#[cfg(feature = "scripting")]
fn every_seed_of_the_scripts_leaves_the_interpreter_whole() {
    for (name, seed) in seeds("scripting") {
        println!("{name}");
        let decoded = scripts::run(&seed);
        assert!(decoded > 0, "nothing was answered");
    }
}
