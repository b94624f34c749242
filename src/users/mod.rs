//! Users: who may log in, and which commands, keys and channels each may use.
//!
//! Commands are known here only by their index in the table of commands; [`CommandNames`] finds them.

mod commands;
mod denials;
mod file;
mod password;
mod rule;
mod selector;
mod user;

use std::collections::BTreeMap;

pub use denials::{Context, Denials, Denied, Reason};
pub use file::UserFile;
pub use rule::{CommandNames, Named, RuleError, joined};
pub use selector::{Call, Denial, KeyUse, Selector};
pub use user::User;

use crate::data::Bytes;

/// The name of the user that a connection has before it logs in.
pub const DEFAULT: &[u8] = b"default";

/// The key of a user, for as long as there is one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct UserKey(usize);

impl UserKey {
    /// The user [`DEFAULT`], who is always there.
    pub const DEFAULT: Self = Self(0);
}

/// All users, in the order of their names.
#[derive(Clone, Debug)]
pub struct Users {
    /// The users by their keys. The key of a user who was removed is not used again.
    users: Vec<User>,
    keys: BTreeMap<Bytes, UserKey>,
}

impl Users {
    /// Only the default user, without a password and with all rights. `sanitizes` as in [`User::new`].
    #[must_use]
    pub fn new(sanitizes: bool) -> Self {
        let mut users = Self { users: Vec::new(), keys: BTreeMap::new() };
        users.set(DEFAULT, User::unrestricted(sanitizes));
        users
    }

    /// The key of the user of this name.
    #[must_use]
    pub fn find(&self, name: &[u8]) -> Option<UserKey> {
        self.keys.get(name).copied()
    }

    /// The user with this key.
    #[must_use]
    pub fn get(&self, key: UserKey) -> Option<&User> {
        self.users.get(key.0)
    }

    /// The user of this name.
    #[must_use]
    pub fn named(&self, name: &[u8]) -> Option<&User> {
        self.get(self.find(name)?)
    }

    /// The default user.
    pub fn default_user(&self) -> Option<&User> {
        self.get(UserKey::DEFAULT)
    }

    /// The user of this name, if the password is right and the user is switched on.
    #[must_use]
    pub fn log_in(&self, name: &[u8], password: &[u8]) -> Option<UserKey> {
        let key = self.find(name)?;
        self.get(key).filter(|user| user.is_on && user.accepts(password)).map(|_| key)
    }

    /// Whether a new connection has to log in.
    #[must_use]
    pub fn must_log_in(&self) -> bool {
        !self.default_user().is_some_and(|user| user.is_on && user.needs_no_password)
    }

    /// Sets the properties of the user of this name, who is added if there is none.
    pub fn set(&mut self, name: &[u8], mut user: User) -> UserKey {
        user.name = name.into();
        if let Some(key) = self.find(name) {
            if let Some(known) = self.users.get_mut(key.0) {
                *known = user;
            }
            return key;
        }
        let key = UserKey(self.users.len());
        self.users.push(user);
        self.keys.insert(name.into(), key);
        key
    }

    /// Removes a user other than the default one.
    pub fn remove(&mut self, name: &[u8]) -> Option<UserKey> {
        let key = self.keys.remove(name)?;
        debug_assert!(key != UserKey::DEFAULT, "the default user stays");
        // Without rights, even where a client still has the key.
        if let Some(user) = self.users.get_mut(key.0) {
            *user = User::default();
        }
        Some(key)
    }

    /// The password of the default user, as `requirepass` sets it; an empty one is none.
    pub fn set_default_password(&mut self, password: &[u8]) {
        if let Some(user) = self.users.get_mut(UserKey::DEFAULT.0) {
            user.set_only_password(password);
        }
    }

    /// All users, in the order of their names.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &User> {
        self.keys.values().map(|key| &self.users[key.0])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_removed_user_has_no_rights_and_its_key_is_not_reused() {
        let mut users = Users::new(true);
        let ann = users.set(b"ann", User::unrestricted(true));
        assert_eq!(users.log_in(b"ann", b"any"), Some(ann));
        assert_eq!(users.remove(b"ann"), Some(ann));
        assert!(users.find(b"ann").is_none() && users.log_in(b"ann", b"any").is_none());
        assert!(!users.get(ann).expect("the slot stays").is_unrestricted());
        assert_ne!(users.set(b"bob", User::unrestricted(true)), ann);
        let names: Vec<&[u8]> = users.iter().map(|user| &*user.name).collect();
        assert_eq!(names, [b"bob".as_slice(), DEFAULT]);
    }

    #[test]
    fn connections_must_log_in_if_the_default_user_has_a_password_or_is_off() {
        let mut users = Users::new(true);
        assert!(!users.must_log_in());
        users.set_default_password(b"secret");
        assert!(users.must_log_in());
        assert_eq!(users.log_in(DEFAULT, b"secret"), Some(UserKey::DEFAULT));
        assert_eq!(users.log_in(DEFAULT, b"other"), None);
        users.set_default_password(b"");
        assert!(!users.must_log_in());
        let mut off = User::unrestricted(true);
        off.is_on = false;
        users.set(DEFAULT, off);
        assert!(users.must_log_in() && users.log_in(DEFAULT, b"").is_none());
    }
}
