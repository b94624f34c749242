//! `redis.call` and `redis.pcall`.

use std::sync::Arc;

use mlua::{Function, Lua, MultiValue, Value};

use super::errors::{self, Thrown, reply_table};
use super::host::{Host, Inside, Request, Slot};
use super::{memory, replies};
use crate::config::Version;
use crate::resp::{Args, Span, print_double, print_double_in_full};

const NOT_TEXT: &str = "Lua redis lib command arguments must be strings or integers";
const NO_ARGUMENT: &str = "Please specify at least one argument for this redis lib call";

/// The capacity that the buffers keep after a long request or reply.
const KEPT: usize = 16 * 1024;

/// Makes one of the two functions.
pub(super) fn function<H: Host>(lua: &Lua, slot: &Arc<Slot<H>>, raises: bool) -> mlua::Result<Function> {
    let slot = Arc::clone(slot);
    lua.create_function(move |lua, values: MultiValue| call(lua, &slot, &values, raises))
}

impl Request {
    pub fn args(&self) -> Args<'_> {
        Args::new(&self.bytes, &self.spans)
    }

    /// Takes the arguments of a call.
    pub fn fill(&mut self, values: &MultiValue, version: Version) -> Result<(), &'static str> {
        self.bytes.clear();
        self.spans.clear();
        let exact = if version < Version::Redis7_4 { EXACT_IN_7_0 } else { EXACT };
        for value in values {
            let start = self.bytes.len();
            match value {
                Value::String(text) => self.bytes.extend_from_slice(&text.as_bytes()),
                Value::Integer(integer) if integer.unsigned_abs() <= exact => {
                    self.bytes.extend_from_slice(itoa::Buffer::new().format(*integer).as_bytes());
                }
                // Numbers of Lua are doubles.
                #[allow(clippy::cast_precision_loss)]
                Value::Integer(integer) => print_number(&mut self.bytes, *integer as f64, version),
                Value::Number(number) => print_number(&mut self.bytes, *number, version),
                _ => return Err(NOT_TEXT),
            }
            self.spans.push(Span { start, end: self.bytes.len() });
        }
        if self.spans.is_empty() { Err(NO_ARGUMENT) } else { Ok(()) }
    }

    fn shrink(&mut self) {
        self.bytes.clear();
        self.reply.clear();
        self.bytes.shrink_to(KEPT);
        self.reply.shrink_to(KEPT);
    }
}

/// Whole numbers up to this are printed as integers.
const EXACT: u64 = 1 << 62;
/// The same before Redis 7.2, where numbers are printed with `%.17g`.
const EXACT_IN_7_0: u64 = 100_000_000_000_000_000 - 1;

/// Prints a number as the argument of a command.
fn print_number(out: &mut Vec<u8>, number: f64, version: Version) {
    // NaN has a sign in every version.
    if version < Version::Redis7_4 || number.is_nan() {
        print_double_in_full(out, number);
    } else {
        // Zero has no sign.
        print_double(out, number + 0.0);
    }
}

/// Runs a command, and returns or raises its reply.
fn call<H: Host>(lua: &Lua, slot: &Slot<H>, values: &MultiValue, raises: bool) -> mlua::Result<Value> {
    let mut inside = slot.lock();
    let Inside { host, run, request, .. } = &mut *inside;
    let version = host.version();
    if let Err(text) = request.fill(values, version) {
        return fail(lua, errors::with_code(text.as_bytes()), false, raises);
    }
    let mut reply = std::mem::take(&mut request.reply);
    reply.clear();
    let refused = host.call(request.args(), run, &mut reply);
    if let Err(error) = refused {
        request.reply = reply;
        return fail(lua, error.text().to_vec(), true, raises);
    }
    if request.args().bytes() > KEPT {
        request.shrink();
    }
    drop(inside);
    if let Some(text) = replies::error_of(&reply) {
        return fail(lua, text.to_vec(), true, raises);
    }
    let value = memory::with_room(lua, reply.len(), || replies::to_lua(lua, &reply));
    let mut inside = slot.lock();
    inside.request.reply = reply;
    if inside.request.reply.len() > KEPT {
        inside.request.shrink();
    }
    value
}

fn fail(lua: &Lua, text: Vec<u8>, counted: bool, raises: bool) -> mlua::Result<Value> {
    if raises {
        return Err(Thrown::Reply { text, counted }.into());
    }
    reply_table(lua, &text, counted).map(Value::Table)
}
