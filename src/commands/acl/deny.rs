//! What a client is answered that may not do something, and the entry in ACL LOG.

use crate::clients::ClientKey;
use crate::commands::client;
use crate::config::Version;
use crate::resp::Args;
use crate::spec::{Command, Error};
use crate::state::State;
use crate::users::{Context as DeniedIn, Denial, Denied, Reason, User};

/// What is denied.
#[must_use]
pub fn reason_of(denial: Denial) -> Reason {
    match denial {
        Denial::Command => Reason::Command,
        Denial::Key(_) => Reason::Key,
        Denial::Channel(_) => Reason::Channel,
    }
}

/// Why a user may not call a command so. `in_detail` names the key or channel.
pub(super) fn explained(
    denial: Denial,
    (user, command, args): (&User, &Command, Args<'_>),
    version: Version,
    in_detail: bool,
) -> Vec<u8> {
    let is_old = version < Version::Redis7_4;
    let who = if is_old { b"this user".to_vec() } else { [b"User ", &*user.name].concat() };
    let object = |kind: &str, position: usize| {
        let name = args.get(position).unwrap_or_default();
        match (in_detail, is_old) {
            (true, _) => {
                [&*who, b" has no permissions to access the '", name, b"' ", kind.as_bytes()].concat()
            }
            (false, true) => {
                format!("this user has no permissions to access one of the {kind}s used as arguments")
                    .into_bytes()
            }
            (false, false) => format!("No permissions to access a {kind}").into_bytes(),
        }
    };
    match denial {
        Denial::Command => {
            let name = command.full_name();
            [&*who, b" has no permissions to run the '", name.as_bytes(), b"' command"].concat()
        }
        Denial::Key(position) => object("key", position),
        Denial::Channel(position) => object("channel", position),
    }
}

/// Notes that a client may not run a command so, and returns why: the text after the code of the error.
pub fn deny_command(
    state: &mut State,
    client: ClientKey,
    (command, args): (&Command, Args<'_>),
    (denial, context): (Denial, DeniedIn),
) -> Vec<u8> {
    let name = command.full_name();
    let object = match denial {
        Denial::Command => name.as_bytes(),
        Denial::Key(position) | Denial::Channel(position) => args.get(position).unwrap_or_default(),
    };
    let key = state.clients.get(client).map(|client| client.user);
    let user = key.and_then(|key| state.users.get(key));
    let version = state.config.compat;
    let text = user.map(|user| explained(denial, (user, command, args), version, false)).unwrap_or_default();
    deny(state, (client, command, args), (reason_of(denial), context), (object, None));
    text
}

/// Adds an entry to ACL LOG. It is about the client's user, or about another name.
pub fn deny(
    state: &mut State,
    (client, command, args): (ClientKey, &Command, Args<'_>),
    (reason, context): (Reason, DeniedIn),
    (object, name): (&[u8], Option<&[u8]>),
) {
    state.stats.add_denial(reason);
    let key = state.clients.get(client).map(|client| client.user).unwrap_or_default();
    let own = || state.users.get(key).map(|user| user.name.clone()).unwrap_or_default();
    let user = name.map_or_else(own, Into::into);
    let mut line = Vec::new();
    client::describe(state, command.table(), client, (client, args.bytes()), &mut line);
    let line = String::from_utf8_lossy(line.trim_ascii_end()).into_owned();
    let (created, updated) = (state.now, state.now);
    let denied = Denied {
        id: 0,
        count: 1,
        reason,
        context,
        object: object.into(),
        user,
        created,
        updated,
        client: line,
    };
    state.denials.add(denied, state.config.acllog_max_len);
}

/// The error of a command that a client may not run.
#[must_use]
pub fn error(text: &[u8]) -> Error {
    Error::from_bytes([b"NOPERM ", text].concat())
}
