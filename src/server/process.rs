//! The process in which something was made.

/// The process in which this was made. A child that is forked gets a copy of everything, but none of the threads:
/// nothing is served there, and locks that another thread held stay locked. Its sockets and the runtime's event queue
/// are the parent's as well.
#[derive(Clone, Copy, Debug)]
pub struct Process(u32);

impl Process {
    /// This one.
    #[must_use]
    pub fn this() -> Self {
        Self(std::process::id())
    }

    /// True in a child that was forked since then.
    #[must_use]
    pub fn is_another(self) -> bool {
        self.0 != std::process::id()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_distinguished_from_its_parent() {
        assert!(!Process::this().is_another());
        assert!(Process(std::process::id() + 1).is_another());
    }
}
