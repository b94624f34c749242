//! Sessions.

pub mod cli;
mod compare;
pub mod conversation;
pub mod format;
pub mod frame;
mod play;
mod record;
mod replay;
pub mod rules;
mod server;
pub mod target;

pub use compare::compare;
pub use format::{Action, Argument, Event, FormatError, Session};
pub use frame::{Frame, Placeholder, PlaceholderKind};
pub use play::{Options, Outcome, PlayError};
pub use record::{RecordError, record};
pub use replay::replay;
pub use server::ServerError;
pub use target::Target;
