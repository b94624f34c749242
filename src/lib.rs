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
//! // The worker under test: takes from a queue and publishes.
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
//! # Overview
//!
//! **Start.** [`Broker`] is the handle; [`Broker::start`], [`Broker::builder`] and [`Builder`] start it, [`StartError`]
//! says why not. [`Version`] is the Redis that it speaks ([`UnknownVersion`] if a text names none). Dropping it cuts
//! all clients and frees the port.
//!
//! **Connect.** [`Broker::url`], over TLS by [`Builder::tls`] with a [`ClientCertificate`] if wanted, or in memory [`Broker::connect`] with its [`ClientStream`]. On the runtime of the
//! test, for simulations: [`Builder::start_on_this_runtime`], [`Broker::serve_listener`], [`Broker::serve_connection`].
//!
//! **Command.** [`Broker::command`] and [`Broker::command_async`] run a command, [`IntoArguments`], of [`Argument`]s,
//! and return a [`Value`] or a [`CommandError`], which may hold an [`ErrorReply`].
//!
//! **Wait.** [`Broker::wait_for_subscribers`], [`Broker::wait_for_blocked`], [`Broker::wait_for_published`] and the
//! like give a [`Wait`], by default for [`DEFAULT_WAIT`]; [`WaitError`] says what there was instead.
//! [`Broker::wait_until`] waits for any predicate on the [`State`].
//!
//! **Look.** [`Broker::published`] gives [`Message`]s, [`Broker::journal`] a [`Journal`] of [`Event`]s: an
//! [`EventKind`] by a [`Peer`], with an [`Ending`], a [`Wakeup`], a [`SubscriptionKind`]; texts are [`ByteString`]s. It
//! keeps [`DEFAULT_JOURNAL_LIMIT`] bytes. [`Broker::watch_commands`] gives a [`Watch`] of [`WatchedCommand`]s.
//! [`Broker::print_journal_on_panic`] shows the journal where a test fails.
//!
//! **Assert.** [`Broker::assert_published`], [`Broker::assert_no_message_lost`].
//!
//! **Data.** [`Broker::snapshot`] gives a [`Snapshot`], with which other brokers start ([`Builder::from_snapshot`]), also of an
//! RDB file ([`Builder::load`], [`SnapshotError`]).
//!
//! **Time.** [`Builder::manual_clock`], [`Broker::advance`], [`Broker::set_time`].
//!
//! **Faults.** [`Broker::faults`] begins [`Faults`] of [`AnyFault`], [`CommandFaults`] or [`MessageFaults`] kind, and
//! ends in a [`Fault`]. [`Broker::kill_clients`] takes a [`Filter`]; [`Broker::stop_reading`] and
//! [`Broker::stop_writing`] give a [`PauseGuard`], [`Broker::refuse_connections`] a [`RefuseGuard`]; [`Broker::stop`]
//! and [`Broker::restart`].
//!
//! **Real servers.** [`Broker::from_env`] ([`URL_VARIABLE`], [`FLUSH_VARIABLE`]) and [`Broker::attach`] give a broker
//! of [`AnyServer`]; [`Embedded`] is the other [`Server`]. [`differences`] lists the known differences.
//!
//! **Without a runtime.** [`sans_io`] is the synchronous core for simulations and runtimes of your own: bytes and the time
//! go in, bytes come out.
//!
//! The chapter [`testing_a_chat`] does all of this to one small chat service.
//!
//! Tests in other languages start the program: `minibroker --port 6380`, or `minibroker run -- COMMAND` for the time
//! of one command. With `--control` they do the same over the wire, by the command MINIBROKER ([`Builder::control`]).
//!
//! # Compatibility
//!
//! redis-server is the specification, down to the bytes of its errors. Like it the broker runs one command at a time,
//! so that all clients see one order of all events: EXEC is atomic, the confirmation of a subscription comes before
//! its messages, and the client that has waited longest is served first. By default it listens on 127.0.0.1. It keeps
//! everything in memory, and in a file if SAVE is called, without replication, cluster or modules.
//!
//! # Features
//!
//! - `cli` (default): what the program `minibroker` needs beyond the library. A test that embeds the broker turns it
//!   off: `minibroker = { version = "0.2", default-features = false }`.
//! - `scripting` (default): EVAL, functions and their relatives, by a Lua interpreter that needs a C compiler.
//! - `tls` (default): `rediss://`, of a broker by [`Builder::tls`] and of real servers. It compiles the cryptography of
//!   `ring`, which needs a C compiler.

#![cfg_attr(docsrs, feature(doc_cfg))]

mod broker;
mod clients;
mod commands;
mod config;
#[cfg(feature = "cli")]
#[doc(hidden)]
mod conform;
mod data;
pub mod differences;
mod engine;
mod keyspace;
mod remote;
mod resp;
pub mod sans_io;
mod server;
#[cfg(feature = "cli")]
mod session;
mod spec;
mod state;
mod table;
mod testing;
pub mod testing_a_chat;
mod users;

pub use crate::config::{UnknownVersion, Version};
#[cfg(feature = "tls")]
pub use broker::ClientCertificate;
pub use broker::{
    AnyServer, Anything as AnyFault, Argument, Broker, Builder, CommandError, Commands as CommandFaults,
    DEFAULT_JOURNAL_LIMIT, DEFAULT_WAIT, Embedded, Ending, ErrorReply, Event, EventKind, FLUSH_VARIABLE,
    Fault, Faults, Filter, IntoArguments, Journal, Message, Messages as MessageFaults, PauseGuard, Peer,
    RefuseGuard, Server, Snapshot, SnapshotError, StartError, State, URL_VARIABLE, Wait, WaitError, Wakeup,
    Watch, WatchedCommand,
};
pub use clients::pubsub::Kind as SubscriptionKind;
pub use resp::{ByteString, Value};
pub use server::ClientStream;

/// What the program, the benches, the fuzz targets and the tests of this crate need beside the API. No promise is made
/// of it.
#[doc(hidden)]
pub mod internal {
    pub mod commands {
        pub use crate::commands::*;
    }
    #[cfg(feature = "cli")]
    pub mod conform {
        pub use crate::conform::*;
    }
    pub mod engine {
        pub use crate::engine::*;
    }
    pub mod resp {
        pub use crate::resp::*;
    }
    pub mod server {
        pub use crate::server::*;
    }
    #[cfg(feature = "cli")]
    pub mod session {
        pub use crate::session::*;
    }
    pub mod clients {
        pub use crate::clients::*;
    }
    pub mod config {
        pub use crate::config::*;
    }
    pub mod data {
        pub use crate::data::*;
    }
    pub mod keyspace {
        pub use crate::keyspace::*;
    }
    pub mod spec {
        pub use crate::spec::*;
    }
    pub mod table {
        pub use crate::table::*;
    }
    pub mod state {
        pub use crate::state::*;
    }
    pub mod testing {
        pub use crate::testing::*;
    }
}
