//! Long output is kept in segments, which many clients can share.

use std::collections::VecDeque;

use bytes::Bytes;

use super::output_limit::FIXED_OUTPUT;
use super::{Client, Spare};

/// A push that is longer than this is shared by the clients that get it. Copying a shorter one costs less than
/// splitting each outbox into several segments.
pub const SHARED_ABOVE: usize = FIXED_OUTPUT;

/// Output in the order in which it is to be written.
#[derive(Debug, Default)]
pub struct Segments {
    segments: VecDeque<Bytes>,
    bytes: usize,
}

impl Segments {
    /// Appends a segment.
    pub fn push(&mut self, segment: Bytes) {
        if !segment.is_empty() {
            self.bytes += segment.len();
            self.segments.push_back(segment);
        }
    }

    /// Takes the first segment.
    pub fn pop(&mut self) -> Option<Bytes> {
        let segment = self.segments.pop_front()?;
        self.bytes -= segment.len();
        Some(segment)
    }

    /// Appends all segments of another output.
    pub fn append(&mut self, mut other: Self) {
        self.bytes += other.bytes;
        self.segments.append(&mut other.segments);
    }

    /// How many bytes the segments have together.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

/// An encoded push.
#[derive(Clone, Copy, Debug)]
pub enum Encoded<'a> {
    /// It is copied to each client.
    Copied(&'a [u8]),
    /// It is stored once, for all clients that get it.
    Shared(&'a Bytes),
}

impl Encoded<'_> {
    /// The bytes of the push.
    #[must_use]
    pub fn to_bytes(self) -> Bytes {
        match self {
            Self::Copied(bytes) => Bytes::copy_from_slice(bytes),
            Self::Shared(bytes) => bytes.clone(),
        }
    }
}

impl<'a> From<&'a Bytes> for Encoded<'a> {
    /// Shared if it is long enough.
    fn from(bytes: &'a Bytes) -> Self {
        if bytes.len() > SHARED_ABOVE { Self::Shared(bytes) } else { Self::Copied(bytes) }
    }
}

/// What can be appended to an outbox.
pub(super) trait Push {
    /// How many bytes it has.
    fn length(&self) -> usize;

    /// Appends it.
    fn append(self, to: &mut Client, spare: &mut Spare);
}

impl Push for &[u8] {
    #[inline]
    fn length(&self) -> usize {
        self.len()
    }

    #[inline]
    fn append(self, to: &mut Client, spare: &mut Spare) {
        if to.outbox.capacity() == 0 {
            to.outbox = spare.take();
        }
        to.outbox.extend_from_slice(self);
    }
}

impl Push for Encoded<'_> {
    fn length(&self) -> usize {
        match self {
            Self::Copied(bytes) => bytes.len(),
            Self::Shared(bytes) => bytes.len(),
        }
    }

    fn append(self, to: &mut Client, spare: &mut Spare) {
        match self {
            Self::Copied(bytes) => bytes.append(to, spare),
            // It follows the reply that is being written and is not in the outbox yet.
            Self::Shared(bytes) if to.answering => bytes.as_ref().append(to, spare),
            Self::Shared(bytes) => to.append_shared(bytes.clone(), spare),
        }
    }
}

impl Client {
    /// Moves the outbox to the segments, and appends a segment.
    #[cold]
    fn append_shared(&mut self, shared: Bytes, spare: &mut Spare) {
        let outbox = std::mem::take(&mut self.outbox);
        let segments = self.segments.get_or_insert_default();
        let before = segments.bytes;
        // A segment wastes little memory.
        if outbox.len() < outbox.capacity() / 2 {
            segments.push(Bytes::copy_from_slice(&outbox));
            spare.put(outbox);
        } else {
            segments.push(outbox.into());
        }
        segments.push(shared);
        let moved = segments.bytes - before;
        self.in_flight += moved;
        self.net_output += moved as u64;
    }

    /// Drops all output that the shell has not taken. It does not count as sent.
    pub(super) fn drop_output(&mut self) {
        self.outbox = Vec::new();
        let dropped = self.segments.take().map_or(0, |segments| segments.bytes);
        self.in_flight -= dropped;
        self.net_output -= dropped as u64;
    }
}
