//! `minibroker conform`: plays the cases on any server and counts the answers that agree with those of real
//! servers.

use std::fmt::Write as _;
use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use super::answers::Reference;
use super::control::Control;
use super::markers;
use super::outcome::Outcome;
use super::recorded::{self, Family};
use super::run::Runner;
use super::script::{Action, Protocol, Scenario};
use super::{differences, wire};
use crate::remote::{RemoteError, Target};
use crate::session::ServerError;

/// The recorded server that a server of another version is compared with.
const DEFAULT: &str = "redis-8.2";

/// What is played and printed.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Whether all data on the server may be removed.
    pub flush: bool,
    /// Only this family.
    pub family: Option<String>,
    /// Only scenarios with this text in their titles.
    pub only: Option<String>,
    /// Whether to print the differences, too.
    pub differences: Option<Like>,
}

/// The server from which the differences are printed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Like {
    /// The one with the most equal answers.
    Nearest,
    /// The one of this name, as `redis-8.0`.
    Named(String),
}

/// An answer that differs from that of at least one recorded server.
struct Difference {
    family: &'static str,
    title: String,
    line: usize,
    step: String,
    protocol: Protocol,
    /// For each recorded server whose answer differs: its answer and the received one, without what may
    /// differ.
    from: Vec<Option<(Outcome, Outcome)>>,
}

/// The number of answers, and how many agreed with those of each recorded server.
#[derive(Clone, Debug, Default)]
struct Count {
    answers: usize,
    same: Vec<usize>,
}

impl Count {
    fn of(servers: usize) -> Self {
        Self { answers: 0, same: vec![0; servers] }
    }

    fn add(&mut self, other: &Self) {
        self.answers += other.answers;
        for (same, more) in self.same.iter_mut().zip(&other.same) {
            *same += more;
        }
    }

    fn line(&self, name: &str) -> String {
        let mut line = format!("{name:<22}{:>8}", self.answers);
        for same in &self.same {
            // Rounded down, so that 100 % means all.
            let thousandths = (same * 1000).checked_div(self.answers).unwrap_or(0);
            let percent = format!("{}.{} %", thousandths / 10, thousandths % 10);
            let _ = write!(line, "{same:>8}{percent:>8}");
        }
        line
    }
}

/// Plays the cases on a server and prints the results. This blocks.
///
/// # Errors
///
/// One line on why they cannot be played to the end.
pub fn conform(
    target: &Target,
    options: &Options,
    out: &mut impl Write,
    is_ended: &AtomicBool,
) -> Result<(), String> {
    let families = chosen(options)?;
    if target.database.is_some_and(|database| database != 0) {
        return Err(format!("{target}: the cases use all databases, so that the URL can name none"));
    }
    let references = families.first().map(|family| family.answers.references.clone()).unwrap_or_default();
    if let Some(Like::Named(name)) = &options.differences
        && !references.iter().any(|reference| reference.name == *name)
    {
        let names: Vec<&str> = references.iter().map(|reference| reference.name.as_str()).collect();
        return Err(format!("no server {name:?} is recorded: there are {}", names.join(", ")));
    }
    let mut control = connect(target).map_err(|error| target_error(target, error))?;
    let asked = |error: io::Error| format!("{target} does not answer: {error}");
    if !options.flush {
        may_be_flushed(target, &mut control).map_err(asked)??;
    }
    let server = crate::session::server_name(&control.info("server").map_err(asked)?);
    let mut runner = Runner::new(target.to_string(), control).map_err(asked)?;
    let refused = runner.refuses_resp3().map_err(asked)?;
    let is_own = |reference: &Reference| reference.to_string() == server;
    let is_default = |reference: &Reference| reference.name == DEFAULT;
    let own = references.iter().position(is_own).or(references.iter().position(is_default)).unwrap_or(0);
    let mut player = Player {
        target,
        options,
        has_resp3: refused.is_none(),
        own,
        runner,
        left_out: 0,
        differences: Vec::new(),
        is_ended,
    };
    let written = |error: io::Error| format!("cannot write the result: {error}");
    writeln!(out, "# {target} ({server}): how many answers are as those of real servers").map_err(written)?;
    if let Some(error) = refused {
        writeln!(out, "# RESP3 is left out: the server refuses HELLO 3: {error}").map_err(written)?;
    }
    let mut head = format!("{:<22}{:>8}", "family", "answers");
    for reference in &references {
        let _ = write!(head, "{:>16}", reference.to_string());
    }
    writeln!(out, "{head}").map_err(written)?;
    let mut total = Count::of(references.len());
    for family in &families {
        let count = player.family(family)?;
        if count.answers > 0 {
            writeln!(out, "{}", count.line(family.name)).map_err(written)?;
            // Flushed so that each family is shown when it is done.
            out.flush().map_err(written)?;
        }
        total.add(&count);
    }
    writeln!(out, "{}", total.line("total")).map_err(written)?;
    if player.left_out > 0 {
        let scenarios = if player.left_out == 1 {
            "1 scenario is"
        } else {
            &format!("{} scenarios are", player.left_out)
        };
        writeln!(out, "# {scenarios} left out: they change the password, and the URL has one")
            .map_err(written)?;
    }
    if let Some(like) = &options.differences {
        let named = |name: &String| references.iter().position(|reference| reference.name == *name);
        let most = total.same.iter().max();
        let is_nearest = |at: &usize| total.same.get(*at) == most;
        let nearest = [own].into_iter().chain(0..references.len()).find(is_nearest);
        let at = match like {
            Like::Named(name) => named(name),
            Like::Nearest => nearest,
        };
        if let Some((at, reference)) = at.and_then(|at| Some((at, references.get(at)?))) {
            print(&player.differences, at, reference, out).map_err(written)?;
        }
    }
    out.flush().map_err(written)
}

/// The families and scenarios that the options name.
fn chosen(options: &Options) -> Result<Vec<Family>, String> {
    let mut families = recorded::families(options.family.as_deref())?;
    if let (true, Some(family)) = (families.is_empty(), &options.family) {
        let names: Vec<&str> = recorded::names().collect();
        return Err(format!("there is no family {family:?}, but {}", names.join(", ")));
    }
    if let Some(only) = &options.only {
        for family in &mut families {
            family.scenarios.retain(|scenario| scenario.title.contains(only));
        }
        if families.iter().all(|family| family.scenarios.is_empty()) {
            return Err(format!("no scenario has {only:?} in its title"));
        }
    }
    Ok(families)
}

/// Connects, and checks that the server speaks the protocol and accepts the login.
fn connect(target: &Target) -> Result<Control, RemoteError> {
    let mut control = Control::dial(target)?;
    control.ping()?;
    Ok(control)
}

fn target_error(target: &Target, error: RemoteError) -> String {
    let server = target.to_string();
    let error = match error {
        RemoteError::Refused(text) => ServerError::Refused { server, text },
        RemoteError::Closed => ServerError::Gone { server },
        source => ServerError::Unreachable { server, source },
    };
    error.to_string()
}

/// Whether flushing the server is safe; if not, the message to show.
fn may_be_flushed(target: &Target, control: &mut Control) -> io::Result<Result<(), String>> {
    let why = match control.keys()? {
        Some(0) => return Ok(Ok(())),
        Some(1) => "it has 1 key".to_owned(),
        Some(keys) => format!("it has {keys} keys"),
        None => "it does not say whether it has keys".to_owned(),
    };
    Ok(Err(format!("{target} would be flushed and its settings changed, and {why}: --flush allows it")))
}

struct Player<'a> {
    target: &'a Target,
    options: &'a Options,
    has_resp3: bool,
    /// The recorded server of the same version: its answers determine how many replies to wait for.
    own: usize,
    runner: Runner,
    /// How many scenarios could not be played.
    left_out: usize,
    differences: Vec<Difference>,
    is_ended: &'a AtomicBool,
}

impl Player<'_> {
    fn family(&mut self, family: &Family) -> Result<Count, String> {
        let mut count = Count::of(family.answers.references.len());
        for scenario in &family.scenarios {
            // New connections log in with the password of the URL.
            if self.target.password.is_some() && changes_password(scenario) {
                self.left_out += 1;
                continue;
            }
            for &protocol in &scenario.protocols {
                if self.has_resp3 || protocol == Protocol::Resp2 {
                    count.add(&self.scenario(family, scenario, protocol)?);
                }
            }
        }
        Ok(count)
    }

    fn scenario(
        &mut self,
        family: &Family,
        scenario: &Scenario,
        protocol: Protocol,
    ) -> Result<Count, String> {
        if self.is_ended.load(Ordering::Relaxed) {
            return Err("interrupted".into());
        }
        let servers = 0..family.answers.references.len();
        let recorded: Vec<Vec<&Outcome>> = servers
            .map(|server| family.answers.outcomes(scenario, server, protocol).unwrap_or_default())
            .collect();
        let hint: Vec<Outcome> =
            recorded.get(self.own).into_iter().flatten().map(|outcome| (*outcome).clone()).collect();
        let outcomes = match self.runner.run(scenario, protocol, Some(&hint)) {
            Ok(outcomes) => outcomes,
            Err(error) => {
                self.runner.recover().map_err(|gone| {
                    format!(
                        "{} has gone away, in {}: \"{}\": {gone}",
                        self.target, family.name, scenario.title
                    )
                })?;
                let note = Some(error);
                vec![Outcome { note, ..Outcome::default() }; scenario.steps.len()]
            }
        };
        let mut count = Count::of(recorded.len());
        for (index, (step, came)) in scenario.steps.iter().zip(outcomes).enumerate() {
            count.answers += 1;
            let mut others = Vec::new();
            for (server, reference) in family.answers.references.iter().enumerate() {
                let recorded = recorded.get(server).and_then(|outcomes| outcomes.get(index)).copied();
                let allowed = differences::allowed(&family.rows, &reference.name, &scenario.title, step)?;
                let is_same = recorded.is_some_and(|recorded| allowed.same(recorded, &came));
                if let Some(same) = count.same.get_mut(server).filter(|_| is_same) {
                    *same += 1;
                }
                let shown = || (recorded.cloned().unwrap_or_default(), allowed.canonical(&came));
                others.push((!is_same).then(shown));
            }
            if self.options.differences.is_some() && others.iter().any(Option::is_some) {
                self.differences.push(Difference {
                    family: family.name,
                    title: scenario.title.clone(),
                    line: step.line,
                    step: step.text.clone(),
                    protocol,
                    from: others,
                });
            }
        }
        Ok(count)
    }
}

fn changes_password(scenario: &Scenario) -> bool {
    let is = |argument: &Vec<u8>, word: &str| argument.eq_ignore_ascii_case(word.as_bytes());
    scenario.steps.iter().any(|step| {
        let Action::Send { requests, .. } = &step.action else { return false };
        requests.iter().any(|request| {
            request.get(1).is_some_and(|word| is(word, "SET"))
                && request.iter().any(|word| is(word, "requirepass"))
        })
    })
}

/// Prints the differences from one recorded server. What differs in both versions of the protocol is printed
/// once.
fn print(
    differences: &[Difference],
    at: usize,
    reference: &Reference,
    out: &mut impl Write,
) -> io::Result<()> {
    let mut shown: Vec<(&Difference, Vec<String>, Vec<&str>)> = Vec::new();
    for difference in differences {
        let Some((recorded, came)) = difference.from.get(at).and_then(Option::as_ref) else { continue };
        let lines = wire::diff(&markers::show(recorded), &markers::show(came));
        let scenario = shown
            .iter_mut()
            .rev()
            .take_while(|(other, ..)| other.family == difference.family && other.title == difference.title);
        let mut same = scenario.filter(|(other, known, _)| other.line == difference.line && *known == lines);
        match same.next() {
            Some((_, _, protocols)) => protocols.push(difference.protocol.name()),
            None => shown.push((difference, lines, vec![difference.protocol.name()])),
        }
    }
    if shown.is_empty() {
        return writeln!(out, "\n# no difference from {reference}");
    }
    writeln!(out, "\n# differences from {reference} (- as recorded, + as this server answers)")?;
    for (difference, lines, protocols) in shown {
        let Difference { family, title, step, .. } = difference;
        writeln!(out, "\n{family}: \"{title}\" ({})\n  {step}", protocols.join(", "))?;
        for line in lines {
            writeln!(out, "  {line}")?;
        }
    }
    Ok(())
}
