//! The figures of all servers, and the tables.

use std::fmt::{self, Write};

use crate::servers::Kind;

/// What is measured for some work.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Figure {
    /// CPU time of the server for one request or delivery, in microseconds.
    CpuMicros,
    /// Requests or deliveries a second.
    PerSecond,
    /// The time within which half of the answers arrive, in microseconds.
    P50,
    /// The time within which 99 of 100 answers arrive, in microseconds.
    P99,
    /// A time in milliseconds.
    Milliseconds,
    /// Memory.
    Bytes,
}

impl Figure {
    const ALL: [Self; 6] =
        [Self::CpuMicros, Self::PerSecond, Self::P50, Self::P99, Self::Milliseconds, Self::Bytes];

    fn unit(self) -> &'static str {
        match self {
            Self::CpuMicros => "CPU µs",
            Self::PerSecond => "per s",
            Self::P50 => "p50 µs",
            Self::P99 => "p99 µs",
            Self::Milliseconds => "ms",
            Self::Bytes => "bytes",
        }
    }

    fn is_better_low(self) -> bool {
        self != Self::PerSecond
    }

    fn show(self, value: f64) -> String {
        match self {
            Self::CpuMicros | Self::Milliseconds => format!("{value:.3}"),
            Self::P50 | Self::P99 => format!("{value:.1}"),
            Self::PerSecond | Self::Bytes => format!("{value:.0}"),
        }
    }
}

/// A server, as a column.
pub struct Column {
    pub name: String,
    pub kind: Kind,
}

/// The figures of all servers.
pub struct Report {
    columns: Vec<Column>,
    rows: Vec<Row>,
    notes: Vec<String>,
    failed: bool,
}

/// The figures of some work.
struct Row {
    work: String,
    /// The line of the summary that it belongs to.
    family: Option<String>,
    /// The target ratios to the best of the real servers.
    aims: Vec<(Figure, f64)>,
    /// The figures of the rounds, by server.
    slices: Vec<Vec<(Figure, f64)>>,
}

impl Report {
    /// A table of these servers; the first is compared with the others.
    pub fn new(columns: Vec<Column>) -> Self {
        Self { columns, rows: Vec::new(), notes: Vec::new(), failed: false }
    }

    /// Figures of one server in one round.
    pub fn add(
        &mut self,
        work: &str,
        family: Option<String>,
        aims: &[(Figure, f64)],
        server: usize,
        figures: Vec<(Figure, f64)>,
    ) {
        let at = self.rows.iter().position(|row| row.work == work).unwrap_or_else(|| {
            let slices = vec![Vec::new(); self.columns.len()];
            self.rows.push(Row { work: work.into(), family, aims: aims.into(), slices });
            self.rows.len() - 1
        });
        self.rows[at].slices[server].extend(figures);
    }

    /// Adds a line below the table.
    pub fn note(&mut self, note: String) {
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }

    pub fn fail(&mut self, why: String) {
        self.failed = true;
        self.note(why);
    }

    /// True if any work failed.
    pub fn failed(&self) -> bool {
        self.failed
    }

    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// A server's figure of some work: the median of the rounds.
    pub fn median(&self, work: &str, server: usize, figure: Figure) -> Option<f64> {
        self.rows.iter().find(|row| row.work == work)?.median(server, figure)
    }

    /// A server's figure, relative to the best of the real servers.
    fn ratio(&self, row: &Row, server: usize, figure: Figure) -> Option<f64> {
        let real = (0..self.columns.len()).filter(|server| self.columns[*server].kind == Kind::Real);
        let others = real.filter_map(|server| row.median(server, figure));
        let best = others.reduce(if figure.is_better_low() { f64::min } else { f64::max })?;
        Some(row.median(server, figure)? / best)
    }

    fn line(&self, row: &Row, figure: Figure) -> Option<Vec<String>> {
        let medians: Vec<_> = (0..self.columns.len()).map(|server| row.median(server, figure)).collect();
        medians.iter().flatten().next()?;
        let mut cells = vec![row.work.clone(), figure.unit().into()];
        cells.extend(medians.iter().map(|value| value.map_or(String::new(), |value| figure.show(value))));
        // Ours, then the bound.
        for server in [0, self.columns.len() - 1] {
            let ratio = self.ratio(row, server, figure);
            cells.push(ratio.map_or(String::new(), |ratio| format!("{ratio:.2}")));
        }
        let aim = row.aims.iter().find(|(aimed, _)| *aimed == figure).map(|(_, aim)| *aim);
        cells.push(aim.zip(self.ratio(row, 0, figure)).map_or(String::new(), |(aim, ratio)| {
            let (sign, is_met) =
                if figure.is_better_low() { ("≤", ratio <= aim) } else { ("≥", ratio >= aim) };
            format!("{sign} {aim:.2} {}", if is_met { "met" } else { "MISSED" })
        }));
        Some(cells)
    }

    /// Every figure.
    pub fn table(&self) -> String {
        let mut head = vec!["work".to_owned(), String::new()];
        head.extend(self.columns.iter().map(|column| column.name.clone()));
        head.extend(["ours : best real".into(), "bare : best real".into(), "aim".into()]);
        let figures = Figure::ALL.into_iter();
        let lines = self.rows.iter().flat_map(|row| figures.clone().map(move |figure| (row, figure)));
        markdown(&head, &lines.filter_map(|(row, figure)| self.line(row, figure)).collect::<Vec<_>>())
    }

    /// The ratios of CPU time, for each kind of work together: geometric means, the best and the worst.
    #[allow(clippy::cast_precision_loss)]
    pub fn summary(&self) -> String {
        let mut families: Vec<&String> = Vec::new();
        for family in self.rows.iter().filter_map(|row| row.family.as_ref()) {
            if !families.contains(&family) {
                families.push(family);
            }
        }
        let head = ["CPU time, ours : best real", "aim", "mean", "bare loop", "best", "worst", "which is"];
        let line = |family: &&String| {
            let rows = self.rows.iter().filter(|row| row.family.as_ref() == Some(family));
            let mut ratios: Vec<(f64, &Row)> =
                rows.clone().filter_map(|row| Some((self.ratio(row, 0, Figure::CpuMicros)?, row))).collect();
            ratios.sort_by(|one, other| one.0.total_cmp(&other.0));
            let (best, worst) = (ratios.first()?, ratios.last()?);
            let mean = |ratios: &[f64]| {
                (ratios.iter().map(|ratio| ratio.ln()).sum::<f64>() / ratios.len() as f64).exp()
            };
            let ours: Vec<f64> = ratios.iter().map(|(ratio, _)| *ratio).collect();
            let bare: Vec<f64> =
                rows.filter_map(|row| self.ratio(row, self.columns.len() - 1, Figure::CpuMicros)).collect();
            let aim = worst.1.aims.iter().find(|(figure, _)| *figure == Figure::CpuMicros);
            Some(vec![
                (*family).clone(),
                aim.map_or(String::new(), |(_, aim)| format!("≤ {aim:.2}")),
                format!("{:.2}", mean(&ours)),
                format!("{:.2}", mean(&bare)),
                format!("{:.2}", best.0),
                format!("{:.2}", worst.0),
                worst.1.work.clone(),
            ])
        };
        let lines: Vec<_> = families.iter().filter_map(line).collect();
        if lines.is_empty() { String::new() } else { markdown(&head.map(str::to_owned), &lines) + "\n" }
    }
}

impl Row {
    /// The median of a server's rounds.
    fn median(&self, server: usize, figure: Figure) -> Option<f64> {
        let of_figure = self.slices[server].iter().filter(|(other, _)| *other == figure);
        let mut values: Vec<f64> = of_figure.map(|(_, value)| *value).collect();
        values.sort_by(f64::total_cmp);
        values.get(values.len() / 2).copied()
    }
}

/// A table whose columns are aligned in plain text as well.
fn markdown(head: &[String], lines: &[Vec<String>]) -> String {
    let width = |at: usize| {
        let cells = std::iter::once(head).chain(lines.iter().map(Vec::as_slice));
        cells.map(|cells| cells[at].chars().count()).max().unwrap_or(0).max(2)
    };
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    let mut table = String::new();
    let mut row = |cells: &[String]| {
        for (at, (cell, width)) in cells.iter().zip(&widths).enumerate() {
            // Text to the left, numbers to the right.
            let padded = if at == 0 { format!("{cell:<width$}") } else { format!("{cell:>width$}") };
            let _ = write!(table, "| {padded} ");
        }
        table.push_str("|\n");
    };
    row(head);
    let rule = |(at, width): (usize, &usize)| {
        if at == 0 { "-".repeat(*width) } else { "-".repeat(width - 1) + ":" }
    };
    row(&widths.iter().enumerate().map(rule).collect::<Vec<_>>());
    for line in lines {
        row(line);
    }
    table
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n{}", self.summary(), self.table())?;
        self.notes.iter().try_for_each(|note| write!(f, "\n{note}\n"))
    }
}
