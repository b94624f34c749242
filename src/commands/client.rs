//! CLIENT: what is known about connections, and what can be done to them.

use crate::clients::ClientKey;
use crate::clients::tracking::{Mode, Tracking};
use crate::clients::waiters::{Answer, Pause};
use crate::clients::{Client, Close, OUTPUT_BLOCK, Skip};
use crate::config::Version;
use crate::data::{Deadline, present};
use crate::resp::{Args, Protocol, parse_integer, up_to_nul};
use crate::spec::{Command, Context, Error, Outcome, Table, numbers};
use crate::state::State;
use crate::users::{UserKey, Users};

/// `CLIENT ID`.
///
/// # Errors
///
/// None: all commands have this return type.
pub fn id(ctx: &mut Context<'_>) -> Outcome {
    let id = ctx.client()?.id;
    ctx.reply.integer(i64::try_from(id).unwrap_or(i64::MAX));
    Ok(())
}

/// `CLIENT INFO`: the line of CLIENT LIST about this client.
///
/// # Errors
///
/// None: all commands have this return type.
pub fn info(ctx: &mut Context<'_>) -> Outcome {
    let mut text = Vec::new();
    describe(ctx.state, ctx.table(), ctx.client, own(ctx), &mut text);
    ctx.reply.verbatim("txt", &text);
    Ok(())
}

/// `CLIENT LIST [TYPE type | ID id...]`, in the order in which the clients connected, or in that of the ids.
///
/// # Errors
///
/// Another option, an unknown type, an id that is not a number.
pub fn list(ctx: &mut Context<'_>) -> Outcome {
    let args = ctx.args;
    let option = |name: &[u8]| args[2].eq_ignore_ascii_case(name);
    let clients = match args.len() {
        2 => connections(ctx.state, |_| true),
        4 if option(b"type") => {
            let kind = Kind::parse(&args[3])?;
            connections(ctx.state, |client| kind.is(client))
        }
        4.. if option(b"id") => by_ids(ctx.state, args.from(3))?,
        _ => return Err(Error::SYNTAX),
    };
    let mut text = Vec::new();
    for client in clients {
        describe(ctx.state, ctx.table(), client, own(ctx), &mut text);
    }
    ctx.reply.verbatim("txt", &text);
    Ok(())
}

/// The connections that `wanted` accepts, in the order in which they were opened. As in redis-server, those that
/// are being closed are left out.
fn connections(state: &State, wanted: impl Fn(&Client) -> bool) -> Vec<ClientKey> {
    let alive = state.clients.iter().filter(|(_, client)| client.is_connected() && wanted(client));
    let mut found: Vec<_> = alive.map(|(key, client)| (client.id, key)).collect();
    found.sort_unstable_by_key(|(id, _)| *id);
    found.into_iter().map(|(_, key)| key).collect()
}

/// The connections with these ids, in the order of the ids; unknown ids are left out.
fn by_ids(state: &State, ids: Args<'_>) -> Result<Vec<ClientKey>, Error> {
    let clients = connections(state, |_| true);
    let id_of = |key: &ClientKey| state.clients.get(*key).map_or(0, |client| client.id);
    let mut found = Vec::new();
    for id in ids.iter() {
        let id = parse_integer(id).ok_or(Error::new("ERR Invalid client ID"))?;
        if let Ok(id) = u64::try_from(id)
            && let Ok(index) = clients.binary_search_by_key(&id, id_of)
        {
            found.push(clients[index]);
        }
    }
    Ok(found)
}

/// The kinds of clients that TYPE can name.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Normal,
    Pubsub,
    /// Masters and replicas: there are none.
    Replication,
}

impl Kind {
    fn parse(name: &[u8]) -> Result<Self, Error> {
        match name.to_ascii_lowercase().as_slice() {
            b"normal" => Ok(Self::Normal),
            b"pubsub" => Ok(Self::Pubsub),
            b"master" | b"replica" | b"slave" => Ok(Self::Replication),
            _ => Err(Error::quoting("ERR Unknown client type '", name, "'")),
        }
    }

    fn is(self, client: &Client) -> bool {
        self == if client.is_subscribed() { Self::Pubsub } else { Self::Normal }
    }
}

/// The client whose command runs, with the bytes of its arguments.
fn own(ctx: &Context<'_>) -> (ClientKey, usize) {
    (ctx.client, ctx.args.bytes())
}

/// Appends the line of CLIENT LIST about a client: all fields of Redis 8.0 in its order. `fd` is -1, as in
/// redis-server for clients without a socket: the engine knows no sockets. `qbuf-free` is 0, because a connection
/// owns no read buffer. `running` is the client whose command runs, and the bytes of its arguments.
pub(super) fn describe(
    state: &State,
    table: &Table,
    key: ClientKey,
    (running, running_bytes): (ClientKey, usize),
    text: &mut Vec<u8>,
) {
    let Some(client) = present(state.clients.get(key)) else { return };
    let now = state.now.seconds();
    let version = state.config.compat;
    let subscriptions = client.subscriptions.as_deref();
    let (channels, patterns, shard_channels) = subscriptions
        .map_or((0, 0, 0), |all| (all.channels.len(), all.patterns.len(), all.shard_channels.len()));
    let queue = client.transaction.as_ref().map(|transaction| &transaction.queue);
    let queued = queue.map_or_else(|| "-1".into(), |queue| queue.len().to_string());
    let queued_bytes: usize = queue.into_iter().flatten().map(|request| request.args().bytes()).sum();
    let argument_bytes = match &client.blocked {
        _ if key == running => running_bytes,
        Some(blocked) => blocked.request.args().bytes(),
        None => 0,
    };
    let (fixed_output, output_blocks) = client.output_in_blocks();
    let reply_buffer = client.reply_buffer();
    let events = if client.in_flight > 0 { "rw" } else { "r" };
    let command = client.last_command.and_then(|index| table.all().get(index));
    let command = command.map_or("NULL".into(), Command::full_name);
    let protocol = if client.protocol == Protocol::Resp3 { 3 } else { 2 };
    let mut add = |name: &str, value: &[u8]| {
        if !name.starts_with("id=") {
            text.push(b' ');
        }
        text.extend_from_slice(name.as_bytes());
        text.extend_from_slice(value);
    };
    add("id=", client.id.to_string().as_bytes());
    add("addr=", client.address.peer.as_bytes());
    add("laddr=", client.address.local.as_bytes());
    add("fd=", b"-1");
    add("name=", up_to_nul(&client.name));
    add("age=", (now - client.created.seconds()).to_string().as_bytes());
    add("idle=", (now - client.last_interaction.seconds()).to_string().as_bytes());
    add("flags=", flags(client).as_bytes());
    for (name, value) in
        [("db=", client.db), ("sub=", channels), ("psub=", patterns), ("ssub=", shard_channels)]
    {
        add(name, value.to_string().as_bytes());
    }
    add("multi=", queued.as_bytes());
    if version >= Version::Redis7_4 {
        add("watch=", client.watches().to_string().as_bytes());
    }
    for (name, value) in [
        ("qbuf=", client.query_buffer),
        ("qbuf-free=", 0),
        ("argv-mem=", argument_bytes),
        ("multi-mem=", queued_bytes),
        ("rbs=", reply_buffer),
        ("rbp=", reply_buffer),
        ("obl=", fixed_output),
        ("oll=", output_blocks),
        ("omem=", output_blocks * OUTPUT_BLOCK),
        ("tot-mem=", client.memory() + argument_bytes),
    ] {
        add(name, value.to_string().as_bytes());
    }
    add("events=", events.as_bytes());
    add("cmd=", command.as_bytes());
    add("user=", state.users.get(client.user).map_or(b"", |user| &user.name));
    add("redir=", Tracking::shown_redirection(client.tracking.as_deref()).to_string().as_bytes());
    add("resp=", protocol.to_string().as_bytes());
    if version >= Version::Redis7_4 {
        add("lib-name=", up_to_nul(&client.library));
        add("lib-ver=", up_to_nul(&client.library_version));
    }
    if version >= Version::Redis8_0 {
        add("io-thread=", b"0");
    }
    if version >= Version::Redis8_2 {
        let now = if key == running { state.stats.commands_of_client() } else { 0 };
        add("tot-net-in=", client.net_input.to_string().as_bytes());
        add("tot-net-out=", client.written().to_string().as_bytes());
        add("tot-cmds=", (client.commands + now).to_string().as_bytes());
    }
    text.push(b'\n');
}

/// The letters of the field `flags`.
fn flags(client: &Client) -> String {
    let tracking = client.tracking.as_deref();
    let letters = [
        (client.monitor, 'O'),
        (client.is_subscribed(), 'P'),
        (client.transaction.is_some(), 'x'),
        (client.blocked.is_some(), 'b'),
        (client.tracking.is_some(), 't'),
        (tracking.is_some_and(|tracking| tracking.is_broken), 'R'),
        (tracking.is_some_and(|tracking| tracking.mode == Mode::Broadcast), 'B'),
        (client.watched_key_changed, 'd'),
        (client.close == Close::AfterReply || client.ignored, 'c'),
        (client.address.unix, 'U'),
        (client.no_evict, 'e'),
        (client.no_touch, 'T'),
    ];
    let flags: String = letters.iter().filter_map(|(has, letter)| has.then_some(*letter)).collect();
    if flags.is_empty() { "N".into() } else { flags }
}

/// `CLIENT SETNAME name`; an empty name removes the name.
///
/// # Errors
///
/// A name with spaces or special characters.
pub fn setname(ctx: &mut Context<'_>) -> Outcome {
    let args = ctx.args;
    let name = &args[2];
    if !printable(name, ctx.state.config.compat) {
        return Err(Error::CLIENT_NAME);
    }
    ctx.client()?.name = name.into();
    ctx.reply.ok();
    Ok(())
}

/// True if a text can be one field in a line of CLIENT LIST. As in redis-server since 7.2, what follows a NUL is
/// neither checked nor shown.
#[must_use]
pub fn printable(text: &[u8], version: Version) -> bool {
    let text = if version < Version::Redis7_4 { text } else { up_to_nul(text) };
    text.iter().all(u8::is_ascii_graphic)
}

/// `CLIENT GETNAME`: null if there is no name.
///
/// # Errors
///
/// None: all commands have this return type.
pub fn getname(ctx: &mut Context<'_>) -> Outcome {
    let name = ctx.client()?.name.clone();
    ctx.reply.bulk_or_null((!name.is_empty()).then_some(&*name));
    Ok(())
}

/// `CLIENT SETINFO LIB-NAME name | LIB-VER version`.
///
/// # Errors
///
/// Another attribute, or a value with spaces or special characters.
pub fn setinfo(ctx: &mut Context<'_>) -> Outcome {
    let args = ctx.args;
    let attribute = &args[2];
    let value = &args[3];
    let version = ctx.state.config.compat;
    let client = ctx.client()?;
    let field = match attribute.to_ascii_lowercase().as_slice() {
        b"lib-name" => &mut client.library,
        b"lib-ver" => &mut client.library_version,
        _ => return Err(Error::quoting("ERR Unrecognized option '", attribute, "'")),
    };
    if !printable(value, version) {
        let problem = " cannot contain spaces, newlines or special characters.";
        return Err(Error::quoting("ERR ", attribute, problem));
    }
    *field = value.into();
    ctx.reply.ok();
    Ok(())
}

/// The conditions of CLIENT KILL. A condition that is not given is `None`.
#[derive(Default)]
struct KillFilter<'a> {
    id: Option<u64>,
    kind: Option<Kind>,
    address: Option<&'a [u8]>,
    local_address: Option<&'a [u8]>,
    user: Option<UserKey>,
    /// In seconds: clients that have been connected for at least this long.
    age: Option<i64>,
    skip_me: bool,
}

impl<'a> KillFilter<'a> {
    /// Reads the options; a later one takes the place of an earlier one of its kind.
    fn parse(options: Args<'a>, users: &Users, version: Version) -> Result<Self, Error> {
        let mut filter = Self { skip_me: true, ..Self::default() };
        for at in (0..options.len()).step_by(2) {
            let Some(value) = options.get(at + 1) else { return Err(Error::SYNTAX) };
            match options[at].to_ascii_lowercase().as_slice() {
                b"id" => {
                    let id = parse_integer(value).and_then(|id| u64::try_from(id).ok()).filter(|id| *id > 0);
                    filter.id = Some(id.ok_or(Error::new("ERR client-id should be greater than 0"))?);
                }
                b"type" => filter.kind = Some(Kind::parse(value)?),
                b"addr" => filter.address = Some(value),
                b"laddr" => filter.local_address = Some(value),
                b"user" => {
                    let unknown = || Error::quoting("ERR No such user '", value, "'");
                    filter.user = Some(users.find(value).ok_or_else(unknown)?);
                }
                b"skipme" => {
                    filter.skip_me = match value.to_ascii_lowercase().as_slice() {
                        b"yes" => true,
                        b"no" => false,
                        _ => return Err(Error::SYNTAX),
                    }
                }
                b"maxage" if version >= Version::Redis7_4 => {
                    let age = parse_integer(value)
                        .ok_or(Error::new("ERR maxage is not an integer or out of range"))?;
                    if age <= 0 {
                        return Err(Error::new("ERR maxage should be greater than 0"));
                    }
                    filter.age = Some(age);
                }
                _ => return Err(Error::SYNTAX),
            }
        }
        Ok(filter)
    }

    fn matches(&self, client: &Client, now: i64) -> bool {
        self.id.is_none_or(|id| id == client.id)
            && self.kind.is_none_or(|kind| kind.is(client))
            && self.address.is_none_or(|address| address == client.address.peer.as_bytes())
            && self.local_address.is_none_or(|address| address == client.address.local.as_bytes())
            && self.user.is_none_or(|user| user == client.user)
            && self.age.is_none_or(|age| now - client.created.seconds() >= age)
    }
}

/// `CLIENT KILL address`, or `CLIENT KILL` with filters, which replies with the number of closed clients.
///
/// # Errors
///
/// The filters are invalid; in the old form, also if there is no such client.
pub fn kill(ctx: &mut Context<'_>) -> Outcome {
    let args = ctx.args;
    let old_form = args.len() == 3;
    let filter = if old_form {
        KillFilter { address: args.get(2), ..KillFilter::default() }
    } else {
        KillFilter::parse(args.from(2), &ctx.state.users, ctx.state.config.compat)?
    };
    let now = ctx.state.now.seconds();
    let killed = connections(ctx.state, |client| filter.matches(client, now));
    let mut count = 0;
    for client in killed {
        if client != ctx.client {
            ctx.state.kill(client);
        } else if filter.skip_me {
            continue;
        } else {
            ctx.state.clients.close(client, Close::AfterReply);
        }
        count += 1;
    }
    match (old_form, count) {
        (true, 0) => return Err(Error::new("ERR No such client")),
        (true, _) => ctx.reply.ok(),
        (false, count) => ctx.reply.integer(count),
    }
    Ok(())
}

/// `CLIENT UNBLOCK id [TIMEOUT | ERROR]`: the client, and the reply with which its wait ends. The engine ends the
/// wait.
///
/// # Errors
///
/// Another reason, or an id that is not a number.
pub fn unblock(args: Args<'_>) -> Result<(Option<u64>, Answer), Error> {
    let answer = match args.get(3) {
        _ if args.len() > 4 => return Err(Error::subcommand_syntax(&args[1], "CLIENT")),
        None => Answer::TimedOut,
        Some(reason) if reason.eq_ignore_ascii_case(b"timeout") => Answer::TimedOut,
        Some(reason) if reason.eq_ignore_ascii_case(b"error") => Answer::Unblocked,
        Some(_) => return Err(Error::new("ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR")),
    };
    Ok((u64::try_from(numbers::integer(&args[2])?).ok(), answer))
}

/// `CLIENT PAUSE timeout [WRITE | ALL]`. Of two pauses, the later end and the stricter mode apply.
///
/// # Errors
///
/// Another mode, or a timeout that is not a number of milliseconds.
pub fn pause(ctx: &mut Context<'_>) -> Outcome {
    let args = ctx.args;
    let mut writes_only = match args.get(3) {
        _ if args.len() > 4 => return Err(Error::subcommand_syntax(&args[1], "CLIENT")),
        None => false,
        Some(mode) if mode.eq_ignore_ascii_case(b"all") => false,
        Some(mode) if mode.eq_ignore_ascii_case(b"write") => true,
        Some(_) => return Err(Error::new("ERR CLIENT PAUSE mode must be WRITE or ALL")),
    };
    let now = ctx.state.now;
    let mut until = numbers::deadline_from_millis(&args[2], now, ctx.state.config.compat)?
        .unwrap_or_else(|| Deadline::at_once(now));
    if let Some(pause) = ctx.state.waiters.pause.filter(|pause| !pause.until.is_due(now)) {
        until = until.max(pause.until);
        writes_only &= pause.writes_only;
    }
    ctx.state.waiters.pause = Some(Pause { until, writes_only });
    ctx.reply.ok();
    Ok(())
}

/// `CLIENT UNPAUSE`: the pause ends now, and after this command the engine runs what it has held back.
///
/// # Errors
///
/// None: all commands have this return type.
pub fn unpause(ctx: &mut Context<'_>) -> Outcome {
    let now = ctx.state.now;
    if let Some(pause) = &mut ctx.state.waiters.pause {
        pause.until = Deadline::at_once(now);
    }
    ctx.reply.ok();
    Ok(())
}

/// `CLIENT REPLY ON | OFF | SKIP`. Only ON has a reply; the engine suppresses the replies that the mode forbids.
///
/// # Errors
///
/// Another mode.
pub fn reply(ctx: &mut Context<'_>) -> Outcome {
    let mode = ctx.args[2].to_ascii_lowercase();
    let chosen = &mut ctx.client()?.reply_mode;
    match mode.as_slice() {
        b"on" => {
            chosen.off = false;
            // A SKIP earlier in the same EXEC still applies to the command after that EXEC.
            if chosen.skip == Skip::This {
                chosen.skip = Skip::None;
            }
            ctx.reply.ok();
        }
        b"off" => chosen.off = true,
        b"skip" if chosen.off => {}
        b"skip" => chosen.skip = Skip::Next,
        _ => return Err(Error::SYNTAX),
    }
    Ok(())
}

/// `CLIENT NO-EVICT ON | OFF`. No client is ever evicted here; the flag is shown in CLIENT LIST.
///
/// # Errors
///
/// Another value.
pub fn no_evict(ctx: &mut Context<'_>) -> Outcome {
    ctx.client()?.no_evict = on_or_off(&ctx.args[2])?;
    ctx.reply.ok();
    Ok(())
}

/// `CLIENT NO-TOUCH ON | OFF`: commands of the client do not count as use of a key, except TOUCH.
///
/// # Errors
///
/// Another value.
pub fn no_touch(ctx: &mut Context<'_>) -> Outcome {
    ctx.client()?.no_touch = on_or_off(&ctx.args[2])?;
    ctx.reply.ok();
    Ok(())
}

fn on_or_off(text: &[u8]) -> Result<bool, Error> {
    match text.to_ascii_lowercase().as_slice() {
        b"on" => Ok(true),
        b"off" => Ok(false),
        _ => Err(Error::SYNTAX),
    }
}
