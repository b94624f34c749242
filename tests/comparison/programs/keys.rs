//! Keys of all types, and commands for any of them.

use super::{Family, arguments::*};

pub fn family() -> Family {
    // Far in the future, so that nothing expires while a program runs.
    let far = || between(4_000_000_000_000..=4_000_000_000_009);
    let condition = || one_of(&["NX", "XX", "GT", "LT", "XX GT", "lt XX", "NX GT"]);
    let db = || between(-1..=3);
    let pattern = || one_of(&["k*", "k?->a", "k*->b", "#", "nosort", "k1", "*", "w*->"]);
    let sort = |by: Piece, alpha: Piece| {
        all([
            key(),
            by,
            maybe(all([words("LIMIT"), integer(), integer()])),
            maybe(times(1..3, option("GET", pattern()))),
            maybe(one_of(&["ASC", "DESC", "desc"])),
            alpha,
        ])
    };
    let by = || option("BY", pattern());
    let none = || times(0..1, words("no"));
    let read = || sort(maybe(by()), maybe(words("ALPHA")));
    // If the weights are equal, the order of a hash table shows: it must not be stored.
    let stored = || either([sort(maybe(by()), none()), sort(none(), maybe(words("ALPHA")))]);
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
                        one_of(&["0 COUNT 100", "0 COUNT 100", "x", "0 COUNT 0", "0 COUNT"]),
                        maybe(option("TYPE", one_of(&["string", "list", "ZSET", "x"]))),
                        maybe(option("MATCH", one_of(&["*", "k[1-2]", "x"]))),
                    ],
                ),
            ),
            (3, call("OBJECT", [one_of(&["ENCODING", "FREQ", "NOSUCH"]), key()])),
            // redis-server shares small integers, so their idle time is that of all keys that hold the same one.
            (1, marked("number", "OBJECT", [words("IDLETIME"), key()])),
            (5, call("SORT_RO", [read()])),
            (5, call("SORT", [stored(), option("STORE", key())])),
            (3, call("SORT", [read()])),
            (1, call("FLUSHDB", [maybe(one_of(&["ASYNC", "sync", "x"]))])),
        ]),
        questions: &[],
        known: |_, request, real, ours| unsorted(request, real, ours),
    }
}

/// Whether SORT does not sort, or sorts by texts of other keys, which may be equal and for which it does not compare
/// the elements; and the replies differ only in the order, or in the selected part.
pub fn unsorted(request: &[Vec<u8>], real: &str, ours: &str) -> bool {
    let is = |word: &[u8], name: &str| word.eq_ignore_ascii_case(name.as_bytes());
    let alpha = request.iter().any(|word| is(word, "ALPHA"));
    let told = request.windows(2).any(|two| is(&two[0], "BY") && (alpha || !two[1].contains(&b'*')));
    let sorted = |reply: &str| {
        let mut lines: Vec<String> = reply.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    let is_part = request.iter().any(|word| is(word, "LIMIT"));
    let same = || is_part && real.lines().count() == ours.lines().count() || sorted(real) == sorted(ours);
    request[0].starts_with(b"SORT") && told && same()
}
