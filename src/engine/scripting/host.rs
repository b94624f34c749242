//! What scripts call back into.

use parking_lot::{Mutex, MutexGuard};

use crate::clients::ClientKey;
use crate::config::Version;
use crate::resp::Span;
use crate::resp::{Args, Protocol};
use crate::spec::Error;

/// The request that a script is making, in buffers that stay.
#[derive(Debug, Default)]
pub(super) struct Request {
    pub bytes: Vec<u8>,
    pub spans: Vec<Span>,
    pub reply: Vec<u8>,
}

/// Who runs the commands of a script.
pub(in crate::engine) trait Host: Send + 'static {
    /// Runs a command and appends its reply, which may be an error. A command that a script may not run is an error
    /// that the statistics have counted already.
    fn call(&mut self, args: Args<'_>, run: &mut Run, reply: &mut Vec<u8>) -> Result<(), Error>;

    /// Whether there is such a command.
    fn knows(&self, args: Args<'_>) -> bool;

    /// How long the broker has been running, in seconds.
    fn uptime(&self) -> f64;

    /// Which version of Redis is spoken.
    fn version(&self) -> Version;
}

/// How many instructions a script may take, and the error that ends it. It keeps everybody waiting meanwhile: this is some
/// seconds, about the five after which redis-server calls a script busy.
const LIMIT: (u64, &str) = (500_000_000, "ERR Script ended by minibroker after 500000000 instructions");

/// One run of a script.
#[derive(Clone, Debug)]
pub(in crate::engine) struct Run {
    /// Who has sent it.
    pub client: ClientKey,
    /// What the script has asked for its replies.
    pub protocol: Protocol,
    /// It may not write.
    pub read_only: bool,
    /// It has written.
    pub has_written: bool,
    /// How often it has asked for the time.
    pub times_asked: u32,
    /// How many instructions it has run, a few more or less.
    pub instructions: u64,
    /// After how many instructions it is ended, and what is said then.
    pub limit: (u64, &'static str),
    /// Why and where it has failed.
    pub failure: Option<Failure>,
}

impl Run {
    pub fn new(client: ClientKey, read_only: bool) -> Self {
        Self {
            client,
            protocol: Protocol::Resp2,
            read_only,
            has_written: false,
            times_asked: 0,
            instructions: 0,
            limit: LIMIT,
            failure: None,
        }
    }
}

/// What ends a script before its end.
#[derive(Clone, Debug)]
pub(in crate::engine) struct Failure {
    /// The text, with its code.
    pub text: Vec<u8>,
    /// The statistics have it already.
    pub counted: bool,
    /// The source and the line.
    pub place: Option<(String, i64)>,
}

/// What the functions of a running script share.
#[derive(Debug)]
pub(super) struct Inside<H> {
    /// While a script runs the host itself, and else what stands in for it.
    pub host: H,
    pub run: Run,
    pub request: Request,
}

/// Where the host is while a script runs.
#[derive(Debug)]
pub(super) struct Slot<H>(Mutex<Inside<H>>);

impl<H> Slot<H> {
    pub fn new(stand_in: H) -> Self {
        let run = Run::new(ClientKey(usize::MAX), true);
        Self(Mutex::new(Inside { host: stand_in, run, request: Request::default() }))
    }

    pub fn lock(&self) -> MutexGuard<'_, Inside<H>> {
        self.0.lock()
    }
}
