//! Streams and their consumer groups. Times differ from server to server, so they are not compared; commands that
//! depend on idle times use times that are far apart.

use proptest::prelude::*;

use super::{Command, Family, arguments::*};

/// An id that may exist: one of a few, so that commands often use the same id.
fn id() -> Piece {
    let number = |range: std::ops::RangeInclusive<i64>| between(range);
    either([joined(number(1..=9), "-", number(0..=2)), joined(number(1..=9), "-", number(0..=2)), odd_id()])
}

/// An id that is at a limit, incomplete, or invalid.
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
    (one, other)
        .prop_map(move |(one, other)| {
            vec![[one.concat(), between.as_bytes().to_vec(), other.concat()].concat()]
        })
        .boxed()
}

/// A key: mostly the same one, as it takes several commands to build a group with pending entries.
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
    let mut all = entries();
    all.extend(groups());
    all.extend(reading());
    all.extend(claiming());
    Family {
        commands: commands(all),
        questions: &[
            "XINFO STREAM {key}",
            "XINFO GROUPS {key}",
            "XINFO STREAM {key} FULL COUNT 0",
            "CONFIG SET stream-node-max-entries 100",
            "XPENDING {key} g - + 100",
        ],
        known,
    }
}

/// Commands, each with its frequency.
type Choices = Vec<(u32, BoxedStrategy<Command>)>;

fn count() -> Piece {
    maybe(option("COUNT", either([between(-1..=4), between(1..=3), integer()])))
}

/// IDS, mostly with the number of ids that follow.
fn ids() -> Piece {
    either([
        all([words("IDS 1"), id()]),
        all([words("IDS 2"), id(), id()]),
        all([words("IDS 3"), id(), id(), id()]),
        all([words("IDS"), between(-1..=3), times(1..4, id())]),
    ])
}

/// Commands that add and remove entries.
fn entries() -> Choices {
    let numbered = |range: std::ops::RangeInclusive<i64>| joined(between(range), "-", words("*"));
    let new_id = || {
        either([numbered(1..=9), numbered(1..=9), numbered(1..=9), id(), one_of(&["256-*", "65536-*", "*x"])])
    };
    let references = || one_of(&["KEEPREF", "DELREF", "ACKED", "ACKED"]);
    let trim = move || {
        let threshold = either([option("MAXLEN", maybe(one_of(&["=", "~"]))), words("MAXLEN")]);
        either([
            all([threshold, between(-1..=6)]),
            all([option("MINID", maybe(one_of(&["=", "~"]))), id()]),
            all([one_of(&["MAXLEN ~", "MINID ~"]), between(0..=6), option("LIMIT", between(-1..=5))]),
            all([words("MAXLEN"), between(0..=6), references()]),
            all([references(), words("MINID"), id()]),
        ])
    };
    let fields = || times(1..3, all([one_of(&["f", "f", "f", "g"]), element()]));
    let no_stream = || maybe(maybe(words("NOMKSTREAM")));
    vec![
        (8, call("XADD", [stream(), no_stream(), maybe(maybe(trim())), new_id(), fields()])),
        (12, call("XADD", [stream(), numbered(1..=5), fields()])),
        (3, call("XDEL", [stream(), times(1..3, id())])),
        (3, call("XTRIM", [stream(), trim()])),
        (4, call("XDELEX", [stream(), maybe(references()), ids()])),
        (4, call("XACKDEL", [stream(), group(), maybe(references()), ids()])),
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
        (1, call("XLEN", [stream()])),
        (1, call("CONFIG SET stream-node-max-entries", [one_of(&["0", "2", "3", "100"])])),
        (1, call("RENAME", [stream(), stream()])),
        (1, call("DEL", [stream()])),
        (1, call("SET", [stream(), element()])),
    ]
}

/// Commands that create, remove and list groups and consumers.
fn groups() -> Choices {
    let start = || either([id(), words("0"), words("$")]);
    let entries_read = || maybe(option("ENTRIESREAD", integer()));
    let make_stream = || maybe(words("MKSTREAM"));
    let create = call("XGROUP CREATE", [stream(), group(), start(), make_stream(), maybe(entries_read())]);
    vec![
        (4, call("XGROUP CREATE", [stream(), group(), words("0 MKSTREAM")])),
        (6, create),
        (2, call("XGROUP SETID", [stream(), group(), start(), entries_read()])),
        (1, call("XGROUP DESTROY", [stream(), group()])),
        (1, call("XGROUP CREATECONSUMER", [stream(), group(), consumer()])),
        (1, call("XGROUP DELCONSUMER", [stream(), group(), consumer()])),
        (1, call("XINFO STREAM", [stream(), maybe(option("FULL", maybe(option("COUNT", integer()))))])),
        (1, call("XINFO GROUPS", [stream()])),
        (1, call("XINFO CONSUMERS", [stream(), group()])),
    ]
}

fn reading() -> Choices {
    let reader = || all([group(), consumer(), count()]);
    let no_ack = || maybe(words("NOACK"));
    let any = || either([words(">"), id()]);
    let history = || all([words("STREAMS"), stream(), either([words("0"), id()])]);
    let new = || all([words("STREAMS"), stream(), words(">")]);
    let two = || all([words("STREAMS"), stream(), stream(), any(), any()]);
    vec![
        (8, call("XREADGROUP GROUP", [reader(), maybe(no_ack()), new()])),
        (3, call("XREADGROUP GROUP", [reader(), history()])),
        (2, call("XREADGROUP GROUP", [reader(), no_ack(), two()])),
        (1, call("XREAD BLOCK 0", [count(), words("STREAMS"), stream(), id()])),
        (3, call("XREAD", [count(), words("STREAMS"), stream(), stream(), id(), id()])),
    ]
}

/// Commands for pending entries.
fn claiming() -> Choices {
    let options = times(
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
    );
    let claimant = || all([stream(), group(), consumer(), idle()]);
    let auto_count = maybe(option("COUNT", either([between(0..=3), integer()])));
    let range = all([bound("-"), bound("+"), either([between(-1..=5), integer()])]);
    vec![
        (3, call("XACK", [stream(), group(), times(1..4, id())])),
        (1, call("XPENDING", [stream(), group()])),
        (3, call("XPENDING", [stream(), group(), maybe(option("IDLE", idle())), range, maybe(consumer())])),
        (5, call("XCLAIM", [claimant(), times(1..4, id()), options])),
        (4, call("XAUTOCLAIM", [claimant(), bound("-"), auto_count, maybe(words("JUSTID"))])),
    ]
}

pub fn known(server: &str, request: &[Vec<u8>], real: &str, ours: &str) -> bool {
    let word = |index: usize| request.get(index).map(|word| word.to_ascii_uppercase()).unwrap_or_default();
    let pending = word(0) == b"XPENDING";
    if timeless(real, pending) == timeless(ours, pending) {
        return true;
    }
    // Redis 7.0 creates the consumer of a claim only if there is something to claim, and counts the lag differently.
    let shows_consumers = word(0) == b"XINFO" && (word(1) != b"STREAM" || word(3) == b"FULL");
    server == "redis-7.0"
        && (shows_consumers
            || word(1) == b"CREATECONSUMER"
            || word(0) == b"XADD" && real.contains("too large")
            // It checks the numbers of XSETID in another order.
            || word(0) == b"XSETID" && real.contains("ERR") && ours.contains("ERR"))
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
