//! How Redis before 7.2 serves a waiter.

use crate::clients::waiters::Reason;
use crate::data::value::Type;
use crate::resp::{Args, OwnedRequest};
use crate::spec::Command;

/// The request as if it had named only this key; none if it did. This is how Redis before 7.2 serves a waiter: with the
/// key that has become ready, and not with the first of its keys that has a value.
pub(super) fn narrowed(
    command: &Command,
    args: Args<'_>,
    (reason, waits_for): (Reason, usize),
    key: &[u8],
) -> Option<OwnedRequest> {
    let keys = command.keys(args).unwrap_or_default();
    if keys.len() < 2 {
        return None;
    }
    match reason {
        // Each of its keys is replaced.
        Reason::Key(Type::List | Type::SortedSet) if waits_for > 1 => {
            let is_key = |index: usize| keys.iter().any(|(key, _)| *key == index);
            let only = |(index, argument)| if is_key(index) { key } else { argument };
            Some(OwnedRequest::new(args.iter().enumerate().map(only)))
        }
        // With the first id of this key.
        Reason::Key(Type::Stream) | Reason::Group => {
            let (first, _) = *keys.first()?;
            let index = keys.iter().map(|(index, _)| *index).find(|index| &args[*index] == key)?;
            let id = args.get(index + keys.len())?;
            Some(OwnedRequest::new(args.range(0, first).iter().chain([key, id])))
        }
        _ => None,
    }
}
