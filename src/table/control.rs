//! The command of a tester, which stands beside the table: no list names it.

use super::{COUNT, TABLE};
use crate::commands::control;
use crate::spec::{Command, Flags, Group};

/// MINIBROKER, where the broker may be controlled.
pub static CONTROL: Command = Command {
    name: control::NAME,
    arity: -2,
    flags: Flags::ADMIN.or(Flags::NOSCRIPT).or(Flags::NO_MULTI).or(Flags::ANYTIME).or(Flags::SKIP_MONITOR),
    group: Group::Server,
    since: "8.0.6",
    summary: "Waits, looks back, moves the time and breaks things for a test.",
    ..Command::EMPTY
}
.placed(&TABLE, COUNT, None, &[]);
