//! Whether a request may run: is there such a command, and is it allowed now.

use crate::clients::Client;
use crate::config::{Config, Version};
use crate::resp::{Args, Protocol, up_to_nul};
use crate::spec::Error;
use crate::spec::{Command, Flags};
use crate::table::TABLE;
use crate::testing::faults::Pretence;

/// How many bytes of an unknown command and of its arguments the error repeats, as redis-server.
const UNKNOWN_SHOWN: usize = 128;

/// What keeps a command from running whatever its arguments are, in the order of redis-server. `pretends` is asked
/// whether the server is to act as if it were in a state.
#[inline(always)]
#[allow(clippy::inline_always)] // See `dispatch`.
pub(super) fn check_allowed(
    owner: &Client,
    config: &Config,
    command: &Command,
    mut pretends: impl FnMut(Pretence) -> bool,
) -> Result<(), Error> {
    let must_authenticate = owner.must_authenticate(config) && !command.flags.contains(Flags::NO_AUTH);
    if must_authenticate || pretends(Pretence::NoAuth) {
        return Err(Error::new(Pretence::NoAuth.error()));
    }
    if owner.transaction.is_some() && command.flags.contains(Flags::NO_MULTI) {
        return Err(Error::new("ERR Command not allowed inside a transaction"));
    }
    for state in [Pretence::OutOfMemory, Pretence::ReadOnly] {
        if pretends(state) {
            return Err(Error::new(state.error()));
        }
    }
    if owner.protocol == Protocol::Resp2
        && owner.is_subscribed()
        && !command.flags.contains(Flags::ALLOWED_SUBSCRIBED)
    {
        let name = command.full_name();
        return Err(Error::new(format!(
            "ERR Can't execute '{name}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are \
             allowed in this context"
        )));
    }
    for state in [Pretence::Loading, Pretence::Busy] {
        if pretends(state) {
            return Err(Error::new(state.error()));
        }
    }
    if owner.monitor && (command.may_write() || command.flags.contains(Flags::READONLY)) {
        // redis-server takes a monitor for a kind of replica.
        return Err(Error::new("ERR Replica can't interact with the keyspace"));
    }
    Ok(())
}

/// True for the beginning of an HTTP request: a browser was tricked into talking to us, and nothing of what it
/// sends may run.
pub(super) fn is_from_browser(name: &[u8]) -> bool {
    name.eq_ignore_ascii_case(b"post") || name.eq_ignore_ascii_case(b"host:")
}

/// The row for a request, or the error and the row, if any, that is charged with it.
#[allow(clippy::type_complexity)]
#[inline(always)]
#[allow(clippy::inline_always)] // See `dispatch`.
pub(super) fn find(
    args: Args<'_>,
    version: Version,
) -> Result<&'static Command, (Option<&'static Command>, Error)> {
    let Some(command) = TABLE.lookup(&args[0]).filter(|command| command.is_in(version)) else {
        return Err((None, unknown_command(args)));
    };
    let command = match args.get(1) {
        Some(name) if command.is_container() => {
            let subcommand = command.subcommand(name).filter(|subcommand| subcommand.is_in(version));
            subcommand.ok_or_else(|| (None, unknown_subcommand(command, name)))?
        }
        _ => command,
    };
    if !command.accepts_in(version, args.len()) {
        return Err((Some(command), Error::arity(&command.full_name())));
    }
    Ok(command)
}

/// Bytes up to a NUL, where redis-server's formatting stops, and not more than `max`.
fn shown(text: &[u8], max: usize) -> &[u8] {
    let text = up_to_nul(text);
    &text[..text.len().min(max)]
}

#[cold]
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

#[cold]
fn unknown_subcommand(container: &Command, name: &[u8]) -> Error {
    let mut text = b"ERR unknown subcommand '".to_vec();
    text.extend_from_slice(shown(name, UNKNOWN_SHOWN));
    text.extend_from_slice(format!("'. Try {} HELP.", container.name.to_uppercase()).as_bytes());
    Error::from_bytes(text)
}
