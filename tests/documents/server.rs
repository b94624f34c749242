//! The two servers, and a control connection that observes their state.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use minibroker::Broker;

use crate::DEADLINE;
use crate::resp::{Connection, Reply};
use crate::scratch::Scratch;

/// Which server.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    /// The redis-server of the machine.
    Redis,
    /// The broker under test.
    Minibroker,
}

/// A running server, stopped on drop.
pub struct Server {
    port: u16,
    /// Only held, so that the server lives as long as this value.
    _running: Running,
}

enum Running {
    Redis { _process: RedisServer },
    Minibroker { _broker: Broker },
}

impl Server {
    /// Starts a server on a free port.
    pub fn start(kind: Kind, redis_server: &Path) -> Server {
        match kind {
            Kind::Redis => {
                let process = RedisServer::start(redis_server);
                Server { port: process.port, _running: Running::Redis { _process: process } }
            }
            Kind::Minibroker => {
                let broker = Broker::start().expect("minibroker starts");
                Server { port: broker.port(), _running: Running::Minibroker { _broker: broker } }
            }
        }
    }

    /// The port it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// A new connection to it.
    pub fn connect(&self) -> Connection {
        Connection::open(self.port).expect("the server accepts connections")
    }
}

/// A redis-server process, killed on drop.
struct RedisServer {
    child: Child,
    port: u16,
    scratch: Scratch,
}

impl RedisServer {
    fn start(program: &Path) -> RedisServer {
        // Another process may take the free port before the server listens on
        // it; then another port is tried.
        (0..10).find_map(|_| RedisServer::try_start(program)).expect("redis-server starts on a free port")
    }

    fn try_start(program: &Path) -> Option<RedisServer> {
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).ok()?;
        let port = listener.local_addr().ok()?.port();
        drop(listener);
        let scratch = Scratch::new();
        let child = Command::new(program)
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1"])
            .args(["--save", "", "--appendonly", "no", "--dir"])
            .arg(scratch.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("redis-server can be run");
        let mut server = RedisServer { child, port, scratch };
        server.await_ready().then_some(server)
    }

    /// Waits until this process, not another one, answers on the port.
    fn await_ready(&mut self) -> bool {
        let own = format!("process_id:{}\r\n", self.child.id());
        let start = Instant::now();
        while start.elapsed() < DEADLINE {
            if self.child.try_wait().is_ok_and(|status| status.is_some()) {
                return false;
            }
            let info = Connection::open(self.port).and_then(|mut c| c.run(&["INFO", "server"]));
            if let Ok(Reply::Bulk(text)) = info {
                return text.contains(&own);
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        panic!("redis-server is not ready, in {}", self.scratch.path().display());
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A connection that watches a server, so that no client acts before the others are ready.
pub struct Control(Connection);

impl Control {
    /// Watches `server`.
    pub fn of(server: &Server) -> Control {
        Control(server.connect())
    }

    /// Runs a command that must not fail.
    pub fn run(&mut self, words: &[&str]) -> Reply {
        match self.0.run(words) {
            Ok(Reply::Error(error)) => panic!("{words:?}: {error}"),
            Ok(reply) => reply,
            Err(error) => panic!("{words:?}: {error}"),
        }
    }

    /// Waits until exactly `count` clients wait in a blocking command.
    pub fn until_blocked(&mut self, count: usize) {
        let expected = format!("blocked_clients:{count}\r\n");
        self.until(&format!("{count} blocked clients"), |control| {
            matches!(control.run(&["INFO", "clients"]), Reply::Bulk(text) if text.contains(&expected))
        });
    }

    /// Waits until there are exactly `count` subscriptions to channels, over all channels.
    pub fn until_subscribed(&mut self, count: i64) {
        self.until(&format!("{count} subscriptions"), |control| {
            let channels = strings(control.run(&["PUBSUB", "CHANNELS"]));
            let mut question = vec!["PUBSUB", "NUMSUB"];
            question.extend(channels.iter().map(String::as_str));
            let Reply::Array(answer) = control.run(&question) else {
                return false;
            };
            let subscribers = answer.iter().map(|item| match item {
                Reply::Integer(number) => *number,
                _ => 0,
            });
            subscribers.sum::<i64>() == count
        });
    }

    /// Waits until the only key is a list of `length` elements.
    pub fn until_queued(&mut self, length: i64) {
        self.until(&format!("{length} elements in the queue"), |control| {
            match strings(control.run(&["KEYS", "*"])).as_slice() {
                [key] => control.run(&["LLEN", key]) == Reply::Integer(length),
                _ => false,
            }
        });
    }

    fn until(&mut self, what: &str, mut reached: impl FnMut(&mut Control) -> bool) {
        let start = Instant::now();
        while !reached(self) {
            if start.elapsed() > DEADLINE {
                let clients = self.run(&["CLIENT", "LIST"]);
                panic!("the server never had {what}; its clients: {}", clients.shown());
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

/// The strings of an array.
fn strings(reply: Reply) -> Vec<String> {
    let Reply::Array(items) = reply else {
        return Vec::new();
    };
    let string = |item| match item {
        Reply::Bulk(text) => Some(text),
        _ => None,
    };
    items.into_iter().filter_map(string).collect()
}
