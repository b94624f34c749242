//! Values in redis-server's serialization: what RESTORE accepts can be used and dumped again.

use minibroker::internal::config::Config;
use minibroker::internal::data::dump::{dump, restore, signed};
use minibroker::internal::data::list::{End, ListLimits};
use minibroker::internal::data::set::Member;
use minibroker::internal::data::stream::{Keep, NewId, NodeLimits, References, Trim};
use minibroker::internal::data::{StreamId, Value};
use minibroker::internal::resp::OwnedRequest;

/// All that clients can read of a value, as text. Unordered parts are sorted.
pub(crate) fn read_out(value: &Value) -> Vec<String> {
    let mut parts: Vec<String> = Vec::new();
    match value {
        Value::String(string) => parts.push(string.bytes().escape_ascii().to_string()),
        Value::List(list) => parts.extend(list.iter().map(|element| element.escape_ascii().to_string())),
        Value::Set(set) => {
            parts.extend(set.iter().map(|member| match member {
                Member::Integer(integer) => integer.to_string(),
                Member::Bytes(bytes) => bytes.escape_ascii().to_string(),
            }));
            parts.sort();
        }
        Value::Hash(hash) => {
            parts.extend(hash.iter_with_deadlines().map(|(field, value, deadline)| {
                format!("{} {} {deadline:?}", field.escape_ascii(), value.escape_ascii())
            }));
            parts.sort();
        }
        Value::SortedSet(set) => {
            let all = set.range(0..set.len());
            // A small set has no -0.
            parts.extend(all.map(|(member, score)| format!("{} {}", member.escape_ascii(), score + 0.0)));
        }
        Value::Stream(stream) => {
            let ids = (stream.first_id(), stream.last_id(), stream.max_deleted_id());
            parts.push(format!("{} {ids:?} {}", stream.len(), stream.entries_added()));
            for entry in stream.range(StreamId::MIN, StreamId::MAX) {
                let fields = entry
                    .fields
                    .map(|(name, value)| format!("{} {}", name.escape_ascii(), value.escape_ascii()));
                parts.push(format!("{:?} {:?}", entry.id, fields.collect::<Vec<_>>()));
            }
            for (name, group) in stream.groups() {
                let (read, lag) = (group.entries_read, stream.lag(group));
                parts.push(format!("{} {:?} {read:?} {lag:?}", name.escape_ascii(), group.last_id));
                for (_, consumer) in group.consumers() {
                    let (name, times) = (consumer.name().escape_ascii(), (consumer.seen, consumer.active));
                    let pending = consumer.pending().iter().map(|id| {
                        group.pending().get(id).map(|pending| (id, pending.delivered, pending.deliveries))
                    });
                    parts.push(format!("{name} {times:?} {:?}", pending.collect::<Vec<_>>()));
                }
                assert_eq!(
                    group.pending().len(),
                    group.consumers().map(|(_, consumer)| consumer.pending().len()).sum::<usize>()
                );
            }
        }
    }
    parts
}

/// How many elements a value has.
fn len(value: &Value) -> usize {
    match value {
        Value::String(string) => string.len(),
        Value::List(list) => list.len(),
        Value::Set(set) => set.len(),
        Value::Hash(hash) => hash.len(),
        Value::SortedSet(set) => set.len(),
        Value::Stream(stream) => stream.len(),
    }
}

/// Adds to a value and removes its elements.
fn use_up(value: &mut Value, config: &Config) {
    let limits = ListLimits::of(config);
    match value {
        Value::String(_) => {}
        Value::List(list) => {
            let pivot = list.get(list.len() / 2).cloned().unwrap_or_default();
            assert!(list.insert_beside(&pivot, true, b"beside", limits));
            assert!(list.replace(list.len() / 2, &[b'x'; 9000], limits));
            list.remove_equal(&pivot, 2, End::Right);
            list.push(End::Left, b"first".as_slice().into(), limits);
            while list.pop(End::Right).is_some() {}
        }
        Value::Set(set) => {
            set.add(b"more", minibroker::internal::data::set::SetLimits::of(config));
            let members: Vec<Vec<u8>> = set
                .iter()
                .map(|member| match member {
                    Member::Integer(integer) => integer.to_string().into(),
                    Member::Bytes(bytes) => bytes.to_vec(),
                })
                .collect();
            assert!(members.iter().all(|member| set.remove(member)));
        }
        Value::Hash(hash) => {
            hash.set(b"more", b"", minibroker::internal::data::hash::HashLimits::of(config));
            hash.remove_due(1_000_000_000_000, usize::MAX);
            let fields: Vec<Vec<u8>> = hash.iter().map(|(field, _)| field.to_vec()).collect();
            assert!(fields.iter().all(|field| hash.remove(field).is_some()));
        }
        Value::SortedSet(set) => {
            for rank in 0..set.len() {
                let member = set.at(rank).map(|(member, _)| member.to_vec()).unwrap_or_default();
                assert_eq!(set.rank(&member), Some(rank));
            }
            set.remove_range(0..set.len() / 2);
            while let Some((member, _)) = set.at(0) {
                let member = member.to_vec();
                assert!(set.remove(&member).is_some());
            }
        }
        Value::Stream(stream) => {
            let request = OwnedRequest::new(["f", "v"]);
            let _ = stream.add(NewId::Auto, request.args(), 1, NodeLimits { bytes: 4096, entries: 100 });
            let ids: Vec<_> = stream.range(StreamId::MIN, StreamId::MAX).map(|entry| entry.id).collect();
            assert!(ids.is_sorted());
            for id in ids.iter().step_by(2) {
                assert!(stream.contains(*id) && stream.delete(*id));
            }
            let left = stream.len();
            let trim = |keep| Trim {
                keep: Keep::Newest(keep),
                approximate: false,
                limit: 0,
                references: References::Keep,
            };
            assert_eq!(stream.trim(&trim(left / 2)), left - left / 2);
            stream.trim(&trim(0));
        }
    }
    assert_eq!(len(value), if matches!(value, Value::String(_)) { len(value) } else { 0 });
}

/// Checks one input: a payload without its checksum.
pub fn check(data: &[u8]) {
    let config = Config::default();
    let Ok(mut value) = restore(&signed(data.to_vec()), &config) else { return };
    let written = dump(&value);
    let again = restore(&written, &config).expect("what was written is read");
    assert_eq!(read_out(&value), read_out(&again));
    let second = dump(&again);
    let third = restore(&second, &config).expect("what was written is read");
    if matches!(&again, Value::Hash(hash) if hash.next_expiry().is_some()) {
        // Fields with the same deadline change their order each time they are read, as in redis-server, where the one that
        // gets its deadline last comes first.
        assert_eq!(read_out(&third), read_out(&again));
    } else {
        assert_eq!(dump(&third), second);
    }
    use_up(&mut value, &config);
}

/// Checks a seed in which some bytes are changed: an offset and the new byte.
pub fn check_changed(seed: &[u8], changes: &[(usize, u8)]) {
    let mut data = seed.to_vec();
    for (offset, byte) in changes {
        let len = data.len();
        if let Some(old) = data.get_mut(offset % len.max(1)) {
            *old = *byte;
        }
    }
    check(&data);
}
