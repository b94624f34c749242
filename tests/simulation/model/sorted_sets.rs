//! Sorted sets, as queues by priority.

use std::collections::BTreeSet;

use super::waiting::{Wait, WaitKind};
use super::{Answer, Model, Reply, Stop, Value, millis_of, number, wrong_type};

impl Model {
    pub(super) fn sorted_set_command(&mut self, words: &[&str]) -> Answer {
        match *words {
            ["ZADD", key, score, member] => self.zadd(key, number(score), member),
            ["ZCARD", key] => Ok(Reply::count(self.sorted_set(key)?.map_or(0, |set| set.len()))),
            ["ZPOPMIN" | "ZPOPMAX", key] => {
                let popped = self.pop_member(key, words[0] == "ZPOPMIN")?;
                Ok(Reply::Array(popped.map(Vec::from).unwrap_or_default()))
            }
            ["BZPOPMIN" | "BZPOPMAX", ref keys @ .., timeout] => {
                for key in keys {
                    if let Some([member, score]) = self.pop_member(key, words[0] == "BZPOPMIN")? {
                        return Ok(Reply::Array(vec![Reply::text(*key), member, score]));
                    }
                }
                let deadline = self.deadline(millis_of(timeout));
                Err(Stop::Wait(Wait::new(WaitKind::SortedSet, keys, deadline, Reply::NullArray)))
            }
            _ => unreachable!("the model knows no {words:?}"),
        }
    }

    /// By score, and members of the same score by name.
    fn sorted_set(&mut self, key: &str) -> Result<Option<&mut BTreeSet<(i64, String)>>, Stop> {
        match self.value(key) {
            None => Ok(None),
            Some(Value::SortedSet(set)) => Ok(Some(set)),
            Some(_) => wrong_type(),
        }
    }

    fn zadd(&mut self, key: &str, score: i64, member: &str) -> Answer {
        if self.sorted_set(key)?.is_none() {
            self.put(key, Value::SortedSet(BTreeSet::new()));
        }
        let Some(set) = self.sorted_set(key)? else { return Ok(Reply::Integer(0)) };
        let old = set.iter().find(|(_, other)| other == member).cloned();
        if old.as_ref().is_some_and(|(before, _)| *before == score) {
            return Ok(Reply::Integer(0));
        }
        if let Some(old) = &old {
            set.remove(old);
        }
        set.insert((score, member.to_owned()));
        self.changed(key);
        Ok(Reply::Integer(old.is_none().into()))
    }

    /// Takes the member with the least or the greatest score; an empty sorted set is deleted.
    fn pop_member(&mut self, key: &str, least: bool) -> Result<Option<[Reply; 2]>, Stop> {
        let Some(set) = self.sorted_set(key)? else { return Ok(None) };
        let Some((score, member)) = (if least { set.pop_first() } else { set.pop_last() }) else {
            return Ok(None);
        };
        let is_empty = set.is_empty();
        self.changed(key);
        if is_empty {
            self.remove(key);
        }
        Ok(Some([Reply::Text(member), Reply::Score(score)]))
    }
}
