//! Streams and their consumer groups. Times differ from server to server, so they are left out of what is compared;
//! what depends on how long ago something was is asked for with times that are far apart.

use super::{Family, arguments::*};

/// An id that may be there: few, so that commands meet.
fn id() -> Piece {
    let number = |range: std::ops::RangeInclusive<i64>| between(range);
    either([joined(number(1..=9), "-", number(0..=2)), joined(number(1..=9), "-", number(0..=2)), odd_id()])
}

/// An id that is at a limit, incomplete, or none.
fn odd_id() -> Piece {
    one_of(&[
        "0",
        "5",
        "0-0",
        "0-1",
        "5-18446744073709551615",
        "18446744073709551615-18446744073709551615",
        "18446744073709551615-18446744073709551614",
        "256-1",
        "65536-257",
        "-",
        "+",
        "$",
        "x",
    ])
}

/// A bound of a range.
fn bound(end: &'static str) -> Piece {
    either([words(end), id(), joined(words("("), "", id())])
}

/// The arguments of two pieces as one.
fn joined(one: Piece, between: &'static str, other: Piece) -> Piece {
    use proptest::prelude::*;
    (one, other)
        .prop_map(move |(one, other)| {
            vec![[one.concat(), between.as_bytes().to_vec(), other.concat()].concat()]
        })
        .boxed()
}

/// A key: mostly the same one, as it takes several commands to bring a group to where there is something to see.
fn stream() -> Piece {
    one_of(&["k1", "k1", "k1", "k1", "k2"])
}

fn group() -> Piece {
    one_of(&["g", "g", "g", "h"])
}

fn consumer() -> Piece {
    one_of(&["a", "a", "b", "c"])
}

/// How long ago something was delivered: now, or long ago.
fn idle() -> Piece {
    one_of(&["0", "0", "0", "-5", "1000000", "3000000"])
}

pub fn family() -> Family {
    let count = || maybe(option("COUNT", either([between(-1..=4), between(1..=3), integer()])));
    let new_id = || {
        either([
            joined(between(1..=9), "-", words("*")),
            joined(between(1..=9), "-", words("*")),
            joined(between(1..=9), "-", words("*")),
            id(),
            one_of(&["256-*", "65536-*", "*x"]),
        ])
    };
    let trim = || {
        let threshold = either([option("MAXLEN", maybe(one_of(&["=", "~"]))), words("MAXLEN")]);
        either([
            all([threshold, between(-1..=6)]),
            all([option("MINID", maybe(one_of(&["=", "~"]))), id()]),
            all([one_of(&["MAXLEN ~", "MINID ~"]), between(0..=6), option("LIMIT", between(-1..=5))]),
        ])
    };
    let fields = || times(1..3, all([one_of(&["f", "f", "f", "g"]), element()]));
    let claim_options = || {
        times(
            0..3,
            either([
                option("IDLE", one_of(&["0", "2000000", "-1", "x", "9223372036854775807"])),
                option("TIME", one_of(&["0", "1000", "-7", "9000000000000"])),
                option("RETRYCOUNT", integer()),
                words("FORCE"),
                words("FORCE"),
                words("JUSTID"),
                option("LASTID", id()),
            ]),
        )
    };
    Family {
        commands: commands([
            (
                8,
                call(
                    "XADD",
                    [stream(), maybe(maybe(words("NOMKSTREAM"))), maybe(maybe(trim())), new_id(), fields()],
                ),
            ),
            (12, call("XADD", [stream(), joined(between(1..=5), "-", words("*")), fields()])),
            (4, call("XGROUP CREATE", [stream(), group(), words("0 MKSTREAM")])),
            (3, call("XDEL", [stream(), times(1..3, id())])),
            (2, call("XTRIM", [stream(), trim()])),
            (
                6,
                call(
                    "XGROUP CREATE",
                    [
                        stream(),
                        group(),
                        either([id(), words("0"), words("$")]),
                        maybe(words("MKSTREAM")),
                        maybe(maybe(option("ENTRIESREAD", integer()))),
                    ],
                ),
            ),
            (
                2,
                call(
                    "XGROUP SETID",
                    [
                        stream(),
                        group(),
                        either([id(), words("0"), words("$")]),
                        maybe(option("ENTRIESREAD", integer())),
                    ],
                ),
            ),
            (1, call("XGROUP DESTROY", [stream(), group()])),
            (1, call("XGROUP CREATECONSUMER", [stream(), group(), consumer()])),
            (1, call("XGROUP DELCONSUMER", [stream(), group(), consumer()])),
            (
                8,
                call(
                    "XREADGROUP GROUP",
                    [
                        group(),
                        consumer(),
                        count(),
                        maybe(maybe(words("NOACK"))),
                        words("STREAMS"),
                        stream(),
                        words(">"),
                    ],
                ),
            ),
            (
                3,
                call(
                    "XREADGROUP GROUP",
                    [group(), consumer(), count(), words("STREAMS"), stream(), either([words("0"), id()])],
                ),
            ),
            (
                2,
                call(
                    "XREADGROUP GROUP",
                    [
                        group(),
                        consumer(),
                        count(),
                        maybe(words("NOACK")),
                        words("STREAMS"),
                        stream(),
                        stream(),
                        either([words(">"), id()]),
                        either([words(">"), id()]),
                    ],
                ),
            ),
            (3, call("XREAD", [count(), words("STREAMS"), stream(), stream(), id(), id()])),
            (3, call("XACK", [stream(), group(), times(1..4, id())])),
            (1, call("XPENDING", [stream(), group()])),
            (
                3,
                call(
                    "XPENDING",
                    [
                        stream(),
                        group(),
                        maybe(option("IDLE", idle())),
                        bound("-"),
                        bound("+"),
                        either([between(-1..=5), integer()]),
                        maybe(consumer()),
                    ],
                ),
            ),
            (5, call("XCLAIM", [stream(), group(), consumer(), idle(), times(1..4, id()), claim_options()])),
            (
                4,
                call(
                    "XAUTOCLAIM",
                    [
                        stream(),
                        group(),
                        consumer(),
                        idle(),
                        bound("-"),
                        maybe(option("COUNT", either([between(0..=3), integer()]))),
                        maybe(words("JUSTID")),
                    ],
                ),
            ),
            (1, call("XINFO STREAM", [stream(), maybe(option("FULL", maybe(option("COUNT", integer()))))])),
            (1, call("XINFO GROUPS", [stream()])),
            (1, call("XINFO CONSUMERS", [stream(), group()])),
            (
                2,
                call(
                    "XSETID",
                    [
                        stream(),
                        id(),
                        maybe(option("ENTRIESADDED", either([integer(), between(5..=30)]))),
                        maybe(option("MAXDELETEDID", id())),
                    ],
                ),
            ),
            (1, call("XRANGE", [stream(), bound("-"), bound("+"), count()])),
            (1, call("XREVRANGE", [stream(), bound("+"), bound("-"), count()])),
            (1, call("CONFIG SET stream-node-max-entries", [one_of(&["0", "2", "3", "100"])])),
            (1, call("XLEN", [stream()])),
            (1, call("RENAME", [stream(), stream()])),
            (1, call("DEL", [stream()])),
        ]),
        questions: &[
            "XINFO STREAM {key}",
            "XINFO GROUPS {key}",
            "XINFO STREAM {key} FULL COUNT 0",
            "XPENDING {key} g - + 100",
        ],
        known,
    }
}

fn known(server: &str, request: &[Vec<u8>], real: &str, ours: &str) -> bool {
    let word = |index: usize| request.get(index).map(|word| word.to_ascii_uppercase()).unwrap_or_default();
    let pending = word(0) == b"XPENDING";
    if timeless(real, pending) == timeless(ours, pending) {
        return true;
    }
    // Redis 7.0 makes the consumer of a claim only when there is something to claim, has no active-time, and counts
    // the lag otherwise. XREAD knows no `+`.
    let shows_consumers = word(0) == b"XINFO" && (word(1) != b"STREAM" || word(3) == b"FULL");
    let is_plus = |word: &Vec<u8>| word.split(|byte| *byte == 0).next() == Some(b"+");
    server == "redis-7.0"
        && (shows_consumers
            || word(1) == b"CREATECONSUMER"
            || word(0).starts_with(b"XREAD") && request.iter().any(is_plus)
            || word(0).starts_with(b"XREAD") && real.contains("Unbalanced")
            || word(0) == b"XADD" && real.contains("too large"))
}

/// A shown reply without times: those since the epoch, those after the words "idle" and "inactive", and those of the
/// entries of XPENDING.
fn timeless(reply: &str, pending: bool) -> Vec<String> {
    let number = |line: &str| line.trim_start().strip_prefix(": \"")?.strip_suffix('"')?.parse::<i64>().ok();
    let lines: Vec<&str> = reply.lines().collect();
    let shown = lines.iter().enumerate().map(|(index, line)| {
        let value = number(line);
        let after = |back: usize, what: &str| index >= back && lines[index - back].trim_start() == what;
        let since_epoch = value.is_some_and(|value| (1_700_000_000_000..2_000_000_000_000).contains(&value));
        let idle = after(1, "$ \"idle\"") || after(1, "$ \"inactive\"") || pending && after(3, "*4");
        if since_epoch || idle && value.is_some_and(|value| value >= 0) {
            "a time".to_owned()
        } else {
            (*line).to_owned()
        }
    });
    shown.collect()
}
