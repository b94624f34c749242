//! The plot: bars of CPU time relative to redis-server.
//!
//! Written without a library, as it has only rectangles and text. The colours are legible on white and on black, and
//! there is no background.

use std::fmt::Write;

use crate::report::{Figure, Report};
use crate::servers::Kind;
use crate::work::{Command, SMALL, Work};

const WIDTH: f64 = 840.0;
const LEFT: f64 = 34.0;
const PANEL: f64 = 150.0;
const HEAD: f64 = 46.0;
const LABELS: f64 = 34.0;
/// The top of the scale; a higher bar is cut and shows its value.
const SCALE_MAX: f64 = 1.5;
const OURS: &str = "#e8590c";
/// From the oldest server to the newest.
const OTHERS: [&str; 3] = ["#868e96", "#4c8dd6", "#7d6bd0"];
const INK: &str = "#7d8590";
/// The line of the bare loop.
const BOUND: &str = "#2b8a3e";
const DOTS: &str = " stroke-dasharray=\"2 4\"";

/// A label of two lines, and the bars above it: a server, and its CPU time relative to redis-server.
struct Group {
    label: [String; 2],
    bars: Vec<(usize, f64)>,
    /// The relative CPU time of the bare loop.
    bound: Option<f64>,
}

/// An SVG.
pub fn svg(report: &Report) -> String {
    let panels = [
        ("CPU time, pipeline of 16", commands(report)),
        ("CPU time per request or delivery", others(report)),
    ];
    let panels: Vec<_> = panels.into_iter().filter(|(_, groups)| !groups.is_empty()).collect();
    #[allow(clippy::cast_precision_loss)]
    let height = HEAD + panels.len() as f64 * (PANEL + LABELS + HEAD) - HEAD + 8.0;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" font-family=\"sans-serif\" \
         font-size=\"11\" fill=\"{INK}\" role=\"img\" aria-label=\"CPU time of minibroker and real servers\">\n"
    );
    let mut top = HEAD;
    for (at, (title, groups)) in panels.iter().enumerate() {
        let base = report.columns().get(1).map_or("", |column| &column.name);
        let _ = writeln!(
            svg,
            "<text x=\"{LEFT}\" y=\"{:.0}\" font-size=\"13\">{title}, {base} = 1</text>",
            top - 14.0
        );
        if at == 0 {
            legend(&mut svg, report, top - 14.0);
        }
        panel(&mut svg, groups, top);
        top += PANEL + LABELS + HEAD;
    }
    svg + "</svg>\n"
}

fn color(server: usize) -> &'static str {
    server.checked_sub(1).map_or(OURS, |at| OTHERS[at % OTHERS.len()])
}

fn legend(svg: &mut String, report: &Report, y: f64) {
    let mut x = WIDTH - 76.0;
    let _ = writeln!(
        svg,
        "<line x1=\"{:.0}\" x2=\"{:.0}\" y1=\"{:.0}\" y2=\"{:.0}\" stroke=\"{BOUND}\" stroke-width=\"2\"/>\
         <text x=\"{:.0}\" y=\"{y:.0}\">bare loop</text>",
        x,
        x + 14.0,
        y - 4.0,
        y - 4.0,
        x + 18.0
    );
    for (server, column) in report.columns().iter().enumerate().rev().filter(|(_, it)| has_bars(it.kind)) {
        #[allow(clippy::cast_precision_loss)]
        let width = column.name.len() as f64 * 6.2 + 26.0;
        x -= width;
        let _ = writeln!(
            svg,
            "<rect x=\"{x:.0}\" y=\"{:.0}\" width=\"10\" height=\"10\" fill=\"{}\"/>\
             <text x=\"{:.0}\" y=\"{y:.0}\">{}</text>",
            y - 9.0,
            color(server),
            x + 14.0,
            column.name
        );
    }
}

#[allow(clippy::cast_precision_loss)]
fn panel(svg: &mut String, groups: &[Group], top: f64) {
    let bottom = top + PANEL;
    let at = |value: f64| bottom - value.min(SCALE_MAX) / SCALE_MAX * PANEL;
    for (value, dash) in [(0.0, DOTS), (0.5, DOTS), (1.0, ""), (1.5, DOTS)] {
        let y = at(value);
        let _ = writeln!(
            svg,
            "<line x1=\"{LEFT}\" x2=\"{WIDTH}\" y1=\"{y:.1}\" y2=\"{y:.1}\" stroke=\"{INK}\" \
             stroke-opacity=\"0.6\"{dash}/><text x=\"{:.0}\" y=\"{:.1}\" text-anchor=\"end\">{value:.1}</text>",
            LEFT - 6.0,
            y + 4.0
        );
    }
    let step = (WIDTH - LEFT) / groups.len() as f64;
    for (number, group) in groups.iter().enumerate() {
        let left = LEFT + number as f64 * step;
        let width = (step * 0.8 / group.bars.len() as f64).min(18.0);
        let from = left + (step - width * group.bars.len() as f64) / 2.0;
        for (index, (server, value)) in group.bars.iter().enumerate() {
            let (x, y) = (from + index as f64 * width, at(*value));
            let _ = writeln!(
                svg,
                "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"{:.1}\" fill=\"{}\"/>",
                width - 1.0,
                bottom - y,
                color(*server)
            );
            // Our own figure is printed, and so is that of a bar that is cut.
            if *server == 0 || *value > SCALE_MAX {
                let _ = writeln!(
                    svg,
                    "<text x=\"{:.1}\" y=\"{:.1}\" font-size=\"9\" text-anchor=\"end\">{value:.2}</text>",
                    x + width - 1.0,
                    y - 3.0
                );
            }
        }
        if let Some(y) = group.bound.map(at) {
            let _ = writeln!(
                svg,
                "<line x1=\"{:.1}\" x2=\"{:.1}\" y1=\"{y:.1}\" y2=\"{y:.1}\" stroke=\"{BOUND}\" \
                 stroke-width=\"2\"/>",
                from - 2.0,
                from + width + 1.0
            );
        }
        for (line, word) in group.label.iter().enumerate() {
            let _ = writeln!(
                svg,
                "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{word}</text>",
                left + step / 2.0,
                bottom + 14.0 + 13.0 * line as f64
            );
        }
    }
}

fn has_bars(kind: Kind) -> bool {
    matches!(kind, Kind::Ours | Kind::Real)
}

/// The servers with bars: ours, and the real ones.
fn servers(report: &Report) -> impl Iterator<Item = usize> {
    let columns = report.columns().iter().enumerate();
    columns.filter(|(_, column)| has_bars(column.kind)).map(|(at, _)| at)
}

/// The CPU time of a server for some work, relative to redis-server.
fn relative(report: &Report, work: &Work, server: usize) -> Option<f64> {
    let of = |server| report.median(&work.name(), server, Figure::CpuMicros);
    // The first real server is redis-server.
    Some(of(server)? / of(1)?)
}

fn group(report: &Report, label: [&str; 2], works: &[Work]) -> Option<Group> {
    let mean = |server| {
        let logs: Vec<f64> =
            works.iter().filter_map(|work| Some(relative(report, work, server)?.ln())).collect();
        #[allow(clippy::cast_precision_loss)]
        let mean = (logs.iter().sum::<f64>() / logs.len() as f64).exp();
        (!logs.is_empty()).then_some((server, mean))
    };
    let bars: Vec<_> = servers(report).filter_map(mean).collect();
    let bound = report.columns().iter().position(|column| column.kind == Kind::Bare);
    let bound = bound.and_then(mean).map(|(_, value)| value);
    (!bars.is_empty()).then(|| Group { label: label.map(str::to_owned), bars, bound })
}

fn commands(report: &Report) -> Vec<Group> {
    let commands = Command::ALL.into_iter().filter(|command| *command != Command::Queue);
    commands
        .filter_map(|command| group(report, [command.name(), ""], &[Work::Requests(command, 16, SMALL)]))
        .collect()
}

fn others(report: &Report) -> Vec<Group> {
    let all = |pipeline| Command::ALL.map(|command| Work::Requests(command, pipeline, SMALL));
    let groups = [
        group(report, ["all, no", "pipeline"], &all(1)),
        group(report, ["all, pipe-", "line 16"], &all(16)),
        group(report, ["all, pipe-", "line 64"], &all(64)),
        group(report, ["fan-out", "to 1"], &[Work::FanOut(1)]),
        group(report, ["fan-out", "to 10"], &[Work::FanOut(10)]),
        group(report, ["fan-out", "to 100"], &[Work::FanOut(100)]),
        group(report, ["fan-out", "to 1,000"], &[Work::FanOut(1000)]),
        group(report, ["pattern,", "to 100"], &[Work::PatternFanOut(100)]),
        group(report, ["BLPOP", "hand-off"], &[Work::HandOff]),
        group(report, ["XREAD,", "100 wait"], &[Work::Readers(100)]),
        group(report, ["connect,", "PING"], &[Work::Connect]),
    ];
    groups.into_iter().flatten().collect()
}
