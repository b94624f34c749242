//! Intersections, unions and differences. The encoding and the order of a result follow from the order in which
//! redis-server builds it.

use super::{Member, Set, SetLimits};

/// The members that all sets have, in the order of the smallest of them.
pub fn intersection(mut sets: Vec<&Set>) -> impl Iterator<Item = Member<'_>> {
    // The sort is stable: of equally small sets, the first one is used.
    sets.sort_by_key(|set| set.len());
    let mut sets = sets.into_iter();
    let smallest = sets.next();
    let others: Vec<&Set> = sets.collect();
    let members = smallest.into_iter().flat_map(Set::iter);
    members.filter(move |member| others.iter().all(|set| set.has(*member)))
}

/// The members that any of the sets has.
pub fn union<'a>(sets: impl IntoIterator<Item = &'a Set>, limits: SetLimits) -> Set {
    let mut union = Set::default();
    for set in sets {
        union.add_all(set.iter(), limits);
    }
    union
}

/// The members of the first set that none of the others has.
#[must_use]
pub fn difference(first: &Set, others: &[&Set], limits: SetLimits) -> Set {
    let mut difference = Set::default();
    if others.iter().any(|set| std::ptr::eq(*set, first)) {
        return difference;
    }
    // Either each member of the first set is looked up in the others, or the members of the others are removed
    // one by one.
    let looked_for = first.len().saturating_mul(others.len() + 1) / 2;
    let taken_away = others.iter().map(|set| set.len()).sum::<usize>() + first.len();
    if looked_for <= taken_away {
        let members = first.iter().filter(|member| !others.iter().any(|set| set.has(*member)));
        difference.add_all(members, limits);
    } else {
        difference.add_all(first.iter(), limits);
        let mut digits = itoa::Buffer::new();
        for member in others.iter().flat_map(|set| set.iter()) {
            difference.remove(member.text(&mut digits));
        }
    }
    difference
}

impl Set {
    /// The set of these sets' common members.
    #[must_use]
    pub fn of_intersection(sets: Vec<&Set>, limits: SetLimits) -> Self {
        let smallest = sets.iter().min_by_key(|set| set.len());
        let mut result = match smallest {
            Some(Self::Integers(_)) => Self::default(),
            _ => Self::Listed(super::IndexSet::default()),
        };
        result.add_all(intersection(sets), limits);
        result.become_integers(limits);
        result
    }

    /// Adds members one after the other.
    fn add_all<'a>(&mut self, members: impl Iterator<Item = Member<'a>>, limits: SetLimits) {
        let mut digits = itoa::Buffer::new();
        for member in members {
            self.add(member.text(&mut digits), limits);
        }
    }
}
