//! Random scripts and functions, with the commands of all families inside.

use fastrand::Rng;
use proptest::{collection::vec, prelude::*};

use super::{Command, Family, arguments::*, everything, nothing};
use crate::scripts::{self, Author, quoted};

/// How many statements a script has at most.
const STATEMENTS: usize = 8;

/// What cannot be compared from within a script: times and lines that differ each time.
const NOT_SHOWN: &[&str] =
    &["XINFO", "XPENDING", "XCLAIM", "XAUTOCLAIM", "TTL", "PTTL", "HTTL", "HPTTL", "INFO"];

pub fn family() -> Family {
    let keys = || either([words("0"), counted(1..4, key())]);
    let arguments = || times(0..4, either([element(), integer(), double()]));
    let eval = |name| with_script(text(Wanted::Script), move |text| call(name, [text, keys(), arguments()]));
    let library = ["l1", "l2"];
    Family {
        commands: commands([
            (30, eval("EVAL")),
            (3, eval("EVAL_RO")),
            (2, with_script(flagged(), |text| call("EVAL", [text, words("0")]))),
            (
                3,
                with_script(text(Wanted::Library(library)), |text| {
                    call("FUNCTION", [words("LOAD REPLACE"), text])
                }),
            ),
            (1, with_script(text(Wanted::Library(library)), |text| call("FUNCTION", [words("LOAD"), text]))),
            (8, call("FCALL", [one_of(&["f1", "f2", "F1", "g1", "g2", "f3"]), keys(), arguments()])),
            (2, call("FCALL_RO", [one_of(&["f1", "f2", "g1", "g2"]), keys(), arguments()])),
            (1, call("FUNCTION DELETE", [one_of(&["l1", "l2", "l3"])])),
            (
                1,
                marked(
                    "unordered",
                    "FUNCTION LIST",
                    [maybe(words("WITHCODE")), maybe(option("LIBRARYNAME", one_of(&["l1", "l*"])))],
                ),
            ),
            (1, call("FUNCTION STATS", [])),
            (1, with_script(text(Wanted::Script), |text| call("SCRIPT LOAD", [text]))),
            // `return 1` and a script that does not exist.
            (1, call("EVALSHA", [one_of(NAMES), keys()])),
            (1, call("SCRIPT LOAD", [words("return")])),
            (1, call("SCRIPT EXISTS", [times(1..3, one_of(NAMES))])),
            (4, called()),
        ]),
        // Not FUNCTION FLUSH: in a pipeline after FLUSHALL, it crashes Redis 8.0.
        questions: &["FUNCTION DELETE l1", "FUNCTION DELETE l2"],
        known: nothing,
    }
}

/// The names of `return 1`, of `return redis.call('get',KEYS[1])`, and of no script.
const NAMES: &[&str] = &[
    "e0e1f9fabfc9d4800c877a703b823ac0578ff8db",
    "4e6d8fc8bb01276962cce5371fa795a7763657ae",
    "E0E1F9FABFC9D4800C877A703B823AC0578FF8DB",
    "short",
];

/// The commands that are called. SORT does not read numbers: in a script, redis-server takes an error of C's `strtod`
/// for its own.
fn called() -> BoxedStrategy<Command> {
    let is_alpha = |argument: &Vec<u8>| argument.eq_ignore_ascii_case(b"ALPHA");
    let commands = everything::family().commands.prop_map(move |mut command| {
        let is_sort = command.arguments[0].to_ascii_uppercase().starts_with(b"SORT");
        if is_sort {
            // Elements with the same weight are in the order of their set.
            if let Some(at) =
                command.arguments.iter().position(|argument| argument.eq_ignore_ascii_case(b"BY"))
            {
                command.arguments.drain(at..command.arguments.len().min(at + 2));
            }
            if !command.arguments.iter().any(is_alpha) {
                command.arguments.push(b"ALPHA".to_vec());
            }
        }
        command
    });
    commands.boxed()
}

fn with_script(
    script: BoxedStrategy<String>,
    command: impl Fn(Piece) -> BoxedStrategy<Command>,
) -> BoxedStrategy<Command> {
    command(script.prop_map(|text| vec![text.into_bytes()]).boxed())
}

/// The kind of a text.
#[derive(Clone, Copy, Debug)]
enum Wanted {
    Script,
    /// A library of one of these names, whose functions have its number.
    Library([&'static str; 2]),
}

/// One statement. A number is the seed of one that needs no server; it also decides how a command is called.
fn statement() -> BoxedStrategy<String> {
    let alone =
        any::<u64>().no_shrink().prop_map(|seed| Author { random: &mut Rng::with_seed(seed) }.statement());
    let calling = (called(), any::<u64>().no_shrink()).prop_map(|(command, seed)| {
        let mut random = Rng::with_seed(seed);
        let name = String::from_utf8_lossy(&command.arguments[0]).to_uppercase();
        let only_type = !command.words.is_empty() || NOT_SHOWN.contains(&name.as_str());
        Author { random: &mut random }.call(&command.arguments, only_type)
    });
    prop_oneof![3 => alone, 2 => calling].boxed()
}

/// The text of a script or a library.
fn text(wanted: Wanted) -> BoxedStrategy<String> {
    let of = |wanted: Wanted| {
        (vec(statement(), 0..STATEMENTS), any::<u64>().no_shrink()).prop_map(move |(statements, seed)| {
            let mut random = Rng::with_seed(seed);
            let protocol = random.u8(0..10);
            let mut author = Author { random: &mut random };
            let end = match statements.first() {
                // The reply of a command is returned unchanged.
                Some(first) if protocol > 7 && first.starts_with("s(redis.pcall(") && !first.contains('\n') => {
                    first.replacen("s(", "return (", 1)
                }
                _ => author.end(),
            };
            let text = scripts::script(&statements, &end);
            let text = if protocol < 3 { format!("redis.setresp(3) {text}") } else { text };
            // Some texts are mangled.
            let text = if author.random.u8(0..25) == 0 { author.mangled(&text) } else { text };
            match wanted {
                Wanted::Script => text,
                Wanted::Library(names) => {
                    let number = author.random.usize(0..names.len());
                    let flags = if author.random.u8(0..4) == 0 { "no-writes" } else { "allow-oom" };
                    let registered = format!(
                        "redis.register_function('f{0}',function(KEYS,ARGV) {text}\nend) \
                         redis.register_function{{function_name='g{0}',callback=function(...) {text}\nend,flags={{{1}}}}}",
                        number + 1,
                        quoted(flags.as_bytes()),
                    );
                    format!("#!lua name={}\n{registered}", names[number])
                }
            }
        })
    };
    of(wanted).boxed()
}

/// A script with a first line of its own.
fn flagged() -> BoxedStrategy<String> {
    let line = prop::sample::select(
        &[
            "#!lua",
            "#!lua flags=no-writes",
            "#!lua flags=allow-oom,allow-stale",
            "#!lua flags=",
            "#!lua flags=no-cluster,allow-cross-slot-keys",
            "#!lua flags=x",
            "#!lua name=x",
            "#!py",
            "#!lua  flags=no-writes ",
        ][..],
    );
    (line, text(Wanted::Script)).prop_map(|(line, text)| format!("{line}\n{text}")).boxed()
}
