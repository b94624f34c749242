//! What may be missing, and the file in which a run of the tests notes it.

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::path::{Path, PathBuf};

/// What a test may find missing.
pub struct Missing {
    /// Its name in tests.
    pub name: &'static str,
    /// What it is, and how a machine gets it.
    pub description: &'static str,
    /// The variable that makes the tests fail without it, if set to 1.
    pub required: &'static str,
}

const SERVERS: &str = "MINIBROKER_REQUIRE_SERVERS";
const PROGRAMS: &str = "MINIBROKER_REQUIRE_PROGRAMS";

/// All items, in the order of the summary.
pub const ALL: [Missing; 12] = [
    Missing {
        name: "redis-server",
        description: "no redis-server on the PATH and none in $MINIBROKER_PEERS (Debian: apt install redis-server)",
        required: SERVERS,
    },
    Missing {
        name: "a server beside the recorded answers",
        description: "compared with the recorded answers only: no redis-server on the PATH and none in $MINIBROKER_PEERS",
        required: SERVERS,
    },
    Missing {
        name: "redis-server 7.0",
        description: "no Redis 7.0 on the PATH (Debian 12: apt install redis-server)",
        required: SERVERS,
    },
    Missing {
        name: "redis-server 8.2",
        description: "no Redis 8.2: no redis82-server in $MINIBROKER_PEERS, or in /opt/peers without that variable",
        required: SERVERS,
    },
    Missing {
        name: "TLS",
        description: "no real server that speaks TLS (Debian: apt install redis-server)",
        required: SERVERS,
    },
    Missing {
        name: "redis-cli",
        description: "no redis-cli on the PATH (Debian: apt install redis-tools)",
        required: SERVERS,
    },
    Missing {
        name: "redis-py",
        description: "no Python with redis-py and pytest in target/python (tests/documents/setup-python makes it)",
        required: "MINIBROKER_REQUIRE_PYTHON",
    },
    Missing {
        name: "programs in Python",
        description: "no Python libraries in target/programs, or not these versions (tests/programs/setup installs them)",
        required: PROGRAMS,
    },
    Missing {
        name: "programs in Node",
        description: "no Node packages in target/programs, or not these versions (tests/programs/setup installs them)",
        required: PROGRAMS,
    },
    Missing {
        name: "programs in Ruby",
        description: "no Ruby with Sidekiq 6 (Debian 12: apt install ruby-sidekiq)",
        required: PROGRAMS,
    },
    Missing {
        name: "programs in Rust",
        description: "no programs in target/programs, or not of these sources (tests/programs/setup builds them)",
        required: PROGRAMS,
    },
    Missing {
        name: "documents",
        description: "no documents in $MINIBROKER_DOCUMENTS (they are not part of the repository)",
        required: "MINIBROKER_REQUIRE_DOCUMENTS",
    },
];

/// Where the files are.
pub fn folder() -> &'static Path {
    Path::new(env!("CARGO_TARGET_TMPDIR"))
}

/// The prefix of the files' names.
pub const PREFIX: &str = "skipped-";

/// The file of this run of `cargo test`: all its tests are started by one process. `None` if nothing would read it:
/// for a test that is run by hand, or by nextest, which has its own order.
pub fn file() -> Option<PathBuf> {
    let by_cargo = env::var_os("CARGO_MANIFEST_DIR").is_some() && env::var_os("NEXTEST").is_none();
    by_cargo.then(|| folder().join(format!("{PREFIX}{}", parent())))
}

/// The process that runs the tests.
#[cfg(unix)]
fn parent() -> String {
    let id = std::os::unix::process::parent_id();
    // Ids are used again. On Linux the start time, the twentieth field after the name, identifies the process.
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
    let began = stat.rsplit(") ").next().and_then(|fields| fields.split(' ').nth(19)).unwrap_or("0");
    format!("{id}-{began}")
}

/// If the parent is not known, all runs share a file.
#[cfg(not(unix))]
fn parent() -> String {
    "0-0".to_owned()
}

/// What is missing, and for which tests.
pub fn read(text: &str) -> BTreeMap<&str, BTreeSet<&str>> {
    let mut found: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    for (name, test) in text.lines().filter_map(|line| line.split_once('\t')) {
        found.entry(name).or_default().insert(test);
    }
    found
}
