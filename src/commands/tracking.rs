//! CLIENT TRACKING, CACHING, GETREDIR and TRACKINGINFO, for clients that cache what they have read.

use std::collections::BTreeSet;

use crate::clients::tracking::{Mode, Redirection, Tracking};
use crate::data::Bytes;
use crate::resp::{Args, up_to_nul};
use crate::spec::{Context, Error, Outcome, numbers};

/// The options of CLIENT TRACKING. Words are compared up to a zero byte, as in redis-server.
// Each is an option of its own.
#[allow(clippy::struct_excessive_bools)]
#[derive(Default)]
struct Options<'a> {
    redirect: Option<Redirection>,
    broadcast: bool,
    opt_in: bool,
    opt_out: bool,
    no_loop: bool,
    prefixes: Vec<&'a [u8]>,
}

impl<'a> Options<'a> {
    fn parse(ctx: &Context<'a>) -> Result<Self, Error> {
        let args: Args<'a> = ctx.args;
        let mut options = Self::default();
        let mut at = 3;
        while let Some(word) = args.get(at) {
            let value = args.get(at + 1);
            match (up_to_nul(word).to_ascii_lowercase().as_slice(), value) {
                (b"redirect", Some(id)) => {
                    if options.redirect.is_some() {
                        return Err(Error::new("ERR A client can only redirect to a single other client"));
                    }
                    let id = numbers::integer(id)?;
                    let found = u64::try_from(id).ok().and_then(|id| {
                        let client = ctx.state.clients.by_id(id)?;
                        ctx.state.clients.get(client).filter(|client| client.is_connected())?;
                        Some(Redirection { id, client })
                    });
                    let missing = Error::new("ERR The client ID you want redirect to does not exist");
                    options.redirect = Some(found.ok_or(missing)?);
                    at += 1;
                }
                (b"prefix", Some(prefix)) => {
                    options.prefixes.push(prefix);
                    at += 1;
                }
                (b"bcast", _) => options.broadcast = true,
                (b"optin", _) => options.opt_in = true,
                (b"optout", _) => options.opt_out = true,
                (b"noloop", _) => options.no_loop = true,
                _ => return Err(Error::SYNTAX),
            }
            at += 1;
        }
        Ok(options)
    }

    /// What the client tracks from now on, if it has tracked `before`.
    fn tracking(self, before: Option<&Tracking>) -> Result<Tracking, Error> {
        if !self.broadcast && !self.prefixes.is_empty() {
            return Err(Error::new("ERR PREFIX option requires BCAST mode to be enabled"));
        }
        if before.is_some_and(|before| (before.mode == Mode::Broadcast) != self.broadcast) {
            return Err(cannot_switch("BCAST mode on/off"));
        }
        if self.broadcast && (self.opt_in || self.opt_out) {
            return Err(Error::new("ERR OPTIN and OPTOUT are not compatible with BCAST"));
        }
        if self.opt_in && self.opt_out {
            return Err(Error::new("ERR You can't specify both OPTIN mode and OPTOUT mode"));
        }
        let is_other = |mode: Mode| match mode {
            Mode::OptIn => self.opt_out,
            Mode::OptOut => self.opt_in,
            Mode::Read | Mode::Broadcast => false,
        };
        if before.is_some_and(|before| is_other(before.mode)) {
            return Err(cannot_switch("OPTIN/OPTOUT mode"));
        }
        let mut prefixes = before.map(|before| before.prefixes.clone()).unwrap_or_default();
        check_overlaps(&self.prefixes, &prefixes)?;
        prefixes.extend(self.prefixes.iter().map(|prefix| Bytes::from(*prefix)));
        if self.broadcast && self.prefixes.is_empty() {
            // Every key begins with it.
            prefixes.insert(Bytes::default());
        }
        let mode = match (self.broadcast, self.opt_in, self.opt_out) {
            (true, ..) => Mode::Broadcast,
            (_, true, _) => Mode::OptIn,
            (_, _, true) => Mode::OptOut,
            _ => Mode::Read,
        };
        let caching = before.is_some_and(|before| before.caching);
        let Self { redirect, no_loop, .. } = self;
        Ok(Tracking { mode, no_loop, redirect, is_broken: false, caching, prefixes })
    }
}

fn cannot_switch(what: &str) -> Error {
    Error::new(format!(
        "ERR You can't switch {what} before disabling tracking for this client, and then re-enabling it with a \
         different mode."
    ))
}

/// No key may begin with two prefixes of a client, those that it has and those that it adds.
fn check_overlaps(added: &[&[u8]], existing: &BTreeSet<Bytes>) -> Result<(), Error> {
    const END: &str = "'. Prefixes for a single client must not overlap.";
    let overlap = |one: &[u8], other: &[u8]| one.starts_with(other) || other.starts_with(one);
    for (at, prefix) in added.iter().enumerate() {
        let found = existing.iter().map(|other| (&**other, "an existing prefix"));
        let others = added[at + 1..].iter().map(|other| (*other, "another provided prefix"));
        if let Some((other, which)) = found.chain(others).find(|(other, _)| overlap(prefix, other)) {
            let begin = ["ERR Prefix '".as_bytes(), up_to_nul(prefix), b"' overlaps with "].concat();
            let middle = [&begin, which.as_bytes(), b" '"].concat();
            return Err(Error::from_bytes([&middle, up_to_nul(other), END.as_bytes()].concat()));
        }
    }
    Ok(())
}

/// `CLIENT TRACKING ON | OFF [REDIRECT id] [PREFIX prefix]... [BCAST] [OPTIN] [OPTOUT] [NOLOOP]`.
///
/// # Errors
///
/// Another word or option, options that exclude each other or the mode that is on, prefixes that overlap, or there is no
/// client of this id.
pub fn tracking(ctx: &mut Context<'_>) -> Outcome {
    let options = Options::parse(ctx)?;
    match up_to_nul(&ctx.args[2]).to_ascii_lowercase().as_slice() {
        b"on" => {
            let tracking = options.tracking(ctx.client()?.tracking.as_deref())?;
            ctx.state.start_tracking(ctx.client, tracking);
        }
        b"off" => ctx.state.stop_tracking(ctx.client),
        _ => return Err(Error::SYNTAX),
    }
    ctx.reply.ok();
    Ok(())
}

/// `CLIENT CACHING YES | NO`: whether the keys that the next command reads are tracked.
///
/// # Errors
///
/// Another word, or the client does not track in the mode to which the word belongs.
pub fn caching(ctx: &mut Context<'_>) -> Outcome {
    let word = up_to_nul(&ctx.args[2]).to_ascii_lowercase();
    let Some(tracking) = &mut ctx.client()?.tracking else {
        return Err(Error::new(
            "ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode \
             enabled",
        ));
    };
    match (word.as_slice(), tracking.mode) {
        (b"yes", Mode::OptIn) | (b"no", Mode::OptOut) => tracking.caching = true,
        (b"yes", _) => {
            let text = "ERR CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode.";
            return Err(Error::new(text));
        }
        (b"no", _) => {
            let text = "ERR CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode.";
            return Err(Error::new(text));
        }
        _ => return Err(Error::SYNTAX),
    }
    ctx.reply.ok();
    Ok(())
}

/// `CLIENT GETREDIR`: the id of the client that is notified instead; 0 if there is none, -1 without tracking.
///
/// # Errors
///
/// None: all commands have this return type.
pub fn getredir(ctx: &mut Context<'_>) -> Outcome {
    let id = Tracking::shown_redirection(ctx.client()?.tracking.as_deref());
    ctx.reply.integer(id);
    Ok(())
}

/// `CLIENT TRACKINGINFO`: the options, the redirection and the prefixes.
///
/// # Errors
///
/// None: all commands have this return type.
pub fn trackinginfo(ctx: &mut Context<'_>) -> Outcome {
    let tracking = ctx.client()?.tracking.clone();
    let tracking = tracking.as_deref();
    let mut flags = Vec::new();
    if let Some(Tracking { mode, caching, no_loop, is_broken, .. }) = tracking {
        flags.push("on");
        flags.extend(match mode {
            Mode::Read => None,
            Mode::Broadcast => Some("bcast"),
            Mode::OptIn => Some("optin"),
            Mode::OptOut => Some("optout"),
        });
        match mode {
            Mode::OptIn if *caching => flags.push("caching-yes"),
            Mode::OptOut if *caching => flags.push("caching-no"),
            _ => {}
        }
        flags.extend(no_loop.then_some("noloop"));
        flags.extend(is_broken.then_some("broken_redirect"));
    } else {
        flags.push("off");
    }
    ctx.reply.map(3);
    ctx.reply.bulk(b"flags");
    ctx.reply.set(flags.len());
    for flag in flags {
        ctx.reply.bulk(flag.as_bytes());
    }
    ctx.reply.bulk(b"redirect");
    ctx.reply.integer(Tracking::shown_redirection(tracking));
    ctx.reply.bulk(b"prefixes");
    let prefixes = tracking.map(|tracking| &tracking.prefixes);
    ctx.reply.array(prefixes.map_or(0, BTreeSet::len));
    for prefix in prefixes.into_iter().flatten() {
        ctx.reply.bulk(prefix);
    }
    Ok(())
}
