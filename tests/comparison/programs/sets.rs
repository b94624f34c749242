//! Sets. A command that chooses at random either removes or returns all members, or only the type of its answer is
//! compared.

use super::{Family, arguments::*, nothing};

pub fn family() -> Family {
    let members = || times(1..6, element());
    let keys = || times(1..4, key());
    let more = || {
        let numbers: Vec<String> = (0..140).map(|number| (number * 3).to_string()).collect();
        either([words(&numbers.join(" ")), times(100..140, element())])
    };
    Family {
        commands: commands([
            (10, call("SADD", [key(), members()])),
            (1, call("SADD", [key(), more()])),
            (3, call("SREM", [key(), members()])),
            (2, call("SISMEMBER", [key(), element()])),
            (1, call("SMISMEMBER", [key(), members()])),
            (1, call("SCARD", [key()])),
            (2, marked("unordered", "SMEMBERS", [key()])),
            (3, call("SMOVE", [key(), key(), element()])),
            (
                1,
                marked(
                    "unordered",
                    "SPOP",
                    [key(), one_of(&["0", "-1", "1000", "x", "9223372036854775807"])],
                ),
            ),
            (
                1,
                marked(
                    "unordered",
                    "SRANDMEMBER",
                    [key(), one_of(&["0", "1000", "x", "9223372036854775807"])],
                ),
            ),
            (1, marked("any", "SRANDMEMBER", [key(), maybe(between(-5..=5))])),
            (3, marked("unordered", "SINTER", [keys()])),
            (3, call("SINTERSTORE", [key(), keys()])),
            (2, marked("unordered", "SUNION", [keys()])),
            (3, call("SUNIONSTORE", [key(), keys()])),
            (2, marked("unordered", "SDIFF", [keys()])),
            (3, call("SDIFFSTORE", [key(), keys()])),
            (2, call("SINTERCARD", [counted(1..4, key()), maybe(option("LIMIT", integer()))])),
            (
                2,
                marked(
                    "unordered",
                    "SSCAN",
                    [
                        key(),
                        one_of(&["0", "0", "0", "0", "x"]),
                        option("COUNT", one_of(&["100000", "100000", "0", "x"])),
                        maybe(option("MATCH", one_of(&["*", "a", "1*", "?", "[a-c]"]))),
                    ],
                ),
            ),
            (1, call("RENAME", [key(), key()])),
            (1, call("DEL", [key()])),
            (1, call("SET", [key(), element()])),
            (1, call("PEXPIREAT", [key(), between(4_000_000_000_000..=4_000_000_000_009)])),
        ]),
        questions: &[],
        known: nothing,
    }
}
