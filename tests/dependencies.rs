//! What a test that embeds the broker has to compile, and what is published.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

/// What `cargo tree` lists, without versions.
fn tree(arguments: &[&str]) -> Vec<String> {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--offline", "--edges", "normal", "--prefix", "none", "--format", "{p}"])
        .args(arguments)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let listed = String::from_utf8(output.stdout).expect("names are text");
    let mut names: Vec<_> =
        listed.lines().filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect();
    names.sort();
    names.dedup();
    names
}

/// The direct dependencies of the library.
const DIRECT: [&str; 15] = [
    "bytes",
    "crc",
    "dashmap",
    "fastrand",
    "foldhash",
    "hdrhistogram",
    "indexmap",
    "itoa",
    "num-bigint",
    "parking_lot",
    "sha2",
    "slab",
    "socket2",
    "thiserror",
    "tokio",
];

#[test]
fn the_library_alone_uses_these_crates_and_no_others() {
    let mut direct = tree(&["--no-default-features", "--depth", "1"]);
    direct.retain(|name| name != "minibroker");
    assert_eq!(direct, DIRECT);
}

#[test]
fn tls_is_compiled_only_where_it_was_asked_for() {
    let all = tree(&["--no-default-features"]);
    for crate_of_tls in ["rustls", "ring", "tokio-rustls", "rustls-native-certs"] {
        assert!(!all.iter().any(|name| name == crate_of_tls), "{crate_of_tls} in {all:?}");
        assert!(tree(&[]).iter().any(|name| name == crate_of_tls), "{crate_of_tls} is for TLS");
    }
}

#[test]
fn the_library_alone_brings_nothing_that_only_the_program_needs() {
    let all = tree(&["--no-default-features"]);
    for program_only in ["clap", "clap_builder", "rustix", "signal-hook-registry", "tokio-macros"] {
        assert!(!all.iter().any(|name| name == program_only), "{program_only} in {all:?}");
        assert!(tree(&[]).iter().any(|name| name == program_only), "{program_only} is the program's");
    }
}

/// The files that `text`, of a file in `folder`, includes from outside of `src`.
fn included(text: &str, folder: &str) -> Vec<String> {
    let names = text.split("include_str!(\"").skip(1).filter_map(|rest| rest.split('"').next());
    let paths = names.map(|name| {
        let mut path: Vec<&str> = folder.split('/').collect();
        for step in name.split('/') {
            if step == ".." {
                path.pop();
            } else {
                path.push(step);
            }
        }
        path.join("/")
    });
    paths.filter(|path| !path.starts_with("src/")).collect()
}

/// The paths of a folder's source files, from the root on.
fn sources(folder: &str, into: &mut Vec<String>) {
    for entry in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)).expect("it can be read") {
        let entry = entry.expect("it can be read");
        let path = format!("{folder}/{}", entry.file_name().to_str().expect("names are text"));
        if entry.path().is_dir() {
            sources(&path, into);
        } else if entry.path().extension().is_some_and(|extension| extension == "rs") {
            into.push(path);
        }
    }
}

#[test]
fn the_package_has_every_file_that_the_library_includes() {
    let output = Command::new(env!("CARGO"))
        .args(["package", "--list", "--offline", "--allow-dirty"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let packaged = String::from_utf8(output.stdout).expect("names are text").replace('\\', "/");
    let packaged: BTreeSet<&str> = packaged.lines().collect();
    let mut files = Vec::new();
    sources("src", &mut files);
    let mut expected = BTreeSet::new();
    for file in files {
        let text =
            fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(&file)).expect("it can be read");
        let (folder, _) = file.rsplit_once('/').expect("it is below src");
        expected.extend(included(&text, folder));
        expected.insert(file);
    }
    assert!(expected.contains("tests/comparison/differences.md"), "{expected:?}");
    let missing: Vec<_> = expected.iter().filter(|file| !packaged.contains(file.as_str())).collect();
    assert!(missing.is_empty(), "`include` of Cargo.toml leaves out {missing:?}");
}
