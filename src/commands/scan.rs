//! What SCAN and its relatives have in common: the options.

use super::Error;
use super::numbers::{self, is_option};
use crate::resp::Args;

/// The options of SSCAN, which SCAN, HSCAN and ZSCAN have, too.
#[derive(Clone, Copy, Debug)]
pub struct Options<'a> {
    /// `MATCH`: the pattern of what is wanted.
    pub pattern: Option<&'a [u8]>,
    /// `COUNT`: how many are looked at, 1 at least.
    pub count: u64,
}

impl<'a> Options<'a> {
    /// Reads the options behind the cursor.
    ///
    /// # Errors
    ///
    /// Unknown options, an option without its value, or a count that is none.
    pub fn parse(args: Args<'a>) -> Result<Self, Error> {
        let mut options = Self { pattern: None, count: 10 };
        let mut words = args.iter();
        while let Some(word) = words.next() {
            if is_option(word, "NOVALUES") {
                return Err(Error::new("ERR NOVALUES option can only be used in HSCAN"));
            }
            let value = words.next().ok_or(Error::SYNTAX)?;
            if is_option(word, "COUNT") {
                let count = numbers::integer(value)?;
                options.count = u64::try_from(count).ok().filter(|count| *count > 0).ok_or(Error::SYNTAX)?;
            } else if is_option(word, "MATCH") {
                options.pattern = Some(value);
            } else {
                return Err(Error::SYNTAX);
            }
        }
        Ok(options)
    }
}
