//! Pub/Sub.
//!
//! A confirmation is a push of three elements: what happened, to which channel, and how many subscriptions are
//! left. It is in the outbox before any message of the new subscription.

use crate::clients::pubsub::Kind;
use crate::config::Version;
use crate::data::pattern;
use crate::resp::Args;
use crate::spec::{Context, Error, Outcome};

/// SUBSCRIBE channel...
pub fn subscribe(ctx: &mut Context<'_>) -> Outcome {
    subscribe_to(ctx, Kind::Channel, "subscribe")
}

/// `UNSUBSCRIBE [channel...]`
pub fn unsubscribe(ctx: &mut Context<'_>) -> Outcome {
    unsubscribe_from(ctx, Kind::Channel, "unsubscribe")
}

/// PSUBSCRIBE pattern...
pub fn psubscribe(ctx: &mut Context<'_>) -> Outcome {
    subscribe_to(ctx, Kind::Pattern, "psubscribe")
}

/// `PUNSUBSCRIBE [pattern...]`
pub fn punsubscribe(ctx: &mut Context<'_>) -> Outcome {
    unsubscribe_from(ctx, Kind::Pattern, "punsubscribe")
}

/// SSUBSCRIBE shardchannel...
pub fn ssubscribe(ctx: &mut Context<'_>) -> Outcome {
    subscribe_to(ctx, Kind::Shard, "ssubscribe")
}

/// `SUNSUBSCRIBE [shardchannel...]`
pub fn sunsubscribe(ctx: &mut Context<'_>) -> Outcome {
    unsubscribe_from(ctx, Kind::Shard, "sunsubscribe")
}

/// `PUBLISH channel message`
pub fn publish(ctx: &mut Context<'_>) -> Outcome {
    let receivers = ctx.state.publish(&ctx.args[1], &ctx.args[2]);
    answer_publish(ctx, receivers)
}

/// `SPUBLISH shardchannel message`
pub fn spublish(ctx: &mut Context<'_>) -> Outcome {
    let receivers = ctx.state.publish_to_shard(&ctx.args[1], &ctx.args[2]);
    answer_publish(ctx, receivers)
}

/// Replies with the number of receivers. Before Redis 7.2 the message that the publisher itself receives comes
/// before the reply.
fn answer_publish(ctx: &mut Context<'_>, receivers: usize) -> Outcome {
    // A suppressed reply does not move the pushes, and the reply to a script goes to the script alone.
    if ctx.state.config.compat < Version::Redis7_4 && !ctx.state.in_script && !ctx.client()?.is_muted() {
        let pushes = std::mem::take(&mut ctx.client()?.outbox);
        ctx.reply.written(&pushes);
    }
    ctx.reply.count(receivers);
    Ok(())
}

/// `PUBSUB CHANNELS [pattern]`
pub fn pubsub_channels(ctx: &mut Context<'_>) -> Outcome {
    names(ctx, Kind::Channel)
}

/// `PUBSUB SHARDCHANNELS [pattern]`
pub fn pubsub_shardchannels(ctx: &mut Context<'_>) -> Outcome {
    names(ctx, Kind::Shard)
}

/// `PUBSUB NUMSUB [channel...]`
pub fn pubsub_numsub(ctx: &mut Context<'_>) -> Outcome {
    counts(ctx, Kind::Channel);
    Ok(())
}

/// `PUBSUB SHARDNUMSUB [shardchannel...]`
pub fn pubsub_shardnumsub(ctx: &mut Context<'_>) -> Outcome {
    counts(ctx, Kind::Shard);
    Ok(())
}

/// `PUBSUB NUMPAT`
pub fn pubsub_numpat(ctx: &mut Context<'_>) -> Outcome {
    ctx.reply.count(ctx.state.pubsub.names(Kind::Pattern).len());
    Ok(())
}

fn subscribe_to(ctx: &mut Context<'_>, kind: Kind, word: &str) -> Outcome {
    // The error of redis-server for a client that could never read the messages; also for shard channels in a
    // transaction.
    if ctx.client()?.internal || kind == Kind::Shard && !ctx.may_block {
        let command = word.to_uppercase();
        return Err(Error::new(format!("ERR {command} isn't allowed for a DENY BLOCKING client")));
    }
    for name in ctx.args.from(1).iter() {
        ctx.state.subscribe(ctx.client, kind, name);
        confirm(ctx, kind, word, Some(name))?;
    }
    Ok(())
}

fn unsubscribe_from(ctx: &mut Context<'_>, kind: Kind, word: &str) -> Outcome {
    let named = ctx.args.from(1);
    if !named.is_empty() {
        return leave(ctx, kind, word, named);
    }
    let subscribed: Vec<_> = match &ctx.client()?.subscriptions {
        Some(subscriptions) => kind.of(subscriptions).iter().cloned().collect(),
        None => Vec::new(),
    };
    if subscribed.is_empty() {
        return confirm(ctx, kind, word, None);
    }
    for name in subscribed {
        ctx.state.unsubscribe(ctx.client, kind, &name);
        confirm(ctx, kind, word, Some(&name))?;
    }
    Ok(())
}

fn leave(ctx: &mut Context<'_>, kind: Kind, word: &str, names: Args<'_>) -> Outcome {
    for name in names.iter() {
        ctx.state.unsubscribe(ctx.client, kind, name);
        confirm(ctx, kind, word, Some(name))?;
    }
    Ok(())
}

fn confirm(ctx: &mut Context<'_>, kind: Kind, word: &str, name: Option<&[u8]>) -> Outcome {
    let client = ctx.client()?;
    let count = match kind {
        Kind::Channel | Kind::Pattern => client.subscription_count(),
        Kind::Shard => client.shard_subscription_count(),
    };
    ctx.reply.push(3);
    ctx.reply.bulk(word.as_bytes());
    ctx.reply.bulk_or_null(name);
    ctx.reply.count(count);
    Ok(())
}

fn names(ctx: &mut Context<'_>, kind: Kind) -> Outcome {
    if ctx.args.len() > 3 {
        return Err(Error::subcommand_syntax(&ctx.args[1], "PUBSUB"));
    }
    let wanted = ctx.args.get(2);
    let start = ctx.reply.position();
    let mut count = 0;
    for name in ctx.state.pubsub.names(kind) {
        if wanted.is_none_or(|wanted| pattern::matches(wanted, name, false)) {
            ctx.reply.bulk(name);
            count += 1;
        }
    }
    ctx.reply.insert_array(start, count);
    Ok(())
}

fn counts(ctx: &mut Context<'_>, kind: Kind) {
    let channels = ctx.args.from(2);
    ctx.reply.array(channels.len() * 2);
    for channel in channels.iter() {
        ctx.reply.bulk(channel);
        ctx.reply.count(ctx.state.pubsub.subscribers(kind, channel));
    }
}
