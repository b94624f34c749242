//! Sorted sets, small and large. Ranges by name are in a separate family: if the scores differ, the reply of a
//! real server for a large sorted set is random. So is that of ZRANDMEMBER with a count.

use super::{Command, Family, arguments::*, nothing};
use proptest::prelude::*;

pub fn family() -> Family {
    Family {
        commands: commands([(6, adding()), (4, reading()), (3, removing()), (3, combining()), (1, others())]),
        questions: &["~unordered ZSCAN {key} 0 COUNT 1000"],
        known: nothing,
    }
}

/// Ranges by name, in small sorted sets only.
pub fn by_name() -> Family {
    let name = || one_of(&["a", "b", "bb", "c", "ca", "d", "e", "1", "12", "-"]);
    let limit = || maybe(all([words("LIMIT"), integer(), integer()]));
    let score = || one_of(&["0", "0", "0", "0", "1", "-1"]);
    let bounds = || times(2..3, name_bound());
    let stored = [key(), key(), bounds(), words("BYLEX"), maybe(words("REV")), limit()];
    Family {
        commands: commands([
            (6, call("ZADD", [key(), times(1..5, all([score(), name()]))])),
            (1, call("ZREM", [key(), name()])),
            (1, call("SET", [key(), name()])),
            (2, call("ZRANGEBYLEX", [key(), bounds(), limit()])),
            (2, call("ZREVRANGEBYLEX", [key(), bounds(), limit()])),
            (2, call("ZRANGE", [key(), bounds(), words("BYLEX"), maybe(words("REV")), limit()])),
            (2, call("ZLEXCOUNT", [key(), bounds()])),
            (2, call("ZREMRANGEBYLEX", [key(), bounds()])),
            (2, call("ZRANGESTORE", stored)),
        ]),
        questions: &["~unordered ZSCAN {key} 0 COUNT 1000"],
        known: nothing,
    }
}

fn name_bound() -> Piece {
    one_of(&["-", "+", "[a", "[b", "[c", "[e", "(a", "(b", "(bb", "(d", "(e", "[", "(", "[1", "-x", "a", ""])
}

/// A bound of a range of scores.
fn score_bound() -> Piece {
    let open = (-9_i64..=9).prop_map(|number| vec![format!("({number}").into_bytes()]).boxed();
    let fractions = one_of(&["0.5", ".5", "-0", "(1.25", "3.3", "-1e-320", "1e400", "(1e308"]);
    either([
        between(-9..=9),
        open,
        fractions,
        one_of(&["-inf", "+inf", "(inf", "nan", "", "x", "1 ", "(", "((1"]),
    ])
}

/// A bound that Redis 7.0 may read differently: not for commands that write.
fn wild_bound() -> Piece {
    either([score_bound(), double()])
}

/// Enough members to make the sorted set large.
fn many() -> Piece {
    (0_i64..9)
        .prop_map(|step| {
            let text = |number: i64| number.to_string().into_bytes();
            (0..130).flat_map(|member| [text(member * step % 17), text(member)]).collect()
        })
        .boxed()
}

/// One member that is too long for a small sorted set.
fn long() -> Piece {
    Just(vec![b"7".to_vec(), vec![b'z'; 65]]).boxed()
}

fn adding() -> BoxedStrategy<Command> {
    let condition =
        || one_of(&["NX", "XX", "GT", "LT", "CH", "INCR", "XX GT CH", "XX LT", "NX CH", "GT INCR"]);
    let scored = || all([double(), element()]);
    commands([
        (10, call("ZADD", [key(), maybe(condition()), times(1..5, scored())])),
        (2, call("ZADD", [key(), times(0..4, condition()), times(1..3, scored())])),
        (1, call("ZADD", [key(), long()])),
        (1, call("ZADD", [key(), many()])),
        (3, call("ZINCRBY", [key(), double(), element()])),
    ])
}

fn reading() -> BoxedStrategy<Command> {
    let limit = || maybe(all([words("LIMIT"), integer(), integer()]));
    // Redis 7.0 handles a negative offset differently.
    let part = || maybe(all([words("LIMIT"), between(0..=5), integer()]));
    let scores = || maybe(words("WITHSCORES"));
    let by_score = || times(2..3, wild_bound());
    let by_rank = || times(2..3, integer());
    let members = || times(1..4, element());
    let scan = || one_of(&["0 COUNT 1000", "0 COUNT 1000", "x", "0 COUNT 0", "0 COUNT"]);
    commands([
        (1, call("ZSCORE", [key(), element()])),
        (1, call("ZMSCORE", [key(), members()])),
        (1, call("ZCARD", [key()])),
        (1, call("ZRANK", [key(), element(), maybe(words("WITHSCORE"))])),
        (1, call("ZREVRANK", [key(), element(), maybe(words("WITHSCORE"))])),
        (2, call("ZRANGE", [key(), by_rank(), maybe(words("REV")), scores()])),
        (2, call("ZRANGE", [key(), by_score(), words("BYSCORE"), maybe(words("REV")), limit(), scores()])),
        (
            1,
            call(
                "ZRANGE",
                [key(), by_rank(), times(0..4, one_of(&["REV", "BYSCORE", "BYLEX", "LIMIT 0 1"]))],
            ),
        ),
        (1, call("ZREVRANGE", [key(), by_rank(), scores()])),
        (1, call("ZRANGEBYSCORE", [key(), by_score(), scores(), limit()])),
        (1, call("ZREVRANGEBYSCORE", [key(), by_score(), limit(), scores()])),
        (1, call("ZCOUNT", [key(), by_score()])),
        (1, call("ZRANDMEMBER", [words("missing"), maybe(integer())])),
        (1, marked("unordered", "ZRANDMEMBER", [key(), words("1000"), maybe(words("WITHSCORES"))])),
        (1, marked("any", "ZRANDMEMBER", [key(), maybe(one_of(&["1", "-2", "x", "-2 WITHSCORES", "1 x"]))])),
        (1, marked("unordered", "ZSCAN", [key(), scan(), maybe(words("MATCH [a-d]*"))])),
        (2, call("ZRANGESTORE", [key(), key(), by_rank(), maybe(words("REV"))])),
        (
            2,
            call(
                "ZRANGESTORE",
                [key(), key(), score_bound(), score_bound(), words("BYSCORE"), maybe(words("REV")), part()],
            ),
        ),
    ])
}

fn removing() -> BoxedStrategy<Command> {
    let edge = || one_of(&["MIN", "MAX"]);
    commands([
        (2, call("ZREM", [key(), times(1..4, element())])),
        (1, call("ZREMRANGEBYRANK", [key(), integer(), integer()])),
        (1, call("ZREMRANGEBYSCORE", [key(), score_bound(), score_bound()])),
        (1, call("ZPOPMIN", [key(), maybe(between(-1..=5))])),
        (1, call("ZPOPMAX", [key(), maybe(between(-1..=5))])),
        (1, call("BZPOPMIN", [times(1..3, key()), words("0")])),
        (1, call("BZPOPMAX", [times(1..3, key()), words("0")])),
        (1, call("BZMPOP", [words("0"), counted(1..4, key()), edge(), maybe(option("COUNT", integer()))])),
        (2, call("ZMPOP", [counted(1..4, key()), edge(), maybe(option("COUNT", integer()))])),
    ])
}

fn combining() -> BoxedStrategy<Command> {
    let keys = || counted(1..4, key());
    let weights = || option("WEIGHTS", times(1..4, double()));
    let aggregate = || option("AGGREGATE", one_of(&["SUM", "min", "MAX"]));
    // As many weights as keys.
    let weighted = || {
        let pairs = proptest::collection::vec((key(), double()), 1..4);
        let arguments = pairs.prop_map(|pairs| {
            let (keys, weights): (Vec<_>, Vec<_>) = pairs.into_iter().unzip();
            let count = vec![keys.len().to_string().into_bytes()];
            [count, keys.concat(), vec![b"WEIGHTS".to_vec()], weights.concat()].concat()
        });
        arguments.boxed()
    };
    let read = |name| {
        let options = [maybe(weights()), maybe(aggregate()), maybe(words("WITHSCORES"))];
        let exact = [weighted(), maybe(aggregate()), words("WITHSCORES")];
        commands([(1, call(name, [keys(), all(options)])), (2, call(name, exact))])
    };
    let stored = |name| {
        commands([
            (1, call(name, [key(), keys(), maybe(aggregate())])),
            (2, call(name, [key(), weighted(), maybe(aggregate())])),
        ])
    };
    commands([
        (1, read("ZUNION")),
        (1, read("ZINTER")),
        (1, call("ZDIFF", [keys(), maybe(words("WITHSCORES"))])),
        (2, stored("ZUNIONSTORE")),
        (2, stored("ZINTERSTORE")),
        (1, call("ZDIFFSTORE", [key(), keys()])),
        (1, call("ZINTERCARD", [keys(), maybe(option("LIMIT", integer()))])),
    ])
}

fn others() -> BoxedStrategy<Command> {
    commands([
        (2, call("SADD", [key(), times(1..4, element())])),
        (1, call("RENAME", [key(), key()])),
        (1, call("DEL", [key()])),
        (1, call("SET", [key(), element()])),
        (1, call("PEXPIREAT", [key(), between(4_000_000_000_000..=4_000_000_000_009)])),
    ])
}
