//! Strings, and commands for keys of any type.

use super::{Answer, Model, Reply, Value, error, wrong_type};

impl Model {
    pub(super) fn set(&mut self, key: &str, value: &str, ttl: Option<i64>) -> Reply {
        // A key that has expired is deleted before it gets a new value.
        self.value(key);
        self.changed(key);
        self.put(key, Value::String(value.to_owned()));
        let expires = ttl.map(|millis| self.millis() + millis);
        self.keys.get_mut(key).expect("it was put there").expires = expires;
        Reply::OK
    }

    pub(super) fn get(&mut self, key: &str) -> Answer {
        match self.value(key) {
            None => Ok(Reply::Null),
            Some(Value::String(value)) => Ok(Reply::text(value.clone())),
            Some(_) => wrong_type(),
        }
    }

    pub(super) fn incr(&mut self, key: &str) -> Answer {
        let value = match self.value(key) {
            None => {
                self.put(key, Value::String("1".into()));
                1
            }
            Some(Value::String(text)) => {
                let Ok(value) = text.parse::<i64>() else {
                    return error("ERR value is not an integer or out of range");
                };
                *text = (value + 1).to_string();
                value + 1
            }
            Some(_) => return wrong_type(),
        };
        self.changed(key);
        Ok(Reply::Integer(value))
    }

    pub(super) fn del(&mut self, keys: &[&str]) -> Reply {
        let mut removed = 0;
        for key in keys {
            if self.value(key).is_some() {
                self.remove(key);
                removed += 1;
            }
        }
        Reply::Integer(removed)
    }

    /// Deletes all keys. For keys that had expired already this is not a change.
    pub(super) fn flushall(&mut self) -> Reply {
        let keys: Vec<String> = self.keys.keys().cloned().collect();
        for key in &keys {
            self.expired(key);
        }
        self.keys.clear();
        // Clients that wait for a group get an error.
        let mut waited_for: Vec<String> =
            self.waiters.iter().flat_map(|waiter| waiter.keys.clone()).collect();
        waited_for.sort();
        for key in &waited_for {
            self.may_serve(key);
        }
        Reply::OK
    }

    pub(super) fn pexpire(&mut self, key: &str, millis: i64) -> Reply {
        if self.value(key).is_none() {
            return Reply::Integer(0);
        }
        if millis <= 0 {
            self.remove(key);
        } else {
            let at = self.millis() + millis;
            self.changed(key);
            self.keys.get_mut(key).expect("it is there").expires = Some(at);
        }
        Reply::Integer(1)
    }

    pub(super) fn persist(&mut self, key: &str) -> Reply {
        self.value(key);
        let ttl = self.keys.get_mut(key).and_then(|key| key.expires.take());
        if ttl.is_some() {
            self.changed(key);
        }
        Reply::Integer(ttl.is_some().into())
    }

    pub(super) fn pttl(&mut self, key: &str) -> Reply {
        if self.value(key).is_none() {
            return Reply::Integer(-2);
        }
        let expires = self.keys.get(key).and_then(|key| key.expires);
        Reply::Integer(expires.map_or(-1, |at| at - self.millis()))
    }
}
