//! Clients and their users.

use crate::clients::{Client, ClientKey, Close, Rights};
use crate::state::State;
use crate::users::{User, UserKey};

impl State {
    /// What a client may do, by the rules of its user.
    fn rights_of(&self, client: &Client) -> Rights {
        if client.internal {
            Rights::All
        } else if !client.authenticated && self.users.must_log_in() {
            Rights::BeforeLogin
        } else if self.users.get(client.user).is_some_and(User::is_unrestricted) {
            Rights::All
        } else {
            Rights::Limited
        }
    }

    /// To be called when a client, or its user, has changed.
    pub fn update_rights(&mut self, key: ClientKey) {
        let Some(rights) = self.clients.get(key).map(|client| self.rights_of(client)) else { return };
        if let Some(client) = self.clients.get_mut(key) {
            client.rights = rights;
        }
    }

    /// To be called when users have changed.
    fn update_rights_of_all(&mut self) {
        let all: Vec<ClientKey> = self.clients.all().map(|(key, _)| key).collect();
        for key in all {
            self.update_rights(key);
        }
    }

    /// The client acts for the default user, as when it connects.
    pub fn log_out(&mut self, key: ClientKey) {
        let authenticated = !self.users.must_log_in();
        if let Some(client) = self.clients.get_mut(key) {
            (client.user, client.authenticated) = (UserKey::DEFAULT, authenticated);
        }
        self.update_rights(key);
    }

    /// Logs a client in, and returns whether user and password are right.
    pub fn log_in(&mut self, key: ClientKey, name: &[u8], password: &[u8]) -> bool {
        let Some(user) = self.users.log_in(name, password) else { return false };
        if let Some(client) = self.clients.get_mut(key) {
            (client.user, client.authenticated) = (user, true);
        }
        self.update_rights(key);
        true
    }

    /// Gives a user these properties. Clients of the user that are subscribed to what it no longer allows are closed.
    pub fn set_user(&mut self, name: &[u8], user: User) {
        let loses = self.users.named(name).is_some_and(|known| !known.has_no_more_channels_than(&user));
        let key = self.users.set(name, user);
        if loses {
            self.close_clients(|state, client| {
                client.user == key && state.has_forbidden_subscription(client)
            });
        }
        self.update_rights_of_all();
    }

    /// Removes a user, whose clients are closed; returns whether there was one.
    pub fn delete_user(&mut self, name: &[u8]) -> bool {
        let Some(key) = self.users.remove(name) else { return false };
        self.close_clients(|_, client| client.user == key);
        true
    }

    /// Replaces all users. Clients are closed whose user is gone or no longer allows their subscriptions; before Redis 7.2
    /// (`all`) the clients of all users but the default one.
    pub fn replace_users(&mut self, users: crate::users::Users, all: bool) {
        let before = std::mem::replace(&mut self.users, users);
        let clients: Vec<(ClientKey, UserKey)> =
            self.clients.all().map(|(key, client)| (key, client.user)).collect();
        let mut gone = Vec::new();
        for (key, user) in clients {
            let name = before.get(user).map(|user| user.name.clone()).unwrap_or_default();
            let now = self.users.find(&name).filter(|now| !all || *now == UserKey::DEFAULT);
            let Some(client) = self.clients.get_mut(key) else { continue };
            client.user = now.unwrap_or(UserKey::DEFAULT);
            let Some(client) = self.clients.get(key) else { continue };
            if now.is_none() || self.has_forbidden_subscription(client) {
                gone.push(key);
            }
        }
        for key in gone {
            self.close_client_of_user(key);
        }
        self.update_rights_of_all();
    }

    /// Whether a client is subscribed to something that its user does not allow.
    fn has_forbidden_subscription(&self, client: &Client) -> bool {
        let (Some(user), Some(all)) = (self.users.get(client.user), &client.subscriptions) else {
            return false;
        };
        all.patterns.iter().any(|pattern| !user.allows_channel(pattern, true))
            || all
                .channels
                .iter()
                .chain(&all.shard_channels)
                .any(|channel| !user.allows_channel(channel, false))
    }

    fn close_clients(&mut self, chosen: impl Fn(&Self, &Client) -> bool) {
        let listed = self.clients.all().filter(|(_, client)| !client.internal && chosen(self, client));
        let keys: Vec<ClientKey> = listed.map(|(key, _)| key).collect();
        for key in keys {
            self.close_client_of_user(key);
        }
    }

    /// Closes a client, after its reply if it is its command that runs. It may do nothing more.
    fn close_client_of_user(&mut self, key: ClientKey) {
        if let Some(client) = self.clients.get_mut(key) {
            (client.user, client.authenticated) = (UserKey::DEFAULT, false);
        }
        self.update_rights(key);
        if key == self.caller {
            self.clients.close(key, Close::AfterReply);
        } else {
            self.kill(key);
        }
    }

    /// The password of the default user is that of the setting `requirepass`.
    pub fn apply_password(&mut self) {
        self.users.set_default_password(&self.config.requirepass);
        self.update_rights_of_all();
    }
}
