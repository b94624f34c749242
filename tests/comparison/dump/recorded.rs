//! The dumps and the contents of the values on real servers, recorded in `recorded.txt` beside this file.
//!
//! ```text
//! version redis-8.0 = 12                          the version of the format that a server writes
//! == HSET of 0 noise                              a value
//! dump redis-8.0,redis-8.2 = "\x10" "a"*200       its dump by these servers, without version and checksum
//! read all = "+hash\r\n" noise*64                 what is read out of it there
//! dump redis-7.0 = #20000:75d1c0ffee0ddf00        of what would be long: its length and its checksum,
//!                                                 of a dump without the form in front
//! ```
//!
//! `noise*64` stands for [`super::noise`] of that length.

use std::{collections::BTreeMap, fmt::Write as _, fs, path::PathBuf, sync::OnceLock};

use crc::{CRC_64_REDIS, Crc};
use minibroker::internal::{conform::wire, session::Frame};

use super::{Case, LENGTHS, noise};
use crate::{recordings, servers::RECORDED};

/// The longest line, in characters, that is not replaced by a fingerprint.
const LONGEST: usize = 600;
/// Repetitions with fewer bytes are written out.
const REPEATED_MIN: usize = 24;

static NOISES: OnceLock<Vec<Vec<u8>>> = OnceLock::new();

const CRC: Crc<u64> = Crc::<u64>::new(&CRC_64_REDIS);

/// Bytes, or a fingerprint if they are many.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kept {
    Whole(Vec<u8>),
    Fingerprint { length: usize, crc: u64 },
}

impl Kept {
    fn new(bytes: &[u8]) -> Self {
        if pieces(bytes).len() > LONGEST { Self::fingerprint(bytes) } else { Self::Whole(bytes.to_vec()) }
    }

    fn fingerprint(bytes: &[u8]) -> Self {
        Self::Fingerprint { length: bytes.len(), crc: CRC.checksum(bytes) }
    }

    /// Whether it was made of these bytes.
    pub fn is(&self, bytes: &[u8]) -> bool {
        match self {
            Self::Whole(whole) => whole == bytes,
            Self::Fingerprint { length, crc } => *length == bytes.len() && *crc == CRC.checksum(bytes),
        }
    }

    /// Whether this dump without its version has the same value as a whole one; the form may differ.
    pub fn has_body(&self, payload: &[u8]) -> bool {
        let body = &payload[..payload.len().saturating_sub(10)];
        match self {
            Self::Whole(whole) => whole.get(1..) == body.get(1..),
            Self::Fingerprint { .. } => self.is(body.get(1..).unwrap_or_default()),
        }
    }

    fn read(text: &str) -> Option<Self> {
        match text.strip_prefix('#') {
            None => unpieced(text).map(Self::Whole),
            Some(text) => {
                let (length, crc) = text.split_once(':')?;
                Some(Self::Fingerprint {
                    length: length.parse().ok()?,
                    crc: u64::from_str_radix(crc, 16).ok()?,
                })
            }
        }
    }
}

impl std::fmt::Display for Kept {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Whole(bytes) => out.write_str(&pieces(bytes)),
            Self::Fingerprint { length, crc } => write!(out, "#{length}:{crc:016x}"),
        }
    }
}

/// A value on the servers; servers that cannot have it are left out.
#[derive(Debug, Default)]
pub struct Recorded {
    pub dumps: BTreeMap<String, Kept>,
    pub reads: BTreeMap<String, Kept>,
}

/// All that is recorded.
#[derive(Debug, Default)]
pub struct Recordings {
    pub versions: BTreeMap<String, u16>,
    pub values: BTreeMap<String, Recorded>,
}

fn file() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/comparison/dump/recorded.txt")
}

impl Recordings {
    pub fn read() -> Result<Self, String> {
        let text = fs::read_to_string(file()).map_err(|error| format!("{}: {error}", file().display()))?;
        let mut all = Self::default();
        let mut name = None;
        for (index, line) in text.lines().enumerate() {
            if line.starts_with('#') || line.is_empty() {
                continue;
            }
            let wrong = || format!("dump/recorded.txt:{}: {line:?} is no line of it", index + 1);
            if let Some(title) = line.strip_prefix("== ") {
                name = Some(title.to_owned());
                all.values.insert(title.to_owned(), Recorded::default());
                continue;
            }
            let (head, kept) = line.split_once(" = ").ok_or_else(wrong)?;
            let (word, servers) = head.split_once(' ').ok_or_else(wrong)?;
            if word == "version" {
                all.versions.insert(servers.to_owned(), kept.parse().map_err(|_| wrong())?);
                continue;
            }
            let value = name.as_ref().and_then(|name| all.values.get_mut(name)).ok_or_else(wrong)?;
            let map = match word {
                "dump" => &mut value.dumps,
                "read" => &mut value.reads,
                _ => return Err(wrong()),
            };
            let kept = Kept::read(kept).ok_or_else(wrong)?;
            let servers: Vec<&str> =
                if servers == "all" { RECORDED.to_vec() } else { servers.split(',').collect() };
            map.extend(servers.into_iter().map(|server| (server.to_owned(), kept.clone())));
        }
        Ok(all)
    }

    /// Adds the dump and the content of a value on a server.
    pub fn add(&mut self, case: &Case, server: &str, payload: &[u8], values: &[Frame]) {
        let (body, trailer) = payload.split_at(payload.len().saturating_sub(10));
        if let Some(version) = trailer.first_chunk() {
            self.versions.insert(server.to_owned(), u16::from_le_bytes(*version));
        }
        let value = self.values.entry(case.name.clone()).or_default();
        value.dumps.insert(
            server.to_owned(),
            match Kept::new(body) {
                // Without the form, which has_body does not compare.
                Kept::Fingerprint { .. } => Kept::fingerprint(body.get(1..).unwrap_or_default()),
                whole @ Kept::Whole(_) => whole,
            },
        );
        value.reads.insert(server.to_owned(), Kept::new(&as_bytes(values)));
    }

    pub fn write(&self, cases: &[Case]) -> Result<(), String> {
        let mut text = String::from(
            "# What real servers dump of the values of dump/mod.rs; dump/recorded.rs tells the format.\n\
             # RECORD=1 cargo test --test comparison dump\n",
        );
        for (server, version) in &self.versions {
            let _ = writeln!(text, "version {server} = {version}");
        }
        for case in cases {
            let Some(value) = self.values.get(&case.name) else { continue };
            let _ = writeln!(text, "== {}", case.name);
            for (word, map) in [("dump", &value.dumps), ("read", &value.reads)] {
                let mut groups: Vec<(&Kept, Vec<&str>)> = Vec::new();
                for (server, kept) in map {
                    match groups.iter_mut().find(|(of, _)| *of == kept) {
                        Some((_, servers)) => servers.push(server),
                        None => groups.push((kept, vec![server])),
                    }
                }
                for (kept, servers) in groups {
                    let is_all = servers.len() == RECORDED.len();
                    let servers = if is_all { "all".into() } else { servers.join(",") };
                    let _ = writeln!(text, "{word} {servers} = {kept}");
                }
            }
        }
        fs::write(file(), text).map_err(|error| format!("{}: {error}", file().display()))
    }

    /// The dump of a server, if all of it is recorded.
    pub fn payload(&self, server: &str, body: &Kept) -> Option<Vec<u8>> {
        let (Kept::Whole(body), version) = (body, self.versions.get(server)?) else { return None };
        let mut payload = body.clone();
        payload.extend(version.to_le_bytes());
        let checksum = CRC.checksum(&payload);
        payload.extend(checksum.to_le_bytes());
        Some(payload)
    }
}

/// The bytes of frames on the wire.
pub fn as_bytes(values: &[Frame]) -> Vec<u8> {
    values.iter().flat_map(recordings::bytes).collect()
}

/// Bytes as text: strings in quotes, repetitions and noise.
fn pieces(bytes: &[u8]) -> String {
    let (mut out, mut plain, mut at) = (String::new(), Vec::new(), 0);
    let flush = |out: &mut String, plain: &mut Vec<u8>| {
        if !plain.is_empty() {
            let _ = write!(out, "{} ", quoted(plain));
            plain.clear();
        }
    };
    let noises = NOISES.get_or_init(|| {
        let long = LENGTHS.iter().rev().filter(|length| **length >= REPEATED_MIN);
        long.map(|length| noise(*length)).collect()
    });
    // A longer text becomes a fingerprint anyway.
    while at < bytes.len() && out.len() + plain.len() <= LONGEST {
        let rest = &bytes[at..];
        if let Some(noise) = noises.iter().find(|noise| rest.starts_with(noise)) {
            flush(&mut out, &mut plain);
            let _ = write!(out, "noise*{} ", noise.len());
            at += noise.len();
            continue;
        }
        let repeated = (1..=3).find_map(|period| {
            let same = rest.iter().zip(rest.get(period..)?).take_while(|(one, other)| one == other).count();
            let times = (same + period) / period;
            (times * period >= REPEATED_MIN).then_some((period, times))
        });
        if let Some((period, times)) = repeated {
            flush(&mut out, &mut plain);
            let _ = write!(out, "{}*{times} ", quoted(&rest[..period]));
            at += period * times;
        } else {
            plain.push(rest[0]);
            at += 1;
        }
    }
    flush(&mut out, &mut plain);
    if out.is_empty() { "\"\"".into() } else { out.trim_end().into() }
}

fn quoted(bytes: &[u8]) -> String {
    let mut out = String::from("\"");
    for &byte in bytes {
        match byte {
            b'\r' => out += "\\r",
            b'\n' => out += "\\n",
            b'"' | b'\\' => out.extend(['\\', char::from(byte)]),
            b' '..=b'~' => out.push(char::from(byte)),
            _ => {
                let _ = write!(out, "\\x{byte:02x}");
            }
        }
    }
    out + "\""
}

fn unpieced(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let mut escaped = false;
        let is_end = |char: char| {
            let ends = char == '"' && !escaped;
            escaped = char == '\\' && !escaped;
            ends
        };
        let (unit, after) = match rest.strip_prefix('"') {
            Some(inner) => {
                let (quoted, after) = rest.split_at(inner.find(is_end)? + 2);
                (wire::split(quoted).ok()?.pop(), after)
            }
            None => (None, rest.strip_prefix("noise")?),
        };
        let (times, after) = match after.strip_prefix('*') {
            None => (1, after),
            Some(after) => {
                let end = after.find(' ').unwrap_or(after.len());
                (after[..end].parse().ok()?, &after[end..])
            }
        };
        match unit {
            Some(unit) => bytes.extend(unit.repeat(times)),
            None => bytes.extend(noise(times)),
        }
        rest = after.trim_start();
    }
    Some(bytes)
}

#[test]
fn bytes_are_read_as_they_were_written() {
    for bytes in [
        b"".to_vec(),
        b"a\\\"\r\n\x00\xff".to_vec(),
        [b"x".to_vec(), noise(64), b"ab\"".repeat(30), noise(65)].concat(),
        [b"\\".to_vec(), b"\"".repeat(24), noise(1 << 20), vec![b'\\'; 25]].concat(),
    ] {
        assert_eq!(unpieced(&pieces(&bytes)), Some(bytes));
    }
}
