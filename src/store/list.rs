//! Lists.

use std::collections::VecDeque;
use std::ops::Range;

use super::Bytes;

/// A list: elements can be added and taken at both ends at constant cost.
pub type List = VecDeque<Bytes>;

/// An end of a list.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum End {
    /// The front, where the element with the index 0 is.
    Left,
    /// The back.
    Right,
}

/// A list whose memory is less than this many elements keeps it.
const KEPT_CAPACITY: usize = 64;

impl End {
    /// Adds an element at this end.
    pub fn push(self, list: &mut List, element: &[u8]) {
        self.push_owned(list, element.into());
    }

    /// Adds an element that has been taken from a list at this end.
    pub fn push_owned(self, list: &mut List, element: Bytes) {
        match self {
            Self::Left => list.push_front(element),
            Self::Right => list.push_back(element),
        }
    }

    /// Takes the element at this end.
    pub fn pop(self, list: &mut List) -> Option<Bytes> {
        let element = match self {
            Self::Left => list.pop_front(),
            Self::Right => list.pop_back(),
        };
        give_back(list);
        element
    }
}

/// Gives memory back where a list has become much shorter than it was: half of it is free afterwards, so that
/// the cost of each removal stays constant.
fn give_back(list: &mut List) {
    if list.capacity() > KEPT_CAPACITY && list.len() < list.capacity() / 4 {
        list.shrink_to(list.len() * 2);
    }
}

/// The place in a list that an index names, of which negative ones count from the end.
#[must_use]
pub fn place(index: i64, len: usize) -> Option<usize> {
    let place = match usize::try_from(index) {
        Ok(place) => place,
        Err(_) => len.checked_sub(usize::try_from(index.unsigned_abs()).ok()?)?,
    };
    (place < len).then_some(place)
}

/// Removes all elements outside of `kept`; returns how many.
pub fn keep(list: &mut List, kept: Range<usize>) -> usize {
    let before = list.len();
    list.truncate(kept.end);
    list.drain(..kept.start.min(list.len()));
    give_back(list);
    before - list.len()
}

/// Puts an element before or behind the first that is equal to `pivot`; false if there is none.
pub fn insert_beside(list: &mut List, pivot: &[u8], behind: bool, element: &[u8]) -> bool {
    let Some(place) = list.iter().position(|other| **other == *pivot) else { return false };
    list.insert(place + usize::from(behind), element.into());
    true
}

/// Removes up to `max` elements that are equal to `element`, the ones nearest to `from` first; returns how many.
/// What is beyond the last of them is not looked at.
pub fn remove_equal(list: &mut List, element: &[u8], max: usize, from: End) -> usize {
    let is_equal = |other: &Bytes| **other == *element;
    let reach = |elements: &mut dyn Iterator<Item = &Bytes>| {
        let matches = elements.enumerate().filter(|(_, other)| is_equal(other)).take(max);
        matches.last().map_or(0, |(place, _)| place + 1)
    };
    let before = list.len();
    match from {
        End::Left => {
            let mut kept: Vec<Bytes> = list.drain(..reach(&mut list.iter())).collect();
            kept.retain(|other| !is_equal(other));
            kept.into_iter().rev().for_each(|other| list.push_front(other));
        }
        End::Right => {
            let mut kept = list.split_off(before - reach(&mut list.iter().rev()));
            kept.retain(|other| !is_equal(other));
            list.append(&mut kept);
        }
    }
    give_back(list);
    before - list.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(elements: &str) -> List {
        elements.bytes().map(|byte| Bytes::from([byte])).collect()
    }

    fn text(list: &List) -> String {
        list.iter().map(|element| String::from_utf8_lossy(element)).collect()
    }

    #[test]
    fn equal_elements_are_removed_from_the_end_that_was_named() {
        let removed = |max, from| {
            let mut list = list("abacada");
            let count = remove_equal(&mut list, b"a", max, from);
            (count, text(&list))
        };
        assert_eq!(removed(2, End::Left), (2, "bcada".into()));
        assert_eq!(removed(2, End::Right), (2, "abacd".into()));
        assert_eq!(removed(9, End::Left), (4, "bcd".into()));
        assert_eq!(removed(9, End::Right), (4, "bcd".into()));
        assert_eq!(removed(0, End::Right), (0, "abacada".into()));
    }

    #[test]
    fn a_list_that_was_long_gives_its_memory_back() {
        let mut list: List = (0..100_000).map(|_| Bytes::default()).collect();
        while list.len() > 10 {
            End::Right.pop(&mut list);
        }
        assert!(list.capacity() <= KEPT_CAPACITY, "{}", list.capacity());
        let mut list: List = (0..100_000).map(|_| Bytes::default()).collect();
        keep(&mut list, 50_000..50_010);
        assert_eq!(list.len(), 10);
        assert!(list.capacity() <= KEPT_CAPACITY, "{}", list.capacity());
    }

    #[test]
    fn places_count_from_both_ends() {
        assert_eq!(place(0, 3), Some(0));
        assert_eq!(place(-1, 3), Some(2));
        assert_eq!(place(-3, 3), Some(0));
        assert_eq!(place(-4, 3), None);
        assert_eq!(place(3, 3), None);
        assert_eq!(place(i64::MIN, 3), None);
        assert_eq!(place(0, 0), None);
    }
}
