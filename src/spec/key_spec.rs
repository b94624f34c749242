//! Key specs: the positions of a command's keys, and how they are found in a call.

use super::numbers::lenient_integer;
use super::{Command, Flags};
use crate::resp::{Args, parse_integer};

/// Where the first key of a [`KeySpec`] is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begin {
    /// At this argument (0 is the command's name).
    Index(i32),
    /// After this keyword, looked for from this argument on (backwards if negative).
    Keyword(&'static str, i32),
    /// At a position that only the command itself knows.
    Unknown,
}

/// How the keys of a [`KeySpec`] follow its first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Find {
    /// From the first to `last` (relative to the first; negative counts from the end), every `step`th; with
    /// `limit` n > 1 only the first nth of the remaining arguments.
    #[allow(missing_docs)]
    Range { last: i32, step: i32, limit: i32 },
    /// The argument at `count` (relative to the beginning) is the number of keys from `first` on.
    #[allow(missing_docs)]
    Count { count: i32, first: i32, step: i32 },
    /// As only the command itself knows.
    Unknown,
}

/// One way of finding keys among the arguments of a command.
#[derive(Clone, Copy, Debug)]
pub struct KeySpec {
    /// What happens to the keys, in redis-server's words: `RW access delete`, separated by spaces.
    pub flags: &'static str,
    /// The position of the first key.
    pub begin: Begin,
    /// The positions of the others.
    pub find: Find,
    /// A remark that `COMMAND INFO` shows; empty: none.
    pub note: &'static str,
}

impl KeySpec {
    /// One key, at this argument.
    pub(crate) const fn one(index: i32, flags: &'static str) -> Self {
        Self::range(index, 0, 1, flags)
    }

    /// From this argument to `last` (negative: counted from the end), every `step`th.
    pub(crate) const fn range(index: i32, last: i32, step: i32, flags: &'static str) -> Self {
        let find = Find::Range { last, step, limit: 0 };
        Self { flags, begin: Begin::Index(index), find, note: "" }
    }

    /// Keys after this argument, which is their number.
    pub(crate) const fn counted(index: i32, flags: &'static str) -> Self {
        let find = Find::Count { count: 0, first: 1, step: 1 };
        Self { flags, begin: Begin::Index(index), find, note: "" }
    }

    /// The first half of the arguments after the keyword; the other half belongs to the keys one by one.
    pub(crate) const fn first_half_after(keyword: &'static str, flags: &'static str) -> Self {
        let find = Find::Range { last: -1, step: 1, limit: 2 };
        Self { flags, begin: Begin::Keyword(keyword, 1), find, note: "" }
    }

    /// Keys that cannot be described in this way.
    pub(crate) const fn unknown(flags: &'static str) -> Self {
        Self { flags, begin: Begin::Unknown, find: Find::Unknown, note: "" }
    }

    /// One key, after this keyword, looked for from this argument on.
    pub(crate) const fn after(keyword: &'static str, from: i32, flags: &'static str) -> Self {
        let find = Find::Range { last: 0, step: 1, limit: 0 };
        Self { flags, begin: Begin::Keyword(keyword, from), find, note: "" }
    }

    /// The same with a remark.
    pub(crate) const fn note(self, note: &'static str) -> Self {
        Self { note, ..self }
    }

    /// Whether one of the words in `flags` is this one.
    #[must_use]
    pub fn has(&self, flag: &str) -> bool {
        self.flags.split(' ').any(|known| known == flag)
    }

    /// Adds the keys of a call to `found`, or `None` if the arguments do not fit the spec.
    fn find(&self, args: Args<'_>, found: &mut Vec<(usize, &'static str)>) -> Option<()> {
        let count = i64::try_from(args.len()).ok()?;
        let begin = match self.begin {
            Begin::Index(index) => i64::from(index),
            Begin::Keyword(keyword, from) => {
                // Neither the last argument nor, backwards, the first is checked: no key could follow.
                let at = if from > 0 {
                    let from = usize::try_from(from).ok()?;
                    let end = args.len().saturating_sub(1);
                    (from..end).find(|&at| is(args, at, keyword))
                } else {
                    let from = args.len().checked_sub(usize::try_from(from.unsigned_abs()).ok()?)?;
                    (2..=from).rev().find(|&at| is(args, at, keyword))
                };
                // An option that is not used.
                let Some(at) = at else { return Some(()) };
                i64::try_from(at).ok()? + 1
            }
            Begin::Unknown => return None,
        };
        let (first, last, step) = match self.find {
            Find::Range { last, step, limit } => {
                let last = i64::from(last);
                let last = match (last >= 0, limit > 0) {
                    (true, _) => begin + last,
                    (false, false) => count + last,
                    (false, true) => begin + (count - begin) / i64::from(limit) + last,
                };
                (begin, last, step)
            }
            Find::Count { count: at, first, step } => {
                let keys = args.get(usize::try_from(begin + i64::from(at)).ok()?)?;
                let keys = parse_integer(keys).filter(|keys| *keys >= 0)?;
                let first = begin + i64::from(first);
                let last = keys.checked_sub(1)?.checked_mul(i64::from(step))?.checked_add(first)?;
                (first, last, step)
            }
            Find::Unknown => return None,
        };
        if last >= count || last < first || first >= count {
            return None;
        }
        let positions = usize::try_from(first).ok()?..=usize::try_from(last).ok()?;
        let step = usize::try_from(step).ok().filter(|step| *step > 0)?;
        found.extend(positions.step_by(step).map(|at| (at, self.flags)));
        Some(())
    }

    /// The same for a counted spec in the server's older way of finding keys, which it uses when specs fail:
    /// it reads the count like C's `atoi` ("1x" is 1) and ignores flags.
    fn find_leniently(&self, args: Args<'_>) -> Option<Vec<(usize, &'static str)>> {
        let (Begin::Index(begin), Find::Count { count, first, step }) = (self.begin, self.find) else {
            return None;
        };
        let keys = lenient_integer(args.get(usize::try_from(begin + count).ok()?)?);
        let first = usize::try_from(begin + first).ok()?;
        let step = usize::try_from(step).ok().filter(|step| *step > 0)?;
        let most = args.len().saturating_sub(first) / step;
        let keys = usize::try_from(keys).ok().filter(|keys| (1..=most).contains(keys))?;
        Some((0..keys).map(|nth| (first + nth * step, "")).collect())
    }
}

/// A function that finds the keys of a call, with what happens to each, if key specs cannot.
pub type FindKeys = fn(Args<'_>) -> Vec<(usize, &'static str)>;

/// Why the keys of a call cannot be determined.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum KeysError {
    /// The command never has keys.
    None,
    /// The command cannot be called with this number of arguments.
    Arity,
    /// No keys can be found in the arguments.
    Invalid,
}

impl KeysError {
    /// The error line of `COMMAND GETKEYS`.
    #[must_use]
    pub const fn message(self) -> &'static str {
        match self {
            Self::None => "ERR The command has no key arguments",
            Self::Arity => "ERR Invalid number of arguments specified for command",
            Self::Invalid => "ERR Invalid arguments specified for command",
        }
    }
}

impl Command {
    /// The positions of the keys in a call (its name is argument 0) and what happens to each, in the words of
    /// [`KeySpec::flags`].
    ///
    /// # Errors
    ///
    /// The command has no keys, or there are too few or unsuitable arguments.
    pub fn keys(&self, args: Args<'_>) -> Result<Vec<(usize, &'static str)>, KeysError> {
        // A channel of sharded Pub/Sub is found like a key but is not one.
        let specs = || self.keys.iter().filter(|spec| !spec.has("not_key"));
        if specs().next().is_none() {
            return Err(KeysError::None);
        }
        if !self.accepts(args.len()) {
            return Err(KeysError::Arity);
        }
        if let Some(find) = self.find_keys {
            return Ok(find(args));
        }
        let mut found = Vec::new();
        if specs().try_for_each(|spec| spec.find(args, &mut found).ok_or(())).is_err() {
            found = specs().find_map(|spec| spec.find_leniently(args)).unwrap_or_default();
        }
        if found.is_empty() && !self.flags.contains(Flags::NO_MANDATORY_KEYS) {
            return Err(KeysError::Invalid);
        }
        if specs().any(|spec| spec.has("variable_flags")) {
            for (_, flags) in &mut found {
                *flags = if self.name == "bitfield" { bitfield_flags(args) } else { set_flags(args) };
            }
        }
        Ok(found)
    }

    /// The first key, the last (negative: counted from the end) and the step between them: the summary of the
    /// key specs that `COMMAND INFO` shows to old clients, and whether it omits keys.
    pub(super) const fn legacy_range(specs: &[KeySpec]) -> ((i32, i32, i32), bool) {
        if let [KeySpec { begin: Begin::Index(first), find: Find::Range { last, step, .. }, .. }] = specs {
            let last = if *last >= 0 { *first + *last } else { *last };
            return ((*first, last, *step), false);
        }
        // Several specs form one range only if they are adjacent.
        let (mut first, mut last, mut movable, mut at) = (i32::MAX, 0, false, 0);
        while at < specs.len() {
            match specs[at] {
                KeySpec {
                    begin: Begin::Index(index), find: Find::Range { last: end, step: 1, .. }, ..
                } if last == 0 || last == index - 1 => {
                    first = if index < first { index } else { first };
                    let end = if end >= 0 { index + end } else { end };
                    // Unsigned: an end counted from the end is beyond every other.
                    last = if end.cast_unsigned() > last.cast_unsigned() { end } else { last };
                }
                _ => movable = true,
            }
            at += 1;
        }
        if first == i32::MAX { ((0, 0, 0), movable) } else { ((first, last, 1), movable) }
    }
}

/// What a call of BITFIELD does to its key: it only reads if all operations are GET. A call with a wrong operation counts
/// as one that writes.
fn bitfield_flags(args: Args<'_>) -> &'static str {
    let mut at = 2;
    while at < args.len() {
        let left = args.len() - 1 - at;
        at += match () {
            () if is(args, at, "get") && left >= 2 => 3,
            () if is(args, at, "overflow") && left >= 1 => 2,
            () => return "RW access update",
        };
    }
    "RO access"
}

/// What a call of SET does to its key: with GET it also reads the old value.
fn set_flags(args: Args<'_>) -> &'static str {
    if (3..args.len()).any(|at| is(args, at, "get")) { "RW access update" } else { "OW update" }
}

/// Whether this argument is this word, in either case.
fn is(args: Args<'_>, at: usize, word: &str) -> bool {
    args.get(at).is_some_and(|arg| arg.eq_ignore_ascii_case(word.as_bytes()))
}
