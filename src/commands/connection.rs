//! Connections: AUTH, HELLO, PING, ECHO, SELECT, RESET, QUIT.

use super::acl::deny;
use super::client::printable;
use crate::clients::Close;
use crate::config::Version;
use crate::data::Bytes;
use crate::resp::{Args, Protocol, parse_integer};
use crate::spec::numbers::integer_of_32_bits;
use crate::spec::{Context, Error, Outcome};
use crate::users::{self, Context as DeniedIn, Reason};

/// `AUTH [username] password`.
///
/// # Errors
///
/// The password is wrong, the user is not `default`, or only a password is given and none is configured.
pub fn auth(ctx: &mut Context<'_>) -> Outcome {
    let args = ctx.args;
    let (user, password) = match args.len() {
        2 if ctx.state.users.default_user().is_some_and(|user| user.needs_no_password) => {
            return Err(Error::new(
                "ERR AUTH <password> called without any password configured for the default user. Are you \
                 sure your configuration is correct?",
            ));
        }
        2 => (users::DEFAULT, &args[1]),
        3 => (&args[1], &args[2]),
        _ => return Err(Error::SYNTAX),
    };
    log_in(ctx, user, password)?;
    ctx.reply.ok();
    Ok(())
}

/// True for the arguments of AUTH: the user's name and the password. A call with more arguments has no secrets.
#[must_use]
pub fn is_secret_of_auth(args: Args<'_>, index: usize) -> bool {
    index > 0 && args.len() <= 3
}

/// True if HELLO takes this argument for a user's name or password.
#[must_use]
pub fn is_secret_of_hello(args: Args<'_>, index: usize) -> bool {
    // The more lenient check of a name: rather hide too much than show a password.
    let is_name = |name: &[u8]| printable(name, Version::default());
    if !matches!(&args[1], b"2" | b"3") {
        return false;
    }
    let mut at = 2;
    while at < index {
        if args[at].eq_ignore_ascii_case(b"auth") && at + 2 < args.len() {
            if index <= at + 2 {
                return true;
            }
            at += 3;
        } else if args[at].eq_ignore_ascii_case(b"setname") && is_name(&args[at + 1]) {
            at += 2;
        } else {
            return false;
        }
    }
    false
}

/// Logs the client in. A wrong password is shown by ACL LOG.
fn log_in(ctx: &mut Context<'_>, user: &[u8], password: &[u8]) -> Result<(), Error> {
    if ctx.state.log_in(ctx.client, user, password) {
        return Ok(());
    }
    let context = if ctx.state.in_transaction { DeniedIn::Multi } else { DeniedIn::Toplevel };
    deny(ctx.state, (ctx.client, ctx.command, ctx.args), (Reason::Auth, context), (&ctx.args[0], Some(user)));
    Err(Error::new("WRONGPASS invalid username-password pair or user is disabled."))
}

/// `ECHO message`.
///
/// # Errors
///
/// None: all commands have this return type.
pub fn echo(ctx: &mut Context<'_>) -> Outcome {
    ctx.reply.bulk(&ctx.args[1]);
    Ok(())
}

/// `HELLO [protover [AUTH username password] [SETNAME clientname]]`.
///
/// # Errors
///
/// A version other than 2 and 3, an invalid option, a name with spaces, a wrong password, or no password where one is
/// required. Nothing has changed then, except in 7.0, which applies each option as it reads it.
pub fn hello(ctx: &mut Context<'_>) -> Outcome {
    let args = ctx.args;
    let protocol = match args.get(1) {
        None => None,
        Some(text) => Some(match parse_integer(text) {
            Some(2) => Protocol::Resp2,
            Some(3) => Protocol::Resp3,
            Some(_) => return Err(Error::new("NOPROTO unsupported protocol version")),
            None => return Err(Error::new("ERR Protocol version is not an integer or out of range")),
        }),
    };
    let version = ctx.state.config.compat;
    let at_once = version < Version::Redis7_4;
    let (mut login, mut name) = (None, None);
    let mut at = 2;
    while let Some(option) = args.get(at) {
        let left = args.len() - 1 - at;
        if option.eq_ignore_ascii_case(b"auth") && left >= 2 {
            login = args.get(at + 1).zip(args.get(at + 2));
            if let Some((user, password)) = login.take_if(|_| at_once) {
                log_in(ctx, user, password)?;
            }
            at += 3;
        } else if option.eq_ignore_ascii_case(b"setname") && left >= 1 {
            name = Some(&args[at + 1]);
            if !printable(&args[at + 1], version) {
                return Err(Error::CLIENT_NAME);
            }
            if let Some(name) = name.take_if(|_| at_once) {
                ctx.client()?.name = name.into();
            }
            at += 2;
        } else {
            return Err(Error::quoting("ERR Syntax error in HELLO option '", option, "'"));
        }
    }
    if let Some((user, password)) = login {
        log_in(ctx, user, password)?;
    }
    let client = ctx.client()?;
    if !client.authenticated {
        let hint = if version < Version::Redis7_4 { "HELLO AUTH" } else { "HELLO <proto> AUTH" };
        return Err(Error::new(format!(
            "NOAUTH HELLO must be called with the client already authenticated, otherwise the {hint} <user> <pass> \
             option can be used to authenticate the client and select the RESP protocol version at the same time",
        )));
    }
    if let Some(name) = name {
        client.name = name.into();
    }
    if let Some(protocol) = protocol {
        client.protocol = protocol;
    }
    let (protocol, id) = (client.protocol, client.id);
    ctx.reply.set_protocol(protocol);
    ctx.reply.map(7);
    for (field, text) in [("server", "redis"), ("version", version.release())] {
        ctx.reply.bulk(field.as_bytes());
        ctx.reply.bulk(text.as_bytes());
    }
    ctx.reply.bulk(b"proto");
    ctx.reply.integer(if protocol == Protocol::Resp3 { 3 } else { 2 });
    ctx.reply.bulk(b"id");
    ctx.reply.integer(i64::try_from(id).unwrap_or(i64::MAX));
    for (field, text) in [("mode", "standalone"), ("role", "master")] {
        ctx.reply.bulk(field.as_bytes());
        ctx.reply.bulk(text.as_bytes());
    }
    ctx.reply.bulk(b"modules");
    ctx.reply.array(0);
    Ok(())
}

/// `PING [message]`. A RESP2 client with a subscription gets an array, so that it can distinguish the answer from a
/// message.
///
/// # Errors
///
/// More than one argument.
pub fn ping(ctx: &mut Context<'_>) -> Outcome {
    if ctx.args.len() > 2 {
        return Err(Error::arity("ping"));
    }
    let message = ctx.args.get(1);
    // A script has a client of its own, which is subscribed to nothing.
    if !ctx.reply.is_resp3() && !ctx.state.in_script && ctx.client()?.is_subscribed() {
        ctx.reply.array(2);
        ctx.reply.bulk(b"pong");
        ctx.reply.bulk(message.unwrap_or_default());
        return Ok(());
    }
    match message {
        Some(message) => ctx.reply.bulk(message),
        None => ctx.reply.simple("PONG"),
    }
    Ok(())
}

/// `QUIT`: the connection is closed after the reply.
///
/// # Errors
///
/// None: all commands have this return type.
pub fn quit(ctx: &mut Context<'_>) -> Outcome {
    let says_nothing = ctx.reply.position() == 0;
    ctx.reply.ok();
    let client = ctx.client()?;
    if client.is_muted() && says_nothing && client.in_flight == 0 {
        // redis-server closes the connection after it has written the output. Without output it reads no more and waits
        // for the client to disconnect.
        client.ignored = true;
    } else {
        ctx.state.clients.close(ctx.client, Close::AfterReply);
    }
    Ok(())
}

/// `RESET`: the connection is as it was when it was opened, except that the library's name stays.
///
/// # Errors
///
/// None: all commands have this return type.
pub fn reset(ctx: &mut Context<'_>) -> Outcome {
    ctx.state.end_activities(ctx.client);
    ctx.state.faults.forget_client(ctx.client);
    ctx.state.clients.monitors.retain(|monitor| *monitor != ctx.client);
    ctx.state.log_out(ctx.client);
    let client = ctx.client()?;
    client.monitor = false;
    client.db = 0;
    client.protocol = Protocol::Resp2;
    client.name = Bytes::default();
    client.no_evict = false;
    client.no_touch = false;
    client.reply_mode.off = false;
    ctx.reply.simple("RESET");
    Ok(())
}

/// `SELECT index`.
///
/// # Errors
///
/// Not a number, or there is no such database.
pub fn select(ctx: &mut Context<'_>) -> Outcome {
    let index = integer_of_32_bits(&ctx.args[1])?;
    let index = database(ctx, index)?;
    ctx.client()?.db = index;
    ctx.reply.ok();
    Ok(())
}

/// The database of this number.
///
/// # Errors
///
/// There is no such database.
pub(super) fn database(ctx: &Context<'_>, index: i32) -> Result<usize, Error> {
    usize::try_from(index)
        .ok()
        .filter(|index| *index < ctx.state.databases.len())
        .ok_or(Error::new("ERR DB index is out of range"))
}
