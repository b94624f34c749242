//! Simulations: everything that happens is determined by a seed.
//!
//! [`network`] has chat servers that use the broker over a network that fails. The other modules use the engine without
//! a network: clients send requests that are interleaved and split anywhere; they wait, subscribe, read late and
//! disconnect at any point, while time passes. [`model`] predicts every byte that each of them receives. [`program`]
//! draws what they do, [`play`] compares, and [`shrink`] makes a program that fails shorter.
//!
//! ```sh
//! cargo test --test simulation                          # a few thousand seeds
//! SEEDS=1000000 cargo test --release simulation         # any number of seeds, from 0 on
//! FROM=5000000 SEEDS=1000000 cargo test --release simulation
//! SEED=123 cargo test --test simulation                 # one again
//! ```

mod model;
mod network;
mod play;
mod program;
#[path = "../random_requests/mod.rs"]
mod random_requests;
mod shrink;

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use play::{Played, play};
use program::Program;
use shrink::shrink;

/// How many seeds are run by default.
const SEEDS: u64 = 5_000;
/// Beyond this many seeds two threads share the work.
const SEEDS_OF_ONE_THREAD: u64 = 10_000;

fn from_environment(name: &str) -> Option<u64> {
    let value = std::env::var(name).ok()?;
    Some(value.parse().unwrap_or_else(|_| panic!("{name}={value} is no number")))
}

/// Runs the program of a seed, and panics with a short one if it fails.
fn check(seed: u64) -> Result<Played, String> {
    let program = Program::draw(seed);
    play(&program).map_err(|failure| {
        let (program, failure) = shrink(&program, failure);
        format!("SEED={seed} fails:\n\n{program}\nAt step {}: {}", failure.step, failure.text)
    })
}

#[test]
fn in_a_simulation_every_client_sees_what_redis_promises() {
    if let Some(seed) = from_environment("SEED") {
        if let Err(failure) = check(seed) {
            panic!("{failure}");
        }
        println!("{}SEED={seed} passes.", Program::draw(seed));
        return;
    }
    let from = from_environment("FROM").unwrap_or(0);
    let until = from + from_environment("SEEDS").unwrap_or(SEEDS);
    let threads = if until - from > SEEDS_OF_ONE_THREAD { 2 } else { 1 };
    let next = AtomicU64::new(from);
    let failed = AtomicU64::new(u64::MAX);
    let began = Instant::now();
    let run = || {
        let mut all = Played::default();
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            // The least seed that fails is reported.
            if seed >= until.min(failed.load(Ordering::Relaxed)) {
                return all;
            }
            match play(&Program::draw(seed)) {
                Ok(played) => {
                    all.requests += played.requests;
                    all.bytes += played.bytes;
                }
                Err(_) => {
                    failed.fetch_min(seed, Ordering::Relaxed);
                }
            }
        }
    };
    let mut all = Played::default();
    std::thread::scope(|scope| {
        let running: Vec<_> = (0..threads).map(|_| scope.spawn(run)).collect();
        for thread in running {
            let played = thread.join().expect("a failure is no panic");
            all.requests += played.requests;
            all.bytes += played.bytes;
        }
    });
    let failed = failed.into_inner();
    if failed < u64::MAX {
        match check(failed) {
            Ok(_) => panic!("SEED={failed} fails only sometimes"),
            Err(failure) => panic!("{failure}"),
        }
    }
    println!(
        "{} seeds in {:.1} s: {} requests, {} bytes of answers and messages",
        until - from,
        began.elapsed().as_secs_f64(),
        all.requests,
        all.bytes
    );
}
