//! The library `struct`: values packed into strings in the layout of C.

use mlua::{Lua, LuaString, MultiValue, Table, Value};

use super::arguments::Arguments;
use super::errors;
use super::replies::truncated;

/// The longest integer, in bytes.
const INTEGER_MAX: usize = 32;
/// The alignment of `!` without a number.
const ALIGNMENT: i32 = 8;
/// How many results fit into Lua's stack.
const RESULTS_MAX: usize = 7_900;

const TOO_SHORT: &str = "data string too short";

/// Makes the library.
pub(super) fn table(lua: &Lua) -> mlua::Result<Table> {
    let table = lua.create_table()?;
    table.raw_set(
        "pack",
        lua.create_function(|lua, mut values: MultiValue| {
            // redis-server has a nil after the arguments.
            if !values.is_empty() {
                values.push_back(Value::Nil);
            }
            pack(lua, &Arguments::new(lua, values))
        })?,
    )?;
    table.raw_set("unpack", lua.create_function(|lua, values| unpack(lua, &Arguments::new(lua, values)))?)?;
    table.raw_set("size", lua.create_function(|lua, values| size(lua, &Arguments::new(lua, values)))?)?;
    Ok(table)
}

/// A format that is being read.
struct Format<'a> {
    lua: &'a Lua,
    rest: &'a [u8],
    big_endian: bool,
    /// The greatest alignment, a power of two.
    align: usize,
}

impl<'a> Format<'a> {
    fn new(lua: &'a Lua, text: &'a [u8]) -> Self {
        let text = text.split(|byte| *byte == 0).next().unwrap_or_default();
        Self { lua, rest: text, big_endian: false, align: 1 }
    }

    /// The next option and the size of its value.
    fn next(&mut self) -> mlua::Result<Option<(u8, usize)>> {
        let Some((option, rest)) = self.rest.split_first() else { return Ok(None) };
        self.rest = rest;
        let size = match option {
            b'B' | b'b' | b'x' => 1,
            b'H' | b'h' => 2,
            b'L' | b'l' | b'T' | b'd' => 8,
            b'f' => 4,
            b'c' => self.number(1)?,
            b'i' | b'I' => {
                let size = self.number(4)?;
                if usize::try_from(size).unwrap_or(0) > INTEGER_MAX {
                    let text = format!("integral size {size} is larger than limit of {INTEGER_MAX}");
                    return Err(errors::library(self.lua, text));
                }
                size
            }
            _ => 0,
        };
        Ok(Some((*option, usize::try_from(size).unwrap_or(0))))
    }

    fn number(&mut self, default: i32) -> mlua::Result<i32> {
        let mut number = None;
        while let Some((digit, rest)) = self.rest.split_first().filter(|(first, _)| first.is_ascii_digit()) {
            let so_far: i32 = number.unwrap_or(0);
            let longer = so_far.checked_mul(10).and_then(|tens| tens.checked_add(i32::from(digit - b'0')));
            number = Some(longer.ok_or_else(|| errors::library(self.lua, "integral size overflow"))?);
            self.rest = rest;
        }
        Ok(number.unwrap_or(default))
    }

    /// How many bytes are between the present end and the value.
    fn padding(&self, length: usize, option: u8, size: usize) -> usize {
        if size == 0 || option == b'c' {
            return 0;
        }
        let size = size.min(self.align);
        // As in C, even if the size is not a power of two.
        (size.wrapping_sub(length & (size - 1))) & (size - 1)
    }

    /// An option that has no value.
    fn control(&mut self, option: u8) -> mlua::Result<()> {
        match option {
            b' ' => {}
            b'>' => self.big_endian = true,
            b'<' => self.big_endian = false,
            b'!' => {
                let align = self.number(ALIGNMENT)?;
                if align <= 0 || align & (align - 1) != 0 {
                    return Err(errors::library(self.lua, format!("alignment {align} is not a power of 2")));
                }
                self.align = usize::try_from(align).unwrap_or(1);
            }
            other => {
                let text = [b"invalid format option '", &[other][..], b"'"].concat();
                return Err(errors::argument(self.lua, 1, text));
            }
        }
        Ok(())
    }

    /// Converts bytes between the order of the format and little-endian.
    fn order(&self, bytes: &mut [u8]) {
        if self.big_endian {
            bytes.reverse();
        }
    }
}

const INTEGERS: &[u8] = b"bBhHlLTiI";

fn pack(lua: &Lua, args: &Arguments<'_>) -> mlua::Result<LuaString> {
    let format = args.text(1)?;
    let mut format = Format::new(lua, &format);
    let mut out = Vec::new();
    let mut total = 0;
    let mut arg = 2;
    while let Some((option, mut size)) = format.next()? {
        let padding = format.padding(total, option, size);
        total += padding;
        out.resize(out.len() + padding, 0);
        match option {
            _ if INTEGERS.contains(&option) => {
                let mut bytes = integer_bytes(args.number(arg)?, size);
                format.order(&mut bytes);
                out.extend_from_slice(&bytes);
                arg += 1;
            }
            b'x' => out.push(0),
            b'f' => {
                #[allow(clippy::cast_possible_truncation)] // A float is what is asked for.
                let mut bytes = (args.number(arg)? as f32).to_le_bytes();
                format.order(&mut bytes);
                out.extend_from_slice(&bytes);
                arg += 1;
            }
            b'd' => {
                let mut bytes = args.number(arg)?.to_le_bytes();
                format.order(&mut bytes);
                out.extend_from_slice(&bytes);
                arg += 1;
            }
            b'c' | b's' => {
                let text = args.text(arg)?;
                arg += 1;
                size = if size == 0 { text.len() } else { size };
                let Some(text) = text.get(..size) else { return Err(args.wrong(arg, "string too short")) };
                out.extend_from_slice(text);
                if option == b's' {
                    out.push(0);
                    size += 1;
                }
            }
            other => format.control(other)?,
        }
        total += size;
    }
    lua.create_string(out)
}

/// The lowest bytes of an integer, the lowest first.
fn integer_bytes(number: f64, size: usize) -> Vec<u8> {
    /// The first number that does not fit into a signed integer.
    const LIMIT: f64 = 9_223_372_036_854_775_808.0;
    // Converted to an unsigned integer as by the compilers of redis-server, even if it is too great.
    let value = if number >= LIMIT {
        truncated(number - LIMIT).cast_unsigned() ^ (1 << 63)
    } else {
        truncated(number).cast_unsigned()
    };
    let mut bytes = value.to_le_bytes().to_vec();
    bytes.resize(size, 0);
    bytes
}

// Numbers of Lua are doubles.
#[allow(clippy::cast_precision_loss)]
fn integer_of(bytes: &[u8], is_signed: bool) -> f64 {
    let value = bytes.iter().rev().fold(0_u64, |value, byte| value << 8 | u64::from(*byte));
    if !is_signed {
        return value as f64;
    }
    let bits = u32::try_from(bytes.len() * 8).unwrap_or(0).wrapping_sub(1);
    let sign = u64::MAX.wrapping_shl(bits);
    let value = if value & sign == 0 { value } else { value | sign };
    value.cast_signed() as f64
}

fn unpack(lua: &Lua, args: &Arguments<'_>) -> mlua::Result<MultiValue> {
    let format = args.text(1)?;
    let data = args.text(2)?;
    let start = match args.get(3) {
        None | Some(Value::Nil) => 1,
        Some(_) => args.integer(3)?,
    };
    if start == 0 {
        return Err(args.wrong(3, "offset must be 1 or greater"));
    }
    // A negative start is beyond the end, as in C with unsigned integers.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let mut at = (start as usize).wrapping_sub(1);
    let mut format = Format::new(lua, &format);
    let mut results = Vec::new();
    while let Some((option, mut size)) = format.next()? {
        at = at.wrapping_add(format.padding(at, option, size));
        let too_short = || args.wrong(2, TOO_SHORT);
        let bytes = part(&data, at, size).ok_or_else(too_short)?;
        if results.len() >= RESULTS_MAX {
            return Err(errors::library(lua, "stack overflow (too many results)"));
        }
        match option {
            _ if INTEGERS.contains(&option) => {
                let mut bytes = bytes.to_vec();
                format.order(&mut bytes);
                results.push(Value::Number(integer_of(&bytes, option.is_ascii_lowercase())));
            }
            b'x' => {}
            b'f' => {
                let mut bytes: [u8; 4] = bytes.try_into().map_err(|_| too_short())?;
                format.order(&mut bytes);
                results.push(Value::Number(f32::from_le_bytes(bytes).into()));
            }
            b'd' => {
                let mut bytes: [u8; 8] = bytes.try_into().map_err(|_| too_short())?;
                format.order(&mut bytes);
                results.push(Value::Number(f64::from_le_bytes(bytes)));
            }
            b'c' => {
                if size == 0 {
                    let given = results.pop().and_then(|value| lua.coerce_number(value).ok().flatten());
                    let given =
                        given.ok_or_else(|| errors::library(lua, "format 'c0' needs a previous size"))?;
                    size = usize::try_from(truncated(given)).unwrap_or(usize::MAX / 2);
                }
                let bytes = part(&data, at, size).ok_or_else(too_short)?;
                results.push(Value::String(lua.create_string(bytes)?));
            }
            b's' => {
                let rest = data.get(at..).unwrap_or_default();
                let end = rest.iter().position(|byte| *byte == 0);
                let end = end.ok_or_else(|| errors::library(lua, "unfinished string in data"))?;
                size = end + 1;
                results.push(Value::String(lua.create_string(&rest[..end])?));
            }
            other => format.control(other)?,
        }
        at += size;
    }
    #[allow(clippy::cast_possible_wrap)] // It was an integer with a sign before.
    results.push(Value::Integer(at.wrapping_add(1) as i64));
    Ok(MultiValue::from_vec(results))
}

/// This many bytes from an offset on, if there are enough.
fn part(data: &[u8], at: usize, size: usize) -> Option<&[u8]> {
    data.get(at..at.checked_add(size)?)
}

fn size(lua: &Lua, args: &Arguments<'_>) -> mlua::Result<i64> {
    let format = args.text(1)?;
    let mut format = Format::new(lua, &format);
    let mut at: usize = 0;
    while let Some((option, size)) = format.next()? {
        at += format.padding(at, option, size);
        if option == b's' {
            return Err(args.wrong(1, "option 's' has no fixed size"));
        }
        if option == b'c' && size == 0 {
            return Err(args.wrong(1, "option 'c0' has no fixed size"));
        }
        if !option.is_ascii_alphanumeric() {
            format.control(option)?;
        }
        at += size;
    }
    Ok(i64::try_from(at).unwrap_or(i64::MAX))
}
