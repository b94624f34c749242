//! Servers to attach to.

use std::env;
use std::sync::atomic::{AtomicU32, Ordering};

use minibroker::Broker;

use crate::servers::{self, Server};
use crate::skipped;

/// A server, and the URL under which it is reached.
pub struct Running {
    pub name: String,
    pub url: String,
    /// The same URL with database 0, to check the server from outside.
    pub outside: String,
    _keep: Server,
}

impl Running {
    fn new(server: Server) -> Self {
        let url = format!("redis://{}", server.addr);
        Self { name: server.name.clone(), outside: url.clone(), url, _keep: server }
    }

    /// A connection in database 0.
    pub fn connection(&self) -> redis::Connection {
        let client = redis::Client::open(self.outside.as_str()).expect("it is a URL");
        client.get_connection().unwrap_or_else(|error| panic!("{}: {error}", self.name))
    }

    /// The section `Keyspace` of INFO: empty if there are no keys.
    pub fn keyspace(&self) -> String {
        let info: String =
            redis::cmd("INFO").arg("keyspace").query(&mut self.connection()).expect("it answers");
        info.lines().filter(|line| line.starts_with("db")).collect::<Vec<_>>().join("\n")
    }

    /// The same server with a password.
    pub fn with_password(mut self) -> Self {
        let mut connection = self.connection();
        redis::cmd("CONFIG")
            .arg("SET")
            .arg("requirepass")
            .arg("s3c:r@t")
            .exec(&mut connection)
            .expect("it takes a password");
        self.url = self.url.replacen("redis://", "redis://:s3c%3Ar%40t@", 1);
        self.outside.clone_from(&self.url);
        self
    }
}

/// An embedded broker as another server, and every installed real server.
pub fn all() -> impl Iterator<Item = Running> {
    let embedded = servers::minibroker(minibroker::Version::default());
    std::iter::once(embedded).chain(real_ones(&[])).map(|server| Running::new(server.expect("it starts")))
}

/// The real servers.
pub fn real() -> impl Iterator<Item = Running> {
    real_ones(&[]).map(|server| Running::new(server.expect("it starts")))
}

/// The real servers, each as the only node of a cluster.
pub fn clusters() -> impl Iterator<Item = Running> {
    let settings = ["--cluster-enabled", "yes"].map(str::to_owned);
    real_ones(&settings).map(|server| {
        let server = Running::new(server.expect("it starts"));
        let mut connection = server.connection();
        let mut cluster = redis::cmd("CLUSTER");
        cluster.arg("ADDSLOTSRANGE").arg(0).arg(16383).exec(&mut connection).expect("it takes all slots");
        let is_ready = |connection: &mut redis::Connection| {
            let info: String = redis::cmd("CLUSTER").arg("INFO").query(connection).expect("it answers");
            info.contains("cluster_state:ok")
        };
        while !is_ready(&mut connection) {
            // The interval between two requests; the test does not depend on it.
            std::thread::sleep(std::time::Duration::from_millis(3));
        }
        server
    })
}

fn real_ones(settings: &[String]) -> impl Iterator<Item = Result<Server, String>> + use<> {
    let servers: Vec<_> = servers::real_with(settings).collect();
    if servers.is_empty() {
        skipped::missing("redis-server");
    }
    servers.into_iter()
}

/// The same servers, each reached by a Unix socket.
#[cfg(unix)]
pub fn by_unix_socket() -> impl Iterator<Item = (Running, Option<Broker>)> {
    let path = || {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        env::temp_dir().join(format!("mb attached-{}-{number}.sock", std::process::id()))
    };
    let embedded = std::iter::once_with(move || {
        let broker = Broker::builder().bind([]).unix_socket(path()).start().expect("it starts");
        let (name, url) = ("minibroker".to_owned(), broker.url());
        let unused = servers::minibroker(minibroker::Version::default()).expect("it starts");
        (Running { name, outside: url.clone(), url, _keep: unused }, Some(broker))
    });
    // Each server in its own folder.
    let settings: Vec<String> =
        ["--unixsocket", "r.sock", "--unixsocketperm", "700"].map(str::to_owned).into();
    let real = real_ones(&settings).map(|server| {
        let mut running = Running::new(server.expect("it starts"));
        let folder: Vec<String> = redis::cmd("CONFIG")
            .arg("GET")
            .arg("dir")
            .query(&mut running.connection())
            .expect("it has a folder");
        running.url = format!("unix://{}/r.sock", folder[1]);
        (running, None)
    });
    embedded.chain(real)
}

/// The servers that support TLS, with these settings for it, started one by one.
#[cfg(feature = "tls")]
pub fn with_tls(settings: &[String]) -> impl Iterator<Item = Running> {
    servers::real_with(settings).filter_map(|server| match server {
        Ok(server) => Some(Running::new(server)),
        Err(error) => {
            eprintln!("without TLS: {error}");
            None
        }
    })
}
