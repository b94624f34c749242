//! The context in which a command runs.

use super::error::Error;
use super::{Command, Table, numbers};
use crate::clients::waiters::{Reason, Wanted};
use crate::clients::{Client, ClientKey, Rights};
use crate::data::value::Type;
use crate::data::{Bytes, Deadline, present};
use crate::resp::{Args, OwnedRequest, Reply};
use crate::state::State;

/// The result of a command: nothing, as its reply is written, or the error that is its reply.
pub type Outcome = Result<(), Error>;

/// The context in which a command runs.
pub struct Context<'a> {
    /// The request; the command's name is argument 0.
    pub args: Args<'a>,
    /// Where the reply goes.
    pub reply: Reply<'a>,
    /// All state. [`State::db`] is the client's database.
    pub state: &'a mut State,
    /// The client that has sent the request.
    pub client: ClientKey,
    /// The row of the table.
    pub command: &'static Command,
    /// False in a transaction, where a command that finds nothing replies as after its timeout.
    pub may_block: bool,
    /// Set by [`Context::block`].
    pub wait: Option<Box<Wait>>,
}

/// The wait of a command that found nothing.
#[derive(Debug)]
pub struct Wait {
    /// Why it waits.
    pub reason: Reason,
    /// The keys.
    pub keys: Vec<Bytes>,
    /// When the wait times out; none if never. A command that is run again after waiting keeps the deadline of
    /// its first run.
    pub deadline: Option<Deadline>,
    /// The request to run when a key is ready, if not the request itself.
    pub request: Option<OwnedRequest>,
    /// What it waits for, if it reads streams and waits only for new entries.
    pub wanted: Option<Wanted>,
}

impl Wait {
    /// A wait for something other than a key.
    #[must_use]
    pub const fn without_keys(reason: Reason, deadline: Option<Deadline>) -> Self {
        Self { reason, keys: Vec::new(), deadline, request: None, wanted: None }
    }
}

impl Context<'_> {
    /// The client that has sent the request.
    ///
    /// # Errors
    ///
    /// Never: the client is present while its command runs. A build without debug assertions returns an error if
    /// it is not.
    pub fn client(&mut self) -> Result<&mut Client, Error> {
        present(self.state.clients.get_mut(self.client)).ok_or(Error::NO_SUCH_CLIENT)
    }

    /// Whether the user of the client may read all keys by this command.
    #[must_use]
    pub fn may_read_all_keys(&self) -> bool {
        let client = self.state.clients.get(self.client).filter(|client| client.rights != Rights::All);
        let user = client.and_then(|client| self.state.users.get(client.user));
        user.is_none_or(|user| user.may_read_all_keys(self.command.index(), self.args.get(1)))
    }

    /// The rows of all commands.
    #[must_use]
    pub fn table(&self) -> &'static Table {
        self.command.table()
    }

    /// The command waits for one of these keys to have a value of this type: it is run again when one does, and
    /// replies with the null array at the deadline. If it may not wait, as in a transaction, it replies so at
    /// once. Nothing may have been written to the reply, and the command must return directly afterwards.
    pub fn block<'k>(
        &mut self,
        kind: Type,
        keys: impl IntoIterator<Item = &'k [u8]>,
        deadline: Option<Deadline>,
    ) {
        if self.may_block {
            let keys = keys.into_iter().map(Bytes::from).collect();
            self.wait = Some(Box::new(Wait {
                reason: Reason::Key(kind),
                keys,
                deadline,
                request: None,
                wanted: None,
            }));
        } else {
            self.reply.null_array();
        }
    }

    /// Reads the timeout of a blocking command, in seconds as a decimal number, and returns the deadline; none
    /// for 0, which means for ever.
    ///
    /// # Errors
    ///
    /// Not a number, negative, or out of range.
    pub fn deadline_from_seconds(&self, text: &[u8]) -> Result<Option<Deadline>, Error> {
        numbers::deadline_from_seconds(text, self.state.now, self.state.config.compat)
    }
}
