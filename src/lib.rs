//! A broker that speaks the Redis protocol and lives inside your test process: Pub/Sub, queues, streams, presence
//! and history for testing chats. Clients of Redis run against it unchanged; what it has answers byte for byte as
//! Redis. The README lists the commands.
//!
//! # A test
//!
//! [`Broker::start`] gives each test a broker of its own, on a free port and on a thread of its own. It is there
//! when `start` returns and gone when it is dropped. What a sleep would guess, a [`Wait`] knows:
//!
//! ```
//! use minibroker::Broker;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let broker = Broker::start()?;
//!
//! // The worker under test: takes from a queue, tells everybody.
//! let client = redis::Client::open(broker.url())?;
//! let worker = std::thread::spawn(move || -> redis::RedisResult<()> {
//!     let mut connection = client.get_connection()?;
//!     let (_, said): (String, String) =
//!         redis::cmd("BLPOP").arg("chat_queue").arg(0).query(&mut connection)?;
//!     redis::cmd("PUBLISH").arg("chat").arg(said).exec(&mut connection)
//! });
//!
//! // A listener, on a second connection.
//! let mut connection = redis::Client::open(broker.url())?.get_connection()?;
//! let mut chat = connection.as_pubsub();
//! chat.subscribe("chat")?;
//!
//! // The moment has come when both are there.
//! broker.wait_for_blocked("chat_queue", 1).await?;
//! broker.wait_for_subscribers("chat", 1).await?;
//! broker.command(["LPUSH", "chat_queue", "ann: hello"])?;
//!
//! assert_eq!(chat.get_message()?.get_payload::<String>()?, "ann: hello");
//! assert_eq!(broker.command(["LLEN", "chat_queue"])?, 0);
//! worker.join().expect("the worker does not panic")?;
//! # Ok(())
//! # }
//! ```
//!
//! The same works in a plain `#[test]`, with [`Wait::blocking`] in place of `.await`; a test that blocks its own
//! runtime does not block the broker.
//!
//! # What a test can do
//!
//! - Connect by [`Broker::url`], or in memory without any socket by [`Broker::connect`].
//! - Wait: [`Broker::wait_for_subscribers`], [`Broker::wait_for_pattern_subscribers`], [`Broker::wait_for_blocked`],
//!   [`Broker::wait_for_published`], [`Broker::wait_for_clients`], [`Broker::wait_for_pending`], and
//!   [`Broker::wait_until`] for everything else. What is waited for in vain is an error that says what there was, and
//!   where the test waited.
//! - Look back: [`Broker::published`] is what was said on a channel, [`Broker::journal`] all that has happened;
//!   [`Broker::print_journal_on_panic`] shows it where a test fails.
//! - Assert: [`Broker::assert_published`], [`Broker::assert_no_message_lost`].
//! - Move time: with [`Builder::manual_clock`] it passes by [`Broker::advance`] and [`Broker::set_time`] alone, for
//!   expiry, timeouts, stream ids and idle times alike.
//! - Break things: [`Broker::faults`] strikes commands and messages, [`Broker::kill_clients`],
//!   [`Broker::stop_reading`] and [`Broker::stop_writing`] connections, [`Broker::refuse_connections`],
//!   [`Broker::stop`] and [`Broker::restart`] all of it.
//! - Prove: [`Broker::from_env`] runs the same test on a real server, [`Builder::compat`] speaks an older version, and
//!   [`differences`] tells what is known to differ.
//! - Simulate: [`Builder::start_on_this_runtime`] has the broker take part in a deterministic simulation, over any stream
//!   by [`Broker::serve_connection`].
//! - Look inside and act itself: [`Broker::command`] runs any command and returns a [`Value`];
//!   [`Broker::watch_commands`] shows all that clients send as it comes.
//! - Set a port, a password, a Unix socket, limits: [`Broker::builder`].
//! - End it: dropping it cuts all clients and frees the port before `drop` returns, also while a test panics.
//!
//! The chapter [`testing_a_chat`] does all of this to one small chat service.
//!
//! Tests in other languages start the program: `minibroker --port 6380`, or `minibroker run -- COMMAND` for the time
//! of one command. With `--control` they do the same over the wire, by the command MINIBROKER ([`Builder::control`]).
//!
//! # What is right
//!
//! redis-server is the specification, down to the bytes of its errors. Like it the broker runs one command at a time,
//! so that all clients see one order of all events: EXEC is atomic, the confirmation of a subscription comes before
//! its messages, and who has waited longest is served first. It listens on 127.0.0.1 unless told otherwise, keeps
//! everything in memory, and knows no persistence, replication, cluster or modules.
//!
//! # How it is built
//!
//! A synchronous core does everything that Redis does, and a thin shell gives it connections and the time. Each module
//! uses only those below it:
//!
//! | module | what is there | knows of |
//! |---|---|---|
//! | [`broker`] | the handle that a test holds | threads |
//! | `conform` | cases: conversations that real servers were asked, for tests and `minibroker conform` | sessions |
//! | `remote` | real servers: their URLs, connections, answers | sockets, TLS |
//! | [`session`] | what clients said to a server, recorded, played and compared | tokio, a broker |
//! | [`server`] | connections, timer, waits: the shell | tokio, the system's clock |
//! | [`engine`] | one request at a time: dispatch, transactions, who waits is served | |
//! | [`commands`] | the commands, a file a family, and the table of all of them | arguments and replies |
//! | [`store`] | keys and values, expiry, subscriptions, clients | data only |
//! | [`resp`] | requests are read, replies are written | bytes |
//!
//! From [`engine`] down nothing knows a socket, a thread or a clock: the same requests at the same times give the same
//! bytes. An [`engine::Engine`] can be driven without the rest, as fuzz targets and simulations do.
//!
//! # Features
//!
//! - `cli` (default): what the program `minibroker` needs beyond the library. A test that embeds the broker turns it off:
//!   `minibroker = { version = "0.2", default-features = false }`.
//! - `tls`: real servers behind `rediss://`.

pub mod broker;
pub mod commands;
#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod conform;
pub mod differences;
pub mod engine;
mod remote;
pub mod resp;
pub mod server;
#[cfg(feature = "cli")]
pub mod session;
pub mod store;
pub mod testing_a_chat;

pub use broker::{
    AnyServer, Argument, Broker, Builder, CommandError, DEFAULT_JOURNAL_LIMIT, DEFAULT_WAIT, Embedded,
    Ending, ErrorReply, Event, EventKind, FLUSH_VARIABLE, Fault, Faults, Filter, IntoArguments, Journal,
    Message, Peer, Refusal, Server, Stall, StartError, State, URL_VARIABLE, Wait, WaitError, Wakeup, Watch,
    WatchedCommand,
};
pub use resp::{ByteString, Value};
pub use server::ClientStream;
pub use store::{UnknownVersion, Version};
