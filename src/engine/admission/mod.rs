//! The rules by which a request is admitted: what is allowed when, and the error for a command that does not exist.

use super::Engine;
use crate::clients::{Client, ClientKey, Rights};
use crate::commands::{acl, control};
use crate::config::{Config, Version};
use crate::resp::{Args, Protocol, up_to_nul};
use crate::spec::{Command, Error, Flags};
use crate::table::{CONTROL, TABLE};
use crate::testing::faults::{SimulatedState, Subject};
use crate::users::{Context as DeniedIn, Denial, Users};

/// How many bytes of an unknown command and of its arguments the error repeats, as in redis-server.
const UNKNOWN_SHOWN: usize = 128;

/// Why a command may not run.
#[derive(Debug)]
pub(super) enum Refusal {
    /// This is its reply.
    Error(Error),
    /// The client's user has not the right; see [`Engine::error_of`].
    Denied(Denial),
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

/// Whether a command may run, checked in the order of redis-server. `simulates` is asked whether the server is to behave
/// as if it were in a state.
#[inline(always)]
#[allow(clippy::inline_always)] // See `receive` in `command_life.rs`.
pub(super) fn check_allowed(
    client: &Client,
    users: &Users,
    (command, args): (&Command, Args<'_>),
    mut simulates: impl FnMut(SimulatedState) -> bool,
) -> Result<(), Refusal> {
    let must_authenticate = client.must_authenticate() && !command.flags.contains(Flags::NO_AUTH);
    if must_authenticate || simulates(SimulatedState::NoAuth) {
        return Err(Error::new(SimulatedState::NoAuth.error()).into());
    }
    if client.transaction.is_some() && command.flags.contains(Flags::NO_MULTI) {
        return Err(Error::new("ERR Command not allowed inside a transaction").into());
    }
    check_permission(client, users, command, args).map_err(Refusal::Denied)?;
    for state in [SimulatedState::OutOfMemory, SimulatedState::ReadOnly] {
        if simulates(state) {
            return Err(Error::new(state.error()).into());
        }
    }
    if client.protocol == Protocol::Resp2
        && client.is_subscribed()
        && !command.flags.contains(Flags::ALLOWED_SUBSCRIBED)
    {
        let name = command.full_name();
        return Err(Error::new(format!(
            "ERR Can't execute '{name}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are \
             allowed in this context"
        ))
        .into());
    }
    for state in [SimulatedState::Loading, SimulatedState::Busy] {
        if simulates(state) {
            return Err(Error::new(state.error()).into());
        }
    }
    if client.monitor && (command.may_write() || command.flags.contains(Flags::READONLY)) {
        // redis-server treats a monitor as a kind of replica.
        return Err(Error::new("ERR Replica can't interact with the keyspace").into());
    }
    Ok(())
}

/// Whether the user of a client may call a command so. That a client has to log in first is not asked here.
#[inline]
pub(super) fn check_permission(
    client: &Client,
    users: &Users,
    command: &Command,
    args: Args<'_>,
) -> Result<(), Denial> {
    if client.rights == Rights::Limited { check_rules(client, users, command, args) } else { Ok(()) }
}

/// Whether the rules of a user allow a call.
// Out of line, as most clients have all rights.
#[cold]
#[inline(never)]
fn check_rules(client: &Client, users: &Users, command: &Command, args: Args<'_>) -> Result<(), Denial> {
    match users.get(client.user) {
        // MINIBROKER is in no table: only users with all rights may call it.
        _ if std::ptr::eq(command, &raw const CONTROL) => Err(Denial::Command),
        Some(user) => command.check_permission(user, args),
        None => Err(Denial::Command),
    }
}

impl Engine {
    /// The error for a command that may not run. What is denied to a user is noted for ACL LOG.
    #[cold]
    #[inline(never)]
    pub(super) fn error_of(
        &mut self,
        key: ClientKey,
        (command, args): (&Command, Args<'_>),
        refusal: Refusal,
    ) -> Error {
        match refusal {
            Refusal::Error(error) => error,
            Refusal::Denied(denial) => {
                let queues = self.state.clients.get(key).is_some_and(|client| client.transaction.is_some());
                let context = if queues { DeniedIn::Multi } else { DeniedIn::Toplevel };
                acl::error(&acl::deny_command(&mut self.state, key, (command, args), (denial, context)))
            }
        }
    }
}

/// True for the beginning of an HTTP request: a browser was tricked into sending it, and nothing of what it sends may
/// run.
pub(super) fn is_from_browser(name: &[u8]) -> bool {
    name.eq_ignore_ascii_case(b"post") || name.eq_ignore_ascii_case(b"host:")
}

/// True for the command of a test client, if the config allows it to control the broker.
pub(super) fn is_control(config: &Config, args: Args<'_>) -> bool {
    config.control && args[0].eq_ignore_ascii_case(control::NAME.as_bytes())
}

/// What the scopes of faults are tested against.
pub(super) fn subject<'a>(client: &'a Client, command: &Command, args: Args<'a>) -> Subject<'a> {
    let keys = command.keys(args).unwrap_or_default();
    let keys = keys.iter().filter_map(|(index, _)| args.get(*index)).collect();
    let channels = command.channel_names(args).iter().collect();
    Subject { command: command.index(), client, keys, channels }
}

/// True if redis-server refuses a command in this state. `queued` are the flags of the commands it would run.
pub(super) fn refuses(state: SimulatedState, own: Flags, queued: &[Flags]) -> bool {
    let any = |test: fn(Flags) -> bool| std::iter::once(own).chain(queued.iter().copied()).any(test);
    match state {
        SimulatedState::NoAuth => !own.contains(Flags::NO_AUTH),
        SimulatedState::OutOfMemory => any(|flags| flags.contains(Flags::DENYOOM)),
        SimulatedState::ReadOnly => any(|flags| flags.contains(Flags::WRITE)),
        SimulatedState::Loading => any(|flags| !flags.contains(Flags::LOADING)),
        SimulatedState::Busy => !own.contains(Flags::ALLOW_BUSY),
    }
}

/// The error for a request that names no command.
#[cold]
pub(super) fn explain_unknown(args: Args<'_>, version: Version) -> Error {
    match (TABLE.lookup(&args[0]).filter(|command| command.is_in(version)), args.get(1)) {
        (Some(container), Some(name)) => unknown_subcommand(container, name),
        _ => unknown_command(args),
    }
}

/// Bytes up to a NUL, where redis-server's formatting stops, and not more than `max`.
fn shown(text: &[u8], max: usize) -> &[u8] {
    let text = up_to_nul(text);
    &text[..text.len().min(max)]
}

fn unknown_command(args: Args<'_>) -> Error {
    let mut arguments = Vec::new();
    for argument in args.from(1).iter() {
        if arguments.len() >= UNKNOWN_SHOWN {
            break;
        }
        let room = UNKNOWN_SHOWN - arguments.len();
        arguments.push(b'\'');
        arguments.extend_from_slice(shown(argument, room));
        arguments.extend_from_slice(b"' ");
    }
    let mut text = b"ERR unknown command '".to_vec();
    text.extend_from_slice(shown(&args[0], UNKNOWN_SHOWN));
    text.extend_from_slice(b"', with args beginning with: ");
    text.extend_from_slice(&arguments);
    Error::from_bytes(text)
}

fn unknown_subcommand(container: &Command, name: &[u8]) -> Error {
    let mut text = b"ERR unknown subcommand '".to_vec();
    text.extend_from_slice(shown(name, UNKNOWN_SHOWN));
    text.extend_from_slice(format!("'. Try {} HELP.", container.name.to_uppercase()).as_bytes());
    Error::from_bytes(text)
}

#[cfg(test)]
mod tests;
