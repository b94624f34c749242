//! How much memory scripts may hold.

use super::errors::Thrown;

/// How much memory all scripts together may hold: as much as one string may be long by default (`proto-max-bulk-len`).
pub(super) const MEMORY: usize = 512 * 1024 * 1024;

/// What Lua throws where there is none left.
pub(super) fn exhausted() -> mlua::Error {
    Thrown::Text(b"not enough memory".to_vec()).into()
}
