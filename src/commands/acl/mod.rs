//! ACL: users and their rules, and what was denied to clients.

mod deny;
mod file;

pub use deny::{deny, deny_command, error};

use std::time::Duration;

use crate::config::Version;
use crate::resp::{Args, Reply};
use crate::spec::{Categories, Command, Context, Error, Outcome, Table, numbers};
use crate::state::State;
use crate::users::{self, Context as DeniedIn, Reason, Selector, User, UserKey};

/// The most bits of ACL GENPASS: redis-server's `GENPASS_MAX_BITS`.
const GENPASS_MAX_BITS: i64 = 4096;

/// The bits of ACL GENPASS if nothing is said.
const GENPASS_BITS: i64 = 256;

/// How many entries ACL LOG returns if nothing is said.
const SHOWN: i64 = 10;

/// A new user as the settings say.
pub(crate) fn new_user(state: &State) -> User {
    User::new(state.config.acl_all_channels, state.config.compat >= Version::Redis7_4)
}

/// True for what ACL SETUSER is given: names and rules, which have passwords.
#[must_use]
pub fn is_secret_of_setuser(_: Args<'_>, index: usize) -> bool {
    index > 1
}

/// `ACL SETUSER name [rule ...]`: adds a user, or changes one. With a wrong rule nothing changes.
///
/// # Errors
///
/// A name with spaces, a wrong rule.
pub fn setuser(ctx: &mut Context<'_>) -> Outcome {
    let (name, rules) = (&ctx.args[2], ctx.args.from(3));
    if !User::is_name(name) {
        return Err(Error::new("ERR Usernames can't contain spaces or null characters"));
    }
    let known = ctx.state.users.named(name).cloned();
    let mut user = known.unwrap_or_else(|| new_user(ctx.state));
    user.apply(rules.iter(), ctx.state.config.acl_all_channels, ctx.table()).map_err(|(rule, error)| {
        match error {
            Some(error) => {
                Error::quoting("ERR Error in ACL SETUSER modifier '", &rule, &format!("': {error}"))
            }
            None => Error::quoting("ERR Unmatched parenthesis in acl selector starting at '", &rule, "'."),
        }
    })?;
    ctx.state.set_user(name, user);
    ctx.reply.ok();
    Ok(())
}

/// `ACL DELUSER name ...`: removes users and closes their connections; replies with how many there were.
///
/// # Errors
///
/// The default user, who cannot be removed. Then none is.
pub fn deluser(ctx: &mut Context<'_>) -> Outcome {
    let names = ctx.args.from(2);
    if names.iter().any(|name| name == users::DEFAULT) {
        return Err(Error::new("ERR The 'default' user cannot be removed"));
    }
    let removed = names.iter().filter(|name| ctx.state.delete_user(name)).count();
    ctx.reply.count(removed);
    Ok(())
}

/// `ACL GETUSER name`: the flags, passwords and rules of a user; null if there is none.
pub fn getuser(ctx: &mut Context<'_>) -> Outcome {
    let Some(user) = ctx.state.users.named(&ctx.args[2]) else {
        ctx.reply.null();
        return Ok(());
    };
    let reply = &mut ctx.reply;
    reply.map(6);
    reply.bulk(b"flags");
    reply.set(user.flags().count());
    user.flags().for_each(|flag| reply.bulk(flag.as_bytes()));
    reply.bulk(b"passwords");
    reply.array(user.passwords().len());
    user.passwords().for_each(|password| reply.bulk(password.as_bytes()));
    let Some((own, others)) = user.selectors().split_first() else { return Ok(()) };
    write_rules(reply, own);
    reply.bulk(b"selectors");
    reply.array(others.len());
    for selector in others {
        reply.map(3);
        write_rules(reply, selector);
    }
    Ok(())
}

/// The fields of ACL GETUSER about a selector.
fn write_rules(reply: &mut Reply<'_>, selector: &Selector) {
    for (field, rules) in [
        ("commands", selector.command_rules().into_bytes()),
        ("keys", selector.key_rules()),
        ("channels", selector.channel_rules()),
    ] {
        reply.bulk(field.as_bytes());
        reply.bulk(&rules);
    }
}

/// `ACL LIST`: a line for each user, as it is written in the file of users.
pub fn list(ctx: &mut Context<'_>) -> Outcome {
    let users = ctx.state.users.iter();
    ctx.reply.array(users.len());
    users.for_each(|user| ctx.reply.bulk(&file::line_of(user)));
    Ok(())
}

/// `ACL USERS`: the names of the users.
pub fn names(ctx: &mut Context<'_>) -> Outcome {
    let users = ctx.state.users.iter();
    ctx.reply.array(users.len());
    users.for_each(|user| ctx.reply.bulk(&user.name));
    Ok(())
}

/// `ACL WHOAMI`: the name of the client's user.
pub fn whoami(ctx: &mut Context<'_>) -> Outcome {
    let key = ctx.client()?.user;
    match ctx.state.users.get(key) {
        Some(user) => ctx.reply.bulk(&user.name),
        None => ctx.reply.null(),
    }
    Ok(())
}

/// `ACL CAT [category]`: the categories, or the commands of one.
///
/// # Errors
///
/// No such category.
pub fn cat(ctx: &mut Context<'_>) -> Outcome {
    /// How many bytes of an unknown category are repeated, as in redis-server.
    const REPEATED: usize = 128;
    match (ctx.args.get(2), ctx.args.get(3)) {
        (None, _) => {
            ctx.reply.array(Categories::NAMES.len());
            for (_, name) in Categories::NAMES {
                ctx.reply.bulk(name.as_bytes());
            }
        }
        (Some(name), None) => {
            let category = Categories::by_name(name).ok_or_else(|| {
                Error::quoting("ERR Unknown category '", name.get(..REPEATED).unwrap_or(name), "'")
            })?;
            let version = ctx.state.config.compat;
            let commands = ctx.table().all().iter();
            let found: Vec<&Command> = commands
                .filter(|command| command.is_in(version) && command.categories.contains(category))
                .collect();
            ctx.reply.array(found.len());
            for command in found {
                ctx.reply.bulk(command.full_name().as_bytes());
            }
        }
        _ => return Err(Error::subcommand_syntax(&ctx.args[1], "ACL")),
    }
    Ok(())
}

/// `ACL GENPASS [bits]`: random hexadecimal digits.
///
/// # Errors
///
/// Not a number from 1 to 4096.
pub fn genpass(ctx: &mut Context<'_>) -> Outcome {
    let bits = match (ctx.args.get(2), ctx.args.get(3)) {
        (None, _) => GENPASS_BITS,
        (Some(bits), None) => numbers::integer(bits)?,
        _ => return Err(Error::subcommand_syntax(&ctx.args[1], "ACL")),
    };
    if !(1..=GENPASS_MAX_BITS).contains(&bits) {
        return Err(Error::new(format!(
            "ERR ACL GENPASS argument must be the number of bits for the output password, a positive number up to \
             {GENPASS_MAX_BITS}"
        )));
    }
    let random = &mut ctx.state.random;
    let password: String =
        (0..(bits + 3) / 4).filter_map(|_| char::from_digit(random.u32(0..16), 16)).collect();
    ctx.reply.bulk(password.as_bytes());
    Ok(())
}

/// `ACL DRYRUN name command [argument ...]`: OK if the user may call the command so, and else why not.
///
/// # Errors
///
/// No such user or command, too few or too many arguments.
pub fn dryrun(ctx: &mut Context<'_>) -> Outcome {
    let (name, args) = (&ctx.args[2], ctx.args.from(3));
    let version = ctx.state.config.compat;
    let Some(user) = ctx.state.users.named(name) else {
        return Err(Error::quoting("ERR User '", name, "' not found"));
    };
    let Some(command) = ctx.table().find(args, version) else {
        return Err(Error::quoting("ERR Command '", &args[0], "' not found"));
    };
    if !command.accepts_in(version, args.len()) {
        return Err(Error::arity(&command.full_name()));
    }
    match command.check_permission(user, args) {
        Ok(()) => ctx.reply.ok(),
        Err(denial) => {
            let reason = deny::explained(denial, (user, command, args), version, true);
            let reason = if version < Version::Redis7_4 { [b"T", &reason[1..]].concat() } else { reason };
            ctx.reply.bulk(&reason);
        }
    }
    Ok(())
}

/// `ACL LOG [count | RESET]`: what was denied, the newest first.
///
/// # Errors
///
/// Not a number.
pub fn log(ctx: &mut Context<'_>) -> Outcome {
    let count = match (ctx.args.get(2), ctx.args.get(3)) {
        (None, _) => SHOWN,
        (Some(reset), None) if reset.eq_ignore_ascii_case(b"reset") => {
            ctx.state.denials.clear();
            ctx.reply.ok();
            return Ok(());
        }
        (Some(count), None) => numbers::integer(count)?,
        _ => return Err(Error::subcommand_syntax(&ctx.args[1], "ACL")),
    };
    let entries = ctx.state.denials.iter().take(usize::try_from(count).unwrap_or_default());
    let is_old = ctx.state.config.compat < Version::Redis7_4;
    let reply = &mut ctx.reply;
    reply.array(entries.len());
    for entry in entries {
        reply.map(if is_old { 7 } else { 10 });
        reply.bulk(b"count");
        reply.integer(entry.count.try_into().unwrap_or(i64::MAX));
        let reason = match entry.reason {
            Reason::Command => "command",
            Reason::Key => "key",
            Reason::Channel => "channel",
            Reason::Auth => "auth",
        };
        let context = match entry.context {
            DeniedIn::Toplevel => "toplevel",
            DeniedIn::Multi => "multi",
            DeniedIn::Script => "lua",
        };
        let texts = [("reason", reason.as_bytes()), ("context", context.as_bytes())];
        for (field, text) in texts.into_iter().chain([("object", &*entry.object), ("username", &*entry.user)])
        {
            reply.bulk(field.as_bytes());
            reply.bulk(text);
        }
        reply.bulk(b"age-seconds");
        // In whole milliseconds.
        let age = ctx.state.now.millis().saturating_sub(entry.updated.millis());
        reply.double(Duration::from_millis(age.unsigned_abs()).as_secs_f64());
        reply.bulk(b"client-info");
        reply.bulk(entry.client.as_bytes());
        if !is_old {
            for (field, number) in [
                ("entry-id", entry.id.try_into().unwrap_or(i64::MAX)),
                ("timestamp-created", entry.created.millis()),
                ("timestamp-last-updated", entry.updated.millis()),
            ] {
                reply.bulk(field.as_bytes());
                reply.integer(number);
            }
        }
    }
    Ok(())
}

/// The error where no file of users is configured.
const NO_FILE: &str = "ERR This Redis instance is not configured to use an ACL file. You may want to specify users via the \
                       ACL SETUSER command and then issue a CONFIG REWRITE (assuming you have a Redis configuration file \
                       set) in order to store users in the Redis configuration.";

/// `ACL LOAD`: reads the file of users, which replace those that there are. With a wrong line nothing changes.
///
/// # Errors
///
/// No file is configured, it cannot be read, or lines are wrong.
pub fn load(ctx: &mut Context<'_>) -> Outcome {
    let Some(file) = ctx.state.user_file.clone() else { return Err(Error::new(NO_FILE)) };
    let path = &ctx.state.config.aclfile;
    let text = file.read().map_err(|error| {
        let error = error.to_string();
        let reason = error.split(" (os error").next().unwrap_or_default();
        Error::new(format!("ERR Error loading ACLs, opening file '{path}': {reason}"))
    })?;
    let users = file::users_of(&text, path, ctx.state, ctx.table())
        .map_err(|text| Error::from_bytes([b"ERR ", &*text].concat()))?;
    let all = ctx.state.config.compat < Version::Redis7_4;
    ctx.state.replace_users(users, all);
    ctx.reply.ok();
    Ok(())
}

/// `ACL SAVE`: writes all users into their file.
///
/// # Errors
///
/// No file is configured, or it cannot be written.
pub fn save(ctx: &mut Context<'_>) -> Outcome {
    let Some(file) = ctx.state.user_file.clone() else { return Err(Error::new(NO_FILE)) };
    let mut text = Vec::new();
    for user in ctx.state.users.iter() {
        text.extend_from_slice(&file::line_of(user));
        text.push(b'\n');
    }
    file.write(&text).map_err(|_| {
        Error::new("ERR There was an error trying to save the ACLs. Please check the server logs for more information")
    })?;
    ctx.reply.ok();
    Ok(())
}

/// Adds a user of the start, with rules separated by spaces.
///
/// # Errors
///
/// What is wrong with the name or the rules.
pub fn add_user(state: &mut State, table: &Table, name: &str, rules: &str) -> Result<(), String> {
    if !User::is_name(name.as_bytes()) || name.is_empty() {
        return Err("the name of a user is empty or has spaces".to_owned());
    }
    if state.users.find(name.as_bytes()).is_some_and(|known| known != UserKey::DEFAULT) {
        return Err("Duplicate user found. A user can only be defined once in config files".to_owned());
    }
    let mut user = new_user(state);
    let rules = rules.split_ascii_whitespace().map(str::as_bytes);
    user.apply(rules, state.config.acl_all_channels, table).map_err(|(rule, error)| {
        // What follows these signs is a password, or nearly one.
        let is_secret = matches!(rule.first(), Some(b'>' | b'#' | b'<' | b'!'));
        let rule = if is_secret { rule.get(..1).unwrap_or_default() } else { &*rule };
        let error =
            error.map_or_else(|| "the parenthesis is not closed".to_owned(), |error| error.to_string());
        format!("{}: {error}", String::from_utf8_lossy(rule))
    })?;
    state.set_user(name.as_bytes(), user);
    state.keep_users();
    Ok(())
}

/// Adds the users of the start from the text of a file with this path.
///
/// # Errors
///
/// The lines that are wrong.
pub fn add_users(state: &mut State, table: &Table, text: &[u8], path: &str) -> Result<(), String> {
    let users = file::users_of(text, path, state, table);
    let users = users.map_err(|text| String::from_utf8_lossy(&text).into_owned())?;
    state.replace_users(users, false);
    state.keep_users();
    Ok(())
}
