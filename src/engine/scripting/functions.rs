//! Functions: libraries that are loaded once and called by name.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use mlua::{Function, Lua, Table, Value};

use super::arguments::Arguments;
use super::errors::refusal;
use super::flags::{ScriptFlags, words};
use super::running::{Kept, KeptFunctions};
use super::work;
use crate::spec::Error;

const NAMES: &str = "Library names can only contain letters, numbers, or underscores(_) and must be at \
                     least one character long";

/// A function of a library.
#[derive(Debug)]
pub(super) struct Registered {
    pub name: Vec<u8>,
    pub function: Kept,
    pub flags: ScriptFlags,
    pub description: Option<Vec<u8>>,
}

/// A library.
#[derive(Clone, Debug)]
pub(super) struct Library {
    pub name: Vec<u8>,
    pub text: Vec<u8>,
    pub functions: Vec<Arc<Registered>>,
}

/// All libraries, in the order in which they were loaded.
#[derive(Clone, Debug, Default)]
pub(super) struct Libraries {
    all: Vec<Library>,
    /// The library of a function and its index there, by its name in lower case.
    by_name: HashMap<Vec<u8>, (usize, usize), foldhash::fast::RandomState>,
}

impl Libraries {
    pub fn iter(&self) -> impl Iterator<Item = &Library> {
        self.all.iter()
    }

    /// The number of libraries, and of functions.
    pub fn count(&self) -> (usize, usize) {
        (self.all.len(), self.by_name.len())
    }

    pub fn contains(&self, library: &[u8]) -> bool {
        self.all.iter().any(|known| known.name == library)
    }

    /// The function of this name, in either case.
    pub fn function(&self, name: &[u8]) -> Option<&Arc<Registered>> {
        let (library, at) = match self.by_name.get(name) {
            Some(found) => found,
            None => self.by_name.get(&name.to_ascii_lowercase())?,
        };
        self.all.get(*library)?.functions.get(*at)
    }

    /// Adds a library, which replaces one of the same name.
    pub fn add(&mut self, library: Library) -> Result<(), Error> {
        let others = self.all.iter().filter(|known| known.name != library.name);
        for known in others.flat_map(|known| &known.functions) {
            if let Some(twice) =
                library.functions.iter().find(|new| new.name.eq_ignore_ascii_case(&known.name))
            {
                return Err(Error::quoting("ERR Function ", &twice.name, " already exists"));
            }
        }
        self.all.retain(|known| known.name != library.name);
        self.all.push(library);
        self.index();
        Ok(())
    }

    /// Removes a library; false if it does not exist.
    pub fn remove(&mut self, name: &[u8]) -> bool {
        let before = self.all.len();
        self.all.retain(|known| known.name != name);
        self.index();
        self.all.len() < before
    }

    fn index(&mut self) {
        self.by_name.clear();
        for (library, known) in self.all.iter().enumerate() {
            for (at, function) in known.functions.iter().enumerate() {
                self.by_name.insert(function.name.to_ascii_lowercase(), (library, at));
            }
        }
    }
}

/// The name of a library and its text after the first line, whose end stays, so that lines keep their numbers.
pub(super) fn name_and_body(text: &[u8]) -> Result<(Vec<u8>, &[u8]), Error> {
    let error = |text: &str| Error::new(format!("ERR {text}"));
    if !text.starts_with(b"#!") {
        return Err(error("Missing library metadata"));
    }
    let end = text.iter().position(|byte| *byte == b'\n').ok_or_else(|| error("Invalid library metadata"))?;
    let (line, body) = text.split_at(end);
    let mut words = words(line).ok_or_else(|| error("Invalid library metadata"))?.into_iter();
    let engine = words.next().unwrap_or_default();
    let engine = engine.get(2..).unwrap_or_default().to_vec();
    let mut name = None;
    for word in words {
        let Some(given) = word.strip_prefix(b"name=") else {
            return Err(Error::quoting("ERR Invalid metadata value given: ", &word, ""));
        };
        if name.replace(given.to_vec()).is_some() {
            return Err(error("Invalid metadata value, name argument was given multiple times"));
        }
    }
    let name = name.ok_or_else(|| error("Library name was not given"))?;
    if !is_name(&name) {
        return Err(error(NAMES));
    }
    if !engine.eq_ignore_ascii_case(b"lua") {
        return Err(Error::quoting("ERR Engine '", &engine, "' not found"));
    }
    Ok((name, body))
}

fn is_name(name: &[u8]) -> bool {
    !name.is_empty() && name.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
}

/// The functions that a library registers while it is loaded.
#[derive(Default)]
pub(super) struct Registering {
    pub functions: Vec<Arc<Registered>>,
    /// Their names in lower case.
    names: HashSet<Vec<u8>, foldhash::fast::RandomState>,
}

impl Registering {
    /// A call of `redis.register_function`.
    pub fn register(&mut self, lua: &Lua, args: &Arguments<'_>, kept: &KeptFunctions) -> mlua::Result<()> {
        /// The cost of a registration, in instructions, of the half second that a library has in total.
        const WORK: usize = 500;
        work::count(lua, WORK)?;
        let Named { name, function, flags, description } = named(lua, args)?;
        if !self.names.insert(name.to_ascii_lowercase()) {
            return Err(refusal("Function already exists in the library"));
        }
        let function = kept.keep(&function)?;
        self.functions.push(Arc::new(Registered { name, function, flags, description }));
        Ok(())
    }
}

/// The arguments of `redis.register_function`.
struct Named {
    name: Vec<u8>,
    function: Function,
    flags: ScriptFlags,
    description: Option<Vec<u8>>,
}

fn named(lua: &Lua, args: &Arguments<'_>) -> mlua::Result<Named> {
    let named = match args.len() {
        1 => match args.get(1) {
            Some(Value::Table(table)) => named_in_table(lua, table)?,
            _ => {
                return Err(refusal(
                    "calling redis.register_function with a single argument is only applicable to Lua table \
                     (representing named arguments).",
                ));
            }
        },
        2 => {
            let name = args
                .text(1)
                .map_err(|_| refusal("first argument to redis.register_function must be a string"))?;
            let Some(Value::Function(function)) = args.get(2) else {
                return Err(refusal("second argument to redis.register_function must be a function"));
            };
            Named { name, function: function.clone(), flags: ScriptFlags::default(), description: None }
        }
        _ => return Err(refusal("wrong number of arguments to redis.register_function")),
    };
    if is_name(&named.name) { Ok(named) } else { Err(refusal(NAMES)) }
}

/// The same with the arguments in a table, by their names.
fn named_in_table(lua: &Lua, table: &Table) -> mlua::Result<Named> {
    let (mut name, mut description, mut function, mut flags) = (None, None, None, ScriptFlags::default());
    for pair in table.pairs::<Value, Value>() {
        let (key, value) = pair?;
        let Some(key) = text_of(lua, &key)? else {
            return Err(refusal("named argument key given to redis.register_function is not a string"));
        };
        let is_no = |kind: &str, what: &str| {
            refusal(&format!("{what} argument given to redis.register_function must be a {kind}"))
        };
        match &*key.to_ascii_lowercase() {
            b"function_name" => {
                name = Some(text_of(lua, &value)?.ok_or_else(|| is_no("string", "function_name"))?);
            }
            b"description" => {
                description = Some(text_of(lua, &value)?.ok_or_else(|| is_no("string", "description"))?);
            }
            b"callback" => match value {
                Value::Function(given) => function = Some(given),
                _ => return Err(is_no("function", "callback")),
            },
            b"flags" => {
                let Value::Table(given) = value else {
                    return Err(refusal(
                        "flags argument to redis.register_function must be a table representing function flags",
                    ));
                };
                for flag in given.sequence_values::<Value>() {
                    let known = matches!(flag?, Value::String(flag) if flags.set(&flag.as_bytes()));
                    if !known {
                        return Err(refusal("unknown flag given"));
                    }
                }
            }
            _ => return Err(refusal("unknown argument given to redis.register_function")),
        }
    }
    let name = name.ok_or_else(|| refusal("redis.register_function must get a function name argument"))?;
    let function = function.ok_or_else(|| refusal("redis.register_function must get a callback argument"))?;
    Ok(Named { name, function, flags, description })
}

/// A string, or a number as text.
fn text_of(lua: &Lua, value: &Value) -> mlua::Result<Option<Vec<u8>>> {
    Ok(match value {
        Value::String(_) | Value::Integer(_) | Value::Number(_) => {
            lua.coerce_string(value.clone())?.map(|text| text.as_bytes().to_vec())
        }
        _ => None,
    })
}
