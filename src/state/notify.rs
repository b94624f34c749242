//! The effects of a changed key: watchers, clients that track it, and keyspace notifications.

use crate::config::Class;
use crate::data::Value;
use crate::data::value::Type;
use crate::state::State;

impl State {
    /// A command has changed a key of the current database: watchers are notified, the change is counted, and the
    /// notification is published. The event's name is redis-server's, as the comparison verifies.
    pub fn modified(&mut self, class: Class, event: &str, key: &[u8]) {
        self.touched(key);
        self.event(class, event, key);
    }

    /// As [`State::modified`], for what counts as several changes, such as adding several members, or as none.
    pub fn modified_by(&mut self, changes: usize, class: Class, event: &str, key: &[u8]) {
        self.stats.dirty += changes as u64;
        self.key_changed(key);
        self.event(class, event, key);
    }

    /// A command has changed a key of the current database: watchers are notified and the change is counted.
    pub fn touched(&mut self, key: &[u8]) {
        self.stats.dirty += 1;
        self.key_changed(key);
    }

    /// A key of the current database has changed, which may count as no change: watchers are notified, and the clients
    /// that track it.
    pub fn key_changed(&mut self, key: &[u8]) {
        self.watches.touch(&mut self.clients, self.db, key);
        if self.tracked.is_used() {
            self.invalidate(key, self.changing_client());
        }
    }

    /// Replaces the value of a key with a computed one, which counts as `changes` changes; an empty value
    /// removes the key.
    pub fn put_result(&mut self, key: &[u8], result: Value, changes: usize, class: Class, event: &str) {
        if result.len() > 0 {
            self.insert(key, result, None);
            self.modified_by(changes, class, event, key);
        } else if self.remove(key).is_some() {
            self.modified(Class::GENERIC, "del", key);
        }
    }

    /// A value of one type has replaced one of another, or of the same: since Redis 8.2 there are events for it.
    #[inline]
    pub fn replaced(&mut self, key: &[u8], before: Type, after: Type) {
        if self.config.notify_keyspace_events.has_any_of(Class::OVERWRITTEN.or(Class::TYPE_CHANGED)) {
            self.publish_replaced(key, before, after);
        }
    }

    #[cold]
    fn publish_replaced(&mut self, key: &[u8], before: Type, after: Type) {
        self.event(Class::OVERWRITTEN, "overwritten", key);
        if before != after {
            self.event(Class::TYPE_CHANGED, "type_changed", key);
        }
    }

    /// Publishes a keyspace notification, if `notify-keyspace-events` asks for its class.
    pub fn event(&mut self, class: Class, event: &str, key: &[u8]) {
        let wanted = self.config.notify_keyspace_events;
        if wanted == Class::default() || !wanted.contains(class) {
            return;
        }
        if wanted.contains(Class::KEYSPACE) {
            let mut channel = format!("__keyspace@{}__:", self.db).into_bytes();
            channel.extend_from_slice(key);
            self.publish(&channel, event.as_bytes());
        }
        if wanted.contains(Class::KEYEVENT) {
            let channel = format!("__keyevent@{}__:{event}", self.db);
            self.publish(channel.as_bytes(), key);
        }
    }
}
