//! A server that fails, and how a client reacts.
//!
//! How does a service behave while its Redis loads its data, has no memory left, closes connections or is stopped? With
//! a real server these states are hard to produce and harder to leave. Here each is one line, for the lifetime of a
//! guard.
//!
//! `cargo run --example failing_server`

use std::error::Error;
use std::time::Duration;

use minibroker::{Broker, Filter};
use redis::{Commands, ErrorKind, RedisResult, ServerErrorKind};

/// The client under test: sends a message, and tries again as long as that makes sense.
struct Sender {
    client: redis::Client,
    connection: Option<redis::Connection>,
    /// How often it has tried.
    attempts: usize,
}

impl Sender {
    const ATTEMPTS_MAX: usize = 5;

    fn new(url: &str) -> RedisResult<Self> {
        Ok(Self { client: redis::Client::open(url)?, connection: None, attempts: 0 })
    }

    fn try_send(&mut self, text: &str) -> RedisResult<usize> {
        self.attempts += 1;
        if self.connection.is_none() {
            let mut connection = self.client.get_connection()?;
            redis::cmd("CLIENT").arg("SETNAME").arg("sender").exec(&mut connection)?;
            self.connection = Some(connection);
        }
        let connection = self.connection.as_mut().expect("it was made above");
        connection.rpush("outbox", text)
    }

    fn send(&mut self, text: &str) -> RedisResult<usize> {
        self.attempts = 0;
        loop {
            match self.try_send(text) {
                // The server will be ready soon.
                Err(error)
                    if error.kind() == ErrorKind::Server(ServerErrorKind::BusyLoading)
                        && self.attempts < Self::ATTEMPTS_MAX => {}
                // The next attempt needs a new connection.
                Err(error) if error.is_io_error() && self.attempts < Self::ATTEMPTS_MAX => {
                    self.connection = None;
                }
                sent => return sent,
            }
        }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let broker = Broker::start()?;
    broker.print_journal_on_panic();
    let mut sender = Sender::new(&broker.url())?;
    assert_eq!(sender.send("all is well")?, 1);

    // The server loads its data and refuses commands until that is done.
    let loading = broker.faults().on_command("RPUSH").loading();
    let refused = sender.try_send("too early").expect_err("the server is loading");
    assert_eq!(refused.code(), Some("LOADING"));
    drop(loading);
    assert_eq!(sender.send("loaded")?, 2);

    // The server has no memory left: trying again does not help, and the sender reports an error at once.
    let out_of_memory = broker.faults().on_command("RPUSH").out_of_memory();
    let refused = sender.send("too much").expect_err("there is no memory");
    assert_eq!((refused.code(), sender.attempts), (Some("OOM"), 1));
    drop(out_of_memory);

    // The connection breaks before the command is run. The sender connects again, and nothing is sent twice.
    let fault = broker.faults().on_command("RPUSH").once().disconnect();
    assert_eq!(sender.send("once")?, 3);
    assert_eq!((fault.hits(), sender.attempts), (1, 2));

    // The connection breaks after the command was run. The sender cannot know, tries again, and sends twice: a test
    // that shows what "at least once" means.
    let fault = broker.faults().on_command("RPUSH").once().disconnect_after();
    assert_eq!(sender.send("twice")?, 5);
    drop(fault);

    // The server is stopped. The sender gives up after some attempts, and continues when the server runs again.
    broker.stop()?;
    assert!(sender.send("is anybody there?").expect_err("nobody is").is_io_error());
    assert_eq!(sender.attempts, Sender::ATTEMPTS_MAX);
    broker.restart()?;
    assert_eq!(sender.send("back again")?, 6);

    // The server hangs: it accepts the command and does not reply. Without a timeout a client waits for ever.
    let stalled = broker.stop_reading(Filter::name("sender"));
    assert_eq!(stalled.clients(), 1);
    let connection = sender.connection.as_mut().expect("it is connected");
    connection.set_read_timeout(Some(Duration::from_millis(20)))?;
    let unanswered: RedisResult<usize> = connection.rpush("outbox", "hello?");
    assert!(unanswered.expect_err("there is no answer").is_timeout());
    drop(stalled);

    println!("the sender has survived: {}", broker.command(["LRANGE", "outbox", "0", "5"])?);
    Ok(())
}
