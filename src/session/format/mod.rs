//! Session files: the events of a session, and how they are written and read.

mod read;
mod write;

#[doc(hidden)]
pub use read::words;
pub(crate) use write::{quote, write_event};

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::time::Duration;

use super::frame::{Frame, Placeholder};
pub(crate) use read::{event, logical_lines};

/// The placeholder for the password of AUTH and HELLO.
const PASSWORD: &str = "<password>";

/// What several clients sent to a server and received from it, in one order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Session {
    /// The connections by their numbers.
    pub names: Vec<String>,
    /// What happened.
    pub events: Vec<Event>,
}

/// One line of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The number of the line in the file, from 1.
    pub line: usize,
    /// What happened there.
    pub action: Action,
}

/// What happened. Connections are numbers, see [`Session::names`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// `ann connect`: a client connects.
    Connect(usize),
    /// `ann > GET k`: it sends a request.
    Send(usize, Vec<Argument>),
    /// `ann >> "GET k\r\n"`: it sends bytes that are not a usual request.
    SendBytes(usize, Vec<u8>),
    /// `ann < "v"`: it receives a reply or a push.
    Answer(usize, Frame),
    /// `ann << "..."`: it receives bytes that are not a reply.
    AnswerBytes(usize, Vec<u8>),
    /// `ann close`: it closes its end.
    Close(usize),
    /// `ann closed`: the server has closed the connection.
    Closed(usize),
    /// `ann wait`: nothing else happens until it has received something since it last sent something.
    Wait(usize),
    /// `pause 100`: milliseconds that have to pass.
    Pause(Duration),
    /// `idle 100`: milliseconds that had passed when this was recorded.
    Idle(Duration),
}

impl Action {
    /// The connection on which it happened.
    fn connection(&self) -> Option<usize> {
        match self {
            Self::Connect(number)
            | Self::Send(number, _)
            | Self::SendBytes(number, _)
            | Self::Answer(number, _)
            | Self::AnswerBytes(number, _)
            | Self::Close(number)
            | Self::Closed(number)
            | Self::Wait(number) => Some(*number),
            Self::Pause(_) | Self::Idle(_) => None,
        }
    }
}

/// An argument of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Argument {
    /// Bytes.
    Bytes(Vec<u8>),
    /// The value of an earlier answer, and the text around it: `(<id:first>`.
    Named {
        /// The text before it.
        before: Vec<u8>,
        /// The placeholder, which has a name.
        placeholder: Placeholder,
        /// The text after it.
        after: Vec<u8>,
    },
    /// `<password>`: the password of the server on which the session is played.
    Password,
}

impl Argument {
    /// The bytes, if the argument is [`Argument::Bytes`].
    #[must_use]
    pub fn bytes(&self) -> Option<&[u8]> {
        match self {
            Self::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// Whether it is this word, in either case.
    #[must_use]
    pub fn is(&self, word: &str) -> bool {
        self.bytes().is_some_and(|bytes| bytes.eq_ignore_ascii_case(word.as_bytes()))
    }
}

impl<B: Into<Vec<u8>>> From<B> for Argument {
    fn from(bytes: B) -> Self {
        Self::Bytes(bytes.into())
    }
}

/// Where a session file is wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{line}: {text}")]
pub struct FormatError {
    /// The number of the line, from 1.
    pub line: usize,
    /// What is wrong there.
    pub text: String,
}

impl Session {
    /// The number of the connection of this name, which is added if it is new.
    pub fn connection(&mut self, name: &str) -> usize {
        if let Some(at) = self.names.iter().position(|known| known == name) {
            return at;
        }
        self.names.push(name.to_owned());
        self.names.len() - 1
    }

    /// The names that only one line has, with that line: they may be misspelt. A name with `connect` is
    /// intended, and in a session with one name it cannot be confused with another.
    pub fn names_used_once(&self) -> impl Iterator<Item = (usize, &str)> {
        let names = self.names.iter().enumerate().filter(|_| self.names.len() > 1);
        names.filter_map(|(number, name)| {
            let mut events = self.events.iter().filter(|event| event.action.connection() == Some(number));
            let event = events.next()?;
            let is_alone = events.next().is_none() && !matches!(event.action, Action::Connect(_));
            is_alone.then_some((event.line, name.as_str()))
        })
    }

    /// Adds an event at the end.
    pub fn push(&mut self, action: Action) {
        self.events.push(Event { line: self.events.len() + 1, action });
    }

    /// Reads the text of a session file.
    ///
    /// # Errors
    ///
    /// A line does not follow the format; the error names the first one.
    ///
    /// ```
    /// use minibroker::internal::session::Session;
    ///
    /// let session = Session::read("ann > SUBSCRIBE chat\nbob > PUBLISH chat hello\nbob < :1\n")?;
    /// assert_eq!(session.names, ["ann", "bob"]);
    /// assert_eq!(Session::read("ann > PING\nann < PONG\n").unwrap_err().line, 2);
    /// # Ok::<(), minibroker::internal::session::FormatError>(())
    /// ```
    pub fn read(text: &str) -> Result<Self, FormatError> {
        // Editors on Windows write a byte order mark first.
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut session = Self::default();
        let mut numbers = HashMap::new();
        let mut named = HashSet::new();
        for (line, text) in logical_lines(text)? {
            let at = |text: String| FormatError { line, text };
            let action = event(&text, |name| {
                *numbers.entry(name.to_owned()).or_insert_with(|| {
                    session.names.push(name.to_owned());
                    session.names.len() - 1
                })
            })
            .map_err(at)?;
            match &action {
                Action::Answer(_, frame) => frame.each(&mut |frame| {
                    if let Frame::Placeholder(Placeholder { name: Some(name), .. }) = frame {
                        named.insert(name.clone());
                    }
                }),
                Action::Send(_, arguments) => {
                    for argument in arguments {
                        if let Argument::Named { placeholder, .. } = argument
                            && !placeholder.name.as_ref().is_some_and(|name| named.contains(name))
                        {
                            return Err(at(format!("no answer before this line is called {placeholder}")));
                        }
                    }
                }
                _ => {}
            }
            session.events.push(Event { line, action });
        }
        Ok(session)
    }
}

impl fmt::Display for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::new();
        for event in &self.events {
            text.clear();
            write_event(&mut text, &event.action, |number| {
                self.names.get(number).map_or("?", String::as_str)
            });
            f.write_str(&text)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
