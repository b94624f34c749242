//! The effect of a command on its connection, and what else a reader of the traffic has to know.

/// What a program that reads the traffic of a connection has to know of a command: mostly how it changes the state of
/// its connection.
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
    /// It logs in. The last argument is the password.
    LogsIn,
    /// It chooses the protocol version. With the option AUTH, user and password, it logs in.
    ChoosesProtocol,
    /// It selects the database, given by its argument, of later commands.
    SelectsDatabase,
    /// It may change other databases than the one that is selected.
    ChangesOtherDatabases,
    /// Its arguments, and those of its subcommands, may be ids of clients.
    TakesClientIds,
}
