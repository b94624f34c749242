//! Real servers under load, side by side: minibroker, and every redis-server and valkey-server of this machine.
//!
//! ```text
//! cargo bench --bench load                        # everything, some ten minutes
//! cargo bench --bench load -- ping fan-out        # the work whose name contains one of these
//! cargo bench --bench load -- --rounds 15         # more rounds, steadier medians
//! cargo bench --bench load -- --smoke             # a short run of everything, which shows that it runs
//! cargo bench --bench load -- --redis-benchmark   # the programs that come with the servers load them
//! cargo bench --bench load -- --markdown FILE --svg FILE
//! cargo bench --bench load -- --beside /tmp/minibroker-before set   # another build as a further column
//! ```
//!
//! benches/README.md explains the columns.

mod machine;
mod plot;
mod redis_benchmark;
mod report;
#[path = "../servers/mod.rs"]
mod servers;
mod work;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;
use std::{fs, io};

use clap::Parser;
use report::{Column, Report};
use servers::{Program, Server};
use work::{Effort, Work};

/// Loads minibroker and the real servers of this machine in turns, and reports the cost.
// Each is a flag of its own.
#[allow(clippy::struct_excessive_bools)]
#[derive(Parser)]
#[command(name = "load")]
struct Options {
    /// The workloads to run, by parts of their names; all by default
    filters: Vec<String>,
    /// How many times each server runs each workload; the median counts
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// How long a server is loaded before it is the turn of the next
    #[arg(long, value_name = "MILLISECONDS", default_value_t = 150)]
    slice: u64,
    /// Run everything briefly, to see that it works
    #[arg(long)]
    smoke: bool,
    /// List the workloads and run none
    #[arg(long)]
    list: bool,
    /// Load the servers with redis-benchmark and valkey-benchmark instead, with all of their default tests
    #[arg(long)]
    redis_benchmark: bool,
    /// How many requests of each test redis-benchmark sends
    #[arg(long, default_value_t = 100_000)]
    requests: usize,
    /// Another build of minibroker, as a further column, to compare before and after a change in one run
    #[arg(long, value_name = "PROGRAM")]
    beside: Vec<PathBuf>,
    /// Write the tables to this file as well
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,
    /// Write a plot to this file
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// What `cargo bench` passes; without it (`cargo test --benches`) the run is short
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> ExitCode {
    // Before anything else: only this program starts the loop.
    let mut arguments = std::env::args().skip(1);
    let outcome = if arguments.next().is_some_and(|first| first == servers::FLAG) {
        let port = arguments.next().and_then(|port| port.parse().ok());
        port.map_or(Err(io::ErrorKind::InvalidInput.into()), servers::serve).map(|()| true)
    } else {
        run(&Options::parse())
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("load: {error}");
            ExitCode::FAILURE
        }
    }
}

/// False if some work failed.
fn run(options: &Options) -> io::Result<bool> {
    let works = Work::all().into_iter().filter(|work| options.selects(work));
    if options.list {
        works.for_each(|work| println!("{}", work.name()));
        return Ok(true);
    }
    servers::allow_files();
    let mut programs = Program::all();
    programs.extend(options.beside.iter().map(|path| Program::beside(path)));
    programs.push(Program::bare()?);
    let columns = programs.iter().map(|program| Column { name: program.name.clone(), kind: program.kind });
    let mut report = Report::new(columns.collect());
    let started = programs.iter().map(Program::start).collect::<Result<Vec<_>, _>>();
    let servers = started.map_err(io::Error::other)?;
    if options.redis_benchmark {
        let (requests, rounds) =
            if options.is_short() { (1000, 1) } else { (options.requests, options.rounds()) };
        redis_benchmark::run(&servers, requests, rounds, &mut report);
    } else {
        let effort = options.effort();
        works.for_each(|work| load(work, &programs, &servers, options.rounds(), &effort, &mut report));
    }
    drop(servers);
    print!("{report}");
    if let Some(file) = &options.markdown {
        let how = format!("Measured {}; {} rounds.", machine::description(), options.rounds());
        fs::write(file, format!("{how}\n\n{report}"))?;
    }
    if let Some(file) = &options.svg {
        fs::write(file, plot::svg(&report))?;
    }
    Ok(!report.failed())
}

/// One kind of work, for all servers in turns.
fn load(
    work: Work,
    programs: &[Program],
    servers: &[Server],
    rounds: usize,
    effort: &Effort,
    report: &mut Report,
) {
    eprintln!("{} ...", work.name());
    for round in 0..rounds.min(work.rounds_max()) {
        for turn in 0..servers.len() {
            // The server that is first in one round is last in another.
            let at = (turn + round) % servers.len();
            if !work.is_for(servers[at].kind) {
                continue;
            }
            match work.run(&programs[at], &servers[at], effort) {
                Ok(figures) => report.add(&work.name(), work.family(), &work.aims(), at, figures),
                Err(error) => {
                    report.fail(format!("{} failed in {}: {error}", programs[at].name, work.name()));
                }
            }
            servers[at].settle();
        }
    }
}

impl Options {
    fn is_short(&self) -> bool {
        self.smoke || !self.bench
    }

    fn rounds(&self) -> usize {
        if self.is_short() { 1 } else { usize::try_from(self.rounds).unwrap_or(usize::MAX) }
    }

    fn effort(&self) -> Effort {
        if self.is_short() {
            let slice = Duration::from_millis(10);
            return Effort { slice, clients: 10, crowd: 100, items: 10_000, idle: Duration::ZERO };
        }
        Effort {
            slice: Duration::from_millis(self.slice),
            clients: 50,
            crowd: 1000,
            items: 1_000_000,
            idle: Duration::from_secs(7),
        }
    }

    fn selects(&self, work: &Work) -> bool {
        let name = work.name().to_lowercase();
        let mut filters = self.filters.iter();
        self.filters.is_empty() || filters.any(|filter| name.contains(&filter.to_lowercase()))
    }
}
