//! The programs of a simulation, drawn from a seed.
//!
//! Any part of a program is a program: steps can be left out, which is how a failing program is made shorter.

use std::collections::VecDeque;
use std::fmt;

use fastrand::Rng;

use crate::random_requests::Requests;

/// When all programs begin, in microseconds.
pub const START: u64 = 1_000_000_000;

/// How a client behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientOptions {
    pub resp3: bool,
    /// It reads on request, and not at once.
    pub slow: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// A client sends requests in one piece, the last bytes of which arrive later. A client that is not connected
    /// connects first.
    Send { client: usize, requests: Vec<String>, held_up: usize },
    /// What was held up arrives.
    Arrive { client: usize },
    /// A slow client reads all of its output.
    Read { client: usize },
    /// A connection ends, even if something is held up.
    Disconnect { client: usize },
    /// Microseconds pass. If the timer is late, nothing happens by itself until it passes again.
    Pass { micros: u64, late: bool },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    pub clients: Vec<ClientOptions>,
    /// Clients that leave more than 16 KB unread are closed.
    pub output_limit: bool,
    pub steps: Vec<Step>,
}

impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.output_limit {
            writeln!(f, "Who leaves more than 16 KB unread is cut off.")?;
        }
        for (client, options) in self.clients.iter().enumerate() {
            let is_used = self
                .steps
                .iter()
                .any(|step| matches!(step, Step::Send { client: sender, .. } if *sender == client));
            if is_used && (options.resp3 || options.slow) {
                let protocol = if options.resp3 { "uses RESP3" } else { "uses RESP2" };
                let reads = if options.slow { " and reads late" } else { "" };
                writeln!(f, "Client {client} {protocol}{reads}.")?;
            }
        }
        for (number, step) in self.steps.iter().enumerate() {
            writeln!(f, "{number:>4}  {step}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Send { client, requests, held_up } => {
                // The text of a long message does not matter.
                let requests: Vec<_> = requests.iter().map(|request| shortened(request)).collect();
                write!(f, "client {client}: {}", requests.join(" | "))?;
                if *held_up > 0 { write!(f, "    (but the last {held_up} bytes)") } else { Ok(()) }
            }
            Self::Arrive { client } => write!(f, "client {client}: (the rest arrives)"),
            Self::Read { client } => write!(f, "client {client} reads"),
            Self::Disconnect { client } => write!(f, "client {client} disconnects"),
            Self::Pass { micros, late } => {
                let late = if *late { ", but the timer is late" } else { "" };
                write!(f, "{}.{:03} ms pass{late}", micros / 1000, micros % 1000)
            }
        }
    }
}

/// The beginning of a long text.
pub fn shortened(text: &str) -> String {
    const LONG: usize = 300;
    if text.len() <= LONG {
        return text.to_owned();
    }
    format!("{}...({} bytes)", text.chars().take(40).collect::<String>(), text.len())
}

/// What a program is about. Each program has a few themes, so that combinations are frequent.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Theme {
    Strings,
    Expiry,
    Lists,
    SortedSets,
    PubSub,
    Transactions,
    Streams,
    Groups,
    Removal,
    Pause,
    Replies,
    Others,
}

/// Draws a program.
struct Author {
    random: Rng,
    themes: Vec<Theme>,
    clients: usize,
    /// How many keys of each type there are.
    keys: usize,
    /// Some commands are sent to keys of another type.
    mistakes: bool,
    /// Messages are long.
    long: bool,
    /// Ids of entries are given, and not made from the clock.
    ids_given: bool,
    now: u64,
    /// The last number that a message or an element was given; each has its own.
    last: usize,
    /// Ids that entries may have.
    ids: Vec<String>,
    /// The requests that each client will send next, so that transactions are more than MULTI.
    plans: Vec<VecDeque<String>>,
}

impl Program {
    /// The program of a seed. Most are small, one in a thousand has hundreds of clients.
    pub fn draw(seed: u64) -> Self {
        let mut random = Rng::with_seed(seed);
        let (clients, steps) = match random.u32(0..1000) {
            0 => (random.usize(100..400), random.usize(1000..4000)),
            1..20 => (random.usize(8..60), random.usize(100..500)),
            _ => (random.usize(2..9), random.usize(15..60)),
        };
        let options =
            (0..clients).map(|_| ClientOptions { resp3: random.bool(), slow: random.u8(0..5) == 0 });
        // The last client reads what is left at the end.
        let options = options.chain([ClientOptions { resp3: false, slow: false }]).collect();
        let output_limit = random.u8(0..8) == 0;
        let mut author = Author {
            themes: Author::themes(&mut random),
            keys: [1, 1, 2, 3][random.usize(0..4)],
            mistakes: random.u8(0..4) == 0,
            long: output_limit,
            ids_given: random.bool(),
            clients,
            now: START,
            last: 0,
            ids: vec!["0-1".into()],
            plans: vec![VecDeque::new(); clients],
            random,
        };
        let mut all = Vec::with_capacity(steps + 1);
        for _ in 0..steps {
            all.push(author.step());
        }
        all.push(Step::Send { client: clients, requests: author.read_everything(), held_up: 0 });
        Self { clients: options, output_limit, steps: all }
    }
}

impl Requests for Author {
    fn random(&mut self) -> &mut Rng {
        &mut self.random
    }

    fn key(&mut self, letter: char) -> String {
        let wrong = self.mistakes && self.once_in(20);
        let letter = if wrong { self.one_of(&["s", "q", "z", "x"]).to_owned() } else { letter.to_string() };
        format!("{letter}{}", self.random.usize(0..self.keys))
    }

    fn fresh(&mut self, letter: char) -> String {
        self.last += 1;
        let padding = if self.long && self.random.bool() { 3000 } else { 0 };
        format!("{letter}{}{}", self.last, "-".repeat(padding))
    }

    fn timeout(&mut self) -> String {
        match self.random.u8(0..4) {
            0 => "0".into(),
            1 => format!("0.00{}", self.random.u8(1..10)),
            _ => format!("0.0{}", self.random.u8(10..80)),
        }
    }

    fn plain_request(&mut self) -> String {
        let theme = self.theme();
        self.request_of(theme)
    }
}

impl Author {
    fn themes(random: &mut Rng) -> Vec<Theme> {
        const ALL: [Theme; 12] = [
            Theme::Strings,
            Theme::Expiry,
            Theme::Lists,
            Theme::Lists,
            Theme::SortedSets,
            Theme::PubSub,
            Theme::Transactions,
            Theme::Streams,
            Theme::Groups,
            Theme::Removal,
            Theme::Others,
            Theme::Pause,
        ];
        let mut themes: Vec<Theme> = ALL.into_iter().filter(|_| random.u8(0..5) < 2).collect();
        if themes.is_empty() {
            themes.push(Theme::Lists);
        }
        // The reply to EXEC with CLIENT REPLY in the transaction is not defined.
        if !themes.contains(&Theme::Transactions) && random.u8(0..4) == 0 {
            themes.push(Theme::Replies);
        }
        themes
    }

    fn step(&mut self) -> Step {
        let client = self.random.usize(0..self.clients);
        match self.random.u8(0..100) {
            0..3 => Step::Disconnect { client },
            3..9 => Step::Read { client },
            9..15 => Step::Arrive { client },
            15..30 => {
                let micros = match self.random.u8(0..4) {
                    0 => self.random.u64(1..1_000),
                    1 => self.random.u64(1..10) * 1_000,
                    _ => self.random.u64(1_000..60_000),
                };
                self.now += micros;
                Step::Pass { micros, late: self.random.u8(0..4) == 0 }
            }
            _ => {
                let count = if self.random.u8(0..3) == 0 { self.random.usize(2..6) } else { 1 };
                let requests = (0..count).map(|_| self.request(client)).collect();
                let held_up = if self.random.u8(0..6) == 0 { self.random.usize(1..40) } else { 0 };
                Step::Send { client, requests, held_up }
            }
        }
    }

    /// The next request of a client.
    fn request(&mut self, client: usize) -> String {
        if let Some(planned) = self.plans[client].pop_front() {
            return planned;
        }
        let theme = self.theme();
        if theme != Theme::Transactions {
            return self.request_of(theme);
        }
        self.plans[client] = self.transaction();
        self.plans[client].pop_front().unwrap_or_default()
    }

    fn theme(&mut self) -> Theme {
        self.themes[self.random.usize(0..self.themes.len())]
    }

    fn millis(&mut self) -> u64 {
        self.random.u64(1..80)
    }

    fn request_of(&mut self, theme: Theme) -> String {
        match theme {
            Theme::Strings => self.string_request(),
            Theme::Expiry => self.expiry_request(),
            // The kinds that the model knows.
            Theme::Lists => self.list_request(|random| random.u8(0..22)),
            Theme::SortedSets => {
                self.sorted_set_request(|random| [0, 1, 2, 3, 4, 7, 9, 17, 18, 19][random.usize(0..10)])
            }
            Theme::PubSub if self.once_in(40) => "UNSUBSCRIBE".into(),
            Theme::PubSub => self.pubsub_request(|random| {
                Some(random.u8(0..22)).filter(|kind| !(11..13).contains(kind)).unwrap_or(13)
            }),
            Theme::Streams => self.stream_request(),
            Theme::Groups => self.group_request(),
            Theme::Removal if self.random.u8(0..6) == 0 => "FLUSHALL".into(),
            Theme::Removal => format!("DEL {}", self.any_keys()),
            Theme::Pause => match self.random.u8(0..6) {
                0 => "CLIENT UNPAUSE".into(),
                1 => format!("CLIENT PAUSE {} {}", self.millis(), self.one_of(&["ALL", "WRITE", "WRITE"])),
                _ => format!("INCR s{}", self.random.usize(0..self.keys)),
            },
            Theme::Replies => format!("CLIENT REPLY {}", self.one_of(&["ON", "ON", "OFF", "SKIP", "SKIP"])),
            Theme::Others => self.other_request(),
            Theme::Transactions => "PING".into(),
        }
    }

    fn string_request(&mut self) -> String {
        let key = self.key('s');
        match self.random.u8(0..10) {
            0..3 => format!("INCR {key}"),
            3..6 => format!("GET {key}"),
            6 => format!("EXISTS {}", self.any_key()),
            _ => format!("SET {key} {}", self.fresh('v')),
        }
    }

    fn expiry_request(&mut self) -> String {
        let millis = self.millis();
        match self.random.u8(0..10) {
            0..4 => format!("PEXPIRE {} {millis}", self.any_key()),
            4..7 => format!("SET {} {} PX {millis}", self.key('s'), self.fresh('v')),
            7 => format!("PTTL {}", self.any_key()),
            8 => format!("EXISTS {}", self.any_key()),
            _ => match self.random.u8(0..4) {
                0 => format!("PEXPIRE {} 0", self.any_key()),
                1 => "SUBSCRIBE __keyevent@0__:expired".into(),
                2 => "PSUBSCRIBE __keyevent@*".into(),
                _ => format!("PERSIST {}", self.any_key()),
            },
        }
    }

    /// The id of an entry that may exist.
    fn id(&mut self) -> String {
        self.ids[self.random.usize(0..self.ids.len())].clone()
    }

    fn new_id(&mut self) -> String {
        const KEPT: usize = 10;
        let id = if self.ids_given {
            self.last += 1;
            format!("{}-{}", self.last, self.random.u8(0..3))
        } else {
            format!("{}-{}", self.now / 1000, self.random.u8(0..6) / 4)
        };
        if self.ids.len() >= KEPT {
            self.ids.remove(0);
        }
        self.ids.push(id.clone());
        match self.random.u8(0..20) {
            0 if self.ids_given => self.id(),
            _ if self.ids_given => id,
            _ => "*".into(),
        }
    }

    fn stream_request(&mut self) -> String {
        let key = self.key('x');
        match self.random.u8(0..20) {
            0..8 => {
                let id = self.new_id();
                let trim = if self.random.u8(0..6) == 0 {
                    format!("MAXLEN {} ", self.small())
                } else {
                    String::new()
                };
                format!("XADD {key} {trim}{id} f {}", self.fresh('e'))
            }
            8..15 => {
                let mut keys = vec![key];
                if self.random.u8(0..4) == 0 {
                    keys.push(self.key('x'));
                }
                let ids: Vec<String> =
                    keys.iter().map(|_| if self.random.bool() { "$".into() } else { self.id() }).collect();
                let count = if self.random.u8(0..3) == 0 { "COUNT 2 " } else { "" };
                let block = match self.random.u8(0..4) {
                    0 => String::new(),
                    1 => "BLOCK 0 ".into(),
                    _ => format!("BLOCK {} ", self.millis()),
                };
                format!("XREAD {count}{block}STREAMS {} {}", keys.join(" "), ids.join(" "))
            }
            15 => format!("XDEL {key} {}", self.id()),
            16 => format!("XLEN {key}"),
            _ => format!("XRANGE {key} - +"),
        }
    }

    fn group_request(&mut self) -> String {
        let key = self.key('x');
        let group = self.one_of(&["g", "g", "g", "h"]);
        let consumer = self.one_of(&["ann", "bob", "eve"]);
        let idle = if self.random.bool() { 0 } else { self.millis() };
        let just_id = if self.random.u8(0..3) == 0 { " JUSTID" } else { "" };
        match self.random.u8(0..40) {
            0..8 => {
                let id = self.new_id();
                format!("XADD {key} {id} f {}", self.fresh('e'))
            }
            8..12 => {
                let from = self.one_of(&["$", "0"]);
                let make = self.one_of(&["", " MKSTREAM", " MKSTREAM"]);
                format!("XGROUP CREATE {key} {group} {from}{make}")
            }
            12..22 => {
                let count = self.one_of(&["", "COUNT 1 ", "COUNT 2 "]);
                let no_ack = if self.random.u8(0..8) == 0 { "NOACK " } else { "" };
                let block = match self.random.u8(0..4) {
                    0 => String::new(),
                    1 => "BLOCK 0 ".into(),
                    _ => format!("BLOCK {} ", self.millis()),
                };
                format!("XREADGROUP GROUP {group} {consumer} {count}{block}{no_ack}STREAMS {key} >")
            }
            22..25 => format!("XREADGROUP GROUP {group} {consumer} STREAMS {key} 0"),
            25..29 => format!("XACK {key} {group} {} {}", self.id(), self.id()),
            29 => format!("XPENDING {key} {group}"),
            30 => format!("XPENDING {key} {group} - + {}", self.small()),
            31 => format!("XPENDING {key} {group} IDLE {idle} - + 10"),
            32 => format!("XPENDING {key} {group} - + 10 {consumer}"),
            33..35 => {
                let ids = format!("{} {}", self.id(), self.id());
                format!("XCLAIM {key} {group} {consumer} {idle} {ids}{just_id}")
            }
            35..37 => {
                let from = if self.random.bool() { "0".into() } else { self.id() };
                format!("XAUTOCLAIM {key} {group} {consumer} {idle} {from} COUNT {}{just_id}", self.small())
            }
            37 => format!("XDEL {key} {}", self.id()),
            38 => format!("XGROUP DELCONSUMER {key} {group} {consumer}"),
            _ => format!("XGROUP DESTROY {key} {group}"),
        }
    }

    /// Requests that concern other clients, and requests that are refused.
    fn other_request(&mut self) -> String {
        let id = self.random.usize(1..self.clients + 3);
        match self.random.u8(0..10) {
            0..3 => format!("CLIENT UNBLOCK {id} {}", self.one_of(&["TIMEOUT", "ERROR"])),
            3 => format!("CLIENT KILL ID {id}"),
            4 => "NOSUCH".into(),
            5 => "GET".into(),
            6 => self.one_of(&["QUIT", "RESET", "DISCARD", "EXEC"]).into(),
            _ => "PING".into(),
        }
    }

    /// Reads all keys.
    fn read_everything(&self) -> Vec<String> {
        let mut requests = Vec::new();
        for key in 0..self.keys {
            for read in ["GET s#", "LRANGE q# 0 -1", "XRANGE x# - +", "ZPOPMIN z#", "ZPOPMIN z#", "PTTL s#"] {
                requests.push(read.replace('#', &key.to_string()));
            }
        }
        requests
    }
}
