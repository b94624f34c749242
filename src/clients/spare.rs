//! Unused buffers for outboxes.

/// Empty buffers.
#[derive(Debug, Default)]
pub struct Spare {
    buffers: Vec<Vec<u8>>,
    /// Their total capacity.
    bytes: usize,
}

/// How many empty buffers are kept: enough for a message to a thousand subscribers.
const SPARE_BUFFERS_MAX: usize = 1024;
/// A buffer that has grown beyond this is freed. Long replies to a pipeline are not longer.
const SPARE_CAPACITY_MAX: usize = 256 * 1024;
/// The maximum of their total capacity.
const SPARE_BYTES_MAX: usize = 16 * 1024 * 1024;

impl Spare {
    /// The buffer that was returned last.
    pub fn take(&mut self) -> Vec<u8> {
        let buffer = self.buffers.pop().unwrap_or_default();
        self.bytes -= buffer.capacity();
        buffer
    }

    /// Keeps a buffer, unless there are enough.
    pub fn put(&mut self, mut buffer: Vec<u8>) {
        let capacity = buffer.capacity();
        let is_kept = (1..=SPARE_CAPACITY_MAX).contains(&capacity)
            && self.buffers.len() < SPARE_BUFFERS_MAX
            && self.bytes + capacity <= SPARE_BYTES_MAX;
        if is_kept {
            buffer.clear();
            self.bytes += capacity;
            self.buffers.push(buffer);
        }
    }
}
