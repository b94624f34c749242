//! Values that must exist.

/// Returns a value that must exist, such as the client of a command that runs. If it is missing, that is a bug: builds
/// with debug assertions panic, so that tests find it; other builds continue without it.
#[inline(always)]
#[allow(clippy::inline_always)] // Nothing is left of it without debug assertions.
#[track_caller]
pub(crate) fn present<T>(found: Option<T>) -> Option<T> {
    debug_assert!(found.is_some(), "what must be there is missing");
    found
}
