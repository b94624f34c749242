//! The walk of SCAN and its relatives over a table.

use std::ops::Range;

/// One step over a table of `len` items: the cursor of the next step, 0 when all is done, and the places of `count`
/// items to return now. A cursor of 0 begins.
///
/// SCAN promises that an item which is there from beginning to end is returned. The cursor alone keeps that: it says
/// how many items are left, and these are the ones at the places below it, as the walk goes from the end of the table
/// to its beginning. New items go to the end and move nobody. A removal moves only the last item, and only to a lower
/// place: one that was returned already may come below the cursor and be returned twice, which SCAN allows, but one
/// that is still to come stays below it. (With the table shorter than the cursor says, everything is still to come,
/// and the walk goes on from the end.)
pub(super) fn step(len: usize, cursor: u64, count: u64) -> (u64, Range<usize>) {
    let to_place = |value: u64| usize::try_from(value).unwrap_or(usize::MAX);
    let end = if cursor == 0 { len } else { to_place(cursor).min(len) };
    let start = end.saturating_sub(to_place(count));
    (start as u64, start..end)
}
