//! Lists as queues: an item that was pushed is in one list, or has been delivered to one client.

use std::collections::VecDeque;

use super::waiting::{Wait, WaitKind};
use super::{Answer, Model, Reply, Stop, Value, millis_of, number, wrong_type};

#[derive(Clone, Copy)]
enum End {
    Left,
    Right,
}

impl End {
    fn of(word: &str) -> Self {
        if word == "LEFT" { Self::Left } else { Self::Right }
    }
}

impl Model {
    pub(super) fn list_command(&mut self, words: &[&str]) -> Answer {
        match *words {
            ["LPUSH", key, ref items @ ..] => self.push_items(key, items, End::Left),
            ["RPUSH", key, ref items @ ..] => self.push_items(key, items, End::Right),
            ["LPOP", key] => self.pop_one(key, End::Left),
            ["RPOP", key] => self.pop_one(key, End::Right),
            ["LPOP", key, count] => self.pop_several(key, End::Left, number(count)),
            ["RPOP", key, count] => self.pop_several(key, End::Right, number(count)),
            ["LLEN", key] => Ok(Reply::count(self.list(key)?.map_or(0, |list| list.len()))),
            ["LRANGE", key, "0", "-1"] => {
                let items = self.list(key)?.map(|list| list.iter().map(Reply::text).collect());
                Ok(Reply::Array(items.unwrap_or_default()))
            }
            ["LMOVE", from, to, pop, push] => {
                let moved = self.move_item(from, to, End::of(pop), End::of(push))?;
                Ok(moved.map_or(Reply::Null, Reply::Text))
            }
            ["BLMOVE", from, to, pop, push, timeout] => {
                match self.move_item(from, to, End::of(pop), End::of(push))? {
                    Some(item) => Ok(Reply::Text(item)),
                    None => self.wait_for_list(&[from], timeout, Reply::Null),
                }
            }
            ["BLPOP", ref keys @ .., timeout] => self.pop_or_wait(keys, End::Left, timeout),
            ["BRPOP", ref keys @ .., timeout] => self.pop_or_wait(keys, End::Right, timeout),
            ["LMPOP", _, ref keys @ .., end, "COUNT", count] => {
                Ok(self.pop_first(keys, End::of(end), number(count))?.unwrap_or(Reply::NullArray))
            }
            ["BLMPOP", timeout, _, ref keys @ .., end, "COUNT", count] => {
                match self.pop_first(keys, End::of(end), number(count))? {
                    Some(reply) => Ok(reply),
                    None => self.wait_for_list(keys, timeout, Reply::NullArray),
                }
            }
            _ => unreachable!("the model knows no {words:?}"),
        }
    }

    fn list(&mut self, key: &str) -> Result<Option<&mut VecDeque<String>>, Stop> {
        match self.value(key) {
            None => Ok(None),
            Some(Value::List(list)) => Ok(Some(list)),
            Some(_) => wrong_type(),
        }
    }

    fn push_items(&mut self, key: &str, items: &[&str], end: End) -> Answer {
        self.list(key)?;
        for item in items {
            self.push_item(key, (*item).to_owned(), end)?;
        }
        Ok(Reply::count(self.list(key)?.map_or(0, |list| list.len())))
    }

    fn push_item(&mut self, key: &str, item: String, end: End) -> Result<(), Stop> {
        if self.list(key)?.is_none() {
            self.put(key, Value::List(VecDeque::new()));
        }
        if let Some(list) = self.list(key)? {
            match end {
                End::Left => list.push_front(item),
                End::Right => list.push_back(item),
            }
        }
        self.changed(key);
        Ok(())
    }

    /// Takes an item; an empty list is deleted.
    fn pop(&mut self, key: &str, end: End) -> Result<Option<String>, Stop> {
        let item = self.take(key, end)?;
        self.remove_if_empty(key)?;
        Ok(item)
    }

    fn take(&mut self, key: &str, end: End) -> Result<Option<String>, Stop> {
        let Some(list) = self.list(key)? else { return Ok(None) };
        let item = match end {
            End::Left => list.pop_front(),
            End::Right => list.pop_back(),
        };
        self.changed(key);
        Ok(item)
    }

    fn remove_if_empty(&mut self, key: &str) -> Result<(), Stop> {
        if self.list(key)?.is_some_and(|list| list.is_empty()) {
            self.remove(key);
        }
        Ok(())
    }

    fn pop_one(&mut self, key: &str, end: End) -> Answer {
        Ok(self.pop(key, end)?.map_or(Reply::Null, Reply::Text))
    }

    fn pop_several(&mut self, key: &str, end: End, count: i64) -> Answer {
        if self.list(key)?.is_none() {
            return Ok(Reply::NullArray);
        }
        let mut items = Vec::new();
        for _ in 0..count {
            items.extend(self.pop(key, end)?.map(Reply::Text));
        }
        Ok(Reply::Array(items))
    }

    /// Takes from the first of several keys that is a list: the key, and the items.
    fn pop_first(&mut self, keys: &[&str], end: End, count: i64) -> Result<Option<Reply>, Stop> {
        for key in keys {
            if self.list(key)?.is_some() {
                let items = self.pop_several(key, end, count)?;
                return Ok(Some(Reply::Array(vec![Reply::text(*key), items])));
            }
        }
        Ok(None)
    }

    fn pop_or_wait(&mut self, keys: &[&str], end: End, timeout: &str) -> Answer {
        for key in keys {
            if let Some(item) = self.pop(key, end)? {
                return Ok(Reply::Array(vec![Reply::text(*key), Reply::Text(item)]));
            }
        }
        self.wait_for_list(keys, timeout, Reply::NullArray)
    }

    /// Moves an item from one list to another, which may be the same. Nothing is taken if it cannot be pushed.
    fn move_item(&mut self, from: &str, to: &str, pop: End, push: End) -> Result<Option<String>, Stop> {
        if self.list(from)?.is_none() {
            return Ok(None);
        }
        self.list(to)?;
        let Some(item) = self.take(from, pop)? else { return Ok(None) };
        self.push_item(to, item.clone(), push)?;
        self.remove_if_empty(from)?;
        Ok(Some(item))
    }

    fn wait_for_list(&mut self, keys: &[&str], timeout: &str, otherwise: Reply) -> Answer {
        let deadline = self.deadline(millis_of(timeout));
        Err(Stop::Wait(Wait::new(WaitKind::List, keys, deadline, otherwise)))
    }
}
