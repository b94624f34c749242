//! A client for real servers: where one is, how it is reached and queried, and its clients. The broker's
//! handle uses it when it is attached to a real server; recording and playing sessions use it as well.

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
pub use monitor::{MonitoredCommand, Source};
pub use target::{Target, Transport, UrlError, percent_encoded, percent_encoded_path, without_login};

/// Why a server cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RemoteError {
    /// The URL is invalid.
    #[error(transparent)]
    Url(#[from] UrlError),
    /// The URL requires TLS, which is not compiled in.
    #[cfg(not(feature = "tls"))]
    #[error("TLS needs minibroker built with its feature `tls`")]
    WithoutTls,
    /// An error of the system or of TLS.
    #[error("{0}")]
    System(String),
    /// The server does not reply in time.
    #[error("no answer within {} s", TIMEOUT.as_secs())]
    Silent,
    /// The server has closed the connection.
    #[error("it has closed the connection")]
    Closed,
    /// The server does not send a reply of Redis.
    #[error("it does not speak the Redis protocol")]
    NotRedis,
    /// The reply of the server is too large.
    #[error("its answer is larger than any of Redis")]
    TooLarge,
    /// The server replies with an error.
    #[error("{0}")]
    Refused(String),
}

impl From<std::io::Error> for RemoteError {
    fn from(error: std::io::Error) -> Self {
        Self::System(error.to_string())
    }
}
