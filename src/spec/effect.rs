//! The effect of a command on its connection.

/// How a command changes the state of its connection, for a program that reads the traffic of the connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Effect {
    /// It begins a transaction: later commands are queued.
    BeginsTransaction,
    /// It runs the queued commands. Its reply contains all their replies.
    RunsTransaction,
    /// It drops the queued commands.
    DropsTransaction,
    /// It resets the connection to its initial state.
    Resets,
    /// From now on the connection receives the commands of all others.
    Monitors,
    /// It determines whether later commands are answered.
    ChoosesReplies,
}
