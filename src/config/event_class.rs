//! Classes of keyspace notifications, as `notify-keyspace-events` names them.

use super::version::Version;

/// A set of classes of keyspace notifications, as set by `notify-keyspace-events`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Class(u32);

impl Class {
    /// `K`: published on `__keyspace@<db>__:<key>`.
    pub const KEYSPACE: Self = Self(1);
    /// `E`: published on `__keyevent@<db>__:<event>`.
    pub const KEYEVENT: Self = Self(1 << 1);
    /// `g`: DEL, EXPIRE, RENAME and other events of keys of any type.
    pub const GENERIC: Self = Self(1 << 2);
    /// `$`: strings.
    pub const STRING: Self = Self(1 << 3);
    /// `l`: lists.
    pub const LIST: Self = Self(1 << 4);
    /// `s`: sets.
    pub const SET: Self = Self(1 << 5);
    /// `h`: hashes.
    pub const HASH: Self = Self(1 << 6);
    /// `z`: sorted sets.
    pub const SORTED_SET: Self = Self(1 << 7);
    /// `x`: a key has expired.
    pub const EXPIRED: Self = Self(1 << 8);
    /// `e`: a key was evicted.
    pub const EVICTED: Self = Self(1 << 9);
    /// `t`: streams.
    pub const STREAM: Self = Self(1 << 10);
    /// `m`: a key that does not exist was read.
    pub const KEY_MISS: Self = Self(1 << 11);
    /// `d`: types of modules.
    pub const MODULE: Self = Self(1 << 13);
    /// `n`: a new key.
    pub const NEW: Self = Self(1 << 14);
    /// `o`: a value was overwritten. Since Redis 8.2.
    pub const OVERWRITTEN: Self = Self(1 << 15);
    /// `c`: a key holds another type. Since Redis 8.2.
    pub const TYPE_CHANGED: Self = Self(1 << 16);
    /// `A`: all but `m`, `n`, `o` and `c`.
    pub const ALL: Self = Self(
        Self::GENERIC.0
            | Self::STRING.0
            | Self::LIST.0
            | Self::SET.0
            | Self::HASH.0
            | Self::SORTED_SET.0
            | Self::EXPIRED.0
            | Self::EVICTED.0
            | Self::STREAM.0
            | Self::MODULE.0,
    );

    const LETTERS: [(u8, Self); 17] = [
        (b'A', Self::ALL),
        (b'g', Self::GENERIC),
        (b'$', Self::STRING),
        (b'l', Self::LIST),
        (b's', Self::SET),
        (b'h', Self::HASH),
        (b'z', Self::SORTED_SET),
        (b'x', Self::EXPIRED),
        (b'e', Self::EVICTED),
        (b't', Self::STREAM),
        (b'd', Self::MODULE),
        (b'n', Self::NEW),
        (b'o', Self::OVERWRITTEN),
        (b'c', Self::TYPE_CHANGED),
        (b'K', Self::KEYSPACE),
        (b'E', Self::KEYEVENT),
        (b'm', Self::KEY_MISS),
    ];

    /// True if all classes of `other` are among these.
    #[must_use]
    pub fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// True if a class of `other` is among these.
    #[must_use]
    pub fn has_any_of(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// The classes of both sets.
    #[must_use]
    pub const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Reads the letters of `notify-keyspace-events` as this version of Redis.
    #[must_use]
    pub fn parse(letters: &[u8], version: Version) -> Option<Self> {
        letters.iter().try_fold(Self::default(), |classes, letter| {
            let (_, class) = Self::LETTERS.iter().find(|(known, _)| known == letter)?;
            let is_new = Self::OVERWRITTEN.or(Self::TYPE_CHANGED).contains(*class);
            (!is_new || version >= Version::Redis8_2).then(|| classes.or(*class))
        })
    }

    /// The letters, in the order of redis-server's CONFIG GET. Together with `A` it names neither `n` nor `o` nor `c`.
    #[must_use]
    pub fn letters(self) -> String {
        let all = self.contains(Self::ALL);
        let beside_all = Self::ALL.or(Self::NEW).or(Self::OVERWRITTEN).or(Self::TYPE_CHANGED);
        Self::LETTERS
            .iter()
            .filter(|(letter, class)| {
                let within_all = *letter != b'A' && beside_all.contains(*class);
                self.contains(*class) && !(all && within_all)
            })
            .map(|(letter, _)| *letter as char)
            .collect()
    }
}
