//! What the engine asks of its shell while a script runs.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::MappedMutexGuard;

use super::Engine;

/// The shell of an engine, for scripts that run long.
pub trait Shell: fmt::Debug + Send + Sync {
    /// The first script is about to run. While a script is busy the engine is found in `lent`.
    fn lend(&self, lent: Arc<dyn Lent>);

    /// How long the shell has been running, by a clock that a test cannot stop or move.
    fn uptime(&self) -> Duration;

    /// How long the calling thread may run a script that is busy after `threshold`; none if another client can end it.
    fn longest(&self, threshold: Duration) -> Option<Duration>;

    /// Whether scripts are to end, because the broker ends or closes a client.
    fn is_ending(&self) -> bool;

    /// Serves other clients. It is called repeatedly while a script is busy, by the thread that runs it.
    fn serve_others(&self);
}

/// Gives access to the engine while a script keeps it busy.
pub trait Lent: Send + Sync {
    /// The engine, if a script keeps it busy now. The next call of the script waits as long as the guard lives.
    fn lock(&self) -> Option<MappedMutexGuard<'_, Engine>>;
}
