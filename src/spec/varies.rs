//! What of a reply differs between two servers although both are right.

/// What of a reply differs by nature between two servers that have the same data. A session that is compared takes such
/// replies for the same.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Varies {
    /// Nothing, even if the tips of `COMMAND INFO` say otherwise.
    Nothing,
    /// Everything, also whether it is an error.
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
    /// When something expires, or how long it has left. Whether it expires is the same.
    Expiry,
    /// The id of a client. The same client has the same id in all replies.
    ClientId,
    /// The id of a new entry of the stream that the first argument names.
    EntryId,
    /// This of each element.
    Each(&'static Self),
    /// This of the element with this index.
    At(usize, &'static Self),
    /// These values, which follow their names, at any depth; and what is a Unix time in milliseconds.
    Fields(&'static [(&'static str, Self)]),
    /// What differs in the replies of the commands that are run.
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
