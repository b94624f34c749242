//! Real servers under load, side by side: minibroker, and every redis-server and valkey-server of this machine.
//!
//! ```text
//! cargo bench --bench load                     # everything, some five minutes
//! cargo bench --bench load -- ping fan-out     # the work whose name contains one of these
//! cargo bench --bench load -- --rounds 15      # more rounds, steadier medians
//! cargo bench --bench load -- --smoke          # everything once for a moment: does it run?
//! ```
//!
//! Every server is a process of its own on 127.0.0.1, loaded by the same generator (see [`client`]) in slices of a
//! fraction of a second, in turns, and the median of the rounds is told. The figure to trust is the server's CPU
//! time per request: requests per second depend on what else the machine does. Servers are looked for in `PATH` and
//! in the folder that `MINIBROKER_PEERS` names (`/opt/peers` if it is not set).

mod client;
mod report;
mod server;
mod work;

use std::process::ExitCode;
use std::time::Duration;

use report::Report;
use server::Program;
use work::{Effort, Work};

const ROUNDS: usize = 9;

fn main() -> ExitCode {
    let options = match Options::parse(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(error) => {
            eprintln!("load: {error}");
            return ExitCode::from(2);
        }
    };
    let programs = Program::all();
    let mut report = Report::new(programs.iter().map(|program| program.name.clone()).collect());
    let started: Result<Vec<_>, _> = programs.iter().map(Program::start).collect();
    let servers = match started {
        Ok(servers) => servers,
        Err(error) => {
            eprintln!("load: {error}");
            return ExitCode::FAILURE;
        }
    };
    for work in Work::all().iter().filter(|work| options.wants(&work.name())) {
        eprintln!("{} ...", work.name());
        for round in 0..options.rounds {
            for turn in 0..servers.len() {
                // Whoever comes first in one round comes last in another.
                let at = (turn + round) % servers.len();
                let outcome = work.run(&programs[at], &servers[at], &options.effort);
                report.add(&work.name(), at, outcome);
                servers[at].settle();
            }
        }
    }
    drop(servers);
    print!("{report}");
    if report.failed() { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// What the command line asks for.
struct Options {
    filters: Vec<String>,
    rounds: usize,
    effort: Effort,
}

impl Options {
    fn parse(arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let full = Effort {
            slice: Duration::from_millis(250),
            clients: 50,
            crowd: 1000,
            idle: Duration::from_secs(7),
        };
        let mut options = Self { filters: Vec::new(), rounds: ROUNDS, effort: full };
        // Cargo says so when it measures; `cargo test --benches` only wants to know whether it runs.
        let (mut measure, mut smoke) = (false, false);
        let mut arguments = arguments;
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--bench" => measure = true,
                "--smoke" => smoke = true,
                "--rounds" => {
                    let rounds = arguments.next().and_then(|rounds| rounds.parse().ok());
                    options.rounds = rounds.filter(|rounds| *rounds > 0).ok_or("--rounds takes a number")?;
                }
                flag if flag.starts_with('-') => return Err(format!("unknown option {flag}")),
                filter => options.filters.push(filter.to_lowercase()),
            }
        }
        if smoke || !measure {
            options.rounds = 1;
            options.effort =
                Effort { slice: Duration::from_millis(10), clients: 10, crowd: 100, idle: Duration::ZERO };
        }
        Ok(options)
    }

    fn wants(&self, name: &str) -> bool {
        let name = name.to_lowercase();
        self.filters.is_empty() || self.filters.iter().any(|filter| name.contains(filter))
    }
}
