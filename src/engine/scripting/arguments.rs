//! The arguments of a function that Lua calls, checked as Lua's own library checks them.

use mlua::{Lua, MultiValue, Table, Value};

use super::errors;
use super::replies::truncated;

/// Arguments, counted from 1 as Lua counts them.
pub(super) struct Arguments<'a> {
    lua: &'a Lua,
    values: MultiValue,
}

impl<'a> Arguments<'a> {
    pub fn new(lua: &'a Lua, values: MultiValue) -> Self {
        Self { lua, values }
    }

    pub fn len(&self) -> usize {
        self.values.len()
    }

    pub fn get(&self, index: usize) -> Option<&Value> {
        self.values.get(index.checked_sub(1)?)
    }

    /// The argument, or nil if there are fewer.
    pub fn value(&self, index: usize) -> Value {
        self.get(index).cloned().unwrap_or(Value::Nil)
    }

    pub fn into_values(self) -> MultiValue {
        self.values
    }

    /// An argument that may be nil, but must be given.
    pub fn any(&self, index: usize) -> mlua::Result<Value> {
        self.get(index).cloned().ok_or_else(|| errors::argument(self.lua, index, "value expected"))
    }

    pub fn table(&self, index: usize) -> mlua::Result<Table> {
        match self.get(index) {
            Some(Value::Table(table)) => Ok(table.clone()),
            other => Err(errors::wrong_type(self.lua, index, "table", other)),
        }
    }

    /// A number, or a string that reads as one.
    pub fn number(&self, index: usize) -> mlua::Result<f64> {
        let got = self.get(index);
        let number = match got {
            Some(value @ (Value::Integer(_) | Value::Number(_) | Value::String(_))) => {
                self.lua.coerce_number(value.clone())?
            }
            _ => None,
        };
        number.ok_or_else(|| errors::wrong_type(self.lua, index, "number", got))
    }

    /// A number as an integer, as a C compiler converts it.
    pub fn integer(&self, index: usize) -> mlua::Result<i64> {
        self.number(index).map(truncated)
    }

    /// The same, or a default if there is none or nil.
    pub fn integer_or(&self, index: usize, default: i64) -> mlua::Result<i64> {
        match self.get(index) {
            None | Some(Value::Nil) => Ok(default),
            Some(_) => self.integer(index),
        }
    }

    /// The same for an integer of 32 bits; the upper bits are lost.
    #[allow(clippy::cast_possible_truncation)]
    pub fn int(&self, index: usize) -> mlua::Result<i32> {
        self.integer(index).map(|integer| integer as i32)
    }

    /// The same, or a default if there is none or nil.
    pub fn int_or(&self, index: usize, default: i32) -> mlua::Result<i32> {
        match self.get(index) {
            None | Some(Value::Nil) => Ok(default),
            Some(_) => self.int(index),
        }
    }

    /// A string, or a number as text.
    pub fn text(&self, index: usize) -> mlua::Result<Vec<u8>> {
        let got = self.get(index);
        let text = match got {
            Some(Value::String(text)) => return Ok(text.as_bytes().to_vec()),
            Some(value @ (Value::Integer(_) | Value::Number(_))) => self.lua.coerce_string(value.clone())?,
            _ => None,
        };
        let text = text.ok_or_else(|| errors::wrong_type(self.lua, index, "string", got))?;
        Ok(text.as_bytes().to_vec())
    }

    /// The error for an argument that does not fit.
    pub fn wrong(&self, index: usize, text: impl AsRef<[u8]>) -> mlua::Error {
        errors::argument(self.lua, index, text)
    }
}
