//! The parts of commands: random arguments, many of them almost right.

use proptest::{collection::vec, prelude::*, sample::select, strategy::Union};

use super::Command;
use minibroker::internal::conform::markers::Markers;

/// Makes some consecutive arguments.
pub type Piece = BoxedStrategy<Vec<Vec<u8>>>;

/// The keys of all programs: few, so that commands often use the same key.
pub const KEYS: &[&str] = &["k1", "k2", "k3", "k4"];

/// Fixed arguments.
pub fn words(words: &str) -> Piece {
    Just(words.split(' ').map(|word| word.as_bytes().to_vec()).collect()).boxed()
}

/// One of these, each of which is one or more words.
pub fn one_of(choices: &'static [&'static str]) -> Piece {
    select(choices)
        .prop_map(|choice| choice.split(' ').map(|word| word.as_bytes().to_vec()).collect())
        .boxed()
}

/// A key.
pub fn key() -> Piece {
    one_of(KEYS)
}

/// One of these pieces.
pub fn either(pieces: impl IntoIterator<Item = Piece>) -> Piece {
    Union::new(pieces).boxed()
}

/// The pieces one after the other.
pub fn all(pieces: impl IntoIterator<Item = Piece>) -> Piece {
    let pieces: Vec<Piece> = pieces.into_iter().collect();
    pieces.prop_map(|pieces| pieces.concat()).boxed()
}

/// An option with its value.
pub fn option(name: &str, value: Piece) -> Piece {
    all([words(name), value])
}

/// The piece, or nothing, with equal probability.
pub fn maybe(piece: Piece) -> Piece {
    either([piece, Just(Vec::new()).boxed()])
}

/// The piece repeated.
pub fn times(range: std::ops::Range<usize>, piece: Piece) -> Piece {
    vec(piece, range).prop_map(|pieces| pieces.concat()).boxed()
}

/// The piece repeated, after the number of repetitions, as in `numkeys key [key ...]`.
pub fn counted(range: std::ops::Range<usize>, piece: Piece) -> Piece {
    let counted = |pieces: Vec<Vec<Vec<u8>>>| {
        let mut arguments = vec![pieces.len().to_string().into_bytes()];
        arguments.extend(pieces.concat());
        arguments
    };
    vec(piece, range).prop_map(counted).boxed()
}

/// Any text as one argument.
fn text(texts: impl Strategy<Value = Vec<u8>> + 'static) -> Piece {
    texts.prop_map(|text| vec![text]).boxed()
}

/// A number within a range.
pub fn between(range: std::ops::RangeInclusive<i64>) -> Piece {
    text(range.prop_map(|number| number.to_string().into_bytes()))
}

/// An integer: mostly a small one, sometimes at a limit, sometimes not an integer.
pub fn integer() -> Piece {
    text(prop_oneof![
        20 => (-12_i64..=12).prop_map(|number| number.to_string().into_bytes()),
        3 => select(INTEGERS).prop_map(|text| text.as_bytes().to_vec()),
    ])
}

const INTEGERS: &[&str] = &[
    "9223372036854775807",
    "9223372036854775808",
    "-9223372036854775808",
    "-9223372036854775809",
    "4294967296",
    "2147483647",
    "2147483648",
    "-2147483648",
    "1000000",
    "00",
    "01",
    "-0",
    "+1",
    " 1",
    "1 ",
    "1.0",
    "1e3",
    "",
    "x",
    "0x10",
];

/// A floating-point number: mostly a small one, sometimes an extreme one, sometimes not a number.
pub fn double() -> Piece {
    text(prop_oneof![
        10 => (-9_i64..=9).prop_map(|number| number.to_string().into_bytes()),
        5 => (-50_i32..=50).prop_map(|number| (f64::from(number) / 8.0).to_string().into_bytes()),
        2 => any::<f64>().prop_map(|number| format!("{number:e}").into_bytes()),
        3 => select(DOUBLES).prop_map(|text| text.as_bytes().to_vec()),
    ])
}

const DOUBLES: &[&str] = &[
    "inf",
    "-inf",
    "+inf",
    "nan",
    "infinity",
    "1e308",
    "-1e308",
    "1e-320",
    "1e400",
    "0.1",
    "3.3",
    "1e21",
    "123456789012345678",
    "9007199254740993",
    "-0",
    "0x1p3",
    "1e",
    "1.",
    ".5",
    "-.5e1",
    "",
    "x",
    " 1",
    "1 ",
    "1_0",
];

/// An element, a field, a member: mostly one of a few, sometimes long, binary, empty, or an integer.
pub fn element() -> Piece {
    text(prop_oneof![
        12 => select(&["a", "b", "c", "d", "e", "f"][..]).prop_map(|text| text.as_bytes().to_vec()),
        6 => (-20_i64..=20).prop_map(|number| number.to_string().into_bytes()),
        2 => select(INTEGERS).prop_map(|text| text.as_bytes().to_vec()),
        1 => vec(any::<u8>(), 0..6),
        1 => (0_usize..100).prop_map(|length| vec![b'y'; length]),
    ])
}

/// A command.
pub fn call(name: &str, pieces: impl IntoIterator<Item = Piece>) -> BoxedStrategy<Command> {
    marked("", name, pieces)
}

/// A command whose replies may differ as the markers say, separated by spaces: `unordered`.
///
/// # Panics
///
/// There is no such marker.
pub fn marked(markers: &str, name: &str, pieces: impl IntoIterator<Item = Piece>) -> BoxedStrategy<Command> {
    let mut read = Markers::default();
    for marker in markers.split_whitespace() {
        read.add(marker).unwrap_or_else(|error| panic!("{error}"));
    }
    let arguments = all([words(name)].into_iter().chain(pieces));
    let words = markers.to_owned();
    let command = move |arguments| Command { arguments, words: words.clone(), markers: read.clone() };
    arguments.prop_map(command).boxed()
}

/// One of these commands, each with its frequency.
pub fn commands(choices: impl IntoIterator<Item = (u32, BoxedStrategy<Command>)>) -> BoxedStrategy<Command> {
    Union::new_weighted(choices.into_iter().collect()).boxed()
}

/// Commands whose replies are the same on both servers only if they ask for everything at once, or for an absolute
/// time: they are not spoiled.
const BY_CHANCE: &[&[u8]] = &[
    b"SPOP",
    b"SRANDMEMBER",
    b"SSCAN",
    b"HSCAN",
    b"ZSCAN",
    b"SCAN",
    b"HRANDFIELD",
    b"ZRANDMEMBER",
    b"RESTORE",
];

/// The commands, some of them with an argument lost, doubled, swapped or replaced.
pub fn spoiled(commands: BoxedStrategy<Command>) -> BoxedStrategy<Command> {
    let change = prop_oneof![40 => Just(0_u8), 1 => Just(1), 1 => Just(2), 1 => Just(3), 1 => Just(4)];
    (commands, change, any::<prop::sample::Index>(), integer())
        .prop_map(|(mut command, change, index, other)| {
            let arguments = &mut command.arguments;
            // The name does not change.
            if arguments.len() > 1 && change > 0 && !BY_CHANCE.contains(&arguments[0].as_slice()) {
                let index = 1 + index.index(arguments.len() - 1);
                match change {
                    1 => drop(arguments.remove(index)),
                    2 => arguments.insert(index, arguments[index].clone()),
                    3 => arguments.swap(1.max(index - 1), index),
                    _ => arguments[index] = other.concat(),
                }
            }
            command
        })
        .boxed()
}
