//! When a key was last used, or how often: what OBJECT IDLETIME and OBJECT FREQ report.

use fastrand::Rng;

use crate::config::Config;
use crate::data::Time;

/// The last access to a key, in redis-server's 24 bits: the second, or with an LFU policy the minute (16 bits)
/// and a counter (8 bits). As in redis-server, the bits are read by the present policy: after a change of the
/// policy they mean little until the key is used again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Access(u32);

/// The bits of the clock of seconds.
const SECONDS_MASK: u32 = (1 << 24) - 1;
/// The bits of the clock of minutes.
const MINUTES_MASK: u32 = (1 << 16) - 1;
/// The counter of a new key: a key with a lower one is used less than a new key.
const NEW_COUNT: u8 = 5;

#[allow(clippy::cast_possible_truncation)]
fn seconds(now: Time) -> u32 {
    (now.micros() / 1_000_000) as u32 & SECONDS_MASK
}

#[allow(clippy::cast_possible_truncation)]
fn minutes(now: Time) -> u32 {
    (now.micros() / 60_000_000) as u32 & MINUTES_MASK
}

impl Access {
    /// For a new key.
    #[must_use]
    pub fn first(config: &Config, now: Time) -> Self {
        if config.maxmemory_policy.counts() { Self::counted(NEW_COUNT, now) } else { Self(seconds(now)) }
    }

    /// With this counter, for the LFU policies.
    #[must_use]
    pub fn counted(count: u8, now: Time) -> Self {
        Self(minutes(now) << 8 | u32::from(count))
    }

    /// Last used `idle` seconds ago, for the other policies.
    #[must_use]
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    pub fn idle_for(idle: i64, now: Time) -> Self {
        // redis-server computes with milliseconds in 64 bits, which wrap.
        let then = i64::from(seconds(now)) - idle.wrapping_mul(1_000) / 1_000;
        let then = if then < 0 { then + i64::from(SECONDS_MASK) } else { then };
        Self(then as u32 & SECONDS_MASK)
    }

    /// Records that the key is used.
    #[inline]
    pub fn note(&mut self, config: &Config, now: Time, random: &mut Rng) {
        if config.maxmemory_policy.counts() {
            *self = self.count_one(config, now, random);
        } else {
            *self = Self(seconds(now));
        }
    }

    /// Counts a use: the more a key has been used, the less likely another use counts.
    fn count_one(self, config: &Config, now: Time, random: &mut Rng) -> Self {
        let count = self.count(config, now);
        let above = f64::from(count.saturating_sub(NEW_COUNT));
        let chance = 1.0 / (above * f64::from(config.lfu_log_factor) + 1.0);
        let counts = count < u8::MAX && random.f64() < chance;
        Self::counted(count + u8::from(counts), now)
    }

    /// The bits, as DEBUG OBJECT shows them.
    #[must_use]
    pub fn bits(self) -> u32 {
        self.0
    }

    /// The seconds since the last use.
    #[must_use]
    pub fn idle(self, now: Time) -> u32 {
        // As in redis-server, the clock restarts at 0 after the last but one second of its bits.
        let now = seconds(now);
        if now >= self.0 { now - self.0 } else { SECONDS_MASK - self.0 + now }
    }

    /// How often the key was used, as a logarithm, reduced by the time that has passed.
    #[must_use]
    pub fn count(self, config: &Config, now: Time) -> u8 {
        let [count, ..] = self.0.to_le_bytes();
        // The clock restarts at 0 after 65,534, as in redis-server.
        let (now, then) = (minutes(now), self.0 >> 8 & MINUTES_MASK);
        let elapsed = if now >= then { now - then } else { MINUTES_MASK - then + now };
        let periods = elapsed.checked_div(config.lfu_decay_time).unwrap_or_default();
        count.saturating_sub(u8::try_from(periods).unwrap_or(u8::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Policy;

    #[test]
    fn a_key_that_is_not_used_loses_its_count_with_the_minutes() {
        let config = Config { maxmemory_policy: Policy::AllkeysLfu, ..Config::default() };
        let at = |minutes: i64| Time::from_millis(minutes * 60_000);
        let mut random = Rng::with_seed(1);
        let mut access = Access::first(&config, at(100));
        access.note(&config, at(100), &mut random);
        assert_eq!(access.count(&config, at(100)), NEW_COUNT + 1);
        for _ in 0..1000 {
            access.note(&config, at(100), &mut random);
        }
        let count = access.count(&config, at(100));
        assert!((12..40).contains(&count), "{count}");
        assert_eq!(access.count(&config, at(107)), count - 7);
        assert_eq!(access.count(&config, at(500)), 0);
    }

    #[test]
    fn a_time_before_the_clock_wrapped_is_still_earlier() {
        let day = 86_400;
        let (then, now) = (Time::from_millis(16_777_215_000), Time::from_millis(16_777_218_000));
        // One second is lost when the clock wraps, as in redis-server.
        assert_eq!(Access::first(&Config::default(), then).idle(now), 2);
        assert_eq!(Access::idle_for(i64::from(10 * day), now).idle(now), 10 * day);
    }
}
