//! The types of values.

use crate::config::Version;
use crate::data::{ByteString, Hash, List, Set, SortedSet, Stream};

/// What a key holds.
#[derive(Debug, Clone)]
pub enum Value {
    /// A string.
    String(ByteString),
    /// A list.
    List(Box<List>),
    /// A set.
    Set(Box<Set>),
    /// A hash.
    Hash(Box<Hash>),
    /// A sorted set.
    SortedSet(Box<SortedSet>),
    /// A stream.
    Stream(Box<Stream>),
}

/// The type of a value, as TYPE names it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
pub enum Type {
    String,
    List,
    Set,
    Hash,
    SortedSet,
    Stream,
}

impl Type {
    /// The name that TYPE replies with.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::List => "list",
            Self::Set => "set",
            Self::Hash => "hash",
            Self::SortedSet => "zset",
            Self::Stream => "stream",
        }
    }
}

impl Value {
    /// The name of the encoding in which this version of redis-server would keep it, as OBJECT ENCODING gives it.
    #[must_use]
    pub fn encoding(&self, version: Version) -> &'static str {
        match self {
            Self::List(_) if version < Version::Redis7_4 => "quicklist",
            Self::String(string) => string.encoding(),
            Self::List(list) => list.encoding(),
            Self::Set(set) => set.encoding(),
            Self::Hash(hash) => hash.encoding(),
            Self::SortedSet(set) => set.encoding(),
            Self::Stream(_) => "stream",
        }
    }

    /// How many elements, members, fields or entries it holds, of a string how many bytes.
    #[must_use]
    #[allow(clippy::len_without_is_empty)] // Only a string or a stream can be empty.
    pub fn len(&self) -> usize {
        match self {
            Self::String(string) => string.len(),
            Self::List(list) => list.len(),
            Self::Set(set) => set.len(),
            Self::Hash(hash) => hash.len(),
            Self::SortedSet(set) => set.len(),
            Self::Stream(stream) => stream.len(),
        }
    }

    /// Its type.
    #[must_use]
    pub fn kind(&self) -> Type {
        match self {
            Self::String(_) => Type::String,
            Self::List(_) => Type::List,
            Self::Set(_) => Type::Set,
            Self::Hash(_) => Type::Hash,
            Self::SortedSet(_) => Type::SortedSet,
            Self::Stream(_) => Type::Stream,
        }
    }
}

/// The key holds a value of another type than the command works on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WrongType;

/// A type that a [`Value`] can hold, so that a lookup can ask for it.
pub trait Typed: Sized {
    /// The value, if it is of this type.
    fn of(value: &Value) -> Option<&Self>;
    /// The value to change, if it is of this type.
    fn of_mut(value: &mut Value) -> Option<&mut Self>;
    /// Wrapped as a value.
    fn into_value(self) -> Value;
}

macro_rules! boxed {
    ($type:ident) => {
        impl Typed for $type {
            fn of(value: &Value) -> Option<&Self> {
                match value {
                    Value::$type(inner) => Some(inner),
                    _ => None,
                }
            }
            fn of_mut(value: &mut Value) -> Option<&mut Self> {
                match value {
                    Value::$type(inner) => Some(inner),
                    _ => None,
                }
            }
            fn into_value(self) -> Value {
                Value::$type(Box::new(self))
            }
        }
    };
}

boxed!(List);
boxed!(Set);
boxed!(Hash);
boxed!(SortedSet);
boxed!(Stream);

impl Typed for ByteString {
    fn of(value: &Value) -> Option<&Self> {
        match value {
            Value::String(string) => Some(string),
            _ => None,
        }
    }
    fn of_mut(value: &mut Value) -> Option<&mut Self> {
        match value {
            Value::String(string) => Some(string),
            _ => None,
        }
    }
    fn into_value(self) -> Value {
        Value::String(self)
    }
}
