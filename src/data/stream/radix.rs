//! The size of the radix tree in which redis-server keeps the nodes of a stream.
//!
//! Its keys are ids, 16 bytes each. A chain of bytes without a branch is one node of the tree, so the number of
//! nodes depends on what the keys have in common. XINFO reports the number.

use std::collections::BTreeMap;

use super::StreamId;

/// How many bytes a key has.
const KEY: u32 = 16;

/// How many nodes of the tree the key `id` needs in addition to those for `others`, which do not contain it.
pub(super) fn share<T>(others: &BTreeMap<StreamId, T>, id: StreamId) -> usize {
    let before = others.range(..id).next_back().map(|(other, _)| *other);
    let after = others.range(id..).next().map(|(other, _)| *other);
    let common_with = |other: Option<StreamId>| other.map(|other| common(other, id));
    // Where the key branches off from the others.
    let Some(leaves) = common_with(before).max(common_with(after)) else {
        // The chain of all its bytes, and its end.
        return 2;
    };
    // Its end, and the chain after the byte that the branch has for it.
    let own = 1 + usize::from(leaves + 1 < KEY);
    // The other keys that have that much in common with it, as a range.
    let (low, high) = with_prefix(id, leaves);
    let mut sharing = others.range(low..=high).map(|(other, _)| *other);
    let (Some(first), last) = (sharing.next(), sharing.next_back()) else { return own };
    let branches = last.map_or(KEY, |last| common(first, last));
    if branches == leaves {
        return own;
    }
    // There was no branch at this place: a chain is split in two, either of which may be empty.
    let above = others.range(..low).next_back().map(|(other, _)| common(*other, id));
    let below = others.range((std::ops::Bound::Excluded(high), std::ops::Bound::Unbounded)).next();
    let parent = above.max(below.map(|(other, _)| common(*other, id)));
    let start = parent.map_or(0, |parent| parent + 1);
    let chains = |from: u32, to: u32| usize::from(from < to);
    own + 1 + chains(start, leaves) + chains(leaves + 1, branches) - chains(start, branches)
}

fn number(id: StreamId) -> u128 {
    u128::from(id.ms) << 64 | u128::from(id.seq)
}

/// How many bytes from the front two ids have in common.
fn common(one: StreamId, other: StreamId) -> u32 {
    (number(one) ^ number(other)).leading_zeros() / 8
}

/// The smallest and the greatest id that begin with `bytes` bytes of `id`.
fn with_prefix(id: StreamId, bytes: u32) -> (StreamId, StreamId) {
    let rest = u128::MAX.checked_shr(bytes * 8).unwrap_or_default();
    #[allow(clippy::cast_possible_truncation)]
    let id_of = |number: u128| StreamId { ms: (number >> 64) as u64, seq: number as u64 };
    (id_of(number(id) & !rest), id_of(number(id) | rest))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    /// Counts the nodes in the plain tree of all prefixes of all keys.
    fn counted(keys: &BTreeMap<StreamId, bool>) -> usize {
        let texts: Vec<[u8; 16]> = keys.keys().map(|id| number(*id).to_be_bytes()).collect();
        let prefixes: HashSet<&[u8]> =
            texts.iter().flat_map(|text| (0..=16).map(move |len| &text[..len])).collect();
        let children = |prefix: &[u8]| {
            prefixes
                .iter()
                .filter(|other| other.len() == prefix.len() + 1 && other.starts_with(prefix))
                .count()
        };
        let alone = |prefix: &[u8]| children(prefix) == 1;
        // Only the beginning of a chain counts.
        let begins = |prefix: &[u8]| !(alone(prefix) && prefix.split_last().is_some_and(|(_, up)| alone(up)));
        prefixes.iter().filter(|prefix| begins(prefix)).count()
    }

    #[test]
    fn the_shares_of_all_keys_are_the_nodes_of_the_tree_in_any_order() {
        let mut random = fastrand::Rng::with_seed(1);
        for _ in 0..60 {
            let mut keys = BTreeMap::new();
            let mut nodes = 0;
            for _ in 0..40 {
                let seq = u64::from(random.u8(0..3)) << (8 * random.u8(0..3)) | u64::from(random.u8(..));
                let id = StreamId { ms: u64::from(random.u8(0..3)) << (8 * random.u8(0..3)), seq };
                if keys.remove(&id).is_some() {
                    nodes -= share(&keys, id);
                } else {
                    nodes += share(&keys, id);
                    keys.insert(id, true);
                }
                assert_eq!(nodes, counted(&keys), "{keys:?}");
            }
        }
    }
}
