//! The table of differences between real servers.

use std::{cell::Cell, path::Path};

/// One row: on this server these steps answer otherwise than `minibroker` does, for this reason.
#[derive(Debug)]
pub struct Difference {
    pub line: usize,
    server: String,
    family: String,
    scenario: String,
    step: String,
    /// Why. Without one a row is refused.
    reason: String,
    /// Whether the row has hidden a difference in this run.
    pub needed: Cell<bool>,
}

/// Reads the table; only the rows of one family, and only those for servers that are there.
pub fn read(path: &Path, family: &str, servers: &[&str]) -> Result<Vec<Difference>, String> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let mut rows = Vec::new();
    for (index, line) in text.lines().enumerate() {
        if line.trim().is_empty() || line.starts_with('#') {
            continue;
        }
        let cells: Vec<&str> = line.split(" | ").map(str::trim).collect();
        let [server, of, scenario, step, reason] = cells[..] else {
            return Err(format!(
                "{}:{}: wants server | family | scenario | step | reason",
                path.display(),
                index + 1
            ));
        };
        if reason.is_empty() {
            return Err(format!("{}:{}: no reason is given", path.display(), index + 1));
        }
        if of == family && servers.iter().any(|name| matches(server, name)) {
            rows.push(Difference {
                line: index + 1,
                server: server.to_owned(),
                family: of.to_owned(),
                scenario: scenario.to_owned(),
                step: step.to_owned(),
                reason: reason.to_owned(),
                needed: Cell::new(false),
            });
        }
    }
    Ok(rows)
}

/// Whether the table knows about a difference that has been seen.
pub fn known(rows: &[Difference], server: &str, scenario: &str, step: &str) -> bool {
    let mut found = false;
    for row in rows {
        if matches(&row.server, server) && matches(&row.scenario, scenario) && matches(&row.step, step) {
            row.needed.set(true);
            found = true;
        }
    }
    found
}

impl std::fmt::Display for Difference {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{} | {} | {} | {} | {}", self.server, self.family, self.scenario, self.step, self.reason)
    }
}

/// Patterns in which `**` stands for any text; all else, also a single star, for itself.
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
