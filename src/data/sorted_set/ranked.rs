//! A sequence whose elements are found, inserted and removed by rank in logarithmic time: a B+ tree whose
//! branches store how many elements are below each child.
//!
//! It does not compare elements. In an ordered sequence the rank of one is found by [`Ranked::partition_point`].

use crate::data::present;
use std::ops::Range;

/// The most elements of a leaf.
const LEAF: usize = 64;
/// The most children of a branch.
const BRANCH: usize = 32;

/// A sequence of small elements.
#[derive(Clone, Debug)]
pub struct Ranked<T> {
    len: usize,
    root: Node<T>,
}

/// A leaf, or a branch below which all leaves are at the same depth.
#[derive(Clone, Debug)]
enum Node<T> {
    Leaf(Vec<T>),
    Branch(Vec<Child<T>>),
}

#[derive(Clone, Debug)]
struct Child<T> {
    /// How many elements are below.
    len: usize,
    /// The first of them.
    first: T,
    node: Node<T>,
}

impl<T> Default for Ranked<T> {
    fn default() -> Self {
        Self { len: 0, root: Node::Leaf(Vec::new()) }
    }
}

impl<T: Copy> Ranked<T> {
    /// The number of elements.
    #[cfg(test)]
    fn len(&self) -> usize {
        self.len
    }

    /// The element of this rank.
    #[must_use]
    pub fn get(&self, rank: usize) -> Option<T> {
        let (leaf, at) = self.leaf(rank);
        leaf.get(at).copied()
    }

    /// The number of elements at the beginning for which `before` is true, if it is false for all others.
    pub fn partition_point(&self, mut before: impl FnMut(&T) -> bool) -> usize {
        let (mut node, mut rank) = (&self.root, 0);
        loop {
            match node {
                Node::Leaf(items) => return rank + items.partition_point(before),
                Node::Branch(children) => {
                    // The boundary is in the last child that begins before it.
                    let at = children.partition_point(|child| before(&child.first)).saturating_sub(1);
                    let Some(child) = present(children.get(at)) else { return rank };
                    rank += children.iter().take(at).map(|child| child.len).sum::<usize>();
                    node = &child.node;
                }
            }
        }
    }

    /// Inserts an element at this rank, or at the end if there are fewer elements.
    pub fn insert(&mut self, rank: usize, item: T) {
        let rank = rank.min(self.len);
        let right = self.root.insert(rank, item, true);
        self.len += 1;
        if let Some(right) = right {
            let left = std::mem::replace(&mut self.root, Node::Branch(Vec::new()));
            self.root = Node::Branch([left, right].into_iter().filter_map(Child::new).collect());
        }
    }

    /// Removes and returns the element of this rank.
    pub fn remove(&mut self, rank: usize) -> Option<T> {
        if rank >= self.len {
            return None;
        }
        let item = self.root.remove(rank);
        self.len -= 1;
        while let Node::Branch(children) = &mut self.root
            && children.len() <= 1
        {
            self.root = children.pop().map_or(Node::Leaf(Vec::new()), |child| child.node);
        }
        item
    }

    /// Replaces the element of this rank, if there is one.
    pub fn set(&mut self, rank: usize, item: T) {
        if rank < self.len {
            self.root.set(rank, item);
        }
    }

    /// The elements of these ranks.
    pub fn range(&self, range: Range<usize>) -> Iter<'_, T> {
        let end = range.end.min(self.len);
        Iter { sequence: self, range: range.start.min(end)..end, front: &[], back: &[] }
    }

    /// The leaf that holds the element of this rank, and where in it.
    fn leaf(&self, mut rank: usize) -> (&[T], usize) {
        let mut node = &self.root;
        loop {
            match node {
                Node::Leaf(items) => return (items, rank),
                Node::Branch(children) => {
                    let mut below = children.iter();
                    node = loop {
                        let Some(child) = below.next() else { return (&[], 0) };
                        match rank.checked_sub(child.len) {
                            Some(rest) => rank = rest,
                            None => break &child.node,
                        }
                    };
                }
            }
        }
    }
}

impl<T: Copy> Child<T> {
    /// A child with this node; `None` if the node is empty.
    fn new(node: Node<T>) -> Option<Self> {
        let (len, first) = node.summary()?;
        Some(Self { len, first, node })
    }

    /// Updates the summary of the node. The caller must remove an empty node.
    fn refresh(&mut self) {
        match self.node.summary() {
            Some((len, first)) => (self.len, self.first) = (len, first),
            None => self.len = 0,
        }
    }
}

impl<T: Copy> Node<T> {
    /// How many elements there are, and the first.
    fn summary(&self) -> Option<(usize, T)> {
        match self {
            Self::Leaf(items) => Some((items.len(), *items.first()?)),
            Self::Branch(children) => {
                let len = children.iter().map(|child| child.len).sum();
                Some((len, children.first()?.first))
            }
        }
    }

    /// How many elements or children the node has directly.
    fn width(&self) -> usize {
        match self {
            Self::Leaf(items) => items.len(),
            Self::Branch(children) => children.len(),
        }
    }

    /// How many elements or children the node may have.
    fn max(&self) -> usize {
        match self {
            Self::Leaf(_) => LEAF,
            Self::Branch(_) => BRANCH,
        }
    }

    /// Inserts an element; if the node gets too wide, its right part is split off and returned. `last` says that
    /// nothing comes after the node.
    fn insert(&mut self, rank: usize, item: T, last: bool) -> Option<Self> {
        match self {
            Self::Leaf(items) => {
                let rank = rank.min(items.len());
                if items.len() < LEAF {
                    items.insert(rank, item);
                    return None;
                }
                // A sequence that only grows at its end keeps full leaves.
                let middle = if last && rank == items.len() { rank } else { LEAF / 2 };
                let mut right = items.split_off(middle);
                match rank.checked_sub(middle) {
                    Some(rank) => right.insert(rank, item),
                    None => items.insert(rank, item),
                }
                Some(Self::Leaf(right))
            }
            Self::Branch(children) => {
                let (at, rank) = child_for(children, rank, true)?;
                let is_last = last && at + 1 == children.len();
                let child = children.get_mut(at)?;
                let right = child.node.insert(rank, item, is_last);
                child.refresh();
                if let Some(right) = right.and_then(Child::new) {
                    children.insert(at + 1, right);
                }
                if children.len() <= BRANCH {
                    return None;
                }
                let middle =
                    if is_last && at + 2 == children.len() { children.len() - 1 } else { BRANCH / 2 };
                Some(Self::Branch(children.split_off(middle)))
            }
        }
    }

    fn remove(&mut self, rank: usize) -> Option<T> {
        match self {
            Self::Leaf(items) => (rank < items.len()).then(|| items.remove(rank)),
            Self::Branch(children) => {
                let (at, rank) = child_for(children, rank, false)?;
                let child = children.get_mut(at)?;
                let item = child.node.remove(rank);
                child.refresh();
                if child.node.width() < child.node.max() / 4 {
                    widen(children, at);
                }
                item
            }
        }
    }

    fn set(&mut self, rank: usize, item: T) {
        match self {
            Self::Leaf(items) => {
                if let Some(slot) = present(items.get_mut(rank)) {
                    *slot = item;
                }
            }
            Self::Branch(children) => {
                let Some((at, rank)) = present(child_for(children, rank, false)) else { return };
                let Some(child) = present(children.get_mut(at)) else { return };
                child.node.set(rank, item);
                if rank == 0 {
                    child.first = item;
                }
            }
        }
    }

    /// Takes over the contents of `right`, or, if that is too much, distributes the contents evenly.
    fn join(&mut self, right: &mut Self) {
        fn even_out<E>(left: &mut Vec<E>, right: &mut Vec<E>, max: usize) {
            left.append(right);
            if left.len() > max {
                *right = left.split_off(left.len() / 2);
            }
        }
        match (self, right) {
            (Self::Leaf(left), Self::Leaf(right)) => even_out(left, right, LEAF),
            (Self::Branch(left), Self::Branch(right)) => even_out(left, right, BRANCH),
            // All leaves are at the same depth, so siblings are of the same kind.
            _ => {}
        }
    }
}

/// The child in which the element of this rank is, and its rank there. A new element may also come after the
/// last one of a child.
fn child_for<T>(children: &[Child<T>], mut rank: usize, to_insert: bool) -> Option<(usize, usize)> {
    for (at, child) in children.iter().enumerate() {
        if rank < child.len || to_insert && rank == child.len {
            return Some((at, rank));
        }
        rank -= child.len;
    }
    None
}

/// Merges a child that has become narrow with a neighbour.
fn widen<T: Copy>(children: &mut Vec<Child<T>>, at: usize) {
    let left = if at + 1 < children.len() { at } else { at.saturating_sub(1) };
    if let Some([one, other]) = children.get_mut(left..left + 2) {
        one.node.join(&mut other.node);
        one.refresh();
        other.refresh();
    }
    children.retain(|child| child.len > 0);
}

/// Elements of a [`Ranked`] in their order, from both ends.
#[derive(Clone, Debug)]
pub struct Iter<'a, T> {
    sequence: &'a Ranked<T>,
    /// The ranks that are still to come.
    range: Range<usize>,
    /// The rest of the leaf at the front; may exceed `range`.
    front: &'a [T],
    /// The rest of the leaf at the back; may exceed `range`.
    back: &'a [T],
}

impl<T: Copy> Iterator for Iter<'_, T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        if self.range.is_empty() {
            return None;
        }
        if self.front.is_empty() {
            let (leaf, at) = self.sequence.leaf(self.range.start);
            self.front = leaf.get(at..)?;
        }
        let (item, rest) = self.front.split_first()?;
        self.front = rest;
        self.range.start += 1;
        Some(*item)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.range.len(), Some(self.range.len()))
    }
}

impl<T: Copy> DoubleEndedIterator for Iter<'_, T> {
    fn next_back(&mut self) -> Option<T> {
        if self.range.is_empty() {
            return None;
        }
        if self.back.is_empty() {
            let (leaf, at) = self.sequence.leaf(self.range.end - 1);
            self.back = leaf.get(..=at)?;
        }
        let (item, rest) = self.back.split_last()?;
        self.back = rest;
        self.range.end -= 1;
        Some(*item)
    }
}

impl<T: Copy> ExactSizeIterator for Iter<'_, T> {}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Checks the invariants of every node; returns the depth of the leaves.
    fn check(node: &Node<u32>, is_root: bool) -> usize {
        assert!(is_root || node.width() > 0);
        assert!(node.width() <= node.max());
        let Node::Branch(children) = node else { return 0 };
        assert!(!is_root || children.len() > 1);
        let depths: Vec<usize> = children
            .iter()
            .map(|child| {
                assert_eq!(child.node.summary(), Some((child.len, child.first)));
                check(&child.node, false)
            })
            .collect();
        assert!(depths.iter().all(|depth| *depth == depths[0]));
        depths[0] + 1
    }

    fn same(sequence: &Ranked<u32>, model: &[u32]) {
        check(&sequence.root, true);
        assert_eq!(sequence.len(), model.len());
        assert!(sequence.range(0..model.len()).eq(model.iter().copied()));
    }

    #[derive(Clone, Debug)]
    enum Step {
        /// Inserts this many, each after or before the previous one, from a position in per mille.
        Insert(usize, usize, bool),
        /// Removes this many from a position in per mille.
        Remove(usize, usize),
        Set(usize),
        Read(usize, usize),
    }

    fn step() -> impl Strategy<Value = Step> {
        let position = 0..=1000usize;
        prop_oneof![
            3 => (position.clone(), 0..300usize, any::<bool>()).prop_map(|(at, n, up)| Step::Insert(at, n, up)),
            2 => (position.clone(), 0..300usize).prop_map(|(at, n)| Step::Remove(at, n)),
            1 => position.clone().prop_map(Step::Set),
            1 => (position.clone(), position).prop_map(|(from, to)| Step::Read(from, to)),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

        #[test]
        fn it_is_a_vector(steps in prop::collection::vec(step(), 0..60)) {
            let (mut sequence, mut model, mut next) = (Ranked::default(), Vec::new(), 0u32);
            for step in steps {
                let position = |per_mille: usize| model.len() * per_mille / 1000;
                match step {
                    Step::Insert(at, count, ascending) => {
                        let at = position(at);
                        for index in 0..count {
                            let at = if ascending { at + index } else { at };
                            sequence.insert(at, next);
                            model.insert(at, next);
                            next += 1;
                        }
                    }
                    Step::Remove(at, count) => {
                        let at = position(at);
                        for _ in 0..count {
                            let expected = (at < model.len()).then(|| model.remove(at));
                            prop_assert_eq!(sequence.remove(at), expected);
                        }
                    }
                    Step::Set(at) => {
                        let at = position(at);
                        sequence.set(at, next);
                        if let Some(item) = model.get_mut(at) {
                            *item = next;
                        }
                        next += 1;
                    }
                    Step::Read(from, to) => {
                        let (from, to) = (position(from.min(to)), position(from.max(to)));
                        prop_assert!(sequence.range(from..to).eq(model[from..to].iter().copied()));
                        prop_assert!(sequence.range(from..to).rev().eq(model[from..to].iter().rev().copied()));
                        prop_assert_eq!(sequence.get(to), model.get(to).copied());
                        // From both ends alternately.
                        let mut both = sequence.range(from..to);
                        let mut expected = model[from..to].iter().copied();
                        while let Some(item) = both.next() {
                            prop_assert_eq!(Some(item), expected.next());
                            prop_assert_eq!(both.next_back(), expected.next_back());
                            prop_assert_eq!(both.len(), expected.len());
                        }
                        prop_assert_eq!(expected.next(), None);
                    }
                }
                same(&sequence, &model);
            }
        }

        #[test]
        fn the_place_of_an_element_is_found(items in prop::collection::btree_set(0..3000u32, 0..2000), at in 0..3000u32) {
            let model: Vec<u32> = items.into_iter().collect();
            let mut sequence = Ranked::default();
            // In an order that is neither ascending nor descending.
            for item in model.iter().filter(|item| *item % 3 == 1).chain(model.iter().filter(|item| *item % 3 != 1)) {
                let rank = sequence.partition_point(|other| other < item);
                sequence.insert(rank, *item);
            }
            same(&sequence, &model);
            prop_assert_eq!(sequence.partition_point(|item| *item < at), model.partition_point(|item| *item < at));
        }
    }

    #[test]
    fn what_grows_at_its_end_has_full_leaves() {
        fn leaves(node: &Node<u32>) -> usize {
            match node {
                Node::Leaf(_) => 1,
                Node::Branch(children) => children.iter().map(|child| leaves(&child.node)).sum(),
            }
        }
        let mut sequence = Ranked::default();
        for item in 0..100_000 {
            sequence.insert(sequence.len(), item);
        }
        assert_eq!(leaves(&sequence.root), 100_000usize.div_ceil(LEAF));
        assert_eq!(check(&sequence.root, true), 3);
    }
}
