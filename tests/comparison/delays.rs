//! The answers to the cases do not depend on how fast the machine is. A busy machine may hold up a test anywhere, so
//! this plays every scenario twice for each of its steps, with a long wait before that step, and between what it sends and
//! the reading of the answers.
//!
//! It takes some minutes, most of them waiting, and is therefore run on request:
//!
//! ```text
//! cargo test --test comparison delays -- --ignored
//! ```
//!
//! `DELAY=ms` sets how long the wait is, `COMPARISON_ONLY=words` selects scenarios.

use std::env;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use minibroker::internal::conform::{
    differences, markers,
    recorded::{self, Family},
    run::Delay,
    script::{Protocol, Scenario},
    wire,
};

use crate::{connect, servers};

/// How long the wait is, in milliseconds.
const DELAY: u64 = 3000;
/// How many scenarios are played at the same time. They wait most of the time.
const THREADS: usize = 128;
/// The recorded server that minibroker is compared with.
const REFERENCE: &str = "redis-8.0";

#[test]
#[ignore = "takes minutes; see delays.rs"]
fn no_answer_depends_on_the_speed_of_the_machine() -> Result<(), String> {
    let delay = env::var("DELAY").ok().and_then(|delay| delay.parse().ok()).unwrap_or(DELAY);
    let only = env::var("COMPARISON_ONLY").unwrap_or_default();
    let families = recorded::families(None)?;
    let scenarios = families.iter().flat_map(|family| {
        family
            .scenarios
            .iter()
            .filter(|scenario| scenario.title.contains(&only))
            .map(move |one| (family, one))
    });
    let time = Duration::from_millis(delay);
    let delays = |steps: usize| {
        (0..steps).flat_map(move |step| [false, true].map(|within| Delay { step, within, time }))
    };
    let plays: Vec<(&Family, &Scenario, Delay)> = scenarios
        .flat_map(|(family, scenario)| delays(scenario.steps.len()).map(move |at| (family, scenario, at)))
        .collect();
    let (next, found) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                while let Some((family, scenario, delay)) = plays.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if let Err(difference) = play(family, scenario, *delay) {
                        found.lock().expect("no thread panics").push(difference);
                    }
                }
            });
        }
    });
    let mut found = found.into_inner().expect("no thread panics");
    found.sort();
    assert!(found.is_empty(), "{} of {} plays differ\n{}", found.len(), plays.len(), found.join("\n"));
    Ok(())
}

/// Plays a scenario with this wait.
fn play(family: &Family, scenario: &Scenario, delay: Delay) -> Result<(), String> {
    let Some(&protocol) =
        scenario.protocols.iter().find(|one| **one == Protocol::Resp3).or(scenario.protocols.first())
    else {
        return Ok(());
    };
    let broker = servers::minibroker(servers::version_of(REFERENCE))?;
    let mut runner = connect(&broker)?;
    runner.delay = Some(delay);
    let index = family.answers.references.iter().position(|reference| reference.name == REFERENCE);
    let recorded = index.and_then(|index| family.answers.outcomes(scenario, index, protocol));
    let recorded = recorded.ok_or_else(|| format!("{}: {} is not recorded", family.name, scenario.title))?;
    let hint: Vec<_> = recorded.iter().map(|outcome| (*outcome).clone()).collect();
    let head =
        |line: usize, text: &str| format!("{}:{line} \"{}\", {delay:?}: {text}", family.name, scenario.title);
    let outcomes = runner.run(scenario, protocol, Some(&hint)).map_err(|error| head(0, &error))?;
    for ((step, recorded), outcome) in scenario.steps.iter().zip(recorded).zip(&outcomes) {
        let is_known =
            differences::known(&family.rows, REFERENCE, &scenario.title, step, (recorded, outcome))?;
        if !is_known && !step.markers.same(recorded, outcome) {
            let lines = wire::diff(&markers::show(recorded), &markers::show(outcome));
            return Err(head(step.line, &format!("{}\n    {}", step.text, lines.join("\n    "))));
        }
    }
    Ok(())
}
