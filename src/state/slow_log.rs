//! The commands that took long, which SLOWLOG shows.

use std::collections::VecDeque;

use crate::data::{Bytes, Time};

/// How many arguments of a command are kept; the last one says how many more there were. As `SLOWLOG_ENTRY_MAX_ARGC` of
/// redis-server.
const ARGUMENTS_KEPT: usize = 32;

/// How many bytes of an argument are kept: `SLOWLOG_ENTRY_MAX_STRING`.
const BYTES_KEPT: usize = 128;

/// A command that took long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlowCommand {
    /// A number of its own, which SLOWLOG RESET does not reset.
    pub id: u64,
    /// When it had run.
    pub at: Time,
    /// How long it ran, in microseconds.
    pub micros: u64,
    /// Its arguments, shortened.
    pub args: Vec<Bytes>,
    /// The address of its client.
    pub address: String,
    /// The name of its client.
    pub name: Bytes,
}

/// The log, with the newest command first.
#[derive(Debug, Default)]
pub struct SlowLog {
    commands: VecDeque<SlowCommand>,
    next_id: u64,
}

impl SlowLog {
    /// Adds a command, and forgets the oldest ones beyond `max`. Its number is set here.
    pub fn add(&mut self, command: SlowCommand, max: usize) {
        self.commands.push_front(SlowCommand { id: self.next_id, ..command });
        self.next_id += 1;
        self.commands.truncate(max);
    }

    /// The commands, the newest first.
    #[must_use]
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &SlowCommand> {
        self.commands.iter()
    }

    /// Forgets all commands.
    pub fn clear(&mut self) {
        self.commands.clear();
    }
}

/// The arguments as the log keeps them.
pub fn shortened<'a>(args: impl ExactSizeIterator<Item = &'a [u8]>) -> Vec<Bytes> {
    let count = args.len();
    let kept = if count > ARGUMENTS_KEPT { ARGUMENTS_KEPT - 1 } else { count };
    let mut shortened: Vec<Bytes> = args.take(kept).map(shortened_argument).collect();
    if count > kept {
        shortened.push(format!("... ({} more arguments)", count - kept).into_bytes().into());
    }
    shortened
}

fn shortened_argument(argument: &[u8]) -> Bytes {
    match argument.split_at_checked(BYTES_KEPT) {
        Some((kept, more)) if !more.is_empty() => {
            let mut text = kept.to_vec();
            text.extend_from_slice(format!("... ({} more bytes)", more.len()).as_bytes());
            text.into()
        }
        _ => argument.into(),
    }
}
