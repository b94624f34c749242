//! Random programs of several clients run on a broker and on real servers, and every byte that comes to every client is
//! compared.
//!
//! [`author`] draws from a seed what clients do: they subscribe, publish, push, wait with timeouts, read streams for
//! groups, watch keys, run transactions, and run [`scripts`] and functions that do all of this, over both versions of the
//! protocol; what they send is cut anywhere, they go at any point, and time passes. [`play`] says what a step is, [`ours`] plays it on a broker whose clock stands still
//! between the steps, [`real`] on a real server, and [`judge`] compares what came with each. [`shrink`] makes of a program
//! that fails a short one, and [`text`] a session file of it, for `minibroker compare`. [`recorded`] plays some hundred
//! programs of which the answers of real servers are kept, so that it needs none.
//!
//! ```sh
//! cargo test --test differential                                 # some hundred programs with each server that is there
//! PROGRAMS=200000 cargo test --release --test differential       # as many as wanted, from seed 0 on
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
