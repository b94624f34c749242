//! What counts as the same answer: every byte, unless the line of the case file says otherwise.

use super::outcome::{Outcome, Received};
use super::wire;
use crate::session::frame::Frame;

/// The exceptions of a line, each written in it as `~name`.
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
    within: Option<Span>,
    fields: Option<Vec<String>>,
}

/// A span of time, which is compared with integers in its unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Span {
    Seconds(u64),
    Milliseconds(u64),
}

impl Span {
    /// Reads `2s` or `500ms`.
    fn read(text: &str) -> Option<Self> {
        match text.strip_suffix("ms") {
            Some(number) => number.parse().ok().map(Self::Milliseconds),
            None => text.strip_suffix('s')?.parse().ok().map(Self::Seconds),
        }
    }

    /// In its unit.
    fn number(self) -> u64 {
        match self {
            Self::Seconds(number) | Self::Milliseconds(number) => number,
        }
    }

    /// Longer by these milliseconds.
    fn plus(self, milliseconds: u64) -> Self {
        match self {
            Self::Seconds(number) => Self::Seconds(number.saturating_add(milliseconds / 1000)),
            Self::Milliseconds(number) => Self::Milliseconds(number.saturating_add(milliseconds)),
        }
    }
}

impl Markers {
    /// Reads one marker, without its `~`.
    ///
    /// # Errors
    ///
    /// There is no such marker.
    pub fn add(&mut self, marker: &str) -> Result<(), String> {
        match marker.split_once('=') {
            Some(("within", distance)) => {
                let span = Span::read(distance).ok_or_else(|| format!("~{marker}: no time, as 1s or 500ms"));
                self.within = Some(span?);
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

    /// Whether two outcomes of the step count as the same. Times may differ further by what the scenarios took until
    /// then: on a busy machine the server has had that much more time.
    #[must_use]
    pub fn same(&self, left: &Outcome, right: &Outcome) -> bool {
        let elapsed = left.elapsed.saturating_add(right.elapsed);
        let within = self.within.map(|within| within.plus(elapsed));
        Self { within, ..self.clone() }.same_within(left, right)
    }

    fn same_within(&self, left: &Outcome, right: &Outcome) -> bool {
        let (left, right) = (self.canonical(left), self.canonical(right));
        left.note == right.note
            && left.received.len() == right.received.len()
            && left.received.iter().zip(&right.received).all(|(one, other)| {
                one.client == other.client
                    && one.closed == other.closed
                    && one.rest == other.rest
                    && self.all_equal(&one.frames, &other.frames)
            })
    }

    /// The outcome without everything that may differ. Applying this twice changes nothing more.
    #[must_use]
    pub fn canonical(&self, outcome: &Outcome) -> Outcome {
        let received = outcome.received.iter().map(|received| {
            let mut frames = self.masked(&received.frames, &outcome.control);
            if self.within.is_some() && outcome.now != 0 {
                frames = frames.into_iter().map(|frame| with_times(frame, outcome.now)).collect();
            }
            Received { frames, ..received.clone() }
        });
        // Traces of the player's own actions are removed, which may leave nothing.
        let received = received.filter(|received| !received.is_nothing()).collect();
        Outcome { received, note: outcome.note.clone(), ..Outcome::default() }
    }

    /// The outcome as it is recorded: like [`canonical`](Self::canonical), with rounded times, so that
    /// recording again changes little.
    #[must_use]
    pub fn recorded(&self, outcome: &Outcome) -> Outcome {
        let mut outcome = self.canonical(outcome);
        if let Some(distance) = self.within {
            let frames = outcome.received.iter_mut().flat_map(|received| &mut received.frames);
            frames.for_each(|frame| round_times(frame, (distance.number() / 4).max(1)));
        }
        outcome
    }

    /// Whether two texts of replies count as the same.
    #[must_use]
    pub fn same_bytes(&self, left: &[u8], right: &[u8]) -> bool {
        if *self == Self::default() {
            return left == right;
        }
        let (left, right) = (wire::frames(left), wire::frames(right));
        left.1 == right.1 && self.all_equal(&self.masked(&left.0, ""), &self.masked(&right.0, ""))
    }

    /// Whether two values count as the same.
    #[must_use]
    pub fn same_values(&self, left: &Frame, right: &Frame) -> bool {
        self.is_equal(&self.mask(left.clone(), "", true), &self.mask(right.clone(), "", true))
    }

    /// The replies without everything that may differ.
    fn masked(&self, frames: &[Frame], control: &str) -> Vec<Frame> {
        let own = |value: &Frame| {
            self.monitor
                && !control.is_empty()
                && matches!(value, Frame::Text { kind: b'+', text } if contains(text, control))
        };
        let kept = frames.iter().filter(|value| !own(value)).cloned();
        let mut values: Vec<Frame> = kept.map(|value| self.mask(value, control, true)).collect();
        if self.frames {
            values.sort();
        }
        values
    }

    fn mask(&self, value: Frame, control: &str, top: bool) -> Frame {
        match value {
            Frame::Text { kind, .. } if self.any => Frame::Text { kind, text: Vec::new() },
            Frame::Nest { kind, .. } if self.any => Frame::Nest { kind, items: Vec::new() },
            Frame::Text { kind, text } => Frame::Text { kind, text: self.mask_text(text, control) },
            Frame::Nest { kind, items } => {
                let mut items: Vec<Frame> =
                    items.into_iter().map(|item| self.mask(item, control, false)).collect();
                if self.hello {
                    items = without_identity(items);
                }
                if (self.pairs && top) || (self.unordered && kind == b'%') {
                    items = sorted_pairs(&items);
                } else if self.unordered {
                    items.sort();
                }
                Frame::Nest { kind, items }
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

    fn all_equal(&self, left: &[Frame], right: &[Frame]) -> bool {
        left.len() == right.len() && left.iter().zip(right).all(|(left, right)| self.is_equal(left, right))
    }

    fn is_equal(&self, left: &Frame, right: &Frame) -> bool {
        match (self.within, left, right) {
            (
                Some(distance),
                Frame::Text { kind: one, text: left },
                Frame::Text { kind: other, text: right },
            ) if one == other => match (number(left), number(right)) {
                (Some((one, left)), Some((other, right))) if one == other => {
                    left.abs_diff(right) <= distance.number()
                }
                _ => left == right,
            },
            (Some(_), Frame::Nest { kind: one, items: left }, Frame::Nest { kind: other, items: right }) => {
                one == other && self.all_equal(left, right)
            }
            _ => left == right,
        }
    }
}

fn integer(text: &[u8]) -> Option<i64> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// How far from now a number may be that counts as a time, in milliseconds: some ten days.
const NEAR: u64 = 900_000_000;

/// The values with times relative to now, and spans up to the last possible time relative to that.
fn with_times(value: Frame, now: i64) -> Frame {
    match value {
        Frame::Text { kind, text } => {
            let seconds = now / 1000;
            let points = [
                ("nowms", now, NEAR),
                ("now", seconds, NEAR / 1000),
                ("endms", i64::MAX - now, NEAR),
                ("end", i64::MAX / 1000 - seconds, NEAR / 1000),
            ];
            let time = integer(&text).and_then(|time| {
                let (unit, point, _) =
                    points.iter().find(|(_, point, span)| time.abs_diff(*point) <= *span)?;
                Some(format!("{{{unit}{:+}}}", time - point).into_bytes())
            });
            Frame::Text { kind, text: time.unwrap_or(text) }
        }
        Frame::Nest { kind, items } => {
            Frame::Nest { kind, items: items.into_iter().map(|item| with_times(item, now)).collect() }
        }
        other => other,
    }
}

/// Rounds times, and the spans of time whose positions are known: those in XINFO and XPENDING.
fn round_times(frame: &mut Frame, unit: u64) {
    match frame {
        Frame::Text { kind: b':', text } => {
            if let Some((point, distance)) = number(text).filter(|(point, _)| !point.is_empty()) {
                *text = format!("{{{point}{:+}}}", rounded(distance, unit)).into_bytes();
            }
        }
        Frame::Nest { items, .. } => {
            let pending = matches!(items.as_slice(), [id, consumer, idle, count]
                if [id, consumer].iter().all(|it| it.kind() == b'$') && [idle, count].iter().all(|it| it.kind() == b':'));
            let names: Vec<bool> = items
                .iter()
                .map(|item| item.text().is_some_and(|text| [b"idle".as_slice(), b"inactive"].contains(&text)))
                .collect();
            for (index, item) in items.iter_mut().enumerate() {
                let is_span = (pending && index == 2)
                    || index.checked_sub(1).and_then(|before| names.get(before)).is_some_and(|is| *is);
                let span = item.text().filter(|_| is_span).and_then(integer);
                match (item, span) {
                    (Frame::Text { text, .. }, Some(span)) if span > 0 => {
                        *text = rounded(span, unit).to_string().into_bytes();
                    }
                    (item, _) => round_times(item, unit),
                }
            }
        }
        _ => {}
    }
}

fn rounded(number: i64, unit: u64) -> i64 {
    let unit = i64::try_from(unit).unwrap_or(i64::MAX);
    number.saturating_add(unit / 2).div_euclid(unit) * unit
}

/// A number, or a time from one of the points of [`with_times`].
fn number(text: &[u8]) -> Option<(&'static str, i64)> {
    let from = text.strip_prefix(b"{").and_then(|text| text.strip_suffix(b"}"));
    let Some(text) = from else { return Some(("", integer(text)?)) };
    let points = ["nowms", "now", "endms", "end"];
    points.into_iter().find_map(|unit| Some((unit, integer(text.strip_prefix(unit.as_bytes())?)?)))
}

fn contains(text: &[u8], part: &str) -> bool {
    text.windows(part.len()).any(|window| window == part.as_bytes())
}

fn sorted_pairs(items: &[Frame]) -> Vec<Frame> {
    let mut pairs: Vec<Vec<Frame>> = items.chunks(2).map(<[Frame]>::to_vec).collect();
    pairs.sort();
    pairs.concat()
}

/// The reply to HELLO without what identifies the server: version, client id and modules.
fn without_identity(mut items: Vec<Frame>) -> Vec<Frame> {
    let named = |item: &Frame, names: &[&[u8]]| item.text().is_some_and(|text| names.contains(&text));
    if items.first().is_some_and(|first| named(first, &[b"server"])) {
        for pair in items.chunks_mut(2) {
            let [name, value] = pair else { continue };
            if matches!(value, Frame::Nest { .. }) || named(name, &[b"version", b"id"]) {
                *value = Frame::Null { kind: value.kind() };
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

/// Of `name=value name=value` (CLIENT LIST) and `name:value` lines (INFO) only these fields. The line of the
/// harness's own connection is left out.
fn kept_fields(text: &str, fields: &[String], control: &str) -> String {
    let own = (!control.is_empty()).then(|| format!("addr={control}"));
    let wanted = |field: &&str| {
        let name = field.split(['=', ':']).next().unwrap_or_default();
        fields.iter().any(|wanted| wanted == name)
    };
    let mut lines: Vec<String> = text
        .lines()
        .filter(|line| !line.split(' ').any(|field| own.as_deref() == Some(field)))
        .map(|line| line.split(' ').filter(wanted).collect::<Vec<_>>().join(" "))
        .filter(|line| !line.is_empty())
        .collect();
    if text.strip_prefix("txt:").unwrap_or(text).starts_with("id=") {
        // Real servers rotate their list of clients as they process it.
        let first = (0..lines.len()).min_by(|one, other| {
            let turned = |by: usize| lines.iter().cycle().skip(by).take(lines.len());
            turned(*one).cmp(turned(*other))
        });
        lines.rotate_left(first.unwrap_or(0));
    }
    lines.join("\n")
}

/// An outcome in readable form.
#[must_use]
pub fn show(outcome: &Outcome) -> Vec<String> {
    let mut lines = Vec::new();
    for Received { client, frames, rest, closed } in &outcome.received {
        let shown = wire::show_frames(frames, rest);
        lines.extend(shown.into_iter().map(|line| format!("{client} <- {line}")));
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
