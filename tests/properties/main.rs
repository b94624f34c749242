//! Properties of every input, tested with random inputs and compared with independent crates. The fuzzer runs
//! the same checks, see `fuzz/`.

#[path = "../../fuzz/src/lib.rs"]
mod drivers;

mod files;
mod matching;
mod replies;
mod requests;
mod seeds;
mod users;
mod values;

use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

/// Runs a property with this many inputs, the same ones every time.
fn for_all<S: proptest::strategy::Strategy>(cases: u32, inputs: S, property: impl Fn(S::Value)) {
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let random = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let outcome = TestRunner::new_with_rng(config, random).run(&inputs, |input| {
        property(input);
        Ok(())
    });
    if let Err(error) = outcome {
        panic!("{error}");
    }
}
