//! Released libraries run unchanged on minibroker: queues, locks, rate limiters, sessions and channel layers, most of
//! which are based on Lua scripts.
//!
//! Each program of this folder uses one library, and prints its results: no times, no ids, and in a fixed order. It is
//! run on minibroker and, if installed, on redis-server, and must print what is recorded in `expected`, which is its
//! output on redis-server. `RECORD=1 cargo test --test programs` records it again.
//!
//! The libraries come from `tests/programs/setup`, into `target/programs` or where MINIBROKER_PROGRAMS says; without them the
//! tests are skipped, or fail where MINIBROKER_REQUIRE_PROGRAMS is 1.

mod language;
mod run;
#[allow(dead_code)]
#[path = "../comparison/servers.rs"]
mod servers;
#[path = "../skipped/mod.rs"]
mod skipped;
mod tls;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use language::Language;
use run::has_the_same_outcome;

macro_rules! programs {
    ($($language:ident { $($test:ident: $program:literal,)* })*) => {
        $($(
            #[test]
            fn $test() {
                has_the_same_outcome(Language::$language, $program);
            }
        )*)*

        /// All of them.
        const PROGRAMS: &[(Language, &str)] = &[$($((Language::$language, $program),)*)*];
    };
}

programs! {
    Python {
        locks_and_scripts_of_redis_py: "redis_py",
        the_cache_of_redis_py: "redis_py_cache",
        users_of_redis_py: "redis_py_users",
        tls_of_redis_py: "redis_py_tls",
        celery_tasks: "celery_tasks",
        rq_jobs: "rq_jobs",
        dramatiq_messages: "dramatiq_actors",
        huey_tasks: "huey_tasks",
        channels_layers: "channels_chat",
        rate_limits_of_limits: "limits_strategies",
        the_cache_and_sessions_of_django: "django_cache",
    }
    Node {
        bullmq_jobs: "bullmq",
        bull_jobs: "bull",
        bee_queue_jobs: "bee_queue",
        redlock_locks: "redlock",
        rate_limits_of_rate_limiter_flexible: "rate_limiter_flexible",
        scripts_as_commands_of_ioredis: "ioredis",
        tls_of_ioredis: "ioredis_tls",
        scripts_and_functions_of_node_redis: "node_redis",
        the_cache_of_node_redis: "node_redis_cache",
        tls_of_node_redis: "node_redis_tls",
        sessions_of_connect_redis: "connect_redis",
    }
    Ruby {
        sidekiq_jobs: "sidekiq_jobs",
    }
    Rust {
        apalis_tasks: "apalis_tasks",
        scripts_and_functions_of_fred: "fred_scripts",
        the_cache_of_the_redis_crate: "redis_cache",
        scripts_of_the_redis_crate: "redis_scripts",
        rslock_locks: "rslock_locks",
        scripts_and_functions_of_rustis: "rustis_scripts",
    }
}

/// This folder.
fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs")
}

/// The names of the files with this extension in a subfolder, without the extension.
fn files(folder: &Path, end: &str) -> BTreeSet<String> {
    let names =
        fs::read_dir(folder).into_iter().flatten().map(|entry| entry.expect("it can be read").file_name());
    names.filter_map(|name| name.to_str()?.strip_suffix(end).map(str::to_owned)).collect()
}

#[test]
fn each_program_is_run() {
    for language in Language::ALL {
        let mut there = files(&folder().join(language.folder()), language.suffix());
        there.remove("connection");
        let run = PROGRAMS.iter().filter(|(of, _)| *of == language).map(|(_, name)| (*name).to_owned());
        assert_eq!(there, run.collect(), "the programs in {language:?}, and those that are run");
    }
    let run: BTreeSet<_> = PROGRAMS.iter().map(|(_, name)| (*name).to_owned()).collect();
    assert_eq!(files(&folder().join("expected"), ".txt"), run, "what is recorded, and what is run");
}
