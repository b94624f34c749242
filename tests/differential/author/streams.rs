//! Requests to streams and their groups.

use super::Author;
use crate::random_requests::Requests;

impl Author {
    /// The id of an entry that may exist.
    fn id(&mut self) -> String {
        self.ids[self.random.usize(0..self.ids.len())].clone()
    }

    /// The id of a new entry.
    pub(super) fn new_id(&mut self) -> String {
        const KEPT: usize = 8;
        if !self.ids_given {
            return "*".into();
        }
        self.last += 1;
        let number = self.last;
        if self.once_in(8) {
            return format!("{number}-*");
        }
        let id = format!("{number}-{}", self.random.u8(0..3));
        if self.ids.len() >= KEPT {
            self.ids.remove(0);
        }
        self.ids.push(id.clone());
        if self.once_in(20) { self.id() } else { id }
    }

    /// What deleting does to the references of groups: an option since Redis 8.2, with a space behind it.
    fn references(&mut self) -> &'static str {
        self.one_of(&["", "KEEPREF ", "DELREF ", "ACKED ", "ACKED "])
    }

    /// Two ids as XDELEX takes them.
    fn ids(&mut self) -> String {
        format!("IDS 2 {} {}", self.id(), self.id())
    }

    fn block(&mut self) -> String {
        match self.random.u8(0..4) {
            0 => String::new(),
            1..3 => "BLOCK 0 ".into(),
            _ => format!("BLOCK {} ", self.millis()),
        }
    }

    pub(super) fn add(&mut self, key: &str) -> String {
        let id = self.new_id();
        let trim = match self.random.u8(0..12) {
            0 => format!("MAXLEN {} ", self.small()),
            1 => format!("MINID {} ", self.id()),
            2 => "NOMKSTREAM ".into(),
            _ => String::new(),
        };
        format!("XADD {key} {trim}{id} f {}", self.fresh('e'))
    }

    pub(super) fn stream_request(&mut self) -> String {
        let key = self.key('x');
        match self.random.u8(0..22) {
            0..8 => self.add(&key),
            8..15 => {
                let mut keys = vec![key];
                if self.once_in(4) {
                    keys.push(self.key('x'));
                }
                let ids: Vec<String> = keys
                    .iter()
                    .map(|_| match self.random.u8(0..10) {
                        0..5 => "$".into(),
                        5 => "0".into(),
                        _ => self.id(),
                    })
                    .collect();
                let count = if self.once_in(3) { "COUNT 2 " } else { "" };
                let block = self.block();
                format!("XREAD {count}{block}STREAMS {} {}", keys.join(" "), ids.join(" "))
            }
            15 => format!("XDEL {key} {}", self.id()),
            16 => format!("XDELEX {key} {}{}", self.references(), self.ids()),
            17 => format!("XLEN {key}"),
            18 => format!("XTRIM {key} MAXLEN {}", self.small() - 1),
            19 => format!("XREVRANGE {key} + - COUNT {}", self.small()),
            20 => format!("XINFO STREAM {key}"),
            _ => format!("XRANGE {key} {} +", self.one_of(&["-", "0", "(3-0", "5"])),
        }
    }

    pub(super) fn group_request(&mut self) -> String {
        let key = self.key('x');
        let group = self.one_of(&["g", "g", "g", "h"]);
        let consumer = self.one_of(&["ann", "bob", "eve"]);
        let just_id = if self.once_in(3) { " JUSTID" } else { "" };
        match self.random.u8(0..48) {
            0..9 => self.add(&key),
            9..14 => {
                let from = self.one_of(&["$", "0"]);
                let make = self.one_of(&["", " MKSTREAM", " MKSTREAM"]);
                format!("XGROUP CREATE {key} {group} {from}{make}")
            }
            14..24 => {
                let count = self.one_of(&["", "COUNT 1 ", "COUNT 2 "]);
                let no_ack = if self.once_in(8) { "NOACK " } else { "" };
                let block = self.block();
                if self.once_in(8) {
                    let other = self.key('x');
                    let id = self.one_of(&[">", "0"]);
                    return format!(
                        "XREADGROUP GROUP {group} {consumer} {count}{block}{no_ack}STREAMS {key} {other} > {id}"
                    );
                }
                format!("XREADGROUP GROUP {group} {consumer} {count}{block}{no_ack}STREAMS {key} >")
            }
            24..27 => format!("XREADGROUP GROUP {group} {consumer} STREAMS {key} 0"),
            27..31 => format!("XACK {key} {group} {} {}", self.id(), self.id()),
            31 => format!("XPENDING {key} {group}"),
            32 => format!("XPENDING {key} {group} - + {}", self.small()),
            33 => format!("XPENDING {key} {group} IDLE {} - + 10", self.one_of(&["0", "1000000"])),
            34 => format!("XPENDING {key} {group} - + 10 {consumer}"),
            35..37 => {
                let ids = format!("{} {}", self.id(), self.id());
                let idle = self.one_of(&["0", "0", "0", "1000000"]);
                let force = if self.once_in(5) { " FORCE" } else { "" };
                format!("XCLAIM {key} {group} {consumer} {idle} {ids}{just_id}{force}")
            }
            37..40 => {
                let from = if self.random.bool() { "0".into() } else { self.id() };
                let idle = self.one_of(&["0", "0", "0", "1000000"]);
                format!("XAUTOCLAIM {key} {group} {consumer} {idle} {from} COUNT {}{just_id}", self.small())
            }
            40 => match self.random.u8(0..4) {
                0 => format!("XDEL {key} {}", self.id()),
                1 => format!("XDELEX {key} {}{}", self.references(), self.ids()),
                2 => format!("XTRIM {key} {}MAXLEN {}", self.references(), self.small() - 1),
                _ => format!("XACKDEL {key} {group} {}{}", self.references(), self.ids()),
            },
            41 => format!("XGROUP DELCONSUMER {key} {group} {consumer}"),
            42 => format!("XGROUP CREATECONSUMER {key} {group} {consumer}"),
            43 => format!("XGROUP SETID {key} {group} {}", self.one_of(&["0", "$", "3-0"])),
            44 => format!("XINFO CONSUMERS {key} {group}"),
            45 => format!("XINFO GROUPS {key}"),
            46 => format!("DEL {key}"),
            _ => format!("XGROUP DESTROY {key} {group}"),
        }
    }
}
