//! The table.

use std::fmt;

use crate::work::Outcome;

/// What is measured of some work.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Figure {
    /// CPU time of the server for one request or delivery, in microseconds.
    CpuMicros,
    /// Requests or deliveries a second.
    PerSecond,
    /// A time in milliseconds.
    Milliseconds,
    /// A time in microseconds.
    Microseconds,
    /// Memory.
    Bytes,
}

impl Figure {
    const ALL: [Self; 5] =
        [Self::CpuMicros, Self::PerSecond, Self::Milliseconds, Self::Microseconds, Self::Bytes];

    fn unit(self) -> &'static str {
        match self {
            Self::CpuMicros => "CPU µs",
            Self::PerSecond => "per s",
            Self::Milliseconds => "ms",
            Self::Microseconds => "p50 µs",
            Self::Bytes => "bytes",
        }
    }

    fn is_better_low(self) -> bool {
        self != Self::PerSecond
    }

    fn show(self, value: f64) -> String {
        match self {
            Self::CpuMicros | Self::Milliseconds => format!("{value:.3}"),
            Self::Microseconds => format!("{value:.1}"),
            Self::PerSecond | Self::Bytes => format!("{value:.0}"),
        }
    }
}

/// The work of all servers.
pub struct Report {
    servers: Vec<String>,
    rows: Vec<Row>,
}

struct Row {
    work: String,
    /// By server: what the rounds came to.
    slices: Vec<Vec<(Figure, f64)>>,
    errors: Vec<Option<String>>,
}

impl Report {
    /// A table of these servers; the first is compared with the others.
    pub fn new(servers: Vec<String>) -> Self {
        Self { servers, rows: Vec::new() }
    }

    pub fn add(&mut self, work: &str, server: usize, outcome: Outcome) {
        let count = self.servers.len();
        if self.rows.last().is_none_or(|row| row.work != work) {
            let empty = Row { work: work.into(), slices: vec![Vec::new(); count], errors: vec![None; count] };
            self.rows.push(empty);
        }
        let Some(row) = self.rows.last_mut() else { return };
        match outcome {
            Ok(figures) => row.slices[server].extend(figures),
            Err(error) => row.errors[server] = Some(error.to_string()),
        }
    }

    /// True if any work failed.
    pub fn failed(&self) -> bool {
        self.rows.iter().any(|row| row.errors.iter().any(Option::is_some))
    }
}

impl Row {
    /// The median of a server's rounds; none if one of them failed.
    fn median(&self, server: usize, figure: Figure) -> Option<f64> {
        if self.errors[server].is_some() {
            return None;
        }
        let of_figure = self.slices[server].iter().filter(|(other, _)| *other == figure);
        let mut values: Vec<f64> = of_figure.map(|(_, value)| *value).collect();
        values.sort_by(f64::total_cmp);
        values.get(values.len() / 2).copied()
    }

    fn line(&self, figure: Figure) -> Option<String> {
        let medians: Vec<_> = (0..self.slices.len()).map(|server| self.median(server, figure)).collect();
        medians.iter().flatten().next()?;
        let (ours, others) = medians.split_first()?;
        let best =
            others.iter().flatten().copied().reduce(if figure.is_better_low() { f64::min } else { f64::max });
        let ratio = ours.zip(best).map_or("-".into(), |(ours, best)| format!("{:.2}", ours / best));
        let cells: Vec<_> =
            medians.iter().map(|value| value.map_or("-".into(), |value| figure.show(value))).collect();
        Some(format!("| {} | {} | {} | {ratio} |", self.work, figure.unit(), cells.join(" | ")))
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| work | | {} | {} to the best other |", self.servers.join(" | "), self.servers[0])?;
        writeln!(f, "|---|---|{}---:|", "---:|".repeat(self.servers.len()))?;
        for line in
            self.rows.iter().flat_map(|row| Figure::ALL.into_iter().filter_map(|figure| row.line(figure)))
        {
            writeln!(f, "{line}")?;
        }
        for row in &self.rows {
            for (server, error) in self.servers.iter().zip(&row.errors) {
                if let Some(error) = error {
                    writeln!(f, "\n{server} failed in {}: {error}", row.work)?;
                }
            }
        }
        Ok(())
    }
}
