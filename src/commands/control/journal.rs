//! Looking back: MINIBROKER JOURNAL, PUBLISHED and LOST.

use super::{Answered, NOTHING_RECORDED, not_understood, without_value, write_lines};
use crate::resp::{Args, ByteString, OwnedRequest, Reply};
use crate::spec::numbers::{self, is_option};
use crate::spec::{Context, Error, Outcome, Table};
use crate::testing::journal::{Event, EventKind, Message, Wakeup};

/// The answer would not be complete.
const FORGOTTEN: Error = Error::constant(&"ERR the journal has dropped its oldest events");

/// `MINIBROKER JOURNAL [CLIENT c] [COMMAND name] [CHANNEL channel] [KEY key] [COUNT count]`
pub fn journal(ctx: &mut Context<'_>) -> Answered {
    assert_recording(ctx)?;
    let filter = Filter::read(ctx.args)?;
    let table = ctx.table();
    let events = ctx.state.journal.events();
    let mut lines: Vec<String> =
        events.iter().filter(|event| filter.passes(event, table)).map(ToString::to_string).collect();
    if let Some(count) = filter.count {
        lines.drain(..lines.len().saturating_sub(count));
    }
    write_lines(&mut ctx.reply, &lines);
    Ok(None)
}

/// `MINIBROKER PUBLISHED channel [FULL]`
pub fn published(ctx: &mut Context<'_>) -> Answered {
    assert_recording(ctx)?;
    let full = match ctx.args.get(3) {
        Some(option) if is_option(option, "FULL") => true,
        Some(word) => return Err(not_understood(word)),
        None => false,
    };
    let messages = ctx.state.journal.published_messages(ctx.args.get(2));
    ctx.reply.array(messages.len());
    for message in &messages {
        if full { write_message(&mut ctx.reply, message) } else { ctx.reply.bulk(&message.payload) }
    }
    Ok(None)
}

/// `MINIBROKER LOST`
pub fn lost(ctx: &mut Context<'_>) -> Answered {
    assert_recording(ctx)?;
    if ctx.state.journal.dropped() > 0 {
        return Err(FORGOTTEN);
    }
    let lines: Vec<String> =
        ctx.state.journal.lost_messages(&ctx.state.clients).iter().map(ToString::to_string).collect();
    write_lines(&mut ctx.reply, &lines);
    Ok(None)
}

fn assert_recording(ctx: &Context<'_>) -> Outcome {
    if ctx.state.journal.is_on() { Ok(()) } else { Err(NOTHING_RECORDED) }
}

fn write_message(reply: &mut Reply<'_>, message: &Message) {
    let publisher = message.client.as_ref().map(ToString::to_string);
    reply.map(6);
    reply.bulk(b"payload");
    reply.bulk(&message.payload);
    reply.bulk(b"channel");
    reply.bulk(&message.channel);
    reply.bulk(b"shard");
    reply.boolean(message.shard);
    reply.bulk(b"receivers");
    // The broker always knows the number of receivers.
    reply.count(message.receivers.unwrap_or_default());
    reply.bulk(b"publisher");
    reply.bulk_or_null(publisher.as_deref().map(str::as_bytes));
    reply.bulk(b"milliseconds");
    reply.integer(i64::try_from(message.at.as_millis()).unwrap_or(i64::MAX));
}

/// Which events are listed.
#[derive(Default)]
struct Filter {
    client: Option<String>,
    command: Option<String>,
    channel: Option<Vec<u8>>,
    key: Option<Vec<u8>>,
    count: Option<usize>,
}

impl Filter {
    fn read(args: Args<'_>) -> Result<Self, Error> {
        let mut filter = Self::default();
        let mut at = 2;
        while let Some(option) = args.get(at) {
            let value = || args.get(at + 1).ok_or_else(|| without_value(option));
            let text = || Ok::<_, Error>(Some(String::from_utf8_lossy(value()?).into_owned()));
            if is_option(option, "CLIENT") {
                filter.client = text()?;
            } else if is_option(option, "COMMAND") {
                filter.command = text()?;
            } else if is_option(option, "CHANNEL") {
                filter.channel = Some(value()?.to_vec());
            } else if is_option(option, "KEY") {
                filter.key = Some(value()?.to_vec());
            } else if is_option(option, "COUNT") {
                filter.count = Some(numbers::count(value()?)?);
            } else {
                return Err(not_understood(option));
            }
            at += 2;
        }
        Ok(filter)
    }

    fn passes(&self, event: &Event, table: &Table) -> bool {
        self.client.as_ref().is_none_or(|client| event.is_of_client(client))
            && self.command.as_ref().is_none_or(|name| event.is_command(name))
            && self.channel.as_ref().is_none_or(|channel| event.is_on_channel(channel))
            && self.key.as_ref().is_none_or(|key| is_of_key(event, key, table))
    }
}

/// True for commands that name the key, for clients that wait for it, and for its expiry.
#[must_use]
pub fn is_of_key(event: &Event, wanted: &[u8], table: &Table) -> bool {
    match &event.kind {
        EventKind::Command(arguments) => names_key(arguments, wanted, table),
        EventKind::Blocked { keys, .. } => keys.iter().any(|key| key == wanted),
        EventKind::Unblocked(Wakeup::Key(key)) | EventKind::Expired { key, .. } => key == wanted,
        _ => false,
    }
}

/// True if one of the keys of a command is this one.
fn names_key(arguments: &[ByteString], key: &[u8], table: &Table) -> bool {
    let request = OwnedRequest::new(arguments);
    let args = request.args();
    let Some(command) = table.lookup(&args[0]) else { return false };
    let subcommand = args.get(1).and_then(|name| command.subcommand(name));
    let keys = subcommand.unwrap_or(command).keys(args).unwrap_or_default();
    keys.iter().any(|(index, _)| args.get(*index) == Some(key))
}
