//! Members chosen at random.

use fastrand::Rng;

use super::{Bytes, IndexSet, Member, Set, SetLimits, Table};
use crate::data::sample;
use crate::data::walk::Walks;

impl Set {
    /// Any member; `None` if the set is empty.
    #[must_use]
    pub fn random(&self, random: &mut Rng) -> Option<Member<'_>> {
        let len = self.len();
        if len == 0 { None } else { self.at(random.usize(..len)) }
    }

    /// The indices of `count` different members. Those of a listpack are in ascending order, as redis-server
    /// samples it in one pass.
    #[must_use]
    pub fn sample(&self, count: usize, random: &mut Rng) -> Vec<usize> {
        if matches!(self, Self::Listed(_)) {
            sample::in_order(self.len(), count, random)
        } else {
            sample::in_any_order(self.len(), count, random)
        }
    }

    /// Removes and returns any member.
    pub fn pop(&mut self, random: &mut Rng) -> Option<Bytes> {
        let len = self.len();
        if len == 0 { None } else { self.take(random.usize(..len)) }
    }

    /// Removes `count` members of a larger set and returns them in the order of redis-server's reply.
    pub fn pop_many(&mut self, count: usize, random: &mut Rng, limits: SetLimits) -> Vec<Bytes> {
        /// How many times more expensive it is for redis-server to move a member than to remove one.
        const MOVING: usize = 5;
        let remaining = self.len().saturating_sub(count);
        if remaining.saturating_mul(MOVING) <= count {
            return self.leave(remaining, random, limits);
        }
        match self {
            Self::Hashed(_) => (0..count).filter_map(|_| self.pop(random)).collect(),
            Self::Integers(_) | Self::Listed(_) => {
                let indices = self.sample(count, random);
                let mut digits = itoa::Buffer::new();
                let text = |index: &usize| Some(self.at(*index)?.text(&mut digits).into());
                let popped = indices.iter().filter_map(text).collect();
                self.remove_indices(indices);
                popped
            }
        }
    }

    /// Removes all but `remaining` members. Those become a new set, which may be small again.
    pub(super) fn leave(&mut self, remaining: usize, random: &mut Rng, limits: SetLimits) -> Vec<Bytes> {
        let indices = sample::in_order(self.len(), remaining, random);
        let mut walks = match self {
            Self::Hashed(table) => std::mem::take(&mut table.walks),
            Self::Integers(_) | Self::Listed(_) => Walks::default(),
        };
        walks.only(&indices);
        let mut left = match self {
            Self::Integers(_) => Self::default(),
            Self::Listed(_) | Self::Hashed(_) => Self::Listed(IndexSet::default()),
        };
        let mut digits = itoa::Buffer::new();
        for index in &indices {
            if let Some(member) = self.at(*index) {
                left.add(member.text(&mut digits), limits);
            }
        }
        if let Self::Hashed(table) = &mut left {
            table.walks = walks;
        }
        self.remove_indices(indices);
        std::mem::replace(self, left).take_all().into_iter().collect()
    }

    /// Removes the members at these indices, which are distinct; the others keep their order.
    fn remove_indices(&mut self, mut indices: Vec<usize>) {
        indices.sort_unstable();
        let mut indices = indices.into_iter().peekable();
        let mut index = 0;
        let mut stays = || {
            let goes = indices.next_if_eq(&index).is_some();
            index += 1;
            !goes
        };
        match self {
            Self::Integers(members) => members.retain(|_| stays()),
            Self::Listed(members) | Self::Hashed(Table { members, .. }) => members.retain(|_| stays()),
        }
    }

    /// Removes and returns the member at an index.
    fn take(&mut self, index: usize) -> Option<Bytes> {
        match self {
            Self::Integers(members) => {
                let member = (index < members.len()).then(|| members.remove(index))?;
                Some(itoa::Buffer::new().format(member).as_bytes().into())
            }
            Self::Listed(members) => members.shift_remove_index(index),
            Self::Hashed(table) => table.remove_at(index),
        }
    }
}
