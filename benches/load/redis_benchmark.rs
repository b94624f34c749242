//! redis-benchmark and valkey-benchmark with all their default tests, on every server.
//!
//! Without a pipeline they use more time for a request than the servers, so their figures are similar for all
//! servers. The point is that every test completes.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::report::{Figure, Report};
use crate::servers::{Kind, Program, Server};

const PIPELINES: [usize; 3] = [1, 16, 64];
const AIM_OF_PIPELINE_64: (Figure, f64) = (Figure::PerSecond, 1.4);

/// Runs every program on this machine, `requests` of each test, in a number of rounds.
pub fn run(servers: &[Server], requests: usize, rounds: usize, report: &mut Report) {
    for (name, path) in Program::redis_benchmarks() {
        for pipeline in PIPELINES {
            eprintln!("{name}, pipeline {pipeline} ...");
            let mut done: Vec<BTreeSet<String>> = vec![BTreeSet::new(); servers.len()];
            for round in 0..rounds {
                for turn in 0..servers.len() {
                    let at = (turn + round) % servers.len();
                    if servers[at].kind == Kind::Bare {
                        continue;
                    }
                    let title = report.columns()[at].name.clone();
                    match bench(&path, &servers[at], requests, pipeline) {
                        Ok(outcome) => {
                            done[at].extend(add(report, &name, pipeline, at, requests, &outcome));
                            if let Some(error) = outcome.error {
                                report.note(format!("{name} on {title}: {error}"));
                            }
                        }
                        Err(error) => report.fail(format!("{name} on {title}: {error}")),
                    }
                }
            }
            // A test that runs on every real server of Redis has to run on ours; some tests are Valkey's own.
            let real = || done.iter().zip(servers).filter(|(_, server)| server.kind == Kind::Real);
            let common = real().map(|(tests, _)| tests.clone()).reduce(|one, other| &one & &other);
            let missing: Vec<_> = common.unwrap_or_default().difference(&done[0]).cloned().collect();
            if !missing.is_empty() {
                report.fail(format!("{name} on minibroker does not run {}", missing.join(", ")));
            }
        }
    }
}

struct Bench {
    tests: Vec<Test>,
    cpu_micros: Option<f64>,
    error: Option<String>,
}

struct Test {
    name: String,
    figures: Vec<(Figure, f64)>,
}

/// Adds the figures to the report; returns the names of the tests.
fn add(
    report: &mut Report,
    name: &str,
    pipeline: usize,
    server: usize,
    requests: usize,
    bench: &Bench,
) -> Vec<String> {
    let work = |test: &str| {
        let pipeline = if pipeline == 1 { "no pipeline".into() } else { format!("pipeline {pipeline}") };
        format!("{name}, {test}, {pipeline}")
    };
    let aims: &[_] = if pipeline == 64 { &[AIM_OF_PIPELINE_64] } else { &[] };
    for Test { name, figures } in &bench.tests {
        report.add(&work(name), None, aims, server, figures.clone());
    }
    #[allow(clippy::cast_precision_loss)]
    let each = |micros: f64| micros / (requests * bench.tests.len()) as f64;
    let figures = bench.cpu_micros.map(|micros| vec![(Figure::CpuMicros, each(micros))]);
    report.add(&work("all"), None, &[], server, figures.unwrap_or_default());
    bench.tests.iter().map(|test| test.name.clone()).collect()
}

fn bench(path: &Path, server: &Server, requests: usize, pipeline: usize) -> io::Result<Bench> {
    server.settle();
    let before = server.cpu();
    let output = Command::new(path)
        .args(["-h", "127.0.0.1", "-p", &server.address.port().to_string()])
        .args(["-q", "--csv", "-n", &requests.to_string(), "-P", &pipeline.to_string()])
        .stdin(Stdio::null())
        .output()?;
    server.settle();
    let used = server.cpu().zip(before).map(|(after, before)| after.saturating_sub(before));
    let printed = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    let error = printed.lines().find(|line| line.contains("rror")).map(|line| {
        // Some errors repeat the whole request.
        line.chars().take(120).collect()
    });
    let tests: Vec<_> = printed.lines().filter_map(test).collect();
    if tests.is_empty() {
        return Err(io::Error::other(error.unwrap_or_else(|| format!("it ended with {}", output.status))));
    }
    Ok(Bench { tests, cpu_micros: used.map(|used| used.as_secs_f64() * 1e6), error })
}

/// `"GET","52631.58","0.55",...`: the name, requests a second, and times in milliseconds: average, least, p50, p95,
/// p99, most. The first line is the head.
fn test(line: &str) -> Option<Test> {
    let mut cells = line.trim().strip_prefix('"')?.strip_suffix('"')?.split("\",\"");
    let name = cells.next()?.to_owned();
    let numbers: Vec<f64> = cells.map_while(|cell| cell.parse().ok()).collect();
    let [per_second, _, _, _, _, p99, ..] = numbers[..] else { return None };
    let figures = vec![(Figure::PerSecond, per_second), (Figure::P99, p99 * 1e3)];
    Some(Test { name, figures })
}
