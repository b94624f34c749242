//! Lists that change their encoding often.

use super::{Family, arguments::*, nothing};

pub fn family() -> Family {
    let end = || one_of(&["LEFT", "RIGHT"]);
    let long = || {
        either([
            one_of(&["a", "12", "70000"]),
            repeated(1300),
            repeated(2010),
            repeated(5000),
            repeated(9000),
        ])
    };
    let index = || between(-9..=9);
    Family {
        commands: commands([
            (
                2,
                call(
                    "CONFIG",
                    [words("SET list-max-listpack-size"), one_of(&["-1", "1", "2", "3", "4", "6"])],
                ),
            ),
            (6, call("RPUSH", [key(), times(1..8, long())])),
            (4, call("LPUSH", [key(), times(1..6, long())])),
            (3, call("LPOP", [key(), between(1..=5)])),
            (3, call("RPOP", [key(), between(1..=5)])),
            (3, call("LSET", [key(), index(), long()])),
            (4, call("LINSERT", [key(), one_of(&["BEFORE", "AFTER"]), long(), long()])),
            (3, call("LREM", [key(), between(-2..=2), long()])),
            (2, call("LTRIM", [key(), index(), index()])),
            (2, call("LMOVE", [key(), key(), end(), end()])),
            (1, call("COPY", [key(), key(), words("REPLACE")])),
            (1, call("SORT", [key(), words("ALPHA STORE"), key()])),
            (1, call("DEL", [key()])),
            (8, call("OBJECT", [words("ENCODING"), key()])),
        ]),
        questions: &["CONFIG SET list-max-listpack-size -2"],
        known: nothing,
    }
}

/// An element of this many bytes, always the same.
fn repeated(length: usize) -> Piece {
    use proptest::prelude::*;
    Just(vec![vec![b'x'; length]]).boxed()
}
