//! The interface of scripts to the engine.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Mutex, MutexGuard};

use super::errors::Place;
use super::memory::MEMORY;
use crate::clients::ClientKey;
use crate::config::Version;
use crate::engine::Shell;
use crate::resp::OwnedRequest;
use crate::resp::Span;
use crate::resp::{Args, Protocol};
use crate::spec::Error;

/// The request that a script is making, in buffers that are reused.
#[derive(Debug, Default)]
pub(super) struct Request {
    pub bytes: Vec<u8>,
    pub spans: Vec<Span>,
    pub reply: Vec<u8>,
}

/// Runs the commands of a script.
pub(in crate::engine) trait Host: Send + 'static {
    /// Runs a command and appends its reply, which may be an error. A command that a script may not run is an error
    /// that the statistics have counted already.
    fn call(&mut self, args: Args<'_>, run: &mut Run, reply: &mut Vec<u8>) -> Result<(), Error>;

    /// Whether the user of this client may call a command so; none if there is no such command.
    fn permits(&self, client: ClientKey, args: Args<'_>) -> Option<bool>;

    /// How long the broker has been running, in seconds.
    fn uptime(&self) -> f64;

    /// The version of Redis that is emulated.
    fn version(&self) -> Version;

    /// Checks a script that has run for some more instructions.
    fn check(&mut self, run: &mut Run, called: &Called) -> Checked;
}

/// The result of checking a script.
pub(in crate::engine) enum Checked {
    /// It continues.
    Continue,
    /// It ends with this error.
    End(String),
    /// It continues after other clients have been served and it has been checked again.
    ServeOthers(Arc<dyn Shell>),
}

/// The function that runs and the command that has called it, in buffers that are reused.
#[derive(Debug, Default)]
pub(in crate::engine) struct Called {
    bytes: Vec<u8>,
    /// The name of the function, and the arguments of the command; empty if no function runs.
    spans: Vec<Span>,
}

impl Called {
    /// The capacity that the buffer keeps after a long command.
    const KEPT: usize = 16 * 1024;

    /// Records that no function runs.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.spans.clear();
        self.bytes.shrink_to(Self::KEPT);
    }

    /// Records that this function runs.
    pub fn set(&mut self, name: &[u8], args: Args<'_>) {
        self.clear();
        for text in std::iter::once(name).chain(args.iter()) {
            let start = self.bytes.len();
            self.bytes.extend_from_slice(text);
            self.spans.push(Span { start, end: self.bytes.len() });
        }
    }

    /// The function and the command.
    pub fn function(&self) -> Option<(Vec<u8>, OwnedRequest)> {
        let (name, command) = self.spans.split_first()?;
        let text = |span: &Span| self.bytes.get(span.start..span.end).unwrap_or_default();
        Some((text(name).to_vec(), OwnedRequest::new(command.iter().map(text))))
    }
}

/// The limits of scripts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// After how many instructions a script is ended if no shell measures its time.
    pub instructions: u64,
    /// How many bytes all scripts together may use.
    pub memory: usize,
}

impl Default for Bounds {
    /// The instructions take some seconds, about the five after which redis-server calls a script busy.
    fn default() -> Self {
        Self { instructions: 500_000_000, memory: MEMORY }
    }
}

/// The permissions of a script.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::engine) struct Access {
    /// It may not write.
    pub read_only: bool,
    /// It may write when the server's memory is full.
    pub allow_oom: bool,
}

impl Access {
    /// Only reading is allowed.
    pub const READ: Self = Self { read_only: true, allow_oom: false };
}

/// One run of a script.
#[derive(Clone, Debug)]
pub(in crate::engine) struct Run {
    /// The client that has sent it.
    pub client: ClientKey,
    /// The protocol that the script has chosen for its replies.
    pub protocol: Protocol,
    /// The total length of its keys and arguments.
    pub bytes: usize,
    /// What it may do.
    pub access: Access,
    /// It has written.
    pub has_written: bool,
    /// How often it has asked for the time.
    pub times_asked: u32,
    /// How many instructions it has run, approximately.
    pub instructions: u64,
    /// After how many instructions it is ended if no shell measures its time.
    pub instructions_max: u64,
    /// When it was checked first, by the clock of the shell.
    pub started: Option<Duration>,
    /// It loads a library.
    pub loads: bool,
    /// Where it was when it was ended.
    pub ended_at: Option<Place>,
    /// Why and where it has failed.
    pub failure: Option<Failure>,
}

impl Run {
    pub fn new(client: ClientKey, access: Access) -> Self {
        Self {
            client,
            protocol: Protocol::Resp2,
            bytes: 0,
            access,
            has_written: false,
            times_asked: 0,
            instructions: 0,
            started: None,
            loads: false,
            instructions_max: u64::MAX,
            ended_at: None,
            failure: None,
        }
    }
}

/// Why and where a script has failed.
#[derive(Clone, Debug)]
pub(in crate::engine) struct Failure {
    /// The text, with its code.
    pub text: Vec<u8>,
    /// The statistics have counted it already.
    pub counted: bool,
    pub place: Option<Place>,
}

/// What the functions of a running script share.
pub(super) struct Inside<H> {
    /// The host itself while a script runs, and otherwise a stand-in.
    pub host: H,
    pub run: Run,
    pub request: Request,
    pub called: Called,
}

/// Contains the host while a script runs.
pub(super) struct Slot<H>(Mutex<Inside<H>>);

impl<H> Slot<H> {
    pub fn new(stand_in: H) -> Self {
        let run = Run::new(ClientKey::NONE, Access::READ);
        Self(Mutex::new(Inside {
            host: stand_in,
            run,
            request: Request::default(),
            called: Called::default(),
        }))
    }

    pub fn lock(&self) -> MutexGuard<'_, Inside<H>> {
        self.0.lock()
    }
}
