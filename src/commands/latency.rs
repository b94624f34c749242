//! LATENCY: the events that took long.

use std::fmt::Write;

use crate::spec::{Command, Context, Error, Outcome};
use crate::state::latency::{Sample, Samples};

/// `LATENCY LATEST`: of each event the newest sample, and the slowest of all.
pub fn latest(ctx: &mut Context<'_>) -> Outcome {
    let events = ctx.state.latencies.iter();
    ctx.reply.array(events.len());
    for (event, samples) in events {
        let last = samples.last().copied().unwrap_or(Sample { second: 0, millis: 0 });
        ctx.reply.array(4);
        ctx.reply.bulk(event.as_bytes());
        ctx.reply.integer(last.second);
        for millis in [last.millis, samples.slowest] {
            ctx.reply.integer(millis.try_into().unwrap_or(i64::MAX));
        }
    }
    Ok(())
}

/// `LATENCY HISTORY event`: its samples, each with its time in seconds.
pub fn history(ctx: &mut Context<'_>) -> Outcome {
    let samples = ctx.state.latencies.of(&ctx.args[2]);
    ctx.reply.array(samples.map_or(0, |samples| samples.iter().len()));
    for Sample { second, millis } in samples.into_iter().flat_map(Samples::iter) {
        ctx.reply.array(2);
        ctx.reply.integer(*second);
        ctx.reply.integer((*millis).try_into().unwrap_or(i64::MAX));
    }
    Ok(())
}

/// `LATENCY RESET [event ...]`: forgets the samples of these events, or of all; replies of how many.
pub fn reset(ctx: &mut Context<'_>) -> Outcome {
    let events = ctx.args.from(2);
    let latencies = &mut ctx.state.latencies;
    let forgotten = if events.is_empty() {
        latencies.clear()
    } else {
        events.iter().filter(|event| latencies.forget(event)).count()
    };
    ctx.reply.count(forgotten);
    Ok(())
}

/// `LATENCY HISTOGRAM [command ...]`: how often these commands took at most how many microseconds, or all that have run.
/// The name of a container stands for its subcommands.
pub fn histogram(ctx: &mut Context<'_>) -> Outcome {
    let (words, table) = (ctx.args.from(2), ctx.table());
    let mut commands: Vec<&Command> = Vec::new();
    for name in words.iter() {
        let found = table.lookup_full(name);
        commands.extend(
            found.into_iter().flat_map(|command| std::iter::once(command).chain(command.subcommands)),
        );
    }
    if words.is_empty() {
        commands.extend(table.all());
    }
    let durations = |command: &&Command| ctx.state.stats.durations(command.index());
    commands.retain(|command| durations(command).is_some());
    ctx.reply.map(commands.len());
    for command in commands {
        let Some(durations) = ctx.state.stats.durations(command.index()) else { continue };
        ctx.reply.bulk(command.full_name().as_bytes());
        ctx.reply.map(2);
        ctx.reply.bulk(b"calls");
        ctx.reply.integer(durations.runs().try_into().unwrap_or(i64::MAX));
        ctx.reply.bulk(b"histogram_usec");
        let levels = durations.doubling();
        ctx.reply.map(levels.len());
        for number in levels.into_iter().flat_map(|(micros, count)| [micros, count]) {
            ctx.reply.integer(number.try_into().unwrap_or(i64::MAX));
        }
    }
    Ok(())
}

/// `LATENCY DOCTOR`: a report in words of our own.
pub fn doctor(ctx: &mut Context<'_>) -> Outcome {
    let latencies = &ctx.state.latencies;
    let mut text = String::new();
    if latencies.iter().len() == 0 && ctx.state.config.latency_monitor_threshold == 0 {
        text.push_str(
            "The latency monitor is off. CONFIG SET latency-monitor-threshold <milliseconds> turns it on.\n",
        );
    } else if latencies.iter().len() == 0 {
        text.push_str("No event took long.\n");
    }
    for (event, samples) in latencies.iter() {
        let count = samples.iter().len().max(1);
        let total: u64 = samples.iter().map(|sample| sample.millis).sum();
        let average = total / count as u64;
        let slowest = samples.slowest;
        // A String takes whatever is written.
        let _ = writeln!(
            text,
            "{event}: {count} samples, {average} ms on average, {slowest} ms at most. \
             SLOWLOG GET shows the commands."
        );
    }
    ctx.reply.verbatim("txt", text.as_bytes());
    Ok(())
}

/// `LATENCY GRAPH event`: its samples as a drawing of characters, 80 side by side, with their ages below.
///
/// # Errors
///
/// There are none.
pub fn graph(ctx: &mut Context<'_>) -> Outcome {
    let event = &ctx.args[2];
    let Some(samples) = ctx.state.latencies.of(event) else {
        return Err(Error::quoting("ERR No samples available for event '", event, "'"));
    };
    let now = ctx.state.now.millis().div_euclid(1000);
    ctx.reply.verbatim("txt", draw(&String::from_utf8_lossy(event), samples, now).as_bytes());
    Ok(())
}

/// How many samples are drawn side by side, and how long the line above them is.
const COLUMNS: usize = 80;

/// How many lines the samples take.
const ROWS: usize = 4;

/// The characters of a line from low to high. Below the character of a sample there are bars.
const LEVELS: [char; 3] = ['_', 'o', '#'];

fn draw(event: &str, samples: &Samples, now: i64) -> String {
    let drawn: Vec<Sample> = samples.iter().copied().collect();
    let low = drawn.iter().map(|sample| sample.millis).min().unwrap_or_default();
    let high = drawn.iter().map(|sample| sample.millis).max().unwrap_or_default();
    let slowest = samples.slowest;
    let mut text = format!("{event} - high {high} ms, low {low} ms (all time high {slowest} ms)\n");
    text.extend(std::iter::repeat_n('-', COLUMNS));
    text.push('\n');
    for (index, block) in drawn.chunks(COLUMNS).enumerate() {
        if index > 0 {
            text.push('\n');
        }
        draw_block(&mut text, block, (low, high), now);
    }
    text
}

fn draw_block(text: &mut String, samples: &[Sample], (low, high): (u64, u64), now: i64) {
    let steps = (ROWS * LEVELS.len()) as u64;
    let range = high.saturating_sub(low).max(1);
    let level = |sample: &Sample| {
        let step = sample.millis.saturating_sub(low).saturating_mul(steps) / range;
        usize::try_from(step.min(steps - 1)).unwrap_or_default()
    };
    for row in (0..ROWS).rev() {
        let below = row * LEVELS.len();
        text.extend(samples.iter().map(|sample| match level(sample).checked_sub(below) {
            None => ' ',
            Some(level) => LEVELS.get(level).copied().unwrap_or('|'),
        }));
        text.push('\n');
    }
    // An empty line, and the ages from top to bottom.
    let ages: Vec<Vec<char>> =
        samples.iter().map(|sample| age(now - sample.second).chars().collect()).collect();
    let longest = ages.iter().map(Vec::len).max().unwrap_or_default();
    text.extend(std::iter::repeat_n(' ', samples.len()));
    text.push('\n');
    for line in 0..longest {
        text.extend(ages.iter().map(|age| age.get(line).copied().unwrap_or(' ')));
        text.push('\n');
    }
}

/// An age in the largest unit of which it has at least one.
fn age(seconds: i64) -> String {
    match seconds {
        ..60 => format!("{seconds}s"),
        60..3600 => format!("{}m", seconds / 60),
        3600..86_400 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86_400),
    }
}
