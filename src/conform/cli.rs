//! `minibroker record`, `replay`, `compare` and `conform`: their flags, and what they print.

use std::fmt::Display;
use std::fs::File;
use std::future::Future;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

use super::play::{self, Like, conform};
use crate::Version;
use crate::remote::without_login;
use crate::session::{Options, Outcome, PlayError, RecordError, Session, Target, compare, record, replay};

/// The exit status where answers differ, as diff's.
const DIFFERENT: u8 = 1;

const TOOLS: [(&str, &str); 4] = [
    ("record", "Record what clients and a server send each other"),
    ("replay", "Play a session on a server and compare its answers with those recorded"),
    ("compare", "Play a session on minibroker and on another server and compare their answers"),
    ("conform", "Count how many answers of a server equal those of Redis and Valkey"),
];
const VERBOSE: &str =
    "Print all that is sent and received, with <id>, <ms>, <int> and <any> for what differs by nature";
const SERVER: &str = "The server: redis://[user:password@]host[:port][/database], rediss:// for TLS, or \
     unix:/path[?db=1&user=ann&pass=s3cret]";
const ABOUT_RECORD: &str = "\
A proxy for a server that records what its clients send and receive, until Ctrl-C or SIGTERM. \
Bytes pass through as they are. The passwords of AUTH and HELLO are written as <password>; all else that clients send \
is written as it is. A login and a database in the URL are used for every client.";
const ABOUT_REPLAY: &str = "\
Plays a session on a server in its order: each event when all before it have happened. Prints the first answer that is \
not the one in the session. The exit status is 0 if there is none, 1 if there is one, 2 if the session cannot be played. \
What is on the server stays there.";
const ABOUT_COMPARE: &str = "\
Plays a session on a broker of its own and on another server, and prints the first answer in which they differ. The exit \
status is 0 if there is none, 1 if there is one, 2 if the session cannot be played.\n\n\
The broker speaks the version of Redis that is nearest to the one in the server's INFO: 7.0 up to Redis 7.0, \
7.4 up to Redis 7.4 and Valkey 8, 8.0 up to Redis 8.0 and Valkey 9, or else 8.2. The output says which; --compat chooses another.\n\n\
The session uses the database in the URL (default 0) and those that it selects. They have to be empty, or are emptied \
with --flush, and are emptied at the end; nothing else is flushed. Settings that the session changes stay changed.";
const ABOUT_CONFORM: &str = "\
Plays the cases with which minibroker is tested on a server, in RESP2 and RESP3, and prints for each family of commands how \
many answers are as those of Redis 7.0.15, 8.0.6 and 8.2.3 and Valkey 9.1.2, which the program has with it. An answer is all that \
the clients receive in one step of a case. The exit status is 0 if all cases could be played, whatever the answers are, or else 2.\n\n\
All databases are flushed, again and again; settings are changed and set back. A server that is not empty is refused without \
--flush. No other client should use it meanwhile. The recorded servers had --enable-debug-command yes and \
--save \"\", and the default settings otherwise.";
const FORMAT: &str = "\
A session is text, a line an event. # begins a comment; a line that begins with a space continues
the one before.

  ann connect                   a client connects (also when it is first named)
  ann > SUBSCRIBE chat          it sends a request, quoted as in redis-cli
  ann < [\"subscribe\" \"chat\" :1]  a reply or push comes; compare needs none
  ann >> \"PING\\r\\n\"             it sends bytes as they are; << bytes that are no reply come
  ann close                     it closes; closed: the server has closed
  ann wait                      until something has come to it
  pause 100                     milliseconds; idle 100: those of the recording, kept with --idle

Answers: \"string\" +simple -\"ERR error\" :1 $-1 *-1 [array] ~[set] %[key value] >[push]
  _ #t ,1.5 (123 =\"txt:text\" !\"error\"
In place of one: <id> (of a stream), <ms>, <int>, <any>.
  <id:x> gives it the name x, by which a request has it: XACK s g <id:x>
AUTH <password> takes the password of the URL; without one it is left out.

What differs by nature is known: ids, TIME, TTL, INFO, CLIENT ID, the order of
SMEMBERS and more. --verbose shows where.";

#[derive(Parser, Debug)]
#[command(name = "minibroker", version, disable_help_subcommand = true, max_term_width = 100)]
struct Program {
    #[command(subcommand)]
    tool: Tool,
}

/// What the program does with sessions.
#[derive(Subcommand, Debug)]
pub enum Tool {
    /// Record what clients and a server send each other.
    #[command(about = ABOUT_RECORD)]
    Record {
        /// The server.
        #[arg(long, value_name = "URL", help = SERVER)]
        upstream: String,
        /// Where clients connect, by default on 127.0.0.1; port 0 for a free one.
        #[arg(long, value_name = "[HOST:]PORT")]
        listen: String,
        /// The file for the session; one that exists is replaced.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Play a session on a server and compare its answers with those recorded.
    #[command(about = ABOUT_REPLAY, after_help = FORMAT)]
    Replay {
        /// The session.
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// The server.
        #[arg(long, value_name = "URL", help = SERVER)]
        to: String,
        /// The flags that `replay` and `compare` share.
        #[command(flatten)]
        flags: Flags,
        /// Empty the database in the URL first.
        #[arg(long)]
        flush: bool,
    },
    /// Play a session on minibroker and on another server and compare their answers.
    #[command(about = ABOUT_COMPARE, after_help = FORMAT)]
    Compare {
        /// The session.
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// The server.
        #[arg(long, value_name = "URL", help = SERVER)]
        with: String,
        /// The flags that `replay` and `compare` share.
        #[command(flatten)]
        flags: Flags,
        /// Empty the databases that the session uses first.
        #[arg(long)]
        flush: bool,
        /// Version of Redis that minibroker speaks: 7.0, 7.4, 8.0 or 8.2 [default: the nearest to the server's]
        #[arg(long, value_name = "VERSION")]
        compat: Option<Version>,
    },
    /// Count how many answers of a server equal those of Redis and Valkey.
    #[command(about = ABOUT_CONFORM)]
    Conform {
        /// The server.
        #[arg(value_name = "URL", help = SERVER)]
        url: String,
        /// Remove all keys from the server.
        #[arg(long)]
        flush: bool,
        /// Play only this family of commands, such as `lists`.
        #[arg(long, value_name = "NAME")]
        family: Option<String>,
        /// Play only the scenarios with this text in their titles.
        #[arg(long, value_name = "TEXT")]
        only: Option<String>,
        /// Print what differs from a recorded server: redis-7.0, redis-8.0, redis-8.2 or valkey-9.1 [default: the
        /// nearest]
        #[arg(long, value_name = "SERVER", num_args = 0..=1, require_equals = true)]
        differences: Option<Option<String>>,
    },
}

/// The flags that `replay` and `compare` share.
#[derive(Args, Debug)]
pub struct Flags {
    /// Print all differences, not only the first.
    #[arg(long)]
    all: bool,
    /// Print all that is sent and received, with `<any>` and the like for what differs by nature.
    #[arg(long, help = VERBOSE)]
    verbose: bool,
    /// Let as much time pass as when the session was recorded.
    #[arg(long)]
    idle: bool,
    /// How long an answer may take, beyond the time that it took when it was recorded.
    #[arg(long, alias = "patience", value_name = "SECONDS", default_value_t = 10)]
    timeout: u32,
}

impl Tool {
    /// The one that the command line asks for, if it asks for one. An invalid command line, or `--help`, ends the
    /// program.
    #[must_use]
    pub fn given() -> Option<Self> {
        let first = std::env::args_os().nth(1)?;
        let asked = TOOLS.iter().any(|(name, _)| *name == first);
        asked.then(|| Program::parse().tool)
    }

    /// All tools, for a list.
    pub fn all() -> impl Iterator<Item = clap::Command> {
        TOOLS.iter().map(|(name, what)| clap::Command::new(*name).about(*what))
    }

    /// Runs the tool until it is finished or `ended` completes.
    ///
    /// # Errors
    ///
    /// One line on why it failed.
    pub async fn run(self, ended: impl Future<Output = ()>) -> Result<ExitCode, String> {
        match self {
            Self::Record { upstream, listen, out } => {
                let upstream = target("--upstream", &upstream)?;
                let listen = if listen.contains(':') { listen } else { format!("127.0.0.1:{listen}") };
                let ready = |address| {
                    // Standard output may be closed; that does not stop the recording.
                    let mut stdout = io::stdout().lock();
                    let version = env!("CARGO_PKG_VERSION");
                    let _ =
                        writeln!(stdout, "minibroker {version} is ready on {address}, recording {upstream}");
                    let _ = stdout.flush();
                };
                let recorded = record(&upstream, &listen, || File::create(&out), ready, ended).await;
                recorded.map_err(|error| match error {
                    RecordError::Write(error) => {
                        format!("cannot write the recording: {}: {error}", out.display())
                    }
                    other => other.to_string(),
                })?;
                Ok(ExitCode::SUCCESS)
            }
            Self::Replay { file, to, flags, flush } => {
                let to = target("--to", &to)?;
                let (session, options) = (read(&file)?, flags.options(&file, flush));
                let mut out = io::BufWriter::new(io::stdout().lock());
                let replayed = tokio::select! {
                    replayed = replay(&session, &to, &options, &mut out) => replayed,
                    () = ended => return Err("interrupted".into()),
                };
                let outcome = replayed.map_err(|error| failed(&file, &error))?;
                Ok(concluded(out, outcome))
            }
            Self::Compare { file, with, flags, flush, compat } => {
                let with = target("--with", &with)?;
                let (session, options) = (read(&file)?, Options { compat, ..flags.options(&file, flush) });
                let mut out = io::BufWriter::new(io::stdout().lock());
                let compared = compare(&session, &with, &options, &mut out, ended).await;
                let outcome = compared.map_err(|error| failed(&file, &error))?;
                Ok(concluded(out, outcome))
            }
            Self::Conform { url, flush, family, only, differences } => {
                let target = target("URL", &url)?;
                let differences = differences.map(|name| name.map_or(Like::Nearest, Like::Named));
                played(target, play::Options { flush, family, only, differences }, ended).await?;
                Ok(ExitCode::SUCCESS)
            }
        }
    }
}

/// Plays the cases in a thread, because they block. If `ended` completes early, playing ends after the current
/// scenario, when the settings are restored.
async fn played(
    target: Target,
    options: play::Options,
    ended: impl Future<Output = ()>,
) -> Result<(), String> {
    let is_ended = Arc::new(AtomicBool::new(false));
    let until = Arc::clone(&is_ended);
    let mut playing = tokio::task::spawn_blocking(move || {
        let mut out = io::BufWriter::new(io::stdout().lock());
        conform(&target, &options, &mut out, &until)
    });
    let played = tokio::select! {
        played = &mut playing => played,
        () = ended => {
            is_ended.store(true, Ordering::Relaxed);
            playing.await
        }
    };
    played.unwrap_or_else(|error| Err(error.to_string()))
}

impl Flags {
    fn options(&self, file: &Path, flush: bool) -> Options {
        Options {
            title: file.display().to_string(),
            all: self.all,
            verbose: self.verbose,
            idle: self.idle,
            flush,
            timeout: Duration::from_secs(self.timeout.into()),
            compat: None,
        }
    }
}

/// The server that a flag names.
fn target(flag: &str, url: &str) -> Result<Target, String> {
    url.parse().map_err(|error| format!("{flag} {}: {error}", without_login(url)))
}

fn read(file: &Path) -> Result<Session, String> {
    let named = |error: &dyn Display| format!("{}: {error}", file.display());
    let text = std::fs::read_to_string(file).map_err(|error| named(&error))?;
    let session = Session::read(&text).map_err(|error| format!("{}:{error}", file.display()))?;
    for (line, name) in session.names_used_once() {
        // Standard output may be closed; the session is still played.
        let _ = writeln!(
            io::stderr(),
            "{}:{line}: warning: only this line has a client {name:?}; a line `{name} connect` says that it is meant",
            file.display()
        );
    }
    Ok(session)
}

fn failed(file: &Path, error: &PlayError) -> String {
    match error {
        PlayError::At { line, source } => format!("{}:{line}: {source}", file.display()),
        other => other.to_string(),
    }
}

/// Prints the outcome.
fn concluded(mut out: impl Write, outcome: Outcome) -> ExitCode {
    let Outcome { requests, answers, by_nature, differences, compat } = outcome;
    let compat = compat.map(|version| format!("; minibroker as Redis {version}")).unwrap_or_default();
    let by_nature = if by_nature > 0 {
        format!(", {by_nature} of them but for what differs by nature")
    } else {
        String::new()
    };
    // The output may be closed: the exit status gives the result as well.
    let _ = match differences {
        0 => writeln!(
            out,
            "# no difference: {requests} requests, {answers} answers the same{by_nature}{compat}"
        ),
        1 => writeln!(out, "# 1 difference: {requests} requests, {answers} answers"),
        _ => writeln!(out, "# {differences} differences: {requests} requests, {answers} answers"),
    };
    let _ = out.flush();
    if differences == 0 { ExitCode::SUCCESS } else { ExitCode::from(DIFFERENT) }
}
