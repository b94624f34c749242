//! The scenarios: each plays the programs of one document with one server.

pub mod chat_room;
pub mod connections;
pub mod queue_chat;
pub mod stream_chat;
pub mod subscribed_mode;
