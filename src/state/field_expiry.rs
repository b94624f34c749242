//! Fields of hashes that expire.

use crate::config::Class;
use crate::data::Hash;
use crate::data::Typed;
use crate::state::State;

impl State {
    /// Updates the deadlines of a hash: a command may have set an earlier first deadline, or has removed fields
    /// with deadlines.
    pub fn file_fields(&mut self, key: &[u8]) {
        let database = &mut self.databases[self.db];
        let (value, deadlines) = database.value_and_field_deadlines(key);
        if let Some(hash) = value.and_then(Hash::of_mut) {
            deadlines.update(key, hash);
            let next = deadlines.next();
            self.note_expiry(next);
        }
    }

    /// Removes the expired fields of a hash; while CLIENT PAUSE lasts they are only hidden. True if the hash
    /// still exists.
    #[cold]
    pub(super) fn hide_or_expire_fields(&mut self, key: &[u8]) -> bool {
        if !self.keeps_expired {
            return self.expire_fields(self.db, key, usize::MAX).is_some();
        }
        let now = self.now.millis();
        let (value, _) = self.databases[self.db].value_and_field_deadlines(key);
        if let Some(hash) = value.and_then(Hash::of_mut) {
            hash.hide_due(now);
        }
        true
    }

    /// Removes expired fields of a hash, at most `max` of them, with the events of redis-server, and the hash
    /// with its last field. Returns how many these were, or none if the hash does not exist.
    fn expire_fields(&mut self, db: usize, key: &[u8], max: usize) -> Option<usize> {
        let now = self.now.millis();
        let (value, deadlines) = self.databases[db].value_and_field_deadlines(key);
        let hash = value.and_then(Hash::of_mut)?;
        let removed = hash.remove_due(now, max);
        let emptied = hash.is_empty();
        deadlines.update(key, hash);
        if removed > 0 {
            self.stats.expired_fields += removed as u64;
            self.in_database(db, |state| {
                state.key_changed(key);
                state.event(Class::HASH, "hexpired", key);
                if emptied {
                    state.remove_empty(key);
                }
            });
        }
        (!emptied).then_some(removed)
    }

    /// Removes expired fields, at most `max` of them, and hashes that become empty; returns how many.
    pub(super) fn expire_due_fields(&mut self, max: usize) -> usize {
        let now = self.now.millis();
        let mut left = max;
        for db in 0..self.databases.len() {
            while left > 0 {
                let Some(key) = self.databases[db].field_deadlines_mut().take_first(now) else { break };
                if let Some(hash) =
                    self.databases[db].value_and_field_deadlines(&key).0.and_then(Hash::of_mut)
                {
                    hash.unfile();
                }
                let removed = self.stats.expired_fields;
                self.expire_fields(db, &key, left);
                let removed = self.stats.expired_fields - removed;
                // A hash without due fields counts too.
                left = left.saturating_sub(usize::try_from(removed).unwrap_or(left).max(1));
            }
        }
        max - left
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::data::Time;
    use crate::data::hash::HashLimits;
    use crate::state::Lookup;

    fn state() -> State {
        State::new(Config::default(), 1, Time::from_millis(1000))
    }

    /// Sets a field with a deadline, as HSETEX does.
    fn set(state: &mut State, key: &[u8], field: &str, deadline: Option<i64>) {
        let limits = HashLimits::of(&state.config);
        if let Ok(hash) = state.get_or_create::<Hash>(key) {
            hash.set(field.as_bytes(), b"", limits);
            hash.set_deadline(field.as_bytes(), deadline);
        }
        state.file_fields(key);
    }

    fn fields(state: &mut State, key: &[u8]) -> usize {
        state.get::<Hash>(key).ok().flatten().map_or(0, Hash::len)
    }

    #[test]
    fn fields_expire_in_time_and_the_hash_with_the_last_of_them() {
        let mut state = state();
        set(&mut state, b"k", "a", Some(2000));
        set(&mut state, b"k", "b", Some(3000));
        assert_eq!(state.next_expiry(), Some(2000));
        state.now = Time::from_millis(2000);
        assert_eq!((state.expire_due(10), state.next_expiry()), (1, Some(3000)));
        assert_eq!((fields(&mut state, b"k"), state.stats.expired_fields), (1, 1));
        state.now = Time::from_millis(3000);
        assert!(!state.contains(b"k"));
        assert_eq!((state.database().len(), state.next_expiry(), state.stats.expired_fields), (0, None, 2));
    }

    #[test]
    fn a_great_many_fields_expire_in_portions() {
        let mut state = state();
        for number in 0..1000 {
            set(&mut state, b"one", &number.to_string(), Some(2000));
            set(&mut state, number.to_string().as_bytes(), "a", Some(2000));
        }
        state.now = Time::from_millis(2000);
        let mut total = 0;
        while state.next_expiry().is_some() {
            let removed = state.expire_due(100);
            assert!((1..=100).contains(&removed));
            total += removed;
        }
        assert_eq!((total, state.database().len(), state.stats.expired_fields), (2000, 0, 2000));
    }

    #[test]
    fn every_hash_is_found_when_its_first_field_expires_wherever_it_has_gone() {
        for seed in 0..200 {
            let mut state = state();
            let mut random = fastrand::Rng::with_seed(seed);
            for _ in 0..100 {
                let key = [b'a' + random.u8(0..4)];
                let other = [b'a' + random.u8(0..4)];
                let field = random.u8(0..4).to_string();
                match random.u8(0..8) {
                    0..=2 => {
                        let deadline = state.now.millis() + random.i64(1..50);
                        set(&mut state, &key, &field, random.bool().then_some(deadline));
                    }
                    3 => drop(state.remove(&key)),
                    4 => drop(state.rename(&key, &other)),
                    5 => {
                        if let Some(value) =
                            state.lookup(&key, Lookup::Uncounted).map(|entry| entry.value.clone())
                        {
                            state.insert(&other, value, None);
                        }
                    }
                    6 => {
                        if let Ok(Some(hash)) = state.get_mut::<Hash>(&key) {
                            // As in HPERSIST: no keyspace event.
                            hash.set_deadline(field.as_bytes(), None);
                        }
                    }
                    _ => state.now = Time::from_millis(state.now.millis() + random.i64(1..20)),
                }
                let first = |state: &State| {
                    let values = state.database().iter().map(|(_, entry)| &entry.value);
                    values.filter_map(|value| Hash::of(value)?.next_expiry()).min()
                };
                assert!(state.next_expiry() <= first(&state) || first(&state).is_none(), "seed {seed}");
                assert!(state.next_expiry().is_some() || first(&state).is_none(), "seed {seed}");
                assert!(state.database().with_expiring_fields() <= state.database().len(), "seed {seed}");
                if random.u8(0..8) == 0 {
                    state.expire_due(usize::MAX);
                    assert!(first(&state).is_none_or(|at| at > state.now.millis()), "seed {seed}");
                }
            }
        }
    }
}
