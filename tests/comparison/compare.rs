//! What counts as the same answer: every byte, unless the line of the case file says otherwise.

use crate::{
    run::{Outcome, Received},
    wire::{self, Value},
};

/// The exceptions that a line makes, each visible in it as `~name`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
// Each is a word of the case format.
#[allow(clippy::struct_excessive_bools)]
pub struct Markers {
    unordered: bool,
    pairs: bool,
    frames: bool,
    any: bool,
    number: bool,
    digits: bool,
    monitor: bool,
    hello: bool,
    within: Option<i64>,
    fields: Option<Vec<String>>,
}

impl Markers {
    /// Reads one marker, without its `~`.
    pub fn add(&mut self, marker: &str) -> Result<(), String> {
        match marker.split_once('=') {
            Some(("within", distance)) => {
                self.within = Some(distance.parse().map_err(|_| format!("~{marker}: not a number"))?);
            }
            Some(("fields", names)) => self.fields = Some(names.split(',').map(str::to_owned).collect()),
            _ => {
                *match marker {
                    "unordered" => &mut self.unordered,
                    "pairs" => &mut self.pairs,
                    "frames" => &mut self.frames,
                    "any" => &mut self.any,
                    "number" => &mut self.number,
                    "digits" => &mut self.digits,
                    "monitor" => &mut self.monitor,
                    "hello" => &mut self.hello,
                    _ => return Err(format!("~{marker}: no such marker")),
                } = true;
            }
        }
        Ok(())
    }

    /// Whether two outcomes of the step count as the same.
    pub fn same(&self, left: &Outcome, right: &Outcome) -> bool {
        left.note == right.note
            && left.received.len() == right.received.len()
            && left.received.iter().zip(&right.received).all(|(one, other)| {
                one.client == other.client
                    && one.closed == other.closed
                    && self.same_bytes((&one.bytes, &left.control), (&other.bytes, &right.control))
            })
    }

    /// Whether two texts of replies count as the same, each with the address of the harness's own connection.
    pub fn same_bytes(&self, left: (&[u8], &str), right: (&[u8], &str)) -> bool {
        if *self == Markers::default() {
            return left.0 == right.0;
        }
        let (left, right) = (self.masked(left.0, left.1), self.masked(right.0, right.1));
        left.1 == right.1
            && left.0.len() == right.0.len()
            && left.0.iter().zip(&right.0).all(|(one, other)| self.alike(one, other))
    }

    /// Whether two values count as the same.
    pub fn same_values(&self, left: &wire::Value, right: &wire::Value) -> bool {
        self.alike(&self.mask(left.clone(), "", true), &self.mask(right.clone(), "", true))
    }

    /// The replies with everything that may differ taken out, and what is left over behind them.
    fn masked<'a>(&self, bytes: &'a [u8], control: &str) -> (Vec<Value>, &'a [u8]) {
        let (mut values, rest) = wire::frames(bytes);
        if self.monitor {
            values.retain(
                |value| !matches!(value, Value::Leaf { kind: b'+', text: Some(text) } if contains(text, control)),
            );
        }
        let mut values: Vec<Value> =
            values.into_iter().map(|value| self.mask(value, control, true)).collect();
        if self.frames {
            values.sort();
        }
        (values, rest)
    }

    fn mask(&self, value: Value, control: &str, top: bool) -> Value {
        match value {
            Value::Leaf { kind, text } if self.any => Value::Leaf { kind, text: text.map(|_| Vec::new()) },
            Value::Nest { kind, items } if self.any => Value::Nest { kind, items: items.map(|_| Vec::new()) },
            Value::Leaf { kind, text: Some(text) } => {
                Value::Leaf { kind, text: Some(self.mask_text(text, control)) }
            }
            Value::Nest { kind, items: Some(items) } => {
                let mut items: Vec<Value> =
                    items.into_iter().map(|item| self.mask(item, control, false)).collect();
                if self.hello {
                    items = without_identity(items);
                }
                if (self.pairs && top) || (self.unordered && kind == b'%') {
                    items = sorted_pairs(&items);
                } else if self.unordered {
                    items.sort();
                }
                Value::Nest { kind, items: Some(items) }
            }
            other => other,
        }
    }

    fn mask_text(&self, text: Vec<u8>, control: &str) -> Vec<u8> {
        if self.monitor {
            // 1700000000.123456 [0 127.0.0.1:50000] "GET" "k"
            let line = String::from_utf8_lossy(&text);
            let kept = line.split_once(" [").and_then(|(_, rest)| {
                let (db, rest) = rest.split_once(' ')?;
                let (_, command) = rest.split_once("] ")?;
                Some(format!("{db} {command}"))
            });
            if let Some(kept) = kept {
                return kept.into_bytes();
            }
        }
        if let Some(fields) = &self.fields {
            return kept_fields(&String::from_utf8_lossy(&text), fields, control).into_bytes();
        }
        if self.number && std::str::from_utf8(&text).is_ok_and(|text| text.parse::<f64>().is_ok()) {
            return b"#".to_vec();
        }
        if self.digits { without_digits(&text) } else { text }
    }

    fn alike(&self, left: &Value, right: &Value) -> bool {
        match (self.within, left, right) {
            (
                Some(distance),
                Value::Leaf { kind: one, text: Some(left) },
                Value::Leaf { kind: other, text: Some(right) },
            ) if one == other => match (integer(left), integer(right)) {
                (Some(left), Some(right)) => (left - right).abs() <= distance,
                _ => left == right,
            },
            (
                Some(_),
                Value::Nest { kind: one, items: Some(left) },
                Value::Nest { kind: other, items: Some(right) },
            ) => {
                one == other
                    && left.len() == right.len()
                    && left.iter().zip(right).all(|(left, right)| self.alike(left, right))
            }
            _ => left == right,
        }
    }
}

fn integer(text: &[u8]) -> Option<i64> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

fn contains(text: &[u8], part: &str) -> bool {
    text.windows(part.len()).any(|window| window == part.as_bytes())
}

fn sorted_pairs(items: &[Value]) -> Vec<Value> {
    let mut pairs: Vec<Vec<Value>> = items.chunks(2).map(<[Value]>::to_vec).collect();
    pairs.sort();
    pairs.concat()
}

/// What HELLO says of the server that asks for no comparison: version, client id and modules.
fn without_identity(mut items: Vec<Value>) -> Vec<Value> {
    let named = |item: &Value, names: &[&[u8]]| matches!(item, Value::Leaf { text: Some(text), .. } if names.contains(&text.as_slice()));
    if items.first().is_some_and(|first| named(first, &[b"server"])) {
        for pair in items.chunks_mut(2) {
            let [name, value] = pair else { continue };
            match value {
                Value::Nest { items, .. } => *items = None,
                Value::Leaf { text, .. } if named(name, &[b"version", b"id"]) => *text = None,
                Value::Leaf { .. } => {}
            }
        }
    }
    items
}

fn without_digits(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    for &byte in text {
        match byte {
            b'0'..=b'9' if out.last() == Some(&b'#') => {}
            b'0'..=b'9' => out.push(b'#'),
            other => out.push(other),
        }
    }
    out
}

/// Of `name=value name=value` (CLIENT LIST) and `name:value` lines (INFO) those that are asked for.
/// The line of the harness's own connection is left out.
fn kept_fields(text: &str, fields: &[String], control: &str) -> String {
    let own = format!("addr={control}");
    let wanted = |field: &&str| {
        let name = field.split(['=', ':']).next().unwrap_or_default();
        fields.iter().any(|wanted| wanted == name)
    };
    text.lines()
        .filter(|line| !line.split(' ').any(|field| field == own))
        .map(|line| line.split(' ').filter(wanted).collect::<Vec<_>>().join(" "))
        .filter(|line| !line.is_empty())
        .collect::<Vec<_>>()
        .join("\n")
}

/// An outcome in readable form.
pub fn show(outcome: &Outcome) -> Vec<String> {
    let mut lines = Vec::new();
    for Received { client, bytes, closed } in &outcome.received {
        lines.extend(wire::show(bytes).into_iter().map(|line| format!("{client} <- {line}")));
        if *closed {
            lines.push(format!("{client} is closed"));
        }
    }
    lines.extend(outcome.note.clone());
    if lines.is_empty() {
        lines.push("nothing for anyone".into());
    }
    lines
}
