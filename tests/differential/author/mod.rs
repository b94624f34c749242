//! Generates programs from a seed.

mod scripts;
mod streams;
mod tracking;

use std::collections::{HashSet, VecDeque};

use fastrand::Rng;

use crate::program::{Program, Step, is_array};
use crate::random_requests::Requests;

/// What a program is about. Each program has a few themes, so that combinations are frequent.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Theme {
    Strings,
    Expiry,
    Lists,
    SortedSets,
    PubSub,
    Shards,
    Notifications,
    Transactions,
    Streams,
    Groups,
    Keys,
    Databases,
    Connections,
    Unblocking,
    Pause,
    Replies,
    Mistakes,
    OtherTypes,
    Scripts,
    Tracking,
}

/// The themes that are drawn from; one that is listed twice is drawn twice as often.
const THEMES: [Theme; 31] = [
    Theme::Strings,
    Theme::Expiry,
    Theme::Expiry,
    Theme::Lists,
    Theme::Lists,
    Theme::Lists,
    Theme::SortedSets,
    Theme::SortedSets,
    Theme::PubSub,
    Theme::PubSub,
    Theme::Shards,
    Theme::Notifications,
    Theme::Transactions,
    Theme::Transactions,
    Theme::Streams,
    Theme::Streams,
    Theme::Groups,
    Theme::Groups,
    Theme::Keys,
    Theme::Databases,
    Theme::Connections,
    Theme::Unblocking,
    Theme::Mistakes,
    Theme::OtherTypes,
    Theme::Scripts,
    Theme::Scripts,
    Theme::Scripts,
    Theme::Scripts,
    Theme::Tracking,
    Theme::Tracking,
    Theme::Tracking,
];

/// One in this many programs depends on time; such a program takes much longer.
const TIMED_ONE_IN: u32 = 5;
/// The most slots that pass in a program.
const SLOTS: u64 = 8;

// The bools are independent of each other.
#[allow(clippy::struct_excessive_bools)]
struct Author {
    random: Rng,
    themes: Vec<Theme>,
    clients: usize,
    /// How many keys of each type there are.
    keys: usize,
    /// All types have the same keys.
    shared: bool,
    /// One client subscribes to keyspace events.
    listens: bool,
    /// Ids of entries are given, and not made from the clock.
    ids_given: bool,
    timed: bool,
    now: u64,
    /// The slots that are the deadline of something already.
    taken: HashSet<u64>,
    /// The last number that a message or an element was given; each has its own.
    last: usize,
    /// Ids that entries may have.
    ids: Vec<String>,
    /// The requests that each client will send next, so that transactions are more than MULTI.
    plans: Vec<VecDeque<String>>,
    /// The clients that may be in a transaction.
    in_transaction: Vec<bool>,
    /// Scripts that may be loaded, and whether functions may be.
    scripts: Vec<&'static str>,
    functions: bool,
    /// The slot until which writes may have to wait, and the clients that have sent something until then.
    paused_until: u64,
    waiting: HashSet<usize>,
}

impl Program {
    /// The program of a seed.
    pub fn draw(seed: u64) -> Self {
        let mut random = Rng::with_seed(seed);
        let clients = random.usize(2..6);
        let timed = random.u32(0..TIMED_ONE_IN) == 0;
        let themes = themes(&mut random, timed);
        let mut author = Author {
            listens: themes.contains(&Theme::Notifications) || random.bool(),
            themes,
            keys: [1, 1, 2, 3][random.usize(0..4)],
            shared: random.u8(0..3) == 0,
            // Ids made from the clock would need more time than there is between two deadlines.
            ids_given: timed || random.u8(0..3) > 0,
            timed,
            clients,
            now: 0,
            taken: HashSet::new(),
            last: 0,
            ids: vec!["0-1".into()],
            plans: vec![VecDeque::new(); clients],
            in_transaction: vec![false; clients],
            scripts: Vec::new(),
            functions: false,
            paused_until: 0,
            waiting: HashSet::new(),
            random,
        };
        let mut steps = author.hellos();
        for _ in 0..author.random.usize(10..30) {
            let step = author.step();
            steps.push(step);
        }
        if timed {
            // The last deadline passes.
            steps.push(Step::Pass { slots: SLOTS.saturating_sub(author.now).clamp(1, 2) });
        }
        steps.push(Step::Send { client: clients, requests: author.read_everything(), held_up: 0 });
        Self { clients: clients + 1, steps }
    }
}

fn themes(random: &mut Rng, timed: bool) -> Vec<Theme> {
    let count = random.usize(1..6);
    let mut themes: Vec<Theme> = (0..count).map(|_| THEMES[random.usize(0..THEMES.len())]).collect();
    if timed {
        // It is not known to the millisecond when a key expires that was set after a pause.
        let theme = if random.u8(0..5) == 0 { Theme::Pause } else { Theme::Expiry };
        themes.push(theme);
        if theme == Theme::Pause {
            // client, "requests behind those that a PAUSE delays": a broker runs such a request when all delayed ones
            // have run. No client may wait for something else and send more.
            themes.retain(|theme| {
                matches!(
                    theme,
                    Theme::Pause
                        | Theme::Strings
                        | Theme::PubSub
                        | Theme::Keys
                        | Theme::OtherTypes
                        | Theme::Scripts
                )
            });
        }
    } else {
        themes.retain(|theme| *theme != Theme::Expiry);
    }
    if themes.is_empty() {
        themes.push(Theme::Lists);
    }
    // The reply to EXEC with CLIENT REPLY in the transaction is not defined.
    if !themes.contains(&Theme::Transactions) && random.u8(0..8) == 0 {
        themes.push(Theme::Replies);
    }
    themes
}

impl Requests for Author {
    fn random(&mut self) -> &mut Rng {
        &mut self.random
    }

    fn key(&mut self, letter: char) -> String {
        let letter = if self.shared {
            "k".to_owned()
        } else if self.once_in(60) {
            self.one_of(&["s", "q", "z", "x"]).to_owned()
        } else {
            letter.to_string()
        };
        format!("{letter}{}", self.random.usize(0..self.keys))
    }

    fn fresh(&mut self, letter: char) -> String {
        self.last += 1;
        format!("{letter}{}", self.last)
    }

    fn timeout(&mut self) -> String {
        if self.timed && self.random.u8(0..3) > 0 {
            format!("{{s:{}}}", self.slot())
        } else {
            self.one_of(&["0", "0", "0", "100", "99.5"]).into()
        }
    }

    fn plain_request(&mut self) -> String {
        let theme = self.theme();
        self.request_of(theme)
    }

    fn other_list_request(&mut self, kind: u8, key: &str, letter: &str) -> Option<String> {
        Some(match kind {
            19 => format!("RPOPLPUSH {key} {}", self.key('q')),
            20 => format!("BRPOPLPUSH {key} {} {}", self.key('q'), self.timeout()),
            21 => format!("{letter}PUSHX {key} {}", self.fresh('i')),
            22 => {
                // lists, "lists that are watched": for Valkey, a trim that removes nothing is not a change.
                let is_seen =
                    [Theme::Transactions, Theme::Tracking].iter().any(|theme| self.themes.contains(theme));
                let kept = usize::from(!is_seen);
                format!("LTRIM {key} {} {}", self.small() - kept, self.one_of(&["-1", "1", "0"]))
            }
            23 => match self.random.u8(0..3) {
                0 => {
                    let pivot = self.last;
                    format!("LINSERT {key} BEFORE i{pivot} {}", self.fresh('i'))
                }
                1 => format!("LREM {key} 0 i{}", self.last),
                _ => format!("LSET {key} 0 {}", self.fresh('i')),
            },
            _ => return None,
        })
    }
}

impl Author {
    /// The first requests of clients.
    fn hellos(&mut self) -> Vec<Step> {
        let mut steps = Vec::new();
        for client in 0..self.clients {
            match self.random.u8(0..6) {
                0..3 => steps.push(Step::Send { client, requests: vec!["HELLO 3".into()], held_up: 0 }),
                3 => steps.push(Step::Send { client, requests: vec!["HELLO 2".into()], held_up: 0 }),
                _ => {}
            }
        }
        steps
    }

    fn step(&mut self) -> Step {
        let client = self.random.usize(0..self.clients);
        match self.random.u8(0..100) {
            0..3 => Step::Disconnect { client },
            3..8 => Step::Arrive { client },
            8..22 if self.timed && self.now < SLOTS => {
                let slots = self.random.u64(1..3);
                self.now += slots;
                Step::Pass { slots }
            }
            _ => {
                let pauses = self.themes.contains(&Theme::Pause);
                if pauses && self.now < self.paused_until && !self.waiting.insert(client) {
                    let slots = self.paused_until - self.now;
                    self.now += slots;
                    self.waiting.clear();
                    return Step::Pass { slots };
                }
                let count = if self.random.u8(0..3) == 0 && !pauses { self.random.usize(2..5) } else { 1 };
                let requests: Vec<String> = (0..count).map(|_| self.request(client)).collect();
                // Ids of clients have different numbers of digits on different servers.
                let may_be_cut = !pauses && !requests.iter().any(|request| request.contains("{id:"));
                let held_up = if may_be_cut && self.once_in(10) { self.random.usize(1..40) } else { 0 };
                Step::Send { client, requests, held_up }
            }
        }
    }

    /// The next request of a client.
    fn request(&mut self, client: usize) -> String {
        let request = self.any_request(client);
        let request = self.with_flushes_at_once(request);
        // A hash table decides which confirmation comes first if a client unsubscribes from everything, and only that one
        // is part of the answer of EXEC; it also decides the order of channels.
        let has_any_order = request.ends_with("UNSUBSCRIBE") || request.contains("CHANNELS");
        if self.in_transaction[client] && has_any_order {
            return "PING".into();
        }
        match request.trim_start_matches("inline:").to_uppercase().as_str() {
            "MULTI" => self.in_transaction[client] = true,
            "EXEC" | "DISCARD" | "RESET" => self.in_transaction[client] = false,
            _ => {}
        }
        request
    }

    fn any_request(&mut self, client: usize) -> String {
        if let Some(planned) = self.plans[client].pop_front() {
            return planned;
        }
        let theme = self.theme();
        let request = if theme == Theme::Transactions {
            self.plans[client] = self.transaction();
            self.plans[client].pop_front().unwrap_or_default()
        } else {
            self.request_of(theme)
        };
        // Texts have quotes and line ends.
        let is_text = ["\"\"", "{script:", "{library:"].iter().any(|text| request.contains(text));
        let may_be_inline = !request.is_empty() && !is_text && is_array(&request);
        if may_be_inline && self.once_in(40) { format!("inline:{request}") } else { request }
    }

    fn theme(&mut self) -> Theme {
        self.themes[self.random.usize(0..self.themes.len())]
    }

    /// A slot at which nothing else is due.
    fn slot(&mut self) -> u64 {
        let mut slot = self.now + self.random.u64(1..6);
        while !self.taken.insert(slot) {
            slot += 1;
        }
        slot
    }

    /// How many milliseconds something lasts.
    fn millis(&mut self) -> String {
        if self.timed && self.random.u8(0..4) > 0 { format!("{{ms:{}}}", self.slot()) } else { self.far() }
    }

    /// A number of milliseconds that ends after the program. No two are the same, so that it is clear which is longer.
    fn far(&mut self) -> String {
        self.last += 1;
        format!("{}500", 100 + self.last)
    }

    fn request_of(&mut self, theme: Theme) -> String {
        match theme {
            Theme::Strings => self.string_request(),
            Theme::Expiry => self.expiry_request(),
            Theme::Lists => self.list_request(|random| random.u8(0..26)),
            Theme::SortedSets => self.sorted_set_request(|random| random.u8(0..20)),
            Theme::PubSub => self.pubsub_request(|random| random.u8(0..24)),
            Theme::Shards => self.shard_request(),
            Theme::Notifications => self.notification_request(),
            Theme::Streams => self.stream_request(),
            Theme::Groups => self.group_request(),
            Theme::Keys => self.key_request(),
            Theme::Databases => self.database_request(),
            Theme::Connections => self.connection_request(),
            Theme::Unblocking => self.unblocking_request(),
            Theme::Pause => self.pause_request(),
            Theme::Replies => format!("CLIENT REPLY {}", self.one_of(&["ON", "ON", "OFF", "SKIP", "SKIP"])),
            Theme::Mistakes => self.mistake(),
            Theme::OtherTypes => self.other_type_request(),
            Theme::Scripts => self.script_request(),
            Theme::Tracking => self.tracking_request(),
            Theme::Transactions => "PING".into(),
        }
    }

    fn string_request(&mut self) -> String {
        let key = self.key('s');
        match self.random.u8(0..16) {
            0..3 => format!("INCR {key}"),
            3..6 => format!("GET {key}"),
            6 => format!("EXISTS {}", self.any_keys()),
            7 => format!("APPEND {key} {}", self.fresh('v')),
            8 => format!("GETSET {key} {}", self.fresh('v')),
            9 => format!("GETDEL {key}"),
            10 => format!(
                "SET {key} {} {}",
                self.fresh('v'),
                self.one_of(&["NX", "XX", "GET", "KEEPTTL", "NX GET"])
            ),
            11 => format!("MSET {key} {} {} {}", self.fresh('v'), self.key('s'), self.fresh('v')),
            12 => format!("DECRBY {key} {}", self.small()),
            13 => format!("MGET {}", self.any_keys()),
            _ => format!("SET {key} {}", self.fresh('v')),
        }
    }

    fn expiry_request(&mut self) -> String {
        let millis = self.millis();
        match self.random.u8(0..20) {
            0..5 => format!("PEXPIRE {} {millis}", self.any_key()),
            // Two times are compared only if they are far away: a request that had to wait runs late.
            5 => format!("PEXPIRE {} {millis} {}", self.any_key(), self.one_of(&["NX", "XX"])),
            6..10 => format!("SET {} {} PX {millis}", self.key('s'), self.fresh('v')),
            10 => format!("PSETEX {} {millis} {}", self.key('s'), self.fresh('v')),
            11 => format!("GETEX {} PX {millis}", self.key('s')),
            12 => format!("GETEX {} PERSIST", self.key('s')),
            13 => format!("PEXPIRE {} {}", self.any_key(), self.far()),
            14 => format!("EXISTS {}", self.any_key()),
            15 => format!("SET {} {} KEEPTTL", self.key('s'), self.fresh('v')),
            16 if self.listens => self.notification_request(),
            // pubsub, "keyspace notifications": Valkey publishes expired, not del, for a deadline in the past.
            17 if !self.listens && !self.themes.contains(&Theme::PubSub) => {
                format!("PEXPIRE {} {}", self.any_key(), self.one_of(&["0", "-1"]))
            }
            18 => {
                let far = self.far();
                format!("PEXPIRE {} {far} {}", self.any_key(), self.one_of(&["NX", "XX", "GT", "LT"]))
            }
            _ => format!("PERSIST {}", self.any_key()),
        }
    }

    fn shard_request(&mut self) -> String {
        const CHANNELS: [&str; 4] = ["chat.1", "room", "chat.2", "room chat.1"];
        match self.random.u8(0..12) {
            0..4 => format!("SSUBSCRIBE {}", self.one_of(&CHANNELS)),
            4 => format!("SUNSUBSCRIBE {}", self.one_of(&CHANNELS)),
            5 => "SUNSUBSCRIBE".into(),
            6 => format!("PUBSUB SHARDNUMSUB {}", self.one_of(&["chat.1 room", "none"])),
            7 => "PUBSUB SHARDCHANNELS".into(),
            _ => format!("SPUBLISH {} {}", self.one_of(&CHANNELS[..3]), self.fresh('m')),
        }
    }

    fn notification_request(&mut self) -> String {
        let key = self.any_key();
        match self.random.u8(0..8) {
            0 => format!("SUBSCRIBE __keyspace@0__:{key}"),
            1 => "SUBSCRIBE __keyevent@0__:expired __keyevent@0__:del".into(),
            2 => "PSUBSCRIBE __keyspace@*".into(),
            3 => "PUNSUBSCRIBE".into(),
            4 => "PSUBSCRIBE __key*".into(),
            _ => "PSUBSCRIBE __keyevent@*".into(),
        }
    }

    fn key_request(&mut self) -> String {
        let key = self.any_key();
        match self.random.u8(0..12) {
            0..3 => format!("DEL {}", self.any_keys()),
            3 => format!("UNLINK {key}"),
            4..6 => format!("RENAME {key} {}", self.any_key()),
            6 => format!("RENAMENX {key} {}", self.any_key()),
            7..9 => format!("COPY {key} {} {}", self.any_key(), self.one_of(&["REPLACE", "REPLACE", "DB 1"])),
            9 => format!("TYPE {key}"),
            10 => format!("TOUCH {}", self.any_keys()),
            _ => self.one_of(&["FLUSHALL", "FLUSHDB", "DBSIZE", "FLUSHALL ASYNC"]).into(),
        }
    }

    fn database_request(&mut self) -> String {
        let key = self.any_key();
        match self.random.u8(0..12) {
            0..4 => format!("SELECT {}", self.random.u8(0..2)),
            4 => format!("MOVE {key} {}", self.random.u8(0..2)),
            5..7 if self.may_swap() => "SWAPDB 0 1".into(),
            7 => format!("COPY {key} {} DB {} REPLACE", self.any_key(), self.random.u8(0..2)),
            8 => self.one_of(&["FLUSHALL", "FLUSHDB", "FLUSHDB ASYNC", "SWAPDB 0 0", "SWAPDB 1 99"]).into(),
            9 => "DBSIZE".into(),
            10 => self.one_of(&["SELECT 15", "SELECT 16", "SELECT x", "MOVE s0 0", "MOVE s0 99"]).into(),
            _ => format!("SET {} {}", self.key('s'), self.fresh('v')),
        }
    }

    /// SWAPDB makes several keys ready at once, in the order of a hash table.
    fn may_swap(&self) -> bool {
        let waits = |theme: &Theme| {
            let waiting = [Theme::Lists, Theme::SortedSets, Theme::Streams, Theme::Groups, Theme::Unblocking];
            waiting.contains(theme)
        };
        self.shared && self.keys == 1 || !self.themes.iter().any(waits)
    }

    fn connection_request(&mut self) -> String {
        match self.random.u8(0..16) {
            0 => "RESET".into(),
            // A client that quits without an answer is closed when something is written to it, which it does not receive.
            1 if !self.themes.contains(&Theme::Replies) => self.one_of(&["QUIT", "QUIT now"]).into(),
            2..4 => format!("HELLO {}", self.one_of(&["2", "3", "3 SETNAME ann", "4", "1"])),
            4 => format!("CLIENT SETNAME {}", self.one_of(&["ann", "bob", "\"\""])),
            5 => "CLIENT GETNAME".into(),
            6 => format!("CLIENT NO-EVICT {}", self.one_of(&["ON", "OFF", "x"])),
            7 => "CLIENT REPLY ON".into(),
            8 => self.one_of(&["HELLO", "HELLO x", "HELLO 3 SETNAME", "HELLO 2 AUTH x"]).into(),
            9 => format!("CLIENT KILL ID {}", self.id_of_client()),
            10 => format!("ECHO {}", self.fresh('e')),
            11 => self.one_of(&["AUTH x", "AUTH default x", "CLIENT SETNAME x\u{7f}y", "SELECT 0"]).into(),
            _ => "PING".into(),
        }
    }

    fn id_of_client(&mut self) -> String {
        format!("{{id:{}}}", self.random.usize(0..self.clients))
    }

    fn unblocking_request(&mut self) -> String {
        let id = self.id_of_client();
        match self.random.u8(0..8) {
            0..3 => format!("CLIENT UNBLOCK {id}"),
            3..5 => format!("CLIENT UNBLOCK {id} ERROR"),
            5 => format!("CLIENT UNBLOCK {id} TIMEOUT"),
            6 => format!("BLPOP {} 0", self.keys('q')),
            _ => format!("XREAD BLOCK 0 STREAMS {} $", self.key('x')),
        }
    }

    fn pause_request(&mut self) -> String {
        match self.random.u8(0..6) {
            0 => "CLIENT UNPAUSE".into(),
            1..3 => {
                let slot = self.slot();
                self.paused_until = self.paused_until.max(slot);
                format!("CLIENT PAUSE {{ms:{slot}}} WRITE")
            }
            _ => format!("INCR {}", self.key('s')),
        }
    }

    /// A request that is refused.
    fn mistake(&mut self) -> String {
        let key = self.any_key();
        match self.random.u8(0..30) {
            0 => "NOSUCH".into(),
            1 => format!("nosuch {key} \"\""),
            2 => "GET".into(),
            3 => format!("LPUSH {key}"),
            4 => format!("BLPOP {key}"),
            5 => format!("BLPOP {key} {}", self.one_of(&["x", "-1", "nan", "\"\"", "1e400"])),
            6 => format!("LPOP {key} {}", self.one_of(&["x", "-1", "0", "1 2"])),
            7 => format!(
                "SET {key} v {}",
                self.one_of(&["EX 0", "EX x", "PX -1", "NX XX", "KEEPTTL EX 5", "FOO"])
            ),
            8 => self.one_of(&["EXEC", "DISCARD", "UNWATCH", "MULTI", "WATCH", "MULTI x"]).into(),
            9 => format!("INCRBY {key} {}", self.one_of(&["x", "9223372036854775807", "1.5"])),
            10 => format!("ZADD {key} {}", self.one_of(&["x p", "1", "NX XX 1 p", "nan p", "1 p 2"])),
            11 => format!("BZPOPMIN {key} x"),
            12 => {
                format!("BLMPOP 0 {} {key} {}", self.one_of(&["0", "x", "2"]), self.one_of(&["LEFT", "UP"]))
            }
            13 => format!("BLMOVE {key} {key} {} LEFT 0", self.one_of(&["LEFT", "UP"])),
            14 => self
                .one_of(&["SUBSCRIBE", "PSUBSCRIBE", "PUBLISH a", "SSUBSCRIBE", "PUBSUB", "PUBSUB NOSUCH"])
                .into(),
            15 => self
                .one_of(&[
                    "CLIENT",
                    "CLIENT NOSUCH",
                    "CLIENT UNBLOCK x",
                    "CLIENT UNBLOCK 1 x",
                    "CLIENT KILL ID 0",
                ])
                .into(),
            16 => format!(
                "XADD {key} {}",
                self.one_of(&["x f v", "* f", "0-0 f v", "5-5", "1-1 f v", "-1 f v"])
            ),
            17 => format!(
                "XREAD {}",
                self.one_of(&[
                    "STREAMS x0",
                    "BLOCK x STREAMS x0 0",
                    "BLOCK -1 STREAMS x0 0",
                    "COUNT x STREAMS x0 0",
                    "STREAMS x0 x",
                    "BLOCK 0 STREAMS x0 >"
                ])
            ),
            18 => format!(
                "XREADGROUP {}",
                self.one_of(&[
                    "GROUP g",
                    "GROUP g c STREAMS x0",
                    "GROUP g c STREAMS x0 $",
                    "GROUP none c STREAMS x0 >",
                    "STREAMS x0 >",
                    "GROUP g c BLOCK x STREAMS x0 >"
                ])
            ),
            19 => format!(
                "XGROUP {}",
                self.one_of(&[
                    "CREATE x0 g",
                    "CREATE x0 g x",
                    "CREATE none g $",
                    "NOSUCH",
                    "DESTROY x0",
                    "SETID x0 none 0"
                ])
            ),
            20 => {
                format!("EXPIRE {key} {}", self.one_of(&["x", "100 FOO", "100 NX XX", "9223372036854775807"]))
            }
            21 => format!("COPY {key} {key}"),
            22 => format!("RENAME {key} {key}"),
            23 => format!("WATCH {key}"),
            // client, "an empty request behind REPLY SKIP": Valkey suppresses the answer although there is none.
            24 if !self.themes.contains(&Theme::Replies) => {
                self.one_of(&["raw:\\r\\n", "raw:*-5\\r\\n*0\\r\\nPING\\r\\n"]).into()
            }
            25 if self.once_in(3) => self
                .one_of(&[
                    "raw:*1\\r\\n$x\\r\\n",
                    "raw:*x\\r\\n",
                    "raw:*2\\r\\n$3\\r\\nGET\\r\\n!1\\r\\n",
                    "raw:*1\\r\\n$-5\\r\\n",
                    "raw:GET \"x\\r\\n",
                    "raw:*1048577\\r\\n",
                    "raw:*99999999999\\r\\n",
                ])
                .into(),
            26 => "inline:PING  hello".into(),
            27 => "inline:set s0 \"a b\"".into(),
            28 => self.one_of(&["get s0", "Ping", "lpush q0 x", "mUlTi", "exec"]).into(),
            _ => "PING a b".into(),
        }
    }

    /// A request to a value that may be of another type than the others.
    fn other_type_request(&mut self) -> String {
        let key = self.any_key();
        match self.random.u8(0..10) {
            0 => format!("HSET {key} f {}", self.fresh('v')),
            1 => format!("SADD {key} m"),
            2 => format!("SREM {key} m"),
            3 => format!("HGET {key} f"),
            4 => format!("HDEL {key} f"),
            5 => format!("SET {key} {}", self.fresh('v')),
            6 => format!("RPUSH {key} {}", self.fresh('i')),
            7 => format!("ZADD {key} 1 p1"),
            8 => self.add(&key),
            _ => format!("DEL {key}"),
        }
    }

    /// Reads all keys.
    fn read_everything(&self) -> Vec<String> {
        let letters: &[char] = if self.shared { &['k'] } else { &['s', 'q', 'z', 'x'] };
        let mut requests = Vec::new();
        for database in 0..2 {
            if database == 1 {
                let others = [Theme::Databases, Theme::Keys, Theme::Scripts];
                if !others.iter().any(|theme| self.themes.contains(theme)) {
                    break;
                }
                requests.push("SELECT 1".into());
            }
            requests.push("DBSIZE".into());
            for key in 0..self.keys {
                for letter in letters {
                    let reads: &[&str] = match letter {
                        's' => &["GET", "TYPE"],
                        'q' => &["LRANGE # 0 -1"],
                        'z' => &["ZRANGE # 0 -1 WITHSCORES"],
                        'x' => &["XRANGE # - +", "XINFO GROUPS #", "XPENDING # g", "XPENDING # g - + 20"],
                        _ => &["TYPE", "GET", "LRANGE # 0 -1", "ZRANGE # 0 -1 WITHSCORES", "XRANGE # - +"],
                    };
                    let key = format!("{letter}{key}");
                    requests.extend(reads.iter().map(|read| {
                        if read.contains('#') { read.replace('#', &key) } else { format!("{read} {key}") }
                    }));
                }
            }
        }
        if self.themes.contains(&Theme::PubSub) {
            requests.push("PUBSUB NUMSUB chat.1 chat.2 room".into());
            requests.push("PUBSUB NUMPAT".into());
        }
        if self.themes.contains(&Theme::Scripts) {
            requests.extend(Self::read_scripts());
        }
        requests
    }
}
