//! The commands of all families on the same keys, so that commands meet values of the wrong type.

use super::{
    Command, Family, arguments::*, bitmaps, encodings, geo, hashes, hyperloglog, keys, lists, sets,
    sorted_sets, streams, strings,
};
use proptest::prelude::*;

pub fn family() -> Family {
    // The families that create many values of one type are rarer: otherwise a key would hardly ever be of another
    // type.
    Family {
        commands: commands([
            (3, bitmaps::family().commands),
            (1, encodings::family().commands),
            (3, geo::family().commands),
            (3, hashes::family().commands),
            (2, hashes::expiring().commands),
            (2, hyperloglog::family().commands),
            (6, keys::family().commands),
            (3, lists::family().commands),
            (3, sets::family().commands),
            (4, sorted_sets::family().commands),
            (4, streams::family().commands),
            (3, strings::family().commands),
            (4, meeting()),
        ]),
        questions: &[
            "STRLEN {key}",
            "XINFO STREAM {key} FULL COUNT 0",
            "HPEXPIRETIME {key} FIELDS 9 a b c d 1 2 3 4 5",
            "~any DUMP {key}",
            // Resets what the program may have set, for the next one.
            "CONFIG SET list-max-listpack-size -2 stream-node-max-entries 100 hll-sparse-max-bytes 3000",
            "CONFIG SET proto-max-bulk-len 1048576",
        ],
        known,
    }
}

/// Commands that use or create keys of any type.
fn meeting() -> BoxedStrategy<Command> {
    let keys = || times(1..4, key());
    let far = || between(4_000_000_000_000..=4_000_000_000_009);
    let options = || maybe(one_of(&["REPLACE", "REPLACE", "REPLACE ABSTTL", "IDLETIME 5", "FREQ 5"]));
    commands([
        (1, marked("any", "DUMP", [key()])),
        (4, call("RESTORE", [key(), words("0"), dumped(), options()])),
        (2, call("RESTORE", [key(), far(), dumped(), words("REPLACE ABSTTL")])),
        (4, call("SORT", [key(), words("ALPHA STORE"), key()])),
        (2, call("GEOSEARCHSTORE", [key(), key(), words("FROMLONLAT 0 0 BYRADIUS 30000 km")])),
        (2, call("SUNIONSTORE", [key(), keys()])),
        (2, call("ZUNIONSTORE", [key(), counted(1..4, key())])),
        (2, call("ZRANGESTORE", [key(), key(), words("0 -1")])),
        (2, call("BITOP", [one_of(&["AND", "OR", "XOR"]), key(), keys()])),
        (2, call("PFMERGE", [key(), keys()])),
        (2, call("LMOVE", [key(), key(), words("LEFT RIGHT")])),
        (2, call("SMOVE", [key(), key(), element()])),
        (4, call("RENAME", [key(), key()])),
        (4, call("COPY", [key(), key(), words("REPLACE")])),
        (2, call("MOVE", [key(), between(0..=2)])),
        (1, call("SWAPDB", [between(0..=2), between(0..=2)])),
        (2, call("PEXPIREAT", [key(), far()])),
        (1, call("PEXPIREAT", [key(), between(0..=9)])),
        (2, call("PERSIST", [key()])),
        (2, call("DEL", [keys()])),
    ])
}

/// Values as Redis 7.0 dumps them, which every server accepts.
fn dumped() -> Piece {
    let values: [&[u8]; 8] = [
        b"\x00\xc190\n\x00\x9d\x94\xea'\x93\xfc\x08\xb9",
        b"\x00\x05hello\n\x00cr\xdfve4 \n",
        b"\x12\x01\x02\x0f\x0f\x00\x00\x00\x03\x00\x81a\x02\x81b\x02\x01\x01\xff\n\x00\xe0\x1b\xabJG\xceY\"",
        b"\x0b\x0e\x02\x00\x00\x00\x03\x00\x00\x00\x01\x00\x02\x00\x03\x00\n\x00\xa5\x02\\\xe2mnM\x1b",
        b"\x02\x03\x01b\xc0\x01\x01a\n\x00i\xf4\x02\xe5\xf7`\x83\x1a",
        b"\x10\x11\x11\x00\x00\x00\x04\x00\x81a\x02\x01\x01\x81b\x02\x02\x01\xff\n\x00>@cl\x8f]v\x9a",
        b"\x11\x19\x19\x00\x00\x00\x06\x00\x81a\x02\x01\x01\x81b\x02\x02\x01\x81c\x02\x833.5\x04\xff\n\x00\xbe%\
          \x87\xd2\xa03\xee\x97",
        b"\x13\x01\x10\x00\x00\x00\x00\x00\x00\x00\x05\x00\x00\x00\x00\x00\x00\x00\x01\x1d\x1d\x00\x00\x00\n\x00\
          \x01\x01\x00\x01\x01\x01\x81f\x02\x00\x01\x02\x01\x00\x01\x00\x01\x81v\x02\x04\x01\xff\x01\x05\x01\x05\
          \x01\x00\x00\x01\x01\x01g\x00\x00\x81\xff\xff\xff\xff\xff\xff\xff\xff\x00\x00\n\x00\x00\x9bJK;\x16Ml",
    ];
    prop::sample::select(values.map(<[u8]>::to_vec).to_vec()).prop_map(|value| vec![value]).boxed()
}

/// The known differences of the families. Here a set may have lost the long member that made it a hash table, whose
/// order shows if SORT does not sort.
fn known(server: &str, request: &[Vec<u8>], real: &str, ours: &str) -> bool {
    keys::unsorted(request, real, ours)
        || request[0].starts_with(b"X") && streams::known(server, request, real, ours)
}
