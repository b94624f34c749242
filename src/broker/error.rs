//! The errors between a test and its broker.

use std::{fmt, io};

use crate::server::ListenError;

/// Why a broker could not be started.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The address cannot be listened on: the port is taken, or the address is not this machine's.
    #[error("cannot listen on {address}: {source}")]
    #[non_exhaustive]
    Listen {
        /// The address, or the path of a Unix socket.
        address: String,
        /// The error of the system.
        source: io::Error,
    },
    /// The thread or its runtime could not be created.
    #[error("cannot start the broker's thread: {0}")]
    Thread(#[source] io::Error),
    /// A setting is unknown or its value is invalid: see [`Builder::config`](super::Builder::config). Or the time at
    /// the start is after the end of the year 9999: see [`Builder::clock_at`](super::Builder::clock_at).
    #[error("cannot set `{name}` to {value:?}: {reason}")]
    #[non_exhaustive]
    Setting {
        /// The name of the setting.
        name: String,
        /// The value.
        value: String,
        /// What is wrong with it, in the words of CONFIG SET.
        reason: String,
    },
    /// The data to start with cannot be loaded: see [`Builder::load`](super::Builder::load),
    /// [`Builder::from_snapshot`](super::Builder::from_snapshot) and
    /// [`Builder::data_file`](super::Builder::data_file).
    #[error("cannot load {from}: {reason}")]
    #[non_exhaustive]
    Load {
        /// The file, or that it is a snapshot.
        from: String,
        /// The error of the system, or what is wrong with the file and at which byte.
        reason: String,
    },
    /// The server that the test is to use cannot be reached, or refuses it: see
    /// [`Broker::attach`](super::Broker::attach).
    #[error("cannot attach to {url}: {reason}")]
    #[non_exhaustive]
    Attach {
        /// The URL, without its password.
        url: String,
        /// The error of the server or the system, or what is wrong with the URL.
        reason: String,
    },
}

/// The text itself, as a test that fails by `unwrap` or `?` shows it.
impl fmt::Debug for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl From<ListenError> for StartError {
    fn from(ListenError { address, source }: ListenError) -> Self {
        Self::Listen { address, source }
    }
}

/// The error of [`Broker::command`](super::Broker::command).
///
/// ```
/// let broker = minibroker::Broker::start()?;
/// broker.command(["SADD", "users", "jhon"])?;
/// let error = broker.command(["LPUSH", "users", "x"]).unwrap_err();
/// assert_eq!(error.code(), Some("WRONGTYPE"));
/// assert_eq!(error.message(), "Operation against a key holding the wrong kind of value");
/// assert!(error.to_string().starts_with("WRONGTYPE Operation"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum CommandError {
    /// The server has answered with an error.
    Reply(ErrorReply),
    /// There is no answer: the connection to a [real server](super::Broker::attach) was lost, or could not be opened.
    /// An embedded broker always answers.
    #[non_exhaustive]
    Connection {
        /// The URL of the server, without its password.
        server: String,
        /// The error of the system.
        reason: String,
    },
}

/// An error reply of a server, such as `WRONGTYPE Operation against a key holding the wrong kind of value`.
#[derive(Clone, PartialEq, Eq)]
pub struct ErrorReply {
    text: String,
    /// The length of the code.
    code: usize,
}

impl ErrorReply {
    fn new(text: String) -> Self {
        // The first word, in capital letters: an error of a script may have none.
        let word = text.split(' ').next().unwrap_or_default();
        let is_code = word.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
        let code = if is_code { word.len() } else { 0 };
        Self { text, code }
    }
}

impl CommandError {
    pub(super) fn reply(text: String) -> Self {
        Self::Reply(ErrorReply::new(text))
    }

    /// The code of an error reply, such as `WRONGTYPE` or `ERR`. None if there is no reply, or one without a code.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Reply(reply) => reply.text.get(..reply.code).filter(|code| !code.is_empty()),
            Self::Connection { .. } => None,
        }
    }

    /// The text after the code, or why there is no reply.
    #[must_use]
    pub fn message(&self) -> &str {
        match self {
            Self::Reply(reply) => reply.text.get(reply.code..).unwrap_or_default().trim_start(),
            Self::Connection { reason, .. } => reason,
        }
    }

    /// True if there is no reply, because the connection to the server was lost.
    #[must_use]
    pub fn is_connection_lost(&self) -> bool {
        matches!(self, Self::Connection { .. })
    }
}

impl std::error::Error for CommandError {}

/// The error as the server has sent it: code and text.
impl fmt::Display for ErrorReply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

/// The text itself, as a test that fails by `unwrap` or `?` shows it.
impl fmt::Debug for ErrorReply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// The error as the server has sent it: code and text.
impl fmt::Display for CommandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Reply(reply) => fmt::Display::fmt(reply, f),
            Self::Connection { server, reason } => write!(f, "no answer from {server}: {reason}"),
        }
    }
}

/// The text itself, as a test that fails by `unwrap` or `?` shows it.
impl fmt::Debug for CommandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::CommandError;

    #[test]
    fn the_code_of_an_error_is_its_first_word_in_capital_letters() {
        let parts = |text: &str| {
            let error = CommandError::reply(text.to_owned());
            assert_eq!((error.to_string().as_str(), error.is_connection_lost()), (text, false));
            (error.code().map(str::to_owned), error.message().to_owned())
        };
        let with = |code: &str, message: &str| (Some(code.to_owned()), message.to_owned());
        assert_eq!(parts("ERR syntax error"), with("ERR", "syntax error"));
        assert_eq!(parts("NOAUTH"), with("NOAUTH", ""));
        assert_eq!(parts("no code here"), (None, "no code here".to_owned()));
        assert_eq!(parts(""), (None, String::new()));
    }
}
