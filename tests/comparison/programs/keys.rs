//! Keys of all types, whatever is done to them.

use super::{Family, arguments::*};

pub fn family() -> Family {
    // Far in the future, so that nothing expires while a program runs.
    let far = || between(4_000_000_000_000..=4_000_000_000_009);
    let condition = || one_of(&["NX", "XX", "GT", "LT", "XX GT", "lt XX", "NX GT"]);
    let db = || between(-1..=3);
    let pattern = || one_of(&["k*", "k?->a", "k*->b", "#", "nosort", "k1", "*", "w*->"]);
    let sort = || {
        all([
            key(),
            maybe(option("BY", pattern())),
            maybe(all([words("LIMIT"), integer(), integer()])),
            maybe(times(1..3, option("GET", pattern()))),
            maybe(one_of(&["ASC", "DESC", "desc"])),
            maybe(words("ALPHA")),
        ])
    };
    Family {
        commands: commands([
            (4, call("SET", [key(), element(), maybe(all([words("PXAT"), far()]))])),
            (1, call("APPEND", [key(), element()])),
            (1, call("INCR", [key()])),
            (4, call("RPUSH", [key(), times(1..5, element())])),
            (3, call("SADD", [key(), times(1..4, element())])),
            (3, call("HSET", [key(), element(), element()])),
            (3, call("ZADD", [key(), between(-3..=3), element()])),
            (1, call("XADD", [key(), words("5-*"), element(), element()])),
            (4, call("COPY", [key(), key(), maybe(option("DB", db())), maybe(words("REPLACE"))])),
            (3, call("MOVE", [key(), db()])),
            (1, call("SWAPDB", [db(), db()])),
            (1, call("SELECT", [between(0..=1)])),
            (2, call("RENAME", [key(), key()])),
            (2, call("RENAMENX", [key(), key()])),
            (1, call("DEL", [times(1..3, key())])),
            (1, call("UNLINK", [times(1..3, key())])),
            (1, call("EXISTS", [times(1..4, key())])),
            (1, call("TOUCH", [times(1..4, key())])),
            (2, call("PEXPIREAT", [key(), far(), maybe(condition())])),
            (1, call("EXPIREAT", [key(), between(4_000_000_000..=4_000_000_009), maybe(condition())])),
            (1, call("EXPIRE", [key(), integer(), words("XX GT LT")])),
            (1, call("PERSIST", [key()])),
            (1, call("EXPIRETIME", [key()])),
            (1, call("PEXPIRETIME", [key()])),
            (1, call("TYPE", [key()])),
            (1, call("DBSIZE", [])),
            (1, marked("unordered", "KEYS", [one_of(&["*", "k[12]", "k?", "x*"])])),
            (
                1,
                marked(
                    "unordered",
                    "SCAN",
                    [
                        words("0 COUNT 100"),
                        maybe(option("TYPE", one_of(&["string", "list", "ZSET", "x"]))),
                        maybe(option("MATCH", one_of(&["*", "k[1-2]", "x"]))),
                    ],
                ),
            ),
            (3, call("OBJECT", [one_of(&["ENCODING", "FREQ", "NOSUCH"]), key()])),
            // Small integers are there once only in redis-server, and their time is that of all keys that hold one.
            (1, marked("number", "OBJECT", [words("IDLETIME"), key()])),
            (5, call("SORT_RO", [sort()])),
            (5, call("SORT", [sort(), option("STORE", key())])),
            (3, call("SORT", [sort(), maybe(option("STORE", key()))])),
            (1, call("FLUSHDB", [maybe(one_of(&["ASYNC", "sync", "x"]))])),
        ]),
        questions: &["OBJECT ENCODING {key}"],
        known,
    }
}

/// A cursor that is not 0 means something to the server only that has given it; and a set with a long member is a hash
/// table, whose own order shows where SORT is told not to sort.
fn known(_: &str, command: &[Vec<u8>], real: &str, ours: &str) -> bool {
    let has_long = || [real, ours].iter().any(|reply| reply.contains(&"y".repeat(65)));
    match command[0].as_slice() {
        b"SCAN" => command.get(1).is_none_or(|cursor| cursor != b"0"),
        b"SORT" | b"SORT_RO" => has_long(),
        _ => false,
    }
}
