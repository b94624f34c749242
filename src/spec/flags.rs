//! Command flags and ACL categories: small sets with the names and the order of `COMMAND INFO`.

/// A set of command flags, as `COMMAND INFO` shows them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Flags(pub u32);

/// A set of ACL categories, as `COMMAND INFO` shows them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Categories(pub u32);

/// Defines the consts of a set and the names by which they are printed, in the order of the bits.
macro_rules! set {
    ($set:ident { $($(#[$doc:meta])* $bit:literal $constant:ident $name:literal,)* }) => {
        impl $set {
            $($(#[$doc])* pub const $constant: Self = Self(1 << $bit);)*
            /// Nothing.
            pub const NONE: Self = Self(0);
            /// Every member with its name in the server, in the server's order.
            pub const NAMES: &'static [(Self, &'static str)] = &[$((Self::$constant, $name),)*];

            /// Both sets together. A method, because operators of traits cannot run in a `const`.
            #[must_use]
            pub const fn or(self, other: Self) -> Self {
                Self(self.0 | other.0)
            }

            /// This set without the members of `other`.
            #[must_use]
            pub const fn without(self, other: Self) -> Self {
                Self(self.0 & !other.0)
            }

            /// Whether all of `other` is in this set.
            #[must_use]
            pub const fn contains(self, other: Self) -> bool {
                self.0 & other.0 == other.0
            }

            /// Whether any of `other` is in this set.
            #[must_use]
            pub const fn intersects(self, other: Self) -> bool {
                self.0 & other.0 != 0
            }

            /// The names of the members, in the order in which the server prints them.
            pub fn names(self) -> impl Iterator<Item = &'static str> + Clone {
                Self::NAMES
                    .iter()
                    .filter(move |(member, _)| self.contains(*member))
                    .map(|(_, name)| *name)
            }

            /// The member of this name, in either case.
            #[must_use]
            pub fn by_name(name: &[u8]) -> Option<Self> {
                Self::NAMES
                    .iter()
                    .find(|(_, known)| known.as_bytes().eq_ignore_ascii_case(name))
                    .map(|(member, _)| *member)
            }
        }

        impl std::ops::BitOr for $set {
            type Output = Self;

            fn bitor(self, other: Self) -> Self {
                self.or(other)
            }
        }
    };
}

set!(Flags {
    /// May change data.
    0 WRITE "write",
    /// Reads data and never changes it.
    1 READONLY "readonly",
    /// May need more memory: refused when `maxmemory` is reached.
    2 DENYOOM "denyoom",
    /// Comes from a module.
    3 MODULE "module",
    /// For operators; implies the categories `@admin` and `@dangerous`.
    4 ADMIN "admin",
    /// Belongs to Pub/Sub.
    5 PUBSUB "pubsub",
    /// Not to be called from scripts.
    6 NOSCRIPT "noscript",
    /// May make the client wait.
    7 BLOCKING "blocking",
    /// Allowed while the data set is being loaded.
    8 LOADING "loading",
    /// Allowed on a replica that has lost its master.
    9 STALE "stale",
    /// Not shown to MONITOR.
    10 SKIP_MONITOR "skip_monitor",
    /// Not entered into the slow log.
    11 SKIP_SLOWLOG "skip_slowlog",
    /// Redirects as if ASKING had been sent.
    12 ASKING "asking",
    /// Takes constant or logarithmic time; implies `@fast`, its absence `@slow`.
    13 FAST "fast",
    /// Allowed before AUTH.
    14 NO_AUTH "no_auth",
    /// May be propagated although it does not write.
    15 MAY_REPLICATE "may_replicate",
    /// May have no keys at all although it has key specs.
    16 NO_MANDATORY_KEYS "no_mandatory_keys",
    /// Switched on by a `enable-...-command` directive.
    17 PROTECTED "protected",
    /// Refused while a replica loads in the background.
    18 NO_ASYNC_LOADING "no_async_loading",
    /// Not allowed within MULTI.
    19 NO_MULTI "no_multi",
    /// The legacy first/last/step triple does not cover all keys. Derived from the key specs.
    20 MOVABLE_KEYS "movablekeys",
    /// Allowed while a script has been running for too long.
    21 ALLOW_BUSY "allow_busy",
});

impl Flags {
    /// Whether a command writes, or has an effect that a server sends to its replicas.
    #[must_use]
    pub fn may_write(self) -> bool {
        self.intersects(Self::WRITE.or(Self::PROPAGATED))
    }

    /// Not to be called from scripts before Redis 7.2. It has no name: COMMAND INFO shows the flags of Redis 8.
    pub const NOSCRIPT_IN_7_0: Self = Self(1 << 31);

    // The flags from here on are rules of the server that COMMAND INFO does not show.

    /// Has an effect that a server sends to its replicas although it may change no key, such as PUBLISH: CLIENT PAUSE
    /// WRITE delays it.
    pub const PROPAGATED: Self = Self(1 << 30);
    /// Its replies are pushes, which CLIENT REPLY does not suppress.
    pub const PUSH_REPLY: Self = Self(1 << 29);
    /// May be sent by a RESP2 client that is subscribed.
    pub const ALLOWED_SUBSCRIBED: Self = Self(1 << 28);
    /// Runs at once between MULTI and EXEC, where other commands are queued.
    pub const RUNS_IN_MULTI: Self = Self(1 << 27);
    /// Counts as a use of its keys even for a client that has sent CLIENT NO-TOUCH.
    pub const COUNTS_AS_USE: Self = Self(1 << 26);

    /// Affects later commands of its connection, or has more than one reply.
    pub const OF_CONNECTION: Self = Self(1 << 25);

    /// Its subcommands do not end the effect of CLIENT CACHING.
    pub const KEEPS_CACHING: Self = Self(1 << 24);

    /// Its keyspace events come before the notifications of clients that track its keys; those of other commands after.
    pub const EVENTS_FIRST: Self = Self(1 << 23);

    /// As [`Flags::EVENTS_FIRST`] since Redis 7.2.
    pub const EVENTS_FIRST_SINCE_7_2: Self = Self(1 << 22);

    /// Allowed at any time: while loading and on a stale replica. Commands mostly have both flags.
    pub const ANYTIME: Self = Self::LOADING.or(Self::STALE);
}

set!(Categories {
    /// About keys with values of any type.
    0 KEYSPACE "keyspace",
    /// Reads. Follows from the flag `readonly`.
    1 READ "read",
    /// Writes. Follows from the flag `write`.
    2 WRITE "write",
    /// Sets.
    3 SET "set",
    /// Sorted sets.
    4 SORTED_SET "sortedset",
    /// Lists.
    5 LIST "list",
    /// Hashes.
    6 HASH "hash",
    /// Strings.
    7 STRING "string",
    /// Bitmaps.
    8 BITMAP "bitmap",
    /// Cardinality estimates.
    9 HYPERLOGLOG "hyperloglog",
    /// Positions on the earth.
    10 GEO "geo",
    /// Streams.
    11 STREAM "stream",
    /// Pub/Sub. Follows from the flag.
    12 PUBSUB "pubsub",
    /// For operators. Follows from the flag.
    13 ADMIN "admin",
    /// Fast. Follows from the flag.
    14 FAST "fast",
    /// Everything that is not fast.
    15 SLOW "slow",
    /// May wait. Follows from the flag.
    16 BLOCKING "blocking",
    /// Dangerous.
    17 DANGEROUS "dangerous",
    /// About the connection.
    18 CONNECTION "connection",
    /// MULTI, EXEC and the like.
    19 TRANSACTION "transaction",
    /// Scripts.
    20 SCRIPTING "scripting",
});

impl Categories {
    /// These categories and those that follow from the flags.
    #[must_use]
    pub(super) const fn with_implied(self, flags: Flags) -> Self {
        let mut all = self;
        if flags.contains(Flags::WRITE) {
            all = all.or(Self::WRITE);
        }
        // A script that is called read-only does not read by itself.
        if flags.contains(Flags::READONLY) && !self.contains(Self::SCRIPTING) {
            all = all.or(Self::READ);
        }
        if flags.contains(Flags::ADMIN) {
            all = all.or(Self::ADMIN).or(Self::DANGEROUS);
        }
        if flags.contains(Flags::PUBSUB) {
            all = all.or(Self::PUBSUB);
        }
        if flags.contains(Flags::FAST) {
            all = all.or(Self::FAST);
        }
        if flags.contains(Flags::BLOCKING) {
            all = all.or(Self::BLOCKING);
        }
        if all.contains(Self::FAST) { all } else { all.or(Self::SLOW) }
    }
}
