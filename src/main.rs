//! The broker as a program of its own: `minibroker --port 6380`.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::process::{ExitCode, ExitStatus};
use std::time::Duration;

use clap::{Arg, ArgMatches, Args, CommandFactory, FromArgMatches, Parser, Subcommand};
#[cfg(feature = "tls")]
use minibroker::Builder;
use minibroker::internal::commands::config;
use minibroker::internal::conform::cli::Tool;
use minibroker::{Broker, DEFAULT_JOURNAL_LIMIT, StartError, Version, Watch};
use tokio::process::{Child, Command};
use tokio::sync::oneshot;

/// The port of `minibroker` without a subcommand, as that of redis-server.
const PORT: u16 = 6379;
/// The exit status when the program itself fails, as that of clap for a wrong flag.
const FAILED: u8 = 2;
/// The exit statuses for a command that cannot be run or does not exist, as in shells.
const CANNOT_RUN: u8 = 126;
const NOT_FOUND: u8 = 127;
/// How many files the program needs besides those of clients: redis-server's `CONFIG_MIN_RESERVED_FDS`.
#[cfg(unix)]
const OTHER_FILES: u64 = 32;
/// The limit of open files that is always requested, so that CONFIG SET can raise `maxclients`. A higher one would be
/// inherited by the command of `minibroker run`, and some programs iterate over all files that they may have open.
#[cfg(unix)]
const FILES: u64 = 65_536;
/// How long the program waits at its end until the last lines of `--verbose` are read.
const LAST_LINES: Duration = Duration::from_secs(1);
/// The number that shells add to the signal that has ended a command.
const SIGNALLED: i32 = 128;

const ABOUT: &str = "\
A broker that speaks the Redis protocol, for testing chats and queues. Clients of Redis use it unchanged. It keeps \
everything in memory and forgets it at the end, which is Ctrl-C or SIGTERM, unless a client saves it.";
const USAGE: &str = "\
minibroker [OPTIONS]
       minibroker run [OPTIONS] -- COMMAND [ARGUMENT]...
       minibroker record|replay|compare|conform --help";
const ABOUT_RUN: &str = "\
Starts a broker, by default on a free port, runs one command, and stops the broker when the command has ended. \
The command finds the broker by REDIS_URL, REDIS_HOST and REDIS_PORT. The exit status is the command's, or 128 plus \
the number of the signal that has ended it; 127 if there is no such command. Ctrl-C and SIGTERM are passed on to the command.";
const MORE: &str = "\
Other settings of redis.conf that CONFIG SET takes are flags as well, by their names: \
--notify-keyspace-events KEA, --protected-mode no, --save ''.";
const USAGE_RUN: &str = "minibroker run [OPTIONS] -- COMMAND [ARGUMENT]...";
const HELP_RUN: &str = "{before-help}{usage-heading} {usage}\n\n{all-args}{after-help}\n";

#[derive(Parser, Debug)]
#[command(version, about = ABOUT, after_help = MORE, override_usage = USAGE, max_term_width = 100)]
#[command(subcommand_precedence_over_arg = true, disable_help_subcommand = true)]
struct Program {
    #[command(flatten)]
    options: Options,
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Subcommand, Debug)]
enum Action {
    /// Start a broker, run one command and stop the broker.
    #[command(before_help = ABOUT_RUN, after_help = MORE)]
    #[command(override_usage = USAGE_RUN, help_template = HELP_RUN)]
    Run {
        /// The command and its arguments.
        #[arg(required = true, last = true, value_name = "COMMAND")]
        command: Vec<OsString>,
    },
}

#[derive(Args, Debug)]
struct Options {
    /// TCP port to listen on, 0 for a free one [default: 6379; for `run` 0]
    #[arg(long, global = true)]
    port: Option<u16>,
    /// Addresses or names to listen on, `*` for all; any client that reaches them can use the broker.
    #[arg(long, global = true, value_name = "ADDRESS", default_value = "127.0.0.1")]
    #[arg(num_args = 1.., value_parser = address)]
    bind: Vec<IpAddr>,
    /// Unix socket to listen on as well.
    #[cfg(unix)]
    #[arg(long, global = true, value_name = "PATH")]
    unixsocket: Option<PathBuf>,
    /// TCP port that speaks TLS, 0 for a free one. With it `--port 0` is no plain port, as in redis-server.
    #[cfg(feature = "tls")]
    #[arg(long, global = true, value_name = "PORT")]
    tls_port: Option<u16>,
    /// Folder for certificates that the broker makes for TLS: ca.crt, server.crt and .key, client.crt and .key.
    #[cfg(feature = "tls")]
    #[arg(long, global = true, value_name = "DIR", requires = "tls_port")]
    #[arg(conflicts_with_all = ["tls_cert_file", "tls_key_file", "tls_ca_cert_file"])]
    tls_dir: Option<PathBuf>,
    /// The server's certificate for TLS, in PEM.
    #[cfg(feature = "tls")]
    #[arg(long, global = true, value_name = "FILE")]
    tls_cert_file: Option<String>,
    /// The private key of the certificate, in PEM.
    #[cfg(feature = "tls")]
    #[arg(long, global = true, value_name = "FILE")]
    tls_key_file: Option<String>,
    /// The authorities of clients' certificates, in PEM.
    #[cfg(feature = "tls")]
    #[arg(long, global = true, value_name = "FILE")]
    tls_ca_cert_file: Option<String>,
    /// Whether clients must show a certificate: yes, no or optional [default: yes; with --tls-dir no]
    #[cfg(feature = "tls")]
    #[arg(long, global = true, value_name = "WHETHER")]
    tls_auth_clients: Option<String>,
    /// Password that clients must give.
    #[arg(long, global = true, value_name = "PASSWORD")]
    requirepass: Option<String>,
    /// A user, with the rules of ACL SETUSER: "ann on >secret ~chat:* +@read"; may be repeated.
    #[arg(long, global = true, value_name = "NAME RULES", value_parser = user)]
    user: Vec<(String, String)>,
    /// File of users, for ACL LOAD and ACL SAVE.
    #[arg(long, global = true, value_name = "FILE")]
    aclfile: Option<PathBuf>,
    /// RDB file of Redis or Valkey to start with; it is not written.
    #[arg(long, global = true, value_name = "FILE")]
    load: Option<PathBuf>,
    /// File that SAVE and BGSAVE write, and with which the broker starts if it exists.
    #[arg(long, global = true, value_name = "NAME", value_parser = file_name)]
    dbfilename: Option<PathBuf>,
    /// Folder of that file [default: the working directory]
    #[arg(long, global = true, value_name = "FOLDER", requires = "dbfilename")]
    dir: Option<PathBuf>,
    /// Number of databases.
    #[arg(long, global = true, value_name = "NUMBER", default_value_t = 16)]
    #[arg(value_parser = clap::value_parser!(u16).range(1..))]
    databases: u16,
    /// Maximum number of clients.
    #[arg(long, global = true, value_name = "NUMBER", default_value_t = 10_000)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..))]
    maxclients: u32,
    /// Version of Redis to speak: 7.0, 7.4, 8.0 or 8.2.
    #[arg(long, global = true, value_name = "VERSION", default_value_t)]
    compat: Version,
    /// Seed of all random choices, to repeat a run.
    #[arg(long, global = true, value_name = "NUMBER")]
    seed: Option<u64>,
    /// File that holds the port while the broker listens, for scripts.
    #[arg(long, global = true, value_name = "FILE")]
    port_file: Option<PathBuf>,
    /// Let clients control the broker with the command MINIBROKER; MINIBROKER HELP lists what it can do.
    #[arg(long, global = true)]
    control: bool,
    /// Stop the clock: only MINIBROKER ADVANCE and SETTIME move it.
    #[arg(long, global = true, requires = "control")]
    manual_clock: bool,
    /// Print each command to standard error when it arrives.
    #[arg(long, global = true)]
    verbose: bool,
    /// What was given of [`settings`], with the names.
    #[arg(skip)]
    others: Vec<(String, String)>,
}

/// The name of a user, and the rules behind it.
fn user(text: &str) -> Result<(String, String), String> {
    let (name, rules) = text.split_once(' ').unwrap_or((text, ""));
    if name.is_empty() {
        Err("the name is missing".to_owned())
    } else {
        Ok((name.to_owned(), rules.to_owned()))
    }
}

/// The name of a file without its folder, as in redis.conf.
fn file_name(text: &str) -> Result<PathBuf, String> {
    if Path::new(text).file_name().is_some_and(|name| name == text) {
        Ok(text.into())
    } else {
        Err("dbfilename can't be a path, just a filename".to_owned())
    }
}

/// Flags for the settings that [`Options`] does not name.
fn settings() -> impl Iterator<Item = Arg> {
    let named = Program::command();
    let is_named = move |name| named.get_arguments().any(|flag| flag.get_long() == Some(name));
    config::names().filter(move |name| !is_named(name)).map(|name| {
        let flag = Arg::new(name).long(name).global(true).hide(true);
        // A value may consist of several words.
        flag.num_args(1..).allow_negative_numbers(true)
    })
}

/// The settings given by these flags.
fn others(matches: &ArgMatches) -> Vec<(String, String)> {
    let given = |flag: Arg| {
        let name = flag.get_id().as_str();
        let words: Vec<&str> = matches.get_many::<String>(name)?.map(String::as_str).collect();
        Some((name.to_owned(), words.join(" ")))
    };
    settings().filter_map(given).collect()
}

/// An address to listen on, as in redis.conf.
fn address(text: &str) -> Result<IpAddr, String> {
    if text == "*" {
        return Ok(Ipv4Addr::UNSPECIFIED.into());
    }
    if let Ok(ip) = text.parse() {
        return Ok(ip);
    }
    let mut found = (text, 0).to_socket_addrs().map_err(|error| error.to_string())?;
    found.next().map(|found| found.ip()).ok_or_else(|| "it has no address".into())
}

fn main() -> ExitCode {
    let outcome = match Tool::given() {
        Some(tool) => with_sessions(tool),
        None => with_broker(),
    };
    outcome.unwrap_or_else(|failure| {
        // Standard error may be closed; the exit status reports the failure as well.
        let _ = writeln!(io::stderr(), "minibroker: {}", failure.text);
        ExitCode::from(failure.status)
    })
}

/// `minibroker` and `minibroker run`.
fn with_broker() -> Result<ExitCode, Failure> {
    let matches = Program::command().args(settings()).subcommands(Tool::all()).get_matches();
    let mut program = Program::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    program.options.others = others(&matches);
    match program.action {
        None => serve(&program.options),
        Some(Action::Run { command }) => run(&program.options, &command),
    }
}

/// `minibroker record`, `replay`, `compare` and `conform`, which have flags of their own.
fn with_sessions(tool: Tool) -> Result<ExitCode, Failure> {
    runtime()?.block_on(async {
        let mut signals = Signals::new()?;
        let ended = async {
            let _ = signals.next().await;
        };
        tool.run(ended).await.map_err(|text| Failure { text, status: FAILED })
    })
}

/// An error that ends the program early: one line for its user, and the exit status.
#[derive(Debug)]
struct Failure {
    text: String,
    status: u8,
}

impl Failure {
    fn new(doing: impl fmt::Display, error: impl fmt::Display) -> Self {
        Self { text: format!("{doing}: {error}"), status: FAILED }
    }

    fn of_command(program: &OsStr, error: &io::Error) -> Self {
        let status = match error.kind() {
            io::ErrorKind::NotFound => NOT_FOUND,
            _ => CANNOT_RUN,
        };
        Self { status, ..Self::new(format_args!("cannot run {}", program.display()), error) }
    }
}

impl From<StartError> for Failure {
    fn from(error: StartError) -> Self {
        Self { text: error.to_string(), status: FAILED }
    }
}

fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|error| Failure::new("cannot start", error))
}

/// `minibroker`: serves until a signal ends it.
fn serve(options: &Options) -> Result<ExitCode, Failure> {
    runtime()?.block_on(async {
        // Before the broker is announced: a program that sees it may send a signal at once.
        let mut signals = Signals::new()?;
        let session = Session::start(options, PORT)?;
        let mut out = io::stdout().lock();
        // Standard output may be closed; that does not stop the broker.
        let _ = writeln!(
            out,
            "minibroker {} is ready on {}",
            env!("CARGO_PKG_VERSION"),
            session.addresses(options)
        );
        let _ = out.flush();
        drop(out);
        signals.end().await;
        session.end().await;
        Ok(ExitCode::SUCCESS)
    })
}

/// `minibroker run`: serves while a command runs.
fn run(options: &Options, command: &[OsString]) -> Result<ExitCode, Failure> {
    let Some((program, arguments)) = command.split_first() else {
        return Err(Failure::new("run", "no command"));
    };
    let cannot = |error: io::Error| Failure::of_command(program, &error);
    runtime()?.block_on(async {
        let mut signals = Signals::new()?;
        let session = Session::start(options, 0)?;
        let broker = &session.broker;
        let mut child = Command::new(program)
            .args(arguments)
            .env("REDIS_URL", broker.url())
            .env("REDIS_HOST", broker.addr().map_or_else(String::new, |addr| addr.ip().to_string()))
            .env("REDIS_PORT", broker.port().to_string())
            .kill_on_drop(true)
            .spawn()
            .map_err(cannot)?;
        let status = loop {
            tokio::select! {
                status = child.wait() => break status.map_err(cannot)?,
                signal = signals.next() => pass_on(signal, &child),
            }
        };
        session.end().await;
        Ok(exit_code(status))
    })
}

/// The exit status of the command.
fn exit_code(status: ExitStatus) -> ExitCode {
    #[cfg(unix)]
    let signal = std::os::unix::process::ExitStatusExt::signal(&status);
    #[cfg(not(unix))]
    let signal: Option<i32> = None;
    let code = status.code().or(signal.map(|signal| SIGNALLED + signal));
    ExitCode::from(code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1))
}

/// Raises the limit of open files for this many clients, as far as the system allows, and returns how many are
/// possible. If these are fewer, a line on standard error reports it.
#[cfg(unix)]
fn clients_possible(wanted: u32) -> usize {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let before = getrlimit(Resource::Nofile);
    let goal = (u64::from(wanted) + OTHER_FILES).max(FILES);
    if before.current.is_some_and(|files| files < goal) {
        let raised = before.maximum.map_or(goal, |most| most.min(goal));
        // If this fails the limit stays as it was.
        let _ = setrlimit(Resource::Nofile, Rlimit { current: Some(raised), ..before });
    }
    let Some(files) = getrlimit(Resource::Nofile).current else { return usize::MAX };
    let possible = files.saturating_sub(OTHER_FILES).max(1);
    if possible < u64::from(wanted) {
        let _ = writeln!(
            io::stderr(),
            "minibroker: only {files} files may be open: maxclients is {possible} and not {wanted}; \
             `ulimit -n` raises it"
        );
    }
    usize::try_from(possible).unwrap_or(usize::MAX)
}

#[cfg(not(unix))]
fn clients_possible(_: u32) -> usize {
    usize::MAX
}

/// The flags of TLS. As in redis-server a plain port is listened on beside, unless it is 0.
#[cfg(feature = "tls")]
fn with_tls(mut builder: Builder, options: &Options, default_port: u16) -> Result<Builder, Failure> {
    let files = [
        ("tls-cert-file", &options.tls_cert_file),
        ("tls-key-file", &options.tls_key_file),
        ("tls-ca-cert-file", &options.tls_ca_cert_file),
        ("tls-auth-clients", &options.tls_auth_clients),
    ];
    for (name, value) in files {
        if let Some(value) = value {
            builder = builder.config(name, value);
        }
    }
    if let Some(folder) = &options.tls_dir {
        builder = builder.tls_dir(folder);
    }
    match options.tls_port {
        None => Ok(builder),
        // Clients of a program could not know what it has made in memory.
        Some(_)
            if options.tls_dir.is_none()
                && options.tls_cert_file.is_none()
                && options.tls_key_file.is_none() =>
        {
            Err(Failure::new(
                "cannot speak TLS",
                "no --tls-cert-file, and no --tls-dir for certificates of its own",
            ))
        }
        Some(port) if options.port.unwrap_or(default_port) == 0 => Ok(builder.port(port).tls()),
        Some(port) => Ok(builder.tls_port(port)),
    }
}

/// The broker and the resources of the program.
struct Session {
    broker: Broker,
    /// Receives when all commands have been printed.
    printed: Option<oneshot::Receiver<()>>,
    port_file: Option<PortFile>,
}

impl Session {
    fn start(options: &Options, port: u16) -> Result<Self, Failure> {
        let possible = clients_possible(options.maxclients);
        let mut builder = Broker::builder()
            .port(options.port.unwrap_or(port))
            .bind(options.bind.iter().copied())
            .databases(options.databases.into())
            .max_clients(usize::try_from(options.maxclients).unwrap_or(usize::MAX).min(possible))
            .max_clients_possible(possible)
            .compat(options.compat)
            // Without control no client could read it.
            .journal_limit(if options.control { DEFAULT_JOURNAL_LIMIT } else { 0 })
            .password(options.requirepass.clone().unwrap_or_default());
        #[cfg(unix)]
        if let Some(path) = &options.unixsocket {
            builder = builder.unix_socket(path);
        }
        if options.control {
            builder = builder.control();
        }
        if options.manual_clock {
            builder = builder.manual_clock();
        }
        if let Some(seed) = options.seed {
            builder = builder.seed(seed);
        }
        #[cfg(feature = "tls")]
        {
            builder = with_tls(builder, options, port)?;
        }
        for (name, value) in &options.others {
            builder = builder.config(name, value);
        }
        for (name, rules) in &options.user {
            builder = builder.user(name, rules);
        }
        if let Some(path) = &options.aclfile {
            builder = builder.user_file(path);
        }
        if let Some(file) = &options.load {
            builder = builder.load(file);
        }
        if let Some(name) = &options.dbfilename {
            builder = builder.data_file(options.dir.clone().unwrap_or_default().join(name));
        }
        let broker = builder.start()?;
        let printed = options.verbose.then(|| print(broker.watch_commands()));
        let port_file = match &options.port_file {
            None => None,
            Some(path) => Some(
                PortFile::write(path, broker.port())
                    .map_err(|error| Failure::new(format_args!("cannot write {}", path.display()), error))?,
            ),
        };
        Ok(Self { broker, printed, port_file })
    }

    /// All addresses on which the broker listens, as text for users.
    fn addresses(&self, options: &Options) -> String {
        let port = self.broker.port();
        let on =
            |port, kind| options.bind.iter().map(move |ip| format!("{}{kind}", SocketAddr::new(*ip, port)));
        #[cfg(feature = "tls")]
        let tls_port = self.broker.tls_port();
        #[cfg(not(feature = "tls"))]
        let tls_port = None;
        let tcp = on(port, "").filter(|_| tls_port != Some(port));
        let tls = tls_port.into_iter().flat_map(|port| on(port, " (TLS)"));
        let unix = self.broker.unix_socket().map(|path| path.display().to_string());
        tcp.chain(tls).chain(unix).collect::<Vec<_>>().join(", ")
    }

    /// Ends the broker, and prints the commands until then.
    async fn end(self) {
        drop(self.port_file);
        drop(self.broker);
        if let Some(printed) = self.printed {
            // Lines that are not read in time are dropped.
            let _ = tokio::time::timeout(LAST_LINES, printed).await;
        }
    }
}

/// A file that contains the port while the broker listens there.
struct PortFile(PathBuf);

impl PortFile {
    /// Written so that a reader of the file never sees a part of it.
    fn write(path: &Path, port: u16) -> io::Result<Self> {
        let mut unfinished = path.as_os_str().to_owned();
        unfinished.push(".unfinished");
        std::fs::write(&unfinished, format!("{port}\n"))?;
        std::fs::rename(&unfinished, path)?;
        Ok(Self(path.to_owned()))
    }
}

impl Drop for PortFile {
    fn drop(&mut self) {
        // Its reader may have removed it already.
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Prints the commands in a separate thread: a slow reader must not delay the handling of signals.
fn print(commands: Watch) -> oneshot::Receiver<()> {
    let (sender, receiver) = oneshot::channel();
    std::thread::spawn(move || {
        print_commands(commands);
        // The program may have ended without waiting for it.
        let _ = sender.send(());
    });
    receiver
}

/// Prints the commands, one per line, until the broker ends.
fn print_commands(mut commands: Watch) {
    while let Some(command) = commands.blocking_next() {
        let mut text = String::new();
        if command.left_out > 0 {
            text = format!("(left out: {} commands, because they were not read)\n", command.left_out);
        }
        if writeln!(io::stderr(), "{text}{command}").is_err() {
            return;
        }
    }
}

/// The signals that end the program.
#[cfg(unix)]
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
    hang_up: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn new() -> Result<Self, Failure> {
        use tokio::signal::unix::{SignalKind, signal};
        let cannot = |error| Failure::new("cannot listen to signals", error);
        Ok(Self {
            interrupt: signal(SignalKind::interrupt()).map_err(cannot)?,
            terminate: signal(SignalKind::terminate()).map_err(cannot)?,
            hang_up: signal(SignalKind::hangup()).map_err(cannot)?,
        })
    }

    /// The next one.
    async fn next(&mut self) -> rustix::process::Signal {
        tokio::select! {
            _ = self.interrupt.recv() => rustix::process::Signal::INT,
            _ = self.terminate.recv() => rustix::process::Signal::TERM,
            _ = self.hang_up.recv() => rustix::process::Signal::HUP,
        }
    }

    /// Waits for the end. A server continues after SIGHUP from its terminal, as redis-server does.
    async fn end(&mut self) {
        while self.next().await == rustix::process::Signal::HUP {}
    }
}

/// Forwards a signal to the command of `run`, unless the command has it already: Ctrl-C at a terminal goes to both.
#[cfg(unix)]
fn pass_on(signal: rustix::process::Signal, child: &Child) {
    use rustix::process::{Pid, Signal, getpgrp, kill_process};
    let at_terminal = || rustix::termios::tcgetpgrp(io::stdin()).is_ok_and(|group| group == getpgrp());
    if signal == Signal::INT && at_terminal() {
        return;
    }
    let id = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
    if let Some(id) = id {
        // It may have ended at this moment.
        let _ = kill_process(id, signal);
    }
}

/// The signals that end the program.
#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn new() -> Result<Self, Failure> {
        Ok(Self)
    }

    async fn next(&mut self) {
        if tokio::signal::ctrl_c().await.is_err() {
            // Without signals: runs until it is killed.
            std::future::pending().await
        }
    }

    async fn end(&mut self) {
        self.next().await;
    }
}

/// Ctrl-C goes to the command as well.
#[cfg(not(unix))]
fn pass_on((): (), _child: &Child) {}
