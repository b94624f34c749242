//! The errors that scripts throw.
//!
//! mlua shows an error of a Rust function to Lua as a userdata. Scripts must not see it: the functions that catch
//! errors for scripts turn it into the string or the table that redis-server throws, see [`Thrown::value`].

use std::fmt;

use mlua::{Lua, Value};

use crate::resp::up_to_nul;

/// The source name of Lua code that is minibroker's own and not the script's: messages must not show it.
pub(super) const OWN_SOURCE: &str = "=[minibroker]";
/// How messages thrown in such code begin.
const OWN_PLACE: &[u8] = b"[minibroker]:1: ";

/// A source and a line.
pub(in crate::engine) type Place = (String, i64);

/// An error thrown by one of our functions.
#[derive(Clone, Debug)]
pub(super) enum Thrown {
    /// A string.
    Text(Vec<u8>),
    /// A table whose field `err` is this text. If `counted`, the statistics have counted it already.
    Reply { text: Vec<u8>, counted: bool },
    /// A value that the script itself has thrown, on its way through one of our functions.
    Value(Value),
    /// The script ends, even if it catches errors.
    Killed(Vec<u8>),
}

impl fmt::Display for Thrown {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Text(text) | Self::Reply { text, .. } | Self::Killed(text)) = self else {
            return formatter.write_str("a value");
        };
        formatter.write_str(&String::from_utf8_lossy(text))
    }
}

impl std::error::Error for Thrown {}

impl From<Thrown> for mlua::Error {
    fn from(thrown: Thrown) -> Self {
        Self::external(thrown)
    }
}

impl Thrown {
    /// What was thrown, extracted from the interpreter's error.
    pub fn of(error: &mlua::Error) -> Self {
        match error {
            mlua::Error::CallbackError { cause, .. } => Self::of(cause),
            mlua::Error::ExternalError(external) => match external.downcast_ref::<Self>() {
                Some(thrown) => thrown.clone(),
                None => Self::Text(external.to_string().into_bytes()),
            },
            mlua::Error::MemoryError(_) => Self::Text(b"not enough memory".to_vec()),
            mlua::Error::StackError => Self::Text(b"stack overflow".to_vec()),
            // Thrown by Lua itself, followed by a traceback.
            mlua::Error::RuntimeError(text) => {
                let text = text.split("\nstack traceback:").next().unwrap_or(text);
                Self::Text(text.as_bytes().to_vec())
            }
            other => Self::Text(other.to_string().into_bytes()),
        }
    }

    /// The value that a script sees.
    pub fn value(&self, lua: &Lua) -> mlua::Result<Value> {
        match self {
            Self::Text(text) => Ok(Value::String(lua.create_string(text)?)),
            Self::Reply { text, counted } => reply_table(lua, text, *counted).map(Value::Table),
            Self::Value(value) => Ok(value.clone()),
            Self::Killed(text) => reply_table(lua, text, false).map(Value::Table),
        }
    }
}

/// The table that stands for an error reply.
pub(super) fn reply_table(lua: &Lua, text: &[u8], counted: bool) -> mlua::Result<mlua::Table> {
    let table = lua.create_table()?;
    table.raw_set("err", lua.create_string(text)?)?;
    if counted {
        table.raw_set("ignore_error_stats_update", true)?;
    }
    Ok(table)
}

/// Turns the userdata of an error of ours into the value that scripts see. All other values stay as they are.
pub(super) fn visible(lua: &Lua, value: Value) -> mlua::Result<Value> {
    let value = match value {
        Value::Error(error) => Thrown::of(&error).value(lua)?,
        other => other,
    };
    let rest = match &value {
        Value::String(text) => text.as_bytes().strip_prefix(OWN_PLACE).map(<[u8]>::to_vec),
        _ => None,
    };
    rest.map_or(Ok(value), |rest| lua.create_string(rest).map(Value::String))
}

/// The place where an error was thrown that one of our functions has passed on, as `gsub` does with an error of a
/// function that it calls: mlua has recorded the stack of that place.
pub(super) fn passed_on_at(error: &mlua::Error) -> Option<Place> {
    let mlua::Error::CallbackError { cause, .. } = error else { return None };
    let (mut stack, mut first) = (None, cause);
    while let mlua::Error::CallbackError { traceback, cause } = &**first {
        (stack, first) = (Some(traceback.as_str()), cause);
    }
    if let mlua::Error::RuntimeError(text) = &**first {
        stack = text.split_once('\n').map(|(_, stack)| stack).or(stack);
    }
    let stack = stack?;
    let frames = stack.lines().map(str::trim_start).skip_while(|line| *line != "stack traceback:").skip(1);
    let mut frames = frames.filter(|frame| !frame.starts_with(OWN_SOURCE.trim_start_matches('=')));
    let mut frame = frames.next()?;
    if frame.starts_with("[C]:") {
        frame = frames.next()?;
    }
    if frame.starts_with("[C]:") {
        return Some(("=[C]".to_owned(), -1));
    }
    let (source, line) = frame.split_once(": in ")?.0.rsplit_once(':')?;
    let is_text = source.starts_with("[string");
    (!is_text).then_some((format!("@{source}"), line.parse().ok()?))
}

/// The error that ends the script, if this value is it.
pub(super) fn kill(value: &Value) -> Option<Thrown> {
    let Value::Error(error) = value else { return None };
    Some(Thrown::of(error)).filter(|thrown| matches!(thrown, Thrown::Killed(_)))
}

/// A text as an error reply, as `luaPushError` makes it: with the code that follows a leading `-`, and else `ERR`. The
/// text ends at a NUL, and has no line breaks around it.
pub(super) fn with_code(text: &[u8]) -> Vec<u8> {
    let text = up_to_nul(text);
    let (code, text) = match text.strip_prefix(b"-") {
        Some(text) => match text.iter().position(|byte| *byte == b' ') {
            Some(end) => (&text[..end], &text[end + 1..]),
            None => (&b"ERR"[..], text),
        },
        None => (&b"ERR"[..], text),
    };
    let is_break = |byte: &u8| matches!(byte, b'\r' | b'\n');
    let start = text.iter().position(|byte| !is_break(byte)).unwrap_or(text.len());
    let end = text.iter().rposition(|byte| !is_break(byte)).map_or(start, |last| last + 1);
    [code, b" ", &text[start..end]].concat()
}

/// An error table with the code ERR, as the functions of `redis` throw it.
pub(super) fn refusal(text: &str) -> mlua::Error {
    Thrown::Reply { text: with_code(text.as_bytes()), counted: false }.into()
}

/// The place of the function at this level: `user_script:1: `, or nothing if there is no line. Lua code of minibroker
/// does not count as a level.
pub(super) fn place_above(lua: &Lua, level: i32) -> Vec<u8> {
    let mut left = level;
    for at in 1.. {
        let place = lua.inspect_stack(at, |frame| {
            let source = frame.source();
            if source.source.as_deref() == Some(OWN_SOURCE) {
                return None;
            }
            let line = frame.current_line();
            Some(line.map(|line| format!("{}:{line}: ", source.short_src.as_deref().unwrap_or("?"))))
        });
        match place {
            None => break,
            Some(None) => {}
            Some(Some(_)) if left > 1 => left -= 1,
            Some(Some(place)) => return place.unwrap_or_default().into_bytes(),
        }
    }
    Vec::new()
}

/// An error of a library, after the place of the call, as `luaL_error` throws it.
pub(super) fn library(lua: &Lua, text: impl AsRef<[u8]>) -> mlua::Error {
    let mut whole = place_above(lua, 1);
    whole.extend_from_slice(text.as_ref());
    Thrown::Text(whole).into()
}

/// The error for an argument that a function does not take, as `luaL_argerror` throws it. Arguments are counted from 1.
pub(super) fn argument(lua: &Lua, index: usize, text: impl AsRef<[u8]>) -> mlua::Error {
    let text = text.as_ref();
    // If our Lua code wraps the function, the error shows the name that the script has for the wrapper.
    let is_own = |frame: &mlua::debug::Debug<'_>| frame.source().source.as_deref() == Some(OWN_SOURCE);
    let level = usize::from(lua.inspect_stack(1, is_own).unwrap_or(false));
    let names = lua.inspect_stack(level, |frame| {
        let names = frame.names();
        (names.name.map(std::borrow::Cow::into_owned), names.name_what == Some("method"))
    });
    let (name, is_method) = names.unwrap_or_default();
    let name = name.unwrap_or_else(|| "?".to_owned());
    let index = if is_method { index.saturating_sub(1) } else { index };
    let start = if is_method && index == 0 {
        format!("calling '{name}' on bad self (")
    } else {
        format!("bad argument #{index} to '{name}' (")
    };
    library(lua, [start.as_bytes(), text, b")"].concat())
}

/// The error for an argument of a wrong type, as `luaL_typerror` throws it; `None` is a missing argument.
pub(super) fn wrong_type(lua: &Lua, index: usize, wanted: &str, got: Option<&Value>) -> mlua::Error {
    argument(lua, index, format!("{wanted} expected, got {}", type_name(got)))
}

/// The name of a type, as `luaL_typename` gives it.
pub(super) fn type_name(value: Option<&Value>) -> &'static str {
    match value {
        None => "no value",
        Some(Value::Integer(_) | Value::Number(_)) => "number",
        Some(Value::LightUserData(_) | Value::UserData(_) | Value::Error(_)) => "userdata",
        Some(value) => value.type_name(),
    }
}
