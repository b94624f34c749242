//! The walk of SCAN and its relatives over a table.

use std::ops::Range;

/// The walks over one table that have not ended.
///
/// A walk goes from the end of the table to its beginning. Its cursor is the index below which all items are still to
/// be returned. New items go to the end and move no other. A removed item is replaced by another, and two guarantees
/// depend on which one:
///
/// - An item that exists during the whole walk is returned, as SCAN guarantees. Items only ever move to a lower index,
///   so that an item below a cursor stays below it.
/// - No item is returned twice. If the last item, which was returned already, took over an index below the cursor, it
///   would be returned again. The item just below the cursor takes that index, the last item takes over the index
///   of that one, and the walk has one item less to return ([`Walks::filler`]).
///
/// The first guarantee needs only the cursor. The second one requires that the walk is remembered, and holds for the
/// [`REMEMBERED`] latest walks.
#[derive(Debug, Default)]
pub(crate) struct Walks(Option<Box<Kept>>);

/// How many walks of a table are remembered: each adds one swap of two items to a removal, even if its client has
/// abandoned it.
const REMEMBERED: usize = 16;

/// The bits of a cursor that are an index; those above distinguish walks that were at the same index at different
/// times. Clients that keep a cursor as a double read it exactly.
const INDEX_BITS: u32 = 40;

#[derive(Debug, Default)]
struct Kept {
    /// In the order of the items that they have left, the fewest first.
    walks: Vec<Walk>,
    /// How many cursors were issued.
    given: u64,
}

#[derive(Debug)]
struct Walk {
    /// The cursor that the client has.
    cursor: u64,
    /// The items at the indices below this one are still to be returned.
    left: usize,
    /// How many clients were given the cursor, minus those that have used it.
    clients: u64,
    /// The number of the cursor among those that were issued.
    number: u64,
}

/// A copy is another table, over which there are no walks.
impl Clone for Walks {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl Walks {
    /// One step over a table of `len` items: the cursor of the next step, 0 when all is done, and the indices of
    /// `count` items to return now. A cursor of 0 begins.
    pub(crate) fn step(&mut self, len: usize, cursor: u64, count: u64) -> (u64, Range<usize>) {
        let end = if cursor == 0 { len } else { self.take(cursor).min(len) };
        let start = end.saturating_sub(usize::try_from(count).unwrap_or(usize::MAX));
        (if start == 0 { 0 } else { self.give(start) }, start..end)
    }

    /// True if no unfinished walk is remembered.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// The item at `hole` is removed. Returns the index of the item that must take its place; that index is then the
    /// next hole. `None` if the last item may fill the hole.
    #[inline]
    pub(crate) fn filler(&mut self, hole: usize) -> Option<usize> {
        self.0.as_mut()?.filler(hole)
    }

    /// All items are removed except those at these indices, which are in ascending order.
    pub(crate) fn only(&mut self, indices: &[usize]) {
        for walk in self.0.iter_mut().flat_map(|kept| &mut kept.walks) {
            walk.left = indices.partition_point(|index| *index < walk.left);
        }
    }

    /// Treats the indices below `left` as those of a walk, until [`Walks::release`].
    pub(crate) fn hold(&mut self, left: usize) {
        self.0.get_or_insert_default().add(0, left);
    }

    /// How many of the items at the indices of [`Walks::hold`] remain.
    pub(crate) fn release(&mut self) -> usize {
        self.take(0)
    }

    /// How many items are left to the walk with this cursor, which its client has used. For an unknown cursor, its
    /// bits say how many were left once; there are no more now.
    fn take(&mut self, cursor: u64) -> usize {
        let unknown = usize::try_from(cursor & ((1 << INDEX_BITS) - 1)).unwrap_or(usize::MAX);
        let Some(kept) = &mut self.0 else { return unknown };
        let Some(index) = kept.walks.iter().position(|walk| walk.cursor == cursor) else { return unknown };
        let walk = &mut kept.walks[index];
        walk.clients -= 1;
        let left = walk.left;
        if walk.clients == 0 {
            kept.walks.remove(index);
            if kept.walks.is_empty() {
                self.0 = None;
            }
        }
        left
    }

    /// The cursor of a walk that has `left` items left.
    fn give(&mut self, left: usize) -> u64 {
        let kept = self.0.get_or_insert_default();
        let mut cursor = left as u64;
        while let Some(walk) = kept.walks.iter_mut().find(|walk| walk.cursor == cursor) {
            if walk.left == left {
                walk.clients += 1;
                return cursor;
            }
            cursor += 1 << INDEX_BITS;
        }
        kept.add(cursor, left);
        cursor
    }
}

impl Kept {
    fn add(&mut self, cursor: u64, left: usize) {
        if self.walks.len() >= REMEMBERED {
            let oldest = (0..self.walks.len()).min_by_key(|index| self.walks[*index].number);
            oldest.map(|oldest| self.walks.remove(oldest));
        }
        self.given += 1;
        let index = self.walks.partition_point(|walk| walk.left <= left);
        self.walks.insert(index, Walk { cursor, left, clients: 1, number: self.given });
    }

    fn filler(&mut self, hole: usize) -> Option<usize> {
        let mut to_come = self.walks.iter_mut().skip_while(|walk| walk.left <= hole).peekable();
        loop {
            let left = to_come.peek()?.left;
            while let Some(walk) = to_come.next_if(|walk| walk.left == left) {
                walk.left -= 1;
            }
            if left - 1 != hole {
                return Some(left - 1);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{HashMap, HashSet};

    use super::*;

    /// A table as the collections use it.
    #[derive(Default)]
    struct Table {
        items: Vec<u32>,
        walks: Walks,
        /// How many items were moved.
        moves: usize,
    }

    impl Table {
        fn remove(&mut self, mut hole: usize) -> u32 {
            while let Some(from) = self.walks.filler(hole) {
                self.items.swap(hole, from);
                self.moves += 1;
                hole = from;
            }
            self.items.swap_remove(hole)
        }

        fn scan(&mut self, cursor: u64, count: u64) -> (u64, Vec<u32>) {
            let (next, indices) = self.walks.step(self.items.len(), cursor, count);
            (next, self.items[indices].to_vec())
        }
    }

    /// The state of a client's walk.
    #[derive(Default)]
    struct Client {
        cursor: u64,
        returned: HashMap<u32, u32>,
        staying: HashSet<u32>,
    }

    /// Clients walk while items are added and removed; returns how many items were returned twice.
    fn walk(clients: usize, seed: u64) -> usize {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut table = Table { items: (0..random.u32(1..200)).collect(), ..Table::default() };
        let mut walking: HashMap<usize, Client> = HashMap::default();
        let (mut repeats, mut next) = (0, 1000);
        for _ in 0..400 {
            let number = random.usize(0..clients);
            let client = walking.entry(number).or_insert_with(|| Client {
                staying: table.items.iter().copied().collect(),
                ..Client::default()
            });
            let (cursor, items) = table.scan(client.cursor, random.u64(1..30));
            client.cursor = cursor;
            for item in items {
                *client.returned.entry(item).or_default() += 1;
            }
            if cursor == 0 {
                assert!(
                    client.staying.iter().all(|item| client.returned.contains_key(item)),
                    "seed {seed}: something that was there all the time was not returned"
                );
                repeats += client.returned.values().filter(|times| **times > 1).count();
                walking.remove(&number);
            }
            for _ in 0..random.u8(0..6) {
                if random.bool() && !table.items.is_empty() {
                    let gone = table.remove(random.usize(0..table.items.len()));
                    for client in walking.values_mut() {
                        client.staying.remove(&gone);
                    }
                } else {
                    table.items.push(next);
                    next += 1;
                }
            }
        }
        repeats
    }

    #[test]
    fn every_item_that_stays_is_returned_and_none_twice() {
        for seed in 0..200 {
            for clients in [1, 2, REMEMBERED] {
                assert_eq!(walk(clients, seed), 0, "seed {seed}, {clients} clients");
            }
        }
    }

    #[test]
    fn every_item_that_stays_is_returned_to_walks_that_are_forgotten() {
        let repeats: usize = (0..200).map(|seed| walk(4 * REMEMBERED, seed)).sum();
        assert!(repeats > 0, "no walk was forgotten");
    }

    #[test]
    fn walks_given_up_cost_a_bounded_number_of_moves() {
        let mut table = Table { items: (0..100_000).collect(), ..Table::default() };
        for count in 1..1000 {
            table.scan(0, count * 7);
        }
        assert_eq!(table.walks.0.as_ref().map(|kept| kept.walks.len()), Some(REMEMBERED));
        for index in 0..1000 {
            table.remove(index);
        }
        assert!(table.moves <= 1000 * REMEMBERED);
    }

    #[test]
    fn what_has_come_to_its_end_is_forgotten() {
        let mut table = Table { items: (0..10).collect(), ..Table::default() };
        let (first, _) = table.scan(0, 4);
        let (second, _) = table.scan(0, 4);
        assert_eq!((first, second), (6, 6));
        table.remove(0);
        let (third, _) = table.scan(0, 3);
        assert_eq!(third, 6 + (1 << INDEX_BITS), "another walk is at the same index");
        for cursor in [first, second, third] {
            assert!(table.walks.0.is_some());
            assert_eq!(table.scan(cursor, 10).0, 0);
        }
        assert!(table.walks.0.is_none());
    }

    #[test]
    fn an_unknown_cursor_is_accepted() {
        let mut table = Table { items: (0..10).collect(), ..Table::default() };
        for cursor in [1, 9, 11, 1 << INDEX_BITS, (1 << INDEX_BITS) + 3, u64::MAX] {
            let mut next = cursor;
            for _ in 0..=10 {
                next = table.scan(next, 1).0;
                if next == 0 {
                    break;
                }
            }
            assert_eq!(next, 0, "{cursor}");
        }
    }
}
