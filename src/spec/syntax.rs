//! The notation for the arguments of a command in its row.
//!
//! It reads like a usage line of a manual. `COMMAND DOCS` returns it parsed.
//!
//! | written | means |
//! |---|---|
//! | `message` | a string |
//! | `count:integer` | of another type: `key`, `integer`, `double`, `pattern`, `unix-time` |
//! | `destination:key#1` | a key, or a pattern of keys, found by the key spec of this number (for a key 0 by default) |
//! | `NX` | a word to be written as it is; its name is the same in lower case |
//! | `change:CH`, `equal:'='` | such a word, with another name; in quotes if it is not in capitals |
//! | `COUNT count:integer` | an argument that a word introduces |
//! | `where(LEFT\|RIGHT)` | one of these |
//! | `data{field value}` | these together |
//! | `[...]` | may be left out |
//! | `key...` | once or more; `key...+` repeats the word that introduces it, too |
//! | `NX^6.2.0`, `old!2.8.12` | there since this version; deprecated since this version |
//! | `ONE~8.2.0` | there since this version, which `COMMAND DOCS` does not tell |
//! | `addr"ip:port"` | shown to people under this name |

use std::borrow::Cow;

/// The type of an argument.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
pub enum Kind {
    String,
    Key,
    Integer,
    Double,
    Pattern,
    UnixTime,
    PureToken,
    OneOf,
    Block,
}

impl Kind {
    /// The name of the type in `COMMAND DOCS`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::Key => "key",
            Self::Integer => "integer",
            Self::Double => "double",
            Self::Pattern => "pattern",
            Self::UnixTime => "unix-time",
            Self::PureToken => "pure-token",
            Self::OneOf => "oneof",
            Self::Block => "block",
        }
    }
}

/// One argument of a command.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Argument {
    /// Its name.
    pub name: Cow<'static, str>,
    /// Its type.
    pub kind: Kind,
    /// The name shown to people, if it is another one.
    pub display: Option<&'static str>,
    /// For a key: the number of the key spec that finds it.
    pub key_spec: Option<i64>,
    /// The word that introduces it, or that it consists of.
    pub token: Option<&'static str>,
    /// The version that introduced it, if later than the command.
    pub since: Option<&'static str>,
    /// The same, where `COMMAND DOCS` does not tell it.
    pub untold_since: Option<&'static str>,
    /// The version that deprecated it.
    pub deprecated_since: Option<&'static str>,
    /// Whether it may be left out.
    pub optional: bool,
    /// Whether it may be repeated.
    pub multiple: bool,
    /// Whether its token is repeated with it.
    pub multiple_token: bool,
    /// The parts of a block or the choices of a oneof.
    pub arguments: Vec<Argument>,
}

/// The arguments that a row describes. A syntax error ends the list: the notation is our own and a test reads every
/// row.
#[must_use]
pub fn parse(syntax: &'static str) -> Vec<Argument> {
    Parser { rest: syntax }.list()
}

/// Reads the notation from left to right.
struct Parser {
    rest: &'static str,
}

impl Parser {
    /// Arguments up to the end or to a closing bracket.
    fn list(&mut self) -> Vec<Argument> {
        let mut list = Vec::new();
        loop {
            self.rest = self.rest.trim_start_matches([' ', '|']);
            let Some(argument) = self.argument() else {
                return list;
            };
            list.push(argument);
        }
    }

    /// One argument with all its attributes.
    fn argument(&mut self) -> Option<Argument> {
        if self.eat("[") {
            let mut argument = self.argument()?;
            argument.optional = true;
            return self.eat("]").then_some(argument);
        }
        let mut argument = if self.rest.starts_with(|first: char| first.is_ascii_lowercase()) {
            self.named(None)?
        } else {
            let token = self.token()?;
            if self.rest.starts_with(' ') {
                self.rest = self.rest.trim_start();
                self.named(Some(token))?
            } else {
                pure_token(Cow::Owned(token.to_ascii_lowercase()), token)
            }
        };
        argument.multiple = self.eat("...");
        argument.multiple_token = argument.multiple && self.eat("+");
        if self.eat("^") {
            argument.since = Some(self.version());
        }
        if self.eat("~") {
            argument.untold_since = Some(self.version());
        }
        if self.eat("!") {
            argument.deprecated_since = Some(self.version());
        }
        Some(argument)
    }

    /// An argument, from its name on.
    fn named(&mut self, token: Option<&'static str>) -> Option<Argument> {
        let name = self.take_while(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_'));
        if name.is_empty() {
            return None;
        }
        let mut argument = Argument { token, ..string(name) };
        if self.eat("\"") {
            argument.display = Some(self.take_while(|byte| byte != b'"'));
            self.eat("\"");
        }
        if self.eat("(") {
            argument.kind = Kind::OneOf;
            argument.arguments = self.list();
            return self.eat(")").then_some(argument);
        }
        if self.eat("{") {
            argument.kind = Kind::Block;
            argument.arguments = self.list();
            return self.eat("}").then_some(argument);
        }
        if !self.eat(":") {
            return Some(argument);
        }
        if !self.rest.starts_with(|first: char| first.is_ascii_lowercase()) {
            return Some(pure_token(Cow::Borrowed(name), self.token()?));
        }
        argument.kind = match self.take_while(|byte| matches!(byte, b'a'..=b'z' | b'-')) {
            "key" => Kind::Key,
            "integer" => Kind::Integer,
            "double" => Kind::Double,
            "pattern" => Kind::Pattern,
            "unix-time" => Kind::UnixTime,
            _ => return None,
        };
        // A pattern may denote keys, too.
        if self.eat("#") {
            argument.key_spec = self.take_while(|byte| byte.is_ascii_digit()).parse().ok();
        } else if argument.kind == Kind::Key {
            argument.key_spec = Some(0);
        }
        Some(argument)
    }

    /// A word to be written as it is: in capitals, or in quotes.
    fn token(&mut self) -> Option<&'static str> {
        if self.eat("'") {
            let token = self.take_while(|byte| byte != b'\'');
            return self.eat("'").then_some(token);
        }
        let token = self.take_while(|byte| matches!(byte, b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_'));
        (!token.is_empty()).then_some(token)
    }

    /// A version such as `6.2.0`.
    fn version(&mut self) -> &'static str {
        self.take_while(|byte| matches!(byte, b'0'..=b'9' | b'.'))
    }

    /// Skips this text if it comes next.
    fn eat(&mut self, text: &str) -> bool {
        match self.rest.strip_prefix(text) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    /// All bytes up to the first one that does not match.
    fn take_while(&mut self, such: impl Fn(u8) -> bool) -> &'static str {
        let end = self.rest.bytes().position(|byte| !such(byte)).unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at_checked(end).unwrap_or((self.rest, ""));
        self.rest = rest;
        taken
    }
}

/// A plain string argument.
const fn string(name: &'static str) -> Argument {
    Argument {
        name: Cow::Borrowed(name),
        kind: Kind::String,
        display: None,
        key_spec: None,
        token: None,
        since: None,
        untold_since: None,
        deprecated_since: None,
        optional: false,
        multiple: false,
        multiple_token: false,
        arguments: Vec::new(),
    }
}

/// A literal word.
fn pure_token(name: Cow<'static, str>, token: &'static str) -> Argument {
    Argument { name, kind: Kind::PureToken, token: Some(token), ..string("") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::TABLE;

    #[test]
    fn every_row_can_be_read_to_its_end() {
        for row in TABLE.all() {
            let mut parser = Parser { rest: row.syntax };
            parser.list();
            assert_eq!(parser.rest, "", "{}: {}", row.full_name(), row.syntax);
        }
    }

    #[test]
    fn every_sign_of_the_notation_is_read() {
        let read = parse("[PREFIX prefix\"p\"...+^6.2.0] where(LEFT|eq:'=')!7.0.0 to:key#1~8.2.0");
        let [prefix, choice, to] = read.as_slice() else {
            panic!("{read:?}");
        };
        assert_eq!((prefix.token, prefix.display), (Some("PREFIX"), Some("p")));
        assert!(prefix.optional && prefix.multiple && prefix.multiple_token);
        assert_eq!(prefix.since, Some("6.2.0"));
        assert_eq!(choice.deprecated_since, Some("7.0.0"));
        assert_eq!(choice.kind, Kind::OneOf);
        let tokens: Vec<_> = choice.arguments.iter().map(|one| (&*one.name, one.token)).collect();
        assert_eq!(tokens, [("left", Some("LEFT")), ("eq", Some("="))]);
        assert_eq!((to.kind, to.key_spec), (Kind::Key, Some(1)));
        assert_eq!((to.since, to.untold_since), (None, Some("8.2.0")));
    }
}
