//! The ids of entries.

/// The id of an entry: a time and a number within it. Ids order by time first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default, Hash)]
pub struct StreamId {
    /// Milliseconds since the Unix epoch, if redis-server chose the id; otherwise any number.
    pub ms: u64,
    /// The number among the ids of the same millisecond.
    pub seq: u64,
}

impl StreamId {
    /// The smallest id, which no entry has.
    pub const MIN: Self = Self { ms: 0, seq: 0 };
    /// The greatest id.
    pub const MAX: Self = Self { ms: u64::MAX, seq: u64::MAX };
    /// How many bytes an id in decimal digits has at most.
    pub const TEXT_MAX: usize = 41;

    /// The id directly after this one; `None` after the greatest.
    #[must_use]
    pub fn next(self) -> Option<Self> {
        match self.seq.checked_add(1) {
            Some(seq) => Some(Self { seq, ..self }),
            None => Some(Self { ms: self.ms.checked_add(1)?, seq: 0 }),
        }
    }

    /// The id directly before this one; `None` before the smallest.
    #[must_use]
    pub fn previous(self) -> Option<Self> {
        match self.seq.checked_sub(1) {
            Some(seq) => Some(Self { seq, ..self }),
            None => Some(Self { ms: self.ms.checked_sub(1)?, seq: u64::MAX }),
        }
    }

    /// Prints the id as `<ms>-<seq>`.
    pub fn print(self, buffer: &mut [u8; Self::TEXT_MAX]) -> &[u8] {
        let (mut ms, mut seq) = (itoa::Buffer::new(), itoa::Buffer::new());
        // 20 digits each at most, as 64 bits have.
        let (ms, seq) = (ms.format(self.ms).as_bytes(), seq.format(self.seq).as_bytes());
        let dash = ms.len();
        let end = dash + 1 + seq.len();
        buffer[..dash].copy_from_slice(ms);
        buffer[dash] = b'-';
        buffer[dash + 1..end].copy_from_slice(seq);
        &buffer[..end]
    }
}
