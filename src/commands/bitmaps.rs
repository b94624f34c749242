//! Bitmaps: strings, bit by bit.

use std::ops::Range;

use crate::config::{Class, Version};
use crate::data::bits;
use crate::data::bits::{Field, Operation, Overflow};
use crate::data::string::View;
use crate::data::{ByteString, Value};
use crate::resp::{parse_integer, up_to_nul};
use crate::spec::numbers::{clamped_range, integer, is_option, string_range};
use crate::spec::{Context, Error, Outcome};
use crate::state::State;

/// A bit offset, which must lie within the maximum length of a string.
fn bit_offset(ctx: &Context<'_>, text: &[u8]) -> Result<u64, Error> {
    checked_offset(ctx, parse_integer(text))
}

fn checked_offset(ctx: &Context<'_>, offset: Option<i64>) -> Result<u64, Error> {
    let offset = offset.and_then(|offset| u64::try_from(offset).ok());
    let offset = offset.filter(|offset| offset / 8 < ctx.state.config.proto_max_bulk_len);
    offset.ok_or(Error::new("ERR bit offset is not an integer or out of range"))
}

/// The bytes of a key that a command reads; `None` if the key does not exist.
fn read<'a>(state: &'a mut State, key: &[u8]) -> Result<Option<View<'a>>, Error> {
    Ok(state.get::<ByteString>(key)?.map(ByteString::bytes))
}

/// Changes the bytes of a key, which is created if it does not exist and lengthened to at least `len` bytes.
fn edit<R>(
    state: &mut State,
    key: &[u8],
    len: usize,
    change: impl FnOnce(&mut Vec<u8>) -> R,
) -> Result<R, Error> {
    if let Some(string) = state.get_mut::<ByteString>(key)? {
        return Ok(string.edit(|bytes| {
            if bytes.len() < len {
                bytes.resize(len, 0);
            }
            change(bytes)
        }));
    }
    let mut bytes = vec![0; len];
    let result = change(&mut bytes);
    state.insert(key, Value::String(ByteString::raw(bytes)), None);
    Ok(result)
}

/// The length that a string must have to contain a bit.
fn bytes_for(bit: u64) -> usize {
    usize::try_from(bit / 8 + 1).unwrap_or(usize::MAX)
}

/// `SETBIT key offset value`: the old bit.
///
/// # Errors
///
/// The offset or the value is invalid, or the key holds another type.
pub fn setbit(ctx: &mut Context<'_>) -> Outcome {
    let (key, offset) = (&ctx.args[1], bit_offset(ctx, &ctx.args[2])?);
    let bit = match parse_integer(&ctx.args[3]) {
        Some(bit @ 0..=1) => bit == 1,
        _ => return Err(Error::new("ERR bit is not an integer or out of range")),
    };
    let len = bytes_for(offset);
    let before = ctx.state.get_mut::<ByteString>(key)?.map(|string| string.len());
    let old = edit(ctx.state, key, len, |bytes| bits::set(bytes, offset, bit))?;
    if old != bit || before.is_none_or(|before| before < len) {
        ctx.state.modified(Class::STRING, "setbit", key);
    }
    ctx.reply.integer(old.into());
    Ok(())
}

/// `GETBIT key offset`.
///
/// # Errors
///
/// The offset is invalid, or the key holds another type.
pub fn getbit(ctx: &mut Context<'_>) -> Outcome {
    let offset = bit_offset(ctx, &ctx.args[2])?;
    let key = &ctx.args[1];
    let bit = read(ctx.state, key)?.is_some_and(|bytes| bits::get(&bytes, offset));
    ctx.reply.integer(bit.into());
    Ok(())
}

/// Reads `BYTE` or `BIT`; true if a range counts bits.
fn in_bits(text: &[u8]) -> Result<bool, Error> {
    if is_option(text, "BIT") {
        Ok(true)
    } else if is_option(text, "BYTE") {
        Ok(false)
    } else {
        Err(Error::SYNTAX)
    }
}

/// The bits that a range selects of a string of `len` bytes. `choose` gets the number of its bits or bytes.
fn bit_range(in_bits: bool, len: usize, choose: impl Fn(usize) -> Range<usize>) -> Range<u64> {
    let unit = if in_bits { 1 } else { 8 };
    let range = choose(len.saturating_mul(8) / unit);
    (range.start * unit) as u64..(range.end * unit) as u64
}

/// Whether BITCOUNT and BITPOS check for a missing key or a wrong type before they read the range.
fn looks_at_key_first(ctx: &Context<'_>) -> bool {
    ctx.state.config.compat < Version::Redis7_4
}

/// `BITCOUNT key [start end [BYTE|BIT]]`.
///
/// # Errors
///
/// Invalid indices, or the key holds another type.
pub fn bitcount(ctx: &mut Context<'_>) -> Outcome {
    let args = ctx.args;
    if looks_at_key_first(ctx) && read(ctx.state, &args[1])?.is_none() {
        ctx.reply.integer(0);
        return Ok(());
    }
    let (start, end, in_bits) = match args.len() {
        2 => (0, -1, false),
        4 | 5 => {
            let start = integer(&args[2])?;
            let end = integer(&args[3])?;
            if looks_at_key_first(ctx) && start < 0 && end < 0 && start > end {
                // The unit of an empty range is not read either.
                ctx.reply.integer(0);
                return Ok(());
            }
            (start, end, args.get(4).map_or(Ok(false), in_bits)?)
        }
        _ => return Err(Error::SYNTAX),
    };
    let bytes = read(ctx.state, &args[1])?;
    let bytes = bytes.as_deref().unwrap_or_default();
    let count = bits::count(bytes, bit_range(in_bits, bytes.len(), |len| string_range(start, end, len)));
    ctx.reply.integer(i64::try_from(count).unwrap_or(i64::MAX));
    Ok(())
}

/// `BITPOS key bit [start [end [BYTE|BIT]]]`.
///
/// # Errors
///
/// The bit or an index is invalid, or the key holds another type.
pub fn bitpos(ctx: &mut Context<'_>) -> Outcome {
    let args = ctx.args;
    let bit = match integer(&args[2])? {
        bit @ 0..=1 => bit == 1,
        _ => return Err(Error::new("ERR The bit argument must be 1 or 0.")),
    };
    if looks_at_key_first(ctx) && read(ctx.state, &args[1])?.is_none() {
        ctx.reply.integer(-i64::from(bit));
        return Ok(());
    }
    if args.len() > 6 {
        return Err(Error::SYNTAX);
    }
    let start = args.get(3).map_or(Ok(0), integer)?;
    let in_bits = args.get(5).map_or(Ok(false), in_bits)?;
    let end = args.get(4).map(integer).transpose()?;
    let bytes = read(ctx.state, &args[1])?;
    let position = if let Some(bytes) = &bytes {
        let range = bit_range(in_bits, bytes.len(), |len| clamped_range(start, end.unwrap_or(-1), len));
        // Without an end, the string counts as followed by zeros.
        let behind = (!bit && end.is_none() && !range.is_empty()).then_some(range.end);
        bits::position(bytes, range, bit).or(behind)
    } else {
        (!bit).then_some(0)
    };
    ctx.reply.integer(position.and_then(|position| i64::try_from(position).ok()).unwrap_or(-1));
    Ok(())
}

/// `BITOP AND|OR|XOR|NOT|DIFF|DIFF1|ANDOR|ONE destination key [key ...]`: the length of the result.
///
/// # Errors
///
/// Another operation, NOT of several keys, DIFF, DIFF1 or ANDOR of one key, or a key holds another type.
pub fn bitop(ctx: &mut Context<'_>) -> Outcome {
    const OLD: usize = 4;
    let operations = [
        ("AND", Operation::And),
        ("OR", Operation::Or),
        ("XOR", Operation::Xor),
        ("NOT", Operation::Not),
        // Since Redis 8.2.
        ("DIFF", Operation::Diff),
        ("DIFF1", Operation::Diff1),
        ("ANDOR", Operation::AndOr),
        ("ONE", Operation::One),
    ];
    let known = if ctx.state.config.compat < Version::Redis8_2 { OLD } else { operations.len() };
    let operation = operations.into_iter().take(known).find(|(name, _)| is_option(&ctx.args[1], name));
    let (name, operation) = operation.ok_or(Error::SYNTAX)?;
    let (destination, keys) = (&ctx.args[2], ctx.args.from(3));
    if operation == Operation::Not && keys.len() != 1 {
        return Err(Error::new("ERR BITOP NOT must be called with a single source key."));
    }
    let is_of_two = matches!(operation, Operation::Diff | Operation::Diff1 | Operation::AndOr);
    if is_of_two && keys.len() < 2 {
        return Err(Error::new(format!("ERR BITOP {name} must be called with at least two source keys.")));
    }
    let strings = ctx.state.get_all::<ByteString>(keys.iter())?;
    let views: Vec<_> = strings.into_iter().map(|string| string.map(ByteString::bytes)).collect();
    let bytes: Vec<&[u8]> = views.iter().map(|view| view.as_deref().unwrap_or_default()).collect();
    let result = bits::join(operation, &bytes);
    let len = result.len();
    ctx.state.put_result(destination, Value::String(ByteString::raw(result)), 1, Class::STRING, "set");
    ctx.reply.count(len);
    Ok(())
}

/// A part of BITFIELD.
struct Part {
    field: Field,
    at: u64,
    action: Action,
}

#[derive(Clone, Copy)]
enum Action {
    Get,
    Set(i64, Overflow),
    Increment(i64, Overflow),
}

/// The type of a field: `u8`, `i64`.
fn field(text: &[u8]) -> Result<Field, Error> {
    const INVALID: &str =
        "ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.";
    let (signed, most, digits) = match text {
        [b'i', digits @ ..] => (true, 64, digits),
        [b'u', digits @ ..] => (false, 63, digits),
        _ => return Err(Error::new(INVALID)),
    };
    let digits = up_to_nul(digits);
    let bits = parse_integer(digits).and_then(|bits| u32::try_from(bits).ok());
    let bits = bits.filter(|bits| (1..=most).contains(bits)).ok_or(Error::new(INVALID))?;
    Ok(Field { signed, bits })
}

/// The offset of a field: in bits, or `#` and the number of fields of its type before it.
fn field_offset(ctx: &Context<'_>, text: &[u8], field: Field) -> Result<u64, Error> {
    match text {
        [b'#', number @ ..] => {
            // The product wraps around, as in redis-server.
            let offset = parse_integer(number).filter(|number| *number >= 0);
            checked_offset(ctx, offset.map(|number| number.wrapping_mul(field.bits.into())))
        }
        _ => bit_offset(ctx, text),
    }
}

fn parts(ctx: &Context<'_>) -> Result<Vec<Part>, Error> {
    let mut parts = Vec::new();
    let mut overflow = Overflow::default();
    let mut args = ctx.args.from(2);
    while let Some(name) = args.get(0) {
        let count = if is_option(name, "GET") && args.len() >= 3 {
            3
        } else if (is_option(name, "SET") || is_option(name, "INCRBY")) && args.len() >= 4 {
            4
        } else if is_option(name, "OVERFLOW") && args.len() >= 2 {
            let rules = [("WRAP", Overflow::Wrap), ("SAT", Overflow::Saturate), ("FAIL", Overflow::Fail)];
            let rule = rules.into_iter().find(|(name, _)| is_option(&args[1], name));
            overflow = rule.ok_or(Error::new("ERR Invalid OVERFLOW type specified"))?.1;
            args = args.from(2);
            continue;
        } else {
            return Err(Error::SYNTAX);
        };
        let field = field(&args[1])?;
        let at = field_offset(ctx, &args[2], field)?;
        let action = match (count, is_option(name, "SET")) {
            (3, _) => Action::Get,
            (_, true) => Action::Set(integer(&args[3])?, overflow),
            (_, false) => Action::Increment(integer(&args[3])?, overflow),
        };
        parts.push(Part { field, at, action });
        args = args.from(count);
    }
    Ok(parts)
}

/// `BITFIELD key [GET type offset] [OVERFLOW WRAP|SAT|FAIL] [SET type offset value] [INCRBY type offset increment] ...`.
///
/// # Errors
///
/// An invalid operation, type, offset or value, or the key holds another type.
pub fn bitfield(ctx: &mut Context<'_>) -> Outcome {
    let parts = parts(ctx)?;
    if parts.iter().all(|part| matches!(part.action, Action::Get)) {
        get_fields(ctx, &parts)
    } else {
        change_fields(ctx, &parts)
    }
}

/// `BITFIELD_RO key [GET type offset ...]`.
///
/// # Errors
///
/// As [`bitfield`], or another operation than GET.
pub fn bitfield_ro(ctx: &mut Context<'_>) -> Outcome {
    let parts = parts(ctx)?;
    if parts.iter().any(|part| !matches!(part.action, Action::Get)) {
        return Err(Error::new("ERR BITFIELD_RO only supports the GET subcommand"));
    }
    get_fields(ctx, &parts)
}

fn get_fields(ctx: &mut Context<'_>, parts: &[Part]) -> Outcome {
    let bytes = read(ctx.state, &ctx.args[1])?;
    let bytes = bytes.as_deref().unwrap_or_default();
    ctx.reply.array(parts.len());
    for part in parts {
        ctx.reply.integer(part.field.get(bytes, part.at));
    }
    Ok(())
}

fn change_fields(ctx: &mut Context<'_>, parts: &[Part]) -> Outcome {
    let key = &ctx.args[1];
    let written = parts.iter().filter(|part| !matches!(part.action, Action::Get));
    let len =
        written.map(|part| bytes_for(part.at + u64::from(part.field.bits) - 1)).max().unwrap_or_default();
    let before = ctx.state.get_mut::<ByteString>(key)?.map(|string| string.len());
    let grown = before.is_none_or(|before| before < len);
    let mut changes = 0;
    let answers: Vec<Option<i64>> = edit(ctx.state, key, len, |bytes| {
        let mut answer = |part: &Part| {
            let old = part.field.get(bytes, part.at);
            let (new, answers_new) = match part.action {
                Action::Get => return Some(old),
                Action::Set(value, overflow) => (part.field.sum(value, 0, overflow)?, false),
                Action::Increment(by, overflow) => (part.field.sum(old, by, overflow)?, true),
            };
            part.field.set(bytes, part.at, new);
            // If the command makes the string longer, every write counts as a change.
            changes += usize::from(grown || old != new);
            Some(if answers_new { new } else { old })
        };
        parts.iter().map(&mut answer).collect()
    })?;
    ctx.reply.array(answers.len());
    for answer in answers {
        match answer {
            Some(answer) => ctx.reply.integer(answer),
            None => ctx.reply.null(),
        }
    }
    if changes > 0 {
        ctx.state.modified_by(changes, Class::STRING, "setbit", key);
    }
    Ok(())
}
