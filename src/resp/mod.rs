//! The wire: requests are parsed, replies are written. Nothing here depends on a command.

mod args;
mod byte_string;
mod grisu;
mod long_double;
mod number;
pub mod parse;
pub mod read;
pub mod write;

pub use args::{Args, OwnedRequest, Span, request_bytes, up_to_nul};
pub use byte_string::ByteString;
pub use long_double::LongDouble;
pub use number::{parse_decimal, parse_double, parse_integer, print_double, print_double_in_full};
pub use parse::{Limits, Parser, ProtocolError, Spans};
pub use read::Value;
pub use write::Reply;

/// The version of the protocol that a client speaks.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Protocol {
    /// RESP2, with which every connection begins.
    #[default]
    Resp2,
    /// RESP3, after `HELLO 3`.
    Resp3,
}
