//! Members chosen at random.

use fastrand::Rng;

use super::{Bytes, IndexSet, Member, Set, SetLimits, Table};
use crate::data::sample;
use crate::data::walk::Walks;

impl Set {
    /// Any member; none of an empty set.
    #[must_use]
    pub fn random(&self, random: &mut Rng) -> Option<Member<'_>> {
        let len = self.len();
        if len == 0 { None } else { self.at(random.usize(..len)) }
    }

    /// The places of `count` different members. Those of a listpack are in their order, as redis-server chooses
    /// there in passing.
    #[must_use]
    pub fn sample(&self, count: usize, random: &mut Rng) -> Vec<usize> {
        if matches!(self, Self::Listed(_)) {
            sample::in_order(self.len(), count, random)
        } else {
            sample::in_any_order(self.len(), count, random)
        }
    }

    /// Takes out any member.
    pub fn pop(&mut self, random: &mut Rng) -> Option<Bytes> {
        let len = self.len();
        if len == 0 { None } else { self.take(random.usize(..len)) }
    }

    /// Takes out `count` members, of which there are more: the members in the order in which redis-server answers.
    pub fn pop_many(&mut self, count: usize, random: &mut Rng, limits: SetLimits) -> Vec<Bytes> {
        /// How many times dearer it is for redis-server to move a member than to take one out.
        const MOVING: usize = 5;
        let remaining = self.len().saturating_sub(count);
        if remaining.saturating_mul(MOVING) <= count {
            return self.leave(remaining, random, limits);
        }
        match self {
            Self::Hashed(_) => (0..count).filter_map(|_| self.pop(random)).collect(),
            Self::Integers(_) | Self::Listed(_) => {
                let places = self.sample(count, random);
                let mut digits = itoa::Buffer::new();
                let text = |place: &usize| Some(self.at(*place)?.text(&mut digits).into());
                let popped = places.iter().filter_map(text).collect();
                self.remove_places(places);
                popped
            }
        }
    }

    /// Takes out all but so many members. What is left becomes a new set, which may be small again.
    pub(super) fn leave(&mut self, remaining: usize, random: &mut Rng, limits: SetLimits) -> Vec<Bytes> {
        let places = sample::in_order(self.len(), remaining, random);
        let mut walks = match self {
            Self::Hashed(table) => std::mem::take(&mut table.walks),
            Self::Integers(_) | Self::Listed(_) => Walks::default(),
        };
        walks.only(&places);
        let mut left = match self {
            Self::Integers(_) => Self::default(),
            Self::Listed(_) | Self::Hashed(_) => Self::Listed(IndexSet::default()),
        };
        let mut digits = itoa::Buffer::new();
        for place in &places {
            if let Some(member) = self.at(*place) {
                left.add(member.text(&mut digits), limits);
            }
        }
        if let Self::Hashed(table) = &mut left {
            table.walks = walks;
        }
        self.remove_places(places);
        std::mem::replace(self, left).take_all().into_iter().collect()
    }

    /// Removes the members at these places, each of which is named once; the others keep their order.
    fn remove_places(&mut self, mut places: Vec<usize>) {
        places.sort_unstable();
        let mut places = places.into_iter().peekable();
        let mut place = 0;
        let mut stays = || {
            let goes = places.next_if_eq(&place).is_some();
            place += 1;
            !goes
        };
        match self {
            Self::Integers(members) => members.retain(|_| stays()),
            Self::Listed(members) | Self::Hashed(Table { members, .. }) => members.retain(|_| stays()),
        }
    }

    /// Takes out the member at a place.
    fn take(&mut self, place: usize) -> Option<Bytes> {
        match self {
            Self::Integers(members) => {
                let member = (place < members.len()).then(|| members.remove(place))?;
                Some(itoa::Buffer::new().format(member).as_bytes().into())
            }
            Self::Listed(members) => members.shift_remove_index(place),
            Self::Hashed(table) => table.remove_at(place),
        }
    }
}
