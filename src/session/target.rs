//! Where a server is, as people write it.

use std::fmt;
use std::path::PathBuf;

use crate::remote::percent_decoded;

/// The port where none is given, as redis-server's.
const PORT: u16 = 6379;

/// A server, and how to log in there: `redis://[user:password@]host[:port][/database]` or
/// `unix:/path[?db=1&user=ann&pass=secret]`. Printed it has no password.
///
/// ```
/// use minibroker::session::Target;
///
/// let target: Target = "redis://ann:s3cret@localhost:6380/2".parse()?;
/// assert_eq!(target.database, 2);
/// assert_eq!(target.password.as_deref(), Some("s3cret"));
/// assert_eq!(target.to_string(), "redis://localhost:6380/2");
/// assert!("http://localhost".parse::<Target>().is_err());
/// # Ok::<(), String>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Where it listens.
    pub place: Place,
    /// Who logs in; none: the default user.
    pub user: Option<String>,
    /// With which password; none: nobody logs in.
    pub password: Option<String>,
    /// The database.
    pub database: u32,
}

/// Where a server listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// At a port of a machine.
    Tcp {
        /// Name or address.
        host: String,
        /// The port.
        port: u16,
    },
    /// At a Unix socket.
    Unix(PathBuf),
}

impl std::str::FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.starts_with("rediss:") {
            return Err(
                "rediss:// needs TLS, which this program does not speak; a tunnel such as stunnel does"
                    .into(),
            );
        }
        if let Some(rest) = text.strip_prefix("redis+unix:").or_else(|| text.strip_prefix("unix:")) {
            return unix(rest);
        }
        let rest = text
            .strip_prefix("redis://")
            .ok_or("it is neither redis://HOST[:PORT][/DATABASE] nor unix:/PATH")?;
        let (login, rest) = rest.rsplit_once('@').map_or((None, rest), |(login, rest)| (Some(login), rest));
        let (user, password) = match login.map(|login| login.split_once(':').unwrap_or(("", login))) {
            None => (None, None),
            Some((user, password)) => (
                Some(percent_decoded(user)?).filter(|user| !user.is_empty()),
                Some(percent_decoded(password)?),
            ),
        };
        let (address, database) = rest.split_once('/').unwrap_or((rest, ""));
        // Not in the host but behind it: an IPv6 address stands in brackets.
        let (host, port) = match address.rsplit_once(':').filter(|(_, port)| !port.contains(']')) {
            None => (address, PORT),
            Some((host, port)) => (host, port.parse().map_err(|_| format!("{port:?} is no port"))?),
        };
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        if host.is_empty() {
            return Err("it names no host".into());
        }
        let place = Place::Tcp { host: host.to_owned(), port };
        Ok(Self { place, user, password, database: number(database)? })
    }
}

fn unix(rest: &str) -> Result<Target, String> {
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    let path = path.strip_prefix("//").unwrap_or(path);
    if path.is_empty() {
        return Err("it names no path".into());
    }
    let mut target =
        Target { place: Place::Unix(percent_decoded(path)?.into()), user: None, password: None, database: 0 };
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        match pair.split_once('=').unwrap_or((pair, "")) {
            ("db", value) => target.database = number(value)?,
            ("user", value) => target.user = Some(percent_decoded(value)?),
            ("pass", value) => target.password = Some(percent_decoded(value)?),
            (name, _) => return Err(format!("{name:?} is none of db, user, pass")),
        }
    }
    Ok(target)
}

fn number(database: &str) -> Result<u32, String> {
    if database.is_empty() {
        return Ok(0);
    }
    database.parse().map_err(|_| format!("{database:?} is no number of a database"))
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::Unix(path) => return write!(f, "unix:{}", path.display()),
            Place::Tcp { host, port } if host.contains(':') => write!(f, "redis://[{host}]:{port}")?,
            Place::Tcp { host, port } => write!(f, "redis://{host}:{port}")?,
        }
        if self.database > 0 {
            write!(f, "/{}", self.database)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_write_is_understood() {
        let read = |text: &str| text.parse::<Target>();
        assert_eq!(read("redis://h").map(|target| target.to_string()).as_deref(), Ok("redis://h:6379"));
        assert_eq!(
            read("redis://[::1]:1/").map(|target| target.to_string()).as_deref(),
            Ok("redis://[::1]:1")
        );
        let login = read("redis://:p%40w@h:1").expect("a target");
        assert_eq!((login.user, login.password.as_deref()), (None, Some("p@w")));
        let unix = read("unix:///tmp/a%20b?pass=x&db=3").expect("a target");
        assert_eq!(unix.place, Place::Unix("/tmp/a b".into()));
        assert_eq!((unix.password.as_deref(), unix.database), (Some("x"), 3));
        for wrong in
            ["localhost:1", "redis://h:x", "redis://h/x", "redis://", "rediss://h", "unix:", "redis://%zz@h"]
        {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
