//! The library `cjson`: JSON, written and read like the C library of that name.

use mlua::{Lua, MultiValue, Table, Value};
use std::sync::Arc;

use parking_lot::Mutex;

use super::arguments::Arguments;
use super::errors;
use super::numbers;

/// How deep values may be nested unless a script sets another limit.
const DEPTH: i32 = 1000;
/// How many digits numbers have unless a script sets another number.
const PRECISION: i32 = 14;
/// The greatest number of digits that is accepted.
const PRECISION_MAX: i32 = 14;
/// How deep values may be nested whatever a script sets: as deep as Lua's stack allows.
const DEPTH_MAX: usize = 2600;
/// The maximum length of a text: that of a string of Redis.
const LENGTH_MAX: usize = 512 * 1024 * 1024;

/// The settings that scripts may change.
#[derive(Clone, Copy, Debug)]
struct Settings {
    /// Sparse arrays become objects.
    sparse_convert: bool,
    sparse_ratio: i32,
    sparse_safe: i32,
    encode_depth: i32,
    decode_depth: i32,
    /// 0 refuses invalid numbers, 1 writes them, 2 writes null.
    encode_invalid_numbers: i32,
    decode_invalid_numbers: bool,
    precision: i32,
    /// Whether memory is kept between texts, which here it never is.
    keep_buffer: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            sparse_convert: false,
            sparse_ratio: 2,
            sparse_safe: 10,
            encode_depth: DEPTH,
            decode_depth: DEPTH,
            encode_invalid_numbers: 0,
            decode_invalid_numbers: true,
            precision: PRECISION,
            keep_buffer: true,
        }
    }
}

/// Makes the library.
pub(super) fn table(lua: &Lua) -> mlua::Result<Table> {
    let settings = Arc::new(Mutex::new(Settings::default()));
    let table = lua.create_table()?;
    let add =
        |name: &str, function: fn(&Lua, &Mutex<Settings>, &Arguments<'_>) -> mlua::Result<MultiValue>| {
            let settings = Arc::clone(&settings);
            let function = lua.create_function(move |lua, values: MultiValue| {
                function(lua, &settings, &Arguments::new(lua, values))
            })?;
            table.raw_set(name, function)
        };
    add("encode", encode)?;
    add("decode", decode)?;
    add("encode_sparse_array", sparse_array)?;
    add("encode_max_depth", |lua, settings, args| {
        integer_setting(lua, args, &mut settings.lock().encode_depth, i32::MAX)
    })?;
    add("decode_max_depth", |lua, settings, args| {
        integer_setting(lua, args, &mut settings.lock().decode_depth, i32::MAX)
    })?;
    add("encode_number_precision", |lua, settings, args| {
        integer_setting(lua, args, &mut settings.lock().precision, PRECISION_MAX)
    })?;
    add("encode_keep_buffer", |lua, settings, args| {
        bool_setting(lua, args, &mut settings.lock().keep_buffer)
    })?;
    add("encode_invalid_numbers", encode_invalid_numbers)?;
    add("decode_invalid_numbers", |lua, settings, args| {
        bool_setting(lua, args, &mut settings.lock().decode_invalid_numbers)
    })?;
    table.raw_set("new", lua.create_function(|lua, _: MultiValue| self::table(lua))?)?;
    table.raw_set("null", Value::NULL)?;
    table.raw_set("_NAME", "cjson")?;
    table.raw_set("_VERSION", "2.1.0")?;
    Ok(table)
}

/// The error for an argument that a setting does not take.
fn range(least: i32, most: i32) -> String {
    format!("expected integer between {least} and {most}")
}

fn at_most(args: &Arguments<'_>, count: usize) -> mlua::Result<()> {
    if args.len() > count { Err(args.wrong(count + 1, "found too many arguments")) } else { Ok(()) }
}

/// Sets an integer of at least 1, if there is an argument, and returns the present value.
fn integer_setting(
    lua: &Lua,
    args: &Arguments<'_>,
    setting: &mut i32,
    most: i32,
) -> mlua::Result<MultiValue> {
    at_most(args, 1)?;
    if !matches!(args.get(1), None | Some(Value::Nil)) {
        *setting = integer_between(args, 1, 1, most)?;
    }
    lua.pack_multi(*setting)
}

fn integer_between(args: &Arguments<'_>, index: usize, least: i32, most: i32) -> mlua::Result<i32> {
    let value = args.int(index)?;
    // The error names the first argument, whichever it is.
    if (least..=most).contains(&value) { Ok(value) } else { Err(args.wrong(1, range(least, most))) }
}

fn bool_setting(lua: &Lua, args: &Arguments<'_>, setting: &mut bool) -> mlua::Result<MultiValue> {
    at_most(args, 1)?;
    bool_at(args, 1, setting)?;
    lua.pack_multi(*setting)
}

/// Sets a boolean, which may be given as `on` or `off`.
fn bool_at(args: &Arguments<'_>, index: usize, setting: &mut bool) -> mlua::Result<()> {
    *setting = match args.get(index) {
        None | Some(Value::Nil) => return Ok(()),
        Some(Value::Boolean(truth)) => *truth,
        Some(_) => option(args, index, &["off", "on"])? == 1,
    };
    Ok(())
}

fn option(args: &Arguments<'_>, index: usize, known: &[&str]) -> mlua::Result<usize> {
    let given = args.text(index)?;
    known
        .iter()
        .position(|known| known.as_bytes() == given)
        .ok_or_else(|| args.wrong(index, [b"invalid option '", &*given, b"'"].concat()))
}

fn sparse_array(lua: &Lua, settings: &Mutex<Settings>, args: &Arguments<'_>) -> mlua::Result<MultiValue> {
    at_most(args, 3)?;
    let settings = &mut *settings.lock();
    bool_at(args, 1, &mut settings.sparse_convert)?;
    for (index, setting) in [(2, &mut settings.sparse_ratio), (3, &mut settings.sparse_safe)] {
        if !matches!(args.get(index), None | Some(Value::Nil)) {
            *setting = integer_between(args, index, 0, i32::MAX)?;
        }
    }
    lua.pack_multi((settings.sparse_convert, settings.sparse_ratio, settings.sparse_safe))
}

fn encode_invalid_numbers(
    lua: &Lua,
    settings: &Mutex<Settings>,
    args: &Arguments<'_>,
) -> mlua::Result<MultiValue> {
    at_most(args, 1)?;
    let setting = &mut settings.lock().encode_invalid_numbers;
    *setting = match args.get(1) {
        None | Some(Value::Nil) => *setting,
        Some(Value::Boolean(truth)) => i32::from(*truth),
        Some(_) => i32::try_from(option(args, 1, &["off", "on", "null"])?).unwrap_or(0),
    };
    match setting {
        2 => lua.pack_multi("null"),
        other => lua.pack_multi(*other == 1),
    }
}

fn encode(lua: &Lua, settings: &Mutex<Settings>, args: &Arguments<'_>) -> mlua::Result<MultiValue> {
    if args.len() != 1 {
        return Err(args.wrong(1, "expected 1 argument"));
    }
    let settings = *settings.lock();
    let mut encoder = Encoder { lua, settings, out: Vec::new(), open: Vec::new() };
    encoder.encode(&args.value(1))?;
    lua.pack_multi(lua.create_string(encoder.out)?)
}

/// A table that is being written.
enum Open {
    Array {
        table: Table,
        next: usize,
        length: usize,
    },
    /// The fields that are left, last first.
    Object {
        left: Vec<(Value, Value)>,
    },
}

struct Encoder<'a> {
    lua: &'a Lua,
    settings: Settings,
    out: Vec<u8>,
    open: Vec<Open>,
}

impl Encoder<'_> {
    fn encode(&mut self, value: &Value) -> mlua::Result<()> {
        self.value(value)?;
        loop {
            if self.out.len() > LENGTH_MAX {
                return Err(super::memory::exhausted());
            }
            let next = match self.open.last_mut() {
                None => return Ok(()),
                Some(Open::Array { table, next, length }) => {
                    if *next > *length {
                        self.out.push(b']');
                        None
                    } else {
                        if *next > 1 {
                            self.out.push(b',');
                        }
                        let element = table.raw_get(*next)?;
                        *next += 1;
                        Some(element)
                    }
                }
                Some(Open::Object { left }) => match left.pop() {
                    None => {
                        self.out.push(b'}');
                        None
                    }
                    Some((key, value)) => {
                        if self.out.last() != Some(&b'{') {
                            self.out.push(b',');
                        }
                        self.key(&key)?;
                        Some(value)
                    }
                },
            };
            match next {
                Some(value) => self.value(&value)?,
                None => drop(self.open.pop()),
            }
        }
    }

    fn key(&mut self, key: &Value) -> mlua::Result<()> {
        match key {
            Value::String(text) => self.string(&text.as_bytes()),
            Value::Integer(_) | Value::Number(_) => {
                self.out.push(b'"');
                self.number(key)?;
                self.out.push(b'"');
            }
            other => return Err(self.cannot(other, "table key must be a number or string")),
        }
        self.out.push(b':');
        Ok(())
    }

    fn value(&mut self, value: &Value) -> mlua::Result<()> {
        match value {
            Value::String(text) => self.string(&text.as_bytes()),
            Value::Integer(_) | Value::Number(_) => self.number(value)?,
            Value::Boolean(truth) => self.out.extend_from_slice(if *truth { b"true" } else { b"false" }),
            Value::Nil => self.out.extend_from_slice(b"null"),
            value if value.is_null() => self.out.extend_from_slice(b"null"),
            Value::Table(table) => self.table(table)?,
            other => return Err(self.cannot(other, "type not supported")),
        }
        Ok(())
    }

    fn table(&mut self, table: &Table) -> mlua::Result<()> {
        let table = &super::sandbox::behind(self.lua, table);
        let depth = self.open.len() + 1;
        let limit = usize::try_from(self.settings.encode_depth).unwrap_or(0).min(DEPTH_MAX);
        if depth > limit {
            let text = format!("Cannot serialise, excessive nesting ({depth})");
            return Err(errors::library(self.lua, text));
        }
        let mut left: Vec<(Value, Value)> = Vec::new();
        for pair in table.pairs::<Value, Value>() {
            left.push(pair?);
        }
        if let Some(length) = self.array_length(table, &left)? {
            self.out.push(b'[');
            self.open.push(Open::Array { table: table.clone(), next: 1, length });
        } else {
            left.reverse();
            self.out.push(b'{');
            self.open.push(Open::Object { left });
        }
        Ok(())
    }

    /// The length of a table that is an array, including elements that are nil.
    #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::float_cmp)]
    fn array_length(&self, table: &Table, fields: &[(Value, Value)]) -> mlua::Result<Option<usize>> {
        let mut greatest = 0_i32;
        for (key, _) in fields {
            let number = match key {
                Value::Integer(index) => *index as f64,
                Value::Number(number) if number.floor() == *number => *number,
                _ => return Ok(None),
            };
            if number < 1.0 {
                return Ok(None);
            }
            if number > f64::from(greatest) {
                // If an index does not fit, the C integer with the greatest index becomes the least integer, and
                // then each index is greater.
                greatest = if number > f64::from(i32::MAX) { i32::MIN } else { number as i32 };
            }
        }
        let greatest = i64::from(greatest);
        let Settings { sparse_ratio, sparse_safe, sparse_convert, .. } = self.settings;
        let items = i64::try_from(fields.len()).unwrap_or(i64::MAX);
        let is_sparse = sparse_ratio > 0
            && greatest > items.saturating_mul(sparse_ratio.into())
            && greatest > i64::from(sparse_safe);
        if is_sparse && !sparse_convert {
            return Err(self.cannot(&Value::Table(table.clone()), "excessively sparse array"));
        }
        Ok(usize::try_from(greatest).ok().filter(|length| *length > 0 && !is_sparse))
    }

    // Numbers of Lua are doubles.
    #[allow(clippy::cast_precision_loss)]
    fn number(&mut self, value: &Value) -> mlua::Result<()> {
        let number = match value {
            Value::Integer(integer) => *integer as f64,
            Value::Number(number) => *number,
            _ => return Ok(()),
        };
        if !number.is_finite() {
            match self.settings.encode_invalid_numbers {
                0 => return Err(self.cannot(value, "must not be NaN or Inf")),
                1 => {}
                _ => {
                    self.out.extend_from_slice(b"null");
                    return Ok(());
                }
            }
        }
        numbers::print(&mut self.out, number, usize::try_from(self.settings.precision).unwrap_or(1));
        Ok(())
    }

    fn string(&mut self, text: &[u8]) {
        self.out.reserve(text.len() + 2);
        self.out.push(b'"');
        for byte in text {
            let escaped: &[u8] = match byte {
                b'"' => b"\\\"",
                b'\\' => b"\\\\",
                b'/' => b"\\/",
                8 => b"\\b",
                b'\t' => b"\\t",
                b'\n' => b"\\n",
                12 => b"\\f",
                b'\r' => b"\\r",
                0..32 | 127 => {
                    self.out.extend_from_slice(format!("\\u{byte:04x}").as_bytes());
                    continue;
                }
                other => {
                    self.out.push(*other);
                    continue;
                }
            };
            self.out.extend_from_slice(escaped);
        }
        self.out.push(b'"');
    }

    fn cannot(&self, value: &Value, reason: &str) -> mlua::Error {
        let name = errors::type_name(Some(value));
        errors::library(self.lua, format!("Cannot serialise {name}: {reason}"))
    }
}

fn decode(lua: &Lua, settings: &Mutex<Settings>, args: &Arguments<'_>) -> mlua::Result<MultiValue> {
    if args.len() != 1 {
        return Err(args.wrong(1, "expected 1 argument"));
    }
    let text = args.text(1)?;
    if matches!(text.get(..2), Some([0, _] | [_, 0])) {
        return Err(errors::library(lua, "JSON parser does not support UTF-16 or UTF-32"));
    }
    let settings = *settings.lock();
    let value = Decoder { lua, settings, text: &text, at: 0, open: Vec::new() }.decode()?;
    lua.pack_multi(value)
}

enum Token {
    Value(Value),
    ObjectBegin,
    ObjectEnd,
    ArrayBegin,
    ArrayEnd,
    Colon,
    Comma,
    End,
    /// The error of an invalid token.
    Wrong(&'static str),
}

impl Token {
    /// The name of the token in an error.
    fn name(&self) -> &'static str {
        match self {
            Self::Value(Value::String(_)) => "T_STRING",
            Self::Value(Value::Boolean(_)) => "T_BOOLEAN",
            Self::Value(Value::Integer(_) | Value::Number(_)) => "T_NUMBER",
            Self::Value(_) => "T_NULL",
            Self::ObjectBegin => "T_OBJ_BEGIN",
            Self::ObjectEnd => "T_OBJ_END",
            Self::ArrayBegin => "T_ARR_BEGIN",
            Self::ArrayEnd => "T_ARR_END",
            Self::Colon => "T_COLON",
            Self::Comma => "T_COMMA",
            Self::End => "T_END",
            Self::Wrong(why) => why,
        }
    }
}

/// A table that is being read.
enum Building {
    Array { table: Table, next: usize },
    Object { table: Table, key: Value },
}

struct Decoder<'a> {
    lua: &'a Lua,
    settings: Settings,
    text: &'a [u8],
    at: usize,
    open: Vec<Building>,
}

impl Decoder<'_> {
    fn decode(&mut self) -> mlua::Result<Value> {
        let (mut token, mut start) = self.token()?;
        loop {
            // A value follows.
            let mut value = match token {
                Token::Value(value) => value,
                Token::ArrayBegin => {
                    self.descend()?;
                    let table = self.lua.create_table()?;
                    (token, start) = self.token()?;
                    if !matches!(token, Token::ArrayEnd) {
                        self.open.push(Building::Array { table, next: 1 });
                        continue;
                    }
                    Value::Table(table)
                }
                Token::ObjectBegin => {
                    self.descend()?;
                    let table = self.lua.create_table()?;
                    (token, start) = self.token()?;
                    if !matches!(token, Token::ObjectEnd) {
                        let key = self.key((token, start))?;
                        self.open.push(Building::Object { table, key });
                        (token, start) = self.token()?;
                        continue;
                    }
                    Value::Table(table)
                }
                other => return Err(self.unexpected("value", &other, start)),
            };
            // The value may be the last of its table, and that table the last of another.
            loop {
                let (next, at) = self.token()?;
                let Some(building) = self.open.last_mut() else {
                    return match next {
                        Token::End => Ok(value),
                        other => Err(self.unexpected("the end", &other, at)),
                    };
                };
                let is_array = match building {
                    Building::Array { table, next } => {
                        table.raw_set(*next, value)?;
                        *next += 1;
                        true
                    }
                    Building::Object { table, key } => {
                        table.raw_set(&*key, value)?;
                        false
                    }
                };
                match next {
                    Token::Comma => {
                        (token, start) = self.token()?;
                        if !is_array {
                            let found = self.key((token, start))?;
                            if let Some(Building::Object { key, .. }) = self.open.last_mut() {
                                *key = found;
                            }
                            (token, start) = self.token()?;
                        }
                        break;
                    }
                    Token::ArrayEnd if is_array => value = self.close(),
                    Token::ObjectEnd if !is_array => value = self.close(),
                    other if is_array => return Err(self.unexpected("comma or array end", &other, at)),
                    other => return Err(self.unexpected("comma or object end", &other, at)),
                }
            }
        }
    }

    /// Closes the innermost table, which is complete.
    fn close(&mut self) -> Value {
        match self.open.pop() {
            Some(Building::Array { table, .. } | Building::Object { table, .. }) => Value::Table(table),
            None => Value::Nil,
        }
    }

    /// The key of a field, whose value follows after the colon.
    fn key(&mut self, (token, start): (Token, usize)) -> mlua::Result<Value> {
        let key = match token {
            Token::Value(key @ Value::String(_)) => key,
            other => return Err(self.unexpected("object key string", &other, start)),
        };
        match self.token()? {
            (Token::Colon, _) => Ok(key),
            (other, at) => Err(self.unexpected("colon", &other, at)),
        }
    }

    fn descend(&mut self) -> mlua::Result<()> {
        let depth = self.open.len() + 1;
        let limit = usize::try_from(self.settings.decode_depth).unwrap_or(0).min(DEPTH_MAX);
        if depth > limit {
            let text = format!("Found too many nested data structures ({depth}) at character {}", self.at);
            return Err(errors::library(self.lua, text));
        }
        Ok(())
    }

    fn unexpected(&self, wanted: &str, token: &Token, start: usize) -> mlua::Error {
        let text = format!("Expected {wanted} but found {} at character {}", token.name(), start + 1);
        errors::library(self.lua, text)
    }

    fn byte(&self, at: usize) -> u8 {
        self.text.get(at).copied().unwrap_or(0)
    }

    /// The next token, and its start.
    fn token(&mut self) -> mlua::Result<(Token, usize)> {
        while matches!(self.byte(self.at), b' ' | b'\t' | b'\n' | b'\r') {
            self.at += 1;
        }
        let start = self.at;
        let single = match self.byte(start) {
            0 => return Ok((Token::End, start)),
            b'{' => Token::ObjectBegin,
            b'}' => Token::ObjectEnd,
            b'[' => Token::ArrayBegin,
            b']' => Token::ArrayEnd,
            b':' => Token::Colon,
            b',' => Token::Comma,
            b'"' => return self.string(),
            b'-' | b'0'..=b'9' => {
                if !self.settings.decode_invalid_numbers && self.is_invalid_number() {
                    return Ok((Token::Wrong("invalid number"), start));
                }
                return Ok((self.number(), start));
            }
            b'+' | b't' | b'f' | b'n' | b'i' | b'I' | b'N' => return Ok((self.word(), start)),
            _ => return Ok((Token::Wrong("invalid token"), start)),
        };
        self.at += 1;
        Ok((single, start))
    }

    fn word(&mut self) -> Token {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let words: [(&[u8], Value); 3] =
            [(b"true", Value::Boolean(true)), (b"false", Value::Boolean(false)), (b"null", Value::NULL)];
        for (word, value) in words {
            if rest.starts_with(word) {
                self.at += word.len();
                return Token::Value(value);
            }
        }
        if self.settings.decode_invalid_numbers && self.is_invalid_number() {
            return self.number();
        }
        Token::Wrong("invalid token")
    }

    /// True for a number that JSON does not allow.
    fn is_invalid_number(&self) -> bool {
        if self.byte(self.at) == b'+' {
            return true;
        }
        let at = self.at + usize::from(self.byte(self.at) == b'-');
        let starts = |word: &[u8]| {
            self.text.get(at..at + word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word))
        };
        match self.byte(at) {
            b'0' => matches!(self.byte(at + 1), b'x' | b'X' | b'0'..=b'9'),
            0..=b'9' => false,
            _ => starts(b"inf") || starts(b"nan"),
        }
    }

    fn number(&mut self) -> Token {
        match numbers::read(self.text.get(self.at..).unwrap_or_default()) {
            Some((number, length)) => {
                self.at += length;
                Token::Value(Value::Number(number))
            }
            None => Token::Wrong("invalid number"),
        }
    }

    fn string(&mut self) -> mlua::Result<(Token, usize)> {
        let start = self.at;
        let mut at = start + 1;
        let mut text = Vec::new();
        loop {
            match self.byte(at) {
                b'"' => break,
                0 => return Ok((Token::Wrong("unexpected end of string"), at)),
                b'\\' => {
                    let escaped = match self.byte(at + 1) {
                        b'u' => {
                            let Some(length) = self.unicode(at, &mut text) else {
                                return Ok((Token::Wrong("invalid unicode escape code"), at));
                            };
                            at += length;
                            continue;
                        }
                        byte @ (b'"' | b'\\' | b'/') => byte,
                        b'b' => 8,
                        b't' => b'\t',
                        b'n' => b'\n',
                        b'f' => 12,
                        b'r' => b'\r',
                        _ => return Ok((Token::Wrong("invalid escape code"), at)),
                    };
                    text.push(escaped);
                    at += 2;
                }
                other => {
                    text.push(other);
                    at += 1;
                }
            }
        }
        self.at = at + 1;
        Ok((Token::Value(Value::String(self.lua.create_string(text)?)), start))
    }

    /// Appends the character that is written as `\\uXXXX`, or as two of them; returns the length of what was read.
    fn unicode(&self, at: usize, text: &mut Vec<u8>) -> Option<usize> {
        let code = self.hexadecimal(at + 2)?;
        let (code, length) = match code {
            0xd800..0xdc00 => {
                if self.byte(at + 6) != b'\\' || self.byte(at + 7) != b'u' {
                    return None;
                }
                let low = self.hexadecimal(at + 8).filter(|low| (0xdc00..0xe000).contains(low))?;
                (((code & 0x3ff) << 10 | low & 0x3ff) + 0x1_0000, 12)
            }
            0xdc00..0xe000 => return None,
            code => (code, 6),
        };
        let character = char::from_u32(code)?;
        text.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
        Some(length)
    }

    fn hexadecimal(&self, at: usize) -> Option<u32> {
        let digits = self.text.get(at..at + 4)?;
        digits.iter().try_fold(0, |code, digit| Some(code << 4 | char::from(*digit).to_digit(16)?))
    }
}
