//! Strings.

use super::{Family, arguments::*, nothing};

pub fn family() -> Family {
    let value = || either([element(), integer(), double()]);
    let far = || between(4_000_000_000_000..=4_000_000_000_009);
    // Strings stay short: a long one would be in many replies.
    let short = call("CONFIG", [words("SET proto-max-bulk-len 1048576")]);
    let offset = || between(-2..=60);
    let expiry =
        || maybe(either([option("PXAT", far()), option("EXAT", between(4_000_000_000..=4_000_000_009))]));
    Family {
        commands: commands([
            (1, short),
            (
                8,
                call(
                    "SET",
                    [
                        key(),
                        value(),
                        maybe(one_of(&["NX", "XX", "nx", "FOO"])),
                        maybe(words("GET")),
                        either([expiry(), maybe(words("KEEPTTL"))]),
                    ],
                ),
            ),
            (2, call("GET", [key()])),
            (2, call("GETSET", [key(), value()])),
            (2, call("GETDEL", [key()])),
            (2, call("GETEX", [key(), either([expiry(), maybe(words("PERSIST"))])])),
            (2, call("SETNX", [key(), value()])),
            (1, call("MGET", [times(1..4, key())])),
            (2, call("MSET", [times(1..4, all([key(), value()]))])),
            (2, call("MSETNX", [times(1..3, all([key(), value()]))])),
            (3, call("APPEND", [key(), value()])),
            (1, call("STRLEN", [key()])),
            (3, call("GETRANGE", [key(), integer(), integer()])),
            (1, call("SUBSTR", [key(), integer(), integer()])),
            (3, call("SETRANGE", [key(), offset(), value()])),
            (3, call("INCR", [key()])),
            (2, call("DECR", [key()])),
            (3, call("INCRBY", [key(), integer()])),
            (3, call("DECRBY", [key(), integer()])),
            (6, call("INCRBYFLOAT", [key(), either([double(), integer()])])),
            (
                3,
                call(
                    "LCS",
                    [
                        key(),
                        key(),
                        maybe(one_of(&["IDX", "LEN", "idx", "IDX LEN"])),
                        maybe(option("MINMATCHLEN", integer())),
                        maybe(words("WITHMATCHLEN")),
                    ],
                ),
            ),
            (1, call("RENAME", [key(), key()])),
            (1, call("DEL", [key()])),
            (1, call("RPUSH", [key(), element()])),
            (1, call("PEXPIREAT", [key(), far()])),
        ]),
        questions: &["STRLEN {key}"],
        known: nothing,
    }
}
