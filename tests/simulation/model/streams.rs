//! Streams: entries with ids that only increase, read by any number of clients.

use std::collections::BTreeMap;
use std::fmt;

use super::groups::Group;
use super::waiting::{Wait, WaitKind};
use super::{Answer, Model, Reply, Stop, Value, count_of, error, number, wrong_type};

/// Milliseconds, and a number within them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) struct Id(pub u64, pub u64);

impl Id {
    pub const MAX: Self = Self(u64::MAX, u64::MAX);

    /// An id as programs have it: with both parts, or `-` and `+` for the least and the greatest.
    pub fn read(text: &str) -> Self {
        match text {
            "-" | "0" => Self::default(),
            "+" => Self::MAX,
            _ => {
                let (millis, number) = text.split_once('-').expect("programs have whole ids");
                Self(millis.parse().expect("a number"), number.parse().expect("a number"))
            }
        }
    }

    /// The first id after this one.
    pub fn next(self) -> Self {
        Self(self.0, self.1 + 1)
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.0, self.1)
    }
}

#[derive(Debug, Default)]
pub(super) struct Stream {
    /// The text of each entry.
    pub entries: BTreeMap<Id, String>,
    /// The last id that was given to an entry.
    pub last: Id,
    pub groups: BTreeMap<String, Group>,
}

impl Stream {
    pub fn entry(&self, id: Id) -> Option<Reply> {
        self.entries.get(&id).map(|text| entry(id, text))
    }

    /// At most `count` entries after an id.
    pub fn behind(&self, after: Id, count: usize) -> Vec<Id> {
        self.entries.range(after.next()..).map(|(id, _)| *id).take(count).collect()
    }
}

/// An entry with its one field.
fn entry(id: Id, text: &str) -> Reply {
    let fields = Reply::Array(vec![Reply::text("f"), Reply::text(text)]);
    Reply::Array(vec![Reply::text(id.to_string()), fields])
}

/// The arguments of XREAD and XREADGROUP.
pub(super) struct Reading<'a> {
    pub count: usize,
    pub block: Option<i64>,
    pub no_ack: bool,
    pub keys: &'a [&'a str],
    pub ids: &'a [&'a str],
}

impl<'a> Reading<'a> {
    pub fn of(words: &'a [&'a str]) -> Self {
        let index = words.iter().position(|word| *word == "STREAMS").expect("programs have it");
        let value = |option| {
            let at = words[..index].iter().position(|word| *word == option)?;
            Some(number(words[at + 1]))
        };
        let streams = &words[index + 1..];
        let (keys, ids) = streams.split_at(streams.len() / 2);
        let count = value("COUNT").and_then(|count| usize::try_from(count).ok());
        Self {
            count: count.unwrap_or(usize::MAX),
            block: value("BLOCK"),
            no_ack: words[..index].contains(&"NOACK"),
            keys,
            ids,
        }
    }
}

impl Model {
    pub(super) fn stream_command(&mut self, words: &[&str]) -> Answer {
        match *words {
            ["XADD", key, id, "f", text] => self.xadd(key, id, text, None),
            ["XADD", key, "MAXLEN", max, id, "f", text] => self.xadd(key, id, text, Some(count_of(max))),
            ["XLEN", key] => Ok(Reply::count(self.stream(key)?.map_or(0, |stream| stream.entries.len()))),
            ["XDEL", key, ref ids @ ..] => self.xdel(key, ids),
            ["XRANGE", key, from, to] => {
                let Some(stream) = self.stream(key)? else { return Ok(Reply::Array(Vec::new())) };
                let entries = stream.entries.range(Id::read(from)..=Id::read(to));
                Ok(Reply::Array(entries.map(|(id, text)| entry(*id, text)).collect()))
            }
            ["XREAD", ref rest @ ..] => self.xread(rest),
            _ => unreachable!("the model knows no {words:?}"),
        }
    }

    pub(super) fn stream(&mut self, key: &str) -> Result<Option<&mut Stream>, Stop> {
        match self.value(key) {
            None => Ok(None),
            Some(Value::Stream(stream)) => Ok(Some(stream)),
            Some(_) => wrong_type(),
        }
    }

    fn xadd(&mut self, key: &str, id: &str, text: &str, max: Option<usize>) -> Answer {
        let now = self.now / 1000;
        let last = self.stream(key)?.map_or(Id::default(), |stream| stream.last);
        let id = match id {
            "*" if now > last.0 => Id(now, 0),
            "*" => last.next(),
            given => Id::read(given),
        };
        if id <= last {
            return error("ERR The ID specified in XADD is equal or smaller than the target stream top item");
        }
        if self.stream(key)?.is_none() {
            self.put(key, Value::Stream(Stream::default()));
        }
        if let Some(stream) = self.stream(key)? {
            stream.entries.insert(id, text.to_owned());
            stream.last = id;
            while max.is_some_and(|max| stream.entries.len() > max) {
                stream.entries.pop_first();
            }
        }
        self.changed(key);
        self.may_serve(key);
        Ok(Reply::text(id.to_string()))
    }

    fn xdel(&mut self, key: &str, ids: &[&str]) -> Answer {
        let Some(stream) = self.stream(key)? else { return Ok(Reply::Integer(0)) };
        let removed = ids.iter().filter(|id| stream.entries.remove(&Id::read(id)).is_some()).count();
        if removed > 0 {
            self.changed(key);
        }
        Ok(Reply::count(removed))
    }

    /// Entries after the given ids, of which `$` is the last id of the stream.
    fn xread(&mut self, words: &[&str]) -> Answer {
        let reading = Reading::of(words);
        let mut after = Vec::new();
        for (key, id) in reading.keys.iter().zip(reading.ids) {
            let last = self.stream(key)?.map_or(Id::default(), |stream| stream.last);
            after.push(if *id == "$" { last } else { Id::read(id) });
        }
        let mut found = Vec::new();
        for (key, after) in reading.keys.iter().zip(&after) {
            let Some(stream) = self.stream(key)? else { continue };
            let ids = stream.behind(*after, reading.count);
            if !ids.is_empty() {
                let entries = ids.iter().filter_map(|id| stream.entry(*id)).collect();
                found.push((Reply::text(*key), Reply::Array(entries)));
            }
        }
        if !found.is_empty() {
            return Ok(Reply::Map(found));
        }
        let Some(millis) = reading.block else { return Ok(Reply::NullArray) };
        let mut wait = Wait::new(WaitKind::Stream, reading.keys, self.deadline(millis), Reply::NullArray);
        // The client reads from the end of the stream at the time of the request.
        let ids: Vec<String> = after.iter().map(Id::to_string).collect();
        let before = words[..words.len() - reading.ids.len()].join(" ");
        wait.request = Some(format!("XREAD {before} {}", ids.join(" ")));
        Err(Stop::Wait(wait))
    }
}
