//! How much output may wait for a client that does not read, as redis-server counts it.

use super::{Client, Close};
use crate::config::Config;
use crate::data::Time;

/// The size of a client's own buffer in redis-server. It does not count for `client-output-buffer-limit`.
pub const FIXED_OUTPUT: usize = 16 * 1024;
/// The size of the memory blocks for the output beyond that: what redis-server's allocator makes of a block of 16 KB.
pub const OUTPUT_BLOCK: usize = 20 * 1024;

/// How many of these bytes are in the fixed buffer, and how many blocks the others take.
pub(super) fn in_blocks(bytes: usize) -> (usize, usize) {
    let beyond = bytes.saturating_sub(FIXED_OUTPUT);
    (bytes - beyond, beyond.div_ceil(OUTPUT_BLOCK))
}

/// The state of a client's outbox.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Over {
    /// It is within its limits.
    None,
    /// It is over the soft limit and is cut off at this time if it is still over it, in milliseconds since the Unix
    /// epoch.
    Soft { until: i64 },
    /// The client has been cut off.
    Hard,
}

/// Cuts off a client that does not read its output, as redis-server does by `client-output-buffer-limit`. `added` bytes
/// have just been appended to its outbox.
pub(super) fn check_output_limit(client: &mut Client, added: usize, config: &Config, now: Time) -> Over {
    if client.close == Close::Now {
        return Over::None;
    }
    let pending = client.pending_output();
    if pending <= FIXED_OUTPUT {
        // The usual case.
        client.over_soft_limit = None;
        return Over::None;
    }
    if client.must_authenticate() {
        // As in redis-server: before login no output may wait beyond the fixed buffer (it allows 1,024 bytes of blocks,
        // and the smallest block is longer).
        return cut_off(client);
    }
    let limit = config.output_limit(client.output_class());
    let is_over = |bytes: usize, limit: usize| limit > 0 && in_blocks(bytes).1 * OUTPUT_BLOCK > limit;
    if is_over(pending, limit.hard) {
        return cut_off(client);
    }
    if !is_over(pending, limit.soft) {
        client.over_soft_limit = None;
        return Over::None;
    }
    if added > 0 && !is_over(pending.saturating_sub(added), limit.soft) {
        // All output that was over the limit before has been written since then.
        client.over_soft_limit = None;
    }
    let since = *client.over_soft_limit.get_or_insert(now);
    // Counted in whole seconds, of which one more has to begin.
    let seconds = i64::try_from(limit.soft_seconds).unwrap_or(i64::MAX);
    let until = since.seconds().saturating_add(seconds).saturating_add(1);
    if now.seconds() >= until { cut_off(client) } else { Over::Soft { until: until.saturating_mul(1000) } }
}

/// As [`check_output_limit`], for bytes that are still to be appended: if a message is too long, the client is cut off
/// before the message is copied.
#[inline]
pub(super) fn refuse_too_much(client: &mut Client, more: usize, config: &Config) -> Over {
    if more <= FIXED_OUTPUT || client.close == Close::Now {
        return Over::None;
    }
    let hard = config.output_limit(client.output_class()).hard;
    let is_over = hard > 0 && in_blocks(client.pending_output().saturating_add(more)).1 * OUTPUT_BLOCK > hard;
    if is_over || client.must_authenticate() { cut_off(client) } else { Over::None }
}

fn cut_off(client: &mut Client) -> Over {
    client.close = Close::Now;
    client.over_output_limit = true;
    client.drop_output();
    Over::Hard
}
