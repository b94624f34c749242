//! The nodes in which redis-server keeps a list: only the number of elements and bytes in each, which decide when a
//! list changes its encoding.

use crate::data::present;
use std::collections::VecDeque;

use super::{Bytes, End};
use crate::config::Config;
use crate::resp::parse_integer;

/// The bytes of a listpack besides its elements.
const HEADER: usize = 7;

/// How large a node may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListLimits {
    /// `list-max-listpack-size`.
    fill: i64,
    /// DEBUG QUICKLIST-PACKED-THRESHOLD: elements of at least this many bytes are alone in their node; 0: derived
    /// from `fill`.
    alone: usize,
}

impl ListLimits {
    /// The limits that the settings give.
    #[must_use]
    pub fn of(config: &Config) -> Self {
        Self { fill: config.list_max_listpack_size, alone: config.quicklist_packed_threshold }
    }

    /// The most bytes of a node, if nodes are limited by size.
    fn bytes(self) -> Option<usize> {
        const LEVELS: [usize; 5] = [4096, 8192, 16_384, 32_768, 65_536];
        let level = usize::try_from(self.fill.checked_neg()?.checked_sub(1)?).ok()?;
        Some(LEVELS[level.min(LEVELS.len() - 1)])
    }

    /// The most elements of a node, if nodes are limited by number.
    fn count(self) -> usize {
        usize::try_from(self.fill.max(1)).unwrap_or(usize::MAX)
    }

    /// True if a node would be too large.
    pub(super) fn exceeded(self, bytes: usize, count: usize) -> bool {
        match self.bytes() {
            Some(most) => bytes > most,
            None => bytes > SAFE || count > self.count(),
        }
    }

    /// True if an element is too large to be together with others.
    fn is_large(self, len: usize) -> bool {
        match self.alone {
            0 => len > self.bytes().unwrap_or(SAFE),
            alone => len >= alone,
        }
    }
}

/// The most bytes of a node whose number of elements is limited.
const SAFE: usize = 8192;

/// One node.
#[derive(Clone, Copy, Debug)]
struct Node {
    count: usize,
    bytes: usize,
    /// A single large element.
    plain: bool,
}

impl Node {
    fn of(element: &[u8], limits: ListLimits) -> Self {
        if limits.is_large(element.len()) {
            Self { count: 1, bytes: element.len(), plain: true }
        } else {
            Self { count: 1, bytes: HEADER + entry_bytes(element), plain: false }
        }
    }

    /// True if an element may be added.
    fn takes(&self, element: &[u8], limits: ListLimits) -> bool {
        /// What redis-server assumes for the header of an entry.
        const OVERHEAD: usize = 8;
        !self.plain
            && !limits.is_large(element.len())
            && !limits.exceeded(self.bytes + element.len() + OVERHEAD, self.count + 1)
    }

    fn add(&mut self, element: &[u8]) {
        self.count += 1;
        self.bytes += entry_bytes(element);
    }

    fn take(&mut self, element: &[u8]) {
        self.count -= 1;
        self.bytes = self.bytes.saturating_sub(entry_bytes(element));
    }
}

/// How many bytes an element takes in a listpack.
pub fn entry_bytes(element: &[u8]) -> usize {
    let len = element.len();
    // Integers are stored as integers.
    let integer = if len <= 20 { parse_integer(element) } else { None };
    let body = match integer {
        Some(0..=127) => 1,
        Some(-4096..=4095) => 2,
        Some(-32_768..=32_767) => 3,
        Some(-8_388_608..=8_388_607) => 4,
        Some(-2_147_483_648..=2_147_483_647) => 5,
        Some(_) => 9,
        None => {
            len + if len < 64 {
                1
            } else if len < 4096 {
                2
            } else {
                5
            }
        }
    };
    let back = match body {
        0..=127 => 1,
        128..=16_382 => 2,
        16_383..=2_097_150 => 3,
        2_097_151..=268_435_454 => 4,
        _ => 5,
    };
    body + back
}

/// The nodes of a long list.
#[derive(Clone, Debug)]
pub struct Nodes {
    /// `list-max-listpack-size` when they were made.
    fill: i64,
    nodes: VecDeque<Node>,
}

impl Nodes {
    /// One node for all elements of a listpack of `bytes` bytes.
    pub fn of(count: usize, bytes: usize, limits: ListLimits) -> Self {
        let nodes = if count > 0 { vec![Node { count, bytes, plain: false }] } else { Vec::new() };
        Self { fill: limits.fill, nodes: nodes.into() }
    }

    /// How many elements each node has, and whether it is a single large element.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (usize, bool)> {
        self.nodes.iter().map(|node| (node.count, node.plain))
    }

    /// Appends a node that was made elsewhere.
    pub fn push_node(&mut self, elements: &[Bytes], plain: bool) {
        let bytes = match elements {
            [element] if plain => element.len(),
            all => HEADER + all.iter().map(|element| entry_bytes(element)).sum::<usize>(),
        };
        self.nodes.push_back(Node { count: elements.len(), bytes, plain });
    }

    /// The limits, with the `fill` that these nodes were made with.
    fn limits(&self, limits: ListLimits) -> ListLimits {
        ListLimits { fill: self.fill, ..limits }
    }

    /// The bytes of the only node, if it is small enough to be a listpack; with `half`, small enough means half the
    /// limit, so that a list that becomes shorter does not change with every element.
    pub fn as_listpack(&self, limits: ListLimits, half: bool) -> Option<usize> {
        let divisor = if half { 2 } else { 1 };
        let node = self.nodes.front().filter(|node| self.nodes.len() == 1 && !node.plain)?;
        let fits = match limits.bytes() {
            Some(most) => node.bytes <= most / divisor,
            None => node.count <= limits.count() / divisor,
        };
        fits.then_some(node.bytes)
    }

    /// Adds an element at an end.
    pub fn push(&mut self, end: End, element: &[u8], limits: ListLimits) {
        let limits = self.limits(limits);
        let node = match end {
            End::Left => self.nodes.front_mut(),
            End::Right => self.nodes.back_mut(),
        };
        match (node, end) {
            (Some(node), _) if node.takes(element, limits) => node.add(element),
            (_, End::Left) => self.nodes.push_front(Node::of(element, limits)),
            (_, End::Right) => self.nodes.push_back(Node::of(element, limits)),
        }
    }

    /// Removes the element at an end.
    pub fn pop(&mut self, end: End, element: &[u8]) {
        let at = match end {
            End::Left => 0,
            End::Right => self.nodes.len().saturating_sub(1),
        };
        self.take(at, element);
    }

    /// Removes an element of a node; true if the node is removed with it.
    fn take(&mut self, at: usize, element: &[u8]) -> bool {
        let Some(node) = present(self.nodes.get_mut(at)) else { return false };
        node.take(element);
        let gone = node.count == 0;
        if gone {
            self.nodes.remove(at);
        }
        gone
    }

    /// Removes those of the elements, which come in order from an end, for which `taken` is true.
    pub fn take_all<'a>(
        &mut self,
        from: End,
        elements: impl Iterator<Item = &'a Bytes>,
        taken: impl Fn(&Bytes) -> bool,
    ) {
        // How many nodes have been begun, and how many elements of the last of them are left.
        let (mut begun, mut ahead) = (0, 0);
        for element in elements {
            begun += usize::from(ahead == 0);
            let at = if from == End::Left { begun - 1 } else { self.nodes.len().saturating_sub(begun) };
            let Some(node) = present(self.nodes.get_mut(at)) else { break };
            ahead = if ahead == 0 { node.count } else { ahead } - 1;
            if taken(element) {
                node.take(element);
            }
        }
        // Empty nodes are removed only now, as every removal moves the others.
        from.retain(&mut self.nodes, begun, |node| node.count > 0);
    }

    /// The node of the element at an index, and the index of the element in it.
    fn find(&self, index: usize) -> Option<(usize, usize)> {
        let mut left = index;
        for (at, node) in self.nodes.iter().enumerate() {
            if left < node.count {
                return Some((at, left));
            }
            left -= node.count;
        }
        None
    }

    /// Replaces an element. `list` is the list before the change.
    pub fn replace(&mut self, list: &VecDeque<Bytes>, index: usize, element: &[u8], limits: ListLimits) {
        let limits = self.limits(limits);
        let (Some((at, offset)), Some(old)) = (present(self.find(index)), present(list.get(index))) else {
            return;
        };
        let is_large = limits.is_large(element.len());
        let node = &mut self.nodes[at];
        match (node.plain, is_large) {
            (true, true) => node.bytes = element.len(),
            (false, false) => {
                node.bytes = (node.bytes + entry_bytes(element)).saturating_sub(entry_bytes(old));
            }
            (true, false) => {
                self.insert(list, index, true, element, limits);
                self.nodes.remove(at);
            }
            (false, true) => {
                if offset + 1 < node.count {
                    self.split(list, index - offset, at, offset + 1);
                }
                self.nodes.insert(at + 1, Node::of(element, limits));
                self.take(at, old);
            }
        }
    }

    /// Splits a node, whose first element is at the index `start` of the list, before its element `offset`.
    fn split(&mut self, list: &VecDeque<Bytes>, start: usize, at: usize, offset: usize) {
        let node = &mut self.nodes[at];
        let end = start + node.count;
        let bytes: usize = list.range(start + offset..end).map(|element| entry_bytes(element)).sum();
        let second = Node { count: node.count - offset, bytes: HEADER + bytes, plain: false };
        *node = Node { count: offset, bytes: node.bytes.saturating_sub(bytes), plain: false };
        self.nodes.insert(at + 1, second);
    }

    /// Inserts an element before or after the one at `index`. `list` is the list before the change.
    pub fn insert(
        &mut self,
        list: &VecDeque<Bytes>,
        index: usize,
        behind: bool,
        element: &[u8],
        limits: ListLimits,
    ) {
        let limits = self.limits(limits);
        let Some((at, offset)) = present(self.find(index)) else { return };
        let node = self.nodes[at];
        let at_edge = if behind { offset + 1 == node.count } else { offset == 0 };
        let beside = if behind { Some(at + 1) } else { at.checked_sub(1) };
        let new_at = at + usize::from(behind);
        if node.takes(element, limits) {
            self.nodes[at].add(element);
        } else if limits.is_large(element.len()) {
            if !node.plain && !at_edge {
                self.split(list, index - offset, at, offset + usize::from(behind));
                self.nodes.insert(at + 1, Node::of(element, limits));
            } else {
                self.nodes.insert(new_at, Node::of(element, limits));
            }
        } else if at_edge {
            match beside.and_then(|beside| self.nodes.get_mut(beside)) {
                Some(beside) if beside.takes(element, limits) => beside.add(element),
                _ => self.nodes.insert(new_at, Node::of(element, limits)),
            }
        } else {
            self.split(list, index - offset, at, offset + usize::from(behind));
            // The part that was split off has it.
            let (has_it, rest) = if behind { (at + 1, at) } else { (at, at + 1) };
            self.nodes[has_it].add(element);
            self.merge_around(rest, limits);
        }
    }

    /// Merges nodes that fit into one, around one that was split.
    fn merge_around(&mut self, center: usize, limits: ListLimits) {
        let mut center = center;
        if center >= 2 && self.merge(center - 2, limits) {
            center -= 1;
        }
        self.merge(center + 1, limits);
        if center >= 1 && self.merge(center - 1, limits) {
            center -= 1;
        }
        self.merge(center, limits);
    }

    /// Merges a node with the next, if they fit into one.
    fn merge(&mut self, at: usize, limits: ListLimits) -> bool {
        let (Some(one), Some(other)) = (self.nodes.get(at).copied(), self.nodes.get(at + 1).copied()) else {
            return false;
        };
        let (bytes, count) = ((one.bytes + other.bytes).saturating_sub(HEADER), one.count + other.count);
        let fits = !one.plain && !other.plain && !limits.exceeded(bytes, count);
        if fits {
            self.nodes[at] = Node { count, bytes, plain: false };
            self.nodes.remove(at + 1);
        }
        fits
    }
}
