//! Lists.

mod nodes;

use std::collections::VecDeque;
use std::ops::{Deref, Range};

use crate::data::Bytes;
pub use nodes::ListLimits;
use nodes::{Nodes, entry_bytes};

/// A list: elements can be added and taken at both ends at constant cost.
///
/// Read it through `Deref`. Besides the elements it has what is needed to know in which encoding
/// redis-server would keep them.
#[derive(Debug, Clone, Default)]
pub struct List {
    elements: VecDeque<Bytes>,
    form: Form,
}

#[derive(Debug, Clone)]
enum Form {
    /// A listpack of this many bytes.
    Listpack(usize),
    /// A quicklist.
    Quicklist(Box<Nodes>),
}

impl Default for Form {
    fn default() -> Self {
        // Header and end.
        Self::Listpack(7)
    }
}

impl Deref for List {
    type Target = VecDeque<Bytes>;

    fn deref(&self) -> &VecDeque<Bytes> {
        &self.elements
    }
}

/// An end of a list.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum End {
    /// The front, where the element with the index 0 is.
    Left,
    /// The back.
    Right,
}

impl End {
    /// All items from this end on.
    fn walk<T>(self, items: &VecDeque<T>) -> impl Iterator<Item = &T> {
        let mut items = items.iter();
        std::iter::from_fn(move || match self {
            Self::Left => items.next(),
            Self::Right => items.next_back(),
        })
    }

    /// Keeps only some of the `near` items that are nearest to this end; the others are not touched.
    fn retain<T>(self, items: &mut VecDeque<T>, near: usize, mut keep: impl FnMut(&T) -> bool) {
        let near = near.min(items.len());
        match self {
            Self::Left => {
                let kept: Vec<T> = items.drain(..near).filter(|item| keep(item)).collect();
                kept.into_iter().rev().for_each(|item| items.push_front(item));
            }
            Self::Right => {
                let kept: Vec<T> = items.drain(items.len() - near..).filter(|item| keep(item)).collect();
                items.extend(kept);
            }
        }
    }
}

/// A list whose memory is less than this many elements keeps it.
const KEPT_CAPACITY: usize = 64;

impl List {
    /// A list of these elements, in the encoding that redis-server gives to a list that was built as a whole.
    #[must_use]
    pub fn from_elements(elements: impl IntoIterator<Item = Bytes>, limits: ListLimits) -> Self {
        let mut list = Self { form: Form::Quicklist(Box::new(Nodes::of(0, 0, limits))), ..Self::default() };
        for element in elements {
            list.push(End::Right, element, limits);
        }
        list.become_listpack(limits, false);
        list
    }

    /// A list of these nodes; the flag says whether a node is a single large element.
    pub(super) fn from_nodes(
        nodes: impl IntoIterator<Item = (Vec<Bytes>, bool)>,
        limits: ListLimits,
    ) -> Self {
        let (mut list, mut filled) = (Self::default(), Nodes::of(0, 0, limits));
        for (elements, plain) in nodes {
            filled.push_node(&elements, plain);
            list.elements.extend(elements);
        }
        list.form = Form::Quicklist(Box::new(filled));
        list
    }

    /// How many elements each node has, and whether it is a single large element.
    pub(super) fn nodes(&self) -> Vec<(usize, bool)> {
        match &self.form {
            Form::Listpack(_) => vec![(self.elements.len(), false)],
            Form::Quicklist(nodes) => nodes.iter().collect(),
        }
    }

    /// Becomes a listpack if it is a quicklist of one node that is small enough.
    pub(super) fn update_restored_encoding(&mut self, limits: ListLimits) {
        self.become_listpack(limits, false);
    }

    /// The name of the encoding, as OBJECT ENCODING gives it.
    #[must_use]
    pub fn encoding(&self) -> &'static str {
        match self.form {
            Form::Listpack(_) => "listpack",
            Form::Quicklist(_) => "quicklist",
        }
    }

    /// Announces elements that are going to be added or to replace others: redis-server chooses the encoding by all
    /// of them beforehand.
    pub fn expect<'a>(&mut self, elements: impl IntoIterator<Item = &'a [u8]>, limits: ListLimits) {
        let Form::Listpack(bytes) = self.form else { return };
        let (mut more_bytes, mut more) = (0, 0);
        for element in elements {
            more_bytes += element.len();
            more += 1;
        }
        if limits.exceeded(bytes + more_bytes, self.elements.len() + more) {
            self.form = Form::Quicklist(Box::new(Nodes::of(self.elements.len(), bytes, limits)));
        }
    }

    /// To be called after elements were removed or replaced: a quicklist that has become short is a
    /// listpack again.
    pub fn update_encoding(&mut self, limits: ListLimits) {
        self.become_listpack(limits, true);
    }

    fn become_listpack(&mut self, limits: ListLimits, half: bool) {
        if let Form::Quicklist(nodes) = &self.form
            && let Some(bytes) = nodes.as_listpack(limits, half)
        {
            self.form = Form::Listpack(bytes);
        }
    }

    /// Adds an element at an end.
    pub fn push(&mut self, end: End, element: Bytes, limits: ListLimits) {
        match &mut self.form {
            Form::Listpack(bytes) => *bytes += entry_bytes(&element),
            Form::Quicklist(nodes) => nodes.push(end, &element, limits),
        }
        match end {
            End::Left => self.elements.push_front(element),
            End::Right => self.elements.push_back(element),
        }
    }

    /// Removes and returns the element at an end.
    pub fn pop(&mut self, end: End) -> Option<Bytes> {
        let element = match end {
            End::Left => self.elements.pop_front(),
            End::Right => self.elements.pop_back(),
        }?;
        match &mut self.form {
            Form::Listpack(bytes) => *bytes -= entry_bytes(&element),
            Form::Quicklist(nodes) => nodes.pop(end, &element),
        }
        self.give_back();
        Some(element)
    }

    /// Replaces an element; false if there is none at this index.
    pub fn replace(&mut self, index: usize, element: &[u8], limits: ListLimits) -> bool {
        let Some(old) = self.elements.get(index) else { return false };
        match &mut self.form {
            Form::Listpack(bytes) => *bytes = *bytes + entry_bytes(element) - entry_bytes(old),
            Form::Quicklist(nodes) => nodes.replace(&self.elements, index, element, limits),
        }
        self.elements[index] = element.into();
        true
    }

    /// Removes all elements outside of `kept`; returns how many.
    pub fn keep(&mut self, kept: Range<usize>) -> usize {
        let before = self.elements.len();
        let (start, end) = (kept.start.min(before), kept.end.min(before));
        // With nothing to keep the end may come before the start.
        let end = end.max(start);
        match &mut self.form {
            Form::Listpack(bytes) => {
                let removed = self.elements.range(..start).chain(self.elements.range(end..));
                *bytes -= removed.map(|element| entry_bytes(element)).sum::<usize>();
            }
            Form::Quicklist(nodes) => {
                for element in self.elements.range(..start) {
                    nodes.pop(End::Left, element);
                }
                for element in self.elements.range(end..).rev() {
                    nodes.pop(End::Right, element);
                }
            }
        }
        self.elements.truncate(end);
        self.elements.drain(..start);
        self.give_back();
        before - self.elements.len()
    }

    /// Inserts an element before or after the first that is equal to `pivot`; false if there is none.
    pub fn insert_beside(&mut self, pivot: &[u8], behind: bool, element: &[u8], limits: ListLimits) -> bool {
        let Some(index) = self.elements.iter().position(|other| **other == *pivot) else { return false };
        match &mut self.form {
            Form::Listpack(bytes) => *bytes += entry_bytes(element),
            Form::Quicklist(nodes) => nodes.insert(&self.elements, index, behind, element, limits),
        }
        self.elements.insert(index + usize::from(behind), element.into());
        true
    }

    /// Removes up to `max` elements that are equal to `element`, the ones nearest to `from` first; returns how many.
    /// Elements beyond the last removed one are not visited.
    pub fn remove_equal(&mut self, element: &[u8], max: usize, from: End) -> usize {
        let is_equal = |other: &Bytes| **other == *element;
        // How many were found, and how far from the end the last of them is.
        let (mut removed, mut walked) = (0, 0);
        let equal = from.walk(&self.elements).enumerate().filter(|(_, other)| is_equal(other));
        for (passed, _) in equal.take(max) {
            removed += 1;
            walked = passed + 1;
        }
        match &mut self.form {
            Form::Listpack(bytes) => *bytes -= removed * entry_bytes(element),
            Form::Quicklist(nodes) => {
                nodes.take_all(from, from.walk(&self.elements).take(walked), is_equal);
            }
        }
        from.retain(&mut self.elements, walked, |other| !is_equal(other));
        self.give_back();
        removed
    }

    /// Frees memory if the list has become much shorter: half of the capacity stays unused, so that the cost of each
    /// removal stays constant.
    fn give_back(&mut self) {
        let list = &mut self.elements;
        if list.capacity() > KEPT_CAPACITY && list.len() < list.capacity() / 4 {
            list.shrink_to(list.len() * 2);
        }
    }
}

/// The position that an index names, negative ones counted from the end; `None` if there is no element there.
#[must_use]
pub fn resolve_index(index: i64, len: usize) -> Option<usize> {
    let index = match usize::try_from(index) {
        Ok(index) => index,
        Err(_) => len.checked_sub(usize::try_from(index.unsigned_abs()).ok()?)?,
    };
    (index < len).then_some(index)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits() -> ListLimits {
        ListLimits::of(&crate::config::Config::default())
    }

    fn list(elements: &str) -> List {
        List::from_elements(elements.bytes().map(|byte| Bytes::from([byte])), limits())
    }

    fn text(list: &List) -> String {
        list.iter().map(|element| String::from_utf8_lossy(element)).collect()
    }

    #[test]
    fn equal_elements_are_removed_from_the_end_that_was_named() {
        let removed = |max, from| {
            let mut list = list("abacada");
            let count = list.remove_equal(b"a", max, from);
            (count, text(&list))
        };
        assert_eq!(removed(2, End::Left), (2, "bcada".into()));
        assert_eq!(removed(2, End::Right), (2, "abacd".into()));
        assert_eq!(removed(9, End::Left), (4, "bcd".into()));
        assert_eq!(removed(9, End::Right), (4, "bcd".into()));
        assert_eq!(removed(0, End::Right), (0, "abacada".into()));
    }

    #[test]
    fn nodes_know_how_many_elements_are_left_in_them() {
        let limits =
            ListLimits::of(&crate::config::Config { list_max_listpack_size: 3, ..Default::default() });
        for (max, from, left, nodes) in [
            (2, End::Left, "bbccadea", vec![1, 3, 3, 1]),
            (2, End::Right, "aabbccde", vec![3, 3, 2]),
            (9, End::Left, "bbccde", vec![1, 3, 2]),
        ] {
            let mut list = List::default();
            list.expect([&[b'a'; 9000][..]], limits);
            "aabbccadea".bytes().for_each(|byte| list.push(End::Right, Bytes::from([byte]), limits));
            assert_eq!(list.nodes(), [(3, false), (3, false), (3, false), (1, false)]);
            list.remove_equal(b"a", max, from);
            let counts: Vec<usize> = list.nodes().into_iter().map(|(count, _)| count).collect();
            assert_eq!((text(&list).as_str(), counts), (left, nodes), "{max} {from:?}");
        }
    }

    #[test]
    fn a_list_that_was_long_gives_its_memory_back() {
        let mut list = List::from_elements((0..100_000).map(|_| Bytes::default()), limits());
        while list.len() > 10 {
            list.pop(End::Right);
        }
        assert!(list.capacity() <= KEPT_CAPACITY, "{}", list.capacity());
        let mut list = List::from_elements((0..100_000).map(|_| Bytes::default()), limits());
        list.keep(50_000..50_010);
        assert_eq!(list.len(), 10);
        assert!(list.capacity() <= KEPT_CAPACITY, "{}", list.capacity());
    }

    #[test]
    fn places_count_from_both_ends() {
        assert_eq!(resolve_index(0, 3), Some(0));
        assert_eq!(resolve_index(-1, 3), Some(2));
        assert_eq!(resolve_index(-3, 3), Some(0));
        assert_eq!(resolve_index(-4, 3), None);
        assert_eq!(resolve_index(3, 3), None);
        assert_eq!(resolve_index(i64::MIN, 3), None);
        assert_eq!(resolve_index(0, 0), None);
    }
}
