//! The arguments of one request, as slices of the buffer that they arrived in.

use std::ops::Index;

/// The position of an argument in its buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Offset of the first byte.
    pub start: usize,
    /// Offset after the last byte.
    pub end: usize,
}

/// The arguments of a request; the first is the command's name. Copying it copies two references.
#[derive(Clone, Copy)]
pub struct Args<'a> {
    buffer: &'a [u8],
    spans: &'a [Span],
}

impl<'a> Args<'a> {
    /// The arguments at `spans` of `buffer`. Spans that reach outside of it read as empty.
    #[must_use]
    #[inline]
    pub fn new(buffer: &'a [u8], spans: &'a [Span]) -> Self {
        Self { buffer, spans }
    }

    /// The number of arguments, the name included.
    #[must_use]
    #[inline]
    pub fn len(&self) -> usize {
        self.spans.len()
    }

    /// True if there are no arguments, not even a name.
    #[must_use]
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// The argument at `index`, if there is one.
    #[must_use]
    #[inline]
    pub fn get(&self, index: usize) -> Option<&'a [u8]> {
        let span = self.spans.get(index)?;
        debug_assert!(span.end <= self.buffer.len(), "an argument is outside its buffer");
        Some(self.buffer.get(span.start..span.end).unwrap_or_default())
    }

    /// All arguments in their order.
    #[must_use]
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &'a [u8]> + ExactSizeIterator + Clone + use<'a> {
        let buffer = self.buffer;
        self.spans.iter().map(move |span| buffer.get(span.start..span.end).unwrap_or_default())
    }

    /// The arguments from `from` on; none if there are fewer.
    #[must_use]
    #[inline]
    pub fn from(&self, from: usize) -> Self {
        self.range(from, self.spans.len())
    }

    /// The arguments from `from` up to, not including, `to`; none where there are fewer.
    #[must_use]
    #[inline]
    pub fn range(&self, from: usize, to: usize) -> Self {
        let to = to.min(self.spans.len());
        Self { buffer: self.buffer, spans: self.spans.get(from.min(to)..to).unwrap_or_default() }
    }

    /// The sum of the lengths of all arguments, in bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.spans.iter().map(|span| span.end - span.start).sum()
    }

    /// A copy that outlives the buffer.
    #[must_use]
    pub fn to_owned(&self) -> OwnedRequest {
        OwnedRequest::new(self.iter())
    }
}

impl Index<usize> for Args<'_> {
    type Output = [u8];

    /// The argument at `index`; the empty string if there are fewer, so that no request can cause a panic.
    fn index(&self, index: usize) -> &[u8] {
        self.get(index).unwrap_or_default()
    }
}

/// A request that is kept: queued in a transaction, waiting for a key, or made by the embedding program.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OwnedRequest {
    buffer: Box<[u8]>,
    spans: Box<[Span]>,
}

impl OwnedRequest {
    /// A request of these arguments.
    pub fn new<A: AsRef<[u8]>>(arguments: impl IntoIterator<Item = A>) -> Self {
        let mut buffer = Vec::new();
        let mut spans = Vec::new();
        for argument in arguments {
            let start = buffer.len();
            buffer.extend_from_slice(argument.as_ref());
            spans.push(Span { start, end: buffer.len() });
        }
        Self { buffer: buffer.into(), spans: spans.into() }
    }

    /// The arguments.
    #[must_use]
    pub fn args(&self) -> Args<'_> {
        Args::new(&self.buffer, &self.spans)
    }
}

/// A request as every client library sends it: an array of bulk strings.
#[must_use]
pub fn request_bytes<A: AsRef<[u8]>>(arguments: &[A]) -> Vec<u8> {
    let mut out = format!("*{}\r\n", arguments.len()).into_bytes();
    for argument in arguments {
        let argument = argument.as_ref();
        out.extend_from_slice(format!("${}\r\n", argument.len()).as_bytes());
        out.extend_from_slice(argument);
        out.extend_from_slice(b"\r\n");
    }
    out
}

/// The bytes before the first NUL: redis-server treats words that it compares or repeats as C strings.
#[must_use]
pub fn up_to_nul(text: &[u8]) -> &[u8] {
    text.split(|byte| *byte == 0).next().unwrap_or_default()
}
