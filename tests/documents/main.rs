//! The chats of five documents, run unchanged against minibroker and redis-server.
//!
//! The programs and sessions are taken out of the documents while the tests run
//! (`../shared/seeds`, or where MINIBROKER_DOCUMENTS says) and played by people
//! whose keyboards and screens are pipes. Everybody must see the same under both
//! servers, with the newest redis-py as with redis-py 5. The environments for
//! that come from `tests/documents/setup-python`, or from MINIBROKER_PYTHON_CURRENT
//! and MINIBROKER_PYTHON_5; MINIBROKER_REDIS_CLI names another redis-cli than the
//! one on the PATH (one of 7.2 or later has the prompt of the document 001). Without
//! one of these the tests are skipped, or fail where MINIBROKER_REQUIRE_DOCUMENTS is 1.

mod document;
mod person;
mod resp;
mod scenarios;
mod scratch;
mod server;
#[path = "../skipped/mod.rs"]
mod skipped;
mod stage;
mod transcript;

use std::time::Duration;

use scenarios::{chat_room, connections, queue_chat, stream_chat, subscribed_mode};
use stage::Python::{Current, Five};
use stage::same_under_both;

/// How long anybody waits for anything before the test fails.
const DEADLINE: Duration = Duration::from_secs(20);

#[test]
fn the_chat_room_shows_everyone_the_same_under_both_servers() {
    same_under_both(Current, chat_room::play);
}

#[test]
fn the_chat_room_shows_everyone_the_same_under_both_servers_with_redis_py_5() {
    same_under_both(Five, chat_room::play);
}

#[test]
fn the_queue_chat_shows_everyone_the_same_under_both_servers() {
    same_under_both(Current, queue_chat::play);
}

#[test]
fn the_queue_chat_shows_everyone_the_same_under_both_servers_with_redis_py_5() {
    same_under_both(Five, queue_chat::play);
}

#[test]
fn the_blocking_stream_chat_shows_everyone_the_same_under_both_servers() {
    same_under_both(Current, stream_chat::blocking);
}

#[test]
fn the_blocking_stream_chat_shows_everyone_the_same_under_both_servers_with_redis_py_5() {
    same_under_both(Five, stream_chat::blocking);
}

#[test]
fn the_threaded_stream_chat_shows_everyone_the_same_under_both_servers() {
    same_under_both(Current, stream_chat::threaded);
}

#[test]
fn the_threaded_stream_chat_shows_everyone_the_same_under_both_servers_with_redis_py_5() {
    same_under_both(Five, stream_chat::threaded);
}

#[test]
fn the_tidy_stream_chat_shows_everyone_the_same_under_both_servers() {
    same_under_both(Current, stream_chat::tidy);
}

#[test]
fn the_tidy_stream_chat_shows_everyone_the_same_under_both_servers_with_redis_py_5() {
    same_under_both(Five, stream_chat::tidy);
}

#[test]
fn a_redis_cli_that_subscribes_shows_the_same_on_a_terminal_under_both_servers() {
    same_under_both(Current, subscribed_mode::on_terminals);
}

#[test]
fn a_redis_cli_that_subscribes_shows_the_same_on_a_pipe_under_both_servers() {
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
