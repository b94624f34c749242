//! Commands generated from bytes, by the syntax in the command table: most are well-formed, many nearly so.

use minibroker::internal::data::dump::signed;
use minibroker::internal::spec::syntax::{Argument, Kind, parse};
use minibroker::internal::spec::{Command, Group, Run};
use minibroker::internal::table::TABLE;

/// The source of choices. When the bytes are used up, every further choice is the first one, so that optional and
/// repeated parts end.
pub struct Choices<'a> {
    bytes: std::slice::Iter<'a, u8>,
}

impl<'a> Choices<'a> {
    /// Choices that follow from these bytes.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes: bytes.iter() }
    }

    fn next(&mut self) -> usize {
        self.bytes.next().map_or(0, |byte| usize::from(*byte))
    }

    fn of<'t, T: ?Sized>(&mut self, from: &[&'t T]) -> &'t T {
        from[self.next() % from.len()]
    }
}

const INTEGERS: [&str; 12] =
    ["0", "1", "2", "3", "10", "-1", "-2", "100", "9223372036854775807", "-9223372036854775808", "x", ""];
const DOUBLES: [&str; 10] = ["0", "1", "0.01", "3.0", "-1", "1e300", "inf", "-inf", "nan", "x"];
const PATTERNS: [&str; 8] = ["*", "chat*", "?ist:*", "[a-m]*", "*[^0]", "news", "", "\\*"];
/// Times around the beginning of the engine's runs, in seconds and milliseconds.
const TIMES: [&str; 8] =
    ["1700000001", "1700000100", "1700000001000", "1700000100000", "1", "0", "-1", "9223372036854775807"];
const IDS: [&str; 12] = [
    "*",
    "0",
    "0-0",
    "1-1",
    "1-*",
    "$",
    ">",
    "-",
    "+",
    "(1-1",
    "5",
    "18446744073709551615-18446744073709551615",
];
const BOUNDS: [&str; 12] = ["0", "-1", "-inf", "+inf", "(1", "1", "-", "+", "[a", "(b", "2", "[c"];
/// Offsets of bits and bytes; the last is beyond the maximum length of a string in the engine's runs.
const OFFSETS: [&str; 10] = ["0", "1", "7", "8", "100", "4096", "#0", "#3", "524287", "9223372036854775807"];
/// The types of BITFIELD.
const ENCODINGS: [&str; 7] = ["u8", "i8", "u1", "i64", "u63", "i5", "u64"];
/// Far apart, close together, and out of range.
const LONGITUDES: [&str; 7] = ["13.361389", "15.087269", "0", "-180", "180", "-166.638611", "181"];
const LATITUDES: [&str; 7] =
    ["38.115556", "37.502669", "0", "-85.05112878", "85.05112878", "-38.115556", "86"];
/// The sizes of a search.
const SIZES: [&str; 6] = ["200", "0", "1", "20000", "1e300", "-1"];
const GROUPS: [&str; 2] = ["workers", "others"];
const CONSUMERS: [&str; 2] = ["one", "two"];
/// The subcommands of PFDEBUG.
const SUBCOMMANDS: [&str; 4] = ["GETREG", "DECODE", "ENCODING", "TODENSE"];
/// Subcommands of DEBUG, which are not in the table.
const DEBUGGED: [&str; 8] = [
    "SLEEP 0.01",
    "SET-ACTIVE-EXPIRE 0",
    "SET-ACTIVE-EXPIRE 1",
    "OBJECT hash:0",
    "LISTPACK zset:0",
    "QUICKLIST-PACKED-THRESHOLD 10",
    "PROTOCOL attrib",
    "RELOAD",
];
const CHANNELS: [&str; 3] = ["chat", "news", ""];
const PARAMETERS: [&str; 10] = [
    "timeout",
    "maxclients",
    "notify-keyspace-events",
    "requirepass",
    "client-output-buffer-limit",
    "list-max-listpack-size",
    "hash-max-listpack-entries",
    "zset-max-listpack-entries",
    "set-max-intset-entries",
    "*",
];
const TEXTS: [&[u8]; 16] = [
    b"a",
    b"b",
    b"c",
    b"1",
    b"10",
    b"-3",
    b"2.5",
    b"",
    b"hello",
    b"KEA",
    b"\xff\0\r\n$3\r\n",
    b"yes",
    b"normal 200 100 1",
    // A counter without elements, and a broken one.
    b"HYLL\x01\0\0\0\0\0\0\0\0\0\0\0\x7f\xff",
    b"HYLL\x01\0\0\0\0\0\0\0\0\0\0\x80\x83\x40",
    b"a text that is longer than sixty-four bytes, so that no compact encoding takes it in",
];

/// Values of all types as DUMP writes them, and a truncated one.
fn payload(choices: &mut Choices<'_>) -> Vec<u8> {
    const VALUES: [&[u8]; 9] = [
        include_bytes!("../seeds/restore/strings_1"),
        include_bytes!("../seeds/restore/lists_1"),
        include_bytes!("../seeds/restore/sets_1"),
        include_bytes!("../seeds/restore/hashes_1"),
        include_bytes!("../seeds/restore/expiring_1"),
        include_bytes!("../seeds/restore/expiring_of_valkey"),
        include_bytes!("../seeds/restore/sorted_sets_1"),
        include_bytes!("../seeds/restore/streams_1"),
        b"\x01",
    ];
    signed(VALUES[choices.next() % VALUES.len()].to_vec())
}

/// A command with its arguments.
#[must_use]
pub fn make(bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut choices = Choices::new(bytes);
    let rows: Vec<&Command> = TABLE.all().iter().filter(|row| !matches!(row.run, Run::Container)).collect();
    // Two bytes, as there may be more than 256 commands.
    let row = rows[(choices.next() * 256 + choices.next()) % rows.len()];
    let mut command = Made { group: row.group, out: Vec::new(), keys: 0, counted: None };
    if let Some(container) = row.container() {
        command.push(container.name);
    }
    command.push(row.name);
    for argument in parse(row.syntax) {
        command.argument(&argument, &mut choices);
    }
    if row.name == "debug" {
        choices.of(&DEBUGGED).split(' ').for_each(|word| command.push(word));
    }
    // Sometimes one argument too many, or one too few.
    match choices.next() % 32 {
        30 => command.push("a"),
        31 => drop(command.out.pop()),
        _ => {}
    }
    command.out
}

/// A command that is being built.
struct Made {
    group: Group,
    out: Vec<Vec<u8>>,
    /// How many keys the last repeated key argument had.
    keys: usize,
    /// The position of the number of keys or fields that follow.
    counted: Option<usize>,
}

impl Made {
    fn push(&mut self, text: impl AsRef<[u8]>) {
        self.out.push(text.as_ref().to_vec());
    }

    fn argument(&mut self, argument: &Argument, choices: &mut Choices<'_>) {
        if argument.optional && choices.next().is_multiple_of(2) {
            return;
        }
        let times = match () {
            () if !argument.multiple => 1,
            // Mostly as many ids as streams.
            () if argument.name == "id" && self.keys > 0 => self.keys,
            () => 1 + choices.next() % 3,
        };
        for time in 0..times {
            if let Some(token) = argument.token
                && (time == 0 || argument.multiple_token)
            {
                self.push(token);
            }
            self.value(argument, choices);
        }
        if argument.kind == Kind::Key && argument.multiple {
            self.keys = times;
        }
        if argument.multiple
            && let Some(index) = self.counted.take()
        {
            self.out[index] = times.to_string().into_bytes();
        }
    }

    fn value(&mut self, argument: &Argument, choices: &mut Choices<'_>) {
        match argument.kind {
            Kind::PureToken => {}
            Kind::Block => {
                for part in &argument.arguments {
                    self.argument(part, choices);
                }
            }
            Kind::OneOf => {
                let which = choices.next() % argument.arguments.len().max(1);
                if let Some(chosen) = argument.arguments.get(which) {
                    self.argument(chosen, choices);
                }
            }
            Kind::Key => self.key(choices),
            Kind::Integer => {
                if matches!(&*argument.name, "numkeys" | "numfields" | "numids")
                    && !choices.next().is_multiple_of(16)
                {
                    self.counted = Some(self.out.len());
                }
                match &*argument.name {
                    "offset" if matches!(self.group, Group::Bitmap | Group::String) => {
                        self.push(choices.of(&OFFSETS));
                    }
                    _ => self.push(choices.of(&INTEGERS)),
                }
            }
            Kind::Double if self.group == Group::Geo => match &*argument.name {
                "longitude" => self.push(choices.of(&LONGITUDES)),
                "latitude" => self.push(choices.of(&LATITUDES)),
                _ => self.push(choices.of(&SIZES)),
            },
            Kind::Double => self.push(choices.of(&DOUBLES)),
            Kind::Pattern => self.push(choices.of(&PATTERNS)),
            Kind::UnixTime => self.push(choices.of(&TIMES)),
            Kind::String => match &*argument.name {
                "id" | "threshold" => self.push(choices.of(&IDS)),
                "start" | "end" | "stop" | "min" | "max" if self.group == Group::Stream => {
                    self.push(choices.of(&IDS));
                }
                "start" | "end" | "stop" | "min" | "max" => self.push(choices.of(&BOUNDS)),
                "encoding" if self.group == Group::Bitmap => self.push(choices.of(&ENCODINGS)),
                "group" => self.push(choices.of(&GROUPS)),
                "consumer" => self.push(choices.of(&CONSUMERS)),
                "serialized-value" => {
                    let payload = payload(choices);
                    self.push(payload);
                }
                "min-idle-time" => self.push(choices.of(&INTEGERS)),
                "subcommand" => self.push(choices.of(&SUBCOMMANDS)),
                "channel" | "shardchannel" => self.push(choices.of(&CHANNELS)),
                "parameter" => self.push(choices.of(&PARAMETERS)),
                _ => self.push(choices.of(&TEXTS)),
            },
        }
    }

    /// A key that mostly has the type that the command works on.
    fn key(&mut self, choices: &mut Choices<'_>) {
        let own = match self.group {
            Group::List => ["list:0", "list:1"],
            Group::Set => ["set:0", "set:1"],
            Group::Hash => ["hash:0", "hash:1"],
            Group::SortedSet => ["zset:0", "zset:1"],
            Group::Geo => ["zset:0", "place:0"],
            Group::Bitmap => ["bits:0", "string:0"],
            Group::HyperLogLog => ["counter:0", "counter:1"],
            Group::Stream => ["stream:0", "stream:1"],
            _ => ["string:0", "string:1"],
        };
        let all = [
            own[0], own[0], own[0], own[1], own[1], "string:0", "list:0", "set:0", "hash:0", "zset:0",
            "stream:0", "",
        ];
        self.push(choices.of(&all));
    }
}
