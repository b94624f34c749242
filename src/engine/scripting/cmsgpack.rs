//! The library `cmsgpack`: MessagePack, written and read like the C library of that name.

use mlua::{Lua, LuaString, MultiValue, Table, Value};

use super::arguments::Arguments;
use super::errors::{self, Thrown};

/// Tables nested deeper than this are written as nil, which also ends cycles.
const NESTING: usize = 16;
/// How much of Lua's stack a value that is read may take; a table takes two slots.
const STACK: usize = 7_900;
/// The maximum length of a text: that of a string of Redis.
const LENGTH_MAX: usize = 512 * 1024 * 1024;

const TOO_MANY: &str =
    "stack overflow (too many return values at once; use unpack_one or unpack_limit instead.)";
const TOO_DEEP: &str = "stack overflow (in function mp_decode_to_lua_array)";

/// Makes the library.
pub(super) fn table(lua: &Lua) -> mlua::Result<Table> {
    let table = lua.create_table()?;
    let add = |name: &str, function: fn(&Lua, &Arguments<'_>) -> mlua::Result<MultiValue>| {
        let function =
            lua.create_function(move |lua, values: MultiValue| function(lua, &Arguments::new(lua, values)))?;
        table.raw_set(name, function)
    };
    add("pack", |lua, args| lua.pack_multi(pack(lua, args)?))?;
    add("unpack", |lua, args| unpack(lua, args, 0, 0))?;
    add("unpack_one", |lua, args| {
        let offset = args.integer_or(2, 0)?;
        unpack(lua, args, 1, offset)
    })?;
    add("unpack_limit", |lua, args| {
        let limit = args.integer(2)?;
        unpack(lua, args, limit, args.integer_or(3, 0)?)
    })?;
    table.raw_set("_NAME", "cmsgpack")?;
    table.raw_set("_VERSION", "lua-cmsgpack 0.4.0")?;
    table.raw_set("_COPYRIGHT", "Copyright (C) 2012, Salvatore Sanfilippo")?;
    table.raw_set("_DESCRIPTION", "MessagePack C implementation for Lua")?;
    Ok(table)
}

fn pack(lua: &Lua, args: &Arguments<'_>) -> mlua::Result<LuaString> {
    if args.len() == 0 {
        return Err(args.wrong(0, "MessagePack pack needs input."));
    }
    let mut out = Vec::new();
    for index in 1..=args.len() {
        write(lua, &mut out, &args.value(index), 0)?;
    }
    lua.create_string(out)
}

/// Appends a value. Tables are not nested deeper than [`NESTING`], so that recursion is bounded.
fn write(lua: &Lua, out: &mut Vec<u8>, value: &Value, level: usize) -> mlua::Result<()> {
    if out.len() > LENGTH_MAX {
        return Err(super::memory::exhausted());
    }
    match value {
        Value::String(text) => {
            let text = text.as_bytes();
            write_length(out, text.len(), (0xa0, 31), [Some(0xd9), Some(0xda), Some(0xdb)]);
            out.extend_from_slice(&text);
        }
        Value::Boolean(truth) => out.push(if *truth { 0xc3 } else { 0xc2 }),
        Value::Integer(integer) => write_integer(out, *integer),
        Value::Number(number) => write_number(out, *number),
        Value::Table(table) if level < NESTING => {
            let table = super::sandbox::behind(lua, table);
            write_table(lua, out, &table, level)?;
        }
        _ => out.push(0xc0),
    }
    Ok(())
}

/// Appends the head of a value with `length` parts: `short` up to its limit, and else the code before 1, 2 or 4
/// bytes.
// A length is truncated to the bytes that it fits into.
#[allow(clippy::cast_possible_truncation)]
fn write_length(out: &mut Vec<u8>, length: usize, short: (u8, usize), long: [Option<u8>; 3]) {
    match long {
        _ if length <= short.1 => out.push(short.0 | length as u8),
        [Some(code), ..] if u8::try_from(length).is_ok() => out.extend_from_slice(&[code, length as u8]),
        [_, Some(code), _] if u16::try_from(length).is_ok() => {
            out.push(code);
            out.extend_from_slice(&(length as u16).to_be_bytes());
        }
        [.., code] => {
            out.extend(code);
            out.extend_from_slice(&(length as u32).to_be_bytes());
        }
    }
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // Each is cut to as many bytes as it fits into.
fn write_integer(out: &mut Vec<u8>, integer: i64) {
    match integer {
        -32..=0x7f => out.push(integer as u8),
        0x80..=0xff => out.extend_from_slice(&[0xcc, integer as u8]),
        0x100..=0xffff => {
            out.push(0xcd);
            out.extend_from_slice(&(integer as u16).to_be_bytes());
        }
        0x1_0000..=0xffff_ffff => {
            out.push(0xce);
            out.extend_from_slice(&(integer as u32).to_be_bytes());
        }
        0x1_0000_0000.. => {
            out.push(0xcf);
            out.extend_from_slice(&integer.to_be_bytes());
        }
        -0x80..=-33 => out.extend_from_slice(&[0xd0, integer as u8]),
        -0x8000..=-0x81 => {
            out.push(0xd1);
            out.extend_from_slice(&(integer as i16).to_be_bytes());
        }
        -0x8000_0000..=-0x8001 => {
            out.push(0xd2);
            out.extend_from_slice(&(integer as i32).to_be_bytes());
        }
        _ => {
            out.push(0xd3);
            out.extend_from_slice(&integer.to_be_bytes());
        }
    }
}

fn write_number(out: &mut Vec<u8>, number: f64) {
    #[allow(clippy::cast_possible_truncation)] // What is lost is looked at.
    let short = number as f32;
    if number == 0.0 {
        // Zero without a sign is an integer.
        out.push(0);
    } else if !number.is_nan() && f64::from(short).to_bits() == number.to_bits() {
        out.push(0xca);
        out.extend_from_slice(&short.to_be_bytes());
    } else {
        out.push(0xcb);
        out.extend_from_slice(&number.to_be_bytes());
    }
}

fn write_table(lua: &Lua, out: &mut Vec<u8>, table: &Table, level: usize) -> mlua::Result<()> {
    if is_array(table)? {
        let length = table.raw_len();
        write_length(out, length, (0x90, 15), [None, Some(0xdc), Some(0xdd)]);
        for index in 1..=length {
            write(lua, out, &table.get(index)?, level + 1)?;
        }
        return Ok(());
    }
    let mut length = 0;
    for pair in table.pairs::<Value, Value>() {
        pair?;
        length += 1;
    }
    write_length(out, length, (0x80, 15), [None, Some(0xde), Some(0xdf)]);
    for pair in table.pairs::<Value, Value>() {
        let (key, value) = pair?;
        write(lua, out, &key, level + 1)?;
        write(lua, out, &value, level + 1)?;
    }
    Ok(())
}

/// True if the keys are all integers from 1 on, without a gap.
fn is_array(table: &Table) -> mlua::Result<bool> {
    let (mut count, mut greatest) = (0, 0);
    for pair in table.pairs::<Value, Value>() {
        let (key, _) = pair?;
        let Value::Integer(index @ 1..=0x7fff_ffff) = key else { return Ok(false) };
        greatest = greatest.max(index);
        count += 1;
    }
    Ok(greatest == count)
}

fn unpack(lua: &Lua, args: &Arguments<'_>, limit: i64, offset: i64) -> mlua::Result<MultiValue> {
    let text = args.text(1)?;
    #[allow(clippy::cast_possible_truncation)] // As errors show it.
    let shown = offset as i32;
    let (all, length) = (limit == 0 && offset == 0, text.len());
    let (Ok(start), Ok(limit)) = (usize::try_from(offset), usize::try_from(limit)) else {
        let text = format!("Invalid request to unpack with offset of {shown} and limit of {length}.");
        return Err(errors::library(lua, text));
    };
    let Some(rest) = text.get(start..) else {
        return Err(errors::library(
            lua,
            format!("Start offset {shown} greater than input length {length}."),
        ));
    };
    let mut reader = Reader { lua, rest };
    let mut values = Vec::new();
    while !reader.rest.is_empty() && (all || values.len() < limit) {
        if values.len() >= STACK {
            return Err(errors::library(lua, TOO_MANY));
        }
        let value = reader.read().map_err(|wrong| match wrong {
            Wrong::Missing => errors::library(lua, "Missing bytes in input."),
            Wrong::Format => errors::library(lua, "Bad data format in input."),
            Wrong::Nested(text) => errors::library(lua, text),
            Wrong::Lua(error) => Thrown::of(&error).into(),
        })?;
        values.push(value);
    }
    if !all {
        let next =
            if reader.rest.is_empty() { -1 } else { i64::try_from(length - reader.rest.len()).unwrap_or(-1) };
        values.insert(0, Value::Integer(next));
    }
    Ok(MultiValue::from_vec(values))
}

/// Why a value cannot be read.
enum Wrong {
    Missing,
    Format,
    Nested(&'static str),
    Lua(mlua::Error),
}

impl From<mlua::Error> for Wrong {
    fn from(error: mlua::Error) -> Self {
        Self::Lua(error)
    }
}

/// A table that is being read.
enum Open {
    Array { table: Table, next: usize, length: usize },
    Map { table: Table, left: usize, key: Option<Value> },
}

/// The meaning of a head.
enum Head {
    Value(Value),
    Array(usize),
    Map(usize),
}

struct Reader<'a> {
    lua: &'a Lua,
    rest: &'a [u8],
}

impl Reader<'_> {
    /// Reads a value, with tables of any depth and without recursion.
    fn read(&mut self) -> Result<Value, Wrong> {
        let mut open: Vec<Open> = Vec::new();
        loop {
            if open.len() * 2 >= STACK {
                let is_array = matches!(open.last(), Some(Open::Array { .. }));
                return Err(Wrong::Nested(if is_array { TOO_DEEP } else { TOO_MANY }));
            }
            match self.head()? {
                Head::Array(length) => {
                    open.push(Open::Array { table: self.lua.create_table()?, next: 1, length });
                }
                Head::Map(left) => open.push(Open::Map { table: self.lua.create_table()?, left, key: None }),
                Head::Value(value) => match open.last_mut() {
                    None => return Ok(value),
                    Some(innermost) => put(innermost, value)?,
                },
            }
            // A complete value goes into the table that contains it.
            while let Some(last) = open.last() {
                let is_complete = match last {
                    Open::Array { next, length, .. } => next > length,
                    Open::Map { left, key, .. } => *left == 0 && key.is_none(),
                };
                if !is_complete {
                    break;
                }
                let Some(Open::Array { table, .. } | Open::Map { table, .. }) = open.pop() else { break };
                match open.last_mut() {
                    None => return Ok(Value::Table(table)),
                    Some(innermost) => put(innermost, Value::Table(table))?,
                }
            }
        }
    }

    fn head(&mut self) -> Result<Head, Wrong> {
        let [code] = self.take()?;
        let value = match code {
            0x00..=0x7f => Value::Integer(code.into()),
            0x80..=0x8f => return Ok(Head::Map(usize::from(code & 0x0f))),
            0x90..=0x9f => return Ok(Head::Array(usize::from(code & 0x0f))),
            0xa0..=0xbf => self.text(usize::from(code & 0x1f))?,
            0xc0 => Value::Nil,
            0xc2 => Value::Boolean(false),
            0xc3 => Value::Boolean(true),
            0xca => Value::Number(f32::from_be_bytes(self.take()?).into()),
            0xcb => Value::Number(f64::from_be_bytes(self.take()?)),
            0xcc => Value::Integer(u8::from_be_bytes(self.take()?).into()),
            0xcd => Value::Integer(u16::from_be_bytes(self.take()?).into()),
            0xce => Value::Integer(u32::from_be_bytes(self.take()?).into()),
            #[allow(clippy::cast_precision_loss)] // Numbers of Lua are doubles.
            0xcf => Value::Number(u64::from_be_bytes(self.take()?) as f64),
            0xd0 => Value::Integer(i8::from_be_bytes(self.take()?).into()),
            0xd1 => Value::Integer(i16::from_be_bytes(self.take()?).into()),
            0xd2 => Value::Integer(i32::from_be_bytes(self.take()?).into()),
            0xd3 => Value::Integer(i64::from_be_bytes(self.take()?)),
            0xd9 => {
                let length = u8::from_be_bytes(self.take()?);
                self.text(length.into())?
            }
            0xda => {
                let length = u16::from_be_bytes(self.take()?);
                self.text(length.into())?
            }
            0xdb => {
                let length = u32::from_be_bytes(self.take()?);
                self.text(usize::try_from(length).unwrap_or(usize::MAX))?
            }
            0xdc => return Ok(Head::Array(u16::from_be_bytes(self.take()?).into())),
            0xdd => return Ok(Head::Array(self.length()?)),
            0xde => return Ok(Head::Map(u16::from_be_bytes(self.take()?).into())),
            0xdf => return Ok(Head::Map(self.length()?)),
            0xe0..=0xff => Value::Integer(code.cast_signed().into()),
            _ => return Err(Wrong::Format),
        };
        Ok(Head::Value(value))
    }

    fn length(&mut self) -> Result<usize, Wrong> {
        Ok(usize::try_from(u32::from_be_bytes(self.take()?)).unwrap_or(usize::MAX))
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], Wrong> {
        let (bytes, rest) = self.rest.split_first_chunk().ok_or(Wrong::Missing)?;
        self.rest = rest;
        Ok(*bytes)
    }

    fn text(&mut self, length: usize) -> Result<Value, Wrong> {
        let (text, rest) = self.rest.split_at_checked(length).ok_or(Wrong::Missing)?;
        self.rest = rest;
        Ok(Value::String(self.lua.create_string(text)?))
    }
}

/// Puts a value into a table that is being read.
fn put(open: &mut Open, value: Value) -> Result<(), Wrong> {
    match open {
        Open::Array { table, next, .. } => {
            table.raw_set(*next, value)?;
            *next += 1;
        }
        Open::Map { table, left, key } => match key.take() {
            None => {
                *key = Some(value);
                *left = left.saturating_sub(1);
            }
            Some(key) => table.raw_set(key, value)?,
        },
    }
    Ok(())
}
