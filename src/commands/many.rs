//! `numkeys key [key ...] WHERE [COUNT count]`: the arguments of the commands that take several elements from
//! the first of several keys.

use crate::resp::Args;
use crate::spec::{Error, numbers};

/// The arguments of such a command.
#[derive(Clone, Copy)]
pub struct Many<'a, W> {
    /// Where to look, in this order.
    pub keys: Args<'a>,
    /// From which end to take.
    pub from: W,
    /// How many to take at most, at least 1.
    pub max: usize,
}

impl<'a, W> Many<'a, W> {
    /// Reads the arguments from `numkeys` on; `end` reads the word that names an end.
    pub fn read(args: Args<'a>, end: impl FnOnce(&[u8]) -> Result<W, Error>) -> Result<Self, Error> {
        let numkeys = numbers::numkeys(&args[0])?;
        let options = args.from(numkeys.saturating_add(1));
        let from = end(options.get(0).ok_or(Error::SYNTAX)?)?;
        let max = match (options.get(1), options.get(2)) {
            (None, _) => 1,
            (Some(word), Some(count)) if numbers::is_option(word, "COUNT") => {
                numbers::at_least(count, 1).ok_or(Error::new("ERR count should be greater than 0"))?
            }
            _ => return Err(Error::SYNTAX),
        };
        if options.len() > 3 {
            return Err(Error::SYNTAX);
        }
        Ok(Self { keys: args.range(1, numkeys + 1), from, max })
    }
}
