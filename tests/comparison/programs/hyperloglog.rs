//! HyperLogLog.

use super::{Family, arguments::*, nothing};

pub fn family() -> Family {
    let many = || times(1..30, between(0..=1_000_000));
    let limit = one_of(&[
        "SET hll-sparse-max-bytes 3000",
        "SET hll-sparse-max-bytes 60",
        "SET hll-sparse-max-bytes 200",
    ]);
    Family {
        commands: commands([
            (1, call("CONFIG", [words("SET proto-max-bulk-len 1048576")])),
            (1, call("CONFIG", [limit])),
            (6, call("PFADD", [key(), times(0..4, element())])),
            (8, call("PFADD", [key(), many()])),
            (5, call("PFCOUNT", [key()])),
            (3, call("PFCOUNT", [times(1..4, key())])),
            (3, call("PFMERGE", [key(), times(0..4, key())])),
            (2, call("PFDEBUG", [one_of(&["DECODE", "ENCODING", "ENCODING", "FOO"]), key()])),
            (1, call("PFDEBUG", [one_of(&["TODENSE", "GETREG"]), key()])),
            // Only the header is changed: with invalid runs, redis-server reads past their end.
            (1, call("SETRANGE", [key(), between(4..=13), between(0..=99)])),
            (1, call("SETBIT", [key(), between(64..=127), between(0..=1)])),
            (1, call("SET", [key(), element()])),
            (1, call("RENAME", [key(), key()])),
            (2, call("DEL", [key()])),
            (1, call("RPUSH", [key(), element()])),
        ]),
        questions: &["STRLEN {key}", "PFDEBUG ENCODING {key}", "CONFIG SET hll-sparse-max-bytes 3000"],
        known: nothing,
    }
}
