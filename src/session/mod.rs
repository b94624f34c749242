//! Sessions: what several clients send to a server and receive from it, as text that can be recorded, written by hand,
//! replayed, and played on two servers to compare them. The programs `minibroker record`, `replay` and `compare` work
//! on them; their code is here, enabled by the feature `cli`.
//!
//! ```
//! use minibroker::internal::session::Session;
//!
//! let session = Session::read(r#"
//! ann > SUBSCRIBE chat
//! ann < ["subscribe" "chat" :1]
//! bob > PUBLISH chat "hello there"
//! ann < ["message" "chat" "hello there"]
//! bob < :1
//! "#)?;
//! assert_eq!(session.names, ["ann", "bob"]);
//! # Ok::<(), minibroker::internal::session::FormatError>(())
//! ```
//!
//! # The format
//!
//! Text in UTF-8, one event a line, in the order in which they happened. A line that begins with `#` is a comment. A
//! line that begins with a space continues the one before; within a string a backslash at the end of the line does
//! the same. Connections have short names of letters, digits, `_`, `-` and `.`; recordings call them c1, c2 and so on.
//!
//! | line | what happens |
//! |---|---|
//! | `ann connect` | A client connects. A client that is named for the first time, or again after it was closed, connects automatically. |
//! | `ann > SET k "a b\x00"` | It sends a request, as an array of bulk strings. Arguments are quoted as in redis-cli: `"..."` with the escapes `\n \r \t \a \b \" \\ \x00`, `'...'` without. |
//! | `ann < "v"` | It receives a reply or a push. |
//! | `ann >> "PING\r\n"` | It sends bytes as they are: inline requests, parts of requests, and invalid bytes. |
//! | `ann << "..."` | It receives bytes that are not a reply. |
//! | `ann close` | It closes the connection. |
//! | `ann closed` | The server has closed it. |
//! | `ann wait` | Nothing else happens until it has received something that does not answer what it sent before its last request. |
//! | `pause 100` | 100 milliseconds pass. |
//! | `idle 100` | 100 milliseconds had passed when this was recorded. They pass again with `--idle`. |
//!
//! Each answer begins with the byte that it has on the wire, so that the versions of the protocol show. Bulk strings
//! have quotes and no `$`, arrays brackets and no `*`:
//!
//! | answer | what it is |
//! |---|---|
//! | `"text"` | a bulk string |
//! | `+OK`, `-"ERR no"` | a simple string, an error; in quotes where there is more than letters, digits and signs |
//! | `:1` | an integer |
//! | `$-1`, `*-1`, `_` | null string and null array of RESP2, null of RESP3 |
//! | `["a" :1]` | an array |
//! | `~["a"]`, `%["key" "value"]` | a set, a map; an attribute is written as a map, with the sign that it has on the wire |
//! | `>["message" "chat" "hello"]` | a push of RESP3 |
//! | `,1.5`, `#t`, `(123` | a double, a boolean, a big number |
//! | `="txt:text"`, `!"ERR no"` | a verbatim string, a long error |
//!
//! An answer, or an element of one, may be replaced by `<id>` (the id of an entry of a stream), `<ms>` (a time or a
//! span of time: digits), `<int>` (an integer) or `<any>`. With a name, a later request can use the received value:
//!
//! ```text
//! bob > XADD log * who ann
//! bob < <id:first>
//! bob > XACK log readers <id:first>
//! ```
//!
//! A named placeholder may be a part of an argument: `(<id:first>`. Text that should be sent literally goes into
//! quotes.
//!
//! # Passwords
//!
//! A recording has `<password>` in place of the passwords of AUTH and HELLO; everything else that clients send is
//! recorded unchanged, including the settings of CONFIG SET and ACL SETUSER. When a session is played, `<password>` is
//! the password in the address. A connection whose first request is neither AUTH nor HELLO with AUTH logs in by itself.
//! If the address has no password, the session's AUTH with `<password>` is left out, and HELLO does not log in.
//!
//! # Playing
//!
//! [`replay()`] plays each event when all events before it have happened: clients have received everything that they
//! received in the session, and all earlier requests have run, including those without an answer (a client that blocks
//! in BLPOP is blocked before the next one acts). Requests without another event between them are sent in one piece.
//!
//! [`compare()`] plays on an embedded broker and on a server in step. It needs no answers in the session; if there are
//! any, it waits until both servers have sent as many, and learns from them which ids of the session correspond to
//! which. Requests of one client with no event of another between them are sent in one piece. The broker speaks the
//! version of Redis that is nearest to what the server says in INFO that it is, unless [`Options::compat`] names one:
//! 7.0 up to Redis 7.0, 7.4 up to Redis 7.4 and Valkey 8, 8.0 up to Redis 8.0 and Valkey 9, or else 8.2. The output
//! says which: `minibroker 0.2.0 (as Redis 7.0)`.
//!
//! Both compare byte by byte, except for [what differs by nature](rules).

mod compare;
pub mod conversation;
pub mod format;
pub mod frame;
mod pass;
mod peer;
mod play;
mod record;
mod replay;
pub mod rules;
mod server;

pub use crate::remote::{RemoteError, Target, Transport, UrlError};
pub use compare::compare;
pub use format::{Action, Argument, Event, FormatError, Session};
pub use frame::{Frame, Placeholder, PlaceholderKind};
pub use play::{Options, Outcome, PlayError};
pub use record::{RecordError, record};
pub use replay::replay;
pub use server::ServerError;

/// The name and version of a server from this section of INFO, as `Redis 7.0.15`.
#[must_use]
pub(crate) fn server_name(info: &str) -> String {
    peer::Peer::read(info).name
}
