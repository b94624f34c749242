//! The values of `maxmemory-policy`.

/// `maxmemory-policy`. Nothing is evicted, as there is no memory limit; the policy determines what is recorded about
/// an access.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Policy {
    VolatileLru,
    VolatileLfu,
    VolatileRandom,
    VolatileTtl,
    AllkeysLru,
    AllkeysLfu,
    AllkeysRandom,
    #[default]
    Noeviction,
}

impl Policy {
    /// All of them, in redis-server's order.
    pub const ALL: [Self; 8] = [
        Self::VolatileLru,
        Self::VolatileLfu,
        Self::VolatileRandom,
        Self::VolatileTtl,
        Self::AllkeysLru,
        Self::AllkeysLfu,
        Self::AllkeysRandom,
        Self::Noeviction,
    ];

    /// Its name in redis.conf.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::VolatileLru => "volatile-lru",
            Self::VolatileLfu => "volatile-lfu",
            Self::VolatileRandom => "volatile-random",
            Self::VolatileTtl => "volatile-ttl",
            Self::AllkeysLru => "allkeys-lru",
            Self::AllkeysLfu => "allkeys-lfu",
            Self::AllkeysRandom => "allkeys-random",
            Self::Noeviction => "noeviction",
        }
    }

    /// True for the LRU policies: a file has for each key how long it was not used.
    #[must_use]
    pub fn orders_by_use(self) -> bool {
        matches!(self, Self::VolatileLru | Self::AllkeysLru)
    }

    /// True for the LFU policies: the frequency of use is recorded.
    #[must_use]
    pub fn counts(self) -> bool {
        matches!(self, Self::VolatileLfu | Self::AllkeysLfu)
    }
}
