//! Lists.

use super::{Family, arguments::*, nothing};

pub fn family() -> Family {
    let end = || one_of(&["LEFT", "RIGHT"]);
    let elements = || times(1..4, element());
    Family {
        commands: commands([
            (6, call("RPUSH", [key(), elements()])),
            (4, call("LPUSH", [key(), elements()])),
            (1, call("RPUSHX", [key(), elements()])),
            (1, call("LPUSHX", [key(), elements()])),
            (2, call("LPOP", [key(), maybe(between(-1..=4))])),
            (2, call("RPOP", [key(), maybe(between(-1..=4))])),
            (1, call("LLEN", [key()])),
            (2, call("LRANGE", [key(), integer(), integer()])),
            (1, call("LINDEX", [key(), integer()])),
            (2, call("LSET", [key(), integer(), element()])),
            (2, call("LINSERT", [key(), one_of(&["BEFORE", "after", "AT"]), element(), element()])),
            (2, call("LREM", [key(), integer(), element()])),
            (1, call("LTRIM", [key(), integer(), integer()])),
            (
                2,
                call(
                    "LPOS",
                    [
                        key(),
                        element(),
                        maybe(option("RANK", integer())),
                        maybe(option("COUNT", integer())),
                        maybe(option("MAXLEN", integer())),
                    ],
                ),
            ),
            (2, call("LMOVE", [key(), key(), end(), end()])),
            (1, call("RPOPLPUSH", [key(), key()])),
            (2, call("LMPOP", [counted(1..4, key()), end(), maybe(option("COUNT", integer()))])),
            (1, call("BLPOP", [times(1..3, key()), words("0")])),
            (1, call("BRPOP", [times(1..3, key()), words("0")])),
            (1, call("BLMOVE", [key(), key(), end(), end(), words("0")])),
            (1, call("BRPOPLPUSH", [key(), key(), words("0")])),
            (1, call("BLMPOP", [words("0"), counted(1..4, key()), end(), maybe(option("COUNT", integer()))])),
            (1, call("RENAME", [key(), key()])),
            (1, call("DEL", [key()])),
            (1, call("SET", [key(), element()])),
            (1, call("PEXPIREAT", [key(), between(4_000_000_000_000..=4_000_000_000_009)])),
        ]),
        questions: &[],
        known: nothing,
    }
}
