//! The count of SRANDMEMBER, HRANDFIELD and ZRANDMEMBER.

use crate::resp::Args;
use crate::spec::Error;
use crate::spec::numbers::{self, is_option};

/// The most elements with repetitions. redis-server tries to reply with 2^63, and crashes.
const MOST: u64 = 1 << 24;

/// `count`; a negative one allows repetitions.
#[derive(Clone, Copy, Debug)]
pub struct Count(i64);

/// Which elements of a collection are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// This number, with repetitions.
    Repeated(usize),
    /// This number of different ones, of which there are more.
    Different(usize),
    /// All there are.
    All,
}

impl Count {
    /// Reads `count`.
    pub fn read(text: &[u8]) -> Result<Self, Error> {
        numbers::negatable(text).map(Self)
    }

    /// Reads `count [option]`; also returns whether the option is present. With it, each element is two elements
    /// of the reply.
    pub fn read_with(args: Args<'_>, option: &str) -> Result<(Self, bool), Error> {
        let (count, has_option) = (Self::read(&args[0])?, args.len() > 1);
        if has_option {
            if args.len() > 2 || !is_option(&args[1], option) {
                return Err(Error::SYNTAX);
            }
            if count.0.unsigned_abs() > i64::MAX.unsigned_abs() / 2 {
                return Err(Error::RANDOM_COUNT);
            }
        }
        Ok((count, has_option))
    }

    /// Which of `len` elements are wanted; fails where redis-server would crash.
    pub fn choose(self, len: usize) -> Result<Choice, Error> {
        let wanted = usize::try_from(self.0.unsigned_abs()).unwrap_or(usize::MAX);
        match self.0 {
            ..0 if self.0.unsigned_abs() > MOST => Err(Error::RANDOM_COUNT),
            ..0 => Ok(Choice::Repeated(wanted)),
            _ if wanted < len => Ok(Choice::Different(wanted)),
            _ => Ok(Choice::All),
        }
    }
}

impl Choice {
    /// How many of `len` elements these are.
    pub fn count(self, len: usize) -> usize {
        match self {
            Self::Repeated(count) | Self::Different(count) => count,
            Self::All => len,
        }
    }
}
