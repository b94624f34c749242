//! What a step of a scenario brought.

use crate::session::frame::Frame;

/// What a step brought.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Only the connections that received something or were closed, in the order in which they were opened.
    pub received: Vec<Received>,
    /// What the harness has to say beyond bytes: that a client is blocked, that something never came.
    pub note: Option<String>,
    /// The address of the harness's own connection, which must be left out of lists of clients.
    pub control: String,
    /// When it was over, in milliseconds since 1970.
    pub now: i64,
}

/// What one connection received during a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// The client's name.
    pub client: String,
    /// Replies and pushes.
    pub frames: Vec<Frame>,
    /// What came behind them and is none.
    pub rest: Vec<u8>,
    /// Whether the server has closed the connection.
    pub closed: bool,
}

impl Received {
    /// Nothing yet.
    pub(super) fn nothing(client: String) -> Self {
        Self { client, frames: Vec::new(), rest: Vec::new(), closed: false }
    }

    /// Whether nothing came.
    pub(super) fn is_nothing(&self) -> bool {
        self.frames.is_empty() && self.rest.is_empty() && !self.closed
    }
}
