//! How long commands take: for the statistics, for SLOWLOG and for the latency monitor.
//!
//! Reading the clock takes as long as a short command. So the shell measures a batch of commands as a whole, which is
//! enough for the statistics. A command is measured alone only if SLOWLOG or LATENCY may show it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::Engine;
use super::command_life::Origin;
use super::monitor::shown;
use crate::clients::ClientKey;
use crate::config::Version;
use crate::data::Bytes;
use crate::resp::Args;
use crate::spec::{Command, Flags, Run};
use crate::state::State;
use crate::state::slow_log::{SlowCommand, shortened};

/// With a `slowlog-log-slower-than` below this many microseconds every command is measured; above it only those that can
/// take so long, see [`Command::may_take_long`].
const ALL_BELOW: u64 = 1000;

/// The clock of the shell by which commands are measured: the time since any moment that stays the same.
#[derive(Clone)]
pub struct Stopwatch(Arc<dyn Fn() -> Duration + Send + Sync>);

impl Stopwatch {
    /// A stopwatch that shows what `elapsed` returns.
    pub fn new(elapsed: impl Fn() -> Duration + Send + Sync + 'static) -> Self {
        Self(Arc::new(elapsed))
    }
}

impl fmt::Debug for Stopwatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Stopwatch")
    }
}

/// What the durations of commands need besides the state.
#[derive(Debug, Default)]
pub(super) struct Durations {
    /// None: every command takes no time, as in a simulation.
    stopwatch: Option<Stopwatch>,
    /// For how long a fault has delayed the command that is about to run. It counts as time that the command takes.
    pub(super) delayed: Duration,
    /// The index in the table of the command that has run last, and how often it ran in a row.
    last: usize,
    times: u64,
    /// The same of those before it, since [`Engine::record_durations`].
    ran: Vec<(usize, u64)>,
    /// How long the commands took that were measured alone, and ran no others.
    alone: Duration,
}

impl Engine {
    /// Has commands measured by this clock. Without it none takes any time but by DEBUG SLEEP or a fault.
    pub fn set_stopwatch(&mut self, stopwatch: Stopwatch) {
        self.durations.stopwatch = Some(stopwatch);
    }

    /// Counts a command that has run.
    #[inline]
    pub(super) fn count_run(&mut self, command: &Command) {
        let Durations { last, times, ran, .. } = &mut self.durations;
        if *last == command.index() {
            *times += 1;
        } else {
            ran.push((std::mem::replace(last, command.index()), std::mem::replace(times, 1)));
        }
    }

    /// Records how long the commands since the last call took, measured by the shell; several in a batch get equal
    /// shares, except those that were measured alone.
    ///
    /// While the clock stands still no time passes, and the duration is not recorded.
    pub fn record_durations(&mut self, elapsed: Duration) {
        let alone = std::mem::take(&mut self.durations.alone);
        let elapsed = if self.clock.is_stopped() { Duration::ZERO } else { elapsed.saturating_sub(alone) };
        let Durations { last, times, ran, .. } = &mut self.durations;
        ran.push((*last, std::mem::take(times)));
        let State { stats, config, .. } = &mut *self.state;
        let commands: u64 = ran.iter().map(|(_, times)| times).sum();
        let share = u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX) / commands.max(1);
        for (index, times) in ran.drain(..).filter(|(_, times)| *times > 0) {
            stats.add_durations(index, share, times, config.latency_tracking);
        }
    }

    /// Whether this command is measured alone.
    #[inline]
    pub(super) fn is_measured(&self, command: &Command, args: Args<'_>) -> bool {
        command.may_take_long(args.len()) || self.is_each_measured()
    }

    /// Whether the next command is measured alone even if it does not take long.
    #[inline]
    pub(super) fn is_each_measured(&self) -> bool {
        self.state.config.slowlog_log_slower_than.cast_unsigned() < ALL_BELOW
            || !self.durations.delayed.is_zero()
    }

    /// A command begins that is measured: returns when, in nanoseconds of the stopwatch.
    #[cold]
    #[inline(never)]
    pub(super) fn begin_measuring(&mut self) -> i64 {
        self.elapsed() - nanoseconds(std::mem::take(&mut self.durations.delayed))
    }

    /// The nanoseconds of the stopwatch. DEBUG SLEEP, which returns at once, counts as if it had taken its time.
    pub(super) fn elapsed(&self) -> i64 {
        let stopwatch = self.durations.stopwatch.as_ref().filter(|_| !self.clock.is_stopped());
        nanoseconds(stopwatch.map_or(Duration::ZERO, |stopwatch| stopwatch.0()) + self.state.slept)
    }

    /// A command that began at `began` has run: SLOWLOG and LATENCY show it if it took long.
    #[cold]
    #[inline(never)]
    pub(super) fn end_measuring(
        &mut self,
        began: i64,
        (client, origin): (ClientKey, Origin),
        command: &Command,
        args: Args<'_>,
    ) {
        let nanos = u64::try_from(self.elapsed().saturating_sub(began)).unwrap_or_default();
        let duration = Duration::from_nanos(nanos);
        if matches!(command.run, Run::Command(_)) && matches!(origin, Origin::Request | Origin::AfterWait) {
            self.durations.alone += duration;
        }
        let State { config, latencies, stats, now, .. } = &mut *self.state;
        stats.add_durations(command.index(), nanos, 1, config.latency_tracking);
        let threshold = config.latency_monitor_threshold;
        if threshold > 0 && duration.as_millis() >= threshold.into() {
            let is_fast = command.flags.contains(Flags::FAST);
            latencies.add(if is_fast { "fast-command" } else { "command" }, *now, duration);
        }
        let threshold = u64::try_from(config.slowlog_log_slower_than).map(Duration::from_micros);
        if threshold.is_ok_and(|threshold| duration >= threshold) {
            self.log_slow_command(duration, (client, origin), command, args);
        }
    }

    fn log_slow_command(
        &mut self,
        duration: Duration,
        (client, origin): (ClientKey, Origin),
        command: &Command,
        args: Args<'_>,
    ) {
        let State { config, clients, slow_log, now, .. } = &mut *self.state;
        let is_old = config.compat < Version::Redis7_4;
        if command.flags.contains(Flags::SKIP_SLOWLOG) || config.slowlog_max_len == 0 && !is_old {
            return;
        }
        let Some(client) = clients.get(client) else { return };
        let (address, name) = if origin == Origin::Script {
            // A script has a client of its own, which has no connection.
            (if is_old { "?:0" } else { "" }, Bytes::default())
        } else {
            (&*client.address.peer, client.name.clone())
        };
        let args = shortened(shown(Some(command), args));
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        let entry = SlowCommand { id: 0, at: *now, micros, args, address: address.into(), name };
        slow_log.add(entry, config.slowlog_max_len);
    }
}

fn nanoseconds(duration: Duration) -> i64 {
    duration.as_nanos().try_into().unwrap_or(i64::MAX / 2)
}
