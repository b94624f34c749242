//! Hashes, small and large.

use super::{Family, arguments::*, nothing};
use proptest::prelude::*;

pub fn family() -> Family {
    let pairs = || times(1..4, all([element(), value()]));
    let fields = || times(1..4, element());
    let amount = || either([integer(), integer(), double()]);
    Family {
        commands: commands([
            (6, call("HSET", [key(), pairs()])),
            (2, call("HMSET", [key(), pairs()])),
            (1, call("HSET", [key(), many()])),
            (2, call("HSETNX", [key(), element(), value()])),
            (4, call("HINCRBY", [key(), element(), integer()])),
            (4, call("HINCRBYFLOAT", [key(), element(), amount()])),
            (2, call("HGET", [key(), element()])),
            (2, call("HMGET", [key(), fields()])),
            (3, call("HDEL", [key(), fields()])),
            (1, marked("pairs", "HGETALL", [key()])),
            (1, marked("unordered", "HKEYS", [key()])),
            (1, marked("unordered", "HVALS", [key()])),
            (1, call("HLEN", [key()])),
            (1, call("HSTRLEN", [key(), element()])),
            (1, call("HEXISTS", [key(), element()])),
            (
                1,
                marked(
                    "unordered",
                    "HSCAN",
                    [
                        key(),
                        one_of(&["0 COUNT 1000", "0 COUNT 1000", "x", "0 COUNT 0", "0 COUNT"]),
                        scan_options(),
                    ],
                ),
            ),
            (1, call("HRANDFIELD", [words("missing"), maybe(integer())])),
            (
                1,
                marked(
                    "any",
                    "HRANDFIELD",
                    [key(), maybe(one_of(&["1", "-2", "x", "-2 WITHVALUES", "1 x"]))],
                ),
            ),
            (1, marked("unordered", "HRANDFIELD", [key(), words("1000"), maybe(words("WITHVALUES"))])),
            (1, call("RENAME", [key(), key()])),
            (1, call("DEL", [key()])),
            (1, call("SET", [key(), element()])),
            (1, call("OBJECT", [words("ENCODING"), key()])),
            (1, call("PEXPIREAT", [key(), between(4_000_000_000_000..=4_000_000_000_009)])),
        ]),
        questions: &[
            "HLEN {key}",
            "HPEXPIRETIME {key} FIELDS 3 a b 1",
            "~unordered HSCAN {key} 0 COUNT 1000",
        ],
        known: nothing,
    }
}

fn value() -> Piece {
    either([element(), element(), integer(), double()])
}

fn scan_options() -> Piece {
    maybe(one_of(&["MATCH [a-d]*", "NOVALUES", "MATCH ?", "NOVALUES MATCH *1*"]))
}

/// Enough fields to make the hash large.
fn many() -> Piece {
    (0_i64..9)
        .prop_map(|step| {
            let text = |number: i64| number.to_string().into_bytes();
            (0..130).flat_map(|field| [text(field), text(field * step)]).collect()
        })
        .boxed()
}

/// Fields that expire, at absolute times only: the effect of a relative time depends on the server's clock.
pub fn expiring() -> Family {
    let at = || between(4_000_000_000_000..=4_000_000_000_004);
    let at_seconds = || between(4_000_000_000..=4_000_000_002);
    let past = || between(0..=2);
    let condition = || maybe(one_of(&["NX", "XX", "GT", "LT"]));
    let fields = || all([words("FIELDS"), counted(1..4, field())]);
    let time = || {
        either([
            option("PXAT", at()),
            option("PXAT", at()),
            option("EXAT", at_seconds()),
            option("PXAT", past()),
            option("PXAT", wrong()),
        ])
    };
    let pairs = || all([words("FIELDS"), counted(1..4, all([field(), field()]))]);
    Family {
        commands: commands([
            (6, call("HSET", [key(), times(1..6, all([field(), field()]))])),
            (1, call("HSET", [key(), words("a"), long()])),
            (1, call("HSETNX", [key(), field(), field()])),
            (2, call("HINCRBY", [key(), field(), integer()])),
            (2, call("HINCRBYFLOAT", [key(), field(), integer()])),
            (6, call("HPEXPIREAT", [key(), at(), condition(), fields()])),
            (2, call("HEXPIREAT", [key(), at_seconds(), condition(), fields()])),
            (1, call("HPEXPIREAT", [key(), past(), condition(), fields()])),
            (1, call("HPEXPIREAT", [key(), integer(), condition(), fields()])),
            (2, call("HPERSIST", [key(), fields()])),
            (1, call("HPEXPIRETIME", [key(), fields()])),
            (1, call("HEXPIRETIME", [key(), fields()])),
            (2, call("HGETEX", [key(), maybe(either([time(), words("PERSIST")])), fields()])),
            (1, call("HGETDEL", [key(), fields()])),
            (
                4,
                call(
                    "HSETEX",
                    [
                        key(),
                        maybe(one_of(&["FNX", "FXX"])),
                        maybe(either([time(), words("KEEPTTL")])),
                        pairs(),
                    ],
                ),
            ),
            (2, call("HDEL", [key(), times(1..3, field())])),
            (1, call("HGET", [key(), field()])),
            (1, marked("pairs", "HGETALL", [key()])),
            (1, call("HLEN", [key()])),
            (1, call("COPY", [key(), key()])),
            (1, call("RENAME", [key(), key()])),
            (1, call("DEL", [key()])),
            (1, call("SET", [key(), field()])),
        ]),
        questions: &[
            "HPEXPIRETIME {key} FIELDS 9 a b c d 1 2 3 4 5",
            "~unordered HRANDFIELD {key} 1000 WITHVALUES",
        ],
        known: nothing,
    }
}

/// The same for hashes that stay small, whose order is that of redis-server.
pub fn ordered() -> Family {
    let at = || between(4_000_000_000_000..=4_000_000_000_004);
    let fields = || all([words("FIELDS"), counted(1..4, field())]);
    let pairs = || counted(1..4, all([field(), field()]));
    let time = || one_of(&["PXAT 4000000000001", "PXAT 4000000000003", "PXAT 1", "KEEPTTL"]);
    Family {
        commands: commands([
            (4, call("HSET", [key(), times(1..6, all([field(), field()]))])),
            (4, call("HPEXPIREAT", [key(), at(), maybe(one_of(&["NX", "GT"])), fields()])),
            (1, call("HPERSIST", [key(), fields()])),
            (1, call("HINCRBY", [key(), field(), integer()])),
            (2, call("HSETEX", [key(), maybe(time()), words("FIELDS"), pairs()])),
            (1, call("HGETEX", [key(), words("PXAT 4000000000002"), fields()])),
            (1, call("HDEL", [key(), times(1..3, field())])),
            (1, call("COPY", [key(), key()])),
            (1, call("HGETALL", [key()])),
        ]),
        questions: &["HGETALL {key}", "HKEYS {key}", "HVALS {key}", "HSCAN {key} 0", "HRANDFIELD {key} 99"],
        known: nothing,
    }
}

fn field() -> Piece {
    one_of(&["a", "b", "c", "d", "1", "2", "3", "4", "5"])
}

fn long() -> Piece {
    Just(vec![vec![b'z'; 65]]).boxed()
}

fn wrong() -> Piece {
    one_of(&["-1", "70368744177664", "9223372036854775807", "x", "1.0"])
}
