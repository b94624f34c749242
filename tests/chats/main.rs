//! Chats as people write them with Redis, each test with a broker of its own in its own process: a queue that a
//! server empties, a session in subscribed mode, a group chat over a stream, rooms with a backlog, a chat room
//! with presence and whispers, keys that expire, workers that share a stream.

mod backlog;
mod chat_room;
mod connect;
mod presence;
mod queue_chat;
mod stream_chat;
mod subscribed_mode;
mod workers;

/// What a test returns.
type Outcome = Result<(), Box<dyn std::error::Error>>;
