//! Where a server is: its URL.

use std::fmt::{self, Write};
use std::path::PathBuf;

/// The port of a URL that names none.
const PORT: u16 = 6379;

/// How a server is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Transport {
    /// Over TCP.
    Tcp {
        /// The name or address of the host.
        host: String,
        /// The port.
        port: u16,
        /// Whether TLS is used.
        tls: bool,
    },
    /// Over a Unix socket.
    Unix(PathBuf),
}

/// A server, as a URL names it: `redis://[[user]:password@]host[:port][/database]`, `rediss://` for TLS, or
/// `unix:///path?db=1&user=ann&pass=s3cret`. It prints as the URL without user and password.
///
/// A URL means here what it means to redis-cli (`-u`), or else to redis-py (`from_url`), or else to redis-rs:
///
/// - `redis://s3cret@host` has a password, as redis-cli reads it. `ann:@host` has a user whose password is empty,
///   `:s3cret@host` has the default user: redis-cli would send an empty name, which no server accepts.
/// - User and password end at the last `@` before the first of `/`, `?` and `#`; if there is none, at the last `@`: a
///   password may contain these characters unescaped, as in redis-cli.
/// - A missing host is 127.0.0.1, a missing port 6379.
/// - The database is the path, as in redis-cli and redis-rs, or else `?db=`, as in redis-py. A database that is not a
///   number is refused, as in redis-rs: the others use database 0.
/// - `user` and `pass` (redis-rs), or `username` and `password` (redis-py), may follow the question mark, where `+`
///   is a space; a login before the host takes precedence.
/// - `unix:` takes an absolute path, in all forms that redis-py and redis-rs accept. `unix://ann@/path` has a user,
///   as in redis-py.
/// - `redis+unix:` is `unix:`, and `valkey` may replace `redis`, as in redis-rs. The scheme may have capitals.
/// - `#insecure` accepts any certificate, as in redis-rs.
#[cfg_attr(
    feature = "cli",
    doc = "
```
use minibroker::internal::session::Target;

let target: Target = \"redis://ann:s3cret@localhost:6380/2\".parse()?;
assert_eq!(target.database, Some(2));
assert_eq!(target.password.as_deref(), Some(\"s3cret\"));
assert_eq!(target.to_string(), \"redis://localhost:6380/2\");
assert!(\"http://localhost\".parse::<Target>().is_err());
# Ok::<(), minibroker::internal::session::UrlError>(())
```
"
)]
#[derive(Clone, PartialEq, Eq)]
pub struct Target {
    /// How the server is reached.
    pub transport: Transport,
    /// The name for AUTH.
    pub user: Option<String>,
    /// The password for AUTH; `None`: no AUTH.
    pub password: Option<String>,
    /// The database that the URL names.
    pub database: Option<usize>,
    /// `#insecure`: any certificate of the server is accepted.
    pub insecure: bool,
    /// The unknown options after the question mark: `protocol=resp3`.
    rest: Vec<String>,
}

/// The URL does not name a server.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct UrlError(String);

impl std::str::FromStr for Target {
    type Err = UrlError;

    fn from_str(url: &str) -> Result<Self, UrlError> {
        let mut target = Self {
            transport: Transport::Unix(PathBuf::new()),
            user: None,
            password: None,
            database: None,
            insecure: false,
            rest: Vec::new(),
        };
        let (scheme, rest) = url.split_once(':').unwrap_or_default();
        match scheme.to_ascii_lowercase().as_str() {
            "unix" | "redis+unix" | "valkey+unix" => target.read_unix(rest)?,
            "redis" | "valkey" => target.read_tcp(rest, false)?,
            "rediss" | "valkeys" => target.read_tcp(rest, true)?,
            _ => {
                return Err(invalid(
                    "a URL begins with redis://, rediss:// or unix:, as redis://127.0.0.1:6379".to_owned(),
                ));
            }
        }
        Ok(target)
    }
}

impl Target {
    fn read_unix(&mut self, rest: &str) -> Result<(), UrlError> {
        let (rest, query) = self.without_end(rest);
        // Two slashes may be followed by a host, which has no meaning here.
        let path = match rest.strip_prefix("//") {
            Some(rest) => {
                let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
                let (login, _) = host.rsplit_once('@').unwrap_or_default();
                let (user, password) = login.split_once(':').unwrap_or((login, ""));
                (self.user, self.password) = (some(decoded(user)?), some(decoded(password)?));
                path
            }
            None => rest,
        };
        if !path.starts_with('/') {
            return Err(invalid(
                "a Unix socket has a path that begins with a slash: unix:///run/redis.sock".into(),
            ));
        }
        self.transport = Transport::Unix(PathBuf::from(decoded(path)?));
        self.read_query(query)
    }

    fn read_tcp(&mut self, rest: &str, tls: bool) -> Result<(), UrlError> {
        let rest =
            rest.strip_prefix("//").ok_or_else(|| invalid("`//` is missing behind the scheme".into()))?;
        let authority = rest.find(['/', '?', '#']).and_then(|end| rest.get(..end)).unwrap_or(rest);
        let login = authority.rsplit_once('@').or(rest.rsplit_once('@')).map_or("", |(login, _)| login);
        let rest = rest.strip_prefix(login).unwrap_or(rest);
        let (user, password) = login.split_once(':').unwrap_or(("", login));
        (self.user, self.password) = (some(decoded(user)?), some(decoded(password)?));
        let (rest, query) = self.without_end(rest.strip_prefix('@').unwrap_or(rest));
        let (address, path) = rest.split_once('/').unwrap_or((rest, ""));
        // An IPv6 address contains colons, within brackets.
        let (host, port) = match address.rsplit_once(':') {
            Some((host, port)) if !port.contains(']') => (host, Some(port)),
            _ => (address, None),
        };
        let port = match port {
            None | Some("") => PORT,
            Some(port) => port.parse().map_err(|_| invalid(format!("`{port}` is no port")))?,
        };
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        let host = if host.is_empty() { "127.0.0.1".to_owned() } else { decoded(host)? };
        self.transport = Transport::Tcp { host, port, tls };
        let path = path.trim_matches('/');
        if !path.is_empty() {
            self.database = Some(database(path)?);
        }
        self.read_query(query)
    }

    /// The parts before and after the question mark. Reads the part after `#`.
    fn without_end<'a>(&mut self, rest: &'a str) -> (&'a str, &'a str) {
        let (rest, fragment) = rest.split_once('#').unwrap_or((rest, ""));
        self.insecure = fragment == "insecure";
        rest.split_once('?').unwrap_or((rest, ""))
    }

    /// Reads the options after the question mark, which complete the part before it.
    fn read_query(&mut self, query: &str) -> Result<(), UrlError> {
        let named_before = self.user.is_some() || self.password.is_some();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let value = decoded(&value.replace('+', " "))?;
            match name {
                "db" => {
                    let named = database(&value)?;
                    self.database.get_or_insert(named);
                }
                "user" | "username" if self.user.is_none() && !named_before => self.user = some(value),
                "pass" | "password" if self.password.is_none() => self.password = some(value),
                "user" | "username" | "pass" | "password" => {}
                _ => self.rest.push(pair.to_owned()),
            }
        }
        if self.user.is_some() {
            // A user without a password has an empty one.
            self.password.get_or_insert_default();
        }
        Ok(())
    }

    /// The URL for a client that uses this database.
    #[must_use]
    pub fn url(&self, database: usize) -> String {
        self.written(Some(database), true)
    }

    fn written(&self, database: Option<usize>, login: bool) -> String {
        let (user, password) =
            if login { (self.user.as_deref(), self.password.as_deref()) } else { (None, None) };
        let mut url = String::new();
        let mut query = self.rest.clone();
        // Writing into a string does not fail.
        let _ = match &self.transport {
            Transport::Unix(path) => {
                query.extend(database.map(|database| format!("db={database}")));
                query.extend(user.map(|user| format!("user={}", percent_encoded(user))));
                query.extend(password.map(|password| format!("pass={}", percent_encoded(password))));
                write!(url, "unix://{}", percent_encoded_path(path))
            }
            Transport::Tcp { host, port, tls } => {
                let scheme = if *tls { "rediss" } else { "redis" };
                // With a name, because redis-cli would use an empty one as a user's name.
                let login = password.map_or_else(String::new, |password| {
                    let user = percent_encoded(user.unwrap_or("default"));
                    format!("{user}:{}@", percent_encoded(password))
                });
                let host = if host.contains(':') { format!("[{host}]") } else { host.clone() };
                let path = database.map(|database| format!("/{database}")).unwrap_or_default();
                write!(url, "{scheme}://{login}{host}:{port}{path}")
            }
        };
        if !query.is_empty() {
            let _ = write!(url, "?{}", query.join("&"));
        }
        if self.insecure {
            url.push_str("#insecure");
        }
        url
    }
}

/// As the URL, without user and password.
impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.written(self.database, false))
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Target").field(&self.to_string()).finish()
    }
}

/// The part of a URL, even an invalid one, that may be shown.
#[must_use]
pub fn without_login(url: &str) -> &str {
    let (before, query) = url.split_once('?').unwrap_or((url, ""));
    if query.contains('@') {
        // Where the login ends is ambiguous: both may contain that character.
        return url.split_once(':').map_or("", |(scheme, _)| scheme);
    }
    before.rsplit_once('@').map_or(before, |(_, address)| address)
}

fn invalid(text: String) -> UrlError {
    UrlError(text)
}

fn some(text: String) -> Option<String> {
    (!text.is_empty()).then_some(text)
}

fn database(text: &str) -> Result<usize, UrlError> {
    text.parse().map_err(|_| invalid(format!("`{text}` is no number of a database")))
}

/// A part of a URL without its `%41`.
fn decoded(text: &str) -> Result<String, UrlError> {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((&first, more)) = rest.split_first() {
        rest = more;
        if first != b'%' {
            bytes.push(first);
            continue;
        }
        let digits = more.get(..2).filter(|two| two.iter().all(u8::is_ascii_hexdigit));
        let digits = digits.and_then(|two| std::str::from_utf8(two).ok());
        let byte = digits.and_then(|two| u8::from_str_radix(two, 16).ok());
        bytes.push(
            byte.ok_or_else(|| {
                invalid("behind `%` two hexadecimal digits are missing in the URL".to_owned())
            })?,
        );
        rest = more.get(2..).unwrap_or_default();
    }
    String::from_utf8(bytes).map_err(|_| invalid("the URL is not UTF-8".to_owned()))
}

/// Any text, escaped for a URL.
#[must_use]
pub fn percent_encoded(text: &str) -> String {
    percent_encoded_but(text.as_bytes(), b"-._~")
}

/// A path, escaped for a URL.
#[must_use]
pub fn percent_encoded_path(path: &std::path::Path) -> String {
    percent_encoded_but(path.as_os_str().as_encoded_bytes(), b"-._~/")
}

/// Everything except letters, digits and the bytes in `plain` is escaped.
fn percent_encoded_but(bytes: &[u8], plain: &[u8]) -> String {
    let mut out = String::new();
    for byte in bytes {
        if byte.is_ascii_alphanumeric() || plain.contains(byte) {
            out.push(char::from(*byte));
        } else {
            // Writing into a string does not fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All parts of a URL, in one line.
    fn said(url: &str) -> String {
        match url.parse::<Target>() {
            Ok(target) => {
                let address = match &target.transport {
                    Transport::Tcp { host, port, tls } => {
                        format!("{host} {port}{}", if *tls { " tls" } else { "" })
                    }
                    Transport::Unix(path) => path.display().to_string(),
                };
                let text =
                    |text: &Option<String>| text.as_ref().map_or("-".into(), |text| format!("{text:?}"));
                let database = target.database.map_or("-".into(), |database| database.to_string());
                let insecure = if target.insecure { " insecure" } else { "" };
                format!("{address} {} {} {database}{insecure}", text(&target.user), text(&target.password))
            }
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn a_url_is_read_as_clients_of_redis_read_it() {
        // As redis-cli 7.0 and 8.0 and redis-py read these URLs, and as the source of redis-rs 1.8 does.
        for (url, wanted) in [
            ("redis://h", "h 6379 - - -"),
            ("redis://h:7000/2", "h 7000 - - 2"),
            ("REDIS://h", "h 6379 - - -"),
            ("valkey://h", "h 6379 - - -"),
            ("rediss://h/1#insecure", "h 6379 tls - - 1 insecure"),
            // No host, no port.
            ("redis://", "127.0.0.1 6379 - - -"),
            ("redis:///2", "127.0.0.1 6379 - - 2"),
            ("redis://:7000", "127.0.0.1 7000 - - -"),
            ("redis://h:", "h 6379 - - -"),
            ("redis://[::1]:7000/1", "::1 7000 - - 1"),
            ("redis://[::1]", "::1 6379 - - -"),
            // The login.
            ("redis://ann:s@h", "h 6379 \"ann\" \"s\" -"),
            ("redis://s@h", "h 6379 - \"s\" -"),
            ("redis://:s@h", "h 6379 - \"s\" -"),
            ("redis://ann:@h", "h 6379 \"ann\" \"\" -"),
            ("redis://@h", "h 6379 - - -"),
            ("redis://:@h", "h 6379 - - -"),
            ("redis://ann:p%2fw+%40@h", "h 6379 \"ann\" \"p/w+@\" -"),
            ("redis://ann:a:b@h", "h 6379 \"ann\" \"a:b\" -"),
            ("redis://ann:a@b@h", "h 6379 \"ann\" \"a@b\" -"),
            ("redis://ann:a/b?c#d@h/1", "h 6379 \"ann\" \"a/b?c#d\" 1"),
            ("redis://h?username=ann&password=a+b", "h 6379 \"ann\" \"a b\" -"),
            ("redis://:s@h?user=ann&pass=x", "h 6379 - \"s\" -"),
            ("redis://ann:s@h/?password=a@b", "h 6379 \"ann\" \"s\" -"),
            // The database.
            ("redis://h/", "h 6379 - - -"),
            ("redis://h/2/", "h 6379 - - 2"),
            ("redis://h?db=3", "h 6379 - - 3"),
            ("redis://h/2?db=3", "h 6379 - - 2"),
            ("redis://h/?db=3&protocol=resp3", "h 6379 - - 3"),
            // Unix sockets.
            ("unix:/run/r.sock", "/run/r.sock - - -"),
            ("unix:///run/a%20b?db=1&pass=x+y", "/run/a b - \"x y\" 1"),
            ("redis+unix:///r?password=x&username=ann", "/r \"ann\" \"x\" -"),
            ("unix://ann@/r?password=x", "/r \"ann\" \"x\" -"),
            ("unix://:x@/r", "/r - \"x\" -"),
            ("unix://localhost/r", "/r - - -"),
            // Invalid URLs.
            ("", "a URL begins with redis://, rediss:// or unix:, as redis://127.0.0.1:6379"),
            ("h:6379", "a URL begins with redis://, rediss:// or unix:, as redis://127.0.0.1:6379"),
            ("http://h", "a URL begins with redis://, rediss:// or unix:, as redis://127.0.0.1:6379"),
            ("redis:h", "`//` is missing behind the scheme"),
            ("redis://h:x", "`x` is no port"),
            ("redis://h:70000", "`70000` is no port"),
            ("redis://h/chat", "`chat` is no number of a database"),
            ("redis://h/-1", "`-1` is no number of a database"),
            ("redis://h?db=x", "`x` is no number of a database"),
            ("redis://%zz@h", "behind `%` two hexadecimal digits are missing in the URL"),
            ("redis://%ff@h", "the URL is not UTF-8"),
            ("unix:r.sock", "a Unix socket has a path that begins with a slash: unix:///run/redis.sock"),
            ("unix://r.sock", "a Unix socket has a path that begins with a slash: unix:///run/redis.sock"),
            ("unix:", "a Unix socket has a path that begins with a slash: unix:///run/redis.sock"),
        ] {
            assert_eq!(said(url), wanted, "{url}");
        }
    }

    #[test]
    fn a_client_is_given_the_same_with_a_database() -> Result<(), UrlError> {
        for (url, wanted) in [
            ("redis://", "redis://127.0.0.1:6379/3"),
            ("redis://:p%40ss@h:7000/2", "redis://default:p%40ss@h:7000/3"),
            ("redis://ann:s@[::1]:7000", "redis://ann:s@[::1]:7000/3"),
            ("redis://h/?protocol=resp3", "redis://h:6379/3?protocol=resp3"),
            ("rediss://h/1#insecure", "rediss://h:6379/3#insecure"),
            ("unix:/run/a%20b", "unix:///run/a%20b?db=3"),
            ("redis+unix:///r?password=x+y&username=ann", "unix:///r?db=3&user=ann&pass=x%20y"),
        ] {
            let target: Target = url.parse()?;
            assert_eq!(target.url(3), wanted, "{url}");
            assert_eq!(target.url(3).parse::<Target>()?.url(3), wanted, "{url}");
        }
        Ok(())
    }

    #[test]
    fn a_password_is_not_shown() {
        for url in ["redis://ann:s3cret@h:1/2", "redis://:s3cret@h:1/2", "unix:///r?db=2&pass=s3cret"] {
            let target = url.parse::<Target>();
            let shown =
                format!("{target:?} {}", target.as_ref().map(ToString::to_string).unwrap_or_default());
            assert!(!shown.contains("s3cret") && !shown.contains("ann"), "{shown}");
        }
        for url in ["redis://h?password=s@3cret&db=x", "redis://ann:s3cret?@h", "redis://ann:s3cret@h?db=x"] {
            let shown = without_login(url);
            assert!(!shown.contains("3cret") && !shown.contains("ann"), "{shown}");
        }
    }
}
