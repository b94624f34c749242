//! The keys of a database that expire, by their deadlines.

use crate::data::present;

/// A key that expires.
#[derive(Clone, Copy, Debug)]
struct Deadline {
    /// When, in milliseconds since the Unix epoch.
    at: i64,
    /// The index of the key in the table of the database.
    index: usize,
}

/// A heap of the keys that expire, the first at its top: 16 bytes per key, and no allocation for each that is added.
///
/// A key has its index in the heap and the heap its index in the table, so that a deadline can be changed or removed
/// in a few steps. `moved` is called for each entry that moves in the heap, with the index of the key and its new
/// number here.
#[derive(Clone, Debug, Default)]
pub struct Deadlines(Vec<Deadline>);

/// How many children a node has: the children of a node are adjacent, and the heap is half as high as with two.
const CHILDREN: usize = 4;
/// Below this capacity no memory is freed.
const KEPT_CAPACITY: usize = 64;

/// The number of a key that does not expire.
pub const NONE: u32 = u32::MAX;

impl Deadlines {
    /// How many keys expire.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// When each of the keys expires, in no particular order.
    pub fn times(&self) -> impl Iterator<Item = i64> {
        self.0.iter().map(|deadline| deadline.at)
    }

    /// When the first key expires, and its index.
    pub fn first(&self) -> Option<(i64, usize)> {
        self.0.first().map(|deadline| (deadline.at, deadline.index))
    }

    /// Adds the key at this index, which had no deadline, with this deadline.
    pub fn add(&mut self, at: i64, index: usize, moved: impl FnMut(usize, u32)) {
        let deadline = Deadline { at, index };
        self.0.push(deadline);
        self.rise(self.0.len() - 1, deadline, moved);
    }

    /// Changes the deadline of the key with this number.
    pub fn change(&mut self, number: u32, at: i64, moved: impl FnMut(usize, u32)) {
        let Some(deadline) = present(self.0.get_mut(number as usize)) else { return };
        deadline.at = at;
        let deadline = *deadline;
        self.restore_order(number as usize, deadline, moved);
    }

    /// Removes the deadline of the key with this number.
    pub fn remove(&mut self, number: u32, moved: impl FnMut(usize, u32)) {
        if number as usize >= self.0.len() {
            return;
        }
        self.0.swap_remove(number as usize);
        if let Some(last) = self.0.get(number as usize).copied() {
            self.restore_order(number as usize, last, moved);
        }
        // Afterwards half of the capacity is free, so that the cost of each removal stays constant.
        if self.0.capacity() > KEPT_CAPACITY && self.0.len() < self.0.capacity() / 4 {
            self.0.shrink_to(self.0.len() * 2);
        }
    }

    /// Sets the index in the table of the key with this number.
    pub fn set_index(&mut self, number: u32, index: usize) {
        if let Some(deadline) = self.0.get_mut(number as usize) {
            deadline.index = index;
        }
    }

    /// Puts a deadline into its position, starting at a hole.
    fn restore_order(&mut self, hole: usize, deadline: Deadline, moved: impl FnMut(usize, u32)) {
        if hole > 0 && deadline.at < self.0[(hole - 1) / CHILDREN].at {
            self.rise(hole, deadline, moved);
        } else {
            self.sink(hole, deadline, moved);
        }
    }

    fn rise(&mut self, mut hole: usize, deadline: Deadline, mut moved: impl FnMut(usize, u32)) {
        while hole > 0 {
            let parent = (hole - 1) / CHILDREN;
            if self.0[parent].at <= deadline.at {
                break;
            }
            self.fill(hole, self.0[parent], &mut moved);
            hole = parent;
        }
        self.fill(hole, deadline, &mut moved);
    }

    fn sink(&mut self, mut hole: usize, deadline: Deadline, mut moved: impl FnMut(usize, u32)) {
        loop {
            let first = hole * CHILDREN + 1;
            let children = first..(first + CHILDREN).min(self.0.len());
            let least = children.min_by_key(|child| self.0[*child].at);
            let Some(least) = least.filter(|child| self.0[*child].at < deadline.at) else { break };
            self.fill(hole, self.0[least], &mut moved);
            hole = least;
        }
        self.fill(hole, deadline, &mut moved);
    }

    fn fill(&mut self, hole: usize, deadline: Deadline, moved: &mut impl FnMut(usize, u32)) {
        self.0[hole] = deadline;
        // 2^32 keys that expire do not fit into memory.
        moved(deadline.index, u32::try_from(hole).unwrap_or(NONE));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_comes_first_whatever_was_changed_and_taken_away() {
        for seed in 0..50 {
            let mut random = fastrand::Rng::with_seed(seed);
            let mut deadlines = Deadlines::default();
            // What a table would store: the deadline of each key, and its number.
            let mut keys: Vec<(Option<i64>, u32)> = vec![(None, NONE); 40];
            for _ in 0..400 {
                let index = random.usize(0..keys.len());
                let at = random.i64(0..30);
                let (old, number) = keys[index];
                let mut numbers: Vec<u32> = keys.iter().map(|(_, number)| *number).collect();
                let moved = |index: usize, number| numbers[index] = number;
                let new = match (old, random.bool()) {
                    (None, _) => {
                        deadlines.add(at, index, moved);
                        Some(at)
                    }
                    (Some(_), true) => {
                        deadlines.change(number, at, moved);
                        Some(at)
                    }
                    (Some(_), false) => {
                        deadlines.remove(number, moved);
                        numbers[index] = NONE;
                        None
                    }
                };
                keys[index].0 = new;
                for (key, number) in keys.iter_mut().zip(numbers) {
                    key.1 = number;
                }
                let least = keys.iter().filter_map(|(at, _)| *at).min();
                assert_eq!(deadlines.first().map(|(at, _)| at), least, "seed {seed}");
                for (index, (at, number)) in keys.iter().enumerate().filter(|(_, (at, _))| at.is_some()) {
                    let deadline = deadlines.0[*number as usize];
                    assert_eq!((Some(deadline.at), deadline.index), (*at, index), "seed {seed}");
                }
                assert_eq!(deadlines.len(), keys.iter().filter(|(at, _)| at.is_some()).count());
            }
        }
    }
}
