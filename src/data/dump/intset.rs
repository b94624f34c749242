//! Intsets: integers of the same width in ascending order, after the width and their number.

use super::reader::Reader;
use crate::data::present;

/// Reads a whole intset.
pub(super) fn read(block: &[u8]) -> Option<Vec<i64>> {
    let mut reader = Reader::new(block);
    let width = usize::try_from(reader.u32()?).ok()?;
    let len = usize::try_from(reader.u32()?).ok()?;
    if !matches!(width, 2 | 4 | 8) || len.checked_mul(width)? != reader.left() {
        return None;
    }
    let mut members = Vec::with_capacity(len);
    for _ in 0..len {
        let member = match width {
            2 => i16::from_le_bytes(reader.array()?).into(),
            4 => i32::from_le_bytes(reader.array()?).into(),
            _ => reader.i64()?,
        };
        if members.last().is_some_and(|last| *last >= member) {
            return None;
        }
        members.push(member);
    }
    Some(members)
}

/// Writes integers that are in ascending order.
#[allow(clippy::cast_possible_truncation)]
pub(super) fn write(members: &[i64]) -> Vec<u8> {
    let ends = || members.first().into_iter().chain(members.last());
    let width = if ends().all(|end| i16::try_from(*end).is_ok()) {
        2
    } else if ends().all(|end| i32::try_from(*end).is_ok()) {
        4
    } else {
        8
    };
    let mut block = Vec::with_capacity(8 + members.len() * width);
    block.extend_from_slice(&(width as u32).to_le_bytes());
    block.extend_from_slice(&(members.len() as u32).to_le_bytes());
    for member in members {
        // The lower bytes of an integer are the integer in a smaller width.
        block.extend_from_slice(present(member.to_le_bytes().get(..width)).unwrap_or_default());
    }
    block
}
