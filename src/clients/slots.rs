//! The table of clients: a slot for each, which is reused for another client after it has disconnected.

use super::{Client, ClientKey};

/// The clients by their keys.
#[derive(Debug, Default)]
pub(super) struct Slots {
    /// The clients, and free slots in between, whose content has [`ClientKey::NONE`]. So one comparison detects a free
    /// slot as well as one that another client has.
    clients: Vec<Client>,
    /// The free slots; the one that became free last is used first.
    free: Vec<u32>,
    /// How many clients have connected. Two clients of one slot have the same key only if they are 2^32 clients apart.
    generation: u32,
}

impl Slots {
    /// Puts a client into a slot.
    pub fn insert(&mut self, mut client: Client) -> ClientKey {
        self.generation = self.generation.wrapping_add(1);
        let free = self.free.pop();
        let index = free.map_or(self.clients.len(), |index| index as usize);
        let key = ClientKey::new(index, self.generation);
        client.key = key;
        match self.clients.get_mut(index) {
            Some(slot) => *slot = client,
            None => self.clients.push(client),
        }
        key
    }

    /// Removes a client. Its slot is free.
    pub fn remove(&mut self, key: ClientKey) -> Option<Client> {
        let client = std::mem::take(self.get_mut(key)?);
        self.free.extend(u32::try_from(key.index()));
        Some(client)
    }

    #[inline]
    pub fn get(&self, key: ClientKey) -> Option<&Client> {
        self.clients.get(key.index()).filter(|client| client.key == key)
    }

    #[inline]
    pub fn get_mut(&mut self, key: ClientKey) -> Option<&mut Client> {
        self.clients.get_mut(key.index()).filter(|client| client.key == key)
    }

    /// All clients, in the order of the slots.
    pub fn iter(&self) -> impl Iterator<Item = (ClientKey, &Client)> {
        self.clients.iter().map(|client| (client.key, client)).filter(|(key, _)| *key != ClientKey::NONE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(id: u64) -> Client {
        Client { id, ..Client::default() }
    }

    #[test]
    fn a_client_is_not_taken_for_the_one_that_had_its_slot_before() {
        let mut slots = Slots::default();
        let (first, second) = (slots.insert(client(1)), slots.insert(client(2)));
        assert_eq!(slots.remove(first).map(|client| client.id), Some(1));
        assert!(slots.get(first).is_none() && slots.remove(first).is_none());
        let third = slots.insert(client(3));
        assert_eq!(third.index(), first.index());
        assert!(
            slots.get(first).is_none() && slots.get_mut(first).is_none() && slots.remove(first).is_none()
        );
        let ids: Vec<_> = slots.iter().map(|(key, client)| (key, client.id)).collect();
        assert_eq!(ids, [(third, 3), (second, 2)]);
        assert!(slots.get(ClientKey::NONE).is_none());
    }
}
