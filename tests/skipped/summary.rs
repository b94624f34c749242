//! Prints what the tests before this one have left out, and why. Not a test: it never fails for what was skipped.
//!
//! `cargo test` runs test targets in the order of their names, and this one is the last.

mod list;

use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, SystemTime};
use std::{env, fs, io};

/// Files of runs that did not reach this target are removed after this time.
const OLD: Duration = Duration::from_secs(24 * 60 * 60);

fn main() -> io::Result<()> {
    // nextest asks for the tests: there is none here.
    if env::args().any(|argument| argument == "--list") {
        return Ok(());
    }
    stands_behind_all_others()?;
    let Some(file) = list::file() else { return Ok(()) };
    let text = fs::read_to_string(&file).unwrap_or_default();
    let _ = fs::remove_file(&file);
    remove_old_files()?;
    let found = list::read(&text);
    if found.is_empty() {
        println!("\nno test was skipped\n");
        return Ok(());
    }
    let tests: BTreeSet<_> = found.values().flatten().collect();
    println!("\n{}, as a whole or in part", counted(tests.len()));
    let mut switches = BTreeSet::new();
    for missing in &list::ALL {
        if let Some(tests) = found.get(missing.name) {
            println!("    {}: {}", counted(tests.len()), missing.description);
            switches.insert(format!("{}=1", missing.required));
        }
    }
    let switches: Vec<_> = switches.into_iter().collect();
    println!("such tests fail with {}\n", switches.join(" "));
    Ok(())
}

fn counted(tests: usize) -> String {
    if tests == 1 { "1 test was skipped".to_owned() } else { format!("{tests} tests were skipped") }
}

/// Panics if `cargo test` runs another test target later than this one.
fn stands_behind_all_others() -> io::Result<()> {
    for entry in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests"))? {
        let name = entry?.file_name();
        let name = name.to_string_lossy();
        assert!(*name < *env!("CARGO_CRATE_NAME"), "tests/{name} is run behind {}", env!("CARGO_CRATE_NAME"));
    }
    Ok(())
}

fn remove_old_files() -> io::Result<()> {
    for entry in fs::read_dir(list::folder())? {
        let entry = entry?;
        let is_ours = entry.file_name().to_string_lossy().starts_with(list::PREFIX);
        let written = entry.metadata().and_then(|metadata| metadata.modified());
        let is_old = |written| SystemTime::now().duration_since(written).is_ok_and(|age| age > OLD);
        // Another run may remove it first.
        if is_ours && written.is_ok_and(is_old) {
            let _ = fs::remove_file(entry.path());
        }
    }
    Ok(())
}
