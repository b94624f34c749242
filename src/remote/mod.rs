//! A client for real servers: where one is, how it is reached and queried, and its clients. The
//! broker's handle uses it where it stands for a real server; sessions are recorded and played by it.

mod connection;
mod dial;
mod frame;
mod listing;
mod monitor;
mod target;
#[cfg(feature = "tls")]
mod tls;

pub use connection::Connection;
#[cfg(feature = "cli")]
pub use dial::Socket;
pub use dial::TIMEOUT;
#[cfg(feature = "cli")]
pub use frame::{DEEPEST, LARGEST_REPLY, LONGEST_BULK, NoReply, PER_VALUE, Scanner, line_end};
pub use listing::{Listed, listed};
pub use monitor::{Source, Spoken};
pub use target::{Target, Transport, UrlError, percent_encoded, percent_encoded_path, without_login};

/// Why a server cannot be spoken to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RemoteError {
    /// The URL is none.
    #[error(transparent)]
    Url(#[from] UrlError),
    /// It is reached by TLS, for which this was not built.
    #[cfg(not(feature = "tls"))]
    #[error("TLS needs minibroker built with its feature `tls`")]
    WithoutTls,
    /// What the system, or TLS, says.
    #[error("{0}")]
    System(String),
    /// It says nothing.
    #[error("no answer within {} s", TIMEOUT.as_secs())]
    Silent,
    /// It has ended the connection.
    #[error("it has closed the connection")]
    Closed,
    /// What it says is no reply.
    #[error("it does not speak the Redis protocol")]
    NotRedis,
    /// What it says has no end, or nearly none.
    #[error("its answer is larger than any of Redis")]
    TooLarge,
    /// It answers with an error.
    #[error("{0}")]
    Refused(String),
}

impl From<std::io::Error> for RemoteError {
    fn from(error: std::io::Error) -> Self {
        Self::System(error.to_string())
    }
}
