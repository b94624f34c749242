//! Many programs on each real server.

use std::env;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use minibroker::Broker;
use parking_lot::Mutex;

use crate::judge::{Difference, Verdict, compare};
use crate::ours::Ours;
use crate::play::{Stop, Transcript};
use crate::program::{Program, name};
use crate::real::Real;
use crate::servers;
use crate::shrink::shrink;
use crate::skipped;
use crate::text::session;

/// How many programs are run on each server by default.
const PROGRAMS: u64 = 300;
/// How many milliseconds a slot of time has at first, and at most, if this machine is slow.
const UNIT: u64 = 10;
const UNIT_MAX: u64 = 320;
/// A difference that occurs only with shorter slots is caused by the timers of the machine.
const UNIT_TO_BE_SURE: u64 = 80;
/// How often a program that has failed is played again.
const REPLAYS: usize = 5;
/// After how many programs the progress is printed.
const PROGRESS: u64 = 10_000;
/// How many programs run at once with each server: those with time in them wait most of the time.
const WORKERS: u64 = 4;

/// The line before the session of a program that fails.
pub const AS_A_SESSION: &str = "\nAs a session, for `minibroker compare FILE --with redis://HOST:PORT`:\n\n";

/// What is run, and how.
pub struct Settings {
    pub from: u64,
    pub programs: u64,
    pub workers: u64,
    /// The prefix of the names of servers.
    pub server: String,
    /// The run ends after this many programs have failed.
    pub failures: usize,
    /// A single program is shown.
    pub shows: bool,
    /// Prepares every broker before it is used.
    pub prepare: fn(&Broker),
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            from: 0,
            programs: PROGRAMS,
            workers: WORKERS,
            server: String::new(),
            failures: 1,
            shows: false,
            prepare: |_| {},
        }
    }
}

fn number(name: &str) -> Option<u64> {
    let value = env::var(name).ok()?;
    Some(value.parse().unwrap_or_else(|_| panic!("{name}={value} is no number")))
}

impl Settings {
    pub fn from_environment() -> Self {
        let seed = number("SEED");
        Self {
            from: seed.or_else(|| number("FROM")).unwrap_or(0),
            programs: if seed.is_some() { 1 } else { number("PROGRAMS").unwrap_or(PROGRAMS) },
            workers: number("WORKERS").unwrap_or(WORKERS).max(1),
            server: env::var("SERVER").unwrap_or_default(),
            failures: number("FAILURES").map_or(1, |most| usize::try_from(most).unwrap_or(usize::MAX)),
            shows: seed.is_some(),
            ..Self::default()
        }
    }
}

/// The number of programs by result.
#[derive(Clone, Copy, Debug, Default)]
struct Count {
    programs: u64,
    requests: u64,
    bytes: u64,
    timed: u64,
    /// How often a program was played again because the machine was too slow for its timing.
    late: u64,
    /// Programs that were given up for this reason, and those in which two things are due at once.
    void: u64,
    ambiguous: u64,
    /// Programs that differed with short slots only, or that have ids made from the clock and did not differ again.
    jitter: u64,
    /// Programs that were compared up to a listed difference only.
    listed: u64,
    /// Programs with which the real server has crashed.
    crashes: u64,
}

impl Count {
    fn add(&mut self, other: Self) {
        self.programs += other.programs;
        self.requests += other.requests;
        self.bytes += other.bytes;
        self.timed += other.timed;
        self.late += other.late;
        self.void += other.void;
        self.ambiguous += other.ambiguous;
        self.jitter += other.jitter;
        self.listed += other.listed;
        self.crashes += other.crashes;
    }
}

/// A program that was played on a broker and a real server.
struct Played {
    unit: u64,
    ours: Transcript,
    difference: Option<Difference>,
}

/// A broker and a real server.
pub struct Pair {
    path: PathBuf,
    pub ours: Ours,
    pub real: Real,
    count: Count,
}

impl Pair {
    pub fn start(program: &Path, prepare: fn(&Broker)) -> Result<Self, String> {
        let real = Real::start(program)?;
        let ours = Ours::new(real.version(), prepare).map_err(|error| error.to_string())?;
        Ok(Self { path: program.to_owned(), ours, real, count: Count::default() })
    }

    /// Plays a program on both, with slots of this many milliseconds or more.
    fn play(&mut self, program: &Program, unit: u64) -> Result<Played, Stop> {
        let ours = self.ours.play(program, unit)?;
        match self.real.play(program, unit) {
            Ok(real) => {
                let difference = match compare(program, self.real.name(), &real, &ours) {
                    Verdict::Same => None,
                    Verdict::SameUntilListed => {
                        self.count.listed += 1;
                        None
                    }
                    Verdict::Different(difference) => Some(difference),
                };
                Ok(Played { unit, ours, difference })
            }
            Err(Stop::Late) if unit * 2 <= UNIT_MAX => {
                self.count.late += 1;
                self.play(program, unit * 2)
            }
            Err(stop) => Err(stop),
        }
    }

    /// Plays a program, and if there is a difference makes sure that it does not depend on timing.
    fn judge(&mut self, program: &Program) -> Result<Option<Played>, String> {
        let mut unit = UNIT;
        loop {
            match self.play(program, unit) {
                Ok(played) => {
                    if unit == UNIT {
                        self.count.requests += program.requests().count() as u64;
                        let received = played.ours.iter().flat_map(|outcome| &outcome.received);
                        self.count.bytes += received.map(|received| received.bytes.len() as u64).sum::<u64>();
                    }
                    if played.difference.is_none() {
                        self.count.jitter += u64::from(unit > UNIT);
                        return Ok(None);
                    }
                    if !program.is_timed() || played.unit >= UNIT_TO_BE_SURE {
                        return Ok(Some(played));
                    }
                    unit = UNIT_TO_BE_SURE;
                }
                Err(Stop::Late) => {
                    self.count.void += 1;
                    return Ok(None);
                }
                Err(Stop::Ambiguous) => {
                    self.count.ambiguous += 1;
                    return Ok(None);
                }
                Err(Stop::Crashed) => {
                    self.count.crashes += 1;
                    self.real = Real::start(&self.path)?;
                    return Ok(None);
                }
                Err(Stop::Broken(why)) => return Err(why),
            }
        }
    }

    /// Plays a program that has failed some times more, until it fails again.
    fn judge_again(&mut self, program: &Program) -> Result<Option<Played>, String> {
        for _ in 0..REPLAYS {
            if let Some(played) = self.judge(program)? {
                return Ok(Some(played));
            }
        }
        Ok(None)
    }

    /// A short program with the same kind of difference.
    fn shortened(&mut self, program: Program, played: Played) -> (Program, Played) {
        // A shorter program may differ in another way.
        let unit = played.unit;
        shrink(program, played, |program| {
            self.play(program, unit).ok().filter(|played| played.difference.is_some())
        })
    }
}

/// The report of a program that fails.
fn report(seed: u64, real: &Real, program: &Program, played: &Played) -> String {
    let mut text = format!("SEED={seed} SERVER={} fails:\n\n{program}\n", real.name());
    if let Some(difference) = &played.difference {
        let _ = writeln!(
            text,
            "With step {} {} gets (- {}, + minibroker):",
            difference.step,
            name(difference.client),
            real.name()
        );
        for line in &difference.diff {
            let _ = writeln!(text, "    {line}");
        }
    }
    let _ = write!(text, "{AS_A_SESSION}{}", session(program, played.unit, &played.ours));
    text
}

/// Runs programs with all installed servers, and reports those that fail.
pub fn run(settings: &Settings) -> Result<(), String> {
    let mut failed = String::new();
    let mut servers = 0;
    for program in servers::programs() {
        let probe = Pair::start(&program, settings.prepare)?;
        if !probe.real.name().starts_with(&settings.server) {
            continue;
        }
        servers += 1;
        drop(probe);
        if let Err(report) = run_with(&program, settings) {
            let _ = writeln!(failed, "{report}");
        }
    }
    if servers == 0 && !settings.server.is_empty() {
        return Err(format!("SERVER={}: there is no such server", settings.server));
    }
    if servers == 0 {
        skipped::missing("redis-server");
    }
    if failed.is_empty() { Ok(()) } else { Err(failed) }
}

/// Runs programs with one server.
pub fn run_with(server: &Path, settings: &Settings) -> Result<(), String> {
    let next = AtomicU64::new(settings.from);
    let failed: Mutex<Vec<(u64, Program, Played)>> = Mutex::default();
    let until = settings.from + settings.programs;
    let began = Instant::now();
    let work = || -> Result<(Count, String), String> {
        let mut pair = Pair::start(server, settings.prepare)?;
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= until || failed.lock().len() >= settings.failures {
                return Ok((pair.count, pair.real.name().to_owned()));
            }
            if seed > settings.from && (seed - settings.from).is_multiple_of(PROGRESS) {
                println!("{}: {} programs", pair.real.name(), seed - settings.from);
            }
            let program = Program::draw(seed);
            if settings.shows {
                println!("{program}");
                if let Ok(received) = pair.ours.play(&program, UNIT) {
                    println!("{AS_A_SESSION}{}", session(&program, UNIT, &received));
                }
            }
            let crashes = pair.count.crashes;
            let found = pair.judge(&program).map_err(|why| format!("SEED={seed}: {why}"))?;
            if pair.count.crashes > crashes {
                println!("{}: SEED={seed} makes the real server crash", pair.real.name());
            }
            pair.count.programs += 1;
            pair.count.timed += u64::from(program.is_timed());
            if let Some(played) = found {
                // A new millisecond may begin within a step, or not.
                if program.has_made_ids() && pair.judge_again(&program)?.is_none() {
                    pair.count.jitter += 1;
                    println!("{}: SEED={seed} differs once and not again", pair.real.name());
                    continue;
                }
                println!("{}: SEED={seed} fails", pair.real.name());
                failed.lock().push((seed, program, played));
            }
        }
    };
    let mut count = Count::default();
    let mut server_name = String::new();
    std::thread::scope(|scope| -> Result<(), String> {
        let workers = settings.workers.min(settings.programs);
        let running: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        for thread in running {
            let (counted, name) = thread.join().map_err(|_| "a worker has panicked")??;
            count.add(counted);
            server_name = name;
        }
        Ok(())
    })?;
    println!(
        "{server_name}: {} programs in {:.1} s, {} of them with time; {} requests, {} bytes of answers and messages; \
         played again because this machine was slow: {}, given up for that: {}, two things due at once: {}, \
         other by a matter of milliseconds: {}, compared up to a listed difference: {}, the server has crashed: {}",
        count.programs,
        began.elapsed().as_secs_f64(),
        count.timed,
        count.requests,
        count.bytes,
        count.late,
        count.void,
        count.ambiguous,
        count.jitter,
        count.listed,
        count.crashes,
    );
    let not_compared = count.void + count.ambiguous + count.crashes;
    if not_compared > count.programs / 2 {
        return Err(format!("{server_name}: {not_compared} programs were not compared"));
    }
    let mut report_text = String::new();
    let mut pair = Pair::start(server, settings.prepare)?;
    let mut failed = failed.into_inner();
    failed.sort_by_key(|(seed, ..)| *seed);
    for (seed, program, played) in failed.into_iter().take(settings.failures) {
        let again = pair.judge_again(&program)?;
        if again.is_none() {
            let _ = writeln!(report_text, "Only sometimes:");
        }
        let (program, played) = match again {
            Some(again) => pair.shortened(program, again),
            None => (program, played),
        };
        let _ = writeln!(report_text, "{}", report(seed, &pair.real, &program, &played));
    }
    if report_text.is_empty() { Ok(()) } else { Err(report_text) }
}
