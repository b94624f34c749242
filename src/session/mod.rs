//! Sessions.

pub mod conversation;
pub mod format;
pub mod frame;
pub mod rules;
pub mod target;
mod server;

pub use format::{Action, Argument, Event, FormatError, Session};
pub use frame::{Frame, Placeholder, PlaceholderKind};
pub use target::Target;
pub use server::ServerError;
