//! Chats in Python, played by simulated users whose keyboards and screens are pipes.
//!
//! The programs in `programs/` were written for these tests: all clients must see what is recorded in `expected/`,
//! under minibroker and, if it is installed, under redis-server.
//!
//! The chats of five documents run unchanged under both servers. The programs and sessions are taken out of the documents
//! while the tests run (`../shared/seeds`, or where MINIBROKER_DOCUMENTS says), and all clients must see the same under both.
//!
//! Both are played with the newest redis-py and with redis-py 5. The environments for that come from
//! `tests/documents/setup-python`, or from MINIBROKER_PYTHON_CURRENT and MINIBROKER_PYTHON_5. MINIBROKER_REDIS_CLI names
//! another redis-cli than the one on the PATH (one of 7.2 or later has the prompt of the document 001). Without one of
//! these the tests are skipped, or fail where MINIBROKER_REQUIRE_DOCUMENTS, _PYTHON or _SERVERS is 1.

mod chats;
mod document;
mod person;
mod recorded;
mod resp;
mod scenarios;
mod scratch;
mod server;
#[path = "../skipped/mod.rs"]
mod skipped;
mod stage;
mod transcript;

use std::time::Duration;

use recorded::as_recorded;
use scenarios::{chat_room, connections, queue_chat, stream_chat, subscribed_mode};
use stage::Python::{Current, Five};
use stage::same_under_both;

/// A timeout that is never reached.
const DEADLINE: Duration = Duration::from_secs(60);

macro_rules! recorded_chats {
    ($($chat:ident: $current:ident, $five:ident;)*) => {
        $(
            #[test]
            fn $current() {
                as_recorded(Current, stringify!($chat), chats::$chat);
            }

            #[test]
            fn $five() {
                as_recorded(Five, stringify!($chat), chats::$chat);
            }
        )*
    };
}

recorded_chats! {
    queue: a_queue_chat_is_as_recorded, a_queue_chat_is_as_recorded_with_redis_py_5;
    subscribed: a_subscribed_connection_is_as_recorded, a_subscribed_connection_is_as_recorded_with_redis_py_5;
    rooms: rooms_with_a_backlog_are_as_recorded, rooms_with_a_backlog_are_as_recorded_with_redis_py_5;
    stream_in_turns: a_stream_read_in_turns_is_as_recorded, a_stream_read_in_turns_is_as_recorded_with_redis_py_5;
    stream_of_all: a_stream_read_by_a_thread_is_as_recorded, a_stream_read_by_a_thread_is_as_recorded_with_redis_py_5;
    stream_of_others: a_stream_of_others_is_as_recorded, a_stream_of_others_is_as_recorded_with_redis_py_5;
    lobby: a_lobby_with_guests_is_as_recorded, a_lobby_with_guests_is_as_recorded_with_redis_py_5;
}

#[test]
fn the_chat_room_shows_everyone_the_same_under_both_servers() {
    same_under_both(Current, chat_room::play);
}

#[test]
fn the_chat_room_is_the_same_on_both_servers_with_redis_py_5() {
    same_under_both(Five, chat_room::play);
}

#[test]
fn the_queue_chat_shows_everyone_the_same_under_both_servers() {
    same_under_both(Current, queue_chat::play);
}

#[test]
fn the_queue_chat_is_the_same_on_both_servers_with_redis_py_5() {
    same_under_both(Five, queue_chat::play);
}

#[test]
fn the_blocking_stream_chat_shows_everyone_the_same_under_both_servers() {
    same_under_both(Current, stream_chat::blocking);
}

#[test]
fn the_blocking_stream_chat_is_the_same_on_both_with_redis_py_5() {
    same_under_both(Five, stream_chat::blocking);
}

#[test]
fn the_threaded_stream_chat_shows_everyone_the_same_under_both_servers() {
    same_under_both(Current, stream_chat::threaded);
}

#[test]
fn the_threaded_stream_chat_is_the_same_on_both_with_redis_py_5() {
    same_under_both(Five, stream_chat::threaded);
}

#[test]
fn the_tidy_stream_chat_shows_everyone_the_same_under_both_servers() {
    same_under_both(Current, stream_chat::tidy);
}

#[test]
fn the_tidy_stream_chat_is_the_same_on_both_with_redis_py_5() {
    same_under_both(Five, stream_chat::tidy);
}

#[test]
fn a_subscribed_redis_cli_on_a_terminal_shows_the_same_on_both() {
    same_under_both(Current, subscribed_mode::on_terminals);
}

#[test]
fn a_subscribed_redis_cli_on_a_pipe_shows_the_same_on_both() {
    same_under_both(Current, subscribed_mode::on_pipes);
}

#[test]
fn the_subscribed_mode_answers_the_same_on_the_wire_under_both_servers() {
    same_under_both(Current, subscribed_mode::on_the_wire);
}

#[test]
fn the_connections_are_answered_as_documented_under_both_servers() {
    same_under_both(Current, connections::over_sockets);
}

#[test]
fn the_connections_see_the_same_over_redis_py_under_both_servers() {
    same_under_both(Current, connections::over_redis_py);
}

#[test]
fn the_connections_see_the_same_over_redis_py_5_under_both_servers() {
    same_under_both(Five, connections::over_redis_py);
}

#[test]
fn the_backlog_shows_the_same_over_redis_cli_under_both_servers() {
    same_under_both(Current, connections::backlog_over_redis_cli);
}
