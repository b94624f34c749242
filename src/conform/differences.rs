//! The tables of differences between real servers and `minibroker`, which are also part of the documentation.

use std::sync::atomic::{AtomicBool, Ordering};

use super::markers::Markers;
use super::outcome::Outcome;
use super::script::Step;

/// One row: this server answers these steps differently from `minibroker`, for this reason.
#[derive(Debug)]
pub struct Difference {
    /// The number of its line, from 1.
    pub line: usize,
    server: String,
    /// The markers, as in the case files, that say in what the answers may differ; without any, they may differ in
    /// everything.
    markers: Vec<String>,
    /// Whether the markers say how the answers of the server differ from one start to the next, not how they differ
    /// from `minibroker`.
    of_itself: bool,
    family: String,
    scenario: String,
    step: String,
    /// The reason for the difference. A row without a reason is refused.
    reason: String,
    /// Whether the row has hidden a difference in this run.
    pub needed: AtomicBool,
}

/// The header of each table.
const HEAD: &str = "server | family | scenario | step | reason";

/// Reads the rows of one family and these servers from the tables. `name` is what errors call them.
///
/// # Errors
///
/// A row does not have all cells; the error names its line.
pub fn read(name: &str, text: &str, family: &str, servers: &[&str]) -> Result<Vec<Difference>, String> {
    let mut rows = Vec::new();
    for (index, line) in text.lines().enumerate() {
        // Everything except the rows of the tables is for readers.
        let Some(row) = line.strip_prefix("| ").and_then(|row| row.strip_suffix(" |")) else { continue };
        if row == HEAD {
            continue;
        }
        let cells: Vec<&str> = row.split(" | ").map(|cell| cell.trim().trim_matches('`')).collect();
        let [server, of, scenario, step, reason] = cells[..] else {
            return Err(format!("{name}:{}: wants {HEAD}", index + 1));
        };
        if reason.is_empty() {
            return Err(format!("{name}:{}: no reason is given", index + 1));
        }
        let mut words = server.split_whitespace().peekable();
        let server = words.next().unwrap_or_default();
        let of_itself = words.next_if_eq(&"itself").is_some();
        if of == family && servers.iter().any(|name| matches(server, name)) {
            rows.push(Difference {
                line: index + 1,
                server: server.to_owned(),
                markers: words.map(|word| word.trim_start_matches('~').to_owned()).collect(),
                of_itself,
                family: of.to_owned(),
                scenario: scenario.to_owned(),
                step: step.to_owned(),
                reason: reason.to_owned(),
                // A difference between starts does not show in every run.
                needed: AtomicBool::new(of_itself),
            });
        }
    }
    Ok(rows)
}

/// Whether the table has a difference that was seen between the answers of a real server and of `minibroker` to a step.
pub fn known(
    rows: &[Difference],
    server: &str,
    scenario: &str,
    step: &Step,
    (real, ours): (&Outcome, &Outcome),
) -> Result<bool, String> {
    let mut found = false;
    for row in rows {
        if !row.of_itself && row.is_of(server, scenario, step) {
            let mut allowed = step.markers.clone();
            row.markers.iter().try_for_each(|marker| allowed.add(marker))?;
            if row.markers.is_empty() || allowed.same(real, ours) {
                row.needed.store(true, Ordering::Relaxed);
                found = true;
            }
        }
    }
    Ok(found)
}

/// How the answers of a server to a step may differ from one start to the next: as the markers of the step and of the
/// rows allow.
///
/// # Errors
///
/// A row has an unknown marker.
pub fn allowed(rows: &[Difference], server: &str, scenario: &str, step: &Step) -> Result<Markers, String> {
    let mut allowed = step.markers.clone();
    for row in rows.iter().filter(|row| row.is_of(server, scenario, step)) {
        row.markers.iter().try_for_each(|marker| allowed.add(marker))?;
    }
    Ok(allowed)
}

impl Difference {
    fn is_of(&self, server: &str, scenario: &str, step: &Step) -> bool {
        matches(&self.server, server) && matches(&self.scenario, scenario) && matches(&self.step, &step.text)
    }
}

impl std::fmt::Display for Difference {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{} | {} | {} | {} | {}", self.server, self.family, self.scenario, self.step, self.reason)
    }
}

/// Patterns in which `**` stands for any text; everything else, including a single star, for itself.
#[must_use]
pub fn matches(pattern: &str, text: &str) -> bool {
    let pieces: Vec<&str> = pattern.split("**").collect();
    let [first, middle @ .., last] = pieces.as_slice() else { return pattern == text };
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    for piece in middle {
        match rest.find(piece) {
            Some(at) => rest = &rest[at + piece.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}
