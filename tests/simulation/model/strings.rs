//! Strings, and what is done to keys of any type.

use super::{Answer, Model, Reply, Value, error, wrong_type};

impl Model {
    pub(super) fn set(&mut self, key: &str, value: &str, lasts: Option<i64>) -> Reply {
        // One whose time had come ends before there is another.
        self.value(key);
        self.changed(key);
        self.put(key, Value::String(value.to_owned()));
        let expires = lasts.map(|millis| self.millis() + millis);
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

    /// Everything goes. Of what had ended already that is no change.
    pub(super) fn flushall(&mut self) -> Reply {
        let keys: Vec<String> = self.keys.keys().cloned().collect();
        for key in &keys {
            self.ended(key);
        }
        self.keys.clear();
        // Who reads for a group learns that it is gone.
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
        let lasts = self.keys.get_mut(key).and_then(|key| key.expires.take());
        if lasts.is_some() {
            self.changed(key);
        }
        Reply::Integer(lasts.is_some().into())
    }

    pub(super) fn pttl(&mut self, key: &str) -> Reply {
        if self.value(key).is_none() {
            return Reply::Integer(-2);
        }
        let expires = self.keys.get(key).and_then(|key| key.expires);
        Reply::Integer(expires.map_or(-1, |at| at - self.millis()))
    }
}
