//! The library `bit`: operations on integers of 32 bits.

use mlua::{Lua, MultiValue, Table};

use super::arguments::Arguments;

/// A number as 32 bits: rounded to the nearest integer, whose upper bits are lost.
#[allow(clippy::cast_possible_truncation)] // That is what is wanted.
fn bits(args: &Arguments<'_>, index: usize) -> mlua::Result<u32> {
    /// Added to a number, this moves its integer part into the lower bits: 2^52 + 2^51.
    const MOVE: f64 = 6_755_399_441_055_744.0;
    Ok((args.number(index)? + MOVE).to_bits() as u32)
}

type One = fn(u32) -> u32;
type Two = fn(u32, u32) -> u32;

/// Makes the library.
pub(super) fn table(lua: &Lua) -> mlua::Result<Table> {
    let table = lua.create_table()?;
    let of_one: [(&str, One); 3] = [("tobit", |a| a), ("bnot", |a| !a), ("bswap", u32::swap_bytes)];
    for (name, operation) in of_one {
        add(lua, &table, name, move |args| Ok(operation(bits(args, 1)?)))?;
    }
    let of_many: [(&str, Two); 3] = [("band", |a, b| a & b), ("bor", |a, b| a | b), ("bxor", |a, b| a ^ b)];
    for (name, operation) in of_many {
        add(lua, &table, name, move |args| {
            let mut result = bits(args, 1)?;
            // From the last argument to the first, so that of several wrong ones the error names the last.
            for index in (2..=args.len()).rev() {
                result = operation(result, bits(args, index)?);
            }
            Ok(result)
        })?;
    }
    // Only the lowest five bits of the shift count.
    let shifts: [(&str, Two); 5] = [
        ("lshift", u32::wrapping_shl),
        ("rshift", u32::wrapping_shr),
        ("arshift", |a, by| a.cast_signed().wrapping_shr(by).cast_unsigned()),
        ("rol", |a, by| a.rotate_left(by % u32::BITS)),
        ("ror", |a, by| a.rotate_right(by % u32::BITS)),
    ];
    for (name, operation) in shifts {
        add(lua, &table, name, move |args| Ok(operation(bits(args, 1)?, bits(args, 2)?)))?;
    }
    let tohex = lua.create_function(|lua, values: MultiValue| {
        let args = Arguments::new(lua, values);
        let value = bits(&args, 1)?;
        let digits = if args.len() < 2 { 8 } else { bits(&args, 2)?.cast_signed() };
        let text = if digits < 0 { format!("{value:08X}") } else { format!("{value:08x}") };
        let kept = usize::try_from(digits.unsigned_abs()).unwrap_or(8).min(8);
        Ok(text[8 - kept..].to_owned())
    })?;
    table.raw_set("tohex", tohex)?;
    Ok(table)
}

fn add(
    lua: &Lua,
    table: &Table,
    name: &str,
    operation: impl Fn(&Arguments<'_>) -> mlua::Result<u32> + Send + 'static,
) -> mlua::Result<()> {
    let function = lua.create_function(move |lua, values: MultiValue| {
        let result = operation(&Arguments::new(lua, values))?;
        Ok(f64::from(result.cast_signed()))
    })?;
    table.raw_set(name, function)
}
