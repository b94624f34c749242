//! What tests leave out because this machine does not have something.
//!
//! A test that cannot do its work, or a part of it, calls [`missing`] and returns. libtest hides what a passing test
//! prints, so the name of the test goes into a file, and the test target `what_was_skipped`, which `cargo test` runs
//! after all others, prints the reasons and counts the tests.

mod list;

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::panic::Location;
use std::path::Path;
use std::sync::Mutex;
use std::{env, thread};

/// Notes that the running test leaves something out because `name`, one of [`list::ALL`], is missing.
///
/// # Panics
///
/// If the tests must not be skipped.
#[track_caller]
pub fn missing(name: &str) {
    let missing = list::ALL.iter().find(|missing| missing.name == name);
    let list::Missing { description, required, .. } =
        missing.unwrap_or_else(|| panic!("{name} is not in tests/skipped/list.rs"));
    assert!(env::var_os(required).is_none_or(|value| value != "1"), "{required}=1, but: {description}");
    // With --test-threads=1 all tests run in the main thread.
    let test = match thread::current().name() {
        Some(test) if test != "main" => test.to_owned(),
        _ => Location::caller().to_string(),
    };
    let test = format!("{}::{test}", env!("CARGO_CRATE_NAME"));
    let is_first = list::file().is_none_or(|file| note(&file, name, &test).unwrap_or(true));
    if is_first {
        // Not eprintln!, which libtest hides. A run of one test target has no summary, but this line.
        let _ = writeln!(io::stderr(), "SKIPPED: {test}: {description}");
    }
}

/// Adds a line to the file, and returns whether it is the first one for what is missing.
fn note(file: &Path, name: &str, test: &str) -> io::Result<bool> {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _one_at_a_time = ONE_AT_A_TIME.lock();
    let is_first = !fs::read_to_string(file).is_ok_and(|text| list::read(&text).contains_key(name));
    // Appended with one write, so that lines of several processes do not mix.
    let line = format!("{name}\t{test}\n");
    OpenOptions::new().create(true).append(true).open(file)?.write_all(line.as_bytes())?;
    Ok(is_first)
}
