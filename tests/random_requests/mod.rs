//! Requests that random programs are made of: those of the differential tests, which have every command, and those of
//! the simulation, which have the commands that its model knows.
//!
//! The requests of a theme are numbered, and an author draws from the numbers that it can judge. Another order of draws
//! makes other programs: those of the differential tests are then recorded again.

use std::collections::VecDeque;

use fastrand::Rng;

/// Draws a number of a request.
pub type Kind = fn(&mut Rng) -> u8;

/// Draws requests. The names of keys begin with a letter that says which type they have: `s`, `q`, `z` and `x` for
/// strings, lists, sorted sets and streams.
pub trait Requests {
    fn random(&mut self) -> &mut Rng;

    /// A key of the type of this letter, or now and then of another type.
    fn key(&mut self, letter: char) -> String;

    /// A text that is unique in the program.
    fn fresh(&mut self, letter: char) -> String;

    /// A timeout in seconds.
    fn timeout(&mut self) -> String;

    /// Any request but a transaction.
    fn plain_request(&mut self) -> String;

    fn one_of<'a>(&mut self, words: &[&'a str]) -> &'a str {
        words[self.random().usize(0..words.len())]
    }

    /// True once in `times`.
    fn once_in(&mut self, times: u32) -> bool {
        self.random().u32(0..times) == 0
    }

    fn small(&mut self) -> usize {
        self.random().usize(1..5)
    }

    fn keys(&mut self, letter: char) -> String {
        let mut keys = self.key(letter);
        while self.once_in(4) {
            keys = format!("{keys} {}", self.key(letter));
        }
        keys
    }

    fn any_key(&mut self) -> String {
        let letter = ['s', 'q', 'z', 'x', 'q', 'x'][self.random().usize(0..6)];
        self.key(letter)
    }

    fn any_keys(&mut self) -> String {
        let key = self.any_key();
        if self.random().bool() { format!("{key} {}", self.any_key()) } else { key }
    }

    /// The requests of a transaction, from WATCH to EXEC; some are wrong.
    fn transaction(&mut self) -> VecDeque<String> {
        let mut plan = VecDeque::new();
        if self.random().bool() {
            let keys = self.any_keys();
            plan.push_back(format!("WATCH {keys}"));
        }
        if self.random().u8(0..4) == 0 {
            plan.push_back(self.plain_request());
        }
        plan.push_back("MULTI".into());
        for _ in 0..self.random().usize(0..4) {
            plan.push_back(self.plain_request());
        }
        plan.push_back(self.one_of(&["EXEC", "EXEC", "EXEC", "EXEC", "EXEC", "DISCARD", "UNWATCH"]).into());
        match self.random().u8(0..20) {
            0 => plan.push_back("EXEC".into()),
            1 => plan.push_back("UNWATCH".into()),
            2 => plan.push_front("DISCARD".into()),
            3 => plan.push_back("RESET".into()),
            _ => {}
        }
        plan
    }

    /// A request to a list, of the kinds 0 to 18; any other kind is BLMOVE.
    fn list_request(&mut self, kind: Kind) -> String {
        let key = self.key('q');
        let end = self.one_of(&["LEFT", "RIGHT"]);
        let letter = self.one_of(&["L", "R"]);
        match kind(self.random()) {
            0..6 => {
                let items: Vec<String> = (0..self.small().min(3)).map(|_| self.fresh('i')).collect();
                format!("{letter}PUSH {key} {}", items.join(" "))
            }
            6..11 => format!("B{letter}POP {} {}", self.keys('q'), self.timeout()),
            11 => format!("{letter}POP {key}"),
            12 => format!("{letter}POP {key} {}", self.small()),
            13 => format!("LRANGE {key} 0 -1"),
            14 => format!("LLEN {key}"),
            15 => format!("LMOVE {key} {} {end} {}", self.key('q'), self.one_of(&["LEFT", "RIGHT"])),
            16 => format!("LMPOP 1 {key} {end} COUNT {}", self.small()),
            17..19 => {
                let keys = self.keys('q');
                let count = keys.split(' ').count();
                format!("BLMPOP {} {count} {keys} {end} COUNT {}", self.timeout(), self.small())
            }
            kind => self.other_list_request(kind, &key, letter).unwrap_or_else(|| {
                let to = self.key('q');
                format!("BLMOVE {key} {to} {end} {} {}", self.one_of(&["LEFT", "RIGHT"]), self.timeout())
            }),
        }
    }

    /// A request to a list of a further kind.
    fn other_list_request(&mut self, _kind: u8, _key: &str, _letter: &str) -> Option<String> {
        None
    }

    /// A request to a sorted set, of the kinds 0 to 16; any other kind is BZPOPMIN or BZPOPMAX.
    fn sorted_set_request(&mut self, kind: Kind) -> String {
        let key = self.key('z');
        let edge = self.one_of(&["MIN", "MAX"]);
        let member = self.random().u8(0..5);
        match kind(self.random()) {
            0..6 => format!("ZADD {key} {} p{member}", self.small()),
            6 => {
                let options = self.one_of(&["NX", "XX", "GT", "LT", "CH", "INCR", "XX CH"]);
                format!("ZADD {key} {options} {} p{member}", self.small())
            }
            7 => format!("ZPOP{edge} {key}"),
            8 => format!("ZPOP{edge} {key} {}", self.small()),
            9 => format!("ZCARD {key}"),
            10 => format!("ZRANGE {key} 0 -1 WITHSCORES"),
            11 => format!("ZREM {key} p{member}"),
            12 => format!("ZINCRBY {key} 1.5 p{member}"),
            13 => format!("ZSCORE {key} p{member}"),
            14..16 => {
                let keys = self.keys('z');
                let count = keys.split(' ').count();
                format!("BZMPOP {} {count} {keys} {edge} COUNT {}", self.timeout(), self.small())
            }
            16 => format!("ZMPOP 1 {key} {edge}"),
            _ => format!("BZPOP{edge} {} {}", self.keys('z'), self.timeout()),
        }
    }

    /// A request about channels and patterns, of the kinds 0 to 12; any other kind is PUBLISH.
    fn pubsub_request(&mut self, kind: Kind) -> String {
        const CHANNELS: [&str; 4] = ["chat.1", "chat.2", "room", "chat.1 room"];
        const PATTERNS: [&str; 5] = ["chat.*", "*", "c*", "chat.* r*", "[cr]*"];
        match kind(self.random()) {
            0..4 => format!("SUBSCRIBE {}", self.one_of(&CHANNELS)),
            4..6 => format!("PSUBSCRIBE {}", self.one_of(&PATTERNS)),
            6..8 => format!("UNSUBSCRIBE {}", self.one_of(&CHANNELS)),
            8 => format!("PUNSUBSCRIBE {}", self.one_of(&PATTERNS)),
            9..11 => self.one_of(&["PUNSUBSCRIBE", "RESET", "PING", "PING hello"]).into(),
            11 => format!("PUBSUB NUMSUB {}", self.one_of(&["chat.1 chat.2 room", "none", "chat.1"])),
            12 => {
                self.one_of(&["PUBSUB NUMPAT", "PUBSUB CHANNELS", "PUBSUB CHANNELS c*", "UNSUBSCRIBE"]).into()
            }
            _ => format!("PUBLISH {} {}", self.one_of(&CHANNELS[..3]), self.fresh('m')),
        }
    }
}
