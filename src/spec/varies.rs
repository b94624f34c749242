//! How a reply differs between two servers although both are right.

/// How a reply differs by nature between two servers with the same data. The comparison of sessions treats such replies
/// as equal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Varies {
    /// Nothing, even if the tips of `COMMAND INFO` say otherwise.
    Nothing,
    /// Everything, even whether it is an error.
    All,
    /// Everything but the type. This is also what the tip `nondeterministic_output` means.
    AllButType,
    /// The order of the elements. This is also what the tip `nondeterministic_output_order` means.
    Order,
    /// The order of fields, each followed by its value.
    PairOrder,
    /// The order of libraries, and of the functions of each.
    LibraryOrder,
    /// The cursor, and the order of the elements.
    Cursor,
    /// The cursor, and the order of pairs; of single elements if an option of the request is this word.
    PairCursor {
        /// The option in upper case.
        unless: &'static str,
    },
    /// A point in time, or a time span.
    Time,
    /// A number.
    Number,
    /// When something expires, or its time to live. Whether it expires is the same.
    Expiry,
    /// The id of a client. The same client has the same id in all replies.
    ClientId,
    /// The id of a new entry of the stream that the first argument names.
    EntryId,
    /// This for each element.
    Each(&'static Self),
    /// This for the element with this index.
    At(usize, &'static Self),
    /// These values, which follow their names, at any depth; and every Unix time in milliseconds.
    Fields(&'static [(&'static str, Self)]),
    /// The differences in the replies of the commands that are run.
    Queued,
    /// Time and address in the lines that MONITOR sends.
    MonitorLine,
}

impl Varies {
    /// Whether the id of a client is part of the reply.
    #[must_use]
    pub fn has_client_id(self) -> bool {
        match self {
            Self::ClientId => true,
            Self::Each(part) | Self::At(_, part) => part.has_client_id(),
            Self::Fields(fields) => fields.iter().any(|(_, part)| part.has_client_id()),
            _ => false,
        }
    }
}
