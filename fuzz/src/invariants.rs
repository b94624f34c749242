//! The invariants of an engine.

use minibroker::internal::clients::pubsub::Kind;
use minibroker::internal::clients::waiters::Reason;
use minibroker::internal::data::value::Type;
use minibroker::internal::data::{Hash, Time, Typed};
use minibroker::internal::engine::Engine;
use minibroker::internal::resp::{OwnedRequest, Value};
use minibroker::internal::state::State;

/// What must hold between any two requests.
pub fn between_requests(state: &State) {
    let waiting = state
        .clients
        .iter()
        .filter(|(_, client)| client.blocked.as_ref().is_some_and(|blocked| blocked.reason != Reason::Pause));
    assert_eq!(state.waiters.blocked(), waiting.count());
    assert!(!state.waiters.has_ready(), "a key is ready and its waiters have not been served");
    let (mut channels, mut patterns, mut shard_channels, mut watched) = (0, 0, 0, 0);
    for (_, client) in state.clients.iter() {
        watched += client.watched.as_ref().map_or(0, |keys| keys.len());
        if let Some(subscriptions) = &client.subscriptions {
            channels += subscriptions.channels.len();
            patterns += subscriptions.patterns.len();
            shard_channels += subscriptions.shard_channels.len();
        }
    }
    for (kind, count) in [(Kind::Channel, channels), (Kind::Pattern, patterns), (Kind::Shard, shard_channels)]
    {
        let subscribers = state.pubsub.names(kind).map(|name| state.pubsub.subscribers(kind, name));
        assert_eq!(subscribers.sum::<usize>(), count, "{kind:?}");
        assert!(state.pubsub.names(kind).all(|name| state.pubsub.subscribers(kind, name) > 0));
    }
    assert_eq!(state.watches.len(), watched);
    check_keys(state);
}

/// No empty collection is kept, and everything that expires is counted.
fn check_keys(state: &State) {
    for database in &state.databases {
        let expiring = database.iter().filter(|(_, entry)| entry.expires().is_some());
        assert_eq!(database.expiring(), expiring.count());
        let hashes = database.iter().filter_map(|(_, entry)| Hash::of(&entry.value));
        let first_field = hashes.filter_map(Hash::next_expiry).min();
        assert!(first_field.is_none_or(|at| database.next_expiry().is_some_and(|next| next <= at)));
        assert!(database.with_expiring_fields() <= database.len());
    }
}

/// The elements of a value agree with its length and its order, and no empty collection is kept.
pub fn of_values(engine: &mut Engine, now: Time) {
    let database = &engine.state().databases[0];
    let keys: Vec<_> = database.iter().map(|(key, entry)| (key.clone(), entry.value.kind())).collect();
    for (key, kind) in keys {
        let (length, all): (&str, &[&str]) = match kind {
            Type::String => continue,
            Type::List => ("LLEN", &["LRANGE", "", "0", "-1"]),
            Type::Set => ("SCARD", &["SMEMBERS", ""]),
            Type::Hash => ("HLEN", &["HGETALL", ""]),
            Type::SortedSet => ("ZCARD", &["ZRANGE", "", "0", "-1", "WITHSCORES"]),
            Type::Stream => ("XLEN", &["XRANGE", "", "-", "+"]),
        };
        let arguments = all.iter().map(|text| if text.is_empty() { &*key } else { text.as_bytes() });
        let elements = ask(engine, now, arguments.collect());
        // The key may just have expired.
        let expired = !engine.state().databases[0].has(&key);
        let count = match &elements {
            Value::Array(elements) | Value::Set(elements) => elements.len(),
            Value::Map(elements) => elements.len(),
            other => panic!("{kind:?}: {other}"),
        };
        let length = ask(engine, now, vec![length.as_bytes(), &key]);
        assert_eq!(length.as_integer(), i64::try_from(count).ok(), "{kind:?}: {elements}");
        assert!(count > 0 || expired || kind == Type::Stream, "{kind:?}: an empty one is kept");
        if let (Value::Array(elements), Type::SortedSet) = (&elements, kind) {
            let scores = elements.iter().map(|element| match element {
                Value::Array(pair) => match pair[..] {
                    [_, Value::Double(score)] => score,
                    _ => panic!("{element}"),
                },
                _ => panic!("{element}"),
            });
            assert!(scores.is_sorted(), "{elements:?}");
        }
    }
}

/// Runs a command of the embedding program.
fn ask(engine: &mut Engine, now: Time, arguments: Vec<&[u8]>) -> Value {
    let mut reply = Vec::new();
    engine.command(&OwnedRequest::new(arguments), now, &mut reply);
    let (value, length) = Value::read(&reply).expect("a reply");
    assert_eq!(length, reply.len());
    value
}

/// What must hold when all clients have disconnected.
pub fn of_emptiness(state: &State) {
    assert!(state.clients.is_empty());
    assert!(state.clients.monitors.is_empty());
    assert!(!state.clients.has_dirty());
    assert_eq!(state.waiters.blocked(), 0);
    assert_eq!(state.waiters.keys(), 0);
    assert_eq!(state.waiters.next_deadline(), None);
    assert!(state.waiters.paused().is_empty());
    assert!(state.watches.is_empty());
    for kind in [Kind::Channel, Kind::Pattern, Kind::Shard] {
        assert_eq!(state.pubsub.names(kind).len(), 0);
    }
}
