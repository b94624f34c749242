//! Random programs of several clients run on a broker and on real servers, and every byte that every client receives
//! is compared.
//!
//! [`author`] draws from a seed what clients do: they subscribe, publish, push, wait with timeouts, read streams for
//! groups, watch keys, run transactions, and run [`scripts`] and functions that do all of this, in both versions of the
//! protocol; what they send is split anywhere, they disconnect at any point, and time passes. [`play`] plays a program
//! step by step, [`ours`] on a broker whose clock stands still between the steps, [`real`] on a real server, and
//! [`judge`] compares what was received with each step. [`shrink`] makes a program that fails shorter, and [`text`]
//! writes it as a session file for `minibroker compare`. [`recorded`] plays some hundred programs with recorded answers
//! of real servers, so that no server is needed.
//!
//! ```sh
//! cargo test --test differential                                 # some hundred programs with each installed server
//! PROGRAMS=200000 cargo test --release --test differential       # any number of programs, from seed 0 on
//! FROM=5000000 PROGRAMS=200000 SERVER=valkey-9 cargo test --release --test differential
//! RECORD=1 cargo test --test differential recorded              # records anew what real servers answer
//! SEED=123 cargo test --test differential -- --nocapture         # one again
//! ```

#![cfg(unix)]

mod author;
mod finding;
mod judge;
mod listed;
mod ours;
mod play;
mod program;
#[path = "../random_requests/mod.rs"]
mod random_requests;
mod real;
mod recorded;
#[allow(dead_code)] // No program of several clients has markers.
#[path = "../recordings/mod.rs"]
mod recordings;
mod scripts;
mod shrink;
mod text;

#[allow(dead_code)]
#[path = "../comparison/servers.rs"]
mod servers;

#[path = "../skipped/mod.rs"]
mod skipped;

mod run;

use run::{Settings, run};

#[test]
fn a_broker_answers_any_program_of_several_clients_as_real_servers_do() {
    if let Err(report) = run(&Settings::from_environment()) {
        panic!("{report}");
    }
}
