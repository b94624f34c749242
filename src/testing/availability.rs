//! Whether the broker accepts connections: it may be stopped or refuse them.

/// The requested state. The shell's listening sockets follow it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Availability {
    stopped: bool,
    refusing: u32,
    run: u32,
}

impl Availability {
    /// True if new connections are accepted.
    #[must_use]
    pub fn accepts(self) -> bool {
        !self.stopped && self.refusing == 0
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

    /// The broker runs again.
    pub fn restart(&mut self) {
        self.stopped = false;
        self.run = self.run.wrapping_add(1);
    }

    /// Adds a guard that refuses connections.
    pub fn refuse(&mut self) {
        self.refusing = self.refusing.saturating_add(1);
    }

    /// Removes a guard.
    pub fn end_refusing(&mut self) {
        self.refusing = self.refusing.saturating_sub(1);
    }
}
