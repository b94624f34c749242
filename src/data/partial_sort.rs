//! Sorting only the beginning of a sequence.

use std::cmp::Ordering;

/// Sorts so that the first `wanted` elements are in their final positions. Equal ones are in the order in which
/// redis-server's partial quicksort leaves them: the three-way partition of Bentley and McIlroy ("Engineering a
/// Sort Function").
pub fn partial_sort<T>(items: &mut [T], wanted: usize, mut compare: impl FnMut(&T, &T) -> Ordering) {
    let whole = 0..items.len();
    let mut parts = Vec::from([whole]);
    while let Some(part) = parts.pop() {
        if part.start >= wanted || part.len() < 2 {
            continue;
        }
        let start = part.start;
        let Some(slice) = items.get_mut(part) else { continue };
        if slice.len() < 7 {
            insertion_sort(slice, &mut compare);
            continue;
        }
        let (less, greater) = partition(slice, &mut compare);
        parts.push(start..start + less);
        parts.push(start + greater..start + slice.len());
    }
}

fn insertion_sort<T>(items: &mut [T], compare: &mut impl FnMut(&T, &T) -> Ordering) {
    for end in 1..items.len() {
        let mut at = end;
        while at > 0 && compare(&items[at - 1], &items[at]).is_gt() {
            items.swap(at - 1, at);
            at -= 1;
        }
    }
}

/// Partitions into elements less than, equal to and greater than a pivot; returns where the equal ones and
/// where the greater ones begin.
fn partition<T>(items: &mut [T], compare: &mut impl FnMut(&T, &T) -> Ordering) -> (usize, usize) {
    let len = items.len();
    let pivot = pivot(items, compare);
    items.swap(0, pivot);
    // During the comparisons, equal elements are kept at both ends: before `left_equal`, from `right_equal` on.
    let (mut left_equal, mut left, mut right, mut right_equal) = (1, 1, len, len);
    loop {
        while left < right {
            match compare(&items[left], &items[0]) {
                Ordering::Greater => break,
                Ordering::Equal => {
                    items.swap(left_equal, left);
                    left_equal += 1;
                }
                Ordering::Less => {}
            }
            left += 1;
        }
        while left < right {
            match compare(&items[right - 1], &items[0]) {
                Ordering::Less => break,
                Ordering::Equal => {
                    right_equal -= 1;
                    items.swap(right - 1, right_equal);
                }
                Ordering::Greater => {}
            }
            right -= 1;
        }
        if left >= right {
            break;
        }
        items.swap(left, right - 1);
        left += 1;
        right -= 1;
    }
    let (less, greater) = (left - left_equal, right_equal - right);
    let moved = left_equal.min(less);
    exchange(items, 0, left - moved, moved);
    let moved = greater.min(len - right_equal);
    exchange(items, left, len - moved, moved);
    (less, len - greater)
}

fn exchange<T>(items: &mut [T], one: usize, other: usize, count: usize) {
    for at in 0..count {
        items.swap(one + at, other + at);
    }
}

/// The index of an element that is an estimate of the median.
fn pivot<T>(items: &[T], compare: &mut impl FnMut(&T, &T) -> Ordering) -> usize {
    let len = items.len();
    let (mut low, mut middle, mut high) = (0, len / 2, len - 1);
    if len == 7 {
        return middle;
    }
    let mut median = |one: usize, two: usize, three: usize| {
        if compare(&items[one], &items[two]).is_lt() {
            if compare(&items[two], &items[three]).is_lt() {
                two
            } else if compare(&items[one], &items[three]).is_lt() {
                three
            } else {
                one
            }
        } else if compare(&items[two], &items[three]).is_gt() {
            two
        } else if compare(&items[one], &items[three]).is_lt() {
            one
        } else {
            three
        }
    };
    if len > 40 {
        let eighth = len / 8;
        low = median(low, low + eighth, low + 2 * eighth);
        middle = median(middle - eighth, middle, middle + eighth);
        high = median(high - 2 * eighth, high - eighth, high);
    }
    median(low, middle, high)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_beginning_is_sorted_and_nothing_is_lost(items in prop::collection::vec(0..40u8, 0..300), wanted in 0..300usize) {
            let mut expected = items.clone();
            expected.sort_unstable();
            let mut sorted = items;
            partial_sort(&mut sorted, wanted, Ord::cmp);
            let wanted = wanted.min(sorted.len());
            prop_assert_eq!(&sorted[..wanted], &expected[..wanted]);
            sorted.sort_unstable();
            prop_assert_eq!(sorted, expected);
        }
    }

    #[test]
    fn what_is_sorted_already_takes_no_stack() {
        let mut items: Vec<usize> = (0..100_000).collect();
        partial_sort(&mut items, 100_000, Ord::cmp);
        assert!(items.is_sorted());
    }
}
