//! What SCAN and its relatives have in common: the options, and the reply of a step.

use crate::config::Version;
use crate::data::pattern;
use crate::resp::{Args, Reply};
use crate::spec::Error;
use crate::spec::numbers::{self, is_option};

/// The command, as each has options that the others do not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Over {
    /// SCAN, which has `TYPE`.
    Keys,
    /// HSCAN, which has `NOVALUES`.
    Fields,
    /// SSCAN and ZSCAN.
    Members,
}

/// The options.
#[derive(Clone, Copy, Debug)]
pub struct Options<'a> {
    /// `MATCH`: the pattern of what is wanted.
    pub pattern: Option<&'a [u8]>,
    /// `COUNT`: how many items are visited, at least 1.
    pub count: u64,
    /// `TYPE`: what the keys hold.
    pub kind: Option<&'a [u8]>,
    /// Not `NOVALUES`.
    pub with_values: bool,
}

impl<'a> Options<'a> {
    /// Reads the options, which are all of `args`.
    pub fn read(args: Args<'a>, over: Over, version: Version) -> Result<Self, Error> {
        let mut options = Self { pattern: None, count: 10, kind: None, with_values: true };
        let mut words = args.iter();
        while let Some(word) = words.next() {
            if is_option(word, "NOVALUES") && version >= Version::Redis7_4 {
                if over != Over::Fields {
                    return Err(Error::new("ERR NOVALUES option can only be used in HSCAN"));
                }
                options.with_values = false;
                continue;
            }
            let value = words.next().ok_or(Error::SYNTAX)?;
            if is_option(word, "COUNT") {
                let count = numbers::integer(value)?;
                options.count = u64::try_from(count).ok().filter(|count| *count > 0).ok_or(Error::SYNTAX)?;
            } else if is_option(word, "MATCH") {
                options.pattern = Some(value);
            } else if over == Over::Keys && is_option(word, "TYPE") {
                options.kind = Some(value);
            } else {
                return Err(Error::SYNTAX);
            }
        }
        Ok(options)
    }

    /// Whether a key, a field or a member matches the pattern.
    pub fn wants(&self, text: &[u8]) -> bool {
        self.pattern.is_none_or(|pattern| matches(pattern, text))
    }
}

/// Whether a key, a field or a member matches the pattern of KEYS or of SCAN and its relatives. `*` means all, even
/// an empty text, which the pattern `*` does not match elsewhere.
pub fn matches(pattern: &[u8], text: &[u8]) -> bool {
    pattern == b"*" || pattern::matches(pattern, text, false)
}

/// Replies with the cursor of the next step and the elements that `write` writes; `write` returns their number.
pub fn answer(reply: &mut Reply<'_>, next: u64, write: impl FnOnce(&mut Reply<'_>) -> usize) {
    reply.array(2);
    reply.bulk_integer(i64::try_from(next).unwrap_or(i64::MAX));
    let position = reply.position();
    let written = write(reply);
    reply.insert_array(position, written);
}

/// Replies that there is nothing to walk over.
pub fn answer_nothing(reply: &mut Reply<'_>) {
    answer(reply, 0, |_| 0);
}
