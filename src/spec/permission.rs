//! What a user may call: the keys and channels of a call, checked by the rules of the user.

use super::{ChannelAction, Command, Flags, Table};
use crate::clients::pubsub::Kind;
use crate::resp::Args;
use crate::spec::Categories;
use crate::users::{Call, CommandNames, Denial, KeyUse, Named, Selector, User};

/// Commands that redis-server has and minibroker has not, which rules may name as well.
const NOT_BUILT: &[&str] = &[
    "asking",
    "bgrewriteaof",
    "bgsave",
    "cluster",
    "config|rewrite",
    "failover",
    "migrate",
    "module",
    "psync",
    "readonly",
    "readwrite",
    "replconf",
    "replicaof",
    "restore-asking",
    "save",
    "shutdown",
    "slaveof",
    "sync",
    "xackdel",
    "xdelex",
];

/// Containers among them, any of whose subcommands may be named.
const CONTAINERS_NOT_BUILT: [&str; 2] = ["cluster", "module"];

impl Command {
    /// Whether a user may call this command with these arguments.
    ///
    /// # Errors
    ///
    /// Why not.
    pub fn check_permission(&self, user: &User, args: Args<'_>) -> Result<(), Denial> {
        let mut call = Call {
            command: self.index(),
            is_open: self.flags.contains(Flags::NO_AUTH),
            argument: args.get(1),
            ..Call::default()
        };
        let selectors = user.selectors();
        if !selectors.iter().all(Selector::has_all_keys) {
            // A call whose keys cannot be found uses none.
            let keys = self.keys(args).unwrap_or_default();
            call.keys =
                keys.into_iter().filter_map(|(at, flags)| key_use(at, args.get(at)?, flags)).collect();
        }
        if !selectors.iter().all(Selector::has_all_channels)
            && let Some(spec) = self.channels.filter(|spec| spec.action != ChannelAction::Unsubscribe)
        {
            call.are_patterns = spec.kind == Kind::Pattern;
            call.channels = spec.names_with_positions(args).collect();
        }
        user.check(&call)
    }
}

/// How a key is used, by the words of its [spec](super::KeySpec::flags).
fn key_use<'a>(position: usize, key: &'a [u8], flags: &str) -> Option<KeyUse<'a>> {
    let (mut read, mut write) = (false, false);
    for word in flags.split(' ') {
        match word {
            "not_key" => return None,
            "access" => read = true,
            "insert" | "update" | "delete" => write = true,
            _ => {}
        }
    }
    Some(KeyUse { position, key, read, write })
}

impl CommandNames for Table {
    fn command(&self, name: &[u8]) -> Option<Named> {
        if let Some(command) = self.lookup_full(name) {
            let start = command.index();
            return Some(Named {
                indices: start..start + 1 + command.subcommands.len(),
                is_container: command.is_container(),
                is_subcommand: command.container().is_some(),
            });
        }
        let name = str::from_utf8(name).ok()?;
        let (container, subcommand) =
            name.split_once('|').map_or((name, None), |(one, two)| (one, Some(two)));
        let is_known = NOT_BUILT.contains(&name)
            || (CONTAINERS_NOT_BUILT.contains(&container)
                && subcommand.is_some_and(|name| !name.contains('|')));
        is_known.then(|| Named {
            indices: 0..0,
            is_container: CONTAINERS_NOT_BUILT.contains(&name),
            is_subcommand: subcommand.is_some(),
        })
    }

    fn category(&self, name: &[u8]) -> Option<Vec<std::ops::Range<usize>>> {
        let category = Categories::by_name(name)?;
        let all = self.all().iter().filter(|command| command.categories.contains(category));
        let indices = all.map(|command| command.index()..command.index() + 1 + command.subcommands.len());
        Some(indices.collect())
    }
}
