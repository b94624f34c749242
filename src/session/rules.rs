//! What counts as the same answer: every byte, but for what differs by nature.
//!
//! | request | what may differ |
//! |---|---|
//! | any | ids of streams that a server made from its time (`XADD k *`): an id on one side stands for the same id on the other throughout `<id>` |
//! | TIME, LASTSAVE and what is a time in milliseconds in XINFO | `<ms>` |
//! | TTL, PTTL, EXPIRETIME, PEXPIRETIME, and the same of fields | what is left or when, if both expire `<ms>` |
//! | XPENDING, XINFO | idle times `<ms>` |
//! | OBJECT IDLETIME | `<int>` |
//! | CLIENT ID, the id in HELLO | a number on one side stands for the same number on the other throughout `<int>` |
//! | CLIENT SETINFO | everything: libraries send it to servers that do not know it as well `<any>` |
//! | HELLO | what the server calls itself, its version and modules `<any>` |
//! | INFO, CLIENT LIST, CLIENT INFO, RANDOMKEY, SRANDMEMBER, SPOP and every command that Redis flags as `nondeterministic_output` | all but the type `<any>` |
//! | SCAN, HSCAN, SSCAN, ZSCAN | the cursor, and the order `<any>` |
//! | KEYS, SMEMBERS, SINTER, HGETALL and every command that Redis flags as `nondeterministic_output_order` | the order `<any>` |
//! | FUNCTION LIST | the order of libraries, and of the functions of each `<any>` |
//! | lines of MONITOR | time and address |
//! | CONFIG GET | what depends on where the server runs: port, bind, dir, unixsocket, logfile, pidfile, requirepass `<any>` |
//! | EXEC | what may differ in the answers to what it executes |

use std::collections::{HashMap, HashSet};

use super::conversation::{Heard, Request};
use super::frame::{Frame, Placeholder, PlaceholderKind, stream_id};
use crate::resp::parse_integer;
use crate::table::TABLE;

/// Ids of streams with a greater time come from a clock: 2001, in milliseconds.
const CLOCK_MIN: u64 = 1_000_000_000_000;
const CLOCK_MIN_SIGNED: i64 = 1_000_000_000_000;

/// What one side has for what the other has: ids and numbers that differ by nature, and answers that have a name.
#[derive(Debug, Default)]
pub struct Pairs {
    /// What ids of the left stand for on the right. In one millisecond two streams may get the same id on one side and
    /// different ones on the other.
    ids: HashMap<Vec<u8>, Vec<Id>>,
    /// The ids of the right.
    back: HashSet<Vec<u8>>,
    /// Numbers of clients.
    clients: HashMap<Vec<u8>, Vec<u8>>,
    /// What a name of the session stands for on the right.
    named: HashMap<String, Vec<u8>>,
}

/// An id of the right side.
#[derive(Debug)]
struct Id {
    right: Vec<u8>,
    /// The stream that it was made for, where that is known.
    stream: Option<Vec<u8>>,
}

impl Pairs {
    /// What the right side has for an id of the left, which may be an exclusive bound: `(1700000000000-0`. `is_named`
    /// says which streams the request names.
    pub fn id(&self, argument: &[u8], is_named: impl Fn(&[u8]) -> bool) -> Option<Vec<u8>> {
        let (sign, id): (&[u8], _) = match argument.strip_prefix(b"(") {
            Some(id) => (b"(", id),
            None => (b"", argument),
        };
        let known = self.ids.get(id)?;
        let named = known.iter().rev().find(|id| id.stream.as_deref().is_some_and(&is_named));
        Some([sign, named.or(known.last())?.right.as_slice()].concat())
    }

    /// What the right side has for a number of a client.
    #[must_use]
    pub fn client(&self, number: &[u8]) -> Option<&Vec<u8>> {
        self.clients.get(number)
    }

    /// What an answer of this name was.
    #[must_use]
    pub fn named(&self, name: &str) -> Option<&Vec<u8>> {
        self.named.get(name)
    }

    /// Whether the two ids stand for each other, from now on if they were made for this stream or one of them is new.
    fn pair(&mut self, left: &[u8], right: &[u8], stream: Option<&[u8]>) -> bool {
        let is_new = !self.back.contains(right) || !self.ids.contains_key(left);
        let is_known = self.ids.get(left).is_some_and(|known| known.iter().any(|id| id.right == right));
        if stream.is_none() && is_known {
            return true;
        }
        if stream.is_none() && !is_new {
            return false;
        }
        let id = Id { right: right.to_vec(), stream: stream.map(<[u8]>::to_vec) };
        self.ids.entry(left.to_vec()).or_default().push(id);
        self.back.insert(right.to_vec());
        true
    }
}

/// Whether the text is an id that a server made from its time.
#[must_use]
pub fn is_made_id(text: &[u8]) -> bool {
    let text = text.strip_prefix(b"(").unwrap_or(text);
    text.len() > 13 && stream_id(text).is_some_and(|(ms, _)| ms >= CLOCK_MIN)
}

/// How two answers compare.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Equality {
    /// They are the same, to the byte.
    Same,
    /// They differ in what differs by nature, in whose place the frame has placeholders.
    ByNature(Frame),
    /// They differ.
    Different,
}

/// Compares two answers to the same request.
pub fn compare(heard: &Heard, left: &Frame, right: &Frame, pairs: &mut Pairs) -> Equality {
    let rule = match heard {
        Heard::Push => Rule::Exact,
        Heard::Monitored => Rule::Monitored,
        Heard::Answer(request) => rule(request),
    };
    match rule.apply(left, right, pairs) {
        None => Equality::Different,
        Some(shown) if shown == *right => Equality::Same,
        Some(shown) => Equality::ByNature(shown),
    }
}

/// What may differ.
#[derive(Clone, Debug)]
enum Rule {
    /// Nothing but ids.
    Exact,
    /// The id of a new entry of this stream.
    Added(Vec<u8>),
    /// What a placeholder stands for.
    Like(PlaceholderKind),
    /// The number of a client.
    Client,
    /// An expiry: both sides have one, or the same answer.
    Expiry,
    /// Everything but the type.
    Any,
    /// Everything.
    Anything,
    /// The order of elements, or of pairs.
    Order { pairs: bool },
    /// The order of libraries, and of the functions of each.
    Libraries,
    /// Cursor and order.
    Scan { pairs: bool },
    /// Each element.
    Each(Box<Rule>),
    /// The element of each row at this index.
    Column(usize, Box<Rule>),
    /// One element of a row.
    Row(usize, Box<Rule>),
    /// The values that follow these names, at any depth, and times.
    Named(&'static [(&'static str, PlaceholderKind)]),
    /// HELLO's answer.
    Hello,
    /// The answers of a transaction.
    Transaction(Vec<Rule>),
    /// A line of MONITOR.
    Monitored,
}

const XINFO: &[(&str, PlaceholderKind)] = &[
    ("idle", PlaceholderKind::Ms),
    ("inactive", PlaceholderKind::Int),
    ("seen-time", PlaceholderKind::Ms),
    ("active-time", PlaceholderKind::Int),
];
const CONFIG: &[(&str, PlaceholderKind)] = &[
    ("port", PlaceholderKind::Any),
    ("bind", PlaceholderKind::Any),
    ("dir", PlaceholderKind::Any),
    ("unixsocket", PlaceholderKind::Any),
    ("logfile", PlaceholderKind::Any),
    ("pidfile", PlaceholderKind::Any),
    ("requirepass", PlaceholderKind::Any),
];

fn rule(request: &Request) -> Rule {
    let flat_pairs =
        |first: usize, word: &str| (first..request.arguments.len()).any(|at| request.has(at, word));
    match request.name.as_str() {
        "exec" => Rule::Transaction(request.queued.iter().map(rule).collect()),
        "xpending" if request.arguments.len() > 3 => {
            Rule::Column(2, Box::new(Rule::Like(PlaceholderKind::Ms)))
        }
        "xadd" => Rule::Added(request.arguments.get(1).cloned().unwrap_or_default()),
        // Their ids are known by themselves, and nothing else of them differs.
        "xtrim" | "xclaim" | "xautoclaim" | "xpending" | "dump" => Rule::Exact,
        "xinfo|stream" | "xinfo|groups" | "xinfo|consumers" => Rule::Named(XINFO),
        "time" => Rule::Each(Box::new(Rule::Like(PlaceholderKind::Ms))),
        "lastsave" => Rule::Like(PlaceholderKind::Ms),
        "ttl" | "pttl" | "expiretime" | "pexpiretime" => Rule::Expiry,
        "httl" | "hpttl" | "hexpiretime" | "hpexpiretime" => Rule::Each(Box::new(Rule::Expiry)),
        "object|idletime" => Rule::Like(PlaceholderKind::Int),
        "client|id" => Rule::Client,
        "client|setinfo" => Rule::Anything,
        "hello" => Rule::Hello,
        "config|get" => Rule::Named(CONFIG),
        "scan" | "sscan" => Rule::Scan { pairs: false },
        "hscan" => Rule::Scan { pairs: !flat_pairs(3, "novalues") },
        "zscan" => Rule::Scan { pairs: !flat_pairs(3, "noscores") },
        "hgetall" => Rule::Order { pairs: true },
        "function|list" => Rule::Libraries,
        "pubsub|channels" | "pubsub|shardchannels" => Rule::Order { pairs: false },
        name => {
            let tips = TABLE.lookup_full(name.as_bytes()).map_or("", |command| command.tips);
            let has = |tip: &str| tips.split(' ').any(|word| word == tip);
            if has("nondeterministic_output") {
                Rule::Any
            } else if has("nondeterministic_output_order") {
                Rule::Order { pairs: false }
            } else {
                Rule::Exact
            }
        }
    }
}

fn placeholder(kind: PlaceholderKind) -> Frame {
    Frame::Placeholder(Placeholder::of(kind))
}

impl Rule {
    /// What both have in common: `right` itself, with placeholders where they differ by nature. None: they differ.
    // One arm a rule.
    #[allow(clippy::too_many_lines)]
    fn apply(&self, left: &Frame, right: &Frame, pairs: &mut Pairs) -> Option<Frame> {
        // What the session says itself goes before all rules.
        if let Frame::Placeholder(written) = left {
            return written.stands_for(right).then(|| {
                if let (Some(name), Some(text)) = (&written.name, right.text()) {
                    pairs.named.insert(name.clone(), text.to_vec());
                }
                left.clone()
            });
        }
        let both_are = |kind: PlaceholderKind| {
            let placeholder = Placeholder::of(kind);
            left.kind() == right.kind() && placeholder.stands_for(left) && placeholder.stands_for(right)
        };
        // Ids are paired also where they are the same.
        if let (Frame::Text { text: one, kind: b'$' }, Frame::Text { text: other, kind: b'$' }) =
            (left, right)
            && is_made_id(one)
            && is_made_id(other)
        {
            let same = one == other;
            let stream = if let Self::Added(stream) = self { Some(stream.as_slice()) } else { None };
            return (pairs.pair(one, other, stream) || same)
                .then(|| if same { right.clone() } else { placeholder(PlaceholderKind::Id) });
        }
        if left == right && !matches!(left, Frame::Nest { .. }) && !matches!(self, Self::Client) {
            return Some(right.clone());
        }
        let exact = |pairs: &mut Pairs| each(left, right, pairs, |_| Self::Exact);
        match self {
            Self::Exact | Self::Added(_) => exact(pairs),
            Self::Like(kind) => both_are(*kind).then(|| placeholder(*kind)),
            Self::Client => {
                let (one, other) = (left.text()?, right.text()?);
                if !both_are(PlaceholderKind::Int) {
                    // It may be refused.
                    return (left == right).then(|| right.clone());
                }
                pairs.clients.insert(one.to_vec(), other.to_vec());
                Some(if one == other { right.clone() } else { placeholder(PlaceholderKind::Int) })
            }
            Self::Expiry => {
                let positive =
                    |frame: &Frame| frame.text().and_then(parse_integer).is_some_and(|number| number >= 0);
                let both = both_are(PlaceholderKind::Int) && positive(left) && positive(right);
                both.then(|| placeholder(PlaceholderKind::Ms))
            }
            Self::Any => exact(pairs).or_else(|| {
                let same = left.kind() == right.kind()
                    && std::mem::discriminant(left) == std::mem::discriminant(right);
                same.then(|| placeholder(PlaceholderKind::Any))
            }),
            Self::Anything => Some(placeholder(PlaceholderKind::Any)),
            Self::Order { pairs: in_pairs } => exact(pairs).or_else(|| {
                (sorted(left, *in_pairs)? == sorted(right, *in_pairs)?)
                    .then(|| placeholder(PlaceholderKind::Any))
            }),
            Self::Libraries => exact(pairs).or_else(|| {
                (libraries(left)? == libraries(right)?).then(|| placeholder(PlaceholderKind::Any))
            }),
            Self::Scan { pairs: in_pairs } => exact(pairs).or_else(|| {
                let ([one, left], [other, right]) = (left.items(), right.items()) else { return None };
                let ended = |cursor: &Frame| cursor.text() == Some(b"0");
                let whole = ended(one) && ended(other);
                (!whole || sorted(left, *in_pairs)? == sorted(right, *in_pairs)?)
                    .then(|| placeholder(PlaceholderKind::Any))
            }),
            Self::Each(rule) => each(left, right, pairs, |_| rule.as_ref().clone()),
            Self::Column(column, rule) => each(left, right, pairs, |_| Self::Row(*column, rule.clone())),
            Self::Row(column, rule) => {
                each(
                    left,
                    right,
                    pairs,
                    |index| {
                        if index == *column { rule.as_ref().clone() } else { Self::Exact }
                    },
                )
            }
            Self::Named(names) => {
                let time = |frame: &Frame| {
                    frame.kind() == b':' && frame.text().and_then(parse_integer) >= Some(CLOCK_MIN_SIGNED)
                };
                if time(left) && time(right) {
                    return Some(placeholder(PlaceholderKind::Ms));
                }
                each(left, right, pairs, |index| {
                    match names.iter().find(|(name, _)| follows(left, index, name)) {
                        None => self.clone(),
                        Some((_, PlaceholderKind::Any)) => Self::Any,
                        Some((_, kind)) => Self::Like(*kind),
                    }
                })
            }
            Self::Hello => each(left, right, pairs, |index| {
                let after = |name| follows(left, index, name);
                if after("id") {
                    Self::Client
                } else if after("server") || after("version") || after("modules") {
                    Self::Any
                } else {
                    Self::Exact
                }
            }),
            Self::Transaction(rules) => {
                each(left, right, pairs, |index| rules.get(index).cloned().unwrap_or(Self::Exact))
            }
            Self::Monitored => (monitored(left.text()?)? == monitored(right.text()?)?)
                .then(|| placeholder(PlaceholderKind::Any)),
        }
    }
}

/// Applies a rule to each pair of elements of two arrays of the same kind and length.
fn each(left: &Frame, right: &Frame, pairs: &mut Pairs, rule: impl Fn(usize) -> Rule) -> Option<Frame> {
    let (Frame::Nest { kind, items }, Frame::Nest { kind: other, items: others }) = (left, right) else {
        return (left == right).then(|| right.clone());
    };
    if kind != other || items.len() != others.len() {
        return None;
    }
    let both = items.iter().zip(others).enumerate();
    let items =
        both.map(|(index, (left, right))| rule(index).apply(left, right, pairs)).collect::<Option<_>>()?;
    Some(Frame::Nest { kind: *kind, items })
}

/// Whether the element stands behind this name.
fn follows(frame: &Frame, index: usize, name: &str) -> bool {
    let before = index.checked_sub(1).and_then(|before| frame.items().get(before)).and_then(Frame::text);
    before == Some(name.as_bytes())
}

/// The elements, or pairs of them, in an order of their own.
fn sorted(frame: &Frame, in_pairs: bool) -> Option<(u8, Vec<&[Frame]>)> {
    let Frame::Nest { kind, items } = frame else { return None };
    // The pairs of RESP3 may be arrays of their own.
    let flat = in_pairs && !items.iter().all(|item| matches!(item, Frame::Nest { .. }));
    let mut chunks: Vec<&[Frame]> = items.chunks(if flat { 2 } else { 1 }).collect();
    chunks.sort();
    Some((*kind, chunks))
}

/// The libraries of FUNCTION LIST in an order of their own, and so the functions of each.
fn libraries(frame: &Frame) -> Option<Vec<Frame>> {
    let Frame::Nest { items, .. } = frame else { return None };
    let mut libraries = items.clone();
    for library in &mut libraries {
        let Frame::Nest { items, .. } = library else { continue };
        for pair in items.chunks_mut(2) {
            if let [name, Frame::Nest { items: functions, .. }] = pair
                && name.text() == Some(b"functions")
            {
                functions.sort();
            }
        }
    }
    libraries.sort();
    Some(libraries)
}

/// A line of MONITOR without time and address: `1700000000.123456 [0 127.0.0.1:50000] "GET" "k"`.
fn monitored(text: &[u8]) -> Option<(&str, &str)> {
    let (_, rest) = std::str::from_utf8(text).ok()?.split_once(" [")?;
    let (database, rest) = rest.split_once(' ')?;
    let (_, request) = rest.split_once("] ")?;
    Some((database, request))
}

#[cfg(test)]
mod tests {
    use super::super::format::{Action, Session};
    use super::*;

    fn frame(text: &str) -> Frame {
        let session = Session::read(&format!("a < {text}\n")).expect(text);
        match session.events.into_iter().next().map(|event| event.action) {
            Some(Action::Answer(_, frame)) => frame,
            other => panic!("{other:?}"),
        }
    }

    /// How the answers to a request compare: `=`, what both have in common, or `different`.
    fn compared(pairs: &mut Pairs, request: &str, left: &str, right: &str) -> String {
        let arguments: Vec<_> = request.split(' ').map(|word| word.as_bytes().to_vec().into()).collect();
        let heard = Heard::Answer(Request::new(&arguments, 0));
        match compare(&heard, &frame(left), &frame(right), pairs) {
            Equality::Same => "=".into(),
            Equality::Different => "different".into(),
            Equality::ByNature(shown) => {
                let mut session = Session::default();
                let ann = session.connection("a");
                session.push(Action::Answer(ann, shown));
                session.to_string().trim_start_matches("a < ").trim_end().to_owned()
            }
        }
    }

    #[test]
    fn what_differs_by_nature_is_shown_and_the_rest_is_compared() {
        for (request, left, right, wanted) in [
            ("GET k", "\"1\"", "\"1\"", "="),
            ("GET k", "\"1\"", ":1", "different"),
            ("GET k", "$-1", "_", "different"),
            ("TIME", "[\"1\" \"2\"]", "[\"3\" \"2\"]", "[<ms> \"2\"]"),
            ("TTL k", ":5", ":3", "<ms>"),
            ("TTL k", ":5", ":-1", "different"),
            ("CLIENT ID", ":5", ":9", "<int>"),
            ("CLIENT ID", "-\"ERR no\"", "-\"ERR no\"", "="),
            ("PUBSUB SHARDCHANNELS", "[\"a\" \"b\"]", "[\"b\" \"a\"]", "<any>"),
            ("KEYS *", "[\"a\" \"b\"]", "[\"b\" \"a\"]", "<any>"),
            ("KEYS *", "[\"a\" \"b\"]", "[\"b\" \"c\"]", "different"),
            ("HGETALL h", "[\"a\" \"b\" \"c\" \"d\"]", "[\"c\" \"d\" \"a\" \"b\"]", "<any>"),
            ("HGETALL h", "[\"a\" \"b\" \"c\" \"d\"]", "[\"c\" \"b\" \"a\" \"d\"]", "different"),
            (
                "FUNCTION LIST",
                "[[\"library_name\" \"a\" \"functions\" [[\"f\"] [\"g\"]]] [\"library_name\" \"b\"]]",
                "[[\"library_name\" \"b\"] [\"library_name\" \"a\" \"functions\" [[\"g\"] [\"f\"]]]]",
                "<any>",
            ),
            (
                "FUNCTION LIST",
                "[[\"library_name\" \"a\" \"functions\" [[\"f\"] [\"g\"]]]]",
                "[[\"library_name\" \"a\" \"functions\" [[\"f\"] [\"h\"]]]]",
                "different",
            ),
            ("SPOP s", "\"a\"", "\"b\"", "<any>"),
            ("SPOP s", "\"a\"", "$-1", "different"),
            ("LRANGE l 0 -1", "[\"a\" \"b\"]", "[\"b\" \"a\"]", "different"),
            ("SCAN 0", "[\"0\" [\"a\" \"b\"]]", "[\"0\" [\"b\" \"a\"]]", "<any>"),
            ("SCAN 0", "[\"0\" [\"a\"]]", "[\"0\" [\"b\"]]", "different"),
            (
                "XPENDING s g - + 9",
                "[[\"1-1\" \"c\" :5 :1]]",
                "[[\"1-1\" \"c\" :7 :1]]",
                "[[\"1-1\" \"c\" <ms> :1]]",
            ),
            ("XPENDING s g - + 9", "[[\"1-1\" \"c\" :5 :1]]", "[[\"1-1\" \"c\" :5 :2]]", "different"),
            (
                "XINFO CONSUMERS s g",
                "[[\"name\" \"c\" \"idle\" :5]]",
                "[[\"name\" \"c\" \"idle\" :7]]",
                "[[\"name\" \"c\" \"idle\" <ms>]]",
            ),
            (
                "HELLO",
                "[\"server\" \"redis\" \"version\" \"7\" \"id\" :3]",
                "[\"server\" \"redis\" \"version\" \"8\" \"id\" :4]",
                "[\"server\" \"redis\" \"version\" <any> \"id\" <int>]",
            ),
            ("GET k", "<any>", "\"x\"", "<any>"),
            ("GET k", "<int>", "\"x\"", "different"),
        ] {
            assert_eq!(
                compared(&mut Pairs::default(), request, left, right),
                wanted,
                "{request} {left} {right}"
            );
        }
    }

    #[test]
    fn ids_of_streams_stand_for_each_other_wherever_they_come() {
        let mut pairs = Pairs::default();
        let mut of = |request, left, right| compared(&mut pairs, request, left, right);
        assert_eq!(of("XADD s * f v", "\"1700000000000-0\"", "\"1800000000000-0\""), "<id>");
        assert_eq!(of("XADD s * f v", "\"1700000000000-1\"", "\"1800000000005-0\""), "<id>");
        assert_eq!(
            of("XRANGE s - +", "[[\"1700000000000-0\" [\"f\"]]]", "[[\"1800000000000-0\" [\"f\"]]]"),
            "[[<id> [\"f\"]]]"
        );
        assert_eq!(
            of("XRANGE s - +", "[[\"1700000000000-1\" [\"f\"]]]", "[[\"1800000000000-0\" [\"f\"]]]"),
            "different"
        );
        assert_eq!(of("XADD s 1-1 f v", "\"1-1\"", "\"2-1\""), "different");
        assert_eq!(pairs.id(b"(1700000000000-1", |_| false).as_deref(), Some(&b"(1800000000005-0"[..]));
    }

    #[test]
    fn two_streams_may_get_one_id_on_one_side_and_two_on_the_other() {
        let mut pairs = Pairs::default();
        let mut of = |request: &str, left: &str, right: &str| compared(&mut pairs, request, left, right);
        assert_eq!(of("XADD s * f v", "\"1700000000000-0\"", "\"1800000000000-0\""), "<id>");
        assert_eq!(of("XADD t * f v", "\"1700000000000-0\"", "\"1800000000001-0\""), "<id>");
        assert_eq!(of("XADD t * f v", "\"1700000000003-0\"", "\"1800000000003-0\""), "<id>");
        assert_eq!(of("XADD u * f v", "\"1700000000004-0\"", "\"1800000000003-0\""), "<id>");
        assert_eq!(of("XADD v * f v", "\"1700000000003-0\"", "\"1800000000000-0\""), "<id>");
        let range = |id: &str| format!("[[\"{id}\" [\"f\"]]]");
        assert_eq!(
            of("XRANGE t - +", &range("1700000000000-0"), &range("1800000000001-0")),
            "[[<id> [\"f\"]]]"
        );
        assert_eq!(of("XRANGE t - +", &range("1700000000004-0"), &range("1800000000001-0")), "different");
        for (stream, right) in [("s", "1800000000000-0"), ("t", "1800000000001-0")] {
            let id = pairs.id(b"1700000000000-0", |name| name == stream.as_bytes());
            assert_eq!(id.as_deref(), Some(right.as_bytes()));
        }
    }

    #[test]
    fn answers_of_a_transaction_differ_as_those_alone() {
        let request = |text: &str| {
            Request::new(&text.split(' ').map(|word| word.to_owned().into()).collect::<Vec<_>>(), 0)
        };
        let mut exec = request("EXEC");
        exec.queued = vec![request("TIME"), request("GET k")];
        let heard = Heard::Answer(exec);
        let of =
            |left: &str, right: &str| compare(&heard, &frame(left), &frame(right), &mut Pairs::default());
        assert!(matches!(of("[[:1 :2] \"v\"]", "[[:3 :4] \"v\"]"), Equality::ByNature(_)));
        assert_eq!(of("[[:1 :2] \"v\"]", "[[:1 :2] \"w\"]"), Equality::Different);
    }
}
