//! Where a server is: its URL.

use std::fmt::{self, Write};
use std::path::PathBuf;

use super::RemoteError;

/// The port of a URL that names none.
const PORT: u16 = 6379;

/// How a server is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Transport {
    /// By TCP; `tls` within TLS.
    #[allow(missing_docs)]
    Tcp { host: String, port: u16, tls: bool },
    /// By a Unix socket.
    Unix(PathBuf),
}

/// A server, as a URL names it: `redis://[[user]:password@]host[:port][/database]`, `rediss://` for TLS, or
/// `unix:///path?db=1&user=ann&pass=s3cret`. It prints without the password.
#[derive(Clone, PartialEq, Eq)]
pub struct Target {
    /// How it is reached.
    pub transport: Transport,
    /// The name for AUTH.
    pub user: Option<String>,
    /// The password for AUTH.
    pub password: Option<String>,
    /// The database that the URL names.
    pub database: Option<usize>,
    /// Behind the question mark, what is not ours: `protocol=resp3`.
    rest: Vec<String>,
    /// `#insecure`: whatever certificate the server has is taken.
    pub insecure: bool,
}

impl Target {
    /// Reads a URL.
    ///
    /// # Errors
    ///
    /// It is none that a client of Redis takes.
    pub fn parse(url: &str) -> Result<Self, RemoteError> {
        let (url, fragment) = url.split_once('#').unwrap_or((url, ""));
        let (url, query) = url.split_once('?').unwrap_or((url, ""));
        let mut target = Self {
            transport: Transport::Unix(PathBuf::new()),
            user: None,
            password: None,
            database: None,
            rest: Vec::new(),
            insecure: fragment == "insecure",
        };
        match url.split_once(':') {
            Some(("unix" | "redis+unix", path)) => target.read_unix(path, query)?,
            Some(("redis", rest)) => target.read_tcp(rest, query, false)?,
            Some(("rediss", rest)) => target.read_tcp(rest, query, true)?,
            _ => {
                return Err(told(
                    "a URL begins with redis://, rediss:// or unix:, as redis://127.0.0.1:6379".to_owned(),
                ));
            }
        }
        Ok(target)
    }

    fn read_unix(&mut self, path: &str, query: &str) -> Result<(), RemoteError> {
        // Behind two slashes a host may stand, which has no meaning here.
        let path = match path.strip_prefix("//") {
            Some(rest) => rest.find('/').and_then(|at| rest.get(at..)).unwrap_or_default(),
            None => path,
        };
        if !path.starts_with('/') {
            return Err(told(
                "a Unix socket has a path that begins with a slash: unix:///run/redis.sock".into(),
            ));
        }
        self.transport = Transport::Unix(PathBuf::from(decoded(path)?));
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            match name {
                "db" => self.database = Some(database(value)?),
                "user" | "username" => self.user = some(decoded(value)?),
                "pass" | "password" => self.password = some(decoded(value)?),
                _ => self.rest.push(pair.to_owned()),
            }
        }
        Ok(())
    }

    fn read_tcp(&mut self, rest: &str, query: &str, tls: bool) -> Result<(), RemoteError> {
        let rest = rest.strip_prefix("//").ok_or_else(|| told("`//` is missing behind the scheme".into()))?;
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (user, address) = authority.rsplit_once('@').unwrap_or(("", authority));
        let (user, password) = user.split_once(':').unwrap_or((user, ""));
        (self.user, self.password) = (some(decoded(user)?), some(decoded(password)?));
        // Colons stand in an address of IPv6, within brackets.
        let (host, port) = match address.rsplit_once(':') {
            Some((host, port)) if !port.contains(']') => (host, Some(port)),
            _ => (address, None),
        };
        let port = match port {
            None | Some("") => PORT,
            Some(port) => port.parse().map_err(|_| told(format!("`{port}` is no port")))?,
        };
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        let host = if host.is_empty() { "127.0.0.1".to_owned() } else { decoded(host)? };
        self.transport = Transport::Tcp { host, port, tls };
        if !path.is_empty() {
            self.database = Some(database(path)?);
        }
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            match pair.split_once('=') {
                Some(("db", value)) => self.database = Some(database(value)?),
                _ => self.rest.push(pair.to_owned()),
            }
        }
        Ok(())
    }

    /// What a client is opened with that is to use this database.
    #[must_use]
    pub fn url(&self, database: usize) -> String {
        self.written(Some(database), self.password.as_deref())
    }

    fn written(&self, database: Option<usize>, password: Option<&str>) -> String {
        let mut url = String::new();
        let mut query = self.rest.clone();
        // Writing into a string does not fail.
        let _ = match &self.transport {
            Transport::Unix(path) => {
                query.extend(database.map(|database| format!("db={database}")));
                let user = self.user.as_deref().map(|user| format!("user={}", percent_encoded(user)));
                query.extend(user);
                query.extend(password.map(|password| format!("pass={}", percent_encoded(password))));
                write!(url, "unix://{}", percent_encoded_path(path))
            }
            Transport::Tcp { host, port, tls } => {
                let scheme = if *tls { "rediss" } else { "redis" };
                let user = match (&self.user, password) {
                    (None, None) => String::new(),
                    // With a name, because redis-cli takes an empty one for a user that is not there.
                    (user, Some(password)) => {
                        let user = percent_encoded(user.as_deref().unwrap_or("default"));
                        format!("{user}:{}@", percent_encoded(password))
                    }
                    (Some(user), None) => format!("{}@", percent_encoded(user)),
                };
                let host = if host.contains(':') { format!("[{host}]") } else { host.clone() };
                let path = database.map(|database| format!("/{database}")).unwrap_or_default();
                write!(url, "{scheme}://{user}{host}:{port}{path}")
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

/// As the URL, without the password.
impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.written(self.database, None))
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Target").field(&self.to_string()).finish()
    }
}

fn told(text: String) -> RemoteError {
    RemoteError::Url(text)
}

fn some(text: String) -> Option<String> {
    (!text.is_empty()).then_some(text)
}

fn database(text: &str) -> Result<usize, RemoteError> {
    text.parse().map_err(|_| told(format!("`{text}` is no number of a database")))
}

/// A part of a URL without its `%41`.
fn decoded(text: &str) -> Result<String, RemoteError> {
    percent_decoded(text).map_err(told)
}

/// A text that stands in a URL with some of its bytes as `%41`.
///
/// # Errors
///
/// No two hexadecimal digits stand behind a `%`, or it is not UTF-8: in words.
pub fn percent_decoded(text: &str) -> Result<String, String> {
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
        bytes.push(byte.ok_or("behind `%` two hexadecimal digits are missing")?);
        rest = more.get(2..).unwrap_or_default();
    }
    String::from_utf8(bytes).map_err(|_| "it is not UTF-8".to_owned())
}

/// A text as it stands in a URL, whatever it holds.
#[must_use]
pub fn percent_encoded(text: &str) -> String {
    percent_encoded_but(text.as_bytes(), b"-._~")
}

/// A path as it stands in a URL.
#[must_use]
pub fn percent_encoded_path(path: &std::path::Path) -> String {
    percent_encoded_but(path.as_os_str().as_encoded_bytes(), b"-._~/")
}

/// All but letters, digits and some other characters is written as its bytes.
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

    #[test]
    fn a_url_is_read_as_clients_of_redis_read_it() {
        let cases = [
            ("redis://localhost", "redis://localhost:6379/3"),
            ("redis://", "redis://127.0.0.1:6379/3"),
            ("redis://:p%40ss@h:7000/2", "redis://default:p%40ss@h:7000/3"),
            ("redis://ann:s@[::1]:7000", "redis://ann:s@[::1]:7000/3"),
            ("redis://[::1]", "redis://[::1]:6379/3"),
            ("redis://ann@h/?protocol=resp3", "redis://ann@h:6379/3?protocol=resp3"),
            ("rediss://h/1#insecure", "rediss://h:6379/3#insecure"),
            ("unix:/run/r.sock", "unix:///run/r.sock?db=3"),
            ("unix:///run/r.sock?db=1&pass=x", "unix:///run/r.sock?db=3&pass=x"),
            ("redis+unix:///r?password=x&username=ann", "unix:///r?db=3&user=ann&pass=x"),
        ];
        for (url, wanted) in cases {
            let target = Target::parse(url).unwrap_or_else(|error| panic!("{url}: {error}"));
            assert_eq!(target.url(3), wanted, "{url}");
            let again = Target::parse(&target.url(3)).map(|target| target.url(3));
            assert_eq!(again.as_deref(), Ok(wanted), "{url}");
        }
        assert_eq!(Target::parse("redis://h/7").map(|target| target.database), Ok(Some(7)));
        assert_eq!(Target::parse("redis://h").map(|target| target.database), Ok(None));
    }

    #[test]
    fn what_is_no_url_is_told() {
        for url in [
            "",
            "h:6379",
            "http://h",
            "redis:h",
            "redis://h:x",
            "redis://h:70000",
            "redis://h/chat",
            "unix:r.sock",
            "unix://r.sock",
            "redis://%zz@h",
            "redis://%ff@h",
            "redis://h?db=x",
        ] {
            assert!(matches!(Target::parse(url), Err(RemoteError::Url(_))), "{url}");
        }
    }

    #[test]
    fn a_password_is_not_shown() {
        for url in ["redis://ann:s3cret@h:1/2", "redis://:s3cret@h:1/2", "unix:///r?db=2&pass=s3cret"] {
            let target = Target::parse(url);
            assert!(!format!("{target:?}").contains("s3cret"), "{target:?}");
        }
    }
}
