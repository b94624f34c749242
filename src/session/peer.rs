//! The server that minibroker is compared with: its name, and the version of Redis that minibroker speaks when
//! compared with it.

use super::server::{Server, ServerError};
use crate::Version;

/// What a server reports about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Peer {
    /// `Redis 7.0.15`.
    pub(super) name: String,
    /// The version that is nearest to it.
    pub(super) version: Version,
}

impl Peer {
    pub(super) async fn of(server: &mut Server) -> Result<Self, ServerError> {
        let info = server.ask(&["INFO", "server"]).await?;
        Ok(Self::read(&String::from_utf8_lossy(info.text().unwrap_or_default())))
    }

    /// Reads INFO.
    pub(super) fn read(info: &str) -> Self {
        let field = |name: &str| {
            info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim)
        };
        match (field("valkey_version"), field("redis_version")) {
            // Valkey also reports Redis 7.2.4, from which it was forked, but newer versions are compared with Redis
            // 8.0.
            (Some(valkey), _) => {
                let version = if numbers(valkey) < (9, 0) { Version::Redis7_4 } else { Version::Redis8_0 };
                Self { name: format!("Valkey {valkey}"), version }
            }
            (None, Some(redis)) => {
                let version = match numbers(redis) {
                    (..=6, _) | (7, 0) => Version::Redis7_0,
                    (7, _) => Version::Redis7_4,
                    (8, 0) => Version::Redis8_0,
                    _ => Version::Redis8_2,
                };
                Self { name: format!("Redis {redis}"), version }
            }
            (None, None) => Self { name: "of unknown version".to_owned(), version: Version::default() },
        }
    }
}

/// The first two numbers of a version.
fn numbers(version: &str) -> (u32, u32) {
    let mut numbers = version.split('.').map(|number| number.parse().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minibroker_speaks_the_version_that_is_nearest() {
        for (info, name, version) in [
            ("redis_version:6.2.14\r\n", "Redis 6.2.14", "7.0"),
            ("# Server\r\nredis_version:7.0.15\r\n", "Redis 7.0.15", "7.0"),
            ("redis_version:7.2.4\r\n", "Redis 7.2.4", "7.4"),
            ("redis_version:7.4.7\r\n", "Redis 7.4.7", "7.4"),
            ("redis_version:8.0.6\r\n", "Redis 8.0.6", "8.0"),
            ("redis_version:8.2.3\r\n", "Redis 8.2.3", "8.2"),
            ("redis_version:10.1.0\r\n", "Redis 10.1.0", "8.2"),
            ("redis_version:7.2.4\r\nserver_name:valkey\r\nvalkey_version:8.1.0\r\n", "Valkey 8.1.0", "7.4"),
            ("redis_version:7.2.4\r\nserver_name:valkey\r\nvalkey_version:9.1.2\r\n", "Valkey 9.1.2", "8.0"),
            ("", "of unknown version", "8.2"),
        ] {
            let peer = Peer::read(info);
            assert_eq!((peer.name.as_str(), peer.version.to_string().as_str()), (name, version));
        }
    }
}
