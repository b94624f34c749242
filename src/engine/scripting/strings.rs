//! `string.find`, `match`, `gmatch` and `gsub`, with [patterns](super::patterns) that can be ended.

use std::cell::Cell;

use mlua::{Lua, LuaString, MultiValue, Table, Value};
use parking_lot::Mutex;

use super::arguments::Arguments;
use super::errors::{self, Thrown};
use super::patterns::{Capture, Failure, Matcher, Steps, steps_of};
use super::{memory, work};

/// The characters of patterns with a meaning of their own: `SPECIALS` of `lstrlib.c`.
const SPECIALS: &[u8] = b"^$*+?.([%-";

/// Puts the functions into the table `string`. A text that they make may take half of the memory that scripts may use.
pub(super) fn add(lua: &Lua, string: &Table, memory: usize) -> mlua::Result<()> {
    let most = memory / 2;
    let function = |run: fn(&Lua, &Arguments<'_>) -> mlua::Result<MultiValue>| {
        lua.create_function(move |lua, values: MultiValue| run(lua, &Arguments::new(lua, values)))
    };
    string.raw_set("find", function(|lua, args| find(lua, args, true))?)?;
    string.raw_set("match", function(|lua, args| find(lua, args, false))?)?;
    string.raw_set("gmatch", function(gmatch)?)?;
    let gsub =
        lua.create_function(move |lua, values: MultiValue| gsub(lua, &Arguments::new(lua, values), most))?;
    string.raw_set("gsub", gsub)
}

/// How deep functions that `gsub` calls may call it again. Lua allows about 200, but its frames are smaller: a build
/// without optimizations takes 12 KiB of the stack for each of ours, and a thread has 2 MiB.
const MAX_NESTED: usize = 60;

thread_local! {
    /// How many calls of `gsub` wait for a function or a metamethod, and the length of their texts.
    static WAITING: Cell<(usize, usize)> = const { Cell::new((0, 0)) };
}

/// A function or a metamethod runs for a `gsub` as long as this lives; `held` is the length of its text.
struct Calling {
    before: (usize, usize),
}

impl Calling {
    fn begin(held: usize) -> mlua::Result<Self> {
        let before = WAITING.get();
        if before.0 >= MAX_NESTED {
            return Err(Thrown::Text(b"C stack overflow".to_vec()).into());
        }
        WAITING.set((before.0 + 1, before.1.saturating_add(held)));
        Ok(Self { before })
    }
}

impl Drop for Calling {
    fn drop(&mut self) {
        WAITING.set(self.before);
    }
}

/// The text that a `gsub` makes.
struct Made<'a> {
    lua: &'a Lua,
    text: Vec<u8>,
    /// The maximum length, together with the texts of the calls that enclose this one.
    most: usize,
    /// How many of its bytes have been counted as work.
    counted: usize,
}

impl<'a> Made<'a> {
    /// Fewer bytes are counted later, together with the next ones.
    const COUNTED: usize = 8 * 1024;

    fn new(lua: &'a Lua, most: usize) -> Self {
        Self { lua, text: Vec::new(), most: most.saturating_sub(WAITING.get().1), counted: 0 }
    }

    /// Appends a part, unless the text becomes too long. The script may be ended because of the work.
    fn add(&mut self, part: &[u8]) -> mlua::Result<()> {
        if self.text.len().saturating_add(part.len()) > self.most {
            return Err(memory::exhausted());
        }
        self.text.extend_from_slice(part);
        let bytes = self.text.len() - self.counted;
        if bytes < Self::COUNTED {
            return Ok(());
        }
        self.counted = self.text.len();
        work::count(self.lua, steps_of(bytes))
    }
}

fn tick(lua: &Lua) -> impl FnMut(usize) -> mlua::Result<()> {
    |steps| work::count(lua, steps)
}

fn thrown(lua: &Lua, failure: Failure<mlua::Error>) -> mlua::Error {
    match failure {
        Failure::Pattern(text) => errors::library(lua, text),
        Failure::Ended(error) => error,
    }
}

/// A string, which is not copied, or a number as text.
fn text(lua: &Lua, args: &Arguments<'_>, index: usize) -> mlua::Result<LuaString> {
    match args.get(index) {
        Some(Value::String(text)) => Ok(text.clone()),
        _ => lua.create_string(args.text(index)?),
    }
}

fn number(value: usize) -> Value {
    #[allow(clippy::cast_precision_loss)] // Positions in a string.
    Value::Number(value as f64)
}

fn value(lua: &Lua, capture: Capture<'_>) -> mlua::Result<Value> {
    match capture {
        Capture::Text(text) => lua.create_string(text).map(Value::String),
        Capture::Position(position) => Ok(number(position)),
    }
}

/// Adds all captures of a match.
fn add_captures<T: FnMut(usize) -> mlua::Result<()>>(
    lua: &Lua,
    matcher: &Matcher<'_, T>,
    (start, end): (usize, usize),
    into: &mut MultiValue,
) -> mlua::Result<()> {
    for index in 0..matcher.captures() {
        let capture = matcher.capture(index, start, end).map_err(|failure| thrown(lua, failure))?;
        into.push_back(value(lua, capture)?);
    }
    Ok(())
}

/// `find` and `match`.
fn find(lua: &Lua, args: &Arguments<'_>, finds: bool) -> mlua::Result<MultiValue> {
    let (subject, pattern) = (text(lua, args, 1)?, text(lua, args, 2)?);
    let (subject, pattern) = (&*subject.as_bytes(), &*pattern.as_bytes());
    let from = args.integer_or(3, 1)?;
    let length = i64::try_from(subject.len()).unwrap_or(i64::MAX);
    let from = if from < 0 { from.saturating_add(length).saturating_add(1) } else { from };
    let from = usize::try_from(from.saturating_sub(1)).unwrap_or(0).min(subject.len());
    let mut results = MultiValue::new();
    let is_plain =
        |pattern: &[u8]| !crate::resp::up_to_nul(pattern).iter().any(|byte| SPECIALS.contains(byte));
    let says_plain = !matches!(args.get(4), None | Some(Value::Nil | Value::Boolean(false)));
    if finds && (says_plain || is_plain(pattern)) {
        let mut steps = Steps::new(tick(lua));
        match steps.find(pattern, &subject[from..]).map_err(|failure| thrown(lua, failure))? {
            Some(at) => {
                results.push_back(number(from + at + 1));
                results.push_back(number(from + at + pattern.len()));
            }
            None => results.push_back(Value::Nil),
        }
        return Ok(results);
    }
    let anchored = pattern.strip_prefix(b"^");
    let mut matcher = Matcher::new(subject, anchored.unwrap_or(pattern), tick(lua));
    for start in from..=subject.len() {
        if let Some(end) = matcher.match_at(start).map_err(|failure| thrown(lua, failure))? {
            if finds {
                results.push_back(number(start + 1));
                results.push_back(number(end));
            }
            if !finds || matcher.has_captures() {
                add_captures(lua, &matcher, (start, end), &mut results)?;
            }
            return Ok(results);
        }
        if anchored.is_some() {
            break;
        }
    }
    results.push_back(Value::Nil);
    Ok(results)
}

fn gmatch(lua: &Lua, args: &Arguments<'_>) -> mlua::Result<MultiValue> {
    let (subject, pattern) = (text(lua, args, 1)?, text(lua, args, 2)?);
    let next = Mutex::new(0);
    let function = lua.create_function(move |lua, (): ()| {
        let from: usize = *next.lock();
        let (subject, pattern) = (&*subject.as_bytes(), &*pattern.as_bytes());
        let mut matcher = Matcher::new(subject, pattern, tick(lua));
        let mut results = MultiValue::new();
        for start in from..=subject.len() {
            if let Some(end) = matcher.match_at(start).map_err(|failure| thrown(lua, failure))? {
                *next.lock() = if end == start { end + 1 } else { end };
                add_captures(lua, &matcher, (start, end), &mut results)?;
                break;
            }
        }
        Ok(results)
    })?;
    Ok(MultiValue::from_iter([Value::Function(function)]))
}

fn gsub(lua: &Lua, args: &Arguments<'_>, most_made: usize) -> mlua::Result<MultiValue> {
    let (subject, pattern) = (text(lua, args, 1)?, text(lua, args, 2)?);
    let (subject, pattern) = (&*subject.as_bytes(), &*pattern.as_bytes());
    let all = i32::try_from(subject.len()).unwrap_or(i32::MAX).saturating_add(1);
    let most = args.int_or(4, all)?;
    let with = match args.get(3) {
        Some(Value::Integer(_) | Value::Number(_) | Value::String(_)) => Value::String(text(lua, args, 3)?),
        Some(with @ (Value::Function(_) | Value::Table(_))) => with.clone(),
        _ => return Err(args.wrong(3, "string/function/table expected")),
    };
    let anchored = pattern.strip_prefix(b"^");
    let mut matcher = Matcher::new(subject, anchored.unwrap_or(pattern), tick(lua));
    let (mut made, mut at, mut count) = (Made::new(lua, most_made), 0, 0);
    while count < most {
        let found = matcher.match_at(at).map_err(|failure| thrown(lua, failure))?;
        if let Some(end) = found {
            count += 1;
            replace(lua, &matcher, &with, (subject, at, end), &mut made)?;
        }
        match found {
            Some(end) if end > at => at = end,
            _ if at < subject.len() => {
                made.add(&subject[at..=at])?;
                at += 1;
            }
            _ => break,
        }
        if anchored.is_some() {
            break;
        }
    }
    made.add(subject.get(at..).unwrap_or_default())?;
    Ok(MultiValue::from_iter([Value::String(lua.create_string(made.text)?), Value::Number(f64::from(count))]))
}

/// Adds the replacement of a match.
fn replace<T: FnMut(usize) -> mlua::Result<()>>(
    lua: &Lua,
    matcher: &Matcher<'_, T>,
    with: &Value,
    (subject, start, end): (&[u8], usize, usize),
    made: &mut Made<'_>,
) -> mlua::Result<()> {
    let whole = &subject[start..end];
    let capture = |index| matcher.capture(index, start, end).map_err(|failure| thrown(lua, failure));
    let replacement = match with {
        Value::String(text) => return replace_by_text(&text.as_bytes(), whole, capture, made),
        Value::Function(function) => {
            let mut captures = MultiValue::new();
            add_captures(lua, matcher, (start, end), &mut captures)?;
            let _calling = Calling::begin(made.text.len())?;
            function.call::<Value>(captures)
        }
        Value::Table(table) => {
            let _calling = Calling::begin(made.text.len())?;
            table.get::<Value>(value(lua, capture(0)?)?)
        }
        _ => Ok(Value::Nil),
    };
    let replacement = replacement?;
    match replacement {
        Value::Nil | Value::Boolean(false) => made.add(whole),
        Value::String(text) => made.add(&text.as_bytes()),
        Value::Integer(_) | Value::Number(_) => {
            let text: Option<LuaString> = lua.coerce_string(replacement)?;
            made.add(&text.map(|text| text.as_bytes().to_vec()).unwrap_or_default())
        }
        other => {
            let name = errors::type_name(Some(&other));
            Err(errors::library(lua, format!("invalid replacement value (a {name})")))
        }
    }
}

fn replace_by_text<'a>(
    text: &[u8],
    whole: &[u8],
    capture: impl Fn(usize) -> mlua::Result<Capture<'a>>,
    made: &mut Made<'_>,
) -> mlua::Result<()> {
    let mut rest = text;
    while let Some(at) = rest.iter().position(|byte| *byte == b'%') {
        made.add(&rest[..at])?;
        let escaped = rest.get(at + 1).copied();
        rest = rest.get(at + 2..).unwrap_or_default();
        match escaped {
            Some(b'0') => made.add(whole)?,
            Some(digit) if digit.is_ascii_digit() => match capture(usize::from(digit - b'1'))? {
                Capture::Text(text) => made.add(text)?,
                Capture::Position(position) => made.add(position.to_string().as_bytes())?,
            },
            // Lua reads the NUL after the text.
            other => made.add(&[other.unwrap_or(0)])?,
        }
    }
    made.add(rest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const CALLS: [&str; 9] = [
        "return find(s, p)",
        "return find(s, p, i)",
        "return find(s, p, i, true)",
        "return match(s, p, i)",
        "local t = {} for a, b in gmatch(s, p) do t[#t + 1] = tostring(a) .. '|' .. tostring(b) end return table.concat(t, ';')",
        "return gsub(s, p, r)",
        "return gsub(s, p, r, i)",
        "return gsub(s, p, function(...) return select('#', ...) .. tostring((...)) end)",
        "return gsub(s, p, {a = 1, b = 'x', [1] = 'y', c = false})",
    ];

    /// The results of a call, or its error, as one text.
    fn outcome(
        lua: &Lua,
        library: &Table,
        call: &str,
        given: (&[u8], &[u8], &[u8], i64),
    ) -> mlua::Result<String> {
        let (subject, pattern, with, at) = given;
        let text = format!(
            "local find, match, gmatch, gsub, s, p, r, i = ... \
             local function outcome(ok, ...) local t = {{tostring(ok)}} \
             for n = 1, select('#', ...) do t[#t + 1] = type((select(n, ...))) .. ':' .. tostring((select(n, ...))) end \
             return table.concat(t, ',') end \
             return outcome(pcall(function() {call} end))"
        );
        let function = |name: &str| library.raw_get::<Value>(name);
        let values = (
            (function("find")?, function("match")?, function("gmatch")?, function("gsub")?),
            lua.create_string(subject)?,
            lua.create_string(pattern)?,
            lua.create_string(with)?,
            at,
        );
        let ((find, matches, gmatch, gsub), subject, pattern, with, at) = values;
        let text: LuaString =
            lua.load(text).set_name("=t").call((find, matches, gmatch, gsub, subject, pattern, with, at))?;
        // An error of ours is a userdata, which the sandbox turns into a text.
        let text = String::from_utf8_lossy(&text.as_bytes()).into_owned();
        let text = text.split("\nstack traceback:").next().unwrap_or_default();
        Ok(text.replace("error:", "string:").replace("userdata:", "string:").replace("runtime error: ", ""))
    }

    fn text() -> impl Strategy<Value = Vec<u8>> {
        proptest::collection::vec(proptest::sample::select(b"aaabbc1 \x00(]%-\xff.\x0b".to_vec()), 0..12)
    }

    fn pattern() -> impl Strategy<Value = Vec<u8>> {
        let pieces = [
            "a", "b", ".", "%a", "%d", "%S", "%w", "%z", "[ab]", "[^a]", "[a-c]", "[%a1]", "[]", "[^]a]",
            "[a-]", "*", "+", "-", "?", "(", ")", "()", "(", ")", "%1", "%2", "%b()", "%bab", "%f[a]", "%f",
            "^", "$", "%", "[", "\0", "%%", "%.",
        ];
        proptest::collection::vec(proptest::sample::select(pieces.to_vec()), 0..8)
            .prop_map(|pieces| pieces.concat().into_bytes())
    }

    proptest! {
        #[test]
        fn answers_are_those_of_luas_own_functions(
            subject in text(),
            pattern in pattern(),
            with in proptest::sample::select(vec!["", "x", "%0%0", "<%1>", "%2", "%", "%%", "%a"]),
            at in -15_i64..15,
        ) {
            let result = (|| {
                let lua = Lua::new();
                let theirs: Table = lua.globals().raw_get("string")?;
                let ours = lua.create_table()?;
                add(&lua, &ours, usize::MAX)?;
                for call in CALLS {
                    let given = (&*subject, &*pattern, with.as_bytes(), at);
                    let (wanted, got) = (outcome(&lua, &theirs, call, given)?, outcome(&lua, &ours, call, given)?);
                    if wanted != got {
                        return Ok(Some((call, wanted, got)));
                    }
                }
                Ok::<_, mlua::Error>(None)
            })();
            prop_assert_eq!(result.map_err(|error| error.to_string()), Ok(None));
        }
    }
}
