//! Which answers count as the same: those with the same bytes, except for what differs by nature.
//!
//! What may differ is defined by the row of the command ([`Varies`]), or else by its tips, as in `COMMAND INFO`:
//!
//! | what may differ | placeholder |
//! |---|---|
//! | ids of streams that a server made from its time (`XADD k *`), in any answer: an id on one side stands for the same id on the other throughout | `<id>` |
//! | points in time and time spans; expiries, if there is one on both sides | `<ms>` |
//! | numbers such as OBJECT IDLETIME | `<int>` |
//! | ids of clients: an id on one side stands for the same id on the other throughout | `<int>` |
//! | the order of elements, pairs or libraries; with a cursor, until all elements have come, the elements as well | `<any>` |
//! | all but the type, such as of `nondeterministic_output`; of CLIENT SETINFO everything | `<any>` |
//! | in an answer to EXEC, what may differ in the answers to its requests | as there |
//! | time and address in a line of MONITOR | `<any>` |

use std::collections::{HashMap, HashSet};

use super::conversation::{FrameKind, Request};
use super::frame::{Frame, Placeholder, PlaceholderKind, stream_id};
use crate::clients::tracking::BROKEN_REDIRECTION;
use crate::resp::parse_integer;
use crate::spec::Varies;

/// Ids of streams with a greater time come from a clock: 2001, in milliseconds.
const CLOCK_MIN: u64 = 1_000_000_000_000;
const CLOCK_MIN_SIGNED: i64 = 1_000_000_000_000;
/// The options of a command with a cursor follow the key and the cursor.
const CURSOR_OPTIONS: usize = 3;

/// Which values of the two sides correspond: ids and numbers that differ by nature, and answers that have a name.
#[derive(Debug, Default)]
pub struct Pairs {
    /// The ids on the right for each id on the left. In one millisecond, two streams may get the same id on one side
    /// and different ones on the other.
    ids: HashMap<Vec<u8>, Vec<Id>>,
    /// The ids on the right.
    back: HashSet<Vec<u8>>,
    /// The ids of clients on the right, by those on the left.
    clients: HashMap<Vec<u8>, Vec<u8>>,
    /// The value on the right for each name of the session.
    named: HashMap<String, Vec<u8>>,
}

/// An id of the right side.
#[derive(Debug)]
struct Id {
    right: Vec<u8>,
    /// The stream that it was made for, if known.
    stream: Option<Vec<u8>>,
}

impl Pairs {
    /// The id on the right for one on the left, which may be an exclusive bound: `(1700000000000-0`. `is_named` says
    /// which streams the request names.
    pub fn id(&self, argument: &[u8], is_named: impl Fn(&[u8]) -> bool) -> Option<Vec<u8>> {
        let (sign, id): (&[u8], _) = match argument.strip_prefix(b"(") {
            Some(id) => (b"(", id),
            None => (b"", argument),
        };
        let known = self.ids.get(id)?;
        let named = known.iter().rev().find(|id| id.stream.as_deref().is_some_and(&is_named));
        Some([sign, named.or(known.last())?.right.as_slice()].concat())
    }

    /// The client id on the right for one on the left.
    #[must_use]
    pub fn client(&self, number: &[u8]) -> Option<&Vec<u8>> {
        self.clients.get(number)
    }

    /// The value of the answer with this name.
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
    /// They differ only by nature. The frame has placeholders for the differences.
    ByNature(Frame),
    /// They differ.
    Different,
}

/// How a push varies: one has the id of a client.
fn of_push(push: &Frame) -> Varies {
    let is_of_client = push.items().first().and_then(Frame::text) == Some(BROKEN_REDIRECTION);
    if is_of_client { Varies::At(1, &Varies::ClientId) } else { Varies::Nothing }
}

/// Compares two answers to the same request.
pub fn compare(kind: &FrameKind, left: &Frame, right: &Frame, pairs: &mut Pairs) -> Equality {
    let none = Request::default();
    let rule = match kind {
        FrameKind::Push => Rule { varies: of_push(left), request: &none },
        FrameKind::Monitored => Rule { varies: Varies::MonitorLine, request: &none },
        FrameKind::Answer(request) => Rule { varies: varies(request), request },
    };
    match rule.apply(left, right, pairs) {
        None => Equality::Different,
        Some(shown) if shown == *right => Equality::Same,
        Some(shown) => Equality::ByNature(shown),
    }
}

/// What may differ in the answer to a request.
pub(super) fn varies(request: &Request) -> Varies {
    let Some(command) = request.command() else { return Varies::Nothing };
    let has = |tip: &str| command.tips.split(' ').any(|word| word == tip);
    match command.varies {
        Some(varies) => varies,
        None if has("nondeterministic_output") => Varies::AllButType,
        None if has("nondeterministic_output_order") => Varies::Order,
        None => Varies::Nothing,
    }
}

/// What may differ in an answer, or in a part of one.
#[derive(Clone, Copy)]
struct Rule<'a> {
    varies: Varies,
    /// The request that is answered. Its arguments may refine the rule.
    request: &'a Request,
}

fn placeholder(kind: PlaceholderKind) -> Frame {
    Frame::Placeholder(Placeholder::of(kind))
}

impl Rule<'_> {
    /// The rule for a part of the answer.
    fn part(self, varies: Varies) -> Self {
        Self { varies, ..self }
    }

    /// What both have in common: `right`, with placeholders where they differ by nature. `None` if they differ.
    // One arm for each kind of difference.
    #[allow(clippy::too_many_lines)]
    fn apply(self, left: &Frame, right: &Frame, pairs: &mut Pairs) -> Option<Frame> {
        // The placeholders of the session take precedence over all rules.
        if let Frame::Placeholder(written) = left {
            return written.stands_for(right).then(|| {
                if let (Some(name), Some(text)) = (&written.name, right.text()) {
                    pairs.named.insert(name.clone(), text.to_vec());
                }
                left.clone()
            });
        }
        // Ids are paired even if they are the same.
        if let (Frame::Text { text: one, kind: b'$' }, Frame::Text { text: other, kind: b'$' }) =
            (left, right)
            && is_made_id(one)
            && is_made_id(other)
        {
            let same = one == other;
            let added = self.varies == Varies::EntryId;
            let stream = self.request.arguments.get(1).filter(|_| added).map(Vec::as_slice);
            return (pairs.pair(one, other, stream) || same)
                .then(|| if same { right.clone() } else { placeholder(PlaceholderKind::Id) });
        }
        if left == right && !matches!(left, Frame::Nest { .. }) && self.varies != Varies::ClientId {
            return Some(right.clone());
        }
        let exact = |pairs: &mut Pairs| each(left, right, pairs, |_| self.part(Varies::Nothing));
        let both_are = |kind: PlaceholderKind| {
            let placeholder = Placeholder::of(kind);
            left.kind() == right.kind() && placeholder.stands_for(left) && placeholder.stands_for(right)
        };
        let any = |same: bool| same.then(|| placeholder(PlaceholderKind::Any));
        let ordered = |in_pairs: bool| any(sorted(left, in_pairs)? == sorted(right, in_pairs)?);
        let scanned = |in_pairs: bool| {
            let ([one, left], [other, right]) = (left.items(), right.items()) else { return None };
            let ended = |cursor: &Frame| cursor.text() == Some(b"0");
            let whole = ended(one) && ended(other);
            any(!whole || sorted(left, in_pairs)? == sorted(right, in_pairs)?)
        };
        let like = |kind: PlaceholderKind| both_are(kind).then(|| placeholder(kind));
        match self.varies {
            Varies::Nothing | Varies::EntryId => exact(pairs),
            Varies::All => any(true),
            Varies::AllButType => exact(pairs).or_else(|| {
                any(left.kind() == right.kind()
                    && std::mem::discriminant(left) == std::mem::discriminant(right))
            }),
            Varies::Order => exact(pairs).or_else(|| ordered(false)),
            Varies::PairOrder => exact(pairs).or_else(|| ordered(true)),
            Varies::LibraryOrder => exact(pairs).or_else(|| any(libraries(left)? == libraries(right)?)),
            Varies::Cursor => exact(pairs).or_else(|| scanned(false)),
            Varies::PairCursor { unless } => exact(pairs).or_else(|| {
                let mut options = CURSOR_OPTIONS..self.request.arguments.len();
                scanned(!options.any(|at| self.request.has(at, unless)))
            }),
            // Without a number nothing may differ: XPENDING has other forms of replies as well.
            Varies::Time => like(PlaceholderKind::Ms).or_else(|| exact(pairs)),
            Varies::Number => like(PlaceholderKind::Int).or_else(|| exact(pairs)),
            Varies::Expiry => {
                let positive =
                    |frame: &Frame| frame.text().and_then(parse_integer).is_some_and(|number| number >= 0);
                let both = both_are(PlaceholderKind::Int) && positive(left) && positive(right);
                both.then(|| placeholder(PlaceholderKind::Ms))
            }
            Varies::ClientId => {
                let (one, other) = (left.text()?, right.text()?);
                if !both_are(PlaceholderKind::Int) {
                    // The command may have been refused.
                    return (left == right).then(|| right.clone());
                }
                pairs.clients.insert(one.to_vec(), other.to_vec());
                Some(if one == other { right.clone() } else { placeholder(PlaceholderKind::Int) })
            }
            Varies::Each(part) => each(left, right, pairs, |_| self.part(*part)),
            Varies::At(at, part) => {
                each(left, right, pairs, |index| self.part(if index == at { *part } else { Varies::Nothing }))
            }
            Varies::Fields(fields) => {
                let time = |frame: &Frame| {
                    frame.kind() == b':' && frame.text().and_then(parse_integer) >= Some(CLOCK_MIN_SIGNED)
                };
                if time(left) && time(right) {
                    return Some(placeholder(PlaceholderKind::Ms));
                }
                each(left, right, pairs, |index| {
                    let field = fields.iter().find(|(name, _)| follows(left, index, name));
                    field.map_or(self, |(_, part)| self.part(*part))
                })
            }
            Varies::Queued => each(left, right, pairs, |index| match self.request.queued.get(index) {
                Some(request) => Rule { varies: varies(request), request },
                None => self.part(Varies::Nothing),
            }),
            Varies::MonitorLine => any(monitored(left.text()?)? == monitored(right.text()?)?),
        }
    }
}

/// Applies a rule to each pair of elements of two arrays of the same kind and length.
fn each<'a>(
    left: &Frame,
    right: &Frame,
    pairs: &mut Pairs,
    rule: impl Fn(usize) -> Rule<'a>,
) -> Option<Frame> {
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

/// Whether the element follows this name.
fn follows(frame: &Frame, index: usize, name: &str) -> bool {
    let before = index.checked_sub(1).and_then(|before| frame.items().get(before)).and_then(Frame::text);
    before == Some(name.as_bytes())
}

/// The elements, or pairs of them, in a canonical order.
fn sorted(frame: &Frame, in_pairs: bool) -> Option<(u8, Vec<&[Frame]>)> {
    let Frame::Nest { kind, items } = frame else { return None };
    // The pairs of RESP3 may be arrays of their own.
    let flat = in_pairs && !items.iter().all(|item| matches!(item, Frame::Nest { .. }));
    let mut chunks: Vec<&[Frame]> = items.chunks(if flat { 2 } else { 1 }).collect();
    chunks.sort();
    Some((*kind, chunks))
}

/// The libraries of FUNCTION LIST in a canonical order, and the functions of each.
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
        let kind = FrameKind::Answer(Request::new(&arguments, 0));
        match compare(&kind, &frame(left), &frame(right), pairs) {
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
                "XPENDING s g",
                "[:3 \"1-1\" \"3-1\" [[\"a\" \"1\"] [\"b\" \"1\"] [\"c\" \"1\"]]]",
                "[:3 \"1-1\" \"3-1\" [[\"a\" \"1\"] [\"b\" \"1\"] [\"c\" \"1\"]]]",
                "=",
            ),
            (
                "XPENDING s g",
                "[:3 \"1-1\" \"3-1\" [[\"a\" \"1\"] [\"b\" \"1\"] [\"c\" \"1\"]]]",
                "[:3 \"1-1\" \"3-1\" [[\"a\" \"1\"] [\"b\" \"1\"] [\"c\" \"2\"]]]",
                "different",
            ),
            (
                "XPENDING s g",
                "[:3 \"1-1\" \"3-1\" [[\"a\" \"3\"]]]",
                "[:3 \"1-1\" \"3-1\" [[\"b\" \"3\"]]]",
                "different",
            ),
            ("HTTL h FIELDS 2 f g", "[:5 :-1]", "[:3 :-1]", "[<ms> :-1]"),
            ("HTTL h FIELDS 2 f g", "[:5 :-1]", "[:3 :-2]", "different"),
            ("OBJECT IDLETIME k", ":5", ":3", "<int>"),
            ("CLIENT SETINFO LIB-NAME x", "+OK", "-\"ERR no\"", "<any>"),
            ("DUMP k", "\"a\"", "\"b\"", "different"),
            (
                "CONFIG GET *",
                "[\"port\" \"1\" \"save\" \"\"]",
                "[\"port\" \"2\" \"save\" \"\"]",
                "[\"port\" <any> \"save\" \"\"]",
            ),
            ("HSCAN h 0", "[\"0\" [\"a\" \"b\" \"c\" \"d\"]]", "[\"0\" [\"c\" \"d\" \"a\" \"b\"]]", "<any>"),
            (
                "HSCAN h 0",
                "[\"0\" [\"a\" \"b\" \"c\" \"d\"]]",
                "[\"0\" [\"c\" \"b\" \"a\" \"d\"]]",
                "different",
            ),
            ("HSCAN h 0 novalues", "[\"0\" [\"a\" \"b\" \"c\"]]", "[\"0\" [\"c\" \"b\" \"a\"]]", "<any>"),
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
    fn lines_of_monitor_differ_in_time_and_address() {
        let line = |start: &str, name: &str| Frame::Text {
            kind: b'+',
            text: format!("{start}] \"{name}\" \"k\"").into_bytes(),
        };
        let recorded = line("1700000000.123456 [0 127.0.0.1:50000", "GET");
        let of = |other: &Frame| compare(&FrameKind::Monitored, &recorded, other, &mut Pairs::default());
        let by_nature = of(&line("1800000000.654321 [0 127.0.0.1:60000", "GET"));
        assert_eq!(by_nature, Equality::ByNature(placeholder(PlaceholderKind::Any)));
        assert_eq!(of(&line("1800000000.654321 [1 127.0.0.1:60000", "GET")), Equality::Different);
        assert_eq!(of(&line("1800000000.654321 [0 127.0.0.1:60000", "SET")), Equality::Different);
    }

    #[test]
    fn answers_of_a_transaction_differ_as_those_alone() {
        let request = |text: &str| {
            Request::new(&text.split(' ').map(|word| word.to_owned().into()).collect::<Vec<_>>(), 0)
        };
        let mut exec = request("EXEC");
        exec.queued = vec![request("TIME"), request("GET k")];
        let kind = FrameKind::Answer(exec);
        let of = |left: &str, right: &str| compare(&kind, &frame(left), &frame(right), &mut Pairs::default());
        assert!(matches!(of("[[:1 :2] \"v\"]", "[[:3 :4] \"v\"]"), Equality::ByNature(_)));
        assert_eq!(of("[[:1 :2] \"v\"]", "[[:1 :2] \"w\"]"), Equality::Different);
    }
}
