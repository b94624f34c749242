//! Replies of commands as values of Lua, and values of Lua as replies.

use mlua::{Either, Lua, LuaString, Table, Value};

use super::errors::{Thrown, reply_table};
use crate::resp::{Protocol, Reply, up_to_nul};

/// How deep a reply of a script may be nested: as deep as the stack allows on which the interpreter keeps values for
/// us, which is a little less than in redis-server.
const MAX_STACK: usize = 7_800;

/// The error for a value that is nested deeper.
const TOO_DEEP: &[u8] = b"ERR reached lua stack limit";

/// The value of a reply that a command has written.
pub(super) fn to_lua(lua: &Lua, reply: &[u8]) -> mlua::Result<Value> {
    Reader { lua, rest: reply }.value()
}

/// The text of a reply that is an error.
pub(super) fn error_of(reply: &[u8]) -> Option<&[u8]> {
    reply.strip_prefix(b"-")?.strip_suffix(b"\r\n")
}

struct Reader<'a> {
    lua: &'a Lua,
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn value(&mut self) -> mlua::Result<Value> {
        let line = self.line();
        let Some((kind, text)) = line.split_first() else { return Ok(Value::Nil) };
        match kind {
            b':' => Ok(number(text)),
            b'$' => match length(text) {
                Some(length) => Ok(Value::String(self.lua.create_string(self.bytes(length))?)),
                None => Ok(Value::Boolean(false)),
            },
            b'+' => self.field("ok", self.lua.create_string(text)?),
            b'-' => reply_table(self.lua, text, true).map(Value::Table),
            b'*' | b'>' => match length(text) {
                Some(length) => self.array(length),
                None => Ok(Value::Boolean(false)),
            },
            b'%' => {
                let map = self.map(length(text).unwrap_or(0))?;
                self.field("map", map)
            }
            b'~' => {
                let set = self.lua.create_table()?;
                for _ in 0..length(text).unwrap_or(0) {
                    let member = self.value()?;
                    // nil cannot be the key of a table.
                    if !matches!(member, Value::Nil) {
                        set.raw_set(member, true)?;
                    }
                }
                self.field("set", set)
            }
            b'#' => Ok(Value::Boolean(text == b"t")),
            b',' => self.field("double", double(text)),
            b'(' => self.field("big_number", self.lua.create_string(text)?),
            b'=' => {
                let whole = self.bytes(length(text).unwrap_or(0));
                let (format, string) = whole.split_at(whole.len().min(3));
                let fields = self.lua.create_table()?;
                fields.raw_set("string", self.lua.create_string(string.get(1..).unwrap_or_default())?)?;
                fields.raw_set("format", self.lua.create_string(format)?)?;
                self.field("verbatim_string", fields)
            }
            b'|' => {
                // Attributes of the reply that follows.
                self.map(length(text).unwrap_or(0))?;
                self.value()
            }
            // Null.
            _ => Ok(Value::Nil),
        }
    }

    fn array(&mut self, length: usize) -> mlua::Result<Value> {
        let (lua, mut failure) = (self.lua, None);
        // `map_while` promises no elements, so no room is made in advance: where one is nil, the length depends on that.
        let elements = (0..length).map_while(|_| match self.element() {
            Ok(element) => Some(element),
            Err(error) => {
                failure = Some(error);
                None
            }
        });
        let array = lua.create_sequence_from(elements)?;
        failure.map_or(Ok(Value::Table(array)), Err)
    }

    /// An element of an array. A `str` becomes a string of Lua at once, any other value by way of a reference.
    fn element(&mut self) -> mlua::Result<Either<&'a str, Value>> {
        let before = self.rest;
        if before.first() == Some(&b'$')
            && let Some(length) = length(&self.line()[1..])
            && let Ok(text) = std::str::from_utf8(self.bytes(length))
        {
            return Ok(Either::Left(text));
        }
        self.rest = before;
        self.value().map(Either::Right)
    }

    fn map(&mut self, pairs: usize) -> mlua::Result<Table> {
        let map = self.lua.create_table_with_capacity(0, pairs)?;
        for _ in 0..pairs {
            let key = self.value()?;
            let value = self.value()?;
            if !matches!(key, Value::Nil) {
                map.raw_set(key, value)?;
            }
        }
        Ok(map)
    }

    fn field(&self, name: &str, value: impl mlua::IntoLua) -> mlua::Result<Value> {
        let table = self.lua.create_table_with_capacity(0, 1)?;
        table.raw_set(name, value)?;
        Ok(Value::Table(table))
    }

    fn line(&mut self) -> &'a [u8] {
        let end = self.rest.iter().position(|byte| *byte == b'\r').unwrap_or(self.rest.len());
        let line = self.rest.get(..end).unwrap_or_default();
        self.rest = self.rest.get(end + 2..).unwrap_or_default();
        line
    }

    fn bytes(&mut self, length: usize) -> &'a [u8] {
        let bytes = self.rest.get(..length).unwrap_or(self.rest);
        self.rest = self.rest.get(length + 2..).unwrap_or_default();
        bytes
    }
}

/// Integers are numbers of Lua, which are always doubles.
#[allow(clippy::cast_precision_loss)]
fn number(text: &[u8]) -> Value {
    Value::Number(crate::resp::parse_integer(text).unwrap_or(0) as f64)
}

fn length(text: &[u8]) -> Option<usize> {
    usize::try_from(crate::resp::parse_integer(text)?).ok()
}

fn double(text: &[u8]) -> f64 {
    std::str::from_utf8(text).ok().and_then(|text| text.parse().ok()).unwrap_or(f64::NAN)
}

/// The result of writing a script's result.
#[derive(Debug, Default)]
pub(super) struct Written {
    /// There is an error in it.
    pub failed: bool,
    /// The errors in it that the statistics have not counted.
    pub errors: Vec<Vec<u8>>,
}

/// Writes values as replies.
pub(super) struct Writer<'a> {
    /// The output.
    pub out: &'a mut Vec<u8>,
    /// The protocol of the client.
    pub client: Protocol,
    /// The protocol that the script has chosen.
    pub script: Protocol,
    /// Doubles have 17 digits.
    pub in_full: bool,
}

/// What remains to be written of a table.
enum Open {
    /// The elements from an index on; their number is at a position in the output.
    Array { table: Table, next: usize, header: usize },
    /// The fields that are left, last first.
    Fields { left: Vec<(Value, Option<Value>)> },
}

impl Writer<'_> {
    /// Writes a value. Nested tables are written without recursion: a script may nest them to any depth, and they may
    /// contain themselves.
    pub fn write(&mut self, value: Value) -> mlua::Result<Written> {
        let mut written = Written::default();
        let mut open: Vec<(usize, Open)> = Vec::new();
        // How much of Lua's stack redis-server would have used.
        let mut depth = 1;
        let mut value = Some(value);
        loop {
            if let Some(value) = value.take()
                && let Some(entered) = self.begin(value, depth, &mut written)?
            {
                open.push((depth, entered));
            }
            let Some((at, last)) = open.last_mut() else { return Ok(written) };
            let next = match last {
                Open::Array { table, next, .. } => {
                    let element: Value = table.raw_get(*next)?;
                    (!matches!(element, Value::Nil)).then(|| {
                        *next += 1;
                        (*at + 1, element)
                    })
                }
                Open::Fields { left } => left.pop().map(|(key, field)| {
                    if let Some(field) = field {
                        left.push((field, None));
                        (*at + 4, key)
                    } else {
                        (*at + 3, key)
                    }
                }),
            };
            match next {
                Some((at, element)) => {
                    depth = at;
                    value = Some(element);
                }
                None => {
                    if let Some((_, Open::Array { next, header, .. })) = open.pop() {
                        self.insert_array(header, next - 1);
                    }
                }
            }
        }
    }

    /// Writes a value, or the beginning of a table whose elements are to follow.
    fn begin(&mut self, value: Value, depth: usize, written: &mut Written) -> mlua::Result<Option<Open>> {
        if depth > MAX_STACK {
            self.error(TOO_DEEP, false, written);
            return Ok(None);
        }
        let table = match value {
            Value::Table(table) => table,
            other => {
                self.scalar(&other);
                return Ok(None);
            }
        };
        if table.raw_get::<Value>("err")?.is_string() {
            let (text, counted) = error_fields(&table)?;
            self.error(&text.unwrap_or_default(), counted, written);
            return Ok(None);
        }
        if let Value::String(text) = table.raw_get("ok")? {
            let text = up_to_nul(&text.as_bytes()).to_vec();
            self.line(b'+', &text);
            return Ok(None);
        }
        if let Some(number) = number_of(&table.raw_get("double")?) {
            self.reply().double(number);
            return Ok(None);
        }
        for (name, is_map) in [("map", true), ("set", false)] {
            if let Value::Table(fields) = table.raw_get(name)? {
                return self.fields(&fields, is_map).map(Some);
            }
        }
        if let Value::String(digits) = table.raw_get("big_number")? {
            let digits = digits.as_bytes().to_vec();
            if self.client == Protocol::Resp3 {
                self.line(b'(', &digits);
            } else {
                self.reply().bulk(&without_line_breaks(&digits));
            }
            return Ok(None);
        }
        if let Value::Table(verbatim) = table.raw_get("verbatim_string")?
            && let (Value::String(format), Value::String(text)) =
                (verbatim.raw_get("format")?, verbatim.raw_get("string")?)
        {
            self.verbatim(&format, &text);
            return Ok(None);
        }
        Ok(Some(Open::Array { table, next: 1, header: self.out.len() }))
    }

    fn scalar(&mut self, value: &Value) {
        let (client, script) = (self.client, self.script);
        let mut reply = self.reply();
        match value {
            Value::String(text) => reply.bulk(&text.as_bytes()),
            Value::Boolean(truth) if script == Protocol::Resp3 => reply.boolean(*truth),
            Value::Boolean(true) => reply.integer(1),
            Value::Integer(integer) => reply.integer(*integer),
            Value::Number(number) => reply.integer(truncated(*number)),
            _ if client == Protocol::Resp3 => reply.null(),
            _ => reply.null(),
        }
    }

    fn fields(&mut self, fields: &Table, is_map: bool) -> mlua::Result<Open> {
        let mut left = Vec::new();
        for pair in fields.clone().pairs::<Value, Value>() {
            let (key, value) = pair?;
            left.push((key, is_map.then_some(value)));
        }
        left.reverse();
        if is_map {
            self.reply().map(left.len());
        } else {
            self.reply().set(left.len());
        }
        Ok(Open::Fields { left })
    }

    fn verbatim(&mut self, format: &LuaString, text: &LuaString) {
        if self.client == Protocol::Resp2 {
            return self.reply().bulk(&text.as_bytes());
        }
        // Three letters, padded with blanks, as in redis-server.
        let given = format.as_bytes();
        let mut format = *b"   ";
        for (to, from) in format.iter_mut().zip(up_to_nul(&given)) {
            *to = *from;
        }
        let text = text.as_bytes();
        self.out.extend_from_slice(format!("={}\r\n", text.len() + 4).as_bytes());
        self.out.extend_from_slice(&format);
        self.out.push(b':');
        self.out.extend_from_slice(&text);
        self.out.extend_from_slice(b"\r\n");
    }

    fn error(&mut self, text: &[u8], counted: bool, written: &mut Written) {
        written.failed = true;
        if !counted {
            written.errors.push(text.to_vec());
        }
        self.reply().error(text);
    }

    fn line(&mut self, kind: u8, text: &[u8]) {
        self.out.push(kind);
        self.out.extend_from_slice(&without_line_breaks(text));
        self.out.extend_from_slice(b"\r\n");
    }

    fn insert_array(&mut self, header: usize, length: usize) {
        self.reply().insert_array(header, length);
    }

    fn reply(&mut self) -> Reply<'_> {
        Reply::new(self.out, self.client).with_doubles_in_full(self.in_full)
    }
}

/// The text of an error table, if it has one, and whether the statistics have counted it.
pub(super) fn error_fields(table: &Table) -> mlua::Result<(Option<Vec<u8>>, bool)> {
    let text = match table.get("err")? {
        Value::String(text) => Some(up_to_nul(&text.as_bytes()).to_vec()),
        Value::Integer(integer) => Some(integer.to_string().into_bytes()),
        Value::Number(number) => Some(number.to_string().into_bytes()),
        _ => None,
    };
    let counted = matches!(table.get("ignore_error_stats_update")?, Value::Boolean(true));
    Ok((text, counted))
}

/// A number as an integer, as a C compiler converts it.
// Values that do not fit have been excluded.
#[allow(clippy::cast_possible_truncation)]
pub(super) fn truncated(number: f64) -> i64 {
    const LIMIT: f64 = 9_223_372_036_854_775_808.0;
    if (-LIMIT..LIMIT).contains(&number) { number as i64 } else { i64::MIN }
}

#[allow(clippy::cast_precision_loss)]
fn number_of(value: &Value) -> Option<f64> {
    match value {
        Value::Integer(integer) => Some(*integer as f64),
        Value::Number(number) => Some(*number),
        _ => None,
    }
}

fn without_line_breaks(text: &[u8]) -> Vec<u8> {
    text.iter().map(|byte| if matches!(byte, b'\r' | b'\n') { b' ' } else { *byte }).collect()
}

/// The error text of a thrown value for the client.
pub(super) fn thrown_text(value: &Value) -> mlua::Result<(Vec<u8>, bool)> {
    match value {
        Value::Table(table) => {
            let (text, counted) = error_fields(table)?;
            Ok((text.unwrap_or_else(|| b"ERR unknown error".to_vec()), counted))
        }
        Value::Error(error) => Ok(match Thrown::of(error) {
            Thrown::Text(text) => ([b"ERR ", &*text].concat(), false),
            Thrown::Reply { text, counted } => (text, counted),
            Thrown::Value(value) => return thrown_text(&value),
            Thrown::Killed(text) => (text, false),
        }),
        other => Ok((
            text_of(other).map_or_else(|| b"ERR unknown error".to_vec(), |text| [b"ERR ", &*text].concat()),
            false,
        )),
    }
}

/// The text that `tostring` gives, for values that are neither tables nor functions.
pub(super) fn text_of(value: &Value) -> Option<Vec<u8>> {
    match value {
        Value::Nil => Some(b"nil".to_vec()),
        Value::Boolean(truth) => Some(truth.to_string().into_bytes()),
        Value::String(text) => Some(text.as_bytes().to_vec()),
        Value::Integer(integer) => Some(integer.to_string().into_bytes()),
        _ => None,
    }
}
