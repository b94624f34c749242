//! Requests of clients that track keys, and of those that change them.

use super::{Author, Theme};
use crate::random_requests::Requests;

/// Options of CLIENT TRACKING ON; some are refused while others are on.
const OPTIONS: [&str; 14] = [
    "",
    "",
    "",
    "NOLOOP",
    "OPTIN",
    "OPTIN NOLOOP",
    "OPTOUT",
    "BCAST",
    "BCAST",
    "BCAST NOLOOP",
    "BCAST PREFIX s",
    "BCAST PREFIX q PREFIX k NOLOOP",
    "BCAST PREFIX s0 PREFIX x",
    "REDIRECT ",
];

impl Author {
    pub(super) fn tracking_request(&mut self) -> String {
        match self.random.u8(0..24) {
            0..5 => {
                let options = self.one_of(&OPTIONS);
                let client = if options == "REDIRECT " { self.id_of_client() } else { String::new() };
                format!("CLIENT TRACKING ON {options}{client}").trim_end().to_owned()
            }
            5 => "CLIENT TRACKING OFF".into(),
            6 => format!("CLIENT CACHING {}", self.one_of(&["YES", "YES", "NO"])),
            7 => self.one_of(&["CLIENT TRACKINGINFO", "CLIENT GETREDIR"]).into(),
            8 => "SUBSCRIBE __redis__:invalidate".into(),
            9 => self.one_of(&["HELLO 3", "HELLO 3", "HELLO 2", "FLUSHALL"]).into(),
            10..13 => format!("GET {}", self.key('s')),
            13 => format!("MGET {} {}", self.key('s'), self.key('s')),
            14 => format!("LRANGE {} 0 -1", self.key('q')),
            15 => format!("{} {}", self.one_of(&["EXISTS", "TTL", "TYPE", "XLEN", "ZCARD"]), self.any_key()),
            16 => format!("DEL {}", self.any_keys()),
            17 => format!("RPUSH {} {}", self.key('q'), self.fresh('i')),
            18 => format!("MSET {} 1 {} 2", self.key('s'), self.key('s')),
            _ => format!("SET {} {}", self.key('s'), self.fresh('v')),
        }
    }

    /// A flush of the newer servers is over later if it does not say ASYNC, behind what the client itself is notified of.
    pub(super) fn with_flushes_at_once(&self, request: String) -> String {
        let flushes = request.starts_with("FLUSH") && !request.contains(' ');
        if flushes && self.themes.contains(&Theme::Tracking) { format!("{request} ASYNC") } else { request }
    }
}
