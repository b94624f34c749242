//! What a command does to the connection that sends it.

/// How a command changes the state of its connection, for a program that reads what the connection sends and receives.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Effect {
    /// It begins a transaction: what follows is queued.
    BeginsTransaction,
    /// It runs the queued commands. Its reply is those of all of them.
    RunsTransaction,
    /// It drops the queued commands.
    DropsTransaction,
    /// It puts the connection back into the state in which it was opened.
    Resets,
    /// From now on the connection receives the commands of all others.
    Monitors,
    /// It chooses whether what follows is answered.
    ChoosesReplies,
}
