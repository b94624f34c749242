//! Pub/Sub.

use crate::clients::pubsub::Kind;
use crate::commands::help::help;
use crate::commands::pubsub;
use crate::spec::{ChannelAction, ChannelSpec, Command, Flags, Group, KeySpec, Run, Varies};

/// What the rows have in common.
const PUBSUB: Command = Command { group: Group::Pubsub, ..Command::EMPTY };

/// The rows.
pub const COMMANDS: &[Command] = &[
    Command {
        name: "psubscribe",
        arity: -2,
        flags: Flags::PUBSUB
            .or(Flags::NOSCRIPT)
            .or(Flags::ANYTIME)
            .or(Flags::PUSH_REPLY)
            .or(Flags::ALLOWED_SUBSCRIBED)
            .or(Flags::OF_CONNECTION),
        since: "2.0.0",
        summary: "Starts listening to all channels whose names match a pattern.",
        complexity: "O(N)",
        syntax: "pattern:pattern...",
        run: Run::Command(pubsub::psubscribe),
        channels: Some(ChannelSpec::from(1, Kind::Pattern, ChannelAction::Subscribe)),
        ..PUBSUB
    },
    Command {
        name: "publish",
        arity: 3,
        flags: Flags::PUBSUB.or(Flags::ANYTIME).or(Flags::FAST).or(Flags::PROPAGATED),
        since: "2.0.0",
        summary: "Sends a message to all who listen to a channel.",
        complexity: "O(N+M)",
        syntax: "channel message",
        run: Run::Command(pubsub::publish),
        channels: Some(ChannelSpec::one(1, Kind::Channel, ChannelAction::Publish)),
        ..PUBSUB
    },
    Command {
        name: "pubsub",
        arity: -2,
        since: "2.8.0",
        summary: "Looks at channels and their listeners.",
        complexity: "that of the subcommand",
        subcommands: PUBSUB_SUBCOMMANDS,
        help: &[
            "CHANNELS [<pattern>]",
            "    The channels with a subscriber, all or those that match the pattern.",
            "NUMPAT",
            "    How many patterns have a subscriber.",
            "NUMSUB [<channel> ...]",
            "    How many subscribers each of the channels has, patterns not counted.",
            "SHARDCHANNELS [<pattern>]",
            "    The shard channels with a subscriber, all or those that match the pattern.",
            "SHARDNUMSUB [<shardchannel> ...]",
            "    How many subscribers each of the shard channels has.",
        ],
        ..PUBSUB
    },
    Command {
        name: "punsubscribe",
        arity: -1,
        flags: Flags::PUBSUB
            .or(Flags::NOSCRIPT)
            .or(Flags::ANYTIME)
            .or(Flags::PUSH_REPLY)
            .or(Flags::ALLOWED_SUBSCRIBED)
            .or(Flags::OF_CONNECTION),
        since: "2.0.0",
        summary: "Stops listening to patterns, the named ones or all.",
        complexity: "O(N)",
        syntax: "[pattern:pattern...]",
        run: Run::Command(pubsub::punsubscribe),
        channels: Some(ChannelSpec::from(1, Kind::Pattern, ChannelAction::Unsubscribe)),
        ..PUBSUB
    },
    Command {
        name: "spublish",
        arity: 3,
        flags: Flags::PUBSUB.or(Flags::ANYTIME).or(Flags::FAST).or(Flags::PROPAGATED),
        keys: &[KeySpec::one(1, "not_key")],
        since: "7.0.0",
        summary: "Sends a message to all who listen to a shard channel.",
        complexity: "O(N)",
        syntax: "shardchannel message",
        run: Run::Command(pubsub::spublish),
        channels: Some(ChannelSpec::one(1, Kind::Shard, ChannelAction::Publish)),
        ..PUBSUB
    },
    Command {
        name: "ssubscribe",
        arity: -2,
        flags: Flags::PUBSUB
            .or(Flags::NOSCRIPT)
            .or(Flags::ANYTIME)
            .or(Flags::PUSH_REPLY)
            .or(Flags::ALLOWED_SUBSCRIBED)
            .or(Flags::OF_CONNECTION),
        keys: &[KeySpec::range(1, -1, 1, "not_key")],
        since: "7.0.0",
        summary: "Starts listening to shard channels.",
        complexity: "O(N)",
        syntax: "shardchannel...",
        run: Run::Command(pubsub::ssubscribe),
        channels: Some(ChannelSpec::from(1, Kind::Shard, ChannelAction::Subscribe)),
        ..PUBSUB
    },
    Command {
        name: "subscribe",
        arity: -2,
        flags: Flags::PUBSUB
            .or(Flags::NOSCRIPT)
            .or(Flags::ANYTIME)
            .or(Flags::PUSH_REPLY)
            .or(Flags::ALLOWED_SUBSCRIBED)
            .or(Flags::OF_CONNECTION),
        since: "2.0.0",
        summary: "Starts listening to channels.",
        complexity: "O(N)",
        syntax: "channel...",
        run: Run::Command(pubsub::subscribe),
        channels: Some(ChannelSpec::from(1, Kind::Channel, ChannelAction::Subscribe)),
        ..PUBSUB
    },
    Command {
        name: "sunsubscribe",
        arity: -1,
        flags: Flags::PUBSUB
            .or(Flags::NOSCRIPT)
            .or(Flags::ANYTIME)
            .or(Flags::PUSH_REPLY)
            .or(Flags::ALLOWED_SUBSCRIBED)
            .or(Flags::OF_CONNECTION),
        keys: &[KeySpec::range(1, -1, 1, "not_key")],
        since: "7.0.0",
        summary: "Stops listening to shard channels, the named ones or all.",
        complexity: "O(N)",
        syntax: "[shardchannel...]",
        run: Run::Command(pubsub::sunsubscribe),
        channels: Some(ChannelSpec::from(1, Kind::Shard, ChannelAction::Unsubscribe)),
        ..PUBSUB
    },
    Command {
        name: "unsubscribe",
        arity: -1,
        flags: Flags::PUBSUB
            .or(Flags::NOSCRIPT)
            .or(Flags::ANYTIME)
            .or(Flags::PUSH_REPLY)
            .or(Flags::ALLOWED_SUBSCRIBED)
            .or(Flags::OF_CONNECTION),
        since: "2.0.0",
        summary: "Stops listening to channels, the named ones or all.",
        complexity: "O(N)",
        syntax: "[channel...]",
        run: Run::Command(pubsub::unsubscribe),
        channels: Some(ChannelSpec::from(1, Kind::Channel, ChannelAction::Unsubscribe)),
        ..PUBSUB
    },
];

/// The subcommands of `PUBSUB`.
const PUBSUB_SUBCOMMANDS: &[Command] = &[
    Command {
        name: "channels",
        arity: -2,
        flags: Flags::PUBSUB.or(Flags::ANYTIME),
        since: "2.8.0",
        summary: "Returns the channels that have subscribers.",
        complexity: "O(N)",
        syntax: "[pattern:pattern]",
        varies: Some(Varies::Order),
        run: Run::Command(pubsub::pubsub_channels),
        ..PUBSUB
    },
    Command {
        name: "numsub",
        arity: -2,
        flags: Flags::PUBSUB.or(Flags::ANYTIME),
        since: "2.8.0",
        summary: "Counts the listeners of channels.",
        complexity: "O(N)",
        syntax: "[channel...]",
        run: Run::Command(pubsub::pubsub_numsub),
        ..PUBSUB
    },
    Command {
        name: "numpat",
        arity: 2,
        flags: Flags::PUBSUB.or(Flags::ANYTIME),
        since: "2.8.0",
        summary: "Counts the patterns listened to.",
        complexity: "O(1)",
        run: Run::Command(pubsub::pubsub_numpat),
        ..PUBSUB
    },
    Command {
        name: "shardchannels",
        arity: -2,
        flags: Flags::PUBSUB.or(Flags::ANYTIME),
        since: "7.0.0",
        summary: "Returns the shard channels that have subscribers.",
        complexity: "O(N)",
        syntax: "[pattern:pattern]",
        varies: Some(Varies::Order),
        run: Run::Command(pubsub::pubsub_shardchannels),
        ..PUBSUB
    },
    Command {
        name: "shardnumsub",
        arity: -2,
        flags: Flags::PUBSUB.or(Flags::ANYTIME),
        since: "7.0.0",
        summary: "Counts the listeners of shard channels.",
        complexity: "O(N)",
        syntax: "[shardchannel...]",
        run: Run::Command(pubsub::pubsub_shardnumsub),
        ..PUBSUB
    },
    Command {
        name: "help",
        arity: 2,
        flags: Flags::ANYTIME,
        since: "6.2.0",
        summary: "Explains the subcommands.",
        complexity: "O(1)",
        run: Run::Command(help),
        ..PUBSUB
    },
];
