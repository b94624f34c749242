//! Groups of a stream: an entry goes to one consumer, which has it pending until it acknowledges it or another claims it.

use std::collections::{BTreeMap, BTreeSet};

use super::streams::{Id, Reading, Stream};
use super::waiting::{Wait, WaitKind};
use super::{Answer, Model, Reply, Stop, Value, count_of, error, number};

#[derive(Debug, Default)]
pub(super) struct Group {
    /// The last entry that was delivered.
    last: Id,
    /// Entries that were delivered and not acknowledged.
    pending: BTreeMap<Id, Pending>,
    consumers: BTreeSet<String>,
}

#[derive(Debug, Clone)]
struct Pending {
    consumer: String,
    /// The last delivery, in milliseconds.
    since: i64,
    /// How often it was delivered.
    times: i64,
}

impl Group {
    /// The pending entries of a consumer, from an id on.
    fn of(&self, consumer: &str, from: Id) -> Vec<Id> {
        let pending = self.pending.range(from..).filter(|(_, one)| one.consumer == consumer);
        pending.map(|(id, _)| *id).collect()
    }
}

/// The result of a claim.
enum Claimed {
    Yes,
    No,
    /// The entry has been deleted, and is not pending any more.
    Vanished,
}

impl Stream {
    /// A consumer takes over a pending entry that has been idle for long enough.
    fn claim(&mut self, group: &str, id: Id, consumer: &str, idle: i64, now: i64, again: bool) -> Claimed {
        let exists = self.entries.contains_key(&id);
        let Some(group) = self.groups.get_mut(group) else { return Claimed::No };
        let Some(pending) = group.pending.get_mut(&id) else { return Claimed::No };
        if !exists {
            group.pending.remove(&id);
            return Claimed::Vanished;
        }
        if now - pending.since < idle {
            return Claimed::No;
        }
        consumer.clone_into(&mut pending.consumer);
        pending.since = now;
        pending.times += i64::from(again);
        Claimed::Yes
    }
}

impl Model {
    pub(super) fn group_command(&mut self, words: &[&str]) -> Answer {
        match *words {
            ["XGROUP", "CREATE", key, group, id, ref option @ ..] => {
                self.create_group(key, group, id, option == ["MKSTREAM"])
            }
            ["XGROUP", "DESTROY", key, group] => self.destroy_group(key, group),
            ["XGROUP", "DELCONSUMER", key, group, consumer] => self.delete_consumer(key, group, consumer),
            ["XREADGROUP", "GROUP", group, consumer, ref rest @ ..] => self.xreadgroup(group, consumer, rest),
            ["XACK", key, group, ref ids @ ..] => {
                let Some(stream) = self.stream(key)? else { return Ok(Reply::Integer(0)) };
                let Some(group) = stream.groups.get_mut(group) else { return Ok(Reply::Integer(0)) };
                let done = ids.iter().filter(|id| group.pending.remove(&Id::read(id)).is_some());
                Ok(Reply::count(done.count()))
            }
            ["XPENDING", key, group] => self.pending_in_short(key, group),
            ["XPENDING", key, group, "IDLE", idle, "-", "+", count, ref consumer @ ..] => {
                self.pending_at_length(key, group, number(idle), count_of(count), consumer.first().copied())
            }
            ["XPENDING", key, group, "-", "+", count, ref consumer @ ..] => {
                self.pending_at_length(key, group, 0, count_of(count), consumer.first().copied())
            }
            ["XCLAIM", key, group, consumer, idle, ref ids @ .., "JUSTID"] => {
                self.xclaim([key, group, consumer], number(idle), ids, true)
            }
            ["XCLAIM", key, group, consumer, idle, ref ids @ ..] => {
                self.xclaim([key, group, consumer], number(idle), ids, false)
            }
            ["XAUTOCLAIM", key, group, consumer, idle, from, "COUNT", count, ref option @ ..] => {
                let just_id = option == ["JUSTID"];
                self.xautoclaim([key, group, consumer], number(idle), from, count_of(count), just_id)
            }
            _ => unreachable!("the model knows no {words:?}"),
        }
    }

    fn create_group(&mut self, key: &str, name: &str, id: &str, make_stream: bool) -> Answer {
        if self.stream(key)?.is_none() {
            if !make_stream {
                return no_stream();
            }
            self.changed(key);
            self.put(key, Value::Stream(Stream::default()));
        }
        let Some(stream) = self.stream(key)? else { return no_stream() };
        if stream.groups.contains_key(name) {
            return error("BUSYGROUP Consumer Group name already exists");
        }
        let last = if id == "$" { stream.last } else { Id::read(id) };
        stream.groups.insert(name.to_owned(), Group { last, ..Group::default() });
        Ok(Reply::OK)
    }

    fn destroy_group(&mut self, key: &str, name: &str) -> Answer {
        let Some(stream) = self.stream(key)? else { return no_stream() };
        let destroyed = stream.groups.remove(name).is_some();
        if destroyed {
            // Clients that wait for it get an error.
            self.may_serve(key);
        }
        Ok(Reply::Integer(destroyed.into()))
    }

    /// The entries of the consumer are no longer pending.
    fn delete_consumer(&mut self, key: &str, name: &str, consumer: &str) -> Answer {
        let Some(stream) = self.stream(key)? else { return no_stream() };
        let Some(group) = stream.groups.get_mut(name) else {
            return error(format!("NOGROUP No such consumer group '{name}' for key name '{key}'"));
        };
        let before = group.pending.len();
        group.pending.retain(|_, pending| pending.consumer != consumer);
        group.consumers.remove(consumer);
        Ok(Reply::count(before - group.pending.len()))
    }

    /// The stream, if it has such a group.
    fn stream_with(&mut self, key: &str, group: &str, suffix: &str) -> Result<&mut Stream, Stop> {
        match self.stream(key)? {
            Some(stream) if stream.groups.contains_key(group) => Ok(stream),
            _ => error(format!("NOGROUP No such key '{key}' or consumer group '{group}'{suffix}")),
        }
    }

    fn group(&mut self, key: &str, name: &str) -> Result<&mut Group, Stop> {
        let stream = self.stream_with(key, name, "")?;
        Ok(stream.groups.get_mut(name).expect("it was looked for"))
    }

    /// The entries that the group has not delivered yet (`>`), or the pending entries of the consumer after an id.
    fn xreadgroup(&mut self, name: &str, consumer: &str, words: &[&str]) -> Answer {
        let reading = Reading::of(words);
        for key in reading.keys {
            self.stream_with(key, name, " in XREADGROUP with GROUP option")?;
        }
        let now = self.millis();
        let mut found = Vec::new();
        for (key, id) in reading.keys.iter().zip(reading.ids) {
            let Some(stream) = self.stream(key)? else { continue };
            let Some(group) = stream.groups.get_mut(name) else { continue };
            group.consumers.insert(consumer.to_owned());
            let last = group.last;
            let ids = if *id == ">" {
                stream.behind(last, reading.count)
            } else {
                let ids = group.of(consumer, Id::read(id).next());
                ids.into_iter().take(reading.count).collect()
            };
            if *id == ">" && ids.is_empty() {
                continue;
            }
            let mut entries = Vec::new();
            for read in ids {
                let entry = stream.entry(read);
                let group = stream.groups.get_mut(name).expect("it was looked for");
                if *id == ">" {
                    group.last = read;
                    if !reading.no_ack {
                        let pending = Pending { consumer: consumer.to_owned(), since: now, times: 1 };
                        group.pending.insert(read, pending);
                    }
                } else if entry.is_some()
                    && let Some(pending) = group.pending.get_mut(&read)
                {
                    pending.since = now;
                    pending.times += 1;
                }
                // A deleted entry has only its id.
                let nothing = || Reply::Array(vec![Reply::text(read.to_string()), Reply::NullArray]);
                entries.push(entry.unwrap_or_else(nothing));
            }
            found.push((Reply::text(*key), Reply::Array(entries)));
        }
        if !found.is_empty() {
            return Ok(Reply::Map(found));
        }
        let Some(millis) = reading.block else { return Ok(Reply::NullArray) };
        let deadline = self.deadline(millis);
        Err(Stop::Wait(Wait::new(WaitKind::Group, reading.keys, deadline, Reply::NullArray)))
    }

    fn pending_in_short(&mut self, key: &str, name: &str) -> Answer {
        let group = self.group(key, name)?;
        let (Some((first, _)), Some((last, _))) =
            (group.pending.first_key_value(), group.pending.last_key_value())
        else {
            return Ok(Reply::Array(vec![Reply::Integer(0), Reply::Null, Reply::Null, Reply::NullArray]));
        };
        let mut consumers = Vec::new();
        for consumer in &group.consumers {
            let count = group.of(consumer, Id::default()).len();
            if count > 0 {
                consumers.push(Reply::Array(vec![Reply::text(consumer), Reply::text(count.to_string())]));
            }
        }
        Ok(Reply::Array(vec![
            Reply::count(group.pending.len()),
            Reply::text(first.to_string()),
            Reply::text(last.to_string()),
            Reply::Array(consumers),
        ]))
    }

    fn pending_at_length(
        &mut self,
        key: &str,
        name: &str,
        idle: i64,
        count: usize,
        consumer: Option<&str>,
    ) -> Answer {
        let now = self.millis();
        let group = self.group(key, name)?;
        let mut entries = Vec::new();
        for (id, pending) in &group.pending {
            let is_selected = consumer.is_none_or(|consumer| pending.consumer == consumer);
            if !is_selected || now - pending.since < idle || entries.len() >= count {
                continue;
            }
            entries.push(Reply::Array(vec![
                Reply::text(id.to_string()),
                Reply::text(&pending.consumer),
                Reply::Integer(now - pending.since),
                Reply::Integer(pending.times),
            ]));
        }
        Ok(Reply::Array(entries))
    }

    fn xclaim(&mut self, [key, name, consumer]: [&str; 3], idle: i64, ids: &[&str], just_id: bool) -> Answer {
        let now = self.millis();
        self.group(key, name)?.consumers.insert(consumer.to_owned());
        let stream = self.stream_with(key, name, "")?;
        let mut claimed = Vec::new();
        for id in ids {
            let id = Id::read(id);
            if let Claimed::Yes = stream.claim(name, id, consumer, idle, now, !just_id) {
                claimed.extend(if just_id { Some(Reply::text(id.to_string())) } else { stream.entry(id) });
            }
        }
        Ok(Reply::Array(claimed))
    }

    /// Looks for pending entries to claim from an id on. It returns where to continue, what was claimed, and which of the
    /// pending entries had been deleted.
    fn xautoclaim(
        &mut self,
        [key, name, consumer]: [&str; 3],
        idle: i64,
        from: &str,
        count: usize,
        just_id: bool,
    ) -> Answer {
        let now = self.millis();
        let group = self.group(key, name)?;
        group.consumers.insert(consumer.to_owned());
        let pending: Vec<Id> = group.pending.range(Id::read(from)..).map(|(id, _)| *id).collect();
        let stream = self.stream_with(key, name, "")?;
        let (mut claimed, mut deleted) = (Vec::new(), Vec::new());
        let mut left = pending.into_iter();
        let mut examined = 0;
        let mut next = left.next();
        // It examines ten times as many as it may claim, and no more.
        while let Some(id) = next
            && claimed.len() + deleted.len() < count
            && examined < count * 10
        {
            examined += 1;
            match stream.claim(name, id, consumer, idle, now, !just_id) {
                Claimed::Yes if just_id => claimed.push(Reply::text(id.to_string())),
                Claimed::Yes => claimed.extend(stream.entry(id)),
                Claimed::No => {}
                Claimed::Vanished => deleted.push(Reply::text(id.to_string())),
            }
            next = left.next();
        }
        let cursor = next.unwrap_or_default().to_string();
        Ok(Reply::Array(vec![Reply::text(cursor), Reply::Array(claimed), Reply::Array(deleted)]))
    }
}

fn no_stream<T>() -> Result<T, Stop> {
    error(
        "ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the \
         MKSTREAM option to create an empty stream automatically.",
    )
}
