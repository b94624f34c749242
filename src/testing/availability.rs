//! Whether the broker takes connections: it may be stopped, and it may refuse them for a while.

/// What was ordered. The shell's listening sockets follow it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Availability {
    stopped: bool,
    refusals: u32,
    run: u32,
}

impl Availability {
    /// True if new connections are taken.
    #[must_use]
    pub fn accepts(self) -> bool {
        !self.stopped && self.refusals == 0
    }

    /// True from a stop to the next restart.
    #[must_use]
    pub fn is_stopped(self) -> bool {
        self.stopped
    }

    /// How often the broker was restarted. A connection belongs to one run.
    #[must_use]
    pub fn run(self) -> u32 {
        self.run
    }

    /// The broker stops.
    pub fn stop(&mut self) {
        self.stopped = true;
    }

    /// The broker is there again.
    pub fn restart(&mut self) {
        self.stopped = false;
        self.run = self.run.wrapping_add(1);
    }

    /// One more wants connections to be refused.
    pub fn refuse(&mut self) {
        self.refusals = self.refusals.saturating_add(1);
    }

    /// One less does.
    pub fn end_refusal(&mut self) {
        self.refusals = self.refusals.saturating_sub(1);
    }
}
