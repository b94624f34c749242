//! The outcome of a step of a scenario.

use crate::session::frame::Frame;

/// The outcome of a step.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Only the connections that received something or were closed, in the order in which they were opened.
    pub received: Vec<Received>,
    /// A note of the harness beyond the bytes: that a client is blocked, or that something never arrived.
    pub note: Option<String>,
    /// The address of the harness's own connection, which must be left out of lists of clients.
    pub control: String,
    /// When the step ended, in milliseconds since 1970.
    pub now: i64,
    /// How many milliseconds the scenario had taken when the step ended.
    pub elapsed: u64,
}

/// What one connection received during a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// The client's name.
    pub client: String,
    /// Replies and pushes.
    pub frames: Vec<Frame>,
    /// Bytes after them that are neither.
    pub rest: Vec<u8>,
    /// Whether the server has closed the connection.
    pub closed: bool,
}

impl Received {
    /// Nothing received yet.
    pub(super) fn nothing(client: String) -> Self {
        Self { client, frames: Vec::new(), rest: Vec::new(), closed: false }
    }

    /// Whether nothing was received.
    pub(super) fn is_nothing(&self) -> bool {
        self.frames.is_empty() && self.rest.is_empty() && !self.closed
    }
}
