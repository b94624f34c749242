//! The counters behind INFO.

use std::collections::VecDeque;
use std::time::Duration;

use hdrhistogram::Histogram;

use crate::data::{Map, Time};
use crate::users::Reason;

/// The counters of one command.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CommandStats {
    /// How often it ran.
    pub calls: u64,
    /// How long it ran in total, in nanoseconds.
    pub nanos: u64,
    /// How often it was refused before it ran.
    pub rejected: u64,
    /// How often it returned an error.
    pub failed: u64,
}

/// How many digits of a duration are exact: `LATENCY_HISTOGRAM_PRECISION` of redis-server.
const EXACT_DIGITS: u8 = 2;

/// The shortest and the longest duration that is recorded, in nanoseconds: `LATENCY_HISTOGRAM_MIN_VALUE` and `LATENCY_HISTOGRAM_MAX_VALUE`.
const DURATIONS: std::ops::RangeInclusive<u64> = 1..=1_000_000_000;

/// How long the runs of one command took: how many took how many nanoseconds. Durations are whole microseconds; 0 counts
/// as a nanosecond.
#[derive(Clone, Debug)]
pub struct DurationsOfCommand(Histogram<u64>);

impl DurationsOfCommand {
    /// The nanoseconds within which this percentage of the runs ended.
    #[must_use]
    pub fn percentile(&self, percent: f64) -> u64 {
        self.0.value_at_percentile(percent)
    }

    /// Microseconds, and how many runs took at most as long, for 1,024 ns, its double and so forth, where that number has
    /// grown: as LATENCY HISTOGRAM shows them.
    #[must_use]
    pub fn doubling(&self) -> Vec<(u64, u64)> {
        let mut shown = Vec::new();
        let (mut level, mut before) = (1024, 0);
        while before < self.0.len() {
            let count = self.0.count_between(0, level);
            if count > before {
                shown.push((self.0.highest_equivalent(level) / 1000, count));
                before = count;
            }
            level *= 2;
        }
        shown
    }

    /// How many runs there were.
    #[must_use]
    pub fn runs(&self) -> u64 {
        self.0.len()
    }
}

/// All counters. Names are those of INFO.
#[derive(Debug)]
pub struct Stats {
    /// When the broker started.
    pub started: Time,
    /// Forty hexadecimal digits that name this run.
    pub run_id: String,
    /// `total_connections_received`.
    pub connections: u64,
    /// `rejected_connections`.
    pub rejected_connections: u64,
    /// `total_commands_processed`.
    pub commands: u64,
    /// The same when the client whose requests run began; wraps around where [`Stats::reset`] has been called since.
    pub commands_before: u64,
    /// `total_net_input_bytes`.
    pub net_input: u64,
    /// `total_net_output_bytes`.
    pub net_output: u64,
    /// `expired_keys`.
    pub expired_keys: u64,
    /// `expired_subkeys`: fields of hashes.
    pub expired_fields: u64,
    /// `evicted_scripts`.
    pub evicted_scripts: u64,
    /// `keyspace_hits`.
    pub keyspace_hits: u64,
    /// `keyspace_misses`.
    pub keyspace_misses: u64,
    /// `client_query_buffer_limit_disconnections`.
    pub query_limit_disconnections: u64,
    /// By the [`Reason`]: `acl_access_denied_cmd`, `_key`, `_channel` and `_auth`.
    denied: [u64; 4],
    /// `total_error_replies`.
    pub error_replies: u64,
    /// Counted by the code of the error: `ERR`, `WRONGTYPE`.
    pub errors: Map<String, u64>,
    /// By the index in the command table.
    pub by_command: Vec<CommandStats>,
    /// The durations of the commands that have run, by the index in the command table.
    durations: Vec<Option<Box<DurationsOfCommand>>>,
    /// `rdb_changes_since_last_save`.
    pub dirty: u64,
    rates: Rates,
}

/// How often the counters are sampled for [`Stats::rates`]: as often as in redis-server.
const SAMPLE_INTERVAL: Duration = Duration::from_millis(100);
/// The number of samples from which the rates are computed.
const SAMPLES: usize = 16;

/// The values of the counters at some moments of the last seconds.
#[derive(Debug, Default)]
struct Rates {
    samples: VecDeque<Sample>,
    /// When the next sample is due: one comparison per request.
    next: Time,
}

#[derive(Debug, Clone, Copy)]
struct Sample {
    at: Time,
    commands: u64,
    net_input: u64,
    net_output: u64,
}

/// Recent rates per second, as in INFO's `instantaneous_...`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct PerSecond {
    /// Commands.
    pub commands: u64,
    /// Bytes received.
    pub input: u64,
    /// Bytes sent.
    pub output: u64,
}

/// How many error codes are counted separately; redis-server has the same limit, so that scripts and clients
/// cannot fill the memory.
const ERROR_CODES_MAX: usize = 128;

impl Stats {
    /// Something was denied to a client.
    pub fn add_denial(&mut self, reason: Reason) {
        self.denied[reason as usize] += 1;
    }

    /// How often it was denied.
    #[must_use]
    pub fn denials(&self, reason: Reason) -> u64 {
        self.denied[reason as usize]
    }

    /// All counters at zero.
    #[must_use]
    pub fn new(now: Time, random: &mut fastrand::Rng) -> Self {
        Self {
            started: now,
            run_id: std::iter::repeat_with(|| char::from_digit(random.u32(0..16), 16).unwrap_or('0'))
                .take(40)
                .collect(),
            connections: 0,
            rejected_connections: 0,
            commands: 0,
            commands_before: 0,
            net_input: 0,
            net_output: 0,
            expired_keys: 0,
            expired_fields: 0,
            evicted_scripts: 0,
            keyspace_hits: 0,
            keyspace_misses: 0,
            query_limit_disconnections: 0,
            denied: [0; 4],
            error_replies: 0,
            errors: Map::default(),
            by_command: Vec::new(),
            durations: Vec::new(),
            dirty: 0,
            rates: Rates::default(),
        }
    }

    /// How many commands have run for the client whose requests run.
    #[must_use]
    pub fn commands_of_client(&self) -> u64 {
        self.commands.wrapping_sub(self.commands_before)
    }

    /// Resets what `CONFIG RESETSTAT` resets.
    pub fn reset(&mut self) {
        self.connections = 0;
        self.rejected_connections = 0;
        self.commands_before = self.commands_before.wrapping_sub(self.commands);
        self.commands = 0;
        self.net_input = 0;
        self.net_output = 0;
        self.expired_keys = 0;
        self.expired_fields = 0;
        self.keyspace_hits = 0;
        self.keyspace_misses = 0;
        self.query_limit_disconnections = 0;
        self.error_replies = 0;
        self.errors.clear();
        self.by_command.clear();
        self.durations.clear();
        self.rates.samples.clear();
    }

    /// Takes a sample of the counters, if one is due.
    #[inline]
    pub fn sample(&mut self, now: Time) {
        if now >= self.rates.next {
            self.take_sample(now);
        }
    }

    #[cold]
    fn take_sample(&mut self, now: Time) {
        self.rates.next = now + SAMPLE_INTERVAL;
        if self.rates.samples.len() == SAMPLES {
            self.rates.samples.pop_front();
        }
        let Self { commands, net_input, net_output, .. } = *self;
        self.rates.samples.push_back(Sample { at: now, commands, net_input, net_output });
    }

    /// The rates over the last 1.6 seconds, or over the part of them that has been sampled.
    #[must_use]
    pub fn per_second(&self, now: Time) -> PerSecond {
        let window = SAMPLE_INTERVAL * u32::try_from(SAMPLES).unwrap_or(u32::MAX);
        let Some(first) = self.rates.samples.iter().find(|sample| now.since(sample.at) <= window) else {
            return PerSecond::default();
        };
        let millis = u64::try_from(now.since(first.at).as_millis()).unwrap_or(u64::MAX);
        let rate = |now: u64, then: u64| {
            (now.saturating_sub(then).saturating_mul(1000)).checked_div(millis).unwrap_or_default()
        };
        PerSecond {
            commands: rate(self.commands, first.commands),
            input: rate(self.net_input, first.net_input),
            output: rate(self.net_output, first.net_output),
        }
    }

    /// The counters of the command at this index of the table.
    #[inline]
    pub fn command(&mut self, index: usize) -> &mut CommandStats {
        if self.by_command.len() <= index {
            self.make_room(index);
        }
        &mut self.by_command[index]
    }

    #[cold]
    fn make_room(&mut self, index: usize) {
        self.by_command.resize(index + 1, CommandStats::default());
    }

    /// Notes that a command ran `times` times, for `nanos` nanoseconds each. Their sum is kept, and each duration if
    /// `tracked`.
    pub fn add_durations(&mut self, index: usize, nanos: u64, times: u64, tracked: bool) {
        self.command(index).nanos += nanos * times;
        if !tracked {
            return;
        }
        if self.durations.len() <= index {
            self.durations.resize(index + 1, None);
        }
        let Some(slot) = self.durations.get_mut(index) else { return };
        if slot.is_none() {
            // Its buckets grow with the durations.
            *slot =
                Histogram::new(EXACT_DIGITS).ok().map(|histogram| Box::new(DurationsOfCommand(histogram)));
        }
        if let Some(durations) = slot {
            let nanos = (nanos / 1000 * 1000).clamp(*DURATIONS.start(), *DURATIONS.end());
            let recorded = durations.0.record_n(nanos, times);
            debug_assert!(recorded.is_ok(), "the buckets reach as far as is recorded");
        }
    }

    /// The durations of the command at this index of the table, if it has run.
    #[must_use]
    pub fn durations(&self, index: usize) -> Option<&DurationsOfCommand> {
        self.durations.get(index)?.as_deref()
    }

    /// Counts an error reply, which begins with its code.
    pub fn error(&mut self, text: &[u8]) {
        self.error_replies += 1;
        let code = text.split(|byte| *byte == b' ').next().unwrap_or_default();
        let code = String::from_utf8_lossy(code.trim_ascii_end());
        if let Some(count) = self.errors.get_mut(code.as_ref()) {
            *count += 1;
        } else if self.errors.len() < ERROR_CODES_MAX {
            self.errors.insert(code.into_owned(), 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_those_of_the_last_moments() {
        let mut stats = Stats::new(Time::from_millis(0), &mut fastrand::Rng::with_seed(1));
        let at = |millis| Time::from_millis(millis);
        assert_eq!(stats.per_second(at(0)).commands, 0);
        // 50 commands in half a second, then silence.
        for millis in (0..500).step_by(10) {
            stats.sample(at(millis));
            stats.commands += 1;
        }
        assert_eq!(stats.per_second(at(500)).commands, 100);
        assert_eq!(stats.per_second(at(1000)).commands, 50);
        stats.sample(at(10_000));
        assert_eq!(stats.per_second(at(10_100)).commands, 0);
    }
}
