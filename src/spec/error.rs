//! The errors that commands return, in redis-server's words.

use std::borrow::Cow;

use crate::data::WrongType;
use crate::resp::up_to_nul;

/// An error reply without the leading `-`: a code and a text. Bytes, because some errors repeat what the client
/// has sent.
///
/// It fits into two registers, so that the result of a command does not use the stack: that is 2 % of a GET.
#[derive(Clone, Debug)]
pub struct Error(Text);

#[derive(Clone, Debug)]
enum Text {
    Constant(&'static &'static str),
    Made(Box<Cow<'static, [u8]>>),
}

impl Error {
    /// The key has another type.
    pub const WRONG_TYPE: Self =
        Self::constant(&"WRONGTYPE Operation against a key holding the wrong kind of value");
    /// The arguments do not fit together.
    pub const SYNTAX: Self = Self::constant(&"ERR syntax error");
    /// Not an integer of 64 bits.
    pub const NOT_INTEGER: Self = Self::constant(&"ERR value is not an integer or out of range");
    /// Not a number.
    pub const NOT_FLOAT: Self = Self::constant(&"ERR value is not a valid float");
    /// A number that must not be negative, or is too great.
    pub const OUT_OF_RANGE: Self = Self::constant(&"ERR value is out of range, must be positive");
    /// COPY or MOVE of a key to itself.
    pub const SAME_OBJECT: Self = Self::constant(&"ERR source and destination objects are the same");
    /// LSET or RENAME without the key.
    pub const NO_SUCH_KEY: Self = Self::constant(&"ERR no such key");
    /// The client of a command does not exist, which never happens.
    pub const NO_SUCH_CLIENT: Self = Self::constant(&"ERR no such client");
    /// A name that CLIENT LIST could not show as one field.
    pub const CLIENT_NAME: Self =
        Self::constant(&"ERR Client names cannot contain spaces, newlines or special characters.");
    /// An index outside of a list.
    pub const INDEX_OUT_OF_RANGE: Self = Self::constant(&"ERR index out of range");

    /// SCAN with an invalid cursor.
    pub const INVALID_CURSOR: Self = Self::constant(&"ERR invalid cursor");

    /// SRANDMEMBER and similar commands with too large a count.
    pub const RANDOM_COUNT: Self = Self::constant(&"ERR value is out of range");

    /// An invalid number of fields.
    pub const NUMBER_OF_FIELDS: Self = Self::constant(&"ERR Number of fields must be a positive integer");
    /// The same for HEXPIRE and similar commands.
    pub const FIELDS_TO_EXPIRE: Self = Self::constant(&"ERR Parameter `numFields` should be greater than 0");

    pub(crate) const fn constant(text: &'static &'static str) -> Self {
        Self(Text::Constant(text))
    }

    fn made(text: impl Into<Cow<'static, [u8]>>) -> Self {
        Self(Text::Made(Box::new(text.into())))
    }

    /// An error of this text, which begins with its code.
    #[must_use]
    pub fn new(text: impl Into<Cow<'static, str>>) -> Self {
        match text.into() {
            Cow::Borrowed(text) => Self::made(text.as_bytes()),
            Cow::Owned(text) => Self::made(text.into_bytes()),
        }
    }

    /// An error of these bytes, for texts that repeat what the client has sent.
    #[must_use]
    pub fn from_bytes(text: Vec<u8>) -> Self {
        Self::made(text)
    }

    /// Too few or too many arguments for a command, given by its full name.
    #[must_use]
    pub fn arity(full_name: &str) -> Self {
        Self::new(format!("ERR wrong number of arguments for '{full_name}' command"))
    }

    /// A text that repeats what the client has sent, up to a NUL, where redis-server's formatting stops.
    #[must_use]
    pub fn quoting(before: &str, text: &[u8], after: &str) -> Self {
        Self::made([before.as_bytes(), up_to_nul(text), after.as_bytes()].concat())
    }

    /// A known subcommand with arguments that it does not take.
    #[must_use]
    pub fn subcommand_syntax(subcommand: &[u8], container: &str) -> Self {
        /// How many bytes of it are repeated, as in redis-server.
        const SHOWN: usize = 128;
        let shown = subcommand.get(..SHOWN).unwrap_or(subcommand);
        let before = "ERR unknown subcommand or wrong number of arguments for '";
        Self::quoting(before, shown, &format!("'. Try {container} HELP."))
    }

    /// An invalid expire time, for a command given by its full name.
    #[must_use]
    pub fn invalid_expire_time(full_name: &str) -> Self {
        Self::new(format!("ERR invalid expire time in '{full_name}' command"))
    }

    /// The text.
    #[must_use]
    pub fn text(&self) -> &[u8] {
        match &self.0 {
            Text::Constant(text) => text.as_bytes(),
            Text::Made(text) => text,
        }
    }
}

impl PartialEq for Error {
    fn eq(&self, other: &Self) -> bool {
        self.text() == other.text()
    }
}

impl Eq for Error {}

impl From<WrongType> for Error {
    fn from(_: WrongType) -> Self {
        Self::WRONG_TYPE
    }
}
