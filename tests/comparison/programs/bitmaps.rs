//! Bitmaps.

use super::{Family, arguments::*, nothing};

pub fn family() -> Family {
    let short = call("CONFIG", [words("SET proto-max-bulk-len 1048576")]);
    let bit = || one_of(&["0", "1", "0", "1", "0", "1", "2", "x"]);
    let offset = || between(-1..=140);
    let unit = || maybe(one_of(&["BIT", "BYTE", "bit", "BYTES"]));
    let range = || maybe(all([integer(), maybe(all([integer(), unit()]))]));
    let wide = || either([integer(), between(-300..=300), between(i64::MIN..=i64::MAX)]);
    let kind = || {
        one_of(&[
            "u8", "i8", "u1", "i1", "u4", "i5", "u13", "i16", "u32", "i63", "u63", "i64", "u64", "i0", "x8",
        ])
    };
    let at = || either([offset(), one_of(&["#0", "#1", "#2", "#3", "#7", "#-1", "#2305843009213693952"])]);
    let get = move || option("GET", all([kind(), at()]));
    let write = move || {
        all([
            maybe(option("OVERFLOW", one_of(&["WRAP", "SAT", "FAIL", "sat", "NONE"]))),
            either([words("SET"), words("INCRBY")]),
            kind(),
            at(),
            wide(),
        ])
    };
    Family {
        commands: commands([
            (1, short),
            (6, call("SETBIT", [key(), offset(), bit()])),
            (2, call("GETBIT", [key(), offset()])),
            (4, call("BITCOUNT", [key(), range()])),
            (6, call("BITPOS", [key(), bit(), range()])),
            (4, call("BITOP", [one_of(&["AND", "OR", "XOR", "xor", "NOR"]), key(), times(1..4, key())])),
            (
                4,
                call("BITOP", [one_of(&["DIFF", "DIFF1", "ANDOR", "ONE", "one"]), key(), times(1..5, key())]),
            ),
            (2, call("BITOP", [words("NOT"), key(), key()])),
            (8, call("BITFIELD", [key(), times(0..4, either([get(), write()]))])),
            (2, call("BITFIELD_RO", [key(), times(0..3, get())])),
            (1, call("BITFIELD_RO", [key(), times(0..2, write())])),
            (2, call("SET", [key(), element()])),
            (1, call("APPEND", [key(), element()])),
            (1, call("INCR", [key()])),
            (1, call("DEL", [key()])),
            (1, call("RPUSH", [key(), element()])),
            (1, call("PEXPIREAT", [key(), between(4_000_000_000_000..=4_000_000_000_009)])),
        ]),
        questions: &["STRLEN {key}", "BITCOUNT {key}"],
        known: nothing,
    }
}
