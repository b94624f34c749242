//! The patterns of Lua 5.1: the results are those of `lstrlib.c`, but a match that takes long can be ended, and a
//! pattern that is nested too deep is an error instead of a stack overflow.

/// How many captures a pattern may have: `LUA_MAXCAPTURES`.
const MAX_CAPTURES: usize = 32;
/// How deep a match may nest: `MAXCCALLS` of Lua 5.2 and later. Lua 5.1 has no limit, and overflows the stack.
const MAX_DEPTH: usize = 200;
/// How many steps a match takes between two calls of `tick`, which costs about as much as one step.
const STEPS: usize = 256;
/// How many bytes are compared at once, and as how many steps they count.
const COMPARED: (usize, usize) = (1024, 32);

/// As how many steps bytes count that are compared or copied.
pub(super) fn steps_of(bytes: usize) -> usize {
    bytes / COMPARED.0 * COMPARED.1
}

/// Why a match has no result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Failure<E> {
    /// The pattern is wrong; this is Lua's message.
    Pattern(&'static str),
    /// `tick` has ended it.
    Ended(E),
}

type Matched<E> = Result<Option<usize>, Failure<E>>;

/// What a part of a pattern has matched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Length {
    /// Its end has not been reached yet.
    Unfinished,
    /// `()` captures only the position.
    Position,
    Bytes(usize),
}

/// A capture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Capture<'a> {
    /// A part of the subject.
    Text(&'a [u8]),
    /// A position in the subject, from 1.
    Position(usize),
}

/// Counts the steps of a match, each of which takes about as long as an instruction, and reports them to `tick`.
pub(super) struct Steps<T> {
    taken: usize,
    tick: T,
}

impl<T, E> Steps<T>
where
    T: FnMut(usize) -> Result<(), E>,
{
    /// `tick` gets the number of steps since its last call, and may end the match.
    pub fn new(tick: T) -> Self {
        Self { taken: 0, tick }
    }

    fn take(&mut self, steps: usize) -> Result<(), Failure<E>> {
        self.taken = self.taken.saturating_add(steps);
        if self.taken < STEPS {
            return Ok(());
        }
        let taken = std::mem::take(&mut self.taken);
        (self.tick)(taken).map_err(Failure::Ended)
    }

    /// Whether a text begins with another.
    fn begins(&mut self, text: &[u8], with: &[u8]) -> Result<bool, Failure<E>> {
        if text.len() < with.len() {
            return Ok(false);
        }
        let (bytes, steps) = COMPARED;
        for (some, wanted) in text.chunks(bytes).zip(with.chunks(bytes)) {
            self.take(steps)?;
            if !some.starts_with(wanted) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The first position of a text in another.
    pub fn find(&mut self, text: &[u8], within: &[u8]) -> Result<Option<usize>, Failure<E>> {
        let Some((first, rest)) = text.split_first() else { return Ok(Some(0)) };
        let mut from = 0;
        while let Some(at) = within.get(from..).and_then(|rest| rest.iter().position(|byte| byte == first)) {
            let behind = from + at + 1;
            if self.begins(within.get(behind..).unwrap_or_default(), rest)? {
                return Ok(Some(from + at));
            }
            from = behind;
        }
        Ok(None)
    }
}

/// A match of one pattern in one subject.
pub(super) struct Matcher<'a, T> {
    subject: &'a [u8],
    /// Up to the first NUL, where a pattern ends in Lua 5.1.
    pattern: &'a [u8],
    captures: Vec<(usize, Length)>,
    steps: Steps<T>,
    depth: usize,
}

impl<'a, T, E> Matcher<'a, T>
where
    T: FnMut(usize) -> Result<(), E>,
{
    /// `tick` gets the number of steps since its last call, and may end the match.
    pub fn new(subject: &'a [u8], pattern: &'a [u8], tick: T) -> Self {
        Self {
            subject,
            pattern: crate::resp::up_to_nul(pattern),
            captures: Vec::new(),
            steps: Steps::new(tick),
            depth: 0,
        }
    }

    /// The end of the match that begins at `start`, if there is one.
    pub fn match_at(&mut self, start: usize) -> Matched<E> {
        self.captures.clear();
        self.depth = 0;
        self.run(start, 0)
    }

    /// Whether the pattern of the last match has captures.
    pub fn has_captures(&self) -> bool {
        !self.captures.is_empty()
    }

    /// How many captures the last match has; without captures the whole match counts as one.
    pub fn captures(&self) -> usize {
        self.captures.len().max(1)
    }

    /// A capture of the last match, which went from `start` to `end`. Counted from 0.
    pub fn capture(&self, index: usize, start: usize, end: usize) -> Result<Capture<'a>, Failure<E>> {
        match self.captures.get(index) {
            None if index == 0 => Ok(Capture::Text(self.subject.get(start..end).unwrap_or_default())),
            None => Err(Failure::Pattern("invalid capture index")),
            Some((_, Length::Unfinished)) => Err(Failure::Pattern("unfinished capture")),
            Some((at, Length::Position)) => Ok(Capture::Position(at + 1)),
            Some((at, Length::Bytes(length))) => {
                Ok(Capture::Text(self.subject.get(*at..at + length).unwrap_or_default()))
            }
        }
    }

    fn at(&self, index: usize) -> Option<u8> {
        self.pattern.get(index).copied()
    }

    /// `match` of `lstrlib.c`.
    fn run(&mut self, s: usize, p: usize) -> Matched<E> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(Failure::Pattern("pattern too complex"));
        }
        let matched = self.run_here(s, p);
        self.depth -= 1;
        matched
    }

    fn run_here(&mut self, mut s: usize, mut p: usize) -> Matched<E> {
        loop {
            self.steps.take(1)?;
            let Some(first) = self.at(p) else { return Ok(Some(s)) };
            let second = self.at(p + 1);
            match (first, second) {
                (b'(', Some(b')')) => return self.start_capture(s, p + 2, Length::Position),
                (b'(', _) => return self.start_capture(s, p + 1, Length::Unfinished),
                (b')', _) => return self.end_capture(s, p + 1),
                (b'%', Some(b'b')) => {
                    let Some(end) = self.balanced(s, p + 2)? else { return Ok(None) };
                    (s, p) = (end, p + 4);
                    continue;
                }
                (b'%', Some(b'f')) => {
                    p += 2;
                    if self.at(p) != Some(b'[') {
                        return Err(Failure::Pattern("missing '[' after '%f' in pattern"));
                    }
                    let end = self.class_end(p)?;
                    self.steps.take(end - p)?;
                    let before = s.checked_sub(1).and_then(|before| self.subject.get(before));
                    let next = self.subject.get(s);
                    if self.in_set(before.copied().unwrap_or(0), p, end - 1)
                        || !self.in_set(next.copied().unwrap_or(0), p, end - 1)
                    {
                        return Ok(None);
                    }
                    p = end;
                    continue;
                }
                (b'%', Some(digit)) if digit.is_ascii_digit() => {
                    let Some(end) = self.again(s, digit)? else { return Ok(None) };
                    (s, p) = (end, p + 2);
                    continue;
                }
                (b'$', None) => return Ok((s == self.subject.len()).then_some(s)),
                _ => {}
            }
            let end = self.class_end(p)?;
            self.steps.take(end - p)?;
            let matches = self.matches_one(s, p, end);
            match self.at(end) {
                Some(b'?') => {
                    if matches && let Some(found) = self.run(s + 1, end + 1)? {
                        return Ok(Some(found));
                    }
                    p = end + 1;
                }
                Some(b'*') => return self.most(s, p, end),
                Some(b'+') => return if matches { self.most(s + 1, p, end) } else { Ok(None) },
                Some(b'-') => return self.least(s, p, end),
                _ if !matches => return Ok(None),
                _ => (s, p) = (s + 1, end),
            }
        }
    }

    /// As many repetitions as there are, and fewer if the rest does not match then.
    fn most(&mut self, s: usize, p: usize, end: usize) -> Matched<E> {
        let mut count = 0;
        while self.matches_one(s + count, p, end) {
            self.steps.take(end - p)?;
            count += 1;
        }
        loop {
            if let Some(found) = self.run(s + count, end + 1)? {
                return Ok(Some(found));
            }
            let Some(fewer) = count.checked_sub(1) else { return Ok(None) };
            count = fewer;
        }
    }

    /// As few repetitions as possible.
    fn least(&mut self, mut s: usize, p: usize, end: usize) -> Matched<E> {
        loop {
            if let Some(found) = self.run(s, end + 1)? {
                return Ok(Some(found));
            }
            if !self.matches_one(s, p, end) {
                return Ok(None);
            }
            self.steps.take(end - p)?;
            s += 1;
        }
    }

    fn start_capture(&mut self, s: usize, p: usize, length: Length) -> Matched<E> {
        if self.captures.len() >= MAX_CAPTURES {
            return Err(Failure::Pattern("too many captures"));
        }
        self.captures.push((s, length));
        let found = self.run(s, p)?;
        if found.is_none() {
            self.captures.pop();
        }
        Ok(found)
    }

    fn end_capture(&mut self, s: usize, p: usize) -> Matched<E> {
        let open = self.captures.iter().rposition(|(_, length)| *length == Length::Unfinished);
        let open = open.ok_or(Failure::Pattern("invalid pattern capture"))?;
        self.captures[open].1 = Length::Bytes(s - self.captures[open].0);
        let found = self.run(s, p)?;
        if found.is_none() {
            self.captures[open].1 = Length::Unfinished;
        }
        Ok(found)
    }

    /// `%1`: the text of a capture once more.
    fn again(&mut self, s: usize, digit: u8) -> Matched<E> {
        let index = usize::from(digit).checked_sub(usize::from(b'1'));
        match index.and_then(|index| self.captures.get(index)) {
            None | Some((_, Length::Unfinished)) => Err(Failure::Pattern("invalid capture index")),
            Some((_, Length::Position)) => Ok(None),
            Some(&(at, Length::Bytes(length))) => {
                let text = self.subject.get(at..at + length).unwrap_or_default();
                let rest = self.subject.get(s..).unwrap_or_default();
                Ok(self.steps.begins(rest, text)?.then_some(s + length))
            }
        }
    }

    /// `%b()`.
    fn balanced(&mut self, s: usize, p: usize) -> Matched<E> {
        let (Some(open), Some(close)) = (self.at(p), self.at(p + 1)) else {
            return Err(Failure::Pattern("unbalanced pattern"));
        };
        if self.subject.get(s) != Some(&open) {
            return Ok(None);
        }
        let mut depth = 1_usize;
        for index in s + 1..self.subject.len() {
            self.steps.take(1)?;
            let byte = self.subject[index];
            if byte == close {
                depth -= 1;
                if depth == 0 {
                    return Ok(Some(index + 1));
                }
            } else if byte == open {
                depth += 1;
            }
        }
        Ok(None)
    }

    /// The index after a single character, class or set.
    fn class_end(&self, p: usize) -> Result<usize, Failure<E>> {
        match self.at(p) {
            Some(b'%') if self.at(p + 1).is_none() => {
                Err(Failure::Pattern("malformed pattern (ends with '%')"))
            }
            Some(b'%') => Ok(p + 2),
            Some(b'[') => {
                let mut p = p + 1;
                if self.at(p) == Some(b'^') {
                    p += 1;
                }
                loop {
                    let Some(byte) = self.at(p) else {
                        return Err(Failure::Pattern("malformed pattern (missing ']')"));
                    };
                    p += 1;
                    if byte == b'%' && self.at(p).is_some() {
                        p += 1;
                    }
                    if self.at(p) == Some(b']') {
                        return Ok(p + 1);
                    }
                }
            }
            _ => Ok(p + 1),
        }
    }

    fn matches_one(&self, s: usize, p: usize, end: usize) -> bool {
        let Some(&byte) = self.subject.get(s) else { return false };
        match self.at(p) {
            Some(b'.') => true,
            Some(b'%') => self.at(p + 1).is_some_and(|class| in_class(byte, class)),
            Some(b'[') => self.in_set(byte, p, end - 1),
            other => other == Some(byte),
        }
    }

    /// Whether a byte is in the set from `p`, its bracket, to `last`, the closing one.
    fn in_set(&self, byte: u8, mut p: usize, last: usize) -> bool {
        let mut positive = true;
        if self.at(p + 1) == Some(b'^') {
            positive = false;
            p += 1;
        }
        p += 1;
        while p < last {
            let here = self.at(p).unwrap_or(0);
            if here == b'%' {
                p += 1;
                if in_class(byte, self.at(p).unwrap_or(0)) {
                    return positive;
                }
            } else if self.at(p + 1) == Some(b'-') && p + 2 < last {
                p += 2;
                if here <= byte && byte <= self.at(p).unwrap_or(0) {
                    return positive;
                }
            } else if here == byte {
                return positive;
            }
            p += 1;
        }
        !positive
    }
}

/// The classes, in the locale "C"; upper case negates a class.
fn in_class(byte: u8, class: u8) -> bool {
    let is_in = match class.to_ascii_lowercase() {
        b'a' => byte.is_ascii_alphabetic(),
        b'c' => byte.is_ascii_control(),
        b'd' => byte.is_ascii_digit(),
        b'l' => byte.is_ascii_lowercase(),
        b'p' => byte.is_ascii_punctuation(),
        b's' => matches!(byte, b' ' | b'\t'..=b'\r'),
        b'u' => byte.is_ascii_uppercase(),
        b'w' => byte.is_ascii_alphanumeric(),
        b'x' => byte.is_ascii_hexdigit(),
        b'z' => byte == 0,
        _ => return byte == class,
    };
    is_in == class.is_ascii_lowercase()
}
